# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Warm pools: instances that have booted once wait beside their group, stopped or running, until it needs one more."""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import ServiceException

from .activities import record
from .refresh import active_refresh, launched_from, same_template, template_of

GONE = ("terminated", "shutting-down")


class WarmPoolController:
    """The warm pools of all groups; the fleet controller launches for them, and asks them first when a group grows."""

    def __init__(self, fleet: Any) -> None:
        self.fleet = fleet

    def step(self, group: Any) -> None:
        """Bring one group's pool one step further: put those that have booted to rest, then fit the number."""
        group.warmed = [state for state in group.warmed if state.instance.state not in GONE]
        if not group.warmed and group.warm_pool is None:
            return
        for state in group.warmed:
            if state.lifecycle_state == "Warmed:Pending" and state.instance.state == "running":
                self._rest(group, state)
        if active_refresh(group):
            return
        template = template_of(group, launched_from(group))
        for state in [one for one in group.warmed if not same_template(one.launch_template, template)]:
            self._end(group, state, "it runs another version than the group launches")
        self._fit(group)

    def use(self, group: Any) -> bool:
        """Bring a waiting instance into the group, which needs one more; False if none of the right version has booted."""
        refresh = active_refresh(group)
        template = refresh.target if refresh else template_of(group, launched_from(group))
        for state in group.warmed:
            ready = state.lifecycle_state in ("Warmed:Stopped", "Warmed:Running")
            if ready and same_template(state.launch_template, template):
                if state.lifecycle_state == "Warmed:Stopped":
                    state.instance.start()
                group.warmed.remove(state)
                state.lifecycle_state = "Pending"
                state.launched_at = state.in_service_at = self.fleet.clock.now()
                state.generation = refresh.generation if refresh else None
                group.instance_states.append(state)
                record(group, f"Launching a new EC2 instance: {state.instance.id}", "It comes from the warm pool.")
                return True
        return False

    @staticmethod
    def _rest(group: Any, state: Any) -> None:
        if group.warm_pool is not None and group.warm_pool.pool_state == "Running":
            state.lifecycle_state = "Warmed:Running"
            return
        state.instance.stop()
        state.lifecycle_state = "Warmed:Stopped"

    @staticmethod
    def _end(group: Any, state: Any, reason: str) -> None:
        state.instance.terminate()
        group.warmed.remove(state)
        record(
            group, f"Terminating EC2 instance: {state.instance.id}", f"It leaves the warm pool: {reason}.", "Successful"
        )

    def _fit(self, group: Any) -> None:
        wanted = _size(group)
        for state in group.warmed[wanted:]:
            self._end(group, state, "the pool is smaller")
        for _unused in range(wanted - len(group.warmed)):
            try:
                group.warmed.append(self.fleet.launch(group, "Warmed:Pending"))
            except ServiceException as error:
                self.fleet.cannot_launch(group, str(error))
                return


def _size(group: Any) -> int:
    """Return how many instances shall wait: so many that with those in service they are the prepared capacity."""
    pool = group.warm_pool
    if pool is None:
        return 0
    most = pool.max_group_prepared_capacity
    prepared = group.max_size if most is None or int(most) < 0 else int(most)
    return max(int(pool.min_size or 0), int(prepared) - int(group.desired_capacity))
