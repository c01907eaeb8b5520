# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the edge does with answers: compression, response headers policies, functions."""

from __future__ import annotations

import gzip

import pytest

from .cells import Cells

TEXT = b"all work and no play " * 100


@pytest.mark.parametrize(
    ("offered", "coding"), [("gzip", "gzip"), ("gzip, br", "br"), ("br", "br"), ("deflate", None), ("", None)]
)
def test_compression_follows_the_viewer(cells: Cells, fresh, offered, coding) -> None:
    path = fresh("compressed")
    cells.site.tell(path, headers={"Content-Type": "text/css", "ETag": '"v1"'}, body=TEXT)
    for cache in ("Miss", "Hit"):
        answer = cells.ask(path, headers={"Accept-Encoding": offered} if offered else {})
        assert (answer.cache, answer["Content-Encoding"]) == (cache, coding)
        if coding:
            assert len(answer.body) < len(TEXT) / 4
            assert (answer["ETag"], answer["Vary"]) == ('W/"v1"', "Accept-Encoding")
        if coding == "gzip":
            assert gzip.decompress(answer.body) == TEXT


@pytest.mark.parametrize(
    ("kind", "body", "more"),
    [
        ("text/css", b"x" * 999, {}),
        ("image/jpeg", TEXT, {}),
        ("text/css", TEXT, {"length": False}),
        ("text/css", b"x" * 10_000_001, {}),
        ("text/css", TEXT, {"prefix": "uncompressed"}),
        ("text/css", TEXT, {"prefix": "read"}),
    ],
)
def test_what_is_not_compressed(cells: Cells, fresh, kind, body, more) -> None:
    path = fresh(more.get("prefix", "compressed"))
    cells.site.tell(path, headers={"Content-Type": kind}, body=body, length=more.get("length", True))
    answer = cells.ask(path, headers={"Accept-Encoding": "gzip, br"})
    assert (answer["Content-Encoding"], answer.body) == (None, body)


def test_what_the_origin_compressed_stays_as_it_is(cells: Cells, fresh) -> None:
    path, body = fresh("compressed"), gzip.compress(TEXT)
    cells.site.tell(path, headers={"Content-Type": "text/css", "Content-Encoding": "gzip"}, body=body)
    answer = cells.ask(path, headers={"Accept-Encoding": "gzip"})
    assert (answer["Content-Encoding"], answer.body) == ("gzip", body)


def test_response_headers_policy(cells: Cells, fresh) -> None:
    path = fresh("headers")
    own = {
        "X-Set": "origin",
        "X-Keep": "origin",
        "X-Frame-Options": "DENY",
        "X-Powered-By": "PHP",
        "Referrer-Policy": "origin",
    }
    cells.site.tell(path, headers=own)
    for _turn in range(2):
        answer = cells.ask(path)
        assert (answer["X-Set"], answer["X-Keep"]) == ("edge", "origin")
        assert (answer["X-Frame-Options"], answer["Referrer-Policy"]) == ("DENY", "same-origin")
        assert answer["Strict-Transport-Security"] == "max-age=300; includeSubDomains"
        assert answer["X-XSS-Protection"] == "1; mode=block"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Security-Policy"] == "default-src 'self'"
        assert (answer["X-Powered-By"], answer["Server"]) == (None, "CloudFront")
    assert (cells.ask(path)["Server-Timing"] or "").startswith("cdn-cache-hit")
    assert cells.ask(path, tls=False)["Strict-Transport-Security"] is None
    assert cells.ask(fresh("headers"))["X-Frame-Options"] == "SAMEORIGIN"


def test_cors(cells: Cells, fresh) -> None:
    path = fresh("cors")
    cells.site.tell(path, headers={"Access-Control-Allow-Origin": "https://origin.test"})
    friend = cells.ask(path, headers={"Origin": "https://a.friend.test"})
    assert friend["Access-Control-Allow-Origin"] == "https://a.friend.test"
    assert (friend["Access-Control-Allow-Credentials"], friend["Access-Control-Expose-Headers"]) == ("true", "X-Shown")
    assert friend["Access-Control-Allow-Methods"] is None
    foe = cells.ask(path, headers={"Origin": "https://friend.test.evil"})
    assert (foe.cache, foe["Access-Control-Allow-Origin"]) == ("Hit", "https://origin.test")
    wish = {"Origin": "https://a.friend.test", "Access-Control-Request-Method": "GET"}
    preflight = cells.ask(path, "OPTIONS", wish)
    assert (preflight["Access-Control-Allow-Methods"], preflight["Access-Control-Max-Age"]) == ("GET, OPTIONS", "60")
    assert preflight["Access-Control-Allow-Headers"] == "X-Wish"


def test_a_viewer_request_function_changes_uri_headers_and_query_before_the_key_is_made(cells: Cells, fresh) -> None:
    path = fresh("function") + "/"
    first = cells.ask(path + "?utm_source=a&keep=1", headers={"X-Raw": "round", "Cookie": "a=1"})
    assert first.cache == "Miss"
    assert cells.ask(path + "?utm_source=b&keep=1", headers={"X-Raw": "other"}).cache == "Hit"
    (asked,) = cells.site.seen(path + "index.html")
    assert asked.target == path + "index.html?keep=1"
    assert asked.headers["x-shape"] == "ROUND"


def test_a_viewer_request_function_may_answer(cells: Cells) -> None:
    answer = cells.ask("/function/answer")
    assert (answer.status, answer["Location"], answer["Set-Cookie"]) == (302, "/elsewhere", "seen=1")
    assert answer.cache == "FunctionGeneratedResponse"
    assert not cells.site.seen("/function/answer")


def test_a_viewer_response_function_sees_hits_too_but_no_errors(cells: Cells, fresh) -> None:
    path, lost = fresh("function"), fresh("function")
    cells.site.tell(path, headers={"X-Inner": "secret"})
    cells.site.tell(lost, status=404)
    for cache in ("Miss", "Hit"):
        answer = cells.ask(path)
        assert (answer.cache, answer["X-Stamp"], answer["X-Inner"]) == (cache, f"{path} 200", None)
        assert answer["Set-Cookie"] == "extra=yes; Path=/"
    assert cells.ask(lost)["X-Stamp"] is None


def test_http2(cells: Cells, fresh) -> None:
    command = ["curl", "-sk", "--http2", "-o", "/dev/null", "-w", "%{http_version} %{http_code}"]
    command += ["--resolve", f"site.test:443:{cells.edge.container.address}", f"https://site.test{fresh('read')}"]
    assert cells.edge.engine.execute(cells.edge.container.name, *command) == "2 200"
