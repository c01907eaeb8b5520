# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""efs_file_system: policy, the copy in another region, and a file system that somebody else keeps; what moto alone cannot do."""

from __future__ import annotations

import json
from typing import Any

import boto3
import contract
import pytest

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _file_policy, _file_replica
from ansible_collections.wordpress_ha.aws.plugins.modules import efs_file_system as module

FAR = "eu-west-1"
ROLE = "arn:aws:iam::123456789012:role/blog-web"
TAGS = {"wordpress_ha:stack": "blog"}


def network(ec2: Any) -> dict[str, Any]:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{index}.0/24", AvailabilityZone=f"us-east-1{zone}")
        for index, zone in enumerate("abc")
    ]
    group = ec2.create_security_group(GroupName="files", Description="x", VpcId=vpc)["GroupId"]
    return {"subnets": [one["Subnet"]["SubnetId"] for one in subnets], "security_groups": [group]}


@pytest.fixture
def params(emulated: Any) -> dict[str, Any]:
    return {
        "name": "blog-files",
        "throughput_mode": "elastic",
        "lifecycle": {"transition_to_ia": "AFTER_30_DAYS", "transition_to_archive": "AFTER_90_DAYS"},
        "access_points": {"site": {"path": "/site", "uid": 33, "gid": 33, "permissions": "0750"}},
        "backup": True,
        "tls_only": True,
        "replication_region": FAR,
        "tags": TAGS,
        **network(emulated("ec2")),
    }


@pytest.fixture
def far(emulated: Any) -> Any:
    """A client of the other region."""
    return there(emulated, FAR)


def there(emulated: Any, region: str) -> Any:
    return boto3.client("efs", region_name=region, endpoint_url=emulated.emulator.endpoint_url)


def test_contract(emulated, params, far):
    modified = {
        **params,
        "throughput_mode": "provisioned",
        "provisioned_throughput": 10,
        "lifecycle": {"transition_to_ia": "AFTER_7_DAYS", "transition_to_primary": "AFTER_1_ACCESS"},
        "backup": False,
        "clients": [ROLE],
        "replication_region": "eu-central-1",
        "tags": {**TAGS, "owner": "me"},
    }

    def left() -> list[Any]:
        everywhere = [emulated("efs"), far, there(emulated, "eu-central-1")]
        return [one for client in everywhere for one in client.describe_file_systems()["FileSystems"]]

    first = contract.keep(module, params, modified, left=left)
    assert first.facts["replica"]["region"] == FAR
    assert first.facts["throughput_mode"] == "elastic"


def test_the_policy_lets_nobody_in_without_tls(emulated, params):
    made = contract.succeed(module, params).facts
    text = emulated("efs").describe_file_system_policy(FileSystemId=made["file_system_id"])["Policy"]
    access, tls = json.loads(text)["Statement"]
    assert (tls["Effect"], tls["Action"], tls["Condition"]) == ("Deny", "*", {"Bool": {"aws:SecureTransport": "false"}})
    assert access["Condition"] == {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}}
    assert access["Principal"] == {"AWS": "*"}


def test_the_policy_can_name_who_may_mount_and_goes_when_it_is_given_up(emulated, params):
    contract.succeed(module, params)
    contract.converge(module, {**params, "clients": [ROLE]})
    off = contract.converge(module, {**params, "tls_only": False})
    assert off.writing == ["efs:DeleteFileSystemPolicy"]
    with pytest.raises(emulated("efs").exceptions.PolicyNotFound):
        emulated("efs").describe_file_system_policy(FileSystemId=off.facts["file_system_id"])


def test_a_foreign_policy_is_replaced_when_tls_is_asked_for_and_left_alone_otherwise(emulated, params):
    made = contract.succeed(module, {**params, "tls_only": None}).facts
    foreign = _file_policy.document(made["arn"], [])
    foreign["Statement"] = foreign["Statement"][:1]
    emulated("efs").put_file_system_policy(FileSystemId=made["file_system_id"], Policy=json.dumps(foreign))
    contract.converge(module, {**params, "tls_only": False}, changed=False)
    contract.converge(module, {**params, "tls_only": None}, changed=False)
    (change,) = contract.converge(module, params).result["actions"]
    assert change["before"]["tls_only"] == _file_policy.OTHER


def test_a_policy_changed_by_hand_is_put_right(emulated, params):
    made = contract.succeed(module, params).facts
    changed = _file_policy.document(made["arn"], [])
    changed["Statement"][1]["Action"] = "elasticfilesystem:ClientMount"
    emulated("efs").put_file_system_policy(FileSystemId=made["file_system_id"], Policy=json.dumps(changed))
    contract.converge(module, params)


def test_what_aws_writes_differently_means_the_same():
    document = _file_policy.document("arn:fs", [ROLE])
    document["Statement"][0]["Principal"]["AWS"] = ROLE  # AWS returns a list of one as its item
    document["Statement"][0]["Action"].reverse()
    assert _file_policy.fields(json.dumps(document), "arn:fs") == {"tls_only": True, "clients": [ROLE]}
    assert _file_policy.fields(json.dumps(document), "arn:other")["tls_only"] is not True


def test_the_copy_carries_our_tags_and_is_removed_with_the_replication(emulated, params, far):
    contract.succeed(module, params)
    (copy,) = far.describe_file_systems()["FileSystems"]
    tags = {tag["Key"]: tag["Value"] for tag in copy["Tags"]}
    assert tags["wordpress_ha:stack"] == "blog" and tags["Name"] == "blog-files-replica"
    contract.converge(module, {**params, "replication_region": None}, changed=False)
    contract.converge(module, {**params, "replication_region": ""})
    assert far.describe_file_systems()["FileSystems"] == []
    (source,) = emulated("efs").describe_file_systems()["FileSystems"]
    assert _file_replica.REPLICA_TAG not in [tag["Key"] for tag in source["Tags"]]


def test_a_copy_goes_to_another_region_after_the_old_one_is_gone(params):
    contract.succeed(module, params)
    moved = contract.converge(module, {**params, "replication_region": "eu-central-1"})
    assert [one["resource"] for one in moved.result["actions"]] == [f"replica/{FAR}", "replica/eu-central-1"]


def test_a_copy_whose_removal_was_cut_short_is_taken_up_again(emulated, params, far):
    made = contract.succeed(module, params).facts
    emulated("efs").delete_replication_configuration(SourceFileSystemId=made["file_system_id"])
    emulated("efs").describe_replication_configurations(FileSystemId=made["file_system_id"])
    again = contract.converge(module, params)
    assert again.facts["replica"] == made["replica"]
    assert [one["after"] for one in again.result["actions"]] == [{"replicating": True}]


def test_calls_of_a_run_without_a_change(params):
    """Five for the file system, one for each mount target; policy and copy are asked for only where they are wanted."""
    plain = {**params, "tls_only": None, "replication_region": ""}
    contract.succeed(module, plain)
    assert len(contract.succeed(module, plain).calls) == 5 + 3
    contract.succeed(module, params)
    assert len(contract.succeed(module, params).calls) == 5 + 3 + 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"clients": ["*"]}, ["clients", "'*'", "ARN"]),
        ({"tls_only": False, "clients": [ROLE]}, ["clients", "tls_only is False"]),
        ({"lifecycle": {"transition_to_ia": "AFTER_31_DAYS"}}, ["lifecycle.transition_to_ia", "31", "365"]),
        (
            {"throughput_mode": "bursting"},
            ["lifecycle.transition_to_archive is AFTER_90_DAYS", "throughput_mode is bursting"],
        ),
        (
            {"lifecycle": {"transition_to_ia": "AFTER_90_DAYS", "transition_to_archive": "AFTER_30_DAYS"}},
            ["lifecycle.transition_to_ia is AFTER_90_DAYS", "lower"],
        ),
    ],
)
def test_refuses_before_any_write(params, change, words):
    contract.refuse(module, {**params, **change}, *words)


def test_a_given_file_system_is_looked_at(emulated, params):
    mine = {**params, "tls_only": None, "replication_region": None}
    made = contract.succeed(module, mine).facts
    given = {"file_system_id": made["file_system_id"], "state": "gathered"}
    found = contract.succeed(module, {**given, "subnets": params["subnets"]})
    assert {**found.facts} == made and found.writing == []
    contract.refuse(module, {**given, "state": "present"}, "file_system_id", "gathered")
    contract.refuse(module, {**given, "state": "absent"}, "file_system_id", "gathered")


def test_a_given_file_system_must_be_mountable(emulated, params):
    fewer = {**params, "subnets": params["subnets"][:2], "tls_only": None, "replication_region": None}
    made = contract.succeed(module, fewer).facts
    given = {"file_system_id": made["file_system_id"], "state": "gathered"}
    contract.refuse(
        module,
        {**given, "subnets": params["subnets"]},
        "no mount target in the zone us-east-1c",
        params["subnets"][2],
        "us-east-1a",
    )
    elsewhere = network(emulated("ec2"))
    contract.refuse(module, {**given, "subnets": elsewhere["subnets"][:1]}, "no mount target", elsewhere["subnets"][0])
    contract.refuse(module, {**given, "file_system_id": "fs-0123456789abcdef0"}, "no such file system")


def test_survives_kills(emulated, params):
    own = {key: value for key, value in params.items() if key not in ("subnets", "security_groups")}
    assert contract.survive_kills(module, own, lambda: network(emulated("ec2"))) >= 12
