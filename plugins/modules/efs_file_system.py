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
  - Owns a file system, one mount target per subnet, access points, lifecycle and backup policy.
  - M(community.aws.efs) has no elastic throughput, archive class, access points, backup policy or check mode, and uses tag calls that AWS
    has deprecated. This module can be retired once upstream has them.
  - The file system is found by its creation token, which is O(name).
  - With O(state=absent) all files are lost.
options:
  name:
    description: Name, and creation token, of the file system. At most 64 characters.
    type: str
    required: true
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
    description: V(elastic) needs no planning and is paid by use; V(bursting) grows with the size; V(provisioned) is fixed.
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

import re
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws, _owned, _plan
from ansible_collections.wordpress_ha.aws.plugins.module_utils._network import PART_TAG

POINT_SPEC = {
    "path": {"type": "str", "required": True},
    "uid": {"type": "int", "required": True},
    "gid": {"type": "int", "required": True},
    "permissions": {"type": "str", "default": "0755"},
}
LIFECYCLE_SPEC = {
    "transition_to_ia": {"type": "str"},
    "transition_to_archive": {"type": "str"},
    "transition_to_primary": {"type": "str", "choices": ["AFTER_1_ACCESS"]},
}
LIFECYCLE = {
    "transition_to_ia": "TransitionToIA",
    "transition_to_archive": "TransitionToArchive",
    "transition_to_primary": "TransitionToPrimaryStorageClass",
}
AGE = re.compile(r"AFTER_\d+_DAYS?")
GONE = ("deleting", "deleted")


class FileSystem(_aws.Planned):
    """``file_system/<name>``, ``mount_target/<subnet id>`` and ``access_point/<short name>``."""

    order = ("file_system", "mount_target", "access_point")
    immutable = {
        "file_system": ("encrypted", "kms_key_id", "performance_mode"),
        "access_point": ("path", "uid", "gid", "permissions"),
    }

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.name = self.params["name"]
        self.key = f"file_system/{self.name}"
        self.points = _aws.checked_items("access_points", self.params["access_points"], POINT_SPEC)
        self.deleting = False
        purges = {"mount_target": "purge_mount_targets", "access_point": "purge_access_points"}
        self.purge = [kind for kind, option in purges.items() if self.params[option]]
        self._check()
        self.api = self.client("efs", retried=["IncorrectFileSystemLifeCycleState"])

    def _check(self) -> None:
        params = self.params
        if not 1 <= len(self.name) <= 64:
            raise _plan.Refused(f"name is {self.name!r}: give 1 to 64 characters.")
        if (params["throughput_mode"] == "provisioned") != (params["provisioned_throughput"] is not None):
            raise _plan.Refused(
                f"throughput_mode is {params['throughput_mode']} and provisioned_throughput is "
                f"{params['provisioned_throughput']}: give the latter exactly with throughput_mode provisioned."
            )
        if params["kms_key_id"] and not params["encrypted"]:
            raise _plan.Refused(
                "kms_key_id is given and encrypted is false: set encrypted to true, or leave the key out."
            )
        if len(params["security_groups"] or ["one"]) not in range(1, 6):
            raise _plan.Refused(f"security_groups has {len(params['security_groups'])} groups: AWS allows one to five.")
        known = [subnet for subnet in params["subnets"] or [] if _plan.is_known(subnet)]
        if len(set(known)) != len(known):
            raise _plan.Refused(f"subnets names a subnet twice ({', '.join(known)}): name each once.")
        for name, age in (params["lifecycle"] or {}).items():
            if age and name != "transition_to_primary" and not AGE.fullmatch(age):
                raise _plan.Refused(f"lifecycle.{name} is {age!r}: give an age such as AFTER_30_DAYS.")
        for name, point in self.points.items():
            if not point["path"].startswith("/"):
                raise _plan.Refused(f"access_points.{name}.path is {point['path']!r}: begin it with a slash.")
            if not re.fullmatch(r"[0-7]{3,4}", point["permissions"]):
                raise _plan.Refused(
                    f"access_points.{name}.permissions is {point['permissions']!r}: give octal digits in quotes."
                )

    # Reading

    def _pages(self, operation: str, items: str, **arguments: Any) -> list[dict[str, Any]]:
        """Return all pages of a listing; EFS calls the token by two pairs of names."""
        result: list[dict[str, Any]] = []
        token: dict[str, Any] = {}
        while True:
            page = getattr(self.api, operation)(aws_retry=True, **arguments, **token)
            result += page[items]
            if page.get("NextMarker"):
                token = {"Marker": page["NextMarker"]}
            elif page.get("NextToken"):
                token = {"NextToken": page["NextToken"]}
            else:
                return result

    def _found(self) -> dict[str, Any] | None:
        return next(iter(self._pages("describe_file_systems", "FileSystems", CreationToken=self.name)), None)

    def read(self) -> _plan.Tree:
        found = self._found()
        if found is None:
            return {}
        if found["LifeCycleState"] in GONE:
            self.deleting = True
            return {}
        tags = _aws.tags_to_dict(found.get("Tags"))
        _owned.refuse_foreign(
            f"The file system {self.name}", tags, self.params["tags"], self.params["state"] == "absent"
        )
        file_system = found["FileSystemId"]
        tree: _plan.Tree = {
            self.key: {
                "id": file_system,
                "arn": found["FileSystemArn"],
                "encrypted": found.get("Encrypted", False),
                "kms_key_id": found.get("KmsKeyId"),
                "performance_mode": found["PerformanceMode"],
                "throughput_mode": found.get("ThroughputMode"),
                "provisioned_throughput": found.get("ProvisionedThroughputInMibps") or None,
                "lifecycle": self._read_lifecycle(file_system),
                "backup": self._read_backup(file_system),
                "tags": tags,
            }
        }
        for target in self._pages("describe_mount_targets", "MountTargets", FileSystemId=file_system):
            if target["LifeCycleState"] not in GONE:
                asked = self.api.describe_mount_target_security_groups(
                    MountTargetId=target["MountTargetId"], aws_retry=True
                )
                fields = {**_target_fields(target), "security_groups": sorted(asked["SecurityGroups"])}
                tree[f"mount_target/{target['SubnetId']}"] = fields
        for point in self._pages("describe_access_points", "AccessPoints", FileSystemId=file_system):
            part = _aws.tags_to_dict(point.get("Tags")).get(PART_TAG)
            if part and point["LifeCycleState"] not in GONE:
                tree[f"access_point/{part}"] = _point_fields(point)
        return tree

    def _read_lifecycle(self, file_system: str) -> dict[str, str]:
        policies = self.api.describe_lifecycle_configuration(FileSystemId=file_system, aws_retry=True)[
            "LifecyclePolicies"
        ]
        merged = {name: value for policy in policies for name, value in policy.items()}
        return {name: merged[theirs] for name, theirs in LIFECYCLE.items() if theirs in merged}

    def _read_backup(self, file_system: str) -> bool:
        try:
            policy = self.api.describe_backup_policy(FileSystemId=file_system, aws_retry=True)["BackupPolicy"]
        except is_boto3_error_code("PolicyNotFound"):
            return False
        return policy["Status"] in ("ENABLED", "ENABLING")

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        params = self.params
        fields = ("encrypted", "kms_key_id", "performance_mode", "throughput_mode", "provisioned_throughput", "backup")
        wanted: _plan.Fields = {name: params[name] for name in fields}
        if params["lifecycle"] is not None:
            wanted["lifecycle"] = {name: value for name, value in params["lifecycle"].items() if value}
        now = current.get(self.key, {}).get("tags")
        wanted["tags"] = _owned.wanted_tags(self.name, now, params["tags"], params["purge_tags"])
        tree: _plan.Tree = {self.key: wanted}
        groups = None if params["security_groups"] is None else sorted(params["security_groups"])
        for number, subnet in enumerate(params["subnets"] or [], start=1):
            # Subnets that do not exist yet all read the same.
            name = subnet if _plan.is_known(subnet) else f"{subnet} {number}"
            tree[f"mount_target/{name}"] = {"security_groups": groups}
        if params["subnets"] is None:
            tree.update({key: {"security_groups": groups} for key in current if _plan.kind_of(key) == "mount_target"})
        tree.update({f"access_point/{name}": dict(point) for name, point in self.points.items()})
        if params["access_points"] is None:
            tree.update({key: {} for key in current if _plan.kind_of(key) == "access_point"})
        return tree

    # Writing

    def handlers(self) -> dict[str, _plan.Handler]:
        return {
            "create file_system": self._create,
            "update file_system": self._update,
            "delete file_system": self._delete,
            "create mount_target": self._create_target,
            "update mount_target": self._update_target,
            "delete mount_target": self._delete_target,
            "create access_point": self._create_point,
            "delete access_point": self._delete_point,
        }

    def _wait(self, what: str, probe: Any) -> None:
        _aws.wait_for(self.module, what, probe, self.params["wait_timeout"], delay=3)

    def _available(self) -> bool:
        return (self._found() or {}).get("LifeCycleState") == "available"

    def _create(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        if self.deleting:
            self._wait(f"the removed file system {self.name} to be gone", lambda: self._found() is None)
        after = change.after
        options = {
            "KmsKeyId": after.get("kms_key_id"),
            "PerformanceMode": after.get("performance_mode"),
            "ThroughputMode": after.get("throughput_mode"),
            "ProvisionedThroughputInMibps": after.get("provisioned_throughput"),
            "Backup": after.get("backup"),
        }
        made = self.api.create_file_system(
            CreationToken=self.name,
            Encrypted=after["encrypted"],
            Tags=_aws.tags_to_list({"Name": self.name, **(after.get("tags") or {})}),
            aws_retry=True,
            **{name: value for name, value in options.items() if value is not None},
        )
        self._wait(f"the file system {self.name} to become available", self._available)
        if after.get("lifecycle"):
            self._put_lifecycle(made["FileSystemId"], after["lifecycle"])
        return {"id": made["FileSystemId"], "arn": made["FileSystemArn"]}

    def _put_lifecycle(self, file_system: str, lifecycle: dict[str, str]) -> None:
        policies = [{LIFECYCLE[name]: value} for name, value in lifecycle.items()]
        self.api.put_lifecycle_configuration(FileSystemId=file_system, LifecyclePolicies=policies, aws_retry=True)

    def _update(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        file_system, after = tree[self.key]["id"], change.after
        if {"throughput_mode", "provisioned_throughput"} & set(after):
            throughput = {"ThroughputMode": self.params["throughput_mode"]}
            if self.params["provisioned_throughput"]:
                throughput["ProvisionedThroughputInMibps"] = self.params["provisioned_throughput"]
            self.api.update_file_system(FileSystemId=file_system, aws_retry=True, **throughput)
            self._wait(f"the file system {self.name} to take its new throughput", self._available)
        if "lifecycle" in after:
            self._put_lifecycle(file_system, after["lifecycle"])
        if "backup" in after:
            status = {"Status": "ENABLED" if after["backup"] else "DISABLED"}
            self.api.put_backup_policy(FileSystemId=file_system, BackupPolicy=status, aws_retry=True)
        if "tags" in after:
            setting, removing = _owned.tag_changes(change.before["tags"], after["tags"])
            if setting:
                self.api.tag_resource(ResourceId=file_system, Tags=_aws.tags_to_list(setting), aws_retry=True)
            if removing:
                self.api.untag_resource(ResourceId=file_system, TagKeys=removing, aws_retry=True)
        return {}

    def _delete(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        file_system = change.before["id"]

        def unmounted() -> bool:
            return not self._pages("describe_mount_targets", "MountTargets", FileSystemId=file_system)

        self._wait(f"the mount targets of {self.name} to be gone", unmounted)
        self.api.delete_file_system(FileSystemId=file_system, aws_retry=True)
        self._wait(f"the file system {self.name} to be gone", lambda: self._found() is None)
        return {}

    def _create_target(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        groups = {"SecurityGroups": change.after["security_groups"]} if change.after.get("security_groups") else {}
        made = self.api.create_mount_target(
            FileSystemId=tree[self.key]["id"], SubnetId=change.name, aws_retry=True, **groups
        )
        return _target_fields(made)

    def _update_target(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        target, groups = tree[change.key]["id"], change.after["security_groups"]
        self.api.modify_mount_target_security_groups(MountTargetId=target, SecurityGroups=groups, aws_retry=True)
        return {}

    def _delete_target(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self.api.delete_mount_target(MountTargetId=change.before["id"], aws_retry=True)
        return {}

    def _create_point(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        after, name = change.after, f"{self.name}-{change.name}"
        tags = {**(self.params["tags"] or {}), "Name": name, PART_TAG: change.name}
        made = self.api.create_access_point(
            ClientToken=name[:64],
            FileSystemId=tree[self.key]["id"],
            PosixUser={"Uid": after["uid"], "Gid": after["gid"]},
            RootDirectory={
                "Path": after["path"],
                "CreationInfo": {
                    "OwnerUid": after["uid"],
                    "OwnerGid": after["gid"],
                    "Permissions": after["permissions"],
                },
            },
            Tags=_aws.tags_to_list(tags),
            aws_retry=True,
        )
        return _point_fields(made)

    def _delete_point(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self.api.delete_access_point(AccessPointId=change.before["id"], aws_retry=True)
        return {}

    def settle(self, tree: _plan.Tree) -> _plan.Tree:
        """Wait for mount targets; they were all created before, so they come up side by side."""
        coming = [
            key
            for key, fields in tree.items()
            if _plan.kind_of(key) == "mount_target" and fields["state"] != "available"
        ]
        if coming:
            asked = {"FileSystemId": tree[self.key]["id"]}

            def mountable() -> bool:
                states = {
                    one["LifeCycleState"] for one in self._pages("describe_mount_targets", "MountTargets", **asked)
                }
                return states <= {"available", *GONE}

            self._wait(f"the mount targets of {self.name} to become available", mountable)
        return tree

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        found = tree.get(self.key)
        file_system = None if found is None else found.get("id", _plan.UNKNOWN)
        suffix = "amazonaws.com.cn" if str(self.module.region).startswith("cn-") else "amazonaws.com"
        targets, points = [], {}
        for key, fields in sorted(tree.items()):
            if _plan.kind_of(key) == "mount_target":
                known = {name: fields.get(name, _plan.UNKNOWN) for name in ("id", "ip_address", "az")}
                subnet = fields.get("subnet_id", _plan.name_of(key))
                targets.append({**known, "subnet_id": subnet if _plan.is_known(subnet) else _plan.UNKNOWN})
            elif _plan.kind_of(key) == "access_point":
                points[_plan.name_of(key)] = {name: fields.get(name, _plan.UNKNOWN) for name in ("id", "arn", "path")}
        return {
            "file_system_id": file_system,
            "arn": None if found is None else found.get("arn", _plan.UNKNOWN),
            "dns_name": file_system and f"{file_system}.efs.{self.module.region}.{suffix}",
            "mount_targets": sorted(targets, key=lambda target: (target["az"], target["subnet_id"])),
            "access_points": points,
        }


def _target_fields(target: dict[str, Any]) -> _plan.Fields:
    return {
        "id": target["MountTargetId"],
        "subnet_id": target["SubnetId"],
        "ip_address": target["IpAddress"],
        "az": target["AvailabilityZoneName"],
        "state": target["LifeCycleState"],
    }


def _point_fields(point: dict[str, Any]) -> _plan.Fields:
    owner = point["RootDirectory"].get("CreationInfo", {})
    return {
        "id": point["AccessPointId"],
        "arn": point["AccessPointArn"],
        "path": point["RootDirectory"]["Path"],
        "uid": point.get("PosixUser", {}).get("Uid"),
        "gid": point.get("PosixUser", {}).get("Gid"),
        "permissions": owner.get("Permissions"),
    }


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
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
            "wait_timeout": {"type": "int", "default": 600},
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
        },
        supports_check_mode=True,
    )
    _aws.main(module, FileSystem)


if __name__ == "__main__":
    main()
