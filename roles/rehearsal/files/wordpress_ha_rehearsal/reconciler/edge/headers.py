# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What CloudFront does with each request header: forwards, replaces, removes, adds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Never forwarded, whatever a policy says.
NEVER = (
    *(
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Proxy-Connection",
        "TE",
        "Trailer",
        "Upgrade",
        "Expect",
        "Keep-Alive",
    ),
    *("X-Forwarded-Proto", "X-HTTP-Method-Override", "X-Real-IP"),
)
#: Removed under legacy settings unless they are listed; with policies everything is, that is not listed.
LEGACY_REMOVED = ("Accept", "Accept-Charset", "Accept-Language", "Referer")
#: Describe the body, or ask a question of the cache: they go along in any case.
ALONG = (
    *("Content-Type", "Content-Encoding", "Content-Language", "Content-MD5", "Date"),
    *("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range"),
)
#: The headers that CloudFront makes itself, when asked for; the others of this prefix are dropped.
GENERATED = (
    *("CloudFront-Forwarded-Proto", "CloudFront-Is-Desktop-Viewer", "CloudFront-Is-Mobile-Viewer"),
    *("CloudFront-Is-SmartTV-Viewer", "CloudFront-Is-Tablet-Viewer", "CloudFront-Is-IOS-Viewer"),
    *("CloudFront-Is-Android-Viewer", "CloudFront-Viewer-Address", "CloudFront-Viewer-Country"),
    *("CloudFront-Viewer-Http-Version", "CloudFront-Viewer-TLS"),
)
#: Written by special rules, see nginx.py.
SPECIAL = frozenset({"host", "cookie", "user-agent", "authorization", "accept-encoding", "via", "x-forwarded-for"})


@dataclass(frozen=True)
class Headers:
    """The plan for one behavior.

    ``everything``: what a viewer sends goes on, but for ``removed``; otherwise only ``kept`` does. ``generated`` are the
    CloudFront-* headers asked for; ``host``, ``user_agent``, ``authorization`` and ``accept_encoding`` say whether the
    viewer's own value is forwarded.
    """

    everything: bool
    removed: tuple[str, ...]
    kept: tuple[str, ...]
    generated: tuple[str, ...]
    host: bool
    user_agent: bool
    authorization: bool
    accept_encoding: bool


def plan(key: Sequence[str], also: tuple[str, Sequence[str]], legacy: bool) -> Headers:
    """Return what happens to a viewer's headers.

    ``key`` are the headers of the cache key (always forwarded), ``also`` the origin request policy's behavior and names.
    """
    mode, names = also
    listed = {name.lower() for name in key}
    wanted = listed | (
        {name.lower() for name in names} if mode in ("whitelist", "allViewerAndWhitelistCloudFront") else set()
    )
    excluded = {name.lower() for name in names} - listed if mode == "allExcept" else set()
    viewer = mode in ("allViewer", "allViewerAndWhitelistCloudFront", "allExcept")
    generated = tuple(name for name in GENERATED if name.lower() in wanted)

    def forwarded(name: str) -> bool:
        return name in wanted or (viewer and name not in excluded)

    removed = {name.lower(): name for name in (*NEVER, *GENERATED)}
    removed |= {name.lower(): name for name in names if name.lower() in excluded}
    if legacy and not viewer:
        removed |= {name.lower(): name for name in LEGACY_REMOVED if name.lower() not in wanted}
    never = {name.lower() for name in NEVER}
    kept = {name.lower(): name for name in (*ALONG, *key, *(names if mode == "whitelist" else ()))}
    made = {name.lower() for name in GENERATED}
    return Headers(
        everything=viewer or legacy,
        removed=tuple(
            removed[name]
            for name in sorted(removed)
            if name not in SPECIAL and name not in {g.lower() for g in generated}
        ),
        kept=tuple(kept[name] for name in sorted(kept) if name not in SPECIAL | never | made and name != "*"),
        generated=generated,
        host=forwarded("host"),
        user_agent=forwarded("user-agent"),
        authorization=forwarded("authorization"),
        accept_encoding=forwarded("accept-encoding"),
    )
