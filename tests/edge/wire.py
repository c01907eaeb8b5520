# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wire configurations, short: what a test does not say is what AWS assumes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

ALL = ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"]
READ = ("GET", "HEAD")
Chosen = str | list[str] | tuple[str, list[str]]


def many(values: Iterable[Any]) -> dict[str, Any]:
    listed = list(values)
    return {"Quantity": len(listed), "Items": listed}


def chosen(kind: str, names: str, value: Chosen) -> dict[str, Any]:
    """Return a selection: a word, a list (whitelist), or (word, list)."""
    mode, listed = (
        value if isinstance(value, tuple) else (value, []) if isinstance(value, str) else ("whitelist", value)
    )
    return {kind: mode, **({names: many(listed)} if listed else {})}


class Catalog:
    """Policies and functions by the name a test gives them."""

    def __init__(self) -> None:
        kinds = ("cache_policies", "origin_request_policies", "response_headers_policies", "origin_access_controls")
        self.shapes: dict[str, dict[str, Any]] = {kind: {} for kind in (*kinds, "functions", "vpc_origins")}

    def cache(
        self, name: str, *, headers: Chosen = "none", cookies: Chosen = "none", query: Chosen = "none", **more: Any
    ) -> str:
        least, default, most = more.get("ttl", (0, 600, 6000))
        self.shapes["cache_policies"][name] = {
            "Name": name,
            "MinTTL": least,
            "DefaultTTL": default,
            "MaxTTL": most,
            "ParametersInCacheKeyAndForwardedToOrigin": {
                "EnableAcceptEncodingGzip": more.get("gzip", False),
                "EnableAcceptEncodingBrotli": more.get("brotli", False),
                "HeadersConfig": chosen("HeaderBehavior", "Headers", headers),
                "CookiesConfig": chosen("CookieBehavior", "Cookies", cookies),
                "QueryStringsConfig": chosen("QueryStringBehavior", "QueryStrings", query),
            },
        }
        return name

    def request(self, name: str, *, headers: Chosen = "none", cookies: Chosen = "none", query: Chosen = "none") -> str:
        self.shapes["origin_request_policies"][name] = {
            "Name": name,
            "HeadersConfig": chosen("HeaderBehavior", "Headers", headers),
            "CookiesConfig": chosen("CookieBehavior", "Cookies", cookies),
            "QueryStringsConfig": chosen("QueryStringBehavior", "QueryStrings", query),
        }
        return name

    def response(self, name: str, **config: Any) -> str:
        self.shapes["response_headers_policies"][name] = {"Name": name, **config}
        return name

    def function(self, name: str, code: str) -> str:
        arn = f"arn:aws:cloudfront::123456789012:function/{name}"
        self.shapes["functions"][arn] = {"name": name, "runtime": "cloudfront-js-2.0", "code": code}
        return arn


def behavior(
    pattern: str | None, cache: str | None, *, origin: str = "site", allowed: Sequence[str] = READ, **more: Any
) -> dict[str, Any]:
    """Return a cache behavior; ``request`` and ``response`` name policies, ``functions`` maps events to ARNs."""
    shape = {
        "TargetOriginId": origin,
        "ViewerProtocolPolicy": more.pop("protocol", "allow-all"),
        "AllowedMethods": many(allowed) | {"CachedMethods": many(more.pop("cached", READ))},
        "Compress": more.pop("compress", False),
    }
    if pattern:
        shape["PathPattern"] = pattern
    if cache:
        shape["CachePolicyId"] = cache
    for option, name in (("request", "OriginRequestPolicyId"), ("response", "ResponseHeadersPolicyId")):
        if option in more:
            shape[name] = more.pop(option)
    functions = more.pop("functions", {})
    if functions:
        shape["FunctionAssociations"] = many(
            {"EventType": event, "FunctionARN": arn} for event, arn in functions.items()
        )
    return shape | more


def custom_origin(
    name: str, domain: str, http: int, https: int = 443, protocol: str = "http-only", **more: Any
) -> dict[str, Any]:
    headers = [{"HeaderName": key, "HeaderValue": value} for key, value in more.pop("headers", {}).items()]
    settings = {
        "HTTPPort": http,
        "HTTPSPort": https,
        "OriginProtocolPolicy": protocol,
        "OriginSslProtocols": many(["TLSv1.2"]),
        "OriginReadTimeout": more.pop("read_timeout", 30),
        "OriginKeepaliveTimeout": 5,
    }
    shape = {"Id": name, "DomainName": domain, "OriginPath": "", "CustomHeaders": many(headers)}
    return shape | {"CustomOriginConfig": settings, "ConnectionAttempts": 1, "ConnectionTimeout": 2} | more


def origin_group(name: str, first: str, second: str, codes: list[int]) -> dict[str, Any]:
    return {
        "Id": name,
        "FailoverCriteria": {"StatusCodes": many(codes)},
        "Members": many([{"OriginId": first}, {"OriginId": second}]),
    }


def distribution(id: str, origins: list[dict], behaviors: list[dict], **more: Any) -> dict[str, Any]:
    """Return a distribution of the desired state; the last behavior is the default one."""
    config = {
        "CallerReference": id,
        "Enabled": True,
        "Aliases": many(more.pop("aliases", [])),
        "Origins": many(origins),
        "OriginGroups": many(more.pop("groups", [])),
        "CacheBehaviors": many(behaviors[:-1]),
        "DefaultCacheBehavior": behaviors[-1],
        "HttpVersion": "http2",
        "ViewerCertificate": {"CloudFrontDefaultCertificate": True},
        **more,
    }
    return {"id": id, "domain_name": f"{id.lower()}.cloudfront.net", "etag": "1", "config": config, "certificate": None}
