# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""cloudfront_distribution_info against the emulated CloudFront."""

from __future__ import annotations

import json
from typing import Any

import contract
import yaml

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _plan
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import model
from ansible_collections.wordpress_ha.aws.plugins.modules import cloudfront_distribution as writer
from ansible_collections.wordpress_ha.aws.plugins.modules import cloudfront_distribution_info as module

SITE = {"id": "site", "domain_name": "site.example.org", "custom_headers": [{"name": "X-Secret", "value": "not-shown"}]}
PARAMS: dict[str, Any] = {
    "name": "blog",
    "origins": [SITE],
    "default_behavior": {"target_origin": "site", "cache_policy": "CachingDisabled"},
    "behaviors": [{"path_pattern": "a/*", "target_origin": "site", "cache_policy": "CachingOptimized"}],
}


def test_what_is_shown_is_what_can_be_asked_for(emulated):
    """A distribution is written down as options, which then change nothing; secrets stay where they are."""
    made = contract.succeed(writer, PARAMS)
    outcome = contract.succeed(module, {"distribution": "blog"})
    assert outcome.writing == []
    (found,) = outcome.result["distributions"]
    for fact in ("id", "arn", "domain_name", "hosted_zone_id", "etag", "tags"):
        assert found[fact] == made.facts[fact]
    assert "not-shown" not in json.dumps(outcome.result)
    assert found["config"]["CallerReference"] == "wordpress_ha/blog"
    options = {field.option: found[field.option] for field in model.DISTRIBUTION}
    del options["origins"][0]["custom_headers"]
    options["minimum_protocol_version"] = None
    assert contract.succeed(writer, {"name": "blog", **options}).result["changed"] is False


def test_all_one_and_none(emulated):
    assert contract.succeed(module, {}).result["distributions"] == []
    first = contract.succeed(writer, PARAMS).facts["id"]
    second = contract.succeed(writer, {**PARAMS, "name": "shop"}).facts["id"]
    found = contract.succeed(module, {}).result["distributions"]
    assert [one["id"] for one in found] == sorted([first, second])
    assert {one["name"] for one in found} == {"blog", "shop"}
    for nobody in ("nobody", "nobody.example.org", "E00000000000", _plan.UNKNOWN):
        assert contract.succeed(module, {"distribution": nobody}).result["distributions"] == []


def test_the_examples_run(emulated):
    """On an empty account, in check mode: names that nobody has yet are predicted."""
    for task in yaml.safe_load(module.EXAMPLES):
        for name, params in task.items():
            if name.startswith("wordpress_ha.aws."):
                contract.succeed(module, params, check=True)
