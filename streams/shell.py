"""Faust as a shell: an app with one agent that hands chunks to the lanes, and nothing else of its machinery.

Nothing is built on import. Build the shell inside the event loop it shall run in:

    shell = create_shell(...)
    async with shell:        # a member of the group from here on
        await shell.wait()   # until it is stopped or crashed

or `await shell.run()`, which also stops on SIGTERM and SIGINT. `shell.app` is an ordinary service for
`mode.Worker`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, cast

import faust
from aiokafka.errors import KafkaConnectionError
from faust.types import TP, StreamT
from yarl import URL

from retarget.errors import Unreachable
from streams.stopping import asked_to_stop, unless
from streams.transport import Chunk, ChunkSchema, ChunkTransport, FetchFailed, Partition, ReadSettings, Tail
from streams.transport.app import ShellApp, app_options
from streams.transport.consumer import ChunkConsumer
from streams.transport.positions import Admission, Positions

NumbersHook = Callable[[set[int]], Awaitable[None]]
ChunkHook = Callable[[Chunk], Awaitable[None]]
FaultHook = Callable[[FetchFailed], Awaitable[None]]


def create_shell(  # noqa: PLR0913 - all by keyword, one place
    *,
    app_id: str,
    bootstrap: str,
    topics: Sequence[str],
    read: ReadSettings,
    on_assigned: NumbersHook,
    on_revoked: NumbersHook,
    on_chunk: ChunkHook,
    on_fault: FaultHook | None = None,
    faust_options: Mapping[str, Any] | None = None,
) -> Shell:
    """Build a worker's shell; it connects when it is started.

    `on_assigned` gets all partition numbers that are ours now; each of their partitions stays silent until it
    is sought and resumed. `on_revoked` gets the numbers that are taken from us, before anybody else can have
    them: on every change of the group, and on a stop. `on_chunk` is awaited for one chunk after the other: it
    should put the chunk into its lane's queue and return. Without `on_fault`, a partition that cannot be
    read, as one whose sought offset is gone, ends the shell with FetchFailed; with it, it is only paused. An
    exception from a hook ends the shell. `faust_options` go to the app, as `broker_credentials`.
    """
    brokers = [URL(f"kafka://{address.strip()}") for address in bootstrap.split(",")]
    app = ShellApp(app_id, broker=brokers, **{**app_options(read), **(faust_options or {})})
    app.transport = ChunkTransport(brokers, app, settings=read, on_fault=on_fault)
    return Shell(app, topics, on_assigned=on_assigned, on_revoked=on_revoked, on_chunk=on_chunk)


class Shell:
    """One worker's membership in the group, and the flow of chunks to its lanes; for one event loop."""

    def __init__(
        self,
        app: ShellApp,
        topics: Sequence[str],
        *,
        on_assigned: NumbersHook,
        on_revoked: NumbersHook,
        on_chunk: ChunkHook,
    ) -> None:
        self.app = app
        self._on_assigned, self._on_revoked, self._on_chunk = on_assigned, on_revoked, on_chunk
        self._owned: dict[int, list[str]] = {}
        self._positions = Positions()
        app.before_stop = self._release
        app.on_partitions_assigned.connect(cast("Any", self._assigned))
        app.on_partitions_revoked.connect(cast("Any", self._revoked))
        channel = app.topic(*topics, schema=ChunkSchema(), acks=False)
        app.agent(channel, name="chunks")(self._read)

    # -- life --

    async def start(self) -> None:
        """Connect, join the group and return with the first assignment. Raises Unreachable."""
        try:
            await self.app.start()
            self._raise_crash()
        except BaseException as error:
            await self.app.stop()
            if isinstance(error, KafkaConnectionError):
                address = ",".join(f"{url.host}:{url.port}" for url in self.app.conf.broker)
                raise Unreachable("Kafka", address, "kafka.bootstrap", str(error)) from error
            raise

    async def stop(self, *, leave: bool = True) -> None:
        """Revoke the lanes and end the membership.

        `leave=False` keeps our numbers for a restart under the same id, until the session times out.
        """
        self._consumer.thread.leaves = leave
        await self.app.stop()

    async def wait(self) -> None:
        """Return when it was stopped; raises what crashed it."""
        await self.app.wait_until_stopped()
        self._raise_crash()

    async def run(self) -> None:
        """Start, go on until SIGTERM, SIGINT or a crash, and stop. Raises what crashed it."""
        with asked_to_stop() as asked:
            try:
                await unless(asked, self.start())
                await unless(asked, self.wait())
            finally:
                await self.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # -- flow --

    @property
    def numbers(self) -> set[int]:
        """The partition numbers that are ours."""
        return set(self._owned)

    def topics(self, number: int) -> list[str]:
        """The topics of which partition `number` is ours, in order."""
        return self._owned.get(number, [])

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Go on at `offset`. No chunk from before this call comes after it. Ignored when not ours."""
        which = Partition(topic, partition)
        if self._ours(which):
            self._consumer.thread.seek_to(which, offset, serial=self._positions.seek(which, offset))

    def pause(self, topic: str, partition: int) -> None:
        """Fetch no more of it. A few chunks that are on the way still come. Ignored when not ours."""
        if self._ours(Partition(topic, partition)):
            self._consumer.thread.hold(Partition(topic, partition))

    def resume(self, topic: str, partition: int) -> None:
        """Fetch it (again), from its position. Ignored when not ours."""
        if self._ours(Partition(topic, partition)):
            self._consumer.thread.release(Partition(topic, partition))

    def position(self, topic: str, partition: int) -> int | None:
        """The offset after the last chunk `on_chunk` took, or the one sought since; None without either."""
        return self._positions.position(Partition(topic, partition))

    def tail(self, topic: str, partition: int) -> Tail | None:
        """Where the partition ended when a fetch was last answered since the last seek; None before."""
        return self._consumer.thread.tail(Partition(topic, partition))

    def highwater(self, topic: str, partition: int) -> int | None:
        """The high watermark as last answered since the last seek; None before."""
        tail = self.tail(topic, partition)
        return tail.highwater if tail else None

    def caught_up_at(self, topic: str, partition: int) -> int | None:
        """The wall time (epoch ms) of the last answer to a fetch, if all it showed was handed over.

        None when it is behind; it is while a transaction is open, whose records may still come.
        """
        tail = self.tail(topic, partition)
        if tail is None or tail.highwater != self.position(topic, partition):
            return None
        return tail.answered_ms

    def answered_at(self) -> int | None:
        """The wall time (epoch ms) of the last answer to any fetch; None when nothing is fetched."""
        return self._consumer.thread.answered_at() if self._owned else None

    # -- Faust's calls --

    async def _read(self, stream: StreamT[Any]) -> None:
        async for chunk in stream:
            try:
                await self._hand_over(cast("Chunk", chunk))
            except Exception as error:  # noqa: BLE001 - Faust would restart the agent without the chunk
                await self.app.crash(error)

    async def _hand_over(self, chunk: Chunk) -> None:
        match self._positions.admit(chunk):
            case Admission.GO:
                await self._on_chunk(chunk)
                self._positions.handed_over(chunk)
            case Admission.BROKEN:
                position = self._positions.position(Partition(chunk.topic, chunk.partition))
                self.app.log.warning("%s/%d: %s is missing", chunk.topic, chunk.partition, position)
                self.seek(chunk.topic, chunk.partition, cast("int", position))

    async def _assigned(self, _app: faust.App, assigned: set[TP], **_: object) -> None:
        self._positions.clear()
        self._owned = {}
        for pair in sorted(assigned):
            self._owned.setdefault(pair.partition, []).append(pair.topic)
        await self._on_assigned(self.numbers)

    async def _revoked(self, _app: faust.App, _partitions: set[TP], **_: object) -> None:
        await self._release()

    async def _release(self) -> None:
        numbers = self.numbers
        self._owned = {}
        self._positions.clear()
        if numbers:
            await self._on_revoked(numbers)

    @property
    def _consumer(self) -> ChunkConsumer:
        return cast("ChunkConsumer", self.app.consumer)

    def _raise_crash(self) -> None:
        if self.app.crash_reason is not None:
            raise self.app.crash_reason

    def _ours(self, which: Partition) -> bool:
        return which.topic in self.topics(which.partition)
