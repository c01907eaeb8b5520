#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: instance_refresh
short_description: Bring an Auto Scaling group and all its instances to a launch template version, and back if that fails
version_added: 0.1.0
description:
  - Does nothing when the group and every instance already run the version.
  - Otherwise starts an instance refresh and waits for its end. One that already leads to the same version is waited for, so that
    a run that was killed can be repeated; one that leads elsewhere is cancelled first.
  - A group of several instance types, or with Spot Instances, keeps them.
  - When the new instances do not become healthy, when an alarm sounds or when time is up, the refresh is rolled back. The module
    then fails, and says which version, what AWS said and what runs now.
notes:
  - C(community.aws.autoscaling_instance_refresh) 10.0 never reports a change, waits for nothing, knows neither rollback nor
    alarms, and in check mode takes any past refresh for a running one. When it waits and rolls back, this module can be retired.
author:
  - The wordpress_ha.aws project (@wordpress-ha)
options:
  group_name:
    description: Name of the Auto Scaling group.
    type: str
    required: true
  state:
    description: V(present) brings the version to the instances, V(gathered) only returns the facts.
    type: str
    choices: [present, gathered]
    default: present
  launch_template_id:
    description: Id of the launch template.
    type: str
    required: true
  launch_template_version:
    description: Number of the version. V($Latest) and V($Default) cannot be rolled back and are refused.
    type: str
    required: true
  min_healthy_percentage:
    description: Least share of the desired number of instances that stay in service.
    type: int
    default: 100
  max_healthy_percentage:
    description: Largest share of the desired number of instances. Above 100, replacements are launched before their predecessors go.
    type: int
    default: 150
  warmup:
    description: Seconds until a new instance counts. Unset is the group's default.
    type: int
  bake_seconds:
    description: Seconds to watch alarms after the last replacement.
    type: int
  auto_rollback:
    description: Whether AWS goes back by itself when the refresh fails.
    type: bool
    default: true
  alarms:
    description:
      - Names of CloudWatch alarms that end the refresh when they sound, also while O(bake_seconds) last.
      - One that does not exist, or sounds already, is refused before a refresh is started.
    type: list
    elements: str
  wait:
    description: Whether to wait for the end. Without, a failure is not seen.
    type: bool
    default: true
  wait_timeout:
    description: Seconds until an unfinished refresh is rolled back. The rollback may take as long again.
    type: int
    default: 3600
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
"""

EXAMPLES = r"""
- name: Roll out | Replace the instances one by one
  wordpress_ha.aws.instance_refresh:
    group_name: "{{ fleet.group_name }}"
    launch_template_id: "{{ fleet.launch_template_id }}"
    launch_template_version: "{{ fleet.launch_template_version }}"
    alarms: [blog-errors]
"""

RETURN = r"""
group_name:
  description: Name of the group.
  type: str
  returned: always
launch_template_id:
  description: Launch template of the group now.
  type: str
  returned: always
launch_template_version:
  description: Version from which the group launches instances now.
  type: str
  returned: always
outdated_instances:
  description: Instances that run another version than the wanted one.
  type: list
  elements: str
  returned: always
instance_refresh_id:
  description: The newest refresh of the group; null when there was none.
  type: str
  returned: always
status:
  description: Its status, in AWS's words.
  type: str
  returned: always
reason:
  description: What AWS says about a refresh that did not succeed.
  type: str
  returned: failure
running:
  description: The instances in service by version, after a refresh that did not succeed.
  type: dict
  returned: failure
  sample: {'3': [i-0a1, i-0b2]}
actions:
  description: The changes made, or in check mode those that would be made.
  type: list
  elements: dict
  returned: always
  sample: [{action: update, resource: refresh/blog-web, before: {launch_template_version: '3'}, after: {launch_template_version: '4'}}]
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils._aws import run
from ansible_collections.wordpress_ha.aws.plugins.module_utils._refresh import Refresh


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "group_name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "gathered"], "default": "present"},
            "launch_template_id": {"type": "str", "required": True},
            "launch_template_version": {"type": "str", "required": True},
            "min_healthy_percentage": {"type": "int", "default": 100},
            "max_healthy_percentage": {"type": "int", "default": 150},
            "warmup": {"type": "int"},
            "bake_seconds": {"type": "int"},
            "auto_rollback": {"type": "bool", "default": True},
            "alarms": {"type": "list", "elements": "str"},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 3600},
        },
        supports_check_mode=True,
    )
    version = module.params["launch_template_version"]
    if version.startswith("$"):
        module.fail_json(
            msg=f"launch_template_version is {version}, which AWS cannot roll back. Give the number of a version."
        )
    run(Refresh(module))


if __name__ == "__main__":
    main()
