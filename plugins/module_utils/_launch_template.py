# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Launch template data: one normal form for what users write and what AWS reports. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

from ._plan import Fields

PLAIN = {"image_id": "ImageId", "instance_type": "InstanceType", "key_name": "KeyName"}
METADATA = {
    "http_tokens": "HttpTokens",
    "hop_limit": "HttpPutResponseHopLimit",
    "instance_tags": "InstanceMetadataTags",
}
ROOT_VOLUME = {
    "size": "VolumeSize",
    "type": "VolumeType",
    "encrypted": "Encrypted",
    "throughput": "Throughput",
    "iops": "Iops",
    "kms_key_id": "KmsKeyId",
}
#: Root device of Debian's and Amazon's images, for one that does not say.
DEVICE = "/dev/xvda"
#: Fields of the normal form, all of which make a new version when they differ.
FIELDS = (
    *PLAIN,
    "instance_profile",
    "security_group_ids",
    "public_ip",
    "user_data",
    "metadata",
    "monitoring",
    "root_volume",
    "cpu_credits",
    "instance_tags",
)


def encoded(text: str) -> str:
    """Return user data as AWS keeps it."""
    return base64.b64encode(text.encode("utf-8")).decode("ascii")


def decoded(data: str | None) -> str | None:
    """Return user data as text, or as it is when it is no text (a compressed archive, say)."""
    try:
        return base64.b64decode(data, validate=True).decode("utf-8") if data else None
    except (binascii.Error, UnicodeDecodeError):
        return data


def reported(data: Mapping[str, Any]) -> Fields:
    """Return the normal form of a described version's data."""
    profile = data.get("IamInstanceProfile") or {}
    options = data.get("MetadataOptions") or {}
    metadata = {name: options.get(source) for name, source in METADATA.items()}
    metadata["instance_tags"] = metadata["instance_tags"] == "enabled"
    tags = {spec["ResourceType"]: spec.get("Tags", []) for spec in data.get("TagSpecifications") or []}
    interface: Mapping[str, Any] = next(iter(data.get("NetworkInterfaces") or []), {})
    return {
        **{name: data.get(source) for name, source in PLAIN.items()},
        "instance_profile": profile.get("Name") or str(profile.get("Arn", "")).rsplit("/", 1)[-1] or None,
        "security_group_ids": sorted(data.get("SecurityGroupIds") or interface.get("Groups") or []),
        "public_ip": interface.get("AssociatePublicIpAddress"),
        "user_data": decoded(data.get("UserData")),
        "metadata": metadata,
        "monitoring": bool((data.get("Monitoring") or {}).get("Enabled")),
        "root_volume": _root_volume(data.get("BlockDeviceMappings") or []),
        "cpu_credits": (data.get("CreditSpecification") or {}).get("CpuCredits"),
        "instance_tags": {tag["Key"]: tag["Value"] for tag in tags.get("instance", [])},
    }


def _root_volume(mappings: Iterable[Mapping[str, Any]]) -> Fields | None:
    for mapping in mappings:
        ebs = mapping.get("Ebs") or {}
        volume = {name: ebs[source] for name, source in ROOT_VOLUME.items() if ebs.get(source) is not None}
        return {"device_name": mapping.get("DeviceName"), **volume}
    return None


def wanted(given: Mapping[str, Any], tags: Mapping[str, str] | None) -> Fields:
    """Return the normal form of what a user wrote; what is None is left as it is."""
    profile = given["instance_profile"]
    volume = given["root_volume"]
    return {
        **{name: given[name] for name in PLAIN},
        "instance_profile": profile.rsplit("/", 1)[-1] if profile else None,
        "security_group_ids": sorted(given["security_group_ids"]),
        "public_ip": given["public_ip"],
        "user_data": given["user_data"],
        "metadata": dict(given["metadata"]),
        "monitoring": given["monitoring"],
        "root_volume": {name: value for name, value in volume.items() if value is not None} if volume else None,
        "cpu_credits": given["cpu_credits"],
        "instance_tags": dict(tags) if tags is not None else None,
    }


def matches(version: Fields, want: Fields) -> bool:
    """Tell whether a version is what is wanted; unset means any, also within the root volume."""
    volume = want.get("root_volume") or {}
    return all(
        version.get(name) == value for name, value in want.items() if value is not None and name != "root_volume"
    ) and ({**(version.get("root_volume") or {}), **volume} == (version.get("root_volume") or {}))


def sent(fields: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of a new version: the wanted fields over those of the base version, unknown ones kept."""
    given = {name: value for name, value in fields.items() if value is not None}
    data = {**base, **{target: given[name] for name, target in PLAIN.items() if name in given}}
    if "instance_profile" in given:
        data["IamInstanceProfile"] = {"Name": given["instance_profile"]}
    if "security_group_ids" in given:
        data["SecurityGroupIds"] = given["security_group_ids"]
    if "public_ip" in given:
        # AWS takes the address, and then the security groups too, with the interface only.
        known: list[str] = [
            group for one in (data.get("NetworkInterfaces") or [])[:1] for group in one.get("Groups", [])
        ]
        groups = data.pop("SecurityGroupIds", None) or known
        interface = {"DeviceIndex": 0, "AssociatePublicIpAddress": given["public_ip"], "Groups": groups}
        data["NetworkInterfaces"] = [interface]
    elif data.get("NetworkInterfaces") and "SecurityGroupIds" in data:
        data["NetworkInterfaces"] = [{**data["NetworkInterfaces"][0], "Groups": data.pop("SecurityGroupIds")}]
    if "user_data" in given:
        data["UserData"] = encoded(given["user_data"])
    if "metadata" in given:
        options = {target: given["metadata"][name] for name, target in METADATA.items()}
        options["InstanceMetadataTags"] = "enabled" if given["metadata"]["instance_tags"] else "disabled"
        data["MetadataOptions"] = {"HttpEndpoint": "enabled", **options}
    if "monitoring" in given:
        data["Monitoring"] = {"Enabled": given["monitoring"]}
    if "root_volume" in given:
        volume = given["root_volume"]
        ebs = {target: volume[name] for name, target in ROOT_VOLUME.items() if name in volume}
        data["BlockDeviceMappings"] = [
            {"DeviceName": volume.get("device_name") or DEVICE, "Ebs": {**ebs, "DeleteOnTermination": True}}
        ]
    if "cpu_credits" in given:
        data["CreditSpecification"] = {"CpuCredits": given["cpu_credits"]}
    if "instance_tags" in given:
        tags = [{"Key": key, "Value": value} for key, value in sorted(given["instance_tags"].items())]
        data["TagSpecifications"] = [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")]
    return data
