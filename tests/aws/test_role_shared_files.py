# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role shared_files alone: from creation over each option to removal, and a file system that is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from .conftest import Account, Foreign
from .lifecycle import Role

TAGS = {"wordpress_ha:stack": "shop"}
CLIENT = "arn:aws:iam::123456789012:role/shop-web"


@pytest.fixture(scope="module")
def role(account: Account, foreign: Foreign) -> Role:
    return Role(
        account,
        "shared_files",
        shared_files_name="shop-files",
        shared_files_tags=TAGS,
        shared_files_subnet_ids=foreign.data,
        shared_files_security_group_ids=[foreign.groups["files"]],
    )


def copies(account: Account, region: str) -> list[Any]:
    client = boto3.client("efs", region_name=region, endpoint_url=account.emulator.endpoint_url)
    return list(client.describe_file_systems()["FileSystems"])


def test_it_is_made(account: Account, role: Role, prove: Callable[[str], None]) -> None:
    made = role.create()
    (found,) = account.emulator.client("efs").describe_file_systems()["FileSystems"]
    assert found["Encrypted"] is True and found["ThroughputMode"] == made.result["throughput_mode"] == "elastic"
    assert len({target["az"] for target in made.result["mount_targets"]}) == 3
    assert made.result["replica"] is None and set(made.result["access_points"]) == {"site"}
    prove(f"an encrypted elastic file system with {len(made.result['mount_targets'])} mount targets, one for each zone")


def test_its_options_can_change(account: Account, foreign: Foreign, role: Role, prove: Callable[[str], None]) -> None:
    told = role.modify(
        shared_files_lifecycle={"ia_after_days": 30, "archive_after_days": 90, "back_on_access": True},
        shared_files_policy=True,
        shared_files_clients=[CLIENT],
        shared_files_replication_region="eu-west-1",
        shared_files_backup=False,
        shared_files_security_group_ids=[foreign.groups["files"], foreign.groups["web"]],
        shared_files_tags={**TAGS, "owner": "me"},
    )
    assert told.result["replica"]["region"] == "eu-west-1" and len(copies(account, "eu-west-1")) == 1
    efs = account.emulator.client("efs")
    assert CLIENT in efs.describe_file_system_policy(FileSystemId=told.result["file_system_id"])["Policy"]
    back = role.modify(
        shared_files_throughput_mode="provisioned",
        shared_files_provisioned_mibps=16,
        shared_files_lifecycle={"ia_after_days": 7},
        shared_files_policy=False,
        shared_files_clients=[],
        shared_files_replication_region="eu-central-1",
    )
    assert copies(account, "eu-west-1") == [] and len(copies(account, "eu-central-1")) == 1
    prove(
        f"{len(told.actions) + len(back.actions)} changes, each as --check had said; the copy moved to another region"
    )


def test_a_run_without_a_change_costs_few_calls(account: Account, role: Role, prove: Callable[[str], None]) -> None:
    role.unchanged()
    calls = [call["action"] for call in account.emulator.calls("efs")]
    assert len(calls) <= 11, calls
    prove(f"no change: {len(calls)} calls in 1 module run, with 3 mount targets and a copy")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shared_files_lifecycle": {"ia_after_days": 31}}, ["ia_after_days", "31", "30"]),
        ({"shared_files_throughput_mode": "elastic"}, ["shared_files_provisioned_mibps is 16", "exactly"]),
        (
            {"shared_files_existing": {"file_system_id": "fs-0123456789abcdef0"}},
            ["fs-0123456789abcdef0", "no such file system"],
        ),
    ],
)
def test_mistakes_are_refused(role: Role, options: dict[str, Any], words: list[str]) -> None:
    role.refuse(*words, **options)


def test_a_given_file_system_is_used_and_left_alone(account: Account, foreign: Foreign) -> None:
    (found,) = account.emulator.client("efs").describe_file_systems()["FileSystems"]
    mine = Role(
        account,
        "shared_files",
        shared_files_name="other-files",
        shared_files_existing={"file_system_id": found["FileSystemId"]},
        shared_files_subnet_ids=foreign.app,
    )
    told = mine.play("main", "discover", "absent")
    assert not told.actions and not told.writes
    assert told.result["dns_name"].startswith(found["FileSystemId"]) and len(told.result["mount_targets"]) == 3


def test_it_can_be_removed(account: Account, role: Role, prove: Callable[[str], None]) -> None:
    told = role.absent()
    assert copies(account, "eu-central-1") == []
    prove(f"absent: {len(told.actions)} resources gone, and the copy in the other region")
