# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ELBv2: a load balancer is an haproxy container in its first subnet; one may be the front door of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config import Config
from ..planner import Container

KIND = "elbv2"

#: What the container starts with; the checked configuration follows at once.
STARTING = """global
    stats socket /etc/rehearsal/stats.sock mode 600 level admin expose-fd listeners
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend starting
    bind 127.0.0.1:9
    http-request return status 503
"""


def published(desired: Mapping[str, Any]) -> str | None:
    """Return the name of the site's load balancer, the one this machine's browser reaches: the first internet-facing one."""
    facing = sorted(
        item["name"] for item in desired.get("load_balancers", []) if item.get("scheme") == "internet-facing"
    )
    return facing[0] if facing else None


def subnets(desired: Mapping[str, Any]) -> dict[str, str]:
    """Return the subnet (CIDR) by load balancer in which its node stands."""
    return {
        item["name"]: item["subnets"][0]["cidr"] for item in desired.get("load_balancers", []) if item.get("subnets")
    }


def containers(desired: Mapping[str, Any], config: Config, addresses: Mapping[str, str]) -> list[Container]:
    """Return the containers of the load balancers; ``addresses`` by load balancer name."""
    first = published(desired)
    found = []
    for balancer in desired.get("load_balancers", []):
        name = balancer["name"]
        if name not in addresses:
            continue
        ports = [
            part
            for inside, outside in sorted(config.ports.items() if config.front_door == "load_balancer" else ())
            for part in ("--publish", f"127.0.0.1:{outside}:{inside}")
        ]
        found.append(
            Container(
                name=f"{config.prefix}-alb-{name}",
                kind=KIND,
                key=name,
                image=config.services_image,
                network=f"{config.prefix}-{balancer['vpc_id']}",
                address=addresses[name],
                command=(
                    "haproxy",
                    "-W",
                    "-db",
                    "-S",
                    "/etc/rehearsal/master.sock",
                    "-f",
                    "/etc/rehearsal/haproxy.cfg",
                ),
                flags=("--volume", f"{config.directory(KIND, name)}:/etc/rehearsal", *(ports if name == first else ())),
            )
        )
    return found
