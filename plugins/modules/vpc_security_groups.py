#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: vpc_security_groups
version_added: 0.1.0
short_description: Keep a family of security groups that refer to one another by name
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Owns security groups of a VPC together with their rules. All groups are created before the first rule, so that two groups may
    name each other. A rule keeps its id when only its description changes; the plan and the diff read like the rules.
  - M(amazon.aws.ec2_security_group) handles one group per task, sleeps three seconds after each creation, cannot name a group that
    does not exist yet, and returns no id in check mode. This module can be retired once upstream takes a family of groups.
  - Groups are found by the tags V(wordpress_ha:network) (O(name)) and V(wordpress_ha:part) (the group), which this module sets. A group
    of the same name without them is refused, because its rules would be lost.
options:
  name:
    description: Name of the family. A group's name in AWS is C(<name>-<group>), and its tag V(Name) likewise.
    type: str
    required: true
  vpc_id:
    description: Id of the VPC. Required for O(state=present); otherwise the groups are found by their tags, wherever they are.
    type: str
  groups:
    description:
      - The groups by short name, each with C(description) (AWS cannot change it later), C(ingress) and C(egress). Required unless
        O(state) says otherwise. Groups that are not mentioned are left alone, unless O(purge_groups).
      - C(ingress) and C(egress) are complete lists of rules; rules that are not in a list are removed, also AWS's default
        egress rule. A list that is not given is left alone.
      - A rule has C(protocol) (default V(tcp), or V(udp), V(icmp), V(icmpv6), V(all)), C(port) or C(from_port) and C(to_port),
        C(description), and one peer. That is C(source_group) (short name, or id of another group), C(source_cidr) or
        C(source_prefix_list) in C(ingress), and the same with C(destination_) in C(egress).
      - A prefix list is named by its id or its name. AWS counts it as its greatest number of entries against the rules a group may
        have (60), so that a range of ports in one rule fits where a rule for each port does not.
    type: dict
  purge_groups:
    description:
      - Whether groups of the family that O(groups) does not mention are removed. A group that an interface has, or that a rule of a
        group outside of the family names, stays until a later run.
    type: bool
    default: false
  ipv6:
    description: Whether the VPC has IPv6 addresses. AWS then lets every new group out over IPv6 too, which O(groups) may not want.
    type: bool
    default: false
  prefix_lists:
    description: Names of managed prefix lists whose ids and address ranges are returned.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.plan.tags
  - wordpress_ha.aws.plan.wait
"""

EXAMPLES = r"""
- name: Keep the groups of the tiers
  wordpress_ha.aws.vpc_security_groups:
    name: blog
    vpc_id: "{{ network.vpc_id }}"
    groups:
      alb:
        description: Load balancer
        ingress:
          - {port: 443, source_cidr: 0.0.0.0/0, description: Visitors}
      web:
        description: Web nodes
        ingress:
          - {port: 80, source_group: alb, description: Requests from the load balancer}
  register: security_groups
"""

RETURN = r"""
groups:
  description: Ids of all groups of the family, by short name.
  returned: success
  type: dict
  sample: {alb: sg-0123456789abcdef0}
prefix_lists:
  description: The prefix lists of O(prefix_lists), by name, each with C(id) and C(cidrs), sorted.
  returned: success
  type: dict
  sample: {com.amazonaws.global.cloudfront.origin-facing: {id: pl-3b927c52, cidrs: [130.176.0.0/18]}}
actions:
  description: What was or would be done, in order; every item has C(action), C(resource), C(before) and C(after).
  returned: success
  type: list
  elements: dict
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws
from ansible_collections.wordpress_ha.aws.plugins.module_utils._security_groups import SecurityGroups


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "vpc_id": {"type": "str"},
            "groups": {"type": "dict"},
            "purge_groups": {"type": "bool", "default": False},
            "ipv6": {"type": "bool", "default": False},
            "prefix_lists": {"type": "list", "elements": "str", "default": []},
            "wait_timeout": {"type": "int", "default": 600},
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
        },
        required_if=[("state", "present", ["groups", "vpc_id"])],
        supports_check_mode=True,
    )
    _aws.main(module, SecurityGroups)


if __name__ == "__main__":
    main()
