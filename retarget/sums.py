"""Sums of numbers as if nothing were rounded but the sum: neither order nor way of adding shows in them.

What `sum` adds up hangs on the order, and on the version of Python.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

# Amounts from a hundred millionth up are whole numbers of these, whatever their binary fraction.
_PARTS: Final = 2**80
_FINE: Final = float(_PARTS)

_LARGEST: Final = 2.0**1000

#: The number nearest to so many parts.
of_parts: Final[Callable[[int], float]] = _PARTS.__rtruediv__


def total(numbers: Sequence[float]) -> float:
    """The sum, rounded once. Where no number can tell it, it is infinite, or none (NaN)."""
    try:
        return math.fsum(numbers)
    except (OverflowError, ValueError):
        return sum(numbers, 0.0)


def part(number: float) -> int | None:
    """A number in parts, which are added and taken away without rounding; None if it has smaller ones."""
    fine = number * _FINE
    if not -_LARGEST < fine < _LARGEST:
        return None
    found = int(fine)
    return found if found == fine else None


def parts(numbers: Sequence[float]) -> list[int] | None:
    """Several numbers in parts; None if one cannot be told in them."""
    found = [one for one in map(part, numbers) if one is not None]
    return found if len(found) == len(numbers) else None
