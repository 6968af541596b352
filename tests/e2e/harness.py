"""The engine as it runs in production: workers as processes, input and outputs through Kafka.

A `Stage` is where one test plays: a broker, a store, settings. What must come out is what `streams.replaying`
makes of the same events in one lane of one process.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import aiohttp
import msgspec

from retarget.decode import decode_canonical
from retarget.rules.vocabulary import VOCABULARY
from retarget.touchpoints import Touchpoint
from streams import topics
from streams.embedded.processes import LOOPBACK, ChildProcess, free_port, tail
from streams.files import FileEvent, sorted_by_time
from streams.kafka import KafkaAddress, Reader, create_or_check, journal
from streams.kafka.inventory import existing_topics
from streams.kafka.sending import Outgoing, producing
from streams.lanes import positions
from streams.lanes.bundle import bundle_of
from streams.ports import Output
from streams.producing import heartbeats, outgoing, send_all
from streams.replaying import TOPIC, replay
from streams.resources import default_rules_dir
from streams.rulebook import load_rules
from streams.settings import Settings, load_settings
from streams.stores import open_store
from streams.stores.memory import MemoryStore
from tests.e2e.emitted import Emitted, Outlet, differences

# Other work may share the machine; whoever waits so long waits for something that will not come.
WITHIN_S: Final = 90.0
_LOOK_S: Final = 0.1
ROOT: Final = Path(__file__).resolve().parents[2]
# As for loads of old files: the clock is moved by events and heartbeats, and nothing is stale.
OLD_FILES: Final = ("clock.now=event", "clock.idle=heartbeat", "consent.assume=granted")


async def until(
    condition: Callable[[], Awaitable[bool]],
    what: str,
    hint: Callable[[], str] = str,
    within_s: float = WITHIN_S,
) -> None:
    """Wait for a condition; fails with `what` was wanted and the `hint` when it does not come to hold."""
    deadline = time.monotonic() + within_s
    while not await condition():
        assert time.monotonic() < deadline, f"not in {within_s:g} s: {what}\n{hint()}"
        await asyncio.sleep(_LOOK_S)


class WorkerProcess(ChildProcess):
    """`retarget run` as a process of its own; its output is in `log`."""

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        return self._child.poll() if self._child is not None else None

    @property
    def said(self) -> str:
        """Everything it logged."""
        return self.log.read_text(errors="replace")

    async def lanes(self) -> list[int]:
        """The lanes it has claimed, as its page tells; none before it has joined."""
        url = f"http://{LOOPBACK}:{self.port}/ready"
        try:
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                told = await answer.json()
        except aiohttp.ClientError:
            return []
        return sorted(int(lane) for lane, known in told["lanes"].items() if known["claimed"])

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.pid is not None, f"{self.name} has ended:\n{tail(self.log)}"
        os.kill(self.pid, number)

    async def ended(self, within_s: float = WITHIN_S) -> int:
        """Wait until it has ended; its exit code."""

        async def gone() -> bool:
            return self.returncode is not None

        await until(gone, f"the end of {self.name}", lambda: tail(self.log), within_s)
        assert self.returncode is not None
        return self.returncode


class LaneEnd(NamedTuple):
    """Where a lane stands in the store and in the journal."""

    stored: int
    journaled: int


class HasUrl(Protocol):
    """A store, as far as workers see it."""

    @property
    def url(self) -> str:
        """For `store.url`."""


class Stage:
    """One test's engine. Its topics are empty when it is made by `on_stage`."""

    def __init__(
        self,
        *,
        bootstrap: str,
        store: HasUrl,
        folder: Path,
        app_id: str,
        emit: str,
        partitions: int,
        settings: Sequence[str],
    ) -> None:
        self.bootstrap, self.store, self.folder = bootstrap, store, folder
        #: Where the workers find the broker, and what they are; others may be put here before they start.
        self.door = bootstrap
        self.program: Sequence[str] = ("streams", "run")
        self.environ: Mapping[str, str] = {}
        self.app_id, self.emit, self.partitions = app_id, emit, partitions
        self.given = (*settings, f"kafka.emit={emit}", f"kafka.partitions={partitions}", f"app.id={app_id}")
        self.settings: Settings = load_settings(None, {}, self.given)
        self.latest = -1
        self.raised = 0
        self.workers: list[WorkerProcess] = []

    # -- workers --

    def worker(self, name: str, *, alone: bool = False) -> WorkerProcess:
        """Start a worker; it joins when it is ready. `alone`: without a group, the only one."""
        port = free_port()
        own = (f"kafka.bootstrap={self.door}", f"store.url={self.store.url}", f"web.port={port}")
        argv = [sys.executable, "-m", *(["tests.e2e.lone_worker"] if alone else self.program)]
        for setting in (*self.given, *own, f"app.worker_id={name}"):
            argv += ["--set", setting]
        env = {"PYTHONPATH": str(ROOT), **self.environ}
        worker = WorkerProcess(name, argv, port=port, log=self.folder / f"{name}.log", env=env)
        worker.start(ready=lambda: True)
        self.workers.append(worker)
        return worker

    def asked(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """A command of this engine, in a process of its own, which ends with this code."""
        argv = [sys.executable, "-m", "streams", *words]
        for setting in (*self.given, f"kafka.bootstrap={self.bootstrap}", f"store.url={self.store.url}"):
            argv += ["--set", setting]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT, timeout=110)
        assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}\n{self.logs()}"
        return done

    def logs(self) -> str:
        """The end of every worker's log."""
        return "\n".join(f"--- {worker.name}\n{tail(worker.log)}" for worker in self.workers)

    async def shared_out(self) -> None:
        """Wait until the running workers have all lanes among them, claimed, and none is without."""

        async def settled() -> bool:
            shares = [await worker.lanes() for worker in self.workers if worker.running]
            return all(shares) and sorted(chain(*shares)) == list(range(self.partitions))

        await until(settled, "all lanes claimed, by all workers", self.logs)

    # -- input and what must come of it --

    async def produce(self, events: Sequence[FileEvent], *, end: bool = True) -> None:
        """Send events, and at the end what moves every lane's clock to the last one."""
        times = [each.found.time for each in events if isinstance(each.found, Touchpoint)]
        self.latest = max([self.latest, *times])
        async with producing(KafkaAddress(bootstrap=self.bootstrap)) as producer:
            await send_all(producer, self.outgoing(events))
        if end:
            await self.move_clocks(self.latest)

    async def ballast(self, records: int) -> None:
        """Send what weighs something and is nothing: dead letters of 4 KB, in every lane."""
        value = b'{"type": "view", "time": 5, "query": "%s"}' % (b"x" * 4_000)
        told = (Outgoing(topics.TOUCHPOINTS, n % self.partitions, b"k", value) for n in range(records))
        async with producing(KafkaAddress(bootstrap=self.bootstrap)) as producer:
            await send_all(producer, told)

    async def close_input(self, events: Sequence[FileEvent]) -> None:
        """Move every lane's clock to the last of these events, which somebody else has sent."""
        times = [each.found.time for each in events if isinstance(each.found, Touchpoint)]
        await self.move_clocks(max(times, default=-1))

    async def move_clocks(self, time: int) -> None:
        """Send a heartbeat to every partition that moves its clock to `time`, epoch ms."""
        self.latest = max(self.latest, time)
        beat = Touchpoint(type="heartbeat", time=self.latest + self.settings.clock.lateness)
        async with producing(KafkaAddress(bootstrap=self.bootstrap)) as producer:
            await send_all(producer, heartbeats(beat, topics.TOUCHPOINTS, self.partitions))

    def outgoing(self, events: Iterable[FileEvent]) -> Iterator[Outgoing]:
        """The records of these events, each with its partition."""
        for each in events:
            yield from outgoing(each.to_send, topics.TOUCHPOINTS, self.partitions)

    # -- outcome --

    def outlet(self) -> Outlet:
        """A consumer of the outputs."""
        return Outlet(self.bootstrap, self.partitions, drop_repeats=self.emit == "idempotent")

    async def done(self, within_s: float = WITHIN_S) -> None:
        """Wait until every lane has stored that it is at the end of its input, with its clock."""
        reader = Reader(KafkaAddress(bootstrap=self.bootstrap))
        await reader.start()
        store = await open_store(self.store.url, self.app_id, self.partitions)
        lanes = range(self.partitions)
        try:
            ends = [await reader.end(topics.TOUCHPOINTS, lane) for lane in lanes]

            async def at_end() -> bool:
                images = [await store.image(lane) for lane in lanes]
                stand = [positions.decode(image.meta) for image in images]
                return all(
                    stand[lane].frontier.get(topics.TOUCHPOINTS, 0) >= ends[lane]
                    and stand[lane].clock >= self.latest
                    for lane in lanes
                )

            await until(at_end, "every lane at the end of its input", self.logs, within_s)
        finally:
            await reader.close()
            await store.close()

    async def ends(self) -> list[LaneEnd]:
        """The sequence of every lane in store and journal."""
        reader = Reader(KafkaAddress(bootstrap=self.bootstrap))
        await reader.start()
        store = await open_store(self.store.url, self.app_id, self.partitions)
        found: list[LaneEnd] = []
        try:
            for lane in range(self.partitions):
                end = await reader.end(topics.JOURNAL, lane)
                records = await reader.read(topics.JOURNAL, lane, 0, end)
                found_there = journal.Arbiter(0).take((one.offset, journal.decode(one)) for one in records)
                counted = [record.sequence for _, record in found_there]
                assert counted == list(range(1, len(counted) + 1)), (
                    f"lane {lane}: the journal has gaps or repeats"
                )
                found.append(LaneEnd((await store.image(lane)).sequence, len(counted)))
        finally:
            await reader.close()
            await store.close()
        return found

    async def finish(
        self, wanted: Sequence[Output], outlet: Outlet | None = None, *, within_s: float = WITHIN_S
    ) -> list[Emitted]:
        """Wait for the end and require that the topics hold what is wanted, exactly."""
        await self.done(within_s)
        if outlet is None:
            async with self.outlet() as fresh:
                found = await fresh.to_end()
        else:
            found = await outlet.to_end()
        wrong = differences(wanted, found, self.raised)
        assert not wrong, "\n".join([f"{len(wanted)} wanted, {len(found)} found", *wrong, self.logs()])
        apart = {lane: end for lane, end in enumerate(await self.ends()) if end.stored != end.journaled}
        assert not apart, f"store and journal stand apart: {apart}"
        return found


async def replayed(
    events: Sequence[FileEvent],
    settings: Sequence[str],
    *,
    store: MemoryStore | None = None,
    rules: Path | None = None,
) -> list[Output]:
    """What one lane in one process makes of the events; an empty `store` holds at the end what it keeps.

    `rules`: their folder; None: those that ship.
    """
    read = load_rules([rules or default_rules_dir()], VOCABULARY)
    found: list[Output] = []
    bundle = bundle_of(load_settings(None, {}, settings), read, [TOPIC])
    await replay(events, bundle, found.append, store=store)
    return found


@asynccontextmanager
async def on_stage(stage: Stage) -> AsyncIterator[Stage]:
    """Make the topics; at the end of the block stop what was started."""
    address = KafkaAddress(bootstrap=stage.bootstrap)
    await _clear(address)
    sealed = bool(stage.settings.privacy.keys)
    specs = topics.topic_specs((topics.TOUCHPOINTS,), stage.partitions, sealed=sealed)
    await create_or_check(address, specs)
    try:
        yield stage
    finally:
        for worker in stage.workers:
            worker.kill()


async def _clear(address: KafkaAddress) -> None:
    """Delete what former tests left on a shared broker: topics of the engine have fixed names."""
    names = {spec.name for spec in topics.topic_specs((topics.TOUCHPOINTS,), 1, sealed=True)}
    left = sorted(names & (await existing_topics(address)).keys())
    if left:
        await delete_topics(address, left)


async def delete_topics(address: KafkaAddress, names: Sequence[str]) -> None:
    """Delete topics and wait until they are gone."""
    admin = address.admin()
    await admin.start()
    try:
        await admin.delete_topics(list(names))
    finally:
        await admin.close()

    async def gone() -> bool:
        return not {*names} & (await existing_topics(address)).keys()

    await until(gone, f"{', '.join(names)} deleted")


def file_events(history: Iterable[object]) -> list[FileEvent]:
    """A made-up history as records of a file, by time."""
    lines = [msgspec.json.encode(event) for event in history]
    found = [
        FileEvent("made-up", line, decode_canonical(raw), raw) for line, raw in enumerate(lines, start=1)
    ]
    return sorted_by_time(found)
