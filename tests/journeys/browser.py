# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Debian's Chromium, driven by Playwright, with the rehearsal's authority among those it trusts.

Nothing is ignored in TLS: a certificate that a visitor's browser would refuse fails the journey.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

#: Debian's packages of the two programs: the browser, and the one that edits the authorities it trusts.
PACKAGES = {"chromium": "chromium", "certutil": "libnss3-tools"}

#: Milliseconds that a step of a journey may take on a busy machine. No journey waits as long for a failure: each waits for either outcome.
PATIENCE = 30_000


def install() -> None:
    """Install what is missing from Debian, as CI needs it; elsewhere say what to install.

    Raises RuntimeError: a program is missing and this is no Debian, or not root.
    """
    missing = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise RuntimeError(
            f"The journeys need {' and '.join(missing)}, which are not installed. "
            f"Debian, Ubuntu: apt-get install --no-install-recommends {' '.join(missing)}"
        )
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *missing]):
        subprocess.run(["apt-get", *command], check=True, env=environment, stdout=subprocess.DEVNULL)


@contextmanager
def chromium(home: Path, authority: Path) -> Iterator[Browser]:
    """Start the browser with a home directory of its own, in which the authority (a PEM file) is trusted for servers."""
    install()
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    database = f"sql:{store}"
    subprocess.run(["certutil", "-N", "--empty-password", "-d", database], check=True)
    subprocess.run(["certutil", "-A", "-d", database, "-n", "rehearsal", "-t", "C,,", "-i", str(authority)], check=True)
    # As root Chromium starts without its sandbox only; it visits this machine alone. /dev/shm of a container is too small for it.
    flags = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=flags,
            env={**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")},
        )
        try:
            yield browser
        finally:
            browser.close()
