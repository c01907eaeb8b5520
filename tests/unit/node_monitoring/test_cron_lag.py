# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node tells of its events, to an emulated CloudWatch; and that it is the very metric that the alarm watches."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ansible_collections.wordpress_ha.aws.plugins.filter.monitoring_set import monitoring_set
from wordpress_ha_rehearsal.emulator.testing import Emulator

ROLES = Path(__file__).resolve().parents[3] / "roles"


@pytest.fixture
def tell(
    cron_lag: ModuleType, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """Return a function that runs the program as the cron unit of a node of the stack `blog` does."""
    about = {f"tags/instance/{cron_lag.boot_agent.STACK_TAG}": "blog", "placement/region": "us-east-1"}
    monkeypatch.setattr(cron_lag.boot_agent, "imds", about.__getitem__)
    monkeypatch.setattr(cron_lag.boot_agent, "CONFIG", tmp_path / "agent.json")
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)

    def run(noted: str | None, source: str = "aws") -> int:
        (tmp_path / "agent.json").write_text(json.dumps({"source": source, "ca_bundle": True}))
        if noted is not None:
            (tmp_path / "lag").write_text(noted)
        return int(cron_lag.main({"RUNTIME_DIRECTORY": str(tmp_path)}))

    return run


def values(emulator: Emulator, alarm: dict[str, Any]) -> list[float]:
    """Return what an alarm sees."""
    now = datetime.now(UTC)
    found = emulator.client("cloudwatch").get_metric_statistics(
        Namespace=alarm["namespace"],
        MetricName=alarm["metric"],
        Dimensions=[{"Name": name, "Value": value} for name, value in alarm["dimensions"].items()],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
        Period=300,
        Statistics=[alarm["statistic"]],
    )
    return [one[alarm["statistic"]] for one in found["Datapoints"]]


def test_the_alarm_sees_what_the_runner_tells(tell, emulator):
    alarm = monitoring_set({"nodes": {"cron": True}}, "blog")["alarms"]["cron-lag"]
    assert values(emulator, alarm) == []
    assert tell("42") == 0
    assert values(emulator, alarm) == [42.0]
    assert alarm["missing"] == "breaching", "silence is the failure"


def test_a_node_that_was_not_the_runner_tells_nothing(tell, emulator):
    assert tell(None) == 0
    assert emulator.writes("cloudwatch") == []


def test_a_node_without_aws_tells_nothing(tell, emulator):
    assert tell("42", source="file") == 0
    assert emulator.writes("cloudwatch") == []


def test_an_outage_is_logged_and_ends_soon(tell, cron_lag, monkeypatch, capsys):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert tell("42") == 1
    assert "42 s, which could not be told" in capsys.readouterr().out


def test_an_instance_without_a_tag_is_logged(tell, cron_lag, monkeypatch, capsys):
    def silent(path: str) -> str:
        raise cron_lag.boot_agent.NotYet(f"instance metadata {path}: 404")

    monkeypatch.setattr(cron_lag.boot_agent, "imds", silent)
    assert tell("42") == 1
    assert "instance metadata" in capsys.readouterr().out


def test_the_runner_and_its_unit_agree_on_the_place():
    unit = (ROLES / "wordpress/templates/wordpress-ha-cron.service.j2").read_text()
    runner = (ROLES / "wordpress/files/cron.php").read_text()
    assert "RuntimeDirectory=" in unit and "getenv( 'RUNTIME_DIRECTORY' )" in runner
    assert '/lag"' in runner and "ExecStartPost=-" in unit and "cron_lag.py" in unit
    # The age of what waits is taken before it is run, and by the runner alone.
    assert runner.index("->begin()") < runner.index("->note_lag( wp_get_ready") < runner.index("->run()")
