# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people do with the site, through the edge: each journey is a function that ends, or raises Broken with what a person would notice.

Positive tests call them with the edge as provisioned, mutations call the same functions with one thing changed (mutations.py), so that a
journey that cannot fail is found out.
"""

from __future__ import annotations

import re
import struct
import time
import uuid
import zlib
from collections.abc import Callable

import requests
from playwright.sync_api import Error, FilePayload, Page

from .world import PASSWORD, Broken, World, expect, from_cache, heading, rendering, wait_until

Journey = Callable[[World], None]

#: Seconds from a publication to a fresh front page. The pages' own life is 300 s: only an invalidation is that quick.
FRESH_SECONDS = 15

#: What Chromium says when a network device of this machine, as each container has one, comes or goes while a page loads.
NETWORK_CHANGED = "ERR_NETWORK_CHANGED"

#: What advertisers and mailings append to links (P37).
CAMPAIGN = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "gclid", "fbclid")


def picture(size: int = 64) -> bytes:
    """Return a PNG of one colour, different each time."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    row = b"\0" + uuid.uuid4().bytes[:3] * size
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row * size)) + chunk(b"IEND", b"")
    )


# -- in the browser ----------------------------------------------------------------------------------------------------


def log_in(world: World) -> None:
    """The administrator logs in and stays logged in."""
    with world.page() as page:
        world.log_in(page)
        page.goto(f"{world.url}/wp-admin/edit.php")
        expect(page.locator("#the-list").count(), f"the list of posts did not open after the login: {heading(page)}")


def write_and_publish(world: World) -> None:
    """The author writes a post of blocks and publishes it; a visitor reads it (P4)."""
    mark = uuid.uuid4().hex[:12]
    with world.page(author=True) as page:
        refused: list[str] = []
        page.on("response", lambda answer: note_refusal(refused, answer.url, answer.status))
        page.goto(f"{world.url}/wp-admin/post-new.php")
        try:
            canvas = page.frame_locator('iframe[name="editor-canvas"]')
            canvas.locator(".wp-block-post-title").fill(f"Journey {mark}")
            canvas.locator(".wp-block-post-title").press("Enter")
            page.keyboard.type(f"Written {mark}")
            page.keyboard.press("Enter")
            page.keyboard.type("## Second block")
            page.locator(".editor-post-publish-panel__toggle").click()
            page.locator(".editor-post-publish-button").click()
            page.locator(".post-publish-panel__postpublish, .components-notice.is-error").first.wait_for()
        except Error as error:
            if NETWORK_CHANGED in error.message:
                raise
            raise Broken(f"the post was not published; refused were {refused}; {error.message[:200]}") from error
        link = page.locator(".post-publish-panel__postpublish-buttons a, .post-publish-panel__postpublish a").first
        expect(link.count(), f"the post was not published; refused were {refused}")
        address = link.get_attribute("href") or ""
    seen = world.visitor().get(address)
    expect(
        f"<p>Written {mark}</p>" in flat(seen.text), f"a visitor does not read the published post: {seen.status_code}"
    )


def note_refusal(refused: list[str], url: str, status: int) -> None:
    if status >= 400:
        refused.append(f"{status} {url.split('/', 3)[3][:60]}")


def flat(html: str) -> str:
    """Return the HTML without the attributes that themes add to its elements."""
    return re.sub(r"<([a-z0-9]+) [^>]*>", r"<\1>", html)


def preview_draft(world: World) -> None:
    """The author previews a draft from the list of posts; a visitor with the same address does not see it."""
    draft = world.take("draft")
    with world.page(author=True) as page:
        page.goto(f"{world.url}/wp-admin/edit.php?post_status=draft&post_type=post")
        row = page.locator(f"#post-{draft.id}")
        expect(row.count(), f"the draft is not in the author's list: {heading(page)}")
        address = row.locator(".row-actions .view a").get_attribute("href") or ""
        page.goto(address)
        expect(
            f"Content {draft.mark}" in page.content(),
            f"the author does not see the preview of a draft: {heading(page)}",
        )
    seen = world.visitor().get(address)
    expect(draft.mark not in seen.text, "a visitor sees the draft that an author previewed")


def upload_image(world: World) -> None:
    """The author uploads an image in wp-admin; a visitor sees it on a page."""
    mark = uuid.uuid4().hex[:12]
    with world.page(author=True) as page:
        page.goto(f"{world.url}/wp-admin/media-new.php")
        image: FilePayload = {"name": f"Journey {mark}.png", "mimeType": "image/png", "buffer": picture()}
        with page.expect_response(lambda answer: "/async-upload.php" in answer.url) as sent:
            page.locator('#plupload-upload-ui input[type="file"]').set_input_files(image)
        expect(sent.value.ok, f"the image was not uploaded: {sent.value.status}")
        outcome = page.locator(".media-item .copy-attachment-url, .media-item .error")
        outcome.first.wait_for(state="attached")
        address = outcome.first.get_attribute("data-clipboard-text")
        expect(address, f"the image was not uploaded: {' '.join(outcome.first.inner_text().split())}")
    post = world.publish(mark, f'<!-- wp:html --><img id="journey" src="{address}" alt=""><!-- /wp:html -->')
    with world.page() as page:
        page.goto(post.url)
        expect(shown(page), "a visitor does not see the uploaded image on the page")


def shown(page: Page) -> bool:
    """Tell whether the browser could draw the page's image."""
    return bool(
        page.evaluate("() => { const image = document.getElementById('journey'); return image && image.naturalWidth }")
    )


def comment(world: World) -> None:
    """A visitor comments twice and sees the own pending comments; others do not see them."""
    post = world.take("open")
    with world.page() as page:
        for number in ("first", "second"):
            page.goto(post.url)
            page.fill("#comment", f"My {number} {post.mark}")
            if number == "first":
                page.fill("#author", "Vera Visitor")
                page.fill("#email", f"{post.mark}@example.org")
                page.check("#wp-comment-cookies-consent")
            with page.expect_navigation():
                page.locator("#commentform #submit").click()
            page.goto(post.url)  # without the key to the very comment that WordPress appends to the address
            text = page.locator("body").inner_text()
            expect(
                f"My {number} {post.mark}" in text and "awaiting moderation" in text,
                f"the visitor does not see the own pending comment, the {number}",
            )
    seen = world.visitor().get(post.url)
    expect(seen.status_code == 200 and f"Content {post.mark}" in seen.text, f"others see no page: {seen.status_code}")
    expect(f"My first {post.mark}" not in seen.text, "others see the pending comment")
    expect(f"{post.mark}@example.org" not in seen.text, "others see the commenter's address filled in")


def unlock(world: World) -> None:
    """A visitor unlocks a password-protected post; the next visitor still sees the form (P34)."""
    post = world.take("locked")
    with world.page() as page:
        page.goto(post.url)
        expect(f"Content {post.mark}" not in page.content(), "the post is not protected at all")
        page.locator('input[name="post_password"]').first.fill(PASSWORD)
        with page.expect_navigation():
            page.locator('input[name="post_password"] >> xpath=ancestor::form >> input[type="submit"]').first.click()
        for _visit in range(2):
            expect(
                f"Content {post.mark}" in page.content(), f"the right password did not unlock the post: {heading(page)}"
            )
            page.goto(post.url)
    seen = world.visitor().get(post.url)
    expect(f"Content {post.mark}" not in seen.text, "a second visitor sees the unlocked post without the password")
    expect("post_password" in seen.text, "a second visitor is not asked for the password")


# -- by HTTP -----------------------------------------------------------------------------------------------------------


def application_password(world: World) -> None:
    """A program asks who it is with an application password, and is refused without one or with a wrong one (P4)."""
    path, user = "/wp-json/wp/v2/users/me", world.site.report["admin_user"]
    for _again in range(2):
        known = world.visitor().get(path, auth=(user, world.application_password))
        expect(known.status_code == 200, f"an application password is answered with {known.status_code}")
        expect(known.json()["name"] == user, "an application password is answered with somebody else")
        for refused in (world.visitor().get(path), world.visitor().get(path, auth=(user, "wrong"))):
            expect(refused.status_code == 401, f"without the application password the answer is {refused.status_code}")


def logged_in_page_is_private(world: World) -> None:
    """A page that the administrator looked at, with the toolbar, is never what a visitor gets, and the other way round."""
    first, second = world.take("open"), world.take("open")
    author, visitor = world.author(), world.visitor()
    for post, order in ((first, (author, visitor, author)), (second, (visitor, author, visitor))):
        for who in order:
            seen = who.get(post.url)
            expect(f"Content {post.mark}" in seen.text, f"the post does not open: {seen.status_code}")
            toolbar = "wpadminbar" in seen.text
            if who is author:
                expect(toolbar, "the administrator is shown the page of a visitor, without the toolbar")
            else:
                expect(not toolbar, "a visitor is shown the page of the administrator, with the toolbar")


def campaign_variants_share(world: World) -> None:
    """A hundred links of campaigns to one post cost one request at the origin (P37)."""
    post, visitor = world.take("open"), world.visitor()
    made, missed = set(), 0
    for number in range(100):
        answer = visitor.get(f"{post.url}?{CAMPAIGN[number % len(CAMPAIGN)]}={number}")
        made.add(rendering(answer))
        missed += not from_cache(answer)
        cost = max(len(made), missed)
        expect(cost == 1, f"{number + 1} campaign variants cost {cost} requests at the origin")


def other_queries_differ(world: World) -> None:
    """Searches and addresses by number are each their own."""
    one, two = world.take("open"), world.take("open")
    visitor = world.visitor()
    for post, other in ((one, two), (two, one)):
        found = visitor.get(f"/?s={post.mark}")
        expect(f"Journey {post.mark}" in found.text, "a search does not find what is there")
        expect(f"Journey {other.mark}" not in found.text, "a search is answered with another search's result")
        led = visitor.get(f"/?p={post.id}", allow_redirects=False)
        expect(led.headers.get("Location") == post.url, f"?p={post.id} leads to {led.headers.get('Location')}")


def versions_bust_static_files(world: World) -> None:
    """A changed file is fetched by its new version while the old one stays in the cache (R75)."""
    name = f"journey-{uuid.uuid4().hex[:12]}.css"
    visitor = world.visitor()

    def write(content: str) -> None:
        # In each node's copy, in place: an announced change of code has the edge fetch all anew, whatever its key is.
        world.on_all_nodes(f"printf %s {content} >/srv/wordpress/docroot/wp-content/{name}")

    def read(version: str) -> requests.Response:
        return visitor.get(f"/wp-content/{name}?ver={version}")

    write("old-content")
    expect(read("1").text == "old-content", "the static file is not served")
    again = read("1")
    expect(from_cache(again) and again.text == "old-content", "a static file is not cached")
    write("new-content")  # of the same length: the nodes keep open what they serve
    expect(read("1").text == "old-content", "a static file of an old version was fetched anew")
    expect(read("2").text == "new-content", "a new version of a static file is answered with the old content")


def admin_is_never_cached(world: World) -> None:
    """Whatever is opened in wp-admin, or to log in, comes from a node each time."""
    author, visitor = world.author(), world.visitor()
    for path, who in (
        ("/wp-admin/", author),
        ("/wp-admin/edit.php", author),
        ("/wp-admin/admin-ajax.php?action=rest-nonce", author),
        ("/wp-login.php", visitor),
    ):
        for _again in range(2):
            seen = who.get(path)
            expect(
                seen.status_code == 200 and seen.url.endswith(path),
                f"{path} does not open: {seen.status_code} {seen.url}",
            )
            expect(not from_cache(seen), f"{path} came out of the cache")


def publishing_refreshes(world: World) -> None:
    """The front page is in the cache; a post is published; seconds later visitors see it there."""
    visitor, mark = world.visitor(), uuid.uuid4().hex[:12]
    world.quiet()  # nothing published earlier may do this journey's work
    wait_until("the front page is in the cache", lambda: from_cache(visitor.get("/")), 30)
    world.publish(mark, "News")
    deadline = time.monotonic() + FRESH_SECONDS
    while f"Journey {mark}" not in visitor.get("/").text:
        expect(
            time.monotonic() < deadline, f"the front page is still the old one {FRESH_SECONDS} s after a publication"
        )
        time.sleep(0.5)


def origin_is_guarded(world: World) -> None:
    """Who comes through the edge is served, who comes past it gets 403 (P31)."""
    post = world.take("open")
    through = world.visitor().get(post.url)
    expect(through.status_code == 200, f"through the edge the answer is {through.status_code}")
    for headers in ({}, {"X-Origin-Verify": "guessed"}):
        past = world.past_the_edge(post.path, headers=headers)
        expect(past.status_code == 403, f"past the edge the answer is {past.status_code}")
        expect(post.mark not in past.text, "past the edge the post is served")


def cached_form_posts(world: World) -> None:
    """A form on a page out of the cache is accepted, however long ago that page was first asked for (P33).

    The scale: nonces live 8 s instead of a day, and the page with the form may be kept 2 s instead of minutes.
    """
    post, visitor = world.take("form"), world.visitor()
    visitor.get(post.url)
    copy = visitor.get(post.url)
    expect(from_cache(copy), "the page with the form is not cached")
    expect(posted(visitor, post.url, copy), "the form of a page out of the cache is refused")
    time.sleep(9)
    expect(
        posted(visitor, post.url, visitor.get(post.url)),
        "the form of a page is refused, for the page is older than its nonce",
    )


def posted(visitor: requests.Session, url: str, page: requests.Response) -> bool:
    """Send the form of a page, with the nonce that this copy of the page holds, and tell whether it was accepted."""
    nonce = re.search(r'name="journey_nonce" value="([0-9a-f]+)"', page.text)
    expect(nonce, f"there is no form on the page: {page.status_code}")
    assert nonce is not None
    answer = visitor.post(url, data={"journey_nonce": nonce.group(1)})
    return answer.status_code == 200 and "JOURNEY-ACCEPTED" in answer.text


#: In the order of the tests.
JOURNEYS: dict[str, Journey] = {
    journey.__name__: journey
    for journey in (
        log_in,
        write_and_publish,
        preview_draft,
        upload_image,
        comment,
        unlock,
        application_password,
        logged_in_page_is_private,
        campaign_variants_share,
        other_queries_differ,
        versions_bust_static_files,
        admin_is_never_cached,
        publishing_refreshes,
        origin_is_guarded,
        cached_form_posts,
    )
}
