"""Records of the catalogue: read, checked, and handed to every lane with the place they came from.

Inside, a record is a touchpoint of the type TYPE without a person, so that a lane holds it until its time as
it does with everything that happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from retarget.decode import parse_object, read_id, read_number, read_text, read_time, require_size
from retarget.errors import Rejected, RejectReason
from retarget.touchpoints import Item, Touchpoint

TYPE: Final = "catalogue"
# What a record can say of a product.
TEXTS: Final = ("name", "category", "brand", "url", "image_url")
TOLD: Final = ("price", "stock", "margin", "expires", *TEXTS)


class Fanned(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A record on its way to every lane: where it stands in the catalogue, its key and its value.

    `id` and `time` take the place of the record's own where they are given. `at_once`: nothing more will come
    that it could wait for. `refused`: why whoever read it from a file could make no record of it.
    """

    partition: int
    offset: int
    key: bytes | None
    value: bytes
    id: str = ""
    time: int = -1
    at_once: bool = False
    refused: tuple[RejectReason, str] | None = None


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Fanned)


def pack(fanned: Fanned) -> bytes:
    """Its bytes in the internal topic."""
    return _encoder.encode(fanned)


def unpack(value: bytes) -> Fanned:
    """The inverse of `pack`. Raises Rejected: whoever may write to the topic, a lane goes on."""
    try:
        return _decoder.decode(value)
    except (ValueError, RecursionError) as error:
        said = f"only workers may write to this topic; it is no record of theirs ({error})"
        raise Rejected("bad_field", said) from None


def read_record(value: bytes, key: bytes | None, max_bytes: int) -> Touchpoint:
    """One record; the key names the product where the record does not. Its time is -1 when it has none.

    Raises Rejected with the dead letter's reason.
    """
    require_size(value, max_bytes)
    given = parse_object(value)
    said = {name: given[name] for name in TOLD if given.get(name) is not None}
    if not said:
        raise Rejected("bad_field", f"nothing of the catalogue is in it; it may have {', '.join(TOLD)}")
    item = Item(
        product_id=_product(given, key), price=_amount(said, "price"), quantity=_amount(said, "stock")
    )
    for name in TEXTS:
        if name in said:
            setattr(item, name, read_text(said[name], name) or None)
    more: dict[str, Any] = {}
    if "margin" in said:
        more["margin"] = read_number(said["margin"], "margin")
    if "expires" in said:
        more["expires"] = read_time(said["expires"], "expires")
    time = -1 if given.get("time") is None else read_time(given["time"])
    id_ = None if given.get("id") is None else read_id(given["id"], "id")
    return Touchpoint(id=id_, type=TYPE, time=time, items=[item], traits=more or None)


def read_fanned(fanned: Fanned, max_bytes: int) -> Touchpoint:
    """The record that is on its way, as `read_record` has it. Raises Rejected."""
    if fanned.refused is not None:
        raise Rejected(*fanned.refused)
    return read_record(fanned.value, fanned.key, max_bytes)


def _product(given: dict[str, Any], key: bytes | None) -> str:
    product = given.get("product_id")
    if product is None:
        found = read_id((key or b"").decode(errors="replace"), "the key")
    else:
        found = read_id(product, "product_id")
    if not found:
        raise Rejected(
            "bad_field", "product_id is missing, and the record has no key; it must name a product"
        )
    return found


def _amount(said: dict[str, Any], field: str) -> float | None:
    if field not in said:
        return None
    amount = read_number(said[field], field)
    if amount < 0:
        raise Rejected("bad_field", f"{field} is {amount:g}; it must be a number from 0 on")
    return amount


def records_of(event: Touchpoint) -> Iterator[tuple[str, bytes]]:
    """What a `price_change` or `stock_change` says of each of its products, as records of the catalogue."""
    for item in _told_by(event):
        named = {"id": event.id, "product_id": item.product_id, "time": event.time}
        told = {"price": item.price, "stock": item.quantity} | {name: getattr(item, name) for name in TEXTS}
        yield (
            item.product_id or "",
            msgspec.json.encode(named | {name: value for name, value in told.items() if value is not None}),
        )


def as_record(event: Touchpoint) -> Touchpoint | None:
    """The same as one record about all its products; None when it says nothing."""
    items = list(_told_by(event))
    return (
        Touchpoint(id=event.id, type=TYPE, time=event.time, items=items, trace=event.trace) if items else None
    )


def _told_by(event: Touchpoint) -> Iterator[Item]:
    """A change of price says no stock: the quantity of its items may mean anything; nor the other way."""
    of_price = event.type == "price_change"
    for index, item in enumerate(event.items):
        price, stock = (item.price, None) if of_price else (None, item.quantity)
        amount = price if of_price else stock
        if amount is not None and amount < 0:
            field = f"items[{index}].{'price' if of_price else 'quantity'}"
            raise Rejected("bad_field", f"{field} is {amount:g}; it must be a number from 0 on")
        if item.product_id and amount is not None:
            yield replace(item, price=price, quantity=stock)
