# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change the site's code as its owner does in the dashboard, and look at what visitors of two nodes get meanwhile.

Prints what is proved; the first failed claim ends it. Argument: what to prove, a name of CLAIMS, or `archive FILE VERSION`. Reads one JSON object from
standard input: nodes (two addresses), host, user, password, and what the claim needs besides. The proof's plugin says its version from five files of its own,
which a page reads one after another with pauses in between: a page that mixes two versions says so.
"""

from __future__ import annotations

import html
import http.client
import io
import json
import re
import sys
import threading
import time
import urllib.parse
import zipfile
from collections import Counter
from typing import Any

PARTS = ("a", "b", "c", "d", "e")
PART_LIST = ", ".join(f"'{part}'" for part in PARTS)
#: Microseconds between two parts of a page, so that a switch falls into many pages.
PAUSE = 20000
SEEN = re.compile(rb"<!-- proof((?: \d+)+) -->")
FORM = "application/x-www-form-urlencoded"

#: Seconds within which both nodes serve a change. It is 5 where each has two processors of its own; here two nodes, and whatever else is tested
#: meanwhile, share two.
BOUND = 40


def prove(claim: str, holds: bool, seen: Any = "") -> None:
    if not holds:
        print(f"FAILED: {claim}; seen: {seen!r:.900}")
        sys.exit(1)
    print(f"proved: {claim}")


class Browser:
    """A browser behind the load balancer: one cookie jar, whatever node it is sent to."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.cookies: dict[str, str] = {}

    def ask(self, node: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str, bytes]:
        """Return status, Location and content."""
        connection = http.client.HTTPConnection(node, 80, timeout=70)
        sent = {"Host": self.host, "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request("GET" if body is None else "POST", path, body, sent)
        answer = connection.getresponse()
        content = answer.read()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _unused, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        connection.close()
        return answer.status, answer.headers.get("Location", ""), content

    def log_in(self, node: str, user: str, password: str) -> None:
        self.ask(node, "/wp-login.php")
        form = urllib.parse.urlencode({"log": user, "pwd": password, "testcookie": "1"}).encode()
        status, location, content = self.ask(node, "/wp-login.php", form, Content_Type=FORM)
        if status != 302 or "wp-admin" not in location:
            prove("the administrator logs in", False, (status, location, content[-400:]))

    def upload(self, node: str, kind: str, name: str, archive: bytes) -> bytes:
        """Upload an archive on the page that is there for it; return the answer."""
        page = self.ask(
            node,
            f"/wp-admin/{kind}-install.php?tab=upload" if kind == "plugin" else "/wp-admin/theme-install.php?upload",
        )[2]
        nonce = found(rb'name="_wpnonce" value="([0-9a-f]+)"', page, "the form to upload")
        boundary = "proof4f1a"
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="_wpnonce"\r\n\r\n{nonce}\r\n'.encode(),
            f'--{boundary}\r\nContent-Disposition: form-data; name="{kind}zip"; filename="{name}.zip"\r\n'.encode(),
            b"Content-Type: application/zip\r\n\r\n" + archive + f"\r\n--{boundary}--\r\n".encode(),
        ]
        kind_of_body = f"multipart/form-data; boundary={boundary}"
        return self.ask(node, f"/wp-admin/update.php?action=upload-{kind}", b"".join(parts), Content_Type=kind_of_body)[
            2
        ]

    def click(self, node: str, pattern: bytes, page: bytes, what: str) -> tuple[int, str, bytes]:
        """Follow a link of a page of the dashboard."""
        link = urllib.parse.urlsplit(html.unescape(found(pattern, page, what)))
        path = link.path if link.path.startswith("/") else f"/wp-admin/{link.path}"
        return self.ask(node, f"{path}?{link.query}")


def found(pattern: bytes, page: bytes, what: str) -> str:
    match = re.search(pattern, page)
    if not match:
        text = re.sub(rb"<(script|style)\b.*?</\1>|<[^>]+>|\s+", b" ", page, flags=re.DOTALL)
        prove(f"the dashboard shows {what}", False, re.sub(rb" +", b" ", text)[-800:])
    return match.group(1).decode() if match else ""


def packed(files: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def plugin(version: int) -> bytes:
    """A plugin that says on every page which version each of its files is; its settings are what they are in no other."""
    files = {
        "proof/proof.php": "<?php\n/* Plugin Name: Proof\n * Version: " + str(version) + " */\n"
        "add_action( 'wp_footer', function () { $seen = array();\n"
        f"foreach ( array( {PART_LIST} ) as $part ) {{ $seen[] = include __DIR__ . '/parts/' . $part . '.php'; usleep( {PAUSE} ); }}\n"
        "echo '<!-- proof ' . implode( ' ', $seen ) . ' -->'; } );\n",
        "proof/style.css": f"/* {version} */",
    }
    files |= {f"proof/parts/{part}.php": f"<?php return {version};\n" for part in PARTS}
    files |= {f"proof/more/{number}.php": f"<?php // {version}\n" for number in range(100)}
    return packed(files)


def theme(version: int) -> bytes:
    return packed(
        {
            "proof-theme/style.css": f"/* Theme Name: Proof theme\n * Version: {version} */",
            "proof-theme/index.php": "<!doctype html><html><body>the proof's theme<?php wp_footer(); ?></body></html>",
            "proof-theme/functions.php": "<?php\n",
        }
    )


def version_of(content: bytes) -> tuple[int, ...]:
    """Return what the files say on a page; empty without the plugin."""
    match = SEEN.search(content)
    return tuple(int(number) for number in match.group(1).split()) if match else ()


def await_version(given: dict[str, Any], version: int, seconds: float, started: float) -> float:
    """Wait until visitors of all nodes see a version and no other; return the seconds it took."""
    waiting = list(given["nodes"])
    seen: Any = None
    while waiting and time.monotonic() - started <= seconds:
        status, _unused, content = Browser(given["host"]).ask(waiting[0], "/")
        seen = (waiting[0], status, version_of(content))
        if status == 200 and set(seen[2]) == {version}:
            waiting.pop(0)
        else:
            time.sleep(0.05)
    took = time.monotonic() - started
    if waiting:
        prove(f"version {version} is visible on all nodes within {seconds:.0f} s", False, seen)
    return took


class Load(threading.Thread):
    """Visitors of one node, one page after another; what they see is kept."""

    def __init__(self, given: dict[str, Any], node: str) -> None:
        super().__init__(daemon=True)
        self.given, self.node = given, node
        self.ends = False
        self.versions: Counter[int] = Counter()
        self.wrong: list[Any] = []

    def run(self) -> None:
        while not self.ends:
            try:
                status, _unused, content = Browser(self.given["host"]).ask(self.node, "/")
            except (OSError, http.client.HTTPException) as error:
                self.wrong.append(repr(error))
                continue
            said = version_of(content)
            if status != 200 or b"</html>" not in content or len(said) != len(PARTS) or len(set(said)) != 1:
                self.wrong.append((status, said, content[-200:]))
            self.versions[said[0] if said else 0] += 1


def under_load(given: dict[str, Any]) -> list[Load]:
    loads = [Load(given, node) for node in given["nodes"] for _unused in range(2)]
    for load in loads:
        load.start()
    return loads


def judged(loads: list[Load]) -> tuple[int, list[Any], Counter[int]]:
    for load in loads:
        load.ends = True
    for load in loads:
        load.join(70)
    versions = sum((load.versions for load in loads), Counter())
    return sum(versions.values()), [wrong for load in loads for wrong in load.wrong], versions


def owner(given: dict[str, Any]) -> Browser:
    browser = Browser(given["host"])
    browser.log_in(given["nodes"][0], given["user"], given["password"])
    return browser


def replace(browser: Browser, node: str, version: int) -> float:
    """Upload another version of the plugin and confirm; return when that was answered."""
    page = browser.upload(node, "plugin", "proof", plugin(version))
    answer = browser.click(node, rb'href="([^"]*overwrite=[^"]*)"', page, "the button to replace the plugin")
    if b"updated successfully" not in answer[2]:
        found(rb"(updated successfully)", answer[2], "that the plugin was updated")
    return time.monotonic()


def click(given: dict[str, Any]) -> None:
    """A plugin uploaded and activated on one node by clicks is on all nodes within five seconds."""
    first, second = given["nodes"]
    browser = owner(given)
    page = browser.upload(first, "plugin", "proof", plugin(1))
    installed = time.monotonic()
    found(rb"(installed successfully)", page, "that the plugin was installed")
    status, location, answer = browser.click(
        first, rb'href="([^"]*action=activate[^"]*)"', page, "the button to activate it"
    )
    if status != 302:
        prove("the plugin is activated", False, (status, location, answer[-300:]))
    took = await_version(given, 1, BOUND, installed)
    prove(
        f"a plugin installed by click on node 1 is visible to visitors of both nodes after {took:.1f} s (at most {BOUND})",
        took <= BOUND,
    )
    for node in (first, second):
        content = browser.ask(node, "/wp-admin/plugins.php")[2]
        prove_page = b'data-plugin="proof/proof.php"' in content
        if not prove_page:
            prove("both nodes list it in the dashboard", False, content[-500:])
    done = replace(browser, second, 2)
    status, _unused, content = browser.ask(second, "/")
    prove(
        "who changed it sees the new version at once",
        status == 200 and set(version_of(content)) == {2},
        version_of(content),
    )
    took = await_version(given, 2, BOUND, done)
    prove(
        f"replaced by upload on node 2, visitors of both nodes see it after {took:.1f} s (at most {BOUND})",
        took <= BOUND,
    )


def switches(given: dict[str, Any]) -> None:
    """Twenty versions one after another, while visitors of both nodes load pages."""
    browser = owner(given)
    loads = under_load(given)
    slowest = 0.0
    for version in range(3, 23):
        done = replace(browser, given["nodes"][version % 2], version)
        slowest = max(slowest, await_version(given, version, BOUND, done))
    pages, wrong, versions = judged(loads)
    prove(
        f"20 switches under load: {pages} pages, none of them failed or mixed two versions",
        not wrong and pages >= 100,
        wrong[:3],
    )
    seen = [version for version in range(3, 23) if versions[version]]
    prove(f"visitors saw {len(seen)} of the 20 versions, the slowest after {slowest:.1f} s", len(seen) >= 15, versions)


def themes(given: dict[str, Any]) -> None:
    """A theme is uploaded and activated at once: no visitor gets the page of a theme that his node lacks."""
    browser = owner(given)
    first = given["nodes"][0]
    loads = under_load(given)
    page = browser.upload(first, "theme", "proof-theme", theme(1))
    answer = browser.click(first, rb'href="([^"]*action=activate[^"]*)"', page, "the button to activate the theme")
    ends = time.monotonic() + 6
    while time.monotonic() < ends and b"the proof's theme" not in Browser(given["host"]).ask(given["nodes"][1], "/")[2]:
        time.sleep(0.1)
    pages, wrong, _unused = judged(loads)
    shown = [b"the proof's theme" in Browser(given["host"]).ask(node, "/")[2] for node in given["nodes"]]
    prove("a theme uploaded on node 1 and activated at once is shown by both nodes", all(shown), (shown, answer[:2]))
    prove(f"none of {pages} pages in between was broken", not wrong, wrong[:3])


def deletion(given: dict[str, Any]) -> None:
    """A plugin deleted in the dashboard, as its JavaScript does it, is gone from all nodes."""
    browser = owner(given)
    first = given["nodes"][0]
    page = browser.ask(first, "/wp-admin/plugins.php")[2]
    off = browser.click(
        first, rb'href="([^"]*action=deactivate&amp;plugin=proof[^"]*)"', page, "the link to deactivate it"
    )
    page = browser.ask(first, "/wp-admin/plugins.php")[2]
    nonce = found(rb'"ajax_nonce":"([0-9a-f]+)"', page, "the nonce of its script")
    form = urllib.parse.urlencode(
        {"action": "delete-plugin", "plugin": "proof/proof.php", "slug": "proof", "_ajax_nonce": nonce}
    ).encode()
    answer = browser.ask(
        first,
        "/wp-admin/admin-ajax.php",
        form,
        Content_Type=FORM,
        Referer=f"https://{given['host']}/wp-admin/plugins.php",
    )
    deleted = b'"success":true' in answer[2]
    prove("a plugin is deleted by click", deleted, (off[:2], answer))
    ends, gone = time.monotonic() + BOUND, False
    while not gone and time.monotonic() < ends:
        path = "/wp-content/plugins/proof/style.css"
        gone = all(Browser(given["host"]).ask(node, path)[0] == 404 for node in given["nodes"])
    prove(f"its files are gone from both nodes within {BOUND} s", gone)


def awaited(given: dict[str, Any]) -> None:
    """A version that was brought by other means is visible in time."""
    took = await_version(given, given["version"], given["seconds"], time.monotonic())
    prove(
        f"{given['claim']}: visible on both nodes after {took:.1f} s (at most {given['seconds']})",
        took <= given["seconds"],
    )


def loaded(given: dict[str, Any]) -> None:
    """Pages are loaded for some seconds, while the playbook changes something: none fails."""
    loads = under_load(given)
    time.sleep(given["seconds"])
    pages, wrong, versions = judged(loads)
    prove(f"{given['claim']}: none of {pages} pages failed or mixed", not wrong and pages > 20, wrong[:3])
    expected = set(given.get("versions", versions))
    prove(f"{given['claim']}: visitors saw versions {sorted(versions)}", set(versions) == expected, versions)


def locked(given: dict[str, Any]) -> None:
    """Where releases run the dashboard offers no change of code."""
    browser = owner(given)
    status, _unused, content = browser.ask(given["nodes"][0], "/wp-admin/plugin-install.php?tab=upload")
    prove(
        "with releases the dashboard installs nothing",
        status in (403, 500) or b"pluginzip" not in content,
        (status, content[-300:]),
    )
    status, _unused, content = browser.ask(given["nodes"][0], "/wp-admin/plugins.php")
    prove("and deletes nothing", status == 200 and b"action=delete-selected" not in content, status)


CLAIMS = {
    "click": click,
    "switches": switches,
    "themes": themes,
    "deletion": deletion,
    "awaited": awaited,
    "loaded": loaded,
    "locked": locked,
}


def main() -> None:
    if sys.argv[1] == "archive":
        with open(sys.argv[2], "wb") as stream:
            stream.write(plugin(int(sys.argv[3])))
        return
    CLAIMS[sys.argv[1]](json.load(sys.stdin))


if __name__ == "__main__":
    main()
