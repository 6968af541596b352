"""Cells of delimited files: text that stands for times and numbers."""

from __future__ import annotations

from typing import Final

from retarget.decode import read_number, read_time
from retarget.errors import Rejected

_UNITS: Final = {1: "milliseconds", 1000: "seconds"}


def epoch(text: str, unit_ms: int, field: str) -> int:
    """Epoch milliseconds of a whole number of units of `unit_ms`. Raises Rejected `bad_time`."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len("253402300799999")):
        raise Rejected("bad_time", f"{field} is {text[:40]!r}; it must be whole {_UNITS[unit_ms]} since 1970")
    return read_time(int(digits) * unit_ms, field)


def number(text: str, field: str) -> float | None:
    """The number in a cell, nothing for an empty one. Raises Rejected `bad_field`."""
    if not text.strip():
        return None
    try:
        return read_number(float(text), field)
    except ValueError:
        raise Rejected("bad_field", f"{field} is {text[:40]!r}; it must be a number with a point") from None
