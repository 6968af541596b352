"""How much memory a worker takes while it works."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.harness import WorkerProcess


class Memory:
    """The largest resident memory of a process, looked at often; in MB."""

    def __init__(self, worker: WorkerProcess) -> None:
        self._status = Path(f"/proc/{worker.pid}/status")
        self.first = self.largest = self._now()

    def _now(self) -> float:
        found = re.search(r"VmRSS:\s+(\d+) kB", self._status.read_text())
        return int(found[1]) / 1024 if found else 0.0

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            self.largest = max(self.largest, self._now())
            await asyncio.sleep(0.05)


@contextmanager
def watched(worker: WorkerProcess) -> Iterator[Memory]:
    """The memory of a worker while it works."""
    memory = Memory(worker)
    task = asyncio.get_running_loop().create_task(memory.watch())
    try:
        yield memory
    finally:
        task.cancel()
