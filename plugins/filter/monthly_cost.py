# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: monthly_cost
author:
  - The wordpress_ha.aws project (@wordpress-ha)
version_added: 0.1.0
short_description: Estimate what a stack costs a month while nobody visits it
description:
  - Takes the normalised stack, as the role C(preflight) publishes it, and a table of prices, and returns what is paid by the hour, largest
    first. What is paid by use (traffic, requests, storage) is left out, for it depends on the visitors.
  - The number of web nodes is the least, since more of them run only under load.
  - What has no price in the table is named, and counts nothing.
positional: _input
options:
  _input:
    description: The stack, C(preflight_result.stack).
    type: dict
    required: true
  prices:
    description: The prices in USD, as C(roles/preflight/vars/prices.yml) has them.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what the stack costs
  ansible.builtin.debug:
    msg: "{{ (preflight_result.stack | wordpress_ha.aws.monthly_cost(prices)).lines }}"
"""

RETURN = r"""
_value:
  description:
    - C(total) in USD a month, C(parts), a list of C(part), C(quantity), C(monthly), C(unpriced), names of what has no price, and C(lines) for
      people.
  type: dict
"""
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

#: How many virtual processors an RDS Proxy is paid for at least.
LEAST_PROXY_VCPUS = 2
#: Secrets that a stack keeps: salts, database user, administrator, cache, origin header, and the master's, which RDS keeps.
SECRETS = 6


def _zones(network: Mapping[str, Any]) -> int:
    zones = network["availability_zones"]
    return len(zones) if isinstance(zones, (list, tuple)) else int(zones)


class _Estimate:
    """The parts so far; a price that is not in the table is remembered by its name."""

    def __init__(self, prices: Mapping[str, Any]) -> None:
        self.prices = prices
        self.parts: list[dict[str, Any]] = []
        self.unpriced: list[str] = []

    def hourly(self, part: str, quantity: float, price: float | None, name: str = "") -> None:
        if quantity and price is None:
            self.unpriced.append(name)
        elif quantity:
            self.monthly(part, quantity, float(price or 0) * self.prices["hours_per_month"])

    def monthly(self, part: str, quantity: float, price: float) -> None:
        if quantity:
            self.parts.append({"part": part, "quantity": quantity, "monthly": round(quantity * price, 2)})


def _network(estimate: _Estimate, stack: Mapping[str, Any]) -> None:
    network, prices = stack["network"], estimate.prices
    zones = _zones(network)
    foreign = network.get("vpc_id") or network.get("vpc_tags")
    gateways = 0 if foreign else {"per_az": zones, "single": 1}.get(network["nat"], 0)
    estimate.hourly("NAT gateways", gateways, prices["nat_gateway"])
    estimate.hourly("public addresses of the NAT gateways", gateways, prices["public_address"])
    endpoints = len(network.get("interface_endpoints") or []) * zones
    estimate.hourly("interface endpoints, by zone", endpoints, prices["interface_endpoint"])
    internal = stack["edge"]["enabled"] and stack["edge"]["origin_access"] == "vpc_origin"
    estimate.hourly("load balancer", 1, prices["load_balancer"] + prices["load_balancer_capacity_unit"])
    estimate.hourly("public addresses of the load balancer", 0 if internal else zones, prices["public_address"])


def _nodes(estimate: _Estimate, stack: Mapping[str, Any]) -> None:
    web, prices = stack["web"], estimate.prices
    kind = web["instance_type"]
    estimate.hourly(f"web nodes, {kind}", web["min"], prices["instances"].get(kind), kind)
    bastion = stack.get("bastion") or {}
    if bastion.get("enabled"):
        kind = bastion["instance_type"]
        estimate.hourly(f"bastion, {kind}", 1, prices["instances"].get(kind), kind)
        estimate.hourly("public address of the bastion", 1, prices["public_address"])


def _data(estimate: _Estimate, stack: Mapping[str, Any]) -> None:
    database, cache, prices = stack["database"], stack["cache"], estimate.prices
    if not database.get("existing"):
        instances = 1 + database["readers"]
        serverless = database.get("serverless") or {}
        if serverless:
            units = float(serverless["min_capacity"]) * instances
            estimate.hourly("database capacity units, least", units, prices["aurora_capacity_unit"])
        else:
            kind = database["instance_class"]
            estimate.hourly(f"database instances, {kind}", instances, prices["databases"].get(kind), kind)
        if database.get("proxy"):
            estimate.hourly(
                "virtual processors of the database proxy", LEAST_PROXY_VCPUS, prices["database_proxy_vcpu"]
            )
    if cache.get("serverless") and cache["engine"] != "none":
        estimate.hourly("serverless cache", 1, None, "serverless cache, paid by use")
    elif cache["engine"] != "none" and not cache.get("existing"):
        kind = cache["node_type"]
        price = prices["caches"].get(kind)
        if price is not None and cache["engine"] == "valkey":
            price *= 1 - prices["valkey_discount"]
        number = cache["nodes"] if cache["engine"] == "memcached" else 1 + cache["replicas"]
        estimate.hourly(f"cache nodes, {kind}", number, price, kind)


def monthly_cost(stack: Mapping[str, Any], prices: Mapping[str, Any]) -> dict[str, Any]:
    """Return the estimate; AnsibleFilterError for something that is no stack."""
    estimate = _Estimate(prices)
    try:
        _network(estimate, stack)
        _nodes(estimate, stack)
        _data(estimate, stack)
        estimate.monthly("secrets", SECRETS - (stack["cache"]["engine"] == "none"), prices["secret"])
        if ((stack["edge"].get("waf")) or {}).get("enabled"):
            estimate.monthly("web ACL", 1, prices["web_acl"])
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(
            f"monthly_cost takes the stack of preflight_result and a table of prices; {error!r} is missing"
        ) from error
    parts = sorted(estimate.parts, key=lambda part: (-part["monthly"], part["part"]))
    total = round(sum(part["monthly"] for part in parts), 2)
    lines = [f"{part['monthly']:8.2f}  {part['quantity']:g} x {part['part']}" for part in parts]
    lines += [f"       ?  no price is known for {name}" for name in estimate.unpriced]
    lines.append(
        f"{total:8.2f}  USD a month by list prices ({prices['region']}, {prices['noted']}), before traffic, requests and storage"
    )
    return {"total": total, "parts": parts, "unpriced": estimate.unpriced, "lines": lines}


class FilterModule:
    """The filter of the estimate."""

    def filters(self) -> dict[str, Any]:
        return {"monthly_cost": monthly_cost}
