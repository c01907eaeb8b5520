# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The calls to CloudFront and its neighbours: finding a distribution, names for ids, and the secrets of origins' headers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .. import _aws, _plan
from . import managed
from .model import Wire, items
from .named import REGION, pages

#: Marks a distribution with the name by which this collection finds it again.
NAME_TAG = "wordpress_ha:distribution"
#: CloudFront's own hosted zone, for alias records; the same everywhere.
HOSTED_ZONE = "Z2FDTNDATAQYW2"
ID = re.compile(r"E[A-Z0-9]{9,20}")
POLICY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


#: In an answer: the settings that it held and botocore does not know, so that they cannot be sent back.
STRANGE = "SettingsUnknownToBotocore"
#: A new feature that is off comes to the same whether it is sent or not.
_OFF = ("", "false", "none", "0")


def watched(client: Any) -> Any:
    """Have a client tell what botocore's model drops from a configuration: the next update would silently remove it."""
    for operation in ("GetDistribution", "GetDistributionConfig"):
        client.meta.events.register(f"before-parse.cloudfront.{operation}", _watch, unique_id=f"{STRANGE}{operation}")
    return client


def _watch(
    operation_model: Any, response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_more: Any
) -> None:
    if response_dict["status_code"] != 200:
        return
    root = ElementTree.fromstring(response_dict["body"])
    shape = operation_model.service_model.shape_for("DistributionConfig")
    for element in [root, *root]:
        if _tag(element) == shape.name:
            customized_response_dict[STRANGE] = sorted(set(_strange(element, shape, "")))


def _strange(element: Any, shape: Any, where: str) -> Iterator[str]:
    if shape.type_name == "list":
        for child in element:
            yield from _strange(child, shape.member, where)
    elif shape.type_name == "structure":
        members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        for child in element:
            path = f"{where}.{_tag(child)}".lstrip(".")
            if _tag(child) in members:
                yield from _strange(child, members[_tag(child)], path)
            elif any((part.text or "").strip().lower() not in _OFF for part in child.iter()):
                yield path


def _tag(element: Any) -> str:
    return str(element.tag).rsplit("}", 1)[-1]


def read(client: Any, identifier: str) -> dict[str, Any] | None:
    """Return C(Distribution) and C(ETag) of a distribution; None if there is none of this id."""
    try:
        return dict(client.get_distribution(Id=identifier, aws_retry=True))
    except is_boto3_error_code("NoSuchDistribution"):
        return None


def read_config(client: Any, identifier: str) -> dict[str, Any] | None:
    """Return C(DistributionConfig) and C(ETag) of a distribution; None if there is none of this id."""
    try:
        return dict(client.get_distribution_config(Id=identifier, aws_retry=True))
    except is_boto3_error_code("NoSuchDistribution"):
        return None


def tags(client: Any, arn: str) -> dict[str, str]:
    """Return the tags of a distribution, in one call."""
    found = client.list_tags_for_resource(Resource=arn, aws_retry=True)
    return _aws.tags_to_dict(found["Tags"].get("Items"))


def named(tagging: Any, name: str) -> dict[str, dict[str, str]]:
    """Return the tags of the distributions that carry our name, by ARN. The answer may lag behind a change for seconds."""
    found: dict[str, dict[str, str]] = {}
    token = ""
    while True:
        page = tagging.get_resources(
            ResourceTypeFilters=["cloudfront:distribution"],
            TagFilters=[{"Key": NAME_TAG, "Values": [name]}],
            aws_retry=True,
            **({"PaginationToken": token} if token else {}),
        )
        for resource in page["ResourceTagMappingList"]:
            found[resource["ResourceARN"]] = _aws.tags_to_dict(resource.get("Tags"))
        token = page.get("PaginationToken", "")
        if not token:
            return found


def created(client: Any, caller_reference: str) -> str | None:
    """Return the id of the distribution that was created with a caller reference; one call for each there is.

    For the rare case that the answer to a creation was lost: the tag cannot be relied on so soon.
    """
    for summary in pages(client.list_distributions, "DistributionList"):
        found = read_config(client, summary["Id"])
        if found and found["DistributionConfig"]["CallerReference"] == caller_reference:
            return str(summary["Id"])
    return None


def identified(client: Any, tagging: Callable[[], Any], given: str) -> str | None:
    """Return the id for what a user calls a distribution: its id, ARN, an alias, its domain name, or our name; None if none.

    :param tagging: makes the client of the tagging API, which only names need.
    :raises Refused: several distributions answer to it.
    """
    if ID.fullmatch(given):
        return given
    if given.startswith("arn:"):
        return given.rsplit("/", 1)[-1]
    found = [arn.rsplit("/", 1)[-1] for arn in named(tagging(), given)]
    if not found and "." in given:
        found = [
            summary["Id"]
            for summary in pages(client.list_distributions, "DistributionList")
            if given.lower() in [summary["DomainName"], *(alias.lower() for alias in items(summary.get("Aliases")))]
        ]
    if len(found) > 1:
        raise _plan.Refused(
            f"distribution is {given!r}, which {', '.join(sorted(found))} all answer to: give the id of one of them."
        )
    return found[0] if found else None


class Names:
    """Turns names of policies, functions ... into ids, with one list call for each kind that is met by a name."""

    def __init__(self, module: AnsibleAWSModule, client: Any) -> None:
        self.module = module
        self.client = client
        self.listed: dict[str, dict[str, str]] = {}
        self.configs: dict[str, dict[str, Wire]] = {}
        self.missing: set[tuple[str, str]] = set()

    def resolve(self, kind: str, given: str, path: str) -> str:
        """Return the id for a name or id. In check mode a name nobody has yet is taken as one that is yet to be made."""
        if not _plan.is_known(given) or _is_id(kind, given):
            return given
        if kind in _POLICIES and (identifier := managed.id_of(kind, given)):
            return identifier
        if kind not in self.listed:
            self.listed[kind] = dict(_LISTINGS[kind](self))
        if given in self.listed[kind]:
            return self.listed[kind][given]
        what = kind.replace("_", " ")
        if self.module.check_mode:
            if (kind, given) not in self.missing:
                self.module.warn(f"The account has no {what} {given!r} yet ({path}).")
                self.missing.add((kind, given))
            return _plan.UNKNOWN
        raise _plan.Refused(
            f"{path} is {given!r}: the account has no {what} of this name. Create it first with "
            f"wordpress_ha.aws.cloudfront_{kind}, or give its id."
        )

    def known(self, kind: str, used: set[str]) -> dict[str, Wire] | None:
        """Return the wire configurations of policies by id, for the lint; None if some that are used are not known."""
        found = {**managed.configs(kind), **self.configs.get(kind, {})}
        return found if kind in self.configs or used <= set(found) else None

    def told(self, kind: str, identifier: Any) -> Any:
        """Return an id as a diff shows it: with the name, where that is known without a call."""
        listed = {found: name for name, found in self.listed.get(kind, {}).items()}
        name = managed.name_of(kind, identifier) or listed.get(identifier) if kind in _POLICIES else None
        return f"{name} ({identifier})" if name else identifier

    def _policies(self, kind: str) -> dict[str, str]:
        resource, listing, configuration = _POLICIES[kind]
        self.configs[kind] = {}
        result = {}
        for item in pages(getattr(self.client, listing), f"{resource}List", Type="custom"):
            found = item[resource]
            self.configs[kind][found["Id"]] = found[configuration]
            result[found[configuration]["Name"]] = found["Id"]
        return result

    def _access_controls(self) -> dict[str, str]:
        found = pages(self.client.list_origin_access_controls, "OriginAccessControlList")
        return {item["Name"]: item["Id"] for item in found}

    def _vpc_origins(self) -> dict[str, str]:
        return {item["Name"]: item["Id"] for item in pages(self.client.list_vpc_origins, "VpcOriginList")}

    def _functions(self) -> dict[str, str]:
        # Only what is published can be used by a behavior.
        found = pages(self.client.list_functions, "FunctionList", Stage="LIVE")
        return {item["Name"]: item["FunctionMetadata"]["FunctionARN"] for item in found}


_POLICIES = {
    "cache_policy": ("CachePolicy", "list_cache_policies", "CachePolicyConfig"),
    "origin_request_policy": ("OriginRequestPolicy", "list_origin_request_policies", "OriginRequestPolicyConfig"),
    "response_headers_policy": (
        "ResponseHeadersPolicy",
        "list_response_headers_policies",
        "ResponseHeadersPolicyConfig",
    ),
}
_LISTINGS: dict[str, Callable[[Names], Mapping[str, str]]] = {
    "cache_policy": lambda names: names._policies("cache_policy"),
    "origin_request_policy": lambda names: names._policies("origin_request_policy"),
    "response_headers_policy": lambda names: names._policies("response_headers_policy"),
    "origin_access_control": Names._access_controls,
    "vpc_origin": Names._vpc_origins,
    "function": Names._functions,
}


def _is_id(kind: str, given: str) -> bool:
    if kind == "function":
        return given.startswith("arn:")
    if kind == "vpc_origin":
        return given.startswith("vo_")
    return bool((ID if kind == "origin_access_control" else POLICY_ID).fullmatch(given))


def with_secrets(
    module: AnsibleAWSModule, client: Callable[[str | None], Any], origins: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return origins whose custom headers have their values, read with one call for each version of a secret.

    :param client: makes a client of Secrets Manager for a region; None for the module's own.
    :raises Refused: a header has neither or both, or the secret does not hold what is asked for.
    """
    read: dict[tuple[str, str], Any] = {}
    result = []
    for index, origin in enumerate(origins):
        headers = origin.get("custom_headers")
        if headers is None:
            result.append(dict(origin))
            continue
        values = []
        for position, header in enumerate(headers):
            where = f"origins[{index}].custom_headers[{position}]"
            value = _header_value(module, client, header, where, read)
            values.append({"name": header["name"], "value": value})
        result.append({**origin, "custom_headers": values})
    return result


def _header_value(
    module: AnsibleAWSModule,
    client: Callable[[str | None], Any],
    header: Mapping[str, Any],
    where: str,
    read: dict[tuple[str, str], Any],
) -> str:
    if (header.get("value") is None) == (header.get("secret_arn") is None):
        raise _plan.Refused(f"{where} needs value or secret_arn, and one of the two only.")
    if header.get("value") is not None:
        return str(header["value"])
    arn, key, stage = header["secret_arn"], header.get("secret_key"), header.get("version_stage") or "AWSCURRENT"
    if not _plan.is_known(arn):
        return _plan.UNKNOWN
    if (arn, stage) not in read:
        region = arn.split(":")[3] if arn.startswith("arn:") else None
        read[arn, stage] = _secret(client(region), arn, stage)
    text = read[arn, stage]
    if text is None and module.check_mode:
        module.warn(f"{where}.secret_arn is {arn!r}: there is no such secret yet, or it has no version {stage} yet.")
        return _plan.UNKNOWN
    if text is None:
        raise _plan.Refused(
            f"{where}.secret_arn is {arn!r}: there is no such secret, or it has no version {stage}. "
            "Create it first with wordpress_ha.aws.secretsmanager_generated."
        )
    if not key:
        value = text
    else:
        try:
            value = json.loads(text)[key]
        except (ValueError, KeyError, TypeError) as error:
            raise _plan.Refused(
                f"{where}.secret_key is {key!r}: the value of {arn} is no JSON object with this key. Name one it has."
            ) from error
    if not isinstance(value, str) or not value:
        raise _plan.Refused(f"{where}.secret_key is {key!r}: what {arn} holds there is no text. Name another key.")
    module.no_log_values.add(value)
    return value


def _secret(client: Any, arn: str, stage: str) -> str | None:
    try:
        return str(client.get_secret_value(SecretId=arn, VersionStage=stage, aws_retry=True).get("SecretString", ""))
    except is_boto3_error_code("ResourceNotFoundException"):
        return None


def certificate(client: Any, arn: str) -> dict[str, Any] | None:
    """Return what the lint wants to know of a certificate; None if this account may not see it."""
    try:
        found = client.describe_certificate(CertificateArn=arn, aws_retry=True)["Certificate"]
    except is_boto3_error_code(["ResourceNotFoundException", "AccessDeniedException", "ValidationException"]):
        return None
    names = {found["DomainName"], *found.get("SubjectAlternativeNames", [])}
    return {"domains": sorted(names), "status": found["Status"], "region": arn.split(":")[3]}


__all__ = ["HOSTED_ZONE", "ID", "NAME_TAG", "REGION", "Names", "certificate", "created", "identified", "named", "pages"]
