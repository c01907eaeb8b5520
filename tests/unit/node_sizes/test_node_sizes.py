# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Laws that the sizes of a node keep, whatever the machine and the site."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

MACHINES = st.tuples(st.integers(448, 786432), st.integers(1, 192))
FILES = st.integers(0, 60000)
MODES = st.sampled_from(["replica", "release", "efs"])
#: What a site of so many PHP files takes with each mode: the figures of the module, written out once more.
COPIES = {"replica": 3, "release": 2, "efs": 1}


@given(machine=MACHINES, files=FILES, mode=MODES, worker=st.integers(16, 512))
def test_everything_together_fits_and_nothing_swaps(node_sizes, machine, files, mode, worker):
    memory, processors = machine
    sizes = node_sizes.plan(memory, processors, files, {"mode": mode, "child_memory_mb": worker})
    taken = (sizes["children"] + sizes["author_children"]) * worker + sizes["opcache_mb"]
    # Two workers and one for authors there must be, however small the machine is.
    assert taken <= memory * 60 // 100 or (sizes["children"] == 2 and sizes["author_children"] == 1)
    assert sizes["opcache_mb"] <= max(64, memory // 4)


@given(machine=MACHINES, files=FILES, mode=MODES)
def test_there_is_always_something_of_everything(node_sizes, machine, files, mode):
    memory, processors = machine
    sizes = node_sizes.plan(memory, processors, files, {"mode": mode})
    assert 2 <= sizes["children"] <= 8 * processors
    assert 1 <= sizes["author_children"] <= 8
    assert sizes["backlog"] == max(16, 2 * sizes["children"]) and sizes["author_backlog"] >= 16
    assert 8 <= sizes["opcache_strings_mb"] <= sizes["opcache_mb"] // 4


@given(machine=MACHINES, files=FILES, mode=MODES)
def test_opcache_has_more_slots_than_all_copies_have_files(node_sizes, machine, files, mode):
    """P17: one and a half times."""
    memory, processors = machine
    slots = node_sizes.plan(memory, processors, files, {"mode": mode})["opcache_files"]
    assert slots in node_sizes.PRIMES
    assert slots >= 1.5 * files * COPIES[mode]


@given(processors=st.integers(1, 64), files=st.integers(1500, 12000), mode=MODES)
def test_on_a_machine_with_room_opcache_holds_every_copy_whole(node_sizes, processors, files, mode):
    """P17, with what was measured: 43,106,768 bytes for 1,512 files, and their strings beside them."""
    sizes = node_sizes.plan(65536, processors, files, {"mode": mode})
    scripts = files * COPIES[mode] * 43_106_768 / 1512 / 2**20
    assert sizes["opcache_mb"] >= scripts + sizes["opcache_strings_mb"]


@given(machine=MACHINES, files=FILES, mode=MODES, more=st.integers(0, 65536))
def test_more_memory_never_makes_anything_smaller(node_sizes, machine, files, mode, more):
    memory, processors = machine
    config = {"mode": mode}
    small = node_sizes.plan(memory, processors, files, config)
    large = node_sizes.plan(memory + more, processors, files, config)
    workers = ("children", "author_children")
    assert large["opcache_mb"] >= small["opcache_mb"]
    if small["opcache_mb"] == large["opcache_mb"]:
        assert all(large[name] >= small[name] - 1 for name in workers)
        assert sum(large[name] for name in workers) >= sum(small[name] for name in workers)


@given(machine=MACHINES, files=FILES)
def test_what_the_operator_says_stands(node_sizes, machine, files):
    memory, processors = machine
    config = {"children": 7, "opcache_memory_mb": 200, "opcache_files": 12345, "mode": "efs"}
    sizes = node_sizes.plan(memory, processors, files, config)
    assert (sizes["children"], sizes["opcache_mb"], sizes["opcache_files"]) == (7, 200, 12345)


def test_a_few_files_more_do_not_make_php_start_anew(node_sizes):
    one = node_sizes.plan(4096, 2, 1600, {"mode": "replica"})
    assert node_sizes.plan(4096, 2, 1605, {"mode": "replica"}) == one


@pytest.mark.parametrize(
    ("memory", "processors", "children", "authors"), [(950, 2, 5, 1), (1900, 2, 13, 2), (7600, 2, 16, 8)]
)
def test_common_machines(node_sizes, memory, processors, children, authors):
    """With WordPress alone, 1,512 files."""
    sizes = node_sizes.plan(memory, processors, 1512, {"mode": "replica"})
    assert (sizes["children"], sizes["author_children"], sizes["opcache_mb"]) == (children, authors, 160)


@pytest.mark.parametrize("mode", ["replica", "release", "efs"])
def test_only_an_immutable_tree_is_not_looked_at(node_sizes, mode):
    """P16."""
    sizes = node_sizes.plan(4096, 2, 1512, {"mode": mode})
    visitors, _section, authors = node_sizes.pool_conf(sizes, mode).partition("[author]\n")
    assert ("opcache.validate_timestamps] = off" in visitors) == (mode != "efs")
    assert "validate_timestamps" not in authors
    assert f"pm.max_children = {sizes['children']}\n" in visitors
    assert f"pm.max_children = {sizes['author_children']}\n" in authors
    assert f"listen.backlog = {sizes['backlog']}\n" in visitors


def test_the_settings_are_those_of_the_plan(node_sizes):
    sizes = node_sizes.plan(4096, 2, 1512, {"mode": "replica"})
    assert node_sizes.ini(sizes).splitlines() == [
        f"opcache.memory_consumption = {sizes['opcache_mb']}",
        f"opcache.interned_strings_buffer = {sizes['opcache_strings_mb']}",
        f"opcache.max_accelerated_files = {sizes['opcache_files']}",
    ]


def test_what_is_counted(node_sizes, tmp_path):
    site = tmp_path / "trees/1"
    for name in (
        "index.php",
        "wp-includes/a.php",
        "wp-content/plugins/p/b.php",
        "wp-content/plugins/p/style.css",
        "wp-content/uploads/2026/evil.php",
        "wp-content/upgrade/half/c.php",
        "wp-content/plugins/p/.git/d.php",
    ):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).touch()
    elsewhere = tmp_path / "shared"
    elsewhere.mkdir()
    (elsewhere / "e.php").touch()
    (site / "wp-content/fonts").symlink_to(elsewhere)
    docroot = tmp_path / "docroot"
    docroot.symlink_to(site)
    assert node_sizes.count_php(docroot) == 3
    assert node_sizes.count_php(tmp_path / "nothing") == 0


def worker(proc, number, title, anonymous):
    (proc / str(number)).mkdir(parents=True)
    (proc / str(number) / "cmdline").write_bytes(title.encode() + b"\0\0\0")
    (proc / str(number) / "status").write_text(
        f"Name:\tphp-fpm8.4\nVmRSS:\t   90000 kB\nRssAnon:\t   {anonymous} kB\nRssFile:\t   1 kB\n"
    )


def test_only_workers_of_the_site_are_measured_and_only_what_is_their_own(node_sizes, tmp_path):
    worker(tmp_path, 10, "php-fpm: pool wordpress", 18228)
    worker(tmp_path, 11, "php-fpm: pool author", 40000)
    worker(tmp_path, 12, "php-fpm: pool health", 99000)
    worker(tmp_path, 13, "php-fpm: master process (/etc/php)", 99000)
    (tmp_path / "14").mkdir()  # it has just ended
    assert sorted(node_sizes.worker_sizes(tmp_path)) == [18228, 40000]


@pytest.mark.parametrize(
    ("sizes", "usual"),
    [([], 0), ([18], 18), ([18, 81], 81), ([18, 18, 18, 81], 18), ([81] + [18] * 15, 18), ([81] * 5 + [18] * 11, 81)],
)
def test_one_worker_that_made_thumbnails_does_not_size_the_pool(node_sizes, sizes, usual):
    assert node_sizes.usual_worker(sizes) == usual


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ([], 64),  # nothing was seen yet
        ([{"worker_kib": 18 * 1024}], 32),  # smaller than is believed
        ([{"worker_kib": 80 * 1024}], 100),  # and a quarter more
        ([{"worker_kib": 40 * 1024}, {"worker_kib": 80 * 1024}], 100),
        ([{"worker_kib": 10**9}], 256),  # PHP itself limits it
        ([{"worker_kib": "much"}], 64),
        (["no object"], 64),
    ],
)
def test_what_was_noted_counts_within_reason(node_sizes, tmp_path, notes, expected):
    paths = [tmp_path / "gone.json"]
    for number, content in enumerate(notes):
        paths.append(tmp_path / f"{number}.json")
        paths[-1].write_text(json.dumps(content))
    assert node_sizes.known_worker_mb(64, 256, *paths) == expected


def test_a_note_grows_and_never_follows_a_link(node_sizes, tmp_path):
    path, foreign = tmp_path / "worker.json", tmp_path / "foreign"
    assert node_sizes.note(path, 20000) and node_sizes.noted(path) == 20000
    assert not node_sizes.note(path, 21000) and node_sizes.noted(path) == 20000
    assert not node_sizes.note(path, 1000)
    assert node_sizes.note(path, 23000) and node_sizes.noted(path) == 23000
    foreign.write_text("mine")
    path.unlink()
    path.symlink_to(foreign)
    assert node_sizes.note(path, 30000)
    assert foreign.read_text() == "mine" and not path.is_symlink()
    (tmp_path / f".worker.json.{os.getpid()}").symlink_to(foreign)
    with pytest.raises(FileExistsError):
        node_sizes.note(path, 90000)
    assert foreign.read_text() == "mine"
