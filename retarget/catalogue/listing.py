"""Listings: a product as the shop offers it now, and the news that a record of the catalogue brings.

Records may come late or twice. Each part of a listing keeps the time of what was last said of it, and what
is older than that changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from retarget.errors import Damaged, LaneRefused
from retarget.touchpoints import Item

_LOOKS: Final = ("name", "category", "brand", "url", "image_url")


class Listing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is known of a product; None: never said. Times are epoch ms, 0 is never."""

    price: float | None = None
    stock: float | None = None
    margin: float | None = None
    expires: int = 0
    name: str | None = None
    category: str | None = None
    brand: str | None = None
    url: str | None = None
    image_url: str | None = None
    said: dict[str, int] = {}  # part -> the time of the latest record that told it


UNLISTED: Final = Listing()
VERSION: Final = 1
_WHAT: Final = "a stored listing"
_PREFIX: Final = bytes([VERSION])
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Listing)


def encode(listing: Listing) -> bytes:
    """The bytes that the store keeps of a listing: a version byte, then positional MessagePack."""
    return _PREFIX + _encoder.encode(listing)


def decode(data: bytes) -> Listing:
    """The inverse of `encode`. Raises LaneRefused when another build wrote them, or they are damaged."""
    if not data:
        raise Damaged(_WHAT, "it is empty")
    if data[0] != VERSION:
        raise LaneRefused(
            f"a stored listing has version {data[0]} but this build reads version {VERSION}; "
            "deploy the build that wrote it"
        )
    try:
        return _decoder.decode(memoryview(data)[1:])
    except (ValueError, RecursionError) as error:
        raise Damaged(_WHAT, error) from error


class News(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one record changed, by its id and time: the listing before it and after it."""

    product: str
    id: str
    time: int
    before: Listing
    after: Listing
    trace: str | None = None

    def changes(self, part: str) -> bool:
        """Whether `price`, `stock`, `margin` or `expires` is another one now."""
        return bool(getattr(self.before, part) != getattr(self.after, part))

    @property
    def undone(self) -> News:
        """The same, the other way round: what held before the record and no longer does holds in it."""
        return replace(self, before=self.after, after=self.before)


def relist(listing: Listing, item: Item, more: Mapping[str, Any], time: int) -> Listing:
    """The listing after a record: `item` has its price, its stock as quantity, and how the product looks.

    `more` may have `margin` and `expires` (epoch ms).
    """
    parts: dict[str, Any] = {"price": item.price, "stock": item.quantity}
    parts |= {name: getattr(item, name) for name in _LOOKS}
    parts |= {name: more.get(name) for name in ("margin", "expires")}
    told = {
        name: value
        for name, value in parts.items()
        if value is not None and time >= listing.said.get(name, 0)
    }
    if not told:
        return listing
    return replace(listing, **told, said=listing.said | dict.fromkeys(told, time))
