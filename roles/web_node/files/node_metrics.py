# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look once a minute how PHP-FPM, OPcache and the object cache fare; keep it in metrics.json and tell CloudWatch.

How large workers usually are is noted, on this machine and on the shared files: the next boot computes their number with it
(node_sizes.py). A node without AWS tells nobody else.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boot_agent
import code_opcache
import node_sizes

NAMESPACE = "WordPressHA"
#: Seconds that PHP-FPM or CloudWatch may take.
PATIENCE = 5
#: A look at busy workers each second, so many: one alone would miss most bursts.
LOOKS = 5
UNITS = {"percent": "Percent", "mb": "Megabytes"}

Metrics = dict[str, float]


def pool_status(text: str) -> dict[str, int]:
    """Return the numbers of a pool's status page."""
    lines = (line.partition(":") for line in text.splitlines())
    return {name.strip(): int(value) for name, _colon, value in lines if value.strip().isdigit()}


def php_metrics(pool: str, looks: list[dict[str, int]], children: int) -> Metrics:
    """Return how busy a pool was at its busiest; the looks are never none."""
    busy = max(look.get("active processes", 0) for look in looks)
    return {f"{pool}_busy_percent": round(100.0 * busy / max(1, children), 1)}


def opcache_metrics(status: Any) -> Metrics:
    """Return how full OPcache is, and how often it had to begin anew for lack of room (P17); nothing if it is off."""
    if not isinstance(status, dict) or not status.get("opcache_enabled"):
        return {}
    memory, counts, strings = (
        status["memory_usage"],
        status["opcache_statistics"],
        status.get("interned_strings_usage", {}),
    )
    whole = memory["used_memory"] + memory["free_memory"] + memory["wasted_memory"]
    found = {
        "opcache_memory_percent": 100.0 * (whole - memory["free_memory"]) / whole,
        "opcache_keys_percent": 100.0 * counts["num_cached_keys"] / counts["max_cached_keys"],
        "opcache_hit_percent": float(counts["opcache_hit_rate"]),
        "opcache_restarts": float(counts["oom_restarts"] + counts["hash_restarts"]),
    }
    if strings.get("buffer_size"):
        found["opcache_strings_percent"] = 100.0 * strings["used_memory"] / strings["buffer_size"]
    return {name: round(value, 1) for name, value in found.items()}


def cache_metrics(folder: Path, before: Mapping[str, float]) -> tuple[Metrics, dict[str, float]]:
    """Return how the object cache served since the last look, and the sums to compare the next look with.

    The drop-in adds its requests up in ``outcome``, and notes an outage, for which it gives the cache up, beside it (P9).
    """
    try:
        notes = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return {}, {}
    found: Metrics = {"cache_given_up": float(any("outage" in name for name in notes))}
    try:
        now = {name: float(value) for name, value in json.loads((folder / "outcome").read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return found, {}  # no request yet, or one that is just writing
    # Sums that fell were begun anew.
    since = {name: value - before.get(name, 0.0) for name, value in now.items()}
    if any(value < 0 for value in since.values()):
        since = now
    asked, requests = since.get("hits", 0) + since.get("misses", 0), since.get("requests", 0)
    if asked:
        found["cache_hit_percent"] = round(100.0 * since.get("hits", 0) / asked, 1)
    if requests:
        found["cache_round_trips"] = round(since.get("round_trips", 0) / requests, 2)
        found["cache_without_percent"] = round(100.0 * since.get("requests_without", 0) / requests, 1)
    return found, now


def gathered(config: Mapping[str, Any]) -> Metrics:
    """Look at PHP; what does not answer is left out, and says so in the journal."""
    found: Metrics = {}
    children = int(config["pool"]["children"]) or configured_children(Path(config["run_dir"]) / "php-fpm/size.conf")
    looks = []
    try:
        for look in range(LOOKS):
            time.sleep(1 if look else 0)
            looks.append(pool_status(code_opcache.request(config["fpm_status"], "/status", b"", PATIENCE)[1]))
        found |= php_metrics("php", looks, children)
        script = str(Path(config["lib"]) / "node_metrics.php")
        found |= opcache_metrics(json.loads(code_opcache.request(config["fpm_health"], script, b"", PATIENCE)[1]))
    except (code_opcache.NoAnswer, ValueError) as error:
        boot_agent.log(f"metrics: PHP-FPM: {error}")
    sizes = node_sizes.worker_sizes()
    if sizes:
        found["php_worker_mb"] = round(node_sizes.usual_worker(sizes) / node_sizes.KIB, 1)
        found["php_largest_worker_mb"] = round(max(sizes) / node_sizes.KIB, 1)
    return found


def configured_children(path: Path) -> int:
    """Return how many workers the visitors' pool has, from what the boot agent wrote."""
    try:
        line = path.read_text().partition("pm.max_children")[2].partition("\n")[0]
        return int(line.strip(" ="))
    except (OSError, ValueError):
        return 0


def kept(path: Path) -> dict[str, float]:
    """Return what the last look kept; nothing the first time."""
    try:
        return {str(name): float(value) for name, value in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def keep(path: Path, values: Mapping[str, float]) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps(values, sort_keys=True) + "\n")
    new.replace(path)


def data(found: Metrics, stack: str) -> list[dict[str, Any]]:
    """Return what CloudWatch is told: one series a stack, of which the highest and the mean of the nodes can be seen."""
    dimensions = [{"Name": "Stack", "Value": stack}]
    return [
        {
            "MetricName": name,
            "Dimensions": dimensions,
            "Value": value,
            "Unit": UNITS.get(name.rpartition("_")[2], "Count"),
        }
        for name, value in sorted(found.items())
    ]


def tell(found: Metrics, ca_bundle: Any) -> None:
    """Send the values with the node's role."""
    import botocore.config
    import botocore.session

    stack, region = boot_agent.imds(f"tags/instance/{boot_agent.STACK_TAG}"), boot_agent.imds("placement/region")
    options = botocore.config.Config(
        connect_timeout=PATIENCE, read_timeout=PATIENCE, retries={"total_max_attempts": 2, "mode": "standard"}
    )
    client = botocore.session.Session().create_client(
        "cloudwatch", region_name=region, verify=ca_bundle, config=options
    )
    client.put_metric_data(Namespace=NAMESPACE, MetricData=data(found, stack))


def main() -> int:
    config = json.loads(boot_agent.CONFIG.read_text())
    run_dir = Path(config["run_dir"])
    cache, sums = cache_metrics(run_dir / "cache", kept(run_dir / "metrics-sums.json"))
    found = gathered(config) | cache
    keep(run_dir / "metrics-sums.json", sums)
    keep(run_dir / "metrics.json", found)
    usual = int(found.get("php_worker_mb", 0) * node_sizes.KIB)
    for path in map(Path, config["worker_notes"]):
        try:
            node_sizes.note(path, usual)
        except OSError as error:
            boot_agent.log(f"metrics: {path}: {error}")
    if config["source"] != "aws" or not config["metrics"] or not found:
        return 0
    import botocore.exceptions

    try:
        tell(found, config["ca_bundle"])
    except (boot_agent.NotYet, botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        boot_agent.log(f"metrics: not told: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
