# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""haproxy as the load balancer: every condition and action, health checks, draining, stickiness, TLS, health back."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from wordpress_ha_rehearsal.reconciler import haproxy, rules

ADDRESSES = {"i-1": "10.40.1.4", "i-2": "10.40.2.4"}
PORTS = {443: 8443, 80: 8080}
HTTPS = {"port": 443, "protocol": "HTTPS"}
HTTP = {"port": 80, "protocol": "HTTP"}


def group(**changes) -> dict:
    check = {"path": "/healthz/ready", "port": "traffic-port", "protocol": "HTTP", "interval": 10, "timeout": 4}
    check |= {"healthy": 3, "unhealthy": 2, "matcher": "200,202-299"}
    values = {
        "arn": "arn:web",
        "name": "web",
        "port": 80,
        "protocol": "HTTP",
        "health_check": check,
        "attributes": {},
        "targets": [{"id": "i-2", "port": 80, "draining": False}, {"id": "i-1", "port": 80, "draining": False}],
    }
    return values | changes


def forward(*arns: str) -> dict:
    return {"Type": "forward", "TargetGroupArn": arns[0]}


def balancer(*listed, attributes=None, **listener) -> dict:
    default = {"priority": "default", "conditions": [], "actions": [forward("arn:web")]}
    shape = {
        "port": 80,
        "protocol": "HTTP",
        "certificates": [],
        "ssl_policy": None,
        "rules": [*listed, default],
    } | listener
    return {"name": "site", "attributes": attributes or {}, "listeners": [shape]}


def rendered(shape=None, groups=None) -> str:
    return haproxy.render(shape or balancer(), groups or [group()], ADDRESSES, PORTS)


def test_backend_has_the_groups_own_health_check() -> None:
    text = rendered()
    assert 'http-check send meth GET uri "/healthz/ready" ver HTTP/1.1' in text
    assert "http-check expect status 200,202-299" in text
    assert "timeout check 4s" in text
    assert "default-server check inter 10s fastinter 1s downinter 1s rise 3 fall 2" in text
    assert "    server i-1 10.40.1.4:80\n    server i-2 10.40.2.4:80\n" in text
    assert "http-response set-header X-Served-By %s" in text


def test_a_dead_node_costs_no_more_than_what_it_holds() -> None:
    assert {"option redispatch 1", "retries 3", "retry-on conn-failure"} <= {
        line.strip() for line in rendered().splitlines()
    }


def test_forwarded_headers_are_those_of_an_alb() -> None:
    text = rendered()
    assert "set-header X-Forwarded-For %[src] unless" in text
    assert '"%[req.fhdr(x-forwarded-for)], %[src]" if' in text
    assert "set-header X-Forwarded-Proto http\n" in text
    assert "set-header X-Forwarded-Port 80\n" in text
    removed = rendered(balancer(attributes={"routing.http.xff_header_processing.mode": "remove"}))
    assert "del-header X-Forwarded-For" in removed
    assert "%[src]" not in removed


@pytest.mark.parametrize(
    ("shape", "acl"),
    [
        (
            {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example.org", "a.example.com"]}},
            r'{ req.hdr(host),field(1,:) -i -m reg "^.*\\.example\\.org\$" "^a\\.example\\.com\$" }',
        ),
        ({"Field": "path-pattern", "Values": ["/wp-admin/*"]}, r'{ path -m reg "^/wp\\-admin/.*\$" }'),
        (
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Origin", "Values": ["s?cret"]}},
            r'{ req.fhdr(X-Origin) -i -m reg "^s.cret\$" }',
        ),
        (
            {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET", "PURGE"]}},
            '{ method "GET" "PURGE" }',
        ),
        ({"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}, '{ src "10.0.0.0/8" }'),
        (
            {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "1*"}, {"Value": "x"}]}},
            r'{ query -i -m reg "(^|&)v=1[^&]*(&|\$)" "(^|&)([^&=]*=)?x(&|\$)" }',
        ),
    ],
)
def test_every_condition(shape, acl) -> None:
    assert rules.condition(shape) == acl


def test_unknown_condition_is_refused() -> None:
    with pytest.raises(ValueError, match="moon-phase"):
        rules.condition({"Field": "moon-phase"})


def test_first_rule_by_priority_wins_whatever_it_does() -> None:
    fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403", "MessageBody": "no"}}
    text = rendered(
        balancer(
            {"priority": 20, "conditions": [{"Field": "path-pattern", "Values": ["/*"]}], "actions": [fixed]},
            {
                "priority": 3,
                "conditions": [{"Field": "path-pattern", "Values": ["/a"]}],
                "actions": [forward("arn:web")],
            },
        )
    )
    chosen = re.findall(r"set-var\(txn\.rule\) str\((\w+)\) if !\{ var\(txn\.rule\) -m found \}", text)
    assert chosen == ["3", "20", "default"]
    assert 'http-request return status 403 content-type "text/plain" string "no" if { var(txn.rule) -m str 20 }' in text
    assert "use_backend tg_web if { var(txn.rule) -m str 3 }" in text


def test_fixed_response_body_survives_quoting() -> None:
    assert rules.quote('say "$HOME"\n\\ it\'s') == '"say \\"\\$HOME\\"\\n\\\\ it\'s"'


def redirect(**config) -> list[str]:
    action = {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"} | config}
    return rules.rule_lines({"priority": "default", "actions": [action]}, HTTP, {}, PORTS)


def test_redirect_to_https_stays_on_published_ports_for_who_came_by_one() -> None:
    published, plain = redirect(Protocol="HTTPS", Port="443")
    assert '"https://%[req.hdr(host),field(1,:)]:8443%[path]%[var(txn.query)]" code 301' in published
    assert ':(8080|8443)\\$" }' in published
    assert '"https://%[req.hdr(host),field(1,:)]:443%[path]%[var(txn.query)]" code 301' in plain


def test_redirect_placeholders() -> None:
    (line,) = redirect(Host="www.#{host}", Path="/new/#{path}", Query="from=#{host}&100%", StatusCode="HTTP_302")
    expected = "http://www.%[req.hdr(host),field(1,:)]:80/new%[path]?from=%[req.hdr(host),field(1,:)]&100%% code 302"
    assert line.replace('"', "").startswith(f"http-request redirect location {expected} if")


def test_weighted_forward_shares_by_weight_and_skips_zero() -> None:
    weights = [
        {"TargetGroupArn": "a", "Weight": 1},
        {"TargetGroupArn": "b", "Weight": 3},
        {"TargetGroupArn": "c", "Weight": 0},
    ]
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": weights}}
    lines = rules.rule_lines({"priority": 1, "actions": [action]}, HTTP, {"a": "tg_a", "b": "tg_b", "c": "tg_c"}, PORTS)
    assert lines == [
        "http-request set-var(txn.share) rand(4) if { var(txn.rule) -m str 1 }",
        "use_backend tg_a if { var(txn.rule) -m str 1 } { var(txn.share) -m int lt 1 }",
        "use_backend tg_b if { var(txn.rule) -m str 1 } { var(txn.share) -m int lt 4 }",
    ]


def test_draining_target_gets_nothing_new() -> None:
    targets = [{"id": "i-1", "port": 80, "draining": True}, {"id": "i-2", "port": 80, "draining": False}]
    assert "server i-1 10.40.1.4:80 weight 0\n" in rendered(groups=[group(targets=targets)])
    sticky = rendered(
        groups=[group(targets=targets, attributes={"stickiness.enabled": "true", "stickiness.type": "lb_cookie"})]
    )
    assert re.search(r"server i-1 10\.40\.1\.4:80 cookie [0-9a-f]{16} disabled\n", sticky)
    assert "cookie AWSALB insert indirect nocache maxlife 86400s" in sticky


def test_application_cookie_stickiness() -> None:
    attributes = {
        "stickiness.enabled": "true",
        "stickiness.type": "app_cookie",
        "stickiness.app_cookie.cookie_name": "PHPSESSID",
    }
    assert "stick on req.cook(PHPSESSID)" in rendered(groups=[group(attributes=attributes)])


def test_an_instance_registered_twice_has_two_servers() -> None:
    targets = [{"id": "i-1", "port": 80}, {"id": "i-1", "port": 81}]
    assert [server.name for server in haproxy.servers(group(targets=targets), ADDRESSES)] == ["i-1:80", "i-1:81"]


def test_https_without_its_key_opens_no_listener() -> None:
    listener = {
        "port": 443,
        "protocol": "HTTPS",
        "certificates": [{"arn": "c", "certificate": "x", "private_key": None}],
    }
    assert "bind :443" not in rendered(balancer(**listener))
    with_key = balancer(**(listener | {"certificates": [{"arn": "c", "certificate": "x", "private_key": "k"}]}))
    assert re.search(
        r"bind :443 ssl crt /etc/rehearsal/certs/[0-9a-f]{16}\.pem ssl-min-ver TLSv1\.2", rendered(with_key)
    )
    assert list(haproxy.certificate_files(with_key).values()) == ["x\nk\n"]
    assert haproxy.minimum_tls("ELBSecurityPolicy-TLS13-1-3-2021-06") == "TLSv1.3"


def test_ciphers_are_those_of_the_security_policy() -> None:
    restricted = haproxy.ciphers("ELBSecurityPolicy-TLS13-1-2-Res-2021-06").split(":")
    assert sorted(restricted) == [
        f"ECDHE-{key}-{cipher}" for key in ("ECDSA", "RSA") for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384")
    ]
    wider = haproxy.ciphers("ELBSecurityPolicy-TLS13-1-2-2021-06").split(":")
    assert set(restricted) < set(wider)
    assert {name for name in wider if "GCM" not in name} == {
        f"ECDHE-{key}-{cipher}" for key in ("ECDSA", "RSA") for cipher in ("AES128-SHA256", "AES256-SHA384")
    }


def test_new_targets_start_down_one_success_short_and_known_ones_keep_their_state() -> None:
    known = "1\n# header\n4 tg_web 1 i-1 10.40.1.4 2 0 1 1 90 15 3 4 6 0 0 0 - 80 - 0 0 - - 0\n"
    first, second = haproxy.server_state(known, balancer(), [group()], ADDRESSES).splitlines()[2:]
    assert first.split()[3:7] == ["i-1", "10.40.1.4", "2", "0"]
    # stopped, and rise - 1 checks passed
    assert second.split()[3:6] == ["i-2", "10.40.2.4", "0"]
    assert second.split()[12] == "2"


def test_a_known_server_in_maintenance_is_the_configurations_business() -> None:
    known = "4 tg_web 1 i-1 10.40.1.4 0 1 1 1 90 15 3 4 6 0 0 0 - 80 - 0 0 - - 0\n"
    assert haproxy.server_state(known, balancer(), [group()], ADDRESSES).splitlines()[2].split()[6] == "0"


def test_health_is_initial_until_proven() -> None:
    stats = "# pxname,svname,status,check_status\ntg_web,i-1,UP,L7OK\ntg_web,i-2,DOWN,L7STS\n"
    proven: set = set()
    observed = {one["id"]: (one["state"], one["reason"]) for one in haproxy.health(stats, [group()], ADDRESSES, proven)}
    assert observed == {"i-1": ("healthy", ""), "i-2": ("initial", "Elb.InitialHealthChecking")}
    proven.add(("tg_web", "i-2"))
    observed = {one["id"]: (one["state"], one["reason"]) for one in haproxy.health(stats, [group()], ADDRESSES, proven)}
    assert observed["i-2"] == ("unhealthy", "Target.ResponseCodeMismatch")


@pytest.mark.skipif(not shutil.which("haproxy"), reason="haproxy is not installed on this machine")
def test_haproxy_accepts_it(tmp_path: Path) -> None:
    text = rendered().replace("/etc/rehearsal", str(tmp_path))
    (tmp_path / "servers.state").write_text("1\n")
    (tmp_path / "haproxy.cfg").write_text(text)
    subprocess.run(["haproxy", "-c", "-f", str(tmp_path / "haproxy.cfg")], check=True)
