# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ElastiCache: parameter groups, engine versions, and replication groups that keep what they were given."""

from __future__ import annotations

import re
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.elasticache.exceptions import (
    CacheSubnetGroupNotFound,
    ElastiCacheException,
    InvalidParameterCombinationException,
    InvalidParameterValueException,
)
from moto.elasticache.models import CacheSubnetGroup, ElastiCacheBackend, ReplicationGroup
from moto.elasticache.responses import ElastiCacheResponse

from ..catalog import CACHE_FAMILIES, CACHE_NODE_TYPES, CACHE_PARAMETERS, CACHE_VERSIONS, MEMCACHED_PARAMETERS
from . import extension
from .patching import Function, add, wrap


class CacheParameterGroup:
    """A named set of values for one family; ``values`` are those the user set."""

    def __init__(self, backend: Any, name: str, family: str, description: str) -> None:
        self.name, self.family, self.description = name, family, description
        self.values: dict[str, str] = {}
        self.arn = f"arn:aws:elasticache:{backend.region_name}:{backend.account_id}:parametergroup:{name}"

    @property
    def known(self) -> dict[str, Any]:
        """Return the parameters that the family has."""
        return MEMCACHED_PARAMETERS if self.family.startswith("memcached") else CACHE_PARAMETERS

    @property
    def is_default(self) -> bool:
        return self.name.startswith("default.")

    def described(self) -> dict[str, Any]:
        return {
            "CacheParameterGroupName": self.name,
            "CacheParameterGroupFamily": self.family,
            "Description": self.description,
            "IsGlobal": False,
            "ARN": self.arn,
        }

    def parameters(self, source: str | None) -> list[dict[str, Any]]:
        """Return the parameters in the API's shape; source ``user`` leaves those that were set."""
        found = []
        for name, parameter in self.known.items():
            origin = "user" if name in self.values else "system"
            if source in (None, origin):
                found.append(
                    {
                        "ParameterName": name,
                        "ParameterValue": self.values.get(name, parameter.default),
                        "Source": origin,
                        "DataType": "string",
                        "IsModifiable": True,
                        "MinimumEngineVersion": "6.0.0",
                        "ChangeType": "requires-reboot" if parameter.static else "immediate",
                    }
                )
        return found


def parameter_group(backend: Any, name: str) -> CacheParameterGroup:
    """Return a parameter group, or raise the API's error."""
    if name not in backend.cache_parameter_groups:
        raise ElastiCacheException("CacheParameterGroupNotFound", f"CacheParameterGroup {name} not found.")
    return backend.cache_parameter_groups[name]  # type: ignore[no-any-return]


@extension("elasticache-parameter-groups", "cache parameter groups do not exist, and have no tags")
def _parameter_groups() -> None:
    @wrap(ElastiCacheBackend, "__init__")
    def create_backend(original: Function, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.cache_parameter_groups = {
            f"default.{family}": CacheParameterGroup(
                self, f"default.{family}", family, f"Default parameter group for {family}"
            )
            for family in CACHE_FAMILIES
        }

        kinds = "cluster|parametergroup|replicationgroup|serverlesscache|snapshot|subnetgroup|user|usergroup"
        self.arn_regex = re.compile(rf"^arn:aws:elasticache:[a-z0-9-]+:\d+:({kinds}):\S+$")

    @add(ElastiCacheResponse)
    def create_cache_parameter_group(self: Any) -> ActionResult:
        backend, name = self.elasticache_backend, self._get_param("CacheParameterGroupName").lower()
        family = self._get_param("CacheParameterGroupFamily")
        if family not in CACHE_FAMILIES:
            raise InvalidParameterValueException(
                f"CacheParameterGroupFamily {family} is not a valid parameter group family."
            )
        if name in backend.cache_parameter_groups:
            raise ElastiCacheException(
                "CacheParameterGroupAlreadyExists", f"Cache parameter group {name} already exists."
            )
        group = CacheParameterGroup(backend, name, family, self._get_param("Description"))
        backend.cache_parameter_groups[name] = group
        if self._get_param("Tags"):
            backend.tagging_service.tag_resource(group.arn, self._get_param("Tags"))
        return ActionResult({"CacheParameterGroup": group.described()})

    @add(ElastiCacheResponse)
    def describe_cache_parameter_groups(self: Any) -> ActionResult:
        backend, name = self.elasticache_backend, self._get_param("CacheParameterGroupName")
        groups = [parameter_group(backend, name)] if name else backend.cache_parameter_groups.values()
        return ActionResult({"CacheParameterGroups": [group.described() for group in groups]})

    @add(ElastiCacheResponse)
    def describe_cache_parameters(self: Any) -> ActionResult:
        group = parameter_group(self.elasticache_backend, self._get_param("CacheParameterGroupName"))
        return ActionResult({"Parameters": group.parameters(self._get_param("Source"))})

    @add(ElastiCacheResponse)
    def modify_cache_parameter_group(self: Any) -> ActionResult:
        group = _changeable(self)
        wanted = self._get_param("ParameterNameValues") or []
        for item in wanted:
            if item["ParameterName"] not in group.known:
                raise InvalidParameterValueException(
                    f"The parameter {item['ParameterName']} cannot be modified or does not exist."
                )
        for item in wanted:
            group.values[item["ParameterName"]] = item["ParameterValue"]
        return ActionResult({"CacheParameterGroupName": group.name})

    @add(ElastiCacheResponse)
    def reset_cache_parameter_group(self: Any) -> ActionResult:
        group = _changeable(self)
        if self._get_bool_param("ResetAllParameters", False):
            group.values.clear()
        for item in self._get_param("ParameterNameValues") or []:
            group.values.pop(item["ParameterName"], None)
        return ActionResult({"CacheParameterGroupName": group.name})

    @add(ElastiCacheResponse)
    def delete_cache_parameter_group(self: Any) -> ActionResult:
        group, backend = _changeable(self), self.elasticache_backend
        if any(one.cache_parameter_group_name == group.name for one in backend.replication_groups.values()):
            raise ElastiCacheException(
                "InvalidCacheParameterGroupState", f"One or more cache clusters use {group.name}."
            )
        backend.cache_parameter_groups.pop(group.name)
        backend.tagging_service.delete_all_tags_for_resource(group.arn)
        return EmptyResult()


def _changeable(response: Any) -> CacheParameterGroup:
    group = parameter_group(response.elasticache_backend, response._get_param("CacheParameterGroupName"))
    if group.is_default:
        raise ElastiCacheException(
            "InvalidCacheParameterGroupState", f"The default group {group.name} cannot be changed."
        )
    return group


@extension("elasticache-subnet-groups", "subnet groups cannot be changed or deleted")
def _subnet_groups() -> None:
    @add(ElastiCacheResponse)
    def modify_cache_subnet_group(self: Any) -> ActionResult:
        backend, name = self.elasticache_backend, self._get_param("CacheSubnetGroupName")
        known = backend.describe_cache_subnet_groups(name)[0]
        description = self._get_param("CacheSubnetGroupDescription") or known.cache_subnet_group_description
        subnets = self._get_param("SubnetIds") or known.subnet_ids
        changed = CacheSubnetGroup(backend.account_id, backend.region_name, name, description, subnets, known.tags)
        backend.cache_subnet_groups[name] = changed
        return ActionResult({"CacheSubnetGroup": changed})

    @add(ElastiCacheResponse)
    def delete_cache_subnet_group(self: Any) -> ActionResult:
        backend, name = self.elasticache_backend, self._get_param("CacheSubnetGroupName")
        backend.describe_cache_subnet_groups(name)
        if any(group.cache_subnet_group_name == name for group in backend.replication_groups.values()):
            raise ElastiCacheException(
                "CacheSubnetGroupInUse", f"Cache subnet group {name} is currently in use by a cache cluster."
            )
        backend.tagging_service.delete_all_tags_for_resource(backend.cache_subnet_groups.pop(name).arn)
        return EmptyResult()


@extension("elasticache-engine-versions", "engine versions are not listed")
def _engine_versions() -> None:
    @add(ElastiCacheResponse)
    def describe_cache_engine_versions(self: Any) -> ActionResult:
        engine, version = self._get_param("Engine"), self._get_param("EngineVersion")
        family = self._get_param("CacheParameterGroupFamily")
        found = [
            {"Engine": name, "EngineVersion": asked, "CacheParameterGroupFamily": its_family,
             "CacheEngineDescription": name.capitalize(),
             "CacheEngineVersionDescription": f"{name.capitalize()} {asked}"}
            for name, versions in CACHE_VERSIONS.items()
            for asked, (described, its_family) in sorted(versions.items())
            if engine in (None, name) and version in (None, asked, described) and family in (None, its_family)
        ]  # fmt: skip
        return ActionResult({"CacheEngineVersions": found})


@extension(
    "elasticache-replication-groups",
    "created at once, the auth token and most settings are dropped, members are not described, unknown values accepted",
)
def _replication_groups() -> None:
    @wrap(ReplicationGroup, "__init__")
    def create(original: Function, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.auth_token = kwargs.get("auth_token")
        self.engine_version, self.family = _version(self.engine, self.engine_version)
        self.cache_parameter_group_name = self.cache_parameter_group_name or f"default.{self.family}"
        self.preferred_maintenance_window = self.preferred_maintenance_window or "sun:05:00-sun:06:00"
        self.snapshot_window = kwargs.get("snapshot_window") or "06:00-07:00"
        if self.cluster_mode != "enabled":
            node_group = self.node_groups[0]
            node_group["reader_endpoint"] = {"address": node_group["reader_endpoint_address"], "port": self.port}
            _resize(self, _nodes(kwargs), kwargs.get("preferred_cache_cluster_azs") or [])
        self.status = "creating"

    @wrap(ElastiCacheBackend, "create_replication_group")
    def checked(original: Function, self: Any, *args: Any, **kwargs: Any) -> Any:
        _check_group(self, kwargs)
        zones = _zones(self, kwargs)
        if zones and not kwargs.get("preferred_cache_cluster_azs"):
            kwargs["preferred_cache_cluster_azs"] = [zones[number % len(zones)] for number in range(_nodes(kwargs))]
        return original(self, *args, **kwargs)

    @add(ElastiCacheResponse)
    def modify_replication_group(self: Any) -> ActionResult:
        backend = self.elasticache_backend
        group = _available(backend, self._get_param("ReplicationGroupId"))
        _modify(backend, group, self._get_params())
        return ActionResult({"ReplicationGroup": group})

    @wrap(ElastiCacheResponse, "delete_replication_group")
    def final_snapshot(original: Function, self: Any) -> Any:
        name, snapshot = self._get_param("ReplicationGroupId"), self._get_param("FinalSnapshotIdentifier")
        if snapshot:
            self.elasticache_backend.create_snapshot(snapshot, name, None, None, [])
        return original(self)

    @wrap(ElastiCacheBackend, "delete_replication_group")
    def delete(original: Function, self: Any, replication_group_id: str, *args: Any, **kwargs: Any) -> Any:
        group = original(self, replication_group_id, *args, **kwargs)
        self.replication_groups.pop(replication_group_id)
        self.tagging_service.delete_all_tags_for_resource(group.arn)
        return group

    @wrap(ElastiCacheBackend, "describe_cache_clusters")
    def clusters(original: Function, self: Any, cache_cluster_id: str | None = None) -> Any:
        members = [member for group in self.replication_groups.values() for member in _members(self, group)]
        if cache_cluster_id:
            return [one for one in members if one["CacheClusterId"] == cache_cluster_id] or original(
                self, cache_cluster_id
            )
        return [*original(self), *members]


@extension("elasticache-replica-count", "replicas cannot be added or removed")
def _replica_count() -> None:
    def resize(self: Any) -> ActionResult:
        backend = self.elasticache_backend
        group = _available(backend, self._get_param("ReplicationGroupId"))
        count = 1 + int(self._get_param("NewReplicaCount"))
        if count < 2 and group.automatic_failover == "enabled":
            raise InvalidParameterCombinationException("Automatic failover needs at least one replica.")
        _resize(group, count, _zones(backend, vars(group)))
        group.status = "modifying"
        return ActionResult({"ReplicationGroup": group})

    for name in ("increase_replica_count", "decrease_replica_count"):
        setattr(ElastiCacheResponse, name, resize)


def _nodes(wanted: dict[str, Any]) -> int:
    """Return how many nodes a request for a group without shards means."""
    return int(wanted.get("num_cache_clusters") or 1 + int(wanted.get("replicas_per_node_group") or 0))


def _resize(group: Any, count: int, zones: list[str]) -> None:
    """Give a group without shards this many nodes over the zones; the first one is the primary."""
    node_group = group.node_groups[0]
    domain = node_group["primary_endpoint_address"].partition(".")[2]
    members = node_group["node_group_members"]
    del members[count:]
    for number in range(len(members), count):
        name = f"{group.replication_group_id}-{number + 1:03}"
        members.append(
            {
                "cache_cluster_id": name,
                "cache_node_id": "0001",
                "current_role": "replica" if members else "primary",
                "preferred_availability_zone": zones[number % len(zones)] if zones else None,
                "read_endpoint": {"address": f"{name}.{domain}", "port": group.port},
            }
        )
    group.member_clusters[:] = [member["cache_cluster_id"] for member in members]


def _version(engine: str, version: str | None) -> tuple[str, str]:
    """Return the described version and the family; the API's error for an unknown one."""
    versions = CACHE_VERSIONS.get(engine)
    if versions is None:
        raise InvalidParameterValueException(f"Engine {engine} is not valid for a replication group.")
    asked = version or list(versions)[-1]
    for short, (described, family) in versions.items():
        if asked in (short, described):
            return described, family
    raise InvalidParameterValueException(f"Specific version selection is not allowed for '{engine}' version {asked}.")


def _check_group(backend: Any, wanted: dict[str, Any]) -> None:
    _unused, family = _version(wanted.get("engine") or "redis", wanted.get("engine_version"))
    if wanted.get("cache_node_type") and wanted["cache_node_type"] not in CACHE_NODE_TYPES:
        raise InvalidParameterValueException(f"Invalid Cache Node Type: {wanted['cache_node_type']}.")
    if wanted.get("cache_parameter_group_name"):
        group = parameter_group(backend, wanted["cache_parameter_group_name"])
        if group.family != family:
            raise InvalidParameterCombinationException(
                f"Expected a parameter group of family {family} but found one of family {group.family}"
            )
    name = wanted.get("cache_subnet_group_name")
    if name and name not in backend.cache_subnet_groups:
        raise CacheSubnetGroupNotFound(name)
    if wanted.get("auth_token"):
        _check_token(wanted["auth_token"])
        if not wanted.get("transit_encryption_enabled"):
            raise InvalidParameterCombinationException("To use an auth token, transit encryption must be enabled.")
    if wanted.get("automatic_failover_enabled") and _nodes(wanted) < 2:
        raise InvalidParameterCombinationException("Automatic failover needs at least one replica.")
    if wanted.get("multi_az_enabled") and not wanted.get("automatic_failover_enabled"):
        raise InvalidParameterCombinationException("Multi-AZ needs automatic failover.")


def _check_token(token: str) -> None:
    if not (16 <= len(token) <= 128) or any(mark in token for mark in '/"@ ') or not token.isascii():
        raise InvalidParameterValueException(
            'The auth token must be 16 to 128 printable characters without /, ", @ and space.'
        )


def _zones(backend: Any, group: dict[str, Any]) -> list[str]:
    subnets = backend.cache_subnet_groups.get(group.get("cache_subnet_group_name"))
    return list(dict.fromkeys(subnet["subnet_availability_zone"] for subnet in subnets.subnets)) if subnets else []


def _available(backend: Any, name: str) -> Any:
    group = backend.describe_replication_groups(name)[0]
    if group.status != "available":
        raise ElastiCacheException(
            "InvalidReplicationGroupState", f"Replication group {name} is {group.status}, not available."
        )
    return group


def _modify(backend: Any, group: Any, wanted: dict[str, Any]) -> None:
    if wanted.get("CacheNodeType") and wanted["CacheNodeType"] not in CACHE_NODE_TYPES:
        raise InvalidParameterValueException(f"Invalid Cache Node Type: {wanted['CacheNodeType']}.")
    if wanted.get("EngineVersion") or wanted.get("Engine"):
        engine = wanted.get("Engine") or group.engine
        group.engine_version, group.family = _version(engine, wanted.get("EngineVersion"))
        group.engine = engine
    if wanted.get("CacheParameterGroupName"):
        parameter_group(backend, wanted["CacheParameterGroupName"])
    if wanted.get("AuthToken"):
        _check_token(wanted["AuthToken"])
        group.auth_token, group.auth_token_enabled = wanted["AuthToken"], True
    for key, attribute in {
        "ReplicationGroupDescription": "description",
        "CacheNodeType": "cache_node_type",
        "CacheParameterGroupName": "cache_parameter_group_name",
        "SecurityGroupIds": "security_group_ids",
        "SnapshotRetentionLimit": "snapshot_retention_limit",
        "SnapshotWindow": "snapshot_window",
        "PreferredMaintenanceWindow": "preferred_maintenance_window",
        "AutoMinorVersionUpgrade": "auto_minor_version_upgrade",
        "NotificationTopicArn": "notification_topic_arn",
        "TransitEncryptionMode": "transit_encryption_mode",
    }.items():
        if wanted.get(key) is not None:
            setattr(group, attribute, wanted[key])
    for key, attribute in {"AutomaticFailoverEnabled": "automatic_failover", "MultiAZEnabled": "multi_az"}.items():
        if wanted.get(key) is not None:
            setattr(group, attribute, "enabled" if wanted[key] in (True, "true") else "disabled")
    group.status = "modifying"


def _members(backend: Any, group: Any) -> list[dict[str, Any]]:
    """Return the nodes of a replication group as DescribeCacheClusters shows them."""
    nodes = [node for shard in group.node_groups for node in shard["node_group_members"]]
    return [
        {
            "CacheClusterId": node["cache_cluster_id"],
            "ReplicationGroupId": group.replication_group_id,
            "CacheClusterStatus": group.status,
            "CacheNodeType": group.cache_node_type,
            "Engine": group.engine,
            "EngineVersion": group.engine_version,
            "NumCacheNodes": 1,
            "PreferredAvailabilityZone": node.get("preferred_availability_zone"),
            "CacheClusterCreateTime": group.replication_group_create_time,
            "PreferredMaintenanceWindow": group.preferred_maintenance_window,
            "CacheParameterGroup": {
                "CacheParameterGroupName": group.cache_parameter_group_name,
                "ParameterApplyStatus": "in-sync",
                "CacheNodeIdsToReboot": [],
            },
            "CacheSubnetGroupName": group.cache_subnet_group_name,
            "SecurityGroups": [{"SecurityGroupId": one, "Status": "active"} for one in group.security_group_ids or []],
            "AutoMinorVersionUpgrade": group.auto_minor_version_upgrade is not False,
            "SnapshotRetentionLimit": group.snapshot_retention_limit,
            "SnapshotWindow": group.snapshot_window,
            "AuthTokenEnabled": group.auth_token_enabled,
            "TransitEncryptionEnabled": group.transit_encryption_enabled,
            "AtRestEncryptionEnabled": group.at_rest_encryption_enabled,
            "ARN": f"arn:aws:elasticache:{backend.region_name}:{backend.account_id}:cluster:{node['cache_cluster_id']}",
        }
        for node in nodes
    ]
