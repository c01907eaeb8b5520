# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""auto_scaling_fleet: the module contract, launch template versions that are found again, and sizes left to scaling."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import contract
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.autoscaling.responses import AutoScalingResponse
from moto.ec2.models.launch_templates import LaunchTemplate

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _fleet, _launch_template, _scaling
from ansible_collections.wordpress_ha.aws.plugins.modules import auto_scaling_fleet as module


@pytest.fixture(autouse=True)
def mended_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto 5.2.5 drops some fields of a group, and a launch template's tags stay as they were at creation."""

    def keep(response: AutoScalingResponse) -> None:
        group = response.autoscaling_backend.autoscaling_groups[response._get_param("AutoScalingGroupName")]
        for name, field in (
            ("DefaultInstanceWarmup", "default_instance_warmup"),
            ("InstanceMaintenancePolicy", "instance_maintenance_policy"),
        ):
            value = response._get_param(name)
            if value is not None:
                setattr(group, field, value)
        if response._get_param("TerminationPolicies"):
            group.termination_policies = response._get_param("TerminationPolicies")

    for operation in ("create_auto_scaling_group", "update_auto_scaling_group"):
        original = getattr(AutoScalingResponse, operation)

        def kept(self: AutoScalingResponse, original: Any = original) -> Any:
            answer = original(self)
            keep(self)
            return answer

        monkeypatch.setattr(AutoScalingResponse, operation, kept)
    tags = property(lambda template: template.get_tags(), lambda template, value: None)
    monkeypatch.setattr(LaunchTemplate, "tags", tags, raising=False)


def prepare() -> dict[str, Any]:
    """Create what a fleet stands in; return the parameters of one."""
    ec2, elb, iam = boto3.client("ec2"), boto3.client("elbv2"), boto3.client("iam")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate("ab")
    ]
    security_group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    groups = [
        elb.create_target_group(Name=name, Port=80, Protocol="HTTP", VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
        for name in ("web", "more")
    ]
    iam.create_instance_profile(InstanceProfileName="blog-web")
    return {
        "name": "blog-web",
        "launch_template": {
            "image_id": "ami-12c6146b",
            "instance_type": "t3.micro",
            "security_group_ids": [security_group],
            "instance_profile": "arn:aws:iam::123456789012:instance-profile/blog-web",
            "user_data": "#cloud-config\nhostname: ä\n",
            "root_volume": {"size": 10},
        },
        "subnet_ids": subnets[::-1],
        "target_group_arns": groups[:1],
        "default_warmup": 30,
        "target_tracking": {"cpu": 60},
        "tags": {"wordpress_ha:stack": "blog", "wordpress_ha:role": "web_fleet"},
    }


@pytest.fixture
def params(aws: Callable[[str], Any]) -> Iterator[dict[str, Any]]:
    yield prepare()


def with_template(params: dict[str, Any], **change: Any) -> dict[str, Any]:
    return {**params, "launch_template": {**params["launch_template"], **change}}


def group() -> dict[str, Any]:
    return dict(boto3.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0])


def left() -> list[Any]:
    groups = boto3.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    return [*groups, *boto3.client("ec2").describe_launch_templates()["LaunchTemplates"]]


def test_contract(params: dict[str, Any]) -> None:
    balancer = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/blog/0123456789abcdef"
    modified = {
        **with_template(params, image_id="ami-1e749f67", monitoring=True, root_volume={"size": 12, "throughput": 200}),
        "min": 3,
        "max": 6,
        "grace_seconds": 60,
        "default_warmup": 40,
        "maintenance_policy": {"min_healthy_percentage": 90, "max_healthy_percentage": 120},
        "termination_policies": ["OldestLaunchTemplate"],
        "target_tracking": {"cpu": 50, "requests_per_target": 600, "load_balancer_arn": balancer},
        "tags": {"wordpress_ha:stack": "blog"},
        "purge_tags": True,
    }
    first = contract.keep(module, params, modified, left=left)
    assert first.facts["launch_template_version"] == first.facts["group_launch_template_version"] == 1
    assert first.facts["refresh_needed"] is False
    created = first.sent("CreateAutoScalingGroup")[0]
    assert created["LaunchTemplate"]["Version"] == "1"
    assert all(tag["PropagateAtLaunch"] for tag in created["Tags"])
    assert created["InstanceMaintenancePolicy"] == {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150}


def test_nodes_are_hardened_and_tagged(params: dict[str, Any]) -> None:
    data = contract.succeed(module, params).sent("CreateLaunchTemplate")[0]["LaunchTemplateData"]
    options = {
        "HttpEndpoint": "enabled",
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
        "InstanceMetadataTags": "enabled",
    }
    assert data["MetadataOptions"] == options
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    tags = {
        spec["ResourceType"]: {tag["Key"]: tag["Value"] for tag in spec["Tags"]} for spec in data["TagSpecifications"]
    }
    assert tags["volume"] == tags["instance"] == {**params["tags"], "Name": "blog-web"}


def test_a_new_version_leaves_the_group_on_its_own(params: dict[str, Any]) -> None:
    contract.succeed(module, params)
    newer = contract.converge(module, with_template(params, image_id="ami-1e749f67"))
    assert newer.writing == ["ec2:CreateLaunchTemplateVersion"]
    assert (newer.facts["launch_template_version"], newer.facts["group_launch_template_version"]) == (2, 1)
    assert newer.facts["refresh_needed"] is True
    assert newer.result["actions"][0]["after"]["image_id"] == "ami-1e749f67"
    back = contract.succeed(module, params)
    assert back.result["changed"] is False
    assert (back.facts["launch_template_version"], back.facts["refresh_needed"]) == (1, False)
    again = contract.succeed(module, with_template(params, image_id="ami-1e749f67"))
    assert (again.facts["launch_template_version"], again.result["changed"]) == (2, False)


def test_user_data_is_shown_as_text_or_masked(params: dict[str, Any]) -> None:
    contract.succeed(module, params)
    shown = contract.succeed(module, with_template(params, user_data="two\n"), check=True)
    before = shown.result["diff"]["before"]["launch_template/blog-web"]
    assert before["user_data"] == params["launch_template"]["user_data"]
    masked = contract.succeed(module, with_template(params, user_data="two\n", user_data_secret=True), check=True)
    assert masked.result["diff"]["after"]["launch_template/blog-web"]["user_data"] == "********"


def test_the_size_belongs_to_scaling(params: dict[str, Any]) -> None:
    contract.succeed(module, {**params, "desired": 3})
    scaling = boto3.client("autoscaling")
    scaling.set_desired_capacity(AutoScalingGroupName="blog-web", DesiredCapacity=4)
    assert contract.succeed(module, {**params, "desired": 3}).result["changed"] is False
    capped = contract.converge(module, {**params, "max": 3})
    assert capped.facts["desired"] == group()["DesiredCapacity"] == 3


def test_target_groups_and_subnets_are_replaced(params: dict[str, Any]) -> None:
    contract.succeed(module, params)
    arns = [one["TargetGroupArn"] for one in boto3.client("elbv2").describe_target_groups()["TargetGroups"]]
    other = next(arn for arn in arns if arn not in params["target_group_arns"])
    changed = contract.succeed(
        module, {**params, "target_group_arns": [other], "subnet_ids": params["subnet_ids"][:1], "wait": False}
    )
    assert {"autoscaling:AttachLoadBalancerTargetGroups", "autoscaling:DetachLoadBalancerTargetGroups"} <= set(
        changed.writing
    )
    assert group()["TargetGroupARNs"] == [other]


def test_policies_are_replaced_or_left_alone(params: dict[str, Any]) -> None:
    contract.succeed(module, params)
    assert contract.succeed(module, {**params, "target_tracking": None}).result["changed"] is False
    gone = contract.converge(module, {**params, "target_tracking": {}})
    assert gone.writing == ["autoscaling:DeletePolicy"]


def test_waits_for_health_in_the_target_group(params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fleet.Fleet, "_serving", lambda self: 1)
    outcome = contract.run(module, {**params, "wait_timeout": 30})
    assert outcome.failed
    assert (
        "2 instances" in outcome.result["msg"]
        and "healthy" in outcome.result["msg"]
        and "30 s" in outcome.result["msg"]
    )
    monkeypatch.setattr(_fleet.Fleet, "_serving", lambda self: 2)
    assert contract.succeed(module, params).result["changed"] is False


def test_a_due_refresh_is_not_waited_for(params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    contract.succeed(module, params)
    monkeypatch.setattr(_fleet.Fleet, "_serving", lambda self: 0)
    assert contract.succeed(module, with_template(params, image_id="ami-1e749f67")).facts["refresh_needed"] is True


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"min": 5, "max": 4}, ("min is 5", "max is 4")),
        ({"target_tracking": {"requests_per_target": 5}}, ("requests_per_target", "load_balancer_arn")),
        ({"tags": {"wordpress_ha:stack": "shop"}}, ("'blog'", "'shop'")),
        ({"tags": {"wordpress_ha:stack": "shop"}, "state": "absent"}, ("'blog'",)),
    ],
)
def test_impossible_input_is_refused(params: dict[str, Any], change: dict[str, Any], words: tuple[str, ...]) -> None:
    contract.succeed(module, params)
    contract.refuse(module, {**params, **change}, *words)


def test_unknown_inputs_in_check_mode(aws: Callable[[str], Any]) -> None:
    unknown = "(known after apply)"
    template = {"image_id": unknown, "instance_type": "t3.micro", "security_group_ids": [unknown]}
    tracking = {"requests_per_target": 5, "load_balancer_arn": unknown}
    params = {"name": "blog-web", "launch_template": template, "subnet_ids": [unknown], "target_group_arns": [unknown]}
    predicted = contract.succeed(module, {**params, "target_tracking": tracking}, check=True)
    assert predicted.facts["launch_template_id"] == predicted.facts["launch_template_version"] == unknown
    assert predicted.facts["group_name"] == "blog-web"


def test_survives_kills() -> None:
    assert contract.survive_kills(module, {}, prepare) >= 6


def test_outdated() -> None:
    right = {"LaunchTemplateId": "lt-1", "Version": "2"}
    instances = [
        {"InstanceId": "i-1", "LaunchTemplate": right},
        {"InstanceId": "i-2", "LaunchTemplate": {**right, "Version": "1"}},
        {"InstanceId": "i-3", "LaunchTemplate": {**right, "LaunchTemplateId": "lt-2"}},
        {"InstanceId": "i-4"},
        {"InstanceId": "i-5", "LifecycleState": "Terminating:Wait"},
    ]
    assert _fleet.outdated(instances, "lt-1", "2") == ["i-2", "i-3", "i-4"]


def test_resource_label() -> None:
    balancer = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/blog/aa"
    target_group = "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/web/bb"
    assert _scaling.resource_label(balancer, target_group) == "app/blog/aa/targetgroup/web/bb"


SCHEDULES = {
    "morning": {"recurrence": "0 7 * * 1-5", "time_zone": "Europe/Berlin", "min": 3, "max": 9},
    "evening": {"recurrence": "0 19 * * *", "desired": 2},
}


def around(params: dict[str, Any], **change: Any) -> dict[str, Any]:
    """Return parameters of a fleet with everything that can be around a group."""
    return {
        **params,
        "max": 6,
        "schedules": SCHEDULES,
        "termination_hook": {"timeout_seconds": 300},
        "warm_pool": {"state": "Stopped", "min": 1, "max_prepared": 4},
        "mixed_instances": {"instance_types": ["c6i.large", "m6i.large"], "on_demand_base": 1},
        **change,
    }


def prepare_emulated() -> dict[str, Any]:
    images = boto3.client("ec2").describe_images(Filters=[{"Name": "architecture", "Values": ["x86_64"]}])["Images"]
    params = with_template(prepare(), image_id=images[0]["ImageId"], instance_type="c6i.large")
    return {**params, "wait": False}


@pytest.fixture
def fleet(emulated: contract.Emulated) -> dict[str, Any]:
    """Parameters of a fleet in the emulator, which runs instances, holds them at hooks and keeps warm pools."""
    return prepare_emulated()


def test_what_is_around_a_group(fleet: dict[str, Any]) -> None:
    """R33, R38: schedules, hook, warm pool and several types: made, replaced, given up."""
    modified = around(
        fleet,
        schedules={"morning": {"recurrence": "30 6 * * *", "min": 3}, "night": {"recurrence": "0 1 * * *", "min": 1}},
        termination_hook={"timeout_seconds": 600},
        warm_pool={"state": "Running"},
        mixed_instances={"instance_types": ["m6i.large"], "on_demand_base": 2},
    )
    first = contract.keep(module, around(fleet), modified, left=left)
    assert [one["resource"].split("/")[0] for one in first.result["actions"]] == [
        "launch_template",
        "group",
        "hook",
        "warm_pool",
        "policy",
        "schedule",
        "schedule",
    ]
    (created,) = first.sent("CreateAutoScalingGroup")
    assert "LaunchTemplate" not in created
    assert created["MixedInstancesPolicy"]["InstancesDistribution"]["OnDemandPercentageAboveBaseCapacity"] == 100
    (hook,) = first.sent("PutLifecycleHook")
    assert hook["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_TERMINATING" and hook["DefaultResult"] == "CONTINUE"
    contract.converge(module, around(fleet))
    none = {"schedules": {}, "termination_hook": {"timeout_seconds": 0}, "warm_pool": {}, "mixed_instances": {}}
    gone = contract.converge(module, around(fleet, **none))
    assert sorted(gone.writing) == [
        "autoscaling:DeleteLifecycleHook",
        "autoscaling:DeleteScheduledAction",
        "autoscaling:DeleteScheduledAction",
        "autoscaling:DeleteWarmPool",
        "autoscaling:UpdateAutoScalingGroup",
    ]
    assert group()["LaunchTemplate"]["Version"] == "1" and "MixedInstancesPolicy" not in group()
    unset = dict.fromkeys(none)
    contract.succeed(module, around(fleet))
    assert contract.succeed(module, around(fleet, **unset)).result["changed"] is False


def test_a_size_that_a_schedule_no_longer_names_is_forgotten(fleet: dict[str, Any]) -> None:
    contract.succeed(module, around(fleet))
    fewer = {**SCHEDULES, "morning": {"recurrence": "0 7 * * 1-5", "time_zone": "Europe/Berlin", "min": 3}}
    contract.converge(module, around(fleet, schedules=fewer))
    actions = boto3.client("autoscaling").describe_scheduled_actions()["ScheduledUpdateGroupActions"]
    (morning,) = [one for one in actions if one["ScheduledActionName"] == "morning"]
    assert morning["MinSize"] == 3 and "MaxSize" not in morning


def test_what_a_schedule_has_set_stays(fleet: dict[str, Any]) -> None:
    contract.succeed(module, around(fleet))
    scaling = boto3.client("autoscaling")
    scaling.update_auto_scaling_group(AutoScalingGroupName="blog-web", MinSize=3, MaxSize=9)
    assert contract.succeed(module, around(fleet)).result["changed"] is False
    scaling.update_auto_scaling_group(AutoScalingGroupName="blog-web", MinSize=4, MaxSize=9)
    reset = contract.converge(module, around(fleet))
    assert reset.result["actions"][0]["after"] == {"min_size": 2}
    contract.converge(module, around(fleet, schedules={}))
    assert (group()["MinSize"], group()["MaxSize"]) == (2, 6)


def test_instances_finish_before_the_group_goes(fleet: dict[str, Any]) -> None:
    """R38: scaled in, waited for, and only then deleted; the hook is there until the end."""
    contract.succeed(module, around(fleet))
    gone = contract.converge(module, {**around(fleet), "state": "absent"})
    assert gone.writing == [
        "autoscaling:DeleteScheduledAction",
        "autoscaling:DeleteScheduledAction",
        "autoscaling:DeletePolicy",
        "autoscaling:DeleteWarmPool",
        "autoscaling:UpdateAutoScalingGroup",
        "autoscaling:DeleteAutoScalingGroup",
        "ec2:DeleteLaunchTemplate",
    ]
    (scaled,) = gone.sent("UpdateAutoScalingGroup")
    assert (scaled["MinSize"], scaled["MaxSize"], scaled["DesiredCapacity"]) == (0, 0, 0)


def test_a_node_that_does_not_go_is_told(fleet: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    contract.succeed(module, fleet)
    monkeypatch.setattr(_fleet.Fleet, "_staying", lambda self: ["i-1"])
    outcome = contract.run(module, {**fleet, "state": "absent", "wait_timeout": 60})
    assert outcome.failed and "finish and go" in outcome.result["msg"] and "60 s" in outcome.result["msg"]
    assert "autoscaling:DeleteAutoScalingGroup" not in outcome.writing


def test_a_fleet_with_everything_survives_kills(emulated: contract.Emulated) -> None:
    def setting() -> dict[str, Any]:
        return around(prepare_emulated())

    assert contract.survive_kills(module, {}, setting) >= 12


def test_a_fleet_with_everything_survives_lost_answers(emulated: contract.Emulated) -> None:
    assert contract.survive_lost_answers(module, {}, lambda: around(prepare_emulated()))


def test_who_serves_is_told_on_request(fleet: dict[str, Any]) -> None:
    contract.succeed(module, fleet)
    told = contract.succeed(module, {**fleet, "health": True})
    assert (
        told.facts["instance_ids"] == sorted(one["InstanceId"] for one in group()["Instances"]) or told.facts["reasons"]
    )
    assert "instance_ids" not in contract.succeed(module, fleet).facts
    assert contract.succeed(module, {**fleet, "name": "new", "health": True}, check=True).facts["instance_ids"] == []


def test_without_a_change_little_is_asked(fleet: dict[str, Any]) -> None:
    """Image and types are asked for only where a new version may need them."""
    contract.succeed(module, around(fleet))
    again = contract.succeed(module, around(fleet, health=True))
    asked = sorted(call.action for call in again.calls)
    assert asked == [
        "DescribeAutoScalingGroups",
        "DescribeLaunchTemplateVersions",
        "DescribeLaunchTemplates",
        "DescribeLifecycleHooks",
        "DescribePolicies",
        "DescribeScheduledActions",
        "DescribeTargetHealth",
    ]


def test_the_root_volume_is_the_images_own_device(fleet: dict[str, Any]) -> None:
    contract.succeed(module, with_template(fleet, root_volume={"encrypted": True}))
    assert contract.succeed(module, with_template(fleet, root_volume={"encrypted": True})).result["changed"] is False
    larger = contract.converge(module, with_template(fleet, root_volume={"encrypted": True, "size": 30}))
    (sent,) = larger.sent("CreateLaunchTemplateVersion")
    (disk,) = sent["LaunchTemplateData"]["BlockDeviceMappings"]
    assert disk["DeviceName"] == "/dev/xvda"
    assert disk["Ebs"] == {"VolumeSize": 30, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schedules": {"night": {"recurrence": "0 1 * *", "min": 1}}}, ("schedules.night.recurrence", "five fields")),
        ({"schedules": {"night": {"recurrence": "0 1 * * *"}}}, ("schedules.night", "no size")),
        ({"schedules": {"night": {"recurrence": "0 1 * * *", "min": 3, "max": 2}}}, ("schedules.night", "exceed")),
        ({"schedules": {"night": {"recurrence": "0 1 * * *", "mni": 3}}}, ("schedules.night", "mni")),
        ({"termination_hook": {"timeout_seconds": 10}}, ("termination_hook.timeout_seconds is 10", "30 to 7200")),
        (
            {
                "warm_pool": {"state": "Stopped"},
                "mixed_instances": {"instance_types": ["c6i.large"], "on_demand_percent": 50},
            },
            ("warm_pool", "Spot"),
        ),
        ({"mixed_instances": {"instance_types": ["c6i.large"], "on_demand_percent": 101}}, ("is 101", "0 to 100")),
        ({"mixed_instances": {"instance_types": ["c6i.large", "c7g.large"]}}, ("c7g.large", "arm64", "x86_64")),
        ({"mixed_instances": {"instance_types": ["c99.large"]}}, ("c99.large", "does not know")),
    ],
)
def test_impossible_surroundings_are_refused(
    fleet: dict[str, Any], change: dict[str, Any], words: tuple[str, ...]
) -> None:
    contract.refuse(module, {**fleet, **change}, *words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"instance_type": "c7g.large"}, ("c7g.large runs arm64", "built for x86_64", "bake an image")),
        ({"image_id": "ami-0badc0ffee0badc0f"}, ("launch_template.image_id", "ami-0badc0ffee0badc0f", "no such image")),
        ({"metadata": {"http_tokens": "optional"}}, ("HttpTokens", "imdsv1")),
        ({"root_volume": {"encrypted": False}}, ("Encrypted", "unencrypted")),
        ({"user_data": "password = 'hunter22'"}, ("UserData", "secret-in-user-data")),
    ],
)
def test_what_no_node_shall_be_is_refused(
    fleet: dict[str, Any], change: dict[str, Any], words: tuple[str, ...]
) -> None:
    contract.refuse(module, with_template(fleet, **change), *words)
    outcome = contract.run(module, with_template(fleet, **change), check=True)
    assert outcome.failed, "check mode is silent about it"


def test_an_arm_image_runs_on_arm(fleet: dict[str, Any]) -> None:
    images = boto3.client("ec2").describe_images(Filters=[{"Name": "architecture", "Values": ["arm64"]}])["Images"]
    contract.succeed(module, with_template(fleet, image_id=images[0]["ImageId"], instance_type="c7g.large"))


TEXT = st.text(min_size=1, max_size=8)
WANTED = st.fixed_dictionaries(
    {
        "image_id": TEXT,
        "instance_type": TEXT,
        "key_name": st.none() | TEXT,
        "instance_profile": st.none() | st.just("web"),
        "security_group_ids": st.lists(TEXT, max_size=3),
        "user_data": st.none() | TEXT,
        "public_ip": st.none() | st.booleans(),
        "metadata": st.fixed_dictionaries(
            {
                "http_tokens": st.sampled_from(["required", "optional"]),
                "hop_limit": st.integers(1, 3),
                "instance_tags": st.booleans(),
            }
        ),
        "monitoring": st.none() | st.booleans(),
        "root_volume": st.none()
        | st.fixed_dictionaries({"device_name": TEXT, "size": st.integers(1, 9), "encrypted": st.booleans()}),
        "cpu_credits": st.none() | st.just("standard"),
    }
)


@given(WANTED, st.none() | st.dictionaries(TEXT, TEXT, max_size=2))
def test_what_is_sent_reads_back_as_wanted(given_template: dict[str, Any], tags: dict[str, str] | None) -> None:
    want = _launch_template.wanted(given_template, tags)
    base = {"EbsOptimized": True, "ImageId": "old"}
    sent = _launch_template.sent(want, base)
    assert _launch_template.matches(_launch_template.reported(sent), want)
    assert sent["EbsOptimized"] is True


def test_binary_user_data_stays_as_it_is() -> None:
    packed = base64.b64encode(b"\x1f\x8b\xff").decode()
    assert _launch_template.decoded(packed) == packed
    assert _launch_template.decoded(None) is None
