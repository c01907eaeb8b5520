# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""instance_refresh: starts, resumes, replaces, rolls back, and explains itself (P43)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import contract
import fake_service
import pytest

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _refresh, _scaling
from ansible_collections.wordpress_ha.aws.plugins.modules import instance_refresh as module

PARAMS: dict[str, Any] = {
    "group_name": "blog-web",
    "launch_template_id": "lt-1",
    "launch_template_version": "2",
    "wait_timeout": 100,
}
BROKEN = "Instances failed to become healthy"


def template(version: str) -> dict[str, str]:
    return {"LaunchTemplateId": "lt-1", "LaunchTemplateName": "blog-web", "Version": version}


class Scaling:
    """One group whose refreshes take three looks, and fail for the versions in ``broken`` or never end for those in ``stuck``."""

    def __init__(self) -> None:
        self.version = "1"
        self.instances = {"i-1": "1", "i-2": "1"}
        self.refreshes: list[dict[str, Any]] = []
        self.broken: set[str] = set()
        self.stuck: set[str] = set()
        self.can_go_back = True
        self.mixed: dict[str, Any] = {}

    def describe_auto_scaling_groups(self, AutoScalingGroupNames: list[str]) -> Any:
        instances = [
            {"InstanceId": name, "LifecycleState": "InService", "LaunchTemplate": template(version)}
            for name, version in self.instances.items()
        ]
        group = {"AutoScalingGroupName": "blog-web", "LaunchTemplate": template(self.version), "Instances": instances}
        if self.mixed:
            specified = {**self.mixed["LaunchTemplate"], "LaunchTemplateSpecification": template(self.version)}
            group = {**group, "LaunchTemplate": {}, "MixedInstancesPolicy": {**self.mixed, "LaunchTemplate": specified}}
        return {"AutoScalingGroups": [group] if AutoScalingGroupNames == ["blog-web"] else []}

    def _active(self) -> dict[str, Any]:
        for refresh in self.refreshes:
            if refresh["Status"] in _refresh.ACTIVE:
                return refresh
        raise fake_service.Error("ActiveInstanceRefreshNotFound")

    def start_instance_refresh(
        self, AutoScalingGroupName: str, Strategy: str, DesiredConfiguration: Any, Preferences: Any
    ) -> Any:
        if any(refresh["Status"] in _refresh.ACTIVE for refresh in self.refreshes):
            raise fake_service.Error("InstanceRefreshInProgress")
        identity = f"refresh-{len(self.refreshes) + 1}"
        given = _scaling.template_of(DesiredConfiguration)
        wanted = {"LaunchTemplate": {**template(given["Version"]), **given}}
        self.refreshes.insert(
            0, {"InstanceRefreshId": identity, "Status": "Pending", "DesiredConfiguration": wanted, "looks": 3}
        )
        return {"InstanceRefreshId": identity}

    def _step(self, refresh: dict[str, Any]) -> None:
        version = refresh["DesiredConfiguration"]["LaunchTemplate"]["Version"]
        refresh["looks"] -= 1
        if refresh["Status"] == "Pending":
            refresh["Status"] = "InProgress"
        elif refresh["Status"] == "InProgress" and version not in self.stuck and refresh["looks"] <= 0:
            if version in self.broken:
                self._turn(refresh, BROKEN)
            else:
                refresh["Status"], self.version = "Successful", version
                self.instances = {f"{name}{version}": version for name in ("i-1", "i-2")}
        elif refresh["Status"] == "RollbackInProgress" and refresh["looks"] <= 0:
            refresh["Status"] = "RollbackSuccessful"
        elif refresh["Status"] == "Cancelling" and refresh["looks"] <= 0:
            refresh["Status"] = "Cancelled"

    @staticmethod
    def _turn(refresh: dict[str, Any], why: str) -> None:
        refresh.update(Status="RollbackInProgress", looks=2, RollbackDetails={"RollbackReason": why}, StatusReason=why)

    def describe_instance_refreshes(self, AutoScalingGroupName: str, InstanceRefreshIds: Any = None) -> Any:
        found = [
            one for one in self.refreshes if not InstanceRefreshIds or one["InstanceRefreshId"] in InstanceRefreshIds
        ]
        answer = [dict(one) for one in found]
        for refresh in self.refreshes:
            self._step(refresh)
        return {"InstanceRefreshes": answer}

    def cancel_instance_refresh(self, AutoScalingGroupName: str) -> Any:
        self._active().update(Status="Cancelling", looks=2)
        return {}

    def rollback_instance_refresh(self, AutoScalingGroupName: str) -> Any:
        if not self.can_go_back:
            raise fake_service.Error("IrreversibleInstanceRefresh")
        self._turn(self._active(), "Requested by a user")
        return {}


@pytest.fixture
def scaling() -> Iterator[Scaling]:
    fresh = Scaling()
    with contract.account(), fake_service.installed(autoscaling=fresh):
        yield fresh


def start(scaling: Scaling, version: str) -> None:
    configuration = {"LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": version}}
    scaling.start_instance_refresh("blog-web", "Rolling", configuration, {})


def test_contract(scaling: Scaling) -> None:
    first = contract.converge(module, PARAMS)
    assert first.writing == ["autoscaling:StartInstanceRefresh"]
    assert first.facts["status"] == "Successful" and first.facts["outdated_instances"] == []
    (sent,) = first.sent("StartInstanceRefresh")
    expected = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150, "AutoRollback": True, "SkipMatching": True}
    assert expected.items() <= sent["Preferences"].items()
    assert sent["DesiredConfiguration"]["LaunchTemplate"] == {"LaunchTemplateId": "lt-1", "Version": "2"}
    gathered = contract.succeed(module, {**PARAMS, "state": "gathered"})
    assert gathered.facts == first.facts


def alarm(state: str = "OK") -> None:
    """Make the alarm `errors`, in a state."""
    watch = boto3.client("cloudwatch", region_name="us-east-1")
    watch.put_metric_alarm(
        AlarmName="errors", MetricName="m", Namespace="n", Period=60, EvaluationPeriods=1, Threshold=1, Statistic="Sum",
        ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    watch.set_alarm_state(AlarmName="errors", StateValue=state, StateReason="test")


def test_options_reach_aws(scaling: Scaling) -> None:
    alarm()
    options = {
        "warmup": 30,
        "bake_seconds": 60,
        "alarms": ["errors"],
        "auto_rollback": False,
        "min_healthy_percentage": 90,
    }
    (sent,) = contract.succeed(module, {**PARAMS, **options}).sent("StartInstanceRefresh")
    expected = {
        "InstanceWarmup": 30,
        "BakeTime": 60,
        "AlarmSpecification": {"Alarms": ["errors"]},
        "AutoRollback": False,
    }
    assert expected.items() <= sent["Preferences"].items()


def test_an_alarm_gates_the_start(scaling: Scaling) -> None:
    """P43: an alarm that is not there guards nothing, and one that sounds already would end the refresh at once."""
    gated = {**PARAMS, "alarms": ["errors"]}
    contract.refuse(module, gated, "errors", "no such CloudWatch alarm")
    alarm("ALARM")
    contract.refuse(module, gated, "errors", "sounds", "none was started")
    alarm("OK")
    assert contract.converge(module, gated).writing == ["autoscaling:StartInstanceRefresh"]
    alarm("ALARM")
    assert contract.succeed(module, gated).result["changed"] is False, "there is nothing to gate"


def test_mixed_instances_stay_mixed(scaling: Scaling) -> None:
    scaling.mixed = {
        "LaunchTemplate": {"LaunchTemplateSpecification": template("1"), "Overrides": [{"InstanceType": "m7g.large"}]},
        "InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": 50},
    }
    (sent,) = contract.converge(module, PARAMS).sent("StartInstanceRefresh")
    policy = sent["DesiredConfiguration"]["MixedInstancesPolicy"]
    wanted = {"LaunchTemplateId": "lt-1", "Version": "2"}
    assert policy["LaunchTemplate"] == {
        "LaunchTemplateSpecification": wanted,
        "Overrides": [{"InstanceType": "m7g.large"}],
    }
    assert policy["InstancesDistribution"] == {"OnDemandPercentageAboveBaseCapacity": 50}


def test_nothing_to_do(scaling: Scaling) -> None:
    outcome = contract.succeed(module, {**PARAMS, "launch_template_version": "1"})
    assert outcome.result["changed"] is False and outcome.writing == []


def test_one_outdated_instance_is_enough(scaling: Scaling) -> None:
    scaling.version = "2"
    scaling.instances["i-2"] = "2"
    outcome = contract.converge(module, PARAMS)
    assert outcome.result["actions"][0]["before"]["outdated_instances"] == ["i-1"]


def test_a_killed_run_is_resumed(scaling: Scaling) -> None:
    start(scaling, "2")
    outcome = contract.converge(module, PARAMS)
    assert outcome.writing == []
    assert outcome.facts["instance_refresh_id"] == "refresh-1"


def test_a_refresh_that_leads_elsewhere_is_cancelled(scaling: Scaling) -> None:
    scaling.stuck.add("3")
    start(scaling, "3")
    outcome = contract.converge(module, PARAMS)
    assert outcome.writing == ["autoscaling:CancelInstanceRefresh", "autoscaling:StartInstanceRefresh"]
    assert [one["Status"] for one in scaling.refreshes] == ["Successful", "Cancelled"]


def test_going_back_to_what_the_group_runs_cancels_too(scaling: Scaling) -> None:
    scaling.stuck.add("3")
    start(scaling, "3")
    contract.converge(module, {**PARAMS, "launch_template_version": "1"})
    assert scaling.version == "1"


def test_a_broken_version_is_explained(scaling: Scaling) -> None:
    scaling.broken.add("2")
    outcome = contract.run(module, PARAMS)
    assert outcome.failed
    for words in (
        "Version 2",
        "blog-web",
        "RollbackSuccessful",
        BROKEN,
        "version 1 on 2 instances",
        "runs as before",
        "run again",
    ):
        assert words in outcome.result["msg"], outcome.result["msg"]
    assert outcome.result["running"] == {"1": ["i-1", "i-2"]}
    assert outcome.result["reason"] == BROKEN


def test_a_rollback_of_the_same_version_is_followed_not_restarted(scaling: Scaling) -> None:
    start(scaling, "2")
    scaling._turn(scaling.refreshes[0], BROKEN)
    outcome = contract.run(module, PARAMS)
    assert outcome.failed and outcome.writing == [] and BROKEN in outcome.result["msg"]


def test_time_out_rolls_back(scaling: Scaling) -> None:
    scaling.stuck.add("2")
    outcome = contract.run(module, PARAMS)
    assert outcome.failed
    assert outcome.writing == ["autoscaling:StartInstanceRefresh", "autoscaling:RollbackInstanceRefresh"]
    for words in ("100 s", "RollbackSuccessful", "version 1 on 2"):
        assert words in outcome.result["msg"]


def test_time_out_without_a_way_back(scaling: Scaling) -> None:
    scaling.stuck.add("2")
    scaling.can_go_back = False
    outcome = contract.run(module, PARAMS)
    assert outcome.failed and "InProgress" in outcome.result["msg"]


def test_without_waiting(scaling: Scaling) -> None:
    params = {**PARAMS, "wait": False}
    scaling.stuck.add("2")
    assert contract.succeed(module, params).result["changed"] is True
    again = contract.succeed(module, params)
    assert again.result["changed"] is False and again.writing == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"launch_template_version": "$Latest"}, ("$Latest", "number")),
        ({"group_name": "typo"}, ("typo", "no Auto Scaling group")),
    ],
)
def test_impossible_input_is_refused(scaling: Scaling, change: dict[str, Any], words: tuple[str, ...]) -> None:
    contract.refuse(module, {**PARAMS, **change}, *words)


def test_check_mode_on_an_empty_account(scaling: Scaling) -> None:
    unknown = "(known after apply)"
    params = {**PARAMS, "group_name": "new", "launch_template_id": unknown, "launch_template_version": unknown}
    assert contract.succeed(module, params, check=True).result["changed"] is False
    known = contract.succeed(module, {**params, "group_name": "blog-web"}, check=True)
    assert known.result["changed"] is True


def test_killed_before_its_call(scaling: Scaling) -> None:
    with pytest.raises(contract.Killed):
        contract.run(module, PARAMS, kill_before=0)
    assert contract.succeed(module, PARAMS).result["changed"] is True
    assert contract.succeed(module, PARAMS).result["changed"] is False


def test_reason_names_both_when_they_differ() -> None:
    refresh = {"RollbackDetails": {"RollbackReason": "alarm"}, "StatusReason": "went back."}
    assert _refresh.reason(refresh) == "alarm. went back"
    assert _refresh.reason({}) == "no reason given"
