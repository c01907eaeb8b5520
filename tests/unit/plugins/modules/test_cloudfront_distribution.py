# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""cloudfront_distribution against the emulated CloudFront."""

from __future__ import annotations

import copy
import datetime
import json
from typing import Any

import contract
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _plan
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import api, distribution, edit
from ansible_collections.wordpress_ha.aws.plugins.modules import cloudfront_distribution as module

SITE: dict[str, Any] = {
    "id": "site",
    "domain_name": "origin.blog.example.org",
    "protocol_policy": "match-viewer",
}
EVERY_METHOD = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
ADMIN: dict[str, Any] = {
    "path_pattern": "admin/*",
    "target_origin": "site",
    "allowed_methods": EVERY_METHOD,
    "cache_policy": "CachingDisabled",
    "origin_request_policy": "AllViewer",
}
STATIC: dict[str, Any] = {
    "path_pattern": "static/*",
    "target_origin": "site",
    "compress": True,
    "cache_policy": "CachingOptimized",
}
PARAMS: dict[str, Any] = {
    "name": "blog",
    "origins": [SITE, {"id": "second", "domain_name": "origin.blog.example.org"}],
    "origin_groups": [{"id": "both", "members": ["second", "site"], "status_codes": [502, 500]}],
    "default_behavior": {"target_origin": "site", "cache_policy": "UseOriginCacheControlHeaders"},
    "behaviors": [ADMIN, STATIC],
    "custom_error_responses": [{"error_code": 502, "caching_min_ttl": 1}],
    "price_class": "PriceClass_100",
    "tags": {"wordpress_ha:stack": "blog"},
    "wait": True,
}


def wire(client: Any, identifier: str) -> Any:
    return client.get_distribution_config(Id=identifier)["DistributionConfig"]


def same(predicted: Any, sent: Any) -> bool:
    """Whether two requests are the same, byte for byte."""
    return json.dumps(predicted, sort_keys=True) == json.dumps(sent, sort_keys=True)


def test_contract(emulated):
    modified = {**PARAMS, "behaviors": [STATIC, ADMIN], "http_version": "http2", "tags": {"a": "b"}}
    first = contract.keep(
        module,
        PARAMS,
        modified,
        absent={"name": "blog", "state": "absent"},
        left=lambda: emulated("cloudfront").list_distributions()["DistributionList"].get("Items"),
    )
    assert first.facts["status"] == "Deployed"
    assert first.facts["hosted_zone_id"] == "Z2FDTNDATAQYW2"
    assert first.writing == ["cloudfront:CreateDistributionWithTags"]


def test_check_mode_predicts_the_request_exactly(emulated):
    for params in (PARAMS, {**PARAMS, "behaviors": [STATIC], "origins": [SITE], "origin_groups": []}):
        predicted = contract.succeed(module, params, check=True)
        real = contract.succeed(module, params)
        (call,) = [call for call in real.calls if call.writing]
        assert same(predicted.result["request"], call.params)
        assert same(real.result["request"], call.params)
        assert contract.succeed(module, params).result["request"] is None
    removal = {"name": "blog", "state": "absent"}
    predicted = contract.succeed(module, removal, check=True)
    real = contract.succeed(module, removal)
    assert real.writing == ["cloudfront:UpdateDistribution", "cloudfront:DeleteDistribution"]
    assert same(predicted.result["request"], real.sent("UpdateDistribution")[0])
    assert same(real.result["request"], real.sent("UpdateDistribution")[0])


def test_calls(emulated):
    """No change: found by the tag, read once. A change adds the one write."""
    contract.succeed(module, PARAMS)
    assert [str(call) for call in contract.succeed(module, PARAMS).calls] == [
        "resourcegroupstaggingapi:GetResources",
        "cloudfront:GetDistribution",
    ]
    calls = [str(call) for call in contract.succeed(module, {**PARAMS, "comment": "other", "wait": False}).calls]
    assert calls[1:] == ["cloudfront:GetDistribution", "cloudfront:UpdateDistribution"]


def test_shuffled_sets_are_no_change_and_a_new_order_is_one(emulated):
    params = {
        **PARAMS,
        "aliases": [],
        "behaviors": [ADMIN, {**STATIC, "trusted_key_groups": []}],
        "origins": [{**SITE, "ssl_protocols": ["TLSv1.2", "TLSv1.1"]}, PARAMS["origins"][1]],
        "lint_ignore": ["origin-protocols-old"],
    }
    contract.succeed(module, params)
    shuffled = copy.deepcopy(params)
    shuffled["origins"].reverse()
    shuffled["origins"][1]["ssl_protocols"].reverse()
    shuffled["origin_groups"][0]["status_codes"].reverse()
    shuffled["behaviors"][0]["allowed_methods"].reverse()
    assert contract.succeed(module, shuffled).result["changed"] is False
    shuffled["behaviors"].reverse()
    moved = contract.converge(module, shuffled)
    assert [action["resource"] for action in moved.result["actions"]] == ["order/behaviors"]
    assert moved.result["diff"]["after"] == {"order/behaviors": {"path_patterns": ["static/*", "admin/*"]}}
    shuffled["origin_groups"][0]["members"].reverse()
    assert contract.succeed(module, shuffled).result["changed"] is True


def test_the_diff_names_what_differs_and_nothing_else(emulated):
    contract.succeed(module, PARAMS)
    changed = {**PARAMS, "origins": [{**SITE, "read_timeout": 60}], "origin_groups": [], "behaviors": [ADMIN]}
    outcome = contract.converge(module, changed)
    assert outcome.result["diff"]["before"] == {
        "origin/site": {"read_timeout": 30},
        "order/behaviors": {"path_patterns": ["admin/*", "static/*"]},
        "origin/second": {
            "domain_name": "origin.blog.example.org",
            "type": "custom",
            "http_port": 80,
            "https_port": 443,
            "protocol_policy": "https-only",
            "ssl_protocols": ["TLSv1.2"],
            "read_timeout": 30,
            "keepalive_timeout": 5,
            "connection_attempts": 3,
            "connection_timeout": 10,
        },
        "origin_group/both": {"members": ["second", "site"], "status_codes": [500, 502]},
        "behavior/static/*": outcome.result["diff"]["before"]["behavior/static/*"],
    }
    assert outcome.result["diff"]["after"] == {
        "origin/site": {"read_timeout": 60},
        "order/behaviors": {"path_patterns": ["admin/*"]},
    }
    assert outcome.writing == ["cloudfront:UpdateDistribution"]


def test_survives_kills(emulated):
    assert contract.survive_kills(module, PARAMS) == 3


def test_a_lost_answer_to_a_creation_makes_no_second_distribution(emulated):
    """The tagging API does not know the new distribution yet: it is found by its caller reference."""
    first = contract.succeed(module, PARAMS)
    cloudfront = emulated("cloudfront")
    cloudfront.untag_resource(Resource=first.facts["arn"], TagKeys={"Items": ["wordpress_ha:distribution"]})
    outcome = contract.succeed(module, {**PARAMS, "comment": "other"})
    assert outcome.facts["id"] == first.facts["id"]
    assert outcome.result["changed"] is True
    assert contract.succeed(module, {**PARAMS, "comment": "other"}).result["changed"] is False
    assert len(cloudfront.list_distributions()["DistributionList"]["Items"]) == 1


def meanwhile(monkeypatch: pytest.MonkeyPatch, action: Any, times: int = 1) -> list[int]:
    """Let somebody else act between this run's reading and its writing; returns how often that was."""
    done: list[int] = []
    original = edit.Distributed.changes_of

    def changes_of(self: Any, made: Any) -> Any:
        result = original(self, made)
        if len(done) < times:
            done.append(1)
            action()
        return result

    monkeypatch.setattr(edit.Distributed, "changes_of", changes_of)
    return done


def edited(client: Any, identifier: str, **fields: Any) -> None:
    found = client.get_distribution_config(Id=identifier)
    config = {**found["DistributionConfig"], **fields}
    client.update_distribution(Id=identifier, IfMatch=found["ETag"], DistributionConfig=config)


def test_a_stale_etag_is_read_and_planned_anew(emulated, monkeypatch):
    identifier = contract.succeed(module, PARAMS).facts["id"]
    cloudfront = emulated("cloudfront")
    meanwhile(monkeypatch, lambda: edited(cloudfront, identifier, Comment="theirs"))
    outcome = contract.succeed(module, {**PARAMS, "http_version": "http2"})
    assert len(outcome.sent("UpdateDistribution")) == 3, "one refused, theirs, and one more"
    assert wire(cloudfront, identifier)["HttpVersion"] == "http2"
    assert wire(cloudfront, identifier)["Comment"] == "theirs", "somebody else's change was undone"
    assert same(outcome.result["request"], outcome.sent("UpdateDistribution")[-1])


def test_a_stale_etag_where_somebody_did_the_same(emulated, monkeypatch):
    identifier = contract.succeed(module, PARAMS).facts["id"]
    cloudfront = emulated("cloudfront")
    meanwhile(monkeypatch, lambda: edited(cloudfront, identifier, HttpVersion="http2"))
    outcome = contract.succeed(module, {**PARAMS, "http_version": "http2"})
    assert len(outcome.sent("UpdateDistribution")) == 2, "theirs, and the one that was refused"
    assert contract.succeed(module, {**PARAMS, "http_version": "http2"}).result["changed"] is False


def test_somebody_who_never_stops_is_told_of(emulated, monkeypatch):
    identifier = contract.succeed(module, PARAMS).facts["id"]
    cloudfront = emulated("cloudfront")
    count = iter(range(100))
    done = meanwhile(monkeypatch, lambda: edited(cloudfront, identifier, Comment=str(next(count))), times=100)
    outcome = contract.run(module, {**PARAMS, "http_version": "http2"})
    assert outcome.failed and "changed by somebody else 5 times" in outcome.result["msg"]
    assert len(done) == 6
    assert wire(cloudfront, identifier)["HttpVersion"] == "http2and3"


def test_a_removal_with_a_stale_etag(emulated, monkeypatch):
    identifier = contract.succeed(module, PARAMS).facts["id"]
    cloudfront = emulated("cloudfront")
    removal = distribution.Distribution._remove

    def disturbed(self: Any) -> None:
        edited(cloudfront, identifier, Comment="theirs")
        removal(self)

    monkeypatch.setattr(distribution.Distribution, "_remove", disturbed)
    contract.succeed(module, {"name": "blog", "state": "absent"})
    assert not cloudfront.list_distributions()["DistributionList"].get("Items")


def by_hand(cloudfront: Any) -> str:
    """Make a distribution as somebody did who needs what no option of ours stands for."""
    behavior = {
        "TargetOriginId": "old",
        "ViewerProtocolPolicy": "allow-all",
        "TrustedSigners": {"Enabled": True, "Quantity": 1, "Items": ["self"]},
        "ForwardedValues": {"QueryString": True, "Cookies": {"Forward": "all"}},
        "MinTTL": 0,
        "GrpcConfig": {"Enabled": False},
        "LambdaFunctionAssociations": {
            "Quantity": 1,
            "Items": [
                {
                    "LambdaFunctionARN": "arn:aws:lambda:us-east-1:123456789012:function:x:1",
                    "EventType": "origin-request",
                    "IncludeBody": True,
                }
            ],
        },
    }
    made = cloudfront.create_distribution(
        DistributionConfig={
            "CallerReference": "made by hand",
            "Comment": "by hand",
            "Enabled": True,
            "Staging": False,
            "ContinuousDeploymentPolicyId": "",
            "ViewerMtlsConfig": {"Mode": "optional", "TrustStoreConfig": {"TrustStoreId": "ts_1"}},
            "Origins": {
                "Quantity": 1,
                "Items": [
                    {
                        "Id": "old",
                        "DomainName": "old.example.org",
                        "ConnectionAttempts": 2,
                        "ResponseCompletionTimeout": 60,
                        "OriginShield": {"Enabled": True, "OriginShieldRegion": "eu-west-1"},
                        "CustomOriginConfig": {
                            "HTTPPort": 8080,
                            "HTTPSPort": 8443,
                            "OriginProtocolPolicy": "match-viewer",
                            "OriginSslProtocols": {"Quantity": 1, "Items": ["TLSv1.2"]},
                            "IpAddressType": "dualstack",
                        },
                    }
                ],
            },
            "DefaultCacheBehavior": behavior,
            "CacheBehaviors": {"Quantity": 1, "Items": [{"PathPattern": "old/*", **behavior}]},
        }
    )
    return str(made["Distribution"]["Id"])


def test_on_a_distribution_made_by_hand_only_what_is_asked_changes(emulated):
    cloudfront = emulated("cloudfront")
    identifier = by_hand(cloudfront)
    before = wire(cloudfront, identifier)
    params = {
        "distribution_id": identifier,
        "price_class": "PriceClass_100",
        "origins": [{"id": "old", "read_timeout": 45}],
        "behaviors": [{"path_pattern": "old/*", "compress": True}],
        "tags": {"owner": "me"},
        "wait": True,
    }
    outcome = contract.converge(module, params)
    expected = copy.deepcopy(before)
    expected["PriceClass"] = "PriceClass_100"
    expected["Origins"]["Items"][0]["CustomOriginConfig"]["OriginReadTimeout"] = 45
    expected["CacheBehaviors"]["Items"][0]["Compress"] = True
    assert wire(cloudfront, identifier) == expected
    assert sorted(action["resource"] for action in outcome.result["actions"]) == [
        "behavior/old/*",
        f"distribution/{identifier}",
        "origin/old",
        f"tags/{identifier}",
    ]
    assert outcome.facts["tags"] == {"owner": "me"}
    contract.converge(module, {"distribution_id": identifier, "state": "absent"})
    assert not cloudfront.list_distributions()["DistributionList"].get("Items")


def test_a_new_certificate_replaces_the_other_kind(emulated):
    """Neither the dedicated addresses nor the old names that AWS reports beside a certificate are sent with it."""
    cloudfront, acm = emulated("cloudfront"), emulated("acm")
    contract.succeed(module, PARAMS)
    pending = acm.request_certificate(DomainName="*.example.org", ValidationMethod="DNS")["CertificateArn"]
    params = {**PARAMS, "certificate_arn": pending, "aliases": ["blog.example.org"]}
    contract.refuse(module, params, "certificate_arn is", "PENDING_VALIDATION")
    params["certificate_arn"] = arn = imported(acm, "*.example.org")
    outcome = contract.converge(module, params)
    (sent,) = outcome.sent("UpdateDistribution")
    assert sent["DistributionConfig"]["ViewerCertificate"] == {
        "ACMCertificateArn": arn,
        "SSLSupportMethod": "sni-only",
        "MinimumProtocolVersion": "TLSv1.2_2021",
    }
    contract.converge(module, {**params, "minimum_protocol_version": "TLSv1.2_2019"})
    written = {**params, "aliases": ["Blog.Example.org"]}
    assert contract.succeed(module, written).result["changed"] is False, "a host's name has no case"
    contract.converge(module, {**PARAMS, "certificate_arn": "", "aliases": []})
    assert wire(cloudfront, outcome.facts["id"])["ViewerCertificate"]["CloudFrontDefaultCertificate"] is True


def imported(acm: Any, domain: str) -> str:
    """Give ACM a certificate of our own making."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain)])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    made = acm.import_certificate(Certificate=certificate.public_bytes(serialization.Encoding.PEM), PrivateKey=private)
    return str(made["CertificateArn"])


def with_secret(**more: Any) -> dict[str, Any]:
    header = {"name": "X-Origin-Verify", "secret_arn": "blog/origin", "secret_key": "header_value", **more}
    return {**PARAMS, "origins": [{**SITE, "custom_headers": [header]}], "origin_groups": []}


def test_a_header_from_a_secret_is_sent_and_never_shown(emulated):
    secrets = emulated("secretsmanager")
    secrets.create_secret(Name="blog/origin", SecretString=json.dumps({"header_value": "the-first-value"}))
    params = with_secret()
    first = contract.converge(module, params)
    assert len(first.sent("GetSecretValue")) == 1
    secrets.put_secret_value(SecretId="blog/origin", SecretString=json.dumps({"header_value": "the-second-value"}))
    predicted = contract.succeed(module, params, check=True)
    second = contract.converge(module, params)
    (sent,) = second.sent("UpdateDistribution")
    header = sent["DistributionConfig"]["Origins"]["Items"][0]["CustomHeaders"]["Items"][0]
    assert header == {"HeaderName": "X-Origin-Verify", "HeaderValue": "the-second-value"}
    header["HeaderValue"] = "********"
    assert same(predicted.result["request"], sent) and same(second.result["request"], sent)
    assert second.result["actions"] == [
        {
            "action": "update",
            "resource": "origin/site",
            "before": {"custom_headers": {"X-Origin-Verify": "********"}},
            "after": {"custom_headers": {"X-Origin-Verify": "******** (another value)"}},
        }
    ]
    previous = contract.converge(module, with_secret(version_stage="AWSPREVIOUS"))
    assert "-value" not in json.dumps([one.result for one in (first, predicted, second, previous)])


def test_secrets_that_cannot_be_read_are_refused(emulated):
    contract.refuse(module, with_secret(), "origins[0].custom_headers[0].secret_arn", "blog/origin", "no such secret")
    emulated("secretsmanager").create_secret(Name="blog/origin", SecretString="plain")
    contract.refuse(module, with_secret(), "secret_key is 'header_value'", "no JSON object with this key")
    contract.refuse(module, with_secret(value="x"), "origins[0].custom_headers[0]", "one of the two")


def test_names_of_policies_and_the_like_are_looked_up_once(emulated):
    cloudfront = emulated("cloudfront")
    policy = cloudfront.create_cache_policy(
        CachePolicyConfig={
            "Name": "blog-pages",
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
    )["CachePolicy"]["Id"]
    control = cloudfront.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": "blog-media",
            "SigningProtocol": "sigv4",
            "SigningBehavior": "always",
            "OriginAccessControlOriginType": "s3",
        }
    )["OriginAccessControl"]["Id"]
    function = cloudfront.create_function(
        Name="blog-redirect",
        FunctionConfig={"Comment": "", "Runtime": "cloudfront-js-2.0"},
        FunctionCode=b"function handler(event) { return event.request; }",
    )
    params = {
        **PARAMS,
        "origins": [
            SITE,
            {
                "id": "bucket",
                "domain_name": "media.s3.us-east-1.amazonaws.com",
                "origin_access_control": "blog-media",
            },
        ],
        "origin_groups": [],
        "default_behavior": {
            "target_origin": "site",
            "cache_policy": "blog-pages",
            "functions": [{"event": "viewer-request", "function": "blog-redirect"}],
        },
        "behaviors": [{**STATIC, "cache_policy": "blog-pages", "target_origin": "bucket"}],
    }
    contract.refuse(module, params, "default_behavior.functions[0].function is 'blog-redirect'", "cloudfront_function")
    cloudfront.publish_function(Name="blog-redirect", IfMatch=function["ETag"])
    outcome = contract.converge(module, params)
    (sent,) = outcome.sent("CreateDistributionWithTags")
    config = sent["DistributionConfigWithTags"]["DistributionConfig"]
    assert config["DefaultCacheBehavior"]["CachePolicyId"] == policy
    assert config["Origins"]["Items"][1]["OriginAccessControlId"] == control
    assert config["Origins"]["Items"][1]["S3OriginConfig"] == {"OriginAccessIdentity": ""}
    for action in ("ListCachePolicies", "ListOriginAccessControls", "ListFunctions"):
        assert len(outcome.sent(action)) == 1
    assert not outcome.sent("ListOriginRequestPolicies")


def test_inputs_that_only_a_real_run_can_supply(emulated):
    """Check mode of a whole play on an empty account: every reference is unknown, and the actions are told nevertheless."""
    unknown = _plan.UNKNOWN
    params = {
        **with_secret(secret_arn=unknown),
        "origins": [
            {
                **SITE,
                "domain_name": unknown,
                "custom_headers": with_secret(secret_arn=unknown)["origins"][0]["custom_headers"],
            },
            {"id": "private", "domain_name": unknown, "vpc_origin": unknown},
            {"id": "bucket", "domain_name": "b.s3.us-east-1.amazonaws.com", "origin_access_control": unknown},
        ],
        "certificate_arn": unknown,
        "aliases": ["blog.example.org"],
        "web_acl_arn": unknown,
        "default_behavior": {
            "target_origin": "site",
            "cache_policy": unknown,
            "origin_request_policy": unknown,
            "functions": [{"event": "viewer-request", "function": unknown}],
        },
        "behaviors": [{**STATIC, "cache_policy": "not-yet-made", "target_origin": "bucket"}],
    }
    outcome = contract.succeed(module, params, check=True)
    assert outcome.result["changed"] is True
    assert outcome.facts["id"] == outcome.facts["domain_name"] == unknown
    assert [action["resource"] for action in outcome.result["actions"]][:2] == ["distribution/blog", "origin/site"]
    outcome = contract.succeed(module, {"distribution_id": unknown, "comment": "x"}, check=True)
    assert outcome.result["changed"] is True and outcome.result["request"] is None
    contract.refuse(module, params, "known after apply")


ORIGIN_REFUSALS: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"origins": None}, ("origins is not set", "new distribution")),
    ({"default_behavior": None}, ("default_behavior is not set",)),
    ({"origins": [{"id": "site"}]}, ("origins[site].domain_name is not set",)),
    ({"origins": [SITE, SITE]}, ("origins[1].id is 'site'", "before")),
    ({"origins": [{**SITE, "vpc_origin": "vo_1", "type": "custom"}]}, ("vpc_origin", "type to vpc")),
    ({"origins": [{**SITE, "type": "s3"}]}, ("protocol_policy is 'match-viewer'", "origins[site].type to custom")),
    ({"origins": [{"id": "site", "domain_name": "a.b", "type": "vpc"}]}, ("origins[site].vpc_origin is not set",)),
    ({"origin_groups": [{"id": "g"}]}, ("origin_groups[g].members is not set",)),
    ({"behaviors": [{**ADMIN, "target_origin": "nowhere"}]}, ("behaviors[0].target_origin", "nowhere")),
    ({"behaviors": [{"path_pattern": "a/*", "cache_policy": "CachingDisabled"}]}, ("behaviors[a/*].target_origin",)),
    ({"behaviors": [{"path_pattern": "a/*", "target_origin": "site"}]}, ("behaviors[a/*].cache_policy is not set",)),
    ({"behaviors": [ADMIN, ADMIN]}, ("behaviors[1].path_pattern is 'admin/*'", "before")),
    ({"behaviors": [{**ADMIN, "allowed_methods": ["GET", "POST"]}]}, ("behaviors[0].allowed_methods", "OPTIONS")),
    ({"behaviors": [{**ADMIN, "forwarded_values": {}}]}, ("behaviors[0].cache_policy", "forwarded_values")),
    ({"behaviors": [{**ADMIN, "min_ttl": 1}]}, ("behaviors[admin/*].min_ttl is 1", "cache policy")),
    ({"behaviors": [{**ADMIN, "cache_policy": "nobody"}]}, ("behaviors[0].cache_policy is 'nobody'", "cloudfront_cache_policy")),
    ({"minimum_protocol_version": "TLSv1.2_2021"}, ("minimum_protocol_version", "certificate_arn")),
    ({"logging": {"prefix": "a"}}, ("logging.prefix is 'a'", "bucket")),
    ({"geo_restriction": {"type": "none", "locations": ["DE"]}}, ("geo_restriction.locations",)),
    ({"custom_error_responses": [{"error_code": 404, "response_code": 200}]}, ("response_page_path is not set",)),
]  # fmt: skip


@pytest.mark.parametrize(("options", "words"), ORIGIN_REFUSALS, ids=lambda value: None)
def test_refused_before_anything_is_written(emulated, options, words):
    contract.refuse(module, {**PARAMS, **options}, *words)


def test_lint_findings_are_refused_ignored_or_of_long_standing(emulated):
    """What hurts is refused, unless its rule is ignored; what was there before is a warning."""
    contract.refuse(module, {**PARAMS, "aliases": ["blog.example.org"]}, "aliases", "certificate")
    wide = {**STATIC, "path_pattern": "*"}
    params = {**PARAMS, "behaviors": [wide, ADMIN]}
    refused = contract.refuse(module, params, "behaviors[1].path_pattern", "admin/*", "'*'")
    rules = [line.rsplit("[", 1)[1].rstrip("]") for line in refused.result["msg"].splitlines()]
    ignoring = contract.succeed(module, {**params, "lint_ignore": rules})
    assert any(rules[0] in str(warning) for warning in ignoring.result["warnings"]), ignoring.result
    later = contract.succeed(module, {"name": "blog", "comment": "another"})
    assert any("It was so before" in str(warning) for warning in later.result["warnings"])


def test_a_distribution_of_another_stack_is_left_alone(emulated):
    contract.succeed(module, PARAMS)
    other = {"name": "blog", "tags": {"wordpress_ha:stack": "other"}}
    contract.refuse(module, {**other, "comment": "x"}, "belongs to the stack 'blog'")
    contract.refuse(module, {**other, "state": "absent"}, "belongs to the stack 'blog'")
    contract.refuse(module, {"distribution_id": "E00000000000", "comment": "x"}, "distribution_id is 'E00000000000'")


def test_two_distributions_of_one_name_are_refused(emulated):
    cloudfront = emulated("cloudfront")
    contract.succeed(module, PARAMS)
    arn = cloudfront.get_distribution(Id=by_hand(cloudfront))["Distribution"]["ARN"]
    tags = {"Items": [{"Key": "wordpress_ha:distribution", "Value": "blog"}]}
    cloudfront.tag_resource(Resource=arn, Tags=tags)
    contract.refuse(module, PARAMS, "name is 'blog'", "distribution_id")


def test_purged_tags_keep_the_name_that_finds_it(emulated):
    contract.succeed(module, {**PARAMS, "tags": {"a": "1", "b": "2"}})
    outcome = contract.converge(module, {**PARAMS, "tags": {"a": "1"}, "purge_tags": True})
    assert outcome.writing == ["cloudfront:UntagResource"]
    assert outcome.facts["tags"] == {"a": "1", "Name": "blog", "wordpress_ha:distribution": "blog"}
    assert outcome.result["request"] is None


def test_the_wait_has_an_end(emulated, monkeypatch):
    original = api.read

    def slow(client: Any, identifier: str) -> Any:
        found = original(client, identifier)
        if found:
            found["Distribution"]["Status"] = "InProgress"
        return found

    identifier = contract.succeed(module, {**PARAMS, "wait": False}).facts["id"]
    monkeypatch.setattr(api, "read", slow)
    for params in ({**PARAMS, "comment": "other"}, {"name": "blog", "state": "absent"}):
        outcome = contract.run(module, {**params, "wait_timeout": 30})
        assert outcome.failed
        assert f"30 s for distribution {identifier} to be Deployed" in outcome.result["msg"]
    monkeypatch.setattr(api, "read", original)
    resumed = contract.succeed(module, {"name": "blog", "state": "absent"})
    assert resumed.writing == ["cloudfront:DeleteDistribution"]


def test_the_examples_run(emulated):
    """On an empty account, in check mode: names that nobody has yet are predicted."""
    for task in yaml.safe_load(module.EXAMPLES):
        for name, params in task.items():
            if name.startswith("wordpress_ha.aws."):
                contract.succeed(module, params, check=True)
