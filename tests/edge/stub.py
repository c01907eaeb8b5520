# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stub origin in Python: records what it is asked, answers what a test has told it to."""

from __future__ import annotations

import itertools
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Answer:
    """What a path is answered with; ``delay`` in seconds."""

    status: int = 200
    headers: Mapping[str, str] | list[tuple[str, str]] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0
    length: bool = True


@dataclass
class Asked:
    """One request as it reached the origin; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    turn: int = field(default_factory=itertools.count().__next__)

    @property
    def path(self) -> str:
        return self.target.split("?")[0]


class Origin:
    """A server on an address of this machine that containers reach."""

    def __init__(self, address: str, certificate: Path | None = None, port: int = 0) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[str, Answer] = {}
        self.default = Answer(body=b"stub")
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            server_version, sys_version = "stub", ""

            def handle_one_request(self) -> None:
                super().handle_one_request()
                self.close_connection = True

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers, self.rfile.read(length))
                outer.asked.append(asked)
                told = outer.answers.get(asked.path, outer.default)
                time.sleep(told.delay)
                listed = list(told.headers.items() if isinstance(told.headers, Mapping) else told.headers)
                etag = dict(listed).get("ETag")
                fresh = bool(etag) and headers.get("if-none-match", "").removeprefix("W/") == etag
                self.send_response(304 if fresh else told.status)
                for name, value in listed:
                    self.send_header(name, value)
                if told.length and not fresh:
                    self.send_header("Content-Length", str(len(told.body)))
                self.send_header("Connection", "close")
                self.end_headers()
                if self.command != "HEAD" and not fresh:
                    self.wfile.write(told.body)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

            def log_message(self, *_arguments: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_arguments: object) -> None:
                """A handshake that the edge broke off is what some tests are about."""

        self.server = Server((address, port), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.with_suffix(".crt"), certificate.with_suffix(".key"))
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return self.server.server_address[1]

    def tell(self, path: str, **answer: object) -> None:
        """Set the answer to a path."""
        self.answers[path] = Answer(**answer)  # type: ignore[arg-type]

    def seen(self, path: str) -> list[Asked]:
        """Return the requests for a path so far."""
        return [asked for asked in self.asked if asked.path == path]

    def turn(self, path: str) -> int:
        """Return when a path was asked for last, as a number that grows over all stubs; -1: never."""
        return max((asked.turn for asked in self.asked if asked.path == path), default=-1)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
