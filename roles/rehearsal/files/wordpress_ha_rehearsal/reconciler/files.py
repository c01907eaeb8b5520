# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small files and sockets: written whole or not at all, secrets 0600, paths of any length."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def write(path: Path, text: str, mode: int = 0o600) -> bool:
    """Write a file by rename unless it holds exactly this; return whether it was written."""
    if path.exists() and path.read_text() == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    scratch = path.with_name(f".{path.name}.new")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    os.chmod(scratch, mode)
    os.replace(scratch, path)
    return True


def ask(path: Path, command: str, timeout: float = 2) -> str:
    """Send a line to a unix socket and return everything it answers; raises OSError when nobody does.

    The socket is reached through its directory's descriptor: the path itself may be longer than the 107 bytes a socket
    address holds.
    """
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(timeout)
            client.connect(f"/proc/self/fd/{directory}/{path.name}")
            client.sendall(command.encode() + b"\n")
            client.shutdown(socket.SHUT_WR)
            chunks = []
            while chunk := client.recv(65536):
                chunks.append(chunk)
    finally:
        os.close(directory)
    return b"".join(chunks).decode(errors="replace")


def greets(address: str, port: int, timeout: float = 1) -> bool:
    """Return whether a server speaks first on a TCP port, as MariaDB does once it serves."""
    try:
        with socket.create_connection((address, port), timeout) as client:
            client.settimeout(timeout)
            return bool(client.recv(1))
    except OSError:
        return False


def accepts(address: str, port: int, timeout: float = 1) -> bool:
    """Return whether something accepts connections on a TCP port."""
    try:
        with socket.create_connection((address, port), timeout):
            return True
    except OSError:
        return False
