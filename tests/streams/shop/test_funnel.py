from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import takewhile
from pathlib import Path
from statistics import mean, median
from typing import Final

import pytest

from retarget.times import DAY, MINUTE, SECOND
from retarget.touchpoints import Touchpoint
from streams.shop import open_shop, simulate
from streams.shop.funnel import FUNNEL

START: Final = 1_714_521_600_000
DAYS, REGULARS = 9, 300

# Figure -> lowest and highest value; docs/simulator.md says which public data each end comes from.
BANDS: Final[Mapping[str, tuple[float, float]]] = {
    "views per session": (3.37, 5.37),
    "sessions with one view or none, %": (34.9, 41.7),
    "adds per 100 views": (2.9, 5.9),
    "wishes per 100 views": (1.0, 3.1),
    "sessions with an add, %": (2.3, 19.2),
    "sessions with a purchase, %": (3.9, 9.5),
    "carted pairs bought, %": (12, 28),
    "cart to purchase, median s": (250, 700),
    "cart to purchase, 90 % within min": (25, 16704),
    "removals per 100 adds": (34, 50),
    "sessions per regular and day": (1, 1.92),
    "sessions of new devices, %": (10, 20),
}


def measure(events: Iterable[Touchpoint]) -> dict[str, float]:
    """The figures of a history as the public data gives them: people are told apart by their cookies."""
    sessions: dict[str, Counter[str]] = defaultdict(Counter)
    total: Counter[str] = Counter()
    first_session: dict[str | None, str] = {}
    carted: dict[tuple[str | None, str | None], int] = {}
    delays: dict[tuple[str | None, str | None], int] = {}
    for event in events:
        total[event.type] += 1
        if event.session_id:
            sessions[event.session_id][event.type] += 1
            first_session.setdefault(event.device_id, event.session_id)
        for pair in ((event.device_id, item.product_id) for item in event.items):
            if event.type == "add":
                carted.setdefault(pair, event.time)
            elif event.type == "purchase" and pair in carted:
                delays.setdefault(pair, event.time - carted[pair])
    visits, later = list(sessions.values()), list(sessions)[len(sessions) // 2 :]
    return {
        "views per session": mean(visit["view"] for visit in visits),
        "sessions with one view or none, %": 100 * mean(visit["view"] <= 1 for visit in visits),
        "adds per 100 views": 100 * total["add"] / total["view"],
        "wishes per 100 views": 100 * total["wishlist"] / total["view"],
        "sessions with an add, %": 100 * mean(visit["add"] > 0 for visit in visits),
        "sessions with a purchase, %": 100 * mean(visit["purchase"] > 0 for visit in visits),
        "carted pairs bought, %": 100 * len(delays) / len(carted),
        "cart to purchase, median s": median(delays.values()) / SECOND,
        "cart to purchase, 90 % within min": sorted(delays.values())[len(delays) * 9 // 10] / MINUTE,
        "removals per 100 adds": 100 * total["remove"] / total["add"],
        "sessions per regular and day": len(visits) / REGULARS / DAYS - FUNNEL.passers_by,
        "sessions of new devices, %": 100 * len({*first_session.values()} & {*later}) / len(later),
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_funnel_is_that_of_real_shops(seed: int) -> None:
    """Over nine days, as long as the Taobao data, every figure lies within its band."""
    shop = open_shop()
    events = simulate(shop, seed=seed, people=REGULARS, start_ms=START, opening_ms=0, bots=0)
    figures = measure(takewhile(lambda event: event.time < START + DAYS * DAY, events))
    outside = {
        name: round(figures[name], 2)
        for name, (low, high) in BANDS.items()
        if not low <= figures[name] <= high
    }
    assert outside == {}


def test_the_manual_names_every_band() -> None:
    """Who reads docs/simulator.md reads the bands that are tested."""
    manual = Path("docs/simulator.md").read_text()
    missing = [n for n, (low, high) in BANDS.items() if f"| {n} | {low:g} to {high:g} |" not in manual]
    assert missing == []
