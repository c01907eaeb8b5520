# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The drain agent as a module, a clock that does not tick by itself, and an Auto Scaling group that it talks to over HTTP."""

from __future__ import annotations

import importlib.util
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aws_stand_in import StandIn, standing_in
from drain_world import Scaling, World

FILES = Path(__file__).resolve().parents[3] / "roles/web_node/files"
DONE = "<{0}Response xmlns='http://autoscaling.amazonaws.com/doc/2011-01-01/'><{0}Result/></{0}Response>"
REFUSED = """<ErrorResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/"><Error><Type>Sender</Type>
<Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"""


@pytest.fixture(scope="session")
def agent() -> ModuleType:
    """Import the agent as the interpreter on a node does: its folder is where it finds the boot agent."""
    sys.path.insert(0, str(FILES))
    try:
        spec = importlib.util.spec_from_file_location("web_node_drain_agent", FILES / "drain_agent.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FILES))
    return module


class Handler(StandIn):
    scaling: Scaling

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        asked = {name: values[0] for name, values in urllib.parse.parse_qs(body).items()}
        refusal = self.scaling.refusals.pop(0) if self.scaling.refusals else None
        if refusal:
            self.answer(400, REFUSED.format(code=refusal[0], message=refusal[1]), "text/xml")
            return
        self.scaling.told.append(asked)
        self.answer(200, DONE.format(asked["Action"]), "text/xml")


@pytest.fixture
def scaling(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scaling]:
    """Return the stand-in that botocore is pointed at."""
    made = Scaling()
    with standing_in(monkeypatch, Handler, scaling=made):
        yield made


@pytest.fixture
def world(agent: ModuleType, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()

    def imds(path: str) -> str:
        if path not in made.metadata:
            raise agent.boot_agent.NotYet(f"instance metadata {path}: 404")
        return made.metadata[path]

    monkeypatch.setattr(agent.boot_agent, "imds", imds)
    return made


@pytest.fixture
def drain(agent: ModuleType, world: World, scaling: Scaling) -> Any:
    """Return the whole agent, whose node is the world and whose group is the stand-in."""
    return agent.Drain(agent.Group({"ca_bundle": True}), world, 300.0, world.now, world.sleep)
