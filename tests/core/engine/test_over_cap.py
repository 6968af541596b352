"""What becomes of a message that a cap stops: dropped, deferred until there is room, or sent elsewhere."""

from __future__ import annotations

from retarget.engine.gates import WAITING_AT_MOST
from retarget.engine.policy import Cap, Policy, QuietHours
from retarget.rules.model import Rule
from retarget.times import DAY, HOUR, MINUTE, format_time, parse_time
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, a_consent, a_profile, a_view, an_event

MORNING = NOON + 20 * HOUR  # 08:00
ONCE = (Cap(1, 10 * HOUR),)


def at_every_view(*channels: str, **keys: object) -> Rule:
    """A rule that writes at every view of a product, on the first of the channels."""
    steps = [{"channels": list(channels or ("email",)), "template": "x"}]
    return a_rule(
        **{"rule": "every_view", "subject": "product", "event": "view", "description": "x", "steps": steps}
        | keys
    )


def sent(shop: Shop) -> list[tuple[str, str, str]]:
    """What was sent: when, to which product, and how."""
    return [(m["decided_at"][5:16], m["subject"]["id"], m["channel"]) for m in shop.sent()]


def sleepy(**changes: object) -> Policy:
    """The night is from 21 to 8, and ends for everybody at one moment."""
    return a_policy(quiet_hours=QuietHours(spread=0), **changes)


def test_a_deferred_message_leaves_when_the_cap_has_room() -> None:
    """The record says until when it waits; the final one has the same id."""
    rule = at_every_view(over_cap="defer", expires="2d")
    shop = Shop([rule], a_policy(caps_total=ONCE)).read(a_view("p1", at=NOON), a_view("p2", at=NOON + HOUR))
    shop.until(NOON + DAY)
    assert sent(shop) == [("03-01T12:00", "p1", "email"), ("03-01T22:00", "p2", "email")]
    first, last = shop.decisions[1:]
    assert (first["outcome"], first["reason"], first["release"]) == (
        "deferred",
        "cap",
        format_time(NOON + 10 * HOUR),
    )
    assert (last["outcome"], last["decision_id"]) == ("sent", first["decision_id"])


def test_room_at_night_waits_for_the_morning() -> None:
    """Room comes at 22:00, when nobody is woken: it leaves at eight."""
    rule = at_every_view(over_cap="defer", expires="2d")
    shop = Shop([rule], sleepy(caps_total=ONCE)).read(a_view("p1", at=NOON), a_view("p2", at=NOON + HOUR))
    assert shop.decisions[-1]["release"] == format_time(MORNING)
    assert sent(shop.until(NOON + DAY))[1:] == [("03-02T08:00", "p2", "email")]


def test_what_would_have_expired_by_the_morning_is_dropped_at_once() -> None:
    """Room comes in time, but at night; there is no use in waiting for the morning."""
    rule = at_every_view(over_cap="defer", expires="15h")
    shop = Shop([rule], sleepy(caps_total=ONCE)).read(a_view("p1", at=NOON), a_view("p2", at=NOON + HOUR))
    assert [(d["outcome"], d["reason"]) for d in shop.decisions[1:]] == [("suppressed", "cap")]


def test_room_for_one_is_taken_by_one() -> None:
    """Of two that wait for the same room one leaves; the other one waits for the next."""
    rule = at_every_view(over_cap="defer", expires="3d")
    views = [a_view(f"p{n}", at=NOON + n) for n in range(3)]
    shop = Shop([rule], a_policy(caps_total=ONCE)).read(*views).until(NOON + 3 * DAY)
    assert [day for day, _, _ in sent(shop)] == ["03-01T12:00", "03-01T22:00", "03-02T08:00"]
    assert len(shop.decisions) == 5, "one record when it is first deferred, and a final one"


def test_at_release_everything_is_judged_anew() -> None:
    """Consent that was taken back, and an ending, count while a message waits."""
    rule = at_every_view(over_cap="defer", expires="2d")
    views = [a_view("p1", at=NOON), a_view("p2", at=NOON + 1)]
    taken_back = Shop([rule], a_policy(caps_total=ONCE)).read(*views, a_consent("denied", at=NOON + HOUR))
    sends = [d for d in taken_back.until(NOON + DAY).final() if d["operation"] == "send"]
    assert [d["reason"] for d in sends][1:] == ["no_consent"]
    forgotten = Shop([rule], a_policy(caps_total=ONCE)).read(*views, an_event("erase", at=NOON + HOUR))
    sends = [d for d in forgotten.until(NOON + DAY).final() if d["operation"] == "send"]
    assert [d["reason"] for d in sends][1:] == ["closed"]


def test_what_would_have_expired_by_then_is_dropped_at_once() -> None:
    """There is no use in waiting for room that comes too late, nor where there will never be any."""
    views = [a_view("p1", at=NOON), a_view("p2", at=NOON + HOUR)]
    short = at_every_view(over_cap="defer", expires="9h")
    assert [d["reason"] for d in Shop([short], a_policy(caps_total=ONCE)).read(*views).decisions] == [
        None,
        "cap",
    ]
    longer = at_every_view(over_cap="defer", expires="9h 1s")
    assert len(sent(Shop([longer], a_policy(caps_total=ONCE)).read(*views).until(NOON + DAY))) == 2
    never = Shop([longer], a_policy(caps_total=(Cap(0, HOUR),))).read(*views)
    assert [d["reason"] for d in never.decisions] == ["cap", "cap"]
    asked = a_profile(preference={"max_per_week": 0})
    nothing = Shop([longer]).read(asked, *views)
    assert [d["reason"] for d in nothing.decisions] == ["cap", "cap"]


def test_only_so_many_wait() -> None:
    """Whoever looks at everything has a journey of bounded size."""
    rule = at_every_view(over_cap="defer", expires="2d")
    views = [a_view(f"p{n}", at=NOON + n) for n in range(100)]
    shop = Shop([rule], a_policy(caps_total=ONCE)).read(*views)
    assert len(shop.lane.journeys["u1"].deferred) == WAITING_AT_MOST
    assert sum(d["outcome"] == "suppressed" for d in shop.decisions) == 99 - WAITING_AT_MOST


def test_the_next_channel_with_room_takes_over() -> None:
    """A cap on one channel moves the message on; a cap on all of them stops it."""
    rule = at_every_view("push", "sms", "email", over_cap="next_channel")
    caps = {"push": ONCE, "sms": (Cap(0, HOUR),)}
    views = [a_view(f"p{n}", at=NOON + n) for n in range(4)]
    shop = Shop([rule], a_policy(caps=caps)).read(*views)
    assert [channel for _, _, channel in sent(shop)] == ["push", "email", "email"]
    last = shop.decisions[-1]
    assert (last["outcome"], last["reason"], last["channel"]) == ("suppressed", "cap", "push")
    looked_at = [gate for gate in shop.decisions[1]["gates"] if gate["gate"] == "cap"]
    assert [gate["value"] for gate in looked_at] == [1, 0, [1, 1]], "each channel's cap is in the record"


def test_the_next_channel_is_one_that_may_be_used() -> None:
    """Channels without consent or address are passed over, as ever."""
    rule = at_every_view("push", "email", "sms", over_cap="next_channel")
    policy = a_policy(caps={"push": ONCE})
    no_mail = a_consent("denied", channel="email", at=NOON - HOUR)
    shop = Shop([rule], policy).read(no_mail, a_view("p1", at=NOON), a_view("p2", at=NOON + 1))
    assert [channel for _, _, channel in sent(shop)] == ["push", "sms"]


def test_the_next_channel_wakes_nobody() -> None:
    """A page may speak at night; where its cap sends a message on to mail, that waits for the morning."""
    rule = at_every_view("onsite", "email", over_cap="next_channel")
    policy = sleepy(caps={"onsite": ONCE})
    night = NOON + 10 * HOUR
    shop = Shop([rule], policy).read(a_view("p1", at=night), a_view("p2", at=night + MINUTE))
    assert shop.decisions[-1]["reason"] == "quiet_hours"
    assert parse_time(shop.decisions[-1]["release"]) == MORNING
    shop.until(MORNING)
    # At eight the page has room again: everything is judged anew, the choice of the channel too.
    assert sent(shop)[1:] == [("03-02T08:00", "p2", "onsite")]
