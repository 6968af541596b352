"""What an episode is about: the products of its subject, and those by which an event can end it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from retarget.journeys.model import Journey, Product
from retarget.rules import subjects
from retarget.rules.matcher import Compiled
from retarget.touchpoints import Touchpoint

PRODUCTS_SHOWN: Final = 10
# Of what a long visit looked at, the latest: beyond these nobody remembers.
PRODUCTS_KEPT: Final = 50
# Of what is looked at, carted or wished for, and then bought, nobody needs to be reminded.
LOOKS: Final = frozenset({"view", "list_view", "add", "cart", "cart_view", "wishlist"})


def products(
    journey: Journey, kind: str, subject: str, carried: list[str], *, wanted: bool = False
) -> list[str]:
    """The products of a subject: itself, those in the cart or the order, or the latest seen of it.

    `wanted`: of those seen, what has been bought since is left out.
    """
    if kind == "product":
        return [subject]
    if kind == "cart":
        return sorted(journey.carts.get(subject, ()))
    if kind == "category":
        return _latest(journey, subject, wanted=wanted)
    return _latest(journey, None, wanted=wanted) if kind in ("person", "session") else carried


def is_bought(product: Product | None) -> bool:
    """Whether the person has bought it, and neither viewed, carted nor wished for it since."""
    return product is not None and 0 < product.bought >= product.regarded


def _latest(journey: Journey, category: str | None, *, wanted: bool) -> list[str]:
    known = journey.products.items()
    seen = [(p.seen, name) for name, p in known if category is None or p.category == category]
    if wanted:
        seen = [(at, name) for at, name in seen if not is_bought(journey.products[name])]
    return [name for _, name in sorted(seen, reverse=True)[:PRODUCTS_SHOWN]]


def touched(
    journey: Journey, compiled: Compiled, subject: str, event: Touchpoint, before: Iterable[str] = ()
) -> list[str]:
    """By which products an episode can be ended after this touch; none where no rule asks (`same: product`).

    A cart is about what is in it; the others about all that the events that opened and touched them named.
    """
    if not compiled.ends_by_product:
        return []
    if compiled.rule.subject == "cart":
        return sorted(journey.carts.get(subject, ()))
    return _latest_of(before, subjects.product_in(event, compiled.rule.subject, subject))


def at_decision(journey: Journey, compiled: Compiled, subject: str, before: Iterable[str]) -> list[str]:
    """The same once a step is decided: a message is also about what it shows."""
    if not compiled.ends_by_product:
        return []
    return _latest_of(before, products(journey, compiled.rule.subject, subject, []))


def _latest_of(before: Iterable[str], named: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*named, *before]))[:PRODUCTS_KEPT]
