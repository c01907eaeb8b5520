#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudfront_distribution
version_added: 0.1.0
short_description: Keep a CloudFront distribution
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Makes, changes and removes a distribution with its origins, origin groups and behaviors. What is not asked for is left as it
    is, also inside an origin or a behavior, and also what this module does not know.
  - A distribution is read once and written at most once. When somebody else writes in between, it reads and plans anew, at most
    five times. The answer to a creation may get lost without a second distribution being made.
  - What even the installed botocore does not know cannot survive, so that a change of a distribution that uses it is refused,
    unless O(lint_ignore) has V(unknown-to-botocore).
  - M(community.aws.cloudfront_distribution) has no check mode, no diff, no Origin Access Control, no functions, and takes two
    origins on one host for one.
options:
  name:
    description:
      - The name by which the distribution is found again, in its tag C(wordpress_ha:distribution). It is also the comment and
        the tag C(Name) of a new one.
    type: str
  distribution_id:
    description:
      - The id of an existing distribution, whoever made it. Exactly one of O(name) and O(distribution_id) is needed.
    type: str
  enabled:
    description: Whether the distribution answers. A new one does.
    type: bool
  comment:
    description: What the console shows beside the id, at most 128 characters.
    type: str
  aliases:
    description: The alternate domain names. The list replaces what is there; its order says nothing.
    type: list
    elements: str
  certificate_arn:
    description:
      - ARN of an ACM certificate in us-east-1 that fits every alias. An empty string goes back to CloudFront's own.
    type: str
  minimum_protocol_version:
    description:
      - The security policy of TLS towards visitors, only with a certificate. One that replaces CloudFront's own begins with
        V(TLSv1.2_2021).
    type: str
  price_class:
    description: Which edges serve. A new distribution has all.
    type: str
    choices: [PriceClass_100, PriceClass_200, PriceClass_All]
  http_version:
    description: The highest versions of HTTP towards visitors. A new distribution has V(http2and3).
    type: str
    choices: [http1.1, http2, http3, http2and3]
  ipv6:
    description: Whether there is an IPv6 address as well. A new distribution has one.
    type: bool
  default_root_object:
    description: What is served for the root, such as V(index.html). WordPress needs none.
    type: str
  web_acl_arn:
    description: ARN of a web ACL of AWS WAF, with the scope of CloudFront. An empty string removes it.
    type: str
  logging:
    description: Standard access logs.
    type: dict
    suboptions:
      bucket:
        description: Domain name of a bucket that takes ACLs, such as C(logs.s3.amazonaws.com). An empty string stops logging.
        type: str
      prefix:
        description: What the names of the log files begin with.
        type: str
      include_cookies:
        description: Whether cookies are logged.
        type: bool
  geo_restriction:
    description: Countries that are served, or not.
    type: dict
    suboptions:
      type:
        description: Whether all countries are served, all but the listed, or only these.
        type: str
        choices: [none, blacklist, whitelist]
      locations:
        description: Country codes of two letters.
        type: list
        elements: str
  custom_error_responses:
    description: What is done with errors of the origin. The list replaces what is there.
    type: list
    elements: dict
    suboptions:
      error_code:
        description: The origin's status code.
        type: int
        required: true
      response_page_path:
        description: Path of the page that is sent instead; an empty string sends the origin's.
        type: str
      response_code:
        description: The status code that the page is sent with.
        type: int
      caching_min_ttl:
        description: How many seconds the error is cached at least. A new entry has 10.
        type: int
  origins:
    description:
      - Where the edge fetches from. The list replaces what is there; entries are matched by their id, and what an entry does not
        say is left as it is.
    type: list
    elements: dict
    suboptions:
      id:
        description: The name by which behaviors refer to the origin. Origins with one domain name and different ids are different.
        type: str
        required: true
      domain_name:
        description: Host name of a server, or the regional endpoint of a bucket. A new origin needs it.
        type: str
      type:
        description:
          - Whether the origin is a web server, a bucket that is reached through the S3 API, or a private server behind a VPC origin.
          - A new origin that does not say is V(vpc) with O(origins[].vpc_origin), V(s3) with a bucket's endpoint (but not that of a
            website), else V(custom).
        type: str
        choices: [custom, s3, vpc]
      path:
        description: What is put before every path, beginning with a slash.
        type: str
      http_port:
        description: Port for HTTP. A new V(custom) origin has 80.
        type: int
      https_port:
        description: Port for HTTPS. A new V(custom) origin has 443.
        type: int
      protocol_policy:
        description: The protocol towards a V(custom) origin. A new one has V(https-only).
        type: str
        choices: [http-only, https-only, match-viewer]
      ssl_protocols:
        description: Versions of TLS towards a V(custom) origin. A new one has V(TLSv1.2).
        type: list
        elements: str
      read_timeout:
        description: How many seconds to wait for an answer. A new origin has 30.
        type: int
      keepalive_timeout:
        description: How many seconds an idle connection is kept. A new origin has 5.
        type: int
      origin_access_control:
        description: Name or id of the origin access control that signs requests to a bucket. An empty string removes it.
        type: str
      vpc_origin:
        description: Name or id of the VPC origin. An origin of type V(vpc) needs it.
        type: str
      connection_attempts:
        description: How often to try to connect, 1 to 3. A new origin has 3.
        type: int
      connection_timeout:
        description: How many seconds to wait for a connection, 1 to 10. A new origin has 10.
        type: int
      origin_shield_region:
        description: The region of an additional cache before the origin. An empty string removes it.
        type: str
      custom_headers:
        description:
          - Headers that the edge adds. The list replaces what is there. Their values are masked in everything this module returns.
          - Each has O(origins[].custom_headers[].value), or O(origins[].custom_headers[].secret_arn), from which the module reads it.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name of the header.
            type: str
            required: true
          value:
            description: The value as plain text, which the invocation shows. What is secret belongs into a secret.
            type: str
          secret_arn:
            description: ARN or name of a secret in Secrets Manager.
            type: str
          secret_key:
            description: The key within the secret's JSON object. If not set, the whole text is the value.
            type: str
          version_stage:
            description: The stage of the version to read.
            type: str
            default: AWSCURRENT
  origin_groups:
    description: Pairs of origins of which the second answers when the first fails. The list replaces what is there.
    type: list
    elements: dict
    suboptions:
      id:
        description: The name by which behaviors refer to the group.
        type: str
        required: true
      members:
        description: Ids of the two origins, the one that is asked first before the other. A new group needs it.
        type: list
        elements: str
      status_codes:
        description: The status codes that count as a failure. A new group has 500, 502, 503 and 504.
        type: list
        elements: int
  state:
    description:
      - V(present) makes the distribution as described. A new one needs O(origins) and O(default_behavior).
      - V(absent) disables it, waits until no edge serves it, and deletes it; a run that is cut short is taken up by the next.
      - V(gathered) changes nothing and returns the same facts.
    type: str
    choices: [present, absent, gathered]
    default: present
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.plan.tags
  - wordpress_ha.aws.distribution
  - wordpress_ha.aws.distribution.change
"""

EXAMPLES = r"""
- name: Keep a distribution before a load balancer, with uploads from a private bucket
  wordpress_ha.aws.cloudfront_distribution:
    name: blog
    aliases: [blog.example.org]
    certificate_arn: arn:aws:acm:us-east-1:123456789012:certificate/6b3c0f6e-0000-4000-8000-000000000000
    origins:
      - id: site
        domain_name: origin.blog.example.org
        protocol_policy: match-viewer
        custom_headers:
          - name: X-Origin-Verify
            secret_arn: blog/origin
            secret_key: header_value
      - id: bucket
        domain_name: blog-media.s3.us-east-1.amazonaws.com
        origin_access_control: blog-media
    origin_groups:
      - id: media
        members: [bucket, site]
        status_codes: [403, 404, 500, 502, 503, 504]
    default_behavior:
      target_origin: site
      allowed_methods: &every [GET, HEAD, OPTIONS, PUT, POST, PATCH, DELETE]
      cache_policy: blog-pages
      origin_request_policy: blog-pages
    behaviors:
      - path_pattern: wp-admin/*
        target_origin: site
        allowed_methods: *every
        cache_policy: CachingDisabled
        origin_request_policy: AllViewer
      - path_pattern: wp-login.php
        target_origin: site
        allowed_methods: *every
        cache_policy: CachingDisabled
        origin_request_policy: AllViewer
      - path_pattern: wp-content/uploads/*
        target_origin: media
        cache_policy: CachingOptimized
    tags:
      "wordpress_ha:stack": blog
    wait: true

- name: Change one thing on a distribution that somebody made by hand
  wordpress_ha.aws.cloudfront_distribution:
    distribution_id: E1A2B3C4D5E6F7
    price_class: PriceClass_100

- name: Remove it, however far an earlier run came
  wordpress_ha.aws.cloudfront_distribution:
    name: blog
    state: absent
    wait_timeout: 3600
"""

RETURN = r"""
name:
  description: The name in the tag C(wordpress_ha:distribution), null if it has none.
  returned: success
  type: str
id:
  description: Id of the distribution, null if there is none.
  returned: success
  type: str
  sample: E1A2B3C4D5E6F7
arn:
  description: ARN of the distribution, null if there is none.
  returned: success
  type: str
domain_name:
  description: The distribution's own domain name, null if there is none.
  returned: success
  type: str
  sample: d111111abcdef8.cloudfront.net
hosted_zone_id:
  description: The hosted zone that alias records to any distribution name.
  returned: success
  type: str
  sample: Z2FDTNDATAQYW2
status:
  description: C(Deployed) when the latest change is at every edge, else C(InProgress). Null if there is no distribution.
  returned: success
  type: str
etag:
  description: ETag of the configuration as it now is, null if there is none.
  returned: success
  type: str
aliases:
  description: The alternate domain names, sorted.
  returned: success
  type: list
  elements: str
tags:
  description: The tags of the distribution, empty if there is none.
  returned: success
  type: dict
request:
  description:
    - The parameters of the one call that writes, as they were, or in check mode would be, sent, in the shape of botocore. The call is
      C(CreateDistributionWithTags), C(UpdateDistribution), or the first of a removal. Values of custom headers are masked.
    - Null if there was nothing to write, or only tags.
  returned: success
  type: dict
actions:
  description: What was or would be done, in order; every item has C(action), C(resource), C(before) and C(after).
  returned: success
  type: list
  elements: dict
  sample:
    - action: update
      resource: origin/site
      before: {read_timeout: 30}
      after: {read_timeout: 60}
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import edit, model
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront.distribution import Distribution


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str"},
            "distribution_id": {"type": "str"},
            **model.argument_spec(model.DISTRIBUTION, strict=False),
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
            **edit.FRAME_SPEC,
        },
        required_one_of=[("name", "distribution_id")],
        mutually_exclusive=[("name", "distribution_id")],
        supports_check_mode=True,
    )
    _aws.main(module, Distribution)


if __name__ == "__main__":
    main()
