# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instance refreshes: one by one, launch before terminate, back again when the new one does not serve."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from web_tier import WebTier


def under(name: str) -> str:
    """Write an instance id as a Python name, for the helper's keyword arguments."""
    return name.replace("-", "_")


def test_members_are_replaced_one_by_one_and_never_fewer_serve(tier):
    old = set(tier.members())
    version = tier.new_version()
    tier.refresh(version)
    assert tier.group()["LaunchTemplate"]["Version"] == "1"
    for step in range(60):
        if tier.refreshed()["Status"] == "Successful":
            break
        serving = [name for name, state in tier.health().items() if state == "healthy"]
        assert len(serving) >= 2, f"step {step}: {tier.health()}"
        assert len(tier.members("InService", "Pending")) <= 3
        tier.serve()
        tier.emulator.advance(7)
    assert tier.refreshed()["Status"] == "Successful"
    assert tier.versions() == [version] * 2
    assert not old & set(tier.members())
    assert tier.group()["LaunchTemplate"]["Version"] == version
    assert sorted(one["AvailabilityZone"] for one in tier.members().values()) == ["us-east-1a", "us-east-1b"]
    assert tier.refreshed()["PercentageComplete"] == 100


def test_a_new_member_must_be_healthy_and_warm_before_an_old_one_goes(tier):
    tier.refresh(tier.new_version(), InstanceWarmup=30)
    assert tier.refreshed()["Status"] == "InProgress" and len(tier.members("Pending")) == 1
    tier.report()
    tier.emulator.advance(40)
    assert not tier.members("Terminating"), "it is warm, but not healthy"
    tier.serve()
    assert len(tier.members("Terminating")) == 1


def test_warm_up_is_waited_for(tier):
    tier.refresh(tier.new_version(), InstanceWarmup=30)
    tier.serve()
    tier.serve()
    tier.emulator.advance(20)
    assert not tier.members("Terminating"), "it is healthy, but not warm"
    tier.emulator.advance(11)
    assert len(tier.members("Terminating")) == 1


def test_a_sick_new_member_turns_the_refresh_back(tier):
    old = set(tier.members())
    tier.refresh(tier.new_version())
    tier.report()
    (new,) = set(tier.members()) - old
    tier.serve(**{under(new): "unhealthy"})
    assert tier.refreshed()["Status"] == "InProgress"
    tier.emulator.advance(61)
    refresh = tier.refreshed()
    assert refresh["Status"] == "RollbackInProgress"
    assert (new in refresh["StatusReason"] and "Health" in refresh["StatusReason"]) or "test" in refresh["StatusReason"]
    assert refresh["RollbackDetails"]["RollbackReason"] == refresh["StatusReason"]
    tier.emulator.advance(1)
    tier.emulator.advance(30)
    assert tier.refreshed()["Status"] == "RollbackSuccessful"
    assert set(tier.members()) == old
    assert tier.group()["LaunchTemplate"]["Version"] == "1"


@pytest.mark.parametrize("rollback", [True, False])
def test_a_new_member_that_dies_ends_the_refresh(tier, rollback):
    old = set(tier.members())
    tier.refresh(tier.new_version(), AutoRollback=rollback)
    (new,) = set(tier.members()) - old
    tier.report(instances={new: "dead"})
    tier.emulator.advance(30)
    refresh = tier.refreshed()
    assert refresh["Status"] == ("RollbackSuccessful" if rollback else "Failed")
    assert new in refresh["StatusReason"]
    assert set(tier.members()) == old


def test_a_new_member_that_never_answers_ends_the_refresh(tier):
    tier.refresh(tier.new_version())
    tier.report()
    tier.emulator.advance(121)
    refresh = tier.refreshed()
    assert refresh["Status"] == "RollbackInProgress" and "initial for the load balancer" in refresh["StatusReason"]


def test_a_new_member_that_never_runs_ends_the_refresh(tier):
    tier.refresh(tier.new_version())
    tier.emulator.advance(301)
    assert "does not run" in tier.refreshed()["StatusReason"]


def test_a_rollback_replaces_what_was_already_renewed(tier):
    tier.refresh(tier.new_version())
    for _unused in range(40):
        if tier.members("Terminating"):
            break
        tier.serve()
        tier.emulator.advance(7)
    tier.scaling.rollback_instance_refresh(AutoScalingGroupName=tier.name)
    for _unused in range(40):
        tier.serve()
        tier.emulator.advance(7)
    assert tier.refreshed()["Status"] == "RollbackSuccessful"
    assert tier.versions() == ["1", "1"]


def test_an_alarm_turns_the_refresh_back(tier):
    watch = tier.emulator.client("cloudwatch")
    watch.put_metric_alarm(
        AlarmName="errors", MetricName="m", Namespace="n", Period=60, EvaluationPeriods=1, Threshold=1, Statistic="Sum",
        ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    tier.refresh(tier.new_version(), AlarmSpecification={"Alarms": ["errors"]})
    watch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="test")
    assert tier.refreshed()["Status"] == "RollbackInProgress"
    assert "Alarm errors" in tier.refreshed()["StatusReason"]


def test_one_refresh_at_a_time(tier):
    version = tier.new_version()
    tier.refresh(version)
    with pytest.raises(ClientError, match="InstanceRefreshInProgress"):
        tier.refresh(version)
    tier.scaling.cancel_instance_refresh(AutoScalingGroupName=tier.name)
    tier.emulator.advance(1)
    assert tier.refreshed()["Status"] == "Cancelled"
    with pytest.raises(ClientError, match="ActiveInstanceRefreshNotFound"):
        tier.scaling.cancel_instance_refresh(AutoScalingGroupName=tier.name)
    tier.emulator.advance(30)
    assert tier.versions() == ["1", "1"]


def test_nothing_to_do_is_done_at_once(tier):
    before = tier.members()
    tier.refresh("1")
    assert tier.refreshed()["Status"] == "Successful" and tier.members() == before


def test_without_skip_matching_equal_members_are_replaced_too(tier):
    before = set(tier.members())
    tier.refresh("1", SkipMatching=False)
    assert tier.refreshed()["Status"] == "InProgress" and len(set(tier.members()) - before) == 1


def test_without_room_above_an_old_one_goes_first(tier):
    tier.refresh(tier.new_version(), MaxHealthyPercentage=100, MinHealthyPercentage=50)
    assert len(tier.members("Terminating")) == 1
    tier.emulator.advance(1)
    tier.emulator.advance(21)
    tier.emulator.advance(1)
    assert tier.versions() == ["1", "2"]


@pytest.mark.parametrize(
    ("preferences", "version", "trouble"),
    [
        ({"MinHealthyPercentage": 50, "MaxHealthyPercentage": 190}, "1", "at most 100 above"),
        ({"AutoRollback": True}, "$Latest", "a number"),
        ({}, "99", "launch template cannot be used"),
    ],
)
def test_wrong_preferences_are_refused(tier, preferences, version, trouble):
    with pytest.raises(ClientError, match=trouble):
        tier.refresh(version, **preferences)


def test_an_unknown_group_is_refused(external):
    with pytest.raises(ClientError, match="ValidationError"):
        external.client("autoscaling").start_instance_refresh(AutoScalingGroupName="none")


def test_instant_mode_finishes_within_the_call(instant):
    tier = WebTier(instant)
    assert set(tier.health().values()) == {"healthy"}
    version = tier.new_version()
    tier.refresh(version)
    assert tier.refreshed()["Status"] == "Successful"
    assert tier.versions() == [version] * 2
    assert len(tier.members()) == len(tier.health()) == 2
