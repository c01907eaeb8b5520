# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role monitoring alone: alarms and dashboard for what exists, from the edge to the database."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from .conftest import Account
from .lifecycle import Role

TAGS = {"wordpress_ha:stack": "shop"}
BALANCER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/shop/0123456789abcdef"
WEB = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/shop-web/0123456789abcdef"
#: Stands for us-east-1, in which the stack itself is here.
EDGE = "eu-west-1"


@pytest.fixture(scope="module")
def role(account: Account) -> Role:
    return Role(
        account,
        "monitoring",
        monitoring_name="shop",
        monitoring_tags=TAGS,
        monitoring_emails=["ops@example.org"],
        monitoring_subjects={"load_balancer": BALANCER, "target_groups": {"web": WEB}},
    )


def client(service: str, account: Account, region: str) -> Any:
    """Return a client of the emulated account in a region of choice."""
    names = {"aws_access_key_id": "AWS_ACCESS_KEY_ID", "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY"}
    keys = {name: account.emulator.environment[key] for name, key in names.items()}
    make: Any = boto3.client
    return make(service, region_name=region, endpoint_url=account.emulator.endpoint_url, **keys)


def cloudwatch(account: Account, region: str) -> Any:
    return client("cloudwatch", account, region)


def test_it_is_made(role: Role) -> None:
    made = role.create().result
    assert made["dashboard_name"] == "shop"
    assert made["gate_alarm_names"] == ["shop/balancer-errors", "shop/target-errors-web", "shop/target-latency-web"]
    assert made["log_group_names"]["cron"] == "/wordpress_ha/shop/cron"
    assert made["unconfirmed_emails"] == ["ops@example.org"]
    assert made["topic_arn"].endswith(":shop-alarms") and made["edge_topic_arn"] == made["topic_arn"]


def test_each_part_that_comes_is_watched(role: Role, account: Account, prove: Callable[[str], None]) -> None:
    subjects = {
        **role.options["monitoring_subjects"],
        "distribution_id": "E2EXAMPLE",
        "web_acl": "shop",
        "fleet": {"name": "shop-web", "min": 2, "max": 6},
        "nodes": {"agent": True, "metrics": True, "cron": True},
        "database": {"cluster": "shop-db", "instance_class": "db.r7g.large", "readers": 1},
        "cache": {"name": "shop-cache", "engine": "valkey", "nodes": 2},
        "files": {"file_system_id": "fs-0123456789abcdef0", "throughput_mode": "bursting"},
        "nat_gateway_ids": ["nat-0a", "nat-0b"],
        "backup_vault": "shop",
    }
    told = role.modify(monitoring_subjects=subjects, monitoring_edge_region=EDGE)
    names = told.result["alarm_names"]
    for part in ("edge", "firewall", "fleet", "node", "php", "cron", "cache", "files", "nat", "database", "backup"):
        assert any(name.startswith(f"shop/{part}-") for name in names), part
    body = json.loads(cloudwatch(account, "us-east-1").get_dashboard(DashboardName="shop")["DashboardBody"])
    titles = [
        one["properties"]["markdown"]
        for one in body["widgets"]
        if one["type"] == "text" and "##" in str(one["properties"])
    ]
    assert titles[0] == "## Edge (CloudFront)" and titles[-2:] == ["## Database (Aurora)", "## Backups"]
    prove(
        f"{len(names)} alarms and a dashboard of {len(body['widgets'])} widgets, {len(titles)} rows from edge to backups"
    )


def test_the_edges_alarms_and_their_topic_are_where_cloudfront_reports(role: Role, account: Account) -> None:
    (alarm,) = cloudwatch(account, EDGE).describe_alarms(AlarmNames=["shop/edge-errors"])["MetricAlarms"]
    assert alarm["AlarmActions"][0].split(":")[3] == EDGE
    assert {one["Name"] for one in alarm["Dimensions"]} == {"DistributionId", "Region"}
    home = cloudwatch(account, "us-east-1").describe_alarms()["MetricAlarms"]
    assert not [one["AlarmName"] for one in home if one.get("Namespace") in ("AWS/CloudFront", "AWS/WAFV2")]


def test_each_option_can_change(role: Role, account: Account) -> None:
    sns = account.emulator.client("sns")
    for topic in sns.list_topics()["Topics"]:
        sns.confirm_subscription(TopicArn=topic["TopicArn"], Token="ops@example.org")
    sns_of_the_edge = client("sns", account, EDGE)
    for topic in sns_of_the_edge.list_topics()["Topics"]:
        sns_of_the_edge.confirm_subscription(TopicArn=topic["TopicArn"], Token="ops@example.org")
    topic = sns.create_topic(Name="mine")["TopicArn"]
    keys = {region: client("kms", account, region).create_key()["KeyMetadata"]["Arn"] for region in ("us-east-1", EDGE)}
    role.before |= {f"sns:topics:{topic}"}
    told = role.modify(
        monitoring_thresholds={"database_cpu_percent": 70, "cache_cpu_percent": None, "cache_lag_seconds": None},
        monitoring_emails=["boss@example.org"],
        monitoring_log_retention_days=90,
        monitoring_log_groups=["boot", "cron", "nginx", "php", "audit"],
        monitoring_tags={**TAGS, "owner": "me"},
        monitoring_dashboard=False,
        monitoring_topic_arn=topic,
        monitoring_kms_key_id=keys[EDGE],
        monitoring_log_kms_key_id=keys["us-east-1"],
    )
    assert "shop/cache-cpu-001" not in told.result["alarm_names"]
    assert told.result["dashboard_name"] is None
    assert told.result["topic_arn"] == topic
    assert told.result["edge_topic_arn"].endswith(":shop-alarms"), "the edge's alarms need a topic of their own region"
    removed = {"dashboard/shop", "topic/us-east-1", "key/us-east-1", f"key/{EDGE}"}
    assert {f"delete {one}" for one in removed} <= set(told.resources)


def test_a_run_without_change_reads_with_few_calls(role: Role, account: Account, prove: Callable[[str], None]) -> None:
    told = role.unchanged()
    calls = [f"{one['service']}:{one['action']}" for one in account.emulator.calls()]
    assert len(calls) <= 13, calls
    prove(
        f"{len(told.result['alarm_names'])} alarms in two regions, topics, log groups: {len(calls)} calls without a change"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"monitoring_thresholds": {"cpu": 1}}, ["monitoring_thresholds.cpu", "database_cpu_percent"]),
        ({"monitoring_log_retention_days": 8}, ["retention_days is 8", "7"]),
    ],
)
def test_a_mistake_is_refused(role: Role, options: dict[str, Any], words: list[str]) -> None:
    role.refuse(*words, **options)


def test_it_can_be_removed(role: Role) -> None:
    role.absent()
