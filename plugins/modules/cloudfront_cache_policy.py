#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudfront_cache_policy
version_added: 0.1.0
short_description: Create, update and remove a CloudFront cache policy
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - A cache policy says what makes two requests the same to CloudFront (the cache key) and for how long an answer is kept.
    What is in the key is also sent to the origin; M(wordpress_ha.aws.cloudfront_origin_request_policy) sends more.
  - What CloudFront would refuse, or accept although it hurts, is refused before anything is written.
  - An update writes over the configuration as it is, so that parts which have no option here survive.
    When somebody else writes at the same time, the policy is read and planned anew, a few times at most.
  - Policies that AWS manages (C(Managed-CachingOptimized) ...) are never changed nor removed; V(state=gathered) shows them.
  - No module did this so far.
options:
  name:
    description: Name of the policy, unique in the account. Letters, digits, C(-) and C(_).
  min_ttl:
    description: Seconds an answer is kept at least, whatever its origin says. V(0) for a new policy.
    type: int
  default_ttl:
    description: Seconds an answer is kept whose origin says nothing. V(86400) for a new policy, unless the other two say else.
    type: int
  max_ttl:
    description: Seconds an answer is kept at most, whatever its origin says. V(31536000) for a new policy.
    type: int
  gzip:
    description: Whether answers compressed with gzip are cached apart, which compression by CloudFront needs.
    type: bool
  brotli:
    description: The same for Brotli.
    type: bool
  headers:
    description: Request headers in the cache key. Their order and case mean nothing.
    type: dict
    suboptions:
      behavior:
        description: None, or those in O(headers.names).
        type: str
        choices: [none, whitelist]
      names:
        description: The names; the list replaces what there is.
        type: list
        elements: str
  cookies:
    description: Cookies in the cache key. Their order means nothing; C(*) in a name stands for any characters.
  query_strings:
    description: Parameters of the query string in the cache key. Their order means nothing.
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
- name: Keep pages for ten minutes, one copy for each reader who is logged in, none for each campaign
  wordpress_ha.aws.cloudfront_cache_policy:
    name: blog-pages
    comment: Pages of the blog
    default_ttl: 600
    max_ttl: 86400
    gzip: true
    brotli: true
    headers:
      behavior: whitelist
      names: [Host, CloudFront-Forwarded-Proto]
    cookies:
      behavior: whitelist
      names: [comment_author_*, wordpress_logged_in_*, wp-postpass_*]
    query_strings:
      behavior: allExcept
      names: [utm_source, utm_medium, utm_campaign]

- name: Keep them for an hour from now on; everything else stays
  wordpress_ha.aws.cloudfront_cache_policy:
    name: blog-pages
    default_ttl: 3600

- name: Look at a policy of AWS's own
  wordpress_ha.aws.cloudfront_cache_policy:
    name: CachingOptimized
    state: gathered
  register: optimized
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
  sample: [{action: update, resource: cache_policy/blog-pages, before: {default_ttl: 600}, after: {default_ttl: 3600}}]
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import kinds


def main() -> None:
    module = AnsibleAWSModule(argument_spec=kinds.CACHE_SPEC, supports_check_mode=True)
    _aws.main(module, kinds.CachePolicy)


if __name__ == "__main__":
    main()
