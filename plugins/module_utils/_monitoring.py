# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What watches a stack, as one unit: alarms, the topics they tell, a dashboard and log groups, in one region or two.

Ownership. Alarms and log groups are found by prefixes that end in a slash, which no other stack's names share. Their tags are read where
something is overwritten or deleted, and of one alarm and one log group of each region, the *witness*, to notice that tags have changed: a
run without a change costs a fixed number of calls, however many alarms there are. For that, all others are tagged before the witness.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from . import _alarms, _aws, _log_groups, _owned, _plan
from ._alarm_topics import Topics

GROUP_SPEC = {"retention_days": {"type": "int", "default": 30}, "kms_key_id": {"type": "str", "no_log": False}}


class Monitoring(Topics):
    """``key/<region>``, ``topic/<region>``, ``log_group/<short name>``, ``alarm/<short name>`` and ``dashboard/<name>``."""

    order = ("key", "topic", "log_group", "alarm", "dashboard")
    immutable = {"alarm": ("region",)}

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.group_prefix = self.params["log_group_prefix"] or f"/wordpress_ha/{self.name}/"
        self.alarms = self._checked_alarms()
        self.groups = _aws.checked_items("log_groups", self.params["log_groups"], GROUP_SPEC)
        regions = [self.home, *(self.params["regions"] or []), *(one["region"] for one in self.alarms.values())]
        self.regions = list(dict.fromkeys(region for region in regions if region))
        self.purge = self._purged()
        self._check()

    def _checked_alarms(self) -> dict[str, dict[str, Any]]:
        return _aws.checked_items("alarms", self.params["alarms"], _alarms.ALARM_SPEC, **_alarms.ALARM_RULES)

    def _purged(self) -> list[str]:
        if not self.params["purge"]:
            return []
        given = {"alarm": "alarms", "topic": "alarms", "key": "alarms", "dashboard": "dashboard"}
        return [kind for kind, option in given.items() if self.params[option] is not None]

    def _check(self) -> None:
        for place, address in enumerate(self.params["emails"] or []):
            if address.count("@") != 1 or any(not part for part in address.split("@")) or address.split() != [address]:
                raise _plan.Refused(f"emails[{place}] is {address!r}: give an address such as ops@example.org.")
        for name, group in self.groups.items():
            _log_groups.check_retention(f"log_groups.{name}.retention_days", group["retention_days"])
        if not self.group_prefix.endswith("/"):
            raise _plan.Refused(
                f"log_group_prefix is {self.group_prefix!r}: end it with a slash, or it meets the groups of others."
            )
        for region, arn in self.given_topics.items():
            if _plan.is_known(arn) and arn.split(":")[3:4] != [region]:
                raise _plan.Refused(
                    f"topic_arns.{region} is {arn!r}: an alarm tells only a topic of its own region, {region}."
                )
        if self.params["dashboard"]:
            _alarms.check_dashboard("dashboard", self.params["dashboard"])

    # Reading

    def alarm_arn(self, name: str, region: str) -> str:
        partition, account = self.account()
        return f"arn:{partition}:cloudwatch:{region}:{account}:alarm:{self.name}/{name}"

    def read(self) -> _plan.Tree:
        tree: _plan.Tree = {}
        for region in self.regions:
            tree.update(self._read_alarms(region))
        if self.params["log_groups"] is not None or self.params["state"] != "present":
            tree.update(self._read_groups())
        for region in self.regions:
            # Where a topic is given, too: it may have taken the place of one of ours.
            tree.update(self.read_topic(region))
        if self.params["dashboard"] is not None or self.params["state"] != "present":
            tree.update(self._read_dashboard())
        return tree

    def _read_alarms(self, region: str) -> _plan.Tree:
        prefix = f"{self.name}/"
        found = _owned.listed(
            self.api("cloudwatch", region),
            "describe_alarms",
            "MetricAlarms",
            AlarmNamePrefix=prefix,
            AlarmTypes=["MetricAlarm"],
        )
        alarms = {one["AlarmName"].removeprefix(prefix): _alarms.described(one, region) for one in found}
        if not alarms:
            return {}
        witness = self._alarm_tags(alarms[_witness(alarms, self.alarms)])
        for name, fields in alarms.items():
            self.seen(fields["arn"])
            asked = self._suspect(name, self.alarms, witness)
            fields["tags"] = self._alarm_tags(fields) if asked else witness
        # Of what is not described, only what carries our tag is there for us.
        return {
            f"alarm/{name}": one for name, one in alarms.items() if name in self.alarms or self.is_ours(one["tags"])
        }

    def _alarm_tags(self, alarm: Mapping[str, Any]) -> dict[str, str]:
        api = self.api("cloudwatch", alarm["region"])
        return _aws.tags_to_dict(api.list_tags_for_resource(ResourceARN=alarm["arn"], aws_retry=True)["Tags"])

    def _read_groups(self) -> _plan.Tree:
        found = _log_groups.read(self.api("logs"), self.group_prefix)
        groups = {name.removeprefix(self.group_prefix): fields for name, fields in found.items()}
        if not groups:
            return {}
        witness = self._group_tags(groups[_witness(groups, self.groups)])
        for name, fields in groups.items():
            self.seen(fields["arn"])
            asked = self._suspect(name, self.groups, witness)
            fields["tags"] = self._group_tags(fields) if asked else witness
        return {
            f"log_group/{name}": one for name, one in groups.items() if name in self.groups or self.is_ours(one["tags"])
        }

    def _group_tags(self, group: Mapping[str, Any]) -> dict[str, str]:
        return _log_groups.tags(self.api("logs"), group["arn"])

    def _suspect(self, name: str, described: Mapping[str, Any], witness: Mapping[str, str]) -> bool:
        """Tell whether the own tags of something count, not those of the witness: it may be removed, or all are tagged anew."""
        state = self.params["state"]
        removed = self.params["purge"] and name not in described
        return state == "absent" or (state == "present" and bool(removed or self._tags(witness) not in (None, witness)))

    def _read_dashboard(self) -> _plan.Tree:
        try:
            found = self.api("cloudwatch").get_dashboard(DashboardName=self.name, aws_retry=True)
        except is_boto3_error_code(["ResourceNotFound", "ResourceNotFoundException"]):
            return {}
        body = json.loads(found["DashboardBody"])
        if self.marker not in json.dumps(body):
            if self.params["state"] != "present" or not self.params["dashboard"]:
                return {}
            raise _plan.Refused(
                f"The dashboard {self.name} was made by somebody else (it lacks the words {self.marker!r}): it is left "
                "alone. Choose another name, rename it, or leave the option dashboard out."
            )
        return {f"dashboard/{self.name}": {"body": body}}

    @property
    def marker(self) -> str:
        """What stands at the foot of our dashboards: they can carry no tags."""
        return f"Kept by wordpress_ha.aws for {self.name}"

    # What is wanted

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        tree: _plan.Tree = {}
        told = self._told_regions(current)
        for region in told:
            if region not in self.given_topics:
                tree.update(self.desired_topic(region, current.get(f"topic/{region}", {})))
        for name, group in self.groups.items():
            tree[f"log_group/{name}"] = {
                **group,
                "kms_key_id": group["kms_key_id"] or "",
                "tags": self._tags(current.get(f"log_group/{name}", {}).get("tags")),
            }
        topics = {region: self.topic_arn(region) for region in told}
        for name, alarm in self.alarms.items():
            now = current.get(f"alarm/{name}", {}).get("tags")
            tree[f"alarm/{name}"] = {
                **_alarms.wanted(f"alarms.{name}", alarm, self.home, topics),
                "tags": self._tags(now),
            }
        if self.params["dashboard"]:
            tree[f"dashboard/{self.name}"] = {"body": self._body()}
        return tree

    def _told_regions(self, current: _plan.Tree) -> list[str]:
        """Return the regions that have a topic: the home, and where alarms are. Without alarms given, those that have one."""
        if self.params["alarms"] is None:
            return [_plan.name_of(key) for key in current if _plan.kind_of(key) == "topic"]
        return [
            region
            for region in self.regions
            if region == self.home or any(one["region"] == region for one in self.alarms.values())
        ]

    def _tags(self, now: Mapping[str, str] | None) -> dict[str, str] | None:
        """Return the tags of what has no use for a tag C(Name); None leaves them alone."""
        tags = self.params["tags"]
        wanted = None if tags is None else {name: str(value) for name, value in tags.items()}
        return _aws.merged_tags(now, wanted, self.params["purge_tags"])

    def _body(self) -> dict[str, Any]:
        """Return the dashboard with the ARNs of its alarms filled in and our mark at its foot."""
        widgets = [self._with_arns(widget) for widget in self.params["dashboard"]["widgets"]]
        foot = max((one.get("y", 0) + one.get("height", 6) for one in widgets), default=0)
        text = {"markdown": f"{self.marker}. What is changed by hand is overwritten."}
        widgets.append({"type": "text", "x": 0, "y": foot, "width": 24, "height": 1, "properties": text})
        return {**self.params["dashboard"], "widgets": widgets}

    def _with_arns(self, widget: dict[str, Any]) -> dict[str, Any]:
        """Return a widget whose alarms are named by their ARNs, as CloudWatch wants it."""
        names = widget.get("properties", {}).get("alarms") if widget.get("type") == "alarm" else None
        if not names:
            return widget
        regions = {name: (self.alarms.get(name) or {}).get("region") or self.home for name in names}
        arns = [name if name.startswith("arn:") else self.alarm_arn(name, regions[name]) for name in names]
        return {**widget, "properties": {**widget["properties"], "alarms": arns}}

    def changes(self, tree: _plan.Tree) -> list[_plan.Change]:
        changes = super().changes(tree)
        self._refuse_overwriting(changes, tree)
        return changes

    def _refuse_overwriting(self, changes: Iterable[_plan.Change], tree: _plan.Tree) -> None:
        """Read the own tags of what a plan overwrites: the witness speaks for others only while nothing is written."""
        for change in changes:
            if change.action == _plan.CREATE:
                continue
            if change.kind == "alarm":
                tags = self._alarm_tags(tree[change.key])
                self.refuse_foreign(f"The alarm {self.name}/{change.name}", tags)
            elif change.kind == "log_group":
                tags = self._group_tags(tree[change.key])
                self.refuse_foreign(f"The log group {self.group_prefix}{change.name}", tags)
            elif change.kind == "key":
                self.refuse_foreign(f"The key {self.alias}", self.key_tags(change.name, tree[change.key]["id"]))

    def arranged(self, changes: list[_plan.Change]) -> list[_plan.Change]:
        """Put what exists before what is made, and the witnesses last among it: a killed run must not leave them ahead of the rest."""
        witnesses = {
            min((change.key for change in changes if change.kind == kind and change.action == _plan.UPDATE), default="")
            for kind in ("alarm", "log_group")
        }

        def place(change: _plan.Change) -> tuple[bool, int, int, bool]:
            made = change.action == _plan.CREATE
            return change.action == _plan.DELETE, self.order.index(change.kind), int(made), change.key in witnesses

        kept = [change for change in changes if change.action != _plan.DELETE]
        return [*sorted(kept, key=place), *(change for change in changes if change.action == _plan.DELETE)]

    # Writing

    def _create_alarm(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        tags = {"Tags": _aws.tags_to_list(change.after["tags"])} if change.after.get("tags") else {}
        request = _alarms.request(f"{self.name}/{change.name}", change.after)
        self.api("cloudwatch", change.after["region"]).put_metric_alarm(**request, **tags, aws_retry=True)
        return {"arn": self.alarm_arn(change.name, change.after["region"])}

    def _update_alarm(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        whole = {**tree[change.key], **change.after}
        api = self.api("cloudwatch", whole["region"])
        if set(change.after) - {"tags"}:
            api.put_metric_alarm(**_alarms.request(f"{self.name}/{change.name}", whole), aws_retry=True)
        self.write_tags(api, "ResourceARN", whole["arn"], change)
        return {}

    def _delete_alarm(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        api = self.api("cloudwatch", change.before["region"])
        api.delete_alarms(AlarmNames=[f"{self.name}/{change.name}"], aws_retry=True)
        return {}

    def _create_dashboard(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        body = json.dumps(change.after["body"], separators=(",", ":"))
        self.api("cloudwatch").put_dashboard(DashboardName=self.name, DashboardBody=body, aws_retry=True)
        return {}

    _update_dashboard = _create_dashboard

    def _delete_dashboard(self, _change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self.api("cloudwatch").delete_dashboards(DashboardNames=[self.name], aws_retry=True)
        return {}

    def _create_log_group(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        name = self.group_prefix + change.name
        _log_groups.create(self.api("logs"), name, change.after)
        partition, account = self.account()
        return {"arn": f"arn:{partition}:logs:{self.home}:{account}:log-group:{name}"}

    def _update_log_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        _log_groups.update(self.api("logs"), self.group_prefix + change.name, tree[change.key]["arn"], change)
        return {}

    def _delete_log_group(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self.api("logs").delete_log_group(logGroupName=self.group_prefix + change.name, aws_retry=True)
        return {}

    # Result

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        topics = dict(self.given_topics)
        waiting: set[str] = set()
        for key, fields in tree.items():
            if _plan.kind_of(key) == "topic":
                topics.setdefault(_plan.name_of(key), self.own_topic_arn(_plan.name_of(key)))
                known = fields.get("subscriptions", {})
                waiting |= {
                    address
                    for address in fields.get("emails") or []
                    if not str(known.get(address, "")).startswith("arn:")
                }
        alarms = {
            _plan.name_of(key): {
                "name": f"{self.name}/{_plan.name_of(key)}",
                "arn": self.alarm_arn(_plan.name_of(key), fields["region"]),
                "region": fields["region"],
            }
            for key, fields in sorted(tree.items())
            if _plan.kind_of(key) == "alarm"
        }
        groups = sorted(_plan.name_of(key) for key in tree if _plan.kind_of(key) == "log_group")
        return {
            "topic_arn": topics.get(self.home),
            "topic_arns": dict(sorted(topics.items())),
            "unconfirmed_emails": sorted(waiting),
            "alarms": alarms,
            "dashboard_name": self.name if f"dashboard/{self.name}" in tree else None,
            "log_group_names": {name: self.group_prefix + name for name in groups},
        }


def _witness(found: Iterable[str], described: Iterable[str]) -> str:
    """Return the first name, among those described if any is: what others made below our prefix is no witness."""
    names = set(found)
    return min(names & set(described) or names)
