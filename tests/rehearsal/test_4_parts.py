# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every optional part is switched on in the running stack: the site serves all the while, and a second run changes nothing."""

from __future__ import annotations

from .site import Site, wait_until

PARTS = "all_on"


def test_every_optional_part_is_added(site: Site, prove) -> None:
    before = site.instance_ids()
    run = site.play("all-on", "site.yml", *site.with_parts(PARTS).split())
    assert run.code == 0 and run.recap()["failed"] == 0, run.tail(60)
    again = site.play("all-on-again", "site.yml", *site.with_parts(PARTS).split())
    assert again.code == 0 and again.recap()["changed"] == 0, again.tail(60)
    prove(
        f"every optional part switched on: {run.recap()['changed']} tasks changed; again: changed=0, {again.seconds:.0f} s"
    )
    wait_until("the nodes are healthy", lambda: site.healthy() == site.instance_ids(), 120)
    assert "</html>" in site.get("/").text
    kept = len(before & site.instance_ids())
    prove(f"the site serves with all of them; {kept} of {len(before)} nodes are those from before")
    vaults = [one["BackupVaultName"] for one in site.aws("backup").list_backup_vaults()["BackupVaultList"]]
    alarms = site.aws("cloudwatch").describe_alarms()["MetricAlarms"]
    bastions = [
        one
        for one in site.aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
        if "bastion" in one["AutoScalingGroupName"]
    ]
    assert vaults and alarms and bastions
    prove(f"there are {len(alarms)} alarms, vault {', '.join(vaults)}, bastion {bastions[0]['AutoScalingGroupName']}")


def test_the_lag_of_cron_is_reported(site: Site, prove) -> None:
    """P26: the node that runs the events says how late they were."""

    def reported() -> bool:
        metrics = site.aws("cloudwatch").list_metrics(Namespace="WordPressHA")["Metrics"]
        return any("cron_lag" in one["MetricName"] for one in metrics)

    wait_until("a node reported the lag of cron", reported, 150)
    prove("a node reported cron's lag to CloudWatch")
