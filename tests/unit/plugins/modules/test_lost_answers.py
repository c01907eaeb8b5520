# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every plan-based module, whose writing calls all take effect without an answer: nothing is made twice.

The parameters are those with which the modules' own tests survive kills.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any, Optional

import contract
import pytest

Case = tuple[ModuleType, dict[str, Any], Optional[Callable[[], dict[str, Any]]]]  # noqa: UP045


def smaller(params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a network in one zone instead of two."""
    one = {**params, "availability_zones": ["us-east-1a"]}
    return {**one, **{f"{tier}_subnets": params[f"{tier}_subnets"][:1] for tier in ("public", "app", "data")}}


#: The tests of the modules, and what they survive kills with.
CASES: dict[str, Callable[[Any], Case]] = {
    "acm_certificate_request": lambda t: (t.module, t.PARAMS, t.zones),
    "application_load_balancer": lambda t: (t.module, {}, lambda: t.public(t.prepare())),
    "aurora_cluster": lambda t: (t.aurora_cluster, t.PARAMS, t.subnets),
    "auto_scaling_fleet": lambda t: (t.module, {}, lambda: t.around(t.prepare_emulated())),
    "cloudfront_distribution": lambda t: (t.module, t.PARAMS, None),
    "cloudfront_function": lambda t: (t.module, t.PARAMS, None),
    "cloudwatch_monitoring": lambda t: (t.module, {**t.with_alarm(t.PARAMS, "edge", **t.EDGE), "purge": True}, None),
    "efs_file_system": lambda t: (t.module, t.PARAMS, t.two_zones),
    "iam_identities": lambda t: (t.module, t.PARAMS, None),
    "rds_proxy": lambda t: (t.rds_proxy, t.PARAMS, t.prepare),
    "s3_bucket_statements": lambda t: (t.module, t.PARAMS, t.make),
    "s3_private_bucket": lambda t: (t.module, t.PARAMS, None),
    "secretsmanager_generated": lambda t: (t.module, {**t.PARAMS, "recovery_window": 0}, None),
    "ssm_parameter_tree": lambda t: (t.module, {**t.PARAMS, "parameters": {"one": "1", "two": "2"}}, None),
    "vpc_network": lambda t: (t.module, smaller(t.WHOLE), None),
    "vpc_security_groups": lambda t: (t.module, t.PARAMS, t.vpc),
    "wafv2_web_acl": lambda t: (t.module, t.PARAMS, None),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_lost_answer_left_is_found(name: str, emulated: Any, prove: Callable[[str], None]) -> None:
    module, params, prepare = CASES[name](importlib.import_module(f"test_{name}"))
    lost = contract.survive_lost_answers(module, params, prepare)
    assert len(lost) > 1
    prove(f"{name}: each of {len(lost)} writing calls took effect without an answer, and nothing was made twice")
