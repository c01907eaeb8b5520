# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a module's options to what is wanted, in the normal form of ``current`` but partial: what is not set is not in it.

Names of policies and the like are handed to a resolver, so that nothing here calls AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .model import DISTRIBUTION, METHODS, ORDERED, RECORD, RECORDS, SEQUENCE, SET, Field, Normal, Refusal, pattern

#: Called with the kind of resource, the name or id that was given, and the option's path; returns the id.
Resolver = Callable[[str, str, str], str]

CACHED_METHODS = METHODS[:2]


def wanted(options: Mapping[str, Any], resolve: Resolver, fields: Sequence[Field] = DISTRIBUTION) -> Normal:
    """Return what a module's options ask for.

    :raises Refusal: for what no distribution can have, before anything is read.
    """
    return _record(options, fields, resolve, "")


def _record(options: Mapping[str, Any], fields: Sequence[Field], resolve: Resolver, where: str) -> Normal:
    result = {}
    for field in fields:
        given = options.get(field.option)
        if given is not None:
            result[field.option] = _value(field, given, resolve, f"{where}{field.option}")
    _refuse_methods(result, where)
    _refuse_mixture(result, where)
    return result


def _value(field: Field, given: Any, resolve: Resolver, path: str) -> Any:
    if field.kind == SET:
        # Names of hosts have no case.
        return sorted({item.lower() for item in given} if field.option == "aliases" else set(given))
    if field.kind == ORDERED:
        return list(given)
    if field.kind == RECORD:
        return _record(given, field.fields, resolve, f"{path}.")
    if field.kind in (RECORDS, SEQUENCE):
        return _entries(field, given, resolve, path)
    if field.refers and given:
        return resolve(field.refers, given, path)
    return pattern(given) if field.option == "path_pattern" else given


def _entries(field: Field, given: Sequence[Mapping[str, Any]], resolve: Resolver, path: str) -> Any:
    entries = [_record(item, field.fields, resolve, f"{path}[{index}].") for index, item in enumerate(given)]
    key = field.key.option
    for index, (entry, item) in enumerate(zip(entries, given, strict=True)):
        if entry.get(key) in (None, ""):
            raise Refusal(f"{path}[{index}].{key} is empty: it tells the entries of {path} apart. Give it.")
        if entry[key] in [earlier[key] for earlier in entries[:index]]:
            raise Refusal(
                f"{path}[{index}].{key} is {entry[key]!r}, which {path} has before: keep one of the two entries."
            )
        for placing in ("before", "after"):
            if item.get(placing):
                entry[placing] = pattern(item[placing])
    if field.kind == SEQUENCE:
        return entries
    return {entry.pop(key): entry for entry in entries}


def _refuse_methods(behavior: Normal, where: str) -> None:
    for option, known in (("allowed_methods", METHODS), ("cached_methods", CACHED_METHODS)):
        if option in behavior and frozenset(behavior[option]) not in known:
            raise Refusal(
                f"{where}{option} is {behavior[option]!r}, which is none of the sets that CloudFront knows: "
                f"give {', or '.join(', '.join(sorted(methods)) for methods in known)}."
            )


def _refuse_mixture(behavior: Normal, where: str) -> None:
    if behavior.get("forwarded_values") is None:
        return
    for option in ("cache_policy", "origin_request_policy"):
        if behavior.get(option):
            raise Refusal(
                f"{where}{option} is {behavior[option]!r} beside {where}forwarded_values: CloudFront takes policies or the "
                "legacy settings, not both. Leave one of the two out."
            )
