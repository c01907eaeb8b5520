# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one resource of the module instance_refresh: which version a group and its instances run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from . import _aws, _owned, _plan
from ._fleet import outdated
from ._scaling import template_of

FORWARD = ("Pending", "InProgress", "Baking")
ACTIVE = (*FORWARD, "Cancelling", "RollbackInProgress")


def aims_at(refresh: Mapping[str, Any], template_id: str, version: str) -> bool:
    """Tell whether a refresh leads to this version of this template."""
    template = template_of(refresh.get("DesiredConfiguration") or {})
    return (template.get("LaunchTemplateId"), template.get("Version")) == (template_id, version)


def label(refresh: Mapping[str, Any] | None) -> str:
    """Return where an active refresh leads, in words that hold while it advances; nothing when there is none."""
    if refresh is None:
        return ""
    template = template_of(refresh.get("DesiredConfiguration") or {})
    return f"version {template.get('Version', 'of the group')}"


def reason(refresh: Mapping[str, Any]) -> str:
    """Return what AWS says about the end of a refresh."""
    rollback = (refresh.get("RollbackDetails") or {}).get("RollbackReason")
    said = [text.rstrip(". ") for text in (rollback, refresh.get("StatusReason")) if text]
    return ". ".join(dict.fromkeys(said)) or "no reason given"


def versions_running(instances: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the instances that are in service, by version."""
    running: dict[str, list[str]] = {}
    for one in instances:
        if one.get("LifecycleState") == "InService":
            version = (one.get("LaunchTemplate") or {}).get("Version", "unknown")
            running.setdefault(version, []).append(one["InstanceId"])
    return {version: sorted(ids) for version, ids in sorted(running.items())}


def advice(status: str) -> str:
    """Return what a user does after a refresh that did not succeed."""
    look = "look at the console output and the system log of an instance of that version"
    if status == "RollbackSuccessful":
        return f"The site runs as before. To find the cause, {look}; mend it and run again."
    if status == "Cancelled":
        return "Somebody cancelled it. Run again to continue."
    return f"To go back, roll out the version that worked. To find the cause, {look}; mend it and run again."


def configuration(group: Mapping[str, Any], template_id: str, version: str) -> dict[str, Any]:
    """Return what the instances of a group shall be: this version, of the types that the group launches now."""
    template = {"LaunchTemplateId": template_id, "Version": version}
    mixed = group.get("MixedInstancesPolicy")
    if not mixed:
        return {"LaunchTemplate": template}
    launched = {**mixed.get("LaunchTemplate", {}), "LaunchTemplateSpecification": template}
    return {"MixedInstancesPolicy": {**mixed, "LaunchTemplate": launched}}


def preferences(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the preferences of StartInstanceRefresh."""
    chosen: dict[str, Any] = {
        "MinHealthyPercentage": params["min_healthy_percentage"],
        "MaxHealthyPercentage": params["max_healthy_percentage"],
        "AutoRollback": params["auto_rollback"],
        "SkipMatching": True,
        "ScaleInProtectedInstances": "Refresh",
        "InstanceWarmup": params["warmup"],
        "BakeTime": params["bake_seconds"],
        "AlarmSpecification": {"Alarms": params["alarms"]} if params["alarms"] else None,
    }
    return {name: value for name, value in chosen.items() if value is not None}


class Refresh(_aws.Planned):
    """The version that a group and every instance of it run, and the refresh that leads there."""

    order = ("refresh",)

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.scaling = self.client("autoscaling")
        self.group = self.params["group_name"]
        self.key = f"refresh/{self.group}"
        self.template = self.params["launch_template_id"]
        self.version = str(self.params["launch_template_version"])

    # Reading

    def read(self) -> _plan.Tree:
        group = self._group()
        if group is None:
            if not self.module.check_mode and self.params["state"] == "present":
                raise _owned.Refused(f"There is no Auto Scaling group {self.group} whose instances could be replaced.")
            return {}
        template = template_of(group)
        refreshes = self._refreshes()
        newest = refreshes[0] if refreshes else {}
        active = self._active(refreshes)
        return {
            self.key: {
                "launch_template_id": template.get("LaunchTemplateId"),
                "launch_template_version": template.get("Version"),
                "outdated_instances": outdated(group.get("Instances", []), self.template, self.version),
                "under_way": label(active),
                "resumable": bool(
                    active and active["Status"] in FORWARD and aims_at(active, self.template, self.version)
                ),
                "instance_refresh_id": newest.get("InstanceRefreshId"),
                "status": newest.get("Status"),
            }
        }

    def _group(self) -> dict[str, Any] | None:
        if not _plan.is_known(self.group):
            return None
        groups = _owned.listed(
            self.scaling, "describe_auto_scaling_groups", "AutoScalingGroups", AutoScalingGroupNames=[self.group]
        )
        return groups[0] if groups else None

    def _refreshes(self) -> list[dict[str, Any]]:
        """Return the refreshes of some weeks, the newest first."""
        answer = self.scaling.describe_instance_refreshes(AutoScalingGroupName=self.group, aws_retry=True)
        return list(answer["InstanceRefreshes"])

    def _refresh(self, identity: str) -> dict[str, Any]:
        answer = self.scaling.describe_instance_refreshes(
            AutoScalingGroupName=self.group, InstanceRefreshIds=[identity], aws_retry=True
        )
        return dict(answer["InstanceRefreshes"][0])

    @staticmethod
    def _active(refreshes: list[dict[str, Any]]) -> dict[str, Any] | None:
        return next((one for one in refreshes if one["Status"] in ACTIVE), None)

    # Wanting

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        found = current.get(self.key)
        if found is None:
            return {}  # check mode on an empty account: the group will be created with the version
        wanted: _plan.Fields = {
            "launch_template_id": self.template,
            "launch_template_version": self.version,
            "outdated_instances": [],
            "under_way": "",
        }
        if all(found[name] == value for name, value in wanted.items()):
            return {self.key: {}}
        if not self.params["wait"] and found["resumable"]:
            return {self.key: {}}
        if self.params["alarms"] and not found["resumable"]:
            self._refuse_alarms()
        return {self.key: {**wanted, "instance_refresh_id": _plan.UNKNOWN}}

    def _refuse_alarms(self) -> None:
        """Refuse alarms that cannot gate a refresh: one that is not there never sounds, one that sounds now ends it at once."""
        names = self.params["alarms"]
        kinds = ("MetricAlarms", "CompositeAlarms")
        answer = self.client("cloudwatch").describe_alarms(
            AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"], aws_retry=True
        )
        states = {one["AlarmName"]: one["StateValue"] for kind in kinds for one in answer.get(kind) or []}
        missing = sorted(set(names) - set(states))
        if missing:
            raise _owned.Refused(
                f"alarms names {', '.join(missing)}: there is no such CloudWatch alarm. Make it first, or correct the name."
            )
        sounding = sorted(name for name, state in states.items() if state == "ALARM")
        if sounding:
            raise _owned.Refused(
                f"alarms names {', '.join(sounding)}, which sounds: a refresh of {self.group} would be rolled back at once, so none "
                "was started. Mend what it tells of first, or run without this alarm."
            )

    # Doing

    def handlers(self) -> Mapping[str, _plan.Handler]:
        return {"update refresh": self._replace}

    def _replace(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        active = self._active(self._refreshes())
        if active and aims_at(active, self.template, self.version) and active["Status"] != "Cancelling":
            identity = active["InstanceRefreshId"]
        else:
            if active:
                self._stop(active)
            identity = self._start()
        if self.params["wait"]:
            self._follow(identity)
        fields = self.read()[self.key]
        return {**fields, "instance_refresh_id": identity}

    def _start(self) -> str:
        answer = self.scaling.start_instance_refresh(
            AutoScalingGroupName=self.group,
            Strategy="Rolling",
            DesiredConfiguration=configuration(self._group() or {}, self.template, self.version),
            Preferences=preferences(self.params),
            aws_retry=True,
        )
        return str(answer["InstanceRefreshId"])

    def _stop(self, active: Mapping[str, Any]) -> None:
        """End a refresh that leads elsewhere. A rollback under way is let finish: it leads to what ran before."""
        if active["Status"] in FORWARD:
            try:
                self.scaling.cancel_instance_refresh(AutoScalingGroupName=self.group, aws_retry=True)
            except is_boto3_error_code("ActiveInstanceRefreshNotFound"):
                return  # it ended by itself
        what = f"the earlier instance refresh of {self.group} to {label(active)} to end"
        _aws.wait_for(
            self.module, what, lambda: self._active(self._refreshes()) is None, self.params["wait_timeout"], 5
        )

    def _follow(self, identity: str) -> None:
        """Wait for the end; roll back after the time-out; fail unless the end is success."""
        ended = self._ended(identity)
        late = ended is None
        if ended is None:
            try:
                self.scaling.rollback_instance_refresh(AutoScalingGroupName=self.group, aws_retry=True)
            except is_boto3_error_code(["ActiveInstanceRefreshNotFound", "IrreversibleInstanceRefresh"]):
                pass  # it ended just now, or AWS has nothing to go back to: its status says which
            ended = self._ended(identity) or self._refresh(identity)
        if ended["Status"] != "Successful":
            self._fail(ended, late)

    def _ended(self, identity: str) -> dict[str, Any] | None:
        """Return the refresh when it has ended, or None when time is up."""
        deadline = _aws.time.monotonic() + self.params["wait_timeout"]
        while True:
            refresh = self._refresh(identity)
            if refresh["Status"] not in ACTIVE:
                return refresh
            if _aws.time.monotonic() >= deadline:
                return None
            _aws.time.sleep(min(5.0, self.params["wait_timeout"] / 20))

    def _fail(self, refresh: Mapping[str, Any], late: bool) -> NoReturn:
        group = self._group() or {}
        running = versions_running(group.get("Instances", []))
        now = ", ".join(f"version {version} on {len(ids)}" for version, ids in running.items()) or "none"
        timeout = f"It was not done after {self.params['wait_timeout']} s and was asked to go back. " if late else ""
        status = refresh["Status"]
        self.module.fail_json(
            msg=(
                f"Version {self.version} of launch template {self.template} is not what {self.group} runs: its instance refresh "
                f"{refresh['InstanceRefreshId']} ended as {status}. {timeout}AWS says: {reason(refresh)}. "
                f"In service now: {now} instances. {advice(status)}"
            ),
            instance_refresh_id=refresh["InstanceRefreshId"],
            status=status,
            reason=reason(refresh),
            running=running,
            group_launch_template_version=template_of(group).get("Version"),
        )
        raise AssertionError("fail_json returned")

    # Reporting

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        found = tree.get(self.key)
        if found is None:
            wanted = self.params["state"] == "present"
            known = {"launch_template_id": self.template, "launch_template_version": self.version} if wanted else {}
            empty: dict[str, Any] = {
                "launch_template_id": None,
                "launch_template_version": None,
                "outdated_instances": [],
            }
            return {"group_name": self.group, **empty, **known, "instance_refresh_id": None, "status": None}
        names = ("launch_template_id", "launch_template_version", "outdated_instances", "instance_refresh_id", "status")
        predicted = found["instance_refresh_id"] == _plan.UNKNOWN
        facts = {name: found[name] for name in names}
        return {"group_name": self.group, **facts, **({"status": "Successful"} if predicted else {})}
