#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudfront_function
version_added: 0.1.0
short_description: Create, update, publish and remove a CloudFront function
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Writes a function's code to its stage C(DEVELOPMENT) and publishes it to C(LIVE), each only when it differs.
    A run that was interrupted between the two is gone on with.
  - What CloudFront would refuse, such as code of more than 10 KB, is refused before anything is written.
  - When somebody else writes at the same time, the function is read and planned anew, a few times at most.
  - No module did this so far.
options:
  name:
    description: Name of the function, unique in the account. Letters, digits, C(-) and C(_), 64 at most.
  code:
    description: The code. A new function needs it.
    type: str
  runtime:
    description: What runs it. V(cloudfront-js-2.0) for a new function.
    type: str
    choices: [cloudfront-js-1.0, cloudfront-js-2.0]
  key_value_stores:
    description: ARNs of the key value stores that the code may read, in any order; the list replaces what there is.
    type: list
    elements: str
  publish:
    description: Whether to publish to C(LIVE), which is what visitors get. Otherwise what is there stays.
    type: bool
    default: true
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.cloudfront
  - wordpress_ha.aws.cloudfront.linted
"""

EXAMPLES = r"""
- name: Keep one copy of a page, however many slashes somebody typed
  wordpress_ha.aws.cloudfront_function:
    name: blog-request
    comment: Requests of the blog
    code: |
      function handler(event) {
        var request = event.request;
        request.uri = request.uri.replace(/\/{2,}/g, '/');
        return request;
      }
"""

RETURN = r"""
name:
  description: The name as given.
  type: str
  returned: always
arn:
  description: The ARN, by which a behavior refers to the function; null when there is none.
  type: str
  returned: always
etag:
  description: Version of the stage C(DEVELOPMENT), which a later write has to name; null when there is none.
  type: str
  returned: always
published:
  description: Whether C(LIVE) is the same as C(DEVELOPMENT).
  type: bool
  returned: always
settings:
  description: The options that would make the function, without its code; null when there is none.
  type: dict
  returned: always
request:
  description:
    - The exact parameters of the call that writes code and settings, the code as text, in check mode as they would be sent.
    - Those of the publishing when that is all there is to do. Null when nothing is written.
  type: dict
  returned: always
actions:
  description: The changes made, or in check mode those that would be made. C(function) is the stage DEVELOPMENT; code is shown as lines.
  type: list
  elements: dict
  returned: always
  sample: [{action: update, resource: live/blog-request, before: {comment: Old}, after: {comment: New}}]
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import functions, kinds


def main() -> None:
    module = AnsibleAWSModule(argument_spec=kinds.FUNCTION_SPEC, supports_check_mode=True)
    _aws.main(module, functions.Function)


if __name__ == "__main__":
    main()
