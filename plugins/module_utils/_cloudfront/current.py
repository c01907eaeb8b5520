# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the wire shape to the normal form: options by name, sets sorted, records by their identifying field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .model import (
    BLOCK,
    BLOCKS,
    DISTRIBUTION,
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
    Wire,
    block_of,
    items,
    pattern,
)

MASK = "********"


def node(record: Wire, steps: Sequence[str]) -> Any:
    """Return what a wire path leads to, or None."""
    found: Any = record
    for step in steps:
        name = BLOCKS[block_of(record)] if step == BLOCK else step
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    return found


def value(record: Wire, field: Field) -> Any:
    """Return a field of a record in normal form; None where the record has no such field."""
    if field.only and block_of(record) not in field.only:
        return None
    if field.option in _PECULIAR:
        return _PECULIAR[field.option](record)
    return _READERS[field.kind](node(record, field.steps), field)


def _scalar(found: Any, field: Field) -> Any:
    if field.as_text:
        return int(found) if str(found or "").isdigit() else None
    return field.default if found is None else found


def _set(found: Any, field: Field) -> list[Any]:
    return sorted(field.default or () if found is None else items(found))


def _ordered(found: Any, field: Field) -> list[Any]:
    return [item[field.item] for item in items(found)]


def _record(found: Any, field: Field) -> Normal | None:
    return None if found is None else normal(found, field.fields)


def _records(found: Any, field: Field) -> dict[Any, Normal]:
    return {value(item, field.key): normal(item, field.fields[1:]) for item in items(found)}


def _sequence(found: Any, field: Field) -> list[Normal]:
    return [normal(item, field.fields) for item in items(found)]


def _shield_region(origin: Wire) -> str:
    shield = origin.get("OriginShield") or {}
    return str(shield.get("OriginShieldRegion", "")) if shield.get("Enabled") else ""


def _certificate(config: Wire) -> str:
    """Return the certificate's ARN; one of IAM's is shown by its id, so that its replacement is seen."""
    certificate = config.get("ViewerCertificate") or {}
    return str(certificate.get("ACMCertificateArn") or certificate.get("IAMCertificateId") or "")


_PECULIAR: dict[str, Callable[[Wire], Any]] = {
    "origin_shield_region": _shield_region,
    "certificate_arn": _certificate,
    "aliases": lambda config: sorted(alias.lower() for alias in items(config.get("Aliases"))),
    "path_pattern": lambda behavior: pattern(behavior["PathPattern"]),
}
_READERS: dict[str, Callable[[Any, Field], Any]] = {
    SCALAR: _scalar,
    SET: _set,
    ORDERED: _ordered,
    RECORD: _record,
    RECORDS: _records,
    SEQUENCE: _sequence,
    ORIGIN_TYPE: lambda record, _field: block_of(record),
}


def normal(record: Wire, fields: Sequence[Field]) -> Normal:
    """Return the fields of a record in normal form."""
    return {field.option: value(record, field) for field in fields}


def options(record: Wire, fields: Sequence[Field] = DISTRIBUTION) -> dict[str, Any]:
    """Return a record as the options that would make it; the values of origins' custom headers are masked."""
    return {field.option: _as_option(field, value(record, field)) for field in fields}


def _as_option(field: Field, found: Any) -> Any:
    if found is None:
        return None
    if field.kind == RECORD:
        return {each.option: _as_option(each, found[each.option]) for each in field.fields}
    if field.kind == SEQUENCE:
        return [{each.option: _as_option(each, entry[each.option]) for each in field.fields} for entry in found]
    if field.kind == RECORDS:
        rest = field.fields[1:]
        return (
            [
                {field.key.option: key, **{each.option: _as_option(each, found[key][each.option]) for each in rest}}
                for key in sorted(found)
            ]
            if field.option != "custom_headers"
            else [{"name": name, "value": MASK} for name in sorted(found)]
        )
    return found


def tree(config: Wire | None, name: str) -> dict[str, Normal]:
    """Return a distribution as resources by key: itself, and each origin, behavior ... that stands for itself in a diff."""
    if config is None:
        return {}
    everything = normal(config, DISTRIBUTION)
    resources: dict[str, Normal] = {
        f"distribution/{name}": {key: found for key, found in everything.items() if key not in RESOURCES}
    }
    for option, kind in RESOURCES.items():
        found = everything[option]
        if option == "default_behavior":
            resources.update({kind: found} if found is not None else {})
        elif option == "behaviors":
            for entry in found:
                fields = {key: each for key, each in entry.items() if key != "path_pattern"}
                resources[f"{kind}/{entry['path_pattern']}"] = fields
            resources["order/behaviors"] = {"path_patterns": [entry["path_pattern"] for entry in found]}
        else:
            resources.update({f"{kind}/{key}": fields for key, fields in found.items()})
    return resources


def masked_wire(config: Any) -> Any:
    """Return a copy of any wire structure in which the values of custom headers, which serve as secrets, are masked."""
    if isinstance(config, dict):
        return {key: MASK if key == "HeaderValue" else masked_wire(found) for key, found in config.items()}
    if isinstance(config, list):
        return [masked_wire(item) for item in config]
    return config
