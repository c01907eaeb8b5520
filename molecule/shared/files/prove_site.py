# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask two nodes over HTTP, as a load balancer would, and print what the answers prove; the first failed claim ends it.

Reads one JSON object from standard input: nodes (two addresses), host, url, title, user, password, trusted (bool).
"""

from __future__ import annotations

import http.client
import json
import re
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


def front_page(given: dict[str, Any]) -> None:
    for number, node in enumerate(given["nodes"], 1):
        status, headers, content, _unused = Visitor(given["host"]).get(node, "/")
        text = content.decode()
        prove(f"node {number} serves the front page", status == 200 and given["title"] in text, (status, text[:300]))
        prove(f"node {number} links to https only", f"http://{given['host']}" not in text)
        prove(
            f"node {number} lets shared caches keep it, browsers not",
            headers.get("cache-control") == "public, max-age=0, s-maxage=300",
            headers,
        )
        status, headers, _unused, _unused = Visitor(given["host"]).get(node, "/wp-includes/css/dashicons.min.css")
        prove(
            f"node {number} lets browsers keep static files",
            "max-age=2592000" in headers.get("cache-control", ""),
            headers,
        )


def health(given: dict[str, Any]) -> None:
    for number, node in enumerate(given["nodes"], 1):
        for path in ("/healthz/live", "/healthz/ready"):
            status, _unused, content, _unused = Visitor(node).get(node, path)
            prove(
                f"node {number} answers {path} for Host: <address>",
                (status, content) == (200, b"ok"),
                (status, content),
            )


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
    for number, node in enumerate(given["nodes"], 1):
        status, headers, _unused, _unused = Visitor(given["host"]).get(node, "/wp-login.php")
        if given["trusted"]:
            prove(
                f"node {number} believes the load balancer that this is https: no redirect",
                status == 200,
                (status, headers),
            )
            spoofed = Visitor(given["host"]).get(node, "/wp-login.php", X_Forwarded_Proto="http")
            prove(
                f"node {number} sends http to https",
                re.match("https://", spoofed[1].get("location", "")) is not None,
                spoofed,
            )
        else:
            prove(f"node {number} believes nobody else that this is https", status in (301, 302), (status, headers))


def main() -> None:
    given = json.load(sys.stdin)
    claims = [trust] if sys.argv[1:] == ["trust"] else [front_page, health, denied, login_on_one_valid_on_two, trust]
    for claim in claims:
        claim(given)


if __name__ == "__main__":
    main()
