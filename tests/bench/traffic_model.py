# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a week of traffic costs at the origin by the rules of CloudFront alone: a model of behaviors, cache key and TTL, in virtual time.

The replay through the rehearsal's edge is measured against it: the two share the data of the behavior sets and nothing else.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from . import traffic_nodes as nodes
from .traffic import Request

Config = dict[str, Any]

#: What the recommended set's function takes out of the query string (P37).
MARKETING = re.compile(r"utm_.*|gclid|gbraid|wbraid|fbclid|msclkid|dclid|mc_cid|mc_eid|_ga|_gl")


@dataclass
class Tally:
    """Counts of a replay: requests, hits among the cacheable ones (GET and HEAD, as CloudFront's own metric counts), requests at the origin."""

    requests: int = 0
    cacheable: int = 0
    hits: int = 0
    origin: int = 0
    missed: Counter[str] = field(default_factory=Counter)

    @property
    def ratio(self) -> float:
        return self.hits / self.cacheable

    def __str__(self) -> str:
        return f"{self.requests} requests, hit ratio {self.ratio:.3f}, {self.origin} requests at the origin"


class Model:
    """One edge location with endless memory, working by a distribution's configuration (wire shape) and its policies by id."""

    def __init__(
        self, config: Mapping[str, Any], cache_policies: Mapping[str, Any], origin_policies: Mapping[str, Any]
    ) -> None:
        self._behaviors = [
            (_expression(behavior["PathPattern"]), behavior) for behavior in config["CacheBehaviors"].get("Items", [])
        ]
        self._behaviors.append((_expression("*"), config["DefaultCacheBehavior"]))
        self._cache, self._origin = cache_policies, origin_policies
        self._kept: dict[tuple[Any, ...], float] = {}

    def replay(self, requests: Iterable[Request]) -> Tally:
        tally = Tally()
        for request in requests:
            tally.requests += 1
            cacheable = request.method in ("GET", "HEAD")
            tally.cacheable += cacheable
            if cacheable and self._hit(request):
                tally.hits += 1
                continue
            tally.origin += 1
            tally.missed[request.who] += 1
        return tally

    def _hit(self, request: Request) -> bool:
        """Tell whether a copy is at hand; if not, keep one for as long as the answer and the policy allow."""
        behavior = next(behavior for pattern, behavior in self._behaviors if pattern.fullmatch(request.path))
        policy = self._cache[behavior["CachePolicyId"]]
        query = parse_qsl(request.query, keep_blank_values=True)
        if behavior.get("FunctionAssociations", {}).get("Items"):
            query = [(name, value) for name, value in query if not MARKETING.fullmatch(name)]
        cookies = [tuple(pair.split("=", 1)) for pair in request.cookies.split("; ") if pair]
        part = policy["ParametersInCacheKeyAndForwardedToOrigin"]
        key = (
            request.path,
            *_headers(part["HeadersConfig"], request.device),
            *_chosen(part["CookiesConfig"], "Cookie", cookies),
            *_chosen(part["QueryStringsConfig"], "QueryString", query),
        )
        if self._kept.get(key, -1.0) > request.at:
            return True
        forwarded = set(_chosen(part["CookiesConfig"], "Cookie", cookies))
        if behavior.get("OriginRequestPolicyId"):
            forwarded |= set(
                _chosen(self._origin[behavior["OriginRequestPolicyId"]]["CookiesConfig"], "Cookie", cookies)
            )
        answer = nodes.answer(request.method, request.target, "; ".join("=".join(pair) for pair in forwarded))
        life = _life(answer, policy)
        if life > 0:
            self._kept[key] = request.at + life
        return False


def _expression(pattern: str) -> re.Pattern[str]:
    text = re.escape(pattern.removeprefix("/")).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(f"/{text}")


def _headers(part: Config, device: str) -> list[str]:
    """Return the values of the key's headers that differ between this traffic's visitors."""
    if part["HeaderBehavior"] != "whitelist":
        return []
    devices = {f"cloudfront-is-{name}-viewer" for name in ("mobile", "tablet", "desktop")}
    return [device] if devices & {name.lower() for name in part["Headers"]["Items"]} else []


def _chosen(part: Config, what: str, pairs: list[Any]) -> list[Any]:
    """Return the cookies or query strings that a part of a policy names, in an order of their own."""
    behavior = part[f"{what}Behavior"]
    names = [_name(name) for name in part.get(f"{what}s", {}).get("Items", [])]
    if behavior == "none":
        return []
    if behavior == "all":
        return sorted(pairs)
    listed = behavior == "whitelist"
    return sorted(pair for pair in pairs if any(name.fullmatch(pair[0]) for name in names) is listed)


def _name(name: str) -> re.Pattern[str]:
    return re.compile(re.escape(name).replace(r"\*", ".*"))


def _life(answer: nodes.Answer, policy: Config) -> float:
    """Return the seconds that an answer is kept: Cache-Control between the policy's bounds, else its default."""
    if answer.status >= 400:
        return 10.0  # CloudFront's error caching minimum TTL
    said = answer.cache_control
    if re.search(r"no-store|no-cache|private", said):
        return float(policy["MinTTL"])
    found = re.search(r"s-maxage=(\d+)", said) or re.search(r"max-age=(\d+)", said)
    life = int(found.group(1)) if found else policy["DefaultTTL"]
    return float(min(max(policy["MinTTL"], life), policy["MaxTTL"]))
