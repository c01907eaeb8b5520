# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change one thing of the running edge, through the API as anybody could, and put it back."""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Callable
from typing import Any

from rehearsal.site import Site, wait_until

Config = dict[str, Any]

#: Seconds that a changed distribution may take until it is deployed.
DEPLOY_SECONDS = 60

#: The default behavior's place in the functions below.
DEFAULT = "*"

#: Names of the policies that mutations make, so that they are found again whatever became of the run that made them.
PREFIX = "journeys-"

ADDS_NOTHING: Config = {
    "Comment": "",
    "HeadersConfig": {"HeaderBehavior": "none"},
    "CookiesConfig": {"CookieBehavior": "none"},
    "QueryStringsConfig": {"QueryStringBehavior": "none"},
}


def listed(items: list[Any]) -> Config:
    return {"Quantity": len(items), "Items": items} if items else {"Quantity": 0}


class Draft:
    """A copy of a distribution's configuration to be changed. Policies are copied when they are changed, for one behavior each."""

    def __init__(self, config: Config, policy: Callable[[str, str], Config]) -> None:
        """``policy`` returns the configuration of a cache or origin request policy, by kind and id."""
        self.config = copy.deepcopy(config)
        self._policy = policy
        #: New policies by the placeholder that stands in the configuration: kind and configuration.
        self.made: dict[str, tuple[str, Config]] = {}

    # -- behaviors -------------------------------------------------------------------------------------------------

    def behavior(self, pattern: str) -> Config:
        """Return the behavior of a path pattern, or the default one. KeyError: there is none."""
        if pattern == DEFAULT:
            return self.config["DefaultCacheBehavior"]
        for behavior in self.config["CacheBehaviors"].get("Items", []):
            if behavior["PathPattern"].removeprefix("/") == pattern:
                return behavior
        raise KeyError(pattern)

    def first(self, like: str, pattern: str) -> None:
        """Put a copy of a behavior above all others, under a wider pattern."""
        behavior = {**copy.deepcopy(self.behavior(like)), "PathPattern": pattern}
        self.config["CacheBehaviors"] = listed([behavior, *self.config["CacheBehaviors"].get("Items", [])])

    def methods(self, pattern: str, *methods: str) -> None:
        """Let viewers use these methods only."""
        self.behavior(pattern)["AllowedMethods"] = {**listed(list(methods)), "CachedMethods": listed(["HEAD", "GET"])}

    def without_functions(self, pattern: str) -> None:
        self.behavior(pattern)["FunctionAssociations"] = {"Quantity": 0}

    def without_origin_headers(self) -> None:
        """Let the edge tell the origin nothing about itself."""
        for origin in self.config["Origins"]["Items"]:
            origin["CustomHeaders"] = {"Quantity": 0}

    # -- policies --------------------------------------------------------------------------------------------------

    def cache_policy(self, pattern: str) -> Config:
        """Return the cache policy of a behavior, to be changed for this behavior alone."""
        return self._own(self.behavior(pattern), "CachePolicyId", "cache")

    def origin_request_policy(self, pattern: str) -> Config:
        """Return the origin request policy of a behavior, to be changed for it alone; a new one that adds nothing if it has none."""
        behavior = self.behavior(pattern)
        if not behavior.get("OriginRequestPolicyId"):
            placeholder = f"new-{len(self.made)}"
            self.made[placeholder] = ("origin_request", copy.deepcopy(ADDS_NOTHING))
            behavior["OriginRequestPolicyId"] = placeholder
        return self._own(behavior, "OriginRequestPolicyId", "origin_request")

    def _own(self, behavior: Config, field: str, kind: str) -> Config:
        current = behavior[field]
        if current not in self.made:
            placeholder = f"new-{len(self.made)}"
            self.made[placeholder] = (kind, copy.deepcopy(self._policy(kind, current)))
            behavior[field] = current = placeholder
        return self.made[current][1]

    def _parts(self, pattern: str) -> list[Config]:
        """Return what decides on headers, cookies and query strings: the cache key's part and the part that is only forwarded."""
        key = self.cache_policy(pattern)["ParametersInCacheKeyAndForwardedToOrigin"]
        return [key, self.origin_request_policy(pattern)]

    def without_header(self, pattern: str, name: str) -> None:
        """Forward all headers that were forwarded before, but this one."""
        for part in self._parts(pattern):
            _forget(part["HeadersConfig"], "Header", lambda known: known.lower() == name.lower(), name)

    def without_cookie(self, pattern: str, cookie: str) -> None:
        """Forward all cookies that were forwarded before, but this one (may end with a wildcard)."""
        for part in self._parts(pattern):
            _forget(part["CookiesConfig"], "Cookie", lambda known: _overlap(known, cookie), cookie)

    def without_query_strings(self, pattern: str) -> None:
        for part in self._parts(pattern):
            part["QueryStringsConfig"] = {"QueryStringBehavior": "none"}

    def every_query_string_counts(self, pattern: str) -> None:
        self._parts(pattern)[0]["QueryStringsConfig"] = {"QueryStringBehavior": "all"}

    def at_least(self, pattern: str, seconds: int) -> None:
        """Keep answers for at least so long, whatever the origin says of them."""
        policy = self.cache_policy(pattern)
        policy["MinTTL"] = seconds
        policy["DefaultTTL"] = max(seconds, policy["DefaultTTL"])
        policy["MaxTTL"] = max(seconds, policy["MaxTTL"])


def _overlap(known: str, cookie: str) -> bool:
    """Tell whether a listed cookie name (with wildcards) is, or covers, the one in question."""
    return re.fullmatch(re.escape(known).replace(r"\*", ".*"), cookie) is not None


def _forget(part: Config, what: str, is_it: Callable[[str], bool], name: str) -> None:
    """Take one name out of a policy's part in place: out of its list, or make an exception of it where all are meant."""
    behavior, names = part[f"{what}Behavior"], part.get(f"{what}s", {}).get("Items", [])
    if behavior == "whitelist":
        kept = [known for known in names if not is_it(known)]
        part[f"{what}Behavior"] = "whitelist" if kept else "none"
    elif behavior in ("all", "allExcept", "allViewer", "allViewerAndWhitelistCloudFront"):
        # All of the visitor's headers but one, and nothing that the edge could add (load balancers say by themselves what is HTTPS).
        names = names if behavior == "allExcept" else []
        kept = [*names, name]
        part[f"{what}Behavior"] = "allExcept"
    else:
        return
    part.pop(f"{what}s", None)
    if kept:
        part[f"{what}s"] = listed(kept)


class Edge:
    """The distribution of the stack: as it was provisioned, and as mutations leave it until ``restore``."""

    def __init__(self, site: Site) -> None:
        self.client = site.aws("cloudfront")
        self.id = site.distribution()["Id"]
        self.original: Config = {}
        self._changed = False

    def remember(self) -> None:
        """Take the distribution as it is now for the one that ``restore`` puts back."""
        self.deployed()
        self.original = self.client.get_distribution_config(Id=self.id)["DistributionConfig"]

    def draft(self) -> Draft:
        return Draft(self.original, self._policy)

    def apply(self, draft: Draft) -> None:
        """Write a draft and wait until the edge works by it."""
        config = copy.deepcopy(draft.config)
        behaviors = [config["DefaultCacheBehavior"], *config["CacheBehaviors"].get("Items", [])]
        for placeholder, (kind, policy) in draft.made.items():
            made = self._make(kind, {**policy, "Name": f"{PREFIX}{uuid.uuid4().hex[:12]}"})
            for behavior in behaviors:
                for field in ("CachePolicyId", "OriginRequestPolicyId"):
                    if behavior.get(field) == placeholder:
                        behavior[field] = made
        self._changed = True
        self._write(config)

    def restore(self) -> None:
        """Put back what was remembered, and remove the policies of all mutations."""
        if self._changed:
            self._write(self.original)
            self._changed = False
        for kind in ("cache", "origin_request"):
            for identifier in self._leftovers(kind):
                etag = getattr(self.client, f"get_{kind}_policy")(Id=identifier)["ETag"]
                getattr(self.client, f"delete_{kind}_policy")(Id=identifier, IfMatch=etag)

    def deployed(self) -> float:
        """Wait until the edge works by the configuration that was last written; return the seconds it took."""
        return wait_until(
            "the distribution is deployed",
            lambda: self.client.get_distribution(Id=self.id)["Distribution"]["Status"] == "Deployed",
            DEPLOY_SECONDS,
            delay=0.2,
        )

    def _write(self, config: Config) -> None:
        etag = self.client.get_distribution_config(Id=self.id)["ETag"]
        self.client.update_distribution(Id=self.id, IfMatch=etag, DistributionConfig=config)
        self.deployed()

    def _policy(self, kind: str, identifier: str) -> Config:
        if kind == "cache":
            return self.client.get_cache_policy_config(Id=identifier)["CachePolicyConfig"]
        return self.client.get_origin_request_policy_config(Id=identifier)["OriginRequestPolicyConfig"]

    def _make(self, kind: str, config: Config) -> str:
        if kind == "cache":
            return self.client.create_cache_policy(CachePolicyConfig=config)["CachePolicy"]["Id"]
        return self.client.create_origin_request_policy(OriginRequestPolicyConfig=config)["OriginRequestPolicy"]["Id"]

    def _leftovers(self, kind: str) -> list[str]:
        """Return the ids of policies that mutations made."""
        word = "CachePolicy" if kind == "cache" else "OriginRequestPolicy"
        found = getattr(self.client, f"list_{kind}_policies")(Type="custom")[f"{word}List"].get("Items", [])
        own = [item[word] for item in found if item[word][f"{word}Config"]["Name"].startswith(PREFIX)]
        return [policy["Id"] for policy in own]
