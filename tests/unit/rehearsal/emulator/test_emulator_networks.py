# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The emulator refuses what AWS refuses about networks, and reports what AWS reports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from wordpress_ha_rehearsal.emulator.testing import Emulator, running


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with running("instant") as emulator:
        yield emulator


@pytest.fixture
def ec2(emulator: Emulator) -> Any:
    emulator.reset()
    return emulator.client("ec2")


@pytest.fixture
def vpc(ec2: Any) -> str:
    return str(ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])


@pytest.fixture
def subnets(ec2: Any, vpc: str) -> list[str]:
    return [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24")["Subnet"]["SubnetId"] for number in range(2)]


@pytest.fixture
def group(ec2: Any, vpc: str) -> str:
    return str(ec2.create_security_group(GroupName="one", Description="one", VpcId=vpc)["GroupId"])


def refused(code: str, call: Any, **arguments: Any) -> None:
    with pytest.raises(ClientError) as failure:
        call(**arguments)
    assert failure.value.response["Error"]["Code"] == code


def test_endpoint_services_are_found_by_name(ec2: Any) -> None:
    wanted = "com.amazonaws.us-east-1.ssm"
    asked = [{"Name": "service-name", "Values": [wanted, "com.amazonaws.us-east-1.nothing"]}]
    found = ec2.describe_vpc_endpoint_services(Filters=asked)["ServiceDetails"]
    assert {one["ServiceName"] for one in found} == {wanted}


def test_the_ipv6_range_of_a_subnet_has_a_state(ec2: Any, vpc: str, subnets: list[str]) -> None:
    ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    block = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    cidr = block.replace("/56", "/64")
    made = ec2.associate_subnet_cidr_block(SubnetId=subnets[0], Ipv6CidrBlock=cidr)["Ipv6CidrBlockAssociation"]

    def ranges() -> list[tuple[str, str]]:
        found = ec2.describe_subnets(SubnetIds=subnets[:1])["Subnets"][0]["Ipv6CidrBlockAssociationSet"]
        return [(one["Ipv6CidrBlock"], one["Ipv6CidrBlockState"]["State"]) for one in found]

    assert ranges() == [(cidr, "associated")]
    ec2.disassociate_subnet_cidr_block(AssociationId=made["AssociationId"])
    assert ranges() == []


def test_a_deleted_nat_gateway_frees_address_and_interface(ec2: Any, subnets: list[str]) -> None:
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = ec2.create_nat_gateway(SubnetId=subnets[0], AllocationId=address)["NatGateway"]["NatGatewayId"]
    assert "AssociationId" in ec2.describe_addresses(AllocationIds=[address])["Addresses"][0]
    ec2.delete_nat_gateway(NatGatewayId=gateway)
    assert "AssociationId" not in ec2.describe_addresses(AllocationIds=[address])["Addresses"][0]
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    ec2.release_address(AllocationId=address)


def test_an_endpoint_s_interfaces_follow_its_subnets_and_groups(
    ec2: Any, vpc: str, subnets: list[str], group: str
) -> None:
    endpoint = ec2.create_vpc_endpoint(
        VpcEndpointType="Interface",
        VpcId=vpc,
        ServiceName="com.amazonaws.us-east-1.ssm",
        SubnetIds=subnets[:1],
        SecurityGroupIds=[group],
    )["VpcEndpoint"]["VpcEndpointId"]

    def interfaces() -> dict[str, list[str]]:
        found = ec2.describe_network_interfaces()["NetworkInterfaces"]
        return {one["SubnetId"]: [item["GroupId"] for item in one["Groups"]] for one in found}

    assert interfaces() == {subnets[0]: [group]}
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddSubnetIds=subnets[1:], RemoveSubnetIds=subnets[:1])
    assert interfaces() == {subnets[1]: [group]}
    refused("DependencyViolation", ec2.delete_security_group, GroupId=group)
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    assert interfaces() == {}
    ec2.delete_security_group(GroupId=group)


def test_a_group_that_a_rule_names_is_kept(ec2: Any, vpc: str, group: str) -> None:
    other = ec2.create_security_group(GroupName="two", Description="two", VpcId=vpc)["GroupId"]
    pairs = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": group}]}]
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=pairs)
    refused("DependencyViolation", ec2.delete_security_group, GroupId=group)
    ec2.revoke_security_group_ingress(GroupId=other, IpPermissions=pairs)
    ec2.delete_security_group(GroupId=group)


@pytest.mark.parametrize("wanted", [True, False])
def test_a_template_decides_on_the_public_address(ec2: Any, subnets: list[str], group: str, wanted: bool) -> None:
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-13-amd64-*"]}])["Images"][0]["ImageId"]
    interface = {"DeviceIndex": 0, "AssociatePublicIpAddress": wanted, "Groups": [group]}
    data = {"ImageId": image, "InstanceType": "t3.micro", "NetworkInterfaces": [interface]}
    ec2.create_launch_template(LaunchTemplateName="t", LaunchTemplateData=data)
    made = ec2.run_instances(LaunchTemplate={"LaunchTemplateName": "t"}, SubnetId=subnets[0], MinCount=1, MaxCount=1)
    found = ec2.describe_instances(InstanceIds=[made["Instances"][0]["InstanceId"]])["Reservations"][0]["Instances"][0]
    assert bool(found.get("PublicIpAddress")) is wanted
    assert [one["GroupId"] for one in found["SecurityGroups"]] == [group]


def test_a_launch_template_reports_later_tags(ec2: Any) -> None:
    made = ec2.create_launch_template(LaunchTemplateName="t", LaunchTemplateData={"InstanceType": "t3.micro"})
    identity = made["LaunchTemplate"]["LaunchTemplateId"]
    ec2.create_tags(Resources=[identity], Tags=[{"Key": "owner", "Value": "me"}])
    assert ec2.describe_launch_templates()["LaunchTemplates"][0]["Tags"] == [{"Key": "owner", "Value": "me"}]
