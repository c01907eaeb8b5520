# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource family of the module rds_proxy; its pure parts are the functions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_message

from . import _owned, _plan
from ._aurora_rules import check_subnets
from ._aws import Planned, tags_to_dict, tags_to_list, wait_for

NAME = re.compile(r"(?!.*--)[a-z]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
MISSING = ("DBProxyNotFoundFault", "DBProxyTargetGroupNotFoundFault", "DBProxyTargetNotFoundFault")
FAILED = ("incompatible-network", "insufficient-resource-limits", "suspended")
UNDER_WAY = ("creating", "modifying", "reactivating")
#: What RDS answers while IAM is still spreading a role that was just made, and for how many seconds that is borne.
ROLE_UNKNOWN = "not authorized to assume the IAM role"
PATIENCE = 90

#: Our field -> (where DescribeDBProxies reports it, which argument of ModifyDBProxy sets it).
PROXY_FIELDS = {
    "security_group_ids": ("VpcSecurityGroupIds", "SecurityGroups"),
    "role_arn": ("RoleArn", "RoleArn"),
    "require_tls": ("RequireTLS", "RequireTLS"),
    "idle_client_timeout": ("IdleClientTimeout", "IdleClientTimeout"),
    "debug_logging": ("DebugLogging", "DebugLogging"),
}
#: Our field -> its name in the pool's configuration, and its range.
POOL_FIELDS: dict[str, tuple[str, int, int]] = {
    "max_connections_percent": ("MaxConnectionsPercent", 1, 100),
    "max_idle_connections_percent": ("MaxIdleConnectionsPercent", 0, 100),
    "connection_borrow_timeout": ("ConnectionBorrowTimeout", 0, 300),
}
IDLE_CLIENT = (1, 28800)  # seconds


def proxy_fields(proxy: Mapping[str, Any]) -> _plan.Fields:
    """Return a described proxy in this module's terms."""
    auth = proxy.get("Auth") or []
    kinds = {one.get("ClientPasswordAuthType") for one in auth}
    fields = {name: proxy.get(source) for name, (source, target) in PROXY_FIELDS.items()}
    fields.update(
        subnet_ids=sorted(proxy.get("VpcSubnetIds") or []),
        security_group_ids=sorted(proxy.get("VpcSecurityGroupIds") or []),
        secret_arns=sorted(one["SecretArn"] for one in auth if one.get("SecretArn")),
        client_password_auth_type=kinds.pop() if len(kinds) == 1 else None,
        arn=proxy.get("DBProxyArn"),
        endpoint=proxy.get("Endpoint"),
        status=proxy.get("Status"),
    )
    return fields


def pool_fields(group: Mapping[str, Any]) -> _plan.Fields:
    """Return a described target group's pool in this module's terms."""
    pool = group.get("ConnectionPoolConfig") or {}
    fields: _plan.Fields = {name: pool.get(source) for name, (source, _least, _most) in POOL_FIELDS.items()}
    fields.update(
        init_query=pool.get("InitQuery"), session_pinning_filters=sorted(pool.get("SessionPinningFilters") or [])
    )
    return fields


def pool_arguments(fields: _plan.Fields) -> dict[str, Any]:
    """Return the pool's configuration that sets these fields."""
    names = {name: target for name, (target, _least, _most) in POOL_FIELDS.items()}
    names.update(init_query="InitQuery", session_pinning_filters="SessionPinningFilters")
    return {names[name]: value for name, value in fields.items() if name in names}


def problems(params: Mapping[str, Any]) -> Iterator[str]:
    """Yield everything that is wrong with the parameters by themselves."""
    if not NAME.fullmatch(params["name"]):
        yield (
            f"name is {params['name']!r}: use up to 63 letters, digits and single hyphens, a letter first and no hyphen at "
            "the end."
        )
    if params["state"] != "present":
        return
    if not params["secret_arns"]:
        yield "secret_arns is empty: name the secret of each user that connects through the proxy."
    if _plan.is_known(params["subnet_ids"]) and len(set(params["subnet_ids"])) < 2:
        yield f"subnet_ids is {params['subnet_ids']!r}: give subnets in at least two Availability Zones."
    idle = params["idle_client_timeout"]
    if idle is not None and not IDLE_CLIENT[0] <= idle <= IDLE_CLIENT[1]:
        yield f"idle_client_timeout is {idle}: give {IDLE_CLIENT[0]} to {IDLE_CLIENT[1]} seconds."
    for name, (_target, least, most) in POOL_FIELDS.items():
        value = params[name]
        if value is not None and not least <= value <= most:
            yield f"{name} is {value}: give {least} to {most}."
    most_of, idle_of = params["max_connections_percent"], params["max_idle_connections_percent"]
    if most_of is not None and idle_of is not None and idle_of > most_of:
        yield (
            f"max_idle_connections_percent is {idle_of} and max_connections_percent {most_of}: more cannot idle than there are; "
            "lower the one or raise the other."
        )


class Proxy(Planned):
    """One proxy (``proxy/<name>``), and the cluster it leads to with the pool of connections (``target/<cluster>``)."""

    order = ("proxy", "target")
    purge = ("target",)
    immutable = {"proxy": ("subnet_ids",)}

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        found = list(problems(self.params))
        if found:
            raise _plan.Refused(" ".join(found))
        self.name = self.params["name"]
        self.cluster = self.params["cluster"]
        self.key = f"proxy/{self.name}"
        self.deleting = self.params["state"] == "absent"
        self.rds = self.client("rds")

    # Reading

    def read(self) -> _plan.Tree:
        tree: _plan.Tree = {}
        for proxy in self._proxies():
            if proxy["Status"] == "deleting":
                continue
            fields = proxy_fields(proxy)
            answer = self.rds.list_tags_for_resource(ResourceName=fields["arn"], aws_retry=True)
            fields["tags"] = tags_to_dict(answer["TagList"])
            _owned.refuse_foreign(f"the proxy {self.name}", fields["tags"], self.params["tags"], self.deleting)
            tree[self.key] = fields
        if tree and self.cluster and self.params["state"] == "present":
            tree.update(self._targets())
        return tree

    def _proxies(self) -> list[dict[str, Any]]:
        return _owned.listed(self.rds, "describe_db_proxies", "DBProxies", MISSING, DBProxyName=self.name)

    def _targets(self) -> _plan.Tree:
        named = {"DBProxyName": self.name}
        targets = _owned.listed(self.rds, "describe_db_proxy_targets", "Targets", MISSING, **named)
        clusters = [one["RdsResourceId"] for one in targets if one.get("Type") == "TRACKED_CLUSTER"]
        if not clusters:
            return {}
        groups = _owned.listed(self.rds, "describe_db_proxy_target_groups", "TargetGroups", MISSING, **named)
        pool = next((pool_fields(group) for group in groups if group.get("TargetGroupName") == "default"), {})
        return {f"target/{cluster}": dict(pool) for cluster in clusters}

    # Wanting

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        given, now = self.params, current.get(self.key)
        subnets = sorted(given["subnet_ids"])
        if now is None and _plan.is_known(subnets):
            ids = [{"Name": "subnet-id", "Values": subnets}]
            check_subnets(subnets, _owned.listed(self.client("ec2"), "describe_subnets", "Subnets", Filters=ids))
        tags = _owned.wanted_tags(self.name, (now or {}).get("tags"), given["tags"], given["purge_tags"])
        tree: _plan.Tree = {
            self.key: {
                "subnet_ids": subnets,
                "security_group_ids": sorted(given["security_group_ids"]),
                "role_arn": given["role_arn"],
                "secret_arns": sorted(given["secret_arns"]),
                "client_password_auth_type": given["client_password_auth_type"],
                "require_tls": True,
                "idle_client_timeout": given["idle_client_timeout"],
                "debug_logging": given["debug_logging"],
                "tags": tags,
            }
        }
        if self.cluster:
            filters = given["session_pinning_filters"]
            tree[f"target/{self.cluster}"] = {
                **{name: given[name] for name in POOL_FIELDS},
                "init_query": given["init_query"],
                "session_pinning_filters": sorted(filters) if filters is not None else None,
            }
        return tree

    def arranged(self, changes: list[_plan.Change]) -> list[_plan.Change]:
        """A proxy leads to one cluster: another one has to go first."""
        rank = {"proxy": 0, "target": 2}
        return sorted(changes, key=lambda change: 1 if change.action == _plan.DELETE else rank[change.kind])

    # Writing

    def _auth(self, fields: _plan.Fields) -> list[dict[str, Any]]:
        kind = fields.get("client_password_auth_type")
        chosen = {"ClientPasswordAuthType": kind} if kind else {}
        return [
            {"AuthScheme": "SECRETS", "SecretArn": arn, "IAMAuth": "DISABLED", **chosen}
            for arn in fields["secret_arns"]
        ]

    def _create_proxy(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_gone()  # one that is being deleted still holds the name
        fields = change.after
        optional = {"IdleClientTimeout": fields.get("idle_client_timeout"), "DebugLogging": fields.get("debug_logging")}
        arguments = {
            "DBProxyName": self.name,
            "EngineFamily": "MYSQL",
            "Auth": self._auth(fields),
            "RoleArn": fields["role_arn"],
            "VpcSubnetIds": fields["subnet_ids"],
            "VpcSecurityGroupIds": fields["security_group_ids"],
            "RequireTLS": True,
            "Tags": tags_to_list(fields.get("tags")),
            **{name: value for name, value in optional.items() if value is not None},
        }
        made: list[Mapping[str, Any]] = []

        def attempt() -> bool:
            try:
                made.append(self.rds.create_db_proxy(aws_retry=True, **arguments)["DBProxy"])
            except is_boto3_error_message(ROLE_UNKNOWN):
                return False
            return True

        wait_for(self.module, f"RDS to be allowed to assume {fields['role_arn']}", attempt, PATIENCE, 5)
        return {**proxy_fields(made[0]), "status": "creating", "tags": fields.get("tags", {})}

    def _update_proxy(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        arguments = {
            target: change.after[name] for name, (source, target) in PROXY_FIELDS.items() if name in change.after
        }
        if "secret_arns" in change.after or "client_password_auth_type" in change.after:
            arguments["Auth"] = self._auth({**tree[self.key], **change.after})
        _owned.write_tags(self.rds, tree[self.key]["arn"], change)
        if not arguments:
            return {}
        self._await_available()
        self.rds.modify_db_proxy(DBProxyName=self.name, aws_retry=True, **arguments)
        return {"status": "modifying"}

    def _delete_proxy(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self.rds.delete_db_proxy(DBProxyName=self.name, aws_retry=True)
        self._await_gone()
        return {}

    def _create_target(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_available()
        # The pool first: a run killed in between finds no target, and sets it again.
        self._set_pool(change.after)
        self.rds.register_db_proxy_targets(DBProxyName=self.name, DBClusterIdentifiers=[change.name], aws_retry=True)
        return {}

    def _update_target(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_available()
        self._set_pool(change.after)
        return {}

    def _set_pool(self, fields: _plan.Fields) -> None:
        pool = pool_arguments(fields)
        if pool:
            self.rds.modify_db_proxy_target_group(
                DBProxyName=self.name, TargetGroupName="default", ConnectionPoolConfig=pool, aws_retry=True
            )

    def _delete_target(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self._await_available()
        self.rds.deregister_db_proxy_targets(DBProxyName=self.name, DBClusterIdentifiers=[change.name], aws_retry=True)
        return {}

    # Waiting

    @property
    def delay(self) -> float:
        return min(10.0, self.params["wait_timeout"] / 20)

    def _await_available(self) -> None:
        def available() -> bool:
            every = [proxy["Status"] for proxy in self._proxies()]
            if any(status in FAILED for status in every):
                self.module.fail_json(
                    msg=f"Proxy {self.name} is in the state {every[0]!r}, from which it does not recover."
                )
            return not any(status in UNDER_WAY for status in every)

        what = f"proxy {self.name} to be available"
        wait_for(self.module, what, available, self.params["wait_timeout"], self.delay)

    def _await_gone(self) -> None:
        what = f"proxy {self.name} to disappear"
        wait_for(self.module, what, lambda: not self._proxies(), self.params["wait_timeout"], self.delay)

    def settle(self, tree: _plan.Tree) -> _plan.Tree:
        if self.params["wait"] and tree[self.key]["status"] in UNDER_WAY:
            self._await_available()
            tree = {**tree, self.key: {**tree[self.key], "status": "available"}}
        return tree

    # Reporting

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        proxy = tree.get(self.key)
        facts: dict[str, Any] = {
            name: proxy.get(name, _plan.UNKNOWN) if proxy else None for name in ("arn", "endpoint")
        }
        facts["settled"] = None
        if proxy is not None:
            facts["settled"] = proxy["status"] not in UNDER_WAY if "status" in proxy else bool(self.params["wait"])
        return facts
