# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The drain agent: what is begun may end, nothing new begins, the group is told once, and nothing waits for ever (R38, P44)."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from drain_world import NOT_YET, Scaling, World

END = "autoscaling/target-lifecycle-state"


def test_a_node_in_service_does_nothing(drain: Any, world: World, scaling: Scaling) -> None:
    def at(second: float) -> None:
        assert world.stopped == [] and scaling.told == []
        if second >= 3600:
            world.metadata[END] = "Terminated"

    world.at = at
    drain.wait_for_the_end()
    assert 3600 <= world.second < 3600 + 10


def test_what_is_begun_ends_before_the_group_is_told(drain: Any, world: World, scaling: Scaling) -> None:
    world.metadata[END] = "Terminated"
    world.busy_until = 45.0
    drain.run()
    assert world.stopped == ["timer"]
    assert 54 <= world.second < 60  # ten quiet seconds after the last request
    assert scaling.actions() == ["RecordLifecycleActionHeartbeat", "CompleteLifecycleAction"]
    assert scaling.told[-1] == {
        "Action": "CompleteLifecycleAction",
        "Version": "2011-01-01",
        "AutoScalingGroupName": "blog-web",
        "LifecycleHookName": "drain",
        "InstanceId": "i-1",
        "LifecycleActionResult": "CONTINUE",
    }


def test_a_request_that_comes_late_is_served_too(drain: Any, world: World) -> None:
    """A load balancer needs a moment to learn that a node leaves."""
    world.metadata[END] = "Terminated"

    def at(second: float) -> None:
        if second == 5:
            world.busy_until = 8.0

    world.at = at
    assert drain.finish() is True
    assert world.second >= 17


def test_patience_ends(drain: Any, world: World, scaling: Scaling, capsys: pytest.CaptureFixture[str]) -> None:
    world.metadata[END] = "Terminated"
    world.busy_until = 1e9
    drain.run()
    assert 300 < world.second < 310
    assert scaling.actions()[-1] == "CompleteLifecycleAction"
    assert scaling.actions().count("RecordLifecycleActionHeartbeat") == 10
    assert "gave up on 1 requests" in capsys.readouterr().out


def test_the_hook_is_answered_once_it_is_there(drain: Any, world: World, scaling: Scaling) -> None:
    """The group asks only when the load balancer has let go: until then there is nothing to answer."""
    world.metadata[END] = "Terminated"
    scaling.refusals = [NOT_YET] * 24
    drain.run()
    assert scaling.actions() == ["CompleteLifecycleAction"] and world.second >= 10 + 24 * 5


@pytest.mark.parametrize("refusal", [NOT_YET, ("AccessDenied", "User is not authorized")])
def test_a_group_that_never_asks_is_not_waited_for(
    drain: Any, world: World, scaling: Scaling, refusal: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    world.metadata[END] = "Terminated"
    scaling.refusals = [refusal] * 1000
    drain.run()
    assert scaling.told == [] and world.second < 2 * 310
    said = capsys.readouterr().out
    assert "nobody asked" in said and ("authorized" in said) == (refusal is not NOT_YET)
    assert "canary-secret" not in said


@pytest.mark.parametrize("state", ["Terminated", "Warmed:Terminated"])
def test_which_states_end_a_node(agent: ModuleType, world: World, state: str) -> None:
    group = agent.Group({"ca_bundle": True})
    for other in ("InService", "Standby", "Detached", "Warmed:Stopped", "Warmed:Running"):
        world.metadata[END] = other
        assert group.is_ending() is False, other
    world.metadata[END] = state
    assert group.is_ending() is True


def test_a_machine_in_no_group_looks_seldom(drain: Any, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The builder of an image, say."""
    del world.metadata[END]
    looks = 0

    def at(second: float) -> None:
        nonlocal looks
        looks += 1
        if second >= 3600:
            world.metadata[END] = "Terminated"

    world.at = at
    drain.wait_for_the_end()
    assert looks <= 61
    assert capsys.readouterr().out.count("nobody ends this node") == 1


def test_requests_are_the_connections_of_phps_socket(agent: ModuleType, tmp_path: Path) -> None:
    """As the kernel of this machine tells them: one that PHP has taken, one that waits, none that listens."""
    path, other = str(tmp_path / "fpm.sock"), str(tmp_path / "health.sock")
    servers = {name: socket.socket(socket.AF_UNIX) for name in (path, other)}
    for name, server in servers.items():
        server.bind(name)
        server.listen(5)

    def count() -> int:
        return int(agent.requests(agent.SOCKETS.read_text(), path))

    assert count() == 0
    clients = [socket.socket(socket.AF_UNIX) for _number in range(3)]
    clients[0].connect(path)
    taken, _unused = servers[path].accept()
    assert count() == 1
    clients[1].connect(path)
    clients[2].connect(other)
    assert count() == 2
    taken.close()
    clients[0].close()
    assert count() == 1
    for one in (*clients, *servers.values()):
        one.close()


@pytest.fixture
def node(agent: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A node of whose systemd the file `state` tells, by a systemctl in the path."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\ncat {tmp_path}/state\n')
    program.chmod(0o755)
    (tmp_path / "state").write_text("inactive\n")
    (tmp_path / "purge").mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    sockets = {"fpm_socket": str(tmp_path / "fpm.sock"), "fpm_author_socket": str(tmp_path / "author.sock")}
    config = {"run_dir": str(tmp_path), "group": "root"} | sockets
    return agent.Node(config, agent.boot_agent.Machine("root"))


def test_what_counts_as_work(node: Any, tmp_path: Path) -> None:
    assert node.work() == []
    (tmp_path / "state").write_text("activating\n")
    assert node.work() == ["scheduled work"]
    (tmp_path / "state").write_text("failed\n")
    for name in ("1.json", "2.claimed", "3.tmp"):
        (tmp_path / "purge" / name).touch()
    assert node.work() == ["2 notes for the edge"]
    # An author whose plugin is just being installed is work, too (P44).
    with socket.socket(socket.AF_UNIX) as author, socket.socket(socket.AF_UNIX) as asking:
        author.bind(str(tmp_path / "author.sock"))
        author.listen(1)
        asking.connect(str(tmp_path / "author.sock"))
        assert node.work() == ["1 requests", "2 notes for the edge"]
    node.stop_new_work()
    assert "stop wordpress-ha-cron.timer" in (tmp_path / "asked").read_text()


def test_a_node_whose_contract_is_a_file_has_no_group(
    agent: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "agent.json").write_text('{"source": "file"}')
    monkeypatch.setattr(agent.boot_agent, "CONFIG", tmp_path / "agent.json")
    done: list[int] = []
    thread = threading.Thread(target=lambda: done.append(agent.main()), daemon=True)
    thread.start()
    thread.join(5)
    assert done == [0]


def test_the_agent_runs_with_what_a_node_has(agent: ModuleType) -> None:
    """It names only modules of Python and its neighbour at its beginning: botocore is Debian's, and asked for late."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import drain_agent; print('botocore' in sys.modules)"
    folder = str(Path(str(agent.__file__)).parent)
    done = subprocess.run(["python3", "-B", "-I", "-c", code, folder], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
