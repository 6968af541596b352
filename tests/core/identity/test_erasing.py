"""Whoever is erased has no other ids any more: nothing leads from what they were called before to them."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retarget.engine.policy import QuietHours
from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.times import DAY, HOUR, MINUTE, SECOND
from tests.core.identity.test_joining import an_identify
from tests.core.lanes import Lanes
from tests.core.shop import Shop, a_policy, shipped
from tests.factories import NOON, Event, a_view, an_add, an_event

CART: Final = frozenset({"abandoned_cart"})
TOKEN: Final = {"push_token": "t"}


def an_erase(at: int, person: str = "u1", **fields: object) -> Event:
    """The known person is to be forgotten."""
    return an_event("erase", at=at, person=person, **fields)


def leads_to(lanes: Lanes, person: str) -> set[str]:
    """The anonymous ids from which anything in any lane leads to the person, as it would be stored."""
    kept = [j for lane in lanes.lanes for j in (*lane.journeys.values(), *lane.redirects.values())]
    found = {j.person for j in kept if any(to == person for _, to in wire.decode(wire.encode(j)).moved)}
    return found | {name for j in kept if j.person == person for name in (*j.joined, j.anonymous_id) if name}


def joined_then_erased() -> Lanes:
    """Two devices of one person, who is erased soon after; all has crossed."""
    lanes = Lanes(shipped(CART)).read(an_add("p1", person="a1"), an_add("p2", person="a2"))
    lanes.read(an_identify(NOON + MINUTE), an_identify(NOON + 2 * MINUTE, "a2")).cross().stored()
    assert leads_to(lanes, "u1") == {"a1", "a2"}
    return lanes.read(an_erase(NOON + 20 * MINUTE)).cross().stored()


def test_no_anonymous_id_leads_to_the_erased() -> None:
    """The redirects in the other lane are gone, with their waits, and so is the list of ids."""
    lanes = joined_then_erased()
    assert not leads_to(lanes, "u1")
    assert not lanes.lanes[0].redirects
    assert not lanes.lanes[0].journeys
    assert lanes.counts["dropped", "redirect"] == 2
    assert lanes.until(NOON + 10 * DAY).sent() == []


@pytest.mark.parametrize("at", [NOON + 10 * MINUTE, NOON + 2 * HOUR])
def test_what_comes_under_the_old_id_is_somebody_new(at: int) -> None:
    """Late or not: an empty anonymous journey begins with it, in its own lane, and nobody else hears."""
    lanes = joined_then_erased().read(a_view("p9", person="a1", at=at)).cross()
    journey = lanes.lanes[0].journeys["a1"]
    assert (set(journey.products), journey.carts, journey.user_id) == ({"p9"}, {}, None)
    assert not lanes.lanes[1].journeys["u1"].products
    assert not lanes.counts["sent_on", "redirect"]
    assert not leads_to(lanes, "u1")


def test_an_erase_under_the_anonymous_id_is_one_of_the_known_person() -> None:
    """It follows the redirect, and removes it."""
    lanes = Lanes(shipped(CART)).read(an_add("p1", person="a1"), an_identify(NOON + MINUTE)).cross()
    lanes.read(an_event("erase", person="a1", at=NOON + HOUR)).cross()
    assert lanes.lanes[1].journeys["u1"].erased
    assert not lanes.lanes[1].journeys["u1"].carts
    assert not leads_to(lanes, "u1")


def test_an_erase_with_both_ids_takes_what_the_anonymous_one_did() -> None:
    """It says who they are, and that they are to be forgotten: both histories are."""
    lanes = Lanes(shipped(CART)).read(an_add("p1", person="a1"), an_erase(NOON + MINUTE, anonymous_id="a1"))
    lanes.cross().until(NOON + 10 * DAY)
    assert not lanes.sent()
    assert not lanes.lanes[0].journeys
    assert not lanes.lanes[1].journeys["u1"].carts
    assert not leads_to(lanes, "u1")


@pytest.mark.parametrize("crossed", [0, 1])
def test_a_history_on_its_way_is_forgotten_too(crossed: int) -> None:
    """Told before the erasure and come after it, it is nobody's; what waited in it has its final record."""
    night = QuietHours(start=11 * 60, end=20 * 60)
    lanes = Lanes(shipped(CART), a_policy(quiet_hours=night))
    lanes.read(an_event("profile", person="a1", traits=TOKEN), an_add("p1", person="a1")).until(NOON + HOUR)
    assert [d["outcome"] for d in lanes.decisions if d["operation"] == "send"] == ["deferred"]
    lanes.read(an_identify(NOON + 2 * HOUR)).cross(crossed).read(an_erase(NOON + 3 * HOUR)).cross()
    assert lanes.counts["unjoined", "erased"] == 1
    lanes.until(NOON + 10 * DAY)
    assert [d["reason"] for d in lanes.decisions if d["operation"] == "send"] == ["quiet_hours", "closed"]
    journey = lanes.lanes[1].journeys["u1"]
    assert (journey.carts, journey.traits, journey.deferred) == ({}, {}, [])
    assert not lanes.lanes[0].journeys
    assert not leads_to(lanes, "u1")


@pytest.mark.parametrize(("before", "products"), [(SECOND, set()), (-SECOND, {"p9"})])
def test_an_event_on_its_way_joins_nobody_again(before: int, products: set[str]) -> None:
    """It was sent on by a redirect, which says nothing new about who is whom; what is old is forgotten."""
    lanes = Lanes(shipped(CART)).read(an_identify(NOON)).cross()
    lanes.read(a_view("p9", person="a1", at=NOON + HOUR), an_erase(NOON + HOUR + before), beats=False)
    lanes.cross().until(NOON + 2 * HOUR)
    assert not leads_to(lanes, "u1")
    assert set(lanes.lanes[1].journeys["u1"].products) == products


def test_a_late_word_joins_nobody_again_and_a_new_one_does() -> None:
    """What was said of the time before the erasure is forgotten with the rest; who says it anew is heard."""
    lanes = joined_then_erased().read(an_identify(NOON + 3 * MINUTE, id="late")).cross()
    assert not leads_to(lanes, "u1")
    lanes.read(an_identify(NOON + 2 * HOUR, id="new"), a_view("p9", person="a1", at=NOON + 3 * HOUR)).cross()
    assert leads_to(lanes, "u1") == {"a1"}
    assert set(lanes.lanes[1].journeys["u1"].products) == {"p9"}


def test_a_device_that_went_to_somebody_else_stays_theirs() -> None:
    """Only what led to the erased person is gone, in either direction."""
    lanes = Lanes(shipped(CART)).read(an_identify(NOON)).cross()
    lanes.read(an_identify(NOON + HOUR, user="u2")).cross().read(an_erase(NOON + 2 * HOUR)).cross().stored()
    assert not leads_to(lanes, "u1")
    assert leads_to(lanes, "u2") == {"a1"}
    lanes.read(a_view("p9", person="a1", at=NOON + 3 * HOUR)).cross()
    assert set(lanes.lanes[1].journeys["u2"].products) == {"p9"}


def test_who_had_the_device_before_the_erased_has_not_got_it_back() -> None:
    """Whoever is there now is nobody known: what they look at is not put down to a former owner."""
    lanes = Lanes(shipped(CART)).read(an_identify(NOON)).cross()
    lanes.read(an_identify(NOON + HOUR, user="u2")).cross()
    lanes.read(an_erase(NOON + 2 * HOUR, person="u2")).cross().stored()
    lanes.read(an_add("p9", person="a1", at=NOON + 3 * HOUR)).cross()
    assert not lanes.lanes[0].redirects
    assert set(lanes.lanes[0].journeys["a1"].products) == {"p9"}
    assert not lanes.lanes[1].journeys["u1"].products
    assert lanes.until(NOON + 10 * DAY).sent("abandoned_cart") == []


def test_an_old_topic_is_skipped_by_whoever_has_the_id_now() -> None:
    """An id that was erased has somebody else signed in: what it did before is not told as theirs."""
    old, new = an_add("p1", person="a1", at=NOON), an_add("p2", person="a1", at=NOON + 4 * HOUR)
    lanes = Lanes(shipped(CART)).read(old, an_event("erase", person="a1", at=NOON + HOUR))
    lanes.read(an_identify(NOON + 2 * HOUR, user="u2")).cross().stored()
    lanes.read(old | {"id": "again"}, new).cross()
    assert set(lanes.lanes[1].journeys["u2"].products) == {"p2"}
    assert lanes.counts["ignored", "erased"] == 1
    lanes.read(an_erase(NOON + 5 * HOUR, "u2")).cross().stored()
    lanes.read(old | {"id": "once more"}).cross()
    left = lanes.lanes[0].journeys["a1"]
    assert left == Journey(person="a1", erased=True, erased_at=left.erased_at)


def test_what_the_erased_did_with_a_device_is_not_told_as_the_next_ones() -> None:
    """Of an old topic all is skipped up to when the device went on; what has been done since is theirs."""
    old, theirs = a_view("p1", person="a1", at=NOON), a_view("p2", person="a1", at=NOON + 3 * HOUR)
    lanes = Lanes(shipped(CART)).read(old, an_identify(NOON + HOUR)).cross()
    lanes.read(an_identify(NOON + 2 * HOUR, user="u2")).cross()
    lanes.read(theirs, an_erase(NOON + 4 * HOUR)).cross().stored()
    lanes.read(old | {"id": "again"}, a_view("p3", person="a1", at=NOON + 2 * HOUR, id="late")).cross()
    assert set(lanes.lanes[1].journeys["u2"].products) == {"p2", "p3"}
    assert not lanes.lanes[1].journeys["u1"].products


def test_a_replay_skips_an_old_topic_too() -> None:
    """In one lane, on the spot."""
    old = an_add("p1", person="a1", at=NOON)
    shop = Shop(shipped(CART)).read(old, an_event("erase", person="a1", at=NOON + HOUR))
    shop.read(an_identify(NOON + 2 * HOUR, user="u2"), old | {"id": "again"}).until(NOON + DAY)
    assert not shop.lane.journeys["u2"].products
    assert not shop.sent()


def test_the_word_counts_once_and_the_id_may_be_used_again() -> None:
    """Written twice without transactions: a redirect that has been made since stays."""
    lanes = Lanes(shipped(CART)).read(an_identify(NOON)).cross().read(an_erase(NOON + HOUR))
    (word,) = lanes.on_the_way
    lanes.cross().read(an_identify(NOON + 2 * HOUR)).cross()
    lanes.on_the_way.append(word)
    lanes.cross()
    assert leads_to(lanes, "u1") == {"a1"}


def test_the_word_waits_for_its_time() -> None:
    """What their lane reads of the time before it still goes where it belongs, and is late there."""
    lanes = Lanes(shipped(CART), lateness=10 * SECOND)
    lanes.read(an_identify(NOON), a_view(at=NOON + MINUTE)).cross()
    lanes.read(an_erase(NOON + HOUR), a_view("p0", at=NOON + 2 * HOUR), beats=False).cross()
    assert leads_to(lanes, "u1") == {"a1"}
    lanes.read(a_view("p9", person="a9", at=NOON + 2 * HOUR), beats=False).cross()
    assert not leads_to(lanes, "u1")


def test_a_replay_does_the_same_in_one_lane() -> None:
    """On the spot, whether the erasure names one id or both."""
    shop = Shop(shipped(CART)).read(an_add("p1", person="a1"), an_identify(NOON + MINUTE))
    shop.read(an_add("p2", person="a2"), an_erase(NOON + 20 * MINUTE, anonymous_id="a2"))
    assert set(shop.lane.journeys) == {"u1"}
    assert not shop.lane.redirects
    shop.read(a_view("p9", person="a1", at=NOON + 30 * MINUTE)).until(NOON + 10 * DAY)
    assert set(shop.lane.journeys["a1"].products) == {"p9"}
    assert not shop.lane.journeys["u1"].products
    assert not shop.sent()


told = st.lists(
    st.tuples(
        st.sampled_from(("said", "both", "anonymous", "known", "other", "erase", "erase_both")),
        st.sampled_from(("a1", "a2")),
        st.sampled_from((SECOND, MINUTE, -2 * MINUTE)),
        st.integers(0, 2),
    ),
    max_size=12,
)


def events_of(story: list[tuple[str, str, int, int]]) -> list[Event]:
    """What is told of two devices of one person, also by somebody else; then the erasure."""
    found, at, both = list[Event](), NOON, dict[str, Any]()
    for number, (kind, device, after, _) in enumerate(story):
        at += abs(after)
        time, name = at + min(after, 0), f"e{number}"
        both = {"anonymous_id": device, "id": name}
        found.append(
            {
                "said": an_event("identify", at=time, **both),
                "both": a_view("p1", at=time, **both),
                "anonymous": an_add("p2", at=time, person=device, id=name),
                "known": an_add("p3", at=time, id=name),
                "other": an_event("identify", at=time, person="u2", **both),
                "erase": an_erase(time, id=name),
                "erase_both": an_erase(time, **both),
            }[kind]
        )
    return [*found, an_erase(at + HOUR, id="last")]


@settings(max_examples=200, deadline=None)
@given(told, st.integers(0, 10 * MINUTE))
def test_whatever_has_happened_nothing_leads_to_the_erased(
    story: list[tuple[str, str, int, int]], lateness: int
) -> None:
    """However it is mixed and however slowly it crosses: when all has crossed, no id is the person's."""
    lanes = Lanes(shipped(CART), lateness=lateness)
    for event, (*_, crosses) in zip(events_of(story), [*story, ("", "", 0, 0)], strict=True):
        lanes.read(event).cross(crosses).stored()
    lanes.until(NOON + DAY).until(NOON + DAY + 1)
    assert not lanes.on_the_way
    assert not leads_to(lanes, "u1")
    blank = Journey(person="u1")
    for name in ("carts", "products", "tallies", "episodes", "joined", "anonymous_id"):
        assert getattr(lanes.lanes[1].journeys["u1"], name) == getattr(blank, name), name
