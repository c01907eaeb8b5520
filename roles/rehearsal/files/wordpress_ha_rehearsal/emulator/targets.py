# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Targets of target groups: what state they are in, and how they come and go. Functions on moto's target groups.

``group.reports`` holds the data plane's last word by target id; ``group.draining`` the deregistered targets that still
serve what they have begun, with the clock's time at which they end (``until``, None until a controller has set it).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_INITIAL = ("Elb.RegistrationInProgress", "Target registration is in progress")
_DRAINING = ("Target.DeregistrationInProgress", "Target deregistration is in progress")
_UNUSED = ("Target.NotInUse", "Target group is not configured to receive traffic from the load balancer")
_UNKNOWN = ("Target.NotRegistered", "Target is not registered to the target group")

State = tuple[str, str | None, str | None]


def target_state(backend: Any, group: Any, target_id: str) -> State:
    """Return state, reason code and description of a target as DescribeTargetHealth words them."""
    if target_id in group.draining:
        return ("draining", *_DRAINING)
    if target_id not in group.targets:
        return ("unused", *_UNKNOWN)
    if group.arn not in set(target_groups_in_use(backend)):
        return ("unused", *_UNUSED)
    state, reason = group.reports.get(target_id, ("initial", ""))
    if state == "healthy":
        return "healthy", None, None
    if state == "unhealthy":
        return "unhealthy", "Target.FailedHealthChecks", reason or "Health checks failed"
    return ("initial", *_INITIAL)


def target_groups_in_use(backend: Any) -> Iterator[str]:
    """Yield the ARNs of the target groups that some listener sends traffic to."""
    for balancer in backend.load_balancers.values():
        for listener in balancer.listeners.values():
            for rule in listener.rules.values():
                for action in rule.actions:
                    yield from _target_groups(getattr(action, "data", action))


def _target_groups(action: dict[str, Any]) -> Iterator[str]:
    if action.get("TargetGroupArn"):
        yield action["TargetGroupArn"]
    for group in action.get("ForwardConfig", {}).get("TargetGroups", []):
        yield group["TargetGroupArn"]


def drain_target(group: Any, target_id: str) -> None:
    """Deregister a target: it serves what it has begun until a controller finds its delay passed."""
    target = group.targets.pop(target_id, None)
    group.reports.pop(target_id, None)
    if target is not None:
        group.draining[target_id] = {**target, "until": None}


def drop_target(group: Any, target_id: str) -> None:
    """Forget a target at once, as happens when its instance is gone."""
    group.targets.pop(target_id, None)
    group.draining.pop(target_id, None)
    group.reports.pop(target_id, None)


def report_target(group: Any, target_id: str, state: str, reason: str) -> None:
    """Take over a report on a registered target; one that drains cannot become healthy again."""
    if target_id in group.targets and state in ("healthy", "unhealthy", "initial"):
        group.reports[target_id] = (state, reason)
