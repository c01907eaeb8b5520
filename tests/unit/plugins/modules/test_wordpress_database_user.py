# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The database user: what is read from the server, what is planned, which SQL is run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _plan
from ansible_collections.wordpress_ha.aws.plugins.modules import wordpress_database_user as subject

NAMES = {"database": "word_press", "user": "wp", "password": "canary"}
SCOPE = r"`word\_press`.*"


class Server:
    """A cursor of a server with one database and one user, as MariaDB and MySQL answer."""

    def __init__(
        self, schemas: tuple[str, ...] = (), users: dict[str, Any] | None = None, grants: tuple[str, ...] = ()
    ) -> None:
        self.schemas, self.users, self.grants = schemas, users or {}, grants
        self.written: list[tuple[str, Any]] = []
        self.rows: list[Any] = []

    def execute(self, statement: str, values: Any = None) -> None:
        self.rows = []
        if "information_schema" in statement:
            self.rows = [("utf8mb4",) for name in self.schemas if name == values[0]]
        elif "mysql.user" in statement:
            self.rows = [(self.users[values[0]],)] if values[0] in self.users else []
        elif statement.startswith("SHOW GRANTS"):
            self.rows = [(line,) for line in self.grants]
        else:
            self.written.append((statement % tuple(repr(value) for value in values or ()), values))

    def fetchall(self) -> list[Any]:
        return self.rows


def plan(
    server: Server, password_works: bool = True, privileges: tuple[str, ...] = ("SELECT", "INSERT")
) -> tuple[Any, Any, list[Any]]:
    database = subject.Database(server, NAMES, lambda: password_works)
    current = database.read()
    wanted = subject.desired(NAMES["database"], NAMES["user"], privileges)
    return database, current, _plan.plan(current, wanted, subject.ORDER, purge=("grant",))


def apply(server: Server, **options: Any) -> list[str]:
    database, current, changes = plan(server, **options)
    _plan.execute(current, changes, database.handlers())
    return [statement for statement, _values in server.written]


def complete(**changed: Any) -> Server:
    settings: dict[str, Any] = {
        "schemas": ("word_press",),
        "users": {"wp": "ANY"},
        "grants": [
            "GRANT USAGE ON *.* TO `wp`@`%` IDENTIFIED BY PASSWORD '*AB' REQUIRE SSL",
            rf"GRANT SELECT, INSERT ON {SCOPE} TO `wp`@`%`",
        ],
    }
    return Server(**settings | changed)


def test_an_empty_server_gets_database_user_and_grants_in_order():
    statements = apply(Server())
    assert [statement.split()[0:2] for statement in statements] == [
        ["CREATE", "DATABASE"],
        ["CREATE", "USER"],
        ["GRANT", "INSERT,"],
    ]
    assert "REQUIRE SSL" in statements[1]
    assert statements[2] == rf"GRANT INSERT, SELECT ON {SCOPE} TO 'wp'@'%'"


def test_a_complete_server_is_left_alone():
    assert apply(complete()) == []


@pytest.mark.parametrize("ssl_type", [b"ANY", "ANY", "X509"])
def test_tls_is_recognised_whatever_type_the_server_answers(ssl_type):
    assert apply(complete(users={"wp": ssl_type})) == []


def test_tls_is_required_of_a_user_who_may_do_without():
    (statement,) = apply(complete(users={"wp": ""}))
    assert statement.startswith("ALTER USER")
    assert statement.endswith("REQUIRE SSL")


def test_a_rotated_password_is_set():
    (statement,) = apply(complete(), password_works=False)
    assert statement.startswith("ALTER USER")


def test_privileges_beyond_the_least_are_revoked():
    """On its database, and on any other scope."""
    grants = [
        "GRANT SUPER, PROCESS ON *.* TO `wp`@`%` REQUIRE SSL",
        rf"GRANT SELECT, DROP ON {SCOPE} TO `wp`@`%` WITH GRANT OPTION",
    ]
    assert apply(complete(grants=grants)) == [
        rf"REVOKE DROP, GRANT OPTION ON {SCOPE} FROM 'wp'@'%'",
        rf"GRANT INSERT ON {SCOPE} TO 'wp'@'%'",
        "REVOKE PROCESS, SUPER ON *.* FROM 'wp'@'%'",
    ]


def test_no_password_is_in_plan_diff_or_actions():
    for server, works in ((Server(), True), (complete(), False)):
        _database, _current, changes = plan(server, password_works=works)
        assert changes
        assert "canary" not in str([change.summary() for change in changes]) + str(_plan.diff(changes))


def test_roles_and_unknown_lines_of_show_grants_are_left_alone():
    lines = ["GRANT `rds_superuser_role`@`%` TO `wp`@`%`", "SET DEFAULT ROLE NONE FOR `wp`@`%`"]
    assert subject.parse_grants(lines) == {}


def test_wildcards_in_the_databases_name_are_escaped():
    assert subject.scope_of("a_b%c`d") == r"`a\_b\%c``d`.*"


@pytest.mark.parametrize(("login_host", "expected"), [(None, "proxy.example"), ("cluster.example", "cluster.example")])
def test_the_administrator_may_log_in_beside_the_proxy(
    monkeypatch: pytest.MonkeyPatch, login_host: str | None, expected: str
) -> None:
    met: list[str] = []

    def connect(login: Any, _ca_file: str) -> None:
        met.append(login["host"])
        raise OSError("nobody there")

    def fail_json(msg: str) -> None:
        raise SystemExit(msg)

    monkeypatch.setattr(subject._node, "connect", connect)
    params = {
        "login_host": login_host,
        "admin_secret_arn": None,
        "login_user": "a",
        "login_password": "b",
        "ca_file": "c",
    }
    module = SimpleNamespace(params=params, no_log_values=set(), check_mode=False, fail_json=fail_json)
    contract = {
        "database": {"host": "proxy.example", "port": "3306", "name": "wp"},
        "secrets": {"database": {"username": "wp", "password": "canary"}},
    }
    with pytest.raises(SystemExit, match=expected):
        subject.run(module, contract)
    assert met == [expected]
