# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of ElastiCache's modules find in an account: a network and two passwords."""

from __future__ import annotations

import json
from typing import Any

TOKEN = "canary-0123456789-canary"
TAGS = {"wordpress_ha:stack": "blog", "wordpress_ha:role": "object_cache"}


def prepare(client: Any) -> dict[str, Any]:
    """Make them; C(client) returns one by a service's name. Returns the parameters that name them."""
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{index}.0/24", AvailabilityZone=f"us-east-1{zone}")
        for index, zone in enumerate("abc")
    ]
    group = ec2.create_security_group(GroupName="cache", Description="x", VpcId=vpc)["GroupId"]
    client("secretsmanager").create_secret(Name="blog/cache", SecretString=json.dumps({"auth_token": TOKEN}))
    return {"subnet_ids": [one["Subnet"]["SubnetId"] for one in subnets], "security_group_ids": [group]}


def left(cache: Any) -> list[Any]:
    """Return what an account holds of ElastiCache beside what AWS puts there."""
    return [
        *cache.describe_replication_groups()["ReplicationGroups"],
        *cache.describe_cache_clusters()["CacheClusters"],
        *cache.describe_serverless_caches()["ServerlessCaches"],
        *cache.describe_cache_subnet_groups()["CacheSubnetGroups"],
        *(one for one in cache.describe_cache_parameter_groups()["CacheParameterGroups"]
          if not one["CacheParameterGroupName"].startswith("default.")),
        *cache.describe_user_groups()["UserGroups"],
        *(one for one in cache.describe_users()["Users"] if one["UserId"] != "default"),
    ]  # fmt: skip
