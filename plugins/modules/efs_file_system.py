#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: efs_file_system
version_added: 0.1.0
short_description: Keep an EFS file system with its mount targets and access points
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Owns a file system, one mount target per subnet, access points, lifecycle, backup policy, file system policy and the copy in another region.
  - M(community.aws.efs) has no elastic throughput, archive class, access points, policies, replication or check mode, and uses tag calls
    that AWS has deprecated. This module can be retired once upstream has them.
  - The file system is found by its creation token, which is O(name).
  - With O(state=absent) all files are lost.
options:
  name:
    description: Name, and creation token, of the file system. At most 64 characters. Required unless O(file_system_id) is given.
    type: str
  file_system_id:
    description:
      - Id of a file system that somebody else keeps. It is looked at with O(state=gathered), and never changed.
      - With O(subnets), every zone of theirs must have a mount target in their VPC.
    type: str
  encrypted:
    description: Whether data is encrypted at rest. AWS cannot change it later.
    type: bool
    default: true
  kms_key_id:
    description: ARN of the KMS key. Without it the account's default key for EFS serves. AWS cannot change it later.
    type: str
  performance_mode:
    description: Performance mode. AWS cannot change it later, and V(generalPurpose) is the faster one for web sites.
    type: str
    choices: [generalPurpose, maxIO]
  throughput_mode:
    description:
      - V(elastic) needs no planning and is paid by use; V(bursting) grows with the size; V(provisioned) is fixed.
      - AWS lets a day pass between two changes from one to another.
    type: str
    choices: [elastic, bursting, provisioned]
  provisioned_throughput:
    description: Throughput in MiB/s, with O(throughput_mode=provisioned).
    type: float
  subnets:
    description: Ids of the subnets that get a mount target, at most one per Availability Zone. If not set, mount targets are left alone.
    type: list
    elements: str
  purge_mount_targets:
    description: Whether to remove mount targets in other subnets.
    type: bool
    default: false
  security_groups:
    description: Ids of one to five security groups of every mount target.
    type: list
    elements: str
  access_points:
    description:
      - Access points by short name, each with C(path), C(uid), C(gid) and C(permissions) (of the directory when it is first made,
        default C(0755)). AWS cannot change them later. The tag V(Name) is O(name), a dash and the short name.
    type: dict
  purge_access_points:
    description: Whether to remove access points of this module that are not in O(access_points).
    type: bool
    default: false
  lifecycle:
    description: When files move to cheaper storage. If set, transitions that are not mentioned are switched off.
    type: dict
    suboptions:
      transition_to_ia:
        description: Age at which files move to Infrequent Access, such as V(AFTER_30_DAYS).
        type: str
      transition_to_archive:
        description: Age at which files move to Archive, such as V(AFTER_90_DAYS). Needs elastic throughput.
        type: str
      transition_to_primary:
        description: When files move back.
        type: str
        choices: [AFTER_1_ACCESS]
  backup:
    description: Whether AWS Backup's automatic daily backup is on.
    type: bool
  tls_only:
    description:
      - With V(true), a policy lets clients in through mount targets only, and with TLS only. A plain NFS mount then fails; clients mount with
        C(amazon-efs-utils) and its option C(tls).
      - V(false) removes that policy, and leaves another one alone.
    type: bool
  clients:
    description: ARNs of the IAM principals that may mount, with O(tls_only=true). Empty is every client that reaches a mount target.
    type: list
    elements: str
  replication_region:
    description:
      - Region to which EFS copies every change within minutes. The copy is a file system of its own there, for reading only, named after
        this one with C(-replica).
      - The empty string ends the replication. Where it ends, or goes to another region, the copy is removed with it.
    type: str
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.plan.tags
  - wordpress_ha.aws.plan.wait
"""

EXAMPLES = r"""
- name: Keep the shared files
  wordpress_ha.aws.efs_file_system:
    name: blog-files
    throughput_mode: elastic
    subnets: "{{ network.subnets.data | map(attribute='id') }}"
    security_groups: ["{{ security_groups.groups.files }}"]
    lifecycle:
      transition_to_ia: AFTER_30_DAYS
    backup: true
    access_points:
      site: {path: /site, uid: 33, gid: 33, permissions: "0750"}
"""

RETURN = r"""
file_system_id:
  description: Id of the file system, null if there is none.
  returned: success
  type: str
arn:
  description: ARN of the file system, null if there is none.
  returned: success
  type: str
dns_name:
  description: Name that resolves to the mount target of the client's own zone, null if there is no file system.
  returned: success
  type: str
throughput_mode:
  description: Throughput mode, null if there is no file system.
  returned: success
  type: str
replica:
  description: The copy in another region, with C(region) and C(file_system_id); null if there is none.
  returned: success
  type: dict
mount_targets:
  description: Mount targets, sorted by zone, each with C(id), C(subnet_id), C(ip_address) and C(az).
  returned: success
  type: list
  elements: dict
access_points:
  description: Access points by short name, each with C(id), C(arn) and C(path).
  returned: success
  type: dict
actions:
  description: What was or would be done, in order; every item has C(action), C(resource), C(before) and C(after).
  returned: success
  type: list
  elements: dict
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils._aws import main as run
from ansible_collections.wordpress_ha.aws.plugins.module_utils._file_system import LIFECYCLE_SPEC, FileSystem


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str"},
            "file_system_id": {"type": "str"},
            "encrypted": {"type": "bool", "default": True},
            "kms_key_id": {"type": "str"},
            "performance_mode": {"type": "str", "choices": ["generalPurpose", "maxIO"]},
            "throughput_mode": {"type": "str", "choices": ["elastic", "bursting", "provisioned"]},
            "provisioned_throughput": {"type": "float"},
            "subnets": {"type": "list", "elements": "str"},
            "purge_mount_targets": {"type": "bool", "default": False},
            "security_groups": {"type": "list", "elements": "str"},
            "access_points": {"type": "dict"},
            "purge_access_points": {"type": "bool", "default": False},
            "lifecycle": {"type": "dict", "options": LIFECYCLE_SPEC},
            "backup": {"type": "bool"},
            "tls_only": {"type": "bool"},
            "clients": {"type": "list", "elements": "str"},
            "replication_region": {"type": "str"},
            "wait_timeout": {"type": "int", "default": 600},
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
        },
        required_one_of=[("name", "file_system_id")],
        mutually_exclusive=[("name", "file_system_id")],
        supports_check_mode=True,
    )
    run(module, FileSystem)


if __name__ == "__main__":
    main()
