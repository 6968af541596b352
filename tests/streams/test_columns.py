"""Journeys as columns: the same bytes come back, less is stored, and damage is told."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from retarget.errors import Damaged
from retarget.journeys import wire
from retarget.journeys.model import Journey
from streams.stores.columns import LENGTH, MARK, WORDS, laid_out
from streams.stores.columns.shapes import Columns
from streams.stores.packing import FRAME, Packing

_FOLDER: Final = Path(__file__).resolve().parents[1] / "fixtures"
_STORED: Final = [
    {name: base64.b64decode(value) for name, value in json.loads(line).items()}
    for line in (_FOLDER / "columns-1.jsonl").read_text(encoding="utf-8").splitlines()
]
# As the texts in which `repeats` keeps ids with their times.
_RECENT: Final = st.lists(
    st.tuples(st.uuids().map(str) | st.text("ab-0", max_size=4), st.integers(-1, 2**42)), max_size=3
).map(lambda pairs: "\x1f" + "".join(f"{one}\x1e{time}\x1f" for one, time in pairs))
_TEXTS: Final = st.one_of(
    _RECENT,
    st.uuids().map(str),
    st.uuids().map(lambda one: str(one).upper()),
    st.binary(min_size=16, max_size=16).map(bytes.hex),
    st.from_regex(r"[01][0-9]{12}", fullmatch=True),
    st.from_regex(r"(p|p-|é\n)?[01][0-9]{1,9}", fullmatch=True),
    st.text(max_size=3),
)
_ATOMS: Final = st.one_of(
    st.none(), st.booleans(), st.binary(max_size=3), _TEXTS,
    st.integers(-(2**63), 2**64 - 1), st.integers(0, 300), st.integers(1_700_000_000_000, 1_700_000_100_000),
    st.integers(1, 10_000).map(lambda cents: cents / 100), st.integers(1, 99).map(lambda some: some / 2**60),
)  # fmt: skip
_VALUES: Final = st.recursive(
    _ATOMS,
    lambda part: st.lists(part, max_size=5) | st.dictionaries(_TEXTS, part, max_size=5),
    max_leaves=30,
)


def with_traits(**traits: Any) -> bytes:  # noqa: ANN401 - whatever MessagePack has
    """A journey of that person, large enough to be laid out."""
    return wire.encode(Journey(person="ann", traits={**traits, "more": "…" * 1_000}))


def there_and_back(journey: bytes) -> bytes:
    """Through the store."""
    packing = Packing("columns")
    return packing.unpack(packing.pack([journey])[0])


@given(st.lists(_VALUES, min_size=1, max_size=5), st.integers(1, 90))
@example([[1, True, 1.0, 0.0]], 40)
@example([["\x1f\x1f", "\x1f", ""]], 40)
@example([["a\x1eb", "\x1e\x1e", "c"]], 40)
@example([["1700000000000", "0700000000000"]], 40)
@example([["1700000000000", "²700000000000"]], 40)
@example([["p16777215", "p16777216", "p0777", "\n777", "77"]], 40)
@example([[[], [1]], [{}, {"a": 1}]], 90)
def test_whatever_a_journey_holds_comes_back_the_same(values: list[Any], often: int) -> None:
    """Byte for byte, and all of it can be laid out."""
    named = dict.fromkeys(map(str, range(often)), values)
    journey = with_traits(once=values, often=values * often, named=named)

    assert laid_out(journey) is not None
    assert there_and_back(journey) == journey


@pytest.mark.parametrize(
    "journey",
    [
        b"",
        wire.encode(Journey(person="ann")),
        b"\x02" + b"looked at the television again, " * 200,
        b"\x02" + msgspec.msgpack.encode({"no": "list" * 1_000}),
        b"\x02" + msgspec.msgpack.encode([1] * 3_000),
        with_traits() + b"\x00",
        b"\x02\xdd\x00\x00\x00" + wire.encode(Journey(person="ann", sender="…" * 1_000))[3:],
        with_traits(large=b"x" * 2**20),
        with_traits(prices=[0.0, -0.0]),
        with_traits(prices=[math.nan, 1.0]),
        with_traits(prices=[math.inf, 1.0]),
        wire.encode(Journey(person="ann"))[:-1] + b"\x91" * 5_000 + b"\x90",
    ],
    ids=[
        "nothing", "small", "text", "a map", "no fields", "more behind it", "written otherwise", "too large",
        "zero with a sign", "no number", "without end", "too deep",
    ],
)  # fmt: skip
def test_what_would_not_come_back_or_is_no_use_is_left_as_it_was(journey: bytes) -> None:
    """It is compressed as it is, and read so."""
    assert laid_out(journey) is None
    assert there_and_back(journey) == journey


@pytest.mark.parametrize("kept", _STORED, ids=range(len(_STORED)))
def test_what_was_stored_as_columns_goes_on_being_read(kept: dict[str, bytes]) -> None:
    """Bytes of November 2026: one who came seldom, one who came often."""
    assert kept["stored"].startswith(MARK)
    assert Packing().unpack(kept["stored"]) == kept["journey"]
    assert there_and_back(kept["journey"]) == kept["journey"]


def test_columns_are_smaller_than_what_zstd_makes_of_a_journey() -> None:
    """Of one with 84 events a sixth, where zstd alone leaves a third; of new people no more than zstd."""
    journey = _STORED[0]["journey"]
    plain, frame, columns = (len(Packing(how).pack([journey])[0]) for how in ("none", "zstd", "columns"))
    assert (plain, plain / 3 < frame, columns < plain / 6) == (len(journey), True, True)

    new = wire.encode(Journey(person="ann"))
    assert Packing("columns").pack([new]) == Packing("zstd").pack([new])


def test_a_backlog_is_only_compressed() -> None:
    """To lay out thousands at once would hold up the lanes beside for seconds."""
    journey, packing = _STORED[0]["journey"], Packing("columns")
    few, many = packing.pack([journey] * 100), packing.pack([journey] * 101)

    assert {one[:4] for one in few} == {MARK}
    assert {one[:4] for one in many} == {FRAME}
    assert {packing.unpack(one) for one in (*few, *many)} == {journey}


@given(st.data())
def test_damaged_columns_are_refused_or_something_else(data: st.DataObject) -> None:
    """Nothing but Damaged, wherever a byte is wrong."""
    stored = bytearray(_STORED[-1]["stored"])
    for place in data.draw(st.lists(st.integers(4, len(stored) - 1), min_size=1, max_size=3)):
        stored[place] = data.draw(st.integers(0, 255))
    try:
        Packing().unpack(bytes(stored))
    except Damaged as error:
        assert "Restore the store" in str(error)  # noqa: PT017 - it need not fail


@pytest.mark.parametrize(
    "node",
    [
        [6, [0, 2**40], [0, 1]],
        [6, [1, [2**62, 2**62]], [0, 1]],
        [6, [0, -1], [0, 1]],
        [6, [0, "1"], [0, 1]],
        [6, [0, 2], [1, [1]]],
        [5, [[1, [1, 2]]]],
        [2],
        [99, 1],
    ],
    ids=["a great many", "more", "less than none", "no number", "too few", "too many", "no text", "no shape"],
)
def test_columns_that_make_no_sense_are_refused(node: list[Any]) -> None:
    """Nobody can fill the memory with a few bytes in the store."""
    columns = Columns(0, 0, [], [], b"", [], [], b"", [node])
    words = zstandard.ZstdCompressionDict(WORDS, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    frame = zstandard.ZstdCompressor(dict_data=words).compress(msgspec.msgpack.encode(columns))

    with pytest.raises(Damaged, match=r"columns do not fit together.* Restore the store"):
        Packing().unpack(MARK + b"\x02" + bytes(LENGTH) + frame)
