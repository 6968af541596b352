"""An anonymous person turns out to be a known one: one history, in one lane, from then on."""

from __future__ import annotations

import pytest

from retarget.engine.policy import Cap, QuietHours
from retarget.times import DAY, HOUR, MINUTE, SECOND
from tests.core.lanes import Lanes
from tests.core.shop import Shop, a_policy, a_rule, shipped
from tests.factories import NOON, Event, a_consent, a_purchase, a_view, an_add, an_event

CART = frozenset({"abandoned_cart"})
VIEWS = frozenset({"repeated_view"})


def an_identify(at: int, anonymous: str = "a1", user: str = "u1", **fields: object) -> Event:
    """Somebody says who they are."""
    return an_event("identify", at=at, person=user, anonymous_id=anonymous, **fields)


def test_what_an_anonymous_person_did_is_the_known_ones() -> None:
    """The cart that was filled before the login is written about after it, once, to the known person."""
    lanes = Lanes(shipped(CART)).read(an_add("p1", person="a1"), an_identify(NOON + MINUTE)).cross()
    lanes.until(NOON + 10 * DAY)
    assert [(m["person"], m["step"]) for m in lanes.sent()] == [("u1", 1), ("u1", 2), ("u1", 3)]
    assert [p["product_id"] for p in lanes.sent()[0]["products"]] == ["p1"]
    assert lanes.counts["joined",] == 1
    assert "a1" not in lanes.lanes[0].journeys


def test_a_replay_does_the_same_in_one_lane() -> None:
    """Without other lanes the histories are put together on the spot."""
    shop = Shop(shipped(CART)).read(an_add("p1", person="a1"), an_identify(NOON + MINUTE))
    shop.until(NOON + 10 * DAY)
    assert [(m["person"], m["step"]) for m in shop.sent()] == [("u1", 1), ("u1", 2), ("u1", 3)]
    assert shop.counts["joined",] == 1


def test_any_event_with_both_ids_joins() -> None:
    """A view that shows both is as good as an identify, the first time."""
    both = a_view("p2", at=NOON + MINUTE, anonymous_id="a1")
    lanes = Lanes(shipped(CART)).read(an_add("p1", person="a1"), both).cross()
    lanes.read(a_view("p3", at=NOON + 2 * MINUTE, anonymous_id="a1"))
    assert not lanes.on_the_way
    assert set(lanes.lanes[1].journeys["u1"].carts[""]) == {"p1"}
    assert set(lanes.lanes[1].journeys["u1"].products) == {"p1", "p2", "p3"}


def test_later_anonymous_events_follow() -> None:
    """What comes under the anonymous id after that goes to the known person, once, with its own time."""
    lanes = Lanes(shipped(VIEWS)).read(a_view(person="a1"), an_identify(NOON + MINUTE)).cross().stored()
    again = a_view(person="a1", at=NOON + 2 * MINUTE)
    lanes.read(again, again, a_view(person="a1", at=NOON + 3 * MINUTE)).cross()
    assert [(m["person"], m["due"]) for m in lanes.sent()] == [("u1", "2024-03-01T12:03:00.000Z")]
    assert lanes.counts["sent_on", "redirect"] == 3
    assert lanes.counts["repeat",] == 1
    assert not lanes.lanes[0].journeys


def test_a_purchase_on_the_other_side_ends_what_waits() -> None:
    """Nobody is reminded of a cart that they have bought meanwhile under their other id."""
    events = [an_add("p1", person="a1"), a_purchase("p1", at=NOON + MINUTE), an_identify(NOON + 2 * MINUTE)]
    lanes = Lanes(shipped(CART)).read(*events).cross().until(NOON + 10 * DAY)
    assert not lanes.sent()
    assert not lanes.lanes[1].journeys["u1"].carts


def test_an_ending_on_the_other_side_ends_what_it_would_end_for_one_person() -> None:
    """A purchase of which nobody says what was bought leaves the cart as it is, and ends the reminder."""
    events = [an_add("p1", person="a1"), a_purchase(at=NOON + MINUTE), an_identify(NOON + 2 * MINUTE)]
    lanes = Lanes(shipped(CART)).read(*events).cross().until(NOON + 10 * DAY)
    assert not lanes.sent()
    assert set(lanes.lanes[1].journeys["u1"].carts[""]) == {"p1"}


def test_what_was_sent_before_an_ending_on_the_other_side_is_called_back() -> None:
    """The anonymous person was reminded of what the known one had bought by then."""
    token = an_event("profile", person="a1", traits={"push_token": "t"})
    events = [token, an_add("p1", person="a1"), a_purchase("p1", at=NOON + MINUTE)]
    lanes = Lanes(shipped(CART)).read(*events).until(NOON + HOUR)
    (reminder,) = lanes.sent()
    lanes.read(an_identify(NOON + 2 * HOUR)).cross()
    assert [m["recall_of"] for m in lanes.sent(operation="recall")] == [reminder["message_id"]]
    assert lanes.counts["recall", "abandoned_cart", "push", "regretted"] == 1


def test_a_recall_lies_where_its_message_lies() -> None:
    """Under the key of the id that it was sent to, whoever that is by now: there it may still wait."""
    token = an_event("profile", person="a1", traits={"push_token": "t"})
    lanes = Lanes(shipped(CART)).read(token, an_add("p1", person="a1")).until(NOON + HOUR)
    lanes.read(an_identify(NOON + 2 * HOUR)).cross().stored().until(NOON + 2 * HOUR)
    lanes.read(an_add("p2", at=NOON + 3 * DAY)).until(NOON + 3 * DAY + HOUR)
    lanes.read(a_purchase("p1", "p2", at=NOON + 3 * DAY + 2 * HOUR))
    recalls = lanes.sent(operation="recall")
    keys = [(lanes.keys[one["recall_of"]], lanes.keys[one["message_id"]]) for one in recalls]
    assert set(keys) == {("a1", "a1"), ("u1", "u1")}
    assert {one["person"] for one in recalls} == {"u1"}


def test_an_audience_is_left_where_it_was_joined() -> None:
    """Under the former id, before the history leaves: whoever takes it in finds the addition before it."""
    token = an_event("profile", person="a1", traits={"push_token": "t"})
    lanes = Lanes(shipped(CART)).read(token, an_add("p1", person="a1")).until(NOON + HOUR)
    lanes.read(an_identify(NOON + 2 * HOUR)).cross().until(NOON + DAY)
    assert [lanes.keys[m["message_id"]] for m in lanes.sent(operation="remove")] == ["a1"]
    assert {lanes.keys[m["recall_of"]] for m in lanes.sent(operation="remove")} == {"a1"}


def test_a_cart_that_was_touched_after_the_purchase_stays() -> None:
    """The purchase ends what was before it."""
    events = [a_purchase("p1"), an_add("p1", person="a1", at=NOON + MINUTE), an_identify(NOON + 2 * MINUTE)]
    lanes = Lanes(shipped(CART)).read(*events).cross().until(NOON + 10 * DAY)
    assert len(lanes.sent()) == 3


def test_nothing_that_either_side_sent_is_sent_again() -> None:
    """The anonymous person has been reminded; the known one, of whom the same waits, is not."""
    granted = a_policy(consent_assumed=True)
    token = an_event("profile", person="a1", traits={"push_token": "t"})
    events = [token, an_add("p1", person="a1"), an_add("p1", at=NOON + 10 * MINUTE)]
    lanes = Lanes(shipped(CART), granted).read(*events).until(NOON + 35 * MINUTE)
    assert [m["person"] for m in lanes.sent()] == ["a1"]
    lanes.read(an_identify(NOON + 36 * MINUTE)).cross().until(NOON + DAY)
    assert [(m["person"], m["step"]) for m in lanes.sent()] == [("a1", 1)]
    lanes.until(NOON + 10 * DAY)
    assert [(m["person"], m["step"]) for m in lanes.sent()] == [("a1", 1), ("u1", 2), ("u1", 3)]
    assert not lanes.counts["merge_double", "abandoned_cart"]


def test_what_one_side_was_sent_the_other_does_not_wait_for() -> None:
    """Also of a rule that may write as often as it likes: for one person it would have been one episode."""
    rule = a_rule(
        rule="hello",
        subject="product",
        quiet={"after": "10m", "opens": "view"},
        steps=[{"channels": ["push"], "template": "t"}],
    )
    token = an_event("profile", person="a1", traits={"push_token": "t"})
    lanes = Lanes([rule]).read(token, a_view(person="a1"), a_view(at=NOON + 5 * MINUTE))
    lanes.until(NOON + 11 * MINUTE).read(an_identify(NOON + 12 * MINUTE)).cross().until(NOON + DAY)
    assert [m["person"] for m in lanes.sent()] == ["a1"]


def test_what_waits_for_the_morning_on_both_sides_leaves_once() -> None:
    """Both deferrals have a final record under the id of the first one."""
    night = QuietHours(start=11 * 60, end=20 * 60)
    lanes = Lanes(shipped(CART), a_policy(quiet_hours=night))
    token = an_event("profile", person="a1", traits={"push_token": "t"})
    lanes.read(token, an_add("p1", person="a1"), an_add("p1", at=NOON + MINUTE)).until(NOON + HOUR)
    lanes.read(an_identify(NOON + 2 * HOUR)).cross().until(NOON + 12 * HOUR)
    waited = {d["decision_id"] for d in lanes.decisions if d["outcome"] == "deferred"}
    final = [d for d in lanes.decisions if d["outcome"] != "deferred" and d["operation"] == "send"]
    assert {d["decision_id"] for d in final} == waited
    assert sorted(d["reason"] or "sent" for d in final) == ["closed", "sent"]
    assert [(m["person"], m["step"]) for m in lanes.sent()] == [("u1", 1)]


def test_doubles_from_before_are_counted() -> None:
    """Both sides were reminded of the same before anybody knew that they are one."""
    token = an_event("profile", person="a1", traits={"push_token": "t"})
    lanes = Lanes(shipped(CART)).read(token, an_add("p1", person="a1"), an_add("p1")).until(NOON + HOUR)
    lanes.read(an_identify(NOON + 2 * HOUR)).cross()
    assert len(lanes.sent()) == 2
    assert lanes.counts["merge_double", "abandoned_cart"] == 1


def test_caps_count_what_both_have_been_sent() -> None:
    """Two messages to each side are four to the person."""
    policy = a_policy(caps_total=(Cap(2, DAY),))
    rule = a_rule(
        rule="hello", subject="product", event="view", steps=[{"channels": ["push"], "template": "t"}]
    )
    token = an_event("profile", person="a1", traits={"push_token": "t"})
    lanes = Lanes([rule], policy).read(token, a_view("p1", person="a1"), a_view("p2", person="u1"))
    lanes.read(an_identify(NOON + MINUTE)).cross().read(a_view("p3", at=NOON + 2 * MINUTE))
    assert [m["person"] for m in lanes.sent()] == ["a1", "u1"]
    assert [d["reason"] for d in lanes.decisions if d["outcome"] == "suppressed"] == ["cap"]


def test_consents_and_arms_survive() -> None:
    """The latest word decides, whoever it was said as; of arms the known person's own."""
    lanes = Lanes(shipped(CART), a_policy(hold_out=0.5))
    words = [a_consent("granted", at=NOON, person="u1"), a_consent("denied", at=NOON + 1, person="a1")]
    lanes.read(*words, an_add(person="a1", at=NOON + 2)).until(NOON + HOUR)
    arm = lanes.lanes[0].journeys["a1"].arms["global"]
    lanes.read(an_identify(NOON + HOUR + MINUTE)).cross()
    journey = lanes.lanes[1].journeys["u1"]
    assert not journey.consents["*|*"].granted
    assert journey.arms["global"] == arm


def test_two_known_people_are_never_one() -> None:
    """A shared phone: the second user gets what is done with it from then on, and none of the history."""
    lanes = Lanes(shipped(CART)).read(an_add("p1", person="a1"), an_identify(NOON + MINUTE)).cross()
    lanes.read(an_identify(NOON + HOUR, user="u2")).cross()
    lanes.read(a_view("p7", person="a1", at=NOON + 2 * HOUR), a_view("p8", person="a1", at=NOON + 2)).cross()
    first, second = (lanes.lanes[1].journeys[user] for user in ("u1", "u2"))
    assert set(first.products) == {"p1", "p8"}
    assert set(second.products) == {"p7"}
    lanes.read(an_identify(NOON + 3 * HOUR)).cross().read(
        a_view("p9", person="a1", at=NOON + 4 * HOUR)
    ).cross()
    assert "p9" in first.products
    assert lanes.counts["unjoined", "shared"] == 2


def test_a_known_id_as_anonymous_one_joins_nobody() -> None:
    """Whoever writes somebody else's user id into the other field does not get their history."""
    lanes = Lanes(shipped(CART)).read(an_add("p1", person="u2"), an_identify(NOON + MINUTE, "u2")).cross()
    assert "u2" in lanes.lanes[1].journeys
    assert not lanes.lanes[1].journeys["u1"].products
    assert lanes.counts["unjoined", "known"] == 1


@pytest.mark.parametrize("lane", [0, 1])
def test_ids_of_nobody_join_nobody(lane: int) -> None:
    """Where a producer writes `null` or `Guest` for a user it does not know, the anonymous id counts."""
    policy = a_policy(nobody=frozenset({"null", "guest", "all"}))
    lanes = Lanes(shipped(CART), policy)
    lanes.read(an_add("p1", person="Guest", anonymous_id="a1"), lane=lane).cross()
    lanes.read(an_add("p2", person="null", at=NOON + 1)).read(an_add("p3", person="all"), lane=0)
    lanes.read(an_identify(NOON + MINUTE, "all"))
    assert set(lanes.lanes[0].journeys) == {"a1"}
    assert set(lanes.lanes[1].journeys) == {"u1"}
    assert not lanes.on_the_way
    assert [letter["reason"] for letter in lanes.dead] == ["no_person", "no_person"]


def test_a_person_has_so_many_anonymous_ids_at_most() -> None:
    """A till meets thousands of devices; they are not one person."""
    lanes = Lanes(shipped(CART), a_policy(most_joined=2))
    for number in range(4):
        lanes.read(an_event("view", person=f"a{number}"), an_identify(NOON + number, f"a{number}"))
    lanes.cross().until(NOON + MINUTE)
    assert set(lanes.lanes[0].journeys) == {"a2", "a3"}
    assert lanes.counts["unjoined", "too_many"] == 2


@pytest.mark.parametrize("person", ["a1", "u1"])
def test_a_record_in_the_wrong_lane_is_sent_on_once(person: str) -> None:
    """Wherever a record with a wrong key, or without one, ends up: the person has one journey."""
    event = an_add("p1", person=person)
    wrong, right = (1, 0) if person == "a1" else (0, 1)
    lanes = Lanes(shipped(CART)).read(event, lane=wrong).cross().read(event)
    assert not lanes.lanes[wrong].journeys
    assert lanes.lanes[right].journeys[person].carts[""]["p1"].quantity == 1
    assert (lanes.counts["sent_on", "key"], lanes.counts["repeat",]) == (1, 1)


def test_what_was_written_twice_counts_once() -> None:
    """Without transactions a batch's crossings may be in the topic twice; they are numbered."""
    lanes = Lanes(shipped(CART)).read(an_add("p1", person="a1"), an_identify(NOON + MINUTE))
    lanes.on_the_way.append(lanes.on_the_way[0])
    lanes.cross(2)
    lanes.on_the_way.append(lanes.on_the_way[0])
    lanes.cross()
    assert lanes.lanes[1].journeys["u1"].carts[""]["p1"].quantity == 1
    assert lanes.counts["joined",] == 1


def test_a_word_waits_for_its_time() -> None:
    """What the anonymous person did until then leaves with the rest, though their lane is behind."""
    lanes = Lanes(shipped(CART), lateness=10 * SECOND)
    early = [a_view("p0", person="a9", at=NOON), an_identify(NOON + MINUTE), a_view(at=NOON + HOUR)]
    lanes.read(*early, beats=False).cross()
    lanes.read(an_add("p1", person="a1", at=NOON + 30 * SECOND), beats=False).cross()
    assert ("joined",) not in lanes.counts
    late = [an_add("p2", person="a1", at=NOON + 65 * SECOND), a_view(person="a9", at=NOON + 2 * MINUTE)]
    lanes.read(*late, beats=False).cross().read(a_view(at=NOON + 2 * HOUR))
    assert set(lanes.lanes[1].journeys["u1"].carts[""]) == {"p1", "p2"}
    assert lanes.counts["joined",] == 1


def test_whoever_is_in_an_audience_leaves_it_with_their_old_name() -> None:
    """The platform knows the anonymous person by another name, which is nobody's any more."""
    token = an_event("profile", person="a1", traits={"push_token": "t"})
    lanes = Lanes(shipped(CART)).read(token, an_add("p1", person="a1")).until(NOON + HOUR)
    lanes.read(an_identify(NOON + 2 * HOUR)).cross()
    operations = [
        (m["person"], m["operation"], m["audience"]) for m in lanes.messages if m["channel"] == "ads"
    ]
    assert operations == [("a1", "add", "cart-left"), ("a1", "remove", "cart-left")]


def test_a_redirect_is_forgotten_when_nobody_has_used_it_for_long() -> None:
    """Whoever comes with the id after that is somebody new; until then each use keeps it."""
    lanes = Lanes(shipped(CART)).read(an_identify(NOON)).cross()
    lanes.read(a_view(person="a1", at=NOON + 300 * DAY)).cross().until(NOON + 500 * DAY)
    assert set(lanes.lanes[0].redirects) == {"a1"}
    lanes.until(NOON + 740 * DAY)
    assert not lanes.lanes[0].redirects
    assert lanes.counts["dropped", "redirect"] == 1
    lanes.read(a_view(person="a1", at=NOON + 741 * DAY))
    assert set(lanes.lanes[0].journeys) == {"a1"}


def test_a_key_stays_under_its_id() -> None:
    """What was sealed for the anonymous id is still read there; no topic hears of the key."""
    lanes = Lanes(shipped(CART)).read(an_add("p1", person="a1"))
    lanes.lanes[0].journeys["a1"].key = b"the key of a1"
    lanes.read(an_identify(NOON + MINUTE)).cross().stored()
    assert lanes.lanes[0].redirects["a1"].key == b"the key of a1"
    assert lanes.lanes[1].journeys["u1"].products
    assert lanes.lanes[1].journeys["u1"].key == b""
    assert not any(b"the key of a1" in value for _, value in lanes.told)
