"""Traits as conditions see them: whatever a profile tells, as text or as a number."""

from __future__ import annotations

from math import isfinite

from retarget.journeys.model import Journey
from retarget.times import parse_time


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
