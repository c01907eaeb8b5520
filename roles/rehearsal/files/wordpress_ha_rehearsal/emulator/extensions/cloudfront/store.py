# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where CloudFront's resources are kept, and the rules all of them share: identifiers, ETags, If-Match, pages.

Tables hang on moto's backend, of which a reset makes a new one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.cloudfront import urls
from moto.cloudfront.exceptions import CloudFrontException
from moto.cloudfront.models import random_id
from moto.cloudfront.responses import CloudFrontResponse
from moto.core.utils import utcnow

API = "2020-05-31"
Config = dict[str, Any]

_ETAG = re.compile(r"^E[A-Z0-9]+$")


class Refusal(CloudFrontException):
    """An error of the API; the service model knows the status that belongs to its code."""

    __module__ = "moto.cloudfront.exceptions"  # moto finds the service's model by the module


def new_etag() -> str:
    """Return an ETag as CloudFront makes them: E and thirteen letters or digits."""
    return f"E{random_id()}"


@dataclass
class Record:
    """One resource: its configuration as it was sent, and what CloudFront adds to it."""

    id: str
    arn: str
    config: Config
    etag: str = field(default_factory=new_etag)
    created: datetime = field(default_factory=utcnow)
    changed: datetime = field(default_factory=utcnow)
    managed: bool = False
    more: dict[str, Any] = field(default_factory=dict)

    def write(self, config: Config) -> None:
        """Take over a new configuration under a new ETag."""
        self.config, self.etag, self.changed = config, new_etag(), utcnow()


def table(backend: Any, kind: str) -> dict[str, Record]:
    """Return the resources of a kind by identifier; empty at first."""
    tables: dict[str, dict[str, Record]] = backend.__dict__.setdefault("rehearsal_tables", {})
    return tables.setdefault(kind, {})


def arn(backend: Any, kind: str, identifier: str) -> str:
    """Return the ARN of a resource; CloudFront's have no region."""
    return f"arn:aws:cloudfront::{backend.account_id}:{kind}/{identifier}"


def found(records: dict[str, Record], identifier: str, code: str, what: str) -> Record:
    """Return a resource, or raise the API's error for one that is not there."""
    if identifier not in records:
        raise Refusal(code, f"The specified {what} does not exist.")
    return records[identifier]


def matched(record: Record, if_match: str | None) -> Record:
    """Return the record if the caller has seen its present state (If-Match), or raise the API's error."""
    if not if_match or not _ETAG.match(if_match):
        raise Refusal("InvalidIfMatchVersion", "The If-Match version is missing or not valid for the resource.")
    if if_match != record.etag:
        raise Refusal(
            "PreconditionFailed",
            "The request failed because it didn't meet the preconditions in one or more request-header fields.",
        )
    return record


def unused_name(records: dict[str, Record], config: Config, code: str, what: str, me: Record | None = None) -> None:
    """Refuse a name that another resource of the kind has."""
    for record in records.values():
        if record is not me and record.config.get("Name") == config.get("Name"):
            raise Refusal(code, f"A {what} with the same name already exists in this account: {config.get('Name')}.")


def page(response: Any, entries: Sequence[tuple[str, Any]], most: int = 100, extra: Config | None = None) -> Config:
    """Return one page of a list answer; ``entries`` are (marker, item), and a page begins after its Marker."""
    marker = response._get_param("Marker") or ""
    size = int(response._get_param("MaxItems") or most)
    markers = [key for key, _unused in entries]
    start = markers.index(marker) + 1 if marker in markers else 0
    part = list(entries)[start : start + size]
    truncated = start + size < len(entries)
    made: Config = {"Marker": marker, "MaxItems": size, "IsTruncated": truncated, "Quantity": len(part)}
    if part:
        made["Items"] = [item for _unused, item in part]
    if truncated:
        made["NextMarker"] = part[-1][0]
    return {**made, **(extra or {})}


def location(path: str) -> str:
    return f"https://cloudfront.amazonaws.com/{API}/{path}"


def route(*paths: str) -> None:
    """Let moto's server hand more paths below the API's version to CloudFront; labels are written ``{id}``."""
    for path in paths:
        pattern = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path)
        urls.url_paths["{0}/" + f"{API}/{pattern}$"] = CloudFrontResponse.dispatch


def handle(name: str, method: Callable[[Any], Any]) -> None:
    """Add the handler of an operation, or replace moto's."""
    setattr(CloudFrontResponse, name, method)
