# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of pages and options while the cache is stopped, hung, demoted, full or has another password (P9, P13, P14).

Runs beside the Valkey, which it breaks and mends, and asks the nodes as a visitor and as an editor. Reads from stdin, as JSON:
``nodes`` (addresses), ``host`` (the site's name), ``user`` and ``password`` (of an application), ``cli`` (the words of a
valkey-cli that is logged in), ``service`` (Valkey's unit), ``auth`` (its password) and ``only`` (faults; all unless given).
Prints a line for each claim that holds or does not, and ends with 1 if there was one of these.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

#: Seconds for which pages are asked for before and during a fault.
LOAD = 6.0
#: Seconds after which the cache must be in use again: the pause after a failure and a request that ends it (P14).
RECOVERY = 5.0
#: Seconds by which the slowest twentieth of the pages may be slower than without the fault, where such a page takes QUICK; a
#: busy machine, on which it takes longer, is given as many times more.
SLOWER = 0.3
QUICK = 0.1
PAGES = ("/", "/wp-login.php", "/?p=1")


class Refuted(Exception):
    """A claim does not hold."""


class Site:
    """The site as its visitors and one of its editors see it, through each of its nodes."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.nodes: list[str] = given["nodes"]
        self.host: str = given["host"]
        self.token = base64.b64encode(f"{given['user']}:{given['password']}".encode()).decode()

    def ask(
        self, node: str, path: str, method: str = "GET", body: Any = None, editor: bool = False
    ) -> tuple[int, bytes]:
        """Return status and body. 0 stands for no answer within 20 s."""
        headers = {"Host": self.host, "X-Forwarded-Proto": "https", "Content-Type": "application/json"}
        if editor:
            headers["Authorization"] = f"Basic {self.token}"
        connection = http.client.HTTPConnection(node, 80, timeout=20)
        try:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def set_tagline(self, node: str, text: str) -> None:
        status, body = self.ask(node, "/?rest_route=/wp/v2/settings", "POST", {"description": text}, editor=True)
        if status != 200:
            raise Refuted(f"an option is saved through {node}: {status} {body[:300]!r}")

    def tagline(self, node: str) -> str:
        status, body = self.ask(node, "/?rest_route=/wp/v2/settings", editor=True)
        return json.loads(body)["description"] if status == 200 else f"{status}"


class Load:
    """A visitor per node, one page after the other, as long as the block lasts."""

    def __init__(self, site: Site) -> None:
        self.site, self.seconds, self.failures = site, list[float](), list[str]()
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.visit, args=(node,)) for node in site.nodes]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def visit(self, node: str) -> None:
        number = 0
        while not self.stop.is_set():
            path = PAGES[number % len(PAGES)]
            number += 1
            begun = time.monotonic()
            status, body = self.site.ask(node, path)
            self.seconds.append(time.monotonic() - begun)
            if status not in (200, 301):
                self.failures.append(f"{path}: {status} {body[:80]!r}")

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.seconds, n=20)[-1]


class Cache:
    """The Valkey, from its own machine."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.words, self.service, self.auth = given["cli"], given["service"], given["auth"]

    def cli(self, *words: str, auth: str = "") -> str:
        environment = os.environ | {"REDISCLI_AUTH": auth or self.auth, "VALKEYCLI_AUTH": auth or self.auth}
        done = subprocess.run(
            [*self.words, *words], capture_output=True, text=True, env=environment, timeout=60, check=False
        )
        return done.stdout.strip()

    def systemctl(self, *words: str) -> None:
        subprocess.run(["systemctl", *words, self.service], check=True, timeout=60)

    def count(self, name: str) -> int:
        lines = dict(line.split(":", 1) for line in self.cli("info", "all").splitlines() if ":" in line)
        return int(lines[name])

    def stay_down(self) -> None:
        """Leave it to us when it starts again."""
        folder = f"/run/systemd/system/{self.service}.d"
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/proof.conf", "w", encoding="utf-8") as file:
            file.write("[Service]\nRestart=no\nWatchdogSec=0\n")
        subprocess.run(["systemctl", "daemon-reload"], check=True, timeout=60)

    def fill(self, megabytes: int) -> None:
        script = "local v = string.rep('x', 8000) for i = 1, ARGV[1] do redis.call('SET', 'junk:' .. ARGV[2] .. ':' .. i, v) end"
        for part in range(megabytes):
            self.cli("eval", script, "0", "125", str(part))


def faults(cache: Cache) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """Return how each fault begins and ends."""

    def full(policy: str) -> None:
        cache.cli("config", "set", "maxmemory", "8mb")
        cache.cli("config", "set", "maxmemory-policy", "allkeys-lru")
        cache.fill(10)
        cache.cli("config", "set", "maxmemory-policy", policy)

    def roomy() -> None:
        cache.cli("config", "set", "maxmemory", "64mb")
        cache.cli("config", "set", "maxmemory-policy", "allkeys-lru")

    return {
        "stopped": (lambda: cache.systemctl("kill", "--signal=SIGKILL"), lambda: cache.systemctl("restart")),
        "hung": (
            lambda: cache.systemctl("kill", "--signal=SIGSTOP"),
            lambda: cache.systemctl("kill", "--signal=SIGCONT"),
        ),
        "demoted": (lambda: cache.cli("replicaof", "127.0.0.1", "1"), lambda: cache.cli("replicaof", "no", "one")),
        "full": (lambda: full("allkeys-lru"), roomy),
        "full, and may not evict": (lambda: full("noeviction"), roomy),
        "with another password": (
            lambda: cache.cli("config", "set", "requirepass", "another"),
            lambda: cache.cli("config", "set", "requirepass", cache.auth, auth="another"),
        ),
    }


def used_again(cache: Cache, site: Site) -> float:
    """Return the seconds until every node's pages come from the cache."""
    begun = time.monotonic()
    while time.monotonic() - begun < 8 * RECOVERY:  # a busy machine takes longer; the figure is told
        hits = []
        for node in site.nodes:
            before = cache.count("keyspace_hits")
            site.ask(node, "/")
            hits.append(cache.count("keyspace_hits") - before)
        if min(hits) > 10:
            return time.monotonic() - begun
        time.sleep(0.2)
    raise Refuted("the cache is used again")


def prove(name: str, cache: Cache, site: Site, begin: Callable[[], Any], end: Callable[[], Any]) -> None:
    old, new = f"before {name} {time.time():.0f}", f"written while {name} {time.time():.0f}"
    site.set_tagline(site.nodes[0], old)
    for node in site.nodes:
        for page in PAGES * 2:
            site.ask(node, page)
    with Load(site) as base:
        time.sleep(LOAD)
    evicted = cache.count("evicted_keys")
    with Load(site) as load:
        time.sleep(0.5)
        begin()
        try:
            time.sleep(LOAD / 2)
            site.set_tagline(site.nodes[0], new)
            time.sleep(LOAD / 2)
        finally:
            end()
        ended = time.monotonic()
        time.sleep(0.5)
    if load.failures:
        raise Refuted(
            f"cache {name}: every page is served: {len(load.failures)} of {len(load.seconds)} failed: {load.failures[:3]}"
        )
    figures = f"{len(load.seconds)} pages, p95 {1000 * base.p95:.0f} -> {1000 * load.p95:.0f} ms"
    print(f"proved: cache {name}: every page is served ({figures})", flush=True)
    waited = time.monotonic() - ended
    took = waited + used_again(cache, site)
    read = {node: site.tagline(node) for node in site.nodes}
    if set(read.values()) != {new}:
        raise Refuted(f"cache {name}: what was written meanwhile is read by every node after it: {read}, not {new!r}")
    print(f"proved: cache {name}: in use {took:.1f} s after its end, and no node has an older option", flush=True)
    allowed = SLOWER * max(1.0, base.p95 / QUICK)
    if load.p95 > base.p95 + allowed:
        raise Refuted(f"cache {name}: pages are at most {1000 * allowed:.0f} ms slower: {figures}")
    if name == "full":
        evicted = cache.count("evicted_keys") - evicted
        if evicted <= 0:
            raise Refuted("cache full: it evicts")
        print(f"proved: cache full at 8 MB: {evicted} evictions, and options are saved (P13)", flush=True)


def main() -> int:
    given = json.load(sys.stdin)
    cache, site = Cache(given), Site(given)
    cache.stay_down()
    refuted = 0
    for name, (begin, end) in faults(cache).items():
        if name in given.get("only", [name]):
            try:
                prove(name, cache, site, begin, end)
            except Refuted as claim:
                refuted = 1
                print(f"FAILED: {claim}", flush=True)
    return refuted


if __name__ == "__main__":
    sys.exit(main())
