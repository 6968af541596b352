"""What the strict readers have in common: properties with our names, products, the reader around a struct."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, Final, TypeVar

import msgspec

from retarget.decode import is_settled, read_time
from retarget.dialects.parts import OF_CONSENT
from retarget.errors import Rejected
from retarget.times import LATEST, parse_time
from retarget.touchpoints import Id, Item, Touchpoint

T = TypeVar("T")
Reader = Callable[[bytes], Touchpoint | None]


class Properties(msgspec.Struct, frozen=True, gc=False):
    """The properties that mean in every dialect what they mean in ours, and those of a flat consent."""

    session_id: Id | None = None
    cart_id: Id | None = None
    checkout_id: Id | None = None
    order_id: Id | None = None
    device_id: Id | None = None
    store_id: Id | None = None
    currency: str | None = None
    coupon: str | None = None
    query: str | None = None
    dwell_ms: float | None = None
    position: float | None = None
    sentiment: str | float | None = None
    channel: str | None = None
    geo: dict[str, Any] | None = None
    value: float | None = None
    source: str | None = None
    traits: dict[str, Any] | None = None
    consent: dict[str, Any] | None = None
    purpose: Any = None
    state: Any = None
    basis: Any = None
    text_version: Any = None


def strictly(kind: type[T], build: Callable[[T], Touchpoint | None]) -> Reader:
    """Reads bytes as `kind` and builds the touchpoint; None when the tolerant reader must judge them."""
    return reading(msgspec.json.Decoder(kind).decode, build)


def reading(decode: Callable[[bytes], T], build: Callable[[T], Touchpoint | None]) -> Reader:
    """The same for what `decode` makes of them; it raises ValueError for what is not as usual."""

    def read(value: bytes) -> Touchpoint | None:
        try:
            given = decode(value)
            if not value.isascii():
                value.decode()  # the decoder skips unknown fields without looking at their bytes
            touchpoint = build(given)
        except (ValueError, OverflowError, RecursionError, Rejected):
            return None
        return touchpoint if touchpoint is not None and is_settled(touchpoint) else None

    return read


def time_of(given: str | int) -> int:
    """Epoch milliseconds, as `read_time`. Raises Rejected, ValueError."""
    if isinstance(given, str) and 0 <= (time := parse_time(given)) <= LATEST:
        return time
    return read_time(given)


def add(touchpoint: Touchpoint, given: Properties) -> None:  # noqa: C901 - one line for each field
    """Set the fields with our names that a producer gave; most give few of them."""
    if given.cart_id is not None:
        touchpoint.cart_id = given.cart_id
    if given.checkout_id is not None:
        touchpoint.checkout_id = given.checkout_id
    if given.order_id is not None:
        touchpoint.order_id = given.order_id
    if given.store_id is not None:
        touchpoint.store_id = given.store_id
    if given.currency is not None:
        touchpoint.currency = given.currency
    if given.coupon is not None:
        touchpoint.coupon = given.coupon
    if given.dwell_ms is not None:
        touchpoint.dwell_ms = given.dwell_ms
    if given.position is not None:
        touchpoint.position = given.position
    if given.sentiment is not None:
        touchpoint.sentiment = given.sentiment
    if given.geo is not None:
        touchpoint.geo = given.geo


def called(names: Mapping[str, str]) -> Callable[[object], dict[str, Any] | None]:
    """What reads a struct's fields with a producer's `names`, under ours; None where nothing is in them."""
    read, ours = attrgetter(*names), tuple(names.values())
    nothing = (None,) * len(ours)

    def found(given: object) -> dict[str, Any] | None:
        known = read(given)
        if known == nothing:
            return None
        return {name: one for name, one in zip(ours, known, strict=True) if one is not None}

    return found


_flat_consent: Final = called({name: name for name in OF_CONSENT})


def consent_in(kind: str, given: Properties) -> dict[str, Any] | None:
    """The consent in an event's properties: an object or, in an event named after it, flat."""
    return given.consent if kind != "consent" or given.consent is not None else _flat_consent(given)


def items_of(products: Iterable[Item]) -> list[Item]:
    """Products that were decoded under the producer's names, as items of ours."""
    return [
        Item(
            product_id=one.product_id, variant_id=one.variant_id, name=one.name, category=one.category,
            brand=one.brand, price=one.price, quantity=one.quantity, url=one.url, image_url=one.image_url,
        )
        for one in products
    ]  # fmt: skip
