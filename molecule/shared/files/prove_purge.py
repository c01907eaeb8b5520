# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change the site on a node and look at what its purge agent asks of CloudFront, whose place a small server here takes.

Prints what is proved; the first failed claim ends it. Argument: the node's web user.
"""

from __future__ import annotations

import http.server
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

PORT = 8099
SPOOL = Path("/run/wordpress_ha/purge")
DROP_IN = Path("/run/systemd/system/wordpress-ha-purge.service.d/proof.conf")
CREATED = (
    '<Invalidation xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Id>IPROOF</Id><Status>InProgress</Status>'
    "<CreateTime>2026-11-22T10:00:00Z</CreateTime><InvalidationBatch><Paths><Quantity>0</Quantity></Paths>"
    "<CallerReference>r</CallerReference></InvalidationBatch></Invalidation>"
)
BUSY = (
    '<ErrorResponse xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Error><Type>Sender</Type>'
    "<Code>TooManyInvalidationsInProgress</Code><Message>busy</Message></Error><RequestId>r</RequestId></ErrorResponse>"
)


class CloudFront(http.server.BaseHTTPRequestHandler):
    """Takes CreateInvalidation, or refuses it as often as told."""

    asked: list[dict[str, Any]] = []
    refusals = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        paths = [path.replace("&amp;", "&") for path in re.findall(r"<Path>(.*?)</Path>", body)]
        reference = re.findall(r"<CallerReference>(.*?)</CallerReference>", body)
        kind = type(self)
        kind.refusals, status, answer = (kind.refusals - 1, 400, BUSY) if kind.refusals else (0, 201, CREATED)
        kind.asked.append({"at": self.path, "paths": paths, "reference": reference, "status": status})
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


def prove(claim: str, holds: bool, seen: Any = "") -> None:
    if not holds:
        print(f"FAILED: {claim}; seen: {seen!r:.900}")
        sys.exit(1)
    print(f"proved: {claim}")


def run(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/")
    if done.returncode:
        print(f"FAILED: {' '.join(command)}: {done.stdout} {done.stderr}")
        sys.exit(1)
    return done.stdout.strip()


def wp(*arguments: str) -> str:
    """Run WP-CLI as PHP's user, without the proof's other plugins getting in the way."""
    return run(
        "runuser", "-u", sys.argv[1], "--", "env", "HOME=/tmp", "wp", "--path=/srv/wordpress/docroot", *arguments
    )


def taken(within: float = 60) -> list[str]:
    """Return the paths of all invalidations taken since the last look, once the spool is empty; empty if there are none."""
    deadline = time.monotonic() + within
    while any(SPOOL.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.2)
    prove_silently(not any(SPOOL.iterdir()), "the agent empties the spool", sorted(SPOOL.iterdir()))
    paths = [path for asked in CloudFront.asked if asked["status"] == 201 for path in asked["paths"]]
    CloudFront.asked.clear()
    return sorted(paths)


def prove_silently(holds: bool, claim: str, seen: Any) -> None:
    if not holds:
        seen = (seen, CloudFront.asked, run("journalctl", "-u", "wordpress-ha-purge", "-n", "20", "--no-pager"))
        prove(claim, False, seen)


def wait_until_taken(within: float = 60) -> None:
    deadline = time.monotonic() + within
    while not any(asked["status"] == 201 for asked in CloudFront.asked):
        prove_silently(time.monotonic() < deadline, "an invalidation is asked for", sorted(SPOOL.iterdir()))
        time.sleep(0.2)


def commands() -> None:
    wp("wordpress-ha", "purge")
    asked = list(CloudFront.asked)
    prove("`wp wordpress-ha purge` purges the whole site", "/*" in taken(), asked)
    run("wp", "--allow-root", "--path=/srv/wordpress/docroot", "wordpress-ha", "purge", "/about/", "/shop/*")
    wait_until_taken()
    at = CloudFront.asked[0]["at"]
    prove("the request names the contract's distribution", at == "/2020-05-31/distribution/EMOLECULE/invalidation", at)
    paths = taken()
    prove("what root notes is readable for the agent, and goes as it is", paths == ["/about/", "/shop/*"], paths)


def posts() -> None:
    wp("post", "create", "--post_title=Draft", "--post_status=draft")
    paths = taken()
    prove("a draft purges nothing", paths == [], paths)

    post = wp("post", "create", "--post_title=Proof", "--post_status=publish", "--post_author=1", "--porcelain")
    day = time.strftime("/%Y/%m/%d/", time.gmtime())
    paths = taken()
    wanted = {"/", "/?*", f"{day}proof/*", "/feed/*", "/page/*", "/category/uncategorized/*", "/author/owner/*", day}
    prove("a new post purges itself, the front page, feed and archives", wanted <= set(paths), paths)
    prove("and not the whole site", "/*" not in paths, paths)

    wp("post", "update", post, "--post_name=moved")
    paths = taken()
    prove("a post that moves is purged here and there", {f"{day}proof/*", f"{day}moved/*"} <= set(paths), paths)
    wp("post", "delete", post)
    paths = taken()
    prove("a post in the trash is purged where it was", {f"{day}moved/*", "/"} <= set(paths), paths)


def everything_else() -> None:
    comment = wp(
        "comment", "create", "--comment_post_ID=1", "--comment_content=x", "--comment_approved=0", "--porcelain"
    )
    paths = taken()
    prove("a comment that waits purges nothing", paths == [], paths)
    wp("comment", "approve", comment)
    paths = taken()
    prove("an approved one purges its post", any(path.endswith("/hello-world/*") for path in paths), paths)
    wp("comment", "delete", comment, "--force")
    taken()
    wp("term", "create", "category", "Proofs")
    paths = taken()
    prove("a new category purges its archive", paths == ["/category/proofs/*"], paths)
    wp("menu", "create", "Proof")
    paths = taken()
    prove("an empty menu purges nothing", paths == [], paths)
    other = str(20 + int(time.time()) % 1000)  # than in an earlier proof
    for change in (
        ("term", "update", "category", "proofs", "--by=slug", "--name=More proofs"),
        ("option", "update", "posts_per_page", other),
        ("menu", "item", "add-custom", "Proof", "Proof", "https://example.com/"),
        ("theme", "mod", "set", "proof", other),
    ):
        wp(*change)
        paths = taken()
        prove(f"`wp {' '.join(change[:2])}` purges the whole site", paths == ["/*"], paths)
    wp("option", "update", "proof", other)
    paths = taken()
    prove("an option that no page shows purges nothing", paths == [], paths)
    wp("option", "update", "posts_per_page", "10")
    wp("menu", "delete", "Proof")
    wp("term", "delete", "category", "proofs", "--by=slug")
    taken()


def outages() -> None:
    CloudFront.refusals = 1
    units = ("wordpress-ha-purge.path", "wordpress-ha-purge.timer")
    run("systemctl", "stop", *units, "wordpress-ha-purge.service")
    for path in ("/one/", "/two/*", "/one/"):
        wp("wordpress-ha", "purge", path)
    run("systemctl", "start", *units)
    wait_until_taken()
    asked = [(one["status"], one["paths"]) for one in CloudFront.asked]
    together = ["/one/", "/two/*"]
    prove(
        "what comes together is one invalidation, tried again when refused",
        asked == [(400, together), (201, together)],
        asked,
    )
    references = {one["reference"][0] for one in CloudFront.asked}
    prove("with the same caller reference, so that it is never two", len(references) == 1, references)
    taken()

    away = SPOOL.with_name("purge.away")
    SPOOL.rename(away)
    said = wp("post", "create", "--post_title=Alone", "--post_status=publish", "--porcelain")
    away.rename(SPOOL)
    prove("without a spool the site works as ever", said.isdigit(), said)
    wp("post", "delete", said, "--force")
    taken()


def main() -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), CloudFront)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text(
        f"[Service]\nEnvironment=AWS_ENDPOINT_URL=http://127.0.0.1:{PORT} AWS_ACCESS_KEY_ID=proof AWS_SECRET_ACCESS_KEY=proof\n"
    )
    waits = any(SPOOL.iterdir())
    run("systemctl", "daemon-reload")
    run("systemctl", "stop", "wordpress-ha-purge.service")  # it may be at what the installation noted
    try:
        if waits:
            run("systemctl", "start", "wordpress-ha-purge.service")
            paths = taken()
            prove("what the installation noted has waited for CloudFront to answer", bool(paths), paths)
        commands()
        posts()
        everything_else()
        outages()
        user = run(
            "systemctl", "show", "--property=User,ProtectSystem,CapabilityBoundingSet", "wordpress-ha-purge.service"
        )
        prove(
            "the agent is a user without rights",
            "User=wordpress-ha-purge" in user and "CapabilityBoundingSet=\n" in user + "\n",
            user,
        )
    finally:
        DROP_IN.unlink()
        run("systemctl", "daemon-reload")


if __name__ == "__main__":
    os.environ["HOME"] = "/root"
    main()
