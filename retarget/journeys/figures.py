"""Running figures of a person's products and carts, so that a look need not go through all of them.

As those of long tallies (`retarget.rules.running`) they follow from the journey alone and are stored without;
they are made where there is much to go through. `facts`, `carts` and whoever else changes products or carts
tells of it, and what does not know that is no figure.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import Final, TypeAlias

import msgspec

from retarget.journeys.model import CartLine, Journey, Product
from retarget.sums import total
from retarget.touchpoints import Item

# After so many events for which nobody asked.
GIVEN_UP: Final = 200
Carts: TypeAlias = dict[str, dict[str, CartLine]]


class Prices(msgspec.Struct, gc=False):
    """The prices of the products viewed after `since`, when the latest of the others was, in order."""

    since: int
    of: dict[str, float]
    ordered: list[float]
    leaving: list[tuple[int, str]]  # a heap of when they were viewed, or before

    def set(self, name: str, product: Product) -> None:
        """Let the price of one product be what it is by now."""
        of, price = self.of, product.price
        known = of.get(name)
        if price == known or price is None or product.viewed <= self.since:
            return
        ordered = self.ordered
        if known is None:
            heappush(self.leaving, (product.viewed, name))
        else:
            del ordered[bisect_left(ordered, known)]
        of[name] = price
        insort(ordered, price)

    def move_to(self, since: int, products: dict[str, Product]) -> None:
        """Drop what was not viewed any more after that."""
        leaving = self.leaving
        while leaving and leaving[0][0] <= since:
            _, name = heappop(leaving)
            viewed = products[name].viewed
            if viewed > since:
                heappush(leaving, (viewed, name))
            else:
                self.since = max(self.since, viewed)
                del self.ordered[bisect_left(self.ordered, self.of.pop(name))]


class Products(dict[str, Product]):
    """A person's products, equal to the plain dictionary and stored as one, with figures of them and carts.

    What nobody has asked for, or not since it was given up or what it is of has changed, is None.
    """

    __slots__ = ("_categories", "_held", "_prices", "_sorts", "_unasked", "_worth")

    def __init__(self, products: dict[str, Product]) -> None:
        super().__init__(products)
        self._prices: Prices | None = None
        self._categories: dict[str, str | None] | None = None
        self._unasked = 0
        self.forget_carts()

    def __reduce__(self) -> tuple[type, tuple[dict[str, Product]]]:
        """A copy makes figures of its own."""
        return dict, (dict(self),)

    def pop(self, name: str) -> Product:  # type: ignore[override]  # of all its forms the one that is used
        """Take a product out."""
        self._prices = self._categories = None
        return super().pop(name)

    @property
    def moves(self) -> bool:
        """Whether there is anything that each event of a product must move on."""
        return self._prices is not None or self._categories is not None

    def touch(self, items: Iterable[Item]) -> None:
        """Move the figures on over products that may have changed, as long as somebody asks for them."""
        prices, categories = self._prices, self._categories
        if prices is None and categories is None:
            return
        self._unasked += 1
        if self._unasked > GIVEN_UP:
            self._prices = self._categories = None
            return
        for item in items:
            name = item.product_id
            product = self.get(name) if name else None
            if name is None or product is None:
                continue
            if prices is not None:
                prices.set(name, product)
            if categories is not None and categories.get(name, product.category) != product.category:
                categories = self._categories = None

    def forget_carts(self) -> None:
        """The carts have changed."""
        self._held: frozenset[str] | None = None
        self._worth: dict[str | None, float | None] = {}
        self._categories = None

    def held(self, carts: Carts) -> frozenset[str]:
        """What is in any of the carts."""
        if self._held is None:
            self._held = frozenset().union(*carts.values())
        return self._held

    def worth(self, carts: Carts, cart: str | None) -> float | None:
        """What a cart is worth, or (None) all of them, where prices are known."""
        known = self._worth
        if cart not in known:
            known[cart] = worth(carts.values() if cart is None else [carts[cart]])
        return known[cart]

    def sorts(self, carts: Carts) -> frozenset[str | None]:
        """The categories of what is in the carts."""
        self._unasked = 0
        if self._categories is None:
            self._categories = {name: _category(self.get(name)) for name in self.held(carts)}
            self._sorts: frozenset[str | None] = frozenset(self._categories.values())
        return self._sorts

    def prices(self, since: int) -> list[float] | None:
        """The prices, in order, of those viewed after a time; None where only going through them tells."""
        self._unasked = 0
        prices = self._prices
        if prices is None:
            prices = self._prices = _prices(self, since)
        elif since < prices.since:
            return None
        elif prices.leaving and prices.leaving[0][0] <= since:
            prices.move_to(since, self)
        return prices.ordered


def _category(product: Product | None) -> str | None:
    return None if product is None else product.category


def _prices(products: Products, since: int) -> Prices:
    viewed = {name: one for name, one in products.items() if one.viewed > since and one.price is not None}
    of = {name: one.price for name, one in viewed.items() if one.price is not None}
    leaving = [(one.viewed, name) for name, one in viewed.items()]
    heapify(leaving)
    before = max((one.viewed for one in products.values() if one.viewed <= since), default=0)
    return Prices(before, of, sorted(of.values()), leaving)


def worth(carts: Iterable[dict[str, CartLine]]) -> float | None:
    """What carts are worth together, where prices are known; None without any."""
    lines = [line for held in carts for line in held.values()]
    prices = [line.price * line.quantity for line in lines if line.price is not None]
    return total(prices) if prices else None


def of(journey: Journey) -> Products:
    """The figures of a journey, from now on kept."""
    products = journey.products
    if not isinstance(products, Products):
        products = journey.products = Products(products)
    return products


def touch(journey: Journey, items: Iterable[Item]) -> None:
    """Tell that the products of these may have changed."""
    if isinstance(journey.products, Products):
        journey.products.touch(items)


def forget_carts(journey: Journey) -> None:
    """Tell that the carts of a journey have changed."""
    if isinstance(journey.products, Products):
        journey.products.forget_carts()
