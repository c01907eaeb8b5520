# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The compressed neighbours of static files: which are made, that they say the same, and that they look the same on every node."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

FILES = Path(__file__).resolve().parents[3] / "roles" / "web_node" / "files"
sys.path.insert(0, str(FILES))

import precompress as subject  # noqa: E402

TEXT = b".wp-block-image{margin:0 0 1em}\n" * 200
NOISE = os.urandom(4096)
LONG_AGO = 1_600_000_000_123_456_789


def put(root: Path, path: str, content: bytes = TEXT, mode: int = 0o640) -> str:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    file.chmod(mode)
    os.utime(file, ns=(LONG_AGO, LONG_AGO))
    return path


@pytest.fixture
def gzip_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "PACKERS", {".gz": subject.gzipped})


@pytest.mark.usefixtures("gzip_only")
@pytest.mark.parametrize(
    "path", ["a/style.css", "a.js", "a.mjs", "block.json", "logo.svg", "icons.ttf", "a.min.js.map"]
)
def test_what_gains_has_a_neighbour_that_says_the_same(tmp_path: Path, path: str) -> None:
    put(tmp_path, path)
    assert subject.precompress(tmp_path, [path]) == {path: [f"{path}.gz"]}
    assert gzip.decompress((tmp_path / f"{path}.gz").read_bytes()) == TEXT
    assert not list(tmp_path.rglob(".*.new"))


@pytest.mark.usefixtures("gzip_only")
@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("photo.jpg", TEXT),
        ("index.php", TEXT),
        ("font.woff2", TEXT),
        ("readme.txt", TEXT),
        ("small.css", b"a{}" * 100),
        ("noise.json", NOISE),
    ],
)
def test_what_does_not_gain_has_none(tmp_path: Path, path: str, content: bytes) -> None:
    put(tmp_path, path, content)
    assert subject.precompress(tmp_path, [path]) == {}
    assert [file.name for file in tmp_path.iterdir()] == [path]


def test_what_no_page_waits_for_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "LARGEST", len(TEXT) - 1)
    assert subject.precompress(tmp_path, [put(tmp_path, "a.js")]) == {}


def test_a_neighbour_has_the_time_and_the_rights_of_its_file(tmp_path: Path) -> None:
    """nginx's ETag is made of time and size: the same on every node."""
    path = put(tmp_path, "a.css", mode=0o640)
    for name in subject.precompress(tmp_path, [path])[path]:
        found = (tmp_path / name).stat()
        assert (found.st_mtime_ns, found.st_mode & 0o777) == (LONG_AGO, 0o640)


def test_the_same_file_gives_the_same_bytes_on_another_node(tmp_path: Path) -> None:
    made = []
    for node in ("one", "two"):
        path = put(tmp_path / node, "a.css")
        names = subject.precompress(tmp_path / node, [path])[path]
        made.append({name: (tmp_path / node / name).read_bytes() for name in names})
    assert made[0] == made[1]


@pytest.mark.usefixtures("gzip_only")
def test_a_neighbour_that_the_code_brings_is_replaced_and_stays_the_codes(tmp_path: Path) -> None:
    """nginx would send an old one for ever. Whoever has the file linked, an older tree say, keeps his."""
    path, brought = put(tmp_path, "a.css"), put(tmp_path, "a.css.gz", b"of an older version")
    os.link(tmp_path / brought, tmp_path / "linked")
    assert subject.precompress(tmp_path, [path]) == {}
    assert gzip.decompress((tmp_path / brought).read_bytes()) == TEXT
    assert (tmp_path / "linked").read_bytes() == b"of an older version"


@pytest.mark.usefixtures("gzip_only")
def test_a_new_neighbour_alone_is_looked_at_too(tmp_path: Path) -> None:
    put(tmp_path, "small.css", b"a{}")
    assert subject.precompress(tmp_path, [put(tmp_path, "small.css.gz", b"old"), "gone.js.gz"]) == {}
    assert gzip.decompress((tmp_path / "small.css.gz").read_bytes()) == b"a{}"


@pytest.mark.usefixtures("gzip_only")
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    put(tmp_path, "secret.json")
    (tmp_path / "tree" / "a.json").symlink_to(tmp_path / "secret.json")
    assert subject.precompress(tmp_path / "tree", ["a.json"]) == {}
    assert list(subject.files_of(tmp_path / "tree")) == []


def test_brotli_is_used_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def compress(content: bytes, quality: int) -> bytes:
        asked.append(quality)
        return content[:10]

    monkeypatch.setattr(subject, "brotli", SimpleNamespace(compress=compress))
    monkeypatch.setattr(subject, "PACKERS", {".gz": subject.gzipped, ".br": subject.brotlied})
    assert subject.precompress(tmp_path, [put(tmp_path, "a.css")]) == {"a.css": ["a.css.gz", "a.css.br"]}
    assert asked == [subject.BROTLI_QUALITY]
    assert (tmp_path / "a.css.br").read_bytes() == TEXT[:10]


def test_an_error_of_the_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "a.css")

    def full(*_unused: object, **_unused_too: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(subject.os, "utime", full)
    with pytest.raises(OSError, match="No space left"):
        subject.precompress(tmp_path, [path])


def test_a_whole_tree_by_hand(tmp_path: Path) -> None:
    put(tmp_path, "a/b/c.css")
    put(tmp_path, "a/index.php")
    done = subprocess.run(
        [sys.executable, str(FILES / "precompress.py"), str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert done.stdout == f"{len(subject.PACKERS)} neighbours of 1 files\n"
    assert (tmp_path / "a/b/c.css.gz").is_file()
