"""Everything that a fault may touch: broker, stores, workers, doors, and the clock of the workers."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from bench.chaos.proxy import Proxy
from bench.chaos.stores import Stores
from bench.chaos.worker import CLOCK
from tests.e2e.harness import OLD_FILES, Stage, WorkerProcess, on_stage
from tests.support.kafka.processes import KafkaOnJava

PARTITIONS: Final = 4
WORKERS: Final = ("one", "two")
_SIZES: Final = ("batch.records=300", "batch.persons=100", "batch.cached_persons=200")
SETTINGS: Final = (*OLD_FILES, *_SIZES)
RULES: Final = Path(__file__).with_name("rules")
#: The wall clock moves idle lanes. Lateness is longer than a producer ever waits for the broker.
BY_WALL: Final = (
    *("clock.now=event", "clock.idle=wall", "clock.idle_after=250ms", "clock.lateness=40s"),
    *("consent.assume=granted", "quiet_hours.enabled=false", f"rules.dir={RULES}"),
    *_SIZES,
)


class Arena:
    """The engine under fire. `noted` are things that happened by themselves, such as a worker that ended."""

    def __init__(
        self,
        folder: Path,
        broker: KafkaOnJava,
        door: Proxy,
        stores: Stores,
        *,
        spared: str = "",
        emit: str = "transactional",
        wall: bool = False,
    ) -> None:
        """`spared`: the worker that no fault ends; `wall`: the wall clock moves idle lanes."""
        self.wall = wall
        self.broker, self.door, self.stores = broker, door, stores
        self.mortals = tuple(name for name in WORKERS if name != spared)
        self.stage = Stage(
            bootstrap=broker.bootstrap,
            store=stores,
            folder=folder,
            app_id="chaos",
            emit=emit,
            partitions=PARTITIONS,
            settings=BY_WALL if wall else SETTINGS,
        )
        self._clock = folder / "clock"
        self.stage.door = f"127.0.0.1:{door.port}"
        self.stage.program = ("bench.chaos.worker", "run")
        self.stage.environ = {CLOCK: str(self._clock)}
        self.noted: list[str] = []
        self._leaving: set[int] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Topics made, workers started, restarted when they end by themselves; all gone behind the block."""
        async with on_stage(self.stage):
            for name in WORKERS:
                self.stage.worker(name)
            await self.stage.shared_out()
            minding = asyncio.create_task(self._mind())
            try:
                yield
            finally:
                minding.cancel()

    # -- workers --

    def workers(self) -> list[WorkerProcess]:
        """Those that run."""
        return [worker for worker in self.stage.workers if worker.running]

    def one_of(self, choice: float) -> WorkerProcess:
        """One that runs; `choice` from 0 to 1."""
        return _drawn(self.workers(), choice)

    def victim(self, choice: float) -> WorkerProcess:
        """One that runs and may be ended; `choice` from 0 to 1."""
        return _drawn([worker for worker in self.workers() if worker.name in self.mortals], choice)

    def start(self, name: str) -> WorkerProcess:
        """Another worker, or one that has ended, again."""
        return self.stage.worker(name)

    def kill(self, worker: WorkerProcess) -> None:
        """SIGKILL."""
        self._leaving.add(id(worker))
        worker.kill()

    async def stop(self, worker: WorkerProcess) -> None:
        """SIGTERM, and wait for the end."""
        self._leaving.add(id(worker))
        worker.send(signal.SIGTERM)
        code = await worker.ended()
        if code not in (0, -signal.SIGTERM):  # the latter before it has begun to work
            self.noted.append(f"{worker.name} ended with code {code} when it was asked to stop")

    async def settled(self) -> None:
        """Wait until every running worker has lanes, and every lane a worker."""
        await self.stage.shared_out()

    def set_clock(self, wrong_by_s: float) -> None:
        """Every worker's wall clock is wrong by so much from now on."""
        self._clock.write_text(str(wrong_by_s))
        for worker in self.workers():
            worker.send(signal.SIGUSR1)

    async def _mind(self) -> None:
        """What a supervisor does: a worker that ends by itself is started again."""
        while True:
            for worker in list(self.stage.workers):
                if worker.returncode is not None and id(worker) not in self._leaving:
                    self._leaving.add(id(worker))
                    self.noted.append(f"{worker.name} ended by itself with code {worker.returncode}")
                    self.stage.worker(worker.name)
            await asyncio.sleep(0.5)


def _drawn(workers: Sequence[WorkerProcess], choice: float) -> WorkerProcess:
    return workers[min(int(choice * len(workers)), len(workers) - 1)]
