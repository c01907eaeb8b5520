# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to a machine, and what they cost it: CPU time of its containers' control groups, requests a second, times."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean

from .machines import HOST, Fleet, Machine

LOG = "/tmp/requests.log"
#: Requests before a measurement: each of some 16 workers has connections to make and paths to learn.
WARMING = 40


@dataclass
class Slice:
    """One burst of requests; CPU times in milliseconds per request, times in milliseconds."""

    machine: str
    what: str
    requests: int
    rate: float
    p50: float
    p99: float
    cpu: float
    cpu_database: float
    cpu_cache: float

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def get(
    machine: Machine, path: str, headers: Mapping[str, str] | None = None, timeout: float = 120
) -> tuple[int, dict[str, str], bytes]:
    """Ask once; return status, headers by lower-case name, body."""
    connection = http.client.HTTPConnection(machine.address, 80, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Host": HOST, "Accept-Encoding": "identity", **(headers or {})})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def burst(
    fleet: Fleet,
    name: str,
    path: str,
    requests: int,
    *,
    headers: Mapping[str, str] | None = None,
    clients: int = 2,
    what: str = "",
) -> Slice:
    """Send ``requests`` over ``clients`` kept connections, each as soon as the one before is answered; every answer must be 200."""
    machine, database, cache, load = (fleet[one] for one in (name, "database", "cache", "load"))
    options = [f"--header={key}: {value}" for key, value in {"accept-encoding": "gzip", **(headers or {})}.items()]
    command = [
        "h2load",
        "--h1",
        "-t1",
        f"-n{requests}",
        f"-c{clients}",
        f"--log-file={LOG}",
        f"--connect-to={machine.address}:80",
    ]
    counted = (machine, database, cache)
    load.run("rm", "-f", LOG)
    before = [one.cpu() for one in counted]
    load.run(*command, *options, f"http://{HOST}{path}")
    used = [(one.cpu() - was) * 1000 / requests for one, was in zip(counted, before, strict=True)]
    lines = [tuple(map(int, line.split())) for line in load.run("cat", LOG).splitlines()]
    wrong = [status for _start, status, _took in lines if status != 200]
    assert len(lines) == requests and not wrong, (
        f"{name} {path}: {len(lines)} of {requests} answers, not 200: {wrong[:5]}"
    )
    took = sorted(took / 1000 for _start, _status, took in lines)
    seconds = (
        max(start + took for start, _status, took in lines) - min(start for start, _status, _took in lines)
    ) / 1e6
    return Slice(
        machine=name,
        what=what or path,
        requests=requests,
        rate=round(requests / seconds, 2),
        p50=round(took[len(took) // 2], 2),
        p99=round(took[min(len(took) - 1, len(took) * 99 // 100)], 2),
        cpu=round(used[0], 4),
        cpu_database=round(used[1], 4),
        cpu_cache=round(used[2], 4),
    )


def alternate(
    fleet: Fleet,
    names: Sequence[str],
    path: str,
    requests: int,
    *,
    rounds: int = 2,
    headers: Mapping[str, Mapping[str, str]] | None = None,
    **options: object,
) -> list[Slice]:
    """A B A B: a warming burst to each, then ``rounds`` bursts in turn."""
    chosen = {name: (headers or {}).get(name) for name in names}
    for name in names:
        burst(fleet, name, path, max(WARMING, requests // 5), headers=chosen[name], **options)  # type: ignore[arg-type]
    found = []
    for _round in range(rounds):
        for name in names:
            found.append(burst(fleet, name, path, requests, headers=chosen[name], **options))  # type: ignore[arg-type]
    return found


def average(slices: Sequence[Slice], name: str, what: str, field: str = "cpu") -> float:
    """Return the mean of a field over a machine's bursts; ValueError when there are none."""
    return mean(getattr(one, field) for one in slices if one.machine == name and one.what == what)


def cold(machine: Machine, path: str) -> tuple[float, float]:
    """Ask once and return milliseconds waited and CPU milliseconds used."""
    used, started = machine.cpu(), time.perf_counter()
    status, _headers, _body = get(machine, path)
    waited = time.perf_counter() - started
    assert status == 200, f"{machine.name} {path}: {status}"
    return waited * 1000, (machine.cpu() - used) * 1000
