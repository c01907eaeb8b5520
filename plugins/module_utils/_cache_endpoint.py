# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands behind the host name of a cache, and whether an object cache of WordPress can use it (P11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Caches = Sequence[Mapping[str, Any]]

_CURE = "Give the primary endpoint of a replication group without cluster mode."


def unusable(host: str) -> str:
    """Return why a host name tells by itself that clients of WordPress cannot use it, and the cure; empty if they can."""
    if host.lower().startswith("clustercfg."):
        return (
            "clustercfg. begins the configuration endpoint of cluster mode, whose redirections WordPress's clients do not "
            f"follow under TLS. {_CURE}"
        )
    if ".serverless." in host.lower():
        return f"it names a serverless cache, which speaks the protocol of cluster mode. {_CURE}"
    if host.lower().startswith("replica."):
        return f"replica. begins a reader endpoint, which takes no writes. {_CURE}"
    return ""


def behind(host: str, groups: Caches, serverless: Caches, clusters: Caches) -> dict[str, Any] | None:
    """Return what has this host name among described caches, in the terms of RETURN; None when nothing has."""
    wanted = host.lower()
    for group in groups:
        if wanted in _hosts_of(group):
            return _group(group)
    for cache in serverless:
        if wanted in (_host(cache.get("Endpoint")), _host(cache.get("ReaderEndpoint"))):
            return _cache("serverless", cache["ServerlessCacheName"], cache, bool(cache.get("UserGroupId")), True)
    for cluster in clusters:
        nodes = [_host(node.get("Endpoint")) for node in cluster.get("CacheNodes") or []]
        if wanted in (_host(cluster.get("ConfigurationEndpoint")), *nodes):
            kind = "memcached" if cluster["Engine"] == "memcached" else "node"
            tls = bool(cluster.get("TransitEncryptionEnabled"))
            return {
                **_cache(kind, cluster["CacheClusterId"], cluster, bool(cluster.get("AuthTokenEnabled")), False),
                "tls": tls,
            }
    return None


def _host(endpoint: Mapping[str, Any] | None) -> str:
    return str((endpoint or {}).get("Address") or "").lower()


def _hosts_of(group: Mapping[str, Any]) -> set[str]:
    hosts = {_host(group.get("ConfigurationEndpoint"))}
    for shard in group.get("NodeGroups") or []:
        hosts |= {_host(shard.get("PrimaryEndpoint")), _host(shard.get("ReaderEndpoint"))}
        hosts |= {_host(node.get("ReadEndpoint")) for node in shard.get("NodeGroupMembers") or []}
    return hosts - {""}


def _cache(kind: str, name: str, described: Mapping[str, Any], password: bool, cluster_mode: bool) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": name,
        "engine": described.get("Engine"),
        "arn": described.get("ARN"),
        "cluster_mode": cluster_mode,
        "tls": True,
        "password": password,
        "primary_endpoint": None,
        "reader_endpoint": None,
        "node_ids": [],
    }


def _group(group: Mapping[str, Any]) -> dict[str, Any]:
    shard = (group.get("NodeGroups") or [{}])[0]
    password = bool(group.get("AuthTokenEnabled") or group.get("UserGroupIds"))
    found = _cache("replication_group", group["ReplicationGroupId"], group, password, bool(group.get("ClusterEnabled")))
    return {
        **found,
        "tls": bool(group.get("TransitEncryptionEnabled")),
        "primary_endpoint": _host(shard.get("PrimaryEndpoint")) or None,
        "reader_endpoint": _host(shard.get("ReaderEndpoint")) or None,
        "node_ids": sorted(group.get("MemberClusters") or []),
    }


def refusal(found: Mapping[str, Any], host: str) -> str:
    """Return why clients of WordPress cannot use what was found, and the cure; empty if they can."""
    what = f"{found['kind'].replace('_', ' ')} {found['name']}"
    if found["cluster_mode"]:
        return f"the {what} runs in cluster mode, which object caches of WordPress do not speak under TLS. {_CURE}"
    if found["kind"] == "memcached":
        return f"the {what} is Memcached, which the object cache of the nodes does not speak. {_CURE}"
    if found["primary_endpoint"] and found["primary_endpoint"] != host.lower():
        return f"that is one node or the reader of the {what}: after a failover it takes no writes. Give {found['primary_endpoint']}."
    if not found["tls"]:
        return f"the {what} does not require TLS. Change it, or give another."
    if not found["password"]:
        return f"the {what} lets in everyone who reaches it. Give it a token or a user, or give another."
    return ""
