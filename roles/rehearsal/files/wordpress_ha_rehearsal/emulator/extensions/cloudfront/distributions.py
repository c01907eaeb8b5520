# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Distributions: all of their configuration is kept, each write needs the latest ETag, and the edge takes its time."""

from __future__ import annotations

from typing import Any

from moto.cloudfront.models import random_id
from moto.core.responses import ActionResult, EmptyResult

from .. import extension
from . import validation
from .defaults import completed
from .store import Config, Record, Refusal, arn, found, handle, location, matched, page, route, table

KIND = "distribution"
#: What a list tells of each distribution besides its identity.
_SUMMARIZED = (
    "Aliases", "Origins", "OriginGroups", "DefaultCacheBehavior", "CacheBehaviors", "CustomErrorResponses", "Comment",
    "PriceClass", "Enabled", "ViewerCertificate", "Restrictions", "WebACLId", "HttpVersion", "IsIPV6Enabled", "Staging",
)  # fmt: skip


def distributions(backend: Any) -> dict[str, Record]:
    """Return the distributions by identifier."""
    return table(backend, KIND)


def one(response: Any, parameter: str = "Id", changing: bool = False) -> Record:
    """Return the distribution that a request names; ``changing`` demands its latest ETag."""
    identifier = response._get_param(parameter)
    record = found(distributions(response.backend), identifier, "NoSuchDistribution", "distribution")
    return matched(record, response._get_param("IfMatch")) if changing else record


def status(record: Record) -> str:
    """Return Deployed once the edge was seen to serve the latest configuration."""
    return "Deployed" if record.more.get("observed") == record.etag else "InProgress"


def report(backend: Any, identifier: str, etag: str) -> None:
    """Take over which configuration the edge serves; an unknown distribution may be gone already."""
    record = distributions(backend).get(identifier)
    if record is not None:
        record.more["observed"] = etag


def described(backend: Any, record: Record) -> Config:
    """Return a distribution as GetDistribution does."""
    batches = [one.more for one in table(backend, "invalidation").values()]
    return {
        "Id": record.id,
        "ARN": record.arn,
        "Status": status(record),
        "LastModifiedTime": record.changed,
        "InProgressInvalidationBatches": sum(
            (one["distribution"], one["status"]) == (record.id, "InProgress") for one in batches
        ),
        "DomainName": record.more["domain_name"],
        "ActiveTrustedSigners": {"Enabled": False, "Quantity": 0},
        "ActiveTrustedKeyGroups": {"Enabled": False, "Quantity": 0},
        "DistributionConfig": record.config,
        "AliasICPRecordals": [
            {"CNAME": alias, "ICPRecordalStatus": "APPROVED"} for alias in validation.items(record.config["Aliases"])
        ],
    }


def summary(record: Record) -> Config:
    """Return a distribution as lists do."""
    return {
        "Id": record.id,
        "ARN": record.arn,
        "ETag": record.etag,
        "Status": status(record),
        "LastModifiedTime": record.changed,
        "DomainName": record.more["domain_name"],
        **{name: record.config[name] for name in _SUMMARIZED if name in record.config},
    }


def _create(response: Any, config: Config, tags: list[dict[str, str]]) -> ActionResult:
    backend = response.backend
    for other in distributions(backend).values():
        if other.config["CallerReference"] == config["CallerReference"]:
            raise Refusal(
                "DistributionAlreadyExists",
                "The caller reference that you are using to create a distribution is associated with another "
                f"distribution. Already exists: {other.id}",
            )
    validation.distribution(backend, config)
    identifier = f"E{random_id()}"
    record = Record(identifier, arn(backend, KIND, identifier), completed(config))
    record.more["domain_name"] = f"d{random_id(uppercase=False)}.cloudfront.net"
    distributions(backend)[identifier] = record
    backend.tagger.tag_resource(record.arn, tags)
    return _answer(response, record, Location=location(f"distribution/{identifier}"))


def _answer(response: Any, record: Record, **more: Any) -> ActionResult:
    return ActionResult({"Distribution": described(response.backend, record), "ETag": record.etag, **more})


@extension(
    "cloudfront-distributions", "a part of the configuration is lost, nothing is validated, and If-Match is ignored"
)
def _distributions() -> None:
    def create(self: Any) -> ActionResult:
        return _create(self, self._get_param("DistributionConfig"), [])

    def create_with_tags(self: Any) -> ActionResult:
        sent = self._get_param("DistributionConfigWithTags")
        return _create(self, sent["DistributionConfig"], validation.items(sent.get("Tags")))

    def get(self: Any) -> ActionResult:
        return _answer(self, one(self))

    def get_config(self: Any) -> ActionResult:
        record = one(self)
        return ActionResult({"DistributionConfig": record.config, "ETag": record.etag})

    def update(self: Any) -> ActionResult:
        record, config = one(self, changing=True), self._get_param("DistributionConfig")
        if config["CallerReference"] != record.config["CallerReference"]:
            raise Refusal("IllegalUpdate", "The caller reference of a distribution cannot be changed.")
        validation.distribution(self.backend, config, record)
        record.write(completed(config))
        return _answer(self, record)

    def delete(self: Any) -> ActionResult:
        record = one(self, changing=True)
        if record.config["Enabled"] or status(record) != "Deployed":
            raise Refusal("DistributionNotDisabled", "The distribution you are trying to delete has not been disabled.")
        del distributions(self.backend)[record.id]
        self.backend.tagger.delete_all_tags_for_resource(record.arn)
        batches = table(self.backend, "invalidation")
        for identifier in [one.id for one in batches.values() if one.more["distribution"] == record.id]:
            del batches[identifier]
        return EmptyResult()

    def list_all(self: Any) -> ActionResult:
        entries = [(record.id, summary(record)) for record in distributions(self.backend).values()]
        return ActionResult({"DistributionList": page(self, entries)})

    handle("create_distribution", create)
    handle("create_distribution_with_tags", create_with_tags)
    handle("get_distribution", get)
    handle("get_distribution_config", get_config)
    handle("update_distribution", update)
    handle("delete_distribution", delete)
    handle("list_distributions", list_all)
    route("distribution", "distribution/{id}", "distribution/{id}/config")
