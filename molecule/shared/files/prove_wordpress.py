# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims about WordPress behind two nodes: mail, sessions, the guard, nonces, logins and health. `prove_wordpress.py <claim> [<argument>]`.

Reads the same JSON object as prove_site.py. A visitor's cookies are kept in a file from claim to claim.
"""

from __future__ import annotations

import email
import email.policy
import json
import re
import sys
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from prove_site import FORM, Visitor, prove, prove_quietly

MAILS = Path("/root/mails")
COOKIES = Path("/root/prove_wordpress.cookies.json")
HOUR = 3600


def logged_in(given: dict[str, Any]) -> Visitor:
    visitor = Visitor(given["host"])
    visitor.get(given["nodes"][0], "/wp-login.php")
    form = urllib.parse.urlencode({"log": given["user"], "pwd": given["password"], "testcookie": "1"}).encode()
    status, headers, _unused, _unused = visitor.ask(
        given["nodes"][0], "POST", "/wp-login.php", form, Content_Type=FORM, X_Forwarded_For="203.0.113.77"
    )
    prove_quietly("the administrator logs in", status == 302, (status, headers))
    return visitor


def mails(count: int, patience: float = 20) -> list[dict[str, Any]]:
    """Return the mails that arrived, as soon as there are so many of them."""
    end = time.monotonic() + patience
    while len(found := sorted(MAILS.glob("*.json"))) < count and time.monotonic() < end:
        time.sleep(0.2)
    return [json.loads(path.read_text()) for path in found]


def reset_mail(given: dict[str, Any]) -> None:
    """P39: whoever forgot a password gets a mail through one node, and its link works on the other."""
    first, second = given["nodes"]
    before, visitor = len(mails(0)), Visitor(given["host"])
    form = urllib.parse.urlencode({"user_login": given["user"]}).encode()
    status, headers, content, _unused = visitor.ask(
        first, "POST", "/wp-login.php?action=lostpassword", form, Content_Type=FORM
    )
    prove("node 1 takes the form for a forgotten password", status == 302, (status, content[-500:]))
    arrived = mails(before + 1)
    prove("the mail arrives at the mail server", len(arrived) == before + 1, headers)
    mail = email.message_from_bytes(arrived[-1]["mail"].encode(), policy=email.policy.default)
    prove(
        "it comes from the stack's sender, for bounces too",
        {mail["From"].addresses[0].addr_spec, arrived[-1]["from"]} == {given["sender"]},
        arrived[-1],
    )
    link = re.search(r"https://\S+action=rp\S*", mail.get_content())
    prove(
        "it has the link to a new password, at the site's address",
        bool(link) and f"//{given['host']}/" in link[0],
        mail.get_content(),
    )
    path = link[0].split(given["host"], 1)[1] if link else ""
    status, headers, _unused, _unused = visitor.get(second, path)
    status, _unused, content, _unused = visitor.get(second, headers.get("location", path).split(given["host"])[-1])
    prove("the link is valid on node 2", status == 200 and b'id="resetpassform"' in content, (status, content[-500:]))


def signed_mails(_given: dict[str, Any]) -> None:
    """What SES was given by prove_mail.php, as it arrived."""
    by_ses = [one for one in mails(0) if one["by"] == "ses"]
    first = next(one for one in by_ses if "ses@example.net" in one["to"])
    mail = email.message_from_bytes(first["mail"].encode(), policy=email.policy.default)
    body, attachment = list(mail.iter_parts())
    prove(
        "SES has everybody, blind copies too",
        first["to"] == ["ses@example.net", "copy@example.net", "hidden@example.net"],
        first["to"],
    )
    prove("the mail itself names no blind copy", "hidden" not in first["mail"], first["mail"])
    prove(
        "subject and words are whole",
        (mail["Subject"], body.get_content().split()) == ("Grüße", ["Grüße,", "so", ".", "far"]),
        body.get_content(),
    )
    prove("the attachment is whole", attachment.get_content() == b"an attachment\n" * 1000, "")
    many = [one["to"] for one in by_ses if "many1@example.net" in one["to"] or "many60@example.net" in one["to"]]
    prove("a mail to sixty came fifty and ten", [len(one) for one in many] == [50, 10], many)


def session(given: dict[str, Any]) -> None:
    """P38: a session goes from node to node, and two requests at once do not lose what the other wrote."""
    visitor = Visitor(given["host"])
    answers = [visitor.get(node, "/proof-session.php") for node in given["nodes"]]
    prove("a PHP session begun on node 1 goes on on node 2", [one[2] for one in answers] == [b"1", b"2"], answers)
    words = answers[0][3][0].lower()
    prove(
        "its cookie is for https, not for scripts and not for other sites",
        all(word in words for word in ("secure", "httponly", "samesite=lax")),
        words,
    )
    prove(
        "a page with a session is kept by no cache", "no-store" in answers[0][1].get("cache-control", ""), answers[0][1]
    )
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: visitor.get(given["nodes"][number % 2], "/proof-session.php"), range(16)))
    seen = visitor.get(given["nodes"][0], "/proof-session.php")[2]
    prove("sixteen requests at once on both nodes are all counted", seen == b"19", seen)
    COOKIES.write_text(json.dumps({"session": visitor.cookies, "login": logged_in(given).cookies}))


def still_there(given: dict[str, Any]) -> None:
    """After both nodes began anew, as their successors would: P25, P38."""
    kept = json.loads(COOKIES.read_text())
    for number, node in enumerate(given["nodes"], 1):
        visitor = Visitor(given["host"])
        visitor.cookies = dict(kept["session"])
        seen = visitor.get(node, "/proof-session.php")[2]
        prove(f"the session survives a swap of both nodes, on node {number}", seen == str(19 + number).encode(), seen)
        visitor.cookies = dict(kept["login"])
        status, headers, content, _unused = visitor.get(node, "/wp-admin/index.php")
        prove(
            f"the login survives it too, on node {number}",
            status == 200 and b"wp-admin-bar" in content,
            (status, headers),
        )


def nonces(given: dict[str, Any]) -> None:
    """P33: the form on a page that a cache kept as long as it may, and longer, can be sent."""
    for hours, valid in ((0, True), (11, True), (25, False)):
        nonce = Visitor(given["host"]).get(given["nodes"][0], f"/proof-nonce.php?age={hours * HOUR}")[2].decode()
        form = urllib.parse.urlencode({"nonce": nonce}).encode()
        answer = Visitor(given["host"]).ask(given["nodes"][1], "POST", "/proof-nonce.php", form, Content_Type=FORM)[2]
        prove(f"a form {hours} h old is {'taken' if valid else 'refused'}", (answer == b"taken") == valid, answer)


def guard(given: dict[str, Any]) -> None:
    """R3, R6, P46: after verify has planted a page cache, two backup plugins and a drop-in, and put all into the database."""
    first, second = given["nodes"]
    for number, node in enumerate(given["nodes"], 1):
        status, headers, content, _unused = Visitor(given["host"]).get(node, "/")
        whole = status == 200 and given["title"].encode() in content
        prove(
            f"node {number}: neither the page cache nor its drop-in runs",
            whole and "x-proof-wp-rocket" not in headers,
            (status, headers, content[:200]),
        )
        prove_quietly("nor the backup plugin", "x-proof-updraftplus" not in headers, headers)
        prove("the one that is allowed does", "x-proof-backwpup" in headers, headers)
        report = json.loads(Visitor(given["host"]).get(node, "/healthz/deep", X_Forwarded_For="10.0.0.9")[2])
        found = {"wp-rocket", "updraftplus", "backwpup (allowed)", "advanced-cache.php"}
        well = report["guard"]["state"] == "refused" and set(report["guard"]["found"]) == found
        prove(
            f"node {number}: the deep report names them and stays calm",
            well and report["database"]["state"] == "ok",
            report,
        )
    visitor = logged_in(given)
    content = visitor.get(first, "/wp-admin/index.php")[2].decode()
    prove(
        "the dashboard says so, with reasons",
        "wp-rocket: Each node would keep" in content and "backwpup is allowed by the operator" in content,
        re.findall(r"notice[^<]*<p>[^<]*", content),
    )
    refused = visitor.get(second, "/wp-admin/plugins.php?action=activate&plugin=wp-rocket%2Fwp-rocket.php&_wpnonce=0")
    prove(
        "activating one in the dashboard is refused, with the reason",
        refused[0] == 403 and b"wp-rocket is refused on this site" in refused[2],
        refused,
    )
    nonce = visitor.get(first, "/wp-admin/admin-ajax.php?action=rest-nonce")[2].decode()
    for path, asked in (
        ("plugins/updraftplus/updraftplus", {"status": "active"}),
        ("plugins", {"slug": "wp-super-cache"}),
    ):
        answer = visitor.ask(
            first,
            "POST",
            f"/wp-json/wp/v2/{path}",
            json.dumps(asked).encode(),
            X_WP_Nonce=nonce,
            Content_Type="application/json",
        )
        said = json.loads(answer[2])
        prove(f"so it is by the REST API: {asked}", answer[0] == 403 and said["code"] == "wordpress_ha_refused", answer)


def fault(given: dict[str, Any], what: str) -> None:
    """P3: live and ready say 200, whatever WordPress, the cache or the database do; the deep report tells them apart."""
    page, deep, part, state = {
        "maintenance": (503, 200, "maintenance", "on"),
        "hide-login": (404, 200, "database", "ok"),
        "cache": (200, 200, "cache", "RuntimeException"),
        "database": (None, 503, "database", "mysqli_sql_exception"),
    }[what]
    path = "/wp-login.php" if what == "hide-login" else "/"
    for number, node in enumerate(given["nodes"], 1):
        for host in (node, given["host"]):
            seen = [Visitor(host).get(node, f"/healthz/{kind}")[0] for kind in ("live", "ready")]
            prove(
                f"{what}: node {number} is live and ready for Host: {'its address' if host == node else 'the site'}",
                seen == [200, 200],
                seen,
            )
        if page:
            status = Visitor(given["host"]).get(node, path)[0]
            prove(
                f"{what}: node {number} answers {page} at {path}, so that the fault was there", status == page, status
            )
        answer = Visitor(given["host"]).get(node, "/healthz/deep", X_Forwarded_For="10.0.0.9")
        report = json.loads(answer[2])
        prove(
            f"{what}: node {number}'s deep report says {part}: {state}, {deep}",
            (answer[0], report[part]["state"]) == (deep, state),
            (answer[0], report),
        )


CLAIMS = {one.__name__: one for one in (reset_mail, signed_mails, session, still_there, nonces, guard)}

if __name__ == "__main__":
    everything = json.load(sys.stdin)
    if sys.argv[1] == "fault":
        fault(everything, sys.argv[2])
    else:
        CLAIMS[sys.argv[1]](everything)
