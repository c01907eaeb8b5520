# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A site with every optional part, and its removal: one story in one account, which in the end holds what it held before.

A zone, a foreign record and a foreign parameter are there from the start: what is not ours stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from . import holdings
from .conftest import Account
from .lifecycle import compare
from .test_site import wanted_config

DESTROY = "playbooks/destroy.yml"
EVERYTHING: dict[str, Any] = {
    "wordpress_ha_dns": {"zone": "example.org"},
    "wordpress_ha_network": {"availability_zones": 3, "nat": "single", "flow_logs": {"enabled": True}, "ipv6": True},
    "wordpress_ha_media": {"replication_region": "eu-west-1", "cors_origins": ["https://blog.example.org"]},
    "wordpress_ha_bastion": {"enabled": True, "ingress_cidrs": ["203.0.113.0/24"]},
    "wordpress_ha_backups": {"plans": {"database": {"copy_region": "eu-west-1"}}},
    "wordpress_ha_monitoring": {"emails": ["admin@example.org"]},
    "wordpress_ha_database": {"proxy": True, "log_exports": ["error"], "readers": 2},
    "wordpress_ha_files": {"lifecycle": {"ia_after_days": 30}},
    "wordpress_ha_web": {
        "builder_timeout_seconds": 5,
        "health_check_grace_seconds": 0,
        "instance_warmup_seconds": 0,
        "drain_seconds": 30,
        "requests_per_target": 1000,
        "schedules": [{"name": "morning", "recurrence": "0 7 * * 1-5", "min": 3}],
    },
}
UNPROTECTED: dict[str, Any] = {
    **EVERYTHING,
    "wordpress_ha_database": {**EVERYTHING["wordpress_ha_database"], "deletion_protection": False},
    "wordpress_ha_load_balancer": {"deletion_protection": False},
}
#: What the removal leaves on purpose: the last snapshot, and what can still be restored or is never AWS's to take back.
LEFT = (r"^rds:db_cluster_snapshots:trial-database-[0-9-]+$", r"^ec2:snapshots:")


class Story:
    """What the tests hand on: what the account held before."""

    before: set[str] = set()


@pytest.fixture(scope="module")
def story(account: Account) -> Story:
    account.emulator.client("route53").create_hosted_zone(Name="example.org.", CallerReference="1")
    account.emulator.client("ssm").put_parameter(Name="/wordpress_ha/other/site/url", Value="https://x", Type="String")
    Story.before = holdings.of(account.emulator)
    return Story()


def test_a_plan_on_the_empty_account_is_what_is_then_done(
    account: Account, story: Story, prove: Callable[[str], None]
) -> None:
    predicted = account.play("playbooks/provision.yml", "--check", "--diff", **EVERYTHING)
    assert predicted.code == 0 and predicted.writes == [], predicted.tail()
    done = account.play("playbooks/provision.yml", **EVERYTHING)
    assert done.code == 0, done.tail()
    # The emulator's edge has its addresses, which the nodes trust, only when there is a network.
    compare(predicted.actions, done.actions, ordered=False, untold=("parameter/network/trusted_proxies",))
    wanted = account.play("playbooks/bake.yml", "--check", **EVERYTHING)
    assert wanted.code == 0 and wanted.writes == [], wanted.tail()
    account.config = wanted_config(wanted)
    prove(
        f"provision.yml with every optional part: {len(done.actions)} actions foretold on the empty account, then done"
    )


def test_the_site_with_everything(account: Account, story: Story, prove: Callable[[str], None]) -> None:
    account.image(account.config)
    run = account.play("site.yml", **EVERYTHING)
    assert run.code == 0, run.tail()
    again = account.play("site.yml", **EVERYTHING)
    assert again.code == 0 and again.recap["changed"] == 0 and again.writes == [], (again.changed, again.writes)
    prove(f"site.yml with every optional part, again: changed=0, 0 writing calls, {again.seconds:.0f} s")


def test_nothing_is_removed_without_the_name(account: Account, story: Story) -> None:
    run = account.play(DESTROY, wordpress_ha_destroy="trail", **EVERYTHING)
    assert run.code == 2 and run.writes == [] and "exactly this name" in run.message, run.tail()
    assert '"trail"' in run.message and "wordpress_ha_destroy=trial" in run.message


def test_protection_is_honoured_before_anything_goes(
    account: Account, story: Story, prove: Callable[[str], None]
) -> None:
    account.emulator.client("s3").put_object(Bucket="trial-media-123456789012", Key="2026/11/photo.jpg", Body=b"photo")
    run = account.play(DESTROY, wordpress_ha_destroy="trial", **EVERYTHING)
    assert run.code == 2 and run.writes == [], (run.writes, run.tail())
    for words in ("Nothing was removed", "trial-database", "trial-media-123456789012", "deletion_protection: false"):
        assert words in " ".join(run.output.split()), run.output
    prove("destroy.yml with protection and files: one message names all that is protected; 0 writing calls")


def test_a_removal_that_is_cut_short_is_taken_up(account: Account, story: Story, prove: Callable[[str], None]) -> None:
    lifted = account.play("playbooks/provision.yml", **UNPROTECTED)
    assert lifted.code == 0, lifted.tail()
    confirmed = {"wordpress_ha_destroy": "trial", "wordpress_ha_removal": {"media_files": True}, **UNPROTECTED}
    predicted = account.play(DESTROY, "--check", **confirmed)
    assert predicted.code == 0 and predicted.writes == [] and len(predicted.actions) >= 60, predicted.tail()
    account.emulator.forget()
    cut = account.play(DESTROY, until=("rds", "DeleteDBInstance"), **confirmed)
    assert cut.code != 0 and cut.writes
    run = account.play(DESTROY, **confirmed)
    assert run.code == 0, run.tail()
    left = {
        one for one in holdings.of(account.emulator) - story.before if not any(re.search(one_, one) for one_ in LEFT)
    }
    assert not left, f"destroy.yml left {sorted(left)}"
    assert not story.before - holdings.of(account.emulator)
    again = account.play(DESTROY, **confirmed)
    assert again.code == 0 and again.recap["changed"] == 0 and again.writes == [], (again.changed, again.writes)
    prove(
        f"destroy.yml, killed after {len(cut.writes)} writing calls and run again ({len(run.writes)} more): "
        "the account holds what it held before, and a last snapshot; once more: changed=0"
    )
