# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: balancer_sites
author:
  - The wordpress_ha.aws project (@wordpress-ha)
version_added: 0.1.0
short_description: Turn further sites of a load balancer into target groups and rules
description:
  - Takes sites by host name, as in the role C(load_balancer), and returns options of M(wordpress_ha.aws.application_load_balancer).
  - A rule holds at most five values, so a site with many host names gets several rules. Where a CDN proves itself by a header, each rule
    asks for it too (P31), which takes two of the five.
  - The first site's rules come first. A site that is appended leaves the rules of the others as they are.
positional: _input
options:
  _input:
    description: The sites, each with C(name) and C(hosts), and C(health_path), C(health_codes), C(port), C(redirect_to), C(certificate_arns).
    type: list
    elements: dict
    required: true
  balancer:
    description: Name of the load balancer, with which the names of the target groups begin.
    type: str
    required: true
  group:
    description: Options of a target group, from which a site's own differ.
    type: dict
    default: {}
  origin_header:
    description: The header by which a CDN proves itself, a condition C(http_header_secret); empty for none.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show the rules of a second site
  ansible.builtin.debug:
    msg: "{{ ([{'name': 'shop', 'hosts': ['shop.example.org']}] | wordpress_ha.aws.balancer_sites(balancer='blog')).rules }}"
"""

RETURN = r"""
_value:
  description:
    - C(target_groups), by name, and C(rules), a list, both as the module takes them; C(groups), the names of the target groups by site;
      C(certificate_arns), a list.
  type: dict
"""
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
HOST = re.compile(r"[A-Za-z0-9*?]([A-Za-z0-9.*?-]*[A-Za-z0-9*?])?")
KNOWN = ("name", "hosts", "port", "health_path", "health_codes", "redirect_to", "certificate_arns")
#: AWS compares a request with at most this many values in a rule.
MOST_VALUES = 5
#: Versions of a secret header that may be good at a time.
SECRET_VALUES = 2
#: Room for the rules of one site: enough for 198 host names behind a CDN's header.
STEP = 100
MOST_SITES = 99


def _refuse(where: str, value: Any, problem: str) -> AnsibleFilterError:
    return AnsibleFilterError(f"load_balancer_sites{where} is {value!r}: {problem}")


def _checked(sites: Sequence[Mapping[str, Any]], balancer: str) -> None:
    """Raise an error that names the first thing that is wrong."""
    names: dict[str, int] = {}
    hosts: dict[str, str] = {}
    if len(sites) > MOST_SITES:
        raise _refuse(
            "", f"a list of {len(sites)}", f"a load balancer takes {MOST_SITES} further sites. Use another one."
        )
    for index, site in enumerate(sites):
        unknown = sorted(set(site) - set(KNOWN))
        if unknown:
            raise _refuse(f"[{index}]", unknown[0], f"there is no such option. Use {', '.join(KNOWN)}.")
        name = site.get("name")
        if not isinstance(name, str) or not NAME.fullmatch(name) or name == "web":
            raise _refuse(f"[{index}].name", name, "give lower case letters, digits and hyphens, and not `web`.")
        if len(f"{balancer}-{name}") > 32:
            longest = 31 - len(balancer)
            raise _refuse(
                f"[{index}].name", name, f"AWS takes 32 characters with the balancer's name. Use at most {longest}."
            )
        if name in names:
            raise _refuse(f"[{index}].name", name, f"number {names[name]} is named so too. Choose another name.")
        names[name] = index
        given = site.get("hosts")
        if not isinstance(given, (list, tuple)) or not given:
            raise _refuse(f"[{index}].hosts", given, "give a list of host names, as in [shop.example.org].")
        for host in given:
            if not isinstance(host, str) or not HOST.fullmatch(host):
                raise _refuse(f"[{index}].hosts", host, "give a host name without scheme, port or path.")
            if host.lower() in hosts:
                raise _refuse(
                    f"[{index}].hosts", host, f"the site {hosts[host.lower()]} has it already. Remove one of them."
                )
            hosts[host.lower()] = name
        if site.get("redirect_to") and (not HOST.fullmatch(site["redirect_to"]) or site["redirect_to"] in given):
            raise _refuse(f"[{index}].redirect_to", site["redirect_to"], "give the host name of another site.")


def _group(site: Mapping[str, Any], group: Mapping[str, Any]) -> dict[str, Any]:
    check = {"path": site.get("health_path"), "matcher": site.get("health_codes")}
    given = {name: value for name, value in check.items() if value}
    port = {"port": int(site["port"])} if site.get("port") else {}
    return {**group, **port, "health_check": {**group.get("health_check", {}), **given}}


def _action(site: Mapping[str, Any], group: str) -> dict[str, Any]:
    if site.get("redirect_to"):
        return {"redirect": {"host": site["redirect_to"], "status_code": "HTTP_301"}}
    return {"forward": group}


def balancer_sites(
    sites: Sequence[Mapping[str, Any]],
    balancer: str,
    group: Mapping[str, Any] | None = None,
    origin_header: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return target groups, rules and certificates of further sites."""
    _checked(sites, balancer)
    room = MOST_VALUES - (SECRET_VALUES if origin_header else 0)
    guard = {"http_header_secret": dict(origin_header)} if origin_header else {}
    made: dict[str, Any] = {"target_groups": {}, "rules": [], "groups": {}, "certificate_arns": []}
    for index, site in enumerate(sites):
        name = f"{balancer}-{site['name']}"
        if not site.get("redirect_to"):
            made["target_groups"][name] = _group(site, group or {})
            made["groups"][site["name"]] = name
        made["certificate_arns"] += [
            arn for arn in site.get("certificate_arns") or [] if arn not in made["certificate_arns"]
        ]
        hosts = list(site["hosts"])
        for number, start in enumerate(range(0, len(hosts), room)):
            made["rules"].append(
                {
                    "priority": STEP * (index + 1) + number,
                    "conditions": {"host_header": hosts[start : start + room], **guard},
                    "action": _action(site, name),
                }
            )
    return made


class FilterModule:
    """The collection's filters."""

    def filters(self) -> dict[str, Any]:
        return {"balancer_sites": balancer_sites}
