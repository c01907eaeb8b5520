# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan core shared by every module of this collection.

A module describes its resources as a *tree*: a flat mapping of resource keys (``subnet/app-a``) to their fields. It reads
one tree from the API (current), builds one from its parameters (desired) and this module computes the ordered list of
changes between the two, without any I/O. The same list is what check mode reports, what diff mode shows and what is applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Fields = dict[str, Any]
Tree = dict[str, Fields]

#: What stands in check mode for an identifier that only AWS can assign. Never send it to an API.
UNKNOWN = "(known after apply)"

CREATE, UPDATE, DELETE = "create", "update", "delete"


def is_known(value: Any) -> bool:
    """Tell whether a value, at any depth, is free of identifiers that only a real run can supply."""
    if isinstance(value, str):
        return UNKNOWN not in value
    if isinstance(value, Mapping):
        return all(is_known(item) for item in value.values())
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(is_known(item) for item in value)
    return True


def kind_of(key: str) -> str:
    """Return the resource type of a key: ``subnet`` of ``subnet/app-a``."""
    return key.split("/", 1)[0]


def name_of(key: str) -> str:
    """Return the name within its type of a key: ``app-a`` of ``subnet/app-a``."""
    return key.split("/", 1)[-1]


@dataclass(frozen=True)
class Change:
    """One step of a plan: what is created, updated or deleted, and which fields differ.

    ``before`` and ``after`` hold only the fields that differ (for an update) or all known fields (for the other two).
    """

    action: str
    key: str
    before: Fields
    after: Fields

    @property
    def kind(self) -> str:
        return kind_of(self.key)

    @property
    def name(self) -> str:
        return name_of(self.key)

    def summary(self, secret_fields: Iterable[str] = ()) -> Fields:
        """Return the change as plain data for a module's C(actions) result, secrets masked."""
        return {
            "action": self.action,
            "resource": self.key,
            "before": mask(self.before, secret_fields),
            "after": mask(self.after, secret_fields),
        }


def mask(fields: Fields, secret_fields: Iterable[str]) -> Fields:
    """Replace the values of secret fields, so that a plan can be printed."""
    secret = set(secret_fields)
    return {name: "********" if name in secret else value for name, value in fields.items()}


def plan(
    current: Tree,
    desired: Tree,
    order: Sequence[str],
    purge: Iterable[str] = (),
    immutable: Mapping[str, Iterable[str]] | None = None,
) -> list[Change]:
    """Compute the ordered changes that lead from the current tree to the desired one.

    :param current: what the API holds; may carry fields that the desired tree does not know: they are left alone.
    :param desired: what is wanted; a field whose value is None is not compared (unset means leave alone).
    :param order: resource types, from the first to create to the last; deletions run in reverse, after everything else.
    :param purge: types whose resources are deleted when the desired tree lacks them.
    :param immutable: per type, fields that AWS cannot change in place; a difference raises ``ImmutableChange``.
    """
    changes: list[Change] = []
    for key in sorted(desired, key=lambda item: _rank(item, order)):
        wanted = {name: value for name, value in desired[key].items() if value is not None}
        if key not in current:
            changes.append(Change(CREATE, key, {}, wanted))
            continue
        differing = [name for name, value in wanted.items() if current[key].get(name) != value]
        _refuse_immutable(key, differing, current[key], wanted, immutable or {})
        if differing:
            changes.append(
                Change(
                    UPDATE,
                    key,
                    {name: current[key].get(name) for name in differing},
                    {name: wanted[name] for name in differing},
                )
            )
    purged = set(purge)
    gone = [key for key in current if key not in desired and kind_of(key) in purged]
    for key in sorted(gone, key=lambda item: _rank(item, order), reverse=True):
        changes.append(Change(DELETE, key, dict(current[key]), {}))
    return changes


def _rank(key: str, order: Sequence[str]) -> tuple[int, str]:
    return order.index(kind_of(key)), name_of(key)


class Refused(ValueError):
    """A request that is refused before anything is written; the message names the option, its value and the cure."""


class ImmutableChange(Refused):
    """A wanted difference that AWS refuses: the message names the field, both values and the cure."""


def _refuse_immutable(
    key: str, differing: Iterable[str], before: Fields, after: Fields, immutable: Mapping[str, Iterable[str]]
) -> None:
    for name in differing:
        if name in set(immutable.get(kind_of(key), ())):
            raise ImmutableChange(
                f"{name} of {key} is {before.get(name)!r} and cannot be changed to {after[name]!r} in place: "
                f"AWS fixes it at creation. Keep {before.get(name)!r}, or create the resource anew under another name."
            )


def applied(current: Tree, changes: Iterable[Change]) -> Tree:
    """Return the tree that results from a plan, as check mode predicts it; nothing is called."""
    tree = {key: dict(fields) for key, fields in current.items()}
    for change in changes:
        if change.action == DELETE:
            tree.pop(change.key, None)
        else:
            tree[change.key] = {**tree.get(change.key, {}), **change.after}
    return tree


def diff(changes: Sequence[Change], secret_fields: Iterable[str] = ()) -> dict[str, Any]:
    """Return Ansible's C(diff) structure: only what differs, by resource, secrets masked."""
    secret = tuple(secret_fields)
    return {
        "before": {change.key: mask(change.before, secret) for change in changes if change.action != CREATE},
        "after": {change.key: mask(change.after, secret) for change in changes if change.action != DELETE},
    }


Handler = Callable[[Change, Tree], Fields]


def execute(current: Tree, changes: Sequence[Change], handlers: Mapping[str, Handler]) -> Tree:
    """Apply a plan through its handlers and return the resulting tree.

    A handler is found by ``<action> <type>`` (``create subnet``). It receives the change and the tree as it stands, and
    returns the fields that only the API knows (identifiers), which later handlers may read from the tree.
    """
    tree = {key: dict(fields) for key, fields in current.items()}
    for change in changes:
        fields = handlers[f"{change.action} {change.kind}"](change, tree)
        if change.action == DELETE:
            tree.pop(change.key, None)
        else:
            tree[change.key] = {**tree.get(change.key, {}), **change.after, **(fields or {})}
    return tree
