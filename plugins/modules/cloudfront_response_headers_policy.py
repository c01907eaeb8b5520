#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudfront_response_headers_policy
version_added: 0.1.0
short_description: Create, update and remove a CloudFront response headers policy
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - A response headers policy says which headers CloudFront adds to an answer, replaces in it, or takes out of it.
  - What CloudFront would refuse, or accept although it hurts, is refused before anything is written.
  - An update writes over the configuration as it is, so that parts which have no option here survive.
    When somebody else writes at the same time, the policy is read and planned anew, a few times at most.
  - Policies that AWS manages (C(Managed-SecurityHeadersPolicy) ...) are never changed nor removed; V(state=gathered) shows them.
  - C(community.aws.cloudfront_response_headers_policy) has no check mode, knows neither removed headers nor server timing, and
    reports a change by the clock.
options:
  name:
    description: Name of the policy, unique in the account. Letters, digits, C(-) and C(_).
  cors:
    description: Who may use an answer from another origin. An empty dictionary takes the whole part away.
    type: dict
    suboptions:
      allow_origins:
        description: Origins, such as C(https://www.example.org), or V(*). A policy that gets this part needs them.
        type: list
        elements: str
      allow_methods:
        description: Methods, or V(ALL). V([GET, HEAD, OPTIONS]) when the part is new.
        type: list
        elements: str
        choices: [GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE, ALL]
      allow_headers:
        description: Request headers, or V(*), which is also what a new part gets.
        type: list
        elements: str
      expose_headers:
        description: Headers of the answer that a script may read.
        type: list
        elements: str
      allow_credentials:
        description: Whether a script may send cookies. V(false) when the part is new.
        type: bool
      max_age:
        description: Seconds a browser keeps what it learnt from a preflight request.
        type: int
      override:
        description: Whether these headers replace those of the origin. V(true) when the part is new.
        type: bool
  security_headers:
    description:
      - Headers that guard the reader; each may be given alone. An empty dictionary takes it, or the whole part, away.
      - In each, C(override) says whether it replaces the origin's; it does when the header is new.
    type: dict
    suboptions:
      strict_transport_security:
        description: Browsers use HTTPS alone from now on.
        type: dict
        suboptions:
          max_age:
            description: For so many seconds. V(31536000) when new.
            type: int
          include_subdomains:
            description: For all subdomains too.
            type: bool
          preload:
            description: Allow browsers to ship with this knowledge.
            type: bool
          override:
            description: Replaces the origin's.
            type: bool
      content_type_options:
        description: Browsers believe the content type. Give C(override) to have it.
        type: dict
        suboptions:
          override:
            description: Replaces the origin's.
            type: bool
      frame_options:
        description: Who may show the page in a frame.
        type: dict
        suboptions:
          value:
            description: Nobody, or pages of the same origin.
            type: str
            choices: [DENY, SAMEORIGIN]
          override:
            description: Replaces the origin's.
            type: bool
      referrer_policy:
        description: What other sites learn about where a reader comes from.
        type: dict
        suboptions:
          value:
            description: The policy.
            type: str
            choices:
              - no-referrer
              - no-referrer-when-downgrade
              - origin
              - origin-when-cross-origin
              - same-origin
              - strict-origin
              - strict-origin-when-cross-origin
              - unsafe-url
          override:
            description: Replaces the origin's.
            type: bool
      xss_protection:
        description: The filter of browsers long gone. Give C(override) or C(protection) to have the header.
        type: dict
        suboptions:
          protection:
            description: Whether it is on. V(true) when new.
            type: bool
          mode_block:
            description: Whether it stops the page, instead of cleaning it.
            type: bool
          report_uri:
            description: Where it reports to; not together with O(security_headers.xss_protection.mode_block).
            type: str
          override:
            description: Replaces the origin's.
            type: bool
      content_security_policy:
        description: What a page may load and from where.
        type: dict
        suboptions:
          value:
            description: The policy.
            type: str
          override:
            description: Replaces the origin's.
            type: bool
  custom_headers:
    description: Further headers, in any order; the list replaces what there is, an empty one removes them.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the header. Its case means nothing.
        type: str
        required: true
      value:
        description: Its value. A header that is new needs one.
        type: str
      override:
        description: Whether it replaces the origin's. V(true) when the header is new.
        type: bool
  remove_headers:
    description: Headers that are taken out of the answer, in any order; the list replaces what there is, an empty one removes them.
    type: list
    elements: str
  server_timing:
    description: The header C(Server-Timing), which tells hits from misses. An empty dictionary takes it away.
    type: dict
    suboptions:
      enabled:
        description: Whether it is added. V(true) when the part is new.
        type: bool
      sampling_rate:
        description: To how many percent of all answers.
        type: float
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.cloudfront
  - wordpress_ha.aws.cloudfront.linted
"""

EXAMPLES = r"""
- name: Guard the readers of the blog
  wordpress_ha.aws.cloudfront_response_headers_policy:
    name: blog-security
    comment: Security headers of the blog
    security_headers:
      strict_transport_security:
        max_age: 63072000
        include_subdomains: true
      content_type_options:
        override: true
      frame_options:
        value: SAMEORIGIN
      referrer_policy:
        value: strict-origin-when-cross-origin
    remove_headers: [Server, X-Powered-By]

- name: Let another site use the fonts; the rest of the policy stays
  wordpress_ha.aws.cloudfront_response_headers_policy:
    name: blog-security
    cors:
      allow_origins: ["https://www.example.org"]

- name: Forbid it again
  wordpress_ha.aws.cloudfront_response_headers_policy:
    name: blog-security
    cors: {}
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
  description: The policy as the options that would make it, parts that it lacks empty; null when there is no policy.
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
  sample: [{action: update, resource: response_headers_policy/blog-security, before: {remove_headers: []}, after: {remove_headers: [Server]}}]
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import kinds


def main() -> None:
    module = AnsibleAWSModule(argument_spec=kinds.RESPONSE_HEADERS_SPEC, supports_check_mode=True)
    _aws.main(module, kinds.ResponseHeadersPolicy)


if __name__ == "__main__":
    main()
