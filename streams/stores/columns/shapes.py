"""How a journey is stored as columns: what writing and reading have to agree upon.

Behind the mark and the first byte of the journey stand how many bytes are noise, these bytes, and a frame of
zstd. Noise is what UUIDs, digests and the numbers at the end of texts stand for: no compression makes it
smaller, and all else would suffer beside it. In the frame is `Columns` as MessagePack. A field of the journey
that is no list or map, or is empty, stands in its nodes as it is; a small one so in a list.

What is stored in this form is read for ever: another form gets another mark.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final, NamedTuple, TypeAlias

#: No journey begins so: its first byte is the version of its form.
MARK: Final = b"\xc1rtc"
#: Around the entries of a text, and between the two parts of one: so `repeats` joins ids and times.
LINE: Final = "\x1f"
PAIR: Final = "\x1e"
#: Milliseconds.
SECOND: Final = 1_000
#: Steps between places in a table are bytes, where it has no more entries.
BYTE: Final = 256
#: Hexadecimal, of an id of ours or a UUID without its dashes.
DIGITS: Final = 32
#: Bytes in which the length of the noise stands.
LENGTH: Final = 3
#: Bytes of each number that a text ends with.
WIDTH: Final = 3
#: A larger journey is a robot's, and not worth the time.
LARGEST: Final = 2**20
#: Fewer have all values of that size, however they are nested.
PARTS: Final = 8 * LARGEST

#: A shape, and what it needs to know of the column.
Node: TypeAlias = list[Any]
Column: TypeAlias = list[Any]


class Laid(NamedTuple):
    """A journey on its way into the store."""

    noise: bytes
    columns: bytes


class Columns(NamedTuple):
    """A journey in a frame: each text and time once, and the steps from one to the next as they are told."""

    uuids: int
    digests: int
    numbered: list[str]  # texts without the number at their end
    others: list[str]
    texts_told: bytes | list[int]
    seconds: list[int]  # of each time, after those of the one before
    beside: list[int]  # the milliseconds of each
    times_told: bytes | list[int]
    nodes: list[Any]  # a node for each field


class Shape(IntEnum):
    """How a column is written; the numbers are stored."""

    SAME = 0  # one value, as often as needed
    PLAIN = 1  # the values; of small numbers the bytes
    TEXTS = 2  # the next texts
    MOMENTS = 3  # the next times
    HUNDREDTHS = 4  # whole numbers
    RECORDS = 5  # a node for each place of lists that are equally long
    LISTS = 6  # a node of the lengths, and one of all parts
    MAPS = 7  # the same, and one of all values
    MIXED = 8  # a byte for the type of each, and a node for each type
    LINES = 9  # a node of the lists of entries
    PAIRS = 10  # a node of the lists of two parts
    NUMERALS = 11  # a node of the whole numbers that the texts stand for
