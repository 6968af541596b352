"""What a look at a condition costs: `python -m bench.conditions` judges each kind as a person goes on.

After each event there is one look, so that every window has moved. The person has little behind them, more
(`busy`), or as much as is ever kept (`full`; see `bench/asked.py`). For the full one `back` is a look at a
time before the latest event, `event` what an event costs more because somebody looks, however many conditions
ask the same; `first` and `second` are the first two looks after they were loaded. `pieces` is `full` in turns
of a fixed loop, which slows down as the machine does. Each figure is the median of rounds that take turns
with each other, of each round the quickest of several, in CPU time of the thread.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any, Final, NamedTuple

from bench import sheet
from bench.asked import IN_A_WINDOW, NOW, SUBJECTS, WINDOW, Row, counted, event, person, rows
from retarget.catalogue import Listing, News
from retarget.journeys import facts, wire
from retarget.journeys.model import Episode
from retarget.rules import tallies
from retarget.rules.scene import Scene
from retarget.touchpoints import Touchpoint

# Events and rounds: figures that nobody asks for are given up after some hundred events.
SOON: Final = 100
ROUNDS: Final = 5
QUICKEST_OF: Final = 8
AIM: Final = 1.0
COLUMNS: Final = ("CPU µs", "busy", "full", "back", "event", "first", "second", "pieces")
_EPISODE: Final = Episode("e0", NOW, NOW, NOW, counts={"view": 3, "add": 1})
_Look = Callable[[Scene], object]


class Case(NamedTuple):
    """A row, a person's stored journey, and the events to come with what the row's tallies count of them."""

    row: Row
    stored: bytes
    coming: list[tuple[Touchpoint, list[tuple[str, str | float]]]]
    back: int = 0  # ms that a look is before its event


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print a table for docs/performance.md; 1 when a look as a person goes on misses the aim."""
    parser = argparse.ArgumentParser(prog="python -m bench.conditions", description=__doc__)
    parser.add_argument("--only", default="", help="only conditions with this in their text")
    given = parser.parse_args(argv)
    print(f"| condition | {' | '.join(COLUMNS)} |\n|---|{'---:|' * len(COLUMNS)}")
    figures: dict[str, dict[str, float]] = {}
    for row in rows():
        if given.only in row.text:
            text = f"{row.text} (of a {row.kind})" if row.condition.windows else row.text
            figures[text] = found = measured(row)
            print(f"| `{text}` | {' | '.join(f'{one:.2f}' for one in found.values())} |", flush=True)
    data = f"people with {', '.join(map(str, IN_A_WINDOW))} events in the week that is asked about"
    if not given.only:
        sheet.keep(sheet.of("conditions", data, figures))
    over = [text for text, found in figures.items() if max(list(found.values())[:4]) >= AIM]
    print(f"\n{len(figures) - len(over)} of {len(figures)} under {AIM:.0f} µs", *over, sep="\n  above: ")
    return 1 if over else 0


def measured(row: Row) -> dict[str, float]:
    """The figures of a condition, by column."""
    cases = [_case(row, number) for number in IN_A_WINDOW]
    full = cases[-1]
    behind = full._replace(back=2 * WINDOW // IN_A_WINDOW[-1] + 1)
    found = [_one_round(cases, behind) for _ in range(ROUNDS)]
    return dict(zip(COLUMNS, (median(column) for column in zip(*found, strict=True)), strict=True))


def _case(row: Row, number: int) -> Case:
    gap = WINDOW // number
    coming = [(event(one, NOW + one * gap), counted(row, one)) for one in range(1, SOON + 1)]
    return Case(row, wire.encode(person(row, number)), coming)


def _one_round(cases: Sequence[Case], behind: Case) -> tuple[float, ...]:
    full, look = cases[-1], cases[-1].row.condition.evaluate
    looks = [_difference(case, look, bool) for case in (*cases, behind)]
    adds = _quickest(partial(_through, full, bool, looked=True)) - _quickest(partial(_through, full, bool))
    scenes = [_scene(full) for _ in range(2 * QUICKEST_OF)]
    # Of all scenes the first look, then of all the second, which makes the figures.
    after = [min(_timed(partial(look, scene)) for scene in scenes) for _ in range(2)]
    return (*looks, max(adds, 0.0), *after, looks[2] / _quickest(_piece))


def _difference(case: Case, look: _Look, nothing: _Look) -> float:
    """What a look costs beyond what the event does, where there was a look not long ago."""
    pairs = [
        (_through(case, look, looked=True), _through(case, nothing, looked=True)) for _ in range(QUICKEST_OF)
    ]
    return max(min(with_it for with_it, _ in pairs) - min(without for _, without in pairs), 0.0)


def _through(case: Case, look: _Look, *, looked: bool = False) -> float:
    """Microseconds for an event with a look; `looked`: after two before, so that the figures are there."""
    scene = _scene(case)
    journey, subject, change, back = scene.journey, scene.subject, scene.change, case.back
    for _ in range(2 if looked else 0):
        case.row.condition.evaluate(scene)
    begin = time.thread_time()
    for one, names in case.coming:
        facts.apply(journey, one, change)
        for name, value in names:
            tallies.add(journey, name, subject, one, value, WINDOW)
        scene.event, scene.at = one, one.time - back
        look(scene)
    return (time.thread_time() - begin) / len(case.coming) * 1e6


def _scene(case: Case) -> Scene:
    scene = Scene(wire.decode(case.stored))
    scene.event, scene.at, scene.episode = case.coming[0][0], NOW, _EPISODE
    scene.kind, scene.subject = case.row.kind, SUBJECTS[case.row.kind]
    scene.news = News("n1", "p7", NOW, Listing(20.0, 0.0), Listing(15.0, 3.0))
    return scene


_KNOWN: Final[dict[str, Any]] = {f"p{number}": (number, number % 7) for number in range(1000)}


def _piece() -> float:
    """Microseconds for one turn of the fixed loop: what a look is made of, and none of our code."""
    names, least = list(_KNOWN), 0
    begin = time.thread_time()
    for name in names:
        found = _KNOWN.get(name)
        if found is not None and found[1] > 3 and found[0] % 5 == 0:
            least = min(least, found[0])
    return (time.thread_time() - begin) / len(names) * 1e6


def _quickest(work: Callable[[], float]) -> float:
    return min(work() for _ in range(QUICKEST_OF))


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1e6


if __name__ == "__main__":
    sys.exit(main())
