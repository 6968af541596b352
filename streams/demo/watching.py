"""Reading what the engine says: every output topic, as a channel service would read it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec
from aiokafka import TopicPartition

from retarget.messages import Decision, Message
from retarget.times import parse_time
from streams import topics
from streams.demo import words
from streams.demo.judge import comes_after_purchase
from streams.demo.lines import Kind, Line
from streams.demo.tally import Tally
from streams.demo.witness import Witness
from streams.kafka import KafkaAddress, RepeatFilter
from streams.kafka.looking import looking

_POLL_MS: Final = 200
# Count rules come up with it at every further view; it is counted.
_TOO_COMMON: Final = frozenset({"again"})
_message: Final = msgspec.json.Decoder(Message).decode
_decision: Final = msgspec.json.Decoder(Decision).decode
_dead: Final = msgspec.json.Decoder().decode


class Watcher:
    """Turns records into counts and lines. `started` is the engine's start by time.monotonic()."""

    def __init__(self, witness: Witness, tally: Tally, started: float) -> None:
        self._witness, self._tally, self._started = witness, tally, started
        self._repeats, self._names = RepeatFilter(), words.Names()
        # A message and the decision behind it come by different topics, either of them first.
        self._messages: dict[str, Message] = {}
        self._evidence: dict[str, list[str]] = {}
        self.last_heard = started

    async def run(self, address: KafkaAddress, lanes: int, show: Callable[[list[Line]], None]) -> None:
        """Read without end; `show` gets the lines of each read, in the order of their times."""
        names = [*map(topics.channel_topic, topics.CHANNELS), topics.DECISIONS, topics.DEAD]
        places = [TopicPartition(name, lane) for name in names for lane in range(lanes)]
        async with looking(address, "read_uncommitted") as consumer:
            consumer.assign(places)
            for place in places:
                consumer.seek(place, 0)
            while True:
                found = await consumer.getmany(timeout_ms=_POLL_MS)
                records = [record for several in found.values() for record in several]
                if records:
                    self.last_heard = time.monotonic()
                show(sorted(self._lines(records), key=lambda line: line.time))

    def _lines(self, records: Iterable[Any]) -> Iterator[Line]:
        for record in records:
            if not self._repeats.is_new(record.topic, record.partition, record.headers):
                self._tally.repeats_dropped += 1
            elif line := self._line(record):
                yield line

    def _line(self, record: Any) -> Line | None:  # noqa: ANN401 - aiokafka's, without types
        if record.topic == topics.DEAD:
            self._tally.dead[_dead(record.value)["reason"]] += 1
            return None
        if record.topic == topics.DECISIONS:
            return self._decided(_decision(record.value))
        return self._said(_message(record.value), record.timestamp / 1000)

    def _said(self, message: Message, emitted: float) -> Line | None:
        self._tally.message(message, time.monotonic() - self._started)
        if message.operation == "recall":
            return self._told(message, "recalled", "called back: the reason is gone")
        if message.operation != "send":
            return None
        match comes_after_purchase(message, emitted, self._witness):
            case "known":
                self._tally.after_purchase += 1
            case "of another id":
                self._tally.unjoined += 1
        evidence = self._evidence.pop(message.decision_id, None)
        if evidence is None:
            self._messages[message.decision_id] = message
            return None
        return self._sent(message, evidence)

    def _sent(self, message: Message, evidence: list[str]) -> Line:
        events = self._witness.events(evidence)
        return self._told(
            message, "sent", words.reason(message, events, self._witness), words.products(message, events)
        )

    def _told(self, message: Message, kind: Kind, reason: str, products: str = "") -> Line:
        return Line(
            time=parse_time(message.decided_at),
            channel=message.channel,
            rule=message.rule,
            person=self._names.of(message.person),
            reason=reason,
            kind=kind,
            products=products,
            why=message.why if kind == "sent" else "",
        )

    def _decided(self, decision: Decision) -> Line | None:
        self._tally.decision(decision)
        if decision.operation != "send":
            return None
        if decision.outcome == "sent":
            message = self._messages.pop(decision.decision_id, None)
            if message is None:
                self._evidence[decision.decision_id] = decision.evidence
                return None
            return self._sent(message, decision.evidence)
        if decision.reason in _TOO_COMMON:
            return None
        return Line(
            time=parse_time(decision.decided_at),
            channel=decision.channel or "-",
            rule=decision.rule,
            person=self._names.of(decision.person),
            reason=words.stopped(decision),
            kind="waits" if decision.outcome == "deferred" else "held back",
        )
