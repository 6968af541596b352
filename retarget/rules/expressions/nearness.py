"""Numbers compare as people reckon: 18.90 * 0.9 is 17.01, though binary fractions come to a little less.

What differs by less than one part in ten thousand millions, and a thousandth at most, is the same; beyond
a million millions, where there are ids and no amounts, nothing is.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Final

_SHARE: Final = 1e-10
_MOST: Final = 1e-3
_AMOUNTS: Final = 10**12

Test = Callable[[float, float], bool]


def slack(number: float) -> float:
    """By how much another number may differ and be the same."""
    if abs(number) > _AMOUNTS:
        return 0
    return min(_SHARE * max(1.0, abs(number)), _MOST)


def _is(one: float, other: float) -> bool:
    return one == other or abs(one - other) <= slack(other)


def _is_below(one: float, other: float) -> bool:
    return one < other and not _is(one, other)


def _is_above(one: float, other: float) -> bool:
    return one > other and not _is(one, other)


TESTS: Final[Mapping[str, Test]] = {
    "==": _is,
    "!=": lambda one, other: not _is(one, other),
    "<": _is_below,
    "<=": lambda one, other: one <= other or _is(one, other),
    ">": _is_above,
    ">=": lambda one, other: one >= other or _is(one, other),
}
_ORDERS: Final[Mapping[str, tuple[Test, int]]] = {
    "<": (operator.lt, -1),
    "<=": (operator.le, 1),
    ">": (operator.gt, 1),
    ">=": (operator.ge, -1),
}


def against(sign: str, limit: float) -> tuple[Test, float]:
    """A test, and the number beside which it says of any other what `sign` says beside the limit."""
    if sign not in _ORDERS:
        return TESTS[sign], limit
    test, towards = _ORDERS[sign]
    gap = slack(limit)
    return test, limit + towards * gap if gap else limit


def snapped(number: float, limit: float) -> float:
    """The number, or the limit if it is the same."""
    return limit if _is(number, limit) else number
