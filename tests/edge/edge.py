# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The edge's container alone: the reconciler's own code starts and configures it, stub origins stand behind it."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wordpress_ha_rehearsal.reconciler.config import Config
from wordpress_ha_rehearsal.reconciler.edge import bundle, model
from wordpress_ha_rehearsal.reconciler.engine import Engine
from wordpress_ha_rehearsal.reconciler.operations import Operations
from wordpress_ha_rehearsal.reconciler.planes import cloudfront
from wordpress_ha_rehearsal.reconciler.planner import Network
from wordpress_ha_rehearsal.reconciler.topology import Topology, describe

#: A range that neither podman, a rehearsal nor its tests use.
CIDR, GATEWAY = "10.78.0.0/24", "10.78.0.1"
#: Lifetimes pass ten times as fast: "ten seconds" are one.
TIME_SCALE = 0.1


@dataclass(frozen=True)
class Answer:
    """What a viewer got."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def __getitem__(self, name: str) -> str | None:
        return ", ".join(self.all(name)) if self.all(name) else None

    @property
    def cache(self) -> str:
        """``Hit``, ``Miss``, ``RefreshHit``, ``Error``, ``Redirect`` or ``FunctionGeneratedResponse``."""
        return (self["X-Cache"] or "").removesuffix(" from cloudfront")


class Edge:
    """A running edge; ``state`` is its state directory, ``gateway`` this machine's address in its network."""

    def __init__(
        self,
        state: Path,
        image: str,
        engine: Mapping[str, Any],
        *,
        identity: str = "edgetest",
        cidr: str = CIDR,
        gateway: str = GATEWAY,
        time_scale: float = TIME_SCALE,
    ) -> None:
        self.config = Config(
            state_dir=state,
            identity=identity,
            endpoint="",
            node_image="",
            services_image=image,
            engine_command=engine["command"],
            engine_global_flags=engine["global_flags"],
            engine_run_flags=engine["run_flags"],
            ports={443: 8443, 80: 8080},
            edge_time_scale=time_scale,
        )
        self.engine = Engine(self.config)
        self.operations = Operations(self.config, self.engine)
        self.desired: dict[str, Any] = {"vpcs": [{"id": "vpc-edge", "cidr": cidr}]}
        self.views: list[model.Distribution] = []
        self.network = Network(f"{self.config.prefix}-vpc-edge", cidr)
        self.gateway = gateway

    def start(self) -> None:
        """Create network and container, with a resolver that knows ``*.test``."""
        from wordpress_ha_rehearsal.reconciler import pki

        self.stop()
        pki.authority(self.config.state_dir / "ca")
        self.engine.create_network(self.network)
        topology = self.topology([{"id": "E0", "domain_name": "e0.cloudfront.net", "config": {}}])
        self.container = next(one for one in topology.containers if one.kind == cloudfront.KIND)
        self.operations.run(self.container, self.desired, topology)
        dnsmasq = [
            "--no-resolv",
            "--no-hosts",
            "--user=root",
            "--listen-address=127.0.0.1",
            f"--address=/test/{self.gateway}",
        ]
        dnsmasq.append(f"--address=/amazonaws.com/{self.gateway}")
        self.engine.execute(self.container.name, "dnsmasq", *dnsmasq)

    def topology(self, distributions: list[dict[str, Any]]) -> Topology:
        self.desired["distributions"] = distributions
        return describe(self.desired, self.config, [], "salt")

    def stop(self) -> None:
        """Remove everything."""
        self.engine.remove(f"{self.config.prefix}-edge")
        if self.network.name in self.engine.networks():
            self.engine.remove_network(self.network.name)

    def configure(self, distributions: list[dict[str, Any]], catalog: Mapping[str, Any]) -> bundle.Bundle:
        """Make distributions live, as the reconciler does."""
        self.desired |= {"distributions": distributions, "cloudfront": catalog}
        views = model.distributions(self.desired)
        made = bundle.bundle(views, self.views, "127.0.0.1", self.config.ports, self.config.edge_time_scale)
        self.operations.apply_edge(self.container, made)
        self.views = views
        return made

    def invalidate(self, distribution: str, *paths: str) -> None:
        self.operations.invalidate(self.container, {"distribution_id": distribution, "paths": list(paths)})

    def ask(
        self, path: str, method: str = "GET", headers: Any = (), *, body: bytes | None = None, tls: bool = True
    ) -> Answer:
        """Send one request as a viewer; ``headers`` is a dict, or a list when a name comes twice."""
        listed = list(headers.items() if isinstance(headers, Mapping) else headers)
        address = self.container.address
        if tls:
            context = ssl.create_default_context(cafile=str(self.config.state_dir / "ca" / "ca.pem"))
            context.check_hostname = False
            client: http.client.HTTPConnection = http.client.HTTPSConnection(address, timeout=20, context=context)
        else:
            client = http.client.HTTPConnection(address, timeout=20)
        client.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        if not any(name.lower() == "host" for name, _value in listed):
            client.putheader("Host", "site.test")
        for name, value in listed:
            client.putheader(name, value)
        if body is not None:
            client.putheader("Content-Length", str(len(body)))
        client.endheaders(body)
        answer = client.getresponse()
        content = answer.read()
        client.close()
        return Answer(answer.status, answer.getheaders(), content)
