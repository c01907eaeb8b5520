# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""cloudfront_invalidation: one call, whatever there was before; CloudFront tells a repetition by the caller reference."""

from __future__ import annotations

import json
import time
from typing import Any

import contract
import pytest

from ansible_collections.wordpress_ha.aws.plugins.modules import cloudfront_invalidation as module

PATHS = ["/about/", "feed/", "/about/", "/wp-content/themes/*", "/wp-content/themes/a.css"]
SENT = ["/about/", "/feed/", "/wp-content/themes/*"]


@pytest.fixture
def site(emulated: Any) -> str:
    """The id of a distribution with a name, an alias apart."""
    origin = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}
    config = {
        "CallerReference": "one",
        "Comment": "the blog",
        "Enabled": True,
        "Origins": {
            "Quantity": 1,
            "Items": [{"Id": "site", "DomainName": "www.example.org", "CustomOriginConfig": origin}],
        },
        "DefaultCacheBehavior": {
            "TargetOriginId": "site",
            "ViewerProtocolPolicy": "redirect-to-https",
            "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
        },
    }
    tags = {"Items": [{"Key": "wordpress_ha:distribution", "Value": "blog"}]}
    made = emulated("cloudfront").create_distribution_with_tags(
        DistributionConfigWithTags={"DistributionConfig": config, "Tags": tags}
    )
    return str(made["Distribution"]["Id"])


def batches(emulated: Any, site: str) -> list[list[str]]:
    """The paths of every invalidation there was, the newest first."""
    client = emulated("cloudfront")
    found = client.list_invalidations(DistributionId=site)["InvalidationList"].get("Items", [])
    return [
        client.get_invalidation(DistributionId=site, Id=one["Id"])["Invalidation"]["InvalidationBatch"]["Paths"][
            "Items"
        ]
        for one in found
    ]


def later() -> None:
    """The age of an answer is known to whole seconds."""
    time.sleep(2.1)


def test_a_lost_answer_is_asked_for_again(emulated: Any, site: str) -> None:
    """CloudFront knows the caller reference again: one invalidation, however often it is asked for."""
    emulated.emulator.faults(error=0.6, seed=4, only=["cloudfront:CreateInvalidation"])
    outcome = contract.succeed(module, {"distribution": site, "paths": PATHS})
    asked = [call for call in emulated.emulator.calls() if call["action"] == "CreateInvalidation"]
    assert outcome.result["changed"] is True and "broken after" in {call.get("fault") for call in asked}, asked
    assert batches(emulated, site) == [SENT]


def test_check_mode_predicts_and_a_repetition_is_no_change(emulated: Any, site: str) -> None:
    params = {"distribution": site, "paths": PATHS}
    predicted = contract.succeed(module, params, check=True)
    real = contract.succeed(module, params)
    assert predicted.result["changed"] is real.result["changed"] is True
    assert [call.action for call in real.calls] == ["CreateInvalidation"]
    assert json.dumps(predicted.result["request"]) == json.dumps(real.calls[0].params)
    assert predicted.result["actions"] == real.result["actions"]
    assert predicted.result["diff"] == real.result["diff"]
    assert contract.shape(predicted.facts) == contract.shape(real.facts)
    later()
    again = contract.succeed(module, {**params, "paths": list(reversed(PATHS))})
    assert again.result["changed"] is False
    assert again.result["actions"] == []
    assert again.facts["id"] == real.facts["id"]
    assert batches(emulated, site) == [SENT]


def test_a_salt_or_a_reference_invalidates_anew(emulated: Any, site: str) -> None:
    params = {"distribution": site, "paths": ["/"]}
    for change in ({}, {"salt": "release-1"}, {"salt": "release-2"}, {"caller_reference": "mine"}):
        assert contract.succeed(module, {**params, **change}).result["changed"] is True
    assert len(batches(emulated, site)) == 4
    later()
    for change in ({"salt": "release-2"}, {"caller_reference": "mine"}):
        assert contract.succeed(module, {**params, **change}).result["changed"] is False


def test_a_killed_run_invalidates_once(emulated: Any, site: str) -> None:
    params = {"distribution": site, "paths": ["/"]}
    with pytest.raises(contract.Killed):
        contract.run(module, params, kill_before=0)
    contract.succeed(module, params)
    contract.succeed(module, params)
    assert len(batches(emulated, site)) == 1


def test_the_past_is_not_read(emulated: Any, site: str) -> None:
    """P35: a thousand earlier invalidations cost no call."""
    client = emulated("cloudfront")
    for number in range(100):
        paths = {"Quantity": 10, "Items": [f"/{number}/{each}" for each in range(10)]}
        client.create_invalidation(
            DistributionId=site, InvalidationBatch={"Paths": paths, "CallerReference": str(number)}
        )
        emulated.emulator.observed(
            invalidations={one["id"]: "completed" for one in emulated.emulator.desired()["invalidations"]}
        )
    for given in (site, f"arn:aws:cloudfront::123456789012:distribution/{site}", "blog"):
        outcome = contract.succeed(module, {"distribution": given, "paths": ["/a"], "salt": given})
        assert len(outcome.calls) <= 2
        assert not [call for call in outcome.calls if "Invalidations" in call.action]
        assert outcome.facts["distribution_id"] == site


def test_many_paths_become_few(emulated: Any, site: str) -> None:
    paths = [f"/2026/{number}/" for number in range(5000)]
    outcome = contract.succeed(module, {"distribution": site, "paths": [*paths, "/"], "most_paths": 10})
    assert outcome.facts["paths"] == ["/", "/2026/*"]
    assert batches(emulated, site) == [["/", "/2026/*"]]


def test_no_paths_nothing_to_do(emulated: Any) -> None:
    outcome = contract.succeed(module, {"distribution": "blog", "paths": []})
    assert outcome.result["changed"] is False
    assert outcome.calls == []
    assert outcome.result["request"] is None


def test_waits_until_all_edges_have_forgotten(emulated: Any, site: str) -> None:
    outcome = contract.succeed(module, {"distribution": site, "paths": ["/"], "wait": True})
    assert [call.action for call in outcome.calls] == ["CreateInvalidation", "GetInvalidation"]
    assert outcome.facts["status"] == "Completed"


def test_what_is_made_in_the_same_play_is_predicted(emulated: Any) -> None:
    for given in ("(known after apply)", "not.yet.example.org"):
        predicted = contract.succeed(module, {"distribution": given, "paths": ["/"]}, check=True)
        assert predicted.result["changed"] is True
        assert predicted.result["request"]["DistributionId"] == "(known after apply)"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"paths": ["/", "https://blog.example.org/"]}, ["paths[1]", "URL"]),
        ({"paths": ["/*/feed"]}, ["paths[0]", "wildcard"]),
        ({"most_paths": 0}, ["most_paths is 0", "3000"]),
        ({"distribution": "blog.example.net"}, ["distribution", "blog.example.net"]),
        ({"distribution": "(known after apply)"}, ["check mode only"]),
    ],
)
def test_refuses_before_any_write(emulated: Any, site: str, change: dict[str, Any], words: list[str]) -> None:
    contract.refuse(module, {"distribution": site, "paths": ["/"], **change}, *words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"distribution": "E00000000000"}, ["distribution is 'E00000000000'", "no distribution"]),
        ({"caller_reference": "used", "paths": ["/other"]}, ["cannot be used for other paths"]),
    ],
)
def test_says_what_aws_refuses(emulated: Any, site: str, change: dict[str, Any], words: list[str]) -> None:
    contract.succeed(module, {"distribution": site, "paths": ["/"], "caller_reference": "used"})
    outcome = contract.run(module, {"distribution": site, "paths": ["/"], **change})
    assert outcome.failed
    for word in words:
        assert word in outcome.result["msg"]
