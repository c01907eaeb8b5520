# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything the edge's container needs, as files, and the bans that play invalidations. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import nginx, scripts, vcl
from .model import Distribution

NJS = Path(__file__).parent / "njs"
#: Code that does not depend on the configuration.
STATIC = ("viewer.js", "events.js", "policy.js", "origin.js")


@dataclass(frozen=True)
class Bundle:
    """File name -> content below the container's directory, and the digest that says which is live."""

    files: Mapping[str, str]
    digest: str


def bundle(
    distributions: Sequence[Distribution],
    previous: Sequence[Distribution],
    resolver: str,
    ports: Mapping[int, int],
    time_scale: float = 1,
) -> Bundle:
    """Return the files of a configuration.

    Cache and origins also know the ``previous`` one: until nginx has changed over, its requests are under way. ``ports``
    maps the edge's ports to those of this machine.
    """
    both = [*distributions, *previous]
    origins = {origin.name: (one.id, origin) for one in both for origin in one.origins.values()}
    scripted = {name: (NJS / name).read_text() for name in STATIC} | scripts.programs(distributions)
    scripted["data.js"] = scripts.data(distributions, list(origins.values()), ports)
    files = {"edge.vcl": vcl.render(both, time_scale), **nginx.certificates(distributions)}
    servers = [origin for _owner, origin in origins.values()]
    content = [*scripted.items(), *files.items(), ("nginx.conf", nginx.render(distributions, servers, resolver, ""))]
    mark = hashlib.sha256(repr(sorted(content)).encode()).hexdigest()[:16]
    # Scripts lie in a directory of their configuration: one that is refused leaves the live one alone.
    files |= {f"njs/{mark}/{name}": text for name, text in scripted.items()}
    files["nginx.conf"] = nginx.render(distributions, servers, resolver, mark)
    return Bundle(files, mark)


def ban(distribution_id: str, path: str) -> list[str]:
    """Return the words of Varnish's ``ban`` for one invalidated path; a ``*`` at its end is a wildcard."""
    path = "/" + path.lstrip("/")
    where = ["ban", "obj.http.X-Edge-Distribution", "==", distribution_id, "&&", "obj.http.X-Edge-Url"]
    if path.endswith("*"):
        # Every sign by its number: the expression passes a command line and two parsers.
        start = "".join(sign if re.match(r"[A-Za-z0-9/_-]", sign) else f"\\\\x{ord(sign):02x}" for sign in path[:-1])
        return [*where, "~", "^" + start]
    return [*where, "==", path]
