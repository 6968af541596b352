"""The names of a lane's keys: all in one slot, the lanes spread evenly over the slots.

    {app:lanes:lane.xy}:m        hash         seq, meta
    {app:lanes:lane.xy}:j:PERSON string       the journey of a person
    {app:lanes:lane.xy}:w        sorted set   person -> due of the wait, epoch ms
    {app:lanes:lane.xy}:p:PRODUCT string      the listing of a product
    {app:lanes:lane.xy}:f        sorted set   product and person: who follows which, all with score 0
    app:pauses                   hash         rule or channel -> since, epoch ms; ENDED rule or channel -> the
                                              since of a pause that was ended, not lost
    {app:pauses}:c:...           hash         of a ceiling's window: lane -> what it has been granted
    {app:pauses}:r:MESSAGE       string       there while the link of a message is taken back

The braces come first, so nothing that a person's id holds, not even braces, can move a key to another slot.
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from functools import cache
from itertools import count, product
from string import ascii_lowercase, digits
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOTS: Final = 16384
ENDED: Final = b"\0ended\0"
_LETTERS: Final = ascii_lowercase + digits


class LaneKeys(NamedTuple):
    """The keys of one lane; `journey` and `listing` are the prefixes that an id follows."""

    meta: bytes
    waits: bytes
    journey: bytes
    listing: bytes
    followers: bytes


@cache
def lane_keys(app_id: str, lanes: int, lane: int) -> LaneKeys:
    """The keys of `lane` out of `lanes`, which no other number of lanes shares.

    Raises ValueError for an app id that cannot name keys.
    """
    tag = "{" + _lane_tag(app_id, lanes, lane) + "}"
    return LaneKeys(*(f"{tag}:{part}".encode() for part in ("m", "w", "j:", "p:", "f")))


def pauses_key(app_id: str) -> bytes:
    """The key of the kill switches, which belong to no lane."""
    return f"{app_id}:pauses".encode()


def ceiling_key(app_id: str, rule: str, within: int, window: int) -> bytes:
    """The key of what has been granted of a rule's ceiling in one window; all lie in one slot."""
    return f"{{{app_id}:pauses}}:c:{within}:{window}:{rule}".encode()


def revoked_key(app_id: str, message_id: str) -> bytes:
    """The key that is there when the link of a message has been taken back."""
    return f"{{{app_id}:pauses}}:r:{message_id}".encode()


def person_bytes(person: str) -> bytes:
    """The id as the store holds it. Any text has one, and bytes sort as the text does."""
    return person.encode("utf-8", "surrogatepass")


def person_text(stored: bytes) -> str:
    """The inverse of `person_bytes`."""
    return stored.decode("utf-8", "surrogatepass")


def follower_prefix(product: str) -> bytes:
    """What the entry of everybody who follows a product begins with; that of no other product does."""
    stored = person_bytes(product)
    return b"%d:%b" % (len(stored), stored)


def follower(entry: bytes) -> tuple[str, str]:
    """Product and person of an entry that begins with a `follower_prefix`."""
    length, _, rest = entry.partition(b":")
    size = int(length)
    return person_text(rest[:size]), person_text(rest[size:])


def escaped(prefix: bytes) -> bytes:
    """A pattern that only this text matches."""
    return re.sub(rb"([*?\[\]\\^-])", rb"\\\1", prefix)


def slot(tag: str) -> int:
    """The cluster slot of every key whose first braces hold `tag`."""
    return crc_hqx(tag.encode(), 0) % SLOTS


def _lane_tag(app_id: str, lanes: int, lane: int) -> str:
    if not app_id or "{" in app_id or "}" in app_id:
        raise ValueError(f"app id {app_id!r} cannot name keys: it must be non-empty and without braces")
    if not 0 <= lane < lanes:
        raise ValueError(f"there is no lane {lane} among {lanes}")
    middle = (2 * lane + 1) * SLOTS // (2 * lanes)
    tolerance = SLOTS // (32 * lanes)  # of a lane's share: exact would take 16,384 tries, this a few hundred
    wanted = range(middle - tolerance, middle + tolerance + 1)
    tags = (f"{app_id}:{lanes}:{lane}{suffix}" for suffix in _suffixes())
    return next(tag for tag in tags if slot(tag) in wanted)


def _suffixes() -> Iterator[str]:
    yield ""
    for length in count(1):
        yield from ("." + "".join(letters) for letters in product(_LETTERS, repeat=length))
