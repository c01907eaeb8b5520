# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask two nodes over HTTP, as a load balancer would, and print what the answers prove; the first failed claim ends it.

Reads one JSON object from standard input: nodes (two addresses), host, url, title, user, password, trusted (bool), own_address.
"""

from __future__ import annotations

import http.client
import json
import sys
import urllib.parse
from typing import Any

Answer = tuple[int, dict[str, str], bytes, list[str]]


class Visitor:
    """A browser behind the load balancer: one cookie jar, whatever node it is sent to."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.cookies: dict[str, str] = {}

    def ask(self, node: str, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection(node, 80, timeout=20)
        sent = {"Host": self.host, "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        content = answer.read()
        set_cookies = answer.headers.get_all("Set-Cookie") or []
        for cookie in set_cookies:
            name, _unused, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content, set_cookies

    def get(self, node: str, path: str, **headers: str) -> Answer:
        return self.ask(node, "GET", path, **headers)


def prove(claim: str, holds: bool, seen: Any = "") -> None:
    if not holds:
        print(f"FAILED: {claim}; seen: {seen!r:.600}")
        sys.exit(1)
    print(f"proved: {claim}")


def prove_quietly(claim: str, holds: bool, seen: Any) -> None:
    if not holds:
        prove(claim, holds, seen)


def front_page(given: dict[str, Any]) -> None:
    for number, node in enumerate(given["nodes"], 1):
        status, _unused, content, _unused = Visitor(given["host"]).get(node, "/")
        text = content.decode()
        prove(f"node {number} serves the front page", status == 200 and given["title"] in text, (status, text[:300]))
        prove(f"node {number} links to https only", f"http://{given['host']}" not in text)


PAGE, PRIVATE = "public, max-age=0, s-maxage=600", "private, no-store"
FORM = "application/x-www-form-urlencoded"


def pages_in_caches(given: dict[str, Any]) -> None:
    """Who gets which Cache-Control; `no-store` among WordPress's own words is as good as this project's."""
    node = given["nodes"][0]
    for what, path, headers, expected in (
        ("the front page", "/", {}, (200, PAGE)),
        ("a campaign's address", "/?utm_source=letter", {}, (200, PAGE)),
        ("a feed", "/feed/", {}, (200, PAGE)),
        ("a redirect to the permalink", "/?p=1", {}, (301, PAGE)),
        ("a page with cookies of analytics", "/", {"Cookie": "_ga=1; wordpress_test_cookie=1"}, (200, PAGE)),
        ("a page for somebody with a login cookie", "/", {"Cookie": "wordpress_logged_in_0a=x"}, (200, PRIVATE)),
        ("a page for a commenter", "/", {"Cookie": "_ga=1; comment_author_0a=x"}, (200, PRIVATE)),
        ("a page for somebody with a post's password", "/", {"Cookie": "wp-postpass_0a=x"}, (200, PRIVATE)),
        ("a page for somebody with an application password", "/", {"Authorization": "Basic eDp5"}, (200, PRIVATE)),
        ("a search", "/?s=world", {}, (200, PRIVATE)),
        ("an answer of the REST API", "/wp-json/wp/v2/posts", {}, (200, PRIVATE)),
        ("a page that is not there", "/nothing-here/", {}, (404, "no-store")),
        ("the login page", "/wp-login.php", {}, (200, "no-store")),
        ("the dashboard's redirect", "/wp-admin/", {}, (302, "no-store")),
        ("a health answer", "/healthz/live", {}, (200, "no-store")),
    ):
        status, answer, _unused, _unused = Visitor(given["host"]).get(node, path, **headers)
        said = answer.get("cache-control", "")
        prove(f"{what}: {expected[1]}", status == expected[0] and expected[1] in said, (status, answer))
        prove_quietly(f"{what} does not vary by cookie", "cookie" not in answer.get("vary", "").lower(), answer)
    status, answer, _unused, _unused = Visitor(given["host"]).ask(node, "POST", "/", b"a=1", Content_Type=FORM)
    prove(f"the answer to a POST: {PRIVATE}", answer.get("cache-control") == PRIVATE, (status, answer))


def static_files(given: dict[str, Any]) -> None:
    first, second = given["nodes"]
    path = "/wp-includes/css/dashicons.min.css"
    etags = set()
    for node in given["nodes"]:
        _unused, answer, _unused, _unused = Visitor(given["host"]).get(node, path + "?ver=7.1.1")
        said = answer.get("cache-control")
        prove_quietly("a file with a version is kept for ever", said == "public, max-age=31536000, immutable", answer)
        etags.add(answer.get("etag"))
    prove("a static file with a version is kept for a year; both nodes give it the same ETag", len(etags) == 1, etags)
    status, answer, _unused, _unused = Visitor(given["host"]).get(second, path, If_None_Match=etags.pop())
    prove("it is not sent twice: 304", status == 304, (status, answer))
    status, answer, _unused, _unused = Visitor(given["host"]).get(first, path, Accept_Encoding="gzip")
    prove("a file without a version is kept for an hour", answer.get("cache-control") == "public, max-age=3600", answer)
    packed = (answer.get("content-encoding"), answer.get("vary"))
    prove("it is compressed, and says by what it varies", packed == ("gzip", "Accept-Encoding"), packed)


def health(given: dict[str, Any]) -> None:
    for number, node in enumerate(given["nodes"], 1):
        for path in ("/healthz/live", "/healthz/ready"):
            status, _unused, content, _unused = Visitor(node).get(node, path)
            prove(
                f"node {number} answers {path} for Host: <address>",
                (status, content) == (200, b"ok"),
                (status, content),
            )

        status, _unused, _unused, _unused = Visitor(node).get(node, "/healthz/deep")
        prove(f"node {number} answers a visitor 403 at /healthz/deep", status == 403, status)
        status, answer, content, _unused = Visitor(node).get(node, "/healthz/deep", X_Forwarded_For="10.0.0.9")
        report = json.loads(content) if status == 200 else {}
        well = [report.get(part, {}).get("state") for part in ("database", "cache")] == ["ok", "ok"]
        prove(f"node {number} reports database and cache at /healthz/deep inside the network", well, (status, content))
        prove_quietly("nobody keeps the report", answer.get("cache-control") == "no-store", answer)
        quiet = not any(word in content for word in (b"password", b"database.", b"cache."))
        prove_quietly("the report names neither hosts nor secrets", quiet, content)


def denied(given: dict[str, Any]) -> None:
    node = given["nodes"][0]
    for path in ("/.htaccess", "/.git/config", "/wp-content/uploads/evil.php", "/wp-config.php", "/readme.html"):
        status, _unused, content, _unused = Visitor(given["host"]).get(node, path)
        prove(f"{path} is denied", status == 403 and b"evil" not in content, (status, content))
    status, _unused, _unused, _unused = Visitor(given["host"]).ask(
        node, "POST", "/wp-login.php", headers_only(), Content_Length="68157440"
    )
    prove("an upload of 65 MB is refused with 413", status == 413, status)


def headers_only() -> bytes:
    """Return an empty body: the announced length is what the server judges."""
    return b""


def login_on_one_valid_on_two(given: dict[str, Any]) -> None:
    first, second = given["nodes"]
    visitor = Visitor(given["host"])
    visitor.get(first, "/wp-login.php")
    form = urllib.parse.urlencode({"log": given["user"], "pwd": given["password"], "testcookie": "1"}).encode()
    status, headers, content, cookies = visitor.ask(
        first, "POST", "/wp-login.php", form, Content_Type="application/x-www-form-urlencoded"
    )
    prove(
        "the administrator logs in on node 1",
        status == 302 and "wp-admin" in headers["location"],
        (status, content[-800:]),
    )
    secure = [cookie for cookie in cookies if cookie.startswith("wordpress_sec_")]
    prove(
        "the login cookie is for https only",
        bool(secure) and all("secure" in cookie.lower() for cookie in secure),
        cookies,
    )
    status, headers, content, _unused = visitor.get(second, "/wp-admin/index.php")
    prove(
        "the same cookie opens the dashboard on node 2", status == 200 and b"wp-admin-bar" in content, (status, headers)
    )
    prove("the dashboard is kept by no cache", "no-cache" in headers.get("cache-control", ""), headers)
    upload_on_one_served_by_two(given, visitor)


def upload_on_one_served_by_two(given: dict[str, Any], visitor: Visitor) -> None:
    first, second = given["nodes"]
    nonce = visitor.get(first, "/wp-admin/admin-ajax.php?action=rest-nonce")[2].decode()
    content = b"what one node takes the other one serves\n"
    status, _unused, answer, _unused = visitor.ask(
        first, "POST", "/wp-json/wp/v2/media", content,
        X_WP_Nonce=nonce, Content_Type="text/plain", Content_Disposition='attachment; filename="proof.txt"',
    )  # fmt: skip
    prove("a file is uploaded through node 1", status == 201, (status, answer))
    path = urllib.parse.urlsplit(json.loads(answer)["source_url"]).path
    status, _unused, served, _unused = visitor.get(second, path)
    prove(f"node 2 serves it ({path})", status == 200 and served == content, (status, served))


def trust(given: dict[str, Any]) -> None:
    """Only the load balancer's word counts; of several words on https, CloudFront's (P2)."""
    for number, node in enumerate(given["nodes"], 1):
        for cloudfront, balancer, believed in (
            (None, "https", True),
            (None, "http", False),
            ("https", "http", True),
            ("http", "https", False),
        ):
            words = {"X_Forwarded_Proto": balancer} | ({"CloudFront_Forwarded_Proto": cloudfront} if cloudfront else {})
            status, headers, _unused, _unused = Visitor(given["host"]).get(node, "/wp-login.php", **words)
            is_https = status == 200
            is_sent_there = status in (301, 302) and headers.get("location", "").startswith("https://")
            expected = is_https if believed and given["trusted"] else is_sent_there
            said = f"CloudFront {cloudfront or 'silent'}, load balancer {balancer}"
            who = "the load balancer" if given["trusted"] else "a stranger"
            prove(
                f"node {number}, {said}, told by {who}: {'https' if is_https else 'sent to https'}",
                expected,
                (status, headers),
            )


def client_address(given: dict[str, Any]) -> None:
    """P28: the chain is viewer, CloudFront; what stands before the viewer he has written himself."""
    node, viewer = given["nodes"][0], "203.0.113.9"
    for chain, sees in (
        (viewer, viewer),
        (f"{viewer}, 130.176.1.2", viewer),
        (f"198.51.100.66, {viewer}, 130.176.1.2", viewer),
        (f"130.176.9.9, {viewer}, 130.176.1.2", viewer),
        (f"127.0.0.1, {viewer}, 130.176.1.2", viewer),
        (f"{viewer}:4711, 130.176.1.2", viewer),
        ("2001:db8::7, 130.176.1.2", "2001:db8::7"),
        ("[2001:db8::7]:4711, 130.176.1.2", "2001:db8::7"),
        ("2001:db8::7, 2600:9000:1000::1", "2001:db8::7"),
    ):
        sent = {"X_Forwarded_For": chain, "X_Origin_Verify": "canary", "X_Forwarded_Proto": "https"}
        answer = Visitor(given["host"]).get(node, "/proof-request.php", **sent)
        seen = json.loads(answer[2])
        expected = sees if given["trusted"] else given["own_address"]
        prove(f"X-Forwarded-For: {chain}: PHP sees {expected}", seen["REMOTE_ADDR"] == expected, seen)
        prove_quietly("no other address reaches PHP", seen["HTTP_X_FORWARDED_FOR"] == expected, seen)
        scheme = "https" if given["trusted"] else "http"
        prove_quietly("nor another scheme", seen["HTTP_X_FORWARDED_PROTO"] == scheme, seen)
        prove_quietly("nor the edge's secret", not seen.get("HTTP_X_ORIGIN_VERIFY"), seen)
    prove("the edge's secret does not reach PHP", True)


def main() -> None:
    given = json.load(sys.stdin)
    seen = [trust, client_address]
    site = [front_page, pages_in_caches, static_files, health, denied, login_on_one_valid_on_two]
    claims = seen if sys.argv[1:] == ["trust"] else [*site, *seen]
    for claim in claims:
        claim(given)


if __name__ == "__main__":
    main()
