# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ElastiCache Serverless: caches that become available by themselves, from the second look on."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.elasticache.exceptions import (
    ElastiCacheException,
    InvalidParameterCombinationException,
    InvalidParameterValueException,
)
from moto.elasticache.models import ElastiCacheBackend
from moto.elasticache.responses import ElastiCacheResponse

from . import extension
from .cache_users import user_group
from .patching import Function, add, wrap

#: Engine to (major version -> full version, port of reads).
VERSIONS = {
    "valkey": ({"7": "7.2", "8": "8.1"}, 6380),
    "redis": ({"7": "7.1"}, 6380),
    "memcached": ({"1.6": "1.6.22"}, 11212),
}
_PORTS = {"valkey": 6379, "redis": 6379, "memcached": 11211}
#: What is described as it was sent.
_KEPT = (
    "Description",
    "CacheUsageLimits",
    "KmsKeyId",
    "SecurityGroupIds",
    "SubnetIds",
    "SnapshotRetentionLimit",
    "DailySnapshotTime",
)


class ServerlessCache:
    """A cache without nodes."""

    def __init__(self, backend: Any, wanted: dict[str, Any]) -> None:
        self.name = wanted["ServerlessCacheName"].lower()
        self.arn = f"arn:aws:elasticache:{backend.region_name}:{backend.account_id}:serverlesscache:{self.name}"
        self.created = utcnow()
        self.engine, self.version = _version(wanted["Engine"], wanted.get("MajorEngineVersion"))
        self.user_group_id = wanted.get("UserGroupId")
        self.kept: dict[str, Any] = {"Description": " ", "SnapshotRetentionLimit": 0, "DailySnapshotTime": "06:00"}
        self.keep(wanted)
        self.status = "creating"

    def keep(self, wanted: dict[str, Any]) -> None:
        """Take over settings; a usage limit replaces the one of the same measure."""
        limits = {**(self.kept.get("CacheUsageLimits") or {}), **(wanted.get("CacheUsageLimits") or {})}
        self.kept.update({key: wanted[key] for key in _KEPT if wanted.get(key) is not None})
        if limits:
            self.kept["CacheUsageLimits"] = limits

    def described(self, look: bool = False) -> dict[str, Any]:
        status, self.status = self.status, "available" if look else self.status
        versions, reads = VERSIONS[self.engine]
        host = f"{self.name}-a1b2c3.serverless.use1.cache.amazonaws.com"
        ready = status not in ("creating", "create-failed")
        return {
            "ServerlessCacheName": self.name,
            "CreateTime": self.created,
            "Status": status,
            "Engine": self.engine,
            "MajorEngineVersion": self.version,
            "FullEngineVersion": versions[self.version],
            "ARN": self.arn,
            **({"UserGroupId": self.user_group_id} if self.user_group_id else {}),
            **({"Endpoint": {"Address": host, "Port": _PORTS[self.engine]}} if ready else {}),
            **({"ReaderEndpoint": {"Address": host, "Port": reads}} if ready else {}),
            **self.kept,
        }


def _version(engine: str, version: str | None) -> tuple[str, str]:
    if engine not in VERSIONS:
        raise InvalidParameterValueException(f"Engine {engine} is not valid for a serverless cache.")
    versions = VERSIONS[engine][0]
    wanted = version or list(versions)[-1]
    if wanted not in versions:
        raise InvalidParameterValueException(f"{engine} has no major version {wanted}.")
    return engine, wanted


def _cache(backend: Any, name: str, available: bool = False) -> ServerlessCache:
    found = backend.serverless_caches.get((name or "").lower())
    if found is None:
        raise ElastiCacheException("ServerlessCacheNotFoundFault", f"Serverless cache {name} not found.")
    if available and found.status != "available":
        raise ElastiCacheException(
            "InvalidServerlessCacheStateFault", f"Serverless cache {name} is {found.status}, not available."
        )
    return found  # type: ignore[no-any-return]


def _check_users(backend: Any, engine: str, name: str | None) -> None:
    if name and engine == "memcached":
        raise InvalidParameterCombinationException("Memcached has no user groups.")
    if name:
        user_group(backend, name, active=True)


@extension("elasticache-serverless", "serverless caches do not exist")
def _serverless() -> None:
    @wrap(ElastiCacheBackend, "__init__")
    def create_backend(original: Function, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.serverless_caches = {}
        self.serverless_snapshots = {}

    @wrap(ElastiCacheBackend, "list_tags_for_resource")
    def tags(original: Function, self: Any, arn: str) -> Any:
        if ":serverlesscache:" in arn:
            _cache(self, arn.rsplit(":", 1)[-1], available=True)
        return original(self, arn)

    @add(ElastiCacheResponse)
    def create_serverless_cache(self: Any) -> ActionResult:
        backend, wanted = self.elasticache_backend, self._get_params()
        if wanted["ServerlessCacheName"].lower() in backend.serverless_caches:
            raise ElastiCacheException("ServerlessCacheAlreadyExistsFault", "The serverless cache already exists.")
        _check_users(backend, wanted["Engine"], wanted.get("UserGroupId"))
        cache = ServerlessCache(backend, wanted)
        backend.serverless_caches[cache.name] = cache
        backend.tagging_service.tag_resource(cache.arn, wanted.get("Tags") or [])
        return ActionResult({"ServerlessCache": cache.described()})

    @add(ElastiCacheResponse)
    def describe_serverless_caches(self: Any) -> ActionResult:
        backend, name = self.elasticache_backend, self._get_param("ServerlessCacheName")
        caches = [_cache(backend, name)] if name else backend.serverless_caches.values()
        return ActionResult({"ServerlessCaches": [cache.described(look=True) for cache in caches]})

    @add(ElastiCacheResponse)
    def modify_serverless_cache(self: Any) -> ActionResult:
        backend, wanted = self.elasticache_backend, self._get_params()
        cache = _cache(backend, wanted["ServerlessCacheName"], available=True)
        _check_users(backend, cache.engine, wanted.get("UserGroupId"))
        if wanted.get("Engine") or wanted.get("MajorEngineVersion"):
            cache.engine, cache.version = _version(
                wanted.get("Engine") or cache.engine, wanted.get("MajorEngineVersion")
            )
        cache.user_group_id = wanted.get("UserGroupId") or cache.user_group_id
        cache.keep(wanted)
        cache.status = "modifying"
        return ActionResult({"ServerlessCache": cache.described()})

    @add(ElastiCacheResponse)
    def delete_serverless_cache(self: Any) -> ActionResult:
        backend, snapshot = self.elasticache_backend, self._get_param("FinalSnapshotName")
        cache = _cache(backend, self._get_param("ServerlessCacheName"), available=True)
        if snapshot:
            backend.serverless_snapshots[snapshot] = {
                "ServerlessCacheSnapshotName": snapshot,
                "Status": "available",
                "ServerlessCacheConfiguration": {"ServerlessCacheName": cache.name, "Engine": cache.engine},
            }
        backend.serverless_caches.pop(cache.name)
        backend.tagging_service.delete_all_tags_for_resource(cache.arn)
        return ActionResult({"ServerlessCache": {**cache.described(), "Status": "deleting"}})

    @add(ElastiCacheResponse)
    def describe_serverless_cache_snapshots(self: Any) -> ActionResult:
        return ActionResult({"ServerlessCacheSnapshots": list(self.elasticache_backend.serverless_snapshots.values())})
