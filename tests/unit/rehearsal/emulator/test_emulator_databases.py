# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the extensions add to RDS beyond creation: changes, refusals, final snapshots, restoring, proxies."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from web_tier import network

CLUSTER = {"DBClusterIdentifier": "db"}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "rds.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def refused(code: str, call: Any, **arguments: Any) -> None:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code, error.value


@pytest.fixture
def net(external: Any) -> Any:
    return network(external)


@pytest.fixture
def rds(external: Any, net: Any) -> Any:
    rds = external.client("rds")
    rds.create_db_subnet_group(DBSubnetGroupName="db", DBSubnetGroupDescription="db", SubnetIds=net.subnets)
    return rds


def create(external: Any, name: str = "db", **more: Any) -> dict[str, Any]:
    """Create a cluster and report it."""
    arguments = {
        "Engine": "aurora-mysql",
        "EngineVersion": "8.0.mysql_aurora.3.10.0",
        "MasterUsername": "admin",
        "ManageMasterUserPassword": True,
        "DBSubnetGroupName": "db",
        "StorageEncrypted": True,
        "DatabaseName": "wordpress",
    }
    external.client("rds").create_db_cluster(DBClusterIdentifier=name, **{**arguments, **more})
    return reported(external, name)


def reported(external: Any, name: str = "db") -> dict[str, Any]:
    external.observed(db_clusters={name: "available"})
    return dict(external.client("rds").describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0])


def instance(rds: Any, name: str = "db-1", **more: Any) -> dict[str, Any]:
    arguments = {"Engine": "aurora-mysql", "DBInstanceClass": "db.r6g.large", **CLUSTER, **more}
    return dict(rds.create_db_instance(DBInstanceIdentifier=name, **arguments)["DBInstance"])


class TestChanges:
    def test_settings_that_are_changed_are_changed(self, external, rds):
        made = create(external, EnableCloudwatchLogsExports=["error"])
        assert made["StorageType"] == "aurora"
        secret = made["MasterUserSecret"]["SecretArn"]
        rds.modify_db_cluster(
            **CLUSTER,
            StorageType="aurora-iopt1",
            CloudwatchLogsExportConfiguration={"EnableLogTypes": ["audit"], "DisableLogTypes": ["error"]},
            EnableIAMDatabaseAuthentication=True,
            ManageMasterUserPassword=True,
        )
        found = reported(external)
        assert found["EnabledCloudwatchLogsExports"] == ["audit"]
        assert found["IAMDatabaseAuthenticationEnabled"] is True and found["StorageType"] == "aurora-iopt1"
        assert found["MasterUserSecret"]["SecretArn"] == secret, "it was managed before"

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"BackupRetentionPeriod": 36}, "InvalidParameterValue"),
            (
                {"PreferredBackupWindow": "05:00-05:30", "PreferredMaintenanceWindow": "sun:05:10-sun:05:40"},
                "InvalidParameterValue",
            ),
            ({"EngineVersion": "8.0.mysql_aurora.3.08.2"}, "InvalidParameterCombination"),
            ({"ServerlessV2ScalingConfiguration": {"MinCapacity": 4, "MaxCapacity": 2}}, "InvalidParameterValue"),
        ],
    )
    def test_what_aws_refuses_is_refused(self, external, rds, change, code):
        create(external)
        refused(code, rds.modify_db_cluster, **CLUSTER, **change)

    def test_a_retention_of_36_days_is_no_cluster(self, external, rds):
        with pytest.raises(ClientError, match="retention period 36"):
            create(external, BackupRetentionPeriod=36)
        assert rds.describe_db_clusters()["DBClusters"] == []

    def test_a_major_upgrade_needs_a_word_and_other_groups(self, external, rds):
        create(external, EngineVersion="5.7.mysql_aurora.2.12.5")
        instance(rds)
        reported(external)
        wanted = {**CLUSTER, "EngineVersion": "8.0.mysql_aurora.3.10.0"}
        refused("InvalidParameterCombination", rds.modify_db_cluster, **wanted)
        rds.modify_db_cluster(**wanted, AllowMajorVersionUpgrade=True)
        (found,) = rds.describe_db_instances()["DBInstances"]
        assert found["DBParameterGroups"][0]["DBParameterGroupName"] == "default.aurora-mysql8.0"
        assert rds.describe_db_parameter_groups()["DBParameterGroups"] == [], "AWS's own are not listed as made"

    def test_capacity_is_completed_and_needed(self, external, rds):
        create(external)
        refused("InvalidParameterCombination", instance, rds=rds, DBInstanceClass="db.serverless")
        rds.modify_db_cluster(**CLUSTER, ServerlessV2ScalingConfiguration={"MinCapacity": 0, "MaxCapacity": 2})
        assert reported(external)["ServerlessV2ScalingConfiguration"] == {
            "MinCapacity": 0.0,
            "MaxCapacity": 2.0,
            "SecondsUntilAutoPause": 300,
        }
        instance(rds, DBInstanceClass="db.serverless")

    def test_instances_go_where_they_are_put(self, external, rds):
        create(external)
        assert instance(rds, AvailabilityZone="us-east-1b")["AvailabilityZone"] == "us-east-1b"
        refused("InvalidParameterValue", instance, rds=rds, name="db-2", AvailabilityZone="us-east-1f")
        refused("InvalidParameterValue", instance, rds=rds, name="db-2", PromotionTier=16)
        for number in range(2, 17):
            instance(rds, f"db-{number}")
        refused("InstanceQuotaExceeded", instance, rds=rds, name="db-17")

    def test_a_subnet_group_covers_two_zones(self, external, net, rds):
        one = {"DBSubnetGroupName": "one", "DBSubnetGroupDescription": "one", "SubnetIds": net.subnets[:1]}
        refused("DBSubnetGroupDoesNotCoverEnoughAZs", rds.create_db_subnet_group, **one)
        change = {"DBSubnetGroupName": "db", "SubnetIds": net.subnets[:1]}
        refused("DBSubnetGroupDoesNotCoverEnoughAZs", rds.modify_db_subnet_group, **change)

    def test_instance_parameters_are_described_and_checked(self, external, rds):
        group = {"DBParameterGroupName": "own"}
        rds.create_db_parameter_group(**group, DBParameterGroupFamily="aurora-mysql8.0", Description="own")
        wanted = {"ParameterName": "max_connections", "ParameterValue": "50", "ApplyMethod": "immediate"}
        rds.modify_db_parameter_group(**group, Parameters=[wanted])
        (mine,) = rds.describe_db_parameters(**group, Source="user")["Parameters"]
        assert (mine["ParameterName"], mine["ParameterValue"], mine["ApplyType"]) == (
            "max_connections",
            "50",
            "dynamic",
        )
        odd = [{**wanted, "ParameterName": "max_conections"}]
        refused("InvalidParameterValue", rds.modify_db_parameter_group, **group, Parameters=odd)
        create(external)
        instance(rds, **group)
        refused("InvalidDBParameterGroupState", rds.delete_db_parameter_group, **group)
        refused("DBParameterGroupNotFound", rds.describe_db_parameters, DBParameterGroupName="none")


class TestSnapshots:
    def test_a_cluster_goes_with_a_snapshot_or_a_waiver(self, external, rds):
        create(external)
        rds.create_db_cluster_snapshot(**CLUSTER, DBClusterSnapshotIdentifier="kept")
        refused("InvalidParameterCombination", rds.delete_db_cluster, **CLUSTER)
        refused(
            "DBClusterSnapshotAlreadyExistsFault", rds.delete_db_cluster, **CLUSTER, FinalDBSnapshotIdentifier="kept"
        )
        secret = reported(external)["MasterUserSecret"]["SecretArn"]
        assert external.client("secretsmanager").describe_secret(SecretId=secret), "a refusal costs nothing"
        rds.delete_db_cluster(**CLUSTER, FinalDBSnapshotIdentifier="final")
        found = rds.describe_db_cluster_snapshots()["DBClusterSnapshots"]
        assert sorted(one["DBClusterSnapshotIdentifier"] for one in found) == ["final", "kept"]

    def test_what_is_restored_inherits_what_aws_says(self, external, rds):
        create(external, BackupRetentionPeriod=9)
        rds.create_db_cluster_snapshot(**CLUSTER, DBClusterSnapshotIdentifier="noon")
        rds.restore_db_cluster_from_snapshot(
            DBClusterIdentifier="copy", SnapshotIdentifier="noon", Engine="aurora-mysql", DBSubnetGroupName="db"
        )
        copy = reported(external, "copy")
        assert (copy["BackupRetentionPeriod"], copy["MasterUsername"], copy["StorageEncrypted"]) == (9, "admin", True)
        assert "MasterUserSecret" not in copy and copy["DBClusterParameterGroup"] == "default.aurora-mysql8.0"
        (mine,) = [one for one in external.desired()["db_clusters"] if one["id"] == "copy"]
        assert mine["master_password"], "the data plane can serve it"
        rds.modify_db_cluster(DBClusterIdentifier="copy", ManageMasterUserPassword=True)
        assert reported(external, "copy")["MasterUserSecret"]["SecretArn"]

    def test_a_point_in_time_is_one_there_was(self, external, rds):
        create(external)
        source = {"SourceDBClusterIdentifier": "db", "DBSubnetGroupName": "db"}
        restore = rds.restore_db_cluster_to_point_in_time
        refused("InvalidParameterCombination", restore, DBClusterIdentifier="copy", **source)
        future = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
        refused("InvalidRestoreFault", restore, DBClusterIdentifier="copy", RestoreToTime=future, **source)
        restore(DBClusterIdentifier="copy", UseLatestRestorableTime=True, **source)
        assert reported(external, "copy")["DatabaseName"] == "wordpress"


class TestProxies:
    @pytest.fixture
    def proxy(self, external: Any, net: Any, rds: Any) -> dict[str, Any]:
        """Parameters of a proxy that AWS would make."""
        role = external.client("iam").create_role(RoleName="proxy", AssumeRolePolicyDocument=json.dumps(TRUST))
        secret = external.client("secretsmanager").create_secret(Name="user", SecretString="{}")["ARN"]
        return {
            "DBProxyName": "proxy",
            "EngineFamily": "MYSQL",
            "Auth": [{"AuthScheme": "SECRETS", "SecretArn": secret}],
            "RoleArn": role["Role"]["Arn"],
            "VpcSubnetIds": net.subnets,
            "VpcSecurityGroupIds": [net.group],
            "RequireTLS": True,
        }

    def test_a_proxy_is_made_and_modified(self, rds, proxy):
        made = rds.create_db_proxy(**proxy)["DBProxy"]
        assert made["Status"] == "creating" and made["Auth"][0]["ClientPasswordAuthType"] == "MYSQL_NATIVE_PASSWORD"
        changed = {"DebugLogging": True, "IdleClientTimeout": 60, "SecurityGroups": ["sg-1"]}
        assert rds.modify_db_proxy(DBProxyName="proxy", **changed)["DBProxy"]["Status"] == "modifying"
        (found,) = rds.describe_db_proxies(DBProxyName="proxy")["DBProxies"]
        assert (found["Status"], found["DebugLogging"], found["IdleClientTimeout"]) == ("available", True, 60)
        assert found["VpcSecurityGroupIds"] == ["sg-1"] and found["RequireTLS"] is True

    def test_what_aws_refuses_is_refused(self, rds, net, proxy):
        refused("InvalidParameterValue", rds.create_db_proxy, **{**proxy, "RoleArn": proxy["RoleArn"] + "x"})
        auth = [{"AuthScheme": "SECRETS", "SecretArn": proxy["Auth"][0]["SecretArn"] + "x"}]
        refused("InvalidParameterValue", rds.create_db_proxy, **{**proxy, "Auth": auth})
        refused("InvalidSubnet", rds.create_db_proxy, **{**proxy, "VpcSubnetIds": net.subnets[:1]})
        for call in (
            rds.modify_db_proxy,
            rds.delete_db_proxy,
            rds.describe_db_proxy_targets,
            rds.describe_db_proxy_target_groups,
        ):
            refused("DBProxyNotFoundFault", call, DBProxyName="none")

    def test_a_proxy_leads_to_one_cluster(self, external, rds, proxy):
        rds.create_db_proxy(**proxy)
        target = {"DBProxyName": "proxy", "DBClusterIdentifiers": ["db"]}
        refused("DBClusterNotFoundFault", rds.register_db_proxy_targets, **target)
        create(external)
        instance(rds)
        rds.register_db_proxy_targets(**target)
        refused("DBProxyTargetAlreadyRegisteredFault", rds.register_db_proxy_targets, **target)
        targets = rds.describe_db_proxy_targets(DBProxyName="proxy")["Targets"]
        assert [(one["Type"], one["RdsResourceId"], one["Port"]) for one in targets] == [
            ("TRACKED_CLUSTER", "db", 3306),
            ("RDS_INSTANCE", "db-1", 3306),
        ]
        (described,) = external.desired()["db_clusters"]
        assert described["proxy_endpoints"] == [rds.describe_db_proxies()["DBProxies"][0]["Endpoint"]]
        rds.deregister_db_proxy_targets(**target)
        assert external.desired()["db_clusters"][0]["proxy_endpoints"] == []

    def test_a_pool_keeps_what_it_was_given(self, rds, proxy):
        rds.create_db_proxy(**proxy)
        group = {"DBProxyName": "proxy", "TargetGroupName": "default"}
        wanted = {"MaxConnectionsPercent": 40, "MaxIdleConnectionsPercent": 0, "InitQuery": "SET x=1"}
        rds.modify_db_proxy_target_group(**group, ConnectionPoolConfig=wanted)
        (found,) = rds.describe_db_proxy_target_groups(DBProxyName="proxy")["TargetGroups"]
        assert wanted.items() <= found["ConnectionPoolConfig"].items()
        wrong = {"MaxConnectionsPercent": 10, "MaxIdleConnectionsPercent": 20}
        refused("InvalidParameterValue", rds.modify_db_proxy_target_group, **group, ConnectionPoolConfig=wrong)
