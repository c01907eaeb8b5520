# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS Backup in the emulator: each test is about one gap of moto."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

_numbers = itertools.count(1)
ROLE = "arn:aws:iam::123456789012:role/backups"
CLUSTER = "arn:aws:rds:us-east-1:123456789012:cluster:blog"


@pytest.fixture(scope="module", autouse=True)
def role(_instant: Any) -> None:
    trust = json.dumps({"Statement": []})
    _instant.client("iam").create_role(RoleName="backups", AssumeRolePolicyDocument=trust)


@pytest.fixture
def vault(instant: Any) -> str:
    name = f"vault-{next(_numbers)}"
    instant.client("backup").create_backup_vault(BackupVaultName=name)
    return name


def document(vault: str, hour: int = 2) -> dict[str, Any]:
    rule = {"RuleName": "one", "TargetBackupVaultName": vault, "ScheduleExpression": f"cron(0 {hour} * * ? *)"}
    return {"BackupPlanName": f"plan-of-{vault}", "Rules": [rule]}


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=code)


def test_a_plan_can_be_updated_and_made_again(instant: Any, vault: str) -> None:
    backup = instant.client("backup")
    first = backup.create_backup_plan(BackupPlan=document(vault))
    second = backup.update_backup_plan(BackupPlanId=first["BackupPlanId"], BackupPlan=document(vault, 5))
    assert second["VersionId"] != first["VersionId"]
    found = backup.get_backup_plan(BackupPlanId=first["BackupPlanId"])["BackupPlan"]["Rules"][0]
    assert found["ScheduleExpression"] == "cron(0 5 * * ? *)"
    with refused("InvalidParameterValueException"):
        backup.update_backup_plan(BackupPlanId=first["BackupPlanId"], BackupPlan=document("no-such-vault"))
    backup.delete_backup_plan(BackupPlanId=first["BackupPlanId"])
    with refused("ResourceNotFoundException"):
        backup.update_backup_plan(BackupPlanId=first["BackupPlanId"], BackupPlan=document(vault))
    assert backup.create_backup_plan(BackupPlan=document(vault))["BackupPlanId"] != first["BackupPlanId"]


def test_selections_hold_a_plan(instant: Any, vault: str) -> None:
    backup = instant.client("backup")
    plan = backup.create_backup_plan(BackupPlan=document(vault))["BackupPlanId"]
    wanted = {"SelectionName": "all", "IamRoleArn": ROLE, "Resources": ["*"]}
    with refused("InvalidParameterValueException"):
        backup.create_backup_selection(BackupPlanId=plan, BackupSelection={**wanted, "IamRoleArn": f"{ROLE}-none"})
    made = backup.create_backup_selection(BackupPlanId=plan, BackupSelection=wanted)["SelectionId"]
    with refused("AlreadyExistsException"):
        backup.create_backup_selection(BackupPlanId=plan, BackupSelection=wanted)
    (listed,) = backup.list_backup_selections(BackupPlanId=plan)["BackupSelectionsList"]
    assert (listed["SelectionId"], listed["SelectionName"], listed["IamRoleArn"]) == (made, "all", ROLE)
    assert backup.get_backup_selection(BackupPlanId=plan, SelectionId=made)["BackupSelection"]["Resources"] == ["*"]
    with refused("InvalidRequestException"):
        backup.delete_backup_plan(BackupPlanId=plan)
    backup.delete_backup_selection(BackupPlanId=plan, SelectionId=made)
    with refused("ResourceNotFoundException"):
        backup.get_backup_selection(BackupPlanId=plan, SelectionId=made)
    backup.delete_backup_plan(BackupPlanId=plan)


def test_recovery_points_hold_a_vault(instant: Any, vault: str) -> None:
    backup = instant.client("backup")
    tags = {"wordpress_ha:stack": "blog"}
    arn = backup.start_backup_job(BackupVaultName=vault, ResourceArn=CLUSTER, IamRoleArn=ROLE, RecoveryPointTags=tags)[
        "RecoveryPointArn"
    ]
    (point,) = backup.list_recovery_points_by_backup_vault(BackupVaultName=vault)["RecoveryPoints"]
    assert (point["RecoveryPointArn"], point["ResourceArn"], point["Status"]) == (arn, CLUSTER, "COMPLETED")
    assert backup.list_tags(ResourceArn=arn)["Tags"] == tags
    described = backup.describe_backup_vault(BackupVaultName=vault)
    assert (described["NumberOfRecoveryPoints"], described["EncryptionKeyArn"][:12]) == (1, "arn:aws:kms:")
    with refused("InvalidRequestException"):
        backup.delete_backup_vault(BackupVaultName=vault)
    backup.put_backup_vault_lock_configuration(BackupVaultName=vault, MinRetentionDays=7)
    with refused("InvalidRequestException"):
        backup.delete_recovery_point(BackupVaultName=vault, RecoveryPointArn=arn)
    backup.delete_backup_vault_lock_configuration(BackupVaultName=vault)
    backup.delete_recovery_point(BackupVaultName=vault, RecoveryPointArn=arn)
    backup.delete_backup_vault(BackupVaultName=vault)
    with refused("AccessDeniedException"):
        backup.describe_backup_vault(BackupVaultName=vault)


def test_a_vaults_policy_counts(instant: Any, vault: str) -> None:
    backup = instant.client("backup")
    with refused("ResourceNotFoundException"):
        backup.get_backup_vault_access_policy(BackupVaultName=vault)
    arn = backup.start_backup_job(BackupVaultName=vault, ResourceArn=CLUSTER, IamRoleArn=ROLE)["RecoveryPointArn"]
    denial = {"Effect": "Deny", "Principal": "*", "Action": "backup:DeleteRecoveryPoint", "Resource": "*"}
    backup.put_backup_vault_access_policy(BackupVaultName=vault, Policy=json.dumps({"Statement": [denial]}))
    found = backup.get_backup_vault_access_policy(BackupVaultName=vault)["Policy"]
    assert json.loads(found)["Statement"] == [denial]
    with refused("AccessDeniedException"):
        backup.delete_recovery_point(BackupVaultName=vault, RecoveryPointArn=arn)
    backup.delete_backup_vault_access_policy(BackupVaultName=vault)
    backup.delete_recovery_point(BackupVaultName=vault, RecoveryPointArn=arn)


def test_resource_types_are_switched_on_one_by_one(instant: Any) -> None:
    backup = instant.client("backup")
    before = backup.describe_region_settings()["ResourceTypeOptInPreference"]
    assert (before["Aurora"], before["S3"]) == (True, False)
    backup.update_region_settings(ResourceTypeOptInPreference={"S3": True})
    assert backup.describe_region_settings()["ResourceTypeOptInPreference"] == {**before, "S3": True}
