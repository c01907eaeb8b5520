# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an ELBv2 listener rule says, in haproxy's words. Pure: AWS shapes in, configuration lines out.

A rule becomes one variable assignment: the first rule, in order of priority, whose conditions hold puts its name into
``txn.rule``; what follows (redirect, fixed response, backend) only looks at that variable. So a forwarding rule before a
redirecting one wins here as it does on AWS, though haproxy evaluates redirects before backends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Shape = Mapping[str, Any]

REDIRECT_CODES = {"HTTP_301": 301, "HTTP_302": 302}


def quote(text: str) -> str:
    """Return a configuration word that haproxy reads back as exactly this text."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return '"' + escaped.replace("\r", "").replace("\n", "\\n") + '"'


def log_format(text: str) -> str:
    """Escape literal text inside a haproxy log-format expression."""
    return text.replace("%", "%%")


def wildcard(pattern: str, any_text: str = ".") -> str:
    """Return the regular expression of an ELBv2 pattern (``*`` any text, ``?`` one character)."""
    return "".join({"*": f"{any_text}*", "?": any_text}.get(char, re.escape(char)) for char in pattern)


def _values(condition: Shape, config: str) -> list[str]:
    """Return a condition's values from its typed configuration or from the older plain list."""
    return list((condition.get(config) or {}).get("Values") or condition.get("Values") or [])


def _expressions(condition: Shape, config: str) -> list[str]:
    """Return anchored expressions of a condition that takes wildcards or, in the newer API, regular expressions."""
    regexes = (condition.get(config) or {}).get("RegexValues") or []
    return [f"^{wildcard(value)}$" for value in _values(condition, config)] + list(regexes)


def _words(values: Iterable[str]) -> str:
    return " ".join(quote(value) for value in values)


def _query_expression(pair: Mapping[str, str]) -> str:
    key, value = pair.get("Key"), wildcard(pair.get("Value", ""), "[^&]")
    return f"(^|&){wildcard(key, '[^&=]') + '=' if key else '([^&=]*=)?'}{value}(&|$)"


def condition(shape: Shape) -> str:
    """Return the anonymous ACL of one condition; raises ValueError for a field that does not exist."""
    field = shape["Field"]
    if field == "host-header":
        return f"{{ req.hdr(host),field(1,:) -i -m reg {_words(_expressions(shape, 'HostHeaderConfig'))} }}"
    if field == "path-pattern":
        return f"{{ path -m reg {_words(_expressions(shape, 'PathPatternConfig'))} }}"
    if field == "http-header":
        name = shape["HttpHeaderConfig"]["HttpHeaderName"]
        return f"{{ req.fhdr({name}) -i -m reg {_words(_expressions(shape, 'HttpHeaderConfig'))} }}"
    if field == "http-request-method":
        return f"{{ method {_words(_values(shape, 'HttpRequestMethodConfig'))} }}"
    if field == "source-ip":
        return f"{{ src {_words(_values(shape, 'SourceIpConfig'))} }}"
    if field == "query-string":
        pairs = (shape.get("QueryStringConfig") or {}).get("Values") or []
        return f"{{ query -i -m reg {_words(_query_expression(pair) for pair in pairs)} }}"
    raise ValueError(f"listener rule condition {field!r} is not known")


def final_action(actions: Sequence[Shape]) -> Shape:
    """Return the action that answers: the last in order (those before it authenticate, which is not rehearsed)."""
    return sorted(actions, key=lambda action: action.get("Order") or 50000)[-1]


def forward_weights(action: Shape) -> list[tuple[str, int]]:
    """Return (target group ARN, weight) of a forward action; groups of weight 0 get nothing."""
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
    if not groups and action.get("TargetGroupArn"):
        groups = [{"TargetGroupArn": action["TargetGroupArn"]}]
    weights = [
        (group["TargetGroupArn"], int(group["Weight"]) if group.get("Weight") is not None else 1) for group in groups
    ]
    return [(arn, weight) for arn, weight in weights if weight > 0]


def target_group_arns(rules: Iterable[Shape]) -> list[str]:
    """Return the ARNs of every group that rules forward to, in order of appearance."""
    arns = (arn for rule in rules for action in rule["actions"] for arn, _weight in forward_weights(action))
    return list(dict.fromkeys(arns))


def ordered(rules: Iterable[Shape]) -> list[Shape]:
    """Return rules by priority, the default rule last."""
    return sorted(
        rules,
        key=lambda rule: (rule["priority"] == "default", 0 if rule["priority"] == "default" else int(rule["priority"])),
    )


def location(redirect: Shape, listener: Shape, port: str | None = None) -> str:
    """Return the log-format of a redirect's Location header; ``port`` overrides the port that is written."""
    protocol = redirect.get("Protocol") or "#{protocol}"
    host = redirect.get("Host") or "#{host}"
    path = redirect.get("Path") or "/#{path}"
    query = redirect.get("Query") if redirect.get("Query") is not None else "#{query}"
    wanted_port = port or redirect.get("Port") or "#{port}"
    own = str(listener["protocol"]).lower()
    scheme = protocol.replace("#{protocol}", own).lower()
    # Whole-query pass-through writes no lonely question mark; a literal query is written as it is.
    tail = "%[var(txn.query)]" if query == "#{query}" else f"?{_substitute(query, listener)}" if query else ""
    return f"{scheme}://{_substitute(host, listener)}:{_substitute(wanted_port, listener)}{_substitute(path, listener)}{tail}"


def _substitute(text: str, listener: Shape) -> str:
    """Replace ELBv2's ``#{...}`` by haproxy's sample expressions."""
    expressions = {
        "#{protocol}": str(listener["protocol"]).lower(),
        "#{host}": "%[req.hdr(host),field(1,:)]",
        "#{port}": str(listener["port"]),
        "/#{path}": "%[path]",
        "#{path}": "%[path,regsub(^/,)]",
        "#{query}": "%[query]",
    }
    parts = re.split(r"(/?#\{path\}|#\{(?:protocol|host|port|query)\})", text)
    return "".join(expressions.get(part) or log_format(part) for part in parts)


def rule_lines(rule: Shape, listener: Shape, backends: Mapping[str, str], ports: Mapping[int, int]) -> list[str]:
    """Return the frontend lines that carry out a rule once ``txn.rule`` names it.

    ``backends`` maps target group ARNs to backend names; ``ports`` maps AWS's ports to the published ones of this machine:
    a client that came through a published port is sent to a published port.
    """
    name = str(rule["priority"])
    chosen = f"{{ var(txn.rule) -m str {name} }}"
    action = final_action(rule["actions"])
    kind = action["Type"]
    if kind == "fixed-response":
        fixed = action.get("FixedResponseConfig") or {}
        body = fixed.get("MessageBody") or ""
        kind_of_body = (
            f" content-type {quote(fixed.get('ContentType') or 'text/plain')} string {quote(body)}" if body else ""
        )
        return [f"http-request return status {fixed['StatusCode']}{kind_of_body} if {chosen}"]
    if kind == "redirect":
        return _redirect_lines(action.get("RedirectConfig") or {}, listener, chosen, ports)
    if kind == "forward":
        return _forward_lines(forward_weights(action), name, chosen, backends)
    return [
        f"http-request return status 501 content-type text/plain string {quote(f'{kind} is not rehearsed')} if {chosen}"
    ]


def _redirect_lines(redirect: Shape, listener: Shape, chosen: str, ports: Mapping[int, int]) -> list[str]:
    code = REDIRECT_CODES[redirect.get("StatusCode") or "HTTP_301"]
    lines = []
    wanted = (redirect.get("Port") or "#{port}").replace("#{port}", str(listener["port"]))
    published = ports.get(int(wanted)) if wanted.isdigit() else None
    if published and not redirect.get("Host", "#{host}").replace("#{host}", ""):
        arrived = (
            f"{{ req.hdr(host) -m reg {quote(':(' + '|'.join(str(port) for port in sorted(ports.values())) + ')$')} }}"
        )
        lines.append(
            f"http-request redirect location {quote(location(redirect, listener, str(published)))} code {code} if {chosen} {arrived}"
        )
    lines.append(f"http-request redirect location {quote(location(redirect, listener))} code {code} if {chosen}")
    return lines


def _forward_lines(
    weights: Sequence[tuple[str, int]], name: str, chosen: str, backends: Mapping[str, str]
) -> list[str]:
    known = [(backends[arn], weight) for arn, weight in weights if arn in backends]
    if not known:
        return [f"http-request return status 503 if {chosen}"]
    if len(known) == 1:
        return [f"use_backend {known[0][0]} if {chosen}"]
    total, reached, lines = sum(weight for _backend, weight in known), 0, []
    # `rand` once per request; the cumulated weights cut its range into the groups' shares.
    lines.append(f"http-request set-var(txn.share) rand({total}) if {chosen}")
    for backend, weight in known:
        reached += weight
        lines.append(f"use_backend {backend} if {chosen} {{ var(txn.share) -m int lt {reached} }}")
    return lines
