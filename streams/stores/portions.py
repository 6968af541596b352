"""How much of a lane is read or written at once, when it is read or written as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

T = TypeVar("T")

# People, waits or listings: one call to the store takes so many well.
PORTION: Final = 1_000


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of `size`, the last one shorter; none is empty."""
    rest = iter(items)
    while portion := list(islice(rest, size)):
        yield portion
