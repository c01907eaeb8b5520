# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the node benchmark makes of what it measured, without a machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bench.node import content, page, profile
from bench.node.machines import merged


def _slice(machine: str, what: str, cpu: float) -> dict[str, Any]:
    return {
        "machine": machine,
        "what": what,
        "requests": 10,
        "rate": 20.0,
        "p50": 90.0,
        "p99": 120.0,
        "cpu": cpu,
        "cpu_database": 8.0,
        "cpu_cache": 1.0,
    }


RESULTS = {
    "pages": {
        "400 posts, 0 plugins": [
            _slice("stock", "front", 79),
            _slice("ours", "front", 49),
            _slice("stock", "front", 81),
            _slice("ours", "front", 51),
        ]
    },
    "when": {"pages": ["2026-11-22 18:30", 3.0]},
}


def test_a_contract_is_changed_leaf_by_leaf() -> None:
    assert merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": 4}, "e": {"f": 5}}) == {
        "a": {"b": 1, "c": 4},
        "d": 3,
        "e": {"f": 5},
    }


def test_the_page_gets_its_tables_and_keeps_its_words(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("Words.\n\n<!-- pages -->\nold\n<!-- /pages -->\n\nMore words.\n")
    absent = page.write(RESULTS, tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert "old" not in text and text.startswith("Words.") and text.endswith("More words.\n")
    assert "| 80.0 | 50.0 | **0.62** |" in text  # the mean of both rounds
    assert absent == ["static", "cold", "storage", "caches", "profile"]
    assert ">ours 50.0 ms<" in (tmp_path / "node.svg").read_text()
    page.write(RESULTS, tmp_path)
    assert (tmp_path / "README.md").read_text() == text


def test_a_page_without_a_place_for_a_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("Words.\n")
    with pytest.raises(ValueError, match="0 places for the table pages"):
        page.write(RESULTS, tmp_path)


@pytest.mark.parametrize(
    ("stack", "area"),
    [
        ("/srv/wordpress/trees/a/index.php;WP_Query::query;wpdb::query;mysqli_query", "database driver and wpdb"),
        ("index.php;do_blocks;WP_HTML_Tag_Processor::next_tag", "HTML and block parser"),
        ("index.php;get_option;WP_Object_Cache::get;igbinary_unserialize", "object cache"),
        ("index.php;require;/srv/wordpress/trees/a/wp-includes/load.php", "loading of files (their top-level code)"),
        ("index.php;my_function", "other"),
    ],
)
def test_a_stack_belongs_to_the_innermost_area(stack: str, area: str) -> None:
    assert profile.area(stack) == area


def test_shares_add_up() -> None:
    seen = profile.shares("a;wpdb::query 3\na;do_blocks 1\nnot a stack\n")
    assert seen["samples"] == 4 and sum(seen["areas"].values()) == 1
    assert seen["areas"]["database driver and wpdb"] == 0.75


def test_system_calls_are_counted_per_request() -> None:
    trace = (
        "% time     seconds  usecs/call     calls    errors syscall\n"
        " 50.00    0.01          10      1200       400 newfstatat\n"
        "  1.00 0.00 1 40 openat\n100.00 0.02 1 1240 400 total\n"
    )
    assert profile.system_calls(trace, 20) == {"newfstatat": 60.0, "openat": 2.0}


def test_content_is_the_same_each_time_and_every_post_has_terms() -> None:
    once = "".join(content.posts(0, 250))
    assert once == "".join(content.posts(0, 250))
    assert once.count("INSERT IGNORE INTO wp_posts") == 2  # 200 rows a statement
    assert "'post-249'" in once and "wp_term_relationships" in once
    assert len(content.plugins()) == content.PLUGINS * (content.CLASSES + 2)
