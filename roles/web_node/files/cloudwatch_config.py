# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the CloudWatch agent's configuration for the stack that this instance belongs to: an image knows none (contract 3).

``cloudwatch_config.py TEMPLATE TARGET``: every ``@STACK@`` of the template becomes the stack's name, from the instance's tag.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import boot_agent

MARK = "@STACK@"
#: What may stand in names of log groups and dimensions alike.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,254}")
TRIES, PAUSE = 20, 3.0


def filled(node: Any, stack: str) -> Any:
    """Return a configuration with the stack's name in its texts."""
    if isinstance(node, dict):
        return {name: filled(value, stack) for name, value in node.items()}
    if isinstance(node, list):
        return [filled(value, stack) for value in node]
    return node.replace(MARK, stack) if isinstance(node, str) else node


def stack_name() -> str:
    """Return the instance's stack; SystemExit if it has none after a minute, or one that is no name."""
    reason = ""
    for _attempt in range(TRIES):
        try:
            stack = boot_agent.imds(f"tags/instance/{boot_agent.STACK_TAG}")
        except boot_agent.NotYet as error:
            reason = str(error)
            time.sleep(PAUSE)
            continue
        if not NAME.fullmatch(stack):
            raise SystemExit(f"cloudwatch config: the tag {boot_agent.STACK_TAG} is {stack!r}, which is no name")
        return stack
    raise SystemExit(f"cloudwatch config: no stack is known: {reason}")


def main(arguments: list[str]) -> int:
    template, target = map(Path, arguments)
    configuration = filled(json.loads(template.read_text()), stack_name())
    target.write_text(json.dumps(configuration, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
