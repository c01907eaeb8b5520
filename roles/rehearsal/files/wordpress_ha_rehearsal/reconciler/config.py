# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of one reconciler: the file the role writes (``.rehearsal/config.json``), typed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LABEL = "wordpress_ha.rehearsal"


@dataclass(frozen=True)
class Config:
    """Where things are and how the container engine is called.

    ``ports`` maps a port of the front door (443, 80) to the loopback port of this machine; ``front_door`` is ``edge`` or
    ``load_balancer``; ``resolvers`` are the name servers for names outside AWS; ``identity`` is the label value that marks what
    belongs to this state directory; ``edge_time_scale`` multiplies every lifetime in the edge's cache.
    """

    state_dir: Path
    identity: str
    endpoint: str
    node_image: str
    services_image: str
    engine_command: str = "podman"
    engine_global_flags: Sequence[str] = ()
    engine_run_flags: Sequence[str] = ()
    ports: Mapping[int, int] = field(default_factory=dict)
    resolvers: Sequence[str] = ()
    region: str = "us-east-1"
    front_door: str = "load_balancer"
    edge_time_scale: float = 1
    repository: str = "localhost/wordpress-ha-rehearsal"

    @property
    def prefix(self) -> str:
        """Start of every container and network name of this rehearsal."""
        return f"wordpress-ha-{self.identity}"

    def directory(self, kind: str, key: str) -> Path:
        """Directory of files for one container (bind-mounted, 0700)."""
        return self.state_dir / "planes" / kind / key

    def data(self, kind: str) -> Path:
        """Directory of a service's lasting data."""
        return self.state_dir / "data" / kind

    def ami_image(self, ami_id: str) -> str:
        """Container image that an AMI is."""
        return f"{self.repository}/ami:{ami_id}"


def load(path: Path) -> Config:
    """Read a configuration file; raises KeyError or ValueError when the role wrote nonsense."""
    raw: dict[str, Any] = json.loads(path.read_text())
    engine = raw.get("engine", {})
    return Config(
        state_dir=Path(raw["state_dir"]),
        identity=raw["identity"],
        endpoint=raw["endpoint"].rstrip("/"),
        node_image=raw["node_image"],
        services_image=raw["services_image"],
        engine_command=engine.get("command", "podman"),
        engine_global_flags=tuple(engine.get("global_flags", ())),
        engine_run_flags=tuple(engine.get("run_flags", ())),
        ports={int(inside): int(outside) for inside, outside in raw.get("ports", {}).items()},
        resolvers=tuple(raw.get("resolvers", ())),
        region=raw.get("region", "us-east-1"),
        front_door=raw.get("front_door", "load_balancer"),
        edge_time_scale=float(raw.get("edge_time_scale", 1)),
        repository=raw.get("repository", "localhost/wordpress-ha-rehearsal"),
    )
