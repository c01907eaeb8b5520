# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""balancer_sites: target groups and rules of further sites, within what AWS takes, each behind the guard."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wordpress_ha.aws.plugins.filter.balancer_sites import MOST_VALUES, STEP, balancer_sites

GROUP = {"port": 80, "health_check": {"path": "/healthz/ready", "matcher": "200", "interval": 10}, "attributes": {}}
GUARD = {"name": "X-Origin-Verify", "secret_arn": "blog/origin", "secret_key": "header_value"}
LABEL = st.text("abc", min_size=1, max_size=4)
SITES = st.lists(st.tuples(LABEL, st.integers(1, 25)), max_size=6, unique_by=lambda site: site[0]).map(
    lambda sites: [
        {"name": name, "hosts": [f"{name}{number}.example.org" for number in range(hosts)]} for name, hosts in sites
    ]
)


@given(SITES, st.booleans())
def test_every_host_leads_to_its_site_within_the_bounds(sites: list[dict[str, Any]], guarded: bool) -> None:
    made = balancer_sites(sites, "blog", GROUP, GUARD if guarded else {})
    priorities = [rule["priority"] for rule in made["rules"]]
    assert priorities == sorted(set(priorities)) and all(1 <= one < 50000 for one in priorities)
    led: dict[str, list[str]] = {}
    for rule in made["rules"]:
        hosts = rule["conditions"]["host_header"]
        assert len(hosts) + (2 if guarded else 0) <= MOST_VALUES
        assert ("http_header_secret" in rule["conditions"]) is guarded
        led.setdefault(rule["action"]["forward"], []).extend(hosts)
    assert led == {f"blog-{site['name']}": site["hosts"] for site in sites}
    assert set(made["target_groups"]) == set(led) == set(made["groups"].values())


@given(SITES)
def test_an_appended_site_leaves_the_others_alone(sites: list[dict[str, Any]]) -> None:
    before = balancer_sites(sites, "blog", GROUP)["rules"]
    after = balancer_sites([*sites, {"name": "zz", "hosts": ["zz.example.org"]}], "blog", GROUP)["rules"]
    assert after[:-1] == before and after[-1]["priority"] == STEP * (len(sites) + 1)


def test_what_a_site_says_itself() -> None:
    site = {"name": "shop", "hosts": ["a.org"], "port": "8080", "health_path": "/live", "health_codes": "200-399"}
    made = balancer_sites([{**site, "certificate_arns": ["arn:1"]}], "blog", GROUP)
    group = made["target_groups"]["blog-shop"]
    assert group["port"] == 8080 and group["health_check"] == {"path": "/live", "matcher": "200-399", "interval": 10}
    assert GROUP["port"] == 80 and made["certificate_arns"] == ["arn:1"]


def test_a_site_that_only_redirects_has_no_target_group() -> None:
    made = balancer_sites([{"name": "www", "hosts": ["www.a.org"], "redirect_to": "a.org"}], "blog", GROUP, GUARD)
    assert made["target_groups"] == made["groups"] == {}
    assert made["rules"][0]["action"] == {"redirect": {"host": "a.org", "status_code": "HTTP_301"}}
    assert made["rules"][0]["conditions"]["http_header_secret"] == GUARD


def test_nothing_makes_nothing() -> None:
    assert balancer_sites([], "blog") == {"target_groups": {}, "rules": [], "groups": {}, "certificate_arns": []}


FINE = {"name": "shop", "hosts": ["shop.example.org"]}


@pytest.mark.parametrize(
    ("sites", "words"),
    [
        ([{**FINE, "name": "web"}], ("[0].name", "'web'")),
        ([{**FINE, "name": "Shop"}], ("[0].name", "lower case")),
        ([{**FINE, "name": "a" * 28}], ("[0].name", "at most 27")),
        ([FINE, {**FINE, "hosts": ["b.org"]}], ("[1].name", "number 0")),
        ([{"name": "shop"}], ("[0].hosts", "list of host names")),
        ([{**FINE, "hosts": []}], ("[0].hosts", "list of host names")),
        ([{**FINE, "hosts": ["https://a.org"]}], ("[0].hosts", "without scheme")),
        ([FINE, {"name": "b", "hosts": ["SHOP.example.org"]}], ("[1].hosts", "the site shop has it")),
        ([{**FINE, "redirect_to": "shop.example.org"}], ("[0].redirect_to", "another site")),
        ([{**FINE, "helth_path": "/"}], ("[0]", "helth_path", "health_path")),
        ([{"name": f"s{n}", "hosts": [f"s{n}.org"]} for n in range(100)], ("99 further sites",)),
    ],
)
def test_what_cannot_be_is_refused(sites: list[dict[str, Any]], words: tuple[str, ...]) -> None:
    with pytest.raises(AnsibleFilterError) as refusal:
        balancer_sites(sites, "blog", GROUP)
    for word in ("load_balancer_sites", *words):
        assert word in str(refusal.value)
