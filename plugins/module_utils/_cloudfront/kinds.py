# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds that a distribution refers to by name, each with the options of its module: policies and origin access controls."""

from __future__ import annotations

from typing import Any

from . import named, policies

WORDS = {"type": "list", "elements": "str"}
FLAG = {"type": "bool"}
TEXT = {"type": "str"}
NUMBER = {"type": "int"}
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "ALL"]
REFERRERS = [
    "no-referrer",
    "no-referrer-when-downgrade",
    "origin",
    "origin-when-cross-origin",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
]
CORS = named.part(
    allow_origins=WORDS,
    allow_methods={**WORDS, "choices": METHODS},
    allow_headers=WORDS,
    expose_headers=WORDS,
    allow_credentials=FLAG,
    max_age=NUMBER,
    override=FLAG,
)
SECURITY_HEADERS = named.part(
    strict_transport_security=named.part(max_age=NUMBER, include_subdomains=FLAG, preload=FLAG, override=FLAG),
    content_type_options=named.part(override=FLAG),
    frame_options=named.part(value={**TEXT, "choices": ["DENY", "SAMEORIGIN"]}, override=FLAG),
    referrer_policy=named.part(value={**TEXT, "choices": REFERRERS}, override=FLAG),
    xss_protection=named.part(protection=FLAG, mode_block=FLAG, report_uri=TEXT, override=FLAG),
    content_security_policy=named.part(value=TEXT, override=FLAG),
)
CUSTOM_HEADER = {"name": {**TEXT, "required": True}, "value": TEXT, "override": FLAG}

CACHE_SPEC: dict[str, Any] = {
    **named.LINTED_SPEC,
    "min_ttl": NUMBER,
    "default_ttl": NUMBER,
    "max_ttl": NUMBER,
    "gzip": FLAG,
    "brotli": FLAG,
    "headers": named.choice("none", "whitelist"),
    **named.REQUEST_SPEC,
}
ORIGIN_REQUEST_SPEC: dict[str, Any] = {
    **named.LINTED_SPEC,
    "headers": named.choice("none", "whitelist", "allViewer", "allViewerAndWhitelistCloudFront", "allExcept"),
    **named.REQUEST_SPEC,
}
RESPONSE_HEADERS_SPEC: dict[str, Any] = {
    **named.LINTED_SPEC,
    "cors": CORS,
    "security_headers": SECURITY_HEADERS,
    "custom_headers": {"type": "list", "elements": "dict", "options": CUSTOM_HEADER},
    "remove_headers": WORDS,
    "server_timing": named.part(enabled=FLAG, sampling_rate={"type": "float"}),
}
ACCESS_CONTROL_SPEC: dict[str, Any] = {
    **named.SPEC,
    "description": TEXT,
    "origin_type": {**TEXT, "choices": ["s3", "mediastore", "mediapackagev2", "lambda"]},
    "signing_behavior": {**TEXT, "choices": ["always", "never", "no-override"]},
    "signing_protocol": {**TEXT, "choices": ["sigv4"]},
}
FUNCTION_SPEC: dict[str, Any] = {
    **named.LINTED_SPEC,
    "code": TEXT,
    "runtime": {**TEXT, "choices": ["cloudfront-js-1.0", "cloudfront-js-2.0"]},
    "key_value_stores": {**WORDS, "no_log": False},
    "publish": {**FLAG, "default": True},
}


class CachePolicy(named.Named):
    """The cache policy; the TTLs of a new one depend on each other."""

    kind = policies.CACHE

    def given(self) -> dict[str, object]:
        return {**super().given(), **policies.new_ttls(self.params, self.wire)}


class OriginRequestPolicy(named.Named):
    """The origin request policy."""

    kind = policies.ORIGIN_REQUEST


class ResponseHeadersPolicy(named.Named):
    """The response headers policy."""

    kind = policies.RESPONSE_HEADERS


class OriginAccessControl(named.Named):
    """The origin access control."""

    kind = policies.ORIGIN_ACCESS_CONTROL
