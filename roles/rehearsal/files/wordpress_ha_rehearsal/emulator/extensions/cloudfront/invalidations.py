# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Invalidations: a batch is in progress until the edge was seen to have dropped what it names."""

from __future__ import annotations

from typing import Any

from moto.cloudfront.models import random_id
from moto.core.responses import ActionResult

from .. import extension
from . import distributions, validation
from .store import Config, Record, Refusal, found, handle, location, page, route, table

KIND = "invalidation"
IN_PROGRESS, COMPLETED = "InProgress", "Completed"
#: Paths of one distribution that may be in progress at a time, and those of them that end with a wildcard.
MOST_PATHS, MOST_WILDCARDS = 3000, 15


def of(backend: Any, distribution_id: str) -> list[Record]:
    """Return a distribution's invalidations, the newest first."""
    return [one for one in reversed(table(backend, KIND).values()) if one.more["distribution"] == distribution_id]


def in_progress(backend: Any) -> list[Record]:
    """Return what the edge has still to drop."""
    return [one for one in table(backend, KIND).values() if one.more["status"] == IN_PROGRESS]


def report(backend: Any, identifier: str, status: str) -> None:
    """Take over that the edge is done; an unknown invalidation may be gone with its distribution."""
    record = table(backend, KIND).get(identifier)
    if record is not None and status.lower() == COMPLETED.lower():
        record.more["status"] = COMPLETED


def paths(record: Record) -> list[str]:
    return [str(path) for path in validation.items(record.config["Paths"])]


def _described(record: Record) -> Config:
    identity = {"Id": record.id, "Status": record.more["status"], "CreateTime": record.created}
    return {**identity, "InvalidationBatch": record.config}


def _refuse(backend: Any, distribution: Record, batch: Config) -> None:
    wanted = validation.items(batch.get("Paths"))
    if not wanted:
        raise Refusal("InvalidArgument", "Your request does not contain any paths.")
    for path in wanted:
        if not path.startswith("/") or "*" in path[:-1]:
            raise Refusal("InvalidArgument", f"Your request contains one or more invalid invalidation paths: {path}")
    mine = [one for one in of(backend, distribution.id) if one.more["status"] == IN_PROGRESS]
    busy = [path for one in mine for path in paths(one)]
    if len(wanted) > MOST_PATHS:
        raise Refusal("BatchTooLarge", "Invalidation batch specified is too large.")
    wildcards = sum(path.endswith("*") for path in [*busy, *wanted])
    if len(busy) + len(wanted) > MOST_PATHS or wildcards > MOST_WILDCARDS:
        raise Refusal(
            "TooManyInvalidationsInProgress",
            "Processing your request will cause you to exceed the maximum number of in-progress invalidations.",
        )


def _create(response: Any) -> ActionResult:
    backend, batch = response.backend, response._get_param("InvalidationBatch")
    distribution = distributions.one(response, "DistributionId")
    validation.counted(batch)
    for other in of(backend, distribution.id):
        if other.config["CallerReference"] == batch["CallerReference"]:
            if sorted(paths(other)) == sorted(validation.items(batch.get("Paths"))):
                return _answer(distribution, other)
            raise Refusal(
                "InvalidArgument",
                "Your request contains a caller reference that was used for a previous invalidation batch "
                "for the same distribution.",
            )
    _refuse(backend, distribution, batch)
    identifier = f"I{random_id()}"
    record = table(backend, KIND)[identifier] = Record(identifier, "", batch)
    record.more.update(distribution=distribution.id, status=IN_PROGRESS)
    return _answer(distribution, record)


def _answer(distribution: Record, record: Record) -> ActionResult:
    where = location(f"distribution/{distribution.id}/invalidation/{record.id}")
    return ActionResult({"Location": where, "Invalidation": _described(record)})


@extension("cloudfront-invalidations", "an invalidation is done at once, whatever its paths and caller reference")
def _invalidations() -> None:
    def get(self: Any) -> ActionResult:
        mine = {one.id: one for one in of(self.backend, distributions.one(self, "DistributionId").id)}
        return ActionResult(
            {"Invalidation": _described(found(mine, self._get_param("Id"), "NoSuchInvalidation", KIND))}
        )

    def list_all(self: Any) -> ActionResult:
        entries = [
            (one.id, {key: value for key, value in _described(one).items() if key != "InvalidationBatch"})
            for one in of(self.backend, distributions.one(self, "DistributionId").id)
        ]
        return ActionResult({"InvalidationList": page(self, entries)})

    handle("create_invalidation", _create)
    handle("get_invalidation", get)
    handle("list_invalidations", list_all)
    route("distribution/{id}/invalidation", "distribution/{id}/invalidation/{invalidation}")
