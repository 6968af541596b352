"""What left the engine: read from the topics as a consumer would, and compared with what should have."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams import topics
from streams.kafka import KafkaAddress, Reader, RepeatFilter, Stamp, decode_headers
from streams.ports import Output

OUTPUT_TOPICS: Final = (*map(topics.channel_topic, topics.CHANNELS), topics.DECISIONS, topics.DEAD)
_EXAMPLES: Final = 3


class Emitted(NamedTuple):
    """One record of an output topic."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    stamp: Stamp | None


class Outlet:
    """An ordinary consumer of every output topic: read_committed, and without repeats when asked.

    An async context manager; `poll` adds what has come to `records`.
    """

    def __init__(self, bootstrap: str, partitions: int, *, drop_repeats: bool) -> None:
        self._address = KafkaAddress(bootstrap=bootstrap)
        self._drop_repeats = drop_repeats
        self._filter = RepeatFilter()
        self._places = [TopicPartition(t, p) for t in OUTPUT_TOPICS for p in range(partitions)]
        self.records: list[Emitted] = []
        self.repeats = 0

    async def __aenter__(self) -> Self:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._address.bootstrap,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            fetch_max_wait_ms=50,
        )
        await self._consumer.start()
        self._consumer.assign(self._places)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.stop()

    async def poll(self) -> int:
        """Take in what has come; how many records there are now."""
        for fetched in (await self._consumer.getmany(timeout_ms=200)).values():
            for record in fetched:
                self._take(record)
        return len(self.records)

    def _take(self, record: Any) -> None:  # noqa: ANN401 - aiokafka's, without types
        if self._drop_repeats and not self._filter.is_new(record.topic, record.partition, record.headers):
            self.repeats += 1
            return
        stamp = decode_headers(record.headers)
        self.records.append(
            Emitted(record.topic, record.partition, record.offset, record.key, record.value, stamp)
        )

    async def to_end(self) -> list[Emitted]:
        """Everything up to where the topics end now."""
        reader = Reader(self._address)
        await reader.start()
        try:
            ends = {place: await reader.end(*place) for place in self._places}
        finally:
            await reader.close()
        for place, end in ends.items():
            while end and await self._consumer.position(place) < end:
                await self.poll()
        return self.records


def identity(topic: str, value: bytes) -> tuple[Any, ...]:
    """By what a record of an output topic is known, first the rule."""
    said: Mapping[str, Any] = json.loads(value)
    if topic == topics.DEAD:
        return (said["reason"], topic, said["topic"], said["offset"])
    subject = said["subject"]
    about = (said["person"], subject["kind"], subject["id"], said["step"], said["due"], said["decided_at"])
    what = (said.get("message_id"), said["decision_id"])
    how = (said.get("operation"), said.get("outcome"), said.get("reason"))
    return (said["rule"], topic, *about, *how, *what)


def differences(expected: Sequence[Output], found: Sequence[Emitted], raised: int = 0) -> list[str]:
    """A line for everything in which the topics are not what they should be; empty when all is well.

    `raised`: how often the lanes have had a reason to raise their incarnation.
    """
    wanted = Counter(identity(each.topic, each.value) for each in expected)
    there = Counter(identity(each.topic, each.value) for each in found)
    repeated = there - Counter(dict.fromkeys(there, 1))
    return [
        *_by_rule("missing", wanted - there),
        *_by_rule("too many", there - wanted),
        *_by_rule("more than once", repeated - (wanted - Counter(dict.fromkeys(wanted, 1)))),
        *_contents(expected, found),
        *_order(expected, found),
        *_incarnations(found, raised),
    ]


def _by_rule(what: str, records: Counter[tuple[Any, ...]]) -> list[str]:
    by_rule: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for one in records.elements():
        by_rule[one[0]].append(one)
    return [f"{len(ones)} {what} of {rule}, as {ones[:_EXAMPLES]}" for rule, ones in sorted(by_rule.items())]


def _contents(expected: Sequence[Output], found: Sequence[Emitted]) -> list[str]:
    """Records that are there under the right identity, with another content."""
    wanted = {identity(each.topic, each.value): each.value for each in expected}
    wrong = [
        (wanted[known], each.value)
        for each in found
        if (known := identity(each.topic, each.value)) in wanted and wanted[known] != each.value
    ]
    return [f"{len(wrong)} with another content: {want!r} is {got!r}" for want, got in wrong[:_EXAMPLES]]


def _order(expected: Sequence[Output], found: Sequence[Emitted]) -> list[str]:
    """People whose records stand in another order, topic by topic."""
    wanted = _sequences((each.topic, each.key, each.value) for each in expected)
    got = _sequences((each.topic, each.key, each.value) for each in found)
    wrong = [
        f"order of {place} is {got[place]}, not {sequence}"
        for place, sequence in sorted(wanted.items())
        if sorted(sequence, key=repr) == sorted(got.get(place, ()), key=repr) and sequence != got[place]
    ]
    return wrong[:_EXAMPLES]


def _sequences(records: Iterable[tuple[str, bytes, bytes]]) -> dict[tuple[str, bytes], list[Any]]:
    found: dict[tuple[str, bytes], list[Any]] = defaultdict(list)
    for topic, key, value in records:
        if topic != topics.DEAD:
            found[topic, key].append(identity(topic, value))
    return found


def _incarnations(found: Sequence[Emitted], raised: int) -> list[str]:
    """A lane's incarnation is raised when a replay came to other outputs: never, with the same rules."""
    wrong = [each for each in found if each.stamp is None or each.stamp.incarnation > raised]
    return [f"{len(wrong)} records bear no stamp or a raised incarnation, as {wrong[0]}"] if wrong else []
