# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""aurora_cluster: the module contract, the writer that is never removed, deletion that is never careless."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import contract
import fake_service
import pytest
from moto.rds.models import RDSBackend

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aurora
from ansible_collections.wordpress_ha.aws.plugins.modules import aurora_cluster

PARAMS: dict[str, Any] = {
    "name": "blog-database",
    "security_group_ids": ["sg-b", "sg-a"],
    "instance_class": "db.t4g.medium",
    "engine_version": "8.0.mysql_aurora.3.10",
    "readers": 1,
    "database_name": "wordpress",
    "parameters": {"require_secure_transport": "ON", "wait_timeout": 300},
    "deletion_protection": False,
    "skip_final_snapshot": True,
    "log_exports": ["error"],
    "tags": {"wordpress_ha:stack": "blog", "wordpress_ha:role": "database"},
}


def subnets() -> dict[str, Any]:
    """Create a VPC with two subnets; return the module's parameter that names them."""
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    return {
        "subnet_ids": [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")[
                "Subnet"
            ]["SubnetId"]
            for number, zone in enumerate("ab")
        ]
    }


class Offers:
    """Engine versions, which moto 5.2.5 does not list."""

    def describe_db_engine_versions(self, Engine: str) -> dict[str, Any]:
        names = ("3.9.9", "3.10.1", "3.10.12", "3.10.3", "3.100.0")
        return {"DBEngineVersions": [{"Engine": Engine, "EngineVersion": f"8.0.mysql_aurora.{name}"} for name in names]}


@pytest.fixture(autouse=True)
def mended_moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """moto 5.2.5 loses a subnet group that is modified, and lists no engine versions."""
    modify = RDSBackend.modify_db_subnet_group

    def modify_and_keep(self: RDSBackend, subnet_name: str, description: str, subnets: Any) -> Any:
        group = modify(self, subnet_name, description, subnets)
        self.subnet_groups[subnet_name] = group
        return group

    monkeypatch.setattr(RDSBackend, "modify_db_subnet_group", modify_and_keep)
    with fake_service.installed(rds=Offers()):
        yield


@pytest.fixture
def params() -> Any:
    with contract.account():
        yield {**PARAMS, **subnets()}


def left() -> list[Any]:
    rds = boto3.client("rds")
    return [
        *rds.describe_db_clusters()["DBClusters"],
        *rds.describe_db_instances()["DBInstances"],
        *rds.describe_db_subnet_groups()["DBSubnetGroups"],
        *rds.describe_db_cluster_parameter_groups()["DBClusterParameterGroups"],
    ]


def test_contract(params: dict[str, Any]) -> None:
    more = subnets()["subnet_ids"]
    modified = {
        **params,
        "subnet_ids": more,
        "readers": 2,
        "instance_class": "db.r8g.large",
        "backup_retention_days": 14,
        "maintenance_window": "Sun:05:00-Sun:05:30",
        "parameters": {"wait_timeout": "600"},
        "tags": {"wordpress_ha:stack": "blog"},
        "purge_tags": True,
    }
    first = contract.keep(aurora_cluster, params, modified, left=left)
    assert [(one["name"], one["writer"]) for one in first.facts["instances"]] == [
        ("blog-database-1", True),
        ("blog-database-2", False),
    ]
    created = first.sent("CreateDBCluster")[0]
    assert created["ManageMasterUserPassword"] is True
    assert created["EngineVersion"] == "8.0.mysql_aurora.3.10.12", "AWS takes whole versions only"
    assert created["StorageEncrypted"] is True
    assert "MasterUserPassword" not in created
    assert "rds!cluster" in first.facts["master_secret_arn"]


def test_log_exports_are_replaced(params: dict[str, Any]) -> None:
    contract.succeed(aurora_cluster, params)
    run = contract.succeed(aurora_cluster, {**params, "log_exports": ["slowquery"]})
    (sent,) = run.sent("ModifyDBCluster")  # moto 5.2.5 accepts this and keeps the old list
    assert sent["CloudwatchLogsExportConfiguration"] == {"EnableLogTypes": ["slowquery"], "DisableLogTypes": ["error"]}


def test_parameters_not_named_stay(params: dict[str, Any]) -> None:
    contract.succeed(aurora_cluster, params)
    changed = contract.succeed(aurora_cluster, {**params, "parameters": {"wait_timeout": 600}})
    assert [action["resource"] for action in changed.result["actions"]] == ["parameter_group/blog-database"]
    rds = boto3.client("rds")
    found = rds.describe_db_cluster_parameters(DBClusterParameterGroupName="blog-database")["Parameters"]
    assert {one["ParameterName"]: one["ParameterValue"] for one in found} == {
        "require_secure_transport": "ON",
        "wait_timeout": "600",
    }


def test_unset_options_are_left_alone(params: dict[str, Any]) -> None:
    contract.succeed(aurora_cluster, {**params, "backup_retention_days": 20})
    bare = {name: params[name] for name in ("name", "subnet_ids", "security_group_ids", "instance_class")}
    assert contract.succeed(aurora_cluster, bare).result["changed"] is False


def test_fewer_readers_keep_the_writer_after_a_failover(params: dict[str, Any]) -> None:
    contract.succeed(aurora_cluster, {**params, "readers": 2})
    boto3.client("rds").failover_db_cluster(
        DBClusterIdentifier="blog-database", TargetDBInstanceIdentifier="blog-database-3"
    )
    writer = next(
        one["name"]
        for one in contract.succeed(aurora_cluster, {**params, "state": "gathered"}).facts["instances"]
        if one["writer"]
    )
    fewer = contract.succeed(aurora_cluster, {**params, "readers": 0})
    assert [one["name"] for one in fewer.facts["instances"]] == [writer]


@pytest.mark.parametrize(
    ("current", "readers", "expected"),
    [
        ({}, 1, ["db-1", "db-2"]),
        ({"db-3": {"writer": True}, "db-1": {}, "db-2": {}}, 1, ["db-3", "db-1"]),
        ({"db-2": {"writer": True}}, 2, ["db-2", "db-1", "db-3"]),
        ({"db-10": {}, "db-9": {"writer": True}, "foreign": {}}, 0, ["db-9"]),
    ],
)
def test_instance_names(current: dict[str, Any], readers: int, expected: list[str]) -> None:
    assert _aurora.instance_names("db", current, readers) == expected


def test_deletion_is_refused_while_protected(params: dict[str, Any]) -> None:
    contract.succeed(aurora_cluster, {**params, "deletion_protection": None})
    contract.refuse(aurora_cluster, {**params, "state": "absent"}, "deletion protection", "deletion_protection=false")


def test_deletion_wants_a_snapshot_or_a_waiver(params: dict[str, Any]) -> None:
    contract.succeed(aurora_cluster, params)
    careless = {**params, "state": "absent", "skip_final_snapshot": False}
    contract.refuse(aurora_cluster, careless, "final_snapshot_name", "skip_final_snapshot")
    contract.succeed(aurora_cluster, {**careless, "final_snapshot_name": "blog-final"})
    snapshots = boto3.client("rds").describe_db_cluster_snapshots()["DBClusterSnapshots"]
    assert "blog-final" in [one["DBClusterSnapshotIdentifier"] for one in snapshots]


def test_what_aws_fixes_at_creation_is_refused(params: dict[str, Any]) -> None:
    contract.succeed(aurora_cluster, params)
    contract.refuse(aurora_cluster, {**params, "database_name": "other"}, "database_name", "'wordpress'", "'other'")


def test_another_stacks_cluster_is_left_alone(params: dict[str, Any]) -> None:
    contract.succeed(aurora_cluster, params)
    contract.refuse(aurora_cluster, {**params, "tags": {"wordpress_ha:stack": "shop"}}, "'blog'", "'shop'")


def test_boolean_parameter_is_refused(params: dict[str, Any]) -> None:
    contract.refuse(
        aurora_cluster,
        {**params, "parameters": {"require_secure_transport": True}},
        "require_secure_transport",
        "quote",
    )


def test_unknown_inputs_in_check_mode() -> None:
    with contract.account():
        unknown = {"subnet_ids": ["(known after apply)"], "security_group_ids": ["(known after apply)"]}
        predicted = contract.succeed(aurora_cluster, {**PARAMS, **unknown}, check=True)
    assert predicted.facts["endpoint"] == "(known after apply)"
    assert len(predicted.facts["instances"]) == 2


def test_engine_version_prefix() -> None:
    running = {"cluster/db": {"engine_version": "8.0.mysql_aurora.3.10.1"}}
    assert (
        _aurora._owned.settled_version(running["cluster/db"]["engine_version"], "8.0.mysql_aurora.3.10")
        == "8.0.mysql_aurora.3.10.1"
    )
    assert _aurora._owned.settled_version("8.0.mysql_aurora.3.10.1", "8.0.mysql_aurora.3.1") == "8.0.mysql_aurora.3.1"


def test_a_busy_cluster_is_waited_for_before_an_instance_is_added(
    params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    contract.succeed(aurora_cluster, params)
    refusals = [fake_service.Error("InvalidDBClusterStateFault")]

    class Busy(Offers):
        def create_db_instance(self, **arguments: Any) -> Any:
            if refusals:
                raise refusals.pop()
            return {"DBInstance": {"DBInstanceArn": "arn"}}

    with monkeypatch.context() as patched:
        patched.setitem(fake_service._installed, "rds", Busy())
        more = contract.succeed(aurora_cluster, {**params, "readers": 2, "wait": False})
    assert more.writing == ["rds:CreateDBInstance"] * 2


def test_survives_kills() -> None:
    assert contract.survive_kills(aurora_cluster, PARAMS, subnets) >= 10
