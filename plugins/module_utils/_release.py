# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases of a fleet's code: composed once, kept on the shared files, unpacked and switched to by every node itself."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from . import _site_code

#: What a node adds to every release from the shared site, where wordpress_site keeps it equal to what the machines bring.
OWN = ("wp-config.php", "wp-content/object-cache.php", _site_code.RELEASE_NOTE)
OWN_MUST_USE = "wp-content/mu-plugins/wordpress-ha-*.php"
LANGUAGES = "wp-content/languages"


def folder_for_releases() -> str | None:
    """Return where releases are put together: on the disk, for /tmp may be in memory; None for the system's choice."""
    return "/var/tmp" if Path("/var/tmp").is_dir() else None


class Releases:
    """What is done to the releases of one site; every change is announced to the nodes. Raises NoRelease and OSError."""

    def __init__(self, state: _site_code.State, site: Path, own: Callable[[Path], None], keep: int = 5) -> None:
        self.state = state
        self.site = site
        self.own = own
        self.keep = keep

    # --- looking

    def target_of_roll_back(self, wanted: str) -> str:
        """Return which release to go back to: the one named, or the one before. Raises NoRelease if it is not kept."""
        marker = self.state.read("release")
        kept = sorted(path.name.removesuffix(".tar.gz") for path in (self.state.folder / "releases").glob("*.tar.gz"))
        previous = [name for name in marker.get("previous", []) if name in kept]
        if wanted and wanted not in kept:
            raise _site_code.NoRelease(f"There is no release {wanted} any more. Kept are: {', '.join(kept) or 'none'}.")
        if not wanted and not previous:
            raise _site_code.NoRelease(
                f"There is no release before {marker.get('id') or 'the first one'}. Kept are: {', '.join(kept) or 'none'}."
            )
        return wanted or previous[0]

    # --- changing

    def deploy(self, archive: Path, core: Path, name: str) -> None:
        """Make an archive the release to run. One with wp-content alone is laid over the WordPress of C(core)."""
        if self.state.artifact(name).is_file():
            self.state.switch(name, self.keep)
            return
        with self.scratch() as (folder, unpacked):
            _site_code.unpack(archive, unpacked)
            root = _site_code.root_of(archive, unpacked)
            if not (root / _site_code.VERSION).is_file():
                basis = [item for item in code_of(core) if item.parts[0] != "wp-content" or len(item.parts) == 2]
                self.take(core, folder, basis)
            self.take(root, folder, code_of(root))
            if not (folder / LANGUAGES).is_dir() and (self.site / LANGUAGES).is_dir():
                self.take(self.site, folder, [item for item in code_of(self.site) if item.is_relative_to(LANGUAGES)])
            self.finish(folder, name)

    def make(self) -> None:
        """Make a release of the shared site's code, which nodes can be brought back to."""
        with self.scratch() as (folder, _unused):
            self.take(self.site, folder, code_of(self.site))
            self.finish(folder, time.strftime("shared-%Y%m%dT%H%M%S", time.gmtime()))

    def restore(self) -> None:
        """Give the shared site the code of the release that runs, so that the other modes serve the same, and end the run of releases.

        What is kept of them stays. Done once: what editors change on the shared site afterwards is not overwritten by a second run.
        """
        running = self.state.release()
        with self.scratch() as (_unused, unpacked), self.state.change(f"release {running}"):
            _site_code.unpack(self.state.artifact(running), unpacked)
            wanted = code_of(unpacked)
            _site_code.copy_files(unpacked, self.site, wanted, self.own)
            for item in set(code_of(self.site)) - set(wanted):
                if len(item.parts) > 1:  # what stands in the root itself may be a proof of ownership, say
                    (self.site / item).unlink(missing_ok=True)
        (self.state.folder / "release").unlink()

    # --- parts

    @contextmanager
    def scratch(self) -> Iterator[tuple[Path, Path]]:
        """Yield two folders on the local disk, one to put a release together in and one to unpack an archive in."""
        base = Path(tempfile.mkdtemp(prefix="wordpress-ha-release-", dir=folder_for_releases()))
        try:
            for name in ("release", "unpacked"):
                (base / name).mkdir()
            yield base / "release", base / "unpacked"
        finally:
            shutil.rmtree(base, ignore_errors=True)

    @staticmethod
    def take(source: Path, target: Path, files: list[PurePosixPath]) -> None:
        _site_code.copy_files(source, target, files, lambda _unused: None)

    def finish(self, folder: Path, name: str) -> None:
        """Note in the release which one it is, pack it, and have the nodes switch to it."""
        (folder / _site_code.RELEASE_NOTE).write_text(f"{name}\n")
        _site_code.pack(folder, self.state.artifact(name), self.own)
        self.state.switch(name, self.keep)


def code_of(root: Path) -> list[PurePosixPath]:
    """List a site's code without what every machine brings itself."""
    return [item for item in _site_code.files_of(root, _site_code.is_code) if not is_own(root, item)]


def is_own(root: Path, item: PurePosixPath) -> bool:
    """Tell whether a file of a site is one that the machine brings, or the note that says which release it is."""
    if str(item) == _site_code.DATABASE:  # HyperDB's, say, belongs to the release
        return (root / item).is_file() and _site_code.DATABASE_MARK in (root / item).read_bytes()[:2048]
    return str(item) in OWN or item.match(OWN_MUST_USE)
