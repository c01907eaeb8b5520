#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: rds_proxy
short_description: Manage an RDS Proxy in front of an Aurora MySQL cluster
version_added: 0.1.0
description:
  - Keeps one proxy with its pool of connections and the cluster it leads to. Clients must use TLS, and log in with the user name
    and password that a secret holds.
  - A proxy that is asked to lead to another cluster leaves the former one first.
  - A run that changes nothing makes four calls.
notes:
  - Neither C(amazon.aws) nor C(community.aws) has a module for RDS Proxy. This module can be retired once one of them has.
  - Whether the targets answer is not waited for. The user that a secret names may be made in the database only later.
author:
  - The wordpress_ha.aws project (@wordpress-ha)
options:
  name:
    description: Name of the proxy.
    type: str
    required: true
  cluster:
    description:
      - Name of the cluster the proxy leads to. It must be available.
      - Unset leaves alone where the proxy leads, and its pool, so that a proxy can be made while its cluster is.
    type: str
  subnet_ids:
    description: Subnets in at least two Availability Zones. Required for O(state=present). They cannot be changed later.
    type: list
    elements: str
  security_group_ids:
    description: Security groups of the proxy. Required for O(state=present).
    type: list
    elements: str
  role_arn:
    description: Role by which the proxy reads the secrets. Required for O(state=present). A new one is waited for up to 90 seconds.
    type: str
  secret_arns:
    description: Secrets with C(username) and C(password) of the users that connect. Required for O(state=present).
    type: list
    elements: str
  client_password_auth_type:
    description: How clients prove their password. Unset lets AWS choose at creation.
    type: str
    choices: [MYSQL_NATIVE_PASSWORD, MYSQL_CACHING_SHA2_PASSWORD]
  idle_client_timeout:
    description: Seconds after which an idle client is disconnected, 1 to 28800.
    type: int
  debug_logging:
    description: Whether statements are logged. They may hold what is secret; AWS turns it off after a day.
    type: bool
  max_connections_percent:
    description: Largest share of the cluster's connections that the pool takes, 1 to 100.
    type: int
  max_idle_connections_percent:
    description: Largest share that the pool keeps idle, 0 to O(max_connections_percent).
    type: int
  connection_borrow_timeout:
    description: Seconds a client waits for a connection of the pool, 0 to 300.
    type: int
  init_query:
    description: Statement run on each new connection to the database, such as V(SET time_zone='+00:00').
    type: str
  session_pinning_filters:
    description: What does not tie a client to its connection. The list replaces the current one.
    type: list
    elements: str
    choices: [EXCLUDE_VARIABLE_SETS]
  wait:
    description: Whether to wait until the proxy is available. Deletion, and a cluster to lead to, are always waited for.
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
- name: Database | Keep a proxy in front of the cluster
  wordpress_ha.aws.rds_proxy:
    name: blog-database
    cluster: blog-database
    subnet_ids: [subnet-0a1, subnet-0b2]
    security_group_ids: [sg-0c3]
    role_arn: arn:aws:iam::123456789012:role/blog-database-proxy
    secret_arns: [arn:aws:secretsmanager:us-east-1:123456789012:secret:blog/wordpress-database-AbCdEf]
    max_connections_percent: 90
    tags:
      "wordpress_ha:stack": blog

- name: Database | Remove the proxy
  wordpress_ha.aws.rds_proxy:
    name: blog-database
    state: absent
"""

RETURN = r"""
arn:
  description: ARN of the proxy; null when there is none, as for every value here.
  type: str
  returned: always
endpoint:
  description: Host name that clients connect to.
  type: str
  returned: always
settled:
  description: Whether nothing is under way any more, so that no later run has to wait; true where this run has waited.
  type: bool
  returned: always
actions:
  description: The changes made, or in check mode those that would be made.
  type: list
  elements: dict
  returned: always
  sample: [{action: create, resource: target/blog-database, before: {}, after: {max_connections_percent: 90}}]
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws
from ansible_collections.wordpress_ha.aws.plugins.module_utils._rds_proxy import Proxy


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
            "cluster": {"type": "str"},
            "subnet_ids": {"type": "list", "elements": "str"},
            "security_group_ids": {"type": "list", "elements": "str"},
            "role_arn": {"type": "str"},
            "secret_arns": {"type": "list", "elements": "str", "no_log": False},
            "client_password_auth_type": {
                "type": "str",
                "choices": ["MYSQL_NATIVE_PASSWORD", "MYSQL_CACHING_SHA2_PASSWORD"],
                "no_log": False,
            },
            "idle_client_timeout": {"type": "int"},
            "debug_logging": {"type": "bool"},
            "max_connections_percent": {"type": "int"},
            "max_idle_connections_percent": {"type": "int"},
            "connection_borrow_timeout": {"type": "int"},
            "init_query": {"type": "str"},
            "session_pinning_filters": {"type": "list", "elements": "str", "choices": ["EXCLUDE_VARIABLE_SETS"]},
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 1800},
        },
        required_if=[("state", "present", ["subnet_ids", "security_group_ids", "role_arn", "secret_arns"])],
        supports_check_mode=True,
    )
    _aws.main(module, Proxy)


if __name__ == "__main__":
    main()
