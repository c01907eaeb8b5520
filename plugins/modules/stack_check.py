#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: stack_check
version_added: 0.1.0
short_description: Validate a stack file against its schema and the AWS account
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Checks every variable of a stack file, at any depth, against a schema, then against what the region really offers.
  - All faults come in one message that names variable, value and cure. Nothing is ever written.
  - Returns the stack with its defaults filled in, the chosen Availability Zones and the subnet ranges derived from the VPC's.
options:
  variables:
    description: The variables to check, by name.
    type: dict
    required: true
  schema:
    description: The settings by variable name, in the form of the role preflight's C(vars/stack_schema.yml).
    type: dict
    required: true
  other_variables:
    description: Names of further variables that may be set, such as the options of the node roles. Their values are not checked.
    type: list
    elements: str
    default: []
  account:
    description: Whether to compare with the AWS account too. Without it no call is made and only offline faults are found.
    type: bool
    default: true
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
    description: Reads only, with or without check mode.
"""

EXAMPLES = r"""
- name: Check a stack
  wordpress_ha.aws.stack_check:
    variables:
      wordpress_ha_stack: blog
      wordpress_ha_region: eu-central-1
      wordpress_ha_site:
        domain: www.example.org
        admin_email: admin@example.org
    schema: "{{ lookup('ansible.builtin.file', 'stack_schema.yml') | from_yaml }}"
  register: checked
"""

RETURN = r"""
stack:
  description: The normalised stack under short names, every default filled in.
  returned: always
  type: dict
  sample: {"name": "blog", "region": "eu-central-1", "network": {"cidr": "10.40.0.0/16", "nat": "per_az"}}
availability_zones:
  description: Names of the chosen Availability Zones. Empty without O(account).
  returned: always
  type: list
  elements: str
  sample: ["eu-central-1a", "eu-central-1b"]
subnets:
  description: Address ranges of the subnets, by tier, one for each zone.
  returned: always
  type: dict
  sample: {"public": ["10.40.0.0/20"], "app": ["10.40.64.0/20"], "data": ["10.40.128.0/20"]}
base_image:
  description: The image that node images are baked from. Empty without O(account).
  returned: always
  type: dict
  sample: {"image_id": "ami-0123456789abcdef0", "name": "debian-13-amd64-20261101-1", "architecture": "x86_64"}
certificate_arn:
  description: >-
    ARN of the load balancer's certificate. Empty without HTTPS, without O(account), and where it is yet to be requested since a hosted
    zone is named.
  returned: always
  type: str
  sample: arn:aws:acm:eu-central-1:123456789012:certificate/0a1b2c3d
edge_certificate_arn:
  description: ARN of the edge's certificate in us-east-1. Empty without the edge, and like RV(certificate_arn).
  returned: always
  type: str
  sample: arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d
hosted_zone_id:
  description: Id of the public hosted zone that the stack names. Empty without one or without O(account).
  returned: always
  type: str
  sample: Z0123456789ABCDEFGHIJ
account_id:
  description: Number of the AWS account. Empty without O(account).
  returned: always
  type: str
  sample: "123456789012"
partition:
  description: The AWS partition of the region, for ARNs.
  returned: always
  type: str
  sample: aws
"""

import difflib
from typing import Any

try:
    import boto3
    import botocore
except ImportError:  # AnsibleAWSModule reports the missing library
    pass

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.common import AMAZON_AWS_COLLECTION_VERSION
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

from ansible_collections.wordpress_ha.aws.plugins.module_utils._stack_schema import (
    UNSET,
    ZONE_SLOTS,
    Problem,
    check,
    check_together,
    subnets,
)

OLDEST_AMAZON_AWS = (10, 1)
EDGE_REGION = "us-east-1"  # CloudFront takes certificates from there alone
KEY_TYPES = ["RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1"]
PARTITIONS = ("aws", "aws-us-gov", "aws-cn")


def check_region(region: str) -> list[Problem]:
    """Return a problem for a region that botocore does not know; offline, since a wrong region has no endpoint to ask."""
    known = [name for partition in PARTITIONS for name in boto3.Session().get_available_regions("ec2", partition)]
    if region in known:
        return []
    near = difflib.get_close_matches(region, known, n=1)
    cure = f"Did you mean `{near[0]}`?" if near else "Use an AWS region's code, for example `eu-central-1`."
    return [Problem("wordpress_ha_region", region, "there is no such AWS region", cure)]


class Account:
    """What the region offers, asked as little as possible; every method returns the problems it found."""

    def __init__(self, module: AnsibleAWSModule, stack: dict[str, Any]) -> None:
        self.module = module
        self.stack = stack
        self.facts: dict[str, Any] = {}
        self.certificates: dict[str, list[dict[str, Any]]] = {}  # issued ones, by region

    def client(self, service: str, region: str | None = None) -> Any:
        return self.module.client(
            service, retry_decorator=AWSRetry.jittered_backoff(retries=5), region=region or self.stack["region"]
        )

    def identity(self) -> None:
        answer = self.client("sts").get_caller_identity(aws_retry=True)
        self.facts["account_id"] = answer["Account"]

    def zones(self) -> list[Problem]:
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

    def instance_type(self) -> list[Problem]:
        name, wanted = "wordpress_ha_web.instance_type", self.stack["web"]["instance_type"]
        try:
            answer = self.client("ec2").describe_instance_types(InstanceTypes=[wanted], aws_retry=True)["InstanceTypes"]
        except is_boto3_error_code(["InvalidInstanceType", "InvalidParameterValue"]):
            answer = []
        if not answer:
            wrong = f"EC2 offers no such type in {self.stack['region']}"
            return [
                Problem(
                    name, wanted, wrong, "Use one that `aws ec2 describe-instance-types` lists, such as `c6i.large`."
                )
            ]
        self.facts["architectures"] = answer[0].get("ProcessorInfo", {}).get("SupportedArchitectures", [])
        return []

    def base_image(self) -> list[Problem]:
        wanted = self.stack["web"]["base_image"]
        filters = [{"Name": "name", "Values": [wanted["name"]]}, {"Name": "state", "Values": ["available"]}]
        images = self.client("ec2").describe_images(Owners=[wanted["owner"]], Filters=filters, aws_retry=True)["Images"]
        if not images:
            wrong = f"account {wanted['owner']} has no such image in {self.stack['region']}"
            cure = "Use a name or pattern such as `debian-13-amd64-*`, and the owner that publishes it."
            return [Problem("wordpress_ha_web.base_image.name", wanted["name"], wrong, cure)]
        newest = max(images, key=lambda image: (image.get("CreationDate", ""), image["ImageId"]))
        fitting = self.facts.get("architectures")
        if fitting and newest.get("Architecture") and newest["Architecture"] not in fitting:
            type_ = self.stack["web"]["instance_type"]
            wrong = f"the image {newest['Name']} is for {newest['Architecture']}, the type runs {', '.join(fitting)}"
            cure = "Use a type of the image's architecture, or set wordpress_ha_web.base_image.name to the other one."
            return [Problem("wordpress_ha_web.instance_type", type_, wrong, cure)]
        self.facts["base_image"] = {
            "image_id": newest["ImageId"],
            "name": newest["Name"],
            "architecture": newest.get("Architecture", ""),
            "root_device_name": newest.get("RootDeviceName", ""),
        }
        return []

    def database_class(self) -> list[Problem]:
        name, wanted = "wordpress_ha_database.instance_class", self.stack["database"]["instance_class"]
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

    def key_pair(self) -> list[Problem]:
        wanted = self.stack["web"]["key_name"]
        if not wanted:
            return []
        filters = [{"Name": "key-name", "Values": [wanted]}]
        if self.client("ec2").describe_key_pairs(Filters=filters, aws_retry=True)["KeyPairs"]:
            return []
        wrong = f"there is no such key pair in {self.stack['region']}"
        return [
            Problem("wordpress_ha_web.key_name", wanted, wrong, "Import it in EC2, or use `builder_connection: ssm`.")
        ]

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

    def media_bucket(self) -> list[Problem]:
        wanted = self.stack["edge"]["media_bucket"]
        if not wanted or not self.stack["edge"]["enabled"]:
            return []
        try:
            self.client("s3").head_bucket(Bucket=wanted, aws_retry=True)
        except is_boto3_error_code(["404", "403", "NoSuchBucket", "AccessDenied"]) as error:
            missing = error.response["Error"]["Code"] in ("404", "NoSuchBucket")
            wrong = "there is no such bucket" if missing else "this account may not read the bucket"
            return [
                Problem("wordpress_ha_edge.media_bucket", wanted, wrong, "Give the name of a bucket of this account.")
            ]
        return []

    def check(self) -> list[Problem]:
        self.identity()
        probes = (self.zones, self.instance_type, self.base_image, self.database_class, self.key_pair, self.hosted_zone)
        more = (self.certificate, self.edge_certificate, self.media_bucket)
        return [problem for probe in (*probes, *more) for problem in probe()]


def _serves(entry: dict[str, Any], domain: str) -> bool:
    """Tell whether a certificate's names cover a domain, wildcards being good for one label."""
    names = [entry.get("DomainName", ""), *entry.get("SubjectAlternativeNameSummaries", [])]
    return domain in names or f"*.{domain.partition('.')[2]}" in names


def fail(module: AnsibleAWSModule, problems: list[Problem]) -> None:
    if len(problems) == 1:
        module.fail_json(msg=f"Nothing was changed, since {problems[0]}", problems=[str(problems[0])])
    lines = [str(problem) for problem in problems]
    module.fail_json(
        msg="\n- ".join([f"Nothing was changed, since {len(lines)} settings are wrong:", *lines]), problems=lines
    )


def require_amazon_aws(module: AnsibleAWSModule) -> None:
    """Leave with a clear word if the collection we stand on is too old."""
    found = tuple(int(part) for part in AMAZON_AWS_COLLECTION_VERSION.split("-", maxsplit=1)[0].split(".")[:2])
    if found < OLDEST_AMAZON_AWS:
        module.fail_json(
            msg=f"The collection amazon.aws is version {AMAZON_AWS_COLLECTION_VERSION}; at least 10.1.0 is needed. "
            "Install it with `ansible-galaxy collection install 'amazon.aws:>=10.1.0'`."
        )


def main() -> None:
    """Check offline first, then the account; leave with one message or with the normalised stack."""
    module = AnsibleAWSModule(
        argument_spec={
            "variables": {"type": "dict", "required": True},
            "schema": {"type": "dict", "required": True},
            "other_variables": {"type": "list", "elements": "str", "default": []},
            "account": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    require_amazon_aws(module)
    stack, problems = check(module.params["variables"], module.params["schema"], module.params["other_variables"])
    problems = problems or [*check_together(stack), *check_region(stack["region"])]
    if problems:
        fail(module, problems)
    account = Account(module, stack)
    if module.params["account"]:
        try:
            problems = account.check()
        except botocore.exceptions.NoCredentialsError:
            module.fail_json(
                msg="Nothing was changed, since there are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, in the environment or in wordpress_ha_aws_environment."
            )
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            module.fail_json_aws(error, msg="Nothing was changed, since AWS could not be asked what the account offers")
    if problems:
        fail(module, problems)
    zones = stack["network"]["availability_zones"]
    module.exit_json(
        changed=False,
        stack=stack,
        availability_zones=account.facts.get("availability_zones", []),
        subnets=subnets(stack["network"]["cidr"], len(zones) if isinstance(zones, list) else zones),
        base_image=account.facts.get("base_image", {}),
        certificate_arn=account.facts.get("certificate_arn", ""),
        edge_certificate_arn=account.facts.get("edge_certificate_arn", ""),
        hosted_zone_id=account.facts.get("hosted_zone_id", ""),
        account_id=account.facts.get("account_id", ""),
        partition=boto3.Session().get_partition_for_region(stack["region"]),
    )


if __name__ == "__main__":
    main()
