# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looking at the shared files: what a look tells, whose rights count, what is code."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st


def test_a_look_tells_what_the_system_tells(code, tmp_path):
    (tmp_path / "file").write_text("four")
    os.utime(tmp_path / "file", ns=(1, 1_700_000_000_123_456_789))
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link", "."):
        seen, known = code.files.look(str(tmp_path / name)), os.lstat(tmp_path / name)
        assert seen == (
            known.st_mode,
            known.st_size,
            known.st_mtime_ns,
            known.st_ctime_ns,
            known.st_ino,
            known.st_nlink,
        )
    assert code.files.look(str(tmp_path / "absent")) is None
    assert code.files.look(str(tmp_path / "file/below")) is None


def test_without_the_newer_call_a_look_tells_the_same(code, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("four")
    known = code.files.look(str(tmp_path / "file"))
    monkeypatch.setattr(code.files, "_LIBC", object())
    assert code.files.look(str(tmp_path / "file")) == known


@pytest.mark.parametrize(
    ("path", "folder", "role"),
    [
        ("wp-config.php", False, "code"),
        ("wp-content", True, "code"),
        ("wp-content/plugins", True, "code"),
        ("wp-content/plugins/a/cache", True, "code"),
        ("wp-content/languages/de_DE.mo", False, "code"),
        ("wp-content/object-cache.php", False, "code"),
        ("wp-content/uploads", True, "data"),
        ("wp-content/w3tc-config", True, "data"),
        ("wp-content/debug.log", False, "data"),
        ("wp-content/upgrade", True, "none"),
        ("wp-content/upgrade-temp-backup", True, "none"),
        (".git", True, "none"),
        ("wp-content/plugins/a/.nfs000001", False, "none"),
        ("shop/wp-content/uploads", True, "code"),
    ],
)
def test_what_is_code(code, path, folder, role):
    assert code.files.role_of(path, folder) == role


@given(
    st.dictionaries(st.text("ab/", min_size=1, max_size=5), st.integers(0, 2)),
    st.dictionaries(st.text("ab/"), st.integers(0, 2)),
)
def test_differing_is_what_it_says(old, new):
    import code_files

    one = {path: code_files.Entry("f", size=size) for path, size in old.items()}
    two = {path: code_files.Entry("f", size=size) for path, size in new.items()}
    differ = code_files.differing(one, two)
    assert code_files.differing(one, one) == []
    assert differ == sorted(differ)
    patched = {path: entry for path, entry in one.items() if path not in differ}
    assert patched | {path: two[path] for path in differ if path in two} == two


@pytest.fixture
def secret() -> Iterator[Path]:
    """A file for root alone, in a folder for everybody, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder, "secret.php")
        path.write_text("secret")
        path.chmod(0o600)
        yield path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give away")
def test_files_are_read_with_the_rights_of_phps_user(code, secret):
    """Else a link put in place at the right moment would have root copy what PHP may not read."""
    go, read = threading.Event(), []
    other = threading.Thread(target=lambda: go.wait(5) and read.append(secret.read_text()))
    other.start()
    with code.files.Reader(65534, 65534).rights():
        with pytest.raises(PermissionError):
            secret.read_text()
        go.set()
        other.join()
    assert read == ["secret"]  # the rights of another thread are its own
    assert secret.read_text() == "secret"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give away")
def test_what_php_may_not_read_is_not_copied(code, secret):
    with ThreadPoolExecutor(2) as threads:
        site = code.files.Site(str(secret.parent), code.files.Reader(65534, 65534), threads)
        entry = site.entries()["secret.php"]
        with pytest.raises(PermissionError):
            site.read("secret.php", entry)


def test_a_link_in_place_of_a_file_is_not_followed(code, tmp_path):
    (tmp_path / "secret").write_text("secret")
    site = tmp_path / "site"
    site.mkdir()
    (site / "a.php").symlink_to(tmp_path / "secret")
    with ThreadPoolExecutor(2) as threads:
        reader = code.files.Site(str(site), code.files.Reader(os.getuid(), os.getgid()), threads)
        with pytest.raises(code.files.Moving):
            reader.read("a.php", code.files.Entry("f", size=6))
