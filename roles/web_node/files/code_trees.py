# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The local copies of the code that visitors' requests run, and the symbolic link by which one of them is live.

A tree is complete when its manifest stands beside it, and not before: what a killed copy leaves has none and is removed. No tree changes
while it is live or may still be read. Unchanged files are hard links into the tree before it.

A switch does not wait for the disk (a flush took 0.2 to 8 s on a busy one). Instead, a manifest names the boot it was written in, and counts in
another one only if a file ``.safe`` says that the tree was flushed since: what a power cut leaves of files is not trusted.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from code_files import Entries, Entry, differing

#: Bytes of the local disk that stay free (512 MiB): a full disk would stop more than the copy.
SPARE_BYTES = 512 * 1024 * 1024

#: Returns the content of a file of the new tree.
Source = Callable[[str, Entry], bytes]
#: Makes compressed siblings of a tree's files; returns for each path the paths made.
Precompress = Callable[[Path, list[str]], dict[str, list[str]]]


class NoSpace(Exception):
    """The local disk has no room for another tree."""


@dataclass
class Manifest:
    """What a complete tree holds, and of which generation or release it is."""

    name: str
    generation: str = ""
    release: str = ""
    entries: Entries = field(default_factory=dict)
    made: dict[str, list[str]] = field(default_factory=dict)


def write_whole(path: Path, content: str, mode: int = 0o644) -> None:
    """Replace a file at once."""
    new = path.with_name(f".{path.name}.new")
    with open(new, "w", encoding="utf-8") as stream:
        stream.write(content)
    new.chmod(mode)
    new.replace(path)


class Trees:
    """The folder of the trees, and the document root that points into it."""

    def __init__(self, home: Path, docroot: Path, truth: Path, group: int, threads: Executor) -> None:
        self.home = home
        self.docroot = docroot
        self.truth = truth
        self.group = group
        self.threads = threads
        self.precompress: Precompress | None = None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other programs of this node from building or removing trees."""
        self.make_home()
        with open(self.home / ".lock", "w", encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def make_home(self) -> None:
        """Create the folder of the trees, which PHP and nginx look into whatever this program's umask is."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o755)

    def path(self, name: str) -> Path:
        return self.home / name

    def live_name(self) -> str:
        """Return the name of the tree that the document root points to; empty if it points elsewhere."""
        try:
            target = Path(os.readlink(self.docroot))
        except OSError:
            return ""
        return target.name if target.parent == self.home else ""

    def manifest(self, name: str) -> Manifest | None:
        """Return the manifest of a complete tree; None for any other."""
        if not name or not self.path(name).is_dir():
            return None
        try:
            data = json.loads((self.home / f"{name}.json").read_text(encoding="utf-8"))
            if data["boot"] != boot() and not (self.home / f"{name}.safe").exists():
                return None
            entries = {path: Entry(*entry) for path, entry in data["entries"].items()}
            return Manifest(name, data["generation"], data["release"], entries, data["made"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def live(self) -> Manifest | None:
        return self.manifest(self.live_name())

    def names(self) -> list[str]:
        """Return the names of the complete trees, oldest first: a name begins with the time of its making."""
        return sorted(path.stem for path in self.home.glob("[0-9]*.json") if self.path(path.stem).is_dir())

    def newest(self) -> Manifest | None:
        """Return the live tree, or else the newest complete one, as an image carries it."""
        for name in [self.live_name(), *reversed(self.names())]:
            found = self.manifest(name)
            if found:
                return found
        return None

    def fresh_name(self) -> str:
        """Return a name that no tree ever had: OPcache and nginx know files by it."""
        return time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + f"-{time.time_ns() % 10**9:09d}"

    def keep(self, manifest: Manifest) -> None:
        """Write a tree's manifest, which makes it complete."""
        content = json.dumps(
            {
                "generation": manifest.generation,
                "release": manifest.release,
                "entries": manifest.entries,
                "made": manifest.made,
                "boot": boot(),
            }
        )
        write_whole(self.home / f"{manifest.name}.json", content)

    def flush(self) -> None:
        """Have the disk hold what is complete; it may take seconds."""
        names = [name for name in self.names() if not (self.home / f"{name}.safe").exists()]
        if names:
            _sync_file_system(self.home)
            for name in names:
                (self.home / f"{name}.safe").touch()

    def build(self, wanted: Entries, source: Source, reused: Manifest | None, donor: Manifest | None) -> Manifest:
        """Make a tree of the wanted files: in the reused tree or anew, by hard links to the donor's, and by copying the rest.

        The result has no manifest on the disk yet. Raises Moving if the source moves, NoSpace, or OSError.
        """
        have = reused or Manifest(self.fresh_name())
        self._forget(have.name)
        root = self.path(have.name)
        root.mkdir(exist_ok=True)
        os.chown(root, -1, self.group)
        root.chmod(0o755)
        tree = Manifest(have.name, entries=wanted)
        tree.made = {path: made for path, made in have.made.items() if have.entries.get(path) == wanted.get(path)}
        changed = differing(have.entries, wanted)
        self._remove(root, have, [path for path in changed if path in have.entries], wanted)
        given = donor.entries if donor else {}
        copied = [
            path for path in changed if wanted.get(path, Entry("")).kind == "f" and given.get(path) != wanted[path]
        ]
        self._refuse_full_disk(sum(wanted[path].size for path in copied))
        for path in changed:  # sorted: folders come before what is in them
            entry = wanted.get(path)
            if entry is None:
                continue
            if entry.kind == "d":
                (root / path).mkdir(mode=0o700, exist_ok=True)
                os.chown(root / path, -1, self.group)
                (root / path).chmod(entry.mode)
            elif entry.kind == "l":
                (root / path).symlink_to(entry.target)
            elif entry.kind == "s":
                (root / path).symlink_to(self.truth / path)
            elif donor and given.get(path) == entry:
                for name in [path, *donor.made.get(path, [])]:
                    if os.path.lexists(self.path(donor.name) / name):
                        os.link(self.path(donor.name) / name, root / name)
                if path in donor.made:
                    tree.made[path] = donor.made[path]
        for done in [self.threads.submit(self._copy, root, path, wanted[path], source) for path in copied]:
            done.result()
        if self.precompress and copied:
            tree.made |= self.precompress(root, copied)
        return tree

    def _refuse_full_disk(self, wanted: int) -> None:
        disk = os.statvfs(self.home)
        if disk.f_bavail * disk.f_frsize < wanted + SPARE_BYTES:
            raise NoSpace(f"{wanted // 1024} KiB of code do not fit the disk of {self.home}")

    def _remove(self, root: Path, have: Manifest, paths: list[str], wanted: Entries) -> None:
        for path in reversed(paths):
            for made in have.made.get(path, []):
                (root / made).unlink(missing_ok=True)
            old, new = have.entries[path], wanted.get(path)
            if old.kind != "d":
                (root / path).unlink(missing_ok=True)
            elif new is None or new.kind != "d":
                shutil.rmtree(root / path)

    def _copy(self, root: Path, path: str, entry: Entry, source: Source) -> None:
        try:
            content = source(path, entry)
        except PermissionError:
            print(f"code: {path} is left out: PHP's user may not read it", flush=True)
            return
        descriptor = os.open(root / path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            os.fchown(stream.fileno(), -1, self.group)
            os.fchmod(stream.fileno(), entry.mode)
        os.utime(root / path, ns=(entry.mtime, entry.mtime))

    def switch(self, target: Path) -> None:
        """Point the document root elsewhere, at once for whoever looks."""
        new = self.docroot.with_name(f".{self.docroot.name}.new")
        new.unlink(missing_ok=True)
        new.symlink_to(target)
        new.replace(self.docroot)

    def in_use(self, name: str) -> bool:
        """Tell whether a program that runs for longer than a request holds the tree by a shared lock on its folder, as ``flock -s`` takes it."""
        try:
            descriptor = os.open(self.path(name), os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def remove(self, name: str) -> None:
        """Remove a tree: first its manifest, so that it is complete no longer. The live one stays whatever is asked."""
        if name == self.live_name():
            return
        self._forget(name)
        shutil.rmtree(self.path(name), ignore_errors=True)

    def _forget(self, name: str) -> None:
        for kind in ("safe", "json"):
            (self.home / f"{name}.{kind}").unlink(missing_ok=True)

    def clean(self) -> list[str]:
        """Remove what killed copies left behind; return the names."""
        complete = {*(name for name in self.names() if self.manifest(name)), self.live_name()}
        left = [path for path in self.home.iterdir() if path.is_dir() and path.name not in complete]
        for path in left:
            shutil.rmtree(path, ignore_errors=True)
        for path in self.home.glob("[0-9]*.json"):
            if not self.path(path.stem).is_dir():
                self._forget(path.stem)
        return sorted(path.name for path in left)


def boot() -> str:
    """Return what names this boot of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _sync_file_system(folder: Path) -> None:
    """Write out the file system of a folder, and no other: sync() would wait for shared files that hang."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        ctypes.CDLL(None).syncfs(descriptor)
    finally:
        os.close(descriptor)
