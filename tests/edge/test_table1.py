# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Table 1 of the whitepaper at the edge, cell by cell (R51, R52, R55): what ``Cell.observe`` says, looked at."""

from __future__ import annotations

import table1

from .cells import Cells
from .edge import Answer
from .stub import Asked

HOST = "whitepaper.sets.test"
PHONE, DESKTOP = "Mozilla/5.0 (iPhone) Mobile", "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0"
VIEWER = {
    "User-Agent": DESKTOP,
    "Referer": "https://a.test/",
    "Authorization": "Basic eDp5",
    "X-WP-Nonce": "n",
    "Accept-Language": "de",
}
WRITING = ("POST", "PUT", "PATCH", "DELETE")


class Column:
    """The paths of one column, fresh ones, and what the stubs saw of them."""

    def __init__(self, cells: Cells, name: str, number: int) -> None:
        self.cells, self.name, self.number = cells, name, number

    def paths(self) -> list[str]:
        self.number += 1
        if self.name == "static":
            return [f"/wp-content/{self.number}.bin", f"/wp-includes/{self.number}.bin"]
        # One of them has a single path: the query string tells the turns apart.
        return [f"/wp-admin/{self.number}.php", "/wp-login.php"] if self.name == "admin" else [f"/{self.number}/"]

    def ask(self, path: str, method: str = "GET", headers: dict | None = None, **more: object) -> Answer:
        return self.cells.ask(path, method, VIEWER | (headers or {}) | {"Host": HOST}, **more)  # type: ignore[arg-type]

    def asked(self, path: str) -> list[Asked]:
        found = [asked for stub in (self.cells.bucket, self.cells.site, self.cells.secure) for asked in stub.seen(path)]
        return found

    def last(self, path: str) -> Asked:
        return max(
            (stub for stub in (self.cells.bucket, self.cells.site, self.cells.secure)), key=lambda stub: stub.turn(path)
        ).seen(path)[-1]


def shares(column: Column, path: str, first: dict, second: dict) -> bool:
    column.ask(path, headers=first)
    return column.ask(path, headers=second).cache == "Hit"


def viewer_protocol(column: Column) -> None:
    for path in column.paths():
        answer = column.ask(path, tls=False)
        if column.name == "admin":
            assert (answer.status, answer["Location"]) == (301, f"https://{HOST}{path}")
        else:
            assert answer.status == 200
        assert column.ask(path).status == 200


def methods(column: Column) -> None:
    for path in column.paths():
        for method in ("GET", "HEAD", "OPTIONS", *WRITING):
            before = len(column.asked(path))
            fine = column.name != "static" or method in ("GET", "HEAD")
            assert column.ask(path, method).status == (200 if fine else 403), method
            if method in ("OPTIONS", *WRITING):
                assert (len(column.asked(path)) > before) == fine, method


def headers(column: Column) -> None:
    for path in column.paths():
        if column.name == "admin":
            column.ask(path)
            seen = column.last(path).headers
            assert {name: seen[name.lower()] for name in VIEWER} == VIEWER and seen["host"] == HOST
            continue
        shared = shares(
            column, path, {}, {"Accept-Language": "en", "Referer": "https://b.test/", "User-Agent": DESKTOP + "1"}
        )
        seen = column.last(path).headers
        assert shared and seen["user-agent"] == "Amazon CloudFront"
        assert not {"referer", "x-wp-nonce", "accept-language"} & set(seen)
        # The bucket is shown the distribution's own signature.
        assert seen.get("authorization", "AWS4-").startswith("AWS4-")
        if column.name == "static":
            assert seen["host"] == "bucket.s3.eu-west-1.amazonaws.com"
            assert column.ask(path, headers={"User-Agent": PHONE}).cache == "Hit"
        else:
            assert set(table1.HEADERS) <= set(seen) and seen["host"] == HOST
            assert column.ask(path, headers={"User-Agent": PHONE}).cache == "Miss"
            assert column.ask(path, tls=False).cache == "Miss"


def cookies(column: Column) -> None:
    known = ("comment_author_x", "wordpress_logged_in_x", "wp-settings-1", "wp-postpass_x")
    for path in column.paths():
        if column.name == "admin":
            column.ask(path, headers={"Cookie": "a=1; wordpress_x=2"})
            assert column.last(path).headers["cookie"] == "a=1; wordpress_x=2"
            assert column.ask(path, headers={"Cookie": "a=1; wordpress_x=2"}).cache == "Miss"
            continue
        assert shares(column, path, {"Cookie": "_ga=1"}, {"Cookie": "_ga=2"})
        for name in known:
            assert shares(column, path, {"Cookie": f"{name}=1"}, {"Cookie": f"{name}=2"}) is (
                column.name == "static"
            ), name
        column.ask(path, headers={"Cookie": "_ga=1; wordpress_z=9"})
        assert column.last(path).headers.get("cookie") == (None if column.name == "static" else "wordpress_z=9")


def query_strings(column: Column) -> None:
    for path in column.paths():
        turns = [column.ask(f"{path}?ver={number}").cache for number in (1, 2, 1)]
        assert turns == (["Miss"] * 3 if column.name == "admin" else ["Miss", "Miss", "Hit"])
        column.ask(f"{path}?b=1&a=%20")
        assert column.last(path).target == f"{path}?b=1&a=%20"


def origin(column: Column) -> None:
    for path in column.paths():
        column.ask(path)
        if column.name == "static":
            assert column.cells.bucket.seen(path) and not column.cells.secure.seen(path)
            lacking = path + ".lacking"
            column.cells.bucket.tell(lacking, status=403)
            assert column.ask(lacking).status == 200
            assert column.cells.secure.seen(lacking)[0].headers["host"] == "origin.test"
        else:
            assert column.cells.secure.seen(path)
        if column.name == "default":
            column.ask(path, tls=False)
            assert len(column.cells.site.seen(path)) == 1


def precedence(column: Column) -> None:
    """No path fits two columns by itself; one below another's prefix still goes to the first that takes it."""
    for path in column.paths():
        again = [column.ask(path).cache for _turn in range(2)][1]
        assert again == ("Miss" if column.name == "admin" else "Hit")
    assert column.ask("/wp-admin/load.php/wp-content/x.css").cache == "Miss"
    assert column.ask("/wp-admin/load.php/wp-content/x.css").cache == "Miss"


ROWS = {row.__name__: row for row in (viewer_protocol, methods, headers, cookies, query_strings, origin, precedence)}


def pytest_generate_tests(metafunc) -> None:
    if "cell" in metafunc.fixturenames:
        metafunc.parametrize("cell", table1.CELLS, ids=[cell.id for cell in table1.CELLS])


def test_cell(cells: Cells, paths, cell: table1.Cell) -> None:
    ROWS[cell.row](Column(cells, cell.column, next(paths) * 1000))


def test_the_recommended_set_lives_here_too(cells: Cells, fresh) -> None:
    host = {"Host": "recommended.sets.test"}
    page, post = fresh("page"), "/wp-json/wp/v2/posts"
    assert cells.ask(page, headers=host, tls=False).status == 301
    assert [cells.ask(page + query, headers=host).cache for query in ("?utm_source=a", "?utm_source=b", "?p=1")] == [
        "Miss",
        "Hit",
        "Miss",
    ]
    assert [cells.ask(post, headers=host | {"Authorization": "Basic eDp5"}).cache for _turn in range(2)] == ["Miss"] * 2
    assert cells.secure.seen(post)[0].headers["authorization"] == "Basic eDp5"
