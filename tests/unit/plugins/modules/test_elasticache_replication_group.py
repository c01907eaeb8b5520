# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""elasticache_replication_group: the module contract, order of replica changes, and that the password shows nowhere."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import boto3
import contract
import fake_service
import pytest

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _replication_group
from ansible_collections.wordpress_ha.aws.plugins.modules import elasticache_replication_group as module

TOKEN = "canary-0123456789-canary"
PARAMS: dict[str, Any] = {
    "name": "blog-cache",
    "subnet_ids": ["subnet-b", "subnet-a"],
    "security_group_ids": ["sg-b", "sg-a"],
    "node_type": "cache.t4g.small",
    "auth_token_secret_arn": "blog/cache",
    "parameters": {"timeout": 300},
    "tags": {"wordpress_ha:stack": "blog", "wordpress_ha:role": "object_cache"},
}


class Cache:
    """As much of ElastiCache as the module uses; moto 5.2.5 has no parameter groups and no replica changes."""

    def __init__(self) -> None:
        self.subnet_groups: dict[str, Any] = {}
        self.parameter_groups: dict[str, Any] = {}
        self.groups: dict[str, Any] = {}
        self.tags: dict[str, dict[str, str]] = {}

    def _arn(self, kind: str, name: str, tags: Any) -> str:
        arn = f"arn:aws:elasticache:us-east-1:123456789012:{kind}:{name}"
        self.tags[arn] = {tag["Key"]: tag["Value"] for tag in tags or []}
        return arn

    def list_tags_for_resource(self, ResourceName: str) -> Any:
        group = self.groups.get(ResourceName.rsplit(":", 1)[-1], {})
        if ":replicationgroup:" in ResourceName and group.get("Status") == "creating":
            raise fake_service.Error("InvalidReplicationGroupState")
        return {"TagList": [{"Key": key, "Value": value} for key, value in self.tags[ResourceName].items()]}

    def add_tags_to_resource(self, ResourceName: str, Tags: Any) -> None:
        self.tags[ResourceName].update({tag["Key"]: tag["Value"] for tag in Tags})

    def remove_tags_from_resource(self, ResourceName: str, TagKeys: Any) -> None:
        for key in TagKeys:
            del self.tags[ResourceName][key]

    def create_cache_subnet_group(
        self, CacheSubnetGroupName: str, CacheSubnetGroupDescription: str, SubnetIds: Any, Tags: Any
    ) -> Any:
        group = {"ARN": self._arn("subnetgroup", CacheSubnetGroupName, Tags)}
        self.subnet_groups[CacheSubnetGroupName] = group
        self.modify_cache_subnet_group(CacheSubnetGroupName, SubnetIds)
        return {"CacheSubnetGroup": group}

    def modify_cache_subnet_group(self, CacheSubnetGroupName: str, SubnetIds: Any) -> None:
        self.subnet_groups[CacheSubnetGroupName]["Subnets"] = [{"SubnetIdentifier": one} for one in SubnetIds]

    def describe_cache_subnet_groups(self, CacheSubnetGroupName: str) -> Any:
        if CacheSubnetGroupName not in self.subnet_groups:
            raise fake_service.Error("CacheSubnetGroupNotFoundFault")
        return {"CacheSubnetGroups": [self.subnet_groups[CacheSubnetGroupName]]}

    def delete_cache_subnet_group(self, CacheSubnetGroupName: str) -> None:
        assert not self.groups, "still in use"
        del self.subnet_groups[CacheSubnetGroupName]

    def create_cache_parameter_group(
        self, CacheParameterGroupName: str, CacheParameterGroupFamily: str, Description: str, Tags: Any
    ) -> Any:
        self.parameter_groups[CacheParameterGroupName] = {
            "CacheParameterGroupName": CacheParameterGroupName,
            "CacheParameterGroupFamily": CacheParameterGroupFamily,
            "ARN": self._arn("parametergroup", CacheParameterGroupName, Tags),
            "parameters": {},
        }
        return {"CacheParameterGroup": self.parameter_groups[CacheParameterGroupName]}

    def describe_cache_parameter_groups(self) -> Any:
        default = {"CacheParameterGroupName": "default.valkey8", "CacheParameterGroupFamily": "valkey8", "ARN": "none"}
        return {"CacheParameterGroups": [default, *self.parameter_groups.values()]}

    def describe_cache_parameters(self, CacheParameterGroupName: str, Source: str) -> Any:
        parameters = self.parameter_groups[CacheParameterGroupName]["parameters"]
        return {"Parameters": [{"ParameterName": name, "ParameterValue": value} for name, value in parameters.items()]}

    def modify_cache_parameter_group(self, CacheParameterGroupName: str, ParameterNameValues: Any) -> None:
        values = {one["ParameterName"]: one["ParameterValue"] for one in ParameterNameValues}
        self.parameter_groups[CacheParameterGroupName]["parameters"].update(values)

    def delete_cache_parameter_group(self, CacheParameterGroupName: str) -> None:
        assert not any(group["parameter_group"] == CacheParameterGroupName for group in self.groups.values()), "in use"
        del self.parameter_groups[CacheParameterGroupName]

    def create_replication_group(
        self, ReplicationGroupId: str, NumCacheClusters: int, Tags: Any, **arguments: Any
    ) -> Any:
        if ReplicationGroupId in self.groups:
            raise fake_service.Error("ReplicationGroupAlreadyExistsFault")
        assert arguments["AuthToken"] == TOKEN
        group = {
            "ReplicationGroupId": ReplicationGroupId,
            "ARN": self._arn("replicationgroup", ReplicationGroupId, Tags),
        }
        group.update(
            Status="creating", looks=2, SnapshotWindow="05:00-06:00", SnapshotRetentionLimit=0, ClusterEnabled=False
        )
        group.update(TransitEncryptionEnabled=True, AtRestEncryptionEnabled=True, AuthTokenEnabled=True)
        self.groups[ReplicationGroupId] = group
        self._set(group, NumCacheClusters, arguments)
        return {"ReplicationGroup": group}

    def _set(self, group: Any, nodes: int | None, arguments: Any) -> None:
        group["looks"], group["Status"] = 2, "modifying" if group["Status"] == "available" else group["Status"]
        if nodes:
            group["MemberClusters"] = [f"{group['ReplicationGroupId']}-{number + 1:03d}" for number in range(nodes)]
        names = {"ReplicationGroupDescription": "Description", "CacheParameterGroupName": "parameter_group"}
        for name, value in arguments.items():
            group[names.get(name, name)] = value
        for flag, reported in (("AutomaticFailoverEnabled", "AutomaticFailover"), ("MultiAZEnabled", "MultiAZ")):
            if flag in arguments:
                group[reported] = "enabled" if arguments[flag] else "disabled"
        assert len(group["MemberClusters"]) > 1 or group["MultiAZ"] == "disabled", "Multi-AZ needs a replica"

    def describe_replication_groups(self, ReplicationGroupId: str) -> Any:
        if ReplicationGroupId not in self.groups:
            raise fake_service.Error("ReplicationGroupNotFoundFault")
        group = self.groups[ReplicationGroupId]
        if group["looks"] == 0 and group["Status"] == "deleting":
            del self.groups[ReplicationGroupId]
            raise fake_service.Error("ReplicationGroupNotFoundFault")
        if group["looks"] == 0:
            group["Status"] = "available"
            ends = {
                "PrimaryEndpoint": {"Address": "master.blog", "Port": 6379},
                "ReaderEndpoint": {"Address": "replica.blog"},
            }
            group["NodeGroups"] = [ends]
        group["looks"] = max(0, group["looks"] - 1)
        return {"ReplicationGroups": [group]}

    def describe_cache_clusters(self, CacheClusterId: str) -> Any:
        for group in self.groups.values():
            if CacheClusterId in group["MemberClusters"]:
                member = {
                    "EngineVersion": f"{group['EngineVersion']}.1",
                    "CacheParameterGroup": {"CacheParameterGroupName": group["parameter_group"]},
                    "SecurityGroups": [{"SecurityGroupId": one} for one in group["SecurityGroupIds"]],
                    "PreferredMaintenanceWindow": group.get("PreferredMaintenanceWindow", "sun:01:00-sun:02:00"),
                }
                return {"CacheClusters": [member]}
        raise fake_service.Error("CacheClusterNotFound")

    def _available(self, name: str) -> Any:
        if self.groups[name]["Status"] != "available":
            raise fake_service.Error("InvalidReplicationGroupState")
        return self.groups[name]

    def modify_replication_group(self, ReplicationGroupId: str, ApplyImmediately: bool, **arguments: Any) -> None:
        self._set(self._available(ReplicationGroupId), None, arguments)

    def increase_replica_count(self, ReplicationGroupId: str, ApplyImmediately: bool, NewReplicaCount: int) -> None:
        group = self._available(ReplicationGroupId)
        assert NewReplicaCount >= len(group["MemberClusters"])
        self._set(group, NewReplicaCount + 1, {})

    def decrease_replica_count(self, ReplicationGroupId: str, ApplyImmediately: bool, NewReplicaCount: int) -> None:
        group = self._available(ReplicationGroupId)
        assert NewReplicaCount < len(group["MemberClusters"]) - 1
        self._set(group, NewReplicaCount + 1, {})

    def delete_replication_group(self, ReplicationGroupId: str, **arguments: Any) -> None:
        self._available(ReplicationGroupId).update(Status="deleting", looks=2)

    def describe_user_groups(self, UserGroupId: str) -> Any:
        raise fake_service.Error("UserGroupNotFound")

    def describe_users(self) -> Any:
        return {"Users": []}


@contextlib.contextmanager
def account() -> Iterator[Cache]:
    """A fresh account with our ElastiCache and the password in Secrets Manager."""
    cache = Cache()
    with contract.mock_aws(), fake_service.installed(elasticache=cache):
        secret = json.dumps({"auth_token": TOKEN})
        boto3.client("secretsmanager").create_secret(Name="blog/cache", SecretString=secret)
        yield cache


@pytest.fixture
def cache() -> Iterator[Cache]:
    with account() as fresh:
        yield fresh


def test_contract(cache: Cache) -> None:
    modified = {
        **PARAMS,
        "subnet_ids": ["subnet-a", "subnet-c"],
        "security_group_ids": ["sg-c"],
        "node_type": "cache.r7g.large",
        "replicas": 2,
        "parameters": {"timeout": "600"},
        "maintenance_window": "Mon:01:00-Mon:02:00",
        "snapshot_retention_days": 3,
        "tags": {"wordpress_ha:stack": "blog"},
        "purge_tags": True,
    }
    first = contract.keep(
        module, PARAMS, modified, left=lambda: [*cache.groups, *cache.parameter_groups, *cache.subnet_groups]
    )
    (created,) = first.sent("CreateReplicationGroup")
    assert created["TransitEncryptionEnabled"] and created["TransitEncryptionMode"] == "required"
    assert created["AutomaticFailoverEnabled"] and created["MultiAZEnabled"] and created["ClusterMode"] == "disabled"
    assert first.facts["primary_endpoint"] == "master.blog"


def test_new_group_evicts_when_full(cache: Cache) -> None:
    contract.succeed(module, PARAMS)
    assert cache.parameter_groups["blog-cache-valkey8"]["parameters"] == {
        "maxmemory-policy": "allkeys-lru",
        "timeout": "300",
    }


def test_the_password_shows_nowhere_and_check_mode_does_not_read_it(cache: Cache) -> None:
    predicted = contract.succeed(module, PARAMS, check=True)
    assert not predicted.sent("GetSecretValue")
    outcome = contract.succeed(module, PARAMS)
    assert TOKEN not in json.dumps(outcome.result)
    assert not contract.succeed(module, PARAMS).sent("GetSecretValue")


def test_the_password_is_masked_in_errors(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def talkative(**arguments: Any) -> None:
        raise fake_service.Error("InvalidParameterValue", f"bad token {arguments['AuthToken']}")

    monkeypatch.setattr(cache, "create_replication_group", talkative)
    outcome = contract.run(module, PARAMS)
    assert outcome.failed
    assert TOKEN not in json.dumps(outcome.result)


@pytest.mark.parametrize("secret", ["plain text", '{"password": "x"}', '{"auth_token": "short"}', "[1]"])
def test_an_unusable_secret_is_named(cache: Cache, secret: str) -> None:
    boto3.client("secretsmanager").put_secret_value(SecretId="blog/cache", SecretString=secret)
    outcome = contract.run(module, PARAMS)
    assert outcome.failed and "blog/cache" in outcome.result["msg"] and "auth_token" in outcome.result["msg"]


def test_no_replica_and_back(cache: Cache) -> None:
    contract.succeed(module, PARAMS)
    alone = contract.converge(module, {**PARAMS, "replicas": 0})
    assert alone.writing == ["elasticache:ModifyReplicationGroup", "elasticache:DecreaseReplicaCount"]
    assert contract.converge(module, PARAMS).writing == [
        "elasticache:IncreaseReplicaCount",
        "elasticache:ModifyReplicationGroup",
    ]


def test_upgrade_to_another_family_replaces_the_parameter_group(cache: Cache) -> None:
    contract.succeed(module, {**PARAMS, "engine_version": "7.2"})
    assert list(cache.parameter_groups) == ["blog-cache-valkey7"]
    contract.converge(module, {**PARAMS, "engine_version": "8.1"})
    assert list(cache.parameter_groups) == ["blog-cache-valkey8"]


def test_redis_becomes_valkey(cache: Cache) -> None:
    contract.succeed(module, {**PARAMS, "engine": "redis"})
    contract.converge(module, PARAMS)
    assert cache.groups["blog-cache"]["Engine"] == "valkey"


def test_unset_version_keeps_what_runs(cache: Cache) -> None:
    contract.succeed(module, {**PARAMS, "engine_version": "7.2"})
    assert contract.succeed(module, PARAMS).result["changed"] is False


def test_a_group_in_creation_is_not_changed_but_waited_for(cache: Cache) -> None:
    contract.succeed(module, {**PARAMS, "wait": False})
    cache.groups["blog-cache"].update(AutomaticFailover="disabled", MultiAZ="disabled", looks=3)
    cache.groups["blog-cache"]["Status"] = "creating"
    waited = contract.succeed(module, PARAMS)
    assert waited.result["changed"] is False
    assert waited.facts["primary_endpoint"] == "master.blog"


def test_a_group_in_creation_can_be_removed(cache: Cache) -> None:
    contract.succeed(module, {**PARAMS, "wait": False})
    assert cache.groups["blog-cache"]["Status"] == "creating"
    contract.succeed(module, {**PARAMS, "state": "absent"})
    assert not cache.groups and not cache.subnet_groups


def test_a_group_whose_creation_failed_is_named_and_can_be_removed(cache: Cache) -> None:
    contract.succeed(module, PARAMS)
    group = cache.groups["blog-cache"]
    group.update(Status="create-failed", looks=100)
    assert "Delete it" in contract.run(module, {**PARAMS, "node_type": "cache.r7g.large"}).result["msg"]
    group.update(Status="create-failed", looks=100)
    cache._available = lambda _name: group  # type: ignore[method-assign]
    contract.succeed(module, {**PARAMS, "state": "absent"})
    assert not cache.groups


def test_cluster_mode_is_refused(cache: Cache) -> None:
    contract.succeed(module, PARAMS)
    cache.groups["blog-cache"]["ClusterEnabled"] = True
    contract.refuse(module, PARAMS, "cluster mode", "blog-cache")


def test_group_without_password_is_refused(cache: Cache) -> None:
    contract.succeed(module, PARAMS)
    cache.groups["blog-cache"]["AuthTokenEnabled"] = False
    contract.refuse(module, PARAMS, "auth_token", "replication_group/blog-cache")


def test_another_stacks_cache_is_left_alone(cache: Cache) -> None:
    contract.succeed(module, PARAMS)
    other = {**PARAMS, "tags": {"wordpress_ha:stack": "shop"}}
    contract.refuse(module, other, "'blog'")
    contract.refuse(module, {**other, "state": "absent"}, "'blog'")


def test_waiting_ends(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    original = cache._set

    def for_ever(group: Any, nodes: int | None, arguments: Any) -> None:
        original(group, nodes, arguments)
        group["looks"] = 10_000

    monkeypatch.setattr(cache, "_set", for_ever)
    outcome = contract.run(module, {**PARAMS, "wait_timeout": 60})
    assert outcome.failed and "60 s" in outcome.result["msg"] and "blog-cache" in outcome.result["msg"]


def test_unknown_inputs_in_check_mode(cache: Cache) -> None:
    unknown = "(known after apply)"
    params = {**PARAMS, "subnet_ids": [unknown], "security_group_ids": [unknown], "auth_token_secret_arn": unknown}
    predicted = contract.succeed(module, params, check=True)
    assert predicted.facts["primary_endpoint"] == unknown
    assert predicted.facts["port"] == 6379


@pytest.mark.parametrize(
    ("engine", "version", "expected"),
    [
        ("valkey", "8.0", "valkey8"),
        ("redis", "7.1", "redis7"),
        ("redis", "6.2", "redis6.x"),
        ("valkey", "7.2.6", "valkey7"),
    ],
)
def test_family(engine: str, version: str, expected: str) -> None:
    assert _replication_group.family(engine, version) == expected
    assert expected in _replication_group.FAMILIES


def test_survives_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, "account", account)
    assert contract.survive_kills(module, PARAMS) >= 7
