# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource family of the module elasticache_replication_group; its pure parts are the functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import _owned, _plan
from ._aws import tags_to_list
from ._cache import parameter_group_name
from ._cache_users import KINDS, CacheUsers

#: What a new group runs when the caller names no version; an existing one keeps its own.
DEFAULT_VERSIONS = {"valkey": "8.0", "redis": "7.1"}
#: Families whose parameter groups, named after the group and the family, are ours to remove once unused.
FAMILIES = ("valkey7", "valkey8", "valkey9", "redis6.x", "redis7")
#: P13: a full cache evicts the least used key instead of answering "OOM command not allowed".
CREATION_PARAMETERS = {"maxmemory-policy": "allkeys-lru"}
#: What a group reports reliably only once it has been created; as it is made as asked, it is not compared before.
LATE = ("replicas", "failover", "multi_az", "engine_version", "snapshot_window", "maintenance_window", "user_group_ids")

#: Our field -> argument of ModifyReplicationGroup, in the calls in which AWS takes them together.
MODIFIED_TOGETHER: tuple[dict[str, str], ...] = (
    {
        "description": "ReplicationGroupDescription",
        "failover": "AutomaticFailoverEnabled",
        "multi_az": "MultiAZEnabled",
        "security_group_ids": "SecurityGroupIds",
        "snapshot_retention_days": "SnapshotRetentionLimit",
        "snapshot_window": "SnapshotWindow",
        "maintenance_window": "PreferredMaintenanceWindow",
        "auto_minor_version_upgrade": "AutoMinorVersionUpgrade",
    },
    {"node_type": "CacheNodeType"},
    {"engine": "Engine", "engine_version": "EngineVersion", "parameter_group": "CacheParameterGroupName"},
)


def family(engine: str, version: str) -> str:
    """Return the parameter family of an engine version: ``valkey8`` for Valkey 8.0, ``redis6.x`` for Redis 6.2."""
    major = version.split(".", 1)[0]
    return "redis6.x" if (engine, major) == ("redis", "6") else f"{engine}{major}"


def group_fields(group: Mapping[str, Any], member: Mapping[str, Any]) -> _plan.Fields:
    """Return a described replication group in this module's terms; ``member`` is one of its described nodes.

    What only a node reports is None while there is none to ask.
    """
    shard = (group.get("NodeGroups") or [{}])[0]
    primary = shard.get("PrimaryEndpoint") or {}
    groups = sorted(item["SecurityGroupId"] for item in member.get("SecurityGroups", []))
    return {
        "description": group.get("Description"),
        "engine": group.get("Engine") or member.get("Engine"),
        "engine_version": member.get("EngineVersion"),
        "node_type": group.get("CacheNodeType"),
        "replicas": len(group.get("MemberClusters", [])) - 1,
        "failover": str(group.get("AutomaticFailover")).startswith("enabl"),
        "multi_az": group.get("MultiAZ") == "enabled",
        "parameter_group": (member.get("CacheParameterGroup") or {}).get("CacheParameterGroupName"),
        "security_group_ids": groups or None,
        "transit_encryption": bool(group.get("TransitEncryptionEnabled")),
        "at_rest_encryption": bool(group.get("AtRestEncryptionEnabled")),
        "auth_token": bool(group.get("AuthTokenEnabled")),
        "user_group_ids": sorted(group.get("UserGroupIds") or []),
        "kms_key_id": group.get("KmsKeyId"),
        "port": primary.get("Port"),
        "snapshot_retention_days": group.get("SnapshotRetentionLimit"),
        "snapshot_window": group.get("SnapshotWindow"),
        "maintenance_window": member.get("PreferredMaintenanceWindow"),
        "auto_minor_version_upgrade": group.get("AutoMinorVersionUpgrade"),
        "node_ids": sorted(group.get("MemberClusters", [])),
        "arn": group.get("ARN"),
        "status": group.get("Status"),
        "primary_endpoint": primary.get("Address"),
        "reader_endpoint": (shard.get("ReaderEndpoint") or primary).get("Address"),
    }


class ReplicationGroup(CacheUsers):
    """Cache subnet group, parameter group, users and replication group of one Valkey or Redis cache."""

    order = ("subnet_group", "parameter_group", *KINDS, "replication_group")
    purge = ("parameter_group", *KINDS)
    immutable = {
        "parameter_group": ("family",),
        "replication_group": ("transit_encryption", "at_rest_encryption", "kms_key_id", "port"),
    }
    kind = "replication_group"
    families = FAMILIES
    creation_parameters = CREATION_PARAMETERS
    lacking = ("configuration_endpoint",)

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        replicas, days = self.params["replicas"], self.params["snapshot_retention_days"]
        if not 0 <= replicas <= 5:
            raise _plan.Refused(f"replicas is {replicas}: give 0 to 5.")
        if days is not None and not 0 <= days <= 35:
            raise _plan.Refused(f"snapshot_retention_days is {days}: give 0 (none) to 35.")

    # Reading

    def read(self) -> _plan.Tree:
        tree = {**self._read_subnet_group(), **self._read_parameter_groups()}
        groups = [group for group in self._described() if group["Status"] != "deleting"]
        for group in groups:
            self._refuse_cluster_mode(group)
            tree[self.key] = {**group_fields(group, self._member(group)), "tags": self._tags(group["ARN"])}
        tree.update(self._read_users(attached=any(group.get("UserGroupIds") for group in groups)))
        self._refuse_foreign(tree)
        return tree

    def _refuse_cluster_mode(self, group: Mapping[str, Any]) -> None:
        if group.get("ClusterEnabled"):
            raise _plan.Refused(
                f"Replication group {self.name} runs in cluster mode, which object caches of WordPress do not speak: "
                "they need one primary endpoint. Choose another name; the group is left alone."
            )

    def _described(self) -> list[dict[str, Any]]:
        return self._list("describe_replication_groups", "ReplicationGroups", ReplicationGroupId=self.name)

    def _member(self, group: Mapping[str, Any]) -> dict[str, Any]:
        for name in sorted(group.get("MemberClusters", [])):
            for member in self._list("describe_cache_clusters", "CacheClusters", CacheClusterId=name):
                return member
        return {}

    # Wanting

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        given = self.params
        group = current.get(self.key)
        engine = given["engine"]
        version = given["engine_version"]
        if group is None:
            version = version or DEFAULT_VERSIONS[engine]
        else:
            same_engine = group["engine"] == engine
            kept = group["engine_version"] if same_engine else DEFAULT_VERSIONS[engine]
            version = _owned.settled_version(kept, version) or kept or DEFAULT_VERSIONS[engine]
        group_family = family(engine, version)
        wanted: _plan.Fields = {
            "description": given["description"] or (None if group else f"Object cache {self.name}"),
            "engine": engine,
            "engine_version": version,
            "node_type": given["node_type"],
            "replicas": given["replicas"],
            "failover": given["replicas"] > 0,
            "multi_az": given["replicas"] > 0,
            "parameter_group": parameter_group_name(self.name, group_family),
            "security_group_ids": sorted(given["security_group_ids"]),
            "transit_encryption": True,
            "at_rest_encryption": True,
            **self._wanted_access(group),
            **{name: given[name] for name in ("kms_key_id", "port", "snapshot_retention_days")},
            **{name: (given[name] or "").lower() or None for name in ("snapshot_window", "maintenance_window")},
            "auto_minor_version_upgrade": given["auto_minor_version_upgrade"],
        }
        tree = self._wanted_groups(current, group_family)
        tree.update(self._wanted_users(current, engine))
        tree[self.key] = wanted if group is None else self._reported(group, wanted, LATE)
        return self._tagged(current, tree)

    def _wanted_access(self, group: _plan.Fields | None) -> _plan.Fields:
        """Return how clients prove who they are: by one token, or as the user of a group; never not at all."""
        user = self.params["user"]
        if group and not user and not group["auth_token"] and not group["user_group_ids"]:
            raise _plan.ImmutableChange(
                f"auth_token of {self.key} is False: everyone who reaches it gets in. Set user, which brings a password, or "
                "create the cache anew under another name."
            )
        if group and user is None:
            return {}
        return {"auth_token": not user, "user_group_ids": [self.name] if user else []}

    # Writing

    def _create_replication_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_gone()  # one that is being deleted still holds the name
        wanted = change.after
        arguments: dict[str, Any] = {
            target: wanted[name] for part in MODIFIED_TOGETHER for name, target in part.items() if name in wanted
        }
        arguments.update(
            {target: wanted[name] for name, target in (("kms_key_id", "KmsKeyId"), ("port", "Port")) if name in wanted}
        )
        if wanted["user_group_ids"]:
            arguments["UserGroupIds"] = wanted["user_group_ids"]
        else:
            arguments["AuthToken"] = self._auth_token()
        if zones := self.params["zones"]:
            nodes = range(wanted["replicas"] + 1)
            arguments["PreferredCacheClusterAZs"] = [zones[number % len(zones)] for number in nodes]
        answer = self.cache.create_replication_group(
            ReplicationGroupId=self.name,
            NumCacheClusters=wanted["replicas"] + 1,
            CacheSubnetGroupName=self.name,
            ClusterMode="disabled",
            TransitEncryptionEnabled=True,
            TransitEncryptionMode="required",
            AtRestEncryptionEnabled=True,
            Tags=tags_to_list(wanted.get("tags")),
            aws_retry=True,
            **arguments,
        )
        return {"arn": answer["ReplicationGroup"]["ARN"], "status": "creating"}

    def _update_replication_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        before, after = change.before, change.after
        more = after.get("replicas", 0) - before.get("replicas", 0)
        if more > 0:  # replicas first: Multi-AZ needs one ...
            self._write("increase_replica_count", NewReplicaCount=after["replicas"])
        for part in MODIFIED_TOGETHER:
            arguments = {target: after[name] for name, target in part.items() if name in after}
            if arguments:
                self._write("modify_replication_group", **arguments)
        if more < 0:  # ... and is given up before the last one goes
            self._write("decrease_replica_count", NewReplicaCount=after["replicas"])
        if {"auth_token", "user_group_ids"} & set(after):
            self._write("modify_replication_group", **self._new_access(change))
        self._update_tags(change, tree)
        return {"status": "modified"} if set(after) - {"tags"} else {}

    def _new_access(self, change: _plan.Change) -> dict[str, Any]:
        """Return the arguments that lead from the token to the users, or back; clients have to follow."""
        if not self.params["user"]:
            users = {"RemoveUserGroups": True} if "user_group_ids" in change.after else {}
            return {**users, "AuthToken": self._auth_token(), "AuthTokenUpdateStrategy": "SET"}
        arguments: dict[str, Any] = {"AuthTokenUpdateStrategy": "DELETE"} if "auth_token" in change.after else {}
        if "user_group_ids" in change.after:
            arguments["UserGroupIdsToAdd"] = [self.name]
            others = sorted(set(change.before["user_group_ids"]) - {self.name})
            if others:
                arguments["UserGroupIdsToRemove"] = others
        return arguments

    def _write(self, operation: str, **arguments: Any) -> None:
        """Make one change. AWS takes the next only when the group is available, so wait before, whatever O(wait) says."""
        self._await_settled()
        getattr(self.cache, operation)(ReplicationGroupId=self.name, ApplyImmediately=True, aws_retry=True, **arguments)
        self._await_settled()

    def _delete_replication_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_settled()
        snapshot = self.params["final_snapshot_name"]
        self.cache.delete_replication_group(
            ReplicationGroupId=self.name,
            RetainPrimaryCluster=False,
            aws_retry=True,
            **({"FinalSnapshotIdentifier": snapshot} if snapshot else {}),
        )
        self._await_gone()
        return {}

    # Reporting

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        group = tree.get(self.key)
        facts = super().facts(tree)
        facts["port"] = (group.get("port") or 6379) if group else None
        facts["node_type"] = self._fact(group, "node_type")
        facts["replicas"] = group["replicas"] if group else None
        facts["node_ids"] = self._node_ids(group)
        return facts

    def _node_ids(self, group: _plan.Fields | None) -> list[str]:
        """Return the identifiers of the nodes, as alarms name them; AWS numbers those of a new group from 001."""
        if group is None:
            return []
        known = list(group.get("node_ids", []))
        if len(known) != group["replicas"] + 1:
            return [f"{self.name}-{number:03}" for number in range(1, group["replicas"] + 2)]
        return known
