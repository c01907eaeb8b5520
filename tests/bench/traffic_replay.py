# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A week of traffic, quickly, through the rehearsal's edge software: its container, rendered from a behavior set, and a stub origin.

Everything passes as many times faster: the requests come so much sooner, and lifetimes in the edge are so much shorter.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import table1
from edge import edge as component

from . import traffic_nodes as nodes
from .traffic import AGENTS, Request
from .traffic_model import Tally

#: A range of addresses that neither a rehearsal nor the component tests of the edge use.
CIDR, GATEWAY = "10.79.0.0/24", "10.79.0.1"
HOST = "site.test"
CONNECTIONS = 48


@dataclass
class Replay(Tally):
    """What a replay counted, and how late requests were sent at worst (seconds of real time, the 99th of 100)."""

    late: float = 0.0
    failed: int = 0


# -- the edge ----------------------------------------------------------------------------------------------------------


class BenchEdge(component.Edge):
    """The edge of the component tests with names, addresses and a clock of its own."""

    def __init__(self, state: Path, image: str, engine: Mapping[str, Any], speed: float) -> None:
        super().__init__(state, image, engine, identity="edgebench", cidr=CIDR, gateway=GATEWAY, time_scale=1 / speed)
        self.speed = speed

    def serve(self, behavior_set: str, port: int) -> None:
        """Work by a behavior set, before a stub origin on a port of this machine; the cache is empty."""
        from wordpress_ha_rehearsal.reconciler.edge import bundle, model

        rendered = table1.rendered(behavior_set, media=False)
        config = dict(rendered.config)
        settings = {"HTTPPort": port, "HTTPSPort": port, "OriginProtocolPolicy": "http-only"}
        for origin in config["Origins"]["Items"]:
            origin |= {"DomainName": "origin.test", "CustomOriginConfig": {**origin["CustomOriginConfig"], **settings}}
        held = rendered.context
        catalog = {
            "cache_policies": held.cache_policies,
            "origin_request_policies": held.origin_request_policies,
            "response_headers_policies": held.response_headers_policies,
            "functions": {},
            "origin_access_controls": {},
            "vpc_origins": {},
        }
        # A distribution of its own for each run: nothing that an earlier one kept is found again.
        identifier = f"E{time.monotonic_ns()}"
        one = {
            "id": identifier,
            "domain_name": f"{identifier.lower()}.cloudfront.net",
            "etag": "1",
            "config": config,
            "certificate": None,
        }
        self.desired |= {"distributions": [one], "cloudfront": catalog}
        views = model.distributions(self.desired)
        made = bundle.bundle(views, self.views, "127.0.0.1", self.config.ports, self.config.edge_time_scale)
        self.operations.apply_edge(self.container, made)
        self.views = views


# -- the stub origin ---------------------------------------------------------------------------------------------------


class _Origin(asyncio.Protocol):
    """Answers as our nodes do (traffic_nodes.py), and counts."""

    asked = 0
    fetched = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.held = transport, b""

    def data_received(self, data: bytes) -> None:
        self.held += data
        while b"\r\n\r\n" in self.held:
            head, _mark, rest = self.held.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
            length = int(headers.get("content-length", "0"))
            if len(rest) < length:
                return
            self.held = rest[length:]
            method, target, _version = lines[0].split(" ", 2)
            _Origin.asked += 1
            _Origin.fetched += method in ("GET", "HEAD")
            said = nodes.answer(method, target, headers.get("cookie", ""))
            body = b"" if method == "HEAD" else b"page"
            self.transport.write(
                f"HTTP/1.1 {said.status} X\r\nCache-Control: {said.cache_control}\r\nContent-Type: text/html\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )


def _serve_origin(talk: Connection) -> None:
    """Run the stub origin in a process of its own: say the port, then answer each word with the counts so far: all, and GET and HEAD."""

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(_Origin, GATEWAY, 0)
        talk.send(server.sockets[0].getsockname()[1])
        while await asyncio.to_thread(talk.recv):
            talk.send((_Origin.asked, _Origin.fetched))
        server.close()

    asyncio.run(main())


@contextmanager
def stub_origin() -> Iterator[tuple[int, Connection]]:
    """Yield the port of a running stub origin and the line on which it tells its count."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve_origin, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours.recv(), ours
    finally:
        with contextlib.suppress(OSError):
            ours.send("")
        process.join(timeout=5)
        process.kill()


# -- the visitors ------------------------------------------------------------------------------------------------------


class _Visitors:
    """Open-loop: each request is sent when its time has come, whatever became of the earlier ones, over kept connections."""

    def __init__(self, address: str, authority: Path, requests: Sequence[Request], speed: float) -> None:
        self.address, self.requests, self.speed = address, requests, speed
        self.context = ssl.create_default_context(cafile=str(authority))
        self.context.check_hostname = False  # the edge's stand-in certificate names no host of this bench
        self.seen = Replay()
        self.delays: list[float] = []

    async def run(self) -> Replay:
        self.line: asyncio.Queue[tuple[float, Request] | None] = asyncio.Queue()
        workers = [asyncio.create_task(self._work()) for _worker in range(CONNECTIONS)]
        started = time.perf_counter() + 0.5
        first = self.requests[0].at
        for request in self.requests:
            due = started + (request.at - first) / self.speed
            wait = due - time.perf_counter()
            if wait > 0.001:
                await asyncio.sleep(wait)
            self.line.put_nowait((due, request))
        for _worker in workers:
            self.line.put_nowait(None)
        await asyncio.gather(*workers)
        self.delays.sort()
        self.seen.late = self.delays[len(self.delays) * 99 // 100]
        return self.seen

    async def _work(self) -> None:
        reader = writer = None
        while (item := await self.line.get()) is not None:
            due, request = item
            self.delays.append(time.perf_counter() - due)
            for _attempt in range(2):
                if writer is None or reader is None:
                    reader, writer = await asyncio.open_connection(self.address, 443, ssl=self.context)
                try:
                    status, cache, keep = await self._ask(reader, writer, request)
                except (OSError, asyncio.IncompleteReadError):  # it was closed while it was idle
                    reader = writer = None
                    continue
                self._count(request, status, cache)
                if not keep:
                    writer.close()
                    reader = writer = None
                break
            else:
                self.seen.failed += 1
        if writer is not None:
            writer.close()

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request
    ) -> tuple[int, str, bool]:
        writer.write(
            f"{request.method} {request.target} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: {AGENTS[request.device]}\r\n"
            f"Accept-Encoding: gzip, deflate, br\r\n{f'Cookie: {request.cookies}' if request.cookies else 'Accept: */*'}\r\n"
            f"{'Content-Length: 0' if request.method == 'POST' else 'Accept-Language: en'}\r\n\r\n".encode()
        )
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        if "content-length" in headers:
            await reader.readexactly(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            while size := int((await reader.readline()).split(b";")[0], 16):
                await reader.readexactly(size + 2)
            await reader.readline()
        return int(lines[0].split(" ")[1]), headers.get("x-cache", ""), headers.get("connection") != "close"

    def _count(self, request: Request, status: int, cache: str) -> None:
        seen = self.seen
        seen.requests += 1
        seen.cacheable += request.method in ("GET", "HEAD")
        seen.missed[request.who] += cache.startswith(("miss", "refreshhit"))
        seen.failed += status >= 500


def _visit(talk: Connection, *arguments: Any) -> None:
    talk.send(asyncio.run(_Visitors(*arguments).run()))


def replay(edge: BenchEdge, behavior_set: str, requests: Sequence[Request]) -> Replay:
    """Send a week's requests to an edge with a behavior set and an empty cache; count what reached the origin."""
    with stub_origin() as (port, origin):
        edge.serve(behavior_set, port)
        ours, theirs = multiprocessing.Pipe()
        arguments = (theirs, edge.container.address, edge.config.state_dir / "ca" / "ca.pem", requests, edge.speed)
        visitors = multiprocessing.get_context("fork").Process(target=_visit, args=arguments, daemon=True)
        visitors.start()
        theirs.close()  # so that a replay that dies is noticed: EOFError
        seen: Replay = ours.recv()
        visitors.join()
        origin.send("count")
        seen.origin, fetched = origin.recv()
        seen.hits = seen.cacheable - fetched
        return seen


@contextmanager
def running_edge(state: Path, speed: float) -> Iterator[BenchEdge]:
    """Start the edge's container as the component tests do, with the image that the role builds."""
    result = state / "image.json"
    tools = Path(sys.executable).parent
    made = subprocess.run(
        [
            str(tools / "ansible-playbook"),
            str(Path(component.__file__).parent / "image.yml"),
            "-e",
            f"edge_result_file={result}",
        ],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout[-3000:]
    image = json.loads(result.read_text(encoding="utf-8"))
    edge = BenchEdge(state, image["services_image"], image["engine"], speed)
    edge.start()
    try:
        yield edge
    finally:
        edge.stop()
