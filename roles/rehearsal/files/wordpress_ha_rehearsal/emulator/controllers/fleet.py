# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Auto Scaling groups: launch over the zones, register, judge health, drain, terminate, replace.

One ``step`` looks at every group once. A group's members carry what the steps need to know besides moto's own fields:
``launched_at``, ``in_service_at`` (clock), ``template`` (what they run), ``generation`` (the refresh behind them).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from moto.autoscaling.models import ASG_NAME_TAG, InstanceState
from moto.core.exceptions import ServiceException

from ..clock import Clock
from ..targets import drain_target, drop_target, target_state
from .activities import record
from .hooks import released
from .pool import WarmPoolController
from .refresh import RefreshController, active_refresh, launched_from, template_of
from .schedules import ScheduleController


class FleetController:
    """All groups of one region; ``backends`` gives moto's backends by service name."""

    def __init__(self, backends: Any, clock: Clock, schedules: bool = True) -> None:
        self.backends = backends
        self.clock = clock
        self.refreshes = RefreshController(self)
        self.pools = WarmPoolController(self)
        self.schedules = ScheduleController(self) if schedules else None

    def step(self) -> None:
        """Bring every group, and every target that drains, one step further."""
        self._drain()
        if self.schedules:
            self.schedules.step()
        for group in list(self.backends("autoscaling").autoscaling_groups.values()):
            self._condemn(group)
            self._settle(group)
            self._judge(group)
            self._bury(group)
            self.refreshes.step(group)
            self._scale(group)
            self.pools.step(group)
        self._drain()  # so that the delays of this step's deregistrations begin now

    # Targets

    def _drain(self) -> None:
        """Start and end deregistration delays; targets whose instance is gone go at once."""
        now = self.clock.now()
        for target_group in self.backends("elbv2").target_groups.values():
            for target_id in [*target_group.targets, *target_group.draining]:
                instance = self.backends("ec2").get_instance_by_id(target_id)
                if instance is None or instance.state == "terminated":
                    drop_target(target_group, target_id)
            for target_id, target in list(target_group.draining.items()):
                if target["until"] is None:
                    target["until"] = now + int(target_group.attributes["deregistration_delay.timeout_seconds"])
                if now >= target["until"]:
                    drop_target(target_group, target_id)

    def _target_groups(self, group: Any) -> list[Any]:
        known = self.backends("elbv2").target_groups
        return [known[arn] for arn in group.target_group_arns if arn in known]

    def balancer_health(self, group: Any, state: Any) -> tuple[str, str | None]:
        """Return the worst health of a member over the group's target groups in use, and its reason."""
        worst: tuple[str, str | None] = ("healthy", None)
        for target_group in self._target_groups(group):
            health, _unused, description = target_state(self.backends("elbv2"), target_group, state.instance.id)
            if health == "unhealthy":
                return health, f"{description} (target group {target_group.name})"
            if health not in ("healthy", "unused") or state.instance.id not in target_group.targets:
                worst = health, description
        return worst

    def alarm_state(self, name: str) -> str | None:
        alarm = self.backends("cloudwatch").alarms.get(name)
        return alarm.state_value if alarm else None

    # Members

    def _condemn(self, group: Any) -> None:
        for state in group.instance_states:
            reason = getattr(state, "condemned", None)
            if reason and not _terminating(state):
                self.retire(group, state, reason)

    def _settle(self, group: Any) -> None:
        """Take members whose instance is gone out of the group, and those that run into service."""
        for state in list(group.instance_states):
            if state.instance.state in ("terminated", "shutting-down", "stopped", "stopping"):
                self._lose(group, state, f"its EC2 instance is {state.instance.state}")
            elif state.lifecycle_state == "Pending" and state.instance.state == "running":
                state.lifecycle_state, state.in_service_at = "InService", self.clock.now()
                record(
                    group,
                    f"Launching a new EC2 instance: {state.instance.id}",
                    "The instance is running.",
                    "Successful",
                )
            if state.lifecycle_state == "InService" and not suspended(group, "AddToLoadBalancer"):
                self._register(group, state)

    def _register(self, group: Any, state: Any) -> None:
        for target_group in self._target_groups(group):
            if state in group.instance_states and state.instance.id not in target_group.targets:
                target_group.register([{"Id": state.instance.id}])

    def _lose(self, group: Any, state: Any, reason: str) -> None:
        group.instance_states.remove(state)
        for target_group in self._target_groups(group):
            drop_target(target_group, state.instance.id)
        if state.instance.state in ("stopped", "stopping"):
            state.instance.terminate()
        if not _terminating(state):
            group.lost.append((state.instance.id, getattr(state, "generation", None), reason))
        record(group, f"Terminating EC2 instance: {state.instance.id}", f"It left the group: {reason}.", "Successful")

    def _judge(self, group: Any) -> None:
        """Replace members whose health check fails after the grace period."""
        if suspended(group, "HealthCheck"):
            return
        for state in list(group.instance_states):
            if state.lifecycle_state != "InService":
                continue
            reason = self._illness(group, state)
            if reason:
                state.health_status = "Unhealthy"
            if state.health_status == "Unhealthy" and not suspended(group, "ReplaceUnhealthy", "Terminate"):
                reason = reason or "it was set to Unhealthy"
                group.lost.append((state.instance.id, getattr(state, "generation", None), reason))
                self.retire(group, state, f"its health check failed: {reason}")

    def _illness(self, group: Any, state: Any) -> str | None:
        if "ELB" not in str(group.health_check_type).split(","):
            return None
        if self.clock.now() - state.in_service_at < int(group.health_check_grace_period or 0):
            return None
        health, reason = self.balancer_health(group, state)
        return reason or health if health == "unhealthy" else None

    def retire(self, group: Any, state: Any, reason: str) -> None:
        """Begin to terminate a member: it drains first, and dies when no target group holds it any more."""
        if _terminating(state) or state not in group.instance_states:
            return
        state.lifecycle_state = "Terminating"
        record(group, f"Terminating EC2 instance: {state.instance.id}", f"The instance leaves: {reason}.")
        for target_group in self._target_groups(group):
            drain_target(target_group, state.instance.id)

    def _bury(self, group: Any) -> None:
        self._drain()
        for state in list(group.instance_states):
            if not _terminating(state) or any(state.instance.id in tg.draining for tg in self._target_groups(group)):
                continue
            if released(self.backends("autoscaling"), group, state, self.clock.now()):
                state.instance.terminate()
                self._lose(group, state, "it was terminated")

    # Capacity

    def _scale(self, group: Any) -> None:
        """Launch or retire until the members that stay are as many as wanted."""
        staying = [state for state in group.instance_states if not _terminating(state)]
        counted = [state for state in staying if state.lifecycle_state != "Standby"]
        missing = group.desired_capacity + group.surge - len(counted)
        if missing > 0 and not suspended(group, "Launch"):
            for _unused in range(missing):
                try:
                    if not self.pools.use(group):
                        group.instance_states.append(self.launch(group, "Pending"))
                except ServiceException as error:
                    self.cannot_launch(group, str(error))
                    break
        elif missing < 0 and not suspended(group, "Terminate"):
            for _unused in range(-missing):
                victim = self._victim(group)
                if victim is None:
                    break
                self.retire(group, victim, "the desired capacity is lower")

    def launch(self, group: Any, lifecycle_state: str) -> Any:
        """Launch an instance for a group and return it as a member in this state, which is not yet among the group's."""
        refresh = active_refresh(group)
        if group.ec2_launch_template is None:
            raise NotImplementedError("groups without a launch template")
        template = refresh.target if refresh else template_of(group, launched_from(group))
        subnet_id = self._subnet(group)
        tags = {**group.get_propagated_tags(), ASG_NAME_TAG: group.name}
        spec = {"LaunchTemplateId": template["LaunchTemplateId"], "Version": template["Version"]}
        kind = self._kind(group)
        reservation = self.backends("ec2").run_instances(
            "",
            1,
            None,
            [],
            launch_template=spec,
            subnet_id=subnet_id,
            tags={"instance": tags},
            region_name=group.region,
            associate_public_ip=None,
            **kind,
        )
        instance = reservation.instances[0]
        instance.autoscaling_group = group
        state = InstanceState(
            instance, lifecycle_state, protected_from_scale_in=group.new_instances_protected_from_scale_in
        )
        state.template = template  # type: ignore[attr-defined]
        state.launched_at = state.in_service_at = self.clock.now()  # type: ignore[attr-defined]
        state.generation = refresh.generation if refresh else None  # type: ignore[attr-defined]
        record(
            group,
            f"Launching a new EC2 instance: {instance.id}",
            f"In subnet {subnet_id}, version {template['Version']}.",
        )
        return state

    @staticmethod
    def _kind(group: Any) -> dict[str, Any]:
        """Return what of an instance a mixed instances policy says: the preferred type, and Spot for its share above the base."""
        mixed = group.mixed_instances_policy
        if not mixed or not mixed["LaunchTemplate"].get("Overrides"):
            return {"is_instance_type_default": True}
        distribution = mixed.get("InstancesDistribution", {})
        base = int(distribution.get("OnDemandBaseCapacity") or 0)
        percent = int(distribution.get("OnDemandPercentageAboveBaseCapacity", 100))
        staying = [state.instance for state in group.instance_states if not _terminating(state)]
        spot = sum(instance.lifecycle == "spot" for instance in staying)
        above = max(0, len(staying) + 1 - base)
        wanted = above - -(-above * percent // 100)
        kind = {
            "instance_type": mixed["LaunchTemplate"]["Overrides"][0]["InstanceType"],
            "is_instance_type_default": False,
        }
        return {**kind, "lifecycle": "spot"} if spot < wanted else kind

    @staticmethod
    def cannot_launch(group: Any, trouble: str) -> None:
        """Note that a launch was refused, once; the next step tries again. A refresh that needs it fails."""
        refresh = active_refresh(group)
        if refresh:
            group.lost.append(("(not launched)", refresh.generation, trouble))
        last = group.activities[0] if group.activities else {}
        if last.get("StatusMessage") != trouble:
            record(group, "Launching a new EC2 instance", "The group needs one more.", "Failed")
            group.activities[0]["StatusMessage"] = trouble

    def _subnet(self, group: Any) -> str | None:
        """Return the subnet in the zone with the fewest members, the first of equals; the refreshed count first."""
        ids = [subnet_id.strip() for subnet_id in (group.vpc_zone_identifier or "").split(",") if subnet_id.strip()]
        if not ids:
            return None
        zones = {subnet_id: self.backends("ec2").get_subnet(subnet_id).availability_zone for subnet_id in ids}
        used = Counter(state.availability_zone for state in group.instance_states if not _terminating(state))
        refresh = active_refresh(group)
        staying = Counter(state.availability_zone for state in refresh.fresh()) if refresh else used
        return min(ids, key=lambda one: (staying[zones[one]], used[zones[one]], ids.index(one)))

    @staticmethod
    def _victim(group: Any) -> Any:
        """Choose who goes on scale-in: not in service, in the fullest zone, of the oldest version, launched first."""
        staying = [state for state in group.instance_states if not _terminating(state)]
        free = [state for state in staying if not state.protected_from_scale_in and state.lifecycle_state != "Standby"]
        used = Counter(state.availability_zone for state in staying)
        if not free:
            return None
        return min(
            free,
            key=lambda state: (
                state.lifecycle_state == "InService",
                -used[state.availability_zone],
                int((state.launch_template or {}).get("Version", 0)),
                state.launched_at,
            ),
        )


def _terminating(state: Any) -> bool:
    return str(state.lifecycle_state).startswith("Terminat")


def suspended(group: Any, *processes: str) -> bool:
    """Tell whether any of the processes is suspended on a group."""
    return any(item["ProcessName"] in processes for item in group.suspended_processes)
