# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mutations as data, without a rehearsal: each changes both sets in one place, into something that CloudFront would take."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
import table1

from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import lint

from .edge import Draft
from .journeys import JOURNEYS
from .mutations import MUTATIONS, SHORTCOMINGS, unchanged

SETS = ("recommended", "whitepaper")
KINDS = {
    "cache": ("cache_policies", lint.cache_policy),
    "origin_request": ("origin_request_policies", lint.origin_request_policy),
}


def policies(rendered: table1.Edge, kind: str) -> Mapping[str, Any]:
    return getattr(rendered.context, KINDS[kind][0])


def test_every_journey_has_a_mutation() -> None:
    assert set(MUTATIONS) == set(JOURNEYS) and list(MUTATIONS) == list(JOURNEYS)
    for behavior_set in SETS:
        assert set(SHORTCOMINGS[behavior_set]) <= set(JOURNEYS)


@pytest.mark.parametrize("behavior_set", SETS)
@pytest.mark.parametrize("name", [name for name, mutation in MUTATIONS.items() if mutation.change is not unchanged])
def test_a_mutation_is_a_change_that_cloudfront_takes(behavior_set: str, name: str) -> None:
    if name in SHORTCOMINGS[behavior_set]:
        pytest.skip(f"the set {behavior_set} fails this journey as it is")
    rendered = table1.rendered(behavior_set, media=False)
    config = {**rendered.config, "Origins": headed(rendered.config["Origins"])}
    draft = Draft(config, lambda kind, identifier: policies(rendered, kind)[identifier])
    MUTATIONS[name].change(draft)
    assert draft.config != config
    context = rendered.context
    for placeholder, (kind, policy) in draft.made.items():
        assert not refused(KINDS[kind][1]({"Name": placeholder, **policy}))
        held = {**getattr(context, KINDS[kind][0]), placeholder: policy}
        context = dataclasses.replace(context, **{KINDS[kind][0]: held})
    assert not refused(lint.distribution(draft.config, context))


def refused(findings: list[Any]) -> list[Any]:
    return [finding for finding in findings if finding.severity == "refused"]


def headed(origins: Mapping[str, Any]) -> dict[str, Any]:
    """Return the origins as a stack has them: the edge brings the origin header."""
    header = {"Quantity": 1, "Items": [{"HeaderName": "X-Origin-Verify", "HeaderValue": "secret"}]}
    return {**origins, "Items": [{**origin, "CustomHeaders": header} for origin in origins["Items"]]}
