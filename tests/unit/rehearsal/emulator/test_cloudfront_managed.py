# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS's managed policies as the modules and the emulator know them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import botocore.session
import pytest
from botocore.validate import ParamValidator

from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import managed
from wordpress_ha_rehearsal.emulator.extensions.cloudfront import shared

CHECKOUT = Path(__file__).resolve().parents[4]
SHAPES = {
    managed.CACHE: "CachePolicyConfig",
    managed.ORIGIN_REQUEST: "OriginRequestPolicyConfig",
    managed.RESPONSE_HEADERS: "ResponseHeadersPolicyConfig",
}
POLICIES = [(kind, policy) for kind in SHAPES for policy in managed.policies(kind)]


def described(case):
    return case.name if isinstance(case, managed.Managed) else case


@pytest.mark.parametrize(("kind", "policy"), POLICIES, ids=described)
def test_a_managed_policy_has_the_shape_of_the_api_and_no_fault(kind, policy):
    model = botocore.session.get_session().get_service_model("cloudfront")
    # In answers an empty list has no Items; only requests must have them.
    faults = ParamValidator().validate(policy.config, model.shape_for(SHAPES[kind])).generate_report()
    assert not [fault for fault in faults.splitlines() if '"Items"' not in fault]
    assert policy.config["Name"] == f"Managed-{policy.name}"
    found = getattr(shared.load("lint"), kind)(policy.config)
    ours = "too-many-policy-names"  # a quota for customers' policies, which AWS's own exceeds with its 21 headers
    assert not [fault for fault in found if fault.severity == "refused" and fault.rule != ours]


def test_the_api_knows_each_code_that_the_lint_refuses_with():
    """The emulator takes the HTTP status of an error from the service model."""
    lint = shared.load("lint")
    model = botocore.session.get_session().get_service_model("cloudfront")
    known = {shape.error_code for shape in model.error_shapes}
    others = {
        rule: each.code for rule, each in lint.RULES.items() if each.severity == "refused" and each.code not in known
    }
    assert others == {}


def test_identifiers_are_uuids_and_unique():
    identifiers = [policy.id for _kind, policy in POLICIES]
    assert len(set(identifiers)) == len(identifiers) == 20
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", each) for each in identifiers)


@pytest.mark.parametrize("name", ["CachingDisabled", "Managed-CachingDisabled"])
def test_a_name_is_taken_with_and_without_its_prefix(name):
    identifier = managed.id_of(managed.CACHE, name)
    assert identifier == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    assert managed.name_of(managed.CACHE, identifier) == "CachingDisabled"


def test_other_names_and_kinds_are_unknown():
    assert managed.id_of(managed.CACHE, "AllViewer") is None
    assert managed.name_of(managed.ORIGIN_REQUEST, "4135ea2d-6df8-44a3-9df3-4b5a84be39ad") is None


def test_what_is_handed_out_is_a_copy():
    managed.policies(managed.CACHE)[0].config["ParametersInCacheKeyAndForwardedToOrigin"].clear()
    assert managed.policies(managed.CACHE)[0].config["ParametersInCacheKeyAndForwardedToOrigin"]


def test_uncached_means_that_nothing_is_kept_and_nothing_is_in_the_key():
    config = managed.configs(managed.CACHE)["4135ea2d-6df8-44a3-9df3-4b5a84be39ad"]
    assert config["MinTTL"] == config["DefaultTTL"] == config["MaxTTL"] == 0
    key = config["ParametersInCacheKeyAndForwardedToOrigin"]
    assert key["HeadersConfig"] == {"HeaderBehavior": "none"} and not key["EnableAcceptEncodingGzip"]


def test_an_installed_collection_shares_these_files_without_ansible(tmp_path: Path):
    home = tmp_path / "ansible_collections" / "wordpress_ha" / "aws"
    for part in ("roles/rehearsal/files/wordpress_ha_rehearsal", "plugins/module_utils/_cloudfront"):
        shutil.copytree(CHECKOUT / part, home / part, ignore=shutil.ignore_patterns("__pycache__"))
    look = "import sys; from wordpress_ha_rehearsal.emulator.extensions.cloudfront import shared, validation; "
    look += "print(shared.managed.__file__, validation.lint().__file__, 'ansible' in sys.modules)"
    where = {"PYTHONPATH": str(home / "roles/rehearsal/files"), "PYTHONDONTWRITEBYTECODE": "1"}
    said = subprocess.run([sys.executable, "-c", look], env=where, capture_output=True, text=True, check=True).stdout
    files = home / "plugins" / "module_utils" / "_cloudfront"
    assert said.split() == [str(files / "managed.py"), str(files / "lint.py"), "False"]
