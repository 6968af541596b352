"""`retarget run`, which stops itself once in the middle of a transaction: all is sent, nothing is committed.

`STOPS_AT` says in the how manyeth; only SIGCONT makes it go on. The last line of its log says that it stands.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count
from typing import Final

from aiokafka import AIOKafkaProducer

from streams.cli import main

STANDS: Final = "stands in a transaction"
_numbers: Final = count(1)
_commit: Final = AIOKafkaProducer.commit_transaction


async def commit_transaction(producer: AIOKafkaProducer) -> None:
    """As from `kill -STOP`, from within: no other moment can come between."""
    if next(_numbers) == int(os.environ["STOPS_AT"]):
        print(STANDS, flush=True)  # noqa: T201
        os.kill(os.getpid(), signal.SIGSTOP)
    await _commit(producer)


if __name__ == "__main__":
    AIOKafkaProducer.commit_transaction = commit_transaction
    sys.exit(main(["run", *sys.argv[1:]]))
