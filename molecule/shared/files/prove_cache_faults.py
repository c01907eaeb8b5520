# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of pages and options while the cache is stopped, hung, demoted, full, flushed or has another password (P9, P12 to P14).

Each fault stands between two stretches without one (A B A), and in all three each node is asked for pages at the same rate, whether
they come or not: as many as the machine can serve in half of its time, so that what is measured is no queue.

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

#: Seconds for which pages are asked for before, during and after a fault, at least and at most: PAGES_EACH should fit in.
LOAD, LONGEST = 6.0, 15.0
PAGES_EACH = 60
#: Seconds between two questions to a node, at least.
INTERVAL = 0.1
#: Seconds after which the cache must be in use again: the pause after a failure and a request that ends it (P14).
RECOVERY = 5.0
#: Seconds by which the slowest twentieth of the pages may be slower than without the fault, where half of the pages take QUICK; a
#: busy machine, on which they take longer without any fault, is given as many times more.
SLOWER = 0.3
QUICK = 0.1
#: Keys of others that a cache holds when it is flushed.
MILLION = 1_000_000
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
    """Visitors of each node, one each ``interval`` seconds, whatever became of those before."""

    def __init__(self, site: Site, interval: float) -> None:
        self.site, self.interval = site, interval
        self.seconds, self.failures = list[float](), list[str]()
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.send, args=(node,)) for node in site.nodes]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def send(self, node: str) -> None:
        begun, visitors = time.monotonic(), list[threading.Thread]()
        while not self.stop.wait(max(0.0, begun + len(visitors) * self.interval - time.monotonic())):
            visitors.append(threading.Thread(target=self.visit, args=(node, PAGES[len(visitors) % len(PAGES)])))
            visitors[-1].start()
        for visitor in visitors:
            visitor.join()

    def visit(self, node: str, path: str) -> None:
        begun = time.monotonic()
        status, body = self.site.ask(node, path)
        self.seconds.append(time.monotonic() - begun)
        if status not in (200, 301):
            self.failures.append(f"{path}: {status} {body[:80]!r}")


def quantiles(*loads: Load) -> tuple[float, float]:
    """Return the seconds within which half of the pages came, and nineteen of twenty."""
    cuts = statistics.quantiles([seconds for load in loads for seconds in load.seconds], n=20)
    return cuts[9], cuts[-1]


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

    def fill_with_keys(self) -> None:
        self.cli("config", "set", "maxmemory", "512mb")
        script = "for i = 1, ARGV[1] do redis.call('SET', 'other:' .. ARGV[2] .. ':' .. i, i) end"
        for part in range(100):
            self.cli("eval", script, "0", str(MILLION // 100), str(part))
        if self.count_keys() < MILLION:
            raise Refuted(f"the cache holds {MILLION} keys: {self.count_keys()}")

    def count_keys(self) -> int:
        return int(self.cli("dbsize").split()[-1])

    def flush(self) -> None:
        """Do what the drop-in's flush does: give up the generation, and leave the keys."""
        for name in self.cli("--scan", "--pattern", "*:generations", "--count", "10000").split():
            self.cli("del", name)

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
        "flushed": (cache.flush, lambda: None),
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


def pace(site: Site) -> float:
    """Warm the pages; return the seconds between two questions that leave a machine that serves all nodes half of its time."""
    took = list[float]()
    for path in PAGES * 3:
        for node in site.nodes:
            begun = time.monotonic()
            site.ask(node, path)
            took.append(time.monotonic() - begun)
    return max(INTERVAL, 2 * len(site.nodes) * statistics.median(took) / (os.cpu_count() or 1))


def prove(name: str, cache: Cache, site: Site, begin: Callable[[], Any], end: Callable[[], Any]) -> None:
    old, new = f"before {name} {time.time():.0f}", f"written while {name} {time.time():.0f}"
    if name == "flushed":
        cache.fill_with_keys()
    site.set_tagline(site.nodes[0], old)
    interval = pace(site)
    lasts = min(LONGEST, max(LOAD, PAGES_EACH * interval / len(site.nodes)))
    with Load(site, interval) as before:
        time.sleep(lasts)
    evicted = cache.count("evicted_keys")
    with Load(site, interval) as load:
        time.sleep(0.5)
        begin()
        try:
            time.sleep(lasts / 2)
            site.set_tagline(site.nodes[0], new)
            time.sleep(lasts / 2)
        finally:
            end()
        ended = time.monotonic()
        time.sleep(0.5)
    evicted = cache.count("evicted_keys") - evicted if name == "full" else 0
    if load.failures:
        raise Refuted(
            f"cache {name}: every page is served: {len(load.failures)} of {len(load.seconds)} failed: {load.failures[:3]}"
        )
    print(f"proved: cache {name}: every page is served, {len(load.seconds)} of them", flush=True)
    waited = time.monotonic() - ended
    took = waited + used_again(cache, site)
    read = {node: site.tagline(node) for node in site.nodes}
    if set(read.values()) != {new}:
        raise Refuted(f"cache {name}: what was written meanwhile is read by every node after it: {read}, not {new!r}")
    print(f"proved: cache {name}: in use {took:.1f} s after its end, and no node has an older option", flush=True)
    if name == "full":
        if evicted <= 0:
            raise Refuted("cache full: it evicts")
        print(f"proved: cache full at 8 MB: {evicted} evictions, and options are saved (P13)", flush=True)
    pace(site)
    with Load(site, interval) as after:
        time.sleep(lasts)
    (half, most), (half_meanwhile, most_meanwhile) = quantiles(before, after), quantiles(load)
    allowed = SLOWER * max(1.0, half / QUICK)
    figures = (
        f"a page each {1000 * interval:.0f} ms from each node: p50 {1000 * half:.0f} -> {1000 * half_meanwhile:.0f} ms, "
        f"p95 {1000 * most:.0f} -> {1000 * most_meanwhile:.0f} ms, allowed {1000 * (most + allowed):.0f}"
    )
    if most_meanwhile > most + allowed:
        raise Refuted(f"cache {name}: pages are not much slower: {figures}")
    print(f"proved: cache {name}: pages are not much slower: {figures}", flush=True)


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
            if name == "flushed":
                cache.cli("flushall", "async")
                cache.cli("config", "set", "maxmemory", "64mb")
    return refuted


if __name__ == "__main__":
    sys.exit(main())
