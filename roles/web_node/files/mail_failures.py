# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell CloudWatch how many mails this node could not send since it was told last (P39).

PHP counts them in a file in this node's memory (wordpress-ha-mail.php). Started by the cron unit, on each node each minute; what
cannot be told now is told with the next. A node on which no mail failed tells nothing: silence raises no alarm.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import boot_agent
import cron_lag

METRIC = "mail_failures"


def number(path: Path, key: str) -> int:
    """Return a count from a JSON file; 0 where PHP has counted nothing yet."""
    try:
        said: Any = json.loads(path.read_text() or "{}")
    except ValueError:
        return 0
    return int(said.get(key, 0))


def main() -> int:
    import botocore.exceptions

    config = json.loads(boot_agent.CONFIG.read_text())
    folder = Path(config["run_dir"]) / "mail"
    failed, told = number(folder / "counts.json", "failed"), number(folder / "told.json", "failed")
    if failed == told or config["source"] != "aws":
        return 0
    try:
        stack, region = boot_agent.imds(f"tags/instance/{boot_agent.STACK_TAG}"), boot_agent.imds("placement/region")
        cron_lag.tell(failed - told, stack, region, config["ca_bundle"], metric=METRIC, unit="Count")
    except (boot_agent.NotYet, botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        print(f"mail failures: {failed - told}, which could not be told: {error}", flush=True)
        return 1
    (folder / "told.json").write_text(json.dumps({"failed": failed}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
