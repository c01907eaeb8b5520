# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this collection never asks of AWS: a security linter over API requests. Pure.

A rule looks at one request in the shape in which botocore takes it. The same rules stand in every module's way (a request that
breaks one is not sent), and judge the recorded requests of whole runs in the tests, those of upstream modules included.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: The ports that the whole world may reach: those of a load balancer or of an edge.
PUBLIC_PORTS = (80, 443)
WORLD = ("0.0.0.0/0", "::/0")
PUBLIC_ACLS = ("public-read", "public-read-write", "authenticated-read")
PUBLIC_GRANTEES = (
    "http://acs.amazonaws.com/groups/global/AllUsers",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
)
#: A wildcard principal is narrowed by a condition on one of these; on a bucket it is refused all the same (R63).
NARROWING = (
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "elasticfilesystem:accessedviamounttarget",
    "kms:calleraccount",
)
#: Text that gives a secret away: keys of AWS, private keys, and what looks like a password being set to a literal.
SECRETS = (
    re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    re.compile(r"aws_secret_access_key\s*[=:]\s*[\"']?[A-Za-z0-9/+]{30,}", re.IGNORECASE),
    re.compile(
        r"\b[a-z0-9_]*(password|passwd|secret|auth_token|auth_key)[\"']?\s*[=:,]\s*[\"'][^\"'$\s{}]{6,}[\"']",
        re.IGNORECASE,
    ),
    re.compile(r"\b[a-z0-9_]*(password|passwd|auth_token)\s*=\s*[^\"'$\s{}(][^\s]{5,}", re.IGNORECASE),
)
#: Policies of ELB that speak TLS 1.2 or newer alone.
MODERN_TLS = re.compile(r"^ELBSecurityPolicy-(TLS13-1-[23]|TLS-1-2|FS-1-2)")

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """A request that breaks a rule: the rule, where in the request, the value there, what is wrong and what to do."""

    rule: str
    path: str
    value: Any
    problem: str
    cure: str

    def __str__(self) -> str:
        return f"{self.path} is {self.value!r}: {self.problem}. {self.cure} (rule {self.rule})"


Rule = Callable[[Params], Iterator[Finding]]
_RULES: dict[str, list[Rule]] = {}


def _rule(*operations: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        for operation in operations:
            _RULES.setdefault(operation, []).append(rule)
        return rule

    return register


def findings(service: str, operation: str, params: Params) -> list[Finding]:
    """Return what is wrong with a request; ``service`` is botocore's name of it (``ec2``), ``operation`` the API's (``RunInstances``)."""
    return [finding for rule in _RULES.get(f"{service}.{operation}", ()) for finding in rule(params)]


def operations() -> list[str]:
    """Return the requests that some rule judges, as ``service.Operation``."""
    return sorted(_RULES)


# -- networks --------------------------------------------------------------------------------------------------------------


@_rule("ec2.AuthorizeSecurityGroupIngress", "ec2.ModifySecurityGroupRules")
def _open_to_the_world(params: Params) -> Iterator[Finding]:
    permissions = [dict(one) for one in params.get("IpPermissions") or []]
    if params.get("CidrIp"):
        permissions.append({**params, "IpRanges": [{"CidrIp": params["CidrIp"]}]})
    for changed in params.get("SecurityGroupRules") or []:
        rule = changed.get("SecurityGroupRule", {})
        permissions.append(
            {
                **rule,
                "IpRanges": [{"CidrIp": rule.get("CidrIpv4")}],
                "Ipv6Ranges": [{"CidrIpv6": rule.get("CidrIpv6")}],
            }
        )
    for one in permissions:
        ranges = [item.get("CidrIp") for item in one.get("IpRanges") or []]
        ranges += [item.get("CidrIpv6") for item in one.get("Ipv6Ranges") or []]
        world = [item for item in ranges if item in WORLD]
        first, last = one.get("FromPort"), one.get("ToPort")
        public = one.get("IpProtocol") == "tcp" and first == last and first in PUBLIC_PORTS
        if world and not public:
            ports = (
                "all ports" if first in (None, -1) else f"port {first}" if first == last else f"ports {first} to {last}"
            )
            yield Finding(
                "open-ingress",
                f"ingress of {ports}",
                ", ".join(world),
                "the whole world may reach it, and only a load balancer's ports 80 and 443 are for that",
                "Name the address ranges that need it, a security group or a prefix list.",
            )


# -- policies --------------------------------------------------------------------------------------------------------------


def _statements(document: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """Return a policy's statements, each with the words that name it in a message."""
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            return []
    if not isinstance(document, Mapping):
        return []
    found = document.get("Statement", [])
    every = found if isinstance(found, list) else [found]
    return [
        (f"Statement {one.get('Sid') or number}", one) for number, one in enumerate(every) if isinstance(one, Mapping)
    ]


def _anyone(principal: Any) -> bool:
    values = principal.values() if isinstance(principal, Mapping) else [principal]
    return any("*" in (value if isinstance(value, list) else [value]) for value in values)


def _narrowed(statement: Mapping[str, Any]) -> bool:
    conditions = statement.get("Condition") or {}
    keys = {key.lower() for test in conditions.values() for key in test}
    return any(key in NARROWING for key in keys)


def _wildcard_principals(document: Any, where: str, narrowable: bool) -> Iterator[Finding]:
    for name, statement in _statements(document):
        if statement.get("Effect") != "Allow" or not _anyone(statement.get("Principal")):
            continue
        if narrowable and _narrowed(statement):
            continue
        yield Finding(
            "wildcard-principal",
            f"{where}, {name}, Principal",
            statement.get("Principal"),
            "anybody on earth is granted this",
            "Name the role, service or distribution that needs it.",
        )


@_rule("s3.PutBucketPolicy")
def _bucket_policy(params: Params) -> Iterator[Finding]:
    yield from _wildcard_principals(params.get("Policy"), f"policy of bucket {params.get('Bucket')}", narrowable=False)


@_rule(
    "efs.PutFileSystemPolicy",
    "secretsmanager.PutResourcePolicy",
    "kms.PutKeyPolicy",
    "kms.CreateKey",
    "backup.PutBackupVaultAccessPolicy",
    "iam.CreateRole",
    "iam.UpdateAssumeRolePolicy",
)
def _resource_policy(params: Params) -> Iterator[Finding]:
    for name in ("Policy", "ResourcePolicy", "AssumeRolePolicyDocument", "PolicyDocument"):
        if params.get(name):
            yield from _wildcard_principals(params[name], name, narrowable=True)


@_rule("sns.CreateTopic", "sns.SetTopicAttributes")
def _topic_policy(params: Params) -> Iterator[Finding]:
    attributes = dict(params.get("Attributes") or {})
    if params.get("AttributeName"):
        attributes[params["AttributeName"]] = params.get("AttributeValue")
    yield from _wildcard_principals(attributes.get("Policy"), "policy of the topic", narrowable=True)


@_rule("iam.PutRolePolicy", "iam.CreatePolicy", "iam.CreatePolicyVersion")
def _wildcard_actions(params: Params) -> Iterator[Finding]:
    for name, statement in _statements(params.get("PolicyDocument")):
        if statement.get("Effect") != "Allow":
            continue
        actions = statement.get("Action", [])
        for action in actions if isinstance(actions, list) else [actions]:
            if action == "*" or str(action).endswith(":*"):
                yield Finding(
                    "wildcard-action",
                    f"policy {params.get('PolicyName')}, {name}, Action",
                    action,
                    "every action of a service is granted",
                    "Name the actions that are needed.",
                )


# -- buckets ---------------------------------------------------------------------------------------------------------------


@_rule("s3.CreateBucket", "s3.PutBucketAcl", "s3.PutObjectAcl", "s3.PutObject")
def _public_acl(params: Params) -> Iterator[Finding]:
    where = f"ACL of bucket {params.get('Bucket')}"
    if params.get("ACL") in PUBLIC_ACLS:
        yield Finding(
            "public-bucket",
            where,
            params["ACL"],
            "anybody may read it",
            "Leave it private; CloudFront reads it by OAC.",
        )
    for grant in (params.get("AccessControlPolicy") or {}).get("Grants") or []:
        uri = grant.get("Grantee", {}).get("URI")
        if uri in PUBLIC_GRANTEES:
            yield Finding("public-bucket", where, uri, "anybody is granted access", "Remove the grant.")


@_rule("s3.PutPublicAccessBlock")
def _public_access(params: Params) -> Iterator[Finding]:
    given = params.get("PublicAccessBlockConfiguration") or {}
    for name in ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"):
        if given.get(name) is not True:
            yield Finding(
                "public-bucket",
                f"public access block of bucket {params.get('Bucket')}, {name}",
                given.get(name, False),
                "the bucket can be opened to everybody",
                "Set all four to true.",
            )


@_rule("s3.DeletePublicAccessBlock", "s3.PutBucketWebsite")
def _public_hosting(params: Params) -> Iterator[Finding]:
    yield Finding(
        "public-bucket",
        f"bucket {params.get('Bucket')}",
        "without its public access block, or a website",
        "both need a bucket that everybody reads (R62)",
        "Keep it private behind CloudFront.",
    )


# -- instances -------------------------------------------------------------------------------------------------------------


def _launch_data(params: Params) -> Params:
    data = params.get("LaunchTemplateData")
    return data if isinstance(data, Mapping) else params


@_rule(
    "ec2.CreateLaunchTemplate",
    "ec2.CreateLaunchTemplateVersion",
    "ec2.RunInstances",
    "ec2.ModifyInstanceMetadataOptions",
)
def _metadata(params: Params) -> Iterator[Finding]:
    data = _launch_data(params)
    if params.get("LaunchTemplate") and "MetadataOptions" not in data:
        return  # the template says it
    options = data.get("MetadataOptions") if "InstanceId" not in params else params
    if (options or {}).get("HttpEndpoint") == "disabled":
        return
    if (options or {}).get("HttpTokens") != "required":
        yield Finding(
            "imdsv1",
            "MetadataOptions.HttpTokens",
            (options or {}).get("HttpTokens", "optional"),
            "a request forged through the web server could read the instance's credentials (P32)",
            "Require version 2 of the metadata service.",
        )


@_rule("ec2.CreateLaunchTemplate", "ec2.CreateLaunchTemplateVersion", "ec2.RunInstances")
def _volumes(params: Params) -> Iterator[Finding]:
    for mapping in _launch_data(params).get("BlockDeviceMappings") or []:
        ebs = mapping.get("Ebs")
        if ebs is not None and ebs.get("Encrypted") is not True:
            where = f"volume {mapping.get('DeviceName')}, Encrypted"
            yield Finding(
                "unencrypted", where, ebs.get("Encrypted", False), "the disk is kept in the clear", "Encrypt it."
            )


@_rule("ec2.CreateLaunchTemplate", "ec2.CreateLaunchTemplateVersion", "ec2.RunInstances", "ec2.ModifyInstanceAttribute")
def _user_data(params: Params) -> Iterator[Finding]:
    data = _launch_data(params).get("UserData")
    text = data.get("Value", b"") if isinstance(data, Mapping) else data
    for pattern in SECRETS:
        if pattern.search(_readable(text)):
            yield Finding(
                "secret-in-user-data",
                "UserData",
                "(not shown)",
                "it seems to hold a secret, and every process of the instance can read it (P45)",
                "Keep the secret in Secrets Manager and let the instance read it by its role.",
            )
            return


def _readable(text: Any) -> str:
    """Return user data as text, whether it came plain or as base64; nothing for binary data."""
    raw = text.encode() if isinstance(text, str) else bytes(text or b"")
    try:
        raw = base64.b64decode(raw, validate=True)
    except (binascii.Error, ValueError):
        pass
    return raw.decode("utf-8", "replace")


# -- storage and transport -------------------------------------------------------------------------------------------------

#: Requests that make a store, and the switches that encrypt it.
_ENCRYPTED = {
    "rds.CreateDBCluster": ("StorageEncrypted",),
    "efs.CreateFileSystem": ("Encrypted",),
    "elasticache.CreateReplicationGroup": ("AtRestEncryptionEnabled", "TransitEncryptionEnabled"),
    "elasticache.CreateCacheCluster": ("TransitEncryptionEnabled",),
    "ec2.CreateVolume": ("Encrypted",),
    "rds.CreateDBProxy": ("RequireTLS",),
}


def _switched_on(operation: str, names: tuple[str, ...]) -> Rule:
    def rule(params: Params) -> Iterator[Finding]:
        for name in names:
            if params.get(name) is not True:
                yield Finding(
                    "unencrypted",
                    f"{operation}, {name}",
                    params.get(name, False),
                    "data would be stored or sent in the clear",
                    "Set it to true.",
                )

    return rule


for _operation, _names in _ENCRYPTED.items():
    _rule(_operation)(_switched_on(_operation, _names))


@_rule("elbv2.CreateListener", "elbv2.ModifyListener")
def _listener(params: Params) -> Iterator[Finding]:
    secure = params.get("Protocol") in ("HTTPS", "TLS")
    policy = params.get("SslPolicy")
    if (secure or policy) and not MODERN_TLS.match(policy or ""):
        if policy is None and params.get("ListenerArn"):
            return  # it keeps the policy that it has
        yield Finding(
            "weak-tls",
            "SslPolicy",
            policy or "AWS's default of 2016",
            "it speaks TLS older than 1.2",
            "Use `ELBSecurityPolicy-TLS13-1-2-2021-06` or another policy of TLS 1.2 and newer.",
        )


@_rule("rds.ModifyDBClusterParameterGroup")
def _plain_database(params: Params) -> Iterator[Finding]:
    for one in params.get("Parameters") or []:
        if one.get("ParameterName") == "require_secure_transport" and str(one.get("ParameterValue")).upper() in (
            "OFF",
            "0",
        ):
            yield Finding(
                "unencrypted",
                "parameter require_secure_transport",
                one.get("ParameterValue"),
                "passwords and data could cross the network in the clear",
                "Keep it ON.",
            )
