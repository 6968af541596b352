"""Journeys as bytes: a version byte, then positional MessagePack."""

from __future__ import annotations

from typing import Final

import msgspec

from retarget.errors import Damaged, LaneRefused
from retarget.journeys.model import Journey

VERSION: Final = 2
_WHAT: Final = "a stored journey"
_PREFIX: Final = bytes([VERSION])
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Journey)


def encode(journey: Journey) -> bytes:
    """The bytes that the store keeps of a journey."""
    return _PREFIX + _encoder.encode(journey)


def decode(data: bytes) -> Journey:
    """The journey of these bytes. Raises LaneRefused when another build wrote them, or they are damaged."""
    if not data:
        raise Damaged(_WHAT, "it is empty")
    if data[0] != VERSION:
        raise LaneRefused(
            f"a stored journey has version {data[0]} but this build reads version {VERSION}; "
            "deploy the build that wrote it"
        )
    try:
        return _decoder.decode(memoryview(data)[1:])
    except (ValueError, RecursionError) as error:
        raise Damaged(_WHAT, error) from error
