# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Log groups of CloudWatch Logs: how they are read, made and changed, for every module that keeps some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import _owned
from ._plan import Change, Fields, Refused

#: Days that CloudWatch Logs knows as retentions; 0 stands for ever.
RETENTIONS = (
    0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip


def check_retention(option: str, days: int) -> None:
    """Refuse a retention that CloudWatch Logs does not know, with the option's path."""
    if days not in RETENTIONS:
        known = ", ".join(map(str, RETENTIONS[1:]))
        raise Refused(f"{option} is {days}: CloudWatch Logs knows {known}, and 0 for ever.")


def read(api: Any, prefix: str) -> dict[str, Fields]:
    """Return the groups whose names begin with a prefix, by their names; one call, without tags."""
    return {
        one["logGroupName"]: {
            "arn": one["arn"].removesuffix(":*"),
            "retention_days": one.get("retentionInDays", 0),
            "kms_key_id": one.get("kmsKeyId", ""),
        }
        for one in _owned.listed(api, "describe_log_groups", "logGroups", logGroupNamePrefix=prefix)
    }


def tags(api: Any, arn: str) -> dict[str, str]:
    return dict(api.list_tags_for_resource(resourceArn=arn, aws_retry=True)["tags"])


def create(api: Any, name: str, wanted: Mapping[str, Any]) -> None:
    """Make a group as it is wanted; a run killed in between finds one that is kept for ever, and goes on."""
    options: dict[str, Any] = {"kmsKeyId": wanted["kms_key_id"]} if wanted.get("kms_key_id") else {}
    if wanted.get("tags"):
        options["tags"] = wanted["tags"]
    api.create_log_group(logGroupName=name, **options, aws_retry=True)
    if wanted["retention_days"]:
        _retain(api, name, wanted["retention_days"])


def update(api: Any, name: str, arn: str, change: Change) -> None:
    after = change.after
    if "retention_days" in after:
        _retain(api, name, after["retention_days"])
    if after.get("kms_key_id"):
        api.associate_kms_key(logGroupName=name, kmsKeyId=after["kms_key_id"], aws_retry=True)
    elif "kms_key_id" in after:
        api.disassociate_kms_key(logGroupName=name, aws_retry=True)
    if "tags" in after:
        added, removed = _owned.tag_changes(change.before["tags"], after["tags"])
        if removed:
            api.untag_resource(resourceArn=arn, tagKeys=removed, aws_retry=True)
        if added:
            api.tag_resource(resourceArn=arn, tags=added, aws_retry=True)


def _retain(api: Any, name: str, days: int) -> None:
    if days:
        api.put_retention_policy(logGroupName=name, retentionInDays=days, aws_retry=True)
    else:
        api.delete_retention_policy(logGroupName=name, aws_retry=True)
