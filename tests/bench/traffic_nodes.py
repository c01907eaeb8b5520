# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What our nodes would answer, as far as a cache is concerned: status and Cache-Control by address and cookies; no page worth reading.

The rules are those of roles/web_node (template nginx.conf.j2) and of WordPress itself; the seconds are the role's defaults.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

_DEFAULTS = Path(__file__).resolve().parents[2] / "roles" / "web_node" / "defaults" / "main.yml"
DEFAULTS = yaml.safe_load(_DEFAULTS.read_text(encoding="utf-8"))

PAGE = f"public, max-age=0, s-maxage={DEFAULTS['web_node_page_shared_max_age']}"
VERSIONED = f"public, max-age={DEFAULTS['web_node_static_max_age']}, immutable"
UPLOAD = f"public, max-age={DEFAULTS['web_node_upload_max_age']}"
#: What is somebody's own, in WordPress's words and in nginx's.
OWN = "no-cache, must-revalidate, max-age=0, no-store, private"
PRIVATE = "private, no-store"

_STATIC = re.compile(r"/wp-(?:content|includes)/.*\.(?:css|js|webp)")
_INTERFACE = re.compile(r"/wp-(?:admin|json)/.*|/(?:wp-login|xmlrpc|wp-comments-post)\.php")
_MISSING = re.compile(r"/(?:\.env|backup\.zip|old/|wp/)")
_PERSONAL = re.compile(rf"(?:^|; )(?:{'|'.join(DEFAULTS['web_node_personal_cookies'])})")
_NO_PAGE = re.compile(r"(?:^|&)(?:s|preview)=")


@dataclass(frozen=True)
class Answer:
    status: int
    cache_control: str


def answer(method: str, target: str, cookies: str) -> Answer:
    """Answer a request as a node does. ``cookies`` is the Cookie header that the edge forwarded."""
    path, _mark, query = target.partition("?")
    if _STATIC.fullmatch(path):
        return Answer(200, VERSIONED if query.startswith("ver=") else UPLOAD)
    if _MISSING.fullmatch(path):
        return Answer(404, OWN)
    if method not in ("GET", "HEAD") or _INTERFACE.fullmatch(path) or _PERSONAL.search(cookies):
        return Answer(200, OWN)
    if _NO_PAGE.search(query):
        return Answer(200, PRIVATE)
    return Answer(301 if query.startswith("author=") else 200, PAGE)
