# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small WordPress on shared files, a node with its trees, and an OPcache that only remembers what it is asked."""

from __future__ import annotations

import grp
import json
import os
import pwd
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

FILES = Path(__file__).resolve().parents[3] / "roles/web_node/files"
sys.path.append(str(FILES))  # where the programs find one another on a node

import code_agent as _code_agent  # noqa: E402
import code_copy as _code_copy  # noqa: E402
import code_files as _code_files  # noqa: E402
import code_node as _code_node  # noqa: E402
import code_opcache as _code_opcache  # noqa: E402
import code_release as _code_release  # noqa: E402
import code_trees as _code_trees  # noqa: E402


@pytest.fixture
def code() -> types.SimpleNamespace:
    """The parts of the code agent."""
    return types.SimpleNamespace(
        agent=_code_agent,
        copy=_code_copy,
        files=_code_files,
        node=_code_node,
        opcache=_code_opcache,
        release=_code_release,
        trees=_code_trees,
    )


class FakeOPcache:
    """Has compiled what it is told; `broken` is a PHP-FPM that does not answer."""

    def __init__(self) -> None:
        self.cached: dict[str, set[str]] = {}
        self.asked: list[str] = []
        self.free, self.broken = 100 << 20, False

    def _answer(self, what: str) -> None:
        if self.broken:
            raise _code_opcache.NoAnswer("php.sock: nobody there")
        self.asked.append(what)

    def status(self, below: str = "") -> dict[str, Any]:
        self._answer("status")
        files = sorted(self.cached.get(below, set()))
        room = {"free": self.free, "used": 1 << 20, "keys": 10, "max_keys": 1000}
        return {**room, "files": files, "bytes": len(files) << 20}

    def compile(self, folder: str, files: Sequence[str], patience: float) -> int:
        self._answer("compile")
        self.cached.setdefault(folder, set()).update(files)
        return len(files)

    def forget(self, folder: str, files: Sequence[str] | None = None) -> None:
        self._answer("forget")
        kept = self.cached.pop(folder, set())
        if files is not None:
            self.cached[folder] = kept - set(files)

    def reset(self, patience: float = 0) -> bool:
        self._answer("reset")
        self.cached.clear()
        return True


class World:
    """What a test changes on the shared files, and what it sees on the node."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.site = base / "shared/site"
        self.state = base / "shared/state"
        for path, content in {
            "wp-config.php": "<?php // config",
            "index.php": "<?php // index",
            "wp-includes/version.php": "<?php // version",
            "wp-admin/admin.php": "<?php // admin",
            "wp-content/object-cache.php": "<?php // drop-in",
            "wp-content/debug.log": "line",
            "wp-content/plugins/a/a.php": "<?php // a1",
            "wp-content/plugins/a/style.css": "a1",
            "wp-content/uploads/2026/picture.jpg": "picture",
            "wp-content/cache/page.html": "page",
            "wp-content/upgrade/half/half.php": "<?php // half",
        }.items():
            self.write(path, content)
        (self.state / "changing").mkdir(parents=True)
        (self.state / "releases").mkdir()
        (base / "run").mkdir()
        (base / "docroot").symlink_to(self.site)
        self.config = {
            "user": pwd.getpwuid(os.getuid()).pw_name,
            "group": grp.getgrgid(os.getgid()).gr_name,
            "shared": str(base / "shared"),
            "trees": str(base / "trees"),
            "docroot": str(base / "docroot"),
            "lib": str(FILES),
            "run_dir": str(base / "run"),
            "fpm_socket": str(base / "php.sock"),
            "request_timeout": 5,
            "releases_kept": 2,
            "scan_seconds": 20,
        }

    def write(self, path: str, content: str) -> None:
        (self.site / path).parent.mkdir(parents=True, exist_ok=True)
        (self.site / path).write_text(content)

    def mark(self, generation: str, paths: Sequence[str] = (), previous: str = "") -> None:
        new = self.state / "new"
        new.write_text(json.dumps({"generation": generation, "paths": list(paths), "previous": previous}))
        new.replace(self.state / "generation")

    def served(self, path: str = "wp-content/plugins/a/a.php") -> str:
        return (self.base / "docroot" / path).read_text()

    def live(self) -> Path:
        return (self.base / "docroot").resolve()

    def trees(self) -> list[Path]:
        return sorted(path for path in (self.base / "trees").iterdir() if path.is_dir())


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


@pytest.fixture
def opcache() -> FakeOPcache:
    return FakeOPcache()


@pytest.fixture
def node(world, opcache):
    made = _code_node.Node(world.config)
    made.opcache = opcache
    made.trees.precompress = None
    made.trees.home.mkdir()
    return made


@pytest.fixture
def agent(world, opcache):
    made = _code_agent.Agent(world.config, "replica")
    made.node.opcache = opcache
    made.node.trees.precompress = None
    return made
