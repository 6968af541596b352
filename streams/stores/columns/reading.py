"""A journey put together again from its columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate, islice
from typing import Any, Final

import msgspec

from retarget.journeys import implied
from streams.stores.columns.shapes import (
    BYTE,
    DIGITS,
    LINE,
    PAIR,
    PARTS,
    SECOND,
    WIDTH,
    Column,
    Columns,
    Laid,
    Node,
    Shape,
)

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Columns).decode
_WRONG: Final = (
    msgspec.MsgspecError, ArithmeticError, LookupError, RecursionError, StopIteration, TypeError, ValueError,
)  # fmt: skip


def restored(head: bytes, laid: Laid) -> bytes:
    """The bytes of the journey that was laid out, `head` the first. Raises ValueError for other columns."""
    try:
        fields = _Reader(laid.noise, _decode(laid.columns)).fields()
        implied.put_back(fields)
        return head + _encode(fields)
    except _WRONG as error:
        raise ValueError(f"its columns do not fit together: {error}") from error


class _Reader:
    """Reads one journey; what damaged bytes may ask for is bounded."""

    def __init__(self, noise: bytes, columns: Columns) -> None:
        self._texts = _placed(columns.texts_told, _texts(noise, columns))
        times = zip(accumulate(columns.seconds), columns.beside, strict=True)
        self._times = _placed(columns.times_told, [second * SECOND + rest for second, rest in times])
        self._nodes = columns.nodes
        self._left = PARTS

    def fields(self) -> list[Any]:
        """Of the journey."""
        return [self._field(node) for node in self._nodes]

    def _field(self, node: Any) -> Any:  # noqa: ANN401 - whatever MessagePack has
        if not node or type(node) is not list:
            return node
        return node[0] if len(node) == 1 else self._read(node, 1)[0]

    def _read(self, node: Node, size: int) -> Column:
        self._left -= size
        if size < 0 or self._left < 0:
            raise ValueError("they are longer than those of any journey")
        column: Column = self._by_shape[node[0]](self, node, size)
        if len(column) != size:
            raise ValueError("one has not as many parts as it should")
        return column

    def _same(self, node: Node, size: int) -> Column:
        return [node[1]] * size

    def _plain(self, node: Node, _: int) -> Column:
        return list(node[1])

    def _text(self, _: Node, size: int) -> Column:
        return list(islice(self._texts, size))

    def _moment(self, _: Node, size: int) -> Column:
        return list(islice(self._times, size))

    def _hundredths(self, node: Node, _: int) -> Column:
        return [one / 100 for one in node[1]]

    def _records(self, node: Node, size: int) -> Column:
        columns = [self._read(one, size) for one in node[1]]
        return list(map(list, zip(*columns, strict=True)))

    def _lists(self, node: Node, size: int) -> Column:
        lengths = self._read(node[1], size)
        parts = iter(self._read(node[2], sum(lengths)))
        return [list(islice(parts, length)) for length in lengths]

    def _maps(self, node: Node, size: int) -> Column:
        lengths = self._read(node[1], size)
        keys, values = (self._read(one, sum(lengths)) for one in node[2:])
        pairs = zip(keys, values, strict=True)
        return [dict(islice(pairs, length)) for length in lengths]

    def _mixed(self, node: Node, _: int) -> Column:
        _, places, parts = node
        columns = [iter(self._read(one, places.count(place))) for place, one in enumerate(parts)]
        return [next(columns[place]) for place in places]

    def _lines(self, node: Node, size: int) -> Column:
        return [f"{LINE}{LINE.join(one)}{LINE}" for one in self._read(node[1], size)]

    def _pairs(self, node: Node, size: int) -> Column:
        return list(map(PAIR.join, self._read(node[1], size)))

    def _numerals(self, node: Node, size: int) -> Column:
        return list(map(str, self._read(node[1], size)))

    _by_shape: Final[dict[int, Callable[[_Reader, Node, int], Column]]] = {
        Shape.SAME: _same,
        Shape.PLAIN: _plain,
        Shape.TEXTS: _text,
        Shape.MOMENTS: _moment,
        Shape.HUNDREDTHS: _hundredths,
        Shape.RECORDS: _records,
        Shape.LISTS: _lists,
        Shape.MAPS: _maps,
        Shape.MIXED: _mixed,
        Shape.LINES: _lines,
        Shape.PAIRS: _pairs,
        Shape.NUMERALS: _numerals,
    }


def _placed(steps: bytes | list[int], table: list[Any]) -> Iterator[Any]:
    if isinstance(steps, bytes):
        return iter([table[place % BYTE] for place in accumulate(steps)])
    return map(table.__getitem__, accumulate(steps))


def _texts(noise: bytes, columns: Columns) -> list[str]:
    """All texts, in the order of their places."""
    ends = (columns.uuids + columns.digests) * DIGITS // 2
    digits, numbers = noise[:ends].hex(), noise[ends:]
    hexadecimal = [digits[at : at + DIGITS] for at in range(0, len(digits), DIGITS)]
    numbered = [
        f"{before}{int.from_bytes(numbers[at * WIDTH : (at + 1) * WIDTH], 'big')}"
        for at, before in enumerate(columns.numbered)
    ]
    uuids = map(_dashed, hexadecimal[: columns.uuids])
    return [*uuids, *hexadecimal[columns.uuids :], *numbered, *columns.others]


def _dashed(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
