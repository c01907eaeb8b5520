# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The judge of recorded requests is strict, and the recorder misses nothing and keeps what it saw to itself."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wordpress_ha_rehearsal.emulator import testing

from . import recorded

TAGS = [{"Key": "wordpress_ha:stack", "Value": "trial"}]


@pytest.mark.parametrize(
    ("service", "operation", "params", "words"),
    [
        ("rds", "CreateDBCluster", {"DBClusterIdentifier": "a"}, ["Engine", "missing"]),
        ("rds", "CreateDBCluster", {"DBClusterIdentifier": 1, "Engine": "x"}, ["DBClusterIdentifier", "int", "not text"]),
        ("rds", "CreateDBCluster", {"DBClusterIdentifier": "a", "Engine": "x", "Port": "1"}, ["Port", "not a number"]),
        ("rds", "CreateDBCluster", {"DBClusterIdentifier": "a", "Engine": "x", "DeletionProtection": "yes"}, ["boolean"]),
        ("rds", "CreateDBCluster", {"DBClusterIdentifier": "a", "Engine": "x", "Colour": "red"}, ["Colour", "unknown"]),
        ("rds", "CreateDBCluster", {"DBClusterIdentifier": "a", "Engine": None}, ["Engine", "null"]),
        ("efs", "CreateFileSystem", {"CreationToken": "a", "ThroughputMode": "fast"}, ["'fast'", "bursting", "elastic"]),
        ("efs", "CreateFileSystem", {"CreationToken": "x" * 65}, ["65", "at most 64"]),
        ("efs", "CreateMountTarget", {"FileSystemId": "nonsense", "SubnetId": "subnet-01234567"}, ["FileSystemId", "match"]),
        ("efs", "CreateFileSystem", {"CreationToken": "a", "Tags": [{"Key": "a!", "Value": "b"}]}, ["Tags[0].Key", "match"]),
        ("efs", "CreateFileSystem", {"CreationToken": "a", "Tags": {"Key": "a"}}, ["Tags", "not a list"]),
        ("backup", "CreateBackupVault", {"BackupVaultName": "a"}, ["BackupVaultName", "match"]),
        ("iam", "CreateRole", {"RoleName": "a b", "AssumeRolePolicyDocument": "{}"}, ["RoleName", "'a b'", "match"]),
        ("logs", "PutRetentionPolicy", {"logGroupName": "/a", "retentionInDays": True}, ["retentionInDays", "not a number"]),
    ],
)  # fmt: skip
def test_what_aws_refuses_is_found(service: str, operation: str, params: dict[str, Any], words: list[str]) -> None:
    (problem,) = recorded.problems({"service": service, "operation": operation, "params": params})
    for word in [f"{service}:{operation}", *words]:
        assert word in problem, problem


def test_what_aws_takes_is_not() -> None:
    call = {"service": "efs", "operation": "CreateFileSystem", "params": {"CreationToken": "a", "Tags": TAGS}}
    assert recorded.problems(call) == []


def test_a_secret_is_named_and_not_shown() -> None:
    params = {"Name": "trial/salts", "SecretString": "x" * 70000}
    (problem,) = recorded.problems({"service": "secretsmanager", "operation": "CreateSecret", "params": params})
    assert "SecretString" in problem and "xxx" not in problem


def test_most_patterns_can_be_said_in_python() -> None:
    """Those that cannot are not checked: there are few of them."""
    said = {True: 0, False: 0}
    for service in (
        "acm",
        "backup",
        "cloudfront",
        "ec2",
        "efs",
        "iam",
        "logs",
        "rds",
        "secretsmanager",
        "ssm",
        "wafv2",
    ):
        model = recorded._session().get_service_model(service)
        for name in model.shape_names:
            pattern = model.shape_for(name).metadata.get("pattern")
            if pattern:
                said[recorded._compiled(pattern) is not None] += 1
    assert said[True] > 20 * said[False], said


def test_every_call_of_a_process_is_recorded(tmp_path: Path) -> None:
    """Also those of a paginator and of a second client, in a process that knows nothing of it."""
    program = """
import boto3
ssm = boto3.client("ssm")
for number in range(12):
    ssm.put_parameter(Name=f"/t/{number}", Value="canary", Type="String")
list(boto3.client("ssm").get_paginator("get_parameters_by_path").paginate(Path="/t"))
boto3.client("s3").create_bucket(Bucket="whole")
boto3.client("s3").put_object(Bucket="whole", Key="a", Body=b"bytes")
"""
    path = tmp_path / "requests.jsonl"
    with testing.running() as emulator:
        environment = {**os.environ, **emulator.environment, **recorded.environment(path)}
        subprocess.run([sys.executable, "-c", program], env=environment, check=True)
        logged = [f"{call['service']}:{call['action']}" for call in emulator.calls()]
    calls = recorded.read(path)
    assert [recorded.name(call) for call in calls] == logged and len(logged) == 16
    assert calls[0]["params"] == {"Name": "/t/0", "Value": "canary", "Type": "String"}
    assert calls[0]["region"] == "us-east-1" and set(calls[-1]["params"]["Body"]) == {"BytesIO"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert recorded.taken(path) == calls and not path.exists()


def test_a_call_that_the_policy_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORDPRESS_HA_LEARN", raising=False)
    call = {"service": "ec2", "operation": "CreateVpc", "region": "us-east-1", "params": {"CidrBlock": "10.0.0.0/16"}}
    with pytest.raises(AssertionError, match=r"ec2:CreateVpc .*docs/iam/preflight.json"):
        recorded.hold([recorded.Play("playbooks/preflight.yml", (), [call])])
    strange = {**call, "operation": "ModifyVpcTenancy", "params": {"VpcId": "vpc-1", "InstanceTenancy": "default"}}
    with pytest.raises(AssertionError, match=r"ec2:ModifyVpcTenancy: tools/iam_actions.yml"):
        recorded.hold([recorded.Play("tests/aws/playbooks/role.yml", (), [strange])])


def test_a_name_that_no_pattern_covers_is_told_unless_the_user_gave_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORDPRESS_HA_LEARN", raising=False)
    call = {"service": "s3", "operation": "GetBucketPolicy", "region": "us-east-1", "params": {"Bucket": "holidays"}}
    play = recorded.Play("playbooks/provision.yml", (), [call])
    with pytest.raises(AssertionError, match="s3:GetBucketPolicy: bucket 'holidays' is no 'trial-media-"):
        recorded.hold([play])
    with pytest.raises(AssertionError, match="bucket 'holidays' is no"):
        recorded.hold([play], {"day"})
    recorded.hold([play], {"holidays"})


def test_a_reviewers_run_has_a_policy_of_its_own() -> None:
    assert recorded.Play("site.yml", ("--check", "--diff"), []).policy == "site-check"
    assert recorded.Play("playbooks/destroy.yml", (), []).policy == "destroy"
    assert recorded.Play(str(Path(__file__).parent / "playbooks" / "role.yml"), (), []).policy is None
