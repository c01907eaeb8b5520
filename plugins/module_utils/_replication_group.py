# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource family of the module elasticache_replication_group; its pure parts are the functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from . import _owned, _plan
from ._aws import Planned, tags_to_dict, tags_to_list, wait_for

#: What a new group runs when the caller names no version; an existing one keeps its own.
DEFAULT_VERSIONS = {"valkey": "8.0", "redis": "7.1"}
#: Families whose parameter groups, named after the group and the family, are ours to remove once unused.
FAMILIES = ("valkey7", "valkey8", "valkey9", "redis6.x", "redis7")
#: P13: a full cache evicts the least used key instead of answering "OOM command not allowed".
CREATION_PARAMETERS = {"maxmemory-policy": "allkeys-lru"}
MISSING = (
    "ReplicationGroupNotFoundFault",
    "ReplicationGroupNotFound",
    "CacheSubnetGroupNotFoundFault",
    "CacheParameterGroupNotFound",
    "CacheClusterNotFound",
)
#: What a group reports reliably only once it has been created; as it is made as asked, it is not compared before.
LATE = ("replicas", "failover", "multi_az", "engine_version", "snapshot_window", "maintenance_window")
UNDER_WAY = ("creating", "modifying", "snapshotting")

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


def parameter_group_name(name: str, group_family: str) -> str:
    """Return the name of our parameter group for a family; another family means another group."""
    return f"{name}-{group_family.replace('.', '-')}"


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
        "kms_key_id": group.get("KmsKeyId"),
        "port": primary.get("Port"),
        "snapshot_retention_days": group.get("SnapshotRetentionLimit"),
        "snapshot_window": group.get("SnapshotWindow"),
        "maintenance_window": member.get("PreferredMaintenanceWindow"),
        "auto_minor_version_upgrade": group.get("AutoMinorVersionUpgrade"),
        "arn": group.get("ARN"),
        "status": group.get("Status"),
        "primary_endpoint": primary.get("Address"),
        "reader_endpoint": (shard.get("ReaderEndpoint") or primary).get("Address"),
    }


class ReplicationGroup(Planned):
    """Cache subnet group, parameter group and replication group of one Valkey or Redis cache."""

    order = ("subnet_group", "parameter_group", "replication_group")
    purge = ("parameter_group",)
    immutable = {
        "parameter_group": ("family",),
        "replication_group": ("transit_encryption", "at_rest_encryption", "auth_token", "kms_key_id", "port"),
    }

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.cache = self.client("elasticache")
        self.name = self.params["name"].lower()
        self.key = f"replication_group/{self.name}"
        self.deleting = self.params["state"] == "absent"

    # Reading

    def read(self) -> _plan.Tree:
        tree: _plan.Tree = {}
        groups = self._list("describe_cache_subnet_groups", "CacheSubnetGroups", CacheSubnetGroupName=self.name)
        for group in groups:
            subnets = sorted(subnet["SubnetIdentifier"] for subnet in group["Subnets"])
            tree[f"subnet_group/{self.name}"] = {
                "subnet_ids": subnets,
                "arn": group["ARN"],
                "tags": self._tags(group["ARN"]),
            }
        own = {parameter_group_name(self.name, item) for item in FAMILIES}
        for group in self._list("describe_cache_parameter_groups", "CacheParameterGroups"):
            if group["CacheParameterGroupName"] in own:
                tree[f"parameter_group/{group['CacheParameterGroupName']}"] = self._parameter_group(group)
        for group in self._groups():
            if group["Status"] != "deleting":
                self._refuse_cluster_mode(group)
                tree[self.key] = {**group_fields(group, self._member(group)), "tags": self._tags(group["ARN"])}
        for key, fields in tree.items():
            if fields["tags"] is not None:
                _owned.refuse_foreign(
                    f"the {key.replace('/', ' ')}", fields["tags"], self.params["tags"], self.deleting
                )
        return tree

    def _parameter_group(self, group: Mapping[str, Any]) -> _plan.Fields:
        name = group["CacheParameterGroupName"]
        parameters = self._list("describe_cache_parameters", "Parameters", CacheParameterGroupName=name, Source="user")
        return {
            "family": group["CacheParameterGroupFamily"],
            "parameters": {
                item["ParameterName"]: item["ParameterValue"]
                for item in parameters
                if item.get("ParameterValue") is not None
            },
            "arn": group["ARN"],
            "tags": self._tags(group["ARN"]),
        }

    def _refuse_cluster_mode(self, group: Mapping[str, Any]) -> None:
        if group.get("ClusterEnabled"):
            raise _owned.Refused(
                f"Replication group {self.name} runs in cluster mode, which object caches of WordPress do not speak: "
                "they need one primary endpoint. Choose another name; the group is left alone."
            )

    def _list(self, operation: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
        return _owned.listed(self.cache, operation, key, MISSING, **arguments)

    def _groups(self) -> list[dict[str, Any]]:
        return self._list("describe_replication_groups", "ReplicationGroups", ReplicationGroupId=self.name)

    def _member(self, group: Mapping[str, Any]) -> dict[str, Any]:
        for name in sorted(group.get("MemberClusters", [])):
            for member in self._list("describe_cache_clusters", "CacheClusters", CacheClusterId=name):
                return member
        return {}

    def _tags(self, arn: str) -> dict[str, str] | None:
        """Return a resource's tags, or None for a group that is too young to be asked for them."""
        try:
            return tags_to_dict(self.cache.list_tags_for_resource(ResourceName=arn, aws_retry=True)["TagList"])
        except is_boto3_error_code("InvalidReplicationGroupState"):
            if self.deleting:
                raise
            return None

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
        parameter_group = parameter_group_name(self.name, group_family)
        tree: _plan.Tree = {
            f"subnet_group/{self.name}": {"subnet_ids": sorted(given["subnet_ids"])},
            f"parameter_group/{parameter_group}": {
                "family": group_family,
                "parameters": self._wanted_parameters(current.get(f"parameter_group/{parameter_group}")),
            },
            self.key: {
                "description": given["description"] or (None if group else f"Object cache {self.name}"),
                "engine": engine,
                "engine_version": version,
                "node_type": given["node_type"],
                "replicas": given["replicas"],
                "failover": given["replicas"] > 0,
                "multi_az": given["replicas"] > 0,
                "parameter_group": parameter_group,
                "security_group_ids": sorted(given["security_group_ids"]),
                "transit_encryption": True,
                "at_rest_encryption": True,
                "auth_token": True,
                **{name: given[name] for name in ("kms_key_id", "port", "snapshot_retention_days")},
                **{name: (given[name] or "").lower() or None for name in ("snapshot_window", "maintenance_window")},
                "auto_minor_version_upgrade": given["auto_minor_version_upgrade"],
            },
        }
        if group is not None:
            # What AWS does not report cannot be compared: sent at creation, then left alone.
            young = LATE if group["status"] == "creating" else ()
            tree[self.key] = {
                name: value
                for name, value in tree[self.key].items()
                if group.get(name) is not None and name not in young
            }
        for key, fields in tree.items():
            tags = current.get(key, {}).get("tags")
            unreadable = key in current and tags is None
            wanted = None if unreadable else given["tags"]
            fields["tags"] = _owned.wanted_tags(_plan.name_of(key), tags, wanted, given["purge_tags"])
        return tree

    def _wanted_parameters(self, group: _plan.Fields | None) -> dict[str, str] | None:
        wanted = self.params["parameters"]
        if group is None:
            wanted = {**CREATION_PARAMETERS, **(wanted or {})}
        return _owned.merged_parameters((group or {}).get("parameters"), wanted, "parameters")

    # Writing

    def _create_subnet_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        answer = self.cache.create_cache_subnet_group(
            CacheSubnetGroupName=self.name,
            CacheSubnetGroupDescription=f"Subnets of {self.name}",
            SubnetIds=change.after["subnet_ids"],
            Tags=tags_to_list(change.after.get("tags")),
            aws_retry=True,
        )
        return {"arn": answer["CacheSubnetGroup"]["ARN"]}

    def _update_subnet_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        if "subnet_ids" in change.after:
            self.cache.modify_cache_subnet_group(
                CacheSubnetGroupName=self.name, SubnetIds=change.after["subnet_ids"], aws_retry=True
            )
        return self._update_tags(change, tree)

    def _delete_subnet_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_no_group()
        self.cache.delete_cache_subnet_group(CacheSubnetGroupName=self.name, aws_retry=True)
        return {}

    def _create_parameter_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        answer = self.cache.create_cache_parameter_group(
            CacheParameterGroupName=change.name,
            CacheParameterGroupFamily=change.after["family"],
            Description=f"Parameters of {self.name}",
            Tags=tags_to_list(change.after.get("tags")),
            aws_retry=True,
        )
        self._set_parameters(change.name, change.after.get("parameters", {}))
        return {"arn": answer["CacheParameterGroup"]["ARN"]}

    def _update_parameter_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        after = change.after.get("parameters", {})
        self._set_parameters(change.name, _owned.changed_parameters(change.before.get("parameters"), after))
        return self._update_tags(change, tree)

    def _set_parameters(self, group: str, parameters: Mapping[str, str]) -> None:
        items = [{"ParameterName": name, "ParameterValue": value} for name, value in sorted(parameters.items())]
        for batch in _owned.batches(items, 20):
            self.cache.modify_cache_parameter_group(
                CacheParameterGroupName=group, ParameterNameValues=batch, aws_retry=True
            )

    def _delete_parameter_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        if self.deleting:
            self._await_no_group()
        self.cache.delete_cache_parameter_group(CacheParameterGroupName=change.name, aws_retry=True)
        return {}

    def _create_replication_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_no_group()  # one that is being deleted still holds the name
        wanted = change.after
        arguments: dict[str, Any] = {
            target: wanted[name] for part in MODIFIED_TOGETHER for name, target in part.items() if name in wanted
        }
        arguments.update(
            {target: wanted[name] for name, target in (("kms_key_id", "KmsKeyId"), ("port", "Port")) if name in wanted}
        )
        answer = self.cache.create_replication_group(
            ReplicationGroupId=self.name,
            NumCacheClusters=wanted["replicas"] + 1,
            CacheSubnetGroupName=self.name,
            ClusterMode="disabled",
            TransitEncryptionEnabled=True,
            TransitEncryptionMode="required",
            AtRestEncryptionEnabled=True,
            AuthToken=self._auth_token(),
            Tags=tags_to_list(wanted.get("tags")),
            aws_retry=True,
            **arguments,
        )
        return {"arn": answer["ReplicationGroup"]["ARN"], "status": "creating"}

    def _auth_token(self) -> str:
        """Read the token from Secrets Manager; it goes to ElastiCache alone, and Ansible masks it should an error hold it."""
        arn = self.params["auth_token_secret_arn"]
        secret = self.client("secretsmanager").get_secret_value(SecretId=arn, aws_retry=True).get("SecretString", "")
        try:
            token = json.loads(secret)["auth_token"]
        except (ValueError, KeyError, TypeError):
            token = None
        if not isinstance(token, str) or not 16 <= len(token) <= 128:
            self.module.fail_json(
                msg=f"Secret {arn} does not hold a JSON object whose auth_token is a text of 16 to 128 characters."
            )
        self.module.no_log_values.add(token)
        return str(token)

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
        self._update_tags(change, tree)
        return {"status": "modifying"} if set(after) - {"tags"} else {}

    def _write(self, operation: str, **arguments: Any) -> None:
        """Make one change. AWS takes the next only when the group is available, so wait before, whatever O(wait) says."""
        self._await_group()
        getattr(self.cache, operation)(ReplicationGroupId=self.name, ApplyImmediately=True, aws_retry=True, **arguments)
        self._await_group()

    def _delete_replication_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_group()
        snapshot = self.params["final_snapshot_name"]
        self.cache.delete_replication_group(
            ReplicationGroupId=self.name,
            RetainPrimaryCluster=False,
            aws_retry=True,
            **({"FinalSnapshotIdentifier": snapshot} if snapshot else {}),
        )
        self._await_no_group()
        return {}

    def _update_tags(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        _owned.write_tags(self.cache, tree[change.key]["arn"], change)
        return {}

    # Waiting

    @property
    def delay(self) -> float:
        """Seconds between two looks."""
        return min(10.0, self.params["wait_timeout"] / 20)

    def _await_group(self) -> None:
        def settled() -> bool:
            groups = self._groups()
            if any(group["Status"] == "create-failed" for group in groups):
                self.module.fail_json(
                    msg=f"ElastiCache failed to create the replication group {self.name}. Delete it and run again."
                )
            return bool(groups) and not groups[0]["Status"].startswith(UNDER_WAY)

        what = f"replication group {self.name} to be available"
        wait_for(self.module, what, settled, self.params["wait_timeout"], self.delay)

    def _await_no_group(self) -> None:
        what = f"replication group {self.name} to disappear"
        wait_for(self.module, what, lambda: not self._groups(), self.params["wait_timeout"], self.delay)

    def settle(self, tree: _plan.Tree) -> _plan.Tree:
        if not self.params["wait"] or not tree[self.key]["status"].startswith(UNDER_WAY):
            return tree
        self._await_group()
        return self.read()

    # Reporting

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        group = tree.get(self.key)
        known = ("arn", "primary_endpoint", "reader_endpoint", "engine", "engine_version", "node_type")
        facts = {name: (group.get(name) or _plan.UNKNOWN) if group else None for name in known}
        facts["port"] = (group.get("port") or 6379) if group else None
        facts["replicas"] = group["replicas"] if group else None
        return facts
