# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""cloudwatch_monitoring: alarms, topics with their keys, a dashboard and log groups as one unit, in one region and in two."""

from __future__ import annotations

import copy
import json
from typing import Any

import boto3
import contract
import pytest

from ansible_collections.wordpress_ha.aws.plugins.modules import cloudwatch_monitoring as module

STACK = {"wordpress_ha:stack": "blog"}
BALANCER = {"LoadBalancer": "app/blog/0123456789abcdef"}
PARAMS: dict[str, Any] = {
    "name": "blog",
    "emails": ["ops@example.org", "boss@example.org"],
    "alarms": {
        "errors": {
            "description": "Look at the nodes.",
            "namespace": "AWS/ApplicationELB",
            "metric": "HTTPCode_ELB_5XX_Count",
            "dimensions": BALANCER,
            "statistic": "Sum",
            "period": 60,
            "evaluation_periods": 5,
            "datapoints_to_alarm": 3,
            "threshold": 10,
            "missing": "notBreaching",
        },
        "share": {
            "description": "Look at the errors.",
            "metrics": [
                {"id": "share", "expression": "100 * errors / requests", "label": "Errors"},
                {
                    "id": "errors",
                    "namespace": "AWS/ApplicationELB",
                    "metric": "HTTPCode_Target_5XX_Count",
                    "dimensions": BALANCER,
                    "statistic": "Sum",
                },
                {
                    "id": "requests",
                    "namespace": "AWS/ApplicationELB",
                    "metric": "RequestCount",
                    "dimensions": BALANCER,
                    "statistic": "Sum",
                },
            ],
            "threshold": 5,
            "missing": "notBreaching",
        },
        "slow": {
            "description": "Look at the database.",
            "namespace": "AWS/ApplicationELB",
            "metric": "TargetResponseTime",
            "dimensions": BALANCER,
            "statistic": "p95",
            "unit": "Seconds",
            "comparison": ">=",
            "threshold": 2.5,
            "missing": "missing",
        },
    },
    "dashboard": {
        "widgets": [
            {"type": "alarm", "x": 0, "y": 0, "width": 24, "height": 2, "properties": {"alarms": ["errors", "slow"]}},
            {"type": "text", "x": 0, "y": 2, "width": 24, "height": 1, "properties": {"markdown": "# Edge"}},
        ]
    },
    "log_groups": {"nginx": {}, "boot": {"retention_days": 7}},
    "tags": STACK,
}
EDGE = {
    "description": "Look at the origin.",
    "region": "eu-west-1",
    "namespace": "AWS/CloudFront",
    "metric": "5xxErrorRate",
    "dimensions": {"DistributionId": "E1", "Region": "Global"},
    "threshold": 5,
    "missing": "notBreaching",
}
#: The emulator's account, in the second region too.
REGIONS = ["us-east-1", "eu-west-1"]


def client(service: str, region: str = "us-east-1") -> Any:
    return boto3.client(service, region_name=region)


def with_alarm(params: dict[str, Any], name: str, **alarm: Any) -> dict[str, Any]:
    """Return parameters in which an alarm is other than it was, or new."""
    changed = copy.deepcopy(params)
    changed["alarms"][name] = {**changed["alarms"].get(name, {}), **alarm}
    return changed


def left() -> list[str]:
    """Return what a removal left, in both regions; keys have their names until they are gone."""
    found: list[str] = []
    for region in REGIONS:
        found += [one["AlarmName"] for one in client("cloudwatch", region).describe_alarms()["MetricAlarms"]]
        found += [one["DashboardName"] for one in client("cloudwatch", region).list_dashboards()["DashboardEntries"]]
        found += [one["TopicArn"] for one in client("sns", region).list_topics()["Topics"]]
        found += [one["Endpoint"] for one in client("sns", region).list_subscriptions()["Subscriptions"]]
        found += [one["logGroupName"] for one in client("logs", region).describe_log_groups()["logGroups"]]
        aliases = client("kms", region).list_aliases()["Aliases"]
        found += [one["AliasName"] for one in aliases if not one["AliasName"].startswith("alias/aws/")]
    return found


def test_keeps_the_contract(emulated):
    modified = with_alarm(PARAMS, "errors", threshold=20, evaluation_periods=6, missing="breaching", enabled=False)
    modified = with_alarm(modified, "share", description="Something else.", tell_ok=False)
    modified = with_alarm(modified, "slow", statistic="Maximum", period=120, comparison="<", unit=None)
    modified["alarms"]["share"]["metrics"][0]["expression"] = "errors / requests"
    modified["dashboard"]["widgets"].append({"type": "text", "y": 3, "properties": {"markdown": "more"}})
    modified["log_groups"]["nginx"] = {"retention_days": 0}
    modified["log_groups"]["php"] = {"retention_days": 90}
    modified["emails"] = ["ops@example.org", "other@example.org"]
    modified["tags"] = {**STACK, "owner": "me"}
    modified["alarms"]["edge"] = EDGE
    facts = contract.keep(module, PARAMS, modified, left=left).facts
    assert facts["topic_arn"].endswith(":blog-alarms")
    assert facts["alarms"]["errors"]["name"] == "blog/errors"
    assert facts["log_group_names"] == {"boot": "/wordpress_ha/blog/boot", "nginx": "/wordpress_ha/blog/nginx"}
    assert facts["dashboard_name"] == "blog"
    assert facts["unconfirmed_emails"] == ["boss@example.org", "ops@example.org"]


def test_survives_a_kill_between_any_two_calls(emulated):
    params = with_alarm(PARAMS, "edge", **EDGE)
    assert contract.survive_kills(module, {**params, "purge": True}) > 15
    keys = [
        client("kms").describe_key(KeyId=one["KeyId"])["KeyMetadata"]["KeyState"]
        for one in client("kms").list_keys()["Keys"]
    ]
    assert keys.count("Enabled") == 0, "a killed run left a key that costs money"


@pytest.mark.parametrize("kill_before", range(1, 4))
def test_what_a_killed_run_began_can_be_removed(emulated, kill_before):
    with pytest.raises(contract.Killed):
        contract.run(module, PARAMS, kill_before=kill_before)
    contract.succeed(module, {**PARAMS, "state": "absent"})
    assert left() == []
    kms = client("kms")
    states = [kms.describe_key(KeyId=one["KeyId"])["KeyMetadata"]["KeyState"] for one in kms.list_keys()["Keys"]]
    assert states == ["PendingDeletion"]
    contract.converge(module, {**PARAMS, "state": "absent"}, changed=False)


def test_a_killed_change_of_tags_reaches_every_alarm_and_group(emulated):
    contract.succeed(module, PARAMS)
    params = {**PARAMS, "tags": {**STACK, "owner": "me"}}
    contract._die_and_resume(module, params)
    cloudwatch, logs = client("cloudwatch"), client("logs")
    for alarm in cloudwatch.describe_alarms()["MetricAlarms"]:
        tags = cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        assert {"Key": "owner", "Value": "me"} in tags, alarm["AlarmName"]
    for group in logs.describe_log_groups()["logGroups"]:
        tags = logs.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"]
        assert tags.get("owner") == "me", group["logGroupName"]


@pytest.mark.parametrize("number", [3, 40])
def test_calls_of_a_run_without_change_do_not_grow_with_the_alarms(emulated, prove, number):
    params = PARAMS
    for one in range(number):
        params = with_alarm(params, f"more-{one}", **{**PARAMS["alarms"]["errors"], "threshold": one})
    contract.succeed(module, params)
    calls = contract.succeed(module, params).calls
    assert sorted(map(str, calls)) == [
        "cloudwatch:DescribeAlarms",
        "cloudwatch:GetDashboard",
        "cloudwatch:ListTagsForResource",
        "kms:DescribeKey",
        "kms:GetKeyPolicy",
        "logs:DescribeLogGroups",
        "logs:ListTagsForResource",
        "sns:GetTopicAttributes",
        "sns:ListSubscriptionsByTopic",
        "sns:ListTagsForResource",
    ]
    prove(f"{number + 3} alarms, topic, dashboard and log groups without a change: {len(calls)} calls")


def test_the_edge_has_alarms_and_a_topic_of_its_own_region(emulated):
    params = with_alarm(PARAMS, "edge", **EDGE)
    outcome = contract.converge(module, params)
    assert set(outcome.facts["topic_arns"]) == set(REGIONS)
    assert outcome.facts["alarms"]["edge"]["region"] == "eu-west-1"
    (alarm,) = client("cloudwatch", "eu-west-1").describe_alarms()["MetricAlarms"]
    assert alarm["AlarmActions"] == [outcome.facts["topic_arns"]["eu-west-1"]]
    contract.converge(module, {**PARAMS, "regions": ["eu-west-1"]}, changed=False)
    purged = contract.converge(module, {**PARAMS, "regions": ["eu-west-1"], "purge": True})
    assert [f"{one['action']} {one['resource']}" for one in purged.result["actions"]] == [
        "delete alarm/edge",
        "delete topic/eu-west-1",
        "delete key/eu-west-1",
    ]


def test_the_topic_is_encrypted_by_a_key_that_alarms_can_use_and_open_to_nobody_else(emulated):
    contract.succeed(module, PARAMS)
    sns, kms = client("sns"), client("kms")
    arn = sns.list_topics()["Topics"][0]["TopicArn"]
    attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    key = kms.describe_key(KeyId=attributes["KmsMasterKeyId"])["KeyMetadata"]
    assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"]
    allowed, denied = [], []
    for one in json.loads(attributes["Policy"])["Statement"]:
        (allowed if one["Effect"] == "Allow" else denied).append(one)
    assert [one["Principal"] for one in allowed] == [
        {"Service": "cloudwatch.amazonaws.com"},
        {"Service": "backup.amazonaws.com"},
    ]
    assert all(one["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}} for one in allowed)
    assert [one["Condition"] for one in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]
    statements = json.loads(kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"])["Statement"]
    assert statements[1]["Principal"] == {"Service": ["cloudwatch.amazonaws.com", "backup.amazonaws.com"]}
    assert statements[1]["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]


def test_what_somebody_did_to_the_topic_is_undone(emulated):
    contract.succeed(module, PARAMS)
    sns = client("sns")
    arn = sns.list_topics()["Topics"][0]["TopicArn"]
    sns.set_topic_attributes(
        TopicArn=arn, AttributeName="Policy", AttributeValue='{"Version":"2012-10-17","Statement":[]}'
    )
    sns.set_topic_attributes(TopicArn=arn, AttributeName="KmsMasterKeyId", AttributeValue="alias/aws/sns")
    kms = client("kms")
    kms.schedule_key_deletion(KeyId=kms.describe_key(KeyId="alias/blog-alarms")["KeyMetadata"]["KeyId"])
    outcome = contract.converge(module, PARAMS)
    assert [one["resource"] for one in outcome.result["actions"]] == ["key/us-east-1", "topic/us-east-1"]


def test_addresses_are_told_once_they_confirmed(emulated):
    contract.succeed(module, PARAMS)
    sns = client("sns")
    arn = sns.list_topics()["Topics"][0]["TopicArn"]
    sns.confirm_subscription(TopicArn=arn, Token="boss@example.org")
    assert contract.succeed(module, PARAMS).facts["unconfirmed_emails"] == ["ops@example.org"]
    # Not without purge; what was never confirmed SNS forgets by itself, and no run waits for that.
    contract.converge(module, {**PARAMS, "emails": []}, changed=False)
    outcome = contract.converge(module, {**PARAMS, "emails": [], "purge": True})
    assert outcome.writing == ["sns:Unsubscribe"]
    assert outcome.facts["unconfirmed_emails"] == []


def test_a_given_topic_is_told_and_left_alone(emulated):
    arn = client("sns").create_topic(Name="mine")["TopicArn"]
    params = {**PARAMS, "topic_arns": {"us-east-1": arn}}
    outcome = contract.converge(module, params)
    assert outcome.facts["topic_arn"] == arn
    assert not [call for call in outcome.writing if call.startswith(("sns:", "kms:"))]
    contract.converge(module, {**params, "state": "absent"})
    assert left() == [arn]


def test_unset_options_are_left_alone(emulated):
    contract.succeed(module, PARAMS)
    outcome = contract.converge(module, {"name": "blog", "purge": True}, changed=False)
    assert set(outcome.facts["alarms"]) == {"errors", "share", "slow"}
    assert not contract.converge(module, {**PARAMS, "alarms": {}}, changed=False).result["actions"]
    purged = contract.converge(module, {**PARAMS, "alarms": {}, "dashboard": {}, "purge": True})
    assert [f"{one['action']} {one['resource']}" for one in purged.result["actions"]] == [
        "delete dashboard/blog",
        "delete alarm/slow",
        "delete alarm/share",
        "delete alarm/errors",
    ]


def test_an_alarm_that_is_switched_from_math_to_a_metric(emulated):
    contract.succeed(module, PARAMS)
    params = copy.deepcopy(PARAMS)
    params["alarms"]["share"] = {**params["alarms"]["errors"], "threshold": 1}
    contract.converge(module, params)
    contract.converge(module, PARAMS)


def test_the_log_groups_key_is_set_and_taken_away(emulated):
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    with_key = {**PARAMS, "log_groups": {"nginx": {"kms_key_id": key}, "boot": {"retention_days": 7}}}
    contract.succeed(module, PARAMS)
    assert "logs:AssociateKmsKey" in contract.converge(module, with_key).writing
    assert "logs:DisassociateKmsKey" in contract.converge(module, PARAMS).writing


def test_what_belongs_to_others_is_left_alone(emulated):
    contract.succeed(module, PARAMS)
    cloudwatch = client("cloudwatch")
    alarm = {
        key: value
        for key, value in cloudwatch.describe_alarms()["MetricAlarms"][0].items()
        if key
        in (
            "Namespace",
            "MetricName",
            "Dimensions",
            "Statistic",
            "Period",
            "EvaluationPeriods",
            "Threshold",
            "ComparisonOperator",
        )
    }
    shop = [{"Key": "wordpress_ha:stack", "Value": "shop"}]
    # Made by hand below our name, by another stack whose name begins like ours, and in our name by another stack.
    cloudwatch.put_metric_alarm(AlarmName="blog/by-hand", **alarm)
    cloudwatch.put_metric_alarm(AlarmName="blog-shop/errors", **alarm)
    cloudwatch.put_metric_alarm(AlarmName="blog/theirs", Tags=shop, **alarm)
    contract.converge(module, {**PARAMS, "purge": True}, changed=False)
    contract.refuse(
        module, with_alarm(PARAMS, "theirs", **PARAMS["alarms"]["errors"]), "blog/theirs", "'shop'", "'blog'"
    )
    contract.refuse(module, {**PARAMS, "tags": {"wordpress_ha:stack": "shop"}}, "'blog'", "'shop'")
    contract.converge(module, {"name": "blog", "tags": STACK, "state": "absent"})
    names = [one["AlarmName"] for one in cloudwatch.describe_alarms()["MetricAlarms"]]
    assert sorted(names) == ["blog-shop/errors", "blog/by-hand", "blog/theirs"]


def test_somebody_elses_dashboard_is_left_alone(emulated):
    client("cloudwatch").put_dashboard(DashboardName="blog", DashboardBody='{"widgets":[]}')
    contract.refuse(module, PARAMS, "dashboard blog", "somebody else")
    contract.converge(module, {**PARAMS, "dashboard": {}, "purge": True})
    contract.converge(module, {**PARAMS, "state": "absent"})
    assert left() == ["blog"]


def test_predicts_on_an_empty_account_with_subjects_that_do_not_exist_yet(emulated):
    params = with_alarm(PARAMS, "errors", dimensions={"LoadBalancer": "(known after apply)"})
    outcome = contract.succeed(module, params, check=True)
    assert outcome.facts["alarms"]["errors"]["arn"].endswith(":alarm:blog/errors")
    failed = contract.run(module, params)
    assert failed.failed and failed.writing == []


def test_the_dashboard_names_alarms_by_arn_and_says_whose_it_is(emulated):
    facts = contract.succeed(module, PARAMS).facts
    body = json.loads(client("cloudwatch").get_dashboard(DashboardName="blog")["DashboardBody"])
    assert body["widgets"][0]["properties"]["alarms"] == [facts["alarms"][name]["arn"] for name in ("errors", "slow")]
    assert "wordpress_ha.aws" in body["widgets"][-1]["properties"]["markdown"]


@pytest.mark.parametrize(
    ("alarm", "words"),
    [
        ({"missing": "maybe"}, ["alarms.errors", "missing", "maybe"]),
        ({"description": None}, ["alarms.errors", "description"]),
        ({"metrics": [{"id": "a"}]}, ["alarms.errors", "metric", "metrics"]),
        ({"statistic": "p995x"}, ["alarms.errors.statistic", "p995x", "p95"]),
        ({"period": 90}, ["alarms.errors.period", "90", "60"]),
        ({"datapoints_to_alarm": 6}, ["alarms.errors.datapoints_to_alarm", "6", "5"]),
        ({"period": 300, "evaluation_periods": 300}, ["alarms.errors", "90000", "86400"]),
        ({"comparison": "="}, ["alarms.errors", "comparison"]),
        ({"threshold": "much"}, ["alarms.errors", "threshold"]),
        ({"description": "x" * 1025}, ["alarms.errors.description", "1025", "1024"]),
    ],
)
def test_refuses_an_alarm_before_any_write(emulated, alarm, words):
    contract.refuse(module, with_alarm(PARAMS, "errors", **alarm), *words)


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ([{"id": "A", "expression": "1"}], ["alarms.share.metrics", "'A'", "small letter"]),
        ([{"id": "a", "expression": "1"}, {"id": "a", "expression": "2"}], ["alarms.share.metrics", "'a', 'a'"]),
        ([{"id": "a", "expression": "1"}, {"id": "b", "expression": "2"}], ["return data", "Exactly one"]),
        ([{"id": "a", "metric": "m"}], ["alarms.share.metrics[0]", "namespace"]),
    ],
)
def test_refuses_metric_math_that_cannot_be_evaluated(emulated, metrics, words):
    contract.refuse(module, with_alarm(PARAMS, "share", metrics=metrics), *words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"emails": ["nobody"]}, ["emails[0]", "nobody", "@"]),
        ({"log_groups": {"nginx": {"retention_days": 8}}}, ["log_groups.nginx.retention_days", "8", "7"]),
        ({"log_group_prefix": "/blog"}, ["log_group_prefix", "/blog", "slash"]),
        ({"topic_arns": {"us-east-1": "arn:aws:sns:eu-west-1:1:x"}}, ["topic_arns.us-east-1", "region"]),
        ({"dashboard": {"widgets": "none"}}, ["dashboard.widgets", "list"]),
        ({"dashboard": {"widgets": [{"type": "pie"}]}}, ["dashboard.widgets[0].type", "pie", "metric"]),
        ({"dashboard": {"widgets": [{"type": "text", "x": 20, "width": 6}]}}, ["dashboard.widgets[0]", "24"]),
    ],
)
def test_refuses_before_any_write(emulated, change, words):
    contract.refuse(module, {**PARAMS, **change}, *words)


def test_an_alarm_does_not_move_to_another_region(emulated):
    contract.succeed(module, PARAMS)
    contract.refuse(module, {**with_alarm(PARAMS, "errors", region="eu-west-1")}, "region of alarm/errors", "us-east-1")
