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
    gateways with their addresses, route tables, and the gateway endpoint for S3.
  - One process takes the place of some 25 of M(amazon.aws.ec2_vpc_net), M(amazon.aws.ec2_vpc_subnet) and their siblings, which start in
    a second each, sleep about 46 seconds in all and return no ids in check mode. They also allocate a new address and NAT gateway
    per run when given an address. This module can be retired once upstream predicts ids and takes a network as one unit.
  - The public tier has one route table to the internet, the application tier one per zone to its NAT gateway, the data tier one
    without any way out. Of the routes only the default route is owned; others, such as peerings, stay.
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
availability_zones:
  description: Zones that have subnets, sorted.
  returned: success
  type: list
  elements: str
subnets:
  description: The subnets by tier (V(public), V(app), V(data)), sorted by zone, each with C(id), C(cidr) and C(az).
  returned: success
  type: dict
  sample: {public: [{id: subnet-0123456789abcdef0, cidr: 10.40.0.0/24, az: us-east-1a}], app: [], data: []}
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
actions:
  description: What was or would be done, in order; every item has C(action), C(resource), C(before) and C(after).
  returned: success
  type: list
  elements: dict
"""

import hashlib
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws, _network, _owned, _plan

# EC2 answers so for seconds about what it has just created.
NOT_YET = [
    "InvalidAllocationID.NotFound",
    "InvalidInternetGatewayID.NotFound",
    "InvalidRouteTableID.NotFound",
    "InvalidSubnetID.NotFound",
    "InvalidVpcID.NotFound",
]
# How the API calls each kind when it is tagged at creation.
RESOURCE_TYPES = {
    "vpc": "vpc",
    "internet_gateway": "internet-gateway",
    "subnet": "subnet",
    "elastic_ip": "elastic-ip",
    "nat_gateway": "natgateway",
    "route_table": "route-table",
    "endpoint": "vpc-endpoint",
}
INTERNET = "internet gateway"


class Network(_aws.Planned):
    """The kinds of ``order``, named as ``_network.wanted_tree`` does; ``id`` is the only field that it does not know."""

    order = (
        "vpc",
        "internet_gateway",
        "subnet",
        "elastic_ip",
        "nat_gateway",
        "route_table",
        "route",
        "association",
        "endpoint",
    )
    purge = order[1:]
    immutable = {"vpc": ("cidr",), "subnet": ("cidr", "az"), "nat_gateway": ("subnet", "elastic_ip")}

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.name = self.params["name"]
        self.dead_gateways: list[str] = []
        self.api = self.client("ec2", retried=NOT_YET)
        if self.params["state"] == "present":
            self._check()

    def _check(self) -> None:
        zones = self.params["availability_zones"] or []
        subnets = {tier: self.params[f"{tier}_subnets"] for tier in _network.TIERS}
        _network.check_ranges(self.params["cidr"], zones, subnets)
        if self.params["nat"] != "none" and subnets["app"] and not subnets["public"]:
            raise _plan.Refused(
                f"nat is {self.params['nat']} and public_subnets is empty: a NAT gateway stands in a public subnet. "
                "Give public_subnets, or set nat to none."
            )
        offered = [
            zone["ZoneName"] for zone in self.api.describe_availability_zones(aws_retry=True)["AvailabilityZones"]
        ]
        for zone in zones:
            if zone not in offered:
                raise _plan.Refused(
                    f"availability_zones has {zone!r}, which {self.module.region} does not offer to this account: "
                    f"choose from {', '.join(sorted(offered))}."
                )

    # Reading

    def _ours(
        self, operation: str, items: str, argument: str = "Filters"
    ) -> list[tuple[str, dict[str, Any], dict[str, str]]]:
        """Return part, description and tags of every resource of one kind that carries our tags."""
        asked = [{"Name": f"tag:{_network.NETWORK_TAG}", "Values": [self.name]}]
        result = []
        for found in self._pages(operation, items, {argument: asked}):
            tags = _aws.tags_to_dict(found.get("Tags"))
            if tags.get(_network.NETWORK_TAG) == self.name:  # an emulator may not know the filter
                result.append((tags.get(_network.PART_TAG, ""), found, tags))
        return result

    def _pages(self, operation: str, items: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = []
        page: dict[str, Any] = {}
        while not page or page.get("NextToken"):
            token = {"NextToken": page["NextToken"]} if page else {}
            page = getattr(self.api, operation)(aws_retry=True, **arguments, **token)
            result += page[items]
        return result

    def read(self) -> _plan.Tree:
        tree: _plan.Tree = {}
        vpcs = self._ours("describe_vpcs", "Vpcs")
        if len(vpcs) > 1:
            ids = ", ".join(found["VpcId"] for _part, found, _tags in vpcs)
            raise _plan.Refused(
                f"Several VPCs carry the tag {_network.NETWORK_TAG}={self.name} ({ids}): remove it from all but one."
            )
        for _part, found, tags in vpcs:
            vpc_id = found["VpcId"]
            flags = {"dns_support": "EnableDnsSupport", "dns_hostnames": "EnableDnsHostnames"}
            tree[f"vpc/{self.name}"] = {
                "id": vpc_id,
                "cidr": found["CidrBlock"],
                "tags": tags,
                **{field: self._vpc_attribute(vpc_id, name) for field, name in flags.items()},
            }
        for _part, found, tags in self._ours("describe_internet_gateways", "InternetGateways"):
            attached = bool(found["Attachments"])
            fields = {"id": found["InternetGatewayId"], "attached": attached, "tags": tags}
            tree[f"internet_gateway/{self.name}"] = fields
        for part, found, tags in self._ours("describe_subnets", "Subnets"):
            tree[f"subnet/{part}"] = {
                "id": found["SubnetId"],
                "cidr": found["CidrBlock"],
                "az": found["AvailabilityZone"],
                "map_public_ip": found["MapPublicIpOnLaunch"],
                "tags": tags,
            }
        for part, found, tags in self._ours("describe_addresses", "Addresses"):
            tree[f"elastic_ip/{part}"] = {"id": found["AllocationId"], "public_ip": found["PublicIp"], "tags": tags}
        self._read_gateways(tree)
        if vpcs:
            self._read_routes(tree)
        for part, found, tags in self._ours("describe_vpc_endpoints", "VpcEndpoints"):
            if found["State"].lower() not in ("deleting", "deleted"):
                names = {
                    fields["id"]: _plan.name_of(key)
                    for key, fields in tree.items()
                    if _plan.kind_of(key) == "route_table"
                }
                tables = sorted(names.get(table, table) for table in found.get("RouteTableIds", []))
                tree[f"endpoint/{part}"] = {"id": found["VpcEndpointId"], "route_tables": tables, "tags": tags}
        return tree

    def _vpc_attribute(self, vpc_id: str, name: str) -> bool:
        answer = self.api.describe_vpc_attribute(VpcId=vpc_id, Attribute=name[0].lower() + name[1:], aws_retry=True)
        return bool(answer[name]["Value"])

    def _read_gateways(self, tree: _plan.Tree) -> None:
        subnets = _names(tree, "subnet")
        addresses = _names(tree, "elastic_ip")
        for part, found, tags in self._ours("describe_nat_gateways", "NatGateways", "Filter"):
            if found["State"] not in ("pending", "available"):
                self.dead_gateways.append(found["NatGatewayId"])
                continue
            address = next(
                (one["AllocationId"] for one in found["NatGatewayAddresses"] if one.get("AllocationId")), None
            )
            tree[f"nat_gateway/{part}"] = {
                "id": found["NatGatewayId"],
                "subnet": subnets.get(found["SubnetId"], found["SubnetId"]),
                "elastic_ip": addresses.get(address, address),
                "tags": tags,
            }

    def _read_routes(self, tree: _plan.Tree) -> None:
        """Read the route tables of the VPC: ours, their default routes, and with which table each of our subnets goes."""
        subnets = _names(tree, "subnet")
        targets = {gateway: f"nat gateway {zone}" for gateway, zone in _names(tree, "nat_gateway").items()}
        targets.update(dict.fromkeys(_names(tree, "internet_gateway"), INTERNET))
        asked = [{"Name": "vpc-id", "Values": [tree[f"vpc/{self.name}"]["id"]]}]
        for found in self._pages("describe_route_tables", "RouteTables", {"Filters": asked}):
            tags = _aws.tags_to_dict(found.get("Tags"))
            name = found["RouteTableId"]
            if tags.get(_network.NETWORK_TAG) == self.name:
                name = tags.get(_network.PART_TAG, name)
                tree[f"route_table/{name}"] = {"id": found["RouteTableId"], "tags": tags}
                for route in found["Routes"]:
                    if route.get("DestinationCidrBlock") == _network.ANYWHERE:
                        target = next((route[key] for key in route if key.endswith("Id")), "none")
                        tree[f"route/{name} {_network.ANYWHERE}"] = {"target": targets.get(target, target)}
            for association in found["Associations"]:
                if subnet := subnets.get(association.get("SubnetId")):
                    tree[f"association/{subnet}"] = {
                        "id": association["RouteTableAssociationId"],
                        "route_table": name,
                    }

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        return _network.wanted_tree(self.params, current)

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        return _network.facts(self.name, tree)

    # Writing

    def handlers(self) -> dict[str, _plan.Handler]:
        return {
            f"{action} {kind}": getattr(self, f"_{action}_{kind}", self._retag)
            for kind in self.order
            for action in (_plan.CREATE, _plan.UPDATE, _plan.DELETE)
        }

    def _tagged(self, change: _plan.Change) -> dict[str, Any]:
        """Return how to tag a resource in the very call that creates it, so that a killed run leaves nothing unfound."""
        tags = _aws.tags_to_list(change.after["tags"])
        return {"TagSpecifications": [{"ResourceType": RESOURCE_TYPES[change.kind], "Tags": tags}], "aws_retry": True}

    def _token(self, *parts: str) -> str:
        return hashlib.sha256("\n".join((self.name, *parts)).encode()).hexdigest()[:32]

    def _retag(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        if "tags" not in change.after:
            return {}
        resource = [tree[change.key]["id"]]
        setting, removing = _owned.tag_changes(change.before["tags"], change.after["tags"])
        if setting:
            self.api.create_tags(Resources=resource, Tags=_aws.tags_to_list(setting), aws_retry=True)
        if removing:
            self.api.delete_tags(Resources=resource, Tags=[{"Key": key} for key in removing], aws_retry=True)
        return {}

    def _vpc_id(self, tree: _plan.Tree) -> str:
        return str(tree[f"vpc/{self.name}"]["id"])

    def _create_vpc(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        vpc_id = self.api.create_vpc(CidrBlock=change.after["cidr"], **self._tagged(change))["Vpc"]["VpcId"]
        self.api.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True}, aws_retry=True)
        return {"id": vpc_id}

    def _update_vpc(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        for field, name in (("dns_support", "EnableDnsSupport"), ("dns_hostnames", "EnableDnsHostnames")):
            if field in change.after:
                value = {name: {"Value": change.after[field]}}
                self.api.modify_vpc_attribute(VpcId=self._vpc_id(tree), aws_retry=True, **value)
        return self._retag(change, tree)

    def _delete_vpc(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self.api.delete_vpc(VpcId=change.before["id"], aws_retry=True)
        return {}

    def _create_internet_gateway(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        made = self.api.create_internet_gateway(**self._tagged(change))["InternetGateway"]["InternetGatewayId"]
        self.api.attach_internet_gateway(InternetGatewayId=made, VpcId=self._vpc_id(tree), aws_retry=True)
        return {"id": made}

    def _update_internet_gateway(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        if "attached" in change.after:
            gateway = tree[change.key]["id"]
            self.api.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self._vpc_id(tree), aws_retry=True)
        return self._retag(change, tree)

    def _delete_internet_gateway(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        gateway = change.before["id"]
        if change.before["attached"]:
            self.api.detach_internet_gateway(InternetGatewayId=gateway, VpcId=self._vpc_id(tree), aws_retry=True)
        self.api.delete_internet_gateway(InternetGatewayId=gateway, aws_retry=True)
        return {}

    def _create_subnet(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        after = change.after
        made = self.api.create_subnet(
            VpcId=self._vpc_id(tree), CidrBlock=after["cidr"], AvailabilityZone=after["az"], **self._tagged(change)
        )["Subnet"]["SubnetId"]
        if after["map_public_ip"]:
            self._map_public_ip(made, True)
        return {"id": made}

    def _map_public_ip(self, subnet_id: str, value: bool) -> None:
        self.api.modify_subnet_attribute(SubnetId=subnet_id, MapPublicIpOnLaunch={"Value": value}, aws_retry=True)

    def _update_subnet(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        if "map_public_ip" in change.after:
            self._map_public_ip(tree[change.key]["id"], change.after["map_public_ip"])
        return self._retag(change, tree)

    def _delete_subnet(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        def gone() -> bool:
            try:
                self.api.delete_subnet(SubnetId=change.before["id"], aws_retry=True)
            except is_boto3_error_code("DependencyViolation"):
                # The network interfaces of a deleted balancer or NAT gateway linger for minutes.
                return False
            return True

        what = f"the subnet {change.name} ({change.before['id']}) to be out of use"
        _aws.wait_for(self.module, what, gone, self.params["wait_timeout"], delay=5)
        return {}

    def _create_elastic_ip(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        made = self.api.allocate_address(Domain="vpc", **self._tagged(change))
        return {"id": made["AllocationId"], "public_ip": made["PublicIp"]}

    def _delete_elastic_ip(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self._await_free(change.before["id"])
        self.api.release_address(AllocationId=change.before["id"], aws_retry=True)
        return {}

    def _await_free(self, address: str) -> None:
        """Wait until the NAT gateway that had an address is gone.

        All gateways are told to go before the first address is released: their minute or two passes once, not once for each.
        """

        def free() -> bool:
            living = [{"Name": "state", "Values": ["pending", "available", "deleting"]}]
            gateways = self._pages("describe_nat_gateways", "NatGateways", {"Filter": living})
            return address not in {
                one.get("AllocationId") for found in gateways for one in found["NatGatewayAddresses"]
            }

        what = f"the NAT gateway of the address {address} to be gone"
        _aws.wait_for(self.module, what, free, self.params["wait_timeout"], delay=5)

    def _create_nat_gateway(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        address = tree[f"elastic_ip/{change.after['elastic_ip']}"]["id"]
        if self.dead_gateways:
            self._await_free(address)
        made = self.api.create_nat_gateway(
            SubnetId=tree[f"subnet/{change.after['subnet']}"]["id"],
            AllocationId=address,
            # Gateways that failed or were removed are part of the token: the API would answer with them again.
            ClientToken=self._token(change.name, address, *sorted(self.dead_gateways)),
            **self._tagged(change),
        )
        return {"id": made["NatGateway"]["NatGatewayId"]}

    def _delete_nat_gateway(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self.api.delete_nat_gateway(NatGatewayId=change.before["id"], aws_retry=True)
        return {}

    def _create_route_table(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        return {
            "id": self.api.create_route_table(VpcId=self._vpc_id(tree), **self._tagged(change))["RouteTable"][
                "RouteTableId"
            ]
        }

    def _delete_route_table(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self.api.delete_route_table(RouteTableId=change.before["id"], aws_retry=True)
        return {}

    def _route(self, change: _plan.Change, tree: _plan.Tree) -> dict[str, Any]:
        table = change.name.split(" ", maxsplit=1)[0]
        route = {"RouteTableId": tree[f"route_table/{table}"]["id"], "DestinationCidrBlock": _network.ANYWHERE}
        if change.after["target"] == INTERNET:
            return {**route, "GatewayId": tree[f"internet_gateway/{self.name}"]["id"], "aws_retry": True}
        gateway = tree[f"nat_gateway/{change.after['target'].removeprefix('nat gateway ')}"]["id"]
        self._await_gateway(gateway)
        return {**route, "NatGatewayId": gateway, "aws_retry": True}

    def _await_gateway(self, gateway: str) -> None:
        """Wait until a NAT gateway takes routes. They are all created before the first route, so they come up side by side."""

        def available() -> bool:
            found = self.api.describe_nat_gateways(NatGatewayIds=[gateway], aws_retry=True)["NatGateways"][0]
            if found["State"] in ("failed", "deleting", "deleted"):
                reason = found.get("FailureMessage", "no reason given")
                self.module.fail_json(
                    msg=f"The NAT gateway {gateway} is {found['State']}: {reason}. Run again to make another."
                )
            return bool(found["State"] == "available")

        _aws.wait_for(
            self.module, f"the NAT gateway {gateway} to become available", available, self.params["wait_timeout"]
        )

    def _create_route(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self.api.create_route(**self._route(change, tree))
        return {}

    def _update_route(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self.api.replace_route(**self._route(change, tree))
        return {}

    def _delete_route(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        table = tree[f"route_table/{change.name.split(' ', maxsplit=1)[0]}"]["id"]
        self.api.delete_route(RouteTableId=table, DestinationCidrBlock=_network.ANYWHERE, aws_retry=True)
        return {}

    def _create_association(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        table = tree[f"route_table/{change.after['route_table']}"]["id"]
        subnet = tree[f"subnet/{change.name}"]["id"]
        return {
            "id": self.api.associate_route_table(RouteTableId=table, SubnetId=subnet, aws_retry=True)["AssociationId"]
        }

    def _update_association(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        table = tree[f"route_table/{change.after['route_table']}"]["id"]
        association = tree[change.key]["id"]
        answer = self.api.replace_route_table_association(AssociationId=association, RouteTableId=table, aws_retry=True)
        return {"id": answer["NewAssociationId"]}

    def _delete_association(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self.api.disassociate_route_table(AssociationId=change.before["id"], aws_retry=True)
        return {}

    def _create_endpoint(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        made = self.api.create_vpc_endpoint(
            VpcEndpointType="Gateway",
            VpcId=self._vpc_id(tree),
            ServiceName=f"com.amazonaws.{self.module.region}.s3",
            RouteTableIds=[tree[f"route_table/{table}"]["id"] for table in change.after["route_tables"]],
            **self._tagged(change),
        )
        return {"id": made["VpcEndpoint"]["VpcEndpointId"]}

    def _update_endpoint(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        if "route_tables" in change.after:
            before, after = set(change.before["route_tables"]), set(change.after["route_tables"])
            ids = {name: tree.get(f"route_table/{name}", {}).get("id", name) for name in before | after}
            differing = {
                "AddRouteTableIds": [ids[name] for name in sorted(after - before)],
                "RemoveRouteTableIds": [ids[name] for name in sorted(before - after)],
            }
            given = {name: tables for name, tables in differing.items() if tables}
            self.api.modify_vpc_endpoint(VpcEndpointId=tree[change.key]["id"], aws_retry=True, **given)
        return self._retag(change, tree)

    def _delete_endpoint(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        answer = self.api.delete_vpc_endpoints(VpcEndpointIds=[change.before["id"]], aws_retry=True)
        for failure in answer.get("Unsuccessful", []):
            self.module.fail_json(
                msg=f"AWS did not remove the endpoint {change.before['id']}: {failure['Error']['Message']}"
            )
        return {}


def _names(tree: _plan.Tree, kind: str) -> dict[Any, str]:
    """Return our names of the resources of a kind, by their ids."""
    return {fields["id"]: _plan.name_of(key) for key, fields in tree.items() if _plan.kind_of(key) == kind}


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
