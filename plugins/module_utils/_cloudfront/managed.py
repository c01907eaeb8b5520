# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The policies that AWS manages: their names, identifiers and what they hold, in the wire shape of botocore.

They are the same in every account and never change under an identifier, so that no call has to look them up.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

Config = dict[str, Any]

PREFIX = "Managed-"
#: Kinds of policies, as the keys of all functions here.
CACHE, ORIGIN_REQUEST, RESPONSE_HEADERS = "cache_policy", "origin_request_policy", "response_headers_policy"


@dataclass(frozen=True)
class Managed:
    """One managed policy; ``name`` is without AWS's prefix ``Managed-``."""

    name: str
    id: str
    config: Config


def _some(behavior_key: str, list_key: str, behavior: str, names: tuple[str, ...]) -> Config:
    listed: Config = {list_key: {"Quantity": len(names), "Items": list(names)}} if names else {}
    return {behavior_key: behavior, **listed}


def _headers(behavior: str, *names: str) -> Config:
    return {"HeadersConfig": _some("HeaderBehavior", "Headers", behavior, names)}


def _cookies(behavior: str) -> Config:
    return {"CookiesConfig": {"CookieBehavior": behavior}}


def _query_strings(behavior: str, *names: str) -> Config:
    return {"QueryStringsConfig": _some("QueryStringBehavior", "QueryStrings", behavior, names)}


def _cache(ttls: tuple[int, int, int], encodings: str, *parts: Config) -> Config:
    """Build a cache policy from its TTLs (minimum, default, maximum; seconds) and what is in its key."""
    minimum, default, maximum = ttls
    key: Config = {"EnableAcceptEncodingGzip": "gzip" in encodings, "EnableAcceptEncodingBrotli": "br" in encodings}
    for part in (_headers("none"), _cookies("none"), _query_strings("none"), *parts):
        key.update(part)
    return {
        "MinTTL": minimum,
        "DefaultTTL": default,
        "MaxTTL": maximum,
        "ParametersInCacheKeyAndForwardedToOrigin": key,
    }


def _origin_request(*parts: Config) -> Config:
    config: Config = {}
    for part in (_headers("none"), _cookies("none"), _query_strings("none"), *parts):
        config.update(part)
    return config


def _cors(methods: tuple[str, ...] = (), expose: tuple[str, ...] = ()) -> Config:
    """Let every origin read; what the site itself sends wins."""
    config: Config = {
        "AccessControlAllowOrigins": {"Quantity": 1, "Items": ["*"]},
        "AccessControlAllowHeaders": {"Quantity": 0},
        "AccessControlAllowMethods": {"Quantity": len(methods), **({"Items": list(methods)} if methods else {})},
        "AccessControlAllowCredentials": False,
        "OriginOverride": False,
    }
    if expose:
        config["AccessControlExposeHeaders"] = {"Quantity": len(expose), "Items": list(expose)}
    return {"CorsConfig": config}


_YEAR = 31536000
_OF_ORIGIN = (0, 0, _YEAR)
_OPTIMIZED = (1, 86400, _YEAR)
_BOTH = "gzip br"
_EVERYTHING = (_cookies("all"), _query_strings("all"))
#: What an origin that decides by Cache-Control may answer differently by.
_VARYING = _headers("whitelist", "Host", "Origin", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
#: The headers that CloudFront itself can add, as of June 2022.
_OF_CLOUDFRONT = (
    "CloudFront-Forwarded-Proto", "CloudFront-Is-Android-Viewer", "CloudFront-Is-Desktop-Viewer",
    "CloudFront-Is-IOS-Viewer", "CloudFront-Is-Mobile-Viewer", "CloudFront-Is-SmartTV-Viewer",
    "CloudFront-Is-Tablet-Viewer", "CloudFront-Viewer-Address", "CloudFront-Viewer-ASN", "CloudFront-Viewer-City",
    "CloudFront-Viewer-Country", "CloudFront-Viewer-Country-Name", "CloudFront-Viewer-Country-Region",
    "CloudFront-Viewer-Country-Region-Name", "CloudFront-Viewer-Http-Version", "CloudFront-Viewer-Latitude",
    "CloudFront-Viewer-Longitude", "CloudFront-Viewer-Metro-Code", "CloudFront-Viewer-Postal-Code",
    "CloudFront-Viewer-Time-Zone", "CloudFront-Viewer-TLS",
)  # fmt: skip
_CORS_REQUEST = ("Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method")
_PREFLIGHT = _cors(("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"), ("*",))
_SECURITY: Config = {
    "SecurityHeadersConfig": {
        "XSSProtection": {"Override": False, "Protection": True, "ModeBlock": True},
        "FrameOptions": {"Override": False, "FrameOption": "SAMEORIGIN"},
        "ReferrerPolicy": {"Override": False, "ReferrerPolicy": "strict-origin-when-cross-origin"},
        "ContentTypeOptions": {"Override": True},
        "StrictTransportSecurity": {
            "Override": False,
            "IncludeSubdomains": False,
            "Preload": False,
            "AccessControlMaxAgeSec": _YEAR,
        },
    }
}

#: By kind and name: the identifier and what the policy holds besides its name.
_TABLES: dict[str, dict[str, tuple[str, Config]]] = {
    CACHE: {
        "CachingDisabled": ("4135ea2d-6df8-44a3-9df3-4b5a84be39ad", _cache((0, 0, 0), "")),
        "CachingOptimized": ("658327ea-f89d-4fab-a63d-7e88639e58f6", _cache(_OPTIMIZED, _BOTH)),
        "CachingOptimizedForUncompressedObjects": (
            "b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
            _cache(_OPTIMIZED, ""),
        ),
        "UseOriginCacheControlHeaders": (
            "83da9c7e-98b4-4e11-a168-04f0df8e2c65",
            _cache(_OF_ORIGIN, _BOTH, _VARYING, _cookies("all")),
        ),
        "UseOriginCacheControlHeaders-QueryStrings": (
            "4cc15a8a-d715-48a4-82b8-cc0b614638fe",
            _cache(_OF_ORIGIN, _BOTH, _VARYING, *_EVERYTHING),
        ),
        "Amplify": (
            "2e54312d-136d-493c-8eb9-b001f22f67d2",
            _cache(
                (2, 2, 600),
                _BOTH,
                _headers("whitelist", "Authorization", "CloudFront-Viewer-Country", "Host"),
                *_EVERYTHING,
            ),
        ),
        "Elemental-MediaPackage": (
            "08627262-05a9-4f76-9ded-b50ca2e3a84f",
            _cache(
                (0, 86400, _YEAR),
                "gzip",
                _headers("whitelist", "Origin"),
                _query_strings("whitelist", "aws.manifestfilter", "start", "end", "m"),
            ),
        ),
    },
    ORIGIN_REQUEST: {
        "AllViewer": (
            "216adef6-5c7f-47e4-b989-5492eafa07d3",
            _origin_request(_headers("allViewer"), *_EVERYTHING),
        ),
        "AllViewerExceptHostHeader": (
            "b689b0a8-53d0-40ab-baf2-68738e2966ac",
            _origin_request(_headers("allExcept", "Host"), *_EVERYTHING),
        ),
        "AllViewerAndCloudFrontHeaders-2022-06": (
            "33f36d7e-f396-46d9-90e0-52428a34d9dc",
            _origin_request(_headers("allViewerAndWhitelistCloudFront", *_OF_CLOUDFRONT), *_EVERYTHING),
        ),
        "CORS-S3Origin": (
            "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf",
            _origin_request(_headers("whitelist", *_CORS_REQUEST)),
        ),
        "CORS-CustomOrigin": (
            "59781a5b-3903-41f3-afcb-af62929ccde1",
            _origin_request(_headers("whitelist", "Origin")),
        ),
        "UserAgentRefererHeaders": (
            "acba4595-bd28-49b8-b9fe-13317c0390fa",
            _origin_request(_headers("whitelist", "User-Agent", "Referer")),
        ),
        "HostHeaderOnly": (
            "bf0718e1-ba1e-49d1-88b1-f726733018ae",
            _origin_request(_headers("whitelist", "Host")),
        ),
        "Elemental-MediaTailor-PersonalizedManifests": (
            "775133bc-15f2-49f9-abea-afb2e0bf67d2",
            _origin_request(
                _headers("whitelist", *_CORS_REQUEST, "User-Agent", "X-Forwarded-For"), _query_strings("all")
            ),
        ),
    },
    RESPONSE_HEADERS: {
        "SecurityHeadersPolicy": ("67f7725c-6f97-4210-82d7-5512b31e9d03", _SECURITY),
        "SimpleCORS": ("60669652-455b-4ae9-85a4-c4c02393f86c", _cors()),
        "CORS-With-Preflight": ("5cc3b908-e619-4b99-88e5-2cf7f45965bd", _PREFLIGHT),
        "CORS-and-SecurityHeadersPolicy": ("e61eb60c-9c35-4d20-a928-2b84e02af89c", {**_cors(), **_SECURITY}),
        "CORS-with-preflight-and-SecurityHeadersPolicy": (
            "eaab4381-ed33-4a86-88ca-d9558dc6cd63",
            {**_PREFLIGHT, **_SECURITY},
        ),
    },
}


def policies(kind: str) -> list[Managed]:
    """Return all managed policies of a kind; each call returns configurations of its own."""
    return [
        Managed(name, identifier, {"Name": PREFIX + name, **copy.deepcopy(config)})
        for name, (identifier, config) in _TABLES[kind].items()
    ]


def id_of(kind: str, name: str) -> str | None:
    """Return the identifier of a managed policy named with or without the prefix, None for another name."""
    found = _TABLES[kind].get(name.removeprefix(PREFIX))
    return found[0] if found else None


def name_of(kind: str, identifier: str) -> str | None:
    """Return the name (without prefix) behind a managed policy's identifier, None for another identifier."""
    return next((name for name, (known, _unused) in _TABLES[kind].items() if known == identifier), None)


def configs(kind: str) -> dict[str, Config]:
    """Return the configurations of all managed policies of a kind by identifier, as the lint's context takes them."""
    return {policy.id: policy.config for policy in policies(kind)}
