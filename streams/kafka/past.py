"""The past of a lane, for who only looks at it: the journal in portions, and nothing is ever written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from streams.kafka.connection import KafkaAddress
from streams.kafka.journal import Arbiter
from streams.kafka.lane import LaneOnKafka
from streams.kafka.reader import Reader
from streams.ports import History, JournalRecord, Output

_PORTION: Final = 5_000


class PastLog(LaneOnKafka):
    """A LaneLog up to where the journal ended once; a claim of it shuts nobody out."""

    def __init__(
        self,
        address: KafkaAddress,
        reader: Reader,
        lane: int,
        *,
        app_id: str,
        end: int,
        portion: int = _PORTION,
    ) -> None:
        """`end`: the journal's offset at which this ends."""
        super().__init__(address, reader, lane, app_id=app_id)
        self._end, self._portion = end, portion
        self.pauses: Mapping[str, int] | None = None

    async def claim(self) -> None:
        """Nothing is ours, and nothing needs to be."""

    async def history(self, offset: int) -> History:
        """Some of the batches from `offset` on whose outputs are known to be out; none: that is all.

        Without transactions, outputs follow their record: a copy that held what is not yet out would be
        taken for proof that it is, and it would never be sent.
        """
        size = self._portion
        while True:
            until = max(min(offset + size, self._end), offset)
            arbiter = Arbiter(offset)
            found = arbiter.take(await self._entries(max(offset - 1, 0), until))
            settled = [one for one in found if one[1].sequence <= arbiter.acknowledged]
            if settled or until >= self._end:
                self.pauses = settled[-1][1].pauses if settled else self.pauses
                return History.of(settled, arbiter.acknowledged)
            size *= 2

    async def commit(self, record: JournalRecord, outputs: Sequence[Output]) -> int:  # noqa: ARG002
        """Never."""
        raise AssertionError("the past does not change")

    async def emit_again(self, record: JournalRecord, outputs: Sequence[Output]) -> None:  # noqa: ARG002
        """Never: what history gives is out."""
        raise AssertionError("the past does not change")
