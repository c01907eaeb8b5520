# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a network of three tiers is made of: the wanted tree and the checks of its address ranges, without any I/O."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import _owned, _plan

#: Identity of everything in a network: its name, and the part of it that a resource is.
NETWORK_TAG = "wordpress_ha:network"
PART_TAG = "wordpress_ha:part"

TIERS = ("public", "app", "data")
ANYWHERE = "0.0.0.0/0"
ANYWHERE_IPV6 = "::/0"
LARGEST, SMALLEST = 16, 28  # prefix lengths AWS allows for a VPC and for a subnet

#: What the routes of a tree lead to, beside C(nat gateway <zone>).
INTERNET = "internet gateway"
EGRESS = "egress-only gateway"
#: The security group in front of the interface endpoints. It is the network's own, not one of vpc_security_groups' family.
ENDPOINT_GROUP = "interface-endpoints"
SHORT_SERVICE = re.compile(r"[a-z0-9][a-z0-9._-]*")
#: Days for which CloudWatch Logs can keep entries.
RETENTION_DAYS = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)
#: Kinds that carry no tags: they are part of a resource that does.
UNTAGGED = ("route", "association", "vpc_ipv6", "subnet_ipv6")


def check_ranges(cidr: str, zones: Sequence[str], subnets: Mapping[str, Sequence[str]]) -> None:
    """Refuse ranges that AWS would refuse half-way: outside of the VPC, overlapping, too large or small, or not one per zone."""
    if not zones:
        raise _plan.Refused("availability_zones is empty: give two or three zones of the region, such as us-east-1a.")
    if len(set(zones)) != len(zones):
        raise _plan.Refused(f"availability_zones names a zone twice ({', '.join(zones)}): name each once.")
    whole = _range("cidr", cidr)
    seen: dict[ipaddress.IPv4Network, str] = {}
    for tier, ranges in subnets.items():
        if ranges and len(ranges) != len(zones):
            raise _plan.Refused(
                f"{tier}_subnets has {len(ranges)} ranges for {len(zones)} availability_zones: give one per zone, in their order."
            )
        for index, text in enumerate(ranges):
            where = f"{tier}_subnets[{index}]"
            network = _range(where, text)
            if not network.subnet_of(whole):
                raise _plan.Refused(
                    f"{where} is {text}, outside of the VPC's cidr {cidr}: choose a range inside of it."
                )
            for other, place in seen.items():
                if network.overlaps(other):
                    raise _plan.Refused(f"{where} is {text} and overlaps {place} ({other}): choose ranges that do not.")
            seen[network] = where


def _range(where: str, text: str) -> ipaddress.IPv4Network:
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise _plan.Refused(
            f"{where} is {text!r}, which is no IPv4 range ({error}): write it like 10.40.0.0/16."
        ) from error
    if not LARGEST <= network.prefixlen <= SMALLEST:
        raise _plan.Refused(f"{where} is {text}: AWS allows /{LARGEST} (largest) to /{SMALLEST} (smallest).")
    return network


def check_endpoints(services: Iterable[str], app_subnets: Sequence[str]) -> None:
    """Refuse interface endpoints that cannot be: names in full, the gateway endpoint's service, nowhere to stand."""
    named = list(services)
    if named and not app_subnets:
        raise _plan.Refused(
            f"interface_endpoints names {', '.join(named)} and app_subnets is empty: the endpoints stand in the application "
            "subnets. Give app_subnets, or leave interface_endpoints empty."
        )
    for index, name in enumerate(named):
        where = f"interface_endpoints[{index}]"
        if name in ("s3", "dynamodb"):
            raise _plan.Refused(
                f"{where} is {name!r}: it is reached through a gateway endpoint, free of charge. Leave it out."
            )
        if name.startswith("com.") or not SHORT_SERVICE.fullmatch(name):
            raise _plan.Refused(
                f"{where} is {name!r}: give the short name alone, such as ssm for com.amazonaws.<region>.ssm."
            )
        if named.index(name) != index:
            raise _plan.Refused(f"{where} is {name!r} a second time: name each service once.")


def check_flow_logs(given: Mapping[str, Any] | None) -> None:
    """Refuse a retention that CloudWatch Logs does not know, and logs that nobody may write."""
    if not given or not given["enabled"]:
        return
    days = given["retention_days"]
    if days not in RETENTION_DAYS:
        known = ", ".join(str(one) for one in RETENTION_DAYS)
        raise _plan.Refused(
            f"flow_logs.retention_days is {days}: CloudWatch Logs keeps entries for one of {known} days."
        )
    if not given["role_arn"]:
        raise _plan.Refused(
            "flow_logs.role_arn is not set: give the ARN of the role with which vpc-flow-logs.amazonaws.com writes the log group."
        )


def log_group_name(params: Mapping[str, Any]) -> str:
    """Return the log group that flow logs are written to."""
    given = (params.get("flow_logs") or {}).get("log_group")
    return str(given or f"/wordpress_ha/{params['name']}/flow-logs")


def ipv6_subnet(block: str, number: int) -> str:
    """Return the /64 of that number within a VPC's IPv6 range.

    >>> ipv6_subnet("2600:1f14:abc:de00::/56", 2)
    '2600:1f14:abc:de02::/64'
    """
    network = ipaddress.IPv6Network(block)
    return str(ipaddress.IPv6Network((int(network.network_address) + (number << 64), 64)))


def ipv6_number(cidr: str) -> int:
    """Return the number of a /64 within the /56 of its VPC."""
    return (int(ipaddress.IPv6Network(cidr).network_address) >> 64) & 0xFF


def nat_zones(nat: str, zones: Sequence[str], current: _plan.Tree) -> list[str]:
    """Return the zones that get a NAT gateway. A single one stays where it is, whatever the order of the zones."""
    if nat == "none":
        return []
    if nat == "per_az":
        return list(zones)
    existing = [zone for zone in zones if f"nat_gateway/{zone}" in current]
    return (existing or list(zones))[:1]


def wanted_tree(params: Mapping[str, Any], current: _plan.Tree) -> _plan.Tree:
    """Return the network the parameters describe; ids are never in it, resources name one another."""
    name, zones = params["name"], params["availability_zones"]
    subnets = {tier: params[f"{tier}_subnets"] for tier in TIERS}
    gateways = nat_zones(params["nat"], zones, current) if subnets["app"] else []
    tree: _plan.Tree = {f"vpc/{name}": {"cidr": params["cidr"], "dns_support": True, "dns_hostnames": True}}
    if subnets["public"]:
        tree[f"internet_gateway/{name}"] = {"attached": True}
        tree["route_table/public"] = {}
        tree[f"route/public {ANYWHERE}"] = {"target": INTERNET}
    for zone in gateways:
        tree[f"elastic_ip/nat-{zone}"] = {}
        tree[f"nat_gateway/{zone}"] = {"subnet": f"public-{zone}", "elastic_ip": f"nat-{zone}"}
    for tier, ranges in subnets.items():
        for zone, cidr in zip(zones, ranges, strict=False):
            table = f"app-{zone}" if tier == "app" else tier
            public = params["map_public_ip"] if tier == "public" else False
            tree[f"subnet/{tier}-{zone}"] = {"cidr": cidr, "az": zone, "map_public_ip": public}
            tree.setdefault(f"route_table/{table}", {})
            tree[f"association/{tier}-{zone}"] = {"route_table": table}
            if tier == "app" and gateways:
                target = zone if zone in gateways else gateways[0]
                tree[f"route/{table} {ANYWHERE}"] = {"target": f"nat gateway {target}"}
    if params["s3_endpoint"]:
        tables = sorted(_plan.name_of(key) for key in tree if _plan.kind_of(key) == "route_table")
        tree["endpoint/s3"] = {"route_tables": tables}
    tree.update(_wanted_endpoints(params))
    tree.update(_wanted_ipv6(params, tree, current))
    tree.update(_wanted_flow_logs(params, current))
    return {key: {**fields, **_tags(key, params, current)} for key, fields in tree.items()}


def _wanted_endpoints(params: Mapping[str, Any]) -> _plan.Tree:
    """Return the interface endpoints and the group that lets the VPC, and nobody else, reach them."""
    services = params["interface_endpoints"]
    if not services:
        return {}
    subnets = sorted(f"app-{zone}" for zone in params["availability_zones"])
    tree: _plan.Tree = {f"endpoint/{name}": {"subnets": subnets, "groups": [ENDPOINT_GROUP]} for name in services}
    return {f"security_group/{ENDPOINT_GROUP}": {"ingress": [params["cidr"]]}, **tree}


def _wanted_ipv6(params: Mapping[str, Any], tree: _plan.Tree, current: _plan.Tree) -> _plan.Tree:
    """Return ranges, egress-only gateway and default routes of IPv6.

    Ranges stay once they are given, since interfaces may hold addresses of them. Without IPv6 no route leads out and no new interface
    gets an address.
    """
    wanted: _plan.Tree = {}
    parts = [_plan.name_of(key) for key in tree if _plan.kind_of(key) == "subnet"]
    if params["ipv6"] is None:
        kinds = ("vpc_ipv6", "subnet_ipv6", "egress_gateway")
        wanted = {key: {} for key in current if _plan.kind_of(key) in kinds or key.endswith(f" {ANYWHERE_IPV6}")}
        return {key: fields for key, fields in wanted.items() if _stays(key, tree)}
    if not params["ipv6"]:
        return {f"subnet_ipv6/{part}": {"assign": False} for part in parts if f"subnet_ipv6/{part}" in current}
    name = params["name"]
    used = {fields["number"] for key, fields in current.items() if _plan.kind_of(key) == "subnet_ipv6"}
    free = (number for number in range(256) if number not in used)
    wanted[f"vpc_ipv6/{name}"] = {}
    for part in parts:
        known = current.get(f"subnet_ipv6/{part}")
        number = known["number"] if known else next(free)
        wanted[f"subnet_ipv6/{part}"] = {"number": number, "assign": not part.startswith("data-")}
    if params["public_subnets"]:
        wanted[f"route/public {ANYWHERE_IPV6}"] = {"target": INTERNET}
    if params["app_subnets"]:
        wanted[f"egress_gateway/{name}"] = {}
        for zone in params["availability_zones"]:
            wanted[f"route/app-{zone} {ANYWHERE_IPV6}"] = {"target": EGRESS}
    return wanted


def _stays(key: str, tree: _plan.Tree) -> bool:
    """Tell whether what a part of a subnet or of a route table belongs to is still wanted."""
    kind, name = _plan.kind_of(key), _plan.name_of(key)
    parents = {"subnet_ipv6": f"subnet/{name}", "route": f"route_table/{name.split(' ', 1)[0]}"}
    return kind not in parents or parents[kind] in tree


def _wanted_flow_logs(params: Mapping[str, Any], current: _plan.Tree) -> _plan.Tree:
    given = params["flow_logs"]
    if given is None:
        return {key: {} for key in current if _plan.kind_of(key) == "flow_log"}
    if not given["enabled"]:
        return {}
    group = log_group_name(params)
    return {
        f"log_group/{group}": {"retention_days": given["retention_days"]},
        "flow_log/vpc": {"traffic": given["traffic"], "log_group": group, "role_arn": given["role_arn"]},
    }


def _tags(key: str, params: Mapping[str, Any], current: _plan.Tree) -> _plan.Fields:
    kind = _plan.kind_of(key)
    if kind in UNTAGGED:
        return {}
    part = _plan.name_of(key)
    wanted = {**(params["tags"] or {}), NETWORK_TAG: params["name"], PART_TAG: part}
    labels = {
        "nat_gateway": f"nat-{part}",
        "flow_log": "flow-log",
        "egress_gateway": "egress",
        "log_group": "flow-logs",
    }
    name = (
        params["name"]
        if part == params["name"] and kind not in labels
        else f"{params['name']}-{labels.get(kind, part)}"
    )
    return {"tags": _owned.wanted_tags(name, current.get(key, {}).get("tags"), wanted, params["purge_tags"])}


def facts(name: str, tree: _plan.Tree) -> dict[str, Any]:
    """Return the module's result; what only a real run can know reads ``UNKNOWN``, what does not exist is null or empty."""

    def of_kind(kind: str) -> dict[str, _plan.Fields]:
        return {_plan.name_of(key): fields for key, fields in sorted(tree.items()) if _plan.kind_of(key) == kind}

    def field(kind: str, part: str, field_name: str) -> Any:
        resource = tree.get(f"{kind}/{part}")
        return None if resource is None else resource.get(field_name, _plan.UNKNOWN)

    subnets: dict[str, list[dict[str, Any]]] = {tier: [] for tier in TIERS}
    for part, subnet in of_kind("subnet").items():
        item = {"id": subnet.get("id", _plan.UNKNOWN), "cidr": subnet["cidr"], "az": subnet["az"]}
        item["ipv6_cidr"] = field("subnet_ipv6", part, "cidr")
        subnets[part.split("-", 1)[0]].append(item)
    return {
        "vpc_id": field("vpc", name, "id"),
        "cidr": field("vpc", name, "cidr"),
        "ipv6_cidr": field("vpc_ipv6", name, "cidr") if f"vpc/{name}" in tree else None,
        "availability_zones": sorted({subnet["az"] for tier in subnets.values() for subnet in tier}),
        "subnets": subnets,
        "internet_gateway_id": field("internet_gateway", name, "id"),
        "nat_gateway_ids": {zone: field("nat_gateway", zone, "id") for zone in of_kind("nat_gateway")},
        "nat_public_ips": {zone: field("elastic_ip", f"nat-{zone}", "public_ip") for zone in of_kind("nat_gateway")},
        "route_table_ids": {part: field("route_table", part, "id") for part in of_kind("route_table")},
        "s3_endpoint_id": field("endpoint", "s3", "id"),
        "interface_endpoint_ids": {part: field("endpoint", part, "id") for part in of_kind("endpoint") if part != "s3"},
        "egress_gateway_id": field("egress_gateway", name, "id"),
        "flow_log_id": field("flow_log", "vpc", "id"),
        "flow_log_group": field("flow_log", "vpc", "log_group"),
    }
