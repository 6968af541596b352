"""Crossings: what one lane has for another about a person, as bytes of an internal topic.

The lane that sends numbers them; whoever takes them drops what it has had, so that each counts once, however
often it was written.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from retarget.errors import Rejected
from retarget.touchpoints import Touchpoint

# In the hold: a word about somebody's identity that waits for the clock to reach its time.
WORD: Final = "joins"
PARTING: Final = "parts"
# So often a record is sent on; whoever comes around in a circle stays where they are.
MOST_HOPS: Final = 4


class _Crossing(msgspec.Struct, array_like=True, gc=False):
    """From which lane, the how manyth of its crossings, and to which person."""

    lane: int
    number: int
    person: str


class Joins(_Crossing, tag="joins"):
    """To an anonymous person: they are this known one, from a time on."""

    to: str
    at: int
    event_id: str
    tokens: list[str] = []


class Parts(_Crossing, tag="parts"):
    """To an anonymous person: this known one, who is forgotten at this time, they are no longer."""

    to: str
    at: int


class History(_Crossing, tag="history"):
    """To a known person: what an anonymous one has done, as it is stored; `at`: by a word of this time."""

    journey: bytes
    hops: int = 0
    at: int = 0


class Strayed(_Crossing, tag="strayed"):
    """To a person: an event of theirs that came to another lane; `led`: under this id, by a redirect."""

    event: Touchpoint
    hops: int = 0
    led: str = ""


class Leaves(_Crossing, tag="leaves"):
    """To a known person: a device, known by these push tokens, is somebody else's from a time on."""

    anonymous: str
    at: int
    tokens: list[str]


Crossing: TypeAlias = Joins | Parts | History | Strayed | Leaves

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Crossing)


def pack(crossing: Crossing) -> bytes:
    """Its bytes in the internal topic."""
    return _encoder.encode(crossing)


def unpack(value: bytes) -> Crossing:
    """The inverse of `pack`. Raises Rejected: whoever may write to the topic, a lane goes on."""
    try:
        found: Crossing = _decoder.decode(value)
    except (ValueError, RecursionError) as error:
        said = f"only workers may write to this topic; it is no record of theirs ({error})"
        raise Rejected("bad_field", said) from None
    return found
