# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The copy service: it does what PHP asks below the shared document root, many files at a time, and nothing elsewhere."""

from __future__ import annotations

import errno
import json
import os
import socket
import threading
import time
import zipfile
from collections import Counter

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
    assert copier.answer({"copy": str(plugin), "to": str(to)})["files"] == 31
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
    assert copier.answer({"unzip": str(archive), "to": str(world.site / "wp-content/upgrade/z")})["files"] == 30
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
        {"list": "/etc"},
        {"list": "SITE"},
        {"list": "SITE/index.php"},
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


def test_a_folder_is_listed_with_what_wordpress_wants_to_know_of_its_files(copier, plugin, world):
    to = world.site / "wp-content/plugins/p"
    copier.copy(plugin, to)
    answer = copier.answer({"list": str(to)})
    assert (
        set(answer["folders"]) == {"", "inc", "inc/0", "inc/1", "inc/2", "empty"} and answer["folders"]["empty"] == []
    )
    assert answer["files"] == 30 + 5
    name, mode, owner, group, size, modified = next(one for one in answer["folders"]["inc/1"] if one[0] == "f1.php")
    seen = (to / "inc/1/f1.php").stat()
    assert (name, mode, owner, group) == ("f1.php", seen.st_mode, seen.st_uid, seen.st_gid)
    assert (size, modified) == (seen.st_size, int(seen.st_mtime))


def test_a_folder_with_a_link_is_left_to_wordpress(code, copier, plugin):
    """It would follow the link."""
    with pytest.raises(code.copy.Refused, match="is a link"):
        copier.listing(plugin)


def test_files_with_a_plugins_head_are_found_where_wordpress_looks(copier, world):
    head = "<?php\n/* %s: Proof */"
    for path, text in {
        "p.php": head % "Plugin Name",
        "inc/second.php": head % "PLUGIN name",
        "inc/more/too-deep.php": head % "Plugin Name",
        "inc/none.php": "<?php // " + "x" * 9000 + head % "Plugin Name",
        ".hidden.php": head % "Plugin Name",
        "p.txt": head % "Plugin Name",
    }.items():
        world.write(f"wp-content/plugins/p/{path}", text)
    answer = copier.answer({"plugins": str(world.site / "wp-content/plugins/p")})
    assert sorted(answer["names"]) == ["inc/second.php", "p.php"]


def test_a_large_file_comes_in_parts_and_whole(code, copier, plugin, world, monkeypatch):
    monkeypatch.setattr(code.copy, "CHUNK", 1000)
    content = os.urandom(123457)
    (plugin / "large.bin").write_bytes(content)
    copier.copy(plugin, world.site / "wp-content/upgrade/p")
    assert (world.site / "wp-content/upgrade/p/large.bin").read_bytes() == content


@pytest.mark.parametrize("call", ["open", "write", "close"])
def test_a_full_disk_is_told_whenever_it_shows(code, copier, plugin, monkeypatch, call):
    """NFS says so at the close. Nothing is under way any more when it is told: WordPress tries itself, and says what it says of it."""
    real, under_way = getattr(os, call), Counter()

    def fails(first, *arguments):
        path = first if call == "open" else os.readlink(f"/proc/self/fd/{first}")
        under_way["now"] += 1
        done = real(first, *arguments)
        under_way["now"] -= 1
        if str(path).endswith("/f7.php") and "upgrade" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        return done

    with monkeypatch.context() as patch:
        patch.setattr(code.copy.os, call, fails)
        to = str(copier.truth / "wp-content/upgrade/p")
        answer = ask(code, copier, json.dumps({"copy": str(plugin), "to": to}).encode() + b"\n")
    assert answer == {"ok": False, "error": "[Errno 28] No space left on device"}
    assert under_way["now"] == 0


def test_many_files_take_little_longer_than_one(code, copier, plugin, world, monkeypatch):
    """P1: each file costs round trips; at 50 ms for each, 30 files one after the other take 1.5 s and more."""
    write, guard = code.copy._write, threading.Lock()
    inside: Counter = Counter()
    most: Counter = Counter()

    def slowly(path, content):
        with guard:
            for place in (path.parent.name, "all"):
                inside[place] += 1
                most[place] = max(most[place], inside[place])
        time.sleep(0.05)
        write(path, content)
        with guard:
            inside.subtract((path.parent.name, "all"))

    monkeypatch.setattr(code.copy, "_write", slowly)
    started = time.monotonic()
    copier.copy(plugin, world.site / "wp-content/upgrade/p")
    assert time.monotonic() - started < 30 * 0.05 / 2
    # A folder's names are created one at a time: more threads in it would only wait, and be missing elsewhere.
    assert max(most[str(folder)] for folder in range(3)) <= code.copy.LANES < most["all"]
