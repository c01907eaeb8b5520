# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a node follows the shared files: what it copies, when it switches and when not, what it compiles before (P16)."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import time

import pytest


def test_a_copy_has_the_code_and_links_to_the_data(world, node):
    assert node.follow()
    tree = world.live()
    assert tree.parent == world.base / "trees"
    for path in ("wp-config.php", "wp-admin/admin.php", "wp-content/object-cache.php", "wp-content/plugins/a/a.php"):
        assert not (tree / path).is_symlink()
        assert (tree / path).read_text() == (world.site / path).read_text()
    for path in ("wp-content/uploads", "wp-content/cache", "wp-content/debug.log"):
        assert os.readlink(tree / path) == str(world.site / path)
    assert not (tree / "wp-content/upgrade").exists()


def test_a_copy_keeps_times_and_is_not_for_php_to_write(world, node):
    shutil.rmtree(world.site / "wp-content/uploads")
    umask = os.umask(0o077)  # the boot agent's
    os.utime(world.site / "index.php", ns=(10**18, 10**18 + 7))
    (world.site / "wp-content/plugins/a/style.css").chmod(0o660)
    try:
        with node.trees.lock():
            node.follow()
    finally:
        os.umask(umask)
    seen = (world.live() / "index.php").stat()
    assert seen.st_mtime_ns == 10**18 + 7
    assert (seen.st_uid, stat.S_IMODE(seen.st_mode)) == (os.getuid(), 0o644)
    assert stat.S_IMODE((world.live() / "wp-content/plugins/a/style.css").stat().st_mode) == 0o640
    for folder in (world.live() / "wp-content", world.live(), world.base / "trees", world.site / "wp-content/uploads"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_a_site_without_uploads_gets_the_folder_that_the_link_names(world, node):
    shutil.rmtree(world.site / "wp-content/uploads")
    node.follow()
    (world.live() / "wp-content/uploads/2026").mkdir()
    assert (world.site / "wp-content/uploads/2026").is_dir()


def test_nothing_happens_while_the_marker_stays(world, node):
    node.follow()
    world.write("wp-content/plugins/a/a.php", "<?php // half a change")
    assert not node.follow()
    assert world.served() == "<?php // a1"


def test_a_new_generation_is_a_new_tree_and_unchanged_files_are_links(world, node):
    node.follow()
    old = world.live()
    world.write("wp-content/plugins/a/a.php", "<?php // a2")
    world.mark("g1")
    assert node.follow()
    assert world.live() != old
    assert world.served() == "<?php // a2"
    assert (old / "wp-content/plugins/a/a.php").read_text() == "<?php // a1"
    assert (old / "index.php").stat().st_ino == (world.live() / "index.php").stat().st_ino


def test_files_and_folders_that_went_or_became_another_kind(world, node):
    node.follow()
    (world.site / "wp-content/plugins/a/style.css").unlink()
    (world.site / "wp-content/plugins/a/style.css").mkdir()
    world.write("wp-content/plugins/a/style.css/x.css", "x")
    shutil.rmtree(world.site / "wp-admin")
    world.write("wp-admin", "a file")
    (world.site / "wp-content/plugins/a/link.php").symlink_to("a.php")
    world.mark("g1")
    node.follow()
    assert (world.live() / "wp-content/plugins/a/style.css/x.css").read_text() == "x"
    assert (world.live() / "wp-admin").read_text() == "a file"
    assert os.readlink(world.live() / "wp-content/plugins/a/link.php") == "a.php"


def test_with_the_paths_of_the_very_next_generation_only_they_are_looked_at(world, node):
    world.mark("g0")
    node.follow()
    world.write("wp-content/plugins/a/a.php", "<?php // a2")
    world.write("wp-content/plugins/b/inc/b.php", "<?php // b1")
    world.write("index.php", "<?php // unannounced")
    world.mark("g1", ["wp-content/plugins/a", "wp-content/plugins/b/inc"], "g0")
    node.follow()
    assert world.served() == "<?php // a2"
    assert world.served("wp-content/plugins/b/inc/b.php") == "<?php // b1"
    assert world.served("index.php") == "<?php // index"


@pytest.mark.parametrize("previous", ["", "another"])
def test_after_a_missed_generation_everything_is_looked_at(world, node, previous):
    world.mark("g0")
    node.follow()
    world.write("index.php", "<?php // of the missed generation")
    world.mark("g2", ["wp-content/plugins/a"], previous)
    node.follow()
    assert world.served("index.php") == "<?php // of the missed generation"


@pytest.mark.parametrize("path", ["../secret", "/etc", "wp-content/../../secret", ""])
def test_paths_that_lead_out_are_not_followed(world, node, path):
    (world.base / "shared/secret").write_text("secret")
    world.mark("g0")
    node.follow()
    world.write("index.php", "<?php // i2")
    world.mark("g1", [path], "g0")
    node.follow()
    assert world.served("index.php") == "<?php // i2"  # all was looked at
    assert not any(file.name == "secret" for file in world.live().rglob("*"))


def test_a_removed_plugin_goes_with_its_paths(world, node):
    world.mark("g0")
    node.follow()
    shutil.rmtree(world.site / "wp-content/plugins/a")
    world.mark("g1", ["wp-content/plugins/a"], "g0")
    node.follow()
    assert not (world.live() / "wp-content/plugins/a").exists()


def test_no_switch_while_code_is_being_changed(code, world, node):
    node.follow()
    world.mark("g1")
    world.write("wp-content/plugins/a/a.php", "<?php // a2")
    note = world.state / "changing/one"
    note.touch()
    with pytest.raises(code.node.NotNow, match="a change of code is under way: one"):
        node.follow()
    assert world.served() == "<?php // a1"
    long_ago = time.time() - code.node.CHANGE_SECONDS - 1
    os.utime(note, (long_ago, long_ago))  # it died
    assert node.follow()
    assert world.served() == "<?php // a2"


@pytest.mark.parametrize("late", ["mark", "change"])
def test_a_change_during_the_copy_stops_the_switch(code, world, node, monkeypatch, late):
    node.follow()
    old = world.live()
    world.write("wp-content/plugins/a/a.php", "<?php // a2")
    world.mark("g1")
    build = node.trees.build

    def slowly(*arguments):
        tree = build(*arguments)
        world.mark("g2") if late == "mark" else (world.state / "changing/two").touch()
        return tree

    monkeypatch.setattr(node.trees, "build", slowly)
    with pytest.raises(code.node.NotNow, match="changed again"):
        node.follow()
    assert world.live() == old
    monkeypatch.setattr(node.trees, "build", build)
    (world.state / "changing/two").unlink(missing_ok=True)
    assert node.follow()
    assert world.served() == "<?php // a2"
    node.retired = dict.fromkeys(node.retired, time.monotonic() - 1000)
    node.tidy()
    assert len(world.trees()) <= 2


def test_a_file_that_moves_under_the_copy_is_never_half_copied(code, world, node, monkeypatch):
    node.follow()
    world.write("wp-content/plugins/a/a.php", "<?php // a2")
    world.mark("g1")
    entries = node.site.entries

    def then_moved():
        found = entries()
        world.write("wp-content/plugins/a/a.php", "<?php // a3, longer")
        return found

    monkeypatch.setattr(node.site, "entries", then_moved)
    with pytest.raises(code.node.Moving):
        node.follow()
    assert world.served() == "<?php // a1"
    monkeypatch.setattr(node.site, "entries", entries)
    assert node.trees.clean()  # what the failed copy left
    assert node.follow()
    assert world.served() == "<?php // a3, longer"


def test_shared_files_that_are_away_take_nothing_away(code, world, node):
    node.follow()
    world.mark("g1")
    (world.base / "shared/site").rename(world.base / "shared/elsewhere")
    (world.base / "shared/site").mkdir()
    with pytest.raises(code.node.NotNow, match="holds no WordPress"):
        node.follow()
    assert world.served() == "<?php // a1"


def test_a_marker_that_makes_no_sense_is_said(code, world, node):
    (world.state / "generation").write_text("{")
    with pytest.raises(code.node.NotNow, match="is no JSON"):
        node.follow()


def test_a_generation_without_a_difference_switches_nothing(world, node):
    node.follow()
    live = world.live()
    world.mark("g1")
    assert not node.follow()
    assert world.live() == live
    assert node.live().generation == "g1"
    assert not node.follow()


def test_a_copy_of_another_boot_counts_only_if_it_was_flushed(code, world, node, monkeypatch):
    node.follow()
    name = world.live().name
    monkeypatch.setattr(code.trees, "boot", lambda: "the next one")
    assert node.trees.manifest(name) is None
    monkeypatch.undo()
    node.trees.flush()
    monkeypatch.setattr(code.trees, "boot", lambda: "the next one")
    assert node.trees.manifest(name) is not None


def test_what_a_killed_copy_left_is_removed(world, node):
    node.follow()
    (world.base / "trees/20260101T000000-000000001/wp-admin").mkdir(parents=True)
    assert node.trees.clean() == ["20260101T000000-000000001"]
    assert world.trees() == [world.live()]


def test_a_full_disk_is_said_and_switches_nothing(code, world, node, monkeypatch):
    node.follow()
    world.write("wp-content/plugins/a/a.php", "<?php // a2")
    world.mark("g1")
    monkeypatch.setattr(code.trees, "SPARE_BYTES", 1 << 60)
    with pytest.raises(code.trees.NoSpace):
        node.follow()
    assert world.served() == "<?php // a1"


def test_a_file_that_php_may_not_read_is_left_out_and_holds_nobody_up(world, node, monkeypatch):
    read = node.site.read

    def refused(path, entry):
        if path == "index.php":
            raise PermissionError(13, "Permission denied", path)
        return read(path, entry)

    monkeypatch.setattr(node.site, "read", refused)
    node.follow()
    world.write("wp-content/plugins/a/a.php", "<?php // a2")
    world.mark("g1")
    assert node.follow()
    assert world.served() == "<?php // a2"
    assert not (world.live() / "index.php").exists()
    world.mark("g2")
    assert not node.follow()  # it is no difference either


# --- OPcache ---


def test_what_runs_is_compiled_before_the_switch(world, node, opcache):
    """A cold page is seven times slower."""
    node.follow()
    opcache.cached[str(world.live())] = {"index.php", "wp-content/plugins/a/a.php"}
    world.write("wp-content/plugins/a/a.php", "<?php // a2")
    world.write("wp-content/plugins/b/b.php", "<?php // b1")
    world.mark("g1")
    compiled_at = []
    compile_files = opcache.compile

    def watched(folder, files, patience):
        compiled_at.append(world.served())
        return compile_files(folder, files, patience)

    opcache.compile = watched
    node.follow()
    assert compiled_at == ["<?php // a1"]  # not live yet
    assert opcache.cached[str(world.live())] == {
        "index.php",
        "wp-content/plugins/a/a.php",
        "wp-content/plugins/b/b.php",
    }


def test_a_silent_php_does_not_stop_the_switch(world, node, opcache):
    node.follow()
    opcache.broken = True
    world.write("wp-content/plugins/a/a.php", "<?php // a2")
    world.mark("g1")
    assert node.follow()
    assert world.served() == "<?php // a2"


def test_a_full_opcache_is_emptied_before_the_next_tree_is_compiled(world, node, opcache):
    node.follow()
    opcache.cached[str(world.live())] = {"index.php", "wp-config.php"}
    opcache.free = 1 << 10
    world.write("wp-content/plugins/a/a.php", "<?php // a2")
    world.mark("g1")
    node.follow()
    assert "reset" in opcache.asked
    assert {"index.php", "wp-config.php"} <= opcache.cached[str(world.live())]


def test_a_tree_at_rest_becomes_the_next_one_and_opcache_forgets_what_differs(code, world, node, opcache, monkeypatch):
    node.follow()
    first = world.live()
    for version in ("a2", "a3"):
        opcache.cached[str(world.live())] = {"index.php", "wp-content/plugins/a/a.php"}
        world.write("wp-content/plugins/a/a.php", f"<?php // {version}")
        world.mark(version)
        node.retired = {name: at - code.node.REST_SECONDS for name, at in node.retired.items()}
        node.follow()
    assert world.live() == first
    assert world.served() == "<?php // a3"
    assert opcache.asked.count("forget") == 1


def test_a_tree_that_was_live_a_minute_ago_is_left_alone(world, node):
    node.follow()
    first = world.live()
    for version in ("a2", "a3"):
        world.write("wp-content/plugins/a/a.php", f"<?php // {version}")
        world.mark(version)
        node.follow()
    assert world.live() != first
    assert (first / "wp-content/plugins/a/a.php").read_text() == "<?php // a1"


def test_old_trees_go_when_no_request_can_run_in_them(world, node, opcache):
    node.follow()
    for version in ("a2", "a3", "a4"):
        world.write("wp-content/plugins/a/a.php", f"<?php // {version}")
        world.mark(version)
        node.follow()
    node.tidy()
    assert len(world.trees()) == 4
    node.retired = {name: at - node.hold for name, at in node.retired.items()}
    node.tidy()
    assert len(world.trees()) == 2
    assert world.served() == "<?php // a4"


def test_a_tree_that_a_long_program_holds_stays_as_it_is(code, world, node):
    """WordPress's due events may take longer than any request."""
    node.follow()
    first = world.live()
    held = os.open(first, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_SH)
        for version in ("a2", "a3", "a4", "a5"):
            world.write("wp-content/plugins/a/a.php", f"<?php // {version}")
            world.mark(version)
            node.follow()
            node.retired = {name: at - code.node.REST_SECONDS for name, at in node.retired.items()}
            node.tidy()
        assert (first / "wp-content/plugins/a/a.php").read_text() == "<?php // a1"
    finally:
        os.close(held)
    node.tidy()
    assert len(world.trees()) == 2


def test_what_ran_is_compiled_at_the_next_boot(world, node, opcache):
    node.follow()
    opcache.cached[str(world.live())] = {"index.php", "wp-content/plugins/a/a.php"}
    node.remember()
    opcache.cached.clear()
    (world.base / "trees/warm.json").write_text(
        (world.base / "trees/warm.json").read_text().replace("]", ', "../x.php", "gone.php"]')
    )
    node.warm_at_boot()
    assert opcache.cached[str(world.live())] == {"index.php", "wp-content/plugins/a/a.php"}


def test_compressed_neighbours_come_along_with_what_is_unchanged(world, node):
    def compress(root, paths):
        made = {path: [f"{path}.gz"] for path in paths if path.endswith(".css")}
        for path in made:
            (root / f"{path}.gz").write_text(f"compressed {(root / path).read_text()}")
        return made

    node.trees.precompress = compress
    node.follow()
    world.write("wp-content/plugins/a/a.php", "<?php // a2")
    world.mark("g1")
    node.follow()
    assert world.served("wp-content/plugins/a/style.css.gz") == "compressed a1"
    world.write("wp-content/plugins/a/style.css", "a2")
    world.mark("g2")
    node.follow()
    assert world.served("wp-content/plugins/a/style.css.gz") == "compressed a2"
    (world.site / "wp-content/plugins/a/style.css").unlink()
    world.mark("g3")
    node.follow()
    assert not (world.live() / "wp-content/plugins/a/style.css.gz").exists()
