# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the extensions add to moto's ElastiCache and EFS: users, serverless and Memcached caches, policies and replication."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from web_tier import network

from wordpress_ha_rehearsal.emulator.testing import Emulator

PASSWORD = "0123456789abcdef"


def refused(code: str, call: Any, **arguments: Any) -> None:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code


@pytest.fixture
def cache(external: Emulator) -> Any:
    return external.client("elasticache")


def user(cache: Any, name: str, user_name: str = "", access: str = "on ~* +@all") -> str:
    mode = {"Type": "password", "Passwords": [PASSWORD]}
    cache.create_user(
        UserId=name, UserName=user_name or name, Engine="valkey", AccessString=access, AuthenticationMode=mode
    )
    return name


def group(cache: Any, *users: str, name: str = "g", engine: str = "valkey") -> None:
    cache.create_user_group(UserGroupId=name, Engine=engine, UserIds=list(users))
    cache.describe_user_groups(UserGroupId=name)


class TestUsers:
    def test_access_strings_are_reported_in_other_words(self, cache):
        user(cache, "a", access="on allkeys +@read")
        (found,) = cache.describe_users(UserId="a")["Users"]
        assert found["AccessString"] == "on ~* -@all +@read"
        cache.modify_user(UserId="a", AccessString="off nocommands")
        assert cache.describe_users(UserId="a")["Users"][0]["AccessString"] == "off -@all"

    def test_groups_hold_users_and_caches_hold_groups(self, external, cache):
        group(cache, user(cache, "a"), user(cache, "d", "default"))
        made = cache.create_replication_group(
            ReplicationGroupId="c", ReplicationGroupDescription="x", Engine="valkey", NumCacheClusters=1,
            TransitEncryptionEnabled=True, UserGroupIds=["g"],
        )["ReplicationGroup"]  # fmt: skip
        assert made["UserGroupIds"] == ["g"] and made["AuthTokenEnabled"] is False
        (found,) = cache.describe_user_groups()["UserGroups"]
        assert found["ReplicationGroups"] == ["c"] and cache.describe_users(UserId="a")["Users"][0]["UserGroupIds"] == [
            "g"
        ]
        refused("InvalidUserGroupState", cache.delete_user_group, UserGroupId="g")
        external.observed(replication_groups={"c": "available"})
        cache.modify_replication_group(
            ReplicationGroupId="c", RemoveUserGroups=True, AuthToken=PASSWORD, AuthTokenUpdateStrategy="SET"
        )
        described = cache.describe_replication_groups()["ReplicationGroups"][0]
        assert described["UserGroupIds"] == [] and described["AuthTokenEnabled"] is True
        cache.describe_user_groups()
        cache.delete_user_group(UserGroupId="g")
        cache.delete_user(UserId="a")
        refused("UserNotFound", cache.describe_users, UserId="a")

    def test_the_data_plane_learns_the_password_of_the_default_user(self, external, cache):
        group(cache, user(cache, "d", "default"))
        cache.create_replication_group(
            ReplicationGroupId="c", ReplicationGroupDescription="x", Engine="valkey", NumCacheClusters=1,
            TransitEncryptionEnabled=True, UserGroupIds=["g"],
        )  # fmt: skip
        assert external.desired()["replication_groups"][0]["auth_token"] == PASSWORD

    def test_what_aws_refuses(self, cache):
        refused("UserNotFound", cache.create_user_group, UserGroupId="g", Engine="valkey", UserIds=["nobody"])
        user(cache, "a")
        refused("DefaultUserRequired", cache.create_user_group, UserGroupId="g", Engine="redis", UserIds=["a"])
        user(cache, "b", "a")
        refused("DuplicateUserName", cache.create_user_group, UserGroupId="g", Engine="valkey", UserIds=["a", "b"])
        group(cache, user(cache, "d", "default"))
        refused("DefaultUserAssociatedToUserGroup", cache.delete_user, UserId="d")
        both = {"AuthToken": PASSWORD, "UserGroupIds": ["g"], "TransitEncryptionEnabled": True}
        refused(
            "InvalidParameterCombination", cache.create_replication_group, ReplicationGroupId="c",
            ReplicationGroupDescription="x", Engine="valkey", NumCacheClusters=1, **both,
        )  # fmt: skip


class TestServerless:
    def test_a_cache_becomes_available_at_the_second_look(self, cache):
        group(cache, user(cache, "a"))
        made = cache.create_serverless_cache(
            ServerlessCacheName="s", Engine="valkey", UserGroupId="g",
            CacheUsageLimits={"DataStorage": {"Maximum": 5, "Unit": "GB"}},
        )["ServerlessCache"]  # fmt: skip
        assert made["Status"] == "creating" and "Endpoint" not in made
        refused("InvalidServerlessCacheStateFault", cache.list_tags_for_resource, ResourceName=made["ARN"])
        refused("InvalidServerlessCacheStateFault", cache.delete_serverless_cache, ServerlessCacheName="s")
        cache.describe_serverless_caches()
        (found,) = cache.describe_serverless_caches(ServerlessCacheName="s")["ServerlessCaches"]
        assert (found["Status"], found["Endpoint"]["Port"], found["ReaderEndpoint"]["Port"]) == (
            "available",
            6379,
            6380,
        )
        changed = cache.modify_serverless_cache(
            ServerlessCacheName="s", CacheUsageLimits={"ECPUPerSecond": {"Maximum": 2000}}
        )["ServerlessCache"]
        assert changed["CacheUsageLimits"]["DataStorage"]["Maximum"] == 5
        cache.describe_serverless_caches()
        cache.delete_serverless_cache(ServerlessCacheName="s", FinalSnapshotName="last")
        refused("ServerlessCacheNotFoundFault", cache.describe_serverless_caches, ServerlessCacheName="s")
        (snapshot,) = cache.describe_serverless_cache_snapshots()["ServerlessCacheSnapshots"]
        assert snapshot["ServerlessCacheSnapshotName"] == "last"

    def test_what_aws_refuses(self, cache):
        refused("InvalidParameterValue", cache.create_serverless_cache, ServerlessCacheName="s", Engine="mysql")
        refused(
            "UserGroupNotFound",
            cache.create_serverless_cache,
            ServerlessCacheName="s",
            Engine="valkey",
            UserGroupId="g",
        )


class TestMemcached:
    def cluster(self, external: Emulator, **more: Any) -> Any:
        cache, net = external.client("elasticache"), network(external)
        cache.create_cache_subnet_group(
            CacheSubnetGroupName="m", CacheSubnetGroupDescription="x", SubnetIds=net.subnets
        )
        cache.create_cache_cluster(
            CacheClusterId="m", Engine="memcached", CacheNodeType="cache.t4g.small", CacheSubnetGroupName="m",
            **{"NumCacheNodes": 2, "AZMode": "cross-az", **more},
        )  # fmt: skip
        return cache

    def test_nodes_come_and_go(self, external):
        cache = self.cluster(external, PreferredAvailabilityZones=["us-east-1a", "us-east-1b"])
        refused("InvalidCacheClusterState", cache.modify_cache_cluster, CacheClusterId="m", NumCacheNodes=3)
        cache.describe_cache_clusters(CacheClusterId="m")
        cache.modify_cache_cluster(CacheClusterId="m", NumCacheNodes=3, NewAvailabilityZones=["us-east-1a"])
        (found,) = cache.describe_cache_clusters(ShowCacheNodeInfo=True)["CacheClusters"]
        assert [node["CacheNodeId"] for node in found["CacheNodes"]] == ["0001", "0002", "0003"]
        assert found["ConfigurationEndpoint"]["Port"] == 11211
        refused(
            "InvalidParameterCombination", cache.modify_cache_cluster, CacheClusterId="m", NumCacheNodes=1,
            CacheNodeIdsToRemove=["0003"],
        )  # fmt: skip
        cache.modify_cache_cluster(CacheClusterId="m", NumCacheNodes=2, CacheNodeIdsToRemove=["0001"])
        (found,) = cache.describe_cache_clusters(CacheClusterId="m", ShowCacheNodeInfo=True)["CacheClusters"]
        assert [node["CacheNodeId"] for node in found["CacheNodes"]] == ["0002", "0003"]

    def test_groups_in_use_stay_and_the_cluster_goes(self, external):
        cache = self.cluster(external)
        refused("CacheSubnetGroupInUse", cache.delete_cache_subnet_group, CacheSubnetGroupName="m")
        cache.delete_cache_cluster(CacheClusterId="m")
        refused("CacheClusterNotFound", cache.describe_cache_clusters, CacheClusterId="m")
        cache.delete_cache_subnet_group(CacheSubnetGroupName="m")

    def test_its_family_has_its_own_parameters(self, cache):
        name = {"CacheParameterGroupName": "p"}
        cache.create_cache_parameter_group(**name, CacheParameterGroupFamily="memcached1.6", Description="x")
        values = [{"ParameterName": "maxmemory-policy", "ParameterValue": "allkeys-lru"}]
        refused("InvalidParameterValue", cache.modify_cache_parameter_group, **name, ParameterNameValues=values)
        values = [{"ParameterName": "max_item_size", "ParameterValue": "2097152"}]
        cache.modify_cache_parameter_group(**name, ParameterNameValues=values)


class TestReplicationGroups:
    def test_a_final_snapshot_is_taken(self, cache):
        cache.create_replication_group(
            ReplicationGroupId="c", ReplicationGroupDescription="x", Engine="valkey", NumCacheClusters=1
        )
        cache.delete_replication_group(ReplicationGroupId="c", FinalSnapshotIdentifier="last")
        assert [one["SnapshotName"] for one in cache.describe_snapshots()["Snapshots"]] == ["last"]


class TestFiles:
    def test_a_policy_is_put_and_removed(self, external):
        efs = external.client("efs")
        made = efs.create_file_system(CreationToken="f")
        statement = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "arn:of:another"}
        name = {"FileSystemId": made["FileSystemId"]}
        refused(
            "InvalidPolicyException", efs.put_file_system_policy, **name, Policy=json.dumps({"Statement": [statement]})
        )
        statement["Resource"] = made["FileSystemArn"]
        efs.put_file_system_policy(**name, Policy=json.dumps({"Statement": [statement]}))
        efs.delete_file_system_policy(**name)
        refused("PolicyNotFound", efs.describe_file_system_policy, **name)

    def test_a_file_system_is_copied_to_another_region(self, external):
        efs = external.client("efs")
        far = boto3.client(
            "efs", region_name="eu-west-1", endpoint_url=external.endpoint_url, aws_access_key_id="x",
            aws_secret_access_key="x",
        )  # fmt: skip
        source = efs.create_file_system(CreationToken="f")["FileSystemId"]
        refused("ReplicationNotFound", efs.describe_replication_configurations, FileSystemId=source)
        made = efs.create_replication_configuration(SourceFileSystemId=source, Destinations=[{"Region": "eu-west-1"}])
        (copy,) = far.describe_file_systems()["FileSystems"]
        assert made["Destinations"][0]["FileSystemId"] == copy["FileSystemId"] and copy["Encrypted"] is True
        refused("ReplicationAlreadyExists", efs.delete_file_system, FileSystemId=source)
        refused("ReplicationAlreadyExists", far.delete_file_system, FileSystemId=copy["FileSystemId"])
        efs.delete_replication_configuration(SourceFileSystemId=source)
        (ending,) = efs.describe_replication_configurations()["Replications"]
        assert ending["Destinations"][0]["Status"] == "DELETING"
        refused("ReplicationNotFound", efs.describe_replication_configurations, FileSystemId=source)
        back = [{"Region": "eu-west-1", "FileSystemId": copy["FileSystemId"]}]
        again = {"SourceFileSystemId": source, "Destinations": back}
        refused("ValidationException", efs.create_replication_configuration, **again)
        far.update_file_system_protection(FileSystemId=copy["FileSystemId"], ReplicationOverwriteProtection="DISABLED")
        efs.create_replication_configuration(**again)
