# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: tree_digest
author:
  - The wordpress_ha.aws project (@wordpress-ha)
version_added: 0.1.0
short_description: Digest of the contents of files and directories
description:
  - Returns one SHA-256 digest over the contents, the names within their directory and the executable bits of all files below the
    given paths. Where the directories lie, owners and times do not matter, so that two checkouts of the same tree agree.
  - It tells whether an image that was configured from these files is still what they describe.
options:
  _terms:
    description: Files and directories, in any order.
    type: list
    elements: path
    required: true
  exclude:
    description: Shell patterns of file or directory names that are left out.
    type: list
    elements: str
    default: ["*.pyc", "__pycache__", ".*", "README.md", "meta"]
  also:
    description: Any further value that the digest depends on; the order of the keys of its dicts does not matter.
    type: raw
    default: {}
"""

EXAMPLES = r"""
- name: Show what an image of these roles would be called
  ansible.builtin.debug:
    msg: "{{ lookup('wordpress_ha.aws.tree_digest', 'roles/web_node', 'roles/wordpress', also={'max_upload': '64M'}) }}"
"""

RETURN = r"""
_raw:
  description: One digest, 64 hexadecimal digits.
  type: list
  elements: str
"""
import fnmatch
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase


def files_below(path: Path, exclude: list[str]) -> Iterator[tuple[str, Path]]:
    """Yield name below ``path`` and path of each file that no pattern excludes."""
    if path.is_file():
        yield path.name, path
    for directory, names, files in os.walk(path):
        names[:] = [name for name in names if not _excluded(name, exclude)]
        for name in files:
            if not _excluded(name, exclude):
                found = Path(directory) / name
                yield f"{path.name}/{found.relative_to(path).as_posix()}", found


def _excluded(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def digest(paths: list[Path], exclude: list[str], also: Any) -> str:
    """Return the SHA-256 over the files' names, executable bits and contents, and over ``also``."""
    entries = []
    for path in paths:
        for name, found in files_below(path, exclude):
            content = hashlib.sha256(found.read_bytes()).hexdigest()
            entries.append(f"{name} {int(os.access(found, os.X_OK))} {content}")
    text = "\n".join([*sorted(entries), json.dumps(also, sort_keys=True, default=str)])
    return hashlib.sha256(text.encode()).hexdigest()


class LookupModule(LookupBase):
    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        paths = [Path(os.path.realpath(str(term))) for term in terms]
        missing = [str(path) for path in paths if not path.exists()]
        if missing:
            raise AnsibleLookupError(f"tree_digest: there is nothing at {', '.join(missing)}.")
        return [digest(paths, self.get_option("exclude"), self.get_option("also"))]
