# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Expands the watch list: alarms and a dashboard for the parts of a stack that exist, from the edge to the database. Pure.

The list is data: sections, each about one kind of subject. A user's subjects become *instances* of these kinds, with the dimensions that
CloudWatch knows them by and facts (``when``) that decide which alarms make sense.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ._plan import is_known

Options = dict[str, Any]

#: A dashboard's width, and those of what stands in its rows.
WIDE, THIRD, TALL = 24, 8, 6
HOUR = 3600
#: Share of the connections a class allows at which somebody is told.
FULL = 0.8


class Invalid(ValueError):
    """What cannot be expanded; the message names the variable, its value and the cure."""


@dataclass(frozen=True)
class Instance:
    """One thing to watch: its kind, a name where there are several, its dimensions by use, facts and thresholds of its own."""

    kind: str
    dimensions: Mapping[str, Mapping[str, str]]
    name: str = ""
    facts: frozenset[str] = frozenset()
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def named(self, text: str) -> str:
        return f"{text}-{self.name}" if self.name else text


def suffix(arn: str, kind: str) -> str:
    """Return what CloudWatch knows a load balancer or target group by: the end of its ARN, ``app/...`` or ``targetgroup/...``."""
    if not is_known(arn) or not arn.startswith("arn:"):
        return arn
    resource = arn.split(":", 5)[5]
    return resource.removeprefix("loadbalancer/") if kind == "loadbalancer" else resource


Kind = Callable[[Options, str, Mapping[str, Any]], Iterator[Instance]]


def _edge(subjects: Options, _name: str, _limits: Mapping[str, Any]) -> Iterator[Instance]:
    if subjects.get("distribution_id"):
        yield Instance("edge", {"": {"DistributionId": subjects["distribution_id"], "Region": "Global"}})


def _firewall(subjects: Options, _name: str, _limits: Mapping[str, Any]) -> Iterator[Instance]:
    if subjects.get("web_acl"):
        yield Instance("firewall", {"": {"WebACL": subjects["web_acl"], "Rule": "ALL"}})


def _balancer(subjects: Options, _name: str, _limits: Mapping[str, Any]) -> Iterator[Instance]:
    if subjects.get("load_balancer"):
        yield Instance("balancer", {"": {"LoadBalancer": suffix(subjects["load_balancer"], "loadbalancer")}})


def _target(subjects: Options, _name: str, _limits: Mapping[str, Any]) -> Iterator[Instance]:
    groups = subjects.get("target_groups") or {}
    if groups and not subjects.get("load_balancer"):
        raise Invalid(
            f"target_groups are {', '.join(groups)} and there is no load_balancer: name it, metrics have both."
        )
    for name, arn in groups.items():
        balancer = suffix(subjects["load_balancer"], "loadbalancer")
        yield Instance("target", {"": {"TargetGroup": suffix(arn, "targetgroup"), "LoadBalancer": balancer}}, name)


def _fleet(subjects: Options, _name: str, _limits: Mapping[str, Any]) -> Iterator[Instance]:
    fleet = subjects.get("fleet")
    if fleet:
        elastic = int(fleet.get("max") or 0) > int(fleet.get("min") or 0)
        facts = frozenset({"elastic"} if elastic else ())
        yield Instance("fleet", {"": {"AutoScalingGroupName": _needed("fleet", fleet, "name")}}, facts=facts)


def _node(subjects: Options, name: str, _limits: Mapping[str, Any]) -> Iterator[Instance]:
    if (subjects.get("nodes") or {}).get("agent"):
        yield Instance("node", {"": {"Stack": name}})


def _cron(subjects: Options, name: str, _limits: Mapping[str, Any]) -> Iterator[Instance]:
    if (subjects.get("nodes") or {}).get("cron"):
        yield Instance("cron", {"": {"Stack": name}})


def _php(subjects: Options, name: str, _limits: Mapping[str, Any]) -> Iterator[Instance]:
    if (subjects.get("nodes") or {}).get("metrics"):
        yield Instance("php", {"": {"Stack": name}})


def _mail(subjects: Options, name: str, _limits: Mapping[str, Any]) -> Iterator[Instance]:
    if (subjects.get("nodes") or {}).get("mail"):
        yield Instance("mail", {"": {"Stack": name}})


def _cache(subjects: Options, _name: str, _limits: Mapping[str, Any]) -> Iterator[Instance]:
    cache = subjects.get("cache")
    if not cache:
        return
    name, engine = _needed("cache", cache, "name"), cache.get("engine") or "valkey"
    if engine not in ("valkey", "redis", "memcached"):
        raise Invalid(f"cache.engine is {engine!r}: use valkey, redis or memcached.")
    if cache.get("serverless"):
        yield Instance("cache", {"": {"clusterId": name}}, facts=frozenset({"serverless", "keys"}))
    elif engine == "memcached":
        # Over all of its nodes: they come and go.
        yield Instance("cache", {"": {"CacheClusterId": name}}, facts=frozenset({"hosts", "memcached"}))
    else:
        # ElastiCache numbers the nodes of a replication group, and a replaced one keeps its number.
        for number in range(1, int(cache.get("nodes") or 1) + 1):
            node = f"{number:03}"
            facts = frozenset({"nodes", "hosts", "keys"})
            yield Instance("cache", {"": {"CacheClusterId": f"{name}-{node}"}}, node, facts)


def _files(subjects: Options, _name: str, _limits: Mapping[str, Any]) -> Iterator[Instance]:
    files = subjects.get("files")
    if files:
        mode = files.get("throughput_mode") or "elastic"
        yield Instance(
            "files", {"": {"FileSystemId": _needed("files", files, "file_system_id")}}, facts=frozenset({mode})
        )


def _nat(subjects: Options, _name: str, _limits: Mapping[str, Any]) -> Iterator[Instance]:
    for number, gateway in enumerate(subjects.get("nat_gateway_ids") or [], start=1):
        yield Instance("nat", {"": {"NatGatewayId": gateway}}, str(number))


def _database(subjects: Options, _name: str, limits: Mapping[str, Any]) -> Iterator[Instance]:
    database = subjects.get("database")
    if not database:
        return
    cluster = {"DBClusterIdentifier": _needed("database", database, "cluster")}
    sets = {"": cluster, "writer": {**cluster, "Role": "WRITER"}, "reader": {**cluster, "Role": "READER"}}
    size = str(database.get("instance_class") or "")
    facts = {"readers"} if int(database.get("readers") or 0) else set()
    facts |= {"serverless"} if size == "db.serverless" or database.get("serverless") else set()
    parts = size.split(".")
    allowed = limits.get(parts[1][:1], {}).get(parts[2]) if len(parts) == 3 else None
    own = {"database_connections": FULL * allowed} if allowed else {}
    yield Instance("database", sets, facts=frozenset(facts), thresholds=own)


def _backup(subjects: Options, _name: str, _limits: Mapping[str, Any]) -> Iterator[Instance]:
    if subjects.get("backup_vault"):
        yield Instance("backup", {"": {"BackupVaultName": subjects["backup_vault"]}})


KINDS: dict[str, Kind] = {
    "edge": _edge,
    "firewall": _firewall,
    "balancer": _balancer,
    "target": _target,
    "fleet": _fleet,
    "node": _node,
    "php": _php,
    "cron": _cron,
    "mail": _mail,
    "cache": _cache,
    "files": _files,
    "nat": _nat,
    "database": _database,
    "backup": _backup,
}
SUBJECTS = {
    "distribution_id": str,
    "web_acl": str,
    "load_balancer": str,
    "target_groups": dict,
    "fleet": dict,
    "nodes": dict,
    "database": dict,
    "cache": dict,
    "files": dict,
    "nat_gateway_ids": list,
    "backup_vault": str,
}


def _needed(subject: str, given: Mapping[str, Any], name: str) -> str:
    if not given.get(name):
        raise Invalid(f"{subject} is {dict(given)!r} and lacks {name}: give it, or leave the subject out.")
    return str(given[name])


@dataclass(frozen=True)
class WatchList:
    """The role's data: sections in order, thresholds by name, and the connections that database classes allow by family and size.

    Sections of the edge (``edge: true``) are about metrics that are reported in ``edge_region``.
    """

    sections: Sequence[Mapping[str, Any]]
    thresholds: Mapping[str, float]
    max_connections: Mapping[str, Any]
    edge_region: str

    def placed(self) -> Iterator[Mapping[str, Any]]:
        """Return the sections, those of the edge with their region."""
        for section in self.sections:
            yield {**section, "region": self.edge_region} if section.get("edge") else section


def expand(watched: WatchList, name: str, subjects: Mapping[str, Any], thresholds: Mapping[str, Any]) -> Options:
    """Return ``alarms`` and ``dashboard`` as options of cloudwatch_monitoring, and ``gate``, the alarms that stop a roll-out.

    :param name: the stack's name, which nodes report their own metrics under.
    :param thresholds: what a user sets, by the names of the list's; None switches an alarm off.
    :raises Invalid: names the variable behind ``monitoring_``, its value and the cure.
    """
    defaults = watched.thresholds
    _check(subjects, thresholds, defaults)
    alarms: Options = {}
    gate: list[str] = []
    rows: list[tuple[Mapping[str, Any], list[Instance]]] = []
    for section in watched.placed():
        found = list(KINDS[section["subject"]](dict(subjects), name, watched.max_connections))
        if found:
            rows.append((section, found))
        for instance in found:
            for short, entry in section["alarms"].items():
                limit = _limit(entry, instance, thresholds, defaults)
                if limit is None or not _fits(entry, instance):
                    continue
                key = instance.named(f"{section['subject']}-{short}")
                alarms[key] = _alarm(section, entry, instance, limit)
                gate += [key] if entry.get("gate") else []
    return {"alarms": alarms, "gate": gate, "dashboard": _dashboard(name, rows, list(alarms))}


def _check(subjects: Mapping[str, Any], thresholds: Mapping[str, Any], defaults: Mapping[str, float]) -> None:
    for key, value in subjects.items():
        if key not in SUBJECTS:
            raise Invalid(f"subjects.{key} is {value!r}: there is no such subject. Known are {', '.join(SUBJECTS)}.")
        if value and not isinstance(value, SUBJECTS[key]):
            raise Invalid(f"subjects.{key} is {value!r}: give a {SUBJECTS[key].__name__}.")
    for key, value in thresholds.items():
        if key not in defaults:
            raise Invalid(
                f"thresholds.{key} is {value!r}: there is no such threshold. Known are {', '.join(defaults)}."
            )
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0):
            raise Invalid(f"thresholds.{key} is {value!r}: give a number, or null to switch the alarm off.")
    age = thresholds.get("backup_age_hours")
    if age is not None and not 1 <= age <= 168:
        raise Invalid(f"thresholds.backup_age_hours is {age}: CloudWatch looks back 1 to 168 hours.")


def _fits(entry: Mapping[str, Any], instance: Instance) -> bool:
    return not entry.get("when") or entry["when"] in instance.facts


def _limit(
    entry: Mapping[str, Any], instance: Instance, thresholds: Mapping[str, Any], defaults: Mapping[str, float]
) -> float | None:
    """Return the threshold of an alarm: the user's, else that of the very instance, else the default. None: it is off."""
    name = entry.get("age") or entry["threshold"]
    if name in thresholds:
        return None if thresholds[name] is None else float(thresholds[name])
    return float(instance.thresholds.get(name, defaults[name]))


def _alarm(section: Mapping[str, Any], entry: Mapping[str, Any], instance: Instance, limit: float) -> Options:
    shown = f"{limit:,.0f}".replace(",", " ") if limit == int(limit) else f"{limit:g}"
    alarm: Options = {
        "description": " ".join(entry["description"].split()).replace("{threshold}", shown),
        "missing": entry["missing"],
        "region": section.get("region"),
    }
    if entry.get("age"):
        # As many empty hours in a row: that is what "older than" means to CloudWatch.
        alarm |= {"threshold": 1, "comparison": "<", "period": HOUR, "evaluation_periods": int(limit)}
    else:
        same = ("comparison", "period", "evaluation_periods", "datapoints_to_alarm")
        alarm |= {name: entry[name] for name in same if name in entry}
        alarm["threshold"] = limit * entry.get("scale", 1)
    if "metrics" in entry:
        alarm["metrics"] = [_metric(section, one, instance) for one in entry["metrics"]]
    else:
        alarm |= _metric(section, {**entry, "of": entry.get("of", "")}, instance)
    return {name: value for name, value in alarm.items() if value is not None}


def _metric(section: Mapping[str, Any], entry: Mapping[str, Any], instance: Instance) -> Options:
    if entry.get("expression"):
        return {name: entry[name] for name in ("id", "expression", "label")}
    metric: Options = {
        "namespace": entry.get("namespace", section["namespace"]),
        "metric": entry["metric"],
        "dimensions": dict(instance.dimensions[entry.get("of", "")]),
        "statistic": entry.get("statistic", "Average"),
    }
    return {"id": entry["id"], **metric} if "id" in entry else metric


def _dashboard(name: str, rows: Sequence[tuple[Mapping[str, Any], list[Instance]]], alarms: list[str]) -> Options:
    """Return a dashboard: the state of all alarms, then a row for each section, three graphs wide."""
    widgets: list[Options] = [_text(0, f"# {name}")]
    line = 1
    if alarms:
        height = 1 + (len(alarms) + 5) // 6
        state = {"title": "Alarms", "alarms": alarms}
        widgets.append({"type": "alarm", "x": 0, "y": line, "width": WIDE, "height": height, "properties": state})
        line += height
    for section, instances in rows:
        widgets.append(_text(line, f"## {section['title']}"))
        line += 1
        graphs = [
            graph for entry in section["widgets"] for graph in [_graph(section, entry, instances)] if graph is not None
        ]
        for place, graph in enumerate(graphs):
            x, y = place % 3 * THIRD, line + place // 3 * TALL
            widgets.append({"type": "metric", "x": x, "y": y, "width": THIRD, "height": TALL, "properties": graph})
        line += (len(graphs) + 2) // 3 * TALL
    return {"widgets": widgets}


def _text(line: int, markdown: str) -> Options:
    return {"type": "text", "x": 0, "y": line, "width": WIDE, "height": 1, "properties": {"markdown": markdown}}


def _graph(section: Mapping[str, Any], entry: Mapping[str, Any], instances: Sequence[Instance]) -> Options | None:
    lines = []
    for instance in instances:
        for one in entry["metrics"] if _fits(entry, instance) else ():
            if _fits(one, instance):
                lines.append(_line(section, one, instance, len(instances) > 1))
    if not lines:
        return None
    graph: Options = {"title": entry["title"], "view": "timeSeries", "stacked": False, "period": 300, "metrics": lines}
    return {**graph, "region": section["region"]} if section.get("region") else graph


def _line(section: Mapping[str, Any], entry: Mapping[str, Any], instance: Instance, several: bool) -> list[Any]:
    metric = _metric(section, entry, instance)
    label = entry.get("label") or f"{metric['metric']} {metric['statistic']}"
    pairs = [part for name, value in metric["dimensions"].items() for part in (name, value)]
    about = {"stat": metric["statistic"], "label": f"{instance.name} {label}" if several else label}
    return [metric["namespace"], metric["metric"], *pairs, about]
