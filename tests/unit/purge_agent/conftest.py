# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The purge agent as a module, and a stand-in for SSM and CloudFront that it talks to over HTTP."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aws_stand_in import StandIn, standing_in

FILES = Path(__file__).resolve().parents[3] / "roles/web_node/files"
CREATED = """<?xml version="1.0"?><Invalidation xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Id>I{number}</Id>
<Status>InProgress</Status><CreateTime>2026-11-22T10:00:00Z</CreateTime><InvalidationBatch><Paths><Quantity>0</Quantity></Paths>
<CallerReference>r</CallerReference></InvalidationBatch></Invalidation>"""
REFUSED = """<?xml version="1.0"?><ErrorResponse xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Error><Type>Sender</Type>
<Code>{code}</Code><Message>refused</Message></Error><RequestId>r</RequestId></ErrorResponse>"""


@pytest.fixture(scope="session")
def agent() -> ModuleType:
    """Import the agent as the interpreter on a node does: its folder is where it finds the boot agent."""
    sys.path.insert(0, str(FILES))
    try:
        spec = importlib.util.spec_from_file_location("web_node_purge_agent", FILES / "purge_agent.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FILES))
    return module


class Cloud:
    """What the stand-in answers, and what it was asked."""

    def __init__(self) -> None:
        self.parameters: dict[str, str] = {}
        self.answers: list[str] = []  # error codes for the next invalidations, in order; "" lets one pass
        self.asked: list[dict[str, Any]] = []
        self.looked_up: list[str] = []

    @property
    def sent(self) -> list[list[str]]:
        """Return the paths of the invalidations that were taken."""
        return [one["paths"] for one in self.asked if not one["code"]]


class Handler(StandIn):
    cloud: Cloud

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.headers.get("X-Amz-Target") == "AmazonSSM.GetParameter":
            self.get_parameter(json.loads(body)["Name"])
        else:
            self.create_invalidation(body)

    def get_parameter(self, name: str) -> None:
        self.cloud.looked_up.append(name)
        if name in self.cloud.parameters:
            self.answer(
                200, json.dumps({"Parameter": {"Name": name, "Value": self.cloud.parameters[name]}}), "application/json"
            )
        else:
            self.answer(400, json.dumps({"__type": "ParameterNotFound"}), "application/json")

    def create_invalidation(self, body: str) -> None:
        found = re.fullmatch(r"/2020-05-31/distribution/(\w+)/invalidation", self.path)
        assert found, self.path
        code = self.cloud.answers.pop(0) if self.cloud.answers else ""
        paths = [path.replace("&amp;", "&") for path in re.findall(r"<Path>(.*?)</Path>", body)]
        assert f"<Quantity>{len(paths)}</Quantity>" in body
        reference = re.findall(r"<CallerReference>(.*?)</CallerReference>", body)[0]
        self.cloud.asked.append({"distribution": found[1], "paths": paths, "reference": reference, "code": code})
        if code:
            self.answer(
                {"NoSuchDistribution": 404, "AccessDenied": 403}.get(code, 400),
                REFUSED.format(code=code),
                "application/xml",
            )
        else:
            self.answer(201, CREATED.format(number=len(self.cloud.asked)), "application/xml")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Return the stand-in that botocore is pointed at, holding the distribution of the stack `blog`."""
    made = Cloud()
    made.parameters["/wordpress_ha/blog/edge/distribution_id"] = "EDIST"
    with standing_in(monkeypatch, Handler, cloud=made):
        yield made


@pytest.fixture
def edge(agent: ModuleType, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the edge as a node of the stack `blog` sees it."""
    about = {f"tags/instance/{agent.boot_agent.STACK_TAG}": "blog", "placement/region": "eu-central-1"}
    monkeypatch.setattr(agent.boot_agent, "imds", about.__getitem__)
    config = {"source": "aws", "ca_bundle": True, "run_dir": str(tmp_path)}
    return agent.Edge(config)


@pytest.fixture
def spool(agent: ModuleType, tmp_path: Path) -> Any:
    folder = tmp_path / "purge"
    folder.mkdir()
    return agent.Spool(folder)


@pytest.fixture
def run(agent: ModuleType, spool: Any, edge: Any) -> Any:
    """Return a function that runs the agent, without pauses unless told so."""
    return lambda sleep=lambda _seconds: None, of=edge: agent.run(spool, of, sleep)


@pytest.fixture
def note(spool: Any) -> Any:
    """Return a function that writes a note as PHP does."""
    counter = iter(range(1_000_000))

    def write(*paths: Any, name: str = "") -> Path:
        path = spool.folder / (name or f"{next(counter):06}.json")
        path.write_text(json.dumps({"paths": list(paths)}))
        return path

    return write
