# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build slow_files.c and hold a mount of it: on this machine, or inside a container that has /dev/fuse and SYS_ADMIN.

with SlowFiles(source, mountpoint, delay_us=1000) as files:
    files.reset()
    ...
    assert files.counters()["total"] == 0, files.recent()

python tests/lab/slow_files.py            builds it and prints where the program is
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "slow_files.c"
BUILT = HERE.parent.parent / ".ansible" / "lab"
PACKAGES = ("gcc", "libc6-dev", "libfuse3-dev", "pkg-config")
BUILD_SECONDS = 120
MOUNT_SECONDS = 10


def build() -> Path:
    """Return the program, made once per version of its source; static, so that it runs in a node of any Debian.

    Raises RuntimeError with what to install when this machine cannot compile it.
    """
    program = BUILT / f"slow_files-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]}"
    if program.exists():
        return program
    if not _can_compile() and os.geteuid() == 0 and shutil.which("apt-get"):
        install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES]
        subprocess.run(["apt-get", "update", "-q"], check=False, capture_output=True)
        subprocess.run(
            install, check=False, capture_output=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        )
    if not _can_compile():
        raise RuntimeError(f"slow_files needs a C compiler and libfuse 3: apt-get install {' '.join(PACKAGES)}")
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "--static", "fuse3"], check=True, capture_output=True, text=True
    ).stdout.split()
    BUILT.mkdir(parents=True, exist_ok=True)
    unfinished = program.with_suffix(f".{os.getpid()}")
    command = [
        "gcc",
        "-O2",
        "-Wall",
        "-Wextra",
        "-static",
        "-Wl,--wrap=writev",
        "-o",
        str(unfinished),
        str(SOURCE),
        *flags,
    ]
    made = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    if made.returncode:
        raise RuntimeError(f"slow_files does not compile:\n{made.stderr}")
    unfinished.rename(program)
    return program


def _can_compile() -> bool:
    if not shutil.which("gcc") or not shutil.which("pkg-config"):
        return False
    return subprocess.run(["pkg-config", "--exists", "fuse3 >= 3.12"], check=False, capture_output=True).returncode == 0


class SlowFiles:
    """A mount of `source` at `mountpoint`; delay_us is waited before each operation.

    `attributes` and `entries` are the seconds for which the kernel may answer from what it knows; with 0 every touch of a
    path is an operation, which is what a claim of "none at all" wants. `inside` is the command that runs another one where
    the mount shall be, such as ("podman", "exec", "node"); `program` is then the path of slow_files there.
    """

    def __init__(
        self,
        source: str | Path,
        mountpoint: str | Path,
        delay_us: int = 0,
        *,
        attributes: float = 3,
        entries: float = 30,
        inside: Sequence[str] = (),
        program: str | Path | None = None,
    ) -> None:
        self.source, self.mountpoint = str(source), str(mountpoint)
        self._inside = tuple(inside)
        self._program = str(program or build())
        self._control = f"/tmp/slow_files.{hashlib.sha256(self.mountpoint.encode()).hexdigest()[:12]}"
        self._options = (
            f"--delay-us={delay_us}",
            f"--attributes={attributes}",
            f"--entries={entries}",
            f"--control={self._control}",
        )

    def __enter__(self) -> SlowFiles:
        self._run(self._program, *self._options, "--background", self.source, self.mountpoint)
        end = time.monotonic() + MOUNT_SECONDS
        while True:
            try:
                self.counters()
                return self
            except RuntimeError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ask("resume")
        self._run("umount", "--lazy", self.mountpoint)

    def counters(self) -> dict:
        """Operations by name, their total, microseconds waited, bytes each way, since the last reset."""
        return self._ask("counters")

    def total(self) -> int:
        """How many operations there were since the last reset."""
        return self.counters()["total"]

    def reset(self) -> None:
        """Set the counters to nought and forget which paths were touched."""
        self._ask("reset")

    def recent(self) -> list[list[str]]:
        """The last 4096 operations, oldest first, each with its path below the mount."""
        return self._ask("recent")

    def delay(self, microseconds: int) -> None:
        """Wait so long before each operation from now on."""
        self._ask("delay", str(microseconds))

    def hang(self) -> None:
        """Answer nothing until `resume`: a file server that is gone, as a hard NFS mount sees it."""
        self._ask("hang")

    def resume(self) -> None:
        """Answer again, first what waited."""
        self._ask("resume")

    def _ask(self, *command: str):
        return json.loads(self._run(self._program, "ctl", self._control, *command))

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            [*self._inside, *command], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout


if __name__ == "__main__":
    try:
        print(build())
    except RuntimeError as problem:
        sys.exit(str(problem))
