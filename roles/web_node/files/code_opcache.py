# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Speak to PHP-FPM as nginx does, to fill its OPcache before a visitor needs it and to take out what nobody needs."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

#: Files that one request compiles (about 0.1 s of a worker's time).
BATCH = 40
_HEADER = struct.Struct("!BBHHBx")
_BEGIN, _END, _PARAMS, _STDIN, _STDOUT, _STDERR = 1, 3, 4, 5, 6, 7


class NoAnswer(Exception):
    """PHP-FPM cannot be reached, or does not answer as it should."""


def _record(kind: int, content: bytes) -> Iterator[bytes]:
    """Return a stream as records, with the empty one that ends it."""
    for start in range(0, len(content), 65535):
        part = content[start : start + 65535]
        yield _HEADER.pack(1, kind, 1, len(part), 0) + part
    yield _HEADER.pack(1, kind, 1, 0, 0)


def _length(size: int) -> bytes:
    return bytes([size]) if size < 128 else struct.pack("!I", size | 0x80000000)


def request(listen: str, script: str, body: bytes, timeout: float) -> tuple[int, str]:
    """Have a pool run a script; return its status and its output. NoAnswer after ``timeout`` seconds of silence."""
    parameters = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": "POST",
        "SCRIPT_FILENAME": script,
        "SCRIPT_NAME": f"/{Path(script).name}",
        "REQUEST_URI": f"/{Path(script).name}",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": "application/octet-stream",
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "localhost",
    }
    encoded = b"".join(
        _length(len(name.encode())) + _length(len(value.encode())) + name.encode() + value.encode()
        for name, value in parameters.items()
    )
    output, ended = b"", False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(listen)
            connection.sendall(
                _HEADER.pack(1, _BEGIN, 1, 8, 0)
                + struct.pack("!HB5x", 1, 0)
                + b"".join(_record(_PARAMS, encoded))
                + b"".join(_record(_STDIN, body))
            )
            stream = connection.makefile("rb")
            while len(header := stream.read(_HEADER.size)) == _HEADER.size:
                _version, kind, _identity, size, padding = _HEADER.unpack(header)
                content = stream.read(size + padding)[:size]
                output += content if kind == _STDOUT else b""
                if kind == _END:
                    ended = True
                    break
    except OSError as error:
        raise NoAnswer(f"{listen}: {error}") from error
    if not ended:
        raise NoAnswer(f"{listen}: the connection was closed")
    head, _separator, text = output.partition(b"\r\n\r\n")
    status = 200
    for line in head.decode(errors="replace").split("\r\n"):
        name, _colon, value = line.partition(":")
        if name.lower() == "status":
            status = int(value.split()[0])
    return status, text.decode(errors="replace")


class OPcache:
    """The memory in which all pools of this node's PHP-FPM keep compiled code."""

    def __init__(self, listen: str, script: str, workers: int = 2, timeout: float = 20.0) -> None:
        self.listen = listen
        self.script = script
        self.workers = workers
        self.timeout = timeout

    def _ask(self, question: dict[str, Any]) -> tuple[int, str]:
        """Ask, and again for a second if the pool is full for a moment."""
        for attempt in range(4):
            try:
                return request(self.listen, self.script, json.dumps(question).encode(), self.timeout)
            except NoAnswer:
                if attempt == 3:
                    raise
                time.sleep(0.1 * 2**attempt)
        raise NoAnswer(self.listen)

    def status(self, below: str = "") -> dict[str, Any]:
        """Return memory and keys in use, and the paths cached below a folder, relative to it, with their bytes."""
        status, text = self._ask({"do": "status", "below": below})
        try:
            found = json.loads(text)
        except ValueError as error:
            raise NoAnswer(f"OPcache's status: {status} {text.strip()[:200]}") from error
        if not isinstance(found, dict):
            raise NoAnswer("OPcache is off")
        return found

    def compile(self, folder: str, files: Sequence[str], patience: float) -> int:
        """Compile files of a folder before anybody asks for them; return how many are cached. A broken one is passed over.

        After ``patience`` seconds no more are begun: who made the change waits for it.
        """
        deadline = time.monotonic() + patience
        batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
        with ThreadPoolExecutor(self.workers) as threads:
            return sum(threads.map(lambda batch: self._compile(folder, batch, deadline), batches))

    def _compile(self, folder: str, files: Sequence[str], deadline: float) -> int:
        done, rest = 0, list(files)
        while rest and time.monotonic() < deadline:
            # It prints a line before and after each file: a fatal error in one ends the request, not the work.
            _status, text = self._ask({"do": "compile", "below": folder, "files": rest})
            lines = text.split()
            done += lines.count("ok")
            begun = lines.count("file")
            if begun == 0:
                raise NoAnswer(f"{self.script}: {text[:200]}")
            rest = rest[begun:]
        return done

    def forget(self, folder: str, files: Sequence[str] | None = None) -> None:
        """Take files of a folder out, or all of them: their paths may mean other content, or nobody asks for them again."""
        question = {"do": "forget", "below": folder} | ({} if files is None else {"files": list(files)})
        status, text = self._ask(question)
        if status != 200 or text.strip() != "ok":
            raise NoAnswer(f"{self.script}: {status} {text.strip()[:200]}")

    def reset(self, patience: float = 10.0) -> bool:
        """Empty it, which waits for the requests under way; tell whether it is empty after ``patience`` seconds."""
        self._ask({"do": "reset"})
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not self.status().get("pending"):
                return True
            time.sleep(0.1)
        return False
