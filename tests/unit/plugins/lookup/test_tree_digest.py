# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The digest changes with whatever an image would be made of, and with nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.wordpress_ha.aws.plugins.lookup.tree_digest import digest

EXCLUDE = ["*.pyc", "__pycache__", ".*", "README.md", "meta"]


@pytest.fixture
def role(tmp_path: Path) -> Path:
    role = tmp_path / "one" / "web_node"
    (role / "tasks").mkdir(parents=True)
    (role / "tasks" / "main.yml").write_text("- name: A task\n")
    (role / "README.md").write_text("About\n")
    return role


def test_place_time_and_documentation_do_not_matter(role: Path, tmp_path: Path) -> None:
    before = digest([role], EXCLUDE, {})
    elsewhere = tmp_path / "two" / "web_node"
    shutil.copytree(role, elsewhere)
    (elsewhere / "README.md").write_text("About it\n")
    (elsewhere / "tasks" / "__pycache__").mkdir()
    (elsewhere / "tasks" / "__pycache__" / "main.pyc").write_bytes(b"x")
    assert digest([elsewhere], EXCLUDE, {}) == before


@pytest.mark.parametrize("change", ["content", "name", "mode", "further file", "variables"])
def test_what_is_baked_in_matters(role: Path, change: str) -> None:
    task = role / "tasks" / "main.yml"
    before = digest([role], EXCLUDE, {"max_upload": "64M"})
    also = {"max_upload": "64M"}
    if change == "content":
        task.write_text("- name: Another task\n")
    elif change == "name":
        task.rename(task.with_name("other.yml"))
    elif change == "mode":
        task.chmod(0o755)
    elif change == "further file":
        (role / "files").mkdir()
        (role / "files" / "agent.py").write_text("")
    else:
        also = {"max_upload": "128M"}
    assert digest([role], EXCLUDE, also) != before


def test_the_order_of_paths_and_keys_does_not_matter(role: Path) -> None:
    paths = [role / "tasks", role / "README.md"]
    assert digest(paths, [], {"a": 1, "b": 2}) == digest(paths[::-1], [], {"b": 2, "a": 1})
