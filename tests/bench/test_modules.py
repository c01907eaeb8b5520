# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run with nothing to do: the role edge against the same five behaviors through community.aws, A B A B in one run.

Both wait until all edges have the settings, as a play must before it leads visitors there. The emulator takes three seconds to
deploy, CloudFront minutes. What community.aws waits is its own: it writes in each run, its waiter looks once a minute, and none of that is
changed here. Its time without waiting is printed too, and is not the same thing: the run then ends before its change has arrived.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean

import pytest
from aws.conftest import Account, Run

from wordpress_ha_rehearsal.emulator import testing

PLAYBOOKS = Path(__file__).resolve().parent / "playbooks"
#: What the issue asks for: seconds of the role, and how many times faster.
MOST_SECONDS, FASTER = 15.0, 3.0
DEPLOYING_SECONDS = 3.0


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """An account whose distributions take three seconds to arrive at the edges."""
    with testing.running("external") as emulator:
        over = threading.Event()

        def deploy() -> None:
            since: dict[tuple[str, str], float] = {}
            while not over.wait(0.25):
                now = time.monotonic()
                there = {(one["id"], one["etag"]) for one in emulator.desired()["distributions"]}
                since = {key: since.get(key, now) for key in there}
                arrived = {
                    identifier: etag for (identifier, etag), at in since.items() if now - at >= DEPLOYING_SECONDS
                }
                emulator.observed(distributions=arrived)

        thread = threading.Thread(target=deploy)
        thread.start()
        try:
            yield Account(emulator)
        finally:
            over.set()
            thread.join()


def play(account: Account, name: str, **variables: object) -> Run:
    run = account.play(str(PLAYBOOKS / f"{name}.yml"), emulated=account.emulator.environment, **variables)
    assert run.code == 0, run.tail()
    return run


def test_a_run_with_nothing_to_do(account: Account, prove: Callable[[str], None]) -> None:
    play(account, "ours", behavior_set="whitepaper")
    play(account, "community", wait=False)
    ours: list[Run] = []
    theirs: list[Run] = []
    for _round in range(2):
        ours.append(play(account, "ours", behavior_set="whitepaper"))
        theirs.append(play(account, "community", wait=True))
    for name, runs in (("role edge", ours), ("community.aws", theirs)):
        told = ", ".join(
            f"{run.seconds:.1f} s (changed={run.recap['changed']}, {len(run.writes)} writing calls)" for run in runs
        )
        prove(f"no change, five behaviors, {name}: {told}")
    assert all(run.recap["changed"] == 0 and run.writes == [] for run in ours)
    ratio = mean(run.seconds for run in theirs) / mean(run.seconds for run in ours)
    without = play(account, "community", wait=False)
    prove(
        f"no change, five behaviors: community.aws takes {ratio:.1f} times as long; without waiting it takes {without.seconds:.1f} s,"
    )
    prove(
        f"ends before its {len(without.writes)} writes have arrived, has no check mode, and knows neither policies nor functions"
    )
    assert max(run.seconds for run in ours) < MOST_SECONDS and ratio >= FASTER


def test_the_recommended_set_takes_no_longer(account: Account, prove: Callable[[str], None]) -> None:
    play(account, "ours", behavior_set="recommended")
    run = play(account, "ours", behavior_set="recommended")
    assert run.recap["changed"] == 0 and run.writes == []
    prove(f"no change, set recommended with its policies: {run.seconds:.1f} s")
    assert run.seconds < MOST_SECONDS
