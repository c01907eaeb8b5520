# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares a well-typed stack with what its account and region offer, in as few calls as the API allows. Reads only."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

try:
    import boto3
except ImportError:  # AnsibleAWSModule reports the missing library
    pass

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from . import _existing_network
from ._aws import connect
from ._stack_rules import ZONE_SLOTS, uses_existing_network
from ._stack_schema import UNSET, Problem

EDGE_REGION = "us-east-1"  # CloudFront takes certificates from there alone
KEY_TYPES = ["RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1"]
PARTITIONS = ("aws", "aws-us-gov", "aws-cn")
#: What is compared, in this order, by the methods of these names.
PROBES = (
    "network",
    "instance_types",
    "base_image",
    "key_pairs",
    "hosted_zone",
    "database_class",
    "snapshot",
    "file_system",
    "buckets",
    "certificate",
    "edge_certificate",
)
PROCESSORS = {"amd64": "x86_64", "arm64": "arm64"}


def check_regions(stack: Mapping[str, Any]) -> list[Problem]:
    """Return a problem for each region that botocore does not know; offline, since a wrong region has no endpoint to ask."""
    session = boto3.Session()  # STS is everywhere, and its model is small: that of EC2 takes half a second to load
    known = [name for partition in PARTITIONS for name in session.get_available_regions("sts", partition)]
    problems = []
    for path, region in _regions(stack):
        if region and region not in known:
            near = difflib.get_close_matches(region, known, n=1)
            cure = f"Did you mean `{near[0]}`?" if near else "Use an AWS region's code, for example `eu-central-1`."
            problems.append(Problem(path, region, "there is no such AWS region", cure))
    return problems


def _regions(stack: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    yield "wordpress_ha_region", stack["region"]
    for part in ("files", "media"):
        yield f"wordpress_ha_{part}.replication_region", stack[part]["replication_region"]
    for component, plan in stack["backups"]["plans"].items():
        yield f"wordpress_ha_backups.plans.{component}.copy_region", plan["copy_region"]


class Account:
    """What the region offers, asked as little as possible; every method returns the problems it found."""

    def __init__(self, module: AnsibleAWSModule, stack: dict[str, Any]) -> None:
        self.module = module
        self.stack = stack
        self.facts: dict[str, Any] = {}
        self.certificates: dict[str, list[dict[str, Any]]] = {}  # issued ones, by region

    def client(self, service: str, region: str | None = None) -> Any:
        return connect(self.module, service, region or self.stack["region"])

    def identity(self) -> None:
        answer = self.client("sts").get_caller_identity(aws_retry=True)
        self.facts["account_id"] = answer["Account"]

    def network(self) -> list[Problem]:
        """Look for the zones of a new VPC, or at all of an existing one (R48)."""
        if not uses_existing_network(self.stack):
            return self._zones()
        network = self.stack["network"]
        options = {
            "name": self.stack["name"],
            "vpc_id": network["vpc_id"] or "",
            "vpc_tags": network["vpc_tags"],
            "subnet_ids": network["subnet_ids"],
            "subnet_tags": {},
            "ipv6": network["ipv6"],
            "free_addresses": _existing_network.FREE_ADDRESSES,
            "endpoints": _existing_network.ENDPOINTS,
            "prefix": "wordpress_ha_network.",
        }
        found = _existing_network.read(self.client("ec2"), options)
        problems = _existing_network.problems(found, options)
        if not problems:
            self.facts["availability_zones"] = _existing_network.facts(found, options)["availability_zones"]
        return problems

    def _zones(self) -> list[Problem]:
        name, wanted = "wordpress_ha_network.availability_zones", self.stack["network"]["availability_zones"]
        filters = [{"Name": "zone-type", "Values": ["availability-zone"]}, {"Name": "state", "Values": ["available"]}]
        answer = self.client("ec2").describe_availability_zones(Filters=filters, aws_retry=True)
        there = sorted(zone["ZoneName"] for zone in answer["AvailabilityZones"])
        most = min(len(there), ZONE_SLOTS)
        if isinstance(wanted, list):
            strange = [zone for zone in wanted if zone not in there]
            if strange:
                wrong = f"{', '.join(strange)} is no zone of {self.stack['region']} that this account may use"
                return [Problem(name, wanted, wrong, f"There are: {', '.join(there)}.")]
            if len(set(wanted)) != len(wanted):
                return [Problem(name, wanted, "a zone is named twice", "Name each zone once.")]
        count = len(wanted) if isinstance(wanted, list) else wanted
        if count > most:
            has = f"{self.stack['region']} has {len(there)} Availability Zones"
            wrong = has if most == len(there) else f"{has} and the network is laid out for up to {ZONE_SLOTS}"
            return [Problem(name, wanted, wrong, f"Use 2 to {most}.")]
        self.facts["availability_zones"] = wanted if isinstance(wanted, list) else there[:wanted]
        return []

    def instance_types(self) -> list[Problem]:
        """Look at every type of the stack in one call."""
        web, bastion = self.stack["web"], self.stack["bastion"]
        wanted = {"wordpress_ha_web.instance_type": web["instance_type"]}
        wanted |= {
            f"wordpress_ha_web.instance_types[{index}]": name for index, name in enumerate(web["instance_types"])
        }
        if bastion["enabled"]:
            wanted["wordpress_ha_bastion.instance_type"] = bastion["instance_type"]
        filters = [{"Name": "instance-type", "Values": sorted(set(wanted.values()))}]
        answer = self.client("ec2").describe_instance_types(Filters=filters, aws_retry=True)["InstanceTypes"]
        found = {one["InstanceType"]: one.get("ProcessorInfo", {}).get("SupportedArchitectures", []) for one in answer}
        processor = PROCESSORS[web["architecture"]]
        problems = []
        for path, name in wanted.items():
            if name not in found:
                wrong = f"EC2 offers no such type in {self.stack['region']}"
                cure = "Use one that `aws ec2 describe-instance-types` lists, such as `c6i.large`."
                problems.append(Problem(path, name, wrong, cure))
            elif found[name] and processor not in found[name]:
                wrong = f"wordpress_ha_web.architecture is `{web['architecture']}` ({processor}), the type runs {', '.join(found[name])}"
                cure = "Use a type of that architecture, or change wordpress_ha_web.architecture."
                problems.append(Problem(path, name, wrong, cure))
        return problems

    def base_image(self) -> list[Problem]:
        wanted = self.stack["web"]["base_image"]
        filters = [{"Name": "name", "Values": [wanted["name"]]}, {"Name": "state", "Values": ["available"]}]
        images = self.client("ec2").describe_images(Owners=[wanted["owner"]], Filters=filters, aws_retry=True)["Images"]
        if not images:
            wrong = f"account {wanted['owner']} has no such image in {self.stack['region']}"
            cure = "Use a name or pattern such as `debian-13-amd64-*`, and the owner that publishes it."
            return [Problem("wordpress_ha_web.base_image.name", wanted["name"], wrong, cure)]
        newest = max(images, key=lambda image: (image.get("CreationDate", ""), image["ImageId"]))
        processor = PROCESSORS[self.stack["web"]["architecture"]]
        if newest.get("Architecture", processor) != processor:
            chosen = self.stack["web"]["architecture"]
            wrong = f"the image {newest['Name']} is for {newest['Architecture']}, and wordpress_ha_web.architecture is `{chosen}`"
            cure = f"Use an image for {processor}, or change wordpress_ha_web.architecture."
            return [Problem("wordpress_ha_web.base_image.name", wanted["name"], wrong, cure)]
        self.facts["base_image"] = {
            "image_id": newest["ImageId"],
            "name": newest["Name"],
            "architecture": newest.get("Architecture", ""),
            "root_device_name": newest.get("RootDeviceName", ""),
        }
        return []

    def database_class(self) -> list[Problem]:
        name, wanted = "wordpress_ha_database.instance_class", self.stack["database"]["instance_class"]
        if self.stack["database"]["existing"]:
            return []
        rds = self.client("rds")

        def options(**which: str) -> list[dict[str, Any]]:
            answer = rds.describe_orderable_db_instance_options(
                Engine="aurora-mysql", MaxRecords=100, **which, aws_retry=True
            )
            return answer["OrderableDBInstanceOptions"]

        if options(DBInstanceClass=wanted):
            return []
        offered = sorted({option["DBInstanceClass"] for option in options()})
        if not offered:  # an API that does not know at all says nothing against this class
            return []
        near = difflib.get_close_matches(wanted, offered, n=1)
        cure = f"Did you mean `{near[0]}`?" if near else "Use for example `db.r6g.large` or `db.t4g.medium`."
        return [Problem(name, wanted, f"Aurora MySQL offers no such class in {self.stack['region']}", cure)]

    def key_pairs(self) -> list[Problem]:
        wanted = {"wordpress_ha_web.key_name": self.stack["web"]["key_name"]}
        if self.stack["bastion"]["enabled"]:
            wanted["wordpress_ha_bastion.key_name"] = self.stack["bastion"]["key_name"]
        names = sorted({name for name in wanted.values() if name})
        if not names:
            return []
        filters = [{"Name": "key-name", "Values": names}]
        answer = self.client("ec2").describe_key_pairs(Filters=filters, aws_retry=True)["KeyPairs"]
        found = {pair["KeyName"] for pair in answer}
        wrong = f"there is no such key pair in {self.stack['region']}"
        cure = "Import it in EC2, or use Session Manager (`builder_connection: ssm`, no key pair for the bastion)."
        return [Problem(path, name, wrong, cure) for path, name in wanted.items() if name and name not in found]

    def hosted_zone(self) -> list[Problem]:
        wanted = self.stack["dns"]["zone"]
        if not wanted:
            return []
        answer = self.client("route53").list_hosted_zones_by_name(DNSName=wanted, aws_retry=True)
        for zone in answer["HostedZones"]:
            if zone["Name"] == f"{wanted}." and not zone["Config"].get("PrivateZone"):
                self.facts["hosted_zone_id"] = zone["Id"].rpartition("/")[2]
                return []
        wrong = "Route 53 has no public hosted zone of that name in this account"
        cure = "Create it, or leave it out and make certificates and records yourself."
        return [Problem("wordpress_ha_dns.zone", wanted, wrong, cure)]

    def certificate(self) -> list[Problem]:
        balancer = self.stack["load_balancer"]
        if not balancer["https"]:
            return []
        cure = "Request or import one there (and validate it), name a hosted zone in wordpress_ha_dns.zone, or set "
        cure += "wordpress_ha_load_balancer.https to false."
        return self._certificate("load_balancer", "certificate_arn", self.stack["region"], [], cure)

    def edge_certificate(self) -> list[Problem]:
        edge = self.stack["edge"]
        if not edge["enabled"]:
            return []
        cure = "Request or import one there (and validate it), name a hosted zone in wordpress_ha_dns.zone, or set "
        cure += "wordpress_ha_edge.enabled to false."
        return self._certificate("edge", "edge_certificate_arn", EDGE_REGION, edge["aliases"], cure)

    def _certificate(self, part: str, fact: str, region: str, more: list[str], cure: str) -> list[Problem]:
        """Find the certificate of a part of the stack: the one given, else an issued one, unless it is to be requested."""
        given = self.stack[part]
        if given["certificate_arn"]:
            self.facts[fact] = given["certificate_arn"]
            return []
        if self.stack["dns"]["zone"] and not given["certificate_domain"]:
            return []
        domain = given["certificate_domain"] or self.stack["site"]["domain"]
        fitting = [entry for entry in self._issued(region) if all(_serves(entry, name) for name in [domain, *more])]
        if fitting:
            self.facts[fact] = sorted(entry["CertificateArn"] for entry in fitting)[0]
            return []
        named = "certificate_domain" if given["certificate_domain"] else "certificate_arn"
        names = " and ".join([domain, *more])
        wrong = f"ACM in {region} has no issued certificate for {names}"
        return [Problem(f"wordpress_ha_{part}.{named}", given["certificate_domain"] or UNSET, wrong, cure)]

    def _issued(self, region: str) -> list[dict[str, Any]]:
        if region not in self.certificates:
            pages = self.client("acm", region).get_paginator("list_certificates")
            found = pages.paginate(CertificateStatuses=["ISSUED"], Includes={"keyTypes": KEY_TYPES})
            self.certificates[region] = [entry for page in found for entry in page["CertificateSummaryList"]]
        return self.certificates[region]

    def buckets(self) -> list[Problem]:
        """Look for the buckets that the user says exist."""
        logs, edge = self.stack["load_balancer"]["access_logs"], self.stack["edge"]
        wanted = {
            "wordpress_ha_edge.media_bucket": edge["media_bucket"] if edge["enabled"] else None,
            "wordpress_ha_load_balancer.access_logs.bucket": logs["bucket"] if logs["enabled"] else None,
        }
        return [problem for path, name in wanted.items() if name for problem in self._bucket(path, name)]

    def _bucket(self, path: str, name: str) -> list[Problem]:
        try:
            self.client("s3").head_bucket(Bucket=name, aws_retry=True)
        except is_boto3_error_code(["404", "403", "NoSuchBucket", "AccessDenied"]) as error:
            missing = error.response["Error"]["Code"] in ("404", "NoSuchBucket")
            wrong = "there is no such bucket" if missing else "this account may not read the bucket"
            return [Problem(path, name, wrong, "Give the name of a bucket of this account.")]
        return []

    def file_system(self) -> list[Problem]:
        existing = self.stack["files"]["existing"]
        if not existing:
            return []
        path, wanted = "wordpress_ha_files.existing.file_system_id", existing["file_system_id"]
        try:
            self.client("efs").describe_file_systems(FileSystemId=wanted, aws_retry=True)
        except is_boto3_error_code("FileSystemNotFound"):
            wrong = f"EFS has no such file system in {self.stack['region']}"
            return [Problem(path, wanted, wrong, "Give the ID of one of this account and region.")]
        return []

    def snapshot(self) -> list[Problem]:
        wanted = self.stack["database"]["restore"].get("snapshot")
        if not wanted:
            return []
        path = "wordpress_ha_database.restore.snapshot"
        try:
            self.client("rds").describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=wanted, aws_retry=True)
        except is_boto3_error_code("DBClusterSnapshotNotFoundFault"):
            wrong = f"RDS has no such cluster snapshot in {self.stack['region']}"
            return [Problem(path, wanted, wrong, "List them with `aws rds describe-db-cluster-snapshots`.")]
        return []

    def check(self, probes: Iterable[str] = ()) -> list[Problem]:
        self.identity()
        wanted = set(probes) or set(PROBES)
        return [problem for name in PROBES if name in wanted for problem in getattr(self, name)()]


def _serves(entry: dict[str, Any], domain: str) -> bool:
    """Tell whether a certificate's names cover a domain, wildcards being good for one label."""
    names = [entry.get("DomainName", ""), *entry.get("SubjectAlternativeNameSummaries", [])]
    return domain in names or f"*.{domain.partition('.')[2]}" in names
