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
    DBSubnetGroupNotFoundError,
    InvalidParameterCombination,
    InvalidParameterValue,
    RDSClientError,
)
from moto.rds.models import DBCluster, DBClusterParameterGroup, DBInstanceClustered, MasterUserSecret, RDSBackend
from moto.rds.responses import RDSResponse

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
        if kwargs.get("availability_zone") is None:
            zones = sorted({subnet.availability_zone for subnet in group._subnets})
            used = Counter(member.availability_zone for member in self.cluster._members)
            self.availability_zone = min(zones, key=lambda zone: (used[zone], zone))


@extension("rds-master-password", "every master password that RDS manages is the same known word")
def _master_password() -> None:
    @wrap(MasterUserSecret, "_generate_secret_string")
    def generate(original: Function, self: Any) -> str:
        password = "".join(secrets.choice(string.ascii_letters + string.digits + "-_.!") for _unused in range(32))
        return json.dumps({**json.loads(original(self)), "password": password})


@extension("rds-subnet-groups", "a changed subnet group moves to the end of the list and an unknown one is a crash")
def _subnet_groups() -> None:
    @add(RDSBackend)
    def modify_db_subnet_group(self: Any, subnet_name: str, description: str | None, subnets: list[Any]) -> Any:
        group = self.subnet_groups.get(subnet_name)
        if group is None:
            raise DBSubnetGroupNotFoundError(subnet_name)
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
            kwargs["engine_version"] = _full_version(kwargs.get("engine_version"))
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
                kwargs["engine_version"] = _full_version(kwargs["engine_version"])
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


@extension("rds-cluster-parameters", "defaults are not described, any name is accepted, resetting does not exist")
def _parameters() -> None:
    @add(RDSResponse)
    def describe_db_cluster_parameters(self: Any) -> ActionResult:
        group = _parameter_group(self.backend, self.params.get("DBClusterParameterGroupName"))
        return ActionResult({"Parameters": _described(group, self.params.get("Source"))})

    @wrap(DBClusterParameterGroup, "update_cluster_parameters")
    def update(original: Function, self: Any, new_parameters: Any) -> None:
        known, wanted = DB_FAMILIES.get(self.db_parameter_group_family), list(new_parameters)
        for item in wanted:
            if known is not None and item["ParameterName"] not in known:
                raise InvalidParameterValue(f"Could not find parameter with name: {item['ParameterName']}")
            if known is not None and known[item["ParameterName"]].static and item.get("ApplyMethod") == "immediate":
                raise InvalidParameterCombination("cannot use immediate apply method for static parameter")
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


def _full_version(asked: str | None) -> str:
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


def _parameter_group(backend: Any, name: str) -> Any:
    return backend.describe_db_cluster_parameter_groups(name)[0]


def _described(group: Any, source: str | None) -> list[dict[str, Any]]:
    """Return a group's parameters in the API's shape; source ``user`` leaves those that were set."""
    found = []
    for name, parameter in DB_FAMILIES.get(group.db_parameter_group_family, {}).items():
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
