# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""site.yml and provision.yml in one emulated account, from empty to changed: one story, its tests run in this order.

The control plane has no machine that could be configured as the builder, so the image of a bake is put there by the test under the
digest that the play itself asks for; the bake proper is proven by the rehearsal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from .conftest import Account, Run

#: Settings that touch every tier and leave all else alone.
MODIFIED: dict[str, Any] = {
    "wordpress_ha_network": {"nat": "single"},
    "wordpress_ha_database": {"readers": 2},
    "wordpress_ha_cache": {"replicas": 2},
    "wordpress_ha_files": {"throughput_mode": "bursting"},
    "wordpress_ha_load_balancer": {"deregistration_delay_seconds": 180},
    "wordpress_ha_edge": {"default_ttl_seconds": 300, "price_class": "PriceClass_100"},
    "wordpress_ha_site": {"domain": "blog.example.org", "admin_email": "admin@example.org", "title": "Changed"},
}
TIERS = [
    "network : VPC",
    "database : Cluster",
    "object_cache : Replication group",
    "shared_files",
    "load_balancer",
    "edge : Policies",
    "edge : Distribution",
    "Contract",
]


def wanted_config(run: Run) -> str:
    """Return the digest of the image that a check run says it would bake."""
    found = re.search(r"configuration ([0-9a-f]{64})", run.output)
    assert found, run.tail()
    return found.group(1)


def test_check_mode_on_an_empty_account(account: Account, prove: Callable[[str], None]) -> None:
    run = account.play("site.yml", "--check", "--diff")
    assert run.code == 0 and run.recap["failed"] == 0, run.tail()
    assert run.writes == []
    assert run.recap["changed"] >= 10
    assert "(known after apply)" in run.output
    account.config = wanted_config(run)
    prove(
        f"site.yml --check --diff on an empty account: exit code 0, {run.recap['changed']} changes predicted, "
        f"{len(run.writes)} writing calls, {run.seconds:.0f} s"
    )


def test_provision_creates(account: Account, prove: Callable[[str], None]) -> None:
    run = account.play("playbooks/provision.yml")
    assert run.code == 0 and run.recap["failed"] == 0, run.tail()
    tree = account.parameters()
    assert tree["site/url"] == "https://blog.example.org" and tree["storage/mode"] == "replica"
    assert tree["cache/prefix"] == "trial:" and tree["cache/tls"] == "true"
    assert all("(known" not in value for value in tree.values())
    assert len(tree["network/trusted_proxies"].split(",")) == 3  # two public subnets, and CloudFront
    (distribution,) = account.emulator.desired()["distributions"]
    assert (
        tree["edge/distribution_id"] == distribution["id"] and tree["edge/domain_name"] == distribution["domain_name"]
    )
    prove(f"provision.yml: {len(run.writes)} writing calls, {run.recap['changed']} tasks changed, {run.seconds:.0f} s")
    prove(f"the nodes' contract holds {len(tree)} parameters, none of them a secret or unknown")


def test_site_rolls_the_image_out(account: Account, prove: Callable[[str], None]) -> None:
    account.image(account.config)
    run = account.play("site.yml")
    assert run.code == 0 and run.recap["failed"] == 0, run.tail()
    assert all("web_fleet" in task for task in run.changed), run.changed
    group = account.emulator.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
    zones = {instance["AvailabilityZone"] for instance in group["Instances"]}
    assert len(group["Instances"]) == 2 and len(zones) == 2
    prove(f"site.yml with the baked image: only the fleet changed; 2 nodes in {sorted(zones)}, {run.seconds:.0f} s")


def test_nothing_to_do_is_nothing_done(account: Account, prove: Callable[[str], None]) -> None:
    """A very verbose run at that: it shows references to secrets and never a value (P45)."""
    run = account.play("site.yml", "-vvv")
    assert run.code == 0 and run.recap["changed"] == 0 and run.writes == [], (run.changed, run.writes, run.tail())
    prove(f"site.yml again: changed=0 failed=0, {len(run.writes)} writing calls, {run.seconds:.0f} s")
    client = account.emulator.client("secretsmanager")
    values: list[str] = []
    for secret in client.list_secrets()["SecretList"]:
        values += json.loads(client.get_secret_value(SecretId=secret["ARN"])["SecretString"]).values()
    hidden = [value for value in values if len(value) >= 16]
    assert len(hidden) >= 11 and not [value for value in hidden if value in run.output]
    prove(f"none of {len(hidden)} generated secrets stands in its -vvv output")


def test_check_mode_afterwards_is_silent(account: Account, prove: Callable[[str], None]) -> None:
    run = account.play("site.yml", "--check", "--diff")
    assert run.code == 0 and run.recap["changed"] == 0 and run.writes == [], (run.changed, run.writes, run.tail())
    assert not re.search(r"^[+-] ", run.output, re.MULTILINE)
    prove(f"site.yml --check --diff: changed=0, no diff, {len(run.writes)} writing calls, {run.seconds:.0f} s")


def test_the_storage_mode_of_a_running_stack_is_switched(account: Account, prove: Callable[[str], None]) -> None:
    """Here on the side of AWS alone: the emulator's nodes are no machines. Molecule switches real ones (prove_modes.yml)."""
    here = ("--limit", "localhost")
    releases = {"wordpress_storage_mode": "release"}
    refused = account.play("playbooks/deploy.yml", *here)
    assert refused.code != 0 and "wordpress_storage_mode is replica" in refused.message, refused.tail()
    assert "playbooks" in refused.message or "switch_storage" in refused.message
    predicted = account.play("playbooks/switch_storage.yml", *here, "--check", **releases)
    assert predicted.code == 0 and predicted.recap["changed"] == 1 and predicted.writes == [], predicted.tail()
    run = account.play("playbooks/switch_storage.yml", *here, **releases)
    assert run.code == 0 and run.recap["changed"] == 1, (run.changed, run.tail())
    assert account.parameters()["storage/mode"] == "release"
    again = account.play("playbooks/switch_storage.yml", *here, **releases)
    assert again.code == 0 and again.recap["changed"] == 0 and again.writes == [], (again.changed, again.writes)
    for playbook in ("deploy", "roll_back"):
        for check in ((), ("--check",)):
            found = account.play(f"playbooks/{playbook}.yml", *here, *check, **releases)
            assert found.code == 0 and found.writes == [] and found.output.count("i-") >= 2, found.tail()
    image = account.play("playbooks/bake.yml", "--check", **releases)
    assert image.code == 0 and image.recap["changed"] == 0, (image.changed, image.tail())
    back = account.play("playbooks/switch_storage.yml", *here)
    assert back.code == 0 and account.parameters()["storage/mode"] == "replica", back.tail()
    prove(
        f"switch_storage.yml on a running stack: one parameter changed and no image needed, {run.seconds:.0f} s; again: changed=0; "
        "deploy.yml and roll_back.yml find the nodes, and refuse a stack that runs no releases"
    )


def test_check_mode_predicts_a_modification(account: Account, prove: Callable[[str], None]) -> None:
    predicted = account.play("playbooks/provision.yml", "--check", "--diff", **MODIFIED)
    assert predicted.code == 0 and predicted.writes == [], predicted.tail()
    real = account.play("playbooks/provision.yml", **MODIFIED)
    assert real.code == 0, real.tail()
    assert predicted.changed == real.changed
    for tier in TIERS:
        assert any(tier in task for task in real.changed), (tier, real.changed)
    again = account.play("playbooks/provision.yml", **MODIFIED)
    assert again.code == 0 and again.recap["changed"] == 0 and again.writes == [], (again.changed, again.writes)
    prove(
        f"a setting changed in each tier: check mode named the same {len(real.changed)} tasks that then changed; again: 0"
    )


def test_a_new_image_replaces_the_nodes(account: Account, prove: Callable[[str], None]) -> None:
    changed = {
        "wordpress_ha_web": {
            "max_upload": "128M",
            "builder_timeout_seconds": 5,
            "health_check_grace_seconds": 0,
            "instance_warmup_seconds": 0,
        },
        **MODIFIED,
    }
    predicted = account.play("playbooks/bake.yml", "--check", **changed)
    assert predicted.code == 0 and predicted.writes == [], predicted.tail()
    config = wanted_config(predicted)
    assert config != account.config
    before = account.instance_ids()
    image = account.image(config)
    run = account.play("playbooks/roll_out.yml", **changed)
    assert run.code == 0, run.tail()
    after = account.instance_ids()
    assert len(after) == 2 and not before & after
    reservations = account.emulator.client("ec2").describe_instances(InstanceIds=sorted(after))["Reservations"]
    assert {one["ImageId"] for found in reservations for one in found["Instances"]} == {image}
    prove(
        f"max_upload changed: another digest, a refresh replaced {len(before)} nodes by {len(after)} of the new image"
    )


def test_a_leftover_builder_is_ended(account: Account, prove: Callable[[str], None]) -> None:
    """What a run that was killed after imaging leaves running is ended by the next one; foreign machines are not."""
    ec2 = account.emulator.client("ec2")
    base = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-13-amd64-*"]}])["Images"][0]["ImageId"]

    def launch(stack: str) -> str:
        tags = [{"Key": "wordpress_ha:stack", "Value": stack}, {"Key": "wordpress_ha:role", "Value": "builder"}]
        tags.append({"Key": "wordpress_ha:config", "Value": "sealed"})
        specification = [{"ResourceType": "instance", "Tags": tags}]
        answer = ec2.run_instances(ImageId=base, MinCount=1, MaxCount=1, TagSpecifications=specification)
        return str(answer["Instances"][0]["InstanceId"])

    ours, foreign = launch("trial"), launch("another")
    run = account.play("playbooks/bake.yml")
    assert run.code == 0, run.tail()
    found = ec2.describe_instances(InstanceIds=[ours, foreign])["Reservations"]
    states = {one["InstanceId"]: one["State"]["Name"] for entry in found for one in entry["Instances"]}
    assert states[ours] in ("shutting-down", "terminated") and states[foreign] == "running", states
    prove("a builder left by an interrupted run was ended, one of another stack was not")
