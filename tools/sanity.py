# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run ``ansible-test sanity``, every test, without ignore entries, on the files git knows.

ansible-test wants a path that ends in ``ansible_collections/<namespace>/<name>`` and a git repository; a copy in a temporary
directory gives it both. It also downloads a pip bootstrap script from a site of its own; where that cannot be reached, the
same pip comes from PyPI and a five-line script in ansible-test's cache installs it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from types import SimpleNamespace

CHECKOUT = Path(__file__).resolve().parent.parent
CACHE = Path.home() / ".ansible" / "test" / "cache"
BOOTSTRAP = """import pathlib, subprocess, sys
wheel = next(pathlib.Path({wheels!r}).glob("pip-{version}-*.whl"))
sys.path.insert(0, str(wheel))
from pip._internal.cli.main import main
sys.exit(main(["install", "--quiet", "--no-index", str(wheel)]))
"""


def copy_tracked(target: Path) -> None:
    """Copy what git tracks or would track (never ignored files) and make it a repository of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
    )
    for name in listed.stdout.decode().split("\0"):
        source = CHECKOUT / name
        # The symlink that makes a bare checkout a collection would make ansible-test see everything twice.
        if not name or name.startswith("collections/") or not source.is_file():
            continue
        destination = target / name
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, destination)
    identity = ["-c", "user.name=sanity", "-c", "user.email=sanity@localhost"]
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "sanity"]):
        subprocess.run(["git", *command], cwd=target, check=True)


def seed_pip(wheels: Path) -> None:
    """Put a bootstrap script where ansible-test would keep the downloaded one, for the pip release it asks for."""
    from ansible_test._internal.python_requirements import get_venv_packages

    python = SimpleNamespace(version=f"{sys.version_info.major}.{sys.version_info.minor}")
    version = get_venv_packages(python)["pip"]
    script = CACHE / f"get_pip_{version.replace('.', '_')}.py"
    if script.exists():
        wheel = re.search(r"Path\(\'(.+?)\'\)", script.read_text(encoding="utf-8"))
        if wheel is None or Path(wheel.group(1)).is_dir():  # the genuine script, or ours with its wheel still there
            return
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(wheels), f"pip=={version}"]
    subprocess.run(fetch, check=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    script.write_text(BOOTSTRAP.format(wheels=str(wheels), version=version), encoding="utf-8")


def main() -> int:
    wheels = CHECKOUT / ".ansible" / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    seed_pip(wheels)
    with tempfile.TemporaryDirectory(prefix="wordpress_ha_sanity_") as temporary:
        target = Path(temporary) / "ansible_collections" / "wordpress_ha" / "aws"
        target.mkdir(parents=True)
        copy_tracked(target)
        # Their documentation fragments are part of our modules' documentation.
        for namespace in ("amazon", "community"):
            (target.parents[1] / namespace).symlink_to(
                Path(sysconfig.get_path("purelib")) / "ansible_collections" / namespace
            )
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        command = [
            "ansible-test",
            "sanity",
            "--local",
            "--requirements",
            "--python",
            version,
            "--color",
            "no",
            *sys.argv[1:],
        ]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        return subprocess.run(command, cwd=target, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
