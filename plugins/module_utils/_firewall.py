# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of a web ACL for WordPress, in the API's own form. Pure.

A rule of a managed group cannot be switched off for some requests. So a rule with exceptions only labels what it finds, and a rule of ours
behind the groups blocks what carries the label, except where the exception holds (P30). Editors are found first and labelled, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Rule = dict[str, Any]
Statement = dict[str, Any]

COUNT, BLOCK = "count", "block"
EDITOR = "wordpress:editor"
MANAGED = "awswaf:managed:aws:"
#: Seconds over which requests are counted, and the bounds of what AWS counts.
WINDOW = 300
RATES = (10, 2_000_000_000)
FIRST_GROUP, FIRST_EXCEPTION = 10, 50


class Invalid(ValueError):
    """What cannot be a rule; the message names the variable, its value and the cure."""


def rules(
    source: Mapping[str, Any],
    mode: str,
    rate_limit: int,
    login_rate_limit: int,
    exclusions: Sequence[Mapping[str, Any]],
) -> list[Rule]:
    """Return the rules in the order of their evaluation.

    :param source: the role's data: groups, their rules' labels, who editors are.
    :param mode: ``count`` only measures what ``block`` would block.
    :param rate_limit: requests of one address in 5 minutes, static files left out; 0 is no limit. So ``login_rate_limit`` for logins.
    :param exclusions: each with ``rule``, and ``paths`` (beginnings) if it holds only there.
    :raises Invalid: names the variable behind ``edge_waf_``, its value and the cure.
    """
    if mode not in (COUNT, BLOCK):
        raise Invalid(f"mode is {mode!r}: use {COUNT} or {BLOCK}.")
    exceptions = _exceptions(source, exclusions)
    made = [_editors(source["editors"])]
    made += _rates(source, mode, rate_limit, login_rate_limit)
    for place, group in enumerate(source["groups"]):
        counted = [name for name in source["rules"][group["short"]] if name in exceptions]
        made.append(_group(group, mode, FIRST_GROUP + place, counted))
    made += _behind(source, mode, exceptions)
    return made


Exception_ = tuple[bool, tuple[str, ...]]


def _exceptions(source: Mapping[str, Any], exclusions: Sequence[Mapping[str, Any]]) -> dict[str, Exception_ | None]:
    """Return by rule for whom it does not count: editors or not, and below which paths; None: for nobody."""
    known = {name for names in source["rules"].values() for name in names}
    found: dict[str, Exception_ | None] = dict.fromkeys(source["editors"]["rules"], (True, ()))
    for place, one in enumerate(exclusions):
        where = f"exclusions[{place}]"
        if not isinstance(one, Mapping) or set(one) - {"rule", "paths"} or "rule" not in one:
            raise Invalid(f"{where} is {one!r}: give a dict with rule and, if it holds only there, paths.")
        name, paths = one["rule"], one.get("paths") or []
        if name not in known:
            raise Invalid(f"{where}.rule is {name!r}: there is no such rule. Known are {', '.join(sorted(known))}.")
        wrong = [path for path in paths if not isinstance(path, str) or not path.startswith("/") or "*" in path]
        if wrong:
            raise Invalid(f"{where}.paths has {wrong[0]!r}: give beginnings of paths, such as /wp-json/my-plugin/.")
        if not paths:
            found[name] = None
        elif name not in found or found[name] is not None:
            editors, others = found.get(name) or (False, ())
            found[name] = editors, (*others, *paths)
    return found


def _rule(name: str, priority: int, statement: Statement, **more: Any) -> Rule:
    return {
        "Name": name,
        "Priority": priority,
        "Statement": statement,
        # Sampled requests would show cookies, that is logins, to whoever may see the console; the log leaves them out.
        "VisibilityConfig": {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": True, "MetricName": name},
        **more,
    }


def _verdict(mode: str, status: int = 0) -> Statement:
    if mode == COUNT:
        return {"Count": {}}
    return {"Block": {"CustomResponse": {"ResponseCode": status}} if status else {}}


def _editors(about: Mapping[str, Any]) -> Rule:
    proof = _any(
        [
            _bytes(about["cookie"], {"SingleHeader": {"Name": "cookie"}}, "CONTAINS"),
            _bytes(about["authorization"], {"SingleHeader": {"Name": "authorization"}}, "STARTS_WITH"),
        ]
    )
    place = _any([_regex(about["paths"], {"UriPath": {}}), _regex(about["query"], {"QueryString": {}})])
    return _rule("editors", 0, _all([proof, place]), Action={"Count": {}}, RuleLabels=[{"Name": EDITOR}])


def _rates(source: Mapping[str, Any], mode: str, general: int, login: int) -> list[Rule]:
    for name, limit in (("rate_limit", general), ("login_rate_limit", login)):
        if limit and not RATES[0] <= limit <= RATES[1]:
            raise Invalid(f"{name} is {limit}: AWS counts {RATES[0]} to {RATES[1]} in 5 minutes; 0 is no limit.")
    editor = _label(EDITOR)
    dynamic = {"NotStatement": {"Statement": _regex(source["static"], {"UriPath": {}})}}
    posted = _bytes("POST", {"Method": {}}, "EXACTLY")
    wanted = [
        ("rate-login", login, _all([posted, _regex(source["login"], {"UriPath": {}})])),
        ("rate", general, _all([dynamic, {"NotStatement": {"Statement": editor}}])),
        ("rate-editors", general * source["editors"]["rate_factor"], editor),
    ]
    return [
        _rule(name, priority, _rate(limit, scope), Action=_verdict(mode, 429))
        for priority, (name, limit, scope) in enumerate(wanted, start=1)
        if limit
    ]


def _rate(limit: int, scope: Statement) -> Statement:
    counted = {"Limit": min(limit, RATES[1]), "EvaluationWindowSec": WINDOW, "AggregateKeyType": "IP"}
    return {"RateBasedStatement": {**counted, "ScopeDownStatement": scope}}


def _group(group: Mapping[str, Any], mode: str, priority: int, counted: Sequence[str]) -> Rule:
    statement: Statement = {"VendorName": "AWS", "Name": group["name"]}
    if counted:
        statement["RuleActionOverrides"] = [{"Name": name, "ActionToUse": {"Count": {}}} for name in counted]
    override: Statement = {"Count": {}} if mode == COUNT else {"None": {}}
    return _rule(group["short"], priority, {"ManagedRuleGroupStatement": statement}, OverrideAction=override)


def _behind(source: Mapping[str, Any], mode: str, exceptions: Mapping[str, Exception_ | None]) -> list[Rule]:
    """Return the rules that block what was only labelled, one for each kind of exception."""
    labels = {
        name: f"{MANAGED}{group['labels']}:{label}"
        for group in source["groups"]
        for name, label in source["rules"][group["short"]].items()
    }
    kinds: dict[Exception_, list[str]] = {}
    for name, exempt in exceptions.items():
        if exempt is not None:
            kinds.setdefault(exempt, []).append(name)
    made = []
    for place, ((editors, paths), names) in enumerate(sorted(kinds.items(), key=lambda kind: kind[0], reverse=True)):
        exempted = [_label(EDITOR)] if editors else []
        exempted += [_bytes(path, {"UriPath": {}}, "STARTS_WITH") for path in paths]
        matched = _any([_label(labels[name]) for name in names])
        statement = _all([matched, {"NotStatement": {"Statement": _any(exempted)}}])
        name = "not-by-editors" if (editors, paths) == (True, ()) else f"not-excluded-{place}"
        made.append(_rule(name, FIRST_EXCEPTION + place, statement, Action=_verdict(mode)))
    return made


def _any(statements: Sequence[Statement]) -> Statement:
    return statements[0] if len(statements) == 1 else {"OrStatement": {"Statements": list(statements)}}


def _all(statements: Sequence[Statement]) -> Statement:
    return {"AndStatement": {"Statements": list(statements)}}


def _label(key: str) -> Statement:
    return {"LabelMatchStatement": {"Scope": "LABEL", "Key": key}}


#: What is compared is taken as it came: each transformation costs ten units, and these values have one spelling.
_AS_IT_IS = [{"Priority": 0, "Type": "NONE"}]


def _bytes(text: str, where: Mapping[str, Any], how: str) -> Statement:
    match = {"SearchString": text, "FieldToMatch": dict(where), "TextTransformations": _AS_IT_IS}
    return {"ByteMatchStatement": {**match, "PositionalConstraint": how}}


def _regex(pattern: str, where: Mapping[str, Any]) -> Statement:
    match = {"RegexString": pattern, "FieldToMatch": dict(where), "TextTransformations": _AS_IT_IS}
    return {"RegexMatchStatement": match}
