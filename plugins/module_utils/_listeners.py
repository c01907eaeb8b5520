# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Actions and conditions of load balancer listeners: one normal form for what users write and what AWS reports. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ._owned import Refused
from ._plan import Change, Tree

#: What AWS fills in where a redirect names nothing: the same part of the request.
SAME = {"protocol": "#{protocol}", "port": "#{port}", "host": "#{host}", "path": "/#{path}", "query": "#{query}"}
_REDIRECT = {name: name.capitalize() for name in SAME}
#: Conditions that are plain lists of values: our name -> (AWS's field, AWS's key of the values).
LISTS = {
    "host_header": ("host-header", "HostHeaderConfig"),
    "path_pattern": ("path-pattern", "PathPatternConfig"),
    "http_request_method": ("http-request-method", "HttpRequestMethodConfig"),
    "source_ip": ("source-ip", "SourceIpConfig"),
}


def wanted_action(given: Mapping[str, Any] | None, where: str, target_groups: Sequence[str]) -> dict[str, Any] | None:
    """Return the normal form of an action as a user wrote it; ``Refused`` if it forwards to a group that is not there."""
    if given is None:
        return None
    chosen = {name: value for name, value in given.items() if value is not None}
    if "forward" in chosen and chosen["forward"] not in target_groups:
        raise Refused(
            f"{where} forwards to {chosen['forward']!r}, which is none of the target groups {sorted(target_groups)}."
        )
    if "redirect" in chosen:
        parts = {name: str(value) for name, value in chosen["redirect"].items() if value is not None}
        return {"redirect": {**SAME, **parts, "status_code": f"HTTP_{parts['status_code'].removeprefix('HTTP_')}"}}
    if "fixed_response" in chosen:
        parts = chosen["fixed_response"]
        return {
            "fixed_response": {
                name: str(parts.get(name) or "") for name in ("status_code", "content_type", "message_body")
            }
        }
    return chosen


def reported_action(actions: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> dict[str, Any]:
    """Return the normal form of what AWS reports; ``names`` maps ARNs of target groups to names.

    What users of this module cannot write (several actions, weights, authentication) reads C(other): it differs from all.
    """
    if len(actions) == 1:
        action = actions[0]
        if action["Type"] == "forward":
            groups = (action.get("ForwardConfig") or {}).get("TargetGroups", [])
            arn = action.get("TargetGroupArn") or (groups[0]["TargetGroupArn"] if len(groups) == 1 else None)
            if arn:
                return {"forward": names.get(arn, arn)}
        if action["Type"] == "redirect":
            config = action["RedirectConfig"]
            parts = {name: config.get(target) or SAME[name] for name, target in _REDIRECT.items()}
            return {"redirect": {**parts, "status_code": config["StatusCode"]}}
        if action["Type"] == "fixed-response":
            config = action["FixedResponseConfig"]
            keys = {"status_code": "StatusCode", "content_type": "ContentType", "message_body": "MessageBody"}
            return {"fixed_response": {name: str(config.get(target) or "") for name, target in keys.items()}}
    return {"other": [dict(action) for action in actions]}


def sent_action(action: Mapping[str, Any], arn_of: Callable[[str], str]) -> list[dict[str, Any]]:
    """Return AWS's form of a normal action."""
    if "forward" in action:
        return [{"Type": "forward", "TargetGroupArn": arn_of(action["forward"])}]
    if "redirect" in action:
        config = {target: action["redirect"][name] for name, target in _REDIRECT.items()}
        return [{"Type": "redirect", "RedirectConfig": {**config, "StatusCode": action["redirect"]["status_code"]}}]
    parts = action["fixed_response"]
    config = {"StatusCode": parts["status_code"], "ContentType": parts["content_type"] or "text/plain"}
    if parts["message_body"]:
        config["MessageBody"] = parts["message_body"]
    return [{"Type": "fixed-response", "FixedResponseConfig": config}]


def without_gaps(updates: Sequence[Change], found: Tree) -> list[Change]:
    """Return the updates of rules in an order in which no request loses its rule where rules only change places.

    A rule is overwritten once what it said stands elsewhere, or is wanted nowhere. Of rules that change places in a circle one comes
    first all the same.
    """
    remaining, ordered = list(updates), []

    def said(change: Change) -> tuple[Any, ...]:
        fields = found[change.key]
        return change.name.split("/")[0], fields["conditions"], fields["action"]

    def says(change: Change) -> tuple[Any, ...]:
        fields = {**found[change.key], **change.after}
        return change.name.split("/")[0], fields["conditions"], fields["action"]

    while remaining:
        wanted = [says(change) for change in remaining]
        free = [change for change in remaining if said(change) not in wanted or said(change) == says(change)]
        chosen = (free or remaining)[0]
        remaining.remove(chosen)
        ordered.append(chosen)
    return ordered


#: Secret headers: by header name in lower case, the values by the stage of the secret's version that holds each.
Secrets = Mapping[str, Mapping[str, str]]
#: What stands in a plan for a value that no stage of the secret holds.
ANOTHER = "(another value)"
MASKED = "********"


def wanted_conditions(given: Mapping[str, Any], secrets: Secrets | None = None) -> dict[str, Any]:
    """Return the normal form of conditions as a user wrote them: values are sets, a secret's values are named by their stages."""
    normal: dict[str, Any] = {name: sorted(given[name]) for name in LISTS if given.get(name)}
    if given.get("http_header_secret"):
        name = given["http_header_secret"]["name"]
        normal["http_header_secret"] = {"name": name, "values": sorted((secrets or {})[name.lower()])}
    for name, values in (given.get("http_header") or {}).items():
        normal.setdefault("http_header", {})[name] = sorted(values)
    if given.get("query_string"):
        normal["query_string"] = sorted(given["query_string"])
    return normal


def reported_conditions(
    conditions: Sequence[Mapping[str, Any]], secrets: Secrets | None = None, shown: Collection[str] | None = None
) -> dict[str, Any]:
    """Return the normal form of what AWS reports; what users of this module cannot write reads C(other).

    :param shown: headers, in lower case, whose values may be seen. Those of any other header may be secret and are masked;
        None shows all.
    """
    lists = {field: (name, config) for name, (field, config) in LISTS.items()}
    normal: dict[str, Any] = {}
    for condition in conditions:
        field = condition["Field"]
        if field in lists and lists[field][0] not in normal:
            name, config = lists[field]
            normal[name] = sorted((condition.get(config) or {}).get("Values") or condition.get("Values") or [])
        elif field == "http-header":
            header, values = condition["HttpHeaderConfig"]["HttpHeaderName"], condition["HttpHeaderConfig"]["Values"]
            if header.lower() in (secrets or {}):
                stages = {value: stage for stage, value in (secrets or {})[header.lower()].items()}
                said = sorted(stages.get(value, ANOTHER) for value in values)
                normal["http_header_secret"] = {"name": header, "values": said}
            else:
                hidden = shown is not None and header.lower() not in shown
                normal.setdefault("http_header", {})[header] = [MASKED] if hidden else sorted(values)
        elif field == "query-string" and "query_string" not in normal:
            pairs = condition["QueryStringConfig"]["Values"]
            normal["query_string"] = sorted(
                f"{pair['Key']}={pair['Value']}" if pair.get("Key") else pair["Value"] for pair in pairs
            )
        else:
            normal.setdefault("other", []).append(dict(condition))
    return normal


def sent_conditions(normal: Mapping[str, Any], secrets: Secrets | None = None) -> list[dict[str, Any]]:
    """Return AWS's form of normal conditions, with the values of secret headers filled in."""
    sent: list[dict[str, Any]] = [
        {"Field": field, config: {"Values": normal[name]}} for name, (field, config) in LISTS.items() if name in normal
    ]
    for name, values in sorted(normal.get("http_header", {}).items()):
        sent.append({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": name, "Values": values}})
    if "http_header_secret" in normal:
        name, stages = normal["http_header_secret"]["name"], normal["http_header_secret"]["values"]
        values = [(secrets or {})[name.lower()][stage] for stage in stages]
        sent.append({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": name, "Values": values}})
    if "query_string" in normal:
        pairs = [item.partition("=") for item in normal["query_string"]]
        found = [{"Key": left, "Value": right} if equals else {"Value": left} for left, equals, right in pairs]
        sent.append({"Field": "query-string", "QueryStringConfig": {"Values": found}})
    return sent
