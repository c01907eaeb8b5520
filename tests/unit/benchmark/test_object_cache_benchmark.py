# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The benchmark of the object cache (R9): it asks as nginx does, believes no page that was not measured, and judges as it should."""

from __future__ import annotations

import importlib.util
import json
import random
import socket
import struct
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[3] / "playbooks/files/object_cache_benchmark.py"


@pytest.fixture(scope="module")
def program() -> ModuleType:
    """The program as a module."""
    spec = importlib.util.spec_from_file_location("object_cache_benchmark", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def rounds(ratio: float, noise: float = 0.05, count: int = 30, queries: int = 25) -> list[dict[str, Any]]:
    """Rounds of one page that takes so much of the time with the cache."""
    chance = random.Random(7)
    made = []
    for _round in range(count):
        sides = {"on": 100 * ratio * chance.gauss(1, noise), "off": 100 * chance.gauss(1, noise)}
        made.append(
            {
                "/": {
                    side: {"milliseconds": took, "cpu": took, "queries": 1 if side == "on" else queries + 1, "held": 0}
                    for side, took in sides.items()
                }
            }
        )
    return made


@pytest.mark.parametrize(
    ("ratio", "noise", "verdict", "says"),
    [
        (0.8, 0.05, "keep", "0.8"),
        (1.0, 0.05, "keep", "as long"),
        (1.03, 0.01, "keep", "as long"),  # slower, but by less than the database's relief is worth
        (1.3, 0.05, "disable", "1.3"),
        (1.3, 1.0, "keep", "as long"),  # who measures chance condemns nothing
    ],
)
def test_the_verdict(program: ModuleType, ratio: float, noise: float, verdict: str, says: str) -> None:
    found = program.judge(rounds(ratio, noise), 5)
    assert (found["verdict"], says in found["reason"]) == (verdict, True), found
    assert "25.0 queries" in found["reason"]
    assert found["interval"][0] <= found["ratio"] <= found["interval"][1]


def test_the_tolerance_is_the_callers(program: ModuleType) -> None:
    assert program.judge(rounds(1.3), 50)["verdict"] == "keep"
    assert program.judge(rounds(1.04, noise=0.01), 0)["verdict"] == "disable"


@pytest.mark.parametrize(
    ("path", "script", "query"),
    [
        ("/", "/index.php", ""),
        ("/a/post/", "/index.php", ""),
        ("/?rest_route=/wp/v2/posts", "/index.php", "rest_route=/wp/v2/posts"),
        ("/wp-admin/", "/wp-admin/index.php", ""),
        ("/wp-admin/edit.php?post_type=page", "/wp-admin/edit.php", "post_type=page"),
    ],
)
def test_it_asks_as_nginx_does(program: ModuleType, path: str, script: str, query: str) -> None:
    named = program.parameters("https://site.example", path, "/srv/tree", "/run/x.php", {"cache": True})
    assert (named["SCRIPT_FILENAME"], named["QUERY_STRING"]) == ("/srv/tree" + script, query)
    assert (named["REQUEST_URI"], named["HTTP_HOST"], named["HTTPS"]) == (path, "site.example", "on")
    assert named["PHP_VALUE"] == "auto_prepend_file=/run/x.php"
    assert json.loads(named["WORDPRESS_HA_BENCHMARK"]) == {"cache": True}


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        (b"Status: 302 Found\r\nLocation: https://site.example/wp-login.php\r\n\r\n", "302 .to .*wp-login"),
        (b"Status: 500 Internal\r\n\r\nbroken", "500"),
        (b"Content-Type: text/html\r\n\r\n<html>and then it died", "did not end"),
        (b'X: y\r\n\r\n<!-- wordpress_ha_benchmark {"cached": true} --> and more', "did not end"),
    ],
)
def test_a_page_that_was_not_measured_is_refused(program: ModuleType, output: bytes, problem: str) -> None:
    with pytest.raises(program.NoBenchmark, match=problem):
        program.measured(output, "/page/")


class Pool:
    """A stand-in for PHP-FPM that obeys the benchmark's parameter, or does not."""

    def __init__(self, path: Path, obeys: bool = True) -> None:
        self.path, self.obeys = path, obeys
        self.asked: list[dict[str, Any]] = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                client, _peer = self.listener.accept()
            except OSError:
                return
            with client, client.makefile("rb") as stream:
                encoded = b""
                while True:
                    _version, kind, _identity, size, padding = struct.unpack("!BBHHBx", stream.read(8))
                    content = stream.read(size + padding)[:size]
                    encoded += content if kind == 4 else b""
                    if kind == 5 and size == 0:
                        break
                wanted = json.loads(encoded[encoded.index(b'{"cache"') :].decode())
                self.asked.append(wanted)
                took = 10.0 if wanted["cache"] else 20.0
                told = {
                    "milliseconds": took, "cpu": took, "queries": 1 if wanted["cache"] else 26, "held": 0,
                    "cached": wanted["cache"] or not self.obeys,
                }  # fmt: skip
                if wanted["look"]:
                    told |= {"cache_trip": 0.5, "database_trip": 0.7, "user": 3, "post": "/hello/", "newest_option": 99}
                page = b"Content-Type: text/html\r\n\r\n<html></html>\n<!-- wordpress_ha_benchmark %s -->"
                body = page % json.dumps(told).encode()
                client.sendall(struct.pack("!BBHHBx", 1, 6, 1, len(body), 0) + body)
                client.sendall(struct.pack("!BBHHBx", 1, 3, 1, 8, 0) + b"\0" * 8)


def test_pages_are_asked_for_in_turns_and_what_came_is_taken_away(program: ModuleType, tmp_path: Path) -> None:
    pool = Pool(tmp_path / "pool")
    node = program.Node("https://site.example", "/run/x.php", {"fpm_socket": str(pool.path), "docroot": "/srv"})
    found = program.benchmark(node, [], 10, 5)
    assert (found["verdict"], found["ratio"], found["queries_saved"]) == ("keep", 0.5, 25)
    assert list(found["pages"]) == ["/", "/hello/", "/wp-admin/edit.php", "/?rest_route=/wp/v2/posts"]
    assert (found["cache_round_trip_ms"], found["database_round_trip_ms"]) == (0.5, 0.7)
    measured = pool.asked[1:-1]
    assert [one["cache"] for one in measured].count(True) == len(measured) / 2 == 4 * 13
    assert all(one["cache"] != two["cache"] for one, two in zip(measured[::2], measured[1::2], strict=True))
    assert {one["user"] for one in measured} == {0, 3}, "an administrator in wp-admin, a visitor elsewhere"
    assert pool.asked[-1]["clean_after"] == 99
    pool.listener.close()


def test_a_node_without_the_cache_is_not_measured(program: ModuleType, tmp_path: Path) -> None:
    pool = Pool(tmp_path / "pool", obeys=False)
    node = program.Node("https://site.example", "/run/x.php", {"fpm_socket": str(pool.path), "docroot": "/srv"})
    with pytest.raises(program.NoBenchmark, match="although it was to be left out"):
        program.benchmark(node, ["/"], 10, 5)
    assert pool.asked[-1]["clean_after"] == 99, "cleaned all the same"
    pool.listener.close()


def test_a_node_that_does_not_answer_is_named(program: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(program.NoBenchmark, match="Is the node ready"):
        program.ask(str(tmp_path / "nobody"), {})
