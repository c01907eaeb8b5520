# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource family of the module acm_certificate_request: one certificate, and its validation records by hosted zone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from . import _owned, _plan
from ._aws import STACK_TAG, Planned, merged_tags, tags_to_dict, tags_to_list, wait_for

#: Marks the certificates that this module requested, with the domain they were requested for.
DOMAIN_TAG = "wordpress_ha:certificate"
PENDING, ISSUED = "PENDING_VALIDATION", "ISSUED"
#: ListCertificates shows certificates of the first two types only, unless it is asked for all.
KEY_TYPES = [
    "RSA_1024",
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "EC_prime256v1",
    "EC_secp384r1",
    "EC_secp521r1",
]
MOST_NAMES, LONGEST_DOMAIN = 100, 64  # of one certificate; characters of the first name
RECORD_TTL = 300  # seconds
#: ACM tells a certificate's records, or that it exists at all, some seconds after it was requested.
SECONDS_UNTIL_TOLD = 120
ATTEMPTS = 3
NAME = re.compile(r"(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


# Pure


def plain(name: str) -> str:
    """Return a domain name as all comparisons here want it: small letters, no dot at the end."""
    return name.strip().lower().rstrip(".")


def base(name: str) -> str:
    """Return the name whose record validates a name: a wildcard has that of its parent."""
    return name.removeprefix("*.")


def covers(names: Iterable[str], wanted: str) -> bool:
    """Tell whether a certificate with these names serves a name; a wildcard stands for exactly one label."""
    return any(name == wanted or (name.startswith("*.") and wanted.split(".", 1)[1:] == [name[2:]]) for name in names)


def zone_of(name: str, zones: Mapping[str, str]) -> str | None:
    """Return the zone (by name, of those given with their ids) that holds a name: the one with the longest name."""
    labels = base(name).split(".")
    return next((zone for zone in (".".join(labels[cut:]) for cut in range(len(labels))) if zone in zones), None)


def tag_value(domain: str) -> str:
    """Return a domain as the value of a tag, where no asterisk may stand."""
    return domain.replace("*", "+")


def token(names: Iterable[str], algorithm: str, attempt: int = 0) -> str:
    """Return the token by which ACM tells a repeated request for an hour (32 letters and digits at most)."""
    text = " ".join([algorithm, str(attempt), *sorted(names)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def names_of(certificate: Mapping[str, Any]) -> list[str]:
    """Return all names of a described certificate, its first one first."""
    first = plain(certificate.get("DomainName", ""))
    others = {plain(name) for name in certificate.get("SubjectAlternativeNames") or []}
    return [first, *sorted(others - {first})]


def algorithm_of(certificate: Mapping[str, Any]) -> str:
    """Return the key algorithm, which some answers spell with a hyphen."""
    return str(certificate.get("KeyAlgorithm", "")).replace("-", "_")


def may_have(summary: Mapping[str, Any], wanted: Sequence[str]) -> bool:
    """Tell from an entry of the list whether a certificate may have or cover the wanted names; in doubt yes."""
    listed = summary.get("SubjectAlternativeNameSummaries")
    if plain(summary.get("DomainName", "")) == wanted[0] or not listed:
        return True
    if summary.get("HasAdditionalSubjectAlternativeNames"):
        return True
    names = [plain(name) for name in [summary.get("DomainName", ""), *listed]]
    return all(covers(names, name) for name in wanted)


def records_of(certificate: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the validation records by the name they validate; of a wildcard and its parent there is one."""
    found = {}
    for option in certificate.get("DomainValidationOptions") or []:
        record = option.get("ResourceRecord")
        if record:
            found[base(plain(option["DomainName"]))] = {
                "name": record["Name"],
                "type": record["Type"],
                "value": record["Value"],
            }
    return dict(sorted(found.items()))


def waiting_for(certificate: Mapping[str, Any]) -> list[str]:
    """Return the names that are not validated yet."""
    options = certificate.get("DomainValidationOptions") or []
    return sorted(option["DomainName"] for option in options if option.get("ValidationStatus") != "SUCCESS")


def change_batch(action: str, record_sets: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the parameter ChangeBatch of Route 53 that does the same to all record sets."""
    return {"Changes": [{"Action": action, "ResourceRecordSet": dict(one)} for one in record_sets]}


def record_set(record: Mapping[str, str]) -> dict[str, Any]:
    """Return a record as Route 53 takes it."""
    return {
        "Name": record["name"],
        "Type": record["type"],
        "TTL": RECORD_TTL,
        "ResourceRecords": [{"Value": record["value"]}],
    }


def checked_names(domain: str, others: Iterable[str]) -> list[str]:
    """Return all names, each once, the domain first. :raises Refused: there are too many."""
    names = [plain(domain), *sorted({plain(name) for name in others} - {plain(domain)})]
    if len(names) > MOST_NAMES:
        raise _plan.Refused(
            f"domain and alternative_names are {len(names)} names: a certificate has {MOST_NAMES} at most. "
            "Use a wildcard, or several certificates."
        )
    return names


def refuse_unissuable(names: Sequence[str]) -> None:
    """Raise ``Refused`` for names that ACM issues no certificate for."""
    for index, name in enumerate(names):
        where = "domain" if index == 0 else "alternative_names"
        if not NAME.fullmatch(name):
            raise _plan.Refused(
                f"{where} has {name!r}: ACM issues certificates for public host names only, such as www.example.org or "
                "*.example.org (international names in their xn-- form). Correct it, or import a certificate for it."
            )
    if len(names[0]) > LONGEST_DOMAIN:
        raise _plan.Refused(
            f"domain is {names[0]!r}, {len(names[0])} characters: ACM takes {LONGEST_DOMAIN} for the first name. "
            "Put a shorter one first, and this one into alternative_names."
        )


# With calls


class Certificate(Planned):
    """``certificate/<domain>`` and ``validation/<zone>``; to remove, ``certificate/<ARN>`` for all that are ours."""

    order = ("certificate", "validation")

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.names = checked_names(self.params["domain"], self.params["alternative_names"])
        self.domain = self.names[0]
        self.state = self.params["state"]
        self.acm = self.client("acm")
        self.dns = self.client("route53")
        self.found: dict[str, Any] = {}  # the fitting certificate, as described
        self.ours = False
        self.superseded: list[str] = []
        self.zones: dict[str, str] = {}
        self.summaries: list[dict[str, Any]] = []
        self.in_place: dict[str, dict[str, dict[str, Any]]] = {}
        self.request: dict[str, Any] | None = None

    # Reading

    def read(self) -> _plan.Tree:
        own, fitting = self._candidates()
        if self.state == "absent":
            return self._removable(own)
        self.superseded = sorted(arn for arn in own if arn not in fitting)
        if not fitting:
            return {}
        arn, self.found = max(fitting.items(), key=lambda item: _preference(item[1], item[0] in own))
        self.ours = arn in own
        tree = {f"certificate/{self.domain}": self._fields(own.get(arn, ({}, {}))[1])}
        if self.state == "present" and self._validates():
            tree.update(self._validations(self.found))
        return tree

    def _candidates(self) -> tuple[dict[str, tuple[dict[str, Any], dict[str, str]]], dict[str, dict[str, Any]]]:
        """Return our certificates with their tags, and the fitting ones, both by ARN."""
        own, fitting, covering = {}, {}, {}
        self.summaries = _owned.listed(
            self.acm,
            "list_certificates",
            "CertificateSummaryList",
            CertificateStatuses=[PENDING, ISSUED],
            Includes={"keyTypes": KEY_TYPES},
        )
        for summary in self.summaries:
            if not may_have(summary, self.names):
                continue
            one = self._described(summary["CertificateArn"])
            if one is None:
                continue
            arn, names = one["CertificateArn"], names_of(one)
            if names[0] == self.domain:
                answer = self.acm.list_tags_for_certificate(CertificateArn=arn, aws_retry=True)
                tags = tags_to_dict(answer.get("Tags"))
                if self._is_ours(tags):
                    own[arn] = (one, tags)
            if self._usable(one) and sorted(names) == sorted(self.names):
                fitting[arn] = one
            elif one["Status"] == ISSUED and all(covers(names, name) for name in self.names):
                covering[arn] = one
        return own, fitting or (covering if self.state == "gathered" else {})

    def _described(self, arn: str) -> dict[str, Any] | None:
        try:
            return dict(self.acm.describe_certificate(CertificateArn=arn, aws_retry=True)["Certificate"])
        except is_boto3_error_code("ResourceNotFoundException"):
            return None

    def _is_ours(self, tags: Mapping[str, str]) -> bool:
        stack = (self.params["tags"] or {}).get(STACK_TAG)
        return tags.get(DOMAIN_TAG) == tag_value(self.domain) and stack in (None, tags.get(STACK_TAG))

    def _usable(self, one: Mapping[str, Any]) -> bool:
        """Tell whether a certificate with the right names will do: of the right key, and not waiting for somebody's mail."""
        algorithm = self.params["key_algorithm"]
        methods = {option.get("ValidationMethod") for option in one.get("DomainValidationOptions") or []}
        return algorithm in (None, algorithm_of(one)) and (one["Status"] == ISSUED or "EMAIL" not in methods)

    def _fields(self, tags: Mapping[str, str]) -> _plan.Fields:
        return {
            "arn": self.found["CertificateArn"],
            "alternative_names": sorted({*names_of(self.found)} - {self.domain}),
            "key_algorithm": algorithm_of(self.found),
            **({"tags": dict(tags)} if self.ours else {}),
        }

    def _removable(self, own: Mapping[str, tuple[dict[str, Any], dict[str, str]]]) -> _plan.Tree:
        """Return our certificates and their records, unless one is in use; records that others need are left out."""
        tree: _plan.Tree = {}
        for arn, (one, tags) in own.items():
            users = one.get("InUseBy") or []
            if users:
                raise _plan.Refused(
                    f"The certificate {arn} for {self.domain} is in use by {', '.join(sorted(users))}. "
                    "Take it away there first, then remove it."
                )
            tree[f"certificate/{arn}"] = {"arn": arn, "alternative_names": names_of(one)[1:], "tags": tags}
        if self._writes_records():
            for one, _unused in own.values():
                tree.update(self._validations(one, missing_zones=True, leave=self._needed(set(own))))
        return tree

    def _needed(self, removed: set[str]) -> set[str]:
        """Return the names whose records other certificates of this region need for their renewal."""
        needed: set[str] = set()
        for summary in self.summaries:
            if summary["CertificateArn"] not in removed and summary.get("Type") != "IMPORTED":
                names = [summary.get("DomainName", ""), *(summary.get("SubjectAlternativeNameSummaries") or [])]
                needed |= {base(plain(name)) for name in names}
        return needed

    # Zones and records

    def _writes_records(self) -> bool:
        return bool(self.params["write_records"])

    def _validates(self) -> bool:
        """Tell whether the records of the certificate are ours to keep: ACM renews only while they stand."""
        return self._writes_records() and (self.ours or self.found["Status"] == PENDING)

    def _known_zones(self) -> dict[str, str]:
        """Return the public zones to choose from: name to id; those of ``validation_zones``, or all of the account."""
        if not self.zones:
            given = self.params["validation_zones"]
            public: dict[str, str] = {}
            for zone in _owned.listed(self.dns, "list_hosted_zones", "HostedZones"):
                name, identity = plain(zone["Name"]), zone["Id"].rsplit("/", 1)[-1]
                if zone.get("Config", {}).get("PrivateZone") or not _chosen(name, identity, given):
                    continue
                if name in public:
                    raise _plan.Refused(
                        f"There are two public hosted zones {name}: {public[name]} and {identity}. "
                        "Give the id of the one that the world asks in validation_zones."
                    )
                public[name] = identity
            self.zones = public
        return self.zones

    def _zone_of(self, name: str) -> str | None:
        if not _plan.is_known(self.params["validation_zones"] or []):
            return _plan.UNKNOWN
        return zone_of(name, self._known_zones())

    def _by_zone(self, names: Iterable[str], missing_zones: bool = False) -> dict[str, list[str]]:
        """Return the names to validate by their zone. :raises Refused: a name is in none, unless that may be."""
        result: dict[str, list[str]] = {}
        for name in sorted({base(name) for name in names}):
            zone = self._zone_of(name)
            if zone is None and not missing_zones:
                raise _plan.Refused(
                    f"{name} is in none of the public hosted zones ({', '.join(sorted(self._known_zones())) or 'there are none'}"
                    f"; validation_zones is {self.params['validation_zones']!r}). Create its zone in Route 53, or set write_records "
                    "to false and write the records that validation_records tells elsewhere."
                )
            if zone is not None:
                result.setdefault(zone, []).append(name)
        return result

    def _validations(
        self, certificate: Mapping[str, Any], missing_zones: bool = False, leave: Iterable[str] = ()
    ) -> _plan.Tree:
        """Return, by zone, which records of a certificate stand in Route 53 as they should."""
        records = records_of(certificate)
        tree: _plan.Tree = {}
        for zone, names in self._by_zone(records, missing_zones).items():
            if not _plan.is_known(zone):
                continue
            standing = self.in_place.setdefault(zone, {})
            for name in sorted(set(names) - set(leave)):
                if found := self._standing(self.zones[zone], records[name]):
                    standing[name] = found
            if standing:
                tree[f"validation/{zone}"] = {"zone_id": self.zones[zone], "domains": sorted(standing)}
        return tree

    def _standing(self, zone_id: str, record: Mapping[str, str]) -> dict[str, Any] | None:
        """Return a record as it stands, if it has the right value."""
        page = self.dns.list_resource_record_sets(
            HostedZoneId=zone_id,
            StartRecordName=record["name"],
            StartRecordType=record["type"],
            MaxItems="1",
            aws_retry=True,
        )
        for found in page["ResourceRecordSets"]:
            values = [plain(one["Value"]) for one in found.get("ResourceRecords", [])]
            if (plain(found["Name"]), found["Type"], values) == (
                plain(record["name"]),
                record["type"],
                [plain(record["value"])],
            ):
                return dict(found)
        return None

    # Planning

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        key = f"certificate/{self.domain}"
        now = current.get(key)
        given = {tag: str(value) for tag, value in (self.params["tags"] or {}).items()}
        mark = {DOMAIN_TAG: tag_value(self.domain)}
        if now is None:
            refuse_unissuable(self.names)
            tags = {**given, **mark}
            algorithm = self.params["key_algorithm"] or "RSA_2048"
            self.request = self._request(algorithm, tags)
            tree: _plan.Tree = {key: {"alternative_names": self.names[1:], "key_algorithm": algorithm, "tags": tags}}
            needed = self.names if self._writes_records() else []
        else:
            kept = None
            if self.ours and self.params["tags"] is not None:
                kept = merged_tags(now["tags"], {**given, **mark}, self.params["purge_tags"])
            tree = {key: {"alternative_names": now["alternative_names"], "tags": kept}}
            needed = self.names if self._validates() else []
        for zone, names in self._by_zone(needed).items():
            tree[f"validation/{zone}"] = {"zone_id": self.zones.get(zone, _plan.UNKNOWN), "domains": names}
        return tree

    def _request(self, algorithm: str, tags: Mapping[str, str], attempt: int = 0) -> dict[str, Any]:
        return {
            "DomainName": self.domain,
            "ValidationMethod": "DNS",
            **({"SubjectAlternativeNames": self.names[1:]} if self.names[1:] else {}),
            "IdempotencyToken": token(self.names, algorithm, attempt),
            "KeyAlgorithm": algorithm,
            "Tags": tags_to_list(tags),
        }

    # Writing

    def _create_certificate(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        for attempt in range(ATTEMPTS):
            self.request = self._request(change.after["key_algorithm"], change.after["tags"], attempt)
            arn = self.acm.request_certificate(**self.request, aws_retry=True)["CertificateArn"]
            if self._told(arn):
                self.ours = True
                return {"arn": arn}
        raise _plan.Refused(f"ACM does not describe the certificate it made for {self.domain}. Run again later.")

    def _told(self, arn: str) -> bool:
        """Wait until ACM tells the records; False if it does not know the certificate.

        For an hour ACM answers a token with the certificate that it made for it, also after that was deleted.
        """
        looks: list[dict[str, Any] | None] = []

        def told() -> bool:
            looks.append(self._described(arn))
            found = looks[-1]
            if found is None:
                return len(looks) > SECONDS_UNTIL_TOLD / 4
            wanted = {base(name) for name in self.names}
            return found["Status"] != PENDING or set(records_of(found)) >= wanted

        wait_for(self.module, f"the validation records of {arn}", told, SECONDS_UNTIL_TOLD, delay=2)
        self.found = looks[-1] or {}
        return bool(self.found)

    def _update_certificate(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        arn = self.found["CertificateArn"]
        added, removed = _owned.tag_changes(change.before["tags"], change.after["tags"])
        if added:
            self.acm.add_tags_to_certificate(CertificateArn=arn, Tags=tags_to_list(added), aws_retry=True)
        if removed:
            gone = [{"Key": tag, "Value": change.before["tags"][tag]} for tag in removed]
            self.acm.remove_tags_from_certificate(CertificateArn=arn, Tags=gone, aws_retry=True)
        return {}

    def _delete_certificate(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        try:
            self.acm.delete_certificate(CertificateArn=change.name, aws_retry=True)
        except is_boto3_error_code("ResourceNotFoundException"):
            pass
        except is_boto3_error_code("ResourceInUseException") as error:
            raise _plan.Refused(
                f"AWS does not remove the certificate {change.name}: {error.response['Error']['Message']}. "
                "Take it away where it is used, then remove it."
            ) from error
        return {}

    def _create_validation(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        """Write the records of one zone in one call; those that stand already are not written again."""
        if not set(records_of(self.found)) >= set(change.after["domains"]):
            self._told(self.found["CertificateArn"])  # a run that was killed asked for it just now
        records = records_of(self.found)
        missing = [name for name in change.after["domains"] if name not in self.in_place.get(change.name, {})]
        self._change(change.name, change_batch("UPSERT", [record_set(records[name]) for name in missing]))
        return {}

    _update_validation = _create_validation

    def _delete_validation(self, change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self._change(change.name, change_batch("DELETE", self.in_place[change.name].values()))
        return {}

    def _change(self, zone: str, batch: Mapping[str, Any]) -> None:
        self.dns.change_resource_record_sets(HostedZoneId=self.zones[zone], ChangeBatch=batch, aws_retry=True)

    # Waiting and reporting

    def settle(self, tree: _plan.Tree) -> _plan.Tree:
        """Wait until the certificate is issued; every look is written to the system's log."""
        if not self.params["wait"] or self.found["Status"] == ISSUED:
            return tree
        arn = self.found["CertificateArn"]

        def issued() -> bool:
            found = self._described(arn)
            if found is None:
                raise _plan.Refused(f"The certificate {arn} was removed while this run waited for it. Run again.")
            self.found = found
            if found["Status"] not in (PENDING, ISSUED):
                raise _plan.Refused(
                    f"The certificate {arn} for {self.domain} is {found['Status']}: {found.get('FailureReason', 'no reason given')}. "
                    "Look at the CAA records and the delegation of the zone, then run again: a new one is requested."
                )
            self.module.log(f"Certificate {arn} is {found['Status']}, waiting for {', '.join(waiting_for(found))}")
            return bool(found["Status"] == ISSUED)

        what = f"ACM to see the validation records of {self.domain} and issue {arn}"
        wait_for(self.module, what, issued, self.params["wait_timeout"], delay=10)
        return tree

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        fields = tree.get(f"certificate/{self.domain}")
        common = {"domain": self.domain, "superseded": self.superseded, "request": self.request}
        if fields is None:
            empty: dict[str, Any] = {"arn": None, "status": None, "alternative_names": [], "key_algorithm": None}
            return {**common, **empty, "ours": False, "validation_records": []}
        new = not self.found
        records = records_of(self.found)
        predicted = {name: dict.fromkeys(("name", "type", "value"), _plan.UNKNOWN) for name in map(base, self.names)}
        status = ISSUED if self.params["wait"] else PENDING
        return {
            **common,
            "arn": fields.get("arn", _plan.UNKNOWN),
            "status": status if new else self.found["Status"],
            "alternative_names": fields["alternative_names"],
            "key_algorithm": fields.get("key_algorithm"),
            "ours": new or self.ours,
            "validation_records": [
                {"domain": name, **record} for name, record in sorted((predicted if new else records).items())
            ],
        }


def _preference(certificate: Mapping[str, Any], ours: bool) -> tuple[bool, bool, str]:
    """Rank the fitting certificates: issued ones first, then ours, then the newest."""
    made = certificate.get("CreatedAt") or certificate.get("ImportedAt")
    return certificate["Status"] == ISSUED, ours, made.isoformat() if made else ""


def _chosen(name: str, identity: str, given: Sequence[str] | None) -> bool:
    if given is None:
        return True
    return any(one.rsplit("/", 1)[-1] == identity or plain(one) == name for one in given)
