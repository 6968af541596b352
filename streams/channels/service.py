"""A channel service: its share of the channel's topic, a desk for each partition, in the channel's group."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from contextlib import AsyncExitStack, suppress
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, get_args

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from retarget.errors import Unreachable
from streams.channels.desk import Desk, Received
from streams.channels.leavers import Leavers, TakesOut, leavers_of
from streams.channels.ledger import Ledger
from streams.channels.outcomes import Channel, Reason, What, known_as
from streams.channels.rates import Rate
from streams.channels.settlement import Terms, terms_of
from streams.kafka.connection import REQUEST_TIMEOUT_MS, KafkaAddress
from streams.kafka.creation import create_or_check
from streams.kafka.inventory import partitions_of_topic
from streams.kafka.reader import Reader
from streams.kafka.refusals import refusal
from streams.metrics_services import ChannelMetrics
from streams.ports import Record, UnknownOutcome
from streams.sealing.reading import opening_of
from streams.settings import Settings
from streams.topics import TopicSpec, channel_topic, dead_channel_topic, leavers_topic, ledger_topic

log: Final = logging.getLogger("retarget.channel")
_POLL_MS: Final = 200
_AT_ONCE: Final = 1_000
# When a partition goes to another service, what is under way is settled first; it is in doubt otherwise.
_DRAIN_S: Final = 8.0
_OBSERVED_S: Final = 5.0
_PAUSE_S: Final = 2.0


class Service:
    """`async with` it, then `run` until cancelled."""

    def __init__(
        self, settings: Settings, address: KafkaAddress, channel: Channel, rate: Rate,
        metrics: ChannelMetrics, *, terms: Terms | None = None,
    ) -> None:  # fmt: skip
        """Without `terms`, those of the settings."""
        self._settings, self._address, self._channel = settings, address, channel
        self._rate, self._metrics = rate, metrics
        self._terms = terms or terms_of(settings)
        metrics.begin(known_as(channel), get_args(What), get_args(Reason))
        self._topic, self._name = channel_topic(channel.name), known_as(channel)
        self._reader = Reader(address)
        self._desks: dict[int, tuple[Desk, asyncio.Task[None]]] = {}
        self._stack = AsyncExitStack()
        self._consumer: AIOKafkaConsumer | None = None

    async def __aenter__(self) -> Self:
        """Raises BadInput, Unreachable."""
        try:
            await self._prepare()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _prepare(self) -> None:
        feedback = self._terms.feedback_topic
        partitions = await partitions_of_topic(self._address, self._topic)
        for topic in (feedback, dead_channel_topic(self._channel.name)):
            await partitions_of_topic(self._address, topic)
        own = [TopicSpec(ledger_topic(self._name), partitions, exact=True, keep="latest")]
        if isinstance(self._channel, TakesOut):
            own.append(TopicSpec(leavers_topic(self._name), partitions, exact=True, keep="latest_soon"))
            self._terms = self._terms._replace(leavers=partial(self._leavers, self._channel))
        await create_or_check(self._address, own, replication=self._settings.kafka.replication)
        await self._reader.start()
        self._stack.push_async_callback(self._reader.close)
        opening = await self._stack.enter_async_context(opening_of(self._settings))
        self._terms = self._terms._replace(opening=opening)
        await self._channel.start()
        self._stack.push_async_callback(self._channel.stop)

    async def run(self) -> None:
        """Hand over until cancelled; a broker that goes away is waited for."""
        while True:
            try:
                await self._work()
            except (KafkaError, TimeoutError, OSError, Unreachable) as error:
                log.warning("%s waits: %s", self._topic, refusal(error, "Read"))
            await asyncio.sleep(_PAUSE_S)

    async def _work(self) -> None:
        session_ms = self._settings.channel.session
        consumer = self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._address.bootstrap,
            group_id=f"{self._settings.app.id}-channel-{self._name}",
            client_id=f"retarget-{self._name}",
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=session_ms // 4,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            **self._address.security,
        )
        try:
            await consumer.start()
            consumer.subscribe([self._topic], listener=_Listener(self))
            observing = asyncio.create_task(self._observe(consumer))
            try:
                while True:
                    found = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_AT_ONCE)
                    for place, records in found.items():
                        self._receive(place.partition, records)
                    self._require_alive()
            finally:
                observing.cancel()
        finally:
            await self.leave(list(self._desks))
            self._consumer = None
            with suppress(KafkaError, TimeoutError, OSError):
                await consumer.stop()

    def _receive(self, partition: int, records: list[Any]) -> None:
        if partition in self._desks:
            desk, _ = self._desks[partition]
            desk.receive([Received(one.offset, one.key, one.value, tuple(one.headers)) for one in records])

    def _require_alive(self) -> None:
        """A desk that has a bug ends the service: somebody shall look."""
        for _, task in self._desks.values():
            if task.done():
                task.result()

    def join(self, partitions: Collection[int]) -> None:
        """These are ours."""
        consumer, settings = self._consumer, self._settings
        if consumer is None:
            return  # on the way out: the group gives them to others
        for partition in partitions:
            place = TopicPartition(self._topic, partition)
            consumer.pause(place)  # until its desk knows where to go on
            transactional = settings.kafka.emit == "transactional"
            own_id = f"{settings.app.id}-channel-{self._name}-{partition}" if transactional else ""
            desk = Desk(
                self._channel, (self._topic, partition),
                Ledger(self._address, self._reader, ledger_topic(self._name), partition, own_id),
                _Source(consumer, self._reader, place), self._rate, metrics=self._metrics,
                terms=self._terms,
            )  # fmt: skip
            self._desks[partition] = desk, asyncio.create_task(desk.run(), name=f"{self._topic}[{partition}]")

    async def _leavers(self, channel: TakesOut, partition: int) -> Leavers:
        return await leavers_of(channel, self._reader, (leavers_topic(self._name), partition))

    async def leave(self, partitions: Collection[int]) -> None:
        """These are others' from now on; what is being handed over is settled first."""
        going = [self._desks.pop(one) for one in partitions if one in self._desks]
        for desk, _ in going:
            desk.finish()
        tasks = [task for _, task in going]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_DRAIN_S)
            for task in late:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, Exception):
                    log.error("a desk of %s has failed", self._topic, exc_info=result)

    async def _observe(self, consumer: AIOKafkaConsumer) -> None:
        """Tell the group's offsets, and how much has not been read, for those who look at lags."""
        while True:
            await asyncio.sleep(_OBSERVED_S)
            below = {number: desk.settled_below for number, (desk, _) in self._desks.items()}
            offsets = {
                TopicPartition(self._topic, number): offset
                for number, offset in below.items()
                if offset is not None
            }
            with suppress(KafkaError, TimeoutError, OSError):
                if offsets:
                    await consumer.commit(offsets)
            for number, (desk, _) in list(self._desks.items()):
                with suppress(UnknownOutcome):  # the consumer hears of no end while a partition is paused
                    desk.see_end(await self._reader.end(self._topic, number))


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is published without types
    """What the group says."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Let go of these."""
        await self._service.leave({place.partition for place in revoked})

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Take these up."""
        self._service.join({place.partition for place in assigned})


class _Source:
    """One partition of the channel's topic, by the group's consumer and by reads of our own."""

    def __init__(self, consumer: AIOKafkaConsumer, reader: Reader, place: TopicPartition) -> None:
        self._consumer, self._reader, self._place = consumer, reader, place

    async def beginning(self) -> int:
        """What the group had come to, when the ledger is gone; else the first record."""
        found = await self._consumer.committed(self._place)
        if found is not None:
            return int(found)
        return await self._reader.beginning(self._place.topic, self._place.partition)

    async def read(self, start: int, end: int) -> list[Record]:
        """See Source."""
        first = await self._reader.beginning(self._place.topic, self._place.partition)
        if end <= first:
            return []
        return await self._reader.read(self._place.topic, self._place.partition, max(start, first), end)

    def go_on_at(self, offset: int) -> None:
        """See Source."""
        if self._place in self._consumer.assignment():
            self._consumer.seek(self._place, offset)

    def flow(self, *, on: bool) -> None:
        """See Source."""
        if self._place in self._consumer.assignment():
            (self._consumer.resume if on else self._consumer.pause)(self._place)
