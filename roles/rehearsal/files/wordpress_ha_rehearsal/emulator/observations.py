# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take over what the data plane reports; unknown ids are ignored, since a report may be older than a deletion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .extensions.cloudfront import distributions, invalidations
from .targets import report_target

Backends = Callable[[str], Any]


def observe(backends: Backends, report: dict[str, Any]) -> None:
    """Apply one report of the shape that POST /_data_plane/observed takes."""
    for instance_id, state in report.get("instances", {}).items():
        instance = backends("ec2").get_instance_by_id(instance_id)
        if instance is not None:
            report_instance(instance, state)
    for image_id, state in report.get("images", {}).items():
        image = backends("ec2").amis.get(image_id)
        if image is not None and image.state == "pending" and state in ("available", "failed"):
            image.state = state
    for cluster_id, state in report.get("db_clusters", {}).items():
        report_cluster(backends("rds"), cluster_id, state)
    for group_id, state in report.get("replication_groups", {}).items():
        report_replication_group(backends("elasticache"), group_id, state)
    for name in report.get("caches", []):
        unsettled_caches(backends("elasticache"))[name].status = "available" if ":usergroup:" not in name else "active"
    for target in report.get("targets", []):
        group = backends("elbv2").target_groups.get(target["target_group_arn"])
        if group is not None:
            report_target(group, target["id"], target["state"], target.get("reason") or "")
    for distribution_id, etag in report.get("distributions", {}).items():
        distributions.report(backends("cloudfront"), distribution_id, etag)
    for invalidation_id, state in report.get("invalidations", {}).items():
        invalidations.report(backends("cloudfront"), invalidation_id, state)


def report_instance(instance: Any, state: str) -> None:
    """A pending instance is running now; a dead one is terminated, as EC2 does when its host fails."""
    if state == "running" and instance.state == "pending":
        instance._state.name, instance._state.code = "running", 16
    elif state == "dead" and instance.state in ("pending", "running"):
        instance.terminate()
        instance.state_reason.code = "Server.InternalError"
        instance.state_reason.message = "Server.InternalError: the instance is no longer there"


def report_cluster(backend: Any, cluster_id: str, state: str) -> None:
    """A cluster, and the instances in it, are created once the data plane serves them."""
    cluster = backend.clusters.get(cluster_id)
    if cluster is None or state != "available":
        return
    if cluster._status == "creating":
        cluster._status = "available"
    for instance in backend.databases.values():
        if instance.db_cluster_identifier == cluster_id and instance.status == "creating":
            instance.status = "available"


def report_replication_group(backend: Any, group_id: str, state: str) -> None:
    """A replication group is created, or its modification done, once the data plane serves it."""
    group = backend.replication_groups.get(group_id)
    if group is not None and state == "available" and group.status in ("creating", "modifying"):
        group.status = "available"


def unsettled_caches(backend: Any) -> dict[str, Any]:
    """Return by ARN what of ElastiCache no data plane serves, and what is therefore settled by the looks at it alone."""
    kinds = (backend.user_groups, backend.serverless_caches, backend.memcached_clusters)
    return {one.arn: one for kind in kinds for one in kind.values() if one.status in ("creating", "modifying")}


def everything_ready(backends: Backends) -> dict[str, Any]:
    """Return the report of a data plane that has done everything already."""
    ec2 = backends("ec2")
    return {
        "instances": {instance.id: "running" for instance in ec2.all_instances() if instance.state == "pending"},
        "images": {image.id: "available" for image in ec2.amis.values() if image.state == "pending"},
        "db_clusters": dict.fromkeys(backends("rds").clusters, "available"),
        "replication_groups": dict.fromkeys(backends("elasticache").replication_groups, "available"),
        "caches": list(unsettled_caches(backends("elasticache"))),
        "targets": [
            {"target_group_arn": group.arn, "id": target_id, "state": "healthy"}
            for group in backends("elbv2").target_groups.values()
            for target_id in group.targets
        ],
    }


def edge_ready(backends: Backends) -> dict[str, Any]:
    """Return the report of an edge that serves the latest of everything already."""
    cloudfront = backends("cloudfront")
    return {
        "distributions": {one.id: one.etag for one in distributions.distributions(cloudfront).values()},
        "invalidations": {one.id: "completed" for one in invalidations.in_progress(cloudfront)},
    }
