# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an Auto Scaling group has around it: mixed instances, target tracking, schedules, the termination hook, the warm pool. Pure.

For each: one normal form for what users write and what AWS reports, and the arguments that AWS takes for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from . import _plan
from ._plan import Fields, Refused

#: What AWS does when nobody said which: the pools with most capacity, the cheapest of them first.
SPOT_STRATEGY = "price-capacity-optimized"
UTC = "UTC"
#: AWS's word for a warm pool that may hold as many instances as the group.
UNLIMITED = -1
CRON_FIELD = re.compile(r"[0-9A-Za-z*/,?#-]+")
SIZES = {"min": "MinSize", "max": "MaxSize", "desired": "DesiredCapacity"}
POOL = {"state": "PoolState", "min": "MinSize", "max_prepared": "MaxGroupPreparedCapacity"}


# Instances of several types


def reported_mixed(policy: Mapping[str, Any] | None) -> Fields:
    """Return the normal form of a described mixed instances policy; empty for none."""
    if not policy:
        return {}
    template, distribution = policy.get("LaunchTemplate") or {}, policy.get("InstancesDistribution") or {}
    return {
        "instance_types": [one["InstanceType"] for one in template.get("Overrides") or [] if one.get("InstanceType")],
        "on_demand_base": int(distribution.get("OnDemandBaseCapacity") or 0),
        "on_demand_percent": int(distribution.get("OnDemandPercentageAboveBaseCapacity", 100)),
        "spot_strategy": distribution.get("SpotAllocationStrategy"),
    }


def wanted_mixed(given: Mapping[str, Any] | None) -> Fields | None:
    """Return the normal form of what a user wrote: None leaves it alone, no types mean none."""
    if given is None:
        return None
    if not given["instance_types"]:
        return {}
    if not 0 <= given["on_demand_percent"] <= 100:
        raise Refused(f"mixed_instances.on_demand_percent is {given['on_demand_percent']}: give 0 to 100.")
    return {name: given[name] for name in ("instance_types", "on_demand_base", "on_demand_percent", "spot_strategy")}


def sent_mixed(mixed: Fields, template_id: str, version: str) -> Fields:
    """Return AWS's form of a mixed instances policy that launches from this version of this template."""
    return {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateId": template_id, "Version": version},
            "Overrides": [{"InstanceType": one} for one in mixed["instance_types"]],
        },
        "InstancesDistribution": {
            "OnDemandAllocationStrategy": "prioritized",
            "OnDemandBaseCapacity": mixed["on_demand_base"],
            "OnDemandPercentageAboveBaseCapacity": mixed["on_demand_percent"],
            "SpotAllocationStrategy": mixed["spot_strategy"],
        },
    }


def template_of(group: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the launch template specification of a described group, with mixed instances or without."""
    mixed = (group.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
    return mixed.get("LaunchTemplateSpecification") or group.get("LaunchTemplate") or {}


def has_spot(mixed: Fields | None) -> bool:
    return bool(mixed) and (mixed or {})["on_demand_percent"] < 100


# Target tracking


def resource_label(balancer_arn: str, target_group_arn: str) -> str:
    """Return the label by which CloudWatch counts one target group's requests."""
    if not _plan.is_known([balancer_arn, target_group_arn]):
        return _plan.UNKNOWN
    return f"{balancer_arn.split(':loadbalancer/', 1)[-1]}/{target_group_arn.rsplit(':', 1)[-1]}"


def reported_policy(policy: Mapping[str, Any]) -> Fields:
    config = policy.get("TargetTrackingConfiguration") or {}
    metric = config.get("PredefinedMetricSpecification") or {}
    return {
        "metric": metric.get("PredefinedMetricType"),
        "resource_label": metric.get("ResourceLabel"),
        "target": float(config.get("TargetValue") or 0),
    }


def wanted_policies(name: str, tracking: Mapping[str, Any], target_groups: list[str] | None) -> _plan.Tree:
    """Return the policies of a group by key; ``Refused`` when requests are to be counted and nobody said whose."""
    tree: _plan.Tree = {}
    if tracking["cpu"] is not None:
        tree[f"policy/{name}-cpu"] = {"metric": "ASGAverageCPUUtilization", "target": tracking["cpu"]}
    if tracking["requests_per_target"] is not None:
        if not target_groups or not tracking["load_balancer_arn"]:
            raise Refused("target_tracking.requests_per_target needs load_balancer_arn and target_group_arns.")
        tree[f"policy/{name}-requests"] = {
            "metric": "ALBRequestCountPerTarget",
            "target": tracking["requests_per_target"],
            "resource_label": resource_label(tracking["load_balancer_arn"], target_groups[0]),
        }
    return tree


def policy_arguments(fields: Mapping[str, Any]) -> Fields:
    metric = {"PredefinedMetricType": fields["metric"]}
    if fields.get("resource_label"):
        metric["ResourceLabel"] = fields["resource_label"]
    return {
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingConfiguration": {"PredefinedMetricSpecification": metric, "TargetValue": fields["target"]},
    }


# Schedules


def reported_schedule(action: Mapping[str, Any]) -> Fields:
    return {
        "recurrence": action.get("Recurrence"),
        "time_zone": action.get("TimeZone") or UTC,
        "sizes": {name: action[source] for name, source in SIZES.items() if action.get(source) is not None},
    }


def wanted_schedule(name: str, given: Mapping[str, Any]) -> Fields:
    """Return the normal form of a schedule; ``Refused`` for one that says no time or no size."""
    sizes = {size: given[size] for size in SIZES if given[size] is not None}
    where = f"schedules.{name}"
    fields = given["recurrence"].split()
    if len(fields) != 5 or not all(CRON_FIELD.fullmatch(one) for one in fields):
        raise Refused(
            f"{where}.recurrence is {given['recurrence']!r}: give five fields as cron does: minute, hour, day, month, weekday."
        )
    if not sizes:
        raise Refused(f"{where} says no size. Give min, max or desired.")
    ordered = [sizes[size] for size in ("min", "desired", "max") if size in sizes]
    if ordered != sorted(ordered):
        raise Refused(f"{where} has the sizes {sizes}: min cannot exceed desired, nor desired max.")
    return {"recurrence": " ".join(fields), "time_zone": given["time_zone"], "sizes": sizes}


def schedule_arguments(fields: Mapping[str, Any]) -> Fields:
    zone = {"TimeZone": fields["time_zone"]} if fields["time_zone"] != UTC else {}
    return {
        "Recurrence": fields["recurrence"],
        **zone,
        **{SIZES[name]: fields["sizes"][name] for name in fields["sizes"]},
    }


def kept_size(name: str, now: int, given: int, schedules: Iterable[Fields]) -> int:
    """Return a bound of the group: what a schedule has set stays, until another one or the user says otherwise."""
    return now if now in {schedule["sizes"].get(name) for schedule in schedules} else given


# Termination hook and warm pool


def reported_hook(hook: Mapping[str, Any]) -> Fields:
    return {"timeout_seconds": hook.get("HeartbeatTimeout"), "result": hook.get("DefaultResult")}


def hook_arguments(fields: Mapping[str, Any]) -> Fields:
    return {
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "HeartbeatTimeout": fields["timeout_seconds"],
        "DefaultResult": fields["result"],
    }


def reported_pool(pool: Mapping[str, Any] | None) -> Fields | None:
    """Return the normal form of a group's warm pool; None for none, and for one that is being deleted."""
    if not pool or pool.get("Status") == "PendingDelete":
        return None
    most = pool.get("MaxGroupPreparedCapacity")
    return {
        "state": pool.get("PoolState") or "Stopped",
        "min": int(pool.get("MinSize") or 0),
        "max_prepared": UNLIMITED if most is None else int(most),
    }


def wanted_pool(given: Mapping[str, Any], mixed: Fields | None) -> Fields | None:
    """Return the normal form of a warm pool as a user wrote it; None for none."""
    if given["state"] is None:
        return None
    if has_spot(mixed):
        raise Refused(
            "warm_pool is given, and mixed_instances has Spot Instances, for which AWS keeps none. Use one of them."
        )
    most = given["max_prepared"]
    return {"state": given["state"], "min": given["min"], "max_prepared": UNLIMITED if most is None else most}


def pool_arguments(fields: Mapping[str, Any]) -> Fields:
    return {target: fields[name] for name, target in POOL.items()}
