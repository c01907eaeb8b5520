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

from .conftest import CHECKOUT, Account, Foreign, make_foreign

VARIABLES = {
    option: yaml.safe_load((CHECKOUT / f"roles/preflight/vars/{file}.yml").read_text())[f"__preflight_{file}"]
    for option, file in (("schema", "stack_schema"), ("sizes", "sizes"), ("profiles", "profiles"))
}
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
    "mail without a sender": (
        {"wordpress_ha_mail": {"transport": "ses"}},
        ["wordpress_ha_mail.from is not set", "transport is `ses`", "wordpress@example.org"],
    ),
    "mail without a server": (
        {"wordpress_ha_mail": {"transport": "smtp", "from": "a@example.org"}},
        ["wordpress_ha_mail.host is not set", "Give the host name of the SMTP server."],
    ),
    "mail with everything but a transport": (
        {"wordpress_ha_mail": {"host": "smtp.example.org"}},
        ["wordpress_ha_mail.host is 'smtp.example.org'", "no mail is sent", "Choose `ses` or `smtp`"],
    ),
    "login of the mail server in clear": (
        {
            "wordpress_ha_mail": {
                "transport": "smtp",
                "from": "a@example.org",
                "host": "smtp.example.org",
                "encryption": "none",
                "secret_arn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mail-a1b2c3",
            }
        },
        ["wordpress_ha_mail.encryption is 'none'", "password would cross the network", "Use `starttls` or `tls`"],
    ),
    "mail that cannot leave the network": (
        {
            "wordpress_ha_mail": {"transport": "ses", "from": "a@example.org"},
            "wordpress_ha_network": {"nat": "none", "interface_endpoints": ["ssm", "secretsmanager"]},
        },
        ["wordpress_ha_network.interface_endpoints is", "cannot reach email", "Add `email`"],
    ),
    "sessions without a cache": (
        {"wordpress_ha_sessions": "cache", "wordpress_ha_cache": {"engine": "none"}},
        ["wordpress_ha_sessions is 'cache'", "wordpress_ha_cache.engine is `none`", "or no sessions"],
    ),
    "a backup plugin without a reason": (
        {"wordpress_ha_guard": {"allowed": [{"name": "updraftplus", "reason": "because"}]}},
        ["wordpress_ha_guard.allowed[0].reason is 'because'", "15 to 300 characters"],
    ),
    "a backup plugin allowed twice": (
        {"wordpress_ha_guard": {"allowed": [{"name": "updraftplus", "reason": "The owner wants it."}] * 2}},
        ["wordpress_ha_guard.allowed is", "updraftplus is allowed twice", "one reason for each"],
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
        ["wordpress_ha_web.instance_type is 'c7g.large'", "x86_64", "arm64", "wordpress_ha_web.architecture"],
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
        ["wordpress_storage_mode is 'efss'", "allowed: `replica`, `efs`, `release`", "Did you mean `efs`?"],
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
    "unknown size": (
        {"wordpress_ha_size": "smal"},
        ["wordpress_ha_size is 'smal'", "allowed: `small`, `medium`, `large`", "Did you mean `small`?"],
    ),
    "addresses of others": (
        {"wordpress_ha_network": {"cidr": "8.8.0.0/16"}},
        ["wordpress_ha_network.cidr is '8.8.0.0/16'", "belong to others", "`10.40.0.0/16`"],
    ),
    "no way out for the nodes": (
        {"wordpress_ha_network": {"nat": "none", "interface_endpoints": ["ssm"]}},
        ["wordpress_ha_network.interface_endpoints is ['ssm']", "cannot reach secretsmanager", "Add `secretsmanager`"],
    ),
    "subnets without a VPC": (
        {"wordpress_ha_network": {"subnet_ids": {"app": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]}}},
        ["wordpress_ha_network.subnet_ids is", "new VPC", "Give the VPC that they belong to"],
    ),
    "one subnet of an existing VPC": (
        {
            "wordpress_ha_network": {
                "vpc_id": "vpc-0123456789abcdef0",
                "subnet_ids": {"app": ["subnet-0123456789abcdef0"]},
            }
        },
        ["wordpress_ha_network.subnet_ids.app is", "one subnet", "two zones at least"],
    ),
    "an existing VPC that is to be changed": (
        {"wordpress_ha_network": {"vpc_id": "vpc-0123456789abcdef0", "interface_endpoints": ["ssm"]}},
        ["wordpress_ha_network.interface_endpoints is ['ssm']", "left as it is", "Leave it out"],
    ),
    "no VPC id": (
        {"wordpress_ha_network": {"vpc_id": "my-vpc"}},
        ["wordpress_ha_network.vpc_id is 'my-vpc'", "right form", "`vpc-0123456789abcdef0`"],
    ),
    "flow logs for ten days": (
        {"wordpress_ha_network": {"flow_logs": {"enabled": True, "retention_days": 10}}},
        ["wordpress_ha_network.flow_logs.retention_days is 10", "allowed: `1`, `3`"],
    ),
    "backups for no day": (
        {"wordpress_ha_database": {"backup_retention_days": 0}},
        ["wordpress_ha_database.backup_retention_days is 0", "smallest possible is 1", "Use 1 to 35"],
    ),
    "backups for 36 days": (
        {"wordpress_ha_database": {"backup_retention_days": 36}},
        ["wordpress_ha_database.backup_retention_days is 36", "largest possible is 35", "Use 1 to 35"],
    ),
    "serverless without bounds": (
        {"wordpress_ha_database": {"instance_class": "db.serverless"}},
        ["wordpress_ha_database.serverless is not set", "needs bounds", "min_capacity: 0.5"],
    ),
    "serverless with a class": (
        {"wordpress_ha_database": {"serverless": {"min_capacity": 0.5, "max_capacity": 4}}},
        ["wordpress_ha_database.instance_class is 'db.r6g.large'", "of no use", "`db.serverless`"],
    ),
    "a database that cannot pause": (
        {
            "wordpress_ha_database": {
                "instance_class": "db.serverless",
                "serverless": {"min_capacity": 1, "max_capacity": 4, "pause_after_seconds": 600},
            }
        },
        ["wordpress_ha_database.serverless.pause_after_seconds is 600", "min_capacity is 0", "Use 0"],
    ),
    "capacity upside down": (
        {
            "wordpress_ha_database": {
                "instance_class": "db.serverless",
                "serverless": {"min_capacity": 8, "max_capacity": 4},
            }
        },
        ["wordpress_ha_database.serverless.min_capacity is 8", "more than", "Raise the one or lower the other"],
    ),
    "restore from two things": (
        {"wordpress_ha_database": {"restore": {"snapshot": "a", "cluster": "b"}}},
        ["wordpress_ha_database.restore is", "one of the two", "Give one of them"],
    ),
    "restore from a snapshot that is not there": (
        {"wordpress_ha_database": {"restore": {"snapshot": "no-such-snapshot"}}},
        ["wordpress_ha_database.restore.snapshot is 'no-such-snapshot'", "no such cluster snapshot", "List them"],
    ),
    "windows that overlap": (
        {"wordpress_ha_database": {"backup_window": "23:30-00:30", "maintenance_window": "sun:00:00-sun:01:00"}},
        ["wordpress_ha_database.maintenance_window is 'sun:00:00-sun:01:00'", "overlaps", "Move one of the two"],
    ),
    "reader endpoint of an existing database": (
        {
            "wordpress_ha_database": {
                "existing": {
                    "host": "blog.cluster-ro-abc.eu-central-1.rds.amazonaws.com",
                    "user_secret_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:blog-1",
                    "master_secret_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:blog-2",
                }
            }
        },
        ["wordpress_ha_database.existing.host is 'blog.cluster-ro-abc", "accept no writes", "cluster endpoint"],
    ),
    "existing database without a secret": (
        {
            "wordpress_ha_database": {
                "existing": {
                    "host": "db.example.org",
                    "user_secret_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:blog-1",
                }
            }
        },
        ["wordpress_ha_database.existing.master_secret_arn is not set", "must be set", "Give the ARN"],
    ),
    "cluster-mode endpoint of an existing cache": (
        {
            "wordpress_ha_cache": {
                "existing": {
                    "host": "clustercfg.blog.abc123.euc1.cache.amazonaws.com",
                    "secret_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:blog-1",
                }
            }
        },
        ["wordpress_ha_cache.existing.host is 'clustercfg.blog", "cluster mode", "primary endpoint"],
    ),
    "cache engine that is none": (
        {"wordpress_ha_cache": {"engine": "serverless"}},
        ["wordpress_ha_cache.engine is 'serverless'", "allowed: `valkey`", "wordpress_ha_cache.serverless"],
    ),
    "user of a Memcached": (
        {"wordpress_ha_cache": {"engine": "memcached", "user": "site"}},
        ["wordpress_ha_cache.user is 'site'", "knows no users", "use `valkey`"],
    ),
    "serverless cache without a limit": (
        {"wordpress_ha_cache": {"serverless": {"max_gb": None}}},
        ["wordpress_ha_cache.serverless is", "no limit", "max_gb"],
    ),
    "serverless cache of contrary limits": (
        {"wordpress_ha_cache": {"serverless": {"min_gb": 9, "max_gb": 5}}},
        ["wordpress_ha_cache.serverless.min_gb is 9", "the maximum is 5"],
    ),
    "existing Memcached": (
        {
            "wordpress_ha_cache": {
                "engine": "memcached",
                "existing": {
                    "host": "cache.example.org",
                    "secret_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:blog-1",
                },
            }
        },
        ["wordpress_ha_cache.existing is", "only a Valkey or Redis that exists"],
    ),
    "provisioned throughput of nothing": (
        {"wordpress_ha_files": {"throughput_mode": "provisioned"}},
        ["wordpress_ha_files.provisioned_mibps is not set", "Give MiB per second"],
    ),
    "archive before infrequent access": (
        {"wordpress_ha_files": {"lifecycle": {"ia_after_days": 90, "archive_after_days": 30}}},
        ["wordpress_ha_files.lifecycle.archive_after_days is 30", "after Infrequent Access", "more than 90"],
    ),
    "file system that is not there": (
        {"wordpress_ha_files": {"existing": {"file_system_id": "fs-0123456789abcdef0"}}},
        ["wordpress_ha_files.existing.file_system_id is 'fs-0123456789abcdef0'", "no such file system", "Give the ID"],
    ),
    "files copied to their own region": (
        {"wordpress_ha_files": {"replication_region": "us-east-1"}},
        ["wordpress_ha_files.replication_region is 'us-east-1'", "own region", "Use another region"],
    ),
    "media copied without versions": (
        {"wordpress_ha_media": {"replication_region": "eu-west-1", "versioning": False}},
        ["wordpress_ha_media.versioning is False", "only buckets with versions", "Use true"],
    ),
    "a region of the copy that is none": (
        {"wordpress_ha_media": {"replication_region": "eu-west-9"}},
        ["wordpress_ha_media.replication_region is 'eu-west-9'", "no such AWS region", "Did you mean"],
    ),
    "access logs to nowhere": (
        {"wordpress_ha_load_balancer": {"access_logs": {"enabled": True}}},
        ["wordpress_ha_load_balancer.access_logs.bucket is not set", "Name a bucket"],
    ),
    "slow start of ten seconds": (
        {"wordpress_ha_load_balancer": {"slow_start_seconds": 10}},
        ["wordpress_ha_load_balancer.slow_start_seconds is 10", "allowed: `0`, `30`"],
    ),
    "nodes that leave before their requests end": (
        {"wordpress_ha_load_balancer": {"deregistration_delay_seconds": 30}},
        ["wordpress_ha_load_balancer.deregistration_delay_seconds is 30", "cut off", "Use at least 60"],
    ),
    "a further site with the first one's name": (
        {"wordpress_ha_load_balancer": {"sites": [{"name": "shop", "hosts": ["blog.example.org"]}]}},
        ["wordpress_ha_load_balancer.sites[0].hosts[0] is 'blog.example.org'", "is the same", "Name each host once"],
    ),
    "a further site without a host": (
        {"wordpress_ha_load_balancer": {"sites": [{"name": "shop", "hosts": []}]}},
        ["wordpress_ha_load_balancer.sites[0].hosts is []", "smallest possible is 1", "one to five host names"],
    ),
    "spot without types": (
        {"wordpress_ha_web": {"spot": {"on_demand_percent": 50}}},
        ["wordpress_ha_web.instance_types is []", "Spot takes a single type back", "Give three or more"],
    ),
    "warm pool of a mixed group": (
        {"wordpress_ha_web": {"warm_pool": {"min": 1}, "instance_types": ["c5.large"]}},
        ["wordpress_ha_web.warm_pool is", "no warm pool for a mixed group", "Leave one of the two out"],
    ),
    "another processor among the types": (
        {"wordpress_ha_web": {"instance_types": ["c5.large", "c7g.large"]}},
        ["wordpress_ha_web.instance_types[1] is 'c7g.large'", "runs arm64", "wordpress_ha_web.architecture"],
    ),
    "base image of another processor": (
        {"wordpress_ha_web": {"base_image": {"name": "debian-13-arm64-*"}}},
        ["wordpress_ha_web.base_image.name is 'debian-13-arm64-*'", "is for arm64", "Use an image for x86_64"],
    ),
    "a schedule that is none": (
        {"wordpress_ha_web": {"schedules": [{"name": "morning", "recurrence": "at seven", "min": 4}]}},
        ["wordpress_ha_web.schedules[0].recurrence is 'at seven'", "right form", "`0 7 * * 1-5`"],
    ),
    "a schedule upside down": (
        {"wordpress_ha_web": {"schedules": [{"name": "a", "recurrence": "0 7 * * *", "min": 4, "max": 2}]}},
        ["wordpress_ha_web.schedules[0].min is 4", "more than its max, 2", "Raise the one or lower the other"],
    ),
    "bastion open to the world": (
        {"wordpress_ha_bastion": {"enabled": True, "ingress_cidrs": ["0.0.0.0/0"]}},
        ["wordpress_ha_bastion.ingress_cidrs[0] is '0.0.0.0/0'", "open to the world", "your offices or VPN"],
    ),
    "bastion that nobody reaches": (
        {"wordpress_ha_bastion": {"enabled": True}},
        ["wordpress_ha_bastion.ingress_cidrs is not set", "nobody reaches", "Session Manager"],
    ),
    "the documents' bastion without addresses": (
        {
            "wordpress_ha_profile": "whitepaper",
            "wordpress_ha_edge": {"behavior_set": "recommended"},
        },
        ["wordpress_ha_bastion.ingress_cidrs is not set", "R32", "wordpress_ha_bastion.enabled to false"],
    ),
    "backups lost before cold storage lets them go": (
        {"wordpress_ha_backups": {"plans": {"database": {"cold_after_days": 30, "retention_days": 60}}}},
        ["wordpress_ha_backups.plans.database.retention_days is 60", "90 days at least", "Use at least 120"],
    ),
    "backups copied to their own region": (
        {"wordpress_ha_backups": {"plans": {"files": {"copy_region": "us-east-1"}}}},
        ["wordpress_ha_backups.plans.files.copy_region is 'us-east-1'", "own region", "Use another region"],
    ),
    "a backup at no time": (
        {"wordpress_ha_backups": {"plans": {"media": {"schedule": "daily"}}}},
        ["wordpress_ha_backups.plans.media.schedule is 'daily'", "right form", "`cron(0 2 * * ? *)`"],
    ),
    "backups that the lock does not allow": (
        {
            "wordpress_ha_backups": {
                "vault_lock": {"min_retention_days": 60},
                "plans": {"database": {"enabled": False}, "media": {"enabled": False}},
            }
        },
        ["wordpress_ha_backups.plans.files.retention_days is 35", "vault_lock does not allow", "Use 60 to 36500"],
    ),
    "unknown component of the backups": (
        {"wordpress_ha_backups": {"plans": {"databse": {}}}},
        ["wordpress_ha_backups.plans.databse is {}", "Did you mean `wordpress_ha_backups.plans.database`?"],
    ),
    "unknown mode of the web ACL": (
        {"wordpress_ha_edge": {"waf": {"mode": "blok"}}},
        ["wordpress_ha_edge.waf.mode is 'blok'", "allowed: `count`, `block`", "Did you mean `block`?"],
    ),
    "a rate limit below AWS's least": (
        {"wordpress_ha_edge": {"waf": {"login_rate_limit": 5}}},
        ["wordpress_ha_edge.waf.login_rate_limit is 5", "smallest possible is 10"],
    ),
    "topic of another region": (
        {"wordpress_ha_monitoring": {"topic_arn": "arn:aws:sns:eu-west-1:123456789012:ours"}},
        ["wordpress_ha_monitoring.topic_arn is 'arn:aws:sns:eu-west-1", "only topics of that region", "Give a topic"],
    ),
    "an agent that nobody has checked": (
        {"wordpress_ha_monitoring": {"agent": True}},
        ["wordpress_ha_monitoring.agent_checksum is not set", "not trusted unseen", "sha256:"],
    ),
    "a mail address that is none": (
        {"wordpress_ha_monitoring": {"emails": ["admin"]}},
        ["wordpress_ha_monitoring.emails[0] is 'admin'", "no mail address", "each of which confirms once"],
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
    arguments = {"variables": stack, "other_variables": NODE_OPTIONS, **VARIABLES}
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


def existing(foreign: Foreign, **subnet_ids: list[str]) -> dict[str, Any]:
    """Return the settings that use the foreign VPC, some tiers with other subnets than its own."""
    tiers = {"public": foreign.public, "app": foreign.app, "data": foreign.data, **subnet_ids}
    return {"wordpress_ha_network": {"vpc_id": foreign.vpc_id, "subnet_ids": tiers}}


def in_one_zone(account: Account, foreign: Foreign) -> dict[str, Any]:
    ec2 = account.emulator.client("ec2")
    zone = ec2.describe_subnets(SubnetIds=foreign.data[:1])["Subnets"][0]["AvailabilityZone"]
    one = ec2.create_subnet(VpcId=foreign.vpc_id, CidrBlock="10.99.60.0/24", AvailabilityZone=zone)["Subnet"]
    return existing(foreign, app=[foreign.app[0], one["SubnetId"]])


def without_a_route(account: Account, foreign: Foreign) -> dict[str, Any]:
    return existing(foreign, public=foreign.data, data=foreign.public)


def elsewhere(account: Account, foreign: Foreign) -> dict[str, Any]:
    other = make_foreign(account.emulator, 98, zones=2)
    return existing(foreign, data=other.data)


def unknown_vpc(account: Account, foreign: Foreign) -> dict[str, Any]:
    return {"wordpress_ha_network": {"vpc_id": "vpc-0123456789abcdef0"}}


def unmarked_subnets(account: Account, foreign: Foreign) -> dict[str, Any]:
    return existing(foreign, app=[])


#: What is wrong with an existing VPC: how it is asked for, and what the message must contain.
VPC_MISTAKES: list[tuple[Callable[[Account, Foreign], dict[str, Any]], list[str]]] = [
    (in_one_zone, ["wordpress_ha_network.subnet_ids.app is", "zone"]),
    (without_a_route, ["wordpress_ha_network.subnet_ids.public", "route"]),
    (elsewhere, ["wordpress_ha_network.subnet_ids.data", "vpc-"]),
    (unknown_vpc, ["wordpress_ha_network.vpc_id is 'vpc-0123456789abcdef0'", "no such VPC"]),
    (unmarked_subnets, ["wordpress_ha_network.subnet_ids.app", "wordpress_ha:tier"]),
]


@pytest.fixture
def ask(account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Check variables in the account; the calls that are seen then are those of the check alone."""

    def run(variables: dict[str, Any]) -> Any:
        account.emulator.forget()
        return check(account, variables, monkeypatch, capsys)

    return run


@pytest.mark.parametrize(("mistaken", "expected"), VPC_MISTAKES, ids=[one.__name__ for one, _words in VPC_MISTAKES])
def test_each_mistake_about_an_existing_vpc_has_its_message(
    mistaken: Callable[[Account, Foreign], dict[str, Any]],
    expected: list[str],
    account: Account,
    foreign: Foreign,
    ask: Callable[..., Any],
) -> None:
    result = ask(mistaken(account, foreign))
    missing = [words for words in expected if words not in result.get("msg", "")]
    assert result.get("failed") and not missing, f"the message lacks {missing}:\n{result.get('msg')}"
    assert account.emulator.writes() == []


def test_an_existing_vpc_is_taken_as_it_is(account: Account, foreign: Foreign, ask: Callable[..., Any]) -> None:
    result = ask(existing(foreign))
    assert not result.get("failed"), result
    assert len(result["availability_zones"]) == 3 and account.emulator.writes() == []
    calls = [call["action"] for call in account.emulator.calls("ec2")]
    assert len(calls) <= 12, calls


def test_the_smallest_stack_is_right(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is refused that is right; the defaults of the schema pass their own checks."""
    result = check(account, {}, monkeypatch, capsys)
    assert not result.get("failed"), result
    assert result["stack"]["network"]["cidr"] == "10.40.0.0/16" and len(result["availability_zones"]) == 2
    assert result["subnets"]["app"] == ["10.40.64.0/20", "10.40.80.0/20"]


def test_what_is_set_wins_over_size_and_profile(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Explicit value, then size, then profile, then the schema's default."""
    web = {"instance_type": "t3.medium", "architecture": "amd64"}
    stack = {"wordpress_ha_size": "large", "wordpress_ha_web": web, "wordpress_ha_profile": "whitepaper"}
    stack |= {"wordpress_ha_bastion": {"enabled": False}, "wordpress_ha_edge": {"origin_domain": "o.example.org"}}
    result = check(account, stack, monkeypatch, capsys)
    assert not result.get("failed"), result
    normalised = result["stack"]
    assert normalised["web"]["instance_type"] == "t3.medium" and normalised["web"]["min"] == 3
    assert normalised["database"]["readers"] == 2 and len(result["availability_zones"]) == 3
    assert normalised["load_balancer"]["health_path"] == "/wp-login.php"
    assert normalised["edge"]["behavior_set"] == "whitepaper" and normalised["bastion"]["enabled"] is False
    assert normalised["web"]["cpu_target_percent"] == 50


@pytest.mark.parametrize("size", [None, *VARIABLES["sizes"]])
@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_each_size_passes_its_own_checks(
    size: str | None,
    architecture: str,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stack = {"wordpress_ha_size": size, "wordpress_ha_web": {"architecture": architecture}}
    result = check(account, stack, monkeypatch, capsys)
    assert not result.get("failed"), result
    assert result["base_image"]["architecture"] == {"amd64": "x86_64", "arm64": "arm64"}[architecture]


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
