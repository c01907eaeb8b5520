# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The emulated world: moto's backends of one account and region, and what happens in it between calls."""

from __future__ import annotations

from typing import Any

from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID

from .clock import Clock
from .controllers.fleet import FleetController
from .desired import describe
from .observations import edge_ready, everything_ready, observe
from .operations import Operation

#: Services whose writing calls can set something in motion.
MOVING = ("ec2", "autoscaling", "elbv2", "rds", "elasticache", "cloudwatch")
#: Services that moto keeps per partition, not per region.
GLOBAL = ("cloudfront", "route53", "s3")
#: In instant mode: the jump of the clock per step (beyond every delay there is), and the most steps after one call.
JUMP_SECONDS = 4000
MOST_STEPS = 300


class World:
    """The state behind the API; all access happens under the application's lock."""

    def __init__(self, region: str, instant: bool, clock: Clock | None = None) -> None:
        self.region = region
        self.instant = instant
        self.clock = clock or Clock()
        self.fleet = FleetController(
            self.backend, self.clock, schedules=not instant
        )  # in which hours pass with each call

    def backend(self, service: str) -> Any:
        """Return moto's backend of a service in the region; moto makes a new one after each reset."""
        place = "aws" if service in GLOBAL else self.region
        return get_backend(service)[DEFAULT_ACCOUNT_ID][place]  # type: ignore[call-overload]

    def desired(self) -> dict[str, Any]:
        """Return what a data plane should make true."""
        return describe(self.backend, self.region, DEFAULT_ACCOUNT_ID)

    def observed(self, report: dict[str, Any]) -> None:
        """Take over a report and let the controllers react."""
        observe(self.backend, report)
        self.fleet.step()

    def advance(self, seconds: float) -> None:
        """Let time pass for the controllers only: tests of delays do not want to wait."""
        self.clock.advance(seconds)
        self.fleet.step()

    def after_call(self, operation: Operation) -> None:
        """React to a writing call: one step, or in instant mode as many as it takes until nothing moves."""
        if operation.service == "cloudfront" and self.instant:  # no controller waits for it, one report is enough
            observe(self.backend, edge_ready(self.backend))
        if operation.service not in MOVING:
            return
        self.fleet.step()
        if not self.instant:
            return
        before: object = None
        still = 0
        for _unused in range(MOST_STEPS):
            observe(self.backend, everything_ready(self.backend))
            self.clock.advance(JUMP_SECONDS)
            self.fleet.step()
            after = self._moving_parts()
            still = still + 1 if after == before else 0
            if still == 2:  # a delay takes one step to begin and one to end
                return
            before = after

    def _moving_parts(self) -> object:
        """Return all that the controllers change, to tell whether a step changed anything."""
        groups = self.backend("autoscaling").autoscaling_groups.values()
        return (
            [(state.instance.id, state.lifecycle_state) for group in groups for state in group.instance_states],
            [(refresh.id, refresh.status) for group in groups for refresh in group.refreshes],
            [(group.surge, len(group.lost)) for group in groups],
            [(state.instance.id, state.lifecycle_state) for group in groups for state in group.warmed],
            [(list(group.targets), list(group.draining)) for group in self.backend("elbv2").target_groups.values()],
        )

    def reset(self) -> None:
        """Nothing to forget: all state lives in moto's backends."""
