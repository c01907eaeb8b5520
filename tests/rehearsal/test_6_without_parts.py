# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The smallest stack, every optional part off, from nothing: it serves, and ``destroy.yml`` takes it away again."""

from __future__ import annotations

from .site import Site, wait_until

PARTS = "all_off"


def test_without_any_optional_part(site: Site, prove) -> None:
    site.make("rehearsal-down")
    run = site.make("rehearsal", PARTS)
    assert run.code == 0 and run.recap()["failed"] == 0, run.tail(60)
    wait_until("both nodes are healthy", lambda: site.healthy() == site.instance_ids(), 60)
    assert "</html>" in site.get("/").text
    assert not site.aws("elasticache").describe_replication_groups()["ReplicationGroups"]
    assert not site.aws("cloudfront").list_distributions()["DistributionList"].get("Items")
    prove(
        f"without edge, cache, media bucket, bastion, backups, monitoring: built in {run.seconds:.0f} s, and it serves"
    )


def test_destroy_takes_it_away(site: Site, prove) -> None:
    options = site.with_parts(PARTS).split()
    wrong = site.play("destroy-wrong", "playbooks/destroy.yml", *options, "-e", "wordpress_ha_destroy=other")
    assert wrong.code != 0 and site.instance_ids(), wrong.tail()
    run = site.play("destroy", "playbooks/destroy.yml", *options, "-e", "wordpress_ha_destroy=rehearsal")
    assert run.code == 0 and run.recap()["failed"] == 0, run.tail(60)
    tagged = [{"Name": "tag-key", "Values": ["wordpress_ha:stack"]}]
    assert not site.aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert not site.aws("rds").describe_db_clusters()["DBClusters"]
    assert not site.aws("ec2").describe_vpcs(Filters=tagged)["Vpcs"]
    assert not site.aws("efs").describe_file_systems()["FileSystems"]
    assert not site.aws("ec2").describe_images(Owners=["self"])["Images"]
    prove(f"`destroy.yml` refused another name, then removed nodes, images, data and network in {run.seconds:.0f} s")
