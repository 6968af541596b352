"""A wrong word taken back: a replay in which an anonymous id is a person of its own."""

from __future__ import annotations

from typing import Final

from retarget.times import DAY, HOUR, MINUTE
from tests.core.identity.test_joining import an_identify
from tests.core.lanes import Lanes
from tests.core.shop import Shop, a_policy, shipped
from tests.factories import NOON, Event, a_view, an_add

CART: Final = frozenset({"abandoned_cart"})
STORY: Final[tuple[Event, ...]] = (
    an_add("p1", person="a1"),
    an_add("p2", person="a2", at=NOON + 1),
    an_identify(NOON + MINUTE),
    an_identify(NOON + 2 * MINUTE, "a2"),
    a_view("p3", person="a1", at=NOON + 3 * MINUTE, id="late"),
    a_view("p4", anonymous_id="a1", at=NOON + 4 * MINUTE, id="both"),
)


def seen(lanes: Lanes | Shop, lane: int, person: str) -> set[str]:
    """The products of somebody."""
    found = lanes.lane if isinstance(lanes, Shop) else lanes.lanes[lane]
    return set(found.journeys[person].products)


def test_lanes_do_not_believe_what_they_have_told_each_other() -> None:
    """The words, histories and strays of then are still in their topic, and are read in the replay."""
    first = Lanes(shipped(CART))
    for event in STORY:
        first.read(event).cross()
    assert seen(first, 1, "u1") == {"p1", "p2", "p3", "p4"}
    again = Lanes(shipped(CART), a_policy(apart=frozenset({"a1"}))).read(*STORY)
    again.on_the_way.clear()
    again.on_the_way.extend(first.told)
    again.cross()
    assert seen(again, 1, "u1") == {"p2", "p4"}
    assert seen(again, 0, "a1") == {"p1", "p3"}
    assert set(again.lanes[0].redirects) == {"a2"}
    assert again.counts["unjoined", "apart"] >= 3
    again.until(NOON + HOUR)
    assert {d["person"] for d in again.decisions if d["rule"] == "abandoned_cart"} == {"a1", "u1"}


def test_a_replay_of_files_takes_them_apart() -> None:
    """With the id in the list, or without the word, each has what they did, and nothing of the other."""
    listed = Shop(shipped(CART), a_policy(apart=frozenset({"a1"}))).read(*STORY)
    without = Shop(shipped(CART)).read(*[e for e in STORY if e["id"] != STORY[2]["id"] and e["id"] != "both"])
    assert seen(listed, 0, "a1") == seen(without, 0, "a1") == {"p1", "p3"}
    assert seen(listed, 0, "u1") - {"p4"} == seen(without, 0, "u1") == {"p2"}
    sent = {(m["person"], m["step"], m["due"]) for m in listed.until(NOON + 10 * DAY).sent()}
    assert sent == {(m["person"], m["step"], m["due"]) for m in without.until(NOON + 10 * DAY).sent()}
