"""Caps, nights and consent hold of people who turn out to be somebody, move elsewhere, or unsubscribe."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from retarget.engine.gates import SILENT_CHANNELS
from retarget.engine.policy import Cap, QuietHours
from retarget.times import DAY, HOUR, MINUTE, parse_time
from tests.core.properties.test_promises import OVER_CAP, ZONES, going, leaves
from tests.core.shop import Shop, a_policy, zone_of
from tests.factories import Event
from tests.oracle.histories import random_history

CAPS: Final = {"eager": (Cap(1, 5 * HOUR),), "push": (Cap(2, DAY),)}
TOLD_ZONES: Final = (*ZONES, "Asia/Tokyo", "Mars/Olympus")
REFUSING: Final = {"unsubscribe": "email", "email_spam": "email"}
CHANGES: Final = (
    "zone",
    "zone",
    "zone",
    "identify",
    "alias",
    "unsubscribe",
    "unsubscribe",
    "granted",
    "email_spam",
)


class Story:
    """What happens in order of time, and whose each anonymous id is; its past is the first one's."""

    def __init__(self, events: list[Event]) -> None:
        self.events = sorted(events, key=lambda event: int(event["time"]))
        self.owners: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for event in self.events:
            if event["type"] in ("identify", "alias"):
                self.owners[event["anonymous_id"]].append((event["time"], event["user_id"]))

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.events))

    def whose(self, event: Event, at: int) -> tuple[str, bool]:
        """To whom an event belongs as known before `at`, and whether it became theirs by a merge alone."""
        own = str(event.get("user_id") or event.get("anonymous_id"))
        known = [one for one in self.owners.get(own, ()) if one[0] < at]
        if not known:
            return own, False
        since, first = known[0]
        latest = [user for time, user in known if time <= event["time"]]
        return latest[-1] if latest else first, event["time"] < since

    def ids_of(self, person: str, at: int) -> set[str]:
        """The person's own id, and those of which the past is theirs, as known before `at`."""
        return {person} | {
            one for one, ((since, user), *_) in self.owners.items() if user == person and since < at
        }

    def of(self, person: str, at: int) -> Iterator[tuple[Event, bool]]:
        """The events of a person as known at a time, each with whether a merge has brought it."""
        for event in self.events:
            whose, brought = self.whose(event, at)
            if whose == person:
                yield event, brought


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """A random history, in which people change in between."""
    seed, long_gaps = draw(st.integers(0, 10**6)), draw(st.booleans())
    events = random_history(seed, 120, long_gaps=long_gaps)
    events = [_anonymous(event) for event in {event["id"]: event for event in events}.values()]
    first, last = events[0]["time"], max(event["time"] for event in events)
    random = Random(seed)
    people = sorted({e[key] for e in events for key in ("user_id", "anonymous_id") if key in e})
    changes = draw(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=25))
    found = [_change(kind, n, random.randint(first, last), people, random) for n, kind in enumerate(changes)]
    return Story(events + [event for event in found if event is not None])


def _anonymous(event: Event) -> Event:
    """The same, where one of the three has not said who they are."""
    if event.get("user_id") != "u1":
        return event
    return {key: value for key, value in event.items() if key != "user_id"} | {"anonymous_id": "a1"}


def _change(kind: str, n: int, at: int, people: Sequence[str], random: Random) -> Event | None:
    who = random.choice(people)
    event: Event = {"id": f"x{n}", "type": kind, "time": at}
    event["anonymous_id" if who.startswith("a") else "user_id"] = who
    if kind == "zone":
        return event | {"type": "profile", "traits": {"timezone": random.choice(TOLD_ZONES)}}
    if kind == "granted":
        channel = random.choice(("email", "push"))
        said = {"purpose": "marketing", "channel": channel, "state": "granted"}
        return event | {"type": "consent", "consent": said}
    if kind in REFUSING:
        return event
    users, others = ([p for p in people if p.startswith(letter)] for letter in "ua")
    if not users or not others:
        return None
    return event | {"user_id": random.choice(users), "anonymous_id": random.choice(others)}


@given(stories(), OVER_CAP, st.booleans())
@settings(max_examples=120, deadline=None)
def test_caps_count_what_both_sides_were_sent(
    story: Story,
    over_cap: Any,  # noqa: ANN401 - a word of the rule language
    sleeps: bool,  # noqa: FBT001
) -> None:
    """Whoever turns out to be somebody brings along what they were sent: no cap is exceeded by that."""
    policy = a_policy(caps=CAPS, quiet_hours=QuietHours(enabled=sleeps))
    shop = Shop(going(over_cap), policy).read(*story.events).end()
    sent = [m for m in shop.sent() if m["purpose"] == "marketing"]
    for message in sent:
        assert _beside(story, message, sent, DAY) <= 3, message
        assert _beside(story, message, sent, 7 * DAY) <= 8, message
        if message["channel"] == "push":
            assert _beside(story, message, [m for m in sent if m["channel"] == "push"], DAY) <= 2, message


def _beside(story: Story, message: dict[str, Any], sent: list[dict[str, Any]], within: int) -> int:
    """How many of these went to the person, as known when the message left, in the window before it."""
    end = leaves(message)
    mine = story.ids_of(message["person"], end)
    return sum(m["person"] in mine and end - within < leaves(m) <= end for m in sent)


@given(stories(), OVER_CAP, st.sampled_from([0, 30 * MINUTE]))
@settings(max_examples=120, deadline=None)
def test_nobody_is_woken_where_they_live_by_then(
    story: Story,
    over_cap: Any,  # noqa: ANN401
    spread: int,
) -> None:
    """By the zone that was told last before the message left, also one told while it waited for a morning."""
    quiet = QuietHours(spread=spread)
    shop = Shop(going(over_cap), a_policy(caps=CAPS, quiet_hours=quiet)).read(*story.events).end()
    for message in shop.sent():
        at = leaves(message)
        assert message["timezone"] in _zones(story, message["person"], at, quiet.zone), message
        if message["channel"] not in SILENT_CHANNELS:
            zone = ZoneInfo(message["timezone"])
            assert 8 <= datetime.fromtimestamp(at / 1000, tz=UTC).astimezone(zone).hour < 21, message


def _zones(story: Story, person: str, at: int, otherwise: str) -> set[str]:
    """Where they may be said to live; what happens at the very moment may count already or not yet.

    A zone that nobody knows is passed over.
    """
    told = {zone for until in (at, at + 1) for zone in _zones_before(story, person, until, otherwise)}
    return {zone if zone_of(zone) is not None else otherwise for zone in told}


def _zones_before(story: Story, person: str, until: int, otherwise: str) -> set[str]:
    own, brought = "", set[str]()
    for event, by_merge in story.of(person, until):
        zone = event.get("traits", {}).get("timezone")
        if zone and event["time"] < until:
            own, brought = (own, brought | {zone}) if by_merge else (zone, brought)
    return {own} if own else brought or {otherwise}


@given(stories(), OVER_CAP, st.booleans())
@settings(max_examples=120, deadline=None)
def test_who_unsubscribed_under_any_id_is_left_in_peace(
    story: Story,
    over_cap: Any,  # noqa: ANN401
    assumed: bool,  # noqa: FBT001
) -> None:
    """The latest word of either side decides, from the moment at which they are known to be one."""
    policy = a_policy(consent_assumed=assumed, quiet_hours=QuietHours(), caps=CAPS)
    shop = Shop(going(over_cap), policy).read(*story.events).end()
    for message in (m for m in shop.sent() if m["purpose"] == "marketing"):
        at, channel = parse_time(message["decided_at"]), message["channel"]
        words = [_states(story, message["person"], channel, until) for until in (at, at + 1)]
        states = {state for found in words for state in found or {"granted" if assumed else "denied"}}
        assert "granted" in states, message


def _states(story: Story, person: str, channel: str, until: int) -> set[str]:
    """What the words of the latest time before `until` say of the channel."""
    latest, said = -1, set[str]()
    for event, _ in story.of(person, until):
        state = _state(event, channel)
        if state and event["time"] < until:
            said = said | {state} if event["time"] == latest else {state}
            latest = event["time"]
    return said


def _state(event: Event, channel: str) -> str:
    if event["type"] in REFUSING:
        return "denied" if channel == REFUSING[event["type"]] else ""
    word = event.get("consent", {})
    return str(word["state"]) if word.get("channel") == channel else ""
