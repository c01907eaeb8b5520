# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node of ours against WordPress on stock Debian: the same machine, content and database, A B A B, CPU time per request of the node's containers.

Writes docs/benchmarks from what it measured. Needs root; some 40 minutes on two cores, of which ten make the machines. Environment:
WORDPRESS_HA_BENCH_REQUESTS (of one burst,
default 60), WORDPRESS_HA_BENCH_STATE (folder for the disks), WORDPRESS_HA_BENCH_PREFIX (of the containers' names), WORDPRESS_HA_BENCH_KEEP (leave them
running, and use those that run), WORDPRESS_HA_BENCH_MODE (storage mode of ours, default replica).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from lab.slow_files import SlowFiles
from lab.slow_tcp import SlowTcp

from .node import content, load, machines, page, site
from .node.machines import Fleet
from .node.profile import profile

CHECKOUT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent / "node"
RESULTS = CHECKOUT / "tests" / "output" / "bench-node.json"
ENVIRON = os.environ.get
REQUESTS = int(ENVIRON("WORDPRESS_HA_BENCH_REQUESTS", "60"))
MODE = ENVIRON("WORDPRESS_HA_BENCH_MODE", "replica")
PREFIX = ENVIRON("WORDPRESS_HA_BENCH_PREFIX", machines.PREFIX)
STATE = Path(ENVIRON("WORDPRESS_HA_BENCH_STATE", f"/var/tmp/{PREFIX}"))
KEEP = bool(ENVIRON("WORDPRESS_HA_BENCH_KEEP"))

POST = "/post-200/"
PAGES = {
    "front": "/",
    "post": POST,
    "wp-login": "/wp-login.php",
    "edit.php": "/wp-admin/edit.php",
    "REST": "/wp-json/wp/v2/posts",
}
FEW, MANY = 400, 20_000
STATIC = "/wp-includes/js/jquery/jquery.min.js?ver=3.7.1"
TINY = "/wp-includes/images/blank.gif"


# -- the machines ------------------------------------------------------------------------------------------------------


def _make() -> None:
    """Run machines.yml over empty disks."""
    for kind in ("disk", "efs"):
        for name in ("stock", "ours"):
            (STATE / kind / name).mkdir(parents=True, exist_ok=True)
    if not os.path.ismount(STATE):
        subprocess.run(["mount", "--bind", str(STATE), str(STATE)], check=True)
        subprocess.run(
            ["mount", "--make-shared", str(STATE)], check=True
        )  # what is mounted here later appears in the containers
    tools = Path(sys.executable).parent
    variables = {"bench_state": STATE, "bench_mode": MODE, "molecule_prefix": PREFIX, "molecule_state": STATE / "keys"}
    made = subprocess.run(
        [
            str(tools / "ansible-playbook"),
            "-i",
            "localhost,",
            str(HERE / "machines.yml"),
            "-e",
            json.dumps(variables, default=str),
        ],
        cwd=CHECKOUT,
        env={
            **os.environ,
            "PATH": f"{tools}:{ENVIRON('PATH', '')}",
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "collections"),
            "MOLECULE_EPHEMERAL_DIRECTORY": str(STATE),
            "MOLECULE_PROJECT_DIRECTORY": str(CHECKOUT),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    (STATE / "machines.log").write_text(made.stdout + made.stderr)
    assert made.returncode == 0, (made.stdout + made.stderr)[-3000:]


def _remove(fleet: Fleet) -> None:
    for machine in fleet.machines.values():
        machine.remove()
    subprocess.run(
        [*fleet["ours"].engine, "image", "rm", "--force", f"localhost/{PREFIX}-ours"], capture_output=True, check=False
    )
    subprocess.run(["umount", "--lazy", str(STATE)], check=False)
    shutil.rmtree(STATE)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """The machines with 400 posts, plugins there and switched off."""
    if os.geteuid() != 0:
        pytest.skip("the machines' addresses and mounts need root")
    if not (KEEP and (STATE / "loaded").exists()):
        _make()
        made = Fleet.load(STATE, PREFIX)
        made.configure("ours")
        site.load_terms(made)
        site.load_posts(made, 0, FEW)
        for name in ("stock", "ours"):
            site.copy_plugins(made[name])
        site.publish(made["ours"])  # or the scan finds them while something is measured
        (STATE / "loaded").touch()
    made = Fleet.load(STATE, PREFIX)
    yield made
    if not KEEP:
        _remove(made)


@pytest.fixture
def note() -> Callable[..., None]:
    """Keep what was measured, for the page."""

    def keep(name: str, value: Any) -> None:
        held = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        held[name] = value
        held.setdefault("when", {})[name] = [time.strftime("%Y-%m-%d %H:%M"), round(os.getloadavg()[2], 1)]
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(held, indent=1))

    return keep


# -- what is measured --------------------------------------------------------------------------------------------------


def _pages(fleet: Fleet, case: str, prove: Callable[[str], None]) -> dict[str, Any]:
    found = []
    for name, path in PAGES.items():
        headers = None
        if name == "edit.php":
            headers = {one: {"cookie": site.cookies(fleet[one])} for one in ("stock", "ours")}
        slices = load.alternate(fleet, ("stock", "ours"), path, REQUESTS, headers=headers, what=name)
        stock, ours = (load.average(slices, one, name) for one in ("stock", "ours"))
        databases = [load.average(slices, one, name, "cpu_database") for one in ("stock", "ours")]
        prove(
            f"{case}, {name}: {ours:.1f} ms of CPU for {stock:.1f} ms of stock Debian, {ours / stock:.2f}; database {databases[1]:.1f} for {databases[0]:.1f}"
        )
        found += slices
    return {case: [one.as_dict() for one in found]}


def _merge(name: str, more: dict[str, Any]) -> dict[str, Any]:
    held = json.loads(RESULTS.read_text()).get(name, {}) if RESULTS.exists() else {}
    return {**held, **more}


def test_pages(fleet: Fleet, prove: Callable[[str], None], note: Callable[..., None]) -> None:
    note("pages", _merge("pages", _pages(fleet, "400 posts, 0 plugins", prove)))


def test_static_files(fleet: Fleet, prove: Callable[[str], None], note: Callable[..., None]) -> None:
    """Compressed before they are asked for, against compressed for each request, by the lines that Debian's nginx.conf has ready as comments."""
    stock, conf = fleet["stock"], "/etc/nginx/nginx.conf"
    found = load.alternate(fleet, ("stock", "ours"), STATIC, REQUESTS * 50, what="as shipped", clients=4)
    stock.shell(
        f"cp {conf} /root/nginx.conf; sed -i -E 's/^(\\s*)# (gzip_)/\\1\\2/' {conf}; nginx -t -q; systemctl reload nginx; sleep 1"
    )
    try:
        _status, headers, _body = load.get(stock, STATIC, {"Accept-Encoding": "gzip"})
        assert headers.get("content-encoding") == "gzip", headers
        found += load.alternate(fleet, ("stock", "ours"), STATIC, REQUESTS * 50, what="gzip", clients=4)
    finally:
        stock.shell(f"cp /root/nginx.conf {conf}; systemctl reload nginx")
    sizes = {}
    for one, encoding in (("stock", "gzip"), ("ours", "gzip"), ("ours", "br")):
        _status, headers, body = load.get(fleet[one], STATIC, {"Accept-Encoding": encoding})
        sizes[f"{one}, {encoding}"] = [headers.get("content-encoding", "none"), len(body)]
    found += load.alternate(fleet, ("stock", "ours"), TINY, REQUESTS * 50, what="tiny", clients=4)
    for what in ("as shipped", "gzip", "tiny"):
        cpu = [load.average(found, one, what) for one in ("stock", "ours")]
        prove(
            f"static, {what}: {cpu[1]:.3f} ms of CPU for {cpu[0]:.3f} ms of stock Debian: {cpu[0] / cpu[1]:.1f} times as cheap"
        )
    note("static", {"slices": [one.as_dict() for one in found], "sizes": sizes})


def test_limits(fleet: Fleet, prove: Callable[[str], None], note: Callable[..., None]) -> None:
    """What PHP costs without WordPress."""
    for name in ("stock", "ours"):
        fleet[name].shell(
            f"echo '<?php echo \"hello\";' > {machines.SITE}/hello.php; chown www-data: {machines.SITE}/hello.php"
        )
    site.publish(fleet["ours"])
    found = load.alternate(fleet, ("stock", "ours"), "/hello.php", REQUESTS * 20, what="hello", clients=4)
    for name in ("stock", "ours"):
        prove(
            f"hello-PHP, {name}: {load.average(found, name, 'hello'):.3f} ms of CPU, {load.average(found, name, 'hello', 'rate'):.0f} requests/s"
        )
    note("limits", [one.as_dict() for one in found])


def test_cold(fleet: Fleet, prove: Callable[[str], None], note: Callable[..., None]) -> None:
    """The first request after all code was replaced."""
    found: dict[str, list[list[float]]] = {"stock": [], "ours": []}
    for _round in range(4):
        for name in ("stock", "ours"):
            load.burst(fleet, name, "/", 10)
            site.touch_code(fleet[name])
            if name == "stock" or site.publish(fleet[name]) == 0:
                time.sleep(12 if name == "ours" else 3)  # until OPcache looks at time stamps again
            found[name].append(list(load.cold(fleet[name], "/")))
    for at, what in enumerate(("ms", "ms of CPU")):
        stock, ours = (median(one[at] for one in found[name]) for name in ("stock", "ours"))
        prove(f"first request after a switch: {ours:.0f} {what} for {stock:.0f} of stock Debian, {ours / stock:.2f}")
    note("cold", found)


def _copied(name: str) -> dict[str, str]:
    """Return the leaves of a copy's own room in the cache: a new one each time, so that it finds there what it wrote itself and no older session."""
    return {"prefix": f"bench{name}{uuid.uuid4().hex[:6]}"}


def _hosts(fleet: Fleet, address: Callable[[str], str]) -> dict[str, str]:
    return {f"{name}.molecule.internal": address(name) for name in ("database", "cache")}


def _operations(fleet: Fleet, name: str, files: SlowFiles, path: str, headers: dict[str, str] | None) -> dict[str, Any]:
    """Return the operations per page and their kinds by file type; without those of the code agent, which looks by the clock whatever is asked."""
    requests, agent = 40, "systemctl {} wordpress-ha-code"
    if name != "stock":
        fleet[name].shell(agent.format("stop"))
    files.reset()
    load.burst(fleet, name, path, requests, headers=headers)
    counted, recent = files.counters()["total"], files.recent()
    if name != "stock":
        fleet[name].shell(agent.format("start"))
    kinds = Counter(f"{operation} {Path(touched).suffix}".strip() for operation, touched in recent)
    share = counted / max(1, len(recent)) / requests  # what is older than the memory of paths is taken to be alike
    return {"pages": counted / requests, "kinds": {kind: count * share for kind, count in kinds.most_common(8)}}


def test_storage(fleet: Fleet, prove: Callable[[str], None], note: Callable[..., None]) -> None:
    """Each storage mode on shared files that take 0, 1 and 3 ms for each operation; ``local`` is ``replica`` whose shared files are on the local disk."""
    names = ("local", "replica", "efs", "stock")
    hosts = _hosts(fleet, lambda name: fleet[name].address)
    cookie = {"ours": site.cookies(fleet["ours"]), "stock": site.cookies(fleet["stock"])}
    wanted = {"local": "replica", "replica": "replica", "efs": "efs"}
    for name, mode in wanted.items():
        fleet.copy("ours", name, hosts, storage={"mode": mode}, cache=_copied(name))
    slow = {name: SlowFiles(STATE / "efs" / name, STATE / "efs" / name) for name in ("replica", "efs", "stock")}
    mounted: list[str] = []
    found: dict[str, Any] = {}
    counted: dict[str, Any] = {}
    firsts: dict[str, Any] = {}
    try:
        for name, files in slow.items():
            fleet[name].shell("systemctl stop php8.4-fpm nginx")
            files.__enter__()
            mounted.append(name)
            _start(fleet, name)
        for delay in (0, 1, 3):
            case: list[load.Slice] = []
            for files in slow.values():
                files.delay(delay * 1000)
            for what in ("front", "post", "edit.php"):
                headers = None
                if what == "edit.php":
                    headers = {one: {"cookie": cookie.get(one, cookie["ours"])} for one in names}
                case += load.alternate(fleet, names, PAGES[what], max(20, REQUESTS // 2), headers=headers, what=what)
                for name, files in slow.items():
                    asked = (headers or {}).get(name)
                    counted[f"{name}, {what}, {delay} ms"] = _operations(fleet, name, files, PAGES[what], asked)
                rates = {one: load.average(case, one, what, "rate") for one in names}
                prove(
                    f"{delay} ms, {what}: "
                    + ", ".join(f"{one} {rate:.1f}/s ({rate / rates['local']:.2f})" for one, rate in rates.items())
                    + "; operations "
                    + ", ".join(f"{one} {counted[f'{one}, {what}, {delay} ms']['pages']:.1f}" for one in slow)
                )
            for name in names:  # a node that starts anew
                firsts[f"{name}, {delay} ms"] = [_start(fleet, name), *load.cold(fleet[name], "/")]
            prove(
                f"{delay} ms, seconds until ready and milliseconds of the first page: "
                + ", ".join("{} {:.1f} s {:.0f} ms".format(one, *firsts[f"{one}, {delay} ms"][:2]) for one in names)
            )
            found[str(delay)] = [one.as_dict() for one in case]
            note("storage", {"slices": found, "operations": counted, "first": firsts})
    finally:
        for name in wanted:
            if name in fleet.machines:
                fleet.machines.pop(name).remove()
        fleet["stock"].shell("systemctl stop php8.4-fpm nginx")
        for name in mounted:
            slow[name].__exit__(None, None, None)
        fleet["stock"].shell("systemctl start php8.4-fpm nginx")


def _start(fleet: Fleet, name: str) -> float:
    """Start what serves anew; return the seconds until it is ready."""
    if name != "stock":
        return fleet.boot(name)
    started = time.monotonic()
    fleet[name].shell("systemctl restart php8.4-fpm nginx")
    return time.monotonic() - started


#: Each object cache by the leaves of the contract that choose it, and the port of its server.
CACHES: dict[str, tuple[dict[str, str], int]] = {
    "none": ({"engine": "none"}, 6379),
    "valkey": ({"engine": "valkey"}, 6379),
    "memcached": ({"engine": "memcached", "tls": "false"}, 11211),
}


def test_object_caches(fleet: Fleet, prove: Callable[[str], None], note: Callable[..., None]) -> None:
    """Each object cache, cache and database as far away as in another availability zone; round trips counted."""
    gateway = fleet.gateway()
    found: dict[str, Any] = {}
    trips: dict[str, Any] = {}
    database = SlowTcp((fleet["database"].address, 3306), (gateway, 0))
    proxies = {name: SlowTcp((fleet["cache"].address, port), (gateway, 0)) for name, (_leaves, port) in CACHES.items()}
    names = tuple(CACHES)
    cookie = site.cookies(fleet["ours"])
    for proxy in (database, *proxies.values()):
        proxy.__enter__()
    try:
        for name, (leaves, _port) in CACHES.items():
            cache = {**leaves, "port": str(proxies[name].address[1]), **_copied(name)}
            fleet.copy(
                "ours",
                name,
                _hosts(fleet, lambda _name: gateway),
                cache=cache,
                database={"port": str(database.address[1])},
            )
        for delay in (0, 500, 1000):
            case: list[load.Slice] = []
            for proxy in (database, *proxies.values()):
                proxy.delay(delay)
            for what in ("front", "post", "edit.php"):
                headers = {one: {"cookie": cookie} for one in names} if what == "edit.php" else None
                case += load.alternate(fleet, names, PAGES[what], REQUESTS, headers=headers, what=what)
                for name in names:
                    proxies[name].reset()
                    database.reset()
                    load.burst(fleet, name, PAGES[what], 10, headers=(headers or {}).get(name))
                    trips[f"{name}, {what}, {delay}"] = [
                        proxies[name].counters()["round_trips"] / 10,
                        database.counters()["round_trips"] / 10,
                    ]
                told = ", ".join(
                    f"{one} {load.average(case, one, what, 'p50'):.0f} ms, {load.average(case, one, what):.0f} ms of CPU, "
                    f"{trips[f'{one}, {what}, {delay}'][0]:.1f} + {trips[f'{one}, {what}, {delay}'][1]:.1f} round trips"
                    for one in names
                )
                prove(f"{delay / 1000} ms, {what}: {told}")
            found[str(delay)] = [one.as_dict() for one in case]
            note("caches", {"slices": found, "round trips": trips})
    finally:
        for name in names:
            if name in fleet.machines:
                fleet.machines.pop(name).remove()
        for proxy in (database, *proxies.values()):
            proxy.__exit__(None, None, None)


def test_profile(fleet: Fleet, prove: Callable[[str], None], note: Callable[..., None]) -> None:
    """Where the time of a page goes, by a sampling profiler in PHP, on copies of both machines."""
    hosts, flags = _hosts(fleet, lambda name: fleet[name].address), ("--cap-add=SYS_PTRACE",)
    pages = {name: PAGES[name] for name in ("front", "post", "edit.php")}
    seen: dict[str, Any] = {}
    try:
        fleet.copy("stock", "profiled-stock", hosts, flags)
        fleet.copy("ours", "profiled-ours", hosts, flags, cache=_copied("profile"))
        for name in ("stock", "ours"):
            for what, found in profile(fleet, f"profiled-{name}", pages, REQUESTS * 4).items():
                seen[f"{what}, {name}"] = found
                areas = list(found["areas"].items())[:8]
                told = ", ".join(f"{area} {share:.0%}" for area, share in areas)
                prove(f"profile, {what}, {name}, {found['cpu']:.1f} ms of CPU: {told}")
    finally:
        for name in ("profiled-stock", "profiled-ours"):
            if name in fleet.machines:
                fleet.machines.pop(name).remove()
    note("profile", seen)


def _with_plugins(fleet: Fleet, case: str, prove: Callable[[str], None], note: Callable[..., None]) -> None:
    """Measure the pages with all plugins switched on, and switch them off."""
    try:
        for name in ("stock", "ours"):
            site.switch_plugins(fleet[name], True)
        site.publish(fleet["ours"])
        note("pages", _merge("pages", _pages(fleet, case, prove)))
    finally:
        for name in ("stock", "ours"):
            site.switch_plugins(fleet[name], False)


def test_plugins(fleet: Fleet, prove: Callable[[str], None], note: Callable[..., None]) -> None:
    _with_plugins(fleet, "400 posts, 30 plugins", prove, note)


def test_many_posts(fleet: Fleet, prove: Callable[[str], None], note: Callable[..., None]) -> None:
    """The last one: nothing takes the posts away again."""
    site.load_posts(fleet, FEW, MANY)
    note("pages", _merge("pages", _pages(fleet, "20,000 posts, 0 plugins", prove)))
    _with_plugins(fleet, "20,000 posts, 30 plugins", prove, note)


def test_page() -> None:
    """The page shows what was measured last."""
    assert content.PLUGINS == 30
    page.write(json.loads(RESULTS.read_text()), CHECKOUT / "docs" / "benchmarks")
