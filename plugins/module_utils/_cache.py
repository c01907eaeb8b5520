# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ElastiCache's modules share: listing, subnet group, parameter group, the password and the waits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from . import _owned, _plan
from ._aws import Planned, tags_to_dict, tags_to_list, wait_for

MISSING = (
    "ReplicationGroupNotFoundFault",
    "ReplicationGroupNotFound",
    "CacheSubnetGroupNotFoundFault",
    "CacheParameterGroupNotFound",
    "CacheClusterNotFound",
    "ServerlessCacheNotFoundFault",
    "UserGroupNotFound",
    "UserNotFound",
)
#: What AWS answers when a cache is too young to be asked for its tags.
YOUNG = (
    "InvalidReplicationGroupState",
    "InvalidCacheClusterState",
    "CacheClusterNotFound",
    "InvalidServerlessCacheStateFault",
)
#: How the states begin in which a cache takes no further change.
UNDER_WAY = ("creating", "modifying", "snapshotting", "rebooting")


def parameter_group_name(name: str, group_family: str) -> str:
    """Return the name of our parameter group for a family; another family means another group."""
    return f"{name}-{group_family.replace('.', '-')}"


class CacheFamily(Planned):
    """Base of the families around one cache.

    A subclass sets ``families`` (those whose parameter groups, named after the cache and the family, are ours),
    ``creation_parameters`` (what a new parameter group gets) and ``subnet_group`` (the name of its subnet group).
    """

    families: Sequence[str] = ()
    creation_parameters: Mapping[str, str] = {}
    kind = ""

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.cache = self.client("elasticache")
        self.name = self.params["name"].lower()
        self.subnet_group = self.name
        self.key = f"{self.kind}/{self.name}"
        self.deleting = self.params["state"] == "absent"

    # Reading

    def _list(self, operation: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
        return _owned.listed(self.cache, operation, key, MISSING, **arguments)

    def _tags(self, arn: str) -> dict[str, str] | None:
        """Return a resource's tags, or None for a cache that is too young to be asked for them; before a removal wait for it."""
        try:
            return tags_to_dict(self.cache.list_tags_for_resource(ResourceName=arn, aws_retry=True)["TagList"])
        except is_boto3_error_code(list(YOUNG)):
            if not self.deleting:
                return None
            self._await_settled()
            return tags_to_dict(self.cache.list_tags_for_resource(ResourceName=arn, aws_retry=True)["TagList"])

    def _read_subnet_group(self) -> _plan.Tree:
        return {
            f"subnet_group/{self.subnet_group}": {
                "subnet_ids": sorted(subnet["SubnetIdentifier"] for subnet in group["Subnets"]),
                "arn": group["ARN"],
                "tags": self._tags(group["ARN"]),
            }
            for group in self._list(
                "describe_cache_subnet_groups", "CacheSubnetGroups", CacheSubnetGroupName=self.subnet_group
            )
        }

    def _read_parameter_groups(self) -> _plan.Tree:
        own = {parameter_group_name(self.name, item) for item in self.families}
        return {
            f"parameter_group/{group['CacheParameterGroupName']}": self._parameter_group(group)
            for group in self._list("describe_cache_parameter_groups", "CacheParameterGroups")
            if group["CacheParameterGroupName"] in own
        }

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

    def _refuse_foreign(self, tree: _plan.Tree) -> None:
        for key, fields in tree.items():
            if fields["tags"] is not None:
                what = f"the {key.replace('_', ' ').replace('/', ' ', 1)}"
                _owned.refuse_foreign(what, fields["tags"], self.params["tags"], self.deleting)

    # Wanting

    def _wanted_groups(self, current: _plan.Tree, group_family: str) -> _plan.Tree:
        """Return the subnet group and the parameter group of a family, without tags."""
        parameter_group = f"parameter_group/{parameter_group_name(self.name, group_family)}"
        given = self.params["parameters"]
        if parameter_group not in current:
            given = {**self.creation_parameters, **(given or {})}
        known = current.get(parameter_group, {}).get("parameters")
        return {
            f"subnet_group/{self.subnet_group}": {"subnet_ids": sorted(self.params["subnet_ids"])},
            parameter_group: {
                "family": group_family,
                "parameters": _owned.merged_parameters(known, given, "parameters"),
            },
        }

    def _tagged(self, current: _plan.Tree, tree: _plan.Tree) -> _plan.Tree:
        """Return a wanted tree with the tags each resource should end with."""
        for key, fields in tree.items():
            tags = current.get(key, {}).get("tags")
            unreadable = key in current and tags is None
            wanted = None if unreadable else self.params["tags"]
            fields["tags"] = _owned.wanted_tags(_plan.name_of(key), tags, wanted, self.params["purge_tags"])
        return tree

    def _reported(self, group: _plan.Fields, wanted: _plan.Fields, late: Sequence[str]) -> _plan.Fields:
        """Leave out what AWS does not report: it is sent at creation, then cannot be compared."""
        young = late if group["status"] == "creating" else ()
        return {name: value for name, value in wanted.items() if group.get(name) is not None and name not in young}

    # Writing

    def _create_subnet_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        answer = self.cache.create_cache_subnet_group(
            CacheSubnetGroupName=change.name,
            CacheSubnetGroupDescription=f"Subnets of {self.name}",
            SubnetIds=change.after["subnet_ids"],
            Tags=tags_to_list(change.after.get("tags")),
            aws_retry=True,
        )
        return {"arn": answer["CacheSubnetGroup"]["ARN"]}

    def _update_subnet_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        if "subnet_ids" in change.after:
            self.cache.modify_cache_subnet_group(
                CacheSubnetGroupName=change.name, SubnetIds=change.after["subnet_ids"], aws_retry=True
            )
        return self._update_tags(change, tree)

    def _delete_subnet_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_gone()
        self.cache.delete_cache_subnet_group(CacheSubnetGroupName=change.name, aws_retry=True)
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
            self._await_gone()
        self.cache.delete_cache_parameter_group(CacheParameterGroupName=change.name, aws_retry=True)
        return {}

    def _update_tags(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        _owned.write_tags(self.cache, tree[change.key]["arn"], change)
        return {}

    def _auth_token(self) -> str:
        """Read the password from Secrets Manager; it goes to ElastiCache alone, and Ansible masks it should an error hold it."""
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

    # Waiting

    @property
    def delay(self) -> float:
        """Seconds between two looks."""
        return min(10.0, self.params["wait_timeout"] / 20)

    def _wait(self, what: str, probe: Callable[[], bool]) -> None:
        wait_for(self.module, what, probe, self.params["wait_timeout"], self.delay)

    def _described(self) -> list[dict[str, Any]]:
        """Return the cache as AWS describes it, with C(Status); nothing when there is none."""
        raise NotImplementedError

    def _await_settled(self) -> None:
        """Wait until the cache takes changes; fail when its creation failed."""

        def settled() -> bool:
            found = self._described()
            if not self.deleting and any(one["Status"] == "create-failed" for one in found):
                what = self.kind.replace("_", " ")
                self.module.fail_json(
                    msg=f"ElastiCache failed to create the {what} {self.name}. Delete it and run again."
                )
            return bool(found) and not found[0]["Status"].startswith(UNDER_WAY)

        self._wait(f"{self.kind.replace('_', ' ')} {self.name} to be available", settled)

    def _await_gone(self) -> None:
        self._wait(f"{self.kind.replace('_', ' ')} {self.name} to disappear", lambda: not self._described())

    def settle(self, tree: _plan.Tree) -> _plan.Tree:
        if not self.params["wait"] or tree[self.key]["status"] == "available":
            return tree
        self._await_settled()
        return self.read()

    # Reporting

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        """Return the facts that all caches have, whatever their kind; what a kind has not is null."""
        group = tree.get(self.key)
        known = ("arn", "primary_endpoint", "reader_endpoint", "configuration_endpoint", "engine", "engine_version")
        facts: dict[str, Any] = {name: self._fact(group, name) for name in known}
        facts["port"] = self._fact(group, "port")
        facts["tls"] = None if group is None else bool(group.get("transit_encryption"))
        facts["user"] = self._user_fact(tree)
        facts["settled"] = None if group is None else self._is_settled(group)
        return facts

    #: Facts that this kind of cache does not have.
    lacking: Sequence[str] = ()

    def _fact(self, group: _plan.Fields | None, name: str) -> Any:
        if group is None or name in self.lacking:
            return None
        return group.get(name) or _plan.UNKNOWN

    def _user_fact(self, tree: _plan.Tree) -> str | None:
        return None

    def _is_settled(self, group: _plan.Fields) -> bool:
        """Tell whether nothing is under way; in check mode, whether nothing will be after the run."""
        status, wait = group.get("status"), bool(self.params["wait"])
        if self.module.check_mode and self.params["state"] == "present" and (wait or status is None):
            return wait
        return not str(status).startswith(UNDER_WAY)
