# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many PHP workers, how long a queue and how much OPcache fit this machine and its site (R27, P17).

``plan`` is pure; the boot agent counts, asks it, and writes ``pool_conf`` and ``ini``. Sizes are mebibytes unless named otherwise.
``node_sizes.py``, run by hand, prints what this machine would get.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

KIB, MIB = 1024, 1024 * 1024

#: How many copies of the site's code OPcache may hold at once: the tree of the visitors and the next one, which is compiled before the switch,
#: and in ``replica`` the shared files, which the author pool runs.
COPIES = {"replica": 3, "release": 2, "efs": 1}
#: Measured with WordPress 7.1.1 on PHP 8.4: all 1,512 files compiled take 43,106,768 bytes, 28 KiB each, and 6.8 KiB of interned strings.
SCRIPT_KIB, STRING_KIB = 28, 7
#: More slots than files (P17): a site grows between two boots, and a file reached by two paths takes two.
ROOM = 1.5
#: The sizes that OPcache's hash table has; it takes the next one.
PRIMES = (3907, 7963, 16229, 32531, 65407, 130987, 262237, 524521)
#: Of the machine's memory, so that a site of very many files leaves room for the workers that run them.
OPCACHE_PERCENT = 25
#: One and a half keep a processor busy with pages of 70 ms; the others are for pages that wait for the database or somebody's interface. More only make
#: each page slow when all are busy (eight: 0.6 s), and the database's connections many.
PER_PROCESSOR = 8
#: Measured: 18 MiB of its own for a worker of WordPress without plugins. Less than this is not believed.
SMALLEST_WORKER = 32
#: Workers may be this much larger tomorrow than they were ever seen to be.
GROWTH = 1.25
#: What no page of PHP stands in.
NO_CODE = frozenset(
    {"uploads", "files", "blogs.dir", "cache", "upgrade", "upgrade-temp-backup", "node_modules", ".git"}
)

Plan = dict[str, int]


def plan(memory_mb: int, processors: int, files: int, config: Mapping[str, int | str]) -> Plan:
    """Return the sizes for a machine and a site of so many PHP files.

    ``config``: ``children``, ``opcache_memory_mb`` and ``opcache_files`` are taken as they are unless 0; ``child_memory_mb`` is what a
    worker takes beyond what all share; ``memory_percent`` of the memory is PHP's, OPcache included; ``mode`` is the storage mode.
    """
    copies = COPIES.get(str(config.get("mode", "replica")), max(COPIES.values()))
    worker = max(1, number(config, "child_memory_mb", 64))
    strings = min(64, max(16, up(files * STRING_KIB * copies // 2 // KIB, 8)))
    wanted = strings + 8 + files * SCRIPT_KIB * copies // KIB
    most = max(64, memory_mb * OPCACHE_PERCENT // 100 // 16 * 16)
    opcache = number(config, "opcache_memory_mb") or min(most, max(96, up(wanted, 16)))
    slots = number(config, "opcache_files") or next(
        (prime for prime in PRIMES if prime >= files * copies * ROOM), PRIMES[-1]
    )
    fitting = (memory_mb * number(config, "memory_percent", 60) // 100 - opcache) // worker
    # Authors are few, and wait for the shared files most of the time.
    author = max(1, min(8, fitting // 6))
    children = number(config, "children") or max(2, min(PER_PROCESSOR * processors, fitting - author))
    return {
        "children": children,
        "author_children": author,
        "backlog": queue(children),
        "author_backlog": queue(author),
        "worker_mb": worker,
        "opcache_mb": opcache,
        "opcache_files": slots,
        "opcache_strings_mb": min(strings, opcache // 4),
    }


def queue(workers: int) -> int:
    """Return how many requests may wait for so many workers.

    Each waits for about two others, so twice as long as a page takes while all workers are busy; shed.php bounds it by time. The least is what two
    browsers open at once.
    """
    return max(16, 2 * workers)


def number(config: Mapping[str, int | str], name: str, default: int = 0) -> int:
    return int(config.get(name, default))


def up(value: int, step: int) -> int:
    """Return the next multiple of ``step``, so that a few files more do not make another size, and PHP-FPM start anew for it."""
    return -(-value // step) * step


def pool_conf(sizes: Plan, mode: str) -> str:
    """Return what the pools' file includes at its end, in the section of the visitors' pool.

    In ``efs`` the visitors run files that change under them. A tree of ``replica`` or ``release`` never changes once it is served, so OPcache need
    not look, and neither a young file nor one without a time stamp is left out.
    """
    lines = [f"pm.max_children = {sizes['children']}", f"listen.backlog = {sizes['backlog']}"]
    if mode in ("replica", "release"):
        lines += [
            "php_admin_flag[opcache.validate_timestamps] = off",
            "php_admin_value[opcache.file_update_protection] = 0",
        ]
    lines += [
        "[author]",
        f"pm.max_children = {sizes['author_children']}",
        f"listen.backlog = {sizes['author_backlog']}",
    ]
    return "\n".join(lines) + "\n"


def ini(sizes: Plan) -> str:
    """Return PHP's settings of the memory that all workers share."""
    return (
        f"opcache.memory_consumption = {sizes['opcache_mb']}\n"
        f"opcache.interned_strings_buffer = {sizes['opcache_strings_mb']}\n"
        f"opcache.max_accelerated_files = {sizes['opcache_files']}\n"
    )


def count_php(root: Path) -> int:
    """Return how many PHP files stand below a folder, which may be a link; folders that are links, and those without code, are left out."""
    count, folders = 0, [os.path.realpath(root)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in NO_CODE:
                            folders.append(entry.path)
                    elif entry.name.endswith(".php"):
                        count += 1
        except (FileNotFoundError, NotADirectoryError):
            continue  # deleted while we look
    return count


def worker_sizes(proc: Path = Path("/proc"), pools: Iterable[str] = ("wordpress", "author")) -> list[int]:
    """Return the memory that each living worker has of its own, in KiB."""
    titles = {f"php-fpm: pool {pool}".encode() for pool in pools}
    found = []
    for status in proc.glob("[0-9]*/status"):
        try:
            title = (status.parent / "cmdline").read_bytes().rstrip(b"\0 ")
            own = re.search(r"^RssAnon:\s+(\d+) kB$", status.read_text(), re.MULTILINE) if title in titles else None
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        if own:
            found.append(int(own.group(1)))
    return found


def usual_worker(sizes: Iterable[int]) -> int:
    """Return the KiB that three quarters of the workers do not exceed; 0 without any.

    Not the largest: one that has just made thumbnails has 81 MiB where the others have 18 (both measured), and all of them never do that at once.
    """
    ordered = sorted(sizes)
    return ordered[-(-3 * len(ordered) // 4) - 1] if ordered else 0


def known_worker_mb(expected: int, limit: int, *notes: Path) -> int:
    """Return what a worker takes: the highest ever noted (with room for growth) if one of the notes tells, else what is expected.

    PHP can write one of these notes, so what it says counts only between the smallest worker and PHP's own ``limit``.
    """
    seen = max((noted(path) for path in notes), default=0)
    return min(max(SMALLEST_WORKER, limit), max(SMALLEST_WORKER, int(seen * GROWTH / KIB))) if seen else expected


def noted(path: Path) -> int:
    """Return the KiB of a usual worker that a note tells of; 0 if it tells nothing."""
    try:
        with path.open("rb") as stream:
            value = json.loads(stream.read(4096))
        return max(0, int(value["worker_kib"]))
    except (OSError, ValueError, TypeError, KeyError):
        return 0


def note(path: Path, kib: int) -> bool:
    """Note a size that is larger by a tenth than any noted before; tell whether it was. OSError if the folder takes no file."""
    if kib <= noted(path) * 1.1:
        return False
    new = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644), "w") as stream:
        stream.write(json.dumps({"worker_kib": kib}) + "\n")
    new.replace(path)
    return True


def main(arguments: list[str]) -> int:
    import boot_agent

    config = json.loads(boot_agent.CONFIG.read_text())
    limit = Path("/sys/fs/cgroup/memory.max")
    memory = boot_agent.memory_mb(Path("/proc/meminfo").read_text(), limit.read_text() if limit.exists() else "")
    files = count_php(Path(config["docroot"]))
    sizes = plan(memory, os.cpu_count() or 1, files, config["pool"])
    seen = {"memory_mb": memory, "php_files": files, "usual_worker_kib": usual_worker(worker_sizes())}
    print(json.dumps(seen | sizes, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
