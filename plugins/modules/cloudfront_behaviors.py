#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudfront_behaviors
version_added: 0.1.0
short_description: Keep the ordered cache behaviors of a CloudFront distribution
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Owns the ordered list of behaviors of an existing distribution, whoever made it, or puts single behaviors in their place.
  - The configuration is read once and written at most once. Everything that is not asked for survives, also inside a behavior
    and also what this module does not know. When somebody else writes in between, it reads and plans anew, at most five times.
  - What even the installed botocore does not know cannot survive, so that a change of a distribution that uses it is refused,
    unless O(lint_ignore) has V(unknown-to-botocore).
  - M(community.aws.cloudfront_distribution) has no check mode, no diff and no functions or policies by name for behaviors.
options:
  distribution:
    description:
      - The distribution, by its id, ARN, one of its aliases, its domain name, or the name it was given by
        M(wordpress_ha.aws.cloudfront_distribution). The id and the ARN save a call.
    type: str
    required: true
  purge:
    description:
      - Whether O(behaviors) is the whole ordered list. Otherwise each behavior in it is changed where it is; one that is not
        there yet comes last, unless it says O(behaviors[].before) or O(behaviors[].after) which.
    type: bool
    default: true
  state:
    description:
      - V(present) makes the behaviors as described.
      - V(absent) removes the behaviors in O(behaviors), by their path patterns, and nothing else.
      - V(gathered) changes nothing and returns the same facts.
    type: str
    choices: [present, absent, gathered]
    default: present
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.distribution.behaviors
  - wordpress_ha.aws.distribution.change
"""

EXAMPLES = r"""
- name: Keep exactly these behaviors in this order
  wordpress_ha.aws.cloudfront_behaviors:
    distribution: blog.example.org
    default_behavior:
      cache_policy: blog-pages
      origin_request_policy: AllViewer
    behaviors:
      - path_pattern: wp-admin/*
        target_origin: site
        allowed_methods: [GET, HEAD, OPTIONS, PUT, POST, PATCH, DELETE]
        cache_policy: CachingDisabled
        origin_request_policy: AllViewer
      - path_pattern: wp-content/*
        target_origin: site
        compress: true
        cache_policy: CachingOptimized

- name: Put one behavior above another, on a distribution that somebody made by hand
  wordpress_ha.aws.cloudfront_behaviors:
    distribution: E1A2B3C4D5E6F7
    purge: false
    behaviors:
      - path_pattern: feed/*
        target_origin: site
        cache_policy: UseOriginCacheControlHeaders
        before: "*.php"

- name: See what removing a behavior would change
  wordpress_ha.aws.cloudfront_behaviors:
    distribution: E1A2B3C4D5E6F7
    behaviors:
      - path_pattern: feed/*
    state: absent
  check_mode: true
  diff: true
"""

RETURN = r"""
id:
  description: Id of the distribution, C((known after apply)) in check mode if there is none yet.
  returned: success
  type: str
etag:
  description: ETag of the configuration as it now is.
  returned: success
  type: str
default_behavior:
  description: The default behavior, in the shape of the option. Policies are ids.
  returned: success
  type: dict
behaviors:
  description: The behaviors in their order, in the shape of the option. Policies are ids.
  returned: success
  type: list
  elements: dict
  sample:
    - path_pattern: wp-admin/*
      target_origin: site
      cache_policy: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad
request:
  description:
    - The parameters of C(UpdateDistribution) as they were, or in check mode would be, sent, in the shape of botocore. The values
      of the origins' custom headers are masked. Null if there was nothing to write.
  returned: success
  type: dict
actions:
  description: What was or would be done, in order; every item has C(action), C(resource), C(before) and C(after).
  returned: success
  type: list
  elements: dict
  sample:
    - action: update
      resource: behavior/wp-admin/*
      before: {compress: false}
      after: {compress: true}
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _plan
from ansible_collections.wordpress_ha.aws.plugins.module_utils._aws import main as run
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import api, current, edit, model


class Behaviors(edit.Distributed):
    """The default behavior and the ordered list; the rest of the distribution is carried along."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.label = self.params["distribution"]
        self.given = {option: self.params[option] for option in ("default_behavior", "behaviors")}
        if self.params["state"] == "absent":
            if self.given["default_behavior"] is not None:
                raise _plan.Refused(
                    "default_behavior is set with state absent: a distribution always has one. Leave it out."
                )
            if not self.given["behaviors"]:
                raise _plan.Refused("behaviors is empty with state absent: name the path patterns to remove.")
        self.removed = [entry["path_pattern"] for entry in self.given["behaviors"] or []]

    def read(self) -> _plan.Tree:
        given = self.params["distribution"]
        if _plan.is_known(given):
            self.id = api.identified(self.api, self.tagging, given)
            if self.id is not None and self.fetch():
                return current.tree(self.config, self.label)
            if not self.module.check_mode:
                raise _plan.Refused(
                    f"distribution is {given!r}: the account has none with this id, ARN, alias or name. Create it first with "
                    "wordpress_ha.aws.cloudfront_distribution, or look for its id with wordpress_ha.aws.cloudfront_distribution_info."
                )
            self.module.warn(f"distribution is {given!r}: the account has none with this id, ARN, alias or name yet.")
        self.id = None
        return {}

    def fetch(self) -> bool:
        found = api.read_config(self.api, str(self.id))
        if found is None:
            return False
        self.config, self.etag = found["DistributionConfig"], found["ETag"]
        self.strange = found.get(api.STRANGE, [])
        self.after = self.config
        return True

    def changes(self, tree: _plan.Tree) -> list[_plan.Change]:
        state = self.params["state"]
        if state == "gathered":
            return []
        if state == "present":
            self.wanted = self.wish(self.given)
        if self.id is None:
            return self.unread(self.wanted) if state == "present" else []
        return self.changes_of(self.planned())

    def planned(self) -> edit.Plan:
        if self.params["state"] == "absent":
            options: dict[str, Any] = {"purge": False, "removed": self.removed}
        else:
            options = {"purge": self.params["purge"]}
        return edit.planned(self.config, self.wanted, self.label, **options)

    def apply(self, tree: _plan.Tree, changes: list[_plan.Change]) -> tuple[_plan.Tree, list[_plan.Change]]:
        return tree, self.update(changes)

    def facts(self, _tree: _plan.Tree) -> dict[str, Any]:
        shape = current.options(self.after, model.DISTRIBUTION) if self.after else {}
        return {
            "id": self.id or _plan.UNKNOWN,
            "default_behavior": shape.get("default_behavior"),
            "behaviors": shape.get("behaviors"),
            **self.shown(),
        }


def main() -> None:
    neighbours = {"before": {"type": "str"}, "after": {"type": "str"}}
    module = AnsibleAWSModule(
        argument_spec={
            "distribution": {"type": "str", "required": True},
            "default_behavior": {"type": "dict", "options": model.argument_spec(model.BEHAVIOR, strict=False)},
            "behaviors": {
                "type": "list",
                "elements": "dict",
                "options": {**model.argument_spec(model.PATH_BEHAVIOR), **neighbours},
            },
            "purge": {"type": "bool", "default": True},
            **edit.FRAME_SPEC,
        },
        required_if=[("state", "absent", ["behaviors"])],
        supports_check_mode=True,
    )
    run(module, Behaviors)


if __name__ == "__main__":
    main()
