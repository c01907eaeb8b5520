# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""VPCs: what optional parts of a network need beyond moto, and what AWS refuses where moto does not."""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.models.nat_gateways import NatGatewayBackend
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.ec2.models.subnets import Subnet
from moto.ec2.models.vpcs import VPCBackend

from . import extension
from .patching import Function, wrap


@extension("ec2-endpoint-services", "the filter service-name of DescribeVpcEndpointServices crashes")
def _endpoint_services() -> None:
    @wrap(VPCBackend, "_filter_endpoint_services")
    def filtered(
        original: Function, names: list[str], filters: list[dict[str, Any]], services: list[dict[str, Any]]
    ) -> Any:
        wanted = [set(one["Values"]) for one in filters if one["Name"] == "service-name"]
        others = [one for one in filters if one["Name"] != "service-name"]
        fitting = [one for one in services if all(one["ServiceName"] in names for names in wanted)]
        return original(names, others, fitting)

    VPCBackend._filter_endpoint_services = staticmethod(VPCBackend._filter_endpoint_services)  # type: ignore[method-assign]


@extension("ec2-subnet-ipv6", "the state of a subnet's IPv6 range is reported as the text of a dictionary")
def _subnet_ipv6() -> None:
    def ranges(self: Any) -> list[dict[str, Any]]:
        return [one for one in self.ipv6_cidr_block_associations.values() if _living(one)]

    Subnet.ipv6_cidr_block_association_set = property(ranges)  # type: ignore[assignment]


def _living(association: dict[str, Any]) -> bool:
    return bool(association["ipv6CidrBlockState"]["State"] == "associated")


@extension("ec2-nat-address", "address and interface of a deleted NAT gateway stay in use for ever")
def _nat_address() -> None:
    @wrap(NatGatewayBackend, "delete_nat_gateway")
    def delete(original: Function, self: Any, nat_gateway_id: str) -> Any:
        gateway = original(self, nat_gateway_id)
        numbers = [one["allocationId"] for one in gateway.address_set]
        for address in self.address_by_allocation(numbers) if numbers else []:
            self.disassociate_address(address=address.public_ip)
        self.enis.pop(gateway._eni.id, None)
        return gateway


@extension(
    "ec2-endpoint-interfaces", "interfaces of an endpoint have the default security group, whatever it was given"
)
def _endpoint_interfaces() -> None:
    @wrap(VPCBackend, "create_vpc_endpoint")
    def create(original: Function, self: Any, *args: Any, **kwargs: Any) -> Any:
        endpoint = original(self, *args, **kwargs)
        _dress(self, endpoint)
        return endpoint

    @wrap(VPCBackend, "modify_vpc_endpoint")
    def modify(original: Function, self: Any, vpc_id: str, *args: Any, **kwargs: Any) -> None:
        original(self, vpc_id, *args, **kwargs)
        _dress(self, self.vpc_end_points[vpc_id])


def _dress(backend: Any, endpoint: Any) -> None:
    """Give the interfaces of an endpoint its security groups, and each of its subnets an interface."""
    if (endpoint.vpc_endpoint_type or "").lower() != "interface":
        return
    standing = {backend.enis[one].subnet.id: one for one in endpoint.network_interface_ids if one in backend.enis}
    for subnet, interface in standing.items():
        if subnet not in endpoint.subnet_ids:
            backend.enis.pop(interface)
    for subnet in endpoint.subnet_ids:
        if subnet not in standing:
            standing[subnet] = backend.create_network_interface(subnet, None).id
    endpoint.network_interface_ids = [standing[subnet] for subnet in endpoint.subnet_ids]
    groups = [backend.get_security_group_from_id(one) for one in endpoint.security_group_ids or []]
    for interface in endpoint.network_interface_ids:
        backend.enis[interface].interface_type = "vpc_endpoint"
        if groups:
            backend.enis[interface]._group_set = list(groups)


@extension("ec2-groups-in-use", "a security group is deleted while interfaces have it or rules of other groups name it")
def _groups_in_use() -> None:
    @wrap(SecurityGroupBackend, "delete_security_group")
    def delete(original: Function, self: Any, name: str | None = None, group_id: str | None = None) -> Any:
        group = self.get_security_group_from_id(group_id) if group_id else None
        if group is not None and group.name != "default":
            users = [eni.id for eni in self.enis.values() if group_id in {one.id for one in eni.group_set}]
            users += [
                other.id
                for other in self.groups[group.vpc_id].values()
                for rule in [*other.ingress_rules, *other.egress_rules]
                if other.id != group_id and (rule.source_group or {}).get("GroupId") == group_id
            ]
            if users:
                raise DependencyViolationError(f"resource {group_id} has a dependent object ({users[0]})")
        return original(self, name, group_id)


@extension("ec2-template-public-ip", "a launch template's public address does not reach the instance")
def _template_public_ip() -> None:
    @wrap(InstanceBackend, "run_instances")
    def run_instances(original: Function, self: Any, *args: Any, **kwargs: Any) -> Any:
        data = self._get_template_from_args(kwargs["launch_template"]).data if kwargs.get("launch_template") else {}
        for interface in data.get("NetworkInterfaces") or []:
            if interface.get("AssociatePublicIpAddress") is not None and not kwargs.get("nics"):
                kwargs["associate_public_ip"] = str(interface["AssociatePublicIpAddress"]).lower() == "true"
        return original(self, *args, **kwargs)
