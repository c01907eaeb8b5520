# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every test shares: this checkout importable as a collection, and harmless AWS credentials."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
REHEARSAL_PACKAGE = CHECKOUT / "roles" / "rehearsal" / "files"

sys.dont_write_bytecode = True


def _install_collection_loader() -> None:
    """Let ``ansible_collections.wordpress_ha.aws`` resolve to this checkout, and the others to the environment's own."""
    from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

    site_packages = (
        Path(sys.prefix) / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    )
    _AnsibleCollectionFinder(paths=[str(CHECKOUT / "collections"), str(site_packages)])._install()


_install_collection_loader()
sys.path.insert(0, str(REHEARSAL_PACKAGE))

# No test may reach a real account, whatever the caller's shell holds.
for name in [name for name in os.environ if name.startswith("AWS_") and name != "AWS_CA_BUNDLE"]:
    del os.environ[name]
os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_REGION="us-east-1",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
    AWS_MAX_ATTEMPTS="1",
)


@pytest.fixture
def prove(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print a sentence that stays visible in the test's output: what was measured, and what that proves.

    A worker of a parallel run has no output of its own: its sentences are printed at the end.
    """
    parallel = hasattr(request.config, "workerinput")

    def say(sentence: str) -> None:
        if parallel:
            request.node.user_properties.append(("proof", sentence))
            return
        with capsys.disabled():
            print(f"\n    {sentence}", end="", flush=True)

    return say


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the workers of a parallel run have proved, by test."""
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        sentences = [value for name, value in report.user_properties if name == "proof" and report.when == "call"]
        if sentences:
            terminalreporter.write_line(report.nodeid)
            for sentence in sentences:
                terminalreporter.write_line(f"    {sentence}")
