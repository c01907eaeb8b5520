# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet heals and grows by itself: no playbook runs in any of these tests."""

from __future__ import annotations

import contextlib
import ipaddress
import subprocess
import time
from collections.abc import Iterator

from .site import Load, Site, wait_until


@contextlib.contextmanager
def cut_off(site: Site) -> Iterator[None]:
    """Refuse every packet of the nodes that leaves the VPC's network, for as long as the block runs."""
    network = ipaddress.ip_network(site.network())
    resolver = str(network[2])
    # A private subnet without a way out still has the VPC's own resolver.
    rules = [
        ["FORWARD", "-s", str(network), "!", "-d", str(network), "-j", "REJECT"],
        ["FORWARD", "-s", resolver, "-j", "ACCEPT"],
    ]
    for rule in rules:
        subprocess.run(["iptables", "-I", *rule], check=True)
    try:
        yield
    finally:
        for rule in rules:
            subprocess.run(["iptables", "-D", *rule], check=True)


def test_killed_node_is_replaced(site: Site, prove) -> None:
    before = site.instance_ids()
    victim = sorted(before)[0]
    name = next(container["Names"][0] for container in site.containers() if victim in container["Names"][0])
    with Load(site) as load:
        time.sleep(3)
        site.engine("kill", name)
        killed = time.time()
        gone = wait_until("the balancer stops using the dead node", lambda: victim not in site.healthy(), 30)

        def replaced() -> bool:
            group = site.instance_ids()
            return len(group) == 2 and victim not in group and site.healthy() == group

        wait_until("the group replaces the dead node", replaced, 60)
        newcomer = (site.instance_ids() - before).pop()
        wait_until("the new node serves", lambda: site.get_fresh("/").headers["X-Served-By"] == newcomer, 30)
        healed = time.time() - killed
        time.sleep(3)
    assert healed <= 60
    # In flight when the node died: what was sent within a request's time before the kill. Nothing sent later may fail.
    in_flight = [result for result in load.results if killed - 2 <= result[0] <= killed + 0.5]
    failed = load.failed
    assert len(failed) <= max(1, len(in_flight) // 2), failed
    assert all(killed - 2 <= moment <= killed + 0.5 for moment, _status, _node in failed), (killed, failed)
    prove(
        f"node killed: out of the balancer after {gone:.1f} s, {newcomer} serves after {healed:.0f} s (limit 60), "
        f"{len(failed)} of {len(load.results)} requests failed (only some in flight may)"
    )


def test_third_node_boots_from_the_image(site: Site, prove) -> None:
    before = site.instance_ids()
    group = site.group()
    started = time.time()

    def serves() -> bool:
        newcomers = site.instance_ids() - before
        return bool(newcomers) and site.get_fresh("/").headers["X-Served-By"] in newcomers

    with cut_off(site):
        site.aws("autoscaling").set_desired_capacity(
            AutoScalingGroupName=group["AutoScalingGroupName"], DesiredCapacity=3
        )
        wait_until("the third node serves", serves, 30, delay=0.3)
        seconds = time.time() - started
    newcomer = (site.instance_ids() - before).pop()
    prove(
        f"desired capacity 2 -> 3 through the API, the network cut off from the internet: {newcomer} serves after "
        f"{seconds:.0f} s (limit 30); nothing was downloaded (P42), no playbook ran"
    )

    site.aws("autoscaling").set_desired_capacity(AutoScalingGroupName=group["AutoScalingGroupName"], DesiredCapacity=2)
    wait_until("the group is back at two nodes", lambda: len(site.instance_ids()) == 2 == len(site.healthy()), 90)
