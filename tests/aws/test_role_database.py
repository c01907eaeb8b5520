# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life of the role database (R42 to R45, R70): made, changed in every option, behind a proxy, refused, removed, restored, given."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Account, Foreign
from .lifecycle import Role

STACK = {"wordpress_ha:stack": "shop"}


@pytest.fixture(scope="module")
def role(account: Account, foreign: Foreign) -> Role:
    return Role(
        account,
        "database",
        database_name="shop",
        database_subnet_ids=foreign.data,
        database_security_group_ids=[foreign.groups["database"]],
        database_instance_class="db.r6g.large",
        database_engine_version="8.0.mysql_aurora.3.10",
        database_readers=2,
        database_deletion_protection=False,
        database_tags=STACK,
    )


@pytest.fixture(scope="module")
def rds(account: Account) -> Any:
    return account.emulator.client("rds")


def cluster(rds: Any, name: str = "shop") -> dict[str, Any]:
    return dict(rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0])


def test_it_is_made(role: Role, rds: Any, prove: Callable[[str], None]) -> None:
    made = role.create()
    assert made.result["settled"] is True and made.result["database"] == "wordpress"
    assert made.result["endpoint"] == made.result["cluster_endpoint"] and made.result["proxy_endpoint"] is None
    assert "rds!cluster" in made.result["master_secret_arn"] and ":shop-user-" in made.result["user_secret_arn"]
    assert len({one["availability_zone"] for one in made.result["instances"]}) == 3
    found = cluster(rds)
    assert found["StorageEncrypted"] and found["BackupRetentionPeriod"] == 14 and "MasterUserSecret" in found
    parameters = rds.describe_db_cluster_parameters(DBClusterParameterGroupName="shop", Source="user")["Parameters"]
    assert {"require_secure_transport": "ON"}.items() <= {
        one["ParameterName"]: one["ParameterValue"] for one in parameters
    }.items()
    prove("a writer and two readers in three zones, TLS required, RDS's own password; predicted, made, again unchanged")


def test_a_run_without_a_change_makes_few_calls(role: Role, account: Account, prove: Callable[[str], None]) -> None:
    told = role.unchanged()
    calls = [f"{call['service']}:{call['action']}" for call in account.emulator.calls()]
    assert sorted(calls) == [
        "rds:DescribeDBClusterParameters",
        "rds:DescribeDBClusters",
        "rds:DescribeDBInstances",
        "rds:DescribeDBSubnetGroups",
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
    ]
    assert told.result["settled"] is True, "nothing to wait for: a play can skip the entry point `wait`"
    prove(f"a run without a change: {len(calls)} API calls, none of them writing")


def test_its_options_can_change(role: Role, rds: Any) -> None:
    told = role.modify(
        database_engine_version="8.0.mysql_aurora.3.11.0",
        database_auto_minor_version_upgrade=False,
        database_instance_class="db.r7g.large",
        database_readers=3,
        database_instances={"2": {"promotion_tier": 4}},
        database_parameters={"wait_timeout": "300"},
        database_instance_parameters={"max_connections": "500"},
        database_log_exports=["error", "slowquery"],
        database_storage_type="aurora-iopt1",
        database_backup_retention_days=35,
        database_backup_window="01:00-02:00",
        database_maintenance_window="sun:04:00-sun:05:00",
        database_performance_insights=True,
        database_monitoring_interval=60,
        database_monitoring_role_arn="arn:aws:iam::123456789012:role/monitoring",
        database_tags={**STACK, "owner": "us"},
    )
    assert {one.split("/")[0] for one in told.resources} == {
        "update subnet_group",
        "update parameter_group",
        "create instance_parameter_group",
        "update cluster",
        "update instance",
        "create instance",
        "update secret",
    }
    found = cluster(rds)
    assert found["EnabledCloudwatchLogsExports"] == ["error", "slowquery"] and found["StorageType"] == "aurora-iopt1"
    assert (found["BackupRetentionPeriod"], found["EngineVersion"]) == (35, "8.0.mysql_aurora.3.11.0")
    second = rds.describe_db_instances(DBInstanceIdentifier="shop-2")["DBInstances"][0]
    assert (second["PromotionTier"], second["MonitoringInterval"]) == (4, 60)
    parameters = rds.describe_db_cluster_parameters(DBClusterParameterGroupName="shop", Source="user")["Parameters"]
    assert "slow_query_log" in {one["ParameterName"] for one in parameters}, "a log that is exported must be written"


def test_it_becomes_serverless_behind_a_proxy(role: Role, account: Account, prove: Callable[[str], None]) -> None:
    told = role.modify(
        database_instance_class="db.serverless",
        database_serverless={"min_capacity": 0, "max_capacity": 4, "pause_after_seconds": 600},
        database_readers=1,
        database_proxy=True,
        database_proxy_pool={"max_connections_percent": 80, "connection_borrow_timeout": 30},
    )
    assert ".db-proxy-" in told.result["endpoint"] and told.result["endpoint"] == told.result["proxy_endpoint"]
    assert told.result["cluster_endpoint"] != told.result["endpoint"] and told.result["settled"] is True
    (proxy,) = account.emulator.client("rds").describe_db_proxies()["DBProxies"]
    assert proxy["RequireTLS"] and [one["SecretArn"] for one in proxy["Auth"]] == [told.result["user_secret_arn"]]
    iam = account.emulator.client("iam")
    (name,) = iam.list_role_policies(RoleName="shop-proxy")["PolicyNames"]
    document = iam.get_role_policy(RoleName="shop-proxy", PolicyName=name)["PolicyDocument"]
    assert told.result["user_secret_arn"] in json.dumps(document) and "*" not in json.dumps(document)
    prove("serverless from 0 to 4 units, behind a proxy that demands TLS and whose role reads one secret")


def test_a_proxy_is_removed_only_by_itself(role: Role) -> None:
    role.options.update(database_proxy=False, database_proxy_pool={})
    told = role.play("main", "proxy_absent", "main")
    assert [one.split("/")[0] for one in told.resources] == ["delete proxy", "delete policy", "delete role"]
    assert told.actions[0]["task"].startswith("Proxy absent"), "nodes may still use it"
    assert told.result["endpoint"] == told.result["cluster_endpoint"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"database_readers": 16}, ["database_readers", "16"]),
        ({"database_backup_retention_days": 36}, ["database_backup_retention_days", "36"]),
        ({"database_instance_class": "db.r6g.large"}, ["instance_class is 'db.r6g.large'", "serverless"]),
        (
            {"database_proxy": True, "database_proxy_pool": {"max_connections_percent": 101}},
            ["database_proxy_pool", "101"],
        ),
        (
            {"database_existing": {"host": "x.cluster-ro-y.rds.amazonaws.com", "user_secret_arn": "arn"}},
            ["cluster-ro-"],
        ),
    ],
)
def test_a_mistake_is_refused(role: Role, wrong: dict[str, Any], words: list[str]) -> None:
    role.refuse(*words, **wrong)


def test_a_database_can_be_given(role: Role, account: Account, prove: Callable[[str], None]) -> None:
    secrets = account.emulator.client("secretsmanager")
    arns = {
        name: secrets.create_secret(Name=name, SecretString=json.dumps(value))["ARN"]
        for name, value in {"given": {"username": "w", "password": "x"}, "odd": {"user": "w"}}.items()
    }
    role.before |= {f"secretsmanager:secrets:{name}" for name in arns}
    given = {"host": "db.example.org", "user_secret_arn": arns["given"], "name": "blog"}
    told = role.play("main", "discover", "absent", database_existing=given)
    assert told.actions == [] and not told.writes
    result = told.result
    assert (result["endpoint"], result["port"], result["database"]) == ("db.example.org", 3306, "blog")
    assert (result["user_secret_arn"], result["master_secret_arn"]) == (arns["given"], None)
    assert result["settled"] is True
    role.refuse("user_secret_arn", "user", "username", database_existing={**given, "user_secret_arn": arns["odd"]})
    prove("a database that is given: nothing written, nothing removed, the same result")


def test_it_can_be_removed_but_not_while_protected(role: Role, rds: Any, prove: Callable[[str], None]) -> None:
    rds.modify_db_cluster(DBClusterIdentifier="shop", DeletionProtection=True)
    role.refuse("deletion protection", entry="absent")
    rds.modify_db_cluster(DBClusterIdentifier="shop", DeletionProtection=False)
    told = role.absent(r"cluster_snapshots:shop-final-\d{14}$")
    assert "delete cluster/shop" in told.resources and "delete secret/shop-user" in told.resources
    prove("absent: refused while protected; then a final snapshot and nothing else stays")


def test_it_can_be_restored_while_other_things_are_made(role: Role, rds: Any, prove: Callable[[str], None]) -> None:
    (snapshot,) = rds.describe_db_cluster_snapshots()["DBClusterSnapshots"]
    role.options["database_restore"] = {"snapshot": snapshot["DBClusterSnapshotIdentifier"]}
    role.options.update(database_proxy=True, database_name="back", database_wait=False)
    check = role.play("main", check=True)
    done = role.play("main", "wait", "discover")
    assert done.result["settled"] is True and done.result["endpoint"] == done.result["proxy_endpoint"]
    assert check.resources == done.resources, "what is started and what is waited for make up what was predicted"
    assert cluster(rds, "back")["BackupRetentionPeriod"] == 35
    assert "nothing is restored" in done.run.output, "the entry point `wait` meets a cluster that exists"
    role.play("absent", database_skip_final_snapshot=True)
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=snapshot["DBClusterSnapshotIdentifier"])
    role.gone()
    prove(
        "the final snapshot restored with database_wait: false, completed by the entry point wait, removed without a trace"
    )
