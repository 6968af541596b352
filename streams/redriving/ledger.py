"""Which dead letters have been sent again: a topic of its own, so that none goes twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer

from streams.kafka.connection import KafkaAddress
from streams.kafka.creation import create_or_check
from streams.kafka.looking import looking, records, spans
from streams.kafka.sending import Outgoing, producing, send
from streams.topics import REDRIVEN, TopicSpec


class Ledger:
    """What was sent again, and the producer that writes both at once."""

    def __init__(self, producer: AIOKafkaProducer, known: set[str], *, transactional: bool) -> None:
        self._producer, self._known, self._transactional = producer, known, transactional

    def has(self, place: str) -> bool:
        """Whether it has been sent again."""
        return place in self._known

    async def send(self, outgoing: Sequence[Outgoing], places: Sequence[str]) -> None:
        """Send these records, and remember the places of their letters.

        With transactions both or nothing. Without, a crash between them sends some again: by their ids the
        engine drops them, and by `message_id` a channel service.
        """
        noted = [Outgoing(REDRIVEN, 0, place.encode(), b"{}") for place in places]
        if self._transactional:
            await self._producer.begin_transaction()
            await send(self._producer, [*outgoing, *noted])
            await self._producer.commit_transaction()
        else:
            await send(self._producer, outgoing)
            await send(self._producer, noted)
        self._known.update(places)


@asynccontextmanager
async def opened(address: KafkaAddress, app_id: str, *, transactional: bool) -> AsyncIterator[Ledger]:
    """The ledger, made if there is none; with transactions whoever else has it open is shut out.

    Raises Unreachable, BadInput.
    """
    await create_or_check(address, [TopicSpec(REDRIVEN, 1, exact=True, keep="latest")])
    async with producing(address, f"{app_id}-redrive" if transactional else None) as producer:
        known: set[str] = set()
        wanted = await spans(address, REDRIVEN, [0])
        async with looking(address, "read_committed") as consumer:
            async for seen in records(consumer, REDRIVEN, wanted):
                known.add((seen.key or b"").decode())
        yield Ledger(producer, known, transactional=transactional)
