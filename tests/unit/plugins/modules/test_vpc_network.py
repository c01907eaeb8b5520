# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""vpc_network: a whole network in one process; no address or gateway is ever made twice."""

from __future__ import annotations

import itertools

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


# IPv6, interface endpoints, flow logs

ROLE = "arn:aws:iam::123456789012:role/blog-flow-logs"
WHOLE = {**PARAMS, "ipv6": True, "interface_endpoints": ["ssm", "secretsmanager"], "flow_logs": {"role_arn": ROLE}}


def test_optional_parts_keep_the_contract(emulated):
    modified = {
        **WHOLE,
        "interface_endpoints": ["ssm", "logs"],
        "flow_logs": {"role_arn": ROLE, "traffic": "REJECT", "retention_days": 90},
        "tags": {"owner": "me"},
    }
    facts = contract.keep(
        module, WHOLE, modified, absent={"name": "blog", "state": "absent"}, left=lambda: remains(emulated)
    ).facts
    assert set(facts["interface_endpoint_ids"]) == {"ssm", "secretsmanager"}
    assert facts["flow_log_group"] == "/wordpress_ha/blog/flow-logs"
    logs = emulated("logs").describe_log_groups(logGroupNamePrefix="/wordpress_ha")["logGroups"]
    assert not logs and not emulated("ec2").describe_flow_logs()["FlowLogs"]


def test_optional_parts_survive_kills(emulated):
    smaller = {**WHOLE, "availability_zones": ["us-east-1a"], "interface_endpoints": ["ssm"]}
    smaller.update({f"{tier}_subnets": WHOLE[f"{tier}_subnets"][:1] for tier in ("public", "app", "data")})
    assert contract.survive_kills(module, smaller) > 45


def test_each_subnet_has_its_own_ipv6_range_and_way_out(emulated):
    facts = contract.succeed(module, WHOLE).facts
    ranges = [subnet["ipv6_cidr"] for tier in facts["subnets"].values() for subnet in tier]
    assert len(set(ranges)) == 6 and all(one.endswith("::/64") for one in ranges)
    ec2 = emulated("ec2")
    tables = ec2.describe_route_tables(RouteTableIds=list(facts["route_table_ids"].values()))["RouteTables"]
    ways = {}
    for table in tables:
        name = next(tag["Value"] for tag in table["Tags"] if tag["Key"] == "wordpress_ha:part")
        routes = [route for route in table["Routes"] if route.get("DestinationIpv6CidrBlock") == "::/0"]
        ways[name] = [route.get("EgressOnlyInternetGatewayId") or route.get("GatewayId") for route in routes]
    egress = [facts["egress_gateway_id"]]
    assert ways == {
        "public": [facts["internet_gateway_id"]],
        "app-us-east-1a": egress,
        "app-us-east-1b": egress,
        "data": [],
    }
    found = ec2.describe_subnets(SubnetIds=[one["id"] for tier in facts["subnets"].values() for one in tier])["Subnets"]
    assigned = {one["SubnetId"]: one["AssignIpv6AddressOnCreation"] for one in found}
    assert all(assigned[one["id"]] for one in facts["subnets"]["app"] + facts["subnets"]["public"])
    assert not any(assigned[one["id"]] for one in facts["subnets"]["data"])


def test_a_subnet_keeps_its_ipv6_range_when_a_zone_is_added(emulated):
    before = contract.succeed(module, WHOLE).facts
    more = {**WHOLE, "availability_zones": ["us-east-1a", "us-east-1b", "us-east-1c"]}
    more["public_subnets"] = [*WHOLE["public_subnets"], "10.40.2.0/24"]
    more["app_subnets"] = [*WHOLE["app_subnets"], "10.40.48.0/20"]
    more["data_subnets"] = [*WHOLE["data_subnets"], "10.40.10.0/24"]
    after = contract.converge(module, more).facts
    for tier, subnets in before["subnets"].items():
        assert after["subnets"][tier][:2] == subnets
    ranges = [subnet["ipv6_cidr"] for tier in after["subnets"].values() for subnet in tier]
    assert len(set(ranges)) == 9


def test_ipv6_off_closes_the_ways_and_unset_leaves_them(emulated):
    contract.succeed(module, WHOLE)
    unset = {key: value for key, value in WHOLE.items() if key not in ("ipv6", "flow_logs")}
    contract.converge(module, unset, changed=False)
    outcome = contract.converge(module, {**WHOLE, "ipv6": False})
    done = {f"{item['action']} {item['resource'].split('/')[0]}" for item in outcome.result["actions"]}
    assert done == {"update subnet_ipv6", "delete route", "delete egress_gateway"}
    assert outcome.facts["egress_gateway_id"] is None and outcome.facts["ipv6_cidr"]
    contract.converge(module, WHOLE)


def test_endpoints_stand_in_the_app_tier_behind_their_own_group(emulated):
    facts = contract.succeed(module, WHOLE).facts
    ec2 = emulated("ec2")
    endpoints = ec2.describe_vpc_endpoints(VpcEndpointIds=list(facts["interface_endpoint_ids"].values()))
    for endpoint in endpoints["VpcEndpoints"]:
        assert endpoint["SubnetIds"] == [subnet["id"] for subnet in facts["subnets"]["app"]]
        assert endpoint["PrivateDnsEnabled"]
        group = ec2.describe_security_groups(GroupIds=[endpoint["Groups"][0]["GroupId"]])["SecurityGroups"][0]
        (rule,) = group["IpPermissions"]
        assert (rule["FromPort"], rule["ToPort"]) == (443, 443)
        assert [one["CidrIp"] for one in rule["IpRanges"]] == ["10.40.0.0/16"]
    rule["IpRanges"] = [{"CidrIp": "0.0.0.0/0"}]
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[rule])
    outcome = contract.converge(module, WHOLE)
    assert [item["resource"] for item in outcome.result["actions"]] == ["security_group/interface-endpoints"]
    none = contract.converge(module, {**WHOLE, "interface_endpoints": []})
    assert none.writing == ["ec2:DeleteVpcEndpoints", "ec2:DeleteVpcEndpoints", "ec2:DeleteSecurityGroup"]


def test_a_flow_log_that_cannot_be_changed_is_replaced_and_its_entries_stay(emulated):
    before = contract.succeed(module, WHOLE).facts
    after = contract.converge(module, {**WHOLE, "flow_logs": {"role_arn": ROLE, "traffic": "REJECT"}})
    assert after.writing == ["ec2:DeleteFlowLogs", "ec2:CreateFlowLogs"]
    assert after.facts["flow_log_id"] != before["flow_log_id"]
    off = contract.converge(module, {**WHOLE, "flow_logs": {"enabled": False}})
    assert off.writing == ["ec2:DeleteFlowLogs"] and off.facts["flow_log_id"] is None
    groups = emulated("logs").describe_log_groups(logGroupNamePrefix="/wordpress_ha/blog")["logGroups"]
    assert [group["retentionInDays"] for group in groups] == [30]


def test_a_foreign_log_group_is_refused(emulated):
    emulated("logs").create_log_group(logGroupName="/wordpress_ha/blog/flow-logs")
    contract.refuse(module, WHOLE, "flow_logs.log_group", "/wordpress_ha/blog/flow-logs", "another name")


def test_another_stack_s_network_is_refused(aws):
    contract.succeed(module, PARAMS)
    other = {**PARAMS, "tags": {"wordpress_ha:stack": "shop"}}
    contract.refuse(module, other, "belongs to the stack 'blog'")
    contract.refuse(module, {"name": "blog", "state": "absent", "tags": other["tags"]}, "belongs to the stack 'blog'")


def calls_for(zones):
    """Calls of a first and of an unchanged run in so many zones."""
    params = {
        **WHOLE,
        "availability_zones": [f"us-east-1{letter}" for letter in "abcdef"[:zones]],
        **{
            f"{tier}_subnets": [f"10.40.{row * 16 + zone}.0/24" for zone in range(zones)]
            for row, tier in enumerate(("public", "app", "data"))
        },
    }
    with contract.account():
        return len(contract.succeed(module, params).calls), len(contract.succeed(module, params).calls)


def test_a_further_zone_costs_the_same_number_of_calls(emulated):
    first, again = zip(*[calls_for(zones) for zones in (1, 2, 3, 4)], strict=True)
    steps = {after - before for before, after in itertools.pairwise(first)}
    assert len(steps) == 1 and steps.pop() < 25, first
    assert len(set(again)) == 1 and again[0] <= 15, again


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"interface_endpoints": ["s3"]}, ["interface_endpoints[0]", "'s3'", "gateway endpoint"]),
        ({"interface_endpoints": ["com.amazonaws.us-east-1.ssm"]}, ["interface_endpoints[0]", "short name"]),
        ({"interface_endpoints": ["ssm", "ssm"]}, ["interface_endpoints[1]", "second time"]),
        ({"interface_endpoints": ["sssm"]}, ["interface_endpoints", "'sssm'", "com.amazonaws.us-east-1.sssm"]),
        ({"app_subnets": []}, ["interface_endpoints", "app_subnets is empty"]),
        ({"flow_logs": {"role_arn": ROLE, "retention_days": 31}}, ["flow_logs.retention_days is 31", "30, 60"]),
        ({"flow_logs": {}}, ["flow_logs.role_arn is not set"]),
    ],
)
def test_optional_parts_refuse_before_any_write(emulated, change, words):
    contract.refuse(module, {**WHOLE, **change}, *words)


# Security groups in the same process

GROUPS = {
    "alb": {"description": "Balancer", "ingress": [{"port": 443, "source_cidr": "0.0.0.0/0"}]},
    "web": {"description": "Nodes", "ingress": [{"port": 80, "source_group": "alb"}]},
    "data": {"description": "Data", "ingress": [{"port": 3306, "source_group": "web"}], "egress": []},
}
GROUPED = {**PARAMS, "security_groups": GROUPS}


def test_security_groups_keep_the_contract_with_the_rest(emulated):
    modified = {
        **GROUPED,
        "ipv6": True,
        "interface_endpoints": ["ssm"],
        "security_groups": dict(list(GROUPS.items())[:2]),
    }
    gone = {"name": "blog", "state": "absent", "security_groups": {}}
    facts = contract.keep(module, GROUPED, modified, absent=gone, left=lambda: remains(emulated)).facts
    assert set(facts["security_groups"]) == set(GROUPS)


def test_security_groups_survive_kills(emulated):
    smaller = {**GROUPED, "availability_zones": ["us-east-1a"], "nat": "none"}
    smaller.update({f"{tier}_subnets": GROUPED[f"{tier}_subnets"][:1] for tier in ("public", "app", "data")})
    assert contract.survive_kills(module, smaller) > 35


def test_security_groups_cost_one_call_and_are_left_alone_unless_meant(emulated):
    made = contract.succeed(module, GROUPED).facts
    with_groups, without = contract.succeed(module, GROUPED), contract.succeed(module, PARAMS)
    assert len(with_groups.calls) == len(without.calls)
    assert without.facts["security_groups"] == {} and with_groups.facts == made
    found = contract.succeed(module, {"name": "blog", "state": "gathered", "security_groups": {}}).facts
    assert found["security_groups"] == made["security_groups"]


def test_a_new_group_of_a_network_with_ipv6_has_no_way_out_that_nobody_wants(emulated):
    facts = contract.converge(module, {**GROUPED, "ipv6": True}).facts
    group = emulated("ec2").describe_security_groups(GroupIds=[facts["security_groups"]["data"]])["SecurityGroups"][0]
    assert group["IpPermissionsEgress"] == []


def test_a_group_for_the_whole_world_is_refused_before_the_network_is_made(aws):
    wide = {"bastion": {"ingress": [{"port": 22, "source_cidr": "0.0.0.0/0"}]}}
    contract.refuse(module, {**PARAMS, "security_groups": wide}, "port 22", "0.0.0.0/0")
