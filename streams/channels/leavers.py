"""Leavers: who is taken out of an audience when the membership expires, where the platform knows no expiry.

Each stands in a compacted topic of its destination, put there with what came of the addition, and is gone
from it with what came of the removal: whoever takes the partition over goes on. A removal that goes twice
changes nothing.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

import msgspec

from retarget.errors import Damaged, Unsendable
from retarget.formats.identities import identity_of
from retarget.messages import Message, stable_id
from streams.channels.outcomes import Leave, Outcome
from streams.kafka.reader import Reader
from streams.kafka.sending import Outgoing

log: Final = logging.getLogger("retarget.channel")
_PAGE: Final = 20_000


class Leaver(msgspec.Struct, array_like=True, frozen=True):
    """One person in one audience: when (epoch ms) they leave it, and as what this platform knows them."""

    due: int
    audience: str
    form: Any


class Going(NamedTuple):
    """Some who leave one audience together, each by the name of their removal."""

    audience: str
    forms: Mapping[str, Any]
    keys: Sequence[bytes]


@runtime_checkable
class TakesOut(Protocol):
    """A destination that knows no expiry, so that people have to be taken out."""

    def leaver(self, message: Message) -> Any:  # noqa: ANN401 - as the platform has it
        """The person of an addition that was taken, in the form of a removal."""

    async def let_go(self, audience: str, members: Mapping[str, Any], leave: Leave) -> Outcome:
        """Take these out, each by the name of their removal; never raises but for a bug."""


_encoder: Final = msgspec.msgpack.Encoder()
_decode: Final = msgspec.msgpack.Decoder(Leaver).decode


class Leavers:
    """Those of one partition. In memory they are as they stand in the topic: there may be very many."""

    def __init__(self, channel: TakesOut, place: tuple[str, int]) -> None:
        """`place`: topic and partition in which they are kept."""
        self._channel, self._place = channel, place
        self._kept: dict[bytes, bytes] = {}
        self._heap: list[tuple[int, bytes]] = []
        self._put_off: dict[bytes, int] = {}
        self._tries: dict[bytes, int] = {}
        self._refused: set[bytes] = set()

    def __len__(self) -> int:
        """How many are to leave."""
        return len(self._kept)

    def restore(self, key: bytes, raw: bytes | None) -> None:
        """What the topic has next. Raises Damaged for what no channel service wrote."""
        try:
            due = 0 if raw is None else _decode(raw).due
        except (ValueError, RecursionError) as error:
            raise Damaged(f"{self._place[0]}[{self._place[1]}]", error) from error
        self._forget(key)
        if raw is not None:
            self._kept[key] = raw
            heapq.heappush(self._heap, (due, key))

    def settled(self, message: Message, expires: int | None) -> list[Outgoing]:
        """Note what follows from a change that was handed over; the records that say so.

        `expires`: when an addition does, epoch ms; None: never.
        """
        if message.operation not in ("add", "remove"):
            return []
        try:
            key = _key(message)
        except Unsendable:
            return []  # whom the platform cannot know is in none of its audiences
        if message.operation == "remove" or expires is None:
            return self._gone([key])
        return [self._noted(key, Leaver(expires, message.audience or "", self._channel.leaver(message)))]

    def due(self, now: int, most: int) -> Going | None:
        """At most so many who leave one audience by now; they stay until they are `done`."""
        seen: list[tuple[int, bytes]] = []
        chosen: dict[bytes, Leaver] = {}
        audience = ""
        while len(chosen) < most and (due := self.next_due()) is not None and due <= now:
            seen.append(heapq.heappop(self._heap))
            key = seen[-1][1]
            leaver = _decode(self._kept[key])
            if not chosen:
                audience = leaver.audience
            if leaver.audience != audience or (chosen and key in self._refused):
                continue
            chosen[key] = leaver
            if key in self._refused:  # the others may be without fault
                break
        for entry in seen:
            heapq.heappush(self._heap, entry)
        if not chosen:
            return None
        # Of its due, too: who comes and goes again is not taken for a repeat.
        forms = {stable_id(key.hex(), str(leaver.due)): leaver.form for key, leaver in chosen.items()}
        return Going(audience, forms, list(chosen))

    def next_due(self) -> int | None:
        """When the next one leaves; None without any."""
        while self._heap and not self._is_current(*self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    async def hand_over(self, going: Going, leave: Leave) -> Outcome:
        """Let the platform take them out."""
        return await self._channel.let_go(going.audience, going.forms, leave)

    def done(self, going: Going) -> list[Outgoing]:
        """They are out; the records that say so."""
        return self._gone(going.keys)

    def again(self, going: Going, *, refused: bool) -> int:
        """They were not taken; how often one of them was not. What is refused goes alone from now on."""
        for key in going.keys:
            self._tries[key] = self._tries.get(key, 0) + 1
        if refused:
            self._refused.update(going.keys)
        return max(self._tries[key] for key in going.keys)

    def put_off(self, going: Going, until: int) -> None:
        """Not before this time, epoch ms."""
        for key in going.keys:
            self._put_off[key] = until
            heapq.heappush(self._heap, (until, key))

    def _noted(self, key: bytes, leaver: Leaver) -> Outgoing:
        raw = _encoder.encode(leaver)
        self.restore(key, raw)
        return Outgoing(*self._place, key, raw)

    def _gone(self, keys: Iterable[bytes]) -> list[Outgoing]:
        known = [key for key in keys if key in self._kept]
        for key in known:
            self._forget(key)
        return [Outgoing(*self._place, key, None) for key in known]

    def _forget(self, key: bytes) -> None:
        self._kept.pop(key, None)
        self._put_off.pop(key, None)
        self._tries.pop(key, None)
        self._refused.discard(key)

    def _is_current(self, due: int, key: bytes) -> bool:
        raw = self._kept.get(key)
        return raw is not None and due == (self._put_off.get(key) or _decode(raw).due)


def _key(message: Message) -> bytes:
    """Of the person, the audience and the address: by another address they are another one to the platform.

    Nobody reads there who it is. Raises Unsendable.
    """
    who = identity_of(message, message.to)
    return bytes.fromhex(stable_id("leaver", message.person, message.audience or "", who.email, who.phone))


async def leavers_of(channel: TakesOut, reader: Reader, place: tuple[str, int]) -> Leavers:
    """All that the topic has. Raises UnknownOutcome, LaneRefused, Damaged."""
    leavers = Leavers(channel, place)
    start, end = await reader.beginning(*place), await reader.end(*place)
    while start < end:
        stop = min(start + _PAGE, end)
        for one in await reader.read(*place, start, stop):
            leavers.restore(one.key or b"", one.value)
        start = stop
    return leavers
