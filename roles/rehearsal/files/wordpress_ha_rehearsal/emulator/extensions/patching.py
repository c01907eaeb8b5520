# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How extensions change moto: methods are wrapped or added, never copied.

Errors that extensions raise must be classes of ``moto.<service>.exceptions``: moto finds the service by the module.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

Function = Callable[..., Any]


def wrap(owner: Any, name: str) -> Callable[[Function], Function]:
    """Replace ``owner.name``; the decorated function gets the original as its first argument."""

    def decorate(function: Function) -> Function:
        original = getattr(owner, name)

        @functools.wraps(original)
        def replacement(*args: Any, **kwargs: Any) -> Any:
            return function(original, *args, **kwargs)

        setattr(owner, name, replacement)
        return function

    return decorate


def add(owner: Any) -> Callable[[Function], Function]:
    """Add the decorated function to a class under its own name, or replace what is there."""

    def decorate(function: Function) -> Function:
        setattr(owner, function.__name__, function)
        return function

    return decorate
