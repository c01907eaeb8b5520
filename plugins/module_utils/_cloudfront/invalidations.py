# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which paths to invalidate with one call: checked, each once, few (P35). Pure; nothing but the standard library.

CloudFront charges by path and takes 3,000 at a time, 15 of them with a wildcard. A wildcard is an asterisk at the end and stands
for any rest, slashes included.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

#: AWS's limits for one distribution: paths in progress, those of them with a wildcard, characters of a path.
MOST_PATHS, MOST_WILDCARDS, LONGEST = 3000, 15, 4000
EVERYTHING = "/*"
#: Printable ASCII stays as it is: CloudFront wants the rest percent-encoded and finds nothing when more is.
_KEPT = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"<>\\^`{|}#')
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")


class Invalid(ValueError):
    """A path that cannot be invalidated; the message says which and why."""


def normalised(path: str) -> str:
    """Return a path as CloudFront wants it: from the root, everything but printable ASCII percent-encoded.

    :raises Invalid: it is empty, a URL, has a fragment, a wildcard that is not at its end, or is too long.
    """
    text = path.strip()
    if not text:
        raise Invalid("is empty: give a path such as /about/ or /*.")
    if _URL.match(text) or text.startswith("//"):
        raise Invalid(f"is {path!r}, a whole URL: give its path alone, from the first slash after the host.")
    if "#" in text:
        raise Invalid(f"is {path!r}: browsers never send what follows #. Leave it out.")
    if "*" in text[:-1]:
        raise Invalid(
            f"is {path!r}: CloudFront takes a wildcard at the end only. Shorten the path to what precedes it."
        )
    try:
        encoded = quote(text if text.startswith("/") else f"/{text}", safe=_KEPT)
    except UnicodeEncodeError as error:
        raise Invalid(f"is {path!r}, which is no text.") from error
    if len(encoded) > LONGEST:
        raise Invalid(f"has {len(encoded)} characters: CloudFront takes {LONGEST}. Name its directory with a wildcard.")
    return encoded


def covers(pattern: str, path: str) -> bool:
    """Tell whether whatever ``path`` (which may have a wildcard itself) invalidates, ``pattern`` invalidates too."""
    if pattern.endswith("*"):
        return path.startswith(pattern[:-1])
    return pattern == path


def deduplicated(paths: Iterable[str]) -> list[str]:
    """Return the paths once each, sorted, without those that a wildcard among them covers."""
    every = set(paths)
    covered = {path[:-1] for path in every if path.endswith("*")}
    # Looking up each beginning of a path is linear where comparing all pairs takes seconds for thousands of paths.
    return sorted(
        path
        for path in every
        if not any(path[:end] in covered for end in range(len(path) - path.endswith("*")))
        and (path.endswith("*") or path not in covered)
    )


def collapsed(paths: Iterable[str], most: int = MOST_PATHS) -> list[str]:
    """Return at most ``most`` paths that cover all the given ones, at most 15 of them with a wildcard.

    While there are too many, the fullest of the deepest directories become one wildcard each, in the end the whole site.
    """
    result = deduplicated(paths)
    depth = max((path.count("/") for path in result), default=0)
    while depth > 0 and _too_many(result, most):
        for directory in _directories(result, depth):
            result = deduplicated([*result, f"{directory}*"])
            if not _too_many(result, most):
                break
        depth -= 1
    return result


def _too_many(paths: Sequence[str], most: int) -> bool:
    return len(paths) > most or sum(path.endswith("*") for path in paths) > MOST_WILDCARDS


def _directories(paths: Sequence[str], depth: int) -> list[str]:
    """Return the directories with that many slashes in which there is more than one path, the fullest first."""
    counts: dict[str, int] = {}
    for path in paths:
        parts = path.split("/")
        if len(parts) > depth:
            directory = "/".join(parts[:depth]) + "/"
            counts[directory] = counts.get(directory, 0) + 1
    return sorted((name for name, count in counts.items() if count > 1), key=lambda name: (-counts[name], name))


def caller_reference(distribution: str, paths: Iterable[str], salt: str = "") -> str:
    """Return the name of an invalidation that is the same for the same paths, distribution and salt."""
    text = "\n".join([distribution, salt, *sorted(paths)])
    return f"wordpress_ha/{hashlib.sha256(text.encode()).hexdigest()}"


def batch(paths: Sequence[str], reference: str) -> dict[str, object]:
    """Return the parameter InvalidationBatch of the call."""
    return {"Paths": {"Quantity": len(paths), "Items": list(paths)}, "CallerReference": reference}
