# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Table 1 in what the emulated CloudFront holds, once a behavior set is there; and what it refuses as the lint does."""

from __future__ import annotations

import copy
from typing import Any

import botocore.exceptions
import pytest
import table1

OWN = {
    "cache_policies": ("create_cache_policy", "CachePolicy"),
    "origin_request_policies": ("create_origin_request_policy", "OriginRequestPolicy"),
    "response_headers_policies": ("create_response_headers_policy", "ResponseHeadersPolicy"),
}


def created(cloudfront: Any, edge: table1.Edge) -> tuple[dict[str, Any], dict[str, str]]:
    """Make the policies of a rendered set; return its configuration with their identifiers, and these by name."""
    identifiers = {}
    for kind, (operation, shape) in OWN.items():
        for name, config in getattr(edge.context, kind).items():
            if name.startswith("blog-"):
                made = getattr(cloudfront, operation)(**{f"{shape}Config": config})
                identifiers[kind, name] = made[shape]["Id"]
    control = {
        "Name": "blog-media",
        "SigningProtocol": "sigv4",
        "SigningBehavior": "always",
        "OriginAccessControlOriginType": "s3",
    }
    access = cloudfront.create_origin_access_control(OriginAccessControlConfig=control)["OriginAccessControl"]["Id"]
    config = copy.deepcopy(dict(edge.config))
    for behavior in [config["DefaultCacheBehavior"], *config["CacheBehaviors"]["Items"]]:
        for kind, (_operation, shape) in OWN.items():
            name = behavior.get(f"{shape}Id")
            if name:
                behavior[f"{shape}Id"] = identifiers.get((kind, name), name)
    for origin in config["Origins"]["Items"]:
        if origin.get("OriginAccessControlId"):
            origin["OriginAccessControlId"] = access
    return config, {name: identifier for (_kind, name), identifier in identifiers.items()}


@pytest.mark.parametrize("name", ["whitepaper", "recommended"])
def test_the_emulator_holds_each_cell(emulated, name: str) -> None:
    cloudfront = emulated("cloudfront")
    edge = table1.rendered(name)
    config, _identifiers = created(cloudfront, edge)
    distribution = cloudfront.create_distribution(DistributionConfig=config)["Distribution"]["Id"]
    held = table1.check(table1.read(cloudfront, distribution))
    rendered = table1.check(edge)
    assert {cell for cell, faults in held.items() if faults} == {cell for cell, faults in rendered.items() if faults}
    if name == "whitepaper":
        assert not any(held.values())


def test_the_emulator_refuses_what_the_lint_calls_refused(emulated) -> None:
    cloudfront = emulated("cloudfront")
    config, _identifiers = created(cloudfront, table1.rendered("recommended"))
    config["CacheBehaviors"]["Items"][0]["TargetOriginId"] = "nowhere"
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        cloudfront.create_distribution(DistributionConfig=config)
    assert refused.value.response["Error"]["Code"] == "NoSuchOrigin"


def test_the_emulator_takes_what_the_lint_calls_harmful(emulated) -> None:
    cloudfront = emulated("cloudfront")
    config, _identifiers = created(cloudfront, table1.rendered("recommended"))
    config["DefaultCacheBehavior"]["CachePolicyId"] = "658327ea-f89d-4fab-a63d-7e88639e58f6"
    assert cloudfront.create_distribution(DistributionConfig=config)["Distribution"]["Id"]
