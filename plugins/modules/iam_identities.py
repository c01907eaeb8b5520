#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: iam_identities
version_added: 0.1.0
short_description: Keep IAM roles with their policies and instance profiles
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Keeps any number of roles, each with its trust policy, managed policies, inline policies and instance profile, in one process.
  - Policies are compared by what they mean. The order of statements, of actions and of resources counts nothing, nor does a list of one.
  - A role, or an instance profile, that carries another stack's tag is refused.
  - M(amazon.aws.iam_role) and M(amazon.aws.iam_policy) take a process for each role and each policy, the latter fails in check mode
    on an account that has no such role yet, and neither predicts an ARN. This module can be retired once upstream does all three.
options:
  roles:
    description:
      - The roles by their names. For O(state=absent) and O(state=gathered) the names are enough, each with an empty dictionary.
      - A role takes C(description), C(service) or C(trust), C(managed_policies), C(policies), C(instance_profile),
        C(permissions_boundary), C(max_session_duration) and C(tags). What is not given is left alone.
      - C(service) is the one principal that may assume the role, such as C(ec2.amazonaws.com); C(trust) is a whole trust policy.
        A new role needs one of the two.
      - C(managed_policies) is the list of the ARNs of all managed policies that are attached; others are detached.
      - C(policies) is the dictionary of all inline policies, each a list of statements; others are deleted.
      - C(instance_profile) tells whether there is an instance profile of the same name, which holds the role.
      - C(permissions_boundary) is the ARN of a managed policy; an empty text removes the boundary.
      - C(max_session_duration) is in seconds, 3600 to 43200.
      - C(tags) are further tags of this role and its instance profile; they win over O(tags).
    type: dict
    required: true
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.plan.tags
notes:
  - IAM belongs to no region; whatever O(region) says, its one endpoint is called.
  - AWS takes some seconds until a new role or instance profile is known everywhere. What uses it at once has to retry.
"""

EXAMPLES = r"""
- name: Keep the roles of nodes and of backups
  wordpress_ha.aws.iam_identities:
    roles:
      blog-web:
        description: Web nodes of the stack blog
        service: ec2.amazonaws.com
        managed_policies: [arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore]
        policies:
          contract:
            - Sid: Contract
              Effect: Allow
              Action: [ssm:GetParametersByPath]
              Resource: arn:aws:ssm:eu-central-1:123456789012:parameter/wordpress_ha/blog/*
        instance_profile: true
      blog-backups:
        service: backup.amazonaws.com
        managed_policies:
          - arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup
    tags:
      "wordpress_ha:stack": blog

- name: Remove a role with all that belongs to it
  wordpress_ha.aws.iam_identities:
    roles: {blog-backups: {}}
    tags:
      "wordpress_ha:stack": blog
    state: absent
"""

RETURN = r"""
roles:
  description: The roles by their names.
  returned: success
  type: dict
  sample:
    blog-web:
      name: blog-web
      arn: arn:aws:iam::123456789012:role/blog-web
      instance_profile_arn: arn:aws:iam::123456789012:instance-profile/blog-web
  contains:
    name:
      description: Name of the role.
      type: str
    arn:
      description: ARN of the role, null if there is none. In check mode that of a role that would be made is foretold.
      type: str
    instance_profile_arn:
      description: ARN of the instance profile of the same name; null if there is none, or if the role's C(instance_profile) is not set.
      type: str
actions:
  description: What was or would be done, in order; every item has C(action), C(resource), C(before) and C(after).
  returned: success
  type: list
  elements: dict
"""

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws, _owned, _plan, _policy

ROLE_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
POLICY_NAME = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?")
ARN = re.compile(r"arn:[\w-]+:iam::(aws|\d{12}):policy/.+")
MOST_POLICIES = 20  # attached to one role, with the quota raised as far as AWS raises it
LONGEST_POLICIES = 10240  # characters of all inline policies of one role together
LONGEST_TRUST = 4096  # characters, with the quota raised
MISSING = "NoSuchEntity"
#: What IAM answers while an earlier write is not known everywhere yet.
UNSETTLED = (MISSING, "ConcurrentModification", "EntityTemporarilyUnmodifiable", "DeleteConflict")

SPEC = {
    "description": {"type": "str"},
    "service": {"type": "str"},
    "trust": {"type": "dict"},
    "managed_policies": {"type": "list", "elements": "str"},
    "policies": {"type": "dict"},
    "instance_profile": {"type": "bool"},
    "permissions_boundary": {"type": "str"},
    "max_session_duration": {"type": "int"},
    "tags": {"type": "dict"},
}


class Identities(_aws.Planned):
    """``role/<name>``, ``policy/<role>/<name>`` and ``instance_profile/<name>``."""

    order = ("role", "policy", "instance_profile")
    purge = ("policy", "instance_profile")

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.roles = _aws.checked_items("roles", self.params["roles"], SPEC)
        for name, role in self.roles.items():
            _check(f"roles.{name}", name, role)
        self.state = self.params["state"]
        self.api = self.writer = self.client("iam")
        self.account = ""

    @functools.cached_property
    def patient(self) -> Any:
        """A client that waits until what this run made is known; a reading one must not, since what is missing stays missing."""
        return self.client("iam", retried=UNSETTLED)

    # Reading

    def read(self) -> _plan.Tree:
        tree: _plan.Tree = {}
        for name, role in self.roles.items():
            found = self._get("get_role", "Role", RoleName=name)
            if found:
                tree[f"role/{name}"] = self._role(name, role, found)
                tree.update(self._policies(name, role))
            if self.state != "present" or role["instance_profile"] is not None:
                tree.update(self._profile(name, bool(found)))
        return tree

    def _get(self, operation: str, key: str, **arguments: Any) -> dict[str, Any] | None:
        try:
            return dict(getattr(self.api, operation)(aws_retry=True, **arguments)[key])
        except is_boto3_error_code(MISSING):
            return None

    def _refuse_foreign(self, what: str, name: str, tags: dict[str, str]) -> None:
        _owned.refuse_foreign(f"The {what} {name}", tags, self._tags(name), self.state == "absent")

    def _tags(self, name: str) -> dict[str, str] | None:
        own = self.roles[name]["tags"]
        if self.params["tags"] is None and own is None:
            return None
        return {key: str(value) for key, value in {**(self.params["tags"] or {}), **(own or {})}.items()}

    def _role(self, name: str, role: dict[str, Any], found: dict[str, Any]) -> _plan.Fields:
        tags = _aws.tags_to_dict(found.get("Tags"))
        self._refuse_foreign("role", name, tags)
        self.account = _account(found["Arn"])
        fields: _plan.Fields = {
            "arn": found["Arn"],
            "description": found.get("Description", ""),
            "trust": _policy.parsed(found["AssumeRolePolicyDocument"]),
            "permissions_boundary": found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
            "max_session_duration": found.get("MaxSessionDuration", 3600),
            "tags": tags,
        }
        if self._reads(role["managed_policies"]):
            attached = _owned.listed(self.api, "list_attached_role_policies", "AttachedPolicies", RoleName=name)
            fields["managed_policies"] = sorted(one["PolicyArn"] for one in attached)
        return fields

    def _reads(self, option: Any) -> bool:
        """Tell whether a part that takes calls of its own counts: for a removal all of it does, for facts none."""
        return self.state == "absent" or (self.state == "present" and option is not None)

    def _policies(self, name: str, role: dict[str, Any]) -> _plan.Tree:
        if not self._reads(role["policies"]):
            return {}
        tree = {}
        for policy in _owned.listed(self.api, "list_role_policies", "PolicyNames", RoleName=name):
            found = self.api.get_role_policy(RoleName=name, PolicyName=policy, aws_retry=True)["PolicyDocument"]
            tree[f"policy/{name}/{policy}"] = {"statements": _policy.statements(_policy.parsed(found))}
        return tree

    def _profile(self, name: str, has_role: bool) -> _plan.Tree:
        found = self._get("get_instance_profile", "InstanceProfile", InstanceProfileName=name)
        if found is None:
            return {}
        tags, roles = _aws.tags_to_dict(found.get("Tags")), [one["RoleName"] for one in found["Roles"]]
        if self.state != "gathered" and roles not in ([], [name]):
            raise _plan.Refused(
                f"The instance profile {name} holds the role {', '.join(roles)}: it is left alone. "
                "Choose another name, or remove it yourself."
            )
        # One that an earlier version of ours, or upstream, made for the role carries no tags: whose it is the role says.
        if tags or not (has_role and roles):
            self._refuse_foreign("instance profile", name, tags)
        return {f"instance_profile/{name}": {"arn": found["Arn"], "roles": roles, "tags": tags}}

    # What is wanted

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        tree: _plan.Tree = {}
        for name, role in self.roles.items():
            now = current.get(f"role/{name}", {})
            tree[f"role/{name}"] = self._wanted_role(name, role, now)
            for policy, given in (role["policies"] or {}).items():
                key = f"policy/{name}/{policy}"
                there = current.get(key, {}).get("statements")
                same = there is not None and _policy.same_statements(there, given)
                tree[key] = {"statements": there if same else given}
            if role["instance_profile"]:
                key = f"instance_profile/{name}"
                tree[key] = {"roles": [name], "tags": self._merged(name, current.get(key, {}))}
        if self.module.check_mode and not self.account and any(key not in current for key in tree):
            self.account = _account(self.client("sts").get_caller_identity(aws_retry=True)["Arn"])
        return tree

    def _merged(self, name: str, now: Mapping[str, Any]) -> dict[str, str] | None:
        return _aws.merged_tags(now.get("tags"), self._tags(name), self.params["purge_tags"])

    def _wanted_role(self, name: str, role: dict[str, Any], now: _plan.Fields) -> _plan.Fields:
        trust = _policy.trust(role["service"]) if role["service"] else role["trust"]
        if not now and trust is None:
            raise _plan.Refused(
                f"roles.{name} has neither service nor trust, and there is no such role yet: say who may assume it."
            )
        if now and trust is not None and _policy.same(trust, now["trust"]):
            trust = now["trust"]
        managed = role["managed_policies"]
        boundary = role["permissions_boundary"]
        return {
            "description": role["description"],
            "trust": trust,
            "managed_policies": None if managed is None else sorted(managed),
            "permissions_boundary": boundary if boundary or now else None,
            "max_session_duration": role["max_session_duration"],
            "tags": self._merged(name, now),
        }

    def judged(self, changes: list[_plan.Change]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for change in changes:
            if change.kind == "policy" and change.action != _plan.DELETE:
                role, policy = change.name.split("/", 1)
                given = {"RoleName": role, "PolicyName": policy, "PolicyDocument": _document(change)}
                yield "iam", "PutRolePolicy", given
            elif change.kind == "role" and "trust" in change.after:
                yield "iam", "CreateRole", {"AssumeRolePolicyDocument": json.dumps(change.after["trust"])}

    # Writing

    def _create_role(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        after = change.after
        options = {
            "Description": after.get("description"),
            "PermissionsBoundary": after.get("permissions_boundary"),
            "MaxSessionDuration": after.get("max_session_duration"),
            "Tags": _aws.tags_to_list(after.get("tags")),
        }
        made = self.api.create_role(
            RoleName=change.name,
            AssumeRolePolicyDocument=json.dumps(after["trust"]),
            aws_retry=True,
            **{key: value for key, value in options.items() if value},
        )["Role"]
        self.writer = self.patient
        self._attach(change.name, [], after.get("managed_policies") or [])
        return {"arn": made["Arn"]}

    def _update_role(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        name, before, after = change.name, change.before, change.after
        if "trust" in after:
            self.writer.update_assume_role_policy(
                RoleName=name, PolicyDocument=json.dumps(after["trust"]), aws_retry=True
            )
        if {"description", "max_session_duration"} & set(after):
            whole = {**tree[change.key], **after}
            self.writer.update_role(
                RoleName=name,
                Description=whole["description"],
                MaxSessionDuration=whole["max_session_duration"],
                aws_retry=True,
            )
        if after.get("permissions_boundary"):
            self.writer.put_role_permissions_boundary(
                RoleName=name, PermissionsBoundary=after["permissions_boundary"], aws_retry=True
            )
        elif "permissions_boundary" in after:
            self.writer.delete_role_permissions_boundary(RoleName=name, aws_retry=True)
        if "managed_policies" in after:
            self._attach(name, before["managed_policies"], after["managed_policies"])
        self._tag("role", {"RoleName": name}, change)
        return {}

    def _attach(self, name: str, before: list[str], after: list[str]) -> None:
        for arn in sorted(set(after) - set(before)):
            self.writer.attach_role_policy(RoleName=name, PolicyArn=arn, aws_retry=True)
        for arn in sorted(set(before) - set(after)):
            self._unless_gone(self.api.detach_role_policy, RoleName=name, PolicyArn=arn)

    def _tag(self, kind: str, which: dict[str, str], change: _plan.Change) -> None:
        if "tags" not in change.after:
            return
        added, removed = _owned.tag_changes(change.before["tags"], change.after["tags"])
        if removed:
            getattr(self.writer, f"untag_{kind}")(**which, TagKeys=removed, aws_retry=True)
        if added:
            getattr(self.writer, f"tag_{kind}")(**which, Tags=_aws.tags_to_list(added), aws_retry=True)

    def _unless_gone(self, call: Callable[..., Any], **arguments: Any) -> None:
        try:
            call(aws_retry=True, **arguments)
        except is_boto3_error_code(MISSING):
            pass

    def _delete_role(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        name = change.name
        self._attach(name, change.before["managed_policies"], [])
        # Its own instance profile is gone by now; somebody else's may hold the role still.
        for profile in _owned.listed(
            self.api, "list_instance_profiles_for_role", "InstanceProfiles", (MISSING,), RoleName=name
        ):
            self._unless_gone(
                self.api.remove_role_from_instance_profile,
                InstanceProfileName=profile["InstanceProfileName"],
                RoleName=name,
            )
        self._unless_gone(self.client("iam", retried=["DeleteConflict"]).delete_role, RoleName=name)
        return {}

    def _write_policy(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        role, policy = change.name.split("/", 1)
        self.writer.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=_document(change), aws_retry=True)
        return {}

    _create_policy = _update_policy = _write_policy

    def _delete_policy(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        role, policy = change.name.split("/", 1)
        self._unless_gone(self.api.delete_role_policy, RoleName=role, PolicyName=policy)
        return {}

    def _create_instance_profile(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        tags = {"Tags": _aws.tags_to_list(change.after["tags"])} if change.after.get("tags") else {}
        made = self.api.create_instance_profile(InstanceProfileName=change.name, aws_retry=True, **tags)
        self.writer = self.patient
        self._hold(change.name)
        return {"arn": made["InstanceProfile"]["Arn"]}

    def _update_instance_profile(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        if "roles" in change.after:
            self._hold(change.name)
        self._tag("instance_profile", {"InstanceProfileName": change.name}, change)
        return {}

    def _hold(self, name: str) -> None:
        self.writer.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name, aws_retry=True)

    def _delete_instance_profile(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        for role in change.before["roles"]:
            self._unless_gone(
                self.api.remove_role_from_instance_profile, InstanceProfileName=change.name, RoleName=role
            )
        self._unless_gone(self.api.delete_instance_profile, InstanceProfileName=change.name)
        return {}

    # Facts

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        return {
            "roles": {
                name: {
                    "name": name,
                    "arn": self._arn(tree, "role", name),
                    "instance_profile_arn": self._arn(tree, "instance_profile", name),
                }
                for name in sorted(self.roles)
            }
        }

    def _arn(self, tree: _plan.Tree, kind: str, name: str) -> str | None:
        fields = tree.get(f"{kind}/{name}")
        if fields is None:
            return None
        foretold = f"{self.account}:{kind.replace('_', '-')}/{name}" if self.account else _plan.UNKNOWN
        return str(fields.get("arn", foretold))


def _document(change: _plan.Change) -> str:
    """Return the text of the inline policy of a change."""
    return json.dumps(_policy.document(change.after["statements"]))


def _account(arn: str) -> str:
    """Return what the ARNs of all roles of an account begin with, from any ARN of that account."""
    parts = arn.split(":")
    return f"arn:{parts[1]}:iam::{parts[4]}"


def _check(path: str, name: str, role: dict[str, Any]) -> None:
    """Refuse what AWS would, before anything is written."""
    if not ROLE_NAME.fullmatch(name):
        raise _plan.Refused(f"roles has the name {name!r}: use 1 to 64 letters, digits and _+=,.@-.")
    if role["service"] and not SERVICE.fullmatch(role["service"]):
        raise _plan.Refused(f"{path}.service is {role['service']!r}: give a principal such as ec2.amazonaws.com.")
    if role["service"] and role["trust"] is not None:
        raise _plan.Refused(f"{path} has both service and trust: give service alone, or the whole trust policy.")
    if role["trust"] is not None:
        _policy.check(f"{path}.trust.Statement", _policy.statements(role["trust"]), of_role=False)
        if _policy.size(role["trust"]) > LONGEST_TRUST:
            raise _plan.Refused(
                f"{path}.trust has {_policy.size(role['trust'])} characters: IAM takes {LONGEST_TRUST}. Shorten it."
            )
    if len(role["description"] or "") > 1000:
        raise _plan.Refused(
            f"{path}.description has {len(role['description'])} characters: IAM takes 1000. Shorten it."
        )
    if role["max_session_duration"] is not None and not 3600 <= role["max_session_duration"] <= 43200:
        raise _plan.Refused(
            f"{path}.max_session_duration is {role['max_session_duration']}: give 3600 to 43200 seconds."
        )
    _check_policies(path, role)


def _check_policies(path: str, role: dict[str, Any]) -> None:
    managed = role["managed_policies"] or []
    boundary = [role["permissions_boundary"]] if role["permissions_boundary"] else []
    for option, arns in (("managed_policies", managed), ("permissions_boundary", boundary)):
        for arn in arns:
            if _plan.is_known(arn) and not ARN.fullmatch(arn):
                raise _plan.Refused(
                    f"{path}.{option} is {arn!r}: give the ARN of a policy, such as arn:aws:iam::aws:policy/ReadOnlyAccess."
                )
    if len(set(managed)) != len(managed) or len(managed) > MOST_POLICIES:
        raise _plan.Refused(f"{path}.managed_policies has {len(managed)}: name at most {MOST_POLICIES}, each once.")
    total = 0
    for policy, given in (role["policies"] or {}).items():
        if not POLICY_NAME.fullmatch(policy):
            raise _plan.Refused(f"{path}.policies has the name {policy!r}: use 1 to 128 letters, digits and _+=,.@-.")
        total += _policy.size(_policy.document(_policy.check(f"{path}.policies.{policy}", given)))
    if total > LONGEST_POLICIES:
        raise _plan.Refused(
            f"{path}.policies have {total} characters together: IAM takes {LONGEST_POLICIES} in one role. "
            "Narrow them with patterns, or attach a managed policy."
        )


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "roles": {"type": "dict", "required": True},
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
        },
        supports_check_mode=True,
    )
    _aws.main(module, Identities)


if __name__ == "__main__":
    main()
