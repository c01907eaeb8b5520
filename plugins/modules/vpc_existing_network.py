#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: vpc_existing_network
version_added: 0.1.0
short_description: Check that a VPC of somebody else can carry a stack, and describe it
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Reads a VPC that this collection did not make, and says everything that is wrong with it for the three tiers of a stack. Subnets
    exist, belong to the VPC and stand in two or more zones; public ones reach an internet gateway, application ones get out or have
    endpoints, none of the private ones is public; there are free addresses, and DNS works.
  - Returns the same facts as M(wordpress_ha.aws.vpc_network), so that whatever uses a network need not know whose it is.
  - The C(_info) modules of C(amazon.aws) return the parts, in a process each, and judge nothing. This module can be retired once
    something upstream validates a network as a whole.
options:
  vpc_id:
    description: Id of the VPC. One of O(vpc_id) and O(vpc_tags) is required.
    type: str
    default: ""
  vpc_tags:
    description: Tags that this VPC has, and no other one.
    type: dict
    default: {}
  subnet_ids:
    description: Ids of the subnets by tier. A tier that is empty is found by O(subnet_tags).
    type: dict
    default: {}
    suboptions:
      public:
        description: Subnets of the load balancer.
        type: list
        elements: str
        default: []
      app:
        description: Subnets of the web nodes.
        type: list
        elements: str
        default: []
      data:
        description: Subnets of database, cache and shared files.
        type: list
        elements: str
        default: []
  subnet_tags:
    description: The tags by which a tier's subnets are found, by tier. Without it the tag V(wordpress_ha:tier) with the tier as its value.
    type: dict
    default: {}
  name:
    description: Name of the stack. Interfaces with a security group C(<name>-...) do not count against O(free_addresses).
    type: str
    default: ""
  ipv6:
    description: Whether public and application tier must have IPv6 addresses and routes.
    type: bool
    default: false
  free_addresses:
    description: Free addresses that each subnet of a tier must have, by tier; 8 where not given.
    type: dict
    default: {}
  endpoints:
    description: Services that web nodes need, each through an endpoint if no default route leads out of the application subnets.
    type: list
    elements: str
    default: [s3, secretsmanager, ssm]
  variable_prefix:
    description: Put before the names of options in messages, so that these name the variables of whoever calls.
    type: str
    default: ""
  validate:
    description: Whether to fail if anything is wrong. Even without it there must be exactly one VPC.
    type: bool
    default: true
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
    description: Reads only, with or without check mode.
"""

EXAMPLES = r"""
- name: Find and check the VPC of the landing zone
  wordpress_ha.aws.vpc_existing_network:
    vpc_tags: {Name: landing-zone}
    subnet_ids:
      public: [subnet-0a1, subnet-0a2]
      app: [subnet-0b1, subnet-0b2]
      data: [subnet-0c1, subnet-0c2]
  register: network
"""

RETURN = r"""
vpc_id:
  description: Id of the VPC.
  returned: success
  type: str
cidr:
  description: IPv4 range of the VPC.
  returned: success
  type: str
ipv6_cidr:
  description: IPv6 range of the VPC, null if there is none.
  returned: success
  type: str
availability_zones:
  description: Zones of the subnets, sorted.
  returned: success
  type: list
  elements: str
subnets:
  description: The subnets by tier, sorted by zone, each with C(id), C(cidr), C(az) and C(ipv6_cidr).
  returned: success
  type: dict
internet_gateway_id:
  description: Id of the internet gateway of the public subnets.
  returned: success
  type: str
nat_gateway_ids:
  description: Ids of the NAT gateways that application subnets go out through, by the gateway's zone.
  returned: success
  type: dict
nat_public_ips:
  description: Their public addresses.
  returned: success
  type: dict
route_table_ids:
  description: Ids of the route tables by name (V(public), C(app-<zone>), V(data)).
  returned: success
  type: dict
s3_endpoint_id:
  description: Id of the gateway endpoint of S3, null if there is none.
  returned: success
  type: str
interface_endpoint_ids:
  description: Ids of the interface endpoints by the service's short name.
  returned: success
  type: dict
egress_gateway_id:
  description: Id of the egress-only internet gateway, null if there is none.
  returned: success
  type: str
flow_log_id:
  description: Always null; flow logs of such a VPC are its owner's.
  returned: success
  type: str
flow_log_group:
  description: Always null.
  returned: success
  type: str
problems:
  description: What is wrong, each with variable, value and cure; never anything with O(validate).
  returned: always
  type: list
  elements: str
"""

try:
    import botocore
except ImportError:  # AnsibleAWSModule reports the missing library
    pass

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws, _existing_network

TIERS = {tier: {"type": "list", "elements": "str", "default": []} for tier in ("public", "app", "data")}


def fail(module: AnsibleAWSModule, lines: list[str]) -> None:
    many = f"{len(lines)} things are wrong with the existing network:"
    text = lines[0] if len(lines) == 1 else "\n- ".join([many, *lines])
    module.fail_json(msg=f"Nothing was changed, since {text}", problems=lines)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "vpc_id": {"type": "str", "default": ""},
            "vpc_tags": {"type": "dict", "default": {}},
            "subnet_ids": {"type": "dict", "default": {}, "options": TIERS},
            "subnet_tags": {"type": "dict", "default": {}},
            "name": {"type": "str", "default": ""},
            "ipv6": {"type": "bool", "default": False},
            "free_addresses": {"type": "dict", "default": {}},
            "endpoints": {"type": "list", "elements": "str", "default": list(_existing_network.ENDPOINTS)},
            "variable_prefix": {"type": "str", "default": ""},
            "validate": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    free = {**_existing_network.FREE_ADDRESSES, **module.params["free_addresses"]}
    options = {**module.params, "prefix": module.params["variable_prefix"], "free_addresses": free}
    try:
        found = _existing_network.read(_aws.connect(module, "ec2"), options)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        module.fail_json_aws(error, msg="Nothing was changed, since the VPC could not be read")
    lines = [str(problem) for problem in _existing_network.problems(found, options)]
    if lines and (module.params["validate"] or len(found["vpcs"]) != 1):
        fail(module, lines)
    module.exit_json(changed=False, problems=lines, **_existing_network.facts(found, options))


if __name__ == "__main__":
    main()
