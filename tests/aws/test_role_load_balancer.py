# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role load_balancer by itself: one story, told in this order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import DOMAIN, Account, Foreign
from .lifecycle import Role

OWNED = {"wordpress_ha:stack": "shop", "wordpress_ha:role": "load-balancer"}
SITES: list[dict[str, Any]] = [
    {"name": "news", "hosts": ["news.example.org", "www.news.example.org"], "health_path": "/healthz/live"},
    {"name": "old", "hosts": ["old.example.org"], "redirect_to": DOMAIN},
]


@pytest.fixture(scope="module")
def role(account: Account, foreign: Foreign) -> Role:
    certificates = account.emulator.client("acm").list_certificates(Includes={"keyTypes": ["EC_prime256v1"]})[
        "CertificateSummaryList"
    ]
    account.emulator.client("s3").create_bucket(Bucket="shop-logs")
    secret = json.dumps({"header_value": "a-value-of-the-edge"})
    account.emulator.client("secretsmanager").create_secret(Name="shop/origin", SecretString=secret)
    return Role(
        account,
        "load_balancer",
        load_balancer_name="shop",
        load_balancer_vpc_id=foreign.vpc_id,
        load_balancer_subnet_ids=foreign.public,
        load_balancer_security_group_ids=[foreign.groups["alb"]],
        load_balancer_certificate_arns=[certificates[0]["CertificateArn"]],
        load_balancer_tags=OWNED,
    )


def rules(account: Account, port: int) -> list[tuple[str, dict[str, list[str]], str]]:
    """Return the rules of a listener as (priority, values by field, kind of action), in order."""
    elb = account.emulator.client("elbv2")
    arn = elb.describe_load_balancers(Names=["shop"])["LoadBalancers"][0]["LoadBalancerArn"]
    listeners = {one["Port"]: one["ListenerArn"] for one in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]}
    found = []
    for rule in elb.describe_rules(ListenerArn=listeners[port])["Rules"]:
        values = {
            one["Field"]: (one.get("HostHeaderConfig") or one.get("HttpHeaderConfig"))["Values"]
            for one in rule["Conditions"]
        }
        found.append((rule["Priority"], values, rule["Actions"][0]["Type"]))
    return found


def test_a_mistake_is_refused_before_any_write(role: Role) -> None:
    """P8, P44."""
    role.refuse(
        "load_balancer_deregistration_delay_seconds is 30",
        "60 s",
        "load_balancer_allow_short_delay",
        load_balancer_deregistration_delay_seconds=30,
        load_balancer_request_timeout_seconds=60,
    )


def test_it_is_made(role: Role, account: Account) -> None:
    made = role.create().result
    assert set(made["target_group_arns"]) == {"web"}
    assert made["target_group_arn"] == made["target_group_arns"]["web"]
    assert made["arn_suffix"].startswith("app/shop/")
    assert made["target_group_suffixes"]["web"].startswith("targetgroup/shop-web/")
    assert rules(account, 80) == [("default", {}, "redirect")]
    (group,) = account.emulator.client("elbv2").describe_target_groups()["TargetGroups"]
    described = account.emulator.client("elbv2").describe_target_group_attributes(
        TargetGroupArn=group["TargetGroupArn"]
    )
    attributes = {one["Key"]: one["Value"] for one in described["Attributes"]}
    assert attributes["stickiness.enabled"] == "false"


def test_every_option_can_change(role: Role, account: Account) -> None:
    """R35, R52: several sites behind the origin guard, on both listeners."""
    told = role.modify(
        load_balancer_sites=SITES,
        load_balancer_origin_header={
            "name": "X-Origin-Verify",
            "secret_arn": "shop/origin",
            "secret_key": "header_value",
        },
        load_balancer_ssl_policy="ELBSecurityPolicy-TLS13-1-3-2021-06",
        load_balancer_health_path="/wp-login.php",
        load_balancer_health_codes="200-399",
        load_balancer_health_interval_seconds=20,
        load_balancer_request_timeout_seconds=100,
        load_balancer_deregistration_delay_seconds=40,
        load_balancer_allow_short_delay=True,
        load_balancer_idle_timeout_seconds=115,
        load_balancer_slow_start_seconds=60,
        load_balancer_stickiness={"enabled": True, "seconds": 600},
        load_balancer_http2=False,
        load_balancer_access_logs={"bucket": "shop-logs", "prefix": "edge"},
        load_balancer_tags={**OWNED, "owner": "other"},
    )
    assert set(told.result["target_group_arns"]) == {"web", "news"}
    for port in (80, 443):
        found = rules(account, port)
        assert [(priority, kind) for priority, _unused, kind in found] == [
            ("100", "forward"),
            ("200", "redirect"),
            ("50000", "forward"),
            ("default", "fixed-response"),
        ]
        assert all(one["http-header"] == ["a-value-of-the-edge"] for _unused, one, _kind in found[:3])
        assert found[0][1]["host-header"] == ["news.example.org", "www.news.example.org"]
    policy = json.loads(account.emulator.client("s3").get_bucket_policy(Bucket="shop-logs")["Policy"])
    assert policy["Statement"][0]["Resource"] == "arn:aws:s3:::shop-logs/edge/AWSLogs/123456789012/*"


def test_a_site_comes_first_and_others_go(role: Role, account: Account) -> None:
    told = role.modify(
        load_balancer_sites=[{"name": "new", "hosts": ["new.example.org"]}, *SITES],
        load_balancer_access_logs=None,
        load_balancer_certificate_arns=None,
        load_balancer_origin_header=None,
    )
    assert set(told.result["target_group_arns"]) == {"web", "new", "news"}
    assert [priority for priority, _unused, _kind in rules(account, 80)] == ["100", "200", "300", "default"]


def test_deletion_protection_is_honoured(role: Role) -> None:
    role.refuse("Load balancer shop has deletion protection", "deletion_protection.enabled", entry="absent")


def test_it_can_be_removed(role: Role) -> None:
    alone = role.modify(again=False, load_balancer_sites=None, load_balancer_deletion_protection=False)
    assert set(alone.result["target_group_arns"]) == {"web"}
    role.absent(load_balancer_access_logs={"bucket": "shop-logs"})


def test_an_internal_one_for_a_vpc_origin(role: Role, foreign: Foreign) -> None:
    told = role.play(
        "main",
        check=True,
        load_balancer_scheme="internal",
        load_balancer_subnet_ids=foreign.app,
        load_balancer_ip_address_type="ipv4",
    )
    (balancer,) = [one["after"] for one in told.actions if one["resource"] == "load_balancer/shop"]
    assert (balancer["scheme"], balancer["ip_address_type"]) == ("internal", "ipv4")
