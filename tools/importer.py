# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the artifact from a clean copy and let galaxy-importer judge it; an error or an unexpected warning fails.

Also asserts on the artifact itself: nothing of a working tree (environment, state, caches, links) may be in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from sanity import copy_tracked

CONFIG = """[galaxy-importer]
RUN_ANSIBLE_TEST = False
RUN_ANSIBLE_LINT = False
RUN_FLAKE8 = False
CHECK_CHANGELOG = True
LOG_LEVEL_MAIN = INFO
"""
FOREIGN = (".venv/", ".venv-audit/", ".rehearsal/", ".ansible/", "collections/", "__pycache__", ".git/")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="wordpress_ha_importer_") as temporary:
        tree = Path(temporary) / "ansible_collections" / "wordpress_ha" / "aws"
        tree.mkdir(parents=True)
        copy_tracked(tree)
        subprocess.run(["ansible-galaxy", "collection", "build", "--output-path", temporary], cwd=tree, check=True)
        artifact = next(Path(temporary).glob("wordpress_ha-aws-*.tar.gz"))
        with tarfile.open(artifact) as archive:
            strange = [name for name in archive.getnames() if any(part in f"{name}/" for part in FOREIGN)]
        if strange:
            print(f"the artifact holds what it should not: {strange[:10]}", file=sys.stderr)
            return 1
        config = Path(temporary) / "galaxy-importer.cfg"
        config.write_text(CONFIG, encoding="utf-8")
        checked = subprocess.run(
            [sys.executable, "-m", "galaxy_importer.main", str(artifact)],
            env={**os.environ, "GALAXY_IMPORTER_CONFIG": str(config)},
            cwd=temporary,
            text=True,
            capture_output=True,
            check=False,
        )
    lines = (checked.stdout + checked.stderr).splitlines()
    complaints = [line for line in lines if line.startswith(("ERROR", "WARNING", "CRITICAL"))]
    print("\n".join(lines))
    if checked.returncode or complaints:
        print(f"galaxy-importer: {len(complaints)} complaints, exit code {checked.returncode}", file=sys.stderr)
        return 1
    print(f"galaxy-importer accepts {artifact.name} without a complaint")
    return 0


if __name__ == "__main__":
    sys.exit(main())
