# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource family of the module elasticache_serverless_cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import _plan
from ._aws import tags_to_list
from ._cache_users import KINDS, CacheUsers

#: What a new cache runs when the caller names no major version.
DEFAULT_VERSIONS = {"valkey": "8", "redis": "7", "memcached": "1.6"}
#: Options of limits -> (AWS's measure, bound).
LIMITS = {
    "min_gb": ("DataStorage", "Minimum"),
    "max_gb": ("DataStorage", "Maximum"),
    "min_ecpu": ("ECPUPerSecond", "Minimum"),
    "max_ecpu": ("ECPUPerSecond", "Maximum"),
}
#: Bounds AWS sets: GB of data, and ECPU a second.
BOUNDS = {"gb": (1, 5000), "ecpu": (1000, 15_000_000)}
#: Our field -> argument of CreateServerlessCache and, but for the last two, of ModifyServerlessCache.
ARGUMENTS = {
    "description": "Description",
    "engine": "Engine",
    "engine_version": "MajorEngineVersion",
    "security_group_ids": "SecurityGroupIds",
    "snapshot_retention_days": "SnapshotRetentionLimit",
    "snapshot_time": "DailySnapshotTime",
    "subnet_ids": "SubnetIds",
    "kms_key_id": "KmsKeyId",
}


def major(engine: str, version: str) -> str:
    """Return the part of a version that a serverless cache takes: ``8`` of Valkey's 8.1, ``1.6`` of Memcached's 1.6.22."""
    return ".".join(version.split(".")[: 2 if engine == "memcached" else 1])


def limits_of(described: Mapping[str, Any]) -> dict[str, int]:
    """Return the limits AWS describes by the names of our options, without those that are not set."""
    found = {name: (described.get(measure) or {}).get(bound) for name, (measure, bound) in LIMITS.items()}
    return {name: value for name, value in found.items() if value}


def limits_to(limits: Mapping[str, int]) -> dict[str, Any]:
    """Return C(CacheUsageLimits) for limits by the names of our options."""
    result: dict[str, dict[str, Any]] = {}
    for name, value in limits.items():
        measure, bound = LIMITS[name]
        result.setdefault(measure, {"Unit": "GB"} if measure == "DataStorage" else {})[bound] = value
    return result


def refuse_wrong_limits(limits: Mapping[str, int]) -> None:
    """Raise C(Refused) for a limit outside AWS's bounds, or a lower one above the upper one."""
    for measure, (least, most) in BOUNDS.items():
        for name in (f"min_{measure}", f"max_{measure}"):
            if name in limits and not least <= limits[name] <= most:
                raise _plan.Refused(f"limits.{name} is {limits[name]}: give {least} to {most}.")
        low, high = limits.get(f"min_{measure}", 0), limits.get(f"max_{measure}", most)
        if low > high:
            raise _plan.Refused(f"limits.min_{measure} is {low}, limits.max_{measure} is {high}: swap or align them.")


class ServerlessCache(CacheUsers):
    """Users and the serverless cache itself; TLS and encryption at rest are always on, AWS offers no other way."""

    order = (*KINDS, "serverless_cache")
    purge = KINDS
    immutable = {"serverless_cache": ("subnet_ids", "kms_key_id")}
    kind = "serverless_cache"

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        params = self.params
        self.limits = {name: value for name, value in (params["limits"] or {}).items() if value}
        refuse_wrong_limits(self.limits)
        if params["state"] != "present":
            return
        memcached = params["engine"] == "memcached"
        if memcached and params["user"]:
            raise _plan.Refused(
                f"user is {params['user']!r} and engine is memcached, which has no users: leave user out."
            )
        if not memcached and not (params["user"] and params["auth_token_secret_arn"]):
            raise _plan.Refused(
                f"engine is {params['engine']}, user is {params['user']!r} and auth_token_secret_arn is "
                f"{params['auth_token_secret_arn']!r}: give both. A serverless cache knows no token, and without a user "
                "everyone who reaches it gets in."
            )

    # Reading

    def read(self) -> _plan.Tree:
        tree: _plan.Tree = {}
        found = [cache for cache in self._described() if cache["Status"] != "deleting"]
        for cache in found:
            tree[self.key] = {**self._fields(cache), "tags": self._tags(cache["ARN"])}
        tree.update(self._read_users(attached=any(cache.get("UserGroupId") for cache in found)))
        self._refuse_foreign(tree)
        return tree

    def _fields(self, cache: Mapping[str, Any]) -> _plan.Fields:
        endpoint, reader = cache.get("Endpoint") or {}, cache.get("ReaderEndpoint") or {}
        return {
            **{ours: cache.get(theirs) for ours, theirs in ARGUMENTS.items()},
            "subnet_ids": sorted(cache.get("SubnetIds") or []),
            "security_group_ids": sorted(cache.get("SecurityGroupIds") or []),
            "limits": limits_of(cache.get("CacheUsageLimits") or {}),
            "user_group_ids": [cache["UserGroupId"]] if cache.get("UserGroupId") else [],
            "transit_encryption": True,
            "primary_endpoint": endpoint.get("Address"),
            "reader_endpoint": reader.get("Address"),
            "reader_port": reader.get("Port"),
            "port": endpoint.get("Port"),
            "arn": cache["ARN"],
            "status": cache["Status"],
        }

    def _described(self) -> list[dict[str, Any]]:
        found = self._list("describe_serverless_caches", "ServerlessCaches", ServerlessCacheName=self.name)
        return [{**cache, "Status": cache["Status"].lower()} for cache in found]

    # Wanting

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        given, cache = self.params, current.get(self.key)
        engine = given["engine"]
        same = cache is not None and cache["engine"] == engine
        kept = cache["engine_version"] if same and cache else DEFAULT_VERSIONS[engine]
        wanted: _plan.Fields = {
            "description": given["description"] or (None if cache else f"Object cache {self.name}"),
            "engine": engine,
            "engine_version": major(engine, given["engine_version"]) if given["engine_version"] else kept,
            "subnet_ids": sorted(given["subnet_ids"]),
            "security_group_ids": sorted(given["security_group_ids"]),
            "limits": self.limits or None,
            "user_group_ids": [self.name] if given["user"] else None,
            "kms_key_id": given["kms_key_id"],
            "snapshot_retention_days": given["snapshot_retention_days"],
            "snapshot_time": given["snapshot_time"],
        }
        tree = self._wanted_users(current, engine)
        tree[self.key] = wanted if cache is None else self._reported(cache, wanted, ())
        return self._tagged(current, tree)

    # Writing

    def _create_serverless_cache(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_gone()
        wanted = change.after
        arguments = {theirs: wanted[ours] for ours, theirs in ARGUMENTS.items() if ours in wanted}
        if wanted.get("limits"):
            arguments["CacheUsageLimits"] = limits_to(wanted["limits"])
        if wanted.get("user_group_ids"):
            arguments["UserGroupId"] = self.name
        answer = self.cache.create_serverless_cache(
            ServerlessCacheName=self.name, Tags=tags_to_list(wanted.get("tags")), aws_retry=True, **arguments
        )
        return {"arn": answer["ServerlessCache"]["ARN"], "status": "creating", "transit_encryption": True}

    def _update_serverless_cache(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        after = change.after
        version = {"engine": "Engine", "engine_version": "MajorEngineVersion"}
        arguments = {theirs: after[ours] for ours, theirs in ARGUMENTS.items() if ours in after and ours not in version}
        if "limits" in after:
            arguments["CacheUsageLimits"] = limits_to(after["limits"])
        if "user_group_ids" in after:
            arguments["UserGroupId"] = self.name
        self._write(arguments)
        if set(version) & set(after):  # AWS takes a new engine or version alone
            self._write({theirs: after.get(ours, tree[self.key][ours]) for ours, theirs in version.items()})
        self._update_tags(change, tree)
        return {"status": "modified"} if set(after) - {"tags"} else {}

    def _write(self, arguments: Mapping[str, Any]) -> None:
        if arguments:
            self._await_settled()
            self.cache.modify_serverless_cache(ServerlessCacheName=self.name, aws_retry=True, **arguments)
            self._await_settled()

    def _delete_serverless_cache(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_settled()
        snapshot = self.params["final_snapshot_name"]
        self.cache.delete_serverless_cache(
            ServerlessCacheName=self.name, aws_retry=True, **({"FinalSnapshotName": snapshot} if snapshot else {})
        )
        self._await_gone()
        return {}

    # Reporting

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        facts = super().facts(tree)
        facts["configuration_endpoint"] = None
        facts["tls"] = None if self.key not in tree else True
        return facts
