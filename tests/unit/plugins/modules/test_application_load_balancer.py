# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""application_load_balancer: the module contract, replacement of lists, and the normal forms of actions and conditions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import contract
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _listeners, _plan
from ansible_collections.wordpress_ha.aws.plugins.modules import application_load_balancer as module

CHECK = {"path": "/healthz/ready", "interval": 10, "timeout": 5, "healthy": 2, "unhealthy": 3, "matcher": "200"}
WEB = {
    "port": 80,
    "health_check": CHECK,
    "attributes": {
        "deregistration_delay.timeout_seconds": 60,
        "slow_start.duration_seconds": 30,
        "stickiness.enabled": False,
    },
}
HTTP = {"port": 80, "protocol": "HTTP", "default_action": {"redirect": {"protocol": "HTTPS", "port": "443"}}}


def prepare() -> dict[str, Any]:
    """Create what a balancer stands in; return the parameters of one with both listeners and a rule."""
    ec2, acm = boto3.client("ec2"), boto3.client("acm")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate("abc")
    ]
    group = ec2.create_security_group(GroupName="lb", Description="lb", VpcId=vpc)["GroupId"]
    certificates = [acm.request_certificate(DomainName=f"{one}.example.test")["CertificateArn"] for one in "abc"]
    https = {
        "port": 443,
        "protocol": "HTTPS",
        "certificate_arns": certificates[:2],
        "default_action": {"forward": "blog-web"},
        "rules": [
            {
                "priority": 10,
                "conditions": {
                    "path_pattern": ["/xmlrpc.php"],
                    "query_string": ["a=b", "c"],
                    "http_header": {"X-A": ["1"]},
                },
                "action": {"fixed_response": {"status_code": "403"}},
            }
        ],
    }
    return {
        "name": "blog",
        "vpc_id": vpc,
        "subnet_ids": subnets[1::-1],
        "security_group_ids": [group],
        "attributes": {"idle_timeout.timeout_seconds": 65, "routing.http.drop_invalid_header_fields.enabled": True},
        "target_groups": {"blog-web": WEB},
        "listeners": [HTTP, https],
        "tags": {"wordpress_ha:stack": "blog", "wordpress_ha:role": "load_balancer"},
        "_certificates": certificates,
        "_subnets": subnets,
    }


def public(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if not name.startswith("_")}


@pytest.fixture
def params(aws: Callable[[str], Any]) -> Iterator[dict[str, Any]]:
    yield prepare()


def left() -> list[Any]:
    elb = boto3.client("elbv2")
    return [*elb.describe_load_balancers()["LoadBalancers"], *elb.describe_target_groups()["TargetGroups"]]


def test_contract(params: dict[str, Any]) -> None:
    https = params["listeners"][1]
    rule = https["rules"][0]
    modified = {
        **public(params),
        "subnet_ids": params["_subnets"],
        "attributes": {"idle_timeout.timeout_seconds": 90},
        "target_groups": {
            "blog-web": {**WEB, "health_check": {"path": "/healthz/live", "interval": 15}},
            "blog-admin": {"port": 8080},
        },
        "listeners": [
            {**HTTP, "default_action": {"redirect": {"protocol": "HTTPS", "port": "443", "status_code": "302"}}},
            {
                **https,
                "certificate_arns": [https["certificate_arns"][0], params["_certificates"][2]],
                "ssl_policy": "ELBSecurityPolicy-TLS13-1-3-2021-06",
                "rules": [
                    {
                        **rule,
                        "conditions": {"path_pattern": ["/xmlrpc.php", "/a"]},
                        "action": {"forward": "blog-admin"},
                    },
                    {**rule, "priority": 20, "conditions": {"host_header": ["b", "a"], "source_ip": ["10.0.0.0/8"]}},
                ],
            },
        ],
        "tags": {"wordpress_ha:stack": "blog"},
        "purge_tags": True,
    }
    first = contract.keep(module, public(params), modified, left=left)
    assert [one["port"] for one in first.facts["listeners"]] == [80, 443]
    assert set(first.facts["target_groups"]) == {"blog-web"}


def test_new_https_listener_gets_a_modern_policy(params: dict[str, Any]) -> None:
    sent = contract.succeed(module, public(params)).sent("CreateListener")
    assert {one["Port"]: one.get("SslPolicy") for one in sent} == {80: None, 443: "ELBSecurityPolicy-TLS13-1-2-2021-06"}


def test_lists_replace_and_unset_leaves_alone(params: dict[str, Any]) -> None:
    params = public(params)
    contract.succeed(module, params)
    bare = {name: params[name] for name in ("name", "vpc_id", "subnet_ids", "security_group_ids")}
    assert contract.succeed(module, bare).result["changed"] is False
    without_rules = {**params["listeners"][1], "rules": None}
    fewer = contract.converge(module, {**params, "listeners": [without_rules]})
    assert [action["resource"] for action in fewer.result["actions"]] == ["listener/80"]
    none = contract.converge(module, {**params, "listeners": [{**without_rules, "rules": []}]})
    assert [action["resource"] for action in none.result["actions"]] == ["rule/443/10"]


def test_a_target_group_is_swapped_without_a_gap(params: dict[str, Any]) -> None:
    params = public(params)
    contract.succeed(module, params)
    swapped = {**params, "target_groups": {"blog-new": {"port": 81}}, "listeners": [HTTP, {**params["listeners"][1]}]}
    swapped["listeners"][1]["default_action"] = {"forward": "blog-new"}
    run = contract.converge(module, swapped)
    order = [f"{action['action']} {action['resource']}" for action in run.result["actions"]]
    assert order == ["create target_group/blog-new", "update listener/443", "delete target_group/blog-web"]


def test_others_are_left_alone(params: dict[str, Any]) -> None:
    elb = boto3.client("elbv2")
    elb.create_target_group(Name="foreign", Port=80, Protocol="HTTP", VpcId=params["vpc_id"])
    contract.succeed(module, public(params))
    contract.refuse(module, {**public(params), "tags": {"wordpress_ha:stack": "shop"}, "state": "absent"}, "'blog'")
    contract.succeed(module, {**public(params), "state": "absent"})
    assert [group["TargetGroupName"] for group in elb.describe_target_groups()["TargetGroups"]] == ["foreign"]


def test_deletion_protection_is_honoured(params: dict[str, Any]) -> None:
    contract.succeed(module, {**public(params), "attributes": {"deletion_protection.enabled": True}})
    contract.refuse(module, {**public(params), "state": "absent"}, "deletion protection")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"listeners": [{**HTTP, "default_action": {"forward": "typo"}}]}, ("'typo'", "blog-web")),
        ({"listeners": [HTTP, HTTP]}, ("80", "twice")),
        ({"listeners": [{**HTTP, "protocol": "HTTPS"}]}, ("certificate_arns",)),
        ({"target_groups": {"blog-web": {"helth_check": {}}}}, ("target_groups.blog-web", "helth_check")),
        ({"target_groups": {"blog-web": {"port": "eighty"}}}, ("target_groups.blog-web", "port")),
        (
            {"listeners": [{**HTTP, "rules": [{"priority": 1, "conditions": {}, "action": {"forward": "blog-web"}}]}]},
            ("no condition",),
        ),
        ({"listeners": [{**HTTP, "default_action": {}}]}, ("forward",)),
    ],
)
def test_impossible_input_is_refused(params: dict[str, Any], change: dict[str, Any], words: tuple[str, ...]) -> None:
    contract.refuse(module, {**public(params), **change}, *words)


def test_fixed_properties_are_refused(params: dict[str, Any]) -> None:
    contract.succeed(module, public(params))
    contract.refuse(
        module, {**public(params), "target_groups": {"blog-web": {**WEB, "port": 81}}}, "port", "target_group/blog-web"
    )
    contract.refuse(module, {**public(params), "scheme": "internal"}, "scheme")


def test_unknown_inputs_in_check_mode(aws: Callable[[str], Any]) -> None:
    unknown = "(known after apply)"
    https = {"port": 443, "protocol": "HTTPS", "certificate_arns": [unknown], "default_action": {"forward": "blog-web"}}
    params = {"name": "blog", "vpc_id": unknown, "subnet_ids": [unknown], "security_group_ids": [unknown]}
    params.update(target_groups={"blog-web": WEB}, listeners=[https])
    predicted = contract.succeed(module, params, check=True)
    assert predicted.facts["target_groups"] == {"blog-web": unknown}
    assert predicted.facts["dns_name"] == unknown


def test_survives_kills() -> None:
    def setting() -> dict[str, Any]:
        return public(prepare())

    assert contract.survive_kills(module, {}, setting) >= 10


def test_survives_lost_answers() -> None:
    assert contract.survive_lost_answers(module, {}, lambda: public(prepare()))


def hosted(params: dict[str, Any], *sites: str) -> dict[str, Any]:
    """Return parameters of a balancer with a target group and a rule for each site, by host name, in this order."""
    groups = {"blog-web": WEB, **{f"blog-{site}": {**WEB, "port": 8080} for site in sites}}
    rules = [
        {
            "priority": 100 * number,
            "conditions": {"host_header": [f"{site}.example.test"]},
            "action": {"forward": f"blog-{site}"},
        }
        for number, site in enumerate(sites, start=1)
    ]
    listeners = [{"port": 80, "protocol": "HTTP", "default_action": {"forward": "blog-web"}, "rules": rules}]
    return {**public(params), "target_groups": groups, "listeners": listeners}


def test_the_cost_of_a_site_is_constant(params: dict[str, Any]) -> None:
    """R35: each further site costs one call, for the attributes of its target group, and its share of a batch of tags."""
    calls: dict[int, int] = {}
    for count in (1, 5, 20):
        wanted = hosted(params, *(f"s{number}" for number in range(count)))
        contract.succeed(module, wanted)
        again = contract.succeed(module, wanted)
        assert again.result["changed"] is False
        calls[count] = len(again.calls)
        attributes = [call for call in again.calls if call.action == "DescribeTargetGroupAttributes"]
        assert len(attributes) == count + 1
    assert calls[5] - calls[1] <= 4 + 1
    assert calls[20] - calls[5] <= 15 + 2
    assert calls[1] <= 8, calls


def steps(run: contract.Outcome) -> list[str]:
    return [f"{one['action']} {one['resource']}" for one in run.result["actions"] if one["resource"].startswith("rule")]


def test_sites_change_places_without_a_gap(params: dict[str, Any]) -> None:
    """A rule is overwritten only once what it said stands elsewhere."""
    contract.succeed(module, hosted(params, "a", "b", "c"))
    first = contract.converge(module, hosted(params, "new", "a", "b", "c"))
    assert steps(first) == ["create rule/80/400", "update rule/80/300", "update rule/80/200", "update rule/80/100"]
    gone = contract.converge(module, hosted(params, "new", "b", "c"))
    assert steps(gone) == ["update rule/80/200", "update rule/80/300", "delete rule/80/400"]
    contract.converge(module, hosted(params, "c", "b", "new"))  # a circle: one has to come first
    appended = contract.converge(module, hosted(params, "c", "b", "new", "d"))
    assert steps(appended) == ["create rule/80/400"]


def test_an_old_tls_policy_is_refused_before_anything_is_written(params: dict[str, Any]) -> None:
    http, https = params["listeners"]
    for policy in (
        "ELBSecurityPolicy-2016-08",
        "ELBSecurityPolicy-TLS13-1-0-2021-06",
        "ELBSecurityPolicy-FS-1-1-2019-08",
    ):
        wanted = {**public(params), "listeners": [http, {**https, "ssl_policy": policy}]}
        contract.refuse(module, wanted, policy, "TLS 1.2", "weak-tls")
        assert contract.run(module, wanted, check=True).failed
    for policy in ("ELBSecurityPolicy-TLS13-1-3-2021-06", "ELBSecurityPolicy-TLS-1-2-Ext-2018-06"):
        contract.succeed(module, {**public(params), "listeners": [http, {**https, "ssl_policy": policy}]})


FORBIDDEN = {"fixed_response": {"status_code": "403"}}
HEADER = {"name": "X-Origin-Verify", "secret_arn": "blog/origin", "secret_key": "header_value"}


def guarded(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters of a balancer whose one listener serves only who sends the secret header."""
    rule = {"priority": 1, "conditions": {"http_header_secret": HEADER}, "action": {"forward": "blog-web"}}
    listener = {"port": 80, "protocol": "HTTP", "default_action": FORBIDDEN, "rules": [rule]}
    return {**public(params), "listeners": [listener]}


def put(value: str) -> None:
    """Give the secret a new version."""
    secrets, text = boto3.client("secretsmanager"), json.dumps({"header_value": value})
    try:
        secrets.create_secret(Name="blog/origin", SecretString=text)
    except secrets.exceptions.ResourceExistsException:
        secrets.put_secret_value(SecretId="blog/origin", SecretString=text)


def accepted() -> list[str]:
    """Return the values of the header that the balancer's rules accept."""
    elb = boto3.client("elbv2")
    arn = elb.describe_load_balancers(Names=["blog"])["LoadBalancers"][0]["LoadBalancerArn"]
    listener = elb.describe_listeners(LoadBalancerArn=arn)["Listeners"][0]["ListenerArn"]
    conditions = [one for rule in elb.describe_rules(ListenerArn=listener)["Rules"] for one in rule["Conditions"]]
    return sorted(value for one in conditions for value in one["HttpHeaderConfig"]["Values"])


def test_a_secret_header_is_rotated_and_never_shown(params: dict[str, Any]) -> None:
    """Both versions are good after each rotation, nothing is written without one, and no output holds a value."""
    wanted = guarded(params)
    put("the-first-value")
    outcomes = [contract.converge(module, wanted)]
    assert accepted() == ["the-first-value"]
    for former, value in (("the-first-value", "the-second-value"), ("the-second-value", "the-third-value")):
        put(value)
        outcomes.append(contract.converge(module, wanted))
        assert outcomes[-1].writing == ["elastic load balancing v2:ModifyRule"] or outcomes[-1].writing == [
            "elbv2:ModifyRule"
        ]
        assert accepted() == sorted([former, value])
    change = outcomes[-1].result["actions"][0]
    assert change["before"]["conditions"]["http_header_secret"]["values"] == ["(another value)", "AWSPREVIOUS"]
    assert change["after"]["conditions"]["http_header_secret"]["values"] == ["AWSCURRENT", "AWSPREVIOUS"]
    unguarded = contract.converge(module, {**wanted, "listeners": [{**wanted["listeners"][0], "rules": []}]})
    put("the-last-value")
    contract.succeed(module, wanted)
    outcomes += [unguarded, contract.converge(module, {**wanted, "state": "absent"})]
    shown = json.dumps([outcome.result for outcome in outcomes])
    assert "-value" not in shown.replace("(another value)", "")


def test_a_guard_never_stands_without_its_exception(params: dict[str, Any]) -> None:
    """The rule comes before the listener refuses all others, and goes after it has ceased to."""
    put("the-first-value")
    plain = {
        **public(params),
        "listeners": [{"port": 80, "protocol": "HTTP", "default_action": {"forward": "blog-web"}}],
    }
    plain["listeners"][0]["rules"] = []
    contract.succeed(module, plain)
    on = contract.converge(module, guarded(params))
    assert [f"{one['action']} {one['resource']}" for one in on.result["actions"]] == [
        "create rule/80/1",
        "update listener/80",
    ]
    off = contract.converge(module, plain)
    assert [f"{one['action']} {one['resource']}" for one in off.result["actions"]] == [
        "update listener/80",
        "delete rule/80/1",
    ]


def test_a_secret_that_is_yet_to_be_made(params: dict[str, Any]) -> None:
    """Check mode of a whole play says what the run with the secret then does."""
    unknown = guarded(params)
    unknown["listeners"][0]["rules"][0]["conditions"] = {
        "http_header_secret": {**HEADER, "secret_arn": "(known after apply)"}
    }
    predicted = contract.succeed(module, unknown, check=True)
    put("the-first-value")
    assert contract.succeed(module, guarded(params)).result["actions"] == predicted.result["actions"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, ("blog/origin", "no version AWSCURRENT", "secretsmanager_generated")),
        ("{}", ("no text under the key header_value", "AWSCURRENT")),
        ("plain", ("no text under the key header_value",)),
        ('{"header_value": "any*"}', ("* ?", "letters and digits")),
    ],
)
def test_a_useless_secret_is_refused(params: dict[str, Any], text: str | None, words: tuple[str, ...]) -> None:
    if text is not None:
        boto3.client("secretsmanager").create_secret(Name="blog/origin", SecretString=text)
    contract.refuse(module, guarded(params), *words)


def test_a_header_has_one_secret(params: dict[str, Any]) -> None:
    put("the-first-value")
    wanted = guarded(params)
    other = {"http_header_secret": {**HEADER, "name": "x-origin-verify", "secret_arn": "another"}}
    wanted["listeners"][0]["rules"].append({"priority": 2, "conditions": other, "action": {"forward": "blog-web"}})
    contract.refuse(module, wanted, "two secrets", "blog/origin", "another")


TEXTS = st.text("abc/*", min_size=1, max_size=4)
SETS = st.lists(TEXTS, min_size=1, max_size=3, unique=True)
CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "host_header": SETS,
        "path_pattern": SETS,
        "source_ip": SETS,
        "http_request_method": SETS,
        "http_header": st.dictionaries(st.sampled_from(["X-A", "X-B"]), SETS, min_size=1),
        "query_string": st.lists(
            st.one_of(TEXTS, st.tuples(TEXTS, TEXTS).map("=".join)), min_size=1, max_size=3, unique=True
        ),
    },
)


@given(CONDITIONS)
def test_conditions_survive_the_way_to_aws_and_back(conditions: dict[str, Any]) -> None:
    normal = _listeners.wanted_conditions(conditions)
    assert _listeners.reported_conditions(_listeners.sent_conditions(normal)) == normal


@pytest.mark.parametrize(
    "action",
    [
        {"forward": "web"},
        {"redirect": {"protocol": "HTTPS", "port": 443, "status_code": "301"}},
        {"redirect": {"host": "www.example.org", "path": "/", "query": "a=b", "status_code": "HTTP_302"}},
        {"fixed_response": {"status_code": 503, "content_type": "text/html", "message_body": "<p>"}},
        {"fixed_response": {"status_code": "404", "content_type": "text/plain"}},
    ],
)
def test_actions_survive_the_way_to_aws_and_back(action: dict[str, Any]) -> None:
    normal = _listeners.wanted_action(action, "here", ["web"])
    assert normal is not None
    sent = _listeners.sent_action(normal, lambda name: f"arn:{name}")
    assert _listeners.reported_action(sent, {"arn:web": "web"}) == normal


def test_what_the_module_cannot_write_differs_from_everything() -> None:
    weighted = [
        {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "a"}, {"TargetGroupArn": "b"}]}}
    ]
    assert "other" in _listeners.reported_action(weighted, {})
    assert "other" in _listeners.reported_conditions(
        [{"Field": "host-header", "HostHeaderConfig": {"Values": ["a"]}}] * 2
    )


@given(st.data())
def test_no_request_loses_its_rule_where_rules_only_move(data: st.DataObject) -> None:
    """Rules that come and go among others move these; whatever was served before and shall be, is served at each step."""
    before = data.draw(st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=6))
    kept = [one for one in before if data.draw(st.booleans())]
    after = list(kept)
    for new in data.draw(st.lists(st.sampled_from("uvwxyz"), unique=True, max_size=4)):
        after.insert(data.draw(st.integers(0, len(after))), new)

    def tree(hosts: list[str]) -> _plan.Tree:
        return {
            f"rule/80/{100 * place}": {"conditions": host, "action": ""} for place, host in enumerate(hosts, start=1)
        }

    found, wanted = tree(before), tree(after)
    changes = _plan.plan(found, wanted, ["rule"], ["rule"])
    updates = [change for change in changes if change.action == _plan.UPDATE]
    rest = [change for change in changes if change.action != _plan.UPDATE]
    created = [change for change in rest if change.action == _plan.CREATE]
    now = found
    for change in [*created, *_listeners.without_gaps(updates, found), *rest[len(created) :]]:
        now = _plan.applied(now, [change])
        assert set(kept) <= {fields["conditions"] for fields in now.values()}, f"a gap after {change}"
    assert now == wanted
