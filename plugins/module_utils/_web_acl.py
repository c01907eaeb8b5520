# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A web ACL of WAF with its log: one unit, since a firewall in count mode without a log tells nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from . import _aws, _log_groups, _owned, _plan

#: WAF writes only to log groups of these names.
LOG_PREFIX = "aws-waf-logs-"
GLOBAL_REGION = "us-east-1"
#: What an update must send again, lest it is lost: parts of a web ACL that this module does not know by itself.
KEPT = (
    "CustomResponseBodies", "CaptchaConfig", "ChallengeConfig", "TokenDomains", "AssociationConfig", "DataProtectionConfig",
    "OnSourceDDoSProtectionConfig", "ApplicationConfig",
)  # fmt: skip
LOGGED = ("BLOCK", "COUNT", "CAPTCHA", "CHALLENGE", "ALLOW", "EXCLUDED_AS_COUNT")


def plain(value: Any) -> Any:
    """Return what the API reports as it is written: blobs as text, no parts that say nothing."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def sent(value: Any) -> Any:
    """Return rules as the API takes them: the text to search for as a blob."""
    if isinstance(value, Mapping):
        return {
            name: item.encode() if name == "SearchString" and isinstance(item, str) else sent(item)
            for name, item in value.items()
        }
    return [sent(item) for item in value] if isinstance(value, (list, tuple)) else value


def check_rules(rules: Sequence[Any]) -> None:
    """Refuse rules that WAF would refuse for their frame; their statements it judges itself.

    :raises _plan.Refused: with the rule's place and the cure.
    """
    seen: dict[str, dict[Any, int]] = {"Name": {}, "Priority": {}}
    for place, rule in enumerate(rules):
        where = f"rules[{place}]"
        missing = [name for name in ("Name", "Priority", "Statement", "VisibilityConfig") if name not in rule]
        if missing:
            raise _plan.Refused(f"{where} lacks {', '.join(missing)}: a rule is given in the form of WAF's API.")
        for name, values in seen.items():
            if rule[name] in values:
                raise _plan.Refused(
                    f"{where}.{name} is {rule[name]!r}, as that of rules[{values[rule[name]]}]: give each its own."
                )
            values[rule[name]] = place
        group = any(name in rule["Statement"] for name in ("ManagedRuleGroupStatement", "RuleGroupReferenceStatement"))
        wanted, other = ("OverrideAction", "Action") if group else ("Action", "OverrideAction")
        if wanted not in rule or other in rule:
            raise _plan.Refused(
                f"{where} ({rule['Name']}) needs {wanted} and no {other}: a rule group has the one, other rules the other."
            )


class WebACL(_aws.Planned):
    """``log_group/<name>``, ``web_acl/<name>`` and ``logging/<name>``."""

    order = ("log_group", "web_acl", "logging")

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.name = self.params["name"]
        self.scope = self.params["scope"]
        self.group = f"{LOG_PREFIX}{self.name}"
        self.purge = ("logging",) if self.params["logging"] is False else ()
        check_rules(self.params["rules"] or [])
        _log_groups.check_retention("log_retention_days", self.params["log_retention_days"])
        unknown = [one for one in self.params["logged_actions"] if one not in LOGGED]
        if unknown:
            raise _plan.Refused(f"logged_actions has {unknown[0]!r}: use {', '.join(LOGGED)}.")
        region = GLOBAL_REGION if self.scope == "CLOUDFRONT" else None
        # WAF takes a moment to see what was just made.
        self.api = self.client("wafv2", region=region, retried=["WAFUnavailableEntityException"])
        self.logs = self.client("logs", region=region)

    # Reading

    def _summary(self) -> dict[str, Any] | None:
        token: dict[str, str] = {}
        while True:
            page = self.api.list_web_acls(Scope=self.scope, Limit=100, **token, aws_retry=True)
            found = [one for one in page["WebACLs"] if one["Name"] == self.name]
            if found:
                return dict(found[0])
            if not page.get("NextMarker"):
                return None
            token = {"NextMarker": page["NextMarker"]}

    def read(self) -> _plan.Tree:
        tree = self._read_log_group()
        summary = self._summary()
        if summary is None:
            return tree
        arn = summary["ARN"]
        tagged = self.api.list_tags_for_resource(ResourceARN=arn, aws_retry=True)["TagInfoForResource"]
        tags = _aws.tags_to_dict(tagged.get("TagList"))
        self._refuse_foreign(f"The web ACL {self.name}", tags)
        found = self.api.get_web_acl(Name=self.name, Scope=self.scope, Id=summary["Id"], aws_retry=True)
        acl = found["WebACL"]
        tree[f"web_acl/{self.name}"] = {
            "arn": arn,
            "id": summary["Id"],
            "lock_token": found["LockToken"],
            "capacity": acl.get("Capacity"),
            "default_action": next(iter(acl["DefaultAction"]), "Allow").lower(),
            "description": acl.get("Description", ""),
            "rules": plain(acl.get("Rules", [])),
            "metrics": plain(acl["VisibilityConfig"]),
            "kept": {name: acl[name] for name in KEPT if acl.get(name)},
            "tags": tags,
        }
        tree.update(self._read_logging(arn))
        return tree

    def _read_logging(self, arn: str) -> _plan.Tree:
        try:
            found = self.api.get_logging_configuration(ResourceArn=arn, aws_retry=True)["LoggingConfiguration"]
        except is_boto3_error_code("WAFNonexistentItemException"):
            return {}
        redacted = [one["SingleHeader"]["Name"] for one in found.get("RedactedFields") or [] if "SingleHeader" in one]
        return {
            f"logging/{self.name}": {
                "destination": found["LogDestinationConfigs"][0].removesuffix(":*").split(":")[-1],
                "redacted_headers": sorted(redacted),
                "filter": plain(found.get("LoggingFilter") or {}),
            }
        }

    def _read_log_group(self) -> _plan.Tree:
        found = _log_groups.read(self.logs, self.group).get(self.group)
        if found is None:
            return {}
        found["tags"] = _log_groups.tags(self.logs, found["arn"])
        return {f"log_group/{self.group}": found}

    def _refuse_foreign(self, what: str, tags: Mapping[str, str]) -> None:
        _owned.refuse_foreign(what, tags, self.params["tags"], self.params["state"] == "absent")

    # What is wanted

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        params = self.params
        now = current.get(f"web_acl/{self.name}", {})
        tree: _plan.Tree = {
            f"web_acl/{self.name}": {
                "default_action": params["default_action"],
                "description": params["description"],
                "rules": None if params["rules"] is None else plain(params["rules"]),
                "metrics": {
                    "SampledRequestsEnabled": False,
                    "CloudWatchMetricsEnabled": True,
                    "MetricName": self.name,
                },
                "tags": _owned.wanted_tags(self.name, now.get("tags"), params["tags"], params["purge_tags"]),
            }
        }
        if params["logging"]:
            group = current.get(f"log_group/{self.group}", {})
            tree[f"log_group/{self.group}"] = {
                "retention_days": params["log_retention_days"],
                "kms_key_id": params["log_kms_key_id"],
                "tags": _aws.merged_tags(group.get("tags"), params["tags"], params["purge_tags"]),
            }
            tree[f"logging/{self.name}"] = {
                "destination": self.group,
                "redacted_headers": sorted(name.lower() for name in params["redacted_headers"]),
                "filter": self._filter(),
            }
        return tree

    def _filter(self) -> dict[str, Any]:
        """Return which requests are logged: by verdict; nothing when all are."""
        actions = self.params["logged_actions"]
        if set(actions) == set(LOGGED):
            return {}
        conditions = [{"ActionCondition": {"Action": one}} for one in LOGGED if one in actions]
        kept = {"Behavior": "KEEP", "Requirement": "MEETS_ANY", "Conditions": conditions}
        return {"DefaultBehavior": "DROP", "Filters": [kept]}

    def changes(self, tree: _plan.Tree) -> list[_plan.Change]:
        changes = super().changes(tree)
        for change in changes:
            if change.kind == "log_group" and change.action != _plan.CREATE:
                self._refuse_foreign(f"The log group {self.group}", tree[change.key]["tags"])
            if change.kind == "web_acl" and change.action == _plan.DELETE:
                self._refuse_while_used(tree[change.key]["arn"])
        return changes

    def _refuse_while_used(self, arn: str) -> None:
        used = sorted(self._users(arn))
        if used:
            raise _plan.Refused(
                f"The web ACL {self.name} guards {', '.join(used)} and cannot be removed: take it from there first (for a "
                "distribution of the role edge, run it with edge_web_acl_arn empty), or remove that first."
            )

    def _users(self, arn: str) -> Iterator[str]:
        """Return what a web ACL guards; WAF itself tells it of regional resources only."""
        if self.scope == "CLOUDFRONT":
            found = self.client("cloudfront").list_distributions_by_web_acl_id(WebACLId=arn, aws_retry=True)
            for one in found["DistributionList"].get("Items") or []:
                yield f"the distribution {one['Id']}"
        else:
            yield from self.api.list_resources_for_web_acl(WebACLArn=arn, aws_retry=True)["ResourceArns"]

    # Writing

    def _create_log_group(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        _log_groups.create(self.logs, self.group, change.after)
        return {}

    def _update_log_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        _log_groups.update(self.logs, self.group, tree[change.key]["arn"], change)
        return {}

    def _delete_log_group(self, _change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self.logs.delete_log_group(logGroupName=self.group, aws_retry=True)
        return {}

    @staticmethod
    def _sent(fields: Mapping[str, Any]) -> dict[str, Any]:
        asked = {
            "DefaultAction": {fields["default_action"].capitalize(): {}},
            "Rules": sent(fields.get("rules") or []),
            "VisibilityConfig": fields["metrics"],
        }
        return {**asked, "Description": fields["description"]} if fields.get("description") else asked

    def _create_web_acl(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        tags = {"Tags": _aws.tags_to_list(change.after["tags"])} if change.after.get("tags") else {}
        made = self.api.create_web_acl(
            Name=self.name, Scope=self.scope, **self._sent(change.after), **tags, aws_retry=True
        )["Summary"]
        # How much of WAF's capacity it takes, only WAF knows.
        acl = self.api.get_web_acl(Name=self.name, Scope=self.scope, Id=made["Id"], aws_retry=True)["WebACL"]
        return {"arn": made["ARN"], "id": made["Id"], "capacity": acl.get("Capacity")}

    def _update_web_acl(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        whole = {**tree[change.key], **change.after}
        capacity = whole["capacity"]
        if set(change.after) - {"tags"}:
            self.api.update_web_acl(
                Name=self.name,
                Scope=self.scope,
                Id=whole["id"],
                LockToken=whole["lock_token"],
                **self._sent(whole),
                **whole["kept"],
                aws_retry=True,
            )
            acl = self.api.get_web_acl(Name=self.name, Scope=self.scope, Id=whole["id"], aws_retry=True)["WebACL"]
            capacity = acl.get("Capacity")
        if "tags" in change.after:
            added, removed = _owned.tag_changes(change.before["tags"], change.after["tags"])
            if removed:
                self.api.untag_resource(ResourceARN=whole["arn"], TagKeys=removed, aws_retry=True)
            if added:
                self.api.tag_resource(ResourceARN=whole["arn"], Tags=_aws.tags_to_list(added), aws_retry=True)
        return {"capacity": capacity}

    def _delete_web_acl(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        before = change.before
        self.api.delete_web_acl(
            Name=self.name, Scope=self.scope, Id=before["id"], LockToken=before["lock_token"], aws_retry=True
        )
        return {}

    def _create_logging(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        acl, after = tree[f"web_acl/{self.name}"]["arn"], {**tree.get(change.key, {}), **change.after}
        partition, account, region = acl.split(":")[1], acl.split(":")[4], acl.split(":")[3]
        asked = {
            "ResourceArn": acl,
            "LogDestinationConfigs": [f"arn:{partition}:logs:{region}:{account}:log-group:{after['destination']}"],
            "RedactedFields": [{"SingleHeader": {"Name": name}} for name in after["redacted_headers"]],
        }
        if after["filter"]:
            asked["LoggingFilter"] = after["filter"]
        self.api.put_logging_configuration(LoggingConfiguration=asked, aws_retry=True)
        return {}

    _update_logging = _create_logging

    def _delete_logging(self, _change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self.api.delete_logging_configuration(ResourceArn=tree[f"web_acl/{self.name}"]["arn"], aws_retry=True)
        return {}

    # Result

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        found = tree.get(f"web_acl/{self.name}")
        known = {name: None if found is None else found.get(name, _plan.UNKNOWN) for name in ("arn", "id", "capacity")}
        logged = tree.get(f"logging/{self.name}")
        return {
            **known,
            "rules": [] if found is None else [one["Name"] for one in found.get("rules") or []],
            "log_group_name": logged and logged["destination"],
        }
