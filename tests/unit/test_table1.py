# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Both behavior sets against Table 1, cell by cell, and docs/edge.md against what is so."""

from __future__ import annotations

import copy

import pytest
import table1

from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import lint, resolved

DOCS = (table1.ROOT / "docs" / "edge.md").read_text(encoding="utf-8")
DIFFERENCES = table1.load("recommended")["differences"]
CELLS = [cell.id for cell in table1.CELLS]


@pytest.mark.parametrize("media", [True, False], ids=["bucket", "no bucket"])
@pytest.mark.parametrize("cell", CELLS)
def test_whitepaper_meets_each_cell(cell: str, media: bool) -> None:
    assert table1.check(table1.rendered("whitepaper", media=media))[cell] == []


@pytest.mark.parametrize("media", [True, False], ids=["bucket", "no bucket"])
def test_recommended_departs_from_exactly_the_cells_that_it_explains(media: bool) -> None:
    found = {cell for cell, faults in table1.check(table1.rendered("recommended", media=media)).items() if faults}
    assert found == {cell for difference in DIFFERENCES for cell in difference["cells"]}


def test_every_cell_of_the_table_is_there_once() -> None:
    rows = {cell.row for cell in table1.CELLS}
    assert sorted(CELLS) == sorted(f"{column}.{row}" for column in table1.COLUMNS for row in rows)
    assert len(rows) == 7


#: A change of the rendered whitepaper set for each cell, that the check of just this cell must notice.
BREAKING = {
    "static.viewer_protocol": lambda static, admin, default: static.update(ViewerProtocolPolicy="https-only"),
    "static.methods": lambda static, admin, default: static["AllowedMethods"].update(default["AllowedMethods"]),
    "static.headers": lambda static, admin, default: static.update(OriginRequestPolicyId="acba4595-bd28-49b8-b9fe-13317c0390fa"),
    "static.query_strings": lambda static, admin, default: static.update(CachePolicyId="658327ea-f89d-4fab-a63d-7e88639e58f6"),
    "static.origin": lambda static, admin, default: static.update(TargetOriginId="media-bucket"),
    "admin.viewer_protocol": lambda static, admin, default: admin.update(ViewerProtocolPolicy="https-only"),
    "admin.methods": lambda static, admin, default: admin["AllowedMethods"].update(static["AllowedMethods"]),
    "admin.headers": lambda static, admin, default: admin.update(OriginRequestPolicyId="b689b0a8-53d0-40ab-baf2-68738e2966ac"),
    "admin.origin": lambda static, admin, default: admin.update(TargetOriginId="media"),
    "default.viewer_protocol": lambda static, admin, default: default.update(ViewerProtocolPolicy="redirect-to-https"),
    "default.methods": lambda static, admin, default: default["AllowedMethods"].update(static["AllowedMethods"]),
    "default.headers": lambda static, admin, default: default.update(OriginRequestPolicyId="acba4595-bd28-49b8-b9fe-13317c0390fa"),
    "default.cookies": lambda static, admin, default: default.update(CachePolicyId="blog-static"),
    "default.query_strings": lambda static, admin, default: default.update(CachePolicyId="658327ea-f89d-4fab-a63d-7e88639e58f6"),
    "default.origin": lambda static, admin, default: default.update(TargetOriginId="media"),
}  # fmt: skip


@pytest.mark.parametrize("cell", BREAKING)
def test_the_check_notices_a_broken_cell(cell: str) -> None:
    edge = copy.deepcopy(table1.rendered("whitepaper"))
    admin, _login, static, _includes = edge.config["CacheBehaviors"]["Items"]
    BREAKING[cell](static, admin, edge.config["DefaultCacheBehavior"])
    assert table1.check(edge)[cell] != []


def test_the_check_notices_a_wrong_order() -> None:
    edge = copy.deepcopy(table1.rendered("whitepaper"))
    edge.config["CacheBehaviors"]["Items"].reverse()
    found = table1.check(edge)
    assert found["admin.precedence"] and found["static.precedence"]


#: What a journey needs of the behavior that its request meets: header, cookie or query string, and whether it must be there.
NEEDS = {
    "write_and_publish": ("/wp-json/wp/v2/posts", "headers", "x-wp-nonce", True),
    "application_password": ("/wp-json/wp/v2/users/me", "headers", "authorization", True),
    "campaign_variants_share": ("/a-post/", "query_strings", "utm_source", False),
    "log_in": ("/wp-login.php", "cookies", "wordpress_test_cookie", True),
    "comment": ("/a-post/", "cookies", "comment_author_0a1b", True),
    "unlock": ("/a-post/", "cookies", "wp-postpass_0a1b", True),
    "preview_draft": ("/", "cookies", "wordpress_logged_in_0a1b", True),
    "other_queries_differ": ("/", "query_strings", "s", True),
    "versions_bust_static_files": ("/wp-content/themes/a/style.css", "query_strings", "ver", True),
}
CANNOT = {"whitepaper": {"write_and_publish", "application_password", "campaign_variants_share"}, "recommended": set()}


@pytest.mark.parametrize("name", CANNOT)
def test_what_a_set_cannot_do_follows_from_what_it_sends(name: str) -> None:
    edge = table1.rendered(name)
    lacking = set()
    for journey, (path, kind, what, wanted) in NEEDS.items():
        _where, behavior = resolved.behavior_for(edge.config, path)
        if resolved.resolve(behavior, edge.context).sends(kind, what) is not wanted:
            lacking.add(journey)
    assert lacking == CANNOT[name]
    assert all(f"| `{journey}` |" in DOCS for journey in lacking)


# -- docs/edge.md ----------------------------------------------------------------------------------------------------------


def test_docs_show_each_cell() -> None:
    for cell in table1.CELLS:
        assert f"| `{cell.id}` | {cell.expected} | {cell.observe} |" in DOCS


def test_docs_show_each_difference_with_row_and_reason() -> None:
    for one in DIFFERENCES:
        cells = ", ".join(f"`{cell}`" for cell in one["cells"]) or "none"
        rows = ", ".join(one["rows"])
        assert (
            f"| {one['what']} | {one['whitepaper']} | {one['recommended']} | {cells} | {rows} | {one['reason']} |"
            in DOCS
        )


def test_docs_show_each_rule_of_the_lint() -> None:
    shown = [line.split("`")[1] for line in DOCS.splitlines() if line.startswith("| `") and line.count("|") == 5]
    assert [name for name in shown if name in lint.RULES] == list(lint.RULES)
    for name, rule in lint.RULES.items():
        assert f"| `{name}` | {rule.severity} | {f'`{rule.code}`' if rule.code else ''} | {rule.about} |" in DOCS


def test_docs_show_the_behaviors_of_recommended_in_their_order() -> None:
    order = [entry["path_pattern"] for entry in table1.load("recommended")["behaviors"]]
    places = [DOCS.index(f"| `{pattern}` |") for pattern in order]
    assert places == sorted(places)
