# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Managed prefix lists: the addresses from which the edge comes are the rehearsal's own."""

from __future__ import annotations

import ipaddress
from typing import Any

from moto.ec2.models import EC2Backend

from . import extension
from .patching import Function, wrap

ORIGIN_FACING = "com.amazonaws.global.cloudfront.origin-facing"
#: The address of a VPC at which the rehearsal's edge stands, counted from its first.
EDGE_OFFSET = 3
#: What the list holds as long as there is no VPC: a range of CloudFront's own.
ELSEWHERE = "130.176.0.0/16"
#: How much an AWS prefix list counts in a security group, whatever it holds.
WEIGHT = 55


def edge_addresses(backend: Any) -> list[str]:
    """Return the CIDRs of the edge: one address in each VPC of ours."""
    networks = [ipaddress.ip_network(vpc.cidr_block) for vpc in backend.vpcs.values() if not vpc.is_default]
    return [f"{network[EDGE_OFFSET]}/32" for network in networks] or [ELSEWHERE]


@extension("ec2-origin-facing-prefix-list", "the edge's prefix list holds addresses that exist in no rehearsal")
def _origin_facing() -> None:
    def refreshed(backend: Any) -> None:
        for listed in backend.managed_prefix_lists.values():
            if listed.prefix_list_name == ORIGIN_FACING:
                entries = [{"Cidr": cidr, "Description": ""} for cidr in edge_addresses(backend)]
                listed.entries, listed.max_entries = {1: entries}, WEIGHT

    @wrap(EC2Backend, "describe_managed_prefix_lists")
    def describe(original: Function, self: Any, *args: Any, **kwargs: Any) -> Any:
        refreshed(self)
        return original(self, *args, **kwargs)

    @wrap(EC2Backend, "get_managed_prefix_list_entries")
    def entries(original: Function, self: Any, *args: Any, **kwargs: Any) -> Any:
        refreshed(self)
        return original(self, *args, **kwargs)
