#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: vpc_network
version_added: 0.1.0
short_description: Keep a VPC with public, application and data subnets, gateways and routes
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Owns a whole network of three tiers over two or more Availability Zones. That is the VPC, subnets, the internet gateway, NAT
    gateways with their addresses, route tables, and the gateway endpoint for S3; where wanted also IPv6, interface endpoints and
    flow logs.
  - One process takes the place of some 25 of M(amazon.aws.ec2_vpc_net), M(amazon.aws.ec2_vpc_subnet) and their siblings, which start in
    a second each, sleep about 46 seconds in all and return no ids in check mode. They also allocate a new address and NAT gateway
    per run when given an address. This module can be retired once upstream predicts ids and takes a network as one unit.
  - The public tier has one route table to the internet, the application tier one per zone to its NAT gateway, the data tier one
    without any way out. Of the routes only the default routes are owned; others, such as peerings, stay.
  - Everything is found by the tags V(wordpress_ha:network) (O(name)) and V(wordpress_ha:part), which this module sets. Parts that are no longer
    wanted are removed after all else is in place; AWS refuses to remove what is still in use.
options:
  name:
    description: Name of the network, and the beginning of every tag V(Name).
    type: str
    required: true
  cidr:
    description: IPv4 range of the VPC, V(/16) to V(/28). AWS cannot change it later. Required unless O(state) says otherwise.
    type: str
  availability_zones:
    description: Names of the Availability Zones. Required unless O(state) says otherwise.
    type: list
    elements: str
  public_subnets:
    description: IPv4 ranges of the public subnets, one per zone in the order of O(availability_zones).
    type: list
    elements: str
    default: []
  app_subnets:
    description: IPv4 ranges of the application subnets, likewise.
    type: list
    elements: str
    default: []
  data_subnets:
    description: IPv4 ranges of the data subnets, likewise.
    type: list
    elements: str
    default: []
  nat:
    description:
      - How the application tier reaches the internet. V(per_az) survives the loss of a zone; V(single) is cheaper and does not; V(none)
        leaves no way out but the S3 endpoint.
    type: str
    choices: [per_az, single, none]
    default: per_az
  s3_endpoint:
    description: Whether all route tables reach S3 through a gateway endpoint, which costs nothing and spares NAT traffic.
    type: bool
    default: true
  map_public_ip:
    description: Whether instances in public subnets get a public address by default. Load balancers do not need it.
    type: bool
    default: false
  ipv6:
    description:
      - Whether the VPC has a range of Amazon's IPv6 addresses and each subnet a V(/64) of it. The public tier then has a route to the
        internet, the application tier one through an egress-only gateway, the data tier none. New interfaces of the first two get addresses.
      - V(false) removes routes and gateway, and gives no new addresses; the ranges stay, since interfaces may still have addresses of
        them. Unset leaves all of it alone.
    type: bool
  interface_endpoints:
    description:
      - Short names of AWS services that are reached inside of the VPC, such as V(ssm) or V(secretsmanager), with an interface in each
        application subnet and with private DNS. A security group lets the VPC's own addresses in, and nobody else.
      - AWS charges each interface by the hour. S3 has its own endpoint, see O(s3_endpoint).
    type: list
    elements: str
    default: []
  flow_logs:
    description: Whether the VPC's traffic is logged in CloudWatch Logs. Unset leaves flow logs alone.
    type: dict
    suboptions:
      enabled:
        description: V(false) ends the logging. The log group and its entries stay until the network is removed.
        type: bool
        default: true
      traffic:
        description: Which traffic. AWS cannot change it, so that another flow log takes the place of the old one.
        type: str
        choices: [ALL, ACCEPT, REJECT]
        default: ALL
      retention_days:
        description: Days for which entries are kept, one of those that CloudWatch Logs offers.
        type: int
        default: 30
      log_group:
        description: Name of the log group, which this module creates. C(/wordpress_ha/<name>/flow-logs) if unset.
        type: str
      role_arn:
        description: ARN of the role with which C(vpc-flow-logs.amazonaws.com) writes. Required unless O(flow_logs.enabled) is V(false).
        type: str
  security_groups:
    description:
      - The security groups of the network, in the form of O(wordpress_ha.aws.vpc_security_groups#module:groups), managed in the same
        process. The list is complete, as with O(wordpress_ha.aws.vpc_security_groups#module:purge_groups).
      - Unset leaves them alone. With O(state=absent) or O(state=gathered) an empty dictionary says that they are meant too.
    type: dict
  prefix_lists:
    description: Names of managed prefix lists whose ids and address ranges are returned, with O(security_groups).
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
- name: Keep the network
  wordpress_ha.aws.vpc_network:
    name: blog
    cidr: 10.40.0.0/16
    availability_zones: [us-east-1a, us-east-1b]
    public_subnets: [10.40.0.0/24, 10.40.1.0/24]
    app_subnets: [10.40.16.0/20, 10.40.32.0/20]
    data_subnets: [10.40.8.0/24, 10.40.9.0/24]
    nat: per_az
    ipv6: true
    interface_endpoints: [ssm, secretsmanager]
    flow_logs:
      traffic: REJECT
      role_arn: arn:aws:iam::123456789012:role/blog-flow-logs
    tags:
      "wordpress_ha:stack": blog
  register: network

- name: Find it again
  wordpress_ha.aws.vpc_network:
    name: blog
    state: gathered
"""

RETURN = r"""
vpc_id:
  description: Id of the VPC, null if there is none.
  returned: success
  type: str
cidr:
  description: IPv4 range of the VPC, null if there is none.
  returned: success
  type: str
ipv6_cidr:
  description: IPv6 range of the VPC, null if there is none.
  returned: success
  type: str
availability_zones:
  description: Zones that have subnets, sorted.
  returned: success
  type: list
  elements: str
subnets:
  description: The subnets by tier (V(public), V(app), V(data)), sorted by zone, each with C(id), C(cidr), C(az) and C(ipv6_cidr).
  returned: success
  type: dict
  sample: {public: [{id: subnet-0123456789abcdef0, cidr: 10.40.0.0/24, az: us-east-1a, ipv6_cidr: null}], app: [], data: []}
internet_gateway_id:
  description: Id of the internet gateway, null if there is none.
  returned: success
  type: str
nat_gateway_ids:
  description: Ids of the NAT gateways by zone.
  returned: success
  type: dict
nat_public_ips:
  description: Public addresses of the NAT gateways by zone, under which the application tier appears on the internet.
  returned: success
  type: dict
route_table_ids:
  description: Ids of the route tables by name (V(public), C(app-<zone>), V(data)).
  returned: success
  type: dict
s3_endpoint_id:
  description: Id of the gateway endpoint, null if there is none.
  returned: success
  type: str
interface_endpoint_ids:
  description: Ids of the interface endpoints by short name.
  returned: success
  type: dict
egress_gateway_id:
  description: Id of the egress-only internet gateway, null if there is none.
  returned: success
  type: str
flow_log_id:
  description: Id of the flow log, null if there is none.
  returned: success
  type: str
flow_log_group:
  description: Log group of the flow log, null if there is none.
  returned: success
  type: str
security_groups:
  description: Ids of the security groups by short name. Empty without O(security_groups).
  returned: success
  type: dict
  sample: {alb: sg-0123456789abcdef0}
prefix_lists:
  description: The prefix lists of O(prefix_lists), by name, each with C(id) and C(cidrs), sorted.
  returned: success
  type: dict
actions:
  description: What was or would be done, in order; every item has C(action), C(resource), C(before) and C(after).
  returned: success
  type: list
  elements: dict
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws
from ansible_collections.wordpress_ha.aws.plugins.module_utils._vpc import Network

FLOW_LOGS = {
    "enabled": {"type": "bool", "default": True},
    "traffic": {"type": "str", "choices": ["ALL", "ACCEPT", "REJECT"], "default": "ALL"},
    "retention_days": {"type": "int", "default": 30},
    "log_group": {"type": "str"},
    "role_arn": {"type": "str"},
}


def main() -> None:
    ranges = {"type": "list", "elements": "str", "default": []}
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "cidr": {"type": "str"},
            "availability_zones": {"type": "list", "elements": "str"},
            "public_subnets": ranges,
            "app_subnets": ranges,
            "data_subnets": ranges,
            "nat": {"type": "str", "choices": ["per_az", "single", "none"], "default": "per_az"},
            "s3_endpoint": {"type": "bool", "default": True},
            "map_public_ip": {"type": "bool", "default": False},
            "ipv6": {"type": "bool"},
            "interface_endpoints": {"type": "list", "elements": "str", "default": []},
            "flow_logs": {"type": "dict", "options": FLOW_LOGS},
            "security_groups": {"type": "dict"},
            "prefix_lists": {"type": "list", "elements": "str", "default": []},
            "wait_timeout": {"type": "int", "default": 600},
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
        },
        required_if=[("state", "present", ["cidr", "availability_zones"])],
        supports_check_mode=True,
    )
    _aws.main(module, Network)


if __name__ == "__main__":
    main()
