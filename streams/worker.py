"""The worker: Faust's shell, a runner per lane that is ours, kill switches, metrics page and watchdog."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Final, Self

from aiokafka.errors import OffsetOutOfRangeError
from prometheus_client import CollectorRegistry

from retarget.errors import LaneRefused
from streams.clocks import monotonic_ms, now_ms
from streams.collector import Sweeping
from streams.freshness import Freshness
from streams.images import copies_of
from streams.kafka import IdempotentLog, KafkaAddress, Reader, TransactionalLog
from streams.kafka.fan import Fan
from streams.lanes.bundles import Bundles
from streams.lanes.feed import ShellFeed
from streams.lanes.limits import limits_of
from streams.lanes.observer import Cause
from streams.lanes.reporting import LaneReport
from streams.lanes.returning import Returning
from streams.lanes.runner import LaneRunner
from streams.lanes.wall import RealWall
from streams.metrics import Metrics
from streams.progress import Progress
from streams.sealing import leaving_by
from streams.settings import Settings
from streams.shell import Shell, create_shell
from streams.silence import Silence
from streams.stores import Store
from streams.switches import Switches
from streams.topics import lane_topics
from streams.transport import Chunk, FetchFailed, ReadSettings
from streams.transport.credentials import credentials_of
from streams.watchdog import Watchdog
from streams.web import WebServer

log: Final = logging.getLogger("retarget.worker")

# A lane has this long to finish its batch when it is taken away; the next claim repairs what is cut off.
_DRAIN_SECONDS: Final = 8.0
# Without a broker no batch can be finished.
_HOPELESS_SECONDS: Final = 0.5
_SWITCHES_EVERY: Final = 0.5


class _OwnedLane:
    """One lane at work: its feed, runner, report and task."""

    def __init__(
        self, feed: ShellFeed, runner: LaneRunner, report: LaneReport, task: asyncio.Task[None]
    ) -> None:
        self.feed, self.runner, self.report, self.task = feed, runner, report, task


class Worker:
    """One process's part of the engine. `async with worker:` runs it; `run` also minds signals."""

    def __init__(
        self,
        settings: Settings,
        bundles: Bundles,
        store: Store,
        address: KafkaAddress,
        *,
        alone: bool = False,
    ) -> None:
        """`alone`: take every partition at once, without a group; only for a single worker."""
        self._settings, self._bundles, self._store, self._address = settings, bundles, store, address
        self._topics: Sequence[str] = lane_topics(settings.kafka.input_topics)
        self._reader = Reader(address)
        self.registry = CollectorRegistry()
        self._metrics = Metrics(self.registry, version=version("retarget"))
        self._metrics.lane.expected.set(settings.kafka.partitions)
        self.progress = Progress(settings.web.stalled_after)
        self._silence = Silence(self.progress, self._metrics)
        self._watchdog = Watchdog(self.progress, self._look, stalled_after=settings.web.stalled_after)
        self._lanes: dict[int, _OwnedLane] = {}
        self._joined = False
        self._switches = Switches(store, self._metrics.decision.paused.set)
        snapshots = copies_of(settings)
        self._returning = Returning(snapshots, self._switches.regained)
        self._freshness = Freshness(snapshots, self._metrics)
        self._sweeping = Sweeping()
        self._stack = AsyncExitStack()
        self._worker_id = settings.app.worker_id or socket.gethostname()
        self._shell = self._build_shell(alone=alone)
        self._fan = Fan(
            address,
            app_id=settings.app.id,
            topic=settings.kafka.catalogue_topic,
            lanes=settings.kafka.partitions,
            handed_on=self._metrics.input.handed_on.inc,
        )
        self.web = WebServer(
            self.registry,
            self.progress,
            host=settings.web.host,
            port=settings.web.port,
            token=settings.web.token,
            now=monotonic_ms,
        )

    def _build_shell(self, *, alone: bool) -> Shell:
        settings = self._settings
        return create_shell(
            app_id=settings.app.id,
            bootstrap=settings.kafka.bootstrap,
            topics=self._topics,
            read=ReadSettings(
                chunk_records=settings.batch.records,
                worker_id=self._worker_id,
                alone=alone,
                read_committed=settings.kafka.emit == "transactional",
            ),
            on_assigned=self._assigned,
            on_revoked=self._revoked,
            on_chunk=self._chunk,
            on_fault=self._fault,
            faust_options={"broker_credentials": credentials_of(self._address.security)},
        )

    async def __aenter__(self) -> Self:
        try:
            await self._open()
            await self._shell.start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._shell.stop()
        await self._stack.aclose()

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT; raises what crashed it."""
        async with self._stack:
            await self._open()
            name, engine = self._worker_id, self._settings.app.id
            log.info("worker %s of engine %s, pages on port %d", name, engine, self.web.port)
            await self._shell.run()
        log.info("worker %s has stopped", name)

    async def _open(self) -> None:
        """Everything around the lanes. Raises Unreachable and BadInput."""
        await self._reader.start()
        self._stack.push_async_callback(self._reader.close)
        await self._stack.enter_async_context(self.web)
        await self._switches.read()
        self._background(self._mind_switches())
        self._background(self._bundles.watch())
        if self._settings.catalogue.enabled:
            self._background(self._fan.run())
        self._background(self._watchdog.watch())
        self._background(self._freshness.watch())
        self._background(self._sweeping.run())

    async def wait(self) -> None:
        """Return when the shell was stopped; raises what crashed it."""
        await self._shell.wait()

    def runners(self) -> dict[int, LaneRunner]:
        """The lanes that are ours now."""
        return {number: owned.runner for number, owned in self._lanes.items()}

    def _background(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._stack.callback(task.cancel)

    # -- lanes --

    async def _assigned(self, numbers: set[int]) -> None:
        cause: Cause = "rebalance" if self._joined else "start"
        self._joined = True
        self.progress.joined()
        self._silence.over()
        for number in sorted(numbers - self._lanes.keys()):
            self.progress.assigned(number, monotonic_ms())
            self._lanes[number] = self._own(number, cause)

    def _own(self, number: int, cause: Cause) -> _OwnedLane:
        settings = self._settings
        most = 2 * settings.batch.records
        feed = ShellFeed(self._shell, number, self._topics, most)
        log_class = TransactionalLog if settings.kafka.emit == "transactional" else IdempotentLog
        report = LaneReport(
            number, self._metrics, self.progress, lambda: self._lag(number), self._sweeping.ask
        )
        kafka_log = log_class(
            self._address, self._reader, number, app_id=settings.app.id, gets_on=report.gets_on
        )
        runner = LaneRunner(
            number,
            self._topics,
            self._bundles,
            store=self._store,
            log=kafka_log,
            feed=feed,
            wall=RealWall(),
            limits=limits_of(settings),
            ticks=settings.clock.idle == "wall",
            pauses=lambda: self._switches.in_force,
            observer=report,
            returning=self._returning,
            leaving=leaving_by(settings.privacy.keys, self._reader),
        )
        task = asyncio.create_task(self._run(number, runner, report, kafka_log, cause))
        return _OwnedLane(feed, runner, report, task)

    async def _run(
        self,
        number: int,
        runner: LaneRunner,
        report: LaneReport,
        kafka_log: TransactionalLog | IdempotentLog,
        cause: Cause,
    ) -> None:
        try:
            await runner.run(cause)
        except LaneRefused as refused:
            report.refused(str(refused))
        except Exception as error:
            log.exception("lane %d failed", number, extra={"lane": number})
            await self._shell.app.crash(error)
        finally:
            await kafka_log.close()

    async def _revoked(self, numbers: set[int]) -> None:
        """Let each lane finish its batch, all at once and not for long; a claim repairs what is cut off."""
        taken = {number: self._lanes.pop(number) for number in numbers & self._lanes.keys()}
        for owned in taken.values():
            owned.runner.stop()
            owned.feed.wake()
        if taken:
            within = _HOPELESS_SECONDS if self.progress.waits_for("broker") else _DRAIN_SECONDS
            _, late = await asyncio.wait([o.task for o in taken.values()], timeout=within)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for owned in taken.values():
            owned.report.gone()

    async def _chunk(self, chunk: Chunk) -> None:
        owned = self._lanes.get(chunk.partition)
        if owned is not None:
            owned.feed.offer(chunk)

    async def _fault(self, failure: FetchFailed) -> None:
        """What is gone concerns its lane alone. Raises the failure when it is another one."""
        if not isinstance(failure.error, OffsetOutOfRangeError):
            raise failure
        topic, number = failure.partition
        (position,) = failure.error.args[0].values()
        owned = self._lanes.get(number)
        if owned is None:
            return
        missing = await self._reader.missing(topic, number, position)
        if missing is None:
            self._shell.resume(topic, number)  # said by a broker that was starting
        else:
            owned.feed.refuse(missing)

    def _lag(self, number: int) -> int:
        owned = self._lanes.get(number)
        if owned is None:
            return 0
        frontier = owned.runner.positions.frontier
        ends = {topic: self._shell.highwater(topic, number) for topic in self._topics}
        return sum(max(end - frontier.get(topic, end), 0) for topic, end in ends.items() if end is not None)

    # -- around --

    async def _mind_switches(self) -> None:
        while True:
            await asyncio.sleep(_SWITCHES_EVERY)
            await self._switches.read()
            self._metrics.decision.rules_refused.set(bool(self._bundles.refused()))

    def _look(self) -> None:
        """Tell what no lane tells: how far behind one is that stands still, whether the broker answers."""
        for number, known in self.progress.lanes.items():
            if known.claimed:
                self.progress.behind(number, monotonic_ms(), lag=self._lag(number))
        self._silence.look(self._shell.answered_at(), now_ms())
