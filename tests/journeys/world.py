# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What journeys start from: the site, its visitors and its author, posts to use up, and a way past the edge for preparations."""

from __future__ import annotations

import functools
import json
import re
import shlex
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import requests
from playwright.sync_api import Browser, BrowserContext, Page
from rehearsal.site import STATE, Site, wait_until
from requests.adapters import HTTPAdapter

from .browser import PATIENCE

HERE = Path(__file__).resolve().parent
#: Where code is changed, and within how many seconds every node has to serve a change that was announced.
SHARED, CODE_SECONDS = "/srv/wordpress/shared", 60
AUTHORITY = STATE / "ca" / "ca.pem"
PASSWORD = "open sesame"

Kind = Literal["open", "locked", "draft", "form"]

#: Posts of each kind that are made at a time: a journey uses up one or two in each of its runs.
STOCK: dict[Kind, int] = {"open": 24, "locked": 3, "draft": 3, "form": 3}

#: Seconds that nodes and edge may take from a publication until every visitor sees it. The pages' own life is 300 s.
PURGE_SECONDS = 30

#: Seconds after which the nodes have sent all that was published in one go.
BATCH_SECONDS = 4


class Broken(AssertionError):
    """What a journey set out for did not happen. The message says what a person would have noticed."""


def expect(condition: object, noticed: str) -> None:
    """Go on with the journey if the condition holds, else end it with what was noticed."""
    if not condition:
        raise Broken(noticed)


@dataclass(frozen=True)
class Post:
    """A post made for one run of one journey; ``mark`` is a word that occurs in this post alone."""

    id: int
    kind: Kind
    mark: str
    url: str

    @property
    def path(self) -> str:
        return "/" + self.url.split("/", 3)[3]


class _Straight(HTTPAdapter):
    """Connect to an address, and expect the certificate of the site's name there."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> Any:
        return super().init_poolmanager(*arguments, **options, server_hostname=self.name, assert_hostname=self.name)


class Visitor(requests.Session):
    """Somebody without a browser: cookies are kept, redirects are followed unless told otherwise, TLS is verified."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.trust_env = False  # or REQUESTS_CA_BUNDLE of the caller's shell would win over the line below
        self.verify = str(AUTHORITY)
        self.url = url

    def request(self, method: str, url: str, **options: Any) -> requests.Response:  # type: ignore[override]
        options.setdefault("timeout", 60)
        return super().request(method, self.url + url if url.startswith("/") else url, **options)


class World:
    """Everything a journey may use. One for a whole run of the tests."""

    def __init__(self, site: Site, browser: Browser) -> None:
        self.site = site
        self.browser = browser
        self.url = site.url
        self._stock: dict[Kind, list[Post]] = {kind: [] for kind in STOCK}
        self._login: Any = None
        self.application_password = ""
        self.edge = site.aws("cloudfront")
        self.distribution = site.distribution()["Id"]

    # -- people ----------------------------------------------------------------------------------------------------

    def visitor(self) -> Visitor:
        """Return somebody who was never here before, without a browser."""
        return Visitor(self.url)

    def author(self) -> Visitor:
        """Return the administrator with the cookies of a login in the browser, without the browser."""
        author = self.visitor()
        for cookie in self.login_state()["cookies"]:
            author.cookies.set(cookie["name"], cookie["value"], domain="localhost.local", path=cookie["path"])
        return author

    @contextmanager
    def page(self, *, author: bool = False) -> Iterator[Page]:
        """Open a fresh browser window, of a new visitor or of the logged-in administrator."""
        with self._window(self.login_state() if author else None) as context:
            yield context.new_page()

    @contextmanager
    def _window(self, state: Any) -> Iterator[BrowserContext]:
        context = self.browser.new_context(storage_state=state, viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE)
        try:
            yield context
        finally:
            context.close()

    def login_state(self) -> Any:
        """Return cookies of a login in the browser. Logged in once: sessions outlive a change of the edge."""
        if self._login is None:
            with self._window(None) as context:
                self.log_in(context.new_page())
                self._login = context.storage_state()
        return self._login

    def log_in(self, page: Page) -> None:
        """Fill in the login form as the administrator and open the dashboard."""
        page.goto(f"{self.url}/wp-login.php")
        expect(page.locator("#user_login").count(), f"the login form did not open: {heading(page)}")
        # WordPress puts the cursor there a moment after the page is loaded: what is typed elsewhere at that moment would follow it.
        page.wait_for_function("document.activeElement.id === 'user_login'")
        page.fill("#user_login", self.site.report["admin_user"])
        page.fill("#user_pass", self.site.report["admin_password"])
        with page.expect_navigation():
            page.click("#wp-submit")
        there = page.url.startswith(f"{self.url}/wp-admin/") and page.locator("#wpadminbar").count()
        expect(there, f"after the login the dashboard did not open, but {page.url}: {heading(page)}")

    # -- posts -----------------------------------------------------------------------------------------------------

    def take(self, kind: Kind) -> Post:
        """Return a post that nobody has asked for yet and that no invalidation under way will touch."""
        if not self._stock[kind]:
            self.make({kind: STOCK[kind]})
        return self._stock[kind].pop()

    def stock_up(self) -> None:
        """Make posts for many journeys at once, and wait until the invalidations of their publication are over."""
        self.make({kind: size - len(self._stock[kind]) for kind, size in STOCK.items()})

    def make(self, wanted: Mapping[Kind, int]) -> None:
        orders = [
            {"kind": kind, "mark": uuid.uuid4().hex[:12]} for kind, count in wanted.items() for _number in range(count)
        ]
        if not orders:
            return
        since = time.time()
        for made in json.loads(self.wordpress("prepare.php", json.dumps(orders))):
            post = Post(made["id"], made["kind"], made["mark"], made["url"])
            self._stock[post.kind].append(post)
        self.settle(since)

    def settle(self, since: float) -> None:
        """Wait until the edge was told of what was published after a moment (seconds since the epoch) and has done it.

        Without it a journey that counts hits would meet an invalidation of somebody else's publication.
        """
        wait_until("the edge is told of what was published", lambda: self._told(since), PURGE_SECONDS)
        self.quiet()

    def quiet(self) -> None:
        """Wait until no invalidation is under way and none was asked for in the last seconds: nodes send in batches."""
        wait_until("no invalidation is under way", lambda: not self._told(time.time() - BATCH_SECONDS), PURGE_SECONDS)

    def _told(self, since: float) -> bool:
        """Tell whether an invalidation was asked for after a moment, or is still under way."""
        items = self.edge.list_invalidations(DistributionId=self.distribution)["InvalidationList"].get("Items", [])
        return any(item["CreateTime"].timestamp() >= since or item["Status"] != "Completed" for item in items)

    # -- past the edge ---------------------------------------------------------------------------------------------

    def wordpress(self, script: str, *arguments: str) -> str:
        """Run one of this folder's PHP scripts in WordPress on a node and return what it printed."""
        code = (HERE / script).read_text(encoding="utf-8")
        words = " ".join(shlex.quote(argument) for argument in arguments)
        return self.on_a_node(
            f"cd /srv/wordpress/docroot && runuser -u www-data -- wp eval-file - {words} <<'PHP'\n{code}\nPHP"
        )

    def on_a_node(self, script: str) -> str:
        return self.site.node(min(self.site.instance_ids()), script)

    def on_all_nodes(self, script: str) -> None:
        for node in self.site.instance_ids():
            self.site.node(node, script)

    def change_code(self, script: str) -> None:
        """Change the site's code on the shared files, from within wp-content, and wait until every node serves it."""
        self.on_a_node(f"cd {SHARED}/site/wp-content && {script}")
        self.on_a_node("runuser -u www-data -- env HOME=/tmp wp eval 'do_action( \"wordpress_ha_code_changed\" );'")
        for node in self.site.instance_ids():
            wait_until(f"{node} serves the changed code", functools.partial(self._has_newest_code, node), CODE_SECONDS)

    def _has_newest_code(self, node: str) -> bool:
        said = self.site.node(
            node,
            f'live=$(readlink /srv/wordpress/docroot); [ "$live" = {SHARED}/site ] || '
            f'grep -qF "$(grep -o \'"generation": *"[^"]*"\' {SHARED}/state/generation | cut -d\'"\' -f4)" "$live.json" && echo yes || echo no',
        )
        return said.strip().endswith("yes")

    def install(self) -> None:
        """Put the journeys' own plugin beside the site's, and have an application password made."""
        code = (HERE / "plugin.php").read_text(encoding="utf-8")
        self.change_code(f"mkdir -p mu-plugins && cat >mu-plugins/journeys.php <<'PHP'\n{code}\nPHP\n")
        self.application_password = self.on_a_node(
            "cd /srv/wordpress/docroot && runuser -u www-data -- wp user application-password create "
            f"{shlex.quote(self.site.report['admin_user'])} journeys --porcelain"
        ).strip()

    def tidy(self) -> None:
        """Remove what journeys made: posts, images, comments, the plugin, the application password."""
        self.wordpress("tidy.php")
        self.on_all_nodes("rm -f /srv/wordpress/docroot/wp-content/journey-*.css")
        self.change_code("rm -f mu-plugins/journeys.php && rmdir --ignore-fail-on-non-empty mu-plugins")

    def past_the_edge(self, path: str, **options: Any) -> requests.Response:
        """Ask the load balancer itself, without the header by which it knows the edge."""
        address, name = self.site.balancer_address(), self.url.split("//", 1)[1]
        client = Visitor(f"https://{address}")
        client.mount("https://", _Straight(name.split(":", 1)[0]))
        options["headers"] = {"Host": name, **options.get("headers", {})}
        return client.request(options.pop("method", "GET"), path, **options)

    def publish(self, title: str, content: str) -> Post:
        """Publish a post by REST with the application password, past the edge: no mutation of it stands in the way."""
        answer = self.past_the_edge(
            "/wp-json/wp/v2/posts",
            method="POST",
            json={"title": f"Journey {title}", "content": content, "status": "publish"},
            headers={"X-Origin-Verify": self.origin_header()},
            auth=(self.site.report["admin_user"], self.application_password),
        )
        assert answer.status_code == 201, answer.text[:500]
        made = answer.json()
        return Post(made["id"], "open", title, made["link"])

    def setting(self, name: str) -> str:
        """Return the path in the Parameter Store of one of the settings that the nodes read."""
        pages = (
            self.site.aws("ssm").get_paginator("get_parameters_by_path").paginate(Path="/wordpress_ha/", Recursive=True)
        )
        return next(item["Name"] for page in pages for item in page["Parameters"] if item["Name"].endswith(f"/{name}"))

    def origin_header(self) -> str:
        """Return the secret by which the load balancer knows the edge; empty where it has none."""
        manager = self.site.aws("secretsmanager")
        names = [listed["Name"] for listed in manager.list_secrets(MaxResults=100)["SecretList"]]
        return next((self.site.secret(name)["header_value"] for name in names if name.endswith("/origin")), "")


def heading(page: Page) -> str:
    """Return what a person reads first on a page, to tell in a message what came instead."""
    text = page.locator("body").inner_text() or page.title()
    return " ".join(text.split())[:150]


def from_cache(answer: requests.Response) -> bool:
    """Tell whether the edge answered by itself."""
    return answer.headers.get("X-Cache", "").startswith(("Hit", "RefreshHit"))


def rendering(answer: requests.Response) -> str:
    """Return the number that the journeys' plugin puts on a page when WordPress makes it: who holds a copy, holds its number."""
    found = re.search(r'name="journey-rendering" content="([^"]+)"', answer.text)
    expect(found, f"{answer.url} is not a page that WordPress made: {answer.status_code} {answer.text[:100]!r}")
    assert found is not None
    return found.group(1)
