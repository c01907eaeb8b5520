# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource family of the module aurora_cluster; its pure parts are the functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from . import _owned, _plan
from ._aws import Planned, tags_to_dict, tags_to_list, wait_for

#: Chosen for a new cluster where the caller said nothing; an existing one keeps what it has.
CREATION_DEFAULTS: dict[str, Any] = {
    "master_username": "admin",
    "backup_retention_days": 7,
    "deletion_protection": True,
    "storage_encrypted": True,
    "copy_tags_to_snapshot": True,
}

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
MISSING = (
    "DBSubnetGroupNotFoundFault",
    "DBParameterGroupNotFound",
    "DBParameterGroupNotFoundFault",
    "DBClusterParameterGroupNotFound",
    "DBClusterParameterGroupNotFoundFault",
    "DBClusterNotFoundFault",
    "DBInstanceNotFound",
)
FAILED = ("failed", "incompatible-", "inaccessible-", "insufficient-", "restore-error", "stopped")
#: Work that users or AWS start at any time (a nightly backup) is none of these and is not waited for.
UNDER_WAY = ("creating", "modifying", "upgrading", "rebooting", "renaming", "starting", "configuring-")


def instance_names(cluster: str, current: Mapping[str, Mapping[str, Any]], readers: int) -> list[str]:
    """Choose which instances a cluster keeps or gets: the writer stays, then the lowest numbers, then new ones."""
    wanted = readers + 1
    own = sorted((name for name in current if _number(cluster, name)), key=lambda name: _number(cluster, name) or 0)
    writers_first = sorted(own, key=lambda name: not current[name].get("writer"))
    names = writers_first[:wanted]
    number = 1
    while len(names) < wanted:
        candidate = f"{cluster}-{number}"
        if candidate not in names:
            names.append(candidate)
        number += 1
    return names


def _number(cluster: str, name: str) -> int | None:
    match = re.fullmatch(rf"{re.escape(cluster)}-([1-9][0-9]?)", name)
    return int(match.group(1)) if match else None


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
        serverless_capacity={"min": capacity["MinCapacity"], "max": capacity["MaxCapacity"]} if capacity else None,
        tags=tags_to_dict(cluster.get("TagList")),
        arn=cluster.get("DBClusterArn"),
        endpoint=cluster.get("Endpoint"),
        reader_endpoint=cluster.get("ReaderEndpoint"),
        master_secret_arn=secret.get("SecretArn"),
        status="creating" if secret.get("SecretStatus") == "creating" else cluster.get("Status"),
    )
    return fields


def instance_fields(instance: Mapping[str, Any], writer: bool) -> _plan.Fields:
    """Return a described instance in this module's terms."""
    pending = instance.get("PendingModifiedValues") or {}
    return {
        "instance_class": pending.get("DBInstanceClass") or instance.get("DBInstanceClass"),
        "promotion_tier": instance.get("PromotionTier"),
        "auto_minor_version_upgrade": instance.get("AutoMinorVersionUpgrade"),
        "tags": tags_to_dict(instance.get("TagList")),
        "arn": instance.get("DBInstanceArn"),
        "status": instance.get("DBInstanceStatus"),
        "pending": "DBInstanceClass" in pending,
        "availability_zone": instance.get("AvailabilityZone"),
        "writer": writer,
    }


def full_version(offered: Iterable[str], wanted: str) -> str:
    """Return the newest offered version that satisfies the wanted one, which AWS only takes whole; else the wanted one."""
    fitting = [version for version in offered if _owned.same_version(version, wanted)]
    return max(fitting, key=lambda version: [int(part) for part in re.findall(r"[0-9]+", version)], default=wanted)


def cluster_arguments(fields: _plan.Fields) -> dict[str, Any]:
    """Return the arguments of CreateDBCluster or ModifyDBCluster that set these fields."""
    arguments = {target: fields[name] for name, (source, target) in CLUSTER_FIELDS.items() if name in fields}
    if "serverless_capacity" in fields:
        capacity = fields["serverless_capacity"]
        arguments["ServerlessV2ScalingConfiguration"] = {"MinCapacity": capacity["min"], "MaxCapacity": capacity["max"]}
    return arguments


class Aurora(Planned):
    """Subnet group, cluster parameter group, cluster and instances of one Aurora MySQL cluster."""

    order = ("subnet_group", "parameter_group", "cluster", "instance")
    purge = ("instance",)
    immutable = {
        "parameter_group": ("family",),
        "cluster": ("database_name", "master_username", "storage_encrypted", "kms_key_id"),
    }

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.rds = self.client("rds")
        self.name = self.params["name"].lower()
        self.deleting = self.params["state"] == "absent"

    # Reading

    def read(self) -> _plan.Tree:
        tree: _plan.Tree = {}
        groups = self._describe("describe_db_subnet_groups", "DBSubnetGroups", DBSubnetGroupName=self.name)
        for group in groups:
            subnets = sorted(subnet["SubnetIdentifier"] for subnet in group["Subnets"])
            arn = group["DBSubnetGroupArn"]
            tree[f"subnet_group/{self.name}"] = {"subnet_ids": subnets, "arn": arn, "tags": self._tags(arn)}
        groups = self._describe(
            "describe_db_cluster_parameter_groups", "DBClusterParameterGroups", DBClusterParameterGroupName=self.name
        )
        for group in groups:
            arn = group["DBClusterParameterGroupArn"]
            tree[f"parameter_group/{self.name}"] = {
                "family": group["DBParameterGroupFamily"],
                "parameters": {
                    item["ParameterName"]: item["ParameterValue"]
                    for item in self._parameters(Source="user")
                    if item.get("ParameterValue") is not None
                },
                "arn": arn,
                "tags": self._tags(arn),
            }
        tree.update(self._read_cluster())
        for key, fields in tree.items():
            _owned.refuse_foreign(f"the {key.replace('/', ' ')}", fields["tags"], self.params["tags"], self.deleting)
        self._refuse_deletion(tree)
        return tree

    def _read_cluster(self) -> _plan.Tree:
        tree: _plan.Tree = {}
        for cluster in self._clusters():
            if cluster["Status"] == "deleting":
                continue
            tree[f"cluster/{self.name}"] = cluster_fields(cluster)
            writers = {
                member["DBInstanceIdentifier"]: member["IsClusterWriter"] for member in cluster["DBClusterMembers"]
            }
            for instance in self._instances():
                name = instance["DBInstanceIdentifier"]
                if instance["DBInstanceStatus"] != "deleting" and (self.deleting or _number(self.name, name)):
                    tree[f"instance/{name}"] = instance_fields(instance, writers.get(name, False))
        return tree

    def _refuse_deletion(self, tree: _plan.Tree) -> None:
        cluster = tree.get(f"cluster/{self.name}")
        if not self.deleting or cluster is None:
            return
        if cluster["deletion_protection"]:
            raise _owned.Refused(
                f"Cluster {self.name} has deletion protection. Nothing was deleted. "
                "To delete it, first run with state=present and deletion_protection=false."
            )
        if not self.params["skip_final_snapshot"] and not self.params["final_snapshot_name"]:
            raise _owned.Refused(
                f"Deleting cluster {self.name} needs final_snapshot_name, or skip_final_snapshot=true to lose its data."
            )

    def _describe(self, call: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
        return _owned.listed(self.rds, call, key, MISSING, **arguments)

    def _clusters(self) -> list[dict[str, Any]]:
        return self._describe("describe_db_clusters", "DBClusters", DBClusterIdentifier=self.name)

    def _instances(self) -> list[dict[str, Any]]:
        filters = [{"Name": "db-cluster-id", "Values": [self.name]}]
        return self._describe("describe_db_instances", "DBInstances", Filters=filters)

    def _parameters(self, **arguments: Any) -> list[dict[str, Any]]:
        name = {"DBClusterParameterGroupName": self.name}
        return self._describe("describe_db_cluster_parameters", "Parameters", **name, **arguments)

    def _tags(self, arn: str) -> dict[str, str]:
        return tags_to_dict(self.rds.list_tags_for_resource(ResourceName=arn, aws_retry=True)["TagList"])

    # Wanting

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        given = self.params
        group = current.get(f"parameter_group/{self.name}", {})
        cluster = current.get(f"cluster/{self.name}")
        own = {name: given[name] for name in CLUSTER_FIELDS if name in given}
        if cluster is None:
            own.update({name: value for name, value in CREATION_DEFAULTS.items() if own[name] is None})
        else:
            own["engine_version"] = _owned.settled_version(cluster["engine_version"], own["engine_version"])
        for window in ("backup_window", "maintenance_window"):
            own[window] = own[window].lower() if own[window] else None
        own.update(
            security_group_ids=sorted(given["security_group_ids"]),
            parameter_group=self.name,
            managed_password=True,
            log_exports=sorted(given["log_exports"]) if given["log_exports"] is not None else None,
            serverless_capacity=given["serverless_capacity"],
        )
        tree: _plan.Tree = {
            f"subnet_group/{self.name}": {"subnet_ids": sorted(given["subnet_ids"])},
            f"parameter_group/{self.name}": {
                "family": given["parameter_group_family"],
                "parameters": _owned.merged_parameters(group.get("parameters"), given["parameters"], "parameters"),
            },
            f"cluster/{self.name}": own,
        }
        instances = {_plan.name_of(key): fields for key, fields in current.items() if _plan.kind_of(key) == "instance"}
        for name in instance_names(self.name, instances, given["readers"]):
            tree[f"instance/{name}"] = {
                "instance_class": given["instance_class"],
                "promotion_tier": 0 if name == f"{self.name}-1" else 1,
                "auto_minor_version_upgrade": given["auto_minor_version_upgrade"],
            }
        for key, fields in tree.items():
            tags = current.get(key, {}).get("tags")
            fields["tags"] = _owned.wanted_tags(_plan.name_of(key), tags, given["tags"], given["purge_tags"])
        return tree

    # Writing

    def _create_subnet_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        answer = self.rds.create_db_subnet_group(
            DBSubnetGroupName=self.name,
            DBSubnetGroupDescription=f"Subnets of {self.name}",
            SubnetIds=change.after["subnet_ids"],
            Tags=tags_to_list(change.after.get("tags")),
            aws_retry=True,
        )
        return {"arn": answer["DBSubnetGroup"]["DBSubnetGroupArn"]}

    def _update_subnet_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        if "subnet_ids" in change.after:
            subnets = change.after["subnet_ids"]
            self.rds.modify_db_subnet_group(DBSubnetGroupName=self.name, SubnetIds=subnets, aws_retry=True)
        return self._update_tags(change, tree)

    def _delete_subnet_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_no_cluster()
        self.rds.delete_db_subnet_group(DBSubnetGroupName=self.name, aws_retry=True)
        return {}

    def _create_parameter_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        answer = self.rds.create_db_cluster_parameter_group(
            DBClusterParameterGroupName=self.name,
            DBParameterGroupFamily=change.after["family"],
            Description=f"Parameters of {self.name}",
            Tags=tags_to_list(change.after.get("tags")),
            aws_retry=True,
        )
        self._set_parameters(change.after.get("parameters", {}))
        return {"arn": answer["DBClusterParameterGroup"]["DBClusterParameterGroupArn"]}

    def _update_parameter_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        after = change.after.get("parameters", {})
        self._set_parameters(_owned.changed_parameters(change.before.get("parameters"), after))
        return self._update_tags(change, tree)

    def _set_parameters(self, parameters: Mapping[str, str]) -> None:
        if not parameters:
            return
        dynamic = {item["ParameterName"] for item in self._parameters() if item.get("ApplyType") == "dynamic"}
        items = [
            {
                "ParameterName": name,
                "ParameterValue": value,
                "ApplyMethod": "immediate" if name in dynamic else "pending-reboot",
            }
            for name, value in sorted(parameters.items())
        ]
        for batch in _owned.batches(items, 20):
            self.rds.modify_db_cluster_parameter_group(
                DBClusterParameterGroupName=self.name, Parameters=batch, aws_retry=True
            )

    def _delete_parameter_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_no_cluster()
        self.rds.delete_db_cluster_parameter_group(DBClusterParameterGroupName=self.name, aws_retry=True)
        return {}

    def _create_cluster(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_no_cluster()  # one that is being deleted still holds the name
        arguments = self._arguments(change)
        if change.after.get("log_exports"):
            arguments["EnableCloudwatchLogsExports"] = change.after["log_exports"]
        answer = self.rds.create_db_cluster(
            DBClusterIdentifier=self.name,
            Engine="aurora-mysql",
            DBSubnetGroupName=self.name,
            Tags=tags_to_list(change.after.get("tags")),
            aws_retry=True,
            **arguments,
        )
        return {**cluster_fields(answer["DBCluster"]), "status": "creating", "tags": change.after.get("tags", {})}

    def _arguments(self, change: _plan.Change) -> dict[str, Any]:
        arguments = cluster_arguments(change.after)
        if "EngineVersion" in arguments:
            versions = self._describe("describe_db_engine_versions", "DBEngineVersions", Engine="aurora-mysql")
            arguments["EngineVersion"] = full_version(
                (one["EngineVersion"] for one in versions), arguments["EngineVersion"]
            )
        return arguments

    def _update_cluster(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_cluster()
        arguments = self._arguments(change)
        if "log_exports" in change.after:
            before, after = set(change.before["log_exports"] or []), set(change.after["log_exports"])
            arguments["CloudwatchLogsExportConfiguration"] = {
                "EnableLogTypes": sorted(after - before),
                "DisableLogTypes": sorted(before - after),
            }
        fields = self._update_tags(change, tree)
        if arguments:
            self.rds.modify_db_cluster(
                DBClusterIdentifier=self.name, ApplyImmediately=True, aws_retry=True, **arguments
            )
            fields["status"] = "modifying"
        return fields

    def _delete_cluster(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        wait_for(
            self.module,
            f"the instances of cluster {self.name} to disappear",
            lambda: not self._instances(),
            self.params["wait_timeout"],
            self.delay,
        )
        snapshot = self.params["final_snapshot_name"]
        choice = {"FinalDBSnapshotIdentifier": snapshot} if snapshot else {"SkipFinalSnapshot": True}
        self.rds.delete_db_cluster(DBClusterIdentifier=self.name, aws_retry=True, **choice)
        self._await_no_cluster()
        return {}

    def _create_instance(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        wait_for(
            self.module,
            f"the deletion of the earlier instance {change.name}",
            lambda: change.name not in {instance["DBInstanceIdentifier"] for instance in self._instances()},
            self.params["wait_timeout"],
            self.delay,
        )
        upgrade = change.after.get("auto_minor_version_upgrade")
        arguments = {
            "DBInstanceIdentifier": change.name,
            "DBClusterIdentifier": self.name,
            "Engine": "aurora-mysql",
            "DBInstanceClass": change.after["instance_class"],
            "PromotionTier": change.after["promotion_tier"],
            "PubliclyAccessible": False,
            "Tags": tags_to_list(change.after.get("tags")),
            **({} if upgrade is None else {"AutoMinorVersionUpgrade": upgrade}),
        }
        try:
            answer = self.rds.create_db_instance(aws_retry=True, **arguments)
        except is_boto3_error_code("InvalidDBClusterStateFault"):
            self._await_cluster()  # it is being changed; a new one takes instances at once
            answer = self.rds.create_db_instance(aws_retry=True, **arguments)
        first = not any(_plan.kind_of(key) == "instance" for key in tree)
        return {"arn": answer["DBInstance"]["DBInstanceArn"], "status": "creating", "writer": first}

    def _update_instance(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        targets = {"instance_class": "DBInstanceClass", "promotion_tier": "PromotionTier"}
        targets["auto_minor_version_upgrade"] = "AutoMinorVersionUpgrade"
        arguments = {target: change.after[name] for name, target in targets.items() if name in change.after}
        fields = self._update_tags(change, tree)
        if arguments:
            # One at a time, so that the cluster fails over to an instance that is up.
            self._await_instances()
            self.rds.modify_db_instance(
                DBInstanceIdentifier=change.name, ApplyImmediately=True, aws_retry=True, **arguments
            )
            fields["status"] = "modifying"
        return fields

    def _delete_instance(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self.rds.delete_db_instance(DBInstanceIdentifier=change.name, SkipFinalSnapshot=True, aws_retry=True)
        return {}

    def _update_tags(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        _owned.write_tags(self.rds, tree[change.key]["arn"], change)
        return {}

    # Waiting

    @property
    def delay(self) -> float:
        """Seconds between two looks: many for a long wait, as RDS limits how often one may ask."""
        return min(10.0, self.params["wait_timeout"] / 20)

    def _is_settled(self, what: str, status: str, pending: bool = False) -> bool:
        if status.startswith(FAILED):
            self.module.fail_json(
                msg=f"{what} is in the state {status!r}, from which it does not become available by itself."
            )
        return not pending and not status.startswith(UNDER_WAY)

    def _await_cluster(self) -> None:
        def settled() -> bool:
            every = [cluster_fields(cluster)["status"] for cluster in self._clusters()]
            return all(self._is_settled(f"Cluster {self.name}", status) for status in every)

        wait_for(self.module, f"cluster {self.name} to be available", settled, self.params["wait_timeout"], self.delay)

    def _await_instances(self) -> None:
        def settled() -> bool:
            every = [instance_fields(instance, False) for instance in self._instances()]
            return all(self._is_settled(f"Instance {one['arn']}", one["status"], one["pending"]) for one in every)

        what = f"the instances of cluster {self.name} to be available"
        wait_for(self.module, what, settled, self.params["wait_timeout"], self.delay)

    def _await_no_cluster(self) -> None:
        what = f"cluster {self.name} to disappear"
        wait_for(self.module, what, lambda: not self._clusters(), self.params["wait_timeout"], self.delay)

    def settle(self, tree: _plan.Tree) -> _plan.Tree:
        watched = [fields["status"] for key, fields in tree.items() if _plan.kind_of(key) in ("cluster", "instance")]
        if not self.params["wait"] or not any(status.startswith(UNDER_WAY) for status in watched):
            return tree
        self._await_cluster()
        self._await_instances()
        return self.read()

    # Reporting

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        cluster = tree.get(f"cluster/{self.name}")
        names = {"cluster_arn": "arn", "endpoint": "endpoint", "reader_endpoint": "reader_endpoint"}
        names.update(port="port", master_secret_arn="master_secret_arn", engine_version="engine_version")
        facts = {name: cluster.get(field) or _plan.UNKNOWN if cluster else None for name, field in names.items()}
        kept = ("database_name", "master_username", "deletion_protection")
        facts.update({name: cluster.get(name) if cluster else None for name in kept})
        facts["instances"] = [
            {
                "name": _plan.name_of(key),
                "instance_class": fields["instance_class"],
                "availability_zone": fields.get("availability_zone", _plan.UNKNOWN),
                "writer": fields.get("writer", _plan.UNKNOWN),
            }
            for key, fields in sorted(tree.items())
            if _plan.kind_of(key) == "instance"
        ]
        return facts
