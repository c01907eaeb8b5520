# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root volumes as EC2 has them: a size that is not named is the image's, and what is encrypted stays so in images and their instances."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError


def base_image(ec2):
    return ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-13-amd64-*"]}])["Images"][0]


def launched(ec2, image_id, **options):
    return ec2.run_instances(ImageId=image_id, MinCount=1, MaxCount=1, InstanceType="c6i.large", **options)[
        "Instances"
    ][0]


def volume(ec2, instance):
    attached = [{"Name": "attachment.instance-id", "Values": [instance["InstanceId"]]}]
    return ec2.describe_volumes(Filters=attached)["Volumes"][0]


def test_an_encrypted_builder_makes_an_encrypted_image(instant):
    ec2 = instant.client("ec2")
    base = base_image(ec2)
    root = {"DeviceName": base["RootDeviceName"], "Ebs": {"Encrypted": True, "DeleteOnTermination": True}}
    builder = launched(ec2, base["ImageId"], BlockDeviceMappings=[root])
    disk = volume(ec2, builder)
    assert disk["Encrypted"] and disk["Size"] == base["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"]
    image = ec2.create_image(InstanceId=builder["InstanceId"], Name="of-an-encrypted-one")["ImageId"]
    (snapshot,) = [one for one in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] if image in one["Description"]]
    assert snapshot["Encrypted"]
    assert volume(ec2, launched(ec2, image))["Encrypted"]


def test_a_plain_builder_makes_a_plain_image(instant):
    ec2 = instant.client("ec2")
    builder = launched(ec2, base_image(ec2)["ImageId"])
    assert not volume(ec2, builder)["Encrypted"]
    image = ec2.create_image(InstanceId=builder["InstanceId"], Name="of-a-plain-one")["ImageId"]
    assert not volume(ec2, launched(ec2, image))["Encrypted"]


def test_another_volume_needs_a_size(instant):
    ec2 = instant.client("ec2")
    data = {"DeviceName": "/dev/sdb", "Ebs": {"Encrypted": True}}
    with pytest.raises(ClientError, match="size or snapshotId"):
        launched(ec2, base_image(ec2)["ImageId"], BlockDeviceMappings=[data])
