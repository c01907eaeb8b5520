#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: application_load_balancer
short_description: Manage an application load balancer with its target groups, listeners and rules
version_added: 0.1.0
description:
  - One run brings target groups, load balancer, listeners and rules to the wanted state, in an order that never leaves a
    listener without its target, nor a request without its rule while rules change places.
  - Target groups are marked with the tag C(wordpress_ha:load_balancer). Those marked and no longer wanted are removed, others never.
notes:
  - C(amazon.aws.elb_application_lb) 10.1 fails half-created when a new listener comes with its rules, and returns no facts in
    check mode; C(community.aws.elb_target_group) has no check mode. When both have, this module can be retired.
author:
  - The wordpress_ha.aws project (@wordpress-ha)
options:
  name:
    description: Name of the load balancer, at most 32 letters, digits and hyphens.
    type: str
    required: true
  subnet_ids:
    description: Subnets, one per Availability Zone, at least two. Required for O(state=present).
    type: list
    elements: str
  security_group_ids:
    description: Security groups. Required for O(state=present).
    type: list
    elements: str
  scheme:
    description: Whether it is reached from the internet. It cannot be changed later.
    type: str
    choices: [internet-facing, internal]
    default: internet-facing
  vpc_id:
    description: VPC of the target groups. Required for O(state=present).
    type: str
  ip_address_type:
    description: Kinds of addresses.
    type: str
    choices: [ipv4, dualstack, dualstack-without-public-ipv4]
  attributes:
    description: Attributes by their AWS names. Those not named are left alone.
    type: dict
  target_groups:
    description:
      - Target groups by name. The dictionary replaces this balancer's target groups; unset leaves them alone.
      - Each takes C(port) (80), C(protocol) (HTTP or HTTPS), C(target_type) (instance or ip), C(attributes) by their AWS names, and
        C(health_check) with C(path), C(port), C(protocol), C(interval) and C(timeout) in seconds, C(healthy) and C(unhealthy)
        in numbers of checks, and C(matcher) such as V(200-299).
      - Port, protocol and target type cannot be changed later; use another name for another group.
    type: dict
  listeners:
    description: Listeners, one per port. The list replaces the balancer's listeners; unset leaves them alone.
    type: list
    elements: dict
    suboptions:
      port:
        description: Port.
        type: int
        required: true
      protocol:
        description: Protocol.
        type: str
        choices: [HTTP, HTTPS]
        required: true
      certificate_arns:
        description: Certificates for HTTPS. The first is the default, the others are chosen by the requested name.
        type: list
        elements: str
      ssl_policy:
        description:
          - Security policy for HTTPS, V(ELBSecurityPolicy-TLS13-1-2-2021-06) for a new listener.
          - One that takes TLS older than 1.2 is refused.
        type: str
      default_action:
        description: What is done with requests that no rule matches.
        type: dict
        required: true
        suboptions: &action
          forward:
            description: Name of a target group.
            type: str
          redirect:
            description: Where to send the visitor. What is not named stays as in the request.
            type: dict
            suboptions:
              protocol:
                description: Protocol.
                type: str
              host:
                description: Host name.
                type: str
              port:
                description: Port.
                type: str
              path:
                description: 'Path, beginning with a slash.'
                type: str
              query:
                description: 'Query, without question mark.'
                type: str
              status_code:
                description: V(HTTP_301) or V(HTTP_302).
                type: str
                default: HTTP_301
          fixed_response:
            description: A response from the balancer itself.
            type: dict
            suboptions:
              status_code:
                description: Status.
                type: str
                required: true
              content_type:
                description: Type of the body.
                type: str
                default: text/plain
              message_body:
                description: Body.
                type: str
      rules:
        description: Rules. The list replaces the listener's rules; unset leaves them alone.
        type: list
        elements: dict
        suboptions:
          priority:
            description: Lower numbers match first. Unique within the listener.
            type: int
            required: true
          conditions:
            description: All of them must hold; of the values of one, any.
            type: dict
            required: true
            suboptions:
              host_header:
                description: Host names; V(*) and V(?) match.
                type: list
                elements: str
              path_pattern:
                description: Paths; V(*) and V(?) match.
                type: list
                elements: str
              http_request_method:
                description: Methods.
                type: list
                elements: str
              source_ip:
                description: Ranges of client addresses.
                type: list
                elements: str
              http_header:
                description: 'Lists of values, by header.'
                type: dict
              http_header_secret:
                description:
                  - A header with a value that a secret holds, one of several versions of it. The values are read by this module
                    and never shown; in plans and diffs the stages stand for them.
                  - So a header by which a CDN proves itself can be rotated, both values being good in between.
                type: dict
                suboptions:
                  name:
                    description: Name of the header.
                    type: str
                    required: true
                  secret_arn:
                    description: ARN or name of the secret, whose value is a JSON object.
                    type: str
                    required: true
                  secret_key:
                    description: Key of the JSON object.
                    type: str
                    required: true
                  version_stages:
                    description:
                      - Stages of the versions whose values are good. The first must exist, the others count where they do.
                    type: list
                    elements: str
                    default: [AWSCURRENT, AWSPREVIOUS]
              query_string:
                description: 'C(key=value) or C(value).'
                type: list
                elements: str
          action:
            description: What is done.
            type: dict
            required: true
            suboptions: *action
  wait:
    description: Whether to wait until the load balancer is active.
    type: bool
    default: true
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.plan.tags
  - wordpress_ha.aws.plan.wait
"""

EXAMPLES = r"""
- name: Balancer | Serve HTTPS, redirect HTTP
  wordpress_ha.aws.application_load_balancer:
    name: blog
    vpc_id: vpc-0a1
    subnet_ids: [subnet-0a1, subnet-0b2]
    security_group_ids: [sg-0c3]
    attributes:
      idle_timeout.timeout_seconds: 65
      routing.http.drop_invalid_header_fields.enabled: true
      routing.http.desync_mitigation_mode: strictest
    target_groups:
      blog-web:
        port: 80
        health_check: {path: /healthz/ready, interval: 10, timeout: 5, healthy: 2, unhealthy: 3, matcher: '200'}
        attributes:
          deregistration_delay.timeout_seconds: 60
          stickiness.enabled: false
    listeners:
      - port: 80
        protocol: HTTP
        default_action:
          redirect: {protocol: HTTPS, port: '443'}
      - port: 443
        protocol: HTTPS
        certificate_arns: ["arn:aws:acm:eu-central-1:123456789012:certificate/1"]
        default_action:
          forward: blog-web
        rules:
          - priority: 10
            conditions: {path_pattern: [/xmlrpc.php]}
            action:
              fixed_response: {status_code: '403'}
    tags:
      wordpress_ha:stack: blog

- name: Balancer | Serve only who knows the secret header, in its current or its former value
  wordpress_ha.aws.application_load_balancer:
    name: blog
    vpc_id: vpc-0a1
    subnet_ids: [subnet-0a1, subnet-0b2]
    security_group_ids: [sg-0c3]
    target_groups:
      blog-web: {port: 80}
    listeners:
      - port: 80
        protocol: HTTP
        default_action:
          fixed_response: {status_code: '403'}
        rules:
          - priority: 1
            conditions:
              http_header_secret: {name: X-Origin-Verify, secret_arn: blog/origin, secret_key: header_value}
            action:
              forward: blog-web
"""

RETURN = r"""
arn:
  description: ARN of the load balancer; null when there is none.
  type: str
  returned: always
dns_name:
  description: Its host name; null when there is none.
  type: str
  returned: always
hosted_zone_id:
  description: Zone of its host name, for alias records; null when there is none.
  type: str
  returned: always
target_groups:
  description: ARNs of the target groups, by name.
  type: dict
  returned: always
  sample: {blog-web: "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/blog-web/1"}
listeners:
  description: The listeners, by port.
  type: list
  elements: dict
  returned: always
  sample: [{port: 443, protocol: HTTPS, arn: "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/blog/1/2"}]
actions:
  description: The changes made, or in check mode those that would be made.
  type: list
  elements: dict
  returned: always
  sample: [{action: create, resource: rule/443/10, before: {}, after: {conditions: {path_pattern: [/xmlrpc.php]}}}]
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils._aws import run
from ansible_collections.wordpress_ha.aws.plugins.module_utils._balancer import Balancer

ACTION = {
    "type": "dict",
    "required": True,
    "options": {
        "forward": {"type": "str"},
        "redirect": {
            "type": "dict",
            "options": {
                **{part: {"type": "str"} for part in ("protocol", "host", "port", "path", "query")},
                "status_code": {"type": "str", "default": "HTTP_301"},
            },
        },
        "fixed_response": {
            "type": "dict",
            "options": {
                "status_code": {"type": "str", "required": True},
                "content_type": {"type": "str", "default": "text/plain"},
                "message_body": {"type": "str"},
            },
        },
    },
    "required_one_of": [("forward", "redirect", "fixed_response")],
    "mutually_exclusive": [("forward", "redirect", "fixed_response")],
}
VALUES = {"type": "list", "elements": "str"}
RULE = {
    "priority": {"type": "int", "required": True},
    "conditions": {
        "type": "dict",
        "required": True,
        "options": {
            "host_header": VALUES,
            "path_pattern": VALUES,
            "http_request_method": VALUES,
            "source_ip": VALUES,
            "http_header": {"type": "dict"},
            "http_header_secret": {
                "type": "dict",
                "no_log": False,
                "options": {
                    "name": {"type": "str", "required": True},
                    "secret_arn": {"type": "str", "required": True, "no_log": False},
                    "secret_key": {"type": "str", "required": True, "no_log": False},
                    "version_stages": {"type": "list", "elements": "str", "default": ["AWSCURRENT", "AWSPREVIOUS"]},
                },
            },
            "query_string": VALUES,
        },
    },
    "action": ACTION,
}
LISTENER = {
    "port": {"type": "int", "required": True},
    "protocol": {"type": "str", "choices": ["HTTP", "HTTPS"], "required": True},
    "certificate_arns": VALUES,
    "ssl_policy": {"type": "str"},
    "default_action": ACTION,
    "rules": {"type": "list", "elements": "dict", "options": RULE},
}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
            "subnet_ids": VALUES,
            "security_group_ids": VALUES,
            "scheme": {"type": "str", "choices": ["internet-facing", "internal"], "default": "internet-facing"},
            "vpc_id": {"type": "str"},
            "ip_address_type": {"type": "str", "choices": ["ipv4", "dualstack", "dualstack-without-public-ipv4"]},
            "attributes": {"type": "dict"},
            "target_groups": {"type": "dict"},
            "listeners": {"type": "list", "elements": "dict", "options": LISTENER},
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 600},
        },
        required_if=[("state", "present", ["subnet_ids", "security_group_ids", "vpc_id"])],
        supports_check_mode=True,
    )
    run(Balancer(module))


if __name__ == "__main__":
    main()
