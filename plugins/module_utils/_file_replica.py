# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The copy of a file system that EFS keeps in another region."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from . import _aws, _owned, _plan
from ._network import PART_TAG

#: On the source: the region of the copy. Set before the replication begins and removed when the copy is gone, so that a killed run is resumed.
REPLICA_TAG = "wordpress_ha:replica"


class Replicas(_aws.Planned):
    """``replica/<region>``, for the option C(replication_region): unset leaves it alone, empty removes it."""

    name = ""
    key = ""
    api: Any = None

    def _pages(self, operation: str, items: str, api: Any = None, **arguments: Any) -> list[dict[str, Any]]:
        """Return all pages of a listing; EFS calls the token by two pairs of names."""
        result: list[dict[str, Any]] = []
        token: dict[str, Any] = {}
        while True:
            page = getattr(api or self.api, operation)(aws_retry=True, **arguments, **token)
            result += page[items]
            if page.get("NextMarker"):
                token = {"Marker": page["NextMarker"]}
            elif page.get("NextToken"):
                token = {"NextToken": page["NextToken"]}
            else:
                return result

    def _wait(self, what: str, probe: Callable[[], bool]) -> None:
        _aws.wait_for(self.module, what, probe, self.params["wait_timeout"], delay=3)

    # Reading

    def _destinations(self, file_system: str) -> list[dict[str, Any]]:
        try:
            found = self._pages("describe_replication_configurations", "Replications", FileSystemId=file_system)
        except is_boto3_error_code("ReplicationNotFound"):
            return []
        return [
            destination
            for replication in found
            if replication["SourceFileSystemId"] == file_system
            for destination in replication["Destinations"]
        ]

    def _read_replica(self, file_system: str, marked: str | None) -> _plan.Tree:
        """Return the copy; nothing is asked unless the source is marked or a replication is wanted."""
        if not marked and not self.params["replication_region"]:
            return {}
        for destination in self._destinations(file_system):
            if destination["Status"] != "DELETING":
                copies = self._copies(destination["Region"], FileSystemId=destination["FileSystemId"])
                return {f"replica/{destination['Region']}": _copy_fields(copy, True) for copy in copies}
        if not marked:
            return {}
        mine = [copy for copy in self._copies(marked) if _aws.tags_to_dict(copy.get("Tags")).get(PART_TAG) == self.copy]
        return {f"replica/{marked}": _copy_fields(copy, False) for copy in mine}

    @property
    def copy(self) -> str:
        """Name of the copy."""
        return f"{self.name}-replica"

    def _copies(self, region: str, **arguments: Any) -> list[dict[str, Any]]:
        found = self._pages("describe_file_systems", "FileSystems", api=self._there(region), **arguments)
        return [copy for copy in found if copy["LifeCycleState"] not in ("deleting", "deleted")]

    def _there(self, region: str) -> Any:
        return self.client("efs", region=region, retried=["IncorrectFileSystemLifeCycleState"])

    # Wanting

    def _wanted_replica(self, current: _plan.Tree) -> _plan.Tree:
        region = self.params["replication_region"]
        if region is None:
            return {key: {} for key in current if _plan.kind_of(key) == "replica"}
        if not region:
            return {}
        key = f"replica/{region}"
        now = current.get(key, {}).get("tags")
        tags = _owned.wanted_tags(self.copy, now, self.params["tags"] or {}, self.params["purge_tags"])
        return {key: {"replicating": True, "tags": {**(tags or {}), PART_TAG: self.copy}}}

    def arranged(self, changes: list[_plan.Change]) -> list[_plan.Change]:
        """A file system has one copy: the old one goes before the new one comes."""

        def first(change: _plan.Change) -> bool:
            return change.kind == "replica" and change.action == _plan.DELETE

        return [one for one in changes if first(one)] + [one for one in changes if not first(one)]

    # Writing

    def _replicate(self, file_system: str, **destination: Any) -> dict[str, Any]:
        answer = self.api.create_replication_configuration(
            SourceFileSystemId=file_system, Destinations=[destination], aws_retry=True
        )
        return dict(answer["Destinations"][0])

    def _create_replica(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        source, region = tree[self.key]["id"], change.name
        mark = [{"Key": REPLICA_TAG, "Value": region}]
        self.api.tag_resource(ResourceId=source, Tags=mark, aws_retry=True)
        self._wait("the former replication to be gone", lambda: not self._destinations(source))
        copy = self._replicate(source, Region=region)["FileSystemId"]
        tags = _aws.tags_to_list(change.after["tags"])
        self._there(region).tag_resource(ResourceId=copy, Tags=tags, aws_retry=True)
        return {"id": copy}

    def _update_replica(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        copy, there = tree[change.key]["id"], self._there(change.name)
        if "replicating" in change.after:  # what a killed removal left; EFS protects it from being overwritten
            there.update_file_system_protection(
                FileSystemId=copy, ReplicationOverwriteProtection="DISABLED", aws_retry=True
            )
            self._replicate(tree[self.key]["id"], FileSystemId=copy, Region=change.name)
        if "tags" in change.after:
            setting, removing = _owned.tag_changes(change.before["tags"], change.after["tags"])
            if setting:
                there.tag_resource(ResourceId=copy, Tags=_aws.tags_to_list(setting), aws_retry=True)
            if removing:
                there.untag_resource(ResourceId=copy, TagKeys=removing, aws_retry=True)
        return {}

    def _delete_replica(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        source, copy, there = tree[self.key]["id"], change.before["id"], self._there(change.name)
        if change.before["replicating"]:
            self.api.delete_replication_configuration(SourceFileSystemId=source, aws_retry=True)
            self._wait(f"the replication of {self.name} to be gone", lambda: not self._destinations(source))
        if change.before["tags"].get(PART_TAG) == self.copy:
            there.delete_file_system(FileSystemId=copy, aws_retry=True)

            def gone() -> bool:
                try:
                    return not self._copies(change.name, FileSystemId=copy)
                except is_boto3_error_code("FileSystemNotFound"):
                    return True

            self._wait(f"the copy {copy} of {self.name} to be gone", gone)
        self.api.untag_resource(ResourceId=source, TagKeys=[REPLICA_TAG], aws_retry=True)
        return {}

    # Reporting

    def _replica_fact(self, tree: _plan.Tree) -> dict[str, Any] | None:
        for key, fields in tree.items():
            if _plan.kind_of(key) == "replica":
                return {"region": _plan.name_of(key), "file_system_id": fields.get("id", _plan.UNKNOWN)}
        return None


def _copy_fields(copy: dict[str, Any], replicating: bool) -> _plan.Fields:
    return {"id": copy["FileSystemId"], "replicating": replicating, "tags": _aws.tags_to_dict(copy.get("Tags"))}
