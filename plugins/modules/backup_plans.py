#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: backup_plans
version_added: 0.1.0
short_description: Keep a vault of AWS Backup with a plan for each component, and vaults for copies in other regions
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Owns a vault, its lock and its protection, vaults of the same name in the regions that get copies, and for each component a plan with
    one rule and one selection by tags, all in one process.
  - M(amazon.aws.backup_vault), M(amazon.aws.backup_plan) and M(amazon.aws.backup_selection) take a process for each vault, plan and
    selection. The first has neither lock nor access policy, the second always reports a change in check mode once there are tags, and the
    third leaves a gap between the selection that it deletes and the new one. None of them looks at the switches of resource types. This
    module can be retired once upstream does all that.
  - Recovery points get the tags of this module, and C(wordpress_ha:part) with the component.
options:
  name:
    description: What the names of the plans begin with; the component's name follows after a dash.
    type: str
    required: true
  vault_name:
    description: Name of the vault, in every region. 2 to 50 letters, digits, dashes and underscores. O(name) unless given.
    type: str
  kms_key_id:
    description: ARN of the KMS key of a new vault; the account's key for AWS Backup unless given. AWS cannot change it later.
    type: str
  copy_kms_key_ids:
    description: The same for the vaults in other regions, by region.
    type: dict
    default: {}
  lock:
    description:
      - Bounds of the time that recovery points are kept, which AWS enforces against everybody, in every vault. An empty dictionary removes
        a lock that can still be removed.
      - If not set, locks are left alone.
    type: dict
    suboptions:
      min_retention_days:
        description: Fewest days.
        type: int
      max_retention_days:
        description: Most days.
        type: int
      changeable_days:
        description: Days after which the lock itself can never be changed nor removed; it always can unless given.
        type: int
  protect:
    description:
      - Whether the policy of each vault denies everybody to delete recovery points by hand. Whoever may change the policy can lift it.
      - Statements of others in the policy survive. With V(true), O(state=absent) is refused.
    type: bool
  plans:
    description:
      - The plans by component. If not set, plans are left alone. For O(state=absent) only their regions count.
      - A plan takes C(schedule) in EventBridge's words and C(timezone) (default C(Etc/UTC)), C(start_window_minutes) (60),
        C(completion_window_minutes) (720), C(retention_days), C(cold_after_days), C(continuous) (false), C(copy_region),
        C(copy_retention_days) and C(copy_cold_after_days). One whose C(enabled) is false counts as one that is not given.
      - What it backs up is what carries all of C(selection_tags) and matches one of C(resources), ARNs or patterns of them (everything). Without
        C(selection_tags) its selections are left alone.
      - AWS moves file systems to cold storage, but neither Aurora clusters nor buckets.
    type: dict
  purge_plans:
    description: Whether to remove plans of this module that are not in O(plans). Their recovery points stay.
    type: bool
    default: false
  role_arn:
    description: ARN of the IAM role with which AWS Backup works. Needed with C(selection_tags).
    type: str
  resource_types:
    description:
      - Kinds of resources, such as V(Aurora), V(EFS) and V(S3), that AWS Backup has to be switched on for in this account and region. While it is
        not, plans silently pass over what they select by tags.
      - They are switched on and never off. If not set, the switches are not looked at.
    type: list
    elements: str
  delete_recovery_points:
    description:
      - Whether O(state=absent) deletes all recovery points in the vaults, copies too.
      - Without it, a vault that holds any is refused before anything is removed.
    type: bool
    default: false
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.plan.tags
  - wordpress_ha.aws.plan.wait
"""

EXAMPLES = r"""
- name: Back up database and files, each in its own rhythm
  wordpress_ha.aws.backup_plans:
    name: blog
    role_arn: arn:aws:iam::123456789012:role/blog-backups
    resource_types: [Aurora, EFS]
    plans:
      database:
        schedule: cron(0 2 * * ? *)
        retention_days: 35
        copy_region: eu-west-1
        resources: ["arn:aws:rds:*:*:cluster:*"]
        selection_tags: {"wordpress_ha:stack": blog, "wordpress_ha:role": database}
      files:
        schedule: cron(0 3 ? * SUN *)
        retention_days: 365
        cold_after_days: 30
        resources: ["arn:aws:elasticfilesystem:*:*:file-system/*"]
        selection_tags: {"wordpress_ha:stack": blog, "wordpress_ha:role": files}
    tags:
      "wordpress_ha:stack": blog
"""

RETURN = r"""
vault_name:
  description: Name of the vault, null if there is none.
  returned: success
  type: str
vault_arn:
  description: ARN of the vault, null if there is none.
  returned: success
  type: str
copy_vault_arns:
  description: ARNs of the vaults that get copies, by region.
  returned: success
  type: dict
plans:
  description: C(id), C(arn), C(selection_id) and C(role_arn) of the plans, by component.
  returned: success
  type: dict
actions:
  description: What was or would be done, in order; every item has C(action), C(resource), C(before) and C(after).
  returned: success
  type: list
  elements: dict
"""

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws, _backup, _bucket, _owned, _plan
from ansible_collections.wordpress_ha.aws.plugins.module_utils._network import PART_TAG

LOCK_SPEC = {
    "min_retention_days": {"type": "int"},
    "max_retention_days": {"type": "int"},
    "changeable_days": {"type": "int"},
}
#: The bounds of a lock, by AWS's names.
LOCK = {"min_retention_days": "MinRetentionDays", "max_retention_days": "MaxRetentionDays"}
MISSING = "ResourceNotFoundException"
#: What AWS Backup says of a role that was made a moment ago.
UNKNOWN_ROLE = ("InvalidParameterValueException",)


class Backups(_aws.Planned):
    """``opt_in/<region>``, ``vault/<region>/<name>``, ``plan/<component>`` and ``selection/<component>``."""

    order = ("opt_in", "vault", "plan", "selection")
    immutable = {"vault": ("kms_key_id",)}

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.name, self.state, self.region = self.params["name"], self.params["state"], str(module.region)
        self.vault = self.params["vault_name"] or self.name
        every = _aws.checked_items("plans", self.params["plans"], _backup.PLAN_SPEC)
        self.plans = {component: plan for component, plan in every.items() if plan["enabled"]}
        self._check()
        if self.params["purge_plans"] and self.params["plans"] is not None:
            self.purge = ("plan", "selection")
        self.api = self.client("backup")
        # A plan that is switched off leaves its copies, so a removal looks for them.
        counted = every if self.state == "absent" else self.plans
        self.regions = [self.region, *_backup.copy_regions(list(counted.values()))]
        self.apis = {region: self.client("backup", region) for region in self.regions}
        self.documents: dict[str, dict[str, Any]] = {}
        self.policies: dict[str, _bucket.Policy] = {}

    def _check(self) -> None:
        params = self.params
        if not _backup.VAULT.fullmatch(self.vault):
            raise _plan.Refused(f"vault_name is {self.vault!r}: use 2 to 50 letters, digits, dashes and underscores.")
        keys = {"kms_key_id": params["kms_key_id"]}
        keys.update({f"copy_kms_key_ids.{region}": key for region, key in params["copy_kms_key_ids"].items()})
        for option, key in keys.items():
            if key and _plan.is_known(key) and not _backup.KEY_ARN.fullmatch(key):
                raise _plan.Refused(
                    f"{option} is {key!r}: give the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>."
                )
        _backup.check_lock(params["lock"])
        if self.state != "present":
            return
        for component, plan in self.plans.items():
            path = f"plans.{component}"
            if not _backup.NAME.fullmatch(f"{self.name}-{component}"):
                raise _plan.Refused(
                    f"{path} makes the name {self.name}-{component}: AWS takes 50 letters, digits, dots, dashes and underscores."
                )
            _backup.check_plan(path, plan, self.region)
            if plan["selection_tags"] and not params["role_arn"]:
                raise _plan.Refused(
                    f"{path}.selection_tags is given and role_arn is not: AWS Backup needs a role to work with."
                )

    # Reading

    def read(self) -> _plan.Tree:
        tree: _plan.Tree = {}
        if self.state == "present" and self.params["resource_types"] is not None:
            tree[f"opt_in/{self.region}"] = self._opted_in()
        tree.update(self._plans())
        for region in self.regions:
            tree.update(self._vault(region))
        return tree

    def _opted_in(self) -> _plan.Fields:
        found = self.api.describe_region_settings(aws_retry=True)["ResourceTypeOptInPreference"]
        kinds = self.params["resource_types"]
        unknown = [kind for kind in kinds if kind not in found]
        if unknown:
            raise _plan.Refused(
                f"resource_types has {', '.join(unknown)}, which AWS Backup does not know in {self.region}: it knows {', '.join(sorted(found))}."
            )
        return {kind: found[kind] for kind in kinds}

    def _vault(self, region: str) -> _plan.Tree:
        """Return a region's vault from the list of all: AWS answers a question for one that is missing with AccessDenied."""
        every = _owned.listed(self.apis[region], "list_backup_vaults", "BackupVaultList")
        found = next((one for one in every if one["BackupVaultName"] == self.vault), None)
        if found is None:
            return {}
        arn = found["BackupVaultArn"]
        tags = _aws.tags_to_dict(_pairs(self.apis[region].list_tags(ResourceArn=arn, aws_retry=True).get("Tags")))
        _owned.refuse_foreign(f"The vault {self.vault} in {region}", tags, self.params["tags"], self.state == "absent")
        locked = bool(found.get("Locked"))
        fields: _plan.Fields = {
            "arn": arn,
            "kms_key_id": found.get("EncryptionKeyArn"),
            "lock": {name: found.get(key) for name, key in LOCK.items()} if locked else {},
            "lock_date": found.get("LockDate"),
            "points": found.get("NumberOfRecoveryPoints", 0),
            "tags": tags,
        }
        if self.state == "absent" or (self.state == "present" and self.params["protect"] is not None):
            self.policies[region] = self._policy(region)
            fields["protected"] = bool(_bucket.named(self.policies[region], [_backup.PROTECTION]))
        return {f"vault/{region}/{self.vault}": fields}

    def _policy(self, region: str) -> _bucket.Policy:
        try:
            found = self.apis[region].get_backup_vault_access_policy(BackupVaultName=self.vault, aws_retry=True)
        except is_boto3_error_code(MISSING):
            found = {}
        return _bucket.parsed(found.get("Policy"))

    def _plans(self) -> _plan.Tree:
        """Return plans and selections whose name and tag say that they are ours."""
        tree: _plan.Tree = {}
        prefix = f"{self.name}-"
        for one in _owned.listed(self.api, "list_backup_plans", "BackupPlansList"):
            component = one["BackupPlanName"].removeprefix(prefix)
            if not one["BackupPlanName"].startswith(prefix):
                continue
            arn = one["BackupPlanArn"]
            tags = _aws.tags_to_dict(_pairs(self.api.list_tags(ResourceArn=arn, aws_retry=True).get("Tags")))
            if tags.get(PART_TAG) != component and (tags.get(PART_TAG) or component not in self.plans):
                continue  # of another stack whose name begins alike, or made by hand
            _owned.refuse_foreign(
                f"The plan {one['BackupPlanName']}", tags, self.params["tags"], self.state == "absent"
            )
            tree[f"plan/{component}"] = {"id": one["BackupPlanId"], "arn": arn, "tags": tags}
            if self.state != "gathered":
                tree[f"plan/{component}"]["rules"] = self._rules(component, one["BackupPlanId"], arn.split(":")[4])
            tree.update(self._selection(component, one["BackupPlanId"]))
        return tree

    def _rules(self, component: str, identity: str, account: str) -> list[dict[str, Any]]:
        document = self.api.get_backup_plan(BackupPlanId=identity, aws_retry=True)["BackupPlan"]
        self.documents[component] = document
        return [_backup.rule_of(rule, account) for rule in document["Rules"]]

    def _selection(self, component: str, plan: str) -> _plan.Tree:
        every = _owned.listed(self.api, "list_backup_selections", "BackupSelectionsList", BackupPlanId=plan)
        # Of a plan that goes, all selections go: AWS asks for that.
        going = self.state == "absent" or (self.params["purge_plans"] and component not in self.plans)
        if not going:
            every = [one for one in every if _backup.is_ours(component, one["SelectionName"])]
        wanted = (_backup.selection(component, self.plans[component]) or {}) if component in self.plans else {}
        every.sort(key=lambda one: one["SelectionName"] != wanted.get("name"))
        if not every:
            return {}
        first, *others = every
        return {
            f"selection/{component}": {
                "id": first["SelectionId"],
                "plan_id": plan,
                "name": first["SelectionName"],
                "role_arn": first["IamRoleArn"],
                "superseded": [one["SelectionId"] for one in others],
            }
        }

    # What is wanted

    def changes(self, tree: _plan.Tree) -> list[_plan.Change]:
        if self.state == "absent":
            for key, fields in sorted(tree.items()):
                if _plan.kind_of(key) == "vault":
                    what = f"vault {self.vault} in {key.split('/')[1]}"
                    _backup.check_removal(what, fields, self.params["delete_recovery_points"])
        return super().changes(tree)

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        params = self.params
        tree: _plan.Tree = {}
        if params["resource_types"] is not None:
            tree[f"opt_in/{self.region}"] = dict.fromkeys(params["resource_types"], True)
        for region in self.regions:
            key = f"vault/{region}/{self.vault}"
            tree[key] = self._wanted_vault(region, current.get(key))
        if params["plans"] is None:
            return {**tree, **{key: {} for key in current if _plan.kind_of(key) in ("plan", "selection")}}
        for component, plan in self.plans.items():
            self._check_bounds(component, plan, current)
            marks = {**(params["tags"] or {}), PART_TAG: component}
            now = current.get(f"plan/{component}", {}).get("tags")
            purge = params["purge_tags"] and params["tags"] is not None
            tree[f"plan/{component}"] = {
                "rules": [_backup.rule(component, plan, self.vault, {key: str(value) for key, value in marks.items()})],
                "tags": _aws.merged_tags(now, marks, purge),
            }
            wanted = _backup.selection(component, plan)
            key = f"selection/{component}"
            if wanted is None:
                tree.update({key: {}} if key in current else {})
                continue
            same = current.get(key, {}).get("name") == wanted["name"]
            tree[key] = {
                **({"name": wanted["name"]} if same else wanted),
                "role_arn": params["role_arn"],
                "superseded": [],
            }
        return tree

    def _wanted_vault(self, region: str, now: _plan.Fields | None) -> _plan.Fields:
        params = self.params
        key = params["kms_key_id"] if region == self.region else params["copy_kms_key_ids"].get(region)
        lock, protect = params["lock"], params["protect"]
        wanted: _plan.Fields = {
            "kms_key_id": key or None,
            "lock": None if lock is None else self._lock(region, lock, now),
            "protected": protect if now or protect else None,
            "tags": _aws.merged_tags((now or {}).get("tags"), params["tags"], params["purge_tags"]),
        }
        if now is None and not wanted["lock"]:
            wanted["lock"] = None
        return wanted

    def _lock(self, region: str, lock: Mapping[str, Any], now: _plan.Fields | None) -> dict[str, Any]:
        """Return the lock a vault should have; ``changeable_days`` counts only while no such time runs."""
        wanted = {name: lock[name] for name in LOCK} if any(value is not None for value in lock.values()) else {}
        there = (now or {}).get("lock") or {}
        if (now or {}).get("lock_date") is not None:
            if wanted != there:
                raise _plan.Refused(
                    f"lock is {wanted or {}}, and the lock of the vault {self.vault} in {region} is {there} and becomes, or is, unchangeable "
                    f"({now['lock_date'] if now else ''}): give it as it is, or leave lock out."
                )
            return wanted
        if lock.get("changeable_days"):
            wanted["changeable_days"] = lock["changeable_days"]
        return wanted

    def _check_bounds(self, component: str, plan: Mapping[str, Any], current: _plan.Tree) -> None:
        """Compare a plan's times with the lock that is wanted, else with that of the vault that is there."""
        there = current.get(f"vault/{self.region}/{self.vault}", {}).get("lock")
        lock = there if self.params["lock"] is None else self.params["lock"]
        _backup.check_bounds(f"plans.{component}", plan, lock)

    # Writing

    def _update_opt_in(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self.api.update_region_settings(ResourceTypeOptInPreference=change.after, aws_retry=True)
        return {}

    def _create_vault(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        region, after = change.name.split("/")[0], change.after
        key = {"EncryptionKeyArn": after["kms_key_id"]} if after.get("kms_key_id") else {}
        tags = {"BackupVaultTags": after["tags"]} if after.get("tags") else {}
        made = self.apis[region].create_backup_vault(BackupVaultName=self.vault, aws_retry=True, **key, **tags)
        self._write_vault(region, after)
        return {"arn": made["BackupVaultArn"]}

    def _update_vault(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        region = change.name.split("/")[0]
        self._write_vault(region, change.after)
        self._tag(self.apis[region], tree[change.key]["arn"], change)
        return {}

    def _write_vault(self, region: str, after: Mapping[str, Any]) -> None:
        api = self.apis[region]
        if after.get("lock"):
            bounds = {
                key: after["lock"].get(name) for name, key in {**LOCK, "changeable_days": "ChangeableForDays"}.items()
            }
            api.put_backup_vault_lock_configuration(
                BackupVaultName=self.vault,
                aws_retry=True,
                **{key: value for key, value in bounds.items() if value is not None},
            )
        elif "lock" in after:
            api.delete_backup_vault_lock_configuration(BackupVaultName=self.vault, aws_retry=True)
        if "protected" in after:
            ours = {_backup.PROTECTION: _backup.protection()} if after["protected"] else {}
            policy = _bucket.merged(self.policies.get(region, _bucket.parsed(None)), ours, [_backup.PROTECTION])
            if policy["Statement"]:
                text = json.dumps(policy)
                api.put_backup_vault_access_policy(BackupVaultName=self.vault, Policy=text, aws_retry=True)
            else:
                api.delete_backup_vault_access_policy(BackupVaultName=self.vault, aws_retry=True)

    def _tag(self, api: Any, arn: str, change: _plan.Change) -> None:
        if "tags" not in change.after:
            return
        added, removed = _owned.tag_changes(change.before["tags"], change.after["tags"])
        if removed:
            api.untag_resource(ResourceArn=arn, TagKeyList=removed, aws_retry=True)
        if added:
            api.tag_resource(ResourceArn=arn, Tags=added, aws_retry=True)

    def _delete_vault(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        api = self.apis[change.name.split("/")[0]]

        def points() -> list[dict[str, Any]]:
            return _owned.listed(
                api, "list_recovery_points_by_backup_vault", "RecoveryPoints", (MISSING,), BackupVaultName=self.vault
            )

        if self.params["delete_recovery_points"] and change.before["points"]:
            for point in points():
                if point.get("Status") != "DELETING":
                    arn = point["RecoveryPointArn"]
                    api.delete_recovery_point(BackupVaultName=self.vault, RecoveryPointArn=arn, aws_retry=True)
            what = f"the recovery points of {self.vault} to be gone"
            _aws.wait_for(self.module, what, lambda: not points(), self.params["wait_timeout"], delay=5)
        try:
            api.delete_backup_vault(BackupVaultName=self.vault, aws_retry=True)
        except is_boto3_error_code("InvalidRequestException") as error:
            raise _plan.Refused(
                f"AWS keeps the vault {self.vault}: {error}. A backup may have ended meanwhile; run again to see."
            ) from error
        return {}

    def _create_plan(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        made = self.api.create_backup_plan(
            BackupPlan=self._document(change.name, change.after["rules"], tree),
            BackupPlanTags=change.after["tags"],
            aws_retry=True,
        )
        return {"id": made["BackupPlanId"], "arn": made["BackupPlanArn"]}

    def _update_plan(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        now = tree[change.key]
        if "rules" in change.after:
            document = self._document(change.name, change.after["rules"], tree)
            self.api.update_backup_plan(BackupPlanId=now["id"], BackupPlan=document, aws_retry=True)
        self._tag(self.api, now["arn"], change)
        return {}

    def _document(self, component: str, rules: list[dict[str, Any]], tree: _plan.Tree) -> dict[str, Any]:
        """Return a plan's document: ours, and what the plan holds besides rules and name."""
        arns = {
            _plan.name_of(key): fields.get("arn", "") for key, fields in tree.items() if _plan.kind_of(key) == "vault"
        }
        return {
            **self.documents.get(component, {}),
            "BackupPlanName": f"{self.name}-{component}",
            "Rules": [_backup.rule_request(rule, arns) for rule in rules],
        }

    def _delete_plan(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self.api.delete_backup_plan(BackupPlanId=change.before["id"], aws_retry=True)
        return {}

    def _create_selection(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        plan = tree[f"plan/{change.name}"]["id"]
        made = self.client("backup", retried=UNKNOWN_ROLE).create_backup_selection(
            BackupPlanId=plan, BackupSelection=_backup.selection_request(change.after), aws_retry=True
        )
        return {"id": made["SelectionId"], "plan_id": plan}

    def _update_selection(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        """Make the new one first: what a selection names is not without a backup for a moment. A name is free only afterwards."""
        now = tree[change.key]
        old = [*now["superseded"]]
        made: _plan.Fields = {}
        if "role_arn" in change.after or "name" in change.after:
            old.append(now["id"])
            if "name" not in change.after:
                self._drop(now["plan_id"], old)
                old = []
            wanted = {
                **(_backup.selection(change.name, self.plans[change.name]) or {}),
                "role_arn": self.params["role_arn"],
            }
            made = self._create_selection(_plan.Change(_plan.CREATE, change.key, {}, wanted), tree)
        self._drop(now["plan_id"], old)
        return made

    def _drop(self, plan: str, selections: list[str]) -> None:
        for selection in selections:
            try:
                self.api.delete_backup_selection(BackupPlanId=plan, SelectionId=selection, aws_retry=True)
            except is_boto3_error_code(MISSING):
                pass

    def _delete_selection(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self._drop(change.before["plan_id"], [*change.before["superseded"], change.before["id"]])
        return {}

    # Facts

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        arns = {
            key.split("/")[1]: fields.get("arn", _plan.UNKNOWN)
            for key, fields in tree.items()
            if _plan.kind_of(key) == "vault"
        }
        plans = {}
        for key, fields in sorted(tree.items()):
            if _plan.kind_of(key) == "plan":
                selected = tree.get(f"selection/{_plan.name_of(key)}")
                plans[_plan.name_of(key)] = {
                    "id": fields.get("id", _plan.UNKNOWN),
                    "arn": fields.get("arn", _plan.UNKNOWN),
                    "selection_id": None if selected is None else selected.get("id", _plan.UNKNOWN),
                    "role_arn": None if selected is None else selected["role_arn"],
                }
        return {
            "vault_name": self.vault if self.region in arns else None,
            "vault_arn": arns.pop(self.region, None),
            "copy_vault_arns": dict(sorted(arns.items())),
            "plans": plans,
        }


def _pairs(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Return AWS Backup's tags in the shape of the other services."""
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "vault_name": {"type": "str"},
            "kms_key_id": {"type": "str"},
            "copy_kms_key_ids": {"type": "dict", "default": {}, "no_log": False},
            "lock": {"type": "dict", "options": LOCK_SPEC},
            "protect": {"type": "bool"},
            "plans": {"type": "dict"},
            "purge_plans": {"type": "bool", "default": False},
            "role_arn": {"type": "str"},
            "resource_types": {"type": "list", "elements": "str"},
            "delete_recovery_points": {"type": "bool", "default": False},
            "wait_timeout": {"type": "int", "default": 600},
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
        },
        supports_check_mode=True,
    )
    _aws.main(module, Backups)


if __name__ == "__main__":
    main()
