# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""elasticache_memcached_cluster: the module contract, nodes that come and go, and TLS."""

from __future__ import annotations

from typing import Any

import cache_account
import contract
import pytest

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _memcached_cluster
from ansible_collections.wordpress_ha.aws.plugins.modules import elasticache_memcached_cluster as module


@pytest.fixture
def cache(emulated: Any) -> Any:
    return emulated("elasticache")


@pytest.fixture
def params(emulated: Any) -> dict[str, Any]:
    return {
        "name": "blog-cache",
        "node_type": "cache.t4g.small",
        "parameters": {"max_item_size": 2097152},
        "tags": cache_account.TAGS,
        **cache_account.prepare(emulated),
    }


def test_contract(cache, params):
    modified = {
        **params,
        "subnet_ids": params["subnet_ids"][:2],
        "security_group_ids": ["sg-0123456789abcdef0"],
        "engine_version": "1.6.22",
        "node_type": "cache.r7g.large",
        "nodes": 4,
        "zones": ["us-east-1a", "us-east-1b"],
        "parameters": {"max_item_size": "4194304", "idle_timeout": 60},
        "maintenance_window": "Mon:01:00-Mon:02:00",
        "auto_minor_version_upgrade": False,
        "tags": {"wordpress_ha:stack": "blog"},
        "purge_tags": True,
    }
    first = contract.keep(
        module, {**params, "engine_version": "1.6.17"}, modified, left=lambda: cache_account.left(cache)
    )
    (created,) = first.sent("CreateCacheCluster")
    assert created["TransitEncryptionEnabled"] is True and created["AZMode"] == "cross-az"
    facts = first.facts
    assert ".cfg." in facts["configuration_endpoint"] and facts["port"] == 11211
    assert facts["primary_endpoint"] is None and facts["user"] is None


def test_nodes_come_and_go(cache, params):
    def numbers() -> list[str]:
        (cluster,) = cache.describe_cache_clusters(ShowCacheNodeInfo=True)["CacheClusters"]
        return [node["CacheNodeId"] for node in cluster["CacheNodes"]]

    contract.succeed(module, {**params, "nodes": 1})
    contract.converge(module, {**params, "nodes": 3})
    assert numbers() == ["0001", "0002", "0003"]
    (sent,) = contract.converge(module, {**params, "nodes": 1}).sent("ModifyCacheCluster")
    assert sent["CacheNodeIdsToRemove"] == ["0002", "0003"]


def test_a_replication_group_of_the_same_name_is_another_thing(cache, params):
    """Its subnet group has another name, so that one can be removed while the other stays."""
    contract.succeed(module, params)
    names = [one["CacheSubnetGroupName"] for one in cache.describe_cache_subnet_groups()["CacheSubnetGroups"]]
    assert names == ["blog-cache-memcached"]


def test_what_aws_cannot_change_is_refused(params):
    contract.succeed(module, params)
    contract.refuse(module, {**params, "port": 11212}, "port of cache_cluster/blog-cache", "11211", "11212")


def test_a_cluster_without_tls_is_refused(cache, params):
    contract.succeed(module, params)
    cache.delete_cache_cluster(CacheClusterId="blog-cache")
    cache.create_cache_cluster(
        CacheClusterId="blog-cache",
        Engine="memcached",
        NumCacheNodes=2,
        CacheNodeType="cache.t4g.small",
        CacheSubnetGroupName="blog-cache-memcached",
    )
    cache.describe_cache_clusters()
    contract.refuse(module, params, "transit_encryption of cache_cluster/blog-cache", "False", "True")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nodes": 0}, ["nodes is 0", "1 to 60"]),
        ({"nodes": 61}, ["nodes is 61", "1 to 60"]),
        ({"engine_version": "1.5.16"}, ["engine_version is '1.5.16'", "1.6"]),
        ({"engine_version": "1.6.6"}, ["engine_version is '1.6.6'", "1.6.12"]),
        ({"parameters": {"cas_disabled": True}}, ["parameters.cas_disabled", "quote"]),
    ],
)
def test_refuses_before_any_write(params, change, words):
    contract.refuse(module, {**params, **change}, *words)


def test_another_stacks_cache_is_left_alone(params):
    contract.succeed(module, params)
    other = {**params, "tags": {"wordpress_ha:stack": "shop"}}
    contract.refuse(module, other, "'blog'")
    contract.refuse(module, {**other, "state": "absent"}, "'blog'")


def test_a_cluster_in_creation_is_waited_for_later(params):
    assert contract.succeed(module, {**params, "wait": False}).facts["settled"] is False
    waited = contract.succeed(module, params)
    assert waited.result["changed"] is False and waited.facts["settled"] is True


def test_calls_of_a_run_without_a_change(params):
    contract.succeed(module, params)
    assert len(contract.succeed(module, params).calls) == 7


def test_unknown_inputs_in_check_mode(params):
    unknown = "(known after apply)"
    blank = {"subnet_ids": [unknown], "security_group_ids": [unknown]}
    facts = contract.succeed(module, {**params, **blank}, check=True).facts
    assert facts["configuration_endpoint"] == unknown and facts["port"] == 11211


@pytest.mark.parametrize(
    ("version", "expected"), [("1.6.22", True), ("1.6.12", True), ("1.6.6", False), ("1.6", True), ("1.5", False)]
)
def test_tls_from_some_version_on(version, expected):
    assert _memcached_cluster.speaks_tls(version) is expected


def test_survives_kills(emulated, params):
    def prepare() -> dict[str, Any]:
        return cache_account.prepare(emulated)

    assert contract.survive_kills(module, params, prepare) >= 6
