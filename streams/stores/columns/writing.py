"""A journey taken apart by its shape alone: nothing here knows what its fields mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import chain
from operator import sub
from typing import Any, Final

import msgspec

from retarget.journeys import implied
from streams.stores.columns.reading import restored
from streams.stores.columns.shapes import (
    BYTE,
    DIGITS,
    LARGEST,
    LINE,
    PAIR,
    SECOND,
    WIDTH,
    Column,
    Columns,
    Laid,
    Node,
    Shape,
)

# From here on a whole number is taken for a time; all times of journeys are greater, hardly anything else is.
_TIMES: Final = 2**32
# Bytes; below them a field, or a whole journey, is smaller as it is.
_SMALL: Final = 64
_SMALLEST: Final = 2_048
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_HEX: Final = re.compile(rf"[0-9a-f]{{{DIGITS}}}").fullmatch
_NUMBERED: Final = re.compile(r"(|.*\D)([1-9][0-9]{2,7})").fullmatch
_NUMBERS: Final = 1 << 8 * WIDTH
_UUID_SIZE: Final = 36
# Characters of a time as text.
_TIME: Final = 13
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder().decode


def laid_out(data: bytes) -> Laid | None:
    """A journey as columns; None where that is no use, or where not the very same bytes would come back."""
    if not _SMALLEST <= len(data) <= LARGEST:
        return None
    try:
        fields = _decode(memoryview(data)[1:])
        implied.leave_out(fields)
        laid = _Writer().write(fields)
        return laid if restored(data[:1], laid) == data else None
    except (msgspec.MsgspecError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError):
        return None


class _Writer:
    """Takes one value apart; texts and times are told behind each other, in the order in which they come."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._times: list[int] = []

    def write(self, fields: list[Any]) -> Laid:
        """The tables and the nodes."""
        nodes = list(map(self._field, fields))
        texts = _Texts(dict.fromkeys(self._texts))
        times = sorted(set(self._times))
        columns = Columns(
            uuids=len(texts.uuids),
            digests=len(texts.digests),
            numbered=[before for before, _ in texts.numbered],
            others=texts.others,
            texts_told=_places(self._texts, texts.ordered),
            seconds=_steps([one // SECOND for one in times]),
            beside=[one % SECOND for one in times],
            times_told=_places(self._times, times),
            nodes=nodes,
        )
        return Laid(texts.noise(), _encode(columns))

    def _field(self, field: Any) -> Any:  # noqa: ANN401 - whatever MessagePack has
        if not field or type(field) not in (list, dict):
            return field
        return [field] if len(_encode(field)) < _SMALL else self._column([field])

    def _column(self, column: Column) -> Node:
        first = column[0]
        if (first is None or type(first) is str) and column.count(first) == len(column):
            return [Shape.SAME, first]
        kinds = dict.fromkeys(map(type, column))
        if len(kinds) != 1:
            return self._mixed(column, kinds)
        write = self._by_kind.get(type(first))
        return [Shape.PLAIN, column] if write is None else write(self, column)

    def _mixed(self, column: Column, kinds: dict[type, None]) -> Node:
        places = {kind: place for place, kind in enumerate(kinds)}
        parts = [self._column([one for one in column if type(one) is kind]) for kind in kinds]
        return [Shape.MIXED, bytes(map(places.__getitem__, map(type, column))), parts]

    def _strings(self, column: Column) -> Node:
        first = column[0]
        if first[:1] == LINE and all(one[:1] == one[-1:] == LINE != one for one in column):
            return [Shape.LINES, self._column([one[1:-1].split(LINE) for one in column])]
        if PAIR in first:
            return [Shape.PAIRS, self._column([one.split(PAIR) for one in column])]
        if len(first) == _TIME and _are_numbers(column):
            return [Shape.NUMERALS, self._column(list(map(int, column)))]
        self._texts += column
        return [Shape.TEXTS]

    def _numbers(self, column: Column) -> Node:
        """Prices are whole in hundredths."""
        hundredths = [round(one * 100) for one in column]
        same = [one / 100 for one in hundredths] == column
        return [Shape.HUNDREDTHS, hundredths] if same else [Shape.PLAIN, column]

    def _integers(self, column: Column) -> Node:
        most = max(column)
        if column.count(most) == len(column):
            return [Shape.SAME, most]
        if most >= _TIMES:
            self._times += column
            return [Shape.MOMENTS]
        return [Shape.PLAIN, bytes(column) if most < BYTE and min(column) >= 0 else column]

    def _lists(self, column: Column) -> Node:
        lengths = list(map(len, column))
        if not any(lengths):
            return [Shape.SAME, []]
        if len(column) > 1 and lengths.count(lengths[0]) == len(lengths):
            return [Shape.RECORDS, [self._column(list(one)) for one in zip(*column, strict=True)]]
        return [Shape.LISTS, *self._parts(lengths, chain.from_iterable(column))]

    def _maps(self, column: Column) -> Node:
        if not any(column):
            return [Shape.SAME, {}]
        values = chain.from_iterable(map(dict.values, column))
        keys = self._parts(list(map(len, column)), chain.from_iterable(column))
        return [Shape.MAPS, *keys, self._column(list(values))]

    def _parts(self, lengths: list[int], parts: Iterable[Any]) -> list[Node]:
        return [self._column(lengths), self._column(list(parts))]

    _by_kind: Final[dict[type, Callable[[_Writer, Column], Node]]] = {
        str: _strings, int: _integers, float: _numbers, list: _lists, dict: _maps,
    }  # fmt: skip


def _are_numbers(column: list[str]) -> bool:
    """Whether each is a number of as many digits as a time has, written as it is always written."""
    joined = "".join(column)
    return joined.isascii() and joined.isdigit() and min(column) >= "1" and {*map(len, column)} == {_TIME}


class _Texts:
    """The different texts of a journey, by what they stand for."""

    def __init__(self, distinct: dict[str, None]) -> None:
        self.uuids = [one for one in distinct if len(one) == _UUID_SIZE and _UUID(one)]
        self.digests = [one for one in distinct if len(one) == DIGITS and _HEX(one)]
        rest = distinct.keys() - {*self.uuids, *self.digests}
        matches = ((one, _NUMBERED(one)) for one in distinct if one in rest)
        ends = {one: match for one, match in matches if match and int(match[2]) < _NUMBERS}
        self.numbered = [(match[1], int(match[2])) for match in ends.values()]
        self.others = [one for one in distinct if one in rest and one not in ends]
        self.ordered = [*self.uuids, *self.digests, *ends, *self.others]

    def noise(self) -> bytes:
        """What stands before the frame."""
        digits = "".join((*self.uuids, *self.digests)).replace("-", "")
        numbers = b"".join(number.to_bytes(WIDTH, "big") for _, number in self.numbered)
        return bytes.fromhex(digits) + numbers


def _places(values: list[Any], table: list[Any]) -> bytes | list[int]:
    """What follows each other often does so in the table: steps are mostly alike."""
    place = dict(zip(table, range(len(table)), strict=True))
    steps = _steps([place[one] for one in values])
    return bytes([one % BYTE for one in steps]) if len(table) <= BYTE else steps


def _steps(numbers: list[int]) -> list[int]:
    return [*numbers[:1], *map(sub, numbers[1:], numbers)]
