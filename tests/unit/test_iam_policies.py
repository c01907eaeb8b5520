# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The policies of docs/iam: what the calls ask for and no more, narrow where AWS allows it, current, printable for a stack."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.session
import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "tools"))
import iam_policies  # noqa: E402

RULES = iam_policies.Rules()
SEEN = iam_policies.load()
GRANTS = [(service, grant) for service, rules in RULES.services.items() for grant in rules["grants"]]
#: Beginnings of actions for which AWS may know no resource, because they list or describe; anything else needs a reason of its own.
LISTING = re.compile(r"\w[\w-]*:(List|Describe|Get|BatchGet)")
LISTS = "AWS lists all or none"


def test_the_documents_are_what_the_calls_ask_for() -> None:
    stale = [str(path) for path, text in iam_policies.documents(RULES, SEEN).items() if path.read_text() != text]
    assert not stale, f"run tools/iam_policies.py: {stale}"


def test_each_playbook_that_calls_aws_has_one() -> None:
    local = {"rehearsal", "rehearsal_down", "rehearsal_report"}
    playbooks = {path.stem for path in (CHECKOUT / "playbooks").glob("*.yml")} - local
    assert playbooks <= set(SEEN), f"never recorded: {playbooks - set(SEEN)}"


def test_every_call_of_every_run_is_known() -> None:
    assert not {call for calls in SEEN.values() for call in calls if not RULES.known(call)}


@pytest.mark.parametrize("name", [name for name in SEEN if name.endswith("-check")])
def test_a_check_needs_no_right_to_write(name: str) -> None:
    reading = re.compile(r"\w+:(List|Describe|Get|BatchGet|Head|Check|Simulate)")
    actions = {action for said in RULES.statements(SEEN[name]) for action in said["Action"]}
    assert not {action for action in actions if not reading.match(action)}


def test_the_data_names_operations_that_aws_has() -> None:
    session = botocore.session.Session()
    for call in RULES.calls():
        service, operation = call.split(":")
        assert operation in session.get_service_model(service).operation_names, call


def test_a_wildcard_has_a_reason_and_nothing_else_has_one() -> None:
    for service, grant in GRANTS:
        wide = iam_policies.EVERY in (grant["to"] if isinstance(grant["to"], list) else [grant["to"]])
        assert wide == ("why" in grant), (service, grant)
        if wide and grant["why"] == LISTS:
            actions = grant.get("actions") or [f"{service}:{one}" for one in grant["operations"]]
            assert all(LISTING.match(one if ":" in one else f"{service}:{one}") for one in actions), grant


def test_no_wildcard_where_the_data_knows_something_narrower(prove: Callable[[str], None]) -> None:
    """An action that some grant gives on a resource of its own never stands beside an asterisk."""
    narrow = {
        need.action
        for call in RULES.calls()
        for need in RULES.needs(call, RULES.given(call))
        if need.resource != iam_policies.EVERY
    }
    wide = set()
    for name, calls in SEEN.items():
        for said in RULES.statements(calls):
            if said["Resource"] == iam_policies.EVERY:
                wide |= set(said["Action"])
                assert set(said["Action"]) - narrow, name
                assert not {one for one in said["Action"] if one in narrow and "Condition" not in said}, (name, said)
            assert not [action for action in said["Action"] if "*" in action]
    changing = sorted(action for action in wide if not LISTING.match(action))
    prove(f"{len(SEEN)} policies: {len(wide)} actions on every resource, of which {len(changing)} change something")


def test_statements_are_conditions_of_iam() -> None:
    for condition in RULES.data["conditions"].values():
        for operator, keys in condition.items():
            assert operator.removeprefix("ForAllValues:") in ("StringEquals", "StringLike", "Null")
            assert all(re.fullmatch(r"\w+:[\w:/]+", key) for key in keys), keys
    for service, rules in RULES.services.items():
        for name in rules["resources"]:
            arn = RULES.arn(service, name)
            assert re.fullmatch(r"arn:aws:[a-z0-9-]+:[\w*-]*:(ACCOUNT|aws|\*)?:.+", arn), arn
            assert "{" not in arn and not arn.endswith(":*:*")


def test_pass_role_reaches_our_roles_and_one_service_each() -> None:
    found = 0
    for calls in SEEN.values():
        for said in RULES.statements(calls):
            if "iam:PassRole" in said["Action"]:
                found += 1
                assert said["Resource"] == "arn:aws:iam::ACCOUNT:role/STACK-*"
                assert isinstance(said["Condition"]["StringEquals"]["iam:PassedToService"], str)
    assert found


def test_a_policy_is_printed_for_a_stack(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--policy", "provision", "--stack", "blog", "--region", "eu-central-1", "--account", "123456789012"]
    assert iam_policies.main([*arguments, "--domain", "example.org", "--partition", "aws-cn"]) == 0
    text = capsys.readouterr().out
    assert not [name for name in iam_policies.PLACEHOLDERS if name in text] and "arn:aws:" not in text
    assert "arn:aws-cn:rds:eu-central-1:123456789012:cluster:blog-*" in text


def test_a_long_policy_comes_in_parts_that_fit(capsys: pytest.CaptureFixture[str]) -> None:
    whole = iam_policies.policy(RULES, SEEN["provision"])
    parts = iam_policies.parts(whole)
    assert all(iam_policies.size(part) <= iam_policies.LONGEST for part in parts)

    def key(said: object) -> str:
        return json.dumps(said, sort_keys=True)

    assert sorted(map(key, whole["Statement"])) == sorted(key(said) for part in parts for said in part["Statement"])
    assert iam_policies.main(["--policy", "provision", "--part", "1"]) == 0
    assert json.loads(capsys.readouterr().out) == parts[0]


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([("ec2", "CreateVpc", {})], {"ec2:CreateVpc": []}),
        ([("ec2", "CreateVpc", {"TagSpecifications": [{}]})], {"ec2:CreateVpc": ["TagSpecifications"]}),
        ([("ec2", "CreateVpc", {"TagSpecifications": []})], {"ec2:CreateVpc": []}),
        (
            [
                ("rds", "CreateDBCluster", {"ManageMasterUserPassword": True, "Tags": []}),
                ("sts", "GetCallerIdentity", {}),
            ],
            {"rds:CreateDBCluster": ["ManageMasterUserPassword"], "sts:GetCallerIdentity": []},
        ),
    ],
)
def test_calls_are_reduced_to_what_matters(calls: list[Any], expected: dict[str, list[str]]) -> None:
    made = [dict(zip(("service", "operation", "params"), call, strict=True)) for call in calls]
    assert iam_policies.reduced(made, RULES) == expected


def test_a_name_outside_the_pattern_is_noticed() -> None:
    values = {"STACK": "blog", "ACCOUNT": "123456789012"}
    assert not RULES.strays("rds:DescribeDBClusters", {"DBClusterIdentifier": "blog-database"}, values)
    assert RULES.strays("rds:DescribeDBClusters", {"DBClusterIdentifier": "shop-database"}, values)
    arn = "arn:aws:rds:us-east-1:123456789012:cluster:blog-database"
    assert not RULES.strays("rds:DescribeDBClusters", {"DBClusterIdentifier": arn}, values)


def test_a_parameter_brings_what_it_asks_for() -> None:
    def actions(having: list[str]) -> set[str]:
        return {need.action for need in RULES.needs("ec2:RunInstances", having)}

    assert actions(["IamInstanceProfile"]) - actions([]) == {"iam:PassRole"}
    assert actions(["TagSpecifications"]) - actions([]) == {"ec2:CreateTags"}
