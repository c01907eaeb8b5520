# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Laws of backup plans as data: a rule is read as it was written, and a selection's name says what is in it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _backup

ACCOUNT = "123456789012"
ARNS = {
    f"{region}/blog": f"arn:aws:backup:{region}:{ACCOUNT}:backup-vault:blog" for region in ("eu-west-1", "us-west-2")
}
TAGS = st.dictionaries(st.sampled_from(["stack", "role", "owner"]), st.sampled_from(["a", "b"]), min_size=1)
RESOURCES = st.lists(st.sampled_from(["*", "arn:aws:s3:::*", "arn:aws:rds:*:*:cluster:*"]), min_size=1)


def plans() -> st.SearchStrategy[dict[str, Any]]:
    days = st.integers(min_value=1, max_value=3000)
    return st.fixed_dictionaries(
        {
            "schedule": st.sampled_from(["cron(0 2 * * ? *)", "rate(1 day)"]),
            "timezone": st.sampled_from(["Etc/UTC", "Europe/Berlin"]),
            "start_window_minutes": st.integers(min_value=60, max_value=600),
            "completion_window_minutes": st.integers(min_value=700, max_value=900),
            "retention_days": days,
            "cold_after_days": st.none() | days,
            "continuous": st.booleans(),
            "copy_region": st.sampled_from([None, "eu-west-1", "us-west-2"]),
            "copy_retention_days": st.none() | days,
            "copy_cold_after_days": st.none() | days,
            "resources": RESOURCES,
            "selection_tags": TAGS,
        }
    )


@given(plans(), TAGS)
def test_a_rule_is_read_as_it_was_written(plan: dict[str, Any], tags: dict[str, str]) -> None:
    wanted = _backup.rule("files", plan, "blog", tags)
    assert _backup.rule_of(_backup.rule_request(wanted, ARNS), ACCOUNT) == wanted


@given(plans())
def test_a_copy_in_another_account_is_none_of_ours(plan: dict[str, Any]) -> None:
    wanted = _backup.rule("files", plan, "blog", {})
    read = _backup.rule_of(_backup.rule_request(wanted, ARNS), "999999999999")
    assert (read == wanted) is (not wanted["copies"])
    assert all(copy["vault"].startswith("arn:") for copy in read["copies"])


@given(plans(), plans())
def test_the_name_of_a_selection_says_what_is_in_it(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Order and repetition in the lists mean nothing."""
    first, second = _backup.selection("files", one), _backup.selection("files", other)
    assert first is not None and second is not None
    alike = set(one["resources"]) == set(other["resources"]) and one["selection_tags"] == other["selection_tags"]
    assert (first["name"] == second["name"]) is alike
    assert _backup.is_ours("files", first["name"]) and _backup.NAME.fullmatch(first["name"])


def test_names_of_others_are_not_ours() -> None:
    assert not _backup.is_ours("files", "by-hand")
    assert not _backup.is_ours("files", "files-of-the-office")
    assert not _backup.is_ours("file", "files-0123456789ab")
