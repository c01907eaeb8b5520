# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: given
author:
  - The wordpress_ha.aws project (@wordpress-ha)
version_added: 0.1.0
short_description: Leave out what is not set
description:
  - Returns a value without the keys of dicts that are null, at any depth, so that whoever takes it uses its own defaults.
positional: _input
options:
  _input:
    description: A dict, a list of dicts or anything else.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Show what a schedule sets
  ansible.builtin.debug:
    msg: "{{ {'recurrence': '0 7 * * *', 'min': 4, 'max': none} | wordpress_ha.aws.given }}"
"""

RETURN = r"""
_value:
  description: The same without the keys that are null.
  type: raw
"""
from collections.abc import Mapping
from typing import Any


def given(value: Any) -> Any:
    """Return a value without the null keys of its dicts, at any depth."""
    if isinstance(value, Mapping):
        return {key: given(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [given(item) for item in value]
    return value


class FilterModule:
    """The collection's filters."""

    def filters(self) -> dict[str, Any]:
        return {"given": given}
