"""Random histories: hypothesis strategies for small ones, plain `random` for bulk runs.

Both draw from the same `Source` of choices, so that they make the same kinds of events.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

from .model import DAY, HOUR, MINUTE, SECOND, Event, person_of

Option = TypeVar("Option")

START = 1_709_251_200_000
"""The first possible time: a midnight in UTC."""

CATEGORIES = {"p1": "c1", "p2": "c1", "p3": "c1", "p4": "c1", "p5": "c2", "p6": "c3"}
PRODUCTS = ("p1", "p1", "p1", *CATEGORIES)
PEOPLE = ("u1", "u2", "u3", "u4", "a1", "a2")
"""People whose name starts with `a` are anonymous."""

HOME = {"street": "Am Tor 1", "postal_code": "53111", "city": "Bonn"}
HOMES = ("Unter den Linden 1", "", {"city": "Berlin"}, HOME, HOME)
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo")

LONGEST_SPAN = 380 * DAY
"""Journeys untouched for 400 d may be dropped, which the oracle does not do."""

SHORT_GAPS = (
    0,
    0,
    0,
    0,
    SECOND,
    10 * MINUTE,
    10 * MINUTE,
    20 * MINUTE,
    30 * MINUTE,
    30 * MINUTE,
    HOUR,
    8 * HOUR,
)
LONG_GAPS = (12 * HOUR, DAY, DAY, 2 * DAY, 3 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 60 * DAY)

TYPES = (
    *("view",) * 12,
    *("add",) * 6,
    *("remove",) * 3,
    *("cart",) * 3,
    *("wishlist",) * 2,
    "wishlist_remove",
    *("checkout",) * 3,
    "payment_failed",
    *("purchase",) * 5,
    "refund",
    "cancel",
    "review",
    *("chat",) * 2,
    "social",
    "store_visit",
    *("search",) * 3,
    "page",
    *("custom",) * 3,
    "email_open",
    "push_received",
    *("profile",) * 3,
    "consent",
    "heartbeat",
)
SENTIMENTS = ("positive", "negative", "neutral", " Positive", "NEGATIVE", 0.5, -1, 0, "-0.5", "so so", None)
DAYS = (
    "2024-03-05",
    "2024-03-20T12:00:00",
    "2024-05-01",
    "2024-09-01",
    "soon",
    "2024-03-02T20:00:00",
    "1980-02-29",
)
LISTED_PRICES = (10.0, 9.5, 9.0, 20.0, 19.0, 570.0, 600.0, 5.0)
STOCKS = (0, 3, 1, 4, 0, 9)
# What is told beside something else, and the events that tell it.
STAMPED = ("view", "profile", "purchase", "score")
STAMPS: tuple[dict[str, str], ...] = (
    {"purpose": "marketing", "channel": "ads", "state": "denied"},
    {"purpose": "marketing", "channel": "email", "state": "granted"},
    {"channel": "push", "state": "revoked"},
)
WITH_ITEMS = ("view", "add", "remove", "cart", "wishlist", "wishlist_remove", "purchase")


class Source(Protocol):
    """Where the choices come from."""

    def choose(self, options: Sequence[Option]) -> Option:
        """One of the options."""

    def chance(self, percent: int) -> bool:
        """Whether something of that probability happens."""


class DrawSource:
    """Choices drawn by hypothesis, which can shrink them."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.draw = draw

    def choose(self, options: Sequence[Option]) -> Option:
        """One of the options; shrinks towards the first."""
        chosen: Option = self.draw(st.sampled_from(options))
        return chosen

    def chance(self, percent: int) -> bool:
        """Whether it happens; shrinks towards no."""
        return bool(self.draw(st.integers(0, 99)) >= 100 - percent)


class RandomSource:
    """Choices of a seeded generator."""

    def __init__(self, generator: random.Random) -> None:
        self.generator = generator

    def choose(self, options: Sequence[Option]) -> Option:
        """One of the options, all equally likely."""
        return options[int(self.generator.random() * len(options))]

    def chance(self, percent: int) -> bool:
        """Whether it happens."""
        return self.generator.random() * 100 < percent


def make_item(source: Source, kind: str) -> dict[str, Any]:
    """One item: mostly a product of the catalogue, sometimes without its id or category."""
    product = source.choose(PRODUCTS)
    item: dict[str, Any] = {"product_id": product, "category": CATEGORIES[product]}
    item["price"] = source.choose((10.0, 10.0, 20.0, 600.0, 600.0))
    if source.chance(6):
        del item["product_id"]
    if source.chance(6):
        del item["category"]
    if kind in ("add", "remove", "cart") and source.chance(50):
        item["quantity"] = source.choose((1, 2, 0, 3))
    return item


def make_items(source: Source, kind: str) -> list[dict[str, Any]]:
    """The items of an event; `cart` and `purchase` may have none."""
    numbers = {"cart": (1, 2, 0, 3), "purchase": (1, 2, 0), "view": (1, 1, 1, 1, 2)}.get(kind, (1, 1, 1, 2))
    return [make_item(source, kind) for _ in range(source.choose(numbers))]


def make_event(source: Source, number: int, time: int, people: Sequence[str], before: Event | None) -> Event:
    """One event of one of the people, often of the one before: a visit, mostly of views."""
    kind = source.choose(TYPES)
    if before is not None and person_of(before) and source.chance(60):
        people = [person_of(before)]
        if before["type"] == "view" and source.chance(50):
            kind = "view"
    event: Event = {"id": f"e{number}", "type": kind, "time": time}
    if kind == "heartbeat":
        return event
    person = source.choose(people)
    event["anonymous_id" if person.startswith("a") else "user_id"] = person
    if kind in WITH_ITEMS:
        event["items"] = make_items(source, kind)
    add_keys(source, event)
    add_words(source, event, person)
    if kind == "consent":
        event["consent"] = make_consent(source)
    elif kind in STAMPED and number % 10 == 7:
        event["consent"] = STAMPS[number // 10 % len(STAMPS)]
    return event


def add_words(source: Source, event: Event, person: str) -> None:
    """What a search, a profile, a talk or an event of the producer's own says."""
    kind = event["type"]
    if kind == "search":
        event["query"] = source.choose(("tent", " tent", "lamp ", "Tent", "  "))
    if kind == "custom":
        event["name"] = source.choose(("click", "quiz", "click", "Click", ""))
    if kind == "profile":
        event["traits"] = {"email": f"{person}@example.org"} | make_preference(source)
        if source.chance(50):
            event["traits"]["timezone"] = source.choose(ZONES)
        if source.chance(50):
            event["traits"]["day"] = source.choose(DAYS)
            event["traits"]["address"] = source.choose(HOMES)
    if kind in ("chat", "social", "review"):
        event["sentiment"] = source.choose(SENTIMENTS)


def add_keys(source: Source, event: Event) -> None:
    """The cart, checkout and order that an event is about."""
    kind = event["type"]
    if kind in ("add", "remove", "cart", "checkout", "payment_failed", "purchase") and source.chance(25):
        event["cart_id"] = source.choose(("k1", "k2"))
    if kind in ("checkout", "payment_failed") and source.chance(50):
        event["checkout_id"] = source.choose(("h1", "h2"))
        event["value"] = source.choose((0, 50.0, 120.0))
    if kind in ("purchase", "refund", "cancel", "review") and source.chance(75):
        event["order_id"] = source.choose(("o1", "o2", "o3", "o4", "o5", "o6"))


def make_preference(source: Source) -> dict[str, Any]:
    """Mostly no preference; sometimes one that cannot be read."""
    if not source.chance(30):
        return {}
    wish = source.choose((
        {"less": ["browse"]},
        {"less": ["cart", "browse", 7], "max_per_week": 4},
        {"max_per_week": 1},
        {"max_per_week": 0},
        {"less": "cart", "max_per_week": -1},
        {"less": ["welcome"], "max_per_week": True},
        "nothing",
        None,
    ))  # fmt: skip
    return {"preference": wish}


def make_consent(source: Source) -> dict[str, str]:
    """A consent for one channel."""
    return {
        "purpose": "marketing",
        "channel": source.choose(("email", "push", "ads", "onsite")),
        "state": source.choose(("granted", "granted", "denied", "revoked")),
    }


def make_record(source: Source, number: int, time: int) -> Event:
    """What the shop says of one of its products, in a record of the catalogue or a touchpoint."""
    product = source.choose(PRODUCTS)
    price, stock = source.choose(LISTED_PRICES), source.choose(STOCKS)
    kind = source.choose(("catalogue", "catalogue", "catalogue", "price_change", "stock_change"))
    record: Event = {"id": f"r{number}", "type": kind, "time": time}
    if kind == "price_change":
        return record | {"items": [{"product_id": product, "price": price}]}
    if kind == "stock_change":
        return record | {"items": [{"product_id": product, "quantity": stock}]}
    told: Event = source.choose(({"price": price}, {"stock": stock}, {"price": price, "stock": stock}))
    more: Event = {"expires": time + source.choose((HOUR, DAY))} if source.chance(5) else {}
    if source.chance(80):
        told = told | {"margin": source.choose((40.0, 2.0, 40.0, 2.5))}
    return record | {"product_id": product} | told | more


def make_history(
    source: Source,
    number: int,
    people: Sequence[str],
    displaced_ms: int,
    *,
    long_gaps: bool = True,
    listed: bool = False,
) -> list[Event]:
    """A history of `number` events with some duplicates; `listed`: and what the catalogue says.

    No event stands behind one that is more than `displaced_ms` later in time.
    """
    time = START + source.choose((0, 5 * MINUTE, 20 * HOUR))
    last_long_gap = START + LONGEST_SPAN - max(LONG_GAPS) - number * HOUR
    percent = min(20, 1 + 2_500 // max(number, 1)) if long_gaps else 0
    history: list[Event] = []
    for place in range(number):
        is_long = time < last_long_gap and source.chance(percent)
        time += source.choose(LONG_GAPS if is_long else SHORT_GAPS)
        if history and source.chance(5):
            history.append(repeat(source, history, time))
        elif listed and source.chance(15):
            history.append(make_record(source, place, time))
        else:
            history.append(make_event(source, place, time, people, history[-1] if history else None))
            if listed and not long_gaps:
                leave_prices_out(source, history[-1])
    return displace(source, history, displaced_ms)


def leave_prices_out(source: Source, event: Event) -> None:
    """Let the catalogue tell some prices; not over months, for what was seen long ago may be forgotten."""
    for item in event.get("items") or []:
        if source.chance(10):
            item.pop("price", None)


def repeat(source: Source, history: list[Event], time: int) -> Event:
    """A duplicate of one of the last events, with its time or a new one less than 24 h later."""
    copy = dict(source.choose(history[-5:][::-1]))
    is_near = time - copy["time"] < DAY
    if not is_near:
        copy["id"] += "-again"
    if not is_near or source.chance(50):
        copy["time"] = time
    return copy


def displace(source: Source, history: list[Event], displaced_ms: int) -> list[Event]:
    """The history with events moved behind others by at most `displaced_ms`."""
    grid = (0, 0, displaced_ms // 4, displaced_ms // 2, displaced_ms)
    moved = [(event["time"] + (source.choose(grid) if displaced_ms else 0), event) for event in history]
    return [foretold(source, event) for _, event in sorted(moved, key=lambda pair: pair[0])]


def foretold(source: Source, event: Event) -> Event:
    """A record of the catalogue now and then speaks of a time to come; everything else is as it was."""
    if event["type"] != "catalogue" or not source.chance(20):
        return event
    return event | {"time": event["time"] + source.choose((SECOND, 10 * MINUTE, 8 * HOUR, 2 * DAY))}


@st.composite
def histories(
    draw: Callable[[st.SearchStrategy[Any]], Any],
    max_events: int = 40,
    displaced_ms: int = 0,
    *,
    listed: bool = False,
) -> list[Event]:
    """Small histories of 2 to 6 people in input order."""
    number = draw(st.integers(0, max_events))
    people = PEOPLE[: draw(st.integers(2, len(PEOPLE)))]
    return make_history(DrawSource(draw), number, people, displaced_ms, listed=listed)


def random_history(
    seed: int, events: int, *, displaced_ms: int = 0, long_gaps: bool = True, listed: bool = False
) -> list[Event]:
    """A history of `events` events; the same seed gives the same one, and more events more people.

    Without long gaps: many ties, caps and boundaries of minutes and hours, within some days.
    """
    count = max(3, events // 40)
    people = [f"a{n}" if n % 5 == 4 else f"u{n}" for n in range(count)]
    source = RandomSource(random.Random(seed))
    return make_history(source, events, people, displaced_ms, long_gaps=long_gaps, listed=listed)
