# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sockets inside another network namespace: a thread enters it, binds, and the socket stays there when the thread ends."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading

CLONE_NEWNET = 0x40000000


def redirect(pid: int, address: str, port: int, target: str) -> None:
    """Send what a process's network namespace has for ``address:port`` to ``target`` (address:port); harmless when repeated.

    A route would do on a plain network. But where bridged packets pass the host's firewall, the engine's masquerading hides
    who is asking, unless the packets' destination lies inside the container network.
    """
    rule = ["--destination", f"{address}/32", "--protocol", "tcp", "--dport", str(port), "--jump", "DNAT"]
    rule += ["--to-destination", target]
    base = ["nsenter", "--target", str(pid), "--net", "iptables", "--wait", "--table", "nat"]
    if subprocess.run([*base, "--check", "OUTPUT", *rule], check=False, capture_output=True).returncode:
        subprocess.run([*base, "--append", "OUTPUT", *rule], check=True, capture_output=True)


def listen(pid: int, address: str, port: int) -> socket.socket:
    """Return a listening socket in the network namespace of a process; raises OSError when that fails."""
    outcome: list[socket.socket | OSError] = []

    def inside() -> None:
        try:
            descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(descriptor, CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"cannot enter the network namespace of process {pid}")
            finally:
                os.close(descriptor)
            server = socket.socket()
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((address, port))
            server.listen(64)
            outcome.append(server)
        except OSError as error:
            outcome.append(error)

    # setns changes the calling thread only, so this thread is never used for anything else.
    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]
