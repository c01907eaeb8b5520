#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudfront_origin_access_control
version_added: 0.1.0
short_description: Create, update and remove a CloudFront origin access control
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - An origin access control lets CloudFront sign what it asks of a bucket, so that the bucket answers nobody else.
    It stands in the place of the older origin access identity.
  - An update writes over the configuration as it is; when somebody else writes at the same time, it is read and planned anew,
    a few times at most.
  - No module did this so far.
options:
  name:
    description: Name of the origin access control, unique in the account.
  description:
    description: What it is for.
    type: str
  origin_type:
    description: What the origin is. V(s3) when new.
    type: str
    choices: [s3, mediastore, mediapackagev2, lambda]
  signing_behavior:
    description:
      - Whether requests are signed. V(always) when new.
      - V(no-override) leaves a header C(Authorization) of the viewer alone, which then has to satisfy the origin.
    type: str
    choices: [always, never, no-override]
  signing_protocol:
    description: How requests are signed. V(sigv4) when new.
    type: str
    choices: [sigv4]
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.cloudfront
"""

EXAMPLES = r"""
- name: Let CloudFront alone read the uploads
  wordpress_ha.aws.cloudfront_origin_access_control:
    name: blog-media
    description: Uploads of the blog
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
etag:
  description: Its version, which a later write has to name; null when there is none.
  type: str
  returned: always
settings:
  description: The options that would make it; null when there is none.
  type: dict
  returned: always
request:
  description: The exact parameters of the one writing call, in check mode as they would be sent; null when nothing is written.
  type: dict
  returned: always
actions:
  description: The changes made, or in check mode those that would be made.
  type: list
  elements: dict
  returned: always
  sample: [{action: update, resource: origin_access_control/blog-media, before: {description: Media}, after: {description: Uploads}}]
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import kinds


def main() -> None:
    module = AnsibleAWSModule(argument_spec=kinds.ACCESS_CONTROL_SPEC, supports_check_mode=True)
    _aws.main(module, kinds.OriginAccessControl)


if __name__ == "__main__":
    main()
