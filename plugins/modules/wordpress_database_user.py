#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wordpress_database_user
version_added: 0.1.0
short_description: Create WordPress's database and its least-privileged user, from a node
description:
  - Creates the database and the user that a node's contract names, with the privileges WordPress needs on this one database, and
    TLS required of every connection.
  - Runs on a machine that reaches the database. Passwords are read there, from Secrets Manager or the contract, and never
    pass the controller.
  - Works with Aurora MySQL 8 and MariaDB. Every connection is over TLS, certificate and host name verified.
author:
  - The wordpress_ha.aws project (@wordpress-ha)
requirements:
  - PyMySQL
  - botocore, for O(admin_secret_arn)
attributes:
  check_mode:
    support: full
    description: Without the contract file, as on a machine that was not configured yet, everything is predicted to be created.
  diff_mode:
    support: full
    description: Shows which object differs in what; passwords only as valid or not.
options:
  contract:
    description:
      - File on the node with the resolved contract that the boot agent writes. Names host, port, database and the user's
        credentials.
    type: path
    default: /run/wordpress_ha/contract.json
  admin_secret_arn:
    description: Secret with the administrator's C(username) and C(password), as RDS manages it.
    type: str
  login_host:
    description:
      - Host name at which the administrator logs in; the contract's C(database/host) unless set.
      - Where nodes connect through an RDS Proxy, which knows only their own user, it is the endpoint of the cluster itself.
    type: str
  login_user:
    description: Administrator, where there is no Secrets Manager.
    type: str
  login_password:
    description: Password of O(login_user).
    type: str
  ca_file:
    description: Certificate authorities that the database's certificate must chain to.
    type: path
    default: /etc/ssl/certs/ca-certificates.crt
  privileges:
    description: Privileges of the user on its database. Others it has, on any scope, are revoked.
    type: list
    elements: str
    default:
      - ALTER
      - CREATE
      - CREATE TEMPORARY TABLES
      - DELETE
      - DROP
      - INDEX
      - INSERT
      - LOCK TABLES
      - REFERENCES
      - SELECT
      - UPDATE
"""

EXAMPLES = r"""
- name: Create the site's database user with the master secret that RDS manages
  wordpress_ha.aws.wordpress_database_user:
    admin_secret_arn: "{{ database_result.master_secret_arn }}"
    ca_file: /etc/wordpress_ha/rds-global-bundle.pem
"""

RETURN = r"""
actions:
  description: What was, or in check mode would be, created, updated or deleted, in order.
  returned: success
  type: list
  elements: dict
  sample: [{"action": "create", "resource": "database/wordpress", "before": {}, "after": {"charset": "utf8mb4"}}]
database:
  description: Name of the database.
  returned: success
  type: str
  sample: wordpress
user:
  description: Name of the user.
  returned: success
  type: str
  sample: wordpress
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _node, _plan

#: Whom the user may connect as from anywhere in the network; security groups and TLS guard the way.
ANY_HOST = "%"
ORDER = ("database", "user", "grant")
ACCESS_DENIED = 1045
GRANT = re.compile(r"^GRANT (?P<privileges>.+?) ON (?P<scope>\S+) TO .+?(?P<option> WITH GRANT OPTION)?$", re.DOTALL)


def scope_of(database: str) -> str:
    """Return how a grant names all tables of a database: C(_) and C(%) are wildcards there."""
    escaped = database.replace("`", "``").replace("_", r"\_").replace("%", r"\%")
    return f"`{escaped}`.*"


def parse_grants(lines: Iterable[str]) -> dict[str, list[str]]:
    """Return the privileges by scope that SHOW GRANTS lists. USAGE is none; roles are left alone."""
    grants: dict[str, set[str]] = {}
    for line in lines:
        found = GRANT.match(line)
        if not found:
            continue
        privileges = {privilege.strip().upper() for privilege in found["privileges"].split(",")} - {"USAGE"}
        if found["option"]:
            privileges.add("GRANT OPTION")
        if privileges:
            grants.setdefault(found["scope"], set()).update(privileges)
    return {scope: sorted(privileges) for scope, privileges in grants.items()}


def desired(database: str, user: str, privileges: Iterable[str]) -> _plan.Tree:
    """Return the wanted tree."""
    return {
        f"database/{database}": {"charset": None},
        f"user/{user}": {"tls": "required", "password": "valid"},
        f"grant/{scope_of(database)}": {"privileges": sorted(privilege.upper() for privilege in privileges)},
    }


class Database:
    """The database server as a tree, read and written by SQL."""

    def __init__(self, cursor: Any, names: Mapping[str, str], password_works: Callable[[], bool]) -> None:
        self.cursor = cursor
        self.database, self.user, self.password = names["database"], names["user"], names["password"]
        self.password_works = password_works

    def query(self, statement: str, *values: str) -> list[Any]:
        self.cursor.execute(statement, values or None)
        return list(self.cursor.fetchall())

    def read(self) -> _plan.Tree:
        tree: _plan.Tree = {}
        for (charset,) in self.query(
            "SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = %s", self.database
        ):
            tree[f"database/{self.database}"] = {"charset": charset}
        for (ssl_type,) in self.query(
            "SELECT ssl_type FROM mysql.user WHERE user = %s AND host = %s", self.user, ANY_HOST
        ):
            text = ssl_type.decode() if isinstance(ssl_type, bytes) else ssl_type
            tls = "required" if text else "optional"
            tree[f"user/{self.user}"] = {"tls": tls, "password": "valid" if self.password_works() else "differs"}
            lines = [line for (line,) in self.query("SHOW GRANTS FOR %s@%s", self.user, ANY_HOST)]
            for scope, privileges in parse_grants(lines).items():
                tree[f"grant/{scope}"] = {"privileges": privileges}
        return tree

    def create_database(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        name = self.database.replace("`", "``")
        self.query(f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4")
        return {"charset": "utf8mb4"}

    def create_user(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self.query("CREATE USER IF NOT EXISTS %s@%s IDENTIFIED BY %s REQUIRE SSL", self.user, ANY_HOST, self.password)
        return {}

    def update_user(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self.query("ALTER USER %s@%s IDENTIFIED BY %s REQUIRE SSL", self.user, ANY_HOST, self.password)
        return {}

    def set_grant(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        before = set(change.before.get("privileges") or ())
        after = set(change.after.get("privileges") or ())
        for verb, direction, privileges in (("REVOKE", "FROM", before - after), ("GRANT", "TO", after - before)):
            if privileges:
                statement = f"{verb} {', '.join(sorted(privileges))} ON {change.name} {direction} "
                self.query(statement.replace("%", "%%") + "%s@%s", self.user, ANY_HOST)
        return {}

    def handlers(self) -> Mapping[str, _plan.Handler]:
        return {
            "create database": self.create_database,
            "create user": self.create_user,
            "update user": self.update_user,
            "create grant": self.set_grant,
            "update grant": self.set_grant,
            "delete grant": self.set_grant,
        }


def run(module: AnsibleModule, contract: Mapping[str, Any]) -> None:
    """Connect as administrator, plan, apply outside check mode, leave."""
    names = {
        "database": _node.leaf(contract, "database/name"),
        "user": _node.leaf(contract, "secrets/database/username"),
        "password": _node.leaf(contract, "secrets/database/password"),
    }
    module.no_log_values.add(names["password"])
    host = module.params["login_host"] or _node.leaf(contract, "database/host")
    server = {"host": host, "port": int(_node.leaf(contract, "database/port") or 3306)}
    if module.params["admin_secret_arn"]:
        admin = _node.read_secret(module, module.params["admin_secret_arn"])
    else:
        admin = {"username": module.params["login_user"], "password": module.params["login_password"]}
    ca_file = module.params["ca_file"]

    def password_works() -> bool:
        try:
            _node.connect({**server, "user": names["user"], "password": names["password"]}, ca_file).close()
        except _node.pymysql.OperationalError as error:
            if error.args[0] == ACCESS_DENIED:
                return False
            raise
        return True

    try:
        connection = _node.connect({**server, "user": admin["username"], "password": admin["password"]}, ca_file)
        with connection, connection.cursor() as cursor, _node.lock(cursor, "wordpress_ha:user") as held:
            if not held:
                module.fail_json(
                    msg="Another machine has been creating the database user for 10 minutes; look there first."
                )
            database = Database(cursor, names, password_works)
            current = database.read()
            wanted = desired(names["database"], names["user"], module.params["privileges"])
            changes = _plan.plan(current, wanted, ORDER, purge=("grant",))
            if not module.check_mode:
                _plan.execute(current, changes, database.handlers())
    except (_node.pymysql.MySQLError, OSError) as error:
        module.fail_json(msg=f"The database {server['host']} refused or did not answer: {error}")
    _node.planned_exit(module, changes, database=names["database"], user=names["user"])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "contract": {"type": "path", "default": "/run/wordpress_ha/contract.json"},
            "admin_secret_arn": {"type": "str", "no_log": False},
            "login_host": {"type": "str"},
            "login_user": {"type": "str"},
            "login_password": {"type": "str", "no_log": True},
            "ca_file": {"type": "path", "default": "/etc/ssl/certs/ca-certificates.crt"},
            "privileges": {
                "type": "list",
                "elements": "str",
                "default": [
                    "ALTER",
                    "CREATE",
                    "CREATE TEMPORARY TABLES",
                    "DELETE",
                    "DROP",
                    "INDEX",
                    "INSERT",
                    "LOCK TABLES",
                    "REFERENCES",
                    "SELECT",
                    "UPDATE",
                ],
            },
        },
        required_together=[("login_user", "login_password")],
        required_one_of=[("admin_secret_arn", "login_user")],
        mutually_exclusive=[("admin_secret_arn", "login_user")],
        supports_check_mode=True,
    )
    contract = _node.read_contract(module, module.params["contract"])
    if contract is None:
        unknown = desired(_plan.UNKNOWN, _plan.UNKNOWN, module.params["privileges"])
        _node.planned_exit(module, _plan.plan({}, unknown, ORDER), database=_plan.UNKNOWN, user=_plan.UNKNOWN)
    else:
        _node.require_libraries(module, secrets=bool(module.params["admin_secret_arn"]))
        run(module, contract)


if __name__ == "__main__":
    main()
