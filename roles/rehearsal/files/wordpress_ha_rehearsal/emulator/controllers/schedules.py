# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scheduled actions: sizes of groups by time of day, as cron says it. Minutes that a jump of the clock skips are made up for."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

#: Minutes that are made up for at most: a week.
MOST_MINUTES = 7 * 24 * 60
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_NAMES = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))}


def _holds(field: str, value: int, low: int, high: int) -> bool:
    for part in field.upper().split(","):
        span, _unused, step = part.partition("/")
        first, _unused, last = span.partition("-")
        start = low if first == "*" else int(_NAMES.get(first, first))
        end = high if first == "*" or (step and not last) else int(_NAMES.get(last or first, last or first))
        if start <= value <= end and (value - start) % int(step or 1) == 0:
            return True
    return False


def is_due(recurrence: str, when: datetime) -> bool:
    """Tell whether a minute is one that five fields of cron name; day and weekday count as cron has it, either one if both are given."""
    fields = recurrence.split()
    weekday = (when.weekday() + 1) % 7
    values = (when.minute, when.hour, when.day, when.month, weekday)
    holds = [_holds(field, value, *bounds) for field, value, bounds in zip(fields, values, _RANGES, strict=True)]
    holds[4] = holds[4] or (weekday == 0 and _holds(fields[4], 7, 0, 7) and fields[4] != "*")
    day = (holds[2] or holds[4]) if "*" not in (fields[2], fields[4]) else (holds[2] and holds[4])
    return holds[0] and holds[1] and holds[3] and day


class ScheduleController:
    """The schedules of all groups; looks at every minute once."""

    def __init__(self, fleet: Any) -> None:
        self.fleet = fleet
        self._seen = int(fleet.clock.wall() // 60)

    def step(self) -> None:
        now = int(self.fleet.clock.wall() // 60)
        first, self._seen = max(self._seen + 1, now - MOST_MINUTES), now
        backend = self.fleet.backends("autoscaling")
        for minute in range(first, now + 1) if backend.scheduled_actions else ():
            for action in list(backend.scheduled_actions.values()):
                zone: tzinfo = ZoneInfo(action.time_zone) if action.time_zone else UTC
                if action.recurrence and is_due(action.recurrence, datetime.fromtimestamp(minute * 60, tz=zone)):
                    self._apply(backend.autoscaling_groups[action.auto_scaling_group_name], action)

    @staticmethod
    def _apply(group: Any, action: Any) -> None:
        if action.min_size is not None:
            group.min_size = int(action.min_size)
        if action.max_size is not None:
            group.max_size = int(action.max_size)
        wanted = group.desired_capacity if action.desired_capacity is None else int(action.desired_capacity)
        group.desired_capacity = max(group.min_size, min(group.max_size, wanted))
