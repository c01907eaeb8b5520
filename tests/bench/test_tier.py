# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The AWS tier by our plays against a plain playbook of stock modules for the same resources, A B A B in one run.

Both run on the emulated control plane, which answers at once: what is measured is Ansible, Python and the number of calls, not AWS.
The plain playbook (playbooks/stock.yml) makes less: upstream has no replication group, no predicted ids, no WAF logs. Its own sleeps
after creating security groups and route tables are its own.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from statistics import mean

import pytest
from aws.conftest import Account, Run

from wordpress_ha_rehearsal.emulator import testing

PLAYBOOKS = Path(__file__).resolve().parent / "playbooks"
#: Most that a run may take of the stock playbook's time and calls, by the issue.
HALF = 0.5
ROUNDS = 2


@pytest.fixture(scope="module")
def ours() -> Iterator[Account]:
    with testing.running() as emulator:
        account = Account(emulator)
        account.prepare()
        yield account


@pytest.fixture(scope="module")
def stock() -> Iterator[Account]:
    with testing.running() as emulator:
        account = Account(emulator)
        account.prepare()
        yield account


class Measured:
    """A run with what it cost: seconds, API calls, module processes."""

    def __init__(self, account: Account, run: Run) -> None:
        assert run.code == 0, run.tail()
        self.run = run
        self.seconds = run.seconds
        self.calls = len(account.emulator.calls())

    def __str__(self) -> str:
        return f"{self.seconds:.0f} s, {self.calls} calls ({len(self.run.writes)} writing), changed={self.run.recap['changed']}"


def our_tier(account: Account, image: str) -> Measured:
    run = account.play("playbooks/provision.yml", "playbooks/roll_out.yml", wordpress_ha_image_id=image)
    return Measured(account, run)


def stock_tier(account: Account, image: str) -> Measured:
    run = account.play(str(PLAYBOOKS / "stock.yml"), emulated=account.emulator.environment, image=image)
    return Measured(account, run)


def base_image(account: Account) -> str:
    named = [{"Name": "name", "Values": ["debian-13-amd64-*"]}]
    return str(account.emulator.client("ec2").describe_images(Filters=named)["Images"][0]["ImageId"])


def test_the_tier_against_stock_modules(ours: Account, stock: Account, prove: Callable[[str], None]) -> None:
    mine, theirs = ours.image("0" * 64), base_image(stock)
    first = our_tier(ours, mine), stock_tier(stock, theirs)
    rounds = [(our_tier(ours, mine), stock_tier(stock, theirs)) for _round in range(ROUNDS)]
    prove(f"the AWS tier, first run: ours {first[0]}; stock {first[1]}")
    for number, (our, their) in enumerate(rounds, 1):
        prove(f"the AWS tier, nothing to do, round {number}: ours {our}; stock {their}")
    assert all(our.run.recap["changed"] == 0 and our.run.writes == [] for our, _their in rounds)
    time = mean(our.seconds for our, _their in rounds) / mean(their.seconds for _our, their in rounds)
    calls = mean(our.calls for our, _their in rounds) / mean(their.calls for _our, their in rounds)
    begun = first[0].seconds / first[1].seconds
    prove(f"of the stock playbook's: time {time:.2f}, calls {calls:.2f}; of its first run's time {begun:.2f}")
    assert time <= HALF and calls <= HALF and begun < 1


def alone(account: Account, role: str, **variables: object) -> Measured:
    """Run one role twice; return what the second run, which has nothing to do, cost."""
    playbook = str(Path(__file__).resolve().parents[1] / "aws" / "playbooks" / "role.yml")
    for _time in range(2):
        run = account.play(playbook, role_name=role, role_steps=["main"], **variables)
        assert run.code == 0, run.tail()
    assert run.writes == []
    return Measured(account, run)


def told(account: Account) -> str:
    return ", ".join(
        f"{name} {count}" for name, count in Counter(call["action"] for call in account.emulator.calls()).most_common(3)
    )


def grows_evenly(counts: dict[int, int]) -> None:
    """Check that each further one costs no more calls than the ones before it did, and few of them."""
    steps = sorted(counts)
    slopes = [(counts[b] - counts[a]) / (b - a) for a, b in pairwise(steps)]
    assert max(slopes) <= 2 and slopes[-1] <= slopes[0] + 0.5, (counts, slopes)


def test_the_cost_of_a_zone(prove: Callable[[str], None]) -> None:
    calls = {}
    for zones in (1, 2, 3):
        with testing.running() as emulator:
            account = Account(emulator)
            names = [f"us-east-1{letter}" for letter in "abc"[:zones]]
            ranges = {
                tier: [f"10.70.{tier_number * 64 + zone * 16}.0/20" for zone in range(zones)]
                for tier_number, tier in enumerate(("public", "app", "data"))
            }
            done = alone(
                account,
                "network",
                network_name="bench",
                network_cidr="10.70.0.0/16",
                network_availability_zones=names,
                network_subnets=ranges,
            )
            calls[zones] = done.calls
            prove(f"role network, {zones} zones, nothing to do: {done.seconds:.1f} s, {done.calls} calls")
    grows_evenly(calls)


def test_the_cost_of_a_site(prove: Callable[[str], None]) -> None:
    calls = {}
    for sites in (1, 5, 20):
        with testing.running() as emulator:
            account = Account(emulator)
            ec2 = emulator.client("ec2")
            vpc = ec2.create_vpc(CidrBlock="10.71.0.0/16")["Vpc"]["VpcId"]
            subnets = [
                ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.71.{number}.0/24", AvailabilityZone=zone)["Subnet"][
                    "SubnetId"
                ]
                for number, zone in enumerate(("us-east-1a", "us-east-1b"))
            ]
            group = ec2.create_security_group(GroupName="bench", Description="bench", VpcId=vpc)["GroupId"]
            done = alone(
                account,
                "load_balancer",
                load_balancer_name="bench",
                load_balancer_vpc_id=vpc,
                load_balancer_subnet_ids=subnets,
                load_balancer_security_group_ids=[group],
                load_balancer_sites=[
                    {"name": f"site-{number}", "hosts": [f"{number}.example.org"]} for number in range(sites)
                ],
            )
            calls[sites] = done.calls
            prove(
                f"role load_balancer, {sites} further sites, nothing to do: {done.seconds:.1f} s, {done.calls} calls ({told(account)})"
            )
    grows_evenly(calls)


@pytest.mark.skipif(
    "BENCH_MITOGEN" not in os.environ,
    reason="a measured option, not a dependency: BENCH_MITOGEN=<its strategy directory>",
)
def test_a_persistent_worker(ours: Account, prove: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same no-change run in mitogen's long-lived interpreters, if its strategy plugins are installed somewhere."""
    image = ours.image("0" * 64)
    our_tier(ours, image)
    plain = our_tier(ours, image)
    monkeypatch.setenv("ANSIBLE_STRATEGY_PLUGINS", os.environ["BENCH_MITOGEN"])
    monkeypatch.setenv("ANSIBLE_STRATEGY", "mitogen_linear")
    worker = our_tier(ours, image)
    prove(f"the AWS tier, nothing to do: {plain}; with mitogen: {worker}")
