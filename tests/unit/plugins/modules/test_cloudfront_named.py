# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What CloudFront keeps by name: the three sorts of policies, origin access controls, VPC origins, and the list of all."""

from __future__ import annotations

import json
from typing import Any

import contract
import pytest
from botocore.exceptions import ClientError

from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import named, policies
from ansible_collections.wordpress_ha.aws.plugins.modules import (
    cloudfront_cache_policy,
    cloudfront_function,
    cloudfront_origin_access_control,
    cloudfront_origin_request_policy,
    cloudfront_policies,
    cloudfront_policies_info,
    cloudfront_response_headers_policy,
    cloudfront_vpc_origin,
)

BALANCER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/blog/50dc6c495c0c9188"
CACHE = {
    "name": "blog-pages",
    "comment": "Pages",
    "default_ttl": 600,
    "gzip": True,
    "headers": {"behavior": "whitelist", "names": ["Host", "CloudFront-Forwarded-Proto"]},
    "cookies": {"behavior": "whitelist", "names": ["wp-postpass_*", "wordpress_logged_in_*", "comment_author_*"]},
    "query_strings": {"behavior": "allExcept", "names": ["utm_source", "utm_medium"]},
}
REQUEST = {
    "name": "blog-login",
    "comment": "Login",
    "headers": {"behavior": "allViewerAndWhitelistCloudFront", "names": ["CloudFront-Forwarded-Proto"]},
    "cookies": {"behavior": "all"},
    "query_strings": {"behavior": "all"},
}
HEADERS = {
    "name": "blog-security",
    "security_headers": {
        "strict_transport_security": {"max_age": 63072000, "include_subdomains": True},
        "content_type_options": {"override": True},
        "frame_options": {"value": "SAMEORIGIN"},
    },
    "cors": {"allow_origins": ["https://www.example.org", "https://a.example.org"]},
    "custom_headers": [{"name": "X-A", "value": "1"}, {"name": "X-B", "value": "2", "override": False}],
    "remove_headers": ["Server", "X-Powered-By"],
    "server_timing": {"sampling_rate": 5},
}
ACCESS = {"name": "blog-media", "description": "Uploads"}
ORIGIN = {
    "name": "blog",
    "endpoint_arn": BALANCER,
    "tags": {"wordpress_ha:stack": "blog"},
    "ssl_protocols": ["TLSv1.2", "TLSv1.1"],
}

#: Module, its kind, parameters, what a second convergence changes.
FAMILY = {
    "cache_policy": (cloudfront_cache_policy, CACHE, {"default_ttl": 3600, "cookies": {"names": ["wp-postpass_*"]}}),
    "origin_request_policy": (cloudfront_origin_request_policy, REQUEST, {"headers": {"behavior": "allViewer"}}),
    "response_headers_policy": (
        cloudfront_response_headers_policy,
        HEADERS,
        {"cors": {}, "custom_headers": [{"name": "x-a", "value": "3"}], "remove_headers": []},
    ),
    "origin_access_control": (cloudfront_origin_access_control, ACCESS, {"signing_behavior": "no-override"}),
    "vpc_origin": (cloudfront_vpc_origin, ORIGIN, {"https_port": 8443, "tags": {**ORIGIN["tags"], "team": "web"}}),
}
EACH = pytest.mark.parametrize("name", FAMILY)
POLICIES = pytest.mark.parametrize("name", [name for name in FAMILY if name.endswith("policy")])


def own(emulated: Any, name: str) -> list[dict[str, Any]]:
    """What of one sort is not AWS's own."""
    kind = policies.KINDS[name]
    found = getattr(emulated("cloudfront"), kind.listing)()[kind.listed].get("Items", [])
    return [one for one in found if not kind.identify(one)[2]]


def config_of(emulated: Any, name: str, identity: str) -> tuple[dict[str, Any], str]:
    kind = policies.KINDS[name]
    found = getattr(emulated("cloudfront"), f"get_{name}")(Id=identity)
    return found[kind.resource][kind.config], found["ETag"]


def write(emulated: Any, name: str, identity: str, **fields: Any) -> None:
    """Change a configuration behind the module's back."""
    config, etag = config_of(emulated, name, identity)
    call = getattr(emulated("cloudfront"), f"update_{name}")
    call(Id=identity, IfMatch=etag, **{policies.KINDS[name].config: {**config, **fields}})


def shuffled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shuffled(item) for key, item in value.items()}
    return [shuffled(item) for item in reversed(value)] if isinstance(value, list) else value


@EACH
def test_keeps_the_contract(emulated: Any, name: str) -> None:
    module, params, change = FAMILY[name]
    contract.keep(module, params, {**params, **change}, left=lambda: own(emulated, name))


@EACH
def test_survives_kills(emulated: Any, name: str) -> None:
    module, params, _change = FAMILY[name]
    assert contract.survive_kills(module, params) == 2


@EACH
def test_check_mode_predicts_the_request_byte_for_byte(emulated: Any, name: str) -> None:
    module, params, change = FAMILY[name]
    verbs = {"create": params, "update": {**params, **change}, "delete": {**params, "state": "absent"}}
    for verb, wanted in verbs.items():
        predicted = contract.succeed(module, wanted, check=True)
        real = contract.succeed(module, wanted)
        sent = [call for call in real.calls if call.writing and "Tag" not in call.action]
        assert [call.action.lower() for call in sent] == [verb + name.replace("_", "")]
        assert (
            json.dumps(predicted.result["request"]) == json.dumps(sent[0].params) == json.dumps(real.result["request"])
        )
    assert contract.succeed(module, {**params, "state": "absent"}).result["request"] is None


@EACH
def test_shuffled_sets_and_few_calls(emulated: Any, name: str) -> None:
    module, params, _change = FAMILY[name]
    contract.succeed(module, params)
    again = contract.succeed(module, shuffled(params))
    assert again.result["changed"] is False, again.result["actions"]
    assert len(again.calls) == (3 if name == "vpc_origin" else 2)


@EACH
def test_an_unset_option_is_left_alone(emulated: Any, name: str) -> None:
    module, params, _change = FAMILY[name]
    first = contract.succeed(module, params)
    only = {"name": params["name"]}
    again = contract.succeed(module, only)
    assert again.result["changed"] is False, again.result["actions"]
    assert again.facts == first.facts


@EACH
def test_a_stale_etag_is_read_and_planned_anew(emulated: Any, name: str, monkeypatch: Any) -> None:
    """Somebody else's change between our read and our write survives it, unless it is about the same."""
    module, params, change = FAMILY[name]
    text = "Description" if name == "origin_access_control" else "HTTPPort" if name == "vpc_origin" else "Comment"
    value = 81 if name == "vpc_origin" else "theirs"
    option = {"Description": "description", "HTTPPort": "http_port", "Comment": "comment"}[text]
    identity = contract.succeed(module, params).facts["id"]
    sent = _meddle(monkeypatch, lambda: write(emulated, name, identity, **{text: value}), times=2)
    wanted = {key: item for key, item in {**params, **change}.items() if key != option}
    outcome = contract.succeed(module, wanted)
    assert sent == ["update", "update", "update"]
    config, etag = config_of(emulated, name, identity)
    assert config[text] == value
    assert outcome.facts["etag"] == etag
    assert outcome.facts["settings"][option] == value
    assert contract.succeed(module, wanted).result["changed"] is False


@EACH
def test_a_stale_etag_ends_after_a_few_times(emulated: Any, name: str, monkeypatch: Any) -> None:
    module, params, change = FAMILY[name]
    identity = contract.succeed(module, params).facts["id"]
    sent = _meddle(monkeypatch, lambda: write(emulated, name, identity), times=99)
    outcome = contract.run(module, {**params, **change})
    assert outcome.failed
    assert "changed by somebody else 5 times" in outcome.result["msg"]
    assert sent == ["update"] * named.ATTEMPTS


@EACH
def test_a_stale_etag_while_removing(emulated: Any, name: str, monkeypatch: Any) -> None:
    module, params, _change = FAMILY[name]
    identity = contract.succeed(module, params).facts["id"]
    assert _meddle(monkeypatch, lambda: write(emulated, name, identity), times=1) == []
    contract.succeed(module, {**params, "state": "absent"})
    assert own(emulated, name) == []


def _meddle(monkeypatch: Any, meddle: Any, times: int) -> list[str]:
    """Let somebody else write before each of the first writes of a run; returns the list that its writes go to."""
    sent: list[str] = []
    call = named.Named._call

    def meddled(self: Any, verb: str, **arguments: Any) -> Any:
        if verb in ("update", "delete"):
            sent.append(verb)
            if len(sent) <= times:
                meddle()
        return call(self, verb, **arguments)

    monkeypatch.setattr(named.Named, "_call", meddled)
    return sent


def test_a_lost_answer_to_a_creation(emulated: Any, monkeypatch: Any) -> None:
    """The list does not show yet what an earlier call made: go on from what is there."""
    contract.succeed(cloudfront_cache_policy, {**CACHE, "comment": "half"})
    find = named.Named._find
    seen = []

    def late(self: Any, state: str) -> None:
        seen.append(state)
        if len(seen) > 1:
            find(self, state)

    monkeypatch.setattr(named.Named, "_find", late)
    outcome = contract.succeed(cloudfront_cache_policy, CACHE)
    assert outcome.facts["settings"]["comment"] == "Pages"
    assert len(own(emulated, "cache_policy")) == 1


@POLICIES
def test_policies_of_aws_are_refused(emulated: Any, name: str) -> None:
    module, params, _change = FAMILY[name]
    known = {
        "cache_policy": "CachingOptimized",
        "origin_request_policy": "AllViewer",
        "response_headers_policy": "SecurityHeadersPolicy",
    }[name]
    for called in (known, f"Managed-{known}"):
        for state in ("present", "absent"):
            contract.refuse(module, {**params, "name": called, "state": state}, "AWS's own", called, "another name")
        shown = contract.succeed(module, {"name": called, "state": "gathered"})
        assert shown.facts["id"]


def test_fields_we_do_not_know_survive(emulated: Any) -> None:
    """IpAddressType is a field of VPC origins that has no option."""
    client = emulated("cloudfront")
    endpoint = {"Name": "blog", "Arn": BALANCER, "HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}
    made = client.create_vpc_origin(VpcOriginEndpointConfig={**endpoint, "IpAddressType": "dualstack"})["VpcOrigin"]
    contract.converge(cloudfront_vpc_origin, {"name": "blog", "http_port": 8080})
    config, _etag = config_of(emulated, "vpc_origin", made["Id"])
    assert config == {**endpoint, "HTTPPort": 8080, "IpAddressType": "dualstack"}


def distribution(emulated: Any, **behavior: Any) -> str:
    """Make a distribution whose default behavior refers to something."""
    origin = {"Id": "site", "DomainName": "www.example.org", **behavior.pop("origin", {})}
    if "VpcOriginConfig" not in origin and "OriginAccessControlId" not in origin:
        origin["CustomOriginConfig"] = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}
    default = {
        "TargetOriginId": "site",
        "ViewerProtocolPolicy": "redirect-to-https",
        "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
    }
    made = emulated("cloudfront").create_distribution(
        DistributionConfig={
            "CallerReference": "one",
            "Comment": "the blog",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [origin]},
            "DefaultCacheBehavior": {**default, **behavior},
        }
    )
    return str(made["Distribution"]["Id"])


@EACH
def test_what_is_in_use_is_not_removed(emulated: Any, name: str) -> None:
    """The refusal names the user and the place, in check mode too, and nothing is written."""
    module, params, _change = FAMILY[name]
    identity = contract.succeed(module, params).facts["id"]
    bucket = {"DomainName": "media.s3.us-east-1.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}
    using = {
        "cache_policy": {"CachePolicyId": identity},
        "origin_request_policy": {"OriginRequestPolicyId": identity},
        "response_headers_policy": {"ResponseHeadersPolicyId": identity},
        "origin_access_control": {"origin": {**bucket, "OriginAccessControlId": identity}},
        "vpc_origin": {"origin": {"VpcOriginConfig": {"VpcOriginId": identity}}},
    }[name]
    user = distribution(emulated, **using)
    place = "in origins[0]." if "origin" in using else "in default_behavior."
    removal = {**params, "state": "absent"}
    contract.refuse(module, removal, params["name"], "in use", user, "the blog", place)
    assert contract.run(module, removal, check=True).failed


def test_a_policy_that_comes_into_use_meanwhile(emulated: Any, monkeypatch: Any) -> None:
    """AWS's refusal, after ours was passed, reads the same."""
    identity = contract.succeed(cloudfront_cache_policy, CACHE).facts["id"]
    user = distribution(emulated, CachePolicyId=identity)
    monkeypatch.setattr(named, "refuse_used", lambda *_given: None)
    outcome = contract.run(cloudfront_cache_policy, {**CACHE, "state": "absent"})
    assert outcome.failed
    assert user in outcome.result["msg"]
    assert "Take it away there first" in outcome.result["msg"]


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("cache_policy", {"max_ttl": 60}, ["default_ttl", "600"]),
        (
            "cache_policy",
            {"headers": {"behavior": "whitelist", "names": ["Accept-Encoding"]}},
            ["headers", "Accept-Encoding"],
        ),
        (
            "origin_request_policy",
            {"headers": {"behavior": "whitelist", "names": ["Authorization"]}},
            ["headers", "Authorization"],
        ),
        ("response_headers_policy", {"custom_headers": [{"name": "Via", "value": "x"}]}, ["custom_headers", "Via"]),
        ("response_headers_policy", {"cors": {"max_age": 5}}, ["cors.allow_origins", "not set"]),
        ("vpc_origin", {"endpoint_arn": None}, ["endpoint_arn"]),
    ],
)
def test_refuses_before_any_write(emulated: Any, name: str, change: dict[str, Any], words: list[str]) -> None:
    module, params, _change = FAMILY[name]
    contract.refuse(module, {**params, **change}, *words)


def test_a_rule_can_be_ignored(emulated: Any) -> None:
    """What only hurts can be done all the same, with a warning."""
    scattered = {**CACHE, "headers": {"behavior": "whitelist", "names": ["User-Agent"]}}
    contract.refuse(cloudfront_cache_policy, scattered, "scattering-header", "User-Agent")
    outcome = contract.succeed(cloudfront_cache_policy, {**scattered, "lint_ignore": ["scattering-header"]})
    assert "User-Agent" in str(outcome.result["warnings"])


def test_another_stacks_vpc_origin_is_left_alone(emulated: Any) -> None:
    contract.succeed(cloudfront_vpc_origin, ORIGIN)
    other = {**ORIGIN, "tags": {"wordpress_ha:stack": "shop"}}
    for state in ("present", "absent"):
        contract.refuse(cloudfront_vpc_origin, {**other, "state": state}, "'blog'", "'shop'")


def test_pages_of_a_list_are_all_read() -> None:
    pages_of = {None: ([1, 2], "m1"), "m1": ([], "m2"), "m2": ([3], "")}
    asked: list[Any] = []

    def operation(Marker: str | None = None, aws_retry: bool = False, **arguments: Any) -> dict[str, Any]:
        asked.append((Marker, aws_retry, arguments))
        found, more = pages_of[Marker]
        return {"List": {"Items": found, "NextMarker": more} if found else {"NextMarker": more}}

    assert list(named.pages(operation, "List", Type="custom")) == [1, 2, 3]
    assert asked == [(marker, True, {"Type": "custom"}) for marker in (None, "m1", "m2")]


def test_a_hundred_policies_are_found(emulated: Any) -> None:
    client = emulated("cloudfront")
    for number in range(3):
        contract.succeed(cloudfront_origin_access_control, {"name": f"media-{number}"})
    first = client.list_origin_access_controls(MaxItems="2")["OriginAccessControlList"]
    assert first["NextMarker"], "the emulator does not page, so that this test says nothing"
    found = [one["Name"] for one in named.pages(_Small(client), "OriginAccessControlList")]
    assert sorted(found) == ["media-0", "media-1", "media-2"]


class _Small:
    """The call with pages of two."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def __call__(self, aws_retry: bool, **arguments: Any) -> Any:
        return self.client.list_origin_access_controls(MaxItems="2", **arguments)


def test_unknown_endpoint_in_check_mode(emulated: Any) -> None:
    """The balancer is made in the same play: check mode of the whole play goes through."""
    unknown = {**ORIGIN, "endpoint_arn": "(known after apply)"}
    predicted = contract.succeed(cloudfront_vpc_origin, unknown, check=True)
    assert predicted.result["changed"] is True
    contract.refuse(cloudfront_vpc_origin, unknown, "check mode only")


def test_other_errors_are_not_hidden(emulated: Any) -> None:
    with pytest.raises(ClientError):
        named.while_current("x", _denied, lambda: True)


def _denied() -> None:
    raise ClientError({"Error": {"Code": "AccessDenied"}}, "UpdateCachePolicy")


def test_lists_everything_by_name(emulated: Any) -> None:
    made = {name: contract.succeed(module, params).facts for name, (module, params, _change) in FAMILY.items()}
    listed = contract.succeed(cloudfront_policies_info, {"owner": "account"})
    assert listed.writing == []
    facts = listed.facts
    sorts = {name: f"{name[:-1]}ies" if name.endswith("y") else f"{name}s" for name in made}
    for name in ("cache_policy", "origin_request_policy", "response_headers_policy", "origin_access_control"):
        (entry,) = facts[sorts[name]].items()
        assert entry[0] == FAMILY[name][1]["name"]
        assert entry[1]["id"] == made[name]["id"]
        assert entry[1]["settings"] == made[name]["settings"]
    assert facts["vpc_origins"]["blog"]["endpoint_arn"] == BALANCER
    assert facts["vpc_origins"]["blog"]["arn"] == made["vpc_origin"]["arn"]


def test_what_is_listed_makes_the_same_again(emulated: Any) -> None:
    """Settings of a policy that somebody made can be given to the module as they are."""
    contract.succeed(cloudfront_response_headers_policy, HEADERS)
    listed = contract.succeed(
        cloudfront_policies_info, {"sorts": ["response_headers_policies"], "owner": "account"}
    ).facts
    settings = listed["response_headers_policies"]["blog-security"]["settings"]
    again = contract.succeed(cloudfront_response_headers_policy, {"name": "blog-security", **settings})
    assert again.result["changed"] is False, again.result["actions"]


def test_lists_the_policies_of_aws(emulated: Any) -> None:
    listed = contract.succeed(cloudfront_policies_info, {"sorts": ["cache_policies"], "owner": "aws"})
    assert len(listed.calls) == 1
    assert listed.facts["cache_policies"]["Managed-CachingOptimized"]["managed"] is True
    assert listed.facts["functions"] == {}


def test_lists_functions_once_with_their_stages(emulated: Any) -> None:
    code = "function handler(event) { return event.request; }"
    for name, publish in (("live", True), ("draft", False)):
        contract.succeed(cloudfront_function, {"name": name, "code": code, "publish": publish})
    found = contract.succeed(cloudfront_policies_info, {"sorts": ["functions"]}).facts["functions"]
    assert {name: entry["published"] for name, entry in found.items()} == {"live": True, "draft": False}
    assert found["live"]["settings"] == {"runtime": "cloudfront-js-2.0", "comment": "", "key_value_stores": []}


def without_name(params: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in params.items() if key != "name"}


ALL = {
    "cache_policies": {"blog-pages": without_name(CACHE), "blog-static": {"default_ttl": 86400}},
    "origin_request_policies": {"blog-login": without_name(REQUEST)},
    "response_headers_policies": {"blog-security": without_name(HEADERS)},
    "functions": {
        "blog-request": {"runtime": "cloudfront-js-2.0", "code": "function handler(event) {return event.request;}"}
    },
    "origin_access_controls": {"blog-media": without_name(ACCESS)},
}


def test_all_of_a_distribution_in_one_run(emulated: Any) -> None:
    modified = {**ALL, "cache_policies": {**ALL["cache_policies"], "blog-static": {"default_ttl": 3600}}}
    contract.keep(cloudfront_policies, ALL, modified)
    made = contract.succeed(cloudfront_policies, ALL)
    assert made.facts["cache_policies"]["blog-pages"]["id"] and made.facts["functions"]["blog-request"]["arn"]
    again = contract.succeed(cloudfront_policies, ALL)
    listings = [call.action for call in again.calls if call.action.startswith("List")]
    assert not again.writing and len(listings) == len(set(listings)), listings


def test_all_of_a_distribution_are_refused_as_one(emulated: Any) -> None:
    wrong = {"cache_policies": {"blog-pages": without_name(CACHE), "blog-short": {"default_ttl": 9, "max_ttl": 1}}}
    contract.refuse(cloudfront_policies, wrong, "cache_policies.blog-short", "default_ttl")
    contract.refuse(cloudfront_policies, {"functions": {"blog": {"cod": ""}}}, "functions.blog", "cod")
