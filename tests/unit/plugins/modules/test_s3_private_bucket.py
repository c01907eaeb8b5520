# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""s3_private_bucket: a bucket that nobody but CloudFront and named roles reach, and its copy in another region."""

from __future__ import annotations

import json
from typing import Any

import contract
import pytest

from ansible_collections.wordpress_ha.aws.plugins.modules import s3_bucket_statements
from ansible_collections.wordpress_ha.aws.plugins.modules import s3_private_bucket as module

BUCKET, COPY = "blog-media-123456789012", "blog-media-123456789012-copy"
STACK = {"wordpress_ha:stack": "blog"}
EDGE = "arn:aws:cloudfront::123456789012:distribution/E1EXAMPLE"
WRITER = "arn:aws:iam::123456789012:role/blog-web"
COPIER = "arn:aws:iam::123456789012:role/blog-media-replication"
KEY = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-0000-0000-000000000000"
OTHER_KEY = "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0000-0000-0000-000000000001"
REPLICATION = {"bucket": COPY, "region": "eu-west-1", "role_arn": COPIER}
PLAIN = {"name": BUCKET, "tags": STACK}
PARAMS = {
    "name": BUCKET,
    "versioning": True,
    "kms_key_id": "",
    "noncurrent_days": 30,
    "incomplete_upload_days": 7,
    "lifecycle_rules": {},
    "cors_origins": [],
    "readers": [EDGE],
    "writers": [WRITER],
    "replication": REPLICATION,
    "tags": STACK,
}


def policy(s3: Any, bucket: str = BUCKET) -> dict[str, dict[str, Any]]:
    statements = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    return {one.get("Sid", ""): one for one in statements}


def fill(s3: Any, bucket: str = BUCKET) -> None:
    """Leave a current version, a former one and a delete marker."""
    s3.put_object(Bucket=bucket, Key="a.jpg", Body=b"one")
    s3.put_object(Bucket=bucket, Key="a.jpg", Body=b"two")
    s3.put_object(Bucket=bucket, Key="b.jpg", Body=b"three")
    s3.delete_object(Bucket=bucket, Key="b.jpg")


def test_keeps_the_contract(emulated: contract.Emulated) -> None:
    s3 = emulated("s3")
    s3.create_bucket(Bucket="blog-logs")
    writing = {
        "Sid": "Logs",
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::blog-logs/media/*",
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{BUCKET}"}},
    }
    s3.put_bucket_policy(Bucket="blog-logs", Policy=json.dumps({"Statement": [writing]}))
    modified = {
        **PARAMS,
        "kms_key_id": KEY,
        "noncurrent_days": 90,
        "incomplete_upload_days": 0,
        "lifecycle_rules": {"cheaper": {"Transitions": [{"Days": 60, "StorageClass": "STANDARD_IA"}]}},
        "cors_origins": ["https://www.example.com", "https://*.example.org"],
        "access_log": {"bucket": "blog-logs", "prefix": "media/"},
        "readers": [],
        "writers": [WRITER, f"{WRITER}-2"],
        "replication": {
            **REPLICATION,
            "kms_key_id": OTHER_KEY,
            "storage_class": "STANDARD_IA",
            "delete_markers": False,
        },
        "tags": {**STACK, "owner": "me"},
    }

    def left() -> list[str]:
        return [one["Name"] for one in s3.list_buckets()["Buckets"] if one["Name"] != "blog-logs"]

    facts = contract.keep(module, PARAMS, modified, left=left).facts
    assert facts["domain_name"] == f"{BUCKET}.s3.us-east-1.amazonaws.com"
    assert facts["replica"] == {"bucket": COPY, "arn": f"arn:aws:s3:::{COPY}", "region": "eu-west-1"}


def test_survives_a_kill_between_any_two_calls(emulated: contract.Emulated) -> None:
    # 2 buckets of 6 calls, a policy for each, the replication; two removals.
    assert contract.survive_kills(module, PARAMS) == 17


def test_it_is_private_by_construction(emulated: contract.Emulated) -> None:
    """R62, R63: what nobody asked for and nobody can switch off."""
    contract.succeed(module, PLAIN)
    s3 = emulated("s3")
    assert set(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values()) == {True}
    owned = s3.get_bucket_ownership_controls(Bucket=BUCKET)["OwnershipControls"]["Rules"]
    assert owned == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    denial = policy(s3)["TlsOnly"]
    assert (denial["Effect"], denial["Principal"], denial["Action"]) == ("Deny", "*", "s3:*")
    assert denial["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    with pytest.raises(s3.exceptions.ClientError, match="AccessControlListNotSupported"):
        s3.put_object(Bucket=BUCKET, Key="a.jpg", Body=b"x", ACL="public-read")
    with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
        s3.put_bucket_policy(
            Bucket=BUCKET,
            Policy=json.dumps(
                {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]}
            ),
        )


def test_a_bucket_that_was_opened_is_closed_again(emulated: contract.Emulated) -> None:
    contract.succeed(module, PLAIN)
    s3 = emulated("s3")
    s3.delete_public_access_block(Bucket=BUCKET)
    s3.put_bucket_ownership_controls(
        Bucket=BUCKET, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
    )
    s3.delete_bucket_policy(Bucket=BUCKET)
    outcome = contract.converge(module, PLAIN)
    assert [one["resource"] for one in outcome.result["actions"]] == [f"bucket/{BUCKET}", f"statement/{BUCKET}/TlsOnly"]


def test_what_roles_and_distributions_may_do(emulated: contract.Emulated) -> None:
    """R57: no ACL, no policy, no version; R64: reading, for one distribution."""
    contract.succeed(module, PARAMS)
    found = policy(emulated("s3"))
    assert found["CloudFrontReaders"]["Condition"] == {"StringEquals": {"AWS:SourceArn": [EDGE]}}
    assert found["RoleWriters"]["Principal"] == {"AWS": [WRITER]}
    actions = found["RoleWriters"]["Action"] + found["RoleListers"]["Action"]
    assert not [one for one in actions if "Acl" in one or "Policy" in one or "Version" in one or "*" in one]


def test_others_statements_and_ours_do_not_fight(emulated: contract.Emulated) -> None:
    """The edge role keeps its statement with s3_bucket_statements; either module leaves alone what the other wrote."""
    contract.succeed(module, {**PARAMS, "readers": None})
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{BUCKET}/*",
        "Condition": {"StringEquals": {"AWS:SourceArn": EDGE}},
    }
    edge = {"bucket": BUCKET, "statements": {"EdgeBlog": statement}}
    contract.converge(s3_bucket_statements, edge)
    contract.converge(module, {**PARAMS, "readers": None}, changed=False)
    contract.converge(module, {**PARAMS, "writers": [], "readers": None})
    contract.converge(s3_bucket_statements, edge, changed=False)
    assert set(policy(emulated("s3"))) == {"TlsOnly", "EdgeBlog"}
    contract.converge(s3_bucket_statements, {**edge, "state": "absent"})
    contract.converge(module, {**PARAMS, "writers": [], "readers": None}, changed=False)


def test_an_unchanged_run_reads_each_thing_once(emulated: contract.Emulated) -> None:
    """Ten calls for the bucket with everything, eight for its copy; settings that nobody asked for are not read."""
    contract.succeed(module, PARAMS)
    again = contract.succeed(module, PARAMS)
    assert len(again.calls) == 18, [str(call) for call in again.calls]
    assert len(contract.succeed(module, PLAIN).calls) == 5


def test_the_copy_is_written_to_with_few_calls(emulated: contract.Emulated) -> None:
    outcome = contract.succeed(module, PARAMS)
    assert outcome.writing.count("s3:PutBucketPolicy") == 2, "one for each bucket, however many statements"
    (made, copied) = outcome.sent("CreateBucket")
    assert "CreateBucketConfiguration" not in made
    assert copied["CreateBucketConfiguration"] == {"LocationConstraint": "eu-west-1"}
    (sent,) = outcome.sent("PutBucketReplication")
    rule = sent["ReplicationConfiguration"]["Rules"][0]
    assert (rule["Destination"], rule["DeleteMarkerReplication"]) == (
        {"Bucket": f"arn:aws:s3:::{COPY}"},
        {"Status": "Enabled"},
    )


def test_what_is_written_is_copied(emulated: contract.Emulated) -> None:
    """R68, as far as the emulator goes: both versions arrive, and so does the deletion."""
    contract.succeed(module, PARAMS)
    s3 = emulated("s3")
    fill(s3)
    assert s3.get_object(Bucket=COPY, Key="a.jpg")["Body"].read() == b"two"
    found = s3.list_object_versions(Bucket=COPY)
    assert (len(found["Versions"]), len(found["DeleteMarkers"])) == (3, 1)


def test_replication_can_end_and_the_copy_stays(emulated: contract.Emulated) -> None:
    contract.succeed(module, PARAMS)
    ended = {**PARAMS, "replication": {"bucket": ""}}
    outcome = contract.converge(module, ended)
    assert [(one["action"], one["resource"]) for one in outcome.result["actions"]] == [
        ("delete", f"replication/{BUCKET}")
    ]
    emulated("s3").head_bucket(Bucket=COPY)


def test_unset_options_are_left_alone(emulated: contract.Emulated) -> None:
    contract.succeed(module, PARAMS)
    contract.converge(module, {"name": BUCKET}, changed=False)
    assert set(policy(emulated("s3"))) == {"TlsOnly", "CloudFrontReaders", "RoleListers", "RoleWriters"}


def test_lifecycle_rules_of_others_stay_unless_ours_are_complete(emulated: contract.Emulated) -> None:
    contract.succeed(module, PLAIN)
    s3 = emulated("s3")
    foreign = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [foreign]})

    def rules() -> set[str]:
        return {one["ID"] for one in s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]}

    contract.converge(module, {**PLAIN, "noncurrent_days": 30})
    assert rules() == {"theirs", "wordpress-ha-noncurrent"}
    contract.converge(module, {**PLAIN, "lifecycle_rules": {"own": {"Expiration": {"Days": 2}}}})
    assert rules() == {"own", "wordpress-ha-noncurrent"}
    contract.converge(module, {**PLAIN, "noncurrent_days": 0, "lifecycle_rules": {}})
    assert contract.succeed(module, {**PLAIN, "noncurrent_days": 0}).result["changed"] is False


class TestRemoval:
    ABSENT = {**PARAMS, "state": "absent"}

    def test_a_bucket_that_holds_anything_is_refused(self, emulated: contract.Emulated) -> None:
        contract.succeed(module, PARAMS)
        s3 = emulated("s3")
        s3.put_object(Bucket=BUCKET, Key="a.jpg", Body=b"one")
        s3.delete_object(Bucket=BUCKET, Key="a.jpg")
        contract.refuse(module, self.ABSENT, "force_empty is false", BUCKET, COPY, "former versions", "set force_empty")

    def test_all_versions_go_on_request(self, emulated: contract.Emulated) -> None:
        contract.succeed(module, PARAMS)
        fill(emulated("s3"))
        outcome = contract.converge(module, {**self.ABSENT, "force_empty": True})
        assert sum(len(sent["Delete"]["Objects"]) for sent in outcome.sent("DeleteObjects")) == 8
        assert emulated("s3").list_buckets()["Buckets"] == []

    def test_a_bucket_without_our_tag_is_left_alone(self, emulated: contract.Emulated) -> None:
        emulated("s3").create_bucket(Bucket=BUCKET)
        contract.refuse(module, {**PLAIN, "state": "absent"}, BUCKET, "carries no tag")


def test_a_bucket_elsewhere_is_refused(emulated: contract.Emulated) -> None:
    emulated("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    contract.refuse(module, PLAIN, BUCKET, "is in eu-west-1, not in us-east-1")


def test_another_stacks_bucket_is_left_alone(emulated: contract.Emulated) -> None:
    contract.succeed(module, PLAIN)
    contract.refuse(module, {**PLAIN, "tags": {"wordpress_ha:stack": "shop"}}, "'blog'", "'shop'")


def test_a_wildcard_that_stands_already_is_refused(emulated: contract.Emulated) -> None:
    s3 = emulated("s3")
    s3.create_bucket(Bucket=BUCKET)
    opened = {
        "Sid": "Open",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{BUCKET}/*",
    }
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Statement": [opened]}))
    contract.refuse(module, PLAIN, f"policy of bucket {BUCKET}.Statement.Open.Principal", "everybody")


def test_what_is_not_known_yet_can_be_planned(emulated: contract.Emulated) -> None:
    unknown = {**PARAMS, "readers": ["(known after apply)"], "writers": ["(known after apply)"]}
    unknown["replication"] = {**REPLICATION, "role_arn": "(known after apply)"}
    predicted = contract.succeed(module, unknown, check=True)
    assert len(predicted.result["actions"]) == 8
    contract.refuse(module, unknown, "check mode only")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "Blog_Media"}, ["name is 'Blog_Media'", "lower-case"]),
        ({"noncurrent_days": -1}, ["noncurrent_days is -1", "0 for never"]),
        ({"readers": ["*"]}, ["readers has '*'", "everybody", "distribution"]),
        ({"readers": ["arn:aws:cloudfront::123456789012:distribution/*"]}, ["readers has", "everybody"]),
        ({"readers": ["E1EXAMPLE"]}, ["readers has 'E1EXAMPLE'", "ARN of a CloudFront distribution"]),
        ({"writers": ["*"]}, ["writers has '*'", "R63"]),
        ({"writers": ["arn:aws:iam::123456789012:user/offload"]}, ["user/offload", "long-lived keys", "R57"]),
        ({"writers": ["arn:aws:iam::123456789012:root"]}, ["writers has", ":root", "IAM role"]),
        ({"cors_origins": ["www.example.com"]}, ["cors_origins has 'www.example.com'", "scheme"]),
        ({"cors_origins": ["https://example.com/path"]}, ["cors_origins has", "without a path"]),
        ({"access_log": {"bucket": BUCKET}}, ["access_log.bucket", "the bucket itself"]),
        ({"lifecycle_rules": {"wordpress-ha-noncurrent": {"Expiration": {"Days": 1}}}}, ["noncurrent_days"]),
        ({"lifecycle_rules": {"one": {"Expires": 1}}}, ["lifecycle_rules.one", "Expiration"]),
        ({"lifecycle_rules": {"one": {"Filter": {"Prefix": ""}}}}, ["lifecycle_rules.one", "at least one"]),
        ({"replication": {**REPLICATION, "bucket": BUCKET}}, ["replication.bucket", "a name of its own"]),
        (
            {"replication": {**REPLICATION, "region": "us-east-1"}},
            ["replication.region is 'us-east-1'", "another region"],
        ),
        ({"replication": {"bucket": COPY, "role_arn": COPIER}}, ["replication.region is None", "another region"]),
        ({"replication": {"bucket": COPY, "region": "eu-west-1"}}, ["replication.role_arn", COPY]),
        ({"versioning": False}, ["versioning is false", "R68"]),
        ({"kms_key_id": KEY}, ["kms_key_id", "replication.kms_key_id", "eu-west-1"]),
    ],
)
def test_refuses_before_any_write(emulated: contract.Emulated, change: dict[str, Any], words: list[str]) -> None:
    contract.refuse(module, {**PARAMS, **change}, *words)
