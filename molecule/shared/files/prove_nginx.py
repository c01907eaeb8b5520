# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask two nodes over HTTP, as a load balancer would, about what nginx alone answers for; the first failed claim ends it.

Reads the JSON object that prove_site.py reads, which lies beside it, and: mode (of the storage), max_upload_mb.
``prove_nginx.py upload NODE`` sends a slow upload to a node, and prints what it answers, for whoever stops the node meanwhile.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from prove_site import FORM, Visitor, prove, prove_quietly

MIB = 1024 * 1024
LINE = b"one of very many lines with 50 characters of text\n"


def logged_in(given: dict[str, Any], node: str) -> tuple[Visitor, str]:
    """Return the administrator, and a nonce of his for the REST API."""
    visitor = Visitor(given["host"])
    visitor.get(node, "/wp-login.php")
    form = urllib.parse.urlencode({"log": given["user"], "pwd": given["password"], "testcookie": "1"}).encode()
    status = visitor.ask(node, "POST", "/wp-login.php", form, Content_Type=FORM)[0]
    prove_quietly("the administrator logs in", status == 302, status)
    return visitor, visitor.get(node, "/wp-admin/admin-ajax.php?action=rest-nonce")[2].decode()


def ways_in(given: dict[str, Any]) -> None:
    """P2: four ways to a node, three pages each: at most one redirect, beside the dashboard's to the login; no link to http."""
    node, host = given["nodes"][0], given["host"]
    for way, words in (
        ("directly", {"X_Forwarded_Proto": "http"}),
        ("by https and the load balancer", {"X_Forwarded_Proto": "https"}),
        ("by http and CloudFront", {"X_Forwarded_Proto": "http", "CloudFront_Forwarded_Proto": "http"}),
        ("by https and CloudFront", {"X_Forwarded_Proto": "http", "CloudFront_Forwarded_Proto": "https"}),
    ):
        for path in ("/", "/wp-admin/", "/wp-login.php"):
            visitor, hops = Visitor(host), []
            status, answer, content, cookies = visitor.get(node, path, **words)
            while status in (301, 302) and len(hops) < 4:
                there = urllib.parse.urlsplit(answer["location"])
                prove_quietly("a redirect leads to https", there.scheme in ("", "https"), (way, path, answer))
                hops.append(there.path)
                target = there.path + (f"?{there.query}" if there.query else "")
                # A browser that was sent to https comes by https.
                status, answer, content, cookies = visitor.get(node, target, **dict.fromkeys(words, "https"))
            more = [hop for hop in hops if hop == path or hop != "/wp-login.php"]
            plain = f"http://{host}".encode() in content
            secure = all("secure" in cookie.lower() for cookie in cookies if "max-age=0" not in cookie.lower())
            claim = f"{path}, {way}: {len(more) or 'no'} redirect to https, links to https only, secure cookies"
            prove(claim, status == 200 and len(more) <= 1 and not plain and secure, (status, hops, plain, cookies))


def browsers_are_told(given: dict[str, Any]) -> None:
    node = given["nodes"][0]
    visitor, _unused = logged_in(given, node)
    for what, who, path, framed in (
        ("a page", Visitor(given["host"]), "/", "SAMEORIGIN"),
        ("a static file", Visitor(given["host"]), "/wp-includes/css/dashicons.min.css", "SAMEORIGIN"),
        ("the dashboard", visitor, "/wp-admin/index.php", "SAMEORIGIN"),
        ("the block editor", visitor, "/wp-admin/post-new.php", "SAMEORIGIN"),
        ("an embed", Visitor(given["host"]), "/?p=1&embed=true", None),
    ):
        status, answer, _content, _cookies = who.get(node, path)
        if status == 301:  # to the permalink
            status, answer, _content, _cookies = who.get(
                node, answer["location"].removeprefix(f"https://{given['host']}")
            )
        told = [answer.get(name) for name in ("x-content-type-options", "referrer-policy", "x-frame-options")]
        expected = ["nosniff", "strict-origin-when-cross-origin", framed]
        prove(f"{what} says nosniff, its referrer policy, and {framed or 'no'} frame option", told == expected, answer)
        prove_quietly("https only", answer.get("strict-transport-security") == "max-age=31536000", answer)
        if framed is None:
            prove_quietly("any frame", answer.get("content-security-policy") == "frame-ancestors *", answer)
        prove_quietly("PHP's version is nobody's business", "x-powered-by" not in answer, answer)


def guessers(given: dict[str, Any]) -> None:
    """P29. From another address than other proofs' visitors, who log in too."""
    node, path = given["nodes"][0], "/wp-login.php"
    bad = urllib.parse.urlencode({"log": "owner", "pwd": "guess"}).encode()
    beat = urllib.parse.urlencode({"action": "heartbeat", "screen_id": "post"}).encode()

    def ask(path: str, form: bytes) -> tuple[int, str | None]:
        sent = {"Content_Type": FORM, "X_Forwarded_For": "198.51.100.29"}
        status, answer, _content, _cookies = Visitor(given["host"]).ask(node, "POST", path, form, **sent)
        return status, answer.get("retry-after")

    with ThreadPoolExecutor(10) as guesser:  # one after the other, a slow machine is slower than the limit
        answers = list(guesser.map(lambda _number: ask(path, bad), range(30)))
    guessed, retry = [status for status, _retry in answers], max(retry or "" for _status, retry in answers)
    beaten = [ask("/wp-admin/admin-ajax.php", beat)[0] for _unused in range(12)]
    prove("of 30 bad logins some are answered, the rest 429", {200, 429} <= {*guessed} <= {200, 429, 503}, guessed)
    prove_quietly("when to come again is said", retry == "60", retry)
    prove("the heartbeat of the same address is never limited", 429 not in beaten, beaten)
    other = Visitor(given["host"]).ask(node, "POST", path, bad, Content_Type=FORM, X_Forwarded_For="198.51.100.30")
    prove("another address logs in as ever", other[0] == 200, other[0])
    status = Visitor(given["host"]).ask(node, "POST", "/xmlrpc.php", b"<methodCall/>", Content_Type="text/xml")[0]
    prove("xmlrpc.php is off", status == 403, status)
    answer = Visitor(given["host"]).get(node, "/")[1]
    prove_quietly("and not advertised", "x-pingback" not in answer, answer)


def denied(given: dict[str, Any]) -> None:
    for path in ("/wp-cron.php", "/wp-includes/version.php", "/wp-content/debug.log", "/wp-config.php.bak"):
        status = Visitor(given["host"]).get(given["nodes"][1], path)[0]
        prove(f"{path} is denied", status == 403, status)


def sizes(given: dict[str, Any]) -> None:
    """P21: one value for nginx and PHP."""
    node, limit = given["nodes"][0], given["max_upload_mb"] * MIB
    visitor, nonce = logged_in(given, node)
    sent = {"X_WP_Nonce": nonce, "Content_Type": "text/plain"}
    status, _unused, answer, _unused = visitor.ask(
        node, "POST", "/wp-json/wp/v2/media", LINE * ((limit - MIB) // len(LINE)),
        Content_Disposition='attachment; filename="large.txt"', **sent,
    )  # fmt: skip
    prove(f"an upload of {limit // MIB - 1} MB is taken", status == 201, (status, answer[:300]))
    address = f"/wp-json/wp/v2/media/{json.loads(answer)['id']}?force=true"
    visitor.ask(node, "DELETE", address, **sent)
    status, _unused, answer, _unused = visitor.ask(
        node, "POST", "/wp-json/wp/v2/media", LINE * ((limit + MIB) // len(LINE)),
        Content_Disposition='attachment; filename="larger.txt"', **sent,
    )  # fmt: skip
    clean = status == 413 and json.loads(answer)["code"] == "rest_upload_file_too_big"
    prove(f"one of {limit // MIB + 1} MB is refused in words that the block editor shows", clean, (status, answer))


def compressed(given: dict[str, Any]) -> None:
    path = "/wp-includes/css/dist/block-library/style.min.css"
    sizes: dict[str, set[tuple[str | None, int]]] = {}
    for node in given["nodes"]:
        for coding in ("gzip", "br", "identity"):
            status, answer, content, _unused = Visitor(given["host"]).get(node, path, Accept_Encoding=coding)
            packed = answer.get("content-encoding", "identity")
            prove_quietly(f"{coding} is understood", status == 200 and packed in (coding, "identity"), answer)
            sizes.setdefault(packed, set()).add((answer.get("etag"), len(content)))
            prove_quietly("caches know by what it varies", answer.get("vary") == "Accept-Encoding", answer)
    if given["mode"] != "efs":
        prove("static files were compressed in advance: gzip and brotli, with strong ETags", set(sizes) == {"gzip", "br", "identity"} and not any(
            str(etag).startswith("W/") for found in sizes.values() for etag, _size in found
        ), sizes)  # fmt: skip
    prove("both nodes send the same bytes with the same ETag", all(len(found) == 1 for found in sizes.values()), sizes)


def switched_protocol(given: dict[str, Any]) -> None:
    """HTTP/2 as a load balancer's target group begins it: the preface is answered by a SETTINGS frame."""
    connection = http.client.HTTPConnection(given["nodes"][0], 80, timeout=10)
    connection.connect()
    connection.sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
    frame = connection.sock.recv(9)
    connection.close()
    prove("HTTP/2 is spoken on the same port", len(frame) == 9 and frame[3] == 4, frame)


def slow_upload(given: dict[str, Any], node: str) -> None:
    """Send 10 chunks in 10 seconds, so that the node can be stopped in between (P44)."""
    visitor, nonce = logged_in(given, node)
    body = LINE * (500_000 // len(LINE))
    connection = http.client.HTTPConnection(node, 80, timeout=90)
    connection.putrequest("POST", "/wp-json/wp/v2/media", skip_host=True)
    for name, value in {
        "Host": given["host"],
        "X-Forwarded-Proto": "https",
        "X-WP-Nonce": nonce,
        "Content-Type": "text/plain",
        "Content-Disposition": 'attachment; filename="slow.txt"',
        "Content-Length": str(len(body)),
        "Cookie": "; ".join(f"{name}={value}" for name, value in visitor.cookies.items()),
    }.items():
        connection.putheader(name, value)
    connection.endheaders()
    for start in range(0, len(body), 50_000):
        connection.send(body[start : start + 50_000])
        time.sleep(1)
    status = connection.getresponse().status
    prove("an upload that is under way when its node is stopped is finished", status == 201, status)


def main() -> None:
    given = json.load(sys.stdin)
    if sys.argv[1:2] == ["upload"]:
        slow_upload(given, sys.argv[2])
        return
    for claim in (ways_in, browsers_are_told, guessers, denied, sizes, compressed, switched_protocol):
        claim(given)


if __name__ == "__main__":
    main()
