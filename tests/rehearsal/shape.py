# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shape of a stack: what is in the account, without what is random in it."""

from __future__ import annotations

import re
from typing import Any

from .site import Site


def shape(site: Site) -> dict[str, Any]:
    """Describe the account without what is random in it: identifiers, times, addresses."""
    ec2, rds, cache = site.aws("ec2"), site.aws("rds"), site.aws("elasticache")
    elb, efs, ssm = site.aws("elbv2"), site.aws("efs"), site.aws("ssm")
    tagged = [{"Name": "tag-key", "Values": ["wordpress_ha:stack"]}]
    group, edge = site.group(), site.distribution()
    behaviors = [edge["config"]["DefaultCacheBehavior"], *edge["config"]["CacheBehaviors"]["Items"]]
    parameters = ssm.get_paginator("get_parameters_by_path").paginate(Path="/wordpress_ha/", Recursive=True)
    return {
        "vpcs": sorted(vpc["CidrBlock"] for vpc in ec2.describe_vpcs(Filters=tagged)["Vpcs"]),
        "subnets": sorted(
            (s["CidrBlock"], s["AvailabilityZone"]) for s in ec2.describe_subnets(Filters=tagged)["Subnets"]
        ),
        "nat": sorted(n["State"] for n in ec2.describe_nat_gateways()["NatGateways"] if n["State"] != "deleted"),
        "addresses": len(ec2.describe_addresses()["Addresses"]),
        "route_tables": len(ec2.describe_route_tables(Filters=tagged)["RouteTables"]),
        "security_groups": sorted(
            (g["GroupName"], len(g["IpPermissions"]), len(g["IpPermissionsEgress"]))
            for g in ec2.describe_security_groups(Filters=tagged)["SecurityGroups"]
        ),
        "databases": sorted(
            (c["DBClusterIdentifier"], c["Status"], len(c["DBClusterMembers"]))
            for c in rds.describe_db_clusters()["DBClusters"]
        ),
        "caches": sorted(
            (r["ReplicationGroupId"], r["Status"]) for r in cache.describe_replication_groups()["ReplicationGroups"]
        ),
        "file_systems": sorted(
            (f["Name"], f["NumberOfMountTargets"]) for f in efs.describe_file_systems()["FileSystems"]
        ),
        "load_balancers": sorted(b["LoadBalancerName"] for b in elb.describe_load_balancers()["LoadBalancers"]),
        "rules": sorted(
            (listener["Port"], len(elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]))
            for balancer in elb.describe_load_balancers()["LoadBalancers"]
            for listener in elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        ),
        "edge": (edge["Status"], [(one.get("PathPattern", "*"), one["TargetOriginId"]) for one in behaviors]),
        "target_groups": sorted(t["TargetGroupName"] for t in elb.describe_target_groups()["TargetGroups"]),
        "secrets": sorted(
            re.sub(r"[0-9a-f-]{30,}", "", s["Name"])
            for s in site.aws("secretsmanager").list_secrets(MaxResults=100)["SecretList"]
        ),
        "parameters": sorted(item["Name"] for page in parameters for item in page["Parameters"]),
        "images": sorted(i["State"] for i in ec2.describe_images(Owners=["self"])["Images"]),
        "fleet": (group["MinSize"], group["DesiredCapacity"], len(group["Instances"])),
        "instances": sorted(
            instance["State"]["Name"]
            for reservation in ec2.describe_instances()["Reservations"]
            for instance in reservation["Instances"]
            if instance["State"]["Name"] != "terminated"
        ),
    }
