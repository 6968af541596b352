"""The command, killed the nth time it comes to a stage: `python -m tests.support.dying STAGE NTH WORDS...`.

Stages are those of a desk's two writes, `first` (these are being handed over) and `second` (what came of it):
`before` it, `within` (what is told is out, the state is not), `sent` (and no answer yet) and `after`. With
transactions: `within` one that has begun, `sent` while it is open with all in it, `committing` it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaProducer

from streams.channels.desk import Desk
from streams.channels.settlement import Settlement
from streams.cli import main
from streams.kafka.sending import Outgoing, send
from streams.topics import ledger_topic

_UNDER_WAY_S: Final = 0.003
_writing: ContextVar[str] = ContextVar("_writing", default="")


class Death:
    """Comes at a stage."""

    def __init__(self, stage: str, nth: int) -> None:
        self._stage, self._left = stage, nth

    def at(self, stage: str) -> bool:
        """Whether it is now."""
        self._left -= stage == self._stage
        return stage == self._stage and self._left == 0

    def comes(self, stage: str) -> None:
        """SIGKILL, if it is now."""
        if self.at(stage):
            os.kill(os.getpid(), signal.SIGKILL)


def beset(death: Death) -> None:
    """Let it come to desks at their writes."""
    put_down, sent = Desk._put_down, send  # noqa: SLF001 - nobody else needs to hear of these moments

    async def dying(desk: Desk, settlement: Settlement) -> None:
        write = "first" if desk._in_flight else "second"  # noqa: SLF001
        if write == "second" and not desk._known:  # noqa: SLF001
            return await put_down(desk, settlement)  # nothing has been handed over before it
        death.comes(f"{write} before")
        token = _writing.set(write)
        try:
            await put_down(desk, settlement)
        finally:
            _writing.reset(token)
        death.comes(f"{write} after")
        return None

    async def sending(producer: Any, records: Sequence[Outgoing], **more: Any) -> Any:  # noqa: ANN401 - as it is
        write = _writing.get()
        is_state = any(one.topic.startswith(ledger_topic("")) for one in records)
        if write and is_state:
            death.comes(f"{write} within")
            if death.at(f"{write} sent"):
                await asyncio.wait(
                    [asyncio.ensure_future(sent(producer, records, **more))], timeout=_UNDER_WAY_S
                )
                os.kill(os.getpid(), signal.SIGKILL)
        return await sent(producer, records, **more)

    besetting = pytest.MonkeyPatch()
    besetting.setattr("streams.channels.desk.Desk._put_down", dying)
    besetting.setattr("streams.channels.ledger.send", sending)
    _beset_transactions(death, besetting)


def _beset_transactions(death: Death, besetting: pytest.MonkeyPatch) -> None:
    sent, commit = send, AIOKafkaProducer.commit_transaction

    async def transacting(producer: Any, records: Sequence[Outgoing], **more: Any) -> Any:  # noqa: ANN401 - as it is
        if write := _writing.get():
            death.comes(f"{write} within")
        offsets = await sent(producer, records, **more)
        if write:
            death.comes(f"{write} sent")
        return offsets

    async def committing(producer: AIOKafkaProducer) -> None:
        if (write := _writing.get()) and death.at(f"{write} committing"):
            await asyncio.wait([asyncio.ensure_future(commit(producer))], timeout=_UNDER_WAY_S)
            os.kill(os.getpid(), signal.SIGKILL)
        await commit(producer)

    besetting.setattr("streams.kafka.owner.send", transacting)
    besetting.setattr(AIOKafkaProducer, "commit_transaction", committing)


if __name__ == "__main__":
    beset(Death(sys.argv[1], int(sys.argv[2])))
    sys.exit(main(sys.argv[3:]))
