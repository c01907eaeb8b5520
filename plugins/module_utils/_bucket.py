# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A private S3 bucket as data: its policy, lifecycle, CORS and replication, from options to S3's shapes and back. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ._plan import Refused, is_known

Statement = dict[str, Any]
Policy = dict[str, Any]
Rule = dict[str, Any]

VERSION = "2012-10-17"
NAME = re.compile(
    r"(?!xn--|sthree-|amzn-s3-demo-)[a-z0-9]([a-z0-9-]|\.(?=[a-z0-9])){1,61}[a-z0-9](?<!-s3alias)(?<!--ol-s3)"
)
DISTRIBUTION = re.compile(r"arn:aws[a-z-]*:cloudfront::\d{12}:distribution/[A-Z0-9]+")
ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)
KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)/[\w/-]+", re.ASCII)
ORIGIN = re.compile(r"\*|https?://[^/*\s]*\*?[^/*\s]*", re.ASCII)

#: All four together; anything less lets a bucket be opened (R62).
BLOCKED = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
#: No object has an ACL, and whoever writes it, the bucket's account owns it (R57).
OWNERSHIP = "BucketOwnerEnforced"

#: Statements of ours, by what each is for.
TLS_ONLY, READERS, WRITERS, LISTERS = "TlsOnly", "CloudFrontReaders", "RoleWriters", "RoleListers"
WRITING = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
LISTING = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]

#: Lifecycle rules of ours, by what each is for.
NONCURRENT, INCOMPLETE = "wordpress-ha-noncurrent", "wordpress-ha-incomplete-uploads"
LIFECYCLE_KEYS = {
    "Status",
    "Filter",
    "Expiration",
    "Transitions",
    "NoncurrentVersionExpiration",
    "NoncurrentVersionTransitions",
    "AbortIncompleteMultipartUpload",
}
REPLICATION = "wordpress-ha"


def partition(region: str) -> str:
    """Return the partition that the ARNs of a region begin with."""
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


def arn(name: str, region: str) -> str:
    """Return the ARN of a bucket."""
    return f"arn:{partition(region)}:s3:::{name}"


def domain(name: str, region: str) -> str:
    """Return the host name by which CloudFront asks a bucket."""
    return f"{name}.s3.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


# Policies


def parsed(text: str | None) -> Policy:
    """Return a bucket policy with its statements as a list; an empty one where there is none."""
    policy: Policy = {"Version": VERSION, **json.loads(text or "{}")}
    found = policy.get("Statement", [])
    policy["Statement"] = found if isinstance(found, list) else [found]
    return policy


def named(policy: Policy, sids: Iterable[str]) -> dict[str, Statement]:
    """Return those statements of a policy that have one of the Sids, by Sid and without it."""
    wanted = set(sids)
    found = {one["Sid"]: one for one in policy["Statement"] if one.get("Sid") in wanted}
    return {sid: {key: item for key, item in one.items() if key != "Sid"} for sid, one in found.items()}


def merged(policy: Policy, ours: Mapping[str, Mapping[str, Any]], sids: Iterable[str]) -> Policy:
    """Return a policy in which exactly ``ours`` stand under the Sids that are owned; all others stay in their places."""
    owned, statements = set(sids), []
    for one in policy["Statement"]:
        if one.get("Sid") not in owned:
            statements.append(one)
        elif one["Sid"] in ours:
            statements.append({"Sid": one["Sid"], **ours[one["Sid"]]})
    there = {one.get("Sid") for one in statements}
    new = [{"Sid": sid, **statement} for sid, statement in ours.items() if sid not in there]
    return {**policy, "Statement": [*statements, *new]}


def normal(value: Any) -> Any:
    """Return a part of a statement so that equal meanings are equal: single values are lists, lists are sorted."""
    if isinstance(value, Mapping):
        return {key: normal(item) for key, item in value.items()}
    values = value if isinstance(value, list) else [value]
    return sorted(str(item).lower() if isinstance(item, bool) else str(item) for item in values)


def kept(current: Statement | None, wanted: Statement) -> Statement:
    """Return the statement that is there where it means what is wanted, else the wanted one."""
    return current if current is not None and normal(current) == normal(wanted) else wanted


def place(bucket: str, policy: Policy, path: tuple[Any, ...]) -> str:
    """Say where in a bucket's policy a finding is: a statement's Sid says more than its number."""
    names = [str(part) for part in path]
    if len(path) > 1 and path[0] == "Statement" and isinstance(path[1], int):
        names[1] = str(policy["Statement"][path[1]].get("Sid") or path[1])
    return ".".join([f"policy of bucket {bucket}", *names])


def tls_only(bucket: str) -> Statement:
    """Return the statement that turns plain HTTP away; it denies, so no other statement can let it in again."""
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket, f"{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def readers(bucket: str, distributions: Sequence[str]) -> dict[str, Statement]:
    """Return what lets distributions read objects by origin access control, and nobody else's distributions (R62, R64)."""
    if not distributions:
        return {}
    return {
        READERS: {
            "Effect": "Allow",
            "Principal": {"Service": "cloudfront.amazonaws.com"},
            "Action": "s3:GetObject",
            "Resource": f"{bucket}/*",
            "Condition": {"StringEquals": {"AWS:SourceArn": sorted(set(distributions))}},
        }
    }


def writers(bucket: str, roles: Sequence[str]) -> dict[str, Statement]:
    """Return what lets roles keep objects, without a right on ACLs, versions or the bucket itself (R57, R63)."""
    if not roles:
        return {}
    principal = {"AWS": sorted(set(roles))}
    return {
        LISTERS: {"Effect": "Allow", "Principal": principal, "Action": LISTING, "Resource": bucket},
        WRITERS: {"Effect": "Allow", "Principal": principal, "Action": WRITING, "Resource": f"{bucket}/*"},
    }


def check_principals(option: str, given: Sequence[str], kind: re.Pattern[str], cure: str) -> None:
    """Refuse principals that are not of the given kind; a wildcard above all (R63).

    :raises Refused: names the option, the value and the cure.
    """
    for one in given:
        if is_known(one) and not kind.fullmatch(one):
            everybody = " would let everybody in (R63)" if "*" in one else ""
            raise Refused(f"{option} has {one!r}{',' if everybody else ''}{everybody}: {cure}")


# Lifecycle


def lifecycle_rules(
    noncurrent_days: int | None, incomplete_days: int | None, further: Mapping[str, Mapping[str, Any]] | None
) -> dict[str, Rule]:
    """Return the rules that the options ask for, by ID; of an option that is not set there is none."""
    rules: dict[str, Rule] = {}
    if noncurrent_days:
        # A delete marker under which no version is left would slow listings down for ever.
        rules[NONCURRENT] = {
            "NoncurrentVersionExpiration": {"NoncurrentDays": noncurrent_days},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
        }
    if incomplete_days:
        rules[INCOMPLETE] = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": incomplete_days}}
    for name, rule in (further or {}).items():
        if name in (NONCURRENT, INCOMPLETE):
            raise Refused(f"lifecycle_rules.{name} is a rule of this module: use noncurrent_days, or another name.")
        if not isinstance(rule, Mapping) or not set(rule) <= LIFECYCLE_KEYS or not set(rule) - {"Status", "Filter"}:
            raise Refused(
                f"lifecycle_rules.{name} is {rule!r}: give a dictionary with {', '.join(sorted(LIFECYCLE_KEYS))}, "
                "of which at least one says what happens."
            )
        rules[name] = dict(rule)
    return {name: normal_rule(rule) for name, rule in rules.items()}


def normal_rule(rule: Mapping[str, Any]) -> Rule:
    """Return a rule without its ID, in the one way of writing that comparisons take."""
    result = {key: value for key, value in rule.items() if key in LIFECYCLE_KEYS and value not in (None, [], {})}
    if "Prefix" in rule:
        result["Filter"] = {"Prefix": rule["Prefix"]}
    result.setdefault("Filter", {"Prefix": ""})
    result.setdefault("Status", "Enabled")
    return result


def lifecycle_of(answer: Sequence[Mapping[str, Any]]) -> dict[str, Rule]:
    """Return the rules of a bucket by ID."""
    return {rule.get("ID", ""): normal_rule(rule) for rule in answer}


def merged_rules(current: Mapping[str, Rule] | None, params: Mapping[str, Any]) -> dict[str, Rule] | None:
    """Return the rules a bucket should end with; None leaves them alone, rules of others stay unless lifecycle_rules is set."""
    noncurrent, incomplete = params["noncurrent_days"], params["incomplete_upload_days"]
    further = params["lifecycle_rules"]
    if noncurrent is None and incomplete is None and further is None:
        return None
    stay = dict(current or {})
    for name, option in ((NONCURRENT, noncurrent), (INCOMPLETE, incomplete)):
        if option is not None:
            stay.pop(name, None)
    if further is not None:
        stay = {name: rule for name, rule in stay.items() if name in (NONCURRENT, INCOMPLETE)}
    return {**stay, **lifecycle_rules(noncurrent, incomplete, further)}


# CORS


def check_origins(option: str, origins: Sequence[str]) -> None:
    """Refuse what no browser calls an origin."""
    for origin in origins:
        if not ORIGIN.fullmatch(origin):
            raise Refused(f"{option} has {origin!r}: give scheme and host without a path, as https://www.example.com.")


def cors_rules(origins: Sequence[str]) -> list[Rule]:
    """Return what lets scripts and fonts be used by pages of other origins: reading alone."""
    if not origins:
        return []
    return [
        {
            "AllowedHeaders": ["*"],
            "AllowedMethods": ["GET", "HEAD"],
            "AllowedOrigins": sorted(set(origins)),
            "ExposeHeaders": ["ETag"],
            "MaxAgeSeconds": 3600,
        }
    ]


def cors_of(answer: Sequence[Mapping[str, Any]]) -> list[Rule]:
    """Return the rules of a bucket without their names, lists sorted."""
    return [
        {key: sorted(value) if isinstance(value, list) else value for key, value in rule.items() if key != "ID"}
        for rule in answer
    ]


# Encryption


def encryption(kms_key_id: str) -> dict[str, Any]:
    """Return how objects are encrypted: with a KMS key and a bucket key, which saves calls of KMS, or with S3's own keys."""
    if kms_key_id:
        return {"algorithm": "aws:kms", "kms_key_id": kms_key_id, "bucket_key": True}
    return {"algorithm": "AES256", "kms_key_id": "", "bucket_key": False}


def encryption_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same of S3's answer."""
    rule = answer["ServerSideEncryptionConfiguration"]["Rules"][0]
    default = rule["ApplyServerSideEncryptionByDefault"]
    kms = default["SSEAlgorithm"] != "AES256"
    return {
        "algorithm": default["SSEAlgorithm"],
        "kms_key_id": default.get("KMSMasterKeyID", ""),
        "bucket_key": kms and bool(rule.get("BucketKeyEnabled")),
    }


def encryption_request(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return S3's configuration of an encryption."""
    key = {"KMSMasterKeyID": wanted["kms_key_id"]} if wanted["kms_key_id"] else {}
    default = {"SSEAlgorithm": wanted["algorithm"], **key}
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": wanted["bucket_key"]}]}


# Replication


def replication_request(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return S3's configuration of a replication of the whole bucket."""
    destination: dict[str, Any] = {"Bucket": wanted["bucket_arn"]}
    rule: dict[str, Any] = {
        "ID": REPLICATION,
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Enabled" if wanted["delete_markers"] else "Disabled"},
    }
    if wanted["storage_class"]:
        destination["StorageClass"] = wanted["storage_class"]
    if wanted["kms_key_id"]:
        destination["EncryptionConfiguration"] = {"ReplicaKmsKeyID": wanted["kms_key_id"]}
        rule["SourceSelectionCriteria"] = {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
    return {"Role": wanted["role_arn"], "Rules": [{**rule, "Destination": destination}]}


def replication_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a bucket's replication as the fields of one rule; further rules are told by their number."""
    rule = answer["Rules"][0]
    destination = rule["Destination"]
    markers = rule.get("DeleteMarkerReplication", {}).get("Status") == "Enabled"
    return {
        "bucket_arn": destination["Bucket"],
        "role_arn": answer["Role"],
        "delete_markers": markers,
        "storage_class": destination.get("StorageClass", ""),
        "kms_key_id": destination.get("EncryptionConfiguration", {}).get("ReplicaKmsKeyID", ""),
        "enabled": rule["Status"] == "Enabled",
        "rules": len(answer["Rules"]),
    }
