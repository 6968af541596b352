"""Tallies: how often something happened to a subject in a window, as sorted times beside ids and values."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from math import floor
from typing import Any, Final, NamedTuple

from retarget.journeys.model import Journey, Tally
from retarget.rules import customs, subjects, telling
from retarget.rules.expressions.nearness import slack
from retarget.rules.model import Count, Shown, Succession
from retarget.rules.running import Days, Long, Sums, Values
from retarget.rules.scene import Scene
from retarget.sums import total
from retarget.times import DAY
from retarget.touchpoints import Touchpoint

# Kept beyond the window, so that an event which comes late still sees its own window whole.
GRACE: Final = DAY
_BEHIND_KIND: Final = re.compile("[:=@]")
# Of how many of the last events for each value one knows at once that there are more than a limit.
_LOOKED: Final = 3
# A robot that views one product all day must not fill the store; rules may ask for at most 64.
KEPT: Final = 256


def key(
    types: Iterable[str], kind: str, distinct: str | None = None, own: str | None = None,
    category: str | None = None,
) -> str:  # fmt: skip
    """The name under which a tally is stored; `own` keeps that of a rule apart which may start it afresh.

    `category`: of all events only those with a product of it are in the tally.
    """
    name = "+".join(sorted(_plain(one) if customs.is_named(one) else one for one in types)) + "." + kind
    if distinct:
        name += ":" + distinct
    if category is not None:
        name += "=" + _plain(category)
    return f"{name}@{own}" if own else name


def _plain(text: str) -> str:
    """Without the marks that part a name."""
    return "".join(c if c.isalnum() else f"%{ord(c):x};" for c in text)


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
    if isinstance(tally, Long) and tally.knows:
        if at + wide == len(tally):
            tally.take(entry)
        else:
            tally.knows = False
    if tally[wide - 1] <= tally[-1] - keep - GRACE or len(tally) > KEPT * wide:
        _forget(tally, wide, tally[-1] - keep - GRACE)
    return len(tally) // wide


def _forget(tally: Tally, wide: int, horizon: int) -> None:
    gone = max(len(tally) // wide - KEPT, 0)
    while tally[gone * wide + wide - 1] <= horizon:
        gone += 1
    del tally[: gone * wide]
    if isinstance(tally, Long):
        tally.passed += gone
        if tally.passed * wide > len(tally):
            tally.knows = False  # they hold twice what they need


def _span(tally: Tally, wide: int, within: int, at: int) -> tuple[int, int]:
    """The events of the tally whose times lie in (at - within, at], from the first to before the last."""
    if tally[-1] <= at and tally[wide - 1] > at - within:
        return 0, len(tally) // wide  # all of it, which is most often so
    times = tally[wide - 1 :: wide]
    end = len(times) if times[-1] <= at else bisect_right(times, at)
    return bisect_right(times, at - within, 0, end), end


def reached(tally: Tally, count: Count, at: int) -> list[str]:
    """The ids of what a count rule counts at `at`, in time order; none when it is not enough."""
    wide = 3 if valued(count) else 2
    if len(tally) < count.at_least * wide:
        return []
    start, end = _span(tally, wide, count.within, at)
    window = tally[start * wide : end * wide]
    if count.distinct == telling.DAY:
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
    tally = journey.tallies.get(name, {}).get(subject, [])
    first: dict[str, int] = {}
    for value, time in zip(tally[::3], tally[2::3], strict=True):
        first.setdefault(value, time)
    return list(first.values())


def valued(count: Count) -> str | None:
    """The values that are kept beside what is counted; the day stands in the time."""
    return None if count.distinct in (None, telling.DAY) else subjects.mark(count.distinct)


def _days(times: list[int]) -> int:
    """How many different days the times, in their order, lie on: from day to day, not from time to time."""
    found = at = 0
    while at < len(times):
        found += 1
        at = bisect_left(times, times[at] - times[at] % DAY + DAY, at)
    return found


class Look(NamedTuple):
    """What is asked of the events of a tally in a window.

    `plain` goes through them. From `few` parts of the list on it is a tally of that `kind`, of which
    `between` asks the figures, from a place of its times to before another. Where there are none, `soon` may
    tell from the last events alone what there is after a time; None where it takes more.
    """

    plain: Callable[[Tally, int, int], object]
    between: Callable[[Any, int, int], object]
    kind: type[Long]
    few: int
    soon: Callable[[Tally, int], object] | None = None


def reader(
    look: Look, within: int, names: Mapping[str, str], of_person: str = ""
) -> Callable[[Scene], object]:
    """What looks at a tally of these names, by the kind of a scene's subject, or at that of the person."""
    plain, between, kind, few, soon = look

    def read(scene: Scene) -> object:
        journey, at = scene.journey, scene.at
        by_subject = journey.tallies.get(of_person or names[scene.kind])
        if not by_subject:
            return 0
        subject = journey.person if of_person else scene.subject
        tally = by_subject.get(subject)
        if not tally:
            return 0
        if len(tally) <= few:
            return plain(tally, within, at)
        if not isinstance(tally, kind) or not tally.knows:
            told = soon(tally, at - within) if soon is not None and at >= tally[-1] else None
            if told is not None:
                return told
            if not isinstance(tally, kind):
                by_subject[subject] = kind(tally)
                return plain(tally, within, at)  # of whoever comes seldom there is but one look
            tally.begin()
        times, start = tally.times, tally.passed
        end = len(times) if at >= tally[-1] else bisect_right(times, at, start)
        if times[start] <= at - within:
            start = bisect_right(times, at - within, start)
        return between(tally, start, end)

    return read


def _count(tally: Tally, within: int, at: int) -> int:
    start, end = _span(tally, 2, within, at)
    return end - start


def _days_with(tally: Tally, within: int, at: int) -> int:
    start, end = _span(tally, 2, within, at)
    return _days(tally[start * 2 + 1 : end * 2 : 2])


def _distinct(tally: Tally, within: int, at: int) -> int:
    if tally[-1] > at or len(tally) > DISTINCT.few:
        start, end = _span(tally, 3, within, at)
        return len(set(tally[start * 3 : end * 3 : 3]))
    first, before = 2, at - within  # hardly any are from before the window
    while first < len(tally) and tally[first] <= before:
        first += 3
    return len(set(tally[first - 2 :: 3]))


def _total(tally: Tally, within: int, at: int) -> float:
    if tally[-1] <= at:  # which is most often so
        first = 3 * bisect_right(tally[2::3], at - within) if tally[2] <= at - within else 0
        return total(tally[first::3])
    start, end = _span(tally, 3, within, at)
    return total(tally[start * 3 : end * 3 : 3])


# How many events, on how many different days of UTC, with how many different values, and their sum.
COUNT: Final[Look] = Look(_count, lambda _, start, end: end - start, Days, 2 * 32)
DAYS_WITH: Final[Look] = Look(_days_with, Days.different, Days, 2 * 6)
DISTINCT: Final[Look] = Look(_distinct, Values.different, Values, 3 * 16)
SUM: Final[Look] = Look(_total, Sums.total, Sums, 3 * 32)


def count_beside(limit: float) -> Look:
    """A number that compares with the limit as the count does, without counting further."""
    most = floor(limit)

    def soon(tally: Tally, since: int) -> int:
        place = len(tally) - 2 * most - 1  # of the time of the event that is one more than the limit
        if most < 0 or (place > 0 and tally[place] > since):
            return most + 1
        is_met = most < limit or not most or (place + 2 > 0 and tally[place + 2] > since)
        return most if is_met else most - 1

    return COUNT._replace(soon=soon)


def distinct_beside(limit: float) -> Look:
    """A number that compares with the limit as that of the different values does."""
    most = floor(limit)
    looked = _LOOKED * (max(most, 0) + 1)

    def soon(tally: Tally, since: int) -> int | None:
        if 3 * looked > len(tally) or tally[2 - 3 * looked] <= since:
            return None
        return most + 1 if len(set(tally[-3 * looked :: 3])) > most else None

    def between(tally: Values, start: int, end: int) -> int:
        if end < len(tally.times) and tally.different(max(start, end - looked), end) > most:
            return most + 1
        return tally.different(start, end)

    return DISTINCT._replace(between=between, soon=soon)


def sum_beside(limit: float) -> Look:
    """A number that compares with the limit as the sum does."""
    gap = slack(limit)

    def plain(tally: Tally, within: int, at: int) -> float:
        found = _total(tally, within, at)
        return limit if abs(found - limit) <= gap else found

    def between(tally: Sums, start: int, end: int) -> float:
        found = tally.total(start, end)
        return limit if abs(found - limit) <= gap else found

    return SUM._replace(plain=plain, between=between)


def latest(journey: Journey, name: str, subject: str, within: int, at: int) -> list[str]:
    """The different values of the events in (at - within, at], that of the latest event first."""
    tally = journey.tallies.get(name, {}).get(subject)
    if not tally:
        return []
    start, end = _span(tally, 3, within, at)
    return list(dict.fromkeys(reversed(tally[start * 3 : end * 3 : 3])))


def last_number(journey: Journey, name: str, subject: str, within: int, at: int) -> float | None:
    """The number in the latest event in (at - within, at]; None without one."""
    tally = journey.tallies.get(name, {}).get(subject)
    if not tally:
        return None
    end = len(tally) if tally[-1] <= at else 3 * bisect_right(tally[2::3], at)
    return tally[end - 3] if end and tally[end - 1] > at - within else None


def tidy(journey: Journey, keeps: dict[str, int], at: int) -> None:
    """Drop the subjects that no window reaches any more, and tallies that no rule asks for."""
    for name in list(journey.tallies):
        horizon = at - keeps.get(name, 0) - GRACE
        by_subject = journey.tallies[name]
        for subject in [subject for subject, tally in by_subject.items() if tally[-1] <= horizon]:
            del by_subject[subject]
        if not by_subject:
            del journey.tallies[name]
