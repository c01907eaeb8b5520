# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lint of what hurts a WordPress behind CloudFront although CloudFront accepts it. Pure; called by ``lint.distribution``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import patterns
from .findings import Config, Context, Path, Report, behaviors, items, known
from .lint_origins import by_id, is_bucket
from .resolved import Resolved, behavior_for, resolve

#: Patterns of paths that hold files, the same for every visitor and named anew when they change (R75).
STATIC = (
    "wp-content/*", "*/wp-content/*", "wp-includes/*", "*/wp-includes/*", "favicon.ico", "robots.txt", "*.css", "*.js", "*.mjs",
    "*.png", "*.jpg", "*.jpeg", "*.gif", "*.webp", "*.avif", "*.svg", "*.ico", "*.woff", "*.woff2", "*.ttf", "*.otf", "*.eot",
    "*.mp4", "*.webm", "*.mp3", "*.ogg", "*.pdf", "*.zip",
)  # fmt: skip
#: Requests of editors, whichever behavior they meet.
PRIVATE_PATHS = ("/wp-login.php", "/wp-admin/index.php", "/wp-admin/post.php")
#: Behaviors that are made for private requests, told by what their pattern holds.
PRIVATE_WORDS = ("wp-admin", "wp-login", "wp-json", "xmlrpc.php", "wp-cron.php", "wp-comments-post.php")
#: Cookies as they look in a request.
SESSION_COOKIE, PASSWORD_COOKIE = "wordpress_logged_in_0a1b2c", "wp-postpass_0a1b2c"


def is_static(pattern: str) -> bool:
    return any(patterns.path_covers(known_static, pattern) for known_static in STATIC)


def is_wordpress(config: Config, context: Context) -> bool:
    """Tell whether a WordPress is behind the distribution: said by the context, else by its path patterns."""
    if context.wordpress is not None:
        return context.wordpress
    return any("wp-" in str(behavior.get("PathPattern")) for behavior in items(config.get("CacheBehaviors")))


def check(report: Report, config: Config, context: Context) -> None:
    """Report what a WordPress would suffer from; nothing when none is behind the distribution."""
    if not is_wordpress(config, context):
        return
    origins = by_id(config)
    for path, behavior in behaviors(config):
        pattern = str(behavior.get("PathPattern", "*"))
        if is_static(pattern):
            continue
        done = resolve(behavior, context)
        targets = origins.get(str(behavior.get("TargetOriginId")), [])
        _check_ttls(report, path, behavior, done, context)
        _check_host(report, path, behavior, done, targets)
        if any(word in pattern for word in PRIVATE_WORDS):
            _check_private(report, path, behavior, done, pattern)
    for private in PRIVATE_PATHS:
        path, behavior = behavior_for(config, private)
        _check_private(report, path, behavior, resolve(behavior, context), private)
        _check_encrypted(report, path, behavior, private)
    _check_default(report, config, context)


def _ttl_place(path: Path, behavior: Config, name: str) -> tuple[Path, Any]:
    """Return where a TTL is to be changed: in the cache policy, or in a behavior of the legacy kind."""
    if behavior.get("CachePolicyId"):
        return (*path, "CachePolicyId"), behavior["CachePolicyId"]
    return (*path, name), behavior.get(name)


def _check_ttls(report: Report, path: Path, behavior: Config, done: Resolved, context: Context) -> None:
    if not done.caches:
        return
    life = context.nonce_life_seconds
    for name, value in (("DefaultTTL", done.default_ttl), ("MinTTL", done.min_ttl)):
        if value is not None and value > life:
            where, shown = _ttl_place(path, behavior, name)
            report.add(
                "nonce-life",
                where,
                shown,
                f"{name} is {value} s, and nonces in cached pages live {life} s at least (P33)",
                f"Use at most {life}; 600 is usual for pages.",
            )
            return
    if done.min_ttl:
        where, shown = _ttl_place(path, behavior, "MinTTL")
        report.add(
            "minimum-ttl-on-pages",
            where,
            shown,
            f"MinTTL is {done.min_ttl} s, so pages are kept that WordPress marks no-store",
            "Use a minimum TTL of 0 for pages.",
        )


def _check_host(report: Report, path: Path, behavior: Config, done: Resolved, targets: list[Mapping[str, Any]]) -> None:
    custom = [origin for origin in targets if not is_bucket(origin)]
    if not custom:
        return
    policy = "OriginRequestPolicyId" if behavior.get("OriginRequestPolicyId") else "CachePolicyId"
    where, shown = (*path, policy), behavior.get(policy)
    if not known(shown) and behavior.get("ForwardedValues") is not None:
        where, shown = (*path, "ForwardedValues", "Headers"), items(behavior["ForwardedValues"].get("Headers"))
    if done.sends("headers", "host") is False:
        report.add(
            "host-missing",
            where,
            shown,
            "the origin gets its own name as Host, and WordPress redirects to the site's for ever (P2)",
            "Put Host into the cache policy's headers, or send it by the origin request policy.",
        )
    plain = any(
        (origin.get("CustomOriginConfig") or {}).get("OriginProtocolPolicy") == "http-only" for origin in custom
    )
    if plain and done.sends("headers", "cloudfront-forwarded-proto") is False:
        report.add(
            "forwarded-proto-missing",
            where,
            shown,
            "the origin is asked by HTTP and not told that the visitor uses HTTPS, so WordPress redirects for ever (P2)",
            "Send CloudFront-Forwarded-Proto, or use https-only towards the origin.",
        )


def _check_private(report: Report, path: Path, behavior: Config, done: Resolved, shown: str) -> None:
    """Admin, login and REST: nothing kept, everything sent (P4)."""
    where, policy = (*path, "CachePolicyId"), behavior.get("CachePolicyId")
    sends, sender = (*path, "OriginRequestPolicyId"), behavior.get("OriginRequestPolicyId")
    if done.caches:
        report.add(
            "private-path-cached",
            where,
            policy,
            f"{shown!r} is cached here for up to {done.max_ttl} s",
            "Use CachingDisabled, in a behavior of its own above all that match it.",
        )
    if done.sends_all("cookies") is False:
        report.add(
            "private-path-cookies",
            sends,
            sender,
            f"{shown!r} does not get all cookies",
            "Send all cookies, as AllViewer does.",
        )
    if done.sends_all("query_strings") is False:
        report.add(
            "private-path-query-strings",
            sends,
            sender,
            f"{shown!r} does not get all query strings",
            "Send all query strings, as AllViewer does.",
        )
    if "wp-json" in shown and done.sends("headers", "authorization") is False:
        report.add(
            "private-path-authorization",
            sends,
            sender,
            f"{shown!r} does not get Authorization, so application passwords fail",
            "Send all of the viewer's headers, as AllViewer does.",
        )
    methods = items(behavior.get("AllowedMethods")) or ["GET", "HEAD"]
    if "POST" not in methods:
        report.add(
            "private-path-methods",
            (*path, "AllowedMethods"),
            methods,
            f"{shown!r} cannot be POST",
            "Allow all methods.",
        )


def _check_encrypted(report: Report, path: Path, behavior: Config, private: str) -> None:
    if behavior.get("ViewerProtocolPolicy") == "allow-all":
        report.add(
            "login-over-http",
            (*path, "ViewerProtocolPolicy"),
            "allow-all",
            f"{private!r} answers on plain HTTP, and passwords travel readable",
            "Use redirect-to-https or https-only.",
        )


def _check_default(report: Report, config: Config, context: Context) -> None:
    behavior = config.get("DefaultCacheBehavior") or {}
    path: Path = ("DefaultCacheBehavior",)
    methods = items(behavior.get("AllowedMethods")) or ["GET", "HEAD"]
    if "POST" not in methods:
        report.add(
            "default-methods",
            (*path, "AllowedMethods"),
            methods,
            "comments and forms are sent by POST",
            "Allow all methods.",
        )
    done = resolve(behavior, context)
    if not done.caches or done.key_cookies is None:
        return
    where, shown = (*path, "CachePolicyId"), behavior.get("CachePolicyId")
    if not shown:
        where, shown = (
            (*path, "ForwardedValues", "Cookies"),
            (behavior["ForwardedValues"].get("Cookies") or {}).get("Forward"),
        )
    if not done.key_cookies.includes(SESSION_COOKIE):
        report.add(
            "session-cookies-missing",
            where,
            shown,
            "wordpress_logged_in_* is not in the key, so editors see visitors' pages",
            "List wordpress_logged_in_* among the cache policy's cookies.",
        )
    if not done.key_cookies.includes(PASSWORD_COOKIE):
        report.add(
            "password-cookie-missing",
            where,
            shown,
            "wp-postpass_* is not in the key, so protected posts never unlock (P34)",
            "List wp-postpass_* among the cache policy's cookies.",
        )
