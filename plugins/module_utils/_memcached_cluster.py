# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource family of the module elasticache_memcached_cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import _owned, _plan
from ._aws import tags_to_list
from ._cache import CacheFamily, parameter_group_name

DEFAULT_VERSION = "1.6.22"
FAMILIES = ("memcached1.6",)
#: Only from this version on does Memcached speak TLS.
TLS_VERSION = (1, 6, 12)
LATE = ("nodes", "engine_version", "maintenance_window")

#: Our field -> argument of ModifyCacheCluster, in the calls in which AWS takes them together.
MODIFIED_TOGETHER: tuple[dict[str, str], ...] = (
    {
        "security_group_ids": "SecurityGroupIds",
        "maintenance_window": "PreferredMaintenanceWindow",
        "auto_minor_version_upgrade": "AutoMinorVersionUpgrade",
        "parameter_group": "CacheParameterGroupName",
    },
    {"node_type": "CacheNodeType"},
    {"engine_version": "EngineVersion"},
)


def family(version: str) -> str:
    """Return the parameter family of a version: ``memcached1.6`` for 1.6.22."""
    return f"memcached{'.'.join(version.split('.')[:2])}"


def speaks_tls(version: str) -> bool:
    """Tell whether a version, whole or without its last parts, can encrypt: what is left out counts as the newest."""
    parts = tuple(int(part) for part in version.split("."))
    return parts >= TLS_VERSION[: len(parts)]


class MemcachedCluster(CacheFamily):
    """Cache subnet group, parameter group and cluster of one Memcached."""

    order = ("subnet_group", "parameter_group", "cache_cluster")
    purge = ("parameter_group",)
    immutable = {"parameter_group": ("family",), "cache_cluster": ("transit_encryption", "port")}
    kind = "cache_cluster"
    families = FAMILIES
    lacking = ("primary_endpoint", "reader_endpoint")

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        params = self.params
        # A replication group of the same name, of which this may be the successor, has its own.
        self.subnet_group = f"{self.name}-memcached"
        if not 1 <= params["nodes"] <= 60:
            raise _plan.Refused(f"nodes is {params['nodes']}: give 1 to 60.")
        version = params["engine_version"] or DEFAULT_VERSION
        if family(version) not in FAMILIES or not all(part.isdigit() for part in version.split(".")):
            raise _plan.Refused(f"engine_version is {version!r}: give a version of 1.6, such as {DEFAULT_VERSION!r}.")
        if not speaks_tls(version):
            raise _plan.Refused(
                f"engine_version is {version!r}: Memcached speaks TLS from 1.6.12 on. Take a newer one."
            )

    # Reading

    def read(self) -> _plan.Tree:
        tree = {**self._read_subnet_group(), **self._read_parameter_groups()}
        for cluster in self._described():
            if cluster["Engine"] != "memcached":
                raise _plan.Refused(
                    f"name is {self.name!r}: a cluster of {cluster['Engine']} has that name. Choose another; it is left alone."
                )
            if cluster["Status"] != "deleting":
                tree[self.key] = {**self._fields(cluster), "tags": self._tags(cluster["ARN"])}
        self._refuse_foreign(tree)
        return tree

    def _fields(self, cluster: Mapping[str, Any]) -> _plan.Fields:
        endpoint = cluster.get("ConfigurationEndpoint") or {}
        groups = sorted(item["SecurityGroupId"] for item in cluster.get("SecurityGroups", []))
        return {
            "engine": cluster["Engine"],
            "engine_version": cluster.get("EngineVersion"),
            "node_type": cluster.get("CacheNodeType"),
            "nodes": cluster.get("NumCacheNodes"),
            "numbers": sorted(node["CacheNodeId"] for node in cluster.get("CacheNodes", [])),
            "parameter_group": (cluster.get("CacheParameterGroup") or {}).get("CacheParameterGroupName"),
            "security_group_ids": groups or None,
            "transit_encryption": bool(cluster.get("TransitEncryptionEnabled")),
            "maintenance_window": cluster.get("PreferredMaintenanceWindow"),
            "auto_minor_version_upgrade": cluster.get("AutoMinorVersionUpgrade"),
            "configuration_endpoint": endpoint.get("Address"),
            "port": endpoint.get("Port"),
            "arn": cluster["ARN"],
            "status": cluster["Status"],
        }

    def _described(self) -> list[dict[str, Any]]:
        found = self._list("describe_cache_clusters", "CacheClusters", CacheClusterId=self.name, ShowCacheNodeInfo=True)
        return [{**cluster, "Status": cluster["CacheClusterStatus"]} for cluster in found]

    # Wanting

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        given, cluster = self.params, current.get(self.key)
        kept = cluster["engine_version"] if cluster else None
        version = _owned.settled_version(kept, given["engine_version"]) or kept or DEFAULT_VERSION
        wanted: _plan.Fields = {
            "engine": "memcached",
            "engine_version": version,
            "node_type": given["node_type"],
            "nodes": given["nodes"],
            "parameter_group": parameter_group_name(self.name, family(version)),
            "security_group_ids": sorted(given["security_group_ids"]),
            "transit_encryption": True,
            "maintenance_window": (given["maintenance_window"] or "").lower() or None,
            "auto_minor_version_upgrade": given["auto_minor_version_upgrade"],
            "port": given["port"],
        }
        tree = self._wanted_groups(current, family(version))
        tree[self.key] = wanted if cluster is None else self._reported(cluster, wanted, LATE)
        return self._tagged(current, tree)

    # Writing

    def _placed(self, first: int, nodes: int) -> list[str]:
        """Return the zones of nodes by turns, as the option names them; nothing when it does not."""
        zones = self.params["zones"] or []
        return [zones[number % len(zones)] for number in range(first, nodes)] if zones else []

    def _create_cache_cluster(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_gone()
        wanted = change.after
        arguments: dict[str, Any] = {
            target: wanted[name] for part in MODIFIED_TOGETHER for name, target in part.items() if name in wanted
        }
        if "port" in wanted:
            arguments["Port"] = wanted["port"]
        if placed := self._placed(0, wanted["nodes"]):
            arguments["PreferredAvailabilityZones"] = placed
        answer = self.cache.create_cache_cluster(
            CacheClusterId=self.name,
            Engine="memcached",
            NumCacheNodes=wanted["nodes"],
            AZMode="cross-az" if wanted["nodes"] > 1 else "single-az",
            CacheSubnetGroupName=self.subnet_group,
            TransitEncryptionEnabled=True,
            Tags=tags_to_list(wanted.get("tags")),
            aws_retry=True,
            **arguments,
        )
        return {"arn": answer["CacheCluster"]["ARN"], "status": "creating"}

    def _update_cache_cluster(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        after = change.after
        for part in MODIFIED_TOGETHER:
            self._write({target: after[name] for name, target in part.items() if name in after})
        if "nodes" in after:
            self._write(self._resized(change.before["nodes"], after["nodes"], tree[self.key]["numbers"]))
        self._update_tags(change, tree)
        return {"status": "modified"} if set(after) - {"tags"} else {}

    def _resized(self, before: int, after: int, numbers: list[str]) -> dict[str, Any]:
        """Return the arguments for more nodes, or for fewer: then those with the highest numbers go."""
        arguments: dict[str, Any] = {"NumCacheNodes": after}
        if after < before:
            arguments["CacheNodeIdsToRemove"] = numbers[after:]
        elif placed := self._placed(before, after):
            arguments["NewAvailabilityZones"] = placed
        if before == 1:
            arguments["AZMode"] = "cross-az"
        return arguments

    def _write(self, arguments: Mapping[str, Any]) -> None:
        if arguments:
            self._await_settled()
            self.cache.modify_cache_cluster(
                CacheClusterId=self.name, ApplyImmediately=True, aws_retry=True, **arguments
            )
            self._await_settled()

    def _delete_cache_cluster(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_settled()
        self.cache.delete_cache_cluster(CacheClusterId=self.name, aws_retry=True)
        self._await_gone()
        return {}

    # Reporting

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        cluster = tree.get(self.key)
        facts = super().facts(tree)
        facts["port"] = (cluster.get("port") or 11211) if cluster else None
        facts["node_type"] = self._fact(cluster, "node_type")
        facts["nodes"] = cluster["nodes"] if cluster else None
        return facts
