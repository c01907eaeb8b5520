# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remove from a machine what an image of it must not carry, and refuse to go on while a secret is left on its disk.

``seal.py remove`` deletes, ``seal.py check`` searches every file of the root file system for the secrets that the machine's
contract holds and prints the names of the files, never the secrets. Exit status 1 if any is found.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

CONTRACTS = (Path("/run/wordpress_ha/contract.json"), Path("/etc/wordpress_ha/contract.json"))
#: Files and folders whose content belongs to this one machine.
REMOVED = (
    "/etc/wordpress_ha/contract.json",
    "/run/wordpress_ha/purge/*",
    "/etc/ssh/ssh_host_*",
    "/var/lib/cloud/*",
    "/var/lib/dbus/machine-id",
    "/var/lib/systemd/random-seed",
    "/var/lib/systemd/timers/*",
    "/var/lib/dhcp*/*",
    "/var/lib/apt/lists/*",
    "/var/cache/apt/archives/*.deb",
    "/var/cache/apt/*.bin",
    "/var/cache/wordpress_ha",
    "/var/log/journal/*",
    "/var/tmp/*",
    "/root/.*_history",
    "/home/*/.*_history",
    "/root/.ansible",
    "/root/.wp-cli",
)
#: Folders whose files are emptied: services keep writing to them.
EMPTIED = ("/var/log",)
#: Folders that no image holds, or that hold no text of ours.
SKIPPED = {"/proc", "/sys", "/dev", "/run", "/tmp", "/srv/wordpress/shared", "/usr/share", "/usr/lib", "/boot"}
SHORTEST_SECRET = 8


def remove() -> None:
    """Delete and empty what belongs to this machine alone."""
    root = Path("/")
    for pattern in REMOVED:
        for path in root.glob(pattern.lstrip("/")):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    forget_trees(Path("/srv/wordpress/trees"), Path("/srv/wordpress/docroot"))
    for folder in EMPTIED:
        for path in Path(folder).rglob("*"):
            if path.is_file() and not path.is_symlink():
                os.truncate(path, 0)
    # Empty, not absent: systemd then makes a new one at the next boot.
    Path("/etc/machine-id").write_text("")


def forget_trees(home: Path, docroot: Path) -> None:
    """Keep of the copies of the code the one that is live: a node that starts from the image copies only what differs from it."""
    live = Path(os.readlink(docroot)).name if docroot.is_symlink() else ""
    for path in home.iterdir() if home.is_dir() else ():
        if path.is_dir() and path.name != live:
            shutil.rmtree(path, ignore_errors=True)
        elif path.suffix in (".json", ".safe") and path.name not in (f"{live}.json", f"{live}.safe", "warm.json"):
            path.unlink(missing_ok=True)
    if live and (home / f"{live}.json").exists():
        os.sync()
        (home / f"{live}.safe").touch()  # it is one of this boot, and the image is for others


def secrets() -> set[bytes]:
    """Return the secret texts that this machine's contract holds."""
    found: set[bytes] = set()

    def collect(node: object) -> None:
        if isinstance(node, dict):
            for name, value in node.items():
                if name != "username":
                    collect(value)
        elif isinstance(node, str) and len(node) >= SHORTEST_SECRET:
            found.add(node.encode())
            found.add(json.dumps(node)[1:-1].encode())

    for path in CONTRACTS:
        if path.is_file():
            collect(json.loads(path.read_text()).get("secrets", {}))
    # References to secrets are no secrets.
    return {secret for secret in found if not secret.startswith(b"arn:")}


def files() -> Iterator[Path]:
    """Return the regular files of the root file system."""
    device = os.stat("/").st_dev
    for folder, folders, names in os.walk("/"):
        folders[:] = [
            name
            for name in folders
            if os.path.join(folder, name) not in SKIPPED
            and not os.path.islink(os.path.join(folder, name))
            and os.lstat(os.path.join(folder, name)).st_dev == device
        ]
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path


def holders(wanted: set[bytes]) -> list[str]:
    """Return the names of the files that hold one of the wanted texts."""
    result = []
    for path in files():
        if str(path) == str(CONTRACTS[1]):
            continue  # removed a moment later
        content = path.read_bytes()
        if any(secret in content for secret in wanted):
            result.append(str(path))
    return result


def main(arguments: list[str]) -> int:
    if arguments == ["remove"]:
        remove()
        return 0
    found = holders(secrets())
    for name in found:
        print(name)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
