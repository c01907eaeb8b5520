# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role network alone: a VPC of its own with and without every optional part, and in a VPC of somebody else (R28-R31, R48)."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Account, Foreign
from .lifecycle import Role

RANGES = {
    "public": ["10.20.0.0/24", "10.20.1.0/24"],
    "app": ["10.20.16.0/24", "10.20.17.0/24"],
    "data": ["10.20.32.0/24", "10.20.33.0/24"],
}
TAGS = {"wordpress_ha:stack": "shop", "wordpress_ha:role": "network"}
WORLD = ("0.0.0.0/0", "::/0")


@pytest.fixture(scope="module")
def role(account: Account) -> Role:
    return Role(
        account,
        "network",
        network_name="shop",
        network_tags=TAGS,
        network_cidr="10.20.0.0/16",
        network_availability_zones=["us-east-1a", "us-east-1b"],
        network_subnets=RANGES,
    )


def rules(account: Account, group_id: str) -> list[tuple[Any, str]]:
    """Return port and peer of every rule by which a security group lets somebody in."""
    found = account.emulator.client("ec2").describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
    return sorted(
        (permission.get("FromPort"), peer)
        for permission in found["IpPermissions"]
        for peer in [
            *(one["CidrIp"] for one in permission["IpRanges"]),
            *(one["CidrIpv6"] for one in permission["Ipv6Ranges"]),
            *(one["GroupId"] for one in permission["UserIdGroupPairs"]),
        ]
    )


def open_to_the_world(account: Account, groups: dict[str, str]) -> set[str]:
    """Return which groups let the world in, and where: ``alb 443``."""
    return {f"{name} {port}" for name, group in groups.items() for port, peer in rules(account, group) if peer in WORLD}


def test_it_is_made(role: Role, account: Account) -> None:
    result = role.create().result
    assert result["managed"] is True and result["vpc_cidr"] == "10.20.0.0/16" and result["vpc_ipv6_cidr"] is None
    assert set(result["security_groups"]) == {"alb", "web", "database", "cache", "files"}
    assert open_to_the_world(account, result["security_groups"]) == {"alb 80", "alb 443"}


def test_every_option_can_change(role: Role, account: Account, prove: Any) -> None:
    told = role.modify(
        network_nat="single",
        network_ipv6=True,
        network_interface_endpoints=["ssm", "secretsmanager"],
        network_flow_logs={"traffic": "REJECT", "retention_days": 14},
        network_bastion_cidrs=["203.0.113.0/24", "2001:db8::/48"],
        network_cache_ports=[6379, 11211],
        network_web_port=8080,
    )
    result, groups = told.result, told.result["security_groups"]
    assert len(result["nat_gateway_ids"]) == 1 and result["vpc_ipv6_cidr"].endswith("::/56")
    assert set(result["interface_endpoint_ids"]) == {"ssm", "secretsmanager"}
    assert result["flow_log_group"] == "/wordpress_ha/shop/flow-logs"
    assert rules(account, groups["bastion"]) == [(22, "2001:db8::/48"), (22, "203.0.113.0/24")]
    assert rules(account, groups["web"]) == [(22, groups["bastion"]), (8080, groups["alb"])]
    assert rules(account, groups["cache"]) == [(6379, groups["web"]), (11211, groups["web"])]
    assert open_to_the_world(account, groups) == {"alb 80", "alb 443"}
    flow_log = account.emulator.client("ec2").describe_flow_logs()["FlowLogs"][0]
    assert (flow_log["TrafficType"], flow_log["DeliverLogsStatus"]) == ("REJECT", "SUCCESS")
    assert flow_log["DeliverLogsPermissionArn"].endswith(":role/shop-flow-logs")
    prove(f"{len(told.actions)} changes of a network, each foretold, then none")


def test_every_option_can_change_back(role: Role, account: Account) -> None:
    told = role.modify(
        network_nat="none",
        network_ipv6=False,
        network_interface_endpoints=[],
        network_flow_logs={"enabled": False},
        network_bastion_cidrs=[],
        network_cache_ports=None,
        network_web_port=None,
        network_s3_endpoint=False,
        network_ingress_ports=[80],
        network_ingress_cidrs=["198.51.100.0/24"],
        network_tags={**TAGS, "owner": "me"},
    )
    result = told.result
    assert "bastion" not in result["security_groups"]
    assert open_to_the_world(account, result["security_groups"]) == set()
    assert result["nat_gateway_ids"] == {} and result["s3_endpoint_id"] is None and result["flow_log_group"] is None


def test_a_bastion_for_the_whole_world_is_refused(role: Role) -> None:
    wide = ["0.0.0.0/0", "::/0", "128.0.0.0/1"]
    said = f"network_bastion_cidrs has {', '.join(wide)}: SSH"
    role.refuse(said, "Session Manager", network_bastion_cidrs=["203.0.113.0/24", *wide, "10.0.0.0/8"])


def test_a_network_of_nothing_is_refused(role: Role) -> None:
    role.refuse("network_cidr is not set", "network_vpc_id", network_cidr="", network_availability_zones=[])


def test_it_can_be_removed(role: Role) -> None:
    told = role.absent()
    assert "delete log_group//wordpress_ha/shop/flow-logs" in told.resources


# In a VPC of somebody else


@pytest.fixture(scope="module")
def guest(account: Account, foreign: Foreign) -> Role:
    return Role(
        account,
        "network",
        network_name="guest",
        network_tags={**TAGS, "wordpress_ha:stack": "guest"},
        network_vpc_id=foreign.vpc_id,
        network_subnet_ids={"public": foreign.public, "app": foreign.app, "data": foreign.data},
    )


def test_an_existing_vpc_gets_security_groups_alone(guest: Role, foreign: Foreign, account: Account) -> None:
    told = guest.create()
    assert {one.split("/")[0] for one in told.resources} == {"create group", "create rule"}
    assert told.result["managed"] is False and told.result["vpc_id"] == foreign.vpc_id
    assert told.result["app_subnet_ids"] == foreign.app
    assert len(told.result["nat_gateway_ids"]) == 1


def test_an_existing_vpc_is_found_by_tags(guest: Role, foreign: Foreign, account: Account) -> None:
    ec2 = account.emulator.client("ec2")
    ec2.create_tags(Resources=[foreign.vpc_id], Tags=[{"Key": "Name", "Value": "landing-zone"}])
    for tier in ("public", "app", "data"):
        ec2.create_tags(Resources=getattr(foreign, tier), Tags=[{"Key": "wordpress_ha:tier", "Value": tier}])
    told = guest.unchanged(network_vpc_id="", network_vpc_tags={"Name": "landing-zone"}, network_subnet_ids={})
    assert told.result["data_subnet_ids"] == foreign.data


def test_each_wrong_thing_is_one_message(guest: Role, foreign: Foreign) -> None:
    ids = {"public": foreign.public, "app": foreign.app, "data": foreign.data}
    guest.refuse(
        f"network_subnet_ids.public is '{foreign.app[0]}'",
        "no route for 0.0.0.0/0 to an internet gateway",
        "network_subnet_ids.data[0] is 'subnet-0123456789abcdef0'",
        network_subnet_ids={
            **ids,
            "public": [foreign.app[0], *foreign.public[1:]],
            "data": ["subnet-0123456789abcdef0"],
        },
    )
    guest.refuse("network_interface_endpoints is", "security groups", network_interface_endpoints=["ssm"])


def test_an_existing_vpc_stays_when_the_role_goes(guest: Role, foreign: Foreign, account: Account) -> None:
    guest.absent()
    left = account.emulator.client("ec2").describe_subnets(SubnetIds=foreign.app)["Subnets"]
    assert len(left) == len(foreign.app)
