#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: wafv2_web_acl
version_added: 0.1.0
short_description: Keep a web ACL of WAF with its log
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Owns a web ACL, the log group C(aws-waf-logs-<name>) and the configuration that leads the one to the other. Cookies and credentials are left
    out of the log.
  - C(community.aws.wafv2_web_acl) 10.0 always reports a change of a byte match inside of a rate rule, and there is no module for the log. This
    module can be retired when upstream mends the one and has the other.
  - What a web ACL has beyond these options (custom response bodies, token domains, the size of inspected bodies and so on) is kept as it is.
notes:
  - It is found by its name. For CloudFront, web ACL and log are in us-east-1 whatever the region of the module.
  - Whoever runs it must be allowed C(logs:CreateLogDelivery), C(logs:PutResourcePolicy) and C(logs:DescribeResourcePolicies), by which WAF lets
    itself write to the log group.
options:
  name:
    description: Name of the web ACL and of its metric.
    type: str
    required: true
  scope:
    description: What it guards; distributions of CloudFront, or resources of the region.
    type: str
    choices: [CLOUDFRONT, REGIONAL]
    default: CLOUDFRONT
  default_action:
    description: What becomes of a request that no rule decides about.
    type: str
    choices: [allow, block]
    default: allow
  description:
    description: What it is for.
    type: str
  rules:
    description:
      - The rules in the form of WAF's API (C(Name), C(Priority), C(Statement), C(VisibilityConfig), C(Action) or C(OverrideAction)), the text of
        a C(SearchString) as it is. They replace all others. If not set, rules are left alone.
      - The filter P(wordpress_ha.aws.firewall_rules#filter) makes those for WordPress.
    type: list
    elements: dict
  logging:
    description: Whether requests are logged. V(false) ends logging and keeps the log group. If not set, logging is left alone.
    type: bool
  log_retention_days:
    description: Days that the log is kept; 0 is for ever.
    type: int
    default: 30
  log_kms_key_id:
    description: ARN of a key for the log, which must let CloudWatch Logs use it.
    type: str
  logged_actions:
    description: Verdicts whose requests are logged, C(BLOCK), C(COUNT), C(CAPTCHA), C(CHALLENGE), C(ALLOW) and C(EXCLUDED_AS_COUNT).
    type: list
    elements: str
    default: [BLOCK, COUNT, CAPTCHA, CHALLENGE, EXCLUDED_AS_COUNT]
  redacted_headers:
    description: Headers that are left out of the log.
    type: list
    elements: str
    default: [authorization, cookie]
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.plan.tags
"""

EXAMPLES = r"""
- name: Measure what a firewall would block
  wordpress_ha.aws.wafv2_web_acl:
    name: blog
    rules: "{{ 'count' | wordpress_ha.aws.firewall_rules }}"
    logging: true
    tags:
      wordpress_ha:stack: blog
"""

RETURN = r"""
arn:
  description: ARN of the web ACL, null if there is none, as for every value here.
  returned: success
  type: str
id:
  description: Id of the web ACL.
  returned: success
  type: str
capacity:
  description: Capacity units that its rules take; more than 1500 cost extra.
  returned: success
  type: int
rules:
  description: Names of the rules.
  returned: success
  type: list
  elements: str
log_group_name:
  description: Name of the log group.
  returned: success
  type: str
actions:
  description: What was or would be done, in order; every item has C(action), C(resource), C(before) and C(after).
  returned: success
  type: list
  elements: dict
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws
from ansible_collections.wordpress_ha.aws.plugins.module_utils._web_acl import WebACL


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "scope": {"type": "str", "choices": ["CLOUDFRONT", "REGIONAL"], "default": "CLOUDFRONT"},
            "default_action": {"type": "str", "choices": ["allow", "block"], "default": "allow"},
            "description": {"type": "str"},
            "rules": {"type": "list", "elements": "dict"},
            "logging": {"type": "bool"},
            "log_retention_days": {"type": "int", "default": 30},
            "log_kms_key_id": {"type": "str", "no_log": False},
            "logged_actions": {
                "type": "list",
                "elements": "str",
                "default": ["BLOCK", "COUNT", "CAPTCHA", "CHALLENGE", "EXCLUDED_AS_COUNT"],
            },
            "redacted_headers": {"type": "list", "elements": "str", "default": ["authorization", "cookie"]},
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
        },
        supports_check_mode=True,
    )
    _aws.main(module, WebACL)


if __name__ == "__main__":
    main()
