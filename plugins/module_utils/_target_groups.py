# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Target groups of a load balancer, and attributes of both: one normal form for what users write and what AWS reports. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ._owned import Refused

HEALTH_CHECK = {
    "path": "HealthCheckPath",
    "port": "HealthCheckPort",
    "protocol": "HealthCheckProtocol",
    "interval": "HealthCheckIntervalSeconds",
    "timeout": "HealthCheckTimeoutSeconds",
    "healthy": "HealthyThresholdCount",
    "unhealthy": "UnhealthyThresholdCount",
}
#: What of a health check can be wanted.
CHECKED = {*HEALTH_CHECK, "matcher"}
TARGET_GROUP_SPEC: dict[str, Any] = {
    "port": {"type": "int", "default": 80},
    "protocol": {"type": "str", "choices": ["HTTP", "HTTPS"], "default": "HTTP"},
    "target_type": {"type": "str", "choices": ["instance", "ip"], "default": "instance"},
    "health_check": {
        "type": "dict",
        "options": {
            "path": {"type": "str"},
            "port": {"type": "str"},
            "protocol": {"type": "str", "choices": ["HTTP", "HTTPS"]},
            "interval": {"type": "int"},
            "timeout": {"type": "int"},
            "healthy": {"type": "int", "aliases": ["healthy_threshold"]},
            "unhealthy": {"type": "int", "aliases": ["unhealthy_threshold"]},
            "matcher": {"type": "str"},
        },
    },
    "attributes": {"type": "dict"},
}


def attribute_values(attributes: Mapping[str, Any] | None) -> dict[str, str]:
    """Return attributes as AWS spells them: text, booleans in lower case, also those that a template made text."""
    texts = {name: str(value) for name, value in (attributes or {}).items()}
    return {name: text.lower() if text in ("True", "False") else text for name, text in texts.items()}


def attribute_list(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Return attributes in AWS's form."""
    return [{"Key": name, "Value": value} for name, value in sorted(values.items())]


def target_group_options(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Check the options of one target group as Ansible checks a module's, and fill in the defaults."""
    result = ArgumentSpecValidator(TARGET_GROUP_SPEC).validate(dict(given))
    if result.error_messages:
        raise Refused(f"target_groups.{name}: {'; '.join(result.error_messages)}")
    return dict(result.validated_parameters)


def health_check_fields(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return the health check of a described target group in this module's terms."""
    fields = {name: group.get(source) for name, source in HEALTH_CHECK.items()}
    return {**fields, "matcher": (group.get("Matcher") or {}).get("HttpCode")}


def health_check_arguments(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of CreateTargetGroup or ModifyTargetGroup for a health check."""
    arguments = {target: fields[name] for name, target in HEALTH_CHECK.items() if fields.get(name) is not None}
    if fields.get("matcher") is not None:
        arguments["Matcher"] = {"HttpCode": fields["matcher"]}
    return arguments
