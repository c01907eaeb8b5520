# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What happens to members of a group besides scaling by hand: hooks, warm pools, schedules, several types, baking."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from wordpress_ha_rehearsal.emulator.controllers.schedules import is_due

if TYPE_CHECKING:
    from web_tier import WebTier


def hook(tier: WebTier, timeout: int = 300) -> dict[str, str]:
    """Let members be held at their end; return the names by which the hook is answered."""
    named = {"AutoScalingGroupName": tier.name, "LifecycleHookName": "drain"}
    tier.scaling.put_lifecycle_hook(
        **named, LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING", HeartbeatTimeout=timeout
    )
    return named


def leaving(tier: WebTier) -> str:
    """Let one of the two members leave, past its deregistration delay; return its id."""
    (gone, *_unused) = sorted(tier.members())
    tier.scaling.terminate_instance_in_auto_scaling_group(InstanceId=gone, ShouldDecrementDesiredCapacity=False)
    tier.emulator.advance(21)
    return gone


def lifecycle(tier: WebTier, instance: str) -> str | None:
    """Return what instance metadata says a member is on its way to."""
    (found,) = [one for one in tier.emulator.desired()["instances"] if one["id"] == instance]
    return found["target_lifecycle_state"]


def test_a_hook_holds_a_member_until_it_is_answered(tier: WebTier) -> None:
    """R38."""
    named = hook(tier)
    (gone, *_unused) = sorted(tier.members())
    assert lifecycle(tier, gone) == "InService"
    tier.scaling.terminate_instance_in_auto_scaling_group(InstanceId=gone, ShouldDecrementDesiredCapacity=False)
    assert tier.members()[gone]["LifecycleState"] == "Terminating" and lifecycle(tier, gone) == "Terminated"
    answer = {**named, "InstanceId": gone, "LifecycleActionResult": "CONTINUE"}
    with pytest.raises(ClientError, match="No active Lifecycle Action"):
        tier.scaling.complete_lifecycle_action(**answer)
    tier.emulator.advance(21)
    assert tier.members()[gone]["LifecycleState"] == "Terminating:Wait"
    tier.emulator.advance(100)
    assert gone in tier.members()
    tier.scaling.complete_lifecycle_action(**answer)
    assert gone not in tier.members()


def test_a_hook_nobody_answers_ends_with_its_time(tier: WebTier) -> None:
    hook(tier)
    gone = leaving(tier)
    tier.emulator.advance(299)
    assert gone in tier.members()
    tier.emulator.advance(2)
    assert gone not in tier.members()


def test_a_heartbeat_begins_the_time_anew(tier: WebTier) -> None:
    named = hook(tier)
    gone = leaving(tier)
    tier.emulator.advance(200)
    tier.scaling.record_lifecycle_action_heartbeat(**named, InstanceId=gone)
    tier.emulator.advance(200)
    assert gone in tier.members()
    tier.emulator.advance(101)
    assert gone not in tier.members()


def test_a_hook_that_goes_lets_go(tier: WebTier) -> None:
    named = hook(tier)
    gone = leaving(tier)
    tier.scaling.delete_lifecycle_hook(**named)
    assert gone not in tier.members()


def pool(tier: WebTier) -> dict[str, str]:
    found = tier.scaling.describe_warm_pool(AutoScalingGroupName=tier.name)["Instances"]
    return {one["InstanceId"]: one["LifecycleState"] for one in found}


def states(tier: WebTier, *instances: str) -> set[str]:
    return {one["state"] for one in tier.emulator.desired()["instances"] if one["id"] in instances}


def test_a_warm_pool_waits_stopped_and_serves_first(tier: WebTier) -> None:
    tier.scaling.put_warm_pool(AutoScalingGroupName=tier.name, MinSize=1, MaxGroupPreparedCapacity=3)
    (warm,) = pool(tier)
    assert pool(tier) == {warm: "Warmed:Pending"} and warm not in tier.members()
    tier.report(instances={warm: "running"})
    assert pool(tier) == {warm: "Warmed:Stopped"} and states(tier, warm) == {"stopped"}
    assert lifecycle(tier, warm) == "Warmed:Stopped"
    tier.report(instances={warm: "running"})  # a report from before the stop
    assert pool(tier) == {warm: "Warmed:Stopped"}
    tier.scaling.set_desired_capacity(AutoScalingGroupName=tier.name, DesiredCapacity=3)
    assert tier.members()[warm]["LifecycleState"] == "Pending" and states(tier, warm) == {"pending"}
    tier.report()
    assert tier.members()[warm]["LifecycleState"] == "InService"
    assert len(pool(tier)) == 1 and warm not in pool(tier)  # MinSize
    tier.scaling.delete_warm_pool(AutoScalingGroupName=tier.name, ForceDelete=True)
    assert pool(tier) == {}


def test_a_warm_pool_follows_a_refresh(tier: WebTier) -> None:
    tier.scaling.put_warm_pool(AutoScalingGroupName=tier.name, MinSize=1, MaxGroupPreparedCapacity=2)
    (warm,) = pool(tier)
    tier.report(instances={warm: "running"})
    version = tier.new_version()
    tier.refresh(version)
    for _unused in range(40):
        tier.serve()
        tier.emulator.advance(7)
    assert tier.refreshed()["Status"] == "Successful"
    (fresh,) = tier.scaling.describe_warm_pool(AutoScalingGroupName=tier.name)["Instances"]
    assert fresh["InstanceId"] != warm and fresh["LaunchTemplate"]["Version"] == version


def mixed(tier: WebTier, version: str = "1", percent: int = 50) -> dict[str, Any]:
    template = {"LaunchTemplateId": tier.template, "Version": version}
    return {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": template,
            "Overrides": [{"InstanceType": "c6i.large"}, {"InstanceType": "m6i.large"}],
        },
        "InstancesDistribution": {"OnDemandBaseCapacity": 1, "OnDemandPercentageAboveBaseCapacity": percent},
    }


def test_instances_of_several_types(tier: WebTier) -> None:
    named = {"AutoScalingGroupName": tier.name}
    tier.scaling.update_auto_scaling_group(**named, MixedInstancesPolicy=mixed(tier, percent=0), DesiredCapacity=4)
    assert "LaunchTemplate" not in tier.group() and tier.group()["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"]
    found = {
        one["InstanceType"]: one.get("InstanceLifecycle")
        for reservation in tier.ec2.describe_instances(InstanceIds=sorted(tier.members("Pending")))["Reservations"]
        for one in reservation["Instances"]
    }
    assert found == {"c6i.large": "spot"}
    with pytest.raises(ClientError, match="Spot"):
        tier.scaling.put_warm_pool(**named)
    tier.scaling.update_auto_scaling_group(**named, LaunchTemplate={"LaunchTemplateId": tier.template, "Version": "1"})
    assert "MixedInstancesPolicy" not in tier.group() and tier.group()["LaunchTemplate"]["Version"] == "1"


def test_a_refresh_keeps_several_types(instant_tier: WebTier) -> None:
    tier = instant_tier
    named = {"AutoScalingGroupName": tier.name}
    tier.scaling.update_auto_scaling_group(**named, MixedInstancesPolicy=mixed(tier))
    version = tier.new_version()
    tier.scaling.start_instance_refresh(
        **named,
        DesiredConfiguration={"MixedInstancesPolicy": mixed(tier, version)},
        Preferences={
            "MinHealthyPercentage": 100,
            "MaxHealthyPercentage": 150,
            "AutoRollback": True,
            "SkipMatching": True,
        },
    )
    assert tier.refreshed()["Status"] == "Successful" and tier.versions() == [version] * 2
    policy = tier.group()["MixedInstancesPolicy"]
    assert policy["LaunchTemplate"]["LaunchTemplateSpecification"]["Version"] == version
    assert policy["InstancesDistribution"]["OnDemandPercentageAboveBaseCapacity"] == 50


def test_an_alarm_while_baking_turns_the_refresh_back(tier: WebTier) -> None:
    """P43."""
    watch = tier.emulator.client("cloudwatch")
    watch.put_metric_alarm(
        AlarmName="late", MetricName="m", Namespace="n", Period=60, EvaluationPeriods=1, Threshold=1, Statistic="Sum",
        ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    version = tier.new_version()
    tier.refresh(version, BakeTime=600, AlarmSpecification={"Alarms": ["late"]})
    for _unused in range(40):
        if tier.refreshed()["Status"] == "Baking":
            break
        tier.serve()
        tier.emulator.advance(7)
    assert tier.refreshed()["Status"] == "Baking" and tier.versions() == [version] * 2
    assert tier.group()["LaunchTemplate"]["Version"] == "1"
    watch.set_alarm_state(AlarmName="late", StateValue="ALARM", StateReason="test")
    assert tier.refreshed()["Status"] == "RollbackInProgress"
    for _unused in range(40):
        tier.serve()
        tier.emulator.advance(7)
    assert tier.refreshed()["Status"] == "RollbackSuccessful" and tier.versions() == ["1", "1"]


def test_baking_ends_with_its_time(tier: WebTier) -> None:
    version = tier.new_version()
    tier.refresh(version, BakeTime=600)
    for _unused in range(40):
        if tier.refreshed()["Status"] == "Baking":
            break
        tier.serve()
        tier.emulator.advance(7)
    tier.emulator.advance(590)
    assert tier.refreshed()["Status"] == "Baking"
    tier.emulator.advance(11)
    assert tier.refreshed()["Status"] == "Successful" and tier.group()["LaunchTemplate"]["Version"] == version


def test_schedules_change_sizes_in_time(tier: WebTier) -> None:
    """In the emulator's own time: an hour is gone in a moment."""
    named = {"AutoScalingGroupName": tier.name, "ScheduledActionName": "soon"}
    tier.scaling.put_scheduled_update_group_action(**named, Recurrence="0 * * * *", MinSize=3, MaxSize=5)
    tier.scaling.put_scheduled_update_group_action(**named, DesiredCapacity=4)
    (kept,) = tier.scaling.describe_scheduled_actions(AutoScalingGroupName=tier.name)["ScheduledUpdateGroupActions"]
    assert (kept["MinSize"], kept["DesiredCapacity"]) == (3, 4)
    tier.emulator.advance(3600)
    group = tier.group()
    assert (group["MinSize"], group["MaxSize"], group["DesiredCapacity"]) == (3, 5, 4)
    assert len(tier.members()) == 4
    tier.scaling.delete_scheduled_action(**named)
    with pytest.raises(ClientError, match="not found"):
        tier.scaling.delete_scheduled_action(**named)


@pytest.mark.parametrize(
    ("recurrence", "due"),
    [
        ("0 7 * * *", True),
        ("0 7 * * MON-FRI", False),
        ("0 7 * * 0", True),
        ("0 7 * * 7", True),
        ("*/30 6-8 * * *", True),
        ("*/7 * * * *", True),
        ("5 7 * * *", False),
        ("0 7 22 * 1", True),
        ("0 7 21 11 *", False),
        ("0 7 22 1,11 *", True),
    ],
)
def test_when_a_schedule_is_due(recurrence: str, due: bool) -> None:
    assert is_due(recurrence, datetime(2026, 11, 22, 7, 0, tzinfo=UTC)) is due  # a Sunday
