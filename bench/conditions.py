"""What a look at a condition costs: `python -m bench.conditions` judges each kind as one person goes on.

After each event there is one look, so that every window has moved. The person has a dozen events in a week,
64 (`busy`), or (`full`) 240, and more behind them: the most that is ever kept of one subject. For the full
one `event` is what counting an event costs more, as somebody looks, however many conditions ask the same;
`first` and `second` are what the first two looks cost after they were loaded. How long loading takes stands
below. The best of many rounds, in CPU time of the thread.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from bench import sheet
from retarget.engine.door import Engine
from retarget.engine.moment import Moment
from retarget.engine.policy import Policy
from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.rules import subjects, tallies
from retarget.rules.conditions import Condition, parse_condition
from retarget.rules.matcher import Matcher
from retarget.rules.parse import Document, parse_rules
from retarget.rules.scene import Scene
from retarget.rules.vocabulary import VOCABULARY
from retarget.times import DAY
from retarget.touchpoints import Item, Touchpoint

NOW: Final = 1_709_300_000_000
WINDOW: Final = 7 * DAY
IN_A_WINDOW: Final = (12, 64, 240)
# Events and rounds: figures that nobody asks for are given up after some hundred events.
SOON: Final = 100
MANY: Final = 200
_COLUMNS: Final = ("CPU µs", "busy", "full", "event", "first", "second")
CONDITIONS: Final = (
    'event.type == "view"',
    'event.type in ["view", "add"] and event.dwell > seconds(30)',
    '"tv" in event.categories',
    'person.stage in ["viewed", "considering"]',
    "carts.size > 0 and not carts.value < 20",
    'profile.country == "DE" or exists(trait("vip"))',
    "person.purchases * 2 + 1 > session.events / 3",
    'count("view", within=days(7)) >= 3',
    'days_with("view", within=days(7)) >= 2',
    'sum("value", "view", within=days(7)) > 100',
    'dwell("view", within=days(7)) > minutes(5)',
    'distinct("product", "view", within=days(7)) >= 2',
    'distinct("product", "view", category="tv", within=days(7)) >= 2',
    'person.purchases >= 1 and count("refund", about="person", within=days(30)) == 0',
)


class Case(NamedTuple):
    """A condition, a person's stored journey, and the events to come with the tallies that count them."""

    condition: Condition
    stored: bytes
    coming: list[tuple[Touchpoint, list[tuple[str, str | float]]]]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print a table for docs/performance.md."""
    parser = argparse.ArgumentParser(prog="python -m bench.conditions", description=__doc__)
    parser.parse_args(argv)
    people = [(_stored(number), WINDOW // number) for number in IN_A_WINDOW]
    print(f"| condition | {' | '.join(_COLUMNS)} |\n|---|{'---:|' * len(_COLUMNS)}")
    figures: dict[str, dict[str, float]] = {}
    for text in CONDITIONS:
        cases = [_case(text, stored, gap) for stored, gap in people]
        micros = (*(_look(case) for case in cases), *_beside(cases[-1]))
        figures[text] = dict(zip(_COLUMNS, micros, strict=True))
        print(f"| `{text}` | {' | '.join(f'{one:.2f}' for one in micros)} |", flush=True)
    full = people[-1][0]
    loading = min(_timed(partial(wire.decode, full)) for _ in range(5 * MANY))
    print(f"\nLoading the full journey, {len(full):,} bytes: {loading * 1e6:.0f} µs")
    data = f"a person with {', '.join(map(str, IN_A_WINDOW))} events in the week that is asked about"
    sheet.keep(sheet.of("conditions", data, figures))
    return 0


def _parsed(text: str) -> Condition:
    found = parse_condition(text, VOCABULARY, "person")
    assert isinstance(found, Condition), found
    return found


def _case(text: str, stored: bytes, gap: int) -> Case:
    condition = _parsed(text)
    events = [_event(number, NOW + number * gap) for number in range(1, SOON + 1)]
    return Case(condition, stored, [(event, _counted(condition, event)) for event in events])


def _counted(condition: Condition, event: Touchpoint) -> list[tuple[str, str | float]]:
    """What the condition's tallies of a person count of an event."""
    found: list[tuple[str, str | float]] = []
    for window in [one for one in condition.windows if event.type in one.types]:
        name = tallies.key(window.types, "person", window.number, category=window.category)
        pairs_of = subjects.counting("person", window.number, window.category)
        found += [(name, value) for _, value in (pairs_of(event) if pairs_of is not None else [("u", "")])]
    return found


def _event(number: int, at: int) -> Touchpoint:
    item = Item(product_id=f"p{number * 7 % 100}", category="tv" if number % 2 else "lamp", price=9.0)
    return Touchpoint(
        id=f"e{number}", type="view", user_id="u", time=at, items=[item],
        value=9.99 + number % 7, dwell_ms=20_000.0 + number,
    )  # fmt: skip


def _stored(in_a_window: int) -> bytes:
    """A person who goes on evenly, with so many events in each window."""
    steps = [{"channels": ["email"], "template": "a"}]
    rules = [
        {"rule": f"asks_{number}", "subject": "person", "event": "page", "steps": steps, "if": text}
        for number, text in enumerate(CONDITIONS)
        if "event." not in text
    ]
    engine = Engine(Matcher(parse_rules([Document("bench", rule) for rule in rules], VOCABULARY)))
    journey, moment = Journey(person="u"), Moment(Policy(zone_of=lambda _: None))
    for number in range(-2 * in_a_window, 1):
        engine.apply(journey, _event(number, NOW + number * WINDOW // in_a_window), moment)
    journey.traits |= {"country": "DE"}
    return wire.encode(journey)


def _look(case: Case) -> float:
    """One look after each event, beyond what counting the event costs where there was one not long ago."""
    counting = min(_round(case, bool, looked=True) for _ in range(MANY))
    look = case.condition.evaluate
    return max(min(_round(case, look, looked=True) for _ in range(MANY)) - counting, 0) * 1e6


def _beside(case: Case) -> tuple[float, float, float]:
    """What having looked, not long ago, adds to counting an event; the first look and the second."""
    plain = min(_round(case, bool) for _ in range(MANY))
    counting = min(_round(case, bool, looked=True) for _ in range(MANY))
    scenes, look = [_scene(case) for _ in range(MANY)], case.condition.evaluate
    # Of all scenes the first look, then of all the second, which makes the figures.
    first, second = (min(_timed(partial(look, scene)) for scene in scenes) for _ in range(2))
    return max(counting - plain, 0) * 1e6, first * 1e6, second * 1e6


def _scene(case: Case) -> Scene:
    scene = Scene(wire.decode(case.stored))
    scene.event, scene.at, scene.subject = case.coming[0][0], NOW, "u"
    return scene


def _round(case: Case, look: Callable[[Scene], object], *, looked: bool = False) -> float:
    """Seconds for an event with a look; `looked`: there were two before, so that the figures are there."""
    scene = _scene(case)
    journey = scene.journey
    for _ in range(2 if looked else 0):
        case.condition.evaluate(scene)
    begin = time.thread_time()
    for event, counted in case.coming:
        for name, value in counted:
            tallies.add(journey, name, "u", event, value, WINDOW)
        scene.at = event.time
        look(scene)
    return (time.thread_time() - begin) / len(case.coming)


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


if __name__ == "__main__":
    sys.exit(main())
