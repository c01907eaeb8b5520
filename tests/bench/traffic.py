# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One week of traffic of a made-up magazine, the same for the same seed: requests as a CDN sees them, in order of time.

What is assumed, and why. Nothing here is measured on a site: it is a small magazine with a few much-read posts and campaigns that lead to
them, and the shares are round, and meant to be argued with. How much the figures depend on them is printed beside the result.

========== =============================================================================================================
who        what they do
========== =============================================================================================================
readers    Sessions begin by the hour of the day and the day of the week (``HOURS``, ``DAYS``). Each opens one page and, with
           probability ``ANOTHER_PAGE``, another one after 10 to 90 s of reading, and so on. What they read is distributed
           by Zipf's law with the exponent ``ZIPF`` over ``POSTS`` posts (few are read by many); the front page takes 30 %,
           archives 6 %, searches 1 %. Devices: ``DEVICES``. All send the cookies of an analytics tool, their own each.
campaigns  A share of ``CAMPAIGN`` of the sessions begins at one of ``PROMOTED`` posts by a link with marketing parameters:
           half of them with ``fbclid`` and a quarter with ``gclid``, which differ for each click, a quarter with ``utm_*``.
           Newsletters (``NEWSLETTERS``) bring as many readers again as the usual ones for six hours, twice over, on one post, most of
           them early, with ``mc_eid``, which differs for each subscriber.
files      A page brings ``CORE`` style sheets and scripts (``?ver=``; a release on Wednesday changes three versions) and
           ``IMAGES`` images. Browsers keep them: the former are asked for only by who is new to the site (65 %), a page's images once
           in a session. Phones load small images.
commenters One session of 150 comments; from then on its pages are asked for with the cookies ``comment_author_*``.
editors    ``EDITORS`` people log in on weekdays and work for ``HOURS_AT_WORK``: lists, the editor with its REST calls, saves, a
           heartbeat each minute, previews, and a look at the site, logged in.
bots       A search engine asks for every post once a day; others for ``?replytocom=``, ``?share=``, ``/?author=``, for the login,
           and for files that were never there.
========== =============================================================================================================
"""

from __future__ import annotations

import bisect
import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

DAY = 86400
WEEK = 7 * DAY

POSTS = 50
ZIPF = 1.3
SESSIONS = 12_000
ANOTHER_PAGE = 0.55
CAMPAIGN = 0.4
PROMOTED = 6
CORE = 6
IMAGES = 3
EDITORS = 2
HOURS_AT_WORK = 2

#: Sessions by hour of the day (0 to 23) and by day of the week (Monday first), relative to each other.
HOURS = (2, 1, 1, 1, 1, 2, 4, 7, 9, 9, 9, 9, 10, 9, 8, 8, 8, 9, 10, 11, 12, 11, 8, 4)
DAYS = (10, 10, 10, 10, 9, 7, 8)
#: Newsletters: day and hour.
NEWSLETTERS = ((1, 10), (3, 17))

DEVICES = (
    (
        "mobile",
        0.58,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1",
    ),
    (
        "desktop",
        0.36,
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
    ),
    ("tablet", 0.06, "Mozilla/5.0 (iPad; CPU OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Safari/604.1"),
)
BOT = "Mozilla/5.0 (compatible; Seekbot/2.1; +http://seek.example/bot.html)"
AGENTS = {device: agent for device, _share, agent in DEVICES} | {"bot": BOT}


class Request(NamedTuple):
    """One request: seconds since Monday 00:00, who sent it, method, target (path and query string), device, Cookie header."""

    at: float
    who: str
    method: str
    target: str
    device: str = "bot"
    cookies: str = ""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


def week(seed: int = 20261122, sessions: int = SESSIONS) -> list[Request]:
    """Return a week's requests in order of time. ``sessions`` is the number of readers' sessions, which decides on the size of it all."""
    generator = _Generator(random.Random(seed), sessions)
    return sorted(
        itertools.chain(generator.readers(), generator.editors(), generator.bots()), key=lambda request: request.at
    )


@dataclass
class _Session:
    """A reader: what the browser holds already, and the cookies it sends."""

    number: int
    device: str
    fresh: bool
    cookies: list[str]
    images: set[int] = field(default_factory=set)
    who: str = "reader"


class _Generator:
    def __init__(self, chance: random.Random, sessions: int) -> None:
        self.chance = chance
        self.sessions = sessions
        self._popularity = list(itertools.accumulate(1 / rank**ZIPF for rank in range(1, POSTS + 1)))
        self._starts = self._profile()

    # -- readers ---------------------------------------------------------------------------------------------------

    @staticmethod
    def _profile() -> list[float]:
        """Return the accumulated weight of each hour of the week."""
        weights = [DAYS[hour // 24] * HOURS[hour % 24] for hour in range(7 * 24)]
        return list(itertools.accumulate(weights))

    def _start(self) -> float:
        hour = bisect.bisect(self._starts, self.chance.random() * self._starts[-1])
        return hour * 3600 + self.chance.random() * 3600

    def readers(self) -> Iterator[Request]:
        numbers = itertools.count()
        for _session in range(self.sessions):
            yield from self._visit(next(numbers), self._start(), None)
        for day, hour in NEWSLETTERS:
            usual = self.sessions * (DAYS[day] * HOURS[hour]) / self._starts[-1]
            post = self.chance.randrange(PROMOTED)
            for _session in range(int(usual * 6 * 2)):
                at = day * DAY + hour * 3600 + 6 * 3600 * self.chance.random() ** 2
                yield from self._visit(next(numbers), at, post)

    def _visit(self, number: int, at: float, newsletter: int | None) -> Iterator[Request]:
        device = self.chance.choices([name for name, _s, _a in DEVICES], [share for _n, share, _a in DEVICES])[0]
        own = self.chance.getrandbits(40)
        session = _Session(
            number, device, self.chance.random() < 0.65, [f"_ga=GA1.1.{own}", f"_gid=GA1.1.{own % 99991}"]
        )
        campaign = ""
        promoted = newsletter
        if newsletter is not None:
            campaign = f"utm_source=newsletter&utm_medium=email&mc_eid={self.chance.getrandbits(40):010x}"
        elif self.chance.random() < CAMPAIGN:
            campaign, promoted = self._campaign(), self.chance.randrange(PROMOTED)
        comments = self.chance.random() < 1 / 150
        while True:
            post: int | None
            if promoted is None:
                target, post = self._page()
            else:
                target, post = f"/post-{promoted}/", promoted
                promoted = None
            yield from self._view(session, at, target, post, campaign)
            campaign = ""
            if comments and post is not None:
                comments = False
                at += 60
                yield self._send(session, at, "POST", "/wp-comments-post.php")
                session.cookies += [f"comment_author_a1b2={own}", f"comment_author_email_a1b2={own}%40example.org"]
                session.who = "commenter"
                yield from self._view(session, at + 1, target, post, "")
            if self.chance.random() > ANOTHER_PAGE:
                return
            at += self.chance.uniform(10, 90)

    def _campaign(self) -> str:
        kind = self.chance.random()
        if kind < 0.5:
            return f"fbclid=IwAR{self.chance.getrandbits(80):020x}"
        if kind < 0.75:
            return f"gclid=Cj0K{self.chance.getrandbits(80):020x}"
        medium = self.chance.choice(("cpc", "social", "email", "affiliate"))
        return f"utm_source=partner{self.chance.randrange(12)}&utm_medium={medium}&utm_campaign=c{self.chance.randrange(40)}"

    def _post(self) -> int:
        return bisect.bisect(self._popularity, self.chance.random() * self._popularity[-1])

    def _page(self) -> tuple[str, int | None]:
        """Return what somebody opens: the target, and the post if it is one."""
        kind = self.chance.random()
        if kind < 0.3:
            return "/", None
        if kind < 0.33:
            return f"/category/c{self.chance.randrange(10)}/", None
        if kind < 0.36:
            return f"/page/{min(20, 1 + math.ceil(self.chance.expovariate(0.5)))}/", None
        if kind < 0.37:
            return f"/?s=word{self.chance.randrange(500)}", None
        post = self._post()
        return f"/post-{post}/", post

    def _view(self, session: _Session, at: float, target: str, post: int | None, campaign: str) -> Iterator[Request]:
        glue = "&" if "?" in target else "?"
        yield self._send(session, at, "GET", f"{target}{glue}{campaign}" if campaign else target)
        if session.fresh:
            session.fresh = False
            for number in range(CORE):
                released = at > 2 * DAY + 9 * 3600 and number < 3
                folder = "wp-includes/js" if number % 2 else "wp-content/themes/blog"
                yield self._send(
                    session,
                    at + 0.2,
                    "GET",
                    f"/{folder}/file-{number}.{'js' if number % 2 else 'css'}?ver=7.1.{1 + released}",
                )
        shown = POSTS if post is None else post
        if shown not in session.images:
            session.images.add(shown)
            size = 480 if session.device == "mobile" else 1200
            for number in range(IMAGES):
                yield self._send(
                    session, at + 0.5, "GET", f"/wp-content/uploads/2026/11/image-{shown}-{number}-{size}.webp"
                )

    @staticmethod
    def _send(session: _Session, at: float, method: str, target: str) -> Request:
        return Request(at, session.who, method, target, session.device, "; ".join(session.cookies))

    # -- editors ---------------------------------------------------------------------------------------------------

    def editors(self) -> Iterator[Request]:
        for editor, day in itertools.product(range(EDITORS), range(5)):
            start = day * DAY + self.chance.uniform(8, 14) * 3600
            login = f"wordpress_logged_in_a1b2={editor}%7C{day}; wp-settings-{editor + 1}=x; wp-settings-time-{editor + 1}=1"
            admin = f"wordpress_sec_a1b2={editor}%7C{day}; {login}"

            def send(at: float, method: str, target: str, cookies: str) -> Request:
                return Request(at, "editor", method, target, "desktop", cookies)

            yield send(start, "GET", "/wp-login.php", "")
            yield send(start + 20, "POST", "/wp-login.php", "wordpress_test_cookie=WP%20Cookie%20check")
            for minute in range(HOURS_AT_WORK * 60):
                at = start + 30 + minute * 60
                yield send(at, "POST", "/wp-admin/admin-ajax.php", admin)
                kind = self.chance.random()
                if kind < 0.15:
                    yield send(at + 5, "GET", "/wp-admin/edit.php", admin)
                elif kind < 0.25:
                    post = self.chance.randrange(POSTS)
                    yield send(at + 5, "GET", f"/wp-admin/post.php?post={post}&action=edit", admin)
                    for collection in ("types/post", "users/me", "categories", "tags", f"posts/{post}"):
                        yield send(at + 7, "GET", f"/wp-json/wp/v2/{collection}?context=edit&_locale=user", login)
                elif kind < 0.45:
                    yield send(at + 5, "POST", f"/wp-json/wp/v2/posts/{self.chance.randrange(POSTS)}/autosaves", login)
                elif kind < 0.55:
                    yield send(at + 5, "GET", f"/?p={self.chance.randrange(POSTS)}&preview=true", login)
                elif kind < 0.65:
                    yield send(at + 5, "GET", self.chance.choice(("/", f"/post-{self._post()}/")), login)

    # -- bots ------------------------------------------------------------------------------------------------------

    def bots(self) -> Iterator[Request]:
        for day in range(7):
            for post in range(POSTS):
                yield Request(day * DAY + self.chance.random() * DAY, "bot", "GET", f"/post-{post}/")
        for _noise in range(self.sessions // 15):
            at, post = self.chance.random() * WEEK, self._post()
            target = self.chance.choice(
                (
                    f"/post-{post}/?replytocom={self.chance.randrange(10_000)}",
                    f"/post-{post}/?share=chat&nb={self.chance.randrange(100)}",
                    f"/?author={self.chance.randrange(20)}",
                    "/wp-login.php",
                    f"/{self.chance.choice(('.env', 'backup.zip', 'old/', 'wp/'))}",
                )
            )
            yield Request(at, "bot", "GET", target)
            if self.chance.random() < 0.2:
                yield Request(at + 1, "bot", "POST", "/xmlrpc.php")
