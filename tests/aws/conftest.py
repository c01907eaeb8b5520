# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The AWS roles and plays against the emulated control plane, whose resources are ready at once.

Every test drives ``ansible-playbook`` as a user does and reads the emulator's call log, which tells writing calls from reading ones.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from wordpress_ha_rehearsal.emulator import testing

CHECKOUT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
DOMAIN = "blog.example.org"


@dataclass
class Run:
    """What a playbook run did: exit code, output, names of the changed tasks, recap, writing calls, seconds."""

    code: int
    output: str
    writes: list[str]
    seconds: float

    @property
    def changed(self) -> list[str]:
        """Names of the tasks that reported a change, in order; loop items count once each."""
        task, found = "", []
        for line in self.output.splitlines():
            if line.startswith("TASK ["):
                task = line.removeprefix("TASK [").rstrip(" *").rstrip("]")
            elif line.startswith("changed: "):
                found.append(task)
        return found

    @property
    def diffs(self) -> list[str]:
        """What diff mode showed, line by line."""
        return [line for line in self.output.splitlines() if re.match(r"[+-] ", line)]

    @property
    def recap(self) -> dict[str, int]:
        return {name: int(count) for name, count in re.findall(r"\b(ok|changed|unreachable|failed)=(\d+)", self.output)}

    def tail(self, lines: int = 45) -> str:
        return "\n".join(self.output.splitlines()[-lines:])

    @property
    def message(self) -> str:
        """The text of the failure, as a person reads it: on one line."""
        found = re.search(r"^\[ERROR\]: (.*?)(?=^Origin: |^fatal: |\Z)", self.output, re.DOTALL | re.MULTILINE)
        return " ".join(found.group(1).split()) if found else ""


class Account:
    """An emulated account and the plays that run in it."""

    def __init__(self, emulator: testing.Emulator) -> None:
        self.emulator = emulator
        self.config = ""

    def play(self, playbook: str, *arguments: str, **variables: Any) -> Run:
        """Run a playbook of the checkout with further variables; the writing calls are those of this run alone."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **self.emulator.environment,
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "AWS_MAX_ATTEMPTS": "1",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        command = ["ansible-playbook", "-i", str(HERE / "inventory"), playbook, *arguments]
        if variables:
            command += ["--extra-vars", json.dumps(variables)]
        self.emulator.forget()
        started = time.monotonic()
        done = subprocess.run(
            command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=240, check=False
        )
        output = done.stdout + done.stderr
        (CHECKOUT / "tests" / "output").mkdir(parents=True, exist_ok=True)
        (CHECKOUT / "tests" / "output" / f"aws-{Path(playbook).stem}.log").write_text(output, encoding="utf-8")
        return Run(done.returncode, output, self.emulator.writes(), time.monotonic() - started)

    def prepare(self) -> None:
        """Make what a user has before the first run: an issued certificate for the domain."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DOMAIN)])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now)
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(DOMAIN)]), critical=False)
            .sign(key, hashes.SHA256())
        )
        encoding, secret = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        self.emulator.client("acm").import_certificate(
            Certificate=certificate.public_bytes(encoding),
            PrivateKey=key.private_bytes(encoding, secret, serialization.NoEncryption()),
        )

    def image(self, config: str) -> str:
        """Make an image that carries the tags of a baked one; the emulator has no builder that could be configured."""
        ec2 = self.emulator.client("ec2")
        base = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-13-amd64-*"]}])["Images"][0]["ImageId"]
        builder = ec2.run_instances(ImageId=base, InstanceType="c6i.large", MinCount=1, MaxCount=1)["Instances"][0][
            "InstanceId"
        ]
        tags = {"wordpress_ha:stack": "trial", "wordpress_ha:role": "web", "wordpress_ha:config": config}
        specification = {"ResourceType": "image", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        image = ec2.create_image(
            InstanceId=builder, Name=f"trial-web-{config[:16]}", TagSpecifications=[specification]
        )["ImageId"]
        ec2.terminate_instances(InstanceIds=[builder])
        return str(image)

    def parameters(self) -> dict[str, str]:
        """Return the nodes' contract by the names below the stack's path."""
        pages = self.emulator.client("ssm").get_paginator("get_parameters_by_path")
        found = pages.paginate(Path="/wordpress_ha/trial", Recursive=True)
        return {one["Name"].split("/", 3)[3]: one["Value"] for page in found for one in page["Parameters"]}

    def instance_ids(self) -> set[str]:
        """Return the nodes of the stack's Auto Scaling group."""
        groups = self.emulator.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=["trial-web"])
        return {one["InstanceId"] for one in groups["AutoScalingGroups"][0]["Instances"]}


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with testing.running() as emulator:
        account = Account(emulator)
        account.prepare()
        yield account
