# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real NFS 4.1 mount on a machine whose kernel has no NFS client: user-mode Linux mounts what nfs-ganesha exports.

Everything is made in one folder and removed with it, but for the root file system, which is kept in .ansible/lab (70 s to make). Needs root
on Debian, /dev/net/tun, and the packages below, which are installed when they are absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
CACHE = CHECKOUT / ".ansible" / "lab"
NODE_FILES = CHECKOUT / "roles/web_node/files"
PACKAGES = ("iproute2", "mmdebstrap", "nfs-ganesha", "nfs-ganesha-vfs", "user-mode-linux")
PROGRAMS = ("ip", "mmdebstrap", "ganesha.nfsd", "linux.uml")
ROOT_PACKAGES = (
    "iproute2", "kmod", "mariadb-server", "nginx", "php8.4-cli", "php8.4-fpm", "php8.4-igbinary", "php8.4-mbstring", "php8.4-mysql",
    "php8.4-opcache", "php8.4-redis", "php8.4-xml", "procps", "python3",
)  # fmt: skip
TAP, SERVER, PORT = "tapnfslab", "10.99.7.1", 20490
STAMP = 1767225600  # 2026-01-01
MEMORY = "1400M"
RUN_SECONDS = 900

GANESHA = """
NFS_CORE_PARAM {{ Protocols = 4; NFS_Port = {port}; Bind_addr = {server}; Enable_NLM = false; Enable_RQUOTA = false; }}
NFSv4 {{ Graceless = true; Minor_Versions = 1; Only_Numeric_Owners = true; RecoveryBackend = fs; }}
EXPORT {{
    Export_Id = 1; Path = {path}; Pseudo = /; Protocols = 4; Access_Type = RW; Squash = No_Root_Squash; SecType = sys;
    FSAL {{ Name = VFS; }}
}}
LOG {{ Default_Log_Level = EVENT; }}
"""
NGINX = """
user www-data; worker_processes 1; pid /run/nginx.pid; error_log /mnt/lab/nginx.log;
events { worker_connections 128; }
http {
    include /etc/nginx/mime.types;
    access_log off;
    # As the nodes do: what is open stays open, and one document root is looked up once a request (see nginx.conf.j2).
    open_file_cache max=20000 inactive=600s; open_file_cache_valid 600s; open_file_cache_errors on;
    server {
        listen 80 default_server;
        root /srv/wordpress/docroot;
        index index.php;
        set $tree $realpath_root;
        location / { root $tree; try_files $uri $uri/ /index.php?$args; }
        location ~ [.]php$ {
            root $tree;
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
            fastcgi_param DOCUMENT_ROOT $document_root;
            fastcgi_pass unix:/run/php/lab.sock;
            fastcgi_read_timeout 120s;
        }
    }
}
"""
FPM = """
[global]
error_log = /mnt/lab/fpm.log
[lab]
user = www-data
group = www-data
listen = /run/php/lab.sock
listen.owner = www-data
pm = static
pm.max_children = 1
php_admin_value[opcache.memory_consumption] = 192
php_admin_value[opcache.max_accelerated_files] = 20000
php_admin_value[opcache.revalidate_freq] = 2
php_admin_value[realpath_cache_size] = 4096k
php_admin_value[realpath_cache_ttl] = 600
"""
CONFIG = """<?php
define( 'DB_NAME', 'wordpress' ); define( 'DB_USER', 'root' ); define( 'DB_PASSWORD', '' );
define( 'DB_HOST', 'localhost:/run/mysqld/mysqld.sock' ); define( 'DB_CHARSET', 'utf8mb4' ); define( 'DB_COLLATE', '' );
define( 'DISABLE_WP_CRON', true ); define( 'WP_HTTP_BLOCK_EXTERNAL', true ); define( 'AUTOMATIC_UPDATER_DISABLED', true );
$table_prefix = 'wp_';
defined( 'ABSPATH' ) || define( 'ABSPATH', __DIR__ . '/' );
require_once ABSPATH . 'wp-settings.php';
"""
INSTALL = """<?php
define( 'WP_INSTALLING', true );
$_SERVER['HTTP_HOST'] = 'site.example';
require $argv[1] . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install( 'Lab', 'owner', 'owner@example.com', true, '', 'not-a-secret' );
for ( $number = 1; $number <= 12; $number++ ) {
    wp_insert_post( array( 'post_title' => "Post $number", 'post_content' => str_repeat( 'Words. ', 80 ), 'post_status' => 'publish' ) );
}
wp_mkdir_p( WP_CONTENT_DIR . '/uploads' );
file_put_contents( WP_CONTENT_DIR . '/uploads/lab.txt', 'from the shared files' );
echo 'installed';
"""


class NoLab(Exception):
    """This machine cannot run it, or it went wrong; the text says what to do or what it said."""


def prepare() -> Path:
    """Install what is missing and return the root file system, made once. Raises NoLab."""
    if os.geteuid() != 0 or not Path("/dev/net/tun").exists() or not shutil.which("apt-get"):
        raise NoLab("the NFS scenario needs root on Debian and /dev/net/tun")
    if not all(map(shutil.which, PROGRAMS)):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-q"], check=False, capture_output=True)
        install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES]
        subprocess.run(install, check=False, capture_output=True, env=environment)
    if absent := [program for program in PROGRAMS if not shutil.which(program)]:
        raise NoLab(f"{', '.join(absent)} cannot be found: apt-get install {' '.join(PACKAGES)}")
    root = CACHE / f"nfs-root-{hashlib.sha256(' '.join(ROOT_PACKAGES).encode()).hexdigest()[:12]}"
    if not root.exists():
        unfinished = root.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(ROOT_PACKAGES)}", "trixie", str(unfinished)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            raise NoLab(f"mmdebstrap: {made.stderr[-2000:]}")
        unfinished.rename(root)
    return root


def lay_out(folder: Path, wordpress: Path, scenario: dict[str, Any]) -> None:
    """Put the export and what the machine runs into a folder."""
    site = folder / "export" / "site"
    site.mkdir(parents=True)
    (folder / "export" / "state").mkdir()
    with tarfile.open(wordpress) as archive:
        archive.extractall(site, filter="tar")
    if not (site / "wp-load.php").exists():
        inner = site / "wordpress"
        for entry in inner.iterdir():
            entry.rename(site / entry.name)
        inner.rmdir()
    (site / "wp-config.php").write_text(CONFIG, encoding="utf-8")
    for path in [folder / "export", *(folder / "export").rglob("*")]:
        os.chown(path, 33, 33, follow_symlinks=False)  # www-data, the same number on every Debian
        # OPcache never keeps a file whose stamp is 0, and archives made for tests may have nothing else: 557 OPENs a page instead of 60.
        os.utime(path, (STAMP, STAMP), follow_symlinks=False)
    lab = folder / "lab"
    (lab / "node").mkdir(parents=True)
    for source in NODE_FILES.glob("*"):
        shutil.copy(source, lab / "node")
    for name in ("guest.py", "guest_init.sh"):
        shutil.copy(HERE / name, lab)
    files = {
        "nginx.conf": NGINX,
        "fpm.conf": FPM,
        "install.php": INSTALL,
        "scenario.json": json.dumps(scenario),
        "ganesha.conf": GANESHA.format(port=PORT, server=SERVER, path=folder / "export"),
    }
    for name, text in files.items():
        (lab / name).write_text(text, encoding="utf-8")
    folder.chmod(0o755)


@contextlib.contextmanager
def tap() -> Iterator[None]:
    """The wire between the two."""
    subprocess.run(["ip", "tuntap", "add", "dev", TAP, "mode", "tap"], check=True, capture_output=True)
    try:
        subprocess.run(["ip", "address", "add", f"{SERVER}/24", "dev", TAP], check=True)
        subprocess.run(["ip", "link", "set", TAP, "up"], check=True)
        yield
    finally:
        subprocess.run(["ip", "link", "delete", TAP], check=False)


@contextlib.contextmanager
def ganesha(lab: Path) -> Iterator[None]:
    """The NFS server, answering. Raises NoLab."""
    command = [
        "ganesha.nfsd",
        "-F",
        "-f",
        str(lab / "ganesha.conf"),
        "-L",
        str(lab / "ganesha.log"),
        "-p",
        str(lab / "ganesha.pid"),
    ]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            end = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection((SERVER, PORT), timeout=1).close()
                    break
                except OSError as error:
                    if server.poll() is not None or time.monotonic() > end:
                        said = (lab / "ganesha.log").read_text(errors="replace")[-2000:]
                        raise NoLab(f"nfs-ganesha does not answer: {said}") from error
                    time.sleep(0.2)
            yield
        finally:
            server.terminate()
            try:
                server.wait(timeout=10)
            except subprocess.TimeoutExpired:
                server.kill()


def measure(folder: Path, wordpress: Path, scenario: dict[str, Any]) -> dict[str, Any]:
    """Run the scenario in a folder and return what the machine found. Raises NoLab."""
    root = prepare()
    lay_out(folder, wordpress, scenario)
    lab = folder / "lab"
    shutil.copy(lab / "guest_init.sh", root / "lab-init")
    (root / "lab-init").chmod(0o755)
    kernel = [
        "linux.uml", f"mem={MEMORY}", "root=/dev/root", "rootfstype=hostfs", f"rootflags={root}", "ro", "init=/lab-init",
        f"vec0:transport=tap,ifname={TAP},depth=128,gro=1", "con0=null,fd:1", "con=null", f"lab={lab}", "quiet", "panic=1",
    ]  # fmt: skip
    with tap(), ganesha(lab), (lab / "console.log").open("wb") as console:
        environment = {**os.environ, "TMPDIR": str(folder)}
        machine = subprocess.Popen(
            kernel,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            machine.wait(timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(machine.pid, 9)
            machine.wait()
    found = lab / "found.json"
    if not found.exists():
        said = [
            path.read_text(errors="replace")[-3000:]
            for path in (lab / "guest.log", lab / "console.log")
            if path.exists()
        ]
        raise NoLab("the machine found nothing:\n" + "\n".join(said))
    return dict(json.loads(found.read_text(encoding="utf-8")))
