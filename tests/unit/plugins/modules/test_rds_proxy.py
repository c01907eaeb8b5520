# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""rds_proxy: the module contract, one cluster at a time, TLS always, few calls."""

from __future__ import annotations

import json
from typing import Any

import boto3
import contract
import fake_service
import pytest

from ansible_collections.wordpress_ha.aws.plugins.modules import rds_proxy

PARAMS: dict[str, Any] = {
    "name": "blog-database",
    "cluster": "blog",
    "max_connections_percent": 90,
    "tags": {"wordpress_ha:stack": "blog"},
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "rds.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def prepare(zones: str = "ab") -> dict[str, Any]:
    """Make two clusters, secrets, a role and a network; return the parameters that name them."""
    ec2, rds = boto3.client("ec2"), boto3.client("rds")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"]
        for number, zone in enumerate(zones)
    ]
    group = ec2.create_security_group(GroupName="db", Description="db", VpcId=vpc)["GroupId"]
    for name in ("blog", "other"):
        rds.create_db_cluster(
            DBClusterIdentifier=name, Engine="aurora-mysql", MasterUsername="admin", ManageMasterUserPassword=True
        )
        rds.create_db_instance(
            DBInstanceIdentifier=f"{name}-1",
            DBClusterIdentifier=name,
            Engine="aurora-mysql",
            DBInstanceClass="db.r6g.large",
        )
    secrets = boto3.client("secretsmanager")
    return {
        "subnet_ids": [subnet["SubnetId"] for subnet in subnets],
        "security_group_ids": [group],
        "secret_arns": [secrets.create_secret(Name="user", SecretString="{}")["ARN"]],
        "role_arn": role("blog-proxy"),
    }


def role(name: str) -> str:
    made = boto3.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    return str(made["Role"]["Arn"])


@pytest.fixture
def params(emulated: Any) -> dict[str, Any]:
    return {**PARAMS, **prepare()}


def left() -> list[Any]:
    return list(boto3.client("rds").describe_db_proxies()["DBProxies"])


def test_contract(params: dict[str, Any]) -> None:
    another = boto3.client("secretsmanager").create_secret(Name="second", SecretString="{}")["ARN"]
    modified = {
        **params,
        "secret_arns": [*params["secret_arns"], another],
        "role_arn": role("other"),
        "idle_client_timeout": 600,
        "debug_logging": True,
        "client_password_auth_type": "MYSQL_CACHING_SHA2_PASSWORD",
        "max_connections_percent": 80,
        "max_idle_connections_percent": 20,
        "connection_borrow_timeout": 30,
        "init_query": "SET time_zone='+00:00'",
        "session_pinning_filters": ["EXCLUDE_VARIABLE_SETS"],
        "tags": {"wordpress_ha:stack": "blog", "owner": "us"},
    }
    first = contract.keep(rds_proxy, params, modified, left=left)
    (sent,) = first.sent("CreateDBProxy")
    assert sent["RequireTLS"] is True and sent["EngineFamily"] == "MYSQL"
    assert sent["Auth"] == [{"AuthScheme": "SECRETS", "SecretArn": params["secret_arns"][0], "IAMAuth": "DISABLED"}]
    assert first.facts["endpoint"].startswith("blog-database.db-proxy-") and first.facts["settled"] is True
    assert [one["resource"] for one in first.result["actions"]] == ["proxy/blog-database", "target/blog"]


def test_a_run_without_a_change_makes_four_calls(params: dict[str, Any]) -> None:
    contract.succeed(rds_proxy, params)
    assert [call.action for call in contract.succeed(rds_proxy, params).calls] == [
        "DescribeDBProxies",
        "ListTagsForResource",
        "DescribeDBProxyTargets",
        "DescribeDBProxyTargetGroups",
    ]


def test_another_cluster_takes_the_place_of_the_first(params: dict[str, Any]) -> None:
    contract.succeed(rds_proxy, params)
    told = contract.converge(rds_proxy, {**params, "cluster": "other"})
    assert [f"{one['action']} {one['resource']}" for one in told.result["actions"]] == [
        "delete target/blog",
        "create target/other",
    ]
    targets = boto3.client("rds").describe_db_proxy_targets(DBProxyName="blog-database")["Targets"]
    assert [one["RdsResourceId"] for one in targets if one["Type"] == "TRACKED_CLUSTER"] == ["other"]


def test_a_proxy_can_be_made_before_its_cluster(params: dict[str, Any]) -> None:
    begun = contract.succeed(rds_proxy, {**params, "cluster": None, "wait": False})
    assert [one["resource"] for one in begun.result["actions"]] == ["proxy/blog-database"]
    assert begun.facts["settled"] is False
    completed = contract.succeed(rds_proxy, params)
    assert [one["resource"] for one in completed.result["actions"]] == ["target/blog"]
    left_alone = contract.succeed(rds_proxy, {**params, "cluster": None})
    assert left_alone.result["changed"] is False


def test_a_role_that_rds_does_not_know_yet_is_waited_for(params: dict[str, Any]) -> None:
    refusals = [
        fake_service.Error("InvalidParameterValue", "RDS is not authorized to assume the IAM role") for _n in "ab"
    ]

    class Slow:
        def create_db_proxy(self, **arguments: Any) -> Any:
            if refusals:
                raise refusals.pop()
            return {"DBProxy": {"DBProxyName": "blog-database", "Auth": [], "Status": "creating"}}

    with fake_service.installed(rds=Slow()):
        made = contract.succeed(rds_proxy, {**params, "cluster": None, "wait": False})
    assert made.writing == ["rds:CreateDBProxy"] * 3
    failed = contract.run(rds_proxy, {**params, "role_arn": "arn:aws:iam::123456789012:role/none"})
    assert failed.failed and "Waited 90 s" in failed.result["msg"] and "role/none" in failed.result["msg"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": "1st"}, ["name is '1st'"]),
        ({"secret_arns": []}, ["secret_arns is empty"]),
        ({"subnet_ids": ["subnet-1"]}, ["subnet_ids is ['subnet-1']", "two Availability Zones"]),
        ({"idle_client_timeout": 0}, ["idle_client_timeout is 0", "28800"]),
        ({"max_connections_percent": 101}, ["max_connections_percent is 101"]),
        ({"max_connections_percent": 20, "max_idle_connections_percent": 50}, ["max_idle_connections_percent is 50"]),
        ({"connection_borrow_timeout": 301}, ["connection_borrow_timeout is 301"]),
    ],
)
def test_what_is_wrong_is_refused_before_any_write(
    params: dict[str, Any], wrong: dict[str, Any], words: list[str]
) -> None:
    contract.refuse(rds_proxy, {**params, **wrong}, *words)


def test_subnets_are_checked_and_fixed(params: dict[str, Any]) -> None:
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    ids = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{n}.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
        for n in range(2)
    ]
    contract.refuse(rds_proxy, {**params, "subnet_ids": ids}, "us-east-1a alone")
    contract.succeed(rds_proxy, params)
    contract.refuse(rds_proxy, {**params, "subnet_ids": ids}, "subnet_ids", "cannot be changed")


def test_another_stacks_proxy_is_left_alone(params: dict[str, Any]) -> None:
    contract.succeed(rds_proxy, params)
    other = {**params, "tags": {"wordpress_ha:stack": "shop"}}
    contract.refuse(rds_proxy, other, "'blog'", "'shop'")
    contract.refuse(rds_proxy, {**other, "state": "absent"}, "'blog'", "'shop'")


def test_unknown_inputs_in_check_mode(emulated: Any) -> None:
    unknown = "(known after apply)"
    inputs = {"subnet_ids": [unknown], "security_group_ids": [unknown], "role_arn": unknown, "secret_arns": [unknown]}
    assert contract.succeed(rds_proxy, {**PARAMS, **inputs}, check=True).facts["endpoint"] == unknown


def test_survives_kills(emulated: Any) -> None:
    assert contract.survive_kills(rds_proxy, PARAMS, prepare) >= 4
