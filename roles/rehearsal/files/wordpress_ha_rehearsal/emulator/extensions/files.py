# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Elastic File System: what can be changed after creation, the removal of a policy, and replication."""

from __future__ import annotations

import json
import time
from typing import Any

from moto.efs import urls
from moto.efs.exceptions import EFSError, FileSystemNotFound
from moto.efs.models import EFSBackend, efs_backends
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


@extension("efs-policy-removal", "the policy of a file system cannot be removed, and any text is taken for one")
def _policy_removal() -> None:
    @add(EFSResponse)
    def delete_file_system_policy(self: Any) -> Answer:
        _file_system(self).file_system_policy = None
        return "{}", _JSON

    @wrap(EFSBackend, "put_file_system_policy")
    def put(original: Function, self: Any, file_system_id: str, policy: str, *args: Any, **kwargs: Any) -> None:
        for statement in json.loads(policy)["Statement"]:
            if statement["Resource"] != self.file_systems_by_id[file_system_id].file_system_arn:
                raise EFSError("InvalidPolicyException", "The policy names another file system.")
        original(self, file_system_id, policy, *args, **kwargs)


class Replication:
    """The copying of one file system to another; gone at the second look after its removal."""

    def __init__(self, source: Any, region: str, copy: Any) -> None:
        self.source, self.region, self.copy = source, region, copy
        self.status = "ENABLED"
        self.created = time.time()

    def described(self) -> dict[str, Any]:
        copy, region = self.copy.file_system_id, self.region
        here = self.source.file_system_arn.split(":")[3]
        return {
            "SourceFileSystemId": self.source.file_system_id,
            "SourceFileSystemRegion": here,
            "SourceFileSystemArn": self.source.file_system_arn,
            "OriginalSourceFileSystemArn": self.source.file_system_arn,
            "CreationTime": self.created,
            "Destinations": [{"Status": self.status, "FileSystemId": copy, "Region": region}],
        }


def _replications(backend: Any) -> dict[str, Replication]:
    return backend.__dict__.setdefault("replications", {})  # type: ignore[no-any-return]


@extension("efs-replication", "file systems cannot be replicated, and none is protected from being overwritten")
def _replication() -> None:
    for path in (
        "replication-configurations",
        "<file_system_id>/replication-configuration",
        "<file_system_id>/protection",
    ):
        urls.url_paths[f"/2015-02-01/file-systems/{path}"] = urls.response.dispatch

    @add(EFSResponse)
    def create_replication_configuration(self: Any) -> Answer:
        backend, name = self.efs_backend, self._get_param("SourceFileSystemId")
        source = backend.file_systems_by_id.get(name)
        if source is None:
            raise FileSystemNotFound(name)
        if name in _replications(backend):
            raise EFSError("ValidationException", "The file system is replicated already.")
        wanted = self._get_param("Destinations")[0]
        there: Any = efs_backends[backend.account_id][wanted["Region"]]
        if wanted.get("FileSystemId"):
            copy = there.file_systems_by_id[wanted["FileSystemId"]]
            if copy.__dict__.get("_protection", "ENABLED") != "DISABLED":
                raise EFSError("ValidationException", "The destination is protected from being overwritten.")
        else:
            copy = there.create_file_system(
                creation_token=f"copy-of-{name}-{time.time_ns()}",
                performance_mode=source.performance_mode,
                encrypted=True,
                kms_key_id=None,
                throughput_mode=source.throughput_mode,
                provisioned_throughput_in_mibps=None,
                availability_zone_name=None,
                backup=False,
                tags=[],
            )
        copy._protection = "REPLICATING"
        made = _replications(backend)[name] = Replication(source, wanted["Region"], copy)
        return json.dumps(made.described()), _JSON

    @add(EFSResponse)
    def describe_replication_configurations(self: Any) -> Answer:
        found, name = _replications(self.efs_backend), self._get_param("FileSystemId")
        if name and name not in found:
            raise EFSError("ReplicationNotFound", f"{name} is not replicated.")
        shown = [found[name]] if name else list(found.values())
        answer = json.dumps({"Replications": [one.described() for one in shown]})
        for one in shown:
            if one.status == "DELETING":
                found.pop(one.source.file_system_id)
        return answer, _JSON

    @add(EFSResponse)
    def delete_replication_configuration(self: Any) -> Answer:
        found, name = _replications(self.efs_backend), self._get_param("SourceFileSystemId")
        if name not in found:
            raise EFSError("ReplicationNotFound", f"{name} is not replicated.")
        found[name].status, found[name].copy._protection = "DELETING", "ENABLED"
        return "{}", {"status": 204, **_JSON}

    @add(EFSResponse)
    def update_file_system_protection(self: Any) -> Answer:
        wanted = self._get_param("ReplicationOverwriteProtection")
        _file_system(self)._protection = wanted
        return json.dumps({"ReplicationOverwriteProtection": wanted}), _JSON

    @wrap(EFSBackend, "delete_file_system")
    def delete(original: Function, self: Any, file_system_id: str) -> None:
        found = self.file_systems_by_id.get(file_system_id)
        if file_system_id in _replications(self) or (found and found.__dict__.get("_protection") == "REPLICATING"):
            raise EFSError("ReplicationAlreadyExists", f"{file_system_id} is part of a replication.")
        original(self, file_system_id)
