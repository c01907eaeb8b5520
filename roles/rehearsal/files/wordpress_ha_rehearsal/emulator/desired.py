# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a data plane should make true, read from moto's backends: plain data, nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from . import desired_edge
from .desired_edge import certificate
from .extensions import database_proxies

Backends = Callable[[str], Any]


def describe(backends: Backends, region: str, account: str) -> dict[str, Any]:
    """Return the answer to GET /_data_plane/desired."""
    ec2 = backends("ec2")
    lifecycles = _target_lifecycle_states(backends("autoscaling"))
    return {
        "region": region,
        "account": account,
        "vpcs": [{"id": vpc.id, "cidr": vpc.cidr_block} for vpc in ec2.vpcs.values() if not vpc.is_default],
        "instances": [
            {**_instance(backends, one), "target_lifecycle_state": lifecycles.get(one.id)}
            for one in ec2.all_instances()
            if one.state != "terminated"
        ],
        "images": [_image(image) for image in ec2.amis.values()],
        "load_balancers": [_balancer(backends, one) for one in backends("elbv2").load_balancers.values()],
        "target_groups": [_target_group(group) for group in backends("elbv2").target_groups.values()],
        "db_clusters": [_cluster(backends, cluster) for cluster in backends("rds").clusters.values()],
        "replication_groups": [
            _replication_group(backends("elasticache"), group)
            for group in backends("elasticache").replication_groups.values()
        ],
        "file_systems": [_file_system(one, region) for one in backends("efs").file_systems_by_id.values()],
        **desired_edge.describe(backends, account),
    }


def _instance(backends: Backends, instance: Any) -> dict[str, Any]:
    profile = (instance.iam_instance_profile or {}).get("Arn")
    key = next((pair for pair in backends("ec2").key_pairs.values() if pair.key_name == instance.key_name), None)
    options = instance.metadata_options
    return {
        "id": instance.id,
        "image_id": instance.image_id,
        "private_ip": instance.private_ip_address,
        "subnet_id": instance.subnet_id,
        "vpc_id": instance.vpc_id,
        "az": instance.availability_zone,
        "hostname": instance.private_dns_name,
        "user_data": str(instance.user_data) if instance.user_data is not None else None,
        "state": instance.state,
        "tags": {tag["key"]: tag["value"] for tag in instance.get_tags()},
        "instance_type": instance.instance_type,
        "metadata": {
            "http_tokens": options.http_tokens,
            "hop_limit": options.http_put_response_hop_limit,
            "instance_tags": options.instance_metadata_tags == "enabled",
        },
        "iam_instance_profile": profile,
        "iam_role": _role_of(profile),
        "public_key": key.public_key if key else None,
    }


def _target_lifecycle_states(backend: Any) -> dict[str, str]:
    """Return the state that each member of a group is on its way to, or in, as instance metadata says it."""
    found: dict[str, str] = {}
    for group in backend.autoscaling_groups.values():
        for state in group.instance_states:
            now = str(state.lifecycle_state)
            found[state.instance.id] = (
                "Terminated" if now.startswith("Terminat") else now.replace("Pending", "InService")
            )
        for state in group.warmed:
            found[state.instance.id] = f"Warmed:{group.warm_pool.pool_state if group.warm_pool else 'Terminated'}"
    return found


def _role_of(profile_arn: str | None) -> str | None:
    """Return the name of the role in an instance profile; IAM is global, so its backend is not a region's."""
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.iam.models import iam_backends

    for profile in iam_backends[DEFAULT_ACCOUNT_ID]["aws"].instance_profiles.values():
        if profile_arn and profile.arn == profile_arn and profile.roles:
            return str(profile.roles[0].name)
    return None


def _image(image: Any) -> dict[str, Any]:
    return {"id": image.id, "name": image.name, "state": image.state, "source_instance_id": image.instance_id}


def _balancer(backends: Backends, balancer: Any) -> dict[str, Any]:
    return {
        "arn": balancer.arn,
        "name": balancer.name,
        "dns_name": balancer.dns_name,
        "scheme": balancer.scheme,
        "vpc_id": balancer.vpc_id,
        "subnets": [
            {"id": subnet.id, "cidr": subnet.cidr_block, "az": subnet.availability_zone} for subnet in balancer.subnets
        ],
        "attributes": {name: str(value) for name, value in balancer.attrs.items()},
        "listeners": [_listener(backends, listener) for listener in balancer.listeners.values()],
    }


def _listener(backends: Backends, listener: Any) -> dict[str, Any]:
    rules = sorted(listener.rules.values(), key=lambda rule: (rule.priority == "default", _priority(rule)))
    return {
        "arn": listener.arn,
        "port": int(listener.port),
        "protocol": listener.protocol,
        "ssl_policy": listener.ssl_policy,
        "certificates": [certificate(backends("acm"), arn) for arn in dict.fromkeys(listener.certificates) if arn],
        "rules": [
            {
                "priority": "default" if rule.priority == "default" else _priority(rule),
                "conditions": rule.conditions,
                "actions": [getattr(action, "data", action) for action in rule.actions],
            }
            for rule in rules
        ],
    }


def _priority(rule: Any) -> int:
    return 0 if rule.priority == "default" else int(rule.priority)


def _target_group(group: Any) -> dict[str, Any]:
    return {
        "arn": group.arn,
        "name": group.name,
        "port": int(group.port),
        "protocol": group.protocol,
        "vpc_id": group.vpc_id,
        "health_check": {
            "path": group.health_check_path or "/",
            "port": str(group.health_check_port),
            "protocol": group.health_check_protocol,
            "interval": int(group.health_check_interval_seconds),
            "timeout": int(group.health_check_timeout_seconds),
            "healthy": int(group.healthy_threshold_count),
            "unhealthy": int(group.unhealthy_threshold_count),
            "matcher": (getattr(group, "matcher", None) or {}).get("HttpCode", "200"),
        },
        "attributes": {name: str(value) for name, value in group.attributes.items()},
        "targets": [
            {"id": target["Id"], "port": int(target["Port"]), "draining": target["Id"] in group.draining}
            for target in [*group.targets.values(), *group.draining.values()]
        ],
    }


def _cluster(backends: Backends, cluster: Any) -> dict[str, Any]:
    subnets = backends("rds").subnet_groups.get(cluster.db_subnet_group_name)
    parameters = backends("rds").db_cluster_parameter_groups.get(cluster.parameter_group)
    return {
        "id": cluster.db_cluster_identifier,
        "vpc_id": subnets.vpc_id if subnets else None,
        "status": cluster._status,
        "endpoint": cluster.endpoint,
        "reader_endpoint": cluster.reader_endpoint,
        "proxy_endpoints": database_proxies.endpoints(backends("rds"), cluster.db_cluster_identifier),
        "port": int(cluster.port),
        "master_username": cluster.master_username,
        "master_password": _master_password(backends("secretsmanager"), cluster),
        "database_name": cluster.database_name,
        "parameters": {
            name: parameter["ParameterValue"]
            for name, parameter in (parameters.parameters.items() if parameters else ())
            if "ParameterValue" in parameter
        },
        "instances": [
            {"id": instance.db_instance_identifier, "endpoint": instance.address} for instance in cluster.members
        ],
    }


def _master_password(secrets: Any, cluster: Any) -> str | None:
    if not cluster.manage_master_user_password:
        return getattr(cluster, "_master_user_password", None)
    value = secrets.get_secret_value(cluster.master_user_secret.secret.arn, None, None)
    return str(json.loads(value["SecretString"])["password"])


def _replication_group(backend: Any, group: Any) -> dict[str, Any]:
    subnets = backend.cache_subnet_groups.get(group.cache_subnet_group_name)
    parameters = backend.cache_parameter_groups.get(group.cache_parameter_group_name)
    node_group = group.node_groups[0]
    return {
        "id": group.replication_group_id,
        "vpc_id": subnets.vpc_id if subnets else None,
        "status": group.status,
        "engine": group.engine,
        "primary_endpoint": node_group.get("primary_endpoint_address"),
        "reader_endpoint": node_group.get("reader_endpoint_address"),
        "port": int(group.port),
        "auth_token": group.auth_token,
        "transit_encryption": bool(group.transit_encryption_enabled),
        "parameters": dict(parameters.values) if parameters else {},
    }


def _file_system(file_system: Any, region: str) -> dict[str, Any]:
    return {
        "id": file_system.file_system_id,
        "dns_name": f"{file_system.file_system_id}.efs.{region}.amazonaws.com",
        "mount_targets": [
            {
                "id": target.mount_target_id,
                "subnet_id": target.subnet_id,
                "ip_address": target.ip_address,
                "az": target.availability_zone_name,
            }
            for target in file_system.iter_mount_targets()
        ],
    }
