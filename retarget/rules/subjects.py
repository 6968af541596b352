"""Subjects: what an event is about, for each kind of subject that a rule may have (spec 1 and 3.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from msgspec.structs import replace

from retarget.rules import customs, telling
from retarget.touchpoints import LONGEST_ID, Item, Touchpoint


def person(event: Touchpoint) -> list[str]:
    """The person."""
    return [event.user_id or event.anonymous_id or ""]


def product(event: Touchpoint) -> list[str]:
    """Each distinct product once, in the order of the items."""
    items = event.items
    if len(items) == 1:
        only = items[0].product_id
        return [only] if only else []
    return list(dict.fromkeys(item.product_id for item in items if item.product_id))


def product_in(event: Touchpoint, kind: str, subject: str) -> list[str]:
    """The products of an event that belong to a subject: those of a category, else all."""
    if kind != "category":
        return product(event)
    return [item.product_id for item in event.items if item.product_id and item.category == subject]


def category(event: Touchpoint) -> list[str]:
    """Each distinct category of the event's own items once; an item without a product is in none."""
    items = event.items
    if len(items) == 1:
        only = items[0]
        return [only.category] if only.category and only.product_id else []
    return list(dict.fromkeys(item.category for item in items if item.category and item.product_id))


def cart(event: Touchpoint) -> list[str]:
    """Its cart; the default cart is the empty text."""
    return [event.cart_id or ""]


def checkout(event: Touchpoint) -> list[str]:
    """Its checkout; without an id that of its cart."""
    return [event.checkout_id or event.cart_id or ""]


def order(event: Touchpoint) -> list[str]:
    """Its order; a purchase without an order id is an order of its own."""
    if event.order_id:
        return [event.order_id]
    return [event.id or ""] if event.type == "purchase" else []


def session(event: Touchpoint) -> list[str]:
    """Its visit, where the producer names one."""
    return [event.session_id] if event.session_id else []


def query(event: Touchpoint) -> list[str]:
    """What was searched for, without the space around it, cut as long as an id; of space alone none."""
    text = event.query.strip()[:LONGEST_ID].rstrip() if event.query else ""
    return [text] if text else []


def pairs(event: Touchpoint, kind: str, distinct: str) -> list[tuple[str, str | float]]:
    """Each subject with what is kept beside it: a distinct product or category, or a number to add up."""
    if distinct in telling.OF_ITEMS:
        return _apart(event, kind, telling.OF_ITEMS[distinct])
    if distinct in telling.SUMS_OF_EVENTS:
        number = getattr(event, telling.SUMS_OF_EVENTS[distinct])
        return [(subject, number) for subject in OF[kind](event)] if number else []
    if distinct in telling.SUMS_OF_ITEMS:
        return _sums(event, kind, telling.SUMS_OF_ITEMS[distinct])
    if distinct == ORDER:
        return [(subject, event.order_id or event.id or "") for subject in OF[kind](event)]
    told = telling.OF_EVENTS[word_of(distinct)](event)
    return [(subject, told) for subject in OF[kind](event)] if told else []


def _apart(
    event: Touchpoint, kind: str, value_of: Callable[[Item], str | None]
) -> list[tuple[str, str | float]]:
    """Each subject with what each of its own items has, or each of all."""
    of_item = OF_ITEM.get(kind)
    whole = next(iter(OF[kind](event)), None) if of_item is None else None
    found: list[tuple[str, str | float]] = []
    for item in event.items:
        about = whole if of_item is None else of_item(item)
        if about is not None and item.product_id and (value := value_of(item)):
            found.append((about, value))
    return found


def _sums(event: Touchpoint, kind: str, amount: Callable[[Item], float]) -> list[tuple[str, str | float]]:
    """Each subject with the sum over the items that are of it, or over all."""
    found: dict[str, float] = {}
    whole = next(iter(OF[kind](event)), None)
    for item in event.items:
        about = OF_ITEM[kind](item) if kind in OF_ITEM else whole
        if about is not None and item.product_id:
            found[about] = found.get(about, 0.0) + amount(item)
    return [(about, number) for about, number in found.items() if number]


def mark(word: str) -> str:
    """Under which mark a tally keeps what this word tells apart: of whole events one of its own."""
    return _MARK + word if word in telling.OF_EVENTS else word


def word_of(number: str) -> str:
    """The word of such a mark."""
    return number.removeprefix(_MARK)


def counting(
    kind: str, distinct: str | None, category: str | None, types: tuple[str, ...] = ()
) -> Callable[[Touchpoint], list[tuple[str, str | float]]] | None:
    """What gives the subjects of an event with what is kept beside each; None where the subjects are all.

    `types`: those that are told apart where the type is kept.
    """
    if distinct == TYPE:
        return lambda event: [(subject, customs.kind_in(types, event)) for subject in OF[kind](event)]
    if category is None:
        return partial(pairs, kind=kind, distinct=distinct) if distinct is not None else None

    def of_category(event: Touchpoint) -> list[tuple[str, str | float]]:
        items = [item for item in event.items if item.category == category and item.product_id]
        if not items:
            return []
        narrowed = replace(event, items=items)
        if distinct is None:
            return [(subject, "") for subject in OF[kind](narrowed)]
        return pairs(narrowed, kind, distinct)

    return of_category


# What conditions are about that look at no person: kinds of subject that no rule has.
LISTING: Final = "listing"
# The mark of what keeps the types of its events beside them.
TYPE: Final = "type"
# The mark of what keeps the orders, or else the ids, of its events beside them.
ORDER: Final = "order"
# Before the word for what is kept of the event as a whole.
_MARK: Final = "its_"
# What these are about stands in their events alone.
CARRIED: Final = frozenset({"checkout", "order"})


def carried(kind: str, event: Touchpoint) -> list[str]:
    """The products that an episode must remember from its event."""
    return product(event) if kind in CARRIED else []


OF: Final[Mapping[str, Callable[[Touchpoint], list[str]]]] = {
    "person": person,
    "product": product,
    "category": category,
    "cart": cart,
    "checkout": checkout,
    "order": order,
    "session": session,
    "query": query,
}
OF_ITEM: Final[Mapping[str, Callable[[Item], str | None]]] = {
    "product": lambda item: item.product_id,
    "category": lambda item: item.category,
}
