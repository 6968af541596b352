"""Repeated events: an id counts once within the dedupe window, and among the last 128 ids whatever their age.

The ids are kept exactly, with their times, joined in one text: to append to it and to store it is a memory
copy, where a list of ids would be decoded and encoded one by one. Beside it stands one character for each id,
a checksum of it: an id whose character is not among them is new, and the text need not be searched.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

from retarget.journeys.model import Journey

REMEMBERED: Final = 128
_END: Final = "\x1f"
_TIME: Final = "\x1e"


def admit(journey: Journey, event_id: str, time: int, window: int) -> bool:
    """Note an id that is about to be applied; False for a repeat, which is not noted again."""
    key = event_id if event_id.isprintable() else _plain(event_id)
    mark = _mark(key)
    if (mark in journey.recent_marks or journey.earlier) and _seen(journey, key, mark, time, window):
        return False
    journey.recent = f"{journey.recent or _END}{key}{_TIME}{time:x}{_END}"
    journey.recent_marks += mark
    if len(journey.recent_marks) > REMEMBERED:
        _push_out(journey, time - window)
    return True


def is_repeat(journey: Journey, event_id: str, time: int, window: int) -> bool:
    """Whether this id was applied before, near enough in event time to count as the same event."""
    key = _plain(event_id)
    return _seen(journey, key, _mark(key), time, window)


def _mark(key: str) -> str:
    """One of 1,920 characters, those of two bytes in UTF-8."""
    return chr(0x80 + crc32(key.encode()) % 0x780)


def _seen(journey: Journey, key: str, mark: str, time: int, window: int) -> bool:
    # Looked for from the end, as that is several times quicker among ids that are much alike.
    if mark in journey.recent_marks and journey.recent.rfind(f"{_END}{key}{_TIME}") >= 0:
        return True
    earlier = journey.earlier.get(key)
    return earlier is not None and abs(time - earlier) < window


def _push_out(journey: Journey, horizon: int) -> None:
    """Let the oldest go from among the last; it stays known only as long as the window may reach it."""
    end = journey.recent.index(_END, 1)
    oldest, _, time = journey.recent[1:end].partition(_TIME)
    journey.recent = journey.recent[end:]
    journey.recent_marks = journey.recent_marks[1:]
    if int(time, 16) > horizon:
        journey.earlier[oldest] = int(time, 16)
    if journey.earlier:
        _forget_before(journey.earlier, horizon)


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
    pairs = (entry.partition(_TIME) for entry in journey.recent.split(_END) if entry)
    return [(event_id, int(time, 16)) for event_id, _, time in pairs]
