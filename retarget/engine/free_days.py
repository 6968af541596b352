"""Free days: whole days on which the law of a number's country keeps marketing away from it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from retarget.formats.phones import e164
from retarget.journeys.model import Journey

IsFree = Callable[[date], bool]

_FRANCE: Final = "+33"
_SUNDAY: Final = 6
# As (month, day), and as days after Easter Sunday.
_FIXED: Final = ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25))
_AFTER_EASTER: Final = (1, 39, 50)


def never(_: date) -> bool:
    """No day is free."""
    return False


def of(journey: Journey, channel: str, purpose: str) -> IsFree:
    """Which days are free for such a message: of marketing by SMS to France, Sundays and public holidays."""
    if channel != "sms" or purpose != "marketing":
        return never
    number = e164(journey.traits.get("phone"))
    return _in_france if number is not None and number.startswith(_FRANCE) else never


def _in_france(day: date) -> bool:
    return day.weekday() == _SUNDAY or (day.month, day.day) in _FIXED or day in _movable(day.year)


@lru_cache(maxsize=16)
def _movable(year: int) -> frozenset[date]:
    return frozenset(_easter(year) + timedelta(days=days) for days in _AFTER_EASTER)


def _easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar, by the algorithm of Meeus, Jones and Butcher."""
    century, rest = divmod(year, 100)
    golden = year % 19
    leaps, odd = divmod(century, 4)
    shift = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leaps - shift + 15) % 30
    weekday = (32 + 2 * odd + 2 * (rest // 4) - epact - rest % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)
