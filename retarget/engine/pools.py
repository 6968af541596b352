"""Pools: codes that somebody else has made, each given once; every lane has a share that no other touches.

The code in place n of a pool belongs to lane n modulo their number, which gives its share from the first to
the last. How many it has given is stored with its positions, so a crash or a replay comes to the same codes,
and no lane asks anybody. A pool may grow at its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

# Pool -> how many codes of its share a lane has given; the lane keeps it with its positions.
Drawn = dict[str, int]
# Given out by other lanes than there are now: nobody knows any more which codes are left.
CLOSED: Final = -1


class Pool(msgspec.Struct, frozen=True):
    """The codes of one file; `id` is another one when the file begins with another code."""

    id: str
    codes: tuple[str, ...]


def take(drawn: Drawn, pool: Pool | None, partition: int, lanes: int) -> str | None:
    """The next code of the lane's share; None when there is none left, or no such pool."""
    if pool is None or not left(drawn, pool, partition, lanes):
        return None
    given = drawn.get(pool.id, 0)
    drawn[pool.id] = given + 1
    return pool.codes[partition + given * max(lanes, 1)]


def left(drawn: Mapping[str, int], pool: Pool, partition: int, lanes: int) -> int:
    """How many codes the lane still has to give."""
    given = drawn.get(pool.id, 0)
    if given == CLOSED:
        return 0
    share = range(partition, len(pool.codes), max(lanes, 1))
    return max(len(share) - given, 0)
