# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CloudFront functions: a development and a live stage, each with an ETag of its own."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult

from .. import extension
from . import validation
from .store import Config, Record, Refusal, arn, found, handle, location, matched, page, route, table

KIND = "function"
DEVELOPMENT, LIVE = "DEVELOPMENT", "LIVE"


def live(backend: Any) -> list[Record]:
    """Return the live stages of all published functions."""
    return [record.more[LIVE] for record in table(backend, KIND).values() if LIVE in record.more]


def _one(response: Any, changing: bool = False) -> Record:
    record = found(table(response.backend, KIND), response._get_param("Name"), "NoSuchFunctionExists", "function")
    return matched(record, response._get_param("IfMatch")) if changing else record


def _users(backend: Any, function: Record) -> list[str]:
    return [
        distribution.id
        for distribution in table(backend, "distribution").values()
        for behavior in validation.behaviors(distribution.config)
        for association in validation.items(behavior.get("FunctionAssociations"))
        if association["FunctionARN"] == function.arn
    ]


def _stage(response: Any, record: Record) -> Record:
    """Return the record of the stage asked for; the live one is a copy made by publishing."""
    if (response._get_param("Stage") or DEVELOPMENT) == DEVELOPMENT:
        return record
    if LIVE not in record.more:
        raise Refusal("NoSuchFunctionExists", "The specified function does not exist in the LIVE stage.")
    live: Record = record.more[LIVE]
    return live


def _summary(backend: Any, record: Record, stage: str) -> Config:
    if stage == LIVE:
        status = "DEPLOYED" if _users(backend, record) else "UNASSOCIATED"
    else:
        live = record.more.get(LIVE)
        same = live and (live.config, live.more) == (record.config, {"code": record.more["code"]})
        status = "UNASSOCIATED" if same else "UNPUBLISHED"
    return {
        "Name": record.id,
        "Status": status,
        "FunctionConfig": record.config,
        "FunctionMetadata": {
            "FunctionARN": record.arn,
            "Stage": stage,
            "CreatedTime": record.created,
            "LastModifiedTime": record.changed,
        },
    }


def _answer(response: Any, record: Record, stage: str = DEVELOPMENT, **more: Any) -> ActionResult:
    summary = _summary(response.backend, record, stage)
    return ActionResult({"FunctionSummary": summary, "ETag": record.etag, **more})


@extension("cloudfront-functions", "functions cannot be updated or published, and If-Match is ignored")
def _functions() -> None:
    def create(self: Any) -> ActionResult:
        known, name = table(self.backend, KIND), self._get_param("Name")
        if name in known:
            raise Refusal("FunctionAlreadyExists", f"A function with the same name already exists: {name}.")
        config, code = self._get_param("FunctionConfig"), self._get_param("FunctionCode")
        validation.function(name, config, code)
        record = known[name] = Record(name, arn(self.backend, KIND, name), config, more={"code": code})
        self.backend.tagger.tag_resource(record.arn, self._get_param("Tags.Items", []) or [])
        return _answer(self, record, Location=location(f"function/{name}"))

    def update(self: Any) -> ActionResult:
        record = _one(self, changing=True)
        config, code = self._get_param("FunctionConfig"), self._get_param("FunctionCode")
        validation.function(record.id, config, code)
        record.write(config)
        record.more["code"] = code
        return _answer(self, record)

    def publish(self: Any) -> ActionResult:
        record = _one(self, changing=True)
        live = Record(record.id, record.arn, record.config, created=record.created, more={"code": record.more["code"]})
        record.more[LIVE] = live
        return ActionResult({"FunctionSummary": _summary(self.backend, live, LIVE)})

    def describe(self: Any) -> ActionResult:
        return _answer(self, _stage(self, _one(self)), self._get_param("Stage") or DEVELOPMENT)

    def get(self: Any) -> ActionResult:
        record = _stage(self, _one(self))
        content = {"FunctionCode": record.more["code"], "ContentType": "application/octet-stream"}
        return ActionResult({**content, "ETag": record.etag})

    def delete(self: Any) -> ActionResult:
        record = _one(self, changing=True)
        users = _users(self.backend, record)
        if users:
            raise Refusal("FunctionInUse", f"Cannot delete the function because it is in use by {users[0]}.")
        del table(self.backend, KIND)[record.id]
        return EmptyResult()

    def list_all(self: Any) -> ActionResult:
        wanted = self._get_param("Stage")
        entries = []
        for record in table(self.backend, KIND).values():
            if wanted in (None, DEVELOPMENT):
                entries.append((f"{record.id}/{DEVELOPMENT}", _summary(self.backend, record, DEVELOPMENT)))
            if wanted in (None, LIVE) and LIVE in record.more:
                entries.append((f"{record.id}/{LIVE}", _summary(self.backend, record.more[LIVE], LIVE)))
        return ActionResult({"FunctionList": page(self, entries)})

    handle("create_function", create)
    handle("update_function", update)
    handle("publish_function", publish)
    handle("describe_function", describe)
    handle("get_function", get)
    handle("delete_function", delete)
    handle("list_functions", list_all)
    route("function/{name}/publish")
