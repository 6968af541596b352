"""The headers on every emitted record, and the filter that drops repeats by them.

A consumer needs them when `kafka.emit` is `idempotent`; with transactions read_committed is enough.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

LANE: Final = "retarget-lane"
INCARNATION: Final = "retarget-incarnation"
SEQUENCE: Final = "retarget-sequence"
INDEX: Final = "retarget-index"
#: On a message that is redriven: which of a channel's destinations it is for; the others pass it over.
DESTINATION: Final = "retarget-destination"


class Stamp(NamedTuple):
    """Who emitted a record, and when in its own order: source lane, incarnation, sequence, index."""

    lane: int
    incarnation: int
    sequence: int
    nth: int  # among the outputs of its batch, from 0


Mark = tuple[int, int, int]  # the highest incarnation, sequence and index taken
Marks = Mapping[tuple[str, int, int], Mark]  # by topic, partition and source lane

_NOTHING: Final[Mark] = (-1, -1, -1)


def encode_headers(stamp: Stamp) -> list[tuple[str, bytes]]:
    """The four headers, as decimal ASCII."""
    return [
        (LANE, b"%d" % stamp.lane),
        (INCARNATION, b"%d" % stamp.incarnation),
        (SEQUENCE, b"%d" % stamp.sequence),
        (INDEX, b"%d" % stamp.nth),
    ]


def decode_headers(headers: Iterable[tuple[str, bytes]]) -> Stamp | None:
    """The stamp, or None when a header is missing or no number: the record is not one of ours."""
    found = dict(headers)
    try:
        return Stamp(int(found[LANE]), int(found[INCARNATION]), int(found[SEQUENCE]), int(found[INDEX]))
    except (KeyError, ValueError):
        return None


class RepeatFilter:
    """Tells a record from its repeat by one mark per (topic, partition, source lane).

    A lane writes to each partition in the order of its marks, and a batch that is sent again is sent from
    its beginning: so whatever does not exceed the mark has been seen.
    """

    def __init__(self, marks: Marks | None = None) -> None:
        """Go on from `marks`, as stored with the consumer's position; from nothing without."""
        self._marks = dict(marks or {})

    @property
    def marks(self) -> Marks:
        """What has been taken, to be stored with the consumer's position."""
        return dict(self._marks)

    def is_new(self, topic: str, partition: int, headers: Sequence[tuple[str, bytes]]) -> bool:
        """Say whether this record is seen for the first time, and remember it; foreign records always are."""
        stamp = decode_headers(headers)
        if stamp is None:
            return True
        place, mark = (topic, partition, stamp.lane), stamp[1:]
        if mark <= self._marks.get(place, _NOTHING):
            return False
        self._marks[place] = mark
        return True
