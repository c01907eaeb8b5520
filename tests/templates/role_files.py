# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A role's variables, as Ansible loads them on a system."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader

ROLES = Path(__file__).resolve().parents[2] / "roles"


def role_variables(role: str, system: tuple[str, ...] = ("debian", "debian-13")) -> dict[str, Any]:
    """Return a role's defaults and vars, unrendered, as on a system: the names of its files, the most specific last."""
    variables: dict[str, Any] = {"ansible_managed": "Ansible managed", "ansible_check_mode": False}
    for name in ("defaults/main.yml", "vars/main.yml", *(f"vars/{part}.yml" for part in system)):
        path = ROLES / role / name
        if path.exists():
            variables |= DataLoader().load_from_file(str(path), trusted_as_template=True) or {}
    return variables
