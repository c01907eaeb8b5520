# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A changed setting becomes a new image and a rolling refresh; a broken image is rolled back."""

from __future__ import annotations

import re

from .site import Load, Site, wait_until


def image_of_the_fleet(site: Site) -> set[str]:
    reservations = site.aws("ec2").describe_instances(InstanceIds=sorted(site.instance_ids()))["Reservations"]
    return {instance["ImageId"] for reservation in reservations for instance in reservation["Instances"]}


def test_changed_setting_is_rolled_out_without_a_failed_request(site: Site, prove) -> None:
    before, image = site.instance_ids(), image_of_the_fleet(site)
    with Load(site) as load:
        run = site.play("roll-out", "site.yml", "-e", site.stack(wordpress_ha_web={"max_upload": "96M"}), "-vv")
        assert run.code == 0, run.tail(60)
    after = site.instance_ids()
    assert not before & after and image_of_the_fleet(site) != image
    assert not load.failed, load.failed[:10]
    limits = {site.node(node, "php-fpm8.4 -i | grep -m1 ^upload_max_filesize").split()[-1] for node in after}
    assert limits == {"96M"}
    prove(
        f"max_upload 64M -> 96M: new image, nodes {sorted(before)} replaced by {sorted(after)} in {run.seconds:.0f} s, "
        f"{len(load.results)} requests, none failed"
    )


def test_broken_image_is_rolled_back(site: Site, prove) -> None:
    image = image_of_the_fleet(site)
    # The base image has no web server: a node launched from it can never become healthy.
    images = site.aws("ec2").describe_images(Filters=[{"Name": "name", "Values": ["debian-13-amd64-*"]}])["Images"]
    broken = images[0]["ImageId"]
    changed = site.stack(wordpress_ha_web={"max_upload": "96M"})
    with Load(site) as load:
        run = site.play(
            "roll-back", "playbooks/roll_out.yml", "-e", changed, "-e", f"wordpress_ha_image_id={broken}", timeout=900
        )
    assert run.code != 0, "the play must fail when the roll-out was rolled back"
    said = " ".join(run.output.split())
    reason = re.search(r"Version \d+ of launch template .*? The group was rolled back .*?\.", said)
    assert reason is not None and "FailedHealthChecks" in reason.group(), run.tail()
    wait_until("the fleet is whole again", lambda: site.healthy() == site.instance_ids(), 120)
    assert image_of_the_fleet(site) == image
    assert not load.failed, load.failed[:10]
    again = site.play("after-roll-back", "site.yml", "-e", changed)
    assert again.code == 0 and again.recap()["changed"] == 0, again.tail(60)
    prove(f'an image without a web server: the play failed after {run.seconds:.0f} s with "{reason.group()}"')
    prove(f"{len(load.results)} requests meanwhile, none failed; site.yml afterwards: changed=0")
