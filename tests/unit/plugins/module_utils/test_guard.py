# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The security linter: each rule has requests that it refuses and a close neighbour that it lets pass."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _guard


def ingress(port: Any, cidr: str = "0.0.0.0/0", protocol: str = "tcp", to: Any = None) -> dict[str, Any]:
    ranges = {"Ipv6Ranges": [{"CidrIpv6": cidr}]} if ":" in cidr else {"IpRanges": [{"CidrIp": cidr}]}
    last = port if to is None else to
    return {"GroupId": "sg-1", "IpPermissions": [{"IpProtocol": protocol, "FromPort": port, "ToPort": last, **ranges}]}


def policy(principal: Any, effect: str = "Allow", action: str = "s3:GetObject", **condition: Any) -> str:
    statement = {"Sid": "One", "Effect": effect, "Principal": principal, "Action": action, "Resource": "*"}
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{**statement, **({"Condition": condition} if condition else {})}]}
    )


def template(**data: Any) -> dict[str, Any]:
    return {"LaunchTemplateName": "one", "LaunchTemplateData": {"MetadataOptions": {"HttpTokens": "required"}, **data}}


def text(data: str) -> str:
    return base64.b64encode(data.encode()).decode()


BLOCK = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
SERVICE = {"Service": "cloudfront.amazonaws.com"}
GRANT = {"Grantee": {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}, "Permission": "READ"}
#: The policy that the documents print (R63), with its bucket's name filled in.
DOCUMENTED = json.dumps(
    {
        "Version": "2008-10-17",
        "Statement": [
            {
                "Sid": "AllowPublicRead",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": ["s3:PutObject", "s3:PutObjectAcl", "s3:GetObject", "s3:DeleteObject"],
                "Resource": "arn:aws:s3:::media/*",
            }
        ],
    }
)


HARMFUL: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "SSH from everywhere": ("ec2", "AuthorizeSecurityGroupIngress", ingress(22), "open-ingress"),
    "SSH from everywhere, IPv6": ("ec2", "AuthorizeSecurityGroupIngress", ingress(22, "::/0"), "open-ingress"),
    "every port": ("ec2", "AuthorizeSecurityGroupIngress", ingress(None, protocol="-1"), "open-ingress"),
    "a range of ports": ("ec2", "AuthorizeSecurityGroupIngress", ingress(80, to=443), "open-ingress"),
    "UDP on a balancer's port": ("ec2", "AuthorizeSecurityGroupIngress", ingress(443, protocol="udp"), "open-ingress"),
    "the old form of the call": (
        "ec2",
        "AuthorizeSecurityGroupIngress",
        {"GroupId": "sg-1", "IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306, "CidrIp": "0.0.0.0/0"},
        "open-ingress",
    ),
    "a rule that is changed": (
        "ec2",
        "ModifySecurityGroupRules",
        {
            "SecurityGroupRules": [
                {"SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "0.0.0.0/0"}}
            ]
        },
        "open-ingress",
    ),
    "a public bucket policy": ("s3", "PutBucketPolicy", {"Bucket": "b", "Policy": policy("*")}, "wildcard-principal"),
    "the documents' bucket policy (R63)": (
        "s3",
        "PutBucketPolicy",
        {"Bucket": "b", "Policy": DOCUMENTED},
        "wildcard-principal",
    ),
    "a bucket policy that a condition narrows": (
        "s3",
        "PutBucketPolicy",
        {"Bucket": "b", "Policy": policy({"AWS": ["*"]}, StringEquals={"aws:SourceVpc": "vpc-1"})},
        "wildcard-principal",
    ),
    "files for every client": ("efs", "PutFileSystemPolicy", {"Policy": policy({"AWS": "*"})}, "wildcard-principal"),
    "a topic for everybody": (
        "sns",
        "SetTopicAttributes",
        {"AttributeName": "Policy", "AttributeValue": policy({"AWS": "*"})},
        "wildcard-principal",
    ),
    "a role for everybody": (
        "iam",
        "CreateRole",
        {"AssumeRolePolicyDocument": policy({"AWS": "*"})},
        "wildcard-principal",
    ),
    "every action": ("iam", "PutRolePolicy", {"PolicyDocument": policy(None, action="*")}, "wildcard-action"),
    "every action of a service": (
        "iam",
        "PutRolePolicy",
        {"PolicyDocument": policy(None, action="s3:*")},
        "wildcard-action",
    ),
    "a public ACL": ("s3", "CreateBucket", {"Bucket": "b", "ACL": "public-read"}, "public-bucket"),
    "a public grant": (
        "s3",
        "PutBucketAcl",
        {"Bucket": "b", "AccessControlPolicy": {"Grants": [GRANT]}},
        "public-bucket",
    ),
    "a block with a hole": (
        "s3",
        "PutPublicAccessBlock",
        {"Bucket": "b", "PublicAccessBlockConfiguration": dict.fromkeys(BLOCK[:3], True)},
        "public-bucket",
    ),
    "no block": ("s3", "DeletePublicAccessBlock", {"Bucket": "b"}, "public-bucket"),
    "a website (R62)": ("s3", "PutBucketWebsite", {"Bucket": "b"}, "public-bucket"),
    "metadata version 1": (
        "ec2",
        "CreateLaunchTemplate",
        template(MetadataOptions={"HttpTokens": "optional"}),
        "imdsv1",
    ),
    "metadata by default": ("ec2", "RunInstances", {"ImageId": "ami-1"}, "imdsv1"),
    "metadata switched back": (
        "ec2",
        "ModifyInstanceMetadataOptions",
        {"InstanceId": "i-1", "HttpTokens": "optional"},
        "imdsv1",
    ),
    "a disk in the clear": (
        "ec2",
        "CreateLaunchTemplateVersion",
        template(BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 10}}]),
        "unencrypted",
    ),
    "an access key in user data": (
        "ec2",
        "CreateLaunchTemplate",
        template(UserData=text("export AWS_ACCESS_KEY_ID=AKIAABCDEFGHIJKLMNOP")),
        "secret-in-user-data",
    ),
    "a private key in user data": (
        "ec2",
        "RunInstances",
        {"MetadataOptions": {"HttpTokens": "required"}, "UserData": "-----BEGIN RSA PRIVATE KEY-----"},
        "secret-in-user-data",
    ),
    "wp-config in user data": (
        "ec2",
        "CreateLaunchTemplate",
        template(UserData=text("define('DB_PASSWORD', 'correct-horse');")),
        "secret-in-user-data",
    ),
    "a password in a shell script": (
        "ec2",
        "CreateLaunchTemplate",
        template(UserData=text("#!/bin/sh\nMYSQL_PASSWORD=correcthorse mysql")),
        "secret-in-user-data",
    ),
    "a database in the clear": ("rds", "CreateDBCluster", {"DBClusterIdentifier": "d"}, "unencrypted"),
    "files in the clear": ("efs", "CreateFileSystem", {"Encrypted": False}, "unencrypted"),
    "a cache in the clear": ("elasticache", "CreateReplicationGroup", {"AtRestEncryptionEnabled": True}, "unencrypted"),
    "a proxy without TLS": ("rds", "CreateDBProxy", {"RequireTLS": False}, "unencrypted"),
    "a database that takes plain connections": (
        "rds",
        "ModifyDBClusterParameterGroup",
        {"Parameters": [{"ParameterName": "require_secure_transport", "ParameterValue": "OFF"}]},
        "unencrypted",
    ),
    "a listener of 2016": ("elbv2", "CreateListener", {"Protocol": "HTTPS"}, "weak-tls"),
    "TLS 1.0": (
        "elbv2",
        "ModifyListener",
        {"ListenerArn": "l", "SslPolicy": "ELBSecurityPolicy-TLS13-1-0-2021-06"},
        "weak-tls",
    ),
}

HARMLESS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a balancer's port": ("ec2", "AuthorizeSecurityGroupIngress", ingress(443)),
    "SSH from an office": ("ec2", "AuthorizeSecurityGroupIngress", ingress(22, "192.0.2.0/24")),
    "CloudFront's own principal": ("s3", "PutBucketPolicy", {"Bucket": "b", "Policy": policy(SERVICE)}),
    "a refusal for everybody": ("s3", "PutBucketPolicy", {"Bucket": "b", "Policy": policy("*", effect="Deny")}),
    "files by mount target": (
        "efs",
        "PutFileSystemPolicy",
        {"Policy": policy({"AWS": "*"}, Bool={"elasticfilesystem:AccessedViaMountTarget": "true"})},
    ),
    "named actions": ("iam", "PutRolePolicy", {"PolicyDocument": policy(None, action="s3:GetObject")}),
    "a private bucket": ("s3", "CreateBucket", {"Bucket": "b"}),
    "a whole block": ("s3", "PutPublicAccessBlock", {"PublicAccessBlockConfiguration": dict.fromkeys(BLOCK, True)}),
    "metadata version 2": ("ec2", "CreateLaunchTemplate", template()),
    "metadata as the template says": ("ec2", "RunInstances", {"LaunchTemplate": {"LaunchTemplateId": "lt-1"}}),
    "an encrypted disk": ("ec2", "CreateLaunchTemplate", template(BlockDeviceMappings=[{"Ebs": {"Encrypted": True}}])),
    "user data that asks for its secret": (
        "ec2",
        "CreateLaunchTemplate",
        template(
            UserData=text(
                "PASSWORD=$(aws secretsmanager get-secret-value --secret-id blog/db)\nexport DB_PASSWORD=$PASSWORD"
            )
        ),
    ),
    "an encrypted database": ("rds", "CreateDBCluster", {"StorageEncrypted": True}),
    "a cache with TLS": (
        "elasticache",
        "CreateReplicationGroup",
        {"AtRestEncryptionEnabled": True, "TransitEncryptionEnabled": True},
    ),
    "a listener of today": (
        "elbv2",
        "CreateListener",
        {"Protocol": "HTTPS", "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06"},
    ),
    "plain HTTP, which redirects": ("elbv2", "CreateListener", {"Protocol": "HTTP"}),
    "a listener that keeps its policy": ("elbv2", "ModifyListener", {"ListenerArn": "l", "Protocol": "HTTPS"}),
}


@pytest.mark.parametrize("case", HARMFUL)
def test_a_harmful_request_is_found(case: str) -> None:
    service, operation, params, rule = HARMFUL[case]
    found = _guard.findings(service, operation, params)
    assert [finding.rule for finding in found] == [rule]
    assert found[0].path in str(found[0]) and found[0].cure in str(found[0]) and f"(rule {rule})" in str(found[0])


@pytest.mark.parametrize("case", HARMLESS)
def test_a_harmless_request_passes(case: str) -> None:
    assert _guard.findings(*HARMLESS[case]) == []


def test_every_judged_request_is_one_of_the_api_and_has_a_harmful_case() -> None:
    session = boto3.Session(region_name="us-east-1")
    for name in _guard.operations():
        service, operation = name.split(".")
        assert operation in session.client(service).meta.service_model.operation_names, name
    rules = {rule for _service, _operation, _params, rule in HARMFUL.values()}
    assert rules == {
        "open-ingress",
        "wildcard-principal",
        "wildcard-action",
        "public-bucket",
        "imdsv1",
        "unencrypted",
        "secret-in-user-data",
        "weak-tls",
    }


def test_a_secret_is_never_shown() -> None:
    found = _guard.findings("ec2", "CreateLaunchTemplate", template(UserData=text("DB_PASSWORD='correct-horse'")))
    assert found and "correct-horse" not in str(found[0])


def test_the_documentation_lists_each_rule() -> None:
    page = (Path(__file__).resolve().parents[4] / "docs" / "security.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([a-z0-9-]+)` \|", page.split("## What is refused")[1].split("\n## ")[0], re.MULTILINE)
    assert sorted(listed) == sorted({rule for _service, _operation, _params, rule in HARMFUL.values()})


def test_the_documentation_justifies_what_the_scanner_finds() -> None:
    root = Path(__file__).resolve().parents[4]
    justified = yaml.safe_load((root / "tests" / "audit" / "justified.yml").read_text(encoding="utf-8"))
    page = (root / "docs" / "security.md").read_text(encoding="utf-8").split("## What a scanner says")[1]
    assert dict(re.findall(r"^\| `([a-z0-9_]+)` \| (.+) \|$", page, re.MULTILINE)) == justified
