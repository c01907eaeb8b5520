# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The other planes: names, database and cache settings, certificates, and the topology made of a desired state."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from wordpress_ha_rehearsal.reconciler import pki
from wordpress_ha_rehearsal.reconciler.config import Config
from wordpress_ha_rehearsal.reconciler.jobs import Jobs
from wordpress_ha_rehearsal.reconciler.planes import cloud, ec2, elasticache, elbv2, rds
from wordpress_ha_rehearsal.reconciler.planner import Observed
from wordpress_ha_rehearsal.reconciler.topology import describe

CONFIG = Config(Path("/state"), "abc", "http://127.0.0.1:1", "node:1", "services:1", ports={443: 8443, 80: 8080})
CLUSTER = {
    "id": "db",
    "vpc_id": "vpc-1",
    "endpoint": "db.cluster-x.us-east-1.rds.amazonaws.com",
    "reader_endpoint": "db.cluster-ro-x.us-east-1.rds.amazonaws.com",
    "port": 3306,
    "master_username": "admin",
    "master_password": "it's a \\canary",
    "database_name": "wordpress",
    "parameters": {
        "require_secure_transport": "ON",
        "innodb_buffer_pool_size": "{DBInstanceClassMemory*3/4}",
        "port": "1",
    },
    "instances": [{"id": "db-1", "endpoint": "db-1.x.us-east-1.rds.amazonaws.com"}],
}
CACHE = {
    "id": "cache",
    "vpc_id": "vpc-1",
    "primary_endpoint": "master.cache.x.use1.cache.amazonaws.com",
    "reader_endpoint": "replica.cache.x.use1.cache.amazonaws.com",
    "port": 6379,
    "auth_token": 'canary "token"',
    "transit_encryption": True,
    "parameters": {"maxmemory-policy": "allkeys-lru", "cluster-enabled": "no"},
}
INSTANCE = {
    "id": "i-1",
    "image_id": "ami-base",
    "private_ip": "10.40.16.4",
    "vpc_id": "vpc-1",
    "hostname": "ip-10-40-16-4.ec2.internal",
    "state": "running",
}
DESIRED = {
    "account": "123456789012",
    "vpcs": [{"id": "vpc-1", "cidr": "10.40.0.0/16"}, {"id": "vpc-empty", "cidr": "10.41.0.0/16"}],
    "instances": [INSTANCE],
    "images": [{"id": "ami-base", "state": "available", "source_instance_id": None}],
    "load_balancers": [
        {
            "name": "site",
            "dns_name": "Site-1.us-east-1.elb.amazonaws.com",
            "scheme": "internet-facing",
            "vpc_id": "vpc-1",
            "subnets": [{"cidr": "10.40.0.0/24"}],
            "listeners": [],
        }
    ],
    "target_groups": [],
    "db_clusters": [CLUSTER],
    "replication_groups": [CACHE],
    "file_systems": [
        {
            "id": "fs-1",
            "dns_name": "fs-1.efs.us-east-1.amazonaws.com",
            "mount_targets": [{"ip_address": "10.40.32.9", "az": "us-east-1a"}],
        }
    ],
}


def topology(observed=(), **changes):
    return describe(DESIRED | changes, CONFIG, observed, "salt")


def test_every_resource_has_its_container_and_only_inhabited_vpcs_a_network() -> None:
    found = topology()
    assert [(one.kind, one.address) for one in found.containers] == [
        ("cloud", "10.40.0.2"),
        ("ec2", "10.40.16.4"),
        ("elbv2", "10.40.0.254"),
        ("rds", "10.40.255.254"),
        ("elasticache", "10.40.255.253"),
    ]
    assert [network.name for network in found.networks] == ["wordpress-ha-abc-vpc-1"]


def test_what_runs_keeps_its_address() -> None:
    seen = Observed("x", "rds", "db", "", "10.40.255.9", True)
    assert topology([seen]).addresses["rds", "db"] == "10.40.255.9"


def test_names() -> None:
    names = topology().names
    assert names["fs-1.efs.us-east-1.amazonaws.com"] == ["10.40.32.9"]
    assert names["ip-10-40-16-4.ec2.internal"] == ["10.40.16.4"]
    for endpoint in (*rds.names(CLUSTER), "Site-1.us-east-1.elb.amazonaws.com", *elasticache.names(CACHE)):
        assert len(names[endpoint]) == 1
    assert "10.40.0.254 site-1.us-east-1.elb.amazonaws.com\n" in cloud.hosts(names)


def test_resolver_knows_aws_denies_unknown_resources_and_forwards_the_rest() -> None:
    lines = cloud.dnsmasq_configuration("10.40.0.2", "us-east-1", ["192.0.2.53"]).splitlines()
    assert {"address=/amazonaws.com/10.40.0.2", "address=/us-east-1.rds.amazonaws.com/", "server=192.0.2.53"} <= set(
        lines
    )


def test_only_one_balancer_is_published_and_only_on_loopback() -> None:
    internal = DESIRED["load_balancers"][0] | {"name": "a-internal", "scheme": "internal"}
    balancers = [internal, *DESIRED["load_balancers"]]
    found = {one.key: one for one in topology(load_balancers=balancers).containers if one.kind == elbv2.KIND}
    assert "--publish" not in found["a-internal"].flags
    assert [flag for flag in found["site"].flags if ":8" in flag] == ["127.0.0.1:8080:80", "127.0.0.1:8443:443"]


def test_a_baked_image_is_its_own_container_image() -> None:
    images = [{"id": "ami-base", "state": "available", "source_instance_id": "i-9"}]
    (one,) = ec2.containers(DESIRED | {"images": images}, CONFIG)
    assert one.image == "localhost/wordpress-ha-rehearsal/ami:ami-base"
    assert ec2.containers(DESIRED, CONFIG)[0].image == "node:1"


def test_what_is_being_built_yields_to_what_serves() -> None:
    images = [{"id": "ami-base", "state": "available", "source_instance_id": "i-9"}]
    (node,) = ec2.containers(DESIRED | {"images": images}, CONFIG)
    assert "--cpu-shares" not in node.flags
    (builder,) = ec2.containers(DESIRED, CONFIG)
    assert builder.flags[-2:] == ("--cpu-shares", ec2.BUILDER_SHARES)


@pytest.mark.parametrize(
    ("state", "running"), [("pending", True), ("running", True), ("stopping", False), ("stopped", False)]
)
def test_instance_states(state, running) -> None:
    (one,) = ec2.containers(DESIRED | {"instances": [INSTANCE | {"state": state}]}, CONFIG)
    assert one.running is running


def test_database_settings_leave_out_what_only_aurora_means() -> None:
    text = rds.server_configuration(CLUSTER)
    assert "loose_require_secure_transport=ON\n" in text
    assert "DBInstanceClassMemory" not in text
    assert "loose_port" not in text


def test_database_accounts_quote_whatever_the_password_holds() -> None:
    text = rds.account_statements(CLUSTER)
    assert "IDENTIFIED BY 'it''s a \\\\canary'" in text
    assert "CREATE DATABASE IF NOT EXISTS `wordpress`" in text


def test_cache_settings() -> None:
    text = elasticache.server_configuration(CACHE)
    assert "port 0\ntls-port 6379\n" in text
    assert 'requirepass "canary \\"token\\""' in text
    assert 'maxmemory-policy "allkeys-lru"' in text
    assert "cluster-enabled" not in text


def test_no_secret_reaches_the_engine() -> None:
    for one in topology().containers:
        assert "canary" not in repr(one)


def test_a_new_cache_password_means_a_new_container_a_new_master_password_does_not() -> None:
    before = {one.kind: one.fingerprint for one in topology().containers}
    changed = topology(
        replication_groups=[CACHE | {"auth_token": "x"}], db_clusters=[CLUSTER | {"master_password": "y"}]
    )
    after = {one.kind: one.fingerprint for one in changed.containers}
    assert {kind for kind in before if before[kind] != after[kind]} == {"elasticache"}


def test_certificates_are_made_once_verify_and_follow_their_names(tmp_path: Path) -> None:
    assert pki.authority(tmp_path)
    assert not pki.authority(tmp_path)
    names = ["db.cluster-x.us-east-1.rds.amazonaws.com", "*.example.org", "10.0.0.1"]
    assert pki.server(tmp_path, tmp_path / "tls", names)
    assert not pki.server(tmp_path, tmp_path / "tls", names)
    assert pki.server(tmp_path, tmp_path / "tls", names[:1])
    assert (tmp_path / "tls.key").stat().st_mode & 0o777 == 0o600
    verify = ["openssl", "verify", "-CAfile", tmp_path / "ca.pem", "-verify_hostname", names[0], tmp_path / "tls.crt"]
    subprocess.run(verify, check=True, capture_output=True)


def test_jobs_run_once_at_a_time_and_wait_after_a_failure() -> None:
    jobs, ran = Jobs(2, clock=lambda: 0.0), []

    def fails() -> None:
        ran.append(1)
        raise RuntimeError("no")

    assert jobs.submit("a", fails)
    jobs.close()
    assert jobs.busy("a")
    assert not jobs.submit("a", fails)
    assert ran == [1]
