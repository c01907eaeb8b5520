# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""efs_file_system: file system, mount targets and access points as one unit."""

from __future__ import annotations

import json

import boto3
import contract
import pytest
from moto.efs.models import EFSBackend
from moto.efs.responses import EFSResponse

from ansible_collections.wordpress_ha.aws.plugins.modules import efs_file_system as module

PARAMS = {
    "name": "blog-files",
    "throughput_mode": "elastic",
    "access_points": {"site": {"path": "/site", "uid": 33, "gid": 33, "permissions": "0750"}},
    "lifecycle": {"transition_to_ia": "AFTER_30_DAYS", "transition_to_primary": "AFTER_1_ACCESS"},
    "backup": True,
    "tags": {"wordpress_ha:stack": "blog"},
}


@pytest.fixture(autouse=True)
def calls_that_moto_lacks(monkeypatch):
    """moto 5.2.5 has neither UpdateFileSystem nor PutBackupPolicy."""

    def update_file_system(self):
        parameters = json.loads(self.body)
        file_system = self.efs_backend.file_systems_by_id[self.path.rsplit("/", maxsplit=1)[-1]]
        file_system.throughput_mode = parameters["ThroughputMode"]
        file_system.provisioned_throughput_in_mibps = parameters.get("ProvisionedThroughputInMibps")
        return json.dumps(file_system.info_json()), {"status": 202, "Content-Type": "application/json"}

    def put_backup_policy(self):
        file_system = self.efs_backend.file_systems_by_id[self.path.split("/")[-2]]
        file_system._backup = json.loads(self.body)["BackupPolicy"]["Status"] == "ENABLED"
        return json.dumps({"BackupPolicy": file_system.backup_policy}), {"Content-Type": "application/json"}

    monkeypatch.setattr(EFSResponse, "update_file_system", update_file_system, raising=False)
    monkeypatch.setattr(EFSResponse, "put_backup_policy", put_backup_policy, raising=False)


def two_zones():
    ec2 = boto3.client("ec2", region_name="us-east-1")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{index}.0/24", AvailabilityZone=f"us-east-1{zone}")
        for index, zone in enumerate("ab")
    ]
    groups = [
        ec2.create_security_group(GroupName=name, Description="x", VpcId=vpc)["GroupId"] for name in ("one", "two")
    ]
    return {"subnets": [subnet["Subnet"]["SubnetId"] for subnet in subnets], "security_groups": groups}


def test_keeps_the_contract(aws):
    params = {**PARAMS, **two_zones()}
    modified = {
        **params,
        "throughput_mode": "provisioned",
        "provisioned_throughput": 10,
        "security_groups": params["security_groups"][:1],
        "lifecycle": {"transition_to_ia": "AFTER_7_DAYS"},
        "backup": False,
        "access_points": {"other": {"path": "/other", "uid": 0, "gid": 0}},
        "purge_access_points": True,
        "tags": {**params["tags"], "owner": "me"},
    }

    def left() -> list[dict]:
        return list(aws("efs").describe_file_systems()["FileSystems"])

    facts = contract.keep(module, params, modified, left=left).facts
    assert facts["dns_name"] == f"{facts['file_system_id']}.efs.us-east-1.amazonaws.com"
    assert [target["az"] for target in facts["mount_targets"]] == ["us-east-1a", "us-east-1b"]
    assert facts["access_points"]["site"]["path"] == "/site"


def test_survives_a_kill_between_any_two_calls():
    assert contract.survive_kills(module, PARAMS, two_zones) == 9


def test_what_is_sent_at_creation(aws):
    outcome = contract.succeed(module, {**PARAMS, **two_zones()})
    (sent,) = outcome.sent("CreateFileSystem")
    assert (sent["CreationToken"], sent["Encrypted"], sent["Backup"], sent["ThroughputMode"]) == (
        "blog-files",
        True,
        True,
        "elastic",
    )
    assert {tag["Key"]: tag["Value"] for tag in sent["Tags"]} == {"Name": "blog-files", "wordpress_ha:stack": "blog"}
    (point,) = outcome.sent("CreateAccessPoint")
    assert point["PosixUser"] == {"Uid": 33, "Gid": 33}
    assert point["ClientToken"] == "blog-files-site"


def test_unset_options_are_left_alone(aws):
    contract.succeed(module, {**PARAMS, **two_zones()})
    outcome = contract.converge(module, {"name": "blog-files"}, changed=False)
    assert len(outcome.facts["mount_targets"]) == 2
    assert set(outcome.facts["access_points"]) == {"site"}
    # Even the purges say nothing about lists that are not given.
    purging = {"name": "blog-files", "purge_mount_targets": True, "purge_access_points": True}
    contract.converge(module, purging, changed=False)


def test_mount_targets_are_purged_only_on_request(aws):
    params = {**PARAMS, **two_zones()}
    contract.succeed(module, params)
    fewer = {**params, "subnets": params["subnets"][:1]}
    contract.converge(module, fewer, changed=False)
    assert len(contract.converge(module, {**fewer, "purge_mount_targets": True}).facts["mount_targets"]) == 1


def test_a_mount_target_that_is_coming_up_is_waited_for(aws, monkeypatch):
    states = iter(["creating", "creating", "creating", "creating"])
    describe = EFSBackend.describe_mount_targets

    def slow(self, **arguments):
        result = describe(self, **arguments)
        for target in result[1]:
            target.life_cycle_state = next(states, "available")
        return result

    params = {**PARAMS, **two_zones()}
    contract.succeed(module, params)
    monkeypatch.setattr(EFSBackend, "describe_mount_targets", slow)
    outcome = contract.succeed(module, params)
    assert outcome.result["changed"] is False
    assert len([call for call in outcome.calls if call.action == "DescribeMountTargets"]) >= 2


def test_predicts_with_subnets_that_do_not_exist_yet(aws):
    unknown = "(known after apply)"
    outcome = contract.succeed(
        module, {**PARAMS, "subnets": [unknown, unknown], "security_groups": [unknown]}, check=True
    )
    assert [target["subnet_id"] for target in outcome.facts["mount_targets"]] == [unknown, unknown]
    assert outcome.facts["dns_name"] == f"{unknown}.efs.us-east-1.amazonaws.com"


def test_what_aws_cannot_change_is_refused(aws):
    contract.succeed(module, PARAMS)
    contract.refuse(module, {**PARAMS, "encrypted": False}, "encrypted of file_system/blog-files", "True", "False")
    moved = {"site": {"path": "/elsewhere", "uid": 33, "gid": 33, "permissions": "0750"}}
    contract.refuse(module, {**PARAMS, "access_points": moved}, "path of access_point/site", "/site", "/elsewhere")


def test_another_stacks_file_system_is_left_alone(aws):
    contract.succeed(module, PARAMS)
    contract.refuse(module, {**PARAMS, "tags": {"wordpress_ha:stack": "shop"}}, "'blog'", "'shop'")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"throughput_mode": "provisioned"}, ["throughput_mode", "provisioned_throughput"]),
        ({"provisioned_throughput": 5}, ["throughput_mode", "provisioned_throughput"]),
        ({"kms_key_id": "arn", "encrypted": False}, ["kms_key_id", "encrypted"]),
        ({"lifecycle": {"transition_to_ia": "30 days"}}, ["lifecycle.transition_to_ia", "30 days", "AFTER_30_DAYS"]),
        ({"access_points": {"a": {"path": "/a"}}}, ["access_points.a", "uid"]),
        ({"access_points": {"a": {"path": "a", "uid": 1, "gid": 1}}}, ["access_points.a.path", "slash"]),
        (
            {"access_points": {"a": {"path": "/a", "uid": 1, "gid": 1, "permissions": "rwx"}}},
            ["access_points.a.permissions"],
        ),
        ({"security_groups": list("abcdef")}, ["security_groups", "6", "five"]),
        ({"subnets": ["subnet-1", "subnet-1"]}, ["subnets", "twice"]),
        ({"name": "x" * 65}, ["name", "64"]),
    ],
)
def test_refuses_before_any_write(aws, change, words):
    contract.refuse(module, {**PARAMS, **change}, *words)
