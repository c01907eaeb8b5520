# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes while the edge serves: nothing on the way is lost, what is cached stays, what is invalidated goes; no secret is shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from wordpress_ha_rehearsal.reconciler.engine import EngineError

from .cells import ODD, Cells


@pytest.fixture
def restored(cells: Cells) -> Iterator[Cells]:
    yield cells
    cells.apply()


def test_a_change_under_load_loses_no_request_and_no_object(restored: Cells, fresh) -> None:
    cells = restored
    path, kept = fresh("read"), fresh("read")
    cells.site.tell(kept, headers={"Cache-Control": "max-age=6000"})
    cells.ask(kept)
    failed: list[object] = []
    done = threading.Event()

    def visit(number: int) -> None:
        turn = 0
        while not done.is_set():
            turn += 1
            # Half of them are misses that take a moment, so that some are always under way.
            target = f"{path}/{number}/{turn}" if turn % 2 else kept
            if target != kept:
                cells.site.tell(target, delay=0.05)
            try:
                answer = cells.ask(target)
            except OSError as error:
                failed.append(error)
                continue
            if answer.status != 200:
                failed.append((target, answer.status))

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for least in (700, 800):
        # Every behavior, every origin gets another name: the worst change there can be.
        for policy in cells.catalog.shapes["cache_policies"].values():
            policy["DefaultTTL"] = (
                max(policy["DefaultTTL"], least) if policy["MaxTTL"] > least else policy["DefaultTTL"]
            )
        distributions = cells.distributions
        for origin in distributions[0]["config"]["Origins"]["Items"]:
            origin["ConnectionTimeout"] = least // 100 - 4
        cells.edge.configure(distributions, cells.catalog.shapes)
        time.sleep(0.3)
    done.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert cells.ask(kept).cache == "Hit"
    assert len(cells.site.seen(kept)) == 1


def test_disabled_distributions_answer_nobody(restored: Cells, fresh) -> None:
    disabled = [one | {"config": one["config"] | {"Enabled": False}} for one in restored.distributions]
    for _turn in range(2):
        restored.edge.configure(disabled, restored.catalog.shapes)
    assert restored.ask(fresh("read")).status == 403


def test_a_configuration_that_cannot_run_leaves_the_live_one(cells: Cells, fresh) -> None:
    broken = dict(cells.catalog.shapes["functions"])
    arn = next(arn for arn in broken if arn.endswith("/rewrite"))
    shapes = {**cells.catalog.shapes, "functions": {**broken, arn: {**broken[arn], "code": "function handler( {"}}}
    before = cells.edge.views
    with pytest.raises(EngineError, match="SyntaxError"):
        cells.edge.configure(cells.distributions, shapes)
    assert cells.edge.views is before
    assert cells.ask(fresh("function"))["X-Stamp"]


@pytest.mark.parametrize(
    ("invalidated", "gone"),
    [
        ("/p/a", {"/p/a"}),
        ("/p/a?x=1", {"/p/a?x=1"}),
        ("/p/a*", {"/p/a", "/p/a?x=1", "/p/ab"}),
        ("p/*", {"/p/a", "/p/a?x=1", "/p/ab", "/p/A.b"}),
        ("/p/A.b", {"/p/A.b"}),
        ("/p/A?b*", set()),
    ],
)
def test_invalidation(cells: Cells, fresh, invalidated, gone) -> None:
    root = fresh("order")
    listed = ["/p/a", "/p/a?x=1", "/p/ab", "/p/A.b", "/q/a"]
    for path in listed:
        cells.ask(root + path)
    cells.edge.invalidate("E2", root + "/*")
    cells.edge.invalidate("E1", root + "/" + invalidated.lstrip("/"))
    assert {path for path in listed if cells.ask(root + path).cache == "Miss"} == gone


def test_an_invalidation_takes_every_variant(cells: Cells, fresh) -> None:
    path = fresh("full")
    for cookie in ("a=1", "a=2"):
        cells.ask(path, headers={"Cookie": cookie})
    cells.edge.invalidate("E1", path)
    assert {cells.ask(path, headers={"Cookie": cookie}).cache for cookie in ("a=1", "a=2")} == {"Miss"}


def test_secrets_stay_in_files_of_root(cells: Cells, fresh) -> None:
    cells.ask(fresh("read"))
    cells.ask(fresh("dead"))
    directory = cells.edge.config.directory("cloudfront", "edge")
    holding = [
        file
        for file in directory.rglob("*")
        if file.is_file() and "$guessed" in file.read_text().replace("${dollar}", "$")
    ]
    # A configuration that was refused is left for whoever wants to know why.
    assert {file.name for file in holding} - {"new.conf"} == {"nginx.conf"}
    assert directory.stat().st_mode & 0o077 == 0
    assert (
        all(file.stat().st_mode & 0o077 == 0 for file in directory.rglob("*.key"))
        and holding[0].stat().st_mode & 0o077 == 0
    )
    name = cells.edge.container.name
    said = cells.edge.engine.execute(
        name, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"
    ) + cells.edge.engine.call("logs", name)
    assert ODD not in said and "guessed" not in said
