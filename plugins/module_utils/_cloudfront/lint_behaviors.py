# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lint of the ordered list of behaviors and of what hangs on each of them. Pure; called by ``lint.distribution``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import patterns
from .findings import Config, Context, Path, Report, behaviors, items, known, one_of
from .lint_origins import by_id, is_bucket
from .resolved import ALL, EXCEPT, MAX_TTL, NONE, SOME, Resolved, Selection, resolve

VIEWER_PROTOCOLS = ("allow-all", "https-only", "redirect-to-https")
READ = frozenset({"GET", "HEAD"})
READ_ASK = READ | {"OPTIONS"}
EVERY = READ_ASK | {"PUT", "POST", "PATCH", "DELETE"}
METHOD_SETS = (READ, READ_ASK, EVERY)
LEGACY_FIELDS = ("ForwardedValues", "MinTTL", "DefaultTTL", "MaxTTL")
#: The characters of path patterns, apart from the wildcards.
PATTERN = re.compile(r"^[A-Za-z0-9_.*?$/~\"'@:+&-]+$")
LONGEST_PATTERN = 255
HUNDRED_YEARS = 3153600000
VIEWER_EVENTS = ("viewer-request", "viewer-response")
LAMBDA_EVENTS = (*VIEWER_EVENTS, "origin-request", "origin-response")
LAMBDA = re.compile(r"^arn:aws[a-z-]*:lambda:us-east-1:[0-9]{12}:function:[^:]+:[0-9]+$")

POLICIES = (
    ("CachePolicyId", "cache_policies", "cache policy", "NoSuchCachePolicy"),
    ("OriginRequestPolicyId", "origin_request_policies", "origin request policy", "NoSuchOriginRequestPolicy"),
    ("ResponseHeadersPolicyId", "response_headers_policies", "response headers policy", "NoSuchResponseHeadersPolicy"),
)


def check(report: Report, config: Config, context: Context) -> None:
    """Report the faults of a distribution's behaviors."""
    listed = items(config.get("CacheBehaviors"))
    most = context.limit("behaviors")
    if len(listed) > most:
        report.add(
            "too-many-behaviors",
            ("CacheBehaviors",),
            len(listed),
            f"at most {most} are possible",
            "Join patterns with wildcards, or ask AWS for more.",
        )
    _check_patterns(report, listed)
    origins = by_id(config)
    for path, behavior in behaviors(config):
        target = behavior.get("TargetOriginId")
        if target not in origins:
            names = ", ".join(sorted(origins)) or "none"
            report.add(
                "unknown-origin",
                (*path, "TargetOriginId"),
                target,
                "there is no such origin or origin group",
                f"Use one of: {names}.",
            )
        one_of(report, (*path, "ViewerProtocolPolicy"), behavior.get("ViewerProtocolPolicy"), VIEWER_PROTOCOLS)
        _check_methods(report, path, behavior)
        _check_cache_settings(report, path, behavior, context)
        _check_functions(report, path, behavior, context)
        _check_grpc(report, path, behavior, config)
        done = resolve(behavior, context)
        _check_unkeyed(report, path, behavior, done)
        _check_bucket_headers(report, path, behavior, done, origins.get(str(target), []))


def _check_patterns(report: Report, listed: list[Mapping[str, Any]]) -> None:
    for index, behavior in enumerate(listed):
        path: Path = ("CacheBehaviors", index, "PathPattern")
        pattern = str(behavior.get("PathPattern", ""))
        if len(pattern) > LONGEST_PATTERN:
            report.add(
                "too-long",
                path,
                pattern,
                f"it has {len(pattern)} characters, at most {LONGEST_PATTERN} are possible",
                "Shorten it with wildcards.",
            )
            continue
        if not PATTERN.match(pattern):
            wrong = "".join(sorted({char for char in pattern if not PATTERN.match(char)}))
            problem = f"path patterns cannot hold {wrong!r}" if wrong else "it is empty"
            report.add(
                "path-pattern",
                path,
                pattern,
                problem,
                "Use letters, digits, _-.$/~\"'@:+& and the wildcards * and ?; query strings are not part of a path.",
            )
            continue
        if patterns.path_covers(pattern, "*"):
            report.add(
                "default-unreachable",
                path,
                pattern,
                "it takes every path, so the default behavior never applies",
                "Make it the default behavior, or narrow the pattern.",
            )
        _check_shadows(report, path, pattern, listed[:index])


def _check_shadows(report: Report, path: Path, pattern: str, earlier: list[Mapping[str, Any]]) -> None:
    for index, behavior in enumerate(earlier):
        other = str(behavior.get("PathPattern", ""))
        if patterns.normal(other) == patterns.normal(pattern):
            report.add(
                "duplicate-path-pattern",
                path,
                pattern,
                f"CacheBehaviors[{index}] has the pattern {other!r} already",
                "Join the two behaviors.",
            )
            return
        if patterns.path_covers(other, pattern):
            report.add(
                "shadowed-path-pattern",
                path,
                pattern,
                f"it never applies: CacheBehaviors[{index}] ({other!r}) comes first and takes all its paths",
                f"Move it before {other!r}, or remove it.",
            )
            return


def _check_methods(report: Report, path: Path, behavior: Config) -> None:
    allowed = behavior.get("AllowedMethods")
    if allowed is None:
        return
    methods = set(items(allowed))
    choices = "GET, HEAD; GET, HEAD, OPTIONS; or all seven"
    if methods not in METHOD_SETS:
        report.add(
            "allowed-methods",
            (*path, "AllowedMethods"),
            items(allowed),
            f"CloudFront knows three sets: {choices}",
            "Use one of these sets.",
        )
    cached = allowed.get("CachedMethods")
    if cached is None:
        return
    kept = set(items(cached))
    where = (*path, "AllowedMethods", "CachedMethods")
    if kept not in (READ, READ_ASK):
        report.add(
            "cached-methods",
            where,
            items(cached),
            "only answers to GET, HEAD and OPTIONS can be cached",
            "Use GET, HEAD or GET, HEAD, OPTIONS.",
        )
    elif not kept <= methods:
        report.add(
            "cached-methods",
            where,
            items(cached),
            "methods are cached that are not allowed",
            "Allow OPTIONS as well, or do not cache it.",
        )


def _check_cache_settings(report: Report, path: Path, behavior: Config, context: Context) -> None:
    for name, kind, what, code in POLICIES:
        identifier, policies = behavior.get(name), getattr(context, kind)
        if known(identifier) and policies is not None and identifier not in policies:
            report.add(
                "unknown-policy",
                (*path, name),
                identifier,
                f"there is no such {what}",
                "Create it first, or use the name or id of one that exists.",
                code=code,
            )
    policy = behavior.get("CachePolicyId")
    legacy = [name for name in LEGACY_FIELDS if behavior.get(name) is not None]
    if policy and legacy:
        report.add(
            "cache-policy-with-legacy",
            (*path, legacy[0]),
            _brief(behavior[legacy[0]]),
            f"the cache policy {policy} decides this",
            f"Remove {', '.join(legacy)}, or the cache policy.",
        )
    if not policy and behavior.get("ForwardedValues") is None:
        report.add(
            "cache-settings-missing",
            (*path, "CachePolicyId"),
            policy,
            "neither a cache policy nor ForwardedValues says what is cached",
            "Give a cache policy, such as CachingDisabled.",
        )
    elif not policy and behavior.get("OriginRequestPolicyId"):
        report.add(
            "origin-request-policy-alone",
            (*path, "OriginRequestPolicyId"),
            behavior["OriginRequestPolicyId"],
            "it needs a cache policy beside it",
            "Replace ForwardedValues by a cache policy.",
        )
    if not policy and behavior.get("ForwardedValues") is not None:
        check_ttls(report, path, behavior)
        _check_legacy(report, path, behavior["ForwardedValues"], context)


def _brief(value: Any) -> Any:
    return sorted(value) if isinstance(value, Mapping) else value


def check_ttls(report: Report, path: Path, owner: Config, code: str = "") -> None:
    """Report TTLs (seconds) of a cache policy or a legacy behavior that are out of order or out of bounds."""
    least, usual, most = owner.get("MinTTL", 0), owner.get("DefaultTTL"), owner.get("MaxTTL")
    for name, value in (("MinTTL", least), ("DefaultTTL", usual), ("MaxTTL", most)):
        if isinstance(value, int) and not 0 <= value <= HUNDRED_YEARS:
            report.add(
                "ttl-range",
                (*path, name),
                value,
                "possible are 0 to 3153600000 seconds (100 years)",
                f"Use {0 if value < 0 else MAX_TTL}.",
            )
            return
    pairs = (
        (("MinTTL", least), ("DefaultTTL", usual)),
        (("DefaultTTL", usual), ("MaxTTL", most)),
        (("MinTTL", least), ("MaxTTL", most)),
    )
    for (low_name, low), (high_name, high) in pairs:
        if isinstance(low, int) and isinstance(high, int) and low > high:
            report.add(
                "ttl-order",
                (*path, low_name),
                low,
                f"it is above {high_name}, which is {high}",
                f"Use at most {high}, or raise {high_name}.",
                code=code,
            )
            return


def _check_legacy(report: Report, path: Path, values: Config, context: Context) -> None:
    most = context.limit("names")
    cookies = values.get("Cookies") or {}
    names = items(cookies.get("WhitelistedNames"))
    where = (*path, "ForwardedValues", "Cookies")
    one_of(report, (*where, "Forward"), cookies.get("Forward"), ("none", "whitelist", "all"))
    if (cookies.get("Forward") == "whitelist") != bool(names):
        report.add(
            "legacy-names",
            (*where, "WhitelistedNames"),
            names,
            f"Forward is {cookies.get('Forward')!r}",
            "List names if and only if Forward is whitelist.",
        )
    for kind, listed, code in (
        ("Cookies", names, "TooManyCookieNamesInWhiteList"),
        ("Headers", items(values.get("Headers")), "TooManyHeadersInForwardedValues"),
        ("QueryStringCacheKeys", items(values.get("QueryStringCacheKeys")), "TooManyQueryStringParameters"),
    ):
        if len(listed) > most:
            report.add(
                "too-many-policy-names",
                (*path, "ForwardedValues", kind),
                len(listed),
                f"at most {most} are possible",
                "Use wildcards where they are possible, or ask AWS for more.",
                code=code,
            )


def _check_functions(report: Report, path: Path, behavior: Config, context: Context) -> None:
    functions = items(behavior.get("FunctionAssociations"))
    lambdas = items(behavior.get("LambdaFunctionAssociations"))
    for kind, associations in (("FunctionAssociations", functions), ("LambdaFunctionAssociations", lambdas)):
        events = set()
        for index, association in enumerate(associations):
            event, where = association.get("EventType"), (*path, kind, index, "EventType")
            if kind == "FunctionAssociations" and event not in VIEWER_EVENTS:
                report.add(
                    "function-event",
                    where,
                    event,
                    "CloudFront functions run on viewer events only",
                    "Use viewer-request or viewer-response, or Lambda@Edge.",
                )
            elif event not in LAMBDA_EVENTS:
                one_of(report, where, event, LAMBDA_EVENTS)
            if event in events:
                code = "" if kind == "FunctionAssociations" else "TooManyLambdaFunctionAssociations"
                report.add(
                    "function-event-twice",
                    where,
                    event,
                    "this event has a function already",
                    "Join the two functions into one.",
                    code=code,
                )
            events.add(event)
    for index, association in enumerate(functions):
        arn = association.get("FunctionARN")
        if known(arn) and context.functions is not None and arn not in context.functions:
            report.add(
                "unknown-function",
                (*path, "FunctionAssociations", index, "FunctionARN"),
                arn,
                "there is no such published function",
                "Create and publish it first.",
            )
    for index, association in enumerate(lambdas):
        arn, event = str(association.get("LambdaFunctionARN")), association.get("EventType")
        where = (*path, "LambdaFunctionAssociations", index)
        if known(arn) and not LAMBDA.match(arn):
            report.add(
                "lambda-association",
                (*where, "LambdaFunctionARN"),
                arn,
                "it must be a version of a function in us-east-1",
                "Publish a version and use its ARN (no alias, no $LATEST).",
            )
        if association.get("IncludeBody") and str(event).endswith("-response"):
            report.add(
                "lambda-association",
                (*where, "IncludeBody"),
                True,
                f"{event} has no request body",
                "Leave it out, or use a request event.",
            )
        if functions and event in VIEWER_EVENTS:
            report.add(
                "function-kinds-mixed",
                (*where, "EventType"),
                event,
                "this behavior runs CloudFront functions on viewer events as well",
                "Use one of the two kinds for viewer events.",
            )


def _check_grpc(report: Report, path: Path, behavior: Config, config: Config) -> None:
    if not (behavior.get("GrpcConfig") or {}).get("Enabled"):
        return
    where = (*path, "GrpcConfig", "Enabled")
    if "POST" not in items(behavior.get("AllowedMethods")):
        report.add("grpc", where, True, "gRPC needs POST", "Allow all methods.")
    if str(config.get("HttpVersion", "http2")).lower() not in ("http2", "http2and3"):
        report.add(
            "grpc",
            where,
            True,
            f"gRPC needs HTTP/2, and HttpVersion is {config.get('HttpVersion')}",
            "Use http2 or http2and3.",
        )


def _check_unkeyed(report: Report, path: Path, behavior: Config, done: Resolved) -> None:
    """What the origin answers to must be in the key, or one visitor's answer is everybody's."""
    if not done.caches or not behavior.get("OriginRequestPolicyId"):
        return
    where, policy = (*path, "OriginRequestPolicyId"), behavior["OriginRequestPolicyId"]
    if done.sent_cookies and done.key_cookies is not None:
        added = done.sent_cookies[-1]
        if not done.key_cookies.covers(added):
            report.add(
                "unkeyed-cookies",
                where,
                policy,
                f"it sends {_said(added)} cookies to the origin, the key holds {_said(done.key_cookies)}",
                "Put these cookies into the cache policy, do not send them, or do not cache.",
            )
    if done.sent_query_strings and done.key_query_strings is not None and done.key_query_strings.mode in (NONE, SOME):
        added = done.sent_query_strings[-1]
        if not done.key_query_strings.covers(added):
            report.add(
                "unkeyed-query-strings",
                where,
                policy,
                f"it sends {_said(added)} query strings to the origin, the key holds {_said(done.key_query_strings)}",
                "Put them into the cache policy, do not send them, or do not cache.",
            )


def _said(selection: Selection) -> str:
    names = ", ".join(sorted(selection.names))
    return {NONE: "no", ALL: "all", SOME: names, EXCEPT: f"all but {names}"}[selection.mode]


def _check_bucket_headers(
    report: Report, path: Path, behavior: Config, done: Resolved, targets: list[Mapping[str, Any]]
) -> None:
    buckets = [str(origin.get("DomainName")) for origin in targets if is_bucket(origin)]
    if not buckets:
        return
    if behavior.get("ForwardedValues"):
        names = [str(name).lower() for name in items(behavior["ForwardedValues"].get("Headers"))]
        if {"host", "*"} & set(names):
            report.add(
                "legacy-s3-headers",
                (*path, "ForwardedValues", "Headers"),
                names,
                f"{buckets[0]} does not know the visitor's host",
                "Leave out Host and *.",
            )
    elif done.sends("headers", "host"):
        keyed = done.key_headers is not None and done.key_headers.includes("host")
        name = "CachePolicyId" if keyed else "OriginRequestPolicyId"
        report.add(
            "host-to-bucket",
            (*path, name),
            behavior.get(name),
            f"it sends the visitor's Host to {buckets[0]}, which knows only its own",
            "Use a policy without Host (AllViewerExceptHostHeader, or a list of headers).",
        )
