# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The copy service: it does what PHP asks below the shared document root, many files at a time, and nothing elsewhere."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import zipfile

import pytest


@pytest.fixture
def copier(code, world):
    return code.copy.Copier(world.site)


@pytest.fixture
def plugin(world):
    folder = world.base / "unpacked"
    for number in range(30):
        path = folder / f"inc/{number % 3}/f{number}.php"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<?php // {number}")
    (folder / "empty").mkdir()
    (folder / "link.php").symlink_to("/etc/passwd")
    return folder


def contents(folder) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.php") if not path.is_symlink()}


def test_a_folder_is_copied_without_its_links(copier, plugin, world):
    to = world.site / "wp-content/upgrade/p"
    assert copier.answer({"copy": str(plugin), "to": str(to)}) == 31
    assert contents(to) == contents(plugin)
    assert (to / "empty").is_dir()
    assert not os.path.lexists(to / "link.php")


def test_an_archive_is_unpacked(copier, plugin, world):
    archive = world.base / "p.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.mkdir("p/empty") if hasattr(packed, "mkdir") else None
        for name, content in contents(plugin).items():
            packed.writestr(f"p/{name}", content)
        packed.writestr("__MACOSX/p/._x", "x")
    assert copier.answer({"unzip": str(archive), "to": str(world.site / "wp-content/upgrade/z")}) == 30
    assert contents(world.site / "wp-content/upgrade/z/p") == contents(plugin)


@pytest.mark.parametrize("name", ["../outside.php", "/etc/outside.php", "p/../../outside.php"])
def test_an_archive_that_leaves_its_folder_is_refused_before_anything_is_written(code, copier, world, name):
    archive = world.base / "p.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("p/a.php", "x")
        packed.writestr(name, "x")
    with pytest.raises(code.copy.Refused, match="leaves it"):
        copier.answer({"unzip": str(archive), "to": str(world.site / "wp-content/upgrade/z")})
    assert not (world.site / "wp-content/upgrade/z").exists()


def test_a_folder_is_deleted_and_what_its_links_point_to_is_not(copier, plugin, world):
    to = world.site / "wp-content/plugins/p"
    copier.copy(plugin, to)
    (to / "data").symlink_to(world.site / "wp-content/uploads")
    copier.answer({"delete": str(to)})
    assert not to.exists()
    assert (world.site / "wp-content/uploads/2026/picture.jpg").exists()


@pytest.mark.parametrize(
    "question",
    [
        [],
        {},
        {"copy": "/tmp"},
        {"copy": "/tmp", "to": "/etc/x"},
        {"copy": "/tmp", "to": "relative"},
        {"copy": "/tmp", "to": "SITE"},
        {"copy": "/tmp", "to": "SITE/../x"},
        {"copy": "/tmp", "to": "SITE/out/x"},
        {"copy": "/nowhere", "to": "SITE/x"},
        {"delete": "SITE"},
        {"delete": "/tmp"},
        {"delete": "SITE/index.php"},
        {"eat": "SITE/x", "to": "SITE/x"},
    ],
)
def test_what_may_not_be_is_refused(code, copier, world, question):
    (world.site / "out").symlink_to(world.base)
    if isinstance(question, dict):
        question = {name: value.replace("SITE", str(world.site)) for name, value in question.items()}
    with pytest.raises(code.copy.Refused):
        copier.answer(question)
    assert (world.site / "index.php").exists()


def ask(code, copier, text: bytes) -> dict:
    here, there = socket.socketpair()
    thread = threading.Thread(target=code.copy.serve, args=(there, copier))
    thread.start()
    with here:
        here.sendall(text)
        answer = here.makefile().readline()
    thread.join()
    return json.loads(answer)


def test_the_answer_tells_how_it_went(code, copier, plugin, world):
    to = str(world.site / "wp-content/upgrade/p")
    answer = ask(code, copier, json.dumps({"copy": str(plugin), "to": to}).encode() + b"\n")
    assert answer["ok"] and answer["files"] == 31
    assert ask(code, copier, b"no json\n")["ok"] is False
    assert ask(code, copier, b'{"delete": "/etc"}\n') == {"ok": False, "error": f"/etc is not below {world.site}"}


def test_many_files_take_little_longer_than_one(code, copier, plugin, world, monkeypatch):
    """P1: each file costs round trips; at 5 ms for each, 30 files one after the other take 150 ms and more."""
    copyfile = code.copy.shutil.copyfile

    def slowly(*arguments, **options):
        time.sleep(0.05)
        return copyfile(*arguments, **options)

    monkeypatch.setattr(code.copy.shutil, "copyfile", slowly)
    started = time.monotonic()
    copier.copy(plugin, world.site / "wp-content/upgrade/p")
    assert time.monotonic() - started < 30 * 0.05 / 2
