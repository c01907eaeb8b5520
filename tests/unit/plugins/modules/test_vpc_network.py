# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""vpc_network: a whole network in one process; no address or gateway is ever made twice."""

from __future__ import annotations

import contract
import pytest
from moto.ec2.models.nat_gateways import NatGatewayBackend

from ansible_collections.wordpress_ha.aws.plugins.modules import vpc_network as module

PARAMS = {
    "name": "blog",
    "cidr": "10.40.0.0/16",
    "availability_zones": ["us-east-1a", "us-east-1b"],
    "public_subnets": ["10.40.0.0/24", "10.40.1.0/24"],
    "app_subnets": ["10.40.16.0/20", "10.40.32.0/20"],
    "data_subnets": ["10.40.8.0/24", "10.40.9.0/24"],
    "tags": {"wordpress_ha:stack": "blog", "wordpress_ha:role": "network"},
}


@pytest.fixture(autouse=True)
def a_deleted_gateway_frees_its_address(monkeypatch):
    """moto 5.2.5 leaves the address associated for ever; AWS frees it when the gateway is gone."""
    delete = NatGatewayBackend.delete_nat_gateway

    def freeing(backend, nat_gateway_id):
        gateway = delete(backend, nat_gateway_id)
        for address in backend.address_by_allocation([one["allocationId"] for one in gateway.address_set]):
            backend.disassociate_address(address=address.public_ip)
        return gateway

    monkeypatch.setattr(NatGatewayBackend, "delete_nat_gateway", freeing)


def remains(aws):
    """Everything in the account that carries the network's tag and still lives."""
    asked = [{"Name": "tag:wordpress_ha:network", "Values": ["blog"]}]
    ec2 = aws("ec2")
    return [
        *ec2.describe_vpcs(Filters=asked)["Vpcs"],
        *ec2.describe_subnets(Filters=asked)["Subnets"],
        *ec2.describe_internet_gateways(Filters=asked)["InternetGateways"],
        *ec2.describe_addresses()["Addresses"],
        *[one for one in ec2.describe_nat_gateways()["NatGateways"] if one["State"] != "deleted"],
        *ec2.describe_route_tables(Filters=asked)["RouteTables"],
        *[one for one in ec2.describe_vpc_endpoints()["VpcEndpoints"] if one["State"] != "deleted"],
    ]


def default_routes(aws, facts):
    """Say where each route table's default route leads: a gateway's id, or None."""
    found = aws("ec2").describe_route_tables(RouteTableIds=list(facts["route_table_ids"].values()))["RouteTables"]
    names = {table: name for name, table in facts["route_table_ids"].items()}
    return {
        names[table["RouteTableId"]]: next(
            (
                route.get("NatGatewayId") or route["GatewayId"]
                for route in table["Routes"]
                if route.get("DestinationCidrBlock") == "0.0.0.0/0"
            ),
            None,
        )
        for table in found
    }


def test_keeps_the_contract(aws):
    modified = {**PARAMS, "nat": "single", "s3_endpoint": False, "map_public_ip": True, "tags": {"owner": "me"}}
    facts = contract.keep(
        module, PARAMS, modified, absent={"name": "blog", "state": "absent"}, left=lambda: remains(aws)
    ).facts
    assert [subnet["cidr"] for subnet in facts["subnets"]["app"]] == PARAMS["app_subnets"]
    assert [subnet["az"] for subnet in facts["subnets"]["data"]] == PARAMS["availability_zones"]
    assert set(facts["route_table_ids"]) == {"public", "data", "app-us-east-1a", "app-us-east-1b"}
    assert set(facts["nat_gateway_ids"]) == set(facts["nat_public_ips"]) == set(PARAMS["availability_zones"])


def test_survives_a_kill_between_any_two_calls():
    smaller = {**PARAMS, "availability_zones": ["us-east-1a"], "map_public_ip": True}
    smaller.update({f"{tier}_subnets": PARAMS[f"{tier}_subnets"][:1] for tier in ("public", "app", "data")})
    assert contract.survive_kills(module, smaller) > 30


def test_routes_lead_where_they_should(aws):
    facts = contract.succeed(module, PARAMS).facts
    assert default_routes(aws, facts) == {
        "public": facts["internet_gateway_id"],
        "app-us-east-1a": facts["nat_gateway_ids"]["us-east-1a"],
        "app-us-east-1b": facts["nat_gateway_ids"]["us-east-1b"],
        "data": None,
    }
    endpoint = aws("ec2").describe_vpc_endpoints(VpcEndpointIds=[facts["s3_endpoint_id"]])["VpcEndpoints"][0]
    assert set(endpoint["RouteTableIds"]) == set(facts["route_table_ids"].values())


def test_a_way_out_of_the_data_tier_is_closed(aws):
    facts = contract.succeed(module, PARAMS).facts
    aws("ec2").create_route(
        RouteTableId=facts["route_table_ids"]["data"],
        DestinationCidrBlock="0.0.0.0/0",
        GatewayId=facts["internet_gateway_id"],
    )
    outcome = contract.converge(module, PARAMS)
    assert [item["resource"] for item in outcome.result["actions"]] == ["route/data 0.0.0.0/0"]
    assert default_routes(aws, facts)["data"] is None


def test_going_from_one_gateway_per_zone_to_one_and_back(aws):
    contract.succeed(module, PARAMS)
    single = contract.converge(module, {**PARAMS, "nat": "single"})
    assert set(single.facts["nat_gateway_ids"]) == {"us-east-1a"}
    # Traffic is moved before the gateway goes, and the gateway before its address.
    assert single.writing == ["ec2:ReplaceRoute", "ec2:DeleteNatGateway", "ec2:ReleaseAddress"]
    assert len(aws("ec2").describe_addresses()["Addresses"]) == 1
    # The single gateway stays where it is when the zones are given in another order.
    turned = {key: value[::-1] if isinstance(value, list) else value for key, value in PARAMS.items()}
    contract.converge(module, {**turned, "nat": "single"}, changed=False)
    none = contract.converge(module, {**PARAMS, "nat": "none"})
    assert none.facts["nat_gateway_ids"] == {}
    assert default_routes(aws, none.facts)["app-us-east-1a"] is None
    back = contract.converge(module, PARAMS)
    assert len(back.facts["nat_gateway_ids"]) == 2


def test_a_gateway_somebody_deleted_is_replaced_and_keeps_its_address(aws):
    before = contract.succeed(module, PARAMS).facts
    aws("ec2").delete_nat_gateway(NatGatewayId=before["nat_gateway_ids"]["us-east-1a"])
    outcome = contract.converge(module, PARAMS)
    assert outcome.facts["nat_public_ips"] == before["nat_public_ips"]
    assert outcome.facts["nat_gateway_ids"]["us-east-1a"] != before["nat_gateway_ids"]["us-east-1a"]
    assert default_routes(aws, outcome.facts)["app-us-east-1a"] == outcome.facts["nat_gateway_ids"]["us-east-1a"]
    assert outcome.writing == ["ec2:CreateNatGateway", "ec2:ReplaceRoute"]


def test_a_subnet_with_a_foreign_table_gets_ours(aws):
    facts = contract.succeed(module, PARAMS).facts
    ec2 = aws("ec2")
    foreign = ec2.create_route_table(VpcId=facts["vpc_id"])["RouteTable"]["RouteTableId"]
    tables = ec2.describe_route_tables(RouteTableIds=[facts["route_table_ids"]["app-us-east-1a"]])["RouteTables"]
    association = tables[0]["Associations"][0]["RouteTableAssociationId"]
    ec2.replace_route_table_association(AssociationId=association, RouteTableId=foreign)
    outcome = contract.converge(module, PARAMS)
    assert outcome.writing == ["ec2:ReplaceRouteTableAssociation"]


def test_everything_is_tagged_at_creation(aws):
    outcome = contract.succeed(module, PARAMS)
    assert "ec2:CreateTags" not in outcome.writing
    tags = {
        tag["Key"]: tag["Value"]
        for tag in aws("ec2").describe_subnets(SubnetIds=[outcome.facts["subnets"]["app"][0]["id"]])["Subnets"][0][
            "Tags"
        ]
    }
    assert tags == {
        **PARAMS["tags"],
        "Name": "blog-app-us-east-1a",
        "wordpress_ha:network": "blog",
        "wordpress_ha:part": "app-us-east-1a",
    }
    tokens = [call["ClientToken"] for call in outcome.sent("CreateNatGateway")]
    assert len(set(tokens)) == 2


def test_absent_leaves_another_network_alone(aws):
    contract.succeed(module, PARAMS)
    contract.succeed(module, {**PARAMS, "name": "shop", "cidr": "10.40.0.0/16"})
    contract.succeed(module, {"name": "shop", "state": "absent"})
    assert contract.succeed(module, PARAMS).result["changed"] is False


def test_gathered_on_an_empty_account(aws):
    facts = contract.succeed(module, {"name": "blog", "state": "gathered"}).facts
    assert facts["vpc_id"] is None
    assert facts["subnets"] == {"public": [], "app": [], "data": []}


def test_what_aws_cannot_change_is_refused(aws):
    contract.succeed(module, PARAMS)
    moved = {**PARAMS, "data_subnets": ["10.40.8.0/24", "10.40.10.0/24"]}
    contract.refuse(module, moved, "cidr of subnet/data-us-east-1b", "10.40.9.0/24", "10.40.10.0/24")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"availability_zones": []}, ["availability_zones", "empty"]),
        ({"availability_zones": None}, ["availability_zones", "empty"]),
        ({"availability_zones": ["us-east-1a", "us-east-1a"]}, ["availability_zones", "twice"]),
        ({"availability_zones": ["us-east-1a", "us-east-1z"]}, ["us-east-1z", "us-east-1b"]),
        ({"cidr": "10.40.0.1/16"}, ["cidr", "10.40.0.1/16"]),
        ({"cidr": "10.0.0.0/8"}, ["cidr", "/16"]),
        ({"app_subnets": ["10.40.16.0/20"]}, ["app_subnets", "1", "2"]),
        (
            {"app_subnets": ["10.40.16.0/20", "10.41.0.0/24"]},
            ["app_subnets[1]", "10.41.0.0/24", "outside", "10.40.0.0/16"],
        ),
        ({"data_subnets": ["10.40.8.0/24", "10.40.16.0/24"]}, ["data_subnets[1]", "overlaps", "app_subnets[0]"]),
        ({"public_subnets": []}, ["nat", "public_subnets"]),
    ],
)
def test_refuses_before_any_write(aws, change, words):
    contract.refuse(module, {**PARAMS, **change}, *words)
