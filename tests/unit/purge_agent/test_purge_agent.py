# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The purge agent: few paths that cover all, one invalidation for what comes together, nothing lost, nothing sent twice."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

SEGMENT = st.text("ab?=%1", min_size=1, max_size=2)
PATH = st.builds(
    lambda segments, end: "/" + "/".join(segments) + end,
    st.lists(SEGMENT, max_size=4),
    st.sampled_from(["", "/", "*", "/*"]),
)


def is_covered(path: str, by: list[str]) -> bool:
    """Whether everything that a path names is named by one of the others."""
    return any(other == path or (other.endswith("*") and path.startswith(other[:-1])) for other in by)


@given(st.sets(PATH, max_size=80))
def test_what_is_collapsed_covers_everything_within_the_bounds(agent, paths):
    """P35."""
    found = agent.collapsed(paths)
    assert all(is_covered(path, found) for path in paths)
    assert len(found) <= agent.MOST_PATHS
    assert sum(path.endswith("*") for path in found) <= agent.MOST_WILDCARDS
    assert agent.collapsed(found) == found
    if agent.fits(agent.without_covered(paths)):
        assert set(found) <= paths  # what fits is not made coarser


@given(st.sets(PATH, max_size=20))
def test_no_path_is_named_twice(agent, paths):
    found = agent.without_covered(paths)
    assert all(is_covered(path, found) for path in paths)
    for path in found:
        assert not is_covered(path, [other for other in found if other != path])


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["/", "/a/", "/a/*", "/a/b/"], ["/", "/a/*"]),
        (["/a*", "/ab", "/a", "/b"], ["/a*", "/b"]),
        (["/*", "/", "/feed/*"], ["/*"]),
        ([f"/tag/{number}/*" for number in range(11)] + ["/"], ["/", "/tag/*"]),
        ([f"/2026/11/22/{number}/*" for number in range(11)] + ["/2026/11/"], ["/2026/11/", "/2026/11/22/*"]),
        ([f"/{number}/*" for number in range(11)], ["/*"]),
        ([f"/page-{number}/" for number in range(31)], ["/*"]),
        ([f"/a/{number}" for number in range(31)], ["/a/*"]),
    ],
)
def test_how_paths_are_collapsed(agent, paths, expected):
    assert agent.collapsed(paths) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b/", "/a/b/"),
        ("/a/*/b", "/a/*"),
        ("/%c3%a4/", "/%c3%a4/"),
        ("/ä b/", "/%C3%A4%20b/"),
        ("/?p=1&x=[2]", "/?p=1&x=[2]"),
        ('/<path>"/', "/%3Cpath%3E%22/"),
        ("a/b", None),
        ("", None),
        (None, None),
        (7, None),
        ("/" + "a" * 3000, None),
    ],
)
def test_which_paths_are_taken(agent, path, expected):
    assert agent.normalised(path) == expected


def test_the_request_that_goes_out(run, spool, edge, cloud, note):
    note("/hello/*", "/")
    assert run() == 0
    assert cloud.looked_up == ["/wordpress_ha/blog/edge/distribution_id"]
    (asked,) = cloud.asked
    assert asked["distribution"] == "EDIST"
    assert asked["paths"] == ["/", "/hello/*"]
    assert asked["reference"].startswith("wordpress_ha/")
    assert list(spool.folder.iterdir()) == []


def test_what_comes_within_a_second_is_one_invalidation(run, agent, cloud, note):
    """Notes of two requests, the second one written while the agent gathers."""
    note("/a/*", "/")
    written = iter([lambda: note("/b/*", "/"), lambda: None])
    run(lambda _seconds: next(written)())
    assert cloud.sent == [["/", "/a/*", "/b/*"]]


def test_what_follows_soon_is_sent_by_the_same_run(run, cloud, note):
    note("/a/*")
    written = iter([lambda: None, lambda: note("/b/*"), lambda: None, lambda: None])
    run(lambda _seconds: next(written)())
    assert cloud.sent == [["/a/*"], ["/b/*"]]


def test_an_empty_spool_asks_nobody(run, cloud):
    assert run(pytest.fail) == 0
    assert cloud.asked == cloud.looked_up == []


def test_the_distribution_is_remembered_for_a_while(run, agent, edge, cloud, note):
    clock = [0.0]
    edge.now = lambda: clock[0]
    for seconds, asked in ((0, 1), (agent.REMEMBERED, 1), (agent.REMEMBERED + 1, 2)):
        clock[0] = seconds
        note("/a/*")
        run()
        assert len(cloud.looked_up) == asked
    assert len(cloud.sent) == 3


@pytest.mark.parametrize("value", [None, "none", "None", ""])
def test_without_an_edge_notes_are_dropped(run, spool, cloud, note, value):
    cloud.parameters = {} if value is None else {"/wordpress_ha/blog/edge/distribution_id": value}
    note("/a/*")
    assert run() == 0
    assert cloud.asked == []
    assert list(spool.folder.iterdir()) == []


def test_a_node_without_aws_learns_the_distribution_from_its_contract(run, edge, cloud, note):
    Path(edge.config["run_dir"], "edge.json").write_text(json.dumps({"distribution_id": "EFILE"}))
    note("/a/*")
    run(of=type(edge)({**edge.config, "source": "file"}))
    assert [asked["distribution"] for asked in cloud.asked] == ["EFILE"]
    assert cloud.looked_up == []


@pytest.mark.parametrize("code", ["TooManyInvalidationsInProgress", "Throttling", "AccessDenied", "InternalError"])
def test_a_refusal_is_tried_again_with_what_came_meanwhile(run, spool, cloud, note, code):
    cloud.answers = [code, code]
    note("/a/*")
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if seconds == 2.0:
            note("/b/*")

    assert run(sleep) == 0
    assert cloud.sent == [["/a/*", "/b/*"]]
    assert waits[1:4:2] == [2.0, 4.0]
    assert list(spool.folder.iterdir()) == []


def test_too_much_in_progress_ends_in_one_path(run, cloud, note):
    cloud.answers = ["TooManyInvalidationsInProgress"] * 3
    note("/a/*", "/b/*")
    run()
    assert [asked["paths"] for asked in cloud.asked] == [["/a/*", "/b/*"]] * 3 + [["/*"]]


def test_the_spool_survives_an_outage_and_the_next_run_sends_it(run, agent, spool, cloud, note):
    cloud.answers = ["ServiceUnavailable"] * 100
    note("/a/*")
    waits: list[float] = []
    assert run(waits.append) == agent.LATER
    assert agent.PATIENCE / 2 < sum(wait for wait in waits if wait > agent.GATHER) <= agent.PATIENCE
    assert [path.suffix for path in spool.folder.iterdir()] == [".claimed"]
    assert not list(spool.folder.glob("*.json")), "systemd would start the agent over and over"
    cloud.answers = []
    note("/b/*")
    assert run() == 0
    assert cloud.sent == [["/a/*", "/b/*"]]


def test_a_lost_answer_makes_no_second_invalidation(run, cloud, note):
    """The same notes have the same caller reference; the same paths noted again have another one."""
    cloud.answers = ["InternalError"]
    note("/a/*")
    run()
    note("/a/*")
    run()
    first, again, another = (asked["reference"] for asked in cloud.asked)
    assert first == again != another


def test_a_distribution_that_is_gone_is_forgotten(run, spool, edge, cloud, note):
    cloud.answers = ["NoSuchDistribution"]
    note("/a/*")
    assert run() == 0
    assert list(spool.folder.iterdir()) == []
    cloud.parameters["/wordpress_ha/blog/edge/distribution_id"] = "ENEW"
    note("/a/*")
    run()
    assert [asked["distribution"] for asked in cloud.asked] == ["EDIST", "ENEW"]


def test_paths_that_cloudfront_does_not_take_become_the_whole_site(run, cloud, note):
    cloud.answers = ["InvalidArgument"]
    note("/a/*")
    run()
    assert cloud.sent == [["/*"]]


@pytest.mark.parametrize("content", ["", "[]", '{"paths": "/a"}', '{"paths": [7, "x", null]}', "\x00", '{"other": 1}'])
def test_a_note_that_is_none_harms_nothing(run, spool, cloud, note, content):
    (spool.folder / "bad.json").write_text(content)
    note("/a/*")
    assert run() == 0
    assert cloud.sent == [["/a/*"]]
    assert list(spool.folder.iterdir()) == []


def test_links_devices_and_huge_files_are_not_read(run, agent, spool, cloud, tmp_path):
    (tmp_path / "outside").write_text('{"paths": ["/secret/"]}')
    (spool.folder / "link.json").symlink_to(tmp_path / "outside")
    os.mkfifo(spool.folder / "pipe.json")
    (spool.folder / "huge.json").write_text(json.dumps({"paths": ["/" + "a" * agent.LARGEST]}))
    assert run() == 0
    assert cloud.asked == []
    assert list(spool.folder.iterdir()) == []
    assert (tmp_path / "outside").exists()


def test_notes_of_yesterday_and_half_written_ones_go(run, agent, spool, cloud, note):
    old, half, young = note("/old/*"), note(name="half.new"), note(name="young.new")
    for path in (old, half):
        os.utime(path, (time.time() - agent.OLDEST - 1,) * 2)
    note("/a/*")
    run()
    assert cloud.sent == [["/a/*"]]
    assert list(spool.folder.iterdir()) == [young]


def test_nothing_secret_is_logged(run, cloud, note, capsys):
    cloud.answers = ["AccessDenied", ""]
    note("/a/*")
    run()
    said = capsys.readouterr().out
    assert "invalidation I2 of 1 paths at EDIST: /a/*" in said
    assert "canary" not in said


def test_a_node_that_is_not_up_yet_waits(run, agent, spool, note, monkeypatch):
    def away(path: str) -> str:
        raise agent.boot_agent.NotYet("instance metadata is away")

    monkeypatch.setattr(agent.boot_agent, "imds", away)
    note("/a/*")
    assert run() == agent.LATER
    assert [path.suffix for path in spool.folder.iterdir()] == [".claimed"]
