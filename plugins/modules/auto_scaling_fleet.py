#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: auto_scaling_fleet
short_description: Manage a launch template, its Auto Scaling group and what scales it
version_added: 0.1.0
description:
  - One run brings the launch template, the Auto Scaling group, its target tracking policies and schedules, its termination hook and
    its warm pool to the wanted state.
  - A difference in the launch template makes a new version, or finds an earlier one that is identical. An existing group stays
    on its own version, since changing it would not replace an instance. M(wordpress_ha.aws.instance_refresh) does the switch.
  - The number of instances belongs to scaling. After creation it is only brought within O(min) and O(max), and where one of
    O(schedules) has set these, they stay so until another one sets them.
  - Before a new version is made, image and instance types must be of one architecture.
  - With O(state=absent) the instances finish first, as in every scaling in, then the group goes, then the launch template.
notes:
  - C(amazon.aws.autoscaling_group) 10.1 always reports a change in check mode and writes the metrics in every run;
    C(amazon.aws.ec2_launch_template) makes a new version even if an identical one exists, and the policy module has no check
    mode. When they differ, this module can be retired.
author:
  - The wordpress_ha.aws project (@wordpress-ha)
options:
  name:
    description: Name of the group and of the launch template; also the C(Name) of the instances.
    type: str
    required: true
  launch_template:
    description: What an instance is made of. Required for O(state=present).
    type: dict
    suboptions:
      image_id:
        description: Image.
        type: str
        required: true
      instance_type:
        description: Type.
        type: str
        required: true
      security_group_ids:
        description: Security groups.
        type: list
        elements: str
        required: true
      public_ip:
        description: Whether an instance gets a public address. Unset leaves it to the subnet.
        type: bool
      instance_profile:
        description: Name or ARN of the instance profile.
        type: str
      user_data:
        description: User data as text. Never put a secret here; every process of an instance can read it.
        type: str
      user_data_secret:
        description: Whether to mask the user data in the diff.
        type: bool
        default: false
      key_name:
        description: Key pair.
        type: str
      metadata:
        description: Instance metadata service. By default version 2 only, not reachable from containers, showing the tags.
        type: dict
        default: {}
        suboptions:
          http_tokens:
            description: Whether version 2 is the only one.
            type: str
            choices: [required, optional]
            default: required
          hop_limit:
            description: Network hops that an answer survives.
            type: int
            default: 1
          instance_tags:
            description: Whether an instance can read its own tags.
            type: bool
            default: true
      monitoring:
        description: Whether CloudWatch gets figures every minute.
        type: bool
      cpu_credits:
        description: What burstable types do when their credits are spent.
        type: str
        choices: [standard, unlimited]
      root_volume:
        description: Root volume. Unset is the image's own.
        type: dict
        suboptions:
          device_name:
            description: Device, as the image names it; the image's own unless given.
            type: str
          size:
            description: Size in GiB.
            type: int
          type:
            description: Type.
            type: str
            default: gp3
          encrypted:
            description: Whether it is encrypted.
            type: bool
            default: true
          throughput:
            description: Throughput in MiB/s.
            type: int
          iops:
            description: Operations per second.
            type: int
          kms_key_id:
            description: Key that encrypts it; the account's default one unless given.
            type: str
      tags:
        description: Tags of instances and volumes, O(tags) if unset. A C(Name) is added.
        type: dict
  subnet_ids:
    description: Subnets, one per Availability Zone. Required for O(state=present).
    type: list
    elements: str
  target_group_arns:
    description: Target groups in which the instances register. The list replaces the current one.
    type: list
    elements: str
  min:
    description: Least number of instances.
    type: int
    default: 2
  max:
    description: Largest number of instances.
    type: int
    default: 4
  desired:
    description: Number of instances at creation, O(min) if unset. Without effect later.
    type: int
  health_check_type:
    description: Whose opinion ends an instance. V(ELB) listens to the target groups too.
    type: str
    choices: [EC2, ELB]
    default: ELB
  grace_seconds:
    description: Seconds after launch in which a failing health check is ignored.
    type: int
    default: 300
  default_warmup:
    description: Seconds until a new instance counts in scaling and refreshes.
    type: int
  termination_policies:
    description: Which instance goes first when there are too many.
    type: list
    elements: str
  maintenance_policy:
    description: Bounds while instances are replaced, in percent of the desired number. 100 and 150 for a new group.
    type: dict
    suboptions:
      min_healthy_percentage:
        description: Least.
        type: int
        required: true
      max_healthy_percentage:
        description: Largest.
        type: int
        required: true
  metrics:
    description: Whether the group's own metrics are collected. V(false) leaves them alone.
    type: bool
    default: true
  target_tracking:
    description: Scaling policies. The dictionary replaces this module's policies of the group; unset leaves them alone.
    type: dict
    suboptions:
      cpu:
        description: Average CPU load to hold, in percent.
        type: float
      requests_per_target:
        description: Requests per instance and minute to hold, for the first of O(target_group_arns).
        type: float
      load_balancer_arn:
        description: Load balancer that sends these requests.
        type: str
  mixed_instances:
    description: Instances of several types, some of them Spot. Unset leaves it alone; without types there is one, the launch template's.
    type: dict
    suboptions:
      instance_types:
        description: Types, the preferred one first. All of the image's architecture.
        type: list
        elements: str
        default: []
      on_demand_base:
        description: Number of instances that are On-Demand at least.
        type: int
        default: 0
      on_demand_percent:
        description: Share of the others that are On-Demand; the rest are Spot.
        type: int
        default: 100
      spot_strategy:
        description: How AWS chooses among the Spot pools.
        type: str
        default: price-capacity-optimized
  schedules:
    description:
      - Sizes by time, by name. The dictionary replaces the group's schedules; unset leaves them alone.
      - Each takes C(recurrence), five fields as cron's, C(time_zone) such as V(Europe/Berlin) (V(UTC)), and C(min), C(max), C(desired).
    type: dict
  termination_hook:
    description: A lifecycle hook at which an instance finishes before it ends (R38). Unset leaves hooks alone.
    type: dict
    suboptions:
      name:
        description: Name of the hook, by which an agent on the instance completes it.
        type: str
        default: drain
      timeout_seconds:
        description: Seconds until the instance ends without an answer, 30 to 7200; V(0) removes the hook.
        type: int
        required: true
      result:
        description: What happens then. For a termination both end the instance.
        type: str
        choices: [CONTINUE, ABANDON]
        default: CONTINUE
  warm_pool:
    description: Instances that have booted once and wait to be needed. Unset leaves it alone; without O(warm_pool.state) there is none.
    type: dict
    suboptions:
      state:
        description: How they wait.
        type: str
        choices: [Stopped, Running, Hibernated]
      min:
        description: Least number of them.
        type: int
        default: 0
      max_prepared:
        description: Largest number of instances, those in service included; as many as O(max) unless given.
        type: int
  health:
    description: Whether to return which instances serve, which takes one more call.
    type: bool
    default: false
  wait:
    description:
      - Whether to wait until O(min) instances are in service and healthy in every target group.
      - Not done while a refresh is due. Deletion is always waited for.
    type: bool
    default: true
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.plan.tags
  - wordpress_ha.aws.plan.wait
"""

EXAMPLES = r"""
- name: Fleet | Run two to six web nodes
  wordpress_ha.aws.auto_scaling_fleet:
    name: blog-web
    launch_template:
      image_id: ami-0a1
      instance_type: c7g.medium
      security_group_ids: [sg-0c3]
      instance_profile: blog-web
    subnet_ids: [subnet-0a1, subnet-0b2]
    target_group_arns: ["arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/blog-web/1"]
    min: 2
    max: 6
    target_tracking:
      cpu: 60
    termination_hook:
      timeout_seconds: 300
    schedules:
      morning: {recurrence: '0 7 * * 1-5', time_zone: Europe/Berlin, min: 4}
      evening: {recurrence: '0 19 * * *', time_zone: Europe/Berlin, min: 2}
    tags:
      wordpress_ha:stack: blog
  register: fleet
"""

RETURN = r"""
launch_template_id:
  description: Id of the launch template; null when there is none.
  type: str
  returned: always
launch_template_version:
  description: Version that is as wanted.
  type: int
  returned: always
group_name:
  description: Name of the group; null when there is none.
  type: str
  returned: always
group_launch_template_version:
  description: Version from which the group launches instances now.
  type: int
  returned: always
refresh_needed:
  description: Whether the group or one of its instances is on another version than the wanted one.
  type: bool
  returned: always
min:
  description: Least number of instances.
  type: int
  returned: always
max:
  description: Largest number of instances.
  type: int
  returned: always
desired:
  description: Number of instances that scaling wants now.
  type: int
  returned: always
instance_ids:
  description: Instances in service, and healthy in the first of O(target_group_arns) if there is one.
  type: list
  elements: str
  returned: when O(health=true)
reasons:
  description: What the load balancer says of targets that are not healthy.
  type: list
  elements: str
  returned: when O(health=true)
actions:
  description: The changes made, or in check mode those that would be made.
  type: list
  elements: dict
  returned: always
  sample: [{action: update, resource: launch_template/blog-web, before: {image_id: ami-0a1}, after: {image_id: ami-0b2}}]
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws
from ansible_collections.wordpress_ha.aws.plugins.module_utils._fleet import Fleet
from ansible_collections.wordpress_ha.aws.plugins.module_utils._scaling import SPOT_STRATEGY

LAUNCH_TEMPLATE = {
    "image_id": {"type": "str", "required": True},
    "instance_type": {"type": "str", "required": True},
    "security_group_ids": {"type": "list", "elements": "str", "required": True},
    "public_ip": {"type": "bool"},
    "instance_profile": {"type": "str"},
    "user_data": {"type": "str"},
    "user_data_secret": {"type": "bool", "default": False, "no_log": False},
    "key_name": {"type": "str", "no_log": False},
    "metadata": {
        "type": "dict",
        "default": {},
        "apply_defaults": True,
        "options": {
            "http_tokens": {"type": "str", "choices": ["required", "optional"], "default": "required", "no_log": False},
            "hop_limit": {"type": "int", "default": 1},
            "instance_tags": {"type": "bool", "default": True},
        },
    },
    "monitoring": {"type": "bool"},
    "cpu_credits": {"type": "str", "choices": ["standard", "unlimited"]},
    "root_volume": {
        "type": "dict",
        "options": {
            "device_name": {"type": "str"},
            "size": {"type": "int"},
            "type": {"type": "str", "default": "gp3"},
            "encrypted": {"type": "bool", "default": True},
            "throughput": {"type": "int"},
            "iops": {"type": "int"},
            "kms_key_id": {"type": "str", "no_log": False},
        },
    },
    "tags": {"type": "dict"},
}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
            "launch_template": {"type": "dict", "options": LAUNCH_TEMPLATE},
            "subnet_ids": {"type": "list", "elements": "str"},
            "target_group_arns": {"type": "list", "elements": "str"},
            "min": {"type": "int", "default": 2},
            "max": {"type": "int", "default": 4},
            "desired": {"type": "int"},
            "health_check_type": {"type": "str", "choices": ["EC2", "ELB"], "default": "ELB"},
            "grace_seconds": {"type": "int", "default": 300},
            "default_warmup": {"type": "int"},
            "termination_policies": {"type": "list", "elements": "str"},
            "maintenance_policy": {
                "type": "dict",
                "options": {
                    "min_healthy_percentage": {"type": "int", "required": True},
                    "max_healthy_percentage": {"type": "int", "required": True},
                },
            },
            "metrics": {"type": "bool", "default": True},
            "target_tracking": {
                "type": "dict",
                "options": {
                    "cpu": {"type": "float"},
                    "requests_per_target": {"type": "float"},
                    "load_balancer_arn": {"type": "str"},
                },
            },
            "mixed_instances": {
                "type": "dict",
                "options": {
                    "instance_types": {"type": "list", "elements": "str", "default": []},
                    "on_demand_base": {"type": "int", "default": 0},
                    "on_demand_percent": {"type": "int", "default": 100},
                    "spot_strategy": {"type": "str", "default": SPOT_STRATEGY},
                },
            },
            "schedules": {"type": "dict"},
            "termination_hook": {
                "type": "dict",
                "options": {
                    "name": {"type": "str", "default": "drain"},
                    "timeout_seconds": {"type": "int", "required": True},
                    "result": {"type": "str", "choices": ["CONTINUE", "ABANDON"], "default": "CONTINUE"},
                },
            },
            "warm_pool": {
                "type": "dict",
                "options": {
                    "state": {"type": "str", "choices": ["Stopped", "Running", "Hibernated"]},
                    "min": {"type": "int", "default": 0},
                    "max_prepared": {"type": "int"},
                },
            },
            "health": {"type": "bool", "default": False},
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 600},
        },
        required_if=[("state", "present", ["launch_template", "subnet_ids"])],
        supports_check_mode=True,
    )
    _aws.main(module, Fleet)


if __name__ == "__main__":
    main()
