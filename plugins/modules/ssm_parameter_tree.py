#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ssm_parameter_tree
version_added: 0.1.0
short_description: Keep a whole tree of SSM parameters
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Owns all String parameters under one path. The tree is read with one paginated call, and only what differs is written.
  - M(amazon.aws.ssm_parameter) handles one parameter per task (about a second each) and cannot remove what is no longer given.
    This module can be retired once upstream takes a tree.
options:
  path:
    description: The path all parameters are under, such as C(/wordpress_ha/blog).
    type: str
    required: true
  parameters:
    description:
      - The parameters by their name below O(path), such as C(database/host). Required unless O(state) says otherwise.
      - Values are text; numbers and booleans are converted, the latter to C(true) and C(false). SSM has no empty values.
      - Parameters are readable by everybody who may read the path. Keep secrets in Secrets Manager and refer to them here.
    type: dict
  purge:
    description: Whether to remove parameters under O(path) that are not in O(parameters).
    type: bool
    default: false
  tags:
    description: Tags of parameters that this module creates. The API cannot read them back with the tree, so they are not updated.
    type: dict
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
"""

EXAMPLES = r"""
- name: Publish where the nodes find everything
  wordpress_ha.aws.ssm_parameter_tree:
    path: /wordpress_ha/blog
    parameters:
      site/url: https://blog.example.org
      database/host: "{{ database_result.endpoint }}"
      database/port: 3306
    purge: true
    tags:
      "wordpress_ha:stack": blog
"""

RETURN = r"""
path:
  description: The path, without a slash at the end.
  returned: success
  type: str
parameters:
  description: All String parameters under the path, by their name below it.
  returned: success
  type: dict
actions:
  description: What was or would be done, in order; every item has C(action), C(resource), C(before) and C(after).
  returned: success
  type: list
  elements: dict
"""

import re
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws, _plan

PATH = re.compile(r"(/[A-Za-z0-9_.-]+)+")
LEAF = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")
DEEPEST = 15  # levels, counted from the root
LONGEST = 4096  # bytes of a value in SSM's standard tier


class ParameterTree(_aws.Planned):
    """``parameter/<leaf>`` for every parameter under the path."""

    order = ("parameter",)
    immutable = {"parameter": ("type",)}

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.path = self.params["path"].rstrip("/")
        if not PATH.fullmatch(self.path) or re.match(r"/(aws|ssm)", self.path, re.IGNORECASE):
            raise _plan.Refused(
                f"path is {self.params['path']!r}: give an absolute path of letters, digits and _.-/ "
                "that does not begin with aws or ssm, such as /wordpress_ha/blog."
            )
        # An explicit null passes required_if, and with purge it would mean "remove all".
        if self.params["parameters"] is None and self.params["state"] == "present":
            raise _plan.Refused(
                "parameters is null: give a dictionary. An empty one with purge removes the whole tree."
            )
        self.wanted = {leaf: self._text(leaf, value) for leaf, value in (self.params["parameters"] or {}).items()}
        if self.params["purge"]:
            self.purge = self.order
        self.api = self.client("ssm")

    def _text(self, leaf: str, value: Any) -> str:
        if not LEAF.fullmatch(leaf) or f"{self.path}/{leaf}".count("/") > DEEPEST:
            raise _plan.Refused(
                f"parameters has the name {leaf!r}: use letters, digits and _.- with single slashes between, "
                f"{DEEPEST} levels at most with the path."
            )
        if isinstance(value, (dict, list)):
            raise _plan.Refused(f"parameters.{leaf} is {value!r}: give text, for a list for example joined by commas.")
        text = str(value).lower() if isinstance(value, bool) else str("" if value is None else value)
        if not text:
            raise _plan.Refused(
                f"parameters.{leaf} is empty, which SSM does not allow: leave it out, or write a word such as none."
            )
        if len(text.encode()) > LONGEST:
            raise _plan.Refused(
                f"parameters.{leaf} has {len(text.encode())} bytes: SSM's standard tier holds {LONGEST}."
            )
        return text

    def read(self) -> _plan.Tree:
        tree: _plan.Tree = {}
        page: dict[str, Any] = {}
        while page.get("NextToken", not page):
            token = {"NextToken": page["NextToken"]} if page else {}
            page = self.api.get_parameters_by_path(Path=self.path, Recursive=True, aws_retry=True, **token)
            for found in page["Parameters"]:
                # A SecureString stays encrypted and is not ours: it is neither shown nor removed, only refused as a target.
                leaf = found["Name"].removeprefix(f"{self.path}/")
                if found["Type"] == "String" or leaf in self.wanted:
                    tree[f"parameter/{leaf}"] = {"type": found["Type"], "value": found["Value"]}
        return tree

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        return {f"parameter/{leaf}": {"type": "String", "value": text} for leaf, text in self.wanted.items()}

    def handlers(self) -> dict[str, _plan.Handler]:
        return {"create parameter": self._create, "update parameter": self._update, "delete parameter": self._delete}

    def _create(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        tags = {"Tags": _aws.tags_to_list(self.params["tags"])} if self.params["tags"] else {}
        self._put(change, Overwrite=False, **tags)
        return {}

    def _update(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self._put(change, Overwrite=True)
        return {}

    def _put(self, change: _plan.Change, **options: Any) -> None:
        name = f"{self.path}/{change.name}"
        self.api.put_parameter(Name=name, Value=change.after["value"], Type="String", aws_retry=True, **options)

    def _delete(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        # The plural form succeeds for a parameter that is already gone.
        self.api.delete_parameters(Names=[f"{self.path}/{change.name}"], aws_retry=True)
        return {}

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        values = {_plan.name_of(key): fields["value"] for key, fields in sorted(tree.items())}
        return {"path": self.path, "parameters": values}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "path": {"type": "str", "required": True},
            "parameters": {"type": "dict"},
            "purge": {"type": "bool", "default": False},
            "tags": {"type": "dict"},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
        },
        required_if=[("state", "present", ["parameters"])],
        supports_check_mode=True,
    )
    _aws.main(module, ParameterTree)


if __name__ == "__main__":
    main()
