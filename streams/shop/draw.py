"""Draws that the whole model shares; each takes the one generator of random numbers that is passed around."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Final, TypeVar

T = TypeVar("T")

_HEX_DIGITS: Final = 32
# Between a street market and a hit list: with 1.0 half of a category would never be seen.
_STEEPNESS: Final = 0.7


def seeded(seed: int) -> Random:
    """The one generator of a simulation."""
    return Random(seed)  # noqa: S311  a model of a shop keeps no secrets


def chance(rng: Random, share: float) -> bool:
    """True in `share` of all cases."""
    return rng.random() < share


def around(rng: Random, median: float, spread: float = 0.6) -> int:
    """A positive whole number with this median and a long tail to the right."""
    return max(1, round(median * rng.lognormvariate(0, spread)))


def identifier(rng: Random) -> str:
    """Text in the form of a random UUID."""
    digits = f"{rng.getrandbits(4 * _HEX_DIGITS):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def pick(rng: Random, things: Sequence[T]) -> T:
    """One of them, all alike."""
    return things[int(rng.random() * len(things))]


def ranked_weights(count: int) -> list[float]:
    """Cumulative weights of `count` things of falling popularity."""
    return list(accumulate(1 / (rank + 1) ** _STEEPNESS for rank in range(count)))
