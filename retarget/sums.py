"""Sums of numbers as if nothing were rounded but the sum: neither order nor way of adding shows in them.

What `sum` adds up hangs on the order, and on the version of Python.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

# Amounts from a hundred millionth up are whole numbers of these, whatever their binary fraction.
_PARTS: Final = 2**80
_FINE: Final = float(_PARTS)
_LARGEST: Final = 2.0**100


def total(numbers: Sequence[float]) -> float:
    """The sum, rounded once. Where no number can tell it, it is infinite, or none (NaN)."""
    try:
        return math.fsum(numbers)
    except (OverflowError, ValueError):
        return sum(numbers, 0.0)


def parts(number: float) -> int | None:
    """A number in parts that can be added and taken away without rounding; None if it has smaller ones."""
    if not -_LARGEST < number < _LARGEST:
        return None
    fine = number * _FINE
    found = int(fine)
    return found if found == fine else None


def of_parts(found: int) -> float:
    """The number nearest to so many parts."""
    return found / _PARTS
