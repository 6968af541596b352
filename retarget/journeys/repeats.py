"""Repeated events: an id counts once within the dedupe window, and among the last 128 ids whatever their age.

The ids are kept exactly, with their times, joined in a few texts of some lines' length: to append to one and
to store it is a memory copy, where a list of ids would be decoded and encoded one by one. Beside them is one
character for each id, a checksum of it: an id whose character is not there is new, and nothing is searched.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

from retarget.journeys.model import Journey
from retarget.times import DAY

REMEMBERED: Final = 128
# With so many more ids within the window, or products, nobody is a person: it is time for the bounds.
CROWDED: Final = 1_024
_LONG_AGO: Final = 4 * DAY
# A text that has so many characters is followed by another: what is copied to append stays small.
_FULL: Final = 400
# About as many ids of ordinary length fill one.
_AT_ONCE: Final = 8
_END: Final = "\x1f"
_TIME: Final = "\x1e"


def admit(journey: Journey, event_id: str, time: int, window: int) -> bool:
    """Note an id that is about to be applied; False for a repeat, which is not noted again."""
    key = event_id if event_id.isprintable() else _plain(event_id)
    mark = chr(0x100 + crc32(key.encode()) % 0xD000)  # as `_mark`, without a call at every event
    if (mark in journey.recent_marks or journey.earlier) and _seen(journey, key, mark, time, window):
        return False
    recent = journey.recent
    if recent and len(recent[-1]) < _FULL:
        recent[-1] = f"{recent[-1]}{key}{_TIME}{time}{_END}"
    else:
        recent.append(f"{_END}{key}{_TIME}{time}{_END}")
    journey.recent_marks += mark
    if len(journey.recent_marks) > REMEMBERED:
        _push_out(journey, time - window)
    return True


def is_repeat(journey: Journey, event_id: str, time: int, window: int) -> bool:
    """Whether this id was applied before, near enough in event time to count as the same event."""
    key = _plain(event_id)
    return _seen(journey, key, _mark(key), time, window)


def _mark(key: str) -> str:
    """One of 53,248 characters, all from below the surrogates."""
    return chr(0x100 + crc32(key.encode()) % 0xD000)


def _seen(journey: Journey, key: str, mark: str, time: int, window: int) -> bool:
    if mark in journey.recent_marks:
        wanted = f"{_END}{key}{_TIME}"
        if any(wanted in text for text in journey.recent):
            return True
    earlier = journey.earlier.get(key)
    return earlier is not None and abs(time - earlier) < window


def _push_out(journey: Journey, horizon: int) -> None:
    """Let the oldest go from among the last; it stays known only as long as the window may reach it."""
    text = journey.recent[0]
    end = text.index(_END, 1)
    oldest, _, time = text[1:end].partition(_TIME)
    if end + 1 < len(text):
        journey.recent[0] = text[end:]
    else:
        del journey.recent[0]
    journey.recent_marks = journey.recent_marks[1:]
    if int(time) > horizon:
        journey.earlier[oldest] = int(time)
        if len(journey.earlier) > CROWDED:
            make_tidy(journey, int(time))
    if journey.earlier:
        _forget_before(journey.earlier, horizon)


def make_tidy(journey: Journey, time: int) -> None:
    """Have the journey tidied at its next event."""
    journey.tidied = min(journey.tidied, time - _LONG_AGO)


def _forget_before(earlier: dict[str, int], horizon: int) -> None:
    while earlier:
        first = next(iter(earlier))
        if earlier[first] > horizon:
            return
        del earlier[first]


def _plain(event_id: str) -> str:
    """The id without our separators, which no sane id contains; escaped, so that no two ids become one."""
    if _END in event_id or _TIME in event_id:
        return event_id.encode("unicode_escape").decode()
    return event_id


def remembered(journey: Journey) -> list[tuple[str, int]]:
    """The last applied ids with their times, oldest first."""
    entries = (entry for text in journey.recent for entry in text.split(_END) if entry)
    pairs = (entry.partition(_TIME) for entry in entries)
    return [(event_id, int(time)) for event_id, _, time in pairs]


def marks_of(recent: list[str]) -> str:
    """The checksums of the ids in these texts."""
    entries = (entry for text in recent for entry in text.split(_END) if entry)
    return "".join(_mark(entry.partition(_TIME)[0]) for entry in entries)


def unite(journey: Journey, other: Journey, window: int) -> None:
    """Know the ids of both: the last ones whatever their age, the others as long as the window may reach."""
    pairs = [*journey.earlier.items(), *remembered(journey), *other.earlier.items(), *remembered(other)]
    latest: dict[str, int] = {}
    for event_id, time in pairs:
        latest[event_id] = max(time, latest.get(event_id, time))
    ordered = sorted(latest.items(), key=lambda pair: pair[1])
    kept = ordered[-REMEMBERED:]
    horizon = kept[-1][1] - window if kept else 0
    journey.earlier = {event_id: time for event_id, time in ordered[:-REMEMBERED] if time > horizon}
    journey.recent = []
    for first in range(0, len(kept), _AT_ONCE):
        part = (f"{event_id}{_TIME}{time}{_END}" for event_id, time in kept[first : first + _AT_ONCE])
        journey.recent.append(_END + "".join(part))
    journey.recent_marks = "".join(_mark(event_id) for event_id, _ in kept)
