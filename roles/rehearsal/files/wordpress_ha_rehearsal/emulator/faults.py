# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let a share of all calls fail as AWS fails them: throttled, broken before they took effect, or broken after it.

The last is the awkward one: what was asked for exists, and whoever asked does not know. It is answered as a write that
failed before its effect is, so that a client can only find out by looking.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

from . import errors
from .operations import Operation, protocol_of

THROTTLED, BEFORE, AFTER = "throttled", "broken before", "broken after"

#: How services say "not so fast", where it is not what others of their protocol say: code and HTTP status.
_THROTTLING = {
    "ec2": ("RequestLimitExceeded", 503),
    "s3": ("SlowDown", 503),
    "efs": ("TooManyRequests", 429),
    "lambda": ("TooManyRequestsException", 429),
    "sns": ("Throttled", 429),
}
_THROTTLING_OF_PROTOCOL = {"query": ("Throttling", 400), "rest-xml": ("Throttling", 400)}
_THROTTLING_OTHERWISE = ("ThrottlingException", 400)
#: What they say when something broke inside; one of them, by lot.
_BROKEN = {
    "ec2": (("InternalError", 500), ("Unavailable", 503)),
    "s3": (("InternalError", 500), ("ServiceUnavailable", 503)),
    "efs": (("InternalServerError", 500), ("ServiceUnavailableException", 503)),
}
_BROKEN_OTHERWISE = (("InternalFailure", 500), ("ServiceUnavailable", 503))
_REASONS = {400: "Bad Request", 429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}


class Faults:
    """What goes wrong, and what went wrong so far; nothing does until ``configure``."""

    def __init__(self) -> None:
        self.throttle = self.error = 0.0
        self.only: frozenset[str] = frozenset()
        self.spared: frozenset[str] = frozenset()
        self.counts: Counter[str] = Counter()
        self._lot = random.Random(0)

    def configure(self, wanted: Mapping[str, Any]) -> None:
        """Begin anew: ``throttle`` and ``error`` are shares of all calls, ``seed`` makes them the same ones again.

        ``only`` and ``except`` are lists of services (``ec2``) or calls (``ec2:CreateVpc``). ValueError says what is wrong.
        """
        unknown = set(wanted) - {"throttle", "error", "seed", "only", "except"}
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        shares = [float(wanted.get(name, 0)) for name in ("throttle", "error")]
        if min(shares) < 0 or sum(shares) > 1:
            raise ValueError(f"throttle and error are {shares}: give shares that sum up to 1 at most")
        for name in ("only", "except"):
            if not isinstance(wanted.get(name, []), list):
                raise ValueError(f"{name} is {wanted[name]!r}: give a list")
        self.throttle, self.error = shares
        self.only = frozenset(wanted.get("only", ()))
        self.spared = frozenset(wanted.get("except", ()))
        self.counts = Counter()
        self._lot = random.Random(int(wanted.get("seed", 0)))

    def state(self) -> dict[str, Any]:
        """Return the shares, and how many calls met which fault."""
        return {"throttle": self.throttle, "error": self.error, "counts": dict(self.counts)}

    def draw(self, operation: Operation) -> str | None:
        """Say what is to happen to a call: nothing, or one of the faults."""
        if not (self.throttle or self.error):
            return None
        names = {operation.service, operation.name}
        if (self.only and not names & self.only) or names & self.spared:
            return None
        drawn = self._lot.random()
        if drawn < self.throttle:
            fault = THROTTLED
        elif drawn < self.throttle + self.error:
            fault = self._lot.choice((BEFORE, AFTER)) if operation.write else BEFORE
        else:
            return None
        self.counts[fault] += 1
        return fault

    def answer(self, fault: str, operation: Operation, content_type: str) -> errors.Answer:
        """Return the error that the service answers with."""
        if fault == THROTTLED:
            protocol = protocol_of(operation.service)
            other = _THROTTLING_OF_PROTOCOL.get(protocol, _THROTTLING_OTHERWISE)
            code, status = _THROTTLING.get(operation.service, other)
            message = "Rate exceeded"
        else:
            code, status = self._lot.choice(_BROKEN.get(operation.service, _BROKEN_OTHERWISE))
            message = "An internal error has occurred. Try your request again."
        return errors.error(operation, f"{status} {_REASONS[status]}", code, message, content_type)
