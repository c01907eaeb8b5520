# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long what is kept. Lifetimes pass ten times as fast here: 20 s of a policy are 2 s."""

from __future__ import annotations

import email.utils
import threading
import time
from collections.abc import Callable, Iterable

import pytest

from .cells import Cells
from .edge import TIME_SCALE

#: Prefix, the origin's headers, seconds after which the object is still there, and after which it is not.
LIFETIMES = [
    # minimum 20, default 30, maximum 40
    ("minimum", {}, 25, 35),
    ("minimum", {"Cache-Control": "max-age=5"}, 15, 25),
    ("minimum", {"Cache-Control": "max-age=600"}, 35, 45),
    ("minimum", {"Cache-Control": "no-store"}, 15, 25),
    # minimum 0, default 20, maximum 40
    ("bounded", {}, 15, 25),
    ("bounded", {"Cache-Control": "max-age=10"}, 5, 15),
    ("bounded", {"Cache-Control": "max-age=10, s-maxage=30"}, 25, 35),
    ("bounded", {"Cache-Control": "public, max-age=600"}, 35, 45),
    ("bounded", {"Expires": "+10"}, 5, 15),
    ("bounded", {"Expires": "+600", "Cache-Control": "max-age=10"}, 5, 15),
]


def test_lifetimes(cells: Cells, fresh) -> None:
    """All of them pass at once."""
    wrong: list[object] = []

    def watch(prefix: str, headers: dict[str, str], seconds: int, expected: str) -> None:
        path = fresh(prefix)
        if "Expires" in headers:
            headers = headers | {"Expires": email.utils.formatdate(time.time() + int(headers["Expires"]), usegmt=True)}
        cells.site.tell(path, headers=headers)
        first = cells.ask(path).cache
        time.sleep(seconds * TIME_SCALE)
        found = (first, cells.ask(path).cache)
        if found != ("Miss", expected):
            wrong.append((prefix, headers, seconds, found))

    cases = [(prefix, headers, least, "Hit") for prefix, headers, least, _most in LIFETIMES]
    cases += [(prefix, headers, most, "Miss") for prefix, headers, _least, most in LIFETIMES]
    run_at_once(watch, cases)
    assert wrong == []


def run_at_once(work: Callable[..., None], cases: Iterable[tuple]) -> None:
    threads = [threading.Thread(target=work, args=case) for case in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    "control",
    [
        "private",
        "no-store",
        "no-cache",
        "max-age=0",
        "private, max-age=600",
        "no-cache, must-revalidate, max-age=0, no-store, private",
    ],
)
def test_what_must_not_be_stored_is_not(cells: Cells, fresh, control) -> None:
    path = fresh("bounded")
    cells.site.tell(path, headers={"Cache-Control": control}, body=b"mine")
    logged_in = cells.ask(path, headers={"Cookie": "session=1"})
    assert (logged_in.cache, logged_in.body) == ("Miss", b"mine")
    assert [cells.ask(path, headers={"Cookie": "session=1"}).cache for _turn in range(2)] == ["Miss", "Miss"]
    assert len(cells.site.seen(path)) == 3


def test_age_and_headers_of_a_hit(cells: Cells, fresh) -> None:
    path = fresh("read")
    cells.site.tell(path, headers={"Cache-Control": "max-age=60", "X-Own": "yes", "Vary": "User-Agent"})
    first = cells.ask(path, headers={"User-Agent": "a"})
    assert first["Age"] is None
    time.sleep(1.1)
    second = cells.ask(path, headers={"User-Agent": "b"})
    # Vary on what is not in the key makes no variants; the viewer still reads it.
    assert (second.cache, second["Vary"], second["X-Own"], second["Server"]) == ("Hit", "User-Agent", "yes", "stub")
    assert int(second["Age"] or 0) >= 1
    assert (second["Via"] or "").endswith("cloudfront.net (CloudFront)")
    assert second["X-Amz-Cf-Pop"] and second["X-Amz-Cf-Id"] != first["X-Amz-Cf-Id"]
    assert not [name for name, _value in second.headers if name.lower().startswith(("x-edge", "x-varnish"))]


def test_an_expired_object_is_refreshed_by_a_conditional_request(cells: Cells, fresh) -> None:
    path = fresh("bounded")
    cells.site.tell(path, headers={"ETag": '"v1"', "Cache-Control": "max-age=10"}, body=b"text")
    assert cells.ask(path).cache == "Miss"
    time.sleep(12 * TIME_SCALE)
    refreshed = cells.ask(path)
    assert (refreshed.cache, refreshed.status, refreshed.body) == ("RefreshHit", 200, b"text")
    assert cells.site.seen(path)[1].headers["if-none-match"] == '"v1"'
    assert cells.ask(path).cache == "Hit"


def test_conditional_requests_of_viewers_are_answered_from_the_cache(cells: Cells, fresh) -> None:
    path = fresh("read")
    cells.site.tell(path, headers={"ETag": '"v1"'}, body=b"text")
    cells.ask(path)
    answer = cells.ask(path, headers={"If-None-Match": '"v1"'})
    assert (answer.status, answer.body, answer.cache) == (304, b"", "Hit")
    assert len(cells.site.seen(path)) == 1


def test_head_is_answered_from_get(cells: Cells, fresh) -> None:
    path = fresh("read")
    cells.site.tell(path, body=b"0123456789")
    cells.ask(path)
    answer = cells.ask(path, "HEAD")
    assert (answer.cache, answer["Content-Length"], answer.body) == ("Hit", "10", b"")


def test_ranges(cells: Cells, fresh) -> None:
    path = fresh("read")
    cells.site.tell(path, body=b"0123456789")
    first = cells.ask(path, headers={"Range": "bytes=2-4"})
    assert (first.status, first.body, first["Content-Range"]) == (206, b"234", "bytes 2-4/10")
    assert (cells.ask(path, headers={"Range": "bytes=-2"}).body, cells.ask(path).body) == (b"89", b"0123456789")
    assert len(cells.site.seen(path)) == 1


def test_requests_for_one_object_collapse(cells: Cells, fresh) -> None:
    path = fresh("read")
    cells.site.tell(path, delay=0.5, body=b"one")
    answers: list[bytes] = []
    run_at_once(lambda: answers.append(cells.ask(path).body), [()] * 8)
    assert answers == [b"one"] * 8
    assert len(cells.site.seen(path)) == 1


@pytest.mark.parametrize(("prefix", "cookies"), [("nothing", []), ("bounded", ["session=new; Path=/", "b=2"])])
def test_set_cookie_is_kept_where_cookies_are_forwarded(cells: Cells, fresh, prefix, cookies) -> None:
    path = fresh(prefix)
    cells.site.tell(path, headers=[("Set-Cookie", "session=new; Path=/"), ("Set-Cookie", "b=2")])
    first, second = cells.ask(path), cells.ask(path)
    assert (second.cache, first.all("Set-Cookie"), second.all("Set-Cookie")) == ("Hit", cookies, cookies)


@pytest.mark.parametrize(
    ("status", "headers", "hits"),
    [
        (404, {}, True),
        (404, {"Cache-Control": "no-store"}, True),
        (500, {}, True),
        (503, {}, True),
        (403, {}, False),
        (403, {"Cache-Control": "max-age=60"}, True),
        (401, {"Cache-Control": "max-age=60"}, False),
        (429, {}, False),
        (301, {"Location": "/x"}, True),
    ],
)
def test_which_errors_are_kept(cells: Cells, fresh, status, headers, hits) -> None:
    path = fresh("read")
    cells.site.tell(path, status=status, headers=headers, body=b"no")
    answers = [cells.ask(path) for _turn in range(2)]
    assert [answer.status for answer in answers] == [status] * 2
    assert len(cells.site.seen(path)) == (1 if hits else 2)
    assert status < 400 or answers[1].cache == "Error"


def test_an_error_is_kept_for_ten_seconds_or_as_told(cells: Cells, fresh) -> None:
    short, long = fresh("read"), fresh("read")
    cells.site.tell(short, status=404)
    cells.site.tell(long, status=404, headers={"Cache-Control": "max-age=60"})
    for path in (short, long):
        cells.ask(path)
    time.sleep(12 * TIME_SCALE)
    for path in (short, long):
        cells.ask(path)
    assert (len(cells.site.seen(short)), len(cells.site.seen(long))) == (2, 1)


def test_custom_error_responses(cells: Cells, fresh) -> None:
    host = {"Host": "www.other.test"}
    path, forbidden, broken = fresh("read"), fresh("read"), fresh("read")
    cells.second.tell("/errors/404.html", body=b"lost", headers={"X-Page": "1"})
    for one, status in ((path, 404), (forbidden, 403), (broken, 500)):
        cells.site.tell(one, status=status, body=b"origin's words")
    answers = [cells.ask(path, headers=host) for _turn in range(2)]
    assert [(answer.status, answer.body, answer.cache, answer["X-Page"]) for answer in answers] == [
        (200, b"lost", "Error", "1")
    ] * 2
    assert len(cells.site.seen(path)) == len(cells.second.seen("/errors/404.html")) == 1
    # Without a page it is only the lifetime that changes: 20 and 0 seconds.
    for _turn in range(2):
        assert cells.ask(forbidden, headers=host).status == 403
        assert cells.ask(broken, headers=host).body == b"origin's words"
    assert (len(cells.site.seen(forbidden)), len(cells.site.seen(broken))) == (1, 2)
