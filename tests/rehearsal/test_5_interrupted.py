# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``make rehearsal-down`` leaves nothing; ``site.yml`` killed at some points and started again reaches the same state.

At three points in ``make test``, at ten in ``make test-all``: each takes two minutes or three when the machine is busy with the other stages.
"""

from __future__ import annotations

import os

from .shape import shape
from .site import OUTPUT, STATE, Site, wait_until

POINTS = 10 if os.environ.get("WORDPRESS_HA_TEST_ALL") else 3
#: The task that ends site.yml, in every run.
LAST_TASK = "TASK [Report what stands where]"


def test_down_leaves_nothing(site: Site, prove) -> None:
    config, ports = site.config(), site.ports()
    pids = {
        name: int((STATE / "run" / f"{name}.pid").read_text(encoding="utf-8")) for name in ("emulator", "reconciler")
    }
    run = site.make("rehearsal-down")
    assert run.code == 0, run.tail()
    listed = site.run("containers", config["engine"]["command"], "ps", "-a", "--format", "{{.Names}}").output
    networks = site.run("networks", config["engine"]["command"], "network", "ls", "--format", "{{.Name}}").output
    sockets = site.run("sockets", "ss", "-Hltn").output
    mounts = site.run("mounts", "cat", "/proc/mounts").output
    assert "rehearsal" not in listed and "rehearsal" not in networks, (listed, networks)
    assert not [port for port in ports if f":{port} " in sockets]
    assert str(STATE) not in mounts
    assert not [name for name, pid in pids.items() if os.path.exists(f"/proc/{pid}")]
    prove(
        "after `make rehearsal-down`: no container, network, process, mount or listening port of the rehearsal is left"
    )
    again = site.make("rehearsal-down")
    assert again.code == 0 and again.recap()["changed"] == 0, again.tail()
    prove("`make rehearsal-down` again: harmless, changed=0")


def tasks_of(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("TASK [")]


def places_in(site: Site) -> dict[str, int]:
    """Return where in a run of site.yml that builds everything each of its tasks comes first.

    The log is that of ``make rehearsal``, which runs two more plays: one before, one after.
    """
    complete = tasks_of((OUTPUT / "make-rehearsal.log").read_text(encoding="utf-8"))
    before = site.play("rehearsal-only", "playbooks/rehearsal.yml")
    assert before.code == 0, before.tail()
    first = len(tasks_of(before.output))
    last = max(place for place, task in enumerate(complete) if task.startswith(LAST_TASK))
    places: dict[str, int] = {}
    for place, task in enumerate(complete[first : last + 1]):
        places.setdefault(task, place)
    return places


def test_killed_and_started_again(site: Site, prove) -> None:
    places = places_in(site)
    tasks = max(places.values())
    points = [max(1, tasks * number // (POINTS + 1)) for number in range(1, POINTS + 1)]
    killed = []
    for number, point in enumerate(points, 1):
        # By the task's place, not by counting: what a run resumes has fewer tasks than the one that built everything.
        def reached(line: str, point: int = point) -> bool:
            return places.get(line.rstrip("\n"), -1) >= point

        run = site.play(f"killed-{number}", "site.yml", kill_at=reached)
        assert run.code != 0, f"the run ended before it came to place {point} of {tasks}"
        killed.append(tasks_of(run.output)[-1])
    run = site.play("resumed", "site.yml")
    assert run.code == 0 and run.recap()["failed"] == 0, run.tail(60)
    again = site.play("resumed-again", "site.yml")
    assert again.code == 0 and again.recap()["changed"] == 0, again.tail(60)
    assert site.play("report", "playbooks/rehearsal_report.yml").code == 0
    wait_until("both nodes are healthy", lambda: site.healthy() == site.instance_ids(), 60)
    assert "</html>" in site.get("/").text
    assert shape(site) == site.built, "an interrupted and resumed stack differs from one built in one go"
    prove(
        f"killed at tasks {points} of {tasks}, last in {killed[-1].strip('* ')[:70]}; resumed: same state as in one go, then changed=0"
    )
