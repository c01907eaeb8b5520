# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Table 1 of the whitepaper (R51, R52, R55) cell by cell: as data, as a check of a configuration, and as what an edge shows.

The same cells are checked in three places: in what the behavior sets render to, in what the emulated CloudFront holds, and at
the edge itself. ``check`` serves the first two; ``Cell.observe`` says in plain words what the third has to look at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import (
    desired,
    managed,
    policies,
    render,
    resolved,
    sets,
)
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront.findings import Context, items

ROOT = Path(__file__).resolve().parents[1]
SETS = ROOT / "roles" / "edge" / "vars" / "behavior_sets"
PRESETS = ROOT / "roles" / "edge" / "vars" / "presets"

#: The columns of the table: the path patterns of each, and a path that a test may ask for.
COLUMNS = {
    "static": ("wp-content/*", "wp-includes/*"),
    "admin": ("wp-admin/*", "wp-login.php"),
    "default": ("*",),
}
SAMPLE_PATHS = {
    "wp-content/*": "/wp-content/themes/twentytwentyfive/style.css",
    "wp-includes/*": "/wp-includes/css/dist/block-library/style.min.css",
    "wp-admin/*": "/wp-admin/index.php",
    "wp-login.php": "/wp-login.php",
    "*": "/",
}
READ = frozenset({"GET", "HEAD"})
EVERY = READ | {"OPTIONS", "PUT", "POST", "PATCH", "DELETE"}
HEADERS = (
    "host",
    "cloudfront-forwarded-proto",
    "cloudfront-is-mobile-viewer",
    "cloudfront-is-tablet-viewer",
    "cloudfront-is-desktop-viewer",
)
COOKIES = ("comment_*", "wordpress_*", "wp-settings-*")
#: Headers that a visitor may send, to see whether all or none reach the origin.
VISITOR_HEADERS = ("host", "user-agent", "referer", "authorization", "accept-language", "x-wp-nonce", "x-anything")


@dataclass(frozen=True)
class Edge:
    """A distribution with the policies that it refers to."""

    config: Mapping[str, Any]
    context: Context


@dataclass(frozen=True)
class Cell:
    """One cell: ``<column>.<row>``, what the table says, and how it shows at an edge."""

    column: str
    row: str
    expected: str
    observe: str

    @property
    def id(self) -> str:
        return f"{self.column}.{self.row}"


CELLS = (
    Cell("static", "viewer_protocol", "HTTP and HTTPS", "GET by http:// and by https:// both answer 200, without a redirect"),
    Cell("static", "methods", "GET, HEAD", "GET and HEAD answer 200; POST, PUT, PATCH, DELETE and OPTIONS answer 403 and never reach the origin"),
    Cell("static", "headers", "none",
         "the origin sees its own name as Host, `Amazon CloudFront` as User-Agent and no Referer; two requests that differ in any "
         "header share one object"),
    Cell("static", "cookies", "none", "the origin sees no Cookie; requests with different cookies share one object"),
    Cell("static", "query_strings", "yes (invalidation)",
         "`?ver=1` and `?ver=2` are two objects, each sent to the origin once with its query string"),
    Cell("static", "origin", "S3 (or the load balancer)",
         "an object of the bucket comes from the bucket; without a bucket (or where it lacks the object) the balancer answers"),
    Cell("static", "precedence", "below the admin rows",
         "the admin behaviors stand above: no request for wp-admin/* or wp-login.php is answered as a static one"),
    Cell("admin", "viewer_protocol", "redirect to HTTPS", "http:// answers 301 to the same address with https://"),
    Cell("admin", "methods", "all", "GET, HEAD, OPTIONS, POST, PUT, PATCH and DELETE all reach the origin"),
    Cell("admin", "headers", "all", "the origin sees each header of the visitor: Host, User-Agent, Referer, Authorization, X-WP-Nonce ..."),
    Cell("admin", "cookies", "all", "the origin sees each cookie; nothing is kept: the second request is a Miss too"),
    Cell("admin", "query_strings", "yes", "the origin sees the query string as it was sent"),
    Cell("admin", "origin", "load balancer", "the balancer answers"),
    Cell("admin", "precedence", "first", "/wp-admin/ and /wp-login.php are never answered from the cache, whatever else matches"),
    Cell("default", "viewer_protocol", "HTTP and HTTPS", "GET by http:// and by https:// both reach the origin"),
    Cell("default", "methods", "all", "POST, PUT, PATCH, DELETE and OPTIONS reach the origin"),
    Cell("default", "headers", "Host, CloudFront-Forwarded-Proto, CloudFront-Is-Mobile-Viewer, CloudFront-Is-Tablet-Viewer, CloudFront-Is-Desktop-Viewer",
         "the origin sees these five and neither the visitor's User-Agent nor Authorization; a phone and a desktop, and http and "
         "https, have objects of their own"),
    Cell("default", "cookies", "comment_*, wordpress_*, wp-settings-*",
         "the origin sees cookies of these names and no other; two visitors whose other cookies differ share one object, two that "
         "differ in one of these do not"),
    Cell("default", "query_strings", "yes", "`?p=1` and `?p=2` are two objects, each sent to the origin with its query string"),
    Cell("default", "origin", "load balancer, protocol: match viewer", "the balancer answers, asked by http for http:// and by https for https://"),
    Cell("default", "precedence", "last", "it takes what no other behavior takes"),
)  # fmt: skip

Check = Callable[[Edge, str, Mapping[str, Any], resolved.Resolved], list[str]]


def check(edge: Edge, extra_cookies: tuple[str, ...] = ("wp-postpass_*",)) -> dict[str, list[str]]:
    """Return what is wrong with each cell, by its id; an empty list where the cell is met.

    :param extra_cookies: what R53 allows beside the three of the table.
    """
    return {cell.id: list(_faults(edge, cell, extra_cookies)) for cell in CELLS}


def _faults(edge: Edge, cell: Cell, extra_cookies: tuple[str, ...]) -> list[str]:
    found = []
    for pattern in COLUMNS[cell.column]:
        behavior = _behavior(edge, pattern)
        if behavior is None:
            found.append(f"there is no behavior {pattern}")
            continue
        done = resolved.resolve(behavior, edge.context)
        row = globals()[f"_{cell.row}"]
        more = {"extra_cookies": extra_cookies} if cell.row == "cookies" else {}
        found += [f"{pattern}: {fault}" for fault in row(edge, cell.column, behavior, done, **more)]
    return found


def _behavior(edge: Edge, pattern: str) -> Mapping[str, Any] | None:
    if pattern == "*":
        return edge.config["DefaultCacheBehavior"]
    listed = items(edge.config.get("CacheBehaviors"))
    return next((entry for entry in listed if entry["PathPattern"].removeprefix("/") == pattern), None)


def _unless(fine: bool | None, fault: str) -> list[str]:
    return [] if fine else [fault]


def _viewer_protocol(_edge: Edge, column: str, behavior: Mapping[str, Any], _done: resolved.Resolved) -> list[str]:
    wanted = "redirect-to-https" if column == "admin" else "allow-all"
    found = behavior.get("ViewerProtocolPolicy")
    return _unless(found == wanted, f"the viewer protocol policy is {found}")


def _methods(_edge: Edge, column: str, behavior: Mapping[str, Any], _done: resolved.Resolved) -> list[str]:
    found = frozenset(items(behavior.get("AllowedMethods")))
    return _unless(found == (READ if column == "static" else EVERY), f"allowed are {sorted(found)}")


def _headers(_edge: Edge, column: str, _behavior: Mapping[str, Any], done: resolved.Resolved) -> list[str]:
    key = done.key_headers or resolved.Selection()
    if column == "admin":
        lost = [name for name in VISITOR_HEADERS if not done.sends("headers", name)]
        return [
            *_unless(not lost, f"the origin does not see {lost}"),
            *_unless(done.caches is False, "answers are kept"),
        ]
    if column == "static":
        seen = [name for name in VISITOR_HEADERS if done.sends("headers", name)]
        return [
            *_unless(not seen, f"the origin sees {seen}"),
            *_unless(key.mode == "none", f"the key holds {sorted(key.names)}"),
        ]
    others = [name for name in VISITOR_HEADERS if name not in HEADERS and done.sends("headers", name)]
    return [
        *_unless(key.mode == "some" and key.names == set(HEADERS), f"the key holds {sorted(key.names)}"),
        *_unless(not others, f"the origin sees {others}"),
    ]


def _cookies(
    _edge: Edge,
    column: str,
    _behavior: Mapping[str, Any],
    done: resolved.Resolved,
    extra_cookies: tuple[str, ...] = (),
) -> list[str]:
    key = done.key_cookies or resolved.Selection()
    if column == "admin":
        return [
            *_unless(done.sends_all("cookies"), "not all are sent"),
            *_unless(done.caches is False, "answers are kept"),
        ]
    if column == "static":
        return _unless(
            key.mode == "none" and not done.sends("cookies", "wordpress_x"), f"the key holds {sorted(key.names)}"
        )
    wanted = {*COOKIES, *extra_cookies}
    sent = done.sends("cookies", "_ga") or done.sends("cookies", "PHPSESSID")
    return [
        *_unless(key.mode == "some" and key.names == wanted, f"the key holds {sorted(key.names)}"),
        *_unless(not sent, "others are sent as well"),
    ]


def _query_strings(_edge: Edge, column: str, _behavior: Mapping[str, Any], done: resolved.Resolved) -> list[str]:
    keyed = done.key_query_strings or resolved.Selection()
    fine = done.sends_all("query_strings") and (column == "admin" or keyed.mode == "all")
    return _unless(fine, f"{keyed.mode} {sorted(keyed.names)} are in the key")


def _origin(edge: Edge, column: str, behavior: Mapping[str, Any], _done: resolved.Resolved) -> list[str]:
    target = behavior.get("TargetOriginId")
    if column == "static":
        return _unless(target in ("media", "site"), f"it leads to {target}")
    if target != "site" or column == "admin":
        return _unless(target == "site", f"it leads to {target}")
    site = next(origin for origin in items(edge.config["Origins"]) if origin["Id"] == "site")
    found = (site.get("CustomOriginConfig") or {}).get("OriginProtocolPolicy")
    return _unless(found == "match-viewer", f"the origin's protocol policy is {found}")


def _precedence(edge: Edge, column: str, behavior: Mapping[str, Any], _done: resolved.Resolved) -> list[str]:
    if column == "default":
        return []
    order = [entry["PathPattern"].removeprefix("/") for entry in items(edge.config.get("CacheBehaviors"))]
    admin = [order.index(pattern) for pattern in COLUMNS["admin"] if pattern in order]
    static = [order.index(pattern) for pattern in COLUMNS["static"] if pattern in order]
    path = SAMPLE_PATHS[behavior["PathPattern"].removeprefix("/")]
    _where, met = resolved.behavior_for(edge.config, path)
    # An earlier behavior may take the path if it treats it alike; what counts is what the visitor meets.
    same = {key: value for key, value in met.items() if key != "PathPattern"} == {
        key: value for key, value in behavior.items() if key != "PathPattern"
    }
    return [
        *_unless(bool(admin and static) and max(admin) < min(static), f"the order is {order}"),
        *_unless(same, f"{path} meets {met.get('PathPattern')}"),
    ]


# -- reading what there is -----------------------------------------------------------------------------------------------


def read(cloudfront: Any, distribution_id: str) -> Edge:
    """Return a distribution and its policies as CloudFront, real or emulated, holds them.

    :param cloudfront: a boto3 client.
    """
    config = cloudfront.get_distribution_config(Id=distribution_id)["DistributionConfig"]
    behaviors = [config["DefaultCacheBehavior"], *items(config.get("CacheBehaviors"))]
    held: dict[str, dict[str, Any]] = {}
    for kind, (wire, _aws) in _WIRE.items():
        get = getattr(cloudfront, f"get_{wire.operation}_config")
        used = {behavior.get(f"{wire.resource}Id") for behavior in behaviors} - {None, ""}
        held[kind] = {identifier: get(Id=identifier)[wire.config] for identifier in used}
    return Edge(config, Context(**held))


# -- rendering a behavior set --------------------------------------------------------------------------------------------


def load(name: str) -> dict[str, Any]:
    """Return a behavior set as it stands in the role."""
    return yaml.safe_load((SETS / f"{name}.yml").read_text(encoding="utf-8"))["__edge_set"]


def load_preset(name: str) -> dict[str, Any]:
    return yaml.safe_load((PRESETS / f"{name}.yml").read_text(encoding="utf-8"))["__edge_preset"]


_WIRE = {
    "cache_policies": (policies.CACHE, managed.CACHE),
    "origin_request_policies": (policies.ORIGIN_REQUEST, managed.ORIGIN_REQUEST),
    "response_headers_policies": (policies.RESPONSE_HEADERS, managed.RESPONSE_HEADERS),
}
FUNCTION_ARN = "arn:aws:cloudfront::123456789012:function/"


def rendered(source: str | Mapping[str, Any], *, media: bool = True, **options: Any) -> Edge:
    """Return a behavior set as the modules would write it, with an origin ``site`` and perhaps a group ``media``.

    The identifier of a policy of the set's own is its name here.
    """
    made = sets.expand(load(source) if isinstance(source, str) else source, "blog", media=media, **options)
    held = {
        kind: managed.configs(aws)
        | {one["name"]: policies.patched(wire, None, {"comment": "", **one}) for one in made[kind].values()}
        for kind, (wire, aws) in _WIRE.items()
    }
    functions = [FUNCTION_ARN + one["name"] for one in made["functions"].values()]

    def identifier(kind: str, name: str, _path: str) -> str:
        if kind == "function":
            return FUNCTION_ARN + name
        return managed.id_of(kind, name) or name if kind.endswith("_policy") else name

    wanted = desired.wanted(
        {
            "origins": [_site(made), *([_BUCKET] if media else [])],
            "origin_groups": [_MEDIA] if media else [],
            "default_behavior": made["default_behavior"],
            "behaviors": made["behaviors"],
            "custom_error_responses": made["custom_error_responses"],
        },
        identifier,
    )
    return Edge(render.rendered(None, wanted, "wordpress_ha/blog"), Context(**held, functions=functions))


def _site(made: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": "site", "domain_name": "origin.example.com", "type": "custom", **made["site_origin"]}


_BUCKET = {
    "id": "media-bucket",
    "domain_name": "blog-media.s3.eu-central-1.amazonaws.com",
    "type": "s3",
    "origin_access_control": "blog-media",
}
_MEDIA = {"id": "media", "members": ["media-bucket", "site"], "status_codes": [403, 404]}
