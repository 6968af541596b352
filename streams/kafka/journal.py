"""The journal's records as bytes, and which of them count."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Final

import msgspec

from retarget.errors import LaneRefused
from streams.ports import Entry, History, JournalRecord, Record

PORTION: Final = 2_000  # offsets that are read at once
Reading = Callable[[int, int], Awaitable[Iterable[Entry]]]

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(JournalRecord)


def encode(record: JournalRecord) -> bytes:
    """One journal record as JSON."""
    return _ENCODER.encode(record)


def decode(record: Record) -> JournalRecord:
    """The journal record in a record of the journal topic. Raises LaneRefused for a stranger's."""
    try:
        return _DECODER.decode(record.value or b"")
    except (ValueError, RecursionError) as error:
        raise LaneRefused(
            f"{record.topic}: the record at offset {record.offset} is no journal record ({error}); only "
            f"workers may write to this topic"
        ) from error


def claim_token(end: int, secret: str) -> str:
    """The token of a claim that is made when the journal ends at offset `end`."""
    return f"{end}-{secret}"


def _number(token: str) -> int:
    return int(token.partition("-")[0]) if token else -1


class Arbiter:
    """Reads a journal from some offset on and keeps the records that count.

    A record counts when the newest claim before it is its writer's. Claims are numbered by where the journal
    ended when they were made, and one that is not above all before it is void: a broker without idempotent
    producers may write a claim again, much later, and whoever reads from the middle must not take it for new.
    Of two records with one sequence the first counts, for the same reason.
    """

    def __init__(self, after: int) -> None:
        """Start behind offset `after` - 1, which holds a record that counts (nothing does at 0)."""
        self.owner = ""
        #: Up to which sequence outputs are known to be out.
        self.acknowledged = 0
        self._after = after
        self._latest: int | None = None

    def take(self, entries: Iterable[Entry]) -> list[Entry]:
        """Go on with these, in the order of their offsets; those that count."""
        kept: list[Entry] = []
        for offset, record in entries:
            if offset < self._after:
                self.owner = record.writer if record.claim is None else record.claim
            elif record.claim is not None:
                self._claim(record.claim)
            elif record.writer in ("", self.owner) and self._counts(record):
                kept.append((offset, record))
        return kept

    def _claim(self, token: str) -> None:
        if _number(token) > _number(self.owner):
            self.owner = token

    def _counts(self, record: JournalRecord) -> bool:
        if record.writer and self._latest is not None and record.sequence <= self._latest:
            return False
        self._latest = record.sequence
        # One that came by a transaction had its outputs in the same one.
        settled = record.acknowledged if record.writer else record.sequence
        self.acknowledged = max(self.acknowledged, settled)
        return True


class Tail:
    """The journal behind an offset, up to where it ended: surveyed first, then read again to be repeated.

    Whether somebody else has claimed the lane, and up to where outputs are out, is known at its end only. So
    it is read twice, a portion at a time; what fits one portion is kept.
    """

    def __init__(self, read: Reading, after: int, end: int, *, portion: int = PORTION) -> None:
        """`read` gives the committed records of a range; `after` is as for the Arbiter."""
        self._read, self._after, self._end, self._portion = read, after, end, portion

    async def survey(self) -> tuple[History, str]:
        """What counts, and the newest claim. Raises what `read` raises."""
        arbiter = Arbiter(self._after)
        first: Entry | None = None
        last: Entry | None = None
        kept: list[Entry] = []
        for start, end in self._ranges():
            kept = arbiter.take(await self._read(start, end))
            if kept:
                first, last = first or kept[0], kept[-1]
        if len(self._ranges()) <= 1 or first is None:
            return History.of(kept, arbiter.acknowledged), arbiter.owner
        return History(first, last, arbiter.acknowledged, self._portions), arbiter.owner

    async def _portions(self) -> AsyncIterator[Sequence[Entry]]:
        arbiter = Arbiter(self._after)
        for start, end in self._ranges():
            yield arbiter.take(await self._read(start, end))

    def _ranges(self) -> Sequence[tuple[int, int]]:
        starts = range(max(self._after - 1, 0), self._end, self._portion)
        return [(start, min(start + self._portion, self._end)) for start in starts]
