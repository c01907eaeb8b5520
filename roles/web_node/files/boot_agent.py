# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make this machine a node of its WordPress stack: read the contract, mount the shared files, start serving, get ready.

``boot_agent.py run`` is what boot does. ``boot_agent.py prepare`` stops after the mount: enough to install the site with.
Nothing is downloaded (P42). No log line holds a secret (P45): only names of things are printed, never values of secrets.
"""

from __future__ import annotations

import grp
import http.client
import ipaddress
import json
import os
import re
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the other agents import this one, and one of them may not load what code_node needs
    import code_node

CONFIG = Path("/etc/wordpress_ha/agent.json")
IMDS = "http://169.254.169.254/latest"
STACK_TAG = "wordpress_ha:stack"
CODE_SERVICE = "wordpress-ha-code.service"
MIB = 1024 * 1024

Contract = dict[str, Any]

#: How a node runs the site's code: from a copy that follows the shared files, from the shared files, or from a copy of a release.
MODES = ("replica", "efs", "release")

#: Leaves without which a node cannot serve.
REQUIRED = (
    "site/url",
    "site/domain",
    "storage/mode",
    "database/host",
    "database/port",
    "database/name",
    "cache/engine",
)
#: Keys of each resolved secret that must hold something.
SECRETS = {
    "database": ("username", "password"),
    "cache": ("auth_token",),
    "salts": (
        "AUTH_KEY", "SECURE_AUTH_KEY", "LOGGED_IN_KEY", "NONCE_KEY",
        "AUTH_SALT", "SECURE_AUTH_SALT", "LOGGED_IN_SALT", "NONCE_SALT",
    ),
}  # fmt: skip


class NotYet(Exception):
    """Something this node waits for is missing or does not answer; trying again may help."""


def log(message: str) -> None:
    print(f"boot agent: {message}", flush=True)


# --- the contract, as plain data -------------------------------------------------------------------------------------


def nest(parameters: Mapping[str, str], prefix: str) -> Contract:
    """Turn ``{"/wordpress_ha/blog/site/url": "u"}`` into ``{"site": {"url": "u"}}``."""
    tree: Contract = {}
    for name, value in parameters.items():
        *branches, leaf = name.removeprefix(prefix).strip("/").split("/")
        node = tree
        for branch in branches:
            node = node.setdefault(branch, {})
        node[leaf] = value
    return tree


def leaf(contract: Contract, path: str) -> str:
    """Return a leaf as text; an absent one is empty."""
    node: Any = contract
    for part in path.split("/"):
        node = node.get(part, "") if isinstance(node, Mapping) else ""
    if isinstance(node, bool):
        return "true" if node else "false"
    return "" if isinstance(node, Mapping) or node is None else str(node)


def missing(contract: Contract) -> list[str]:
    """Name what a contract lacks to be served; empty means complete."""
    absent = [path for path in REQUIRED if not leaf(contract, path)]
    for name, keys in SECRETS.items():
        if name == "cache" and not wants_cache_secret(contract):
            continue
        absent += [f"secrets/{name}/{key}" for key in keys if not leaf(contract, f"secrets/{name}/{key}")]
    if leaf(contract, "cache/engine") not in ("", "none") and not leaf(contract, "cache/host"):
        absent.append("cache/host")
    return absent


def wants_cache_secret(contract: Contract) -> bool:
    has_reference = bool(leaf(contract, "cache/secret_arn") or leaf(contract, "secrets/cache/auth_token"))
    return leaf(contract, "cache/engine") not in ("", "none") and has_reference


def php_literal(value: str) -> str:
    """Return a PHP string literal: single quotes know two escapes only."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def render(template: str, contract: Contract) -> str:
    """Replace each ``@{path/of/leaf}`` by its value as a PHP literal."""
    return re.sub(r"@\{([a-zA-Z0-9_/]+)\}", lambda match: php_literal(leaf(contract, match.group(1))), template)


def trusted_peers(cidrs: str) -> list[str]:
    """Return the networks whose word on client address and scheme is taken; the machine itself is always one."""
    networks = [str(ipaddress.ip_network(cidr.strip(), strict=False)) for cidr in cidrs.split(",") if cidr.strip()]
    return ["127.0.0.1/32", *networks]


def mount_unit(contract: Contract, where: str) -> str:
    """Return the systemd unit that mounts the shared files with the contract's options (R40, R41)."""
    return (
        "# Written by the boot agent.\n[Unit]\nDescription=Shared files of the WordPress stack\n\n[Mount]\n"
        f"What={leaf(contract, 'storage/mount_what')}\nWhere={where}\nType={leaf(contract, 'storage/mount_type') or 'nfs4'}\n"
        f"Options={leaf(contract, 'storage/mount_options')}\nTimeoutSec=90\n"
    )


def memory_mb(meminfo: str, limit: str) -> int:
    """Return the usable memory in MiB: what the kernel has, or less if a control group limits it."""
    kibibytes = re.search(r"^MemTotal:\s+(\d+) kB", meminfo, re.MULTILINE)
    total = int(kibibytes.group(1)) // 1024 if kibibytes else 1024
    return min(total, int(limit) // MIB) if limit.strip().isdigit() else total


# --- the machine -----------------------------------------------------------------------------------------------------


@dataclass
class Machine:
    """What the agent does to the system; keeps in mind what has changed."""

    group: str
    changed: list[str] = field(default_factory=list)

    def write(self, path: Path, content: str, mode: int, shared_with_php: bool = False) -> bool:
        """Replace a file at once, never leaving it readable by more than wanted; tell whether it differed."""
        if path.exists() and path.read_text() == content:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(content)
        if shared_with_php:
            os.chown(new, 0, grp.getgrnam(self.group).gr_gid)
        new.chmod(mode)
        new.replace(path)
        self.changed.append(str(path))
        return True

    def systemctl(self, *arguments: str, timeout: float = 120) -> bool:
        """Run systemctl; False if it fails or does not return in ``timeout`` seconds."""
        try:
            done = subprocess.run(
                ["systemctl", *arguments], check=False, timeout=timeout, capture_output=True, text=True
            )
        except subprocess.TimeoutExpired:
            return False
        if done.returncode and arguments[0] != "is-active":
            log(f"systemctl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.returncode == 0


# --- sources of the contract -----------------------------------------------------------------------------------------


def imds(path: str) -> str:
    """Read one leaf of the instance metadata service, version 2 only (P32)."""
    try:
        ask = urllib.request.Request(
            f"{IMDS}/api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "300"}
        )
        with urllib.request.urlopen(ask, timeout=3) as answer:
            token = answer.read().decode()
        ask = urllib.request.Request(f"{IMDS}/meta-data/{path}", headers={"X-aws-ec2-metadata-token": token})
        with urllib.request.urlopen(ask, timeout=3) as answer:
            return str(answer.read().decode().strip())
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        raise NotYet(f"instance metadata {path}: {error}") from error


def aws_contract(config: Mapping[str, Any]) -> Contract:
    """Read the parameter tree of the stack this instance is tagged with, and the secrets it names."""
    import botocore.config
    import botocore.exceptions
    import botocore.session

    stack = imds(f"tags/instance/{STACK_TAG}")
    region = imds("placement/region")
    session = botocore.session.Session()
    options = {
        "region_name": region,
        "verify": config["ca_bundle"],
        "config": botocore.config.Config(
            connect_timeout=3, read_timeout=10, retries={"max_attempts": 3, "mode": "standard"}
        ),
    }
    prefix = f"/wordpress_ha/{stack}/"
    try:
        pages = session.create_client("ssm", **options).get_paginator("get_parameters_by_path")
        found = {
            parameter["Name"]: parameter["Value"]
            for page in pages.paginate(Path=prefix, Recursive=True, WithDecryption=True)
            for parameter in page["Parameters"]
        }
        if not found:
            raise NotYet(f"no parameter below {prefix} yet")
        contract = nest(found, prefix)
        secrets = session.create_client("secretsmanager", **options)
        contract["secrets"] = {
            **contract.get("secrets", {}),
            **{
                name: json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])
                for name, arn in references(contract)
            },
        }
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise NotYet(f"AWS: {error}") from error
    log(f"read {len(found)} parameters of stack {stack} in {region} and {len(references(contract))} secrets")
    return contract


def references(contract: Contract) -> list[tuple[str, str]]:
    """Return which secrets a node reads, as name and ARN. The administrator's is not among them."""
    wanted = [("database", leaf(contract, "database/user_secret_arn")), ("salts", leaf(contract, "secrets/salts_arn"))]
    if wants_cache_secret(contract):
        wanted.append(("cache", leaf(contract, "cache/secret_arn")))
    wanted.append(("mail", leaf(contract, "mail/secret_arn")))  # of an SMTP server; SES takes the instance's role (P39)
    return [(name, arn) for name, arn in wanted if arn]


def file_contract(config: Mapping[str, Any]) -> Contract:
    """Read the contract from the file that a node without AWS keeps."""
    try:
        contract: Contract = json.loads(Path(config["path"]).read_text())
    except (OSError, ValueError) as error:
        raise NotYet(f"contract {config['path']}: {error}") from error
    return contract


# --- the steps -------------------------------------------------------------------------------------------------------


class Agent:
    """The steps of a boot, each of which may be tried again."""

    def __init__(self, config: Mapping[str, Any], machine: Machine, deadline: float) -> None:
        self.config = config
        self.machine = machine
        self.deadline = deadline
        self.run_dir = Path(config["run_dir"])
        self.contract: Contract = {}
        self.node: code_node.Node | None = None

    def until_done(self, what: str, step: Callable[[], None], first_wait: float = 1.0) -> None:
        """Try a step until it works, with growing pauses up to 15 s; fail when the time of the whole boot is over."""
        wait, started = first_wait, time.monotonic()
        while True:
            try:
                step()
            except NotYet as reason:
                if time.monotonic() + wait > self.deadline:
                    raise SystemExit(f"boot agent: gave up on {what}: {reason}") from reason
                log(f"{what}: {reason}; again in {wait:.0f} s")
                time.sleep(wait)
                wait = min(wait * 1.7, 15.0)
            else:
                log(f"{what}: done after {time.monotonic() - started:.1f} s")
                return

    def read_contract(self) -> None:
        contract = aws_contract(self.config) if self.config["source"] == "aws" else file_contract(self.config)
        absent = missing(contract)
        if absent:
            raise NotYet(f"it lacks {', '.join(absent)}")
        contract["node"] = {"ca_bundle": self.config["ca_bundle"]}
        self.contract = contract

    def write_files(self) -> None:
        """Write what other programs read: everything for root, wp-config for PHP, networks for nginx."""
        write, run_dir = self.machine.write, self.run_dir
        try:
            peers = trusted_peers(leaf(self.contract, "network/trusted_proxies"))
        except ValueError as error:
            raise NotYet(f"network/trusted_proxies: {error}") from error
        write(run_dir / "contract.json", json.dumps(self.contract, indent=1, sort_keys=True), 0o600)
        config_differs = False
        for template in sorted(Path(self.config["templates"]).glob("*.php")):
            text = render(template.read_text(), self.contract)
            config_differs |= write(run_dir / template.name, text, 0o640, shared_with_php=True)
        nginx_differs = write(run_dir / "nginx/trusted_peers.conf", "".join(f"{peer} 1;\n" for peer in peers), 0o644)
        nginx_differs |= write(
            run_dir / "nginx/real_ip.conf", "".join(f"set_real_ip_from {peer};\n" for peer in peers), 0o644
        )
        if self.config["source"] == "file":  # elsewhere the purge agent asks the parameter tree itself
            write(run_dir / "edge.json", json.dumps(self.contract.get("edge", {}), sort_keys=True), 0o644)
        if nginx_differs:
            self.reload(self.config["web_service"])
        if config_differs:  # OPcache keeps what it read: a password that was rotated, say
            self.reload(self.config["fpm_service"])

    def reload(self, service: str) -> None:
        """Have a service that runs read its files anew; one that does not run will read them anyway."""
        if self.machine.systemctl("is-active", "--quiet", service):
            self.machine.systemctl("reload", service)

    def mount_shared(self) -> None:
        """Mount the shared files through a systemd unit that lives as long as this boot (P18)."""
        where = self.config["shared"]
        if not leaf(self.contract, "storage/mount_what"):
            return
        unit = where.strip("/").replace("/", "-") + ".mount"
        if self.machine.write(Path("/run/systemd/system") / unit, mount_unit(self.contract, where), 0o644):
            self.machine.systemctl("daemon-reload")
        self.machine.systemctl("reset-failed", unit) if self.machine.systemctl("is-failed", "--quiet", unit) else None
        if not self.machine.systemctl("start", unit, timeout=120):
            raise NotYet(f"{unit} does not start")

    def mode(self) -> str:
        mode = leaf(self.contract, "storage/mode")
        if mode not in MODES:
            raise NotYet(f"storage/mode is {mode}; it must be one of {', '.join(MODES)}")
        return mode

    def take_code(self) -> None:
        """Point the document root at the code that the storage mode says, complete and up to date.

        A node that is ready keeps the copy it has: the code agent brings it further, while the shared files may be away.
        """
        import code_node
        import code_trees

        mode = self.mode()
        node = self.node = self.node or code_node.Node(self.config)
        self.stop_agent_of_another(mode)
        try:
            if mode == "efs":
                if not node.site.whole():
                    raise NotYet(f"{node.truth} holds no WordPress")
                if not node.trees.docroot.is_symlink() or os.readlink(node.trees.docroot) != str(node.truth):
                    node.trees.switch(node.truth)
                self.tell_nginx(mode)
                return
            # Before the copy is live: what authors send must not reach it.
            self.tell_nginx(mode)
            with node.trees.lock():
                live = node.live()
                if live and (self.run_dir / "ready").exists() and (mode == "release" or not live.release):
                    return
                node.trees.clean()
                node.follow(warm=False, trust=False) if mode == "replica" else node.release(warm=False)
        except (code_node.NotNow, code_node.Moving, code_trees.NoSpace, OSError) as error:
            raise NotYet(str(error) or type(error).__name__) from error

    def stop_agent_of_another(self, mode: str) -> None:
        """Stop a code agent that follows another mode: it would point the document root back. It is started anew at the end."""
        try:
            running = json.loads((self.run_dir / "code.json").read_text())["mode"]
        except (OSError, ValueError, KeyError):
            return
        if running != mode and not self.machine.systemctl("stop", CODE_SERVICE):
            raise NotYet(f"{CODE_SERVICE}, which follows the mode {running}, does not stop")

    def tell_nginx(self, mode: str) -> None:
        """Say where authors work: on the shared files, if visitors have a copy that follows them."""
        text = f"map $host $wordpress_ha_storage {{ default {mode}; }}\n"
        if self.machine.write(self.run_dir / "nginx/storage.conf", text, 0o644):
            self.reload(self.config["web_service"])

    def size_php(self) -> None:
        """Size PHP-FPM for this machine and for the code it runs (P17)."""
        import node_sizes

        limit = Path("/sys/fs/cgroup/memory.max")
        memory = memory_mb(Path("/proc/meminfo").read_text(), limit.read_text() if limit.exists() else "")
        pool, mode = dict(self.config["pool"]), self.mode()
        notes = [Path(note) for note in self.config["worker_notes"]]
        pool["child_memory_mb"] = node_sizes.known_worker_mb(pool["child_memory_mb"], pool["memory_limit_mb"], *notes)
        files = node_sizes.count_php(Path(self.config["docroot"]))
        sizes = node_sizes.plan(memory, os.cpu_count() or 1, files, pool | {"mode": mode})
        differs = self.machine.write(self.run_dir / "php-fpm/size.conf", node_sizes.pool_conf(sizes, mode), 0o644)
        differs |= self.machine.write(self.run_dir / "php/sizes.ini", node_sizes.ini(sizes), 0o644)
        if differs:
            log(f"sizes for {files} PHP files and {memory} MiB: {json.dumps(sizes)}")
            self.reload(self.config["fpm_service"])

    def warm_opcache(self) -> None:
        """Compile what ran on the machine of which this one is an image, before the first visitor needs it."""
        if self.node and not (self.run_dir / "ready").exists():
            self.node.warm_at_boot()

    def follow_code(self) -> None:
        """Start the code agent, or have it learn the mode anew."""
        if not self.machine.systemctl("restart", CODE_SERVICE):
            raise NotYet(f"{CODE_SERVICE} does not start")

    def start_services(self) -> None:
        for service in (self.config["fpm_service"], self.config["web_service"]):
            if not self.machine.systemctl("start", service):
                raise NotYet(f"{service} does not start")

    def reach_database(self) -> None:
        """Log in as WordPress will: over TLS, certificate and host name verified."""
        import pymysql

        try:
            connection = pymysql.connect(
                host=leaf(self.contract, "database/host"),
                port=int(leaf(self.contract, "database/port")),
                user=leaf(self.contract, "secrets/database/username"),
                password=leaf(self.contract, "secrets/database/password"),
                database=leaf(self.contract, "database/name"),
                ssl=tls_context(self.config["database_ca_file"]),
                connect_timeout=5,
                read_timeout=10,
            )
        except (pymysql.MySQLError, OSError) as error:
            raise NotYet(f"{leaf(self.contract, 'database/host')}: {error}") from error
        connection.close()

    def find_site(self) -> None:
        docroot = Path(self.config["docroot"])
        for name in ("wp-config.php", "wp-includes/version.php"):
            if not (docroot / name).is_file():
                raise NotYet(f"{docroot / name} is not there")

    def warm(self) -> None:
        """Ask for the front page as the load balancer will, so that the first visitor finds OPcache filled."""
        host = leaf(self.contract, "site/domain")
        connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=float(self.config["request_timeout"]))
        try:
            connection.request(
                "GET", "/", headers={"Host": host, "X-Forwarded-Proto": "https", "User-Agent": "boot agent"}
            )
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise NotYet(f"front page: {error}") from error
        finally:
            connection.close()
        if status >= 400:
            raise NotYet(f"front page answers {status}")

    def prepare(self) -> None:
        self.until_done("contract", self.read_contract)
        self.until_done("files", self.write_files)
        self.until_done("shared files", self.mount_shared)

    def run(self) -> None:
        self.prepare()
        self.until_done("code", self.take_code)
        self.until_done("sizes", self.size_php)
        self.until_done("services", self.start_services)
        self.until_done("database", self.reach_database)
        self.until_done("site", self.find_site)
        self.until_done("OPcache", self.warm_opcache)
        self.until_done("front page", self.warm)
        self.until_done("code agent", self.follow_code)
        self.machine.write(self.run_dir / "ready", "ready\n", 0o644)
        log("this node is ready")


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Return a context that verifies chain and name. Python's newest extra strictness would refuse authorities in use."""
    context = ssl.create_default_context(cafile=ca_file)
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    return context


def main(arguments: list[str]) -> int:
    config = json.loads(CONFIG.read_text())
    agent = Agent(config, Machine(config["group"]), time.monotonic() + config["boot_timeout"])
    if arguments not in (["run"], ["prepare"]):
        print("usage: boot_agent.py run|prepare", file=sys.stderr)
        return 2
    agent.run() if arguments == ["run"] else agent.prepare()
    log(f"changed: {', '.join(agent.machine.changed) or 'nothing'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
