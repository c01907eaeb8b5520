# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading an Aurora cluster with all that belongs to it, and waiting for it.

A run that changes nothing makes four calls. Parameter groups that the cluster uses are not described, since their names, ARNs
and families follow from it, and tags of groups are listed only where the cluster's own, which are set after theirs, differ.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from . import _aurora_rules as rules
from . import _owned, _plan
from ._aurora_fields import (
    cluster_fields,
    family_of,
    group_name,
    group_names,
    instance_fields,
    instance_number,
    snapshot_name,
)
from ._aws import Planned, checked_items, tags_to_dict, wait_for

MISSING = (
    "DBSubnetGroupNotFoundFault",
    "DBParameterGroupNotFound",
    "DBParameterGroupNotFoundFault",
    "DBClusterParameterGroupNotFound",
    "DBClusterParameterGroupNotFoundFault",
    "DBClusterNotFoundFault",
    "DBClusterSnapshotNotFoundFault",
    "DBInstanceNotFound",
)
FAILED = ("failed", "incompatible-", "inaccessible-", "insufficient-", "restore-error", "stopped")
#: Work that users or AWS start at any time (a nightly backup) is none of these and is not waited for.
UNDER_WAY = ("creating", "modifying", "upgrading", "rebooting", "renaming", "starting", "configuring-")

#: What the two kinds of parameter groups differ in: the words of their calls, and of their ARNs.
GROUPS = {
    "parameter_group": ("DBClusterParameterGroup", "cluster-pg"),
    "instance_parameter_group": ("DBParameterGroup", "pg"),
}


class AuroraReader(Planned):
    """What exists of one Aurora MySQL cluster, by the least number of calls."""

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        spec = {"instance_class": {"type": "str"}, "promotion_tier": {"type": "int"}, "zone": {"type": "str"}}
        numbered = checked_items("instances", self.params["instances"], spec)
        self.params = {**self.params, "instances": {str(number): one for number, one in numbered.items()}}
        rules.check_input(self.params)
        self.rds = self.client("rds")
        self.name = self.params["name"].lower()
        self.key = f"cluster/{self.name}"
        self.deleting = self.params["state"] == "absent"

    # Reading

    def read(self) -> _plan.Tree:
        tree = self._read_cluster()
        if self.params["state"] != "gathered":
            cluster = tree.get(self.key)
            with_tags = self._wants_tags(cluster)
            tree = {**self._read_subnet_group(with_tags), **self._read_groups(cluster, tree, with_tags), **tree}
        for key, fields in tree.items():
            if fields["tags"] is not None:
                what = f"the {key.replace('_', ' ').replace('/', ' ')}"
                _owned.refuse_foreign(what, fields["tags"], self.params["tags"], self.deleting)
        if self.deleting and self.key in tree:
            self._refuse_deletion(tree[self.key])
        return tree

    def _read_cluster(self) -> _plan.Tree:
        tree: _plan.Tree = {}
        for cluster in self._clusters():
            if cluster["Status"] == "deleting":
                continue
            tree[self.key] = cluster_fields(cluster)
            writers = {
                member["DBInstanceIdentifier"]: member["IsClusterWriter"] for member in cluster["DBClusterMembers"]
            }
            for instance in self._instances():
                name = instance["DBInstanceIdentifier"]
                if instance["DBInstanceStatus"] != "deleting" and (self.deleting or instance_number(self.name, name)):
                    tree[f"instance/{name}"] = instance_fields(instance, writers.get(name, False))
        return tree

    def _wants_tags(self, cluster: _plan.Fields | None) -> bool:
        """Tell whether the tags of the groups must be known: they are written before the cluster's."""
        wanted = self.params["tags"]
        if self.deleting or cluster is None:
            return True
        merged = _owned.wanted_tags(self.name, cluster["tags"], wanted, self.params["purge_tags"])
        return wanted is not None and merged != cluster["tags"]

    def _read_subnet_group(self, with_tags: bool) -> _plan.Tree:
        found = self._describe("describe_db_subnet_groups", "DBSubnetGroups", DBSubnetGroupName=self.name)
        return {
            f"subnet_group/{self.name}": {
                "subnet_ids": sorted(subnet["SubnetIdentifier"] for subnet in group["Subnets"]),
                "zones": sorted({subnet["SubnetAvailabilityZone"]["Name"] for subnet in group["Subnets"]}),
                "arn": group["DBSubnetGroupArn"],
                "tags": self._tags(group["DBSubnetGroupArn"]) if with_tags else None,
            }
            for group in found
        }

    def _read_groups(self, cluster: _plan.Fields | None, tree: _plan.Tree, with_tags: bool) -> _plan.Tree:
        running = cluster["engine_version"] if cluster else None
        instances = [fields for key, fields in tree.items() if _plan.kind_of(key) == "instance"]
        attached = {
            "parameter_group": {cluster["parameter_group"]} if cluster else set(),
            "instance_parameter_group": {fields["parameter_group"] for fields in instances} - {None},
        }
        found: _plan.Tree = {}
        for kind, option in (("parameter_group", "parameters"), ("instance_parameter_group", "instance_parameters")):
            if self.deleting:
                found.update(self._described_groups(kind, None))
                continue
            if kind == "instance_parameter_group" and self.params[option] is None:
                continue
            ours = {name for name in attached[kind] if group_names(self.name).fullmatch(name)}
            for name in sorted(ours | {self._group(ours, running)}):
                if cluster and name in ours:
                    arn = cluster["arn"].replace(f":cluster:{self.name}", f":{GROUPS[kind][1]}:{name}")
                    found[f"{kind}/{name}"] = {"family": family_of(running), "arn": arn}
                else:
                    found.update(self._described_groups(kind, name))
        for key, fields in found.items():
            fields["tags"] = self._tags(fields["arn"]) if with_tags else None
            option = "parameters" if _plan.kind_of(key) == "parameter_group" else "instance_parameters"
            if not self.deleting and (self.params[option] is not None or len(found) > 1):
                fields["parameters"] = {
                    item["ParameterName"]: item["ParameterValue"]
                    for item in self._parameters(key, Source="user")
                    if item.get("ParameterValue") is not None
                }
        return found

    def _group(self, ours: Iterable[str], running: str | None) -> str:
        """Return the name of the parameter group that the wanted version needs."""
        family = self.params["parameter_group_family"] or family_of(self.params["engine_version"] or running)
        return group_name(self.name, max(ours, default=None), running, family)

    def _described_groups(self, kind: str, name: str | None) -> _plan.Tree:
        word = GROUPS[kind][0]
        call = "describe_db_cluster_parameter_groups" if kind == "parameter_group" else "describe_db_parameter_groups"
        named = {f"{word}Name": name} if name else {}
        return {
            f"{kind}/{group[f'{word}Name']}": {"family": group["DBParameterGroupFamily"], "arn": group[f"{word}Arn"]}
            for group in self._describe(call, f"{word}s", **named)
            if group_names(self.name).fullmatch(group[f"{word}Name"])
        }

    def _refuse_deletion(self, cluster: _plan.Fields) -> None:
        if cluster["deletion_protection"]:
            raise _plan.Refused(
                f"Cluster {self.name} has deletion protection. Nothing was deleted. "
                "To delete it, first run with state=present and deletion_protection=false."
            )
        name = snapshot_name(self.params["final_snapshot_name"], cluster)
        if not self.params["skip_final_snapshot"] and not name:
            raise _plan.Refused(
                f"Deleting cluster {self.name} needs final_snapshot_name, or skip_final_snapshot=true to lose its data."
            )
        if name and self._snapshots(name):
            raise _plan.Refused(
                f"final_snapshot_name is {name!r}: there is a snapshot of that name already. Nothing was deleted. "
                "Give another name; {created} in it stands for the time at which the cluster was created."
            )
        cluster["final_snapshot"] = name

    def _describe(self, call: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
        return _owned.listed(self.rds, call, key, MISSING, **arguments)

    def _clusters(self, name: str | None = None) -> list[dict[str, Any]]:
        return self._describe("describe_db_clusters", "DBClusters", DBClusterIdentifier=name or self.name)

    def _instances(self) -> list[dict[str, Any]]:
        filters = [{"Name": "db-cluster-id", "Values": [self.name]}]
        return self._describe("describe_db_instances", "DBInstances", Filters=filters)

    def _snapshots(self, name: str) -> list[dict[str, Any]]:
        shared = (
            {"IncludeShared": True} if name.startswith("arn:") else {}
        )  # another account's is known by its ARN alone
        call, key = "describe_db_cluster_snapshots", "DBClusterSnapshots"
        return self._describe(call, key, DBClusterSnapshotIdentifier=name, **shared)

    def _parameters(self, key: str, **arguments: Any) -> list[dict[str, Any]]:
        cluster = _plan.kind_of(key) == "parameter_group"
        call = "describe_db_cluster_parameters" if cluster else "describe_db_parameters"
        named = {f"{GROUPS[_plan.kind_of(key)][0]}Name": _plan.name_of(key)}
        return self._describe(call, "Parameters", **named, **arguments)

    def _tags(self, arn: str) -> dict[str, str]:
        return tags_to_dict(self.rds.list_tags_for_resource(ResourceName=arn, aws_retry=True)["TagList"])

    @functools.cached_property
    def _offered(self) -> list[str]:
        versions = self._describe("describe_db_engine_versions", "DBEngineVersions", Engine="aurora-mysql")
        return [one["EngineVersion"] for one in versions]

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
