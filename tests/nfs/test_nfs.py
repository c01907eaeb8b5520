# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What pages cost on a real NFS 4.1 mount, counted by the kernel that mounts: nothing with a local tree, hundreds of calls without (P1).

Takes 3 to 5 minutes and is a stage of its own: python -m pytest -s tests/nfs. The machine that mounts is user-mode Linux; see lab.py.
WordPress comes from LAB_WORDPRESS, or from where a rehearsal put it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from . import lab

CONTRACT = lab.CHECKOUT / "playbooks/tasks/contract.yml"
WORDPRESS = Path(os.environ.get("LAB_WORDPRESS") or lab.CHECKOUT / ".rehearsal/cache/wordpress.tar.gz")


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, Any]]:
    """What the machine counted, with the mount options of the contract."""
    if not WORDPRESS.exists():
        pytest.skip(f"{WORDPRESS} does not exist: build a rehearsal once, or set LAB_WORDPRESS")
    variables: dict[str, Any] = {}
    for task in yaml.safe_load(CONTRACT.read_text()):
        variables |= task.get("vars", {})
    scenario = {"mount_options": variables["contract_mount_options"], "staleness": True}
    with tempfile.TemporaryDirectory(prefix="nfs-lab-") as folder:
        try:
            yield lab.measure(Path(folder), WORDPRESS, scenario)
        except lab.NoLab as reason:
            if "needs root" in str(reason):
                pytest.skip(str(reason))
            pytest.fail(str(reason))


def names(calls: dict[str, float]) -> str:
    """Calls as a sentence."""
    return (
        ", ".join(f"{count:.0f} {name}" for name, count in sorted(calls.items(), key=lambda call: -call[1])) or "none"
    )


def test_it_is_the_mount_of_a_node(found: dict[str, Any]) -> None:
    assert " nfs4 " in found["mount"]
    assert {"vers=4.1", "hard", "noresvport", "rsize=1048576"} <= set(found["mount"].split()[3].split(","))


def test_a_warm_page_of_a_local_tree_makes_no_call(found: dict[str, Any], prove: Callable[[str], None]) -> None:
    replica, efs = found["replica"], found["efs"]
    prove(f"a warm front page with the whole installation on NFS 4.1: {efs['total']:.0f} calls ({names(efs['calls'])})")
    quiet = found["efs, stamps not looked at"]
    prove(f"the same with opcache.validate_timestamps=0: {quiet['total']:.0f} calls ({names(quiet['calls'])})")
    prove(f"with the node's local tree, uploads on NFS: {replica['total']:.0f} calls ({names(replica['calls'])})")
    prove(
        f"milliseconds a page in this slow machine: {efs['milliseconds']:.0f}, {quiet['milliseconds']:.0f}, {replica['milliseconds']:.0f}"
    )
    assert 60 <= efs["total"] <= 400, "fewer: nothing was on NFS, or nothing was counted; more: OPcache keeps nothing"
    assert replica["total"] == 0
    assert found["tree"].startswith("/srv/wordpress/trees/")


def test_an_upload_comes_from_the_shared_files(found: dict[str, Any]) -> None:
    assert found["upload"] == [200, "from the shared files"]


def test_a_node_sees_a_new_generation_at_once(found: dict[str, Any], prove: Callable[[str], None]) -> None:
    for way, seconds in found["staleness"].items():
        prove(f"a file of the fleet's state, {way}: seen by another mount after {seconds:.1f} s")
    assert 0 <= found["staleness"]["replaced, as the code agent looks"] < 2
    assert 0 <= found["staleness"]["new, after a look at its folder"] < 2
