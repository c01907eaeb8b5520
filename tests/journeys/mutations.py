# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""For each journey the one change of the edge under which it must fail, and what each behavior set cannot do at all: data.

A mutation says with which words the journey must fail: a journey that fails for another reason proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from .edge import DEFAULT, Draft
from .world import World


def nothing(_world: World) -> AbstractContextManager[None]:
    return nullcontext()


def unchanged(_draft: Draft) -> None:
    return None


@dataclass(frozen=True)
class Mutation:
    """What is changed (in words and as a function of the distribution's draft) and the words (a regular expression) of the failure.

    ``beside`` changes what is not part of the distribution, and puts it back.
    """

    what: str
    symptom: str
    change: Callable[[Draft], None] = unchanged
    beside: Callable[[World], AbstractContextManager[None]] = nothing


def _static_above_admin(draft: Draft) -> None:
    draft.first("wp-includes/*", "wp-*")


def _leak(draft: Draft) -> None:
    """Forward the login to the origin without keeping the copies apart, as an origin request policy allows."""
    key = draft.cache_policy(DEFAULT)["ParametersInCacheKeyAndForwardedToOrigin"]
    key["CookiesConfig"] = {"CookieBehavior": "none"}
    draft.origin_request_policy(DEFAULT)["CookiesConfig"] = {"CookieBehavior": "all"}
    draft.at_least(DEFAULT, 60)


def _all_queries(draft: Draft) -> None:
    draft.without_functions(DEFAULT)
    draft.every_query_string_counts(DEFAULT)


def _cached_admin(draft: Draft) -> None:
    policy = draft.cache_policy("wp-admin/*")
    key = policy["ParametersInCacheKeyAndForwardedToOrigin"]
    key["CookiesConfig"] = {"CookieBehavior": "all"}
    key["QueryStringsConfig"] = {"QueryStringBehavior": "all"}
    draft.at_least("wp-admin/*", 60)


@contextmanager
def _nobody_told(world: World) -> Iterator[None]:
    """Take the distribution's id out of the settings that the nodes read, so that they ask for no invalidation."""
    ssm, name = world.site.aws("ssm"), world.setting("edge/distribution_id")
    before = ssm.get_parameter(Name=name)["Parameter"]
    ssm.put_parameter(Name=name, Value="none", Type=before["Type"], Overwrite=True)
    try:
        yield
    finally:
        ssm.put_parameter(Name=name, Value=before["Value"], Type=before["Type"], Overwrite=True)


MUTATIONS: dict[str, Mutation] = {
    "log_in": Mutation(
        "order: the static behavior as `wp-*` above the admin rows (R55, P5)",
        "the dashboard did not open|the login form did not open",
        _static_above_admin,
    ),
    "write_and_publish": Mutation(
        "one header: `wp-json/*` without X-WP-Nonce (P4)",
        "the post was not published",
        lambda draft: draft.without_header("wp-json/*", "X-WP-Nonce"),
    ),
    "preview_draft": Mutation(
        "one cookie: the default behavior without `wordpress_logged_in_*`",
        "the author does not see the preview",
        lambda draft: draft.without_cookie(DEFAULT, "wordpress_logged_in_*"),
    ),
    "upload_image": Mutation(
        "methods: `wp-admin/*` with GET and HEAD only",
        "the image was not uploaded",
        lambda draft: draft.methods("wp-admin/*", "HEAD", "GET"),
    ),
    "comment": Mutation(
        "one cookie: the default behavior without `comment_*`",
        "does not see the own pending comment",
        lambda draft: draft.without_cookie(DEFAULT, "comment_author_*"),
    ),
    "unlock": Mutation(
        "one cookie: the default behavior without `wp-postpass_*` (P34)",
        "the right password did not unlock the post",
        lambda draft: draft.without_cookie(DEFAULT, "wp-postpass_*"),
    ),
    "application_password": Mutation(
        "one header: `wp-json/*` without Authorization (P4)",
        "an application password is answered with 401",
        lambda draft: draft.without_header("wp-json/*", "Authorization"),
    ),
    "logged_in_page_is_private": Mutation(
        "cookies are forwarded but not part of the key, and answers are kept for a minute at least",
        "a visitor is shown the page of the administrator|the administrator is shown the page of a visitor",
        _leak,
    ),
    "campaign_variants_share": Mutation(
        "every query string is part of the key (P37)",
        "campaign variants cost 2 requests",
        _all_queries,
    ),
    "other_queries_differ": Mutation(
        "no query string is forwarded",
        "a search does not find what is there",
        lambda draft: draft.without_query_strings(DEFAULT),
    ),
    "versions_bust_static_files": Mutation(
        "`wp-content/*` without query strings (R75)",
        "a new version of a static file is answered with the old content",
        lambda draft: draft.without_query_strings("wp-content/*"),
    ),
    "admin_is_never_cached": Mutation(
        "`wp-admin/*` with a cache policy that keeps answers for a minute at least",
        "came out of the cache",
        _cached_admin,
    ),
    "publishing_refreshes": Mutation(
        "the nodes are not told which distribution is theirs",
        "the front page is still the old one",
        beside=_nobody_told,
    ),
    "origin_is_guarded": Mutation(
        "one header: the edge without the origin header (P31)",
        "through the edge the answer is 403",
        lambda draft: draft.without_origin_headers(),
    ),
    "cached_form_posts": Mutation(
        "the default behavior keeps answers longer than nonces live (P33)",
        "the page is older than its nonce",
        lambda draft: draft.at_least(DEFAULT, 60),
    ),
}


@dataclass(frozen=True)
class Shortcoming:
    """Why a behavior set cannot pass a journey, and with which words it fails."""

    why: str
    symptom: str


#: What a set cannot do, journey by journey. A test asserts that it is so, hence a set that learns it is noticed. docs/edge.md says the same.
SHORTCOMINGS: dict[str, dict[str, Shortcoming]] = {
    "recommended": {},
    "whitepaper": {
        "write_and_publish": Shortcoming(
            "Table 1 has no behavior for wp-json/*: the default one drops X-WP-Nonce, so that the editor's saves are nobody's (P4)",
            "the post was not published",
        ),
        "application_password": Shortcoming(
            "the default behavior does not forward Authorization (P4)",
            "an application password is answered with 401",
        ),
        "campaign_variants_share": Shortcoming(
            "Table 1 forwards all query strings, so all are part of the key (P37)",
            "campaign variants cost 2 requests",
        ),
    },
}
