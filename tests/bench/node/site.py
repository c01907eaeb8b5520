# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done to both sites before they are measured: content in, plugins on or off, code changed, somebody logged in."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import time
import uuid

from . import content
from .machines import SITE, Fleet, Machine

STATE = "/srv/wordpress/shared/state"
DOCROOT = "/srv/wordpress/docroot"
#: The database of each machine's site.
DATABASES = {"stock": "stock", "ours": "word_press"}
SWITCH_SECONDS = 90.0
LOGIN = """
$expires = time() + DAY_IN_SECONDS;
$token   = WP_Session_Tokens::get_instance( 1 )->create( $expires );
foreach ( array( 'auth' => AUTH_COOKIE, 'logged_in' => LOGGED_IN_COOKIE ) as $scheme => $name ) {
    $found[] = $name . '=' . rawurlencode( wp_generate_auth_cookie( 1, $expires, $scheme, $token ) );
}
echo implode( '; ', $found );
"""


def load_posts(fleet: Fleet, first: int, last: int) -> None:
    """Give both sites the posts of these numbers."""
    for name, database in DATABASES.items():
        fleet.sql(database, content.posts(first, last))
        fleet.sql(database, content.finish())
        fleet[name].wp("cache", "flush")
        fleet[name].wp("rewrite", "flush")


def load_terms(fleet: Fleet) -> None:
    for database in DATABASES.values():
        fleet.sql(database, content.terms())


def cookies(machine: Machine) -> str:
    """Return the value of a Cookie header that is the administrator's."""
    return machine.wp("eval", LOGIN).strip().splitlines()[-1]


def copy_plugins(machine: Machine) -> None:
    """Put the plugins into the site's folder, as SFTP would."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in content.plugins().items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(text.encode()), int(time.time()), 0o644
            entry.uname = entry.gname = "www-data"
            archive.addfile(entry, io.BytesIO(text.encode()))
    subprocess.run(
        [
            *machine.engine,
            "exec",
            "-i",
            machine.container,
            "sh",
            "-ec",
            f"cd {SITE}/wp-content/plugins && tar -x --same-owner && chown -R www-data: bench*",
        ],
        input=packed.getvalue(),
        check=True,
        capture_output=True,
    )


def switch_plugins(machine: Machine, active: bool) -> None:
    names = [f"bench{index:02d}" for index in range(content.PLUGINS)]
    machine.wp("plugin", "activate" if active else "deactivate", *names)


def serving(machine: Machine) -> str:
    """Return the folder that visitors are served from."""
    return machine.run("readlink", "-f", DOCROOT).strip()


def publish(machine: Machine) -> float:
    """Tell a node of ours that its code may have changed, and wait until visitors get what there is; return the seconds. At once where EFS is served from."""
    before, started = serving(machine), time.monotonic()
    if before == SITE:
        return 0.0
    marker = {"generation": uuid.uuid4().hex, "paths": [], "why": "bench", "at": time.time()}
    path = f"{STATE}/generation"
    machine.run(
        "sh",
        "-c",
        f"cat > {path}.bench && chown www-data: {path}.bench && mv {path}.bench {path}",
        stdin=json.dumps(marker),
    )
    while serving(machine) == before and not machine.shell(
        f"grep -c {marker['generation']} /run/wordpress_ha/code.json || true"
    ).strip("0\n"):
        if time.monotonic() - started > SWITCH_SECONDS:
            raise TimeoutError(f"{machine.name}: no switch within {SWITCH_SECONDS:.0f} s")
        time.sleep(0.1)
    return time.monotonic() - started


def touch_code(machine: Machine) -> None:
    """Make all PHP files as new as an update of everything would."""
    machine.shell(f"find {SITE}/ -name '*.php' -exec touch {{}} +")
