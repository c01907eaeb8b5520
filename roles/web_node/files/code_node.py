# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring the code that this node's visitors run to a generation of the shared files, or to a release.

The boot agent does it once before the node is ready, the code agent each time the marker moves. Whatever fails, the live tree stays.
"""

from __future__ import annotations

import fcntl
import grp
import json
import os
import pwd
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import code_release
from code_files import Entries, Entry, Moving, Reader, Seen, Site, differing, look, names
from code_opcache import NoAnswer, OPcache
from code_trees import Manifest, Trees, write_whole

#: Seconds after which a code change that never ended holds nobody up any longer.
CHANGE_SECONDS = 600
#: Seconds for which a tree that was live is not written to: nginx believes for 600 what it once saw of a path.
REST_SECONDS = 900
#: New PHP files that are compiled before anybody asked for them: those of a plugin just installed, not those of a new WordPress.
NEW_FILES = 400
UPLOADS = "wp-content/uploads"
#: Seconds of compiling after which a switch waits no longer: a change is served within five. The files asked for most come first.
WARM_SECONDS = 3.0
THREADS = 64


class NotNow(Exception):
    """The shared files are not in a state to be copied: being changed, incomplete or away. Trying again may help."""


class Marker(NamedTuple):
    """The generation of the shared files, the paths that changed with it, and the generation before, if they are known."""

    generation: str = ""
    paths: tuple[str, ...] = ()
    previous: str = ""


def log(message: str) -> None:
    print(f"code: {message}", flush=True)


class Node:
    """This node's trees, the shared files they are copies of, and the OPcache that runs them."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        user = pwd.getpwnam(config["user"])
        group = grp.getgrnam(config["group"]).gr_gid
        threads = ThreadPoolExecutor(THREADS)
        shared = Path(config["shared"])
        self.state = shared / "state"
        self.truth = shared / "site"
        self.reader = Reader(user.pw_uid, user.pw_gid)
        self.site = Site(str(self.truth), self.reader, threads)
        self.trees = Trees(Path(config["trees"]), Path(config["docroot"]), self.truth, group, threads)
        self.trees.precompress = precompressor()
        script = f"{config['lib']}/code_warm.php"
        self.opcache = OPcache(config["fpm_socket"], script, workers=min(4, os.cpu_count() or 1))
        #: Seconds after a switch in which requests that began before it may still run: PHP's time, and nginx's patience.
        self.hold = float(config["request_timeout"]) + 15
        self.kept_releases = int(config["releases_kept"])
        self.retired: dict[str, float] = {}
        self.never_live: set[str] = set()
        self._live: Manifest | None = None

    # --- the state of the fleet ---

    def seen(self, name: str) -> tuple[Seen | None, Seen | None]:
        """Look at a file of the fleet's state and at its folder, without which a new file of that name may go unseen for 30 s."""
        with self.reader.rights():
            return look(str(self.state)), look(str(self.state / name))

    def read(self, name: str) -> dict[str, Any]:
        """Return a file of the fleet's state; empty if there is none. NotNow if it makes no sense."""
        try:
            with self.reader.rights():
                names(str(self.state))
                text = (self.state / name).read_text(encoding="utf-8")
            data = json.loads(text)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except ValueError as error:
            raise NotNow(f"{self.state / name} is no JSON: {error}") from error
        if not isinstance(data, dict):
            raise NotNow(f"{self.state / name} is no JSON object")
        return data

    def marker(self) -> Marker:
        data = self.read("generation")
        paths = data.get("paths")
        known = tuple(path for path in paths if isinstance(path, str)) if isinstance(paths, list) else ()
        return Marker(str(data.get("generation", "")), known, str(data.get("previous", "")))

    def mark(self, paths: list[str], why: str, previous: str) -> str:
        """Start a new generation after ``previous``, as WordPress does after a change of code; empty if another one has come."""
        generation = f"{time.time_ns():x}-{os.urandom(3).hex()}"
        data = {"generation": generation, "paths": paths, "previous": previous, "why": why, "at": int(time.time())}
        with self.reader.rights(), open(self.state / "generation.lock", "a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # as WordPress does
            if self.marker().generation != previous:
                return ""
            write_whole(self.state / "generation", json.dumps(data))
        return generation

    def changing(self) -> str:
        """Name a change of code that is under way; empty if there is none."""
        folder = self.state / "changing"
        with self.reader.rights():
            try:
                found = names(str(folder))
            except FileNotFoundError:
                return ""
            for name in found:
                seen = look(str(folder / name))
                if seen and abs(time.time() - seen.mtime / 10**9) < CHANGE_SECONDS:
                    return name
        return ""

    # --- a tree of a generation ---

    def live(self) -> Manifest | None:
        """Return the live tree's manifest, from memory while it is the same."""
        name = self.trees.live_name()
        if self._live is None or self._live.name != name:
            self._live = self.trees.manifest(name)
        return self._live

    def _entries(self, marker: Marker, base: Manifest | None) -> Entries:
        """Return what the shared document root holds; NotNow if that is no WordPress."""
        if not self.site.whole():
            raise NotNow(f"{self.truth} holds no WordPress")
        entries = None
        if base and marker.paths and marker.previous and marker.previous == base.generation:
            entries = self.site.entries_after(base.entries, marker.paths)
        entries = self.site.entries() if entries is None else entries
        if UPLOADS not in entries and "wp-content" in entries:
            # A link to a folder that is not there yet could not become one.
            with self.reader.rights():
                (self.truth / UPLOADS).mkdir(exist_ok=True)
                (self.truth / UPLOADS).chmod(0o755)
            entries[UPLOADS] = Entry("s")
        return entries

    def follow(self, warm: bool = True, trust: bool = True) -> bool:
        """Bring the live tree to the generation of the shared files; tell whether it was switched.

        Without ``trust``, look at all files even if the generation is the live tree's. NotNow or Moving: try again later.
        """
        marker = self.marker()
        live = self.live()
        if live and not live.release and trust and live.generation == marker.generation:
            return False
        change = self.changing()
        if change:
            raise NotNow(f"a change of code is under way: {change}")
        base = live or self.trees.newest()
        started = time.monotonic()
        entries = self._entries(marker, None if base is None or base.release else base)
        if live and not live.release and entries == live.entries:
            if live.generation != marker.generation:
                live.generation = marker.generation
                self.trees.keep(live)
            return False
        if live is None and base and entries == base.entries:
            tree = base  # as the image carried it
        else:
            tree = self.trees.build(entries, self.site.read, self._spare(entries, base), base)
        tree.generation, tree.release = marker.generation, ""
        self.trees.keep(tree)
        self.never_live.add(tree.name)
        if self.marker().generation != marker.generation or self.changing():
            raise NotNow("the code changed again while it was copied")
        copied = time.monotonic() - started
        if warm:
            self.warm(tree, live)
        self._go_live(tree)
        log(
            f"generation {marker.generation or '0'} is live as {tree.name}: {copied:.1f} s to copy, {time.monotonic() - started:.1f} s in all"
        )
        return True

    def release(self, warm: bool = True) -> bool:
        """Bring the live tree to the release that the fleet's state names; tell whether it was switched."""
        wanted = str(self.read("release").get("id", ""))
        if not wanted:
            return self.follow(warm) if self.live() is None else False
        live = self.live()
        if live and live.release == wanted:
            return False
        if not code_release.IDENTIFIER.fullmatch(wanted):
            raise NotNow("the release that is asked for has a name that none can have")
        started = time.monotonic()
        tree = next(
            (found for found in map(self.trees.manifest, self.trees.names()) if found and found.release == wanted), None
        )
        if tree is None:
            archive = self.state / "releases" / f"{wanted}.tar.gz"
            try:
                with code_release.opened(archive, self.trees.home, self.site) as found:
                    tree = self.trees.build(found.entries, found.read, None, None)
            except code_release.BadRelease as error:
                raise NotNow(str(error)) from error
            tree.release = wanted
            self.trees.keep(tree)
        if warm:
            self.warm(tree, live)
        self._go_live(tree)
        log(f"release {wanted} is live as {tree.name} after {time.monotonic() - started:.1f} s")
        return True

    def _go_live(self, tree: Manifest) -> None:
        old = self.trees.live_name()
        self.trees.switch(self.trees.path(tree.name))
        self.never_live.discard(tree.name)
        self.retired.pop(tree.name, None)
        if old and old != tree.name:
            self.retired[old] = time.monotonic()
        self._live = tree

    def _spare(self, entries: Entries, base: Manifest | None) -> Manifest | None:
        """Return a tree at rest to be made the next one: what OPcache knows of it stays, but for what differs."""
        for name in reversed(self.trees.names()):
            if name == self.trees.live_name() or (base and name == base.name) or not self._rested(name):
                continue
            tree = self.trees.manifest(name)
            if tree is None or tree.release:
                continue
            try:
                self.opcache.forget(
                    str(self.trees.path(name)),
                    [path for path in differing(tree.entries, entries) if path.endswith(".php")],
                )
            except NoAnswer:
                return None
            return tree
        return None

    def _rested(self, name: str) -> bool:
        if name in self.never_live:
            return True
        if self.trees.in_use(name):
            return False
        return time.monotonic() - self.retired.setdefault(name, time.monotonic()) >= max(self.hold, REST_SECONDS)

    def tidy(self) -> None:
        """Remove the trees that nobody reads any more, but for a spare one, or for the last releases."""
        now = time.monotonic()
        live = self.live()
        others = [name for name in self.trees.names() if not live or name != live.name]
        for name in others:
            self.retired.setdefault(name, now)
        keep = self.kept_releases - 1 if live and live.release else 1
        old = [name for name in others if now - self.retired[name] >= self.hold and not self.trees.in_use(name)]
        for name in sorted(old, key=lambda name: self.retired[name])[: max(0, len(others) - keep)]:
            with self.trees.lock():
                try:
                    self.opcache.forget(str(self.trees.path(name)))
                except NoAnswer as error:
                    log(f"OPcache keeps {name} until PHP-FPM starts anew: {error}")
                self.trees.remove(name)
            self.retired.pop(name, None)

    # --- OPcache ---

    def warm(self, tree: Manifest, live: Manifest | None) -> None:
        """Compile for a new tree what the live one has compiled. A cold tree is slow, not wrong: failure is only told."""
        try:
            status = self.opcache.status(str(self.trees.path(live.name)) if live else "")
            files = status["files"] or self.remembered()
            known = set(files)
            wanted = [path for path in files if tree.entries.get(path, Entry("")).kind == "f"]
            new = [
                path
                for path, entry in tree.entries.items()
                if path.endswith(".php") and path not in known and live and entry != live.entries.get(path)
            ]
            wanted += new if len(new) <= NEW_FILES else []
            ready = set(self.opcache.status(str(self.trees.path(tree.name)))["files"])
            missing = [path for path in wanted if path not in ready]
            need = status["bytes"] * len(missing) // max(1, len(wanted))
            if need > status["free"] or len(missing) > status["max_keys"] - status["keys"]:
                log(
                    f"OPcache has no room: {status['free'] >> 20} MiB free of {(status['free'] + status['used']) >> 20}; it is emptied"
                )
                missing = wanted if self.opcache.reset() else []
            started = time.monotonic()
            done = self.opcache.compile(str(self.trees.path(tree.name)), missing, WARM_SECONDS)
            log(
                f"OPcache: {done} of {len(missing)} files compiled in {time.monotonic() - started:.1f} s, {len(wanted) - len(missing)} known"
            )
        except NoAnswer as error:
            log(f"OPcache stays cold: {error}")

    def remembered(self) -> list[str]:
        """Return the paths that OPcache held when it was last asked, from an image perhaps."""
        try:
            found = json.loads((self.trees.home / "warm.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        return [path for path in found if isinstance(path, str)] if isinstance(found, list) else []

    def remember(self) -> None:
        """Keep for the next boot what OPcache holds of the code that runs."""
        name = self.trees.live_name()
        try:
            files = self.opcache.status(str(self.trees.path(name)) if name else str(self.truth))["files"]
        except NoAnswer:
            return
        if files and sorted(files) != sorted(self.remembered()):
            self.trees.make_home()
            write_whole(self.trees.home / "warm.json", json.dumps(files))

    def warm_at_boot(self) -> None:
        """Compile what OPcache held when the image was made, or when this machine ran last."""
        name = self.trees.live_name()
        folder = self.trees.path(name) if name else self.truth
        files = [path for path in self.remembered() if ".." not in path.split("/") and (folder / path).is_file()]
        if not files:
            return
        started = time.monotonic()
        try:
            done = self.opcache.compile(str(folder), files, patience=60.0)  # nobody waits for this node yet
            log(f"OPcache: {done} of {len(files)} files compiled in {time.monotonic() - started:.1f} s")
        except NoAnswer as error:
            log(f"OPcache stays cold: {error}")


def precompressor() -> Any:
    """Return what makes compressed siblings of static files; None on a node without it."""
    try:
        import precompress
    except ImportError:
        return None
    return precompress.precompress


__all__ = ["Marker", "Moving", "Node", "NotNow", "log", "precompressor"]
