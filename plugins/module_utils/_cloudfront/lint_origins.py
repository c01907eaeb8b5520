# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lint of origins and origin groups. Pure; called by ``lint.distribution``."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from .findings import Config, Context, Path, Report, behaviors, items, one_of

PROTOCOL_POLICIES = ("http-only", "match-viewer", "https-only")
TLS = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2")
OLD_TLS = TLS[:3]
#: Answers on which CloudFront may ask an origin group's second member.
FAILOVER_CODES = (400, 403, 404, 416, 429, 500, 502, 503, 504)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

BUCKET = re.compile(r"^.+\.s3(?!-website)([.-][a-z0-9-]+)*\.amazonaws\.com(\.cn)?$")
WEBSITE = re.compile(r"^.+\.s3-website[.-][a-z0-9-]+\.amazonaws\.com(\.cn)?$")
#: Origins other than buckets that an origin access control can sign for.
SIGNED = re.compile(
    r"(\.lambda-url\.[a-z0-9-]+\.on\.aws|\.mediapackagev2\.[a-z0-9-]+\.amazonaws\.com|\.mediastore\.[a-z0-9-]+\.amazonaws\.com)$"
)
HOST_NAME = re.compile(
    r"^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?)*$"
)

#: What CloudFront sets itself, in lower case.
OWN_HEADERS = frozenset(
    {
        "cache-control", "connection", "content-length", "cookie", "host", "if-match", "if-modified-since", "if-none-match",
        "if-range", "if-unmodified-since", "max-forwards", "pragma", "proxy-authenticate", "proxy-authorization",
        "proxy-connection", "range", "request-range", "te", "trailer", "transfer-encoding", "upgrade", "via", "x-real-ip",
    }
)  # fmt: skip
OWN_PREFIXES = ("x-amz-", "x-edge-")
HEADER_NAME = re.compile(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$")


def is_bucket(origin: Config) -> bool:
    return "S3OriginConfig" in origin or bool(BUCKET.match(str(origin.get("DomainName", ""))))


def check(report: Report, config: Config, context: Context) -> None:
    """Report the faults of a distribution's origins and origin groups."""
    origins = items(config.get("Origins"))
    most = context.limit("origins")
    if len(origins) > most:
        report.add(
            "too-many-origins",
            ("Origins",),
            len(origins),
            f"at most {most} are possible",
            "Remove some, or ask AWS for more.",
        )
    seen: dict[str, Path] = {}
    for index, origin in enumerate(origins):
        path: Path = ("Origins", index)
        _check_id(report, path, origin, seen)
        _check_type(report, path, origin)
        _check_domain(report, path, origin, context)
        _check_access(report, path, origin)
        _check_connection(report, path, origin, context)
        _check_headers(report, path, origin, context)
    ids = {origin.get("Id") for origin in origins}
    _check_groups(report, config, context, ids, seen)


def _check_id(report: Report, path: Path, owner: Config, seen: dict[str, Path]) -> None:
    name = str(owner.get("Id", ""))
    if name in seen:
        other = seen[name]
        report.add(
            "duplicate-origin",
            (*path, "Id"),
            name,
            f"{other[0]}[{other[1]}] has this id too",
            "Give each origin and origin group an id of its own.",
        )
    seen.setdefault(name, path)


def _check_type(report: Report, path: Path, origin: Config) -> None:
    kinds = [
        kind for kind in ("S3OriginConfig", "CustomOriginConfig", "VpcOriginConfig") if origin.get(kind) is not None
    ]
    if len(kinds) != 1:
        value = " and ".join(kinds) or "no type"
        report.add(
            "origin-type",
            path,
            value,
            "an origin is exactly one of S3, custom and VPC origin",
            "Keep one of S3OriginConfig, CustomOriginConfig and VpcOriginConfig.",
        )


def _check_domain(report: Report, path: Path, origin: Config, context: Context) -> None:
    domain = str(origin.get("DomainName", ""))
    where = (*path, "DomainName")
    if WEBSITE.match(domain):
        report.add(
            "s3-website-origin",
            where,
            domain,
            "a website endpoint is public and has no TLS (R62)",
            "Use the bucket's own domain name with an origin access control.",
        )
    elif not _is_host_name(domain):
        report.add(
            "origin-domain",
            where,
            domain,
            "it must be a DNS name, without scheme, port or path, and no IP address",
            f"Use {_only_host(domain)}.",
        )
    elif "S3OriginConfig" in origin and not BUCKET.match(domain):
        report.add(
            "s3-origin-domain",
            where,
            domain,
            "no bucket has this domain name",
            "Use <bucket>.s3.<region>.amazonaws.com, or make it a custom origin.",
        )
    if ((context.buckets or {}).get(domain) or {}).get("public"):
        report.add(
            "public-bucket",
            where,
            domain,
            "anybody may read this bucket past the edge (R62)",
            "Block public access and let only this distribution read, by an origin access control.",
        )
    value = str(origin.get("OriginPath") or "")
    if value and (not value.startswith("/") or value.endswith("/")):
        report.add(
            "origin-path",
            (*path, "OriginPath"),
            value,
            "it must begin with a slash and not end with one",
            f"Use /{value.strip('/')}." if value.strip("/") else "Leave it empty.",
        )
    elif len(value) > 255:
        report.add(
            "too-long",
            (*path, "OriginPath"),
            value,
            f"it has {len(value)} characters, at most 255 are possible",
            "Shorten it.",
        )


def _is_host_name(domain: str) -> bool:
    try:
        ipaddress.ip_address(domain)
    except ValueError:
        return bool(HOST_NAME.match(domain))
    return False


def _only_host(domain: str) -> str:
    host = re.sub(r"^[a-z]+://", "", domain).split("/", 1)[0].rsplit(":", 1)[0]
    return host if host != domain and _is_host_name(host) else "the host's DNS name alone"


def _check_access(report: Report, path: Path, origin: Config) -> None:
    domain = str(origin.get("DomainName", ""))
    control = origin.get("OriginAccessControlId")
    identity = (origin.get("S3OriginConfig") or {}).get("OriginAccessIdentity")
    where = (*path, "OriginAccessControlId")
    if control and identity:
        report.add(
            "oac-and-oai",
            where,
            control,
            f"the origin has the access identity {identity} as well",
            "Remove OriginAccessIdentity; the access control replaces it.",
        )
    if WEBSITE.match(domain):
        return
    if control and not is_bucket(origin) and not SIGNED.search(domain):
        report.add(
            "oac-on-custom-origin",
            where,
            control,
            f"{domain} is no bucket, so requests to it cannot be signed",
            "Remove the origin access control from this origin.",
        )
    if is_bucket(origin) and not control and not identity:
        report.add(
            "s3-origin-without-oac",
            where,
            control or "",
            f"{domain} would have to be public to be read (R62)",
            "Give the origin an origin access control, and the bucket a policy for this distribution.",
        )


def _check_connection(report: Report, path: Path, origin: Config, context: Context) -> None:
    _range(report, "origin-connection", (*path, "ConnectionAttempts"), origin.get("ConnectionAttempts"), (1, 3))
    timeout = origin.get("ConnectionTimeout")
    _range(report, "origin-connection", (*path, "ConnectionTimeout"), timeout, (1, 10), unit=" seconds")
    for kind in ("CustomOriginConfig", "VpcOriginConfig", "S3OriginConfig"):
        part = origin.get(kind) or {}
        for name, rule, limit in (
            ("OriginReadTimeout", "origin-read-timeout", "read_timeout_seconds"),
            ("OriginKeepaliveTimeout", "origin-keepalive-timeout", "keepalive_timeout_seconds"),
        ):
            _range(report, rule, (*path, kind, name), part.get(name), (1, context.limit(limit)), unit=" seconds")
    custom = origin.get("CustomOriginConfig") or {}
    one_of(
        report,
        (*path, "CustomOriginConfig", "OriginProtocolPolicy"),
        custom.get("OriginProtocolPolicy"),
        PROTOCOL_POLICIES,
    )
    for name in ("HTTPPort", "HTTPSPort"):
        port = custom.get(name)
        if port is not None and port not in (80, 443) and not 1024 <= port <= 65535:
            report.add(
                "origin-port",
                (*path, "CustomOriginConfig", name),
                port,
                "possible are 80, 443 and 1024 to 65535",
                "Let the origin listen on one of these.",
            )
    for index, protocol in enumerate(items(custom.get("OriginSslProtocols"))):
        where = (*path, "CustomOriginConfig", "OriginSslProtocols", index)
        one_of(report, where, protocol, TLS)
        if protocol in OLD_TLS:
            report.add(
                "origin-protocols-old",
                where,
                protocol,
                "it can be broken, and no origin of today needs it",
                "Use TLSv1.2 alone.",
            )


def _range(report: Report, rule: str, path: Path, value: Any, bounds: tuple[int, int], *, unit: str = "") -> None:
    least, most = bounds
    if isinstance(value, int) and not least <= value <= most:
        report.add(
            rule, path, value, f"possible are {least} to {most}{unit}", f"Use {least if value < least else most}."
        )


def _check_headers(report: Report, path: Path, origin: Config, context: Context) -> None:
    """Custom headers may hold a secret: only names and lengths are ever named."""
    headers = items(origin.get("CustomHeaders"))
    most = context.limit("origin_headers")
    where = (*path, "CustomHeaders")
    if len(headers) > most:
        report.add(
            "too-many-origin-headers",
            where,
            len(headers),
            f"at most {most} are possible",
            "Remove some, or ask AWS for more.",
        )
    seen = set()
    for index, header in enumerate(headers):
        name = str(header.get("HeaderName", ""))
        lower = name.lower()
        if lower in OWN_HEADERS or lower.startswith(OWN_PREFIXES):
            report.add(
                "origin-custom-header",
                (*where, index, "HeaderName"),
                name,
                "CloudFront sets this header itself",
                "Choose another name, such as X-Origin-Verify.",
            )
        elif not HEADER_NAME.match(name):
            report.add(
                "origin-custom-header",
                (*where, index, "HeaderName"),
                name,
                "it is no header name of 1 to 256 characters",
                "Use letters, digits and hyphens.",
            )
        elif lower in seen:
            report.add(
                "origin-custom-header",
                (*where, index, "HeaderName"),
                name,
                "the origin has this header already",
                "Remove one of the two.",
            )
        seen.add(lower)
        length = len(str(header.get("HeaderValue", "")))
        if length > 1783:
            report.add(
                "too-many-origin-headers",
                (*where, index, "HeaderValue"),
                f"{length} characters",
                "at most 1783 are possible",
                "Shorten the value.",
            )


def _check_groups(report: Report, config: Config, context: Context, ids: set[Any], seen: dict[str, Path]) -> None:
    groups = items(config.get("OriginGroups"))
    most = context.limit("origin_groups")
    if len(groups) > most:
        report.add(
            "too-many-origin-groups",
            ("OriginGroups",),
            len(groups),
            f"at most {most} are possible",
            "Remove some, or ask AWS for more.",
        )
    for index, group in enumerate(groups):
        path: Path = ("OriginGroups", index)
        _check_id(report, path, group, seen)
        members = [member.get("OriginId") for member in items(group.get("Members"))]
        if len(members) != 2 or len(set(members)) != 2:
            report.add(
                "origin-group-members",
                (*path, "Members"),
                members,
                "an origin group has exactly two different members",
                "Name the primary and the secondary origin.",
            )
        for place, member in enumerate(members):
            if member not in ids:
                report.add(
                    "origin-group-unknown-member",
                    (*path, "Members", place),
                    member,
                    "there is no such origin",
                    f"Use one of: {', '.join(sorted(map(str, ids)))}.",
                )
        _check_status_codes(report, path, group)
    _check_group_methods(report, config, {str(group.get("Id")) for group in groups})


def _check_status_codes(report: Report, path: Path, group: Config) -> None:
    where = (*path, "FailoverCriteria", "StatusCodes")
    codes = items((group.get("FailoverCriteria") or {}).get("StatusCodes"))
    allowed = ", ".join(map(str, FAILOVER_CODES))
    if not codes:
        report.add(
            "origin-group-status-codes",
            where,
            codes,
            "without a status code the second origin is never asked",
            f"Name some of: {allowed}.",
        )
    for index, code in enumerate(codes):
        if code not in FAILOVER_CODES:
            report.add(
                "origin-group-status-codes",
                (*where, index),
                code,
                "CloudFront does not fail over on this answer",
                f"Use some of: {allowed}.",
            )


def _check_group_methods(report: Report, config: Config, groups: set[str]) -> None:
    for path, behavior in behaviors(config):
        methods = items(behavior.get("AllowedMethods"))
        further = sorted(set(methods) - SAFE_METHODS)
        if behavior.get("TargetOriginId") in groups and further:
            report.add(
                "origin-group-methods",
                (*path, "AllowedMethods"),
                methods,
                f"an origin group cannot take {', '.join(further)}",
                "Allow GET and HEAD (and OPTIONS), or lead the behavior to a single origin.",
            )


def by_id(config: Config) -> dict[str, list[Mapping[str, Any]]]:
    """Return the origins behind each id that a behavior can lead to: one, or the two of an origin group."""
    origins = {origin.get("Id"): origin for origin in items(config.get("Origins"))}
    found = {str(name): [origin] for name, origin in origins.items()}
    for group in items(config.get("OriginGroups")):
        members = [member.get("OriginId") for member in items(group.get("Members"))]
        found[str(group.get("Id"))] = [origins[member] for member in members if member in origins]
    return found
