#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudfront_vpc_origin
version_added: 0.1.0
short_description: Create, update and remove a CloudFront VPC origin
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - A VPC origin lets CloudFront reach a load balancer or an instance in a private subnet, so that nobody else can come past
    the edge.
  - An update writes over the configuration as it is, so that parts which have no option here survive.
    When somebody else writes at the same time, it is read and planned anew, a few times at most.
  - No module did this so far.
options:
  name:
    description: Name of the VPC origin, unique in the account.
  endpoint_arn:
    description: ARN of the load balancer or instance. A new VPC origin needs it.
    type: str
    aliases: [arn]
  http_port:
    description: Port on which it answers HTTP. V(80) when new.
    type: int
  https_port:
    description: Port on which it answers HTTPS. V(443) when new.
    type: int
  protocol_policy:
    description: What CloudFront speaks with it. V(https-only) when new.
    type: str
    choices: [http-only, https-only, match-viewer]
  ssl_protocols:
    description: Versions of TLS that CloudFront speaks with it, in any order; the list replaces what there is. V([TLSv1.2]) when new.
    type: list
    elements: str
    choices: [SSLv3, TLSv1, TLSv1.1, TLSv1.2]
  wait:
    description: Whether to wait until it is deployed, which takes some minutes.
    type: bool
    default: true
notes:
  - AWS does not change a VPC origin while a distribution uses it; the message names which and where.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.cloudfront
  - wordpress_ha.aws.plan.tags
  - wordpress_ha.aws.plan.wait
"""

EXAMPLES = r"""
- name: Let the edge reach a balancer that has no public address
  wordpress_ha.aws.cloudfront_vpc_origin:
    name: blog
    endpoint_arn: "{{ load_balancer_result.arn }}"
    tags:
      "wordpress_ha:stack": blog
    wait_timeout: 1200
"""

RETURN = r"""
name:
  description: The name as given.
  type: str
  returned: always
id:
  description: The id, by which an origin refers to it; null when there is none.
  type: str
  returned: always
arn:
  description: ARN of the VPC origin itself; null when there is none.
  type: str
  returned: always
etag:
  description: Its version, which a later write has to name; null when there is none.
  type: str
  returned: always
status:
  description: Its status, in AWS's words; V(Deployed) once it can be used.
  type: str
  returned: always
settings:
  description: The options that would make it, and its tags; null when there is none.
  type: dict
  returned: always
request:
  description: The exact parameters of the one call that writes its configuration, in check mode as they would be sent; null if there is none.
  type: dict
  returned: always
actions:
  description: The changes made, or in check mode those that would be made.
  type: list
  elements: dict
  returned: always
  sample: [{action: update, resource: vpc_origin/blog, before: {http_port: 80}, after: {http_port: 8080}}]
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws, _owned, _plan
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import named, policies

PROTOCOLS = ["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2"]


class VpcOrigin(named.Named):
    """The VPC origin, which has tags besides, and takes its time."""

    kind = policies.VPC_ORIGIN

    def read(self) -> _plan.Tree:
        tree = super().read()
        if tree:
            answer = self.api.list_tags_for_resource(Resource=self.answer["Arn"], aws_retry=True)
            tags = _aws.tags_to_dict(answer["Tags"].get("Items"))
            _owned.refuse_foreign(f"The {self.what}", tags, self.params["tags"], self.params["state"] == "absent")
            tree[self.key]["tags"] = tags
        return tree

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        tree = super().desired(current)
        now = current.get(self.key, {"tags": {}})["tags"]
        tags = _aws.merged_tags(now, self._given_tags(), self.params["purge_tags"])
        tree[self.key]["tags"] = now if tags is None else tags
        return tree

    def _given_tags(self) -> dict[str, str] | None:
        given = self.params["tags"]
        return None if given is None else {key: str(value) for key, value in given.items()}

    def further(self) -> dict[str, Any]:
        tags = self._given_tags()
        return {"Tags": {"Items": _aws.tags_to_list(tags)}} if tags else {}

    def _create(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        return {"tags": {}, **change.after, **super()._create(change, tree)}

    def _update(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        fields = super()._update(change, tree)
        if change.action == _plan.UPDATE and "tags" in change.after:
            added, removed = _owned.tag_changes(change.before["tags"], change.after["tags"])
            if added:
                self.api.tag_resource(
                    Resource=self.answer["Arn"], Tags={"Items": _aws.tags_to_list(added)}, aws_retry=True
                )
            if removed:
                self.api.untag_resource(Resource=self.answer["Arn"], TagKeys={"Items": removed}, aws_retry=True)
        return fields

    def settle(self, tree: _plan.Tree) -> _plan.Tree:
        if self.params["wait"]:

            def deployed() -> bool:
                return self.answer["Status"] == "Deployed" or (self._fetch() and self.answer["Status"] == "Deployed")

            what = f"the {self.what} to be deployed"
            _aws.wait_for(self.module, what, deployed, self.params["wait_timeout"], delay=10)
        return tree

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        unknown = _plan.UNKNOWN if self.key in tree else None
        answer = self.answer if self.key in tree else {}
        return {**super().facts(tree), "arn": answer.get("Arn", unknown), "status": answer.get("Status", unknown)}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **named.SPEC,
            "endpoint_arn": {"type": "str", "aliases": ["arn"]},
            "http_port": {"type": "int"},
            "https_port": {"type": "int"},
            "protocol_policy": {"type": "str", "choices": ["http-only", "https-only", "match-viewer"]},
            "ssl_protocols": {"type": "list", "elements": "str", "choices": PROTOCOLS},
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 600},
        },
        supports_check_mode=True,
    )
    _aws.main(module, VpcOrigin)


if __name__ == "__main__":
    main()
