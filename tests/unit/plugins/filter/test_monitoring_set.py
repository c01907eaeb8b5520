# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which alarms and which rows a stack gets, and that each alarm is one that CloudWatch evaluates and a person can act on."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.wordpress_ha.aws.plugins.filter.monitoring_set import WATCH_LIST, monitoring_set
from ansible_collections.wordpress_ha.aws.plugins.module_utils import _alarms, _aws

LISTED = yaml.safe_load(WATCH_LIST.read_text())
WHOLE: dict[str, Any] = {
    "distribution_id": "E1",
    "web_acl": "blog",
    "load_balancer": "arn:aws:elasticloadbalancing:eu-central-1:1:loadbalancer/app/blog/0123",
    "target_groups": {
        "web": "arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/blog/0123",
        "shop": "targetgroup/shop/4",
    },
    "fleet": {"name": "blog-web", "min": 2, "max": 6},
    "nodes": {"agent": True, "metrics": True, "cron": True, "mail": True},
    "database": {"cluster": "blog-db", "instance_class": "db.r7g.large", "readers": 1},
    "cache": {"name": "blog-cache", "engine": "valkey", "nodes": 2},
    "files": {"file_system_id": "fs-1", "throughput_mode": "bursting"},
    "nat_gateway_ids": ["nat-a", "nat-b"],
    "backup_vault": "blog",
}
#: One word of every alarm, by what the requirements want watched.
WANTED = {
    "edge-errors", "firewall-blocked", "balancer-errors", "target-errors-web", "target-latency-web", "target-unhealthy-web",
    "target-errors-shop", "fleet-maximum", "fleet-cpu", "node-memory", "node-disk", "node-swap", "php-busy", "php-opcache", "php-cache",
    "cron-lag", "mail-failures",
    "database-cpu",
    "database-connections", "database-memory", "database-lag", "database-deadlocks", "cache-evictions-001",
    "cache-memory-002", "cache-cpu-001", "cache-engine-002", "files-credits", "files-io", "files-throughput", "nat-ports-1",
    "nat-drops-2", "backup-age", "backup-failed",
}  # fmt: skip


def alarms(**subjects: Any) -> dict[str, Any]:
    return dict(monitoring_set(subjects, "blog")["alarms"])


def test_a_whole_stack_is_watched_from_edge_to_backups():
    made = monitoring_set(WHOLE, "blog")
    assert set(made["alarms"]) >= WANTED
    headings = [
        one["properties"]["markdown"]
        for one in made["dashboard"]["widgets"]
        if "##" in str(one["properties"].get("markdown"))
    ]
    assert headings == [f"## {section['title']}" for section in LISTED["__monitoring_watch_list"]]


def test_every_alarm_is_one_that_cloudwatch_takes_and_the_module_too():
    made = monitoring_set(WHOLE, "blog")
    checked = _aws.checked_items("alarms", made["alarms"], _alarms.ALARM_SPEC, **_alarms.ALARM_RULES)
    for name, alarm in checked.items():
        wanted = _alarms.wanted(name, alarm, "eu-central-1", {})
        assert _alarms.described(as_described(_alarms.request(name, wanted)), wanted["region"]) | {"arn": ""} == {
            **wanted,
            "arn": "",
        }
    _alarms.check_dashboard("dashboard", made["dashboard"])


def as_described(request: dict[str, Any]) -> dict[str, Any]:
    """Return what DescribeAlarms would tell of a request."""
    return {**request, "AlarmArn": ""}


def test_every_alarm_says_what_to_do():
    for name, alarm in alarms(**WHOLE).items():
        assert len(alarm["description"]) > 80 and alarm["description"].endswith((".", ":")), name
        assert "{" not in alarm["description"], name


@pytest.mark.parametrize("section", LISTED["__monitoring_watch_list"], ids=lambda one: one["subject"])
def test_what_no_data_means_is_said_on_purpose(section):
    """Counts of errors are silent when all is well, signs of life when nothing is; levels say nothing."""
    for short, entry in section["alarms"].items():
        level = entry.get("statistic", "Average") != "Sum" and "metrics" not in entry
        if entry["missing"] == "breaching":
            assert (section["subject"], short) in {("target", "healthy"), ("cron", "lag"), ("backup", "age")}
        elif entry["missing"] == "missing":
            assert level or "expression" in str(entry["metrics"]), short


def test_the_edges_alarms_are_where_cloudfront_reports():
    made = alarms(**WHOLE)
    regions = {name: alarm.get("region") for name, alarm in made.items() if alarm.get("region")}
    assert regions == {"edge-errors": "us-east-1", "firewall-blocked": "us-east-1"}
    assert (
        monitoring_set(WHOLE, "blog", edge_region="cn-northwest-1")["alarms"]["edge-errors"]["region"]
        == "cn-northwest-1"
    )
    graphs = [
        one["properties"] for one in monitoring_set(WHOLE, "blog")["dashboard"]["widgets"] if one["type"] == "metric"
    ]
    assert all(
        (graph.get("region") == "us-east-1") is (graph["metrics"][0][0] in ("AWS/CloudFront", "AWS/WAFV2"))
        for graph in graphs
    )


@pytest.mark.parametrize("missing", sorted(WHOLE))
def test_what_does_not_exist_gets_no_alarm_and_no_row(missing):
    subjects = {key: value for key, value in WHOLE.items() if key != missing}
    if missing == "load_balancer":
        subjects.pop("target_groups")
    fewer, all_of_it = monitoring_set(subjects, "blog"), monitoring_set(WHOLE, "blog")
    assert set(fewer["alarms"]) < set(all_of_it["alarms"])
    assert len(fewer["dashboard"]["widgets"]) < len(all_of_it["dashboard"]["widgets"])


def test_nothing_is_watched_of_nothing():
    made = monitoring_set({}, "blog")
    assert made["alarms"] == {} and made["gate"] == []


def test_widgets_do_not_overlap_and_stay_within_the_dashboard():
    cells: set[tuple[int, int]] = set()
    for one in monitoring_set(WHOLE, "blog")["dashboard"]["widgets"]:
        area = set(
            itertools.product(range(one["x"], one["x"] + one["width"]), range(one["y"], one["y"] + one["height"]))
        )
        assert not area & cells, one
        assert all(0 <= x < 24 for x, _unused in area)
        cells |= area


def test_the_alarms_of_what_visitors_get_stop_a_roll_out():
    assert monitoring_set(WHOLE, "blog")["gate"] == [
        "balancer-errors",
        "target-errors-web",
        "target-latency-web",
        "target-errors-shop",
        "target-latency-shop",
    ]


@pytest.mark.parametrize(
    ("subjects", "there", "missing"),
    [
        ({"fleet": {"name": "f", "min": 2, "max": 2}}, ["fleet-cpu"], ["fleet-maximum"]),
        ({"files": {"file_system_id": "fs-1"}}, ["files-io", "files-throughput"], ["files-credits"]),
        ({"database": {"cluster": "d"}}, ["database-cpu"], ["database-lag", "database-capacity"]),
        ({"database": {"cluster": "d", "instance_class": "db.serverless"}}, ["database-capacity"], []),
        ({"cache": {"name": "c", "serverless": True}}, ["cache-throttled", "cache-evictions"], ["cache-engine"]),
        (
            {"cache": {"name": "c", "engine": "memcached"}},
            ["cache-cpu", "cache-evictions"],
            ["cache-engine", "cache-lag"],
        ),
        ({"nodes": {"cron": True}}, ["cron-lag"], ["node-memory", "php-busy"]),
        ({"nodes": {"metrics": True}}, ["php-busy", "php-opcache", "php-cache"], ["node-memory", "cron-lag"]),
    ],
)
def test_an_alarm_is_made_only_where_it_can_mean_something(subjects, there, missing):
    made = alarms(**subjects)
    assert set(there) <= set(made) and not set(missing) & set(made)


def test_what_nodes_report_of_php_is_watched_under_the_names_they_report():
    """P9, P17: an alarm on a metric that nobody writes is silent for ever."""
    written = (WATCH_LIST.parents[2] / "web_node" / "files" / "node_metrics.py").read_text()
    made = {name: alarm for name, alarm in alarms(nodes={"metrics": True}).items() if name.startswith("php-")}
    assert {alarm["metric"] for alarm in made.values()} == {"php_busy_percent", "opcache_restarts", "cache_given_up"}
    for metric in ("{pool}_busy_percent", '"opcache_restarts"', '"cache_given_up"'):
        assert metric in written
    assert all(
        alarm["dimensions"] == {"Stack": "blog"} and alarm["namespace"] == "WordPressHA" for alarm in made.values()
    )


def test_dimensions_are_those_cloudwatch_knows():
    made = alarms(**WHOLE)
    assert made["balancer-errors"]["dimensions"] == {"LoadBalancer": "app/blog/0123"}
    assert made["target-latency-shop"]["dimensions"] == {
        "TargetGroup": "targetgroup/shop/4",
        "LoadBalancer": "app/blog/0123",
    }
    assert made["database-cpu"]["dimensions"] == {"DBClusterIdentifier": "blog-db", "Role": "WRITER"}
    assert made["cache-cpu-002"]["dimensions"] == {"CacheClusterId": "blog-cache-002"}
    assert made["firewall-blocked"]["dimensions"] == {"WebACL": "blog", "Rule": "ALL"}


@pytest.mark.parametrize(
    ("size", "threshold"),
    [("db.t4g.medium", 72), ("db.r7g.large", 800), ("db.r8g.4xlarge", 3200), ("db.x2g.large", 80)],
)
def test_connections_are_judged_by_the_class(size, threshold):
    assert alarms(database={"cluster": "d", "instance_class": size})["database-connections"]["threshold"] == threshold


def test_thresholds_are_the_users():
    made = monitoring_set(
        WHOLE,
        "blog",
        {"database_connections": 50, "database_free_memory_mib": 100, "cron_lag_seconds": None, "backup_age_hours": 50},
    )["alarms"]
    assert made["database-connections"]["threshold"] == 50
    assert made["database-memory"]["threshold"] == 100 * 1024 * 1024
    assert "cron-lag" not in made
    assert made["backup-age"]["evaluation_periods"] == 50 and "50 hours" in made["backup-age"]["description"]


def test_subjects_that_are_not_known_yet_are_watched_all_the_same():
    unknown = "(known after apply)"
    made = alarms(load_balancer=unknown, target_groups={"web": unknown}, nat_gateway_ids=[unknown, unknown])
    assert made["target-latency-web"]["dimensions"] == {"TargetGroup": unknown, "LoadBalancer": unknown}
    assert "nat-ports-2" in made


def test_the_subjects_are_not_changed():
    before = copy.deepcopy(WHOLE)
    monitoring_set(WHOLE, "blog")
    assert before == WHOLE


@pytest.mark.parametrize(
    ("subjects", "thresholds", "words"),
    [
        ({"queue": "x"}, {}, ["monitoring_subjects.queue", "x", "load_balancer"]),
        ({"fleet": "blog"}, {}, ["monitoring_subjects.fleet", "blog", "dict"]),
        ({"fleet": {"min": 1}}, {}, ["fleet", "name"]),
        ({"target_groups": {"web": "x"}}, {}, ["target_groups", "web", "load_balancer"]),
        ({"cache": {"name": "c", "engine": "dragon"}}, {}, ["cache.engine", "dragon", "valkey"]),
        ({}, {"cpu": 1}, ["monitoring_thresholds.cpu", "database_cpu_percent"]),
        ({}, {"cron_lag_seconds": "long"}, ["monitoring_thresholds.cron_lag_seconds", "long", "number"]),
        ({}, {"cron_lag_seconds": -1}, ["monitoring_thresholds.cron_lag_seconds", "-1"]),
        ({}, {"backup_age_hours": 200}, ["monitoring_thresholds.backup_age_hours", "200", "168"]),
    ],
)
def test_what_cannot_be_watched_is_refused(subjects, thresholds, words):
    with pytest.raises(AnsibleFilterError) as error:
        monitoring_set(subjects, "blog", thresholds)
    assert all(word in str(error.value) for word in words), error.value
