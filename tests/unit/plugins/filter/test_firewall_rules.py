# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The firewall's rules, judged by a small interpreter of them: what an editor's day and an attacker's meet (P29, P30).

What AWS's managed groups find in a request, only AWS knows. Here a request says itself which of their rules it would raise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.wordpress_ha.aws.plugins.filter.firewall_rules import SOURCE, firewall_rules
from wordpress_ha_rehearsal.emulator.extensions import waf

DATA = yaml.safe_load(SOURCE.read_text())["__edge_firewall"]
LOGIN = {"cookie": "wp-settings-1=x; wordpress_logged_in_abc=jane|1|2|3"}
PASSWORD = {"authorization": "Basic amFuZTpzZWNyZXQ="}


@dataclass
class Request:
    """A request, the managed rules it raises, and how many of its kind its address has sent in 5 minutes."""

    path: str
    method: str = "GET"
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    raises: tuple[str, ...] = ()
    sent: int = 1


def label_of(name: str) -> str:
    for group in DATA["groups"]:
        if name in DATA["rules"][group["short"]]:
            return f"awswaf:managed:aws:{group['labels']}:{DATA['rules'][group['short']][name]}"
    raise AssertionError(name)


LOGIC: dict[str, Callable[[Iterable[bool]], bool]] = {
    "AndStatement": all,
    "OrStatement": any,
    "NotStatement": lambda found: not any(found),
}


def matches(statement: dict[str, Any], request: Request, labels: set[str]) -> bool:
    ((kind, about),) = statement.items()
    inner = about.get("Statements") or [about.get("Statement") or about.get("ScopeDownStatement") or {}]
    found = (matches(one, request, labels) for one in inner if one)
    if kind in LOGIC:
        return LOGIC[kind](found)
    if kind == "RateBasedStatement":
        return all(found) and request.sent > about["Limit"]
    if kind == "LabelMatchStatement":
        return any(label == about["Key"] or label.endswith(f":{about['Key']}") for label in labels)
    value = inspected(about["FieldToMatch"], request)
    if kind == "RegexMatchStatement":
        return re.search(about["RegexString"], value) is not None
    text = about["SearchString"]
    return {
        "EXACTLY": value == text,
        "STARTS_WITH": value.startswith(text),
        "CONTAINS": text in value,
    }[about["PositionalConstraint"]]


def inspected(where: dict[str, Any], request: Request) -> str:
    if "SingleHeader" in where:
        return request.headers.get(where["SingleHeader"]["Name"], "")
    return {"UriPath": request.path, "QueryString": request.query, "Method": request.method}[next(iter(where))]


def verdict(rules: list[dict[str, Any]], request: Request) -> str:
    """Return the name of the rule that blocks a request; empty if it passes."""
    labels: set[str] = set()
    for rule in sorted(rules, key=lambda one: one["Priority"]):
        ((kind, about),) = rule["Statement"].items()
        if kind == "ManagedRuleGroupStatement":
            if group_blocks(rule, about, request, labels):
                return str(rule["Name"])
        elif matches(rule["Statement"], request, labels):
            labels |= {f"awswaf:1:webacl:blog:{one['Name']}" for one in rule.get("RuleLabels", [])}
            if "Block" in rule["Action"]:
                return str(rule["Name"])
    return ""


def group_blocks(rule: dict[str, Any], about: dict[str, Any], request: Request, labels: set[str]) -> bool:
    short = next(group["short"] for group in DATA["groups"] if group["name"] == about["Name"])
    counted = {one["Name"] for one in about.get("RuleActionOverrides", [])}
    raised = [name for name in request.raises if name in DATA["rules"][short]]
    labels |= {label_of(name) for name in raised}
    return "None" in rule["OverrideAction"] and any(name not in counted for name in raised)


#: What an editor does in a day, and what the managed rules say to it (read in the logs of real sites, and in AWS's descriptions).
EDITORS_DAY = [
    Request("/wp-admin/post.php", "POST", headers=LOGIN, raises=("SizeRestrictions_BODY", "CrossSiteScripting_BODY")),
    Request("/wp-json/wp/v2/posts/1", "POST", headers=LOGIN, raises=("CrossSiteScripting_BODY", "GenericRFI_BODY")),
    Request("/wp-json/wp/v2/media", "POST", headers=LOGIN, raises=("SizeRestrictions_BODY", "GenericLFI_BODY")),
    Request("/wp-admin/async-upload.php", "POST", headers=LOGIN, raises=("SizeRestrictions_BODY", "SQLi_BODY")),
    Request(
        "/wp-admin/admin-ajax.php", "POST", headers=LOGIN, raises=("PHPHighRiskMethodsVariables_BODY", "Log4JRCE_BODY")
    ),
    Request("/wp-admin/edit.php", query="s=select+from", headers=LOGIN, raises=("SQLi_QUERYARGUMENTS",)),
    Request(
        "/wp-admin/customize.php", query="url=http://10.1.2.3/", headers=LOGIN, raises=("GenericRFI_QUERYARGUMENTS",)
    ),
    Request("/second/wp-admin/post.php", "POST", headers=LOGIN, raises=("CrossSiteScripting_BODY",)),
    Request("/index.php", "POST", "rest_route=/wp/v2/posts", headers=LOGIN, raises=("CrossSiteScripting_BODY",)),
    Request("/wp-json/wp/v2/posts", "POST", headers=PASSWORD, raises=("SizeRestrictions_BODY",)),
    Request("/wp-comments-post.php", "POST", headers=LOGIN, raises=("CrossSiteScripting_BODY",)),
    Request("/wp-admin/admin-ajax.php", "POST", headers=LOGIN, sent=9000),
    Request("/wp-admin/", headers=LOGIN),
    Request("/wp-login.php", "POST", sent=5),
    Request("/wp-content/uploads/a.jpg", sent=50_000),
]


@pytest.mark.parametrize("mode", ["count", "block"])
@pytest.mark.parametrize("request_", EDITORS_DAY, ids=lambda one: f"{one.method} {one.path}")
def test_no_editor_is_locked_out(mode, request_):
    assert verdict(firewall_rules(mode), request_) == ""


#: The same contents from strangers, and elsewhere; and what no editor needs.
ATTACKS = [
    (Request("/wp-admin/admin-ajax.php", "POST", raises=("CrossSiteScripting_BODY",)), "not-by-editors"),
    (Request("/wp-json/wp/v2/posts", "POST", raises=("SizeRestrictions_BODY",)), "not-by-editors"),
    (Request("/", "POST", headers=LOGIN, raises=("SQLi_BODY",)), "not-by-editors"),
    (Request("/contact/", "POST", headers=PASSWORD, raises=("PHPHighRiskMethodsVariables_BODY",)), "not-by-editors"),
    (Request("/wp-login.php", "POST", headers=LOGIN, raises=("SQLi_BODY",)), "not-by-editors"),
    (Request("/wp-admin/post.php", "POST", headers=LOGIN, raises=("Log4JRCE_HEADER",)), "bad-inputs"),
    (Request("/wp-admin/post.php", headers=LOGIN, raises=("GenericLFI_QUERYARGUMENTS",)), "common"),
    (Request("/wp-admin/post.php", headers=LOGIN, raises=("SQLi_COOKIE",)), "sql"),
    (Request("/.env.ini", raises=("RestrictedExtensions_URIPATH",)), "common"),
    (Request("/", raises=("WordPressExploitableCommands_QUERYSTRING",)), "wordpress"),
    (Request("/", raises=("AWSManagedIPReputationList",)), "reputation"),
    (Request("/wp-login.php", "POST", sent=51), "rate-login"),
    (Request("/xmlrpc.php", "POST", sent=51), "rate-login"),
    (Request("/blog/wp-login.php", "POST", sent=51), "rate-login"),
    (Request("/", query="s=a", sent=2001), "rate"),
    (Request("/wp-admin/admin-ajax.php", "POST", headers=LOGIN, sent=10_001), "rate-editors"),
]


@pytest.mark.parametrize(("request_", "rule"), ATTACKS, ids=lambda one: getattr(one, "path", one))
def test_attacks_are_blocked_by_the_rule_that_is_meant(request_, rule):
    assert verdict(firewall_rules("block"), request_) == rule
    assert verdict(firewall_rules("count"), request_) == "", "to count is not to block"


def test_each_rule_has_a_metric_and_no_request_is_sampled():
    for rule in firewall_rules("block"):
        assert rule["VisibilityConfig"]["CloudWatchMetricsEnabled"] is True
        assert rule["VisibilityConfig"]["SampledRequestsEnabled"] is False, "samples show cookies"


@pytest.mark.parametrize("mode", ["count", "block"])
def test_the_rules_are_taken_and_fit_the_price(mode):
    rules = firewall_rules(mode, exclusions=[{"rule": "NoUserAgent_HEADER", "paths": ["/a/", "/b/"]}])
    waf.check(rules)
    assert waf.weigh(rules) <= 1500


def test_an_exclusion_holds_only_where_it_is_meant():
    rules = firewall_rules("block", exclusions=[{"rule": "NoUserAgent_HEADER", "paths": ["/wp-json/shop/", "/feed/"]}])
    assert verdict(rules, Request("/wp-json/shop/hook", "POST", raises=("NoUserAgent_HEADER",))) == ""
    assert verdict(rules, Request("/wp-json/wp/v2/posts", raises=("NoUserAgent_HEADER",))).startswith("not-excluded-")
    assert verdict(rules, Request("/", raises=("UserAgent_BadBots_HEADER",))) == "common"


def test_an_exclusion_of_what_does_not_count_for_editors_keeps_that():
    rules = firewall_rules("block", exclusions=[{"rule": "SizeRestrictions_BODY", "paths": ["/upload/"]}])
    assert verdict(rules, Request("/upload/x", "POST", raises=("SizeRestrictions_BODY",))) == ""
    assert verdict(rules, Request("/wp-admin/a", "POST", headers=LOGIN, raises=("SizeRestrictions_BODY",))) == ""
    assert verdict(rules, Request("/", "POST", raises=("SizeRestrictions_BODY",))) != ""
    assert verdict(rules, Request("/", "POST", raises=("SQLi_BODY",))) == "not-by-editors"


def test_an_exclusion_without_paths_only_counts():
    rules = firewall_rules("block", exclusions=[{"rule": "SQLi_BODY"}])
    assert verdict(rules, Request("/", "POST", raises=("SQLi_BODY",))) == ""


def test_no_limit_is_no_rule():
    assert [rule["Name"] for rule in firewall_rules("block", 0, 0)][:2] == ["editors", "reputation"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ban",), ["edge_waf_mode", "ban", "count"]),
        (("count", 5), ["edge_waf_rate_limit", "5", "10"]),
        (("count", "many"), ["edge_waf_rate_limit", "many", "number"]),
        (("count", 2000, 3), ["edge_waf_login_rate_limit", "3", "10"]),
        (("count", 2000, 50, [{"rule": "Nothing"}]), ["edge_waf_exclusions[0].rule", "Nothing", "SQLi_BODY"]),
        (("count", 2000, 50, ["SQLi_BODY"]), ["edge_waf_exclusions[0]", "SQLi_BODY", "rule"]),
        (("count", 2000, 50, [{"rule": "SQLi_BODY", "path": "/"}]), ["edge_waf_exclusions[0]", "paths"]),
        (("count", 2000, 50, [{"rule": "SQLi_BODY", "paths": ["shop/*"]}]), ["edge_waf_exclusions[0].paths", "shop/*"]),
    ],
)
def test_what_cannot_be_is_refused(arguments, words):
    with pytest.raises(AnsibleFilterError) as error:
        firewall_rules(*arguments)
    assert all(word in str(error.value) for word in words), error.value
