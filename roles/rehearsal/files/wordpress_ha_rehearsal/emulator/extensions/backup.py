# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS Backup: plans that change, selections, recovery points, policies of vaults, and the switches of resource types."""

from __future__ import annotations

import copy
import json
from typing import Any
from urllib.parse import unquote

from moto.backup import urls
from moto.backup.exceptions import (
    AlreadyExistsException,
    BackupClientError,
    InvalidParameterValueException,
    InvalidRequestException,
    ResourceNotFoundException,
)
from moto.backup.models import BackupBackend, Plan, Vault
from moto.backup.responses import BackupResponse
from moto.core.utils import unix_time
from moto.iam.models import iam_backends
from moto.moto_api._internal import mock_random

from . import extension
from .patching import Function, add, wrap

#: What an account starts with: one resource type is off until somebody switches it on, as newer ones can be.
SWITCHES = {"Aurora": True, "DynamoDB": True, "EBS": True, "EC2": True, "EFS": True, "RDS": True, "S3": False}


def _body(response: Any) -> dict[str, Any]:
    return dict(json.loads(response.body or "{}"))


def _part(response: Any, after: str) -> str:
    """Return the part of the path that follows a word: the vault's name after ``backup-vaults``."""
    parts = response.path.strip("/").split("/")
    return unquote(parts[parts.index(after) + 1])


def _plan(response: Any) -> Plan:
    found = response.backup_backend.plans.get(_part(response, "plans"))
    if found is None or found.deletion_date is not None:
        raise ResourceNotFoundException(msg="Failed reading Backup plan with provided version")
    return found


def _vault(response: Any) -> Vault:
    name = _part(response, "backup-vaults")
    if name not in response.backup_backend.vaults:
        # AWS does not tell a stranger which vaults there are.
        error = BackupClientError("AccessDeniedException", "Insufficient privileges to perform this action.")
        error.code = 403
        raise error
    return response.backup_backend.vaults[name]


def _kept(owner: Any, name: str) -> dict[str, Any]:
    """Return a dictionary that belongs to one of moto's objects, and goes with it when the account is reset."""
    return owner.__dict__.setdefault(f"_kept_{name}", {})


def _known_vaults(backend: Any, rules: list[dict[str, Any]]) -> None:
    for rule in rules:
        if rule["TargetBackupVaultName"] not in backend.vaults:
            raise InvalidParameterValueException(msg=f"Backup vault {rule['TargetBackupVaultName']} does not exist.")


@extension("backup-plans", "plans cannot be updated, deleted ones count for ever, missing vaults are accepted")
def _plans() -> None:
    @wrap(BackupBackend, "create_backup_plan")
    def create(original: Function, self: Any, backup_plan: dict[str, Any], *rest: Any, **more: Any) -> Any:
        _known_vaults(self, backup_plan["Rules"])
        deleted = {identity: plan for identity, plan in self.plans.items() if plan.deletion_date is not None}
        for identity in deleted:
            del self.plans[identity]
        return original(self, backup_plan, *rest, **more)

    @wrap(BackupBackend, "delete_backup_plan")
    def delete(original: Function, self: Any, backup_plan_id: str) -> Any:
        plan = self.plans.get(backup_plan_id)
        if plan is not None and _kept(plan, "selections"):
            raise InvalidRequestException(
                msg="Related backup plan selections must be deleted prior to backup plan deletion"
            )
        return original(self, backup_plan_id)

    @add(BackupResponse)
    def update_backup_plan(self: Any) -> str:
        plan, wanted = _plan(self), _body(self)["BackupPlan"]
        _known_vaults(self.backup_backend, wanted["Rules"])
        made = Plan(backup_plan=copy.deepcopy(wanted), creator_request_id="", backend=self.backup_backend)
        plan.backup_plan, plan.version_id = made.backup_plan, made.version_id
        return json.dumps(plan.to_dict())


@extension("backup-selections", "plans select nothing")
def _selections() -> None:
    urls.url_paths["{0}/backup/plans/(?P<name>[^/]+)/selections/(?P<selection>[^/]+)$"] = BackupResponse.dispatch

    @add(BackupResponse)
    def create_backup_selection(self: Any) -> str:
        plan, wanted = _plan(self), _body(self)["BackupSelection"]
        held = _kept(plan, "selections")
        if wanted["SelectionName"] in [one["BackupSelection"]["SelectionName"] for one in held.values()]:
            raise AlreadyExistsException(msg="Backup selection with the same name already exists")
        known = iam_backends[self.current_account]["aws"].roles.values()
        if wanted["IamRoleArn"] not in [role.arn for role in known]:
            raise InvalidParameterValueException(
                msg=f"IAM Role {wanted['IamRoleArn']} is not authorized or does not exist"
            )
        if wanted.get("Conditions") and not wanted.get("Resources"):
            raise InvalidParameterValueException(msg="Resources are required with Conditions")
        made: dict[str, Any] = {"SelectionId": str(mock_random.uuid4()), "CreationDate": unix_time()}
        held[made["SelectionId"]] = {**made, "BackupPlanId": plan.backup_plan_id, "BackupSelection": wanted}
        return json.dumps({**made, "BackupPlanId": plan.backup_plan_id})

    @add(BackupResponse)
    def list_backup_selections(self: Any) -> str:
        found = [
            {
                **{key: one[key] for key in ("SelectionId", "BackupPlanId", "CreationDate")},
                **{key: one["BackupSelection"][key] for key in ("SelectionName", "IamRoleArn")},
            }
            for one in _kept(_plan(self), "selections").values()
        ]
        return json.dumps({"BackupSelectionsList": found})

    @add(BackupResponse)
    def get_backup_selection(self: Any) -> str:
        found = _kept(_plan(self), "selections").get(_part(self, "selections"))
        if found is None:
            raise ResourceNotFoundException(msg="Cannot find Backup selection")
        return json.dumps(found)

    @add(BackupResponse)
    def delete_backup_selection(self: Any) -> str:
        if _kept(_plan(self), "selections").pop(_part(self, "selections"), None) is None:
            raise ResourceNotFoundException(msg="Cannot find Backup selection")
        return "{}"


@extension("backup-recovery-points", "there are no jobs and no recovery points, and vaults go with what is in them")
def _recovery_points() -> None:
    for path in ("recovery-points/", "recovery-points/(?P<point>.+)"):
        urls.url_paths["{0}/backup-vaults/(?P<name>[^/]+)/" + f"{path}$"] = BackupResponse.dispatch
    urls.url_paths["{0}/backup-jobs$"] = BackupResponse.dispatch

    @add(BackupResponse)
    def start_backup_job(self: Any) -> str:
        """A job ends at once; its recovery point lies in the vault."""
        given, backend = _body(self), self.backup_backend
        vault = backend.vaults.get(given["BackupVaultName"])
        if vault is None:
            raise ResourceNotFoundException(msg=f"Backup vault {given['BackupVaultName']} not found")
        identity = str(mock_random.uuid4())
        arn = f"arn:aws:backup:{self.region}:{self.current_account}:recovery-point:{identity}"
        created = unix_time()
        _kept(vault, "points")[arn] = {
            "RecoveryPointArn": arn,
            "BackupVaultName": vault.backup_vault_name,
            "BackupVaultArn": vault.backup_vault_arn,
            "ResourceArn": given["ResourceArn"],
            "IamRoleArn": given["IamRoleArn"],
            "Status": "COMPLETED",
            "CreationDate": created,
            "CompletionDate": created,
            "Lifecycle": given.get("Lifecycle", {}),
        }
        if given.get("RecoveryPointTags"):
            backend.tag_resource(arn, given["RecoveryPointTags"])
        vault.num_of_recovery_points = len(_kept(vault, "points"))
        return json.dumps({"BackupJobId": identity, "RecoveryPointArn": arn, "CreationDate": created})

    @add(BackupResponse)
    def list_recovery_points_by_backup_vault(self: Any) -> str:
        wanted = self._get_params().get("resourceArn")
        found = [one for one in _kept(_vault(self), "points").values() if wanted in (None, one["ResourceArn"])]
        return json.dumps({"RecoveryPoints": found})

    @add(BackupResponse)
    def delete_recovery_point(self: Any) -> str:
        vault = _vault(self)
        if any(one["Effect"] == "Deny" for one in _policy(vault).get("Statement", [])):
            raise BackupClientError(
                "AccessDeniedException", "The policy of the vault denies backup:DeleteRecoveryPoint"
            )
        if vault.locked:
            raise InvalidRequestException(msg="The lock of the vault keeps the recovery point")
        arn = unquote(self.path.split("/recovery-points/", 1)[1])
        if _kept(vault, "points").pop(arn, None) is None:
            raise ResourceNotFoundException(msg="Recovery point not found")
        vault.num_of_recovery_points = len(_kept(vault, "points"))
        return "{}"

    @wrap(BackupBackend, "delete_backup_vault")
    def delete(original: Function, self: Any, backup_vault_name: str) -> None:
        vault = self.vaults.get(backup_vault_name)
        if vault is not None and _kept(vault, "points"):
            raise InvalidRequestException(msg="Backup vault cannot be deleted because it contains recovery points")
        original(self, backup_vault_name)

    @add(BackupResponse)
    def describe_backup_vault(self: Any) -> str:
        return json.dumps(_vault(self).to_list_dict())


def _policy(vault: Vault) -> dict[str, Any]:
    return dict(json.loads(_kept(vault, "policy").get("text", "{}")))


@extension("backup-vault-policies", "vaults have no access policy")
def _policies() -> None:
    urls.url_paths["{0}/backup-vaults/(?P<name>[^/]+)/access-policy$"] = BackupResponse.dispatch

    @add(BackupResponse)
    def put_backup_vault_access_policy(self: Any) -> str:
        _kept(_vault(self), "policy")["text"] = _body(self)["Policy"]
        return "{}"

    @add(BackupResponse)
    def get_backup_vault_access_policy(self: Any) -> str:
        vault = _vault(self)
        if not _kept(vault, "policy"):
            raise ResourceNotFoundException(msg="The vault has no access policy")
        named = {"BackupVaultName": vault.backup_vault_name, "BackupVaultArn": vault.backup_vault_arn}
        return json.dumps({**named, "Policy": _kept(vault, "policy")["text"]})

    @add(BackupResponse)
    def delete_backup_vault_access_policy(self: Any) -> str:
        _kept(_vault(self), "policy").clear()
        return "{}"


@extension(
    "backup-vault-keys", "a vault without a key of its own has none, where AWS takes the account's key for backups"
)
def _keys() -> None:
    @wrap(BackupBackend, "create_backup_vault")
    def create(original: Function, self: Any, **given: Any) -> Vault:
        own = f"arn:aws:kms:{self.region_name}:{self.account_id}:key/00000000-0000-4000-8000-0000000b0c0e"
        made: Vault = original(self, **{**given, "encryption_key_arn": given["encryption_key_arn"] or own})
        return made


@extension("backup-region-settings", "resource types cannot be switched on")
def _settings() -> None:
    urls.url_paths["{0}/account-settings$"] = BackupResponse.dispatch

    @add(BackupResponse)
    def describe_region_settings(self: Any) -> str:
        switched = _kept(self.backup_backend, "switches")
        return json.dumps({"ResourceTypeOptInPreference": {**SWITCHES, **switched}})

    @add(BackupResponse)
    def update_region_settings(self: Any) -> str:
        _kept(self.backup_backend, "switches").update(_body(self).get("ResourceTypeOptInPreference", {}))
        return "{}"
