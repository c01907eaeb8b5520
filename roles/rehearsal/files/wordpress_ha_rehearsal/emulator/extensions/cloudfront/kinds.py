# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The three kinds of policies, and where those of a kind are kept: AWS's own and the account's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .shared import managed
from .store import Record, arn, table


@dataclass(frozen=True)
class Kind:
    """One kind of policy: the name in the API's shapes, in handlers and in paths."""

    shape: str
    method: str
    path: str
    words: str

    @property
    def config(self) -> str:
        return f"{self.shape}Config"

    @property
    def plural(self) -> str:
        return self.method.removesuffix("y") + "ies"


KINDS = (
    Kind("CachePolicy", "cache_policy", "cache-policy", "cache policy"),
    Kind("OriginRequestPolicy", "origin_request_policy", "origin-request-policy", "origin request policy"),
    Kind("ResponseHeadersPolicy", "response_headers_policy", "response-headers-policy", "response headers policy"),
)


def records(backend: Any, kind: str) -> dict[str, Record]:
    """Return the policies of a kind (``cache_policy``...), AWS's own first."""
    known = table(backend, kind)
    if not known:
        for policy in managed.policies(kind):
            known[policy.id] = Record(policy.id, arn(backend, kind, policy.id), policy.config, managed=True)
    return known
