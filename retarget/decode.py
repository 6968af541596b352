"""Bytes to canonical touchpoints and back: a strict fast path, and a tolerant one that gives every reason.

A record that the fast path does not settle goes to the tolerant path, which reads what can be read (numbers
as ids, times as text) and is the only one to reject. Where both accept, they agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sized
from contextlib import suppress
from math import isfinite
from typing import Any, Final, get_type_hints

import msgspec

from retarget.errors import Rejected
from retarget.times import LATEST, parse_time
from retarget.touchpoints import IMPERSONAL, LONGEST_ID, MOST_ENTRIES, TYPES, Item, Touchpoint

MAX_BYTES: Final = 1024 * 1024
# Deeper values could not be written again from a deeper call stack, and no producer means them.
MAX_DEPTH: Final = 32
_SHOWN: Final = 60
_NOTHING_FREE: Final = (None, None, None, None)
_SEVERAL: Final = (list, tuple)  # as a union of types it would be made anew at each call
_DEPTH: Final = MAX_DEPTH + 1  # the free-form objects together
_ALWAYS_STORABLE: Final = frozenset({str, float, bool, type(None)})
_INTEGERS: Final = range(-(2**63), 2**64)


class _Timed(Touchpoint, kw_only=True, gc=False, omit_defaults=True):
    """A touchpoint whose time may be text. It has no field of its own, so that it can become a touchpoint."""

    time: Any = -1


_timed: Final = msgspec.json.Decoder(_Timed).decode
_strict: Final = msgspec.json.Decoder(Touchpoint).decode
_generic: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


def decode_canonical(value: bytes, max_bytes: int = MAX_BYTES) -> Touchpoint:
    """The touchpoint in one canonical record. Raises Rejected with the dead letter's reason."""
    require_size(value, max_bytes)
    return decode_fast(value) or decode_timed(value) or decode_tolerant(value)


def encode_touchpoint(touchpoint: Touchpoint) -> bytes:
    """Canonical JSON of `touchpoint`, absent fields left out; decoding it gives an equal touchpoint."""
    return _encode(touchpoint)


def require_size(value: bytes, max_bytes: int) -> None:
    """Raise Rejected `too_large` when `value` is longer than `max_bytes`."""
    if len(value) > max_bytes:
        raise Rejected("too_large", f"the record has {len(value)} bytes, the limit is {max_bytes}")


def decode_fast(value: bytes) -> Touchpoint | None:
    """The touchpoint of a record in strictly canonical form; None when the tolerant path must judge it."""
    try:
        touchpoint = _strict(value)
        if not value.isascii():
            value.decode()  # the strict decoder skips unknown fields without looking at their bytes
    except (ValueError, RecursionError):
        return None
    # Most have none of the free-form objects; a call to find that out costs a tenth of the decoding.
    free = touchpoint.traits, touchpoint.campaign, touchpoint.geo, touchpoint.consent
    if free != _NOTHING_FREE and not _is_storable(free, _DEPTH):
        return None
    if touchpoint.type not in TYPES:
        _make_custom(touchpoint)
    if touchpoint.user_id or touchpoint.anonymous_id or touchpoint.type in IMPERSONAL:
        return touchpoint
    return None


def decode_timed(value: bytes) -> Touchpoint | None:
    """The same for a record that is strictly canonical but for its time, which is text."""
    try:
        touchpoint = _timed(value)
        if type(touchpoint.time) is not str:
            return None
        touchpoint.time = parse_time(touchpoint.time.upper())
        if not value.isascii():
            value.decode()
    except (ValueError, OverflowError, RecursionError):
        return None
    touchpoint.__class__ = Touchpoint  # type: ignore[assignment]
    if touchpoint.type not in TYPES:
        _make_custom(touchpoint)
    return touchpoint if 0 <= touchpoint.time <= LATEST and is_settled(touchpoint) else None


def is_settled(touchpoint: Touchpoint) -> bool:
    """Whether a strictly decoded touchpoint with a type of ours can be used as it is."""
    if (  # one after the other: most have none, and a tuple of them would take as long as all the rest
        touchpoint.consent is not None
        or touchpoint.traits is not None
        or touchpoint.campaign is not None
        or touchpoint.geo is not None
    ):
        free = touchpoint.traits, touchpoint.campaign, touchpoint.geo, touchpoint.consent
        if not _is_storable(free, _DEPTH):
            return False
    if len(touchpoint.items) > MOST_ENTRIES:
        return False
    return bool(touchpoint.user_id or touchpoint.anonymous_id or touchpoint.type in IMPERSONAL)


def decode_tolerant(value: bytes) -> Touchpoint:
    """The touchpoint of any record that can be understood as canonical. Raises Rejected."""
    return from_mapping(parse_object(value))


def parse_object(value: bytes) -> dict[str, Any]:
    """The JSON object in `value`. Raises Rejected `not_json`, `not_an_object` or `bad_field`."""
    try:
        parsed = _generic(value)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Rejected("bad_field", f"a value cannot be used: {error}") from None
    except ValueError as error:
        raise Rejected("not_json", f"the record is not JSON in UTF-8: {error}") from None
    if not isinstance(parsed, dict):
        raise Rejected("not_an_object", "the record is JSON, but not an object in braces")
    return parsed


def from_mapping(record: Mapping[str, Any]) -> Touchpoint:
    """The touchpoint of a mapping with canonical field names; unknown keys are ignored. Raises Rejected."""
    touchpoint = _converted(record) or Touchpoint(**_read_fields(record, READERS, ""))
    if touchpoint.type not in TYPES:
        _make_custom(touchpoint)
    if not (touchpoint.user_id or touchpoint.anonymous_id or touchpoint.type in IMPERSONAL):
        raise Rejected("no_person", f"a {touchpoint.type!r} event needs user_id or anonymous_id")
    return touchpoint


def _converted(record: Mapping[str, Any]) -> Touchpoint | None:
    """The same at once where all is of the right kind; None when each field has to be looked at."""
    time = record.get("time")
    try:
        if isinstance(time, str):
            record = {**record, "time": read_time(time)}
        touchpoint = msgspec.convert(record, Touchpoint)
    except (ValueError, OverflowError, RecursionError, Rejected):
        return None
    free = touchpoint.traits, touchpoint.campaign, touchpoint.geo, touchpoint.consent
    return touchpoint if free == _NOTHING_FREE or _is_storable(free, _DEPTH) else None


def read_time(given: object, field: str = "time") -> int:
    """Epoch milliseconds of RFC 3339 text or of a whole number of them. Raises Rejected `bad_time`."""
    moment = given
    if isinstance(given, str):
        try:
            moment = parse_time(given.upper())
        except (ValueError, OverflowError):  # suppress() costs as much as the parsing
            moment = given
    elif isinstance(given, float) and given.is_integer():
        moment = int(given)
    if isinstance(moment, bool) or not isinstance(moment, int) or not 0 <= moment <= LATEST:
        remedy = "RFC 3339 such as 2026-01-31T09:30:00Z or epoch milliseconds, from 1970 on"
        raise Rejected("bad_time", f"{field} is {_short(given)}; write {remedy}")
    return moment


def read_text(given: object, field: str) -> str:
    """Text as it is, a number as text without `.0`. Raises Rejected `bad_field`."""
    if isinstance(given, str):
        return given
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise _bad(field, given, "text or a number")
    try:
        return str(int(given)) if isinstance(given, float) and given.is_integer() else str(given)
    except ValueError:  # Python refuses to write out integers of thousands of digits
        raise _bad(field, given, "text or a number of fewer digits") from None


def read_id(given: object, field: str) -> str | None:
    """Like `read_text`, but empty text is no id, nor is one too long. Raises Rejected `bad_field`."""
    text = read_text(given, field)
    if len(text) > LONGEST_ID:
        said = f"{field} has {len(text):,} characters; an id has at most {LONGEST_ID}"
        raise Rejected("bad_field", said)
    return text or None


def read_number(given: object, field: str) -> float:
    """A JSON number as float. Raises Rejected `bad_field`."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise _bad(field, given, "a number")
    with suppress(OverflowError):
        if isfinite(number := float(given)):
            return number
    raise _bad(field, given, "a finite number below 1.8e308")


def read_object(given: object, field: str) -> dict[str, Any]:
    """A JSON object that can be stored: bounded in depth, breadth and integers. Raises Rejected."""
    if not isinstance(given, dict):
        raise _bad(field, given, "an object")
    _require_few(given, field)
    if not _is_storable(given, MAX_DEPTH):
        told = f"more than {MAX_DEPTH} levels, an object or list of more than {MOST_ENTRIES:,} entries"
        raise Rejected("bad_field", f"{field} has {told} or an integer of over 64 bits")
    return given


def _require_few(given: Sized, field: str) -> None:
    if len(given) > MOST_ENTRIES:
        raise Rejected("bad_field", f"{field} has {len(given):,} entries; it may have {MOST_ENTRIES:,}")


def _read_sentiment(given: object, field: str) -> str | float | None:
    return read_text(given, field) if isinstance(given, str) else read_number(given, field)


def _read_type(given: object, field: str) -> str:
    return read_text(given, field) or "custom"


def _read_items(given: object, field: str) -> list[Item]:
    if not isinstance(given, list):
        raise _bad(field, given, "a list of objects")
    _require_few(given, field)
    return [_read_item(one, f"{field}[{n}]") for n, one in enumerate(given) if one is not None]


def _read_item(given: object, field: str) -> Item:
    if not isinstance(given, dict):
        raise _bad(field, given, "an object")
    return Item(**_read_fields(given, ITEM_READERS, field + "."))


def _read_texts(given: object, field: str) -> dict[str, str]:
    if not isinstance(given, dict):
        raise _bad(field, given, "an object of texts")
    _require_few(given, field)
    return {
        name: read_text(text, f"{field}.{name[:_SHOWN]}") for name, text in given.items() if text is not None
    }


Reader = Callable[[object, str], Any]

_LIKE_IDS: Final = frozenset({"category", "currency", "coupon", "trace"})
_BY_HINT: Final[dict[object, Reader]] = {
    str | None: read_text,
    float | None: read_number,
    dict[str, Any] | None: read_object,
    str | float | None: _read_sentiment,
    int: read_time,
    str: _read_type,
    list[Item]: _read_items,
    dict[str, str] | None: _read_texts,
}


def _readers(kind: type[Touchpoint | Item]) -> dict[str, Reader]:
    readers = {name: _BY_HINT[hint] for name, hint in get_type_hints(kind).items()}
    return readers | {name: read_id for name in readers if name.endswith("id") or name in _LIKE_IDS}


READERS: Final = _readers(Touchpoint)
ITEM_READERS: Final = _readers(Item)
KNOWN_KEYS: Final = frozenset(READERS)


def _read_fields(record: Mapping[str, Any], readers: Mapping[str, Reader], prefix: str) -> dict[str, Any]:
    return {
        name: readers[name](given, prefix + name)
        for name, given in record.items()
        if given is not None and name in readers
    }


def _make_custom(touchpoint: Touchpoint) -> None:
    touchpoint.name, touchpoint.type = touchpoint.type, "custom"


def _is_storable(given: object, depth: int) -> bool:
    # Whether it holds nothing that the tolerant path would change or reject; a generator would cost more than
    # what it looks at.
    if isinstance(given, dict):
        given = given.values()
    elif not isinstance(given, _SEVERAL):
        return type(given) is not int or given in _INTEGERS
    if depth <= 0 or len(given) > MOST_ENTRIES:
        return False
    for one in given:
        kind = type(one)
        if kind not in _ALWAYS_STORABLE and not _is_storable(one, depth - 1):
            return False
    return True


def _bad(field: str, given: object, wanted: str) -> Rejected:
    return Rejected("bad_field", f"{field} is {_short(given)}; it must be {wanted}")


def _short(given: object) -> str:
    match given:
        case dict():
            return "an object"
        case list():
            return "a list"
        case int() if given not in _INTEGERS:
            return "a huge integer"
        case str() if len(given) > _SHOWN:
            return f"{given[:_SHOWN]!r}..."
        case _:
            return repr(given)
