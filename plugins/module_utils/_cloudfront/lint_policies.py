# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lint of cache, origin request and response headers policies, of functions and of bucket policies. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from . import patterns
from .findings import UNKNOWN, Config, Context, Path, Report, check_quantities, items, one_of
from .lint_behaviors import check_ttls
from .lint_origins import HEADER_NAME

CACHE, ORIGIN_REQUEST = "CachePolicy", "OriginRequestPolicy"
KEY = "ParametersInCacheKeyAndForwardedToOrigin"
NAME = re.compile(r"^[A-Za-z0-9_.-]{1,128}$")
FUNCTION_NAME = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
RUNTIMES = ("cloudfront-js-1.0", "cloudfront-js-2.0")

#: Headers that CloudFront never caches by (lower case).
NOT_IN_KEY = frozenset(
    {
        "cache-control", "connection", "content-length", "cookie", "max-forwards", "pragma", "proxy-authenticate",
        "proxy-authorization", "proxy-connection", "request-range", "te", "trailer", "transfer-encoding", "upgrade", "via",
        "x-forwarded-proto", "x-real-ip",
    }
)  # fmt: skip
#: Headers that an origin request policy must not name: these belong into the key.
NOT_SENT = NOT_IN_KEY | {"authorization", "accept-encoding"}
#: Headers whose values differ for nearly every visitor.
SCATTERING = frozenset(
    {"user-agent", "referer", "accept", "date", "x-forwarded-for", "cloudfront-viewer-address", "if-modified-since"}
)
#: Response headers that belong to the connection or to CloudFront.
NOT_IN_RESPONSE = frozenset(
    {
        "connection", "content-encoding", "content-length", "expect", "host", "keep-alive", "proxy-authenticate",
        "proxy-authorization", "proxy-connection", "trailer", "transfer-encoding", "upgrade", "via", "warning",
        "x-accel-buffering", "x-accel-charset", "x-accel-limit-rate", "x-accel-redirect", "x-amzn-auth",
        "x-amzn-cf-billing", "x-amzn-cf-id", "x-amzn-cf-xff", "x-amzn-errortype", "x-amzn-fle-profile",
        "x-amzn-header-count", "x-amzn-header-order", "x-amzn-lambda-integration-tag", "x-amzn-requestid", "x-cache",
        "x-forwarded-proto", "x-real-ip",
    }
)  # fmt: skip
RESPONSE_PREFIXES = ("x-amz-cf-", "x-edge-")
LONGEST_CSP = 1783

#: Part of a policy, its behavior field, its list, and the choices of a cache and of an origin request policy.
PARTS = (
    ("HeadersConfig", "HeaderBehavior", "Headers",
     ("none", "whitelist"), ("none", "whitelist", "allViewer", "allViewerAndWhitelistCloudFront", "allExcept")),
    ("CookiesConfig", "CookieBehavior", "Cookies",
     ("none", "whitelist", "allExcept", "all"), ("none", "whitelist", "all", "allExcept")),
    ("QueryStringsConfig", "QueryStringBehavior", "QueryStrings",
     ("none", "whitelist", "allExcept", "all"), ("none", "whitelist", "all", "allExcept")),
)  # fmt: skip
LISTING = ("whitelist", "allExcept", "allViewerAndWhitelistCloudFront")


def check_cache(report: Report, config: Config, context: Context) -> None:
    check_quantities(report, config)
    _check_name(report, config)
    check_ttls(report, (), config, "InvalidArgument")
    parameters = config.get(KEY) or {}
    if config.get("MaxTTL") == 0:
        _check_disabled(report, parameters)
    compressed = bool(parameters.get("EnableAcceptEncodingGzip") or parameters.get("EnableAcceptEncodingBrotli"))
    _check_parts(report, parameters, (KEY,), CACHE, context)
    for index, name in enumerate(items((parameters.get("HeadersConfig") or {}).get("Headers"))):
        where, lower = (KEY, "HeadersConfig", "Headers", index), str(name).lower()
        if lower in NOT_IN_KEY:
            report.add(
                "header-not-allowed",
                where,
                name,
                "CloudFront does not cache by this header",
                "Remove it; cookies have a setting of their own.",
            )
        elif lower == "accept-encoding" and compressed:
            report.add(
                "header-not-allowed",
                where,
                name,
                "compression puts it into the key already",
                "Remove it, or switch gzip and Brotli off.",
            )
        elif lower in SCATTERING:
            report.add(
                "scattering-header",
                where,
                name,
                "it differs for nearly every visitor, so hardly anything is found in the cache",
                "Remove it; device classes are in the CloudFront-Is-*-Viewer headers.",
            )
    cookies = parameters.get("CookiesConfig") or {}
    if cookies.get("CookieBehavior") == "all" and config.get("MaxTTL") != 0:
        report.add(
            "all-cookies-in-key",
            (KEY, "CookiesConfig", "CookieBehavior"),
            "all",
            "analytics cookies give each visitor a cache of their own (R23)",
            "List the cookies that change the page.",
        )


def _check_disabled(report: Report, parameters: Config) -> None:
    for name in ("EnableAcceptEncodingGzip", "EnableAcceptEncodingBrotli"):
        if parameters.get(name):
            report.add(
                "caching-disabled-with-key",
                (KEY, name),
                True,
                "the maximum TTL is 0, so nothing is cached",
                "Switch it off, or raise the maximum TTL.",
            )
    for part, behavior, *_unused in PARTS:
        value = (parameters.get(part) or {}).get(behavior, "none")
        if value != "none":
            report.add(
                "caching-disabled-with-key",
                (KEY, part, behavior),
                value,
                "the maximum TTL is 0, so there is no key",
                "Use none and send it by an origin request policy, or raise the maximum TTL.",
            )


def check_origin_request(report: Report, config: Config, context: Context) -> None:
    check_quantities(report, config)
    _check_name(report, config)
    _check_parts(report, config, (), ORIGIN_REQUEST, context)
    headers = config.get("HeadersConfig") or {}
    mode = headers.get("HeaderBehavior")
    for index, name in enumerate(items(headers.get("Headers"))):
        where, lower = ("HeadersConfig", "Headers", index), str(name).lower()
        if mode == "whitelist" and lower in NOT_SENT:
            report.add(
                "header-not-allowed",
                where,
                name,
                "an origin request policy cannot send it alone",
                "Put it into the cache policy, or send all of the viewer's headers (allViewer).",
            )
        elif mode == "allViewerAndWhitelistCloudFront" and not lower.startswith("cloudfront-"):
            report.add(
                "header-not-allowed",
                where,
                name,
                "only CloudFront-* headers can be added to all of the viewer's",
                "Remove it: the viewer's headers are sent anyway.",
            )


def _check_name(report: Report, config: Config) -> None:
    name = str(config.get("Name", ""))
    if not NAME.match(name) and UNKNOWN not in name:
        report.add(
            "policy-name-form",
            ("Name",),
            name,
            "a policy's name has 1 to 128 letters, digits, dots, hyphens and underscores",
            "Rename it.",
        )
    check_comment(report, config)


def check_comment(report: Report, config: Config) -> None:
    comment = str(config.get("Comment") or "")
    if len(comment) > 128:
        report.add(
            "comment-length",
            ("Comment",),
            comment,
            f"it has {len(comment)} characters, at most 128 are possible",
            "Shorten it.",
        )


def _check_parts(report: Report, owner: Config, path: Path, kind: str, context: Context) -> None:
    most = context.limit("names")
    for part, behavior, listed, cache_choices, request_choices in PARTS:
        config = owner.get(part) or {}
        mode, names, where = config.get(behavior, "none"), items(config.get(listed)), (*path, part, listed)
        one_of(report, (*path, part, behavior), mode, cache_choices if kind == CACHE else request_choices)
        if (mode in LISTING) != bool(names):
            problem = f"{behavior} is {mode}, which {'needs' if mode in LISTING else 'takes no'} names"
            report.add(
                "policy-names",
                where,
                names,
                problem,
                "List names, or choose another behavior." if mode in LISTING else "Remove the names, or use whitelist.",
            )
        if len(names) > most:
            report.add(
                "too-many-policy-names",
                where,
                len(names),
                f"at most {most} are possible",
                "Use wildcards (cookies only), or ask AWS for more.",
                code=f"TooMany{listed}In{kind}",
            )
        _check_names(report, where, listed, names)


def _check_names(report: Report, path: Path, listed: str, names: list[Any]) -> None:
    seen = set()
    for index, name in enumerate(map(str, names)):
        same = name.lower() if listed == "Headers" else name
        if same in seen:
            report.add("policy-name-form", (*path, index), name, "it is listed twice", "Remove one of the two.")
        seen.add(same)
        wrong = "*" in name if listed == "Headers" else False
        if (
            wrong
            or not name
            or re.search(r"[\s=;&#]", name)
            or not (HEADER_NAME.match(name) or listed == "QueryStrings")
        ):
            report.add(
                "policy-name-form",
                (*path, index),
                name,
                "no request can hold such a name",
                "Use the bare name; wildcards work in cookie names only.",
            )
        elif listed == "QueryStrings" and re.search(r"[*?]", name):
            report.add(
                "query-string-wildcard",
                (*path, index),
                name,
                "wildcards do not work in query string names",
                "List each name.",
            )


def check_response_headers(report: Report, config: Config, context: Context) -> None:
    check_quantities(report, config)
    _check_name(report, config)
    most = context.limit("response_headers")
    for part, code in (
        ("CustomHeadersConfig", "TooManyCustomHeadersInResponseHeadersPolicy"),
        ("RemoveHeadersConfig", "TooManyRemoveHeadersInResponseHeadersPolicy"),
    ):
        headers = items(config.get(part))
        if len(headers) > most:
            report.add(
                "too-many-response-headers",
                (part,),
                len(headers),
                f"at most {most} are possible",
                "Remove some, or ask AWS for more.",
                code=code,
            )
        for index, header in enumerate(headers):
            name = str(header.get("Header", ""))
            lower = name.lower()
            if lower in NOT_IN_RESPONSE or lower.startswith(RESPONSE_PREFIXES) or not HEADER_NAME.match(name):
                report.add(
                    "response-header-not-allowed",
                    (part, index, "Header"),
                    name,
                    "it belongs to the connection or to CloudFront",
                    "Remove it from the policy.",
                )
    _check_security_headers(report, config.get("SecurityHeadersConfig") or {})
    _check_cors(report, config.get("CorsConfig") or {})
    rate = (config.get("ServerTimingHeadersConfig") or {}).get("SamplingRate")
    if rate is not None and not 0 <= rate <= 100:
        report.add(
            "server-timing",
            ("ServerTimingHeadersConfig", "SamplingRate"),
            rate,
            "it is a percentage from 0 to 100",
            "Use 0 to 100.",
        )


def _check_security_headers(report: Report, security: Config) -> None:
    policy = str((security.get("ContentSecurityPolicy") or {}).get("ContentSecurityPolicy", ""))
    where: Path = ("SecurityHeadersConfig", "ContentSecurityPolicy", "ContentSecurityPolicy")
    if len(policy) > LONGEST_CSP:
        report.add(
            "csp-length",
            where,
            f"{len(policy)} characters",
            f"at most {LONGEST_CSP} are possible",
            "Shorten it, or let the origin send it.",
        )
    protection = security.get("XSSProtection") or {}
    if protection.get("ModeBlock") and protection.get("ReportUri"):
        report.add(
            "xss-protection",
            ("SecurityHeadersConfig", "XSSProtection", "ReportUri"),
            protection["ReportUri"],
            "ModeBlock is set as well",
            "Keep one of the two.",
        )
    one_of(
        report,
        ("SecurityHeadersConfig", "FrameOptions", "FrameOption"),
        (security.get("FrameOptions") or {}).get("FrameOption"),
        ("DENY", "SAMEORIGIN"),
    )


def _check_cors(report: Report, cors: Config) -> None:
    if not cors.get("AccessControlAllowCredentials"):
        return
    for name in ("AccessControlAllowOrigins", "AccessControlAllowHeaders", "AccessControlAllowMethods"):
        listed = items(cors.get(name))
        if "*" in listed or "ALL" in listed:
            report.add(
                "cors-credentials",
                ("CorsConfig", name),
                listed,
                "AccessControlAllowCredentials allows no wildcard",
                "List the values, or do not allow credentials.",
            )


def check_function(
    report: Report, name: str, config: Config, code: str, events: Collection[str], *, context: Context
) -> None:
    """Report the faults of a CloudFront function: its FunctionConfig, its code, and the events that it is meant for."""
    if not FUNCTION_NAME.match(name):
        report.add(
            "function-definition",
            ("Name",),
            name,
            "a function's name has 1 to 64 letters, digits, hyphens and underscores",
            "Rename it.",
        )
    one_of(report, ("FunctionConfig", "Runtime"), config.get("Runtime"), RUNTIMES, rule="function-definition")
    check_comment(report, config)
    size, most = len(code.encode()), context.limit("function_bytes")
    where: Path = ("FunctionCode",)
    if size > most:
        report.add(
            "function-size",
            where,
            f"{size} bytes",
            f"at most {most} are possible",
            "Shorten the code, or use Lambda@Edge.",
        )
    if not re.search(r"\bfunction\s+handler\s*\(|\bhandler\s*=", code):
        report.add(
            "function-handler",
            where,
            f"{size} bytes",
            "it defines no function named handler",
            "Define `function handler(event)`.",
        )
    if "viewer-response" in events and not re.search(r"\bresponse\b", code):
        report.add(
            "function-response",
            where,
            f"{size} bytes",
            "a viewer-response function has to return event.response",
            "Return event.response, or use the event viewer-request.",
        )


# -- bucket policies -----------------------------------------------------------------------------------------------------


EDGE = "cloudfront.amazonaws.com"


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple, set)) else [] if value is None else [value]


def _everybody(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal")
    if "NotPrincipal" in statement or principal == "*":
        return True
    return isinstance(principal, Mapping) and "*" in _listed(principal.get("AWS"))


def _writes(action: Any) -> bool:
    name = str(action).lower().removeprefix("s3:")
    return not name.startswith(("get", "list", "describe", "head"))


def _sources(statement: Mapping[str, Any]) -> list[str]:
    found = []
    for operator, conditions in (statement.get("Condition") or {}).items():
        for key, value in conditions.items():
            if key.lower() == "aws:sourcearn" and operator.lower().startswith(
                ("stringequals", "stringlike", "arnequals", "arnlike")
            ):
                found += [str(arn) for arn in _listed(value)]
    return found


def check_bucket_policy(report: Report, document: Config, distribution_arns: Collection[str]) -> None:
    """Report statements that open a bucket (R62, R63, P24) or that keep the distributions out."""
    admitted: list[str] = []
    for index, statement in enumerate(_listed(document.get("Statement"))):
        if statement.get("Effect") != "Allow":
            continue
        path: Path = ("Statement", index)
        edge = (
            EDGE in _listed((statement.get("Principal") or {}).get("Service"))
            if isinstance(statement.get("Principal"), Mapping)
            else False
        )
        if _everybody(statement):
            shown = statement.get("Principal", {"NotPrincipal": statement.get("NotPrincipal")})
            report.add(
                "bucket-policy-principal",
                (*path, "Principal"),
                shown,
                "it lets everybody in (R62, R63, P24)",
                f"Name the service {EDGE} with a condition on AWS:SourceArn, or a role.",
            )
        writing = [action for action in _listed(statement.get("Action")) if _writes(action)]
        if "NotAction" in statement:
            writing = ["everything but " + str(statement["NotAction"])]
        if writing and (edge or _everybody(statement)):
            report.add(
                "bucket-policy-write",
                (*path, "Action"),
                writing,
                "whoever it lets in may do more than read (R63, P24)",
                "Allow s3:GetObject alone; writers use a role of their own.",
            )
        if edge:
            sources = _sources(statement)
            if not sources or any(source in ("*", "arn:aws:cloudfront::*") for source in sources):
                report.add(
                    "bucket-policy-source",
                    (*path, "Condition"),
                    statement.get("Condition"),
                    "every CloudFront distribution of every account may read",
                    "Add the condition StringEquals AWS:SourceArn with the distribution's ARN.",
                )
            admitted += sources
    _check_admitted(report, admitted, distribution_arns)


def _check_admitted(report: Report, admitted: list[str], distribution_arns: Collection[str]) -> None:
    for arn in distribution_arns:
        if admitted and UNKNOWN not in arn and not any(patterns.matches(pattern, arn) for pattern in admitted):
            report.add(
                "bucket-policy-distribution",
                ("Statement",),
                admitted,
                f"{arn} is not among the distributions that may read, and gets 403",
                f"Add {arn} to the condition on AWS:SourceArn.",
            )
