# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""elasticache_replication_group with users instead of a token: created, changed, given up, and never left without a password."""

from __future__ import annotations

import json
from typing import Any

import cache_account
import contract
import pytest

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _cache_users
from ansible_collections.wordpress_ha.aws.plugins.modules import elasticache_replication_group as module


@pytest.fixture
def cache(emulated: Any) -> Any:
    return emulated("elasticache")


@pytest.fixture
def params(emulated: Any) -> dict[str, Any]:
    return {
        "name": "blog-cache",
        "node_type": "cache.t4g.small",
        "auth_token_secret_arn": "blog/cache",
        "user": "wordpress",
        "tags": cache_account.TAGS,
        **cache_account.prepare(emulated),
    }


def test_contract(cache, params):
    modified = {
        **params,
        "user": "shop",
        "user_access": "on ~shop:* +@read +@write",
        "engine_version": "8.2",
        "replicas": 2,
        "node_type": "cache.r7g.large",
        "snapshot_retention_days": 7,
        "tags": {**cache_account.TAGS, "owner": "me"},
    }
    first = contract.keep(module, {**params, "engine_version": "7.2"}, modified, left=lambda: cache_account.left(cache))
    assert first.facts["user"] == "wordpress"
    assert first.facts["node_ids"] == ["blog-cache-001", "blog-cache-002"]
    (created,) = first.sent("CreateReplicationGroup")
    assert created["UserGroupIds"] == ["blog-cache"] and "AuthToken" not in created
    assert cache_account.TOKEN not in json.dumps(first.result)


def test_only_the_named_user_gets_in(cache, params):
    contract.succeed(module, params)
    users = {one["UserName"]: one["AccessString"] for one in cache.describe_users()["Users"] if "-" in one["UserId"]}
    assert users == {"wordpress": _cache_users.ACCESS, "default": _cache_users.NO_ACCESS}
    assert "-@dangerous" in _cache_users.ACCESS.split()


def test_the_default_user_can_be_the_one(cache, params):
    outcome = contract.converge(module, {**params, "user": "default"})
    assert outcome.facts["user"] == "default"
    (group,) = cache.describe_user_groups()["UserGroups"]
    assert group["UserIds"] == ["blog-cache-default"]


def test_a_token_becomes_a_user_and_back(cache, params):
    contract.succeed(module, {**params, "user": ""})
    there = contract.converge(module, params)
    (sent,) = there.sent("ModifyReplicationGroup")
    assert sent["AuthTokenUpdateStrategy"] == "DELETE" and sent["UserGroupIdsToAdd"] == ["blog-cache"]
    assert contract.succeed(module, {**params, "user": None}).result["changed"] is False
    back = contract.converge(module, {**params, "user": ""})
    (sent,) = back.sent("ModifyReplicationGroup")
    assert sent["RemoveUserGroups"] is True and sent["AuthToken"] == cache_account.TOKEN
    assert back.facts["user"] is None
    assert cache.describe_user_groups()["UserGroups"] == []
    assert [one["UserId"] for one in cache.describe_users()["Users"]] == ["default"]


def test_an_access_string_that_aws_reports_in_other_words_is_asked_for_once(cache, params):
    """AWS reports C(allkeys) as C(~*) and puts C(-@all) first; a comparison of the two would never end."""
    contract.converge(module, {**params, "user_access": "on allkeys +@read"})
    (user,) = cache.describe_users(UserId="blog-cache-wordpress")["Users"]
    assert user["AccessString"] == "on ~* -@all +@read"


def test_a_cache_without_any_password_is_refused(cache, params):
    contract.succeed(module, params)
    cache.modify_replication_group(ReplicationGroupId="blog-cache", RemoveUserGroups=True, ApplyImmediately=True)
    for user in (None, ""):
        contract.refuse(module, {**params, "user": user}, "auth_token", "replication_group/blog-cache")
    contract.converge(module, params)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"user": "WordPress"}, ["user is 'WordPress'", "lower-case"]),
        ({"user": "a--b"}, ["user is 'a--b'", "single hyphens"]),
        ({"user": "u" * 31}, ["40 characters", "42"]),
        ({"replicas": 6}, ["replicas is 6", "0 to 5"]),
        ({"snapshot_retention_days": 36}, ["snapshot_retention_days is 36", "35"]),
    ],
)
def test_refuses_before_any_write(params, change, words):
    contract.refuse(module, {**params, **change}, *words)


def test_zones_are_used_by_turns(cache, params):
    outcome = contract.succeed(module, {**params, "replicas": 2, "zones": ["us-east-1c", "us-east-1a"]})
    (sent,) = outcome.sent("CreateReplicationGroup")
    assert sent["PreferredCacheClusterAZs"] == ["us-east-1c", "us-east-1a", "us-east-1c"]


def test_what_is_left_when_the_last_snapshot_is_wanted(cache, params):
    contract.succeed(module, params)
    contract.converge(module, {**params, "state": "absent", "final_snapshot_name": "last"})
    assert [one["SnapshotName"] for one in cache.describe_snapshots()["Snapshots"]] == ["last"]


def test_calls_of_a_run_without_a_change(params):
    """Three groups and their tags are seven calls, one node is the eighth; who has users asks for those too."""
    contract.succeed(module, {**params, "user": ""})
    assert len(contract.succeed(module, {**params, "user": None}).calls) == 8
    assert len(contract.succeed(module, {**params, "user": ""}).calls) == 9
    contract.succeed(module, params)
    assert len(contract.succeed(module, params).calls) == 13


def test_settled_tells_whether_to_wait(cache, params):
    assert contract.succeed(module, params).facts["settled"] is True
    assert contract.succeed(module, {**params, "name": "other", "wait": False}, check=True).facts["settled"] is False
    assert contract.succeed(module, {**params, "name": "other"}, check=True).facts["settled"] is True
    assert contract.succeed(module, {**params, "name": "other", "state": "gathered"}).facts["settled"] is None


def test_survives_kills(emulated, params):
    def prepare() -> dict[str, Any]:
        return cache_account.prepare(emulated)

    assert contract.survive_kills(module, params, prepare) >= 12
