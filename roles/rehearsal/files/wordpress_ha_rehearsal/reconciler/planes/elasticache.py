# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ElastiCache: a replication group is one Valkey server with TLS and a password; every endpoint leads to it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from ..config import Config
from ..planner import Container

KIND = "elasticache"

#: Parameters that a self-run Valkey knows under the same name; the rest belongs to the managed service.
KNOWN = re.compile(
    r"^(maxmemory-(policy|samples)|timeout|tcp-keepalive|notify-keyspace-events|activedefrag|databases|slowlog-.*|latency-.*"
    r"|lazyfree-.*|(hash|list|set|zset|stream)-.*|lfu-.*|active-expire-effort|io-threads)$"
)
MEMORY = "128mb"


def directive(name: str, value: Any) -> str:
    """Return a configuration line with its value quoted."""
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'{name} "{escaped}"'


def server_configuration(group: Mapping[str, Any]) -> str:
    """Return valkey.conf; it holds the password, so it is written 0600."""
    port, secure = int(group.get("port") or 6379), bool(group.get("transit_encryption"))
    lines = ["bind 0.0.0.0", "protected-mode no", 'save ""', "appendonly no", f"maxmemory {MEMORY}", "dir /run/valkey"]
    if secure:
        lines += ["port 0", f"tls-port {port}", "tls-cert-file /run/valkey/tls.crt", "tls-key-file /run/valkey/tls.key"]
        lines += ["tls-auth-clients no", "tls-ca-cert-dir /etc/ssl/certs"]
    else:
        lines.append(f"port {port}")
    if group.get("auth_token"):
        lines.append(directive("requirepass", group["auth_token"]))
    parameters = group.get("parameters") or {}
    lines += [
        directive(name, value) for name, value in sorted(parameters.items()) if KNOWN.match(name) and str(value) != ""
    ]
    return "\n".join(lines) + "\n"


def names(group: Mapping[str, Any]) -> list[str]:
    """Return every endpoint name of a replication group."""
    listed = [group.get("primary_endpoint"), group.get("reader_endpoint")]
    return list(dict.fromkeys(name for name in listed if name))


def vpcs(desired: Mapping[str, Any]) -> dict[str, str]:
    """Return the VPC by replication group."""
    return {group["id"]: group["vpc_id"] for group in desired.get("replication_groups", []) if group.get("vpc_id")}


def containers(desired: Mapping[str, Any], config: Config, addresses: Mapping[str, str], salt: str) -> list[Container]:
    """Return the containers of the replication groups; ``salt`` keeps the fingerprint from saying anything of the password."""
    found = []
    for group in desired.get("replication_groups", []):
        key = group["id"]
        if key not in addresses:
            continue
        revision = hashlib.sha256((salt + server_configuration(group) + ",".join(names(group))).encode()).hexdigest()
        found.append(
            Container(
                name=f"{config.prefix}-cache-{key}",
                kind=KIND,
                key=key,
                image=config.services_image,
                network=f"{config.prefix}-{group['vpc_id']}",
                address=addresses[key],
                command=("rehearsal-valkey",),
                flags=("--volume", f"{config.directory(KIND, key)}:/etc/rehearsal:ro"),
                revision=revision,
            )
        )
    return found
