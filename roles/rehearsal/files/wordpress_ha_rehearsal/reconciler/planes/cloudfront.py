# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CloudFront: all distributions are one container at a VPC's fourth address; it is where this machine's browser comes in."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from ..config import Config
from ..planner import Container
from . import elbv2

KIND, KEY = "cloudfront", "edge"


def address(cidr: str) -> str:
    """Return where the edge stands: AWS keeps this address of every range for itself."""
    return str(ipaddress.ip_network(cidr)[3])


def vpc(desired: Mapping[str, Any]) -> str | None:
    """Return the VPC whose resolver the edge asks: that of the site's load balancer, else the first."""
    known = [item["id"] for item in desired.get("vpcs", [])]
    first = elbv2.published(desired)
    home = next((item["vpc_id"] for item in desired.get("load_balancers", []) if item["name"] == first), None)
    return home if home in known else min(known, default=None)


def place(desired: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Return the edge's address by (kind, key); nothing as long as there is no distribution or no VPC."""
    cidrs = {item["id"]: item["cidr"] for item in desired.get("vpcs", [])}
    home = vpc(desired)
    return {(KIND, KEY): address(cidrs[home])} if desired.get("distributions") and home else {}


def containers(desired: Mapping[str, Any], config: Config, places: Mapping[str, str]) -> list[Container]:
    """Return the edge's container, if there is anything to serve."""
    if KEY not in places:
        return []
    published = [
        part
        for inside, outside in sorted(config.ports.items() if config.front_door == KEY else ())
        for part in ("--publish", f"127.0.0.1:{outside}:{inside}")
    ]
    return [
        Container(
            name=f"{config.prefix}-edge",
            kind=KIND,
            key=KEY,
            image=config.services_image,
            network=f"{config.prefix}-{vpc(desired)}",
            address=places[KEY],
            command=("rehearsal-edge",),
            flags=("--volume", f"{config.directory(KIND, KEY)}:/etc/rehearsal", *published),
        )
    ]


def names(desired: Mapping[str, Any], places: Mapping[tuple[str, str], str]) -> dict[str, list[str]]:
    """Return addresses by name of the distributions."""
    if (KIND, KEY) not in places:
        return {}
    return {item["domain_name"]: [places[KIND, KEY]] for item in desired.get("distributions", [])}


def certificate_names(desired: Mapping[str, Any]) -> list[str]:
    """Return the names of the certificate that distributions without one of their own show."""
    return ["*.cloudfront.net", *sorted(item["domain_name"] for item in desired.get("distributions", []))]
