# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this collection needs and moto lacks: a registry of small extensions, each naming the gap it closes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Extension:
    """One gap of moto and the function that closes it by changing moto's classes, once."""

    name: str
    gap: str
    apply: Callable[[], None]


REGISTRY: list[Extension] = []
_applied: set[str] = set()


def extension(name: str, gap: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a function as an extension; ``gap`` says in a sentence what moto does without it."""

    def register(apply: Callable[[], None]) -> Callable[[], None]:
        REGISTRY.append(Extension(name, gap, apply))
        return apply

    return register


def apply_all() -> None:
    """Apply every registered extension that was not applied yet, in order of registration."""
    for item in REGISTRY:
        if item.name not in _applied:
            item.apply()
            _applied.add(item.name)


# The modules register themselves; their order is the order of application.
from . import identity, instances, balancers, groups, databases, cache, files  # noqa: E402,F401,I001
from . import database_proxies, database_restores  # noqa: E402, F401
from . import buckets, prefix_lists, cloudfront, certificates  # noqa: E402, F401
from . import cache_users, cache_serverless, cache_memcached  # noqa: E402, F401
from . import networks  # noqa: E402, F401
from . import monitoring, waf  # noqa: E402, F401
from . import backup  # noqa: E402, F401
