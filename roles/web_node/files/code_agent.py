# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep the code that this node's visitors run the same as the fleet's: poll the marker once a second, copy what differs, switch.

One node of the fleet, whoever holds a lock on the shared files, also looks for what no marker tells of: files brought by SFTP or by
hand. An outage of the shared files changes nothing: the tree that is live stays live.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from code_files import Entries, Moving, Seen, differing, names
from code_node import Node, NotNow, log
from code_opcache import NoAnswer
from code_trees import Manifest, NoSpace, write_whole

CONFIG = Path("/etc/wordpress_ha/agent.json")
POLL_SECONDS = 1.0
REMEMBER_SECONDS = 300.0
TIDY_SECONDS = 5.0
#: Seconds after this node's switch in which the others have switched too.
FLEET_SECONDS = 5.0
#: Seconds after which the marker is read whatever a look told: two of them within a tick of the server's clock look the same.
READ_SECONDS = 15.0
#: Every tenth scan looks at WordPress's own 3,300 files too: each look is a request that EFS counts as 4 KiB read.
WHOLE_SCAN_EVERY = 10
#: With more changed paths than that nodes look at everything.
MOST_PATHS = 200
CORE = ("wp-admin", "wp-includes")


class Scanner:
    """The one look of the fleet at all code on the shared files."""

    def __init__(self, node: Node, seconds: float) -> None:
        self.node = node
        self.seconds = seconds
        self.next = time.monotonic() + seconds
        self.before: Entries | None = None
        self.count = 0
        self._lock: int | None = None
        self._thread = ThreadPoolExecutor(1)
        self._looking: tuple[Manifest, Future[Entries]] | None = None

    def elected(self) -> bool:
        """Tell whether this node is the one that scans; it stays so while it lives."""
        if self._lock is not None:
            return True
        with self.node.reader.rights():
            descriptor = os.open(self.node.state / "scan.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o664)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            raise
        self._lock = descriptor
        log("this node looks for code that was brought without WordPress")
        return True

    def due(self) -> None:
        """Scan if it is time, beside what else is to be done. What differs from the live tree, twice the same, is a new generation."""
        if self._looking:
            known, future = self._looking
            if future.done():
                self._looking = None
                self._judge(known, future.result())
            return
        if self.seconds <= 0 or time.monotonic() < self.next:
            return
        self.next = time.monotonic() + self.seconds
        if self.elected():
            live = self.node.live()
            if live and self._quiet(live):
                self._looking = (live, self._thread.submit(self._look, live.entries))

    def _quiet(self, live: Manifest) -> bool:
        """Tell whether nobody is known to change code, and this node has all that is known to be changed."""
        if live.release or self.node.marker().generation != live.generation:
            return False
        return not self.node.changing() and self.node.site.whole()

    def _judge(self, known: Manifest, entries: Entries) -> None:
        differ = differing(known.entries, entries)
        if self.node.live() is not known or not self._quiet(known):
            self.before = None
        elif differ and entries == self.before:
            self.node.mark(differ if len(differ) <= MOST_PATHS else [], "scan", known.generation)
            log(f"{len(differ)} paths were changed without WordPress, {differ[0]} among them")
            self.before = None
        else:
            self.before = entries if differ else None

    def _look(self, known: Entries) -> Entries:
        """Look at all that people bring; at WordPress's own files seldom, and whenever anything else differs."""
        self.count += 1
        if self.before is None and self.count % WHOLE_SCAN_EVERY:
            with self.node.reader.rights():
                found = [name for name in names(str(self.node.truth)) if name not in CORE]
            gone = [path for path in known if "/" not in path and path not in CORE and path not in found]
            entries = self.node.site.entries_after(known, found + gone)
            if entries is None or not differing(known, entries):
                return known
        return self.node.site.entries()


class Agent:
    """What is done again and again, in the mode that the contract names."""

    def __init__(self, config: dict[str, Any], mode: str) -> None:
        self.node = Node(config)
        self.mode = mode
        self.run_dir = Path(config["run_dir"])
        self.scanner = Scanner(self.node, float(config["scan_seconds"]))
        self.marker = {"replica": "generation", "release": "release"}.get(mode, "")
        self.seen: tuple[Seen | None, Seen | None] | None = None
        self.pending = True
        self.reason = ""
        self.stopping = False
        self.flushing: Future[None] | None = None
        self._next_tidy = 0.0
        self._next_read = 0.0
        self._next_remember = time.monotonic() + 60
        self._purge_at = 0.0

    def step(self) -> None:
        """Do what is due now. NotNow, Moving, NoSpace or OSError: it is tried again."""
        now = time.monotonic()
        if self.marker:
            seen = self.node.seen(self.marker)
            if seen != self.seen or self.pending or now >= self._next_read:
                self._next_read = now + READ_SECONDS
                self.pending = True
                with self.node.trees.lock():
                    switched = self.node.follow() if self.mode == "replica" else self.node.release()
                self.seen, self.pending = seen, False
                if switched:
                    self._next_tidy = 0.0
                    self._purge_at = now + FLEET_SECONDS
            if self.mode == "replica":
                self.scanner.due()
            if now >= self._next_tidy:
                self._next_tidy = now + TIDY_SECONDS
                self.node.tidy()
                if self.flushing is None or self.flushing.done():
                    self.flushing = self.node.site.threads.submit(self.node.trees.flush)
            if self._purge_at and now >= self._purge_at:
                self._purge_at = 0.0
                self.purge()
        if now >= self._next_remember:
            self._next_remember = now + REMEMBER_SECONDS
            self.node.remember()

    def purge(self) -> None:
        """Have the edge fetch all anew: until its switch this node may have answered for the new version's address with the old content.

        WordPress does so too, at once after a change; that is before the nodes have it.
        """
        spool = self.run_dir / "purge"
        if spool.is_dir():
            write_whole(spool / f"{os.urandom(12).hex()}.json", json.dumps({"paths": ["/*"]}), 0o640)

    def tell(self, reason: str) -> None:
        """Say once why nothing moves, and keep it where people and the health check look."""
        if reason and reason != self.reason:
            log(f"waiting: {reason}")
        if not reason and self.reason:
            log("going on")
        live = self.node.live()
        state = {
            "mode": self.mode,
            "tree": live.name if live and self.marker else "",
            "generation": live.generation if live and self.marker else "",
            "release": live.release if live and self.marker else "",
            "waiting": reason,
        }
        text = json.dumps(state, sort_keys=True) + "\n"
        path = self.run_dir / "code.json"
        if reason != self.reason or not path.exists() or path.read_text(encoding="utf-8") != text:
            write_whole(path, text)
        self.reason = reason

    def run(self) -> None:
        while not self.stopping:
            started = time.monotonic()
            try:
                self.step()
                self.tell("")
            except NotNow as reason:
                self.tell(str(reason))
            except Moving as path:
                self.tell(f"{path} changed while it was copied")
            except (NoSpace, NoAnswer, OSError) as error:
                self.tell(str(error))
            time.sleep(max(0.05, POLL_SECONDS - (time.monotonic() - started)))
        self.node.remember()


def main(arguments: list[str]) -> int:
    path = Path(arguments[0]) if arguments else CONFIG
    config = json.loads(path.read_text(encoding="utf-8"))
    try:
        contract = json.loads((Path(config["run_dir"]) / "contract.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        print(f"code: the boot agent has not read the contract: {error}", file=sys.stderr)
        return 75
    agent = Agent(config, contract["storage"]["mode"])
    with agent.node.trees.lock():
        left = agent.node.trees.clean()
    if left:
        log(f"removed what a killed copy left: {', '.join(left)}")

    def stop(_number: int, _frame: object) -> None:
        agent.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    agent.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
