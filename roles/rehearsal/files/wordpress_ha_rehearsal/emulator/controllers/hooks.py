# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lifecycle hooks at termination: a member that has drained waits until each hook was answered, or its time is over.

A waiting member carries ``held``: by hook the clock's time at which its time is over, None for one that begins anew.
"""

from __future__ import annotations

from typing import Any

from moto.autoscaling.exceptions import ValidationError

TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"


def _timeouts(backend: Any, group: Any) -> dict[str, int]:
    """Return the seconds that each termination hook of a group holds a member."""
    hooks = backend.describe_lifecycle_hooks(group.name)
    return {hook.name: int(hook.heartbeat_timeout) for hook in hooks if hook.lifecycle_transition == TERMINATING}


def released(backend: Any, group: Any, state: Any, now: float) -> bool:
    """Tell whether no hook holds a member any more; the first question is what makes the hooks begin."""
    timeouts = _timeouts(backend, group)
    if not hasattr(state, "held"):
        state.held = dict.fromkeys(timeouts)
    held = {
        name: now + timeouts[name] if until is None else until for name, until in state.held.items() if name in timeouts
    }
    state.held = {name: until for name, until in held.items() if until > now}
    if state.held:
        state.lifecycle_state = "Terminating:Wait"
        return False
    if timeouts:
        state.lifecycle_state = "Terminating:Proceed"
    return True


def action_of(group: Any, instance_id: str, hook: str) -> Any:
    """Return the member that a hook holds; ValidationError, as from AWS, when it holds no such one."""
    for state in group.instance_states:
        if state.instance.id == instance_id and hook in getattr(state, "held", {}):
            return state
    raise ValidationError(f"No active Lifecycle Action found with instance ID {instance_id}")
