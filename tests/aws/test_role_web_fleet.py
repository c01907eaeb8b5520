# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role web_fleet by itself: one story, told in this order."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Account, Foreign
from .lifecycle import Role

OWNED = {"wordpress_ha:stack": "shop", "wordpress_ha:role": "web"}


def debian(account: Account, architecture: str = "amd64") -> str:
    images = account.emulator.client("ec2").describe_images(
        Filters=[{"Name": "name", "Values": [f"debian-13-{architecture}-*"]}]
    )
    return str(images["Images"][0]["ImageId"])


def alarm(account: Account, name: str) -> None:
    watch = account.emulator.client("cloudwatch")
    watch.put_metric_alarm(
        AlarmName=name, MetricName="m", Namespace="n", Period=60, EvaluationPeriods=1, Threshold=1, Statistic="Sum",
        ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    watch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="test")


@pytest.fixture(scope="module")
def role(account: Account, foreign: Foreign) -> Role:
    elb = account.emulator.client("elbv2")
    arns = [
        elb.create_target_group(Name=name, Port=80, Protocol="HTTP", VpcId=foreign.vpc_id)["TargetGroups"][0][
            "TargetGroupArn"
        ]
        for name in ("shop-web", "shop-news")
    ]
    balancer = elb.create_load_balancer(Name="shop", Subnets=foreign.public)["LoadBalancers"][0]["LoadBalancerArn"]
    for port, arn in zip((80, 81), arns, strict=True):
        action = {"Type": "forward", "TargetGroupArn": arn}
        elb.create_listener(LoadBalancerArn=balancer, Port=port, Protocol="HTTP", DefaultActions=[action])
    account.emulator.client("iam").create_instance_profile(InstanceProfileName="shop-web")
    return Role(
        account,
        "web_fleet",
        web_fleet_name="shop-web",
        web_fleet_image_id=debian(account),
        web_fleet_instance_type="c6i.large",
        web_fleet_instance_profile="shop-web",
        web_fleet_subnet_ids=foreign.app[:2],
        web_fleet_security_group_ids=[foreign.groups["web"]],
        web_fleet_target_group_arns=arns[:1],
        web_fleet_tags=OWNED,
        web_fleet_healthy_timeout_seconds=15,
    )


def arns(account: Account) -> list[str]:
    groups = account.emulator.client("elbv2").describe_target_groups()["TargetGroups"]
    return sorted((one["TargetGroupArn"] for one in groups), reverse=True)


def group(account: Account) -> dict[str, Any]:
    found = account.emulator.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=["shop-web"])
    return dict(found["AutoScalingGroups"][0])


def template(account: Account, version: int) -> dict[str, Any]:
    found = account.emulator.client("ec2").describe_launch_template_versions(
        LaunchTemplateName="shop-web", Versions=[str(version)]
    )
    return dict(found["LaunchTemplateVersions"][0]["LaunchTemplateData"])


def test_a_mistake_is_refused_before_any_write(role: Role) -> None:
    """R33: an image runs on types of its own architecture alone."""
    role.refuse("m7g.large", "arm64", "built for x86_64", web_fleet_instance_types=["m7g.large"])


def test_it_is_made(role: Role, account: Account) -> None:
    made = role.create()
    assert len(made.result["instance_ids"]) == 2 and made.result["settled"] is True
    data = template(account, 1)
    assert data["MetadataOptions"]["HttpTokens"] == "required" and "KeyName" not in data
    (disk,) = data["BlockDeviceMappings"]
    assert disk["DeviceName"] == "/dev/xvda" and disk["Ebs"]["Encrypted"] is True
    assert len({one["AvailabilityZone"] for one in group(account)["Instances"]}) == 2


def test_scaling_can_change(role: Role, account: Account, foreign: Foreign) -> None:
    """R33, R38: sizes, zones, policies, schedules, hook and warm pool, without a node being replaced."""
    before = {one["InstanceId"] for one in group(account)["Instances"]}
    told = role.modify(
        web_fleet_subnet_ids=foreign.app,
        web_fleet_target_group_arns=arns(account),
        web_fleet_min=3,
        web_fleet_max=8,
        web_fleet_cpu_target_percent=60,
        web_fleet_requests_per_target=900,
        web_fleet_load_balancer_arn=account.emulator.client("elbv2").describe_load_balancers()["LoadBalancers"][0][
            "LoadBalancerArn"
        ],
        web_fleet_schedules={"night": {"recurrence": "0 22 * * *", "time_zone": "Europe/Berlin", "min": 1, "max": 4}},
        web_fleet_drain_seconds=300,
        web_fleet_warm_pool={"state": "Stopped", "min": 1, "max_prepared": 4},
        web_fleet_health_check_grace_seconds=120,
        web_fleet_warmup_seconds=30,
    )
    kinds = [one.split("/")[0] for one in told.resources]
    assert kinds == [
        "update group",
        "create hook",
        "create warm_pool",
        "update policy",
        "create policy",
        "create schedule",
    ]
    assert before < {one["InstanceId"] for one in group(account)["Instances"]}
    assert len(told.result["instance_ids"]) == 3
    warm = account.emulator.client("autoscaling").describe_warm_pool(AutoScalingGroupName="shop-web")["Instances"]
    assert [one["LifecycleState"] for one in warm] == ["Warmed:Stopped"]


def test_the_nodes_can_change(role: Role, account: Account) -> None:
    """R34, P43: a new version reaches the nodes by a refresh behind alarms, on several types and Spot."""
    before = {one["InstanceId"] for one in group(account)["Instances"]}
    change = {
        "web_fleet_image_id": debian(account, "arm64"),
        "web_fleet_instance_type": "c7g.large",
        "web_fleet_instance_types": ["m7g.large"],
        "web_fleet_spot": {"on_demand_base": 2, "on_demand_percent": 50},
        "web_fleet_warm_pool": None,
        "web_fleet_schedules": None,
        "web_fleet_requests_per_target": None,
        "web_fleet_root_volume_gib": 20,
        "web_fleet_user_data": "#cloud-config\n",
        "web_fleet_refresh_bake_seconds": 60,
        "web_fleet_refresh_alarms": ["shop-errors"],
        "web_fleet_refresh_min_healthy_percent": 90,
        "web_fleet_refresh_max_healthy_percent": 120,
        "web_fleet_tags": {**OWNED, "owner": "other"},
    }
    alarm(account, "shop-errors")
    told = role.modify(**change)
    after = group(account)
    assert len(told.result["instance_ids"]) == 3 and not before & set(told.result["instance_ids"])
    assert {one["InstanceType"] for one in after["Instances"]} == {"c7g.large"}
    policy = after["MixedInstancesPolicy"]
    assert [one["InstanceType"] for one in policy["LaunchTemplate"]["Overrides"]] == ["c7g.large", "m7g.large"]
    refreshed = account.emulator.client("autoscaling").describe_instance_refreshes(AutoScalingGroupName="shop-web")
    preferences = refreshed["InstanceRefreshes"][0]["Preferences"]
    assert preferences["BakeTime"] == 60 and preferences["AlarmSpecification"] == {"Alarms": ["shop-errors"]}


def test_it_can_be_removed(role: Role) -> None:
    told = role.absent("^cloudwatch:alarms:shop-errors")  # the test's own
    assert told.resources[-2:] == ["delete group/shop-web", "delete launch_template/shop-web"]
    assert "autoscaling:UpdateAutoScalingGroup" in told.writes
