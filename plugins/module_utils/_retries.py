# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a call to AWS is made again, for every call of a client, those of paginators and waiters among them.

- What was throttled, or never arrived, had no effect: it is made again, a few times, after growing and random pauses.
- A reading call that broke inside AWS, or whose answer was lost, is made again in the same way.
- A writing call of that kind may have had its effect. To make it again would make a second VPC, or meet "already exists".
  It raises ``Unanswered`` instead, and who planned it reads and plans anew, as after a kill.

This stands in the place of botocore's own retries, which know no such difference: ``AWS_MAX_ATTEMPTS`` changes nothing here.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

try:
    from botocore import exceptions
except ImportError:  # AnsibleAWSModule reports the missing library
    pass

from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

#: Codes that mean "not so fast": the call had no effect.
THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
#: Codes of trouble inside AWS that some services answer with a status below 500.
BROKEN = frozenset({"InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable", "RequestTimeout"})
#: Names of operations that change nothing begin with one of these.
READING = ("BatchGet", "Check", "Describe", "Get", "Head", "List", "Lookup", "Search", "Simulate", "Validate")

ATTEMPTS = 9  # of a call that AWS answers; the pauses between them add up to half a minute, to one at most
CONNECTIONS = 5  # of a call that finds nobody to answer
SHORTEST, LONGEST = 0.5, 16.0  # seconds: the bounds of the first pause and of any
NOT_IMPLEMENTED = 501  # what the emulator does not know stays unknown


class Unanswered(Exception):
    """A writing call ended in such a way that nobody knows whether it took effect; ``error`` is how it ended."""

    def __init__(self, call: str, error: Exception) -> None:
        super().__init__(f"{call}: {error}")
        self.error = error


def until_answered(call: Callable[..., Any], **arguments: Any) -> Any:
    """Make a writing call again until it is answered, a few times at most: one that AWS knows again by a token of ours."""
    for attempt in range(1, CONNECTIONS + 1):
        try:
            return call(**arguments, aws_retry=True)
        except Unanswered as lost:
            if attempt == CONNECTIONS:
                raise lost.error from lost
        time.sleep(random.uniform(0, SHORTEST * 2**attempt))
    return None


class Settling(AWSRetry):
    """Repeats calls on the given codes alone: what AWS answers while something else is under way."""

    @staticmethod
    def found(response_code: str, catch_extra_error_codes: Sequence[str] | None = None) -> bool:
        return response_code in (catch_extra_error_codes or ())


def decorator(retried: Sequence[str] = ()) -> Any:
    """Return what amazon.aws's client wrapper applies to calls with ``aws_retry=True``: patience with further codes."""
    return Settling.jittered_backoff(retries=8, delay=1, max_delay=20, catch_extra_error_codes=list(retried))


def install(client: Any) -> None:
    """Let a boto3 client make calls again by these rules alone."""
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.unregister(f"needs-retry.{service}", unique_id=f"retry-config-{service}")
    client.meta.events.register(f"needs-retry.{service}", _again, unique_id=f"wordpress_ha-retries-{service}")


def _again(
    operation: Any, attempts: int, response: Any = None, caught_exception: Any = None, **_context: Any
) -> int | None:
    """Pause and return 0 where botocore is to make a call again, else None; it asks after each attempt."""
    kind = _kind(response, caught_exception)
    if kind is None:
        return None
    if kind == "broken" and not operation.name.startswith(READING):
        call = f"{operation.service_model.service_name}:{operation.name}"
        raise Unanswered(call, caught_exception or exceptions.ClientError(response[1], operation.name))
    if attempts >= (CONNECTIONS if caught_exception else ATTEMPTS):
        return None
    time.sleep(random.uniform(0, min(LONGEST, SHORTEST * 2 ** (attempts - 1))))
    return 0


def _kind(response: Any, caught_exception: Any) -> str | None:
    """Say of an attempt whether it had no effect (``throttled``), or perhaps one (``broken``); None: that is the answer."""
    if caught_exception is not None:
        if isinstance(
            caught_exception,
            (exceptions.ConnectTimeoutError, exceptions.EndpointConnectionError, exceptions.ProxyConnectionError),
        ):
            return "throttled"
        if isinstance(caught_exception, exceptions.SSLError):
            return None
        lost = (exceptions.HTTPClientError, exceptions.ResponseStreamingError)
        return "broken" if isinstance(caught_exception, lost) else None
    _http, parsed = response
    code = str(parsed.get("Error", {}).get("Code", "")) if isinstance(parsed, dict) else ""
    if code in THROTTLED:
        return "throttled"
    status = parsed.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) if isinstance(parsed, dict) else 0
    if status == NOT_IMPLEMENTED:
        return None
    return "broken" if status >= 500 or code in BROKEN else None
