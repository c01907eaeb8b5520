# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole picture: which containers, networks and addresses the desired state means. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .config import Config
from .planes import cloud, cloudfront, ec2, elasticache, elbv2, rds
from .planner import Container, Network, Observed, allocate


@dataclass(frozen=True)
class Topology:
    """What should run, where. ``addresses`` are those of balancers and data services by (kind, key)."""

    containers: list[Container]
    networks: list[Network]
    addresses: dict[tuple[str, str], str]
    names: dict[str, list[str]]


def describe(desired: Mapping[str, Any], config: Config, observed: Iterable[Observed], salt: str) -> Topology:
    """Return the topology; what already runs keeps its address."""
    cidrs = {vpc["id"]: vpc["cidr"] for vpc in desired.get("vpcs", [])}
    addresses = _addresses(desired, cidrs, {(seen.kind, seen.key): seen.address for seen in observed})

    def of(kind: str) -> dict[str, str]:
        return {key: address for (owner, key), address in addresses.items() if owner == kind}

    containers = [
        *ec2.containers(desired, config),
        *elbv2.containers(desired, config, of(elbv2.KIND)),
        *rds.containers(desired, config, of(rds.KIND)),
        *elasticache.containers(desired, config, of(elasticache.KIND), salt),
        *cloudfront.containers(desired, config, of(cloudfront.KIND)),
    ]
    used = {container.network for container in containers}
    inhabited = {vpc: cidr for vpc, cidr in cidrs.items() if f"{config.prefix}-{vpc}" in used}
    return Topology(
        containers=[*cloud.containers(config, inhabited), *containers],
        networks=[Network(f"{config.prefix}-{vpc}", cidr) for vpc, cidr in sorted(inhabited.items())],
        addresses=addresses,
        names=cloud.zone(desired, addresses),
    )


def _addresses(
    desired: Mapping[str, Any], cidrs: Mapping[str, str], kept: Mapping[tuple[str, str], str]
) -> dict[tuple[str, str], str]:
    """Give load balancers addresses in their first subnet and data services addresses in their VPC."""
    taken = {instance["private_ip"] for instance in desired.get("instances", []) if instance.get("private_ip")}
    taken |= {
        target["ip_address"] for item in desired.get("file_systems", []) for target in item.get("mount_targets") or []
    }
    found: dict[tuple[str, str], str] = cloudfront.place(desired)
    ranges = [(elbv2.KIND, key, cidr) for key, cidr in sorted(elbv2.subnets(desired).items())]
    for kind, vpcs in ((rds.KIND, rds.vpcs(desired)), (elasticache.KIND, elasticache.vpcs(desired))):
        ranges += [(kind, key, cidrs[vpc]) for key, vpc in sorted(vpcs.items()) if vpc in cidrs]
    for kind, key, cidr in ranges:
        mine = {key: kept[kind, key]} if kept.get((kind, key)) and kept[kind, key] not in taken else {}
        others = {address for owner, address in kept.items() if owner != (kind, key)}
        found[kind, key] = allocate(cidr, [key], mine, taken | others | set(found.values()))[key]
    return found
