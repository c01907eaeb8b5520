# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the CloudWatch agent is told to collect: a shape that it takes, and names that alarms and log groups have.

The agent itself is in no archive that tests reach; its shape is that of the schema Amazon publishes with it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.wordpress_ha.aws.plugins.filter.monitoring_set import monitoring_set

ROLES = Path(__file__).resolve().parents[2] / "roles"
#: What the published schema knows, as far as it is used here; everything else is a misspelling.
AGENT = {"metrics_collection_interval", "omit_hostname", "run_as_user"}
METRICS = {"namespace", "aggregation_dimensions", "append_dimensions", "metrics_collected"}
COLLECTED = {"measurement", "resources", "drop_device", "append_dimensions"}
FILE = {"file_path", "log_group_name", "log_stream_name"}
JOURNAL = {"units", "log_group_name", "log_stream_name"}


@pytest.fixture(params=["journald", "file", "off"])
def config(request, render) -> dict[str, Any]:
    return dict(json.loads(render("web_node/cloudwatch-agent.json.j2", web_node_access_log=request.param)))


def test_it_has_the_shape_that_the_agent_takes(config):
    assert set(config) == {"agent", "metrics", "logs"}
    assert set(config["agent"]) <= AGENT and set(config["metrics"]) <= METRICS
    assert set(config["metrics"]["append_dimensions"]) <= {"InstanceId", "InstanceType", "ImageId"}
    for name, one in config["metrics"]["metrics_collected"].items():
        assert name in ("mem", "swap", "disk") and set(one) <= COLLECTED and one["measurement"]
    collected = config["logs"]["logs_collected"]
    assert all(set(one) == FILE for one in collected["files"]["collect_list"])
    assert all(set(one) == JOURNAL and one["units"] for one in collected["journald"]["collect_list"])


def test_the_alarms_watch_what_it_reports(config):
    named = {"mem": "", "swap": "", "disk": "disk_"}  # the agent puts its plugin's name before what lacks it
    reported = {
        f"{named[plugin]}{measured}"
        for plugin, one in config["metrics"]["metrics_collected"].items()
        for measured in one["measurement"]
    }
    alarms = monitoring_set({"nodes": {"agent": True}}, "@STACK@")["alarms"]
    assert {one["metric"] for one in alarms.values()} == reported
    for one in alarms.values():
        assert one["namespace"] == config["metrics"]["namespace"]
        assert one["dimensions"] == {"Stack": "@STACK@"}
    assert config["metrics"]["aggregation_dimensions"] == [["Stack"]]
    assert all(
        one["append_dimensions"] == {"Stack": "@STACK@"} for one in config["metrics"]["metrics_collected"].values()
    )


def test_its_logs_go_to_groups_that_the_role_monitoring_makes(config):
    groups = yaml.safe_load((ROLES / "monitoring/defaults/main.yml").read_text())["monitoring_log_groups"]
    collected = config["logs"]["logs_collected"]
    entries = collected["files"]["collect_list"] + collected["journald"]["collect_list"]
    assert {one["log_group_name"] for one in entries} == {f"/wordpress_ha/@STACK@/{name}" for name in groups}
    streams = [(one["log_group_name"], one["log_stream_name"]) for one in entries]
    assert len(set(streams)) == len(streams), "two sources in one stream"


def test_the_access_log_is_collected_where_it_is(render):
    for place, wanted in (("journald", False), ("file", True), ("off", False)):
        files = json.loads(render("web_node/cloudwatch-agent.json.j2", web_node_access_log=place))["logs"]
        paths = [one["file_path"] for one in files["logs_collected"]["files"]["collect_list"]]
        assert ("/var/log/nginx/wordpress_ha.access.log" in paths) is wanted


def test_the_unit_fills_in_the_stack_before_the_agent_starts(render):
    unit = render("web_node/wordpress-ha-cloudwatch.service.j2")
    first, second = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    assert (
        "cloudwatch_config.py /etc/wordpress_ha/cloudwatch-agent.json /run/wordpress_ha/cloudwatch-agent.json" in first
    )
    assert "-a fetch-config" in second and "file:/run/wordpress_ha/cloudwatch-agent.json" in second


def test_it_is_off_unless_set(defaults, argument_specs):
    assert defaults("web_node")["web_node_cloudwatch_agent"] is False
    assert "web_node_cloudwatch_agent_checksum" in argument_specs("web_node")["main"]["options"]


@pytest.mark.parametrize(
    ("source", "checksum", "taken"),
    [
        ("", "", False),
        ("", "sha256:" + "0" * 64, True),
        ("", "sha256:" + "0" * 63, False),
        ("", "md5:" + "0" * 32, False),
        ("https://example.org/agent.deb", "", False),
        ("/srv/agent.deb", "", True),
    ],
)
def test_a_package_that_nobody_vouches_for_is_refused_at_first(render_text, source, checksum, taken):
    """P42: the rule is read where the role reads it, before anything is installed."""
    tasks = yaml.safe_load((ROLES / "web_node/tasks/check.yml").read_text())
    rules = next(task["loop"] for task in tasks if "loop" in task and isinstance(task["loop"], list))
    rule = next(one["that"] for one in rules if one["name"] == "web_node_cloudwatch_agent_checksum")
    given = {"web_node_cloudwatch_agent_source": source, "web_node_cloudwatch_agent_checksum": checksum}
    decided = render_text("web_node", "{{ " + rule + " }}", web_node_cloudwatch_agent=True, **given)
    assert decided == str(taken)
    assert render_text("web_node", "{{ " + rule + " }}", web_node_cloudwatch_agent=False, **given) == "True"
