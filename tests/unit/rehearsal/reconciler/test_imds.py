# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The metadata service: token rules, and every path that cloud-init and the boot agent ask for."""

from __future__ import annotations

import base64
import datetime
import json

import pytest

from wordpress_ha_rehearsal.reconciler import imds

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
INSTANCE = {
    "id": "i-0abc",
    "image_id": "ami-1",
    "private_ip": "10.40.1.4",
    "subnet_id": "subnet-1",
    "vpc_id": "vpc-1",
    "az": "us-east-1a",
    "hostname": "ip-10-40-1-4.ec2.internal",
    "user_data": base64.b64encode(b"#cloud-config\n").decode(),
    "tags": {"Name": "web", "wordpress_ha:stack": "rehearsal"},
    "instance_type": "t3.small",
    "metadata": {"http_tokens": "required", "hop_limit": 1, "instance_tags": True},
    "iam_instance_profile": "arn:aws:iam::123456789012:instance-profile/node",
    "iam_role": "node-role",
    "public_key": "ssh-ed25519 AAAA rehearsal",
}


def get(path: str, **changes) -> imds.Answer:
    return imds.lookup(path, imds.tree(INSTANCE | changes, "us-east-1", "123456789012", NOW))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/latest/meta-data/instance-id", "i-0abc"),
        ("/latest/meta-data/local-ipv4", "10.40.1.4"),
        ("/latest/meta-data/local-hostname", "ip-10-40-1-4.ec2.internal"),
        ("/latest/meta-data/placement/region", "us-east-1"),
        ("/latest/meta-data/placement/availability-zone", "us-east-1a"),
        ("/latest/meta-data/tags/instance/wordpress_ha:stack", "rehearsal"),
        ("/latest/meta-data/tags/instance/", "Name\nwordpress_ha:stack"),
        ("/latest/meta-data/iam/security-credentials/", "node-role"),
        ("/latest/meta-data/public-keys/", "0=rehearsal"),
        ("/latest/meta-data/public-keys/0/openssh-key", "ssh-ed25519 AAAA rehearsal\n"),
        ("/2021-03-23/meta-data/network/interfaces/macs/", imds.mac_address("i-0abc") + "/"),
        ("/latest/user-data", "#cloud-config\n"),
    ],
)
def test_paths(path, body) -> None:
    assert get(path) == imds.Answer(200, body)


def test_directories_list_their_children() -> None:
    listed = get("/latest/meta-data/").body.splitlines()
    assert {"instance-id", "placement/", "iam/", "tags/", "network/", "public-keys/"} <= set(listed)
    assert get("/").body.splitlines()[-1] == "latest"


@pytest.mark.parametrize(
    "path", ["/newest/meta-data/", "/latest/meta-data/nothing", "/latest/meta-data/instance-id/deeper"]
)
def test_what_is_not_there(path) -> None:
    assert get(path).status == 404


def test_tags_user_data_and_role_only_where_they_exist() -> None:
    assert get("/latest/meta-data/tags/instance/Name", metadata={"instance_tags": False}).status == 404
    assert get("/latest/user-data", user_data=None).status == 404
    assert get("/latest/meta-data/iam/info", iam_instance_profile=None).status == 404


@pytest.mark.parametrize("state", ["InService", "Terminated", "Warmed:Stopped"])
def test_a_member_of_a_group_learns_where_it_is_going(state) -> None:
    path = "/latest/meta-data/autoscaling/target-lifecycle-state"
    assert get(path, target_lifecycle_state=state) == imds.Answer(200, state)
    assert get(path).status == get(path, target_lifecycle_state=None).status == 404


def test_identity_document_and_credentials() -> None:
    document = json.loads(get("/latest/dynamic/instance-identity/document").body)
    assert (document["instanceId"], document["region"], document["accountId"]) == (
        "i-0abc",
        "us-east-1",
        "123456789012",
    )
    keys = json.loads(get("/latest/meta-data/iam/security-credentials/node-role").body)
    assert keys["Code"] == "Success"
    assert keys["AccessKeyId"].startswith("ASIA")
    assert keys["Expiration"] > NOW.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_credentials_last_and_change() -> None:
    later = NOW + datetime.timedelta(minutes=5)
    assert imds.credentials("r", "i", NOW) == imds.credentials("r", "i", later)
    assert imds.credentials("r", "i", NOW) != imds.credentials("r", "i", NOW + datetime.timedelta(hours=7))


@pytest.mark.parametrize(
    ("ttl", "forwarded", "status"),
    [
        ("60", False, 200),
        ("21600", False, 200),
        (None, False, 400),
        ("0", False, 400),
        ("21601", False, 400),
        ("x", False, 400),
        ("60", True, 403),
    ],
)
def test_put_token(ttl, forwarded, status) -> None:
    assert imds.Tokens().issue("10.0.0.1", ttl, forwarded).status == status


def test_tokens_expire_and_belong_to_one_instance() -> None:
    now = [1000.0]
    tokens = imds.Tokens(clock=lambda: now[0])
    token = tokens.issue("10.0.0.1", "60").body
    assert tokens.valid("10.0.0.1", token)
    assert not tokens.valid("10.0.0.2", token)
    assert not imds.Tokens(clock=lambda: now[0]).valid("10.0.0.1", token)
    now[0] += 61
    assert not tokens.valid("10.0.0.1", token)


@pytest.mark.parametrize("required", [True, False])
def test_a_wrong_token_never_passes_a_missing_one_only_where_optional(required) -> None:
    tokens = imds.Tokens()
    assert not tokens.authorise("10.0.0.1", "rubbish", required)
    assert tokens.authorise("10.0.0.1", None, required) is not required
