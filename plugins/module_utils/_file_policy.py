# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one policy that this collection puts on a file system: TLS only, through a mount target, by whom it is said."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

#: A policy whose statements have these names is ours to change and to remove; any other is somebody's.
ACCESS, TLS_ONLY = "WordPressHaAccess", "WordPressHaTlsOnly"
CLIENT_ACTIONS = [
    "elasticfilesystem:ClientMount",
    "elasticfilesystem:ClientRootAccess",
    "elasticfilesystem:ClientWrite",
]
#: What stands for a policy that is not ours.
OTHER = "(another policy)"


def document(arn: str, clients: Sequence[str]) -> dict[str, Any]:
    """Return the policy of a file system for the IAM principals that may mount it; without any, all that reach a mount target."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": ACCESS,
                "Effect": "Allow",
                "Principal": {"AWS": sorted(clients) or "*"},
                "Action": CLIENT_ACTIONS,
                "Resource": arn,
                "Condition": {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}},
            },
            {
                "Sid": TLS_ONLY,
                "Effect": "Deny",
                "Principal": {"AWS": "*"},
                "Action": "*",
                "Resource": arn,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ],
    }


def fields(text: str | None, arn: str) -> dict[str, Any]:
    """Return C(tls_only) (true, false for no policy, or ``OTHER``) and C(clients) of a file system's policy."""
    if not text:
        return {"tls_only": False, "clients": []}
    policy = json.loads(text)
    statements = {one.get("Sid"): one for one in _listed(policy.get("Statement"))}
    if set(statements) != {ACCESS, TLS_ONLY}:
        return {"tls_only": OTHER, "clients": []}
    principal = statements[ACCESS].get("Principal")
    named = principal.get("AWS") if isinstance(principal, Mapping) else principal
    clients = [] if named == "*" else sorted(_listed(named))
    same = _plain(policy) == _plain(document(arn, clients))
    return {"tls_only": True if same else "(changed by hand)", "clients": clients}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _plain(value: Any) -> Any:
    """Return a policy in the form in which two that mean the same are equal: AWS returns a list of one as its item."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        items = [_plain(item) for item in value]
        return items[0] if len(items) == 1 else sorted(items, key=str)
    return value
