"""What a message's own link holds: whose it is, which message it came with, what it shows, until when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from retarget.errors import Damaged
from retarget.times import MINUTE

# Products beyond so many characters together would make an address that mail programs cut.
_ROOM: Final = 700
_encode: Final = msgspec.msgpack.Encoder().encode


class Link(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A link before it is sealed. Times are in minutes since 1970, so that it stays short."""

    message: bytes
    person: str
    known: bool  # by a user id
    channel: str
    products: tuple[str, ...]
    made: int
    lasts: int

    @property
    def message_id(self) -> str:
        """That of the message it came with."""
        return self.message.hex()

    @property
    def made_at(self) -> int:
        """When its message was made, epoch ms; never later."""
        return self.made * MINUTE

    @property
    def expires_at(self) -> int:
        """From when on it leads nowhere, epoch ms."""
        return (self.made + self.lasts) * MINUTE


_decoder: Final = msgspec.msgpack.Decoder(Link)


def link_of(
    message_id: str, person: str, *, known: bool, channel: str, products: Iterable[str], at: int, lasts: int
) -> Link:
    """The link of a message of 32 hex digits made at `at`, for `lasts` ms."""
    made = at // MINUTE
    return Link(
        message=bytes.fromhex(message_id),
        person=person,
        known=known,
        channel=channel,
        products=tuple(_within(products)),
        made=made,
        lasts=(at + lasts) // MINUTE + 1 - made,
    )


def _within(products: Iterable[str]) -> Iterable[str]:
    room = _ROOM
    for product in products:
        room -= len(product.encode())
        if room < 0:
            return
        yield product


def encode(link: Link) -> bytes:
    """The bytes to be sealed."""
    return _encode(link)


def decode(data: bytes) -> Link:
    """The inverse. Raises Damaged."""
    try:
        return _decoder.decode(data)
    except (ValueError, RecursionError) as error:
        raise Damaged("a link", error) from error
