"""Journeys as bytes: a version byte, then positional MessagePack."""

from __future__ import annotations

from typing import Final

import msgspec

from retarget.errors import LaneRefused
from retarget.journeys.model import Journey

VERSION: Final = 2
_PREFIX: Final = bytes([VERSION])
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Journey)


def encode(journey: Journey) -> bytes:
    """The bytes that the store keeps of a journey."""
    return _PREFIX + _encoder.encode(journey)


def decode(data: bytes) -> Journey:
    """The journey of these bytes. Raises LaneRefused when a build with another version wrote them."""
    if data[0] != VERSION:
        raise LaneRefused(
            f"a stored journey has version {data[0]} but this build reads version {VERSION}; "
            "deploy the build that wrote it"
        )
    return _decoder.decode(memoryview(data)[1:])
