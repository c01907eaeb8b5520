# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The loop: read what the API wants, compare with what runs, start what is missing, report what is so."""

from __future__ import annotations

import json
import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from . import files, haproxy, planner
from .config import Config
from .edge import bundle, model
from .engine import Engine, EngineError
from .jobs import Jobs
from .operations import Operations, digest, salt
from .planes import cloud, cloudfront, ec2, efs, elasticache, elbv2, rds
from .planner import Container, Observed
from .topology import Topology, describe

LOG = logging.getLogger("reconciler")

#: Seconds between passes, between looks at the instances' processes, and between looks at all containers.
PERIOD, WATCH, INVENTORY = 1.0, 0.25, 10.0


@dataclass(frozen=True)
class Snapshot:
    """What the engine had at ``taken`` (monotonic seconds, the moment before it was asked)."""

    taken: float
    containers: Mapping[str, Observed]
    networks: list[str]
    images: set[str]


class Inventory:
    """Asks the engine in a thread of its own: a commit or a start may make it answer slowly."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._due, self.latest = engine, threading.Event(), Snapshot(-1.0, {}, [], set())
        self.fresh = threading.Event()
        threading.Thread(target=self._work, name="inventory", daemon=True).start()

    def refresh(self) -> None:
        """Ask for a new snapshot soon."""
        self._due.set()

    def _work(self) -> None:
        while True:
            self._due.clear()
            taken = time.monotonic()
            try:
                self.latest = Snapshot(taken, self._engine.containers(), self._engine.networks(), self._engine.images())
                self.fresh.set()
            except (EngineError, OSError, ValueError) as error:
                LOG.error("cannot list containers: %s", error)
                time.sleep(1)
            self._due.wait(INVENTORY)


class Api:
    """The emulator's two data-plane addresses."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def desired(self) -> dict[str, Any]:
        """Return the desired state; raises OSError or ValueError when the emulator does not answer well."""
        with urllib.request.urlopen(f"{self._endpoint}/_data_plane/desired", timeout=10) as answer:
            return json.load(answer)

    def report(self, observed: Mapping[str, Any]) -> None:
        """Send the observed state."""
        body = json.dumps(observed).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._endpoint}/_data_plane/observed", body, headers, method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()


@dataclass
class Memory:
    """What a running reconciler remembers beyond the engine's labels; all of it can be found out again."""

    pids: dict[str, int] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    halted: set[str] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)
    applied: dict[str, str] = field(default_factory=dict)
    proven: set[tuple[str, str]] = field(default_factory=set)
    down_since: dict[tuple[str, str], float] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    #: The edge: what it serves (distribution id -> etag), as what, and the invalidations it has done.
    edge_live: dict[str, str] = field(default_factory=dict)
    edge_views: list[model.Distribution] = field(default_factory=list)
    invalidated: set[str] = field(default_factory=set)


class Reconciler:
    """One pass is :meth:`tick`; nothing in it waits for the engine."""

    def __init__(self, config: Config, api: Api | None = None, engine: Engine | None = None) -> None:
        self.config, self.api = config, api or Api(config.endpoint)
        self.engine = engine or Engine(config)
        self.operations = Operations(config, self.engine)
        self.jobs, self.memory, self.salt = Jobs(6), Memory(), salt(config)
        self.inventory = Inventory(self.engine)
        self.stopping = threading.Event()

    # -- the loop ------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until ``stopping`` is set."""
        LOG.info("reconciler started, state in %s", self.config.state_dir)
        while not self.stopping.is_set():
            try:
                self.tick()
                self._say("api", "reachable")
            except (OSError, ValueError) as error:
                # urllib's errors are OSErrors: the emulator is restarting. What runs goes on running.
                self._say("api", f"not reachable: {error}")
            self._pause()
        self.jobs.close()
        LOG.info("reconciler stopped; containers go on running")

    def _pause(self) -> None:
        """Wait for the next pass: at most PERIOD, less when an instance dies or a job ends."""
        deadline = time.monotonic() + PERIOD
        while time.monotonic() < deadline and not self.stopping.is_set():
            if self.jobs.wake.wait(WATCH) or self.inventory.fresh.is_set():
                break
            if any(not _alive(pid) for pid in self.memory.pids.values()):
                break
        if self.jobs.wake.is_set():
            self.inventory.refresh()
        self.jobs.wake.clear()
        self.inventory.fresh.clear()

    def tick(self) -> None:
        """One pass: desired, plan, jobs, report."""
        desired = self.api.desired()
        snapshot = self.inventory.latest
        if snapshot.taken < 0:
            return
        topology = describe(desired, self.config, snapshot.containers.values(), self.salt)
        for directory in efs.directories(desired, self.config.data("efs")):
            directory.mkdir(parents=True, exist_ok=True)
        self.operations.instances = {
            item["private_ip"]: item for item in desired["instances"] if item["state"] in ec2.RUNNING
        }
        self._watch(desired, snapshot, topology)
        self._act(desired, snapshot, topology)
        running = self._running(snapshot, topology)
        self._configure(desired, running, topology)
        self._images(desired, snapshot)
        report = self._observe(desired, snapshot, running, topology)
        self.api.report(report)
        self._tell(report)

    # -- instances -----------------------------------------------------------------------------------------------------

    def _fresh(self, name: str, snapshot: Snapshot) -> bool:
        """Return whether a snapshot says the truth about a container: no job has touched it since."""
        return not self.jobs.busy(name) and self.jobs.finished.get(name, 0.0) < snapshot.taken

    def _watch(self, desired: Mapping[str, Any], snapshot: Snapshot, topology: Topology) -> None:
        """Find instances that died: a process that is gone, or a running instance without a running container."""
        memory, names = self.memory, {ec2.name(self.config, item["id"]): item for item in desired["instances"]}
        for name, pid in list(memory.pids.items()):
            if name not in names or not _alive(pid):
                del memory.pids[name]
                if name in names and names[name]["state"] in ec2.RUNNING:
                    self._died(names[name], topology, desired)
        for name, item in names.items():
            seen = snapshot.containers.get(name)
            if item["state"] in ec2.STOPPED:
                memory.halted.add(item["id"])
                memory.dead.discard(item["id"])
                memory.pids.pop(name, None)
            if not self._fresh(name, snapshot) or item["state"] not in ec2.RUNNING or item["id"] in memory.dead:
                continue
            if seen and seen.running:
                memory.halted.discard(item["id"])
                if _alive(seen.pid):
                    memory.pids[name] = seen.pid
            elif item["id"] not in memory.halted and (
                item["state"] == "running" or (seen and item["id"] in memory.started)
            ):
                self._died(item, topology, desired)
        existing = {item["id"] for item in desired["instances"]}
        memory.dead &= existing
        memory.started &= existing
        memory.halted &= existing

    def _died(self, instance: Mapping[str, Any], topology: Topology, desired: Mapping[str, Any]) -> None:
        if instance["id"] not in self.memory.dead:
            LOG.warning("instance %s (%s) is dead", instance["id"], instance["private_ip"])
            self.memory.dead.add(instance["id"])
            self.operations.bench_targets(topology, desired, instance["id"])

    # -- actions -------------------------------------------------------------------------------------------------------

    def _act(self, desired: Mapping[str, Any], snapshot: Snapshot, topology: Topology) -> None:
        """Start the jobs of the plan that may run now."""
        settled = {ec2.name(self.config, instance) for instance in self.memory.dead}
        actions = planner.plan(
            topology.containers, topology.networks, snapshot.containers, snapshot.networks, settled=settled
        )
        resolvers = {
            container.network
            for container in topology.containers
            if container.kind == cloud.KIND and getattr(snapshot.containers.get(container.name), "running", False)
        }
        for action in actions:
            if not self._fresh(action.name, snapshot):
                continue
            subject = action.subject
            if action.verb in ("run", "start") and (
                subject.network not in snapshot.networks
                or (subject.kind != cloud.KIND and subject.network not in resolvers)
            ):
                continue
            if (
                action.verb == "start"
                and subject.kind == ec2.KIND
                and subject.key in self.memory.started - self.memory.halted
            ):
                continue
            self._submit(action, desired, topology)

    def _submit(self, action: planner.Action, desired: Mapping[str, Any], topology: Topology) -> None:
        verb, name, subject, operations = action.verb, action.name, action.subject, self.operations
        if verb in ("run", "start"):
            if subject.kind == ec2.KIND:
                self.memory.started.add(subject.key)
            work = operations.run if verb == "run" else operations.start
            self.jobs.submit(
                name,
                partial(work, subject, desired, topology),
                f"{subject.kind} {subject.key}: {verb} at {subject.address}",
            )
        elif verb == "remove":
            self.memory.pids.pop(name, None)
            self.jobs.submit(name, partial(operations.remove, subject), f"{subject.kind} {subject.key}: removed")
        elif verb == "stop":
            self.jobs.submit(name, partial(self.engine.stop, name), f"{subject.kind} {subject.key}: stopped")
        elif verb == "create_network":
            self.jobs.submit(name, partial(self.engine.create_network, subject), f"network {subject.cidr}: created")
        elif verb == "remove_network":
            self.jobs.submit(name, partial(self.engine.remove_network, name), f"network {name}: removed")

    def _running(self, snapshot: Snapshot, topology: Topology) -> dict[str, tuple[Container, int]]:
        """Return the wanted containers that run, with their process."""
        found = {}
        for container in topology.containers:
            seen = snapshot.containers.get(container.name)
            if seen and seen.running and not self.jobs.busy(container.name) and _alive(seen.pid):
                found[container.name] = (container, seen.pid)
        return found

    # -- configuration -------------------------------------------------------------------------------------------------

    def _configure(
        self, desired: Mapping[str, Any], running: Mapping[str, tuple[Container, int]], topology: Topology
    ) -> None:
        """Bring configuration into running containers: metadata, names, balancers, database accounts."""
        addresses = {item["id"]: item["private_ip"] for item in desired["instances"]}
        for container, pid in running.values():
            if container.kind == ec2.KIND:
                self._apply(container, str(pid), partial(self.operations.route_metadata, container, pid), "")
            elif container.kind == cloud.KIND:
                if not self.operations.metadata_served(container.key, pid):
                    work = partial(self.operations.serve_metadata, container, pid, desired["account"])
                    self.jobs.submit(f"metadata {container.key}", work)
                wanted = digest(str(pid), cloud.hosts(topology.names))
                self._apply(container, wanted, partial(self.operations.apply_names, container, topology), "")
            elif container.kind == elbv2.KIND:
                self._configure_balancer(desired, container, pid, addresses)
            elif container.kind == rds.KIND:
                self._configure_cluster(desired, container, pid)
            elif container.kind == cloudfront.KIND:
                self._configure_edge(desired, container, pid)
        for name in set(self.memory.applied) - set(running):
            del self.memory.applied[name]

    def _apply(self, container: Container, wanted: str, work: Any, said: str) -> None:
        """Run a configuration job unless the very same has been applied to this process."""
        if self.memory.applied.get(container.name) == wanted:
            return

        def apply() -> None:
            work()
            self.memory.applied[container.name] = wanted

        self.jobs.submit(f"configure {container.name}", apply, said)

    def _configure_balancer(
        self, desired: Mapping[str, Any], container: Container, pid: int, addresses: Mapping[str, str]
    ) -> None:
        balancer = next(item for item in desired["load_balancers"] if item["name"] == container.key)
        groups = desired["target_groups"]
        ports = self.config.ports if elbv2.published(desired) == container.key else {}
        wanted = haproxy.render(balancer, groups, addresses, ports)
        certificates = haproxy.certificate_files(balancer)

        def work() -> None:
            try:
                current = self.operations.balancer_says(container.key, "show servers state")
            except OSError:
                current = ""
            state = haproxy.server_state(current, balancer, groups, addresses)
            self.operations.apply_balancer(container, wanted, state, certificates)

        count = sum(len(haproxy.servers(group, addresses)) for group in haproxy.groups_of(balancer, groups))
        said = f"load balancer {container.key}: configured, {count} targets"
        self._apply(container, digest(str(pid), wanted, *certificates.values()), work, said)

    def _configure_edge(self, desired: Mapping[str, Any], container: Container, pid: int) -> None:
        """Bring distributions to the edge; an etag is reported once it is what the edge serves, never before."""
        served = [{**item, "status": ""} for item in desired["distributions"]]
        wanted = digest(str(pid), json.dumps([served, desired.get("cloudfront")], sort_keys=True, default=str))

        def work() -> None:
            views = model.distributions(desired)
            network = next(item["cidr"] for item in desired["vpcs"] if item["id"] == cloudfront.vpc(desired))
            ports = self.config.ports if self.config.front_door == cloudfront.KEY else {}
            made = bundle.bundle(
                views, self.memory.edge_views, ec2.resolver(network), ports, self.config.edge_time_scale
            )
            self.operations.apply_edge(container, made)
            self.memory.edge_views = views
            self.memory.edge_live = {item["id"]: item["etag"] for item in served}

        behaviors = sum(len((item["config"].get("CacheBehaviors") or {}).get("Items") or ()) + 1 for item in served)
        self._apply(container, wanted, work, f"edge: configured, {len(served)} distributions, {behaviors} behaviors")
        if container.name in self.memory.applied:
            for invalidation in desired.get("invalidations", []):
                if invalidation["id"] not in self.memory.invalidated:
                    self._invalidate(container, invalidation)

    def _invalidate(self, container: Container, invalidation: Mapping[str, Any]) -> None:
        def work() -> None:
            self.operations.invalidate(container, invalidation)
            self.memory.invalidated.add(invalidation["id"])

        said = f"invalidation {invalidation['id']}: {len(invalidation['paths'])} paths"
        self.jobs.submit(f"invalidation {invalidation['id']}", work, said)

    def _configure_cluster(self, desired: Mapping[str, Any], container: Container, pid: int) -> None:
        cluster = next(item for item in desired["db_clusters"] if item["id"] == container.key)
        if not cluster.get("master_password"):
            return
        wanted = digest(self.salt, str(pid), rds.account_statements(cluster))
        if self.memory.applied.get(container.name) != wanted and files.greets(
            container.address, int(cluster.get("port") or 3306)
        ):
            work = partial(self.operations.apply_accounts, container, cluster)
            self._apply(container, wanted, work, f"database {container.key}: serves, master user set")

    def _images(self, desired: Mapping[str, Any], snapshot: Snapshot) -> None:
        """Commit images that are pending, remove those that the API no longer knows."""
        known = set()
        for image in desired["images"]:
            name, source = self.config.ami_image(image["id"]), image.get("source_instance_id")
            known.add(name)
            container = ec2.name(self.config, source) if source else ""
            due = image["state"] == "pending" and container in snapshot.containers and name not in snapshot.images
            if due and self._fresh(name, snapshot):
                work = partial(self.operations.commit_image, image["id"], source)
                self.jobs.submit(name, work, f"image {image['id']}: made of {source}")
        for name in snapshot.images - known:
            if self._fresh(name, snapshot):
                self.jobs.submit(name, partial(self.engine.remove_image, name), f"image {name.split(':')[-1]}: removed")

    # -- report --------------------------------------------------------------------------------------------------------

    def _observe(
        self,
        desired: Mapping[str, Any],
        snapshot: Snapshot,
        running: Mapping[str, tuple[Container, int]],
        topology: Topology,
    ) -> dict[str, Any]:
        """Return the report."""
        instances = dict.fromkeys(self.memory.dead, "dead")
        databases, caches, targets, edge = {}, {}, [], {}
        for container, pid in running.values():
            key = container.key
            if container.kind == ec2.KIND and key not in self.memory.dead and _booted(pid):
                instances[key] = "running"
            elif container.kind == rds.KIND and container.name in self.memory.applied:
                databases[key] = "available"
            elif container.kind == elasticache.KIND and self._cache_serves(desired, container, pid):
                caches[key] = "available"
            elif container.kind == elbv2.KIND:
                targets += self._targets(desired, container)
            elif container.kind == cloudfront.KIND and container.name in self.memory.applied:
                edge = dict(self.memory.edge_live)
        due = {item["id"] for item in desired.get("invalidations", [])}
        self.memory.invalidated &= due
        return {
            "instances": instances,
            "images": self._image_states(desired, snapshot),
            "db_clusters": databases,
            "replication_groups": caches,
            "targets": targets,
            "distributions": edge,
            "invalidations": dict.fromkeys(self.memory.invalidated, "completed"),
        }

    def _image_states(self, desired: Mapping[str, Any], snapshot: Snapshot) -> dict[str, str]:
        states = {}
        for image in desired["images"]:
            name, source = self.config.ami_image(image["id"]), image.get("source_instance_id")
            if image["state"] != "pending":
                continue
            if name in snapshot.images or not source:
                states[image["id"]] = "available"
            elif ec2.name(self.config, source) not in snapshot.containers and self._fresh(name, snapshot):
                states[image["id"]] = "failed"
        return states

    def _cache_serves(self, desired: Mapping[str, Any], container: Container, pid: int) -> bool:
        """Return whether a cache accepts connections; asked until it does, then believed as long as its process lives."""
        if self.memory.applied.get(container.name) == str(pid):
            return True
        group = next(item for item in desired["replication_groups"] if item["id"] == container.key)
        if files.accepts(container.address, int(group.get("port") or 6379)):
            self.memory.applied[container.name] = str(pid)
            return True
        return False

    def _targets(self, desired: Mapping[str, Any], container: Container) -> list[dict[str, Any]]:
        balancer = next(item for item in desired["load_balancers"] if item["name"] == container.key)
        addresses = {item["id"]: item["private_ip"] for item in desired["instances"]}
        groups = haproxy.groups_of(balancer, desired["target_groups"])
        try:
            stats = self.operations.balancer_says(container.key, "show stat")
        except OSError:
            return []
        observed = haproxy.health(stats, groups, addresses, self.memory.proven)
        self._judge(groups, observed)
        return observed

    def _judge(self, groups: list[Any], observed: list[dict[str, Any]]) -> None:
        """Let a target that has failed its threshold of checks since registration count as unhealthy, not as initial."""
        now, patience = time.monotonic(), {}
        for group in groups:
            check = group["health_check"]
            patience[group["arn"]] = (haproxy.backend_name(group), check["interval"] * check["unhealthy"])
        seen = set()
        for target in observed:
            backend, seconds = patience[target["target_group_arn"]]
            key = (backend, target["id"])
            seen.add(key)
            if target["state"] == "initial":
                if now - self.memory.down_since.setdefault(key, now) > seconds:
                    self.memory.proven.add(key)
            else:
                self.memory.down_since.pop(key, None)
        mine = {backend for backend, _seconds in patience.values()}
        self.memory.proven -= {key for key in self.memory.proven if key[0] in mine and key not in seen}
        for key in [key for key in self.memory.down_since if key[0] in mine and key not in seen]:
            del self.memory.down_since[key]

    # -- log -----------------------------------------------------------------------------------------------------------

    def _say(self, subject: str, state: str) -> None:
        """Log a state when it changed."""
        if self.memory.said.get(subject) != state:
            self.memory.said[subject] = state
            LOG.info("%s: %s", subject, state)

    def _tell(self, report: Mapping[str, Any]) -> None:
        for kind in ("instances", "db_clusters", "replication_groups", "distributions"):
            for key, state in report[kind].items():
                self._say(key, state)
        for target in report["targets"]:
            reason = f" ({target['reason']})" if target["reason"] else ""
            self._say(f"target {target['id']}:{target['port']}", target["state"] + reason)


def _alive(pid: int) -> bool:
    return pid > 0 and Path(f"/proc/{pid}/ns").exists()


def _booted(pid: int) -> bool:
    """Return whether systemd runs as the container's first process."""
    return Path(f"/proc/{pid}/root/run/systemd/system").exists()
