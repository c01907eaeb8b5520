# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the drain agent meets in its tests: a node in time, and what its group was told."""

from __future__ import annotations

from collections.abc import Callable

#: What AWS says to a node for which nobody waits.
NOT_YET = ("ValidationError", "No active Lifecycle Action found with instance ID i-1")


class Scaling:
    """What the group answers, and what it was told."""

    def __init__(self) -> None:
        self.told: list[dict[str, str]] = []
        self.refusals: list[tuple[str, str]] = []

    def actions(self) -> list[str]:
        return [one["Action"] for one in self.told]


class World:
    """A node in time: what metadata says, what PHP and cron are at; ``at`` is called with each second that passes."""

    def __init__(self) -> None:
        self.second = 0.0
        self.metadata: dict[str, str] = {
            "autoscaling/target-lifecycle-state": "InService",
            "tags/instance/aws:autoscaling:groupName": "blog-web",
            "instance-id": "i-1",
            "placement/region": "eu-central-1",
        }
        self.busy_until = 0.0
        self.stopped: list[str] = []
        self.at: Callable[[float], None] = lambda _second: None

    def now(self) -> float:
        return self.second

    def sleep(self, seconds: float) -> None:
        self.second += seconds
        self.at(self.second)

    def work(self) -> list[str]:
        return ["1 requests"] if self.second < self.busy_until else []

    def stop_new_work(self) -> None:
        self.stopped.append("timer")
