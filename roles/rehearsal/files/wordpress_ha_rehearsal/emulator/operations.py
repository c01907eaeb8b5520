# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Name the AWS operation of an HTTP request, for the call log and for errors; nothing is executed here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from moto.core.request import Request
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model

#: Signing names (credential scope, host name) that differ from boto3's service names.
_BOTO3_NAMES = {
    "elasticloadbalancing": "elbv2",
    "elasticfilesystem": "efs",
    "monitoring": "cloudwatch",
    "email": "ses",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}
_CREDENTIAL = re.compile(r"Credential=[^/]+/\d+/(?P<region>[^/]*)/(?P<service>[^/]*)/")
_HOST = re.compile(
    r"^(?:(?P<prefix>.+?)\.)??(?P<service>[a-z0-9-]+)(?:\.(?P<region>[a-z]{2}-[a-z]+-\d))?\.amazonaws\.com"
)
_SMITHY = re.compile(r"^/service/[^/]+/operation/(?P<action>\w+)$")

#: Beginnings of operation names that change nothing.
_READS = (
    "BatchGet", "BatchCheck", "Check", "Describe", "Detect", "Estimate", "Filter", "Get", "Head", "List", "Lookup",
    "Query", "Scan", "Search", "Select", "Simulate", "Test", "Validate", "Verify", "Decode", "AssumeRole",
    "GenerateRandom", "Preview", "StartQuery",
)  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One AWS call: boto3's service name, the operation (``RunInstances``) and whether it changes anything.

    ``action`` is the method and the path when no operation of the service matches; ``known`` is false then.
    """

    service: str
    action: str
    region: str
    write: bool
    known: bool = True

    @property
    def name(self) -> str:
        return f"{self.service}:{self.action}"


def operation_of(environ: dict[str, Any], body: bytes) -> Operation:
    """Resolve a request to its operation; never raises, an unknown one keeps its method and path."""
    service, region = _service_and_region(environ, body)
    action = _named_action(environ, body) or _routed_action(service, environ)
    method = environ["REQUEST_METHOD"]
    if action is None:
        return Operation(
            service, f"{method} {environ.get('PATH_INFO', '/')}", region, method not in ("GET", "HEAD"), False
        )
    return Operation(service, action, region, not action.startswith(_READS))


def _service_and_region(environ: dict[str, Any], body: bytes) -> tuple[str, str]:
    found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if found is None:
        found = _HOST.match(environ.get("HTTP_HOST", ""))
    if found is None:
        return "s3", "us-east-1"  # what moto assumes of an unsigned request: a public object
    service = found["service"]
    if service == "elasticloadbalancing" and b"Version=2012-06-01" in body:
        service = "elb"
    return _BOTO3_NAMES.get(service, service), found["region"] or "us-east-1"


def _named_action(environ: dict[str, Any], body: bytes) -> str | None:
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return str(target).rsplit(".", 1)[-1]
    smithy = _SMITHY.match(environ.get("PATH_INFO", ""))
    if smithy:
        return smithy["action"]
    form = environ.get("QUERY_STRING", "")
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        form = body.decode("utf-8", "replace")
    return parse_qs(form).get("Action", [None])[0]


def _routed_action(service: str, environ: dict[str, Any]) -> str | None:
    """Match method and path against the service model, as REST services need."""
    if service == "s3":
        environ = _path_style(environ)
    try:
        operation, _unused = get_service_router(service).match(Request(dict(environ)))
    except Exception:  # pylint: disable=broad-except  # botocore, werkzeug and moto each have their own "no such route"
        return None
    return str(operation.name)


def _path_style(environ: dict[str, Any]) -> dict[str, Any]:
    """Return an S3 request with its bucket in the path, whether the client put it in the host name or not."""
    host = _HOST.match(environ.get("HTTP_HOST", ""))
    if not host or not host["prefix"] or host["service"] != "s3":
        return environ
    path = f"/{host['prefix']}{environ.get('PATH_INFO', '/')}"
    return {**environ, "PATH_INFO": path, "RAW_URI": path, "REQUEST_URI": path, "HTTP_HOST": "s3.amazonaws.com"}


def protocol_of(service: str) -> str:
    """Return how a service answers (``query``, ``ec2``, ``json``, ``rest-json``, ``rest-xml``); json if unknown."""
    try:
        return str(get_service_model(service).protocol)
    except Exception:  # pylint: disable=broad-except  # botocore names several errors for a service it does not know
        return "json"
