# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The node's monitoring programs as modules, and an emulator that they tell."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from wordpress_ha_rehearsal.emulator.testing import Emulator, running

FILES = Path(__file__).resolve().parents[3] / "roles/web_node/files"


def _imported(name: str) -> ModuleType:
    """Import a program as the interpreter on a node does: its folder is where it finds the boot agent."""
    sys.path.insert(0, str(FILES))
    try:
        spec = importlib.util.spec_from_file_location(f"web_node_{name}", FILES / f"{name}.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FILES))
    return module


@pytest.fixture(scope="session")
def cron_lag() -> ModuleType:
    return _imported("cron_lag")


@pytest.fixture(scope="session")
def mail_failures() -> ModuleType:
    return _imported("mail_failures")


@pytest.fixture(scope="session")
def node_metrics() -> ModuleType:
    return _imported("node_metrics")


@pytest.fixture(scope="session")
def cloudwatch_config() -> ModuleType:
    return _imported("cloudwatch_config")


@pytest.fixture(scope="session")
def _emulator() -> Iterator[Emulator]:
    with running("instant") as made:
        yield made


@pytest.fixture
def emulator(_emulator: Emulator) -> Emulator:
    """An emulator with an empty account."""
    _emulator.reset()
    return _emulator
