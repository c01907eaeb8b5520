# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""provision.yml where every tenth call is throttled and every fiftieth breaks, and where it is killed: it ends as on a quiet day.

A call that breaks may have taken effect before. botocore's own retries are off: what is made again, our modules make again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from wordpress_ha_rehearsal.emulator import testing

from . import holdings
from .conftest import Account

PLAYBOOK = "playbooks/provision.yml"
TROUBLE = {"throttle": 0.10, "error": 0.02}
#: The calls at which a run is killed, one run after another.
KILLED_AT = [("ec2", "CreateNatGateway"), ("rds", "CreateDBCluster"), ("cloudfront", "CreateDistributionWithTags")]
#: What AWS makes up: identifiers of EC2 and EFS, UUIDs, those of CloudFront, suffixes of secrets, ends of ARNs, times.
RANDOM = re.compile(
    r"-?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|-[0-9a-f]{8,}\b|\bE[A-Z0-9]{12,13}\b|-[A-Za-z0-9]{6}$"
    r"|\b[0-9a-f]{16,}\b|\b\d{4}(-\d\d){2,4}\b"
)


def shape(account: Account) -> Counter[str]:
    """Return how many there are of everything in the account, without what is random in their names. Ends all trouble."""
    account.emulator.faults()
    held = Counter(RANDOM.sub("#", one) for one in holdings.of(account.emulator))
    return held + Counter(f"parameter {name}" for name in account.parameters())


@pytest.fixture(scope="module")
def accounts() -> Iterator[list[Account]]:
    """Three accounts: quiet, troubled, and one whose runs are killed."""
    with testing.running() as quiet, testing.running() as troubled, testing.running() as killed:
        made = [Account(emulator) for emulator in (quiet, troubled, killed)]
        for account in made:
            account.prepare()
        yield made


@pytest.fixture(scope="module")
def quiet(accounts: list[Account]) -> Iterator[Future[Counter[str]]]:
    """What an undisturbed run leaves; it runs beside the first test."""

    def run() -> Counter[str]:
        done = accounts[0].play(PLAYBOOK)
        assert done.code == 0, done.tail()
        return shape(accounts[0])

    with ThreadPoolExecutor(1) as executor:
        yield executor.submit(run)


def settled(account: Account) -> None:
    """Insist on there being nothing left to do."""
    again = account.play(PLAYBOOK)
    assert again.code == 0 and again.recap["changed"] == 0 and again.writes == [], (again.changed, again.writes)


def test_trouble_is_got_over(
    accounts: list[Account], quiet: Future[Counter[str]], prove: Callable[[str], None]
) -> None:
    account = accounts[1]
    account.emulator.faults(**TROUBLE, seed=1)
    run = account.play(PLAYBOOK)
    met = account.emulator.fault_counts()
    assert run.code == 0 and run.recap["failed"] == 0, run.tail()
    assert met["throttled"] >= 10 and met["broken before"] + met["broken after"] >= 2, met
    assert shape(account) == quiet.result(), shape(account) - quiet.result()
    settled(account)
    told = ", ".join(f"{number} {fault}" for fault, number in sorted(met.items()))
    prove(
        f"provision.yml met {told} calls: green, {run.seconds:.0f} s, the account as after a quiet run; again: changed=0"
    )


def test_kills_amid_trouble_are_got_over(
    accounts: list[Account], quiet: Future[Counter[str]], prove: Callable[[str], None]
) -> None:
    account = accounts[2]
    for number, call in enumerate(KILLED_AT):
        account.emulator.faults(**TROUBLE, seed=10 + number)
        killed = account.play(PLAYBOOK, until=call)
        assert killed.code != 0, f"the run ended before {call}"
    account.emulator.faults(**TROUBLE, seed=20)
    run = account.play(PLAYBOOK)
    assert run.code == 0, run.tail()
    assert shape(account) == quiet.result(), (shape(account) - quiet.result(), quiet.result() - shape(account))
    settled(account)
    prove(
        f"killed in {', '.join(f'{service}:{action}' for service, action in KILLED_AT)}, each time amid trouble, and run "
        "again: the account as after a quiet run; again: changed=0"
    )
