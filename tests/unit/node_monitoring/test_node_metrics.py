# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node tells of its PHP and its cache, to an emulated CloudWatch."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from wordpress_ha_rehearsal.emulator.testing import Emulator

#: As PHP-FPM 8.4 writes it.
STATUS = "pool:                 wordpress\nprocess manager:      static\nidle processes:       {idle}\nactive processes:     {busy}\n"
OPCACHE = {
    "opcache_enabled": True,
    "memory_usage": {"used_memory": 60, "free_memory": 30, "wasted_memory": 10},
    "interned_strings_usage": {"buffer_size": 200, "used_memory": 50},
    "opcache_statistics": {
        "num_cached_keys": 390,
        "max_cached_keys": 3900,
        "opcache_hit_rate": 99.25,
        "oom_restarts": 1,
        "hash_restarts": 2,
    },
}


@pytest.fixture
def look(
    node_metrics: ModuleType, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """Return a function that runs the program as the timer of a node of the stack `blog` does; PHP-FPM's answers are given."""
    agent = node_metrics.boot_agent
    about = {f"tags/instance/{agent.STACK_TAG}": "blog", "placement/region": "us-east-1"}
    monkeypatch.setattr(agent, "imds", about.__getitem__)
    monkeypatch.setattr(agent, "CONFIG", tmp_path / "agent.json")
    monkeypatch.setattr(node_metrics.node_sizes, "worker_sizes", lambda: [18000, 90112, 20480, 18000])
    monkeypatch.setattr(node_metrics.time, "sleep", lambda seconds: None)
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "php-fpm").mkdir()
    (tmp_path / "php-fpm/size.conf").write_text(
        "pm.max_children = 8\nlisten.backlog = 16\n[author]\npm.max_children = 2\n"
    )
    (tmp_path / "cache").mkdir()

    def run(
        source: str = "aws", metrics: bool = True, busy: tuple[int, ...] = (1, 6, 2, 1, 1), opcache: Any = None
    ) -> int:
        known = OPCACHE if opcache is None else opcache
        answers = iter([STATUS.format(idle=8 - one, busy=one) for one in busy])

        def request(listen: str, script: str, body: bytes, timeout: float) -> tuple[int, str]:
            if not busy:
                raise node_metrics.code_opcache.NoAnswer(f"{listen}: no such file")
            return 200, next(answers) if (listen, script) == ("status.sock", "/status") else json.dumps(known)

        monkeypatch.setattr(node_metrics.code_opcache, "request", request)
        (tmp_path / "agent.json").write_text(
            json.dumps(
                {
                    "source": source,
                    "metrics": metrics,
                    "ca_bundle": True,
                    "run_dir": str(tmp_path),
                    "lib": "/lib",
                    "fpm_status": "status.sock",
                    "fpm_health": "health.sock",
                    "worker_notes": [str(tmp_path / "worker.json"), str(tmp_path / "not-mounted/worker.json")],
                    "pool": {"children": 0},
                }
            )
        )
        return int(node_metrics.main())

    return run


def kept(tmp_path: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((tmp_path / "metrics.json").read_text())
    return found


def test_cloudwatch_sees_one_series_a_stack(look, emulator, tmp_path):
    assert look() == 0
    now = datetime.now(UTC)
    client = emulator.client("cloudwatch")
    seen = {}
    for name in kept(tmp_path):
        found = client.get_metric_statistics(
            Namespace="WordPressHA",
            MetricName=name,
            Dimensions=[{"Name": "Stack", "Value": "blog"}],
            StartTime=now - timedelta(minutes=10),
            EndTime=now + timedelta(minutes=1),
            Period=300,
            Statistics=["Maximum"],
        )
        seen[name] = found["Datapoints"][0]["Maximum"]
    assert seen == kept(tmp_path)
    assert len(emulator.writes("cloudwatch")) == 1, "all of them in one call"


def test_the_busiest_moment_counts_and_what_opcache_has_left(look, tmp_path):
    look()
    assert kept(tmp_path) == {
        "php_busy_percent": 75.0,
        "php_worker_mb": 20.0,
        "php_largest_worker_mb": 88.0,
        "opcache_memory_percent": 70.0,
        "opcache_keys_percent": 10.0,
        "opcache_strings_percent": 25.0,
        "opcache_hit_percent": 99.2,
        "opcache_restarts": 3.0,
        "cache_given_up": 0.0,
    }


def test_the_usual_worker_is_noted_where_it_can_be(look, tmp_path, capsys):
    look()
    assert json.loads((tmp_path / "worker.json").read_text()) == {"worker_kib": 20480}
    assert "not-mounted" in capsys.readouterr().out


def test_the_cache_is_told_of_by_the_minute(look, tmp_path):
    sums = {"requests": 100, "hits": 900, "misses": 100, "round_trips": 400, "requests_without": 0}
    (tmp_path / "cache/outcome").write_text(json.dumps(sums))
    look()
    (tmp_path / "cache/outcome").write_text(
        json.dumps({"requests": 110, "hits": 950, "misses": 150, "round_trips": 430, "requests_without": 5})
    )
    (tmp_path / "cache/outage").touch()
    look()
    found = kept(tmp_path)
    assert (found["cache_hit_percent"], found["cache_round_trips"], found["cache_without_percent"]) == (50.0, 3.0, 50.0)
    assert found["cache_given_up"] == 1.0


def test_sums_that_were_begun_anew_are_no_negative_minute(look, tmp_path):
    (tmp_path / "cache/outcome").write_text(json.dumps({"requests": 100, "hits": 900, "misses": 100}))
    look()
    (tmp_path / "cache/outcome").write_text(json.dumps({"requests": 2, "hits": 3, "misses": 1}))
    look()
    assert kept(tmp_path)["cache_hit_percent"] == 75.0


@pytest.mark.parametrize("broken", ["", "[]", "{", '{"hits": "many"}'])
def test_an_outcome_that_is_just_written_is_left_out(look, tmp_path, broken):
    (tmp_path / "cache/outcome").write_text(broken)
    assert look() == 0
    assert "cache_hit_percent" not in kept(tmp_path)


def test_php_that_does_not_answer_is_left_out_and_logged(look, tmp_path, capsys):
    assert look(busy=()) == 0
    assert "php_busy_percent" not in kept(tmp_path) and "opcache_restarts" not in kept(tmp_path)
    assert "no such file" in capsys.readouterr().out


def test_no_opcache_is_no_figure(look, tmp_path):
    look(opcache=False)
    assert not any(name.startswith("opcache") for name in kept(tmp_path))


@pytest.mark.parametrize(("source", "metrics"), [("file", True), ("aws", False)])
def test_who_is_not_to_tell_looks_only(look, emulator, tmp_path, source, metrics):
    assert look(source=source, metrics=metrics) == 0
    assert emulator.writes("cloudwatch") == []
    assert kept(tmp_path)["php_worker_mb"] == 20.0


def test_an_outage_of_cloudwatch_is_logged_and_ends_soon(look, monkeypatch, capsys):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert look() == 1
    assert "not told" in capsys.readouterr().out
