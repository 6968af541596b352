"""One line of the table: what was measured, the bound, and whether it is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import TypeVar

import msgspec

_T = TypeVar("_T")


class Line(msgspec.Struct, kw_only=True):
    """A figure with its bound; `kept` is None where nothing was measured, and `note` says why.

    `runs`: the single figures, of which `figure` is the median.
    """

    what: str
    figure: str
    bound: str
    kept: bool | None
    note: str = ""
    runs: list[float] = []


class Unusable(Exception):
    """What came out differs from the reference answer, so no figure counts."""


def not_measured(what: str, bound: str, why: str) -> Line:
    """A line without a figure."""
    return Line(what=what, figure="not measured", bound=bound, kept=None, note=why)


def at_most(what: str, runs: Sequence[float], bound: float, unit: str, *, note: str = "") -> Line:
    """The median of the runs against a greatest allowed value."""
    middle = median(runs)
    return Line(
        what=what, figure=_told(runs, unit), bound=f"at most {bound:g} {unit}".strip(), kept=middle <= bound,
        note=note, runs=list(runs),
    )  # fmt: skip


def at_least(what: str, runs: Sequence[float], bound: float, unit: str, *, note: str = "") -> Line:
    """The median of the runs against a smallest allowed value."""
    middle = median(runs)
    return Line(
        what=what, figure=_told(runs, unit), bound=f"at least {bound:g} {unit}".strip(), kept=middle >= bound,
        note=note, runs=list(runs),
    )  # fmt: skip


def _told(runs: Sequence[float], unit: str) -> str:
    span = f" ({min(runs):.3g}-{max(runs):.3g})" if len(runs) > 1 else ""
    return f"{median(runs):.3g}{span} {unit}".strip()


def cpu_of(work: Callable[[], _T]) -> tuple[float, _T]:
    """CPU seconds of this process for some work, and what it gave."""
    started = time.process_time()
    done = work()
    return time.process_time() - started, done


def listed(lines: Sequence[Line]) -> str:
    """The lines as a table of Markdown."""
    rows = [f"| {one.what} | {one.figure} | {one.bound} | {_verdict(one)} | {one.note} |" for one in lines]
    return "\n".join(["| what | figure | bound | kept | note |", "|---|---|---|---|---|", *rows])


def _verdict(line: Line) -> str:
    return {True: "yes", False: "**no**", None: "-"}[line.kept]
