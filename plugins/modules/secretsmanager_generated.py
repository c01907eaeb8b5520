#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: secretsmanager_generated
version_added: 0.1.0
short_description: Keep a Secrets Manager secret whose values are generated once and never shown
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Owns one secret whose value is a JSON object. Missing keys are generated inside this module by Python's C(secrets) and sent
    to AWS at once. A generated value is never returned or logged, and never changed again unless O(rotate=true). Keys that are not mentioned survive.
  - M(community.aws.secretsmanager_secret) can only store a value that a play already holds, so that it must be generated and
    carried by variables. This module can be retired once upstream generates values itself and adds keys without replacing others.
  - A secret that is pending deletion is restored, with its values, unless O(restore=false).
  - With O(secrets) one run keeps several of them; a process for each would take a second each.
options:
  name:
    description: Name of the secret, such as C(blog/cache). Either this or O(secrets) is required.
    type: str
  secrets:
    description:
      - Several secrets by their names, each a dictionary of C(keys), C(literals), C(rotate), C(description), C(kms_key_id) and C(tags)
        with the meaning and the defaults of the options of these names. For O(state=absent) and O(state=gathered) the names are enough.
      - C(tags) of a secret are joined with O(tags), and win.
    type: dict
  keys:
    description:
      - Keys of the JSON object to generate where missing, each with a dictionary of C(length) (8 to 1024, default 48) and
        C(charset) (default V(alphanumeric)).
      - The charset V(alphanumeric) suits every consumer; V(hex) has 16 characters; V(symbols) adds punctuation, but no quotes,
        backslash, slash, at sign, dollar, backtick or space.
    type: dict
    default: {}
  literals:
    description:
      - Keys of the JSON object with a given value, such as C(username). They are set and updated.
      - The values appear in the diff. They are no place for a secret.
    type: dict
    default: {}
  rotate:
    description:
      - Whether the values of all O(keys) are generated anew, in one writing call, as a new version of the secret. AWS moves
        the stage C(AWSCURRENT) to it and marks the former version C(AWSPREVIOUS), so that both can be read.
      - Every run with V(true) is a change. A third version drops the first one. Who uses the values must have taken the current
        one before the next rotation, and only the caller can know that.
      - A secret that does not exist yet is created, and not rotated as well.
    type: bool
    default: false
  description:
    description: Description of the secret.
    type: str
  kms_key_id:
    description: ARN of the KMS key. Without it the account's default key for Secrets Manager serves.
    type: str
  restore:
    description: Whether a secret of this name that is pending deletion is restored. Otherwise the module fails and says when it ends.
    type: bool
    default: true
  recovery_window:
    description: How many days (7 to 30) a removed secret can still be restored; V(0) removes it at once and for ever.
    type: int
    default: 30
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.plan.tags
"""

EXAMPLES = r"""
- name: Keep the credentials of the WordPress database user
  wordpress_ha.aws.secretsmanager_generated:
    name: blog/wordpress-database
    literals:
      username: wordpress
    keys:
      password: {}
    tags:
      "wordpress_ha:stack": blog

- name: Keep the salts
  wordpress_ha.aws.secretsmanager_generated:
    name: blog/salts
    keys:
      AUTH_KEY: {length: 64, charset: symbols}
      AUTH_SALT: {length: 64, charset: symbols}

- name: Keep several in one run
  wordpress_ha.aws.secretsmanager_generated:
    secrets:
      blog/wordpress-admin:
        literals: {username: admin}
        keys:
          password: {length: 24}
      blog/origin:
        keys:
          header_value: {}
    tags:
      "wordpress_ha:stack": blog

- name: Give the header of the edge a new value, the former one staying readable as AWSPREVIOUS
  wordpress_ha.aws.secretsmanager_generated:
    name: blog/origin
    keys:
      header_value: {}
    rotate: true
"""

RETURN = r"""
arn:
  description: ARN of the secret, null if there is none.
  returned: with O(name)
  type: str
name:
  description: Name of the secret.
  returned: with O(name)
  type: str
version_id:
  description: Identifier of the current version of the value, null if there is none.
  returned: with O(name)
  type: str
keys:
  description: Names of all keys of the JSON object, sorted, without values.
  returned: with O(name)
  type: list
  elements: str
secrets:
  description: With O(secrets) these results by name, instead of those for one secret.
  returned: with O(secrets)
  type: dict
  sample: {"blog/origin": {"arn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:blog/origin-a1b2c3", "keys": ["header_value"]}}
actions:
  description: What was or would be done, in order; every item has C(action), C(resource), C(before) and C(after).
  returned: success
  type: list
  elements: dict
"""

import functools
import json
import secrets
import string
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws, _owned, _plan, _several

CHARSETS = {
    "alphanumeric": string.ascii_letters + string.digits,
    "hex": "0123456789abcdef",
    "symbols": string.ascii_letters + string.digits + "!#%&()*+,-.:;<=>?[]^_{|}~",
}
KEY_SPEC = {
    "length": {"type": "int", "default": 48},
    "charset": {"type": "str", "choices": list(CHARSETS), "default": "alphanumeric"},
}
ANOTHER = "(another value)"
#: What each of several secrets may have of its own; the rest holds for all of them.
ITEM_SPEC: dict[str, Any] = {
    "keys": {"type": "dict", "default": {}, "no_log": False},
    "literals": {"type": "dict", "default": {}},
    "rotate": {"type": "bool", "default": False},
    "description": {"type": "str"},
    "kms_key_id": {"type": "str"},
}


SECRET_SPEC = {**ITEM_SPEC, "tags": {"type": "dict"}}


class GeneratedSecret(_aws.Planned):
    """One resource, ``secret/<name>``; of its value only the names of keys and the wanted literals enter the tree."""

    order = ("secret",)

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.key = f"secret/{self.params['name']}"
        self.generated = _checked_keys(self.params["keys"])
        self.literals = {key: str(value) for key, value in self.params["literals"].items()}
        if both := sorted(set(self.generated) & set(self.literals)):
            raise _plan.Refused(f"keys and literals both name {', '.join(both)}: name each in one of the two.")
        if self.params["rotate"] and not self.generated:
            raise _plan.Refused("rotate is true and keys is empty: name the keys to generate anew.")
        if self.params["recovery_window"] != 0 and not 7 <= self.params["recovery_window"] <= 30:
            raise _plan.Refused(f"recovery_window is {self.params['recovery_window']}: give 0, or 7 to 30 days.")
        self.api = self.client("secretsmanager")

    def read(self) -> _plan.Tree:
        try:
            found = self.api.describe_secret(SecretId=self.params["name"], aws_retry=True)
        except is_boto3_error_code("ResourceNotFoundException"):
            return {}
        tags = _aws.tags_to_dict(found.get("Tags"))
        deleting = self.params["state"] == "absent"
        _owned.refuse_foreign(f"The secret {self.params['name']}", tags, self.params["tags"], deleting)
        fields: _plan.Fields = {
            "arn": found["ARN"],
            "description": found.get("Description", ""),
            "kms_key_id": found.get("KmsKeyId"),
            "tags": tags,
        }
        if found.get("DeletedDate"):
            return (
                {} if self.params["state"] != "present" else {self.key: self._restorable(fields, found["DeletedDate"])}
            )
        value, version = self._value()
        # A value that a literal would replace may be a generated one: only its being different is shown.
        literals = {key: text if value[key] == text else ANOTHER for key, text in self.literals.items() if key in value}
        fields.update(keys=sorted(value), literals=literals, version_id=version, pending_deletion=False)
        return {self.key: fields}

    def _restorable(self, fields: _plan.Fields, until: Any) -> _plan.Fields:
        if not self.params["restore"]:
            raise _plan.Refused(
                f"The secret {self.params['name']} is pending deletion until {until:%Y-%m-%d} and restore is false: "
                "set restore to true, wait, or choose another name."
            )
        return {**fields, "pending_deletion": True}

    def _value(self) -> tuple[dict[str, Any], str | None]:
        """Return the current value and its version; a secret that never got a value has an empty one."""
        try:
            found = self.api.get_secret_value(SecretId=self.params["name"], aws_retry=True)
        except is_boto3_error_code("ResourceNotFoundException"):
            return {}, None
        try:
            value = json.loads(found.get("SecretString", ""))
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise _plan.Refused(
                f"The value of the secret {self.params['name']} is not a JSON object, so that no key can be added to it: "
                "choose another name, or convert the value."
            )
        return value, found["VersionId"]

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        now = current.get(self.key, {})
        wanted = {
            "description": self.params["description"],
            "kms_key_id": self.params["kms_key_id"],
            "tags": _owned.wanted_tags(
                self.params["name"], now.get("tags"), self.params["tags"], self.params["purge_tags"]
            ),
            "keys": sorted({*now.get("keys", ()), *self.generated, *self.literals}),
            "literals": self.literals or None,
            "pending_deletion": False if now else None,
        }
        if now and (
            self.params["rotate"] or any(wanted[name] not in (None, now.get(name)) for name in ("keys", "literals"))
        ):
            wanted["version_id"] = _plan.UNKNOWN
        return {self.key: wanted}

    def handlers(self) -> dict[str, _plan.Handler]:
        return {"create secret": self._create, "update secret": self._update, "delete secret": self._delete}

    def _completed(self, value: dict[str, Any]) -> str:
        """Return the value as JSON text with literals set and missing keys generated, all of them in a rotation."""
        missing = {
            key: "".join(secrets.choice(CHARSETS[item["charset"]]) for _index in range(item["length"]))
            for key, item in self.generated.items()
            if key not in value or self.params["rotate"]
        }
        return json.dumps({**value, **self.literals, **missing})

    def _create(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        options = {"Description": change.after.get("description"), "KmsKeyId": change.after.get("kms_key_id")}
        made = self.api.create_secret(
            Name=change.name,
            SecretString=self._completed({}),
            Tags=_aws.tags_to_list(change.after.get("tags")),
            aws_retry=True,
            **{key: value for key, value in options.items() if value},
        )
        return {"arn": made["ARN"], "version_id": made["VersionId"]}

    def _update(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        after = change.after
        if "pending_deletion" in after:
            self.api.restore_secret(SecretId=change.name, aws_retry=True)
        settings = {"Description": after.get("description"), "KmsKeyId": after.get("kms_key_id")}
        settings = {key: value for key, value in settings.items() if value is not None}
        if settings:
            self.api.update_secret(SecretId=change.name, aws_retry=True, **settings)
        if "tags" in after:
            self._tag(change)
        if "version_id" not in after:
            return {}
        value, version = self._value()
        if json.dumps(value) != (completed := self._completed(value)):
            version = self.api.put_secret_value(SecretId=change.name, SecretString=completed, aws_retry=True)[
                "VersionId"
            ]
        return {"version_id": version, "keys": sorted(json.loads(completed))}

    def _tag(self, change: _plan.Change) -> None:
        setting, removing = _owned.tag_changes(change.before["tags"], change.after["tags"])
        if setting:
            self.api.tag_resource(SecretId=change.name, Tags=_aws.tags_to_list(setting), aws_retry=True)
        if removing:
            self.api.untag_resource(SecretId=change.name, TagKeys=removing, aws_retry=True)

    def _delete(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        days = self.params["recovery_window"]
        how = {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
        self.api.delete_secret(SecretId=change.name, aws_retry=True, **how)
        return {}

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        fields = tree.get(self.key)
        unknown = None if fields is None else _plan.UNKNOWN
        return {
            "name": self.params["name"],
            "arn": (fields or {}).get("arn", unknown),
            "version_id": (fields or {}).get("version_id", unknown),
            "keys": (fields or {}).get("keys", []),
        }


class GeneratedSecrets(_several.Several):
    """Several secrets in one run."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        common = _several.Common()
        rest = {name: value for name, value in module.params.items() if name not in ITEM_SPEC}
        families: dict[str, Any] = {}
        for name, item in _aws.checked_items("secrets", module.params["secrets"], SECRET_SPEC).items():
            own = item.pop("tags")
            tags = rest["tags"] if own is None else {**(rest["tags"] or {}), **own}
            view = _several.View(module, {**rest, **item, "name": name, "tags": tags}, common)
            families[f"secrets.{name}"] = functools.partial(GeneratedSecret, view)
        super().__init__(module, families, common)

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        return {"secrets": {}, **super().facts(tree)}


def _checked_keys(keys: dict[str, Any]) -> dict[str, dict[str, Any]]:
    checked = _aws.checked_items("keys", keys, KEY_SPEC)
    for key, item in checked.items():
        if not 8 <= item["length"] <= 1024:
            raise _plan.Refused(f"keys.{key}.length is {item['length']}: give 8 to 1024 characters.")
    return checked


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str"},
            "secrets": {"type": "dict", "no_log": False},
            **ITEM_SPEC,
            "restore": {"type": "bool", "default": True},
            "recovery_window": {"type": "int", "default": 30},
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
        },
        mutually_exclusive=[["secrets", name] for name in ("name", *ITEM_SPEC)],
        required_one_of=[["name", "secrets"]],
        supports_check_mode=True,
    )
    _aws.main(module, GeneratedSecret if module.params["secrets"] is None else GeneratedSecrets)


if __name__ == "__main__":
    main()
