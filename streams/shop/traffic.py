"""The traffic of the shop: one endless stream of touchpoints in the order of their times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from retarget.times import MINUTE
from retarget.touchpoints import Touchpoint
from streams.shop.catalogue import Shelf, Shop
from streams.shop.draw import seeded
from streams.shop.life import bot, passers_by, regular
from streams.shop.stockroom import reprice
from streams.shop.timeline import unfold

# A demo has a minute to show something: everybody who is awake has been invited to the opening.
OPENING: Final = 40 * MINUTE


def simulate(
    shop: Shop, *, seed: int, people: int, start_ms: int, opening_ms: int = OPENING, bots: int = 1
) -> Iterator[Touchpoint]:
    """Touchpoints of a shop with so many regulars, without end, in time order from `start_ms` (epoch ms) on.

    The regulars who are awake come for the first time within `opening_ms` (0: by their habits only).
    The same arguments give the same stream. Every touchpoint has an id and a time of its own.
    """
    rng, shelf = seeded(seed), Shelf(shop=shop)
    return unfold(
        start_ms,
        [
            reprice(shelf, rng),
            *(regular(shelf, rng, start_ms, opening_ms) for _ in range(people)),
            *([passers_by(shelf, rng, people)] if people else []),
            *(bot(shelf, rng) for _ in range(bots)),
        ],
    )
