"""Kafka as one lane sees it: its partitions, transactions with a fence, the last stable offset."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

from retarget.errors import LaneRefused
from streams.kafka import journal
from streams.kafka.headers import Stamp, encode_headers
from streams.ports import Fenced, JournalRecord, Output, Record, UnknownOutcome
from streams.topics import JOURNAL, partition_of
from tests.protocol.coordinator import Coordinator
from tests.protocol.partitions import Own, Place
from tests.protocol.passing import Passing

LANE = 0


class Sent(NamedTuple):
    """One record on its way."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Entry(msgspec.Struct):
    """One place in a partition; a marker is what the end of a transaction writes."""

    sent: Sent
    status: Literal["open", "committed", "aborted", "marker"]


class Gone(LaneRefused):
    """Records that retention has dropped."""


_MARKER = Sent("", b"", b"", [])


class Broker:
    """All partitions of the lane, and the coordinator of its transactional id."""

    def __init__(
        self,
        passing: Passing | None = None,
        *,
        lane: int = LANE,
        lanes: int = 1,
        beside: Broker | None = None,
    ) -> None:
        """`beside`: what another lane sees of the same broker; a transaction of one may hold the other up."""
        self.coordinator = Coordinator(passing or Passing())
        self.all: defaultdict[Place, list[Entry]] = beside.all if beside else defaultdict(list)
        self.dropped: defaultdict[Place, int] = beside.dropped if beside else defaultdict(int)
        self.logs = Own(self.all, lane)
        self.beginnings = Own(self.dropped, lane)  # the first offset that is still there
        self.epoch = 0
        self._lane, self._lanes = lane, lanes
        self._open: list[tuple[Place, Entry]] = []
        self._prepared = False  # the coordinator that fell has put down that it shall be committed

    @property
    def lane(self) -> int:
        """Whose it is."""
        return self._lane

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return bool(self._open)

    def copied(self) -> Broker:
        """What a lane sees of another one with the same in it, and all that there ever was."""
        found = Broker(self.coordinator.passing, lane=self._lane, lanes=self._lanes)
        found.epoch = self.epoch
        found.all.update({place: list(log) for place, log in self.all.items()})
        return found

    def append(self, records: Iterable[Sent]) -> int:
        """Without a transaction; the offset of the last one."""
        return self._write(records, "committed")

    def init(self) -> int:
        """Fence every former epoch, abort what it left open, and give the new epoch.

        What shall be committed is so before; Kafka says CONCURRENT_TRANSACTIONS until then.
        """
        self.epoch += 1
        self._finish("committed" if self._prepared else "aborted")
        return self.epoch

    def produce(self, epoch: int, records: Iterable[Sent]) -> int:
        """Within the open transaction; the offset of the last one. Raises Fenced."""
        self._require(epoch)
        return self._write(records, "open")

    def end(self, epoch: int) -> None:
        """Commit the open transaction, or only put down that it shall be, and fall. Raises Fenced."""
        self._require(epoch)
        if self.coordinator.falls:
            self._prepared = True
        else:
            self._finish("committed")

    def time_out(self) -> None:
        """What the coordinator does with a transaction that stays open too long."""
        if self._open:
            self.init()

    def drop(self, topic: str, before: int) -> None:
        """Let the log begin at an offset, as retention does; it never begins earlier again."""
        self.beginnings[topic] = max(self.beginnings[topic], before)

    def require(self, topic: str, start: int, end: int) -> None:
        """Raises Gone for a range that does not begin where records are."""
        if start < min(self.beginnings[topic], end):
            raise Gone(f"{topic}: from {start} to {end}, but it begins at {self.beginnings[topic]}")

    def read(self, topic: str, start: int, end: int) -> list[tuple[int, Sent]]:
        """The committed records of a range. Raises Gone, and UnknownOutcome while a transaction is open."""
        self.require(topic, start, end)
        part = self.logs[topic][start:end]
        if any(entry.status == "open" for entry in part):
            raise UnknownOutcome("the last stable offset does not move")
        return [(start + at, entry.sent) for at, entry in enumerate(part) if entry.status == "committed"]

    def visible(self, topic: str, start: int = 0) -> list[tuple[int, Sent]]:
        """All that a reader with read_committed sees from a stable offset on."""
        return self.visible_at((topic, self._lane), start)

    def visible_at(self, place: Place, start: int = 0) -> list[tuple[int, Sent]]:
        """The same of any partition."""
        found = []
        log = self.all[place]
        for offset in range(start, len(log)):
            entry = log[offset]
            if entry.status == "open":
                break
            if entry.status == "committed":
                found.append((offset, entry.sent))
        return found

    def stable(self, topic: str) -> int:
        """The last stable offset: up to where such a reader sees."""
        log = self.logs[topic]
        return next((at for at, entry in enumerate(log) if entry.status == "open"), len(log))

    def _require(self, epoch: int) -> None:
        if epoch != self.epoch:
            raise Fenced(f"epoch {epoch} is over, it is {self.epoch}")

    def _write(self, records: Iterable[Sent], status: Literal["open", "committed"]) -> int:
        offset = -1
        for sent in records:
            entry, place = Entry(sent, status), self._place_of(sent)
            self.all[place].append(entry)
            offset = len(self.all[place]) - 1
            if status == "open":
                self._open.append((place, entry))
        return offset

    def _place_of(self, sent: Sent) -> Place:
        """The journal's partition is the lane's, any other the key's."""
        mine = self._lanes == 1 or sent.topic == JOURNAL
        return sent.topic, self._lane if mine else partition_of(sent.key, self._lanes)

    def _finish(self, status: Literal["committed", "aborted"]) -> None:
        for _, entry in self._open:
            entry.status = status
        for place in sorted({place for place, _ in self._open}):
            self.all[place].append(Entry(_MARKER, "marker"))
        self._open, self._prepared = [], False


def stamped(record: JournalRecord, outputs: Sequence[Output], lane: int = LANE) -> list[Sent]:
    """The outputs of a batch with the headers that the real logs give them."""
    return [
        Sent(
            one.topic,
            one.key,
            one.value,
            encode_headers(Stamp(lane, record.incarnation, record.sequence, nth)),
        )
        for nth, one in enumerate(outputs)
    ]


def journaled(record: JournalRecord, lane: int = LANE) -> Sent:
    """A journal record with its place."""
    return Sent(JOURNAL, b"%d" % lane, journal.encode(record), [])


def decoded(found: Iterable[tuple[int, Sent]]) -> list[tuple[int, JournalRecord]]:
    """Journal records of a read."""
    return [
        (offset, journal.decode(Record(JOURNAL, offset, -1, one.key, one.value))) for offset, one in found
    ]
