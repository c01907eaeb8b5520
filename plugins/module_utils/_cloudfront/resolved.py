# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a behavior really does, whether it says so by policies or by the legacy ForwardedValues. Pure.

Three questions are answered: is anything cached and for how long, what distinguishes two cached objects (the key), and what
the origin gets to see (the key and what an origin request policy adds).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import patterns
from .findings import Config, Context, items, known

NONE, SOME, EXCEPT, ALL = "none", "some", "except", "all"
#: AWS's own defaults where a policy or behavior is silent, in seconds.
DEFAULT_TTL, MAX_TTL = 86400, 31536000
#: Headers that only the edge can add, so that "all of the viewer's headers" does not include them.
ADDED_BY_EDGE = "cloudfront-"


@dataclass(frozen=True)
class Selection:
    """Names of headers, cookies or query strings: none, some, all but some, or all.

    Header names are held in lower case. Cookie names may hold wildcards; ``added`` are headers that only the edge can add.
    """

    mode: str = NONE
    names: frozenset[str] = frozenset()
    added: frozenset[str] = frozenset()

    def includes(self, name: str) -> bool:
        """Tell whether a name as it appears in a request is selected."""
        if name.startswith(ADDED_BY_EDGE) and self.mode != SOME:
            return name in self.added or "*" in self.added
        listed = any(patterns.matches(pattern, name) for pattern in self.names)
        return self.mode == ALL or (self.mode == SOME and listed) or (self.mode == EXCEPT and not listed)

    def covers(self, other: Selection) -> bool:
        """Tell whether everything that ``other`` selects is selected here too; false when that is not certain."""
        if other.mode == NONE or self.mode == ALL:
            return True
        if other.mode == SOME and self.mode == SOME:
            return all(any(patterns.covers(wide, narrow) for wide in self.names) for narrow in other.names)
        if other.mode == EXCEPT and self.mode == EXCEPT:
            return self.names <= other.names
        return False


@dataclass(frozen=True)
class Resolved:
    """The effect of one behavior; None stands for what a policy says that is not at hand."""

    min_ttl: int | None = None
    default_ttl: int | None = None
    max_ttl: int | None = None
    key_headers: Selection | None = None
    key_cookies: Selection | None = None
    key_query_strings: Selection | None = None
    sent_headers: tuple[Selection, ...] | None = None
    sent_cookies: tuple[Selection, ...] | None = None
    sent_query_strings: tuple[Selection, ...] | None = None
    encodings: frozenset[str] = frozenset()

    @property
    def caches(self) -> bool | None:
        return None if self.max_ttl is None else self.max_ttl > 0

    def sends(self, kind: str, name: str) -> bool | None:
        """Tell whether the origin sees a header, cookie or query string (``kind``, in the plural) of this name."""
        sent = getattr(self, f"sent_{kind}")
        return None if sent is None else any(selection.includes(name) for selection in sent)

    def sends_all(self, kind: str) -> bool | None:
        sent = getattr(self, f"sent_{kind}")
        return None if sent is None else any(selection.mode == ALL for selection in sent)


def _listed(config: Config, behavior: str, names: str, lower: bool = False) -> Selection:
    modes = {"none": NONE, "whitelist": SOME, "allExcept": EXCEPT, "all": ALL, "allViewer": ALL}
    mode = config.get(behavior, "none")
    found = [str(name).lower() if lower else str(name) for name in items(config.get(names))]
    if mode == "allViewerAndWhitelistCloudFront":
        # AWS's managed policy of this kind lists no names and adds them all.
        return Selection(ALL, added=frozenset(found or ["*"]))
    return Selection(modes.get(mode, NONE), frozenset(found) if mode in ("whitelist", "allExcept") else frozenset())


def selections(config: Config) -> tuple[Selection, Selection, Selection]:
    """Return what a policy's part selects: headers, cookies, query strings."""
    return (
        _listed(config.get("HeadersConfig") or {}, "HeaderBehavior", "Headers", lower=True),
        _listed(config.get("CookiesConfig") or {}, "CookieBehavior", "Cookies"),
        _listed(config.get("QueryStringsConfig") or {}, "QueryStringBehavior", "QueryStrings"),
    )


def _legacy(behavior: Config) -> Resolved:
    values = behavior["ForwardedValues"]
    names = [str(name).lower() for name in items(values.get("Headers"))]
    headers = Selection(ALL) if "*" in names else Selection(SOME if names else NONE, frozenset(names))
    cookies_config = values.get("Cookies") or {}
    listed = frozenset(items(cookies_config.get("WhitelistedNames")))
    mode = {"all": ALL, "whitelist": SOME}.get(cookies_config.get("Forward", "none"), NONE)
    cookies = Selection(mode, listed if mode == SOME else frozenset())
    keys = frozenset(items(values.get("QueryStringCacheKeys")))
    sent = Selection(ALL if values.get("QueryString") else NONE)
    keyed = Selection(SOME, keys) if keys and values.get("QueryString") else sent
    # All headers in the key means that nothing is cached at all.
    max_ttl = 0 if headers.mode == ALL else behavior.get("MaxTTL", MAX_TTL)
    return Resolved(
        behavior.get("MinTTL", 0), behavior.get("DefaultTTL", DEFAULT_TTL), max_ttl,
        headers, cookies, keyed, (headers,), (cookies,), (sent,),
        frozenset({"gzip"}) if behavior.get("Compress") else frozenset(),
    )  # fmt: skip


def _policy(policies: Mapping[str, Config] | None, identifier: Any) -> Config | None:
    return (policies or {}).get(identifier) if known(identifier) else None


def resolve(behavior: Config, context: Context) -> Resolved:
    """Return what a behavior does, as far as the context holds its policies."""
    if behavior.get("ForwardedValues"):
        return _legacy(behavior)
    cache = _policy(context.cache_policies, behavior.get("CachePolicyId"))
    if cache is None:
        return Resolved()
    parameters = cache.get("ParametersInCacheKeyAndForwardedToOrigin") or {}
    max_ttl = cache.get("MaxTTL", MAX_TTL)
    keyed = selections(parameters)
    sent: list[tuple[Selection, ...] | None] = [(selection,) for selection in keyed]
    if behavior.get("OriginRequestPolicyId"):
        added = _policy(context.origin_request_policies, behavior["OriginRequestPolicyId"])
        sent = [None] * 3 if added is None else list(zip(keyed, selections(added), strict=True))
    return Resolved(
        min_ttl=cache.get("MinTTL", 0),
        default_ttl=min(cache.get("DefaultTTL", DEFAULT_TTL), max_ttl),
        max_ttl=max_ttl,
        key_headers=keyed[0],
        key_cookies=keyed[1],
        key_query_strings=keyed[2],
        sent_headers=sent[0],
        sent_cookies=sent[1],
        sent_query_strings=sent[2],
        encodings=frozenset(name for name, switch in _ENCODINGS.items() if parameters.get(switch)),
    )


_ENCODINGS = {"gzip": "EnableAcceptEncodingGzip", "br": "EnableAcceptEncodingBrotli"}


def behavior_for(config: Config, path: str) -> tuple[tuple[str | int, ...], Mapping[str, Any]]:
    """Return the behavior that a URL's path meets, with its wire path: the first that matches, or the default one."""
    for index, behavior in enumerate(items(config.get("CacheBehaviors"))):
        if patterns.path_matches(str(behavior.get("PathPattern", "")), path):
            return ("CacheBehaviors", index), behavior
    return ("DefaultCacheBehavior",), config.get("DefaultCacheBehavior") or {}
