# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writing what is wanted into a copy of the wire configuration: only what differs is touched, so that the rest survives."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from . import current
from .model import (
    BLOCK,
    BLOCKS,
    DISTRIBUTION,
    NEW_BLOCKS,
    NEW_DISTRIBUTION,
    ORDERED,
    ORIGIN_TYPE,
    RECORD,
    RECORDS,
    RESOURCES,
    SCALAR,
    SEQUENCE,
    SET,
    Field,
    Normal,
    Refusal,
    Wire,
    block_of,
    items,
    listed,
)

NEWEST_TLS = "TLSv1.2_2021"
#: What only a certificate of another kind, or none, has; AWS returns the last two beside the ones that replaced them.
OTHER_CERTIFICATES = ("CloudFrontDefaultCertificate", "IAMCertificateId", "Certificate", "CertificateSource")


def rendered(config: Wire | None, wanted: Normal, caller_reference: str = "") -> Wire:
    """Return the configuration with what is wanted written into it; without one, a new one is begun.

    ``wanted["behaviors"]`` is the complete ordered list. :raises Refusal: for what a new record lacks or cannot have.
    """
    if config is None:
        _require(wanted, ("origins", "default_behavior"), "", "a new distribution")
        result = {"CallerReference": caller_reference, **copy.deepcopy(NEW_DISTRIBUTION)}
    else:
        result = copy.deepcopy(config)
    _patch(result, wanted, DISTRIBUTION, "")
    _tidy_certificate(result, wanted, config or {})
    return result


def _require(wanted: Mapping[str, Any], options: Collection[str], where: str, what: str) -> None:
    for option in options:
        if not wanted.get(option):
            raise Refusal(f"{where}{option} is not set: {what} needs it. Set it.")


def _patch(record: Wire, wanted: Mapping[str, Any], fields: Sequence[Field], where: str) -> set[str]:
    """Write the wanted fields into a record and return the options that differed."""
    differing = set()
    for field in fields:
        if field.option not in wanted:
            continue
        path = f"{where}{field.option}"
        if field.only and block_of(record) not in field.only:
            raise Refusal(
                f"{path} is {wanted[field.option]!r}, which an origin of type {block_of(record)} does not have: "
                f"leave it out, or set {where}type to {' or '.join(field.only)}."
            )
        if current.value(record, field) != wanted[field.option]:
            differing.add(field.option)
            _WRITERS[field.kind](record, field, wanted[field.option], path)
    return differing


def _parent(record: Wire, field: Field) -> tuple[Wire, str]:
    """Return the structure that holds a field, made where it is missing, and the name in it."""
    found = record
    for step in field.steps[:-1]:
        found = found.setdefault(BLOCKS[block_of(record)] if step == BLOCK else step, {})
    return found, field.steps[-1]


def _store(holder: Wire, name: str, values: Sequence[Any], flag: str = "") -> None:
    """Put items into a Quantity-and-Items structure and leave alone what else is in it, and equal items."""
    node = holder.setdefault(name, {"Quantity": 0})
    if items(node) != list(values):
        node.pop("Items", None)
        node.update(listed(values))
    if flag:
        node[flag] = bool(values)


def _scalar(record: Wire, field: Field, value: Any, _path: str) -> None:
    holder, name = _parent(record, field)
    if field.blank and not value:
        holder.pop(name, None)
    else:
        holder[name] = str(value) if field.as_text else value


def _set(record: Wire, field: Field, value: Sequence[Any], _path: str) -> None:
    if not field.steps:  # the record itself has the items
        _store({"": record}, "", value)
        return
    holder, name = _parent(record, field)
    _store(holder, name, value, field.flag)


def _ordered(record: Wire, field: Field, value: Sequence[Any], _path: str) -> None:
    holder, name = _parent(record, field)
    known = {item[field.item]: item for item in items(holder.get(name))}
    _store(holder, name, [known.get(each, {field.item: each}) for each in value])


def _nested(record: Wire, field: Field, value: Normal, path: str) -> None:
    holder, name = _parent(record, field)
    fresh = name not in holder
    node = holder.setdefault(name, copy.deepcopy(dict(field.new)))
    _written(node, value, field, path, fresh)


def _records(record: Wire, field: Field, value: Mapping[Any, Normal], path: str) -> None:
    holder, name = _parent(record, field)
    present = items(holder.get(name))
    kept = [item for item in present if current.value(item, field.key) in value]
    known = {current.value(item, field.key) for item in kept}
    added: list[Wire] = [{} for key in value if key not in known]
    for item, key in zip(added, (key for key in value if key not in known), strict=True):
        _begin(item, field, key)
    for item in [*kept, *added]:
        key = current.value(item, field.key)
        _written(item, value[key], field, f"{path}[{key}]", key not in known)
    _store(holder, name, [*kept, *added])


def _sequence(record: Wire, field: Field, value: Sequence[Normal], path: str) -> None:
    holder, name = _parent(record, field)
    known = {current.value(item, field.key): item for item in items(holder.get(name))}
    result = []
    for entry in value:
        key = entry[field.key.option]
        item = known.get(key, {})
        if not item:
            _begin(item, field, key)
        _written(item, entry, field, f"{path}[{key}]", key not in known)
        result.append(item)
    _store(holder, name, result)


def _begin(item: Wire, field: Field, key: Any) -> None:
    """Start a new entry of a list: its identifier and what AWS requires."""
    _scalar(item, field.key, key, "")
    item.update(copy.deepcopy(dict(field.new)))


def _written(node: Wire, value: Normal, field: Field, path: str, fresh: bool) -> None:
    """Write one structure's fields, and then what follows from them."""
    if fresh:
        inherent = [each.option for each in field.fields if each.required and each is not field.key]
        first = [field.key.option] if field.kind == RECORD and field.key.required else []
        _require(
            value, [*first, *inherent], f"{path}.", f"a new {RESOURCES.get(field.option, 'entry').replace('_', ' ')}"
        )
    if field.option == "origins" and fresh:
        _origin_type(node, field, value.get("type") or _likely_type(value), path)
    differing = _patch(node, value, field.fields, f"{path}.")
    if tidy := _TIDY.get(field.option):
        tidy(node, value, differing, f"{path}.")


def _likely_type(origin: Normal) -> str:
    """Tell the type of a new origin that does not say: an S3 bucket's endpoint (never a website's) is one."""
    host = origin["domain_name"]
    if "vpc_origin" in origin:
        return "vpc"
    return "s3" if ".s3." in host and ".amazonaws.com" in host else "custom"


def _origin_type(record: Wire, _field: Field, value: str, _path: str) -> None:
    for block in BLOCKS.values():
        record.pop(block, None)
    record[BLOCKS[value]] = copy.deepcopy(NEW_BLOCKS[value])


def _tidy_origin(origin: Wire, value: Normal, differing: set[str], where: str) -> None:
    if "VpcOriginConfig" in origin:
        _require({"vpc_origin": origin["VpcOriginConfig"].get("VpcOriginId")}, ("vpc_origin",), where, "type vpc")
    if "origin_shield_region" in differing:
        region = value["origin_shield_region"]
        shield = {key: kept for key, kept in (origin.get("OriginShield") or {}).items() if key != "OriginShieldRegion"}
        origin["OriginShield"] = {
            **shield,
            "Enabled": bool(region),
            **({"OriginShieldRegion": region} if region else {}),
        }


def _tidy_behavior(behavior: Wire, value: Normal, differing: set[str], where: str) -> None:
    """Keep policies and the legacy settings apart: CloudFront refuses a behavior with both."""
    if "cache_policy" in differing and value["cache_policy"]:
        for name in ("ForwardedValues", "MinTTL", "DefaultTTL", "MaxTTL"):
            behavior.pop(name, None)
    if "forwarded_values" in value:
        behavior.pop("CachePolicyId", None)
        behavior.pop("OriginRequestPolicyId", None)
        for name, seconds in (("MinTTL", 0), ("DefaultTTL", 86400), ("MaxTTL", 31536000)):
            behavior.setdefault(name, seconds)
    if "CachePolicyId" in behavior:
        for option in ("min_ttl", "default_ttl", "max_ttl", "forwarded_values"):
            if option in value:
                raise Refusal(
                    f"{where}{option} is {value[option]!r}, but the behavior has a cache policy: set the times there, "
                    "or give forwarded_values instead of a policy."
                )
    elif "ForwardedValues" not in behavior:
        raise Refusal(f"{where}cache_policy is not set: a behavior needs it (or the legacy forwarded_values). Set it.")


def _tidy_forwarded_values(values: Wire, value: Normal, _differing: set[str], where: str) -> None:
    cookies = values.get("Cookies") or {}
    if cookies.get("Forward") != "whitelist":
        if value.get("cookie_names"):
            raise Refusal(
                f"{where}cookie_names is {value['cookie_names']!r} with {where}cookies {cookies.get('Forward')!r}: "
                "names need the value whitelist."
            )
        cookies.pop("WhitelistedNames", None)


def _tidy_logging(logging: Wire, value: Normal, differing: set[str], where: str) -> None:
    if "bucket" in differing:
        logging["Enabled"] = bool(value["bucket"])
    if not logging.get("Bucket"):
        for option in ("prefix", "include_cookies"):
            if value.get(option):
                raise Refusal(
                    f"{where}{option} is {value[option]!r} without a bucket: set {where}bucket, or leave it out."
                )
        if "bucket" in differing:
            logging.update(Prefix="", IncludeCookies=False)


def _tidy_geo_restriction(restriction: Wire, value: Normal, differing: set[str], where: str) -> None:
    if restriction.get("RestrictionType") == "none":
        if value.get("locations"):
            raise Refusal(
                f"{where}locations is {value['locations']!r} with {where}type none: give a type, or no locations."
            )
        if "type" in differing:
            _store({"": restriction}, "", [])
    else:
        _require({"locations": items(restriction)}, ("locations",), where, "a restriction")


def _tidy_error_response(response: Wire, value: Normal, differing: set[str], where: str) -> None:
    if "response_page_path" in differing and not value["response_page_path"]:
        response["ResponseCode"] = ""
    if bool(response.get("ResponsePagePath")) != bool(response.get("ResponseCode")):
        lacking = "response_code" if response.get("ResponsePagePath") else "response_page_path"
        raise Refusal(f"{where}{lacking} is not set: a page and the code it is sent with go together. Set both.")


def _tidy_certificate(config: Wire, wanted: Normal, before: Wire) -> None:
    """Make one certificate of the distribution's: AWS refuses two kinds, and a protocol version without one."""
    certificate = config.setdefault("ViewerCertificate", {})
    had = (before.get("ViewerCertificate") or {}).get("ACMCertificateArn")
    if wanted.get("certificate_arn") and wanted["certificate_arn"] != had:
        if certificate.get("CloudFrontDefaultCertificate") or "SSLSupportMethod" not in certificate:
            # AWS reports "vip" beside its own certificate; sent with another one, that orders dedicated addresses.
            certificate["SSLSupportMethod"] = "sni-only"
            certificate["MinimumProtocolVersion"] = wanted.get("minimum_protocol_version") or NEWEST_TLS
        for name in OTHER_CERTIFICATES:
            certificate.pop(name, None)
    elif wanted.get("certificate_arn") == "" and not certificate.get("CloudFrontDefaultCertificate"):
        config["ViewerCertificate"] = certificate = {"CloudFrontDefaultCertificate": True}
    if "minimum_protocol_version" in wanted and certificate.get("CloudFrontDefaultCertificate"):
        raise Refusal(
            f"minimum_protocol_version is {wanted['minimum_protocol_version']!r} without certificate_arn: CloudFront's own "
            "certificate always takes TLSv1. Set certificate_arn, or leave the version out."
        )


_WRITERS: dict[str, Callable[[Wire, Field, Any, str], None]] = {
    SCALAR: _scalar,
    SET: _set,
    ORDERED: _ordered,
    RECORD: _nested,
    RECORDS: _records,
    SEQUENCE: _sequence,
    ORIGIN_TYPE: _origin_type,
}
_TIDY: dict[str, Callable[[Wire, Normal, set[str], str], None]] = {
    "origins": _tidy_origin,
    "default_behavior": _tidy_behavior,
    "behaviors": _tidy_behavior,
    "forwarded_values": _tidy_forwarded_values,
    "logging": _tidy_logging,
    "geo_restriction": _tidy_geo_restriction,
    "custom_error_responses": _tidy_error_response,
}
