# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands around the emulated CloudFront: certificates, private buckets, bucket policies, the prefix list, records."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request

import boto3
import cloudfront_samples as samples
import pytest
from botocore.exceptions import ClientError
from cloudfront_samples import refused

from wordpress_ha_rehearsal.emulator.access import Caller, decide

ORIGIN_FACING = {"Name": "prefix-list-name", "Values": ["com.amazonaws.global.cloudfront.origin-facing"]}
ACCOUNT = "123456789012"


# -- certificates --------------------------------------------------------------------------------------------------------


def request(emulator, domain, *more, **options):
    """Request a certificate; return its ARN and its validation records once ACM tells them."""
    acm = emulator.client("acm")
    names = {"SubjectAlternativeNames": [domain, *more]} if more else {}
    arn = acm.request_certificate(DomainName=domain, ValidationMethod="DNS", **names, **options)["CertificateArn"]
    early = acm.describe_certificate(CertificateArn=arn)["Certificate"]["DomainValidationOptions"]
    assert not any("ResourceRecord" in option for option in early)
    options = acm.describe_certificate(CertificateArn=arn)["Certificate"]["DomainValidationOptions"]
    return arn, [option["ResourceRecord"] for option in options]


def zone(emulator, domain):
    route53 = emulator.client("route53")
    return route53.create_hosted_zone(Name=domain, CallerReference=samples.name("zone"))["HostedZone"]["Id"]


def write(emulator, zone_id, record):
    values = {"TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]}
    change = {"Action": "UPSERT", "ResourceRecordSet": {"Name": record["Name"], "Type": record["Type"], **values}}
    emulator.client("route53").change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": [change]})


def status(emulator, arn):
    return emulator.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]["Status"]


def test_a_certificate_is_issued_once_all_its_records_are_there(external, tmp_path):
    arn, records = request(external, "example.com", "*.example.com", "shop.example")
    assert records[0] == records[1] != records[2]  # a wildcard and its parent share a record
    assert records[0]["Name"].endswith(".example.com.") and records[0]["Type"] == "CNAME"
    example, shop = zone(external, "example.com"), zone(external, "shop.example")
    with refused("RequestInProgressException", 400):
        external.client("acm").get_certificate(CertificateArn=arn)
    write(external, example, records[0])
    assert status(external, arn) == "PENDING_VALIDATION"
    write(external, shop, {**records[2], "Value": "_elsewhere.acm-validations.aws."})
    assert status(external, arn) == "PENDING_VALIDATION"
    write(external, shop, {**records[2], "Value": records[2]["Value"].rstrip(".")})
    assert status(external, arn) == "ISSUED"
    described = external.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]
    assert described["SubjectAlternativeNames"] == ["example.com", "*.example.com", "shop.example"]
    assert {option["ValidationStatus"] for option in described["DomainValidationOptions"]} == {"SUCCESS"}


@pytest.mark.parametrize("algorithm", ["RSA_2048", "EC_prime256v1"])
def test_an_issued_certificate_can_be_served(external, tmp_path, algorithm):
    arn, records = request(external, "example.com", KeyAlgorithm=algorithm)
    write(external, zone(external, "example.com"), records[0])
    assert status(external, arn) == "ISSUED"
    viewer = {"ACMCertificateArn": arn, "SSLSupportMethod": "sni-only", "MinimumProtocolVersion": "TLSv1.2_2021"}
    samples.create(external, Aliases=samples.listed("example.com"), ViewerCertificate=viewer)
    handed = external.desired()["distributions"][0]["certificate"]
    assert handed["chain"] == ""
    for part in ("certificate", "private_key"):
        (tmp_path / part).write_text(handed[part], encoding="utf-8")
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
        tmp_path / "certificate", tmp_path / "private_key"
    )
    acm = external.client("acm")
    listed = [one["CertificateArn"] for one in acm.list_certificates()["CertificateSummaryList"]]
    assert (arn in listed) is (algorithm == "RSA_2048"), "other keys are listed when asked for only"
    asked = acm.list_certificates(Includes={"keyTypes": [algorithm]})["CertificateSummaryList"]
    assert [one["CertificateArn"] for one in asked] == [arn]


# -- buckets -------------------------------------------------------------------------------------------------------------


class Bucket:
    """A bucket with one object, and those who may want it."""

    def __init__(self, emulator):
        self.name = samples.name("media")
        self.endpoint = emulator.endpoint_url
        self.owner = emulator.client("s3")
        self.owner.create_bucket(Bucket=self.name)
        self.owner.put_object(Bucket=self.name, Key="2026/a b.jpg", Body=b"picture")

    def edge(self, distribution):
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=f"CLOUDFRONT-{distribution}",
            aws_secret_access_key="x",
        )

    def anonymous(self, path="/2026/a%20b.jpg"):
        """Return the status and the body of a request without credentials."""
        try:
            with urllib.request.urlopen(f"{self.endpoint}/{self.name}{path}", timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def allow(self, *actions, **statement):
        objects = f"arn:aws:s3:::{self.name}/*"
        made = {
            "Effect": "Allow",
            "Action": list(actions),
            "Resource": [objects, objects.removesuffix("/*")],
            **statement,
        }
        policy = {"Version": "2012-10-17", "Statement": [made]}
        self.owner.put_bucket_policy(Bucket=self.name, Policy=json.dumps(policy))


@pytest.fixture
def bucket(instant):
    return Bucket(instant)


def for_distribution(identifier, **more):
    arn = f"arn:aws:cloudfront::{ACCOUNT}:distribution/{identifier}"
    return {
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Condition": {"StringEquals": {"AWS:SourceArn": arn}},
        **more,
    }


def test_strangers_get_nothing_from_a_private_bucket(bucket):
    for path in ("/2026/a%20b.jpg", "/none", "?list-type=2"):
        code, body = bucket.anonymous(path)
        assert (code, b"<Code>AccessDenied</Code>" in body) == (403, True)


def test_the_edge_reads_only_what_the_policy_lets_its_distribution_read(bucket):
    key = {"Bucket": bucket.name, "Key": "2026/a b.jpg"}
    with refused("AccessDenied", 403):
        bucket.edge("E1").get_object(**key)
    bucket.allow("s3:GetObject", **for_distribution("E1"))
    assert bucket.edge("E1").get_object(**key)["Body"].read() == b"picture"
    assert bucket.edge("E1").head_object(**key)["ContentLength"] == 7
    with refused("AccessDenied", 403):
        bucket.edge("E2").get_object(**key)
    with refused("AccessDenied", 403):
        bucket.edge("E1").put_object(**key, Body=b"other")
    assert bucket.anonymous()[0] == 403


def test_a_missing_object_is_403_for_whoever_may_not_list(bucket):
    bucket.allow("s3:GetObject", **for_distribution("E1"))
    with refused("AccessDenied", 403):
        bucket.edge("E1").get_object(Bucket=bucket.name, Key="none")
    bucket.allow("s3:GetObject", "s3:ListBucket", **for_distribution("E1"))
    with refused("NoSuchKey", 404):
        bucket.edge("E1").get_object(Bucket=bucket.name, Key="none")


def test_the_account_itself_is_not_in_the_way_of_conditions(bucket):
    """moto takes a condition that does not hold for a denial of everybody."""
    bucket.allow("s3:GetObject", **for_distribution("E1"))
    key = {"Bucket": bucket.name, "Key": "2026/a b.jpg"}
    assert bucket.owner.get_object(**key)["Body"].read() == b"picture"
    bucket.owner.put_object(**key, Body=b"new")
    assert bucket.owner.list_objects_v2(Bucket=bucket.name)["KeyCount"] == 1
    with pytest.raises(ClientError, match="NoSuchKey"):
        bucket.owner.get_object(Bucket=bucket.name, Key="none")
    url = bucket.owner.generate_presigned_url("get_object", Params=key)
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.read() == b"new"


def test_buckets_in_the_host_name_are_guarded_alike(bucket):
    """The rehearsal's edge asks bucket.s3.region.amazonaws.com, as CloudFront does."""
    bucket.allow("s3:GetObject", **for_distribution("E1"))
    signed = (
        "AWS4-HMAC-SHA256 Credential=CLOUDFRONT-{}/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x"
    )
    answers = []
    for headers in ({}, {"Authorization": signed.format("E1")}, {"Authorization": signed.format("E2")}):
        connection = http.client.HTTPConnection(bucket.endpoint.removeprefix("http://"))
        host = f"{bucket.name}.s3.us-east-1.amazonaws.com"
        connection.request("GET", "/2026/a%20b.jpg", headers={**headers, "Host": host})
        answer = connection.getresponse()
        answers.append((answer.status, answer.read() == b"picture"))
        connection.close()
    assert answers == [(403, False), (200, True), (403, False)]


def test_a_public_policy_counts_unless_public_access_is_blocked(bucket):
    blocked = {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }
    bucket.allow("s3:GetObject", Principal="*")
    assert bucket.anonymous() == (200, b"picture")
    bucket.owner.put_public_access_block(Bucket=bucket.name, PublicAccessBlockConfiguration=blocked)
    assert bucket.anonymous()[0] == 403
    with refused("AccessDenied", 403):
        bucket.allow("s3:GetObject", Principal={"AWS": "*"})
    bucket.allow("s3:GetObject", **for_distribution("E1"))


# -- policies, pure ------------------------------------------------------------------------------------------------------

EDGE = Caller("Service", "cloudfront.amazonaws.com", {"aws:sourcearn": "arn:aws:cloudfront::1:distribution/E1"})
OWNER = Caller("AWS", "arn:aws:iam::1:root", {"aws:securetransport": "true"})
ANYBODY = Caller("Anonymous")


def statement(effect="Allow", principal="*", action="s3:GetObject", resource="arn:aws:s3:::b/*", **more):
    return {"Effect": effect, "Principal": principal, "Action": action, "Resource": resource, **more}


@pytest.mark.parametrize(
    ("statements", "caller", "verdict"),
    [
        ([], EDGE, None),
        ([statement()], ANYBODY, "Allow"),
        ([statement()], EDGE, "Allow"),
        ([statement(principal={"AWS": "*"})], ANYBODY, "Allow"),
        ([statement(principal={"AWS": "*"})], EDGE, None),
        ([statement(principal={"Service": "cloudfront.amazonaws.com"})], EDGE, "Allow"),
        ([statement(principal={"Service": ["a", "cloudfront.amazonaws.com"]})], EDGE, "Allow"),
        ([statement(principal={"Service": "ec2.amazonaws.com"})], EDGE, None),
        ([statement(principal={"Service": "cloudfront.amazonaws.com"})], ANYBODY, None),
        ([statement(action="S3:get*")], ANYBODY, "Allow"),
        ([statement(action="s3:PutObject")], ANYBODY, None),
        ([statement(resource="arn:aws:s3:::b/k?y")], ANYBODY, "Allow"),
        ([statement(resource="arn:aws:s3:::b")], ANYBODY, None),
        ([statement(), statement("Deny")], ANYBODY, "Deny"),
        ([statement("Deny", Condition={"Bool": {"aws:SecureTransport": "false"}})], OWNER, None),
        ([statement("Deny", Condition={"Bool": {"aws:SecureTransport": True}})], OWNER, "Deny"),
        ([statement(Condition={"StringEquals": {"AWS:SourceArn": "arn:aws:cloudfront::1:distribution/E1"}})], EDGE, "Allow"),
        ([statement(Condition={"StringEquals": {"AWS:SourceArn": "arn:aws:cloudfront::1:distribution/*"}})], EDGE, None),
        ([statement(Condition={"ArnLike": {"aws:SourceArn": ["x", "arn:aws:cloudfront::1:distribution/*"]}})], EDGE, "Allow"),
        ([statement(Condition={"StringNotEquals": {"aws:SourceArn": "other"}})], EDGE, "Allow"),
        ([statement(Condition={"StringEquals": {"aws:SourceArn": "x"}})], ANYBODY, None),
        ([statement(Condition={"StringEqualsIfExists": {"aws:SourceArn": "x"}})], ANYBODY, "Allow"),
        ([statement(Condition={"Null": {"aws:SourceArn": "true"}})], ANYBODY, "Allow"),
        ([statement(Condition={"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}})], ANYBODY, None),
        ([{"Effect": "Deny", "NotPrincipal": {"Service": "cloudfront.amazonaws.com"}, "Action": "*", "Resource": "*"}], EDGE, None),
        ([{"Effect": "Deny", "NotPrincipal": {"Service": "cloudfront.amazonaws.com"}, "Action": "*", "Resource": "*"}], ANYBODY, "Deny"),
        ([{"Effect": "Allow", "Principal": "*", "NotAction": "s3:Put*", "Resource": "*"}], ANYBODY, "Allow"),
    ],
)  # fmt: skip
def test_a_bucket_policy_decides(statements, caller, verdict):
    assert decide({"Statement": statements}, caller, "s3:GetObject", "arn:aws:s3:::b/key") == verdict


def test_a_single_statement_needs_no_list():
    assert decide({"Statement": statement()}, ANYBODY, "s3:GetObject", "arn:aws:s3:::b/key") == "Allow"


# -- the prefix list and the records -------------------------------------------------------------------------------------


def test_the_prefix_list_holds_the_edge_of_each_vpc(external):
    ec2 = external.client("ec2")
    (listed,) = ec2.describe_managed_prefix_lists(Filters=[ORIGIN_FACING])["PrefixLists"]
    assert listed["MaxEntries"] == 55

    def cidrs():
        return [
            one["Cidr"] for one in ec2.get_managed_prefix_list_entries(PrefixListId=listed["PrefixListId"])["Entries"]
        ]

    assert cidrs() == ["130.176.0.0/16"]
    ec2.create_vpc(CidrBlock="10.40.0.0/16")
    assert cidrs() == ["10.40.0.3/32"]
    ec2.create_vpc(CidrBlock="10.41.128.0/20")
    assert cidrs() == ["10.40.0.3/32", "10.41.128.3/32"]


def test_the_data_plane_is_told_the_records_of_all_zones(external):
    home = zone(external, "shop.example")
    write(external, home, {"Name": "mail.shop.example", "Type": "A", "Value": "192.0.2.1"})
    target = {
        "HostedZoneId": "Z2FDTNDATAQYW2",
        "DNSName": "d111111abcdef8.cloudfront.net",
        "EvaluateTargetHealth": False,
    }
    change = {"Action": "UPSERT", "ResourceRecordSet": {"Name": "shop.example", "Type": "AAAA", "AliasTarget": target}}
    external.client("route53").change_resource_record_sets(HostedZoneId=home, ChangeBatch={"Changes": [change]})
    records = external.desired()["records"]
    assert {"name": "mail.shop.example", "type": "A", "values": ["192.0.2.1"]} in records
    assert {"name": "shop.example", "type": "AAAA", "alias": "d111111abcdef8.cloudfront.net"} in records
    assert len(records) == 2, "the zone's own NS and SOA are left out"
