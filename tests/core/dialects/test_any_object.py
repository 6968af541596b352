"""Whatever JSON object arrives in whatever dialect: a touchpoint, or Rejected, and no other exception."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retarget.decode import decode_canonical, encode_touchpoint
from retarget.dialects import DIALECTS, decoder_for, dialect_named
from retarget.dialects.csv_rows import rows_of_mapping
from retarget.dialects.model import Rows
from retarget.dialects.recognise import RECOGNISED, form_named
from retarget.errors import Rejected
from retarget.touchpoints import Touchpoint
from streams.shop import open_shop, simulate
from tests.support.encoders import ENCODERS

GOLDEN: Final = {
    file.stem: [case["given"] for case in json.loads(file.read_text(encoding="utf-8"))]
    for file in sorted((Path(__file__).parent / "golden").glob("*.json"))
}
_CANONICAL: Final[list[Any]] = [
    {"id": "1", "type": "add", "user_id": "u", "time": 5, "items": [{"product_id": "p", "price": 2}],
     "geo": {"lat": 1.5}, "consent": {"state": "granted"}, "sentiment": 0.5, "dwell_ms": 7}
]  # fmt: skip
_RECORDS: Final = [name for name, dialect in DIALECTS.items() if dialect.kind == "record"]
_HUGE: Final = b"7" * 5000
_WORDS: Final = (
    "", " ", "nan", "inf", "-inf", "1e306", "-1e306", "1e999", "²", "٣", "1_0", "7" * 5000, "x" * 513, "true",
    "0001-01-01", "9999-12-31T23:59:59.999-14:00", "2026-13-01", "\x00", "\t", "{}", "[]", "{", "null", "1",
)  # fmt: skip
_LEAVES: Final[st.SearchStrategy[Any]] = st.sampled_from(
    (*_WORDS, *(msgspec.Raw(raw) for raw in (_HUGE, b"-" + _HUGE, b"1e306", b"-1e306", b"1e308", b"5e-324")),
     None, True, False, 0, -1, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**306, 10**4299, 0.5, -0.0,
     [], {}, [[]], [{}], [None])
)  # fmt: skip


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _paths(one, (*path, key))


def _with(value: Any, path: tuple[Any, ...], leaf: object) -> Any:  # noqa: ANN401 - JSON
    if not path:
        return leaf
    copy = value.copy()
    copy[path[0]] = _with(value.get(path[0]) if isinstance(value, dict) else value[path[0]], path[1:], leaf)
    return copy


def _at(value: Any, path: tuple[Any, ...]) -> Any:  # noqa: ANN401 - JSON
    for key in path:
        value = value[key]
    return value


_KEYS: Final = sorted(
    {
        key
        for cases in GOLDEN.values()
        for case in cases
        for path in _paths(case)
        for key in path
        if isinstance(key, str)
    }
)
_NAMES: Final = st.sampled_from([*_KEYS, *Touchpoint.__struct_fields__])
_VALUES: Final = st.sampled_from(
    ["x", 7, 2.5, True, None, {"id": "x"}, ["x"], [{"id": "x"}], "1", {"x": 10**30}]
)


@st.composite
def _nearly(draw: st.DrawFn, dialect: str) -> bytes:
    """What is right in that dialect, or in any, with something odd in up to three places."""
    one = [*GOLDEN.get(dialect, _CANONICAL)]
    everything = [*_CANONICAL, *(case for cases in GOLDEN.values() for case in cases)]
    record = draw(st.sampled_from(everything if dialect == "auto" else one))
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            record = _with(record, draw(st.sampled_from(list(_paths(record)))), draw(_LEAVES))
        else:
            objects = [(), *(path for path in _paths(record) if isinstance(_at(record, path), dict))]
            record = _with(record, (*draw(st.sampled_from(objects)), draw(_NAMES)), draw(_VALUES))
    return msgspec.json.encode(record)


_ANY: Final = st.dictionaries(
    st.sampled_from(_KEYS),
    st.recursive(
        _LEAVES,
        lambda inner: (
            st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4)
        ),
        max_leaves=8,
    ),
    max_size=8,
)


def _require_a_verdict(dialect: str, value: bytes) -> None:
    with suppress(Rejected):
        # Nor may what was accepted turn out later to be nothing that can be stored or sent on.
        again = encode_touchpoint(decoder_for(dialect)(value))
        assert encode_touchpoint(decode_canonical(again)) == again


@pytest.mark.parametrize("dialect", _RECORDS)
def test_what_is_odd_in_places(dialect: str) -> None:
    """Huge numbers, infinities, strange digits, wrong kinds: a verdict, whatever they stand for."""

    @given(_nearly(dialect))
    @settings(max_examples=400)
    def read_or_rejected(value: bytes) -> None:
        _require_a_verdict(dialect, value)

    read_or_rejected()


def _require_agreement(dialect: str, value: bytes) -> bool:
    """Whether the strict reader takes it."""
    form = form_named(dialect)
    strict = form.strict(value)
    record = None
    with suppress(Rejected):  # of what no reader looks at a number may be longer than any can be
        record = form.parse(value)
    if strict is not None and record is not None:
        assert msgspec.to_builtins(strict) == msgspec.to_builtins(form.read(record))
    return strict is not None


@pytest.mark.parametrize("dialect", RECOGNISED)
def test_both_readers_agree(dialect: str) -> None:
    """What the strict reader takes is for the tolerant one the same touchpoint, whatever was done to it."""

    @given(_nearly(dialect))
    @settings(max_examples=600)
    def agree(value: bytes) -> None:
        _require_agreement(dialect, value)

    agree()


@pytest.mark.parametrize("dialect", RECOGNISED)
def test_an_envelope_around_any_dialect(dialect: str) -> None:
    """Data in another dialect is left to the tolerant reader, whichever it is."""
    for given_one in GOLDEN[dialect]:
        event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "com.shop.add", "data": given_one}
        _require_agreement("cloudevents", msgspec.json.encode(event))


@pytest.mark.parametrize("dialect", RECOGNISED)
def test_what_a_shop_sends_is_as_usual(dialect: str) -> None:
    """The strict reader takes nearly all of it, else it would be for nothing; and to the same touchpoint."""
    shop = simulate(open_shop(), seed=7, people=200, start_ms=1_772_359_200_000)
    values = [msgspec.json.encode(ENCODERS[dialect](one)) for one in islice(shop, 2000) if one.person]
    taken = sum(_require_agreement(dialect, value) for value in values)
    assert taken > 0.85 * len(values)


@pytest.mark.parametrize("dialect", _RECORDS)
def test_any_object(dialect: str) -> None:
    """The fields of all dialects in one object, with anything in them."""

    @given(_ANY.map(msgspec.json.encode))
    @settings(max_examples=300)
    def read_or_rejected(value: bytes) -> None:
        _require_a_verdict(dialect, value)

    read_or_rejected()


@pytest.mark.parametrize("dialect", ["meta", "auto"])
@pytest.mark.parametrize("time", [b"1e306", b'"1e306"', b"-1e306", _HUGE, b'"nan"', '"²"'.encode()])
def test_a_time_beyond_all_times(dialect: str, time: bytes) -> None:
    """Seconds whose milliseconds are no number any more: a dead letter that names the field."""
    event = b'{"event_name": "Purchase", "user_data": {"fbp": "f"}, "event_time": %b}' % time
    with pytest.raises(Rejected, match=r"event_time|a value cannot be used"):
        decoder_for(dialect)(event)


_MAPPED: Final = rows_of_mapping(
    '[columns]\na = "user_id"\nb = "time"\nc = "items.price"\nd = "traits.age"\ne = "dwell_ms"\nf = "type"',
    "m.toml",
)
_ROWS: Final[dict[str, Rows]] = {"csv": _MAPPED} | {
    name: rows for name in DIALECTS if (rows := dialect_named(name).rows) is not None
}


@pytest.mark.parametrize("dialect", _ROWS)
def test_any_row(dialect: str) -> None:
    """Rows of files, likewise."""
    rows = _ROWS[dialect]

    @given(
        st.lists(
            st.sampled_from(_WORDS) | st.text(max_size=5),
            min_size=len(rows.columns),
            max_size=len(rows.columns),
        )
    )
    def read_or_rejected(cells: list[str]) -> None:
        with suppress(Rejected):
            encode_touchpoint(rows.read(dict(zip(rows.columns, cells, strict=True)), "f:1"))

    read_or_rejected()


@given(_LEAVES, _LEAVES, _LEAVES, _LEAVES)
def test_any_session(session: object, aid: object, kind: object, time: object) -> None:
    """And lines that hold a whole session."""
    line = dialect_named("otto").line
    assert line is not None
    value = msgspec.json.encode({"session": session, "events": [{"aid": aid, "type": kind, "ts": time}]})
    with suppress(Rejected):
        for event in line(value, "f:1"):
            encode_touchpoint(event)
