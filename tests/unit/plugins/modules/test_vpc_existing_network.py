# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""vpc_existing_network: every thing that is wrong with somebody else's VPC is one message, and none of them is a write (R48)."""

from __future__ import annotations

from typing import Any

import contract
import pytest

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _existing_network as existing
from ansible_collections.wordpress_ha.aws.plugins.modules import vpc_existing_network as module
from ansible_collections.wordpress_ha.aws.plugins.modules import vpc_network

TIERS = ("public", "app", "data")
ZONES = ("us-east-1a", "us-east-1b")


class Foreign:
    """A VPC as another team makes it: two zones, one NAT gateway, a main table for the data tier."""

    def __init__(self, ec2: Any, zones: tuple[str, ...] = ZONES, prefix: int = 24) -> None:
        self.ec2 = ec2
        self.vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
        for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
            ec2.modify_vpc_attribute(VpcId=self.vpc, **{attribute: {"Value": True}})
        self.subnets: dict[str, list[str]] = {
            tier: [self.subnet(f"10.99.{row * 16 + column}.0/{prefix}", zone) for column, zone in enumerate(zones)]
            for row, tier in enumerate(TIERS)
        }
        self.tables = {tier: self.table(self.subnets[tier]) for tier in ("public", "app")}
        self.gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        self.route("public", GatewayId=self.gateway)
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        made = ec2.create_nat_gateway(SubnetId=self.subnets["public"][0], AllocationId=address)
        self.nat = made["NatGateway"]["NatGatewayId"]
        self.route("app", NatGatewayId=self.nat)

    def subnet(self, cidr: str, zone: str) -> str:
        made = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=cidr, AvailabilityZone=zone)
        return str(made["Subnet"]["SubnetId"])

    def table(self, subnets: list[str]) -> str:
        table = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        for subnet in subnets:
            self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        return str(table)

    def route(self, tier: str, **target: str) -> None:
        self.ec2.create_route(RouteTableId=self.tables[tier], DestinationCidrBlock="0.0.0.0/0", **target)

    def close(self, tier: str) -> None:
        self.ec2.delete_route(RouteTableId=self.tables[tier], DestinationCidrBlock="0.0.0.0/0")

    def tag(self) -> None:
        for tier, subnets in self.subnets.items():
            self.ec2.create_tags(Resources=subnets, Tags=[{"Key": "wordpress_ha:tier", "Value": tier}])

    @property
    def params(self) -> dict[str, Any]:
        return {"vpc_id": self.vpc, "subnet_ids": self.subnets, "variable_prefix": "network_"}


@pytest.fixture
def foreign(aws: Any) -> Foreign:
    return Foreign(aws("ec2"))


def test_a_good_vpc_is_described_as_our_own(foreign: Foreign) -> None:
    outcome = contract.succeed(module, foreign.params)
    facts = outcome.facts
    assert facts["problems"] == [] and outcome.writing == [] and outcome.result["changed"] is False
    assert facts["vpc_id"] == foreign.vpc and facts["cidr"] == "10.99.0.0/16"
    assert facts["availability_zones"] == list(ZONES)
    assert [one["id"] for one in facts["subnets"]["app"]] == foreign.subnets["app"]
    assert facts["nat_gateway_ids"] == {"us-east-1a": foreign.nat}
    assert facts["nat_public_ips"]["us-east-1a"].count(".") == 3
    assert facts["route_table_ids"]["public"] == foreign.tables["public"]
    ours = contract.succeed(vpc_network, {"name": "blog", "state": "gathered"}).facts
    assert set(facts) - {"problems"} == set(ours) - {"security_groups", "prefix_lists"}


def test_subnets_and_vpc_are_found_by_tags(foreign: Foreign) -> None:
    foreign.tag()
    foreign.ec2.create_tags(Resources=[foreign.vpc], Tags=[{"Key": "team", "Value": "net"}])
    facts = contract.succeed(module, {"vpc_tags": {"team": "net"}}).facts
    assert [one["id"] for one in facts["subnets"]["data"]] == foreign.subnets["data"]
    other = [{"Key": "tier", "Value": "back"}]
    foreign.ec2.create_tags(Resources=foreign.subnets["data"], Tags=other)
    params = {"vpc_tags": {"team": "net"}, "subnet_tags": {"data": {"tier": "back"}}}
    assert contract.succeed(module, params).facts["subnets"]["data"] == facts["subnets"]["data"]


def test_the_number_of_calls_does_not_grow_with_the_subnets(foreign: Foreign, aws: Any) -> None:
    few = len(contract.succeed(module, foreign.params).calls)
    many = Foreign(aws("ec2"), ("us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"))
    assert len(contract.succeed(module, many.params).calls) == few == 7


def refused(foreign: Foreign, *words: str, **change: Any) -> list[str]:
    """Insist on a refusal without a write; return the problems."""
    return list(contract.refuse(module, {**foreign.params, **change}, *words).result["problems"])


def subnets(foreign: Foreign, **change: list[str]) -> dict[str, Any]:
    return {"subnet_ids": {**foreign.subnets, **change}}


def test_no_vpc_is_named(foreign: Foreign) -> None:
    refused(foreign, "network_vpc_tags is not set", "Give its id or its tags", vpc_id="")


def test_no_such_vpc(foreign: Foreign) -> None:
    refused(foreign, "network_vpc_id is 'vpc-0123456789abcdef0'", "no such VPC", vpc_id="vpc-0123456789abcdef0")
    refused(foreign, "network_vpc_tags is {'team': 'net'}", "no such VPC", vpc_id="", vpc_tags={"team": "net"})
    refused(foreign, f"network_vpc_id is '{foreign.vpc}'", "with these tags", vpc_tags={"team": "net"})


def test_several_vpcs(foreign: Foreign) -> None:
    other = foreign.ec2.create_vpc(CidrBlock="10.98.0.0/16")["Vpc"]["VpcId"]
    foreign.ec2.create_tags(Resources=[foreign.vpc, other], Tags=[{"Key": "team", "Value": "net"}])
    refused(foreign, "network_vpc_tags", "several VPCs", other, "network_vpc_id", vpc_id="", vpc_tags={"team": "net"})


@pytest.mark.parametrize(("attribute", "word"), [("EnableDnsSupport", "support"), ("EnableDnsHostnames", "hostnames")])
def test_dns_is_off(foreign: Foreign, attribute: str, word: str) -> None:
    foreign.ec2.modify_vpc_attribute(VpcId=foreign.vpc, **{attribute: {"Value": False}})
    problems = refused(foreign, "network_vpc_id", f"DNS {word} is off", f"--enable-dns-{word}`")
    assert len(problems) == 1


def test_a_subnet_that_is_not_there(foreign: Foreign) -> None:
    wrong = "subnet-0123456789abcdef0"
    problems = refused(
        foreign,
        f"network_subnet_ids.app[2] is '{wrong}'",
        "no such subnet",
        **subnets(foreign, app=[*foreign.subnets["app"], wrong]),
    )
    assert len(problems) == 1


def test_a_subnet_of_another_vpc(foreign: Foreign, aws: Any) -> None:
    other = Foreign(aws("ec2"))
    problems = refused(
        foreign,
        f"network_subnet_ids.data[1] is '{other.subnets['data'][1]}'",
        f"the subnet is in {other.vpc}, not in {foreign.vpc}",
        **subnets(foreign, data=[*foreign.subnets["data"][:1], other.subnets["data"][1], foreign.subnets["data"][1]]),
    )
    assert len(problems) == 1


def test_a_subnet_twice(foreign: Foreign) -> None:
    app = foreign.subnets["app"]
    problems = refused(foreign, "network_subnet_ids.app[2]", "twice", **subnets(foreign, app=[*app, app[0]]))
    assert len(problems) == 1


def test_no_subnet_with_the_tag(foreign: Foreign) -> None:
    problems = refused(
        foreign, "network_subnet_ids.public is not set", "wordpress_ha:tier=public", **subnets(foreign, public=[])
    )
    assert len(problems) == 1


def test_a_tier_in_one_zone(foreign: Foreign) -> None:
    for tier in TIERS:
        problems = refused(
            foreign,
            f"network_subnet_ids.{tier} is '{foreign.subnets[tier][0]}'",
            "all of them are in us-east-1a",
            "Add a subnet of another zone",
            **subnets(foreign, **{tier: foreign.subnets[tier][:1]}),
        )
        assert len(problems) == (1 if tier == "app" else 2)  # without its zone the web nodes there lack a neighbour


def test_two_subnets_in_one_zone(foreign: Foreign) -> None:
    second = foreign.subnet("10.99.200.0/24", "us-east-1a")
    more = [*foreign.subnets["data"], second]
    problems = refused(
        foreign, "network_subnet_ids.data", second, "us-east-1a", "file system", **subnets(foreign, data=more)
    )
    assert len(problems) == 1
    foreign.ec2.associate_route_table(RouteTableId=foreign.tables["app"], SubnetId=second)
    contract.succeed(module, {**foreign.params, **subnets(foreign, app=[*foreign.subnets["app"], second])})


def test_a_subnet_in_two_tiers(foreign: Foreign) -> None:
    both = [foreign.subnets["app"][0], foreign.subnets["data"][1]]
    problems = refused(foreign, f"is '{both[0]}'", "is in app too", "one tier alone", **subnets(foreign, data=both))
    assert len(problems) == 1


def test_web_nodes_in_a_zone_without_neighbours(foreign: Foreign) -> None:
    third = foreign.subnet("10.99.201.0/24", "us-east-1c")
    foreign.ec2.associate_route_table(RouteTableId=foreign.tables["app"], SubnetId=third)
    problems = refused(
        foreign,
        "network_subnet_ids.public",
        "us-east-1c",
        "load balancer reaches no node",
        "mount target",
        **subnets(foreign, app=[*foreign.subnets["app"], third]),
    )
    assert len(problems) == 2


def test_public_subnets_that_are_not(foreign: Foreign) -> None:
    foreign.close("public")
    problems = refused(
        foreign,
        f"network_subnet_ids.public is '{foreign.subnets['public'][0]}'",
        f"{foreign.tables['public']} has no route for 0.0.0.0/0 to an internet gateway",
    )
    assert len(problems) == 2


def test_private_subnets_that_are_public(foreign: Foreign) -> None:
    foreign.close("app")
    foreign.route("app", GatewayId=foreign.gateway)
    problems = refused(
        foreign, f"network_subnet_ids.app is '{foreign.subnets['app'][0]}'", "so the subnet is public", foreign.gateway
    )
    assert len(problems) == 2
    main = foreign.ec2.describe_route_tables(
        Filters=[{"Name": "vpc-id", "Values": [foreign.vpc]}, {"Name": "association.main", "Values": ["true"]}]
    )["RouteTables"][0]["RouteTableId"]
    foreign.ec2.create_route(RouteTableId=main, DestinationCidrBlock="0.0.0.0/0", GatewayId=foreign.gateway)
    problems = refused(foreign, f"network_subnet_ids.data is '{foreign.subnets['data'][1]}'", f"{main} leads to")
    assert len(problems) == 4


def test_web_nodes_that_get_nowhere(foreign: Foreign) -> None:
    foreign.close("app")
    problems = refused(foreign, "no default route, and there is no endpoint for s3, secretsmanager, ssm", "NAT gateway")
    assert len(problems) == 2


def test_endpoints_in_place_of_a_way_out(foreign: Foreign) -> None:
    foreign.close("app")
    service = "com.amazonaws.us-east-1"
    ec2 = foreign.ec2
    ec2.create_vpc_endpoint(VpcId=foreign.vpc, ServiceName=f"{service}.s3", RouteTableIds=[foreign.tables["app"]])
    for name, private in (("ssm", True), ("secretsmanager", False)):
        ec2.create_vpc_endpoint(
            VpcEndpointType="Interface",
            VpcId=foreign.vpc,
            ServiceName=f"{service}.{name}",
            SubnetIds=foreign.subnets["app"],
            PrivateDnsEnabled=private,
        )
    # Without private DNS nobody finds the endpoint.
    problems = refused(foreign, "there is no endpoint for secretsmanager.")
    assert len(problems) == 2
    contract.succeed(module, {**foreign.params, "endpoints": ["s3", "ssm"]})


def test_too_few_free_addresses(aws: Any) -> None:
    foreign = Foreign(aws("ec2"), prefix=28)
    problems = refused(foreign, "has 11 free addresses, and 12 are needed", free_addresses={"data": 12})
    assert len(problems) == 2 and all("network_subnet_ids.data" in one for one in problems)


def test_addresses_of_our_own_do_not_count(aws: Any) -> None:
    foreign = Foreign(aws("ec2"), prefix=28)
    group = aws("ec2").create_security_group(GroupName="blog-database", Description="x", VpcId=foreign.vpc)["GroupId"]
    for subnet in foreign.subnets["data"]:
        for _each in range(4):
            aws("ec2").create_network_interface(SubnetId=subnet, Groups=[group])
    params = {**foreign.params, "name": "blog"}
    contract.succeed(module, params)
    refused(foreign, "free addresses", name="shop")


def test_ipv6_where_there_is_none(foreign: Foreign) -> None:
    refused(foreign, "network_ipv6 is True", "the VPC has no IPv6 range", ipv6=True)
    foreign.ec2.associate_vpc_cidr_block(VpcId=foreign.vpc, AmazonProvidedIpv6CidrBlock=True)
    problems = refused(foreign, "network_ipv6 is True", f"{foreign.subnets['app'][0]} has no IPv6 range", ipv6=True)
    assert len(problems) == 4


def test_what_is_wrong_can_be_read_without_failing(foreign: Foreign) -> None:
    foreign.close("public")
    facts = contract.succeed(module, {**foreign.params, "validate": False}).facts
    assert len(facts["problems"]) == 2 and facts["vpc_id"] == foreign.vpc


def test_everything_wrong_is_said_at_once(foreign: Foreign) -> None:
    foreign.close("public")
    foreign.ec2.modify_vpc_attribute(VpcId=foreign.vpc, EnableDnsHostnames={"Value": False})
    outcome = contract.refuse(module, foreign.params, "3 things are wrong", "\n- ")
    assert all(" is " in one and ". " in one for one in outcome.result["problems"])


# The pure core, where no emulator has the state


def options(change: dict[str, Any] | None = None) -> dict[str, Any]:
    defaults = {"vpc_id": "vpc-1", "vpc_tags": {}, "subnet_tags": {}, "name": "", "ipv6": False, "prefix": ""}
    given = {"subnet_ids": {tier: [f"{tier}-a", f"{tier}-b"] for tier in TIERS}, "endpoints": existing.ENDPOINTS}
    return {**defaults, **given, "free_addresses": existing.FREE_ADDRESSES, **(change or {})}


def found(**change: Any) -> dict[str, Any]:
    """A good VPC as ``read`` returns it."""
    routes = {"public": {"GatewayId": "igw-1"}, "app": {"TransitGatewayId": "tgw-1"}}
    return {
        "vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "State": "available"}],
        "enableDnsSupport": True,
        "enableDnsHostnames": True,
        "subnets": [
            {
                "SubnetId": f"{tier}-{letter}",
                "AvailabilityZone": f"us-east-1{letter}",
                "AvailableIpAddressCount": 100,
                "CidrBlock": "10.0.0.0/24",
                "State": "available",
            }
            for tier in TIERS
            for letter in "ab"
        ],
        "strangers": [],
        "route_tables": [
            {
                "RouteTableId": f"rtb-{tier}",
                "Associations": [{"SubnetId": f"{tier}-{letter}"} for letter in "ab"],
                "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "State": "active", **target}] if target else [],
            }
            for tier, target in {**routes, "data": {}}.items()
        ],
        "endpoints": [],
        "nat_gateways": [],
        "ours": {},
        **change,
    }


def said(**change: Any) -> list[str]:
    return [str(problem) for problem in existing.problems(found(**change), options())]


def test_a_transit_gateway_is_a_way_out() -> None:
    assert said() == []


def test_a_way_out_that_is_gone() -> None:
    tables = found()["route_tables"]
    for table in tables[:2]:
        table["Routes"][0]["State"] = "blackhole"
    problems = said(route_tables=tables)
    assert len(problems) == 4
    assert "the default route of rtb-public leads to igw-1, which is gone" in problems[0]
    assert "the default route of rtb-app leads to tgw-1, which is gone" in problems[2]


def test_what_is_not_available_yet() -> None:
    pending = found()["subnets"]
    pending[0]["State"] = "pending"
    assert said(subnets=pending) == [
        "subnet_ids.public is 'public-a': the subnet is pending. Wait until it is available."
    ]
    vpcs = [{"VpcId": "vpc-1", "State": "pending"}]
    assert said(vpcs=vpcs) == ["vpc_id is 'vpc-1': the VPC is pending. Wait until it is available."]
