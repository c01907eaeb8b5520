# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""aurora_cluster: the module contract, the writer that is never removed, deletion that is never careless, restoring, few calls."""

from __future__ import annotations

import datetime
from typing import Any

import boto3
import contract
import fake_service
import pytest

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aurora_fields
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
CLUSTER = {"DBClusterIdentifier": "blog-database"}


def subnets(zones: str = "ab", vpcs: int = 1) -> dict[str, Any]:
    """Create subnets in zones, and in as many VPCs; return the module's parameter that names them."""
    ec2 = boto3.client("ec2")
    made = [ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _unused in range(vpcs)]
    return {
        "subnet_ids": [
            ec2.create_subnet(
                VpcId=made[number % vpcs], CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"us-east-1{zone}"
            )["Subnet"]["SubnetId"]
            for number, zone in enumerate(zones)
        ]
    }


@pytest.fixture
def params(emulated: Any) -> dict[str, Any]:
    return {**PARAMS, **subnets()}


def left() -> list[Any]:
    rds = boto3.client("rds")
    return [
        *rds.describe_db_clusters()["DBClusters"],
        *rds.describe_db_instances()["DBInstances"],
        *rds.describe_db_subnet_groups()["DBSubnetGroups"],
        *rds.describe_db_cluster_parameter_groups()["DBClusterParameterGroups"],
        *rds.describe_db_parameter_groups()["DBParameterGroups"],
    ]


def cluster() -> dict[str, Any]:
    return boto3.client("rds").describe_db_clusters(**CLUSTER)["DBClusters"][0]


def test_contract(params: dict[str, Any]) -> None:
    modified = {
        **params,
        **subnets("abc"),
        "readers": 2,
        "instance_class": "db.r8g.large",
        "engine_version": "8.0.mysql_aurora.3.11.0",
        "backup_retention_days": 14,
        "backup_window": "01:00-02:00",
        "maintenance_window": "Sun:05:00-Sun:05:30",
        "parameters": {"wait_timeout": "600"},
        "instance_parameters": {"max_connections": "200"},
        "storage_type": "aurora-iopt1",
        "log_exports": ["slowquery"],
        "iam_authentication": True,
        "performance_insights": True,
        "monitoring_interval": 60,
        "monitoring_role_arn": "arn:aws:iam::123456789012:role/monitoring",
        "auto_minor_version_upgrade": False,
        "instances": {"2": {"promotion_tier": 5}},
        "tags": {"wordpress_ha:stack": "blog"},
        "purge_tags": True,
    }
    first = contract.keep(aurora_cluster, params, modified, left=left)
    assert [(one["name"], one["writer"], one["availability_zone"]) for one in first.facts["instances"]] == [
        ("blog-database-1", True, "us-east-1a"),
        ("blog-database-2", False, "us-east-1b"),
    ]
    assert first.facts["settled"] is True
    created = first.sent("CreateDBCluster")[0]
    assert created["ManageMasterUserPassword"] is True
    assert created["EngineVersion"] == "8.0.mysql_aurora.3.10.1", "AWS takes whole versions only"
    assert created["StorageEncrypted"] is True
    assert "MasterUserPassword" not in created
    assert "rds!cluster" in first.facts["master_secret_arn"]


def test_what_was_modified_is_there(params: dict[str, Any]) -> None:
    contract.succeed(aurora_cluster, params)
    windows = {"backup_window": "01:00-02:00", "maintenance_window": "Sun:05:00-Sun:05:30"}
    more = {"instance_parameters": {"max_connections": 200}, "storage_type": "aurora-iopt1", "port": 3307}
    contract.succeed(aurora_cluster, {**params, **windows, **more, "log_exports": ["slowquery"]})
    found = cluster()
    assert found["EnabledCloudwatchLogsExports"] == ["slowquery"]
    assert (found["StorageType"], found["Port"], found["PreferredBackupWindow"]) == (
        "aurora-iopt1",
        3307,
        "01:00-02:00",
    )
    for instance in boto3.client("rds").describe_db_instances()["DBInstances"]:
        assert instance["DBParameterGroups"][0]["DBParameterGroupName"] == "blog-database"
        assert instance["PreferredMaintenanceWindow"] == "sun:05:00-sun:05:30"


def test_a_run_without_a_change_makes_four_calls(params: dict[str, Any]) -> None:
    """A fifth is for the parameters of single instances, where there are some; another cluster's size adds none."""
    contract.succeed(aurora_cluster, params)
    four = ["DescribeDBClusters", "DescribeDBInstances", "DescribeDBSubnetGroups", "DescribeDBClusterParameters"]
    again = contract.succeed(aurora_cluster, params)
    assert [call.action for call in again.calls] == four
    wide = {**params, "readers": 15, "instance_parameters": {"max_connections": 200}}
    contract.succeed(aurora_cluster, wide)
    again = contract.succeed(aurora_cluster, wide)
    assert [call.action for call in again.calls] == [*four, "DescribeDBParameters"]
    gathered = contract.succeed(aurora_cluster, {"name": "blog-database", "state": "gathered"})
    assert [call.action for call in gathered.calls] == four[:2]


def test_tags_of_groups_follow_those_of_the_cluster(params: dict[str, Any]) -> None:
    contract.succeed(aurora_cluster, params)
    changed = contract.converge(aurora_cluster, {**params, "tags": {**params["tags"], "owner": "us"}})
    assert [action["resource"].split("/")[0] for action in changed.result["actions"]] == [
        "subnet_group",
        "parameter_group",
        "cluster",
        "instance",
        "instance",
    ]


def test_parameters_not_named_stay(params: dict[str, Any]) -> None:
    contract.succeed(aurora_cluster, params)
    changed = contract.succeed(aurora_cluster, {**params, "parameters": {"wait_timeout": 600}})
    assert [action["resource"] for action in changed.result["actions"]] == ["parameter_group/blog-database"]
    found = boto3.client("rds").describe_db_cluster_parameters(
        DBClusterParameterGroupName="blog-database", Source="user"
    )
    assert {one["ParameterName"]: one["ParameterValue"] for one in found["Parameters"]} == {
        "require_secure_transport": "ON",
        "wait_timeout": "600",
    }


def test_unset_options_are_left_alone(params: dict[str, Any]) -> None:
    contract.succeed(
        aurora_cluster, {**params, "backup_retention_days": 20, "instance_parameters": {"max_connections": 9}}
    )
    bare = {name: params[name] for name in ("name", "subnet_ids", "security_group_ids", "instance_class")}
    assert contract.succeed(aurora_cluster, bare).result["changed"] is False


# -- instances and zones ---------------------------------------------------------------------------------------------------


def test_fewer_readers_keep_the_writer_after_a_failover(params: dict[str, Any]) -> None:
    contract.succeed(aurora_cluster, {**params, "readers": 2})
    boto3.client("rds").failover_db_cluster(**CLUSTER, TargetDBInstanceIdentifier="blog-database-3")
    writer = next(
        one["name"]
        for one in contract.succeed(aurora_cluster, {**params, "state": "gathered"}).facts["instances"]
        if one["writer"]
    )
    fewer = contract.succeed(aurora_cluster, {**params, "readers": 0})
    assert [one["name"] for one in fewer.facts["instances"]] == [writer]


def test_sixteen_instances_are_spread_evenly(params: dict[str, Any]) -> None:
    made = contract.converge(aurora_cluster, {**params, **subnets("abc"), "readers": 15})
    zones = [one["availability_zone"] for one in made.facts["instances"]]
    assert sorted(zones.count(f"us-east-1{zone}") for zone in "abc") == [5, 5, 6]
    there = {one["AvailabilityZone"] for one in boto3.client("rds").describe_db_instances()["DBInstances"]}
    assert there == {"us-east-1a", "us-east-1b", "us-east-1c"}


def test_zones_and_single_instances_can_be_chosen(params: dict[str, Any]) -> None:
    chosen = {**params, **subnets("abc"), "zones": ["us-east-1c", "us-east-1b"], "readers": 2}
    chosen["instances"] = {"3": {"zone": "us-east-1b", "instance_class": "db.r6g.large", "promotion_tier": 15}}
    made = contract.converge(aurora_cluster, chosen)
    assert [one["availability_zone"][-1] for one in made.facts["instances"]] == ["c", "b", "b"]
    third = boto3.client("rds").describe_db_instances(DBInstanceIdentifier="blog-database-3")["DBInstances"][0]
    assert (third["DBInstanceClass"], third["PromotionTier"]) == ("db.r6g.large", 15)
    moved = {**chosen, "instances": {"3": {"zone": "us-east-1c"}}}
    contract.refuse(aurora_cluster, moved, "availability_zone", "'us-east-1b'", "'us-east-1c'")


@pytest.mark.parametrize(
    ("zones", "current", "names", "expected"),
    [
        (["a", "b"], {}, ["db-1", "db-2", "db-3"], {"db-1": "a", "db-2": "b", "db-3": "a"}),
        (["a", "b", "c"], {"db-1": "b"}, ["db-1", "db-2", "db-3"], {"db-2": "a", "db-3": "c"}),
        (["a", "b"], {"db-1": "a", "db-2": "a"}, ["db-1", "db-3"], {"db-3": "b"}),
    ],
)
def test_spread(zones: list[str], current: dict[str, str], names: list[str], expected: dict[str, str]) -> None:
    assert _aurora_fields.spread(zones, current, names) == expected


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
    assert _aurora_fields.instance_names("db", current, readers) == expected


# -- serverless ------------------------------------------------------------------------------------------------------------


def test_serverless(params: dict[str, Any]) -> None:
    pausing = {"min_capacity": 0, "max_capacity": 4, "pause_after_seconds": 600}
    small = {**params, "instance_class": "db.serverless", "serverless": pausing, "readers": 3}
    first = contract.converge(aurora_cluster, small)
    (sent,) = first.sent("CreateDBCluster")
    assert sent["ServerlessV2ScalingConfiguration"] == {
        "MinCapacity": 0.0,
        "MaxCapacity": 4.0,
        "SecondsUntilAutoPause": 600,
    }
    assert [one["PromotionTier"] for one in first.sent("CreateDBInstance")] == [0, 1, 2, 2]
    unnamed = {**small, "serverless": {"min_capacity": 0, "max_capacity": 4}}
    assert contract.succeed(aurora_cluster, unnamed).result["changed"] is False, "an unset pause is left alone"
    awake = {**small, "serverless": {"min_capacity": 0.5, "max_capacity": 8}}
    contract.converge(aurora_cluster, awake)
    assert cluster()["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 0.5, "MaxCapacity": 8.0}
    plain = {**small, "serverless": None, "instance_class": "db.r6g.large"}
    contract.converge(aurora_cluster, plain)


def test_a_provisioned_cluster_becomes_serverless(params: dict[str, Any]) -> None:
    contract.succeed(aurora_cluster, params)
    capacity = {"min_capacity": 0.5, "max_capacity": 2}
    told = contract.converge(aurora_cluster, {**params, "instance_class": "db.serverless", "serverless": capacity})
    assert [one["resource"].split("/")[0] for one in told.result["actions"]] == ["cluster", "instance", "instance"]


# -- versions --------------------------------------------------------------------------------------------------------------


def test_a_major_upgrade_is_refused_with_a_hint(params: dict[str, Any]) -> None:
    old = {**params, "engine_version": "5.7.mysql_aurora.2.12.5", "parameters": {"wait_timeout": 300}}
    contract.converge(aurora_cluster, old)
    new = {**old, "engine_version": "8.0.mysql_aurora.3.10"}
    contract.refuse(aurora_cluster, new, "engine_version", "major upgrade", "blue/green", "allow_major_upgrade")
    told = contract.converge(aurora_cluster, {**new, "allow_major_upgrade": True, "instance_parameters": {}})
    (sent,) = told.sent("ModifyDBCluster")
    assert sent["AllowMajorVersionUpgrade"] is True
    assert sent["DBClusterParameterGroupName"] == "blog-database-aurora-mysql8-0"
    assert sent["EngineVersion"] == "8.0.mysql_aurora.3.10.1"
    kept = boto3.client("rds").describe_db_cluster_parameters(
        DBClusterParameterGroupName="blog-database-aurora-mysql8-0", Source="user"
    )["Parameters"]
    assert [(one["ParameterName"], one["ParameterValue"]) for one in kept] == [("wait_timeout", "300")]
    contract.converge(aurora_cluster, {**new, "state": "absent"})
    assert left() == [], "absent removes the groups of both families"


def test_a_newer_version_that_aws_installed_is_left_alone(params: dict[str, Any]) -> None:
    contract.succeed(aurora_cluster, {**params, "engine_version": "8.0.mysql_aurora.3.10.1"})
    older = {**params, "engine_version": "8.0.mysql_aurora.3.10.0"}
    assert contract.succeed(aurora_cluster, older).result["changed"] is False
    contract.refuse(aurora_cluster, {**older, "auto_minor_version_upgrade": False}, "engine_version", "cannot go back")
    contract.refuse(
        aurora_cluster,
        {**params, "engine_version": "5.7"},
        "engine_version",
        "cannot go back",
        "8.0.mysql_aurora.3.10.1",
    )


@pytest.mark.parametrize(
    ("offered", "wanted", "expected"),
    [
        (["3.9.9", "3.10.1", "3.10.12", "3.10.3", "3.100.0"], "3.10", "3.10.12"),
        (["3.10.1"], "3.1", None),
        (["3.10.1"], "3.10.1", "3.10.1"),
    ],
)
def test_newest(offered: list[str], wanted: str, expected: str | None) -> None:
    release = "8.0.mysql_aurora."
    found = _aurora_fields.newest([release + one for one in offered], release + wanted)
    assert found == (release + expected if expected else None)


# -- restoring -------------------------------------------------------------------------------------------------------------


def snapshot(params: dict[str, Any], **other: Any) -> dict[str, Any]:
    """Make a cluster, snapshot it as C(noon), and return the parameters of another one."""
    contract.succeed(aurora_cluster, {**params, "backup_retention_days": 3, **other})
    boto3.client("rds").create_db_cluster_snapshot(**CLUSTER, DBClusterSnapshotIdentifier="noon")
    return {**params, "name": "blog-copy", "backup_retention_days": 9, "backup_window": "05:00-05:30"}


def test_a_snapshot_is_restored(params: dict[str, Any]) -> None:
    copy = {**snapshot(params), "restore": {"snapshot": "noon"}}
    first = contract.converge(aurora_cluster, copy)
    assert first.sent("RestoreDBClusterFromSnapshot") and not first.sent("CreateDBCluster")
    (rest,) = first.sent("ModifyDBCluster")
    assert rest["BackupRetentionPeriod"] == 9 and rest["ManageMasterUserPassword"] is True
    created = next(one for one in first.result["actions"] if one["resource"] == "cluster/blog-copy")
    assert created["after"]["restored_from"] == "snapshot noon"
    found = boto3.client("rds").describe_db_clusters(DBClusterIdentifier="blog-copy")["DBClusters"][0]
    assert (found["BackupRetentionPeriod"], found["MasterUserSecret"]["SecretStatus"]) == (9, "active")
    assert "rds!cluster" in first.facts["master_secret_arn"]


def test_a_point_in_time_is_restored(params: dict[str, Any]) -> None:
    copy = snapshot(params)
    first = contract.converge(aurora_cluster, {**copy, "restore": {"cluster": "blog-database"}})
    (sent,) = first.sent("RestoreDBClusterToPointInTime")
    assert sent["UseLatestRestorableTime"] is True and sent["SourceDBClusterIdentifier"] == "blog-database"
    contract.succeed(aurora_cluster, {**copy, "state": "absent"})
    now = datetime.datetime.now(datetime.UTC)
    moment = {"cluster": "blog-database", "time": now.isoformat()}
    exact = contract.converge(aurora_cluster, {**copy, "restore": moment}).sent("RestoreDBClusterToPointInTime")[0]
    assert exact["RestoreToTime"] == now.isoformat() and "UseLatestRestorableTime" not in exact


def test_restore_changes_nothing_on_a_cluster_that_exists(
    params: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot(params)
    told = contract.succeed(aurora_cluster, {**params, "restore": {"snapshot": "noon"}})
    assert told.result["changed"] is False and told.writing == []
    # Where a test before this one has loaded Ansible's controller, warnings go to its display.
    assert "nothing is restored" in str(told.result.get("warnings")) + capsys.readouterr().err
    gone = contract.succeed(aurora_cluster, {**params, "restore": {"snapshot": "gone"}})
    assert gone.result["changed"] is False, "what it names need not be there any more"


def test_a_restored_cluster_that_was_killed_is_completed(params: dict[str, Any]) -> None:
    arn = "arn:aws:rds:us-east-1:123456789012:cluster-snapshot:noon"
    copy = {**snapshot(params), "restore": {"snapshot": arn}}
    with pytest.raises(contract.Killed):  # subnet group, parameter group, its parameters, restoring; not the rest
        contract.run(aurora_cluster, copy, kill_before=4)
    told = contract.succeed(aurora_cluster, copy)
    assert told.sent("ModifyDBCluster")[0]["ManageMasterUserPassword"] is True
    assert contract.succeed(aurora_cluster, copy).result["changed"] is False


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"restore": {"snapshot": "none"}}, ["restore.snapshot is 'none'", "no such cluster snapshot"]),
        ({"restore": {"cluster": "none"}}, ["restore.cluster is 'none'", "no such Aurora cluster"]),
        (
            {"restore": {"snapshot": "noon"}, "engine_version": "8.0.mysql_aurora.3.08.2"},
            ["8.0.mysql_aurora.3.10.1", "older"],
        ),
        ({"restore": {"snapshot": "noon"}, "master_username": "root"}, ["master_username is 'root'", "'admin'"]),
        ({"restore": {"cluster": "blog-database"}, "database_name": "x"}, ["database_name is 'x'", "'wordpress'"]),
        (
            {"restore": {"cluster": "blog-database", "time": "2020-01-01T00:00:00Z"}},
            ["restore.time is '2020-01-01T00:00:00Z'", "from"],
        ),
    ],
)
def test_what_cannot_be_restored_is_refused(params: dict[str, Any], wanted: dict[str, Any], words: list[str]) -> None:
    contract.refuse(aurora_cluster, {**snapshot(params), **wanted}, *words)


# -- deletion --------------------------------------------------------------------------------------------------------------


def test_deletion_is_refused_while_protected(params: dict[str, Any]) -> None:
    contract.succeed(aurora_cluster, {**params, "deletion_protection": None})
    contract.refuse(aurora_cluster, {**params, "state": "absent"}, "deletion protection", "deletion_protection=false")


def test_deletion_wants_a_snapshot_or_a_waiver(params: dict[str, Any]) -> None:
    contract.succeed(aurora_cluster, params)
    careless = {**params, "state": "absent", "skip_final_snapshot": False}
    contract.refuse(aurora_cluster, careless, "final_snapshot_name", "skip_final_snapshot")
    told = contract.succeed(aurora_cluster, {**careless, "final_snapshot_name": "blog-final"})
    deleted = next(one for one in told.result["actions"] if one["resource"] == "cluster/blog-database")
    assert deleted["before"]["final_snapshot"] == "blog-final"
    snapshots = boto3.client("rds").describe_db_cluster_snapshots()["DBClusterSnapshots"]
    assert [one["DBClusterSnapshotIdentifier"] for one in snapshots] == ["blog-final"]


def test_a_final_snapshot_in_the_way_is_seen_before_anything_is_deleted(params: dict[str, Any]) -> None:
    contract.succeed(aurora_cluster, params)
    boto3.client("rds").create_db_cluster_snapshot(**CLUSTER, DBClusterSnapshotIdentifier="blog-final")
    removal = {**params, "state": "absent", "final_snapshot_name": "blog-final"}
    contract.refuse(aurora_cluster, removal, "final_snapshot_name is 'blog-final'", "already", "{created}")
    created = cluster()["ClusterCreateTime"]
    contract.succeed(aurora_cluster, {**removal, "final_snapshot_name": "blog-final-{created}"})
    names = [
        one["DBClusterSnapshotIdentifier"]
        for one in boto3.client("rds").describe_db_cluster_snapshots()["DBClusterSnapshots"]
    ]
    assert sorted(names) == ["blog-final", f"blog-final-{created:%Y%m%d%H%M%S}"]


# -- refusals --------------------------------------------------------------------------------------------------------------


def test_what_aws_fixes_at_creation_is_refused(params: dict[str, Any]) -> None:
    contract.succeed(aurora_cluster, params)
    contract.refuse(aurora_cluster, {**params, "database_name": "other"}, "database_name", "'wordpress'", "'other'")


def test_another_stacks_cluster_is_left_alone(params: dict[str, Any]) -> None:
    contract.succeed(aurora_cluster, params)
    contract.refuse(aurora_cluster, {**params, "tags": {"wordpress_ha:stack": "shop"}}, "'blog'", "'shop'")


SERVERLESS = {"instance_class": "db.serverless"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": "blog--db"}, ["name is 'blog--db'"]),
        ({"readers": 16}, ["readers is 16", "0 to 15"]),
        ({"readers": -1}, ["readers is -1"]),
        ({"backup_retention_days": 0}, ["backup_retention_days is 0", "1 to 35"]),
        ({"backup_retention_days": 36}, ["backup_retention_days is 36", "1 to 35"]),
        ({"backup_window": "3:00-4:00"}, ["backup_window is '3:00-4:00'", "03:00-03:30"]),
        ({"backup_window": "03:00-03:10"}, ["backup_window is '03:00-03:10'", "30 minutes"]),
        ({"maintenance_window": "sunday"}, ["maintenance_window is 'sunday'"]),
        ({"maintenance_window": "sun:03:00-sun:03:10"}, ["maintenance_window", "30 minutes"]),
        ({"backup_window": "23:45-00:30", "maintenance_window": "sun:00:00-sun:00:40"}, ["overlap"]),
        ({"instance_class": "r6g.large"}, ["instance_class is 'r6g.large'"]),
        ({"instance_class": "db.m5.large"}, ["instance_class is 'db.m5.large'", "does not run"]),
        ({"engine_version": "8.0.mysql_aurora.3.99"}, ["8.0.mysql_aurora.3.99", "3.11.0"]),
        ({"serverless": {"min_capacity": 1, "max_capacity": 2}}, ["instance_class is 'db.t4g.medium'", "serverless"]),
        (SERVERLESS, ["instance_class is 'db.serverless'", "serverless is not set"]),
        ({**SERVERLESS, "serverless": {"min_capacity": 0.3, "max_capacity": 2}}, ["serverless.min_capacity is 0.3"]),
        ({**SERVERLESS, "serverless": {"min_capacity": 0, "max_capacity": 300}}, ["serverless.max_capacity is 300"]),
        ({**SERVERLESS, "serverless": {"min_capacity": 8, "max_capacity": 2}}, ["min_capacity is 8", "max_capacity 2"]),
        (
            {**SERVERLESS, "serverless": {"min_capacity": 1, "max_capacity": 2, "pause_after_seconds": 300}},
            ["pause_after_seconds is 300", "min_capacity is 1"],
        ),
        (
            {**SERVERLESS, "serverless": {"min_capacity": 0, "max_capacity": 2, "pause_after_seconds": 60}},
            ["pause_after_seconds is 60", "300 to 86400"],
        ),
        (
            {
                **SERVERLESS,
                "serverless": {"min_capacity": 0, "max_capacity": 2},
                "engine_version": "8.0.mysql_aurora.3.04.4",
            },
            ["min_capacity is 0", "3.08.0"],
        ),
        ({"instances": {"17": {}}}, ["instances names '17'"]),
        ({"instances": {"1": {"promotion_tier": 16}}}, ["instances.1.promotion_tier is 16"]),
        ({"instances": {"1": {"tier": 1}}}, ["instances.1"]),
        ({"instances": {"1": {"zone": "us-east-1f"}}}, ["us-east-1f", "us-east-1a"]),
        ({"zones": ["us-east-1f"]}, ["zones names us-east-1f", "us-east-1a, us-east-1b"]),
        ({"subnet_ids": ["subnet-1"]}, ["subnet_ids is ['subnet-1']", "two Availability Zones"]),
        ({"subnet_ids": ["subnet-1", "subnet-2"]}, ["subnet-1, subnet-2", "no such subnet"]),
        ({"monitoring_interval": 2}, ["monitoring_interval is 2"]),
        ({"monitoring_interval": 60}, ["monitoring_interval is 60", "monitoring_role_arn"]),
        ({"performance_insights_retention_days": 30}, ["performance_insights_retention_days is 30"]),
        ({"restore": {"snapshot": "a", "cluster": "b"}}, ["restore.snapshot is 'a'", "exactly one"]),
        ({"restore": {"snapshot": "a", "time": "2026-01-01T00:00:00Z"}}, ["restore.time", "without restore.cluster"]),
        ({"restore": {"cluster": "a", "time": "yesterday"}}, ["restore.time is 'yesterday'", "ISO 8601"]),
        ({"parameters": {"require_secure_transport": True}}, ["require_secure_transport", "quote"]),
        ({"parameters": {"require_secure_transport": "OFF"}}, ["require_secure_transport", "OFF"]),
        ({"storage_encrypted": False}, ["StorageEncrypted"]),
        ({"state": "absent", "final_snapshot_name": "1st"}, ["final_snapshot_name is '1st'"]),
    ],
)
def test_what_is_wrong_is_refused_before_any_write(
    params: dict[str, Any], wrong: dict[str, Any], words: list[str]
) -> None:
    contract.refuse(aurora_cluster, {**params, **wrong}, *words)
    checked = contract.run(aurora_cluster, {**params, **wrong}, check=True)
    assert checked.failed, "check mode does not say it"


def test_subnets_of_one_zone_or_of_two_vpcs_are_refused(params: dict[str, Any]) -> None:
    contract.refuse(aurora_cluster, {**params, **subnets("aa")}, "us-east-1a alone", "two Availability Zones")
    contract.refuse(aurora_cluster, {**params, **subnets("ab", vpcs=2)}, "vpc-", "one VPC")
    contract.succeed(aurora_cluster, params)
    contract.refuse(aurora_cluster, {**params, **subnets("aa")}, "us-east-1a alone")


def test_a_window_that_overlaps_the_one_there_is_refused(params: dict[str, Any]) -> None:
    contract.succeed(aurora_cluster, {**params, "maintenance_window": "sun:05:00-sun:06:00"})
    contract.refuse(aurora_cluster, {**params, "backup_window": "04:45-05:15"}, "backup_window", "05:00", "overlap")


# -- circumstances ---------------------------------------------------------------------------------------------------------


def test_unknown_inputs_in_check_mode(emulated: Any) -> None:
    unknown = {"subnet_ids": ["(known after apply)"], "security_group_ids": ["(known after apply)"]}
    predicted = contract.succeed(aurora_cluster, {**PARAMS, **unknown}, check=True)
    assert predicted.facts["endpoint"] == "(known after apply)"
    assert predicted.facts["settled"] is True
    assert len(predicted.facts["instances"]) == 2


def test_what_is_under_way_is_not_settled(params: dict[str, Any]) -> None:
    begun = contract.succeed(aurora_cluster, {**params, "wait": False})
    assert begun.facts["settled"] is False
    assert contract.succeed(aurora_cluster, {**params, "wait": False}).facts["settled"] is True


def test_a_busy_cluster_is_waited_for_before_an_instance_is_added(
    params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    contract.succeed(aurora_cluster, params)
    refusals = [fake_service.Error("InvalidDBClusterStateFault")]

    class Busy:
        def create_db_instance(self, **arguments: Any) -> Any:
            if refusals:
                raise refusals.pop()
            return {"DBInstance": {"DBInstanceArn": "arn"}}

    with fake_service.installed(rds=Busy()):
        more = contract.succeed(aurora_cluster, {**params, "readers": 2, "wait": False})
    assert more.writing == ["rds:CreateDBInstance"] * 2


def test_survives_kills(emulated: Any) -> None:
    assert (
        contract.survive_kills(aurora_cluster, {**PARAMS, "instance_parameters": {"max_connections": 9}}, subnets) >= 12
    )
