"""Intake: a raw record becomes an arrival with its place, its time and what it tells the clock."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection, Mapping
from typing import Final, NamedTuple

import msgspec

from retarget import catalogue
from retarget.dialects.binary import Headers, structured
from retarget.engine.moment import RulesFailed
from retarget.errors import Rejected, RejectReason
from retarget.lane.crossing import Crossing, unpack
from retarget.times import LATEST, format_time
from retarget.touchpoints import IMPERSONAL, Touchpoint

Decode = Callable[[bytes], Touchpoint]
_encoder: Final = msgspec.json.Encoder()
# A dead letter must fit into its topic; the place in the input says where the whole record is.
RAW_KEPT: Final = 2 * 1024 * 1024
# So much of an error's text goes into its dead letter.
DETAIL: Final = 300
# Records of the catalogue tell no lane the time; less than what a lane's clock may ever be.
TIMELESS: Final = -2
_ADDRESS: Final = re.compile(r"\b0x[0-9a-fA-F]+")


class Arrival(msgspec.Struct, gc=False):
    """A record that was read; `event` is None when it only tells the time or is a dead letter (`dead` set).

    `tells` is the time the clock may take from it, negative for none; `person` is empty without an event, and
    for records of the catalogue. These have as `source` their partition and offset there; `forwards` are the
    records, by product, that a change of price or stock is sent on as; `at_once` ones are not held.
    `crossing` is what another lane has for `person`.
    """

    topic: str
    offset: int
    event: Touchpoint | None
    tells: int
    person: str = ""
    dead: bytes | None = None
    reason: str = ""
    source: tuple[int, int] | None = None
    forwards: tuple[tuple[str, bytes], ...] = ()
    at_once: bool = False
    crossing: Crossing | None = None


class FromCatalogue(NamedTuple):
    """How records of the catalogue come in: `topic` has them for this lane, `origin` is theirs.

    One of `lanes` lanes writes the dead letter of a bad one. `loops`: there is no such topic to send changes
    of price and stock on to, so they count where they stand.
    """

    topic: str
    origin: str
    lanes: int
    max_bytes: int
    loops: bool


class Intake:
    """Decodes one lane's records: `decode` for each input topic, as its dialect is set."""

    def __init__(
        self,
        partition: int,
        decode: Mapping[str, Decode],
        max_skew: int,
        listed: FromCatalogue | None = None,
        crossed: str = "",
        with_headers: Collection[str] = (),
    ) -> None:
        """`crossed`: the topic in which other lanes tell this one of its people.

        Topics `with_headers` may have CloudEvents in binary mode.
        """
        self._with_headers = frozenset(with_headers)
        self._partition, self._decode, self._max_skew = partition, decode, max_skew
        self._internal = {topic for topic in (crossed, listed.topic if listed is not None else "") if topic}
        self._listed = listed
        self._fanned = listed.topic if listed is not None else ""
        self._live = listed is not None and not listed.loops

    def arrival(
        self, topic: str, offset: int, timestamp: int, value: bytes | None, attributes: Headers = ()
    ) -> Arrival:
        """Decode one record; `timestamp` is the record's own, epoch ms, -1 without one.

        `attributes` are the headers of a CloudEvent in binary mode.
        """
        if attributes and topic in self._with_headers:
            value = structured(attributes, value or b"")
        if topic in self._internal:
            return self._of_lanes(topic, offset, timestamp, value or b"")
        try:
            event = self._decode[topic](value or b"")
            tells = event.time
            if event.id is None or not 0 <= tells <= timestamp:
                tells = self._place(event, topic, offset, timestamp)
            if event.type in IMPERSONAL:
                return self._impersonal(event, topic, offset, tells)
        except Rejected as problem:
            place = self._partition, offset
            letter = self._dead(topic, place, timestamp, value or b"", problem)
            return Arrival(topic, offset, None, -1, "", letter, problem.reason)
        return Arrival(topic, offset, event, tells, event.user_id or event.anonymous_id or "")

    def _place(self, event: Touchpoint, topic: str, offset: int, timestamp: int) -> int:
        """Give the event what only its record knows, and say what time it tells."""
        if event.id is None:
            event.id = f"{topic}-{self._partition}-{offset}"
        if timestamp < 0:
            if event.time < 0:
                raise Rejected("bad_time", "neither the event nor its record has a time")
            if self._live:
                # One such event from the year 9999 would take the lane's clock there, for good.
                raise Rejected("bad_time", "its record has no timestamp, so nothing bounds the time it tells")
            return event.time
        if event.time < 0 and timestamp > LATEST:
            raise Rejected("bad_time", f"the event has no time, and its record's is {timestamp}")
        if event.time < 0 or event.time > timestamp + self._max_skew:
            event.time = timestamp
        return min(event.time, timestamp)

    def _impersonal(self, event: Touchpoint, topic: str, offset: int, tells: int) -> Arrival:
        if event.type == "heartbeat":
            return Arrival(topic, offset, None, tells)
        if self._listed is not None and self._listed.loops:
            return Arrival(topic, offset, catalogue.as_record(event), tells)
        return Arrival(topic, offset, None, tells, forwards=tuple(catalogue.records_of(event)))

    def _of_lanes(self, topic: str, offset: int, timestamp: int, value: bytes) -> Arrival:
        if topic == self._fanned:
            return self._of_catalogue(offset, timestamp, value)
        try:
            crossing = unpack(value)
        except Rejected as problem:
            letter = self._dead(topic, (self._partition, offset), timestamp, value, problem)
            return Arrival(topic, offset, None, TIMELESS, "", letter, problem.reason)
        return Arrival(topic, offset, None, TIMELESS, crossing.person, crossing=crossing)

    def _of_catalogue(self, offset: int, timestamp: int, value: bytes) -> Arrival:
        listed = self._listed
        assert listed is not None  # there is no such topic without it
        try:
            fanned = catalogue.unpack(value)
        except Rejected as problem:
            foreign = self._dead(listed.topic, (self._partition, offset), timestamp, value, problem)
            return Arrival(listed.topic, offset, None, TIMELESS, "", foreign, problem.reason)
        source = fanned.partition, fanned.offset
        try:
            event = catalogue.read_fanned(fanned, listed.max_bytes)
            event.id = event.id or fanned.id or f"{listed.origin}-{fanned.partition}-{fanned.offset}"
            event.time = fanned.time if fanned.time >= 0 else event.time
            self._place(event, listed.topic, offset, timestamp)
        except Rejected as problem:
            ours = sum(source) % max(listed.lanes, 1) == self._partition
            letter = self._dead(listed.origin, source, timestamp, fanned.value, problem) if ours else None
            return Arrival(listed.topic, offset, None, TIMELESS, "", letter, problem.reason, source)
        return Arrival(listed.topic, offset, event, TIMELESS, source=source, at_once=fanned.at_once)

    def _dead(
        self, topic: str, place: tuple[int, int], timestamp: int, raw: bytes, problem: Rejected
    ) -> bytes:
        time = format_time(timestamp) if 0 <= timestamp <= LATEST else None
        text = base64.b64encode(raw[:RAW_KEPT]).decode()
        cut = f"; the first {RAW_KEPT:,} of {len(raw):,} bytes" if len(raw) > RAW_KEPT else ""
        letter = DeadLetter(problem.reason, problem.detail + cut, topic, *place, time, text)
        return _encoder.encode(letter)


class DeadLetter(msgspec.Struct):
    """A record that could not be used: where it stood, why, and its bytes in base64.

    A rule that fails at the end of a wait, or on news of the catalogue, has no record: topic `wait` or the
    id of the news, offset -1, no bytes. `rules` are those that failed with `rule_failed`; the others decided.
    """

    reason: RejectReason
    detail: str
    topic: str
    partition: int
    offset: int
    time: str | None
    raw: str
    schema: int = 1
    rules: tuple[str, ...] = ()


def failed(event: Touchpoint, place: tuple[str, int, int], error: Exception) -> bytes:
    """The dead letter of an event that a rule could not stand; the journey keeps what the event told it.

    `place` is topic, partition and offset.
    """
    raw = base64.b64encode(_encoder.encode(event)).decode()
    return _rule_failed(error, place, event.time, raw)


def of_nobody(event: Touchpoint, place: tuple[str, int, int]) -> bytes:
    """The dead letter of an event whose ids stand for no one person; `place` as in `failed`."""
    raw = base64.b64encode(_encoder.encode(event)).decode()
    detail = (
        f"{event.person[:DETAIL]!r} stands for nobody (identity.nobody); send an id of the person, or none"
    )
    return _encoder.encode(DeadLetter("no_person", detail, *place, format_time(event.time), raw))


def failed_wait(due: int, partition: int, error: Exception) -> bytes:
    """The dead letter of a wait at whose end a rule failed."""
    place = ("wait", partition, -1)
    return _rule_failed(error, place, due, "")


def failed_news(news: catalogue.News, partition: int, error: Exception) -> bytes:
    """The dead letter of a change in the catalogue that a rule failed on."""
    return _rule_failed(error, (news.id, partition, -1), news.time, "")


def _rule_failed(error: Exception, place: tuple[str, int, int], time: int, raw: str) -> bytes:
    rules = error.rules if isinstance(error, RulesFailed) else ()
    said = str(error) if rules else f"{type(error).__name__}: {error}"
    # A replay must come to the same bytes, and things lie elsewhere in memory then.
    detail = _ADDRESS.sub("0x", said)[:DETAIL]
    return _encoder.encode(DeadLetter("rule_failed", detail, *place, format_time(time), raw, rules=rules))
