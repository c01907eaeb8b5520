#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudfront_invalidation
version_added: 0.1.0
short_description: Make CloudFront forget paths, with one call
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Makes a distribution forget what it keeps under some paths. All paths go into one call, each once; those that a wildcard covers
    are left out, and where there are too many, whole directories are named instead.
  - Nothing of the past is read, however many invalidations there were (P35). The caller reference follows from distribution, paths
    and O(salt), so that CloudFront itself tells a repetition; a run that is repeated, or killed and repeated, invalidates once.
  - M(community.aws.cloudfront_invalidation) reads every earlier invalidation first, has no check mode and sends paths as given.
options:
  distribution:
    description:
      - The distribution, by its id, ARN, one of its aliases, its domain name, or the name it was given by
        M(wordpress_ha.aws.cloudfront_distribution). The id and the ARN save a call.
    type: str
    required: true
  paths:
    description:
      - Paths from the root of the site, such as C(/about/), with their query string where that is in the cache key. An asterisk at
        the end stands for any rest. With an empty list nothing is done.
      - A missing slash at the beginning is added, and what is not printable ASCII is percent-encoded.
    type: list
    elements: str
    required: true
  most_paths:
    description:
      - How many paths to send at most. Above that, the fullest of the deepest directories become one wildcard each, in the end
        V(/*). AWS charges by path, a wildcard counting as one.
      - AWS takes at most 15 wildcards at a time; directories become wildcards above that as well.
    type: int
    default: 100
  salt:
    description:
      - What distinguishes this invalidation from earlier ones of the same paths, such as a release, a digest or a date.
        Without it, the same paths are invalidated once and never again.
    type: str
  caller_reference:
    description: The name of the invalidation at CloudFront, instead of the one that follows from distribution, paths and salt.
    type: str
  wait:
    description: Whether to wait until all edges have forgotten, which takes some minutes.
    type: bool
    default: false
  wait_timeout:
    description: How many seconds to wait at most.
    type: int
    default: 900
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    description: Returns the exact call that a real run would make.
    support: full
    details:
      - Whether CloudFront knows the caller reference already only the call itself can tell, so that check mode always
        predicts a change when there are paths.
  diff_mode:
    description: Returns the paths that are sent.
    support: full
"""

EXAMPLES = r"""
- name: Forget the theme's files after a release
  wordpress_ha.aws.cloudfront_invalidation:
    distribution: blog.example.org
    paths:
      - /wp-content/themes/*
      - /
    salt: release-2026-11-22

- name: Forget everything, whatever was forgotten before, and wait
  wordpress_ha.aws.cloudfront_invalidation:
    distribution: E1A2B3C4D5E6F7
    paths: ["/*"]
    salt: "{{ now(utc=true, fmt='%s') }}"
    wait: true
"""

RETURN = r"""
id:
  description: Id of the invalidation; null when there was nothing to do.
  type: str
  returned: always
distribution_id:
  description: Id of the distribution; null when there was nothing to do.
  type: str
  returned: always
status:
  description: Its status, in AWS's words.
  type: str
  returned: always
  sample: InProgress
paths:
  description: The paths as sent.
  type: list
  elements: str
  returned: always
caller_reference:
  description: The caller reference as sent.
  type: str
  returned: always
request:
  description: The exact parameters of the one writing call, in check mode as they would be sent; null when there was nothing to do.
  type: dict
  returned: always
actions:
  description: What was or would be done; empty when CloudFront had been asked the same before.
  type: list
  elements: dict
  returned: always
  sample: [{action: create, resource: invalidation/E1A2B3C4D5E6F7, before: {}, after: {paths: [/about/]}}]
"""

import time
from email.utils import parsedate_to_datetime
from typing import Any

try:
    import botocore
except ImportError:  # AnsibleAWSModule reports the missing library
    pass

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws, _plan, _retries
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import api, invalidations, named

UNUSABLE = {
    "TooManyInvalidationsInProgress": (
        "There are too many invalidations of {id} in progress. Wait for them, or lower most_paths."
    ),
    "InvalidArgument": "CloudFront takes no such invalidation of {id}; a caller reference cannot be used for other paths.",
    "NoSuchDistribution": "distribution is {given!r}: there is no distribution {id}. Name one that exists.",
}


class Invalidation(_aws.Planned):
    """One invalidation. Nothing can be read to compare it with, so that it is asked for, and the answer says what it was."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        if not module.check_mode and not _plan.is_known(self.params):
            raise _plan.Refused(
                f"A parameter reads {_plan.UNKNOWN!r}: that stands for an identifier in check mode only."
            )
        self.api = self.client("cloudfront", region=named.REGION)
        self.paths = self._paths()
        self.distribution = self._distribution() if self.paths else ""
        self.request = self._request() if self.paths else None

    def _paths(self) -> list[str]:
        most = self.params["most_paths"]
        if not 1 <= most <= invalidations.MOST_PATHS:
            raise _plan.Refused(
                f"most_paths is {most}: CloudFront takes 1 to {invalidations.MOST_PATHS} paths at a time."
            )
        normalised = []
        for index, path in enumerate(self.params["paths"]):
            try:
                normalised.append(invalidations.normalised(path))
            except invalidations.Invalid as error:
                raise _plan.Refused(f"paths[{index}] {error}") from error
        return invalidations.collapsed(normalised, most)

    def _distribution(self) -> str:
        given = self.params["distribution"]
        if not _plan.is_known(given):
            return _plan.UNKNOWN
        found = api.identified(self.api, lambda: self.client("resourcegroupstaggingapi", region=named.REGION), given)
        if found is None and not self.module.check_mode:
            raise _plan.Refused(f"distribution is {given!r}: no distribution answers to it. Name one that exists.")
        return found or _plan.UNKNOWN

    def _request(self) -> dict[str, Any]:
        reference = self.params["caller_reference"]
        if not reference:
            known = _plan.is_known([self.distribution, self.params["salt"] or ""])
            salt = self.params["salt"] or ""
            reference = invalidations.caller_reference(self.distribution, self.paths, salt) if known else _plan.UNKNOWN
        return {
            "DistributionId": self.distribution,
            "InvalidationBatch": invalidations.batch(self.paths, reference),
        }

    def send(self) -> tuple[bool, dict[str, Any]]:
        """Ask for the invalidation; return whether it is a new one, and what it is.

        CloudFront answers a known caller reference with the earlier invalidation, which only its age gives away: it was made
        before this call began, by the clock of the answer, which counts whole seconds.
        """
        started = time.monotonic()
        try:
            answer = _retries.until_answered(self.api.create_invalidation, **(self.request or {}))
        except is_boto3_error_code(list(UNUSABLE)) as error:
            text = UNUSABLE[error.response["Error"]["Code"]]
            message = text.format(id=self.distribution, given=self.params["distribution"])
            raise _plan.Refused(f"{message} AWS says: {error.response['Error']['Message']}") from error
        took = time.monotonic() - started
        answered = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        age = (answered - answer["Invalidation"]["CreateTime"]).total_seconds()
        return age <= took + 1, answer["Invalidation"]

    def wait(self, found: dict[str, Any]) -> dict[str, Any]:
        """Wait until the invalidation is completed; every look is written to the system's log."""
        looks = [found]

        def completed() -> bool:
            if looks[-1]["Status"] == "Completed":
                return True
            answer = self.api.get_invalidation(DistributionId=self.distribution, Id=found["Id"], aws_retry=True)
            looks.append(answer["Invalidation"])
            self.module.log(f"Invalidation {found['Id']} is {looks[-1]['Status']} (look {len(looks)})")
            return looks[-1]["Status"] == "Completed"

        what = f"the invalidation {found['Id']} of {self.distribution} to be completed"
        _aws.wait_for(self.module, what, completed, self.params["wait_timeout"], delay=10)
        return looks[-1]

    def result(self, changed: bool, found: dict[str, Any]) -> dict[str, Any]:
        after = {"paths": self.paths}
        changes = [_plan.Change(_plan.CREATE, f"invalidation/{self.distribution}", {}, after)] if changed else []
        batch = (self.request or {}).get("InvalidationBatch") or {"CallerReference": None}
        return {
            "changed": changed,
            "diff": _plan.diff(changes),
            "actions": [change.summary() for change in changes],
            "id": found.get("Id"),
            "status": found.get("Status"),
            "distribution_id": self.distribution or None,
            "paths": self.paths,
            "caller_reference": batch["CallerReference"],
            "request": self.request,
        }


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Do what the parameters say and return the result."""
    invalidation = Invalidation(module)
    if not invalidation.paths:
        return invalidation.result(False, {})
    if module.check_mode:
        return invalidation.result(True, {"Id": _plan.UNKNOWN, "Status": _plan.UNKNOWN})
    changed, found = invalidation.send()
    return invalidation.result(changed, invalidation.wait(found) if module.params["wait"] else found)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "distribution": {"type": "str", "required": True},
            "paths": {"type": "list", "elements": "str", "required": True},
            "most_paths": {"type": "int", "default": 100},
            "salt": {"type": "str"},
            "caller_reference": {"type": "str"},
            "wait": {"type": "bool", "default": False},
            "wait_timeout": {"type": "int", "default": 900},
        },
        mutually_exclusive=[("salt", "caller_reference")],
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except _plan.Refused as error:
        module.fail_json(msg=str(error))
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        module.fail_json_aws(error, msg="cloudfront_invalidation: AWS refused or did not answer")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
