"""Repeated events: an id counts once within the dedupe window, and among the last 128 ids whatever their age.

The ids are kept exactly, with their times, joined in one text: to append to it, to search it and to store it
is a memory copy, where a list of ids would be decoded and encoded one by one.
"""

from __future__ import annotations

from typing import Final

from retarget.journeys.model import Journey

REMEMBERED: Final = 128
_END: Final = "\x1f"
_TIME: Final = "\x1e"


def admit(journey: Journey, event_id: str, time: int, window: int) -> bool:
    """Note an id that is about to be applied; False for a repeat, which is not noted again."""
    key = event_id if event_id.isprintable() else _plain(event_id)
    # Looked for from the end, as that is several times quicker among ids that are much alike.
    seen = journey.recent.rfind(f"{key}{_TIME}") >= 0 or journey.earlier
    if seen and is_repeat(journey, event_id, time, window):
        return False
    _note(journey, key, time, window)
    return True


def is_repeat(journey: Journey, event_id: str, time: int, window: int) -> bool:
    """Whether this id was applied before, near enough in event time to count as the same event."""
    key = _plain(event_id)
    if f"{_END}{key}{_TIME}" in journey.recent:
        return True
    earlier = journey.earlier.get(key)
    return earlier is not None and abs(time - earlier) < window


def _note(journey: Journey, key: str, time: int, window: int) -> None:
    """Keep an id; those beyond the last 128 stay only as long as the window may reach them."""
    journey.recent = f"{journey.recent or _END}{key}{_TIME}{time:x}{_END}"
    journey.recent_count += 1
    if journey.recent_count > REMEMBERED:
        _push_out(journey, time - window)


def _push_out(journey: Journey, horizon: int) -> None:
    end = journey.recent.index(_END, 1)
    oldest, _, time = journey.recent[1:end].partition(_TIME)
    journey.recent = journey.recent[end:]
    journey.recent_count -= 1
    if int(time, 16) > horizon:
        journey.earlier[oldest] = int(time, 16)
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
