# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page: tables between the marks of docs/benchmarks/README.md, whose prose is written by people, and a plot beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

Results = Mapping[str, Any]


def _mean(slices: Iterable[Mapping[str, Any]], machine: str, what: str, field: str) -> float:
    return mean(one[field] for one in slices if one["machine"] == machine and one["what"] == what)


def _kinds(slices: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(one["what"] for one in slices))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _when(results: Results, name: str) -> str:
    at, busy = results["when"][name]
    return f"\n\nMeasured {at}; load average of the quarter of an hour before: {busy}."


def _pages(results: Results) -> str:
    rows = []
    for case, slices in results["pages"].items():
        for what in _kinds(slices):
            stock, ours = (_mean(slices, one, what, "cpu") for one in ("stock", "ours"))
            both = [
                [_mean(slices, one, what, field) for one in ("stock", "ours")]
                for field in ("cpu_database", "cpu_cache", "rate", "p50", "p99")
            ]
            database, cache, rate, middle, worst = both
            whole = (ours + database[1] + cache[1]) / (stock + database[0] + cache[0])
            rows.append(
                [
                    case,
                    what,
                    f"{stock:.1f}",
                    f"{ours:.1f}",
                    f"**{ours / stock:.2f}**",
                    f"{database[0]:.1f}",
                    f"{database[1]:.1f} + {cache[1]:.1f}",
                    f"{whole:.2f}",
                ]
                + [f"{pair[0]:.0f} / {pair[1]:.0f}" for pair in (rate, middle, worst)]
            )
    head = [
        "content",
        "page",
        "node, stock",
        "node, ours",
        "ratio",
        "database, stock",
        "database + cache, ours",
        "ratio of all three",
        "requests/s",
        "p50 ms",
        "p99 ms",
    ]
    return _table(head, rows) + _when(results, "pages")


def _static(results: Results) -> str:
    slices, rows = results["static"]["slices"], []
    names = {
        "as shipped": "87 KB of JavaScript, Debian as shipped (not compressed)",
        "gzip": "the same, Debian's gzip lines taken in",
        "tiny": "a picture of 43 bytes",
    }
    for what, told in names.items():
        stock, ours = (_mean(slices, one, what, "cpu") for one in ("stock", "ours"))
        rates = [_mean(slices, one, what, "rate") for one in ("stock", "ours")]
        rows.append([told, f"{stock:.3f}", f"{ours:.3f}", f"{stock / ours:.1f}", f"{rates[0]:.0f} / {rates[1]:.0f}"])
    hello = results["limits"]
    stock, ours = (_mean(hello, one, "hello", "cpu") for one in ("stock", "ours"))
    rates = [_mean(hello, one, "hello", "rate") for one in ("stock", "ours")]
    rows.append(
        [
            "PHP that says hello, the limit of a page",
            f"{stock:.3f}",
            f"{ours:.3f}",
            f"{stock / ours:.1f}",
            f"{rates[0]:.0f} / {rates[1]:.0f}",
        ]
    )
    sizes = ", ".join(
        f"{name}: {size:,} bytes ({encoding})" for name, (encoding, size) in results["static"]["sizes"].items()
    )
    return (
        _table(["file", "stock, CPU ms", "ours, CPU ms", "times as cheap", "requests/s"], rows)
        + f"\n\nWhat is sent of the JavaScript: {sizes}."
        + _when(results, "static")
    )


def _cold(results: Results) -> str:
    rows = []
    for at, what in enumerate(("milliseconds until the answer", "milliseconds of CPU")):
        stock, ours = (median(one[at] for one in results["cold"][name]) for name in ("stock", "ours"))
        rows.append([what, f"{stock:.0f}", f"{ours:.0f}", f"**{ours / stock:.2f}**"])
    return _table(["first request after all code was replaced (median of 4)", "stock", "ours", "ratio"], rows) + _when(
        results, "cold"
    )


#: Machines of the table of storage modes, and what stands above their columns.
STORED = {"local": "local disk", "replica": "`replica`", "efs": "`efs`", "stock": "stock Debian on the same files"}


def _storage(results: Results) -> str:
    held, rows = results["storage"], []
    for delay, slices in held["slices"].items():
        for what in _kinds(slices):
            cells = []
            for name in STORED:
                counted = held["operations"].get(f"{name}, {what}, {delay} ms")
                told = "" if counted is None else f", {counted['pages']:.1f} ops"
                cells.append(
                    f"{_mean(slices, name, what, 'rate'):.1f}/s, {_mean(slices, name, what, 'p50'):.0f} ms{told}"
                )
            local, replica, efs, stock = (_mean(slices, name, what, "rate") for name in STORED)
            rows.append([f"{delay} ms", what, *cells, f"**{replica / local:.2f}**", f"**{efs / stock:.2f}**"])
        firsts = {name: held["first"][f"{name}, {delay} ms"] for name in STORED}
        whole = {name: ready * 1000 + waited for name, (ready, waited, _cpu) in firsts.items()}
        rows.append(
            [
                f"{delay} ms",
                "start + first page",
                *(f"{ready:.1f} s + {waited:.0f} ms" for ready, waited, _cpu in firsts.values()),
                f"{whole['replica'] / whole['local']:.2f} of the time",
                f"first page: {firsts['efs'][1] / firsts['stock'][1]:.2f} of the time",
            ]
        )
    head = ["per operation", "page", *STORED.values(), "replica : local", "efs : stock"]
    kinds = [
        f"- {name}: " + ", ".join(f"{kind} {count:.1f}" for kind, count in counted["kinds"].items())
        for name, counted in held["operations"].items()
        if name.endswith(", 1 ms") and counted["kinds"]
    ]
    return (
        _table(head, rows)
        + "\n\nOperations per request by the type of file, at 1 ms:\n\n"
        + "\n".join(kinds)
        + _when(results, "storage")
    )


def _caches(results: Results) -> str:
    held, rows = results["caches"], []
    for delay, slices in held["slices"].items():
        names = list(dict.fromkeys(one["machine"] for one in slices))
        for what in _kinds(slices):
            cells = []
            for name in names:
                cache, database = held["round trips"][f"{name}, {what}, {delay}"]
                cells.append(
                    f"{_mean(slices, name, what, 'p50'):.0f} ms, CPU {_mean(slices, name, what, 'cpu'):.0f} ms, {cache:.1f} + {database:.1f}"
                )
            rows.append([f"{int(delay) / 1000:.1f} ms", what, *cells])
    first = next(iter(held["slices"].values()))
    return _table(["round trip", "page", *dict.fromkeys(one["machine"] for one in first)], rows) + _when(
        results, "caches"
    )


def _profile(results: Results) -> str:
    held = results["profile"]
    areas = list(dict.fromkeys(name for seen in held.values() for name in seen["areas"]))
    areas.sort(key=lambda name: -sum(seen["areas"].get(name, 0) for seen in held.values()))
    rows = [[name, *(f"{seen['areas'].get(name, 0) * seen['cpu']:.1f}" for seen in held.values())] for name in areas]
    rows.append(["all", *(f"**{seen['cpu']:.1f}**" for seen in held.values())])
    calls = [
        f"- {what}, {sum(seen['calls'].values()):.0f} of the most frequent: "
        + ", ".join(f"{name} {count:.0f}" for name, count in seen["calls"].items())
        for what, seen in held.items()
        if seen.get("calls")
    ]
    return (
        _table(["milliseconds of CPU per request", *held], rows)
        + "\n\nSystem calls of PHP per request:\n\n"
        + "\n".join(calls)
        + _when(results, "profile")
    )


BLOCKS: dict[str, tuple[str, Callable[[Results], str]]] = {
    "pages": ("pages", _pages),
    "static": ("static", _static),
    "cold": ("cold", _cold),
    "storage": ("storage", _storage),
    "caches": ("caches", _caches),
    "profile": ("profile", _profile),
}

# -- the plot ----------------------------------------------------------------------------------------------------------

COLORS = {"stock": "#8a8f98", "ours": "#2563a8", "local": "#4c9f70", "replica": "#2563a8", "efs": "#d08c2e"}


class _Plot:
    """Horizontal bars with a title, one group below the other."""

    def __init__(self, width: int = 860) -> None:
        self.width, self.y, self.parts = width, 10, []  # type: int, int, list[str]

    def text(
        self, x: float, y: float, words: str, *, size: int = 12, anchor: str = "start", weight: str = "normal"
    ) -> None:
        self.parts.append(
            f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}">{words}</text>'
        )

    def title(self, words: str) -> None:
        self.y += 26
        self.text(10, self.y, words, size=15, weight="bold")
        self.y += 10

    def bars(self, label: str, values: Mapping[str, float], most: float, unit: str) -> None:
        height, left = 13, 230
        self.text(left - 10, self.y + height * len(values) / 2 + 5, label, anchor="end")
        for name, value in values.items():
            length = max(1.0, value / most * (self.width - left - 190))
            self.parts.append(
                f'<rect x="{left}" y="{self.y}" width="{length:.1f}" height="{height - 2}" fill="{COLORS[name]}"/>'
            )
            self.text(left + length + 6, self.y + height - 3, f"{name} {value:.1f} {unit}", size=11)
            self.y += height
        self.y += 7

    def svg(self) -> str:
        height = self.y + 10
        head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{height}" viewBox="0 0 {self.width} {height}" font-family="sans-serif">'
        return "\n".join(
            [head, f'<rect width="{self.width}" height="{height}" fill="#fff"/>', *self.parts, "</svg>", ""]
        )


def plot(results: Results) -> str:
    """Return the SVG: CPU per request of both, and the storage modes over latency."""
    drawn = _Plot()
    pages = results.get("pages", {})
    most = max((one["cpu"] for slices in pages.values() for one in slices), default=1.0)
    for case, slices in pages.items():
        drawn.title(f"CPU time of the node per request, {case}")
        for what in _kinds(slices):
            drawn.bars(what, {name: _mean(slices, name, what, "cpu") for name in ("stock", "ours")}, most, "ms")
    held = results.get("storage", {}).get("slices", {})
    most = max((one["rate"] for slices in held.values() for one in slices if one["what"] == "front"), default=1.0)
    if held:
        drawn.title("Front pages a second, by the time that one operation on the shared files takes")
    for delay, slices in held.items():
        drawn.bars(
            f"{delay} ms",
            {name: _mean(slices, name, "front", "rate") for name in STORED},
            most,
            "/s",
        )
    return drawn.svg()


def write(results: Results, folder: Path) -> list[str]:
    """Put tables and plot in place; return the names of the tables for which there is no figure yet."""
    path = folder / "README.md"
    text = path.read_text()
    absent = []
    for name, (key, made) in BLOCKS.items():
        if key not in results:
            absent.append(name)
            continue
        content = made(results)
        text, count = re.subn(
            rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)",
            lambda match, content=content: f"{match[1]}{content}\n{match[2]}",
            text,
            flags=re.DOTALL,
        )
        if count != 1:
            raise ValueError(f"{path} has {count} places for the table {name}")
    path.write_text(text)
    (folder / "node.svg").write_text(plot(results))
    return absent
