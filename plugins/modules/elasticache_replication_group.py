#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: elasticache_replication_group
short_description: Manage a Valkey or Redis cache with TLS, a password or user, and automatic failover
version_added: 0.1.0
description:
  - One run brings the cache subnet group, the parameter group, the users and the replication group to the wanted state.
  - The group always has cluster mode off, TLS required, encryption at rest and a password. With replicas it spans several
    Availability Zones and fails over by itself.
  - The password is read from Secrets Manager when the group or a user is created and goes to ElastiCache alone. Check mode does
    not read it.
  - The parameter group is named after the group and its family, such as C(blog-cache-valkey8). An upgrade to another family
    creates its successor and removes it afterwards.
notes:
  - C(community.aws.elasticache) 10.0 knows neither TLS, passwords, users, replicas nor tags, and its parameter groups end at Redis 6.
    When it manages replication groups, this module can be retired.
  - A change of the password in Secrets Manager is not noticed; ElastiCache does not report which one it holds.
author:
  - The wordpress_ha.aws project (@wordpress-ha)
options:
  name:
    description: Identifier of the replication group; also of its subnet group. Lower case, at most 40 characters.
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
  engine:
    description: What runs. A group of Redis can become one of Valkey, not the other way round.
    type: str
    choices: [valkey, redis]
    default: valkey
  engine_version:
    description: Version, whole or without its last parts. Unset is 8.0 for a new Valkey, 7.1 for a new Redis, and keeps what runs.
    type: str
  node_type:
    description: Type of every node, such as V(cache.t4g.small). Required for O(state=present).
    type: str
  replicas:
    description: Number of replicas beside the primary, 0 to 5.
    type: int
    default: 1
  parameters:
    description:
      - Parameters by name. Those not named are left alone.
      - A new group gets C(maxmemory-policy) V(allkeys-lru) unless given, so that a full cache evicts instead of refusing writes.
    type: dict
  auth_token_secret_arn:
    description: ARN of the secret whose JSON key C(auth_token) is the password. Required for O(state=present).
    type: str
  user:
    description:
      - Name of the user that clients are, with the password (role-based access control). V(default) is the one of clients that send a
        password alone.
      - The empty string is none; clients then send the password as the group's token. Unset is the same for a new group, and leaves
        an existing one as it is. A change from one to the other is made in place, and clients have to follow it.
      - The user, a second one named C(default) that may do nothing, and their user group are named after the cache.
    type: str
  user_access:
    description:
      - What the user may do, in the words of the C(ACL) command. Unset is every key, and every command but dangerous ones, of which only
        C(FLUSHDB), C(FLUSHALL) and C(INFO) are allowed.
      - AWS reports it in words of its own. Compared is what was asked for, which is why a tag of the user holds its digest.
    type: str
  zones:
    description: Availability Zones of the nodes, the primary's first, used by turns when the group is created. Unset leaves it to AWS.
    type: list
    elements: str
  description:
    description: Description of the group.
    type: str
  port:
    description: Port, 6379 for a new group. It cannot be changed later.
    type: int
  kms_key_id:
    description: ARN of the key for encryption at rest. Unset is the account's own. It cannot be changed later.
    type: str
  snapshot_retention_days:
    description: Days that daily snapshots are kept, at most 35; V(0) takes none.
    type: int
  snapshot_window:
    description: Daily time of the snapshot in UTC, such as V(03:00-04:00).
    type: str
  maintenance_window:
    description: Weekly maintenance time in UTC, such as V(sun:04:00-sun:05:00).
    type: str
  auto_minor_version_upgrade:
    description: Whether AWS may upgrade minor versions in the maintenance window.
    type: bool
  final_snapshot_name:
    description: Name of a snapshot taken when the group is deleted. Unset takes none.
    type: str
  wait:
    description: Whether to wait until the group is available. Changes that need it, and deletion, always wait.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait for any one thing.
    type: int
    default: 2400
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.plan.tags
"""

EXAMPLES = r"""
- name: Cache | Create the object cache, a primary and a replica
  wordpress_ha.aws.elasticache_replication_group:
    name: blog-cache
    subnet_ids: [subnet-0a1, subnet-0b2]
    security_group_ids: [sg-0c3]
    node_type: cache.t4g.small
    replicas: 1
    auth_token_secret_arn: arn:aws:secretsmanager:eu-central-1:123456789012:secret:blog/cache-AbCdEf
    tags:
      wordpress_ha:stack: blog

- name: Cache | Delete the object cache
  wordpress_ha.aws.elasticache_replication_group:
    name: blog-cache
    state: absent
"""

RETURN = r"""
arn:
  description: ARN of the group; null when there is none, as for every value here.
  type: str
  returned: always
primary_endpoint:
  description: Host name of the primary, whichever node that is.
  type: str
  returned: always
reader_endpoint:
  description: Host name that spreads over the replicas.
  type: str
  returned: always
configuration_endpoint:
  description: Always null; only a Memcached cluster has one.
  type: str
  returned: always
port:
  description: Port of both endpoints.
  type: int
  returned: always
tls:
  description: Whether clients must use TLS, which is always so.
  type: bool
  returned: always
user:
  description: Name of the user that clients are; null when they send a token.
  type: str
  returned: always
settled:
  description: Whether nothing is under way; false while the group is being created or changed.
  type: bool
  returned: always
node_ids:
  description: Identifiers of the nodes, as metrics name them.
  type: list
  elements: str
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
replicas:
  description: Number of replicas.
  type: int
  returned: always
actions:
  description: The changes made, or in check mode those that would be made.
  type: list
  elements: dict
  returned: always
  sample: [{action: update, resource: replication_group/blog-cache, before: {replicas: 1}, after: {replicas: 2}}]
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils._aws import main as run
from ansible_collections.wordpress_ha.aws.plugins.module_utils._replication_group import ReplicationGroup


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
            "subnet_ids": {"type": "list", "elements": "str"},
            "security_group_ids": {"type": "list", "elements": "str"},
            "engine": {"type": "str", "choices": ["valkey", "redis"], "default": "valkey"},
            "engine_version": {"type": "str"},
            "node_type": {"type": "str"},
            "replicas": {"type": "int", "default": 1},
            "parameters": {"type": "dict"},
            "auth_token_secret_arn": {"type": "str", "no_log": False},
            "user": {"type": "str"},
            "user_access": {"type": "str"},
            "zones": {"type": "list", "elements": "str"},
            "description": {"type": "str"},
            "port": {"type": "int"},
            "kms_key_id": {"type": "str", "no_log": False},
            "snapshot_retention_days": {"type": "int"},
            "snapshot_window": {"type": "str"},
            "maintenance_window": {"type": "str"},
            "auto_minor_version_upgrade": {"type": "bool"},
            "final_snapshot_name": {"type": "str"},
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 2400},
        },
        required_if=[
            ("state", "present", ["subnet_ids", "security_group_ids", "node_type", "auth_token_secret_arn"]),
        ],
        supports_check_mode=True,
    )
    run(module, ReplicationGroup)


if __name__ == "__main__":
    main()
