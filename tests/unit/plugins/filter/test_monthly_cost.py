# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The estimate of what a stack costs (P41): a golden one, and what each choice changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.wordpress_ha.aws.plugins.filter.monthly_cost import monthly_cost
from ansible_collections.wordpress_ha.aws.plugins.module_utils._stack_schema import check

ROLE = Path(__file__).resolve().parents[4] / "roles" / "preflight" / "vars"
PRICES = yaml.safe_load((ROLE / "prices.yml").read_text(encoding="utf-8"))["__preflight_prices"]
SCHEMA = yaml.safe_load((ROLE / "stack_schema.yml").read_text(encoding="utf-8"))["__preflight_stack_schema"]
NEEDED: dict[str, Any] = {
    "wordpress_ha_stack": "blog",
    "wordpress_ha_region": "us-east-1",
    "wordpress_ha_site": {"domain": "www.example.org", "admin_email": "admin@example.org"},
    # Named here, so that a change of the defaults does not change the golden estimate.
    "wordpress_ha_web": {"instance_type": "c6i.large", "min": 2, "max": 6},
    "wordpress_ha_database": {"instance_class": "db.r6g.large", "readers": 1},
    "wordpress_ha_cache": {"node_type": "cache.t4g.small", "replicas": 1},
    "wordpress_ha_network": {"nat": "per_az", "availability_zones": 2},
    "wordpress_ha_bastion": {"enabled": False},
}
GOLDEN = """\
  379.60  2 x database instances, db.r6g.large
  124.10  2 x web nodes, c6i.large
   65.70  2 x NAT gateways
   37.38  2 x cache nodes, cache.t4g.small
   22.27  1 x load balancer
    7.30  2 x public addresses of the NAT gateways
    7.30  2 x public addresses of the load balancer
    2.40  6 x secrets
  646.05  USD a month by list prices (us-east-1, 2025), before traffic, requests and storage"""


def stack(**changed: dict[str, Any]) -> dict[str, Any]:
    variables = {**NEEDED, **{f"wordpress_ha_{name}": value for name, value in changed.items()}}
    found, problems = check({name: value for name, value in variables.items() if name in SCHEMA}, SCHEMA)
    assert problems == []
    found["edge"] = {**found["edge"], "waf": {"enabled": False}}
    return found


def test_the_golden_estimate() -> None:
    assert "\n".join(monthly_cost(stack(), PRICES)["lines"]) == GOLDEN


@pytest.mark.parametrize(
    ("changed", "dearer"),
    [
        ({"network": {"nat": "single", "availability_zones": 2}}, -36.5),
        ({"network": {"nat": "none", "availability_zones": 2}}, -73.0),
        ({"network": {"nat": "per_az", "availability_zones": 3}}, 36.5 + 3.65),
        ({"database": {"instance_class": "db.r6g.large", "readers": 0}}, -189.8),
        ({"cache": {"engine": "none"}}, -37.38 - 0.4),
        ({"web": {"instance_type": "c6i.large", "min": 3, "max": 6}}, 62.05),
    ],
)
def test_what_a_choice_costs(changed: dict[str, Any], dearer: float) -> None:
    base = monthly_cost(stack(), PRICES)["total"]
    assert monthly_cost(stack(**changed), PRICES)["total"] - base == pytest.approx(dearer, abs=0.02)


def test_what_has_no_price_is_named() -> None:
    told = monthly_cost(stack(web={"instance_type": "x9.huge", "min": 2, "max": 6}), PRICES)
    assert told["unpriced"] == ["x9.huge"] and "no price is known for x9.huge" in "\n".join(told["lines"])
    assert told["total"] == pytest.approx(646.05 - 124.1)


def test_something_else_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="takes the stack"):
        monthly_cost({}, PRICES)
