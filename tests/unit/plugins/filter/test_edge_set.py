# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Expanding behavior sets: names, cookies, further behaviors, presets, with and without a bucket; and what is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import table1
from ansible.errors import AnsibleFilterError

from ansible_collections.wordpress_ha.aws.plugins.filter.edge_set import edge_set
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import resolved

WHITEPAPER_ORDER = ["wp-admin/*", "wp-login.php", "wp-content/*", "wp-includes/*"]


def order(made: dict[str, Any]) -> list[str]:
    return [behavior["path_pattern"] for behavior in made["behaviors"]]


def behavior(made: dict[str, Any], pattern: str) -> dict[str, Any]:
    return next(entry for entry in made["behaviors"] if entry["path_pattern"] == pattern)


def test_whitepaper_has_the_five_behaviors_in_their_order() -> None:
    made = edge_set("whitepaper", "blog")
    assert order(made) == WHITEPAPER_ORDER
    assert made["default_behavior"]["cache_policy"] == "blog-pages"
    assert behavior(made, "wp-admin/*")["cache_policy"] == "CachingDisabled"
    assert made["cache_policies"]["pages"]["name"] == "blog-pages"


def test_the_set_may_be_given_as_data_and_is_not_changed() -> None:
    source = {"__edge_set": table1.load("recommended")}
    before = copy.deepcopy(source)
    assert edge_set(source, "blog") == edge_set(source["__edge_set"], "blog") == edge_set("recommended", "blog")
    assert source == before


def test_what_only_documents_is_left_out() -> None:
    assert "differences" not in edge_set("recommended", "blog")


def test_shipped_and_further_cookies_join_what_pages_are_told_apart_by() -> None:
    made = edge_set("whitepaper", "blog", cookies=["my_currency", "wordpress_logged_in_*"])
    names = made["cache_policies"]["pages"]["cookies"]["names"]
    # wordpress_* covers wordpress_logged_in_* already.
    assert names == ["comment_*", "wordpress_*", "wp-settings-*", "wp-postpass_*", "my_currency"]
    assert made["cache_policies"]["static"]["cookies"] == {"behavior": "none"}


def test_a_wider_cookie_takes_the_place_of_narrower_ones() -> None:
    names = edge_set("recommended", "blog", cookies=["wordpress_*"])["cache_policies"]["pages"]["cookies"]["names"]
    assert names == ["comment_author_*", "wp-postpass_*", "wordpress_*"]


def test_without_a_bucket_everything_leads_to_the_site() -> None:
    for name in ("whitepaper", "recommended"):
        made = edge_set(name, "blog", media=False)
        assert {entry["target_origin"] for entry in [made["default_behavior"], *made["behaviors"]]} == {"site"}
        assert "media" not in made["cache_policies"]
    uploads = behavior(edge_set("recommended", "blog", media=False), "wp-content/uploads/*")
    # The site is asked by the visitor's Host, which a bucket would not know.
    assert uploads["cache_policy"] == "blog-static"


def test_the_bucket_is_asked_first_for_uploads() -> None:
    made = edge_set("recommended", "blog", media=True)
    uploads = behavior(made, "wp-content/uploads/*")
    assert (uploads["target_origin"], uploads["cache_policy"]) == ("media", "blog-media")
    assert behavior(made, "wp-content/*")["target_origin"] == "site"
    assert "without_media" not in uploads


def test_ttls_stay_below_the_life_of_nonces() -> None:
    pages = edge_set("recommended", "blog", default_ttl=300, nonce_life=7200)["cache_policies"]["pages"]
    assert (pages["min_ttl"], pages["default_ttl"], pages["max_ttl"]) == (0, 300, 7200)
    assert edge_set("recommended", "blog")["cache_policies"]["pages"]["default_ttl"] == 600
    assert edge_set("recommended", "blog", nonce_life=300)["cache_policies"]["pages"]["default_ttl"] == 300


def test_numbers_may_come_from_templates() -> None:
    assert edge_set("recommended", "blog", default_ttl="300", hsts_max_age="") == edge_set(
        "recommended", "blog", default_ttl=300, hsts_max_age=None
    )


def test_hsts_can_be_left_out() -> None:
    def hsts(**options: Any) -> Any:
        made = edge_set("recommended", "blog", **options)
        return made["response_headers_policies"]["security"]["security_headers"].get("strict_transport_security")

    assert hsts()["max_age"] == 31536000
    assert hsts(hsts_max_age=300)["max_age"] == 300
    assert hsts(hsts_max_age=0) is None


def test_further_behaviors_stand_above_all_others_or_where_they_are_put() -> None:
    further = [
        {"path_pattern": "members/*", "like": "wp-admin/*"},
        {"path_pattern": "forum/*", "like": "default", "compress": True},
        {"path_pattern": "assets/*", "like": "/wp-content/*", "after": "wp-includes/*"},
        {"path_pattern": "wp-content/cache/*", "like": "default", "before": "wp-content/*"},
    ]
    made = edge_set("whitepaper", "blog", behaviors=further)
    assert order(made) == [
        "members/*",
        "forum/*",
        "wp-admin/*",
        "wp-login.php",
        "wp-content/cache/*",
        "wp-content/*",
        "wp-includes/*",
        "assets/*",
    ]
    assert behavior(made, "members/*") == {**behavior(made, "wp-admin/*"), "path_pattern": "members/*"}
    assert behavior(made, "forum/*") == {**made["default_behavior"], "path_pattern": "forum/*", "compress": True}


def test_a_behavior_may_say_everything_itself() -> None:
    own = {"path_pattern": "api/*", "target_origin": "site", "cache_policy": "CachingDisabled"}
    assert edge_set("whitepaper", "blog", behaviors=[own])["behaviors"][0] == own


def test_woocommerce_keeps_carts_apart() -> None:
    made = edge_set("recommended", "blog", presets=["woocommerce"])
    assert order(made)[:4] == ["cart/*", "checkout/*", "my-account/*", "wc-api/*"]
    assert "wp_woocommerce_session_*" in made["cache_policies"]["pages"]["cookies"]["names"]
    assert behavior(made, "cart/*")["cache_policy"] == "CachingDisabled"


@pytest.mark.parametrize("name", ["whitepaper", "recommended"])
def test_multisite_in_subdirectories_is_treated_like_the_first_site(name: str) -> None:
    edge = table1.rendered(name, presets=[table1.load_preset("multisite")])
    for path in ("wp-admin/post.php", "wp-login.php", "wp-includes/js/a.js", "wp-content/themes/a.css"):
        _where, first = resolved.behavior_for(edge.config, f"/{path}")
        _where, second = resolved.behavior_for(edge.config, f"/second/{path}")
        assert {**first, "PathPattern": ""} == {**second, "PathPattern": ""}, path


def test_what_a_set_has_already_no_preset_repeats() -> None:
    assert order(edge_set("recommended", "blog", presets=["multisite"])).count("*/wp-admin/*") == 1


def test_campaigns_run_a_function_for_pages_only() -> None:
    made = edge_set("recommended", "blog", presets=["campaigns"])
    assert made["functions"]["campaigns"]["name"] == "blog-campaigns"
    assert made["default_behavior"]["functions"] == [{"event": "viewer-request", "function": "blog-campaigns"}]
    assert not any(entry["functions"] for entry in made["behaviors"])
    assert edge_set("recommended", "blog")["functions"] == {}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"default_ttl": 86400}, ["default_ttl is 86400", "43200", "300 to 600"]),
        ({"cookies": [f"c{n}" for n in range(7)]}, ["cookies is ['wp-postpass_*', 'c0'", "policy pages", "wildcards"]),
        ({"behaviors": [{"like": "default"}]}, ["behaviors[0] is", "no path_pattern"]),
        ({"behaviors": [{"path_pattern": "a/*", "like": "b/*"}]}, ["behaviors[0].like is 'b/*'", "wp-admin/*", "default"]),
        ({"behaviors": [{"path_pattern": "a/*", "after": "b/*"}]}, ["behaviors[0].after is 'b/*'", "wp-admin/*"]),
        ({"behaviors": [{"path_pattern": "/wp-admin/*"}]}, ["behaviors[0].path_pattern is '/wp-admin/*'", "Narrow"]),
        ({"behaviors": [{"path_pattern": "a/*", "cache_policy": "own:fast"}]}, ["cache_policy of the behavior a/* is 'own:fast'", "own:pages"]),
        ({"default_ttl": "ten minutes"}, ["default_ttl is 'ten minutes'", "600"]),
        ({"presets": ["shop"]}, ["presets[0] is 'shop'", "woocommerce"]),
        ({"presets": ["../../defaults/main"]}, ["presets[0] is '../../defaults/main'"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_path_value_and_cure(options: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        edge_set("whitepaper", "blog", **options)
    for words in said:
        assert words in str(refused.value)


def test_an_unknown_set_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="recommended, whitepaper"):
        edge_set("fast", "blog")
