# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lists that answer which distributions use something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult

from .. import extension
from . import distributions, validation
from .kinds import KINDS, Kind, records
from .store import Config, Refusal, handle, page, route, table

Uses = Callable[[Config, str], bool]


def _list(response: Any, wanted: str, uses: Uses) -> list[distributions.Record]:
    return [one for one in distributions.distributions(response.backend).values() if uses(one.config, wanted)]


def _by_policy(kind: Kind) -> None:
    field = f"{kind.shape}Id"

    def list_users(self: Any) -> ActionResult:
        wanted = self._get_param(field)
        if wanted not in records(self.backend, kind.method):
            raise Refusal(f"NoSuch{kind.shape}", f"The specified {kind.words} does not exist.")
        used = _list(
            self, wanted, lambda config, name: any(one.get(field) == name for one in validation.behaviors(config))
        )
        return ActionResult({"DistributionIdList": page(self, [(one.id, one.id) for one in used])})

    handle(f"list_distributions_by_{kind.method}_id", list_users)
    route(f"distributionsBy{field}/{{id}}")


def _vpc_origin_used(config: Config, wanted: str) -> bool:
    return any((one.get("VpcOriginConfig") or {}).get("VpcOriginId") == wanted for one in validation.origins(config))


@extension("cloudfront-lookups", "distributions cannot be listed by policy, VPC origin or web ACL")
def _lookups() -> None:
    for kind in KINDS:
        _by_policy(kind)

    def by_vpc_origin(self: Any) -> ActionResult:
        wanted = self._get_param("VpcOriginId")
        if wanted not in table(self.backend, "vpc_origin"):
            raise Refusal("EntityNotFound", "The specified VPC origin does not exist.")
        used = _list(self, wanted, _vpc_origin_used)
        return ActionResult({"DistributionIdList": page(self, [(one.id, one.id) for one in used])})

    def by_web_acl(self: Any) -> ActionResult:
        wanted = self._get_param("WebACLId")
        used = _list(self, "" if wanted == "null" else wanted, lambda config, name: config["WebACLId"] == name)
        return ActionResult({"DistributionList": page(self, [(one.id, distributions.summary(one)) for one in used])})

    handle("list_distributions_by_vpc_origin_id", by_vpc_origin)
    handle("list_distributions_by_web_acl_id", by_web_acl)
    route("distributionsByVpcOriginId/{id}", "distributionsByWebACLId/{id}")
