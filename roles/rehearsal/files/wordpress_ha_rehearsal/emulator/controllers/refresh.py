# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instance refreshes: replace a group's members one by one, and go back when a new one does not become healthy.

The order with MaxHealthyPercentage above 100: launch one on the new template, wait until it is in service, healthy in
every target group in use and warmed up, then drain and terminate one of the old ones, and so on. Otherwise an old one
goes first.
"""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.core.exceptions import ServiceException

#: Statuses in which a refresh still works, and blocks another one.
ACTIVE = ("Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress")

#: Seconds beyond grace period and warm-up after which a new member that is not healthy is given up.
PATIENCE = 60
#: Seconds from a launch until the instance must run.
BOOT_PATIENCE = 300


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Refresh:
    """One refresh of one group; ``target`` is the template that counts at the moment, forward or back."""

    id: str
    group: Any
    desired: dict[str, str] | None
    previous: dict[str, str]
    preferences: dict[str, Any]
    mixed: dict[str, Any] | None = None
    baked_at: float | None = None
    status: str = "Pending"
    reason: str | None = None
    started: datetime = field(default_factory=_now)
    ended: datetime | None = None
    total: int = 0
    left: int = 0
    rollback: dict[str, Any] | None = None

    @classmethod
    def start(cls, group: Any, configuration: dict[str, Any], preferences: dict[str, Any]) -> Refresh:
        """Check a request as AWS does and return the pending refresh; ValidationError says what is wrong."""
        previous = launched_from(group)
        mixed = configuration.get("MixedInstancesPolicy")
        wanted = (
            mixed["LaunchTemplate"]["LaunchTemplateSpecification"] if mixed else configuration.get("LaunchTemplate")
        )
        low, high = preferences.get("MinHealthyPercentage"), preferences.get("MaxHealthyPercentage")
        if high is not None and low is None:
            raise ValidationError("You must specify MinHealthyPercentage when you specify MaxHealthyPercentage.")
        if high is not None and not (100 <= int(high) <= 200 and int(high) - int(low or 0) <= 100):
            raise ValidationError(
                "MaxHealthyPercentage must be between 100 and 200 and at most 100 above MinHealthyPercentage."
            )
        if group.ec2_launch_template is None:
            raise ValidationError("The rehearsal refreshes groups with a launch template only.")
        desired = template_of(group, wanted) if wanted else None
        if preferences.get("AutoRollback") and (
            desired is None
            or str(previous.get("Version") or "$Default").startswith("$")
            or str((wanted or {}).get("Version") or "$Default").startswith("$")
        ):
            raise ValidationError(
                "AutoRollback needs a desired configuration, and a launch template version that is a number in both."
            )
        refresh = cls(str(uuid.uuid4()), group, desired, template_of(group, previous), preferences, mixed)
        refresh.total = refresh.left = len(refresh.stale())
        return refresh

    @property
    def target(self) -> dict[str, str]:
        if self.status == "RollbackInProgress":
            return self.previous
        return self.desired or template_of(self.group, launched_from(self.group))

    @property
    def can_roll_back(self) -> bool:
        return self.desired is not None and self.status in ("Pending", "InProgress", "Baking")

    @property
    def generation(self) -> str:
        """Mark of the members launched by this refresh in its present direction."""
        return f"{self.id}/{'back' if self.rollback else 'forward'}"

    def members(self) -> list[Any]:
        return [state for state in self.group.instance_states if not state.lifecycle_state.startswith("Terminat")]

    def fresh(self) -> list[Any]:
        """Return the members that need not be replaced."""
        match = self.preferences.get("SkipMatching") or self.rollback
        return [
            state
            for state in self.members()
            if same_template(state.launch_template, self.target)
            and (match or getattr(state, "generation", None) == self.generation)
        ]

    def stale(self) -> list[Any]:
        fresh = self.fresh()
        return [state for state in self.members() if state not in fresh]

    def roll_back(self, reason: str) -> None:
        """Turn round: the members launched so far are the ones to replace now."""
        self.status, self.reason = "RollbackInProgress", reason
        self.rollback = {"RollbackReason": reason, "RollbackStartTime": _now()}
        self.group.surge = 0
        self.total = self.left = len(self.stale())

    def finish(self, status: str, reason: str | None = None) -> None:
        """End with a status; a successful refresh makes its template the group's."""
        self.status, self.ended = status, _now()
        self.reason = reason or self.reason
        self.group.surge = 0
        if status == "Successful":
            self.left = 0
            if self.desired:
                spec = {"LaunchTemplateId": self.desired["LaunchTemplateId"], "Version": self.desired["Version"]}
                launch_from(self.group, spec, self.mixed)

    def described(self) -> dict[str, Any]:
        """Return the refresh in the API's shape."""
        done = 100 if not self.total else int(100 * (self.total - self.left) / self.total)
        shape: dict[str, Any] = {
            "InstanceRefreshId": self.id,
            "AutoScalingGroupName": self.group.name,
            "Status": self.status,
            "StatusReason": self.reason,
            "StartTime": self.started,
            "EndTime": self.ended,
            "PercentageComplete": 100 if self.status == "Successful" else done,
            "InstancesToUpdate": self.left,
            "Preferences": self.preferences or None,
            "Strategy": "Rolling",
        }
        if self.mixed and self.desired:
            launched = {**self.mixed["LaunchTemplate"], "LaunchTemplateSpecification": self.desired}
            shape["DesiredConfiguration"] = {"MixedInstancesPolicy": {**self.mixed, "LaunchTemplate": launched}}
        elif self.desired:
            shape["DesiredConfiguration"] = {"LaunchTemplate": self.desired}
        if self.rollback:
            shape["RollbackDetails"] = {
                **self.rollback,
                "PercentageCompleteOnRollback": done,
                "InstancesToUpdateOnRollback": self.left,
            }
        return {name: value for name, value in shape.items() if value is not None}


def template_of(group: Any, spec: dict[str, Any]) -> dict[str, str]:
    """Resolve a launch template specification to id, name and version number; ValidationError if there is none."""
    backend = group.ec2_backend
    try:
        if spec.get("LaunchTemplateId"):
            template = backend.get_launch_template(spec["LaunchTemplateId"])
        else:
            template = backend.get_launch_template_by_name(spec.get("LaunchTemplateName"))
        version = template.get_version(spec.get("Version") or "$Default")
    except (ServiceException, ValueError) as error:
        raise ValidationError(f"The launch template cannot be used: {error}") from error
    return {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "Version": str(version.number)}


def launched_from(group: Any) -> dict[str, Any]:
    """Return the launch template specification of a group, with instances of several types or of one."""
    if group.mixed_instances_policy:
        return dict(group.mixed_instances_policy["LaunchTemplate"]["LaunchTemplateSpecification"])
    return dict(group.launch_template or {})


def launch_from(group: Any, spec: dict[str, Any], mixed: dict[str, Any] | None) -> None:
    """Let a group launch from a template from now on, with the mixed instances policy around it if there is one."""
    if mixed:
        launched = {"Overrides": [], **mixed["LaunchTemplate"], "LaunchTemplateSpecification": spec}
        group.mixed_instances_policy = {**mixed, "LaunchTemplate": launched}
        group._set_launch_configuration(None, None, group.mixed_instances_policy)
    else:
        group.mixed_instances_policy = None
        group._set_launch_configuration(None, spec, None)


def same_template(one: dict[str, Any] | None, other: dict[str, Any]) -> bool:
    """Tell whether two specifications mean the same version of the same template."""
    if one is None:
        return False
    return all(str(one[key]) == str(other[key]) for key in ("LaunchTemplateId", "Version"))


def active_refresh(group: Any) -> Refresh | None:
    """Return the refresh that works on a group, if any."""
    return next((refresh for refresh in group.refreshes if refresh.status in ACTIVE), None)


class RefreshController:
    """Lead every active refresh one step further; the fleet controller launches and terminates for it."""

    def __init__(self, fleet: Any) -> None:
        self.fleet = fleet

    def step(self, group: Any) -> None:
        refresh = active_refresh(group)
        if refresh is None:
            return
        if refresh.status == "Cancelling":
            refresh.finish("Cancelled", "Cancelled at a user's request.")
            return
        if refresh.status == "Pending":
            refresh.status = "InProgress"
        trouble = self._trouble(group, refresh)
        if trouble:
            self._give_up(refresh, trouble)
        else:
            self._advance(group, refresh)

    def _advance(self, group: Any, refresh: Refresh) -> None:
        stale, fresh = refresh.stale(), refresh.fresh()
        waiting = [state for state in fresh if not self._ready(group, refresh, state)]
        refresh.left = len(stale) + len(waiting)
        if waiting or any(state.lifecycle_state.startswith("Terminat") for state in group.instance_states):
            return
        if not stale:
            if self._baked(refresh):
                refresh.finish("RollbackSuccessful" if refresh.rollback else "Successful")
            return
        members = len(stale) + len(fresh)
        first = int(refresh.preferences.get("MaxHealthyPercentage") or 100) > 100
        if members > group.desired_capacity or (not first and members == group.desired_capacity):
            self.fleet.retire(group, _next(group, stale), "replaced by an instance refresh")
            group.surge = 0
        elif first:
            group.surge = 1

    def _baked(self, refresh: Refresh) -> bool:
        """Tell whether the bake time after the last replacement is over, in which alarms are still listened to."""
        seconds = int(refresh.preferences.get("BakeTime") or 0)
        if refresh.rollback or not seconds:
            return True
        if refresh.baked_at is None:
            refresh.status, refresh.baked_at = "Baking", self.fleet.clock.now() + seconds
        return bool(self.fleet.clock.now() >= refresh.baked_at)

    def _ready(self, group: Any, refresh: Refresh, state: Any) -> bool:
        """Tell whether a member is in service, healthy behind the balancer, and warm if this refresh launched it."""
        if state.lifecycle_state != "InService" or self.fleet.balancer_health(group, state)[0] != "healthy":
            return False
        if getattr(state, "generation", None) != refresh.generation:
            return True
        return bool(self.fleet.clock.now() - state.in_service_at >= self._warmup(group, refresh))

    @staticmethod
    def _warmup(group: Any, refresh: Refresh) -> int:
        for value in (refresh.preferences.get("InstanceWarmup"), group.default_instance_warmup):
            if value is not None and int(value) >= 0:
                return int(value)
        return int(group.health_check_grace_period or 0)

    def _trouble(self, group: Any, refresh: Refresh) -> str | None:
        """Say what makes this refresh fail, naming the instance: lost, never running, never healthy, or an alarm."""
        alarm = self._alarm(refresh)
        if alarm and not refresh.rollback:
            return f"Alarm {alarm} is in state ALARM"
        for instance_id, generation, reason in group.lost:
            if generation == refresh.generation:
                return f"Instance {instance_id} failed: {reason}"
        for state in refresh.members():
            if getattr(state, "generation", None) == refresh.generation:
                late = self._late(group, refresh, state)
                if late:
                    self.fleet.retire(group, state, late)
                    return f"Instance {state.instance.id} failed: {late}"
        return None

    def _late(self, group: Any, refresh: Refresh, state: Any) -> str | None:
        now = self.fleet.clock.now()
        if state.lifecycle_state == "Pending":
            waited = now - state.launched_at
            return f"it does not run {waited:.0f} s after its launch" if waited > BOOT_PATIENCE else None
        health, reason = self.fleet.balancer_health(group, state)
        limit = int(group.health_check_grace_period or 0) + PATIENCE
        if state.lifecycle_state == "InService" and health != "healthy" and now - state.in_service_at > limit:
            detail = f": {reason}" if reason else ""
            return f"it is {health} for the load balancer {limit} s after it came into service{detail}"
        return None

    def _alarm(self, refresh: Refresh) -> str | None:
        names = (refresh.preferences.get("AlarmSpecification") or {}).get("Alarms") or []
        return next((name for name in names if self.fleet.alarm_state(name) == "ALARM"), None)

    @staticmethod
    def _give_up(refresh: Refresh, trouble: str) -> None:
        if refresh.rollback:
            refresh.finish("RollbackFailed", f"{refresh.reason} The rollback failed too: {trouble}.")
        elif refresh.preferences.get("AutoRollback") and refresh.can_roll_back:
            refresh.roll_back(
                f"{trouble}. The group was rolled back to launch template version {refresh.previous['Version']}."
            )
        else:
            refresh.finish("Failed", f"{trouble}.")


def _next(group: Any, stale: list[Any]) -> Any:
    """Choose whom to replace: in the zone with the most members, the oldest."""
    used = Counter(state.availability_zone for state in group.instance_states)
    return min(stale, key=lambda state: (-used[state.availability_zone], state.launched_at))
