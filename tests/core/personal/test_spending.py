"""What a person has bought, as messages tell it: the number of the purchase, and what they have spent."""

from __future__ import annotations

from itertools import permutations
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from retarget.journeys import spending
from retarget.journeys.model import Journey
from retarget.touchpoints import Touchpoint
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, Event, a_purchase, a_view, an_event, an_item

AT_ORDER: Final = a_rule(
    rule="bought", subject="order", event="purchase", description="x", purpose="service",
    steps=[{"channels": ["service"], "template": "t"}],
)  # fmt: skip
AT_VIEW: Final = a_rule(
    rule="looked", subject="person", event="view", description="x", purpose="service",
    steps=[{"channels": ["service"], "template": "t"}],
)  # fmt: skip


def an_order(order: str, worth: float | None, **fields: Any) -> Event:  # noqa: ANN401
    """An order of so much, in euros unless said otherwise."""
    return a_purchase(order_id=order, value=worth, **{"currency": "EUR"} | fields)


def spent(*events: Event) -> dict[str, float]:
    """What a message says after these events."""
    [message] = Shop([AT_VIEW], a_policy()).read(*events, a_view(at=NOON + 10**6)).sent()
    found: dict[str, float] = message["context"]["lifetime_value"]
    return found


def test_each_order_has_its_number() -> None:
    """So that a template writes another intro for the first than for the fifth; a repeat is no new one."""
    orders = [an_order(f"o{n}", 10, at=NOON + n) for n in range(1, 6)]
    shop = Shop([AT_ORDER], a_policy()).read(*orders, an_order("o2", 10, at=NOON + 9))
    told = [(m["subject"]["id"], m["context"]["purchase_ordinal"], m["context"]["purchases"])
            for m in shop.sent()]  # fmt: skip
    assert told == [*((f"o{n}", n, n) for n in range(1, 6)), ("o2", 2, 5)]
    assert [m["context"]["lifetime_value"]["EUR"] for m in shop.sent()] == [10, 20, 30, 40, 50, 50]


def back(kind: str, **fields: Any) -> Event:  # noqa: ANN401
    """Something is given back."""
    return an_event(kind, at=NOON + 1, **fields)


def test_purchases_less_refunds_and_cancellations() -> None:
    """Of an amount, of items, of the whole order, of an order that nobody knows; never less than nothing."""
    bought = [an_order("o1", 100.1), an_order("o2", 50), an_order("o3", 7, currency="usd")]
    assert spent(*bought) == {"EUR": 150.1, "USD": 7.0}
    assert spent(*bought, back("refund", order_id="o1", value=40))["EUR"] == 110.1
    assert spent(*bought, back("refund", order_id="o1"))["EUR"] == 50.0
    assert spent(*bought, back("cancel", order_id="o2"))["EUR"] == 100.1
    some = back("cancel", order_id="o2", items=[an_item("p1", price=5, quantity=2)])
    assert spent(*bought, some)["EUR"] == 140.1
    assert spent(*bought, back("refund", order_id="o2", value=999))["EUR"] == 100.1
    assert spent(*bought, back("refund", order_id="o9", value=999))["EUR"] == 150.1
    assert spent(*bought, back("refund", value=0.1, currency="EUR"))["EUR"] == 150.0
    assert spent(back("refund", value=5, currency="EUR")) == {"EUR": 0.0}


def test_what_is_not_told_is_not_counted() -> None:
    """Prices of all items stand in for the value; a currency that is none is told as none."""
    assert spent() == {}
    assert spent(
        an_order("o1", None, items=[an_item("p1", price=2.5, quantity=2), an_item("p2", price=1)])
    ) == {"EUR": 6.0}
    assert spent(an_order("o1", None, items=[an_item("p1", price=None)])) == {}
    assert spent(an_order("o1", 5, currency="euros")) == {spending.UNKNOWN: 5.0}


def test_a_refund_may_come_first() -> None:
    """In whichever order the events of an order come, the same remains."""
    events = [
        Touchpoint(type="purchase", order_id="o1", value=100, currency="EUR", time=1),
        Touchpoint(type="refund", order_id="o1", value=30, time=1),
        Touchpoint(type="refund", order_id="o1", value=20, time=1),
    ]
    for order in permutations(events):
        journey = Journey(person="u1")
        for event in order:
            (spending.pay if event.type == "purchase" else spending.give_back)(journey, event, 256)
        assert spending.lifetime(journey) == {"EUR": 50.0}


def test_a_merge_counts_each_order_once() -> None:
    """An order that both sides know is one; what either side got back is back."""
    events = [an_order("o1", 100, person="u1"), an_order("o1", 100, person="a1"),
              an_order("o2", 5, person="a1"),
              an_event("refund", at=NOON + 1, person="a1", order_id="o1", value=30),
              an_event("identify", at=NOON + 2, anonymous_id="a1")]  # fmt: skip
    assert spent(*events) == {"EUR": 75.0}


Deed = tuple[bool, int, int, int]
DEEDS: Final = st.lists(
    st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 10**15), st.integers(0, 40)), max_size=60
)


@given(DEEDS, st.integers(1, 6))
def test_what_is_no_longer_kept_stays_in_the_sum(deeds: list[Deed], most: int) -> None:
    """Whatever is bought, the sum is that of all orders; numbers stay small enough to be stored."""
    journey = Journey(person="u1")
    worths: dict[str, float] = {}
    for _, order, worth, more in deeds:
        name = f"o{order}-{more}"
        if name not in worths and worth < 10**9:
            worths[name] = worth
            spending.pay(
                journey, Touchpoint(type="purchase", order_id=name, value=worth, currency="EUR"), most
            )
        elif name not in worths:
            spending.give_back(journey, Touchpoint(type="refund", value=worth, currency="USD"), most)
    assert len(journey.paid) <= most
    assert spending.lifetime(journey).get("EUR", 0) == sum(worths.values())
    assert all(abs(amount) < 2**63 for amount in journey.spent.values())
