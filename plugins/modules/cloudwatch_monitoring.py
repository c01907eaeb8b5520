#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudwatch_monitoring
version_added: 0.1.0
short_description: Keep alarms, the topic they tell, a dashboard and log groups as one unit
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Owns the alarms of one system, in one region or more, an SNS topic with e-mail subscriptions in each of these regions, a dashboard and log
    groups. All of it is read by a few calls, whose number does not grow with the number of alarms.
  - The topic is encrypted with a key of its own, since alarms cannot use the key that AWS keeps for SNS. Only alarms and AWS Backup of this
    account may publish to it, over TLS only.
  - C(amazon.aws.cloudwatch_metric_alarm) 10.1 always reports a change of an alarm with metric math, and takes a process of a second for each
    alarm. C(community.aws.sns_topic) 10.0 fails in check mode where there is no topic. There is no module for dashboards. This module can be
    retired when upstream has them and reads alarms in one call.
notes:
  - Alarms are named O(name), a slash and their short name; the topic is O(name) with C(-alarms).
  - Whoever is subscribed must confirm it by the mail that SNS sends. Until then the address is in RV(unconfirmed_emails).
  - Tags are compared on one alarm and one log group of each region and written to all; the others are read only where something is overwritten
    or removed.
options:
  name:
    description: Name of the system; all names begin with it.
    type: str
    required: true
  emails:
    description: Addresses that are told. If not set, subscriptions are left alone; others are ended with O(purge) only.
    type: list
    elements: str
  topic_arns:
    description: Topics that exist already, by region. None is made there, and nobody is subscribed.
    type: dict
  kms_key_id:
    description: Key of the topics, which must let C(cloudwatch.amazonaws.com) use it. Without it, each topic gets a key of its own.
    type: str
  alarms:
    description:
      - Alarms by short name. If not set, alarms are left alone.
      - Each needs C(description) (what it means and what to do), C(threshold) and C(missing) (C(breaching), C(notBreaching), C(ignore) or
        C(missing), what no data means), and either C(namespace) and C(metric) with C(dimensions), C(statistic) (default C(Average); or C(p95)
        and the like) and C(unit), or C(metrics).
      - C(metrics) is a list of metrics and expressions, each with C(id); a metric has C(namespace), C(metric), C(dimensions), C(statistic),
        C(period) and C(unit), an expression C(expression) and C(label). Exactly one of them returns data; C(return_data) is true unless set for
        expressions and false for metrics.
      - Furthermore C(region) (the module's unless set), C(period) (seconds, 300), C(comparison) (C(>), C(>=), C(<) or C(<=); C(>)),
        C(evaluation_periods) (1), C(datapoints_to_alarm) (all of them), C(enabled) (whether anybody is told, true) and C(tell_ok) (whether the
        end is told as well, true).
    type: dict
  regions:
    description: Further regions in which alarms of this system may be, even if none is described now.
    type: list
    elements: str
  dashboard:
    description:
      - The body of the dashboard O(name), with C(widgets). If not set, the dashboard is left alone; V({}) with O(purge) removes it.
      - A widget of the type C(alarm) may name alarms of O(alarms) by their short names.
    type: dict
  log_groups:
    description:
      - Log groups by short name, each with C(retention_days) (30; 0 is for ever) and C(kms_key_id) (ARN of a key that lets CloudWatch Logs use
        it). If not set, log groups are left alone. They are removed with O(state=absent) only.
    type: dict
  log_group_prefix:
    description: What the names of the log groups begin with; C(/wordpress_ha/), O(name) and a slash unless set.
    type: str
  purge:
    description: Whether to remove alarms, topics, subscriptions and the dashboard that this module keeps and that are not described.
    type: bool
    default: false
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.plan.tags
"""

EXAMPLES = r"""
- name: Tell somebody when the load balancer fails
  wordpress_ha.aws.cloudwatch_monitoring:
    name: blog
    emails: [ops@example.org]
    alarms:
      balancer-errors:
        description: "The load balancer answered with errors of its own. Look at the target group: are there healthy nodes?"
        namespace: AWS/ApplicationELB
        metric: HTTPCode_ELB_5XX_Count
        dimensions:
          LoadBalancer: app/blog/0123456789abcdef
        statistic: Sum
        period: 60
        evaluation_periods: 5
        datapoints_to_alarm: 3
        threshold: 10
        missing: notBreaching
      fleet-maximum:
        description: The fleet is as large as it may be. Raise its maximum, or find out what keeps it busy.
        metrics:
          - id: share
            expression: 100 * desired / most
            label: Share of the maximum
          - {id: desired, namespace: AWS/AutoScaling, metric: GroupDesiredCapacity, dimensions: {AutoScalingGroupName: blog-web}}
          - {id: most, namespace: AWS/AutoScaling, metric: GroupMaxSize, dimensions: {AutoScalingGroupName: blog-web}}
        comparison: ">="
        threshold: 100
        evaluation_periods: 3
        missing: missing
    log_groups:
      nginx: {retention_days: 30}
    tags:
      wordpress_ha:stack: blog
"""

RETURN = r"""
topic_arn:
  description: ARN of the topic in the module's region, null if there is none.
  returned: success
  type: str
topic_arns:
  description: ARNs of the topics by region.
  returned: success
  type: dict
unconfirmed_emails:
  description: Addresses that have not yet confirmed that they want to be told.
  returned: success
  type: list
  elements: str
alarms:
  description: Alarms by short name, each with C(name), C(arn) and C(region).
  returned: success
  type: dict
dashboard_name:
  description: Name of the dashboard, null if there is none.
  returned: success
  type: str
log_group_names:
  description: Names of the log groups by short name.
  returned: success
  type: dict
actions:
  description: What was or would be done, in order; every item has C(action), C(resource), C(before) and C(after).
  returned: success
  type: list
  elements: dict
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws
from ansible_collections.wordpress_ha.aws.plugins.module_utils._monitoring import Monitoring


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "emails": {"type": "list", "elements": "str"},
            "topic_arns": {"type": "dict"},
            "kms_key_id": {"type": "str", "no_log": False},
            "alarms": {"type": "dict"},
            "regions": {"type": "list", "elements": "str"},
            "dashboard": {"type": "dict"},
            "log_groups": {"type": "dict"},
            "log_group_prefix": {"type": "str"},
            "purge": {"type": "bool", "default": False},
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
        },
        supports_check_mode=True,
    )
    _aws.main(module, Monitoring)


if __name__ == "__main__":
    main()
