"""What one look at a condition costs: `python -m bench.conditions` judges each kind on one person's journey.

The person looked at a dozen things, at 64 (`busy`), or (`full`) at more than are ever kept of one subject.
Each figure is the best of several rounds, without the loop around it, in CPU time of the thread.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from retarget.engine.door import Engine
from retarget.engine.moment import Moment
from retarget.engine.policy import Policy
from retarget.journeys.model import Journey
from retarget.rules.conditions import Condition, parse_condition
from retarget.rules.matcher import Matcher
from retarget.rules.parse import Document, parse_rules
from retarget.rules.scene import Scene
from retarget.rules.tallies import KEPT
from retarget.rules.vocabulary import VOCABULARY
from retarget.times import DAY, MINUTE
from retarget.touchpoints import Item, Touchpoint

NOW: Final = 1_709_300_000_000
ROUNDS: Final = 7
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


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print a table for docs/performance.md."""
    parser = argparse.ArgumentParser(prog="python -m bench.conditions", description=__doc__)
    parser.add_argument("--looks", type=int, default=20_000, help="in each round")
    looks = parser.parse_args(argv).looks
    scenes = [_scene(12), _scene(64), _scene(KEPT + 50)]
    print("| condition | CPU µs | busy | full |\n|---|---:|---:|---:|")
    for text in CONDITIONS:
        condition = _parsed(text)
        micros = [_micros(condition.evaluate, scene, looks) for scene in scenes]
        print(f"| `{text}` | " + " | ".join(f"{one:.2f}" for one in micros) + " |")
    return 0


def _parsed(text: str) -> Condition:
    found = parse_condition(text, VOCABULARY, "person")
    assert isinstance(found, Condition), found
    return found


def _scene(events: int) -> Scene:
    """A person of so many views, at the last of them."""
    steps = [{"channels": ["email"], "template": "a"}]
    rules = [
        {"rule": f"asks_{number}", "subject": "person", "event": "page", "steps": steps, "if": text}
        for number, text in enumerate(CONDITIONS)
        if "event." not in text
    ]
    engine = Engine(Matcher(parse_rules([Document("bench", rule) for rule in rules], VOCABULARY)))
    journey, moment = Journey(person="u"), Moment(Policy(zone_of=lambda _: None))
    for number in range(events):
        items = [Item(product_id=f"p{number % 9}", category="tv" if number % 2 else "lamp", price=9.0)]
        event = Touchpoint(
            id=f"e{number}", type="view", user_id="u", time=NOW - (events - number) * 20 * MINUTE,
            items=items, value=5.0, dwell_ms=20_000.0,
        )  # fmt: skip
        engine.apply(journey, event, moment)
    journey.traits |= {"country": "DE"}
    scene = Scene(journey)
    scene.event, scene.at, scene.subject = event, NOW, "u"
    assert events * 20 * MINUTE < 7 * DAY
    return scene


def _micros(evaluate: Callable[[Scene], bool], scene: Scene, looks: int) -> float:
    best = min(_round(evaluate, scene, looks) for _ in range(ROUNDS))
    return max(best - min(_round(bool, scene, looks) for _ in range(ROUNDS)), 0) / looks * 1e6


def _round(evaluate: Callable[[Scene], bool], scene: Scene, looks: int) -> float:
    begin = time.thread_time()
    for _ in range(looks):
        evaluate(scene)
    return time.thread_time() - begin


if __name__ == "__main__":
    sys.exit(main())
