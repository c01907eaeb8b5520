# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Import the programs that web_node installs on nodes, as modules."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

FILES = Path(__file__).resolve().parents[3] / "roles/web_node/files"
sys.path.append(str(FILES))  # where the programs find one another on a node


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"web_node_{name}", FILES / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def boot_agent() -> ModuleType:
    return load("boot_agent")


@pytest.fixture(scope="session")
def seal() -> ModuleType:
    return load("seal")
