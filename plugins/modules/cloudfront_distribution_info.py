#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudfront_distribution_info
version_added: 0.1.0
short_description: Look at CloudFront distributions
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Returns distributions in the shape of the options of M(wordpress_ha.aws.cloudfront_distribution), so that one made by hand
    can be written down as a task, and whole as AWS holds them.
options:
  distribution:
    description:
      - One distribution, by its id, ARN, one of its aliases, its domain name, or the name it was given by
        M(wordpress_ha.aws.cloudfront_distribution). If not set, all distributions of the account are returned.
    type: str
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    description: Changes nothing.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: N/A
"""

EXAMPLES = r"""
- name: Look at the distribution behind a site's name
  wordpress_ha.aws.cloudfront_distribution_info:
    distribution: blog.example.org
  register: found

- name: Show its behaviors in the order of their precedence
  ansible.builtin.debug:
    msg: "{{ found.distributions | map(attribute='behaviors') | flatten | map(attribute='path_pattern') }}"
"""

RETURN = r"""
distributions:
  description:
    - The distributions, by id; empty if the one that was asked for does not exist. Beside the keys below, each has every option of
      M(wordpress_ha.aws.cloudfront_distribution) that describes a distribution. Policies and the like are ids.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Id of the distribution.
      type: str
      sample: E1A2B3C4D5E6F7
    arn:
      description: ARN of the distribution.
      type: str
    name:
      description: The name in the tag C(wordpress_ha:distribution), null if it has none.
      type: str
    domain_name:
      description: The distribution's own domain name.
      type: str
    hosted_zone_id:
      description: The hosted zone that alias records to any distribution name.
      type: str
      sample: Z2FDTNDATAQYW2
    status:
      description: C(Deployed) when the latest change is at every edge, else C(InProgress).
      type: str
    etag:
      description: ETag of the configuration.
      type: str
    tags:
      description: The tags.
      type: dict
    origins:
      description: The origins, in the shape of the option. Values of custom headers are masked.
      type: list
      elements: dict
    default_behavior:
      description: The default behavior, in the shape of the option.
      type: dict
    behaviors:
      description: The behaviors in the order of their precedence, in the shape of the option.
      type: list
      elements: dict
    config:
      description: The configuration as AWS holds it, with what this collection has no options for. Values of custom headers are masked.
      type: dict
"""

from typing import Any

try:
    import botocore
except ImportError:  # AnsibleAWSModule reports the missing library
    pass

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws, _plan
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import api, current


class Look(_aws.Planned):
    """Reads, and nothing else."""

    def distributions(self) -> list[dict[str, Any]]:
        """Return what was asked for, with two calls for each distribution."""
        client = self.client("cloudfront", region=api.REGION)
        given = self.params["distribution"]
        if given is None:
            ids = [summary["Id"] for summary in api.pages(client.list_distributions, "DistributionList")]
        elif not _plan.is_known(given):
            ids = []
        else:
            identifier = api.identified(client, self._tagging, given)
            ids = [identifier] if identifier else []
        found = [api.read(client, identifier) for identifier in sorted(ids)]
        return [self._described(client, one) for one in found if one is not None]

    def _tagging(self) -> Any:
        return self.client("resourcegroupstaggingapi", region=api.REGION)

    def _described(self, client: Any, found: dict[str, Any]) -> dict[str, Any]:
        one = found["Distribution"]
        tags = api.tags(client, one["ARN"])
        return {
            **current.options(one["DistributionConfig"]),
            "id": one["Id"],
            "arn": one["ARN"],
            "name": tags.get(api.NAME_TAG),
            "domain_name": one["DomainName"],
            "hosted_zone_id": api.HOSTED_ZONE,
            "status": one["Status"],
            "etag": found["ETag"],
            "tags": tags,
            "config": current.masked_wire(one["DistributionConfig"]),
        }


def main() -> None:
    module = AnsibleAWSModule(argument_spec={"distribution": {"type": "str"}}, supports_check_mode=True)
    try:
        found = Look(module).distributions()
    except _plan.Refused as error:
        module.fail_json(msg=str(error))
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        module.fail_json_aws(error, msg="cloudfront_distribution_info: AWS refused or did not answer")
    module.exit_json(changed=False, distributions=found)


if __name__ == "__main__":
    main()
