# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each AWS role by itself in a playbook that is not ours, with nothing but its own variables; one story, in this order."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Account, Run

PLAYBOOK = str(Path(__file__).resolve().parent / "playbooks" / "alone.yml")
ROLES = ["network", "database", "object_cache", "shared_files", "load_balancer", "web_fleet"]


@pytest.fixture
def play(account: Account, tmp_path: Path) -> Callable[..., Run]:
    """Run the foreign playbook; ``results`` is the file in which it leaves what was made and found."""
    images = account.emulator.client("ec2").describe_images(
        Filters=[{"Name": "name", "Values": ["debian-13-amd64-*"]}]
    )["Images"]
    variables = {
        "emulated": account.emulator.environment,
        "image": images[0]["ImageId"],
        "results": str(tmp_path / "results"),
    }

    def run(*arguments: str) -> Run:
        return account.play(PLAYBOOK, *arguments, **variables)

    return run


def test_each_role_makes_its_part(
    account: Account, play: Callable[..., Run], tmp_path: Path, prove: Callable[[str], None]
) -> None:
    account.emulator.client("iam").create_instance_profile(InstanceProfileName="shop")
    run = play()
    assert run.code == 0, run.tail()
    for role in ROLES:
        assert any(f"{role} :" in task for task in run.changed), (role, run.changed)
    results = json.loads((tmp_path / "results").read_text())
    for role in ROLES:
        made, found = results["made"][role], results["found"][role]
        assert made and made == found, f"{role}: discover found {found}, the role had published {made}"
    prove(f"{len(ROLES)} roles in a foreign playbook made their parts; discover found for each what it had published")


def test_each_role_then_has_nothing_to_do(play: Callable[..., Run], prove: Callable[[str], None]) -> None:
    run = play("--check", "--diff")
    assert run.code == 0 and run.recap["changed"] == 0 and run.writes == [], (run.changed, run.writes, run.tail())
    prove(f"the same with --check --diff: changed=0, {len(run.writes)} writing calls")
