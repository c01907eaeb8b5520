# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for a distribution's latest configuration to be at every edge."""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .. import _aws
from . import api

DEPLOYED = "Deployed"
BETWEEN_LOOKS = 10.0  # seconds; a deployment takes minutes


def deployed(module: AnsibleAWSModule, client: Any, identifier: str, timeout: float) -> dict[str, Any] | None:
    """Wait until a distribution is deployed and return it as last read; None if it is gone meanwhile.

    Every look is written to the system's log with what is still under way. After ``timeout`` seconds the module fails.
    """
    seen: list[dict[str, Any] | None] = []

    def look() -> bool:
        seen.append(api.read(client, identifier))
        found = seen[-1]
        if found is None or found["Distribution"]["Status"] == DEPLOYED:
            return True
        running = found["Distribution"].get("InProgressInvalidationBatches", 0)
        module.log(
            f"Distribution {identifier} is {found['Distribution']['Status']} (look {len(seen)}, "
            f"{running} invalidations under way), waiting for {DEPLOYED}"
        )
        return False

    _aws.wait_for(module, f"distribution {identifier} to be {DEPLOYED}", look, timeout, BETWEEN_LOOKS)
    return seen[-1]
