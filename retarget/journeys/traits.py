"""Traits as conditions see them: whatever a profile tells, as text or as a number."""

from __future__ import annotations

import re
from datetime import datetime
from math import isfinite
from typing import Final

from retarget.journeys.model import Journey
from retarget.times import parse_time

_YEARLESS: Final = re.compile(r"(?:--)?(\d\d-\d\d)")


def word(journey: Journey, key: str) -> str | None:
    """A trait that is to be a text, as a country is; None when it is neither that nor a number."""
    told = journey.traits.get(key)
    return None if isinstance(told, bool) or not isinstance(told, str | int | float) else text(journey, key)


def told(journey: Journey, key: str) -> bool:
    """Whether anything is told, of whatever type."""
    return text(journey, key) is not None


def text(journey: Journey, key: str) -> str | None:
    """The trait in the form of a text, `true` and `false` for a yes or no; None when nothing is told."""
    value = journey.traits.get(key)
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None or value in ("", [], {}) else str(value)


def moment(journey: Journey, key: str) -> int | None:
    """The trait as a time, epoch ms: midnight UTC where it is a day; None when it is neither."""
    value = journey.traits.get(key)
    try:
        return parse_time(value) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def day(journey: Journey, key: str) -> tuple[int, int, int] | None:
    """The trait as year, month and day, as it is written, whatever its zone; None when it is none.

    The year may be missing, as in `05-31` or `--05-31`; it is 0 then.
    """
    value = journey.traits.get(key)
    if not isinstance(value, str):
        return None
    yearless = _YEARLESS.fullmatch(value)
    try:
        # 2000 was a leap year.
        found = datetime.fromisoformat(f"2000-{yearless[1]}" if yearless else value)
    except ValueError:
        return None
    return 0 if yearless else found.year, found.month, found.day


def number(journey: Journey, key: str) -> float | None:
    """The trait as a number, also where it came as text; None when it is none."""
    value = journey.traits.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    return finite(value)


def finite(told: str | float) -> float | None:
    """The number that is told, also as text; None where it is none, or has no end."""
    try:
        found = float(told)
    except ValueError:
        return None
    return found if isfinite(found) else None
