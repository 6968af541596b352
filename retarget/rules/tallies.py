"""Tallies: how often something happened to a subject in a window, as sorted times beside ids and values."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

from retarget.journeys.model import Journey, Tally
from retarget.times import DAY
from retarget.touchpoints import Touchpoint

# Kept beyond the window, so that an event which comes late still sees its own window whole.
GRACE: Final = DAY
# A robot that views one product all day must not fill the store; rules may ask for at most 64.
KEPT: Final = 256


def key(types: Iterable[str], kind: str, distinct: str | None = None, own: str | None = None) -> str:
    """The name under which a tally is stored; `own` keeps that of a rule apart which may start it afresh."""
    name = "+".join(sorted(types)) + "." + kind
    if distinct:
        name += ":" + distinct
    return f"{name}@{own}" if own else name


def add(journey: Journey, name: str, subject: str, event: Touchpoint, value: str, keep: int) -> int:
    """Count one event of a subject; how many are kept of it now.

    What no window of `keep` ms reaches any more is forgotten.
    """
    by_subject = journey.tallies.get(name)
    if by_subject is None:
        by_subject = journey.tallies[name] = {}
    # Taken out and put back, so that the subjects stand in the order of their latest events.
    tally = by_subject.pop(subject, None)
    time, event_id = event.time, event.id or ""
    if tally is None:
        by_subject[subject] = Tally([time], [event_id], [value] if value else None)
        return 1
    by_subject[subject] = tally
    times = tally.times
    at = len(times) if time >= times[-1] else bisect_right(times, time)
    times.insert(at, time)
    tally.ids.insert(at, event_id)
    if tally.values is not None:
        tally.values.insert(at, value)
    if times[0] <= times[-1] - keep - GRACE or len(times) > KEPT:
        _forget(tally, times[-1] - keep - GRACE)
    return len(times)


def _forget(tally: Tally, horizon: int) -> None:
    gone = max(bisect_right(tally.times, horizon), len(tally.times) - KEPT)
    del tally.times[:gone], tally.ids[:gone]
    if tally.values is not None:
        del tally.values[:gone]


def span(tally: Tally, within: int, at: int) -> tuple[int, int]:
    """The slice of the tally whose times lie in (at - within, at]."""
    times = tally.times
    end = len(times) if times[-1] <= at else bisect_right(times, at)
    return bisect_right(times, at - within, 0, end), end


def count(journey: Journey, name: str, subject: str, within: int, at: int) -> int:
    """How many events lie in (at - within, at]."""
    by_subject = journey.tallies.get(name)
    tally = by_subject.get(subject) if by_subject else None
    if tally is None or not tally.times:
        return 0
    start, end = span(tally, within, at)
    return end - start


def tidy(journey: Journey, keeps: dict[str, int], at: int) -> None:
    """Drop the subjects that no window reaches any more, and tallies that no rule asks for."""
    for name in list(journey.tallies):
        horizon = at - keeps.get(name, 0) - GRACE
        by_subject = journey.tallies[name]
        for subject in _stale(by_subject, horizon):
            del by_subject[subject]
        if not by_subject:
            del journey.tallies[name]


def _stale(by_subject: dict[str, Tally], horizon: int) -> list[str]:
    """The subjects before the first that a window may still reach; they stand in order of their events."""
    gone = []
    for subject, tally in by_subject.items():
        if tally.times[-1] > horizon:
            break
        gone.append(subject)
    return gone
