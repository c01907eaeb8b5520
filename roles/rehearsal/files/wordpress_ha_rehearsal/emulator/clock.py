# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time of the controllers: delays of the emulated AWS are measured with it, so that tests need not wait."""

from __future__ import annotations

import time


class Clock:
    """Seconds that never go back; ``advance`` makes them jump."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Return the time in seconds since an arbitrary start."""
        return time.monotonic() + self._ahead

    def wall(self) -> float:
        """Return the time of day in seconds since 1970, which jumps likewise."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Jump forward, so that whatever was due in this time is due now."""
        self._ahead += seconds
