# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the code agent does each second: poll one file, look for what no marker tells of, say why it waits."""

from __future__ import annotations

import errno
import json
import os
import time

import pytest


def step(agent) -> None:
    """One second of the agent, with a scan in it."""
    agent.scanner.next = 0.0
    agent.step()
    if agent.scanner._looking:
        agent.scanner._looking[1].result()
        agent.scanner.next = time.monotonic() + 100
        agent.step()


def test_a_second_without_news_costs_one_look(agent, world, monkeypatch):
    agent.step()
    looked = []
    seen = agent.node.seen
    monkeypatch.setattr(agent.node, "seen", lambda name: looked.append(name) or seen(name))
    monkeypatch.setattr(agent.node, "follow", lambda: pytest.fail("nothing was new"))
    monkeypatch.setattr(agent.node, "read", lambda _name: pytest.fail("nothing was new"))
    agent.scanner.next = time.monotonic() + 100
    agent.step()
    assert looked == ["generation"]


def test_the_marker_is_followed(agent, world):
    agent.step()
    world.write("wp-content/plugins/a/a.php", "<?php // a2")
    world.mark("g1")
    agent.step()
    assert world.served() == "<?php // a2"


def test_after_a_switch_the_edge_is_told_when_all_nodes_have_it(code, agent, world):
    """A node that has yet to switch answers for style.css?ver=NEW with the old content, which the edge would keep for a year."""
    agent.step()
    agent._purge_at = 0.0  # the first copy is boot's
    spool = agent.run_dir / "purge"
    spool.mkdir()
    agent.step()
    assert agent._purge_at == 0.0 and not list(spool.iterdir()), "nothing was switched"
    world.write("wp-content/plugins/a/style.css", "a2")
    world.mark("g1")
    agent.step()
    agent.step()
    assert not list(spool.iterdir()), "other nodes may not have it yet"
    agent._purge_at -= code.agent.FLEET_SECONDS
    agent.step()
    agent.step()
    (note,) = spool.iterdir()
    assert note.suffix == ".json" and json.loads(note.read_text()) == {"paths": ["/*"]}
    assert note.stat().st_mode & 0o777 == 0o640


def test_a_copy_that_had_to_wait_is_tried_again(code, agent, world):
    agent.step()
    world.write("wp-content/plugins/a/a.php", "<?php // a2")
    world.mark("g1")
    note = world.state / "changing/one"
    note.touch()
    with pytest.raises(code.node.NotNow):
        agent.step()
    note.unlink()
    agent.step()
    assert world.served() == "<?php // a2"


def test_a_file_brought_by_hand_is_taken_over_when_it_is_quiet(agent, world):
    step(agent)
    world.write("wp-content/plugins/b/b.php", "<?php // half")
    step(agent)
    world.write("wp-content/plugins/b/b.php", "<?php // b1, whole")
    step(agent)
    assert not (world.state / "generation").exists()
    step(agent)
    marker = json.loads((world.state / "generation").read_text())
    assert marker["why"] == "scan"
    assert "wp-content/plugins/b/b.php" in marker["paths"]
    step(agent)
    assert world.served("wp-content/plugins/b/b.php") == "<?php // b1, whole"


@pytest.mark.parametrize("what", ["new file", "removed file", "root file", "core file"])
def test_whatever_was_brought_or_taken_by_hand_is_found(code, agent, world, what):
    step(agent)
    if what == "new file":
        world.write("wp-content/themes/t/t.php", "<?php // t1")
    elif what == "removed file":
        (world.site / "wp-content/plugins/a/a.php").unlink()
    elif what == "root file":
        (world.site / "index.php").unlink()
    else:
        world.write("wp-includes/version.php", "<?php // version 2")
    for _second in range(code.agent.WHOLE_SCAN_EVERY + 3):
        step(agent)
    if what == "new file":
        assert world.served("wp-content/themes/t/t.php") == "<?php // t1"
    elif what == "removed file":
        assert not (world.live() / "wp-content/plugins/a/a.php").exists()
    elif what == "root file":
        assert not (world.live() / "index.php").exists()
    else:
        assert world.served("wp-includes/version.php") == "<?php // version 2"


def test_a_difference_anywhere_has_everything_looked_at_before_it_is_told(agent, world):
    """A WordPress brought by hand is taken over as a whole, its wp-includes too, which is looked at seldom."""
    step(agent)
    world.write("index.php", "<?php // index 2")
    world.write("wp-includes/version.php", "<?php // version 2")
    for _second in range(3):
        step(agent)
    step(agent)
    assert world.served("index.php") == "<?php // index 2"
    assert world.served("wp-includes/version.php") == "<?php // version 2"


def test_data_and_logs_are_no_code(agent, world):
    step(agent)
    world.write("wp-content/uploads/2026/other.jpg", "other")
    world.write("wp-content/debug.log", "line 1, line 2")
    world.write("wp-content/plugins/a/error_log", "line")
    world.write("wp-content/upgrade/x/x.php", "<?php")
    for _second in range(4):
        step(agent)
    marker = world.state / "generation"
    told = json.loads(marker.read_text())["paths"] if marker.exists() else []
    assert told in ([], ["wp-content/plugins/a/error_log"])  # a new log is a new link, its lines are not
    world.write("wp-content/plugins/a/error_log", "line 1, line 2")
    before = world.live()
    for _second in range(4):
        step(agent)
    assert world.live() == before


def test_one_node_scans_for_all(code, agent, world, opcache):
    step(agent)
    other = code.agent.Agent(world.config, "replica")
    other.node.opcache = opcache
    assert agent.scanner.elected()
    assert not other.scanner.elected()
    os.close(agent.scanner._lock)  # its node died
    assert other.scanner.elected()


def test_no_scan_tells_of_what_wordpress_is_changing(agent, world):
    step(agent)
    (world.state / "changing/one").touch()
    world.write("wp-content/plugins/a/a.php", "<?php // half")
    for _second in range(4):
        step(agent)
    assert not (world.state / "generation").exists()


def test_a_scan_never_overwrites_a_marker_it_does_not_know(agent, world):
    agent.step()
    world.mark("g1")
    assert agent.node.mark(["x"], "scan", "") == ""
    assert json.loads((world.state / "generation").read_text())["generation"] == "g1"


def test_why_nothing_moves_is_said_once_and_kept(agent, world, capsys):
    agent.step()
    agent.tell("")
    state = world.base / "run/code.json"
    assert json.loads(state.read_text())["tree"] == world.live().name
    for _second in range(3):
        agent.tell("the shared files are away")
    agent.tell("")
    said = [line for line in capsys.readouterr().out.splitlines() if "waiting" in line or "going on" in line]
    assert said == ["code: waiting: the shared files are away", "code: going on"]
    assert json.loads(state.read_text())["waiting"] == ""


def test_an_error_of_the_shared_files_ends_nothing(agent, world, monkeypatch):
    agent.step()
    live, calls = world.live(), []

    def broken(name):
        calls.append(name)
        if len(calls) == 2:
            agent.stopping = True
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(agent.node, "seen", broken)
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    agent.run()
    assert calls == ["generation", "generation"]
    assert world.live() == live
    assert "Input/output error" in json.loads((world.base / "run/code.json").read_text())["waiting"]


def test_in_mode_efs_nothing_is_copied(code, world, opcache):
    agent = code.agent.Agent(world.config, "efs")
    agent.node.opcache = opcache
    world.mark("g1")
    agent.step()
    assert world.live() == world.site
    assert not (world.base / "trees").exists()
