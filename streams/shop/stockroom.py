"""The shop's own doings: stock that runs out and is refilled, and prices that go down and up again."""

from __future__ import annotations

from random import Random
from typing import Final

from retarget.touchpoints import Item, Touchpoint
from streams.shop.catalogue import CURRENCY, Shelf
from streams.shop.draw import around, identifier
from streams.shop.funnel import FUNNEL
from streams.shop.timeline import Aside, Process

# At more than this many pieces nobody needs to hear of the stock.
_WORTH_TELLING: Final = 5
_LOWEST, _HIGHEST = 0.7, 0.95


def take(shelf: Shelf, rng: Random, product_id: str, pieces: int) -> Process:
    """Pieces leave the shelf; a small rest is made known, and an empty place is filled after some days."""
    before = shelf.stock[product_id]
    shelf.stock[product_id] = left = max(0, before - pieces)
    if left < before and left <= _WORTH_TELLING:
        yield stock_change(shelf, rng, product_id)
    if left == 0 < before:
        yield Aside(_restock(shelf, rng, product_id))


def _restock(shelf: Shelf, rng: Random, product_id: str) -> Process:
    yield around(rng, FUNNEL.restock_after)
    shelf.stock[product_id] = rng.randint(20, 80)
    yield stock_change(shelf, rng, product_id)


def reprice(shelf: Shelf, rng: Random) -> Process:
    """Without end: one price after another is cut, or put back to the list price."""
    while True:
        yield around(rng, FUNNEL.price_change_every)
        product = rng.choice(shelf.shop.products)
        reduced = shelf.price[product.product_id] < product.price
        factor = 1.0 if reduced else rng.uniform(_LOWEST, _HIGHEST)
        shelf.price[product.product_id] = price = round(product.price * factor, 2)
        item = Item(product_id=product.product_id, price=price)
        yield Touchpoint(id=identifier(rng), type="price_change", items=[item], currency=CURRENCY)


def stock_change(shelf: Shelf, rng: Random, product_id: str) -> Touchpoint:
    """The stock as it is now, as the item's quantity."""
    item = Item(product_id=product_id, quantity=shelf.stock[product_id])
    return Touchpoint(id=identifier(rng), type="stock_change", items=[item])
