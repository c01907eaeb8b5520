# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: firewall_rules
author:
  - The wordpress_ha.aws project (@wordpress-ha)
version_added: 0.1.0
short_description: Make the rules of a web ACL for WordPress
description:
  - Takes the mode and returns the rules that C(wordpress_ha.aws.wafv2_web_acl) keeps - rate limits, AWS's managed groups (common, known bad
    inputs, SQL, PHP, WordPress, address reputation) and the exceptions that keep editors from being locked out.
  - What is in the groups, and which of their rules do not count for editors, is data of the role C(edge) (C(vars/firewall.yml)).
positional: _input
options:
  _input:
    description: V(count) only measures, V(block) blocks.
    type: str
    choices: [count, block]
    required: true
  rate_limit:
    description: Requests that one address may send in 5 minutes, static files left out; 0 is no limit. Editors may send five times as many.
    type: int
    default: 2000
  login_rate_limit:
    description: Logins (POST to wp-login.php and xmlrpc.php) that one address may try in 5 minutes; 0 is no limit.
    type: int
    default: 50
  exclusions:
    description:
      - Rules of the groups that are wrong for a site, each a dict with C(rule), its name at AWS, and C(paths), beginnings of the paths it is
        wrong for. Without C(paths) the rule only counts everywhere.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Show what blocks, and in which order
  ansible.builtin.debug:
    msg: "{{ 'block' | wordpress_ha.aws.firewall_rules(exclusions=[{'rule': 'NoUserAgent_HEADER', 'paths': ['/wp-json/shop/']}]) | map(attribute='Name') }}"
"""

RETURN = r"""
_value:
  description: The rules, in the form of WAF's API.
  type: list
  elements: dict
"""

from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _firewall

SOURCE = Path(__file__).resolve().parents[2] / "roles" / "edge" / "vars" / "firewall.yml"


def _number(name: str, value: Any) -> int:
    """Turn what a template made of a number back into one."""
    try:
        return int(value)
    except (TypeError, ValueError):
        raise AnsibleFilterError(f"edge_waf_{name} is {value!r}: give a number; 0 is no limit.") from None


def firewall_rules(
    mode: str, rate_limit: Any = 2000, login_rate_limit: Any = 50, exclusions: Any = ()
) -> list[dict[str, Any]]:
    """Return the rules of a web ACL for WordPress."""
    source = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))["__edge_firewall"]
    general, login = _number("rate_limit", rate_limit), _number("login_rate_limit", login_rate_limit)
    try:
        return _firewall.rules(source, mode, general, login, list(exclusions or ()))
    except _firewall.Invalid as error:
        raise AnsibleFilterError(f"edge_waf_{error}") from error


class FilterModule:
    """The collection's filters."""

    def filters(self) -> dict[str, Any]:
        return {"firewall_rules": firewall_rules}
