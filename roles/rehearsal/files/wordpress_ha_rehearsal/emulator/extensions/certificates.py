# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificate Manager: what it issues waits for its validation records in Route 53."""

from __future__ import annotations

import datetime
import hashlib
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from moto.acm.exceptions import AWSError
from moto.acm.models import AWSCertificateManagerBackend, CertBundle
from moto.acm.responses import AWSCertificateManagerResponse
from moto.cloudfront.models import cloudfront_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.utils import utcnow
from moto.elbv2.models import elbv2_backends
from moto.route53.models import route53_backends

from . import extension
from .cloudfront.store import table
from .patching import Function, add, wrap

#: A certificate that Amazon issues is valid for thirteen months.
VALID_DAYS = 395
#: The curves by the names of the API; everything else is RSA of the length in the name.
CURVES: dict[str, type[ec.EllipticCurve]] = {
    "EC_prime256v1": ec.SECP256R1,
    "EC_secp384r1": ec.SECP384R1,
    "EC_secp521r1": ec.SECP521R1,
}
#: What ListCertificates shows when it is not asked for key types.
LISTED_KEY_TYPES = ["RSA_1024", "RSA_2048"]


def validation_record(domain: str) -> dict[str, str]:
    """Return the CNAME that proves a domain; a wildcard and its parent share one."""
    parent = domain.removeprefix("*.")
    name, value = (hashlib.md5(f"{part}{parent}".encode(), usedforsecurity=False).hexdigest() for part in "nv")
    return {"Name": f"_{name}.{parent}.", "Type": "CNAME", "Value": f"_{value}.rehearsal.acm-validations.aws."}


def proved(domain: str) -> bool:
    """Tell whether a hosted zone of the account answers with the record that proves a domain."""
    wanted = validation_record(domain)
    return any(
        record.name.rstrip(".") == wanted["Name"].rstrip(".")
        and record.type == wanted["Type"]
        and wanted["Value"].rstrip(".") in [value.rstrip(".") for value in record.records or []]
        for zone in route53_backends[DEFAULT_ACCOUNT_ID]["aws"].zones.values()
        if not zone.private_zone
        for record in zone.rrsets
    )


def users(arn: str) -> list[str]:
    """Return the ARNs of the load balancers and distributions that serve a certificate."""
    region = arn.split(":")[3]
    balancers = elbv2_backends[DEFAULT_ACCOUNT_ID][region].load_balancers.values()
    distributions = table(cloudfront_backends[DEFAULT_ACCOUNT_ID]["aws"], "distribution").values()
    return [
        *(
            balancer.arn
            for balancer in balancers
            if any(arn in (listener.certificates or []) for listener in balancer.listeners.values())
        ),
        *(
            one.arn
            for one in distributions
            if (one.config.get("ViewerCertificate") or {}).get("ACMCertificateArn") == arn
        ),
    ]


def issue(bundle: Any, domains: list[str], algorithm: str) -> None:
    """Give a requested certificate its names in order and a key of the algorithm asked for, signed by that key."""
    key: Any
    if algorithm in CURVES:
        key = ec.generate_private_key(CURVES[algorithm]())
    else:
        key = rsa.generate_private_key(65537, int(algorithm.removeprefix("RSA_")))
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, domains[0])])
    now = utcnow()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain) for domain in domains]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, pkcs8, plain = (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    bundle.cert, bundle.key = certificate.public_bytes(pem), key.private_bytes(pem, pkcs8, plain)
    bundle._cert, bundle._key, bundle.sans = certificate, key, list(domains)
    bundle.issuer_common_name = "Amazon RSA 2048 M02"


def _validation(bundle: Any, domain: str, known: bool) -> dict[str, Any]:
    made = {
        "DomainName": domain,
        "ValidationDomain": domain,
        "ValidationStatus": "SUCCESS" if bundle.status == "ISSUED" else bundle.status,
        "ValidationMethod": "DNS",
    }
    return {**made, "ResourceRecord": validation_record(domain)} if known else made


@extension("acm-dns-validation", "a requested certificate is issued after a minute, whatever the DNS says")
def _dns_validation() -> None:
    @add(CertBundle)
    def check(self: Any) -> None:
        if self.type == "AMAZON_ISSUED" and self.status == "PENDING_VALIDATION" and all(map(proved, self.sans)):
            self.status, self.issued_at = "ISSUED", utcnow()

    @wrap(CertBundle, "describe")
    def describe(original: Function, self: Any) -> dict[str, Any]:
        answer: dict[str, Any] = original(self)
        described = answer["Certificate"]
        described["InUseBy"] = users(self.arn)
        if self.type == "AMAZON_ISSUED":
            known, self.told = getattr(self, "told", True), True  # ACM itself tells the records a little late
            described["DomainValidationOptions"] = [_validation(self, domain, known) for domain in self.sans]
            if self.status != "ISSUED":
                for name in ("IssuedAt", "NotBefore", "NotAfter", "Serial"):
                    described.pop(name, None)
        return answer

    @wrap(AWSCertificateManagerResponse, "request_certificate")
    def request(original: Function, self: Any) -> Any:
        known = set(self.acm_backend._certificates)
        answer = original(self)
        bundle = self.acm_backend._certificates[answer.result["CertificateArn"]]
        if bundle.arn not in known and bundle.type == "AMAZON_ISSUED":
            names = [self._get_param("DomainName"), *(self._get_param("SubjectAlternativeNames") or [])]
            issue(bundle, list(dict.fromkeys(names)), self._get_param("KeyAlgorithm") or "RSA_2048")
            bundle.told = False
        return answer


@extension("acm-rules", "certificates in use can be deleted, pending ones read, and all key types are listed unasked")
def _rules() -> None:
    @wrap(AWSCertificateManagerResponse, "get_certificate")
    def get(original: Function, self: Any) -> Any:
        known = self.acm_backend._certificates.get(self._get_param("CertificateArn"))
        if known is not None and self.acm_backend.get_certificate(known.arn).status == "PENDING_VALIDATION":
            raise AWSError("The certificate request is in progress and pending.", "RequestInProgressException")
        return original(self)

    @wrap(AWSCertificateManagerBackend, "delete_certificate")
    def delete(original: Function, self: Any, arn: str) -> None:
        if arn in self._certificates and users(arn):
            raise AWSError(f"Certificate {arn} in account {self.account_id} is in use.", "ResourceInUseException")
        original(self, arn)

    @wrap(AWSCertificateManagerBackend, "list_certificates")
    def list_all(original: Function, self: Any, statuses: list[str], includes: dict[str, Any] | None) -> Any:
        wanted = {key[0].lower() + key[1:]: value for key, value in (includes or {}).items()}
        return original(self, statuses, {"keyTypes": LISTED_KEY_TYPES, **wanted})
