# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the edge and the DNS should make true, read from moto's backends: plain data, nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.acm.models import AWS_ROOT_CA, acm_backends

from .extensions.cloudfront import distributions, functions, invalidations, kinds
from .extensions.cloudfront.store import Record, table

Backends = Callable[[str], Any]
#: The edge takes its certificates from this region alone.
EDGE_REGION = "us-east-1"


def describe(backends: Backends, account: str) -> dict[str, Any]:
    """Return the edge's part of the answer to GET /_data_plane/desired."""
    cloudfront = backends("cloudfront")
    acm = acm_backends[account][EDGE_REGION]
    return {
        "distributions": [_distribution(acm, one) for one in distributions.distributions(cloudfront).values()],
        "cloudfront": {
            **{
                kind.plural: {one.id: one.config for one in kinds.records(cloudfront, kind.method).values()}
                for kind in kinds.KINDS
            },
            "origin_access_controls": {
                one.id: one.config for one in table(cloudfront, "origin_access_control").values()
            },
            "functions": {one.arn: _function(one) for one in functions.live(cloudfront)},
            "vpc_origins": {
                one.id: {
                    "arn": one.config["Arn"],
                    "dns_name": _dns_name(backends("elbv2"), one.config["Arn"]),
                    "config": one.config,
                }
                for one in table(cloudfront, "vpc_origin").values()
            },
        },
        "invalidations": [
            {"id": one.id, "distribution_id": one.more["distribution"], "paths": invalidations.paths(one)}
            for one in invalidations.in_progress(cloudfront)
        ],
        "records": [
            _record(record)
            for zone in backends("route53").zones.values()
            for record in zone.rrsets
            if record.type not in ("NS", "SOA")
        ],
    }


def certificate(acm: Any, arn: str) -> dict[str, Any]:
    """Return a certificate with its key, for what serves it, without Amazon's root that moto adds to its chain."""
    known = acm._certificates.get(arn)
    if known is None:
        return {"arn": arn, "certificate": None, "chain": None, "private_key": None}
    chain = known.chain.decode().replace(AWS_ROOT_CA.decode(), "").strip()
    return {
        "arn": arn,
        "certificate": known.cert.decode(),
        "chain": chain + "\n" if chain else "",
        "private_key": known.key.decode(),
    }


def _distribution(acm: Any, record: Record) -> dict[str, Any]:
    arn = record.config["ViewerCertificate"].get("ACMCertificateArn")
    return {
        "id": record.id,
        "arn": record.arn,
        "domain_name": record.more["domain_name"],
        "enabled": record.config["Enabled"],
        "status": distributions.status(record),
        "etag": record.etag,
        "config": record.config,
        "certificate": certificate(acm, arn) if arn else None,
    }


def _function(record: Record) -> dict[str, str]:
    code = record.more["code"]
    return {
        "name": record.id,
        "runtime": record.config["Runtime"],
        "code": code.decode() if isinstance(code, bytes) else str(code),
    }


def _dns_name(elbv2: Any, arn: str) -> str | None:
    """Return the name of the load balancer behind an ARN, None when there is no such one."""
    balancer = elbv2.load_balancers.get(arn)
    return str(balancer.dns_name) if balancer else None


def _record(record: Any) -> dict[str, Any]:
    identity = {"name": record.name.rstrip("."), "type": record.type}
    if record.alias_target:
        return {**identity, "alias": record.alias_target["DNSName"].rstrip(".")}
    return {**identity, "values": list(record.records or [])}
