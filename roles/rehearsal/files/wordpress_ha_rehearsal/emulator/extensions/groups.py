# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Auto Scaling groups: capacity is a wish that the controllers fulfil, and instance refreshes exist."""

from __future__ import annotations

from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, InstanceState
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models.launch_templates import LaunchTemplate

from ..controllers.activities import record
from ..controllers.hooks import action_of
from ..controllers.refresh import ACTIVE, Refresh
from . import extension
from .patching import Function, add, wrap


@extension("autoscaling-capacity", "instances are launched and killed inside the call, all in the first subnet")
def _capacity() -> None:
    @wrap(FakeAutoScalingGroup, "__init__")
    def create(original: Function, self: Any, *args: Any, **kwargs: Any) -> None:
        self.refreshes = []  # newest first
        self.activities = []  # newest first, in the API's shape
        self.surge = 0  # instances above the desired capacity that a refresh asks for
        self.warmed = []  # members of the warm pool, which are not the group's yet
        self.lost = []  # (instance id, refresh id or None, reason) of members the group gave up
        self.default_instance_warmup = None
        original(self, *args, **kwargs)

    @add(FakeAutoScalingGroup)
    def set_desired_capacity(self: Any, new_capacity: int | None) -> None:
        self.desired_capacity = self.min_size if new_capacity is None else new_capacity

    @wrap(FakeAutoScalingGroup, "update")
    def update(original: Function, self: Any, *args: Any, **kwargs: Any) -> None:
        mixed = self.mixed_instances_policy
        original(self, *args, **kwargs)
        if kwargs.get("mixed_instances_policy") is None and not kwargs.get("launch_template"):
            self.mixed_instances_policy = mixed
        if kwargs.get("desired_capacity") is None:
            self.desired_capacity = max(self.min_size, min(self.max_size, self.desired_capacity))
        _check_capacity(self, self.desired_capacity)

    @wrap(AutoScalingBackend, "set_desired_capacity")
    def set_checked(original: Function, self: Any, group_name: str, desired_capacity: int) -> None:
        group = group_named(self, group_name)
        _check_capacity(group, desired_capacity)
        original(self, group_name, desired_capacity)

    @add(AutoScalingBackend)
    def notify_terminate_instances(self: Any, instance_ids: list[str]) -> None:
        """The controller sees terminated members itself, and replaces them."""

    @add(AutoScalingBackend)
    def update_attached_target_groups(self: Any, group_name: str) -> None:
        """The controller registers members once they run."""

    @add(InstanceState)
    def _template(self: Any) -> dict[str, Any] | None:
        return getattr(self, "template", None)

    InstanceState.launch_template = property(InstanceState._template)  # type: ignore[assignment,attr-defined]


def _check_capacity(group: Any, desired: int) -> None:
    if not group.min_size <= desired <= group.max_size:
        raise ValidationError(
            f"Desired capacity:{desired} must be between the specified min size:{group.min_size} "
            f"and max size:{group.max_size}"
        )


@extension("autoscaling-terminate", "TerminateInstanceInAutoScalingGroup kills without draining")
def _terminate() -> None:
    @add(AutoScalingResponse)
    def terminate_instance_in_auto_scaling_group(self: Any) -> ActionResult:
        instance_id = self._get_param("InstanceId")
        for group in self.autoscaling_backend.autoscaling_groups.values():
            for state in group.instance_states:
                if state.instance.id == instance_id:
                    if self._get_bool_param("ShouldDecrementDesiredCapacity", False):
                        _check_capacity(group, group.desired_capacity - 1)
                        group.desired_capacity -= 1
                    state.condemned = "a user asked for it"
                    activity = record(group, f"Terminating EC2 instance: {instance_id}", "At a user's request.")
                    return ActionResult({"Activity": activity})
        raise ValidationError(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")


@extension("autoscaling-attributes", "warm-up, cooldown and termination policies are dropped; deletion needs no force")
def _attributes() -> None:
    def later(self: Any) -> None:
        group = group_named(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        if self._get_param("DefaultInstanceWarmup") is not None:
            warmup = self._get_int_param("DefaultInstanceWarmup")
            group.default_instance_warmup = None if warmup == -1 else warmup
        if self._get_param("DefaultCooldown") is not None:
            group.default_cooldown = self._get_int_param("DefaultCooldown")
        if self._get_param("TerminationPolicies"):
            group.termination_policies = self._get_param("TerminationPolicies")
        if self._get_param("CapacityRebalance") is not None:
            group.capacity_rebalance = self._get_bool_param("CapacityRebalance")
        if self._get_param("InstanceMaintenancePolicy") is not None:
            group.instance_maintenance_policy = self._get_param("InstanceMaintenancePolicy")

    @wrap(AutoScalingResponse, "create_auto_scaling_group")
    def create(original: Function, self: Any) -> Any:
        name = self._get_param("AutoScalingGroupName")
        if name in self.autoscaling_backend.autoscaling_groups:
            raise AutoscalingClientError(
                "AlreadyExists",
                f"AutoScalingGroup by this name already exists - A group with the name {name} already exists",
            )
        answer = original(self)
        later(self)
        group = group_named(self.autoscaling_backend, name)
        group.health_check_grace_period = self._get_int_param("HealthCheckGracePeriod", 0)  # moto: 300 instead of 0
        return answer

    @wrap(AutoScalingResponse, "update_auto_scaling_group")
    def update(original: Function, self: Any) -> Any:
        answer = original(self)
        later(self)
        return answer

    @wrap(AutoScalingResponse, "delete_auto_scaling_group")
    def delete(_original: Function, self: Any) -> Any:
        backend = self.autoscaling_backend
        group = group_named(backend, self._get_param("AutoScalingGroupName"))
        members = [state.instance.id for state in [*group.instance_states, *group.warmed]]
        if members and not self._get_bool_param("ForceDelete", False):
            raise AutoscalingClientError(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances still in the group.",
            )
        for instance_id in members:
            instance = backend.ec2_backend.get_instance(instance_id)
            if instance.state != "terminated":
                instance.terminate()
        backend.elbv2_backend.notify_terminate_instances(members)
        backend.autoscaling_groups.pop(group.name)
        for name in [name for name, policy in backend.policies.items() if policy.auto_scaling_group_name == group.name]:
            backend.policies.pop(name)
        for kind in (backend.lifecycle_hooks, backend.scheduled_actions):
            for name in [name for name, one in kind.items() if one.auto_scaling_group_name == group.name]:
                kind.pop(name)
        return EmptyResult()

    @add(AutoScalingResponse)
    def disable_metrics_collection(self: Any) -> ActionResult:
        group = group_named(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        gone = self._get_param("Metrics") or group.metrics
        group.metrics = [metric for metric in group.metrics if metric not in gone]
        return EmptyResult()

    @add(AutoScalingResponse)
    def describe_scaling_activities(self: Any) -> ActionResult:
        name = self._get_param("AutoScalingGroupName")
        groups = self.autoscaling_backend.autoscaling_groups
        found = [activity for key, group in groups.items() if name in (None, key) for activity in group.activities]
        return ActionResult({"Activities": found})


@extension("ec2-launch-template-tags", "a launch template is described with the tags it was made with for ever")
def _template_tags() -> None:
    LaunchTemplate.tags = property(  # type: ignore[assignment]
        lambda template: template.get_tags(), lambda _template, _value: None
    )


@extension(
    "autoscaling-mixed-instances",
    "a group with mixed instances is described with a launch template of its own, or breaks in the attempt",
)
def _mixed_instances() -> None:
    described: Any = FakeAutoScalingGroup.launch_template

    def launch_template(self: Any) -> dict[str, Any] | None:
        return None if self.mixed_instances_policy else described.fget(self)  # type: ignore[no-any-return]

    FakeAutoScalingGroup.launch_template = property(launch_template)  # type: ignore[assignment,method-assign]


@extension("autoscaling-lifecycle-actions", "a lifecycle hook holds nobody, and lifecycle actions do not exist")
def _lifecycle_actions() -> None:
    @wrap(AutoScalingResponse, "put_lifecycle_hook")
    def put(original: Function, self: Any) -> Any:
        group = group_named(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        known = self.autoscaling_backend.lifecycle_hooks.get(f"{group.name}_{self._get_param('LifecycleHookName')}")
        if known is None and not self._get_param("LifecycleTransition"):
            raise ValidationError("You must specify LifecycleTransition when you create a lifecycle hook.")
        return original(self)

    def active(self: Any) -> tuple[Any, str]:
        group = group_named(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        instance, hook = self._get_param("InstanceId"), self._get_param("LifecycleHookName")
        return action_of(group, instance, hook), hook

    @add(AutoScalingResponse)
    def complete_lifecycle_action(self: Any) -> ActionResult:
        state, hook = active(self)
        state.held.pop(hook)
        return EmptyResult()

    @add(AutoScalingResponse)
    def record_lifecycle_action_heartbeat(self: Any) -> ActionResult:
        state, hook = active(self)
        state.held[hook] = None  # from now on, which the controller's clock knows
        return EmptyResult()


@extension("autoscaling-schedules", "schedules of two groups share their names, and an update drops what it leaves out")
def _schedules() -> None:
    @wrap(AutoScalingBackend, "put_scheduled_update_group_action")
    def put(original: Function, self: Any, *args: Any, **kwargs: Any) -> Any:
        group, name = group_named(self, kwargs["name"]), kwargs["scheduled_action_name"]
        key = f"{group.name}/{name}"
        known = self.scheduled_actions.pop(key, None)
        for field in ("desired_capacity", "max_size", "min_size", "start_time", "end_time", "recurrence"):
            if known is not None and kwargs.get(field) is None:
                kwargs[field] = getattr(known, field)
        if known is not None and kwargs.get("timezone") is None:
            kwargs["timezone"] = known.time_zone
        action = original(self, *args, **kwargs)
        self.scheduled_actions[key] = self.scheduled_actions.pop(name)
        return action

    @add(AutoScalingBackend)
    def delete_scheduled_action(self: Any, auto_scaling_group_name: str, scheduled_action_name: str) -> None:
        if self.scheduled_actions.pop(f"{auto_scaling_group_name}/{scheduled_action_name}", None) is None:
            raise ValidationError(f"Scheduled action name not found: {scheduled_action_name}")


@extension("autoscaling-warm-pool", "a warm pool has no instances")
def _warm_pool() -> None:
    @wrap(AutoScalingResponse, "put_warm_pool")
    def put(original: Function, self: Any) -> Any:
        group = group_named(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        distribution = (group.mixed_instances_policy or {}).get("InstancesDistribution", {})
        if int(distribution.get("OnDemandPercentageAboveBaseCapacity", 100)) < 100:
            raise ValidationError("You can't add a warm pool to an Auto Scaling group that requests Spot Instances.")
        return original(self)

    @add(AutoScalingResponse)
    def describe_warm_pool(self: Any) -> ActionResult:
        group = group_named(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        return ActionResult({"WarmPoolConfiguration": group.warm_pool, "Instances": group.warmed})


@extension("autoscaling-instance-refresh", "instance refreshes do not exist")
def _instance_refresh() -> None:
    @add(AutoScalingResponse)
    def start_instance_refresh(self: Any) -> ActionResult:
        group = group_named(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        if any(refresh.status in ACTIVE for refresh in group.refreshes):
            raise AutoscalingClientError(
                "InstanceRefreshInProgress",
                "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
            )
        params = self._get_params()
        wanted = dict(params.get("DesiredConfiguration") or {})
        refresh = Refresh.start(group, wanted, dict(params.get("Preferences") or {}))
        group.refreshes.insert(0, refresh)
        return ActionResult({"InstanceRefreshId": refresh.id})

    @add(AutoScalingResponse)
    def describe_instance_refreshes(self: Any) -> ActionResult:
        group = group_named(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        ids = self._get_param("InstanceRefreshIds") or []
        found = [refresh for refresh in group.refreshes if not ids or refresh.id in ids]
        return ActionResult({"InstanceRefreshes": [refresh.described() for refresh in found]})

    @add(AutoScalingResponse)
    def cancel_instance_refresh(self: Any) -> ActionResult:
        refresh = _active(group_named(self.autoscaling_backend, self._get_param("AutoScalingGroupName")))
        refresh.status = "Cancelling"
        return ActionResult({"InstanceRefreshId": refresh.id})

    @add(AutoScalingResponse)
    def rollback_instance_refresh(self: Any) -> ActionResult:
        refresh = _active(group_named(self.autoscaling_backend, self._get_param("AutoScalingGroupName")))
        if not refresh.can_roll_back:
            raise AutoscalingClientError(
                "IrreversibleInstanceRefresh",
                "The instance refresh has no desired configuration to go back from.",
            )
        refresh.roll_back("The rollback was requested by a user.")
        return ActionResult({"InstanceRefreshId": refresh.id})


def _active(group: Any) -> Refresh:
    for refresh in group.refreshes:
        if refresh.status in ACTIVE:
            return refresh  # type: ignore[no-any-return]
    raise AutoscalingClientError(
        "ActiveInstanceRefreshNotFound",
        f"No in progress or pending Instance Refresh found for Auto Scaling group {group.name}",
    )


def group_named(backend: Any, name: str) -> Any:
    """Return a group, or raise the API's error for an unknown one."""
    if name not in backend.autoscaling_groups:
        raise ValidationError(f"AutoScalingGroup name not found - no such group: {name}")
    return backend.autoscaling_groups[name]
