# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""P39: mails that a node could not send reach the alarm, each once; silence is no failure."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from ansible_collections.wordpress_ha.aws.plugins.filter.monitoring_set import monitoring_set
from wordpress_ha_rehearsal.emulator.testing import Emulator

ROLES = Path(__file__).resolve().parents[3] / "roles"


@pytest.fixture
def tell(
    mail_failures: ModuleType, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """Return a function that runs the program as the cron unit of a node does on which so many mails have failed."""
    about = {f"tags/instance/{mail_failures.boot_agent.STACK_TAG}": "blog", "placement/region": "us-east-1"}
    monkeypatch.setattr(mail_failures.boot_agent, "imds", about.__getitem__)
    monkeypatch.setattr(mail_failures.boot_agent, "CONFIG", tmp_path / "agent.json")
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail/told.json").write_text("{}")

    def run(counts: str, source: str = "aws") -> int:
        config = {"source": source, "ca_bundle": True, "run_dir": str(tmp_path)}
        (tmp_path / "agent.json").write_text(json.dumps(config))
        (tmp_path / "mail/counts.json").write_text(counts)
        return int(mail_failures.main())

    return run


def seen(emulator: Emulator) -> float:
    """Return the sum that the alarm sees."""
    alarm = monitoring_set({"nodes": {"mail": True}}, "blog")["alarms"]["mail-failures"]
    assert alarm["missing"] == "notBreaching" and alarm["threshold"] == 0
    now = datetime.now(UTC)
    found = emulator.client("cloudwatch").get_metric_statistics(
        Namespace=alarm["namespace"],
        MetricName=alarm["metric"],
        Dimensions=[{"Name": name, "Value": value} for name, value in alarm["dimensions"].items()],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=[alarm["statistic"]],
    )
    return sum(one[alarm["statistic"]] for one in found["Datapoints"])


def test_each_failure_is_told_once(tell, emulator):
    assert tell('{"sent": 3, "failed": 2}') == 0
    assert seen(emulator) == 2.0
    assert tell('{"sent": 4, "failed": 2}') == 0
    assert tell('{"sent": 4, "failed": 5}') == 0
    assert seen(emulator) == 5.0


@pytest.mark.parametrize("counts", ["{}", "", '{"sent": 7}', '{"fai'])
def test_a_node_without_a_failure_tells_nothing(tell, emulator, counts):
    assert tell(counts) == 0
    assert emulator.writes("cloudwatch") == []


def test_a_node_without_aws_tells_nothing(tell, emulator):
    assert tell('{"failed": 1}', source="file") == 0
    assert emulator.writes("cloudwatch") == []


def test_what_could_not_be_told_is_told_later(tell, emulator, monkeypatch, capsys):
    with monkeypatch.context() as cut:
        cut.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        assert tell('{"failed": 1}') == 1
    assert "1, which could not be told" in capsys.readouterr().out
    assert tell('{"failed": 1}') == 0
    assert seen(emulator) == 1.0


def test_plugin_unit_and_program_agree_on_the_place():
    plugin = (ROLES / "wordpress/files/mu-plugins/wordpress-ha-mail.php").read_text()
    tmpfiles = (ROLES / "web_node/templates/tmpfiles.conf.j2").read_text()
    assert "'/run/wordpress_ha/mail/counts.json'" in plugin
    assert "/mail/counts.json 0660" in tmpfiles and "/mail/told.json 0660" in tmpfiles
    assert "mail_failures.py" in (ROLES / "wordpress/templates/wordpress-ha-cron.service.j2").read_text()
