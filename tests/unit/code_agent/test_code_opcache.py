# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Speaking FastCGI with a PHP-FPM that is made up here; the stress test speaks with a real one."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

HEADER = struct.Struct("!BBHHBx")


@contextmanager
def fpm(path: str, answer: Callable[[dict[str, str], Any], bytes | None]) -> Iterator[list[dict[str, str]]]:
    """Answer each request with what the function makes of its parameters and its question; None closes the connection."""
    seen: list[dict[str, str]] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(8)

    def parameters(encoded: bytes) -> dict[str, str]:
        found = {}
        while encoded:
            sizes = []
            for _part in range(2):
                if encoded[0] < 128:
                    sizes.append(encoded[0])
                    encoded = encoded[1:]
                else:
                    sizes.append(struct.unpack("!I", encoded[:4])[0] & 0x7FFFFFFF)
                    encoded = encoded[4:]
            name, value = encoded[: sizes[0]], encoded[sizes[0] : sum(sizes)]
            found[name.decode()] = value.decode()
            encoded = encoded[sum(sizes) :]
        return found

    def one(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            streams = {4: b"", 5: b""}
            ended: set[int] = set()
            while ended < {4, 5}:
                _version, kind, _identity, size, padding = HEADER.unpack(stream.read(8))
                content = stream.read(size + padding)[:size]
                if kind in streams:
                    streams[kind] += content
                    ended |= set() if content else {kind}
            seen.append(parameters(streams[4]))
            text = answer(seen[-1], json.loads(streams[5]))
            if text is None:
                return
            for start in range(0, len(text), 1000):  # in pieces, with padding, and with a word on the side
                part = text[start : start + 1000]
                connection.sendall(HEADER.pack(1, 6, 1, len(part), 3) + part + b"\0\0\0")
            connection.sendall(HEADER.pack(1, 7, 1, 4, 0) + b"oops")
            connection.sendall(HEADER.pack(1, 3, 1, 8, 0) + bytes(8))

    def serve() -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,)).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield seen
    finally:
        listener.close()


@pytest.fixture
def asked(code, tmp_path):
    return code.opcache.OPcache(str(tmp_path / "php.sock"), "/usr/local/lib/wordpress_ha/code_warm.php", timeout=3)


def test_a_pool_is_asked_as_nginx_asks(asked):
    status = {"free": 1, "files": ["a" * 300] * 20}
    with fpm(
        asked.listen, lambda _seen, _question: b"Content-type: text/plain\r\n\r\n" + json.dumps(status).encode()
    ) as seen:
        assert asked.status("/srv/wordpress/trees/x") == status
    assert seen[0]["SCRIPT_FILENAME"] == asked.script
    assert int(seen[0]["CONTENT_LENGTH"]) == len(json.dumps({"do": "status", "below": "/srv/wordpress/trees/x"}))


def test_a_file_that_php_dies_of_is_passed_over(asked):
    compiled: list[str] = []

    def compiling(_seen, question) -> bytes:
        lines = []
        for path in question["files"]:
            lines.append("file")
            if path == "broken.php":
                return b"Status: 500\r\n\r\n" + "\n".join(lines).encode()
            lines.append("ok")
            compiled.append(path)
        return b"\r\n\r\n" + "\n".join(lines).encode()

    files = [f"f{number}.php" for number in range(100)]
    with fpm(asked.listen, compiling):
        assert asked.compile("/tree", [*files[:30], "broken.php", *files[30:]], patience=60) == 100
    assert sorted(compiled) == sorted(files)


def test_who_waits_for_a_change_does_not_wait_for_ever(asked):
    def slow(_seen, question) -> bytes:
        time.sleep(0.3)
        return b"\r\n\r\n" + b"file\nok\n" * len(question["files"])

    with fpm(asked.listen, slow):
        done = asked.compile("/tree", [f"f{number}.php" for number in range(1000)], patience=0.5)
    assert 0 < done < 1000


def test_no_php_is_told(code, asked):
    with pytest.raises(code.opcache.NoAnswer):
        asked.status()


@pytest.mark.parametrize("said", [b"\r\n\r\nnull", b"Status: 404\r\n\r\nFile not found.", None])
def test_an_answer_that_makes_no_sense_is_told(code, asked, said):
    with fpm(asked.listen, lambda _seen, _question: said), pytest.raises(code.opcache.NoAnswer):
        asked.status()


def test_a_script_that_cannot_forget_is_told(code, asked):
    """A tree whose old code may still be in OPcache must not become the next one."""
    with fpm(asked.listen, lambda _seen, _question: b"Status: 500\r\n\r\n"), pytest.raises(code.opcache.NoAnswer):
        asked.forget("/tree", ["a.php"])
