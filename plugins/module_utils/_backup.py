# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backup plans as data: from a component's options to AWS Backup's documents and back, with what AWS would refuse. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ._plan import Refused

Document = dict[str, Any]

VAULT = re.compile(r"[A-Za-z0-9_-]{2,50}")
NAME = re.compile(r"[A-Za-z0-9_.-]{1,50}")
CRON = re.compile(r"cron\(([^ )]+ ){5}[^ )]+\)")
RATE = re.compile(r"rate\(([1-9]\d*) (hours?|days?)\)")
KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[\w-]+", re.ASCII)
#: What is in cold storage is paid for, and kept, this many days at least.
COLD_DAYS = 90
#: How far back a continuous backup reaches at most.
CONTINUOUS_DAYS = 35
LONGEST_DAYS = 36500

PLAN_SPEC: dict[str, Any] = {
    "enabled": {"type": "bool", "default": True},
    "schedule": {"type": "str", "required": True},
    "timezone": {"type": "str", "default": "Etc/UTC"},
    "start_window_minutes": {"type": "int", "default": 60},
    "completion_window_minutes": {"type": "int", "default": 720},
    "retention_days": {"type": "int", "required": True},
    "cold_after_days": {"type": "int"},
    "continuous": {"type": "bool", "default": False},
    "copy_region": {"type": "str"},
    "copy_retention_days": {"type": "int"},
    "copy_cold_after_days": {"type": "int"},
    "resources": {"type": "list", "elements": "str", "default": ["*"]},
    "selection_tags": {"type": "dict"},
}

#: The statement that keeps recovery points from being deleted by hand.
PROTECTION = "KeepRecoveryPoints"
PROTECTED = ["backup:DeleteRecoveryPoint", "backup:DisassociateRecoveryPoint", "backup:UpdateRecoveryPointLifecycle"]


def protection() -> Document:
    """Return the statement of a vault's policy that denies everybody to delete what is in it, or to shorten its time."""
    return {"Effect": "Deny", "Principal": "*", "Action": PROTECTED, "Resource": "*"}


# What AWS would refuse, or would do silently and not as meant


def check_plan(path: str, plan: Mapping[str, Any], region: str) -> None:
    """Refuse a plan that AWS would refuse, or whose jobs would never end well.

    :raises Refused: names the option, the value and the cure.
    """
    schedule = plan["schedule"]
    if not CRON.fullmatch(schedule) and not RATE.fullmatch(schedule):
        raise Refused(f"{path}.schedule is {schedule!r}: write it as EventBridge does, such as cron(0 2 * * ? *).")
    fields = schedule[5:-1].split() if schedule.startswith("cron") else []
    if fields and (fields[2] == "?") == (fields[4] == "?"):
        raise Refused(
            f"{path}.schedule is {schedule!r}: of the day of the month and the day of the week exactly one is a question mark."
        )
    if plan["start_window_minutes"] < 60:
        raise Refused(f"{path}.start_window_minutes is {plan['start_window_minutes']}: AWS needs 60 minutes at least.")
    if plan["completion_window_minutes"] < plan["start_window_minutes"] + 60:
        raise Refused(
            f"{path}.completion_window_minutes is {plan['completion_window_minutes']}: give at least an hour more than "
            f"start_window_minutes, which is {plan['start_window_minutes']}, or no job can end in time."
        )
    check_days(path, plan["retention_days"], plan["cold_after_days"], "")
    if plan["continuous"] and plan["retention_days"] > CONTINUOUS_DAYS:
        raise Refused(
            f"{path}.retention_days is {plan['retention_days']} and continuous is true: AWS keeps a continuous backup "
            f"{CONTINUOUS_DAYS} days at most."
        )
    if plan["copy_region"] == region:
        raise Refused(f"{path}.copy_region is {region!r}, the region of the vault: name another one, or none.")
    if plan["copy_region"]:
        check_days(path, copy_retention(plan), plan["copy_cold_after_days"], "copy_")
    elif plan["copy_retention_days"] is not None or plan["copy_cold_after_days"] is not None:
        raise Refused(
            f"{path}.copy_retention_days or copy_cold_after_days is given without copy_region: name the region."
        )
    if not plan["resources"]:
        raise Refused(f"{path}.resources is empty: give ARNs or patterns of them, or leave it out for all.")


def check_days(path: str, retention: int, cold: int | None, prefix: str) -> None:
    """Refuse times that do not fit together; ``prefix`` is that of the options' names (``copy_``)."""
    if not 1 <= retention <= LONGEST_DAYS:
        raise Refused(f"{path}.{prefix}retention_days is {retention}: give 1 to {LONGEST_DAYS} days.")
    if cold is not None and (cold < 1 or retention < cold + COLD_DAYS):
        raise Refused(
            f"{path}.{prefix}cold_after_days is {cold} and {prefix}retention_days is {retention}: what moves to cold storage stays there "
            f"{COLD_DAYS} days. Keep it {cold + COLD_DAYS} days at least, or leave cold storage out."
        )


def check_lock(lock: Mapping[str, Any] | None) -> None:
    """Refuse bounds that contradict each other."""
    if not lock:
        return
    least, most, change = lock["min_retention_days"], lock["max_retention_days"], lock["changeable_days"]
    for name, value in (("min_retention_days", least), ("max_retention_days", most)):
        if value is not None and not 1 <= value <= LONGEST_DAYS:
            raise Refused(f"lock.{name} is {value}: give 1 to {LONGEST_DAYS} days.")
    if least is not None and most is not None and least > most:
        raise Refused(
            f"lock.min_retention_days is {least} and lock.max_retention_days is {most}: nothing lies between."
        )
    if change is not None and change < 3:
        raise Refused(f"lock.changeable_days is {change}: AWS leaves three days at least to think better of it.")


def check_bounds(path: str, plan: Mapping[str, Any], lock: Mapping[str, Any] | None) -> None:
    """Refuse times outside a vault's lock: each of the plan's jobs would fail, at night and unseen."""
    given = {"retention_days": plan["retention_days"]}
    if plan["copy_region"]:
        given["copy_retention_days"] = copy_retention(plan)
    for name, days in given.items():
        least, most = (lock or {}).get("min_retention_days"), (lock or {}).get("max_retention_days")
        if (least is not None and days < least) or (most is not None and days > most):
            raise Refused(
                f"{path}.{name} is {days}, and the lock of the vault asks for {least or 1} to {most or LONGEST_DAYS} days: each of its "
                "backups would fail. Change one of the two."
            )


def check_removal(what: str, vault: Mapping[str, Any], delete_points: bool) -> None:
    """Refuse to remove a vault that is protected, or that holds recovery points which nobody said may go."""
    if vault.get("protected"):
        raise Refused(f"The {what} is protected (protect is true): run with state present and protect false first.")
    if vault["points"] and vault["lock"]:
        raise Refused(
            f"The {what} holds {vault['points']} recovery points, and its lock keeps them until their time is over. Wait for that, or remove "
            "the lock (state present, lock {}) while it can still be removed."
        )
    if vault["points"] and not delete_points:
        raise Refused(
            f"delete_recovery_points is false and the {what} holds {vault['points']} recovery points, which state absent would lose. "
            "Leave the vault, or set delete_recovery_points to true."
        )


def copy_retention(plan: Mapping[str, Any]) -> int:
    """Return how many days a copy is kept: as long as the original unless said otherwise."""
    return int(plan["retention_days"] if plan["copy_retention_days"] is None else plan["copy_retention_days"])


# Rules


def rule(component: str, plan: Mapping[str, Any], vault: str, tags: Mapping[str, str]) -> Document:
    """Return the one rule of a component's plan, in the shape that is compared; vaults of copies are ``<region>/<name>``."""
    copies = []
    if plan["copy_region"]:
        copies = [
            {
                "vault": f"{plan['copy_region']}/{vault}",
                "retention_days": copy_retention(plan),
                "cold_after_days": plan["copy_cold_after_days"],
            }
        ]
    same = (
        "schedule",
        "timezone",
        "start_window_minutes",
        "completion_window_minutes",
        "retention_days",
        "cold_after_days",
    )
    return {
        "name": component,
        "vault": vault,
        **{name: plan[name] for name in same},
        "continuous": plan["continuous"],
        "copies": copies,
        "tags": dict(tags),
    }


def rule_of(answer: Mapping[str, Any], account: str) -> Document:
    """Return a rule as AWS tells it in the same shape; ``account`` is the vault's own, whose number is left out of copies."""
    life = answer.get("Lifecycle", {})
    return {
        "name": answer["RuleName"],
        "vault": answer["TargetBackupVaultName"],
        "schedule": answer.get("ScheduleExpression"),
        "timezone": answer.get("ScheduleExpressionTimezone", "Etc/UTC"),
        "start_window_minutes": answer.get("StartWindowMinutes"),
        "completion_window_minutes": answer.get("CompletionWindowMinutes"),
        "retention_days": life.get("DeleteAfterDays"),
        "cold_after_days": life.get("MoveToColdStorageAfterDays"),
        "continuous": bool(answer.get("EnableContinuousBackup")),
        "copies": [_copy_of(copy, account) for copy in answer.get("CopyActions", [])],
        "tags": dict(answer.get("RecoveryPointTags") or {}),
    }


def _copy_of(answer: Mapping[str, Any], account: str) -> Document:
    life = answer.get("Lifecycle", {})
    arn = answer["DestinationBackupVaultArn"]
    parts = arn.split(":")
    return {
        "vault": f"{parts[3]}/{parts[6]}" if parts[4] == account else arn,
        "retention_days": life.get("DeleteAfterDays"),
        "cold_after_days": life.get("MoveToColdStorageAfterDays"),
    }


def rule_request(wanted: Mapping[str, Any], vault_arns: Mapping[str, str]) -> Document:
    """Return AWS's document of a rule; ``vault_arns`` are those of the copies' vaults by ``<region>/<name>``."""
    request: Document = {
        "RuleName": wanted["name"],
        "TargetBackupVaultName": wanted["vault"],
        "ScheduleExpression": wanted["schedule"],
        "ScheduleExpressionTimezone": wanted["timezone"],
        "StartWindowMinutes": wanted["start_window_minutes"],
        "CompletionWindowMinutes": wanted["completion_window_minutes"],
        "Lifecycle": _lifecycle(wanted),
        "EnableContinuousBackup": wanted["continuous"],
        "RecoveryPointTags": wanted["tags"],
    }
    if wanted["copies"]:
        request["CopyActions"] = [
            {"DestinationBackupVaultArn": vault_arns[copy["vault"]], "Lifecycle": _lifecycle(copy)}
            for copy in wanted["copies"]
        ]
    return request


def _lifecycle(wanted: Mapping[str, Any]) -> Document:
    cold = {"MoveToColdStorageAfterDays": wanted["cold_after_days"]} if wanted["cold_after_days"] else {}
    return {"DeleteAfterDays": wanted["retention_days"], **cold}


# Selections


def selection(component: str, plan: Mapping[str, Any]) -> Document | None:
    """Return what a plan backs up: the resources that match a pattern and carry all of the tags; None without tags.

    AWS cannot change a selection and lists no more of it than its name and role, so the name says what is in it.
    """
    if not plan["selection_tags"]:
        return None
    content = {
        "resources": sorted(set(plan["resources"])),
        "tags": {key: str(value) for key, value in sorted(plan["selection_tags"].items())},
    }
    return {"name": f"{component[:30]}-{_digest(content)}", **content}


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def is_ours(component: str, name: str) -> bool:
    """Tell whether a selection's name is one that this collection gives."""
    return re.fullmatch(rf"{re.escape(component[:30])}-[0-9a-f]{{12}}", name) is not None


def selection_request(wanted: Mapping[str, Any]) -> Document:
    """Return AWS's document of a selection. Conditions must all hold, whereas of a list of tags one would do."""
    equal = [
        {"ConditionKey": f"aws:ResourceTag/{key}", "ConditionValue": value} for key, value in wanted["tags"].items()
    ]
    return {
        "SelectionName": wanted["name"],
        "IamRoleArn": wanted["role_arn"],
        "Resources": wanted["resources"],
        "Conditions": {"StringEquals": equal},
    }


def copy_regions(plans: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the regions that get copies, sorted."""
    return sorted({plan["copy_region"] for plan in plans if plan["copy_region"]})
