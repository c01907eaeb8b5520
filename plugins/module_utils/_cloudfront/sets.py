# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Expands a behavior set: names of its policies, further cookies and behaviors, presets, with or without a media bucket. Pure.

A set is data (R51-R55): policies under short names, a default behavior and the ordered list of the others. Behaviors refer to a
policy or function of the set as ``own:<short name>``; any other name is one that AWS manages, or that exists already.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import patterns

Options = dict[str, Any]

OWN = "own:"
#: The kinds of things a set defines, and the option of a behavior that refers to each.
KINDS = {
    "cache_policies": "cache_policy",
    "origin_request_policies": "origin_request_policy",
    "response_headers_policies": "response_headers_policy",
    "functions": "functions",
}
SITE, MEDIA = "site", "media"
#: CloudFront's quota of cookies in one policy; AWS raises it on request, and the lint knows of that, not this.
MOST_COOKIES = 10
PLACES = ("like", "before", "after")


class Invalid(ValueError):
    """What cannot be expanded; the message names the option, its value and the cure."""


def expand(
    source: Mapping[str, Any],
    name: str,
    *,
    cookies: Iterable[str] = (),
    behaviors: Sequence[Mapping[str, Any]] = (),
    presets: Sequence[Mapping[str, Any]] = (),
    media: bool = True,
    default_ttl: int | None = None,
    nonce_life: int = 43200,
    hsts_max_age: int | None = None,
) -> Options:
    """Return a set as options of the modules that keep it.

    :param name: what the names of policies and functions begin with.
    :param cookies: joined to every cache policy that lists cookies (R53).
    :param behaviors: further behaviors. ``like`` copies another one's settings (its path pattern, or ``default``); ``before``
        or ``after`` a path pattern says where it stands; by default above all others.
    :param presets: dicts with the keys of a set, joined in their order before ``cookies`` and ``behaviors``.
    :param media: whether there is an origin ``media``; without it the behaviors that lead there lead to the site.
    :param default_ttl: seconds that pages without a Cache-Control of their own are kept.
    :param nonce_life: seconds beyond which no page may be kept, whatever the origin says (P33).
    :param hsts_max_age: seconds of Strict-Transport-Security, 0 to send none; None: as the set says.
    :raises Invalid: for what does not fit together.
    """
    result = copy.deepcopy(dict(source))
    result.pop("differences", None)
    _set_ttls(result, default_ttl, nonce_life)
    _set_hsts(result, hsts_max_age)
    own, result["behaviors"] = result.get("behaviors") or [], []
    for index, behavior in enumerate(own):
        model = _model(result, behavior, f"the set's behaviors[{index}]")
        result["behaviors"].append({**model, **{key: value for key, value in behavior.items() if key != "like"}})
    result["behaviors"] = [_located(behavior, media) for behavior in result["behaviors"]]
    for preset in presets:
        _join_preset(result, preset)
    _join_behaviors(result, behaviors, "behaviors", everything=True)
    _join_cookies(result, [*result.pop("cookies", []), *cookies])
    _name(result, name)
    return result


def _pages(result: Options) -> Options:
    """Return the cache policy of the default behavior, by which pages are kept."""
    reference = result["default_behavior"]["cache_policy"]
    return result["cache_policies"].get(reference.removeprefix(OWN)) or {}


def _set_ttls(result: Options, default_ttl: int | None, nonce_life: int) -> None:
    pages = _pages(result)
    if default_ttl is not None and not 0 <= default_ttl <= nonce_life:
        raise Invalid(
            f"default_ttl is {default_ttl!r}: forms on a page that is kept longer than nonces live ({nonce_life} s) fail (P33). "
            f"Use 0 to {nonce_life}; 300 to 600 is usual."
        )
    if pages:
        pages["max_ttl"] = nonce_life
        pages["default_ttl"] = min(pages["default_ttl"], nonce_life) if default_ttl is None else default_ttl


def _set_hsts(result: Options, max_age: int | None) -> None:
    if max_age is None:
        return
    for policy in (result.get("response_headers_policies") or {}).values():
        security = policy.get("security_headers") or {}
        if "strict_transport_security" in security:
            security["strict_transport_security"]["max_age"] = max_age
            if not max_age:
                del security["strict_transport_security"]


def _located(behavior: Mapping[str, Any], media: bool) -> Options:
    """Return a behavior that leads to the media origin or, where there is none, to the site."""
    found = dict(behavior)
    instead = found.pop("without_media", None) or {"target_origin": SITE}
    if not media and found.get("target_origin") == MEDIA:
        found.update(instead)
    return found


def _join_preset(result: Options, preset: Mapping[str, Any]) -> None:
    for kind in KINDS:
        for short, options in (preset.get(kind) or {}).items():
            result.setdefault(kind, {}).setdefault(short, copy.deepcopy(options))
    result["cookies"] = [*(result.get("cookies") or []), *(preset.get("cookies") or [])]
    for option, value in (preset.get("default_behavior") or {}).items():
        before = result["default_behavior"].get(option)
        result["default_behavior"][option] = [*(before or []), *value] if isinstance(value, list) else value
    _join_behaviors(result, preset.get("behaviors") or [], "preset", everything=False)


def _join_behaviors(result: Options, further: Sequence[Mapping[str, Any]], where: str, everything: bool) -> None:
    """Put further behaviors into the list; unless ``everything``, those that the set has already are left out."""
    top = 0
    for index, given in enumerate(further):
        path = f"{where}[{index}]"
        if not given.get("path_pattern"):
            raise Invalid(f"{path} is {dict(given)!r}: it has no path_pattern. Say which paths it takes.")
        entry = {**_model(result, given, path), **copy.deepcopy(dict(given))}
        for word in PLACES:
            entry.pop(word, None)
        if not everything and _has(result["behaviors"], entry):
            continue
        _refuse_twice(result["behaviors"], entry, path)
        place = _place(result["behaviors"], given, path)
        if place is None:
            place, top = top, top + 1
        result["behaviors"].insert(place, entry)


def _model(result: Options, given: Mapping[str, Any], path: str) -> Options:
    like = given.get("like")
    if like is None:
        return {}
    if like == "default":
        return copy.deepcopy(result["default_behavior"])
    found = _find(result["behaviors"], like)
    if found is None:
        raise _no_such(f"{path}.like", like, result["behaviors"], "default")
    model = copy.deepcopy(result["behaviors"][found])
    for option in ("path_pattern", "without_media"):
        model.pop(option, None)
    return model


def _place(listed: Sequence[Options], given: Mapping[str, Any], path: str) -> int | None:
    for word, offset in (("before", 0), ("after", 1)):
        if given.get(word) is not None:
            found = _find(listed, given[word])
            if found is None:
                raise _no_such(f"{path}.{word}", given[word], listed)
            return found + offset
    return None


def _find(listed: Sequence[Options], pattern: str) -> int | None:
    wanted = patterns.normal(pattern)
    return next((i for i, entry in enumerate(listed) if patterns.normal(entry["path_pattern"]) == wanted), None)


def _no_such(path: str, value: str, listed: Sequence[Options], *more: str) -> Invalid:
    names = ", ".join([*(entry["path_pattern"] for entry in listed), *more])
    return Invalid(f"{path} is {value!r}: the set has no such behavior. Use one of: {names}.")


def _has(listed: Sequence[Options], entry: Options) -> bool:
    """Tell whether an earlier behavior takes all these paths and does the same with them."""
    settings = {key: value for key, value in entry.items() if key != "path_pattern"}
    return any(
        patterns.path_covers(other["path_pattern"], entry["path_pattern"])
        and {key: value for key, value in other.items() if key != "path_pattern"} == settings
        for other in listed
    )


def _refuse_twice(listed: Sequence[Options], entry: Options, path: str) -> None:
    if _find(listed, entry["path_pattern"]) is not None:
        raise Invalid(
            f"{path}.path_pattern is {entry['path_pattern']!r}: the set has a behavior for it already. "
            "Narrow the pattern, or copy the set and change it."
        )


def _join_cookies(result: Options, cookies: Sequence[str]) -> None:
    for short, policy in result["cache_policies"].items():
        selection = policy.get("cookies") or {}
        if selection.get("behavior") != "whitelist":
            continue
        names: list[str] = []
        for cookie in [*selection["names"], *cookies]:
            if not any(patterns.covers(known, cookie) for known in names):
                names = [known for known in names if not patterns.covers(cookie, known)] + [cookie]
        if len(names) > MOST_COOKIES:
            raise Invalid(
                f"cookies is {list(cookies)!r}: with the set's own, the cache policy {short} would list {len(names)}, and "
                f"CloudFront keeps {MOST_COOKIES}. Join names with wildcards, such as myplugin_*."
            )
        policy["cookies"] = {**selection, "names": names}


def _name(result: Options, name: str) -> None:
    """Give everything of the set's own its name, leave out what no behavior uses, and turn references into names."""
    used: dict[str, set[str]] = {kind: set() for kind in KINDS}
    every = [(result["default_behavior"], "default_behavior")]
    every += [(entry, f"the behavior {entry['path_pattern']}") for entry in result["behaviors"]]
    for behavior, where in every:
        for kind, option in KINDS.items():
            _resolve(behavior, kind, option, where=where, result=result, name=name, used=used[kind])
    for kind, names in used.items():
        defined = result.get(kind) or {}
        result[kind] = {short: {"name": f"{name}-{short}", **defined[short]} for short in defined if short in names}


def _resolve(
    behavior: Options, kind: str, option: str, *, where: str, result: Options, name: str, used: set[str]
) -> None:
    def named(reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith(OWN):
            return reference
        short = reference.removeprefix(OWN)
        defined = result.get(kind) or {}
        if short not in defined:
            raise Invalid(
                f"{option} of {where} is {reference!r}: the set defines no such thing under {kind}. "
                f"Use one of: {', '.join(OWN + known for known in defined) or 'none is defined'}."
            )
        used.add(short)
        return f"{name}-{short}"

    if kind == "functions":
        entries = behavior.get(option) or []
        if entries:
            behavior[option] = [{**entry, "function": named(entry.get("function"))} for entry in entries]
    elif option in behavior:
        behavior[option] = named(behavior[option])
