# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles certificates and edge in a playbook that is not ours, with nothing but their own variables; one story, in this order."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import Account, Run

PLAYBOOK = str(Path(__file__).resolve().parent / "playbooks" / "edge.yml")
DOMAIN = "shop.example.net"
BUCKET = "shop-media"
UNKNOWN = "(known after apply)"
SECRET = {"name": "X-Origin-Verify", "secret_arn": "shop/origin", "secret_key": "header_value"}
FOREIGN = {
    "Sid": "Backup",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
    "Action": "s3:ListBucket",
    "Resource": f"arn:aws:s3:::{BUCKET}",
}


@pytest.fixture
def play(account: Account, tmp_path: Path) -> Callable[..., Run]:
    """Run the foreign playbook; ``results`` is the file in which it leaves what was made and found."""

    def run(*arguments: str, **variables: Any) -> Run:
        given = {"emulated": account.emulator.environment, "results": str(tmp_path / "results"), **variables}
        return account.play(PLAYBOOK, *arguments, **given)

    return run


@pytest.fixture
def results(tmp_path: Path) -> Callable[[], dict[str, Any]]:
    return lambda: dict(json.loads((tmp_path / "results").read_text()))


def distribution(account: Account) -> dict[str, Any]:
    """Return the one distribution of the account as the data plane is asked to make it."""
    (found,) = account.emulator.desired()["distributions"]
    return dict(found)


def same_prediction(predicted: Run, real: Run) -> None:
    """What check mode named, and showed as a diff, is what was then done."""
    assert predicted.code == 0 and predicted.writes == [], (predicted.writes, predicted.tail())
    assert real.code == 0, real.tail()
    assert predicted.changed == real.changed
    assert len(predicted.diffs) == len(real.diffs)
    for foretold, done in zip(predicted.diffs, real.diffs, strict=True):
        told, unknown, _rest = foretold.partition(UNKNOWN)
        assert done.startswith(told) if unknown else done == foretold


def test_no_certificate_is_said(play: Callable[..., Run]) -> None:
    run = play(steps=["certificate"])
    assert run.code == 2 and run.writes == []
    assert "certificates_domain is shop.example.net: ACM in us-east-1 has no issued certificate" in run.message


def test_a_zone_gives_the_certificate(
    account: Account, play: Callable[..., Run], results: Callable[[], Any], prove: Callable[[str], None]
) -> None:
    """Requested with its names and validated by records; the second run finds it, with or without the zone."""
    account.emulator.client("route53").create_hosted_zone(Name="example.net.", CallerReference="1")
    wanted = {
        "steps": ["certificate"],
        "certificates_zone": "example.net",
        "certificates_alternative_names": ["www.example.net"],
    }
    predicted, real = play("--check", "--diff", **wanted), play("--diff", **wanted)
    same_prediction(predicted, real)
    assert "acm:RequestCertificate" in real.writes and "route53:ChangeResourceRecordSets" in real.writes
    made = results()["made"]["certificates"]
    assert made["status"] == "ISSUED" and made["domain"] == DOMAIN and made["region"] == "us-east-1"
    again, found = play(**wanted), play(steps=["certificate"])
    assert again.recap["changed"] == found.recap["changed"] == 0 and again.writes == found.writes == []
    assert results()["made"]["certificates"]["arn"] == made["arn"]
    elsewhere = play(steps=["certificate"], certificates_zone="example.net", certificates_region="eu-central-1")
    assert elsewhere.code == 0, elsewhere.tail()
    assert results()["made"]["certificates"]["arn"].split(":")[3] == "eu-central-1"
    prove(
        "certificates: requested and validated through Route 53 in two regions; again: nothing written; found without a zone"
    )


def test_the_edge_is_made_as_predicted(
    account: Account, play: Callable[..., Run], results: Callable[[], Any], prove: Callable[[str], None]
) -> None:
    account.emulator.client("secretsmanager").create_secret(
        Name="shop/origin", SecretString=json.dumps({"header_value": "a-value-nobody-may-see"})
    )
    predicted = play("--check", "--diff", edge_origin_header=SECRET)
    real = play("--diff", steps=["certificate", "edge", "discover"], edge_origin_header=SECRET)
    same_prediction(predicted, real)
    assert "a-value-nobody-may-see" not in predicted.output + real.output
    config = distribution(account)["config"]
    headers = config["Origins"]["Items"][0]["CustomHeaders"]["Items"]
    assert headers == [{"HeaderName": "X-Origin-Verify", "HeaderValue": "a-value-nobody-may-see"}]
    assert config["Aliases"]["Items"] == [DOMAIN] and config["OriginGroups"]["Quantity"] == 0
    found = results()
    assert found["made"]["edge"] == found["found"]["edge"] and found["made"]["edge"]["status"] == "Deployed"
    assert found["made"]["certificates"] == found["found"]["certificates"]
    prove(
        f"edge: {len(real.writes)} writing calls, foretold with their diffs; discover found what the role had published"
    )


def test_then_there_is_nothing_to_do(
    account: Account, play: Callable[..., Run], results: Callable[[], Any], prove: Callable[[str], None]
) -> None:
    run = play(steps=["certificate", "edge", "compare"], edge_origin_header=SECRET)
    assert run.code == 0 and run.recap["changed"] == 0 and run.writes == [], (run.changed, run.writes)
    assert results()["made"]["compared"] == {"exists": True, "differs": False, "settled": True}
    reads = len(account.emulator.calls())
    checked = play("--check", "--diff", edge_origin_header=SECRET)
    assert checked.recap["changed"] == 0 and checked.diffs == [] and checked.writes == []
    prove(f"again: changed=0, 0 writing and {reads} reading calls, {run.seconds:.0f} s; with --check --diff: silent")


def test_only_what_is_asked_for_changes(
    account: Account, play: Callable[..., Run], prove: Callable[[str], None]
) -> None:
    """A bucket, cookies, a behavior and a preset; fields that no option names survive."""
    s3, cloudfront = account.emulator.client("s3"), account.emulator.client("cloudfront")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [FOREIGN]}))
    before = cloudfront.get_distribution_config(Id=distribution(account)["id"])
    before["DistributionConfig"]["CustomErrorResponses"]["Items"][0]["ErrorCachingMinTTL"] = 0
    modified = {
        "edge_origin_header": SECRET,
        "edge_media_bucket": BUCKET,
        "edge_extra_cookies": ["shop_currency"],
        "edge_extra_behaviors": [{"path_pattern": "members/*", "like": "wp-admin/*"}],
        "edge_presets": ["woocommerce"],
        "edge_default_ttl_seconds": 300,
    }
    predicted, real = play("--check", "--diff", **modified), play("--diff", **modified)
    assert predicted.code == 0 and predicted.writes == [] and predicted.changed == real.changed, real.tail()
    config = distribution(account)["config"]
    assert [one["Id"] for one in config["Origins"]["Items"]] == ["media-bucket", "site"] or [
        one["Id"] for one in config["Origins"]["Items"]
    ] == ["site", "media-bucket"]
    assert config["OriginGroups"]["Items"][0]["Id"] == "media"
    patterns = [one["PathPattern"] for one in config["CacheBehaviors"]["Items"]]
    assert "members/*" in patterns and "cart/*" in patterns
    assert config["CallerReference"] == before["DistributionConfig"]["CallerReference"]
    policy = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])
    assert [one["Sid"] for one in policy["Statement"]] == ["Backup", "Edgeshop"] and policy["Statement"][0] == FOREIGN
    again = play(**modified)
    assert again.recap["changed"] == 0 and again.writes == [], (again.changed, again.writes)
    prove(
        f"bucket, cookies, behavior and preset: the {len(real.changed)} changes foretold; a foreign statement survived; again: 0"
    )


def test_a_public_bucket_is_refused(account: Account, play: Callable[..., Run], prove: Callable[[str], None]) -> None:
    """The statement of somebody else that opens the bucket is not dropped, but nothing is added beside it either (R62)."""
    s3 = account.emulator.client("s3")
    s3.create_bucket(Bucket="open-media")
    public = {
        **FOREIGN,
        "Sid": "Open",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::open-media/*",
    }
    s3.put_bucket_policy(Bucket="open-media", Policy=json.dumps({"Version": "2012-10-17", "Statement": [public]}))
    run = play(edge_origin_header=SECRET, edge_media_bucket="open-media")
    assert run.writes == []
    assert run.code == 2 and "policy of bucket open-media.Statement.Open.Principal" in run.message, run.tail()
    assert "bucket-policy-principal" in run.message
    prove("a bucket that lets everybody in is refused, by the name of the statement that does")


def test_the_other_set(account: Account, play: Callable[..., Run], prove: Callable[[str], None]) -> None:
    whitepaper = {"edge_origin_header": SECRET, "edge_behavior_set": "whitepaper", "edge_media_bucket": BUCKET}
    predicted, real = play("--check", "--diff", **whitepaper), play("--diff", **whitepaper)
    assert predicted.code == 0 and predicted.writes == [] and predicted.changed == real.changed, real.tail()
    config = distribution(account)["config"]
    assert len(config["CacheBehaviors"]["Items"]) == 4
    origin = next(one for one in config["Origins"]["Items"] if one["Id"] == "site")
    assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "match-viewer"
    again = play(**whitepaper)
    assert again.recap["changed"] == 0 and again.writes == [], (again.changed, again.writes)
    prove("the set whitepaper in place of recommended: 4 behaviors and the default one, match viewer; again: 0")


def test_publishing_leads_the_name_there(
    account: Account, play: Callable[..., Run], prove: Callable[[str], None]
) -> None:
    """A record of somebody else stands in the way until it may be replaced."""
    route53 = account.emulator.client("route53")
    zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]
    foreign = {"Name": DOMAIN, "Type": "A", "TTL": 300, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    route53.change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": foreign}]}
    )
    refused = play(steps=["publish"], edge_dns_zone="example.net")
    assert refused.code == 2 and "edge_dns_overwrite set to true" in " ".join(refused.output.split()), refused.tail()
    assert refused.writes == []
    wanted = {"steps": ["publish"], "edge_dns_zone": "example.net", "edge_dns_overwrite": True}
    predicted, real = play("--check", **wanted), play(**wanted)
    assert predicted.writes == [] and predicted.changed == real.changed and len(real.changed) == 2, real.tail()
    records = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    aliases = {
        one["Type"]: one["AliasTarget"] for one in records if one["Name"] == f"{DOMAIN}." and "AliasTarget" in one
    }
    assert set(aliases) == {"A", "AAAA"}
    assert {one["DNSName"].rstrip(".") for one in aliases.values()} == {distribution(account)["domain_name"]}
    assert {one["HostedZoneId"] for one in aliases.values()} == {"Z2FDTNDATAQYW2"}
    again = play(**wanted)
    assert again.code == 0 and again.recap["changed"] == 0 and again.writes == [], (again.changed, again.writes)
    prove("publish: refused to replace a foreign record, then A and AAAA lead to the distribution; again: 0")


def test_options_that_contradict_each_other(play: Callable[..., Run]) -> None:
    run = play(steps=["edge"], edge_certificate_arn="")
    assert run.code == 2 and "edge_certificate_arn is empty" in run.output and run.writes == []
    run = play(steps=["edge"], edge_certificate_arn="", edge_aliases=[], edge_behavior_set="recomended")
    assert run.code == 2 and "recomended" in run.output and "recommended" in run.output and run.writes == []
