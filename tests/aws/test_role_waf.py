# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The entry points waf of the role edge alone. What the rules do is tested in tests/unit/plugins/filter/test_firewall_rules.py.

The rehearsal takes a web ACL and judges no request by it: that only AWS can show.
"""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Account
from .lifecycle import Role, compare

OPTIONS = {"edge_name": "shop", "edge_tags": {"wordpress_ha:stack": "shop"}, "lifecycle_result": "edge_waf_result"}


@pytest.fixture(scope="module")
def role(account: Account) -> Role:
    return Role(account, "edge", **OPTIONS)


def changed(role: Role, *steps: str, **options: Any) -> Any:
    """Predict, do, and do again together with what shall then be found; return what was done."""
    predicted = role.play(steps[0], check=True, **options)
    assert not predicted.writes
    done = role.play(*steps, **options)
    compare(predicted.actions, done.actions)
    assert done.actions
    return done


def test_it_is_made_and_found(role: Role, account: Account) -> None:
    made = changed(role, "waf", "waf", "waf_discover")
    assert made.resources == ["create log_group/aws-waf-logs-shop", "create web_acl/shop", "create logging/shop"]
    assert made.result["arn"].startswith("arn:aws:wafv2:us-east-1:")
    assert made.result["log_group_name"] == "aws-waf-logs-shop"
    waf = account.emulator.client("wafv2")
    (one,) = waf.list_web_acls(Scope="CLOUDFRONT")["WebACLs"]
    rules = waf.get_web_acl(Name="shop", Scope="CLOUDFRONT", Id=one["Id"])["WebACL"]["Rules"]
    assert not [
        rule["Name"] for rule in rules if "Block" in rule.get("Action", {}) or "None" in rule.get("OverrideAction", {})
    ]


def test_each_option_can_change(role: Role) -> None:
    role.options |= {
        "edge_waf_mode": "block",
        "edge_waf_rate_limit": 500,
        "edge_waf_login_rate_limit": 20,
        "edge_waf_exclusions": [{"rule": "NoUserAgent_HEADER", "paths": ["/wp-json/shop/"]}],
        "edge_waf_log_retention_days": 90,
        "edge_tags": {"wordpress_ha:stack": "shop", "owner": "me"},
    }
    told = changed(role, "waf", "waf", "waf_discover")
    assert told.resources == ["update log_group/aws-waf-logs-shop", "update web_acl/shop"]


def test_a_mistake_is_refused(role: Role) -> None:
    role.refuse(
        "edge_waf_exclusions[0].rule is 'Everything'", entry="waf", edge_waf_exclusions=[{"rule": "Everything"}]
    )


def test_it_can_be_removed(role: Role, account: Account) -> None:
    changed(role, "waf_absent", "waf_absent")
    assert account.emulator.client("wafv2").list_web_acls(Scope="CLOUDFRONT")["WebACLs"] == []
    assert account.emulator.client("logs").describe_log_groups()["logGroups"] == []
