"""Dead letters as they stand in the topics, and which of them are wanted."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from retarget.decode import parse_object, read_time
from retarget.errors import Rejected
from streams.kafka.looking import Seen


class Letter(NamedTuple):
    """One dead letter. `place` names the record that it is about, by which it is known again.

    `topic` is where that record stood, or the message shall go; `time` (epoch ms) when it came there;
    `destination` which of the channel's services could not send it, None: not said.
    """

    place: str
    topic: str
    reason: str
    detail: str
    rules: tuple[str, ...]
    time: int
    raw: bytes
    key: bytes | None
    message: dict[str, Any] | None = None
    destination: str | None = None


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which dead letters: empty is all. `since` and `until` in epoch ms, the latter not included."""

    reasons: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    since: int = 0
    until: int = 2**62

    def wants(self, letter: Letter) -> bool:
        """Whether it is one of them."""
        return (
            self.since <= letter.time < self.until
            and (not self.reasons or letter.reason in self.reasons)
            and (not self.topics or letter.topic in self.topics)
            and (not self.rules or not self.rules.isdisjoint(letter.rules))
        )


def letter_of(seen: Seen) -> Letter:
    """A dead letter of the engine's. Raises Rejected for a record that is none."""
    said = parse_object(seen.value or b"")
    topic, offset = said.get("topic"), said.get("offset")
    if not isinstance(topic, str) or not isinstance(offset, int):
        raise Rejected("bad_field", "it is no dead letter: topic, partition and offset are missing")
    return Letter(
        place=f"{topic}-{said.get('partition')}-{offset}",
        topic=topic,
        reason=str(said.get("reason")),
        detail=str(said.get("detail")),
        rules=tuple(map(str, _list(said.get("rules")))),
        time=_time(said.get("time"), seen.timestamp),
        raw=_raw(said.get("raw")),
        key=None,
    )


def channel_letter_of(seen: Seen, topic: str) -> Letter:
    """What a channel service could not send: the message, alone or in a letter. Raises Rejected.

    A letter has the message as an object in `message`, or its bytes in base64 in `raw`.
    """
    said = parse_object(seen.value or b"")
    message = said.get("message")
    if isinstance(said.get("raw"), str):
        message = parse_object(_raw(said["raw"]))
    elif not isinstance(message, dict):
        message = said
    if not isinstance(message.get("message_id"), str):
        raise Rejected("bad_field", "there is no message in it: message_id is missing")
    return Letter(
        place=f"{seen.topic}-{seen.partition}-{seen.offset}",
        topic=topic,
        reason=str(said.get("reason", "")),
        detail=str(said.get("detail", "")),
        rules=(str(message.get("rule")),),
        time=_time(said.get("time"), seen.timestamp),
        raw=b"",
        key=seen.key,
        message=message,
        destination=said["destination"] if isinstance(said.get("destination"), str) else None,
    )


def _time(given: object, otherwise: int) -> int:
    with suppress(Rejected):
        return read_time(given)
    return otherwise


def _raw(given: object) -> bytes:
    try:
        return base64.b64decode(given if isinstance(given, str) else "", validate=True)
    except ValueError:
        raise Rejected("bad_field", "raw is no base64") from None


def _list(given: object) -> Iterable[object]:
    return given if isinstance(given, list) else ()
