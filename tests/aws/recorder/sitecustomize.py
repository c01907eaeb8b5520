# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record every AWS call of every Python process, with its parameters: put this directory first in PYTHONPATH.

``WORDPRESS_HA_RECORD`` names the file, which gets one JSON line for each call as botocore is about to send it. Parameters may
hold secrets: the file belongs into a temporary directory, readable by its owner alone. Without the variable nothing happens.

Nothing of botocore is imported here: most Python processes of a play never need it.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import json
import os
import sys
from types import ModuleType
from typing import Any

RECORD = os.environ.get("WORDPRESS_HA_RECORD", "")
WATCHED = "botocore.handlers"


def _record(params: dict[str, Any], model: Any, context: dict[str, Any], **_more: Any) -> None:
    call = {
        "service": model.service_model.service_name,
        "operation": model.name,
        "region": context.get("client_region"),
        "params": params,
    }
    line = json.dumps(call, default=_plain) + "\n"
    descriptor = os.open(RECORD, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def _plain(value: Any) -> Any:
    """Stand for what JSON has no word for: bytes and times; a stream is not read."""
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": value.hex()}
    return {type(value).__name__: str(value)}


class _Loader(importlib.abc.Loader):
    """Loads botocore's handlers and adds ours as the last of them."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def create_module(self, spec: Any) -> Any:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        module.BUILTIN_HANDLERS.append(("before-parameter-build", _record))  # type: ignore[attr-defined]


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname != WATCHED:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None:
            spec.loader = _Loader(spec.loader)
        return spec


if RECORD:
    sys.meta_path.insert(0, _Finder())
