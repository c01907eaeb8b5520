# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource family of the module vpc_network; IPv6, interface endpoints and flow logs are in _vpc_parts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from . import _aws, _network, _owned, _plan, _several
from ._security_groups import SecurityGroups
from ._vpc_parts import Parts, names_of

# These go with the VPC and the subnet whose they are.
DEPENDENT = ("vpc_ipv6", "subnet_ipv6")


class Network(Parts):
    """The kinds of ``order``, named as ``_network.wanted_tree`` does; ``id`` is the only field that it does not know."""

    order = (
        "vpc",
        "vpc_ipv6",
        "internet_gateway",
        "egress_gateway",
        "security_group",
        "subnet",
        "subnet_ipv6",
        "elastic_ip",
        "nat_gateway",
        "route_table",
        "route",
        "association",
        "endpoint",
        "log_group",
        "flow_log",
        *SecurityGroups.order,
    )
    # Entries stay for as long as they are to be kept, also when no more are written.
    purge = tuple(kind for kind in order if kind not in ("vpc", "log_group", *DEPENDENT))
    immutable = {
        "vpc": ("cidr",),
        "subnet": ("cidr", "az"),
        "nat_gateway": ("subnet", "elastic_ip"),
        **SecurityGroups.immutable,
    }

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.dead_gateways: list[str] = []
        self.groups = self._family(module)
        if self.params["state"] == "present":
            self._check()

    def _family(self, module: AnsibleAWSModule) -> SecurityGroups | None:
        """Return the security groups as a family of their own, which learns later whether and where the VPC is."""
        if self.params["security_groups"] is None:
            return None
        given = {"groups": self.params["security_groups"], "purge_groups": True, "vpc_id": None, "ipv6": False}
        view = _several.View(module, {**self.params, **given}, _several.Common(clients={("ec2", None): self.api}))
        return SecurityGroups(view)  # type: ignore[arg-type]

    def _check(self) -> None:
        zones = self.params["availability_zones"] or []
        subnets = {tier: self.params[f"{tier}_subnets"] for tier in _network.TIERS}
        _network.check_ranges(self.params["cidr"], zones, subnets)
        if self.params["nat"] != "none" and subnets["app"] and not subnets["public"]:
            raise _plan.Refused(
                f"nat is {self.params['nat']} and public_subnets is empty: a NAT gateway stands in a public subnet. "
                "Give public_subnets, or set nat to none."
            )
        _network.check_endpoints(self.params["interface_endpoints"], subnets["app"])
        _network.check_flow_logs(self.params["flow_logs"])

    def _check_zones(self, zones: set[str]) -> None:
        offered = [
            zone["ZoneName"] for zone in self.api.describe_availability_zones(aws_retry=True)["AvailabilityZones"]
        ]
        for zone in sorted(zones):
            if zone not in offered:
                raise _plan.Refused(
                    f"availability_zones has {zone!r}, which {self.module.region} does not offer to this account: "
                    f"choose from {', '.join(sorted(offered))}."
                )

    # Reading

    def read(self) -> _plan.Tree:
        tree: _plan.Tree = {}
        compared = self.params["state"] == "present"  # what is in no fact is asked for only then
        vpcs = self.ours("describe_vpcs", "Vpcs")
        if len(vpcs) > 1:
            ids = ", ".join(found["VpcId"] for _part, found, _tags in vpcs)
            raise _plan.Refused(
                f"Several VPCs carry the tag {_network.NETWORK_TAG}={self.name} ({ids}): remove it from all but one."
            )
        for _part, found, tags in vpcs:
            vpc_id = found["VpcId"]
            whose = f"The VPC {vpc_id} of the network {self.name}"
            _owned.refuse_foreign(whose, tags, self.params["tags"], self.params["state"] == "absent")
            flags = {"dns_support": "EnableDnsSupport", "dns_hostnames": "EnableDnsHostnames"} if compared else {}
            tree[f"vpc/{self.name}"] = {
                "id": vpc_id,
                "cidr": found["CidrBlock"],
                "tags": tags,
                **{field: self._vpc_attribute(vpc_id, name) for field, name in flags.items()},
            }
            self.read_vpc_ipv6(tree, found)
        for _part, found, tags in self.ours("describe_internet_gateways", "InternetGateways"):
            attached = bool(found["Attachments"])
            fields = {"id": found["InternetGatewayId"], "attached": attached, "tags": tags}
            tree[f"internet_gateway/{self.name}"] = fields
        for part, found, tags in self.ours("describe_subnets", "Subnets"):
            tree[f"subnet/{part}"] = {
                "id": found["SubnetId"],
                "cidr": found["CidrBlock"],
                "az": found["AvailabilityZone"],
                "map_public_ip": found["MapPublicIpOnLaunch"],
                "tags": tags,
            }
            self.read_subnet_ipv6(tree, part, found)
        for part, found, tags in self.ours("describe_addresses", "Addresses"):
            tree[f"elastic_ip/{part}"] = {"id": found["AllocationId"], "public_ip": found["PublicIp"], "tags": tags}
        self._read_gateways(tree)
        tree.update(self._read_groups(tree))
        if self.params["state"] != "gathered":
            self.read_security_group(tree, self.groups.seen if self.groups else None)
        if vpcs:
            self._read_routes(tree)
        self.read_endpoints(tree)
        self.read_flow_logs(tree)
        return tree

    def _read_groups(self, tree: _plan.Tree) -> _plan.Tree:
        if not self.groups:
            return {}
        if self.params["state"] == "present":
            self.groups.params["vpc_id"] = tree.get(f"vpc/{self.name}", {}).get("id", _plan.UNKNOWN)
            self.groups.params["ipv6"] = bool(self.params["ipv6"]) or f"vpc_ipv6/{self.name}" in tree
        return self.groups.read()

    def _vpc_attribute(self, vpc_id: str, name: str) -> bool:
        answer = self.api.describe_vpc_attribute(VpcId=vpc_id, Attribute=name[0].lower() + name[1:], aws_retry=True)
        return bool(answer[name]["Value"])

    def _read_gateways(self, tree: _plan.Tree) -> None:
        subnets = names_of(tree, "subnet")
        addresses = names_of(tree, "elastic_ip")
        for part, found, tags in self.ours("describe_nat_gateways", "NatGateways", "Filter"):
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
        subnets = names_of(tree, "subnet")
        targets = {gateway: f"nat gateway {zone}" for gateway, zone in names_of(tree, "nat_gateway").items()}
        targets.update(dict.fromkeys(names_of(tree, "internet_gateway"), _network.INTERNET))
        targets.update(dict.fromkeys(names_of(tree, "egress_gateway"), _network.EGRESS))
        asked = [{"Name": "vpc-id", "Values": [tree[f"vpc/{self.name}"]["id"]]}]
        for found in self.pages("describe_route_tables", "RouteTables", {"Filters": asked}):
            tags = _aws.tags_to_dict(found.get("Tags"))
            name = found["RouteTableId"]
            if tags.get(_network.NETWORK_TAG) == self.name:
                name = tags.get(_network.PART_TAG, name)
                tree[f"route_table/{name}"] = {"id": found["RouteTableId"], "tags": tags}
                for route in found["Routes"]:
                    destination = route.get("DestinationCidrBlock") or route.get("DestinationIpv6CidrBlock")
                    if destination in (_network.ANYWHERE, _network.ANYWHERE_IPV6):
                        target = next((route[key] for key in route if key.endswith("Id")), "none")
                        tree[f"route/{name} {destination}"] = {"target": targets.get(target, target)}
            for association in found["Associations"]:
                if subnet := subnets.get(association.get("SubnetId")):
                    tree[f"association/{subnet}"] = {
                        "id": association["RouteTableAssociationId"],
                        "route_table": name,
                    }

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        tree = _network.wanted_tree(self.params, current)
        new = {fields["az"] for key, fields in tree.items() if _plan.kind_of(key) == "subnet" and key not in current}
        if new:
            self._check_zones(new)
        self.check_services(tree, current)
        return {**tree, **(self.groups.desired(current) if self.groups else {})}

    def judged(self, changes: list[_plan.Change]) -> Iterable[tuple[str, str, dict[str, Any]]]:
        return self.groups.judged(changes) if self.groups else ()

    def changes(self, tree: _plan.Tree) -> list[_plan.Change]:
        changes = super().changes(tree)
        if self.params["state"] != "absent":
            return changes
        return [change for change in changes if change.kind not in DEPENDENT]

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        groups = self.groups.facts(tree) if self.groups else {"groups": {}, "prefix_lists": {}}
        return {
            **_network.facts(self.name, tree),
            "security_groups": groups["groups"],
            "prefix_lists": groups["prefix_lists"],
        }

    # Writing

    def handlers(self) -> dict[str, _plan.Handler]:
        own = {
            f"{action} {kind}": getattr(self, f"_{action}_{kind}", self.retag)
            for kind in self.order
            for action in (_plan.CREATE, _plan.UPDATE, _plan.DELETE)
        }
        return {**own, **self.groups.handlers(), "create group": self._create_group} if self.groups else own

    def _create_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        family = self.groups
        if family is None:  # there is no such change then
            return {}
        family.params["vpc_id"] = self.vpc_id(tree)
        return family.handlers()["create group"](change, tree)

    def _token(self, *parts: str) -> str:
        return hashlib.sha256("\n".join((self.name, *parts)).encode()).hexdigest()[:32]

    def _create_vpc(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        vpc_id = self.api.create_vpc(CidrBlock=change.after["cidr"], **self.tagged(change))["Vpc"]["VpcId"]
        self.api.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True}, aws_retry=True)
        return {"id": vpc_id}

    def _update_vpc(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        for field, name in (("dns_support", "EnableDnsSupport"), ("dns_hostnames", "EnableDnsHostnames")):
            if field in change.after:
                value = {name: {"Value": change.after[field]}}
                self.api.modify_vpc_attribute(VpcId=self.vpc_id(tree), aws_retry=True, **value)
        return self.retag(change, tree)

    def _delete_vpc(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self.api.delete_vpc(VpcId=change.before["id"], aws_retry=True)
        return {}

    def _create_internet_gateway(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        made = self.api.create_internet_gateway(**self.tagged(change))["InternetGateway"]["InternetGatewayId"]
        self.api.attach_internet_gateway(InternetGatewayId=made, VpcId=self.vpc_id(tree), aws_retry=True)
        return {"id": made}

    def _update_internet_gateway(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        if "attached" in change.after:
            gateway = tree[change.key]["id"]
            self.api.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc_id(tree), aws_retry=True)
        return self.retag(change, tree)

    def _delete_internet_gateway(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        gateway = change.before["id"]
        if change.before["attached"]:
            self.api.detach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc_id(tree), aws_retry=True)
        self.api.delete_internet_gateway(InternetGatewayId=gateway, aws_retry=True)
        return {}

    def _create_subnet(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        after = change.after
        made = self.api.create_subnet(
            VpcId=self.vpc_id(tree), CidrBlock=after["cidr"], AvailabilityZone=after["az"], **self.tagged(change)
        )["Subnet"]["SubnetId"]
        if after["map_public_ip"]:
            self._map_public_ip(made, True)
        return {"id": made}

    def _map_public_ip(self, subnet_id: str, value: bool) -> None:
        self.api.modify_subnet_attribute(SubnetId=subnet_id, MapPublicIpOnLaunch={"Value": value}, aws_retry=True)

    def _update_subnet(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        if "map_public_ip" in change.after:
            self._map_public_ip(tree[change.key]["id"], change.after["map_public_ip"])
        return self.retag(change, tree)

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
        made = self.api.allocate_address(Domain="vpc", **self.tagged(change))
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
            gateways = self.pages("describe_nat_gateways", "NatGateways", {"Filter": living})
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
            **self.tagged(change),
        )
        return {"id": made["NatGateway"]["NatGatewayId"]}

    def _delete_nat_gateway(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self.api.delete_nat_gateway(NatGatewayId=change.before["id"], aws_retry=True)
        return {}

    def _create_route_table(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        return {
            "id": self.api.create_route_table(VpcId=self.vpc_id(tree), **self.tagged(change))["RouteTable"][
                "RouteTableId"
            ]
        }

    def _delete_route_table(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self.api.delete_route_table(RouteTableId=change.before["id"], aws_retry=True)
        return {}

    def _place(self, change: _plan.Change, tree: _plan.Tree) -> dict[str, Any]:
        table, _space, destination = change.name.partition(" ")
        argument = "DestinationIpv6CidrBlock" if ":" in destination else "DestinationCidrBlock"
        return {"RouteTableId": tree[f"route_table/{table}"]["id"], argument: destination, "aws_retry": True}

    def _route(self, change: _plan.Change, tree: _plan.Tree) -> dict[str, Any]:
        route, target = self._place(change, tree), change.after["target"]
        if target == _network.INTERNET:
            return {**route, "GatewayId": tree[f"internet_gateway/{self.name}"]["id"]}
        if target == _network.EGRESS:
            return {**route, "EgressOnlyInternetGatewayId": tree[f"egress_gateway/{self.name}"]["id"]}
        gateway = tree[f"nat_gateway/{target.removeprefix('nat gateway ')}"]["id"]
        self._await_gateway(gateway)
        return {**route, "NatGatewayId": gateway}

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
        self.api.delete_route(**self._place(change, tree))
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
