# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls that fail as AWS fails them: in the service's own words, before or after they took effect, the same ones each time."""

from __future__ import annotations

import urllib.error
from collections import Counter
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from wordpress_ha_rehearsal.emulator import faults
from wordpress_ha_rehearsal.emulator.operations import Operation
from wordpress_ha_rehearsal.emulator.testing import CREDENTIALS, Emulator

READS = {
    "ec2": ("describe_vpcs", "RequestLimitExceeded"),
    "s3": ("list_buckets", "SlowDown"),
    "efs": ("describe_file_systems", "TooManyRequests"),
    "rds": ("describe_db_clusters", "Throttling"),
    "iam": ("list_roles", "Throttling"),
    "ssm": ("describe_parameters", "ThrottlingException"),
    "cloudfront": ("list_distributions", "Throttling"),
    "cloudwatch": ("describe_alarms", "Throttling"),
    "autoscaling": ("describe_auto_scaling_groups", "Throttling"),
}


@pytest.fixture
def troubled(instant: Emulator) -> Iterator[Emulator]:
    instant.reset()
    yield instant
    instant.faults()


def once(emulator: Emulator, service: str) -> Any:
    """Return a client that takes the first answer for an answer."""
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=emulator.endpoint_url,
        region_name=emulator.region,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.mark.parametrize("service", READS)
def test_each_service_throttles_in_its_own_words(troubled: Emulator, service: str) -> None:
    call, code = READS[service]
    troubled.faults(throttle=1)
    with pytest.raises(ClientError) as error:
        getattr(once(troubled, service), call)()
    assert error.value.response["Error"]["Code"].startswith(code)
    (logged,) = troubled.calls(service)
    assert logged["fault"] == "throttled" and logged["error"].startswith(code)


def test_an_error_comes_before_or_after_the_effect(troubled: Emulator) -> None:
    """What failed after its effect is there, and the log says which calls those were."""
    troubled.faults(error=1, seed=3)
    ssm = once(troubled, "ssm")
    for number in range(20):
        with pytest.raises(ClientError) as error:
            ssm.put_parameter(Name=f"/t/{number}", Value="x", Type="String")
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] in (500, 503)
    seen = [call["fault"] for call in troubled.calls("ssm")]
    troubled.faults()
    there = {one["Name"] for one in ssm.describe_parameters()["Parameters"]}
    assert there == {f"/t/{number}" for number, fault in enumerate(seen) if fault == "broken after"}
    assert 3 < len(there) < 17


def test_a_share_of_the_calls_fails_and_a_seed_repeats_it(troubled: Emulator) -> None:
    def run(seed: int) -> list[str | None]:
        troubled.faults(throttle=0.1, error=0.1, seed=seed)
        troubled.forget()
        ssm = once(troubled, "ssm")
        for _number in range(200):
            try:
                ssm.describe_parameters()
            except ClientError:
                continue
        assert troubled.fault_counts() == Counter(call["fault"] for call in troubled.calls() if "fault" in call)
        return [call.get("fault") for call in troubled.calls()]

    first = run(1)
    assert first == run(1) != run(2)
    assert 10 <= first.count("throttled") <= 35 and 10 <= first.count("broken before") <= 35


@pytest.mark.parametrize(
    ("scope", "met"),
    [({"only": ["ssm"]}, "ssm"), ({"except": ["rds"]}, "ssm"), ({"only": ["ssm:DescribeParameters"]}, "ssm")],
)
def test_faults_keep_to_services(troubled: Emulator, scope: dict[str, Any], met: str) -> None:
    troubled.faults(throttle=1, **scope)
    once(troubled, "rds").describe_db_clusters()
    with pytest.raises(ClientError):
        once(troubled, met).describe_parameters()


def test_a_reset_ends_them(troubled: Emulator) -> None:
    troubled.faults(throttle=1)
    troubled.reset()
    once(troubled, "ssm").describe_parameters()


@pytest.mark.parametrize("wanted", [{"throttle": 0.9, "error": 0.2}, {"throttle": -1}, {"rate": 1}, {"only": "ec2"}])
def test_what_makes_no_sense_is_refused(troubled: Emulator, wanted: dict[str, Any]) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400"):
        troubled.faults(**wanted)


def test_reads_have_no_effect_to_lose() -> None:
    drawn = faults.Faults()
    drawn.configure({"error": 1})
    reading = Operation("ec2", "DescribeVpcs", "us-east-1", False)
    assert {drawn.draw(reading) for _number in range(50)} == {"broken before"}
