# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the lint says: its rules in one table, a finding, and the context that a configuration is judged in. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Config = Mapping[str, Any]
Path = tuple["str | int", ...]

REFUSED, HARMFUL = "refused", "harmful"
#: What stands in check mode for an identifier that only AWS can assign (the same word as in the plan core); never judged.
UNKNOWN = "(known after apply)"

#: AWS's default quotas. Those that AWS raises on request can be given anew in ``Context.limits``.
LIMITS = {
    "behaviors": 75,
    "origins": 100,
    "origin_groups": 10,
    "aliases": 100,
    "names": 10,  # headers, cookies and query strings of one policy, each
    "origin_headers": 30,
    "response_headers": 10,
    "function_bytes": 10240,
    "read_timeout_seconds": 120,
    "keepalive_timeout_seconds": 120,
    "error_caching_seconds": 60,
}


@dataclass(frozen=True)
class Rule:
    """One thing the lint looks for: how bad it is, AWS's error code when it refuses it, and what it is about."""

    severity: str
    code: str
    about: str


def _refused(code: str, about: str) -> Rule:
    return Rule(REFUSED, code, about)


def _harmful(about: str) -> Rule:
    return Rule(HARMFUL, "", about)


#: Every rule, in the order in which the documentation lists them.
RULES: dict[str, Rule] = {
    # -- structure
    "quantity-mismatch": _refused("InconsistentQuantities", "a Quantity that is not the number of Items"),
    "unknown-choice": _refused("InvalidArgument", "a value outside an enumeration: price class, HTTP version, protocol policy ..."),
    "comment-length": _refused("InvalidArgument", "a comment of more than 128 characters"),
    "default-root-object": _refused("InvalidDefaultRootObject", "a default root object that begins with a slash"),
    "too-long": _refused("InvalidArgument", "a path pattern, origin path or name that is longer than CloudFront keeps"),
    # -- origins
    "too-many-origins": _refused("TooManyOrigins", "more than 100 origins"),
    "duplicate-origin": _refused("InvalidArgument", "two origins or origin groups with one id"),
    "origin-type": _refused("InvalidArgument", "an origin that is none or several of S3, custom and VPC origin"),
    "origin-domain": _refused("InvalidArgument", "an origin's domain name that is an IP address or holds a scheme, port or path"),
    "origin-path": _refused("InvalidArgument", "an origin path that does not begin with a slash, or ends with one"),
    "origin-port": _refused("InvalidArgument", "an origin's port other than 80, 443 and 1024 to 65535"),
    "origin-connection": _refused("InvalidArgument", "connection attempts outside 1 to 3, or a connection time-out outside 1 to 10 s"),
    "origin-read-timeout": _refused("InvalidOriginReadTimeout", "an origin's response time-out outside 1 to 120 s"),
    "origin-keepalive-timeout": _refused("InvalidOriginKeepaliveTimeout", "an origin's keep-alive time-out outside 1 to 120 s"),
    "origin-custom-header": _refused("InvalidArgument", "a custom origin header that CloudFront keeps to itself, or twice the same"),
    "too-many-origin-headers": _refused("TooManyOriginCustomHeaders", "more than 30 custom headers of one origin, or too long ones"),
    "origin-protocols-old": _harmful("SSLv3, TLSv1 or TLSv1.1 towards the origin"),
    "forwarded-proto-missing": _harmful("an http-only origin that is not told CloudFront-Forwarded-Proto: WordPress redirects for ever (P2)"),
    "oac-on-custom-origin": _refused("InvalidDomainNameForOriginAccessControl", "an origin access control on an origin that is no bucket"),
    "oac-and-oai": _refused("IllegalOriginAccessConfiguration", "an origin access control and an origin access identity on one origin"),
    "s3-origin-domain": _refused("InvalidArgument", "an S3 origin whose domain name is no bucket's"),
    "s3-origin-without-oac": _harmful("an S3 origin that is reached without origin access control, so its bucket must be public (R62)"),
    "s3-website-origin": _harmful("a bucket's website endpoint as origin: public, and without TLS (R62)"),
    "public-bucket": _harmful("a bucket as origin that anybody may read past the edge (R62)"),
    "host-to-bucket": _harmful("the visitor's Host header sent to a bucket, which then answers with errors"),
    # -- origin groups
    "too-many-origin-groups": _refused("TooManyOriginGroupsPerDistribution", "more than 10 origin groups"),
    "origin-group-members": _refused("InvalidArgument", "an origin group without exactly two different members"),
    "origin-group-unknown-member": _refused("NoSuchOrigin", "an origin group with a member that does not exist"),
    "origin-group-status-codes": _refused("InvalidArgument", "an origin group without status codes, or with one that cannot fail over"),
    "origin-group-methods": _refused("InvalidArgument", "an origin group behind methods beyond GET, HEAD and OPTIONS"),
    # -- behaviors
    "too-many-behaviors": _refused("TooManyCacheBehaviors", "more than 75 behaviors"),
    "unknown-origin": _refused("NoSuchOrigin", "a behavior that leads to an origin that does not exist"),
    "path-pattern": _refused("InvalidArgument", "a path pattern that is empty or holds characters that CloudFront does not take"),
    "duplicate-path-pattern": _refused("InvalidArgument", "two behaviors with one path pattern; `/x` and `x` are one (P5)"),
    "shadowed-path-pattern": _harmful("a behavior that never applies, because an earlier one takes all its paths (P5)"),
    "default-unreachable": _harmful("a path pattern that takes every path, so the default behavior never applies"),
    "allowed-methods": _refused("InvalidArgument", "methods other than one of the three sets that CloudFront knows"),
    "cached-methods": _refused("InvalidArgument", "cached methods other than GET, HEAD and perhaps OPTIONS, or not among the allowed"),
    "unknown-policy": _refused("NoSuchCachePolicy", "a cache, origin request or response headers policy that does not exist"),
    "cache-policy-with-legacy": _refused("InvalidArgument", "a cache policy together with ForwardedValues or TTLs of the behavior"),
    "cache-settings-missing": _refused("InvalidArgument", "a behavior with neither a cache policy nor ForwardedValues"),
    "origin-request-policy-alone": _refused("InvalidArgument", "an origin request policy without a cache policy"),
    "ttl-order": _refused("InvalidTTLOrder", "minimum, default and maximum TTL that are not in ascending order"),
    "ttl-range": _refused("InvalidArgument", "a TTL below 0 or above 100 years"),
    "legacy-names": _refused("InvalidForwardCookies", "ForwardedValues with a list of cookies that is empty, or not used"),
    "legacy-s3-headers": _refused("InvalidHeadersForS3Origin", "ForwardedValues that send Host or all headers to a bucket"),
    "grpc": _refused("InvalidArgument", "gRPC on a behavior without POST, or on a distribution without HTTP/2"),
    "unkeyed-cookies": _harmful("cookies that reach the origin but are not in the key: one visitor gets another's page"),
    "unkeyed-query-strings": _harmful("query strings that reach the origin but are not in the key: `?p=1` gets the page of `?p=2`"),
    # -- functions
    "unknown-function": _refused("InvalidFunctionAssociation", "a function that does not exist or was never published"),
    "function-event": _refused("InvalidFunctionAssociation", "a CloudFront function on an event other than viewer-request and viewer-response"),
    "function-event-twice": _refused("TooManyFunctionAssociations", "two functions on one event of one behavior"),
    "function-kinds-mixed": _refused("InvalidFunctionAssociation", "CloudFront functions and Lambda@Edge on the viewer events of one behavior"),
    "lambda-association": _refused("InvalidLambdaFunctionAssociation", "a Lambda@Edge function without a version, or outside us-east-1"),
    "function-size": _refused("FunctionSizeLimitExceeded", "a function of more than 10 KB"),
    "function-definition": _refused("InvalidArgument", "a function whose name or runtime CloudFront does not take"),
    "function-handler": _harmful("a function without `handler`, which answers every request with an error"),
    "function-response": _harmful("a viewer-response function that never mentions the response it has to return"),
    # -- policies
    "policy-names": _refused("InvalidArgument", "a policy that lists no names where it must, or some where it must not"),
    "policy-name-form": _refused("InvalidArgument", "a header, cookie or query string name that is malformed or listed twice"),
    "too-many-policy-names": _refused("TooManyHeadersInCachePolicy", "more than 10 headers, cookies or query strings in one policy"),
    "header-not-allowed": _refused("InvalidArgument", "a header that this kind of policy must not name, such as Authorization in an origin request policy"),
    "caching-disabled-with-key": _refused("InvalidArgument", "a maximum TTL of 0 together with compression or anything in the key"),
    "query-string-wildcard": _harmful("a query string name with a wildcard, which CloudFront takes literally"),
    "scattering-header": _harmful("a header in the key that differs for nearly every visitor, such as User-Agent (R23, P37)"),
    "all-cookies-in-key": _harmful("all cookies in the key: analytics cookies give each visitor a cache of their own (R23)"),
    "response-header-not-allowed": _refused("InvalidArgument", "a response header that a policy must not set or remove"),
    "too-many-response-headers": _refused("TooManyCustomHeadersInResponseHeadersPolicy", "more than 10 custom or removed response headers"),
    "csp-length": _refused("TooLongCSPInResponseHeadersPolicy", "a content security policy of more than 1783 characters"),
    "xss-protection": _refused("InvalidArgument", "XSS protection with both a block mode and a report address"),
    "cors-credentials": _refused("InvalidArgument", "credentials allowed together with every origin, header or method"),
    "server-timing": _refused("InvalidArgument", "a sampling rate outside 0 to 100"),
    # -- aliases and certificates
    "too-many-aliases": _refused("TooManyDistributionCNAMEs", "more than 100 aliases"),
    "alias-syntax": _refused("InvalidArgument", "an alias that is no domain name, or with a wildcard that is not the whole first label"),
    "duplicate-alias": _refused("InvalidArgument", "one alias twice"),
    "alias-taken": _refused("CNAMEAlreadyExists", "an alias that another distribution has"),
    "alias-overlap": _harmful("an alias that overlaps with one of another distribution by a wildcard: the more specific one wins"),
    "alias-without-certificate": _refused("InvalidViewerCertificate", "an alias without a certificate (R54)"),
    "alias-not-covered": _refused("InvalidViewerCertificate", "an alias that the certificate does not name (R54)"),
    "certificate-region": _refused("InvalidViewerCertificate", "a certificate outside us-east-1"),
    "certificate-not-issued": _refused("InvalidViewerCertificate", "a certificate that is not issued (yet)"),
    "viewer-protocol-old": _harmful("a minimum protocol below TLS 1.2 for visitors"),
    # -- the distribution's other settings
    "custom-error-code": _refused("InvalidErrorCode", "a custom error response for a status that CloudFront does not handle, or twice for one"),
    "custom-error-response": _refused("InvalidResponseCode", "a custom error response with only one of page and code, or a wrong one"),
    "error-cached-long": _harmful("a server error that is kept for more than a minute: the site stays down after it is up again"),
    "geo-restriction": _refused("InvalidGeoRestrictionParameter", "a geographic restriction whose countries do not fit its type"),
    "location-code": _refused("InvalidLocationCode", "a country that is not two capital letters (ISO 3166)"),
    "web-acl": _refused("InvalidWebACLId", "a web ACL that is not a global one (WAFv2 in us-east-1, or a WAF Classic id)"),
    "logging-bucket": _refused("InvalidArgument", "a logging bucket that is not given by its S3 domain name"),
    # -- what hurts a WordPress
    "nonce-life": _harmful("a default or minimum TTL of pages above the life of a nonce: forms on cached pages fail (P33)"),
    "minimum-ttl-on-pages": _harmful("a minimum TTL above 0 on pages: CloudFront then keeps what WordPress marks no-store"),
    "private-path-cached": _harmful("admin, login or REST requests that are cached (P4, R55)"),
    "private-path-cookies": _harmful("admin, login or REST requests that do not get all cookies (P4)"),
    "private-path-query-strings": _harmful("admin, login or REST requests that do not get all query strings (P4)"),
    "private-path-methods": _harmful("admin, login or REST requests that cannot be POST (P4)"),
    "private-path-authorization": _harmful("REST requests that lose the Authorization header: application passwords fail (P4)"),
    "login-over-http": _harmful("a login page that answers on plain HTTP: passwords travel readable"),
    "default-methods": _harmful("a default behavior without POST: comments and forms fail"),
    "session-cookies-missing": _harmful("cached pages without `wordpress_logged_in_*` in the key: editors see visitors' pages (P4)"),
    "password-cookie-missing": _harmful("cached pages without `wp-postpass_*` in the key: protected posts never unlock (P34)"),
    "host-missing": _harmful("pages whose origin does not get the visitor's Host: WordPress redirects for ever (P2)"),
    # -- bucket policies
    "bucket-policy-principal": _harmful("a bucket policy that allows everybody (R62, R63, P24)"),
    "bucket-policy-write": _harmful("a bucket policy that lets everybody or CloudFront write (R63, P24)"),
    "bucket-policy-source": _harmful("a bucket policy that lets CloudFront in without naming the distribution: any account's could read"),
    "bucket-policy-distribution": _harmful("a bucket policy that names other distributions but not this one, which then gets 403"),
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One fault of a configuration.

    ``path`` is the wire path without the level Items: ``("CacheBehaviors", 2, "PathPattern")``. ``code`` is the error code of
    AWS for what it refuses, else empty. ``value`` is never a secret.
    """

    rule: str
    path: Path
    value: Any
    problem: str
    cure: str
    severity: str
    code: str

    def message(self, where: str = "") -> str:
        """Return one line: where (the wire path unless given in the reader's terms), value, what is wrong and the cure."""
        return f"{where or wire_name(self.path)} is {self.value!r}: {self.problem}. {self.cure} [{self.rule}]"

    def __str__(self) -> str:
        return self.message()


def wire_name(path: Path) -> str:
    """Return a wire path as text: ``CacheBehaviors[2].PathPattern``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


@dataclass(frozen=True)
class Context:
    """What is known around a configuration. A map that is None is unknown: nothing that needs it is judged.

    :param cache_policies: wire CachePolicyConfig by id; likewise the two other kinds. A map that is given is complete.
    :param certificates: ``{"domains": [...], "status": str, "region": str}`` by ARN; one that is missing is not judged.
    :param functions: ARNs of the published CloudFront functions.
    :param aliases: aliases of the account's other distributions, with their distribution's id.
    :param buckets: ``{"public": bool}`` by the bucket's domain name; one that is missing is not judged.
    :param nonce_life_seconds: how long a WordPress nonce is valid at least: half of DAY_IN_SECONDS by default (P33).
    :param wordpress: judge the rules for a WordPress site; None: when a path pattern speaks of ``wp-``.
    :param limits: quotas that AWS has raised for the account, by the names in ``LIMITS``.
    """

    cache_policies: Mapping[str, Config] | None = None
    origin_request_policies: Mapping[str, Config] | None = None
    response_headers_policies: Mapping[str, Config] | None = None
    certificates: Mapping[str, Mapping[str, Any]] | None = None
    functions: Collection[str] | None = None
    aliases: Mapping[str, str] | None = None
    buckets: Mapping[str, Mapping[str, Any]] | None = None
    nonce_life_seconds: int = 43200
    wordpress: bool | None = None
    limits: Mapping[str, int] = field(default_factory=dict)

    def limit(self, name: str) -> int:
        return self.limits.get(name, LIMITS[name])


class Report:
    """Collects findings; what cannot be known yet is dropped here, in one place."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def add(self, rule: str, path: Path, value: Any, problem: str, cure: str, *, code: str = "") -> None:
        if UNKNOWN in str(value):
            return
        known = RULES[rule]
        finding = Finding(rule, path, value, problem, cure, known.severity, code or known.code)
        # A behavior may be met by several requests that are tried; one line says what is to be done about it.
        if not any((one.rule, one.path, one.cure) == (rule, path, cure) for one in self.findings):
            self.findings.append(finding)


def items(structure: Any) -> list[Any]:
    """Return the Items of a wire list, empty where there is none."""
    return list((structure or {}).get("Items") or [])


def known(value: Any) -> bool:
    """Tell whether a value is there and not one that only a real run can supply."""
    return bool(value) and UNKNOWN not in str(value)


def behaviors(config: Config) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield every behavior with its path in the order of precedence; the default behavior is the last."""
    for index, behavior in enumerate(items(config.get("CacheBehaviors"))):
        yield ("CacheBehaviors", index), behavior
    if config.get("DefaultCacheBehavior"):
        yield ("DefaultCacheBehavior",), config["DefaultCacheBehavior"]


def check_quantities(report: Report, structure: Any, path: Path = ()) -> None:
    """Report every structure, at any depth, whose Quantity is not the number of its Items."""
    if isinstance(structure, Mapping):
        if "Quantity" in structure and structure["Quantity"] != len(structure.get("Items") or []):
            found = len(structure.get("Items") or [])
            cure = f"Set Quantity to {found}, or give as many items."
            report.add(
                "quantity-mismatch", (*path, "Quantity"), structure["Quantity"], f"there are {found} items", cure
            )
        for name, value in structure.items():
            check_quantities(report, value, path if name == "Items" else (*path, name))
    elif isinstance(structure, list):
        for index, value in enumerate(structure):
            check_quantities(report, value, (*path, index))


def one_of(
    report: Report, path: Path, value: Any, choices: Collection[str], *, rule: str = "unknown-choice", code: str = ""
) -> None:
    """Report a value that is set and not one of the choices."""
    if value is not None and value not in choices:
        report.add(
            rule, path, value, "there is no such choice", f"Use one of: {', '.join(sorted(choices))}.", code=code
        )
