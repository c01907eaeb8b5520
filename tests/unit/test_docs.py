# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The generated documentation says what the code says today, and the action group names every module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def test_generated_pages_are_current() -> None:
    checked = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "docs.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_action_group_names_every_aws_module() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    named = {name for name in runtime["action_groups"]["aws"] if isinstance(name, str)}
    talking = {
        path.stem
        for path in (ROOT / "plugins" / "modules").glob("*.py")
        if "amazon.aws.common.modules" in path.read_text(encoding="utf-8")
    }
    assert named == talking


def test_every_role_and_playbook_is_documented() -> None:
    for role in (ROOT / "roles").iterdir():
        for name in ("meta/argument_specs.yml", "README.md", "tasks/main.yml", "defaults/main.yml"):
            assert (role / name).is_file(), f"roles/{role.name} lacks {name}"
