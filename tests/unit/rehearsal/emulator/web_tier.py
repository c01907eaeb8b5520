# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small web tier to try the emulator on: a VPC, a load balancer and an Auto Scaling group."""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass
from typing import Any

from wordpress_ha_rehearsal.emulator.testing import Emulator

_numbers = itertools.count(1)


@dataclass
class Network:
    """A VPC with a subnet in each of two zones."""

    vpc: str
    subnets: list[str]
    group: str


def network(emulator: Emulator) -> Network:
    """Create a VPC; names do not repeat, so that tests can share an emulator."""
    ec2, number = emulator.client("ec2"), next(_numbers)
    vpc = ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{number}.{index}.0/24", AvailabilityZone=f"us-east-1{zone}")[
            "Subnet"
        ]
        for index, zone in enumerate("ab")
    ]
    group = ec2.create_security_group(GroupName=f"group-{number}", Description="test", VpcId=vpc)["GroupId"]
    return Network(vpc, [subnet["SubnetId"] for subnet in subnets], group)


class WebTier:
    """Load balancer, target group, launch template and Auto Scaling group, as the collection makes them."""

    def __init__(self, emulator: Emulator, grace: int = 60, **group: Any) -> None:
        self.emulator = emulator
        self.number = next(_numbers)
        self.name = f"web-{self.number}"
        self.ec2, self.scaling, self.balancing = map(emulator.client, ("ec2", "autoscaling", "elbv2"))
        self.network = network(emulator)
        self._balancer()
        self.template = self.ec2.create_launch_template(
            LaunchTemplateName=self.name, LaunchTemplateData=self.data("#1")
        )["LaunchTemplate"]["LaunchTemplateId"]
        self.scaling.create_auto_scaling_group(
            **{
                "AutoScalingGroupName": self.name,
                "MinSize": 2,
                "MaxSize": 4,
                "LaunchTemplate": {"LaunchTemplateId": self.template, "Version": "1"},
                "VPCZoneIdentifier": ",".join(self.network.subnets),
                "TargetGroupARNs": [self.target_group],
                "HealthCheckType": "ELB",
                "HealthCheckGracePeriod": grace,
                "DefaultInstanceWarmup": 10,
                "Tags": [{"Key": "Name", "Value": self.name, "PropagateAtLaunch": True}],
                **group,
            }
        )

    def _balancer(self) -> None:
        self.target_group = self.balancing.create_target_group(
            Name=self.name, Protocol="HTTP", Port=80, VpcId=self.network.vpc, HealthCheckPath="/healthz/ready"
        )["TargetGroups"][0]["TargetGroupArn"]
        self.balancing.modify_target_group_attributes(
            TargetGroupArn=self.target_group,
            Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "20"}],
        )
        self.balancer = self.balancing.create_load_balancer(Name=self.name, Subnets=self.network.subnets)[
            "LoadBalancers"
        ][0]
        self.balancing.create_listener(
            LoadBalancerArn=self.balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.target_group}],
        )

    def data(self, user_data: str) -> dict[str, Any]:
        """Return launch template data that differs by user data alone."""
        image = self.ec2.describe_images(
            Owners=["136693071363"], Filters=[{"Name": "architecture", "Values": ["x86_64"]}]
        )
        return {
            "ImageId": image["Images"][0]["ImageId"],
            "InstanceType": "t3.small",
            "SecurityGroupIds": [self.network.group],
            "UserData": base64.b64encode(user_data.encode()).decode(),
            "MetadataOptions": {
                "HttpTokens": "required",
                "HttpPutResponseHopLimit": 1,
                "InstanceMetadataTags": "enabled",
            },
            "TagSpecifications": [
                {"ResourceType": "instance", "Tags": [{"Key": "wordpress_ha:stack", "Value": "test"}]}
            ],
        }

    def new_version(self) -> str:
        """Add a launch template version and return its number."""
        made = self.ec2.create_launch_template_version(
            LaunchTemplateId=self.template, LaunchTemplateData=self.data("#2")
        )
        return str(made["LaunchTemplateVersion"]["VersionNumber"])

    def refresh(self, version: str, **preferences: Any) -> str:
        """Start an instance refresh to a version and return its id."""
        return self.scaling.start_instance_refresh(
            AutoScalingGroupName=self.name,
            DesiredConfiguration={"LaunchTemplate": {"LaunchTemplateId": self.template, "Version": version}},
            Preferences={
                "MinHealthyPercentage": 100,
                "MaxHealthyPercentage": 150,
                "InstanceWarmup": 10,
                "AutoRollback": True,
                "SkipMatching": True,
                **preferences,
            },
        )["InstanceRefreshId"]

    def refreshed(self) -> dict[str, Any]:
        """Return the latest refresh."""
        return self.scaling.describe_instance_refreshes(AutoScalingGroupName=self.name)["InstanceRefreshes"][0]

    def group(self) -> dict[str, Any]:
        """Return the described group."""
        return self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])["AutoScalingGroups"][0]

    def members(self, *states: str) -> dict[str, dict[str, Any]]:
        """Return the group's instances by id, in given lifecycle states or all."""
        return {
            one["InstanceId"]: one for one in self.group()["Instances"] if not states or one["LifecycleState"] in states
        }

    def versions(self) -> list[str]:
        """Return the launch template versions of the members that stay."""
        return sorted(one["LaunchTemplate"]["Version"] for one in self.members("Pending", "InService").values())

    def health(self) -> dict[str, str]:
        """Return the state of every target by instance id."""
        described = self.balancing.describe_target_health(TargetGroupArn=self.target_group)["TargetHealthDescriptions"]
        return {one["Target"]["Id"]: one["TargetHealth"]["State"] for one in described}

    def report(self, instances: dict[str, str] | None = None, **targets: str) -> None:
        """Report that all members run (or what is given) and the health of targets by id."""
        self.emulator.observed(
            instances=instances if instances is not None else dict.fromkeys(self.members(), "running"),
            targets=[
                {
                    "target_group_arn": self.target_group,
                    "id": name.replace("_", "-"),
                    "port": 80,
                    "state": state,
                    "reason": "test",
                }
                for name, state in targets.items()
            ],
        )

    def serve(self, **except_for: str) -> None:
        """Report everything running and healthy, except for targets given by id (with _ for -)."""
        self.report()
        health = {name.replace("-", "_"): "healthy" for name, state in self.health().items() if state != "draining"}
        self.report(**{**health, **except_for})

    def ready(self) -> None:
        """Lead the first members to serve, past grace period and warm-up."""
        self.serve()
        self.emulator.advance(100)
