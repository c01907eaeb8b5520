#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: s3_bucket_statements
version_added: 0.1.0
short_description: Keep single statements of a bucket's policy, and leave the others alone
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Owns statements of the policy of an existing bucket, each known by its C(Sid). Every other statement survives, whoever wrote it.
  - A policy that lets everybody in, or that a later reader may take for one that does not, is refused before anything is written.
  - M(amazon.aws.s3_bucket) takes the whole policy and replaces it, and has no check mode. This module can be retired once upstream
    merges statements.
options:
  bucket:
    description: Name of the bucket.
    type: str
    required: true
  statements:
    description: The statements by C(Sid), each as in IAM's grammar, without C(Sid). For O(state=absent) only the names count.
    type: dict
    required: true
  bucket_planned:
    description: Whether another task of the same play makes the bucket, so that it may be missing in check mode.
    type: bool
    default: false
  lint_ignore:
    description:
      - Rules of the lint whose findings are only warned of, by the names in its messages.
      - A statement that lets everybody in is refused all the same.
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
- name: Let a distribution read the bucket
  wordpress_ha.aws.s3_bucket_statements:
    bucket: blog-media
    statements:
      BlogEdge:
        Effect: Allow
        Principal: {Service: cloudfront.amazonaws.com}
        Action: s3:GetObject
        Resource: arn:aws:s3:::blog-media/*
        Condition:
          StringEquals:
            AWS:SourceArn: arn:aws:cloudfront::123456789012:distribution/E1EXAMPLE
"""

RETURN = r"""
bucket:
  description: Name of the bucket.
  returned: success
  type: str
statements:
  description: The statements of O(statements) that the policy has, by C(Sid).
  returned: success
  type: dict
sids:
  description: The C(Sid) of all statements of the policy, in order; those without one are left out.
  returned: success
  type: list
  elements: str
actions:
  description: What was or would be done, in order; every item has C(action), C(resource), C(before) and C(after).
  returned: success
  type: list
  elements: dict
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws, _bucket, _plan
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import lint, named

SID = re.compile(r"[A-Za-z0-9]+")


class Statements(_aws.Planned):
    """``statement/<Sid>`` for each of the statements that are named; the rest of the policy is carried along."""

    order = ("statement",)

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.bucket = self.params["bucket"]
        self.wanted: dict[str, dict[str, Any]] = self.params["statements"]
        for sid, statement in self.wanted.items():
            if not SID.fullmatch(sid):
                raise _plan.Refused(f"statements has the Sid {sid!r}: AWS takes letters and digits only.")
            if self.params["state"] == "present" and not isinstance(statement, Mapping):
                raise _plan.Refused(
                    f"statements.{sid} is {statement!r}: give a dictionary with Effect, Principal, Action ..."
                )
        self.api = self.client("s3")
        self.policy = _bucket.parsed(None)

    def read(self) -> _plan.Tree:
        try:
            text = self.api.get_bucket_policy(Bucket=self.bucket, aws_retry=True)["Policy"]
        except is_boto3_error_code("NoSuchBucketPolicy"):
            text = None
        except is_boto3_error_code("NoSuchBucket") as error:
            planned = self.params["bucket_planned"] and self.module.check_mode
            if planned or self.params["state"] == "absent":
                return {}
            raise _plan.Refused(f"bucket is {self.bucket!r}: there is no such bucket. Make it first.") from error
        self.policy = _bucket.parsed(text)
        return {f"statement/{sid}": {"statement": now} for sid, now in self._ours().items()}

    def _ours(self) -> dict[str, dict[str, Any]]:
        return _bucket.named(self.policy, self.wanted)

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        ours = self._ours()
        tree = {}
        for sid, statement in self.wanted.items():
            tree[f"statement/{sid}"] = {"statement": _bucket.kept(ours.get(sid), dict(statement))}
        self._refuse_harmful(self._merged(self.wanted))
        return tree

    def _merged(self, ours: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Return the policy with our statements in their places, new ones last."""
        return _bucket.merged(self.policy, ours, self.wanted)

    def _refuse_harmful(self, policy: dict[str, Any]) -> None:
        named.findings(
            self.module,
            lint.bucket_policy(policy),
            self.params["lint_ignore"],
            lambda path: _bucket.place(self.bucket, policy, path),
        )

    def handlers(self) -> dict[str, _plan.Handler]:
        return {f"{action} statement": self._write for action in (_plan.CREATE, _plan.UPDATE, _plan.DELETE)}

    def _write(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        ours = self._ours()
        if change.action == _plan.DELETE:
            del ours[change.name]
        else:
            ours[change.name] = change.after["statement"]
        self.policy = self._merged(ours)
        if self.policy["Statement"]:
            self.api.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(self.policy), aws_retry=True)
        else:
            self.api.delete_bucket_policy(Bucket=self.bucket, aws_retry=True)
        return {}

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        ours = {_plan.name_of(key): fields["statement"] for key, fields in sorted(tree.items())}
        return {
            "bucket": self.bucket,
            "statements": ours,
            "sids": [one["Sid"] for one in self._merged(ours)["Statement"] if one.get("Sid")],
        }


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "bucket": {"type": "str", "required": True},
            "statements": {"type": "dict", "required": True},
            "bucket_planned": {"type": "bool", "default": False},
            "lint_ignore": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
        },
        supports_check_mode=True,
    )
    _aws.main(module, Statements)


if __name__ == "__main__":
    main()
