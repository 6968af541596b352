"""Two journeys put into one: the order does not matter, and what is known twice counts once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retarget.engine.moment import Moment
from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.times import DAY, MINUTE
from tests.core.identity.exceptions import OF_ORDER, Deed, Found, OfOrder
from tests.core.shop import Shop, shipped
from tests.factories import NOON, Event, a_consent, a_profile, an_item

TYPES: Final = ("view", "view", "add", "wishlist", "purchase", "remove", "chat")
PEOPLE: Final = ("u1", "a1", "a2")
SHIPPED: Final = shipped()

deeds = st.lists(
    st.tuples(st.sampled_from(PEOPLE), st.sampled_from(TYPES), st.sampled_from(("p1", "p2")), st.booleans()),
    min_size=3,
    max_size=14,
)


def histories(story: list[Deed]) -> dict[str, Journey]:
    """What each of them has done by themselves, no two things at one time."""
    shop = Shop()
    for number, (person, kind, product, slow) in enumerate(story):
        at = NOON + number * (20 * MINUTE if slow else MINUTE) + number
        who = {"user_id": person} if person.startswith("u") else {"anonymous_id": person}
        more: Event = {"items": [an_item(product)]}
        shop.read({"id": f"e{number}", "type": kind, "time": at} | who | more)
    for number, person in enumerate(PEOPLE):
        last = NOON + DAY + number
        shop.read(a_consent("granted", at=last, person=person, channel=("email", "push", "sms")[number]))
        shop.read(a_profile(at=last, person=person, **{f"trait_{person}": person}))
    return {person: copy(shop.lane.journeys[person]) for person in PEOPLE}


def copy(journey: Journey) -> Journey:
    """The same, as it is stored."""
    return wire.decode(wire.encode(journey))


def merged(journeys: dict[str, Journey], *others: str) -> Found:
    """The known person's journey after the others have been put into it."""
    shop, journey = Shop(SHIPPED), copy(journeys["u1"])
    for name in others:
        moment = Moment(shop.policy)
        moment.clock = moment.now = NOON + 2 * DAY
        shop.lane.engine.join(journey, copy(journeys[name]), moment)
    found: Found = msgspec.json.decode(
        msgspec.json.encode({name: getattr(journey, name) for name in journey.__struct_fields__})
    )
    return found


def in_both_orders(story: list[Deed], but_for: Iterable[OfOrder]) -> tuple[Found, Found]:
    """What comes of one order and of the other, as far as it may not hang on it."""
    journeys = histories(story)
    one, other = merged(journeys, "a1", "a2"), merged(journeys, "a2", "a1")
    for exception in but_for:
        exception.leave(one, story)
        exception.leave(other, story)
    return one, other


@given(deeds)
@settings(max_examples=150, deadline=None)
def test_the_order_of_merges_does_not_matter(story: list[Deed]) -> None:
    """Two devices of one person, in either order, whatever they have done; but for what is declared."""
    one, other = in_both_orders(story, OF_ORDER)
    assert one.keys() == other.keys()
    for name in one:
        assert one[name] == other[name], name


@pytest.mark.parametrize("exception", OF_ORDER, ids=lambda one: one.what)
def test_each_exception_is_needed(exception: OfOrder) -> None:
    """With all others it does matter, in its story: else it is to be struck out."""
    one, other = in_both_orders(exception.story, [known for known in OF_ORDER if known is not exception])
    assert one != other, f"{exception.what!r} is no exception any more: {exception.because}"


@given(deeds)
@settings(max_examples=150, deadline=None)
def test_every_event_counts_once(story: list[Deed]) -> None:
    """Tallies have the events of both sides, each once, in order of time; a second merge adds none."""
    journeys = histories(story)
    found = merged(journeys, "a1")
    for name, by_subject in found["tallies"].items():
        wide = 3 if ":" in name else 2
        for tally in by_subject.values():
            times = tally[wide - 1 :: wide]
            assert times == sorted(times)
    again = merged(journeys, "a1", "a1")
    for name in (
        "tallies",
        "products",
        "sends",
        "marks",
        "consents",
        "ended",
        "traits",
        "order_count",
    ):
        assert again[name] == found[name], name
