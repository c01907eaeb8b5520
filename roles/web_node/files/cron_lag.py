# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell CloudWatch how long WordPress's due events have waited, after the node that runs them has looked.

Started by the cron unit, in whose runtime directory the runner leaves the number of seconds. The other nodes leave nothing and tell
nothing. Once a minute the fleet tells one value; none for a quarter of an hour means that events do not run, and raises the alarm.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boot_agent

NAMESPACE = "WordPressHA"
METRIC = "cron_lag_seconds"
#: Seconds that the next look for events may be held up by this.
PATIENCE = 5


def noted(folder: str) -> int | None:
    """Return the seconds that the runner has noted; None where another node is the runner."""
    try:
        return max(0, int(Path(folder, "lag").read_text()))
    except FileNotFoundError:
        return None


def tell(value: int, stack: str, region: str, ca_bundle: Any, *, metric: str = METRIC, unit: str = "Seconds") -> None:
    """Send one value of the stack, with the node's role."""
    import botocore.config
    import botocore.session

    options = botocore.config.Config(
        connect_timeout=PATIENCE, read_timeout=PATIENCE, retries={"total_max_attempts": 2, "mode": "standard"}
    )
    client = botocore.session.Session().create_client(
        "cloudwatch", region_name=region, verify=ca_bundle, config=options
    )
    datum = {
        "MetricName": metric,
        "Dimensions": [{"Name": "Stack", "Value": stack}],
        "Value": float(value),
        "Unit": unit,
    }
    client.put_metric_data(Namespace=NAMESPACE, MetricData=[datum])


def main(environment: Mapping[str, str]) -> int:
    import botocore.exceptions

    config = json.loads(boot_agent.CONFIG.read_text())
    seconds = noted(environment["RUNTIME_DIRECTORY"])
    if seconds is None or config["source"] != "aws":
        return 0
    try:
        stack, region = boot_agent.imds(f"tags/instance/{boot_agent.STACK_TAG}"), boot_agent.imds("placement/region")
        tell(seconds, stack, region, config["ca_bundle"])
    except (boot_agent.NotYet, botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        print(f"cron lag: {seconds} s, which could not be told: {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
