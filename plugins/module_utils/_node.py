# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules that run on a node share: its contract, secrets by reference, and the database over TLS."""

from __future__ import annotations

import json
import ssl
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from . import _plan

PYMYSQL_ERROR: str | None
try:
    import pymysql

    PYMYSQL_ERROR = None
except ImportError:
    PYMYSQL_ERROR = traceback.format_exc()

BOTOCORE_ERROR: str | None
try:
    import botocore.exceptions
    import botocore.session

    BOTOCORE_ERROR = None
except ImportError:
    BOTOCORE_ERROR = traceback.format_exc()


def require_libraries(module: AnsibleModule, secrets: bool) -> None:
    """Fail, naming the library, if one that the run needs is missing on the node."""
    if PYMYSQL_ERROR:
        module.fail_json(msg=missing_required_lib("PyMySQL"), exception=PYMYSQL_ERROR)
    if secrets and BOTOCORE_ERROR:
        module.fail_json(msg=missing_required_lib("botocore"), exception=BOTOCORE_ERROR)


def read_contract(module: AnsibleModule, path: str) -> dict[str, Any] | None:
    """Return the node's resolved contract; None in check mode while the boot agent has not written it."""
    try:
        with open(path, encoding="utf-8") as stream:
            contract: dict[str, Any] = json.load(stream)
    except FileNotFoundError:
        if module.check_mode:
            return None
        module.fail_json(msg=f"contract is {path}, which does not exist: run the node's boot agent first.")
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"contract is {path}, which cannot be read: {error}")
    return contract


def leaf(contract: Mapping[str, Any], path: str) -> str:
    """Return a leaf of the contract as text; an absent one is empty."""
    node: Any = contract
    for part in path.split("/"):
        node = node.get(part, "") if isinstance(node, Mapping) else ""
    return "" if isinstance(node, Mapping) else str(node)


def read_secret(module: AnsibleModule, arn: str) -> dict[str, str]:
    """Return a secret's JSON object, read with the instance's role in the region that the ARN names."""
    region = arn.split(":")[3] if arn.count(":") >= 6 else None
    try:
        client: Any = botocore.session.Session().create_client("secretsmanager", region_name=region)
        secret: dict[str, str] = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        module.fail_json(msg=f"The secret {arn} cannot be read with this machine's role: {error}")
    except ValueError:
        module.fail_json(msg=f"The secret {arn} is no JSON object.")
    module.no_log_values.update(value for key, value in secret.items() if key != "username" and isinstance(value, str))
    return secret


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Return a context that verifies chain and name. Python's newest extra strictness would refuse authorities in use."""
    context = ssl.create_default_context(cafile=ca_file)
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    return context


def connect(login: Mapping[str, Any], ca_file: str) -> Any:
    """Open a connection over TLS; C(login) holds host, port, user, password and, if wanted, database. Raises pymysql's errors."""
    return pymysql.connect(
        **login, ssl=tls_context(ca_file), charset="utf8mb4", connect_timeout=10, read_timeout=900, autocommit=True
    )


@contextmanager
def lock(cursor: Any, name: str, seconds: int = 600) -> Iterator[bool]:
    """Hold a database lock, so that of several machines one acts and the others wait; yields whether it was got in time."""
    cursor.execute("SELECT GET_LOCK(%s, %s)", (name, seconds))
    held = cursor.fetchone()[0] == 1
    try:
        yield held
    finally:
        if held:
            cursor.execute("SELECT RELEASE_LOCK(%s)", (name,))


def planned_exit(module: AnsibleModule, changes: list[_plan.Change], **facts: Any) -> None:
    """Leave with what every module of this collection returns."""
    module.exit_json(
        changed=bool(changes),
        diff=_plan.diff(changes),
        actions=[change.summary() for change in changes],
        **facts,
    )
