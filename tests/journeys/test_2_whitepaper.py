# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every journey through the edge with the behavior set `whitepaper`; then each again with one thing changed, which it must notice."""

from __future__ import annotations

import pytest
import table1

from . import runs, table1_places
from .edge import Edge
from .mutations import SHORTCOMINGS
from .world import World

SET = "whitepaper"


@runs.parametrized(runs.passing(SET))
def test_journey(world: World, edge: Edge, name: str, prove) -> None:
    runs.succeeds(world, edge, name, prove)


@runs.parametrized(list(SHORTCOMINGS[SET]))
def test_shortcoming(world: World, edge: Edge, name: str, prove) -> None:
    runs.falls_short(world, edge, SET, name, prove)


def test_table1_in_the_configuration(edge: Edge, prove) -> None:
    table1_places.emulator_holds(edge, SET, prove)


@pytest.mark.parametrize("cell", table1.CELLS, ids=lambda cell: cell.id)
def test_table1_at_the_edge(world: World, edge: Edge, cell: table1.Cell, prove) -> None:
    table1_places.edge_does(world, edge, SET, cell, prove)


@runs.parametrized(runs.passing(SET))
def test_mutation(world: World, edge: Edge, name: str, prove) -> None:
    runs.breaks(world, edge, name, prove)
