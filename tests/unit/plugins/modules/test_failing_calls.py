# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is made again when AWS throttles, breaks or is not there, and what is not; how long that takes at most."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any
from unittest import mock

import boto3
import botocore.exceptions
import contract
import pytest

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _owned, _retries
from ansible_collections.wordpress_ha.aws.plugins.modules import ssm_parameter_tree, vpc_network

TREE = {"path": "/wordpress_ha/blog", "parameters": {f"leaf/{number}": "x" for number in range(30)}}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, which cost nothing here."""
    taken: list[float] = []
    monkeypatch.setattr(_retries, "time", SimpleNamespace(sleep=taken.append))
    return taken


@pytest.fixture
def ssm(emulated: contract.Emulated) -> Any:
    """A client of the emulator under our rules, and no others."""
    client = boto3.client("ssm", endpoint_url=emulated.emulator.endpoint_url)
    _retries.install(client)
    return client


def attempts(emulated: contract.Emulated, action: str) -> int:
    return len([call for call in emulated.emulator.calls() if call["action"] == action])


def test_throttling_is_met_with_patience_that_ends(emulated: contract.Emulated, ssm: Any, pauses: list[float]) -> None:
    emulated.emulator.faults(throttle=1)
    for call, arguments in (("describe_parameters", {}), ("put_parameter", {"Name": "/a", "Value": "x"})):
        pauses.clear()
        with pytest.raises(botocore.exceptions.ClientError, match="ThrottlingException"):
            getattr(ssm, call)(**arguments)
        assert len(pauses) == _retries.ATTEMPTS - 1
        assert sum(pauses) < 64
        for number, pause in enumerate(pauses):
            assert 0 <= pause <= min(_retries.LONGEST, _retries.SHORTEST * 2**number)
    assert attempts(emulated, "DescribeParameters") == attempts(emulated, "PutParameter") == _retries.ATTEMPTS


def test_pauses_are_random(emulated: contract.Emulated, ssm: Any, pauses: list[float]) -> None:
    """Runs that were throttled together must not come back together."""
    emulated.emulator.faults(throttle=1)
    for _number in range(2):
        with pytest.raises(botocore.exceptions.ClientError):
            ssm.describe_parameters()
    assert pauses[: _retries.ATTEMPTS - 1] != pauses[_retries.ATTEMPTS - 1 :]


def test_a_read_that_broke_is_made_again(emulated: contract.Emulated, ssm: Any, pauses: list[float]) -> None:
    emulated.emulator.faults(error=1)
    with pytest.raises(botocore.exceptions.ClientError):
        ssm.describe_parameters()
    assert attempts(emulated, "DescribeParameters") == _retries.ATTEMPTS


def test_a_write_that_broke_is_not(emulated: contract.Emulated, ssm: Any, pauses: list[float]) -> None:
    emulated.emulator.faults(error=1)
    with pytest.raises(_retries.Unanswered, match="ssm:PutParameter"):
        ssm.put_parameter(Name="/a", Value="x", Type="String")
    assert attempts(emulated, "PutParameter") == 1 and not pauses


def test_pages_are_read_with_the_same_patience(emulated: contract.Emulated, ssm: Any, pauses: list[float]) -> None:
    contract.succeed(ssm_parameter_tree, TREE)
    emulated.emulator.faults(throttle=0.5, error=0.2, seed=5)
    found = _owned.listed(ssm, "get_parameters_by_path", "Parameters", Path="/wordpress_ha/blog", Recursive=True)
    assert len(found) == 30 and pauses


def test_what_is_no_trouble_is_an_answer(emulated: contract.Emulated, ssm: Any, pauses: list[float]) -> None:
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name="/none")
    with pytest.raises(botocore.exceptions.ClientError, match="NotImplemented"):
        ssm.describe_instance_information()
    assert not pauses


@pytest.mark.parametrize(
    ("error", "reads", "writes"),
    [
        (botocore.exceptions.EndpointConnectionError(endpoint_url="x"), _retries.CONNECTIONS, _retries.CONNECTIONS),
        (botocore.exceptions.ConnectTimeoutError(endpoint_url="x"), _retries.CONNECTIONS, _retries.CONNECTIONS),
        (botocore.exceptions.ReadTimeoutError(endpoint_url="x"), _retries.CONNECTIONS, 1),
        (botocore.exceptions.ConnectionClosedError(endpoint_url="x"), _retries.CONNECTIONS, 1),
        (botocore.exceptions.SSLError(endpoint_url="x", error="x"), 1, 1),
    ],
)
def test_a_lost_connection_counts_by_what_may_have_arrived(
    ssm: Any, pauses: list[float], error: Exception, reads: int, writes: int
) -> None:
    for expected, call in ((reads, ssm.describe_parameters), (writes, lambda: ssm.delete_parameter(Name="/a"))):
        with (
            mock.patch("botocore.endpoint.Endpoint._send", side_effect=error) as sent,
            pytest.raises((_retries.Unanswered, botocore.exceptions.BotoCoreError)),
        ):
            call()
        assert sent.call_count == expected


def test_a_module_comes_to_the_same_end_under_trouble(emulated: contract.Emulated) -> None:
    """A share of faults that no single call of botocore's own retries would survive."""
    quiet = contract.succeed(ssm_parameter_tree, TREE)
    emulated.emulator.reset()
    emulated.emulator.faults(throttle=0.3, error=0.1, seed=2)
    troubled = contract.succeed(ssm_parameter_tree, TREE)
    assert troubled.facts == quiet.facts
    assert troubled.result["actions"] == quiet.result["actions"]
    assert emulated.emulator.fault_counts()["broken after"] > 0


def test_trouble_without_end_ends_the_module(emulated: contract.Emulated) -> None:
    emulated.emulator.faults(error=1, only=["ssm:PutParameter"])
    outcome = contract.run(ssm_parameter_tree, TREE)
    assert outcome.failed and "PutParameter" in outcome.result["msg"]
    assert 5 <= attempts(emulated, "PutParameter") < len(TREE["parameters"])


def test_a_vpc_is_not_made_twice(emulated: contract.Emulated) -> None:
    """CreateVpc knows no token: made again after a lost answer it would leave a second one behind."""
    seeds = itertools.count()
    params = {"name": "blog", "cidr": "10.42.0.0/16", "availability_zones": ["us-east-1a"], "nat": "none"}
    params |= {"public_subnets": ["10.42.0.0/24"], "app_subnets": ["10.42.8.0/24"], "data_subnets": ["10.42.16.0/24"]}
    for _number in range(4):
        emulated.emulator.reset()
        emulated.emulator.faults(error=0.9, seed=next(seeds), only=["ec2:CreateVpc"])
        contract.run(vpc_network, params)
        emulated.emulator.faults()
        contract.succeed(vpc_network, params)
        tagged = [{"Name": "tag:Name", "Values": ["blog"]}]
        assert len(emulated("ec2").describe_vpcs(Filters=tagged)["Vpcs"]) == 1
