# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helpers for resources found by a fixed name: whose they are, and comparisons on what AWS reports comparably."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from ._aws import STACK_TAG, merged_tags, tags_to_list
from ._plan import Change, Refused


def refuse_foreign(what: str, tags: Mapping[str, str], wanted: Mapping[str, str] | None, deleting: bool) -> None:
    """Raise ``Refused`` unless the resource carries the wanted stack's tag.

    A resource without the tag may be adopted (the tag is then added), but is never deleted. Without a stack tag in
    ``wanted`` the caller has chosen by name alone, and nothing is refused.
    """
    stack = (wanted or {}).get(STACK_TAG)
    owner = tags.get(STACK_TAG)
    if stack is None or owner == stack or (owner is None and not deleting):
        return
    whose = f"belongs to the stack {owner!r}" if owner else f"carries no tag {STACK_TAG}"
    raise Refused(f"{what} {whose}, not to {stack!r}: it is left alone. Choose another name, or remove it yourself.")


def listed(
    client: Any, operation: str, key: str, missing: Sequence[str] = (), **arguments: Any
) -> list[dict[str, Any]]:
    """Return all pages of what a describe call lists; nothing when AWS answers with one of the ``missing`` error codes."""
    try:
        return list(client.get_paginator(operation).paginate(**arguments).build_full_result().get(key, []))
    except is_boto3_error_code(list(missing)):
        return []


def wanted_tags(
    name: str, current: Mapping[str, str] | None, tags: Mapping[str, str] | None, purge: bool
) -> dict[str, str] | None:
    """Return the tags a resource should end with; C(Name) is its own name unless given. None leaves them alone."""
    named = None if tags is None else {"Name": name, **{key: str(value) for key, value in tags.items()}}
    return merged_tags(current, named, purge)


def tag_changes(before: Mapping[str, str] | None, after: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the tags to set and the keys to remove."""
    old = before or {}
    return {key: value for key, value in after.items() if old.get(key) != value}, sorted(set(old) - set(after))


def write_tags(client: Any, arn: str, change: Change) -> None:
    """Bring the tags of a resource of RDS or ElastiCache, whose calls are named alike, to those of a change, if it has any."""
    if "tags" not in change.after:
        return
    added, removed = tag_changes(change.before["tags"], change.after["tags"])
    if removed:
        client.remove_tags_from_resource(ResourceName=arn, TagKeys=removed, aws_retry=True)
    if added:
        client.add_tags_to_resource(ResourceName=arn, Tags=tags_to_list(added), aws_retry=True)


def same_version(current: str | None, wanted: str | None) -> bool:
    """Tell whether the running version satisfies the wanted one, which may leave out trailing parts."""
    return bool(current and wanted) and (current == wanted or str(current).startswith(f"{wanted}."))


def settled_version(current: str | None, wanted: str | None) -> str | None:
    """Return what to compare with: the running version itself where it satisfies the wanted one, else the wanted one."""
    return current if same_version(current, wanted) else wanted


def merged_parameters(
    current: Mapping[str, str] | None, wanted: Mapping[str, Any] | None, where: str
) -> dict[str, str] | None:
    """Return the parameters a group should end with; None leaves them alone, unmentioned ones stay.

    Values are compared as text without regard to case. A YAML boolean is refused: C(ON) unquoted is one, and whether a
    parameter takes C(ON) or C(1) only its documentation tells.
    """
    if wanted is None:
        return None
    merged = dict(current or {})
    for name, value in wanted.items():
        if isinstance(value, bool) or value is None:
            raise Refused(f"{where}.{name} is {value!r}; quote the value AWS documents, such as 'ON' or '1'.")
        if str(merged.get(name, "")).lower() != str(value).lower() or name not in merged:
            merged[name] = str(value)
    return merged


def changed_parameters(before: Mapping[str, str] | None, after: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters whose values differ."""
    return {name: value for name, value in after.items() if (before or {}).get(name) != value}


def batches(items: Iterable[Any], size: int) -> list[list[Any]]:
    """Cut items into lists of at most ``size``: many AWS calls take no more than 20 at a time."""
    every = list(items)
    return [every[start : start + size] for start in range(0, len(every), size)]
