# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Does the object cache pay on this stack (R9)? Runs on a node, as root: asks PHP-FPM for pages with the cache and without it, in turns.

    object_cache_benchmark.py --url https://example.com --prepend /path/object_cache_benchmark.php [--path /page/ ...]

Prints JSON: for each page the medians with and without, for all of them together a ratio with its 95 % interval, and the verdict: keep
or disable. Pages are asked for one at a time, and nothing they would write reaches the database. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import socket
import statistics
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

AGENT = Path("/etc/wordpress_ha/agent.json")
TIMEOUT_SECONDS = 60
WARM_UP_ROUNDS = 3
RESAMPLES = 2000
BEGIN, END, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6
HEADER = struct.Struct("!BBHHBx")
TOLD = re.compile(rb"<!-- wordpress_ha_benchmark (\{.*\}) -->\s*\Z")


class NoBenchmark(Exception):
    """A page cannot be measured; the text says why and what to do."""


def parameters(url: str, path: str, docroot: str, prepend: str, wanted: Mapping[str, Any]) -> dict[str, str]:
    """The parameters with which nginx would ask for a page of the site at `url`, and the benchmark's own."""
    site = urlsplit(url)
    target = urlsplit(path)
    script = "/index.php"
    if target.path.endswith(".php"):
        script = target.path
    elif target.path.endswith("/wp-admin/"):
        script = target.path + "index.php"
    secure = site.scheme == "https"
    return {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": path,
        "QUERY_STRING": target.query,
        "DOCUMENT_ROOT": docroot,
        "SCRIPT_FILENAME": docroot + script,
        "SCRIPT_NAME": script,
        "HTTP_HOST": site.netloc,
        "SERVER_NAME": site.hostname or "",
        "SERVER_PORT": str(site.port or (443 if secure else 80)),
        "REQUEST_SCHEME": site.scheme,
        "HTTPS": "on" if secure else "",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_USER_AGENT": "wordpress_ha_benchmark",
        "PHP_VALUE": f"auto_prepend_file={prepend}",
        "WORDPRESS_HA_BENCHMARK": json.dumps(wanted),
    }


def _length(size: int) -> bytes:
    return bytes([size]) if size < 128 else struct.pack("!I", size | 0x80000000)


def _records(kind: int, content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), 65535):
        part = content[start : start + 65535]
        yield HEADER.pack(1, kind, 1, len(part), 0) + part
    yield HEADER.pack(1, kind, 1, 0, 0)


def ask(listen: str, named: Mapping[str, str]) -> bytes:
    """Have a pool of PHP-FPM run a request and return what it printed, headers first; raises NoBenchmark when it cannot be had."""
    encoded = b"".join(
        _length(len(name.encode())) + _length(len(value.encode())) + name.encode() + value.encode()
        for name, value in named.items()
    )
    output, ended = b"", False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT_SECONDS)
            connection.connect(listen)
            opening = HEADER.pack(1, BEGIN, 1, 8, 0) + struct.pack("!HB5x", 1, 0)
            connection.sendall(opening + b"".join(_records(PARAMS, encoded)) + b"".join(_records(STDIN, b"")))
            with connection.makefile("rb") as stream:
                while not ended and len(header := stream.read(HEADER.size)) == HEADER.size:
                    kind, size, padding = (HEADER.unpack(header)[index] for index in (1, 3, 4))
                    content = stream.read(size + padding)[:size]
                    output += content if kind == STDOUT else b""
                    ended = kind == END
    except OSError as error:
        raise NoBenchmark(f"PHP-FPM does not answer at {listen}: {error}. Is the node ready?") from error
    if not ended:
        raise NoBenchmark(f"PHP-FPM broke off at {listen}")
    return output


def measured(output: bytes, path: str) -> dict[str, Any]:
    """What a page said about itself; raises NoBenchmark for one that was not served, or not measured."""
    head = output.split(b"\r\n\r\n", 1)[0]
    status = re.search(rb"^Status: (\d+)", head, re.MULTILINE)
    found = TOLD.search(output)
    if status and not status[1].startswith(b"2"):
        where = re.search(rb"^Location: (\S+)", head, re.MULTILINE)
        to = f" (to {where[1].decode(errors='replace')})" if where else ""
        raise NoBenchmark(f"{path} answered {status[1].decode()}{to}: name pages that are served, in benchmark_paths")
    if not found:
        raise NoBenchmark(f"{path} did not end as a page does: {output[-200:].decode(errors='replace')}")
    return dict(json.loads(found[1]))


def ratio_interval(ratios: Sequence[float], seed: int = 1) -> tuple[float, float, float]:
    """The median of some ratios and its 95 % interval by resampling."""
    chance = random.Random(seed)  # statistics, no secret
    medians = sorted(statistics.median(chance.choices(ratios, k=len(ratios))) for _turn in range(RESAMPLES))
    return statistics.median(ratios), medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES) - 1]


def judge(rounds: Sequence[Mapping[str, Mapping[str, Mapping[str, Any]]]], tolerance_percent: float) -> dict[str, Any]:
    """Compare rounds of {page: {"on": measured, "off": measured}} and decide.

    The cache is to be disabled when pages are slower with it, by more than the tolerance and beyond doubt: what it takes off the
    database is worth that much.
    """
    pages = {}
    for page in rounds[0]:
        sides = {
            side: {
                name: statistics.median(one[page][side][name] for one in rounds)
                for name in ("milliseconds", "cpu", "queries", "held")
            }
            for side in ("on", "off")
        }
        pages[page] = {
            **sides,
            "ratio": statistics.median(
                one[page]["on"]["milliseconds"] / one[page]["off"]["milliseconds"] for one in rounds
            ),
        }
    total = [
        sum(one[page]["on"]["milliseconds"] for page in one) / sum(one[page]["off"]["milliseconds"] for page in one)
        for one in rounds
    ]
    ratio, low, high = ratio_interval(total)
    saved = sum(pages[page]["off"]["queries"] - pages[page]["on"]["queries"] for page in pages) / len(pages)
    if low > 1 + tolerance_percent / 100:
        verdict, reason = (
            "disable",
            f"pages take {ratio:.2f} of the time with it, beyond the {tolerance_percent:g} % it may cost",
        )
    elif high < 1:
        verdict, reason = "keep", f"pages take {ratio:.2f} of the time with it"
    else:
        verdict, reason = "keep", f"pages take as long with it ({low:.2f} to {high:.2f})"
    return {
        "verdict": verdict,
        "reason": f"{reason}, and it saves the database {saved:.1f} queries a page",
        "ratio": ratio,
        "interval": [low, high],
        "queries_saved": saved,
        "rounds": len(rounds),
        "pages": pages,
    }


class Node:
    """The visitors' pool of this node."""

    def __init__(self, url: str, prepend: str, agent: Mapping[str, Any]) -> None:
        self.url = url
        self.prepend = prepend
        self.listen = str(agent["fpm_socket"])
        self.docroot = str(Path(agent["docroot"]).resolve())

    def page(self, path: str, cache: bool, **more: Any) -> dict[str, Any]:
        """Ask for a page and return what it took; raises NoBenchmark.

        `user` is an id to be logged in as, `look` also asks about the site, `clean_after` removes transients with a higher option id.
        """
        wanted = {"cache": cache, "user": 0, "look": False, "clean_after": 0, **more}
        told = measured(ask(self.listen, parameters(self.url, path, self.docroot, self.prepend, wanted)), path)
        if told["cached"] != cache:
            state = (
                "is loaded although it was to be left out"
                if told["cached"]
                else "is not loaded: this node has no object cache"
            )
            raise NoBenchmark(f"{path}: the object cache {state}")
        return told


def benchmark(node: Node, paths: Sequence[str], rounds: int, tolerance_percent: float, seed: int = 1) -> dict[str, Any]:
    """Measure pages in turns and judge; raises NoBenchmark."""
    seen = node.page("/", cache=True, look=True)
    chosen = list(paths) or ["/", *filter(None, [seen["post"]]), "/wp-admin/edit.php", "/?rest_route=/wp/v2/posts"]
    chance = random.Random(seed)  # an order, no secret

    def turn(path: str) -> dict[str, dict[str, Any]]:
        sides = ["on", "off"]
        chance.shuffle(sides)
        user = seen["user"] if "/wp-admin/" in path else 0
        return {side: node.page(path, cache=side == "on", user=user) for side in sides}

    try:
        for _warming in range(WARM_UP_ROUNDS):
            for path in chosen:
                turn(path)
        found = judge([{path: turn(path) for path in chosen} for _round in range(rounds)], tolerance_percent)
    finally:
        node.page("/", cache=True, clean_after=seen["newest_option"])
    return {
        **found,
        "cache_round_trip_ms": seen["cache_trip"],
        "database_round_trip_ms": seen["database_trip"],
    }


def main(words: Sequence[str]) -> int:
    """Measure, print JSON; 1 and the reason on stderr when that cannot be done."""
    parser = argparse.ArgumentParser(description="Does the object cache pay on this node?")
    parser.add_argument("--url", required=True)
    parser.add_argument("--prepend", required=True, help="object_cache_benchmark.php, readable by PHP-FPM's user")
    parser.add_argument("--path", action="append", default=[], help="a page to measure instead of the usual four")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--tolerance-percent", type=float, default=5)
    parser.add_argument("--agent", type=Path, default=AGENT)
    chosen = parser.parse_args(words)
    try:
        node = Node(chosen.url, chosen.prepend, json.loads(chosen.agent.read_text(encoding="utf-8")))
        print(json.dumps(benchmark(node, chosen.path, chosen.rounds, chosen.tolerance_percent), indent=2))
    except (NoBenchmark, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
