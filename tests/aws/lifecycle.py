# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life of an AWS role that stands alone, as a story that its test tells.

::

    @pytest.fixture(scope="module")
    def role(account: Account, foreign: Foreign) -> Role:
        return Role(account, "shared_files", shared_files_name="shop", shared_files_subnet_ids=foreign.data,
                    shared_files_security_group_ids=[foreign.groups["files"]])

    def test_it_is_made(role: Role) -> None:
        made = role.create()                     # predicted, done as predicted, again: nothing, found again
        assert made.result["dns_name"]

    def test_each_option_can_change(role: Role) -> None:
        role.modify(shared_files_throughput_mode="bursting", shared_files_backup=False)   # the same for a change
        role.modify(shared_files_tags={"owner": "other"})

    def test_a_mistake_is_refused(role: Role) -> None:
        role.refuse("shared_files_throughput_mode is 'fast'", shared_files_throughput_mode="fast")

    def test_it_can_be_removed(role: Role) -> None:
        role.absent()                            # predicted, done, again: nothing; the account is as it was

Each of ``create``, ``modify`` and ``absent`` takes two runs of ansible-playbook. What another role would make comes from ``foreign``, a VPC
by boto3, or from boto3 in the test: no role's test needs another role.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _plan

from . import holdings
from .conftest import Account, Run

PLAYBOOK = str(Path(__file__).resolve().parent / "playbooks" / "role.yml")
#: Name of the task that begins each step of a run.
STEP = "Lifecycle | Begin a step"


@dataclass
class Told:
    """What one chapter did: the role's result, its actions as the plan summary wrote them, its writing calls, its last run."""

    result: dict[str, Any]
    actions: list[dict[str, Any]]
    writes: list[str]
    run: Run

    @property
    def resources(self) -> list[str]:
        """The actions in short: ``create subnet/app-a``."""
        return [f"{one['action']} {one['resource']}" for one in self.actions]


@dataclass
class Role:
    """A role under test in an account, with the options it has by now; options are the role's own variables."""

    account: Account
    name: str
    options: dict[str, Any] = field(default_factory=dict)
    before: set[str] = field(default_factory=set)

    def __init__(self, account: Account, name: str, **options: Any) -> None:
        self.account, self.name, self.options = account, name, options
        self.before = set()

    def create(self, again: bool = True) -> Told:
        """Make it: check mode on the empty account says exactly what is then done; a second run does nothing; it is found."""
        self.before = holdings.of(self.account.emulator)
        told = self._predicted("main", again)
        assert told.actions, f"{self.name} made nothing:\n{told.run.tail()}"
        return told

    def modify(self, again: bool = True, **options: Any) -> Told:
        """Change options for good: each change as in ``create``. An option set to None is given up."""
        self.options = {key: value for key, value in {**self.options, **options}.items() if value is not None}
        told = self._predicted("main", again)
        assert told.actions, f"{self.name}: {', '.join(options)} changed nothing"
        return told

    def unchanged(self, **options: Any) -> Told:
        """Run with these options, which ask for nothing new: no change, no writing call."""
        run, steps = self._run(["main"], options)
        assert run.recap["changed"] == 0 and not run.writes, (run.changed, run.writes)
        return Told(steps[-1]["result"], run.actions, run.writes, run)

    def gone(self, *kept: str) -> None:
        """Compare the account with that before ``create``; ``kept`` are patterns of what may stay, such as final snapshots."""
        left = {
            one
            for one in holdings.of(self.account.emulator) - self.before
            if not any(re.search(pattern, one) for pattern in kept)
        }
        assert not left, f"absent left {sorted(left)}"

    def absent(self, *kept: str, **options: Any) -> Told:
        """Remove it: predicted, done, again nothing; the account is as before, except what a pattern in ``kept`` matches."""
        self.options.update(options)
        told = self._predicted("absent", again=True)
        assert told.actions, f"absent of {self.name} removed nothing"
        self.gone(*kept)
        return told

    def refuse(self, *words: str, entry: str = "main", **options: Any) -> Run:
        """Run with a mistake: one message with each of the words, in this order or another, and no writing call."""
        run, _steps = self._run([entry], options, fine=False)
        assert run.code != 0, f"{options} was accepted"
        assert not run.writes, f"{run.writes} before the refusal: {run.message}"
        missing = [word for word in words if word not in run.message]
        assert not missing, f"{missing} not in: {run.message}"
        return run

    def play(self, *steps: str, check: bool = False, **options: Any) -> Told:
        """Run entry points in one process, with options for this time; whatever a story needs beside the above."""
        run, seen = self._run(list(steps), options, check=check)
        return Told(seen[-1]["result"], run.actions, run.writes, run)

    def _predicted(self, entry: str, again: bool) -> Told:
        check, _seen = self._run([entry], {}, check=True)
        assert not check.writes, f"check mode wrote: {check.writes}"
        steps = [entry, *([entry] if again else []), *(["discover"] if entry != "absent" else [])]
        run, seen = self._run(steps, {})
        compare(check.actions, run.actions)
        if again:
            second = re.split(rf"^TASK \[{re.escape(STEP)}\].*$", run.output, flags=re.MULTILINE)[2:]
            changed = [line for part in second for line in part.splitlines() if line.startswith("changed: ")]
            writes = [
                f"{call['service']}:{call['action']}"
                for call in self.account.emulator.calls()
                if call["write"] and call["time"] > seen[1]["begun"]
            ]
            assert not changed and not writes, (
                f"the second run of {entry} changed {changed}, called {writes}\n{run.tail()}"
            )
        if entry != "absent":
            published, found = seen[-2]["result"], seen[-1]["result"]
            assert found == published, f"discover found {found}, the role had published {published}"
        return Told(seen[-1]["result"], run.actions, run.writes, run)

    def _run(
        self, steps: list[str], options: dict[str, Any], check: bool = False, fine: bool = True
    ) -> tuple[Run, list[dict[str, Any]]]:
        given = {key: value for key, value in {**self.options, **options}.items() if value is not None}
        arguments = ["--check", "--diff"] if check else []
        run = self.account.play(PLAYBOOK, *arguments, role_name=self.name, role_steps=steps, **given)
        if not fine:
            return run, []
        assert run.code == 0, f"{self.name} {' '.join([*steps, *arguments])}:\n{run.message}\n{run.tail()}"
        found = re.search(r"lifecycle:([A-Za-z0-9+/=]+):", run.output)
        assert found, run.tail()
        return run, json.loads(base64.b64decode(found.group(1)))


def compare(
    predicted: list[dict[str, Any]], done: list[dict[str, Any]], ordered: bool = True, untold: tuple[str, ...] = ()
) -> None:
    """Compare a plan with what was then done: the same actions in the same order, and the same values but for unknown identifiers.

    A playbook that starts something and comes back to it later may do so in another order than check mode, which does not wait. What is
    named by an identifier that is unknown at first is compared by its kind, and its order with the like is left open.
    """
    vague = {_plan.kind_of(one["resource"]) for one in predicted if not _plan.is_known(one["resource"])}

    def short(actions: list[dict[str, Any]]) -> list[str]:
        names = [
            _plan.kind_of(one["resource"]) if _plan.kind_of(one["resource"]) in vague else one["resource"]
            for one in actions
        ]
        return [
            f"{one['action']} {name} {','.join(one['changed'])} ({one['task']})"
            for name, one in zip(names, actions, strict=True)
        ]

    expected, actual = short(predicted), short(done)
    if not ordered:
        predicted, done = (
            [one for _name, one in sorted(zip(names, actions, strict=True), key=lambda pair: pair[0])]
            for names, actions in ((expected, predicted), (actual, done))
        )
        expected, actual = sorted(expected), sorted(actual)
    differing = [pair for pair in zip(expected, actual, strict=False) if pair[0] != pair[1]]
    assert expected == actual, (
        f"check mode said what was not done: {[one for one in expected if one not in actual]}; "
        f"done but not said: {[one for one in actual if one not in expected]}; first difference: {differing[:1]}"
    )
    for plan, real in zip(predicted, done, strict=True):
        for name, value in plan["after"].items():
            told = _plan.is_known(value) and plan["resource"] not in untold
            wrong = told and value != real["after"][name]
            assert not wrong, (
                f"{plan['action']} {plan['resource']}: {name} was to be {value!r}, it became {real['after'][name]!r}"
            )
