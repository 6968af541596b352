"""What a channel service knows of one partition of its topic, as it stands in the ledger."""

from __future__ import annotations

from typing import Final

import msgspec

from retarget.errors import Damaged
from streams.kafka.headers import Mark

# Records without headers, such as those that were redriven, are known again by their message's id.
FOREIGN_KEPT: Final = 256


class Tries(msgspec.Struct, array_like=True, gc=False):
    """How often a message was handed over without an answer, and how often it was refused for the moment."""

    doubts: int = 0
    failed: int = 0
    since: int = 0  # the first refusal, epoch ms
    portion: str = ""  # by which those that were handed over together find each other


class State(msgspec.Struct, array_like=True, kw_only=True):
    """All below `read` has been seen; of that, only what is in `waiting` has not been settled."""

    read: int = 0
    waiting: dict[int, Tries] = {}
    marks: dict[int, Mark] = {}  # source lane -> the last triple taken
    foreign: list[str] = []


class Entry(msgspec.Struct, array_like=True):
    """One record of the ledger: a claim, or with `state` what its claimant wrote."""

    claim: str
    state: State | None = None


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Entry)


def encode(entry: Entry) -> bytes:
    """The bytes of a record of the ledger."""
    return _encoder.encode(entry)


def decode(raw: bytes | None, place: str) -> Entry:
    """The record. Raises Damaged for what no channel service wrote."""
    try:
        return _decoder.decode(raw or b"")
    except (ValueError, RecursionError) as error:
        raise Damaged(place, error) from error


def newest(entries: list[Entry]) -> State | None:
    """What counts of a ledger: the last state of the latest claim that wrote one.

    Behind that claim's, states of former claimants may stand: they had not yet heard that they were none.
    """
    order = {entry.claim: number for number, entry in enumerate(entries) if entry.state is None}
    found: tuple[int, State | None] = (-2, None)
    for entry in entries:
        rank = order.get(entry.claim, -1)  # its claim stands further back than anybody read
        if entry.state is not None and rank >= found[0]:
            found = rank, entry.state
    return found[1]
