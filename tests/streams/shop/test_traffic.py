import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice, pairwise, takewhile
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retarget.decode import decode_canonical, encode_touchpoint
from retarget.times import DAY, HOUR, MINUTE
from retarget.touchpoints import TYPES, Touchpoint
from streams.shop import open_shop, simulate
from tests.oracle import decide

SHOP: Final = open_shop()
MIDNIGHT: Final = 1_714_521_600_000
SEEDS: Final = st.integers(0, 2**32)
CROWDS: Final = st.integers(0, 40)


def some(seed: int, people: int, count: int = 150) -> list[Touchpoint]:
    """The first events of a stream."""
    return list(islice(simulate(SHOP, seed=seed, people=people, start_ms=MIDNIGHT), count))


def span(duration: int, *, seed: int, people: int, start: int = MIDNIGHT) -> Iterator[Touchpoint]:
    """All events of the first `duration` ms."""
    events = simulate(SHOP, seed=seed, people=people, start_ms=start)
    return takewhile(lambda event: event.time < start + duration, events)


@given(SEEDS, CROWDS)
@settings(max_examples=30)
def test_time_never_goes_back(seed: int, people: int) -> None:
    """The stream is in the order of event times, from the start on."""
    times = [event.time for event in some(seed, people)]
    assert all(before <= after for before, after in pairwise([MIDNIGHT, *times]))


@given(SEEDS, CROWDS)
@settings(max_examples=30)
def test_the_same_seed_gives_the_same_stream(seed: int, people: int) -> None:
    """Two runs are equal byte for byte."""
    first, second = ([encode_touchpoint(event) for event in some(seed, people)] for _ in range(2))
    assert first == second


def test_another_seed_gives_another_stream() -> None:
    """The seed matters."""
    assert some(1, 20) != some(2, 20)


def test_streams_read_side_by_side_do_not_disturb_each_other() -> None:
    """Each stream has prices, stock and luck of its own."""
    streams = [simulate(SHOP, seed=5, people=20, start_ms=MIDNIGHT) for _ in range(2)]
    side_by_side = list(islice(zip(*streams, strict=True), 300))
    assert all(one == other for one, other in side_by_side)


@given(SEEDS, CROWDS)
@settings(max_examples=30)
def test_every_touchpoint_survives_the_wire(seed: int, people: int) -> None:
    """What the simulator says, the engine reads: known types, a person or none needed, an equal event."""
    for event in some(seed, people):
        assert event.type in TYPES
        assert decode_canonical(encode_touchpoint(event)) == event


def test_no_id_occurs_twice() -> None:
    """Only `disturb` repeats an event."""
    ids = [event.id for event in some(7, 300, 20_000)]
    assert None not in ids
    assert len(set(ids)) == len(ids)


def test_nobody_takes_out_what_is_not_in_the_cart() -> None:
    """Carts are consistent: what is removed or bought from a cart was put in before."""
    carts: dict[str, set[str]] = defaultdict(set)
    for event in some(8, 100, 20_000):
        names = {item.product_id or "" for item in event.items}
        if event.cart_id and event.type == "add":
            carts[event.cart_id] |= names
        elif event.cart_id and event.type in ("remove", "purchase", "checkout", "cart_view"):
            assert names <= carts[event.cart_id]
            carts[event.cart_id] -= names if event.type in ("remove", "purchase") else set()


def test_known_people_come_with_several_devices() -> None:
    """One user id, several anonymous ids, as merging needs them."""
    devices: dict[str, set[str]] = defaultdict(set)
    for event in some(9, 60, 20_000):
        if event.user_id and event.anonymous_id:
            devices[event.user_id].add(event.anonymous_id)
    assert max(map(len, devices.values())) == 3


def test_people_are_anonymous_before_they_sign_in() -> None:
    """Some of what a known person did stands under the anonymous id alone."""
    events = some(9, 60, 20_000)
    known = {event.anonymous_id for event in events if event.user_id}
    assert any(event.anonymous_id in known and not event.user_id for event in events)


def test_every_kind_of_event_happens() -> None:
    """Within ten weeks everything that the shop knows has happened, on paid, owned and earned ways."""
    events = list(span(70 * DAY, seed=3, people=40))
    assert {event.type for event in events} >= {
        "app_open", "session", "page", "list_view", "search", "view", "share", "wishlist", "wishlist_remove",
        "add", "remove", "cart_view", "checkout", "coupon", "payment_failed", "purchase", "review", "refund",
        "cancel", "identify", "alias", "consent", "profile", "unsubscribe", "email_click", "ad_click", "chat",
        "social", "store_visit", "price_change", "stock_change",
    }  # fmt: skip
    assert {event.medium for event in events} == {None, "paid", "owned", "earned"}
    assert {"positive", "negative"} <= {event.sentiment for event in events}
    assert {said["state"] for event in events if (said := event.consent)} == {"granted", "denied", "revoked"}
    assert any("purl" in (event.campaign or {}) for event in events)


@pytest.mark.parametrize("hour", [0, 6, 12, 18])
def test_an_hour_has_something_for_every_quick_rule(hour: int) -> None:
    """Whenever it starts, 300 people cause all quick messages in an hour; 60-minute waits end soon after."""
    start = MIDNIGHT + hour * HOUR
    events = span(2 * HOUR + 10 * MINUTE, seed=1, people=300, start=start)
    history = [json.loads(encode_touchpoint(event)) for event in events]
    decisions = decide(history, assume_consent=False, quiet_hours=True)
    sent = {one.rule: one.due for one in reversed(decisions) if one.outcome == "sent"}
    in_the_first_hour = {rule for rule, due in sent.items() if due < start + HOUR}
    assert in_the_first_hour >= {"abandoned_cart", "repeated_view", "choice_overload", "first_purchase"}
    assert sent.keys() >= {"abandoned_checkout", "browse_abandonment"}


def test_the_slow_rules_have_their_day() -> None:
    """Wishes of 3 days, orders 14 days old without a review, and customers silent for 60 days occur."""
    events = list(span(75 * DAY, seed=2, people=60))
    last_seen = {event.user_id: event.time for event in events if event.user_id}
    orders = {event.order_id: event for event in events if event.type == "purchase"}
    answered = {event.order_id for event in events if event.type in ("review", "refund", "cancel")}
    settled = {
        (event.anonymous_id, item.product_id)
        for event in events
        if event.type in ("wishlist_remove", "purchase")
        for item in event.items
    }
    wishes = {(event.anonymous_id, event.items[0].product_id) for event in events if event.type == "wishlist"}
    assert wishes - settled
    assert any(event.time < MIDNIGHT + 60 * DAY for name, event in orders.items() if name not in answered)
    assert any(event.user_id and last_seen[event.user_id] < MIDNIGHT + 15 * DAY for event in orders.values())
