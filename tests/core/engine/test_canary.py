"""A canary: some people get the new version, all others have it in shadow, where it changes nothing."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from retarget.engine.gates import ASLEEP_AT_MOST
from retarget.engine.policy import Cap, QuietHours
from retarget.rules.model import Pause
from retarget.times import DAY, HOUR, MINUTE
from streams.lanes.rollout import NOTHING, Rollout, part
from tests.core.engine.test_on_change import FIRST, PATIENT, SHIPPED, SHORT, another, versions
from tests.core.shop import Shop, a_policy, shipped
from tests.factories import NOON, a_purchase, a_view, an_add

OTHERS: Final = tuple(rule for rule in shipped() if rule.name != SHIPPED.name)
SLOW: Final = another(SHIPPED, HOUR)
TENTH: Final = Rollout(canary=(SLOW,), share=0.1)
SALT: Final = a_policy().hold_out_salt
PEOPLE: Final = tuple(f"u{number}" for number in range(1000))


def chosen(rollout: Rollout, *, canary: bool) -> str:
    """Somebody in the canary, or outside."""
    drawn = part((SHIPPED,), rollout.canary, rollout.share)
    return next(person for person in PEOPLE if drawn.has(person, SALT) is canary)


INSIDE: Final = chosen(TENTH, canary=True)
OUTSIDE: Final = chosen(TENTH, canary=False)


def a_shop(rollout: Rollout = TENTH, **policy: object) -> Shop:
    """The cart's rule with a canary."""
    return Shop([SHIPPED], a_policy(**policy), rollout=rollout)


def told(shop: Shop, *, shadow: bool) -> list[tuple[int, str, str]]:
    """Step, outcome and version of decisions on messages, in shadow or not."""
    return [
        (d["step"], d["reason"] or d["outcome"], d["rule_version"])
        for d in shop.decisions
        if d["shadow"] is shadow and d["operation"] == "send"
    ]


def test_inside_the_new_version_decides_and_the_old_is_silent() -> None:
    """Nothing of it is in shadow."""
    shop = a_shop().read(an_add(at=NOON, person=INSIDE)).until(NOON + 30 * DAY)
    assert told(shop, shadow=False) == [(step, "sent", SLOW.version) for step in (1, 2, 3)]
    assert told(shop, shadow=True) == []
    assert {m["rule_version"] for m in shop.messages} == {SLOW.version}


def test_outside_the_old_version_decides_and_the_new_does_so_in_shadow() -> None:
    """At its own time, with a record for each step, without a message."""
    shop = a_shop().read(an_add(at=NOON, person=OUTSIDE)).until(NOON + 45 * MINUTE)
    assert (told(shop, shadow=False), told(shop, shadow=True)) == ([(1, "sent", SHIPPED.version)], [])
    shop.until(NOON + 30 * DAY)
    assert told(shop, shadow=True) == [(step, "sent", SLOW.version) for step in (1, 2, 3)]
    assert {m["rule_version"] for m in shop.messages} == {SHIPPED.version}
    shadows = [d for d in shop.decisions if d["shadow"]]
    assert all(d["message_id"] is None and d["rule"] == "abandoned_cart" for d in shadows)
    ids = [d["decision_id"] for d in shop.decisions]
    assert len(set(ids)) == len(ids)
    assert shop.counts["shadow", "abandoned_cart", "sent", ""] == len(shadows)
    assert sum(n for key, n in shop.counts.items() if key[0] == "decision") == len(ids) - len(shadows)


def test_an_ending_ends_what_is_in_shadow_without_a_recall_of_its_own() -> None:
    """The message of the old version is recalled once; the new one's episode is over."""
    shop = a_shop().read(an_add(at=NOON, person=OUTSIDE)).until(NOON + 70 * MINUTE)
    shop.read(a_purchase(at=NOON + 2 * HOUR, person=OUTSIDE)).until(NOON + 30 * DAY)
    assert told(shop, shadow=True) == [(1, "sent", SLOW.version)]
    assert len(shop.sent(operation="recall")) == 1
    assert not shop.lane.journeys[OUTSIDE].episodes


def test_in_shadow_caps_see_what_other_rules_have_sent_and_not_the_twin() -> None:
    """One message a day: the live one does not stop the shadow of the same rule, another rule's does."""
    caps = {"cart": (Cap(1, DAY),)}
    alone = a_shop(caps=caps).read(an_add(at=NOON, person=OUTSIDE)).until(NOON + 2 * HOUR)
    assert told(alone, shadow=True) == [(1, "sent", SLOW.version)]

    other = replace(SHIPPED, name="other_cart", version="other", priority=90)
    both = Shop([SHIPPED, other], a_policy(caps=caps), rollout=Rollout((), (SLOW, other), 0.1))
    drawn = part((SHIPPED, other), (SLOW, other), 0.1)
    person = next(one for one in PEOPLE if not drawn.has(one, SALT))
    both.read(an_add(at=NOON, person=person)).until(NOON + 2 * HOUR)
    assert told(both, shadow=True) == [(1, "cap", SLOW.version)]


def in_the_evening() -> Shop:
    """A cart shortly before the night: the reminders of both versions wait for the morning."""
    shop = a_shop(quiet_hours=QuietHours(spread=1))
    return shop.read(an_add(at=NOON + 9 * HOUR, person=OUTSIDE))


def test_what_would_be_deferred_is_looked_at_again() -> None:
    """In shadow a message waits for the morning as others do, and its decision has a second, final record."""
    shop = in_the_evening().until(NOON + 23 * HOUR)
    assert [d["shadow"] for d in shop.decisions if d["outcome"] == "deferred"] == [False, True]
    assert told(shop, shadow=True) == [(1, "quiet_hours", SLOW.version), (1, "sent", SLOW.version)]
    shadows = [d for d in shop.decisions if d["shadow"] and d["operation"] == "send"]
    assert len({d["decision_id"] for d in shadows}) == 1
    assert all(d["message_id"] is None and d["rule"] == SLOW.name for d in shadows)
    assert {m["rule_version"] for m in shop.messages} == {SHIPPED.version}
    assert shop.lane.journeys[OUTSIDE].deferred == []


def test_what_ends_in_the_night_ends_for_the_shadow_too() -> None:
    """In the morning it is closed, as the message of the version in force is."""
    shop = in_the_evening().read(a_purchase(at=NOON + 12 * HOUR, person=OUTSIDE)).until(NOON + 23 * HOUR)
    assert told(shop, shadow=True)[1:] == [(1, "closed", SLOW.version)]
    assert told(shop, shadow=False)[1:] == [(1, "closed", SHIPPED.version)]


def test_what_waits_in_shadow_goes_with_the_canary() -> None:
    """Promoted in the night: nothing of the shadow is told in the morning."""
    shop = in_the_evening().until(NOON + 12 * HOUR).under([SHIPPED]).until(NOON + 23 * HOUR)
    assert told(shop, shadow=True) == []
    assert told(shop, shadow=False) == [(1, "sent", SHIPPED.version)]


def test_what_waits_in_shadow_bids_for_itself_alone() -> None:
    """It is outbid by a live message of another rule that is worth more, and outbids nobody."""
    better = replace(SHIPPED, name="better_cart", version="better", priority=99)
    worse = replace(SHIPPED, name="worse_cart", version="worse", priority=1)
    for rival, shadow in ((better, "outbid"), (worse, "sent")):
        live = [SHIPPED, rival]
        rollout = Rollout(canary=(another(SHIPPED, 31 * MINUTE, priority=95), rival), share=0.1)
        drawn = part((SHIPPED, rival), rollout.canary, 0.1)
        person = next(one for one in PEOPLE if not drawn.has(one, SALT))
        with_it, without = (
            Shop(live, a_policy(arbitration=HOUR), rollout=one)
            .read(an_add(at=NOON, person=person))
            .until(NOON + 4 * HOUR)
            for one in (rollout, NOTHING)
        )
        assert told(with_it, shadow=False) == told(without, shadow=False)
        assert [reason for _, reason, _ in told(with_it, shadow=True)] == ["outbid", shadow]


def test_what_waits_in_shadow_takes_no_place_of_a_live_message() -> None:
    """However many wait in shadow: of those that a person may have waiting they are none."""
    shop = in_the_evening()
    journey = shop.until(NOON + 11 * HOUR).lane.journeys[OUTSIDE]
    (shadow,) = [one for one in journey.deferred if one.shadow]
    journey.deferred += [
        replace(shadow, subject=f"c{n}", release=NOON + 90 * DAY) for n in range(ASLEEP_AT_MOST)
    ]
    shop.read(an_add(at=NOON + 11 * HOUR + MINUTE, person=OUTSIDE, cart_id="another")).until(NOON + 14 * HOUR)
    waiting = [d["subject"]["id"] for d in shop.decisions if d["outcome"] == "deferred" and not d["shadow"]]
    assert waiting == ["", "another"]


def test_in_shadow_nobody_is_spared_anything() -> None:
    """`pauses` of the new version has no effect."""
    pausing = another(SLOW, purpose="service", pauses=Pause(purpose="marketing", lasts=7 * DAY))
    shop = a_shop(Rollout(canary=(pausing,), share=0.1)).read(an_add(at=NOON, person=OUTSIDE))
    shop.until(NOON + 30 * DAY)
    assert shop.lane.journeys[OUTSIDE].pauses == {}
    assert told(shop, shadow=False) == [(step, "sent", SHIPPED.version) for step in (1, 2, 3)]


def test_who_is_inside_stays_inside_when_the_share_grows() -> None:
    """About as many as were asked for; others with another salt."""
    tenth, half = part((SHIPPED,), (SLOW,), 0.1), part((SHIPPED,), (SLOW,), 0.5)
    few = {person for person in PEOPLE if tenth.has(person, SALT)}
    many = {person for person in PEOPLE if half.has(person, SALT)}
    assert 60 < len(few) < 140
    assert 430 < len(many) < 570
    assert few < many
    assert few != {person for person in PEOPLE if tenth.has(person, "other")}
    again = part((SHIPPED,), (another(SLOW, 2 * HOUR),), 0.1)
    assert few == {person for person in PEOPLE if again.has(person, SALT)}


def test_a_canary_that_ends_leaves_no_shadow_behind() -> None:
    """Promoted or withdrawn: what was open in shadow is gone, what is live goes on."""
    before = a_shop().read(an_add(at=NOON, person=OUTSIDE)).until(NOON + 70 * MINUTE)
    for rules in ([SLOW], [SHIPPED]):
        after = before.under(rules).until(NOON + 3 * DAY)
        assert told(after, shadow=True) == []
        assert [step for step, _, _ in told(after, shadow=False)] == [2]
        assert list(after.lane.journeys[OUTSIDE].episodes) == ["abandoned_cart"]


def test_finish_holds_when_people_change_sides() -> None:
    """Into the canary and out of it again: what was opened goes on as it began."""
    into = Rollout(canary=(PATIENT,), share=0.1)
    before = Shop([FIRST], a_policy()).read(an_add(at=NOON, person=INSIDE))
    inside = before.under([FIRST], rollout=into).until(NOON + 45 * MINUTE)
    assert versions(inside) == [(1, "sent", FIRST.version)]

    opened = Shop([FIRST], a_policy(), rollout=into).read(an_add(at=NOON, person=INSIDE))
    outside = opened.under([FIRST], rollout=Rollout(former=(PATIENT,))).until(NOON + 61 * MINUTE)
    assert versions(outside) == [(1, "sent", PATIENT.version)]
    less = opened.under([FIRST], rollout=Rollout(canary=(PATIENT,), share=0.0001)).until(NOON + 61 * MINUTE)
    assert versions(less) == [(1, "sent", PATIENT.version)]


def test_a_new_rule_is_in_shadow_outside_and_a_rule_that_goes_is_silent_inside() -> None:
    """The canary may add and remove rules."""
    new = replace(SHORT, name="new_cart", version="new")
    rollout = Rollout(canary=(new,), share=0.1)
    policy, drawn = a_policy(), part((SHIPPED,), (new,), 0.1)
    for canary in (True, False):
        person = next(one for one in PEOPLE if drawn.has(one, SALT) is canary)
        shop = Shop([SHIPPED], policy, rollout=rollout).read(an_add(at=NOON, person=person))
        shop.until(NOON + HOUR)
        live = {d["rule"] for d in shop.decisions if not d["shadow"]}
        shadow = {d["rule"] for d in shop.decisions if d["shadow"]}
        expected = ({"new_cart"}, set()) if canary else ({"abandoned_cart"}, {"new_cart"})
        assert (live, shadow) == expected


def test_held_endings_are_known_early_inside() -> None:
    """What ends only the canary's rules is held for it, too."""
    ending = another(SHIPPED, unless=(*SHIPPED.unless, replace(SHIPPED.unless[0], event="chat")))
    rollout = Rollout(canary=(ending,), share=0.1)
    shop = Shop([SHIPPED], a_policy(), lateness=HOUR, rollout=rollout)
    person = chosen(rollout, canary=True)
    chat = {"id": "c", "type": "chat", "time": NOON + 40 * MINUTE, "user_id": person}
    shop.read(an_add(at=NOON, person=person), chat, a_view(at=NOON + 95 * MINUTE, person="v9"))
    assert told(shop, shadow=False) == [(1, "closed", ending.version)]
