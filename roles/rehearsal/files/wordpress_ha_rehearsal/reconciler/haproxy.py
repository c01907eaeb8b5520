# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""haproxy in the part of Application Load Balancers. Pure: the desired JSON in, configuration and health out."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import rules

Shape = Mapping[str, Any]

#: Seconds between checks of a target that is new, failing or recovering. AWS waits the full interval; the rehearsal does not.
IMPATIENT_SECONDS = 1
DIRECTORY = "/etc/rehearsal"
STATE_FILE = f"{DIRECTORY}/servers.state"

ALGORITHMS = {"round_robin": "roundrobin", "least_outstanding_requests": "leastconn", "weighted_random": "random"}
REASONS = {
    "L4TOUT": "Target.Timeout",
    "L6TOUT": "Target.Timeout",
    "L7TOUT": "Target.Timeout",
    "L7STS": "Target.ResponseCodeMismatch",
}


@dataclass(frozen=True)
class Server:
    """A target as haproxy knows it."""

    backend: str
    name: str
    address: str
    port: int
    draining: bool


def word(text: str) -> str:
    """Return a name haproxy accepts."""
    return re.sub(r"[^A-Za-z0-9_.:-]", "_", text)


def backend_name(group: Shape) -> str:
    """Return the backend of a target group (unique: two groups of a region cannot share a name)."""
    return f"tg_{word(group['name'])}"


def servers(group: Shape, addresses: Mapping[str, str]) -> list[Server]:
    """Return a group's servers, named by instance id (plus the port where an instance is registered twice)."""
    listed = sorted(group["targets"], key=lambda target: (target["id"], target["port"]))
    ids = [target["id"] for target in listed]
    found = []
    for target in listed:
        address = addresses.get(target["id"])
        if address:
            name = target["id"] if ids.count(target["id"]) == 1 else f"{target['id']}:{target['port']}"
            found.append(Server(backend_name(group), name, address, int(target["port"]), bool(target.get("draining"))))
    return found


def minimum_tls(policy: str | None) -> str:
    """Return the lowest protocol version of a security policy."""
    return "TLSv1.3" if policy and "TLS13-1-3" in policy else "TLSv1.2"


def ciphers(policy: str | None) -> str:
    """Return the ciphers for TLS 1.2 of a security policy: all have forward secrecy, and the restricted ones no CBC."""
    digests = {"AES128-GCM": "SHA256", "AES128": "SHA256", "AES256-GCM": "SHA384", "AES256": "SHA384"}
    return ":".join(
        f"ECDHE-{key}-{cipher}-{digest}"
        for cipher, digest in digests.items()
        for key in ("ECDSA", "RSA")
        if cipher.endswith("GCM") or "-Res-" not in (policy or "")
    )


def certificate_file(certificate: Shape) -> tuple[str, str]:
    """Return (file name, content) of a certificate in haproxy's form: certificate, chain and key in one file."""
    parts = [certificate.get("certificate"), certificate.get("chain"), certificate.get("private_key")]
    content = "".join(part.strip() + "\n" for part in parts if part)
    return hashlib.sha256(certificate["arn"].encode()).hexdigest()[:16] + ".pem", content


def certificate_files(balancer: Shape) -> dict[str, str]:
    """Return the certificate files of a load balancer by name."""
    listed = [certificate for listener in balancer["listeners"] for certificate in listener.get("certificates") or []]
    return dict(certificate_file(certificate) for certificate in listed if certificate.get("private_key"))


def groups_of(balancer: Shape, groups: Iterable[Shape]) -> list[Shape]:
    """Return the target groups that a load balancer forwards to, by name."""
    wanted = {arn for listener in balancer["listeners"] for arn in rules.target_group_arns(listener["rules"])}
    return sorted((group for group in groups if group["arn"] in wanted), key=lambda group: group["name"])


def render(balancer: Shape, groups: Iterable[Shape], addresses: Mapping[str, str], ports: Mapping[int, int]) -> str:
    """Return the whole haproxy.cfg of one load balancer."""
    mine = groups_of(balancer, groups)
    backends = {group["arn"]: backend_name(group) for group in mine}
    idle = int((balancer.get("attributes") or {}).get("idle_timeout.timeout_seconds") or 60)
    lines = _global_lines(idle)
    for listener in sorted(balancer["listeners"], key=lambda item: int(item["port"])):
        lines += _frontend(balancer, listener, backends, ports)
    for group in mine:
        lines += _backend(group, addresses)
    return "\n".join(lines) + "\n"


def _global_lines(idle: int) -> list[str]:
    return [
        "global",
        "    maxconn 4000",
        "    log stdout format raw local0 warning",
        f"    stats socket {DIRECTORY}/stats.sock mode 600 level admin expose-fd listeners",
        f"    server-state-file {STATE_FILE}",
        # In-flight requests of a replaced process finish; nothing may keep it for ever.
        "    hard-stop-after 5m",
        "    tune.ssl.default-dh-param 2048",
        "",
        "defaults",
        "    mode http",
        "    log global",
        "    option dontlognull",
        "    option http-keep-alive",
        "    load-server-state-from-file global",
        # A dead node costs the requests it holds, not those on the way: they are sent to another one.
        "    option redispatch 1",
        "    retries 3",
        "    retry-on conn-failure",
        "    timeout connect 1s",
        "    timeout http-request 60s",
        f"    timeout client {idle}s",
        f"    timeout server {idle}s",
        "    timeout queue 5s",
    ]


def _frontend(balancer: Shape, listener: Shape, backends: Mapping[str, str], ports: Mapping[int, int]) -> list[str]:
    port, secure = int(listener["port"]), listener["protocol"] == "HTTPS"
    attributes = balancer.get("attributes") or {}
    bind = f"bind :{port}"
    if secure:
        files = [certificate_file(item)[0] for item in listener.get("certificates") or [] if item.get("private_key")]
        if not files:
            return ["", f"# listener {port}: its certificate is not there yet"]
        bind += " ssl " + " ".join(f"crt {DIRECTORY}/certs/{name}" for name in files)
        policy = listener.get("ssl_policy")
        bind += f" ssl-min-ver {minimum_tls(policy)} ciphers {ciphers(policy)} alpn h2,http/1.1"
    lines = ["", f"frontend {word(balancer['name'])}_{port}", f"    {bind}"]
    mode = attributes.get("routing.http.xff_header_processing.mode", "append")
    if mode == "append":
        found = "{ req.hdr(x-forwarded-for) -m found }"
        lines.append("    http-request set-var(txn.client) src")
        lines.append(f'    http-request set-header X-Forwarded-For "%[req.fhdr(x-forwarded-for)], %[src]" if {found}')
        lines.append("    http-request set-header X-Forwarded-For %[src] unless { req.hdr(x-forwarded-for) -m found }")
    elif mode == "remove":
        lines.append("    http-request del-header X-Forwarded-For")
    lines += [
        f"    http-request set-header X-Forwarded-Proto {'https' if secure else 'http'}",
        f"    http-request set-header X-Forwarded-Port {port}",
        '    http-request set-header X-Amzn-Trace-Id "Root=1-%{+X}Ts-%[uuid,regsub(-,,g),bytes(0,24)]"'
        " unless { req.hdr(x-amzn-trace-id) -m found }",
        '    http-request set-var-fmt(txn.query) "?%[query]" if { query -m len gt 0 }',
    ]
    listed = rules.ordered(listener["rules"])
    for rule in listed:
        # All conditions must hold; a rule after the first match changes nothing.
        acls = "".join(f" {rules.condition(shape)}" for shape in rule.get("conditions") or [])
        lines.append(
            f"    http-request set-var(txn.rule) str({rule['priority']}) if !{{ var(txn.rule) -m found }}{acls}"
        )
    for rule in listed:
        lines += [f"    {line}" for line in _http_first(rules.rule_lines(rule, listener, backends, ports))]
    http = [line for line in lines if not line.startswith("    use_backend")]
    return http + [line for line in lines if line.startswith("    use_backend")]


def _http_first(lines: Sequence[str]) -> list[str]:
    return sorted(lines, key=lambda line: line.startswith("use_backend"))


def _expected_status(matcher: str | None) -> str:
    return (matcher or "200").replace(" ", "")


def _backend(group: Shape, addresses: Mapping[str, str]) -> list[str]:
    check, attributes = group["health_check"], group.get("attributes") or {}
    balance = ALGORITHMS.get(attributes.get("load_balancing.algorithm.type", "round_robin"), "roundrobin")
    interval, timeout = int(check.get("interval") or 30), int(check.get("timeout") or 5)
    lines = [
        "",
        f"backend {backend_name(group)}",
        f"    balance {balance}",
        "    option httpchk",
        f"    http-check send meth GET uri {rules.quote(check.get('path') or '/')} ver HTTP/1.1"
        f" hdr Host {rules.quote(word(group['name']))} hdr User-Agent ELB-HealthChecker/2.0 hdr Connection close",
        f"    http-check expect status {_expected_status(check.get('matcher'))}",
        f"    timeout check {timeout}s",
        # The rehearsal's own addition: which node answered.
        "    http-response set-header X-Served-By %s",
    ]
    lines += [f"    {line}" for line in _stickiness(attributes)]
    verify = "ssl verify none " if group["protocol"] == "HTTPS" else ""
    check_ssl = "check-ssl verify none " if check.get("protocol") == "HTTPS" and not verify else ""
    check_port = check.get("port") or "traffic-port"
    port = "" if str(check_port) == "traffic-port" else f"port {check_port} "
    slow = int(attributes.get("slow_start.duration_seconds") or 0)
    lines.append(
        f"    default-server {verify}{check_ssl}check {port}inter {interval}s fastinter {min(interval, IMPATIENT_SECONDS)}s"
        f" downinter {min(interval, IMPATIENT_SECONDS)}s rise {int(check.get('healthy') or 5)} fall {int(check.get('unhealthy') or 2)}"
        + (f" slowstart {slow}s" if slow else "")
    )
    cookies = any(line.startswith("    cookie ") for line in lines)
    for server in servers(group, addresses):
        cookie = f" cookie {hashlib.sha256(server.name.encode()).hexdigest()[:16]}" if cookies else ""
        # A deregistered target gets no new request, not even a sticky one; what it holds it may finish. haproxy's drain
        # state (weight 0) would still take sticky requests, so where cookies are in play it is the maintenance state.
        rest = (" disabled" if cookies else " weight 0") if server.draining else ""
        lines.append(f"    server {server.name} {server.address}:{server.port}{cookie}{rest}")
    return lines


def _stickiness(attributes: Shape) -> list[str]:
    if str(attributes.get("stickiness.enabled", "false")).lower() != "true":
        return []
    kind = attributes.get("stickiness.type", "lb_cookie")
    if kind == "lb_cookie":
        seconds = int(attributes.get("stickiness.lb_cookie.duration_seconds") or 86400)
        return [f'cookie AWSALB insert indirect nocache maxlife {seconds}s attr "Path=/"']
    if kind == "app_cookie" and attributes.get("stickiness.app_cookie.cookie_name"):
        name = word(attributes["stickiness.app_cookie.cookie_name"])
        seconds = int(attributes.get("stickiness.app_cookie.duration_seconds") or 86400)
        return [
            f"stick-table type string len 128 size 100k expire {seconds}s",
            f"stick on req.cook({name})",
            f"stick store-response res.cook({name})",
        ]
    return []


def server_state(current: str, balancer: Shape, groups: Iterable[Shape], addresses: Mapping[str, str]) -> str:
    """Return a server state file for the next process: the running one's ``show servers state`` plus the new targets.

    haproxy takes a server without a known state for healthy until its first check fails; ELBv2 does the opposite. So a new
    target is written as down, one success short of up: as on AWS one passed check makes it healthy.
    """
    rows = [line for line in current.splitlines() if line and not line.startswith("#") and len(line.split()) > 10]
    known = {tuple(line.split()[index] for index in (1, 3, 4)): line for line in rows}
    lines = ["1", STATE_HEADER]
    for group in groups_of(balancer, groups):
        rise = int(group["health_check"].get("healthy") or 5)
        for number, server in enumerate(servers(group, addresses), start=1):
            row = known.get((server.backend, server.name, server.address))
            # Administrative states are the configuration's to say, not the old process's.
            fields = row.split() if row else _new_server(server, number, rise)
            fields[6] = "0"
            lines.append(" ".join(fields))
    return "\n".join(lines) + "\n"


STATE_HEADER = (
    "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change"
    " srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id"
    " srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port"
)


def _new_server(server: Server, number: int, rise: int) -> list[str]:
    """Return the state fields of a target no process has checked: stopped (0), ``rise - 1`` good checks behind it."""
    health = max(rise - 1, 0)
    return (
        f"0 {server.backend} {number} {server.name} {server.address} 0 0 1 1 0 1 2 {health} 6 0 0 0 - {server.port} - 0 0 - - 0"
    ).split()


def health(
    stats: str, groups: Iterable[Shape], addresses: Mapping[str, str], proven: set[tuple[str, str]]
) -> list[dict[str, Any]]:
    """Return the observed targets from haproxy's ``show stat``.

    ``proven`` holds (backend, server) that were up before or have failed long enough to be judged: the others that are down
    count as initial. It is extended here by the servers that are up.
    """
    rows = {(row["# pxname"], row["svname"]): row for row in csv.DictReader(io.StringIO(stats))}
    observed = []
    for group in groups:
        for server in servers(group, addresses):
            key = (server.backend, server.name)
            row = rows.get(key)
            if row is None:
                continue
            state, reason = (
                _state(row, key, proven) if not server.draining else ("draining", "Target.DeregistrationInProgress")
            )
            observed.append(
                {
                    "target_group_arn": group["arn"],
                    "id": server.name.split(":")[0],
                    "port": server.port,
                    "state": state,
                    "reason": reason,
                }
            )
    return observed


def _state(row: Mapping[str, str], key: tuple[str, str], proven: set[tuple[str, str]]) -> tuple[str, str]:
    status = row["status"]
    if status.startswith("UP"):
        proven.add(key)
        return "healthy", ""
    if key in proven:
        return "unhealthy", REASONS.get(row.get("check_status", "").lstrip("* "), "Target.FailedHealthChecks")
    return "initial", "Elb.InitialHealthChecking"
