# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks a stack file's variables against the schema and fills in its defaults. Pure: nothing here calls AWS.

Every fault is a ``Problem`` in the user's words: which variable, which value, what is wrong, what to do. Nothing is raised at
the first one; a person who made three mistakes reads three lines.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

DOMAIN = re.compile(r"^(?=.{1,253}$)(localhost|([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9])$")
EMAIL = re.compile(r"^[^@\s]+@[^@\s]+$")
SIZE = re.compile(r"^[1-9][0-9]*[KMG]$")
ARN = re.compile(r"^arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:.+$")


@dataclass(frozen=True)
class Problem:
    """One fault of the stack file: the variable with its path, its value, what is wrong with it and the cure."""

    variable: str
    value: Any
    wrong: str
    cure: str

    def __str__(self) -> str:
        return f"{self.variable} is {self.value!r}: {self.wrong}. {self.cure}".rstrip()


class Unset:
    """Stands for a value that is not there at all, so that the message can say so."""

    def __repr__(self) -> str:
        return "not set"


UNSET = Unset()


def check(
    variables: Mapping[str, Any],
    schema: Mapping[str, Any],
    other_names: Iterable[str] = (),
    sizes: Mapping[str, Any] | None = None,
    profiles: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the normalised stack (short names, defaults filled in) and every problem found.

    :param variables: the inventory's variables that start with the collection's prefixes.
    :param schema: the settings by variable name, as in the role preflight's vars/stack_schema.yml.
    :param other_names: further variables that may be set, such as the options of the node roles.
    :param sizes: per size the settings that it gives another default, by their paths (``wordpress_ha_web.min``).
    :param profiles: the same per profile. What is set wins over the size, the size over the profile, the profile over the schema.
    """
    schema = layered(variables, schema, sizes or {}, profiles or {})
    problems: list[Problem] = []
    known = [*schema, *other_names]
    for name, value in variables.items():
        if name not in known:
            problems.append(_unknown(name, value, known, "variable"))
    stack = {spec.get("as", name): _checked(name, variables.get(name), spec, problems) for name, spec in schema.items()}
    return stack, problems


def layered(
    variables: Mapping[str, Any], schema: Mapping[str, Any], sizes: Mapping[str, Any], profiles: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the schema with the defaults of the profile, the size and the processor that the variables choose, weakest first."""
    result: dict[str, Any] = json.loads(json.dumps(schema))  # a copy in which no two settings are the same object
    profile = variables.get("wordpress_ha_profile") or _default(schema, "wordpress_ha_profile")
    size = variables.get("wordpress_ha_size") or _default(schema, "wordpress_ha_size")
    web = variables.get("wordpress_ha_web")
    architecture = str(web.get("architecture") if isinstance(web, Mapping) else None)
    _put_processor_defaults(result, architecture)
    for layer in (_layer(profiles, profile), _layer(sizes, size)):
        for path, value in layer.items():
            chosen = (
                value.get(architecture, value["amd64"]) if isinstance(value, Mapping) and "amd64" in value else value
            )
            _setting(result, path)["default"] = chosen
    return result


def _layer(layers: Mapping[str, Any], name: Any) -> Mapping[str, Any]:
    return layers.get(name) or {} if isinstance(name, str) else {}


def _default(schema: Mapping[str, Any], name: str) -> Any:
    return schema.get(name, {}).get("default")


def _setting(schema: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the description of the setting at a path; KeyError for one that does not exist."""
    name, *rest = path.split(".")
    found = schema[name]
    for part in rest:
        found = found["options"][part]
    return found


def _put_processor_defaults(settings: Mapping[str, Any], architecture: str) -> None:
    """Let settings that depend on the processor have the default of the one that is chosen."""
    for spec in settings.values():
        if f"default_{architecture}" in spec:
            spec["default"] = spec[f"default_{architecture}"]
        _put_processor_defaults(spec.get("options", {}), architecture)


def _unknown(path: str, value: Any, known: Iterable[str], what: str, prefix: str = "") -> Problem:
    leaf = path.removeprefix(prefix)
    near = difflib.get_close_matches(leaf, list(known), n=1, cutoff=0.6)
    cure = f"Did you mean `{prefix}{near[0]}`?" if near else f"Remove it; known here: {', '.join(sorted(known))}."
    return Problem(path, value, f"there is no such {what}", cure)


def _checked(path: str, value: Any, spec: Mapping[str, Any], problems: list[Problem]) -> Any:
    """Return one setting normalised; its problems are appended."""
    if value is None and spec.get("when_given"):
        return {}
    if value is None and (spec.get("type") != "dict" or spec.get("required")):
        return _unset(path, spec, problems)
    try:
        value = _CONVERTERS[spec.get("type", "str")](spec.get("default", {}) if value is None else value)
    except ValueError as error:
        problems.append(Problem(path, value, str(error), spec.get("cure", "")))
        return value
    if spec.get("elements"):
        return _checked_list(path, value, spec, problems)
    if spec.get("options"):
        return _checked_dict(path, value, spec["options"], problems)
    fault = _bounds(value, spec)
    if fault:
        problems.append(Problem(path, value, *fault))
    return value


def _unset(path: str, spec: Mapping[str, Any], problems: list[Problem]) -> Any:
    """Return the default of a setting that is not there; that it must be there is a problem."""
    if not spec.get("required"):
        return spec.get("default")
    cure = spec.get("cure", "")
    if spec.get("options"):
        wanted = ", ".join(name for name, option in spec["options"].items() if option.get("required"))
        cure = f"Give a dict with at least: {wanted}."
    problems.append(Problem(path, UNSET, "it must be set", cure))
    return {} if spec.get("type") == "dict" else spec.get("default")


def _checked_list(path: str, value: list[Any], spec: Mapping[str, Any], problems: list[Problem]) -> list[Any]:
    """Return a list normalised: ``min`` and ``max`` bound its length, every other word of its description holds for each item."""
    fault = _bounds(value, {key: spec[key] for key in ("min", "max", "cure") if key in spec})
    if fault:
        problems.append(Problem(path, value, *fault))
    words = {key: spec[key] for key in ("options", "choices", "pattern", "unavailable", "cure") if key in spec}
    item_spec = {"type": spec["elements"], **words, "required": True}
    return [_checked(f"{path}[{index}]", item, item_spec, problems) for index, item in enumerate(value)]


def _checked_dict(
    path: str, value: dict[str, Any], options: Mapping[str, Any], problems: list[Problem]
) -> dict[str, Any]:
    for key, item in value.items():
        if key not in options:
            problems.append(_unknown(f"{path}.{key}", item, options, "key", prefix=f"{path}."))
    return {key: _checked(f"{path}.{key}", value.get(key), spec, problems) for key, spec in options.items()}


def _bounds(value: Any, spec: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return what is wrong and the cure, or None for a value within the setting's bounds."""
    cure = spec.get("cure", "")
    if isinstance(value, str) and value in spec.get("unavailable", {}):
        return "this choice is known but not available", spec["unavailable"][value]
    if "choices" in spec and value not in spec["choices"]:
        near = difflib.get_close_matches(str(value), [str(choice) for choice in spec["choices"]], n=1)
        allowed = ", ".join(f"`{choice}`" for choice in spec["choices"])
        return f"allowed: {allowed}", f"Did you mean `{near[0]}`?" if near else cure or "Use one of these."
    if "pattern" in spec and not re.match(spec["pattern"], value):
        return "it does not have the right form", cure or f"It must match {spec['pattern']}."
    number = len(value) if isinstance(value, list) else value
    if "min" in spec and number < spec["min"]:
        return f"the smallest possible is {spec['min']}", cure or f"Use {_range(spec)}."
    if "max" in spec and number > spec["max"] and spec.get("type") != "zones":
        return f"the largest possible is {spec['max']}", cure or f"Use {_range(spec)}."
    return None


def _range(spec: Mapping[str, Any]) -> str:
    return f"{spec['min']} to {spec['max']}" if "max" in spec else f"at least {spec['min']}"


# -- types ---------------------------------------------------------------------------------------------------------------


def _str(value: Any) -> str:
    if isinstance(value, (dict, list, bool)):
        raise ValueError(f"it must be text, not {_kind(value)}")
    return str(value)


def _int(value: Any) -> int:
    if isinstance(value, bool) or not re.match(r"^-?[0-9]+$", str(value)):
        raise ValueError("it must be a whole number")
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not re.match(r"^-?[0-9]+([.][0-9]+)?$", str(value)):
        raise ValueError("it must be a number")
    return float(value)


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("true", "yes", "false", "no"):
        return str(value).lower() in ("true", "yes")
    raise ValueError("it must be true or false")


def _dict(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"it must be a dict of settings, not {_kind(value)}")
    return dict(value)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"it must be a list, not {_kind(value)}")
    return list(value)


def _cidr(value: Any) -> str:
    try:
        return str(ipaddress.IPv4Network(_str(value)))
    except ValueError as error:
        raise ValueError(f"it is no IPv4 range ({error})") from error


def _matching(pattern: re.Pattern[str], what: str) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        if not pattern.match(_str(value)):
            raise ValueError(f"it is no {what}")
        return str(value)

    return convert


def _url(value: Any) -> str:
    parts = urlsplit(_str(value))
    if parts.scheme not in ("http", "https") or not DOMAIN.match(parts.hostname or "") or parts.query or parts.fragment:
        raise ValueError("it is no address of a site; `https://www.example.org` is one")
    return str(value).rstrip("/")


def _zones(value: Any) -> int | list[str]:
    if isinstance(value, (list, tuple)):
        return [_str(item) for item in value]
    return _int(value)


def _kind(value: Any) -> str:
    kinds = {dict: "a dict", list: "a list", bool: "true or false", int: "a number"}
    return next((words for kind, words in kinds.items() if isinstance(value, kind)), "text")


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "any": lambda value: value,
    "str": _str,
    "int": _int,
    "number": _number,
    "bool": _bool,
    "dict": _dict,
    "list": _list,
    "cidr": _cidr,
    "domain": _matching(DOMAIN, "domain name (host name only, lower case, no scheme, port or path)"),
    "url": _url,
    "email": _matching(EMAIL, "mail address"),
    "size": _matching(SIZE, "size"),
    "arn": _matching(ARN, "ARN"),
    "zones": _zones,
}
