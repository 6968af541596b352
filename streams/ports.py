"""What a lane needs from the outside: a store for its image, a log for journal and outputs, a feed.

Each port is small and states its promise; the real parts are in `streams.stores` and `streams.kafka`, the
models for fault tests beside the tests. Lanes await nothing but these, so a scheduler can stop them at any
external operation.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, Self

import msgspec

from retarget.engine.ceilings import Granted, Shortage


class Record(msgspec.Struct, frozen=True, gc=False):
    """One input record. `timestamp` is the record's own in epoch ms, -1 without one.

    `attributes` are its headers if it is a CloudEvent in binary mode; others have none.
    """

    topic: str
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    attributes: Sequence[tuple[str, bytes]] = ()


class Output(msgspec.Struct, frozen=True, gc=False):
    """One record to be emitted with a batch; its headers are added by the log."""

    topic: str
    key: bytes
    value: bytes


class LaneImage(NamedTuple):
    """What the store holds of a lane besides journeys and waits; sequence 0, no meta: nothing yet.

    A sequence below 0: somebody has begun to bring a copy of the lane back, and not come to its end.
    """

    sequence: int
    meta: bytes


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one batch changes in the store; written whole or not at all."""

    expected: int  # the sequence that must be stored now; expected + 1 is stored afterwards
    meta: bytes
    then: int | None = None  # the sequence to be stored instead, while a lane is brought back or moved
    journeys: Sequence[tuple[str, bytes]] = ()
    forgotten: Sequence[str] = ()  # persons whose journey is removed
    waits: Sequence[tuple[str, int]] = ()  # person -> due, epoch ms; replaces the person's wait
    unwaited: Sequence[str] = ()  # persons without a wait from now on
    listings: Sequence[tuple[str, bytes]] = ()  # product -> its listing
    following: Sequence[tuple[str, str]] = ()  # (product, person) to put into the index of products
    unfollowing: Sequence[tuple[str, str]] = ()  # those to take out of it
    unlisted: Sequence[str] = ()  # products whose listing is removed

    @property
    def after(self) -> int:
        """The sequence that is stored afterwards."""
        return self.expected + 1 if self.then is None else self.then


class Ask(NamedTuple):
    """A lane asks for more of a rule's ceiling in one window; `has`: what it knows to be its own already."""

    rule: str
    shortage: Shortage
    lane: int
    has: int
    lanes: int  # that share it


class Portion(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A part of all that a lane's image holds; the fields are those of a checkpoint."""

    journeys: Sequence[tuple[str, bytes]] = ()
    waits: Sequence[tuple[str, int]] = ()
    listings: Sequence[tuple[str, bytes]] = ()
    following: Sequence[tuple[str, str]] = ()


# Later than every batch.
NOTHING_FOLLOWS: Final = 1 << 62


class LaneCopy(Protocol):
    """The image of a lane as it was at one sequence, kept outside of the store."""

    @property
    def image(self) -> LaneImage:
        """Its sequence and meta."""

    @property
    def pauses(self) -> Mapping[str, int]:
        """The kill switches that were in force then."""

    @property
    def source(self) -> str:
        """Where it lies, for people."""

    def portions(self, follows: int) -> AsyncIterator[Portion]:
        """All of it, in portions that one checkpoint carries well.

        `follows`: when the first batch after it was decided, epoch ms; NOTHING_FOLLOWS without one. Who was
        erased between the copy and that batch is so in the portions: no batch will say it.
        """


class Copies(Protocol):
    """Where copies of lanes are kept."""

    @property
    def place(self) -> str:
        """Where that is, for people."""

    async def newest(self, lane: int) -> LaneCopy | None:
        """The newest whole copy of a lane; None without one. Raises LaneRefused for one of a newer build."""


class StoredSwitches(NamedTuple):
    """Kill switches: rule or channel -> since, epoch ms. Who knows one that is in neither knows of a loss."""

    in_force: dict[str, int]
    ended: dict[str, int]  # the last pause of each that was ended by hand


class UnknownOutcome(Exception):
    """The call may or may not have had its effect. Store: send it again unchanged. Log: claim anew."""


class Fenced(Exception):
    """Another owner has claimed the lane since; claim anew if the lane is still ours."""


class JourneyStore(Protocol):
    """The image of every lane: a prefix of its journal, applied."""

    async def image(self, lane: int) -> LaneImage:
        """The stored sequence and meta of a lane. Raises UnknownOutcome when no answer came."""

    async def load(self, lane: int, persons: Sequence[str]) -> tuple[int, list[bytes | None]]:
        """The journeys of `persons`, in order, None for the unknown; atomically with the sequence read at."""

    async def waits(self, lane: int, after: int, until: int, limit: int) -> tuple[int, list[tuple[int, str]]]:
        """At most `limit` waits with after < due <= until, as (due, person) in order, and the sequence.

        When the limit cuts inside one due time, the rest of that due time is included.
        """

    async def listings(self, lane: int, products: Sequence[str]) -> tuple[int, list[bytes | None]]:
        """As `load`, the listings of products."""

    async def followers(
        self, lane: int, asked: Sequence[tuple[str, str]], limit: int
    ) -> tuple[int, list[list[str]]]:
        """For each (product, after) at most `limit` of those behind `after` who follow it, in order of UTF-8.

        With the sequence they were read at.
        """

    def portions(self, lane: int) -> AsyncIterator[Portion]:
        """All that is held of a lane that nobody writes to meanwhile; something may come twice."""

    async def grant(self, ask: Ask) -> Granted:
        """All that the lane has of a ceiling from now on; asked again unchanged, the answer is the same.

        All lanes together never have more than the ceiling; what one `has` counts even if the store lost it.
        Raises UnknownOutcome.
        """

    async def checkpoint(self, lane: int, checkpoint: Checkpoint) -> int:
        """Store it if the stored sequence is `expected`; the sequence stored after the call either way.

        The caller is done when that is `after`, whoever wrote it. Raises UnknownOutcome.
        """


class JournalRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """All that a replay of one batch needs, and what its outputs were. Times are epoch ms."""

    sequence: int
    incarnation: int = 0
    frontier: dict[str, int] = {}  # topic -> next offset to read after this batch
    first: dict[str, int] = {}  # topic -> where the lane began to read it, in the first batch that knows it
    lanes: int = 0  # not 0: no batch, but the beginning of a lane out of so many; its people came from others
    worked: int = 0  # events applied and waits decided in this batch
    clock: int = 0
    now: int = 0
    tick: int | None = None  # wall clock that moved an idle lane
    bundle: str = ""
    pauses: dict[str, int] = {}  # kill switches in force: rule or channel -> since
    grants: dict[str, Granted] = {}  # what the lane was granted of ceilings before this batch
    outputs: int = 0
    digest: str = ""
    writer: str = ""  # idempotent mode: the claim token of the writer
    acknowledged: int = 0  # idempotent mode: all outputs up to this sequence are known to be in their topics
    claim: str | None = None  # idempotent mode: this record is a claim with that token


Entry = tuple[int, JournalRecord]  # a record with its offset in the journal


class History(NamedTuple):
    """The valid journal from some point on, by ascending sequence.

    It may be longer than memory, after a loss of the store: `portions` reads it, a part at a time, from its
    beginning each time. Outputs above `acknowledged` may be missing in their topics (never in transactional
    mode). `first` and `last` are None when there is nothing.
    """

    first: Entry | None
    last: Entry | None
    acknowledged: int
    portions: Callable[[], AsyncIterator[Sequence[Entry]]]

    @classmethod
    def of(cls, entries: Sequence[Entry], acknowledged: int) -> Self:
        """One that is in memory."""

        async def whole() -> AsyncIterator[Sequence[Entry]]:
            yield entries

        first, last = (entries[0], entries[-1]) if entries else (None, None)
        return cls(first, last, acknowledged, whole)


class LaneLog(Protocol):
    """The Kafka side of one lane: its journal, its outputs and its inputs by position."""

    async def claim(self) -> None:
        """Shut out every former owner and settle what they left open. Raises UnknownOutcome, Fenced."""

    async def history(self, offset: int) -> History:
        """Every valid journal record from `offset` up to the end as it was when this call began.

        Its portions raise what `read` raises.
        """

    async def commit(self, record: JournalRecord, outputs: Sequence[Output]) -> int:
        """Put the record and the outputs into the log, all or none; the record's offset.

        Raises UnknownOutcome or Fenced; the claim is void then.
        """

    async def emit_again(self, record: JournalRecord, outputs: Sequence[Output]) -> None:
        """Idempotent mode: send the outputs of a replayed record once more under the same headers."""

    async def read(self, topic: str, start: int, end: int) -> list[Record]:
        """The records of this lane's partition of `topic` with start <= offset < end.

        Raises LaneRefused when they are gone.
        """

    async def beginning(self, topic: str) -> int:
        """The first offset that this lane's partition of `topic` still has."""

    async def close(self) -> None:
        """Release producers and readers."""


class Feed(Protocol):
    """New records of a lane's input topics, in chunks as they were fetched."""

    async def start(self, frontier: dict[str, int]) -> None:
        """(Re)start delivery from these offsets; whatever was buffered before is dropped."""

    async def take(self, records: int, wait_ms: int, idle_ms: int) -> list[Record]:
        """At most `records` new records, each topic's in order of offset.

        Waits at most `idle_ms` for the first one (empty when none came) and then `wait_ms` for more.
        Raises LaneRefused when the next ones are gone.
        """

    def caught_up_at(self) -> int | None:
        """The wall time of the latest fetch answer that showed every input read to its end; None when behind.

        Epoch ms; behind is also who has taken in records that `take` has not given out.
        """
