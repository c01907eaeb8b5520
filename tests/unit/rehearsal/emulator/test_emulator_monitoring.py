# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the extensions add to CloudWatch, its logs, SNS and WAF: each test is about one gap of moto."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

SEEN = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": True, "MetricName": "m"}


def refused(code: str, call: Any, **arguments: Any) -> str:
    """Return the message of a call that must fail with a code."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code
    return str(error.value.response["Error"]["Message"])


def alarm(name: str, **more: Any) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "Namespace": "n",
        "MetricName": "m",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        **more,
    }


class TestAlarms:
    def test_an_alarm_looks_back_a_day_at_most_or_a_week_by_hours(self, external):
        cloudwatch = external.client("cloudwatch")
        refused("InvalidParameterCombination", cloudwatch.put_metric_alarm, **alarm("a", EvaluationPeriods=1441))
        cloudwatch.put_metric_alarm(**alarm("a", Period=3600, EvaluationPeriods=168))
        refused(
            "InvalidParameterCombination", cloudwatch.put_metric_alarm, **alarm("b", Period=3600, EvaluationPeriods=169)
        )

    def test_one_series_is_compared(self, external):
        cloudwatch = external.client("cloudwatch")
        metrics = [{"Id": "a", "Expression": "1"}, {"Id": "b", "Expression": "2"}]
        given = {"AlarmName": "a", "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold"}
        refused(
            "InvalidParameterCombination",
            cloudwatch.put_metric_alarm,
            **given,
            Metrics=[{**one, "ReturnData": True} for one in metrics],
        )

    def test_an_alarm_tells_topics_of_its_region_that_exist(self, external):
        cloudwatch, sns = external.client("cloudwatch"), external.client("sns")
        arn = sns.create_topic(Name="t")["TopicArn"]
        cloudwatch.put_metric_alarm(**alarm("a", AlarmActions=[arn]))
        for wrong in (f"{arn}x", arn.replace("us-east-1", "eu-west-1")):
            refused("InvalidParameterValue", cloudwatch.put_metric_alarm, **alarm("b", AlarmActions=[wrong]))

    def test_a_dashboard_is_checked(self, external):
        cloudwatch = external.client("cloudwatch")
        for body in ("no JSON", "{}", '{"widgets":[{"type":"text","x":20,"width":6}]}'):
            refused("InvalidParameterInput", cloudwatch.put_dashboard, DashboardName="d", DashboardBody=body)


class TestTopics:
    def test_an_address_is_pending_until_it_confirms(self, external):
        sns = external.client("sns")
        arn = sns.create_topic(Name="t")["TopicArn"]
        for address in ("a@example.org", "b@example.org"):
            made = sns.subscribe(TopicArn=arn, Protocol="email", Endpoint=address)
            assert made["SubscriptionArn"] == "pending confirmation"
        sns.confirm_subscription(TopicArn=arn, Token="b@example.org")
        listed = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
        states = {one["Endpoint"]: one["SubscriptionArn"] for one in listed}
        assert states["a@example.org"] == "PendingConfirmation" and states["b@example.org"].startswith(arn)
        assert sorted(one["Endpoint"] for one in sns.list_subscriptions()["Subscriptions"]) == sorted(states)
        refused("InvalidParameter", sns.unsubscribe, SubscriptionArn="PendingConfirmation")
        # Asking again does not take back what was confirmed.
        assert sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="b@example.org")["SubscriptionArn"].startswith(
            arn
        )


class TestLogs:
    def test_a_groups_key_comes_and_goes(self, external):
        logs, kms = external.client("logs"), external.client("kms")
        logs.create_log_group(logGroupName="g")
        key = kms.create_key()["KeyMetadata"]["Arn"]
        logs.associate_kms_key(logGroupName="g", kmsKeyId=key)
        assert logs.describe_log_groups()["logGroups"][0]["kmsKeyId"] == key
        logs.disassociate_kms_key(logGroupName="g")
        assert "kmsKeyId" not in logs.describe_log_groups()["logGroups"][0]
        refused("InvalidParameterException", logs.associate_kms_key, logGroupName="g", kmsKeyId=f"{key}x")
        refused("ResourceNotFoundException", logs.associate_kms_key, logGroupName="h", kmsKeyId=key)


def rule(name: str, priority: int, statement: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Name": name, "Priority": priority, "Statement": statement, "VisibilityConfig": SEEN, **more}


def managed(name: str) -> dict[str, Any]:
    return {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": name}}


GROUP = rule("common", 0, managed("AWSManagedRulesCommonRuleSet"), OverrideAction={"Count": {}})
RATE = rule("rate", 1, {"RateBasedStatement": {"Limit": 100, "AggregateKeyType": "IP"}}, Action={"Block": {}})


class TestWebACLs:
    def made(self, external: Any, rules: list[dict[str, Any]]) -> dict[str, Any]:
        given = {"DefaultAction": {"Allow": {}}, "VisibilityConfig": SEEN, "Scope": "CLOUDFRONT", "Rules": rules}
        return dict(external.client("wafv2").create_web_acl(Name="w", **given)["Summary"])

    def test_rules_weigh_what_they_do(self, external):
        one = self.made(external, [GROUP, RATE])
        found = external.client("wafv2").get_web_acl(Name="w", Scope="CLOUDFRONT", Id=one["Id"])["WebACL"]
        assert found["Capacity"] == 702
        assert "TokenDomains" not in found

    def test_an_update_takes_rules_away(self, external):
        one, waf = self.made(external, [GROUP, RATE]), external.client("wafv2")
        named = {"Name": "w", "Scope": "CLOUDFRONT", "Id": one["Id"]}
        waf.update_web_acl(
            **named, DefaultAction={"Allow": {}}, VisibilityConfig=SEEN, Rules=[], LockToken=one["LockToken"]
        )
        assert waf.get_web_acl(**named)["WebACL"]["Rules"] == []

    @pytest.mark.parametrize(
        ("rules", "code"),
        [
            ([GROUP, {**RATE, "Priority": 0}], "WAFInvalidParameterException"),
            ([{**GROUP, "Action": {"Count": {}}}], "WAFInvalidParameterException"),
            ([{**RATE, "OverrideAction": {"Count": {}}}], "WAFInvalidParameterException"),
            (
                [rule("x", 0, managed("AWSManagedRulesNone"), OverrideAction={"Count": {}})],
                "WAFNonexistentItemException",
            ),
            (
                [
                    rule(
                        "x",
                        0,
                        {
                            "RateBasedStatement": {
                                "Limit": 10,
                                "AggregateKeyType": "IP",
                                "ScopeDownStatement": {
                                    "OrStatement": {
                                        "Statements": [{"LabelMatchStatement": {"Scope": "LABEL", "Key": "a"}}]
                                    }
                                },
                            }
                        },
                        Action={"Count": {}},
                    )
                ],
                "WAFInvalidParameterException",
            ),
        ],
    )
    def test_rules_are_checked(self, external, rules, code):
        given = {"DefaultAction": {"Allow": {}}, "VisibilityConfig": SEEN, "Scope": "CLOUDFRONT", "Rules": rules}
        refused(code, external.client("wafv2").create_web_acl, Name="w", **given)

    def test_requests_are_logged_to_what_exists_and_has_the_name(self, external):
        one, waf, logs = self.made(external, [RATE]), external.client("wafv2"), external.client("logs")
        logs.create_log_group(logGroupName="aws-waf-logs-w")
        groups = "arn:aws:logs:us-east-1:123456789012:log-group"
        for name, code in (
            ("w", "WAFInvalidParameterException"),
            ("aws-waf-logs-x", "WAFLogDestinationPermissionIssueException"),
        ):
            config = {"ResourceArn": one["ARN"], "LogDestinationConfigs": [f"{groups}:{name}"]}
            refused(code, waf.put_logging_configuration, LoggingConfiguration=config)
        config = {"ResourceArn": one["ARN"], "LogDestinationConfigs": [f"{groups}:aws-waf-logs-w"]}
        waf.put_logging_configuration(LoggingConfiguration=config)
        waf.delete_web_acl(Name="w", Scope="CLOUDFRONT", Id=one["Id"], LockToken=one["LockToken"])
        refused("WAFNonexistentItemException", waf.get_logging_configuration, ResourceArn=one["ARN"])
