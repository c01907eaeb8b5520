# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the extensions add to single services: each test is about one gap of moto."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from web_tier import network

DEBIAN = "136693071363"


def refused(code: str, call, **arguments) -> str:
    """Return the message of a call that must fail with a code."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code
    return error.value.response["Error"]["Message"]


class TestInstances:
    def test_debian_images_are_found_and_others_refused(self, external):
        ec2 = external.client("ec2")
        for architecture in ("amd64", "arm64"):
            found = ec2.describe_images(
                Owners=[DEBIAN], Filters=[{"Name": "name", "Values": [f"debian-13-{architecture}-*"]}]
            )
            assert len(found["Images"]) == 1
        refused("InvalidAMIID.NotFound", ec2.run_instances, ImageId="ami-12345678", MinCount=1, MaxCount=1)

    def test_states_follow_reports(self, external):
        ec2, image = external.client("ec2"), "ami-0d13000000000064a"
        one = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.small")["Instances"][0][
            "InstanceId"
        ]

        def state() -> str:
            return ec2.describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"][0]["State"]["Name"]

        assert state() == "pending"
        external.observed(instances={one: "running", "i-unknown": "running"})
        assert state() == "running"
        ec2.stop_instances(InstanceIds=[one])
        external.observed(instances={one: "running"})
        assert state() == "stopped", "an old report must not start it"
        ec2.start_instances(InstanceIds=[one])
        assert state() == "pending"
        external.observed(instances={one: "dead"})
        assert state() == "terminated"

    def test_an_image_is_pending_until_reported(self, external):
        ec2 = external.client("ec2")
        one = ec2.run_instances(ImageId="ami-0d13000000000064a", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        refused("IncorrectState", ec2.create_image, InstanceId=one, Name="node-1")
        external.observed(instances={one: "running"})
        tags = [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": "node-1"}]} for kind in ("image", "snapshot")]
        made = ec2.create_image(InstanceId=one, Name="node-1", TagSpecifications=tags)["ImageId"]
        assert {"id": made, "name": "node-1", "state": "pending", "source_instance_id": one} in external.desired()[
            "images"
        ]
        refused("InvalidAMIID.Unavailable", ec2.run_instances, ImageId=made, MinCount=1, MaxCount=1)
        refused("InvalidAMIName.Duplicate", ec2.create_image, InstanceId=one, Name="node-1")
        external.observed(images={made: "available"})
        image = ec2.describe_images(Owners=["self"])["Images"][0]
        assert (image["ImageId"], image["State"], image["RootDeviceName"]) == (made, "available", "/dev/xvda")
        snapshot = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        assert ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["Tags"] == [
            {"Key": "Name", "Value": "node-1"}
        ]
        ec2.run_instances(ImageId=made, MinCount=1, MaxCount=1)

    def test_key_pairs_reach_the_data_plane(self, external):
        ec2 = external.client("ec2")
        arguments = {"ImageId": "ami-0d13000000000064a", "MinCount": 1, "MaxCount": 1, "KeyName": "rehearsal"}
        refused("InvalidKeyPair.NotFound", ec2.run_instances, **arguments)
        public = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGvx7xVAPyGkGZCxWAxBh7wZM0WJmPVxS0zBpLtcdrCf test"
        ec2.import_key_pair(KeyName="rehearsal", PublicKeyMaterial=public)
        ec2.run_instances(**arguments)
        assert external.desired()["instances"][0]["public_key"].split()[:2] == public.decode().split()[:2]

    def test_nothing_of_a_terminated_instance_keeps_its_network_in_use(self, external):
        ec2, net = external.client("ec2"), network(external)
        one = ec2.run_instances(
            ImageId="ami-0d13000000000064a",
            MinCount=1,
            MaxCount=1,
            SubnetId=net.subnets[0],
            SecurityGroupIds=[net.group],
        )["Instances"][0]["InstanceId"]
        ec2.terminate_instances(InstanceIds=[one])
        filters = [{"Name": "vpc-id", "Values": [net.vpc]}]
        assert ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"] == []
        for subnet in net.subnets:
            ec2.delete_subnet(SubnetId=subnet)
        ec2.delete_security_group(GroupId=net.group)
        ec2.delete_vpc(VpcId=net.vpc)
        assert external.desired()["vpcs"] == []

    def test_template_data_is_what_was_given(self, external):
        ec2 = external.client("ec2")
        tags = [{"ResourceType": "launch-template", "Tags": [{"Key": "a", "Value": "b"}]}]
        data = {"ImageId": "ami-0d13000000000064a", "UserData": "IzE="}
        ec2.create_launch_template(LaunchTemplateName="given", LaunchTemplateData=data, TagSpecifications=tags)
        for number in range(20):
            later = {"ImageId": "ami-0d13000000000064a", "InstanceType": f"t3.{number}"}
            ec2.create_launch_template_version(LaunchTemplateName="given", LaunchTemplateData=later)
        versions = ec2.describe_launch_template_versions(LaunchTemplateName="given")["LaunchTemplateVersions"]
        assert len(versions) == 21
        assert versions[0]["LaunchTemplateData"] == data
        assert ec2.describe_launch_templates()["LaunchTemplates"][0]["Tags"] == [{"Key": "a", "Value": "b"}]


class TestBalancers:
    def test_default_attributes_are_described(self, tier):
        arn = tier.balancer["LoadBalancerArn"]
        found = tier.balancing.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        assert {"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "false"} in found
        assert tier.balancer["Scheme"] == "internet-facing"

    def test_listeners_reach_the_data_plane_with_rules_in_order(self, tier):
        listener = tier.balancing.describe_listeners(LoadBalancerArn=tier.balancer["LoadBalancerArn"])["Listeners"][0]
        for priority in (20, 5):
            tier.balancing.create_rule(
                ListenerArn=listener["ListenerArn"],
                Priority=priority,
                Conditions=[{"Field": "path-pattern", "Values": [f"/{priority}/*"]}],
                Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403"}}],
            )
        (balancer,) = tier.emulator.desired()["load_balancers"]
        (described,) = balancer["listeners"]
        assert [rule["priority"] for rule in described["rules"]] == [5, 20, "default"]
        assert described["rules"][0]["conditions"][0]["Values"] == ["/5/*"]
        assert described["rules"][2]["actions"][0]["TargetGroupArn"] == tier.target_group
        assert [subnet["az"] for subnet in balancer["subnets"]] == ["us-east-1a", "us-east-1b"]
        (group,) = tier.emulator.desired()["target_groups"]
        assert group["health_check"]["path"] == "/healthz/ready"
        assert {target["port"] for target in group["targets"]} == {80}

    def test_certificates_reach_the_data_plane_as_imported(self, tier):
        acm = tier.emulator.client("acm")
        certificate, key = self_signed()
        arn = acm.import_certificate(Certificate=certificate, PrivateKey=key, CertificateChain=certificate)[
            "CertificateArn"
        ]
        tier.balancing.create_listener(
            LoadBalancerArn=tier.balancer["LoadBalancerArn"],
            Protocol="HTTPS",
            Port=443,
            Certificates=[{"CertificateArn": arn}],
            DefaultActions=[{"Type": "forward", "TargetGroupArn": tier.target_group}],
        )
        (found,) = tier.emulator.desired()["load_balancers"][0]["listeners"][1]["certificates"]
        assert found["certificate"].strip() == found["chain"].strip() == certificate.decode().strip()
        assert found["private_key"].strip() == key.decode().strip()

    def test_a_target_group_without_listener_is_unused(self, external):
        elb, net = external.client("elbv2"), network(external)
        arn = elb.create_target_group(Name="lonely", Protocol="HTTP", Port=80, VpcId=net.vpc)["TargetGroups"][0][
            "TargetGroupArn"
        ]
        ec2 = external.client("ec2")
        one = ec2.run_instances(ImageId="ami-0d13000000000064a", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        external.observed(instances={one: "running"})
        elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": one}])
        health = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"][0]["TargetHealth"]
        assert (health["State"], health["Reason"]) == ("unused", "Target.NotInUse")


def self_signed() -> tuple[bytes, bytes]:
    """Return a certificate and its key, PEM."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start + datetime.timedelta(days=3650))
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return builder.sign(key, hashes.SHA256()).public_bytes(pem), private


class TestDatabases:
    @pytest.fixture
    def rds(self, external):
        rds, net = external.client("rds"), network(external)
        rds.create_db_subnet_group(DBSubnetGroupName="db", DBSubnetGroupDescription="db", SubnetIds=net.subnets)
        rds.create_db_cluster_parameter_group(
            DBClusterParameterGroupName="db", DBParameterGroupFamily="aurora-mysql8.0", Description="db"
        )
        return rds

    def cluster(self, rds, **more):
        return rds.create_db_cluster(
            **{
                "DBClusterIdentifier": "db",
                "Engine": "aurora-mysql",
                "EngineVersion": "8.0.mysql_aurora.3.10.0",
                "MasterUsername": "admin",
                "ManageMasterUserPassword": True,
                "DBSubnetGroupName": "db",
                "DBClusterParameterGroupName": "db",
                **more,
            }
        )["DBCluster"]

    def instance(self, rds, name: str, **more):
        return rds.create_db_instance(
            **{
                "DBInstanceIdentifier": name,
                "DBClusterIdentifier": "db",
                "Engine": "aurora-mysql",
                "DBInstanceClass": "db.t4g.medium",
                **more,
            }
        )["DBInstance"]

    def test_a_cluster_is_created_when_reported_and_spreads(self, external, rds):
        self.cluster(rds)
        zones = [self.instance(rds, name)["AvailabilityZone"] for name in ("db-1", "db-2")]
        assert sorted(zones) == ["us-east-1a", "us-east-1b"]
        for _unused in range(2):
            assert rds.describe_db_clusters()["DBClusters"][0]["Status"] == "creating"
        refused("InvalidDBClusterStateFault", rds.modify_db_cluster, DBClusterIdentifier="db", BackupRetentionPeriod=2)
        external.observed(db_clusters={"db": "available"})
        assert rds.describe_db_clusters()["DBClusters"][0]["Status"] == "available"
        assert {one["DBInstanceStatus"] for one in rds.describe_db_instances()["DBInstances"]} == {"available"}
        assert rds.describe_db_instances()["DBInstances"][0]["DBSubnetGroup"]["DBSubnetGroupName"] == "db"

    def test_the_master_password_is_random_and_the_data_plane_knows_it(self, external, rds):
        import json

        secret = self.cluster(rds)["MasterUserSecret"]["SecretArn"]
        value = external.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
        (described,) = external.desired()["db_clusters"]
        assert described["master_password"] == json.loads(value)["password"]
        assert len(described["master_password"]) == 32
        assert described["master_username"] == "admin"

    def test_parameters_are_described_by_source_and_checked(self, external, rds):
        group = {"DBClusterParameterGroupName": "db"}
        wanted = {"ParameterName": "require_secure_transport", "ParameterValue": "ON", "ApplyMethod": "immediate"}
        rds.modify_db_cluster_parameter_group(**group, Parameters=[wanted])
        (mine,) = rds.describe_db_cluster_parameters(**group, Source="user")["Parameters"]
        assert (mine["ParameterName"], mine["ParameterValue"], mine["Source"]) == (
            "require_secure_transport",
            "ON",
            "user",
        )
        assert len(rds.describe_db_cluster_parameters(**group)["Parameters"]) > 50
        message = refused(
            "InvalidParameterValue", rds.modify_db_cluster_parameter_group, **group,
            Parameters=[{**wanted, "ParameterName": "require_secure_transprot"}],
        )  # fmt: skip
        assert "require_secure_transprot" in message
        refused(
            "InvalidParameterCombination", rds.modify_db_cluster_parameter_group, **group,
            Parameters=[{**wanted, "ParameterName": "binlog_format"}],
        )  # fmt: skip
        self.cluster(rds)
        assert external.desired()["db_clusters"][0]["parameters"] == {"require_secure_transport": "ON"}
        refused("InvalidDBParameterGroupState", rds.delete_db_cluster_parameter_group, **group)
        rds.reset_db_cluster_parameter_group(**group, ResetAllParameters=True)
        assert rds.describe_db_cluster_parameters(**group, Source="user")["Parameters"] == []

    def test_what_aws_does_not_offer_is_refused(self, rds):
        with pytest.raises(ClientError, match=r"Cannot find version 8\.0\.mysql_aurora\.3\.99"):
            self.cluster(rds, EngineVersion="8.0.mysql_aurora.3.99")
        with pytest.raises(ClientError, match="ParameterGroupNotFound"):
            self.cluster(rds, DBClusterParameterGroupName="none")
        with pytest.raises(ClientError, match="DBSubnetGroupNotFound"):
            self.cluster(rds, DBSubnetGroupName="none")
        self.cluster(rds)
        with pytest.raises(ClientError, match="AlreadyExists"):
            self.cluster(rds)
        with pytest.raises(ClientError, match="Invalid DB Instance class"):
            self.instance(rds, "db-1", DBInstanceClass="db.t9.medium")
        with pytest.raises(ClientError, match="DBClusterNotFoundFault"):
            rds.modify_db_cluster(DBClusterIdentifier="none")
        refused("InvalidDBSubnetGroupStateFault", rds.delete_db_subnet_group, DBSubnetGroupName="db")

    def test_offers_can_be_asked_for(self, rds):
        versions = rds.describe_db_engine_versions(Engine="aurora-mysql", EngineVersion="8.0.mysql_aurora.3.10")
        assert {one["DBParameterGroupFamily"] for one in versions["DBEngineVersions"]} == {"aurora-mysql8.0"}

        def options(name: str) -> int:
            ask = {"Engine": "aurora-mysql", "EngineVersion": "8.0.mysql_aurora.3.10.0", "DBInstanceClass": name}
            return len(rds.describe_orderable_db_instance_options(**ask)["OrderableDBInstanceOptions"])

        assert (options("db.t4g.medium"), options("db.r7g.large"), options("db.t9.medium")) == (1, 1, 0)


class TestCaches:
    TOKEN = "canary0canary0canary0"

    @pytest.fixture
    def cache(self, external):
        cache, net = external.client("elasticache"), network(external)
        cache.create_cache_subnet_group(
            CacheSubnetGroupName="c", CacheSubnetGroupDescription="c", SubnetIds=net.subnets
        )
        cache.create_cache_parameter_group(
            CacheParameterGroupName="c", CacheParameterGroupFamily="valkey8", Description="c"
        )
        return cache

    def group(self, cache, **more):
        return cache.create_replication_group(
            **{
                "ReplicationGroupId": "c",
                "ReplicationGroupDescription": "c",
                "Engine": "valkey",
                "EngineVersion": "8.1",
                "CacheNodeType": "cache.t4g.micro",
                "NumCacheClusters": 2,
                "CacheSubnetGroupName": "c",
                "CacheParameterGroupName": "c",
                "AuthToken": self.TOKEN,
                "TransitEncryptionEnabled": True,
                "AutomaticFailoverEnabled": True,
                "MultiAZEnabled": True,
                "Tags": [{"Key": "a", "Value": "b"}],
                **more,
            }
        )["ReplicationGroup"]

    def test_a_group_is_created_when_reported_and_its_token_never_shown(self, external, cache):
        made = self.group(cache)
        assert made["Status"] == "creating" and made["MemberClusters"] == ["c-001", "c-002"]
        external.observed(replication_groups={"c": "available"})
        described = cache.describe_replication_groups(ReplicationGroupId="c")["ReplicationGroups"][0]
        assert described["Status"] == "available" and described["AuthTokenEnabled"]
        assert self.TOKEN not in str(made) + str(described) + str(cache.describe_cache_clusters())
        (wanted,) = external.desired()["replication_groups"]
        assert wanted["auth_token"] == self.TOKEN and wanted["transit_encryption"]
        assert wanted["primary_endpoint"] == described["NodeGroups"][0]["PrimaryEndpoint"]["Address"]
        assert wanted["reader_endpoint"] == described["NodeGroups"][0]["ReaderEndpoint"]["Address"]

    def test_members_tell_what_the_group_does_not(self, cache):
        self.group(cache, SecurityGroupIds=["sg-1"])
        members = cache.describe_cache_clusters()["CacheClusters"]
        assert [one["PreferredAvailabilityZone"] for one in members] == ["us-east-1a", "us-east-1b"]
        (one,) = cache.describe_cache_clusters(CacheClusterId="c-001")["CacheClusters"]
        assert (one["EngineVersion"], one["CacheParameterGroup"]["CacheParameterGroupName"]) == ("8.1.0", "c")
        assert one["SecurityGroups"][0]["SecurityGroupId"] == "sg-1"

    def test_modifications_are_kept(self, external, cache):
        self.group(cache)
        change = {
            "ReplicationGroupId": "c",
            "SnapshotRetentionLimit": 3,
            "AuthToken": "another0another0",
            "ApplyImmediately": True,
        }
        refused("InvalidReplicationGroupState", cache.modify_replication_group, **change)
        external.observed(replication_groups={"c": "available"})
        assert cache.modify_replication_group(**change)["ReplicationGroup"]["Status"] == "modifying"
        assert external.desired()["replication_groups"][0]["auth_token"] == "another0another0"
        external.observed(replication_groups={"c": "available"})
        described = cache.describe_replication_groups()["ReplicationGroups"][0]
        assert (described["Status"], described["SnapshotRetentionLimit"]) == ("available", 3)

    def test_replicas_come_and_go(self, external, cache):
        self.group(cache)
        for call, replicas in ((cache.increase_replica_count, 3), (cache.decrease_replica_count, 1)):
            external.observed(replication_groups={"c": "available"})
            call(ReplicationGroupId="c", NewReplicaCount=replicas, ApplyImmediately=True)
            members = cache.describe_replication_groups()["ReplicationGroups"][0]["MemberClusters"]
            assert len(members) == replicas + 1
        external.observed(replication_groups={"c": "available"})
        refused(
            "InvalidParameterCombination",
            cache.decrease_replica_count,
            ReplicationGroupId="c",
            NewReplicaCount=0,
            ApplyImmediately=True,
        )

    def test_parameter_groups_live_and_die(self, external, cache):
        name = {"CacheParameterGroupName": "c"}
        values = [{"ParameterName": "maxmemory-policy", "ParameterValue": "allkeys-lru"}]
        arn = cache.describe_cache_parameter_groups(**name)["CacheParameterGroups"][0]["ARN"]
        cache.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "a", "Value": "b"}])
        assert cache.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "a", "Value": "b"}]
        cache.modify_cache_parameter_group(**name, ParameterNameValues=values)
        (mine,) = cache.describe_cache_parameters(**name, Source="user")["Parameters"]
        assert (mine["ParameterName"], mine["ParameterValue"]) == ("maxmemory-policy", "allkeys-lru")
        refused(
            "InvalidParameterValue", cache.modify_cache_parameter_group, **name,
            ParameterNameValues=[{"ParameterName": "maxmemory-polcy", "ParameterValue": "x"}],
        )  # fmt: skip
        self.group(cache)
        assert external.desired()["replication_groups"][0]["parameters"] == {"maxmemory-policy": "allkeys-lru"}
        refused("InvalidCacheParameterGroupState", cache.delete_cache_parameter_group, **name)
        refused("CacheSubnetGroupInUse", cache.delete_cache_subnet_group, CacheSubnetGroupName="c")
        cache.delete_replication_group(ReplicationGroupId="c")
        assert cache.describe_replication_groups()["ReplicationGroups"] == []
        cache.reset_cache_parameter_group(**name, ResetAllParameters=True)
        assert cache.describe_cache_parameters(**name, Source="user")["Parameters"] == []
        cache.delete_cache_parameter_group(**name)
        cache.delete_cache_subnet_group(CacheSubnetGroupName="c")
        refused("CacheParameterGroupNotFound", cache.describe_cache_parameter_groups, **name)

    @pytest.mark.parametrize(
        ("wrong", "trouble"),
        [
            ({"EngineVersion": "8.9"}, "InvalidParameterValue"),
            ({"CacheNodeType": "cache.t9.micro"}, "InvalidParameterValue"),
            ({"CacheParameterGroupName": "none"}, "CacheParameterGroupNotFound"),
            ({"CacheParameterGroupName": "default.redis7"}, "InvalidParameterCombination"),
            ({"CacheSubnetGroupName": "none"}, "CacheSubnetGroupNotFound"),
            ({"TransitEncryptionEnabled": False}, "InvalidParameterCombination"),
            ({"AuthToken": "short"}, "InvalidParameterValue"),
            ({"NumCacheClusters": 1}, "InvalidParameterCombination"),
        ],
    )
    def test_what_aws_does_not_offer_is_refused(self, cache, wrong, trouble):
        with pytest.raises(ClientError, match=trouble):
            self.group(cache, **wrong)

    def test_engine_versions_are_listed(self, cache):
        found = cache.describe_cache_engine_versions(Engine="valkey", CacheParameterGroupFamily="valkey8")[
            "CacheEngineVersions"
        ]
        assert {one["EngineVersion"] for one in found} == {"8.0", "8.1", "8.2"}

    def test_a_new_group_of_an_old_name_has_no_old_tags(self, cache):
        arn = self.group(cache)["ARN"]
        cache.delete_replication_group(ReplicationGroupId="c")
        self.group(cache, Tags=[])
        assert cache.list_tags_for_resource(ResourceName=arn)["TagList"] == []


class TestFiles:
    def test_backup_and_throughput_can_be_changed(self, external):
        efs = external.client("efs")
        name = efs.create_file_system(CreationToken="t", Tags=[{"Key": "Name", "Value": "n"}])["FileSystemId"]
        assert efs.describe_backup_policy(FileSystemId=name)["BackupPolicy"]["Status"] == "DISABLED"
        efs.put_backup_policy(FileSystemId=name, BackupPolicy={"Status": "ENABLED"})
        assert efs.describe_backup_policy(FileSystemId=name)["BackupPolicy"]["Status"] == "ENABLED"
        assert efs.update_file_system(FileSystemId=name, ThroughputMode="elastic")["ThroughputMode"] == "elastic"
        refused("FileSystemNotFound", efs.update_file_system, FileSystemId="fs-12345678", ThroughputMode="elastic")

    def test_mount_targets_reach_the_data_plane(self, external):
        efs, net = external.client("efs"), network(external)
        name = efs.create_file_system(CreationToken="t")["FileSystemId"]
        for subnet in net.subnets:
            efs.create_mount_target(FileSystemId=name, SubnetId=subnet, SecurityGroups=[net.group])
        (described,) = external.desired()["file_systems"]
        assert described["dns_name"] == f"{name}.efs.us-east-1.amazonaws.com"
        assert [target["az"] for target in described["mount_targets"]] == ["us-east-1a", "us-east-1b"]
        assert len({target["ip_address"] for target in described["mount_targets"]}) == 2


def test_a_reset_empties_the_account(external):
    network(external)
    assert external.desired()["vpcs"]
    external.reset()
    assert external.desired()["vpcs"] == [] and external.desired()["instances"] == []
    assert len(external.desired()["images"]) == 2
