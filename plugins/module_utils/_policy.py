# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policy documents of IAM as documents: built, checked and compared by what they mean. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from ._plan import Refused

Document = Mapping[str, Any]

VERSION = "2012-10-17"
SID = re.compile(r"[A-Za-z0-9]*")
EFFECTS = ("Allow", "Deny")
#: Elements in which order and the difference between a value and a list of one mean nothing.
_ACTIONS = ("Action", "NotAction")
_ACCOUNT_ROOT = re.compile(r"arn:[\w-]+:iam::(\d{12}):root")


def document(statements: Sequence[Document]) -> dict[str, Any]:
    """Return the policy that consists of the given statements."""
    return {"Version": VERSION, "Statement": [dict(one) for one in statements]}


def trust(service: str) -> dict[str, Any]:
    """Return the trust policy of a role that a service assumes (``ec2.amazonaws.com``)."""
    return document([{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}])


def parsed(stored: Any) -> dict[str, Any]:
    """Return a policy as AWS stores it: a mapping, or JSON text that may be URL-encoded."""
    if isinstance(stored, str):
        stored = json.loads(stored if stored.lstrip().startswith("{") else unquote(stored))
    return dict(stored)


def statements(policy: Document) -> list[dict[str, Any]]:
    """Return a policy's statements as a list, which in the document may be a single one."""
    found = policy.get("Statement", [])
    return [dict(one) for one in (found if isinstance(found, (list, tuple)) else [found])]


def size(policy: Document) -> int:
    """Return how many characters AWS counts: those of the document without white space between its parts."""
    return len(json.dumps(policy, separators=(",", ":")))


def same(one: Document, other: Document) -> bool:
    """Tell whether two policies mean the same, however they are spelt."""
    return one.get("Version", "2008-10-17") == other.get("Version", "2008-10-17") and same_statements(
        statements(one), statements(other)
    )


def same_statements(one: Sequence[Document], other: Sequence[Document]) -> bool:
    """Tell whether two lists of statements mean the same; neither their order nor that within an element counts."""
    return sorted(map(_canonical, one)) == sorted(map(_canonical, other))


def _canonical(statement: Document) -> str:
    return json.dumps({name: _element(name, value) for name, value in statement.items() if value != ""}, sort_keys=True)


def _element(name: str, value: Any) -> Any:
    if name in ("Sid", "Effect"):
        return value
    if name in _ACTIONS:
        return sorted({text.lower() for text in _texts(value)})
    if isinstance(value, Mapping):
        if name == "Condition":
            # Operators and keys are compared without regard to case, values with.
            return {
                operator.lower(): {key.lower(): sorted(set(_texts(item))) for key, item in keys.items()}
                for operator, keys in value.items()
            }
        return {kind: sorted({_principal(text) for text in _texts(item)}) for kind, item in value.items()}
    return sorted(set(_texts(value)))


def _principal(text: str) -> str:
    """Return an account by its number: AWS stores ``123456789012`` as the ARN of its root."""
    found = _ACCOUNT_ROOT.fullmatch(text)
    return found.group(1) if found else text


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, (list, tuple)) else [value]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in values]


def check(path: str, given: Any, of_role: bool = True) -> list[dict[str, Any]]:
    """Return the statements under an option as given, or refuse them; ``of_role`` says that the principal is the role itself.

    :raises Refused: names the option, the statement and what is missing in it.
    """
    if not isinstance(given, (list, tuple)) or not given:
        raise Refused(f"{path} is {given!r}: give a list of one or more statements, or leave the policy out.")
    sids: set[str] = set()
    for number, one in enumerate(given):
        where = f"{path}[{number}]"
        if not isinstance(one, Mapping):
            raise Refused(f"{where} is {one!r}: give a dictionary with Effect, Action and Resource.")
        _check_statement(where, one, of_role)
        sid = one.get("Sid", "")
        if sid and sid in sids:
            raise Refused(f"{where}.Sid is {sid!r} a second time: within a policy each Sid stands once.")
        sids.add(sid)
    return [dict(one) for one in given]


def _check_statement(where: str, one: Document, of_role: bool) -> None:
    if one.get("Effect") not in EFFECTS:
        raise Refused(f"{where}.Effect is {one.get('Effect')!r}: give Allow or Deny.")
    if not SID.fullmatch(str(one.get("Sid", ""))):
        raise Refused(f"{where}.Sid is {one['Sid']!r}: IAM takes letters and digits only.")
    if ("Action" in one) == ("NotAction" in one):
        raise Refused(f"{where} has {'both' if 'Action' in one else 'neither'} Action and NotAction: give one of them.")
    if of_role and "Principal" in one:
        raise Refused(f"{where}.Principal is {one['Principal']!r}: a role's own policy has none. Leave it out.")
    if of_role and not {"Resource", "NotResource"} & set(one):
        raise Refused(f"{where} has no Resource: name the ARNs it is for.")
    if not of_role and "Principal" not in one:
        raise Refused(f"{where} has no Principal: say who may assume the role.")
    for element in ("Action", "NotAction", "Resource", "NotResource"):
        if element in one and not (
            one[element] and all(isinstance(text, str) and text for text in _listed(one[element]))
        ):
            raise Refused(f"{where}.{element} is {one[element]!r}: give text, or a list of texts.")


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
