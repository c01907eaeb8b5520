#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudfront_policies
version_added: 0.1.0
short_description: Keep all policies, functions and access controls of a distribution
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Makes, changes and removes any number of cache policies, origin request policies, response headers policies, functions and origin
    access controls in one process, which for each of them would take a second. Lists of all of a kind are read once.
  - Each is described by the options of the module for its kind, without C(name), C(state) and C(lint_ignore). What is not given is left alone.
  - M(community.aws.cloudfront_response_headers_policy) keeps one policy of one kind, without a check mode. This module can be retired
    when upstream keeps all five kinds, and a run of many modules takes as little time as one.
options:
  cache_policies:
    description: Cache policies by name, with the options of M(wordpress_ha.aws.cloudfront_cache_policy).
    type: dict
    default: {}
  origin_request_policies:
    description: Origin request policies by name, with the options of M(wordpress_ha.aws.cloudfront_origin_request_policy).
    type: dict
    default: {}
  response_headers_policies:
    description: Response headers policies by name, with the options of M(wordpress_ha.aws.cloudfront_response_headers_policy).
    type: dict
    default: {}
  functions:
    description: Functions by name, with the options of M(wordpress_ha.aws.cloudfront_function).
    type: dict
    default: {}
  origin_access_controls:
    description: Origin access controls by name, with the options of M(wordpress_ha.aws.cloudfront_origin_access_control).
    type: dict
    default: {}
  lint_ignore:
    description: Rules of the lint whose findings are only warned of.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
"""

EXAMPLES = r"""
- name: Keep what the behaviors of a distribution refer to
  wordpress_ha.aws.cloudfront_policies:
    cache_policies:
      blog-pages:
        default_ttl: 600
        max_ttl: 3600
        cookies: {behavior: whitelist, names: [comment_*]}
    functions:
      blog-request:
        runtime: cloudfront-js-2.0
        code: "{{ lookup('ansible.builtin.file', 'request.js') }}"
    origin_access_controls:
      blog-media: {origin_type: s3, signing_behavior: always, signing_protocol: sigv4}

- name: Remove them
  wordpress_ha.aws.cloudfront_policies:
    cache_policies: {blog-pages: {}}
    functions: {blog-request: {}}
    origin_access_controls: {blog-media: {}}
    state: absent
"""

RETURN = r"""
cache_policies:
  description: Results by name, as M(wordpress_ha.aws.cloudfront_cache_policy) returns them. The same for each kind that was asked for.
  type: dict
  returned: with O(cache_policies)
  sample: {"blog-pages": {"id": "658327ea-f89d-4fab-a63d-7e88639e58f6", "name": "blog-pages"}}
origin_request_policies:
  description: Results by name.
  type: dict
  returned: with O(origin_request_policies)
response_headers_policies:
  description: Results by name.
  type: dict
  returned: with O(response_headers_policies)
functions:
  description: Results by name.
  type: dict
  returned: with O(functions)
origin_access_controls:
  description: Results by name.
  type: dict
  returned: with O(origin_access_controls)
actions:
  description: The changes made, or in check mode those that would be made.
  type: list
  elements: dict
  returned: always
  sample: [{action: update, resource: cache_policy/blog-pages, before: {default_ttl: 600}, after: {default_ttl: 3600}}]
"""

import functools
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws, _plan, _several
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import functions, kinds

#: Option: what each item is, and the options of its own module.
FAMILIES: dict[str, tuple[Any, dict[str, Any]]] = {
    "cache_policies": (kinds.CachePolicy, kinds.CACHE_SPEC),
    "origin_request_policies": (kinds.OriginRequestPolicy, kinds.ORIGIN_REQUEST_SPEC),
    "response_headers_policies": (kinds.ResponseHeadersPolicy, kinds.RESPONSE_HEADERS_SPEC),
    "functions": (functions.Function, kinds.FUNCTION_SPEC),
    "origin_access_controls": (kinds.OriginAccessControl, kinds.ACCESS_CONTROL_SPEC),
}
COMMON = ("name", "state", "lint_ignore")


class Policies(_several.Several):
    """All that is asked for, one family after the other."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        common = _several.Common()
        families: dict[str, Any] = {}
        rest = {"state": module.params["state"], "lint_ignore": module.params["lint_ignore"]}
        for option, (family, spec) in FAMILIES.items():
            own = {name: words for name, words in spec.items() if name not in COMMON}
            for name, item in _aws.checked_items(option, module.params[option], own).items():
                view = _several.View(module, {**rest, **item, "name": name}, common)
                families[f"{option}.{name}"] = functools.partial(family, view)
        super().__init__(module, families, common)

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        """Return the results without what was sent: a run that has nothing to do returns the same."""
        found = super().facts(tree)
        for results in found.values():
            for result in results.values():
                result.pop("request", None)
        return found


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **{option: {"type": "dict", "default": {}} for option in FAMILIES},
            "lint_ignore": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
        },
        supports_check_mode=True,
    )
    _aws.main(module, Policies)


if __name__ == "__main__":
    main()
