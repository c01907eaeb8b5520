# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a behavior does, by policies and by legacy settings; and that a selection covers another only where it must."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import managed
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront.findings import Context
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront.resolved import (
    ALL,
    EXCEPT,
    NONE,
    SOME,
    Resolved,
    Selection,
    behavior_for,
    resolve,
)

names = st.text("ab*", min_size=1, max_size=3)
selections = st.one_of(
    st.just(Selection(NONE)),
    st.just(Selection(ALL)),
    st.builds(Selection, st.sampled_from([SOME, EXCEPT]), st.frozensets(names, max_size=3)),
)
CONTEXT = Context(
    cache_policies=managed.configs(managed.CACHE), origin_request_policies=managed.configs(managed.ORIGIN_REQUEST)
)


def by_policies(cache: str, request: str = "") -> Resolved:
    behavior = {"CachePolicyId": managed.id_of(managed.CACHE, cache)}
    if request:
        behavior["OriginRequestPolicyId"] = managed.id_of(managed.ORIGIN_REQUEST, request)
    return resolve(behavior, CONTEXT)


@given(selections, selections, st.text("abc", max_size=5))
def test_what_covers_another_includes_all_that_it_includes(wide, narrow, name):
    if wide.covers(narrow) and narrow.includes(name):
        assert wide.includes(name)


@given(selections)
def test_everything_covers_itself(selection):
    assert selection.covers(selection)


@pytest.mark.parametrize(
    ("request_policy", "header", "sent"),
    [
        ("AllViewer", "authorization", True),
        ("AllViewer", "cloudfront-forwarded-proto", False),
        ("AllViewerAndCloudFrontHeaders-2022-06", "cloudfront-forwarded-proto", True),
        ("AllViewerExceptHostHeader", "host", False),
        ("AllViewerExceptHostHeader", "authorization", True),
        ("UserAgentRefererHeaders", "user-agent", True),
        ("UserAgentRefererHeaders", "authorization", False),
        ("", "host", False),
    ],
)
def test_which_headers_reach_the_origin(request_policy: str, header: str, sent: bool) -> None:
    done = by_policies("CachingDisabled", request_policy)
    assert done.sends("headers", header) is sent
    assert done.caches is False


def test_the_key_is_sent_as_well() -> None:
    done = by_policies("Amplify", "UserAgentRefererHeaders")
    assert done.sends("headers", "host") and done.sends("headers", "referer") and done.sends("cookies", "any")
    assert done.caches and done.max_ttl == 600


def test_what_the_context_lacks_is_unknown() -> None:
    done = resolve({"CachePolicyId": "of another account"}, CONTEXT)
    assert (done.caches, done.sends("headers", "host"), done.sends_all("cookies")) == (None, None, None)
    half = resolve(
        {"CachePolicyId": managed.id_of(managed.CACHE, "CachingOptimized"), "OriginRequestPolicyId": "?"}, CONTEXT
    )
    assert half.caches and half.sends("headers", "host") is None


def test_legacy_settings_say_the_same_in_other_words() -> None:
    cookies = {"Forward": "whitelist", "WhitelistedNames": {"Quantity": 1, "Items": ["wordpress_*"]}}
    values = {"QueryString": True, "Cookies": cookies, "Headers": {"Quantity": 1, "Items": ["Host"]}}
    done = resolve({"ForwardedValues": values, "MinTTL": 0, "DefaultTTL": 60, "MaxTTL": 3600}, CONTEXT)
    assert (done.min_ttl, done.default_ttl, done.max_ttl, done.caches) == (0, 60, 3600, True)
    assert done.sends("headers", "host") and not done.sends("headers", "referer")
    assert done.sends("cookies", "wordpress_x") and not done.sends("cookies", "_ga")
    everything = resolve({"ForwardedValues": {**values, "Headers": {"Quantity": 1, "Items": ["*"]}}}, CONTEXT)
    assert everything.caches is False and everything.sends("headers", "authorization")


def test_the_first_behavior_that_matches_is_met() -> None:
    listed = [{"PathPattern": "/a/*"}, {"PathPattern": "*.php"}]
    config = {"CacheBehaviors": {"Quantity": 2, "Items": listed}, "DefaultCacheBehavior": {"TargetOriginId": "site"}}
    assert behavior_for(config, "/a/x.php")[0] == ("CacheBehaviors", 0)
    assert behavior_for(config, "/b/x.php")[0] == ("CacheBehaviors", 1)
    assert behavior_for(config, "/A/")[0] == ("DefaultCacheBehavior",)
