# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Load what the emulator has in common with the modules (``plugins/module_utils/_cloudfront``), by path.

The emulator runs outside Ansible, so the collection cannot be imported; those files import nothing but each other. In a
checkout and in an installed collection they are at the same place relative to this file.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

DIRECTORY = Path(__file__).resolve().parents[7] / "plugins" / "module_utils" / "_cloudfront"
PACKAGE = "wordpress_ha_cloudfront"


def load(name: str) -> Any:
    """Import one of the shared files; ModuleNotFoundError if there is none of this name."""
    if PACKAGE not in sys.modules:
        package = ModuleType(PACKAGE)
        package.__path__ = [str(DIRECTORY)]
        sys.modules[PACKAGE] = package
    return importlib.import_module(f"{PACKAGE}.{name}")


managed = load("managed")
