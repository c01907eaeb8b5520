# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ssm_parameter_tree: a whole tree in one process, only differences written."""

from __future__ import annotations

import contract
import pytest

from ansible_collections.wordpress_ha.aws.plugins.modules import ssm_parameter_tree as module

PARAMS = {
    "path": "/wordpress_ha/blog",
    "parameters": {f"group/{number}": f"value {number}" for number in range(12)}
    | {"database/port": 3306, "cache/tls": True},
    "tags": {"wordpress_ha:stack": "blog"},
    "purge": True,
}


def test_keeps_the_contract(aws):
    fewer = {**PARAMS, "parameters": {"database/port": 3307, "cache/tls": True, "new": "leaf"}}
    first = contract.keep(module, PARAMS, fewer, left=lambda: aws("ssm").describe_parameters()["Parameters"])
    assert len(first.facts["parameters"]) == 14  # more than one page of SSM's ten
    assert first.facts["parameters"]["database/port"] == "3306"
    assert first.facts["parameters"]["cache/tls"] == "true"


def test_survives_a_kill_between_any_two_calls():
    parameters = {"one": "1", "two": "2", "three": "3"}
    assert contract.survive_kills(module, {**PARAMS, "parameters": parameters}) == 6


def test_only_what_differs_is_written(aws):
    contract.succeed(module, PARAMS)
    modified = {**PARAMS, "parameters": {**PARAMS["parameters"], "database/port": 3307}}
    outcome = contract.succeed(module, modified)
    assert outcome.writing == ["ssm:PutParameter"]
    assert outcome.result["diff"]["before"] == {"parameter/database/port": {"value": "3306"}}
    assert outcome.result["diff"]["after"] == {"parameter/database/port": {"value": "3307"}}


def test_without_purge_other_leaves_stay(aws):
    contract.succeed(module, PARAMS)
    outcome = contract.converge(
        module, {**PARAMS, "parameters": {"database/port": 3306}, "purge": False}, changed=False
    )
    assert len(outcome.facts["parameters"]) == 14


def test_neighbours_are_not_touched(aws):
    aws("ssm").put_parameter(Name="/wordpress_ha/blog2/leaf", Value="other stack", Type="String")
    aws("ssm").put_parameter(Name="/wordpress_ha/blog/secure", Value="not ours", Type="SecureString")
    contract.succeed(module, PARAMS)
    contract.succeed(module, {**PARAMS, "state": "absent"})
    left = [one["Name"] for one in aws("ssm").describe_parameters()["Parameters"]]
    assert sorted(left) == ["/wordpress_ha/blog/secure", "/wordpress_ha/blog2/leaf"]
    contract.refuse(module, {**PARAMS, "parameters": {"secure": "x"}}, "type of parameter/secure", "SecureString")


def test_tags_are_set_at_creation(aws):
    contract.succeed(module, PARAMS)
    tags = aws("ssm").list_tags_for_resource(ResourceType="Parameter", ResourceId="/wordpress_ha/blog/database/port")
    assert tags["TagList"] == [{"Key": "wordpress_ha:stack", "Value": "blog"}]


def test_values_known_only_after_apply_are_predicted(aws):
    parameters = {"database/host": "(known after apply)", "storage/what": "(known after apply):/"}
    outcome = contract.succeed(module, {**PARAMS, "parameters": parameters}, check=True)
    assert outcome.facts["parameters"] == parameters
    contract.refuse(module, {**PARAMS, "parameters": parameters}, "known after apply")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"parameters": {"a/b": ""}}, ["parameters.a/b", "empty", "leave it out"]),
        ({"parameters": {"a/b": None}}, ["parameters.a/b", "empty"]),
        ({"parameters": {"a": ["x"]}}, ["parameters.a", "commas"]),
        ({"parameters": {"a b": "x"}}, ["'a b'", "letters"]),
        ({"parameters": {"/a": "x"}}, ["'/a'"]),
        ({"parameters": {"a": "x" * 5000}}, ["parameters.a", "5000", "4096"]),
        ({"path": "wordpress"}, ["path", "'wordpress'", "absolute"]),
        ({"path": "/aws/x"}, ["path", "'/aws/x'"]),
        ({"path": "/"}, ["path", "'/'"]),
        ({"parameters": None}, ["parameters"]),
    ],
)
def test_refuses_before_any_write(aws, change, words):
    contract.refuse(module, {**PARAMS, **change}, *words)
