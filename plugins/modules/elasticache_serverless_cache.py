#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: elasticache_serverless_cache
short_description: Manage an ElastiCache Serverless cache with its user
version_added: 0.1.0
description:
  - One run brings the users, their user group and the serverless cache to the wanted state. TLS and encryption at rest are always on.
  - The password is read from Secrets Manager when a user is created and goes to ElastiCache alone. Check mode does not read it.
notes:
  - C(community.aws.elasticache) 10.0 knows clusters alone, and amazon.aws nothing of ElastiCache. When either manages serverless caches and
    users, this module can be retired.
  - A serverless cache of Valkey or Redis speaks the protocol of cluster mode. Its clients must follow redirections, which those of this
    collection's nodes do not.
  - A change of the password in Secrets Manager is not noticed; ElastiCache does not report which one it holds.
author:
  - The wordpress_ha.aws project (@wordpress-ha)
options:
  name:
    description: Name of the cache, and of its user group. Lower case, at most 40 characters.
    type: str
    required: true
  engine:
    description: What runs. A cache of Redis can become one of Valkey, not the other way round.
    type: str
    choices: [valkey, redis, memcached]
    default: valkey
  engine_version:
    description:
      - Version, of which the major part counts. Unset is V(8) for a new Valkey, V(7) for Redis, V(1.6) for Memcached, and keeps what runs.
    type: str
  subnet_ids:
    description: Subnets of the endpoints, in different Availability Zones. They cannot be changed later. Required for O(state=present).
    type: list
    elements: str
  security_group_ids:
    description: Security groups of the endpoints. Required for O(state=present).
    type: list
    elements: str
  limits:
    description: Bounds of use, and so of cost. AWS cannot remove a bound that was set, only change it.
    type: dict
    suboptions:
      min_gb:
        description: GB of data that are paid for at least, 1 to 5000.
        type: int
      max_gb:
        description: GB of data at most, 1 to 5000; beyond it keys are evicted.
        type: int
      min_ecpu:
        description: ECPU a second that are paid for at least, 1000 to 15000000.
        type: int
      max_ecpu:
        description: ECPU a second at most, 1000 to 15000000; beyond it requests are throttled.
        type: int
  user:
    description: Name of the user that clients are. Required for O(state=present), except with O(engine=memcached), which knows none.
    type: str
  user_access:
    description:
      - What the user may do, in the words of the C(ACL) command. Unset is every key, and every command but dangerous ones, of which only
        C(FLUSHDB), C(FLUSHALL) and C(INFO) are allowed.
      - AWS reports it in words of its own. Compared is what was asked for, which is why a tag of the user holds its digest.
    type: str
  auth_token_secret_arn:
    description: ARN of the secret whose JSON key C(auth_token) is the user's password. Required as O(user) is.
    type: str
  description:
    description: Description of the cache.
    type: str
  kms_key_id:
    description: ARN of the key for encryption at rest. Unset is AWS's own. It cannot be changed later.
    type: str
  snapshot_retention_days:
    description: Days that daily snapshots are kept, at most 35; V(0) takes none.
    type: int
  snapshot_time:
    description: Daily time of the snapshot in UTC, such as V(03:00).
    type: str
  final_snapshot_name:
    description: Name of a snapshot taken when the cache is deleted. Unset takes none.
    type: str
  wait:
    description: Whether to wait until the cache is available. Changes that need it, and deletion, always wait.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait for any one thing.
    type: int
    default: 1200
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.plan.tags
"""

EXAMPLES = r"""
- name: Cache | Create a serverless cache of at most 5 GB
  wordpress_ha.aws.elasticache_serverless_cache:
    name: blog-cache
    subnet_ids: [subnet-0a1, subnet-0b2]
    security_group_ids: [sg-0c3]
    limits: {max_gb: 5, max_ecpu: 10000}
    user: wordpress
    auth_token_secret_arn: arn:aws:secretsmanager:eu-central-1:123456789012:secret:blog/cache-AbCdEf
    tags:
      wordpress_ha:stack: blog
"""

RETURN = r"""
arn:
  description: ARN of the cache; null when there is none, as for every value here.
  type: str
  returned: always
primary_endpoint:
  description: Host name of the cache.
  type: str
  returned: always
reader_endpoint:
  description: Host name for reads of replicas, on the next port.
  type: str
  returned: always
configuration_endpoint:
  description: Always null; only a Memcached cluster has one.
  type: str
  returned: always
port:
  description: Port of RV(primary_endpoint).
  type: int
  returned: always
tls:
  description: Whether clients must use TLS, which is always so.
  type: bool
  returned: always
user:
  description: Name of the user that clients are.
  type: str
  returned: always
engine:
  description: What runs.
  type: str
  returned: always
engine_version:
  description: Major version that runs.
  type: str
  returned: always
settled:
  description: Whether nothing is under way; false while the cache is being created or changed.
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
from ansible_collections.wordpress_ha.aws.plugins.module_utils._serverless_cache import LIMITS, ServerlessCache


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
            "engine": {"type": "str", "choices": ["valkey", "redis", "memcached"], "default": "valkey"},
            "engine_version": {"type": "str"},
            "subnet_ids": {"type": "list", "elements": "str"},
            "security_group_ids": {"type": "list", "elements": "str"},
            "limits": {"type": "dict", "options": {name: {"type": "int"} for name in LIMITS}},
            "user": {"type": "str"},
            "user_access": {"type": "str"},
            "auth_token_secret_arn": {"type": "str", "no_log": False},
            "description": {"type": "str"},
            "kms_key_id": {"type": "str", "no_log": False},
            "snapshot_retention_days": {"type": "int"},
            "snapshot_time": {"type": "str"},
            "final_snapshot_name": {"type": "str"},
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 1200},
        },
        required_if=[("state", "present", ["subnet_ids", "security_group_ids"])],
        supports_check_mode=True,
    )
    run(module, ServerlessCache)


if __name__ == "__main__":
    main()
