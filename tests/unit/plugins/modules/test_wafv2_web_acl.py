# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""wafv2_web_acl: a web ACL with its log, and what it keeps of others' making."""

from __future__ import annotations

import copy
from typing import Any

import boto3
import contract
import pytest

from ansible_collections.wordpress_ha.aws.plugins.filter.firewall_rules import firewall_rules
from ansible_collections.wordpress_ha.aws.plugins.modules import wafv2_web_acl as module

STACK = {"wordpress_ha:stack": "blog"}
PARAMS: dict[str, Any] = {
    "name": "blog",
    "description": "WordPress",
    "rules": firewall_rules("count"),
    "logging": True,
    "tags": STACK,
}


def client(service: str) -> Any:
    return boto3.client(service, region_name="us-east-1")


def left() -> list[str]:
    acls = client("wafv2").list_web_acls(Scope="CLOUDFRONT")["WebACLs"]
    groups = client("logs").describe_log_groups()["logGroups"]
    return [one["Name"] for one in acls] + [one["logGroupName"] for one in groups]


def acl() -> dict[str, Any]:
    waf = client("wafv2")
    (one,) = waf.list_web_acls(Scope="CLOUDFRONT")["WebACLs"]
    return dict(waf.get_web_acl(Name=one["Name"], Scope="CLOUDFRONT", Id=one["Id"])["WebACL"])


def test_keeps_the_contract(emulated, prove):
    modified = {
        **PARAMS,
        "rules": firewall_rules("block", 500, 20, [{"rule": "NoUserAgent_HEADER"}]),
        "default_action": "block",
        "description": "Another",
        "log_retention_days": 90,
        "logged_actions": ["BLOCK"],
        "redacted_headers": ["Cookie", "Authorization", "X-Wp-Nonce"],
        "tags": {**STACK, "owner": "me"},
    }
    facts = contract.keep(module, PARAMS, modified, left=left).facts
    assert facts["arn"].startswith("arn:aws:wafv2:us-east-1:123456789012:global/webacl/blog/")
    assert facts["log_group_name"] == "aws-waf-logs-blog"
    assert facts["capacity"] <= 1500, "more than what WAF's price includes"
    prove(f"{len(facts['rules'])} rules take {facts['capacity']} of the 1,500 capacity units that cost nothing extra")


def test_survives_a_kill_between_any_two_calls(emulated):
    assert contract.survive_kills(module, PARAMS) > 4


def test_calls_of_a_run_without_change(emulated):
    contract.succeed(module, PARAMS)
    assert sorted(map(str, contract.succeed(module, PARAMS).calls)) == [
        "logs:DescribeLogGroups",
        "logs:ListTagsForResource",
        "wafv2:GetLoggingConfiguration",
        "wafv2:GetWebACL",
        "wafv2:ListTagsForResource",
        "wafv2:ListWebACLs",
    ]


def test_logins_and_credentials_are_left_out_of_the_log(emulated):
    facts = contract.succeed(module, PARAMS).facts
    found = client("wafv2").get_logging_configuration(ResourceArn=facts["arn"])["LoggingConfiguration"]
    assert [one["SingleHeader"]["Name"] for one in found["RedactedFields"]] == ["authorization", "cookie"]
    assert found["LoggingFilter"]["DefaultBehavior"] == "DROP"
    assert client("logs").describe_log_groups()["logGroups"][0]["retentionInDays"] == 30


def test_everything_is_logged_on_request(emulated):
    every = ["BLOCK", "COUNT", "CAPTCHA", "CHALLENGE", "ALLOW", "EXCLUDED_AS_COUNT"]
    facts = contract.converge(module, {**PARAMS, "logged_actions": every}).facts
    found = client("wafv2").get_logging_configuration(ResourceArn=facts["arn"])["LoggingConfiguration"]
    assert "LoggingFilter" not in found


def test_logging_ends_and_the_log_stays(emulated):
    contract.succeed(module, PARAMS)
    outcome = contract.converge(module, {**PARAMS, "logging": False})
    assert outcome.writing == ["wafv2:DeleteLoggingConfiguration"]
    assert left() == ["blog", "aws-waf-logs-blog"]


def test_what_this_module_does_not_know_is_kept(emulated):
    contract.succeed(module, PARAMS)
    waf, found = client("wafv2"), acl()
    (one,) = waf.list_web_acls(Scope="CLOUDFRONT")["WebACLs"]
    keys = ("Name", "Id", "DefaultAction", "Rules", "VisibilityConfig")
    bodies = {"busy": {"ContentType": "TEXT_PLAIN", "Content": "Later."}}
    waf.update_web_acl(
        Scope="CLOUDFRONT",
        LockToken=one["LockToken"],
        CustomResponseBodies=bodies,
        TokenDomains=["example.org"],
        **{key: found[key] for key in keys},
    )
    contract.converge(module, PARAMS, changed=False)
    contract.converge(module, {**PARAMS, "rules": []})
    assert acl()["CustomResponseBodies"] == bodies
    assert acl()["TokenDomains"] == ["example.org"]
    assert acl()["Rules"] == []


def test_unset_options_are_left_alone(emulated):
    contract.succeed(module, PARAMS)
    contract.converge(module, {"name": "blog"}, changed=False)


def test_another_stacks_web_acl_is_left_alone(emulated):
    contract.succeed(module, PARAMS)
    contract.refuse(module, {**PARAMS, "tags": {"wordpress_ha:stack": "shop"}}, "'blog'", "'shop'")


def test_what_guards_a_distribution_is_not_removed(emulated):
    arn = contract.succeed(module, PARAMS).facts["arn"]
    origin = {
        "Id": "o",
        "DomainName": "o.example.org",
        "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"},
    }
    behavior = {
        "TargetOriginId": "o",
        "ViewerProtocolPolicy": "redirect-to-https",
        "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
    }
    made = client("cloudfront").create_distribution(
        DistributionConfig={
            "CallerReference": "one",
            "Comment": "",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [origin]},
            "DefaultCacheBehavior": behavior,
            "WebACLId": arn,
        }
    )["Distribution"]["Id"]
    contract.refuse(module, {**PARAMS, "state": "absent"}, "blog", made, "edge_web_acl_arn")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"log_retention_days": 8}, ["log_retention_days", "8", "7"]),
        ({"logged_actions": ["DENY"]}, ["logged_actions", "DENY", "BLOCK"]),
        ({"rules": [{"Name": "a"}]}, ["rules[0]", "Priority"]),
        (
            {"rules": [PARAMS["rules"][0], {**PARAMS["rules"][1], "Priority": 0}]},
            ["rules[1].Priority", "0", "rules[0]"],
        ),
        ({"rules": [{**PARAMS["rules"][0], "OverrideAction": {"None": {}}}]}, ["rules[0] (editors)", "Action"]),
    ],
)
def test_refuses_before_any_write(emulated, change, words):
    contract.refuse(module, {**copy.deepcopy(PARAMS), **change}, *words)
