# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The container engine: one small class around its command line."""

from __future__ import annotations

import json
import subprocess

from .config import LABEL, Config
from .planner import Container, Network, Observed


class EngineError(RuntimeError):
    """A command of the engine failed; the text is what it wrote."""


class Engine:
    """podman (or a command that understands the same words), with this machine's flags."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._base = [config.engine_command, *config.engine_global_flags]
        self._own = f"{LABEL}={config.identity}"

    def call(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Run a command of the engine and return its output; raises EngineError when it fails or takes over ``timeout`` s."""
        try:
            result = subprocess.run(
                [*self._base, *arguments], input=stdin, capture_output=True, text=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise EngineError(f"{arguments[0]}: no answer within {timeout:.0f} s") from error
        if result.returncode:
            raise EngineError(f"{' '.join(arguments[:2])}: {result.stderr.strip() or result.stdout.strip()}")
        return result.stdout

    def containers(self) -> dict[str, Observed]:
        """Return our containers by name."""
        rows = json.loads(self.call("ps", "--all", "--filter", f"label={self._own}", "--format", "json") or "[]")
        return {seen.name: seen for seen in (self._observed(row) for row in rows or []) if seen.kind}

    @staticmethod
    def _observed(row: dict) -> Observed:
        labels = row.get("Labels") or {}
        return Observed(
            name=row["Names"][0],
            kind=labels.get(f"{LABEL}.kind", ""),
            key=labels.get(f"{LABEL}.key", ""),
            fingerprint=labels.get(f"{LABEL}.fingerprint", ""),
            address=labels.get(f"{LABEL}.address", ""),
            running=row.get("State") == "running",
            pid=int(row.get("Pid") or 0),
        )

    def networks(self) -> list[str]:
        """Return the names of our networks."""
        return self.call("network", "ls", "--filter", f"label={self._own}", "--format", "{{.Name}}").split()

    def images(self) -> set[str]:
        """Return the names of the AMIs' images."""
        repository = f"{self.config.repository}/ami"
        filters = ["--filter", f"label={self._own}", "--filter", f"reference={repository}"]
        return set(self.call("images", *filters, "--format", "{{.Repository}}:{{.Tag}}").split())

    def create_network(self, network: Network) -> None:
        """Create the network of a VPC, without the engine's own name server."""
        # fmt: off
        self.call("network", "create", "--disable-dns", "--label", self._own,
                  "--subnet", network.cidr, "--gateway", network.gateway, network.name)
        # fmt: on

    def remove_network(self, name: str) -> None:
        """Remove a network that has no container any more."""
        self.call("network", "rm", name)

    def run(self, container: Container) -> None:
        """Create and start a container; a left-over of the same name gives way."""
        labels = {
            "": self.config.identity,
            ".kind": container.kind,
            ".key": container.key,
            ".fingerprint": container.fingerprint,
            ".address": container.address,
        }
        # fmt: off
        self.call("run", "--detach", "--replace", "--name", container.name, *self.config.engine_run_flags,
                  *(part for suffix, value in labels.items() for part in ("--label", f"{LABEL}{suffix}={value}")),
                  "--network", container.network, "--ip", container.address, *container.flags,
                  container.image, *container.command)
        # fmt: on

    def start(self, name: str) -> None:
        """Start a stopped container."""
        self.call("start", name)

    def stop(self, name: str, grace: int = 10) -> None:
        """Stop a container, killing it after ``grace`` seconds."""
        self.call("stop", "--time", str(grace), name, timeout=grace + 60)

    def remove(self, name: str, grace: int = 0) -> None:
        """Stop and remove a container; no error when it is gone."""
        self.call("rm", "--force", "--ignore", "--time", str(grace), name, timeout=grace + 60)

    def execute(self, name: str, *command: str, stdin: str | None = None) -> str:
        """Run a command inside a container."""
        return self.call("exec", *(["--interactive"] if stdin is not None else []), name, *command, stdin=stdin)

    def commit(self, name: str, image: str) -> None:
        """Make an image of a container's file system; volumes and tmpfs are not part of it."""
        self.call(
            "commit",
            "--quiet",
            "--pause=false",
            "--change",
            f"LABEL {LABEL}={self.config.identity}",
            name,
            image,
            timeout=900,
        )

    def tag(self, image: str, name: str) -> None:
        """Give an image another name."""
        self.call("tag", image, name)

    def remove_image(self, image: str) -> None:
        """Remove an image name; EngineError when a container still uses it."""
        self.call("rmi", image)

    def pid(self, name: str) -> int:
        """Return the host's process id of a container's first process, 0 when it does not run."""
        return int(self.call("inspect", "--format", "{{.State.Pid}}", name).strip() or 0)
