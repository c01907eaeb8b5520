# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the emulator until SIGTERM or SIGINT: ``python -m wordpress_ha_rehearsal.emulator --port 4566``."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="wordpress_ha_rehearsal.emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=4566, help="loopback port of the AWS API; 0 takes a free one")
    parser.add_argument("--socket", default="", help="unix socket for requests with the genuine host names")
    parser.add_argument("--call-log", default="", help="file for one JSON line per call")
    parser.add_argument(
        "--data-plane",
        choices=["external", "instant"],
        default="external",
        help="external: states wait for a reconciler's reports; instant: everything is ready at once",
    )
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--list-extensions", action="store_true", help="say what is added to moto, and leave")
    return parser.parse_args(argv)


def _settings(region: str) -> None:
    """Set what moto reads from the environment; must come before its first import."""
    os.environ.update(
        MOTO_IAM_LOAD_MANAGED_POLICIES="true",
        MOTO_EC2_LOAD_DEFAULT_AMIS="false",
        MOTO_ENABLE_AMI_VALIDATION="true",
        MOTO_DISABLE_GLOBAL_CORS="true",
        AWS_DEFAULT_REGION=region,
    )


def main(argv: list[str] | None = None) -> int:
    """Serve; the first line on standard output names the address once it answers."""
    arguments = _arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    _settings(arguments.region)

    from .call_log import CallLog
    from .extensions import REGISTRY, apply_all
    from .server import Application, Server
    from .world import World

    if arguments.list_extensions:
        for extension in REGISTRY:
            print(f"{extension.name}: {extension.gap}")
        return 0
    apply_all()
    world = World(arguments.region, instant=arguments.data_plane == "instant")
    server = Server(Application(world, CallLog(arguments.call_log or None)), arguments.port, arguments.socket)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server.start()
    print(f"http://127.0.0.1:{server.port}", flush=True)
    stop.wait()
    server.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
