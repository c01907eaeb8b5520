# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Origin access controls: how CloudFront signs what it asks of a bucket."""

from __future__ import annotations

from typing import Any

from moto.cloudfront.models import random_id
from moto.core.responses import ActionResult, EmptyResult

from .. import extension
from . import validation
from .store import Config, Record, Refusal, arn, found, handle, location, matched, page, table, unused_name

KIND = "origin_access_control"
CONFIG = "OriginAccessControlConfig"
WORDS = "origin access control"


def _one(response: Any, changing: bool = False) -> Record:
    known = table(response.backend, KIND)
    record = found(known, response._get_param("Id"), "NoSuchOriginAccessControl", WORDS)
    return matched(record, response._get_param("IfMatch")) if changing else record


def _answer(record: Record, **more: Any) -> ActionResult:
    described = {"Id": record.id, CONFIG: record.config}
    return ActionResult({"OriginAccessControl": described, "ETag": record.etag, **more})


def _summary(record: Record) -> Config:
    return {"Id": record.id, "Description": "", **record.config}


@extension("cloudfront-origin-access-control", "If-Match is ignored, names repeat, and one in use can be deleted")
def _access_control() -> None:
    def create(self: Any) -> ActionResult:
        known, config = table(self.backend, KIND), self._get_param(CONFIG)
        unused_name(known, config, "OriginAccessControlAlreadyExists", WORDS)
        identifier = f"E{random_id()}"
        record = known[identifier] = Record(identifier, arn(self.backend, "origin-access-control", identifier), config)
        return _answer(record, Location=location(f"origin-access-control/{identifier}"))

    def get(self: Any) -> ActionResult:
        return _answer(_one(self))

    def get_config(self: Any) -> ActionResult:
        record = _one(self)
        return ActionResult({CONFIG: record.config, "ETag": record.etag})

    def update(self: Any) -> ActionResult:
        record, config = _one(self, changing=True), self._get_param(CONFIG)
        unused_name(table(self.backend, KIND), config, "OriginAccessControlAlreadyExists", WORDS, record)
        record.write(config)
        return _answer(record)

    def delete(self: Any) -> ActionResult:
        record = _one(self, changing=True)
        for distribution in table(self.backend, "distribution").values():
            if any(
                origin.get("OriginAccessControlId") == record.id for origin in validation.origins(distribution.config)
            ):
                raise Refusal(
                    "OriginAccessControlInUse",
                    f"Cannot delete the {WORDS} because it is in use by one or more distributions: {distribution.id}.",
                )
        del table(self.backend, KIND)[record.id]
        return EmptyResult()

    def list_all(self: Any) -> ActionResult:
        entries = [(record.id, _summary(record)) for record in table(self.backend, KIND).values()]
        return ActionResult({"OriginAccessControlList": page(self, entries)})

    handle("create_origin_access_control", create)
    handle("get_origin_access_control", get)
    handle("get_origin_access_control_config", get_config)
    handle("update_origin_access_control", update)
    handle("delete_origin_access_control", delete)
    handle("list_origin_access_controls", list_all)
