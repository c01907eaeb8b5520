# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: plan_summary
type: aggregate
author:
  - The wordpress_ha.aws project (@wordpress-ha)
version_added: 0.1.0
short_description: One ordered summary of all that a run did to AWS, or would do
description:
  - Collects what the modules of this collection return as C(actions), and prints it once more at the end of the run, numbered and in the
    order in which it was done. With C(--check) that is the plan.
  - Whatever is deleted is flagged, since it may be gone for good.
  - Names of resources and of their changed fields are shown; their values only in diff mode, which shows them anyway. The modules mask
    secrets, and a task with C(no_log) shows its name alone.
  - Changes by modules of C(amazon.aws) and C(community.aws), which return no actions, are named by their task.
  - A task that only asks is left out; one in check mode where the run is not, one with C(changed_when=false), or with the tag C(prediction).
  - Nothing is printed when nothing changed.
requirements:
  - C(wordpress_ha.aws.plan_summary) in the setting C(callbacks_enabled)
options:
  plan_file:
    description:
      - File that receives every action as a line of JSON with the keys C(task), C(action), C(resource), C(before), C(after) and C(changed),
        the names of the changed fields. It is emptied first, and only its owner may read it.
    type: path
    env:
      - name: WORDPRESS_HA_PLAN_FILE
    ini:
      - section: wordpress_ha
        key: plan_file
"""

EXAMPLES = r"""
# ansible.cfg
# [defaults]
# callbacks_enabled = wordpress_ha.aws.plan_summary
#
# ansible-playbook -i inventories/production playbooks/provision.yml --check --diff
#
# PLAN: 1 to create, 1 to update, 1 to delete ************************************
#    1. + create  subnet/app-c
#    2. ~ update  cluster/blog  (backup_retention_days: 14 -> 21)
#    3. - delete  nat_gateway/b  !! destructive
"""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from ansible import context
from ansible.plugins.callback import CallbackBase

MARKS = {"create": "+", "update": "~", "delete": "-", "change": "~"}
COLLECTIONS = ("wordpress_ha.aws.", "amazon.aws.", "community.aws.")
LONGEST_VALUE = 60


def entries(task: str, module: str, result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what one result says it changed; one entry without a resource for a module that only says that it did.

    :param module: full name of the module, as the task resolved it.
    :param result: a module's result as callbacks see it: without what C(no_log) hides.
    """
    if not result.get("changed"):
        return
    actions = result.get("actions")
    planned = [one for one in actions if _is_action(one)] if isinstance(actions, list) else []
    for one in planned:
        before, after = dict(one.get("before") or {}), dict(one.get("after") or {})
        changed = sorted({*before, *after})
        resource = {"action": one["action"], "resource": str(one["resource"])}
        yield {"task": task, **resource, "before": before, "after": after, "changed": changed}
    if not planned and module.startswith(COLLECTIONS):
        arguments = (result.get("invocation") or {}).get("module_args") or {}
        action = "delete" if arguments.get("state") == "absent" else "change"
        yield {"task": task, "action": action, "resource": task, "before": {}, "after": {}, "changed": []}


def _is_action(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("action") in MARKS and "resource" in value


def summary(found: list[dict[str, Any]], values: bool) -> Iterator[str]:
    """Yield the lines below the banner; ``values`` tells whether to show more of a field than its name."""
    width = len(str(len(found)))
    for number, entry in enumerate(found, 1):
        line = f"{number:>{max(width, 4)}}. {MARKS[entry['action']]} {entry['action']:<7} {entry['resource']}"
        if entry["action"] == "update":
            line += f"  ({', '.join(_field(entry, name, values) for name in entry['changed'])})"
        yield line + ("  !! destructive" if entry["action"] == "delete" else "")


def _field(entry: Mapping[str, Any], name: str, values: bool) -> str:
    before, after = (_short(entry[side].get(name)) for side in ("before", "after"))
    return f"{name}: {before} -> {after}" if values and before and after else name


def _short(value: Any) -> str:
    """Return a value that fits into a line, nothing for one that does not."""
    text = json.dumps(value, default=str) if isinstance(value, (dict, list)) else str(value)
    return text if len(text) <= LONGEST_VALUE and "\n" not in text else ""


def heading(found: list[dict[str, Any]], check: bool) -> str:
    """Return the line that counts: what is planned in check mode, else what was done."""
    words = {
        "create": ("to create", "created"),
        "update": ("to update", "updated"),
        "change": ("to change", "changed"),
        "delete": ("to delete", "deleted"),
    }
    counts = {action: sum(entry["action"] == action for entry in found) for action in words}
    parts = [f"{count} {words[action][0 if check else 1]}" for action, count in counts.items() if count]
    return f"{'PLAN' if check else 'DONE'}: {', '.join(parts)}"


class CallbackModule(CallbackBase):
    """Keeps what results say in their order, and prints it when the run ends, however it ends."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "wordpress_ha.aws.plan_summary"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, Any]] = []
        self._file: TextIO | None = None

    def v2_playbook_on_start(self, playbook: Any) -> None:
        path = self.get_option("plan_file")
        if path:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            self._file = os.fdopen(descriptor, "w", encoding="utf-8", buffering=1)

    def v2_runner_on_ok(self, result: Any) -> None:
        # A loop reports each item by itself, and then all of them once more.
        if not isinstance(result.result.get("results"), list):
            self._collect(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._collect(result)

    def _collect(self, result: Any) -> None:
        asks = result.task.check_mode and not context.CLIARGS.get("check")
        if asks or "prediction" in result.task.tags:
            return
        module = getattr(result.task, "resolved_action", None) or result.task.action
        for entry in entries(result.task_name, module, result.result):
            self.found.append(entry)
            if self._file:
                self._file.write(json.dumps(entry, default=str) + "\n")

    def v2_playbook_on_stats(self, stats: Any) -> None:
        if self._file:
            self._file.close()
        if not self.found:
            return
        flags = context.CLIARGS
        self._display.banner(heading(self.found, bool(flags.get("check"))))
        for line in summary(self.found, bool(flags.get("diff"))):
            self._display.display(line)
