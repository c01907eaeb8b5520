# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""S3: buckets are private; the edge reads what a bucket policy lets its distribution read."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from moto.core.responses import ActionResult
from moto.iam.access_control import PermissionResult
from moto.s3.exceptions import ReplicationConfigurationNotFoundError, S3AccessDeniedError, S3ClientError
from moto.s3.models import FakeBucket, S3Backend
from moto.s3.responses import S3Response
from moto.s3.utils import bucket_policy_is_public

from ..access import ALLOW, DENY, Caller, decide
from . import extension
from .patching import Function, add, wrap

#: The credential id with which the rehearsal's edge signs for a distribution (origin access control).
EDGE = re.compile(r"Credential=CLOUDFRONT-(?P<distribution>[A-Z0-9]+)/")
#: What a method does to an object and to a bucket.
OBJECT_ACTIONS = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "DELETE": "s3:DeleteObject"}
BUCKET_ACTIONS = {"GET": "s3:ListBucket", "HEAD": "s3:ListBucket", "DELETE": "s3:DeleteBucket"}


def caller(headers: Any, url: str, account: str) -> Caller:
    """Return who signed a request; every credential but the edge's is one of the account's own.

    The rehearsal's own transport is not what is judged; a test says by a proxy's header that a request came by plain HTTP.
    """
    plain = headers.get("X-Forwarded-Proto", "").lower() == "http"
    context = {"aws:securetransport": str(not plain).lower()}
    authorization = headers.get("Authorization", "")
    edge = EDGE.search(authorization)
    if edge:
        arn = f"arn:aws:cloudfront::{account}:distribution/{edge['distribution']}"
        source = {"aws:sourcearn": arn, "aws:sourceaccount": account}
        return Caller("Service", "cloudfront.amazonaws.com", {**context, **source})
    if authorization or "Signature=" in url:
        return Caller("AWS", f"arn:aws:iam::{account}:root", {**context, "aws:principalaccount": account})
    return Caller("Anonymous", "*", context)


def permitted(bucket: Any, key: Any, who: Caller, action: str, resource: str) -> bool:
    """Decide as S3 does: a denial wins, the account may do the rest, others need the policy or a public ACL."""
    verdict = decide(json.loads(bucket.policy) if bucket.policy else {}, who, action, resource)
    blocked = bucket.public_access_block
    if verdict == DENY:
        return False
    if who.kind == "AWS":
        return True
    if who.kind == "Service":
        return verdict == ALLOW
    if verdict == ALLOW and not (blocked and blocked.restrict_public_buckets):
        return True
    public = key is not None and key.acl and key.acl.public_read and action == "s3:GetObject"
    return bool(public and not (blocked and blocked.ignore_public_acls))


def _refuse_strangers(response: Any, request: Any, url: str, key_name: str | None) -> None:
    try:
        bucket = response.backend.get_bucket(response.parse_bucket_name_from_url(request, url))
    except S3ClientError:
        return  # there is no such bucket: moto says so
    who = caller(request.headers, request.url, bucket.account_id)
    arn = f"arn:aws:s3:::{bucket.name}"
    if key_name is None:
        if not permitted(bucket, None, who, BUCKET_ACTIONS.get(request.method, "s3:PutBucketPolicy"), arn):
            raise S3AccessDeniedError()
        return
    key = response.backend.get_object(bucket.name, key_name)
    action = OBJECT_ACTIONS.get(request.method, "s3:PutObject")
    if not permitted(bucket, key, who, action, f"{arn}/{key_name}"):
        raise S3AccessDeniedError()
    # Who may not list a bucket does not learn that an object is missing: origin groups must fall back on 403 too.
    if key is None and action == "s3:GetObject" and not permitted(bucket, None, who, "s3:ListBucket", arn):
        raise S3AccessDeniedError()


@extension(
    "s3-private-buckets", "conditions and service principals in bucket policies are misjudged; strangers can list"
)
def _private_buckets() -> None:
    @wrap(S3Response, "_key_response")
    def key_response(original: Function, self: Any, request: Any, full_url: str) -> Any:
        _refuse_strangers(self, request, full_url, self.parse_key_name())
        return original(self, request, full_url)

    @wrap(S3Response, "_bucket_response")
    def bucket_response(original: Function, self: Any, request: Any, full_url: str) -> Any:
        if self.parse_bucket_name_from_url(request, full_url):
            _refuse_strangers(self, request, full_url, None)
        return original(self, request, full_url)

    @add(FakeBucket)
    def get_permission(self: Any, action: str, resource: str) -> PermissionResult:
        """All is decided before moto asks."""
        return PermissionResult.PERMITTED

    @wrap(S3Backend, "put_bucket_policy")
    def put_policy(original: Function, self: Any, bucket_name: str, policy: bytes) -> None:
        blocked = self.get_bucket(bucket_name).public_access_block
        if blocked and blocked.block_public_policy and bucket_policy_is_public(policy):
            raise S3AccessDeniedError()
        original(self, bucket_name, policy)


#: What writes an ACL, by a request's query or header, and what stays allowed where ACLs are off.
ACL_HEADERS = ("x-amz-acl", "x-amz-grant-")
HARMLESS_ACLS = ("bucket-owner-full-control",)


def _writes_acl(request: Any) -> bool:
    if request.method == "PUT" and "acl" in parse_qs(urlsplit(request.url).query, keep_blank_values=True):
        return True
    given = {name.lower(): value for name, value in request.headers.items() if name.lower().startswith(ACL_HEADERS)}
    return any(value not in HARMLESS_ACLS for value in given.values())


@extension("s3-owner-enforced", "ACLs can be written to a bucket whose owner owns every object")
def _owner_enforced() -> None:
    @wrap(S3Response, "_key_response")
    def key_response(original: Function, self: Any, request: Any, full_url: str) -> Any:
        try:
            bucket = self.backend.get_bucket(self.parse_bucket_name_from_url(request, full_url))
        except S3ClientError:
            bucket = None
        if bucket and bucket.ownership_rule == "BucketOwnerEnforced" and _writes_acl(request):
            raise S3ClientError("AccessControlListNotSupported", "The bucket does not allow ACLs")
        return original(self, request, full_url)


@extension("s3-replication", "delete markers, encryption and filter of a replication are lost; nothing is replicated")
def _replication() -> None:
    @add(S3Response)
    def get_bucket_replication(self: Any) -> Any:
        found = self.backend.get_bucket_replication(self.bucket_name)
        if not found:
            raise ReplicationConfigurationNotFoundError(bucket_name=self.bucket_name)
        self.data["Action"] = "GetBucketReplication"
        rules = [{"DeleteMarkerReplication": {"Status": "Disabled"}, **rule} for rule in found["Rule"]]
        configuration = {"Role": found["Role"], "Rules": [{**rule, "Filter": {"Prefix": ""}} for rule in rules]}
        return self.serialized(ActionResult({"ReplicationConfiguration": configuration}))

    @wrap(S3Backend, "put_bucket_replication")
    def put_replication(original: Function, self: Any, bucket_name: str, replication: dict[str, Any]) -> None:
        rules = replication["Rule"] if isinstance(replication["Rule"], list) else [replication["Rule"]]
        for rule in rules:
            target = rule["Destination"]["Bucket"].rsplit(":", 1)[-1]
            if target not in self.buckets or not self.buckets[target].is_versioned:
                raise S3ClientError("InvalidRequest", "Destination bucket must exist and have versioning enabled.")
            rule["Priority"] = int(rule.get("Priority", 1))
        original(self, bucket_name, replication)

    @wrap(S3Backend, "put_object")
    def put_object(original: Function, self: Any, bucket_name: str, key_name: str, value: bytes, **given: Any) -> Any:
        made = original(self, bucket_name, key_name, value, **given)
        for target in _targets(self, bucket_name):
            original(self, target, key_name, value, **given)
        return made

    @wrap(S3Backend, "delete_object")
    def delete_object(
        original: Function, self: Any, bucket_name: str, key_name: str, version_id: str | None = None, **given: Any
    ) -> Any:
        """A delete marker is replicated where the rule says so; the removal of a version never is."""
        targets = [] if version_id else _targets(self, bucket_name, markers=True)
        done = original(self, bucket_name, key_name, version_id=version_id, **given)
        for target in targets:
            original(self, target, key_name, **given)
        return done


def _targets(backend: Any, bucket_name: str, markers: bool = False) -> list[str]:
    """Return the buckets that get a copy of what happens in one."""
    found = getattr(backend.buckets.get(bucket_name), "replication", None) or {"Rule": []}
    return [
        rule["Destination"]["Bucket"].rsplit(":", 1)[-1]
        for rule in found["Rule"]
        if rule["Status"] == "Enabled"
        and (not markers or rule.get("DeleteMarkerReplication", {}).get("Status") == "Enabled")
    ]
