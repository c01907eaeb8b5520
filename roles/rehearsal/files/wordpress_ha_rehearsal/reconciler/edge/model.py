# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A distribution in the form the renderers need: policies looked up, both generations of cache settings made one."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .headers import Headers
from .headers import plan as plan_headers

Shape = Mapping[str, Any]

#: CloudFront's limits where a wire configuration leaves them out (seconds, attempts).
READ_TIMEOUT, CONNECTION_TIMEOUT, CONNECTION_ATTEMPTS = 30, 10, 3
DEFAULT_TTL, MAX_TTL = 86400, 31536000


def items(shape: Any) -> list[Any]:
    """Return the entries of AWS's ``{"Quantity": n, "Items": [...]}``, which may be absent or null."""
    return list((shape or {}).get("Items") or ())


def token(prefix: str, *parts: Any) -> str:
    """Return a name made of content: configurations before and after a change can stand side by side."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return f"{prefix}_{hashlib.sha256(text.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Selection:
    """Which cookies or query strings: ``mode`` is none, whitelist, allExcept or all."""

    mode: str = "none"
    names: tuple[str, ...] = ()

    @property
    def data(self) -> dict[str, Any]:
        """The form the njs code reads."""
        return {"mode": self.mode, "names": list(self.names)}


@dataclass(frozen=True)
class Origin:
    """One origin; ``name`` is that of its nginx server and Varnish backend."""

    name: str
    config: Shape
    access_control: bool
    connect_to: str
    endpoint: Shape

    @property
    def domain(self) -> str:
        """The origin's domain name, its Host header unless the viewer's is forwarded."""
        return str(self.config["DomainName"])

    @property
    def custom_headers(self) -> dict[str, str]:
        """Headers added to every request; secrets among them."""
        return {item["HeaderName"]: item["HeaderValue"] for item in items(self.config.get("CustomHeaders"))}

    @property
    def _custom(self) -> Shape:
        """The settings of a custom or VPC origin; a bucket has none."""
        return self.endpoint.get("config") or self.endpoint or self.config.get("CustomOriginConfig") or {}

    @property
    def protocol_policy(self) -> str:
        """http-only, https-only or match-viewer; a bucket is always asked over HTTPS."""
        return str(self._custom.get("OriginProtocolPolicy") or "https-only")

    @property
    def ports(self) -> tuple[int, int]:
        """Ports of HTTP and HTTPS."""
        return int(self._custom.get("HTTPPort") or 80), int(self._custom.get("HTTPSPort") or 443)

    @property
    def protocols(self) -> list[str]:
        """TLS versions that may be spoken with it."""
        listed = set(items(self._custom.get("OriginSslProtocols"))) & {"TLSv1", "TLSv1.1", "TLSv1.2"}
        return sorted(listed) or ["TLSv1.2"]

    @property
    def path(self) -> str:
        """What every path is prefixed with."""
        return re.sub(r"[^A-Za-z0-9/._~%+@=&,:!*()-]", "", self.config.get("OriginPath") or "").rstrip("/")

    @property
    def attempts(self) -> int:
        """How often a connection is tried."""
        return int(self.config.get("ConnectionAttempts") or CONNECTION_ATTEMPTS)

    @property
    def connection_timeout(self) -> int:
        """Seconds for a connection."""
        return int(self.config.get("ConnectionTimeout") or CONNECTION_TIMEOUT)

    @property
    def read_timeout(self) -> int:
        """Seconds for each part of an answer."""
        return int(
            self._custom.get("OriginReadTimeout") or self.config.get("ResponseCompletionTimeout") or READ_TIMEOUT
        )


@dataclass(frozen=True)
class Behavior:
    """One cache behavior; ``name`` is the same as long as its content is."""

    name: str
    pattern: str
    viewer_protocol: str
    allowed: tuple[str, ...]
    cached: tuple[str, ...]
    compress: bool
    origin: str
    failover: tuple[str, tuple[int, ...]] | None
    headers: Headers
    key_headers: tuple[str, ...]
    key_cookies: Selection
    also_cookies: Selection
    key_query: Selection
    also_query: Selection
    accept: tuple[str, ...]
    ttl: tuple[int, int, int]
    functions: Mapping[str, str] = field(default_factory=dict)
    response_policy: Shape = field(default_factory=dict)

    @property
    def caches(self) -> bool:
        """Whether anything may be stored; nothing is when the maximum TTL is 0 or every header is forwarded (legacy)."""
        return self.ttl[2] > 0

    @property
    def forwards_cookies(self) -> bool:
        """Whether any cookie may reach the origin: without, CloudFront drops Set-Cookie on the way back too."""
        return (self.key_cookies.mode, self.also_cookies.mode) != ("none", "none")


@dataclass(frozen=True)
class Distribution:
    """A distribution with everything it refers to."""

    id: str
    domain: str
    config: Shape
    behaviors: tuple[Behavior, ...]
    origins: Mapping[str, Origin]
    certificate: Shape | None

    @property
    def aliases(self) -> list[str]:
        """Alternate domain names."""
        return [str(alias).lower() for alias in items(self.config.get("Aliases"))]

    @property
    def error_responses(self) -> dict[int, Shape]:
        """Custom error responses by status."""
        return {int(one["ErrorCode"]): one for one in items(self.config.get("CustomErrorResponses"))}


def pattern_regex(pattern: str) -> str:
    """Return a path pattern as a regular expression: ``*`` any characters, ``?`` one; case counts, a leading slash does not."""
    body = "".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in pattern.lstrip("/"))
    return f"^/{body}$" if not pattern.startswith("*") else f"^{body}$"


def distribution(shape: Shape, catalog: Shape) -> Distribution:
    """Return the view of one distribution; raises KeyError when it refers to what the catalog does not hold."""
    config = shape["config"]
    origins = {one["Id"]: _origin(shape["id"], one, catalog) for one in items(config["Origins"])}
    groups = {one["Id"]: one for one in items(config.get("OriginGroups"))}
    listed = [*items(config.get("CacheBehaviors")), {**config["DefaultCacheBehavior"], "PathPattern": "*"}]
    return Distribution(
        id=shape["id"],
        domain=shape["domain_name"].lower(),
        config=config,
        behaviors=tuple(_behavior(shape, one, origins, groups, catalog) for one in listed),
        origins=origins,
        certificate=shape.get("certificate"),
    )


def _origin(distribution_id: str, config: Shape, catalog: Shape) -> Origin:
    vpc = (config.get("VpcOriginConfig") or {}).get("VpcOriginId")
    endpoint = catalog.get("vpc_origins", {})[vpc] if vpc else {}
    access = bool(config.get("OriginAccessControlId"))
    if access:
        catalog.get("origin_access_controls", {})[config["OriginAccessControlId"]]
    connect_to = str(endpoint.get("dns_name") or config["DomainName"])
    return Origin(token("o", distribution_id, config, endpoint), config, access, connect_to, endpoint)


def _behavior(
    shape: Shape, config: Shape, origins: Mapping[str, Origin], groups: Mapping[str, Shape], catalog: Shape
) -> Behavior:
    cache, also = _policies(config, catalog)
    response = config.get("ResponseHeadersPolicyId")
    policy = catalog.get("response_headers_policies", {})[response] if response else {}
    target = config["TargetOriginId"]
    failover = None
    if target in groups:
        group = groups[target]
        target, second = (member["OriginId"] for member in items(group["Members"]))
        codes = tuple(int(code) for code in items(group["FailoverCriteria"]["StatusCodes"]))
        failover = (origins[second].name, codes)
    allowed = tuple(items(config.get("AllowedMethods")) or ("GET", "HEAD"))
    cached = tuple(items((config.get("AllowedMethods") or {}).get("CachedMethods")) or ("GET", "HEAD"))
    functions = {
        one["EventType"]: catalog.get("functions", {})[one["FunctionARN"]]["code"]
        for one in items(config.get("FunctionAssociations"))
    }
    settings = {**cache, "origin": origins[target].name, "failover": failover}
    return Behavior(
        name=token("b", shape["id"], config, settings, also, policy, functions, list(map(str, origins.values()))),
        pattern=config["PathPattern"],
        viewer_protocol=config.get("ViewerProtocolPolicy", "allow-all"),
        allowed=allowed,
        cached=cached,
        compress=bool(config.get("Compress")),
        headers=plan_headers(cache["headers"], also["headers"], cache["legacy"]),
        key_headers=tuple(name.lower() for name in cache["headers"] if name != "*"),
        also_cookies=also["cookies"],
        also_query=also["query"],
        functions=functions,
        response_policy=policy,
        origin=settings["origin"],
        failover=failover,
        key_cookies=cache["cookies"],
        key_query=cache["query"],
        accept=cache["accept"],
        ttl=cache["ttl"],
    )


def _policies(config: Shape, catalog: Shape) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (what makes the key, what is forwarded besides)."""
    nothing = {"headers": ("none", ()), "cookies": Selection(), "query": Selection()}
    if not config.get("CachePolicyId"):
        return _legacy(config)
    policy = catalog["cache_policies"][config["CachePolicyId"]]
    inside = policy.get("ParametersInCacheKeyAndForwardedToOrigin") or {}
    accept = [
        coding
        for coding, field_name in (("br", "EnableAcceptEncodingBrotli"), ("gzip", "EnableAcceptEncodingGzip"))
        if inside.get(field_name)
    ]
    least = int(policy.get("MinTTL") or 0)
    cache = {
        "headers": tuple(items((inside.get("HeadersConfig") or {}).get("Headers"))),
        "cookies": _selection(inside.get("CookiesConfig"), "CookieBehavior", "Cookies"),
        "query": _selection(inside.get("QueryStringsConfig"), "QueryStringBehavior", "QueryStrings"),
        "accept": tuple(accept),
        "ttl": (least, _number(policy, "DefaultTTL", DEFAULT_TTL), _number(policy, "MaxTTL", MAX_TTL)),
        "legacy": False,
    }
    if not config.get("OriginRequestPolicyId"):
        return cache, nothing
    request = catalog["origin_request_policies"][config["OriginRequestPolicyId"]]
    headers = request.get("HeadersConfig") or {}
    return cache, {
        "headers": (headers.get("HeaderBehavior", "none"), tuple(items(headers.get("Headers")))),
        "cookies": _selection(request.get("CookiesConfig"), "CookieBehavior", "Cookies"),
        "query": _selection(request.get("QueryStringsConfig"), "QueryStringBehavior", "QueryStrings"),
    }


def _legacy(config: Shape) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the same of a behavior with ForwardedValues instead of policies."""
    values = config.get("ForwardedValues") or {}
    cookies = values.get("Cookies") or {}
    names = tuple(items(values.get("Headers")))
    keys = tuple(items(values.get("QueryStringCacheKeys")))
    everything = Selection("all") if values.get("QueryString") else Selection()
    ttl = (
        int(config.get("MinTTL") or 0),
        _number(config, "DefaultTTL", DEFAULT_TTL),
        _number(config, "MaxTTL", MAX_TTL),
    )
    cache = {
        "headers": names,
        "cookies": Selection(cookies.get("Forward", "none"), tuple(items(cookies.get("WhitelistedNames")))),
        "query": Selection("whitelist", keys) if keys and values.get("QueryString") else everything,
        # Without cache policies the header is normalised whenever a viewer accepts gzip or Brotli.
        "accept": ("br", "gzip") if config.get("Compress") else ("gzip",),
        "ttl": (0, 0, 0) if "*" in names else ttl,
        "legacy": True,
    }
    return cache, {
        "headers": ("allViewer" if "*" in names else "none", ()),
        "cookies": Selection(),
        "query": everything,
    }


def _selection(shape: Any, mode: str, field_name: str) -> Selection:
    shape = shape or {}
    return Selection(shape.get(mode, "none"), tuple(items(shape.get(field_name))))


def _number(shape: Shape, field_name: str, default: int) -> int:
    value = shape.get(field_name)
    return default if value is None else int(value)


def distributions(desired: Shape) -> list[Distribution]:
    """Return the enabled distributions of a desired state, by id."""
    catalog = desired.get("cloudfront") or {}
    found: Iterable[Shape] = sorted(desired.get("distributions") or (), key=lambda one: one["id"])
    return [distribution(one, catalog) for one in found if one["config"].get("Enabled", True)]
