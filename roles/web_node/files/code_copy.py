# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work on many of the shared files at once: one after the other, as PHP does, a plugin of 1,000 files takes 1,000 round trips and more.

PHP asks on a socket, one JSON object per connection and line: ``{"copy": folder, "to": folder}``, ``{"unzip": archive, "to": folder}``,
``{"delete": folder}``, ``{"list": folder}`` or ``{"plugins": folder}``. The answer is ``{"ok": true, "files": 12, "seconds": 0.3}``, with ``folders`` of
a list or the ``names`` of files that call themselves plugins, or ``{"ok": false, "error": "..."}``. It runs as PHP's user: whoever speaks to it can do
no more than before, and it works below the shared document root alone.

The kernel lets one thread at a time create or remove names in a folder, and it waits for the file server meanwhile. So threads are shared out over
the folders, a few for each; handed out file by file, most of them would wait for the same folder (P1: 600 files in 40 folders at 5 ms for
an operation took 2.4 s so, and take 1.5 to 2 s).
"""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

CONFIG = Path("/etc/wordpress_ha/agent.json")
#: They wait for the file server nearly all the time.
THREADS = 128
#: Threads that work in the same folder: while one creates a name, others write and close.
LANES = 3
#: Seconds without a question after which it ends; systemd starts it with the next one.
IDLE_SECONDS = 120.0
LONGEST_QUESTION = 64 * 1024
#: Bytes of a file that a thread holds at a time; the unit's memory is bounded.
CHUNK = 256 * 1024
#: Bytes that an archive may unpack to.
LARGEST = 2 * 1024**3


class Refused(Exception):
    """The question makes no sense, or asks for what may not be."""


class Copier:
    """Copies, unpacks and deletes below one folder, many files at a time."""

    def __init__(self, truth: Path) -> None:
        self.truth = truth
        self.threads = ThreadPoolExecutor(THREADS)

    def below(self, path: object) -> Path:
        """Return a path of the shared document root, which may not exist yet; Refused for any other."""
        if not isinstance(path, str) or not path.startswith("/"):
            raise Refused("a path must be absolute")
        real = Path(os.path.realpath(path))
        root = Path(os.path.realpath(self.truth))
        if real == root or root not in real.parents:
            raise Refused(f"{path} is not below {self.truth}")
        return real

    def answer(self, question: Any) -> dict[str, Any]:
        """Do what is asked; return how many files it was, and what else there is to say."""
        if not isinstance(question, dict):
            raise Refused("the question is no JSON object")
        if "delete" in question:
            return {"files": self.delete(self.below(question["delete"]))}
        if "list" in question:
            folders = self.listing(self.below(question["list"]))
            return {"files": sum(map(len, folders.values())), "folders": folders}
        if "plugins" in question:
            names = self.plugins(self.below(question["plugins"]))
            return {"files": len(names), "names": names}
        to = self.below(question.get("to"))
        if "copy" in question:
            return {"files": self.copy(Path(str(question["copy"])), to)}
        if "unzip" in question:
            return {"files": self.unzip(Path(str(question["unzip"])), to)}
        raise Refused("ask to copy, to unzip, to delete, to list or for plugins")

    def lanes(self, work: Callable[[Any], None], items: list[Any]) -> list[Future[None]]:
        """Do the same to all of a folder's files, by a few threads."""

        def lane(mine: list[Any]) -> None:
            for item in mine:
                work(item)

        return [self.threads.submit(lane, items[start::LANES]) for start in range(min(LANES, len(items)))]

    def copy(self, source: Path, to: Path) -> int:
        if not source.is_dir():
            raise Refused(f"{source} is no folder")
        files: dict[Path, list[Any]] = {}
        for folder, names, found in os.walk(source):
            place = to / os.path.relpath(folder, source)
            for name in names:
                if not os.path.islink(os.path.join(folder, name)):
                    files.setdefault(place / name, [])
            files.setdefault(place, []).extend((Path(folder) / name, place / name) for name in found)

        def one(pair: tuple[Path, Path]) -> None:
            if stat.S_ISREG(pair[0].lstat().st_mode):
                with open(pair[0], "rb", buffering=0) as stream:
                    _write(pair[1], iter(lambda: stream.read(CHUNK), b""))

        return self._lay(to, files, one)

    def unzip(self, archive: Path, to: Path) -> int:
        # One listing for all threads, which lock it while they read: to read it 128 times takes longer than all else.
        with open(archive, "rb") as stream, zipfile.ZipFile(stream) as packed:
            infos = [info for info in packed.infolist() if not info.filename.startswith("__MACOSX/")]
            if sum(info.file_size for info in infos) > LARGEST:
                raise Refused(f"{archive.name} unpacks to more than {LARGEST >> 30} GiB")
            files: dict[Path, list[Any]] = {to: []}
            for info in infos:
                parts = info.filename.replace("\\", "/").strip("/").split("/")
                if info.filename.startswith("/") or any(part in ("", ".", "..") for part in parts):
                    raise Refused(f"{archive.name} holds a path that leaves it")
                if stat.S_ISLNK(info.external_attr >> 16):
                    continue
                for depth in range(1, len(parts) + (1 if info.is_dir() else 0)):
                    files.setdefault(to.joinpath(*parts[:depth]), [])
                if not info.is_dir():
                    place = to.joinpath(*parts)
                    files[place.parent].append((info, place))

            def one(pair: tuple[zipfile.ZipInfo, Path]) -> None:
                with packed.open(pair[0]) as member:
                    _write(pair[1], iter(lambda: member.read(CHUNK), b""))

            return self._lay(to, files, one)

    def _lay(self, to: Path, files: Mapping[Path, list[Any]], one: Callable[[Any], None]) -> int:
        """Create folders, and what belongs into each as soon as it is there. The first failure is raised once all have ended."""
        inside: dict[Path, list[Path]] = {}
        for folder in files:
            if folder != to:
                inside.setdefault(folder.parent, []).append(folder)

        def make(folder: Path) -> Path:
            # Its absence is asked for side by side; mkdir would ask while the next one waits.
            os.path.lexists(folder)
            folder.mkdir(mode=0o755, parents=folder == to, exist_ok=True)
            return folder

        making, writing = {self.threads.submit(make, to)}, []
        try:
            while making:
                done, making = wait(making, return_when=FIRST_COMPLETED)
                for future in done:
                    folder = future.result()
                    making |= {self.threads.submit(make, child) for child in inside.get(folder, [])}
                    writing += self.lanes(one, files[folder])
        finally:
            wait([*making, *writing])
        for future in writing:
            future.result()
        return sum(map(len, files.values()))

    def listing(self, top: Path) -> dict[str, list[tuple[str, int, int, int, int, int]]]:
        """Return for each folder, relative to the given one, what is in it: name, mode, owner, group, size, modified. Refused if there is a link."""

        def look(folder: str) -> tuple[str, list[tuple[str, int, int, int, int, int]]]:
            found = []
            with os.scandir(top / folder) as entries:
                for entry in entries:
                    seen = entry.stat(follow_symlinks=False)
                    if stat.S_ISLNK(seen.st_mode):
                        raise Refused(f"{entry.path} is a link")
                    found.append((entry.name, seen.st_mode, seen.st_uid, seen.st_gid, seen.st_size, int(seen.st_mtime)))
            return folder, found

        if not top.is_dir():
            raise Refused(f"{top} is no folder")
        folders, pending = {}, {self.threads.submit(look, "")}
        try:
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    folder, found = future.result()
                    folders[folder] = found
                    below = [name for name, mode, *_rest in found if stat.S_ISDIR(mode)]
                    pending |= {self.threads.submit(look, f"{folder}/{name}" if folder else name) for name in below}
        finally:
            wait(pending)
        return folders

    def plugins(self, top: Path) -> list[str]:
        """Return which PHP files of a folder, and of those in it, may have a plugin's head, as WordPress looks for it in their first 8 KiB."""

        def look(paths: list[Path]) -> list[str]:
            found = []
            for path in paths:
                with open(path, "rb", buffering=0) as stream:
                    if b"plugin name:" in stream.read(8192).lower():
                        found.append(str(path.relative_to(top)))
            return found

        tree = self.listing(top)
        depth_one = {folder: files for folder, files in tree.items() if "/" not in folder}
        paths = [
            top / folder / name
            for folder, files in depth_one.items()
            for name, mode, *_rest in files
            if name.endswith(".php") and not name.startswith(".") and stat.S_ISREG(mode)
        ]
        return [
            name
            for names in self.threads.map(look, [paths[lane::THREADS] for lane in range(THREADS)])
            for name in names
        ]

    def delete(self, top: Path) -> int:
        if not top.is_dir() or top.is_symlink():
            raise Refused(f"{top} is no folder")

        def look(folder: Path) -> tuple[Path, list[Path], list[Path]]:
            folders: list[Path] = []
            files: list[Path] = []
            with os.scandir(folder) as entries:
                for entry in entries:
                    (folders if entry.is_dir(follow_symlinks=False) else files).append(folder / entry.name)
            return folder, folders, files

        def gone(path: Path) -> None:
            path.unlink(missing_ok=True)

        looking, removing = {self.threads.submit(look, top)}, []
        found: dict[Path, list[Path]] = {}
        count = 0
        try:
            while looking:
                done, looking = wait(looking, return_when=FIRST_COMPLETED)
                for future in done:
                    folder, folders, files = future.result()
                    found[folder] = folders
                    count += len(files)
                    looking |= {self.threads.submit(look, path) for path in folders}
                    removing += self.lanes(gone, files)
        finally:
            wait([*looking, *removing])
        for future in removing:
            future.result()
        for depth in sorted({len(path.parts) for path in found}, reverse=True):
            list(self.threads.map(os.rmdir, [path for path in found if len(path.parts) == depth]))
        return count


def _write(path: Path, content: Iterator[bytes]) -> None:
    """Write a file with as few calls as can be. What the file server says at the close, that it is full, is not lost."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        for part in content:
            left = memoryview(part)
            while left:
                left = left[os.write(descriptor, left) :]
    finally:
        os.close(descriptor)


def serve(connection: socket.socket, copier: Copier) -> None:
    """Answer one question."""
    started = time.monotonic()
    with connection:
        connection.settimeout(10)
        try:
            text = b""
            while b"\n" not in text and len(text) < LONGEST_QUESTION:
                part = connection.recv(LONGEST_QUESTION)
                if not part:
                    break
                text += part
            said = {"ok": True} | copier.answer(json.loads(text)) | {"seconds": round(time.monotonic() - started, 3)}
        except (Refused, OSError, ValueError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
            said = {"ok": False, "error": str(error) or type(error).__name__}
        shown = {name: value for name, value in said.items() if name not in ("folders", "names")}
        print(f"copy: {json.dumps(shown)}", flush=True)
        try:
            connection.sendall(json.dumps(said).encode() + b"\n")
        except OSError:
            pass  # nobody waits any more


def main() -> int:
    os.umask(0o022)  # a file is 0644 when it is created: to say so afterwards would be one more round trip
    config = json.loads(CONFIG.read_text(encoding="utf-8"))
    copier = Copier(Path(config["shared"]) / "site")
    listener = socket.socket(fileno=3)  # systemd's first socket
    listener.settimeout(IDLE_SECONDS)
    workers: list[threading.Thread] = []
    while True:
        try:
            connection, _address = listener.accept()
        except TimeoutError:
            if any(worker.is_alive() for worker in workers):
                continue
            return 0
        workers = [worker for worker in workers if worker.is_alive()]
        workers.append(threading.Thread(target=serve, args=(connection, copier)))
        workers[-1].start()


if __name__ == "__main__":
    sys.exit(main())
