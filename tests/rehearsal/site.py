# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A running rehearsal as the tests see it: the commands a user types, HTTP, the AWS API, and the nodes' insides."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import requests
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
STATE = CHECKOUT / ".rehearsal"
INVENTORY = CHECKOUT / "inventories" / "rehearsal"
#: Files that switch optional parts on or off.
PARTS = CHECKOUT / "inventories" / "parts"
OUTPUT = CHECKOUT / "tests" / "output"


@dataclass
class Run:
    """What a command did: exit code, everything it printed, seconds it took."""

    code: int
    output: str
    seconds: float

    def recap(self) -> dict[str, int]:
        """Sum Ansible's recap over all hosts: {"ok": .., "changed": .., "failed": ..}."""
        totals: dict[str, int] = {}
        for name, count in re.findall(r"\b(ok|changed|unreachable|failed)=(\d+)", self.output):
            totals[name] = totals.get(name, 0) + int(count)
        return totals

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.output.splitlines()[-lines:])


class Site:
    """The rehearsal of this checkout."""

    def __init__(self) -> None:
        OUTPUT.mkdir(parents=True, exist_ok=True)
        #: The stack's shape after an uninterrupted build, to compare with (shape.py).
        self.built: dict[str, Any] = {}

    # -- commands --------------------------------------------------------------------------------------------------

    def run(self, name: str, *command: str, timeout: float = 1800, kill_at: Callable[[str], bool] | None = None) -> Run:
        """Run a command in the checkout, keep its output in tests/output/<name>.log; kill it when a line says so."""
        started = time.monotonic()
        lines: list[str] = []
        environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        environment["ANSIBLE_HOME"] = str(CHECKOUT / ".ansible")
        environment["PATH"] = f"{CHECKOUT / '.venv' / 'bin'}:{environment['PATH']}"
        with open(OUTPUT / f"{name}.log", "w", encoding="utf-8") as log:
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
            watchdog = threading.Timer(timeout, os.killpg, (process.pid, signal.SIGKILL))
            watchdog.start()
            assert process.stdout is not None
            for line in process.stdout:
                log.write(line)
                log.flush()
                lines.append(line)
                if kill_at is not None and kill_at(line):
                    os.killpg(process.pid, signal.SIGKILL)
                    break
            process.wait()
            watchdog.cancel()
        return Run(process.returncode, "".join(lines), time.monotonic() - started)

    def make(self, target: str, parts: str = "") -> Run:
        """Run a target; ``parts`` names a file of the inventory that switches optional parts on or off."""
        return self.run(f"make-{target}", "make", target, *([f"WITH={self.with_parts(parts)}"] if parts else []))

    @staticmethod
    def with_parts(parts: str) -> str:
        return f"-e @{PARTS / parts}.yml"

    def play(self, name: str, playbook: str, *arguments: str, **options: Any) -> Run:
        return self.run(name, "ansible-playbook", "-i", str(INVENTORY), playbook, *arguments, **options)

    # -- what the report says --------------------------------------------------------------------------------------

    @property
    def report(self) -> dict[str, Any]:
        return json.loads((STATE / "report.json").read_text(encoding="utf-8"))

    @property
    def url(self) -> str:
        return self.report["url"].rstrip("/")

    # -- the AWS side ----------------------------------------------------------------------------------------------

    def aws(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.report["aws_endpoint_url"],
            region_name="us-east-1",
            aws_access_key_id="rehearsal",
            aws_secret_access_key="rehearsal",
        )

    def network(self) -> str:
        tagged = [{"Name": "tag-key", "Values": ["wordpress_ha:stack"]}]
        return self.aws("ec2").describe_vpcs(Filters=tagged)["Vpcs"][0]["CidrBlock"]

    def ports(self) -> set[int]:
        """Return the ports of this machine that the rehearsal listens on."""
        return {*self.config()["ports"].values(), int(self.config()["endpoint"].rsplit(":", 1)[1])}

    def group(self) -> dict[str, Any]:
        """Return the nodes' group; the bastion has one of its own."""
        groups = self.aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
        return next(group for group in groups if group["AutoScalingGroupName"].endswith("-web"))

    def instance_ids(self) -> set[str]:
        return {instance["InstanceId"] for instance in self.group()["Instances"]}

    def private_ip(self, instance_id: str) -> str:
        reservations = self.aws("ec2").describe_instances(InstanceIds=[instance_id])["Reservations"]
        return reservations[0]["Instances"][0]["PrivateIpAddress"]

    def healthy(self) -> set[str]:
        elb = self.aws("elbv2")
        arn = elb.describe_target_groups()["TargetGroups"][0]["TargetGroupArn"]
        described = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return {item["Target"]["Id"] for item in described if item["TargetHealth"]["State"] == "healthy"}

    def writing_calls(self, since: float) -> list[dict[str, Any]]:
        """Return the writing calls in the emulator's log after a moment (seconds since the epoch), but for figures that nodes report."""
        calls = [json.loads(line) for line in (STATE / "log" / "api.jsonl").read_text(encoding="utf-8").splitlines()]
        writing = [call for call in calls if call["write"] and call["time"] >= since]
        return [call for call in writing if (call["service"], call["action"]) != ("cloudwatch", "PutMetricData")]

    def secret(self, name: str) -> dict[str, str]:
        return json.loads(self.aws("secretsmanager").get_secret_value(SecretId=name)["SecretString"])

    def distribution(self) -> dict[str, Any]:
        """Return the one distribution of the stack: its summary and, as C(config), all of its configuration."""
        cloudfront = self.aws("cloudfront")
        found = cloudfront.list_distributions()["DistributionList"]["Items"]
        assert len(found) == 1, found
        config = cloudfront.get_distribution_config(Id=found[0]["Id"])["DistributionConfig"]
        return {**cloudfront.get_distribution(Id=found[0]["Id"])["Distribution"], "config": config}

    def balancer_address(self) -> str:
        """Return the load balancer's own address, which this machine reaches past the edge."""
        names = [container["Names"][0] for container in self.containers()]
        name = next(name for name in names if "-alb-" in name)
        networks = json.loads(self.engine("inspect", name).stdout)[0]["NetworkSettings"]["Networks"]
        return str(next(iter(networks.values()))["IPAddress"])

    # -- HTTP ------------------------------------------------------------------------------------------------------

    def get(self, path: str = "/", **options: Any) -> requests.Response:
        return requests.get(f"{self.url}{path}", verify=str(STATE / "ca" / "ca.pem"), timeout=30, **options)

    def get_fresh(self, path: str = "/", **options: Any) -> requests.Response:
        """Ask for what the edge cannot hold: a query string of its own makes every request one for the nodes."""
        return self.get(f"{path}?fresh={uuid.uuid4().hex}", **options)

    def login(self) -> requests.Session:
        """Log in to wp-admin as the report's administrator and return the browser session."""
        browser = requests.Session()
        browser.trust_env = False  # or REQUESTS_CA_BUNDLE of the caller's shell would win over the line below
        browser.verify = str(STATE / "ca" / "ca.pem")
        browser.get(f"{self.url}/wp-login.php", timeout=30)
        answer = browser.post(
            f"{self.url}/wp-login.php",
            data={
                "log": self.report["admin_user"],
                "pwd": self.report["admin_password"],
                "wp-submit": "Log In",
                "redirect_to": f"{self.url}/wp-admin/",
                "testcookie": "1",
            },
            timeout=60,
        )
        assert answer.status_code == 200 and "wp-admin-bar" in answer.text, "the dashboard did not open after the login"
        return browser

    # -- the machine under it --------------------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        return json.loads((STATE / "config.json").read_text(encoding="utf-8"))

    def engine(self, *arguments: str, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
        settings = self.config()["engine"]
        command = [settings["command"], *settings.get("global_flags", []), *arguments]
        return subprocess.run(command, check=check, capture_output=True, text=True, timeout=300, **options)

    def containers(self) -> list[dict[str, Any]]:
        label = f"label=wordpress_ha.rehearsal={self.config()['identity']}"
        listed = self.engine("ps", "--all", "--filter", label, "--format", "json").stdout
        return json.loads(listed or "[]")

    def node(self, instance_id: str, script: str) -> str:
        """Run a shell script as root inside a node and return what it printed."""
        names = [container["Names"][0] for container in self.containers()]
        name = next(name for name in names if instance_id in name)
        return self.engine("exec", name, "sh", "-ec", script).stdout

    def stack(self, **changes: dict[str, Any]) -> str:
        """Return extra variables (JSON) that change keys of dicts of the stack file and keep the rest of them."""
        stack = yaml.safe_load((INVENTORY / "group_vars" / "all" / "stack.yml").read_text(encoding="utf-8"))
        return json.dumps({name: {**stack.get(name, {}), **values} for name, values in changes.items()})


@dataclass
class Load:
    """Open-loop load: a request every ``1 / rate`` seconds, whatever became of the earlier ones, until stopped.

    Bounded: it stops by itself after ``limit`` seconds. Only addresses of this machine are ever asked.
    """

    site: Site
    rate: float = 5.0
    limit: float = 900.0
    results: list[tuple[float, str, str]] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._requests: list[threading.Thread] = []
        self._url = self.site.url
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for request in self._requests:
            request.join(timeout=60)

    def _run(self) -> None:
        started = time.monotonic()
        sent = 0
        while not self._stop.is_set() and time.monotonic() - started < self.limit:
            thread = threading.Thread(target=self._ask, daemon=True)
            thread.start()
            self._requests.append(thread)
            sent += 1
            self._stop.wait(max(0.0, started + sent / self.rate - time.monotonic()))

    def _ask(self) -> None:
        started = time.time()
        try:
            # Past the edge's cache: what is tested stands behind it.
            url = f"{self._url}/?fresh={uuid.uuid4().hex}"
            answer = requests.get(url, verify=str(STATE / "ca" / "ca.pem"), timeout=30)
            outcome = str(answer.status_code)
            node = answer.headers.get("X-Served-By", "")
        except requests.RequestException as error:
            outcome, node = type(error).__name__, ""
        self.results.append((started, outcome, node))

    @property
    def failed(self) -> list[tuple[float, str, str]]:
        return [result for result in self.results if result[1] != "200"]


def wait_until(what: str, probe: Callable[[], bool], timeout: float, delay: float = 0.5) -> float:
    """Poll until true and return the seconds it took; otherwise fail with what was awaited."""
    started = time.monotonic()
    while True:
        try:
            if probe():
                return time.monotonic() - started
        except (requests.RequestException, StopIteration, IndexError):
            pass
        if time.monotonic() - started > timeout:
            raise AssertionError(f"{what}: not within {timeout:g} s")
        time.sleep(delay)
