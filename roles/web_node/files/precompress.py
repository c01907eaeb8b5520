# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the compressed neighbours of static files that nginx sends as they are: ``style.css.gz`` and ``style.css.br``.

For trees that nobody changes afterwards only: nginx does not look whether a neighbour is older than its file. The same content and time make
the same neighbour on every node, so the ETag of nginx, made of time and size, is the same too.

The code agent imports it; as a program: ``precompress.py TREE [PATH...]``, all files of the tree unless paths below it are given.
"""

from __future__ import annotations

import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

try:
    import brotli  # type: ignore[import-not-found, unused-ignore]
except ImportError:  # a system without the package has gzip only
    brotli = None

#: Ends of the names of what gets smaller; pictures, sounds and fonts for browsers of today are compressed already.
ENDS = (".css", ".js", ".mjs", ".map", ".json", ".svg", ".ico", ".ttf", ".otf", ".eot")
#: Bytes: what is smaller fits one packet anyway, what is larger no page waits for.
SMALLEST, LARGEST = 512, 16 * 1024 * 1024
#: A neighbour has to save a tenth.
WORTH = 0.9


def gzipped(content: bytes) -> bytes:
    """Compress without a time or a name in the header."""
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)
    return packer.compress(content) + packer.flush()


def brotlied(content: bytes) -> bytes:
    packed: bytes = brotli.compress(content, quality=BROTLI_QUALITY)
    return packed


#: Measured with 150 files of WordPress 7.1, 5.7 MB, CPU seconds and what is left: gzip 5 0.14 s 28.3 %, 6 0.18 s 28.0 %, 9 0.29 s 27.9 %;
#: brotli 4 0.19 s 27.9 %, 5 0.29 s 26.1 %, 9 1.86 s 25.5 %. A plugin is to be seen on all nodes within seconds: more time buys nothing.
GZIP_LEVEL, BROTLI_QUALITY = 6, 5

PACKERS: dict[str, Callable[[bytes], bytes]] = {".gz": gzipped} | ({".br": brotlied} if brotli else {})


def precompress(root: Path, paths: Iterable[str], threads: int = 0) -> dict[str, list[str]]:
    """Make the neighbours of those among ``paths`` (below ``root``) that gain by it; return for each path what was made.

    A neighbour that the code brings itself is replaced, and not among what is returned: nobody knows whether it belongs to this very version,
    and nginx would not ask. Errors of reading and writing files are the caller's, as ``OSError``.
    """
    given = sorted({_original(path) for path in paths})
    wanted = [path for path in given if path.endswith(ENDS)]
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        made = pool.map(lambda path: _make(root, path), wanted)
        return {path: names for path, names in zip(wanted, made, strict=True) if names}


def _original(path: str) -> str:
    """Return the file that a path is a neighbour of, or the path."""
    name, end = os.path.splitext(path)
    return name if end in (".gz", ".br") and name.endswith(ENDS) else path


def _make(root: Path, path: str) -> list[str]:
    try:
        descriptor = os.open(root / path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:  # a neighbour without a file
        return []
    except OSError:
        if (root / path).is_symlink():
            return []
        raise
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
            return []
        content = stream.read()
    made = []
    for end, pack in PACKERS.items():
        name = path + end
        brought = os.path.lexists(root / name)
        packed = pack(content)
        if not brought and (found.st_size < SMALLEST or len(packed) > WORTH * found.st_size):
            continue
        _write(root / name, packed, found)
        if not brought:
            made.append(name)
    return made


def _write(path: Path, content: bytes, like: os.stat_result) -> None:
    """Write a file with the rights and the time of another one; whoever has the old one linked elsewhere keeps it."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
        os.fchown(stream.fileno(), -1, like.st_gid)
        os.fchmod(stream.fileno(), stat.S_IMODE(like.st_mode))
    os.utime(new, ns=(like.st_mtime_ns, like.st_mtime_ns))
    new.replace(path)


def files_of(root: Path) -> Iterator[str]:
    """Return the regular files below a folder, without following symbolic links."""
    for folder, _folders, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                yield os.path.relpath(path, root)


def main(arguments: list[str]) -> int:
    if not arguments:
        print("usage: precompress.py TREE [PATH...]", file=sys.stderr)
        return 2
    root = Path(arguments[0])
    made = precompress(root, arguments[1:] or files_of(root))
    print(f"{sum(map(len, made.values()))} neighbours of {len(made)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
