# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IAM: the policies that AWS manages."""

from __future__ import annotations

import copy
from typing import Any

from moto.iam.models import IAMBackend

from . import extension
from .patching import Function, wrap


@extension(
    "iam-managed-policies", "all 1500 managed policies are parsed anew for each partition at each reset: seconds"
)
def _managed_policies() -> None:
    parsed: list[Any] = []

    @wrap(IAMBackend, "_init_aws_policies")
    def load(original: Function, self: Any) -> list[Any]:
        if self.region_name != "aws":
            return []
        if not parsed:
            parsed.extend(original(self))
        return [copy.copy(policy) for policy in parsed]
