# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds what CloudFront would refuse, and what it accepts but hurts, before anything is sent (P5, P24, P33).

The modules refuse both kinds, the emulated CloudFront raises only what the real one refuses: so both agree on what is wrong.
Pure: configurations come in in the wire shape of botocore, findings go out. Nothing that the context does not hold is judged.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from . import lint_behaviors, lint_origins, lint_policies, lint_wordpress, patterns
from .findings import (  # the lint's public names
    HARMFUL,
    LIMITS,
    REFUSED,
    RULES,
    Config,
    Context,
    Finding,
    Path,
    Report,
    Rule,
    check_quantities,
    items,
    known,
    one_of,
    wire_name,
)

__all__ = [
    "HARMFUL",
    "LIMITS",
    "REFUSED",
    "RULES",
    "Context",
    "Finding",
    "Rule",
    "bucket_policy",
    "cache_policy",
    "distribution",
    "function",
    "origin_request_policy",
    "response_headers_policy",
    "wire_name",
]

PRICE_CLASSES = ("PriceClass_100", "PriceClass_200", "PriceClass_All", "None")
HTTP_VERSIONS = ("http1.1", "http2", "http3", "http2and3")
MINIMUM_PROTOCOLS = (
    "SSLv3", "TLSv1", "TLSv1_2016", "TLSv1.1_2016", "TLSv1.2_2018", "TLSv1.2_2019", "TLSv1.2_2021", "TLSv1.2_2025", "TLSv1.3_2025",
)  # fmt: skip
OLD_PROTOCOLS = MINIMUM_PROTOCOLS[:4]
EDGE_REGION = "us-east-1"
ALIAS = re.compile(
    # The rehearsal's name is no public one; AWS has no certificate for it and would refuse it for that.
    r"^(?=.{1,253}$)(localhost|(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9])$",
    re.IGNORECASE,
)
ERROR_CODES = (400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504)
RESPONSE_CODES = ("200", *map(str, ERROR_CODES))
COUNTRY = re.compile(r"^[A-Z]{2}$")
WEB_ACL = re.compile(
    r"^(arn:aws[a-z-]*:wafv2:us-east-1:[0-9]{12}:global/webacl/[^/]+/[0-9a-f-]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$"
)
BUCKET_NAME = re.compile(r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
LOG_BUCKET = re.compile(r"^[a-z0-9][a-z0-9.-]+\.s3([.-][a-z0-9-]+)?\.amazonaws\.com(\.cn)?$")


def distribution(config: Config, context: Context | None = None) -> list[Finding]:
    """Return the faults of a DistributionConfig: of its structure, origins, behaviors and settings, in this order."""
    context = context or Context()
    report = Report()
    check_quantities(report, config)
    lint_origins.check(report, config, context)
    lint_behaviors.check(report, config, context)
    _check_aliases(report, config, context)
    _check_certificate(report, config, context)
    _check_settings(report, config)
    _check_errors(report, config, context)
    lint_wordpress.check(report, config, context)
    return report.findings


def cache_policy(config: Config, context: Context | None = None) -> list[Finding]:
    """Return the faults of a CachePolicyConfig."""
    report = Report()
    lint_policies.check_cache(report, config, context or Context())
    return report.findings


def origin_request_policy(config: Config, context: Context | None = None) -> list[Finding]:
    """Return the faults of an OriginRequestPolicyConfig."""
    report = Report()
    lint_policies.check_origin_request(report, config, context or Context())
    return report.findings


def response_headers_policy(config: Config, context: Context | None = None) -> list[Finding]:
    """Return the faults of a ResponseHeadersPolicyConfig."""
    report = Report()
    lint_policies.check_response_headers(report, config, context or Context())
    return report.findings


def function(
    name: str, config: Config, code: str, events: Collection[str] = (), context: Context | None = None
) -> list[Finding]:
    """Return the faults of a CloudFront function; ``config`` is its FunctionConfig (runtime, comment)."""
    report = Report()
    lint_policies.check_function(report, name, config, code, events, context=context or Context())
    return report.findings


def bucket_policy(document: Config, distribution_arns: Collection[str] = ()) -> list[Finding]:
    """Return the faults of a bucket policy that the given distributions shall read by."""
    report = Report()
    lint_policies.check_bucket_policy(report, document, distribution_arns)
    return report.findings


# -- aliases and certificate ---------------------------------------------------------------------------------------------


def _check_aliases(report: Report, config: Config, context: Context) -> None:
    aliases = [str(alias) for alias in items(config.get("Aliases"))]
    most = context.limit("aliases")
    if len(aliases) > most:
        report.add(
            "too-many-aliases",
            ("Aliases",),
            len(aliases),
            f"at most {most} are possible",
            "Use a wildcard, or ask AWS for more.",
        )
    for index, alias in enumerate(aliases):
        path: Path = ("Aliases", index)
        if not ALIAS.match(alias):
            report.add(
                "alias-syntax",
                path,
                alias,
                "it is no domain name; a wildcard stands for a whole first label",
                "Use a name such as www.example.com or *.example.com.",
            )
        if alias.lower() in [other.lower() for other in aliases[:index]]:
            report.add("duplicate-alias", path, alias, "it is listed twice", "Remove one of the two.")
        _check_others(report, path, alias.lower(), context)
    certificate = config.get("ViewerCertificate") or {}
    if aliases and not any(certificate.get(name) for name in ("ACMCertificateArn", "IAMCertificateId")):
        report.add(
            "alias-without-certificate",
            ("Aliases",),
            aliases,
            "CloudFront's own certificate does not name them (R54)",
            "Give an ACM certificate of us-east-1 that covers them.",
        )


def _check_others(report: Report, path: Path, alias: str, context: Context) -> None:
    for other, owner in (context.aliases or {}).items():
        taken = other.lower()
        if taken == alias:
            report.add(
                "alias-taken",
                path,
                alias,
                f"the distribution {owner} has it",
                "Remove it there first, or move it (AssociateAlias).",
            )
        elif _overlap(alias, taken):
            report.add(
                "alias-overlap",
                path,
                alias,
                f"the distribution {owner} has {other}, and the more specific of the two wins",
                f"Remove one of the two, or ignore this rule when {owner} is meant to take part of the names.",
            )


def _overlap(alias: str, other: str) -> bool:
    return "*" in alias + other and (patterns.domain_covers(alias, other) or patterns.domain_covers(other, alias))


def _check_certificate(report: Report, config: Config, context: Context) -> None:
    certificate = config.get("ViewerCertificate") or {}
    path: Path = ("ViewerCertificate",)
    minimum = certificate.get("MinimumProtocolVersion")
    arn = str(certificate.get("ACMCertificateArn") or "")
    own = arn or certificate.get("IAMCertificateId")
    one_of(report, (*path, "MinimumProtocolVersion"), minimum, MINIMUM_PROTOCOLS, code="InvalidMinimumProtocolVersion")
    one_of(report, (*path, "SSLSupportMethod"), certificate.get("SSLSupportMethod"), ("sni-only", "vip", "static-ip"))
    # With CloudFront's own certificate the value is always TLSv1 and cannot be changed.
    if own and minimum in OLD_PROTOCOLS:
        report.add(
            "viewer-protocol-old",
            (*path, "MinimumProtocolVersion"),
            minimum,
            "visitors may connect by protocols that can be broken",
            "Use TLSv1.2_2021.",
        )
    if not known(arn):
        return
    where = (*path, "ACMCertificateArn")
    found = (context.certificates or {}).get(arn) or {}
    region = found.get("region") or (arn.split(":") + [""] * 4)[3]
    if region and region != EDGE_REGION:
        report.add(
            "certificate-region",
            where,
            arn,
            f"it is in {region}, and CloudFront reads certificates of {EDGE_REGION} only",
            f"Request it again in {EDGE_REGION}.",
        )
    if found.get("status") and found["status"] != "ISSUED":
        report.add(
            "certificate-not-issued",
            where,
            arn,
            f"its status is {found['status']}",
            "Validate it first, by its DNS record.",
        )
    domains = [str(domain) for domain in found.get("domains") or []]
    for index, alias in enumerate(items(config.get("Aliases"))):
        if domains and not any(_certified(domain, str(alias)) for domain in domains):
            report.add(
                "alias-not-covered",
                ("Aliases", index),
                alias,
                f"the certificate names only {', '.join(domains)} (R54)",
                "Request a certificate that names it, or remove the alias.",
            )


def _certified(domain: str, alias: str) -> bool:
    return patterns.domain_covers(domain, alias) or domain.lower() == alias.lower()


# -- settings ------------------------------------------------------------------------------------------------------------


def _check_settings(report: Report, config: Config) -> None:
    one_of(report, ("PriceClass",), config.get("PriceClass"), PRICE_CLASSES)
    version = config.get("HttpVersion")
    one_of(report, ("HttpVersion",), str(version).lower() if version is not None else None, HTTP_VERSIONS)
    lint_policies.check_comment(report, config)
    root = str(config.get("DefaultRootObject") or "")
    if root.startswith("/"):
        report.add(
            "default-root-object",
            ("DefaultRootObject",),
            root,
            "it must not begin with a slash",
            f"Use {root.lstrip('/') or 'no default root object'}.",
        )
    web_acl = config.get("WebACLId")
    if known(web_acl) and not WEB_ACL.match(str(web_acl)):
        report.add(
            "web-acl",
            ("WebACLId",),
            web_acl,
            "it is no global web ACL",
            "Use the ARN of a WAFv2 web ACL with scope CLOUDFRONT, made in us-east-1.",
        )
    _check_logging(report, config.get("Logging") or {})
    _check_geography(report, (config.get("Restrictions") or {}).get("GeoRestriction") or {})


def _check_logging(report: Report, logging: Config) -> None:
    bucket = str(logging.get("Bucket") or "")
    if logging.get("Enabled") and not LOG_BUCKET.match(bucket):
        name = bucket if BUCKET_NAME.match(bucket) else "<bucket>"
        report.add(
            "logging-bucket",
            ("Logging", "Bucket"),
            bucket,
            "it is no bucket's domain name",
            f"Use {name}.s3.amazonaws.com.",
        )


def _check_geography(report: Report, geography: Config) -> None:
    kind, countries = geography.get("RestrictionType"), items(geography)
    path: Path = ("Restrictions", "GeoRestriction")
    one_of(
        report,
        (*path, "RestrictionType"),
        kind,
        ("none", "whitelist", "blacklist"),
        code="InvalidGeoRestrictionParameter",
    )
    if kind == "none" and countries:
        report.add(
            "geo-restriction",
            path,
            countries,
            "RestrictionType is none",
            "Remove the countries, or use whitelist or blacklist.",
        )
    if kind in ("whitelist", "blacklist") and not countries:
        report.add(
            "geo-restriction",
            path,
            countries,
            f"RestrictionType is {kind} and no country is listed",
            "List countries, or use none.",
        )
    for index, country in enumerate(countries):
        if not COUNTRY.match(str(country)):
            report.add(
                "location-code",
                (*path, index),
                country,
                "it is no country code of two capital letters",
                "Use ISO 3166-1, such as DE.",
            )


def _check_errors(report: Report, config: Config, context: Context) -> None:
    seen: set[Any] = set()
    longest = context.limit("error_caching_seconds")
    for index, response in enumerate(items(config.get("CustomErrorResponses"))):
        path: Path = ("CustomErrorResponses", index)
        code = response.get("ErrorCode")
        if code not in ERROR_CODES:
            report.add(
                "custom-error-code",
                (*path, "ErrorCode"),
                code,
                "CloudFront has no error responses for this status",
                f"Use one of: {', '.join(map(str, ERROR_CODES))}.",
            )
        if code in seen:
            report.add("custom-error-code", (*path, "ErrorCode"), code, "it is listed twice", "Remove one of the two.")
        seen.add(code)
        page, answer = response.get("ResponsePagePath") or "", str(response.get("ResponseCode") or "")
        where = (*path, "ResponsePagePath")
        if bool(page) != bool(answer):
            report.add(
                "custom-error-response",
                where if not page else (*path, "ResponseCode"),
                page if not page else answer,
                "a page and a code come together",
                "Give both or none.",
            )
        elif page and not page.startswith("/"):
            report.add("custom-error-response", where, page, "it must begin with a slash", f"Use /{page}.")
        elif answer and answer not in RESPONSE_CODES:
            report.add(
                "custom-error-response",
                (*path, "ResponseCode"),
                answer,
                "CloudFront does not answer with this status",
                f"Use one of: {', '.join(RESPONSE_CODES)}.",
            )
        kept = response.get("ErrorCachingMinTTL")
        if isinstance(kept, int) and isinstance(code, int) and code >= 500 and kept > longest:
            report.add(
                "error-cached-long",
                (*path, "ErrorCachingMinTTL"),
                kept,
                f"{code} is kept for {kept} s after the origin is well again",
                f"Use at most {longest}.",
            )
