# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small CloudFront configurations in the wire shape, and what the tests of the emulator do with them over and over."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from wordpress_ha_rehearsal.emulator.testing import Emulator

CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"

_numbers = itertools.count(1)


def name(prefix: str) -> str:
    """Return a name that was not used before: tests share emulators."""
    return f"{prefix}-{next(_numbers)}"


def listed(*items: Any) -> dict[str, Any]:
    """Return items as CloudFront counts them."""
    return {"Quantity": len(items), "Items": list(items)} if items else {"Quantity": 0}


def origin(identifier: str = "site", **more: Any) -> dict[str, Any]:
    custom = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}
    return {"Id": identifier, "DomainName": f"{identifier}.example.com", "CustomOriginConfig": custom, **more}


def behavior(target: str = "site", **more: Any) -> dict[str, Any]:
    made = {"TargetOriginId": target, "ViewerProtocolPolicy": "redirect-to-https", "CachePolicyId": CACHING_DISABLED}
    return {**made, **more}


def config(**more: Any) -> dict[str, Any]:
    """Return a DistributionConfig with the required fields alone, under a caller reference of its own."""
    return {
        "CallerReference": name("reference"),
        "Comment": "",
        "Enabled": True,
        "Origins": listed(origin()),
        "DefaultCacheBehavior": behavior(),
        **more,
    }


def cache_policy(**more: Any) -> dict[str, Any]:
    return {
        "Name": name("cache"),
        "MinTTL": 0,
        "DefaultTTL": 600,
        "MaxTTL": 3600,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": True,
            "EnableAcceptEncodingBrotli": True,
            "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": listed("Host")},
            "CookiesConfig": {
                "CookieBehavior": "whitelist",
                "Cookies": listed("wordpress_logged_in_*", "wp-settings-*"),
            },
            "QueryStringsConfig": {"QueryStringBehavior": "all"},
        },
        **more,
    }


def create(emulator: Emulator, **more: Any) -> dict[str, Any]:
    """Create a distribution and return the answer."""
    return emulator.client("cloudfront").create_distribution(DistributionConfig=config(**more))


def change(emulator: Emulator, identifier: str, **fields: Any) -> dict[str, Any]:
    """Read a distribution's configuration, change fields of it and write it back."""
    cloudfront = emulator.client("cloudfront")
    read = cloudfront.get_distribution_config(Id=identifier)
    wanted = {**read["DistributionConfig"], **fields}
    return cloudfront.update_distribution(Id=identifier, IfMatch=read["ETag"], DistributionConfig=wanted)


@contextmanager
def refused(code: str, status: int) -> Any:
    """Expect an error of the API by its code and HTTP status."""
    with pytest.raises(ClientError) as error:
        yield error
    answer = error.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status), error.value
