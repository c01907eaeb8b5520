# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource family of the module auto_scaling_fleet; the launch template's data is in _launch_template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import _launch_template, _owned, _plan
from ._aws import Planned, tags_to_dict, tags_to_list, wait_for

METRICS = [
    "GroupMinSize",
    "GroupMaxSize",
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupPendingInstances",
    "GroupStandbyInstances",
    "GroupTerminatingInstances",
    "GroupTotalInstances",
]
#: Replacements are launched before their predecessors go; for a new group where the caller said nothing.
CREATION_POLICY = {"min_healthy_percentage": 100, "max_healthy_percentage": 150}
#: A target group without a listener or without checks says nothing against a target.
GOOD_TARGETS = ("healthy", "unused", "unavailable")
MISSING_TEMPLATE = ("InvalidLaunchTemplateName.NotFoundException", "InvalidLaunchTemplateId.NotFound")

#: Our field -> argument of UpdateAutoScalingGroup.
GROUP_FIELDS = {
    "min_size": "MinSize",
    "max_size": "MaxSize",
    "desired_capacity": "DesiredCapacity",
    "health_check_type": "HealthCheckType",
    "grace_seconds": "HealthCheckGracePeriod",
    "default_warmup": "DefaultInstanceWarmup",
    "termination_policies": "TerminationPolicies",
}


def outdated(instances: list[dict[str, Any]], template_id: str, version: str) -> list[str]:
    """Return the ids of the instances, but for those on their way out, that do not run this version of this template."""
    wanted = (template_id, str(version))
    staying = [one for one in instances if not str(one.get("LifecycleState")).startswith("Terminat")]
    templates = {one["InstanceId"]: one.get("LaunchTemplate") or {} for one in staying}
    return sorted(
        instance
        for instance, template in templates.items()
        if (template.get("LaunchTemplateId"), template.get("Version")) != wanted
    )


def resource_label(balancer_arn: str, target_group_arn: str) -> str:
    """Return the label by which CloudWatch counts one target group's requests."""
    if not _plan.is_known([balancer_arn, target_group_arn]):
        return _plan.UNKNOWN
    return f"{balancer_arn.split(':loadbalancer/', 1)[-1]}/{target_group_arn.rsplit(':', 1)[-1]}"


def group_arguments(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that CreateAutoScalingGroup and UpdateAutoScalingGroup share."""
    arguments = {target: fields[name] for name, target in GROUP_FIELDS.items() if name in fields}
    if "subnet_ids" in fields:
        arguments["VPCZoneIdentifier"] = ",".join(fields["subnet_ids"])
    if "maintenance_policy" in fields:
        policy = fields["maintenance_policy"]
        arguments["InstanceMaintenancePolicy"] = {
            "MinHealthyPercentage": policy["min_healthy_percentage"],
            "MaxHealthyPercentage": policy["max_healthy_percentage"],
        }
    return arguments


class Fleet(Planned):
    """One launch template, one Auto Scaling group and its target tracking policies."""

    order = ("launch_template", "group", "policy")
    purge = ("policy",)

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.ec2, self.scaling, self.elb = self.client("ec2"), self.client("autoscaling"), self.client("elbv2")
        self.name = self.params["name"]
        self.template_key, self.group_key = f"launch_template/{self.name}", f"group/{self.name}"
        self.deleting = self.params["state"] == "absent"
        self.base: dict[str, Any] = {}
        self.fitting = False
        self.wanted: _plan.Fields = {}
        template = self.params["launch_template"]
        if template:
            given = template["tags"] if template["tags"] is not None else self.params["tags"]
            self.wanted = _launch_template.wanted(template, _owned.wanted_tags(self.name, None, given, True))
            self.secret_fields = ("user_data",) if template["user_data_secret"] else ()

    # Reading

    def read(self) -> _plan.Tree:
        tree: _plan.Tree = {}
        groups = [group for group in self._groups() if not group.get("Status")]
        for group in groups:
            tree[self.group_key] = self._group_fields(group)
        template = self._read_template(tree.get(self.group_key, {}))
        if template:
            tree[self.template_key] = template
        for policy in self._policies() if groups else []:
            tree[f"policy/{policy['PolicyName']}"] = self._policy_fields(policy)
        for key in (self.template_key, self.group_key):
            if key in tree:
                _owned.refuse_foreign(
                    f"the {key.replace('/', ' ')}", tree[key]["tags"], self.params["tags"], self.deleting
                )
        return tree

    def _groups(self) -> list[dict[str, Any]]:
        return _owned.listed(
            self.scaling, "describe_auto_scaling_groups", "AutoScalingGroups", AutoScalingGroupNames=[self.name]
        )

    def _group_fields(self, group: Mapping[str, Any]) -> _plan.Fields:
        template = group.get("LaunchTemplate") or {}
        policy = group.get("InstanceMaintenancePolicy") or {}
        enabled = {metric["Metric"] for metric in group.get("EnabledMetrics", [])}
        return {
            **{name: group.get(source) for name, source in GROUP_FIELDS.items()},
            "subnet_ids": sorted(filter(None, group.get("VPCZoneIdentifier", "").split(","))),
            "target_group_arns": sorted(group.get("TargetGroupARNs", [])),
            "maintenance_policy": {
                "min_healthy_percentage": policy.get("MinHealthyPercentage"),
                "max_healthy_percentage": policy.get("MaxHealthyPercentage"),
            },
            "metrics": enabled.issuperset(METRICS),
            "tags": tags_to_dict(group.get("Tags")),
            "template_id": template.get("LaunchTemplateId"),
            "template_version": template.get("Version"),
            "instances": group.get("Instances", []),
        }

    def _read_template(self, group: _plan.Fields) -> _plan.Fields | None:
        """Read the version that is what is wanted, the group's own before newer ones; the newest if none is."""
        arguments: dict[str, Any] = {"LaunchTemplateNames": [self.name]}
        found = _owned.listed(self.ec2, "describe_launch_templates", "LaunchTemplates", MISSING_TEMPLATE, **arguments)
        if not found:
            return None
        identity = found[0]["LaunchTemplateId"]
        versions = _owned.listed(
            self.ec2,
            "describe_launch_template_versions",
            "LaunchTemplateVersions",
            LaunchTemplateId=identity,
            PaginationConfig={"PageSize": 200},
        )
        versions.sort(key=lambda one: one["VersionNumber"], reverse=True)
        self.base = dict(versions[0]["LaunchTemplateData"])
        fitting = [
            one
            for one in versions
            if _launch_template.matches(_launch_template.reported(one["LaunchTemplateData"]), self.wanted)
        ]
        own = [
            one
            for one in fitting
            if (group.get("template_id"), group.get("template_version")) == (identity, str(one["VersionNumber"]))
        ]
        self.fitting = bool(fitting)
        chosen = [*own, *fitting, *versions][0] if self.wanted else versions[0]
        return {
            **_launch_template.reported(chosen["LaunchTemplateData"]),
            "id": identity,
            "version": chosen["VersionNumber"],
            "tags": tags_to_dict(found[0].get("Tags")),
        }

    def _policies(self) -> list[dict[str, Any]]:
        names = [f"{self.name}-cpu", f"{self.name}-requests"]
        return _owned.listed(
            self.scaling, "describe_policies", "ScalingPolicies", AutoScalingGroupName=self.name, PolicyNames=names
        )

    @staticmethod
    def _policy_fields(policy: Mapping[str, Any]) -> _plan.Fields:
        config = policy.get("TargetTrackingConfiguration") or {}
        metric = config.get("PredefinedMetricSpecification") or {}
        return {
            "metric": metric.get("PredefinedMetricType"),
            "resource_label": metric.get("ResourceLabel"),
            "target": float(config.get("TargetValue") or 0),
        }

    # Wanting

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        given = self.params
        group = current.get(self.group_key)
        low, high = given["min"], given["max"]
        if low > high:
            raise _owned.Refused(f"min is {low} and max is {high}. The least size cannot exceed the largest.")
        # The size between the bounds belongs to scaling, not to us.
        size = group["desired_capacity"] if group else (low if given["desired"] is None else given["desired"])
        policy = given["maintenance_policy"] or (None if group else CREATION_POLICY)
        tree: _plan.Tree = {
            self.template_key: {**self.wanted, "version": None if self.fitting else _plan.UNKNOWN},
            self.group_key: {
                "min_size": low,
                "max_size": high,
                "desired_capacity": min(max(size, low), high),
                "subnet_ids": sorted(given["subnet_ids"]),
                "target_group_arns": sorted(given["target_group_arns"])
                if given["target_group_arns"] is not None
                else None,
                "health_check_type": given["health_check_type"],
                "grace_seconds": given["grace_seconds"],
                "default_warmup": given["default_warmup"],
                "termination_policies": given["termination_policies"],
                "maintenance_policy": policy,
                "metrics": True if given["metrics"] else None,
            },
        }
        for key, fields in tree.items():
            tags = current.get(key, {}).get("tags")
            fields["tags"] = _owned.wanted_tags(self.name, tags, given["tags"], given["purge_tags"])
        if given["target_tracking"] is None:
            tree.update({key: {} for key in current if _plan.kind_of(key) == "policy"})
        else:
            tree.update(self._wanted_policies(given["target_tracking"]))
        return tree

    def _wanted_policies(self, tracking: Mapping[str, Any]) -> _plan.Tree:
        tree: _plan.Tree = {}
        if tracking["cpu"] is not None:
            fields = {"metric": "ASGAverageCPUUtilization", "target": tracking["cpu"]}
            tree[f"policy/{self.name}-cpu"] = fields
        if tracking["requests_per_target"] is not None:
            groups = self.params["target_group_arns"]
            if not groups or not tracking["load_balancer_arn"]:
                raise _owned.Refused(
                    "target_tracking.requests_per_target needs load_balancer_arn and target_group_arns."
                )
            tree[f"policy/{self.name}-requests"] = {
                "metric": "ALBRequestCountPerTarget",
                "target": tracking["requests_per_target"],
                "resource_label": resource_label(tracking["load_balancer_arn"], groups[0]),
            }
        return tree

    # Writing

    def handlers(self) -> Mapping[str, _plan.Handler]:
        return {
            "create launch_template": self._create_template,
            "update launch_template": self._update_template,
            "delete launch_template": self._delete_template,
            "create group": self._create_group,
            "update group": self._update_group,
            "delete group": self._delete_group,
            "create policy": self._put_policy,
            "update policy": self._put_policy,
            "delete policy": self._delete_policy,
        }

    def _create_template(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        tags = change.after.get("tags")
        kinds = [{"ResourceType": "launch-template", "Tags": tags_to_list(tags)}]
        answer = self.ec2.create_launch_template(
            LaunchTemplateName=self.name,
            LaunchTemplateData=_launch_template.sent(self.wanted, {}),
            aws_retry=True,
            **({"TagSpecifications": kinds} if tags else {}),
        )
        return {"id": answer["LaunchTemplate"]["LaunchTemplateId"], "version": 1}

    def _update_template(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        identity = tree[self.template_key]["id"]
        if "tags" in change.after:
            added, removed = _owned.tag_changes(change.before["tags"], change.after["tags"])
            if removed:
                self.ec2.delete_tags(Resources=[identity], Tags=[{"Key": key} for key in removed], aws_retry=True)
            if added:
                self.ec2.create_tags(Resources=[identity], Tags=tags_to_list(added), aws_retry=True)
        if not set(change.after) & set(_launch_template.FIELDS):
            return {}
        answer = self.ec2.create_launch_template_version(
            LaunchTemplateId=identity, LaunchTemplateData=_launch_template.sent(self.wanted, self.base), aws_retry=True
        )
        return {"version": answer["LaunchTemplateVersion"]["VersionNumber"]}

    def _delete_template(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_no_group()
        self.ec2.delete_launch_template(LaunchTemplateId=tree[self.template_key]["id"], aws_retry=True)
        return {}

    def _create_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_no_group()  # one that is being deleted still holds the name
        template, wanted = tree[self.template_key], change.after
        version = str(template["version"])
        self.scaling.create_auto_scaling_group(
            AutoScalingGroupName=self.name,
            LaunchTemplate={"LaunchTemplateId": template["id"], "Version": version},
            TargetGroupARNs=wanted.get("target_group_arns", []),
            Tags=self._group_tags(wanted.get("tags")),
            aws_retry=True,
            **group_arguments(wanted),
        )
        self._enable_metrics(wanted)
        return {"template_id": template["id"], "template_version": version, "instances": []}

    def _update_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        before, after = change.before, change.after
        arguments = group_arguments(after)
        if arguments:
            self.scaling.update_auto_scaling_group(AutoScalingGroupName=self.name, aws_retry=True, **arguments)
        if "target_group_arns" in after:
            added = sorted(set(after["target_group_arns"]) - set(before["target_group_arns"]))
            removed = sorted(set(before["target_group_arns"]) - set(after["target_group_arns"]))
            name = {"AutoScalingGroupName": self.name, "aws_retry": True}
            if added:
                self.scaling.attach_load_balancer_target_groups(TargetGroupARNs=added, **name)
            if removed:
                self.scaling.detach_load_balancer_target_groups(TargetGroupARNs=removed, **name)
        if "tags" in after:
            changed, gone = _owned.tag_changes(before["tags"], after["tags"])
            if gone:
                self.scaling.delete_tags(Tags=[self._group_tag(key) for key in gone], aws_retry=True)
            if changed:
                self.scaling.create_or_update_tags(Tags=self._group_tags(changed), aws_retry=True)
        self._enable_metrics(after)
        return {}

    def _enable_metrics(self, fields: _plan.Fields) -> None:
        if fields.get("metrics"):
            self.scaling.enable_metrics_collection(
                AutoScalingGroupName=self.name, Granularity="1Minute", Metrics=METRICS, aws_retry=True
            )

    def _group_tag(self, key: str) -> dict[str, Any]:
        return {"ResourceId": self.name, "ResourceType": "auto-scaling-group", "Key": key}

    def _group_tags(self, tags: Mapping[str, str] | None) -> list[dict[str, Any]]:
        return [{**self._group_tag(tag["Key"]), **tag, "PropagateAtLaunch": True} for tag in tags_to_list(tags)]

    def _delete_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self.scaling.delete_auto_scaling_group(AutoScalingGroupName=self.name, ForceDelete=True, aws_retry=True)
        self._await_no_group()
        return {}

    def _put_policy(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        wanted = {**tree.get(change.key, {}), **change.after}
        metric = {"PredefinedMetricType": wanted["metric"]}
        if wanted.get("resource_label"):
            metric["ResourceLabel"] = wanted["resource_label"]
        self.scaling.put_scaling_policy(
            AutoScalingGroupName=self.name,
            PolicyName=change.name,
            PolicyType="TargetTrackingScaling",
            TargetTrackingConfiguration={"PredefinedMetricSpecification": metric, "TargetValue": wanted["target"]},
            aws_retry=True,
        )
        return {}

    def _delete_policy(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self.scaling.delete_policy(AutoScalingGroupName=self.name, PolicyName=change.name, aws_retry=True)
        return {}

    # Waiting and reporting

    def _await_no_group(self) -> None:
        what = f"the Auto Scaling group {self.name} to disappear with its instances"
        wait_for(self.module, what, lambda: not self._groups(), self.params["wait_timeout"], 5)

    def settle(self, tree: _plan.Tree) -> _plan.Tree:
        """Wait until the least number of instances serves, unless a refresh is due: that one brings instances that can."""
        low = self.params["min"]
        if self.params["wait"] and low and not self._refresh_needed(tree):
            where = "in service" + (" and healthy in every target group" if self.params["target_group_arns"] else "")
            what = f"{low} instances of the Auto Scaling group {self.name} to be {where}"
            wait_for(self.module, what, lambda: self._serving() >= low, self.params["wait_timeout"], 5)
        return tree

    def _serving(self) -> int:
        """Return how many instances are in service and, where there are target groups, healthy in each of them."""
        groups = self._groups()
        instances = groups[0].get("Instances", []) if groups else []
        serving = {one["InstanceId"] for one in instances if one["LifecycleState"] == "InService"}
        for arn in self.params["target_group_arns"] or []:
            targets = self.elb.describe_target_health(TargetGroupArn=arn, aws_retry=True)["TargetHealthDescriptions"]
            serving &= {one["Target"]["Id"] for one in targets if one["TargetHealth"]["State"] in GOOD_TARGETS}
        return len(serving)

    def _refresh_needed(self, tree: _plan.Tree) -> bool:
        group, template = tree.get(self.group_key), tree.get(self.template_key)
        if not group or not template or "template_version" not in group:
            return False  # there is no group, or it will be created with the version
        wanted = (template["id"], str(template["version"]))
        if (group["template_id"], group["template_version"]) != wanted:
            return True
        return bool(outdated(group["instances"], *wanted))

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        template, group = tree.get(self.template_key), tree.get(self.group_key)
        version = template.get("version", _plan.UNKNOWN) if template else None
        actual: Any = group.get("template_version", version) if group else None
        return {
            "launch_template_id": template.get("id", _plan.UNKNOWN) if template else None,
            "launch_template_version": version,
            "group_name": self.name if group else None,
            "group_launch_template_version": int(actual) if str(actual).isdigit() else actual,
            "refresh_needed": self._refresh_needed(tree),
            "min": group["min_size"] if group else None,
            "max": group["max_size"] if group else None,
            "desired": group["desired_capacity"] if group else None,
        }
