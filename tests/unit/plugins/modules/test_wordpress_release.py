# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases: put together once from what is code, known by their content, kept to go back to, and refused with the cure."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _release, _site_code

CORE = {"index.php": "core", "wp-includes/version.php": "7.1", "wp-content/index.php": "silence"}
SITE = {
    **CORE,
    "wp-config.php": "stub",
    "wp-content/object-cache.php": "ours",
    "wp-content/mu-plugins/wordpress-ha-code.php": "ours",
    "wp-content/mu-plugins/theirs.php": "theirs",
    "wp-content/plugins/shop/shop.php": "1",
    "wp-content/plugins/shop/debug.log": "noise",
    "wp-content/themes/plain/style.css": "body {}",
    "wp-content/languages/de_DE.mo": "ja",
    "wp-content/uploads/2026/photo.jpg": "photo",
    "wp-content/cache/page.html": "page",
    "wp-content/upgrade/half/half.php": "half",
    ".maintenance": "now",
}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def tar(path: Path, files: dict[str, str], prefix: str = "") -> Path:
    with tarfile.open(path, "w:gz") as made:
        for name, content in files.items():
            member = tarfile.TarInfo(prefix + name)
            member.size, member.mtime = len(content), 1_700_000_000
            made.addfile(member, io.BytesIO(content.encode()))
    return path


def held(releases: _release.Releases) -> dict[str, str]:
    """Return what the release that runs holds."""
    with tarfile.open(releases.state.artifact(releases.state.release())) as opened:
        return {name: opened.extractfile(name).read().decode() for name in opened.getnames()}  # type: ignore[union-attr]


@pytest.fixture
def releases(tmp_path) -> Any:
    write(tmp_path / "shared/site", SITE)
    state = _site_code.State(tmp_path / "shared/state", lambda _path: None)
    state.create()
    return _release.Releases(state, tmp_path / "shared/site", lambda _path: None, keep=3)


def deploy(releases: Any, archive: Path, core: Path) -> str:
    releases.deploy(archive, core, _site_code.digest(archive))
    return releases.state.release()


def test_the_first_release_is_the_shared_sites_code(releases):
    releases.make()
    found = held(releases)
    name = releases.state.release()
    assert found.pop(_site_code.RELEASE_NOTE) == f"{name}\n" and name.startswith("shared-")
    assert sorted(found) == [
        "index.php",
        "wp-content/index.php",
        "wp-content/languages/de_DE.mo",
        "wp-content/mu-plugins/theirs.php",
        "wp-content/plugins/shop/shop.php",
        "wp-content/themes/plain/style.css",
        "wp-includes/version.php",
    ]


@pytest.mark.parametrize(("content", "packed"), [("Plugin Name: WordPress HA database", False), ("HyperDB", True)])
def test_only_our_own_database_drop_in_is_left_to_the_machines(releases, tmp_path, content, packed):
    deploy(releases, tar(tmp_path / "a.tar.gz", {**SITE, "wp-content/db.php": content}), tmp_path)
    assert ("wp-content/db.php" in held(releases)) is packed


@pytest.mark.parametrize("prefix", ["", "wordpress/"])
def test_a_complete_site_is_taken_without_its_data(releases, tmp_path, prefix):
    archive = tar(tmp_path / "a.tar.gz", SITE, prefix)
    deploy(releases, archive, tmp_path / "no core is needed")
    assert "wp-content/plugins/shop/shop.php" in held(releases)
    assert not [name for name in held(releases) if "uploads" in name or "cache/" in name or name.startswith(".main")]


def test_wp_content_alone_is_laid_over_the_machines_wordpress(releases, tmp_path):
    core = write(tmp_path / "core", {**CORE, "wp-content/plugins/hello.php": "of WordPress"})
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("wp-content/plugins/shop/shop.php", "2")
    deploy(releases, archive, core)
    found = held(releases)
    assert found["wp-content/plugins/shop/shop.php"] == "2" and found["wp-includes/version.php"] == "7.1"
    assert "wp-content/plugins/hello.php" not in found
    assert found["wp-content/languages/de_DE.mo"] == "ja"  # what was translated stays


def test_times_survive_so_that_nodes_copy_only_what_differs(releases, tmp_path):
    deploy(releases, tar(tmp_path / "a.tar.gz", SITE), tmp_path)
    with tarfile.open(releases.state.artifact(releases.state.release())) as opened:
        assert opened.getmember("index.php").mtime == 1_700_000_000


def test_the_same_archive_is_the_same_release(releases, tmp_path):
    archive = tar(tmp_path / "a.tar.gz", SITE)
    name = deploy(releases, archive, tmp_path)
    before = releases.state.artifact(name).stat().st_mtime_ns
    other = deploy(releases, tar(tmp_path / "b.tar.gz", {**SITE, "index.php": "other"}), tmp_path)
    assert other != name
    assert deploy(releases, archive, tmp_path) == name
    assert releases.state.artifact(name).stat().st_mtime_ns == before


def test_going_back(releases, tmp_path):
    names = [
        deploy(releases, tar(tmp_path / f"{number}.tar.gz", {**SITE, "index.php": str(number)}), tmp_path)
        for number in range(4)
    ]
    kept = {path.name.removesuffix(".tar.gz") for path in (tmp_path / "shared/state/releases").iterdir()}
    assert kept == set(names[1:]), "the last three are kept"
    assert releases.target_of_roll_back("") == names[2]
    releases.state.switch(names[2], 3)
    assert releases.state.release() == names[2]
    assert releases.target_of_roll_back("") == names[3]  # back and forth between two
    assert releases.target_of_roll_back(names[1]) == names[1]
    with pytest.raises(_site_code.NoRelease, match=f"no release {names[0]} any more. Kept are: .*{names[1]}"):
        releases.target_of_roll_back(names[0])


def test_nothing_to_go_back_to(releases):
    with pytest.raises(_site_code.NoRelease, match="no release before the first one"):
        releases.target_of_roll_back("")


def test_restoring_gives_the_shared_site_what_runs_and_touches_no_data(releases, tmp_path):
    files = {name: content for name, content in SITE.items() if "shop" not in name}
    deploy(releases, tar(tmp_path / "a.tar.gz", {**files, "wp-content/plugins/cart/cart.php": "new"}), tmp_path)
    (tmp_path / "shared/site/proof-of-ownership.html").write_text("mine")
    before = releases.state.read("generation")["generation"]
    releases.restore()
    site = tmp_path / "shared/site"
    assert (site / "wp-content/plugins/cart/cart.php").read_text() == "new"
    assert not (site / "wp-content/plugins/shop/shop.php").exists()
    for kept in ("wp-content/uploads/2026/photo.jpg", "wp-config.php", "proof-of-ownership.html"):
        assert (site / kept).is_file(), kept
    assert (site / "wp-content/mu-plugins/wordpress-ha-code.php").read_text() == "ours"
    assert not (site / _site_code.RELEASE_NOTE).exists()
    assert releases.state.release() == ""
    assert releases.state.read("generation")["previous"] == before


@pytest.mark.parametrize(
    ("member", "cure"),
    [
        ({"name": "../evil.php"}, "leads out of it"),
        ({"name": "/etc/cron.d/evil"}, "leads out of it"),
        ({"name": "wp-content/a.php", "type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "tar --dereference"),
        ({"name": "wp-content/a.php", "type": tarfile.LNKTYPE, "linkname": "../x"}, "tar --dereference"),
        ({"name": "wp-content/a.php", "type": tarfile.BLKTYPE}, "a link or a device"),
    ],
)
def test_an_archive_that_leads_out_of_itself_is_refused(releases, tmp_path, member, cure):
    with tarfile.open(tmp_path / "a.tar", "w") as made:
        info = tarfile.TarInfo(member.pop("name"))
        for name, value in member.items():
            setattr(info, name, value)
        made.addfile(info)
    with pytest.raises(_site_code.NoRelease, match=cure):
        deploy(releases, tmp_path / "a.tar", tmp_path)
    assert releases.state.release() == "" and not (tmp_path / "evil.php").exists()


def test_what_is_no_site_is_refused(releases, tmp_path):
    with pytest.raises(_site_code.NoRelease, match=r"neither wp-includes/version\.php nor wp-content"):
        deploy(releases, tar(tmp_path / "a.tar.gz", {"shop.php": "a plugin alone"}), tmp_path)
    (tmp_path / "b.tar.gz").write_text("no archive")
    with pytest.raises(_site_code.NoRelease, match="neither a tar nor a zip archive"):
        deploy(releases, tmp_path / "b.tar.gz", tmp_path)


def test_scratch_folders_are_left_nowhere(releases, tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(_release, "folder_for_releases", lambda: str(tmp_path / "scratch"))
    releases.make()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_equal_files_are_not_written_again(tmp_path):
    source, target = write(tmp_path / "a", CORE), tmp_path / "b"
    _site_code.copy_files(source, target, _site_code.files_of(source), lambda _path: None)
    inode = (target / "index.php").stat().st_ino
    os.utime(source / "wp-content/index.php", (1, 1))
    _site_code.copy_files(source, target, _site_code.files_of(source), lambda _path: None)
    assert (target / "index.php").stat().st_ino == inode
    assert (target / "wp-content/index.php").stat().st_mtime == 1
