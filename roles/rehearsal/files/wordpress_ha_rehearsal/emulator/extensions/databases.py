# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RDS: Aurora MySQL clusters, their parameter groups, versions and classes."""

from __future__ import annotations

import json
import secrets
import string
from collections import Counter
from typing import Any

from moto.core.responses import ActionResult
from moto.rds.exceptions import (
    DBClusterParameterGroupNotFoundError,
    DBClusterSnapshotAlreadyExistsError,
    DBParameterGroupNotFoundError,
    DBSubnetGroupNotFoundError,
    InvalidParameterCombination,
    InvalidParameterValue,
    RDSClientError,
)
from moto.rds.models import (
    DBCluster,
    DBClusterParameterGroup,
    DBInstanceClustered,
    DBParameterGroup,
    MasterUserSecret,
    RDSBackend,
)
from moto.rds.responses import RDSResponse
from moto.rds.utils import valid_preferred_maintenance_window

from ..catalog import AURORA_MYSQL_DEFAULT, AURORA_MYSQL_VERSIONS, DB_CLASSES, DB_FAMILIES
from . import extension
from .patching import Function, add, wrap

ENGINE = "aurora-mysql"


@extension(
    "rds-cluster-states", "clusters and their instances are available at once; describing a cluster changes its state"
)
def _states() -> None:
    def status(self: Any) -> str:
        return str(self._status)

    def set_status(self: Any, value: str) -> None:
        self._status = value

    DBCluster.status = property(status, set_status)  # type: ignore[assignment,misc]

    @wrap(DBInstanceClustered, "__init__")
    def create(original: Function, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.status = "creating"

    @wrap(RDSBackend, "modify_db_cluster")
    def modify(original: Function, self: Any, kwargs: dict[str, Any]) -> Any:
        cluster = _cluster(self, kwargs["db_cluster_identifier"])
        if cluster._status != "available":
            raise RDSClientError(
                "InvalidDBClusterStateFault", f"DB cluster {cluster.resource_id} is {cluster._status}, not available."
            )
        return original(self, kwargs)


@extension("rds-zones", "all instances of a cluster are in the first zone, and without the cluster's subnet group")
def _zones() -> None:
    @wrap(DBInstanceClustered, "__init__")
    def create(original: Function, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        group = self.backend.subnet_groups.get(self.cluster.db_subnet_group_name)
        if group is None:
            return
        self.db_subnet_group = group
        zones = sorted({subnet.availability_zone for subnet in group._subnets})
        if kwargs.get("availability_zone") not in (None, *zones):
            raise InvalidParameterValue(
                f"The requested DB Instance class and Availability Zone are not in the subnet group {group.name}: "
                f"{kwargs['availability_zone']}"
            )
        if kwargs.get("availability_zone") is None:
            used = Counter(member.availability_zone for member in self.cluster._members)
            self.availability_zone = min(zones, key=lambda zone: (used[zone], zone))


@extension("rds-master-password", "every master password that RDS manages is the same known word")
def _master_password() -> None:
    @wrap(MasterUserSecret, "_generate_secret_string")
    def generate(original: Function, self: Any) -> str:
        password = "".join(secrets.choice(string.ascii_letters + string.digits + "-_.!") for _unused in range(32))
        return json.dumps({**json.loads(original(self)), "password": password})


@extension(
    "rds-subnet-groups",
    "a changed subnet group moves to the end of the list, an unknown one is a crash, one zone is enough",
)
def _subnet_groups() -> None:
    def check(subnets: list[Any]) -> None:
        if len({subnet.availability_zone for subnet in subnets}) < 2:
            raise RDSClientError(
                "DBSubnetGroupDoesNotCoverEnoughAZs",
                "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. "
                "Current AZ coverage: 1. Add subnets to cover at least 2 AZs.",
            )

    @wrap(RDSBackend, "create_subnet_group")
    def create(original: Function, self: Any, *args: Any, **kwargs: Any) -> Any:
        check(kwargs["subnets"] if "subnets" in kwargs else args[2])
        return original(self, *args, **kwargs)

    @add(RDSBackend)
    def modify_db_subnet_group(self: Any, subnet_name: str, description: str | None, subnets: list[Any]) -> Any:
        group = self.subnet_groups.get(subnet_name)
        if group is None:
            raise DBSubnetGroupNotFoundError(subnet_name)
        check(subnets)
        group.subnets = subnets
        if description is not None:
            group.description = description
        return group

    @wrap(RDSBackend, "delete_subnet_group")
    def delete(original: Function, self: Any, subnet_name: str) -> Any:
        if any(cluster.db_subnet_group_name == subnet_name for cluster in self.clusters.values()):
            raise RDSClientError(
                "InvalidDBSubnetGroupStateFault",
                f"Cannot delete the subnet group '{subnet_name}' because a cluster uses it.",
            )
        return original(self, subnet_name)


@extension(
    "rds-create-checks",
    "any engine version, class and parameter group is accepted; 8.0 is no version; defaults are of 5.6",
)
def _checks() -> None:
    @wrap(RDSBackend, "create_db_cluster")
    def create_cluster(original: Function, self: Any, kwargs: dict[str, Any]) -> Any:
        if kwargs["db_cluster_identifier"] in self.clusters:
            raise RDSClientError(
                "DBClusterAlreadyExistsFault", f"DB Cluster already exists: {kwargs['db_cluster_identifier']}"
            )
        if kwargs.get("engine") == ENGINE:
            kwargs["engine_version"] = full_version(kwargs.get("engine_version"))
            family = AURORA_MYSQL_VERSIONS[kwargs["engine_version"]]
            kwargs["db_cluster_parameter_group_name"] = (
                kwargs.get("db_cluster_parameter_group_name") or f"default.{family}"
            )
            _check_parameter_group(self, kwargs["db_cluster_parameter_group_name"], family)
        name = kwargs.get("db_subnet_group_name")
        if name and name not in self.subnet_groups:
            raise DBSubnetGroupNotFoundError(name)
        return original(self, kwargs)

    @wrap(RDSBackend, "modify_db_cluster")
    def modify_cluster(original: Function, self: Any, kwargs: dict[str, Any]) -> Any:
        cluster = _cluster(self, kwargs["db_cluster_identifier"])
        if cluster.engine == ENGINE:
            if kwargs.get("engine_version"):
                kwargs["engine_version"] = full_version(kwargs["engine_version"])
            version = kwargs.get("engine_version") or cluster.engine_version
            if kwargs.get("db_cluster_parameter_group_name"):
                _check_parameter_group(self, kwargs["db_cluster_parameter_group_name"], AURORA_MYSQL_VERSIONS[version])
        return original(self, kwargs)

    @wrap(RDSBackend, "create_db_instance")
    def create_instance(original: Function, self: Any, db_kwargs: dict[str, Any]) -> Any:
        if db_kwargs.get("engine") == ENGINE:
            _check_class(db_kwargs.get("db_instance_class"))
        return original(self, db_kwargs)

    @wrap(RDSBackend, "modify_db_instance")
    def modify_instance(original: Function, self: Any, db_instance_identifier: str, db_kwargs: dict[str, Any]) -> Any:
        if self.describe_db_instances(db_instance_identifier)[0].engine == ENGINE and db_kwargs.get(
            "db_instance_class"
        ):
            _check_class(db_kwargs["db_instance_class"])
        return original(self, db_instance_identifier, db_kwargs)


@extension(
    "rds-cluster-changes",
    "log exports and IAM authentication are not changed, Aurora's storage types crash, any retention, window and upgrade is taken",
)
def _changes() -> None:
    @wrap(DBCluster, "__init__")
    def create(original: Function, self: Any, *args: Any, **kwargs: Any) -> None:
        given = kwargs.get("storage_type")
        aurora = str(kwargs.get("engine", "")).startswith("aurora")
        kwargs = _windows(kwargs) if aurora else kwargs
        original(self, *args, **({**kwargs, "storage_type": None} if aurora else kwargs))
        if aurora:
            self.storage_type = given or "aurora"
            _check_settings(self)

    @wrap(RDSBackend, "modify_db_cluster")
    def modify(original: Function, self: Any, kwargs: dict[str, Any]) -> Any:
        cluster = _cluster(self, kwargs["db_cluster_identifier"])
        if cluster.engine != ENGINE:
            return original(self, kwargs)
        before, version = cluster.engine_version, kwargs.get("engine_version")
        if version:
            check_upgrade(before, version, bool(kwargs.get("allow_major_version_upgrade")))
        _check_settings(cluster, kwargs)
        if kwargs.get("manage_master_user_password") and cluster.manage_master_user_password:
            kwargs.pop("manage_master_user_password")  # it is, and its secret stays
        answer = original(self, kwargs)
        if kwargs.get("enable_iam_database_authentication") is not None:
            cluster.iam_auth = kwargs["enable_iam_database_authentication"]
        exports = kwargs.get("cloudwatch_logs_export_configuration") or {}
        kept = set(cluster.enabled_cloudwatch_logs_exports) - set(exports.get("DisableLogTypes") or [])
        cluster.enabled_cloudwatch_logs_exports = sorted(kept | set(exports.get("EnableLogTypes") or []))
        _complete_capacity(cluster)
        if version and _major(version) != _major(before):
            family = AURORA_MYSQL_VERSIONS[version]
            group = kwargs.get("db_instance_parameter_group_name") or f"default.{family}"
            for member in cluster._members:
                member.db_parameter_group_name = group
        return answer

    @wrap(DBInstanceClustered, "__init__")
    def create_instance(original: Function, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.performance_insights_enabled = bool(kwargs.get("enable_performance_insights"))
        self.performance_insights_retention_period = kwargs.get("performance_insights_retention_period")
        if self.performance_insights_enabled and not self.performance_insights_retention_period:
            self.performance_insights_retention_period = 7
        if not 0 <= int(self.promotion_tier) <= 15:
            raise InvalidParameterValue(f"Invalid promotion tier {self.promotion_tier}. Must be from 0 to 15.")
        if len(self.cluster._members) >= 16:
            raise RDSClientError("InstanceQuotaExceeded", "A DB cluster has at most 15 Aurora Replicas.")
        if self.engine == ENGINE and self.db_instance_class == "db.serverless":
            _check_serverless(self.cluster)

    @wrap(RDSBackend, "modify_db_instance")
    def modify_instance(original: Function, self: Any, db_instance_identifier: str, db_kwargs: dict[str, Any]) -> Any:
        instance = self.describe_db_instances(db_instance_identifier)[0]
        if isinstance(instance, DBInstanceClustered) and db_kwargs.get("db_instance_class") == "db.serverless":
            _check_serverless(instance.cluster)
        answer = original(self, db_instance_identifier, db_kwargs)
        if db_kwargs.get("enable_performance_insights") is not None:
            instance.performance_insights_enabled = bool(db_kwargs["enable_performance_insights"])
        return answer


@extension(
    "rds-final-snapshots",
    "a cluster goes without a final snapshot or a waiver, its automated snapshots stay, a name in use costs the secret",
)
def _final_snapshots() -> None:
    @wrap(RDSResponse, "delete_db_cluster")
    def respond(original: Function, self: Any) -> Any:
        if not self.params.get("SkipFinalSnapshot") and not self.params.get("FinalDBSnapshotIdentifier"):
            raise InvalidParameterCombination(
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
            )
        return original(self)

    @wrap(RDSBackend, "delete_db_cluster")
    def delete(original: Function, self: Any, cluster_identifier: str, snapshot_name: str | None = None) -> Any:
        if snapshot_name and snapshot_name in self.cluster_snapshots:
            raise DBClusterSnapshotAlreadyExistsError(snapshot_name)
        cluster = original(self, cluster_identifier, snapshot_name)
        for name, snapshot in list(self.cluster_snapshots.items()):
            if snapshot.snapshot_type == "automated" and snapshot.cluster.db_cluster_identifier == cluster_identifier:
                del self.cluster_snapshots[name]
        return cluster


@extension(
    "rds-instance-parameters", "defaults are not described, any name is accepted, a group in use can go, 5.6's is made"
)
def _instance_parameters() -> None:
    @add(RDSResponse)
    def describe_db_parameters(self: Any) -> ActionResult:
        name = self.params.get("DBParameterGroupName")
        group = self.backend.db_parameter_groups.get(name)
        if group is None:
            raise DBParameterGroupNotFoundError(name)
        return ActionResult({"Parameters": _described(group, self.params.get("Source"))})

    @wrap(DBParameterGroup, "update_parameters")
    def update(original: Function, self: Any, new_parameters: Any) -> None:
        wanted = list(new_parameters)
        _check_parameters(self.family, wanted)
        original(self, wanted)

    @wrap(RDSBackend, "delete_db_parameter_group")
    def delete(original: Function, self: Any, db_parameter_group_name: str) -> Any:
        if any(one.db_parameter_group_name == db_parameter_group_name for one in self.databases.values()):
            raise RDSClientError(
                "InvalidDBParameterGroupState", f"One or more database instances use {db_parameter_group_name}."
            )
        return original(self, db_parameter_group_name)

    @wrap(DBInstanceClustered, "db_parameter_groups")
    def groups(original: Function, self: Any) -> list[Any]:
        name = self.db_parameter_group_name
        if self.engine != ENGINE or (name and not name.startswith("default.")):
            return list(original(self))
        family = AURORA_MYSQL_VERSIONS.get(self.engine_version, "aurora-mysql8.0")
        make: Any = DBParameterGroup
        return [make(self.backend, f"default.{family}", f"Default parameter group for {family}", family)]


@extension("rds-cluster-parameters", "defaults are not described, any name is accepted, resetting does not exist")
def _parameters() -> None:
    @add(RDSResponse)
    def describe_db_cluster_parameters(self: Any) -> ActionResult:
        group = _parameter_group(self.backend, self.params.get("DBClusterParameterGroupName"))
        return ActionResult({"Parameters": _described(group, self.params.get("Source"))})

    @wrap(DBClusterParameterGroup, "update_cluster_parameters")
    def update(original: Function, self: Any, new_parameters: Any) -> None:
        wanted = list(new_parameters)
        _check_parameters(self.db_parameter_group_family, wanted)
        original(self, wanted)

    @wrap(RDSBackend, "create_db_cluster_parameter_group")
    def create(original: Function, self: Any, *args: Any, **kwargs: Any) -> Any:
        family = kwargs.get("db_parameter_group_family")
        if family and family.startswith("aurora-mysql") and family not in DB_FAMILIES:
            raise InvalidParameterValue(f"ParameterGroupFamily {family} is not a valid parameter group family")
        return original(self, *args, **kwargs)

    @wrap(RDSBackend, "delete_db_cluster_parameter_group")
    def delete(original: Function, self: Any, db_cluster_parameter_group_name: str) -> None:
        if any(cluster.parameter_group == db_cluster_parameter_group_name for cluster in self.clusters.values()):
            raise RDSClientError(
                "InvalidDBParameterGroupState", f"One or more DB clusters use {db_cluster_parameter_group_name}."
            )
        original(self, db_cluster_parameter_group_name)

    @add(RDSResponse)
    def reset_db_cluster_parameter_group(self: Any) -> ActionResult:
        group = _parameter_group(self.backend, self.params.get("DBClusterParameterGroupName"))
        if self.params.get("ResetAllParameters"):
            group.parameters.clear()
        for item in self.params.get("Parameters") or []:
            group.parameters.pop(item["ParameterName"], None)
        return ActionResult({"DBClusterParameterGroupName": group.name})


@extension("rds-engine-versions", "engine versions are not listed, nor the classes that Aurora MySQL runs on")
def _offers() -> None:
    @add(RDSResponse)
    def describe_db_engine_versions(self: Any) -> ActionResult:
        wanted, family = self.params.get("EngineVersion"), self.params.get("DBParameterGroupFamily")
        offered = AURORA_MYSQL_VERSIONS if self.params.get("Engine") in (None, ENGINE) else {}
        if self.params.get("DefaultOnly"):
            offered = {AURORA_MYSQL_DEFAULT: AURORA_MYSQL_VERSIONS[AURORA_MYSQL_DEFAULT]} if offered else {}
        found = [
            {"Engine": ENGINE, "EngineVersion": version, "DBParameterGroupFamily": its_family, "Status": "available",
             "DBEngineDescription": "Aurora MySQL", "DBEngineVersionDescription": f"Aurora MySQL {version}",
             "SupportedEngineModes": ["provisioned"]}
            for version, its_family in offered.items()
            if _is_version(version, wanted) and family in (None, its_family)
        ]  # fmt: skip
        return ActionResult({"DBEngineVersions": found})

    @wrap(RDSResponse, "describe_orderable_db_instance_options")
    def orderable(original: Function, self: Any) -> Any:
        if self.params.get("Engine") != ENGINE:
            return original(self)
        wanted, version = self.params.get("DBInstanceClass"), self.params.get("EngineVersion")
        classes = [name for name in sorted(DB_CLASSES) if wanted in (None, name)]
        versions = [name for name in AURORA_MYSQL_VERSIONS if _is_version(name, version)]
        zones = [{"Name": f"{self.region}{letter}"} for letter in "abc"]
        found = [
            {"Engine": ENGINE, "EngineVersion": number, "DBInstanceClass": name,
             "LicenseModel": "general-public-license", "AvailabilityZones": zones,
             "Vpc": True, "StorageType": "aurora", "SupportsStorageEncryption": True,
             "SupportedEngineModes": ["provisioned"]}
            for name in classes
            for number in versions
        ]  # fmt: skip
        return ActionResult({"OrderableDBInstanceOptions": found})


def _cluster(backend: Any, name: str) -> Any:
    """Return a cluster, or raise the API's error; moto's own functions crash on an unknown one."""
    return backend.describe_db_clusters(name)[0]


def _is_version(full: str, asked: str | None) -> bool:
    """Tell whether a full version is the one asked for, whole or without its last parts."""
    return asked is None or full == asked or full.startswith(f"{asked}.")


def full_version(asked: str | None) -> str:
    if asked is None:
        return AURORA_MYSQL_DEFAULT
    if asked in AURORA_MYSQL_VERSIONS:
        return asked
    if asked == "8.0":
        return AURORA_MYSQL_DEFAULT
    raise InvalidParameterCombination(f"Cannot find version {asked} for {ENGINE}")


def _check_parameter_group(backend: Any, name: str, family: str) -> None:
    group = backend.db_cluster_parameter_groups.get(name)
    if group is None and not name.startswith("default."):
        raise DBClusterParameterGroupNotFoundError(name)
    if group is not None and group.db_parameter_group_family != family:
        raise InvalidParameterCombination(
            f"The parameter group {name} with DBParameterGroupFamily {group.db_parameter_group_family} "
            f"cannot be used: the engine needs {family}"
        )


def _check_class(name: str | None) -> None:
    if name not in DB_CLASSES:
        raise InvalidParameterValue(f"Invalid DB Instance class: {name}")


def _check_parameters(family: str | None, wanted: list[dict[str, Any]]) -> None:
    known = DB_FAMILIES.get(family or "")
    for item in wanted if known is not None else ():
        if item["ParameterName"] not in known:  # type: ignore[operator]
            raise InvalidParameterValue(f"Could not find parameter with name: {item['ParameterName']}")
        if known[item["ParameterName"]].static and item.get("ApplyMethod") == "immediate":  # type: ignore[index]
            raise InvalidParameterCombination("cannot use immediate apply method for static parameter")


def _check_settings(cluster: Any, changed: dict[str, Any] | None = None) -> None:
    """Refuse a retention, windows and a capacity that AWS refuses, on a new cluster or one that is to be changed."""
    new = {**vars(cluster), **{name: value for name, value in (changed or {}).items() if value is not None}}
    days = int(new["backup_retention_period"] or 1)
    if not 1 <= days <= 35:
        raise InvalidParameterValue(f"Invalid backup retention period {days}. Must be between 1 and 35.")
    message = valid_preferred_maintenance_window(
        str(new["preferred_maintenance_window"]).lower(), new["preferred_backup_window"]
    )
    if message:
        raise InvalidParameterValue(message)
    capacity = new.get("serverless_v2_scaling_configuration")
    if capacity:
        least, most = float(capacity.get("MinCapacity") or 0), float(capacity.get("MaxCapacity") or 0)
        if not 0 <= least <= most <= 256 or most < 1:
            raise InvalidParameterValue(f"Serverless v2 maximum capacity {most} isn't valid.")
        if least and capacity.get("SecondsUntilAutoPause") is not None:
            raise InvalidParameterCombination("SecondsUntilAutoPause needs a minimum capacity of 0.")
    if changed is None:
        _complete_capacity(cluster)


def _windows(given: dict[str, Any]) -> dict[str, Any]:
    """Add the window that was not given, half a day away from the one that was."""
    backup, maintenance = given.get("preferred_backup_window"), given.get("preferred_maintenance_window")
    if bool(backup) == bool(maintenance):
        return given
    if backup:
        hour = (int(backup[:2]) + 12) % 24
        return {**given, "preferred_maintenance_window": f"wed:{hour:02}:10-wed:{hour:02}:40"}
    hour = (int(str(maintenance)[4:6]) + 12) % 24
    return {**given, "preferred_backup_window": f"{hour:02}:10-{hour:02}:40"}


def _complete_capacity(cluster: Any) -> None:
    """A cluster that may pause does so after five minutes unless told otherwise."""
    capacity = cluster.serverless_v2_scaling_configuration
    if capacity:
        pause = capacity.get("SecondsUntilAutoPause")
        known = {"MinCapacity": float(capacity.get("MinCapacity") or 0), "MaxCapacity": float(capacity["MaxCapacity"])}
        if not known["MinCapacity"]:
            known["SecondsUntilAutoPause"] = int(pause or 300)
        cluster.serverless_v2_scaling_configuration = known


def _check_serverless(cluster: Any) -> None:
    if not cluster.serverless_v2_scaling_configuration:
        raise InvalidParameterCombination(
            "Set the Serverless v2 scaling configuration on the parent DB cluster before creating a Serverless v2 DB instance."
        )


def _major(version: str) -> str:
    return ".".join(version.split(".")[:2])


def check_upgrade(before: str, after: str, allowed: bool) -> None:
    versions = list(AURORA_MYSQL_VERSIONS)
    if versions.index(after) < versions.index(before):
        raise InvalidParameterCombination(f"Cannot upgrade {ENGINE} from {before} to {after}")
    if _major(before) != _major(after) and not allowed:
        raise InvalidParameterCombination(
            "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version."
        )


def _parameter_group(backend: Any, name: str) -> Any:
    return backend.describe_db_cluster_parameter_groups(name)[0]


def _described(group: Any, source: str | None) -> list[dict[str, Any]]:
    """Return a group's parameters in the API's shape; source ``user`` leaves those that were set."""
    found = []
    family = getattr(group, "db_parameter_group_family", None) or group.family
    for name, parameter in DB_FAMILIES.get(family, {}).items():
        own = group.parameters.get(name) or {}
        origin = "user" if own else "engine-default" if parameter.default is None else "system"
        if source not in (None, origin):
            continue
        value = own.get("ParameterValue", parameter.default)
        shape = {
            "ParameterName": name,
            "Source": origin,
            "ApplyType": "static" if parameter.static else "dynamic",
            "ApplyMethod": own.get("ApplyMethod", "pending-reboot"),
            "DataType": "string",
            "IsModifiable": True,
        }
        found.append(shape if value is None else {**shape, "ParameterValue": value})
    return found
