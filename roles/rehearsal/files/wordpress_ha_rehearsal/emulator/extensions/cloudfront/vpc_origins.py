# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""VPC origins: load balancers in private subnets that CloudFront reaches."""

from __future__ import annotations

from typing import Any

from moto.cloudfront.models import random_id
from moto.core.responses import ActionResult

from .. import extension
from . import validation
from .store import Config, Record, Refusal, arn, found, handle, location, matched, page, route, table, unused_name

KIND = "vpc_origin"
CONFIG = "VpcOriginEndpointConfig"
WORDS = "VPC origin"


def _one(response: Any, changing: bool = False) -> Record:
    record = found(table(response.backend, KIND), response._get_param("Id"), "EntityNotFound", WORDS)
    return matched(record, response._get_param("IfMatch")) if changing else record


def _described(record: Record) -> Config:
    return {
        "Id": record.id,
        "Arn": record.arn,
        "Status": "Deployed",
        "CreatedTime": record.created,
        "LastModifiedTime": record.changed,
        CONFIG: record.config,
    }


def _answer(record: Record, **more: Any) -> ActionResult:
    return ActionResult({"VpcOrigin": _described(record), "ETag": record.etag, **more})


@extension("cloudfront-vpc-origins", "VPC origins do not exist")
def _vpc_origins() -> None:
    def create(self: Any) -> ActionResult:
        known, config = table(self.backend, KIND), self._get_param(CONFIG)
        unused_name(known, config, "EntityAlreadyExists", WORDS)
        identifier = f"vo_{random_id(length=22)}"
        record = known[identifier] = Record(identifier, arn(self.backend, "vpcorigin", identifier), config)
        self.backend.tagger.tag_resource(record.arn, self._get_param("Tags.Items", []) or [])
        return _answer(record, Location=location(f"vpc-origin/{identifier}"))

    def get(self: Any) -> ActionResult:
        return _answer(_one(self))

    def update(self: Any) -> ActionResult:
        record, config = _one(self, changing=True), self._get_param(CONFIG)
        unused_name(table(self.backend, KIND), config, "EntityAlreadyExists", WORDS, record)
        record.write(config)
        return _answer(record)

    def delete(self: Any) -> ActionResult:
        record = _one(self, changing=True)
        for distribution in table(self.backend, "distribution").values():
            for origin in validation.origins(distribution.config):
                if (origin.get("VpcOriginConfig") or {}).get("VpcOriginId") == record.id:
                    raise Refusal("CannotDeleteEntityWhileInUse", f"The {WORDS} is in use by {distribution.id}.")
        del table(self.backend, KIND)[record.id]
        return _answer(record)

    def list_all(self: Any) -> ActionResult:
        entries = [
            (
                record.id,
                {
                    **{key: value for key, value in _described(record).items() if key != CONFIG},
                    "Name": record.config["Name"],
                    "AccountId": self.backend.account_id,
                    "OriginEndpointArn": record.config["Arn"],
                },
            )
            for record in table(self.backend, KIND).values()
        ]
        return ActionResult({"VpcOriginList": page(self, entries)})

    handle("create_vpc_origin", create)
    handle("get_vpc_origin", get)
    handle("update_vpc_origin", update)
    handle("delete_vpc_origin", delete)
    handle("list_vpc_origins", list_all)
    route("vpc-origin", "vpc-origin/{id}")
