"""Erasing: an `erase` event for every id of a person, until all lanes have applied it.

The known person first, so that what leads to them from other ids goes; then these ids, so that what an old
topic says of them is forgotten as well. Only lanes change what is stored; here it is asked and waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

from retarget.decode import encode_touchpoint
from retarget.errors import BadInput
from retarget.journeys.model import Journey
from retarget.touchpoints import Touchpoint
from streams.clocks import monotonic_ms, now_ms
from streams.kafka.address import address_of
from streams.kafka.connection import KafkaAddress
from streams.kafka.sending import Outgoing, producing, send
from streams.lanes import positions
from streams.ports import UnknownOutcome
from streams.privacy.people import Person, find, under
from streams.producing import heartbeats
from streams.reading import canonical_topic
from streams.settings import Settings
from streams.stores import Store
from streams.topics import lane_of

_LOOK_S: Final = 0.2
# It moves no clock.
_LONG_AGO: Final = 1_000


class Erasure(NamedTuple):
    """Who was erased, with what was stored of them before; `gone` are the ids that are nobody's any more.

    Epoch ms: `asked`, the earliest time of the events; `known`, when all had been applied.
    """

    before: Person
    gone: Sequence[str]
    asked: int
    known: int
    sent: int
    whole: bool  # whether it was waited for

    @property
    def looked_for(self) -> Sequence[str]:
        """The ids under which something of them may be left: a device that went on was theirs before."""
        return [one for one in self.before.ids if one not in self.before.others]


class Eraser:
    """Erases people of one engine."""

    def __init__(self, settings: Settings, store: Store, within: int) -> None:
        """`within`: how long is waited for the lanes, ms; 0: not at all."""
        self._settings, self._store = settings, store
        self._lanes, self._within = settings.kafka.partitions, within
        self._address: KafkaAddress = address_of(settings)
        self._topic, self._ids = canonical_topic(settings, "an erase event"), ""
        self._asked = now_ms()

    async def erase(self, name: str, more: Sequence[str] = ()) -> Erasure:
        """Have a person erased, under whichever id; `more` were theirs as well, whatever is stored there.

        Raises BadInput when nothing is known of them, or one of `more` is somebody else, UnknownOutcome when
        the lanes do not apply it in time, Unreachable.
        """
        before = await find(self._store, self._lanes, name, more)
        if not (before.kept or more):
            raise BadInput([f"nothing is stored of {name!r}; ids are compared exactly"])
        await self._require_nobody_else(before, more)
        self._ids = " ".join(one for one in before.ids if one not in before.others)
        gone, deadline = [before.name], monotonic_ms() + self._within
        sent = await self._send_and_wait(gone, before, deadline)
        if self._within:
            await self._until(
                lambda: self._is_let_go(before), f"let go of all ids of {before.name}", deadline
            )
            others = [one for one in before.ids[1:] if await self._is_nobodys(one)]
            sent += await self._send_and_wait(others, before, deadline)
            gone += others
        return Erasure(before, gone, self._asked, now_ms(), sent, bool(self._within))

    async def _require_nobody_else(self, person: Person, more: Sequence[str]) -> None:
        """Raises BadInput for an id of a known person of whom nothing shows that they are this one."""
        for other in person.others.intersection(more):
            if any(one.journey.user_id for one in await under(self._store, self._lanes, other)):
                said = f"{other!r} is a person of their own, and nothing leads from there to {person.name!r}"
                raise BadInput([f"{said}: nothing was sent; if both are one: retarget erase {other}, too"])

    async def settle(self) -> None:
        """Have every lane write one more record, without which a snapshot may leave out the last one.

        Raises UnknownOutcome, Unreachable.
        """
        beats = list(heartbeats(Touchpoint(type="heartbeat", time=_LONG_AGO), self._topic, self._lanes))
        deadline = monotonic_ms() + self._within
        async with producing(self._address) as producer:
            offsets = await send(producer, beats)
        for (topic, lane), offset in offsets.items():
            applied = _applied(self._store, lane, topic, offset)
            await self._until(applied, f"read the heartbeat in lane {lane}", deadline)

    async def _send_and_wait(self, names: list[str], person: Person, deadline: int) -> int:
        """Send the event for each of these ids that is not erased already; how many, when all are applied."""
        events = [one for name in names if (one := await self._event(name, person)) is not None]
        async with producing(self._address) as producer:
            for event in events:
                name = event.person
                lane = lane_of(name, self._lanes)
                record = Outgoing(self._topic, lane, name.encode(), encode_touchpoint(event))
                offset = (await send(producer, [record]))[self._topic, lane]
                if self._within:
                    what = f"applied the erase event of {name} in lane {lane}"
                    await self._until(_applied(self._store, lane, self._topic, offset), what, deadline)
        return len(events)

    async def _event(self, name: str, person: Person) -> Touchpoint | None:
        """The event for one id; None where nothing is stored of it but that it is erased."""
        kept = [one for one in person.kept if one.name == name]
        if kept and all(one.is_mark for one in kept):
            self._asked = min([self._asked, *(one.journey.erased_at for one in kept)])
            return None
        known = next((one.journey for one in kept), Journey(person=name))
        leads = any(to == name for one in person.kept for _, to in one.journey.moved)
        is_user = known.user_id == name or leads
        event = Touchpoint(type="erase", id=_id(name, known), time=await self._time(name))
        self._asked = min(self._asked, event.time)
        event.user_id, event.anonymous_id = (name, None) if is_user else (None, name)
        return event

    async def _time(self, name: str) -> int:
        """Now; where only events tell the time, what the person's lane takes for it."""
        if self._settings.clock.now != "event":
            return now_ms()
        image = await self._store.image(lane_of(name, self._lanes))
        return max(positions.decode(image.meta).clock, 0)

    async def _is_let_go(self, person: Person) -> bool:
        """Whether nothing leads from another id to the person any more."""
        found = [one for name in person.ids[1:] for one in await under(self._store, self._lanes, name)]
        return not any(to == person.name for one in found for _, to in one.journey.moved)

    async def _is_nobodys(self, name: str) -> bool:
        """Whether an id has not become somebody else's, who stays."""
        found = await under(self._store, self._lanes, name)
        return not any(one.journey.moved or one.journey.user_id for one in found)

    async def _until(self, holds: Callable[[], Awaitable[bool]], what: str, deadline: int) -> None:
        while not await holds():
            if monotonic_ms() > deadline:
                raise UnknownOutcome(
                    f"no worker has {what} in time; the event is in {self._topic} and counts as soon as one "
                    f"does: see that workers run, with clock.idle=heartbeat that heartbeats come; then once "
                    f"more: retarget erase {self._ids}"
                )
            await asyncio.sleep(_LOOK_S)


def _id(name: str, known: Journey) -> str:
    """The same however often it is sent, until it has been applied."""
    said = f"{name}\0{known.erased_at}".encode()
    return f"erase-{blake2b(said, digest_size=12).hexdigest()}"


def _applied(store: Store, lane: int, topic: str, offset: int) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        stand = positions.decode((await store.image(lane)).meta)
        held = any(start <= offset < end for start, end in stand.held.get(topic, ()))
        return stand.frontier.get(topic, 0) > offset and not held

    return holds
