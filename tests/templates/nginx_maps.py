# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask the maps of a rendered configuration what nginx would find, without nginx."""

from __future__ import annotations

import re


def mapped(nginx: str, name: str, seen: dict[str, str]) -> str:
    """Return what a variable of the configuration's maps is for a request, as nginx finds it: exact, then patterns, then default."""
    if name in seen:
        return seen[name]
    found = re.search(rf"^map (\"[^\"]*\"|\S+) \${name} \{{\n(.*?)^\}}", nginx, re.DOTALL | re.MULTILINE)
    if not found:
        return ""

    def filled(text: str) -> str:
        return re.sub(r"\$(\w+)", lambda variable: mapped(nginx, variable[1], seen), text)

    source = filled(found[1].strip('"'))
    entries = re.findall(r"^\s*(\"[^\"]*\"|\S+) (\"[^\"]*\"|\S+);$", found[2], re.MULTILINE)
    rules = [(key.strip('"'), value.strip('"')) for key, value in entries]
    assert len(rules) == len(re.findall(r"^\s*[^#\s]", found[2], re.MULTILINE)), f"a line of ${name} is not understood"
    default = next((value for key, value in rules if key == "default"), "")
    exact = [value for key, value in rules if key == source and key != "default"]
    if exact:
        return filled(exact[0])
    for key, value in rules:
        if key.startswith("~"):
            pattern = re.sub(r"\(\?<(?=\w)", "(?P<", key.lstrip("~*"))  # Python's way to name a group
            match = re.search(pattern, source, re.IGNORECASE if key.startswith("~*") else re.NOFLAG)
            if match:
                seen = seen | match.groupdict()
                return filled(value)
    return filled(default)
