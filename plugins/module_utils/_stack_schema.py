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
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

#: Each tier may hold this many zones, so that adding a zone never renumbers a subnet.
ZONE_SLOTS = 4
TIERS = ("public", "app", "data")
#: A load balancer wants a /27 at least; 16 subnet slots are four bits, so a VPC of /23 is the smallest.
SUBNET_BITS = 4
SMALLEST_SUBNET = 27
LARGEST_VPC = 16

EVERYWHERE = "0.0.0.0/0"
PRESETS = ("woocommerce", "multisite", "campaigns")
#: Seconds by which the load balancer's time-out, and the edge's, are above that of a request; the edge's has a quota (P8).
BALANCER_MARGIN, EDGE_MARGIN, LONGEST_READ = 15, 20, 120

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
    variables: Mapping[str, Any], schema: Mapping[str, Any], other_names: Iterable[str] = ()
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the normalised stack (short names, defaults filled in) and every problem found.

    :param variables: the inventory's variables that start with the collection's prefixes.
    :param schema: the settings by variable name, as in the role preflight's vars/stack_schema.yml.
    :param other_names: further variables that may be set, such as the options of the node roles.
    """
    problems: list[Problem] = []
    known = [*schema, *other_names]
    for name, value in variables.items():
        if name not in known:
            problems.append(_unknown(name, value, known, "variable"))
    stack = {spec.get("as", name): _checked(name, variables.get(name), spec, problems) for name, spec in schema.items()}
    return stack, problems


def _unknown(path: str, value: Any, known: Iterable[str], what: str, prefix: str = "") -> Problem:
    leaf = path.removeprefix(prefix)
    near = difflib.get_close_matches(leaf, list(known), n=1, cutoff=0.6)
    cure = f"Did you mean `{prefix}{near[0]}`?" if near else f"Remove it; known here: {', '.join(sorted(known))}."
    return Problem(path, value, f"there is no such {what}", cure)


def _checked(path: str, value: Any, spec: Mapping[str, Any], problems: list[Problem]) -> Any:
    """Return one setting normalised; its problems are appended."""
    if value is None and spec.get("type") != "dict":
        if spec.get("required"):
            problems.append(Problem(path, UNSET, "it must be set", spec.get("cure", "")))
        return spec.get("default")
    if value is None and spec.get("required"):
        wanted = ", ".join(name for name, option in spec["options"].items() if option.get("required"))
        problems.append(Problem(path, UNSET, "it must be set", f"Give a dict with at least: {wanted}."))
        return {}
    try:
        value = _CONVERTERS[spec.get("type", "str")](spec.get("default", {}) if value is None else value)
    except ValueError as error:
        problems.append(Problem(path, value, str(error), spec.get("cure", "")))
        return value
    if spec.get("options"):
        return _checked_dict(path, value, spec["options"], problems)
    if spec.get("elements"):
        return [
            _checked(f"{path}[{index}]", item, {"type": spec["elements"]}, problems) for index, item in enumerate(value)
        ]
    fault = _bounds(value, spec)
    if fault:
        problems.append(Problem(path, value, *fault))
    return value


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


# -- rules that span settings --------------------------------------------------------------------------------------------


def check_together(stack: Mapping[str, Any]) -> list[Problem]:
    """Return the problems that only several settings of a well-typed stack show together."""
    problems = []
    web, network = stack["web"], ipaddress.IPv4Network(stack["network"]["cidr"])
    if web["min"] > web["max"]:
        wrong = f"it is more than wordpress_ha_web.max, {web['max']}"
        problems.append(Problem("wordpress_ha_web.min", web["min"], wrong, "Raise the one or lower the other."))
    if web["builder_connection"] == "ssh" and not web["key_name"]:
        wrong = "wordpress_ha_web.builder_connection is `ssh`, which needs a key pair"
        problems.append(
            Problem("wordpress_ha_web.key_name", UNSET, wrong, "Name an EC2 key pair of the region, or use `ssm`.")
        )
    smallest = SMALLEST_SUBNET - SUBNET_BITS
    if network.prefixlen > smallest:
        zones = stack["network"]["availability_zones"]
        count = len(TIERS) * (len(zones) if isinstance(zones, list) else zones)
        wrong = (
            f"it holds {network.num_addresses} addresses, too few for {count} subnets of at least /{SMALLEST_SUBNET}"
        )
        cure = f"Use a /{smallest} or larger (a smaller number after the slash), for example `{_larger(network, smallest)}`."
        problems.append(Problem("wordpress_ha_network.cidr", str(network), wrong, cure))
    if network.prefixlen < LARGEST_VPC:
        cure = f"Use a /{LARGEST_VPC}, for example `{network.network_address}/{LARGEST_VPC}`."
        problems.append(
            Problem("wordpress_ha_network.cidr", str(network), f"AWS allows no VPC above /{LARGEST_VPC}", cure)
        )
    url = urlsplit(stack["site"]["url"] or f"https://{stack['site']['domain']}")
    if url.hostname != stack["site"]["domain"]:
        wrong = f"its host is not wordpress_ha_site.domain, {stack['site']['domain']}"
        problems.append(Problem("wordpress_ha_site.url", stack["site"]["url"], wrong, "Make the two agree."))
    return [*problems, *_check_edge(stack), *_check_dns(stack)]


def _check_edge(stack: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with the edge in the light of the rest of the stack."""
    edge, path = stack["edge"], "wordpress_ha_edge"
    if not edge["enabled"]:
        return []
    problems = [
        Problem(f"{path}.presets[{index}]", name, f"allowed: {', '.join(f'`{one}`' for one in PRESETS)}", "Use these.")
        for index, name in enumerate(edge["presets"])
        if name not in PRESETS
    ]
    request, given = stack["web"]["request_timeout_seconds"], edge["origin_read_timeout_seconds"]
    if given is not None and given <= request + BALANCER_MARGIN:
        wrong = f"the load balancer answers after up to {request + BALANCER_MARGIN} seconds, and the edge would give up before (P8)"
        cure = f"Use at least {request + BALANCER_MARGIN + 1}, or lower wordpress_ha_web.request_timeout_seconds."
        problems.append(Problem(f"{path}.origin_read_timeout_seconds", given, wrong, cure))
    if given is None and request + EDGE_MARGIN > LONGEST_READ:
        wrong = f"CloudFront waits {LONGEST_READ} seconds for an answer at most, which must be {EDGE_MARGIN} more than this (P8)"
        cure = f"Use at most {LONGEST_READ - EDGE_MARGIN}, or have AWS raise the quota and set {path}.origin_read_timeout_seconds."
        problems.append(Problem("wordpress_ha_web.request_timeout_seconds", request, wrong, cure))
    ranges = stack["load_balancer"]["ingress_cidrs"]
    if edge["origin_access"] in ("prefix_list", "vpc_origin") and ranges != [EVERYWHERE]:
        wrong = f"{path}.origin_access is `{edge['origin_access']}`, so that only CloudFront reaches the load balancer"
        cure = f"Leave it out, or set {path}.origin_access to `secret_header`."
        problems.append(Problem("wordpress_ha_load_balancer.ingress_cidrs", ranges, wrong, cure))
    balancer = stack["load_balancer"]
    named = edge["origin_domain"] or (
        stack["dns"]["zone"] and not balancer["certificate_arn"] and not balancer["certificate_domain"]
    )
    literal = (edge["behavior_set"] or stack["profile"]) == "whitepaper"
    # The rehearsal's own name has no public DNS, and its edge no such scruples.
    if literal and balancer["https"] and not named and stack["site"]["domain"] != "localhost":
        wrong = "files of the set `whitepaper` are asked for under the load balancer's own name, for which nobody gets a certificate"
        cure = "Give a host name that leads there and that its certificate covers, or name wordpress_ha_dns.zone, or use `recommended`."
        problems.append(Problem(f"{path}.origin_domain", UNSET, wrong, cure))
    return problems


def _check_dns(stack: Mapping[str, Any]) -> list[Problem]:
    """Return the names that the hosted zone does not hold."""
    zone = stack["dns"]["zone"]
    if not zone:
        return []
    names = {"wordpress_ha_site.domain": stack["site"]["domain"]}
    if stack["edge"]["enabled"]:
        names.update(
            {f"wordpress_ha_edge.aliases[{index}]": name for index, name in enumerate(stack["edge"]["aliases"])}
        )
        if stack["edge"]["origin_domain"]:
            names["wordpress_ha_edge.origin_domain"] = stack["edge"]["origin_domain"]
    wrong = f"it is not in the zone {zone}, which wordpress_ha_dns.zone names"
    cure = "Use the zone that holds it, or leave wordpress_ha_dns.zone out and make certificates and records yourself."
    return [
        Problem(path, name, wrong, cure)
        for path, name in names.items()
        if name != zone and not name.endswith(f".{zone}")
    ]


def _larger(network: ipaddress.IPv4Network, prefix: int) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(f"{network.network_address}/{prefix}", strict=False)


def subnets(cidr: str, zones: int) -> dict[str, list[str]]:
    """Return the subnet ranges of each tier: a sixteenth of the VPC each, in slots that further zones do not move."""
    slots = list(ipaddress.IPv4Network(cidr).subnets(prefixlen_diff=SUBNET_BITS))
    return {tier: [str(slots[index * ZONE_SLOTS + zone]) for zone in range(zones)] for index, tier in enumerate(TIERS)}
