# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs in the machine that mounts: WordPress by the nodes' own files, and the calls it makes of the NFS server, counted by the kernel.

Reads /mnt/lab/scenario.json and writes /mnt/lab/found.json; what goes wrong is in /mnt/lab/guest.log.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LAB = Path("/mnt/lab")
SHARED = Path("/srv/wordpress/shared")
OTHER = Path("/srv/other")  # the same export by a mount that shares no cache with the first: another node
DOCROOT = Path("/srv/wordpress/docroot")
MODULES = ("sunrpc", "nfs", "nfsv4")
WARM = 6


def run(*command: str) -> str:
    """Run a command, which must succeed, and return its output."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def wait(what: str, ready: Callable[[], bool], seconds: float = 60) -> float:
    """Wait until something is so, and return how long it took."""
    began = time.monotonic()
    while not ready():
        if time.monotonic() - began > seconds:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(0.05)
    return time.monotonic() - began


def load_modules() -> None:
    """Insert the NFS client into the kernel."""
    release = os.uname().release
    for name in MODULES:
        run("modprobe", "--dirname", "/run/modroot", "--set-version", release, name)


def mount(options: str, folder: Path, *more: str) -> None:
    """Mount the export with a node's options."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ",".join(
        [options.replace("nfsvers=", "vers="), "addr=10.99.7.1", "clientaddr=10.99.7.2", "port=20490", *more]
    )
    run("mount", "-i", "-t", "nfs4", "-o", words, "10.99.7.1:/", str(folder))


def calls() -> dict[str, int]:
    """The operations that the kernel has sent for the first mount, by name."""
    text = Path("/proc/self/mountstats").read_text(encoding="ascii")
    part = next(one for one in text.split("device ") if f"mounted on {SHARED} " in one)
    operations = part.split("per-op statistics", 1)[1]
    return {name: int(count) for name, count in re.findall(r"^\s*([A-Z_]+): (\d+) ", operations, re.MULTILINE)}


def page(path: str = "/", host: str = "site.example") -> tuple[int, bytes]:
    """Ask nginx for a page."""
    connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=120)
    connection.request("GET", path, headers={"Host": host, "X-Forwarded-Proto": "http"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def counted(times: int = 10) -> dict[str, Any]:
    """Warm the front page, then count what one more costs: the mean of some, and the time in milliseconds."""
    for _turn in range(WARM):
        status, body = page()
        if status != 200 or b"</html>" not in body:
            raise RuntimeError(f"front page: {status} {body[-300:]!r}")
    before = calls()
    began = time.monotonic()
    for _turn in range(times):
        if page()[0] != 200:
            raise RuntimeError("a warm front page failed")
    took = (time.monotonic() - began) / times
    after = calls()
    each = {name: (after[name] - before.get(name, 0)) / times for name in after if after[name] != before.get(name, 0)}
    return {"calls": each, "total": sum(each.values()), "milliseconds": took * 1e3}


def start_database() -> None:
    """MariaDB on memory, for this site alone."""
    data = Path("/var/lib/mysql")
    data.mkdir()
    shutil.chown(data, "mysql", "mysql")
    shutil.chown("/run/mysqld", "mysql", "mysql")
    run("mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={data}", "--skip-test-db")
    server = ["mariadbd", "--no-defaults", "--user=mysql", f"--datadir={data}", "--socket=/run/mysqld/mysqld.sock"]
    subprocess.Popen([*server, "--skip-networking", "--skip-grant-tables", "--innodb-flush-log-at-trx-commit=0"])
    wait(
        "the database",
        lambda: subprocess.run(["mariadb-admin", "ping"], capture_output=True, check=False).returncode == 0,
    )
    run("mariadb", "-e", "CREATE DATABASE wordpress")


def start_web() -> None:
    """PHP-FPM and nginx with the lab's settings."""
    subprocess.Popen(["php-fpm8.4", "--nodaemonize", "--fpm-config", str(LAB / "fpm.conf")])
    subprocess.Popen(["nginx", "-c", str(LAB / "nginx.conf"), "-g", "daemon off;"])
    wait("PHP-FPM", lambda: Path("/run/php/lab.sock").exists())
    wait(
        "nginx",
        lambda: (
            subprocess.run(["sh", "-c", "echo >/dev/tcp/127.0.0.1/80"], capture_output=True, check=False) is not None
        ),
    )


def restart_php(validate: bool) -> None:
    """Another document root begins with an empty OPcache, and stamps are looked at only where code may change."""
    subprocess.run(["pkill", "-x", "php-fpm8.4"], check=False)
    wait(
        "the end of PHP-FPM",
        lambda: subprocess.run(["pgrep", "-x", "php-fpm8.4"], capture_output=True, check=False).returncode == 1,
    )
    Path("/run/php/lab.sock").unlink(missing_ok=True)
    stamps = f"opcache.validate_timestamps={int(validate)}"
    subprocess.Popen(["php-fpm8.4", "--nodaemonize", "--fpm-config", str(LAB / "fpm.conf"), "-d", stamps])
    wait("PHP-FPM", lambda: Path("/run/php/lab.sock").exists())


def switch(target: Path) -> None:
    """Point the document root somewhere else, as the boot agent does."""
    new = DOCROOT.with_name("docroot.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.rename(DOCROOT)


def replica() -> Path:
    """Have the nodes' own code build a local tree, and return it."""
    import code_node

    Path("/srv/wordpress/trees").mkdir()

    settings = {
        "user": "www-data", "group": "www-data", "shared": str(SHARED), "trees": "/srv/wordpress/trees", "docroot": str(DOCROOT),
        "lib": str(LAB / "node"), "fpm_socket": "/run/php/lab.sock", "request_timeout": 60, "releases_kept": 3,
    }  # fmt: skip
    node = code_node.Node(settings)
    if not node.follow(warm=False):
        raise RuntimeError("no tree was built")
    return DOCROOT.resolve()


def seen_after(change: Callable[[Path], None], look: Callable[[Path], bool], limit: float = 75) -> float:
    """Change something by the other mount and return the seconds until the first one shows it, asked twice a second; -1 for never."""
    for _turn in range(3):
        look(SHARED)  # what a poll before the change leaves in the caches
        time.sleep(0.5)
    change(OTHER)
    began = time.monotonic()
    while not look(SHARED):
        if time.monotonic() - began > limit:
            return -1
        time.sleep(0.5)
    return time.monotonic() - began


def staleness() -> dict[str, float]:
    """How long a node does not see another's change, by the way it looks."""
    import code_files

    state = OTHER / "state"

    def replace(name: str, text: str) -> Callable[[Path], None]:
        def act(top: Path) -> None:
            new = top / "state" / f".{name}.new"
            new.write_text(text)
            new.rename(top / "state" / name)

        return act

    def content(name: str, text: str) -> Callable[[Path], bool]:
        def look(top: Path) -> bool:
            try:
                return (top / "state" / name).read_text() == text
            except FileNotFoundError:
                return False

        return look

    def inode(name: str, get: Callable[[str], Any]) -> Callable[[Path], bool]:
        def look(top: Path) -> bool:
            got = get(str(top / "state" / name))
            return got is not None and str(got) != first

        first = str(get(str(SHARED / "state" / name)))
        return look

    def plain(path: str) -> Any:
        try:
            status = os.stat(path)
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns

    found = {}
    for name in ("stat", "agent", "read"):
        (state / f"marker-{name}").write_text("one")
    found["replaced, stat"] = seen_after(replace("marker-stat", "two"), inode("marker-stat", plain))
    found["replaced, as the code agent looks"] = seen_after(
        replace("marker-agent", "two"), inode("marker-agent", code_files.look)
    )
    found["replaced, open and read"] = seen_after(replace("marker-read", "two"), content("marker-read", "two"))

    def beside(path: str) -> Any:
        code_files.look(
            str(Path(path).parent)
        )  # the folder's attributes, and with them whether absent names are still believed
        return code_files.look(path)

    found["new, stat"] = seen_after(replace("absent-stat", "two"), inode("absent-stat", plain))
    found["new, as the code agent looks"] = seen_after(
        replace("absent-agent", "two"), inode("absent-agent", code_files.look)
    )
    found["new, after a look at its folder"] = seen_after(
        replace("absent-beside", "two"), inode("absent-beside", beside)
    )
    return found


def main() -> None:
    """Mount, serve, count."""
    scenario = json.loads((LAB / "scenario.json").read_text(encoding="utf-8"))
    sys.path.insert(0, str(LAB / "node"))
    Path("/run/modroot/lib").mkdir(parents=True)
    Path("/run/modroot/lib/modules").symlink_to("/mnt/modules")
    load_modules()
    mount(scenario["mount_options"], SHARED)
    mount(scenario["mount_options"], OTHER, "nosharecache")
    found: dict[str, Any] = {
        "mount": next(line for line in Path("/proc/mounts").read_text().splitlines() if f" {SHARED} " in line)
    }
    if run("php", "-d", "opcache.enable_cli=1", "-r", "echo (int) (false !== opcache_get_status());") != "1":
        raise RuntimeError("OPcache is off: nothing that is counted here would be true of a node")
    start_database()
    switch(SHARED / "site")
    start_web()
    print(run("setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups",
              "php", "-d", "max_execution_time=0", str(LAB / "install.php"), str(SHARED / "site")))  # fmt: skip
    # The whole installation on NFS, stamps looked at (R41), as mode efs has it.
    found["efs"] = counted()
    restart_php(validate=False)
    found["efs, stamps not looked at"] = counted()
    tree = replica()
    restart_php(validate=False)
    found["tree"] = str(tree)
    found["replica"] = counted()
    status, body = page("/wp-content/uploads/lab.txt")
    found["upload"] = [status, body.decode(errors="replace")]
    if scenario["staleness"]:
        found["staleness"] = staleness()
    (LAB / "found.json").write_text(json.dumps(found, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
