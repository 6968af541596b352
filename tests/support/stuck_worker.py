"""`python -m tests.support.stuck_worker awaiting|hanging`: a worker in whose first lane the code has a bug.

It gets stuck at its first record: `awaiting` what never comes, or `hanging` so that nothing else runs either.
"""

from __future__ import annotations

import asyncio
import sys
import threading

from streams.cli import main
from streams.lanes.runner import LaneRunner

LANE = 0


def stick(kind: str) -> None:
    """Plant the bug."""
    real = LaneRunner.batch

    async def batch(runner: LaneRunner) -> bool:
        arrivals = await runner._gathering.next(10_000)  # noqa: SLF001 - a bug asks for no permission
        if runner._number == LANE and arrivals:  # noqa: SLF001
            if kind == "hanging":
                threading.Event().wait()
            await asyncio.Event().wait()
        return await real(runner)

    LaneRunner.batch = batch  # type: ignore[assignment,method-assign]


if __name__ == "__main__":
    stick(sys.argv.pop(1))
    sys.exit(main(["run", *sys.argv[1:]]))
