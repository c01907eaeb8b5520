# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests that a play sent: held against the policies for who runs it, and against botocore's service models.

botocore checks types, what is required and some lower bounds. AWS refuses besides what is no value of an enumeration, too long or large,
or of another pattern, and so does this: what an emulator takes and AWS would not.
"""

from __future__ import annotations

import functools
import json
import os
import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
from botocore.model import OperationModel, Shape

#: Java's classes of characters as ranges that Python knows; where these are wider, the check is milder than AWS.
_JAVA = {
    r"\p{L}": "A-Za-z\u00aa-\U0010ffff",
    r"\p{Z}": r"\s",
    r"\p{N}": "0-9\u00b2-\u00be",
    r"\p{M}": "\u0300-\u036f",
    r"\p{P}": r"!-/:-@\[-`{-~",
    r"\p{S}": r"$+<=>^`|~",
    r"\p{Graph}": "!-~",
    r"\p{Alnum}": "A-Za-z0-9",
    r"\p{ASCII}": r"\x00-\x7f",
    r"\p{Print}": " -~",
    r"\p{Punct}": r"!-/:-@\[-`{-~",
}


CHECKOUT = Path(__file__).resolve().parents[2]
RECORDER = Path(__file__).resolve().parent / "recorder"
#: What the placeholders of the policies are in the tests' inventory.
VALUES = {"STACK": "trial", "ACCOUNT": "123456789012", "REGION": "us-east-1", "DOMAIN": "blog.example.org"}
sys.path.insert(0, str(CHECKOUT / "tools"))
import iam_policies  # noqa: E402


@dataclass(frozen=True)
class Play:
    """A run of a playbook and the calls it made."""

    playbook: str
    arguments: tuple[str, ...]
    calls: list[dict[str, Any]]

    @property
    def policy(self) -> str | None:
        """The name of the policy that allows it; None for a playbook of the tests."""
        path = CHECKOUT / self.playbook
        if path.parent not in (CHECKOUT, CHECKOUT / "playbooks"):
            return None
        return f"{path.stem}-check" if "--check" in self.arguments else path.stem


def environment(path: Path) -> dict[str, str]:
    """Return the variables that make every Python process of a run record its calls."""
    places = [str(RECORDER), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, places)), "WORDPRESS_HA_RECORD": str(path)}


def taken(path: Path) -> list[dict[str, Any]]:
    """Return the recorded calls, and leave none."""
    calls = read(path)
    path.unlink(missing_ok=True)
    return calls


def hold(plays: list[Play], given: Collection[str] = ()) -> None:
    """Hold every recorded request against the service models, and those of our playbooks against their policies.

    :param given: names of resources that the user gives: the policies leave these to be added by hand, as docs/iam.md says.
    With ``WORDPRESS_HA_LEARN`` set, calls that the policies lack are added to what they are made from.
    """
    rules, known = iam_policies.Rules(), iam_policies.load()
    wrong = {problem for play in plays for call in play.calls for problem in problems(call)}
    for play in plays:
        wrong |= {f"{call}: tools/iam_actions.yml does not say what it needs" for call in unknown(play, rules)}
        if play.policy:
            seen, allowed = iam_policies.reduced(play.calls, rules), known.get(play.policy, {})
            if os.environ.get("WORDPRESS_HA_LEARN"):
                known[play.policy] = iam_policies.merged(allowed, seen)
                continue
            wrong |= {
                f"{call} {' '.join(having)}: docs/iam/{play.policy}.json does not allow it; "
                "run the tests with WORDPRESS_HA_LEARN=1, then tools/iam_policies.py"
                for call, having in seen.items()
                if call not in allowed or not set(having) <= set(allowed[call])
            }
            wrong |= {
                stray
                for call in play.calls
                for stray in rules.strays(name(call), call["params"], VALUES)
                if not any(f" {one!r} is no " in stray for one in given)
            }
    if os.environ.get("WORDPRESS_HA_LEARN"):
        iam_policies.save(known)
    assert not wrong, "\n".join(sorted(wrong))


def unknown(play: Play, rules: iam_policies.Rules) -> set[str]:
    return {name(call) for call in play.calls if not rules.known(name(call))}


def name(call: dict[str, Any]) -> str:
    return f"{call['service']}:{call['operation']}"


def read(path: Path) -> list[dict[str, Any]]:
    """Return the recorded calls of a file; none if no process made any."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


@functools.cache
def _session() -> botocore.session.Session:
    return botocore.session.Session()


@functools.cache
def operation(service: str, name: str) -> OperationModel:
    return _session().get_service_model(service).operation_model(name)


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Return a model's pattern, which is Java's, as Python's; None for one that cannot be said."""
    for java, python in _JAVA.items():
        pattern = pattern.replace(java, python)
    try:
        return re.compile(pattern)
    except re.error:
        return None


def problems(call: dict[str, Any]) -> list[str]:
    """Return what AWS would refuse in a recorded call; every message names the call and the parameter, never a secret's value."""
    model = operation(call["service"], call["operation"])
    if model.input_shape is None:
        return []
    return [f"{name(call)} {path}: {wrong}" for path, wrong in _check(call["params"], model.input_shape, "")]


def _check(value: Any, shape: Shape, path: str) -> Iterator[tuple[str, str]]:
    if shape.type_name == "structure":
        yield from _check_structure(value, shape, path)
    elif shape.type_name == "list":
        if not isinstance(value, list):
            yield path, f"is a {type(value).__name__}, not a list"
            return
        yield from _bounds(len(value), shape, path, "items")
        for number, item in enumerate(value):
            yield from _check(item, shape.member, f"{path}[{number}]")  # type: ignore[attr-defined]
    elif shape.type_name == "map":
        yield from _bounds(len(value), shape, path, "entries")
        for key, item in value.items():
            yield from _check(key, shape.key, f"{path}.{key}")  # type: ignore[attr-defined]
            yield from _check(item, shape.value, f"{path}.{key}")  # type: ignore[attr-defined]
    elif shape.type_name == "string":
        yield from _check_string(value, shape, path)
    elif shape.type_name in ("integer", "long", "float", "double"):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            yield path, f"is a {type(value).__name__}, not a number"
        else:
            yield from _bounds(value, shape, path, "")
    elif shape.type_name == "boolean" and not isinstance(value, bool):
        yield path, f"is a {type(value).__name__}, not a boolean"


def _check_structure(value: Any, shape: Any, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        yield path, f"is a {type(value).__name__}, not a structure"
        return
    for name in shape.required_members:
        if name not in value:
            yield f"{path}.{name}", "is missing"
    for name, item in value.items():
        if name not in shape.members:
            yield f"{path}.{name}", "is unknown"
        elif item is None:
            yield f"{path}.{name}", "is null"
        else:
            yield from _check(item, shape.members[name], f"{path}.{name}" if path else name)


def _check_string(value: Any, shape: Any, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, str):
        yield path, f"is a {type(value).__name__}, not text"
        return
    if shape.enum and value not in shape.enum:
        yield path, f"is {value!r}, none of {', '.join(shape.enum)}"
    yield from _bounds(len(value), shape, path, "characters")
    pattern = shape.metadata.get("pattern")
    found = _compiled(pattern) if pattern else None
    if found and not found.fullmatch(value):
        shown = "its value" if shape.metadata.get("sensitive") else repr(value[:80])
        yield path, f"is {shown}, which does not match {pattern}"


def _bounds(number: float, shape: Shape, path: str, what: str) -> Iterator[tuple[str, str]]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and number < least:
        yield path, f"is {number:g} {what}".rstrip() + f", at least {least} is wanted"
    if most is not None and number > most:
        yield path, f"is {number:g} {what}".rstrip() + f", at most {most} is allowed"
