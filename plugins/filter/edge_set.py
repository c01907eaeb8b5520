# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: edge_set
author:
  - The wordpress_ha.aws project (@wordpress-ha)
version_added: 0.1.0
short_description: Expand a set of CloudFront behaviors into options of the modules that keep it
description:
  - Takes a behavior set as in the role C(edge) (C(vars/behavior_sets/whitepaper.yml), C(recommended.yml)), gives its policies and functions the
    names of one distribution, and joins further cookies, behaviors and presets.
  - Policies and functions that no behavior uses are left out.
positional: _input
options:
  _input:
    description: The set, a dict as C(__edge_set) in the role's files; or the name of one of them.
    type: raw
    required: true
  name:
    description: What the names of all policies and functions begin with, usually the distribution's name.
    type: str
    required: true
  cookies:
    description: Names of cookies that change what a page looks like, wildcards allowed; joined to each cache policy that lists cookies.
    type: list
    elements: str
    default: []
  behaviors:
    description:
      - Behaviors besides those of the set, with the options of M(wordpress_ha.aws.cloudfront_distribution).
      - C(like) copies the settings of another behavior, named by its path pattern or C(default); what is given beside it wins.
      - C(before) or C(after) a path pattern of the set says where the behavior stands; by default it stands above all others.
    type: list
    elements: dict
    default: []
  presets:
    description: Presets to join, by their names in the role C(edge) (C(woocommerce), C(multisite), C(campaigns)) or as dicts of the same form.
    type: list
    elements: raw
    default: []
  media:
    description: Whether there is an origin C(media). Without one the behaviors that would lead there lead to the origin C(site).
    type: bool
    default: true
  default_ttl:
    description: Seconds that pages are kept which come without a Cache-Control of their own. By default what the set says.
    type: int
  nonce_life:
    description: Seconds that a WordPress nonce is valid at least. No page is kept longer, whatever its Cache-Control says.
    type: int
    default: 43200
  hsts_max_age:
    description:
      - Seconds of the header Strict-Transport-Security; 0 sends none. By default what the set says.
      - Use 0 for C(localhost), which browsers would otherwise insist on by HTTPS for every other server on the machine.
    type: int
"""

EXAMPLES = r"""
- name: Show the behaviors of a shop
  ansible.builtin.debug:
    msg: "{{ ('recommended' | wordpress_ha.aws.edge_set(name='shop', presets=['woocommerce'])).behaviors | map(attribute='path_pattern') }}"

- name: Show what a further behavior looks like
  ansible.builtin.debug:
    msg: >-
      {{ 'recommended' | wordpress_ha.aws.edge_set(name='blog', cookies=['my_currency'], media=false,
                                                   behaviors=[{'path_pattern': 'members/*', 'like': 'wp-admin/*'}]) }}
"""

RETURN = r"""
_value:
  description:
    - The set with C(cache_policies), C(origin_request_policies), C(response_headers_policies) and C(functions) (dicts of module options with
      C(name), by short name), C(default_behavior) and C(behaviors) (options of M(wordpress_ha.aws.cloudfront_distribution)).
    - Besides these C(custom_error_responses) for the distribution, and C(site_origin), what the set wants of the origin C(site).
  type: dict
"""
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import sets

VARS = Path(__file__).resolve().parents[2] / "roles" / "edge" / "vars"


def _loaded(value: Any, directory: str, key: str, what: str) -> Mapping[str, Any]:
    """Return a set or preset that is given as data or by its name in the role."""
    if isinstance(value, Mapping):
        return value.get(key, value)
    names = sorted(path.stem for path in (VARS / directory).glob("*.yml"))
    if not isinstance(value, str) or not re.fullmatch(r"[a-z0-9_]+", value) or value not in names:
        raise AnsibleFilterError(
            f"edge_set: {what} is {value!r}: there is none of this name. Use a dict or one of: {', '.join(names)}."
        )
    return yaml.safe_load((VARS / directory / f"{value}.yml").read_text(encoding="utf-8"))[key]


def _seconds(options: dict[str, Any], name: str) -> None:
    """Turn what a template made of a number back into one; nothing, or an empty text, is as if not given."""
    value = options.pop(name, None)
    if value is None or value == "":
        return
    try:
        options[name] = int(value)
    except (TypeError, ValueError):
        raise AnsibleFilterError(
            f"edge_set: {name} is {value!r}: it is no number of seconds. Use one, such as 600."
        ) from None


def edge_set(value: Any, name: str, presets: Any = (), **options: Any) -> dict[str, Any]:
    """Return a behavior set, expanded for one distribution."""
    source = _loaded(value, "behavior_sets", "__edge_set", "the behavior set")
    chosen = [
        _loaded(preset, "presets", "__edge_preset", f"presets[{index}]") for index, preset in enumerate(presets or ())
    ]
    for option in ("default_ttl", "nonce_life", "hsts_max_age"):
        _seconds(options, option)
    try:
        return sets.expand(source, name, presets=chosen, **options)
    except sets.Invalid as error:
        raise AnsibleFilterError(f"edge_set: {error}") from error


class FilterModule:
    """The collection's filters."""

    def filters(self) -> dict[str, Any]:
        return {"edge_set": edge_set}
