# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answer single AWS operations in place of moto, where moto lacks them; botocore still validates every request.

An object's methods are operations in snake case::

    class Cache:
        def describe_replication_groups(self, ReplicationGroupId=None): return {"ReplicationGroups": []}

    with fake_service.installed(elasticache=Cache()): ...
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import botocore.handlers
from botocore import xform_name


class Error(Exception):
    """An AWS error answer, by code."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code


_installed: dict[str, Any] = {}


def _remember(params: dict[str, Any], context: dict[str, Any], **_kwargs: Any) -> None:
    context["fake_service_params"] = copy.deepcopy(dict(params))


def _answer(model: Any, context: dict[str, Any], **_kwargs: Any) -> tuple[Any, dict[str, Any]] | None:
    method = getattr(_installed.get(model.service_model.service_name), xform_name(model.name), None)
    if method is None:
        return None
    try:
        return SimpleNamespace(status_code=200), copy.deepcopy(method(**context["fake_service_params"]) or {})
    except Error as error:
        body = {"Error": {"Code": error.code, "Message": str(error)}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        return SimpleNamespace(status_code=400), body


botocore.handlers.BUILTIN_HANDLERS.append(("before-parameter-build", _remember))
botocore.handlers.BUILTIN_HANDLERS.append(("before-call", _answer))


@contextlib.contextmanager
def installed(**services: Any) -> Iterator[None]:
    """Let the objects, by boto3 service name, answer the operations they have methods for."""
    _installed.update(services)
    try:
        yield
    finally:
        for name in services:
            del _installed[name]
