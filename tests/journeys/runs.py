# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journeys and their mutations, run alike for each behavior set (test_1_recommended.py, test_2_whitepaper.py)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import travel
from .edge import Edge
from .journeys import JOURNEYS
from .mutations import MUTATIONS, SHORTCOMINGS
from .world import Broken, World


def passing(behavior_set: str) -> list[str]:
    """Return the journeys that a set can pass."""
    return [name for name in JOURNEYS if name not in SHORTCOMINGS[behavior_set]]


def succeeds(world: World, edge: Edge, name: str, prove: Callable[[str], None]) -> None:
    edge.restore()
    started = time.monotonic()
    travel(JOURNEYS[name], world)
    prove(f"{(JOURNEYS[name].__doc__ or name).splitlines()[0]} ({time.monotonic() - started:.0f} s)")


def falls_short(world: World, edge: Edge, behavior_set: str, name: str, prove: Callable[[str], None]) -> None:
    edge.restore()
    shortcoming = SHORTCOMINGS[behavior_set][name]
    prove(f"{name}: {fails(world, name, shortcoming.symptom)}, because {shortcoming.why}")


def breaks(world: World, edge: Edge, name: str, prove: Callable[[str], None]) -> None:
    mutation = MUTATIONS[name]
    draft = edge.draft()
    mutation.change(draft)
    edge.apply(draft)
    with mutation.beside(world):
        prove(f"{mutation.what}: {fails(world, name, mutation.symptom)}")


def fails(world: World, name: str, symptom: str) -> str:
    """Make a journey that must end with these words, and return all of its words."""
    with pytest.raises(Broken) as failure:
        travel(JOURNEYS[name], world)
    said = str(failure.value)
    assert re.search(symptom, said), f"{name} failed, but not as expected ({symptom}): {said}"
    return " ".join(said.split())[:140]


def parametrized(names: list[str]) -> Any:
    return pytest.mark.parametrize("name", names)
