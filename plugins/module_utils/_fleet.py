# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource family of the module auto_scaling_fleet; the launch template's data is in _launch_template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from . import _launch_template, _owned, _plan, _scaling
from ._aws import Planned, checked_items, tags_to_dict, tags_to_list, wait_for

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
    "capacity_rebalance": "CapacityRebalance",
}
SCHEDULE_SPEC: dict[str, Any] = {
    "recurrence": {"type": "str", "required": True},
    "time_zone": {"type": "str", "default": _scaling.UTC},
    **{name: {"type": "int"} for name in _scaling.SIZES},
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


def launched_from(mixed: _plan.Fields | None, template_id: str, version: str) -> dict[str, Any]:
    """Return the argument that says what a group launches: instances of several types, or of the template's alone."""
    if mixed:
        return {"MixedInstancesPolicy": _scaling.sent_mixed(mixed, template_id, version)}
    return {"LaunchTemplate": {"LaunchTemplateId": template_id, "Version": version}}


class Fleet(Planned):
    """One launch template, one Auto Scaling group, and what scales it and ends its instances gently."""

    order = ("launch_template", "group", "hook", "warm_pool", "policy", "schedule")
    purge = ("hook", "warm_pool", "policy", "schedule")

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.ec2, self.scaling, self.elb = self.client("ec2"), self.client("autoscaling"), self.client("elbv2")
        self.name = self.params["name"]
        self.template_key, self.group_key = f"launch_template/{self.name}", f"group/{self.name}"
        self.pool_key = f"warm_pool/{self.name}"
        self.deleting = self.params["state"] == "absent"
        self.schedules = {
            name: _scaling.wanted_schedule(name, given)
            for name, given in checked_items("schedules", self.params["schedules"], SCHEDULE_SPEC).items()
        }
        self.base: dict[str, Any] = {}
        self.root_device: str | None = None
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
            tree.update(self._read_surroundings(group))
        template = self._read_template(tree.get(self.group_key, {}))
        if template:
            tree[self.template_key] = template
        for key in (self.template_key, self.group_key):
            if key in tree:
                _owned.refuse_foreign(
                    f"the {key.replace('/', ' ')}", tree[key]["tags"], self.params["tags"], self.deleting
                )
        if self.deleting and groups and groups[0].get("DeletionProtection", "none") == "prevent-all-deletion":
            raise _owned.Refused(
                f"The Auto Scaling group {self.name} has deletion protection. Nothing was deleted. To delete it, first set its "
                "deletion protection to `none`."
            )
        return tree

    def _read_surroundings(self, group: Mapping[str, Any]) -> _plan.Tree:
        """Read what scales the group; hook and pool, which go with their group, only where they are to be kept."""
        found: _plan.Tree = {}
        named = {"AutoScalingGroupName": self.name}
        if self.deleting or self.params["target_tracking"] is not None:
            names = [f"{self.name}-cpu", f"{self.name}-requests"]
            policies = _owned.listed(self.scaling, "describe_policies", "ScalingPolicies", PolicyNames=names, **named)
            found.update({f"policy/{one['PolicyName']}": _scaling.reported_policy(one) for one in policies})
        if self.deleting or self.params["schedules"] is not None:
            actions = _owned.listed(self.scaling, "describe_scheduled_actions", "ScheduledUpdateGroupActions", **named)
            found.update({f"schedule/{one['ScheduledActionName']}": _scaling.reported_schedule(one) for one in actions})
        if self.params["termination_hook"] is not None and not self.deleting:
            hooks = self.scaling.describe_lifecycle_hooks(aws_retry=True, **named)["LifecycleHooks"]
            ours = [one for one in hooks if one["LifecycleHookName"] == self.params["termination_hook"]["name"]]
            found.update({f"hook/{one['LifecycleHookName']}": _scaling.reported_hook(one) for one in ours})
        pool = _scaling.reported_pool(group.get("WarmPoolConfiguration"))
        if pool and self.params["warm_pool"] is not None and not self.deleting:
            found[self.pool_key] = pool
        return found

    def _groups(self) -> list[dict[str, Any]]:
        return _owned.listed(
            self.scaling, "describe_auto_scaling_groups", "AutoScalingGroups", AutoScalingGroupNames=[self.name]
        )

    def _group_fields(self, group: Mapping[str, Any]) -> _plan.Fields:
        template = _scaling.template_of(group)
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
            "capacity_rebalance": bool(group.get("CapacityRebalance")),
            "has_pool": bool(group.get("WarmPoolConfiguration")),
            "mixed": _scaling.reported_mixed(group.get("MixedInstancesPolicy")),
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

    # Wanting

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        given = self.params
        mixed = _scaling.wanted_mixed(given["mixed_instances"])
        self._check_instances(current, mixed)
        self._complete_volume(current.get(self.template_key, {}))
        tree: _plan.Tree = {
            self.template_key: {**self.wanted, "version": None if self.fitting else _plan.UNKNOWN},
            self.group_key: self._wanted_group(current.get(self.group_key), mixed),
        }
        for key, fields in tree.items():
            tags = current.get(key, {}).get("tags")
            fields["tags"] = _owned.wanted_tags(self.name, tags, given["tags"], given["purge_tags"])
        if given["target_tracking"] is not None:
            tree.update(_scaling.wanted_policies(self.name, given["target_tracking"], given["target_group_arns"]))
        tree.update({f"schedule/{name}": fields for name, fields in self.schedules.items()})
        hook = given["termination_hook"]
        if hook and hook["timeout_seconds"]:
            if not 30 <= hook["timeout_seconds"] <= 7200:
                raise _owned.Refused(
                    f"termination_hook.timeout_seconds is {hook['timeout_seconds']}: give 30 to 7200, or 0."
                )
            tree[f"hook/{hook['name']}"] = {"timeout_seconds": hook["timeout_seconds"], "result": hook["result"]}
        pool = _scaling.wanted_pool(given["warm_pool"], mixed) if given["warm_pool"] else None
        if pool:
            tree[self.pool_key] = pool
        return tree

    def _wanted_group(self, group: _plan.Fields | None, mixed: _plan.Fields | None) -> _plan.Fields:
        given = self.params
        low, high = given["min"], given["max"]
        if low > high:
            raise _owned.Refused(f"min is {low} and max is {high}. The least size cannot exceed the largest.")
        size = low if given["desired"] is None else given["desired"]
        if group:
            low = _scaling.kept_size("min", group["min_size"], low, self.schedules.values())
            high = max(low, _scaling.kept_size("max", group["max_size"], high, self.schedules.values()))
            size = group["desired_capacity"]  # between the bounds it belongs to scaling, not to us
        arns = given["target_group_arns"]
        return {
            "min_size": low,
            "max_size": high,
            "desired_capacity": min(max(size, low), high),
            "subnet_ids": sorted(given["subnet_ids"]),
            "target_group_arns": sorted(arns) if arns is not None else None,
            "health_check_type": given["health_check_type"],
            "grace_seconds": given["grace_seconds"],
            "default_warmup": given["default_warmup"],
            "termination_policies": given["termination_policies"],
            "maintenance_policy": given["maintenance_policy"] or (None if group else CREATION_POLICY),
            "metrics": True if given["metrics"] else None,
            "mixed": None if mixed == {} and not group else mixed,
            "capacity_rebalance": None if mixed is None or not (group or mixed) else _scaling.has_spot(mixed),
        }

    def _check_instances(self, current: _plan.Tree, mixed: _plan.Fields | None) -> None:
        """Refuse an image that one of the types cannot run, before a node fails to start. Asked only where something changes."""
        types = [self.wanted["instance_type"], *(mixed or {}).get("instance_types", [])]
        same_types = not mixed or current.get(self.group_key, {}).get("mixed") == mixed
        if (self.fitting and same_types) or not _plan.is_known([self.wanted["image_id"], *types]):
            return
        image = self._image(self.wanted["image_id"])
        self.root_device = image.get("RootDeviceName")
        wanted = image.get("Architecture")
        for name, able in self._architectures(sorted(set(types))).items():
            if wanted not in able:
                raise _owned.Refused(
                    f"instance type {name} runs {' or '.join(able)}, and the image {self.wanted['image_id']} is built for {wanted}. "
                    "Choose types of the image's architecture, or bake an image for theirs."
                )

    def _image(self, image_id: str) -> dict[str, Any]:
        missing = ("InvalidAMIID.NotFound", "InvalidAMIID.Malformed", "InvalidAMIID.Unavailable")
        images = _owned.listed(self.ec2, "describe_images", "Images", missing, ImageIds=[image_id])
        if not images:
            raise _owned.Refused(
                f"launch_template.image_id is {image_id!r}: there is no such image in this region. Bake one, or correct the id."
            )
        return images[0]

    def _architectures(self, types: list[str]) -> dict[str, list[str]]:
        try:
            answer = self.ec2.describe_instance_types(InstanceTypes=types, aws_retry=True)
        except is_boto3_error_code("InvalidInstanceType") as error:
            raise _owned.Refused(
                f"launch_template.instance_type or mixed_instances.instance_types has a type that this region does not know, of "
                f"{', '.join(types)}. Correct it, or choose another one."
            ) from error
        return {one["InstanceType"]: one["ProcessorInfo"]["SupportedArchitectures"] for one in answer["InstanceTypes"]}

    def _complete_volume(self, template: _plan.Fields) -> None:
        """Fill in what was not said of the root volume: the image's device, and what the version has that is gone on from."""
        if self.wanted.get("root_volume"):
            device = {"device_name": self.root_device} if self.root_device else {}
            self.wanted["root_volume"] = {**(template.get("root_volume") or {}), **device, **self.wanted["root_volume"]}

    # Writing

    def judged(self, changes: list[_plan.Change]) -> list[tuple[str, str, dict[str, Any]]]:
        """Let the security rules see a new launch template before anything is written."""
        if not any(change.key == self.template_key and change.after for change in changes):
            return []
        data = _launch_template.sent(self.wanted, self.base)
        return [("ec2", "CreateLaunchTemplateVersion", {"LaunchTemplateData": data})]

    def handlers(self) -> Mapping[str, _plan.Handler]:
        handlers = {
            "create launch_template": self._create_template,
            "update launch_template": self._update_template,
            "delete launch_template": self._delete_template,
            "create group": self._create_group,
            "update group": self._update_group,
            "delete group": self._delete_group,
            "delete hook": self._delete_hook,
            "delete warm_pool": self._delete_pool,
            "delete policy": self._delete_policy,
            "delete schedule": self._delete_schedule,
        }
        writers = {
            "hook": self._put_hook,
            "warm_pool": self._put_pool,
            "policy": self._put_policy,
            "schedule": self._put_schedule,
        }
        for kind, writer in writers.items():
            handlers.update({f"create {kind}": writer, f"update {kind}": writer})
        return handlers

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
            TargetGroupARNs=wanted.get("target_group_arns", []),
            Tags=self._group_tags(wanted.get("tags")),
            aws_retry=True,
            **group_arguments(wanted),
            **launched_from(wanted.get("mixed"), template["id"], version),
        )
        self._enable_metrics(wanted)
        return {"template_id": template["id"], "template_version": version, "instances": []}

    def _update_group(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        before, after = change.before, change.after
        arguments = group_arguments(after)
        if "mixed" in after:
            group = tree[self.group_key]
            arguments.update(launched_from(after["mixed"], group["template_id"], group["template_version"]))
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
        """Let the instances finish and go (R38), then delete the group, and whatever of it would not go, with force."""
        if change.before["has_pool"]:
            self._delete_pool(change, tree)  # it would grow by as much as the group shrinks
        self.scaling.update_auto_scaling_group(
            AutoScalingGroupName=self.name, MinSize=0, MaxSize=0, DesiredCapacity=0, aws_retry=True
        )
        what = f"the instances of the Auto Scaling group {self.name} to finish and go"
        wait_for(self.module, what, lambda: not self._staying(), self.params["wait_timeout"], 5)
        self.scaling.delete_auto_scaling_group(AutoScalingGroupName=self.name, ForceDelete=True, aws_retry=True)
        self._await_no_group()
        return {}

    def _staying(self) -> list[str]:
        """Return the instances that scaling in ends; those in standby or protected are left to the deletion with force."""
        instances = [one for group in self._groups() for one in group.get("Instances", [])]
        return [
            one["InstanceId"]
            for one in instances
            if one["LifecycleState"].startswith("Terminating")
            or (one["LifecycleState"] != "Standby" and not one.get("ProtectedFromScaleIn"))
        ]

    def _put_policy(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        arguments = _scaling.policy_arguments({**tree.get(change.key, {}), **change.after})
        self.scaling.put_scaling_policy(
            AutoScalingGroupName=self.name, PolicyName=change.name, aws_retry=True, **arguments
        )
        return {}

    def _delete_policy(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self.scaling.delete_policy(AutoScalingGroupName=self.name, PolicyName=change.name, aws_retry=True)
        return {}

    def _put_schedule(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        wanted = {**tree.get(change.key, {}), **change.after}
        gone = set(change.before.get("sizes", {})) - set(wanted["sizes"])
        if gone or (change.before.get("time_zone") and wanted["time_zone"] == _scaling.UTC):
            self._delete_schedule(change, tree)  # what an update leaves out, AWS keeps
        self.scaling.put_scheduled_update_group_action(
            AutoScalingGroupName=self.name,
            ScheduledActionName=change.name,
            aws_retry=True,
            **_scaling.schedule_arguments(wanted),
        )
        return {}

    def _delete_schedule(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self.scaling.delete_scheduled_action(
            AutoScalingGroupName=self.name, ScheduledActionName=change.name, aws_retry=True
        )
        return {}

    def _put_hook(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        arguments = _scaling.hook_arguments({**tree.get(change.key, {}), **change.after})
        self.scaling.put_lifecycle_hook(
            AutoScalingGroupName=self.name, LifecycleHookName=change.name, aws_retry=True, **arguments
        )
        return {}

    def _delete_hook(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self.scaling.delete_lifecycle_hook(
            AutoScalingGroupName=self.name, LifecycleHookName=change.name, aws_retry=True
        )
        return {}

    def _put_pool(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        arguments = _scaling.pool_arguments({**tree.get(change.key, {}), **change.after})
        self.scaling.put_warm_pool(AutoScalingGroupName=self.name, aws_retry=True, **arguments)
        return {}

    def _delete_pool(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        """Delete the pool; its instances serve nobody, so none has to finish anything."""
        self.scaling.delete_warm_pool(AutoScalingGroupName=self.name, ForceDelete=True, aws_retry=True)
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
            groups = self._groups() if self.params["health"] else []
            for group in groups:
                tree[self.group_key]["instances"] = group.get("Instances", [])
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

    def _health(self, tree: _plan.Tree) -> dict[str, Any]:
        """Return which instances serve: in service and, where there are target groups, healthy in the first of them."""
        group, arns = tree.get(self.group_key), self.params["target_group_arns"]
        instances = group.get("instances", []) if group else []
        serving = sorted(one["InstanceId"] for one in instances if one["LifecycleState"] == "InService")
        if not group or not arns or not _plan.is_known(arns):
            return {"instance_ids": serving if group and not arns else [], "reasons": []}
        answer = self.elb.describe_target_health(TargetGroupArn=arns[0], aws_retry=True)["TargetHealthDescriptions"]
        health = {one["Target"]["Id"]: one["TargetHealth"] for one in answer}
        sick = [one for one in health.values() if one["State"] != "healthy"]
        said = {" ".join(filter(None, (one["State"], one.get("Reason"), one.get("Description")))) for one in sick}
        healthy = sorted(name for name, state in health.items() if state["State"] == "healthy")
        return {"instance_ids": healthy, "reasons": sorted(said)}

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
            **(self._health(tree) if self.params["health"] else {}),
        }
