# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wildcard patterns as CloudFront uses them: ``*`` stands for any characters (slashes too, or none), ``?`` for exactly one.

Path patterns, cookie names and alternate domain names are all compared by these rules. Pure.
"""

from __future__ import annotations

import functools
import re

#: Where deciding a containment would take more steps than this, it counts as not contained: a lint must stay quick.
MOST_STEPS = 20000


def normal(path_pattern: str) -> str:
    """Return a path pattern without its leading slash, which CloudFront does not distinguish."""
    return path_pattern.removeprefix("/")


@functools.lru_cache(maxsize=512)
def _expression(pattern: str) -> re.Pattern[str]:
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.compile("".join(parts), re.DOTALL)


def matches(pattern: str, text: str) -> bool:
    """Tell whether a pattern matches a whole text; letters are case-sensitive, as in path patterns and cookie names."""
    return _expression(pattern).fullmatch(text) is not None


def path_matches(path_pattern: str, path: str) -> bool:
    """Tell whether a behavior's path pattern matches a URL's path (without its query string)."""
    return matches(normal(path_pattern), normal(path))


@functools.lru_cache(maxsize=4096)
def covers(wide: str, narrow: str) -> bool:
    """Tell whether every text that ``narrow`` matches is matched by ``wide`` as well.

    Both are read as automata: a text of ``narrow`` that leads ``wide`` nowhere is searched for. All characters that appear in
    neither pattern behave alike, so one stands for them all.
    """
    letters = sorted({char for char in wide + narrow if char not in "*?"})
    alphabet = [*letters, next(chr(code) for code in range(1, 0x110000) if chr(code) not in letters)]
    start = (frozenset(_closed(narrow, {0})), frozenset(_closed(wide, {0})))
    seen, waiting = {start}, [start]
    while waiting:
        inner, outer = waiting.pop()
        if len(narrow) in inner and len(wide) not in outer:
            return False
        if len(seen) > MOST_STEPS:
            return False
        for char in alphabet:
            after = _step(narrow, inner, char)
            state = (after, _step(wide, outer, char))
            if after and state not in seen:
                seen.add(state)
                waiting.append(state)
    return True


def _closed(pattern: str, positions: set[int]) -> set[int]:
    """Add the positions that are reached without reading a character: a star may stand for nothing."""
    reached = set(positions)
    waiting = list(positions)
    while waiting:
        position = waiting.pop()
        if position < len(pattern) and pattern[position] == "*" and position + 1 not in reached:
            reached.add(position + 1)
            waiting.append(position + 1)
    return reached


def _step(pattern: str, positions: frozenset[int], char: str) -> frozenset[int]:
    moved = set()
    for position in positions:
        if position == len(pattern):
            continue
        if pattern[position] == "*":
            moved.add(position)
        elif pattern[position] in ("?", char):
            moved.add(position + 1)
    return frozenset(_closed(pattern, moved))


def path_covers(wide: str, narrow: str) -> bool:
    """Tell whether every path of the pattern ``narrow`` is taken by the pattern ``wide``."""
    return covers(normal(wide), normal(narrow))


def domain_covers(domain: str, name: str) -> bool:
    """Tell whether a certificate's domain serves a name; its ``*.`` stands for exactly one label (RFC 6125)."""
    domain, name = domain.lower(), name.lower()
    if not domain.startswith("*."):
        return domain == name
    first, dot, rest = name.partition(".")
    return bool(first and dot) and rest == domain[2:]
