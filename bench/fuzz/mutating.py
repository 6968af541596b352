"""Bytes that are nearly right: by bits, by pieces, by words, and by values inside JSON and MessagePack."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

import msgspec

_DEEP: Final = 1500
ODD_WORDS: Final = (
    b"", b"null", b"true", b"-1", b"0", b"1e999", b"-1e308", b"NaN", b"Infinity", b"9" * 25, b"9" * 5000,
    b"1.7976931348623157e308", b'"\\ud800"', b'"\\u0000"', b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc0\x80",
    b"[" * _DEEP, b'{"a":' * _DEEP, b"]" * 9, b"}" * 9, b'"' * 3, b"\\", b"\n", b"\r\n", b"\t", b"\x1f|", b":",
    b"- ", b"&a ", b"*a", b"!!python/object/apply:os.system ['true']", b"!!binary x", b"<<: ", b"---\n", b"%", b"#",
    b"2024-02-30", b"0000-00-00T00:00:00Z", b"9999-12-31T23:59:59Z", b"24:61", b"1h", b"-5s", b"999999999999d",
    b"'''", b"[[a]]", b"[a.b]\n", b"=", b",", b"(" * 300, b"not " * 300, b"and ", b"/ 0", b"% 0", b"== ",
)  # fmt: skip
_ODD_VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 2**31, 2**53, -(2**63), 2**63, 2**64 - 1, 0.1, -0.0, 1e308, -1e308, "", " ",
    "\x00", "\x1f", "a" * 600, "ü", "\U0001f600", "0", "-1", "1e999", "nan", "1h", "-5s", "9" * 30, "2024-02-30",
    "2024-02-29T12:00:00Z", "24:00", "{x}", "not ", "user_id", "email", "*", "../..", "9" * 5000, [], {}, [[]],
    {"": {}}, [None], {"a": None}, [{}], "price > 3", "(" * 300, "1" + " + 1" * 900, "not " * 900,
)  # fmt: skip


def broken(draw: Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds after a few changes; now and then something that is like none of them."""
    if draw.random() < 0.03:
        return draw.randbytes(draw.randrange(64))
    value = draw.choice(seeds)
    for _ in range(1 + draw.randrange(3)):
        value = draw.choice(_CHANGES)(draw, value, seeds)
    return value


def _flipped(draw: Random, value: bytes, _: Sequence[bytes]) -> bytes:
    if not value:
        return draw.randbytes(3)
    place = draw.randrange(len(value))
    return value[:place] + bytes([value[place] ^ (1 << draw.randrange(8))]) + value[place + 1 :]


def _cut(draw: Random, value: bytes, _: Sequence[bytes]) -> bytes:
    start = draw.randrange(len(value) + 1)
    return value[:start] + value[min(start + 1 + draw.randrange(20), len(value)) :]


def _ended(draw: Random, value: bytes, _: Sequence[bytes]) -> bytes:
    return value[: draw.randrange(len(value) + 1)]


def _doubled(draw: Random, value: bytes, _: Sequence[bytes]) -> bytes:
    start = draw.randrange(len(value) + 1)
    piece = value[start : start + 1 + draw.randrange(40)]
    return value[:start] + piece * draw.choice((2, 2, 3, 40)) + value[start + len(piece) :]


def _spliced(draw: Random, value: bytes, seeds: Sequence[bytes]) -> bytes:
    other = draw.choice(seeds)
    return value[: draw.randrange(len(value) + 1)] + other[draw.randrange(len(other) + 1) :]


def _word(draw: Random, value: bytes, _: Sequence[bytes]) -> bytes:
    start = draw.randrange(len(value) + 1)
    return value[:start] + draw.choice(ODD_WORDS) + value[start + draw.choice((0, 0, 1, 6)) :]


def _inside(draw: Random, value: bytes, _: Sequence[bytes]) -> bytes:
    """Another value somewhere inside JSON; of what is no JSON, another line."""
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return _packed(draw, value)
    try:
        return json.dumps(_changed(draw, found)).encode()
    except (ValueError, RecursionError):
        return value


def _packed(draw: Random, value: bytes) -> bytes:
    # What is stored has a version byte before it, positions have none.
    for prefix in (value[:1], b""):
        try:
            found = msgspec.msgpack.decode(value[len(prefix) :])
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue
        if isinstance(found, list | dict):
            try:
                return prefix + msgspec.msgpack.encode(_changed(draw, found))
            except (ValueError, OverflowError, TypeError, RecursionError):
                return value
    lines = value.split(b"\n")
    lines[draw.randrange(len(lines))] = draw.choice(lines)
    return b"\n".join(lines)


def _changed(draw: Random, found: Any) -> Any:  # noqa: ANN401 - what JSON can say
    if not isinstance(found, dict | list) or not found or draw.random() < 0.1:
        return _odd(draw)
    if isinstance(found, dict):
        name = draw.choice(list(found))
        kind = draw.random()
        if kind < 0.08:
            return {one: value for one, value in found.items() if one != name}
        if kind < 0.12:
            return found | {draw.choice(("", "zz", "\x00", "id", "type", "time", "user_id")): _odd(draw)}
        return {**found, name: _changed(draw, found[name])}
    return _changed_list(draw, found)


def _changed_list(draw: Random, found: list[Any]) -> list[Any]:
    at = draw.randrange(len(found))
    kind = draw.random()
    if kind < 0.06:
        return found[:at] + found[at + 1 :]
    if kind < 0.1:
        return found * draw.choice((2, 3, 30))
    return [*found[:at], _changed(draw, found[at]), *found[at + 1 :]]


def _odd(draw: Random) -> Any:  # noqa: ANN401
    if draw.random() < 0.03:
        nested: Any = 1
        for _ in range(draw.choice((20, 40, 300))):
            nested = [nested] if draw.random() < 0.5 else {"a": nested}
        return nested
    return draw.choice(_ODD_VALUES)


Change = Callable[[Random, bytes, Sequence[bytes]], bytes]
# What is changed inside stays of the right form, and gets furthest.
_CHANGES: Final[tuple[Change, ...]] = (
    _flipped, _cut, _ended, _doubled, _spliced, _word, _word, _inside, _inside, _inside, _inside, _inside, _inside,
)  # fmt: skip
