# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""cloudfront_behaviors against the emulated CloudFront, on a distribution that somebody made by hand."""

from __future__ import annotations

import copy
import json
from typing import Any

import botocore.handlers
import contract
import pytest
import yaml

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _plan
from ansible_collections.wordpress_ha.aws.plugins.modules import cloudfront_behaviors as module
from ansible_collections.wordpress_ha.aws.plugins.modules import cloudfront_distribution

DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_VIEWER = "216adef6-5c7f-47e4-b989-5492eafa07d3"
STATIC: dict[str, Any] = {"target_origin": "site", "cache_policy": "CachingOptimized"}
ADMIN: dict[str, Any] = {"path_pattern": "admin/*", "target_origin": "site", "cache_policy": "Managed-CachingDisabled"}
ONE = {"path_pattern": "one/*", **STATIC}
TWO = {"path_pattern": "two/*", **STATIC, "compress": True}
THREE = {"path_pattern": "three/*", **STATIC}


def made_by_hand(cloudfront: Any, *patterns: str, alias: bool = False) -> str:
    """Make a distribution with settings no option of ours stands for; returns its id."""
    behavior = {
        "TargetOriginId": "site",
        "ViewerProtocolPolicy": "https-only",
        "TrustedSigners": {"Enabled": True, "Quantity": 1, "Items": ["self"]},
        "CachePolicyId": DISABLED,
        "AllowedMethods": {
            "Quantity": 3,
            "Items": ["OPTIONS", "HEAD", "GET"],
            "CachedMethods": {"Quantity": 2, "Items": ["HEAD", "GET"]},
        },
        "FunctionAssociations": {"Quantity": 0},
        "GrpcConfig": {"Enabled": False},
    }
    origin = {
        "Id": "site",
        "DomainName": "site.example.org",
        "ConnectionAttempts": 1,
        "OriginShield": {"Enabled": True, "OriginShieldRegion": "eu-west-1"},
        "CustomHeaders": {"Quantity": 1, "Items": [{"HeaderName": "X-Secret", "HeaderValue": "the-header-value"}]},
        "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"},
    }
    behaviors = [{"PathPattern": pattern, **behavior} for pattern in patterns]
    made = cloudfront.create_distribution(
        DistributionConfig={
            "CallerReference": "made by hand",
            "Comment": "by hand",
            "Enabled": True,
            "Staging": False,
            "Origins": {"Quantity": 1, "Items": [origin]},
            "DefaultCacheBehavior": behavior,
            "CacheBehaviors": {"Quantity": len(behaviors), "Items": behaviors},
        }
    )["Distribution"]
    return str(made["Id"])


def wire(client: Any, identifier: str) -> Any:
    return client.get_distribution_config(Id=identifier)["DistributionConfig"]


def order(client: Any, identifier: str) -> list[str]:
    return [item["PathPattern"] for item in wire(client, identifier)["CacheBehaviors"].get("Items", [])]


def same(predicted: Any, sent: Any) -> bool:
    """Whether two requests are the same byte for byte, but for the values of headers, which are not shown."""
    expected = copy.deepcopy(sent)
    for origin in expected["DistributionConfig"]["Origins"]["Items"]:
        for header in origin["CustomHeaders"].get("Items", []):
            header["HeaderValue"] = "********"
    return json.dumps(predicted, sort_keys=True) == json.dumps(expected, sort_keys=True)


@pytest.fixture
def cloudfront(emulated: Any) -> Any:
    return emulated("cloudfront")


FUTURE: list[bytes] = []


def _let_aws_know_more(response_dict: Any, **_more: Any) -> None:
    """Put settings of the future into AWS's answer, as it comes over the wire; one of them is off."""
    for place in FUTURE:
        more = b"<Future><Setting>1</Setting></Future><Off><Enabled>false</Enabled></Off>"
        response_dict["body"] = response_dict["body"].replace(place, more + place)


for _operation in ("GetDistribution", "GetDistributionConfig"):
    botocore.handlers.BUILTIN_HANDLERS.append((f"before-parse.cloudfront.{_operation}", _let_aws_know_more))


@pytest.mark.parametrize(
    ("place", "where"),
    [
        (b"</CacheBehaviors>", "CacheBehaviors.Future"),
        (b"</CacheBehavior>", "CacheBehaviors.Items.Future"),
        (b"</CustomOriginConfig>", "Origins.Items.CustomOriginConfig.Future"),
        (b"</DistributionConfig>", "Future"),
    ],
)
def test_what_botocore_cannot_send_back_is_not_removed(cloudfront, monkeypatch, place, where):
    """botocore drops what it does not know; an update of the rest would then remove it at AWS."""
    identifier = made_by_hand(cloudfront, "one/*")
    monkeypatch.setattr(f"{__name__}.FUTURE", [place])
    contract.refuse(module, {"distribution": identifier, "behaviors": [ADMIN]}, f"has {where}, which", "botocore")
    distribution = {"distribution_id": identifier, "comment": "other"}
    contract.refuse(cloudfront_distribution, distribution, f"has {where}, which", "botocore")
    unchanged = contract.succeed(module, {"distribution": identifier, "behaviors": [{"path_pattern": "one/*"}]})
    assert unchanged.result["changed"] is False
    ignoring = {"distribution": identifier, "behaviors": [TWO], "lint_ignore": ["unknown-to-botocore"]}
    assert where in str(contract.succeed(module, ignoring).result["warnings"])
    monkeypatch.setattr(f"{__name__}.FUTURE", [])
    contract.converge(module, {"distribution": identifier, "behaviors": [ADMIN]})


def test_the_whole_list(cloudfront):
    """First changed, then silent; the request is predicted; one read and one write; no other call."""
    identifier = made_by_hand(cloudfront, "old/*", "two/*")
    before = wire(cloudfront, identifier)
    params = {"distribution": identifier, "behaviors": [ADMIN, TWO, ONE]}
    predicted = contract.succeed(module, params, check=True)
    outcome = contract.converge(module, params)
    assert [str(call) for call in outcome.calls] == [
        "cloudfront:GetDistributionConfig",
        "cloudfront:UpdateDistribution",
    ]
    (sent,) = outcome.sent("UpdateDistribution")
    assert same(predicted.result["request"], sent) and same(outcome.result["request"], sent)
    unchanged = contract.succeed(module, params)
    assert [str(call) for call in unchanged.calls] == ["cloudfront:GetDistributionConfig"]
    assert [action["resource"] for action in outcome.result["actions"]] == [
        "behavior/admin/*",
        "behavior/two/*",
        "behavior/one/*",
        "order/behaviors",
        "behavior/old/*",
    ]
    after = wire(cloudfront, identifier)
    assert {**after, "CacheBehaviors": 0} == {**before, "CacheBehaviors": 0}
    (kept,) = [item for item in after["CacheBehaviors"]["Items"] if item["PathPattern"] == "two/*"]
    old = before["CacheBehaviors"]["Items"][1]
    assert kept == {**old, "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6", "Compress": True}
    assert outcome.facts["behaviors"][0]["cache_policy"] == DISABLED
    assert "the-header-value" not in json.dumps(outcome.result)


def test_sets_are_shuffled_and_behaviors_are_not(cloudfront):
    identifier = made_by_hand(cloudfront)
    listed = [{**ADMIN, "allowed_methods": ["GET", "HEAD", "OPTIONS"], "cached_methods": ["GET", "HEAD"]}, TWO]
    contract.converge(module, {"distribution": identifier, "behaviors": listed})
    shuffled = [{**listed[0], "allowed_methods": ["OPTIONS", "GET", "HEAD"], "cached_methods": ["HEAD", "GET"]}, TWO]
    assert contract.succeed(module, {"distribution": identifier, "behaviors": shuffled}).result["changed"] is False
    moved = contract.converge(module, {"distribution": identifier, "behaviors": [TWO, listed[0]]})
    assert moved.result["diff"] == {
        "before": {"order/behaviors": {"path_patterns": ["admin/*", "two/*"]}},
        "after": {"order/behaviors": {"path_patterns": ["two/*", "admin/*"]}},
    }
    assert contract.converge(module, {"distribution": identifier, "behaviors": []}).facts["behaviors"] == []


def test_the_default_behavior_alone(cloudfront):
    identifier = made_by_hand(cloudfront, "one/*")
    before = wire(cloudfront, identifier)
    params = {"distribution": identifier, "default_behavior": {"origin_request_policy": "AllViewer", "compress": True}}
    outcome = contract.converge(module, params)
    expected = copy.deepcopy(before)
    expected["DefaultCacheBehavior"].update(OriginRequestPolicyId=ALL_VIEWER, Compress=True)
    assert wire(cloudfront, identifier) == expected
    assert outcome.result["diff"]["after"] == {
        "default_behavior": {"compress": True, "origin_request_policy": f"AllViewer ({ALL_VIEWER})"}
    }
    contract.converge(module, {"distribution": identifier, "default_behavior": {"origin_request_policy": ""}})
    assert "OriginRequestPolicyId" not in wire(cloudfront, identifier)["DefaultCacheBehavior"]


def test_from_policies_to_legacy_settings_and_back(cloudfront):
    identifier = made_by_hand(cloudfront, "one/*")
    cookies = {"query_string": True, "cookies": "whitelist", "cookie_names": ["b", "a"], "headers": ["Host"]}
    legacy = {"path_pattern": "one/*", "forwarded_values": cookies, "default_ttl": 60}
    contract.converge(module, {"distribution": identifier, "behaviors": [legacy]})
    (item,) = wire(cloudfront, identifier)["CacheBehaviors"]["Items"]
    assert "CachePolicyId" not in item and item["DefaultTTL"] == 60 and item["MinTTL"] == 0
    assert item["ForwardedValues"]["Cookies"]["WhitelistedNames"]["Items"] == ["a", "b"]
    contract.converge(module, {"distribution": identifier, "behaviors": [ONE]})
    (item,) = wire(cloudfront, identifier)["CacheBehaviors"]["Items"]
    assert not {"ForwardedValues", "MinTTL", "DefaultTTL", "MaxTTL"} & set(item)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([ADMIN], ["one/*", "two/*", "three/*", "admin/*"]),
        ([{**ADMIN, "before": "two/*"}], ["one/*", "admin/*", "two/*", "three/*"]),
        ([{**ADMIN, "after": "two/*"}], ["one/*", "two/*", "admin/*", "three/*"]),
        ([{**ADMIN, "before": "one/*"}], ["admin/*", "one/*", "two/*", "three/*"]),
        ([{**THREE, "before": "one/*"}], ["three/*", "one/*", "two/*"]),
        ([{**THREE, "after": "one/*", "compress": True}], ["one/*", "two/*", "three/*"]),
        ([{**ONE, "after": "three/*"}], ["two/*", "three/*", "one/*"]),
        ([{**ADMIN, "before": "one/*"}, {**THREE, "after": "admin/*"}], ["admin/*", "one/*", "two/*", "three/*"]),
        (
            [{**ADMIN, "before": "two/*"}, {"path_pattern": "b/*", **STATIC, "before": "two/*"}],
            ["one/*", "admin/*", "b/*", "two/*", "three/*"],
        ),
    ],
)
def test_single_behaviors_find_their_place(cloudfront, entries, expected):
    identifier = made_by_hand(cloudfront, "one/*", "two/*", "three/*")
    before = {item["PathPattern"]: item for item in wire(cloudfront, identifier)["CacheBehaviors"]["Items"]}
    contract.converge(module, {"distribution": identifier, "purge": False, "behaviors": entries})
    assert order(cloudfront, identifier) == expected
    given = {entry["path_pattern"] for entry in entries}
    for item in wire(cloudfront, identifier)["CacheBehaviors"]["Items"]:
        assert item["PathPattern"] in given or item == before[item["PathPattern"]]


def test_a_slash_at_the_beginning_makes_no_difference(cloudfront):
    """CloudFront takes it for granted: it must not lead to two behaviors, nor to a change."""
    identifier = made_by_hand(cloudfront, "/one/*", "two/*")
    before = wire(cloudfront, identifier)
    same_again = [{"path_pattern": "one/*"}, {"path_pattern": "/two/*"}]
    assert contract.succeed(module, {"distribution": identifier, "behaviors": same_again}).result["changed"] is False
    single = {"distribution": identifier, "purge": False, "behaviors": [{**ADMIN, "after": "one/*"}]}
    contract.converge(module, single)
    assert order(cloudfront, identifier) == ["/one/*", "admin/*", "two/*"]
    gone = [{"path_pattern": "one/*"}, {"path_pattern": "/admin/*"}]
    contract.converge(module, {"distribution": identifier, "behaviors": gone, "state": "absent"})
    assert wire(cloudfront, identifier)["CacheBehaviors"]["Items"] == before["CacheBehaviors"]["Items"][1:]


def test_absent_removes_the_named_ones_only(cloudfront):
    identifier = made_by_hand(cloudfront, "one/*", "two/*", "three/*")
    before = wire(cloudfront, identifier)
    params = {"distribution": identifier, "behaviors": [{"path_pattern": "two/*"}, {"path_pattern": "never/*"}]}
    outcome = contract.converge(module, {**params, "state": "absent"})
    assert order(cloudfront, identifier) == ["one/*", "three/*"]
    assert outcome.writing == ["cloudfront:UpdateDistribution"]
    del before["CacheBehaviors"]["Items"][1]
    before["CacheBehaviors"]["Quantity"] = 2
    assert wire(cloudfront, identifier) == before
    gathered = contract.succeed(module, {"distribution": identifier, "state": "gathered"})
    assert [entry["path_pattern"] for entry in gathered.facts["behaviors"]] == ["one/*", "three/*"]
    assert gathered.result["request"] is None


def test_a_distribution_answers_to_many_names(emulated, cloudfront):
    identifier = made_by_hand(cloudfront, "one/*")
    found = cloudfront.get_distribution(Id=identifier)["Distribution"]
    tags = {"Items": [{"Key": "wordpress_ha:distribution", "Value": "blog"}]}
    cloudfront.tag_resource(Resource=found["ARN"], Tags=tags)
    for given, calls in (
        (identifier, 1),
        (found["ARN"], 1),
        ("blog", 2),
        (found["DomainName"].upper(), 3),
    ):
        outcome = contract.succeed(module, {"distribution": given, "state": "gathered"})
        assert outcome.facts["id"] == identifier
        assert len(outcome.calls) == calls
    contract.refuse(module, {"distribution": "nobody", "behaviors": []}, "distribution is 'nobody'", "Create it first")


def test_somebody_writes_in_between(cloudfront, monkeypatch):
    """A behavior that appears meanwhile is taken into account: with single behaviors it stays."""
    identifier = made_by_hand(cloudfront, "one/*")
    changes_of = module.Behaviors.changes_of
    disturbed: list[int] = []

    def disturbing(self: Any, made: Any) -> Any:
        result = changes_of(self, made)
        if not disturbed:
            disturbed.append(1)
            found = cloudfront.get_distribution_config(Id=identifier)
            config = found["DistributionConfig"]
            theirs = {**config["CacheBehaviors"]["Items"][0], "PathPattern": "theirs/*"}
            config["CacheBehaviors"] = {"Quantity": 2, "Items": [theirs, *config["CacheBehaviors"]["Items"]]}
            cloudfront.update_distribution(Id=identifier, IfMatch=found["ETag"], DistributionConfig=config)
        return result

    monkeypatch.setattr(module.Behaviors, "changes_of", disturbing)
    params = {"distribution": identifier, "purge": False, "behaviors": [{**ADMIN, "before": "one/*"}]}
    outcome = contract.succeed(module, params)
    assert order(cloudfront, identifier) == ["theirs/*", "admin/*", "one/*"]
    order_change = outcome.result["diff"]["before"]["order/behaviors"]
    assert order_change == {"path_patterns": ["theirs/*", "one/*"]}, "the diff is not that of what was written"
    assert same(outcome.result["request"], outcome.sent("UpdateDistribution")[-1])
    assert contract.succeed(module, params).result["changed"] is False


def test_survives_kills(emulated):
    cloudfront = emulated("cloudfront")
    params = {"behaviors": [ADMIN, ONE]}
    assert (
        contract.survive_kills(module, params, lambda: {"distribution": made_by_hand(cloudfront, "admin/*", "one/*")})
        == 2
    )


def test_inputs_that_only_a_real_run_can_supply(cloudfront):
    """On an empty account in check mode: an unknown distribution, one that is yet to be made, and unknown policies."""
    unknown = _plan.UNKNOWN
    for given in (unknown, "blog"):
        params = {
            "distribution": given,
            "behaviors": [{**ADMIN, "cache_policy": unknown}, {**ONE, "cache_policy": "later"}],
        }
        outcome = contract.succeed(module, params, check=True)
        assert outcome.result["changed"] is True
        assert outcome.facts["id"] == unknown and outcome.result["request"] is None
        contract.refuse(module, params)
    identifier = made_by_hand(cloudfront, "one/*")
    outcome = contract.succeed(
        module, {"distribution": identifier, "behaviors": [{**ONE, "cache_policy": unknown}]}, True
    )
    assert outcome.result["diff"]["after"] == {"behavior/one/*": {"cache_policy": unknown}}
    removal = {"distribution": unknown, "behaviors": [{"path_pattern": "a/*"}], "state": "absent"}
    assert contract.succeed(module, removal, check=True).result["changed"] is False


REFUSALS: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"behaviors": [{**ADMIN, "before": "one/*"}]}, ("behaviors[0].before is 'one/*' with purge",)),
    ({"purge": False, "behaviors": [{**ADMIN, "before": "no/*"}]}, ("behaviors[0].before is 'no/*'", "one/*, two/*")),
    ({"purge": False, "behaviors": [{**ADMIN, "before": "one/*", "after": "two/*"}]}, ("behaviors[0].after", "neighbour")),
    ({"purge": False, "behaviors": [{**ONE, "after": "one/*"}]}, ("behaviors[0].after is 'one/*'", "no other")),
    (
        {"purge": False, "behaviors": [{**ONE, "after": "two/*"}, {**TWO, "after": "one/*"}]},
        ("behaviors[0] ('one/*') cannot be after 'two/*'", "contradict"),
    ),
    ({"behaviors": [{"path_pattern": "new/*"}]}, ("behaviors[new/*].target_origin is not set",)),
    ({"behaviors": [{**ADMIN, "target_origin": "nowhere"}]}, ("behaviors[0].target_origin is 'nowhere'",)),
    ({"behaviors": [{**ADMIN, "cache_policy": "nobody's"}]}, ("behaviors[0].cache_policy is \"nobody's\"",)),
    ({"behaviors": [ADMIN, ADMIN]}, ("behaviors[1].path_pattern",)),
    ({"behaviors": [ONE], "lint_ignore": ["no-rule"]}, ("lint_ignore[0] is 'no-rule'",)),
    ({"behaviors": [], "state": "absent"}, ("behaviors is empty",)),
    ({"behaviors": [ONE], "default_behavior": {}, "state": "absent"}, ("default_behavior is set",)),
]  # fmt: skip


@pytest.mark.parametrize(("params", "words"), REFUSALS, ids=lambda value: None)
def test_refused_before_anything_is_written(cloudfront, params, words):
    identifier = made_by_hand(cloudfront, "one/*", "two/*")
    contract.refuse(module, {"distribution": identifier, **params}, *words)


def test_names_are_looked_up_once_and_only_when_needed(cloudfront):
    identifier = made_by_hand(cloudfront, "one/*")
    for name in ("pages", "others"):
        cloudfront.create_cache_policy(
            CachePolicyConfig={
                "Name": name,
                "MinTTL": 0,
                "DefaultTTL": 60,
                "MaxTTL": 600,
                "ParametersInCacheKeyAndForwardedToOrigin": {
                    "EnableAcceptEncodingGzip": True,
                    "HeadersConfig": {"HeaderBehavior": "none"},
                    "CookiesConfig": {"CookieBehavior": "none"},
                    "QueryStringsConfig": {"QueryStringBehavior": "all"},
                },
            }
        )
    behaviors = [{**ONE, "cache_policy": "pages"}, {**TWO, "cache_policy": "others"}, ADMIN]
    params = {"distribution": identifier, "behaviors": behaviors}
    contract.converge(module, params)
    assert [str(call) for call in contract.succeed(module, params).calls] == [
        "cloudfront:GetDistributionConfig",
        "cloudfront:ListCachePolicies",
    ]


def test_the_examples_run(emulated):
    """On an empty account, in check mode: names that nobody has yet are predicted."""
    for task in yaml.safe_load(module.EXAMPLES):
        for name, params in task.items():
            if name.startswith("wordpress_ha.aws."):
                contract.succeed(module, params, check=True)
