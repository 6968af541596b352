"""The thread that talks to the broker: aiokafka's consumer in an event loop of its own.

Heartbeats go on there while the main loop is busy. All here runs in that loop, except what says otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import aiokafka
from aiokafka.client import ConnectionGroup
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import ConsumerStoppedError, IllegalStateError, KafkaError
from aiokafka.protocol.group import LeaveGroupRequest
from aiokafka.structs import TopicPartition
from faust.transport.drivers.aiokafka import (
    AIOKafkaConsumerThread,
    credentials_to_aiokafka_auth,
    server_list,
)
from faust.types import TP
from faust.types.transports import TransportT
from mode.threads import WorkerThread

from streams.transport.assignor import NumberAssignor
from streams.transport.chunks import Chunk, Partition, Tail
from streams.transport.drain import Cut, drain
from streams.transport.settings import ReadSettings

if TYPE_CHECKING:
    from streams.transport.transport import ChunkTransport


_KAFKA_PORT = 9092
_GOODBYE_S = 3.0


class _ToldThread(WorkerThread):
    """A thread that ends without a word: what ended it was told to the main loop, which raises it."""

    def run(self) -> None:
        with suppress(Exception):
            super().run()


class ChunkThread(AIOKafkaConsumerThread):
    """Fetches chunks; every new assignment is held until each partition is sought and released."""

    #: Whether the member leaves the group when it stops; else its numbers wait for it for a session timeout.
    leaves: bool = True

    Worker = _ToldThread

    _seeks: dict[TopicPartition, int]

    def __post_init__(self) -> None:
        """Faust's hook at the end of construction."""
        super().__post_init__()
        self._seeks = {}
        self._cut = Cut()

    # -- the consumer --

    def _create_worker_consumer(self, transport: TransportT) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        read = _settings(transport)
        return aiokafka.AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=None if read.alone else conf.id,
            group_instance_id=read.worker_id,
            bootstrap_servers=server_list(transport.url, _KAFKA_PORT),
            partition_assignment_strategy=[NumberAssignor(read.worker_id, taken=self._hold_assigned)],
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level=read.isolation_level,
            fetch_max_wait_ms=read.fetch_max_wait_ms,
            max_partition_fetch_bytes=read.max_partition_fetch_bytes,
            check_crcs=conf.broker_check_crcs,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=read.session_timeout_ms,
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            max_poll_interval_ms=int((conf.broker_max_poll_interval or 0) * 1000),
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
            connections_max_idle_ms=conf.consumer_connections_max_idle_ms,
            **credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context),
        )

    def _hold_assigned(self, partitions: Sequence[TopicPartition]) -> int:
        """Hold a new assignment before anything is fetched, so that nothing comes from a place not sought.

        A valid position spares aiokafka the search for committed offsets, which are not ours to obey.
        """
        consumer = self._ensure_consumer()
        self._seeks.clear()
        for partition in partitions:
            consumer.seek(partition, 0)
            consumer.pause(partition)
        return _generation(consumer)

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Join the group for these topics or, alone, take all of their partitions."""
        if _settings(self.transport).alone:
            await self.call_thread(self._take_all, sorted(topics))
        else:
            await super().subscribe(topics)

    async def _take_all(self, topics: Sequence[str]) -> None:
        consumer = self._ensure_consumer()
        counts = [await consumer._client._wait_on_metadata(topic) for topic in topics]  # noqa: SLF001
        partitions = [
            TopicPartition(topic, each) for topic, count in zip(topics, counts, strict=True) for each in count
        ]
        consumer.assign(partitions)
        self._hold_assigned(partitions)
        self.app.on_rebalance_start()
        self.app.consumer_generation_id = _generation(consumer)
        # Faust's answer to an assignment waits for the end of the subscription, which is this call.
        self.add_future(
            self.on_partitions_assigned({TP(*each) for each in partitions}, _generation(consumer))
        )

    async def on_thread_stop(self) -> None:
        """Stop the consumer; it leaves the group on the way, if it shall."""
        if self._consumer is not None and self.leaves:
            # aiokafka lets a static member never leave; without the id it says goodbye by its member id.
            self._consumer._coordinator._group_instance_id = None  # noqa: SLF001
        # Without a broker there is nobody to say goodbye to, and aiokafka's own way out stumbles over fetches
        # that it cancels: their CancelledError would end this thread before it has told that it stops.
        with suppress(asyncio.CancelledError, TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                await asyncio.gather(super().on_thread_stop(), self._leave_while_joining())
        if self._consumer is not None:
            await self._consumer._client.close()  # noqa: SLF001 - harmless when it is closed already

    async def _leave_while_joining(self) -> None:
        """Leave a group that is just sharing out: aiokafka would first wait for its share, maybe for long.

        The broker keeps the connection of that request waiting too, so the goodbye takes another one.
        """
        coordinator = self._consumer and self._consumer._coordinator  # noqa: SLF001
        if not self.leaves or not isinstance(coordinator, GroupCoordinator):
            return
        node, member = coordinator.coordinator_id, coordinator.member_id
        if node is None or not member or not coordinator.need_rejoin(coordinator._subscription.subscription):  # noqa: SLF001
            return
        goodbye = LeaveGroupRequest(coordinator.group_id, member)
        await asyncio.wait([coordinator._closing])  # noqa: SLF001 - else it would come back at once
        with suppress(KafkaError):
            await coordinator._client.send(node, goodbye, group=ConnectionGroup.DEFAULT)  # noqa: SLF001

    def close(self) -> None:
        """Do nothing: `on_thread_stop` closes the consumer, in the loop that it belongs to."""

    def on_crash(self, msg: str, *fmt: object, **_: object) -> None:
        """Mode would print it; see `_ToldThread`."""
        self.log.debug(msg.format(*fmt))

    def _stopped_set(self) -> None:
        """After a crash the thread's loop is closed, and mode would not get on with the stop."""
        if self.thread_loop.is_closed():
            self._stopped.set()
        else:
            super()._stopped_set()

    # -- flow control: callable from any thread, without waiting, in the order of the calls --

    def seek_to(self, partition: Partition, offset: int, *, serial: int) -> None:
        """Go on at `offset`; chunks carry `serial` from then on."""

        def seek(consumer: aiokafka.AIOKafkaConsumer, of: TopicPartition) -> None:
            consumer.seek(of, offset)
            self._seeks[of] = serial
            # aiokafka drops answers to fetches from elsewhere, so what it learns from now on is true of here.
            state = consumer._subscription.subscription.assignment.state_value(of)  # noqa: SLF001
            state.highwater = state.lso = state.timestamp = None

        self._order(seek, partition)

    def hold(self, partition: Partition) -> None:
        """Fetch no more of it."""
        self._order(lambda consumer, of: consumer.pause(of), partition)

    def release(self, partition: Partition) -> None:
        """Fetch it (again)."""
        self._order(lambda consumer, of: consumer.resume(of), partition)

    def _order(
        self, act: Callable[[aiokafka.AIOKafkaConsumer, TopicPartition], None], partition: Partition
    ) -> None:
        def carry_out() -> None:
            try:
                act(self._ensure_consumer(), TopicPartition(*partition))
            except IllegalStateError:
                self.log.debug("%s/%s is no longer ours", *partition)

        if not self.thread_loop.is_closed():
            self.thread_loop.call_soon_threadsafe(carry_out)

    def tail(self, partition: Partition) -> Tail | None:
        """The end of the partition as last answered since it was sought; None before. For any thread."""
        subscription = self._ensure_consumer()._subscription.subscription  # noqa: SLF001
        assignment = subscription and subscription.assignment
        state = assignment and assignment.state_value(TopicPartition(*partition))
        # aiokafka sets the time last, so read it first: the marks are then at least as new as it says.
        answered = state and state.timestamp
        if not state or answered is None:
            return None
        return Tail(state.highwater, state.lso, answered)

    def answered_at(self) -> int | None:
        """Epoch ms of the last answer to a fetch; None when nothing is fetched. For any thread."""
        subscription = self._consumer and self._consumer._subscription.subscription  # noqa: SLF001
        assignment = subscription and subscription.assignment
        if not assignment:
            return None
        states = map(assignment.state_value, assignment.tps)
        return max(
            (state.timestamp for state in states if not state.paused and state.timestamp), default=None
        )

    # -- fetching --

    async def chunks(self, timeout_s: float) -> list[Chunk]:
        """Wait for chunks, at most `timeout_s`. Called in the main loop; raises FetchFailed, KafkaError."""
        fetching = asyncio.run_coroutine_threadsafe(self._chunks(timeout_s), self.thread_loop)
        return await asyncio.wrap_future(fetching)

    async def _chunks(self, timeout_s: float) -> list[Chunk]:
        consumer = self._ensure_consumer()
        fetcher, subscriptions = consumer._fetcher, consumer._subscription  # noqa: SLF001
        deadline = self.thread_loop.time() + timeout_s
        with subscriptions.fetch_context():
            while True:
                self._check(consumer)
                waiter = self._waiter(consumer)
                if not subscriptions.reassignment_in_progress:
                    chunks = self._drain(consumer)
                    if chunks:
                        waiter.cancel()
                        return chunks
                left = deadline - self.thread_loop.time()
                done, _ = await asyncio.wait([waiter], timeout=max(0.0, left))
                if not done:
                    waiter.cancel()
                    return []
                waiter.result()
                if fetcher._closed:  # noqa: SLF001
                    raise ConsumerStoppedError

    def _waiter(self, consumer: aiokafka.AIOKafkaConsumer) -> asyncio.Future[Any]:
        """Done as soon as there may be something new."""
        if consumer._subscription.reassignment_in_progress:  # noqa: SLF001
            return cast("asyncio.Future[Any]", consumer._subscription.wait_for_assignment())  # noqa: SLF001
        return cast("asyncio.Future[Any]", consumer._fetcher._create_fetch_waiter())  # noqa: SLF001

    def _drain(self, consumer: aiokafka.AIOKafkaConsumer) -> list[Chunk]:
        return drain(
            consumer._fetcher,  # noqa: SLF001
            seeks=self._seeks,
            generation=_generation(consumer),
            limit=_settings(self.transport).chunk_records,
            cut=self._cut,
        )

    def _check(self, consumer: aiokafka.AIOKafkaConsumer) -> None:
        """Raise what aiokafka's background tasks have kept for whoever asks; Faust never does."""
        if consumer._closed or consumer._fetcher._closed:  # noqa: SLF001
            raise ConsumerStoppedError
        consumer._coordinator.check_errors()  # noqa: SLF001
        if consumer._fetcher.error_future.done():  # noqa: SLF001
            consumer._fetcher.error_future.result()  # noqa: SLF001

    # -- what Faust would do with offsets in the group: nothing --

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Positions come from the lanes."""
        return {}

    async def commit(self, tps: Mapping[TP, int]) -> bool:  # noqa: ARG002
        """Positions are kept in the journal."""
        return False

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's alarm knows no held partitions; the worker has a watchdog of its own."""


def _generation(consumer: aiokafka.AIOKafkaConsumer) -> int:
    """The group's, 0 without a group."""
    return getattr(consumer._coordinator, "generation", 0)  # noqa: SLF001 - aiokafka tells it nowhere else


def _settings(transport: TransportT) -> ReadSettings:
    return cast("ChunkTransport", transport).settings
