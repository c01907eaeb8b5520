# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""WAF: web ACLs are checked, weighed and guarded as at AWS. No request is ever judged by them: the rehearsal's edge does not enforce them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from moto.cloudfront import urls
from moto.cloudfront.models import cloudfront_backends
from moto.cloudfront.responses import CloudFrontResponse
from moto.logs.models import logs_backends
from moto.wafv2.exceptions import WAFv2ClientError
from moto.wafv2.models import FakeWebACL, WAFV2Backend, wafv2_backends

from . import extension
from .cloudfront.store import API, table
from .patching import Function, wrap

#: Capacity units of AWS's managed groups.
GROUPS = {
    "AWSManagedRulesAdminProtectionRuleSet": 100,
    "AWSManagedRulesAmazonIpReputationList": 25,
    "AWSManagedRulesAnonymousIpList": 50,
    "AWSManagedRulesCommonRuleSet": 700,
    "AWSManagedRulesKnownBadInputsRuleSet": 200,
    "AWSManagedRulesLinuxRuleSet": 200,
    "AWSManagedRulesPHPRuleSet": 100,
    "AWSManagedRulesSQLiRuleSet": 200,
    "AWSManagedRulesUnixRuleSet": 100,
    "AWSManagedRulesWordPressRuleSet": 100,
}
#: Units of statements; a text transformation costs ten more.
UNITS = {"RegexMatchStatement": 3, "RateBasedStatement": 2, "LabelMatchStatement": 1, "GeoMatchStatement": 1}
MATCHES = {"CONTAINS": 10, "CONTAINS_WORD": 10}
MOST_UNITS = 5000
RATES = (10, 2_000_000_000)


class Refusal(WAFv2ClientError):
    """An error of the API by its code."""

    __module__ = "moto.wafv2.exceptions"  # moto finds the service by the module


def _invalid(field: str, value: Any, reason: str) -> Refusal:
    return Refusal(
        "WAFInvalidParameterException",
        f"Error reason: {reason}, field: {field}, parameter: {value}",
    )


def statements(statement: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return a statement and all those inside of it, with their kinds."""
    for kind, about in statement.items():
        yield kind, about
        for inner in about.get("Statements", []):
            yield from statements(inner)
        for name in ("Statement", "ScopeDownStatement"):
            if about.get(name):
                yield from statements(about[name])


def weigh(rules: list[dict[str, Any]]) -> int:
    """Return the capacity units of rules, as CheckCapacity counts them."""
    total = 0
    for rule in rules:
        for kind, about in statements(rule["Statement"]):
            if kind == "ManagedRuleGroupStatement":
                total += GROUPS[about["Name"]]
            elif kind == "ByteMatchStatement":
                total += MATCHES.get(about["PositionalConstraint"], 2)
            else:
                total += UNITS.get(kind, 0)
            total += 10 * sum(one["Type"] != "NONE" for one in about.get("TextTransformations", []))
    return total


def check(rules: list[dict[str, Any]]) -> None:
    """Refuse what WAF refuses of rules, by its error code."""
    for field in ("Name", "Priority"):
        values = [rule[field] for rule in rules]
        if len(set(values)) != len(values):
            raise _invalid(
                "RULE", values, f"You have used none or multiple values for a field that requires exactly one {field}"
            )
    for rule in rules:
        kinds = list(statements(rule["Statement"]))
        is_group = kinds[0][0] in ("ManagedRuleGroupStatement", "RuleGroupReferenceStatement")
        if is_group is not bool(rule.get("OverrideAction")) or is_group is bool(rule.get("Action")):
            raise _invalid("RULE", rule["Name"], "A rule group takes an override action, every other rule an action")
        for kind, about in kinds:
            if kind == "ManagedRuleGroupStatement" and about["Name"] not in GROUPS:
                raise Refusal("WAFNonexistentItemException", f"There is no managed rule group {about['Name']}.")
            if kind == "RateBasedStatement" and not RATES[0] <= about["Limit"] <= RATES[1]:
                raise _invalid("RATE_BASED_STATEMENT", about["Limit"], "The limit is out of bounds")
            if kind in ("AndStatement", "OrStatement") and len(about["Statements"]) < 2:
                raise _invalid("STATEMENT", rule["Name"], f"{kind} needs two statements or more")
    if weigh(rules) > MOST_UNITS:
        raise Refusal("WAFLimitsExceededException", f"The rules take {weigh(rules)} units, {MOST_UNITS} are allowed.")


def distributions_with(arn: str, account: str) -> list[str]:
    """Return the ids of the distributions that a web ACL guards."""
    every = table(cloudfront_backends[account]["aws"], "distribution").values()
    return [one.id for one in every if one.config.get("WebACLId") == arn]


@extension(
    "wafv2-checked-rules", "any rule is taken, none can be taken away again, and every web ACL weighs three units"
)
def _checked_rules() -> None:
    @wrap(WAFV2Backend, "create_web_acl")
    def create(original: Function, self: Any, *acl: Any) -> Any:
        rules = acl[6] or []
        check(rules)
        made = original(self, *acl)
        made.capacity = weigh(rules)
        return made

    @wrap(WAFV2Backend, "update_web_acl")
    def update(original: Function, self: Any, *acl: Any) -> Any:
        name, identifier, rules = acl[0], acl[1], acl[3] or []
        check(rules)
        token = original(self, *acl)
        found = self.get_web_acl(None, name, identifier)
        if not rules:
            found.rules = []  # an update replaces them, also by none
        found.capacity = weigh(rules)
        return token

    @wrap(FakeWebACL, "to_dict")
    def described(original: Function, self: Any) -> dict[str, Any]:
        return {name: value for name, value in original(self).items() if value is not None}


@extension(
    "wafv2-guarded-deletion", "a web ACL is deleted although it guards a distribution, and leaves its logging behind"
)
def _guarded_deletion() -> None:
    @wrap(WAFV2Backend, "delete_web_acl")
    def delete(original: Function, self: Any, *acl: str) -> None:
        name, _unused, identifier, _token = acl
        arn = self.get_web_acl(None, name, identifier).arn
        used = distributions_with(arn, self.account_id)
        if used:
            raise Refusal("WAFAssociatedItemException", f"The web ACL is associated with {', '.join(used)}.")
        original(self, *acl)
        # moto keeps web ACLs of CloudFront apart, but not their logging.
        for backend in wafv2_backends[self.account_id].values():
            backend.logging_configurations.pop(arn, None)


@extension(
    "cloudfront-web-acl-arns", "distributions are not found by the ARN of their web ACL, which has slashes in the path"
)
def _web_acl_arns() -> None:
    urls.url_paths["{0}/" + f"{API}/distributionsByWebACLId/(?P<id>.+)$"] = CloudFrontResponse.dispatch


@extension("wafv2-log-destinations", "requests are logged to anywhere, whether it exists and may be written to or not")
def _log_destinations() -> None:
    @wrap(WAFV2Backend, "put_logging_configuration")
    def put(original: Function, self: Any, arn: str, log_destination_configs: list[str], *args: Any) -> Any:
        if arn not in wafv2_backends[self.account_id]["global" if ":global/" in arn else self.region_name].wacls:
            raise Refusal("WAFNonexistentItemException", f"There is no web ACL {arn}.")
        for destination in log_destination_configs:
            name, region = destination.split(":")[-1], destination.split(":")[3]
            if not name.startswith("aws-waf-logs-"):
                raise _invalid("LOG_DESTINATION", destination, "The name of a log group must begin with aws-waf-logs-")
            wanted = "us-east-1" if ":global/" in arn else self.region_name
            if region != wanted or name not in logs_backends[self.account_id][region].groups:
                raise Refusal("WAFLogDestinationPermissionIssueException", f"There is no log group {name} in {wanted}.")
        return original(self, arn, log_destination_configs, *args)
