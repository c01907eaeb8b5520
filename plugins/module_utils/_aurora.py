# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource family of the module aurora_cluster: what is wanted of a cluster, and how it is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from . import _aurora_rules as rules
from . import _owned, _plan
from ._aurora_fields import (
    BORN_WITH,
    CLUSTER_FIELDS,
    CREATION_DEFAULTS,
    INSTANCE_FIELDS,
    RESTORED_WITH,
    SERVERLESS,
    cluster_arguments,
    cluster_fields,
    family_of,
    group_name,
    instance_arguments,
    instance_names,
    instance_number,
    major,
    merged_capacity,
    newest,
    same_key,
    spread,
)
from ._aurora_reader import GROUPS, UNDER_WAY, AuroraReader
from ._aws import tags_to_list, wait_for


class Aurora(AuroraReader):
    """Subnet group, parameter groups, cluster and instances of one Aurora MySQL cluster."""

    order = ("subnet_group", "parameter_group", "instance_parameter_group", "cluster", "instance")
    purge = ("instance",)
    immutable = {
        "parameter_group": ("family",),
        "instance_parameter_group": ("family",),
        "cluster": ("database_name", "master_username", "storage_encrypted", "kms_key_id"),
        "instance": ("availability_zone",),
    }

    # Wanting

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        cluster = current.get(self.key)
        origin = self._origin(cluster)
        own = self._wanted_cluster(cluster, origin)
        version = own["engine_version"] or (cluster or origin).get("engine_version")
        tree: _plan.Tree = {f"subnet_group/{self.name}": {"subnet_ids": sorted(self.params["subnet_ids"])}}
        groups = self._wanted_groups(current, version)
        tree.update(groups)
        own["parameter_group"] = next(_plan.name_of(key) for key in groups if _plan.kind_of(key) == "parameter_group")
        tree[self.key] = own
        tree.update(self._wanted_instances(current, groups, version))
        for key, fields in tree.items():
            tags = current.get(key, {}).get("tags")
            if key not in current or tags is not None:
                wanted, purge = self.params["tags"], self.params["purge_tags"]
                fields["tags"] = _owned.wanted_tags(_plan.name_of(key), tags, wanted, purge)
        return tree

    def _origin(self, cluster: _plan.Fields | None) -> _plan.Fields:
        """Return what a cluster to be restored comes from, checked; nothing unless there is one to restore."""
        restore = self.params["restore"]
        if not restore:
            return {}
        if cluster is not None:
            # Not by amazon.aws's own method, whose way to pass a warning on is deprecated, and says so each time.
            self.module._module.warn(
                f"restore is given and cluster {self.name} exists: nothing is restored into it. Leave restore out from now on, "
                "or the next cluster of this name is restored again."
            )
            return {}
        if restore["snapshot"]:
            name = restore["snapshot"]
            found = self._snapshots(name)
            rules.check_snapshot(name, found, self.params)
            return {**cluster_fields(found[0]), "restored_from": f"snapshot {name}"}
        name = restore["cluster"]
        found = self._clusters(name)
        rules.check_source(name, found, self.params)
        return {
            **cluster_fields(found[0]),
            "restored_from": f"cluster {name} at {restore['time'] or 'the latest time'}",
        }

    def _wanted_cluster(self, cluster: _plan.Fields | None, origin: _plan.Fields) -> _plan.Fields:
        given = self.params
        own = {name: given[name] for name in CLUSTER_FIELDS if name in given}
        own["serverless"] = merged_capacity((cluster or {}).get("serverless"), given["serverless"])
        if SERVERLESS in rules.classes(given) and not (own["serverless"] or (cluster or origin).get("serverless")):
            raise _plan.Refused(
                f"instance_class is {SERVERLESS!r} and serverless is not set: give serverless.min_capacity and max_capacity."
            )
        running = (cluster or origin).get("engine_version")
        if cluster is None:
            own.update({name: value for name, value in CREATION_DEFAULTS.items() if own[name] is None})
        if cluster is None and origin:
            own.update({name: origin.get(name) for name in ("restored_from", "master_username", "database_name")})
        if cluster is not None:
            auto_minor = given["auto_minor_version_upgrade"] is not False
            own["engine_version"] = rules.wanted_version(
                cluster["engine_version"],
                own["engine_version"],
                given["allow_major_upgrade"],
                auto_minor,
                cluster["arn"],
            )
            own["kms_key_id"] = same_key(cluster["kms_key_id"], own["kms_key_id"])
            own["database_name"] = own["database_name"] if cluster["database_name"] else None  # restored, or without
        elif _owned.same_version(running, own["engine_version"]):
            own["engine_version"] = running
        wanted = own["engine_version"]
        if wanted is not None and wanted != running:
            own["engine_version"] = rules.check_version(wanted, newest(self._offered, wanted), self._offered)
        for window in ("backup_window", "maintenance_window"):
            own[window] = own[window].lower() if own[window] else None
        rules.check_windows(own, cluster or {})
        own.update(
            security_group_ids=sorted(given["security_group_ids"]),
            managed_password=True,
            log_exports=sorted(given["log_exports"]) if given["log_exports"] is not None else None,
        )
        return own

    def _wanted_groups(self, current: _plan.Tree, version: str | None) -> _plan.Tree:
        family = self.params["parameter_group_family"] or family_of(version)
        running = current.get(self.key, {}).get("engine_version")
        tree: _plan.Tree = {}
        for kind, option in (("parameter_group", "parameters"), ("instance_parameter_group", "instance_parameters")):
            wanted = self.params[option]
            if wanted is None and kind == "instance_parameter_group":
                continue
            there = {_plan.name_of(key): fields for key, fields in current.items() if _plan.kind_of(key) == kind}
            # After a major upgrade the former group stays: a snapshot of before needs it. It goes with the cluster.
            name = self._group([one for one in there if there[one]["family"] == family_of(running)], running)
            now = there.get(name)
            former = {} if now else next((one.get("parameters") for one in there.values()), None) or {}
            merged = _owned.merged_parameters((now or {}).get("parameters") or former, wanted, option)
            tree[f"{kind}/{name}"] = {"family": family, "parameters": merged if merged is not None else former or None}
        return tree

    def _wanted_instances(self, current: _plan.Tree, groups: _plan.Tree, version: str | None) -> _plan.Tree:
        given = self.params
        there = {_plan.name_of(key): fields for key, fields in current.items() if _plan.kind_of(key) == "instance"}
        names = instance_names(self.name, there, given["readers"])
        group = next((_plan.name_of(key) for key in groups if _plan.kind_of(key) == "instance_parameter_group"), None)
        tree: _plan.Tree = {}
        for name in names:
            number = instance_number(self.name, name) or 0
            special = given["instances"].get(str(number), {})
            own = {field: given[field] for field in INSTANCE_FIELDS if field in given}
            own["instance_class"] = special.get("instance_class") or given["instance_class"]
            own["promotion_tier"] = special.get("promotion_tier")
            if own["promotion_tier"] is None:
                # Serverless readers of the tiers 0 and 1 follow the writer's capacity, ready to take over; others do not.
                last = 2 if own["instance_class"] == SERVERLESS else 1
                own["promotion_tier"] = min(number - 1, last)
            own["maintenance_window"] = given["maintenance_window"].lower() if given["maintenance_window"] else None
            own.update(parameter_group=group, availability_zone=special.get("zone"))
            tree[f"instance/{name}"] = own
        self._place(current, tree, version)
        return tree

    def _place(self, current: _plan.Tree, instances: _plan.Tree, version: str | None) -> None:
        """Give new instances their zones; ask whether their classes, and changed ones, are offered there."""
        group = current.get(f"subnet_group/{self.name}", {})
        zones = group.get("zones", [])
        if not _plan.is_known(self.params["subnet_ids"]):
            zones = []
        elif group.get("subnet_ids") != sorted(self.params["subnet_ids"]):
            zones = rules.check_subnets(self.params["subnet_ids"], self._subnets())
        zones = rules.check_zones(self.params["zones"], zones) if zones else []
        offers: dict[str, list[str]] = {}
        for key, fields in instances.items():
            name = fields["instance_class"]
            if current.get(key, {}).get("instance_class") != name and name not in offers:
                offers[name] = rules.check_offer(name, version, self._options(name, version), zones)
        fitting = [zone for zone in zones if all(not offer or zone in offer for offer in offers.values())]
        known = {
            _plan.name_of(key): fields.get("availability_zone") for key, fields in current.items() if key in instances
        }
        names = [_plan.name_of(key) for key in instances]
        placed = spread(fitting or zones, known, names) if zones else {}
        for key, fields in instances.items():
            special = fields["availability_zone"]
            if special and zones and special not in zones:
                raise _plan.Refused(f"instances puts {key} into {special}: use some of {', '.join(zones)}.")
            if key not in current and not special:
                fields["availability_zone"] = placed.get(_plan.name_of(key), _plan.UNKNOWN)

    def _subnets(self) -> list[dict[str, Any]]:
        ids = [{"Name": "subnet-id", "Values": sorted(self.params["subnet_ids"])}]
        return _owned.listed(self.client("ec2"), "describe_subnets", "Subnets", Filters=ids)

    def _options(self, name: str, version: str | None) -> list[dict[str, Any]]:
        call, key = "describe_orderable_db_instance_options", "OrderableDBInstanceOptions"
        release = {"EngineVersion": version} if version else {}
        return self._describe(call, key, Engine="aurora-mysql", DBInstanceClass=name, **release)

    def judged(self, changes: list[_plan.Change]) -> Iterable[tuple[str, str, Mapping[str, Any]]]:
        for change in changes:
            if change.kind == "parameter_group" and change.after.get("parameters"):
                items = _parameter_items(change.after["parameters"])
                yield "rds", "ModifyDBClusterParameterGroup", {"Parameters": items}
            if change.action == _plan.CREATE and change.kind == "cluster":
                yield "rds", "CreateDBCluster", {"StorageEncrypted": change.after.get("storage_encrypted")}

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
        word = GROUPS[change.kind][0]
        create = getattr(
            self.rds,
            "create_db_cluster_parameter_group" if change.kind == "parameter_group" else "create_db_parameter_group",
        )
        answer = create(
            DBParameterGroupFamily=change.after["family"],
            Description=f"Parameters of {self.name}",
            Tags=tags_to_list(change.after.get("tags")),
            aws_retry=True,
            **{f"{word}Name": change.name},
        )
        self._set_parameters(change.key, change.after.get("parameters") or {})
        return {"arn": answer[word][f"{word}Arn"]}

    def _update_parameter_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        after = change.after.get("parameters", {})
        self._set_parameters(change.key, _owned.changed_parameters(change.before.get("parameters"), after))
        return self._update_tags(change, tree)

    def _set_parameters(self, key: str, parameters: Mapping[str, str]) -> None:
        if not parameters:
            return
        dynamic = {item["ParameterName"] for item in self._parameters(key) if item.get("ApplyType") == "dynamic"}
        cluster = _plan.kind_of(key) == "parameter_group"
        modify = self.rds.modify_db_cluster_parameter_group if cluster else self.rds.modify_db_parameter_group
        named = {f"{GROUPS[_plan.kind_of(key)][0]}Name": _plan.name_of(key)}
        for batch in _owned.batches(_parameter_items(parameters, dynamic), 20):
            modify(Parameters=batch, aws_retry=True, **named)

    def _delete_parameter_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_no_cluster()
        cluster = change.kind == "parameter_group"
        delete = self.rds.delete_db_cluster_parameter_group if cluster else self.rds.delete_db_parameter_group
        delete(aws_retry=True, **{f"{GROUPS[change.kind][0]}Name": change.name})
        return {}

    _create_instance_parameter_group = _create_parameter_group
    _update_instance_parameter_group = _update_parameter_group
    _delete_instance_parameter_group = _delete_parameter_group

    def _create_cluster(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_no_cluster()  # one that is being deleted still holds the name
        if "restored_from" in change.after:
            return self._restore_cluster(change)
        answer = self.rds.create_db_cluster(
            DBClusterIdentifier=self.name,
            Engine="aurora-mysql",
            aws_retry=True,
            **self._birth_arguments(change.after),
            **cluster_arguments(change.after),
        )
        return {**cluster_fields(answer["DBCluster"]), "status": "creating", "tags": change.after.get("tags", {})}

    def _birth_arguments(self, fields: _plan.Fields) -> dict[str, Any]:
        exports = {"EnableCloudwatchLogsExports": fields["log_exports"]} if fields.get("log_exports") else {}
        return {"DBSubnetGroupName": self.name, "Tags": tags_to_list(fields.get("tags")), **exports}

    def _restore_cluster(self, change: _plan.Change) -> _plan.Fields:
        """Restore, wait (AWS changes a cluster only once it is there), and give it what the restoring call does not take."""
        restore, fields = self.params["restore"], change.after
        arguments = self._birth_arguments(fields)
        arguments.update(cluster_arguments({name: fields[name] for name in RESTORED_WITH if name in fields}))
        if restore["snapshot"]:
            (snapshot,) = self._snapshots(restore["snapshot"])
            if fields.get("storage_encrypted") and not snapshot.get("StorageEncrypted"):
                arguments.setdefault("KmsKeyId", "alias/aws/rds")
            if fields.get("engine_version") not in (None, snapshot["EngineVersion"]):
                arguments["EngineVersion"] = fields["engine_version"]
            self.rds.restore_db_cluster_from_snapshot(
                DBClusterIdentifier=self.name,
                SnapshotIdentifier=snapshot["DBClusterSnapshotArn"],
                Engine="aurora-mysql",
                aws_retry=True,
                **arguments,
            )
        else:
            moment = {"RestoreToTime": restore["time"]} if restore["time"] else {"UseLatestRestorableTime": True}
            self.rds.restore_db_cluster_to_point_in_time(
                DBClusterIdentifier=self.name,
                SourceDBClusterIdentifier=restore["cluster"],
                aws_retry=True,
                **moment,
                **arguments,
            )
        self._await_cluster()
        restored = cluster_fields(self._clusters()[0])
        rest = {name: value for name, value in fields.items() if name not in BORN_WITH and restored.get(name) != value}
        after = _plan.Change(_plan.UPDATE, change.key, {name: restored.get(name) for name in rest}, rest)
        return {**restored, **self._modify_cluster(after)}

    def _update_cluster(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_cluster()
        self._update_tags(change, tree)
        return self._modify_cluster(change)

    def _modify_cluster(self, change: _plan.Change) -> _plan.Fields:
        arguments = cluster_arguments(change.after)
        if "log_exports" in change.after:
            before, after = set(change.before["log_exports"] or []), set(change.after["log_exports"])
            arguments["CloudwatchLogsExportConfiguration"] = {
                "EnableLogTypes": sorted(after - before),
                "DisableLogTypes": sorted(before - after),
            }
        version = change.after.get("engine_version")
        if version and major(version) != major(change.before["engine_version"]):
            arguments["AllowMajorVersionUpgrade"] = True
            group = f"default.{family_of(version)}"
            if self.params["instance_parameters"] is not None:
                group = group_name(self.name, None, change.before["engine_version"], family_of(version))
            arguments["DBInstanceParameterGroupName"] = group
        if not arguments:
            return {}
        answer = self.rds.modify_db_cluster(
            DBClusterIdentifier=self.name, ApplyImmediately=True, aws_retry=True, **arguments
        )
        secret = answer["DBCluster"].get("MasterUserSecret", {}).get("SecretArn")
        return {"status": "modifying", **({"master_secret_arn": secret} if secret else {})}

    def _delete_cluster(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        wait_for(
            self.module,
            f"the instances of cluster {self.name} to disappear",
            lambda: not self._instances(),
            self.params["wait_timeout"],
            self.delay,
        )
        snapshot = change.before.get("final_snapshot")
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
        arguments = {
            "DBInstanceIdentifier": change.name,
            "DBClusterIdentifier": self.name,
            "Engine": "aurora-mysql",
            "PubliclyAccessible": False,
            "Tags": tags_to_list(change.after.get("tags")),
            **instance_arguments(change.after),
        }
        try:
            answer = self.rds.create_db_instance(aws_retry=True, **arguments)
        except is_boto3_error_code("InvalidDBClusterStateFault"):
            self._await_cluster()  # it is being changed; a new one takes instances at once
            answer = self.rds.create_db_instance(aws_retry=True, **arguments)
        first = not any(_plan.kind_of(key) == "instance" for key in tree)
        return {"arn": answer["DBInstance"]["DBInstanceArn"], "status": "creating", "writer": first}

    def _update_instance(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        arguments = instance_arguments(change.after)
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

    def settle(self, tree: _plan.Tree) -> _plan.Tree:
        watched = [fields["status"] for key, fields in tree.items() if _plan.kind_of(key) in ("cluster", "instance")]
        if not self.params["wait"] or not any(status.startswith(UNDER_WAY) for status in watched):
            return tree
        self._await_cluster()
        self._await_instances()
        return self.read()

    # Reporting

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        cluster = tree.get(self.key)
        names = {"cluster_arn": "arn", "endpoint": "endpoint", "reader_endpoint": "reader_endpoint"}
        names.update(port="port", master_secret_arn="master_secret_arn", engine_version="engine_version")
        facts = {name: cluster.get(field) or _plan.UNKNOWN if cluster else None for name, field in names.items()}
        kept = ("database_name", "master_username", "deletion_protection")
        facts.update({name: cluster.get(name) if cluster else None for name in kept})
        every = [fields for key, fields in tree.items() if _plan.kind_of(key) in ("cluster", "instance")]
        facts["settled"] = all(self._seems_settled(fields) for fields in every) if cluster else None
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

    def _seems_settled(self, fields: _plan.Fields) -> bool:
        if "status" not in fields:  # predicted in check mode
            return bool(self.params["wait"])
        return not fields.get("pending") and not str(fields["status"]).startswith(UNDER_WAY)


def _parameter_items(parameters: Mapping[str, str], dynamic: Iterable[str] = ()) -> list[dict[str, str]]:
    """Return parameters as the modifying calls take them; only a dynamic one may be applied at once."""
    at_once = set(dynamic)
    return [
        {
            "ParameterName": name,
            "ParameterValue": value,
            "ApplyMethod": "immediate" if name in at_once else "pending-reboot",
        }
        for name, value in sorted(parameters.items())
    ]
