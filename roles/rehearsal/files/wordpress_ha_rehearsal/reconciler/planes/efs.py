# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EFS: a file system is a directory of this machine that every instance sees; mount.nfs4 of the node image binds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def directories(desired: Mapping[str, Any], data: Path) -> list[Path]:
    """Return the directories that must exist."""
    return [data / item["id"] for item in desired.get("file_systems", [])]


def names(desired: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the mount targets' addresses by DNS name; AWS answers with the zone's own, the rehearsal with all."""
    found = {}
    for item in desired.get("file_systems", []):
        targets = item.get("mount_targets") or []
        if item.get("dns_name") and targets:
            found[item["dns_name"]] = sorted(target["ip_address"] for target in targets)
            for target in targets:
                if target.get("az"):
                    found[f"{target['az']}.{item['dns_name']}"] = [target["ip_address"]]
    return found
