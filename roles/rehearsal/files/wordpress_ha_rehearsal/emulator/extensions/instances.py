# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EC2 instances, launch templates and images."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from moto.ec2.exceptions import EC2ClientError, MissingParameterError
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.ec2.models.launch_templates import LaunchTemplateBackend, LaunchTemplateVersion
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.utils import parse_user_data

from . import extension
from .patching import Function, wrap

#: The account that publishes Debian's images, and the images of it there are: id, architecture, name.
DEBIAN_OWNER = "136693071363"
BASE_IMAGES = (
    ("ami-0d13000000000064a", "x86_64", "debian-13-amd64-20261109-2291"),
    ("ami-0d13000000000064b", "arm64", "debian-13-arm64-20261109-2291"),
)


@extension("ec2-pending", "instances are running the moment they are launched or started")
def _pending() -> None:
    @wrap(Instance, "__init__")
    def launched(original: Function, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self._state.name, self._state.code = "pending", 0

    @wrap(Instance, "start")
    def start(original: Function, self: Any) -> Any:
        was_running = self._state.name == "running"
        previous = original(self)
        if not was_running:
            self._state.name, self._state.code = "pending", 0
        return previous


@extension(
    "ec2-terminate", "the network interface of a terminated instance stays and keeps its subnet and groups in use"
)
def _terminate() -> None:
    @wrap(Instance, "terminate")
    def terminate(original: Function, self: Any) -> Any:
        created = [nic for nic in self.nics.values() if nic.description == "Primary network interface"]
        previous = original(self)
        for nic in created:
            self.ec2_backend.enis.pop(nic.id, None)
        return previous


@extension(
    "ec2-launch-template-attributes",
    "metadata options, instance profile and the groups of a template's network interface do not reach the instance",
)
def _template_attributes() -> None:
    @wrap(InstanceBackend, "run_instances")
    def run_instances(original: Function, self: Any, *args: Any, **kwargs: Any) -> Any:
        data = self._get_template_from_args(kwargs["launch_template"]).data if kwargs.get("launch_template") else {}
        kwargs["metadata_options"] = {**data.get("MetadataOptions", {}), **(kwargs.get("metadata_options") or {})}
        interfaces = data.get("NetworkInterfaces") or [{}]
        if not kwargs.get("security_group_ids") and interfaces[0].get("Groups"):
            kwargs["security_group_ids"] = list(interfaces[0]["Groups"])
        profile = data.get("IamInstanceProfile", {})
        given = kwargs.get("iam_instance_profile_name") or kwargs.get("iam_instance_profile_arn")
        reservation = original(self, *args, **kwargs)
        if profile and not given:
            for instance in reservation.instances:
                self.associate_iam_instance_profile(
                    instance_id=instance.id,
                    iam_instance_profile_name=profile.get("Name"),
                    iam_instance_profile_arn=profile.get("Arn"),
                )
        return reservation


@extension("ec2-launch-checks", "an unknown key pair and an image that is not available are accepted")
def _launch_checks() -> None:
    @wrap(InstanceBackend, "run_instances")
    def run_instances(original: Function, self: Any, image_id: str, *args: Any, **kwargs: Any) -> Any:
        data = self._get_template_from_args(kwargs["launch_template"]).data if kwargs.get("launch_template") else {}
        image_id = image_id or data.get("ImageId", "")
        image = self.amis.get(image_id)
        if image is not None and image.state != "available":
            raise EC2ClientError(
                "InvalidAMIID.Unavailable", f"The image ID '{image_id}' is not available: it is {image.state}"
            )
        key = kwargs.get("key_name") or data.get("KeyName")
        if key and not any(pair.key_name == key for pair in self.key_pairs.values()):
            raise EC2ClientError("InvalidKeyPair.NotFound", f"The key pair '{key}' does not exist")
        return original(self, image_id, *args, **kwargs)


@extension(
    "ec2-launch-template-versions",
    "user data of later versions stays unparsed, the template's own tags become instance data, lists end after 15",
)
def _template_versions() -> None:
    @wrap(LaunchTemplateVersion, "__init__")
    def create(original: Function, self: Any, template: Any, number: int, *args: Any) -> None:
        data, *description = args
        data = dict(data)
        if isinstance(data.get("UserData"), (str, bytes)):
            data["UserData"] = parse_user_data(data["UserData"])
        tags = [spec for spec in data.pop("TagSpecifications", None) or [] if spec["ResourceType"] != "launch-template"]
        if tags:
            data["TagSpecifications"] = tags
        given = {key: value for key, value in data.items() if value is not None}
        original(self, template, number, given, *description)

    @wrap(LaunchTemplateBackend, "describe_launch_template_versions")
    def describe(original: Function, self: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, *args, **{**kwargs, "max_results": 200})


@extension(
    "ec2-root-volume",
    "a root volume that names no size is refused, and an encrypted one leaves an image and instances of it in the clear",
)
def _root_volume() -> None:
    def validate(device_mapping: dict[str, Any]) -> None:
        if "Ebs" not in device_mapping and "NoDevice" not in device_mapping:
            raise MissingParameterError("ebs")

    InstanceResponse._validate_block_device_mapping = staticmethod(validate)  # type: ignore[method-assign]

    @wrap(Instance, "add_block_device")
    def add_block_device(
        original: Function,
        self: Any,
        size: int | None,
        device_path: str,
        snapshot_id: str | None,
        *args: Any,
        **more: Any,
    ) -> None:
        if not size and not snapshot_id:
            image = self.ec2_backend.amis.get(self.image_id)
            if image is None or device_path != self.root_device_name:
                raise MissingParameterError("size or snapshotId")
            size = image.ebs_snapshot.volume.size
        original(self, size, device_path, snapshot_id, *args, **more)

    @wrap(Instance, "setup_defaults")
    def setup_defaults(original: Function, self: Any) -> None:
        original(self)
        image = self.ec2_backend.amis.get(self.image_id)
        for device in self.block_device_mapping.values():
            volume = self.ec2_backend.volumes[device.volume_id]
            volume.encrypted = bool(image and image.ebs_snapshot.encrypted)

    @wrap(AmiBackend, "create_image")
    def create_image(original: Function, self: Any, instance_id: str, *args: Any, **kwargs: Any) -> Any:
        image = original(self, instance_id, *args, **kwargs)
        devices = self.get_instance(instance_id).block_device_mapping.values()
        image.ebs_snapshot.encrypted = any(self.volumes[device.volume_id].encrypted for device in devices)
        return image


@extension("ec2-base-images", "Debian's images are missing; moto's own list of images is not loaded")
def _base_images() -> None:
    @wrap(AmiBackend, "_load_amis")
    def load(_original: Function, self: Any) -> None:
        for image_id, architecture, name in BASE_IMAGES:
            self.amis[image_id] = Ami(
                self,
                image_id,
                name=name,
                description="Debian 13 (the rehearsal's own)",
                owner_id=DEBIAN_OWNER,
                owner_alias=None,
                public=True,
                virtualization_type="hvm",
                architecture=architecture,
                creation_date=datetime(2026, 11, 9, tzinfo=UTC),
                hypervisor="xen",
                root_device_type="ebs",
                root_device_name="/dev/xvda",
                image_location=f"amazon/{name}",
            )


@extension(
    "ec2-create-image", "an image is available at once, may repeat a name and cannot carry tags for its snapshot"
)
def _create_image() -> None:
    @wrap(AmiBackend, "create_image")
    def create_image(original: Function, self: Any, instance_id: str, name: str, *args: Any, **kwargs: Any) -> Any:
        tag_specifications = kwargs.pop("tag_specifications")
        for image in self.amis.values():
            if image.name == name and image.owner_id == self.account_id:
                raise EC2ClientError("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {image.id}")
        instance = self.get_instance(instance_id)
        if instance.state in ("terminated", "shutting-down", "pending"):
            raise EC2ClientError(
                "IncorrectState", f"Instance '{instance_id}' is not 'running' or 'stopped': it is {instance.state}"
            )
        of_image = [spec for spec in tag_specifications or [] if spec["ResourceType"] == "image"]
        image = original(self, instance_id, name, *args, tag_specifications=of_image)
        for spec in tag_specifications or []:
            if spec["ResourceType"] == "snapshot":
                image.ebs_snapshot.add_tags({tag["Key"]: tag["Value"] for tag in spec["Tags"]})
        image.state = "pending"
        image.root_device_name, image.root_device_type = instance.root_device_name, "ebs"
        image.hypervisor = "xen"
        return image
