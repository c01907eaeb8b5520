# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done to the containers of each kind beyond starting them: files before, configuration and readiness after."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import files, haproxy, imds, netns, pki
from .config import Config
from .edge import nginx, vcl
from .edge.bundle import Bundle, ban
from .engine import Engine, EngineError
from .planes import cloud, cloudfront, ec2, elasticache, elbv2, rds
from .planner import Container, Observed
from .topology import Topology

LOG = logging.getLogger("reconciler")

#: Seconds a container gets to stop: databases write their buffers, instances shut down, the rest holds nothing.
GRACE = {rds.KIND: 20, ec2.KIND: 3}
PUBLIC_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
#: Asks the edge's nginx for the mark of its configuration until it is the new one, for at most ten seconds.
EDGE_IS_LIVE = """for _ in $(seq 100); do
[ "$(curl -s --max-time 2 --unix-socket /run/edge/status.sock http://edge/)" = "$1" ] && exit 0; sleep 0.1
done; echo 'nginx did not change over to the new configuration' >&2; exit 1"""


def salt(config: Config) -> str:
    """Return this state directory's random text, made once."""
    path = config.state_dir / "planes" / "salt"
    if not path.exists():
        files.write(path, secrets.token_hex(32))
    return path.read_text()


class Operations:
    """Everything that touches the machine, one method for one thing; methods may run in any thread."""

    def __init__(self, config: Config, engine: Engine) -> None:
        self.config, self.engine = config, engine
        self.ca = config.state_dir / "ca"
        #: Metadata services by VPC with the process in whose network they listen, and the instances they know by address.
        self._services: dict[str, tuple[int, imds.Service]] = {}
        self.instances: dict[str, Mapping[str, Any]] = {}
        self._lock = threading.Lock()

    # -- before a container starts -------------------------------------------------------------------------------------

    def prepare(self, container: Container, desired: Mapping[str, Any], topology: Topology) -> None:
        """Write the files a container is started with."""
        directory = self.config.directory(container.kind, container.key)
        if container.kind == ec2.KIND:
            self.config.data("efs").mkdir(parents=True, exist_ok=True)
            return
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if container.kind == cloud.KIND:
            self._prepare_cloud(container, topology, directory)
        elif container.kind == elbv2.KIND:
            if not (directory / "haproxy.cfg").exists():
                files.write(directory / "haproxy.cfg", elbv2.STARTING)
        elif container.kind == rds.KIND:
            cluster = _by(desired, "db_clusters", container.key)
            (self.config.data(rds.KIND) / container.key).mkdir(parents=True, exist_ok=True)
            pki.server(self.ca, directory / "tls", rds.names(cluster) or [container.key])
            files.write(directory / "server.cnf", rds.server_configuration(cluster))
        elif container.kind == elasticache.KIND:
            group = _by(desired, "replication_groups", container.key)
            pki.server(self.ca, directory / "tls", elasticache.names(group) or [container.key])
            files.write(directory / "valkey.conf", elasticache.server_configuration(group))
        elif container.kind == cloudfront.KIND:
            self._prepare_edge(desired, directory)

    def _prepare_edge(self, desired: Mapping[str, Any], directory: Path) -> None:
        pki.server(self.ca, directory / "tls", cloudfront.certificate_names(desired))
        # Origins are known by the authorities that everybody knows, and by the rehearsal's own.
        known = PUBLIC_AUTHORITIES.read_text() if PUBLIC_AUTHORITIES.exists() else ""
        files.write(directory / "trusted.pem", (self.ca / "ca.pem").read_text() + known)
        for name, content in (("nginx.conf", nginx.STARTING), ("edge.vcl", vcl.STARTING)):
            if not (directory / name).exists():
                files.write(directory / name, content)

    def _prepare_cloud(self, container: Container, topology: Topology, directory: Path) -> None:
        pki.server(self.ca, directory / "tls", cloud.endpoint_names(self.config.region))
        files.write(directory / "tls.pem", (directory / "tls.crt").read_text() + (directory / "tls.key").read_text())
        settings = cloud.dnsmasq_configuration(container.address, self.config.region, self.config.resolvers)
        files.write(directory / "dnsmasq.conf", settings)
        files.write(directory / "haproxy.cfg", cloud.haproxy_configuration(container.address))
        files.write(directory / "hosts", cloud.hosts(topology.names))

    # -- containers ----------------------------------------------------------------------------------------------------

    def run(self, container: Container, desired: Mapping[str, Any], topology: Topology) -> None:
        """Prepare, create and start a container; an instance gets its metadata service before this returns."""
        self.prepare(container, desired, topology)
        self.engine.run(container)
        self._after_start(container, desired)

    def start(self, container: Container, desired: Mapping[str, Any], topology: Topology) -> None:
        """Start a stopped container."""
        self.prepare(container, desired, topology)
        self.engine.start(container.name)
        self._after_start(container, desired)

    def _after_start(self, container: Container, desired: Mapping[str, Any]) -> None:
        if container.kind == cloud.KIND:
            self.serve_metadata(container, self.engine.pid(container.name), desired["account"])
        elif container.kind == ec2.KIND:
            self.route_metadata(container, self.engine.pid(container.name))

    def remove(self, seen: Observed) -> None:
        """Remove a container and what belongs to it alone; lasting data stays."""
        if seen.kind == cloud.KIND:
            self.stop_metadata(seen.key)
        self.engine.remove(seen.name, GRACE.get(seen.kind, 0))

    # -- instance metadata ---------------------------------------------------------------------------------------------

    def serve_metadata(self, container: Container, pid: int, account: str) -> None:
        """Serve a VPC's instance metadata in the network namespace of its cloud container; harmless when that is so.

        Not in the instance's own: there a socket on port 80 of one address would keep a web server from port 80 of all.
        """
        vpc, address = container.key, container.address
        if self.metadata_served(vpc, pid):
            return
        if not pid:
            raise EngineError(f"the cloud of {vpc} stopped right after its start")
        self.stop_metadata(vpc)
        listener = netns.listen(pid, address, imds.PORT)
        service = imds.Service(listener, lambda: self.instances, self.config.region, account)
        with self._lock:
            self._services[vpc] = (pid, service)

    def stop_metadata(self, vpc: str) -> None:
        """Stop the metadata service of a VPC, if there is one."""
        with self._lock:
            known = self._services.pop(vpc, None)
        if known:
            known[1].close()

    def metadata_served(self, vpc: str, pid: int) -> bool:
        """Return whether the metadata service listens in the network of this very process."""
        with self._lock:
            return self._services.get(vpc, (0,))[0] == pid > 0

    def route_metadata(self, container: Container, pid: int) -> None:
        """Let an instance find the metadata service."""
        if not pid:
            raise EngineError(f"{container.key} stopped right after its start")
        netns.redirect(pid, imds.ADDRESS, 80, f"{container.gateway}:{imds.PORT}")

    # -- load balancers ------------------------------------------------------------------------------------------------

    def apply_balancer(self, container: Container, wanted: str, state: str, certificates: Mapping[str, str]) -> None:
        """Check a new configuration and reload haproxy with it, without losing a connection or a target's health."""
        directory = self.config.directory(elbv2.KIND, container.key)
        (directory / "certs").mkdir(exist_ok=True, mode=0o700)
        for name, content in certificates.items():
            files.write(directory / "certs" / name, content)
        files.write(directory / "new.cfg", wanted)
        self.engine.execute(container.name, "haproxy", "-c", "-q", "-f", "/etc/rehearsal/new.cfg")
        files.write(directory / "servers.state", state)
        os.replace(directory / "new.cfg", directory / "haproxy.cfg")
        answer = files.ask(directory / "master.sock", "reload", timeout=20)
        if "Success=1" not in answer:
            (directory / "haproxy.cfg").unlink()
            raise EngineError(f"haproxy refused to reload: {answer.strip()[:300]}")

    def balancer_says(self, key: str, command: str) -> str:
        """Ask the runtime interface of a load balancer."""
        return files.ask(self.config.directory(elbv2.KIND, key) / "stats.sock", command)

    def bench_targets(self, topology: Topology, desired: Mapping[str, Any], instance_id: str) -> None:
        """Tell every balancer that an instance is gone, before any check or connection has to find out."""
        for container in topology.containers:
            if container.kind == elbv2.KIND:
                for group in desired.get("target_groups", []):
                    if any(target["id"] == instance_id for target in group["targets"]):
                        server = f"{haproxy.backend_name(group)}/{instance_id}"
                        try:
                            self.balancer_says(container.key, f"set server {server} state maint")
                        except OSError as error:
                            LOG.warning("cannot take %s out of %s: %s", instance_id, container.key, error)

    # -- the edge ------------------------------------------------------------------------------------------------------

    def apply_edge(self, container: Container, bundle: Bundle) -> None:
        """Check a configuration and change over to it; returns when it is live. No connection and no cached object is lost."""
        directory = self.config.directory(cloudfront.KIND, container.key)
        for name, content in bundle.files.items():
            files.write(directory / {"nginx.conf": "new.conf", "edge.vcl": "new.vcl"}.get(name, name), content)
        self.engine.execute(container.name, "nginx", "-t", "-q", "-c", "/etc/rehearsal/new.conf")
        name = f"edge_{bundle.digest}"
        listed = [line.split() for line in self._cache(container, "vcl.list").splitlines() if line.strip()]
        known = [words[-1] for words in listed if words[0] != "discarded"]
        if name not in known:
            self._cache(container, "vcl.load", name, "/etc/rehearsal/new.vcl")
        self._cache(container, "vcl.use", name)
        os.replace(directory / "new.vcl", directory / "edge.vcl")
        os.replace(directory / "new.conf", directory / "nginx.conf")
        self.engine.execute(container.name, "nginx", "-s", "reload", "-c", "/etc/rehearsal/nginx.conf")
        self.engine.execute(container.name, "sh", "-c", EDGE_IS_LIVE, "-", bundle.digest)
        for old in set(known) - {name}:
            self._cache(container, "vcl.discard", old)
        for file in [*directory.glob("njs/*/*.js"), *directory.glob("certs/*")]:
            if str(file.relative_to(directory)) not in bundle.files:
                file.unlink()
        for scripts in directory.glob("njs/*"):
            if scripts.name != bundle.digest:
                scripts.rmdir()

    def invalidate(self, container: Container, invalidation: Mapping[str, Any]) -> None:
        """Forget what an invalidation names."""
        for path in invalidation["paths"]:
            self._cache(container, *ban(invalidation["distribution_id"], path))

    def _cache(self, container: Container, *words: str) -> str:
        # It explains what it refuses on standard output.
        command = ("sh", "-c", 'varnishadm -t 120 -n /run/edge/varnish "$@" 2>&1', "-", *words)
        return self.engine.execute(container.name, *command)

    # -- names ---------------------------------------------------------------------------------------------------------

    def apply_names(self, container: Container, topology: Topology) -> None:
        """Give the resolver its current names."""
        if files.write(self.config.directory(cloud.KIND, container.key) / "hosts", cloud.hosts(topology.names)):
            self.engine.execute(container.name, "sh", "-c", f"kill -{signal.SIGHUP.value} $(cat /run/dnsmasq.pid)")

    # -- data services -------------------------------------------------------------------------------------------------

    def apply_accounts(self, container: Container, cluster: Mapping[str, Any]) -> None:
        """Make the master user what the API says; the statements travel by standard input."""
        statements = rds.account_statements(cluster)
        self.engine.execute(
            container.name, "mariadb", "--socket=/run/mysqld/mysqld.sock", "--skip-ssl", "--batch", stdin=statements
        )

    # -- images --------------------------------------------------------------------------------------------------------

    def commit_image(self, image_id: str, instance_id: str) -> None:
        """Make an AMI of an instance."""
        self.engine.commit(ec2.name(self.config, instance_id), self.config.ami_image(image_id))


def _by(desired: Mapping[str, Any], collection: str, key: str) -> Mapping[str, Any]:
    return next(item for item in desired.get(collection, []) if item["id"] == key)


def digest(*parts: str) -> str:
    """Return a hash to compare applied configurations by."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
