# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What CloudFront keeps by name, between two shapes: C(wire), as the API gives and takes it, and the options of a module.

Every option is one field of a table below. ``patched`` writes options into a wire configuration and touches nothing else,
so that what this collection does not model survives (CloudFront's updates replace the whole); ``options`` reads them back.
Sets (names of headers, cookies, origins ...) keep the order and the spelling they have at CloudFront where they say the same.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Wire = dict[str, Any]
Options = Mapping[str, Any]
Path = tuple["str | int", ...]


class Invalid(ValueError):
    """Options that cannot be written; the message names the option, its value and the cure."""


def same_text(value: str) -> str:
    """Compare as written."""
    return value


def any_case(value: str) -> str:
    """Compare without regard to case, as header names are."""
    return value.lower()


@dataclass(frozen=True)
class Field:
    """One option and the key of CloudFront's that it stands for, within the same part."""

    option: str
    key: str

    def write(self, wire: Wire, given: Any, where: str, new: bool) -> None:
        """Write a given value into a part; None leaves it alone, unless the part is new and gets its default.

        ``where`` precedes the option in messages. :raises Invalid: the value cannot be written.
        """
        raise NotImplementedError

    def read(self, wire: Wire) -> Any:
        """Return the value as the option would be given; what is not there reads as empty, a single value as None."""
        raise NotImplementedError


@dataclass(frozen=True)
class Value(Field):
    """A single value. ``default`` is what a new part gets; None leaves it out, ``required`` refuses instead.

    ``absent`` is what AWS means when it leaves the value out.
    """

    default: Any = None
    required: bool = False
    absent: Any = None

    def write(self, wire: Wire, given: Any, where: str, new: bool) -> None:
        if given is not None:
            if new or given != self.read(wire):  # what AWS leaves out and means all the same stays out
                wire[self.key] = given
        elif new and self.required:
            raise Invalid(f"{where}{self.option} is not set: AWS has no default for it. Set it.")
        elif new and self.default is not None:
            wire[self.key] = self.default

    def read(self, wire: Wire) -> Any:
        return wire.get(self.key, self.absent)


@dataclass(frozen=True)
class Names(Field):
    """A set of names under ``Quantity`` and ``Items``. ``default`` and ``required`` as for a value; an empty set removes."""

    same: Callable[[str], str] = same_text
    default: tuple[str, ...] | None = None
    required: bool = False

    def write(self, wire: Wire, given: Sequence[str] | None, where: str, new: bool) -> None:
        if given is None and new and self.required:
            raise Invalid(f"{where}{self.option} is not set: AWS has no default for it. Set it.")
        if given is None and new:
            given = self.default
        if given is None:
            return
        if not given and (self.required or self.default is not None):
            raise Invalid(f"{where}{self.option} is []: AWS wants at least one. Name it, or leave the option out.")
        if given:
            wire[self.key] = listed(_kept(items(wire.get(self.key)), given, self.same), wire.get(self.key))
        else:
            wire.pop(self.key, None)

    def read(self, wire: Wire) -> list[str]:
        return sorted(items(wire.get(self.key)), key=self.same)


@dataclass(frozen=True)
class Choice(Field):
    """Which of all headers, cookies or query strings: a behavior and, for some of them, names."""

    behavior: str
    names: str
    with_names: tuple[str, ...] = ("whitelist", "allExcept")
    same: Callable[[str], str] = same_text

    def write(self, wire: Wire, given: Options | None, where: str, new: bool) -> None:
        if given is None and not new:
            return
        config = wire.setdefault(self.key, {self.behavior: "none"})
        if given is None:
            return
        behavior = given.get("behavior") or config[self.behavior]
        named = given.get("names")
        where = f"{where}{self.option}"
        if named and behavior not in self.with_names:
            raise Invalid(
                f"{where}.names is {list(named)!r} while {where}.behavior is {behavior!r}, which takes no names: "
                f"choose {' or '.join(self.with_names)}, or leave the names out."
            )
        if behavior in self.with_names and not (items(config.get(self.names)) if named is None else named):
            raise Invalid(
                f"{where}.names is empty while {where}.behavior is {behavior!r}: name at least one, or choose another."
            )
        config[self.behavior] = behavior
        if behavior not in self.with_names:
            config.pop(self.names, None)
        elif named is not None:
            config[self.names] = listed(_kept(items(config.get(self.names)), named, self.same), config.get(self.names))

    def read(self, wire: Wire) -> dict[str, Any]:
        config = wire.get(self.key) or {}
        names = sorted(items(config.get(self.names)), key=self.same)
        return {"behavior": config.get(self.behavior, "none"), "names": names}


@dataclass(frozen=True)
class Section(Field):
    """A part that may be missing. Unset leaves it alone, an empty dictionary takes it away; so an empty one reads back."""

    fields: tuple[Field, ...]

    def write(self, wire: Wire, given: Options | None, where: str, new: bool) -> None:
        if given is None:
            return
        if all(value is None for value in given.values()):
            wire.pop(self.key, None)
            return
        new = self.key not in wire
        section = wire.setdefault(self.key, {})
        for field in self.fields:
            field.write(section, given.get(field.option), f"{where}{self.option}.", new)
        if not section:
            del wire[self.key]

    def read(self, wire: Wire) -> dict[str, Any]:
        if self.key not in wire:
            return {}
        return {field.option: field.read(wire[self.key]) for field in self.fields}


@dataclass(frozen=True)
class Rows(Field):
    """A list of headers, each with fields of its own, as a set: a header stands in it once, whatever its case."""

    fields: tuple[Value, ...]
    plain: bool = False

    def write(self, wire: Wire, given: Sequence[Any] | None, where: str, new: bool) -> None:
        if given is None:
            return
        if not given:
            wire.pop(self.key, None)
            return
        now = {any_case(row["Header"]): row for row in items(wire.get(self.key))}
        rows: dict[str, Wire] = {}
        for entry in given:
            row = {"name": entry} if self.plain else entry
            name = any_case(row["name"])
            if name in rows:
                raise Invalid(f"{where}{self.option} names the header {row['name']!r} twice: keep one.")
            rows[name] = dict(now.get(name, {"Header": row["name"]}))
            for field in self.fields:
                field.write(rows[name], row.get(field.option), f"{where}{self.option}[{row['name']}].", name not in now)
        wire[self.key] = listed([rows[name] for name in _kept(list(now), list(rows), any_case)], wire.get(self.key))

    def read(self, wire: Wire) -> list[Any]:
        rows = sorted(items(wire.get(self.key)), key=lambda row: any_case(row["Header"]))
        if self.plain:
            return [row["Header"] for row in rows]
        return [{"name": row["Header"], **{one.option: one.read(row) for one in self.fields}} for row in rows]


@dataclass(frozen=True)
class Inline:
    """Fields that stand one level deeper at CloudFront than among the options."""

    key: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Kind:
    """One sort of configuration that CloudFront keeps by name, with an id and an ETag.

    ``label`` is for messages, ``resource`` the key of its answers, ``config`` that of its configuration, ``operation`` the
    middle of its calls (``create_<operation>``), ``listing`` and ``listed`` the call that lists all and the key of its answer.
    """

    label: str
    resource: str
    operation: str
    listing: str
    listed: str
    fields: tuple[Field | Inline, ...]
    config: str
    managed: bool = False
    missing: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    in_use: tuple[str, ...] = ()

    def identify(self, summary: Wire) -> tuple[str, str, bool]:
        """Return the id, the name and whether AWS owns it, from an entry of the list of all."""
        nested = summary.get(self.resource) or summary
        return nested["Id"], (nested.get(self.config) or nested)["Name"], summary.get("Type") == "managed"


def items(wire: Wire | None) -> list[Any]:
    """Return the items of a list at CloudFront, which leaves out C(Items) when there are none."""
    return list((wire or {}).get("Items") or [])


def listed(entries: Sequence[Any], now: Wire | None = None) -> Wire:
    """Return entries as CloudFront takes a list; further keys of the list as it is now are kept."""
    return {**(now or {}), "Quantity": len(entries), "Items": list(entries)}


def _kept(now: Sequence[str], given: Iterable[str], same: Callable[[str], str]) -> list[str]:
    """Return the given names once each: those there are now first, in their order and spelling, new ones after, sorted."""
    wanted = {same(str(name)): str(name) for name in given}
    kept = {same(name): name for name in now if same(name) in wanted}
    return [*kept.values(), *sorted(name for key, name in wanted.items() if key not in kept)]


def _placed(fields: Sequence[Field | Inline], wire: Wire, create: bool) -> Iterator[tuple[Field, Wire]]:
    """Yield every field with the part of the wire configuration that it stands in."""
    for field in fields:
        if not isinstance(field, Inline):
            yield field, wire
            continue
        inner = wire.setdefault(field.key, {}) if create else wire.get(field.key) or {}
        for one in field.fields:
            yield one, inner


def patched(kind: Kind, wire: Wire | None, given: Options) -> Wire:
    """Return a wire configuration with the given options written in; None starts a new one with the defaults.

    An option that is not given, or None, is left as it is. :raises Invalid: what cannot be written.
    """
    result = copy.deepcopy(wire or {})
    for field, target in _placed(kind.fields, result, True):
        field.write(target, given.get(field.option), "", wire is None)
    return result


def options(kind: Kind, wire: Wire) -> dict[str, Any]:
    """Return a wire configuration as the options that would make it; fields that have no option are left out."""
    return {field.option: field.read(source) for field, source in _placed(kind.fields, wire, False)}


def option_path(kind: Kind, path: Path) -> str:
    """Return the option that a path into a wire configuration belongs to; the path itself where there is none."""
    names: list[str] = []
    fields: Sequence[Field | Inline] = kind.fields
    for part in path:
        if isinstance(part, int):
            names[-1:] = [f"{one}[{part}]" for one in names[-1:]]
            continue
        field = next((one for one in fields if getattr(one, "key", None) == part), None)
        if field is None:
            found = _within(names, fields, part)
            if found:
                names.append(found)
            continue
        if not isinstance(field, Inline):
            names.append(field.option)
        fields = (field,) if isinstance(field, Choice) else getattr(field, "fields", ())
    return ".".join(names) or ".".join(str(part) for part in path)


def _within(names: Sequence[str], fields: Sequence[Field | Inline], part: str) -> str | None:
    """Return the part of a choice that a wire key belongs to."""
    for field in fields:
        if isinstance(field, Choice) and names and names[-1] == field.option:
            return {field.behavior: "behavior", field.names: "names"}.get(part)
    return None


def mentions(wire: Any, value: str, path: Path = ()) -> list[Path]:
    """Return the paths, without the level C(Items), under which a value stands anywhere in a wire configuration."""
    if isinstance(wire, Mapping):
        nested = [(path if key == "Items" else (*path, key), item) for key, item in wire.items()]
    elif isinstance(wire, (list, tuple)):
        nested = [((*path, index), item) for index, item in enumerate(wire)]
    else:
        return [path] if wire == value else []
    return [found for inner, item in nested for found in mentions(item, value, inner)]


MANAGED_PREFIX = "Managed-"


def same_name(name: str, wanted: str) -> bool:
    """Tell whether a name means a wanted one: managed policies answer to theirs with and without C(Managed-)."""
    return name == wanted or (name.startswith(MANAGED_PREFIX) and name == f"{MANAGED_PREFIX}{wanted}")


def new_ttls(given: Options, wire: Wire | None) -> dict[str, Any]:
    """Return the TTLs (seconds) of a new cache policy, where AWS's defaults follow from those that are given."""
    if wire is not None:
        return {}
    least = given.get("min_ttl") or 0
    default = given.get("default_ttl")
    default = max(least, min(86400, _or(given.get("max_ttl"), 86400))) if default is None else default
    most = _or(given.get("max_ttl"), max(default, 31536000))
    return {"min_ttl": least, "default_ttl": default, "max_ttl": most}


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


NAME_AND_COMMENT = (Value("name", "Name", required=True), Value("comment", "Comment", default="", absent=""))
COOKIES = Choice("cookies", "CookiesConfig", "CookieBehavior", "Cookies")
QUERY_STRINGS = Choice("query_strings", "QueryStringsConfig", "QueryStringBehavior", "QueryStrings")


def _headers(*with_names: str) -> Choice:
    return Choice("headers", "HeadersConfig", "HeaderBehavior", "Headers", with_names, any_case)


CACHE = Kind(
    "cache policy",
    "CachePolicy",
    "cache_policy",
    "list_cache_policies",
    "CachePolicyList",
    (
        *NAME_AND_COMMENT,
        Value("min_ttl", "MinTTL"),
        Value("default_ttl", "DefaultTTL"),
        Value("max_ttl", "MaxTTL"),
        Inline(
            "ParametersInCacheKeyAndForwardedToOrigin",
            (
                Value("gzip", "EnableAcceptEncodingGzip", default=False, absent=False),
                Value("brotli", "EnableAcceptEncodingBrotli", default=False, absent=False),
                _headers("whitelist"),
                COOKIES,
                QUERY_STRINGS,
            ),
        ),
    ),
    config="CachePolicyConfig",
    managed=True,
    missing=("NoSuchCachePolicy",),
    taken=("CachePolicyAlreadyExists",),
    in_use=("CachePolicyInUse",),
)
ORIGIN_REQUEST = Kind(
    "origin request policy",
    "OriginRequestPolicy",
    "origin_request_policy",
    "list_origin_request_policies",
    "OriginRequestPolicyList",
    (
        *NAME_AND_COMMENT,
        _headers("whitelist", "allViewerAndWhitelistCloudFront", "allExcept"),
        COOKIES,
        QUERY_STRINGS,
    ),
    config="OriginRequestPolicyConfig",
    managed=True,
    missing=("NoSuchOriginRequestPolicy",),
    taken=("OriginRequestPolicyAlreadyExists",),
    in_use=("OriginRequestPolicyInUse",),
)

OVERRIDE = Value("override", "Override", default=True)
SECURITY = (
    Section(
        "strict_transport_security",
        "StrictTransportSecurity",
        (
            Value("max_age", "AccessControlMaxAgeSec", default=31536000),
            Value("include_subdomains", "IncludeSubdomains", absent=False),
            Value("preload", "Preload", absent=False),
            OVERRIDE,
        ),
    ),
    Section("content_type_options", "ContentTypeOptions", (OVERRIDE,)),
    Section("frame_options", "FrameOptions", (Value("value", "FrameOption", required=True), OVERRIDE)),
    Section("referrer_policy", "ReferrerPolicy", (Value("value", "ReferrerPolicy", required=True), OVERRIDE)),
    Section(
        "xss_protection",
        "XSSProtection",
        (
            Value("protection", "Protection", default=True),
            Value("mode_block", "ModeBlock", absent=False),
            Value("report_uri", "ReportUri"),
            OVERRIDE,
        ),
    ),
    Section(
        "content_security_policy",
        "ContentSecurityPolicy",
        (Value("value", "ContentSecurityPolicy", required=True), OVERRIDE),
    ),
)
CORS = (
    Names("allow_origins", "AccessControlAllowOrigins", required=True),
    Names("allow_methods", "AccessControlAllowMethods", str.upper, default=("GET", "HEAD", "OPTIONS")),
    Names("allow_headers", "AccessControlAllowHeaders", any_case, default=("*",)),
    Names("expose_headers", "AccessControlExposeHeaders", any_case),
    Value("allow_credentials", "AccessControlAllowCredentials", default=False),
    Value("max_age", "AccessControlMaxAgeSec"),
    Value("override", "OriginOverride", default=True),
)
RESPONSE_HEADERS = Kind(
    "response headers policy",
    "ResponseHeadersPolicy",
    "response_headers_policy",
    "list_response_headers_policies",
    "ResponseHeadersPolicyList",
    (
        *NAME_AND_COMMENT,
        Section("cors", "CorsConfig", CORS),
        Section("security_headers", "SecurityHeadersConfig", SECURITY),
        Section(
            "server_timing",
            "ServerTimingHeadersConfig",
            (Value("enabled", "Enabled", default=True), Value("sampling_rate", "SamplingRate")),
        ),
        Rows("custom_headers", "CustomHeadersConfig", (Value("value", "Value", required=True), OVERRIDE)),
        Rows("remove_headers", "RemoveHeadersConfig", (), plain=True),
    ),
    config="ResponseHeadersPolicyConfig",
    managed=True,
    missing=("NoSuchResponseHeadersPolicy",),
    taken=("ResponseHeadersPolicyAlreadyExists",),
    in_use=("ResponseHeadersPolicyInUse",),
)
ORIGIN_ACCESS_CONTROL = Kind(
    "origin access control",
    "OriginAccessControl",
    "origin_access_control",
    "list_origin_access_controls",
    "OriginAccessControlList",
    (
        Value("name", "Name", required=True),
        Value("description", "Description", default="", absent=""),
        Value("signing_protocol", "SigningProtocol", default="sigv4"),
        Value("signing_behavior", "SigningBehavior", default="always"),
        Value("origin_type", "OriginAccessControlOriginType", default="s3"),
    ),
    config="OriginAccessControlConfig",
    missing=("NoSuchOriginAccessControl",),
    taken=("OriginAccessControlAlreadyExists",),
    in_use=("OriginAccessControlInUse",),
)
VPC_ORIGIN = Kind(
    "VPC origin",
    "VpcOrigin",
    "vpc_origin",
    "list_vpc_origins",
    "VpcOriginList",
    (
        Value("name", "Name", required=True),
        Value("endpoint_arn", "Arn", required=True),
        Value("http_port", "HTTPPort", default=80),
        Value("https_port", "HTTPSPort", default=443),
        Value("protocol_policy", "OriginProtocolPolicy", default="https-only"),
        Names("ssl_protocols", "OriginSslProtocols", default=("TLSv1.2",)),
    ),
    config="VpcOriginEndpointConfig",
    missing=("EntityNotFound",),
    taken=("EntityAlreadyExists",),
    in_use=("CannotDeleteEntityWhileInUse", "CannotUpdateEntityWhileInUse"),
)
KINDS = {kind.operation: kind for kind in (CACHE, ORIGIN_REQUEST, RESPONSE_HEADERS, ORIGIN_ACCESS_CONTROL, VPC_ORIGIN)}
