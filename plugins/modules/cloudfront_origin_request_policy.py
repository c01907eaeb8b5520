#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudfront_origin_request_policy
version_added: 0.1.0
short_description: Create, update and remove a CloudFront origin request policy
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - An origin request policy says what of a request is sent to the origin besides what the cache key holds, without making
    two answers of one; M(wordpress_ha.aws.cloudfront_cache_policy) does that.
  - What CloudFront would refuse, or accept although it hurts, is refused before anything is written.
  - An update writes over the configuration as it is, so that parts which have no option here survive.
    When somebody else writes at the same time, the policy is read and planned anew, a few times at most.
  - Policies that AWS manages (C(Managed-AllViewer) ...) are never changed nor removed; V(state=gathered) shows them.
  - No module did this so far.
options:
  name:
    description: Name of the policy, unique in the account. Letters, digits, C(-) and C(_).
  headers:
    description: Request headers that the origin gets. Their order and case mean nothing.
    type: dict
    suboptions:
      behavior:
        description: None, those in O(headers.names), all of the viewer, these and CloudFront's own in O(headers.names), or all but those.
        type: str
        choices: [none, whitelist, allViewer, allViewerAndWhitelistCloudFront, allExcept]
      names:
        description: The names; the list replaces what there is.
        type: list
        elements: str
  cookies:
    description: Cookies that the origin gets. Their order means nothing; C(*) in a name stands for any characters.
  query_strings:
    description: Parameters of the query string that the origin gets. Their order means nothing.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.cloudfront
  - wordpress_ha.aws.cloudfront.linted
  - wordpress_ha.aws.cloudfront.request
"""

EXAMPLES = r"""
- name: Let the login see everything but the campaign
  wordpress_ha.aws.cloudfront_origin_request_policy:
    name: blog-login
    comment: Login and administration
    headers:
      behavior: allViewerAndWhitelistCloudFront
      names: [CloudFront-Forwarded-Proto]
    cookies:
      behavior: all
    query_strings:
      behavior: all

- name: Remove it
  wordpress_ha.aws.cloudfront_origin_request_policy:
    name: blog-login
    state: absent
"""

RETURN = r"""
name:
  description: The name as given.
  type: str
  returned: always
id:
  description: The id, by which a behavior refers to the policy; null when there is none.
  type: str
  returned: always
etag:
  description: Version of the policy, which a later write has to name; null when there is none.
  type: str
  returned: always
settings:
  description: The policy as the options that would make it; null when there is none.
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
  sample: [{action: update, resource: origin_request_policy/blog-login, before: {comment: Login}, after: {comment: Administration}}]
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import kinds


def main() -> None:
    module = AnsibleAWSModule(argument_spec=kinds.ORIGIN_REQUEST_SPEC, supports_check_mode=True)
    _aws.main(module, kinds.OriginRequestPolicy)


if __name__ == "__main__":
    main()
