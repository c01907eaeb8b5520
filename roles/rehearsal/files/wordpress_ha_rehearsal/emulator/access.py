# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may do what by a resource policy, as far as bucket policies need it. Pure: documents in, a decision out."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ALLOW, DENY = "Allow", "Deny"


@dataclass(frozen=True)
class Caller:
    """Who asks: ``kind`` is AWS, Service or Anonymous; ``context`` holds condition keys in lower case."""

    kind: str
    name: str = "*"
    context: Mapping[str, str] = field(default_factory=dict)


def decide(policy: Mapping[str, Any], caller: Caller, action: str, resource: str) -> str | None:
    """Return Deny if a statement denies, else Allow if one allows, else None: the policy says nothing of it."""
    effects = {
        statement["Effect"]
        for statement in _listed(policy.get("Statement"))
        if _concerns(statement, caller, action, resource)
    }
    return DENY if DENY in effects else ALLOW if ALLOW in effects else None


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _concerns(statement: Mapping[str, Any], caller: Caller, action: str, resource: str) -> bool:
    return (
        _principal(statement, caller)
        and _named(statement, "Action", action, str.lower)
        and _named(statement, "Resource", resource, str)
        and all(_condition(operator, keys, caller) for operator, keys in (statement.get("Condition") or {}).items())
    )


def _principal(statement: Mapping[str, Any], caller: Caller) -> bool:
    if "NotPrincipal" in statement:
        return not _is_principal(statement["NotPrincipal"], caller)
    return _is_principal(statement.get("Principal"), caller)


def _is_principal(named: Any, caller: Caller) -> bool:
    if named == "*":
        return True
    by_kind = named if isinstance(named, Mapping) else {}
    if caller.kind != "Service" and "*" in _listed(by_kind.get("AWS")):
        return True
    return caller.name in _listed(by_kind.get(caller.kind))


def _named(statement: Mapping[str, Any], element: str, value: str, fold: Any) -> bool:
    """Tell whether Action or Resource (or their opposite NotAction, NotResource) names a value."""
    if f"Not{element}" in statement:
        return not any(_like(fold(value), fold(each)) for each in _listed(statement[f"Not{element}"]))
    return any(_like(fold(value), fold(each)) for each in _listed(statement.get(element)))


def _like(value: str, pattern: str) -> bool:
    """Match * and ? only; brackets mean themselves."""
    return re.fullmatch(fnmatch.translate(pattern.replace("[", "[[]")), value) is not None


def _condition(operator: str, keys: Mapping[str, Any], caller: Caller) -> bool:
    """Judge one operator with all its keys; an operator that is not known here never holds."""
    plain = operator.removesuffix("IfExists")
    for key, expected in keys.items():
        actual = caller.context.get(key.lower())
        wanted = [str(each).lower() if isinstance(each, bool) else str(each) for each in _listed(expected)]
        if plain == "Null":
            holds = (actual is None) == (wanted == ["true"])
        elif actual is None:
            holds = operator.endswith("IfExists") or plain.startswith(("StringNot", "ArnNot"))
        else:
            holds = _compare(plain, actual, wanted)
        if not holds:
            return False
    return True


def _compare(operator: str, actual: str, wanted: list[str]) -> bool:
    compare = {
        "StringEquals": lambda each: actual == each,
        "StringEqualsIgnoreCase": lambda each: actual.lower() == each.lower(),
        "StringLike": lambda each: _like(actual, each),
        "ArnEquals": lambda each: _like(actual, each),
        "ArnLike": lambda each: _like(actual, each),
        "Bool": lambda each: actual.lower() == each.lower(),
    }
    negated = operator.replace("Not", "", 1) if "Not" in operator else None
    if negated in compare:
        return not any(compare[negated](each) for each in wanted)
    return operator in compare and any(compare[operator](each) for each in wanted)
