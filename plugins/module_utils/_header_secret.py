# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of secret headers, read from Secrets Manager by the module that needs them, so that no play ever holds one (P45)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from . import _plan

#: A load balancer compares a header with patterns of at most this many characters.
LONGEST = 128
PATTERN = "*?"


def values(given: Iterable[Mapping[str, Any]], client: Any) -> dict[str, dict[str, str]]:
    """Return the values by header name in lower case and by stage, the earlier stage where two hold the same.

    :param given: the conditions, each with C(name), C(secret_arn), C(secret_key) and C(version_stages).
    :raises _plan.Refused: a secret lacks the first stage or the key, or holds what no header can be compared with.
    """
    found: dict[str, dict[str, str]] = {}
    sources: dict[str, tuple[str, str]] = {}
    for one in given:
        header, source = one["name"].lower(), (one["secret_arn"], one["secret_key"])
        if sources.setdefault(header, source) != source:
            raise _plan.Refused(
                f"http_header_secret names the header {one['name']} with two secrets, {sources[header][0]} and {source[0]}: "
                "use one secret for a header."
            )
        stages = one["version_stages"]
        if not stages:
            raise _plan.Refused(f"http_header_secret {one['name']} has no version_stages: name AWSCURRENT at least.")
        if not _plan.is_known(one["secret_arn"]):
            found[header] = {stages[0]: _plan.UNKNOWN}  # a secret of check mode: once made it has one version
            continue
        known = found.setdefault(header, {})
        for stage in stages:
            value = _value(client, one, stage, required=stage == stages[0])
            if value is not None and value not in known.values():
                known[stage] = value
    return found


def _value(client: Any, one: Mapping[str, Any], stage: str, required: bool) -> str | None:
    """Return the header's value in a stage, None where an optional stage does not have it."""
    arn, key = one["secret_arn"], one["secret_key"]
    where = f"http_header_secret {one['name']}: the secret {arn}"
    cure = "Make it with secretsmanager_generated, or correct secret_arn and secret_key."
    try:
        text = client.get_secret_value(SecretId=arn, VersionStage=stage, aws_retry=True).get("SecretString", "")
    except is_boto3_error_code("ResourceNotFoundException") as error:
        if required:
            raise _plan.Refused(f"{where} has no version {stage}. {cure}") from error
        return None
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    value = value.get(key) if isinstance(value, dict) else None
    if value is None and not required:
        return None
    if not isinstance(value, str) or not value:
        raise _plan.Refused(f"{where} has no text under the key {key} in its version {stage}. {cure}")
    if len(value) > LONGEST or any(character in value for character in PATTERN):
        raise _plan.Refused(
            f"{where} holds under the key {key} more than {LONGEST} characters, or one of {' '.join(PATTERN)}, which would match "
            "other values too. Use letters and digits."
        )
    return value
