# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write many files to the shared files at once: one after the other, as PHP does, a plugin of 1,000 files takes 1,000 round trips and more.

PHP asks on a socket, one JSON object per connection and line: ``{"copy": folder, "to": folder}``, ``{"unzip": archive, "to": folder}`` or
``{"delete": folder}``. The answer is ``{"ok": true, "files": 12, "seconds": 0.3}`` or ``{"ok": false, "error": "..."}``. It runs as PHP's user:
whoever speaks to it can do no more than before, and it writes below the shared document root alone.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

CONFIG = Path("/etc/wordpress_ha/agent.json")
THREADS = 48
#: Seconds without a question after which it ends; systemd starts it with the next one.
IDLE_SECONDS = 120.0
LONGEST_QUESTION = 64 * 1024
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

    def answer(self, question: Any) -> int:
        """Do what is asked; return how many files it was."""
        if not isinstance(question, dict):
            raise Refused("the question is no JSON object")
        if "delete" in question:
            return self.delete(self.below(question["delete"]))
        to = self.below(question.get("to"))
        if "copy" in question:
            return self.copy(Path(str(question["copy"])), to)
        if "unzip" in question:
            return self.unzip(Path(str(question["unzip"])), to)
        raise Refused("ask to copy, to unzip or to delete")

    def each(self, work: Callable[[Any], None], items: Iterable[Any]) -> int:
        """Do the same to many at once; return how many. The first failure is raised once all have ended."""
        return sum(1 for _done in list(self.threads.map(work, items)))

    def copy(self, source: Path, to: Path) -> int:
        folders, files = [to], []
        for folder, names, found in os.walk(source):
            place = to / os.path.relpath(folder, source)
            folders += [place / name for name in names if not os.path.islink(os.path.join(folder, name))]
            files += [(Path(folder) / name, place / name) for name in found]
        if not source.is_dir():
            raise Refused(f"{source} is no folder")
        self._make(folders)

        def one(pair: tuple[Path, Path]) -> None:
            if not stat.S_ISREG(pair[0].lstat().st_mode):
                return
            shutil.copyfile(pair[0], pair[1], follow_symlinks=False)

        return self.each(one, files)

    def unzip(self, archive: Path, to: Path) -> int:
        local = threading.local()
        with zipfile.ZipFile(archive) as listing:
            infos = [info for info in listing.infolist() if not info.filename.startswith("__MACOSX/")]
        if sum(info.file_size for info in infos) > LARGEST:
            raise Refused(f"{archive.name} unpacks to more than {LARGEST >> 30} GiB")
        folders, files = {to}, []
        for info in infos:
            parts = info.filename.replace("\\", "/").strip("/").split("/")
            if info.filename.startswith("/") or any(part in ("", ".", "..") for part in parts):
                raise Refused(f"{archive.name} holds a path that leaves it")
            if stat.S_ISLNK(info.external_attr >> 16):
                continue
            last = len(parts) + (1 if info.is_dir() else 0)
            folders |= {to.joinpath(*parts[:depth]) for depth in range(1, last)}
            if not info.is_dir():
                files.append((info, to.joinpath(*parts)))
        self._make(folders)

        def one(pair: tuple[zipfile.ZipInfo, Path]) -> None:
            if not hasattr(local, "zip"):
                local.zip = zipfile.ZipFile(archive)
            with local.zip.open(pair[0]) as packed, open(pair[1], "wb") as stream:
                shutil.copyfileobj(packed, stream, 1 << 20)

        return self.each(one, files)

    def delete(self, folder: Path) -> int:
        if not folder.is_dir() or folder.is_symlink():
            raise Refused(f"{folder} is no folder")
        files, folders = [], [folder]
        for place, names, found in os.walk(folder):
            links = [name for name in names if os.path.islink(os.path.join(place, name))]
            folders += [Path(place) / name for name in names if name not in links]
            files += [Path(place) / name for name in found + links]
        count = self.each(lambda path: path.unlink(missing_ok=True), files)
        for depth in sorted({len(path.parts) for path in folders}, reverse=True):
            self.each(os.rmdir, [path for path in folders if len(path.parts) == depth])
        return count

    def _make(self, folders: Iterable[Path]) -> None:
        """Create folders, each level at once."""
        wanted = set(folders)
        for depth in sorted({len(path.parts) for path in wanted}):
            level = [path for path in wanted if len(path.parts) == depth]
            self.each(lambda path: path.mkdir(mode=0o755, parents=True, exist_ok=True), level)


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
            files = copier.answer(json.loads(text))
            said: dict[str, Any] = {"ok": True, "files": files, "seconds": round(time.monotonic() - started, 3)}
        except (Refused, OSError, ValueError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
            said = {"ok": False, "error": str(error) or type(error).__name__}
        print(f"copy: {json.dumps(said)}", flush=True)
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
