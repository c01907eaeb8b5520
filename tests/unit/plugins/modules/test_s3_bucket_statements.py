# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""s3_bucket_statements: statements by their Sid, everything else of the policy untouched, nothing public."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import contract
import pytest

from ansible_collections.wordpress_ha.aws.plugins.modules import s3_bucket_statements as module

BUCKET = "blog-media"
ARN = "arn:aws:cloudfront::123456789012:distribution/E1EXAMPLE"
EDGE = {
    "Effect": "Allow",
    "Principal": {"Service": "cloudfront.amazonaws.com"},
    "Action": "s3:GetObject",
    "Resource": f"arn:aws:s3:::{BUCKET}/*",
    "Condition": {"StringEquals": {"AWS:SourceArn": ARN}},
}
FOREIGN = [
    {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    },
    {
        "Sid": "Backup",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
        "Resource": f"arn:aws:s3:::{BUCKET}",
    },
]
PARAMS = {"bucket": BUCKET, "statements": {"BlogEdge": EDGE}}


def policy() -> dict[str, Any] | None:
    client = boto3.client("s3")
    try:
        return dict(json.loads(client.get_bucket_policy(Bucket=BUCKET)["Policy"]))
    except client.exceptions.ClientError:
        return None


def put(statements: Any, **more: Any) -> None:
    text = json.dumps({"Version": "2012-10-17", **more, "Statement": statements})
    boto3.client("s3").put_bucket_policy(Bucket=BUCKET, Policy=text)


def make() -> dict[str, Any]:
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    return {}


@pytest.fixture
def bucket(aws: Callable[[str], Any]) -> Iterator[None]:
    make()
    yield


def test_keeps_the_contract(bucket: None) -> None:
    modified = {**PARAMS, "statements": {"BlogEdge": {**EDGE, "Resource": f"arn:aws:s3:::{BUCKET}/uploads/*"}}}
    contract.keep(module, PARAMS, modified, left=policy)


def test_foreign_statements_survive_in_their_places(bucket: None) -> None:
    """Those without a Sid too, and whatever else stands in the policy."""
    put([FOREIGN[0], {"Sid": "BlogEdge", **EDGE, "Action": "s3:GetObjectVersion"}, FOREIGN[1]], Id="made-by-hand")
    outcome = contract.converge(module, PARAMS)
    wanted = [FOREIGN[0], {"Sid": "BlogEdge", **EDGE}, FOREIGN[1]]
    assert policy() == {"Version": "2012-10-17", "Id": "made-by-hand", "Statement": wanted}
    assert outcome.facts["sids"] == ["BlogEdge", "Backup"]
    contract.converge(module, {**PARAMS, "state": "absent"})
    assert (policy() or {})["Statement"] == FOREIGN


def test_spelling_makes_no_difference(bucket: None) -> None:
    """AWS stores what was sent; a list of one, another order, and a boolean mean the same."""
    put({"Sid": "BlogEdge", **EDGE, "Action": ["s3:GetObject"], "Resource": [EDGE["Resource"]]})
    assert contract.succeed(module, PARAMS).result["changed"] is False


def test_unknown_distributions_are_foretold(bucket: None) -> None:
    unknown = {**EDGE, "Condition": {"StringEquals": {"AWS:SourceArn": "(known after apply)"}}}
    predicted = contract.succeed(module, {**PARAMS, "statements": {"BlogEdge": unknown}}, check=True)
    assert predicted.result["changed"] is True and policy() is None


def test_a_bucket_that_is_still_to_be_made_can_be_planned_with(aws: Callable[[str], Any]) -> None:
    """In check mode alone: a real run comes after the task that makes it."""
    planned = {**PARAMS, "bucket_planned": True}
    predicted = contract.succeed(module, planned, check=True)
    assert [one["action"] for one in predicted.result["actions"]] == ["create"]
    contract.refuse(module, planned, "no such bucket")
    assert contract.run(module, PARAMS, check=True).failed


def test_of_a_bucket_that_is_gone_nothing_is_left_to_remove(aws: Callable[[str], Any]) -> None:
    contract.converge(module, {**PARAMS, "state": "absent"}, changed=False)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ({"Principal": "*"}, ["policy of bucket blog-media.Statement.BlogEdge.Principal", "everybody"]),
        ({"Action": "s3:*"}, ["Statement.BlogEdge.Action", "s3:GetObject alone"]),
        ({"Condition": {}}, ["Statement.BlogEdge.Condition", "every CloudFront distribution"]),
    ],
)
def test_a_door_for_everybody_is_refused(bucket: None, statement: dict[str, Any], words: list[str]) -> None:
    contract.refuse(module, {**PARAMS, "statements": {"BlogEdge": {**EDGE, **statement}}}, *words)


def test_an_open_bucket_is_refused_whoever_opened_it(bucket: None) -> None:
    put([{**FOREIGN[1], "Sid": "Open", "Principal": "*", "Action": "s3:GetObject", "Resource": EDGE["Resource"]}])
    contract.refuse(module, PARAMS, "Statement.Open.Principal", "[bucket-policy-principal]")
    # To ignore the lint's rule does not help: no module sends a policy that lets everybody in (R63).
    ignoring = {**PARAMS, "lint_ignore": ["bucket-policy-principal"]}
    contract.refuse(module, ignoring, "policy of bucket blog-media", "anybody on earth")
    assert len((policy() or {})["Statement"]) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bucket": "no-such-bucket"}, ["bucket is 'no-such-bucket'", "no such bucket"]),
        ({"statements": {"Blog-Edge": EDGE}}, ["'Blog-Edge'", "letters and digits"]),
        ({"statements": {"BlogEdge": "s3:GetObject"}}, ["statements.BlogEdge", "dictionary"]),
    ],
)
def test_refuses_before_any_write(bucket: None, change: dict[str, Any], words: list[str]) -> None:
    contract.refuse(module, {**PARAMS, **change}, *words)


def test_survives_a_kill_between_any_two_calls() -> None:
    two = {
        **PARAMS,
        "statements": {"BlogEdge": EDGE, "ShopEdge": {**EDGE, "Resource": f"arn:aws:s3:::{BUCKET}/shop/*"}},
    }
    assert contract.survive_kills(module, two, make) == 4
