"""People of several lanes in a backtest: what one lane has for another comes there, and in time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retarget.decode import decode_canonical
from retarget.times import MINUTE, SECOND
from streams import topics
from streams.backtest.parts import run_part
from streams.backtest.reading import Told
from streams.backtest.sharing import Sharing
from streams.backtest.splitting import NEVER, Splitting, Together
from streams.backtest.timeline import Clock, Timeline
from streams.ports import Output
from streams.topics import lane_of
from tests.factories import NOON, Event, a_profile, a_view, an_event
from tests.streams.commands.backtest.whole import a_bundle

LANES: Final = 2


def of_lane(prefix: str, lane: int) -> str:
    """Somebody whose lane this is."""
    return next(name for n in range(99) if lane_of(name := f"{prefix}{n}", LANES) == lane)


DEVICE: Final = of_lane("a", 0)
KNOWN: Final = of_lane("u", 1)
STRANGERS: Final = (of_lane("s", 0), of_lane("s", 1))
however_they_are_cut = pytest.mark.parametrize("sharing", Sharing)


def told(
    folder: Path, events: Sequence[Event], sharing: Sharing, *, misplaced: frozenset[str] = frozenset(),
    lag: int = 0,
) -> list[Any]:  # fmt: skip
    """The decisions of a backtest of the events, each in its lane, or (by id) in the other one.

    In both lanes somebody else does something every ten seconds, of which lane 0 hears so much later.
    """
    bundle = a_bundle("clock.lateness=10s")
    splitting = Splitting(
        folder, lanes=LANES, parts=3, by_time=False, is_nobody=bundle.policy.is_nobody, sharing=sharing
    )
    last = max(event["time"] for event in events)
    for lane, stranger in enumerate(STRANGERS):
        others = [a_view(person=stranger, at=at) for at in range(NOON, last + MINUTE, 10 * SECOND)]
        mine = [event for event in events if (home_of(event) == lane) != (event["id"] in misplaced)]
        came = {event["id"]: event["time"] + (0 if lane else lag) for event in others}
        for event in sorted([*others, *mine], key=lambda one: came.get(one["id"], one["time"])):
            found = decode_canonical(json.dumps(event).encode())
            splitting.add(Told(lane, found.time, found, came.get(event["id"], found.time)))
    parts, outputs = splitting.close(ahead=0), list[Output]()
    assert sum(isinstance(part, Together) for part in parts) == 1
    for part in parts:
        run_part(part, bundle, outputs.append, lambda _: None)
    return [json.loads(one.value) for one in outputs if one.topic == topics.DECISIONS]


def home_of(event: Event) -> int:
    """The lane of the event's person."""
    return lane_of(event.get("user_id") or event["anonymous_id"], LANES)


def story() -> list[Event]:
    """Twice seen on a device, and once more behind the login."""
    return [
        a_profile(person=KNOWN, at=NOON + SECOND, email="x@example.net"),
        a_view("p1", person=DEVICE, at=NOON + 2 * SECOND, id="v1"),
        a_view("p1", person=DEVICE, at=NOON + 3 * SECOND, id="v2"),
        an_event("identify", person=KNOWN, anonymous_id=DEVICE, at=NOON + MINUTE, id="said"),
        a_view("p1", person=KNOWN, at=NOON + 3 * MINUTE, id="v3"),
    ]


def views(decisions: Sequence[Any]) -> list[tuple[str, str]]:
    """Whom the rule about repeated views wrote to, and because of which event."""
    return [
        (one["person"], one["evidence"][-1])
        for one in decisions
        if one["rule"] == "repeated_view" and one["operation"] == "send" and one["person"] in (DEVICE, KNOWN)
    ]


@however_they_are_cut
def test_a_word_crosses_when_the_clock_comes_to_it(sharing: Sharing, tmp_path: Path) -> None:
    """Other people move the clocks of both lanes: the history is there long before the next event."""
    others = [a_view("p2", person=KNOWN, at=NOON + n * SECOND, id=f"{n}") for n in (75, 240)]
    assert views(told(tmp_path, [*story(), *others], sharing, lag=90 * SECOND)) == [(KNOWN, "v3")]


@however_they_are_cut
def test_what_comes_to_another_lane_is_sent_on(sharing: Sharing, tmp_path: Path) -> None:
    """As a worker does with a record under a wrong key, whoever it is of; and what the device does later."""
    more = a_view("p1", person=DEVICE, at=NOON + 2 * MINUTE, id="later")
    found = views(told(tmp_path, [*story()[:4], more], sharing, misplaced=frozenset({"v1", "later"})))
    assert found == [(KNOWN, "later")]


@however_they_are_cut
def test_an_erasure_parts_them(sharing: Sharing, tmp_path: Path) -> None:
    """What the device does after it is somebody else's."""
    erase = an_event("erase", person=KNOWN, at=NOON + 2 * MINUTE, id="erase")
    after = [a_view("p1", person=DEVICE, at=NOON + n * MINUTE, id=f"w{n}") for n in (3, 4)]
    assert views(told(tmp_path, [*story()[:4], erase, *after], sharing)) == []


moments = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 60)), max_size=12)


@given(moments, st.sampled_from([NEVER, 5]), st.integers(0, 80))
def test_a_timeline_says_when_the_clock_came_where(
    told_at: list[tuple[int, int]], idle_after: int, asked: int
) -> None:
    """As one looks through all records one by one; the wall clock goes on where there was none for long."""
    latest = clock = -1
    until = 70 if idle_after != NEVER else -1
    made: dict[int, int] = {}
    with TemporaryDirectory() as folder:
        timeline = Timeline(Path(folder) / "times")
        for arrival, time in sorted(told_at):
            if latest >= 0 and arrival - latest >= idle_after:
                clock = max(clock, arrival)
            latest, clock = max(latest, arrival), max(clock, time)
            timeline.add(latest, clock)
            made[latest] = clock
        found = Clock(timeline.close(idle_after=idle_after, until=until))

    def stood(at: int) -> int:
        before = max((arrival for arrival in made if arrival <= at), default=-1)
        if before < 0:
            return -1
        return max(made[before], min(at, until)) if at - before >= idle_after else made[before]

    assert [found.at(at) for at in range(90)] == [stood(at) for at in range(90)]
    assert found.when(asked) == next((at for at in range(max(until, 50) + 1) if stood(at) >= asked), None)
