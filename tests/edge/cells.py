# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The distribution of the component tests: a behavior, named by its path prefix, for each rule that is looked at."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from wordpress_ha_rehearsal.reconciler import pki
from wordpress_ha_rehearsal.reconciler.edge import scripts

from .edge import GATEWAY, Edge
from .stub import Asked, Origin

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import table1

from .wire import ALL, READ, Catalog, behavior, custom_origin, distribution, many, origin_group

REWRITE = """
async function handler(event) {
    const request = event.request;
    if (request.uri === '/function/answer') {
        return {statusCode: 302, statusDescription: 'Found', headers: {location: {value: '/elsewhere'}}, cookies: {seen: {value: '1'}}};
    }
    if (request.uri.endsWith('/')) {
        request.uri += 'index.html';
    }
    request.headers['x-shape'] = {value: request.headers['x-raw'] ? request.headers['x-raw'].value.toUpperCase() : 'none'};
    delete request.querystring.utm_source;
    return request;
}
"""
STAMP = """
function handler(event) {
    var response = event.response;
    response.headers['x-stamp'] = {value: event.request.uri + ' ' + response.statusCode};
    delete response.headers['x-inner'];
    response.cookies['extra'] = {value: 'yes', attributes: 'Path=/'};
    return response;
}
"""
ODD = 'can\'t "be" $guessed \\ {nor} ; quoted'
CLOUDFRONT_HEADERS = [
    "CloudFront-Forwarded-Proto",
    "CloudFront-Is-Mobile-Viewer",
    "CloudFront-Is-Tablet-Viewer",
    "CloudFront-Is-Desktop-Viewer",
]


#: Behavior sets of the role edge, each as a distribution of its own.
SETS = (("E3", "whitepaper"), ("E4", "recommended"))
NAMES = ["secure.test", "site.test", "origin.test", "*.sets.test", "bucket.s3.eu-west-1.amazonaws.com"]


class Cells:
    """The edge with its stub origins: ``site`` in clear, ``secure`` with TLS, ``second`` for fail-over, ``bucket`` as S3."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge
        ca = edge.config.state_dir / "ca"
        certificate = edge.config.state_dir / "origin"
        pki.server(ca, certificate, NAMES)
        self.site, self.second = Origin(GATEWAY), Origin(GATEWAY)
        self.secure = Origin(GATEWAY, certificate)
        # A bucket has no port of its own choice.
        self.bucket = Origin(GATEWAY, certificate, 443)
        self.catalog = Catalog()
        self.ask = edge.ask

    def close(self) -> None:
        for origin in (self.site, self.second, self.secure, self.bucket):
            origin.close()

    def apply(self) -> None:
        self.distributions = [self.main(), self.other(), *(self.behavior_set(*one) for one in SETS)]
        self.bundle = self.edge.configure(self.distributions, self.catalog.shapes)

    @staticmethod
    def expected_signature(asked: Asked) -> str:
        """Return the signature that botocore makes of the same request."""
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        stamp = asked.headers["x-amz-date"]
        request = AWSRequest(asked.method, f"https://{asked.headers['host']}{asked.target}")
        request.headers["X-Amz-Content-SHA256"] = asked.headers["x-amz-content-sha256"]
        request.headers["X-Amz-Date"] = stamp
        request.context["timestamp"] = stamp
        signer = S3SigV4Auth(Credentials("CLOUDFRONT-E1", scripts.SIGNING_KEY), "s3", "eu-west-1")
        return str(signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request))

    def origins(self) -> list[dict]:
        site, secure = self.site.port, self.secure.port
        custom: dict[str, Any] = {"headers": {"X-Origin-Verify": ODD}}
        bucket = {
            "Id": "bucket",
            "DomainName": "bucket.s3.eu-west-1.amazonaws.com",
            "OriginAccessControlId": "oac",
            "S3OriginConfig": {},
        }
        return [
            custom_origin("site", "origin.test", site, **custom),
            custom_origin("pathed", "origin.test", site, OriginPath="/below"),
            custom_origin("second", "second.test", self.second.port),
            custom_origin("secure", "secure.test", 1, secure, "https-only"),
            custom_origin("stranger", "stranger.test", 1, secure, "https-only"),
            custom_origin("either", "secure.test", site, secure, "match-viewer"),
            custom_origin("slow", "origin.test", site, read_timeout=1, ConnectionAttempts=2),
            custom_origin("dead", "origin.test", 9),
            bucket,
        ]

    def main(self) -> dict:
        made = self.catalog
        plain = made.cache("plain", query="all")
        disabled = made.cache("disabled", ttl=(0, 0, 0))
        everything = made.request("everything", headers="allViewer", cookies="all", query="all")
        made.shapes["origin_access_controls"]["oac"] = {"Name": "oac", "SigningBehavior": "always"}
        listed = [
            behavior("Case/*.PHP", made.cache("marked", query=["case"]), origin="second"),
            behavior("/order/first/*", plain, origin="second"),
            behavior("/order/*", plain),
            behavior("/one/?/x", plain, origin="second"),
            behavior("/read/*", plain),
            behavior("/options/*", plain, allowed=[*READ, "OPTIONS"], cached=[*READ, "OPTIONS"]),
            behavior("/all/*", plain, allowed=ALL, request=everything),
            behavior("/redirect/*", plain, allowed=ALL, protocol="redirect-to-https"),
            behavior("/https/*", plain, protocol="https-only"),
            behavior("/nothing/*", made.cache("nothing")),
            behavior(
                "/some/*",
                made.cache(
                    "some", headers=["X-Shape", "Accept-Language"], cookies=["wordpress_*", "exact"], query=["a", "b"]
                ),
            ),
            behavior(
                "/but/*",
                made.cache("but", cookies=("allExcept", ["noise_*"]), query=("allExcept", ["utm_source", "fbclid"])),
            ),
            behavior("/full/*", made.cache("full", cookies="all", query="all")),
            behavior(
                "/asked/*",
                plain,
                request=made.request("asked", headers=["User-Agent", "X-Asked"], cookies=["c"], query=["q"]),
            ),
            behavior("/viewer/*", disabled, request=everything, allowed=ALL),
            behavior(
                "/except/*",
                disabled,
                request=made.request("except", headers=("allExcept", ["Host", "X-Not"]), cookies="all", query="all"),
            ),
            behavior(
                "/known/*",
                disabled,
                request=made.request(
                    "known",
                    headers=(
                        "allViewerAndWhitelistCloudFront",
                        ["CloudFront-Is-Mobile-Viewer", "CloudFront-Viewer-Country"],
                    ),
                ),
            ),
            behavior("/device/*", made.cache("device", headers=["Host", *CLOUDFRONT_HEADERS])),
            behavior("/minimum/*", made.cache("minimum", ttl=(20, 30, 40))),
            behavior("/bounded/*", made.cache("bounded", ttl=(0, 20, 40), cookies=["session"])),
            behavior("/compressed/*", made.cache("compressed", gzip=True, brotli=True, query="all"), compress=True),
            behavior("/uncompressed/*", made.cache("uncompressed", gzip=True), compress=False),
            behavior("/headers/*", plain, response=self.headers_policy()),
            behavior("/cors/*", plain, allowed=[*READ, "OPTIONS"], response=self.cors_policy()),
            behavior(
                "/function/*",
                plain,
                functions={
                    "viewer-request": made.function("rewrite", REWRITE),
                    "viewer-response": made.function("stamp", STAMP),
                },
                request=made.request("shape", headers=["X-Shape"]),
            ),
            behavior("/group/*", plain, origin="pair", allowed=ALL),
            behavior("/half/*", plain, origin="halfdead"),
            behavior("/secure/*", plain, origin="secure"),
            behavior("/named/*", plain, origin="stranger", request=made.request("host", headers=["Host"])),
            behavior("/stranger/*", plain, origin="stranger"),
            behavior("/either/*", plain, origin="either"),
            behavior("/slow/*", plain, origin="slow", allowed=ALL),
            behavior("/dead/*", plain, origin="dead"),
            behavior("/bucket/*", plain, origin="bucket"),
            behavior("/pathed/*", plain, origin="pathed"),
            behavior(
                "/legacy/none/*",
                None,
                ForwardedValues={"QueryString": False, "Cookies": {"Forward": "none"}},
                MinTTL=0,
                DefaultTTL=600,
            ),
            behavior(
                "/legacy/some/*",
                None,
                ForwardedValues={
                    "QueryString": True,
                    "QueryStringCacheKeys": many(["k"]),
                    "Cookies": {"Forward": "whitelist", "WhitelistedNames": many(["keep*"])},
                    "Headers": many(["Accept-Language"]),
                },
                MinTTL=0,
                DefaultTTL=600,
                MaxTTL=6000,
            ),
            behavior(
                "/legacy/all/*",
                None,
                allowed=ALL,
                ForwardedValues={"QueryString": True, "Cookies": {"Forward": "all"}, "Headers": many(["*"])},
                MinTTL=0,
            ),
            behavior(None, plain),
        ]
        groups = [
            origin_group("pair", "site", "second", [403, 500, 503]),
            origin_group("halfdead", "dead", "second", [500]),
        ]
        return distribution(
            "E1",
            self.origins(),
            listed,
            aliases=["site.test", "localhost"],
            groups=groups,
            DefaultRootObject="root.html",
        )

    def other(self) -> dict:
        """A distribution with custom error responses."""
        errors = [
            {"ErrorCode": 404, "ResponsePagePath": "/errors/404.html", "ResponseCode": "200", "ErrorCachingMinTTL": 30},
            {"ErrorCode": 403, "ErrorCachingMinTTL": 20},
            {"ErrorCode": 500, "ErrorCachingMinTTL": 0},
        ]
        plain = self.catalog.cache("other", query="all")
        listed = [behavior("/errors/*", plain, origin="second"), behavior(None, plain)]
        return distribution("E2", self.origins(), listed, aliases=["*.other.test"], CustomErrorResponses=many(errors))

    def behavior_set(self, identifier: str, name: str) -> dict:
        """A behavior set as the role writes it, with the stubs in place of balancer and bucket."""
        edge, made = table1.rendered(name, media=True), table1.sets.expand(table1.load(name), "blog", media=True)
        # Both sets call their policies alike.
        for kind in ("cache_policies", "origin_request_policies", "response_headers_policies"):
            self.catalog.shapes[kind] |= {f"{name}/{key}": shape for key, shape in getattr(edge.context, kind).items()}
        for function in made["functions"].values():
            code = (table1.ROOT / "roles" / "edge" / "files" / function["file"]).read_text()
            self.catalog.function(function["name"], code)
        config = json.loads(json.dumps(edge.config))
        for entry in (config["DefaultCacheBehavior"], *config["CacheBehaviors"]["Items"]):
            entry |= {key: f"{name}/{entry[key]}" for key in entry if key.endswith("PolicyId") and entry[key]}
        for origin in config["Origins"]["Items"]:
            if origin["Id"] == "site":
                origin["DomainName"] = "origin.test"
                origin["CustomOriginConfig"] |= {"HTTPPort": self.site.port, "HTTPSPort": self.secure.port}
            else:
                origin |= {"DomainName": "bucket.s3.eu-west-1.amazonaws.com", "OriginAccessControlId": "oac"}
        return distribution(identifier, [], [{}]) | {
            "config": config | {"Enabled": True, "Aliases": many([f"{name}.sets.test"])}
        }

    def headers_policy(self) -> str:
        custom = [
            {"Header": "X-Set", "Value": "edge", "Override": True},
            {"Header": "X-Keep", "Value": "edge", "Override": False},
        ]
        security = {
            "StrictTransportSecurity": {
                "AccessControlMaxAgeSec": 300,
                "IncludeSubdomains": True,
                "Preload": False,
                "Override": True,
            },
            "ContentTypeOptions": {"Override": True},
            "FrameOptions": {"FrameOption": "SAMEORIGIN", "Override": False},
            "ReferrerPolicy": {"ReferrerPolicy": "same-origin", "Override": True},
            "XSSProtection": {"Protection": True, "ModeBlock": True, "Override": True},
            "ContentSecurityPolicy": {"ContentSecurityPolicy": "default-src 'self'", "Override": True},
        }
        return self.catalog.response(
            "headers",
            CustomHeadersConfig=many(custom),
            SecurityHeadersConfig=security,
            RemoveHeadersConfig=many([{"Header": "X-Powered-By"}, {"Header": "Server"}]),
            ServerTimingHeadersConfig={"Enabled": True, "SamplingRate": 100.0},
        )

    def cors_policy(self) -> str:
        config = {
            "AccessControlAllowOrigins": many(["https://*.friend.test"]),
            "AccessControlAllowHeaders": many(["X-Wish"]),
            "AccessControlAllowMethods": many(["GET", "OPTIONS"]),
            "AccessControlExposeHeaders": many(["X-Shown"]),
            "AccessControlAllowCredentials": True,
            "AccessControlMaxAgeSec": 60,
            "OriginOverride": True,
        }
        return self.catalog.response("cors", CorsConfig=config)
