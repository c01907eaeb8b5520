# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CloudFront functions of the role edge, run in Node with events as CloudFront makes them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

FUNCTIONS = Path(__file__).resolve().parents[2] / "roles" / "edge" / "files" / "functions"
NODE = shutil.which("node")


def run(name: str, querystring: dict[str, Any], method: str = "GET") -> dict[str, Any]:
    """Return the request that a function makes of one with this query string."""
    event = {
        "version": "1.0",
        "context": {"eventType": "viewer-request"},
        "request": {"method": method, "uri": "/", "querystring": querystring, "headers": {}, "cookies": {}},
    }
    code = (FUNCTIONS / name).read_text(
        encoding="utf-8"
    ) + f"\nconsole.log(JSON.stringify(handler({json.dumps(event)})));"
    done = subprocess.run([str(NODE), "-"], input=code, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


pytestmark = pytest.mark.skipif(NODE is None, reason="needs Node to run JavaScript")


def test_campaign_parameters_are_dropped_and_the_rest_is_sorted() -> None:
    sent = {
        name: {"value": "1"} for name in ("utm_source", "s", "UTM_Anything", "gclid", "paged", "_ga", "cat", "mc_eid")
    }
    made = run("campaigns.js", sent)
    assert list(made["querystring"]) == ["cat", "paged", "s"]


def test_repeated_parameters_keep_all_their_values() -> None:
    repeated = {"value": "b", "multiValue": [{"value": "a"}, {"value": "b"}]}
    assert run("campaigns.js", {"tag[]": repeated, "fbclid": {"value": "1"}})["querystring"] == {"tag[]": repeated}


def test_names_that_merely_resemble_are_kept() -> None:
    sent = {name: {"value": "1"} for name in ("utm", "ver", "p", "preview", "mcid", "rest_route", "wc-ajax")}
    assert set(run("campaigns.js", sent)["querystring"]) == set(sent)


def test_what_is_posted_is_left_alone() -> None:
    sent = {"utm_source": {"value": "1"}}
    assert run("campaigns.js", sent, method="POST")["querystring"] == sent
