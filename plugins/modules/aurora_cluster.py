#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: aurora_cluster
short_description: Manage an Aurora MySQL cluster with its subnet group, parameters and instances
version_added: 0.1.0
description:
  - One run brings the subnet group, the cluster parameter group, the cluster and its writer and readers to the wanted state.
  - The master password is generated, kept and rotated by RDS in Secrets Manager. This module never sees it.
  - Instances are named C(<name>-1), C(<name>-2) and so on. Whichever of them writes is never removed when readers are.
  - New instances are spread over the zones of O(subnet_ids), each into the one that holds the fewest.
  - Everything that AWS would refuse later is refused before the first write; versions, classes and zones are asked for only
    when something is made or changed. A run that changes nothing makes four calls.
  - A major upgrade of the engine is refused, with a hint to a blue/green deployment, unless O(allow_major_upgrade=true).
  - O(state=absent) is refused while deletion protection is on, and needs O(final_snapshot_name) or O(skip_final_snapshot).
notes:
  - C(amazon.aws.rds_cluster) 10.1 cannot let RDS manage the master password, cannot delete with a final snapshot, and its
    second run is not free of changes. When it can, this module can be retired.
author:
  - The wordpress_ha.aws project (@wordpress-ha)
options:
  name:
    description: Identifier of the cluster; also of its subnet group and parameter group. Lower case.
    type: str
    required: true
  subnet_ids:
    description: Subnets of the subnet group, in at least two Availability Zones. Required for O(state=present).
    type: list
    elements: str
  security_group_ids:
    description: Security groups of the cluster. Required for O(state=present).
    type: list
    elements: str
  engine_version:
    description:
      - Version, whole or without its last parts. V(8.0.mysql_aurora.3.10) is satisfied by V(8.0.mysql_aurora.3.10.1).
      - Unset lets AWS choose at creation, and keeps what runs.
    type: str
  instance_class:
    description: Class of every instance, such as V(db.t4g.medium). Required for O(state=present).
    type: str
  readers:
    description: Number of readers beside the writer, 0 to 15.
    type: int
    default: 1
  zones:
    description:
      - Availability Zones that new instances are put into, each one the zone with the fewest. Unset takes those of O(subnet_ids).
      - Instances that exist stay where they are.
    type: list
    elements: str
  instances:
    description:
      - What is special about single instances, by their numbers, 1 to 16. Each takes C(instance_class), C(promotion_tier) and C(zone).
      - Unless given, the promotion tier is 0 for number 1 and 1 for all others, or 2 from number 3 on where the class is V(db.serverless),
        so that those readers scale by themselves.
      - The zone of an instance cannot be changed later.
    type: dict
  serverless:
    description:
      - Capacity of instances of the class V(db.serverless), in Aurora capacity units. A new cluster with such instances needs it.
      - A class that would not use it is refused.
    type: dict
    suboptions:
      min_capacity:
        description: Least capacity, 0 to 256 in steps of 0.5. With V(0) an idle cluster pauses, and its next visitor waits some 15 seconds.
        type: float
        required: true
      max_capacity:
        description: Largest capacity, 1 to 256 in steps of 0.5.
        type: float
        required: true
      pause_after_seconds:
        description: Idle time before a pause, 300 to 86400. Only with O(serverless.min_capacity=0), and 300 unless given.
        type: int
  auto_minor_version_upgrade:
    description: Whether AWS may upgrade minor versions in the maintenance window.
    type: bool
  database_name:
    description: Database created together with the cluster. It cannot be changed later.
    type: str
  master_username:
    description: Name of the master user, V(admin) when the cluster is created. It cannot be changed later.
    type: str
  port:
    description: Port of the cluster, 3306 when it is created.
    type: int
  parameters:
    description:
      - Cluster parameters by name. Quote the values, since an unquoted V(ON) is a boolean in YAML.
      - Parameters not named here are left alone. Static ones take effect at the next reboot of the instances.
    type: dict
  instance_parameters:
    description:
      - Parameters of single instances by name, kept in an instance parameter group of the cluster's name. Unset makes no such group.
      - Parameters not named here are left alone. Static ones take effect at the next reboot of the instances.
    type: dict
  parameter_group_family:
    description: Family of the parameter groups. Unset is the family of the engine version, V(aurora-mysql8.0) for a new cluster.
    type: str
  backup_retention_days:
    description: Days of continuous backup, 1 to 35. 7 when the cluster is created.
    type: int
  backup_window:
    description: Daily time of the backup in UTC, such as V(03:00-03:30).
    type: str
  maintenance_window:
    description: Weekly maintenance time of cluster and instances in UTC, such as V(sun:04:00-sun:04:30). It may not overlap O(backup_window).
    type: str
  deletion_protection:
    description: Whether the cluster is protected from deletion. On when the cluster is created.
    type: bool
  storage_encrypted:
    description: Whether storage is encrypted. On when the cluster is created. It cannot be changed later.
    type: bool
  kms_key_id:
    description:
      - ARN, id or alias of the storage key. Unset is the account's own RDS key. It cannot be changed later; an alias is not compared.
    type: str
  storage_type:
    description: V(aurora) bills requests, V(aurora-iopt1) does not.
    type: str
    choices: [aurora, aurora-iopt1]
  copy_tags_to_snapshot:
    description: Whether snapshots inherit the tags. On when the cluster is created.
    type: bool
  iam_authentication:
    description: Whether database users may log in by IAM.
    type: bool
  log_exports:
    description: Logs sent to CloudWatch. The list replaces the current one.
    type: list
    elements: str
    choices: [audit, error, general, slowquery]
  performance_insights:
    description: Whether Performance Insights records the load. Small burstable classes do not offer it.
    type: bool
  performance_insights_retention_days:
    description: Days it is kept; V(7), which costs nothing, V(731), or a multiple of 31 up to 713.
    type: int
  monitoring_interval:
    description: Seconds between metrics of the operating system; V(0) turns them off. One of 0, 1, 5, 10, 15, 30 and 60.
    type: int
  monitoring_role_arn:
    description: Role by which RDS writes those metrics. Required for any O(monitoring_interval) but V(0).
    type: str
  allow_major_upgrade:
    description:
      - Whether a new major version in O(engine_version) is installed in place. The cluster is down meanwhile, and there is no way back.
      - The cluster then gets parameter groups of the new family, with the parameters of the former ones, which stay until O(state=absent).
    type: bool
    default: false
  restore:
    description:
      - What a new cluster is made from. For a cluster that exists it changes nothing, and the module warns.
      - The restored cluster keeps its master user and its databases. Everything else becomes as described here; O(database_name)
        must be that of the origin.
      - Restoring is waited for, even with O(wait=false), since AWS accepts the remaining settings only afterwards.
    type: dict
    suboptions:
      snapshot:
        description: Name or ARN of a cluster snapshot.
        type: str
      cluster:
        description: Name of a cluster in this region, restored to O(restore.time).
        type: str
      time:
        description: ISO 8601 time with a time zone, such as V(2026-01-31T12:00:00Z). Unset is the latest possible.
        type: str
  final_snapshot_name:
    description:
      - Name of the snapshot taken when the cluster is deleted. One that exists already is refused before anything is deleted.
      - C({created}) in it stands for the time at which the cluster was created, so that a later cluster of the same name has another one.
    type: str
  skip_final_snapshot:
    description: Whether to delete without a snapshot. Every backup of the cluster is then lost.
    type: bool
    default: false
  wait:
    description: Whether to wait until everything is available. Deletion is always waited for.
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
- name: Database | Create the cluster, a writer and a reader
  wordpress_ha.aws.aurora_cluster:
    name: blog-database
    subnet_ids: [subnet-0a1, subnet-0b2]
    security_group_ids: [sg-0c3]
    instance_class: db.t4g.medium
    readers: 1
    database_name: wordpress
    parameters:
      require_secure_transport: 'ON'
      character_set_server: utf8mb4
    tags:
      wordpress_ha:stack: blog

- name: Database | Keep a staging cluster that costs nothing but storage while nobody looks
  wordpress_ha.aws.aurora_cluster:
    name: blog-staging
    subnet_ids: [subnet-0a1, subnet-0b2]
    security_group_ids: [sg-0c3]
    instance_class: db.serverless
    readers: 0
    serverless: {min_capacity: 0, max_capacity: 2, pause_after_seconds: 600}

- name: Database | Make a cluster of what another one held yesterday at noon
  wordpress_ha.aws.aurora_cluster:
    name: blog-yesterday
    subnet_ids: [subnet-0a1, subnet-0b2]
    security_group_ids: [sg-0c3]
    instance_class: db.t4g.medium
    readers: 0
    restore: {cluster: blog-database, time: '2026-01-30T12:00:00Z'}

- name: Database | Delete the cluster, keeping a snapshot
  wordpress_ha.aws.aurora_cluster:
    name: blog-database
    state: absent
    final_snapshot_name: 'blog-database-final-{created}'
"""

RETURN = r"""
cluster_arn:
  description: ARN of the cluster; null when there is none, as for every value here.
  type: str
  returned: always
endpoint:
  description: Host name of the writer.
  type: str
  returned: always
reader_endpoint:
  description: Host name that spreads over the readers.
  type: str
  returned: always
port:
  description: Port of both endpoints.
  type: int
  returned: always
database_name:
  description: Database created with the cluster.
  type: str
  returned: always
master_username:
  description: Name of the master user.
  type: str
  returned: always
master_secret_arn:
  description: ARN of the secret in which RDS keeps the master password.
  type: str
  returned: always
engine_version:
  description: Version that runs.
  type: str
  returned: always
deletion_protection:
  description: Whether the cluster is protected.
  type: bool
  returned: always
settled:
  description: Whether nothing is under way any more, so that no later run has to wait; true where this run has waited.
  type: bool
  returned: always
instances:
  description: The instances, by name.
  type: list
  elements: dict
  returned: always
  sample: [{name: blog-database-1, instance_class: db.t4g.medium, availability_zone: us-east-1a, writer: true}]
actions:
  description: The changes made, or in check mode those that would be made.
  type: list
  elements: dict
  returned: always
  sample: [{action: create, resource: cluster/blog-database, before: {}, after: {deletion_protection: true}}]
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils._aurora import Aurora
from ansible_collections.wordpress_ha.aws.plugins.module_utils._aws import main as run


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
            "subnet_ids": {"type": "list", "elements": "str"},
            "security_group_ids": {"type": "list", "elements": "str"},
            "engine_version": {"type": "str"},
            "instance_class": {"type": "str"},
            "readers": {"type": "int", "default": 1},
            "zones": {"type": "list", "elements": "str"},
            "instances": {"type": "dict"},
            "serverless": {
                "type": "dict",
                "options": {
                    "min_capacity": {"type": "float", "required": True},
                    "max_capacity": {"type": "float", "required": True},
                    "pause_after_seconds": {"type": "int"},
                },
            },
            "auto_minor_version_upgrade": {"type": "bool"},
            "database_name": {"type": "str"},
            "master_username": {"type": "str"},
            "port": {"type": "int"},
            "parameters": {"type": "dict"},
            "instance_parameters": {"type": "dict"},
            "parameter_group_family": {"type": "str"},
            "backup_retention_days": {"type": "int"},
            "backup_window": {"type": "str"},
            "maintenance_window": {"type": "str"},
            "deletion_protection": {"type": "bool"},
            "storage_encrypted": {"type": "bool"},
            "kms_key_id": {"type": "str", "no_log": False},
            "storage_type": {"type": "str", "choices": ["aurora", "aurora-iopt1"]},
            "copy_tags_to_snapshot": {"type": "bool"},
            "iam_authentication": {"type": "bool"},
            "log_exports": {"type": "list", "elements": "str", "choices": ["audit", "error", "general", "slowquery"]},
            "performance_insights": {"type": "bool"},
            "performance_insights_retention_days": {"type": "int"},
            "monitoring_interval": {"type": "int"},
            "monitoring_role_arn": {"type": "str"},
            "allow_major_upgrade": {"type": "bool", "default": False},
            "restore": {
                "type": "dict",
                "options": {"snapshot": {"type": "str"}, "cluster": {"type": "str"}, "time": {"type": "str"}},
            },
            "final_snapshot_name": {"type": "str"},
            "skip_final_snapshot": {"type": "bool", "default": False},
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 2400},
        },
        required_if=[("state", "present", ["subnet_ids", "security_group_ids", "instance_class"])],
        supports_check_mode=True,
    )
    run(module, Aurora)


if __name__ == "__main__":
    main()
