# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Distributions of the emulated CloudFront: what is kept, ETags, the edge's pace, and what is refused."""

from __future__ import annotations

import boto3
import cloudfront_samples as samples
import pytest
from cloudfront_samples import refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def sent_and_read(sent, read):
    """Tell whether everything that was sent is read back; CloudFront may add."""
    if isinstance(sent, dict):
        return all(key in read and sent_and_read(value, read[key]) for key, value in sent.items())
    if isinstance(sent, list):
        return len(sent) == len(read) and all(map(sent_and_read, sent, read))
    return sent == read


EVERYTHING = {
    "Comment": "shop & blog <1>",
    "DefaultRootObject": "index.php",
    "PriceClass": "PriceClass_100",
    "HttpVersion": "http2and3",
    "IsIPV6Enabled": False,
    "Logging": {"Enabled": True, "IncludeCookies": True, "Bucket": "logs.s3.amazonaws.com", "Prefix": "cdn/"},
    "Origins": samples.listed(
        samples.origin(
            OriginPath="/site",
            ConnectionAttempts=2,
            ConnectionTimeout=7,
            CustomHeaders=samples.listed({"HeaderName": "X-Origin-Verify", "HeaderValue": "abc"}),
            OriginShield={"Enabled": True, "OriginShieldRegion": "us-east-1"},
        ),
        samples.origin("other"),
    ),
    "OriginGroups": samples.listed(
        {
            "Id": "both",
            "FailoverCriteria": {"StatusCodes": samples.listed(403, 404)},
            "Members": samples.listed({"OriginId": "site"}, {"OriginId": "other"}),
        }
    ),
    "CacheBehaviors": samples.listed(
        samples.behavior("both", PathPattern="wp-content/uploads/*", CachePolicyId=samples.CACHING_OPTIMIZED, Compress=True),
        {
            "PathPattern": "legacy/*",
            "TargetOriginId": "other",
            "ViewerProtocolPolicy": "allow-all",
            "MinTTL": 1,
            "DefaultTTL": 2,
            "MaxTTL": 3,
            "ForwardedValues": {
                "QueryString": True,
                "Cookies": {"Forward": "whitelist", "WhitelistedNames": samples.listed("a_*", "b")},
                "Headers": samples.listed("Host"),
            },
            "AllowedMethods": {
                **samples.listed("GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"),
                "CachedMethods": samples.listed("GET", "HEAD", "OPTIONS"),
            },
        },
    ),
    "CustomErrorResponses": samples.listed(
        {"ErrorCode": 404, "ResponsePagePath": "/404.html", "ResponseCode": "404", "ErrorCachingMinTTL": 10}
    ),
    "Restrictions": {"GeoRestriction": {"RestrictionType": "blacklist", **samples.listed("AQ")}},
}  # fmt: skip


def test_every_field_that_was_sent_is_read_back(instant):
    sent = samples.config(**EVERYTHING)
    cloudfront = instant.client("cloudfront")
    made = cloudfront.create_distribution(DistributionConfig=sent)
    read = cloudfront.get_distribution_config(Id=made["Distribution"]["Id"])
    assert sent_and_read(sent, read["DistributionConfig"])
    assert made["Distribution"]["DistributionConfig"] == read["DistributionConfig"]
    assert made["ETag"] == read["ETag"]
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201


def test_what_was_not_sent_has_cloudfronts_defaults(instant):
    read = samples.create(instant)["Distribution"]["DistributionConfig"]
    assert read["Aliases"] == read["CacheBehaviors"] == read["CustomErrorResponses"] == {"Quantity": 0}
    assert (read["PriceClass"], read["HttpVersion"], read["IsIPV6Enabled"]) == ("PriceClass_All", "http2", True)
    assert read["ViewerCertificate"]["CloudFrontDefaultCertificate"] is True
    first = read["Origins"]["Items"][0]
    assert (first["ConnectionAttempts"], first["CustomOriginConfig"]["OriginReadTimeout"]) == (3, 30)
    assert set(read["DefaultCacheBehavior"]["AllowedMethods"]["Items"]) == {"GET", "HEAD"}
    assert "MinTTL" not in read["DefaultCacheBehavior"]  # a cache policy has the TTLs


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.permutations(["a/*", "b/*.php", "wp-admin/*", "wp-login.php"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=60),
)
def test_a_read_written_back_changes_nothing(instant, patterns, comment):
    behaviors = samples.listed(*(samples.behavior(PathPattern=pattern) for pattern in patterns))
    made = samples.create(instant, CacheBehaviors=behaviors, Comment=comment)
    first = made["Distribution"]["DistributionConfig"]
    assert [one["PathPattern"] for one in first["CacheBehaviors"]["Items"]] == patterns
    again = samples.change(instant, made["Distribution"]["Id"])
    assert again["Distribution"]["DistributionConfig"] == first


def test_each_write_needs_the_latest_etag(instant):
    cloudfront = instant.client("cloudfront")
    made = samples.create(instant)
    identifier, first = made["Distribution"]["Id"], made["ETag"]
    second = samples.change(instant, identifier, Comment="second")["ETag"]
    assert second != first
    wanted = cloudfront.get_distribution_config(Id=identifier)["DistributionConfig"]
    with refused("PreconditionFailed", 412):
        cloudfront.update_distribution(Id=identifier, IfMatch=first, DistributionConfig={**wanted, "Comment": "lost"})
    with refused("InvalidIfMatchVersion", 400):
        cloudfront.update_distribution(Id=identifier, DistributionConfig=wanted)
    with refused("InvalidIfMatchVersion", 400):
        cloudfront.delete_distribution(Id=identifier, IfMatch="no etag")
    assert cloudfront.get_distribution(Id=identifier)["Distribution"]["DistributionConfig"]["Comment"] == "second"


def test_a_caller_reference_makes_one_distribution_and_cannot_change(instant):
    cloudfront = instant.client("cloudfront")
    sent = samples.config()
    made = cloudfront.create_distribution(DistributionConfig=sent)["Distribution"]
    with refused("DistributionAlreadyExists", 409) as error:
        cloudfront.create_distribution(DistributionConfig={**sent, "Comment": "again"})
    assert made["Id"] in str(error.value)
    with refused("IllegalUpdate", 400):
        samples.change(instant, made["Id"], CallerReference="another")


def test_only_a_disabled_and_deployed_distribution_can_be_deleted(external):
    cloudfront = external.client("cloudfront")
    made = samples.create(external)
    identifier = made["Distribution"]["Id"]
    external.observed(distributions={identifier: made["ETag"]})
    with refused("DistributionNotDisabled", 409):
        cloudfront.delete_distribution(Id=identifier, IfMatch=made["ETag"])
    etag = samples.change(external, identifier, Enabled=False)["ETag"]
    with refused("DistributionNotDisabled", 409):
        cloudfront.delete_distribution(Id=identifier, IfMatch=etag)
    external.observed(distributions={identifier: etag})
    cloudfront.delete_distribution(Id=identifier, IfMatch=etag)
    with refused("NoSuchDistribution", 404):
        cloudfront.get_distribution(Id=identifier)


def test_a_distribution_is_deployed_once_the_edge_serves_its_latest_etag(external):
    cloudfront = external.client("cloudfront")
    made = samples.create(external)
    identifier = made["Distribution"]["Id"]

    def status():
        return cloudfront.get_distribution(Id=identifier)["Distribution"]["Status"]

    assert status() == "InProgress"
    external.observed(distributions={identifier: "EOLD", "EGONE": "EX"})
    assert status() == "InProgress"
    external.observed(distributions={identifier: made["ETag"]})
    assert status() == "Deployed"
    etag = samples.change(external, identifier, Comment="new")["ETag"]
    assert status() == "InProgress"
    external.observed(distributions={identifier: etag})
    assert status() == "Deployed"


def test_in_instant_mode_nothing_has_to_be_waited_for(instant):
    cloudfront = instant.client("cloudfront")
    identifier = samples.create(instant)["Distribution"]["Id"]
    cloudfront.get_waiter("distribution_deployed").wait(Id=identifier, WaiterConfig={"Delay": 60, "MaxAttempts": 1})
    samples.change(instant, identifier, Comment="new")
    cloudfront.get_waiter("distribution_deployed").wait(Id=identifier, WaiterConfig={"Delay": 60, "MaxAttempts": 1})


def test_quantities_must_fit(instant):
    behaviors = {"Quantity": 2, "Items": [samples.behavior(PathPattern="a/*")]}
    with refused("InconsistentQuantities", 400):
        samples.create(instant, CacheBehaviors=behaviors)


@pytest.mark.parametrize(
    ("fields", "code", "status"),
    [
        ({"DefaultCacheBehavior": samples.behavior("nowhere")}, "NoSuchOrigin", 404),
        ({"DefaultCacheBehavior": samples.behavior(CachePolicyId="1f2a3b4c")}, "NoSuchCachePolicy", 404),
        ({"DefaultCacheBehavior": samples.behavior(OriginRequestPolicyId="1f2a3b4c")}, "NoSuchOriginRequestPolicy", 404),
        ({"DefaultCacheBehavior": samples.behavior(ResponseHeadersPolicyId="1f2a3b4c")}, "NoSuchResponseHeadersPolicy", 404),
        ({"Aliases": samples.listed("www.example.com")}, "InvalidViewerCertificate", 400),
        ({"CacheBehaviors": samples.listed(*[samples.behavior(PathPattern="a/*")] * 2)}, "InvalidArgument", 400),
        ({"CacheBehaviors": samples.listed(*(samples.behavior(PathPattern=f"{n}/*") for n in range(76)))}, "TooManyCacheBehaviors", 400),
        ({"Origins": samples.listed(samples.origin(OriginAccessControlId="ENONE"))}, None, None),
    ],
)  # fmt: skip
def test_what_the_lint_calls_refused_is_refused(instant, fields, code, status):
    if code is None:  # several codes are possible: the lint may have more to say
        with pytest.raises(instant.client("cloudfront").exceptions.ClientError):
            samples.create(instant, **fields)
        return
    with refused(code, status):
        samples.create(instant, **fields)
    made = samples.create(instant)["Distribution"]["Id"]
    with refused(code, status):
        samples.change(instant, made, **fields)


def test_what_only_hurts_is_accepted(instant):
    old = {
        "HTTPPort": 80,
        "HTTPSPort": 443,
        "OriginProtocolPolicy": "https-only",
        "OriginSslProtocols": samples.listed("TLSv1"),
    }
    samples.create(instant, Origins=samples.listed(samples.origin(CustomOriginConfig=old)))  # fmt: skip


def certificate(emulator, domain):
    """Import a certificate for a name and return its ARN."""
    acm = emulator.client("acm")
    requested = acm.request_certificate(DomainName=domain, ValidationMethod="DNS")["CertificateArn"]
    acm.describe_certificate(CertificateArn=requested)
    options = acm.describe_certificate(CertificateArn=requested)["Certificate"]["DomainValidationOptions"]
    route53 = emulator.client("route53")
    zone = route53.create_hosted_zone(Name=domain, CallerReference=samples.name("zone"))["HostedZone"]["Id"]
    record = options[0]["ResourceRecord"]
    values = {"TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]}
    change = {"Action": "UPSERT", "ResourceRecordSet": {"Name": record["Name"], "Type": record["Type"], **values}}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})
    return requested


def test_an_alias_needs_a_certificate_and_belongs_to_one_distribution(external):
    arn = certificate(external, "shop.example")
    serving = {
        "Aliases": samples.listed("shop.example"),
        "ViewerCertificate": {
            "ACMCertificateArn": arn,
            "SSLSupportMethod": "sni-only",
            "MinimumProtocolVersion": "TLSv1.2_2021",
        },
    }
    made = samples.create(external, **serving)["Distribution"]
    read = made["DistributionConfig"]["ViewerCertificate"]
    assert (read["Certificate"], read["CertificateSource"], read["CloudFrontDefaultCertificate"]) == (arn, "acm", False)
    with refused("CNAMEAlreadyExists", 409):
        samples.create(external, **serving)
    samples.change(external, made["Id"], Comment="its own alias is no clash")
    acm = external.client("acm")
    assert acm.describe_certificate(CertificateArn=arn)["Certificate"]["InUseBy"] == [made["ARN"]]
    with refused("ResourceInUseException", 400):
        acm.delete_certificate(CertificateArn=arn)
    handed = external.desired()["distributions"][0]["certificate"]
    assert handed["arn"] == arn and "BEGIN CERTIFICATE" in handed["certificate"] and "KEY" in handed["private_key"]


def test_lists_come_in_pages_and_by_what_is_used(external):
    cloudfront = external.client("cloudfront")
    made = {samples.create(external)["Distribution"]["Id"] for _number in range(3)}
    page = cloudfront.list_distributions(MaxItems="2")["DistributionList"]
    assert (page["Quantity"], page["IsTruncated"], len(page["Items"])) == (2, True, 2)
    rest = cloudfront.list_distributions(MaxItems="2", Marker=page["NextMarker"])["DistributionList"]
    assert (rest["Quantity"], rest["IsTruncated"], "NextMarker" in rest) == (1, False, False)
    assert {one["Id"] for one in [*page["Items"], *rest["Items"]]} == made
    pages = cloudfront.get_paginator("list_distributions").paginate(PaginationConfig={"PageSize": 1})
    assert {one["Id"] for each in pages for one in each["DistributionList"]["Items"]} == made
    optimized = samples.create(external, DefaultCacheBehavior=samples.behavior(CachePolicyId=samples.CACHING_OPTIMIZED))
    users = cloudfront.list_distributions_by_cache_policy_id(CachePolicyId=samples.CACHING_OPTIMIZED)
    assert users["DistributionIdList"]["Items"] == [optimized["Distribution"]["Id"]]
    with refused("NoSuchCachePolicy", 404):
        cloudfront.list_distributions_by_cache_policy_id(CachePolicyId="none")
    assert cloudfront.list_distributions_by_web_acl_id(WebACLId="null")["DistributionList"]["Quantity"] == 4


def test_tags_are_found_by_both_apis_in_us_east_1_alone(instant):
    cloudfront = instant.client("cloudfront")
    tagged = {
        "DistributionConfig": samples.config(),
        "Tags": {"Items": [{"Key": "wordpress_ha:distribution", "Value": "shop"}]},
    }
    made = cloudfront.create_distribution_with_tags(DistributionConfigWithTags=tagged)["Distribution"]  # fmt: skip
    cloudfront.tag_resource(
        Resource=made["ARN"], Tags={"Items": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}
    )
    cloudfront.untag_resource(Resource=made["ARN"], TagKeys={"Items": ["a"]})
    items = cloudfront.list_tags_for_resource(Resource=made["ARN"])["Tags"]["Items"]
    assert {tag["Key"]: tag["Value"] for tag in items} == {"wordpress_ha:distribution": "shop", "b": "2"}
    wanted = {
        "ResourceTypeFilters": ["cloudfront:distribution"],
        "TagFilters": [{"Key": "wordpress_ha:distribution", "Values": ["shop"]}],
    }
    tagging = instant.client("resourcegroupstaggingapi")
    assert [one["ResourceARN"] for one in tagging.get_resources(**wanted)["ResourceTagMappingList"]] == [made["ARN"]]
    elsewhere = boto3.client("resourcegroupstaggingapi", endpoint_url=instant.endpoint_url, region_name="eu-west-1")
    assert elsewhere.get_resources(**wanted)["ResourceTagMappingList"] == []
    with refused("NoSuchResource", 404):
        cloudfront.list_tags_for_resource(Resource=made["ARN"] + "X")


def test_the_data_plane_is_told_the_whole_distribution(external):
    made = samples.create(external, **EVERYTHING)
    (told,) = external.desired()["distributions"]
    assert told["config"] == made["Distribution"]["DistributionConfig"]
    assert (told["id"], told["etag"], told["status"]) == (made["Distribution"]["Id"], made["ETag"], "InProgress")
    assert told["enabled"] is True and told["certificate"] is None
    assert told["domain_name"] == made["Distribution"]["DomainName"]
