# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m wordpress_ha_rehearsal.reconciler --config .rehearsal/config.json``."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import time
from pathlib import Path

from . import config
from .loop import Reconciler


def main() -> int:
    """Run until SIGTERM or SIGINT; containers outlive the reconciler and are adopted by the next one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, type=Path, help="settings file written by the role rehearsal")
    arguments = parser.parse_args()
    formatter = logging.Formatter("%(asctime)sZ %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    reconciler = Reconciler(config.load(arguments.config))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: reconciler.stopping.set())
    reconciler.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
