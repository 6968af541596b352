"""Running figures of products and carts: a journey gives the same answers, whatever was asked before."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from fractions import Fraction
from statistics import median
from typing import Any, Final

from hypothesis import example, given, settings
from hypothesis import strategies as st

from retarget.catalogue import Listing
from retarget.engine import listings, merging
from retarget.engine.moment import Moment
from retarget.engine.policy import Policy
from retarget.journeys import facts, figures, wire
from retarget.journeys.facts import Change
from retarget.journeys.model import CartLine, Journey, Product
from retarget.rules.scene import Scene
from retarget.rules.vocabulary import VOCABULARY
from retarget.times import DAY, MINUTE
from retarget.touchpoints import Item, Touchpoint
from tests.factories import NOON

NAMES: Final = ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
CARTS: Final = ("", "one", "two", "three", "four", "five")
CATEGORIES: Final = ("tv", "lamp")

ITEMS: Final = st.builds(
    Item,
    product_id=st.sampled_from(NAMES),
    category=st.sampled_from([None, *CATEGORIES]),
    price=st.sampled_from([None, 0.1, 0.2, 0.3, 7.0]),
    quantity=st.sampled_from([None, 1.0, 3.0]),
)
EVENTS: Final = st.builds(
    Touchpoint,
    type=st.sampled_from(["view", "view", "add", "add", "remove", "cart", "purchase", "wishlist"]),
    user_id=st.just("u"),
    cart_id=st.sampled_from(CARTS),
    time=st.integers(0, 80).map(lambda steps: NOON + steps * DAY // 2),
    items=st.lists(ITEMS, max_size=4),
)
ACTS: Final = st.lists(
    st.one_of(
        *[EVENTS] * 3,
        *[st.just("look")] * 3,
        st.sampled_from(["look later", "drop", "merge", "store", "copy"]),
    ),
    max_size=40,
)


class Person:
    """Somebody to whom it happens, who is looked at in between or not."""

    def __init__(self, *, looked_at: bool) -> None:
        self.journey, self.looked_at = Journey(person="u"), looked_at
        for place, name in enumerate(NAMES):
            self.journey.products[name] = Product(viewed=NOON, seen=NOON, price=float(place))

    def live(self, act: Touchpoint | str) -> None:
        """Let one thing happen."""
        if isinstance(act, Touchpoint):
            facts.apply(self.journey, act, Change())
            return
        match act:
            case "look" | "look later" if self.looked_at:
                answers(self.journey, NOON + (0 if act == "look" else 35 * DAY))
            case "drop":
                for name in NAMES[:2]:
                    if name in self.journey.products:
                        self.journey.products.pop(name)
            case "merge":
                _merge(self.journey)
            case "store":
                self.journey = wire.decode(wire.encode(self.journey))
            case "copy":
                self.journey = copy.deepcopy(self.journey)


def _merge(journey: Journey) -> None:
    other = Journey(person="a")
    for kind, cart in (("view", ""), ("add", "two")):
        items = [Item(product_id=name, price=0.7, category="lamp") for name in NAMES[3:5]]
        event = Touchpoint(type=kind, anonymous_id="a", cart_id=cart, time=NOON + DAY, items=items)
        facts.apply(other, event, Change())
    merging._products(journey, other)  # noqa: SLF001 - of the journeys only these parts
    merging._carts(journey, other)  # noqa: SLF001


def answers(journey: Journey, at: int) -> list[Any]:
    """What conditions are told of the products and carts."""
    asked = [("person", "u", name) for name in ("person.median_price", "carts.size", "carts.value")]
    asked += [("cart", cart, name) for cart in CARTS for name in ("cart.size", "cart.value")]
    asked += [("product", name, "product.in_cart") for name in NAMES]
    asked += [("category", category, "category.in_cart") for category in CATEGORIES]
    scene = Scene(journey)
    scene.at = at
    found: list[Any] = []
    for kind, subject, name in asked:
        scene.kind, scene.subject = kind, subject
        found.append(VOCABULARY.names[name].read(scene))
    return found


def plain_answers(journey: Journey, at: int) -> list[Any]:
    """The same as the words say it, gone through one by one."""
    seen = [one for one in journey.products.values() if at - 30 * DAY < one.viewed]
    known = sorted(one.price for one in seen if one.price is not None)
    lines = [(name, line) for held in journey.carts.values() for name, line in held.items()]
    found: list[Any] = [
        median(known) if len(known) >= 3 else None,
        len({name for name, _ in lines}),
        _worth(lines),
    ]
    for cart in CARTS:
        held = list(journey.carts.get(cart, {}).items())
        found += [len(held), _worth(held)]
    found += [any(name == held for held, _ in lines) for name in NAMES]
    sorts = {journey.products[name].category for name, _ in lines if name in journey.products}
    return found + [category in sorts for category in CATEGORIES]


def _worth(lines: Sequence[tuple[str, CartLine]]) -> float | None:
    prices = [line.price * line.quantity for _, line in lines if line.price is not None]
    return float(sum(map(Fraction, prices))) if prices else None


def _view(name: str, price: float, at: int) -> Touchpoint:
    item = Item(product_id=name, price=price, category="lamp")
    return Touchpoint(type="view", user_id="u", time=at, items=[item])


def _cart(kind: str, quantity: float) -> Touchpoint:
    item = Item(product_id="a", quantity=quantity, price=0.3, category="tv")
    return Touchpoint(type=kind, user_id="u", time=NOON, items=[item])


@settings(max_examples=300, deadline=None)
@given(ACTS)
@example(["look", "look", _view("a", 70.0, NOON + DAY)])
@example([_cart("add", 3.0), "look", _cart("remove", 1.0)])
@example([_cart("add", 3.0), "look", _view("a", 7.0, NOON + DAY)])
@example(["look", "look", "drop"])
def test_whatever_was_asked_before_the_answers_are_the_same(acts: list[Touchpoint | str]) -> None:
    """Late events, prices and categories told anew, merged, stored and copied; what is stored is the same."""
    asked, unasked = Person(looked_at=True), Person(looked_at=False)
    for act in acts:
        asked.live(act)
        unasked.live(act)
        assert wire.encode(asked.journey) == wire.encode(unasked.journey)
    for days in (0, 20, 30, 31, 50, 29):
        at = NOON + days * DAY
        assert answers(asked.journey, at) == plain_answers(unasked.journey, at)
    assert wire.encode(asked.journey) == wire.encode(unasked.journey)


def test_figures_that_nobody_asks_for_are_given_up() -> None:
    """They are not moved on for ever, and are right when somebody asks again."""
    person = Person(looked_at=True)
    person.live("look")
    for number in range(2 * figures.GIVEN_UP):
        person.live(_view(f"n{number}", 9.0, NOON + number * MINUTE))
    products = person.journey.products
    assert isinstance(products, figures.Products)
    assert not products.moves
    at = NOON + DAY
    assert answers(person.journey, at) == plain_answers(person.journey, at)


def test_what_the_catalogue_adds_at_the_first_look_moves_the_figures() -> None:
    """It comes after the event's own part."""
    person = Person(looked_at=True)
    person.live("look")
    moment = Moment(Policy(zone_of=lambda _: None))
    moment.listings = {"new": Listing(price=0.05, category="tv")}
    event = Touchpoint(type="view", user_id="u", time=NOON + DAY, items=[Item(product_id="new")])
    person.live(event)
    listings.follow(person.journey, event, moment)
    assert answers(person.journey, NOON + DAY) == plain_answers(person.journey, NOON + DAY)
