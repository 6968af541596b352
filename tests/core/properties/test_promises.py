"""What people are promised over any history: the caps, nothing after they bought, nothing twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any, Final, get_args
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from retarget.engine.gates import SILENT_CHANNELS
from retarget.engine.policy import Cap, QuietHours
from retarget.rules.model import NEVER, OverCap, Rule
from retarget.times import DAY, HOUR, MINUTE, SECOND, parse_time
from tests.core.shop import Shop, a_policy, a_rule, shipped
from tests.factories import Event
from tests.oracle.histories import START, histories, random_history

ORDERS: Final = st.sampled_from([(0, 0), (60 * SECOND, 60 * SECOND), (90 * MINUTE, 2 * SECOND)])
ENDED_BY: Final = {
    "abandoned_cart": {"purchase"},
    "abandoned_checkout": {"purchase"},
    "browse_abandonment": {"purchase", "add", "cart", "checkout"},
}
# Rules that would write at every look: only caps stand between them and the person.
EAGER: Final = (
    a_rule(
        rule="eager", subject="person", event="view", again="0s", description="x", tags=["eager"],
        steps=[{"channels": ["email"], "template": "x"}],
    ),
    a_rule(
        rule="eager_cart", subject="product", event="add", again="0s", description="x", priority=10,
        steps=[{"channels": ["push"], "template": "x"}],
    ),
    a_rule(
        rule="eager_price", subject="product", catalogue={"of": "price", "within": "30d"}, again="0s",
        description="x", priority=99, steps=[{"channels": ["push", "email"], "template": "x"}],
    ),
)  # fmt: skip


OVER_CAP: Final = st.sampled_from(get_args(OverCap))
ZONES: Final = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC")


def going(over_cap: OverCap) -> list[Rule]:
    """All rules, with that over their caps and an expiry, without which nothing may wait."""
    return [replace(rule, over_cap=over_cap, expires=2 * DAY) for rule in (*shipped(), *EAGER)]


@st.composite
def inputs(draw: st.DrawFn) -> tuple[list[Event], int]:
    """A history without repeats, short or long or over many years, and the lateness it is read with."""
    displaced, lateness = draw(ORDERS)
    if draw(st.booleans()):
        events = draw(histories(max_events=40, displaced_ms=displaced, listed=True))
    else:
        seed, long_gaps = draw(st.integers(0, 10**6)), draw(st.booleans())
        events = random_history(
            seed, 120, displaced_ms=displaced, long_gaps=long_gaps, listed=draw(st.booleans())
        )
    stretch = draw(st.sampled_from([1, 1, 20]))
    events = [event | {"time": START + (event["time"] - START) * stretch} for event in events]
    return list({event["id"]: event for event in reversed(events)}.values())[::-1], lateness


def leaves(message: dict[str, Any]) -> int:
    """When a message was judged, ms; what the catalogue says of a time to come is judged for that time."""
    return max(parse_time(message["decided_at"]), parse_time(message["due"]))


def times_of(messages: Iterable[dict[str, Any]]) -> dict[str, list[int]]:
    """When each person was written to, ms."""
    found = defaultdict(list)
    for message in messages:
        found[message["person"]].append(leaves(message))
    return found


def assert_capped(messages: Iterable[dict[str, Any]], most: int, within: int) -> None:
    """At most `most` marketing messages of one person lie in any (t - within, t]."""
    for person, times in times_of(m for m in messages if m["purpose"] == "marketing").items():
        for end in times:
            assert len([t for t in times if end - within < t <= end]) <= most, (person, end)


@given(inputs(), st.booleans(), OVER_CAP)
@settings(max_examples=150)
def test_caps_are_never_exceeded(
    given_: tuple[list[Event], int],
    sleeps: bool,  # noqa: FBT001
    over_cap: OverCap,
) -> None:
    """Three in a day, eight in a week, and what a tag allows: in every window, also after a quiet night."""
    events, lateness = given_
    caps = {"eager": (Cap(1, 2 * HOUR),), "push": (Cap(2, DAY),), "direct_mail": (Cap(1, 30 * DAY),)}
    policy = a_policy(caps=caps, quiet_hours=QuietHours(enabled=sleeps))
    shop = Shop(going(over_cap), policy, lateness=lateness).read(*events).end()
    sent = [m for m in shop.sent() if m["purpose"] == "marketing"]
    assert_capped(sent, 3, DAY)
    assert_capped(sent, 8, 7 * DAY)
    assert_capped([m for m in sent if m["channel"] == "push"], 2, DAY)
    assert_capped([m for m in sent if m["rule"] == "eager"], 1, 2 * HOUR)
    assert_capped([m for m in sent if m["channel"] == "direct_mail"], 1, 30 * DAY)


@given(inputs(), OVER_CAP, st.sampled_from([0, 1, 30 * MINUTE]), st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_nobody_is_woken_at_night(
    given_: tuple[list[Event], int], over_cap: OverCap, spread: int, random: Random
) -> None:
    """Whatever caps and nights put off, all leaves from eight to nine by the person's own clock."""
    events, lateness = given_
    events, zones = with_zones(events, random)
    caps = {"eager": (Cap(1, 5 * HOUR),), "push": (Cap(1, 3 * HOUR),), "onsite": (Cap(1, DAY),)}
    policy = a_policy(caps=caps, caps_total=(Cap(2, 7 * HOUR),), quiet_hours=QuietHours(spread=spread))
    shop = Shop(going(over_cap), policy, lateness=lateness).read(*events).end()
    assert_awake(shop, zones)


def with_zones(events: list[Event], random: Random) -> tuple[list[Event], dict[str, str]]:
    """The events where each person lives in a zone of their own, and these zones."""
    zones = {f"u{n}": random.choice(ZONES) for n in range(20)} | {f"a{n}": "UTC" for n in range(20)}
    placed = [
        event | {"geo": {"timezone": zones[event.get("user_id") or event.get("anonymous_id") or "u1"]}}
        for event in events
        if event["type"] != "profile"
    ]
    return placed, zones


def assert_awake(shop: Shop, zones: Mapping[str, str]) -> None:
    """Everything that makes a sound left by day, on the clocks where its person lives."""
    for message in shop.sent():
        if message["channel"] not in SILENT_CHANNELS:
            at = datetime.fromtimestamp(leaves(message) / 1000, tz=UTC)
            assert 8 <= at.astimezone(ZoneInfo(zones[message["person"]])).hour < 21, message


@given(inputs(), OVER_CAP, st.booleans())
@settings(max_examples=100)
def test_nobody_is_written_to_without_consent(
    given_: tuple[list[Event], int],
    over_cap: OverCap,
    assumed: bool,  # noqa: FBT001
) -> None:
    """Of the words that had been applied by a send, the latest that covers its channel is `granted`."""
    events = sorted(given_[0], key=lambda event: int(event["time"]))
    policy = a_policy(consent_assumed=assumed, quiet_hours=QuietHours(), caps_total=(Cap(1, 7 * HOUR),))
    assert_agreed(Shop(going(over_cap), policy).read(*events).end(), events, assumed=assumed)


def assert_agreed(shop: Shop, events: list[Event], *, assumed: bool) -> None:
    """By the last word before it everybody had agreed to what was sent; the events are in order of time."""
    for message in (m for m in shop.sent() if m["purpose"] == "marketing"):
        state = "granted" if assumed else "denied"
        for event in events:
            said = event.get("consent", {})
            own = message["person"] in (event.get("user_id"), event.get("anonymous_id"))
            if own and said.get("channel") == message["channel"]:
                before = event["time"] < parse_time(message["decided_at"])
                state = said["state"] if before else state
        known = {e["consent"]["state"] for e in events if e["time"] == parse_time(message["decided_at"])
                 and e["type"] == "consent"}  # fmt: skip
        assert state == "granted" or "granted" in known, message


@given(inputs())
@settings(max_examples=150)
def test_nobody_is_written_to_after_an_ending_that_was_known(given_: tuple[list[Event], int]) -> None:
    """Whoever has bought, as far as was read when the clock came to the message, does not get it."""
    events, lateness = given_
    shop = Shop(lateness=lateness).read(*events).end()
    times = {event["id"]: event["time"] for event in events}
    for decision in shop.final():
        if (
            decision["outcome"] != "sent"
            or decision["operation"] != "send"
            or decision["rule"] not in ENDED_BY
        ):
            continue
        opened = times[decision["evidence"][0]]
        due, latest, known = parse_time(decision["due"]), -1, []
        for event in events:
            if event["type"] != "catalogue":
                latest = max(latest, event["time"])
            if latest - lateness >= due:
                break
            known.append(event)
        bought = [
            event
            for event in known
            if event.get("user_id", event.get("anonymous_id")) == decision["person"]
            and event["type"] in ENDED_BY[decision["rule"]]
            and event["time"] > opened
        ]
        assert not bought, (decision, bought)


@given(inputs(), st.booleans())
def test_again_is_respected(given_: tuple[list[Event], int], agreed: bool) -> None:  # noqa: FBT001
    """Between two decisions about the same thing lies at least `again`, whatever became of the first."""
    events, lateness = given_
    shop = Shop(policy=a_policy(consent_assumed=agreed), lateness=lateness).read(*events).end()
    again = {rule.name: rule.again for rule in shipped()}
    passed: dict[tuple[str, str, str], int] = {}
    for decision in shop.final():
        if (
            decision["step"] > 1
            or decision["operation"] != "send"
            or decision.get("reason") in ("again", "closed")
        ):
            continue
        about = decision["rule"], decision["person"], decision["subject"]["id"]
        at = leaves(decision)
        if about in passed:
            assert again[about[0]] != NEVER
            assert at - passed[about] >= again[about[0]]
        passed[about] = at


@given(inputs())
def test_a_person_is_in_one_stage_audience_at_most(given_: tuple[list[Event], int]) -> None:
    """Whoever follows the `ads` messages of `ad_stage` never has a person in two audiences."""
    events, lateness = given_
    shop = Shop(lateness=lateness).read(*events).end()
    joined: dict[str, set[str]] = defaultdict(set)
    for message in shop.messages:
        if message["rule"] == "ad_stage":
            change = joined[message["person"]]
            (change.add if message["operation"] == "add" else change.remove)(message["audience"])
            assert len(change) <= 1
    for person, audiences in joined.items():
        journey = shop.lane.journeys.get(person)
        kept = {m.audience for m in journey.audiences if m.rule == "ad_stage"} if journey else set()
        assert kept == audiences


@given(inputs())
def test_every_message_has_an_id_of_its_own(given_: tuple[list[Event], int]) -> None:
    """No two messages share an id, every message has its decision, and a recall names what it recalls."""
    events, lateness = given_
    shop = Shop(lateness=lateness).read(*events).end()
    ids = [message["message_id"] for message in shop.messages]
    assert len(set(ids)) == len(ids)
    decided = {d["message_id"] for d in shop.decisions if d.get("message_id")}
    assert decided == set(ids)
    sent = {m["message_id"] for m in shop.messages if m["operation"] in ("send", "add")}
    assert all(m["recall_of"] in sent for m in shop.messages if m["operation"] in ("recall", "remove"))
