# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journeys: a real WordPress, behind the rehearsal's edge, used by a real browser and by HTTP.

They use the rehearsal that runs in this checkout and leave it running; where none runs they build one and remove it afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Error
from rehearsal.site import Site

from .browser import chromium
from .edge import Edge
from .journeys import NETWORK_CHANGED, Journey
from .world import AUTHORITY, World

#: The set that the rehearsal's stack file leads to.
DEFAULT_SET = "recommended"


@pytest.fixture(scope="package")
def site() -> Iterator[Site]:
    site = Site()
    try:
        running = site.get("/healthz/live").status_code < 500
    except (OSError, requests.RequestException):
        running = False
    if running:
        yield site
        return
    run = site.make("rehearsal")
    assert run.code == 0, run.tail()
    yield site
    site.make("rehearsal-down")


@pytest.fixture(scope="package")
def world(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home: Path = tmp_path_factory.mktemp("browser")
    with chromium(home, AUTHORITY) as browser:
        world = World(site, browser)
        world.install()
        yield world
        world.tidy()


@pytest.fixture(scope="module")
def edge(request: pytest.FixtureRequest, site: Site, world: World) -> Iterator[Edge]:
    """The edge with the behavior set that the module names in SET."""
    wanted = request.module.SET
    if wanted != DEFAULT_SET:
        provision(site, wanted)
    edge = Edge(site)
    edge.restore()  # policies that an earlier, ended run left
    edge.remember()
    world.stock_up()
    yield edge
    edge.restore()
    if wanted != DEFAULT_SET:
        provision(site, DEFAULT_SET)


def provision(site: Site, behavior_set: str) -> None:
    changes = site.stack(wordpress_ha_edge={"behavior_set": behavior_set})
    run = site.play(f"edge-{behavior_set}", "playbooks/provision.yml", "-e", changes)
    assert run.code == 0, run.tail(60)


def travel(journey: Journey, world: World) -> None:
    """Make a journey; again when Chromium gave up for what has nothing to do with the site."""
    for _attempt in range(4):
        try:
            return journey(world)
        except Error as error:
            if NETWORK_CHANGED not in error.message:
                raise
    return journey(world)
