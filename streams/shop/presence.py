"""One person in the shop: what lies in their cart, what they remember, and who the shop takes them for."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from retarget.touchpoints import Item, Touchpoint
from streams.shop.catalogue import Product, Shelf
from streams.shop.draw import chance, identifier, pick
from streams.shop.funnel import FUNNEL
from streams.shop.people import Device, Person

_REMEMBERED: Final = 6
_SIGNS_IN_ON_ARRIVAL: Final = 0.75


@dataclass(kw_only=True, slots=True)
class Presence:
    """The changing part of a person; `sign` puts their ids on what they do."""

    person: Person
    shelf: Shelf
    rng: Random
    device: Device = field(init=False)
    session_id: str = ""
    cart_id: str = ""
    cart: dict[str, int] = field(default_factory=dict)
    wished: list[Product] = field(default_factory=list)
    seen: list[Product] = field(default_factory=list)
    # The devices on which the shop knows the person, and the traits that it has been told.
    signed_in: set[str] = field(default_factory=set)
    told: dict[str, Any] = field(default_factory=dict)
    consents: dict[str, bool] = field(default_factory=dict)
    wants_to_pay: bool = False
    fresh_cart: bool = False
    to_cart: float = FUNNEL.to_cart
    gone: bool = False
    last_order: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.device = self.person.devices[0]

    def arrive(self) -> None:
        """Begin a session on one of the person's devices."""
        self.device = pick(self.rng, self.person.devices)
        self.session_id = identifier(self.rng)

    @property
    def known(self) -> bool:
        """Whether the person is signed in on the present device."""
        return self.person.user_id is not None and self.device.anonymous_id in self.signed_in

    @property
    def wants_to_sign_in(self) -> bool:
        """Whether somebody with an account signs in on arrival."""
        return self.person.user_id is not None and not self.known and chance(self.rng, _SIGNS_IN_ON_ARRIVAL)

    def sign(self, event: Touchpoint) -> Touchpoint:
        """The event with an id of its own and those of person, device and session."""
        event.id = identifier(self.rng)
        event.anonymous_id = self.device.anonymous_id
        event.device_id = self.device.device_id
        event.session_id = self.session_id or None
        if self.known:
            event.user_id = self.person.user_id
        return event

    def remember(self, product: Product) -> None:
        """Keep the product among the last ones seen."""
        if product not in self.seen:
            self.seen.append(product)
            del self.seen[:-_REMEMBERED]

    def put(self, product_id: str) -> None:
        """One more of the product into the cart, which gets an id with its first product."""
        if not self.cart:
            self.cart_id = f"C-{self.rng.getrandbits(32):08x}"
        self.cart[product_id] = self.cart.get(product_id, 0) + 1

    def lines(self) -> list[Item]:
        """What is in the cart, as events show it."""
        products = self.shelf.shop.by_id
        return [self.shelf.item(products[name], quantity) for name, quantity in self.cart.items()]
