"""`retarget run` without a group, which kills itself at a point of a merge: `DIES_AT` names it.

`unwritten`: before a batch that tells another lane of somebody is in the journal. `unsent`: when the journal
has it, and what crosses is not in its topic yet; only without transactions. `written`: when it is, and the
batch is not in the store. `taken`: when a batch that has taken what crosses is in the journal, and not in
the store. The last line of its log says at which lane and sequence.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from streams.commands.run import work
from streams.kafka.idempotent import IdempotentLog
from streams.kafka.transactional import TransactionalLog
from streams.ports import JournalRecord, Output
from streams.settings import load_settings
from streams.topics import MERGE

Commit = Callable[[Any, JournalRecord, Sequence[Output]], Awaitable[int]]


_sequences: dict[Any, int] = {}  # of the batch that each lane's log is at


def dies_at(point: str, log: Any) -> None:  # noqa: ANN401 - either of the two logs
    """As from `kill -9`, from within: no other moment can come between."""
    if os.environ["DIES_AT"] == point:
        print(f"dies of {point} in lane {log._lane} at {_sequences[log]}", flush=True)  # noqa: SLF001, T201
        os.kill(os.getpid(), signal.SIGKILL)


def dying(commit: Commit) -> Commit:
    """The same, with the points of a merge before and behind it."""
    taken: dict[Any, int] = {}

    async def until_a_merge(log: Any, record: JournalRecord, outputs: Sequence[Output]) -> int:  # noqa: ANN401
        _sequences[log] = record.sequence
        crosses = any(output.topic == MERGE for output in outputs)
        if crosses:
            dies_at("unwritten", log)
        offset = await commit(log, record, outputs)
        if crosses:
            dies_at("written", log)
        before, taken[log] = taken.get(log, 0), record.frontier.get(MERGE, 0)
        if taken[log] > before:
            dies_at("taken", log)
        return offset

    return until_a_merge


async def _emit(log: Any, producer: Any, outgoing: Sequence[Any]) -> None:  # noqa: ANN401
    if any(one.topic == MERGE for one in outgoing):
        dies_at("unsent", log)
    await _sent(log, producer, outgoing)


_sent = IdempotentLog._emit  # noqa: SLF001 - what stands between journal and outputs

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--set", action="append", default=[])
    for kind in (IdempotentLog, TransactionalLog):
        setattr(kind, "commit", dying(kind.commit))  # noqa: B010 - a method of a class is no name of ours
    setattr(IdempotentLog, "_emit", _emit)  # noqa: B010
    asyncio.run(work(load_settings(None, {}, parser.parse_args().set), alone=True))
