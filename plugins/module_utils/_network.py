# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a network of three tiers is made of: the wanted tree and the checks of its address ranges, without any I/O."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from . import _owned, _plan

#: Identity of everything in a network: its name, and the part of it that a resource is.
NETWORK_TAG = "wordpress_ha:network"
PART_TAG = "wordpress_ha:part"

TIERS = ("public", "app", "data")
ANYWHERE = "0.0.0.0/0"
LARGEST, SMALLEST = 16, 28  # prefix lengths AWS allows for a VPC and for a subnet


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
        tree[f"route/public {ANYWHERE}"] = {"target": "internet gateway"}
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
    return {key: {**fields, **_tags(key, params, current)} for key, fields in tree.items()}


def _tags(key: str, params: Mapping[str, Any], current: _plan.Tree) -> _plan.Fields:
    if _plan.kind_of(key) in ("route", "association"):
        return {}
    part = _plan.name_of(key)
    wanted = {**(params["tags"] or {}), NETWORK_TAG: params["name"], PART_TAG: part}
    label = f"nat-{part}" if _plan.kind_of(key) == "nat_gateway" else part
    name = part if part == params["name"] else f"{params['name']}-{label}"
    return {"tags": _owned.wanted_tags(name, current.get(key, {}).get("tags"), wanted, params["purge_tags"])}


def facts(name: str, tree: _plan.Tree) -> dict[str, Any]:
    """Return the module's result; what only a real run can know reads ``UNKNOWN``, what does not exist is null or empty."""

    def of_kind(kind: str) -> dict[str, _plan.Fields]:
        return {_plan.name_of(key): fields for key, fields in sorted(tree.items()) if _plan.kind_of(key) == kind}

    def field(kind: str, part: str, field_name: str) -> Any:
        resource = tree.get(f"{kind}/{part}")
        return None if resource is None else resource.get(field_name, _plan.UNKNOWN)

    subnets: dict[str, list[dict[str, str]]] = {tier: [] for tier in TIERS}
    for part, subnet in of_kind("subnet").items():
        item = {"id": subnet.get("id", _plan.UNKNOWN), "cidr": subnet["cidr"], "az": subnet["az"]}
        subnets[part.split("-", 1)[0]].append(item)
    return {
        "vpc_id": field("vpc", name, "id"),
        "cidr": field("vpc", name, "cidr"),
        "availability_zones": sorted({subnet["az"] for tier in subnets.values() for subnet in tier}),
        "subnets": subnets,
        "internet_gateway_id": field("internet_gateway", name, "id"),
        "nat_gateway_ids": {zone: field("nat_gateway", zone, "id") for zone in of_kind("nat_gateway")},
        "nat_public_ips": {zone: field("elastic_ip", f"nat-{zone}", "public_ip") for zone in of_kind("nat_gateway")},
        "route_table_ids": {part: field("route_table", part, "id") for part in of_kind("route_table")},
        "s3_endpoint_id": field("endpoint", "s3", "id"),
    }
