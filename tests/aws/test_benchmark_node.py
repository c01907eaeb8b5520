# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The node of benchmark_object_cache.yml (R9): started beside the fleet, ended whatever happens. What it measures, Molecule shows.

The emulator's instances are no machines: here the node never answers, which is the case that must leave nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable

from .conftest import Account


def instances(account: Account, *states: str) -> list[dict]:
    """The benchmark's instances in some states."""
    filters = [
        {"Name": "tag:wordpress_ha:config", "Values": ["benchmark"]},
        {"Name": "instance-state-name", "Values": list(states)},
    ]
    found = account.emulator.client("ec2").describe_instances(Filters=filters)["Reservations"]
    return [instance for reservation in found for instance in reservation["Instances"]]


def test_a_node_that_never_answers_is_ended_and_the_fleet_is_as_it_was(
    account: Account, prove: Callable[[str], None]
) -> None:
    image = account.image("given")
    for playbook in ("provision", "roll_out"):
        built = account.play(f"playbooks/{playbook}.yml", wordpress_ha_image_id=image)
        assert built.code == 0, built.tail()
    fleet, contract = account.instance_ids(), account.parameters()
    looked = account.play("playbooks/benchmark_object_cache.yml", "--check", wordpress_ha_image_id=image)
    assert looked.code == 0 and looked.writes == [], looked.tail()
    hasty = {"wordpress_ha_web": {"builder_timeout_seconds": 5}}
    run = account.play("playbooks/benchmark_object_cache.yml", wordpress_ha_image_id=image, **hasty)
    assert run.code != 0
    assert "Wait until the node answers" in run.output, run.tail()
    assert "RunInstances" in " ".join(map(str, run.writes)), run.writes
    assert instances(account, "pending", "running", "stopping", "stopped") == []
    (ended,) = instances(account, "shutting-down", "terminated")
    tags = {tag["Key"]: tag["Value"] for tag in ended["Tags"]}
    assert (tags["wordpress_ha:role"], tags["wordpress_ha:stack"]) == ("builder", "trial")
    assert ended["InstanceId"] not in fleet
    assert (account.instance_ids(), account.parameters()) == (fleet, contract)
    prove(
        f"benchmark_object_cache.yml: a node that never answers is ended, fleet and contract are as before, {run.seconds:.0f} s"
    )


def test_what_makes_no_sense_is_refused(account: Account) -> None:
    few = account.play("playbooks/benchmark_object_cache.yml", benchmark_rounds=3)
    assert few.code != 0 and "benchmark_rounds is 3" in few.output and few.writes == [], few.tail()
    none = account.play("playbooks/benchmark_object_cache.yml", wordpress_ha_cache={"engine": "none"})
    assert none.code != 0 and "there is nothing to compare" in none.output and none.writes == [], none.tail()
