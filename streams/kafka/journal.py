"""The journal's records as bytes, and which of them count."""

from collections.abc import Iterable

import msgspec

from retarget.errors import LaneRefused
from streams.ports import History, JournalRecord, Record

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
        self._after = after
        self._kept: list[tuple[int, JournalRecord]] = []
        self._acknowledged = 0

    def take(self, entries: Iterable[tuple[int, JournalRecord]]) -> None:
        """Go on with these, in the order of their offsets."""
        for offset, record in entries:
            if offset < self._after:
                self.owner = record.writer if record.claim is None else record.claim
            elif record.claim is not None:
                self._claim(record.claim)
            elif record.writer in ("", self.owner):
                self._keep(offset, record)

    def history(self) -> History:
        """What counts, so far."""
        return History(self._kept, self._acknowledged)

    def _claim(self, token: str) -> None:
        if _number(token) > _number(self.owner):
            self.owner = token

    def _keep(self, offset: int, record: JournalRecord) -> None:
        if not (record.writer and self._kept) or record.sequence > self._kept[-1][1].sequence:
            self._kept.append((offset, record))
            # One that came by a transaction had its outputs in the same one.
            settled = record.acknowledged if record.writer else record.sequence
            self._acknowledged = max(self._acknowledged, settled)
