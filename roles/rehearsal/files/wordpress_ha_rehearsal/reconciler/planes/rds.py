# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RDS: an Aurora MySQL cluster is one MariaDB server with TLS; writer, reader, instance and proxy endpoints all lead to it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from ..config import Config
from ..planner import Container

KIND = "rds"

#: Names a server option may have; values with a brace are formulas over a machine size that does not exist here.
OPTION = re.compile(r"^[a-z][a-z0-9_]*$")
#: What the rehearsal decides itself: paths, network, and memory (this machine is shared by the whole stack).
OWN = {
    "port",
    "datadir",
    "socket",
    "tmpdir",
    "innodb_buffer_pool_size",
    "ssl_ca",
    "ssl_cert",
    "ssl_key",
    "bind_address",
}


def option_lines(parameters: Mapping[str, Any]) -> list[str]:
    """Return cluster parameters as option lines; ``loose_`` lets MariaDB pass over what only Aurora knows."""
    lines = []
    for name, value in sorted(parameters.items()):
        text = str(value)
        if OPTION.match(name) and name not in OWN and not re.search(r"[{}\n\r]", text):
            lines.append(f"loose_{name}={text}")
    return lines


def server_configuration(cluster: Mapping[str, Any]) -> str:
    """Return server.cnf."""
    return "\n".join(
        [
            "[mariadbd]",
            "datadir=/var/lib/mysql",
            "socket=/run/mysqld/mysqld.sock",
            "pid_file=/run/mysqld/mysqld.pid",
            "bind_address=0.0.0.0",
            f"port={int(cluster.get('port') or 3306)}",
            "ssl_cert=/run/mysqld/tls.crt",
            "ssl_key=/run/mysqld/tls.key",
            "skip_name_resolve=1",
            "character_set_server=utf8mb4",
            "innodb_buffer_pool_size=128M",
            "innodb_flush_log_at_trx_commit=2",
            *option_lines(cluster.get("parameters") or {}),
            "",
        ]
    )


def sql_text(text: str) -> str:
    """Return a quoted SQL string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def account_statements(cluster: Mapping[str, Any]) -> str:
    """Return the SQL that makes the master user (and the first database) what the API says; harmless when repeated."""
    user = f"{sql_text(cluster['master_username'])}@'%'"
    password = sql_text(cluster["master_password"])
    statements = [
        f"CREATE USER IF NOT EXISTS {user} IDENTIFIED BY {password}",
        f"ALTER USER {user} IDENTIFIED BY {password}",
        f"GRANT ALL PRIVILEGES ON *.* TO {user} WITH GRANT OPTION",
    ]
    if cluster.get("database_name"):
        quoted = "`" + cluster["database_name"].replace("`", "``") + "`"
        statements.append(f"CREATE DATABASE IF NOT EXISTS {quoted}")
    return ";\n".join(statements) + ";\n"


def names(cluster: Mapping[str, Any]) -> list[str]:
    """Return every endpoint name of a cluster."""
    listed = [
        cluster.get("endpoint"),
        cluster.get("reader_endpoint"),
        *(cluster.get("proxy_endpoints") or []),
        *(item.get("endpoint") for item in cluster.get("instances") or []),
    ]
    return list(dict.fromkeys(name for name in listed if name))


def vpcs(desired: Mapping[str, Any]) -> dict[str, str]:
    """Return the VPC by cluster."""
    return {cluster["id"]: cluster["vpc_id"] for cluster in desired.get("db_clusters", []) if cluster.get("vpc_id")}


def containers(desired: Mapping[str, Any], config: Config, addresses: Mapping[str, str]) -> list[Container]:
    """Return the containers of the clusters; ``addresses`` by cluster id."""
    found = []
    for cluster in desired.get("db_clusters", []):
        key = cluster["id"]
        if key not in addresses:
            continue
        revision = hashlib.sha256((server_configuration(cluster) + ",".join(names(cluster))).encode()).hexdigest()
        found.append(
            Container(
                name=f"{config.prefix}-rds-{key}",
                kind=KIND,
                key=key,
                image=config.services_image,
                network=f"{config.prefix}-{cluster['vpc_id']}",
                address=addresses[key],
                command=("rehearsal-mariadb",),
                flags=(
                    *("--volume", f"{config.directory(KIND, key)}:/etc/rehearsal:ro"),
                    *("--volume", f"{config.data(KIND) / key}:/var/lib/mysql"),
                    "--stop-signal=SIGTERM",
                ),
                revision=revision,
            )
        )
    return found
