# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the running edge does with each cell of Table 1 (R51): asked as a visitor, judged by what reached WordPress.

``tests/table1.py`` says what each cell means; here each is looked at. The journeys' plugin echoes what reached it, below any path.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import requests

from .world import World, from_cache

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1"
DESKTOP = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
READ, WRITE = ("GET", "HEAD"), ("OPTIONS", "POST", "PUT", "PATCH", "DELETE")
#: A path of each column that leads to WordPress: no file is there.
PATHS = {"static": "/wp-content/journeys-echo/", "admin": "/wp-admin/journeys-echo/", "default": "/journeys-echo/"}
DEVICES = ("cloudfront-is-mobile-viewer", "cloudfront-is-tablet-viewer", "cloudfront-is-desktop-viewer")
COUNTED = {"comment_author_x": "1", "wordpress_logged_in_x": "1", "wordpress_other_x": "1", "wp-settings-1": "1"}
OTHERS = {"_ga": "1", "PHPSESSID": "1"}
VISITORS_OWN = {
    "User-Agent": DESKTOP,
    "Referer": "https://elsewhere.example/",
    "Authorization": "Basic eDp5",
    "X-WP-Nonce": "n",
    "X-Anything": "a",
}


class Live:
    """Looks at the cells of one column; each method returns what is wrong, in words."""

    def __init__(self, world: World, column: str) -> None:
        self.world, self.column = world, column
        self.http = f"http://localhost:{world.site.config()['ports']['80']}"

    def ask(self, path: str = "", method: str = "GET", *, plain: bool = False, **options: Any) -> requests.Response:
        """Send a request to a path of the column that nobody has asked for, or to the one given."""
        visitor = self.world.visitor()
        visitor.headers.clear()
        if plain:
            visitor.url = self.http
        return visitor.request(method, path or self.fresh(), allow_redirects=False, **options)

    def fresh(self) -> str:
        return f"{PATHS[self.column]}{uuid.uuid4().hex}"

    def shared(self, one: dict[str, Any], other: dict[str, Any]) -> bool:
        """Tell whether two requests for one address that differ in their options are answered with one object."""
        path = self.fresh()
        first, second = self.ask(path, **one).json(), self.ask(path, **other).json()
        return first["number"] == second["number"]

    def look(self, row: str) -> list[str]:
        return list(getattr(self, f"{self.column}_{row}")())

    # -- static ----------------------------------------------------------------------------------------------------

    def static_viewer_protocol(self) -> Iterator[str]:
        yield from self._answers_by_both()

    def static_methods(self) -> Iterator[str]:
        yield from self._reach(READ)
        for method in WRITE:
            answer = self.ask(method=method)
            if answer.status_code != 403 or "number" in answer.text:
                yield f"{method} is answered with {answer.status_code}"

    def static_headers(self) -> Iterator[str]:
        seen = self.ask(headers=VISITORS_OWN).json()["headers"]
        if seen.get("user-agent") != "Amazon CloudFront":
            yield f"the origin sees the User-Agent {seen.get('user-agent')}"
        yield from (
            f"the origin sees {name}"
            for name in ("referer", "authorization", "x-wp-nonce", "x-anything")
            if name in seen
        )
        if seen["host"].startswith("localhost"):
            yield "the origin sees the visitor's Host"
        if not self.shared({"headers": {"User-Agent": PHONE}}, {"headers": VISITORS_OWN}):
            yield "requests that differ in headers do not share an object"

    def static_cookies(self) -> Iterator[str]:
        seen = self.ask(cookies={**COUNTED, **OTHERS}).json()["cookies"]
        if seen:
            yield f"the origin sees the cookies {seen}"
        if not self.shared({"cookies": COUNTED}, {}):
            yield "requests that differ in cookies do not share an object"

    def static_query_strings(self) -> Iterator[str]:
        path = self.fresh()
        one, again, two = (self.ask(f"{path}?ver={version}") for version in (1, 1, 2))
        if not from_cache(again) or again.json()["number"] != one.json()["number"]:
            yield "one version is fetched twice"
        if two.json()["number"] == one.json()["number"] or not two.json()["target"].endswith("?ver=2"):
            yield "another version is not fetched"

    def static_origin(self) -> Iterator[str]:
        yield from self._balancer_answers()

    def static_precedence(self) -> Iterator[str]:
        for path in ("/wp-admin/load-styles.php", "/wp-login.php"):
            if self.ask(path, "POST").status_code == 403:
                yield f"{path} is treated as a static file"

    # -- admin -----------------------------------------------------------------------------------------------------

    def admin_viewer_protocol(self) -> Iterator[str]:
        answer = self.ask(plain=True)
        if answer.status_code != 301 or not answer.headers.get("Location", "").startswith("https://"):
            yield f"http:// is answered with {answer.status_code}"

    def admin_methods(self) -> Iterator[str]:
        yield from self._reach((*READ, *WRITE))

    def admin_headers(self) -> Iterator[str]:
        seen = self.ask(headers=VISITORS_OWN).json()["headers"]
        yield from (
            f"the origin does not see {name}" for name, value in VISITORS_OWN.items() if seen.get(name.lower()) != value
        )
        if seen["host"] != self.world.url.split("//", 1)[1]:
            yield f"the origin sees the Host {seen['host']}"

    def admin_cookies(self) -> Iterator[str]:
        seen = self.ask(cookies={**COUNTED, **OTHERS}).json()["cookies"]
        yield from (f"the origin does not see the cookie {name}" for name in {**COUNTED, **OTHERS} if name not in seen)
        if self.shared({}, {}):
            yield "what may be kept is kept"

    def admin_query_strings(self) -> Iterator[str]:
        if not self.ask(f"{self.fresh()}?b=2&a=1&utm_source=x").json()["target"].endswith("?b=2&a=1&utm_source=x"):
            yield "the origin does not see the query string as it was sent"

    def admin_origin(self) -> Iterator[str]:
        yield from self._balancer_answers()

    def admin_precedence(self) -> Iterator[str]:
        for path in ("/wp-admin/load-styles.php?load=buttons", "/wp-login.php"):
            answers = [self.ask(path) for _again in range(2)]
            if any(from_cache(answer) for answer in answers):
                yield f"{path} comes out of the cache"

    # -- default ---------------------------------------------------------------------------------------------------

    def default_viewer_protocol(self) -> Iterator[str]:
        yield from self._answers_by_both()

    def default_methods(self) -> Iterator[str]:
        yield from self._reach((*READ, *WRITE))

    def default_headers(self) -> Iterator[str]:
        seen = self.ask(headers={**VISITORS_OWN, "User-Agent": PHONE}).json()["headers"]
        wanted = {"cloudfront-forwarded-proto": "https", **dict(zip(DEVICES, ("true", "false", "false"), strict=True))}
        for name, value in wanted.items():
            if seen.get(name) != value:
                yield f"the origin sees {name}: {seen.get(name)}"
        if seen["host"] != self.world.url.split("//", 1)[1]:
            yield f"the origin sees the Host {seen['host']}"
        if seen.get("user-agent") != "Amazon CloudFront":
            yield f"the origin sees the User-Agent {seen.get('user-agent')}"
        yield from (
            f"the origin sees {name}"
            for name in ("referer", "authorization", "x-wp-nonce", "x-anything")
            if name in seen
        )
        if self.shared({"headers": {"User-Agent": PHONE}}, {"headers": {"User-Agent": DESKTOP}}):
            yield "a phone and a desktop share an object"

    def default_cookies(self) -> Iterator[str]:
        seen = set(self.ask(cookies={**COUNTED, **OTHERS}).json()["cookies"])
        if seen != set(COUNTED):
            yield f"the origin sees the cookies {sorted(seen)}"
        for name in COUNTED:
            if self.shared({"cookies": {name: "1"}}, {"cookies": {name: "2"}}):
                yield f"requests that differ in the cookie {name} share an object"
        if not self.shared({"cookies": {"_ga": "1"}}, {"cookies": {"_ga": "2"}}):
            yield "requests that differ in other cookies do not share an object"

    def default_query_strings(self) -> Iterator[str]:
        path = self.fresh()
        for query in ("p=1", "p=2", "utm_source=x", "fbclid=y"):
            if not self.ask(f"{path}?{query}").json()["target"].endswith(f"?{query}"):
                yield f"?{query} is not sent to the origin as an object of its own"

    def default_origin(self) -> Iterator[str]:
        yield from self._balancer_answers()
        for plain, scheme in ((True, "http"), (False, "https")):
            answer = self.ask(plain=plain)
            if answer.status_code != 200 or answer.json()["headers"].get("x-forwarded-proto") != scheme:
                yield f"{scheme}:// does not arrive as such: {answer.status_code}"

    def default_precedence(self) -> Iterator[str]:
        if not from_cache(self._twice()):
            yield "a path of no other behavior is not cached"

    # -- what columns share ----------------------------------------------------------------------------------------

    def _twice(self) -> requests.Response:
        path = self.fresh()
        self.ask(path)
        return self.ask(path)

    def _answers_by_both(self) -> Iterator[str]:
        for plain in (True, False):
            answer = self.ask(plain=plain)
            if answer.status_code != 200:
                yield f"{'http' if plain else 'https'}:// is answered with {answer.status_code}"

    def _reach(self, methods: tuple[str, ...]) -> Iterator[str]:
        for method in methods:
            answer = self.ask(method=method)
            reached = answer.status_code == 200 and (method == "HEAD" or answer.json()["method"] == method)
            if not reached:
                yield f"{method} is answered with {answer.status_code} and does not reach the origin"

    def _balancer_answers(self) -> Iterator[str]:
        if self.ask().headers.get("X-Served-By", "") not in self.world.site.instance_ids():
            yield "the answer does not come from a node behind the load balancer"
