# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""acm_certificate_request: requested once, validated in the right zones, gone on with after a kill, removed only if ours."""

from __future__ import annotations

import datetime
import json
from typing import Any

import boto3
import contract
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _acm
from ansible_collections.wordpress_ha.aws.plugins.modules import acm_certificate_request as module

PARAMS = {
    "domain": "blog.example.org",
    "alternative_names": ["www.blog.example.org", "*.shop.example.com", "shop.example.com"],
    "tags": {"wordpress_ha:stack": "blog"},
}
OWN = {"wordpress_ha:stack": "blog", "wordpress_ha:certificate": "blog.example.org"}


def zone(name: str, private: bool = False) -> str:
    """Make a hosted zone and return its id."""
    client = boto3.client("route53")
    more: dict[str, Any] = {}
    if private:
        vpc = boto3.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        more["VPC"] = {"VPCRegion": "us-east-1", "VPCId": vpc}
        more["HostedZoneConfig"] = {"PrivateZone": True, "Comment": ""}
    made = client.create_hosted_zone(Name=name, CallerReference=f"{name}{private}", **more)
    return str(made["HostedZone"]["Id"].rsplit("/", 1)[-1])


def zones() -> dict[str, Any]:
    for name in ("example.org", "blog.example.org", "example.com"):
        zone(name)
    return {}


@pytest.fixture(autouse=True)
def dns(emulated: Any) -> None:
    zones()


def certificates(emulated: Any) -> list[dict[str, Any]]:
    client = emulated("acm")
    found = client.list_certificates(Includes={"keyTypes": _acm.KEY_TYPES})["CertificateSummaryList"]
    return [client.describe_certificate(CertificateArn=one["CertificateArn"])["Certificate"] for one in found]


def records(emulated: Any) -> dict[str, list[str]]:
    """The names of the CNAMEs by zone."""
    client = emulated("route53")
    result = {}
    for one in client.list_hosted_zones()["HostedZones"]:
        found = client.list_resource_record_sets(HostedZoneId=one["Id"])["ResourceRecordSets"]
        result[one["Name"].rstrip(".")] = sorted(each["Name"] for each in found if each["Type"] == "CNAME")
    return result


def remains(emulated: Any) -> list[Any]:
    return [*certificates(emulated), *(name for names in records(emulated).values() for name in names)]


def imported(emulated: Any, *names: str) -> str:
    """Import a certificate as the rehearsal does and return its ARN."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now.replace(year=2099))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    made = emulated("acm").import_certificate(Certificate=certificate.public_bytes(pem), PrivateKey=private)
    return str(made["CertificateArn"])


def test_keeps_the_contract(emulated: Any) -> None:
    modified = {**PARAMS, "alternative_names": ["www.blog.example.org"], "tags": {**PARAMS["tags"], "team": "web"}}
    contract.keep(module, PARAMS, modified, left=lambda: remains(emulated))


def test_one_call_for_each_zone(emulated: Any) -> None:
    outcome = contract.converge(module, PARAMS)
    assert outcome.writing == [
        "acm:RequestCertificate",
        "route53:ChangeResourceRecordSets",
        "route53:ChangeResourceRecordSets",
    ]
    found = records(emulated)
    assert {name: len(names) for name, names in found.items()} == {
        "example.org": 0,
        "blog.example.org": 2,
        "example.com": 1,
    }
    assert outcome.facts["status"] == "ISSUED"
    assert {one["domain"] for one in outcome.facts["validation_records"]} == {
        "blog.example.org",
        "www.blog.example.org",
        "shop.example.com",
    }


def test_check_mode_predicts_the_request_byte_for_byte(emulated: Any) -> None:
    predicted = contract.succeed(module, PARAMS, check=True)
    real = contract.succeed(module, PARAMS)
    assert json.dumps(predicted.result["request"]) == json.dumps(real.sent("RequestCertificate")[0])
    assert json.dumps(predicted.result["request"]) == json.dumps(real.result["request"])


def test_survives_kills(emulated: Any) -> None:
    assert contract.survive_kills(module, PARAMS, zones) == 6


def test_a_killed_request_is_gone_on_with(emulated: Any) -> None:
    with pytest.raises(contract.Killed, match="ChangeResourceRecordSets"):
        contract.run(module, PARAMS, kill_before=1)
    outcome = contract.succeed(module, PARAMS)
    assert "acm:RequestCertificate" not in outcome.writing
    assert len(certificates(emulated)) == 1


def test_the_order_of_names_means_nothing(emulated: Any) -> None:
    contract.succeed(module, PARAMS)
    shuffled = {
        **PARAMS,
        "domain": "BLOG.example.org.",
        "alternative_names": [*reversed(PARAMS["alternative_names"])] * 2,
    }
    assert contract.succeed(module, shuffled).result["changed"] is False
    # Another first name is the same certificate too.
    names = {"domain": "shop.example.com", "alternative_names": ["blog.example.org", *PARAMS["alternative_names"][:2]]}
    again = contract.succeed(module, names)
    assert again.result["changed"] is False
    assert again.facts["ours"] is False


def test_changed_names_make_a_new_certificate_and_tell_of_the_old(emulated: Any) -> None:
    old = contract.succeed(module, PARAMS).facts["arn"]
    outcome = contract.converge(module, {**PARAMS, "alternative_names": []})
    assert outcome.facts["arn"] != old
    assert outcome.facts["superseded"] == [old]
    assert len(certificates(emulated)) == 2
    removal = contract.converge(module, {**PARAMS, "alternative_names": [], "state": "absent"})
    assert len([action for action in removal.result["actions"] if action["resource"].startswith("certificate/")]) == 2
    assert remains(emulated) == []


def test_a_key_of_another_algorithm_makes_a_new_certificate(emulated: Any) -> None:
    contract.succeed(module, PARAMS)
    assert contract.converge(module, {**PARAMS, "key_algorithm": "EC_prime256v1"}).facts["superseded"]
    assert contract.succeed(module, {**PARAMS, "key_algorithm": "RSA_2048"}).result["changed"] is False


def test_an_imported_certificate_is_used_and_never_touched(emulated: Any) -> None:
    arn = imported(emulated, "localhost")
    params = {"domain": "localhost", "tags": PARAMS["tags"]}
    outcome = contract.succeed(module, params)
    assert (outcome.facts["arn"], outcome.facts["ours"], outcome.facts["status"]) == (arn, False, "ISSUED")
    assert outcome.result["changed"] is False
    assert contract.succeed(module, {**params, "state": "absent"}).result["changed"] is False
    assert len(certificates(emulated)) == 1


def test_gathered_finds_one_that_covers(emulated: Any) -> None:
    """A wildcard stands for one label; what is requested for exactly these names is preferred."""
    arn = imported(emulated, "*.example.org", "example.org")
    wanted = {"domain": "blog.example.org", "state": "gathered"}
    assert contract.succeed(module, wanted).facts["arn"] == arn
    assert contract.succeed(module, {**wanted, "domain": "a.blog.example.org"}).facts["arn"] is None
    own = contract.succeed(module, {"domain": "blog.example.org"}).facts["arn"]
    assert contract.succeed(module, wanted).facts["arn"] == own != arn


def test_a_pending_certificate_of_somebody_else_is_validated_and_stays(emulated: Any) -> None:
    made = emulated("acm").request_certificate(DomainName="blog.example.org", ValidationMethod="DNS")
    params = {"domain": "blog.example.org"}
    outcome = contract.converge(module, params)
    assert outcome.facts["arn"] == made["CertificateArn"]
    assert (outcome.facts["status"], outcome.facts["ours"]) == ("ISSUED", False)
    assert contract.succeed(module, {**params, "state": "absent"}).result["changed"] is False


def test_another_stacks_certificate_is_not_removed(emulated: Any) -> None:
    contract.succeed(module, PARAMS)
    other = {**PARAMS, "tags": {"wordpress_ha:stack": "shop"}}
    used = contract.succeed(module, other)
    assert (used.result["changed"], used.facts["ours"]) == (False, False)
    assert contract.succeed(module, {**other, "state": "absent"}).result["changed"] is False
    assert len(certificates(emulated)) == 1


def test_a_lost_record_is_written_again(emulated: Any) -> None:
    """ACM renews only while the records stand."""
    contract.succeed(module, PARAMS)
    client = emulated("route53")
    identity = next(
        one["Id"] for one in client.list_hosted_zones()["HostedZones"] if one["Name"] == "blog.example.org."
    )
    found = client.list_resource_record_sets(HostedZoneId=identity)["ResourceRecordSets"]
    gone = next(one for one in found if one["Type"] == "CNAME")
    batch = {"Changes": [{"Action": "DELETE", "ResourceRecordSet": gone}]}
    client.change_resource_record_sets(HostedZoneId=identity, ChangeBatch=batch)
    outcome = contract.converge(module, PARAMS)
    assert outcome.writing == ["route53:ChangeResourceRecordSets"]
    (sent,) = outcome.sent("ChangeResourceRecordSets")
    assert [one["ResourceRecordSet"]["Name"] for one in sent["ChangeBatch"]["Changes"]] == [gone["Name"]]


def test_a_record_that_another_certificate_needs_stays(emulated: Any) -> None:
    contract.succeed(module, {"domain": "blog.example.org"})
    contract.succeed(module, {"domain": "www.blog.example.org", "alternative_names": ["blog.example.org"]})
    contract.converge(
        module, {"domain": "www.blog.example.org", "state": "absent", "alternative_names": ["blog.example.org"]}
    )
    assert len(records(emulated)["blog.example.org"]) == 1
    contract.converge(module, {"domain": "blog.example.org", "state": "absent"})
    assert remains(emulated) == []


def test_tags_of_our_certificate_are_kept(emulated: Any) -> None:
    arn = contract.succeed(module, {**PARAMS, "tags": {**PARAMS["tags"], "team": "web"}}).facts["arn"]
    assert contract.succeed(module, PARAMS).result["changed"] is False
    contract.converge(module, {**PARAMS, "purge_tags": True})
    tags = emulated("acm").list_tags_for_certificate(CertificateArn=arn)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == OWN


def test_what_is_in_use_is_not_removed(emulated: Any) -> None:
    arn = contract.succeed(module, PARAMS).facts["arn"]
    origin = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}
    made = emulated("cloudfront").create_distribution(
        DistributionConfig={
            "CallerReference": "one",
            "Comment": "the blog",
            "Enabled": True,
            "Aliases": {"Quantity": 1, "Items": ["blog.example.org"]},
            "ViewerCertificate": {
                "ACMCertificateArn": arn,
                "SSLSupportMethod": "sni-only",
                "MinimumProtocolVersion": "TLSv1.2_2021",
            },
            "Origins": {
                "Quantity": 1,
                "Items": [{"Id": "site", "DomainName": "www.example.org", "CustomOriginConfig": origin}],
            },
            "DefaultCacheBehavior": {
                "TargetOriginId": "site",
                "ViewerProtocolPolicy": "redirect-to-https",
                "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
            },
        }
    )
    contract.refuse(module, {**PARAMS, "state": "absent"}, arn, "in use", made["Distribution"]["ARN"])


def test_the_region_decides(emulated: Any) -> None:
    for region in ("us-east-1", "eu-central-1"):
        arn = contract.succeed(module, {"domain": "blog.example.org", "region": region}).facts["arn"]
        assert arn.split(":")[3] == region
    assert len(records(emulated)["blog.example.org"]) == 1


def test_records_are_told_when_they_are_not_to_be_written(emulated: Any) -> None:
    params = {"domain": "blog.example.net", "write_records": False, "wait": False}
    outcome = contract.converge(module, params)
    assert outcome.writing == ["acm:RequestCertificate"]
    assert outcome.facts["status"] == "PENDING_VALIDATION"
    (record,) = outcome.facts["validation_records"]
    assert record["name"].endswith(".blog.example.net.")


def test_time_is_up(emulated: Any) -> None:
    params = {"domain": "blog.example.net", "write_records": False, "wait_timeout": 30}
    outcome = contract.run(module, params)
    assert outcome.failed
    assert "Waited 30 s" in outcome.result["msg"]
    assert "blog.example.net" in outcome.result["msg"]


def test_zones_given_by_name_or_id(emulated: Any) -> None:
    """A zone of the same name that only a network sees is no choice; a shorter one that was named is."""
    zone("blog.example.org", private=True)
    for given, name in (("example.org", "a"), (zone("b.example.org"), "b")):
        domain = f"{name}.example.org"
        contract.succeed(module, {"domain": domain, "validation_zones": [given]})
    found = records(emulated)
    assert len(found["example.org"]) == len(found["b.example.org"]) == 1


def test_a_zone_that_is_made_in_the_same_play(emulated: Any) -> None:
    predicted = contract.succeed(module, {**PARAMS, "validation_zones": ["(known after apply)"]}, check=True)
    assert predicted.result["changed"] is True


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"domain": "localhost"}, ["domain", "'localhost'", "public host names"]),
        ({"domain": "münchen.example.org"}, ["domain", "xn--"]),
        ({"alternative_names": ["a b.example.org"]}, ["alternative_names", "a b.example.org"]),
        ({"alternative_names": [f"{number}.example.org" for number in range(100)]}, ["101 names", "100 at most"]),
        ({"domain": f"{'a' * 60}.example.org"}, ["72 characters", "64"]),
        ({"domain": "blog.example.net"}, ["blog.example.net", "none of the public hosted zones", "write_records"]),
        ({"validation_zones": ["example.com"]}, ["blog.example.org", "validation_zones", "example.com"]),
        ({"domain": "(known after apply)"}, ["check mode only"]),
    ],
)
def test_refuses_before_any_write(emulated: Any, change: dict[str, Any], words: list[str]) -> None:
    contract.refuse(module, {**PARAMS, **change}, *words)


def test_two_zones_of_one_name_are_refused(emulated: Any) -> None:
    second = emulated("route53").create_hosted_zone(Name="blog.example.org", CallerReference="second")["HostedZone"][
        "Id"
    ]
    contract.refuse(module, PARAMS, "two public hosted zones blog.example.org", "validation_zones")
    chosen = second.rsplit("/", 1)[-1]
    contract.succeed(module, {"domain": "blog.example.org", "validation_zones": [chosen]})


def test_a_token_that_leads_to_a_removed_certificate_is_not_used_again(emulated: Any, monkeypatch: Any) -> None:
    """For an hour ACM answers a token with the ARN it made for it, also when that is gone."""
    contract.succeed(module, {"domain": "blog.example.org"})
    old = contract.succeed(module, {"domain": "blog.example.org", "state": "gathered"}).facts["arn"]
    contract.succeed(module, {"domain": "blog.example.org", "state": "absent"})
    requested = []

    class Answering:
        """ACM as it is, but for the first token."""

        def __init__(self, client: Any) -> None:
            self.client = client

        def __getattr__(self, name: str) -> Any:
            return getattr(self.client, name)

        def request_certificate(self, **arguments: Any) -> Any:
            requested.append(arguments["IdempotencyToken"])
            return {"CertificateArn": old} if len(requested) == 1 else self.client.request_certificate(**arguments)

    create = _acm.Certificate._create_certificate

    def created(self: Any, change: Any, tree: Any) -> Any:
        self.acm = Answering(self.acm)
        return create(self, change, tree)

    monkeypatch.setattr(_acm.Certificate, "_create_certificate", created)
    outcome = contract.succeed(module, {"domain": "blog.example.org"})
    assert outcome.facts["status"] == "ISSUED"
    assert len(set(requested)) == len(requested) == 2


def test_a_failed_validation_says_why(emulated: Any, monkeypatch: Any) -> None:
    describe = _acm.Certificate._described

    def failed(self: Any, arn: str) -> Any:
        return {**describe(self, arn), "Status": "FAILED", "FailureReason": "CAA_ERROR"}

    monkeypatch.setattr(_acm.Certificate, "_described", failed)
    outcome = contract.run(module, {"domain": "blog.example.org"})
    assert outcome.failed
    assert "FAILED: CAA_ERROR" in outcome.result["msg"]
