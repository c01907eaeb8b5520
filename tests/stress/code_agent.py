# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change the code of a site under load and look at every single answer: all of it old, or all of it new (P16).

Run it as root in a container with nginx, php-fpm and python3 (Debian's packages): ``python3 tests/stress/code_agent.py [SLOW_FILES [CLAIM...]]``.
SLOW_FILES is the program of tests/lab: the node then sees the shared files through a mount that takes 3 ms for each operation and believes
attributes for 30 s, as NFS does, and all changes are made behind its back, as by another node. STRESS_FOLDER is where it works, best a tmpfs;
CODE_AGENT is the folder of the programs, the collection's own unless given; STRESS_PATIENCE lengthens all bounds, for a busy machine.
It starts an nginx, a php-fpm and a code agent of its own, with a site whose pages say of which version each of their files is. It
ends with status 1 and the reason when anything is not as it should be, and prints a line ``proved: ...`` for each claim.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

FILES = Path(os.environ.get("CODE_AGENT", Path(__file__).resolve().parent / "../../roles/web_node/files")).resolve()
#: How many times longer all may take, on a machine that does other things meanwhile.
PATIENCE = float(os.environ.get("STRESS_PATIENCE", "1"))
PARTS = 40
FILLERS = 3000
PORT = 8089

INDEX = """<?php
$said = array();
for ( $i = 0; $i < %d; $i++ ) {
    $said[] = require __DIR__ . "/wp-content/plugins/parts/part$i.php";
    usleep( 300 );
}
echo implode( ' ', $said ), ' ', trim( file_get_contents( __DIR__ . '/wp-content/plugins/parts/data.txt' ) );
"""

NGINX = """
daemon off; pid {base}/nginx.pid; error_log {base}/nginx.log; worker_processes 2; user www-data;
events {{ worker_connections 512; }}
http {{
    access_log off;
    map $realpath_root $here {{ default /nowhere; "~^(?<target>/.+)$" $target; }}
    server {{
        listen 127.0.0.1:{port};
        root {base}/docroot;
        set $decided $here;
        location / {{
            root $here;
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME $document_root/index.php;
            fastcgi_pass unix:{base}/php.sock;
        }}
        location ~ \\.txt$ {{ root $here; open_file_cache max=1000 inactive=60s; open_file_cache_valid 600s; }}
    }}
}}
"""

FPM = """
[global]
error_log = {base}/fpm.log
daemonize = no
[wordpress]
user = www-data
group = www-data
listen = {base}/php.sock
listen.owner = www-data
pm = static
pm.max_children = 6
php_admin_flag[opcache.validate_timestamps] = off
php_admin_value[opcache.file_update_protection] = 0
"""


class Broken(Exception):
    """What should hold does not."""


class World:
    """A site, and the programs that serve it."""

    def __init__(self, base: Path, scan_seconds: int, slow_files: str) -> None:
        self.base = base
        self.slow_files = slow_files
        #: Where the files are, and where the node sees them.
        self.server = base / ("server" if slow_files else "shared")
        self.site = self.server / "site"
        self.state = self.server / "state"
        self.programs: list[subprocess.Popen[bytes]] = []
        self.agent: subprocess.Popen[bytes] | None = None
        self.answers: dict[str, int] = {}
        self.wrong: list[str] = []
        self.slowest = 0.0
        self.stop = threading.Event()
        for folder in (
            self.site / "wp-content/plugins/parts",
            self.site / "wp-content/uploads",
            self.state / "changing",
            base / "run",
        ):
            folder.mkdir(parents=True)
        (self.site / "wp-content/uploads/upload.txt").write_text("upload")
        (self.site / "wp-includes").mkdir()
        (self.site / "wp-config.php").write_text("<?php\n")
        (self.site / "wp-includes/version.php").write_text("<?php $wp_version = '0';\n")
        (self.site / "index.php").write_text(INDEX % PARTS)
        for number in range(FILLERS):
            path = self.site / f"wp-includes/filler/{number % 60}/f{number}.php"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("<?php // " + "x" * random.randint(100, 30000))
        self.write("v0")
        for path in (self.server, *self.server.rglob("*")):
            shutil.chown(path, "www-data", "www-data")
        self.config = {
            "user": "www-data", "group": "www-data", "shared": str(base / "shared"), "trees": str(base / "trees"),
            "docroot": str(base / "docroot"), "lib": str(FILES), "fpm_socket": str(base / "php.sock"), "request_timeout": 5,
            "releases_kept": 3, "scan_seconds": scan_seconds, "run_dir": str(base / "run"),
        }  # fmt: skip
        (base / "agent.json").write_text(json.dumps(self.config))
        (base / "run/contract.json").write_text(json.dumps({"storage": {"mode": "replica"}}))
        (base / "docroot").symlink_to(base / "shared/site")
        (base / "nginx.conf").write_text(NGINX.format(base=base, port=PORT))
        (base / "fpm.conf").write_text(FPM.format(base=base))
        base.chmod(0o755)

    def start(self) -> None:
        fpm = next(path for path in sorted(Path("/usr/sbin").glob("php-fpm*")))
        options = [
            "-d",
            "opcache.enable=1",
            "-d",
            "opcache.memory_consumption=256",
            "-d",
            "opcache.max_accelerated_files=30000",
        ]
        self.programs = [
            subprocess.Popen([str(fpm), "-F", "-y", str(self.base / "fpm.conf"), *options]),
            subprocess.Popen(["nginx", "-c", str(self.base / "nginx.conf")]),
        ]
        if self.slow_files:
            (self.base / "shared").mkdir()
            self.control = str(self.base / "slow.sock")
            # Names are not believed: NFS asks for them anew once a look tells that the folder changed, and FUSE has no such rule.
            caches = ["--attributes", "30", "--entries", "0"]
            options = ["--background", "--control", self.control, "--delay-us", "3000", *caches]
            subprocess.run([self.slow_files, *options, str(self.server), str(self.base / "shared")], check=True)
        self.start_agent()
        self.until("the first tree is live", lambda: (self.base / "docroot").resolve().parent.name == "trees", 30)

    def slow(self, *words: str) -> str:
        """Tell the slow file system something."""
        command = [self.slow_files, "ctl", self.control, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def start_agent(self) -> None:
        self.agent = subprocess.Popen([sys.executable, str(FILES / "code_agent.py"), str(self.base / "agent.json")])

    def end(self) -> None:
        if self.slow_files and (self.base / "slow.sock").exists():
            self.slow("resume")
        for program in (self.agent, *self.programs):
            if program and program.poll() is None:
                program.terminate()
                program.wait(20)
        if self.slow_files:
            subprocess.run(["umount", str(self.base / "shared")], check=False)

    # --- what people do ---

    def write(self, version: str, pause: float = 0.0) -> None:
        """Replace the files of the plugin one after the other, in their place, as an editor or SFTP does."""
        folder = self.site / "wp-content/plugins/parts"
        for number in range(PARTS):
            (folder / f"part{number}.php").write_text(f"<?php return '{version}';\n")
            time.sleep(pause)
        (folder / "data.txt").write_text(version)

    def change(self, version: str, everything: bool = False) -> float:
        """Change the plugin as WordPress does, with a note while it lasts and the marker at its end; return when it ended."""
        note = self.state / "changing" / version
        note.write_text("")
        self.write(version, 0.002)
        self.mark(version, [] if everything else ["wp-content/plugins/parts"])
        note.unlink()
        return time.monotonic()

    def mark(self, generation: str, paths: list[str]) -> None:
        new = self.state / "generation.new"
        try:
            before = json.loads((self.state / "generation").read_text())["generation"]
        except FileNotFoundError:
            before = ""
        new.write_text(json.dumps({"generation": generation, "previous": before, "paths": paths}))
        new.replace(self.state / "generation")

    # --- what visitors see ---

    def ask(self, path: str = "/") -> str:
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read().decode()
            if answer.status != 200:
                raise Broken(f"{path} answers {answer.status}: {text[:200]}")
            return text
        except (OSError, http.client.HTTPException) as error:
            raise Broken(f"{path}: {error}") from error
        finally:
            connection.close()

    def visit(self) -> None:
        """Ask again and again; each answer must be of one version."""
        while not self.stop.is_set():
            started = time.monotonic()
            try:
                versions = set(self.ask().split())
            except Broken as error:
                self.wrong.append(str(error))
                continue
            if len(versions) != 1:
                self.wrong.append(f"mixed: {sorted(versions)}")
            self.slowest = max(self.slowest, time.monotonic() - started)
            version = "+".join(sorted(versions))
            self.answers[version] = self.answers.get(version, 0) + 1

    def under_load(self, work: Callable[[], None]) -> int:
        self.stop.clear()
        self.answers, self.wrong, self.slowest = {}, [], 0.0
        visitors = [threading.Thread(target=self.visit) for _number in range(4)]
        for visitor in visitors:
            visitor.start()
        try:
            work()
        finally:
            self.stop.set()
            for visitor in visitors:
                visitor.join()
        if self.wrong:
            raise Broken(f"{len(self.wrong)} wrong answers: {self.wrong[:3]}")
        return sum(self.answers.values())

    def until(self, what: str, holds: Callable[[], bool], seconds: float) -> float:
        # FUSE asks for each folder of each path, 3 ms each, and NFS for the file alone
        seconds *= PATIENCE * (3 if self.slow_files else 1)
        started = time.monotonic()
        while not holds():
            if time.monotonic() - started > seconds:
                raise Broken(f"after {seconds} s it does not hold that {what}")
            time.sleep(0.05)
        return time.monotonic() - started

    def serves(self, version: str) -> bool:
        return set(self.ask().split()) == {version}


def switches(world: World, count: int) -> None:
    waits: list[float] = []

    def work() -> None:
        for number in range(count):
            version = f"s{number}"
            world.change(version)
            waits.append(world.until(f"{version} is served", lambda version=version: world.serves(version), 10))

    asked = world.under_load(work)
    if len(world.answers) < count:
        raise Broken(f"only {len(world.answers)} versions were seen in {count} switches")
    if max(waits) > PATIENCE * (15 if world.slow_files else 5):
        raise Broken(f"a change took {max(waits):.1f} s to be served")
    print(f"proved: {count} switches under load, {asked} answers, each of one version; served {max(waits):.1f} s after the change at the latest,"
          f" slowest answer {world.slowest:.2f} s", flush=True)  # fmt: skip


def kills(world: World, count: int) -> None:
    """End the agent in the middle of a copy of everything, as a node that dies does."""
    cut = 0

    def work() -> None:
        nonlocal cut
        for number in range(count):
            version = f"k{number}"
            for path in (world.site / "wp-includes/filler").rglob("*.php"):
                os.utime(path)  # every file is a new one
            world.change(version, everything=True)
            world.until("the copy has begun", lambda: bool(unfinished(world)), 5)
            time.sleep(random.uniform(0, 0.4))
            if world.agent:
                world.agent.kill()
                world.agent.wait()
            cut += bool(unfinished(world))
            if not world.serves(f"k{number - 1}" if number else "first") and not world.serves(version):
                raise Broken("after the kill neither the old nor the new version is served")
            world.start_agent()
            world.until(f"{version} is served", lambda version=version: world.serves(version), 15)

    world.change("first")
    world.until("first is served", lambda: world.serves("first"), 10)
    asked = world.under_load(work)
    if cut == 0:
        raise Broken("no kill met a copy")
    world.until("nothing is left of the killed copies", lambda: not unfinished(world), 10)
    print(
        f"proved: the agent killed {count} times, {cut} of them in mid-copy: {asked} answers, each of one version, and each change arrives",
        flush=True,
    )


def unfinished(world: World) -> list[str]:
    home = world.base / "trees"
    return [path.name for path in home.iterdir() if path.is_dir() and not (home / f"{path.name}.json").exists()]


def drop(world: World) -> None:
    """Bring files without WordPress, slowly."""
    seconds = 0.0

    def work() -> None:
        nonlocal seconds
        world.write("dropped", 0.05)
        started = time.monotonic()
        world.until("the drop is served", lambda: world.serves("dropped"), 60)
        seconds = time.monotonic() - started

    asked = world.under_load(work)
    print(
        f"proved: files brought by hand are served {seconds:.0f} s later, {asked} answers, each of one version",
        flush=True,
    )


def away(world: World) -> None:
    """Take the shared files away, and give them back."""

    def work() -> None:
        if world.slow_files:
            world.slow("hang")
            time.sleep(8)
            world.slow("resume")
        else:
            (world.base / "shared").rename(world.base / "gone")
            (world.base / "shared").mkdir()  # what an unmounted file system leaves
            time.sleep(8)
            shutil.rmtree(world.base / "shared")
            (world.base / "gone").rename(world.base / "shared")
        world.change("back")
        world.until("a change after the outage is served", lambda: world.serves("back"), 10)

    asked = world.under_load(work)
    if len(world.answers) != 2:
        raise Broken(f"versions seen: {world.answers}")
    print(f"proved: shared files away for 8 s: {asked} answers, none wrong, and the next change arrives", flush=True)


def untouched(world: World) -> None:
    """Count what pages cost below the mount of the shared files, and what the agent does."""
    if world.agent is None:
        raise Broken("no agent runs")
    world.agent.send_signal(signal.SIGSTOP)
    try:
        world.ask()
        world.slow("reset")
        for _number in range(200):
            world.ask()
        pages = json.loads(world.slow("counters"))["total"]
        if pages:
            raise Broken(f"200 pages caused {pages} operations: {json.loads(world.slow('recent'))[:5]}")
        world.ask("/wp-content/uploads/upload.txt")
        if not json.loads(world.slow("counters"))["total"]:
            raise Broken("an upload caused no operation, so nothing is counted")
    finally:
        world.agent.send_signal(signal.SIGCONT)
    world.slow("reset")
    time.sleep(10)
    polls = [path for _operation, path in json.loads(world.slow("recent")) if path.strip("/").startswith("state")]
    print(
        f"proved: 200 warm pages cause 0 operations below the mount; the agent's poll {len(polls)} in 10 s", flush=True
    )


def leftovers(world: World) -> None:
    """Trees that nobody reads are removed, and no more than the live and a spare one stay."""
    world.until(
        "old trees are gone", lambda: len([path for path in (world.base / "trees").iterdir() if path.is_dir()]) <= 2, 60
    )
    print("proved: of all trees the live one and a spare one are left", flush=True)


CLAIMS: dict[str, Callable[[World], None]] = {
    "switches": lambda world: switches(world, 20),
    "untouched": untouched,
    "kills": lambda world: kills(world, 6),
    "away": away,
    "drop": drop,
    "leftovers": leftovers,
}


def main(arguments: list[str]) -> int:
    base = Path(tempfile.mkdtemp(prefix="stress-", dir=os.environ.get("STRESS_FOLDER", "/var/tmp")))
    world = World(base, 20, arguments[0] if arguments else "")
    try:
        world.start()
        for name in arguments[1:] or CLAIMS:
            if name != "untouched" or world.slow_files:
                CLAIMS[name](world)
    except Broken as reason:
        print(f"broken: {reason}", flush=True)
        return 1
    finally:
        world.end()
        shutil.rmtree(base, ignore_errors=True)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
    sys.exit(main(sys.argv[1:]))
