# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stack behind the edge, with a zone and a media bucket: provisioned, published, its header rotated, and the edge switched off.

One story in one emulated account. What CloudFront is told to send and what the load balancer is told to accept are compared all the
time: they are read from what the data plane is asked to make true, several times a second.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from .conftest import Account, Run

HEADER = "X-Origin-Verify"
BUCKET = "trial-media"
STACK: dict[str, Any] = {
    "wordpress_ha_dns": {"zone": "example.org"},
    "wordpress_ha_edge": {"media_bucket": BUCKET, "aliases": ["www.blog.example.org"]},
}


def sent(desired: dict[str, Any]) -> list[str]:
    """Return the values of the header that distributions send to the load balancer."""
    origins = [
        one for each in desired["distributions"] for one in each["config"]["Origins"]["Items"] if one["Id"] == "site"
    ]
    headers = [header for one in origins for header in one["CustomHeaders"].get("Items", [])]
    return [header["HeaderValue"] for header in headers if header["HeaderName"] == HEADER]


def accepted(desired: dict[str, Any]) -> list[set[str] | None]:
    """Return for each listener the values that it serves; None for one that serves everybody."""
    result: list[set[str] | None] = []
    for listener in [one for balancer in desired["load_balancers"] for one in balancer["listeners"]]:
        default = listener["rules"][-1]
        assert default["priority"] == "default"
        if default["actions"][0]["Type"] != "fixed-response":
            result.append(None)
            continue
        assert default["actions"][0]["FixedResponseConfig"]["StatusCode"] == "403"
        configs = [one["HttpHeaderConfig"] for rule in listener["rules"][:-1] for one in rule["conditions"]]
        result.append({value for config in configs if config["HttpHeaderName"] == HEADER for value in config["Values"]})
    return result


def shut_out(desired: dict[str, Any]) -> list[str]:
    """Return the values that CloudFront sends and some listener refuses."""
    return [
        value for value in sent(desired) for values in accepted(desired) if values is not None and value not in values
    ]


@contextmanager
def watched(account: Account) -> Iterator[list[tuple[list[str], list[Any]]]]:
    """Look all the time; the list that is yielded holds each state that was seen, and none may shut CloudFront out."""
    seen: list[tuple[list[str], list[Any]]] = []
    refused: list[str] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            desired = account.emulator.desired()
            refused.extend(shut_out(desired))
            state = (sent(desired), accepted(desired))
            if not seen or seen[-1] != state:
                seen.append(state)
            over.wait(0.1)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
    assert refused == [], "the load balancer would have refused CloudFront"


def stages(account: Account) -> dict[str, str]:
    """Return the header's values by stage of the secret."""
    client = account.emulator.client("secretsmanager")
    found = client.describe_secret(SecretId="trial/origin")["VersionIdsToStages"]
    return {
        stage: json.loads(client.get_secret_value(SecretId="trial/origin", VersionId=version)["SecretString"])[
            "header_value"
        ]
        for version, names in found.items()
        for stage in names
    }


def distribution(account: Account) -> dict[str, Any]:
    (found,) = account.emulator.desired()["distributions"]
    return dict(found)


@pytest.fixture
def rotate(account: Account) -> Callable[..., Run]:
    def run(*arguments: str) -> Run:
        return account.play("playbooks/rotate_origin_secret.yml", *arguments, **STACK)

    return run


def test_check_mode_with_a_way_into_the_vpc(account: Account, prove: Callable[[str], None]) -> None:
    """On an empty account: an internal load balancer without HTTPS, and a VPC origin, neither of which is there yet."""
    edge = {"origin_access": "vpc_origin", "behavior_set": "whitepaper"}
    run = account.play(
        "playbooks/provision.yml", "--check", wordpress_ha_edge=edge, wordpress_ha_load_balancer={"https": False}
    )
    assert run.code == 0 and run.writes == [], run.tail()
    assert any("Keep the way into the VPC" in task for task in run.changed), run.changed
    prove(
        f"provision.yml --check with a VPC origin on an empty account: {run.recap['changed']} changes, 0 writing calls"
    )


def test_provision_with_a_zone_and_a_bucket(account: Account, prove: Callable[[str], None]) -> None:
    account.emulator.client("route53").create_hosted_zone(Name="example.org.", CallerReference="1")
    account.emulator.client("s3").create_bucket(Bucket=BUCKET)
    account.given.add(BUCKET)
    run = account.play("playbooks/provision.yml", **STACK)
    assert run.code == 0, run.tail()
    desired = account.emulator.desired()
    assert shut_out(desired) == [] and len(sent(desired)) == 1 and accepted(desired) == [set(sent(desired))] * 2
    config = distribution(account)["config"]
    assert config["Aliases"]["Items"] == ["blog.example.org", "www.blog.example.org"]
    origins = {one["Id"]: one["DomainName"] for one in config["Origins"]["Items"]}
    assert origins == {"site": "origin.blog.example.org", "media-bucket": f"{BUCKET}.s3.us-east-1.amazonaws.com"}
    certificates = account.emulator.client("acm").list_certificates()["CertificateSummaryList"]
    assert len([one for one in certificates if one.get("Type") != "IMPORTED"]) == 1
    zone = account.emulator.client("route53").list_hosted_zones()["HostedZones"][0]["Id"]
    records = account.emulator.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    led = {one["Name"]: one["AliasTarget"]["DNSName"] for one in records if "AliasTarget" in one}
    assert led == {"origin.blog.example.org.": f"{desired['load_balancers'][0]['dns_name']}."}
    groups = account.emulator.client("ec2").describe_security_groups()["SecurityGroups"]
    (door,) = [one["IpPermissions"] for one in groups if one["GroupName"] == "trial-alb"]
    assert [(one["FromPort"], one["ToPort"], len(one["PrefixListIds"]), one["IpRanges"]) for one in door] == [
        (80, 443, 1, [])
    ]
    policy = json.loads(account.emulator.client("s3").get_bucket_policy(Bucket=BUCKET)["Policy"])
    assert policy["Statement"][0]["Condition"]["StringEquals"]["AWS:SourceArn"] == distribution(account)["arn"]
    prove(
        f"provision.yml with zone and bucket: one certificate for both, {len(run.writes)} writing calls, {run.seconds:.0f} s"
    )


def test_publish_leads_the_names_there(account: Account, prove: Callable[[str], None]) -> None:
    run, again = (account.play("playbooks/publish.yml", **STACK) for _time in range(2))
    assert run.code == 0 and run.writes == ["route53:ChangeResourceRecordSets"] * 4, (run.writes, run.tail())
    assert again.code == 0 and again.recap["changed"] == 0 and again.writes == [], again.changed
    prove(f"publish.yml: 2 names, A and AAAA each; again: 0 writing calls, {again.seconds:.0f} s")


def test_a_rotation_shuts_nobody_out(
    account: Account, rotate: Callable[..., Run], prove: Callable[[str], None]
) -> None:
    (first,) = sent(account.emulator.desired())
    predicted = rotate("--check")
    assert predicted.code == 0 and predicted.writes == [] and stages(account) == {"AWSCURRENT": first}
    with watched(account) as seen:
        run = rotate()
    assert run.code == 0 and "has a new value" in run.output, run.tail()
    second = stages(account)["AWSCURRENT"]
    assert stages(account) == {"AWSCURRENT": second, "AWSPREVIOUS": first} and first != second
    both = [{first, second}] * 2
    assert seen[0] == ([first], [{first}] * 2) and seen[-1] == ([second], both) and ([first], both) in seen, seen
    assert run.writes[0] == "secretsmanager:PutSecretValue" and run.writes[-1] == "cloudfront:UpdateDistribution"
    assert first not in run.output and second not in run.output
    prove(f"a rotation: {', '.join(run.writes)}; in {len(seen)} states CloudFront was never shut out")


def test_a_rotation_that_was_killed_is_resumed(
    account: Account, rotate: Callable[..., Run], prove: Callable[[str], None]
) -> None:
    """Killed after the new version, or after the load balancer: the next run makes no third value, but ends what was begun."""
    before = stages(account)["AWSCURRENT"]
    account.emulator.client("secretsmanager").put_secret_value(
        SecretId="trial/origin", SecretString=json.dumps({"header_value": "as-a-killed-run-left-it"})
    )
    with watched(account) as seen:
        run = rotate()
    assert run.code == 0 and "no further value was made" in run.output, run.tail()
    assert stages(account) == {"AWSCURRENT": "as-a-killed-run-left-it", "AWSPREVIOUS": before}
    assert seen[-1][0] == ["as-a-killed-run-left-it"] and "secretsmanager:PutSecretValue" not in run.writes
    prove("killed after the new version: the next run rotated no further, and ended it")
    # Now the load balancer knows the new value, and CloudFront does not.
    client, cloudfront = account.emulator.client("secretsmanager"), account.emulator.client("cloudfront")
    identifier = distribution(account)["id"]
    found = cloudfront.get_distribution_config(Id=identifier)
    headers = next(one for one in found["DistributionConfig"]["Origins"]["Items"] if one["Id"] == "site")[
        "CustomHeaders"
    ]
    headers["Items"][0]["HeaderValue"] = before
    cloudfront.update_distribution(Id=identifier, IfMatch=found["ETag"], DistributionConfig=found["DistributionConfig"])
    versions = client.describe_secret(SecretId="trial/origin")["VersionIdsToStages"]
    with watched(account):
        run = rotate()
    assert run.code == 0 and run.writes == ["cloudfront:UpdateDistribution"], run.writes
    assert client.describe_secret(SecretId="trial/origin")["VersionIdsToStages"] == versions
    prove("killed after the load balancer: the next run changed the distribution alone")


def test_provision_again_is_silent(account: Account, prove: Callable[[str], None]) -> None:
    run = account.play("playbooks/provision.yml", **STACK)
    assert run.code == 0 and run.recap["changed"] == 0 and run.writes == [], (run.changed, run.writes, run.tail())
    prove(f"provision.yml again: changed=0, 0 writing calls, {run.seconds:.0f} s")


def test_the_edge_off(account: Account, prove: Callable[[str], None]) -> None:
    """The load balancer serves everybody again; the distribution is left as it is."""
    off = {**STACK, "wordpress_ha_edge": {"enabled": False}}
    run = account.play("playbooks/provision.yml", **off)
    assert run.code == 0, run.tail()
    desired = account.emulator.desired()
    assert accepted(desired) == [None, None] and len(desired["distributions"]) == 1
    assert account.parameters()["edge/distribution_id"] == "none"
    assert len(account.parameters()["network/trusted_proxies"].split(",")) == 2
    refused = account.play("playbooks/rotate_origin_secret.yml", **off)
    assert refused.code == 2 and "nothing to rotate" in refused.message and refused.writes == []
    prove("edge off: no guard, the door open to the ranges, the contract says none; a rotation is refused")
