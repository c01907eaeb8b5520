# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CloudWatch alarms as plain data: what a user describes, what the API reports and what it is sent. Pure.

In a tree an alarm has a list of ``metrics`` whether it watches one metric or an expression over several: the only comparable form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ._plan import Fields, Refused, is_known

COMPARISONS = {
    ">": "GreaterThanThreshold",
    ">=": "GreaterThanOrEqualToThreshold",
    "<": "LessThanThreshold",
    "<=": "LessThanOrEqualToThreshold",
}
MISSING = ("breaching", "notBreaching", "ignore", "missing")
#: Statistics that the API takes by name; every other one is a percentile or a trimmed one.
PLAIN = ("Average", "Maximum", "Minimum", "SampleCount", "Sum")
EXTENDED = re.compile(r"(?:p|tm|tc|ts|wm)\d{1,2}(?:\.\d+)?|IQM|(?:PR|TC|TM|TS|WM)\([^)]*\)")
#: Seconds that the evaluation of an alarm may look back, by its period: CloudWatch's limits.
LONGEST = {"short": 24 * 3600, "long": 7 * 24 * 3600}

METRIC_SPEC: dict[str, Any] = {
    "id": {"type": "str"},
    "namespace": {"type": "str"},
    "metric": {"type": "str"},
    "dimensions": {"type": "dict"},
    "statistic": {"type": "str"},
    "period": {"type": "int"},
    "unit": {"type": "str"},
    "expression": {"type": "str"},
    "label": {"type": "str"},
    "return_data": {"type": "bool"},
}
ALARM_SPEC: dict[str, Any] = {
    "description": {"type": "str", "required": True},
    "region": {"type": "str"},
    "namespace": {"type": "str"},
    "metric": {"type": "str"},
    "dimensions": {"type": "dict"},
    "statistic": {"type": "str", "default": "Average"},
    "unit": {"type": "str"},
    "metrics": {"type": "list", "elements": "dict", "options": METRIC_SPEC},
    "period": {"type": "int", "default": 300},
    "comparison": {"type": "str", "choices": list(COMPARISONS), "default": ">"},
    "threshold": {"type": "float", "required": True},
    "evaluation_periods": {"type": "int", "default": 1},
    "datapoints_to_alarm": {"type": "int"},
    "missing": {"type": "str", "choices": list(MISSING), "required": True},
    "enabled": {"type": "bool", "default": True},
    "tell_ok": {"type": "bool", "default": True},
}
ALARM_RULES: dict[str, Any] = {
    "required_one_of": [("metric", "metrics")],
    "mutually_exclusive": [("metric", "metrics")],
    "required_together": [("namespace", "metric")],
}


def wanted(where: str, alarm: Mapping[str, Any], home: str, topics: Mapping[str, str]) -> Fields:
    """Return an alarm as it should be in the tree.

    :param where: the option's path, for refusals.
    :param home: region of alarms that name none; ``topics`` are the ARNs to tell, by region.
    :raises Refused: for what CloudWatch would refuse, or would take and never evaluate as meant.
    """
    region = alarm["region"] or home
    if alarm["metrics"]:
        metrics = [_metric(f"{where}.metrics[{place}]", one, alarm) for place, one in enumerate(alarm["metrics"])]
        _check_expressions(where, metrics)
    else:
        metrics = [_metric(where, {**alarm, "id": None, "expression": None, "label": None, "return_data": None}, alarm)]
    points = alarm["datapoints_to_alarm"] or alarm["evaluation_periods"]
    _check(where, alarm, points)
    told = [topics[region]] if topics.get(region) else []
    return {
        "region": region,
        "description": alarm["description"],
        "metrics": _sorted(metrics),
        "comparison": alarm["comparison"],
        "threshold": float(alarm["threshold"]),
        "evaluation_periods": alarm["evaluation_periods"],
        "datapoints_to_alarm": points,
        "missing": alarm["missing"],
        "enabled": alarm["enabled"],
        "alarm_actions": told,
        "ok_actions": told if alarm["tell_ok"] else [],
    }


def _metric(where: str, one: Mapping[str, Any], alarm: Mapping[str, Any]) -> Fields:
    if one["expression"]:
        return {
            "id": one["id"],
            "expression": one["expression"],
            "label": one["label"] or "",
            "return_data": one["return_data"] is not False,
        }
    if not one["metric"] or not one["namespace"]:
        raise Refused(f"{where} has neither an expression nor a namespace with a metric: give one of them.")
    statistic = one["statistic"] or "Average"
    if statistic not in PLAIN and not EXTENDED.fullmatch(statistic):
        raise Refused(f"{where}.statistic is {statistic!r}: use {', '.join(PLAIN)} or a percentile such as p95.")
    period = one["period"] or alarm["period"]
    if period not in (10, 20, 30) and (period < 60 or period % 60):
        raise Refused(f"{where}.period is {period}: use 10, 20, 30 or a multiple of 60 seconds.")
    return {
        "id": one["id"],
        "namespace": one["namespace"],
        "metric": one["metric"],
        "dimensions": {name: str(value) for name, value in (one["dimensions"] or {}).items()},
        "statistic": statistic,
        "period": period,
        "unit": one["unit"],
        "return_data": bool(one["return_data"]),
    }


def _sorted(metrics: list[Fields]) -> list[Fields]:
    """Return metrics in the order of their ids: theirs at AWS means nothing."""
    return sorted(metrics, key=lambda one: one["id"] or "")


def _check_expressions(where: str, metrics: list[Fields]) -> None:
    ids = [one["id"] for one in metrics]
    wrong = [one for one in ids if not one or not re.fullmatch(r"[a-z][A-Za-z0-9_]*", one)]
    if wrong or len(set(ids)) != len(ids):
        raise Refused(
            f"{where}.metrics have the ids {ids}: give each its own, which begins with a small letter, such as errors."
        )
    returned = [one["id"] for one in metrics if one["return_data"]]
    if len(returned) != 1:
        raise Refused(
            f"{where}.metrics: {returned or 'none'} of them return data. Exactly one is what the threshold is compared "
            "with: set return_data to false for the other expressions."
        )


def _check(where: str, alarm: Mapping[str, Any], points: int) -> None:
    if not 1 <= points <= alarm["evaluation_periods"]:
        raise Refused(
            f"{where}.datapoints_to_alarm is {points} of evaluation_periods {alarm['evaluation_periods']}: "
            "an alarm that waits for more than it looks at never comes. Give 1 to evaluation_periods."
        )
    back = alarm["period"] * alarm["evaluation_periods"]
    longest = LONGEST["long" if alarm["period"] >= 3600 else "short"]
    if back > longest:
        raise Refused(
            f"{where} looks back {back} s (period {alarm['period']} times evaluation_periods "
            f"{alarm['evaluation_periods']}): CloudWatch allows {longest}. Lessen one of the two."
        )
    if not alarm["description"] or not alarm["description"].strip():
        raise Refused(f"{where}.description is empty: say what the alarm means and what to do about it.")
    if len(alarm["description"]) > 1024:
        raise Refused(f"{where}.description has {len(alarm['description'])} characters: CloudWatch keeps 1024.")


def described(alarm: Mapping[str, Any], region: str) -> Fields:
    """Return an alarm of DescribeAlarms as it stands in the tree."""
    if alarm.get("Metrics"):
        metrics = [_described_metric(one) for one in alarm["Metrics"]]
    else:
        metrics = [
            {
                "id": None,
                "namespace": alarm.get("Namespace"),
                "metric": alarm.get("MetricName"),
                "dimensions": {one["Name"]: one["Value"] for one in alarm.get("Dimensions", [])},
                "statistic": alarm.get("Statistic") or alarm.get("ExtendedStatistic"),
                "period": alarm.get("Period"),
                "unit": alarm.get("Unit"),
                "return_data": False,
            }
        ]
    signs = {name: sign for sign, name in COMPARISONS.items()}
    return {
        "region": region,
        "arn": alarm["AlarmArn"],
        "description": alarm.get("AlarmDescription", ""),
        "metrics": _sorted(metrics),
        "comparison": signs.get(alarm["ComparisonOperator"], alarm["ComparisonOperator"]),
        "threshold": alarm.get("Threshold"),
        "evaluation_periods": alarm["EvaluationPeriods"],
        "datapoints_to_alarm": alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"],
        "missing": alarm.get("TreatMissingData", "missing"),
        "enabled": alarm.get("ActionsEnabled", True),
        "alarm_actions": sorted(alarm.get("AlarmActions", [])),
        "ok_actions": sorted(alarm.get("OKActions", [])),
    }


def _described_metric(one: Mapping[str, Any]) -> Fields:
    if one.get("Expression"):
        return {
            "id": one["Id"],
            "expression": one["Expression"],
            "label": one.get("Label") or "",
            "return_data": one.get("ReturnData", True),
        }
    stat = one["MetricStat"]
    return {
        "id": one["Id"],
        "namespace": stat["Metric"]["Namespace"],
        "metric": stat["Metric"]["MetricName"],
        "dimensions": {item["Name"]: item["Value"] for item in stat["Metric"].get("Dimensions", [])},
        "statistic": stat["Stat"],
        "period": stat["Period"],
        "unit": stat.get("Unit"),
        "return_data": one.get("ReturnData", True),
    }


def request(name: str, alarm: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of PutMetricAlarm for an alarm of the tree; tags are not among them."""
    common = {
        "AlarmName": name,
        "AlarmDescription": alarm["description"],
        "ActionsEnabled": alarm["enabled"],
        "AlarmActions": list(alarm["alarm_actions"]),
        "OKActions": list(alarm["ok_actions"]),
        "InsufficientDataActions": [],
        "ComparisonOperator": COMPARISONS[alarm["comparison"]],
        "Threshold": alarm["threshold"],
        "EvaluationPeriods": alarm["evaluation_periods"],
        "DatapointsToAlarm": alarm["datapoints_to_alarm"],
        "TreatMissingData": alarm["missing"],
    }
    metrics = alarm["metrics"]
    if metrics[0]["id"] is not None:
        return {**common, "Metrics": [_sent_metric(one) for one in metrics]}
    (one,) = metrics
    statistic = "Statistic" if one["statistic"] in PLAIN else "ExtendedStatistic"
    sent = {
        **common,
        "Namespace": one["namespace"],
        "MetricName": one["metric"],
        "Dimensions": _pairs(one["dimensions"]),
        statistic: one["statistic"],
        "Period": one["period"],
    }
    if one["unit"]:
        sent["Unit"] = one["unit"]
    return sent


def _sent_metric(one: Mapping[str, Any]) -> dict[str, Any]:
    sent: dict[str, Any] = {"Id": one["id"], "ReturnData": one["return_data"]}
    if one.get("expression"):
        sent["Expression"] = one["expression"]
        if one["label"]:
            sent["Label"] = one["label"]
        return sent
    metric = {"Namespace": one["namespace"], "MetricName": one["metric"], "Dimensions": _pairs(one["dimensions"])}
    sent["MetricStat"] = {"Metric": metric, "Period": one["period"], "Stat": one["statistic"]}
    if one["unit"]:
        sent["MetricStat"]["Unit"] = one["unit"]
    return sent


def _pairs(dimensions: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in sorted(dimensions.items())]


def check_dashboard(where: str, body: Mapping[str, Any]) -> None:
    """Refuse a dashboard that CloudWatch would not take.

    :raises Refused: with the place of the widget that is wrong.
    """
    widgets = body.get("widgets")
    if not isinstance(widgets, list) or not all(isinstance(one, Mapping) for one in widgets):
        raise Refused(f"{where}.widgets is {widgets!r}: give a list of widgets, each a dictionary.")
    if len(widgets) > 500:
        raise Refused(f"{where}.widgets are {len(widgets)}: CloudWatch allows 500.")
    for place, widget in enumerate(widgets):
        x, width = widget.get("x", 0), widget.get("width", 6)
        if not is_known(widget):
            continue
        if widget.get("type") not in ("metric", "text", "alarm", "log", "explorer"):
            raise Refused(f"{where}.widgets[{place}].type is {widget.get('type')!r}: use metric, text, alarm or log.")
        if not 0 <= x <= 23 or not 1 <= width <= 24 or x + width > 24:
            raise Refused(f"{where}.widgets[{place}] is {width} wide at x {x}: a dashboard is 24 wide.")
