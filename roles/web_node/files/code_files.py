# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a document root holds: look at it past every cache of the file system, say what is code in it, compare.

The shared files are read with the rights of PHP's user, whatever the rights of this program: who can write there could else have
root copy a file that PHP may not read, by a symbolic link put in place at the right moment.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

#: Folders of wp-content that hold code. Every other one is data, and stays on the shared files alone.
CODE_FOLDERS = frozenset({"plugins", "themes", "mu-plugins", "languages"})
#: Folders that no site serves.
SKIPPED = frozenset({".git", ".svn", ".hg"})
#: Files of one folder that one thread looks at; more threads share a large folder.
CHUNK = 16

_LIBC = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD, _AT_SYMLINK_NOFOLLOW, _AT_STATX_FORCE_SYNC, _STATX_BASIC = -100, 0x100, 0x2000, 0x7FF
_STATX = struct.Struct("=IIQIIIHHQQQQqIiqIiqIiqIi")


class Moving(Exception):
    """A file changed while it was read."""


class Seen(NamedTuple):
    """One look at a file: mode, size in bytes, times in nanoseconds, and how many names it has."""

    mode: int
    size: int
    mtime: int
    ctime: int
    inode: int
    names: int


class Entry(NamedTuple):
    """What stands at a path: ``d`` a folder, ``f`` a file, ``l`` a symbolic link, ``s`` data that stays on the shared files."""

    kind: str
    mode: int = 0
    size: int = 0
    mtime: int = 0
    ctime: int = 0
    target: str = ""


Entries = dict[str, Entry]


def look(path: str) -> Seen | None:
    """Look at a path, not through a link, and past the attribute cache of NFS (3 to 60 s); None if nothing is there."""
    if hasattr(_LIBC, "statx"):
        buffer = ctypes.create_string_buffer(256)
        flags = _AT_SYMLINK_NOFOLLOW | _AT_STATX_FORCE_SYNC
        if _LIBC.statx(_AT_FDCWD, os.fsencode(path), flags, _STATX_BASIC, buffer) == 0:
            got = _STATX.unpack_from(buffer)
            ctime, mtime = got[18] * 10**9 + got[19], got[21] * 10**9 + got[22]
            return Seen(got[6], got[9], mtime, ctime, got[8], got[3])
        number = ctypes.get_errno()
        if number in (errno.ENOENT, errno.ENOTDIR):
            return None
        if number not in (errno.ENOSYS, errno.EPERM, errno.EINVAL):
            raise OSError(number, os.strerror(number), path)
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Seen(found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_nlink)


def names(folder: str) -> list[str]:
    """List a folder so that its names are known anew: they are believed for 30 to 60 s, absent ones too, unless the folder is looked at."""
    look(folder)
    return os.listdir(folder)


@dataclass(frozen=True)
class Reader:
    """Whose rights count for reading the shared files: PHP's user."""

    uid: int
    gid: int

    @contextmanager
    def rights(self) -> Iterator[None]:
        """Give this thread, and no other, the user's rights on files."""
        if os.geteuid() != 0:
            yield
            return
        _LIBC.setfsgid(self.gid)
        _LIBC.setfsuid(self.uid)
        try:
            yield
        finally:
            _LIBC.setfsuid(0)
            _LIBC.setfsgid(0)


def role_of(path: str, folder: bool) -> str:
    """Say what a path below the document root is: ``code``, ``data`` or ``none`` of the two."""
    parts = path.split("/")
    name = parts[-1]
    if name.startswith(".nfs") or (folder and name in SKIPPED):
        return "none"
    if parts[0] == "wp-content" and len(parts) == 2 and folder:
        if name in CODE_FOLDERS:
            return "code"
        return "none" if name.startswith("upgrade") else "data"
    # A log that grows would else be a new version of the code with each line.
    return "data" if not folder and (name.endswith(".log") or name == "error_log") else "code"


class Site:
    """The document root on the shared files: what it holds, and what its files say."""

    def __init__(self, root: str, reader: Reader, threads: Executor) -> None:
        self.root = root
        self.reader = reader
        self.threads = threads

    def whole(self) -> bool:
        """Tell whether it is a WordPress: shared files that are away look like an empty folder."""
        with self.reader.rights():
            return all(look(f"{self.root}/{name}") for name in ("wp-config.php", "wp-includes/version.php"))

    def entries(self) -> Entries:
        """Look at everything, many folders at a time: at 1 ms a look, one after the other would take 4 s."""
        return self._below([""])

    def entries_after(self, known: Entries, paths: Iterable[str]) -> Entries | None:
        """Look at what lies at the given paths, and believe the rest; None if a path makes no sense here."""
        tops: set[str] = set()
        for path in paths:
            parts = path.strip("/").split("/")
            if path.startswith("/") or not all(part and part not in (".", "..") for part in parts):
                return None
            # A folder above it may be new as well, or no code.
            for depth in range(1, len(parts) + 1):
                top = "/".join(parts[:depth])
                if depth == len(parts) or known.get(top, Entry("")).kind != "d":
                    tops.add(top)
                    break
        changed = {
            path: entry
            for path, entry in known.items()
            if not any(path == top or path.startswith(f"{top}/") for top in tops)
        }
        with self.reader.rights():
            for folder in sorted(
                {"/".join(top.split("/")[:depth]) for top in tops for depth in range(top.count("/") + 1)}
            ):
                try:
                    names(f"{self.root}/{folder}")
                except (FileNotFoundError, NotADirectoryError, PermissionError):
                    pass  # it went, and so did what was in it
        return changed | self._below(tops)

    def _below(self, tops: Iterable[str]) -> Entries:
        found: Entries = {}
        pending: set[Future[tuple[Entries, list[str], list[list[str]]]]] = set()
        for top in tops:
            pending.add(self.threads.submit(self._list if top == "" else self._look, *([""] if top == "" else [[top]])))
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                entries, folders, chunks = future.result()
                found.update(entries)
                pending |= {self.threads.submit(self._list, folder) for folder in folders}
                pending |= {self.threads.submit(self._look, chunk) for chunk in chunks}
        return found

    def _list(self, folder: str) -> tuple[Entries, list[str], list[list[str]]]:
        """Return the names in a folder, to be looked at."""
        path = f"{self.root}/{folder}" if folder else self.root
        with self.reader.rights():
            try:
                paths = [f"{folder}/{name}" if folder else name for name in names(path)]
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                return {}, [], []
        return {}, [], [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]

    def _look(self, paths: list[str]) -> tuple[Entries, list[str], list[list[str]]]:
        entries: Entries = {}
        folders: list[str] = []
        with self.reader.rights():
            for path in paths:
                seen = look(f"{self.root}/{path}")
                if seen is None:
                    continue
                folder = stat.S_ISDIR(seen.mode)
                role = role_of(path, folder)
                if role == "code" and folder:
                    entries[path] = Entry("d", _mode(seen.mode, folder))
                    folders.append(path)
                elif role == "code" and stat.S_ISREG(seen.mode):
                    entries[path] = Entry("f", _mode(seen.mode, folder), seen.size, seen.mtime, seen.ctime)
                elif role == "code" and stat.S_ISLNK(seen.mode):
                    entries[path] = Entry("l", target=os.readlink(f"{self.root}/{path}"))
                elif role == "data":
                    entries[path] = Entry("s")
        return entries, folders, []

    def read(self, path: str, expected: Entry) -> bytes:
        """Return a file's content; Moving if it is not, or no longer, what was seen; None of it is ever half a file."""
        with self.reader.rights():
            try:
                descriptor = os.open(f"{self.root}/{path}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            except (FileNotFoundError, NotADirectoryError) as error:
                raise Moving(path) from error
            except OSError as error:
                if error.errno == errno.ELOOP:
                    raise Moving(path) from error
                raise
            with os.fdopen(descriptor, "rb") as stream:
                content = stream.read()
            seen = look(f"{self.root}/{path}")
        if seen is None or (seen.size, seen.mtime, seen.ctime) != (expected.size, expected.mtime, expected.ctime):
            raise Moving(path)
        if len(content) != expected.size:
            raise Moving(path)
        return content


def _mode(mode: int, folder: bool) -> int:
    """Return the mode of a copy: for everybody to read, or for PHP's group if the original is not for everybody."""
    if folder:
        return 0o755 if mode & stat.S_IROTH else 0o750
    return 0o644 if mode & stat.S_IROTH else 0o640


def differing(old: Mapping[str, Entry], new: Mapping[str, Entry]) -> list[str]:
    """Return the paths at which the two differ, sorted."""
    return sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))
