# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Elastic File System: what can be changed after creation."""

from __future__ import annotations

import json
from typing import Any

from moto.efs.exceptions import FileSystemNotFound
from moto.efs.models import EFSBackend
from moto.efs.responses import EFSResponse

from . import extension
from .patching import Function, add, wrap

Answer = tuple[str, dict[str, Any]]
_JSON = {"Content-Type": "application/json"}


def _file_system(response: Any) -> Any:
    name = response._get_param("FileSystemId")
    found = response.efs_backend.file_systems_by_id.get(name)
    if found is None:
        raise FileSystemNotFound(name)
    return found


@extension("efs-backup-policy", "the backup policy cannot be set, and reading it fails when backups are off")
def _backup_policy() -> None:
    @add(EFSResponse)
    def put_backup_policy(self: Any) -> Answer:
        file_system, wanted = _file_system(self), self._get_param("BackupPolicy")["Status"]
        file_system._backup = wanted == "ENABLED"
        return json.dumps({"BackupPolicy": {"Status": wanted}}), _JSON

    @wrap(EFSBackend, "describe_backup_policy")
    def describe(_original: Function, self: Any, file_system_id: str) -> dict[str, str]:
        if file_system_id not in self.file_systems_by_id:
            raise FileSystemNotFound(file_system_id)
        return {"Status": "ENABLED" if self.file_systems_by_id[file_system_id]._backup else "DISABLED"}


@extension("efs-update", "the throughput mode of a file system cannot be changed")
def _update() -> None:
    @add(EFSResponse)
    def update_file_system(self: Any) -> Answer:
        file_system = _file_system(self)
        mode, rate = self._get_param("ThroughputMode"), self._get_param("ProvisionedThroughputInMibps")
        if mode:
            file_system.throughput_mode = mode
            file_system.provisioned_throughput_in_mibps = rate if mode == "provisioned" else None
        return json.dumps(file_system.info_json()), {"status": 202, **_JSON}
