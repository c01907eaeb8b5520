# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The call log: one JSON line per AWS call. Tests count calls with it and prove that nothing was written.

Bodies, parameters and headers are never logged, so no secret can be. An error is logged by its code alone.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .operations import Operation

_CODES = (
    re.compile(rb"<Code>([^<]{1,100})</Code>"),
    re.compile(rb'"__type"\s*:\s*"(?:[^"#]*#)?([^"]{1,100})"'),
)


class CallLog:
    """Append calls to a file; one line is one write, so readers never see half a line of a finished call."""

    def __init__(self, path: str | Path | None) -> None:
        self._lock = threading.Lock()
        self._file = open(path, "a", encoding="utf-8", buffering=1) if path else None  # noqa: SIM115

    def add(
        self,
        operation: Operation,
        status: str,
        user_agent: str,
        seconds: float,
        error: str | None,
        *,
        fault: str | None = None,
    ) -> None:
        """Write one line; ``status`` is the HTTP status line, ``seconds`` the time the answer took.

        ``fault`` is what was made to go wrong: ``broken after`` says that the call took effect although it failed.
        """
        if self._file is None:
            return
        record: dict[str, Any] = {
            "time": round(time.time(), 3),
            "service": operation.service,
            "action": operation.action,
            "write": operation.write,
            "status": int(status.split(" ", 1)[0]),
            "user_agent": user_agent[:200],
            "ms": round(seconds * 1000, 1),
        }
        if error:
            record["error"] = error
        if fault:
            record["fault"] = fault
        with self._lock:
            self._file.write(json.dumps(record) + "\n")


def error_code(status: str, headers: Iterable[tuple[str, str]], body: bytes) -> str | None:
    """Return the AWS error code of an answer, its status if it names none, None if it is no error."""
    if status < "400":
        return None
    for name, value in headers:
        if name.lower() == "x-amzn-errortype":
            return value.split(":", 1)[0]
    for pattern in _CODES:
        found = pattern.search(body)
        if found:
            return found[1].decode("utf-8", "replace")
    return status


def read(path: str | Path) -> Iterator[dict[str, Any]]:
    """Yield the calls of a log file; a line still being written is left out."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield json.loads(line)
