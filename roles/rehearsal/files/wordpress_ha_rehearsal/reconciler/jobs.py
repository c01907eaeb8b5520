# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Slow work beside the loop: jobs by name in a few threads, never two of one name at once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

LOG = logging.getLogger("reconciler")


class Jobs:
    """Named jobs. A failed job is told in the log and may be tried again after a pause that grows to RETRY_MAXIMUM s."""

    RETRY_FIRST, RETRY_MAXIMUM = 1.0, 30.0

    def __init__(self, workers: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool, self._clock, self._lock = ThreadPoolExecutor(workers, "job"), clock, threading.Lock()
        self._active: set[str] = set()
        self._blocked: dict[str, tuple[float, float]] = {}
        #: When the last job of a name ended (monotonic seconds).
        self.finished: dict[str, float] = {}
        self.wake = threading.Event()

    def busy(self, name: str) -> bool:
        """Return whether a job of this name runs, or has failed a moment ago."""
        with self._lock:
            return name in self._active or self._blocked.get(name, (0.0, 0.0))[0] > self._clock()

    def submit(self, name: str, work: Callable[[], None], said: str = "") -> bool:
        """Start a job unless one of this name is busy; return whether it was started. ``said`` is logged when it is done."""
        if self.busy(name):
            return False
        with self._lock:
            self._active.add(name)
        self._pool.submit(self._run, name, work, said)
        return True

    def _run(self, name: str, work: Callable[[], None], said: str) -> None:
        started, pause = self._clock(), 0.0
        try:
            work()
            if said:
                LOG.info("%s (%.1f s)", said, self._clock() - started)
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            pause = min(self._blocked.get(name, (0.0, self.RETRY_FIRST / 2))[1] * 2, self.RETRY_MAXIMUM)
            LOG.error("%s failed, next try in %.0f s: %s", said or name, pause, error)
        with self._lock:
            self._active.discard(name)
            if pause:
                self._blocked[name] = (self._clock() + pause, pause)
            else:
                self._blocked.pop(name, None)
            self.finished[name] = self._clock()
        self.wake.set()

    def close(self) -> None:
        """Let running jobs end, start none."""
        self._pool.shutdown(wait=True, cancel_futures=True)
