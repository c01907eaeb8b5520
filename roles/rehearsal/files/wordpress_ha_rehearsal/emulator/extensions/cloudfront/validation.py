# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What CloudFront refuses: counts that do not fit, what the lint of the modules calls refused, and clashes in the account."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from moto.acm.models import acm_backends

from . import shared
from .kinds import KINDS, records
from .store import Config, Record, Refusal, table


def items(listed: Config | None) -> list[Any]:
    """Return the items of a counted list, none if it is missing."""
    return list((listed or {}).get("Items") or [])


def behaviors(config: Config) -> list[Config]:
    """Return the default behavior and those after it."""
    return [config.get("DefaultCacheBehavior") or {}, *items(config.get("CacheBehaviors"))]


def origins(config: Config) -> list[Config]:
    return items(config.get("Origins"))


@functools.cache
def lint() -> Any:
    """Return the modules' lint; imported when the first resource is checked, since most rehearsals begin without."""
    return shared.load("lint")


def _refuse(findings: Iterable[Any]) -> None:
    for finding in findings:
        if finding.severity == "refused":
            where = ".".join(str(part) for part in finding.path)
            raise Refusal(finding.code, f"{where}: {finding.problem}")


def counted(value: Any) -> None:
    """Refuse a list whose Quantity is not the number of its items, at any depth."""
    if isinstance(value, dict):
        if "Quantity" in value and value["Quantity"] != len(value.get("Items") or []):
            raise Refusal("InconsistentQuantities", "The value of Quantity and the size of Items don't match.")
        for part in value.values():
            counted(part)
    elif isinstance(value, list):
        for part in value:
            counted(part)


def policy(kind: str, config: Config) -> None:
    """Check a policy of a kind (``cache_policy``...)."""
    counted(config)
    _refuse(getattr(lint(), kind)(config))


def function(name: str, config: Config, code: bytes) -> None:
    """Check a function and its code."""
    _refuse(lint().function(name, config, code.decode("utf-8", "replace")))


def distribution(backend: Any, config: Config, me: Record | None = None) -> None:
    """Check a distribution's configuration, by itself and against the account."""
    counted(config)
    _refuse(lint().distribution(config, context(backend)))
    _references(backend, config)
    _aliases(backend, config, me)


def context(backend: Any) -> Any:
    """Return what the lint may know of the account."""
    known = {kind.plural: {one.id: one.config for one in records(backend, kind.method).values()} for kind in KINDS}
    return lint().Context(**known, certificates=certificates(backend.account_id))


def certificates(account: str) -> dict[str, Config]:
    """Return the certificates in ACM, of every region, as the lint wants them."""
    return {
        arn: {"domains": one.sans or [one.common_name], "status": one.status, "region": region}
        for region, backend in acm_backends[account].items()
        for arn in backend._certificates
        for one in [backend.get_certificate(arn)]  # which brings its status up to date
    }


def _references(backend: Any, config: Config) -> None:
    for behavior in behaviors(config):
        for kind in KINDS:
            named = behavior.get(f"{kind.shape}Id")
            if named and named not in records(backend, kind.method):
                raise Refusal(f"NoSuch{kind.shape}", f"The specified {kind.words} does not exist: {named}.")
        for association in items(behavior.get("FunctionAssociations")):
            functions = {one.arn: one for one in table(backend, "function").values()}
            named = association["FunctionARN"]
            if named not in functions or "LIVE" not in functions[named].more:
                raise Refusal(
                    "InvalidFunctionAssociation", f"The function must be published before it is associated: {named}."
                )
    for origin in origins(config):
        control = origin.get("OriginAccessControlId")
        if control and control not in table(backend, "origin_access_control"):
            raise Refusal(
                "NoSuchOriginAccessControl", f"The specified origin access control does not exist: {control}."
            )
        vpc_origin = (origin.get("VpcOriginConfig") or {}).get("VpcOriginId")
        if vpc_origin and vpc_origin not in table(backend, "vpc_origin"):
            raise Refusal("EntityNotFound", f"The specified VPC origin does not exist: {vpc_origin}.")


def _aliases(backend: Any, config: Config, me: Record | None) -> None:
    mine = set(items(config.get("Aliases")))
    for other in table(backend, "distribution").values():
        taken = mine & set(items(other.config.get("Aliases"))) if other is not me else None
        if taken:
            raise Refusal(
                "CNAMEAlreadyExists",
                "One or more of the CNAMEs you provided are already associated with a different resource: "
                f"{', '.join(sorted(taken))}.",
            )
