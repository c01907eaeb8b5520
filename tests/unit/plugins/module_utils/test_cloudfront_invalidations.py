# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The laws of collapsing invalidations, for any paths."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import invalidations

SEGMENTS = st.text("ab", max_size=2)
PATHS = st.builds(
    lambda segments, end: "/" + "/".join(segments) + end,
    st.lists(SEGMENTS, max_size=4),
    st.sampled_from(["", "", "", "*", "/", "/*"]),
)
SITES = st.lists(PATHS, max_size=60)
LIMITS = st.integers(1, 40)


def matches(pattern: str, url: str) -> bool:
    """What CloudFront does with a path of an invalidation."""
    return url.startswith(pattern[:-1]) if pattern.endswith("*") else url == pattern


@given(SITES, LIMITS)
def test_everything_asked_for_is_covered_by_few(paths: list[str], most: int) -> None:
    result = invalidations.collapsed(paths, most)
    assert len(result) <= most
    assert sum(path.endswith("*") for path in result) <= invalidations.MOST_WILDCARDS
    for path in paths:
        assert any(invalidations.covers(one, path) for one in result), path
    assert bool(result) == bool(paths)


@given(PATHS, PATHS, st.lists(st.sampled_from("ab/"), max_size=3).map("".join))
def test_to_cover_means_to_invalidate_what_the_other_does(pattern: str, path: str, rest: str) -> None:
    if invalidations.covers(pattern, path):
        url = path[:-1] + rest if path.endswith("*") else path
        assert matches(pattern, url)


@given(SITES, LIMITS, st.integers(0, 5))
def test_order_and_repetition_mean_nothing(paths: list[str], most: int, seed: int) -> None:
    shuffled = random.Random(seed).sample([*paths, *paths], 2 * len(paths))
    assert invalidations.collapsed(shuffled, most) == invalidations.collapsed(paths, most)


@given(SITES, LIMITS)
def test_a_result_is_final(paths: list[str], most: int) -> None:
    result = invalidations.collapsed(paths, most)
    assert invalidations.collapsed(result, most) == result
    assert invalidations.deduplicated(result) == result


@given(SITES)
def test_only_what_is_covered_is_dropped(paths: list[str]) -> None:
    """The quick way of dropping agrees with the definition."""
    every = set(paths)
    kept = [path for path in every if not any(other != path and invalidations.covers(other, path) for other in every)]
    assert invalidations.deduplicated(paths) == sorted(kept)


@given(SITES)
def test_few_paths_stay_as_they_are(paths: list[str]) -> None:
    plain = sorted({path for path in paths if not path.endswith("*")})
    assert invalidations.collapsed(plain) == plain


@pytest.mark.parametrize(
    ("paths", "most", "expected"),
    [
        ([], 1, []),
        (["/a", "/b"], 2, ["/a", "/b"]),
        (["/a", "/b"], 1, ["/*"]),
        (["/a/1", "/a/2", "/a/3", "/b"], 2, ["/a/*", "/b"]),
        (["/a/1", "/a/2", "/a/3", "/b/1", "/b/2", "/c"], 4, ["/a/*", "/b/1", "/b/2", "/c"]),
        (["/a/x/1", "/a/x/2", "/a/y", "/"], 3, ["/", "/a/x/*", "/a/y"]),
        (["/a/x/1", "/a/x/2", "/a/y", "/"], 2, ["/", "/a/*"]),
        (["/feed/", "/*", "/a"], 5, ["/*"]),
        ([f"/{number}/*" for number in range(16)], 100, ["/*"]),
        ([f"/{number}/*" for number in range(15)], 100, sorted(f"/{number}/*" for number in range(15))),
    ],
)
def test_examples(paths: list[str], most: int, expected: list[str]) -> None:
    assert invalidations.collapsed(paths, most) == expected


def test_many_paths_take_no_time() -> None:
    """A year of posts with three thousand wildcards among them, as a clumsy plugin would send."""
    paths = [f"/2026/{month}/{number}/" for month in range(12) for number in range(250)]
    started = time.monotonic()
    assert invalidations.collapsed([*paths, *(f"{path}*" for path in paths)], 100) == [
        f"/2026/{n}/*" for n in sorted(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"])
    ]
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("about/", "/about/"),
        (" /a ", "/a"),
        ("/a?b=c&d=%20", "/a?b=c&d=%20"),
        ("/straße/a b", "/stra%C3%9Fe/a%20b"),
        ("/~me/[x]/*", "/~me/[x]/*"),
        ("*", "/*"),
    ],
)
def test_a_path_becomes_one_that_cloudfront_takes(path: str, expected: str) -> None:
    assert invalidations.normalised(path) == expected
    assert invalidations.normalised(expected) == expected


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "empty"),
        ("https://blog.example.org/a", "URL"),
        ("//cdn/a", "URL"),
        ("/a#top", "#"),
        ("/*/feed", "wildcard at the end"),
        ("/" + "a" * 4000, "4001 characters"),
    ],
)
def test_says_which_path_cannot_be_invalidated(path: str, words: str) -> None:
    with pytest.raises(invalidations.Invalid, match=words):
        invalidations.normalised(path)


@given(st.text(min_size=1, max_size=20))
def test_a_path_is_refused_or_printable(path: str) -> None:
    try:
        result = invalidations.normalised(path)
    except invalidations.Invalid:
        return
    assert result.startswith("/")
    assert result.isascii() and result.isprintable() and " " not in result
    assert invalidations.normalised(result) == result


@given(SITES, st.text(max_size=3))
def test_a_reference_tells_what_is_asked_for(paths: list[str], salt: str) -> None:
    reference = invalidations.caller_reference("E1", paths, salt)
    assert reference == invalidations.caller_reference("E1", list(reversed(paths)), salt)
    assert reference != invalidations.caller_reference("E2", paths, salt)
    assert reference != invalidations.caller_reference("E1", paths, f"{salt}x")
    assert reference != invalidations.caller_reference("E1", [*paths, "/new"], salt)
    assert len(reference) < 128
