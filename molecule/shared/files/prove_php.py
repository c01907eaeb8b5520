# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask a node's PHP-FPM for what it promises: sizes, time-outs, graceful ends, and what it does when far too much is asked of it.

Prints what is proved; the first failed claim ends it. Arguments: the site's host name, PHP-FPM's unit, PHP's time-out in seconds, and
for how many seconds three times too much is asked.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

LIB = Path("/usr/local/lib/wordpress_ha")
sys.path.insert(0, str(LIB))

import code_opcache  # noqa: E402 (it stands where the line above says)
import node_sizes  # noqa: E402

RUN = Path("/run/wordpress_ha")
PLUGIN = Path("/srv/wordpress/shared/site/wp-content/mu-plugins/proof-php.php")
SEEN = Path("/srv/wordpress/docroot/wp-content/mu-plugins/proof-php.php")
SCRIPT = LIB / "proof.php"
VISITORS, AUTHORS = "/run/php/wordpress_ha.sock", "/run/php/wordpress_ha-author.sock"
HEALTH = "/run/php/wordpress_ha-health.sock"

# A signal ends sleep() early.
SLEEPER = """<?php
if ( isset( $_GET['proof_sleep'] ) ) {
    $until = microtime( true ) + (int) $_GET['proof_sleep'];
    while ( microtime( true ) < $until ) { sleep( 1 ); }
    exit( 'slept' );
}
"""
TELLER = """<?php
$names = array( 'exec', 'popen', 'proc_open', 'shell_exec', 'system', 'passthru', 'posix_getpwuid', 'mail', 'opcache_invalidate' );
$kept  = @file_put_contents( '/usr/local/lib/wordpress_ha/proof.written', 'x' );
echo json_encode( array(
    'pool'     => getenv( 'WORDPRESS_HA_POOL' ),
    'exists'   => array_values( array_filter( $names, 'function_exists' ) ),
    'memory'   => ini_get( 'opcache.memory_consumption' ),
    'slots'    => ini_get( 'opcache.max_accelerated_files' ),
    // Not ini_get(): what only the administrator may set becomes part of the compiled script, which the pools share.
    'looks'    => opcache_get_configuration()['directives']['opcache.validate_timestamps'] ? '1' : '0',
    'writes'   => array_values( array_filter( array( '/etc', '/usr/local/lib', '/srv/wordpress/trees' ), 'is_writable' ) ),
    'tmp'      => (bool) @file_put_contents( '/tmp/proof', 'x' ),
) );
"""


def prove(claim: str, holds: bool, seen: Any = "") -> None:
    if not holds:
        print(f"FAILED: {claim}: {seen}", flush=True)
        sys.exit(1)
    print(f"proved: {claim}", flush=True)


async def get(host: str, path: str, patience: float) -> tuple[int, float, str]:
    """Return status (0: no answer), seconds and head of a GET to this node, as the load balancer sends it."""
    started = time.monotonic()
    head = ""
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection("127.0.0.1", 80)
            asked = f"GET {path} HTTP/1.0\r\nHost: {host}\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n"
            writer.write(asked.encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode(errors="replace")
            while await reader.read(65536):
                pass
            writer.close()
    except (TimeoutError, OSError, asyncio.IncompleteReadError):
        return 0, time.monotonic() - started, head
    return int(head.split()[1]), time.monotonic() - started, head


def ask(host: str, path: str, patience: float) -> tuple[int, float, str]:
    return asyncio.run(get(host, path, patience))


def told(pool: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(code_opcache.request(pool, str(SCRIPT), b"", 60)[1])
    return found


def unit(name: str, what: str) -> str:
    shown = subprocess.run(
        ["systemctl", "show", "--value", f"--property={what}", name], check=True, text=True, capture_output=True
    )
    return shown.stdout.strip()


def prove_pools(service: str) -> None:
    visitors, authors = told(VISITORS), told(AUTHORS)
    prove(
        "each pool says its name",
        (visitors["pool"], authors["pool"], told(HEALTH)["pool"]) == ("wordpress", "author", "health"),
    )
    wanted = ["posix_getpwuid", "mail", "opcache_invalidate"]
    prove(
        "no page can start a program, and what WordPress calls is there",
        visitors["exists"] == authors["exists"] == wanted,
        visitors["exists"],
    )
    prove("the author pool looks at time stamps", authors["looks"] == "1", authors)
    size = (RUN / "php-fpm/size.conf").read_text()
    immutable = "/trees/" in os.path.realpath("/srv/wordpress/docroot")
    prove(
        f"visitors' OPcache {'trusts the immutable tree' if immutable else 'looks at time stamps'}",
        (visitors["looks"] == "0") == immutable,
        (visitors["looks"], size),
    )
    agent = json.loads(Path("/etc/wordpress_ha/agent.json").read_text())
    prove(
        "nothing outside of the site is PHP's to write, its temporary files are",
        visitors["tmp"] and not visitors["writes"],
    )
    main = unit(service, "MainPID")
    own = os.readlink(f"/proc/{main}/ns/mnt") != os.readlink("/proc/1/ns/mnt")
    if own:
        mounts = Path(f"/proc/{main}/mounts").read_text()
        prove("PHP-FPM sees a read-only system", bool(re.search(r" / \S+ ro[, ]", mounts)), mounts)
    else:
        print("not proved here: the container's engine allows no mount namespaces (PHP-FPM's read-only system)")
    files = node_sizes.count_php(Path(agent["docroot"]))
    sizes = (visitors["memory"], visitors["slots"])
    prove(
        f"OPcache has {sizes[0]} MiB and {sizes[1]} slots for a site of {files} PHP files (P17)",
        int(sizes[1]) >= 1.5 * files and (RUN / "php/sizes.ini").read_text().count(sizes[0]) >= 1,
        (sizes, (RUN / "php/sizes.ini").read_text()),
    )


def prove_timeouts(host: str, timeout: int) -> None:
    """P8, with both requests at once."""
    found: dict[str, tuple[int, float, str]] = {}

    def look(name: str, seconds: int) -> None:
        found[name] = ask(host, f"/?proof_sleep={seconds}", timeout + 20)

    threads = [threading.Thread(target=look, args=one) for one in (("short", timeout - 2), ("long", timeout + 60))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    prove(f"a page that takes {timeout - 2} of {timeout} s is answered 200 (P8)", found["short"][0] == 200, found)
    status, seconds, _head = found["long"]
    prove(
        f"a page that would take longer is ended after {seconds:.0f} s, before nginx gives up, with {status} (P8)",
        status in (502, 503, 504) and timeout + 4 <= seconds < timeout + 10,
        found,
    )


def prove_grace(host: str, service: str) -> None:
    """P44: a request under way survives a reload and a stop."""
    for word in ("reload", "stop"):
        # A master that is just being executed anew knows no signals yet.
        wait_for(host, 60)
        found: list[tuple[int, float, str]] = []
        thread = threading.Thread(target=lambda seen=found: seen.append(ask(host, "/?proof_sleep=6", 60)))
        thread.start()
        time.sleep(3)
        before = unit(service, "MainPID")
        started = time.monotonic()
        subprocess.run(["systemctl", word, service], check=True, timeout=90)
        thread.join()
        took = time.monotonic() - started
        prove(
            f"a request under way is answered although PHP-FPM gets {word}, {took:.0f} s (P44)",
            found[0][0] == 200,
            (found, before),
        )
    subprocess.run(["systemctl", "start", service], check=True, timeout=90)
    wait_for(host, 60)


def wait_for(host: str, patience: float) -> float:
    """Return the seconds until the front page is served."""
    started = time.monotonic()
    while ask(host, "/", patience)[0] != 200:
        if time.monotonic() - started > patience:
            return patience
        time.sleep(0.2)
    return time.monotonic() - started


def prove_opcache(host: str) -> None:
    for path in ("/", "/?p=1", "/wp-login.php", "/feed/", "/?s=a", "/wp-json/wp/v2/posts", "/wp-json/", "/?author=1"):
        for _again in range(2):
            ask(host, path, 60)
    status = json.loads(code_opcache.request(HEALTH, str(LIB / "node_metrics.php"), b"", 20)[1])
    counts = status["opcache_statistics"]
    prove(
        f"after a crawl {counts['num_cached_scripts']} scripts are cached, fewer than {counts['max_cached_keys']}, and OPcache never began anew (P17)",
        50 < counts["num_cached_scripts"] < counts["max_cached_keys"]
        and counts["oom_restarts"] == counts["hash_restarts"] == 0
        and not status["cache_full"],
        counts,
    )


async def overloaded(host: str, rate: float, seconds: float, patience: float) -> tuple[list[Any], list[Any]]:
    """Ask for so many pages a second, whatever becomes of them, and for the sign of life meanwhile."""
    pages: list[asyncio.Task[Any]] = []
    alive: list[asyncio.Task[Any]] = []
    started = time.monotonic()
    number = 0
    while (passed := time.monotonic() - started) < seconds:
        while number < passed * rate:
            pages.append(asyncio.create_task(get(host, f"/?overload={number}", patience)))
            number += 1
        if len(alive) < passed:
            alive.append(asyncio.create_task(get(host, "/healthz/live", 5)))
        await asyncio.sleep(0.02)
    ended = time.monotonic()
    while (await get(host, "/?after=1", 30))[0] != 200:
        await asyncio.sleep(0.1)
    recovered = time.monotonic() - ended
    return [*await asyncio.gather(*pages), ("recovered", recovered)], list(await asyncio.gather(*alive))


async def capacity(host: str, workers: int, seconds: float) -> float:
    """Return how many pages a second are served when as many are asked for at once as there are workers."""
    ends = time.monotonic() + seconds
    served = 0

    async def visitor() -> None:
        nonlocal served
        while time.monotonic() < ends:
            status, _seconds, _head = await get(host, "/?capacity=1", 60)
            served += status == 200 and time.monotonic() < ends

    await asyncio.gather(*(visitor() for _unused in range(workers)))
    return max(1.0, served / seconds)


def kills() -> int:
    """Return how often the kernel has killed a process of this machine for lack of memory."""
    found = re.search(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


def swapped() -> list[str]:
    return re.findall(r"^pswp\w+ \d+$", Path("/proc/vmstat").read_text(), re.MULTILINE)


def prove_overload(host: str, service: str, timeout: int, seconds: int) -> None:
    found = re.search(r"pm\.max_children = (\d+)", (RUN / "php-fpm/size.conf").read_text())
    workers = int(found[1]) if found else 4
    before = kills(), swapped(), unit(service, "MainPID")
    rate = asyncio.run(capacity(host, workers, 10))
    (*pages, (_word, recovered)), alive = asyncio.run(overloaded(host, 3 * rate, seconds, 2 * timeout))
    statuses = Counter(status for status, _seconds, _head in pages)
    served = sorted(took for status, took, _head in pages if status == 200)
    refused = [head for status, _took, head in pages if status == 503]
    quick = sorted(took for status, took, _head in pages if status == 503)
    print(
        f"seen: {workers} workers serve {rate:.1f} pages/s; {3 * rate:.1f}/s for {seconds} s: {dict(statuses)}; "
        f"200 p50 {served[len(served) // 2]:.2f} s p99 {served[len(served) * 99 // 100]:.2f} s; "
        f"503 p50 {quick[len(quick) // 2] if quick else 0:.3f} s; alive max {max(took for _s, took, _h in alive):.2f} s"
    )
    prove(
        f"three times too much for {seconds} s: /healthz/live is always 200", {one[0] for one in alive} == {200}, alive
    )
    prove("what is too much is sent away with 503, nothing else fails", set(statuses) <= {200, 503}, statuses)
    if refused:
        prove("the 503 says Retry-After", all("retry-after:" in head.lower() for head in refused), refused[0])
    p99 = served[len(served) * 99 // 100]
    prove(f"99 of 100 pages served took less than {p99:.1f} s, allowed are {2 * timeout}", p99 < 2 * timeout)
    prove(f"{recovered:.1f} s after the load's end a page is served", recovered < 5, recovered)
    prove(
        "the kernel killed nothing for lack of memory, nothing was swapped, and PHP-FPM's master lives on",
        before == (kills(), swapped(), unit(service, "MainPID")),
    )


def prove_metrics() -> None:
    subprocess.run(["systemctl", "start", "wordpress-ha-metrics.service"], check=True, timeout=60)
    found = json.loads((RUN / "metrics.json").read_text())
    prove(
        f"the node looks at itself: {found}",
        {"php_busy_percent", "php_worker_mb", "opcache_memory_percent", "opcache_restarts"} <= found.keys()
        and 0 < found["opcache_memory_percent"] < 100,
        found,
    )
    prove(
        "how large workers are is noted for the next boot",
        node_sizes.noted(Path("/var/lib/wordpress_ha/worker.json")) > 0,
    )


def main(host: str, service: str, timeout: int, seconds: int) -> None:
    PLUGIN.parent.mkdir(exist_ok=True)
    PLUGIN.write_text(SLEEPER)
    SCRIPT.write_text(TELLER)
    try:
        deadline = time.monotonic() + 90
        while not SEEN.exists() and time.monotonic() < deadline:
            time.sleep(1)
        prove("the proof's plugin is where visitors run it", SEEN.exists())
        prove_pools(service)
        prove_opcache(host)
        prove_metrics()
        prove_grace(host, service)
        prove_timeouts(host, timeout)
        prove_overload(host, service, timeout, seconds)
    finally:
        PLUGIN.unlink()
        SCRIPT.unlink()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
