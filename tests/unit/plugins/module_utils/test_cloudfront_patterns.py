# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wildcard patterns agree with a search through all short texts."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import patterns

ALPHABET = "ab/"
LONGEST = 6
TEXTS = ["".join(chars) for length in range(LONGEST + 1) for chars in itertools.product(ALPHABET + "x", repeat=length)]

some_patterns = st.text(ALPHABET + "*?", max_size=4)
texts = st.text(ALPHABET, max_size=8)


def slowly(pattern: str, text: str) -> bool:
    """The definition: a star takes nothing, or one more character."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return slowly(pattern[1:], text) or (bool(text) and slowly(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and slowly(pattern[1:], text[1:])


@given(some_patterns, texts)
def test_matching_agrees_with_its_definition(pattern, text):
    assert patterns.matches(pattern, text) == slowly(pattern, text)


@given(some_patterns, some_patterns)
def test_containment_agrees_with_trying_every_text(wide, narrow):
    # A text that refutes a containment of such patterns need not be longer than both of them together.
    refuted = any(patterns.matches(narrow, text) and not patterns.matches(wide, text) for text in TEXTS)
    if refuted:
        assert not patterns.covers(wide, narrow)
    elif len(wide) + len(narrow) <= LONGEST:
        assert patterns.covers(wide, narrow)


@given(some_patterns, some_patterns, some_patterns)
def test_containment_is_an_order(first, second, third):
    assert patterns.covers(first, first)
    assert patterns.covers("*", first)
    if patterns.covers(first, second) and patterns.covers(second, third):
        assert patterns.covers(first, third)


@given(st.text(ALPHABET, max_size=6), some_patterns)
def test_a_text_is_contained_where_it_matches(text, pattern):
    assert patterns.covers(pattern, text) == patterns.matches(pattern, text)


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        ("wp-content/*", "/wp-content/uploads/*", True),
        ("*.php", "wp-admin/*", False),
        ("*.php", "wp-login.php", True),
        ("*/wp-admin/*", "wp-admin/*", False),
        ("*/wp-admin/*", "en/wp-admin/*.php", True),
        ("wp-*", "wp-json/*", True),
        ("wp-????n/*", "wp-admin/*", True),
        ("images/*.jp?g", "images/*.jpeg", True),
        ("images/*.jp?g", "images/*.jpg", False),
        ("Images/*", "images/*", False),
        ("*a*b*", "*ab*", True),
        ("*ab*", "*a*b*", False),
    ],
)
def test_path_patterns(wide: str, narrow: str, covered: bool) -> None:
    assert patterns.path_covers(wide, narrow) is covered


def test_deciding_stays_quick_where_it_could_take_for_ever() -> None:
    # In doubt a pattern counts as not contained, so that nothing good is refused.
    assert patterns.covers("*a" + "?" * 40 + "*", "*b" * 60) is False


@pytest.mark.parametrize(
    ("domain", "name", "covered"),
    [
        ("*.example.com", "www.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "a.b.example.com", False),
        ("*.example.com", "*.example.com", True),
        ("www.example.com", "WWW.Example.com", True),
        ("*.example.com", ".example.com", False),
    ],
)
def test_certificates_cover_one_label(domain: str, name: str, covered: bool) -> None:
    assert patterns.domain_covers(domain, name) is covered
