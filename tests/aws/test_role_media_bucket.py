# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role media_bucket by itself: one story, told in this order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _bucket

from .conftest import Account
from .lifecycle import Role

BUCKET = "shop-media-123456789012"
WRITER = "arn:aws:iam::123456789012:role/shop-web"
EDGE = "arn:aws:cloudfront::123456789012:distribution/E1EXAMPLE"
KEY = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-0000-0000-000000000000"
OTHER_KEY = "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0000-0000-0000-000000000001"
OWNED = {"wordpress_ha:stack": "shop", "wordpress_ha:role": "media"}


@pytest.fixture(scope="module")
def role(account: Account) -> Role:
    account.emulator.client("s3").create_bucket(Bucket="shop-logs")
    return Role(
        account,
        "media_bucket",
        media_bucket_name=BUCKET,
        media_bucket_writers=[WRITER],
        media_bucket_replication_region="eu-west-1",
        media_bucket_tags=OWNED,
    )


def statements(account: Account, bucket: str = BUCKET) -> dict[str, Any]:
    policy = json.loads(account.emulator.client("s3").get_bucket_policy(Bucket=bucket)["Policy"])
    return {one["Sid"]: one for one in policy["Statement"]}


def test_a_mistake_is_refused(role: Role) -> None:
    """The role that copies is not written first either; more mistakes are in the module's own test."""
    role.refuse("media_bucket_kms_key_id", "media_bucket_replication_kms_key_id", "both", media_bucket_kms_key_id=KEY)


def test_it_is_made(role: Role) -> None:
    made = role.create()
    copy = f"{BUCKET}-copy"
    assert made.result == {
        "bucket": BUCKET,
        "arn": f"arn:aws:s3:::{BUCKET}",
        "region": "us-east-1",
        "domain_name": f"{BUCKET}.s3.us-east-1.amazonaws.com",
        "replica": {"bucket": copy, "arn": f"arn:aws:s3:::{copy}", "region": "eu-west-1"},
    }
    assert set(statements(role.account)) == {"TlsOnly", "RoleListers", "RoleWriters"}
    iam = role.account.emulator.client("iam")
    policy = iam.get_role_policy(RoleName=f"{BUCKET}-replication", PolicyName="replication")["PolicyDocument"]
    assert {one["Sid"]: one["Resource"] for one in policy["Statement"]} == {
        "ReadConfiguration": f"arn:aws:s3:::{BUCKET}",
        "ReadVersions": f"arn:aws:s3:::{BUCKET}/*",
        "WriteCopies": f"arn:aws:s3:::{copy}/*",
    }


def test_each_option_can_change(role: Role) -> None:
    """What s3_bucket_statements adds for the edge is no business of this role's, and stays."""
    s3 = role.account.emulator.client("s3")
    edge = _bucket.readers(f"arn:aws:s3:::{BUCKET}", [EDGE])["CloudFrontReaders"]
    there = list(statements(role.account).values())
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Statement": [{"Sid": "EdgeShop", **edge}, *there]}))
    role.modify(
        media_bucket_noncurrent_days=90,
        media_bucket_incomplete_upload_days=3,
        media_bucket_lifecycle_rules={"cheaper": {"Transitions": [{"Days": 60, "StorageClass": "STANDARD_IA"}]}},
        media_bucket_kms_key_id=KEY,
        media_bucket_replication_kms_key_id=OTHER_KEY,
        media_bucket_replication_storage_class="STANDARD_IA",
        media_bucket_replicate_deletions=False,
        media_bucket_cors_origins=["https://shop.example.com"],
        media_bucket_access_log={"bucket": "shop-logs", "prefix": "media/"},
        media_bucket_readers=[EDGE],
        media_bucket_writers=[WRITER, f"{WRITER}-2"],
        media_bucket_tags={**OWNED, "owner": "me"},
    )
    found = set(statements(role.account))
    assert found == {"EdgeShop", "TlsOnly", "CloudFrontReaders", "RoleListers", "RoleWriters"}
    assert list(statements(role.account, "shop-logs")) == ["AccessLogshopmedia123456789012"]


def test_files_are_not_lost_by_accident(role: Role) -> None:
    s3 = role.account.emulator.client("s3")
    s3.put_object(Bucket=BUCKET, Key="wp-content/uploads/2026/11/a.jpg", Body=b"picture")
    role.refuse("force_empty is false", BUCKET, f"{BUCKET}-copy hold objects", entry="absent")


def test_it_can_be_removed(role: Role) -> None:
    role.absent(media_bucket_force_empty=True)
    s3 = role.account.emulator.client("s3")
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket="shop-logs")
