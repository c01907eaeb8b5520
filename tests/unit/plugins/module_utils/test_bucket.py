# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Laws of a private bucket's data: what is written is what is read back, and nobody's statement or rule is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _bucket

BUCKET = "arn:aws:s3:::media"
SIDS = st.sampled_from(["TlsOnly", "RoleWriters", "Theirs", "EdgeBlog", None])
OURS = ["TlsOnly", "RoleWriters"]


@st.composite
def policies(draw: Any) -> dict[str, Any]:
    """A policy with statements of ours and of others, each Sid once; some have none."""
    sids = draw(st.lists(SIDS, unique_by=lambda sid: sid or object(), max_size=5))
    statements = [
        {**({"Sid": sid} if sid else {}), "Effect": "Deny", "Action": draw(st.sampled_from(["s3:GetObject", "s3:*"]))}
        for sid in sids
    ]
    return _bucket.parsed(json.dumps({"Id": "by-hand", "Statement": statements}))


@st.composite
def ours(draw: Any) -> dict[str, Any]:
    return {sid: {"Effect": "Allow", "Action": "s3:PutObject"} for sid in draw(st.sets(st.sampled_from(OURS)))}


@given(policies(), ours())
def test_exactly_ours_stand_under_our_sids(policy: dict[str, Any], wanted: dict[str, Any]) -> None:
    merged = _bucket.merged(policy, wanted, OURS)
    assert _bucket.named(merged, OURS) == wanted
    assert _bucket.merged(merged, wanted, OURS) == merged
    assert merged["Id"] == "by-hand"


@given(policies(), ours())
def test_all_others_stay_in_their_order(policy: dict[str, Any], wanted: dict[str, Any]) -> None:
    def others(of: dict[str, Any]) -> list[Any]:
        return [one for one in of["Statement"] if one.get("Sid") not in OURS]

    assert others(_bucket.merged(policy, wanted, OURS)) == others(policy)


@given(
    st.fixed_dictionaries(
        {
            "bucket_arn": st.just(f"{BUCKET}-copy"),
            "role_arn": st.just("arn:aws:iam::123456789012:role/copier"),
            "delete_markers": st.booleans(),
            "storage_class": st.sampled_from(["", "STANDARD_IA"]),
            "kms_key_id": st.sampled_from(["", "arn:aws:kms:eu-west-1:123456789012:key/1"]),
        }
    )
)
def test_a_replication_is_read_as_it_was_written(wanted: dict[str, Any]) -> None:
    assert _bucket.replication_of(_bucket.replication_request(wanted)) == {**wanted, "enabled": True, "rules": 1}


@pytest.mark.parametrize("key", ["", "alias/media"])
def test_an_encryption_is_read_as_it_was_written(key: str) -> None:
    wanted = _bucket.encryption(key)
    answer = {"ServerSideEncryptionConfiguration": _bucket.encryption_request(wanted)}
    assert _bucket.encryption_of(answer) == wanted
    assert wanted["bucket_key"] is bool(key)


DAYS = st.none() | st.integers(min_value=0, max_value=3650)
RULES = st.none() | st.dictionaries(st.sampled_from(["a", "b"]), st.just({"Expiration": {"Days": 1}}))
EMPTY = {"noncurrent_days": None, "incomplete_upload_days": None, "lifecycle_rules": None}


@given(DAYS, DAYS, RULES)
def test_lifecycle_rules_settle(noncurrent: int | None, incomplete: int | None, further: dict[str, Any] | None) -> None:
    """Options that are not set leave their rules alone; the second time nothing is left to do."""
    params = {"noncurrent_days": noncurrent, "incomplete_upload_days": incomplete, "lifecycle_rules": further}
    there = _bucket.lifecycle_rules(5, 5, {"theirs": {"Expiration": {"Days": 9}}})
    once = _bucket.merged_rules(there, params)
    if params == EMPTY:
        assert once is None
        return
    assert once is not None and _bucket.merged_rules(once, params) == once
    assert (_bucket.NONCURRENT in once) is (noncurrent != 0)
    assert (_bucket.INCOMPLETE in once) is (incomplete != 0)
    assert ("theirs" in once) is (further is None)
    answer = [{"ID": name, **rule} for name, rule in once.items()]
    assert _bucket.lifecycle_of(answer) == once


@pytest.mark.parametrize(
    ("region", "arn", "domain"),
    [
        ("eu-west-1", "arn:aws:s3:::media", "media.s3.eu-west-1.amazonaws.com"),
        ("cn-north-1", "arn:aws-cn:s3:::media", "media.s3.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "arn:aws-us-gov:s3:::media", "media.s3.us-gov-west-1.amazonaws.com"),
    ],
)
def test_each_partition_has_names_of_its_own(region: str, arn: str, domain: str) -> None:
    assert (_bucket.arn("media", region), _bucket.domain("media", region)) == (arn, domain)


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("blog-media-123456789012", True),
        ("www.example.com", True),
        ("ab", False),
        ("-blog", False),
        ("blog-", False),
        ("blog..media", False),
        ("Blog", False),
        ("xn--blog", False),
        ("blog-s3alias", False),
        ("x" * 64, False),
    ],
)
def test_names_are_as_s3_takes_them(name: str, good: bool) -> None:
    assert (_bucket.NAME.fullmatch(name) is not None) is good
