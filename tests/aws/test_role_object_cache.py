# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role object_cache alone: a replication group from creation to removal, the other kinds, and a cache that is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from . import holdings
from .conftest import Account, Foreign
from .lifecycle import Role

TAGS = {"wordpress_ha:stack": "shop"}
KINDS: dict[str, dict[str, Any]] = {
    "serverless": {"object_cache_serverless": {"max_gb": 5}, "object_cache_user": "wordpress"},
    "memcached": {"object_cache_engine": "memcached"},
}


@pytest.fixture(scope="module")
def role(account: Account, foreign: Foreign) -> Role:
    return Role(account, "object_cache", **given(foreign))


def given(foreign: Foreign, name: str = "shop-cache") -> dict[str, Any]:
    """Return what every cache of these tests is given."""
    return {
        "object_cache_name": name,
        "object_cache_tags": TAGS,
        "object_cache_subnet_ids": foreign.data,
        "object_cache_security_group_ids": [foreign.groups["cache"]],
    }


def test_a_replication_group_is_made(account: Account, role: Role, prove: Callable[[str], None]) -> None:
    made = role.create()
    result = made.result
    assert (result["kind"], result["engine"], result["tls"], result["settled"]) == (
        "replication_group",
        "valkey",
        True,
        True,
    )
    assert result["primary_endpoint"].startswith("master.") and result["user"] is None and result["secret_arn"]
    cache = account.emulator.client("elasticache")
    (group,) = cache.describe_replication_groups()["ReplicationGroups"]
    assert (group["MultiAZ"], group["AutomaticFailover"], group["AuthTokenEnabled"]) == ("enabled", "enabled", True)
    zones = {node["PreferredAvailabilityZone"] for node in group["NodeGroups"][0]["NodeGroupMembers"]}
    assert len(zones) == 2
    (policy,) = cache.describe_cache_parameters(CacheParameterGroupName="shop-cache-valkey8", Source="user")[
        "Parameters"
    ]
    assert (policy["ParameterName"], policy["ParameterValue"]) == ("maxmemory-policy", "allkeys-lru")
    prove(
        f"a Valkey group over {len(zones)} zones with TLS, a token and allkeys-lru, in {len(made.writes)} writing calls"
    )


def test_its_options_can_change(account: Account, role: Role, prove: Callable[[str], None]) -> None:
    told = role.modify(
        object_cache_engine_version="9.0",
        object_cache_node_type="cache.r7g.large",
        object_cache_replicas=2,
        object_cache_snapshot_retention_days=7,
        object_cache_snapshot_window="03:00-04:00",
        object_cache_maintenance_window="sun:04:00-sun:05:00",
        object_cache_user="default",
        object_cache_tags={**TAGS, "owner": "me"},
    )
    assert len(told.result["node_ids"]) == 3 and told.result["user"] == "default"
    assert "delete parameter_group/shop-cache-valkey8" in told.resources
    token = role.modify(object_cache_user="", object_cache_replicas=0)
    assert token.result["user"] is None and "delete user_group/shop-cache" in token.resources
    prove(f"{len(told.actions) + len(token.actions)} changes, each as --check had said")


def test_a_run_without_a_change_costs_few_calls(account: Account, role: Role, prove: Callable[[str], None]) -> None:
    role.unchanged()
    calls = [
        call["action"] for call in account.emulator.calls() if call["service"] in ("elasticache", "secretsmanager")
    ]
    assert len(calls) <= 11, calls
    prove(f"no change: {len(calls)} calls in 2 module runs")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"object_cache_snapshot_retention_days": 36}, ["object_cache_snapshot_retention_days is 36", "35"]),
        (
            {"object_cache_serverless": {"max_gb": 5}, "object_cache_user": ""},
            ["object_cache_user is ''", "knows no token"],
        ),
        (
            {"object_cache_existing": {"host": "clustercfg.x.use1.cache.amazonaws.com", "secret_arn": "arn:x"}},
            ["object_cache_existing.host is clustercfg.x", "cluster mode", "primary endpoint"],
        ),
    ],
)
def test_mistakes_are_refused(role: Role, options: dict[str, Any], words: list[str]) -> None:
    role.refuse(*words, **options)


def test_a_given_cache_is_used_and_left_alone(account: Account, role: Role) -> None:
    (group,) = account.emulator.client("elasticache").describe_replication_groups()["ReplicationGroups"]
    host = group["NodeGroups"][0]["PrimaryEndpoint"]["Address"]
    existing = {"host": host, "secret_arn": "arn:of:theirs"}
    mine = Role(account, "object_cache", object_cache_name="other-cache", object_cache_existing=existing)
    told = mine.play("main", "discover", "absent")
    assert not told.actions and not told.writes
    assert (told.result["kind"], told.result["primary_endpoint"], told.result["port"]) == ("existing", host, 6379)
    assert told.result["secret_arn"] == "arn:of:theirs" and told.result["settled"] is True
    assert told.result["arn"] == group["ARN"]


def test_it_can_be_removed(account: Account, role: Role, prove: Callable[[str], None]) -> None:
    told = role.absent("snapshots:last", object_cache_final_snapshot_name="last")
    snapshots = account.emulator.client("elasticache").describe_snapshots()["Snapshots"]
    assert [one["SnapshotName"] for one in snapshots] == ["last"]
    prove(f"absent: {len(told.actions)} resources gone, the final snapshot stays")


@pytest.mark.parametrize("kind", KINDS)
def test_other_kinds_live_and_go(account: Account, foreign: Foreign, kind: str, prove: Callable[[str], None]) -> None:
    """In one run, since the modules' own tests hold check mode to what is then done."""
    role = Role(account, "object_cache", **given(foreign, f"{kind}-cache"), **KINDS[kind])
    role.before = holdings.of(account.emulator)
    told = role.play("main", "main", "discover", "absent")
    role.gone()
    made = [one for one in told.resources if one.startswith("create")]
    assert len(made) == len(told.resources) / 2, (
        f"the second run did something, or absent left something: {told.resources}"
    )
    result = told.result
    assert (result["kind"], result["tls"], result["settled"]) == (kind, True, True)
    where = "configuration_endpoint" if kind == "memcached" else "primary_endpoint"
    assert result[where]
    prove(f"{kind}: made, found and removed: {', '.join(one.split()[1] for one in made)}; {where} published")
