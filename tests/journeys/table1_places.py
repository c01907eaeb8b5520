# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Table 1 (R51) in the two places that only a rehearsal has: in what the emulated CloudFront holds, and in what the edge does.

The functions are called by the tests of each behavior set, while the edge works by it.
"""

from __future__ import annotations

from collections.abc import Callable

import table1

from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront.findings import Context

from .edge import Edge
from .table1_live import Live
from .world import World


def unmet(behavior_set: str) -> set[str]:
    """Return the cells that a set does not meet to the letter, as its own data says, with the reasons."""
    return {cell for difference in table1.load(behavior_set).get("differences", []) for cell in difference["cells"]}


def held(edge: Edge) -> table1.Edge:
    """Return what the emulated CloudFront holds: the distribution and every policy it may name."""
    client = edge.client

    def listed(kind: str, word: str) -> dict[str, object]:
        found = getattr(client, f"list_{kind}_policies")()[f"{word}List"].get("Items", [])
        return {item[word]["Id"]: item[word][f"{word}Config"] for item in found}

    context = Context(
        cache_policies=listed("cache", "CachePolicy"),
        origin_request_policies=listed("origin_request", "OriginRequestPolicy"),
    )
    return table1.Edge(edge.client.get_distribution_config(Id=edge.id)["DistributionConfig"], context)


def emulator_holds(edge: Edge, behavior_set: str, prove: Callable[[str], None]) -> None:
    edge.restore()
    faults = {cell: found for cell, found in table1.check(held(edge)).items() if found}
    assert set(faults) == unmet(behavior_set), faults
    prove(f"CloudFront's configuration meets {len(table1.CELLS) - len(faults)} of {len(table1.CELLS)} cells of Table 1")


def edge_does(world: World, edge: Edge, behavior_set: str, cell: table1.Cell, prove: Callable[[str], None]) -> None:
    edge.restore()
    faults = Live(world, cell.column).look(cell.row)
    assert bool(faults) == (cell.id in unmet(behavior_set)), (
        faults or f"{cell.id} is met, and the set says that it is not"
    )
    prove(f"{cell.id} ({cell.expected}): {'; '.join(faults) or 'seen at the edge'}")
