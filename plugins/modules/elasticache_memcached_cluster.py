#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: elasticache_memcached_cluster
short_description: Manage a Memcached cluster with TLS over several Availability Zones
version_added: 0.1.0
description:
  - One run brings the cache subnet group, the parameter group and the cluster to the wanted state.
  - Clients must use TLS. With more than one node the cluster spans zones. Clients ask its configuration endpoint which nodes there are, so that nodes can come
    and go.
  - Subnet group and parameter group are named after the cluster, such as C(blog-cache-memcached) and C(blog-cache-memcached1-6).
notes:
  - C(community.aws.elasticache) 10.0 knows neither TLS, zones, tags nor a change of the number of nodes in check mode, and its parameter groups
    end at Memcached 1.4. When it does, this module can be retired.
  - Memcached knows no password and keeps nothing on disk. Whoever reaches its port reads and writes everything, hence the security groups.
author:
  - The wordpress_ha.aws project (@wordpress-ha)
options:
  name:
    description: Identifier of the cluster. Lower case, at most 50 characters.
    type: str
    required: true
  subnet_ids:
    description: Subnets of the subnet group. Required for O(state=present).
    type: list
    elements: str
  security_group_ids:
    description: Security groups of the nodes. Required for O(state=present).
    type: list
    elements: str
  engine_version:
    description: Version of 1.6, from 1.6.12 on, whole or without its last part. Unset is V(1.6.22) for a new cluster, and keeps what runs.
    type: str
  node_type:
    description: Type of every node, such as V(cache.t4g.small). Required for O(state=present).
    type: str
  nodes:
    description: Number of nodes, 1 to 60. When it falls, those with the highest numbers go, with what they hold.
    type: int
    default: 2
  zones:
    description: Availability Zones of the nodes, used by turns as nodes are made. Unset leaves it to AWS.
    type: list
    elements: str
  parameters:
    description: Parameters by name, such as C(max_item_size). Those not named are left alone.
    type: dict
  port:
    description: Port, 11211 for a new cluster. It cannot be changed later.
    type: int
  maintenance_window:
    description: Weekly maintenance time in UTC, such as V(sun:04:00-sun:05:00).
    type: str
  auto_minor_version_upgrade:
    description: Whether AWS may upgrade minor versions in the maintenance window.
    type: bool
  wait:
    description: Whether to wait until the cluster is available. Changes that need it, and deletion, always wait.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait for any one thing.
    type: int
    default: 1800
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.plan.tags
"""

EXAMPLES = r"""
- name: Cache | Create a Memcached cluster of three nodes
  wordpress_ha.aws.elasticache_memcached_cluster:
    name: blog-cache
    subnet_ids: [subnet-0a1, subnet-0b2, subnet-0c3]
    security_group_ids: [sg-0d4]
    node_type: cache.t4g.small
    nodes: 3
    tags:
      wordpress_ha:stack: blog
"""

RETURN = r"""
arn:
  description: ARN of the cluster; null when there is none, as for every value here.
  type: str
  returned: always
primary_endpoint:
  description: Always null; Memcached has no primary.
  type: str
  returned: always
reader_endpoint:
  description: Always null; Memcached has no replicas.
  type: str
  returned: always
configuration_endpoint:
  description: Host name that tells clients which nodes there are.
  type: str
  returned: always
port:
  description: Port of the endpoint and of every node.
  type: int
  returned: always
tls:
  description: Whether clients must use TLS, which is always so.
  type: bool
  returned: always
user:
  description: Always null; Memcached knows no users.
  type: str
  returned: always
engine:
  description: What runs.
  type: str
  returned: always
engine_version:
  description: Version that runs.
  type: str
  returned: always
node_type:
  description: Type of the nodes.
  type: str
  returned: always
nodes:
  description: Number of nodes.
  type: int
  returned: always
settled:
  description: Whether nothing is under way; false while the cluster is being created or changed.
  type: bool
  returned: always
actions:
  description: The changes made, or in check mode those that would be made.
  type: list
  elements: dict
  returned: always
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils._aws import main as run
from ansible_collections.wordpress_ha.aws.plugins.module_utils._memcached_cluster import MemcachedCluster


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
            "subnet_ids": {"type": "list", "elements": "str"},
            "security_group_ids": {"type": "list", "elements": "str"},
            "engine_version": {"type": "str"},
            "node_type": {"type": "str"},
            "nodes": {"type": "int", "default": 2},
            "zones": {"type": "list", "elements": "str"},
            "parameters": {"type": "dict"},
            "port": {"type": "int"},
            "maintenance_window": {"type": "str"},
            "auto_minor_version_upgrade": {"type": "bool"},
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 1800},
        },
        required_if=[("state", "present", ["subnet_ids", "security_group_ids", "node_type"])],
        supports_check_mode=True,
    )
    run(module, MemcachedCluster)


if __name__ == "__main__":
    main()
