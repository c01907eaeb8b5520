# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an emulated account holds, as a set of names: two of them compared show what a removal left, or took too much."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError, OperationNotPageableError

from wordpress_ha_rehearsal.emulator.testing import Emulator

#: service: (operation, arguments, where the items are, what names an item; None for an item that is its name)
LISTS: dict[str, list[tuple[str, dict[str, Any], str, str | None]]] = {
    "ec2": [
        ("describe_vpcs", {}, "Vpcs", "VpcId"),
        ("describe_subnets", {}, "Subnets", "SubnetId"),
        ("describe_route_tables", {}, "RouteTables", "RouteTableId"),
        ("describe_internet_gateways", {}, "InternetGateways", "InternetGatewayId"),
        ("describe_egress_only_internet_gateways", {}, "EgressOnlyInternetGateways", "EgressOnlyInternetGatewayId"),
        ("describe_nat_gateways", {}, "NatGateways", "NatGatewayId"),
        ("describe_addresses", {}, "Addresses", "AllocationId"),
        ("describe_security_groups", {}, "SecurityGroups", "GroupId"),
        ("describe_vpc_endpoints", {}, "VpcEndpoints", "VpcEndpointId"),
        ("describe_flow_logs", {}, "FlowLogs", "FlowLogId"),
        ("describe_launch_templates", {}, "LaunchTemplates", "LaunchTemplateName"),
        ("describe_images", {"Owners": ["self"]}, "Images", "ImageId"),
        ("describe_snapshots", {"OwnerIds": ["self"]}, "Snapshots", "SnapshotId"),
        ("describe_network_interfaces", {}, "NetworkInterfaces", "NetworkInterfaceId"),
        ("describe_volumes", {}, "Volumes", "VolumeId"),
        ("describe_key_pairs", {}, "KeyPairs", "KeyName"),
    ],
    "rds": [
        ("describe_db_clusters", {}, "DBClusters", "DBClusterIdentifier"),
        ("describe_db_instances", {}, "DBInstances", "DBInstanceIdentifier"),
        ("describe_db_cluster_snapshots", {}, "DBClusterSnapshots", "DBClusterSnapshotIdentifier"),
        ("describe_db_subnet_groups", {}, "DBSubnetGroups", "DBSubnetGroupName"),
        ("describe_db_cluster_parameter_groups", {}, "DBClusterParameterGroups", "DBClusterParameterGroupName"),
        ("describe_db_parameter_groups", {}, "DBParameterGroups", "DBParameterGroupName"),
        ("describe_db_proxies", {}, "DBProxies", "DBProxyName"),
    ],
    "elasticache": [
        ("describe_replication_groups", {}, "ReplicationGroups", "ReplicationGroupId"),
        ("describe_cache_clusters", {}, "CacheClusters", "CacheClusterId"),
        ("describe_cache_subnet_groups", {}, "CacheSubnetGroups", "CacheSubnetGroupName"),
        ("describe_cache_parameter_groups", {}, "CacheParameterGroups", "CacheParameterGroupName"),
        ("describe_serverless_caches", {}, "ServerlessCaches", "ServerlessCacheName"),
        ("describe_snapshots", {}, "Snapshots", "SnapshotName"),
        ("describe_users", {}, "Users", "UserId"),
        ("describe_user_groups", {}, "UserGroups", "UserGroupId"),
    ],
    "efs": [
        ("describe_file_systems", {}, "FileSystems", "FileSystemId"),
        ("describe_access_points", {}, "AccessPoints", "AccessPointId"),
    ],
    "s3": [("list_buckets", {}, "Buckets", "Name")],
    "elbv2": [
        ("describe_load_balancers", {}, "LoadBalancers", "LoadBalancerName"),
        ("describe_target_groups", {}, "TargetGroups", "TargetGroupName"),
    ],
    "autoscaling": [
        ("describe_auto_scaling_groups", {}, "AutoScalingGroups", "AutoScalingGroupName"),
        ("describe_policies", {}, "ScalingPolicies", "PolicyName"),
        ("describe_scheduled_actions", {}, "ScheduledUpdateGroupActions", "ScheduledActionName"),
    ],
    "iam": [
        ("list_roles", {}, "Roles", "RoleName"),
        ("list_policies", {"Scope": "Local"}, "Policies", "PolicyName"),
        ("list_instance_profiles", {}, "InstanceProfiles", "InstanceProfileName"),
    ],
    "secretsmanager": [("list_secrets", {}, "SecretList", "Name")],
    "ssm": [("describe_parameters", {}, "Parameters", "Name")],
    "kms": [("list_aliases", {}, "Aliases", "AliasName")],
    "acm": [("list_certificates", {}, "CertificateSummaryList", "CertificateArn")],
    "cloudfront": [
        ("list_distributions", {}, "DistributionList.Items", "Id"),
        ("list_functions", {}, "FunctionList.Items", "Name"),
        ("list_cache_policies", {"Type": "custom"}, "CachePolicyList.Items", "CachePolicy.Id"),
        ("list_origin_request_policies", {"Type": "custom"}, "OriginRequestPolicyList.Items", "OriginRequestPolicy.Id"),
        (
            "list_response_headers_policies",
            {"Type": "custom"},
            "ResponseHeadersPolicyList.Items",
            "ResponseHeadersPolicy.Id",
        ),
        ("list_origin_access_controls", {}, "OriginAccessControlList.Items", "Name"),
        ("list_vpc_origins", {}, "VpcOriginList.Items", "Id"),
    ],
    "wafv2": [
        ("list_web_acls", {"Scope": "CLOUDFRONT"}, "WebACLs", "Name"),
        ("list_ip_sets", {"Scope": "CLOUDFRONT"}, "IPSets", "Name"),
    ],
    "backup": [
        ("list_backup_vaults", {}, "BackupVaultList", "BackupVaultName"),
        ("list_backup_plans", {}, "BackupPlansList", "BackupPlanName"),
    ],
    "cloudwatch": [
        ("describe_alarms", {}, "MetricAlarms", "AlarmName"),
        ("describe_alarms", {}, "CompositeAlarms", "AlarmName"),
        ("list_dashboards", {}, "DashboardEntries", "DashboardName"),
    ],
    "logs": [("describe_log_groups", {}, "logGroups", "logGroupName")],
    "sns": [("list_topics", {}, "Topics", "TopicArn"), ("list_subscriptions", {}, "Subscriptions", "Endpoint")],
}
#: What stays listed for a while after it was deleted.
ENDED = {"deleted", "terminated", "deleting"}
NOT_BUILT = ("NotImplemented", "NotImplementedError", "InternalFailure", "404", "501", "InvalidAction")


def of(emulator: Emulator) -> set[str]:
    """Return everything in the account as ``service:operation:name``."""
    found = {
        f"{service}:{operation.split('_', 1)[1]}:{name}"
        for service, lists in LISTS.items()
        for operation, arguments, where, name_of in lists
        for name in _names(emulator.client(service), operation, arguments, where, name_of)
    }
    return found | set(_instances(emulator)) | set(_records(emulator))


def _names(client: Any, operation: str, arguments: dict[str, Any], where: str, name_of: str | None) -> Iterator[str]:
    try:
        try:
            answers = list(client.get_paginator(operation).paginate(**arguments))
        except (OperationNotPageableError, KeyError, TypeError):
            answers = [getattr(client, operation)(**arguments)]
    except ClientError as error:
        if error.response["Error"]["Code"] in NOT_BUILT:
            return
        raise
    for answer in answers:
        for item in _at(answer, where) or []:
            if str(item.get("State", "")).lower() not in ENDED:
                yield str(_at(item, name_of) if name_of else item)


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = (value or {}).get(part)
    return value


def _instances(emulator: Emulator) -> Iterator[str]:
    for page in emulator.client("ec2").get_paginator("describe_instances").paginate():
        for reservation in page["Reservations"]:
            for one in reservation["Instances"]:
                if one["State"]["Name"] not in ("shutting-down", "terminated"):
                    yield f"ec2:instances:{one['InstanceId']}"


def _records(emulator: Emulator) -> Iterator[str]:
    client = emulator.client("route53")
    for zone in client.list_hosted_zones()["HostedZones"]:
        yield f"route53:hosted_zones:{zone['Name']}"
        for one in client.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]:
            yield f"route53:records:{one['Name']} {one['Type']}"
