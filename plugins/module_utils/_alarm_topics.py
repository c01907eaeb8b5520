# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The SNS topics that alarms tell, each with its subscriptions and the key of its own that encrypts what is told.

A topic that is encrypted with the key AWS keeps for SNS is silent: alarms may not use that key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from . import _aws, _owned, _plan, _policy

#: Tag of the topic's own key, by which one is found again that was left without its alias.
KEY_TAG = "wordpress_ha:key"
#: Who may publish: alarms, and AWS Backup's notifications of jobs.
PUBLISHERS = ("cloudwatch.amazonaws.com", "backup.amazonaws.com")
PENDING = "PendingConfirmation"
KEY_WAITING_DAYS = 7


def topic_policy(arn: str, account: str) -> dict[str, Any]:
    """Return who may publish to a topic: this account's alarms and backups, over TLS. Its owner needs no statement."""
    own = {"StringEquals": {"aws:SourceAccount": account}}
    allowed = {"Effect": "Allow", "Action": "sns:Publish", "Resource": arn, "Condition": own}
    return _policy.document(
        [
            *({"Sid": _sid(who), "Principal": {"Service": who}, **allowed} for who in PUBLISHERS),
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sns:Publish",
                "Resource": arn,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ]
    )


def key_policy(partition: str, account: str) -> dict[str, Any]:
    """Return who may use the topic's key: the account by its IAM policies, and the publishers, who encrypt what they publish."""
    return _policy.document(
        [
            {
                "Sid": "Account",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:{partition}:iam::{account}:root"},
                "Action": "kms:*",
                "Resource": "*",
            },
            {
                "Sid": "Publishers",
                "Effect": "Allow",
                "Principal": {"Service": list(PUBLISHERS)},
                "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:SourceAccount": account}},
            },
        ]
    )


def _sid(principal: str) -> str:
    return principal.split(".", maxsplit=1)[0].capitalize()


class Topics(_aws.Planned):
    """``key/<region>`` and ``topic/<region>``, and what is common to whoever tells them: clients by region, and the account."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.name = self.params["name"]
        self.home = str(module.region)
        self.topic_name = f"{self.name}-alarms"
        self.alias = f"alias/{self.topic_name}"
        self.given_topics = dict(self.params["topic_arns"] or {})
        self._account: tuple[str, str] | None = None
        self._clients: dict[tuple[str, str], Any] = {}

    def api(self, service: str, region: str | None = None) -> Any:
        """Return the client of a service in a region, made once."""
        place = region or self.home
        if (service, place) not in self._clients:
            self._clients[service, place] = self.client(service, region=place)
        return self._clients[service, place]

    def account(self) -> tuple[str, str]:
        """Return partition and account, which are parts of every ARN; asked only where no ARN has been seen."""
        if self._account is None:
            arn = self.api("sts").get_caller_identity(aws_retry=True)["Arn"].split(":")
            self._account = arn[1], arn[4]
        return self._account

    def seen(self, arn: str) -> str:
        self._account = self._account or (arn.split(":")[1], arn.split(":")[4])
        return arn

    def topic_arn(self, region: str) -> str:
        """Return the topic that a region's alarms tell: the given one, else our own."""
        return str(self.given_topics.get(region) or self.own_topic_arn(region))

    def own_topic_arn(self, region: str) -> str:
        partition, account = self.account()
        return f"arn:{partition}:sns:{region}:{account}:{self.topic_name}"

    def is_ours(self, tags: Mapping[str, str]) -> bool:
        stack = (self.params["tags"] or {}).get(_aws.STACK_TAG)
        return stack is None or tags.get(_aws.STACK_TAG) == stack

    def refuse_foreign(self, what: str, tags: Mapping[str, str]) -> None:
        _owned.refuse_foreign(what, tags, self.params["tags"], self.params["state"] == "absent")

    def read_topic(self, region: str) -> _plan.Tree:
        api, arn = self.api("sns", region), self.own_topic_arn(region)
        tree = self._read_key(region)
        try:
            attributes = api.get_topic_attributes(TopicArn=arn, aws_retry=True)["Attributes"]
        except is_boto3_error_code(["NotFound", "NotFoundException"]):
            return tree
        tags = _aws.tags_to_dict(api.list_tags_for_resource(ResourceArn=arn, aws_retry=True)["Tags"])
        self.refuse_foreign(f"The topic {arn}", tags)
        policy = json.loads(attributes.get("Policy") or "{}")
        ours = topic_policy(arn, self.account()[1])
        subscribed = _owned.listed(api, "list_subscriptions_by_topic", "Subscriptions", TopicArn=arn)
        mails = {
            one["Endpoint"]: one["SubscriptionArn"]
            for one in subscribed
            if one["Protocol"] == "email" and self._counts(one["SubscriptionArn"], one["Endpoint"])
        }
        tree[f"topic/{region}"] = {
            "arn": arn,
            "kms_key_id": attributes.get("KmsMasterKeyId", ""),
            "policy": ours if _policy.same(policy, ours) else policy,
            "emails": sorted(mails),
            "subscriptions": mails,
            "tags": tags,
        }
        return tree

    def _counts(self, subscription: str, address: str) -> bool:
        """Tell whether a subscription is there: one that nobody confirmed and nobody wants cannot be ended, SNS forgets it."""
        wanted = self.params["emails"]
        return subscription.startswith("arn:") or (subscription == PENDING and (wanted is None or address in wanted))

    def _read_key(self, region: str) -> _plan.Tree:
        """Return the topic's own key; one that waits for its deletion too, since that can be taken back."""
        api = self.api("kms", region)
        try:
            key = api.describe_key(KeyId=self.alias, aws_retry=True)["KeyMetadata"]
        except is_boto3_error_code("NotFoundException"):
            return self._read_stray_key(region) if self.params["state"] == "absent" else {}
        policy = json.loads(api.get_key_policy(KeyId=key["KeyId"], PolicyName="default", aws_retry=True)["Policy"])
        ours = key_policy(*self.account())
        fields = {
            "id": key["KeyId"],
            "enabled": key["KeyState"] == "Enabled",
            "named": True,
            "policy": ours if _policy.same(policy, ours) else policy,
        }
        return {f"key/{region}": fields}

    def _read_stray_key(self, region: str) -> _plan.Tree:
        """Return a key that a killed run has made and not yet named, so that it does not stay and cost for ever."""
        stray = self._stray_key(region)
        return {f"key/{region}": {"id": stray, "enabled": True, "named": False}} if stray else {}

    def desired_topic(self, region: str, now: Mapping[str, Any]) -> _plan.Tree:
        key = self.params["kms_key_id"]
        emails = self.params["emails"]
        if emails is not None and not self.params["purge"]:
            emails = sorted({*emails, *now.get("emails", [])})
        topic: _plan.Fields = {
            # The alias: what a topic names its key by may be any of the key's names, and this one is known beforehand.
            "kms_key_id": key or self.alias,
            "policy": topic_policy(self.own_topic_arn(region), self.account()[1]),
            "emails": None if emails is None else sorted(set(emails)),
            "tags": _owned.wanted_tags(
                self.topic_name, now.get("tags"), self.params["tags"], self.params["purge_tags"]
            ),
        }
        tree = {f"topic/{region}": topic}
        if not key:
            tree[f"key/{region}"] = {"enabled": True, "policy": key_policy(*self.account())}
        return tree

    def _create_key(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        api, key = self.api("kms", change.name), self._stray_key(change.name)
        if key is None:
            tags = {**(self.params["tags"] or {}), KEY_TAG: self.alias}
            made = api.create_key(
                Description=f"Encrypts the messages of the topic {self.topic_name}",
                Policy=json.dumps(change.after["policy"]),
                Tags=[{"TagKey": name, "TagValue": str(value)} for name, value in sorted(tags.items())],
                aws_retry=True,
            )
            key = made["KeyMetadata"]["KeyId"]
        api.enable_key_rotation(KeyId=key, aws_retry=True)
        # Last: only a whole key has its name.
        api.create_alias(AliasName=self.alias, TargetKeyId=key, aws_retry=True)
        return {"id": key}

    def _stray_key(self, region: str) -> str | None:
        """Return a key of ours without its alias, which a run that was killed has left; None if there is none that can be used."""
        filters = [{"Key": KEY_TAG, "Values": [self.alias]}]
        found = _owned.listed(
            self.api("resourcegroupstaggingapi", region),
            "get_resources",
            "ResourceTagMappingList",
            TagFilters=filters,
            ResourceTypeFilters=["kms"],
        )
        for one in found:
            arn = one["ResourceARN"]
            if self.is_ours(_aws.tags_to_dict(one["Tags"])):
                key = self.api("kms", region).describe_key(KeyId=arn, aws_retry=True)["KeyMetadata"]
                if key["KeyState"] == "Enabled":
                    return str(key["KeyId"])
        return None

    def _update_key(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        api, key = self.api("kms", change.name), tree[change.key]["id"]
        if "enabled" in change.after:
            state = api.describe_key(KeyId=key, aws_retry=True)["KeyMetadata"]["KeyState"]
            if state == "PendingDeletion":
                api.cancel_key_deletion(KeyId=key, aws_retry=True)
            api.enable_key(KeyId=key, aws_retry=True)
        if "policy" in change.after:
            api.put_key_policy(
                KeyId=key, PolicyName="default", Policy=json.dumps(change.after["policy"]), aws_retry=True
            )
        return {}

    def _delete_key(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        api = self.api("kms", change.name)
        if change.before["enabled"]:
            api.schedule_key_deletion(KeyId=change.before["id"], PendingWindowInDays=KEY_WAITING_DAYS, aws_retry=True)
        if change.before["named"]:
            api.delete_alias(AliasName=self.alias, aws_retry=True)
        return {}

    def key_tags(self, region: str, key: str) -> dict[str, str]:
        listed = self.api("kms", region).list_resource_tags(KeyId=key, aws_retry=True)["Tags"]
        return {one["TagKey"]: one["TagValue"] for one in listed}

    def _create_topic(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        api, after = self.api("sns", change.name), change.after
        arn = api.create_topic(
            Name=self.topic_name,
            Attributes={"KmsMasterKeyId": after["kms_key_id"], "Policy": json.dumps(after["policy"])},
            Tags=_aws.tags_to_list(after.get("tags")),
            aws_retry=True,
        )["TopicArn"]
        return {"arn": arn, "subscriptions": self._subscribe(change.name, arn, after.get("emails") or [])}

    def _subscribe(self, region: str, arn: str, emails: Iterable[str]) -> dict[str, str]:
        api = self.api("sns", region)
        return {
            address: api.subscribe(TopicArn=arn, Protocol="email", Endpoint=address, aws_retry=True)["SubscriptionArn"]
            for address in emails
        }

    def _update_topic(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        api, now, after = self.api("sns", change.name), tree[change.key], change.after
        attributes = {
            "KmsMasterKeyId": after.get("kms_key_id"),
            "Policy": json.dumps(after["policy"]) if "policy" in after else None,
        }
        for name, value in attributes.items():
            if value is not None:
                api.set_topic_attributes(TopicArn=now["arn"], AttributeName=name, AttributeValue=value, aws_retry=True)
        subscriptions = dict(now["subscriptions"])
        if "emails" in after:
            for address in sorted(set(change.before["emails"]) - set(after["emails"])):
                # What nobody confirmed has no ARN to end it by; SNS forgets it by itself.
                if subscriptions[address].startswith("arn:"):
                    api.unsubscribe(SubscriptionArn=subscriptions[address], aws_retry=True)
                subscriptions.pop(address)
            new = sorted(set(after["emails"]) - set(change.before["emails"]))
            subscriptions.update(self._subscribe(change.name, now["arn"], new))
        self.write_tags(api, "ResourceArn", now["arn"], change)
        return {"subscriptions": subscriptions}

    def _delete_topic(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        api = self.api("sns", change.name)
        for _address, subscription in sorted(change.before["subscriptions"].items()):
            if subscription.startswith("arn:"):
                api.unsubscribe(SubscriptionArn=subscription, aws_retry=True)
        api.delete_topic(TopicArn=change.before["arn"], aws_retry=True)
        return {}

    def write_tags(self, api: Any, argument: str, arn: str, change: _plan.Change) -> None:
        """Bring the tags of a topic or an alarm to those of a change, if it has any; both services call it alike."""
        if "tags" not in change.after:
            return
        added, removed = _owned.tag_changes(change.before["tags"], change.after["tags"])
        if removed:
            api.untag_resource(**{argument: arn}, TagKeys=removed, aws_retry=True)
        if added:
            api.tag_resource(**{argument: arn}, Tags=_aws.tags_to_list(added), aws_retry=True)
