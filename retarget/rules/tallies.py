"""Tallies: how often something happened to a subject in a window, as sorted times beside ids and values."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Final

from retarget.journeys.model import Journey, Tally
from retarget.rules.model import Count, Shown, Succession
from retarget.times import DAY
from retarget.touchpoints import Touchpoint

# Kept beyond the window, so that an event which comes late still sees its own window whole.
GRACE: Final = DAY
_BEHIND_KIND: Final = re.compile("[:=@]")
# A robot that views one product all day must not fill the store; rules may ask for at most 64.
KEPT: Final = 256


def key(
    types: Iterable[str], kind: str, distinct: str | None = None, own: str | None = None,
    category: str | None = None,
) -> str:  # fmt: skip
    """The name under which a tally is stored; `own` keeps that of a rule apart which may start it afresh.

    `category`: of all events only those with a product of it are in the tally.
    """
    name = "+".join(sorted(types)) + "." + kind
    if distinct:
        name += ":" + distinct
    if category is not None:
        name += "=" + "".join(c if c.isalnum() else f"%{ord(c):x};" for c in category)
    return f"{name}@{own}" if own else name


def shown_key(shown: Shown, kind: str) -> str:
    """The name of the tally from which a message's products are taken."""
    return key(shown.of, kind, "product", category=shown.category)


def kind_of(name: str) -> str:
    """The kind of subject of a tally of that name."""
    return _BEHIND_KIND.split(name.partition(".")[2], maxsplit=1)[0]


def width(name: str) -> int:
    """How many entries of the list stand for one event in a tally of that name."""
    return 3 if ":" in name else 2


def add(journey: Journey, name: str, subject: str, event: Touchpoint, value: str | float, keep: int) -> int:
    """Count one event of a subject; how many are kept of it now.

    `value` only where distinct ones count or sums are asked for. What no window of `keep` ms reaches any
    more is forgotten.
    """
    by_subject = journey.tallies.get(name)
    if by_subject is None:
        by_subject = journey.tallies[name] = {}
    tally = by_subject.get(subject)
    time, event_id = event.time, event.id or ""
    entry = [value, event_id, time] if value else [event_id, time]
    if tally is None:
        by_subject[subject] = entry
        return 1
    wide = len(entry)
    at = len(tally) if time >= tally[-1] else bisect_right(tally[wide - 1 :: wide], time) * wide
    tally[at:at] = entry
    if tally[wide - 1] <= tally[-1] - keep - GRACE or len(tally) > KEPT * wide:
        _forget(tally, wide, tally[-1] - keep - GRACE)
    return len(tally) // wide


def _forget(tally: Tally, wide: int, horizon: int) -> None:
    gone = max(bisect_right(tally[wide - 1 :: wide], horizon), len(tally) // wide - KEPT)
    del tally[: gone * wide]


def _span(tally: Tally, wide: int, within: int, at: int) -> tuple[int, int]:
    """The events of the tally whose times lie in (at - within, at], from the first to before the last."""
    if tally[-1] <= at and tally[wide - 1] > at - within:
        return 0, len(tally) // wide  # all of it, which is most often so
    times = tally[wide - 1 :: wide]
    end = bisect_right(times, at)
    return bisect_right(times, at - within, 0, end), end


def reached(tally: Tally, count: Count, at: int) -> list[str]:
    """The ids of what a count rule counts at `at`, in time order; none when it is not enough."""
    wide = 3 if valued(count) else 2
    if len(tally) < count.at_least * wide:
        return []
    start, end = _span(tally, wide, count.within, at)
    window = tally[start * wide : end * wide]
    if count.distinct == "day":
        seen = _days(window[1::2])
    else:
        seen = len(set(window[::wide])) if count.distinct else end - start
    return window[wide - 2 :: wide] if seen >= count.at_least else []


def followed(tally: Tally, sequence: Succession, at: int) -> str | None:
    """The id of the first event that one at `at` follows; None without one, or when something came between.

    The tally holds the types of `first` and `without`, so the last of them decides.
    """
    end = bisect_right(tally[2::3], at)
    if not end:
        return None
    kind, event_id, time = tally[3 * end - 3 : 3 * end]
    return event_id if kind in sequence.first and time > at - sequence.within else None


def beginnings(journey: Journey, name: str, subject: str) -> list[int]:
    """When each of the distinct values was first there, in order."""
    tally = _of(journey, name, subject) or []
    first: dict[str, int] = {}
    for value, time in zip(tally[::3], tally[2::3], strict=True):
        first.setdefault(value, time)
    return list(first.values())


def valued(count: Count) -> str | None:
    """The values that are kept beside what is counted; the day stands in the time."""
    return None if count.distinct == "day" else count.distinct


def _days(times: list[int]) -> int:
    """How many different days the times, in their order, lie on: from day to day, not from time to time."""
    found = at = 0
    while at < len(times):
        found += 1
        at = bisect_left(times, times[at] - times[at] % DAY + DAY, at)
    return found


def _of(journey: Journey, name: str, subject: str) -> Tally | None:
    by_subject = journey.tallies.get(name)
    return by_subject.get(subject) if by_subject else None


def count(journey: Journey, name: str, subject: str, within: int, at: int) -> int:
    """How many events lie in (at - within, at]."""
    tally = _of(journey, name, subject)
    if not tally:
        return 0
    start, end = _span(tally, width(name), within, at)
    return end - start


def days(journey: Journey, name: str, subject: str, within: int, at: int) -> int:
    """On how many different days of UTC the events in (at - within, at] lie."""
    tally = _of(journey, name, subject)
    if not tally:
        return 0
    wide = width(name)
    start, end = _span(tally, wide, within, at)
    return _days(tally[start * wide + wide - 1 : end * wide : wide])


def total(journey: Journey, name: str, subject: str, within: int, at: int) -> float:
    """The sum of the values of the events in (at - within, at]."""
    tally = _of(journey, name, subject)
    if not tally:
        return 0
    start, end = _span(tally, 3, within, at)
    return sum(tally[start * 3 : end * 3 : 3])


def distinct(journey: Journey, name: str, subject: str, within: int, at: int) -> int:
    """How many different values the events in (at - within, at] have."""
    tally = _of(journey, name, subject)
    if not tally:
        return 0
    start, end = _span(tally, 3, within, at)
    return len(set(tally[start * 3 : end * 3 : 3]))


def latest(journey: Journey, name: str, subject: str, within: int, at: int) -> list[str]:
    """The different values of the events in (at - within, at], that of the latest event first."""
    tally = _of(journey, name, subject)
    if not tally:
        return []
    start, end = _span(tally, 3, within, at)
    return list(dict.fromkeys(reversed(tally[start * 3 : end * 3 : 3])))


def tidy(journey: Journey, keeps: dict[str, int], at: int) -> None:
    """Drop the subjects that no window reaches any more, and tallies that no rule asks for."""
    for name in list(journey.tallies):
        horizon = at - keeps.get(name, 0) - GRACE
        by_subject = journey.tallies[name]
        for subject in [subject for subject, tally in by_subject.items() if tally[-1] <= horizon]:
            del by_subject[subject]
        if not by_subject:
            del journey.tallies[name]
