# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EC2: an instance is a systemd container at its private address."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from .. import imds
from ..config import Config
from ..planner import Container

KIND = "ec2"
#: States of an instance that must run, and that must not (terminated ones are not in the desired state at all).
RUNNING, STOPPED = {"pending", "running"}, {"stopping", "stopped"}

#: Of 1024. On EC2 each machine has processors of its own; here nodes that serve would wait for the one that is being built, which alone has no image yet.
BUILDER_SHARES = "256"


def name(config: Config, instance_id: str) -> str:
    """Container name of an instance."""
    return f"{config.prefix}-{instance_id}"


def resolver(cidr: str) -> str:
    """Address of a VPC's name server: its network address plus two."""
    return str(ipaddress.ip_network(cidr)[2])


def containers(desired: Mapping[str, Any], config: Config) -> list[Container]:
    """Return the containers of the instances."""
    cidrs = {vpc["id"]: vpc["cidr"] for vpc in desired.get("vpcs", [])}
    source = {image["id"]: image.get("source_instance_id") for image in desired.get("images", [])}
    found = []
    for instance in desired.get("instances", []):
        if instance["state"] not in RUNNING | STOPPED or instance["vpc_id"] not in cidrs:
            continue
        baked = source.get(instance["image_id"]) is not None
        found.append(
            Container(
                name=name(config, instance["id"]),
                kind=KIND,
                key=instance["id"],
                image=config.ami_image(instance["image_id"]) if baked else config.node_image,
                network=f"{config.prefix}-{instance['vpc_id']}",
                address=instance["private_ip"],
                command=("/sbin/init",),
                flags=(
                    *("--hostname", instance["hostname"].split(".")[0]),
                    *("--mac-address", imds.mac_address(instance["id"])),
                    *("--dns", resolver(cidrs[instance["vpc_id"]]), "--dns-search", "ec2.internal"),
                    "--systemd=always",
                    # mount.nfs4 of the node image binds a directory in place of the NFS export.
                    *("--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined"),
                    *("--volume", f"{config.data('efs')}:/run/rehearsal/efs"),
                    *(() if baked else ("--cpu-shares", BUILDER_SHARES)),
                ),
                mortal=True,
                running=instance["state"] in RUNNING,
                gateway=resolver(cidrs[instance["vpc_id"]]),
            )
        )
    return found
