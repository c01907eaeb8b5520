# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Elastic Load Balancing: attributes, and targets whose health is what the data plane reports."""

from __future__ import annotations

from typing import Any

from moto.elbv2.models import (
    ELBv2Backend,
    FakeHealthStatus,
    FakeLoadBalancer,
    FakeTargetGroup,
    InvalidTargetError,
    TargetGroupNotFoundError,
)

from ..targets import drain_target, drop_target, target_state
from . import extension
from .patching import Function, wrap

BALANCER_ATTRIBUTES = {
    "access_logs.s3.enabled": "false",
    "client_keep_alive.seconds": "3600",
    "idle_timeout.timeout_seconds": "60",
    "routing.http.desync_mitigation_mode": "defensive",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http.preserve_host_header.enabled": "false",
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
    "routing.http.xff_client_port.enabled": "false",
    "routing.http.xff_header_processing.mode": "append",
    "routing.http2.enabled": "true",
    "waf.fail_open.enabled": "false",
    "zonal_shift.config.enabled": "false",
}
TARGET_GROUP_ATTRIBUTES = {
    "stickiness.app_cookie.cookie_name": "",
    "stickiness.app_cookie.duration_seconds": "86400",
    "stickiness.lb_cookie.duration_seconds": "86400",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
}


@extension("elbv2-default-attributes", "most default attributes of load balancers and target groups are not described")
def _attributes() -> None:
    FakeLoadBalancer.VALID_ATTRS = set(FakeLoadBalancer.VALID_ATTRS) | set(BALANCER_ATTRIBUTES)

    @wrap(FakeLoadBalancer, "__init__")
    def create_balancer(original: Function, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.scheme = self.scheme or "internet-facing"
        for name, value in BALANCER_ATTRIBUTES.items():
            self.attrs.setdefault(name, value)

    @wrap(FakeTargetGroup, "__init__")
    def create_target_group(original: Function, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        for name, value in TARGET_GROUP_ATTRIBUTES.items():
            self.attributes.setdefault(name, value)


@extension("elbv2-target-health", "targets are always healthy, and gone at once when deregistered")
def _target_health() -> None:
    @wrap(FakeTargetGroup, "__init__")
    def create(original: Function, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.reports = {}  # target id -> (state, reason)
        self.draining = {}  # target id -> {"Id", "Port", "until": clock's time or None until a controller sets it}

    @wrap(FakeTargetGroup, "register")
    def register(original: Function, self: Any, targets: list[dict[str, Any]]) -> None:
        original(self, targets)
        for target in targets:
            self.draining.pop(target["Id"], None)

    @wrap(FakeTargetGroup, "deregister")
    def deregister(_original: Function, self: Any, targets: list[dict[str, Any]]) -> None:
        for target in targets:
            if target["Id"] not in self.targets and target["Id"] not in self.draining:
                raise InvalidTargetError()
            drain_target(self, target["Id"])

    @wrap(FakeTargetGroup, "deregister_terminated_instances")
    def terminated(_original: Function, self: Any, instance_ids: list[str]) -> None:
        for instance_id in instance_ids:
            drop_target(self, instance_id)

    @wrap(ELBv2Backend, "describe_target_health")
    def describe(_original: Function, self: Any, target_group_arn: str, targets: list[dict[str, Any]]) -> Any:
        group = self.target_groups.get(target_group_arn)
        if group is None:
            raise TargetGroupNotFoundError()
        wanted = [target["Id"] for target in targets] or [*group.targets, *group.draining]
        return [_described(self, group, target_id) for target_id in wanted]


def _described(backend: Any, group: Any, target_id: str) -> FakeHealthStatus:
    entry = group.targets.get(target_id) or group.draining.get(target_id) or {}
    state, reason, description = target_state(backend, group, target_id)
    return FakeHealthStatus(
        target_id, entry.get("Port", group.port), group.health_check_port, state, reason, description
    )
