# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource family of the module efs_file_system."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from . import _aws, _file_policy, _owned, _plan
from ._file_replica import REPLICA_TAG, Replicas
from ._network import PART_TAG

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
#: Ages after which EFS can move a file, in days.
AGES = (1, 7, 14, 30, 60, 90, 180, 270, 365)
AGE = re.compile(rf"AFTER_({'|'.join(map(str, AGES))})_DAYS?")
PRINCIPAL = re.compile(r"arn:aws[a-z-]*:(iam|sts)::\d{12}:(root|(user|role|assumed-role)/.+)")
GONE = ("deleting", "deleted")


class FileSystem(Replicas):
    """``file_system/<name>``, ``mount_target/<subnet id>``, ``access_point/<short name>`` and ``replica/<region>``."""

    order = ("file_system", "mount_target", "access_point", "replica")
    immutable = {
        "file_system": ("encrypted", "kms_key_id", "performance_mode"),
        "access_point": ("path", "uid", "gid", "permissions"),
    }

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.name = self.params["name"] or self.params["file_system_id"]
        self.key = f"file_system/{self.name}"
        self.points = _aws.checked_items("access_points", self.params["access_points"], POINT_SPEC)
        self.deleting = False
        purges = {"mount_target": "purge_mount_targets", "access_point": "purge_access_points"}
        self.purge = ["replica", *(kind for kind, option in purges.items() if self.params[option])]
        self._check()
        self.api = self.client("efs", retried=["IncorrectFileSystemLifeCycleState"])

    def _check(self) -> None:
        params = self.params
        if not 1 <= len(self.name) <= 64:
            raise _plan.Refused(f"name is {self.name!r}: give 1 to 64 characters.")
        if params["file_system_id"] and params["state"] != "gathered":
            raise _plan.Refused(
                f"file_system_id is {params['file_system_id']} and state is {params['state']}: a file system that is not ours is "
                "only looked at. Set state to gathered, or give name."
            )
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
        self._check_lifecycle()
        for client in params["clients"] or []:
            if _plan.is_known(client) and not PRINCIPAL.fullmatch(client):
                raise _plan.Refused(f"clients has {client!r}: give ARNs of IAM roles, users or accounts.")
        if params["clients"] and params["tls_only"] is not True:
            raise _plan.Refused(f"clients is {params['clients']} and tls_only is {params['tls_only']}: set it to true.")
        for name, point in self.points.items():
            if not point["path"].startswith("/"):
                raise _plan.Refused(f"access_points.{name}.path is {point['path']!r}: begin it with a slash.")
            if not re.fullmatch(r"[0-7]{3,4}", point["permissions"]):
                raise _plan.Refused(
                    f"access_points.{name}.permissions is {point['permissions']!r}: give octal digits in quotes."
                )

    def _check_lifecycle(self) -> None:
        params = self.params
        days = {}
        for name, age in (params["lifecycle"] or {}).items():
            found = AGE.fullmatch(age or "")
            if age and name != "transition_to_primary" and not found:
                raise _plan.Refused(
                    f"lifecycle.{name} is {age!r}: give an age such as AFTER_30_DAYS; EFS knows {', '.join(map(str, AGES))} days."
                )
            days[name] = int(found.group(1)) if found else 0
        archive = days.get("transition_to_archive", 0)
        if archive and params["throughput_mode"] not in (None, "elastic"):
            raise _plan.Refused(
                f"lifecycle.transition_to_archive is {params['lifecycle']['transition_to_archive']} and throughput_mode is "
                f"{params['throughput_mode']}: EFS archives with elastic throughput only. Leave one of them out."
            )
        if archive and days.get("transition_to_ia", 0) >= archive:
            raise _plan.Refused(
                f"lifecycle.transition_to_ia is {params['lifecycle']['transition_to_ia']} and lifecycle.transition_to_archive is "
                f"{params['lifecycle']['transition_to_archive']}: files go to Infrequent Access first. Give it the lower age."
            )

    # Reading

    def _found(self) -> dict[str, Any] | None:
        return next(iter(self._pages("describe_file_systems", "FileSystems", CreationToken=self.name)), None)

    def _given(self) -> dict[str, Any]:
        """Return the file system that was given by its id, if nodes in the subnets can mount it."""
        name = self.params["file_system_id"]
        try:
            (found,) = self._pages("describe_file_systems", "FileSystems", FileSystemId=name)
        except is_boto3_error_code("FileSystemNotFound"):
            raise _plan.Refused(
                f"file_system_id is {name}: this region has no such file system. Give another."
            ) from None
        if found["LifeCycleState"] not in ("available", "updating"):
            raise _plan.Refused(
                f"file_system_id is {name}: it is {found['LifeCycleState']}. Give one that is available."
            )
        return dict(found)

    def _refuse_unmountable(self, targets: list[dict[str, Any]]) -> None:
        """Raise C(Refused) unless every zone of the subnets has a mount target, in their own VPC."""
        subnets = [subnet for subnet in self.params["subnets"] or [] if _plan.is_known(subnet)]
        if not subnets:
            return
        name = self.params["file_system_id"]
        reachable = {(target.get("VpcId"), target["AvailabilityZoneName"]) for target in targets}
        for subnet in self.client("ec2").describe_subnets(SubnetIds=subnets, aws_retry=True)["Subnets"]:
            if (subnet["VpcId"], subnet["AvailabilityZone"]) not in reachable:
                raise _plan.Refused(
                    f"file_system_id is {name}: it has no mount target in the zone {subnet['AvailabilityZone']} of the subnet "
                    f"{subnet['SubnetId']} in {subnet['VpcId']}, only in {_places(reachable)}. Add one there, or give another "
                    "file system."
                )

    def read(self) -> _plan.Tree:
        given = self.params["file_system_id"]
        found = self._given() if given else self._found()
        if found is None:
            return {}
        if found["LifeCycleState"] in GONE:
            self.deleting = True
            return {}
        tags = _aws.tags_to_dict(found.get("Tags"))
        replica_region = tags.pop(REPLICA_TAG, None)
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
                "tags": tags,
                **self._read_settings(file_system, found["FileSystemArn"]),
            }
        }
        targets = [
            target
            for target in self._pages("describe_mount_targets", "MountTargets", FileSystemId=file_system)
            if target["LifeCycleState"] not in GONE
        ]
        if given:
            self._refuse_unmountable(targets)
        for target in targets:
            tree[f"mount_target/{target['SubnetId']}"] = {**_target_fields(target), **self._read_groups(target)}
        for point in self._pages("describe_access_points", "AccessPoints", FileSystemId=file_system):
            part = _aws.tags_to_dict(point.get("Tags")).get(PART_TAG)
            if part and point["LifeCycleState"] not in GONE:
                tree[f"access_point/{part}"] = _point_fields(point)
        if not given:
            tree.update(self._read_replica(file_system, replica_region))
        return tree

    def _wants(self, option: str) -> bool:
        """Tell whether an option is to be compared; what nobody asks for is not read either."""
        return self.params["state"] == "present" and self.params[option] is not None

    def _read_settings(self, file_system: str, arn: str) -> _plan.Fields:
        settings: _plan.Fields = {}
        if self._wants("lifecycle"):
            settings["lifecycle"] = self._read_lifecycle(file_system)
        if self._wants("backup"):
            settings["backup"] = self._read_backup(file_system)
        if self._wants("tls_only"):
            settings.update(_file_policy.fields(self._read_policy(file_system), arn))
        return settings

    def _read_groups(self, target: dict[str, Any]) -> _plan.Fields:
        if not self._wants("security_groups"):
            return {}
        asked = self.api.describe_mount_target_security_groups(MountTargetId=target["MountTargetId"], aws_retry=True)
        return {"security_groups": sorted(asked["SecurityGroups"])}

    def _read_policy(self, file_system: str) -> str | None:
        try:
            return str(self.api.describe_file_system_policy(FileSystemId=file_system, aws_retry=True)["Policy"])
        except is_boto3_error_code("PolicyNotFound"):
            return None

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
        known = current.get(self.key, {})
        if params["tls_only"] or (params["tls_only"] is False and known.get("tls_only") != _file_policy.OTHER):
            wanted["tls_only"] = params["tls_only"]
            wanted["clients"] = sorted(params["clients"] or [])
        now = known.get("tags")
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
        tree.update(self._wanted_replica(current))
        return tree

    # Writing

    def _available(self) -> bool:
        return (self._found() or {}).get("LifeCycleState") == "available"

    def _create_file_system(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
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
        if after.get("tls_only"):
            self._put_policy(made["FileSystemId"], made["FileSystemArn"], after)
        return {"id": made["FileSystemId"], "arn": made["FileSystemArn"]}

    def _put_lifecycle(self, file_system: str, lifecycle: dict[str, str]) -> None:
        policies = [{LIFECYCLE[name]: value} for name, value in lifecycle.items()]
        self.api.put_lifecycle_configuration(FileSystemId=file_system, LifecyclePolicies=policies, aws_retry=True)

    def _put_policy(self, file_system: str, arn: str, wanted: _plan.Fields) -> None:
        if wanted["tls_only"]:
            policy = json.dumps(_file_policy.document(arn, wanted["clients"]))
            self.api.put_file_system_policy(FileSystemId=file_system, Policy=policy, aws_retry=True)
        else:
            self.api.delete_file_system_policy(FileSystemId=file_system, aws_retry=True)

    def _update_file_system(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
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
        if {"tls_only", "clients"} & set(after):
            self._put_policy(file_system, tree[self.key]["arn"], {**tree[self.key], **after})
        if "tags" in after:
            setting, removing = _owned.tag_changes(change.before["tags"], after["tags"])
            if setting:
                self.api.tag_resource(ResourceId=file_system, Tags=_aws.tags_to_list(setting), aws_retry=True)
            if removing:
                self.api.untag_resource(ResourceId=file_system, TagKeys=removing, aws_retry=True)
        return {}

    def _delete_file_system(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        file_system = change.before["id"]

        def unmounted() -> bool:
            return not self._pages("describe_mount_targets", "MountTargets", FileSystemId=file_system)

        self._wait(f"the mount targets of {self.name} to be gone", unmounted)
        self.api.delete_file_system(FileSystemId=file_system, aws_retry=True)
        self._wait(f"the file system {self.name} to be gone", lambda: self._found() is None)
        return {}

    def _create_mount_target(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        groups = {"SecurityGroups": change.after["security_groups"]} if change.after.get("security_groups") else {}
        made = self.api.create_mount_target(
            FileSystemId=tree[self.key]["id"], SubnetId=change.name, aws_retry=True, **groups
        )
        return _target_fields(made)

    def _update_mount_target(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        target, groups = tree[change.key]["id"], change.after["security_groups"]
        self.api.modify_mount_target_security_groups(MountTargetId=target, SecurityGroups=groups, aws_retry=True)
        return {}

    def _delete_mount_target(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self.api.delete_mount_target(MountTargetId=change.before["id"], aws_retry=True)
        return {}

    def _create_access_point(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
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

    def _delete_access_point(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
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
            "throughput_mode": None if found is None else found.get("throughput_mode") or _plan.UNKNOWN,
            "replica": self._replica_fact(tree),
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


def _places(reachable: set[tuple[Any, Any]]) -> str:
    return ", ".join(sorted(f"{zone} of {vpc}" for vpc, zone in reachable)) or "no zone at all"
