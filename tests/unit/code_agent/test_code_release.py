# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mode `release`: an archive becomes a tree, another one or an earlier one takes its place, and no archive reaches out of it."""

from __future__ import annotations

import io
import json
import os
import tarfile
import time

import pytest


def pack(world, name: str, files: dict[str, str], links: dict[str, str] | None = None, prefix: str = "") -> None:
    with tarfile.open(world.state / f"releases/{name}.tar.gz", "w:gz") as tar:
        for path, content in files.items():
            info = tarfile.TarInfo(prefix + path)
            info.size, info.mtime = len(content), 1_700_000_000
            tar.addfile(info, io.BytesIO(content.encode()))
        for path, target in (links or {}).items():
            info = tarfile.TarInfo(prefix + path)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)


def site(version: str) -> dict[str, str]:
    return {"wp-includes/version.php": "<?php // r", "wp-content/plugins/a/a.php": f"<?php // {version}"}


def run(world, name: str) -> None:
    (world.state / "release").write_text(json.dumps({"id": name, "previous": []}))


@pytest.fixture
def release_agent(code, world, opcache):
    made = code.agent.Agent(world.config, "release")
    made.node.opcache = opcache
    made.node.trees.precompress = None
    return made


@pytest.mark.parametrize("prefix", ["", "./", "site-1.0/"])
def test_an_archive_becomes_the_live_tree(world, release_agent, prefix):
    pack(world, "r1", site("r1"), prefix=prefix)
    run(world, "r1")
    release_agent.step()
    assert world.served() == "<?php // r1"
    assert world.live().parent == world.base / "trees"
    assert (world.live() / "wp-content/plugins/a/a.php").stat().st_mtime == 1_700_000_000


def test_it_gets_what_is_ours_and_the_shared_data(world, release_agent):
    world.write("wp-content/mu-plugins/wordpress-ha-code.php", "<?php // ours")
    world.write("wp-content/mu-plugins/other.php", "<?php // theirs")
    pack(world, "r1", site("r1"))
    run(world, "r1")
    release_agent.step()
    assert world.served("wp-config.php") == "<?php // config"
    assert world.served("wp-content/object-cache.php") == "<?php // drop-in"
    assert world.served("wp-content/mu-plugins/wordpress-ha-code.php") == "<?php // ours"
    assert not (world.live() / "wp-content/mu-plugins/other.php").exists()
    assert not (world.live() / "wp-admin").exists()
    assert os.readlink(world.live() / "wp-content/uploads") == str(world.site / "wp-content/uploads")


@pytest.mark.parametrize(
    ("brings", "served"), [({}, "<?php // ours"), ({"wp-content/db.php": "<?php // HyperDB"}, "<?php // HyperDB")]
)
def test_it_gets_our_database_drop_in_unless_it_brings_its_own(world, release_agent, brings, served):
    world.write("wp-content/db.php", "<?php // ours")
    pack(world, "r1", site("r1") | brings)
    run(world, "r1")
    release_agent.step()
    assert world.served("wp-content/db.php") == served


def test_the_next_release_and_back_again(world, release_agent):
    for name in ("r1", "r2"):
        pack(world, name, site(name))
        run(world, name)
        release_agent.step()
        assert world.served() == f"<?php // {name}"
    second = world.live()
    (world.state / "releases/r1.tar.gz").unlink()  # the node has it unpacked
    run(world, "r1")
    release_agent.step()
    assert world.served() == "<?php // r1"
    run(world, "r2")
    release_agent.step()
    assert world.live() == second


def test_a_node_keeps_as_many_releases_as_it_is_told(world, release_agent):
    for name in ("r1", "r2", "r3", "r4"):
        pack(world, name, site(name))
        run(world, name)
        release_agent.step()
    node = release_agent.node
    node.tidy()
    node.retired = {name: at - node.hold for name, at in node.retired.items()}
    node.tidy()
    assert [node.trees.manifest(tree.name).release for tree in world.trees()] == ["r3", "r4"]


def test_changes_of_the_shared_site_are_none_of_a_release(world, release_agent):
    pack(world, "r1", site("r1"))
    run(world, "r1")
    release_agent.step()
    world.write("wp-content/plugins/a/a.php", "<?php // changed by hand")
    world.mark("g1")
    release_agent.step()
    assert world.served() == "<?php // r1"


def test_before_the_first_release_the_shared_site_is_run(world, release_agent):
    release_agent.step()
    assert world.served() == "<?php // a1"


@pytest.mark.parametrize("broken", ["absent", "no archive", "cut", "no WordPress"])
def test_a_broken_release_takes_nothing_away(code, world, release_agent, broken):
    pack(world, "r1", site("r1"))
    run(world, "r1")
    release_agent.step()
    path = world.state / "releases/r2.tar.gz"
    if broken == "no archive":
        path.write_text("no archive")
    elif broken == "cut":
        pack(world, "r2", site("r2") | {"big.php": os.urandom(50_000).hex()})
        path.write_bytes(path.read_bytes()[:-20_000])
    elif broken == "no WordPress":
        pack(world, "r2", {"readme": "x"})
    run(world, "r2")
    with pytest.raises(code.node.NotNow, match=r"r2\.tar\.gz"):
        release_agent.step()
    assert world.served() == "<?php // r1"
    pack(world, "r2", site("r2"))
    release_agent.step()
    assert world.served() == "<?php // r2"


@pytest.mark.parametrize("name", ["../../etc", "a/b", ".hidden", "x" * 65])
def test_a_release_with_a_name_that_leads_elsewhere_is_refused(code, world, release_agent, name):
    release_agent.step()
    run(world, name)
    with pytest.raises(code.node.NotNow, match="a name that none can have"):
        release_agent.step()


def test_nothing_in_an_archive_leaves_the_tree(world, release_agent):
    (world.base / "secret").write_text("secret")
    pack(
        world,
        "r1",
        site("r1") | {"../outside.php": "x", "/etc/outside": "x", "wp-content/uploads/x.php": "x", "dir/f.php": "x"},
        {
            "absolute": str(world.base / "secret"),
            "climbing": "../../secret",
            "inside.php": "wp-content/plugins/a/a.php",
            "dir": "wp-content",
        },
    )
    run(world, "r1")
    release_agent.step()
    tree = world.live()
    assert (tree / "inside.php").read_text() == "<?php // r1"
    assert not os.path.lexists(tree / "absolute")
    assert not os.path.lexists(tree / "climbing")
    assert not (world.base / "trees/outside.php").exists()
    assert not (world.site / "wp-content/uploads/x.php").exists()
    assert not (tree / "wp-content/f.php").exists()


def test_switching_the_mode_back_follows_the_shared_site(code, world, release_agent, opcache):
    pack(world, "r1", site("r1"))
    run(world, "r1")
    release_agent.step()
    back = code.agent.Agent(world.config, "replica")
    back.node.opcache = opcache
    back.node.trees.precompress = None
    back.step()
    assert world.served() == "<?php // a1"
    assert time.monotonic() > 0
