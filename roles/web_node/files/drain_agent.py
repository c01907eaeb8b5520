# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let a node that its Auto Scaling group ends finish what it has begun (R38).

Waits until instance metadata says that the instance is on its way to be ended. Then no new work of the site's own begins, what PHP is
at may end, what the edge shall fetch anew is told, and the group's termination hook is answered, so that the node goes at once.
Whatever fails, the hook's own time-out ends the node.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boot_agent

#: The group's hook, as the role web_fleet names it.
HOOK = "drain"
GROUP_TAG = "aws:autoscaling:groupName"
STATE = "autoscaling/target-lifecycle-state"
#: States on the way to the end; a node of a warm pool has nothing to finish, its hook is answered all the same.
ENDING = ("Terminated", "Warmed:Terminated")
#: Seconds between two looks at instance metadata; for a machine that is in no group; and while work is awaited.
LOOK, SELDOM, POLL = 5.0, 60.0, 1.0
#: Seconds for which nothing may happen: the load balancer needs some to learn that the node is gone.
QUIET = 10.0
#: Seconds between two words to AWS that the node is still at it.
HEARTBEAT = 30.0
#: Seconds between two tries to answer the hook, which is there only once the load balancer has let go.
RETRY = 5.0
#: What begins work of the site's own, and where it is done.
TIMER, CRON = "wordpress-ha-cron.timer", "wordpress-ha-cron.service"
SOCKETS = Path("/proc/net/unix")
#: States of sockets that are connections: a request that waits for PHP, one that PHP is at.
CONNECTED = ("02", "03")


def log(message: str) -> None:
    print(f"drain agent: {message}", flush=True)


def requests(sockets: str, path: str) -> int:
    """Return how many connections a unix socket has, from what the kernel tells of all of them."""
    rows = [line.split() for line in sockets.splitlines()[1:]]
    return sum(len(row) > 7 and row[7] == path and row[5] in CONNECTED for row in rows)


@dataclass
class Group:
    """The Auto Scaling group of this node, asked with the node's role."""

    config: Mapping[str, Any]
    clients: dict[str, Any] = field(default_factory=dict)

    def is_ending(self) -> bool:
        """Tell whether the group ends this node; NotYet where there is no group, or no metadata."""
        return boot_agent.imds(STATE) in ENDING

    def complete(self) -> bool:
        """Answer the hook; False if it is not there (yet)."""
        return self._tell("complete_lifecycle_action", LifecycleActionResult="CONTINUE")

    def heartbeat(self) -> bool:
        """Ask for more time; False if nobody waits for this node (yet)."""
        return self._tell("record_lifecycle_action_heartbeat")

    def _tell(self, operation: str, **arguments: str) -> bool:
        import botocore.exceptions

        try:
            name, instance = boot_agent.imds(f"tags/instance/{GROUP_TAG}"), boot_agent.imds("instance-id")
            getattr(self._client(), operation)(
                AutoScalingGroupName=name, LifecycleHookName=HOOK, InstanceId=instance, **arguments
            )
        except boot_agent.NotYet as reason:
            log(f"{operation}: {reason}")
            return False
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            if "No active Lifecycle Action" not in str(error):
                log(f"{operation}: {error}")
            return False
        return True

    def _client(self) -> Any:
        import botocore.config
        import botocore.session

        region = boot_agent.imds("placement/region")
        if region not in self.clients:
            self.clients[region] = botocore.session.Session().create_client(
                "autoscaling",
                region_name=region,
                verify=self.config["ca_bundle"],
                config=botocore.config.Config(
                    connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 3, "mode": "standard"}
                ),
            )
        return self.clients[region]


@dataclass
class Node:
    """What this machine is at."""

    config: Mapping[str, Any]
    machine: boot_agent.Machine

    def stop_new_work(self) -> None:
        """Let no scheduled work of the site begin any more; what runs goes on."""
        self.machine.systemctl("stop", TIMER, timeout=30)

    def work(self) -> list[str]:
        """Name what is not finished."""
        found = []
        try:
            sockets = SOCKETS.read_text()
            busy = sum(requests(sockets, self.config[name]) for name in ("fpm_socket", "fpm_author_socket"))
        except OSError as error:
            log(f"cannot tell what PHP is at: {error}")
            busy = 0
        if busy:
            found.append(f"{busy} requests")
        if self.is_running(CRON):
            found.append("scheduled work")
        # Notes live in memory: those that are left would be lost, and the edge would keep what is stale.
        notes = [
            note for note in Path(self.config["run_dir"], "purge").glob("*") if note.suffix in (".json", ".claimed")
        ]
        if notes:
            found.append(f"{len(notes)} notes for the edge")
        return found

    def is_running(self, service: str) -> bool:
        """Tell whether a service works; one of the kind `oneshot` is `activating` for as long as it does."""
        asked = ["systemctl", "show", "--property=ActiveState", "--value", service]
        try:
            state = subprocess.run(asked, check=False, timeout=10, capture_output=True, text=True).stdout.strip()
        except (OSError, subprocess.TimeoutExpired) as error:
            log(f"cannot tell whether {service} works: {error}")
            return False
        return state in ("active", "activating", "deactivating")


@dataclass
class Drain:
    """From the news that the node ends to the answer."""

    group: Group
    node: Node
    patience: float
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def wait_for_the_end(self) -> None:
        """Return once the group ends this node."""
        is_in_group = True
        while True:
            try:
                if self.group.is_ending():
                    return
                is_in_group = True
            except boot_agent.NotYet as reason:
                if is_in_group:
                    log(f"nobody ends this node: {reason}")
                is_in_group = False
            self.sleep(LOOK if is_in_group else SELDOM)

    def finish(self) -> bool:
        """Wait until nothing happens for a while, or patience ends; tell whether all was finished."""
        started = self.now()
        quiet_since, told = started, started
        said: list[str] = []
        while self.now() - quiet_since < QUIET:
            if self.now() - started > self.patience:
                log(f"gave up on {', '.join(said) or 'a busy node'} after {self.patience:.0f} s")
                return False
            work = self.node.work()
            if work:
                quiet_since = self.now()
            if work != said and work:
                log(f"waits for {', '.join(work)}")
            said = work or said
            if self.now() - told >= HEARTBEAT:
                self.group.heartbeat()
                told = self.now()
            self.sleep(POLL)
        log(f"finished after {self.now() - started:.0f} s")
        return True

    def answer(self) -> bool:
        """Answer the hook as soon as it is there; without one the node ends by itself, so this ends with patience."""
        started = self.now()
        while not self.group.complete():
            if self.now() - started > self.patience:
                log("nobody asked whether this node has finished")
                return False
            self.sleep(RETRY)
        log("told the group that this node may go")
        return True

    def run(self) -> None:
        self.wait_for_the_end()
        log("the group ends this node")
        self.node.stop_new_work()
        self.finish()
        self.answer()


def main() -> int:
    config = json.loads(boot_agent.CONFIG.read_text())
    if config["source"] == "file":
        log("this node belongs to no Auto Scaling group")
        return 0
    Drain(Group(config), Node(config, boot_agent.Machine(config["group"])), float(config["drain_timeout"])).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
