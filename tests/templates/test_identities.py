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
    return {name: {said["Sid"]: said for said in one["policies"]["contract"]} for name, one in identities.items()}


@pytest.mark.parametrize("distribution", ["EDIST", "(known after apply)"])
def test_nodes_may_purge_their_own_distribution_only(distribution):
    for said in statements(edge_result={"distribution_id": distribution}).values():
        assert said["Purge"]["Action"] == "cloudfront:CreateInvalidation"
        assert said["Purge"]["Resource"] == f"arn:aws:cloudfront::123456789012:distribution/{distribution}"


@pytest.mark.parametrize("facts", [{}, {"edge_result": {}}, {"edge_result": {"distribution_id": ""}}])
def test_without_an_edge_nobody_may_purge(facts):
    found = statements(**facts)
    both = {"Contract", "Secrets", "Sessions", "Registration"}
    assert set(found["web"]) == both | {"Drain", "Metrics"}
    assert set(found["builder"]) == both | {"FirstInstallation"}


def test_each_part_that_is_on_brings_its_statement():
    found = statements(
        stack={"name": "blog", "region": "eu-central-1", "monitoring": {"agent": True}},
        media_bucket_result={"arn": "arn:aws:s3:::blog-media"},
    )
    assert set(found["web"]) - set(statements()["web"]) == {"Logs", "MediaList", "Media"}
    assert found["web"]["Logs"]["Resource"].endswith("123456789012:log-group:/wordpress_ha/blog/*")
    assert found["web"]["Media"]["Resource"] == "arn:aws:s3:::blog-media/*"
    assert set(found["builder"]) == set(statements()["builder"])


@pytest.mark.parametrize(("region", "used"), [(None, "eu-central-1"), ("us-east-1", "us-east-1")])
def test_only_nodes_send_mail_and_only_from_the_senders_identity(region, used):
    mail = {"transport": "ses", "from": "site@example.org", "region": region}
    found = statements(stack={"name": "blog", "region": "eu-central-1", "mail": mail})
    assert "Mail" not in found["builder"]
    assert found["web"]["Mail"]["Action"] == ["ses:SendEmail", "ses:SendRawEmail"]
    assert found["web"]["Mail"]["Resource"] == [
        f"arn:aws:ses:{used}:123456789012:identity/example.org",
        f"arn:aws:ses:{used}:123456789012:identity/site@example.org",
    ]


@pytest.mark.parametrize("transport", ["none", "smtp"])
def test_without_ses_nobody_may_use_it(transport):
    stack = {"name": "blog", "region": "eu-central-1", "mail": {"transport": transport, "from": "site@example.org"}}
    assert "Mail" not in statements(stack=stack)["web"]


@pytest.mark.parametrize(
    ("key", "resource", "alias"),
    [
        ("arn:aws:kms:eu-central-1:210987654321:key/mrk-1", "arn:aws:kms:eu-central-1:210987654321:key/mrk-1", None),
        ("mrk-1", "arn:aws:kms:eu-central-1:123456789012:key/mrk-1", None),
        ("alias/blog", "arn:aws:kms:eu-central-1:123456789012:key/*", "alias/blog"),
    ],
)
def test_the_key_of_the_media_bucket_is_used_through_s3_alone(key, resource, alias):
    stack = {"name": "blog", "region": "eu-central-1", "media": {"kms_key_id": key}}
    said = statements(stack=stack, media_bucket_result={"arn": "arn:aws:s3:::blog-media"})["web"]["MediaKey"]
    assert said["Resource"] == resource
    assert said["Condition"]["StringEquals"] == {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}
    assert said["Condition"].get("ForAnyValue:StringEquals") == (alias and {"kms:ResourceAliases": alias})


def test_a_database_of_somebody_else_is_read_under_its_own_name():
    existing = {"user_secret_arn": "arn:user"}
    stack = {"name": "blog", "region": "eu-central-1", "database": {"existing": existing}, "cache": {"existing": {}}}
    found = statements(stack=stack, database_result={"master_secret_arn": ""})
    assert "arn:user" in found["web"]["Secrets"]["Resource"] and len(found["web"]["Secrets"]["Resource"]) == 4
    assert found["builder"]["FirstInstallation"]["Resource"] == [
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:blog/wordpress-admin-??????"
    ]


def test_no_resource_is_a_mere_asterisk_where_aws_knows_a_narrower_one():
    """P32, R57: these five actions have no resource at all at AWS."""
    every = statements(
        edge_result={"distribution_id": "EDIST"},
        stack={"name": "blog", "region": "eu-central-1", "monitoring": {"agent": True}},
        media_bucket_result={"arn": "arn:aws:s3:::blog-media"},
    )
    wide = {
        action
        for identity in every.values()
        for said in identity.values()
        if "*" in listed(said["Resource"])
        for action in listed(said["Action"])
    }
    assert wide == {
        "cloudwatch:PutMetricData",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    }
    assert every["web"]["Metrics"]["Condition"] == {"StringEquals": {"cloudwatch:namespace": "WordPressHA"}}
    for identity in every.values():
        for said in identity.values():
            assert not [action for action in listed(said["Action"]) if "*" in action]
            assert said["Effect"] == "Allow"


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
