# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The public scanner prowler looks at the whole tier, everything optional switched on, as the emulated control plane reports it.

No check of severity high or critical may fail on a resource of the stack, unless justified.yml says why it may. A justification that is
no longer needed fails too. Checks of the account itself (an organisation, a trail, GuardDuty) are the account's, not the stack's.
"""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from aws.conftest import Account
from aws.test_destroy import EVERYTHING

from wordpress_ha_rehearsal.emulator import testing

CHECKOUT = Path(__file__).resolve().parents[2]
SCANNER = CHECKOUT / ".venv-audit" / "bin" / "prowler"
JUSTIFIED = yaml.safe_load((Path(__file__).parent / "justified.yml").read_text(encoding="utf-8"))
STACK = "trial"


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with testing.running() as emulator:
        account = Account(emulator)
        account.prepare()
        emulator.client("route53").create_hosted_zone(Name="example.org.", CallerReference="1")
        yield account


def build(account: Account) -> None:
    """Let the plays make everything; the image of a bake is put there, since the emulator has no builder to configure."""
    check = account.play("site.yml", "--check", **EVERYTHING)
    assert check.code == 0, check.tail()
    found = re.search(r"configuration ([0-9a-f]{64})", check.output)
    assert found, check.tail()
    account.image(found.group(1))
    run = account.play("site.yml", **EVERYTHING)
    assert run.code == 0, run.tail()


def scan(account: Account, directory: Path) -> list[dict[str, str]]:
    """Run the scanner and return its findings, one row each."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **account.emulator.environment,
    }
    command = [
        str(SCANNER),
        "aws",
        "--region",
        "us-east-1",
        "--severity",
        "critical",
        "high",
        "--output-formats",
        "csv",
    ]
    command += ["--output-directory", str(directory), "--output-filename", "findings", "--no-banner", "--no-color"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    (CHECKOUT / "tests" / "output").mkdir(parents=True, exist_ok=True)
    (CHECKOUT / "tests" / "output" / "prowler.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    csv.field_size_limit(sys.maxsize)
    with open(directory / "findings.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def ours(row: dict[str, str]) -> bool:
    """Tell whether a finding is about a resource of the stack: by its tag, or by its name where the scanner reports no tags."""
    if f"wordpress_ha:stack={STACK}" in row["RESOURCE_TAGS"].replace(" ", ""):
        return True
    return bool(re.search(rf"[:/]{STACK}([-/:]|$)", row["RESOURCE_UID"]))


def test_no_severe_finding_on_the_stack(account: Account, tmp_path: Path, prove: Callable[[str], None]) -> None:
    if not SCANNER.exists():
        pytest.skip("the scanner is not installed: make audit")
    build(account)
    rows = scan(account, tmp_path)
    mine = [row for row in rows if ours(row)]
    failed: dict[str, list[str]] = {}
    for row in mine:
        if row["STATUS"] == "FAIL":
            failed.setdefault(row["CHECK_ID"], []).append(row["STATUS_EXTENDED"])
    assert len(mine) > 40, f"the scanner saw only {len(mine)} results on the stack: is it looking at it at all?"
    unexplained = {check: told for check, told in failed.items() if check not in JUSTIFIED}
    needless = sorted(set(JUSTIFIED) - set(failed))
    prove(
        f"prowler, severities high and critical: {len(mine)} results on the stack's resources, {len(rows)} in the account"
    )
    prove(
        f"passed {sum(row['STATUS'] == 'PASS' for row in mine)}, failed {len(failed)} kinds of check, all of them justified"
    )
    assert not unexplained, "\n".join(f"{check}: {line}" for check, told in unexplained.items() for line in told)
    assert not needless, f"justified.yml explains what does not fail: {', '.join(needless)}"
