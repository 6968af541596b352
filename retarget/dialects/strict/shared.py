"""What the strict readers have in common: properties with our names, products, the reader around a struct."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Annotated, Any, Final, TypeVar

import msgspec

from retarget.decode import is_settled, read_time
from retarget.dialects.parts import OF_CONSENT
from retarget.errors import Rejected
from retarget.times import LATEST, parse_time
from retarget.touchpoints import Id, Item, Touchpoint

T = TypeVar("T")
P = TypeVar("P", bound=Item)
S = TypeVar("S", bound=msgspec.Struct)
Reader = Callable[[bytes], Touchpoint | None]


class Properties(msgspec.Struct, frozen=True, gc=False):
    """The properties that mean in every dialect what they mean in ours, and those of a flat consent."""

    session_id: Id | None = None
    cart_id: Id | None = None
    checkout_id: Id | None = None
    order_id: Id | None = None
    device_id: Id | None = None
    store_id: Id | None = None
    currency: Id | None = None
    coupon: Id | None = None
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


# No text is that short and that long: whatever stands in such a field, the record is not read.
Never = Annotated[str, msgspec.Meta(min_length=1, max_length=0)]


def telling(
    kind: type[S],
    build: Callable[[S], Touchpoint | None],
    needed: Mapping[str, Any],
    absent: Iterable[str],
) -> Reader:
    """Reads what is certainly in this dialect, whatever dialect the topic is set to.

    It has the fields `needed`, and none of `absent`, by which other dialects or the canonical form are told.
    """
    fields: list[Any] = [*needed.items(), *_never(absent, kind.__struct_encode_fields__)]
    certain: Any = msgspec.defstruct("_Certain", fields, bases=(kind,), kw_only=True, frozen=True, gc=False)
    return strictly(certain, build)


def without(absent: Iterable[str]) -> type[msgspec.Struct]:
    """Objects that have none of these fields, whatever else they have."""
    return msgspec.defstruct("_Without", _never(absent, ()), frozen=True, gc=False)


def _never(names: Iterable[str], theirs: Iterable[str]) -> list[tuple[str, Any, Any]]:
    return [
        (name if name in theirs else f"no_{name}", Never, msgspec.field(name=name, default=None))
        for name in names
    ]


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


def items_of(products: list[P]) -> list[Item]:
    """Products that were decoded under the producer's names, as items of ours: they have the same fields."""
    for one in products:
        one.personalisation = None  # which is ours alone
        one.__class__ = Item  # type: ignore[assignment]
    return products  # type: ignore[return-value]
