# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The code of a site on the shared files: what of it is code, how its nodes learn of a change, and what a release is.

The layout is the one that the code agent of every node reads: ``state/generation`` names the newest change, a file in
``state/changing`` keeps nodes from taking half of one over, ``state/release`` names the release of a fleet that runs releases.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

#: Folders of wp-content that hold code; every other one holds what editors and plugins make.
CODE_FOLDERS = ("languages", "mu-plugins", "plugins", "themes")
#: Files that belong to a moment of one installation, not to its code.
NO_CODE = (".maintenance", "error_log")
#: Folders that no site serves.
SKIPPED = (".git", ".hg", ".svn")
#: By this file in its root a tree says which release it is; the web server denies it.
RELEASE_NOTE = ".wordpress_ha_release"
VERSION = "wp-includes/version.php"
#: The drop-in that a plugin or the operator may have put there instead of this collection's, and what ours is known by.
DATABASE = "wp-content/db.php"
DATABASE_MARK = b"WordPress HA database"
FOLDERS = ("", "changing", "releases")
#: Files copied at a time: each costs several round trips on a network file system.
COPIERS = 16
#: Changed paths that a marker names at most; with more, nodes look at everything.
MOST_PATHS = 200

Own = Callable[[Path], None]


class NoRelease(Exception):
    """An archive cannot be deployed; the words say why and what to do."""


def is_code(relative: PurePosixPath) -> bool:
    """Tell whether a path relative to a site's root is code: what a change of the site's content never touches."""
    parts = relative.parts
    if relative.name in NO_CODE or relative.name.endswith(".log"):
        return False
    return parts[:1] != ("wp-content",) or len(parts) == 2 or parts[1] in CODE_FOLDERS


def files_of(root: Path, wanted: Callable[[PurePosixPath], bool] = lambda relative: True) -> list[PurePosixPath]:
    """List a tree's files relative to it, without looking into folders of which nothing can be wanted. Raises OSError."""
    found = []
    for folder, folders, names in os.walk(root):
        here = PurePosixPath(Path(folder).relative_to(root).as_posix())
        if here == PurePosixPath("wp-content"):
            folders[:] = [name for name in folders if wanted(here / name / "x")]
        folders[:] = [name for name in folders if name not in SKIPPED]
        found += [here / name for name in names if wanted(here / name)]
    return sorted(found)


def copy_files(source: Path, target: Path, files: Iterable[PurePosixPath], own: Own) -> None:
    """Copy files with their times, each at once; one of the same size and time is there already. Raises OSError."""
    wanted = list(files)
    for folder in sorted({parent for name in wanted for parent in name.parents}):
        if not (target / folder).is_dir():
            (target / folder).mkdir(mode=0o755, parents=True)
            own(target / folder)

    def copy(name: PurePosixPath) -> None:
        origin, copied = source / name, target / name
        wants = origin.stat()
        if copied.is_file() and (copied.stat().st_size, int(copied.stat().st_mtime)) == (
            wants.st_size,
            int(wants.st_mtime),
        ):
            return
        partial = copied.with_name(f".{copied.name}.partial")
        shutil.copyfile(origin, partial)
        partial.chmod(0o644)
        own(partial)
        os.utime(partial, ns=(wants.st_atime_ns, wants.st_mtime_ns))
        partial.replace(copied)

    with ThreadPoolExecutor(COPIERS) as pool:
        list(pool.map(copy, wanted))


# --- the state that the fleet shares ---------------------------------------------------------------------------------


class State:
    """The folder ``state`` beside the site. It belongs to PHP's user, whose dashboard changes code."""

    def __init__(self, folder: Path, own: Own) -> None:
        self.folder = folder
        self.own = own

    def is_complete(self, uid: int) -> bool:
        places = [self.folder / name for name in FOLDERS]
        return all(place.is_dir() and place.stat().st_uid == uid for place in places) and self.lock_file.is_file()

    def create(self) -> None:
        for name in FOLDERS:
            (self.folder / name).mkdir(mode=0o755, exist_ok=True)
            self.own(self.folder / name)
        self.lock_file.touch(mode=0o644)
        self.own(self.lock_file)

    @property
    def lock_file(self) -> Path:
        """What PHP and this lock while they replace the marker."""
        return self.folder / "generation.lock"

    def read(self, name: str) -> dict[str, Any]:
        """Return what a marker says; empty if there is none."""
        try:
            said = json.loads((self.folder / name).read_text())
        except (OSError, ValueError):
            return {}
        return said if isinstance(said, dict) else {}

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        new = self.folder / f"{name}.{secrets.token_hex(6)}"
        new.write_text(json.dumps(content))
        new.chmod(0o644)
        self.own(new)
        new.replace(self.folder / name)

    @contextmanager
    def change(self, why: str, paths: Iterable[str] = ()) -> Iterator[None]:
        """Change code within this: nodes wait until it is over and then take it over; without ``paths`` they look at everything."""
        mark = self.folder / "changing" / secrets.token_hex(12)
        mark.touch(mode=0o644)
        self.own(mark)
        try:
            yield
            self.announce(why, paths)
        finally:
            mark.unlink(missing_ok=True)

    def announce(self, why: str, paths: Iterable[str]) -> None:
        """Replace the marker; it names the one before it, whose takers may go by the paths alone."""
        with self.lock_file.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            named, now = sorted(paths), time.time()
            self.write(
                "generation",
                {
                    "generation": f"{now:.6f}-{secrets.token_hex(4)}",
                    "previous": self.read("generation").get("generation", ""),
                    "paths": named if len(named) <= MOST_PATHS else [],
                    "why": why,
                    "at": round(now, 3),
                },
            )

    def release(self) -> str:
        """Return the id of the release that the fleet runs; empty if none was ever made."""
        return str(self.read("release").get("id", ""))

    def artifact(self, name: str) -> Path:
        return self.folder / "releases" / f"{name}.tar.gz"

    def switch(self, name: str, keep: int) -> None:
        """Make a release the one to run; C(keep) releases, the ones that ran before it first, are kept to go back to."""
        said = self.read("release")
        former = [str(item) for item in (said.get("id", ""), *said.get("previous", []))]
        previous = [item for item in dict.fromkeys(former) if item and item != name][: max(keep - 1, 1)]
        self.write("release", {"id": name, "previous": previous, "at": round(time.time(), 3)})
        self.announce(f"release {name}", ())
        for path in (self.folder / "releases").glob("*.tar.gz"):
            if path.name.removesuffix(".tar.gz") not in {name, *previous}:
                path.unlink(missing_ok=True)


# --- releases --------------------------------------------------------------------------------------------------------


def digest(path: Path) -> str:
    """Return a short digest of a file's content. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def unpack(archive: Path, target: Path) -> None:
    """Unpack a tar or zip archive of files and folders alone. Raises NoRelease."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            refuse_paths(archive, opened.namelist())
            opened.extractall(target)
        return
    try:
        with tarfile.open(archive) as opened_tar:
            members = opened_tar.getmembers()
            refuse_paths(archive, [member.name for member in members])
            odd = [member.name for member in members if not (member.isfile() or member.isdir())]
            if odd:
                raise NoRelease(
                    f"{archive} holds {odd[0]}, which is a link or a device. Put the files themselves into it, as tar --dereference does."
                )
            for member in members:
                member.mode = 0o755 if member.isdir() else 0o644
                opened_tar.extract(member, target, set_attrs=not member.isdir())
    except tarfile.TarError as error:
        raise NoRelease(f"{archive} is neither a tar nor a zip archive: {error}") from error


def refuse_paths(archive: Path, names: Iterable[str]) -> None:
    for name in names:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise NoRelease(f"{archive} holds {name}, which leads out of it. Pack it anew from within the site's root.")


def root_of(archive: Path, unpacked: Path) -> Path:
    """Find the site's root in what was unpacked: there, or in its only folder. Raises NoRelease."""
    inside = [item for item in unpacked.iterdir() if item.is_dir()]
    for root in (unpacked, *(inside if len(inside) == 1 else [])):
        if (root / VERSION).is_file() or (root / "wp-content").is_dir():
            return root
    raise NoRelease(
        f"{archive} holds neither wp-includes/version.php nor wp-content. Pack the root of the site, or a folder with its wp-content in it."
    )


def pack(folder: Path, target: Path, own: Own) -> None:
    """Make an artifact of all that is in a folder, complete or not at all."""
    partial = target.with_name(f".{target.name}.partial")
    with tarfile.open(partial, "w:gz", compresslevel=5) as made:
        for name in files_of(folder):
            member = made.gettarinfo(str(folder / name), str(name))
            member.uid, member.gid, member.uname, member.gname, member.mode = 0, 0, "root", "root", 0o644
            with (folder / name).open("rb") as stream:
                made.addfile(member, stream)
    partial.chmod(0o644)
    own(partial)
    partial.replace(target)
