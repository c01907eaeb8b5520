# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the njs code reads: the distributions as data, and the code of CloudFront Functions as modules. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .headers import SPECIAL
from .model import Behavior, Distribution, Origin, pattern_regex, token

#: What the distributions sign their requests to S3 with; the emulator looks at the name of the credential only.
SIGNING_KEY = "known-to-no-account-at-all"
POP = "RHL50-P1"


def header_variable(name: str) -> str:
    """Return a header's name as part of a variable's."""
    return re.sub(r"[^a-z0-9]", "_", name.lower())


def touched(behavior: Behavior) -> tuple[str, ...]:
    """Return the request headers that a function's code names: nginx can only set headers whose names it knows."""
    code = behavior.functions.get("viewer-request", "")
    found = re.findall(r"headers\.([A-Za-z_]\w*)|headers\[\s*['\"`]([^'\"`]+)['\"`]\s*\]", code)
    names = {(first or second).lower() for first, second in found} - SPECIAL - {"content-length"}
    return tuple(sorted(name for name in names if not name.startswith("cloudfront-")))


def program_name(code: str) -> str:
    """Return the module name of a function's code."""
    return token("f", code)


def programs(distributions: Iterable[Distribution]) -> dict[str, str]:
    """Return the modules of CloudFront Functions by file name, and the one that imports them all."""
    codes = {code for one in distributions for behavior in one.behaviors for code in behavior.functions.values()}
    files = {f"{program_name(code)}.js": f"{code}\nexport default {{handler: handler}};\n" for code in codes}
    names = sorted(program_name(code) for code in codes)
    imports = "".join(f"import {name} from '{name}.js';\n" for name in names)
    table = ", ".join(f"{name}: {name}" for name in names)
    return files | {"programs.js": f"{imports}export default {{{table}}};\n"}


def data(distributions: Sequence[Distribution], origins: Iterable[tuple[str, Origin]], ports: Mapping[int, int]) -> str:
    """Return the module with what viewer.js and origin.js need; it holds no secret.

    ``ports`` maps the edge's ports to this machine's, for redirects.
    """
    published = {str(ports[80]): str(ports[443])} if {80, 443} <= set(ports) else {}
    via = hashlib.sha256(",".join(one.id for one in distributions).encode()).hexdigest()[:16] + ".cloudfront.net"
    known = {origin.name: _origin_data(owner, origin) for owner, origin in origins}
    unique = {behavior.name: behavior for one in distributions for behavior in one.behaviors}
    lines = [
        f"const pop = {json.dumps(POP)}, via = {json.dumps(via)}, signingKey = {json.dumps(SIGNING_KEY)};",
        f"const ports = {json.dumps(published)};",
        f"const origins = {json.dumps(known, sort_keys=True)};",
        "const behaviors = {",
        *(f"    {name}: {json.dumps(_behavior_data(one), sort_keys=True)}," for name, one in sorted(unique.items())),
        "};",
        "function rule(pattern, name) {",
        "    return Object.assign({pattern: pattern}, behaviors[name]);",
        "}",
        "const distributions = {",
    ]
    for one in distributions:
        lines.append(
            f"    {one.id}: Object.assign({json.dumps(_distribution_data(one), sort_keys=True)}, {{behaviors: ["
        )
        lines += [
            f"        rule({_literal(behavior.pattern)}, {json.dumps(behavior.name)})," for behavior in one.behaviors
        ]
        lines.append("    ]}),")
    lines += [
        "};",
        "export default {behaviors: behaviors, distributions: distributions, origins: origins, pop: pop, ports: ports,",
        "    signingKey: signingKey, via: via};",
    ]
    return "\n".join(lines) + "\n"


def _literal(pattern: str) -> str:
    return "/" + pattern_regex(pattern).replace("\\/", "/").replace("/", "\\/") + "/"


def _distribution_data(one: Distribution) -> dict[str, Any]:
    shown = {
        str(code): page["ResponsePagePath"]
        for code, page in one.error_responses.items()
        if page.get("ResponsePagePath")
    }
    root = (one.config.get("DefaultRootObject") or "").lstrip("/")
    return {"id": one.id, "domain": one.domain, "root": root, "pages": shown}


def _behavior_data(behavior: Behavior) -> dict[str, Any]:
    plan = behavior.headers
    return {
        "name": behavior.name,
        "viewerProtocol": behavior.viewer_protocol,
        "allowed": list(behavior.allowed),
        "cached": list(behavior.cached),
        "caches": behavior.caches,
        "accept": list(behavior.accept),
        "acceptEncoding": plan.accept_encoding,
        "agent": plan.user_agent,
        "authorization": plan.authorization,
        "host": plan.host,
        "generated": [name.lower() for name in plan.generated],
        "keyHeaders": list(behavior.key_headers),
        "touched": list(touched(behavior)),
        "cookies": [behavior.key_cookies.data, behavior.also_cookies.data],
        "query": [behavior.key_query.data, behavior.also_query.data],
        "response": behavior.response_policy or None,
        "viewerRequest": _program(behavior, "viewer-request"),
        "viewerResponse": _program(behavior, "viewer-response"),
    }


def _program(behavior: Behavior, event: str) -> str | None:
    return program_name(behavior.functions[event]) if event in behavior.functions else None


def _origin_data(owner: str, origin: Origin) -> dict[str, str]:
    region = re.search(r"\.s3[.-]([a-z0-9-]+)\.amazonaws\.com$", origin.domain)
    return {"distribution": owner, "path": origin.path, "region": region.group(1) if region else "us-east-1"}
