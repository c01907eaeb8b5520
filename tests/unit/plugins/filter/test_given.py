# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is not set is left out, and nothing else."""

from __future__ import annotations

from ansible_collections.wordpress_ha.aws.plugins.filter.given import FilterModule

given = FilterModule().filters()["given"]


def test_null_keys_go_at_any_depth() -> None:
    value = {"a": None, "b": 0, "c": {"d": None, "e": ""}, "f": [{"g": None, "h": False}, None]}
    assert given(value) == {"b": 0, "c": {"e": ""}, "f": [{"h": False}, None]}


def test_what_is_no_dict_stays() -> None:
    assert given("text") == "text" and given(None) is None and given([]) == []
