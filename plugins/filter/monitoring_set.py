# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: monitoring_set
author:
  - The wordpress_ha.aws project (@wordpress-ha)
version_added: 0.1.0
short_description: Say which alarms and which dashboard a stack needs
description:
  - Takes what there is of a stack (load balancer, fleet, database and so on) and expands the watch list of the role C(monitoring)
    (C(vars/watch_list.yml)) for it.
  - What is not given gets no alarm and no row of the dashboard.
positional: _input
options:
  _input:
    description:
      - The subjects, each optional, as C(monitoring_subjects) of the role.
      - C(distribution_id), C(web_acl) (a name), C(load_balancer) and C(target_groups) (ARNs, or the ends that CloudWatch knows; target groups by
        name), C(fleet) (C(name), C(min), C(max)), C(nodes) (C(agent), C(metrics), C(cron), C(mail); whether they report these), C(database) (C(cluster),
        C(instance_class), C(readers)), C(cache) (C(name), C(engine), C(nodes), C(serverless)), C(files) (C(file_system_id), C(throughput_mode)),
        C(nat_gateway_ids), C(backup_vault) (a name).
    type: dict
    required: true
  name:
    description: The stack's name.
    type: str
    required: true
  thresholds:
    description: Thresholds that differ from the role's (C(__monitoring_thresholds)), by name; null switches an alarm off.
    type: dict
    default: {}
  edge_region:
    description: Region in which CloudFront and its firewall report.
    type: str
    default: us-east-1
"""

EXAMPLES = r"""
- name: Show what is said about the database
  ansible.builtin.debug:
    msg: >-
      {{ ({'database': {'cluster': 'blog-db', 'instance_class': 'db.r7g.large'}}
          | wordpress_ha.aws.monitoring_set(name='blog', thresholds={'database_cpu_percent': 70})).alarms }}
"""

RETURN = r"""
_value:
  description:
    - C(alarms) and C(dashboard) as options of M(wordpress_ha.aws.cloudwatch_monitoring), and C(gate), the short names of the alarms that
      should stop a roll-out.
  type: dict
"""

from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _watch_list

WATCH_LIST = Path(__file__).resolve().parents[2] / "roles" / "monitoring" / "vars" / "watch_list.yml"


def monitoring_set(subjects: Any, name: str, thresholds: Any = None, edge_region: str = "us-east-1") -> dict[str, Any]:
    """Return alarms, gate and dashboard for the subjects that exist."""
    listed = yaml.safe_load(WATCH_LIST.read_text(encoding="utf-8"))
    watched = _watch_list.WatchList(
        listed["__monitoring_watch_list"],
        listed["__monitoring_thresholds"],
        listed["__monitoring_max_connections"],
        edge_region,
    )
    try:
        return _watch_list.expand(watched, name, subjects or {}, thresholds or {})
    except _watch_list.Invalid as error:
        raise AnsibleFilterError(f"monitoring_{error}") from error


class FilterModule:
    """The collection's filters."""

    def filters(self) -> dict[str, Any]:
        return {"monitoring_set": monitoring_set}
