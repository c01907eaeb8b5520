# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Aurora's clusters and instances in the terms of the module aurora_cluster, names, versions and zones. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import _owned, _plan
from ._aws import tags_to_dict

#: Chosen for a new cluster where the caller said nothing; an existing one keeps what it has.
CREATION_DEFAULTS: dict[str, Any] = {
    "master_username": "admin",
    "backup_retention_days": 7,
    "deletion_protection": True,
    "storage_encrypted": True,
    "copy_tags_to_snapshot": True,
}
DEFAULT_FAMILY = "aurora-mysql8.0"
SERVERLESS = "db.serverless"

#: Our field -> (where DescribeDBClusters reports it, which argument sets it).
CLUSTER_FIELDS = {
    "engine_version": ("EngineVersion", "EngineVersion"),
    "security_group_ids": (None, "VpcSecurityGroupIds"),
    "parameter_group": ("DBClusterParameterGroup", "DBClusterParameterGroupName"),
    "database_name": ("DatabaseName", "DatabaseName"),
    "master_username": ("MasterUsername", "MasterUsername"),
    "managed_password": (None, "ManageMasterUserPassword"),
    "port": ("Port", "Port"),
    "backup_retention_days": ("BackupRetentionPeriod", "BackupRetentionPeriod"),
    "backup_window": ("PreferredBackupWindow", "PreferredBackupWindow"),
    "maintenance_window": ("PreferredMaintenanceWindow", "PreferredMaintenanceWindow"),
    "deletion_protection": ("DeletionProtection", "DeletionProtection"),
    "storage_encrypted": ("StorageEncrypted", "StorageEncrypted"),
    "kms_key_id": ("KmsKeyId", "KmsKeyId"),
    "storage_type": (None, "StorageType"),
    "copy_tags_to_snapshot": ("CopyTagsToSnapshot", "CopyTagsToSnapshot"),
    "iam_authentication": ("IAMDatabaseAuthenticationEnabled", "EnableIAMDatabaseAuthentication"),
}
#: What both restoring calls take; all else a restored cluster inherits, and is then changed like any other.
RESTORED_WITH = (
    "security_group_ids",
    "parameter_group",
    "port",
    "deletion_protection",
    "kms_key_id",
    "storage_type",
    "copy_tags_to_snapshot",
    "iam_authentication",
    "serverless",
)
#: What a cluster is born with: no later call takes it.
BORN_WITH = ("database_name", "master_username", "storage_encrypted", "kms_key_id", "tags", "restored_from")

#: Our field -> (where DescribeDBInstances reports it, which argument sets it).
INSTANCE_FIELDS = {
    "instance_class": ("DBInstanceClass", "DBInstanceClass"),
    "promotion_tier": ("PromotionTier", "PromotionTier"),
    "auto_minor_version_upgrade": ("AutoMinorVersionUpgrade", "AutoMinorVersionUpgrade"),
    "maintenance_window": ("PreferredMaintenanceWindow", "PreferredMaintenanceWindow"),
    "performance_insights": ("PerformanceInsightsEnabled", "EnablePerformanceInsights"),
    "performance_insights_retention_days": ("PerformanceInsightsRetentionPeriod", "PerformanceInsightsRetentionPeriod"),
    "monitoring_interval": ("MonitoringInterval", "MonitoringInterval"),
    "monitoring_role_arn": ("MonitoringRoleArn", "MonitoringRoleArn"),
    "parameter_group": (None, "DBParameterGroupName"),
    "availability_zone": ("AvailabilityZone", "AvailabilityZone"),
}
#: Our name of a capacity setting -> Aurora's.
CAPACITY = {
    "min_capacity": "MinCapacity",
    "max_capacity": "MaxCapacity",
    "pause_after_seconds": "SecondsUntilAutoPause",
}


# -- versions --------------------------------------------------------------------------------------------------------------


def major(version: str) -> str:
    """Return the MySQL release of an Aurora version: V(8.0) of C(8.0.mysql_aurora.3.10.0)."""
    return ".".join(version.split(".")[:2])


def family_of(version: str | None) -> str:
    """Return the parameter family of an engine version."""
    return f"aurora-mysql{major(version)}" if version else DEFAULT_FAMILY


def version_key(version: str) -> list[int]:
    """Return the numbers of a version, by which versions are compared."""
    return [int(part) for part in re.findall(r"[0-9]+", version)]


def newest(offered: Iterable[str], wanted: str) -> str | None:
    """Return the newest offered version that satisfies the wanted one, which AWS only takes whole; None if there is none."""
    return max((one for one in offered if _owned.same_version(one, wanted)), key=version_key, default=None)


# -- names and zones -------------------------------------------------------------------------------------------------------


def instance_number(cluster: str, name: str) -> int | None:
    """Return the number of an instance that is named as ours are; None for any other."""
    match = re.fullmatch(rf"{re.escape(cluster)}-([1-9][0-9]?)", name)
    return int(match.group(1)) if match else None


def instance_names(cluster: str, current: Mapping[str, Mapping[str, Any]], readers: int) -> list[str]:
    """Choose which instances a cluster keeps or gets: the writer stays, then the lowest numbers, then new ones."""
    wanted = readers + 1
    own = [name for name in current if instance_number(cluster, name)]
    own.sort(key=lambda name: instance_number(cluster, name) or 0)
    names = sorted(own, key=lambda name: not current[name].get("writer"))[:wanted]
    number = 1
    while len(names) < wanted:
        candidate = f"{cluster}-{number}"
        if candidate not in names:
            names.append(candidate)
        number += 1
    return names


def spread(zones: Sequence[str], current: Mapping[str, str | None], names: Iterable[str]) -> dict[str, str]:
    """Return a zone for each new name, each time the one that holds the fewest instances of those kept and placed so far."""
    names = list(names)
    used = Counter(current[name] for name in names if current.get(name))
    placed: dict[str, str] = {}
    for name in names:
        if name not in current:
            placed[name] = min(zones, key=lambda zone: (used[zone], zones.index(zone)))
            used[placed[name]] += 1
    return placed


def group_names(cluster: str) -> re.Pattern[str]:
    """Return the pattern of the names that our parameter groups have: the cluster's, after an upgrade with the family."""
    return re.compile(rf"{re.escape(cluster)}(-aurora-mysql[0-9]+-[0-9]+)?")


def group_name(cluster: str, attached: str | None, running: str | None, wanted_family: str) -> str:
    """Return the parameter group that fits a family: the attached one if it is ours and fits, else one of another name."""
    if running is not None and family_of(running) != wanted_family:
        return f"{cluster}-{wanted_family.replace('.', '-')}"
    return attached if attached and group_names(cluster).fullmatch(attached) else cluster


def snapshot_name(pattern: str | None, cluster: Mapping[str, Any]) -> str | None:
    """Return the final snapshot's name, with the cluster's time of creation in place of ``{created}``."""
    created = cluster.get("created")
    stamp = created.strftime("%Y%m%d%H%M%S") if created else "unknown"
    return pattern.replace("{created}", stamp).lower() if pattern else None


# -- descriptions ----------------------------------------------------------------------------------------------------------


def cluster_fields(cluster: Mapping[str, Any]) -> _plan.Fields:
    """Return a described cluster in this module's terms."""
    fields = {name: cluster.get(source) for name, (source, target) in CLUSTER_FIELDS.items() if source}
    secret = cluster.get("MasterUserSecret") or {}
    capacity = cluster.get("ServerlessV2ScalingConfiguration") or {}
    fields.update(
        engine_version=(cluster.get("PendingModifiedValues") or {}).get("EngineVersion")
        or cluster.get("EngineVersion"),
        security_group_ids=sorted(group["VpcSecurityGroupId"] for group in cluster.get("VpcSecurityGroups", [])),
        managed_password=bool(secret),
        storage_type=cluster.get("StorageType") or "aurora",
        log_exports=sorted(cluster.get("EnabledCloudwatchLogsExports", [])),
        serverless={name: capacity.get(source) for name, source in CAPACITY.items()} if capacity else None,
        tags=tags_to_dict(cluster.get("TagList")),
        arn=cluster.get("DBClusterArn"),
        endpoint=cluster.get("Endpoint"),
        reader_endpoint=cluster.get("ReaderEndpoint"),
        master_secret_arn=secret.get("SecretArn"),
        created=cluster.get("ClusterCreateTime"),
        status="creating" if secret.get("SecretStatus") == "creating" else cluster.get("Status"),
    )
    return fields


def instance_fields(instance: Mapping[str, Any], writer: bool) -> _plan.Fields:
    """Return a described instance in this module's terms."""
    pending = instance.get("PendingModifiedValues") or {}
    fields = {name: instance.get(source) for name, (source, target) in INSTANCE_FIELDS.items() if source}
    groups = [one.get("DBParameterGroupName") for one in instance.get("DBParameterGroups") or []]
    fields.update(
        instance_class=pending.get("DBInstanceClass") or instance.get("DBInstanceClass"),
        performance_insights=bool(instance.get("PerformanceInsightsEnabled")),
        monitoring_interval=instance.get("MonitoringInterval") or 0,
        parameter_group=groups[0] if groups else None,
        tags=tags_to_dict(instance.get("TagList")),
        arn=instance.get("DBInstanceArn"),
        status=instance.get("DBInstanceStatus"),
        pending="DBInstanceClass" in pending,
        writer=writer,
    )
    return fields


# -- wishes ----------------------------------------------------------------------------------------------------------------


def merged_capacity(current: Mapping[str, Any] | None, wanted: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the capacity a cluster should end with; None leaves it alone.

    A pause that is not given stays what it is, and there is none above a least capacity of 0.
    """
    if wanted is None:
        return None
    merged = {name: wanted.get(name) for name in CAPACITY}
    if merged["min_capacity"]:
        merged["pause_after_seconds"] = None
    elif merged["pause_after_seconds"] is None:
        merged["pause_after_seconds"] = (current or {}).get("pause_after_seconds") or 300
    return merged


def same_key(current: str | None, wanted: str | None) -> str | None:
    """Return what to compare a KMS key with: the running one where the wanted id or alias may mean it."""
    if not current or not wanted or wanted.startswith("alias/") or ":alias/" in wanted:
        return current if wanted else None
    return current if current.rsplit("/", 1)[-1] == wanted.rsplit("/", 1)[-1] else wanted


def cluster_arguments(fields: _plan.Fields) -> dict[str, Any]:
    """Return the arguments of the calls that create, restore or modify a cluster which set these fields."""
    arguments = {target: fields[name] for name, (source, target) in CLUSTER_FIELDS.items() if name in fields}
    capacity = fields.get("serverless")
    if capacity:
        arguments["ServerlessV2ScalingConfiguration"] = {
            target: capacity[name] for name, target in CAPACITY.items() if capacity.get(name) is not None
        }
    return arguments


def instance_arguments(fields: _plan.Fields) -> dict[str, Any]:
    """Return the arguments of CreateDBInstance or ModifyDBInstance that set these fields."""
    arguments = {target: fields[name] for name, (source, target) in INSTANCE_FIELDS.items() if name in fields}
    if "PerformanceInsightsRetentionPeriod" in arguments:
        arguments["EnablePerformanceInsights"] = True  # AWS takes the one only together with the other
    return arguments
