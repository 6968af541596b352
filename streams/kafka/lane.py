"""What all logs of a lane have in common: the journal's partition, reads."""

from collections.abc import Callable

from retarget.errors import LaneRefused
from streams import topics
from streams.kafka import journal
from streams.kafka.connection import KafkaAddress
from streams.kafka.owner import Owner
from streams.kafka.reader import Reader
from streams.kafka.sending import Outgoing
from streams.ports import Entry, History, JournalRecord, Record


def _nobody(done: str) -> None:
    """Nobody wants to know."""


class LaneOnKafka(Owner):
    """One lane's side of Kafka; not for use by several tasks at a time."""

    def __init__(
        self,
        address: KafkaAddress,
        reader: Reader,
        lane: int,
        *,
        app_id: str,
        journal_topic: str = topics.JOURNAL,
        deadline_s: float = 15.0,
        gets_on: Callable[[str], None] = _nobody,
    ) -> None:
        """`deadline_s` bounds each call to Kafka; `reader` is shared and not closed here.

        `gets_on` hears of each portion of the journal that was read.
        """
        place = (journal_topic, lane)
        super().__init__(address, place, owned=f"lane {lane}", rival="worker", deadline_s=deadline_s)
        self._reader = reader
        self._lane = lane
        self._app_id = app_id
        self._journal = journal_topic
        self._gets_on = gets_on

    async def history(self, offset: int) -> History:
        """See LaneLog. `offset` is 0, or one more than that of a record this returned before."""
        return (await self._survey(offset))[0]

    async def read(self, topic: str, start: int, end: int) -> list[Record]:
        """See LaneLog."""
        return await self._reader.read(topic, self._lane, start, end)

    async def beginning(self, topic: str) -> int:
        """See LaneLog."""
        return await self._reader.beginning(topic, self._lane)

    async def _survey(self, offset: int) -> tuple[History, str]:
        """What counts from `offset` to the end, and the newest claim."""
        end = await self._reader.end(self._journal, self._lane)
        self._require_below(offset, end)
        return await journal.Tail(self._entries, offset, end).survey()

    def _require_below(self, offset: int, end: int) -> None:
        if offset > end:
            raise LaneRefused(
                f"{self._journal}[{self._lane}] ends at offset {end}, and the store has applied it up to "
                f"{offset}: the journal was lost or belongs to another store"
            )

    async def _entries(self, start: int, end: int) -> list[Entry]:
        """The journal records of a range."""
        found = await self._reader.read(self._journal, self._lane, start, end)
        self._gets_on(f"the journal is read up to offset {end}")
        return [(one.offset, journal.decode(one)) for one in found]

    def _journaled(self, record: JournalRecord) -> Outgoing:
        return Outgoing(self._journal, self._lane, b"%d" % self._lane, journal.encode(record))
