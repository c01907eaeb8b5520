# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One edge container for all tests here, one configuration with a behavior for each rule; needs root and the rehearsal's images."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .cells import Cells
from .edge import Edge

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Build what the role builds (a moment when it is there), and learn how the engine is called."""
    if os.geteuid() != 0:
        pytest.skip("the edge's container has an address of its own, which needs root")
    result = tmp_path_factory.mktemp("image") / "result.json"
    command = [str(Path(sys.executable).parent / "ansible-playbook"), str(Path(__file__).parent / "image.yml")]
    environment = {
        **os.environ,
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    made = subprocess.run(
        [*command, "-e", f"edge_result_file={result}"],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout[-3000:] + made.stderr[-1000:]
    return json.loads(result.read_text())


@pytest.fixture(scope="session")
def edge(image: dict, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    running = Edge(tmp_path_factory.mktemp("state"), image["services_image"], image["engine"])
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def cells(edge: Edge) -> Iterator[Cells]:
    """The configuration that most tests look at, live."""
    made = Cells(edge)
    made.apply()
    yield made
    made.close()


@pytest.fixture(scope="session")
def paths() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def fresh(paths: Iterator[int]):
    """Return a path below a prefix that no other test has used: nothing of it is in the cache."""
    return lambda prefix: f"/{prefix}/{next(paths)}"
