# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ElastiCache for Memcached: clusters with nodes, zones and a configuration endpoint, available from the second look on."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.elasticache.exceptions import (
    CacheClusterAlreadyExists,
    CacheSubnetGroupNotFound,
    ElastiCacheException,
    InvalidParameterCombinationException,
    InvalidParameterValueException,
)
from moto.elasticache.models import ElastiCacheBackend
from moto.elasticache.responses import ElastiCacheResponse

from ..catalog import CACHE_NODE_TYPES, MEMCACHED_VERSIONS
from . import extension
from .cache import parameter_group
from .patching import Function, add, wrap

_KEPT = {
    "CacheNodeType": "CacheNodeType",
    "CacheSubnetGroupName": "CacheSubnetGroupName",
    "PreferredMaintenanceWindow": "PreferredMaintenanceWindow",
    "AutoMinorVersionUpgrade": "AutoMinorVersionUpgrade",
    "TransitEncryptionEnabled": "TransitEncryptionEnabled",
}


class MemcachedCluster:
    """One cluster; ``nodes`` are its nodes' zones by number."""

    def __init__(self, backend: Any, wanted: dict[str, Any]) -> None:
        self.backend, self.name = backend, wanted["CacheClusterId"].lower()
        self.arn = f"arn:aws:elasticache:{backend.region_name}:{backend.account_id}:cluster:{self.name}"
        self.port, self.created = int(wanted.get("Port") or 11211), utcnow()
        self.version, family = _version(wanted.get("EngineVersion"))
        self.parameter_group = f"default.{family}"
        self.security_groups: list[str] = []
        self.kept: dict[str, Any] = {
            "PreferredMaintenanceWindow": "sun:05:00-sun:06:00",
            "AutoMinorVersionUpgrade": True,
            "TransitEncryptionEnabled": False,
        }
        self.nodes: dict[str, str] = {}
        self.add_nodes(int(wanted["NumCacheNodes"]), wanted.get("PreferredAvailabilityZones") or [])
        self.keep(wanted)
        self.status = "creating"

    def add_nodes(self, count: int, zones: list[str]) -> None:
        numbers = [f"{number:04}" for number in range(1, 61) if f"{number:04}" not in self.nodes][:count]
        self.nodes.update({number: zones[place] if zones else "" for place, number in enumerate(numbers)})

    def keep(self, wanted: dict[str, Any]) -> None:
        self.kept.update({key: wanted[key] for key in _KEPT if wanted.get(key) is not None})
        if wanted.get("CacheParameterGroupName"):
            self.parameter_group = parameter_group(self.backend, wanted["CacheParameterGroupName"]).name
        if wanted.get("SecurityGroupIds"):
            self.security_groups = wanted["SecurityGroupIds"]
        if wanted.get("EngineVersion"):
            self.version, _unused = _version(wanted["EngineVersion"])

    def described(self, look: bool = False, nodes: bool = False) -> dict[str, Any]:
        status, self.status = self.status, "available" if look else self.status
        host = f"{self.name}.a1b2c3.cfg.use1.cache.amazonaws.com"
        listed = [
            {
                "CacheNodeId": number,
                "CacheNodeStatus": "available",
                "CustomerAvailabilityZone": zone,
                "Endpoint": {"Address": host.replace(".cfg.", f".{number}."), "Port": self.port},
            }
            for number, zone in sorted(self.nodes.items())
        ]
        return {
            "CacheClusterId": self.name,
            "CacheClusterStatus": status,
            "CacheClusterCreateTime": self.created,
            "Engine": "memcached",
            "EngineVersion": self.version,
            "NumCacheNodes": len(self.nodes),
            "PreferredAvailabilityZone": "Multiple" if len(self.nodes) > 1 else "",
            "CacheParameterGroup": {"CacheParameterGroupName": self.parameter_group, "CacheNodeIdsToReboot": []},
            "SecurityGroups": [{"SecurityGroupId": one, "Status": "active"} for one in self.security_groups],
            "ARN": self.arn,
            **({} if status == "creating" else {"ConfigurationEndpoint": {"Address": host, "Port": self.port}}),
            **({"CacheNodes": listed} if nodes else {}),
            **self.kept,
        }


def _version(version: str | None) -> tuple[str, str]:
    wanted = version or list(MEMCACHED_VERSIONS)[-1]
    if wanted not in MEMCACHED_VERSIONS:
        raise InvalidParameterValueException(f"Cannot find version {wanted} for memcached")
    return wanted, MEMCACHED_VERSIONS[wanted]


def _check(backend: Any, wanted: dict[str, Any]) -> None:
    if wanted.get("CacheNodeType") and wanted["CacheNodeType"] not in CACHE_NODE_TYPES:
        raise InvalidParameterValueException(f"Invalid Cache Node Type: {wanted['CacheNodeType']}.")
    subnets = wanted.get("CacheSubnetGroupName")
    if subnets and subnets not in backend.cache_subnet_groups:
        raise CacheSubnetGroupNotFound(subnets)
    zones = wanted.get("PreferredAvailabilityZones") or []
    if zones and len(zones) != int(wanted["NumCacheNodes"]):
        raise InvalidParameterCombinationException("Give one preferred availability zone for each node.")
    if wanted.get("AZMode") == "cross-az" and int(wanted["NumCacheNodes"]) < 2:
        raise InvalidParameterCombinationException("cross-az needs more than one node.")


def _modify(cluster: MemcachedCluster, wanted: dict[str, Any]) -> None:
    count, gone = int(wanted.get("NumCacheNodes") or len(cluster.nodes)), wanted.get("CacheNodeIdsToRemove") or []
    if len(cluster.nodes) - count != len(gone) and count < len(cluster.nodes):
        raise InvalidParameterCombinationException("CacheNodeIdsToRemove does not match NumCacheNodes.")
    for number in gone:
        cluster.nodes.pop(number)
    cluster.add_nodes(count - len(cluster.nodes), wanted.get("NewAvailabilityZones") or [])
    cluster.keep(wanted)
    cluster.status = "modifying"


@extension(
    "elasticache-memcached", "Memcached clusters have no nodes, no endpoint, cannot be changed and never disappear"
)
def _memcached() -> None:
    @wrap(ElastiCacheBackend, "__init__")
    def create_backend(original: Function, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.memcached_clusters = {}

    @wrap(ElastiCacheResponse, "create_cache_cluster")
    def create(original: Function, self: Any) -> Any:
        backend, wanted = self.elasticache_backend, self._get_params()
        if wanted.get("Engine") != "memcached":
            return original(self)
        if wanted["CacheClusterId"].lower() in backend.memcached_clusters:
            raise CacheClusterAlreadyExists(wanted["CacheClusterId"])
        _check(backend, wanted)
        cluster = MemcachedCluster(backend, wanted)
        backend.memcached_clusters[cluster.name] = cluster
        backend.tagging_service.tag_resource(cluster.arn, wanted.get("Tags") or [])
        return ActionResult({"CacheCluster": cluster.described()})

    @wrap(ElastiCacheResponse, "describe_cache_clusters")
    def describe(original: Function, self: Any) -> Any:
        backend, name = self.elasticache_backend, self._get_param("CacheClusterId")
        nodes = bool(self._get_bool_param("ShowCacheNodeInfo", False))
        if name in backend.memcached_clusters:
            return ActionResult({"CacheClusters": [backend.memcached_clusters[name].described(True, nodes)]})
        answer = original(self)
        if not name:
            mine = [one.described(True, nodes) for one in backend.memcached_clusters.values()]
            answer.result["CacheClusters"] = [*answer.result["CacheClusters"], *mine]
        return answer

    @add(ElastiCacheResponse)
    def modify_cache_cluster(self: Any) -> ActionResult:
        backend, wanted = self.elasticache_backend, self._get_params()
        cluster = backend.memcached_clusters.get(wanted["CacheClusterId"])
        if cluster is None:
            raise ElastiCacheException("CacheClusterNotFound", f"CacheCluster not found: {wanted['CacheClusterId']}")
        if cluster.status != "available":
            raise ElastiCacheException("InvalidCacheClusterState", f"Cache cluster is {cluster.status}, not available.")
        _check(backend, {key: value for key, value in wanted.items() if key != "AZMode"})
        _modify(cluster, wanted)
        return ActionResult({"CacheCluster": cluster.described()})

    @wrap(ElastiCacheResponse, "delete_cache_cluster")
    def delete(original: Function, self: Any) -> Any:
        backend = self.elasticache_backend
        cluster = backend.memcached_clusters.pop(self._get_param("CacheClusterId"), None)
        if cluster is None:
            return original(self)
        backend.tagging_service.delete_all_tags_for_resource(cluster.arn)
        return ActionResult({"CacheCluster": {**cluster.described(), "CacheClusterStatus": "deleting"}})

    @wrap(ElastiCacheResponse, "delete_cache_subnet_group")
    def delete_subnet_group(original: Function, self: Any) -> Any:
        name = self._get_param("CacheSubnetGroupName")
        _refuse_use(
            self.elasticache_backend, "CacheSubnetGroupInUse", lambda one: one.kept["CacheSubnetGroupName"], name
        )
        return original(self)

    @wrap(ElastiCacheResponse, "delete_cache_parameter_group")
    def delete_parameter_group(original: Function, self: Any) -> Any:
        name = self._get_param("CacheParameterGroupName")
        _refuse_use(self.elasticache_backend, "InvalidCacheParameterGroupState", lambda one: one.parameter_group, name)
        return original(self)


def _refuse_use(backend: Any, code: str, used_by: Any, name: str) -> None:
    if any(used_by(cluster) == name for cluster in backend.memcached_clusters.values()):
        raise ElastiCacheException(code, f"{name} is in use by a cache cluster.")
