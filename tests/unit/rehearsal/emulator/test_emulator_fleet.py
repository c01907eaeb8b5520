# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Auto Scaling groups as the controllers lead them: launch, register, judge, drain, replace, scale."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from web_tier import WebTier


def under(name: str) -> str:
    """Write an instance id as a Python name, for the helper's keyword arguments."""
    return name.replace("-", "_")


def test_members_spread_over_the_zones_and_serve_when_reported(external):
    tier = WebTier(external)
    members = tier.members()
    assert sorted(one["AvailabilityZone"] for one in members.values()) == ["us-east-1a", "us-east-1b"]
    assert {one["LifecycleState"] for one in members.values()} == {"Pending"}
    assert {one["state"] for one in external.desired()["instances"]} == {"pending"}
    assert tier.health() == {}
    tier.report()
    assert {one["LifecycleState"] for one in tier.members().values()} == {"InService"}
    assert set(tier.health().values()) == {"initial"}
    tier.serve()
    assert set(tier.health().values()) == {"healthy"}


def test_launch_template_reaches_the_instance(tier):
    instance = tier.emulator.desired()["instances"][0]
    assert instance["metadata"] == {"http_tokens": "required", "hop_limit": 1, "instance_tags": True}
    assert instance["user_data"] == "IzE="
    assert instance["tags"]["wordpress_ha:stack"] == "test"
    assert instance["tags"]["Name"] == instance["tags"]["aws:autoscaling:groupName"] == tier.name
    described = tier.ec2.describe_instances(InstanceIds=[instance["id"]])["Reservations"][0]["Instances"][0]
    assert described["MetadataOptions"]["HttpTokens"] == "required"
    assert described["SecurityGroups"][0]["GroupId"] == tier.network.group


def test_a_dead_node_is_replaced_in_its_zone(tier):
    dead, other = tier.members()
    zone = tier.members()[dead]["AvailabilityZone"]
    tier.report(instances={dead: "dead"})
    members = tier.members()
    assert dead not in members and other in members
    (new,) = set(members) - {other}
    assert (members[new]["LifecycleState"], members[new]["AvailabilityZone"]) == ("Pending", zone)
    assert dead not in tier.health()
    assert dead not in {one["id"] for one in tier.emulator.desired()["instances"]}


def test_a_terminated_node_is_replaced(tier):
    gone, _unused = tier.members()
    tier.ec2.terminate_instances(InstanceIds=[gone])
    assert gone not in tier.members() and len(tier.members()) == 2


def test_an_unhealthy_node_is_replaced_only_after_the_grace_period(external):
    tier = WebTier(external, grace=60)
    tier.serve()
    sick, _unused = tier.members()
    tier.report(**{under(sick): "unhealthy"})
    assert tier.members()[sick]["LifecycleState"] == "InService"
    external.advance(61)
    assert tier.members()[sick]["LifecycleState"] == "Terminating"
    assert tier.health()[sick] == "draining"
    assert len(tier.members("Pending")) == 1
    external.advance(10)
    external.advance(21)
    assert sick not in tier.members() and sick not in tier.health()


def test_health_of_the_balancer_counts_only_for_groups_that_say_so(external):
    tier = WebTier(external, HealthCheckType="EC2")
    tier.ready()
    sick, _unused = tier.members()
    tier.report(**{under(sick): "unhealthy"})
    external.advance(600)
    assert tier.members()[sick]["LifecycleState"] == "InService"


@pytest.mark.parametrize(("process", "state"), [("ReplaceUnhealthy", "Unhealthy"), ("HealthCheck", "Healthy")])
def test_suspended_processes_keep_an_unhealthy_node(tier, process, state):
    tier.scaling.suspend_processes(AutoScalingGroupName=tier.name, ScalingProcesses=[process])
    sick, _unused = tier.members()
    tier.report(**{under(sick): "unhealthy"})
    assert (tier.members()[sick]["LifecycleState"], tier.members()[sick]["HealthStatus"]) == ("InService", state)
    tier.scaling.resume_processes(AutoScalingGroupName=tier.name)
    assert tier.members()[sick]["LifecycleState"] == "Terminating"


def test_suspended_launch_waits(tier):
    tier.scaling.suspend_processes(AutoScalingGroupName=tier.name, ScalingProcesses=["Launch"])
    tier.scaling.set_desired_capacity(AutoScalingGroupName=tier.name, DesiredCapacity=3)
    assert len(tier.members()) == 2
    tier.scaling.resume_processes(AutoScalingGroupName=tier.name)
    assert len(tier.members()) == 3


def test_capacity_changes_launch_and_drain(tier):
    tier.scaling.set_desired_capacity(AutoScalingGroupName=tier.name, DesiredCapacity=4)
    zones = [one["AvailabilityZone"] for one in tier.members().values()]
    assert sorted(zones) == ["us-east-1a", "us-east-1a", "us-east-1b", "us-east-1b"]
    tier.serve()
    tier.scaling.update_auto_scaling_group(AutoScalingGroupName=tier.name, DesiredCapacity=3)
    (leaving,) = tier.members("Terminating")
    draining = [target for target in tier.emulator.desired()["target_groups"][0]["targets"] if target["draining"]]
    assert [target["id"] for target in draining] == [leaving]
    tier.emulator.advance(10)
    assert leaving in tier.members()
    tier.emulator.advance(11)
    assert leaving not in tier.members() and leaving not in tier.health()


@pytest.mark.parametrize("desired", [1, 5])
def test_capacity_beyond_the_bounds_is_refused(tier, desired):
    with pytest.raises(ClientError, match="between the specified min size"):
        tier.scaling.set_desired_capacity(AutoScalingGroupName=tier.name, DesiredCapacity=desired)


def test_a_group_raised_in_its_minimum_grows(tier):
    tier.scaling.update_auto_scaling_group(AutoScalingGroupName=tier.name, MinSize=3)
    assert tier.group()["DesiredCapacity"] == 3 and len(tier.members()) == 3


def test_a_user_can_terminate_a_member(tier):
    gone, _unused = tier.members()
    tier.scaling.terminate_instance_in_auto_scaling_group(InstanceId=gone, ShouldDecrementDesiredCapacity=False)
    assert tier.members()[gone]["LifecycleState"] == "Terminating"
    assert len(tier.members("InService", "Pending")) == 2


def test_a_group_with_members_is_deleted_by_force_only(tier):
    with pytest.raises(ClientError, match="ResourceInUse"):
        tier.scaling.delete_auto_scaling_group(AutoScalingGroupName=tier.name)
    tier.scaling.delete_auto_scaling_group(AutoScalingGroupName=tier.name, ForceDelete=True)
    assert tier.emulator.desired()["instances"] == []
    assert tier.health() == {}


def test_settings_of_a_group_are_kept(tier):
    group = tier.group()
    assert (group["DefaultInstanceWarmup"], group["HealthCheckGracePeriod"]) == (10, 60)
    tier.scaling.update_auto_scaling_group(AutoScalingGroupName=tier.name, DefaultInstanceWarmup=5, DefaultCooldown=7)
    group = tier.group()
    assert (group["DefaultInstanceWarmup"], group["DefaultCooldown"]) == (5, 7)
    tier.scaling.enable_metrics_collection(
        AutoScalingGroupName=tier.name, Granularity="1Minute", Metrics=["GroupMaxSize"]
    )
    tier.scaling.disable_metrics_collection(AutoScalingGroupName=tier.name, Metrics=["GroupMaxSize"])
    assert tier.group()["EnabledMetrics"] == []


def test_a_second_group_of_the_same_name_is_refused(tier):
    with pytest.raises(ClientError, match="AlreadyExists"):
        tier.scaling.create_auto_scaling_group(
            AutoScalingGroupName=tier.name, MinSize=0, MaxSize=1, LaunchTemplate={"LaunchTemplateId": tier.template}
        )


def test_activities_say_what_happened(tier):
    dead, _unused = tier.members()
    tier.report(instances={dead: "dead"})
    told = tier.scaling.describe_scaling_activities(AutoScalingGroupName=tier.name)["Activities"]
    assert any(dead in one["Description"] and "terminated" in one["Cause"] for one in told)
    assert any(one["StatusCode"] == "InProgress" and "Launching" in one["Description"] for one in told)


def test_a_refused_launch_is_told_and_tried_again(tier):
    image = tier.ec2.describe_images(Owners=["self"])["Images"]
    assert image == []
    made = tier.ec2.create_image(InstanceId=next(iter(tier.members())), Name=tier.name)["ImageId"]
    data = {**tier.data("#3"), "ImageId": made}
    version = tier.ec2.create_launch_template_version(LaunchTemplateId=tier.template, LaunchTemplateData=data)
    number = str(version["LaunchTemplateVersion"]["VersionNumber"])
    tier.scaling.update_auto_scaling_group(
        AutoScalingGroupName=tier.name,
        LaunchTemplate={"LaunchTemplateId": tier.template, "Version": number},
        DesiredCapacity=3,
    )
    assert len(tier.members()) == 2
    failed = tier.scaling.describe_scaling_activities(AutoScalingGroupName=tier.name)["Activities"][0]
    assert failed["StatusCode"] == "Failed" and "pending" in failed["StatusMessage"]
    tier.emulator.observed(images={made: "available"})
    assert len(tier.members()) == 3
