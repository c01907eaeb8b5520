# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What CloudFront adds to a distribution's configuration when it was not sent; all that was sent stays as it is."""

from __future__ import annotations

import copy
from typing import Any

from .store import Config

_NONE: Config = {"Quantity": 0}
_METHODS: Config = {"Quantity": 2, "Items": ["HEAD", "GET"]}

DISTRIBUTION: Config = {
    "Aliases": _NONE,
    "DefaultRootObject": "",
    "OriginGroups": _NONE,
    "CacheBehaviors": _NONE,
    "CustomErrorResponses": _NONE,
    "Comment": "",
    "Logging": {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""},
    "PriceClass": "PriceClass_All",
    "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}},
    "WebACLId": "",
    "HttpVersion": "http2",
    "IsIPV6Enabled": True,
    "ContinuousDeploymentPolicyId": "",
    "Staging": False,
}
ORIGIN: Config = {
    "OriginPath": "",
    "CustomHeaders": _NONE,
    "ConnectionAttempts": 3,
    "ConnectionTimeout": 10,
    "OriginShield": {"Enabled": False},
    "OriginAccessControlId": "",
}
TIMEOUTS: Config = {"OriginReadTimeout": 30, "OriginKeepaliveTimeout": 5}
PROTOCOLS: Config = {"OriginSslProtocols": {"Quantity": 3, "Items": ["TLSv1", "TLSv1.1", "TLSv1.2"]}}
BEHAVIOR: Config = {
    "TrustedSigners": {"Enabled": False, "Quantity": 0},
    "TrustedKeyGroups": {"Enabled": False, "Quantity": 0},
    "AllowedMethods": {**_METHODS, "CachedMethods": _METHODS},
    "SmoothStreaming": False,
    "Compress": False,
    "LambdaFunctionAssociations": _NONE,
    "FunctionAssociations": _NONE,
    "FieldLevelEncryptionId": "",
    "GrpcConfig": {"Enabled": False},
}
FORWARDED: Config = {"Headers": _NONE, "QueryStringCacheKeys": _NONE}
TTLS: Config = {"MinTTL": 0, "DefaultTTL": 86400, "MaxTTL": 31536000}
CERTIFICATE: Config = {
    "CloudFrontDefaultCertificate": True,
    "SSLSupportMethod": "vip",
    "MinimumProtocolVersion": "TLSv1",
    "CertificateSource": "cloudfront",
}


def completed(sent: Config) -> Config:
    """Return a configuration as CloudFront reads it back."""
    config = {**copy.deepcopy(DISTRIBUTION), **_without_empty_items(copy.deepcopy(sent))}
    for origin in config.get("Origins", {}).get("Items", []):
        _fill(origin, ORIGIN)
        if "CustomOriginConfig" in origin:
            _fill(origin["CustomOriginConfig"], {**TIMEOUTS, **PROTOCOLS})
        if "VpcOriginConfig" in origin:
            _fill(origin["VpcOriginConfig"], TIMEOUTS)
    for behavior in [config["DefaultCacheBehavior"], *config["CacheBehaviors"].get("Items", [])]:
        _fill(behavior, BEHAVIOR)
        _fill(behavior["AllowedMethods"], {"CachedMethods": _METHODS})
        if "ForwardedValues" in behavior:
            _fill(behavior, TTLS)
            _fill(behavior["ForwardedValues"], FORWARDED)
    config["ViewerCertificate"] = _certificate(config.get("ViewerCertificate") or {})
    return config


def _fill(config: Config, defaults: Config) -> None:
    for key, value in defaults.items():
        if config.get(key) is None:
            config[key] = copy.deepcopy(value)


def _certificate(sent: Config) -> Config:
    """Return the certificate with the older names that CloudFront still tells."""
    if sent.get("ACMCertificateArn"):
        named = {"Certificate": sent["ACMCertificateArn"], "CertificateSource": "acm"}
    elif sent.get("IAMCertificateId"):
        named = {"Certificate": sent["IAMCertificateId"], "CertificateSource": "iam"}
    else:
        return copy.deepcopy(CERTIFICATE)
    return {"MinimumProtocolVersion": "TLSv1", **sent, "CloudFrontDefaultCertificate": False, **named}


def _without_empty_items(value: Any) -> Any:
    """Drop the Items of empty lists: CloudFront answers with their Quantity alone."""
    if isinstance(value, dict):
        return {key: _without_empty_items(part) for key, part in value.items() if not (key == "Items" and not part)}
    if isinstance(value, list):
        return [_without_empty_items(part) for part in value]
    return value
