# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fixture that gives modules the rehearsal's emulator: empty accounts, calls that reach it, and a way back to moto."""

from __future__ import annotations

import os

import contract
import pytest

from ansible_collections.wordpress_ha.aws.plugins.modules import ssm_parameter_tree

TREE = {"path": "/emulated", "parameters": {"a": "1", "b": "2"}}


@pytest.mark.parametrize("_round", [1, 2])
def test_each_test_begins_with_an_empty_account(emulated, _round):
    cloudfront = emulated("cloudfront")
    signing = {"SigningProtocol": "sigv4", "SigningBehavior": "always", "OriginAccessControlOriginType": "s3"}
    assert cloudfront.list_origin_access_controls()["OriginAccessControlList"]["Quantity"] == 0
    cloudfront.create_origin_access_control(OriginAccessControlConfig={"Name": "media", **signing})


def test_modules_reach_the_emulator(emulated):
    contract.succeed(ssm_parameter_tree, TREE)
    assert emulated.emulator.writes() == ["ssm:PutParameter", "ssm:PutParameter"]
    assert emulated("ssm").get_parameter(Name="/emulated/a")["Parameter"]["Value"] == "1"


def test_killed_runs_meet_fresh_accounts_of_the_emulator(emulated):
    assert contract.survive_kills(ssm_parameter_tree, TREE) > 2


def test_afterwards_modules_meet_moto_again(aws):
    assert "AWS_ENDPOINT_URL" not in os.environ
    contract.succeed(ssm_parameter_tree, TREE)
    assert aws("ssm").get_parameter(Name="/emulated/b")["Parameter"]["Value"] == "2"
