# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lint finds each fault of a table of wrong configurations, each one change away from a good one, and nothing in good ones."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import table1

from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import lint, managed

GONE = object()
ARN = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d"
FOREIGN_ARN = "arn:aws:acm:eu-central-1:123456789012:certificate/0a1b2c3d"
LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:edge:3"
OPTIMIZED = managed.id_of(managed.CACHE, "CachingOptimized")
DISABLED = managed.id_of(managed.CACHE, "CachingDisabled")
ALL_VIEWER = managed.id_of(managed.ORIGIN_REQUEST, "AllViewer")
NO_HOST = managed.id_of(managed.ORIGIN_REQUEST, "AllViewerExceptHostHeader")
CERTIFICATE = {"domains": ["example.com", "*.example.com"], "status": "ISSUED", "region": "us-east-1"}
READ = {"Quantity": 2, "Items": ["GET", "HEAD"], "CachedMethods": {"Quantity": 2, "Items": ["GET", "HEAD"]}}
EVERY = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
# The behaviors of the good distribution by what they are for.
LOGIN, ADMIN, REST, UPLOADS, CONTENT, INCLUDES = 0, 1, 3, 9, 10, 11
SITE, BUCKET = 0, 1

Path = tuple["str | int", ...]


def at(index: int, *names: str | int) -> Path:
    return ("CacheBehaviors", index, *names)


def default(*names: str | int) -> Path:
    return ("DefaultCacheBehavior", *names)


def origin(index: int, *names: str | int) -> Path:
    return ("Origins", index, *names)


def site(*names: str | int) -> Path:
    return origin(SITE, "CustomOriginConfig", *names)


def node(config: Any, path: Path) -> Any:
    """Return what stands at a wire path that leaves out the level Items."""
    for part in path:
        config = config["Items"][part] if isinstance(part, int) else config[part]
    return config


def put(path: Path, value: Any) -> Callable[[Any], None]:
    """Return a change that sets (or, with GONE, removes) one value."""

    def change(config: Any) -> None:
        parent, last = node(config, path[:-1]), path[-1]
        if value is GONE:
            del parent[last]
        elif isinstance(last, int):
            parent["Items"][last] = value
        else:
            parent[last] = value

    return change


def add(path: Path, *values: Any, at: int | None = None) -> Callable[[Any], None]:
    """Return a change that puts values into a list, at its end or at a place."""

    def change(config: Any) -> None:
        structure = node(config, path)
        listed = structure.setdefault("Items", [])
        place = len(listed) if at is None else at
        listed[place:place] = values
        structure["Quantity"] = len(listed)

    return change


def both(*changes: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a change that makes several."""

    def change(config: Any) -> None:
        for one in changes:
            one(config)

    return change


def like(pattern: str, index: int, **fields: Any) -> Callable[[Any], None]:
    """Return a change that puts a copy of a behavior under another pattern behind it."""

    def change(config: Any) -> None:
        entry = {**copy.deepcopy(node(config, ("CacheBehaviors", index))), "PathPattern": pattern, **fields}
        add(("CacheBehaviors",), entry, at=index + 1)(config)

    return change


def listed(*values: Any) -> dict[str, Any]:
    return {"Quantity": len(values), "Items": list(values)}


def legacy(path: Path, values: Mapping[str, Any] | None = None, **ttls: int) -> Callable[[Any], None]:
    """Return a change that turns a behavior into one of the legacy kind."""

    def change(config: Any) -> None:
        behavior = node(config, path)
        for name in ("CachePolicyId", "OriginRequestPolicyId"):
            behavior.pop(name, None)
        cookies = {"Forward": "whitelist", "WhitelistedNames": listed("wordpress_logged_in_*", "wp-postpass_*")}
        behavior["ForwardedValues"] = {
            "QueryString": True,
            "Cookies": cookies,
            "Headers": listed("Host"),
            **(values or {}),
        }
        behavior.update(ttls)

    return change


SITE_HEADERS: Path = origin(SITE, "CustomHeaders")
CERTIFICATE_PATH: Path = ("ViewerCertificate",)


@dataclass(frozen=True)
class Case:
    """One change of the good distribution, the rule that must find it and where; ``also`` are rules that find it too."""

    rule: str
    path: Path
    change: Callable[[Any], Any]
    also: frozenset[str] = frozenset()
    context: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""


def case(rule: str, path: Path, change: Callable[[Any], Any], *also: str, code: str = "", **context: Any) -> Case:
    return Case(rule, path, change, frozenset(also), context, code)


def value(rule: str, path: Path, wrong: Any, *also: str, code: str = "", **context: Any) -> Case:
    """Return the case of one wrong value where it is found."""
    return case(rule, path, put(path, wrong), *also, code=code, **context)


def around(rule: str, path: Path, **context: Any) -> Case:
    """Return the case of a good distribution in wrong surroundings."""
    return case(rule, path, lambda config: None, **context)


def policy(**cache: Any) -> dict[str, Any]:
    """Return the context's cache policies with the one of pages changed."""
    pages = copy.deepcopy(GOOD.context.cache_policies["blog-pages"])
    for name, value in cache.items():
        if name in pages:
            pages[name] = value
        else:
            pages["ParametersInCacheKeyAndForwardedToOrigin"][name] = value
    return {**GOOD.context.cache_policies, "blog-pages": pages}


def pages_cookies(*names: str) -> dict[str, Any]:
    return policy(CookiesConfig={"CookieBehavior": "whitelist", "Cookies": listed(*names)})


def good() -> table1.Edge:
    edge = table1.rendered("recommended")
    edge.config["Aliases"] = listed("www.example.com")
    edge.config["ViewerCertificate"] = {
        "ACMCertificateArn": ARN,
        "SSLSupportMethod": "sni-only",
        "MinimumProtocolVersion": "TLSv1.2_2021",
    }
    add(origin(SITE, "CustomHeaders"), {"HeaderName": "X-Origin-Verify", "HeaderValue": "secret-value"})(edge.config)
    return replace(edge, context=replace(edge.context, certificates={ARN: CERTIFICATE}))


GOOD = good()
ORIGIN = {**copy.deepcopy(GOOD.config["Origins"]["Items"][SITE]), "Id": "other"}
ERRORS: Path = ("CustomErrorResponses",)
GEO: Path = ("Restrictions", "GeoRestriction")
FUNCTIONS: Path = default("FunctionAssociations")
LAMBDAS: Path = default("LambdaFunctionAssociations")

CASES = [
    # structure
    value("quantity-mismatch", ("Aliases", "Quantity"), 2),
    value("quantity-mismatch", at(ADMIN, "AllowedMethods", "Quantity"), 2),
    value("unknown-choice", ("PriceClass",), "PriceClass_300"),
    value("unknown-choice", ("HttpVersion",), "http4"),
    value("unknown-choice", default("ViewerProtocolPolicy"), "https"),
    value("unknown-choice", site("OriginProtocolPolicy"), "https"),
    value("unknown-choice", (*CERTIFICATE_PATH, "MinimumProtocolVersion"), "TLSv1.4", code="InvalidMinimumProtocolVersion"),
    value("comment-length", ("Comment",), "x" * 129),
    value("default-root-object", ("DefaultRootObject",), "/index.php"),
    value("too-long", at(UPLOADS, "PathPattern"), "wp-content/" + "x" * 256),
    value("too-long", origin(BUCKET, "OriginPath"), "/" + "x" * 255),
    # origins
    case("too-many-origins", ("Origins",), add(("Origins",), *({**ORIGIN, "Id": f"other-{n}"} for n in range(99)))),
    case("duplicate-origin", ("Origins", 2, "Id"), add(("Origins",), {**ORIGIN, "Id": "site"})),
    case("duplicate-origin", ("OriginGroups", 0, "Id"), add(("Origins",), {**ORIGIN, "Id": "media"})),
    case("origin-type", ("Origins", SITE), put(origin(SITE, "S3OriginConfig"), {"OriginAccessIdentity": ""}), "s3-origin-domain",
         "s3-origin-without-oac", "host-to-bucket"),
    case("origin-type", ("Origins", SITE), put(site(), GONE)),
    value("origin-domain", origin(SITE, "DomainName"), "192.0.2.7"),
    value("origin-domain", origin(SITE, "DomainName"), "https://origin.example.com"),
    value("origin-domain", origin(SITE, "DomainName"), "origin.example.com:8443"),
    value("origin-domain", origin(SITE, "DomainName"), "origin.example.com/blog"),
    value("origin-path", origin(SITE, "OriginPath"), "blog"),
    value("origin-path", origin(SITE, "OriginPath"), "/blog/"),
    value("origin-port", site("HTTPSPort"), 444),
    value("origin-connection", origin(SITE, "ConnectionAttempts"), 4),
    value("origin-connection", origin(SITE, "ConnectionTimeout"), 0),
    value("origin-read-timeout", site("OriginReadTimeout"), 121),
    value("origin-keepalive-timeout", site("OriginKeepaliveTimeout"), 0),
    value("origin-custom-header", (*SITE_HEADERS, 0, "HeaderName"), "Host"),
    value("origin-custom-header", (*SITE_HEADERS, 0, "HeaderName"), "X-Edge-Secret"),
    value("origin-custom-header", (*SITE_HEADERS, 0, "HeaderName"), "X Origin"),
    case("origin-custom-header", (*SITE_HEADERS, 1, "HeaderName"), add(SITE_HEADERS, {"HeaderName": "x-origin-verify", "HeaderValue": "b"})),
    case("too-many-origin-headers", SITE_HEADERS, add(SITE_HEADERS, *({"HeaderName": f"X-H{n}", "HeaderValue": "b"} for n in range(30)))),
    value("too-many-origin-headers", (*SITE_HEADERS, 0, "HeaderValue"), "x" * 1784),
    case("origin-protocols-old", site("OriginSslProtocols", 1), add(site("OriginSslProtocols"), "TLSv1")),
    value("origin-protocols-old", site("OriginSslProtocols", 0), "SSLv3"),
    case("forwarded-proto-missing", at(ADMIN, "OriginRequestPolicyId"),
         both(put(site("OriginProtocolPolicy"), "http-only"), put(at(ADMIN, "OriginRequestPolicyId"), ALL_VIEWER))),
    value("oac-on-custom-origin", origin(SITE, "OriginAccessControlId"), "E1OAC"),
    case("oac-and-oai", origin(BUCKET, "OriginAccessControlId"),
         put(origin(BUCKET, "S3OriginConfig", "OriginAccessIdentity"), "origin-access-identity/cloudfront/E1")),
    value("s3-origin-domain", origin(BUCKET, "DomainName"), "files.example.com"),
    value("s3-origin-without-oac", origin(BUCKET, "OriginAccessControlId"), ""),
    value("s3-website-origin", origin(BUCKET, "DomainName"), "blog.s3-website-us-east-1.amazonaws.com"),
    value("s3-website-origin", origin(SITE, "DomainName"), "blog.s3-website.eu-central-1.amazonaws.com"),
    around("public-bucket", origin(BUCKET, "DomainName"), buckets={"blog-media.s3.eu-central-1.amazonaws.com": {"public": True}}),
    value("host-to-bucket", at(UPLOADS, "CachePolicyId"), "blog-static"),
    value("host-to-bucket", at(UPLOADS, "OriginRequestPolicyId"), ALL_VIEWER, "unkeyed-cookies"),
    # origin groups
    case("too-many-origin-groups", ("OriginGroups",),
         lambda config: add(("OriginGroups",), *({**copy.deepcopy(node(config, ("OriginGroups", 0))), "Id": f"g{n}"} for n in range(10)))(config)),
    value("origin-group-members", ("OriginGroups", 0, "Members"), listed({"OriginId": "site"})),
    case("origin-group-members", ("OriginGroups", 0, "Members"), put(("OriginGroups", 0, "Members", 0, "OriginId"), "site")),
    case("origin-group-members", ("OriginGroups", 0, "Members"), add(("OriginGroups", 0, "Members"), {"OriginId": "site"})),
    case("origin-group-unknown-member", ("OriginGroups", 0, "Members", 1), put(("OriginGroups", 0, "Members", 1, "OriginId"), "nowhere")),
    value("origin-group-status-codes", ("OriginGroups", 0, "FailoverCriteria", "StatusCodes"), listed()),
    value("origin-group-status-codes", ("OriginGroups", 0, "FailoverCriteria", "StatusCodes", 0), 401),
    case("origin-group-methods", at(UPLOADS, "AllowedMethods"), put(at(UPLOADS, "AllowedMethods", "Items"), EVERY), "quantity-mismatch"),
    # behaviors
    case("too-many-behaviors", ("CacheBehaviors",), both(*(like(f"wp-content/{n}/*", UPLOADS) for n in range(64)))),
    value("unknown-origin", at(CONTENT, "TargetOriginId"), "elsewhere"),
    value("unknown-origin", default("TargetOriginId"), "Site"),
    value("path-pattern", at(UPLOADS, "PathPattern"), "wp-content/up loads/*"),
    value("path-pattern", at(UPLOADS, "PathPattern"), "wp-content/*?preview=true"),
    value("path-pattern", at(UPLOADS, "PathPattern"), "", "nonce-life", "host-missing"),
    case("duplicate-path-pattern", at(INCLUDES + 1, "PathPattern"), like("wp-includes/*", INCLUDES)),
    case("duplicate-path-pattern", at(INCLUDES + 1, "PathPattern"), like("/wp-includes/*", INCLUDES)),
    case("shadowed-path-pattern", at(INCLUDES + 1, "PathPattern"), like("wp-content/themes/*.css", INCLUDES)),
    case("shadowed-path-pattern", at(ADMIN + 1, "PathPattern"), like("wp-admin/????.php", ADMIN)),
    case("default-unreachable", at(INCLUDES + 1, "PathPattern"), like("*", INCLUDES), "nonce-life"),
    value("allowed-methods", default("AllowedMethods"), {**READ, **listed("GET", "HEAD", "POST")}),
    value("cached-methods", default("AllowedMethods", "CachedMethods"), listed("GET", "HEAD", "POST")),
    value("cached-methods", at(CONTENT, "AllowedMethods", "CachedMethods"), listed("GET", "HEAD", "OPTIONS")),
    value("unknown-policy", default("CachePolicyId"), "gone", code="NoSuchCachePolicy"),
    value("unknown-policy", default("OriginRequestPolicyId"), "gone", code="NoSuchOriginRequestPolicy"),
    value("unknown-policy", default("ResponseHeadersPolicyId"), "gone", code="NoSuchResponseHeadersPolicy"),
    value("cache-policy-with-legacy", at(CONTENT, "ForwardedValues"), {"QueryString": True, "Cookies": {"Forward": "none"}}),
    value("cache-policy-with-legacy", at(CONTENT, "DefaultTTL"), 60),
    value("cache-settings-missing", at(CONTENT, "CachePolicyId"), GONE),
    case("origin-request-policy-alone", at(CONTENT, "OriginRequestPolicyId"),
         both(legacy(at(CONTENT)), put(at(CONTENT, "OriginRequestPolicyId"), "blog-pages"))),
    case("ttl-order", at(CONTENT, "MinTTL"), legacy(at(CONTENT), MinTTL=3600, DefaultTTL=60, MaxTTL=86400)),
    case("ttl-order", at(CONTENT, "DefaultTTL"), legacy(at(CONTENT), MinTTL=0, DefaultTTL=86400, MaxTTL=3600)),
    case("ttl-range", at(CONTENT, "MinTTL"), legacy(at(CONTENT), MinTTL=-1, DefaultTTL=60, MaxTTL=86400)),
    case("legacy-names", at(CONTENT, "ForwardedValues", "Cookies", "WhitelistedNames"), legacy(at(CONTENT), {"Cookies": {"Forward": "whitelist"}})),
    case("legacy-s3-headers", at(UPLOADS, "ForwardedValues", "Headers"), legacy(at(UPLOADS))),
    case("grpc", default("GrpcConfig", "Enabled"), both(put(default("GrpcConfig"), {"Enabled": True}), put(("HttpVersion",), "http1.1"))),
    value("unkeyed-cookies", default("OriginRequestPolicyId"), "blog-everything"),
    case("unkeyed-query-strings", at(CONTENT, "OriginRequestPolicyId"),
         both(put(at(CONTENT, "CachePolicyId"), OPTIMIZED), put(at(CONTENT, "OriginRequestPolicyId"), ALL_VIEWER)), "unkeyed-cookies"),
    # functions
    case("unknown-function", (*FUNCTIONS, 0, "FunctionARN"), add(FUNCTIONS, {"EventType": "viewer-request", "FunctionARN": table1.FUNCTION_ARN + "gone"})),
    case("function-event", (*FUNCTIONS, 0, "EventType"), add(FUNCTIONS, {"EventType": "origin-request", "FunctionARN": table1.FUNCTION_ARN + "f"}),
         functions=[table1.FUNCTION_ARN + "f"]),
    case("function-event-twice", (*FUNCTIONS, 1, "EventType"),
         add(FUNCTIONS, *[{"EventType": "viewer-request", "FunctionARN": table1.FUNCTION_ARN + "f"}] * 2), functions=[table1.FUNCTION_ARN + "f"]),
    case("function-kinds-mixed", (*LAMBDAS, 0, "EventType"),
         both(add(FUNCTIONS, {"EventType": "viewer-request", "FunctionARN": table1.FUNCTION_ARN + "f"}),
         add(LAMBDAS, {"EventType": "viewer-response", "LambdaFunctionARN": LAMBDA})), functions=[table1.FUNCTION_ARN + "f"]),
    case("lambda-association", (*LAMBDAS, 0, "LambdaFunctionARN"),
         add(LAMBDAS, {"EventType": "origin-request", "LambdaFunctionARN": LAMBDA.replace(":3", ":$LATEST")})),
    case("lambda-association", (*LAMBDAS, 0, "IncludeBody"),
         add(LAMBDAS, {"EventType": "origin-response", "LambdaFunctionARN": LAMBDA, "IncludeBody": True})),
    # aliases and certificates
    case("too-many-aliases", ("Aliases",), add(("Aliases",), *(f"a{n}.example.com" for n in range(100)))),
    value("alias-syntax", ("Aliases", 0), "www_example", "alias-not-covered"),
    value("alias-syntax", ("Aliases", 0), "w*.example.com"),
    case("duplicate-alias", ("Aliases", 1), add(("Aliases",), "WWW.example.com")),
    around("alias-taken", ("Aliases", 0), aliases={"www.example.com": "E2OTHER"}),
    around("alias-overlap", ("Aliases", 0), aliases={"*.example.com": "E2OTHER"}),
    case("alias-without-certificate", ("Aliases",), put(CERTIFICATE_PATH, {"CloudFrontDefaultCertificate": True})),
    case("alias-not-covered", ("Aliases", 1), add(("Aliases",), "www.shop.example.com")),
    around("alias-not-covered", ("Aliases", 0), certificates={ARN: {**CERTIFICATE, "domains": ["example.com"]}}),
    value("certificate-region", (*CERTIFICATE_PATH, "ACMCertificateArn"), FOREIGN_ARN),
    around("certificate-not-issued", (*CERTIFICATE_PATH, "ACMCertificateArn"), certificates={ARN: {**CERTIFICATE, "status": "PENDING_VALIDATION"}}),
    value("viewer-protocol-old", (*CERTIFICATE_PATH, "MinimumProtocolVersion"), "TLSv1.1_2016"),
    # other settings
    value("custom-error-code", (*ERRORS, 0, "ErrorCode"), 401),
    value("custom-error-code", (*ERRORS, 1, "ErrorCode"), 403),
    case("custom-error-response", (*ERRORS, 1, "ResponsePagePath"), put((*ERRORS, 1, "ResponseCode"), "404")),
    case("custom-error-response", (*ERRORS, 1, "ResponsePagePath"),
         both(put((*ERRORS, 1, "ResponseCode"), "404"), put((*ERRORS, 1, "ResponsePagePath"), "404.html"))),
    case("custom-error-response", (*ERRORS, 1, "ResponseCode"),
         both(put((*ERRORS, 1, "ResponseCode"), "302"), put((*ERRORS, 1, "ResponsePagePath"), "/404.html"))),
    value("error-cached-long", (*ERRORS, 3, "ErrorCachingMinTTL"), 300),
    value("geo-restriction", GEO, {"RestrictionType": "whitelist", "Quantity": 0}),
    value("geo-restriction", GEO, {"RestrictionType": "none", **listed("DE")}),
    case("location-code", (*GEO, 1), put(GEO, {"RestrictionType": "blacklist", **listed("DE", "deu")})),
    value("web-acl", ("WebACLId",), "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/blog/0a1b2c3d"),
    case("logging-bucket", ("Logging", "Bucket"), put(("Logging",), {"Enabled": True, "IncludeCookies": False, "Bucket": "blog-logs", "Prefix": ""})),
    # what hurts a WordPress
    around("nonce-life", default("CachePolicyId"), cache_policies=lambda: policy(DefaultTTL=86400, MaxTTL=86400)),
    around("nonce-life", default("CachePolicyId"), nonce_life_seconds=300),
    around("minimum-ttl-on-pages", default("CachePolicyId"), cache_policies=lambda: policy(MinTTL=60)),
    case("private-path-cached", at(ADMIN, "CachePolicyId"),
         both(put(at(ADMIN, "CachePolicyId"), "blog-pages"), put(at(ADMIN, "OriginRequestPolicyId"), "blog-pages")), "private-path-cookies",
         "private-path-query-strings"),
    case("private-path-cached", at(LOGIN, "CachePolicyId"),
         lambda config: add(("CacheBehaviors",), {**copy.deepcopy(node(config, at(CONTENT))), "PathPattern": "wp-*"}, at=0)(config),
         "shadowed-path-pattern", "private-path-cookies", "private-path-methods", "nonce-life"),
    value("private-path-cookies", at(ADMIN, "OriginRequestPolicyId"), "blog-headers",
          origin_request_policies=lambda: requests(CookiesConfig={"CookieBehavior": "none"})),
    value("private-path-query-strings", at(ADMIN, "OriginRequestPolicyId"), "blog-headers",
          origin_request_policies=lambda: requests(QueryStringsConfig={"QueryStringBehavior": "none"})),
    value("private-path-authorization", at(REST, "OriginRequestPolicyId"), "blog-headers",
          origin_request_policies=lambda: requests(HeadersConfig={"HeaderBehavior": "whitelist", "Headers": listed("Host")})),
    value("private-path-methods", at(ADMIN, "AllowedMethods"), READ),
    value("login-over-http", at(LOGIN, "ViewerProtocolPolicy"), "allow-all"),
    value("default-methods", default("AllowedMethods"), READ),
    around("session-cookies-missing", default("CachePolicyId"), cache_policies=lambda: pages_cookies("comment_author_*", "wp-postpass_*")),
    around("password-cookie-missing", default("CachePolicyId"), cache_policies=lambda: pages_cookies("comment_author_*", "wordpress_*")),
    value("host-missing", at(ADMIN, "OriginRequestPolicyId"), NO_HOST),
]  # fmt: skip


def requests(**parts: Any) -> dict[str, Any]:
    """Return the context's origin request policies with a changed copy of the one that sends everything."""
    everything = copy.deepcopy(GOOD.context.origin_request_policies["blog-everything"])
    return {**GOOD.context.origin_request_policies, "blog-headers": {**everything, **parts}}


def described(found: list[lint.Finding]) -> list[str]:
    return [str(finding) for finding in found]


def judged(wrong: Case) -> list[lint.Finding]:
    config = copy.deepcopy(GOOD.config)
    wrong.change(config)
    context = {name: value() if callable(value) else value for name, value in wrong.context.items()}
    return lint.distribution(config, replace(GOOD.context, **context))


def assert_said(finding: lint.Finding) -> None:
    """Each message says where, what value, what is wrong and what to do."""
    text = finding.message()
    assert text.startswith(f"{lint.wire_name(finding.path)} is {finding.value!r}: ")
    assert finding.problem in text and len(finding.problem) > 10
    assert finding.cure in text and finding.cure.endswith(".")
    assert finding.message("behaviors[1].path_pattern").startswith("behaviors[1].path_pattern is ")
    assert bool(finding.code) == (finding.severity == lint.REFUSED)


@pytest.mark.parametrize("wrong", CASES, ids=lambda wrong: f"{wrong.rule}-{lint.wire_name(wrong.path)}")
def test_one_wrong_change_is_found(wrong: Case) -> None:
    found = judged(wrong)
    named = [finding for finding in found if finding.rule == wrong.rule and finding.path == wrong.path]
    assert len(named) == 1, described(found)
    assert_said(named[0])
    rule = lint.RULES[wrong.rule]
    assert (named[0].severity, named[0].code) == (rule.severity, wrong.code or rule.code)
    assert {finding.rule for finding in found} - {wrong.rule} == set(wrong.also), described(found)


def test_the_good_distribution_is_good() -> None:
    assert described(lint.distribution(GOOD.config, GOOD.context)) == []


POLICIES = ("cache_policies", "origin_request_policies", "response_headers_policies")
LINTED = {
    "cache_policies": lint.cache_policy,
    "origin_request_policies": lint.origin_request_policy,
    "response_headers_policies": lint.response_headers_policy,
}
PRESETS = [[], ["woocommerce"], ["multisite"], ["campaigns"], ["woocommerce", "multisite", "campaigns"]]


@pytest.mark.parametrize("media", [True, False], ids=["bucket", "no bucket"])
@pytest.mark.parametrize("presets", PRESETS, ids=lambda presets: "+".join(presets) or "plain")
@pytest.mark.parametrize("name", ["whitepaper", "recommended"])
def test_both_behavior_sets_pass(name: str, presets: list[str], media: bool) -> None:
    edge = table1.rendered(name, media=media, presets=[table1.load_preset(preset) for preset in presets])
    assert described(lint.distribution(edge.config, edge.context)) == []
    for kind in POLICIES:
        for identifier, config in getattr(edge.context, kind).items():
            if identifier.startswith("blog-"):
                assert described(LINTED[kind](config)) == []


def test_functions_of_the_presets_pass() -> None:
    for path in (table1.ROOT / "roles/edge/files/functions").glob("*.js"):
        code = path.read_text(encoding="utf-8")
        assert described(lint.function("blog-campaigns", {"Runtime": "cloudfront-js-2.0", "Comment": ""}, code)) == []


def test_what_is_not_known_is_not_judged() -> None:
    config = copy.deepcopy(GOOD.config)
    config["DefaultCacheBehavior"]["CachePolicyId"] = "(known after apply)"
    config["Origins"]["Items"][SITE]["DomainName"] = "(known after apply)"
    config["ViewerCertificate"]["ACMCertificateArn"] = "(known after apply)"
    config["Origins"]["Items"][BUCKET]["OriginAccessControlId"] = "(known after apply)"
    assert described(lint.distribution(config, GOOD.context)) == []
    config["DefaultCacheBehavior"]["OriginRequestPolicyId"] = "of another account"
    assert described(lint.distribution(config, lint.Context())) == []


def test_what_is_not_wordpress_is_not_judged_as_one() -> None:
    config = copy.deepcopy(GOOD.config)
    config["CacheBehaviors"] = {"Quantity": 0}
    config["DefaultCacheBehavior"].update(AllowedMethods=READ, CachePolicyId=OPTIMIZED)
    config["DefaultCacheBehavior"].pop("OriginRequestPolicyId")
    assert described(lint.distribution(config, GOOD.context)) == []
    rules = {finding.rule for finding in lint.distribution(config, replace(GOOD.context, wordpress=True))}
    assert {"nonce-life", "default-methods", "session-cookies-missing", "private-path-cached"} <= rules


def test_a_secret_header_is_never_named() -> None:
    for wrong in CASES:
        assert not any("secret-value" in str(finding) for finding in judged(wrong))


# -- policies, functions, bucket policies ----------------------------------------------------------------------------------


KEY = "ParametersInCacheKeyAndForwardedToOrigin"
CACHE = GOOD.context.cache_policies["blog-pages"]
REQUEST = GOOD.context.origin_request_policies["blog-pages"]
RESPONSE = GOOD.context.response_headers_policies["blog-security"]
DISTRIBUTION = "arn:aws:cloudfront::123456789012:distribution/E1"
BUCKET_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "Edge",
            "Effect": "Allow",
            "Principal": {"Service": "cloudfront.amazonaws.com"},
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::blog-media/*",
            "Condition": {"StringEquals": {"AWS:SourceArn": DISTRIBUTION}},
        },
        {
            "Sid": "Nodes",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::123456789012:role/blog-web"},
            "Action": ["s3:PutObject", "s3:DeleteObject"],
            "Resource": "arn:aws:s3:::blog-media/*",
        },
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": "arn:aws:s3:::blog-media/*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ],
}
CODE = "function handler(event) { return event.request; }"
SECURITY: Path = ("SecurityHeadersConfig",)
CORS = {
    "AccessControlAllowOrigins": listed("*"),
    "AccessControlAllowHeaders": listed("X-A"),
    "AccessControlAllowMethods": listed("GET"),
    "AccessControlAllowCredentials": True,
    "OriginOverride": True,
}


def cookies(*names: str, behavior: str = "whitelist") -> dict[str, Any]:
    return {"CookieBehavior": behavior, "Cookies": listed(*names)}


POLICY_CASES = [
    (lint.cache_policy, CACHE, "ttl-order", ("MinTTL",), put(("MinTTL",), 3600), "InvalidArgument"),
    (lint.cache_policy, CACHE, "ttl-order", ("DefaultTTL",), put(("MaxTTL",), 60), "InvalidArgument"),
    (lint.cache_policy, CACHE, "ttl-range", ("MaxTTL",), put(("MaxTTL",), 3153600001), ""),
    (lint.cache_policy, CACHE, "policy-name-form", ("Name",), put(("Name",), "the pages"), ""),
    (lint.cache_policy, CACHE, "comment-length", ("Comment",), put(("Comment",), "x" * 129), ""),
    (lint.cache_policy, CACHE, "unknown-choice", (KEY, "CookiesConfig", "CookieBehavior"), put((KEY, "CookiesConfig"), {"CookieBehavior": "some"}), ""),
    (lint.cache_policy, CACHE, "caching-disabled-with-key", (KEY, "EnableAcceptEncodingGzip"), both(put(("MaxTTL",), 0), put(("DefaultTTL",), 0)), ""),
    (lint.cache_policy, CACHE, "caching-disabled-with-key", (KEY, "CookiesConfig", "CookieBehavior"),
     both(put(("MaxTTL",), 0), put(("DefaultTTL",), 0)), ""),
    (lint.cache_policy, CACHE, "policy-names", (KEY, "CookiesConfig", "Cookies"), put((KEY, "CookiesConfig"), {"CookieBehavior": "whitelist"}), ""),
    (lint.cache_policy, CACHE, "policy-names", (KEY, "CookiesConfig", "Cookies"), put((KEY, "CookiesConfig"), cookies("a", behavior="none")), ""),
    (lint.cache_policy, CACHE, "policy-name-form", (KEY, "CookiesConfig", "Cookies", 0), put((KEY, "CookiesConfig"), cookies("a=b")), ""),
    (lint.cache_policy, CACHE, "policy-name-form", (KEY, "HeadersConfig", "Headers", 2), add((KEY, "HeadersConfig", "Headers"), "host"), ""),
    (lint.cache_policy, CACHE, "too-many-policy-names", (KEY, "CookiesConfig", "Cookies"),
     put((KEY, "CookiesConfig"), cookies(*(f"c{n}" for n in range(11)))), "TooManyCookiesInCachePolicy"),
    (lint.cache_policy, CACHE, "too-many-policy-names", (KEY, "QueryStringsConfig", "QueryStrings"),
     add((KEY, "QueryStringsConfig", "QueryStrings"), "dclid"), "TooManyQueryStringsInCachePolicy"),
    (lint.cache_policy, CACHE, "header-not-allowed", (KEY, "HeadersConfig", "Headers", 2), add((KEY, "HeadersConfig", "Headers"), "Cookie"), ""),
    (lint.cache_policy, CACHE, "header-not-allowed", (KEY, "HeadersConfig", "Headers", 2), add((KEY, "HeadersConfig", "Headers"), "Accept-Encoding"), ""),
    (lint.cache_policy, CACHE, "scattering-header", (KEY, "HeadersConfig", "Headers", 2), add((KEY, "HeadersConfig", "Headers"), "User-Agent"), ""),
    (lint.cache_policy, CACHE, "all-cookies-in-key", (KEY, "CookiesConfig", "CookieBehavior"), put((KEY, "CookiesConfig"), {"CookieBehavior": "all"}), ""),
    (lint.cache_policy, CACHE, "query-string-wildcard", (KEY, "QueryStringsConfig", "QueryStrings", 0),
     put((KEY, "QueryStringsConfig", "QueryStrings", 0), "utm_*"), ""),
    (lint.cache_policy, CACHE, "quantity-mismatch", (KEY, "HeadersConfig", "Headers", "Quantity"),
     put((KEY, "HeadersConfig", "Headers", "Quantity"), 3), ""),
    (lint.origin_request_policy, REQUEST, "header-not-allowed", ("HeadersConfig", "Headers", 1), add(("HeadersConfig", "Headers"), "Authorization"), ""),
    (lint.origin_request_policy, REQUEST, "header-not-allowed", ("HeadersConfig", "Headers", 1), add(("HeadersConfig", "Headers"), "Accept-Encoding"), ""),
    (lint.origin_request_policy, REQUEST, "header-not-allowed", ("HeadersConfig", "Headers", 0),
     put(("HeadersConfig",), {"HeaderBehavior": "allViewerAndWhitelistCloudFront", "Headers": listed("Host")}), ""),
    (lint.origin_request_policy, REQUEST, "too-many-policy-names", ("HeadersConfig", "Headers"),
     add(("HeadersConfig", "Headers"), *(f"X-{n}" for n in range(10))), "TooManyHeadersInOriginRequestPolicy"),
    (lint.origin_request_policy, REQUEST, "policy-names", ("HeadersConfig", "Headers"), put(("HeadersConfig", "HeaderBehavior"), "allViewer"), ""),
    (lint.response_headers_policy, RESPONSE, "response-header-not-allowed", ("CustomHeadersConfig", 0, "Header"),
     put(("CustomHeadersConfig",), listed({"Header": "X-Cache", "Value": "no", "Override": True})), ""),
    (lint.response_headers_policy, RESPONSE, "response-header-not-allowed", ("RemoveHeadersConfig", 1, "Header"),
     add(("RemoveHeadersConfig",), {"Header": "Content-Length"}), ""),
    (lint.response_headers_policy, RESPONSE, "too-many-response-headers", ("RemoveHeadersConfig",),
     add(("RemoveHeadersConfig",), *({"Header": f"X-{n}"} for n in range(10))), "TooManyRemoveHeadersInResponseHeadersPolicy"),
    (lint.response_headers_policy, RESPONSE, "csp-length", (*SECURITY, "ContentSecurityPolicy", "ContentSecurityPolicy"),
     put((*SECURITY, "ContentSecurityPolicy"), {"Override": True, "ContentSecurityPolicy": "x" * 1784}), ""),
    (lint.response_headers_policy, RESPONSE, "xss-protection", (*SECURITY, "XSSProtection", "ReportUri"),
     put((*SECURITY, "XSSProtection"), {"Override": True, "Protection": True, "ModeBlock": True, "ReportUri": "/r"}), ""),
    (lint.response_headers_policy, RESPONSE, "cors-credentials", ("CorsConfig", "AccessControlAllowOrigins"), put(("CorsConfig",), CORS), ""),
    (lint.response_headers_policy, RESPONSE, "server-timing", ("ServerTimingHeadersConfig", "SamplingRate"),
     put(("ServerTimingHeadersConfig",), {"Enabled": True, "SamplingRate": 101}), ""),
]  # fmt: skip


@pytest.mark.parametrize("wrong", POLICY_CASES, ids=lambda wrong: f"{wrong[2]}-{lint.wire_name(wrong[3])}")
def test_one_wrong_change_of_a_policy_is_found(wrong: tuple[Any, ...]) -> None:
    check, sound, rule, path, change, code = wrong
    assert described(check(sound)) == []
    config = copy.deepcopy(dict(sound))
    change(config)
    found = check(config)
    named = [finding for finding in found if (finding.rule, finding.path) == (rule, path)]
    assert len(named) == 1, described(found)
    assert_said(named[0])
    assert (named[0].severity, named[0].code) == (lint.RULES[rule].severity, code or lint.RULES[rule].code)
    assert {finding.rule for finding in found} == {rule}, described(found)


FUNCTION_CASES = [
    ("function-size", ("FunctionCode",), {"code": CODE + "/" * 10240}),
    ("function-definition", ("Name",), {"name": "drop utm"}),
    ("function-definition", ("FunctionConfig", "Runtime"), {"config": {"Runtime": "nodejs22.x", "Comment": ""}}),
    ("function-handler", ("FunctionCode",), {"code": "function main(event) { return event.request; }"}),
    ("function-response", ("FunctionCode",), {"events": ["viewer-response"]}),
]


@pytest.mark.parametrize(("rule", "path", "wrong"), FUNCTION_CASES)
def test_one_fault_of_a_function_is_found(rule: str, path: Path, wrong: Mapping[str, Any]) -> None:
    sound = {"name": "blog-f", "config": {"Runtime": "cloudfront-js-2.0", "Comment": ""}, "code": CODE, "events": []}
    assert lint.function(**sound) == []
    found = lint.function(**{**sound, **wrong})
    assert [(finding.rule, finding.path) for finding in found] == [(rule, path)]
    assert_said(found[0])


# What the whitepaper's plugin appendix asks for (R63), and lesser forms of it.
BUCKET_CASES = [
    ("bucket-policy-principal", ("Statement", 0, "Principal"), {"Principal": "*"}, set()),
    ("bucket-policy-principal", ("Statement", 0, "Principal"), {"Principal": {"AWS": "*"}}, set()),
    ("bucket-policy-principal", ("Statement", 0, "Principal"), {"Principal": {"AWS": ["arn:aws:iam::123456789012:root", "*"]}}, set()),
    ("bucket-policy-principal", ("Statement", 0, "Principal"), {"Principal": "*", "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]},
     {"bucket-policy-write"}),
    ("bucket-policy-write", ("Statement", 0, "Action"), {"Action": ["s3:GetObject", "s3:PutObject"]}, set()),
    ("bucket-policy-write", ("Statement", 0, "Action"), {"Action": "s3:*"}, set()),
    ("bucket-policy-source", ("Statement", 0, "Condition"), {"Condition": {}}, set()),
    ("bucket-policy-source", ("Statement", 0, "Condition"), {"Condition": {"StringEquals": {"AWS:SourceAccount": "123456789012"}}}, set()),
    ("bucket-policy-source", ("Statement", 0, "Condition"), {"Condition": {"StringLike": {"AWS:SourceArn": "*"}}}, set()),
    ("bucket-policy-distribution", ("Statement",), {"Condition": {"StringEquals": {"AWS:SourceArn": DISTRIBUTION + "2"}}}, set()),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "path", "wrong", "also"), BUCKET_CASES)
def test_an_open_bucket_policy_is_found(rule: str, path: Path, wrong: Mapping[str, Any], also: set[str]) -> None:
    assert lint.bucket_policy(BUCKET_POLICY, [DISTRIBUTION]) == []
    document: Any = copy.deepcopy(BUCKET_POLICY)
    document["Statement"][0].update(wrong)
    found = lint.bucket_policy(document, [DISTRIBUTION])
    named = [finding for finding in found if (finding.rule, finding.path) == (rule, path)]
    assert len(named) == 1, described(found)
    assert_said(named[0])
    assert {finding.rule for finding in found} - {rule} == also, described(found)


def test_every_rule_has_a_case() -> None:
    tried = {wrong.rule for wrong in CASES} | {row[2] for row in POLICY_CASES}
    tried |= {row[0] for row in FUNCTION_CASES} | {row[0] for row in BUCKET_CASES}
    assert set(lint.RULES) - tried == set()
    assert len(CASES) + len(POLICY_CASES) + len(FUNCTION_CASES) + len(BUCKET_CASES) >= 45
