#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: s3_private_bucket
version_added: 0.1.0
short_description: Keep an S3 bucket that is private by construction, with its copy in another region
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Owns a bucket whose four public access blocks are on, which has no ACLs, and which turns plain HTTP away. None of the three is an
    option. CloudFront reads it by origin access control, and IAM roles write to it.
  - Keeps versioning, encryption, lifecycle, CORS, access logging, the statements of the policy that it owns, and replication to a bucket of
    the same kind in another region, all in one process.
  - Statements of the policy that others keep, such as those of M(wordpress_ha.aws.s3_bucket_statements), survive.
  - M(amazon.aws.s3_bucket), M(community.aws.s3_cors), M(community.aws.s3_lifecycle) and M(community.aws.s3_logging) take a process each. All
    but the last do nothing at all in check mode, the first replaces the whole policy, and none of them knows replication. This module can
    be retired once upstream predicts, merges statements and replicates.
options:
  name:
    description: Name of the bucket, unique among all of AWS.
    type: str
    required: true
  versioning:
    description: Whether former versions of objects are kept. Replication needs it.
    type: bool
  kms_key_id:
    description:
      - KMS key that encrypts new objects, together with a bucket key, which saves calls of KMS. Empty means keys of S3's own.
      - The key's policy must let C(cloudfront.amazonaws.com) decrypt for the distributions of O(readers).
    type: str
  noncurrent_days:
    description: Days after which former versions are removed; V(0) keeps them for ever.
    type: int
  incomplete_upload_days:
    description: Days after which the parts of uploads that nobody completed are removed; V(0) keeps, and bills, them for ever.
    type: int
  lifecycle_rules:
    description:
      - Further lifecycle rules by their IDs, each as in S3's API, such as C(Transitions), with C(Status) V(Enabled) and a C(Filter) that
        takes in the whole bucket unless given. If set, rules of others are removed.
    type: dict
  cors_origins:
    description: Sites whose pages may use objects of the bucket, such as fonts, as V(https://www.example.com). An empty list switches it off.
    type: list
    elements: str
  access_log:
    description:
      - Where S3 writes who asked for what. An empty C(bucket) switches it off.
      - The policy of that bucket must let C(logging.s3.amazonaws.com) write.
    type: dict
    suboptions:
      bucket:
        description: Another bucket of this account and region.
        type: str
        required: true
      prefix:
        description: What the names of the log's objects begin with.
        type: str
        default: ""
  readers:
    description: ARNs of the CloudFront distributions that may read objects. If not set, the statement is left alone.
    type: list
    elements: str
  writers:
    description: ARNs of the IAM roles that may read, write and list objects. If not set, the statements are left alone.
    type: list
    elements: str
  replication:
    description:
      - A copy of the bucket in another region. The bucket there is made by this module, with the same versioning, lifecycle and tags.
      - An empty C(bucket) ends the replication and leaves the copy. Objects that are older than the replication are not copied.
    type: dict
    suboptions:
      bucket:
        description: Name of the bucket that takes the copies.
        type: str
        required: true
      region:
        description: Its region, another one than O(region).
        type: str
      role_arn:
        description: The IAM role with which S3 copies. Needed for O(state=present).
        type: str
      kms_key_id:
        description: KMS key in the other region that encrypts the copies. Needed with O(kms_key_id), and only then.
        type: str
        default: ""
      storage_class:
        description: Storage class of the copies, such as V(STANDARD_IA); that of each object unless given.
        type: str
        default: ""
      delete_markers:
        description: Whether an object that is deleted here is deleted there too; its versions stay in both until O(noncurrent_days) are over.
        type: bool
        default: true
  force_empty:
    description:
      - Whether O(state=absent) deletes all objects with all their versions, in the bucket and in its copy.
      - Without it, a bucket that is not empty is refused before anything is deleted.
    type: bool
    default: false
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.plan.tags
"""

EXAMPLES = r"""
- name: Keep a bucket for uploads, with a copy in another region
  wordpress_ha.aws.s3_private_bucket:
    name: blog-media-123456789012
    versioning: true
    kms_key_id: ""
    noncurrent_days: 30
    incomplete_upload_days: 7
    writers: ["arn:aws:iam::123456789012:role/blog-web"]
    replication:
      bucket: blog-media-123456789012-copy
      region: eu-west-1
      role_arn: arn:aws:iam::123456789012:role/blog-media-replication
    tags:
      "wordpress_ha:stack": blog

- name: Remove it with everything in it
  wordpress_ha.aws.s3_private_bucket:
    name: blog-media-123456789012
    replication: {bucket: blog-media-123456789012-copy, region: eu-west-1}
    tags:
      "wordpress_ha:stack": blog
    force_empty: true
    state: absent
"""

RETURN = r"""
bucket:
  description: Name of the bucket, null if there is none.
  returned: success
  type: str
arn:
  description: ARN of the bucket, null if there is none.
  returned: success
  type: str
bucket_region:
  description: Region of the bucket, null if there is none.
  returned: success
  type: str
domain_name:
  description: Host name for an origin of CloudFront, null if there is no bucket.
  returned: success
  type: str
replica:
  description: C(bucket), C(arn) and C(region) of the copy that O(replication) names, null if there is none.
  returned: success
  type: dict
actions:
  description: What was or would be done, in order; every item has C(action), C(resource), C(before) and C(after).
  returned: success
  type: list
  elements: dict
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws, _bucket, _owned, _plan
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import lint

REPLICATION_SPEC = {
    "bucket": {"type": "str", "required": True},
    "region": {"type": "str"},
    "role_arn": {"type": "str"},
    "kms_key_id": {"type": "str", "default": ""},
    "storage_class": {"type": "str", "default": ""},
    "delete_markers": {"type": "bool", "default": True},
}
LOG_SPEC = {"bucket": {"type": "str", "required": True}, "prefix": {"type": "str", "default": ""}}
#: What S3 says while an earlier write to the same name is not settled.
UNSETTLED = ("OperationAborted",)
#: What it says for some seconds of what was made a moment ago: a bucket, a role as a principal, versioning as a replication needs it.
NEW = ("NoSuchBucket", "MalformedPolicy", "InvalidRequest")
AT_ONCE = 1000  # objects that one call deletes, and that one page lists


class PrivateBucket(_aws.Planned):
    """``bucket/<name>`` (the copy too), ``statement/<bucket>/<Sid>`` and ``replication/<name>``."""

    order = ("bucket", "statement", "replication")
    purge = ("statement", "replication")

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.name, self.state = self.params["name"], self.params["state"]
        self.region = str(module.region)
        self.replication: dict[str, Any] | None = self.params["replication"]
        self.copy = (self.replication or {}).get("bucket") or None
        self._check()
        self.regions = {self.name: self.region}
        if self.copy:
            self.regions[self.copy] = str((self.replication or {})["region"])
        self.apis = {name: self.client("s3", region, UNSETTLED) for name, region in self.regions.items()}
        self.writing: dict[str, Any] = {}
        self.policies: dict[str, _bucket.Policy] = {}
        self.planned: dict[str, _bucket.Policy] = {}

    # What AWS would refuse, or what would harm

    def _check(self) -> None:
        params = self.params
        names = {"name": self.name, **({"replication.bucket": self.copy} if self.copy else {})}
        for option, name in names.items():
            if _plan.is_known(name) and not _bucket.NAME.fullmatch(name):
                raise _plan.Refused(
                    f"{option} is {name!r}: use 3 to 63 lower-case letters, digits and hyphens, none of them at an end."
                )
        for option in ("noncurrent_days", "incomplete_upload_days"):
            if (params[option] or 0) < 0:
                raise _plan.Refused(f"{option} is {params[option]}: give a number of days, or 0 for never.")
        _bucket.check_principals(
            "readers",
            params["readers"] or [],
            _bucket.DISTRIBUTION,
            "give the ARN of a CloudFront distribution, arn:aws:cloudfront::<account>:distribution/<id>.",
        )
        _bucket.check_principals(
            "writers",
            params["writers"] or [],
            _bucket.ROLE,
            "give the ARN of an IAM role, arn:aws:iam::<account>:role/<name>; a user's long-lived keys are no way to write (R57).",
        )
        _bucket.check_origins("cors_origins", params["cors_origins"] or [])
        if params["access_log"] and params["access_log"]["bucket"] == self.name:
            raise _plan.Refused(
                f"access_log.bucket is {self.name!r}, the bucket itself: its log would grow by its log."
            )
        self._check_replication()
        _bucket.merged_rules({}, params)

    def _check_replication(self) -> None:
        if not self.replication or not self.copy:
            return
        given, name = self.replication, "replication"
        if self.copy == self.name:
            raise _plan.Refused(f"{name}.bucket is {self.copy!r}, the bucket itself: give the copy a name of its own.")
        if not given["region"] or given["region"] == self.region:
            raise _plan.Refused(
                f"{name}.region is {given['region']!r}: name another region than {self.region}, "
                "or the copy would be lost together with the bucket (R68)."
            )
        if self.state != "present":
            return
        if self.params["versioning"] is False:
            raise _plan.Refused(
                f"versioning is false and {name} is given: S3 copies versions. Set versioning to true (R68)."
            )
        if not given["role_arn"]:
            raise _plan.Refused(f"{name}.role_arn is not set: give the role with which S3 copies to {self.copy}.")
        if self.params["kms_key_id"] is not None and bool(self.params["kms_key_id"]) != bool(given["kms_key_id"]):
            raise _plan.Refused(
                f"kms_key_id is {self.params['kms_key_id']!r} and {name}.kms_key_id is {given['kms_key_id']!r}: "
                f"give both or neither. A key is of one region alone; copies need one of {given['region']}."
            )

    def read(self) -> _plan.Tree:
        tree: _plan.Tree = {}
        for name in self.regions:
            if not self._exists(name):
                continue
            tags = self._tags(name)
            _owned.refuse_foreign(f"The bucket {name}", tags, self.params["tags"], self.state == "absent")
            tree[f"bucket/{name}"] = {"tags": tags}
            if self.state == "present":
                tree[f"bucket/{name}"].update(self._settings(name))
                text = self._get(name, "get_bucket_policy", "NoSuchBucketPolicy")
                self.policies[name] = _bucket.parsed((text or {}).get("Policy"))
                found = _bucket.named(self.policies[name], self._sids(name))
                tree.update({f"statement/{name}/{sid}": {"statement": one} for sid, one in found.items()})
        if self.state == "present" and self.replication is not None and f"bucket/{self.name}" in tree:
            found = self._get(self.name, "get_bucket_replication", "ReplicationConfigurationNotFoundError")
            if found:
                tree[f"replication/{self.name}"] = _bucket.replication_of(found["ReplicationConfiguration"])
        return tree

    def _exists(self, name: str) -> bool:
        if not _plan.is_known(name):
            return False
        region = self.regions[name]
        try:
            answer = self.apis[name].head_bucket(Bucket=name, aws_retry=True)
        except is_boto3_error_code(["404", "NoSuchBucket"]):
            return False
        except is_boto3_error_code(["403", "AccessDenied"]) as error:
            raise _plan.Refused(
                f"The bucket {name} belongs to another account, or its policy keeps you out: names are unique among all of AWS. "
                "Choose another name."
            ) from error
        actual = answer.get("BucketRegion") or answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
        if actual and actual != region:
            raise _plan.Refused(
                f"The bucket {name} is in {actual}, not in {region}: a bucket cannot move. Choose another name, or that region."
            )
        return True

    def _get(self, bucket: str, operation: str, missing: str) -> dict[str, Any] | None:
        try:
            return dict(getattr(self.apis[bucket], operation)(Bucket=bucket, aws_retry=True))
        except is_boto3_error_code(missing):
            return None

    def _tags(self, name: str) -> dict[str, str]:
        return _aws.tags_to_dict((self._get(name, "get_bucket_tagging", "NoSuchTagSet") or {}).get("TagSet"))

    def _settings(self, name: str) -> _plan.Fields:
        """Return what the options ask for, and no more: each costs a call."""
        blocked = self._get(name, "get_public_access_block", "NoSuchPublicAccessBlockConfiguration") or {}
        owned = self._get(name, "get_bucket_ownership_controls", "OwnershipControlsNotFoundError") or {}
        rules = owned.get("OwnershipControls", {}).get("Rules") or [{}]
        fields: _plan.Fields = {
            "public_access_block": blocked.get("PublicAccessBlockConfiguration"),
            "ownership": rules[0].get("ObjectOwnership"),
        }
        wanted = {key for key, value in self._wanted(name, {}).items() if value is not None}
        if "versioning" in wanted:
            fields["versioning"] = (self._get(name, "get_bucket_versioning", "") or {}).get("Status") == "Enabled"
        if "encryption" in wanted:
            found = self._get(name, "get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError")
            fields["encryption"] = _bucket.encryption_of(found) if found else None
        if "lifecycle" in wanted:
            found = self._get(name, "get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration") or {}
            fields["lifecycle"] = _bucket.lifecycle_of(found.get("Rules", []))
        if "cors" in wanted:
            found = self._get(name, "get_bucket_cors", "NoSuchCORSConfiguration") or {}
            fields["cors"] = _bucket.cors_of(found.get("CORSRules", []))
        if "access_log" in wanted:
            log = (self._get(name, "get_bucket_logging", "") or {}).get("LoggingEnabled") or {}
            fields["access_log"] = {"bucket": log.get("TargetBucket", ""), "prefix": log.get("TargetPrefix", "")}
        return fields

    # What is wanted

    def changes(self, tree: _plan.Tree) -> list[_plan.Change]:
        if self.state == "absent" and not self.params["force_empty"]:
            full = [_plan.name_of(key) for key in sorted(tree) if not self._is_empty(_plan.name_of(key))]
            if full:
                raise _plan.Refused(
                    f"force_empty is false and {' and '.join(full)} {'hold' if len(full) > 1 else 'holds'} objects or former versions "
                    "of some, which state absent would lose. Keep them elsewhere first, then empty the bucket or set force_empty to true."
                )
        return super().changes(tree)

    def _is_empty(self, name: str) -> bool:
        found = self.apis[name].list_object_versions(Bucket=name, MaxKeys=1, aws_retry=True)
        return not found.get("Versions") and not found.get("DeleteMarkers")

    def _sids(self, name: str) -> list[str]:
        """Return the Sids that are ours; those of options that are not set belong to nobody."""
        sids = [_bucket.TLS_ONLY]
        if name == self.name:
            sids += [_bucket.READERS] if self.params["readers"] is not None else []
            sids += [_bucket.LISTERS, _bucket.WRITERS] if self.params["writers"] is not None else []
        return sids

    def _statements(self, name: str) -> dict[str, _bucket.Statement]:
        arn = _bucket.arn(name, self.regions[name])
        wanted = {_bucket.TLS_ONLY: _bucket.tls_only(arn)}
        if name == self.name:
            wanted.update(_bucket.readers(arn, self.params["readers"] or []))
            wanted.update(_bucket.writers(arn, self.params["writers"] or []))
        ours = _bucket.named(self._policy(name), wanted)
        return {sid: _bucket.kept(ours.get(sid), statement) for sid, statement in wanted.items()}

    def _policy(self, name: str) -> _bucket.Policy:
        return self.policies.setdefault(name, _bucket.parsed(None))

    def _wanted(self, name: str, now: _plan.Fields) -> _plan.Fields:
        params, copy = self.params, name != self.name
        key = (self.replication or {}).get("kms_key_id", "") if copy else params["kms_key_id"]
        return {
            "public_access_block": _bucket.BLOCKED,
            "ownership": _bucket.OWNERSHIP,
            "versioning": True if copy else params["versioning"],
            "encryption": None if key is None else _bucket.encryption(key),
            "lifecycle": _bucket.merged_rules(now.get("lifecycle"), params),
            "cors": None if copy or params["cors_origins"] is None else _bucket.cors_rules(params["cors_origins"]),
            "access_log": None if copy else params["access_log"],
            "tags": _aws.merged_tags(now.get("tags"), params["tags"], params["purge_tags"]),
        }

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        tree: _plan.Tree = {}
        for name in self.regions:
            key = f"bucket/{name}"
            wanted = self._wanted(name, current.get(key, {}))
            if key not in current:
                # What a new bucket is without being told; S3's own encryption is told, so that it shows.
                empty = {"versioning": False, "lifecycle": {}, "cors": [], "access_log": {"bucket": "", "prefix": ""}}
                wanted = {field: value for field, value in wanted.items() if empty.get(field) != value}
            tree[key] = wanted
            statements = self._statements(name)
            tree.update({f"statement/{name}/{sid}": {"statement": one} for sid, one in statements.items()})
            self.planned[name] = _bucket.merged(self._policy(name), statements, self._sids(name))
            self._refuse_open(name, self.planned[name])
        if self.copy and self.replication:
            tree[f"replication/{self.name}"] = {
                "bucket_arn": _bucket.arn(self.copy, self.regions[self.copy]),
                **{
                    name: self.replication[name]
                    for name in ("role_arn", "delete_markers", "storage_class", "kms_key_id")
                },
                "enabled": True,
                "rules": 1,
            }
        return tree

    def _refuse_open(self, name: str, policy: _bucket.Policy) -> None:
        """Refuse a policy that lets everybody in, whoever wrote the statement (R62, R63)."""
        found = [one.message(_bucket.place(name, policy, one.path)) for one in lint.bucket_policy(policy)]
        if found:
            raise _plan.Refused(" ".join(found))

    # Writing

    def _writer(self, name: str) -> Any:
        """Return a client that waits for what was made a moment ago, as reading must not."""
        if name not in self.writing:
            self.writing[name] = self.client("s3", self.regions[name], [*UNSETTLED, *NEW])
        return self.writing[name]

    def _create_bucket(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        name = change.name
        region = self.regions[name]
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            self.apis[name].create_bucket(Bucket=name, ObjectOwnership=_bucket.OWNERSHIP, aws_retry=True, **where)
        except is_boto3_error_code("BucketAlreadyOwnedByYou"):
            pass  # an answer was lost on its way
        # Whose it is comes first: a run that is killed from here on leaves a bucket that is known as ours.
        fields = {key: value for key, value in change.after.items() if key != "ownership"}
        self._write(name, {}, {"tags": fields.pop("tags", None), **fields})
        return {}

    def _update_bucket(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self._write(change.name, change.before, change.after)
        return {}

    def _write(self, name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        for field, value in after.items():
            if value is not None and not (field == "tags" and not value and not before.get("tags")):
                getattr(self, f"_put_{field}")(self._writer(name), name, value)

    def _put_tags(self, api: Any, name: str, value: dict[str, str]) -> None:
        if value:
            api.put_bucket_tagging(Bucket=name, Tagging={"TagSet": _aws.tags_to_list(value)}, aws_retry=True)
        else:
            api.delete_bucket_tagging(Bucket=name, aws_retry=True)

    def _put_public_access_block(self, api: Any, name: str, value: dict[str, bool]) -> None:
        api.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=value, aws_retry=True)

    def _put_ownership(self, api: Any, name: str, value: str) -> None:
        rules = {"Rules": [{"ObjectOwnership": value}]}
        api.put_bucket_ownership_controls(Bucket=name, OwnershipControls=rules, aws_retry=True)

    def _put_versioning(self, api: Any, name: str, value: bool) -> None:
        status = {"Status": "Enabled" if value else "Suspended"}
        api.put_bucket_versioning(Bucket=name, VersioningConfiguration=status, aws_retry=True)

    def _put_encryption(self, api: Any, name: str, value: dict[str, Any]) -> None:
        request = _bucket.encryption_request(value)
        api.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=request, aws_retry=True)

    def _put_lifecycle(self, api: Any, name: str, value: dict[str, _bucket.Rule]) -> None:
        rules = [{"ID": identity, **rule} for identity, rule in sorted(value.items())]
        if rules:
            api.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules}, aws_retry=True)
        else:
            api.delete_bucket_lifecycle(Bucket=name, aws_retry=True)

    def _put_cors(self, api: Any, name: str, value: list[_bucket.Rule]) -> None:
        if value:
            api.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": value}, aws_retry=True)
        else:
            api.delete_bucket_cors(Bucket=name, aws_retry=True)

    def _put_access_log(self, api: Any, name: str, value: dict[str, str]) -> None:
        target = {"TargetBucket": value["bucket"], "TargetPrefix": value["prefix"]}
        status = {"LoggingEnabled": target} if value["bucket"] else {}
        api.put_bucket_logging(Bucket=name, BucketLoggingStatus=status, aws_retry=True)

    def _write_statement(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        """Write the whole policy with the first of its statements; the others find it written."""
        bucket = change.name.split("/", 1)[0]
        policy = self.planned[bucket]
        if self.policies.get(bucket) != policy:
            self._writer(bucket).put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy), aws_retry=True)
            self.policies[bucket] = policy
        return {}

    _create_statement = _update_statement = _delete_statement = _write_statement

    def _put_replication(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        wanted = {**tree.get(change.key, {}), **change.after}
        self._writer(self.name).put_bucket_replication(
            Bucket=self.name, ReplicationConfiguration=_bucket.replication_request(wanted), aws_retry=True
        )
        return {}

    _create_replication = _update_replication = _put_replication

    def _delete_replication(self, _change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self.apis[self.name].delete_bucket_replication(Bucket=self.name, aws_retry=True)
        return {}

    def _delete_bucket(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        api, name = self.apis[change.name], change.name
        if self.params["force_empty"]:
            for some in self._versions(name):
                gone = api.delete_objects(Bucket=name, Delete={"Objects": some, "Quiet": True}, aws_retry=True)
                if gone.get("Errors"):
                    first = gone["Errors"][0]
                    raise _plan.Refused(
                        f"{first['Key']} of the bucket {name} could not be deleted: {first.get('Message') or first['Code']}. "
                        "The bucket and what is left in it stay."
                    )
        try:
            api.delete_bucket(Bucket=name, aws_retry=True)
        except is_boto3_error_code("NoSuchBucket"):
            pass
        except is_boto3_error_code("BucketNotEmpty") as error:
            raise _plan.Refused(
                f"The bucket {name} got new objects while it was removed: stop who writes to it, and run again."
            ) from error
        return {}

    def _versions(self, name: str) -> Iterator[list[dict[str, str]]]:
        """Yield all versions and delete markers of a bucket, as many at a time as one call deletes."""
        pages = (
            self.apis[name]
            .get_paginator("list_object_versions")
            .paginate(Bucket=name, PaginationConfig={"PageSize": AT_ONCE})
        )
        for page in pages:
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            yield from _owned.batches(({"Key": one["Key"], "VersionId": one["VersionId"]} for one in found), AT_ONCE)

    # Facts

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        there = f"bucket/{self.name}" in tree
        copy = self.copy if self.copy and f"bucket/{self.copy}" in tree else None
        return {
            "bucket": self.name if there else None,
            "arn": _bucket.arn(self.name, self.region) if there else None,
            "bucket_region": self.region if there else None,
            "domain_name": _bucket.domain(self.name, self.region) if there else None,
            "replica": None
            if copy is None
            else {"bucket": copy, "arn": _bucket.arn(copy, self.regions[copy]), "region": self.regions[copy]},
        }


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "versioning": {"type": "bool"},
            "kms_key_id": {"type": "str"},
            "noncurrent_days": {"type": "int"},
            "incomplete_upload_days": {"type": "int"},
            "lifecycle_rules": {"type": "dict"},
            "cors_origins": {"type": "list", "elements": "str"},
            "access_log": {"type": "dict", "options": LOG_SPEC},
            "readers": {"type": "list", "elements": "str"},
            "writers": {"type": "list", "elements": "str"},
            "replication": {"type": "dict", "options": REPLICATION_SPEC},
            "force_empty": {"type": "bool", "default": False},
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
        },
        supports_check_mode=True,
    )
    _aws.main(module, PrivateBucket)


if __name__ == "__main__":
    main()
