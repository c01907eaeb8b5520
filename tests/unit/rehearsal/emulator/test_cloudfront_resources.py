# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What distributions refer to: policies, access controls, functions, VPC origins; and invalidations."""

from __future__ import annotations

import cloudfront_samples as samples
import pytest
from cloudfront_samples import refused

from wordpress_ha_rehearsal.emulator.extensions.cloudfront.shared import managed

HANDLER = b"function handler(event) {\n    return event.request;\n}\n"


def origin_request_policy(**more):
    everything = {"HeadersConfig": {"HeaderBehavior": "allViewer"}, "CookiesConfig": {"CookieBehavior": "all"}}
    return {"Name": samples.name("origin"), **everything, "QueryStringsConfig": {"QueryStringBehavior": "all"}, **more}


def response_headers_policy(**more):
    security = {
        "ContentTypeOptions": {"Override": True},
        "FrameOptions": {"FrameOption": "SAMEORIGIN", "Override": False},
    }
    return {"Name": samples.name("headers"), "SecurityHeadersConfig": security, **more}  # fmt: skip


def access_control(**more):
    signing = {"SigningProtocol": "sigv4", "SigningBehavior": "always", "OriginAccessControlOriginType": "s3"}
    return {"Name": samples.name("control"), "Description": "for media", **signing, **more}


def vpc_origin(**more):
    balancer = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/shop/50dc6c495c0c9188"
    ports = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}
    return {"Name": samples.name("inner"), "Arn": balancer, **ports, **more}


KINDS = {
    "cache_policy": ("CachePolicy", "CachePolicyConfig", samples.cache_policy),
    "origin_request_policy": ("OriginRequestPolicy", "OriginRequestPolicyConfig", origin_request_policy),
    "response_headers_policy": ("ResponseHeadersPolicy", "ResponseHeadersPolicyConfig", response_headers_policy),
    "origin_access_control": ("OriginAccessControl", "OriginAccessControlConfig", access_control),
    "vpc_origin": ("VpcOrigin", "VpcOriginEndpointConfig", vpc_origin),
}
MISSING = {"vpc_origin": "EntityNotFound"}
TAKEN = {"vpc_origin": "EntityAlreadyExists"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_resource_lives_from_create_to_delete(instant, kind):
    shape, field, sample = KINDS[kind]
    cloudfront = instant.client("cloudfront")
    create, get, update, delete = (
        getattr(cloudfront, f"{verb}_{kind}") for verb in ("create", "get", "update", "delete")
    )
    sent = sample()
    made = create(**{field: sent})
    identifier = made[shape]["Id"]
    read = get(Id=identifier)
    assert read[shape][field] == sent
    assert (read["ETag"], read[shape]["Id"]) == (made["ETag"], identifier)
    with refused(TAKEN.get(kind, f"{shape}AlreadyExists"), 409):
        create(**{field: sent})

    changed = sample(Name=sent["Name"], **({"HTTPPort": 8080} if kind == "vpc_origin" else {}))
    with refused("InvalidIfMatchVersion", 400):
        update(Id=identifier, IfMatch="none", **{field: changed})
    updated = update(Id=identifier, IfMatch=made["ETag"], **{field: changed})
    assert updated["ETag"] != made["ETag"]
    with refused("PreconditionFailed", 412):
        update(Id=identifier, IfMatch=made["ETag"], **{field: sent})
    with refused("PreconditionFailed", 412):
        delete(Id=identifier, IfMatch=made["ETag"])
    assert get(Id=identifier)[shape][field] == changed

    delete(Id=identifier, IfMatch=updated["ETag"])
    with refused(MISSING.get(kind, f"NoSuch{shape}"), 404):
        get(Id=identifier)


@pytest.mark.parametrize("kind", ["cache_policy", "origin_request_policy", "response_headers_policy"])
def test_managed_policies_are_listed_and_stay_as_they_are(instant, kind):
    shape, field, sample = KINDS[kind]
    cloudfront = instant.client("cloudfront")
    listing = getattr(cloudfront, f"list_{kind[:-1]}ies")
    read = listing(Type="managed")[f"{shape}List"]
    known = {policy.id: policy.config for policy in managed.policies(kind)}
    assert {one[shape]["Id"]: one[shape][field] for one in read["Items"]} == known
    own = getattr(cloudfront, f"create_{kind}")(**{field: sample()})[shape]["Id"]
    assert own in [one[shape]["Id"] for one in listing(Type="custom")[f"{shape}List"]["Items"]]
    assert own not in [one[shape]["Id"] for one in listing(Type="managed")[f"{shape}List"]["Items"]]
    first, second = (listing(MaxItems=size)[f"{shape}List"] for size in ("1", "2"))
    following = listing(MaxItems="1", Marker=first["NextMarker"])[f"{shape}List"]
    assert [*first["Items"], *following["Items"]] == second["Items"]

    identifier, config = next(iter(known.items()))
    etag = getattr(cloudfront, f"get_{kind}")(Id=identifier)["ETag"]
    with refused("IllegalUpdate", 400):
        getattr(cloudfront, f"update_{kind}")(Id=identifier, IfMatch=etag, **{field: sample(Name=config["Name"])})
    with refused("IllegalDelete", 400):
        getattr(cloudfront, f"delete_{kind}")(Id=identifier, IfMatch=etag)


def in_use(kind, identifier):
    """Return distribution fields that refer to a resource."""
    if kind == "origin_access_control":
        bucket = {
            "Id": "site",
            "DomainName": "media.s3.us-east-1.amazonaws.com",
            "S3OriginConfig": {"OriginAccessIdentity": ""},
        }
        return {"Origins": samples.listed({**bucket, "OriginAccessControlId": identifier})}  # fmt: skip
    if kind == "vpc_origin":
        inner = {"Id": "site", "DomainName": "site.example.com", "VpcOriginConfig": {"VpcOriginId": identifier}}
        return {"Origins": samples.listed(inner)}
    return {"DefaultCacheBehavior": samples.behavior(**{f"{KINDS[kind][0]}Id": identifier})}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_distribution_uses_cannot_be_deleted(instant, kind):
    shape, field, sample = KINDS[kind]
    cloudfront = instant.client("cloudfront")
    made = getattr(cloudfront, f"create_{kind}")(**{field: sample()})
    delete = {"Id": made[shape]["Id"], "IfMatch": made["ETag"]}
    user = samples.create(instant, **in_use(kind, made[shape]["Id"]))["Distribution"]["Id"]
    with refused("CannotDeleteEntityWhileInUse" if kind == "vpc_origin" else f"{shape}InUse", 409) as error:
        getattr(cloudfront, f"delete_{kind}")(**delete)
    assert user in str(error.value)
    samples.change(instant, user, Origins=samples.listed(samples.origin()), DefaultCacheBehavior=samples.behavior())
    getattr(cloudfront, f"delete_{kind}")(**delete)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"MinTTL": 10, "DefaultTTL": 5}, "InvalidTTLOrder"),
        (
            {
                "ParametersInCacheKeyAndForwardedToOrigin": {
                    "EnableAcceptEncodingGzip": True,
                    "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": {"Quantity": 3, "Items": ["Host"]}},
                    "CookiesConfig": {"CookieBehavior": "none"},
                    "QueryStringsConfig": {"QueryStringBehavior": "none"},
                }
            },
            "InconsistentQuantities",
        ),
    ],
)
def test_a_wrong_cache_policy_is_refused(instant, changes, code):
    cloudfront = instant.client("cloudfront")
    with pytest.raises(cloudfront.exceptions.ClientError) as error:
        cloudfront.create_cache_policy(CachePolicyConfig=samples.cache_policy(**changes))
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert error.value.response["Error"]["Code"] in (code, "InvalidArgument")


def test_a_function_is_live_only_once_it_is_published(external):
    cloudfront = external.client("cloudfront")
    name = samples.name("function")
    runtime = {"Comment": "first", "Runtime": "cloudfront-js-2.0"}
    made = cloudfront.create_function(Name=name, FunctionConfig=runtime, FunctionCode=HANDLER)
    arn = made["FunctionSummary"]["FunctionMetadata"]["FunctionARN"]
    used = {"FunctionAssociations": samples.listed({"EventType": "viewer-request", "FunctionARN": arn})}
    with refused("NoSuchFunctionExists", 404):
        cloudfront.describe_function(Name=name, Stage="LIVE")
    with refused("InvalidFunctionAssociation", 400):
        samples.create(external, DefaultCacheBehavior=samples.behavior(**used))
    assert external.desired()["cloudfront"]["functions"] == {}

    cloudfront.publish_function(Name=name, IfMatch=made["ETag"])
    live = cloudfront.describe_function(Name=name, Stage="LIVE")
    changed = HANDLER.replace(b"event.request", b"event['request']")
    updated = cloudfront.update_function(
        Name=name, IfMatch=made["ETag"], FunctionConfig={**runtime, "Comment": "second"}, FunctionCode=changed
    )
    assert cloudfront.get_function(Name=name)["FunctionCode"].read() == changed
    assert cloudfront.get_function(Name=name, Stage="LIVE")["FunctionCode"].read() == HANDLER
    assert cloudfront.describe_function(Name=name, Stage="LIVE") | {"ResponseMetadata": 0} == live | {
        "ResponseMetadata": 0
    }
    assert cloudfront.describe_function(Name=name)["FunctionSummary"]["Status"] == "UNPUBLISHED"
    told = external.desired()["cloudfront"]["functions"][arn]
    assert told == {"name": name, "runtime": "cloudfront-js-2.0", "code": HANDLER.decode()}

    with refused("PreconditionFailed", 412):
        cloudfront.publish_function(Name=name, IfMatch=made["ETag"])
    cloudfront.publish_function(Name=name, IfMatch=updated["ETag"])
    assert external.desired()["cloudfront"]["functions"][arn]["code"] == changed.decode()
    samples.create(external, DefaultCacheBehavior=samples.behavior(**used))
    with refused("FunctionInUse", 409):
        cloudfront.delete_function(Name=name, IfMatch=updated["ETag"])
    stages = [one["FunctionMetadata"]["Stage"] for one in cloudfront.list_functions()["FunctionList"]["Items"]]
    assert stages == ["DEVELOPMENT", "LIVE"]
    with refused("FunctionAlreadyExists", 409):
        cloudfront.create_function(Name=name, FunctionConfig=runtime, FunctionCode=HANDLER)


def test_the_data_plane_is_told_policies_controls_and_vpc_origins(tier, external):
    cloudfront = external.client("cloudfront")
    sent = samples.cache_policy()
    policy = cloudfront.create_cache_policy(CachePolicyConfig=sent)["CachePolicy"]["Id"]
    control = access_control()
    made = cloudfront.create_origin_access_control(OriginAccessControlConfig=control)["OriginAccessControl"]["Id"]
    inner = vpc_origin(Arn=tier.balancer["LoadBalancerArn"])
    origin = cloudfront.create_vpc_origin(VpcOriginEndpointConfig=inner)["VpcOrigin"]["Id"]
    told = external.desired()["cloudfront"]
    assert told["cache_policies"][policy] == sent
    assert told["cache_policies"][samples.CACHING_DISABLED]["MaxTTL"] == 0
    assert told["origin_access_controls"][made] == control
    assert told["vpc_origins"][origin]["dns_name"] == tier.balancer["DNSName"]


def invalidate(emulator, distribution, *paths, reference=None):
    batch = {"CallerReference": reference or samples.name("batch"), "Paths": samples.listed(*paths)}
    answer = emulator.client("cloudfront").create_invalidation(DistributionId=distribution, InvalidationBatch=batch)
    return answer["Invalidation"]["Id"]


def test_an_invalidation_is_completed_once_the_edge_says_so(external):
    cloudfront = external.client("cloudfront")
    distribution = samples.create(external)["Distribution"]["Id"]
    first, second = invalidate(external, distribution, "/a", "/b/*"), invalidate(external, distribution, "/c")

    def status(identifier):
        return cloudfront.get_invalidation(DistributionId=distribution, Id=identifier)["Invalidation"]["Status"]

    told = {one["id"]: (one["distribution_id"], one["paths"]) for one in external.desired()["invalidations"]}
    assert told == {first: (distribution, ["/a", "/b/*"]), second: (distribution, ["/c"])}
    assert cloudfront.get_distribution(Id=distribution)["Distribution"]["InProgressInvalidationBatches"] == 2
    external.observed(invalidations={first: "completed", "IGONE": "completed"})
    assert (status(first), status(second)) == ("Completed", "InProgress")
    assert [one["id"] for one in external.desired()["invalidations"]] == [second]
    page = cloudfront.list_invalidations(DistributionId=distribution, MaxItems="1")["InvalidationList"]
    assert ([one["Id"] for one in page["Items"]], page["IsTruncated"]) == ([second], True)
    with refused("NoSuchInvalidation", 404):
        cloudfront.get_invalidation(DistributionId=distribution, Id="INONE")
    with refused("NoSuchDistribution", 404):
        invalidate(external, "ENONE", "/")


def test_in_instant_mode_an_invalidation_is_completed_at_once(instant):
    distribution = samples.create(instant)["Distribution"]["Id"]
    batch = {"DistributionId": distribution, "Id": invalidate(instant, distribution, "/*")}
    assert instant.client("cloudfront").get_invalidation(**batch)["Invalidation"]["Status"] == "Completed"


def test_a_caller_reference_repeats_an_invalidation_only_with_its_paths(external):
    distribution = samples.create(external)["Distribution"]["Id"]
    first = invalidate(external, distribution, "/a", "/b", reference="same")
    assert invalidate(external, distribution, "/b", "/a", reference="same") == first
    with refused("InvalidArgument", 400):
        invalidate(external, distribution, "/c", reference="same")
    other = samples.create(external)["Distribution"]["Id"]
    assert invalidate(external, other, "/c", reference="same") != first


def test_invalidations_have_limits(external):
    distribution = samples.create(external)["Distribution"]["Id"]
    for path in ("no-slash", "/a*b"):
        with refused("InvalidArgument", 400):
            invalidate(external, distribution, path)
    with refused("BatchTooLarge", 413):
        invalidate(external, distribution, *(f"/{number}" for number in range(3001)))
    wildcards = [invalidate(external, distribution, f"/{number}/*") for number in range(15)]
    with refused("TooManyInvalidationsInProgress", 400):
        invalidate(external, distribution, "/one/more/*")
    external.observed(invalidations={wildcards[0]: "completed"})
    invalidate(external, distribution, "/one/more/*")
