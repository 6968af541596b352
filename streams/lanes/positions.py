"""What the store keeps of a lane besides journeys and waits, as the bytes of a checkpoint's meta."""

from __future__ import annotations

from typing import Final

import msgspec

from retarget.engine.ceilings import Granted, Shortage
from retarget.errors import Damaged, LaneRefused
from retarget.lane.spreading import Spread

VERSION: Final = 1


class Positions(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Where a lane stands: the lowest record not yet applied is the first of `held`, else the frontier."""

    version: int = VERSION
    incarnation: int = 0
    clock: int = -1
    frontier: dict[str, int] = {}  # topic -> the next offset to be read
    held: dict[str, list[tuple[int, int]]] = {}  # topic -> half-open ranges read but not yet applied
    paced: dict[str, int] = {}  # channel -> the first moment its rate has not given away, epoch us
    risen: dict[str, tuple[int, int]] = {}  # rule with a ceiling -> its window and what it sent in it
    granted: dict[str, Granted] = {}  # what it may send of it
    short: dict[str, Shortage] = {}  # what it lacks to go on
    fanned: dict[int, int] = {}  # partition of the catalogue -> the next of its records
    has_listings: bool = False  # whether the catalogue has ever said anything
    spreads: list[Spread] = []  # news of the catalogue, and up to whom they have come
    heard: dict[str, int] = {}  # type of event -> the latest time of one, for the guard
    sent: int = 0  # how many crossings to other lanes there were
    crossed: dict[int, int] = {}  # lane -> the last of its crossings that was taken
    drawn: dict[str, int] = {}  # pool of codes -> how many of the lane's share are given; -1: all of it
    journal: int = 0  # the journal offset after this sequence's record


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Positions)


def encode(positions: Positions) -> bytes:
    """The bytes of a checkpoint's meta."""
    return _encoder.encode(positions)


def decode(meta: bytes) -> Positions:
    """The positions of stored meta, or those of a lane that has never run.

    Raises LaneRefused for those of a newer build, and for damaged ones.
    """
    if not meta:
        return Positions()
    try:
        positions = _decoder.decode(meta)
    except (ValueError, RecursionError) as error:
        raise Damaged("what the store keeps of the lane's positions", error) from error
    if positions.version > VERSION:
        raise LaneRefused(
            f"the lane's stored positions have version {positions.version} but this build reads "
            f"up to {VERSION}; deploy the newer build"
        )
    return positions
