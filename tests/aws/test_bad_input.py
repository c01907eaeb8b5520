# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mistake in the stack file stops the run before any writing call, with one message that names variable, value and cure."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.amazon.aws.plugins.module_utils import modules

from ansible_collections.wordpress_ha.aws.plugins.modules import stack_check

from .conftest import CHECKOUT, Account

SCHEMA = yaml.safe_load((CHECKOUT / "roles/preflight/vars/stack_schema.yml").read_text())["__preflight_stack_schema"]
NODE_SPECS = yaml.safe_load((CHECKOUT / "roles/wordpress/meta/argument_specs.yml").read_text())
NODE_OPTIONS = list(NODE_SPECS["argument_specs"]["main"]["options"])
SITE = {"domain": "blog.example.org", "admin_email": "admin@example.org"}

#: name of the mistake: (variables, what the message must contain: variable, value, cure)
MISTAKES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "misspelt key": (
        {"wordpress_ha_network": {"cdir": "10.0.0.0/16"}},
        ["wordpress_ha_network.cdir is '10.0.0.0/16'", "Did you mean `wordpress_ha_network.cidr`?"],
    ),
    "misspelt key two levels down": (
        {"wordpress_ha_web": {"base_image": {"onwer": "self"}}},
        ["wordpress_ha_web.base_image.onwer is 'self'", "Did you mean `wordpress_ha_web.base_image.owner`?"],
    ),
    "misspelt variable": (
        {"wordpress_ha_databse": {"readers": 2}},
        ["wordpress_ha_databse is", "Did you mean `wordpress_ha_database`?"],
    ),
    "option of a node role that does not exist": (
        {"wordpress_tabel_prefix": "x_"},
        ["wordpress_tabel_prefix is 'x_'", "Did you mean `wordpress_table_prefix`?"],
    ),
    "network too small": (
        {"wordpress_ha_network": {"cidr": "10.0.0.0/26"}},
        ["wordpress_ha_network.cidr is '10.0.0.0/26'", "64 addresses", "Use a /23 or larger"],
    ),
    "no network at all": (
        {"wordpress_ha_network": {"cidr": "10.0.0/16"}},
        ["wordpress_ha_network.cidr is '10.0.0/16'", "no IPv4 range", "10.40.0.0/16"],
    ),
    "unknown region": (
        {"wordpress_ha_region": "eu-centrl-1"},
        ["wordpress_ha_region is 'eu-centrl-1'", "no such AWS region", "Did you mean `eu-central-1`?"],
    ),
    "unknown instance type": (
        {"wordpress_ha_web": {"instance_type": "c6i.largest"}},
        ["wordpress_ha_web.instance_type is 'c6i.largest'", "EC2 offers no such type", "`c6i.large`"],
    ),
    "instance type of another architecture": (
        {"wordpress_ha_web": {"instance_type": "c7g.large"}},
        ["wordpress_ha_web.instance_type is 'c7g.large'", "x86_64", "arm64", "wordpress_ha_web.base_image.name"],
    ),
    "unknown instance class": (
        {"wordpress_ha_database": {"instance_class": "db.r6g.larg"}},
        [
            "wordpress_ha_database.instance_class is 'db.r6g.larg'",
            "Aurora MySQL offers no such class",
            "`db.r6g.large`",
        ],
    ),
    "unknown cache node type": (
        {"wordpress_ha_cache": {"node_type": "cache.t9.small"}},
        ["wordpress_ha_cache.node_type is 'cache.t9.small'", "`cache.t4g.small`"],
    ),
    "more zones than there are": (
        {"wordpress_ha_network": {"availability_zones": 9}},
        ["wordpress_ha_network.availability_zones is 9", "us-east-1 has 6 Availability Zones", "Use 2 to 4"],
    ),
    "zone of another region": (
        {"wordpress_ha_network": {"availability_zones": ["us-east-1a", "eu-west-1b"]}},
        ["wordpress_ha_network.availability_zones is", "eu-west-1b is no zone of us-east-1", "us-east-1c"],
    ),
    "a domain that is none": (
        {"wordpress_ha_site": {**SITE, "domain": "https://blog.example.org/"}},
        ["wordpress_ha_site.domain is 'https://blog.example.org/'", "it is no domain name", "`www.example.org`"],
    ),
    "misspelt storage mode": (
        {"wordpress_storage_mode": "efss"},
        ["wordpress_storage_mode is 'efss'", "allowed: `efs`", "Did you mean `efs`?"],
    ),
    "storage mode not built yet": (
        {"wordpress_storage_mode": "replica"},
        ["wordpress_storage_mode is 'replica'", "not available yet", "use `efs`"],
    ),
    "no base image": (
        {"wordpress_ha_web": {"base_image": {"name": "debian-99-*"}}},
        ["wordpress_ha_web.base_image.name is 'debian-99-*'", "no such image", "`debian-13-amd64-*`"],
    ),
    "no certificate": (
        {"wordpress_ha_load_balancer": {"certificate_domain": "other.example.org"}},
        ["certificate_domain is 'other.example.org'", "no issued certificate", "Request or import one"],
    ),
    "no certificate for the edge": (
        {"wordpress_ha_edge": {"aliases": ["shop.example.org"]}},
        [
            "wordpress_ha_edge.certificate_arn is not set",
            "us-east-1 has no issued certificate for blog.example.org and shop",
        ],
    ),
    "edge certificate of another region": (
        {"wordpress_ha_edge": {"certificate_arn": "arn:aws:acm:eu-central-1:123456789012:certificate/1"}},
        ["wordpress_ha_edge.certificate_arn is 'arn:aws:acm:eu-central-1", "us-east-1, the only region"],
    ),
    "misspelt key of the edge": (
        {"wordpress_ha_edge": {"behaviour_set": "recommended"}},
        ["wordpress_ha_edge.behaviour_set is 'recommended'", "Did you mean `wordpress_ha_edge.behavior_set`?"],
    ),
    "pages that outlive their nonces": (
        {"wordpress_ha_edge": {"default_ttl_seconds": 86400}},
        ["wordpress_ha_edge.default_ttl_seconds is 86400", "largest possible is 43200", "nonces"],
    ),
    "unknown preset": (
        {"wordpress_ha_edge": {"presets": ["woocomerce"]}},
        ["wordpress_ha_edge.presets[0] is 'woocomerce'", "`woocommerce`"],
    ),
    "web ACL of a region": (
        {"wordpress_ha_edge": {"waf_acl_arn": "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/a/1"}},
        ["wordpress_ha_edge.waf_acl_arn is", "scope CLOUDFRONT"],
    ),
    "requests that take longer than CloudFront waits": (
        {"wordpress_ha_web": {"request_timeout_seconds": 110}},
        ["wordpress_ha_web.request_timeout_seconds is 110", "CloudFront waits 120 seconds", "Use at most 100"],
    ),
    "edge that gives up before the load balancer": (
        {"wordpress_ha_edge": {"origin_read_timeout_seconds": 60}},
        ["wordpress_ha_edge.origin_read_timeout_seconds is 60", "up to 75 seconds", "Use at least 76"],
    ),
    "address ranges that have no effect": (
        {"wordpress_ha_load_balancer": {"ingress_cidrs": ["10.0.0.0/8"]}},
        ["wordpress_ha_load_balancer.ingress_cidrs is", "only CloudFront reaches", "`secret_header`"],
    ),
    "origin without a certificate": (
        {"wordpress_ha_edge": {"behavior_set": "whitepaper"}},
        ["wordpress_ha_edge.origin_domain is not set", "under the load balancer's own name", "wordpress_ha_dns.zone"],
    ),
    "domain outside of the zone": (
        {"wordpress_ha_dns": {"zone": "example.net"}},
        ["wordpress_ha_site.domain is 'blog.example.org'", "not in the zone example.net"],
    ),
    "zone that is not there": (
        {"wordpress_ha_dns": {"zone": "example.org"}},
        ["wordpress_ha_dns.zone is 'example.org'", "no public hosted zone", "Create it"],
    ),
    "media bucket that is not there": (
        {"wordpress_ha_edge": {"media_bucket": "no-such-bucket"}},
        ["wordpress_ha_edge.media_bucket is 'no-such-bucket'", "no such bucket"],
    ),
    "ssh without a key pair": (
        {"wordpress_ha_web": {"builder_connection": "ssh"}},
        ["wordpress_ha_web.key_name is not set", "needs a key pair", "use `ssm`"],
    ),
    "fewest above most": (
        {"wordpress_ha_web": {"min": 5, "max": 2}},
        ["wordpress_ha_web.min is 5", "more than wordpress_ha_web.max, 2", "Raise the one or lower the other"],
    ),
    "too many readers": (
        {"wordpress_ha_database": {"readers": 16}},
        ["wordpress_ha_database.readers is 16", "largest possible is 15", "Use 0 to 15"],
    ),
    "not even a dict": (
        {"wordpress_ha_cache": "valkey"},
        ["wordpress_ha_cache is 'valkey'", "it must be a dict"],
    ),
}


_clients: dict[tuple[str, str | None], Any] = {}
_connect = modules.boto3_conn


def connect(
    module: Any, conn_type: str, resource: str, region: str, endpoint: str | None = None, **options: Any
) -> Any:
    """Stand for amazon.aws's ``boto3_conn``: building a client takes half a second, and one serves all cases."""
    if (resource, region) not in _clients:
        _clients[resource, region] = _connect(module, conn_type, resource, region, endpoint, **options)
    return _clients[resource, region]


def check(
    account: Account, variables: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    """Run the module stack_check in this process, with the role's own schema, and return its result."""
    for name, value in account.emulator.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(modules, "boto3_conn", connect)
    stack = {"wordpress_ha_stack": "trial", "wordpress_ha_region": "us-east-1", "wordpress_ha_site": SITE, **variables}
    arguments = {"variables": stack, "schema": SCHEMA, "other_variables": NODE_OPTIONS}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        stack_check.main()
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_has_its_message(
    mistake: str, account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One complaint, in the user's words, and nothing written."""
    account.emulator.forget()
    variables, expected = MISTAKES[mistake]
    result = check(account, variables, monkeypatch, capsys)
    message = result.get("msg", "")
    missing = [words for words in expected if words not in message]
    assert result.get("failed") and not missing, f"the message lacks {missing}:\n{message}"
    assert message.startswith("Nothing was changed, since ") and len(result["problems"]) == 1, message
    assert account.emulator.writes() == []


def test_the_smallest_stack_is_right(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is refused that is right; the defaults of the schema pass their own checks."""
    result = check(account, {}, monkeypatch, capsys)
    assert not result.get("failed"), result
    assert result["stack"]["network"]["cidr"] == "10.40.0.0/16" and len(result["availability_zones"]) == 2
    assert result["subnets"]["app"] == ["10.40.64.0/20", "10.40.80.0/20"]


def test_a_zone_makes_up_for_certificates(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is yet to be requested is not refused; what the user names is still looked for."""
    made = account.emulator.client("route53").create_hosted_zone(Name="example.com.", CallerReference="1")
    site = {"wordpress_ha_site": {**SITE, "domain": "www.example.com"}, "wordpress_ha_dns": {"zone": "example.com"}}
    result = check(account, site, monkeypatch, capsys)
    assert not result.get("failed"), result
    assert result["certificate_arn"] == result["edge_certificate_arn"] == ""
    assert made["HostedZone"]["Id"].endswith(result["hosted_zone_id"]) and result["hosted_zone_id"]
    named = check(
        account, {**site, "wordpress_ha_edge": {"certificate_domain": "www.example.com"}}, monkeypatch, capsys
    )
    assert "wordpress_ha_edge.certificate_domain is 'www.example.com'" in named["msg"]


def test_site_stops_at_the_first_play(account: Account, prove: Callable[[str], None]) -> None:
    """The same through site.yml as a user runs it; two mistakes are told together."""
    run = account.play("site.yml", wordpress_storage_mode="efss", wordpress_ha_cache={"engine": "memcachd"})
    assert run.code == 2 and run.recap["changed"] == 0 and run.writes == []
    assert "2 settings are wrong" in run.message and run.message.count("wordpress_storage_mode is 'efss'") == 1, (
        run.tail()
    )
    assert "PLAY [Provision]" not in run.output
    prove(
        f"site.yml with two mistakes: exit code 2 after {run.seconds:.0f} s, both told in one message, writing calls: 0"
    )


def test_missing_credentials_are_said(account: Account, prove: Callable[[str], None]) -> None:
    """Without credentials the first word is about credentials, not about a client that could not be made."""
    empty = {"AWS_ENDPOINT_URL": account.emulator.endpoint_url, "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    empty |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    run = account.play("playbooks/preflight.yml", wordpress_ha_aws_environment=empty)
    assert run.code == 2 and "there are no AWS credentials" in run.message, run.tail()
    prove("no credentials: stopped by the preflight with the names of the variables to set")
