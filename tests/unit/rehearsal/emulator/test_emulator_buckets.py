# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private buckets as S3 keeps them: who is denied, what ACLs may say, what is copied to another bucket."""

from __future__ import annotations

import itertools
import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _bucket
from wordpress_ha_rehearsal.emulator.access import ALLOW, DENY, Caller, decide

_numbers = itertools.count(1)
MEDIA = "arn:aws:s3:::media"
WRITER = "arn:aws:iam::123456789012:role/blog-web"
EDGE = "arn:aws:cloudfront::123456789012:distribution/E1"


def policy() -> dict[str, Any]:
    """Return the policy that the module s3_private_bucket writes."""
    ours = {"TlsOnly": _bucket.tls_only(MEDIA), **_bucket.readers(MEDIA, [EDGE]), **_bucket.writers(MEDIA, [WRITER])}
    return _bucket.merged(_bucket.parsed(None), ours, ours)


def caller(kind: str, name: str, tls: bool = True, **context: str) -> Caller:
    return Caller(kind, name, {"aws:securetransport": str(tls).lower(), **context})


@pytest.mark.parametrize(
    ("who", "action", "resource", "verdict"),
    [
        (caller("AWS", WRITER), "s3:PutObject", f"{MEDIA}/a.jpg", ALLOW),
        (caller("AWS", WRITER), "s3:ListBucket", MEDIA, ALLOW),
        (caller("AWS", WRITER), "s3:PutObjectAcl", f"{MEDIA}/a.jpg", None),
        (caller("AWS", WRITER), "s3:DeleteObjectVersion", f"{MEDIA}/a.jpg", None),
        (caller("AWS", WRITER), "s3:PutBucketPolicy", MEDIA, None),
        (caller("AWS", WRITER, tls=False), "s3:PutObject", f"{MEDIA}/a.jpg", DENY),
        (caller("AWS", f"{WRITER}-2"), "s3:PutObject", f"{MEDIA}/a.jpg", None),
        (caller("Service", "cloudfront.amazonaws.com", **{"aws:sourcearn": EDGE}), "s3:GetObject", f"{MEDIA}/a", ALLOW),
        (caller("Service", "cloudfront.amazonaws.com", **{"aws:sourcearn": EDGE}), "s3:PutObject", f"{MEDIA}/a", None),
        (
            caller("Service", "cloudfront.amazonaws.com", **{"aws:sourcearn": f"{EDGE}2"}),
            "s3:GetObject",
            f"{MEDIA}/a",
            None,
        ),
        (caller("Service", "cloudfront.amazonaws.com"), "s3:GetObject", f"{MEDIA}/a", None),
        (
            caller("Service", "cloudfront.amazonaws.com", False, **{"aws:sourcearn": EDGE}),
            "s3:GetObject",
            f"{MEDIA}/a",
            DENY,
        ),
        (caller("Anonymous", "*"), "s3:GetObject", f"{MEDIA}/a.jpg", None),
    ],
)
def test_the_policy_of_a_private_bucket_means_what_it_says(
    who: Caller, action: str, resource: str, verdict: Any
) -> None:
    """R57, R63, R64: roles write, one distribution reads, and nobody does anything by plain HTTP."""
    assert decide(policy(), who, action, resource) == verdict


@pytest.fixture
def bucket(instant: Any) -> str:
    name = f"private-{next(_numbers)}"
    instant.client("s3").create_bucket(Bucket=name, ObjectOwnership="BucketOwnerEnforced")
    return name


def test_plain_http_is_denied_to_the_owner_too(instant: Any, bucket: str) -> None:
    """moto takes the denial for one of everything."""
    s3 = instant.client("s3")
    text = json.dumps({"Statement": [_bucket.tls_only(f"arn:aws:s3:::{bucket}")]})
    s3.put_bucket_policy(Bucket=bucket, Policy=text)
    s3.put_object(Bucket=bucket, Key="a.jpg", Body=b"picture")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a.jpg"})
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.read() == b"picture"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(urllib.request.Request(url, headers={"X-Forwarded-Proto": "http"}), timeout=10)


def test_acls_are_refused_where_the_owner_owns_everything(instant: Any, bucket: str) -> None:
    s3 = instant.client("s3")
    with pytest.raises(ClientError, match="AccessControlListNotSupported"):
        s3.put_object(Bucket=bucket, Key="a.jpg", Body=b"x", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="a.jpg", Body=b"x", ACL="bucket-owner-full-control")
    with pytest.raises(ClientError, match="AccessControlListNotSupported"):
        s3.put_object_acl(Bucket=bucket, Key="a.jpg", ACL="public-read")


def test_writes_and_deletions_are_copied(instant: Any, bucket: str) -> None:
    s3, copy = instant.client("s3"), f"{bucket}-copy"
    s3.create_bucket(Bucket=copy)
    wanted = {
        "bucket_arn": f"arn:aws:s3:::{copy}",
        "role_arn": "arn:aws:iam::123456789012:role/copier",
        "delete_markers": True,
        "storage_class": "STANDARD_IA",
        "kms_key_id": "arn:aws:kms:eu-west-1:123456789012:key/1",
    }
    request = _bucket.replication_request(wanted)
    for name in (bucket, copy):
        with pytest.raises(ClientError, match="ersioning"):
            s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=request)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=request)
    answer = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]
    assert _bucket.replication_of(answer) == {**wanted, "enabled": True, "rules": 1}
    s3.put_object(Bucket=bucket, Key="a.jpg", Body=b"picture")
    assert s3.get_object(Bucket=copy, Key="a.jpg")["Body"].read() == b"picture"
    s3.delete_object(Bucket=bucket, Key="a.jpg")
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket=copy, Key="a.jpg")
    version = s3.list_object_versions(Bucket=bucket)["Versions"][0]["VersionId"]
    s3.delete_object(Bucket=bucket, Key="a.jpg", VersionId=version)
    assert len(s3.list_object_versions(Bucket=copy)["Versions"]) == 1, "the removal of a version is never copied"
