"""Two journeys put into one: the order does not matter, and what is known twice counts once."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from retarget.engine.moment import Moment
from retarget.journeys import wire
from retarget.journeys.model import Episode, Journey, Product
from retarget.times import DAY, MINUTE
from tests.core.shop import Shop, shipped
from tests.factories import NOON, Event, a_consent, a_profile, an_item

TYPES: Final = ("view", "view", "add", "wishlist", "purchase", "remove", "chat")
# What ends nothing: where a third one's ending lies between two others' touches, the order does matter.
HARMLESS: Final = frozenset({"view", "wishlist", "chat"})
# Of what led to an episode so much is kept; which of it, nothing hangs on.
EVIDENCE: Final = Episode.__struct_fields__.index("evidence")
BOUGHT: Final = Product.__struct_fields__.index("bought")
PEOPLE: Final = ("u1", "a1", "a2")

deeds = st.lists(
    st.tuples(st.sampled_from(PEOPLE), st.sampled_from(TYPES), st.sampled_from(("p1", "p2")), st.booleans()),
    min_size=3,
    max_size=14,
)


def histories(story: list[tuple[str, str, str, bool]]) -> dict[str, Journey]:
    """What each of them has done by themselves, no two things at one time."""
    shop = Shop()
    for number, (person, drawn, product, slow) in enumerate(story):
        kind = drawn if person == "u1" or drawn in HARMLESS else "view"
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


def merged(journeys: dict[str, Journey], *others: str) -> dict[str, Any]:
    """The known person's journey after the others have been put into it, as far as order may not matter."""
    shop, journey = Shop(shipped()), copy(journeys["u1"])
    for name in others:
        moment = Moment(shop.policy)
        moment.clock = moment.now = NOON + 2 * DAY
        shop.lane.engine.join(journey, copy(journeys[name]), moment)
    found: dict[str, Any] = msgspec.json.decode(
        msgspec.json.encode({name: getattr(journey, name) for name in journey.__struct_fields__})
    )
    for name in ("recent", "recent_marks", "orders", "anonymous_id", "arms", "alarm"):
        del found[name]
    for lines in found["carts"].values():
        for product, line in lines.items():
            if found["products"][product][BOUGHT]:
                line[0] = None  # a line does not know which of its pieces were put in before the purchase
    found["deferred"].sort(key=str)
    found["offers"].sort(key=str)
    for by_subject in found["episodes"].values():
        for episode in by_subject.values():
            episode[EVIDENCE] = []
    return found


@given(deeds)
@settings(max_examples=150, deadline=None)
def test_the_order_of_merges_does_not_matter(story: list[tuple[str, str, str, bool]]) -> None:
    """Two devices of one person, in either order; of arms the first's counts, of pieces see above."""
    journeys = histories(story)
    one, other = merged(journeys, "a1", "a2"), merged(journeys, "a2", "a1")
    for name in one:
        assert one[name] == other[name], name


@given(deeds)
@settings(max_examples=150, deadline=None)
def test_every_event_counts_once(story: list[tuple[str, str, str, bool]]) -> None:
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
