# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A VPC that somebody else made (R48): read it, say everything that is wrong with it for our tiers, describe it as our own.

``read`` asks AWS, at most nine times whatever the number of subnets; ``problems`` and ``facts`` are pure. All three take the same
options: ``vpc_id`` and ``vpc_tags``, ``subnet_ids`` and ``subnet_tags`` (by tier), ``name``, ``ipv6``, ``free_addresses`` (by tier),
``endpoints`` and ``prefix``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import _owned
from ._aws import tags_to_dict
from ._network import ANYWHERE, ANYWHERE_IPV6, TIERS
from ._stack_schema import UNSET, Problem

Options = Mapping[str, Any]
Found = dict[str, Any]
Subnet = dict[str, Any]

#: The tag by which subnets are found whose ids are not given; its value is the tier.
TIER_TAG = "wordpress_ha:tier"
#: A load balancer needs eight free addresses in each of its subnets to be able to grow; so does a rolling update of nodes.
FREE_ADDRESSES = {"public": 8, "app": 8, "data": 8}
#: What a node asks at boot, and must reach within the VPC where no route leads out of it.
ENDPOINTS = ("s3", "secretsmanager", "ssm")
FEWEST_ZONES = 2
#: Tiers in which AWS takes one subnet of each zone and no second one: for load balancers, and for mount targets.
ONE_PER_ZONE = {"public": "a load balancer", "data": "a shared file system"}


# Reading


def read(api: Any, options: Options) -> Found:
    """Return what AWS knows of the VPC, as it says it; ``vpcs`` alone unless there is exactly one."""
    found: Found = {"vpcs": _owned.listed(api, "describe_vpcs", "Vpcs", Filters=_vpc_filters(options))}
    if len(found["vpcs"]) != 1:
        return found
    vpc_id = found["vpcs"][0]["VpcId"]
    here = [{"Name": "vpc-id", "Values": [vpc_id]}]
    for attribute in ("enableDnsSupport", "enableDnsHostnames"):
        answer = api.describe_vpc_attribute(VpcId=vpc_id, Attribute=attribute, aws_retry=True)
        found[attribute] = bool(answer[f"{attribute[0].upper()}{attribute[1:]}"]["Value"])
    found["subnets"] = _owned.listed(api, "describe_subnets", "Subnets", Filters=here)
    found["route_tables"] = _owned.listed(api, "describe_route_tables", "RouteTables", Filters=here)
    found["endpoints"] = _owned.listed(api, "describe_vpc_endpoints", "VpcEndpoints", Filters=here)
    found["nat_gateways"] = _owned.listed(api, "describe_nat_gateways", "NatGateways", Filter=here)
    known = {one["SubnetId"] for one in found["subnets"]}
    unknown = sorted({one for tier in TIERS for one in _given(options, tier)} - known)
    found["strangers"] = []
    if unknown:
        asked = [{"Name": "subnet-id", "Values": unknown}]
        found["strangers"] = _owned.listed(api, "describe_subnets", "Subnets", Filters=asked)
    short = [one["SubnetId"] for tier in TIERS for one in _short(found, options, tier)]
    found["ours"] = _our_interfaces(api, options["name"], short) if short and options["name"] else {}
    return found


def _vpc_filters(options: Options) -> list[dict[str, Any]]:
    asked = [{"Name": "vpc-id", "Values": [options["vpc_id"]]}] if options["vpc_id"] else []
    tags = options["vpc_tags"] or {}
    return asked + [{"Name": f"tag:{key}", "Values": [str(value)]} for key, value in sorted(tags.items())]


def _our_interfaces(api: Any, name: str, subnets: Sequence[str]) -> dict[str, int]:
    """Return how many addresses our own groups' interfaces hold, by subnet: a second run must not fail for what the first took."""
    asked = [{"Name": "subnet-id", "Values": sorted(subnets)}]
    held: dict[str, int] = {}
    for one in _owned.listed(api, "describe_network_interfaces", "NetworkInterfaces", Filters=asked):
        if any(group["GroupName"].startswith(f"{name}-") for group in one.get("Groups", [])):
            held[one["SubnetId"]] = held.get(one["SubnetId"], 0) + max(1, len(one.get("PrivateIpAddresses", [])))
    return held


# What was found


def _given(options: Options, tier: str) -> list[str]:
    return list((options["subnet_ids"] or {}).get(tier) or [])


def _tags(options: Options, tier: str) -> dict[str, str]:
    given = (options["subnet_tags"] or {}).get(tier) or {TIER_TAG: tier}
    return {key: str(value) for key, value in given.items()}


def subnets_of(found: Found, options: Options, tier: str) -> list[Subnet]:
    """Return the subnets of a tier that the VPC has: those given, or those that carry the tier's tags; sorted by zone."""
    given = _given(options, tier)
    if given:
        chosen = [one for one in found["subnets"] if one["SubnetId"] in given]
    else:
        wanted = _tags(options, tier).items()
        chosen = [one for one in found["subnets"] if wanted <= tags_to_dict(one.get("Tags")).items()]
    return sorted(chosen, key=lambda one: (one["AvailabilityZone"], one["SubnetId"]))


def _short(found: Found, options: Options, tier: str) -> list[Subnet]:
    least = options["free_addresses"].get(tier, 0)
    return [one for one in subnets_of(found, options, tier) if one["AvailableIpAddressCount"] < least]


def _table(found: Found, subnet: Subnet) -> dict[str, Any]:
    """Return the route table of a subnet: the one it is associated with, else the VPC's main one."""
    main: dict[str, Any] = {}
    for table in found["route_tables"]:
        for association in table["Associations"]:
            if association.get("SubnetId") == subnet["SubnetId"]:
                return dict(table)
            if association.get("Main"):
                main = table
    return main


def _way_out(found: Found, subnet: Subnet, destination: str = ANYWHERE) -> tuple[str, bool]:
    """Return where the default route of a subnet leads ("" is nowhere), and whether its target is still there."""
    for route in _table(found, subnet).get("Routes", []):
        if destination in (route.get("DestinationCidrBlock"), route.get("DestinationIpv6CidrBlock")):
            names = [
                key for key in route if key.endswith("Id") and key not in ("InstanceOwnerId", "DestinationPrefixListId")
            ]
            return str(next((route[key] for key in names if route[key]), "")), route.get("State") != "blackhole"
    return "", True


def _reaches(found: Found, subnet: Subnet, service: str) -> bool:
    """Tell whether a service has an endpoint that is good for a subnet."""
    for one in found["endpoints"]:
        if one["ServiceName"].rsplit(".", 1)[-1] != service or one["State"].lower() not in ("available", "pending"):
            continue
        if one.get("VpcEndpointType") == "Interface" and one.get("PrivateDnsEnabled"):
            return True
        if _table(found, subnet).get("RouteTableId") in one.get("RouteTableIds", []):
            return True
    return False


# Judging


def problems(found: Found, options: Options) -> list[Problem]:
    """Return all that is wrong, in the order of the options; one problem for each thing that has to be put right."""
    return list(_vpc_problems(found, options)) or [
        *_dns_problems(found, options),
        *(problem for tier in TIERS for problem in _tier_problems(found, options, tier)),
        *_overlaps(found, options),
        *_route_problems(found, options),
        *(problem for tier in TIERS for problem in _room_problems(found, options, tier)),
        *(_ipv6_problems(found, options) if options["ipv6"] else []),
    ]


def _vpc_variable(options: Options) -> tuple[str, Any]:
    word = "vpc_id" if options["vpc_id"] else "vpc_tags"
    return f"{options['prefix']}{word}", options[word] or UNSET


def _vpc_problems(found: Found, options: Options) -> Iterator[Problem]:
    variable, value = _vpc_variable(options)
    if not options["vpc_id"] and not options["vpc_tags"]:
        yield Problem(variable, value, "the VPC is not named", "Give its id or its tags.")
    elif not found["vpcs"]:
        also = " with these tags" if options["vpc_id"] and options["vpc_tags"] else ""
        cure = "Give the id or the tags of a VPC of this account and region."
        yield Problem(variable, value, f"there is no such VPC{also} in this region", cure)
    elif len(found["vpcs"]) > 1:
        ids = ", ".join(sorted(one["VpcId"] for one in found["vpcs"]))
        yield Problem(
            variable, value, f"several VPCs carry these tags ({ids})", f"Give one in {options['prefix']}vpc_id."
        )
    elif found["vpcs"][0].get("State", "available") != "available":
        yield Problem(variable, value, f"the VPC is {found['vpcs'][0]['State']}", "Wait until it is available.")


def _dns_problems(found: Found, options: Options) -> Iterator[Problem]:
    variable, value = _vpc_variable(options)
    said = {"enableDnsSupport": "support", "enableDnsHostnames": "hostnames"}
    for attribute, word in said.items():
        if not found[attribute]:
            flag = f"aws ec2 modify-vpc-attribute --vpc-id {found['vpcs'][0]['VpcId']} --enable-dns-{word}"
            wrong = f"DNS {word} is off in the VPC, and nodes find database, cache and shared files by name"
            yield Problem(variable, value, wrong, f"Turn it on: `{flag}`.")


def _tier_problems(found: Found, options: Options, tier: str) -> Iterator[Problem]:
    variable, given = f"{options['prefix']}subnet_ids.{tier}", _given(options, tier)
    chosen = subnets_of(found, options, tier)
    vpc_id = found["vpcs"][0]["VpcId"]
    strangers = {one["SubnetId"]: one["VpcId"] for one in found["strangers"]}
    known = {one["SubnetId"] for one in chosen}
    for index, subnet in enumerate(given):
        where = f"{variable}[{index}]"
        if given.index(subnet) != index:
            yield Problem(where, subnet, "the subnet is named twice", "Name each subnet once.")
        elif subnet in strangers:
            wrong = f"the subnet is in {strangers[subnet]}, not in {vpc_id}"
            yield Problem(where, subnet, wrong, "Give a subnet of the VPC, or the VPC of the subnets.")
        elif subnet not in known:
            yield Problem(
                where, subnet, "there is no such subnet in this region", f"Give the id of a subnet of {vpc_id}."
            )
    if not given and not chosen:
        tags = ", ".join(f"{key}={value}" for key, value in _tags(options, tier).items())
        wrong = f"no subnet of {vpc_id} carries the tag {tags}"
        yield Problem(variable, UNSET, wrong, "Give the ids of two or more subnets, or tag them.")
    for one in chosen:
        if one.get("State", "available") != "available":
            yield Problem(variable, one["SubnetId"], f"the subnet is {one['State']}", "Wait until it is available.")
    yield from _zone_problems(variable, tier, chosen)


def _zone_problems(variable: str, tier: str, chosen: Sequence[Subnet]) -> Iterator[Problem]:
    zones = [one["AvailabilityZone"] for one in chosen]
    if chosen and len(set(zones)) < FEWEST_ZONES:
        wrong = f"all of them are in {zones[0]}, and a tier stands in two or more Availability Zones"
        yield Problem(variable, _ids(chosen), wrong, "Add a subnet of another zone.")
    for zone in sorted({one for one in zones if zones.count(one) > 1}):
        if tier in ONE_PER_ZONE:
            both = [one for one in chosen if one["AvailabilityZone"] == zone]
            wrong = f"they are all in {zone}, and {ONE_PER_ZONE[tier]} takes one subnet of each zone"
            yield Problem(variable, _ids(both), wrong, "Leave all but one of them out.")


def _ids(subnets: Sequence[Subnet]) -> str:
    return ", ".join(one["SubnetId"] for one in subnets)


def _overlaps(found: Found, options: Options) -> Iterator[Problem]:
    """Yield subnets that are in two tiers, and zones of web nodes that another tier does not reach."""
    tiers = {tier: subnets_of(found, options, tier) for tier in TIERS}
    seen: dict[str, str] = {}
    for tier, subnets in tiers.items():
        variable = f"{options['prefix']}subnet_ids.{tier}"
        for one in subnets:
            before = seen.setdefault(one["SubnetId"], tier)
            if before != tier:
                wrong = f"the subnet is in {before} too, and the tiers are kept apart"
                yield Problem(variable, one["SubnetId"], wrong, "Name it in one tier alone.")
    without = {
        "public": "the load balancer reaches no node in a zone in which it has no subnet",
        "data": "nodes in a zone without a mount target would reach the shared files through another one",
    }
    for tier, why in without.items():
        zones = {one["AvailabilityZone"] for one in tiers[tier]}
        missing = sorted({one["AvailabilityZone"] for one in tiers["app"]} - zones)
        if missing and zones:
            variable = f"{options['prefix']}subnet_ids.{tier}"
            wrong = f"there are app subnets in {', '.join(missing)} and no {tier} one; {why}"
            cure = f"Add a {tier} subnet there, or leave the app subnets of the zone out."
            yield Problem(variable, _ids(tiers[tier]), wrong, cure)


def _route_problems(found: Found, options: Options) -> Iterator[Problem]:
    for tier in TIERS:
        variable = f"{options['prefix']}subnet_ids.{tier}"
        for one in subnets_of(found, options, tier):
            wrong, cure = _route_problem(found, options, tier, one)
            if wrong:
                yield Problem(variable, one["SubnetId"], wrong, cure)


def _route_problem(found: Found, options: Options, tier: str, subnet: Subnet) -> tuple[str, str]:
    target, alive = _way_out(found, subnet)
    table = _table(found, subnet).get("RouteTableId", "no route table")
    internet = target.startswith("igw-")
    lost = f"the default route of {table} leads to {target}, which is gone"
    if tier == "public":
        if internet and alive:
            return "", ""
        wrong = lost if target and not alive else f"{table} has no route for {ANYWHERE} to an internet gateway"
        return wrong, f"Add one to {table}, or name subnets that have it."
    if internet:
        wrong = f"{table} leads to the internet gateway {target}, so the subnet is public"
        return wrong, "Name private subnets: nodes and data are reached through the load balancer alone."
    if tier == "data" or (target and alive):
        return "", ""
    missing = [name for name in options["endpoints"] if not _reaches(found, subnet, name)]
    if not missing:
        return "", ""
    wrong = lost if target else f"{table} has no default route, and there is no endpoint for {', '.join(missing)}"
    return wrong, f"Add a route to a NAT gateway or the like to {table}, or these endpoints to the VPC."


def _room_problems(found: Found, options: Options, tier: str) -> Iterator[Problem]:
    least = options["free_addresses"].get(tier, 0)
    for one in _short(found, options, tier):
        free = one["AvailableIpAddressCount"]
        if free + found["ours"].get(one["SubnetId"], 0) < least:
            wrong = f"{one['CidrBlock']} has {free} free addresses, and {least} are needed"
            yield Problem(f"{options['prefix']}subnet_ids.{tier}", one["SubnetId"], wrong, "Name a larger subnet.")


def _ipv6_problems(found: Found, options: Options) -> Iterator[Problem]:
    variable = f"{options['prefix']}ipv6"
    if not _vpc_range(found):
        yield Problem(variable, True, "the VPC has no IPv6 range", "Associate one, or set this to false.")
        return
    for tier in ("public", "app"):
        for one in subnets_of(found, options, tier):
            if not _subnet_range(one):
                yield Problem(
                    variable, True, f"{one['SubnetId']} has no IPv6 range", "Associate one, or set this to false."
                )
            elif not _way_out(found, one, ANYWHERE_IPV6)[0]:
                table = _table(found, one).get("RouteTableId")
                yield Problem(
                    variable, True, f"{table} has no route for {ANYWHERE_IPV6}", "Add one, or set this to false."
                )


def _vpc_range(found: Found) -> str | None:
    return _associated(found["vpcs"][0])


def _subnet_range(subnet: Subnet) -> str | None:
    return _associated(subnet)


def _associated(holder: Mapping[str, Any]) -> str | None:
    for one in holder.get("Ipv6CidrBlockAssociationSet", []):
        if one["Ipv6CidrBlockState"]["State"] == "associated":
            return str(one["Ipv6CidrBlock"])
    return None


# Describing


def facts(found: Found, options: Options) -> dict[str, Any]:
    """Return the network as C(vpc_network) returns its own."""
    tiers = {tier: subnets_of(found, options, tier) for tier in TIERS}
    gateways = {one["NatGatewayId"]: one for one in found["nat_gateways"]}
    zones = {one["SubnetId"]: one["AvailabilityZone"] for one in found["subnets"]}
    used = {_way_out(found, one)[0] for one in tiers["app"]} & set(gateways)
    nat = {
        zones[gateways[one]["SubnetId"]]: gateways[one] for one in sorted(used) if gateways[one]["SubnetId"] in zones
    }
    tables = {
        (f"app-{one['AvailabilityZone']}" if tier == "app" else tier): _table(found, one).get("RouteTableId")
        for tier in TIERS
        for one in tiers[tier]
    }
    public = {_way_out(found, one)[0] for one in tiers["public"]}
    s3 = [
        one["VpcEndpointId"]
        for one in found["endpoints"]
        if one["ServiceName"].endswith(".s3") and one.get("RouteTableIds")
    ]
    return {
        "vpc_id": found["vpcs"][0]["VpcId"],
        "cidr": found["vpcs"][0]["CidrBlock"],
        "ipv6_cidr": _vpc_range(found),
        "availability_zones": sorted({one["AvailabilityZone"] for subnets in tiers.values() for one in subnets}),
        "subnets": {
            tier: [
                {
                    "id": one["SubnetId"],
                    "cidr": one["CidrBlock"],
                    "az": one["AvailabilityZone"],
                    "ipv6_cidr": _subnet_range(one),
                }
                for one in subnets
            ]
            for tier, subnets in tiers.items()
        },
        "internet_gateway_id": next((one for one in sorted(public) if one.startswith("igw-")), None),
        "nat_gateway_ids": {zone: one["NatGatewayId"] for zone, one in sorted(nat.items())},
        "nat_public_ips": {
            zone: next((address["PublicIp"] for address in one["NatGatewayAddresses"] if address.get("PublicIp")), None)
            for zone, one in sorted(nat.items())
        },
        "route_table_ids": dict(sorted(tables.items())),
        "s3_endpoint_id": next(iter(sorted(s3)), None),
        "interface_endpoint_ids": {
            one["ServiceName"].rsplit(".", 1)[-1]: one["VpcEndpointId"]
            for one in found["endpoints"]
            if one.get("VpcEndpointType") == "Interface" and one["State"].lower() not in ("deleting", "deleted")
        },
        "egress_gateway_id": next(
            (way for one in tiers["app"] if (way := _way_out(found, one, ANYWHERE_IPV6)[0]).startswith("eigw-")), None
        ),
        "flow_log_id": None,
        "flow_log_group": None,
    }
