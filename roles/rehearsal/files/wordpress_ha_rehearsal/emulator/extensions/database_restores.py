# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RDS: clusters made of a snapshot or of what another cluster was at a point in time."""

from __future__ import annotations

import secrets
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.rds.exceptions import InvalidParameterCombination, RDSClientError
from moto.rds.models import RDSBackend
from moto.rds.responses import RDSResponse

from . import extension
from .databases import check_upgrade, full_version
from .patching import Function, add, wrap


@extension(
    "rds-restores",
    "a cluster with a managed password cannot be restored, any other inherits the wrong things, no snapshot is found by its ARN",
)
def _restores() -> None:
    @wrap(RDSBackend, "describe_db_cluster_snapshots")
    def describe(
        original: Function, self: Any, cluster: str | None, snapshot: str | None, *args: Any, **kwargs: Any
    ) -> Any:
        name = snapshot.rsplit(":cluster-snapshot:", maxsplit=1)[-1] if snapshot else snapshot
        return original(self, cluster, name, *args, **kwargs)

    @add(RDSResponse)
    def restore_db_cluster_from_snapshot(self: Any) -> ActionResult:
        snapshot = self.backend.describe_db_cluster_snapshots(None, self.params["SnapshotIdentifier"])[0]
        # The snapshot does not know the name of the first database.
        return ActionResult({"DBCluster": _restored(self.backend, snapshot.cluster, self.params, database_name=None)})

    @add(RDSResponse)
    def restore_db_cluster_to_point_in_time(self: Any) -> ActionResult:
        source = self.backend.describe_db_clusters(self.params["SourceDBClusterIdentifier"])[0]
        moment, latest = self.params.get("RestoreToTime"), self.params.get("UseLatestRestorableTime")
        if bool(moment) == bool(latest):
            raise InvalidParameterCombination("Specify either RestoreToTime or UseLatestRestorableTime.")
        if moment and not source.earliest_restorable_time <= moment.replace(tzinfo=None) <= utcnow():
            raise RDSClientError("InvalidRestoreFault", f"RestoreToTime {moment} is not within the retention period.")
        made = _restored(self.backend, source, self.params, database_name=source.database_name)
        return ActionResult({"DBCluster": made})


#: What the restoring calls take, by the name under which moto's clusters take it.
_RESTORED = {
    "DBSubnetGroupName": "db_subnet_group_name",
    "VpcSecurityGroupIds": "vpc_security_group_ids",
    "DBClusterParameterGroupName": "db_cluster_parameter_group_name",
    "Port": "port",
    "Tags": "tags",
    "DeletionProtection": "deletion_protection",
    "CopyTagsToSnapshot": "copy_tags_to_snapshot",
    "StorageType": "storage_type",
    "EnableCloudwatchLogsExports": "enable_cloudwatch_logs_exports",
    "EnableIAMDatabaseAuthentication": "enable_iam_database_authentication",
    "ServerlessV2ScalingConfiguration": "serverless_v2_scaling_configuration",
}


def _restored(backend: Any, source: Any, params: Any, database_name: str | None) -> Any:
    """Make a cluster of what another one, or a snapshot's copy of one, was. Its password is one that nobody manages."""
    key = params.get("KmsKeyId")
    given = {name: params.get(asked) for asked, name in _RESTORED.items() if params.get(asked) is not None}
    version = params.get("EngineVersion") or source.engine_version
    check_upgrade(source.engine_version, full_version(version), allowed=True)
    return backend.create_db_cluster(
        {
            "db_cluster_identifier": params["DBClusterIdentifier"],
            "engine": source.engine,
            "engine_version": version,
            "master_username": source.master_username,
            "master_user_password": secrets.token_urlsafe(24),
            "database_name": database_name,
            "backup_retention_period": source.backup_retention_period,
            "preferred_backup_window": source.preferred_backup_window,
            "preferred_maintenance_window": source.preferred_maintenance_window,
            "storage_encrypted": source.storage_encrypted or bool(key),
            "kms_key_id": key or source.kms_key_id,
            **given,
        }
    )
