"""What `bench.conditions` asks, a row for each name and function of the vocabulary, and whom it asks about.

The people have a dozen events in a week, 64, or 240 and more behind them: the most that is ever kept of one
subject. In step with that they have products, lines in many carts, orders and scores up to the stated bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from retarget.engine.bounds import CART_LINES_KEPT, PRODUCTS_KEPT
from retarget.journeys import scores
from retarget.journeys.facts import ORDERS_KEPT
from retarget.journeys.model import CartLine, Journey, Offer, Paid, Product
from retarget.rules import subjects, tallies
from retarget.rules.conditions import Condition, Name, parse_condition
from retarget.rules.vocabulary import VOCABULARY
from retarget.times import DAY, MINUTE
from retarget.touchpoints import Item, Touchpoint

NOW: Final = 1_709_300_000_000
WINDOW: Final = 7 * DAY
IN_A_WINDOW: Final = (12, 64, 240)
_FULL: Final = IN_A_WINDOW[-1]
# Where a name exists for one kind of subject only, what it is asked of.
SUBJECTS: Final = {
    "person": "u", "product": "p7", "category": "tv", "cart": "", "checkout": "k1", "order": "o1",
    "session": "s1", "query": "red shoes", "listing": "p7",
}  # fmt: skip
_ANSWERS: Final = {"number": "> 1", "duration": "> minutes(5)"}
# What calls are given, and combinations that rules are full of.
_CALLS: Final = (
    ("person", 'event.type in ["view", "add"] and event.dwell > seconds(30)'),
    ("person", "carts.size > 0 and not carts.value < 20"),
    ("product", "product.price > person.median_price"),
    ("person", 'profile.country == "DE" or exists(trait("vip"))'),
    ("person", "person.purchases * 2 + 1 > session.events / 3"),
    ("person", 'trait_number("age") >= 18'),
    ("person", 'score("source7", "name7") > 0.5'),
    ("person", 'segment("source7", "name7") == "tall"'),
    ("person", 'since_opened("view", "add") >= 2'),
    ("person", 'count("view", within=days(7)) >= 3'),
    ("person", 'count("view", within=days(7)) * 2 > 5'),
    ("product", 'count("view", within=days(7)) >= 3'),
    ("product", 'count("view", about="person", within=days(7)) >= 3'),
    ("person", 'days_with("view", within=days(7)) >= 2'),
    ("person", 'sum("value", "view", within=days(7)) > 100'),
    ("person", 'sum("value", "view", within=days(7)) / 2 > 100'),
    ("person", 'dwell("view", within=days(7)) > minutes(5)'),
    ("person", 'dwell("view", within=days(7)) * 2 > minutes(5)'),
    ("person", 'distinct("product", "view", within=days(7)) >= 2'),
    ("person", 'distinct("category", "view", within=days(7)) >= 3'),
    ("person", 'distinct("product", "view", category="tv", within=days(7)) >= 2'),
)


class Row(NamedTuple):
    """A condition, and the kind of subject that it is asked of."""

    kind: str
    text: str
    condition: Condition


def rows() -> Iterator[Row]:
    """One for each name, then the calls."""
    for name, known in VOCABULARY.names.items():
        kind = min(known.subjects) if known.subjects else "person"
        yield row(kind, _about(name, known))
    for kind, text in _CALLS:
        yield row(kind, text)


def row(kind: str, text: str) -> Row:
    """The row of a condition."""
    found = parse_condition(text, VOCABULARY, kind)
    assert isinstance(found, Condition), found
    return Row(kind, text, found)


def _about(name: str, known: Name) -> str:
    if known.type == "bool":
        return name
    text = (known.choices or ("tv",))[0]
    if known.type == "list":
        return f'"{text}" in {name}'
    return f"{name} {_ANSWERS[known.type]}" if known.type in _ANSWERS else f'{name} == "{text}"'


def event(number: int, at: int) -> Touchpoint:
    """One of the person's views."""
    item = Item(
        product_id=f"p{number * 7 % 100}", category="tv" if number % 2 else "lamp", price=9.0 + number % 5
    )
    return Touchpoint(
        id=f"e{number}", type="view", user_id="u", time=at, items=[item],
        value=9.99 + number % 7, dwell_ms=20_000.0 + number,
    )  # fmt: skip


def counted(asked: Row, number: int) -> list[tuple[str, str | float]]:
    """What the tallies of a row's windows count of an event of that number."""
    one = event(number, NOW)
    found: list[tuple[str, str | float]] = []
    for window in asked.condition.windows:
        kind = window.about or asked.kind
        name = tallies.key(window.types, kind, window.number, category=window.category)
        pairs_of = subjects.counting("person", window.number, window.category)
        found += [(name, value) for _, value in (pairs_of(one) if pairs_of is not None else [("u", "")])]
    return found


def person(asked: Row, in_a_window: int) -> Journey:
    """A person who goes on evenly, with so many events in each window."""
    journey = Journey(person="u", user_id="u", order_count=in_a_window)
    for number in range(-2 * in_a_window, 1):
        seen = event(number, NOW + number * WINDOW // in_a_window)
        for name, value in counted(asked, number):
            tallies.add(journey, name, SUBJECTS[asked.kind], seen, value, WINDOW)
            tallies.add(journey, name, "u", seen, value, WINDOW)
    if not asked.condition.windows:
        _furnish(journey, in_a_window)
    return journey


def _furnish(journey: Journey, share: int) -> None:
    """Whatever else is kept of a person."""
    for number in range(PRODUCTS_KEPT * share // _FULL):
        at, category = NOW - number * MINUTE, "tv" if number % 2 else "lamp"
        offer = Offer(price=9.0 + number % 50, stock=3.0, margin=1.0)
        journey.products[f"p{number}"] = Product(
            seen=at, viewed=at, category=category, price=9.0 + number % 70, offer=offer
        )
    for number in range(CART_LINES_KEPT * share // _FULL):
        name = f"c{number}"
        journey.products[name] = Product(seen=NOW, carted=NOW, category="book", price=5.99)
        journey.carts.setdefault("" if number % 2 else name, {})[name] = CartLine(1.0, 5.99, NOW)
    for number in range(ORDERS_KEPT * share // _FULL):
        journey.orders[f"o{number}"] = number
        journey.paid[f"o{number}"] = Paid("EUR", 12_990)
    said: dict[str, list[object]] = {f"name{number}": [0.7, 0, NOW] for number in range(50)}
    journey.traits |= {"country": "DE", "age": "40", scores.TRAIT: {f"source{n}": said for n in range(20)}}
