# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The benchmark's containers: commands in them, the CPU time they have used, and copies of them with another contract."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PREFIX = "wordpress-ha-bench"
CONTRACT = "/etc/wordpress_ha/contract.json"
SITE = "/srv/wordpress/shared/site"
HOST = "site.molecule.internal"


def merged(tree: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tree with the leaves of another put over it."""
    result = dict(tree)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


@dataclass
class Machine:
    """One container; ``engine`` is the engine's command with its global flags."""

    engine: list[str]
    name: str
    address: str
    prefix: str = PREFIX

    @property
    def container(self) -> str:
        return f"{self.prefix}-{self.name}"

    def run(self, *command: str, stdin: str | None = None, check: bool = True, timeout: float = 600) -> str:
        """Run a command in the container and return what it printed; CalledProcessError if it fails."""
        done = subprocess.run(
            [*self.engine, "exec", "-i", self.container, *command],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        if check and done.returncode:
            raise subprocess.CalledProcessError(
                done.returncode, command, done.stdout, f"{done.stdout}{done.stderr}"[-3000:]
            )
        return done.stdout

    def shell(self, script: str, **options: Any) -> str:
        return self.run("sh", "-euc", script, **options)

    def wp(self, *arguments: str, stdin: str | None = None) -> str:
        """Run WP-CLI as the web server's user on the truth."""
        words = " ".join(shlex.quote(word) for word in ("wp", f"--path={SITE}", *arguments))
        return self.run("su", "-s", "/bin/sh", "-c", f"cd / && HOME=/tmp {words}", "www-data", stdin=stdin)

    def pid(self) -> int:
        shown = subprocess.run(
            [*self.engine, "inspect", "--format", "{{.State.Pid}}", self.container],
            capture_output=True,
            text=True,
            check=True,
        )
        return int(shown.stdout)

    def usage(self) -> Path:
        """Return the kernel's file with the CPU time of all that runs in the container; control groups of version 1 or 2."""
        for line in Path(f"/proc/{self.pid()}/cgroup").read_text().splitlines():
            _number, controllers, path = line.split(":", 2)
            if "cpuacct" in controllers.split(","):
                return Path("/sys/fs/cgroup/cpuacct") / path.lstrip("/") / "cpuacct.usage"
            whole = Path("/sys/fs/cgroup") / path.removesuffix("/init.scope").lstrip("/") / "cpu.stat"
            if not controllers and whole.exists() and "usage_usec" in whole.read_text():
                return whole
        raise FileNotFoundError(f"no control group with CPU time for {self.container}")

    def cpu(self) -> float:
        """Return the CPU seconds that the container has used since it started."""
        content = self.usage().read_text()
        if content.startswith("usage_usec"):
            return int(content.split()[1]) / 1e6
        return int(content) / 1e9

    def remove(self) -> None:
        subprocess.run([*self.engine, "rm", "--force", "--time=0", self.container], capture_output=True, check=False)

    def booted(self) -> None:
        """Wait until systemd has started everything."""
        self.shell("until systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded'; do sleep 0.3; done")

    def ready(self) -> None:
        """Wait until a node of ours serves; stop its cron, as neither machine runs any while it is measured, and what looks for the edge's account."""
        self.shell(
            "n=0; until [ -e /run/wordpress_ha/ready ];"
            "do n=$((n+1)); [ $n -lt 2400 ] || { journalctl -u wordpress-ha-boot -n 20 --no-pager; exit 1; }; sleep 0.1; done"
        )
        # There is no edge here: its agent would try again for as long as notes wait, 8 ms of CPU a second.
        self.shell(
            "systemctl stop wordpress-ha-cron.timer wordpress-ha-purge.path wordpress-ha-purge.timer wordpress-ha-purge.service"
        )


@dataclass
class Fleet:
    """The machines that machines.yml made, by name; ``state`` holds their disks."""

    state: Path
    machines: dict[str, Machine]
    images: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Machine:
        return self.machines[name]

    @classmethod
    def load(cls, state: Path, prefix: str = PREFIX) -> Fleet:
        made = json.loads((state / "machines.json").read_text())
        return cls(
            state, {name: Machine(made["engine"], name, address, prefix) for name, address in made["addresses"].items()}
        )

    def sql(self, database: str, statements: Iterable[str]) -> str:
        return self["database"].run("mariadb", database, stdin="".join(statements))

    # -- ours, with another contract -----------------------------------------------------------------------------------

    def configure(self, name: str, **over: Any) -> float:
        """Boot a node anew with leaves of its contract changed, as a node boots that finds the parameter tree changed; return the seconds."""
        self[name].run("sh", "-c", f"umask 077; cat > {CONTRACT}", stdin=self.contract(name, over))
        return self.boot(name)

    def contract(self, name: str, over: Mapping[str, Any]) -> str:
        """Return a node's contract with leaves changed."""
        return json.dumps(merged(json.loads(self[name].run("cat", CONTRACT)), over), indent=1)

    def boot(self, name: str) -> float:
        """Stop what serves, forget what a boot makes, and let the boot agent do its work; return the seconds until the node is ready."""
        machine = self[name]
        machine.shell(
            "systemctl stop 'wordpress-ha-cron.timer' 'wordpress-ha-*.service' php8.4-fpm nginx 2>/dev/null || true;"
            "find /run/wordpress_ha -mindepth 1 -delete; systemd-tmpfiles --create;"
            "systemctl daemon-reload; systemctl reset-failed; systemctl start nginx"
        )
        started = time.monotonic()
        machine.shell("systemctl start --no-block wordpress-ha-boot")
        machine.ready()
        return time.monotonic() - started

    def image(self, name: str) -> str:
        """Return an image of a node's root disk, made once in a run: copies differ in their contract and in the folders that are mounted."""
        if name not in self.images:
            machine = self[name]
            image = f"localhost/{machine.prefix}-{name}"
            subprocess.run(
                [*machine.engine, "commit", "--quiet", machine.container, image], check=True, capture_output=True
            )
            self.images[name] = image
        return self.images[name]

    def copy(self, name: str, new: str, hosts: Mapping[str, str], flags: Sequence[str] = (), **over: Any) -> Machine:
        """Start a copy of a node, disks and all; ``hosts`` are addresses by name, ``flags`` the engine's.

        One of ours boots with leaves of its contract changed by ``over``, by which the copies differ; one of stock Debian needs nothing.
        """
        origin, made = self[name], json.loads((self.state / "machines.json").read_text())
        copy = Machine(origin.engine, new, "", origin.prefix)
        copy.remove()
        disks = []
        for kind, where in (("disk", "/srv/wordpress"), ("efs", "/srv/wordpress/shared")):
            folder = self.state / kind / new
            while os.path.ismount(folder):  # of a run that was cut off
                subprocess.run(["umount", "--lazy", str(folder)], check=True)
            subprocess.run(["rm", "-rf", str(folder)], check=True)
            subprocess.run(["cp", "-a", "--one-file-system", str(self.state / kind / name), str(folder)], check=True)
            disks.append(f"--volume={folder}:{where}:rslave")
        command = [
            *origin.engine,
            "create",
            "--name",
            copy.container,
            "--hostname",
            new,
            *made["run_flags"],
            *flags,
            *disks,
        ]
        command += [f"--add-host={host}:{address}" for host, address in hosts.items()]
        subprocess.run([*command, self.image(name), "/sbin/init"], check=True, capture_output=True)
        if over:
            changed = self.state / "contract.json"
            changed.touch(mode=0o600)
            changed.write_text(self.contract(name, over))
            put = [*origin.engine, "cp", str(changed), f"{copy.container}:{CONTRACT}"]
            subprocess.run(put, check=True, capture_output=True)
            changed.unlink()
        subprocess.run([*origin.engine, "start", copy.container], check=True, capture_output=True)
        shown = [*origin.engine, "inspect", "--format", "{{.NetworkSettings.IPAddress}}", copy.container]
        copy.address = subprocess.run(shown, capture_output=True, text=True, check=True).stdout.strip()
        self.machines[new] = copy
        copy.booted()
        if over:
            copy.ready()
        return copy

    def gateway(self) -> str:
        """Return this machine's address in the containers' network."""
        return self["load"].shell("ip -4 route show default").split()[2]
