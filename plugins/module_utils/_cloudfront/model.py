# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a distribution is made of: one table from which reading, writing, argument specs and error paths derive.

Each field has a name among the module's options and a place in the wire shape (what botocore takes and returns). What the
tables do not name is never read, compared or written: it survives every update.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Wire = dict[str, Any]
Normal = dict[str, Any]
Path = tuple["str | int", ...]

#: How a field holds its value.
SCALAR = "scalar"  # one value
SET = "set"  # Quantity and Items, whose order says nothing
ORDERED = "ordered"  # Quantity and Items, in order; ``item`` names the value inside each
RECORD = "record"  # a nested structure
RECORDS = "records"  # Quantity and Items, each a structure known by its first field; order says nothing
SEQUENCE = "sequence"  # the same, in order
ORIGIN_TYPE = "origin type"  # which of the three configuration blocks an origin has

#: In a wire path: whichever configuration block the origin has.
BLOCK = "@"
BLOCKS = {"custom": "CustomOriginConfig", "s3": "S3OriginConfig", "vpc": "VpcOriginConfig"}

METHODS = (
    frozenset({"GET", "HEAD"}),
    frozenset({"GET", "HEAD", "OPTIONS"}),
    frozenset({"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"}),
)


class Refusal(ValueError):
    """What cannot be asked of a distribution; the message names the option, its value and the cure."""


@dataclass(frozen=True)
class Field:
    """One option of a structure.

    ``default`` is what a missing wire field means. ``blank`` fields are left out of the wire when empty, the others are
    written empty. ``refers`` names the kind of resource whose name is accepted for its id. ``only`` lists the types of
    origin that have the field. ``flag`` is a wire field beside the items that says whether there are any.
    """

    option: str
    wire: str
    kind: str = SCALAR
    type: str = "str"
    default: Any = None
    choices: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    item: str = ""
    refers: str = ""
    only: tuple[str, ...] = ()
    flag: str = ""
    blank: bool = False
    as_text: bool = False
    required: bool = False
    new: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> tuple[str, ...]:
        """Return the wire path as its steps."""
        return tuple(self.wire.split(".")) if self.wire else ()

    @property
    def key(self) -> Field:
        """Return the field by which records of this one are told apart."""
        return self.fields[0]


def items(node: Any) -> list[Any]:
    """Return what a Quantity-and-Items structure holds."""
    return list((node or {}).get("Items") or [])


def listed(values: Sequence[Any]) -> Wire:
    """Return a Quantity-and-Items structure; an empty one has no Items, as AWS returns it."""
    return {"Quantity": len(values), **({"Items": list(values)} if values else {})}


def pattern(text: str) -> str:
    """Return a path pattern as it is compared: CloudFront takes a slash at its beginning for granted."""
    return text.removeprefix("/") or text


def block_of(origin: Wire) -> str:
    """Return which type an origin has, by its configuration block: custom, s3 or vpc."""
    return next((name for name, block in BLOCKS.items() if block in origin), "s3")


#: What AWS requires in an update but nobody needs to say; new records start as these.
NEW_BEHAVIOR: Wire = {
    "TrustedSigners": {"Enabled": False, "Quantity": 0},
    "TrustedKeyGroups": {"Enabled": False, "Quantity": 0},
    "ViewerProtocolPolicy": "redirect-to-https",
    "AllowedMethods": {**listed(["GET", "HEAD"]), "CachedMethods": listed(["GET", "HEAD"])},
    "SmoothStreaming": False,
    "Compress": False,
    "LambdaFunctionAssociations": listed([]),
    "FunctionAssociations": listed([]),
    "FieldLevelEncryptionId": "",
}
NEW_FORWARDED_VALUES: Wire = {
    "QueryString": False,
    "Cookies": {"Forward": "none"},
    "Headers": listed([]),
    "QueryStringCacheKeys": listed([]),
}
NEW_ORIGIN: Wire = {
    "OriginPath": "",
    "CustomHeaders": listed([]),
    "ConnectionAttempts": 3,
    "ConnectionTimeout": 10,
    "OriginShield": {"Enabled": False},
    "OriginAccessControlId": "",
}
NEW_BLOCKS: dict[str, Wire] = {
    "custom": {
        "HTTPPort": 80,
        "HTTPSPort": 443,
        "OriginProtocolPolicy": "https-only",
        "OriginSslProtocols": listed(["TLSv1.2"]),
        "OriginReadTimeout": 30,
        "OriginKeepaliveTimeout": 5,
    },
    "s3": {"OriginAccessIdentity": ""},
    "vpc": {"VpcOriginId": "", "OriginReadTimeout": 30, "OriginKeepaliveTimeout": 5},
}
NEW_ORIGIN_GROUP: Wire = {"FailoverCriteria": {"StatusCodes": listed([500, 502, 503, 504])}}
NEW_ERROR_RESPONSE: Wire = {"ResponsePagePath": "", "ResponseCode": "", "ErrorCachingMinTTL": 10}
NEW_DISTRIBUTION: Wire = {
    "Aliases": listed([]),
    "DefaultRootObject": "",
    "Origins": listed([]),
    "OriginGroups": listed([]),
    "CacheBehaviors": listed([]),
    "CustomErrorResponses": listed([]),
    "Comment": "",
    "Logging": {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""},
    "PriceClass": "PriceClass_All",
    "Enabled": True,
    "ViewerCertificate": {"CloudFrontDefaultCertificate": True},
    "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}},
    "WebACLId": "",
    "HttpVersion": "http2and3",
    "IsIPV6Enabled": True,
}

FUNCTION = (
    Field("event", "EventType", required=True, choices=("viewer-request", "viewer-response")),
    Field("function", "FunctionARN", required=True, refers="function"),
)
LAMBDA_FUNCTION = (
    Field(
        "event",
        "EventType",
        required=True,
        choices=("viewer-request", "viewer-response", "origin-request", "origin-response"),
    ),
    Field("arn", "LambdaFunctionARN", required=True),
    Field("include_body", "IncludeBody", type="bool", default=False),
)
FORWARDED_VALUES = (
    Field("query_string", "QueryString", type="bool", default=False),
    Field("query_string_cache_keys", "QueryStringCacheKeys", SET, default=()),
    Field("cookies", "Cookies.Forward", default="none", choices=("none", "whitelist", "all")),
    Field("cookie_names", "Cookies.WhitelistedNames", SET, default=()),
    Field("headers", "Headers", SET, default=()),
)
BEHAVIOR = (
    Field("target_origin", "TargetOriginId", required=True),
    Field("viewer_protocol_policy", "ViewerProtocolPolicy", choices=("allow-all", "https-only", "redirect-to-https")),
    Field("allowed_methods", "AllowedMethods", SET, default=("GET", "HEAD")),
    Field("cached_methods", "AllowedMethods.CachedMethods", SET, default=("GET", "HEAD")),
    Field("compress", "Compress", type="bool", default=False),
    Field("cache_policy", "CachePolicyId", default="", blank=True, refers="cache_policy"),
    Field("origin_request_policy", "OriginRequestPolicyId", default="", blank=True, refers="origin_request_policy"),
    Field(
        "response_headers_policy", "ResponseHeadersPolicyId", default="", blank=True, refers="response_headers_policy"
    ),
    Field("functions", "FunctionAssociations", RECORDS, fields=FUNCTION),
    Field("lambda_functions", "LambdaFunctionAssociations", RECORDS, fields=LAMBDA_FUNCTION),
    Field("trusted_key_groups", "TrustedKeyGroups", SET, default=(), flag="Enabled"),
    Field("realtime_log_config_arn", "RealtimeLogConfigArn", default="", blank=True),
    Field("field_level_encryption_id", "FieldLevelEncryptionId", default=""),
    Field("smooth_streaming", "SmoothStreaming", type="bool", default=False),
    Field("grpc", "GrpcConfig.Enabled", type="bool", default=False),
    Field("forwarded_values", "ForwardedValues", RECORD, fields=FORWARDED_VALUES, new=NEW_FORWARDED_VALUES),
    Field("min_ttl", "MinTTL", type="int"),
    Field("default_ttl", "DefaultTTL", type="int"),
    Field("max_ttl", "MaxTTL", type="int"),
)
PATH_BEHAVIOR = (Field("path_pattern", "PathPattern", required=True), *BEHAVIOR)

CUSTOM_HEADER = (Field("name", "HeaderName", required=True), Field("value", "HeaderValue"))
ORIGIN = (
    Field("id", "Id", required=True),
    Field("domain_name", "DomainName", required=True),
    Field("type", "", ORIGIN_TYPE, choices=("custom", "s3", "vpc")),
    Field("path", "OriginPath", default=""),
    Field("http_port", "@.HTTPPort", type="int", only=("custom",)),
    Field("https_port", "@.HTTPSPort", type="int", only=("custom",)),
    Field(
        "protocol_policy",
        "@.OriginProtocolPolicy",
        choices=("http-only", "https-only", "match-viewer"),
        only=("custom",),
    ),
    Field("ssl_protocols", "@.OriginSslProtocols", SET, only=("custom",)),
    Field("read_timeout", "@.OriginReadTimeout", type="int", default=30),
    Field("keepalive_timeout", "@.OriginKeepaliveTimeout", type="int", default=5, only=("custom", "vpc")),
    Field("origin_access_control", "OriginAccessControlId", default="", refers="origin_access_control"),
    Field("vpc_origin", "@.VpcOriginId", refers="vpc_origin", only=("vpc",)),
    Field("connection_attempts", "ConnectionAttempts", type="int", default=3),
    Field("connection_timeout", "ConnectionTimeout", type="int", default=10),
    Field("origin_shield_region", "OriginShield.OriginShieldRegion", default="", blank=True),
    Field("custom_headers", "CustomHeaders", RECORDS, fields=CUSTOM_HEADER),
)
ORIGIN_GROUP = (
    Field("id", "Id", required=True),
    Field("members", "Members", ORDERED, item="OriginId", required=True),
    Field("status_codes", "FailoverCriteria.StatusCodes", SET, type="int"),
)
ERROR_RESPONSE = (
    Field("error_code", "ErrorCode", type="int", required=True),
    Field("response_page_path", "ResponsePagePath", default=""),
    Field("response_code", "ResponseCode", type="int", as_text=True),
    Field("caching_min_ttl", "ErrorCachingMinTTL", type="int", default=10),
)
LOGGING = (
    Field("bucket", "Bucket", default="", required=True),
    Field("prefix", "Prefix", default=""),
    Field("include_cookies", "IncludeCookies", type="bool", default=False),
)
GEO_RESTRICTION = (
    Field("type", "RestrictionType", default="none", choices=("none", "blacklist", "whitelist"), required=True),
    Field("locations", "", SET, default=()),
)
DISTRIBUTION = (
    Field("enabled", "Enabled", type="bool"),
    Field("comment", "Comment", default=""),
    Field("aliases", "Aliases", SET, default=()),
    Field("certificate_arn", "ViewerCertificate.ACMCertificateArn", default=""),
    Field("minimum_protocol_version", "ViewerCertificate.MinimumProtocolVersion", default="TLSv1"),
    Field("price_class", "PriceClass", choices=("PriceClass_100", "PriceClass_200", "PriceClass_All")),
    Field("http_version", "HttpVersion", default="http2", choices=("http1.1", "http2", "http3", "http2and3")),
    Field("ipv6", "IsIPV6Enabled", type="bool", default=False),
    Field("default_root_object", "DefaultRootObject", default=""),
    Field("web_acl_arn", "WebACLId", default=""),
    Field("logging", "Logging", RECORD, fields=LOGGING, new=NEW_DISTRIBUTION["Logging"]),
    Field("geo_restriction", "Restrictions.GeoRestriction", RECORD, fields=GEO_RESTRICTION),
    Field("custom_error_responses", "CustomErrorResponses", RECORDS, fields=ERROR_RESPONSE, new=NEW_ERROR_RESPONSE),
    Field("origins", "Origins", RECORDS, fields=ORIGIN, new=NEW_ORIGIN),
    Field("origin_groups", "OriginGroups", RECORDS, fields=ORIGIN_GROUP, new=NEW_ORIGIN_GROUP),
    Field("default_behavior", "DefaultCacheBehavior", RECORD, fields=BEHAVIOR, new=NEW_BEHAVIOR),
    Field("behaviors", "CacheBehaviors", SEQUENCE, fields=PATH_BEHAVIOR, new=NEW_BEHAVIOR),
)

#: Fields that are shown as resources of their own, with the name of their type.
RESOURCES = {
    "origins": "origin",
    "origin_groups": "origin_group",
    "custom_error_responses": "error_response",
    "default_behavior": "default_behavior",
    "behaviors": "behavior",
}


def argument_spec(fields: Sequence[Field], strict: bool = True) -> dict[str, Any]:
    """Return the argument spec of a structure's options; ``strict`` requires what identifies an entry of a list."""
    return {each.option: _spec(each, strict and index == 0) for index, each in enumerate(fields)}


def _spec(each: Field, identifies: bool) -> dict[str, Any]:
    spec: dict[str, Any]
    if each.kind in (SET, ORDERED):
        spec = {"type": "list", "elements": each.type}
    elif each.kind in (RECORDS, SEQUENCE):
        spec = {
            "type": "list",
            "elements": "dict",
            "options": {**argument_spec(each.fields), **_BESIDE.get(each.option, {})},
        }
    elif each.kind == RECORD:
        spec = {"type": "dict", "options": argument_spec(each.fields, strict=False)}
    else:
        spec = {"type": each.type, **({"choices": list(each.choices)} if each.choices else {})}
    if each.required and (identifies or each.option in _ALWAYS):
        spec["required"] = True
    # An alias or a comment is no secret, and neither is what merely contains the word key or token.
    return {**spec, "no_log": False} if "key" in each.option else spec


#: Options that are not written as they are: a header's value is read from a secret.
_BESIDE: dict[str, dict[str, Any]] = {
    "custom_headers": {
        "secret_arn": {"type": "str", "no_log": False},
        "secret_key": {"type": "str", "no_log": False},
        "version_stage": {"type": "str", "default": "AWSCURRENT"},
    },
}
#: Required options beyond those that identify an entry; others are required only where the entry is new.
_ALWAYS = ("function", "arn")


def option_path(path: Path) -> str:
    """Translate a path in the wire shape (without C(Items)) to the option that a user would look for.

    ``("CacheBehaviors", 2, "PathPattern")`` becomes ``behaviors[2].path_pattern``. Parts no option stands for stay as they are.
    """
    return ".".join(_translated(path, DISTRIBUTION)) or "distribution"


def _translated(path: Path, fields: Sequence[Field]) -> Iterator[str]:
    rest = tuple(part for part in path if part != "Items")
    if not rest:
        return
    own = next((each for each in fields if each.kind == SET and not each.steps), None)
    if own is not None and isinstance(rest[0], int):  # the items of the structure itself
        yield f"{own.option}[{rest[0]}]"
        return
    found = max((each for each in fields if _length(each, rest)), key=lambda each: _length(each, rest), default=None)
    if found is None:
        yield ".".join(str(part) for part in rest)
        return
    rest, name = rest[_length(found, rest) :], found.option
    if rest and isinstance(rest[0], int) and found.kind != RECORD:
        name, rest = f"{name}[{rest[0]}]", rest[1:]
    yield name
    if found.kind in (RECORD, RECORDS, SEQUENCE):
        yield from _translated(rest, found.fields)


def _length(each: Field, path: Path) -> int:
    """Return how many steps of a path a field stands for; 0 if it is another field's."""
    steps = each.steps
    if len(steps) > len(path):
        # A finding may point at a structure whose parts are options of ours, such as ViewerCertificate.
        return len(path) if steps[: len(path)] == path else 0
    for step, part in zip(steps, path, strict=False):
        if step != part and not (step == BLOCK and part in BLOCKS.values()):
            return 0
    return len(steps)
