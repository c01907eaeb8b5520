# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role bastion alone (R32): a group of one, in public subnets, with an address and nothing an attacker would like."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Account, Foreign
from .lifecycle import Role


@pytest.fixture(scope="module")
def role(account: Account, foreign: Foreign) -> Role:
    ec2 = account.emulator.client("ec2")
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-13-arm64-*"]}])["Images"][0]["ImageId"]
    return Role(
        account,
        "bastion",
        bastion_name="shop-bastion",
        bastion_tags={"wordpress_ha:stack": "shop", "wordpress_ha:role": "bastion"},
        bastion_image_id=image,
        bastion_subnet_ids=foreign.public,
        bastion_security_group_ids=[foreign.groups["bastion"]],
    )


def template(account: Account, version: str = "$Latest") -> dict[str, Any]:
    versions = account.emulator.client("ec2").describe_launch_template_versions(
        LaunchTemplateName="shop-bastion", Versions=[version]
    )
    return dict(versions["LaunchTemplateVersions"][0]["LaunchTemplateData"])


def members(account: Account) -> set[str]:
    """Return the instances that are in service."""
    group = account.emulator.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
    return {one["InstanceId"] for one in group["Instances"] if one["LifecycleState"] == "InService"}


def test_it_is_made(role: Role, account: Account, foreign: Foreign, prove: Any) -> None:
    told = role.create()
    group = account.emulator.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]) == (1, 1, 1)
    assert set(group["VPCZoneIdentifier"].split(",")) == set(foreign.public)
    data = template(account)
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert all(one["Ebs"]["Encrypted"] for one in data["BlockDeviceMappings"])
    (interface,) = data["NetworkInterfaces"]
    assert interface["AssociatePublicIpAddress"] is True and interface["Groups"] == [foreign.groups["bastion"]]
    assert "SecurityGroupIds" not in data and told.result["instance_profile"] == "shop-bastion"
    prove(f"a bastion in {len(told.writes)} writing calls, foretold by check mode")


def test_it_may_hold_sessions_and_nothing_else(account: Account) -> None:
    iam = account.emulator.client("iam")
    assert iam.list_attached_role_policies(RoleName="shop-bastion")["AttachedPolicies"] == []
    document = iam.get_role_policy(RoleName="shop-bastion", PolicyName="session")["PolicyDocument"]
    actions = {action for one in document["Statement"] for action in _listed(one["Action"])}
    assert {action.split(":")[0] for action in actions} == {"ssm", "ssmmessages"} and len(actions) == 5


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_a_new_setting_replaces_the_instance(role: Role, account: Account) -> None:
    account.emulator.client("ec2").create_key_pair(KeyName="admins")
    before = members(account)
    told = role.modify(
        bastion_instance_type="t4g.small",
        bastion_key_name="admins",
        bastion_user_data="#cloud-config\npackage_update: true\n",
        bastion_tags={"wordpress_ha:stack": "shop", "wordpress_ha:role": "bastion", "owner": "me"},
    )
    assert template(account)["InstanceType"] == "t4g.small" and template(account)["KeyName"] == "admins"
    assert told.result["launch_template_version"] == 2
    assert len(members(account)) == 1 and members(account) != before


def test_its_address_can_be_found(role: Role, account: Account) -> None:
    result = role.play("address").result
    assert set(result["instance_ids"]) == members(account) and len(result["public_ips"]) == 1


def test_a_bastion_whose_visitors_nobody_named_is_refused(role: Role) -> None:
    role.refuse("bastion_security_group_ids is empty", "network_bastion_cidrs", bastion_security_group_ids=[])


def test_it_can_be_removed(role: Role) -> None:
    role.absent("^ec2:key_pairs:admins")
