# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The delaying file system: it counts what happens, waits as told, loses nothing, and never shows a file's past."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .slow_files import SlowFiles, build

SLOW_US = 20_000
SLOW = SLOW_US / 1e6

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/fuse").exists(), reason="mounting needs root and /dev/fuse"
)


@pytest.fixture(scope="module", autouse=True)
def program() -> Path:
    """The program, compiled; a machine that cannot compile it fails here with the cure."""
    return build()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a few files."""
    folder = tmp_path / "source"
    (folder / "below").mkdir(parents=True)
    (folder / "one").write_text("one")
    (folder / "below" / "two").write_text("two")
    (folder / "link").symlink_to("below/two")
    return folder


@pytest.fixture
def mount(tmp_path: Path, source: Path) -> Iterator[Path]:
    """Where to mount."""
    folder = tmp_path / "mount"
    folder.mkdir()
    yield folder
    assert not os.path.ismount(folder), "a mount was left behind"


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    began = time.monotonic()
    action()
    return time.monotonic() - began


def test_every_touch_is_counted_and_none_is_invented(source: Path, mount: Path) -> None:
    with SlowFiles(source, mount, attributes=0, entries=0) as files:
        files.reset()
        assert files.total() == 0
        (source / "one").stat()
        assert files.total() == 0, "a touch of the source is not one of the mount"
        (mount / "one").stat()
        (mount / "absent").exists()
        assert files.counters()["operations"]["getattr"] >= 2
        assert {"/one", "/absent"} <= {path for name, path in files.recent()}
        files.reset()
        assert (mount / "one").read_text() == "one"
        counted = files.counters()["operations"]
        assert (counted["open"], counted["flush"], counted["write"]) == (1, 1, 0)


def test_a_warm_file_costs_an_open_and_a_close(source: Path, mount: Path) -> None:
    with SlowFiles(source, mount, attributes=60, entries=60) as files:
        for _warm in range(2):
            (mount / "one").read_text()
        files.reset()
        (mount / "one").read_text()
        counted = {name: number for name, number in files.counters()["operations"].items() if number}
        assert counted == {"open": 1, "flush": 1}, "as NFS: OPEN and CLOSE, the content from the page cache"


def test_the_delay_is_waited_per_operation_and_can_be_changed(source: Path, mount: Path) -> None:
    with SlowFiles(source, mount, delay_us=SLOW_US, attributes=0, entries=0) as files:
        files.reset()
        took = seconds((mount / "one").read_text)
        waited = files.counters()["waited_us"] / 1e6
        assert waited >= 3 * SLOW, "lookup, open, read, close"
        assert waited <= took < waited + 0.5
        files.delay(0)
        assert seconds(lambda: [(mount / "one").read_text() for _turn in range(10)]) < 10 * SLOW


@pytest.mark.parametrize("names", [["two"] * 16, [f"absent-{number}" for number in range(16)]], ids=["one", "many"])
def test_operations_wait_beside_each_other(source: Path, mount: Path, names: list[str]) -> None:
    with SlowFiles(source, mount, delay_us=10 * SLOW_US, attributes=0, entries=0):

        def look(name: str) -> None:
            (mount / "below" / name).exists()

        alone = seconds(lambda: look("two"))
        threads = [threading.Thread(target=look, args=(name,)) for name in names]

        def all_at_once() -> None:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        assert seconds(all_at_once) < 4 * alone, "latency, not a queue"


def test_a_written_file_waits_at_its_close(source: Path, mount: Path) -> None:
    with SlowFiles(source, mount) as files, (mount / "new").open("wb", buffering=0) as new:
        files.delay(SLOW_US)
        files.reset()
        assert seconds(lambda: [new.write(b"x" * 1000) for _turn in range(10)]) < 5 * SLOW
        assert seconds(new.close) >= 2 * SLOW, "WRITE and CLOSE"
        assert files.counters()["bytes_written"] == 10_000
    assert (source / "new").read_bytes() == b"x" * 10_000


def test_an_opened_file_is_never_its_past(source: Path, mount: Path) -> None:
    with SlowFiles(source, mount, attributes=60, entries=60):
        assert (mount / "one").read_text() == "one"
        for content in ("another node wrote more", "less", "same"):
            (source / "one").write_text(content)
            assert (mount / "one").read_text() == content


def test_attributes_may_be_stale_for_as_long_as_told(source: Path, mount: Path) -> None:
    with SlowFiles(source, mount, attributes=1, entries=1):
        assert (mount / "one").stat().st_size == 3
        (source / "one").write_text("longer than before")
        assert (mount / "one").stat().st_size == 3, "no attribute cache: not what a node sees on NFS"
        time.sleep(1.1)
        assert (mount / "one").stat().st_size == 18


def test_changes_arrive_whole(source: Path, mount: Path) -> None:
    with SlowFiles(source, mount):
        (mount / "folder").mkdir(mode=0o750)
        (mount / "folder" / "file").write_text("content")
        (mount / "folder" / "file").rename(mount / "moved")
        os.link(mount / "moved", mount / "second name")
        (mount / "symbolic").symlink_to("moved")
        os.utime(mount / "moved", ns=(1, 1_500_000_000_000_000_123))
        (mount / "moved").chmod(0o640)
        os.truncate(mount / "moved", 4)
        os.utime(mount / "moved", ns=(1, 1_500_000_000_000_000_123))
        assert (mount / "symbolic").read_text() == "cont"
        assert sorted(os.listdir(mount)) == sorted(os.listdir(source))
        (mount / "below" / "two").unlink()
        (mount / "below").rmdir()
    status = (source / "moved").stat()
    assert (status.st_mtime_ns, status.st_mode & 0o777, status.st_nlink) == (1_500_000_000_000_000_123, 0o640, 2)
    assert (source / "folder").stat().st_mode & 0o777 == 0o750
    assert os.readlink(source / "symbolic") == "moved"
    assert not (source / "below").exists()


def test_an_open_file_outlives_its_replacement(source: Path, mount: Path) -> None:
    with SlowFiles(source, mount), (mount / "one").open() as still:
        (mount / "next").write_text("two")
        (mount / "next").rename(mount / "one")
        assert still.read() == "one"
        assert (mount / "one").read_text() == "two"


def test_what_a_user_makes_is_the_users(source: Path, mount: Path) -> None:
    (source / "below").chmod(0o2777)
    os.chown(source / "below", 0, 12345)
    with SlowFiles(source, mount):
        child = os.fork()
        if child == 0:
            try:
                os.chdir(mount / "below")  # before: folders of pytest are closed to other users
                os.setgid(23456)
                os.setuid(34567)
                Path("mine").write_text("mine")
                os._exit(0)
            except OSError:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        status = (mount / "below" / "mine").stat()
        assert (status.st_uid, status.st_gid) == (34567, 12345)


def test_a_lock_holds_between_two_mounts(source: Path, mount: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    mounts = SlowFiles(source, mount), SlowFiles(source, second)
    with mounts[0], mounts[1], (mount / "one").open() as mine, (second / "one").open() as theirs:
        fcntl.flock(mine, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            fcntl.flock(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(mine, fcntl.LOCK_UN)
        fcntl.flock(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_it_hangs_and_resumes(source: Path, mount: Path) -> None:
    with SlowFiles(source, mount, attributes=0, entries=0) as files:
        files.hang()
        looked = threading.Event()

        def look() -> None:
            (mount / "one").stat()
            looked.set()

        thread = threading.Thread(target=look)
        thread.start()
        assert not looked.wait(0.5)
        assert files.counters()["hanging"]
        files.resume()
        assert looked.wait(5)
        thread.join()


def test_a_mount_may_cover_its_own_source(source: Path) -> None:
    with SlowFiles(source, source) as files:
        assert (source / "one").read_text() == "one"
        (source / "made").write_text("through")
        assert files.counters()["operations"]["create"] == 1
    assert not os.path.ismount(source)
    assert (source / "made").read_text() == "through"


def test_at_no_delay_it_costs_little(source: Path, mount: Path, prove: Callable[[str], None]) -> None:
    many = 500
    for number in range(many):
        (source / f"file{number}").write_text("content")
    with SlowFiles(source, mount, attributes=60, entries=60):

        def read_all() -> None:
            for number in range(many):
                (mount / f"file{number}").read_text()

        read_all()
        each = min(seconds(read_all) for _turn in range(5)) / many
    prove(f"slow_files: a warm open, read and close at no delay takes {each * 1e6:.0f} microseconds")
    assert each < 0.001, "at a delay of 1 ms the program itself would be the larger part"
