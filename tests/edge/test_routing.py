# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which behavior answers, whom it lets in: precedence, patterns, methods, protocols."""

from __future__ import annotations

import pytest

from .cells import ODD, Cells


def origin_of(cells: Cells, path: str) -> str:
    cells.ask(path)
    plain = path.split("?", maxsplit=1)[0]
    return "second" if cells.second.seen(plain) else "site" if cells.site.seen(plain) else "nobody"


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        ("/order/first/1", "second"),
        ("/order/second/1", "site"),
        ("/Case/a/b.PHP", "second"),
        ("/case/a/b.PHP", "site"),
        ("/Case/a/b.php", "site"),
        ("/one/1/x", "second"),
        ("/one/12/x", "site"),
        # What is asked for is the path alone.
        ("/else?x=/order/first/1", "site"),
        # Compared is the normalised path, sent is the raw one.
        ("/order/%66irst/2", "second"),
        ("/order/other/../first/3", "second"),
    ],
)
def test_the_first_pattern_that_matches_wins(cells: Cells, path: str, origin: str) -> None:
    assert origin_of(cells, path) == origin


def test_default_root_object(cells: Cells) -> None:
    cells.ask("/")
    assert cells.site.seen("/root.html")
    assert not cells.site.seen("/")


@pytest.mark.parametrize(
    ("prefix", "allowed"),
    [
        ("read", {"GET", "HEAD"}),
        ("options", {"GET", "HEAD", "OPTIONS"}),
        ("all", {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"}),
    ],
)
def test_methods(cells: Cells, fresh, prefix: str, allowed: set[str]) -> None:
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"):
        path = fresh(prefix)
        answer = cells.ask(path, method)
        assert answer.status == (200 if method in allowed else 403), method
        assert bool(cells.site.seen(path)) == (method in allowed), method
        assert method in allowed or answer.cache == "Error"


def test_what_changes_something_is_never_cached_and_keeps_its_body(cells: Cells, fresh) -> None:
    path = fresh("all")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for body in (b"one", b"x" * 300000):
            answer = cells.ask(path, method, {"Content-Type": "text/x-test"}, body=body)
            asked = cells.site.seen(path)[-1]
            assert (answer.cache, asked.method, asked.body) == ("Miss", method, body)
            assert asked.headers["content-type"] == "text/x-test"
    assert len(cells.site.seen(path)) == 8


def test_get_with_a_body_is_refused(cells: Cells, fresh) -> None:
    assert cells.ask(fresh("all"), body=b"x").status == 403


def test_options_is_cached_only_where_it_says_so(cells: Cells, fresh) -> None:
    cached, passed = fresh("options"), fresh("all")
    assert [cells.ask(cached, "OPTIONS").cache for _turn in range(2)] == ["Miss", "Hit"]
    assert [cells.ask(passed, "OPTIONS").cache for _turn in range(2)] == ["Miss", "Miss"]
    assert cells.site.seen(cached)[0].method == "OPTIONS"
    # It is an object of its own.
    assert cells.ask(cached).cache == "Miss"


@pytest.mark.parametrize(
    "case",
    [
        ("GET", "site.test", 301, "https://site.test"),
        ("HEAD", "localhost:8080", 301, "https://localhost:8443"),
        ("POST", "localhost:8080", 307, "https://localhost:8443"),
    ],
)
def test_redirect_to_https_keeps_path_query_and_the_published_port(cells: Cells, fresh, case) -> None:
    method, host, status, location = case
    path = fresh("redirect") + "?a=1&b=%20"
    answer = cells.ask(path, method, {"Host": host}, tls=False)
    assert (answer.status, answer["Location"], answer.cache) == (status, location + path, "Redirect")
    assert not cells.site.seen(path.split("?", maxsplit=1)[0])
    assert cells.ask(path).status == 200


def test_https_only_and_allow_all(cells: Cells, fresh) -> None:
    path = fresh("https")
    assert cells.ask(path, tls=False).status == 403
    assert cells.ask(path).status == 200
    assert cells.ask(fresh("read"), tls=False).status == 200


def test_distributions_are_told_apart_by_name_and_strangers_get_nothing(cells: Cells, fresh) -> None:
    path = fresh("read")
    assert cells.ask(path, headers={"Host": "e1.cloudfront.net"}).status == 200
    assert cells.ask(path, headers={"Host": "localhost:8443"}).cache == "Hit"
    # The same path in another distribution is another object.
    assert cells.ask(path, headers={"Host": "a.other.test"}).cache == "Miss"
    assert cells.ask(path, headers={"Host": "unknown.test"}).status == 403


def test_origin_path_and_custom_headers(cells: Cells, fresh) -> None:
    path = fresh("pathed")
    cells.ask(path + "?x=1")
    assert cells.site.seen("/below" + path)[0].target == f"/below{path}?x=1"
    path = fresh("read")
    cells.ask(path, headers={"X-Origin-Verify": "forged"})
    assert cells.site.seen(path)[0].headers["x-origin-verify"] == ODD
