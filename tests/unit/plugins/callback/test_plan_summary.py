# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The summary at the end of a run: every action once, in order, with nothing secret in it, whatever the play looks like."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wordpress_ha.aws.plugins.callback import plan_summary

CHECKOUT = Path(__file__).resolve().parents[4]

#: A module that returns the actions it is given, and says what it is given.
MODULE = """
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({"actions": {"type": "list", "elements": "dict"}, "fail": {"type": "bool"}}, supports_check_mode=True)
if module.params["fail"]:
    module.fail_json(msg="failed")
module.exit_json(changed=bool(module.params["actions"]), actions=module.params["actions"] or [])
"""
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Fail, and be rescued
      block:
        - planned: {actions: [{action: create, resource: a/before, after: {x: 1}}]}
        - planned: {fail: true}
      rescue:
        - planned: {actions: [{action: update, resource: a/rescued, before: {x: 1, y: 2}, after: {x: 2, y: 3}}]}
    - name: Loop
      planned: {actions: [{action: delete, resource: "a/{{ item }}", before: {x: 1}}]}
      loop: [one, two]
    - include_role: {name: part}
    - name: Hidden
      planned: {actions: [{action: create, resource: a/hidden, after: {x: hush}}]}
      no_log: true
    - name: Asks by check mode
      planned: {actions: [{action: create, resource: a/asked, after: {x: 1}}]}
      check_mode: true
      when: not ansible_check_mode
    - name: Asks by a tag
      planned: {actions: [{action: create, resource: a/asked, after: {x: 1}}]}
      tags: [prediction]
    - name: Says that it only looks
      planned: {actions: [{action: create, resource: a/asked, after: {x: 1}}]}
      changed_when: false
    - name: Later
      planned: {actions: [{action: create, resource: a/later, after: {x: 1}}]}
      async: 20
      poll: 0
      register: job
      when: not ansible_check_mode
    - async_status: {jid: "{{ job.ansible_job_id }}"}
      register: done
      until: done.finished
      delay: 0.2
      retries: 50
      when: not ansible_check_mode
    - planned:
"""


@pytest.fixture
def play(tmp_path: Path) -> Any:
    """Run a play that has the module ``planned`` and a role ``part``; return its output and the plan file's lines."""
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "planned.py").write_text(MODULE)
    (tmp_path / "roles" / "part" / "tasks").mkdir(parents=True)
    task = "- planned: {actions: [{action: create, resource: a/role, after: {x: 1}}]}\n"
    (tmp_path / "roles" / "part" / "tasks" / "main.yml").write_text(task)

    def run(text: str, *arguments: str) -> tuple[str, list[dict[str, Any]]]:
        (tmp_path / "play.yml").write_text(text)
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "WORDPRESS_HA_PLAN_FILE": str(tmp_path / "plan"),
        }
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local"]
        command += ["-e", f"ansible_python_interpreter={sys.executable}", *arguments, str(tmp_path / "play.yml")]
        done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, [json.loads(line) for line in (tmp_path / "plan").read_text().splitlines()]

    return run


def test_every_action_is_told_once_and_in_order(play: Any, tmp_path: Path) -> None:
    output, lines = play(PLAY)
    told = ["create a/before", "update a/rescued", "delete a/one", "delete a/two", "create a/role", "create a/later"]
    assert [f"{line['action']} {line['resource']}" for line in lines] == told
    assert lines[1]["changed"] == ["x", "y"] and lines[1]["before"] == {"x": 1, "y": 2} and lines[2]["task"] == "Loop"
    summary = output[output.index("DONE: ") :]
    assert "DONE: 3 created, 1 updated, 2 deleted" in summary
    assert "2. ~ update  a/rescued  (x, y)\n" in summary and "3. - delete  a/one  !! destructive\n" in summary
    assert "hush" not in output + json.dumps(lines) and "a/hidden" not in summary
    assert (tmp_path / "plan").stat().st_mode & 0o777 == 0o600


def test_check_mode_is_a_plan_with_values_in_diff_mode(play: Any) -> None:
    output, _lines = play(PLAY, "--check", "--diff")
    summary = output[output.index("PLAN: ") :]
    assert "PLAN: 2 to create, 1 to update, 2 to delete" in summary
    assert "~ update  a/rescued  (x: 1 -> 2, y: 2 -> 3)" in summary


def test_nothing_changed_is_nothing_printed(play: Any) -> None:
    output, lines = play("- {hosts: localhost, gather_facts: false, tasks: [{planned: {actions: []}}]}")
    assert "PLAN" not in output and "DONE" not in output and lines == []


@pytest.mark.parametrize(
    ("module", "result", "action"),
    [
        ("amazon.aws.ec2_ami", {"changed": True, "invocation": {"module_args": {"state": "absent"}}}, "delete"),
        ("amazon.aws.ec2_ami", {"changed": True}, "change"),
        ("wordpress_ha.aws.some", {"changed": True, "censored": "hidden"}, "change"),
        ("amazon.aws.ec2_ami", {"changed": False}, None),
        ("ansible.builtin.copy", {"changed": True}, None),
        ("other.tool.plan", {"changed": True, "actions": ["restart"]}, None),
    ],
)
def test_modules_without_actions_are_named_by_their_task(module: str, result: dict[str, Any], action: str) -> None:
    found = list(plan_summary.entries("Images | Retire", module, result))
    assert [(one["action"], one["resource"]) for one in found] == ([(action, "Images | Retire")] if action else [])


def test_long_values_stay_out_of_a_line() -> None:
    entry = {"task": "t", "action": "update", "resource": "a/b", "changed": ["x"]}
    entry |= {"before": {"x": "y" * 99}, "after": {"x": {"z": 1}}}
    assert list(plan_summary.summary([entry], values=True)) == ["   1. ~ update  a/b  (x)"]
