# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""elasticache_serverless_cache: the module contract, limits, and that nobody gets in without a password."""

from __future__ import annotations

import json
from typing import Any

import cache_account
import contract
import pytest

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _serverless_cache
from ansible_collections.wordpress_ha.aws.plugins.modules import elasticache_serverless_cache as module


@pytest.fixture
def cache(emulated: Any) -> Any:
    return emulated("elasticache")


@pytest.fixture
def params(emulated: Any) -> dict[str, Any]:
    return {
        "name": "blog-cache",
        "auth_token_secret_arn": "blog/cache",
        "user": "wordpress",
        "limits": {"max_gb": 5, "max_ecpu": 10000},
        "tags": cache_account.TAGS,
        **cache_account.prepare(emulated),
    }


def test_contract(cache, params):
    modified = {
        **params,
        "security_group_ids": ["sg-0123456789abcdef0"],
        "limits": {"max_gb": 6, "max_ecpu": 10000, "min_gb": 1},
        "user": "shop",
        "description": "the shop's",
        "snapshot_retention_days": 7,
        "snapshot_time": "03:00",
        "tags": {**cache_account.TAGS, "owner": "me"},
    }
    first = contract.keep(module, params, modified, left=lambda: cache_account.left(cache))
    assert first.facts["user"] == "wordpress" and first.facts["tls"] is True and first.facts["port"] == 6379
    assert "serverless" in first.facts["primary_endpoint"]
    (created,) = first.sent("CreateServerlessCache")
    assert created["UserGroupId"] == "blog-cache"
    assert created["CacheUsageLimits"]["DataStorage"] == {"Maximum": 5, "Unit": "GB"}
    assert cache_account.TOKEN not in json.dumps(first.result)


def test_redis_becomes_valkey_and_7_becomes_8(cache, params):
    contract.succeed(module, {**params, "engine": "redis"})
    contract.converge(module, {**params, "engine_version": "7.2"})
    contract.converge(module, {**params, "engine_version": "8.1"})
    (found,) = cache.describe_serverless_caches()["ServerlessCaches"]
    assert (found["Engine"], found["MajorEngineVersion"]) == ("valkey", "8")


def test_memcached_has_no_user(cache, params):
    mine = {**params, "engine": "memcached", "user": None, "auth_token_secret_arn": None}
    outcome = contract.keep(module, mine, left=lambda: cache_account.left(cache))
    assert outcome.facts["port"] == 11211 and outcome.facts["user"] is None


def test_what_aws_cannot_change_is_refused(params):
    contract.succeed(module, params)
    contract.refuse(module, {**params, "subnet_ids": params["subnet_ids"][:2]}, "subnet_ids of serverless_cache")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"user": ""}, ["user is ''", "everyone"]),
        ({"auth_token_secret_arn": None}, ["auth_token_secret_arn is None"]),
        ({"engine": "memcached"}, ["user is 'wordpress'", "memcached"]),
        ({"limits": {"max_gb": 5001}}, ["limits.max_gb is 5001", "1 to 5000"]),
        ({"limits": {"min_ecpu": 10}}, ["limits.min_ecpu is 10", "1000"]),
        ({"limits": {"min_gb": 9, "max_gb": 8}}, ["limits.min_gb is 9", "limits.max_gb is 8"]),
    ],
)
def test_refuses_before_any_write(params, change, words):
    contract.refuse(module, {**params, **change}, *words)


def test_another_stacks_cache_is_left_alone(params):
    contract.succeed(module, params)
    other = {**params, "tags": {"wordpress_ha:stack": "shop"}}
    contract.refuse(module, other, "'blog'")
    contract.refuse(module, {**other, "state": "absent"}, "'blog'")


def test_the_final_snapshot_is_taken(cache, params):
    contract.succeed(module, params)
    contract.converge(module, {**params, "state": "absent", "final_snapshot_name": "last"})
    (snapshot,) = cache.describe_serverless_cache_snapshots()["ServerlessCacheSnapshots"]
    assert snapshot["ServerlessCacheSnapshotName"] == "last"


def test_a_cache_in_creation_is_waited_for_later(cache, params):
    started = contract.succeed(module, {**params, "wait": False})
    assert started.facts["settled"] is False
    waited = contract.succeed(module, params)
    assert waited.result["changed"] is False and waited.facts["settled"] is True


def test_calls_of_a_run_without_a_change(params):
    contract.succeed(module, params)
    assert len(contract.succeed(module, params).calls) == 7


def test_unknown_inputs_in_check_mode(params):
    unknown = "(known after apply)"
    blank = {"subnet_ids": [unknown], "security_group_ids": [unknown], "auth_token_secret_arn": unknown}
    assert contract.succeed(module, {**params, **blank}, check=True).facts["primary_endpoint"] == unknown


def test_limits_are_read_as_they_are_written():
    limits = {"max_gb": 5, "min_ecpu": 1000, "max_ecpu": 2000}
    assert _serverless_cache.limits_of(_serverless_cache.limits_to(limits)) == limits


def test_survives_kills(emulated, params):
    def prepare() -> dict[str, Any]:
        return cache_account.prepare(emulated)

    assert contract.survive_kills(module, params, prepare) >= 8
