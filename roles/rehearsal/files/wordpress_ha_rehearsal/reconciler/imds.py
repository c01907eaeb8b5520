# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The instance metadata service: what IMDS answers (pure) and the server that answers inside a VPC's network."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ADDRESS = "169.254.169.254"
#: Where it really listens, at the address of the VPC's resolver.
PORT = 8775
TOKEN_HEADER = "X-aws-ec2-metadata-token"
TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
MAXIMUM_TTL = 21600
CREDENTIAL_HOURS = 6
VERSION = re.compile(r"^(latest|1\.0|20\d\d-\d\d-\d\d)$")
VERSIONS = ["1.0", "2009-04-04", "2016-09-02", "2018-09-24", "2021-03-23", "latest"]

Node = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: status, text and content type."""

    status: int
    body: str = ""
    content_type: str = "text/plain"


def mac_address(instance_id: str) -> str:
    """Return the locally administered MAC address that an instance always has."""
    digest = hashlib.sha256(instance_id.encode()).hexdigest()
    return "02:" + ":".join(digest[index : index + 2] for index in range(0, 10, 2))


def credentials(role: str, instance_id: str, now: datetime.datetime) -> dict[str, str]:
    """Return the temporary keys of an instance's role; stable within a window of CREDENTIAL_HOURS, worthless outside."""
    window = int(now.timestamp()) // (CREDENTIAL_HOURS * 3600)
    seed = hashlib.sha256(f"{instance_id}/{role}/{window}".encode()).hexdigest()
    issued = datetime.datetime.fromtimestamp(window * CREDENTIAL_HOURS * 3600, tz=datetime.UTC)
    # Like AWS's, the next keys are there well before the old ones expire.
    expires = issued + datetime.timedelta(hours=CREDENTIAL_HOURS + 1)
    return {
        "Code": "Success",
        "LastUpdated": issued.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "Type": "AWS-HMAC",
        "AccessKeyId": "ASIA" + seed[:16].upper(),
        "SecretAccessKey": seed[16:56],
        "Token": base64.b64encode(seed.encode()).decode(),
        "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def identity_document(instance: Node, region: str, account: str) -> dict[str, Any]:
    """Return the instance identity document."""
    return {
        "accountId": account,
        "architecture": "x86_64",
        "availabilityZone": instance["az"],
        "imageId": instance["image_id"],
        "instanceId": instance["id"],
        "instanceType": instance.get("instance_type"),
        "privateIp": instance["private_ip"],
        "region": region,
        "version": "2017-09-30",
    }


def tree(instance: Node, region: str, account: str, now: datetime.datetime) -> dict[str, Any]:
    """Return everything under ``/latest`` as nested dicts; a leaf is text."""
    mac = mac_address(instance["id"])
    hostname = f"{instance['hostname'].split('.')[0]}.ec2.internal"
    interface = {
        "device-number": "0",
        "interface-id": "eni-" + instance["id"][2:],
        "local-hostname": hostname,
        "local-ipv4s": instance["private_ip"],
        "mac": mac,
        "owner-id": account,
        "subnet-id": instance["subnet_id"],
        "vpc-id": instance["vpc_id"],
    }
    meta: dict[str, Any] = {
        "ami-id": instance["image_id"],
        "ami-launch-index": "0",
        "hostname": hostname,
        "instance-id": instance["id"],
        "instance-life-cycle": "on-demand",
        "instance-type": instance.get("instance_type") or "",
        "local-hostname": hostname,
        "local-ipv4": instance["private_ip"],
        "mac": mac,
        "network": {"interfaces": {"macs": {mac: interface}}},
        "placement": {"availability-zone": instance["az"], "region": region},
        "reservation-id": "r-" + instance["id"][2:],
        "services": {"domain": "amazonaws.com", "partition": "aws"},
    }
    if instance.get("target_lifecycle_state"):
        meta["autoscaling"] = {"target-lifecycle-state": instance["target_lifecycle_state"]}
    if instance.get("public_key"):
        meta["public-keys"] = {"0": {"openssh-key": instance["public_key"].strip() + "\n"}}
    if (instance.get("metadata") or {}).get("instance_tags"):
        meta["tags"] = {"instance": dict(instance.get("tags") or {})}
    if instance.get("iam_instance_profile"):
        meta["iam"] = {
            "info": json.dumps(
                {
                    "Code": "Success",
                    "LastUpdated": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "InstanceProfileArn": instance["iam_instance_profile"],
                    "InstanceProfileId": "AIPA"
                    + hashlib.sha256(instance["iam_instance_profile"].encode()).hexdigest()[:17].upper(),
                }
            )
        }
        if instance.get("iam_role"):
            keys = credentials(instance["iam_role"], instance["id"], now)
            meta["iam"]["security-credentials"] = {instance["iam_role"]: json.dumps(keys, indent=2)}
    root: dict[str, Any] = {
        "dynamic": {
            "instance-identity": {"document": json.dumps(identity_document(instance, region, account), indent=2)}
        },
        "meta-data": meta,
    }
    if instance.get("user_data"):
        root["user-data"] = base64.b64decode(instance["user_data"]).decode(errors="surrogateescape")
    return root


def listing(path: str, node: Node) -> str:
    """Return a directory's listing: subdirectories end in a slash, public keys are shown as ``0=<name>``."""
    if path.rstrip("/").endswith("meta-data/public-keys"):
        return "\n".join(f"{number}=rehearsal" for number in node)
    return "\n".join(sorted(f"{name}/" if isinstance(child, Mapping) else name for name, child in node.items()))


def lookup(path: str, root: Node) -> Answer:
    """Return the answer to an authorised GET of an absolute path."""
    parts = [part for part in path.split("?", maxsplit=1)[0].split("/") if part]
    if not parts:
        return Answer(200, "\n".join(VERSIONS))
    if not VERSION.match(parts[0]):
        return Answer(404)
    node: Any = root
    for part in parts[1:]:
        # A key's name may itself hold a colon or a blank, never a slash.
        if not isinstance(node, Mapping) or part not in node:
            return Answer(404)
        node = node[part]
    if isinstance(node, Mapping):
        return Answer(200, listing("/".join(parts), node))
    return Answer(200, node, "application/json" if parts[-1] == "document" else "text/plain")


class Tokens:
    """Session tokens: signed expiry times, so nothing has to be remembered. Times in seconds of ``clock``."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._key, self._clock = secrets.token_bytes(32), clock

    def issue(self, address: str, ttl: str | None, forwarded: bool = False) -> Answer:
        """Answer a PUT: 403 through a proxy, 400 for a missing or impossible TTL, else a token for this address."""
        if forwarded:
            return Answer(403)
        if ttl is None or not ttl.isdigit() or not 1 <= int(ttl) <= MAXIMUM_TTL:
            return Answer(400)
        expiry = str(int(self._clock() + int(ttl)))
        return Answer(200, base64.urlsafe_b64encode(f"{expiry}.{self._sign(address, expiry)}".encode()).decode())

    def valid(self, address: str, token: str) -> bool:
        """Return whether a token was issued here, to this address, and has not expired."""
        try:
            expiry, signature = base64.urlsafe_b64decode(token.encode()).decode().split(".")
        except (ValueError, UnicodeDecodeError):
            return False
        return hmac.compare_digest(signature, self._sign(address, expiry)) and int(expiry) > self._clock()

    def _sign(self, address: str, expiry: str) -> str:
        return hmac.new(self._key, f"{address} {expiry}".encode(), hashlib.sha256).hexdigest()

    def authorise(self, address: str, token: str | None, required: bool) -> bool:
        """Return whether a GET may pass: a given token must be valid, a missing one is fine unless tokens are required."""
        return not required if token is None else self.valid(address, token)


class Service:
    """The metadata service of one VPC: who asks is known by the address it asks from, as on EC2.

    ``directory`` maps private addresses to instances and is read at every request, so that tags may change at run time.
    """

    def __init__(self, listener: socket.socket, directory: Callable[[], Mapping[str, Node]], region: str, account: str):
        self.directory, self.region, self.account, self.tokens = directory, region, account, Tokens()
        handler = type("Handler", (_Handler,), {"service": self})
        self._server = ThreadingHTTPServer(listener.getsockname(), handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = listener
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="imds", daemon=True).start()

    def instance(self, address: str) -> Node | None:
        """Return the instance that has an address."""
        return self.directory().get(address)

    def get(self, address: str, path: str, token: str | None) -> Answer:
        """Answer a GET from an address: 404 for a stranger, 401 without a valid token where one is needed."""
        instance = self.instance(address)
        if instance is None:
            return Answer(404)
        required = (instance.get("metadata") or {}).get("http_tokens") == "required"
        if not self.tokens.authorise(address, token, required):
            return Answer(401)
        return lookup(path, tree(instance, self.region, self.account, datetime.datetime.now(datetime.UTC)))

    def close(self) -> None:
        """Stop answering and give the socket (and with it the network namespace) back."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    service: Service
    protocol_version = "HTTP/1.1"
    server_version = "EC2ws"
    sys_version = ""
    timeout = 30

    def setup(self) -> None:
        super().setup()
        # The hop limit is the time to live of what the service sends.
        instance = self.service.instance(self.client_address[0]) or {}
        hops = int((instance.get("metadata") or {}).get("hop_limit") or 1)
        self.connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, max(1, min(hops, 64)))

    def do_GET(self) -> None:
        """Metadata and user data."""
        self._answer(self.service.get(self.client_address[0], self.path, self.headers.get(TOKEN_HEADER)))

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        """A session token."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/latest/api/token":
            self._answer(Answer(405))
            return
        ttl = self.headers.get(TTL_HEADER)
        self._answer(self.service.tokens.issue(self.client_address[0], ttl, "X-Forwarded-For" in self.headers), ttl)

    def _answer(self, answer: Answer, ttl: str | None = None) -> None:
        body = answer.body.encode(errors="surrogateescape")
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(body)))
        if ttl and answer.status == 200:
            self.send_header(TTL_HEADER, ttl)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # the base class names it so
        """Say nothing: an access log of metadata would hold paths only, and thousands of them."""
