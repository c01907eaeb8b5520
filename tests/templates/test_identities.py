# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the roles of nodes and builder allow: no more than they need, and purging only where there is something to purge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

TASKS = Path(__file__).resolve().parents[2] / "playbooks/tasks/identities.yml"


def statements(**facts: Any) -> dict[str, dict[str, Any]]:
    """Return each identity's statements by their names, rendered with facts of a run."""
    loader = DataLoader()
    variables = loader.load_from_file(str(TASKS), trusted_as_template=True)[0]["vars"] | {
        "preflight_result": {"partition": "aws", "account_id": "123456789012"},
        "stack": {"name": "blog", "region": "eu-central-1"},
        "database_result": {"master_secret_arn": "arn:master"},
        **facts,
    }
    identities = Templar(loader, variables=variables).template(variables["identities"])
    return {one["name"]: {said["Sid"]: said for said in one["statements"]} for one in identities}


@pytest.mark.parametrize("distribution", ["EDIST", "(known after apply)"])
def test_nodes_may_purge_their_own_distribution_only(distribution):
    for said in statements(edge_result={"distribution_id": distribution}).values():
        assert said["Purge"]["Action"] == "cloudfront:CreateInvalidation"
        assert said["Purge"]["Resource"] == f"arn:aws:cloudfront::123456789012:distribution/{distribution}"


@pytest.mark.parametrize("facts", [{}, {"edge_result": {}}, {"edge_result": {"distribution_id": ""}}])
def test_without_an_edge_nobody_may_purge(facts):
    found = statements(**facts)
    assert set(found["web"]) == {"Contract", "Secrets"}
    assert set(found["builder"]) == {"Contract", "Secrets", "FirstInstallation"}
