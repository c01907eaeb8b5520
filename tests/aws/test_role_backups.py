# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role backups by itself: one story, told in this order."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from .conftest import Account
from .lifecycle import Role

OWNED = {"wordpress_ha:stack": "shop", "wordpress_ha:role": "backups"}
ROLE_ARN = "arn:aws:iam::123456789012:role/shop-backups"


@pytest.fixture(scope="module")
def role(account: Account) -> Role:
    # As a stack file has them: what is not set is null.
    database = {"enabled": True, "cold_after_days": None, "copy_region": "eu-west-1", "copy_retention_days": None}
    return Role(
        account,
        "backups",
        backups_name="shop",
        backups_plans={"database": database, "files": {}, "media": {}},
        backups_tags=OWNED,
    )


def rules(account: Account) -> dict[str, dict[str, Any]]:
    backup = account.emulator.client("backup")
    return {
        one["BackupPlanName"]: backup.get_backup_plan(BackupPlanId=one["BackupPlanId"])["BackupPlan"]["Rules"][0]
        for one in backup.list_backup_plans()["BackupPlansList"]
    }


def test_a_mistake_is_refused(role: Role) -> None:
    """The IAM role is not written first either; more mistakes are in the module's own test."""
    plans = {"files": {"retention_days": 100, "cold_after_days": 30}}
    role.refuse("backups_plans.files.retention_days is 100", "90 days more", "(30)", backups_plans=plans)


def test_it_is_made(role: Role) -> None:
    made = role.create().result
    assert (made["vault_name"], made["role_arn"]) == ("shop", ROLE_ARN)
    assert set(made["copy_vault_arns"]) == {"eu-west-1"}
    assert set(made["plan_ids"]) == {"database", "files", "media"}
    found = rules(role.account)
    assert {name: rule["ScheduleExpression"] for name, rule in found.items()} == {
        "shop-database": "cron(0 2 * * ? *)",
        "shop-files": "cron(0 3 * * ? *)",
        "shop-media": "cron(0 4 ? * SUN *)",
    }
    iam = role.account.emulator.client("iam")
    attached = iam.list_attached_role_policies(RoleName="shop-backups")["AttachedPolicies"]
    assert len(attached) == 4, "buckets have policies of their own"


def test_each_component_is_selected_by_its_tags(role: Role) -> None:
    backup = role.account.emulator.client("backup")
    found = {}
    for one in backup.list_backup_plans()["BackupPlansList"]:
        plan = one["BackupPlanId"]
        (listed,) = backup.list_backup_selections(BackupPlanId=plan)["BackupSelectionsList"]
        selection = backup.get_backup_selection(BackupPlanId=plan, SelectionId=listed["SelectionId"])["BackupSelection"]
        tags = {item["ConditionKey"]: item["ConditionValue"] for item in selection["Conditions"]["StringEquals"]}
        assert tags["aws:ResourceTag/wordpress_ha:stack"] == "shop"
        found[tags["aws:ResourceTag/wordpress_ha:role"]] = selection["Resources"]
    assert found == {
        "database": ["arn:aws:rds:*:*:cluster:*"],
        "files": ["arn:aws:elasticfilesystem:*:*:file-system/*"],
        "media": ["arn:aws:s3:::*"],
    }


def test_each_option_can_change(role: Role) -> None:
    role.modify(
        backups_plans={
            "database": {
                "schedule": "cron(0 */6 * * ? *)",
                "timezone": "Europe/Berlin",
                "retention_days": 14,
                "continuous": True,
                "copy_region": "eu-west-1",
                "copy_retention_days": 90,
            },
            "files": {"retention_days": 365, "cold_after_days": 30, "selection_tags": {"files-of": "shop"}},
            "media": {"enabled": False},
        },
        backups_further_plans={
            "mail": {
                "schedule": "rate(1 day)",
                "retention_days": 10,
                "resources": ["arn:aws:ec2:*:*:volume/*"],
                "selection_tags": {"disk": "mail"},
            }
        },
        backups_start_window_minutes=90,
        backups_completion_window_minutes=300,
        backups_lock={"min_retention_days": 7},
        backups_protect=True,
        backups_tags={**OWNED, "owner": "me"},
    )
    found = rules(role.account)
    assert set(found) == {"shop-database", "shop-files", "shop-mail"}
    assert found["shop-database"]["StartWindowMinutes"] == 90
    iam = role.account.emulator.client("iam")
    attached = iam.list_attached_role_policies(RoleName="shop-backups")["AttachedPolicies"]
    assert len(attached) == 2, "without a bucket its policies go"


def test_backups_are_not_lost_by_accident(role: Role) -> None:
    """Protected, nothing is removed; that a lock and recovery points are honoured too is in the module's own test."""
    backup = role.account.emulator.client("backup")
    cluster = "arn:aws:rds:us-east-1:123456789012:cluster:shop"
    backup.start_backup_job(BackupVaultName="shop", ResourceArn=cluster, IamRoleArn=ROLE_ARN)
    role.refuse("protected", "protect false", entry="absent", backups_delete_recovery_points=True)
    backup.delete_backup_vault_access_policy(BackupVaultName="shop")
    backup.delete_backup_vault_lock_configuration(BackupVaultName="shop")


def test_it_can_be_removed(role: Role) -> None:
    # The copies' vault is protected as well.
    elsewhere = boto3.client(
        "backup",
        endpoint_url=role.account.emulator.endpoint_url,
        region_name="eu-west-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )
    elsewhere.delete_backup_vault_access_policy(BackupVaultName="shop")
    role.absent(backups_delete_recovery_points=True)
    assert elsewhere.list_backup_vaults()["BackupVaultList"] == []
