# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes the cache key, and what reaches the origin."""

from __future__ import annotations

import pytest

from .cells import Cells

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148"
TABLET = "Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X)"
DESKTOP = "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0"


def same_object(cells: Cells, first: tuple, second: tuple) -> bool:
    """Return whether two requests (path, headers) share one cached object."""
    assert cells.ask(first[0], headers=first[1]).cache == "Miss"
    return cells.ask(second[0], headers=second[1]).cache == "Hit"


@pytest.mark.parametrize(
    "case",
    [
        ("nothing", "?a=1", "?a=2", True),
        ("some", "?a=1&x=1", "?a=1&x=2", True),
        ("some", "?a=1", "?a=2", False),
        ("some", "?a=1&b=2", "?b=2&a=1", False),
        ("some", "?A=1", "?A=2", True),
        ("but", "?utm_source=x&p=1", "?p=1&fbclid=y", True),
        ("but", "?utm_medium=x", "?utm_medium=y", False),
        ("full", "?a=1&b=2", "?b=2&a=1", False),
        ("full", "?a", "?a=", False),
        ("legacy/none", "?a=1", "?a=2", True),
        ("legacy/some", "?k=1&x=1", "?k=1&x=2", True),
        ("legacy/some", "?k=1", "?k=2", False),
    ],
)
def test_query_strings_in_the_key(cells: Cells, fresh, case) -> None:
    prefix, first, second, shared = case
    path = fresh(prefix)
    assert same_object(cells, (path + first, {}), (path + second, {})) is shared


@pytest.mark.parametrize(
    "case",
    [
        ("nothing", "a=1", "a=2", True),
        ("some", "wordpress_logged_in_abc=1", "wordpress_logged_in_abc=2", False),
        ("some", "exact=1", "exact=2", False),
        ("some", "exactly=1", "exactly=2", True),
        ("some", "Wordpress_x=1", "Wordpress_x=2", True),
        ("some", "exact=1; wordpress_a=2", "wordpress_a=2; other=3; exact=1", True),
        ("but", "noise_1=a; real=1", "real=1; noise_2=b", True),
        ("but", "real=1", "real=2", False),
        ("full", "anything=1", "anything=2", False),
        ("legacy/some", "keep_a=1", "keep_a=2", False),
        ("legacy/some", "drop=1", "drop=2", True),
    ],
)
def test_cookies_in_the_key(cells: Cells, fresh, case) -> None:
    prefix, first, second, shared = case
    path = fresh(prefix)
    assert same_object(cells, (path, {"Cookie": first}), (path, {"Cookie": second})) is shared


@pytest.mark.parametrize(
    "case",
    [
        ("nothing", {"Accept-Language": "de"}, {"Accept-Language": "en"}, True),
        ("some", {"accept-language": "de"}, {"Accept-Language": "de"}, True),
        ("some", {"Accept-Language": "de"}, {"Accept-Language": "en"}, False),
        ("nothing", {"Host": "site.test"}, {"Host": "localhost"}, True),
        ("device", {"Host": "site.test"}, {"Host": "localhost"}, False),
        ("device", {"User-Agent": PHONE}, {"User-Agent": PHONE + " other"}, True),
        ("device", {"User-Agent": PHONE}, {"User-Agent": DESKTOP}, False),
        ("device", {"User-Agent": TABLET}, {"User-Agent": DESKTOP}, False),
        ("device", {"User-Agent": DESKTOP}, {"User-Agent": DESKTOP, "CloudFront-Is-Mobile-Viewer": "true"}, True),
        ("compressed", {"Accept-Encoding": "gzip, deflate"}, {"Accept-Encoding": "GZIP;q=0.5"}, True),
        ("compressed", {"Accept-Encoding": "gzip"}, {"Accept-Encoding": "gzip, br"}, False),
        ("compressed", {"Accept-Encoding": "gzip, br"}, {"Accept-Encoding": "br, gzip, zstd"}, True),
        ("compressed", {"Accept-Encoding": "deflate"}, {}, True),
        ("compressed", {"Accept-Encoding": "gzip;q=0"}, {}, True),
        ("read", {"Accept-Encoding": "gzip"}, {}, True),
        ("legacy/some", {"Accept-Language": "de"}, {"Accept-Language": "en"}, False),
        ("legacy/none", {"User-Agent": PHONE}, {"User-Agent": DESKTOP}, True),
    ],
)
def test_headers_in_the_key(cells: Cells, fresh, case) -> None:
    prefix, first, second, shared = case
    path = fresh(prefix)
    assert same_object(cells, (path, first), (path, second)) is shared


def test_protocols_share_an_object_unless_they_are_in_the_key(cells: Cells, fresh) -> None:
    path = fresh("read")
    assert [cells.ask(path, tls=False).cache, cells.ask(path).cache] == ["Miss", "Hit"]
    path = fresh("device")
    assert [cells.ask(path, tls=False).cache, cells.ask(path).cache] == ["Miss", "Miss"]
    assert [one.headers["cloudfront-forwarded-proto"] for one in cells.site.seen(path)] == ["http", "https"]


VIEWER = {
    "User-Agent": DESKTOP,
    "Accept": "text/html",
    "Accept-Language": "de",
    "Accept-Encoding": "gzip, br, zstd",
    "Referer": "https://elsewhere.test/",
    "Authorization": "Basic eDp5",
    "Cookie": "wordpress_a=1; c=2; z=3; exact=4",
    "X-Asked": "asked",
    "X-Not": "not",
    "X-Shape": "round",
    "Origin": "https://friend.test",
    "X-Forwarded-For": "192.0.2.7",
    "X-Forwarded-Proto": "gopher",
    "X-Real-IP": "192.0.2.8",
    "CloudFront-Viewer-Country": "forged",
    "CloudFront-Is-Mobile-Viewer": "forged",
    "X-Edge-Key": "forged",
    "TE": "trailers",
    "Host": "site.test",
}


def reached(cells: Cells, path: str, method: str = "GET", query: str = "", **headers: str) -> dict[str, str]:
    """Return the headers that reach the origin of a viewer's request with all of VIEWER."""
    cells.ask(path + query, method, VIEWER | headers)
    (asked,) = cells.site.seen(path)
    return asked.headers | {"target": asked.target}


def test_by_default_nothing_of_the_viewer_is_forwarded(cells: Cells, fresh) -> None:
    headers = reached(cells, fresh("nothing"), query="?a=1")
    assert headers["user-agent"] == "Amazon CloudFront"
    assert headers["host"] == "origin.test"
    assert headers["x-forwarded-for"].startswith("192.0.2.7, ")
    assert headers["via"].endswith("(CloudFront)")
    assert headers["x-amz-cf-id"]
    assert headers["target"].endswith("/" + headers["target"].split("/")[-1]) and "?" not in headers["target"]
    gone = {
        "accept",
        "accept-language",
        "accept-encoding",
        "referer",
        "authorization",
        "cookie",
        "x-asked",
        "x-shape",
        "origin",
    }
    gone |= {"x-forwarded-proto", "x-real-ip", "te", "cloudfront-viewer-country", "cloudfront-is-mobile-viewer"}
    assert not gone & set(headers)
    assert not [name for name in headers if name.startswith(("x-edge", "x-varnish"))]


def test_what_is_in_the_key_is_forwarded(cells: Cells, fresh) -> None:
    headers = reached(cells, fresh("some"), query="?x=0&b=2&a=1")
    assert headers["target"].endswith("?b=2&a=1")
    assert headers["cookie"] == "exact=4; wordpress_a=1"
    assert (headers["accept-language"], headers["x-shape"]) == ("de", "round")
    assert "x-asked" not in headers


def test_an_origin_request_policy_adds_without_touching_the_key(cells: Cells, fresh) -> None:
    path = fresh("asked")
    headers = reached(cells, path, query="?q=1&r=2")
    assert headers["target"].endswith("?q=1&r=2")
    assert headers["cookie"] == "c=2"
    assert (headers["user-agent"], headers["x-asked"]) == (DESKTOP, "asked")
    assert not {"accept-language", "x-not", "authorization"} & set(headers)
    assert (
        cells.ask(path + "?q=1&r=2", headers={"User-Agent": "other", "X-Asked": "else", "Cookie": "c=9"}).cache == "Hit"
    )


def test_all_viewer(cells: Cells, fresh) -> None:
    headers = reached(cells, fresh("viewer"), query="?a=1&b")
    for name in (
        "User-Agent",
        "Accept",
        "Accept-Language",
        "Accept-Encoding",
        "Referer",
        "Authorization",
        "X-Asked",
        "X-Not",
        "Origin",
        "Host",
    ):
        assert headers[name.lower()] == VIEWER[name], name
    assert sorted(headers["cookie"].split("; ")) == sorted(VIEWER["Cookie"].split("; "))
    assert headers["target"].endswith("?a=1&b")
    assert not {"x-real-ip", "x-forwarded-proto", "te", "cloudfront-viewer-country", "x-edge-key"} & set(headers)


def test_all_viewer_except(cells: Cells, fresh) -> None:
    headers = reached(cells, fresh("except"))
    assert headers["host"] == "origin.test"
    assert "x-not" not in headers
    assert (headers["x-asked"], headers["authorization"]) == ("asked", "Basic eDp5")


def test_all_viewer_and_some_of_cloudfront(cells: Cells, fresh) -> None:
    headers = reached(cells, fresh("known"), **{"User-Agent": PHONE})
    assert (headers["cloudfront-is-mobile-viewer"], headers["cloudfront-viewer-country"]) == ("true", "ZZ")
    assert "cloudfront-is-desktop-viewer" not in headers
    assert headers["x-asked"] == "asked"


@pytest.mark.parametrize(("agent", "kind"), [(PHONE, "mobile"), (TABLET, "tablet"), (DESKTOP, "desktop")])
def test_device_headers(cells: Cells, fresh, agent, kind) -> None:
    headers = reached(cells, fresh("device"), **{"User-Agent": agent})
    found = {name: headers[f"cloudfront-is-{name}-viewer"] for name in ("mobile", "tablet", "desktop")}
    assert found == {name: str(name == kind).lower() for name in found}
    assert headers["user-agent"] == "Amazon CloudFront"
    assert headers["host"] == "site.test"


def test_legacy_settings_forward_other_headers(cells: Cells, fresh) -> None:
    headers = reached(cells, fresh("legacy/none"), query="?a=1")
    assert headers["x-asked"] == "asked"
    assert (headers["user-agent"], headers["host"]) == ("Amazon CloudFront", "origin.test")
    assert not {"accept", "accept-language", "referer", "authorization", "cookie", "x-edge-key"} & set(headers)
    assert "?" not in headers["target"]
    headers = reached(cells, fresh("legacy/some"), query="?z=1&k=2")
    assert (headers["accept-language"], headers["target"].split("?")[1]) == ("de", "z=1&k=2")


def test_legacy_all_headers_forwards_everything_and_stores_nothing(cells: Cells, fresh) -> None:
    path = fresh("legacy/all")
    headers = reached(cells, path)
    assert (headers["user-agent"], headers["host"], headers["authorization"]) == (DESKTOP, "site.test", "Basic eDp5")
    assert cells.ask(path).cache == "Miss"


@pytest.mark.parametrize(
    ("prefix", "method", "forwarded"),
    [
        ("nothing", "GET", False),
        ("redirect", "GET", False),
        ("redirect", "POST", True),
        ("options", "OPTIONS", False),
        ("all", "GET", True),
    ],
)
def test_authorization(cells: Cells, fresh, prefix, method, forwarded) -> None:
    assert ("authorization" in reached(cells, fresh(prefix), method)) is forwarded


@pytest.mark.parametrize(
    ("prefix", "offered", "forwarded"),
    [
        ("compressed", "gzip, br, zstd", "br,gzip"),
        ("compressed", "deflate", None),
        ("uncompressed", "br, gzip", "gzip"),
        ("nothing", "gzip", None),
    ],
)
def test_accept_encoding(cells: Cells, fresh, prefix, offered, forwarded) -> None:
    assert reached(cells, fresh(prefix), **{"Accept-Encoding": offered}).get("accept-encoding") == forwarded
