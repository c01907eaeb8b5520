# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""elasticache_endpoint_info: what can be used is told from what cannot, by name and by asking (P11)."""

from __future__ import annotations

from typing import Any

import cache_account
import contract
import pytest

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _cache_endpoint
from ansible_collections.wordpress_ha.aws.plugins.modules import elasticache_endpoint_info as module
from ansible_collections.wordpress_ha.aws.plugins.modules import (
    elasticache_memcached_cluster,
    elasticache_replication_group,
)


@pytest.fixture
def params(emulated: Any) -> dict[str, Any]:
    return {
        "name": "blog-cache",
        "node_type": "cache.t4g.small",
        "auth_token_secret_arn": "blog/cache",
        **cache_account.prepare(emulated),
    }


@pytest.fixture
def cluster_mode(emulated: Any) -> str:
    group = emulated("elasticache").create_replication_group(
        ReplicationGroupId="sharded",
        ReplicationGroupDescription="x",
        ClusterMode="enabled",
        NumNodeGroups=2,
        ReplicasPerNodeGroup=1,
        Engine="valkey",
        CacheNodeType="cache.t4g.small",
    )["ReplicationGroup"]
    return str(group["ConfigurationEndpoint"]["Address"])


def ask(host: str) -> dict[str, Any]:
    outcome = contract.succeed(module, {"host": host})
    assert outcome.writing == []
    return outcome.result


def test_a_primary_endpoint_is_taken(params):
    made = contract.succeed(elasticache_replication_group, params).facts
    answer = ask(made["primary_endpoint"])
    assert answer["refusal"] == ""
    assert (answer["found"]["name"], answer["found"]["engine"], answer["found"]["tls"]) == (
        "blog-cache",
        "valkey",
        True,
    )
    assert answer["found"]["reader_endpoint"] == made["reader_endpoint"]
    assert answer["found"]["node_ids"] == made["node_ids"]


def test_a_host_that_elasticache_does_not_know_is_taken(params):
    assert ask("cache.example.org") == {**ask("cache.example.org"), "found": None, "refusal": ""}


def test_cluster_mode_is_refused_by_its_name_without_asking():
    outcome = contract.succeed(module, {"host": "clustercfg.blog.abc123.use1.cache.amazonaws.com"})
    assert "cluster mode" in outcome.result["refusal"] and outcome.calls == []


def test_cluster_mode_is_refused_behind_another_name(emulated, cluster_mode, monkeypatch):
    monkeypatch.setattr(_cache_endpoint, "unusable", lambda _host: "")
    answer = ask(cluster_mode)
    assert answer["found"]["cluster_mode"] is True
    assert "sharded runs in cluster mode" in answer["refusal"] and "primary endpoint" in answer["refusal"]


def test_one_node_is_refused_with_the_endpoint_to_take(emulated, params):
    made = contract.succeed(elasticache_replication_group, params).facts
    (group,) = emulated("elasticache").describe_replication_groups()["ReplicationGroups"]
    node = group["NodeGroups"][0]["NodeGroupMembers"][0]["ReadEndpoint"]["Address"]
    assert f"Give {made['primary_endpoint']}" in ask(node)["refusal"]


def test_memcached_is_refused(params):
    mine = {key: value for key, value in params.items() if key != "auth_token_secret_arn"}
    contract.succeed(elasticache_memcached_cluster, mine)
    made = contract.succeed(elasticache_memcached_cluster, mine).facts
    assert "Memcached" in ask(made["configuration_endpoint"])["refusal"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"TransitEncryptionEnabled": False, "AuthTokenEnabled": True}, "does not require TLS"),
        ({"TransitEncryptionEnabled": True, "AuthTokenEnabled": False}, "everyone who reaches it"),
        ({"TransitEncryptionEnabled": True, "UserGroupIds": ["some"]}, ""),
    ],
)
def test_what_is_open_is_refused(settings, words):
    shard = {"PrimaryEndpoint": {"Address": "master.blog"}}
    group = {"ReplicationGroupId": "blog", "NodeGroups": [shard], "Engine": "valkey", **settings}
    found = _cache_endpoint.behind("MASTER.blog", [group], [], [])
    assert found is not None
    assert words in _cache_endpoint.refusal(found, "MASTER.blog")
    assert words or _cache_endpoint.refusal(found, "MASTER.blog") == ""


@pytest.mark.parametrize(
    "host", ["clustercfg.a.b", "x-1.serverless.use1.cache.amazonaws.com", "replica.a.b", "REPLICA.a"]
)
def test_names_that_tell_by_themselves(host):
    assert _cache_endpoint.unusable(host)


@pytest.mark.parametrize("host", ["master.a.b", "cache.example.org", "10.0.0.1"])
def test_names_that_tell_nothing(host):
    assert _cache_endpoint.unusable(host) == ""
