"""Our messages in the words of the reference answer: the id is rule|user|due in epoch ms."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import msgspec

from retarget.times import parse_time


class _Sent(msgspec.Struct):
    rule: str
    person: str
    due: str
    operation: str


_decode = msgspec.json.Decoder(_Sent).decode


class Comparison(NamedTuple):
    """A multiset of ids held against the expected one."""

    messages: int
    expected: int
    missing: int
    extra: int
    duplicates: int


def id_of(message: bytes) -> str | None:
    """The reference id; None for what the job does not know: recalls of what was bought after all."""
    sent = _decode(message)
    return f"{sent.rule}|{sent.person}|{parse_time(sent.due)}" if sent.operation == "send" else None


def compare(found: Counter[str], expected: Counter[str]) -> Comparison:
    """Missing ones, ids that should not be there, and ids that came too often."""
    too_often = found - expected
    return Comparison(
        messages=found.total(),
        expected=expected.total(),
        missing=(expected - found).total(),
        extra=sum(count for key, count in too_often.items() if key not in expected),
        duplicates=sum(count for key, count in too_often.items() if key in expected),
    )
