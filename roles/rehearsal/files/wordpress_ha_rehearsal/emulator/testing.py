# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start the emulator as a process of its own for tests, and read its call log.

::

    with running() as emulator:
        client = emulator.client("ec2")
        ...
        assert emulator.writes() == []
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import call_log

#: What the emulator accepts as credentials: anything; these say where they belong.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "rehearsal", "AWS_SECRET_ACCESS_KEY": "known-to-no-account-at-all"}


class Emulator:
    """A running emulator: its address, its calls, its data plane."""

    def __init__(self, endpoint_url: str, log: Path, region: str = "us-east-1", process: Any = None) -> None:
        self.endpoint_url = endpoint_url
        self.region = region
        self.log = log
        self.process = process
        self._skip = 0
        self._clients: dict[str, Any] = {}

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead boto3, and with it every AWS module, to this emulator."""
        return {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }

    def client(self, service: str) -> Any:
        """Return a boto3 client of this emulator; one per service, since making one takes long."""
        if service not in self._clients:
            import boto3

            make: Any = boto3.client
            self._clients[service] = make(
                service,
                endpoint_url=self.endpoint_url,
                region_name=self.region,
                aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            )
        return self._clients[service]

    def calls(self, service: str | None = None) -> list[dict[str, Any]]:
        """Return the logged calls since the start or the last ``forget``, of one service if given."""
        found = list(call_log.read(self.log))[self._skip :] if self.log.exists() else []
        return [call for call in found if service in (None, call["service"])]

    def writes(self, service: str | None = None) -> list[str]:
        """Return ``service:Operation`` of the logged calls that were not mere reads."""
        return [f"{call['service']}:{call['action']}" for call in self.calls(service) if call["write"]]

    def forget(self) -> None:
        """Let ``calls`` and ``writes`` begin here."""
        self._skip += len(self.calls())

    def reset(self) -> None:
        """Empty the account, and forget the calls so far."""
        self._request("POST", "/moto-api/reset")
        self.forget()

    def desired(self) -> dict[str, Any]:
        """Return what the data plane is asked to make true."""
        return dict(json.loads(self._request("GET", "/_data_plane/desired")))

    def observed(self, **report: Any) -> None:
        """Report as a reconciler does: ``observed(instances={"i-…": "running"})``."""
        self._request("POST", "/_data_plane/observed", json.dumps(report).encode())

    def advance(self, seconds: float) -> None:
        """Let grace periods, warm-ups and draining delays pass without waiting."""
        self._request("POST", "/_data_plane/clock", json.dumps({"advance": seconds}).encode())

    def faults(self, **wanted: Any) -> None:
        """Let calls fail from now on: ``faults(throttle=0.1, error=0.02, seed=1)``; without arguments none does any more."""
        self._request("POST", "/_data_plane/faults", json.dumps(wanted).encode())

    def fault_counts(self) -> dict[str, int]:
        """Return how many calls met which fault since ``faults``."""
        return dict(json.loads(self._request("GET", "/_data_plane/faults"))["counts"])

    def _request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(self.endpoint_url + path, data=body, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read())


@contextmanager
def running(
    data_plane: str = "instant", region: str = "us-east-1", directory: str | Path | None = None
) -> Iterator[Emulator]:
    """Start an emulator on a free port and stop it at the end; RuntimeError with its output if it does not start.

    ``directory`` keeps the call log (``api.jsonl``) and the emulator's own log; without it both are removed at the end.
    """
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(directory or temporary)
        log, messages = home / "api.jsonl", home / "emulator.log"
        command = [sys.executable, "-m", __package__, "--port", "0", "--call-log", str(log)]
        command += ["--data-plane", data_plane, "--region", region]
        package = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(part for part in (package, os.environ.get("PYTHONPATH", "")) if part)
        with open(messages, "wb") as stderr:
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
                text=True,
            )
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            if not address.startswith("http"):
                raise RuntimeError(f"the emulator did not start:\n{messages.read_text(encoding='utf-8')}")
            yield Emulator(address, log, region, process)
        finally:
            process.terminate()
            process.wait(timeout=20)
            process.stdout.close()
