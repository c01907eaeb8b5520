# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RDS Proxy: changes, what belongs to it, and the refusals of AWS."""

from __future__ import annotations

import copy
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.rds.exceptions import DBProxyNotFoundFault, InvalidParameterValue, RDSClientError
from moto.rds.models import DBProxy, DBProxyTarget, DBProxyTargetGroup, RDSBackend
from moto.rds.responses import RDSResponse
from moto.secretsmanager.exceptions import SecretNotFoundException
from moto.utilities.utils import get_partition

from . import extension
from .patching import Function, add, wrap

#: Argument of ModifyDBProxy -> attribute of moto's proxy.
_CHANGES = {
    "Auth": "auth",
    "RequireTLS": "require_tls",
    "IdleClientTimeout": "idle_client_timeout",
    "DebugLogging": "debug_logging",
    "RoleArn": "role_arn",
    "SecurityGroups": "vpc_security_group_ids",
}


@extension("rds-proxies", "proxies cannot be modified, take any role, secret and subnets, and are there at once")
def _proxies() -> None:
    @wrap(RDSBackend, "create_db_proxy")
    def create(original: Function, self: Any, *args: Any, **kwargs: Any) -> Any:
        _check(self, kwargs["auth"], kwargs["role_arn"])
        subnets = ec2_backends[self.account_id][self.region_name].describe_subnets(subnet_ids=kwargs["vpc_subnet_ids"])
        if len({subnet.availability_zone for subnet in subnets}) < 2:
            raise RDSClientError("InvalidSubnet", "A proxy needs subnets in at least two Availability Zones.")
        made = copy.copy(original(self, *args, **kwargs))
        made.status = "creating"  # so the answer says; it is there when next asked for
        return made

    @wrap(DBProxy, "__init__")
    def complete(original: Function, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.auth = _completed(self.auth, self.engine_family)

    @add(RDSResponse)
    def modify_db_proxy(self: Any) -> ActionResult:
        proxy = _proxy(self.backend, self.params["DBProxyName"])
        _check(self.backend, self.params.get("Auth") or [], self.params.get("RoleArn") or proxy.role_arn)
        for asked, name in _CHANGES.items():
            value = self.params.get(asked)
            if value is not None:
                setattr(proxy, name, _completed(value, proxy.engine_family) if asked == "Auth" else value)
        answer = copy.copy(proxy)
        answer.status = "modifying"
        return ActionResult({"DBProxy": answer})

    @wrap(RDSBackend, "delete_db_proxy")
    def delete(original: Function, self: Any, proxy_name: str) -> Any:
        _proxy(self, proxy_name)
        deleted = original(self, proxy_name)
        deleted.status = "deleting"
        return deleted


@extension(
    "rds-proxy-targets",
    "targets are PostgreSQL's and may be registered twice, a cluster's instances are no targets, InitQuery is lost",
)
def _targets() -> None:
    @wrap(DBProxyTarget, "__init__")
    def create(original: Function, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.port = 3306

    @wrap(RDSBackend, "register_db_proxy_targets")
    def register(original: Function, self: Any, *args: Any, **kwargs: Any) -> Any:
        proxy = _proxy(self, kwargs["db_proxy_name"])
        clusters = kwargs.get("db_cluster_identifiers") or []
        for name in clusters:
            cluster = self.describe_db_clusters(name)[0]
            if cluster._status != "available":
                raise RDSClientError("InvalidDBClusterStateFault", f"DB cluster {name} is {cluster._status}.")
        if proxy.proxy_target_groups["default"].targets:
            raise RDSClientError(
                "DBProxyTargetAlreadyRegisteredFault", f"The proxy {proxy.db_proxy_name} has a target already."
            )
        return original(self, *args, **kwargs)

    @wrap(RDSBackend, "deregister_db_proxy_targets")
    def deregister(original: Function, self: Any, *args: Any, **kwargs: Any) -> Any:
        _proxy(self, kwargs["db_proxy_name"])
        return original(self, *args, **kwargs)

    @add(RDSBackend)
    def describe_db_proxy_targets(self: Any, proxy_name: str) -> list[Any]:
        found = list(_proxy(self, proxy_name).proxy_target_groups["default"].targets)
        for tracked in list(found):
            cluster = self.clusters.get(tracked.rds_resource_id)
            for member in cluster.members if cluster else ():
                target = DBProxyTarget(self, member.db_instance_identifier, member.address, "RDS_INSTANCE")
                target.tracked_cluster_id = cluster.db_cluster_identifier  # type: ignore[attr-defined]
                target._registering = False
                found.append(target)
        return found

    @wrap(RDSBackend, "describe_db_proxy_target_groups")
    def describe(original: Function, self: Any, proxy_name: str) -> Any:
        _proxy(self, proxy_name)
        return original(self, proxy_name)

    @wrap(RDSBackend, "modify_db_proxy_target_group")
    def modify(original: Function, self: Any, proxy_name: str, config: dict[str, Any]) -> Any:
        proxy = _proxy(self, proxy_name)
        group = proxy.proxy_target_groups["default"]
        most = int(config.get("MaxConnectionsPercent") or group.max_connections)
        idle = config.get("MaxIdleConnectionsPercent", group.max_idle_connections)
        if not 1 <= most <= 100 or int(idle) > most:
            raise InvalidParameterValue(f"MaxIdleConnectionsPercent {idle} is above MaxConnectionsPercent {most}.")
        group.init_query = config.get("InitQuery", getattr(group, "init_query", None))
        changed = original(self, proxy_name, config)
        changed.max_idle_connections = int(idle)
        return changed

    pool: Any = vars(DBProxyTargetGroup)["connection_pool_config"]

    def with_query(self: Any) -> dict[str, Any]:
        query = getattr(self, "init_query", None)
        return {**pool.fget(self), **({"InitQuery": query} if query else {})}

    DBProxyTargetGroup.connection_pool_config = property(with_query)  # type: ignore[assignment,method-assign]


def endpoints(backend: Any, cluster_id: str) -> list[str]:
    """Return the endpoints of the proxies that lead to a cluster."""
    return [
        proxy.endpoint
        for proxy in backend.db_proxies.values()
        if any(target.rds_resource_id == cluster_id for target in proxy.proxy_target_groups["default"].targets)
    ]


def _proxy(backend: Any, name: str) -> Any:
    if name not in backend.db_proxies:
        raise DBProxyNotFoundFault(name)
    return backend.db_proxies[name]


def _completed(auth: list[dict[str, Any]], engine_family: str) -> list[dict[str, Any]]:
    """Return what AWS makes of the ways to log in: with the defaults it adds."""
    kind = "MYSQL_NATIVE_PASSWORD" if engine_family == "MYSQL" else "POSTGRES_SCRAM_SHA_256"
    defaults = {"AuthScheme": "SECRETS", "IAMAuth": "DISABLED", "ClientPasswordAuthType": kind}
    names = (*defaults, "SecretArn", "UserName", "Description")
    return [{name: one.get(name) or defaults.get(name) for name in names} for one in auth]


def _check(backend: Any, auth: list[dict[str, Any]], role_arn: str) -> None:
    roles = iam_backends[backend.account_id][get_partition(backend.region_name)].roles.values()
    role = next((one for one in roles if one.arn == role_arn), None)
    if role is None or "rds.amazonaws.com" not in str(role.assume_role_policy_document):
        raise InvalidParameterValue(f"RDS is not authorized to assume the IAM role {role_arn}.")
    for one in auth:
        try:
            backend.secretsmanager.describe_secret(one.get("SecretArn"))
        except SecretNotFoundException:
            raise InvalidParameterValue(f"The secret {one.get('SecretArn')} does not exist.") from None
