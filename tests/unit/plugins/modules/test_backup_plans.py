# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""backup_plans: a vault, its copies in other regions, and a plan with a selection for each component."""

from __future__ import annotations

import json
from typing import Any

import contract
import pytest

from ansible_collections.wordpress_ha.aws.plugins.modules import backup_plans as module

STACK = {"wordpress_ha:stack": "blog"}
ROLE = "arn:aws:iam::123456789012:role/blog-backups"
KEY = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-0000-0000-000000000000"
DATABASE = {
    "schedule": "cron(0 2 * * ? *)",
    "retention_days": 35,
    "copy_region": "eu-west-1",
    "resources": ["arn:aws:rds:*:*:cluster:*"],
    "selection_tags": {**STACK, "wordpress_ha:role": "database"},
}
FILES = {
    "schedule": "cron(0 3 ? * SUN *)",
    "retention_days": 365,
    "cold_after_days": 30,
    "selection_tags": {**STACK, "wordpress_ha:role": "files"},
}
MEDIA = {
    "schedule": "rate(7 days)",
    "retention_days": 90,
    "selection_tags": {**STACK, "wordpress_ha:role": "media"},
}
PARAMS = {
    "name": "blog",
    "plans": {"database": DATABASE, "files": FILES, "media": MEDIA},
    "role_arn": ROLE,
    "resource_types": ["Aurora", "EFS", "S3"],
    "tags": STACK,
}


def role(emulated: contract.Emulated, *names: str) -> None:
    trust = {
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "backup.amazonaws.com"}}]
    }
    for name in names or ("blog-backups",):
        emulated("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))


def plan_of(emulated: contract.Emulated, component: str) -> dict[str, Any]:
    backup = emulated("backup")
    (found,) = [
        one for one in backup.list_backup_plans()["BackupPlansList"] if one["BackupPlanName"] == f"blog-{component}"
    ]
    return dict(backup.get_backup_plan(BackupPlanId=found["BackupPlanId"]))


def selections(emulated: contract.Emulated, component: str) -> list[dict[str, Any]]:
    backup, plan = emulated("backup"), plan_of(emulated, component)["BackupPlanId"]
    return [
        backup.get_backup_selection(BackupPlanId=plan, SelectionId=one["SelectionId"])["BackupSelection"]
        for one in backup.list_backup_selections(BackupPlanId=plan)["BackupSelectionsList"]
    ]


def a_point(emulated: contract.Emulated, vault: str = "blog") -> str:
    made = emulated("backup").start_backup_job(
        BackupVaultName=vault, ResourceArn="arn:aws:rds:us-east-1:123456789012:cluster:blog", IamRoleArn=ROLE
    )
    return str(made["RecoveryPointArn"])


def test_keeps_the_contract(emulated: contract.Emulated) -> None:
    role(emulated, "blog-backups", "other")
    modified = {
        **PARAMS,
        "plans": {
            "database": {
                **DATABASE,
                "schedule": "cron(0 */6 * * ? *)",
                "timezone": "Europe/Berlin",
                "start_window_minutes": 90,
                "completion_window_minutes": 300,
                "retention_days": 14,
                "continuous": True,
                "copy_retention_days": 70,
            },
            "files": {**FILES, "cold_after_days": 60, "selection_tags": {**STACK, "wordpress_ha:role": "shared"}},
        },
        "purge_plans": True,
        "lock": {"min_retention_days": 7, "max_retention_days": 400},
        "role_arn": ROLE.replace("blog-backups", "other"),
        "tags": {**STACK, "owner": "me"},
    }

    def left() -> list[str]:
        backup = emulated("backup")
        return [one["BackupVaultName"] for one in backup.list_backup_vaults()["BackupVaultList"]] + [
            one["BackupPlanName"] for one in backup.list_backup_plans()["BackupPlansList"]
        ]

    facts = contract.keep(module, PARAMS, modified, left=left).facts
    assert facts["vault_arn"] == "arn:aws:backup:us-east-1:123456789012:backup-vault:blog"
    assert facts["copy_vault_arns"] == {"eu-west-1": "arn:aws:backup:eu-west-1:123456789012:backup-vault:blog"}
    assert set(facts["plans"]) == {"database", "files", "media"}


def test_survives_a_kill_between_any_two_calls(emulated: contract.Emulated) -> None:
    """The switches, 2 vaults, 3 plans, 3 selections; the removal of all but the switches."""

    def prepare() -> dict[str, Any]:
        role(emulated)
        return {}

    assert contract.survive_kills(module, PARAMS, prepare) == 17


def test_an_unchanged_run_asks_little(emulated: contract.Emulated) -> None:
    """Switches and plans once each, vaults and their tags once in each region, three questions for each plan."""
    role(emulated)
    contract.succeed(module, PARAMS)
    again = contract.succeed(module, PARAMS)
    assert len(again.calls) == 1 + 1 + 2 * 2 + 3 * 3, [str(call) for call in again.calls]


def test_each_component_has_its_own_rhythm(emulated: contract.Emulated) -> None:
    """R67; R68 and R69 for the copy and for what replaces Data Pipeline."""
    role(emulated)
    contract.succeed(module, PARAMS)
    (rule,) = plan_of(emulated, "database")["BackupPlan"]["Rules"]
    assert (rule["ScheduleExpression"], rule["Lifecycle"]) == ("cron(0 2 * * ? *)", {"DeleteAfterDays": 35})
    (copied,) = rule["CopyActions"]
    assert copied["DestinationBackupVaultArn"] == "arn:aws:backup:eu-west-1:123456789012:backup-vault:blog"
    assert rule["RecoveryPointTags"] == {**STACK, "wordpress_ha:part": "database"}
    (rule,) = plan_of(emulated, "files")["BackupPlan"]["Rules"]
    assert rule["Lifecycle"] == {"DeleteAfterDays": 365, "MoveToColdStorageAfterDays": 30}


def test_a_selection_takes_what_carries_all_tags(emulated: contract.Emulated) -> None:
    role(emulated)
    contract.succeed(module, PARAMS)
    (found,) = selections(emulated, "database")
    assert found["Resources"] == ["arn:aws:rds:*:*:cluster:*"]
    assert found["Conditions"]["StringEquals"] == [
        {"ConditionKey": "aws:ResourceTag/wordpress_ha:role", "ConditionValue": "database"},
        {"ConditionKey": "aws:ResourceTag/wordpress_ha:stack", "ConditionValue": "blog"},
    ]
    assert "ListOfTags" not in found, "of a list of tags one would do"


def test_what_is_selected_is_never_without_a_plan(emulated: contract.Emulated) -> None:
    """A changed selection is made before the former one goes; with another role alone its name has to become free first."""
    role(emulated, "blog-backups", "other")
    contract.succeed(module, PARAMS)
    media = {**MEDIA, "selection_tags": {**STACK, "wordpress_ha:role": "uploads"}}
    outcome = contract.converge(module, {**PARAMS, "plans": {"media": media}})
    assert outcome.writing == ["backup:CreateBackupSelection", "backup:DeleteBackupSelection"]
    other = {**PARAMS, "plans": {"media": media}, "role_arn": ROLE.replace("blog-backups", "other")}
    outcome = contract.converge(module, other)
    assert outcome.writing == ["backup:DeleteBackupSelection", "backup:CreateBackupSelection"]
    assert len(selections(emulated, "media")) == 1


def test_selections_of_others_stay(emulated: contract.Emulated) -> None:
    role(emulated)
    contract.succeed(module, PARAMS)
    plan = plan_of(emulated, "media")["BackupPlanId"]
    emulated("backup").create_backup_selection(
        BackupPlanId=plan,
        BackupSelection={"SelectionName": "by-hand", "IamRoleArn": ROLE, "Resources": ["arn:aws:s3:::x"]},
    )
    contract.converge(module, PARAMS, changed=False)
    assert len(selections(emulated, "media")) == 2
    fewer = {**PARAMS, "plans": {"files": FILES, "database": DATABASE}}
    contract.converge(module, {**fewer, "purge_plans": True})


def test_resource_types_are_switched_on(emulated: contract.Emulated) -> None:
    """Where S3 is off, as here at first, a plan would pass over a bucket without a word."""
    role(emulated)
    outcome = contract.succeed(module, PARAMS)
    assert outcome.sent("UpdateRegionSettings") == [{"ResourceTypeOptInPreference": {"S3": True}}]
    contract.refuse(module, {**PARAMS, "resource_types": ["Files"]}, "resource_types has Files", "Aurora, DynamoDB")


def test_a_vault_can_be_protected(emulated: contract.Emulated) -> None:
    """Nobody deletes a recovery point by hand; statements of others stay; the removal honours it."""
    role(emulated)
    plain = {"name": "blog", "tags": STACK}
    contract.converge(module, {**plain, "protect": True})
    backup = emulated("backup")
    policy = json.loads(backup.get_backup_vault_access_policy(BackupVaultName="blog")["Policy"])
    theirs = {
        "Sid": "Theirs",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "backup:CopyFromBackupVault",
        "Resource": "*",
    }
    text = json.dumps({**policy, "Statement": [theirs, *policy["Statement"]]})
    backup.put_backup_vault_access_policy(BackupVaultName="blog", Policy=text)
    with pytest.raises(backup.exceptions.ClientError, match="AccessDenied"):
        backup.delete_recovery_point(BackupVaultName="blog", RecoveryPointArn=a_point(emulated))
    contract.refuse(module, {**plain, "state": "absent", "delete_recovery_points": True}, "vault blog", "protect false")
    contract.converge(module, {**plain, "protect": False})
    left = json.loads(backup.get_backup_vault_access_policy(BackupVaultName="blog")["Policy"])
    assert left["Statement"] == [theirs]


class TestLock:
    LOCKED = {"name": "blog", "tags": STACK, "lock": {"min_retention_days": 7}}

    def test_it_is_set_changed_and_removed(self, emulated: contract.Emulated) -> None:
        contract.converge(module, self.LOCKED)
        contract.converge(module, {**self.LOCKED, "lock": {"min_retention_days": 10, "max_retention_days": 90}})
        contract.converge(module, {"name": "blog", "tags": STACK}, changed=False)
        contract.converge(module, {**self.LOCKED, "lock": {}})
        assert not emulated("backup").describe_backup_vault(BackupVaultName="blog").get("Locked")

    def test_the_count_down_runs_once(self, emulated: contract.Emulated) -> None:
        lock = {"min_retention_days": 7, "changeable_days": 3}
        contract.converge(module, {**self.LOCKED, "lock": lock})
        other = {"min_retention_days": 8, "changeable_days": 3}
        contract.refuse(module, {**self.LOCKED, "lock": other}, "lock is", "8", "unchangeable")
        contract.converge(module, {**self.LOCKED, "lock": {"min_retention_days": 7}}, changed=False)

    def test_plans_fit_it(self, emulated: contract.Emulated) -> None:
        """Whether it is given now, or stands there already."""
        contract.succeed(module, self.LOCKED)
        short = {**PARAMS, "plans": {"media": {**MEDIA, "retention_days": 3}}}
        contract.refuse(module, short, "plans.media.retention_days is 3", "7 to 36500")
        bounds = {"min_retention_days": 1, "max_retention_days": 30}
        contract.refuse(module, {**PARAMS, "lock": bounds}, "plans.database.retention_days is 35", "1 to 30")


class TestRemoval:
    ABSENT = {**PARAMS, "state": "absent"}

    def test_recovery_points_are_not_lost_by_accident(self, emulated: contract.Emulated) -> None:
        role(emulated)
        contract.succeed(module, PARAMS)
        a_point(emulated)
        a_point(emulated)
        contract.refuse(
            module, self.ABSENT, "delete_recovery_points is false", "blog in us-east-1", "holds 2 recovery points"
        )
        assert plan_of(emulated, "database"), "plans stay when the vault does"
        outcome = contract.converge(module, {**self.ABSENT, "delete_recovery_points": True})
        assert outcome.writing.count("backup:DeleteRecoveryPoint") == 2

    def test_a_lock_is_honoured(self, emulated: contract.Emulated) -> None:
        contract.succeed(module, TestLock.LOCKED)
        a_point(emulated)
        absent = {**TestLock.LOCKED, "state": "absent", "delete_recovery_points": True}
        contract.refuse(module, absent, "its lock keeps them")

    def test_another_stacks_vault_is_left_alone(self, emulated: contract.Emulated) -> None:
        contract.succeed(module, {"name": "blog", "tags": STACK})
        contract.refuse(
            module, {"name": "blog", "tags": {"wordpress_ha:stack": "shop"}, "state": "absent"}, "'blog'", "'shop'"
        )

    def test_plans_of_a_stack_whose_name_begins_alike_stay(self, emulated: contract.Emulated) -> None:
        role(emulated)
        contract.succeed(module, PARAMS)
        shop = {"wordpress_ha:stack": "blog-shop"}
        contract.succeed(module, {**PARAMS, "name": "blog-shop", "plans": {"media": MEDIA}, "tags": shop})
        contract.converge(module, self.ABSENT)
        names = [one["BackupPlanName"] for one in emulated("backup").list_backup_plans()["BackupPlansList"]]
        assert names == ["blog-shop-media"]


def test_unset_options_are_left_alone(emulated: contract.Emulated) -> None:
    role(emulated)
    contract.succeed(module, {**PARAMS, "lock": {"min_retention_days": 7}, "protect": True})
    again = contract.converge(module, {"name": "blog"}, changed=False)
    assert set(again.facts["plans"]) == {"database", "files", "media"}


def test_the_key_of_a_vault_cannot_change(emulated: contract.Emulated) -> None:
    contract.succeed(module, {"name": "blog", "kms_key_id": KEY})
    contract.refuse(module, {"name": "blog", "kms_key_id": f"{KEY}0"}, "kms_key_id of vault/us-east-1/blog")


def test_what_is_not_known_yet_can_be_planned(emulated: contract.Emulated) -> None:
    predicted = contract.succeed(module, {**PARAMS, "role_arn": "(known after apply)"}, check=True)
    assert [one["resource"] for one in predicted.result["actions"]] == [
        "opt_in/us-east-1",
        "vault/eu-west-1/blog",
        "vault/us-east-1/blog",
        *[f"plan/{one}" for one in ("database", "files", "media")],
        *[f"selection/{one}" for one in ("database", "files", "media")],
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schedule": "daily"}, ["plans.media.schedule is 'daily'", "cron(0 2 * * ? *)"]),
        ({"schedule": "cron(0 2 * * * *)"}, ["plans.media.schedule", "question mark"]),
        ({"retention_days": 0}, ["plans.media.retention_days is 0", "36500"]),
        ({"retention_days": 100, "cold_after_days": 11}, ["cold_after_days is 11", "101 days at least"]),
        ({"start_window_minutes": 30}, ["start_window_minutes is 30", "60"]),
        ({"completion_window_minutes": 100}, ["completion_window_minutes is 100", "an hour more"]),
        ({"continuous": True}, ["retention_days is 90", "35 days at most"]),
        ({"copy_region": "us-east-1"}, ["copy_region is 'us-east-1'", "another one"]),
        ({"copy_retention_days": 9}, ["copy_retention_days", "without copy_region"]),
        ({"copy_region": "eu-west-1", "copy_cold_after_days": 30}, ["copy_cold_after_days is 30", "120 days"]),
        ({"resources": []}, ["plans.media.resources is empty"]),
        ({"retention": 5}, ["plans.media", "retention"]),
    ],
)
def test_a_plan_that_would_not_work_is_refused(
    emulated: contract.Emulated, change: dict[str, Any], words: list[str]
) -> None:
    contract.refuse(module, {**PARAMS, "plans": {"media": {**MEDIA, **change}}}, *words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"vault_name": "b"}, ["vault_name is 'b'", "2 to 50"]),
        ({"kms_key_id": "alias/backups"}, ["kms_key_id is 'alias/backups'", "ARN of a key"]),
        ({"copy_kms_key_ids": {"eu-west-1": "x"}}, ["copy_kms_key_ids.eu-west-1 is 'x'"]),
        (
            {"lock": {"min_retention_days": 9, "max_retention_days": 8}},
            ["lock.min_retention_days is 9", "nothing lies between"],
        ),
        ({"lock": {"min_retention_days": 0}}, ["lock.min_retention_days is 0"]),
        ({"lock": {"changeable_days": 1}}, ["lock.changeable_days is 1", "three days"]),
        ({"role_arn": None}, ["plans.database.selection_tags", "role_arn"]),
        ({"name": "x" * 45}, ["plans.database makes the name", "50"]),
    ],
)
def test_refuses_before_any_write(emulated: contract.Emulated, change: dict[str, Any], words: list[str]) -> None:
    contract.refuse(module, {**PARAMS, **change}, *words)
