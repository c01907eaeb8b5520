# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The helper of the roles' tests notices what it is there for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from . import holdings
from .conftest import Account, Foreign
from .lifecycle import Role, compare


@pytest.fixture(scope="module")
def role(account: Account, foreign: Foreign) -> Role:
    return Role(
        account,
        "shared_files",
        shared_files_name="shop",
        shared_files_subnet_ids=foreign.data,
        shared_files_security_group_ids=[foreign.groups["files"]],
    )


def test_a_role_is_created(role: Role) -> None:
    made = role.create()
    assert made.result["file_system_id"].startswith("fs-")
    assert any(one.startswith("create file_system") for one in made.resources), made.resources


def test_a_role_is_modified(role: Role) -> None:
    told = role.modify(shared_files_throughput_mode="bursting", shared_files_backup=False)
    assert all(one.startswith("update") for one in told.resources), told.resources


def test_what_is_left_is_seen(role: Role) -> None:
    with pytest.raises(AssertionError, match=r"efs:file_systems:fs-"):
        role.gone()
    role.gone("^efs:", "^ec2:network_interfaces:")


def test_a_refusal_is_one_before_any_write(role: Role) -> None:
    role.refuse("shared_files_throughput_mode", "fast", shared_files_throughput_mode="fast")
    with pytest.raises(AssertionError, match="was accepted"):
        role.refuse("shared_files_backup", shared_files_backup=False)


ACTION = {
    "action": "update",
    "resource": "a/b",
    "task": "Keep",
    "changed": ["x"],
    "before": {"x": 1},
    "after": {"x": 2},
}


@pytest.mark.parametrize(
    ("done", "said"),
    [
        ([], "not done: .'update a/b x"),
        ([ACTION, {**ACTION, "action": "delete"}], "not said: .'delete a/b"),
        ([{**ACTION, "after": {"x": 3}}], "x was to be 2, it became 3"),
    ],
)
def test_a_false_prediction_is_seen(done: list[dict[str, object]], said: str) -> None:
    compare([ACTION], [ACTION])
    compare([{**ACTION, "after": {"x": "(known after apply)"}}], [ACTION])
    compare([{**ACTION, "resource": "a/(known after apply) 1"}], [ACTION])
    with pytest.raises(AssertionError, match=said):
        compare([ACTION], done)


def test_holdings_name_what_there_is(account: Account) -> None:
    assert {"ec2:key_pairs:there"} == _added(account, lambda: _key_pair(account))


def _key_pair(account: Account) -> None:
    account.emulator.client("ec2").create_key_pair(KeyName="there")


def _added(account: Account, act: Callable[[], None]) -> set[str]:
    before = holdings.of(account.emulator)
    act()
    return holdings.of(account.emulator) - before
