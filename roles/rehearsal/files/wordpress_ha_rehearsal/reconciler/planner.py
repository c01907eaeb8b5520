# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wanted of the container engine, what it has, and the ordered list of actions between the two. No I/O here."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Network:
    """The network of a VPC; the engine's gateway is the VPC's first address, as the VPC router's is."""

    name: str
    cidr: str

    @property
    def gateway(self) -> str:
        """Address of the VPC router."""
        return str(ipaddress.ip_network(self.cidr)[1])


@dataclass(frozen=True)
class Container:
    """A wanted container.

    ``fingerprint`` covers what only a new container can change; ``mortal`` says that nobody restarts it (an EC2 instance
    that died is the Auto Scaling group's business), everything else is started again when it stopped. ``gateway`` is the
    neighbour behind which an instance finds its metadata service.
    """

    name: str
    kind: str
    key: str
    image: str
    network: str
    address: str
    command: Sequence[str] = ()
    flags: Sequence[str] = ()
    mortal: bool = False
    running: bool = True
    revision: str = ""
    gateway: str = ""

    @property
    def fingerprint(self) -> str:
        """Hash over everything that needs a new container when it changes."""
        parts = [
            self.kind,
            self.key,
            self.image,
            self.network,
            self.address,
            list(self.command),
            list(self.flags),
            self.revision,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Observed:
    """A container that is there."""

    name: str
    kind: str
    key: str
    fingerprint: str
    address: str
    running: bool
    pid: int = 0


@dataclass(frozen=True)
class Action:
    """One step: ``create_network``, ``run``, ``start``, ``stop``, ``remove`` or ``remove_network``."""

    verb: str
    name: str
    subject: Any = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.verb} {self.name}"


def plan(
    containers: Iterable[Container],
    networks: Iterable[Network],
    observed: Mapping[str, Observed],
    observed_networks: Iterable[str],
    *,
    settled: Iterable[str] = (),
) -> list[Action]:
    """Return the actions that lead from what is observed to what is wanted, in the order in which they must start.

    ``settled`` names mortal containers that have had their life: they are reported dead and not made again.
    """
    wanted = {container.name: container for container in containers}
    wanted_networks = {network.name: network for network in networks}
    present, gone = set(observed_networks), set(settled)
    actions: list[Action] = []
    for name, seen in sorted(observed.items()):
        container = wanted.get(name)
        if container is None or (container.fingerprint != seen.fingerprint and not container.mortal):
            actions.append(Action("remove", name, seen))
        elif container.running and not seen.running and name not in gone:
            actions.append(Action("start", name, container))
        elif not container.running and seen.running:
            actions.append(Action("stop", name, container))
    actions += [
        Action("create_network", name, wanted_networks[name]) for name in sorted(set(wanted_networks) - present)
    ]
    # The VPC's resolver first: whatever boots asks it at once.
    for name, container in sorted(wanted.items(), key=lambda item: (item[1].kind != "cloud", item[0])):
        if container.running and name not in observed and name not in gone:
            actions.append(Action("run", name, container))
    # What is being removed may still hang on its network: the next pass takes the network away.
    if all(name in wanted for name in observed):
        actions += [Action("remove_network", name) for name in sorted(present - set(wanted_networks))]
    return actions


def allocate(cidr: str, keys: Iterable[str], kept: Mapping[str, str], taken: Iterable[str]) -> dict[str, str]:
    """Give each key an address from the top of a range, where EC2 hardly ever reaches.

    ``kept`` are addresses already in use by a key: they stay. ``taken`` are never given. Raises ValueError when full.
    """
    network = ipaddress.ip_network(cidr)
    given = {key: kept[key] for key in keys if key in kept and ipaddress.ip_address(kept[key]) in network}
    used = set(taken) | set(given.values())
    for key in sorted(set(keys) - set(given)):
        # The last address is the broadcast's; AWS also reserves the first four.
        for offset in range(2, network.num_addresses - 4):
            address = str(network[-offset])
            if address not in used:
                given[key] = address
                used.add(address)
                break
        else:
            raise ValueError(f"no free address in {cidr}")
    return given
