# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for one distribution: the configuration that results, and how it differs from what is, resource by resource."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import current, render
from .model import Normal, Refusal, Wire, items, pattern

CREATE, UPDATE, DELETE = "create", "update", "delete"
PLACINGS = ("before", "after")


@dataclass(frozen=True)
class Difference:
    """One resource that is created, updated or deleted; ``before`` and ``after`` hold the fields that differ."""

    action: str
    key: str
    before: Normal
    after: Normal


@dataclass(frozen=True)
class Plan:
    """What one write leads to; ``before`` is None where there is no distribution yet."""

    before: Wire | None
    after: Wire
    differences: list[Difference]

    @property
    def empty(self) -> bool:
        return self.before == self.after


def plan(
    config: Wire | None,
    wanted: Normal,
    name: str,
    *,
    purge: bool = True,
    removed: Collection[str] = (),
    caller_reference: str = "",
) -> Plan:
    """Plan what leads from a configuration to what is wanted.

    :param config: the wire configuration as it is; None for a distribution that is yet to be made.
    :param wanted: what ``desired.wanted`` returned.
    :param name: what the distribution is called in the differences.
    :param purge: whether ``wanted["behaviors"]`` is the whole ordered list; otherwise each is put in, or changed where it is.
    :param removed: path patterns of behaviors that shall not be there.
    """
    present = [pattern(item["PathPattern"]) for item in items((config or {}).get("CacheBehaviors"))]
    if "behaviors" in wanted or removed:
        given = {entry["path_pattern"]: entry for entry in wanted.get("behaviors", [])}
        order = arranged(present, wanted.get("behaviors", []), purge and "behaviors" in wanted)
        gone = {pattern(each) for each in removed}
        kept = [each for each in order if each not in gone]
        wanted = {**wanted, "behaviors": [given.get(each, {"path_pattern": each}) for each in kept]}
    after = render.rendered(config, wanted, caller_reference)
    return Plan(config, after, differences(config, after, name))


def arranged(present: Sequence[str], given: Sequence[Mapping[str, Any]], purge: bool) -> list[str]:
    """Return the path patterns in the order they shall have.

    Without ``purge`` a pattern keeps its place unless its ``before`` or ``after`` asks for another one. It is moved only if
    it is on the wrong side, so that several may name the same neighbour. New patterns without a neighbour come last.
    """
    if purge:
        for index, entry in enumerate(given):
            for placing in PLACINGS:
                if entry.get(placing):
                    raise Refusal(
                        f"behaviors[{index}].{placing} is {entry[placing]!r} with purge: the list is the whole order then. "
                        "Put the behavior at its place in the list, or set purge to false."
                    )
        return [entry["path_pattern"] for entry in given]
    order = list(present)
    for index, entry in enumerate(given):
        _place(order, entry, f"behaviors[{index}]")
    for index, entry in enumerate(given):
        if not _placed(order, entry):
            raise Refusal(
                f"behaviors[{index}] ({entry['path_pattern']!r}) cannot be "
                f"{' and '.join(f'{placing} {entry[placing]!r}' for placing in PLACINGS if entry.get(placing))}: "
                "the wishes of the given behaviors contradict each other. Remove one of them."
            )
    return order


def _place(order: list[str], entry: Mapping[str, Any], where: str) -> None:
    own = entry["path_pattern"]
    if all(entry.get(placing) for placing in PLACINGS):
        raise Refusal(
            f"{where}.after is {entry['after']!r} beside {where}.before: one neighbour is enough, remove the other."
        )
    for placing in PLACINGS:
        if entry.get(placing) and (entry[placing] not in order or entry[placing] == own):
            raise Refusal(
                f"{where}.{placing} is {entry[placing]!r}, which is no other behavior of the distribution: name one of "
                f"{', '.join(order) or '(there are none)'}."
            )
    if own in order and _placed(order, entry):
        return
    if own in order:
        order.remove(own)
    if entry.get("before"):
        order.insert(order.index(entry["before"]), own)
    elif entry.get("after"):
        order.insert(order.index(entry["after"]) + 1, own)
    else:
        order.append(own)


def _placed(order: Sequence[str], entry: Mapping[str, Any]) -> bool:
    position = order.index(entry["path_pattern"])
    if entry.get("before") and position > order.index(entry["before"]):
        return False
    return not entry.get("after") or position > order.index(entry["after"])


def differences(before: Wire | None, after: Wire | None, name: str) -> list[Difference]:
    """Compare two configurations in normal form; None stands for no distribution."""
    old, new = current.tree(before, name), current.tree(after, name)
    result = []
    for key, fields in new.items():
        if key not in old:
            result.append(Difference(CREATE, key, {}, _said(fields)))
            continue
        differing = [option for option in fields if old[key].get(option) != fields[option]]
        if differing:
            was, becomes = ({option: side[key].get(option) for option in differing} for side in (old, new))
            result.append(Difference(UPDATE, key, was, becomes))
    result += [Difference(DELETE, key, _said(fields), {}) for key, fields in old.items() if key not in new]
    return [_masked(difference) for difference in result]


def _said(fields: Normal) -> Normal:
    """Leave out what says nothing: options a resource does not have, and empty ones."""
    return {option: value for option, value in fields.items() if value not in (None, "", [], {})}


def _masked(difference: Difference) -> Difference:
    """Mask the values of custom headers; a value that is replaced says so."""
    old, new = (side.get("custom_headers") for side in (difference.before, difference.after))
    if not old and not new:
        return difference
    before, after = dict(difference.before), dict(difference.after)
    if old:
        before["custom_headers"] = dict.fromkeys(old, current.MASK)
    if new:
        replaced = f"{current.MASK} (another value)"
        after["custom_headers"] = {
            header: replaced if old and header in old and old[header] != value else current.MASK
            for header, value in new.items()
        }
    return Difference(difference.action, difference.key, before, after)
