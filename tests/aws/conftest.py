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
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from wordpress_ha_rehearsal.emulator import testing

from . import recorded

CHECKOUT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
DOMAIN = "blog.example.org"


@dataclass
class Run:
    """What a playbook run did: exit code, output, names of the changed tasks, recap, writing calls, seconds, actions.

    ``actions`` are what the callback plan_summary wrote: every action of our modules, in order.
    """

    code: int
    output: str
    writes: list[str]
    seconds: float
    actions: list[dict[str, Any]] = field(default_factory=list)

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
        self.plays: list[recorded.Play] = []
        #: Names of resources that a test's stack uses and does not own.
        self.given: set[str] = set()

    @property
    def requests(self) -> Path:
        """Where the requests of a run are recorded; they hold secrets, and are gone with the emulator."""
        return self.emulator.log.with_name("requests.jsonl")

    def play(self, playbook: str, *arguments: str, until: tuple[str, str] | None = None, **variables: Any) -> Run:
        """Run a playbook of the checkout with further variables; the writing calls are those of this run alone.

        :param until: service and operation of the call at which the run, with all its processes, is killed.
        """
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **self.emulator.environment,
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "AWS_MAX_ATTEMPTS": "1",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "WORDPRESS_HA_PLAN_FILE": str(self.emulator.log.with_name("plan.jsonl")),
            **recorded.environment(self.requests),
        }
        command = ["ansible-playbook", "-i", str(HERE / "inventory"), playbook, *arguments]
        if variables:
            command += ["--extra-vars", json.dumps(variables)]
        self.emulator.forget()
        started = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        killer = threading.Thread(target=self._kill_at, args=(process, until), daemon=True)
        if until:
            killer.start()
        try:
            output = process.communicate(timeout=600)[0]
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        (CHECKOUT / "tests" / "output").mkdir(parents=True, exist_ok=True)
        (CHECKOUT / "tests" / "output" / f"aws-{Path(playbook).stem}.log").write_text(output, encoding="utf-8")
        self.plays.append(recorded.Play(playbook, arguments, recorded.taken(self.requests)))
        plan = self.emulator.log.with_name("plan.jsonl")
        actions = [json.loads(line) for line in plan.read_text().splitlines()] if plan.exists() else []
        return Run(process.returncode, output, self.emulator.writes(), time.monotonic() - started, actions)

    def _kill_at(self, process: subprocess.Popen[str], until: tuple[str, str]) -> None:
        """End a run and all its processes as soon as a call is seen."""
        while process.poll() is None:
            if any((call["service"], call["action"]) == until for call in self.emulator.calls()):
                os.killpg(process.pid, signal.SIGKILL)
                return
            time.sleep(0.05)

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


@dataclass
class Foreign:
    """A VPC that somebody else made in three zones: subnet ids by tier, security group ids by name, nothing with a tag of ours."""

    vpc_id: str
    cidr: str
    public: list[str]
    app: list[str]
    data: list[str]
    groups: dict[str, str]
    route_tables: dict[str, str]


def make_foreign(emulator: testing.Emulator, second_octet: int = 99, zones: int = 3) -> Foreign:
    """Make a foreign VPC: a public tier with an internet gateway, an app tier behind one NAT gateway, a data tier without a way out."""
    ec2 = emulator.client("ec2")
    base = f"10.{second_octet}"
    vpc_id = ec2.create_vpc(CidrBlock=f"{base}.0.0/16")["Vpc"]["VpcId"]
    for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
        ec2.modify_vpc_attribute(VpcId=vpc_id, **{attribute: {"Value": True}})
    names = [one["ZoneName"] for one in ec2.describe_availability_zones()["AvailabilityZones"]][:zones]
    tiers: dict[str, list[str]] = {"public": [], "app": [], "data": []}
    for row, subnets in enumerate(tiers.values()):
        for column, zone in enumerate(names):
            cidr = f"{base}.{row * 16 + column}.0/24"
            subnets.append(ec2.create_subnet(VpcId=vpc_id, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"])
    tables = {tier: ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"] for tier in tiers}
    for tier, subnets in tiers.items():
        for subnet in subnets:
            ec2.associate_route_table(RouteTableId=tables[tier], SubnetId=subnet)
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc_id)
    ec2.create_route(RouteTableId=tables["public"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=tiers["public"][0], AllocationId=address)["NatGateway"]["NatGatewayId"]
    ec2.create_route(RouteTableId=tables["app"], DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    groups = {
        name: ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc_id)["GroupId"]
        for name in ("alb", "web", "database", "cache", "files", "bastion")
    }
    return Foreign(vpc_id, f"{base}.0.0/16", **tiers, groups=groups, route_tables=tables)


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with testing.running() as emulator:
        account = Account(emulator)
        account.prepare()
        yield account
        recorded.hold(account.plays, account.given)


@pytest.fixture(scope="module")
def foreign(account: Account) -> Foreign:
    return make_foreign(account.emulator)
