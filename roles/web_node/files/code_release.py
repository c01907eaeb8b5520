# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read a release, ``state/releases/<id>.tar.gz``: a whole document root, at the top of the archive or in one folder of it.

Whoever can write to the shared files can replace an archive, so nothing in it may leave the tree: no name with ``..``, no link that
points out, no special file. What a site of ours needs and the archive lacks is taken from the shared document root.
"""

from __future__ import annotations

import gzip
import os
import posixpath
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from code_files import Entries, Entry, Site, role_of

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
#: What the release gets from the shared document root unless it brings its own.
OURS = re.compile(r"wp-config\.php|wp-content/(object-cache|db)\.php|wp-content/mu-plugins/wordpress-ha-[a-z-]+\.php")


class BadRelease(Exception):
    """The archive is absent, broken, or no document root."""


class Release:
    """An archive, unpacked to one local file that threads read from at once."""

    def __init__(self, entries: Entries, places: dict[str, int], descriptor: int, site: Site) -> None:
        self.entries = entries
        self._places = places
        self._descriptor = descriptor
        self._site = site

    def read(self, path: str, entry: Entry) -> bytes:
        if path not in self._places:
            return self._site.read(path, entry)
        content = os.pread(self._descriptor, entry.size, self._places[path])
        if len(content) != entry.size:
            raise BadRelease(f"{path} ends early")
        return content


@contextmanager
def opened(archive: Path, scratch: Path, site: Site) -> Iterator[Release]:
    """Read an archive of the shared files; ``scratch`` is a local folder with room for it. BadRelease says what is wrong."""
    with tempfile.TemporaryFile(dir=scratch) as local:
        try:
            with site.reader.rights():
                stream = os.fdopen(os.open(archive, os.O_RDONLY | os.O_NOFOLLOW), "rb")
            with stream, gzip.GzipFile(fileobj=stream) as packed:
                shutil.copyfileobj(packed, local, 1 << 20)
            local.seek(0)
            with tarfile.open(fileobj=local, mode="r:") as tar:
                entries, places = _entries(tar.getmembers())
        except (OSError, EOFError, tarfile.TarError) as error:
            raise BadRelease(f"{archive}: {error}") from error
        if "wp-includes/version.php" not in entries:
            raise BadRelease(f"{archive}: it holds no wp-includes/version.php")
        entries |= _from_shared(site, entries)
        yield Release(entries, places, local.fileno(), site)


def _entries(members: list[tarfile.TarInfo]) -> tuple[Entries, dict[str, int]]:
    """Return what an archive holds below its document root, and where in the archive each file's content begins."""
    named = {posixpath.normpath(member.name): member for member in members}
    roots = [name[: -len("wp-includes/version.php")] for name in named if name.endswith("wp-includes/version.php")]
    root = min(roots, key=len, default="")
    entries: Entries = {}
    places: dict[str, int] = {}
    for name, member in named.items():
        path = name[len(root) :] if name.startswith(root) else ""
        if not path or path == "." or name.startswith(("/", "..")) or _outside(path, member.isdir()):
            continue
        if member.islnk():
            target = named.get(posixpath.normpath(member.linkname))
            if target is None or not target.isreg():
                continue
            member = target  # noqa: PLW2901
        if member.isreg():
            entries[path] = Entry("f", 0o644, member.size, int(member.mtime) * 10**9)
            places[path] = member.offset_data
        elif member.issym():
            if not posixpath.normpath(posixpath.join("/", posixpath.dirname(path), member.linkname)).startswith("/"):
                continue
            if member.linkname.startswith("/") or _climbs(path, member.linkname):
                continue
            entries[path] = Entry("l", target=member.linkname)
        for depth in range(1, path.count("/") + (2 if member.isdir() else 1)):
            entries["/".join(path.split("/")[:depth])] = Entry("d", 0o755)
    links = [path for path, entry in entries.items() if entry.kind == "l"]
    below = [path for path in entries if any(path.startswith(f"{link}/") for link in links)]
    for path in below:
        del entries[path]
    return entries, places


def _outside(path: str, folder: bool) -> bool:
    """Tell whether a path, or a folder above it, is no code."""
    parts = path.split("/")
    return ".." in parts or any(
        role_of("/".join(parts[: depth + 1]), folder or depth + 1 < len(parts)) != "code" for depth in range(len(parts))
    )


def _climbs(path: str, target: str) -> bool:
    """Tell whether a relative link leads above the document root."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target)).startswith("..")


def _from_shared(site: Site, entries: Entries) -> Entries:
    """Return the data folders of the shared document root, and what is ours and the release lacks."""
    ours: Entries = {}
    for path, entry in site.entries().items():
        if path in entries:
            continue
        folder = path.rpartition("/")[0]
        if entry.kind == "s" and folder == "wp-content":
            ours[path] = entry
        elif entry.kind == "f" and OURS.fullmatch(path):
            ours[path] = entry
            for depth in range(1, path.count("/") + 1):
                above = "/".join(path.split("/")[:depth])
                if above not in entries:
                    ours[above] = Entry("d", 0o755)
    return ours
