# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cache, origin request and response headers policies: AWS's own and the account's."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.moto_api._internal import mock_random

from .. import extension
from . import validation
from .kinds import KINDS, Kind, records
from .store import Config, Record, Refusal, arn, found, handle, location, matched, page, route, table, unused_name


def described(kind: Kind, record: Record) -> Config:
    return {"Id": record.id, "LastModifiedTime": record.changed, kind.config: record.config}


def _answer(kind: Kind, record: Record, **more: Any) -> ActionResult:
    return ActionResult({kind.shape: described(kind, record), "ETag": record.etag, **more})


def _users(backend: Any, kind: Kind, identifier: str) -> list[str]:
    """Return the distributions with a behavior that names the policy."""
    return [
        record.id
        for record in table(backend, "distribution").values()
        if any(behavior.get(f"{kind.shape}Id") == identifier for behavior in validation.behaviors(record.config))
    ]


def _add(kind: Kind) -> None:
    def one(self: Any, refusal: str = "") -> Record:
        """Return the policy of a request; for a change, ``refusal`` is the code if AWS manages it."""
        code = f"NoSuch{kind.shape}"
        record = found(records(self.backend, kind.method), self._get_param("Id"), code, kind.words)
        if refusal and record.managed:
            raise Refusal(refusal, f"You cannot change a managed policy: {record.config['Name']}.")
        return matched(record, self._get_param("IfMatch")) if refusal else record

    def create(self: Any) -> ActionResult:
        known, config = records(self.backend, kind.method), self._get_param(kind.config)
        validation.policy(kind.method, config)
        unused_name(known, config, f"{kind.shape}AlreadyExists", kind.words)
        identifier = str(mock_random.uuid4())
        record = known[identifier] = Record(identifier, arn(self.backend, kind.path, identifier), config)
        return _answer(kind, record, Location=location(f"{kind.path}/{identifier}"))

    def get(self: Any) -> ActionResult:
        return _answer(kind, one(self))

    def get_config(self: Any) -> ActionResult:
        record = one(self)
        return ActionResult({kind.config: record.config, "ETag": record.etag})

    def update(self: Any) -> ActionResult:
        record, config = one(self, "IllegalUpdate"), self._get_param(kind.config)
        validation.policy(kind.method, config)
        unused_name(records(self.backend, kind.method), config, f"{kind.shape}AlreadyExists", kind.words, record)
        record.write(config)
        return _answer(kind, record)

    def delete(self: Any) -> ActionResult:
        record = one(self, "IllegalDelete")
        users = _users(self.backend, kind, record.id)
        if users:
            raise Refusal(
                f"{kind.shape}InUse",
                f"Cannot delete the {kind.words} because it is attached to one or more cache behaviors: {users[0]}.",
            )
        del records(self.backend, kind.method)[record.id]
        return EmptyResult()

    def list_all(self: Any) -> ActionResult:
        wanted = self._get_param("Type")
        entries = [
            (record.id, {"Type": owner, kind.shape: described(kind, record)})
            for record in records(self.backend, kind.method).values()
            for owner in ["managed" if record.managed else "custom"]
            if wanted in (None, owner)
        ]
        answer = page(self, entries)
        return ActionResult({f"{kind.shape}List": answer})

    handle(f"create_{kind.method}", create)
    handle(f"get_{kind.method}", get)
    handle(f"get_{kind.method}_config", get_config)
    handle(f"update_{kind.method}", update)
    handle(f"delete_{kind.method}", delete)
    handle(f"list_{kind.plural}", list_all)
    route(kind.path, f"{kind.path}/{{id}}", f"{kind.path}/{{id}}/config")


@extension("cloudfront-policies", "cache, origin request and response headers policies do not exist")
def _policies() -> None:
    for kind in KINDS:
        _add(kind)
