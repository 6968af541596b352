"""What goes wrong between a shop and its broker: late, repeated and broken records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Final

from retarget.decode import encode_touchpoint
from retarget.times import HOUR, MINUTE, SECOND
from retarget.touchpoints import Touchpoint
from streams.shop.draw import around, chance, pick, seeded


@dataclass(frozen=True, kw_only=True, slots=True)
class Faults:
    """Shares of all events: where a device loses its network, is sent twice, is followed by a broken record.

    While a device is offline for `outage` (median, ms) all that happens on it waits and then comes at once.
    """

    late: float = 0.002
    repeated: float = 0.005
    malformed: float = 0.001
    outage: int = 20 * MINUTE


NO_FAULTS: Final = Faults(late=0, repeated=0, malformed=0)


@dataclass(frozen=True, order=True, slots=True)
class Arrival:
    """One record as it reaches the broker at `at` (simulated epoch ms); `key` is the person, or empty."""

    at: int
    number: int
    key: bytes
    value: bytes


def disturb(events: Iterable[Touchpoint], *, seed: int, faults: Faults | None = None) -> Iterator[Arrival]:
    """The records of `events`, given in time order, in the order in which they arrive.

    The events themselves do not depend on `seed`: only what becomes of them does.
    """
    return _Network(seeded(seed), faults or Faults()).carry(events)


class _Network:
    def __init__(self, rng: Random, faults: Faults) -> None:
        self._rng, self._faults = rng, faults
        self._number = count()
        self._under_way: list[Arrival] = []
        self._offline_until: dict[str, int] = {}

    def carry(self, events: Iterable[Touchpoint]) -> Iterator[Arrival]:
        for event in events:
            yield from self._arrived(event.time)
            self._send(event)
        while self._under_way:
            yield heappop(self._under_way)

    def _arrived(self, now: int) -> Iterator[Arrival]:
        while self._under_way and self._under_way[0].at < now:
            yield heappop(self._under_way)

    def _send(self, event: Touchpoint) -> None:
        rng, faults = self._rng, self._faults
        key, value, at = event.person.encode(), encode_touchpoint(event), self._reaches(event)
        self._push(at, key, value)
        if chance(rng, faults.repeated):
            self._push(at + around(rng, 3 * SECOND, 1.5), key, value)
        if chance(rng, faults.malformed):
            self._push(at, key, pick(rng, BREAKAGES)(value))

    def _push(self, at: int, key: bytes, value: bytes) -> None:
        heappush(self._under_way, Arrival(at, next(self._number), key, value))

    def _reaches(self, event: Touchpoint) -> int:
        """When the event gets through: at once, unless its device is offline or goes offline now."""
        device = event.device_id
        if device is None:
            return event.time
        until = self._offline_until.pop(device, 0)
        if until <= event.time:
            if not chance(self._rng, self._faults.late):
                return event.time
            until = event.time + min(around(self._rng, self._faults.outage, 1), 6 * HOUR)
        self._offline_until[device] = until
        return until


def _cut_off(value: bytes) -> bytes:
    return value[: len(value) // 2]


def _listed(value: bytes) -> bytes:
    return b"[" + value + b"]"


def _nobody(_value: bytes) -> bytes:
    return b'{"type":"view","time":"2024-05-01T10:00:00Z"}'


def _no_time(value: bytes) -> bytes:
    return value[:-1] + b',"time":"yesterday"}'


def _wrong_items(value: bytes) -> bytes:
    return value[:-1] + b',"items":"a kettle"}'


# How a record can be broken; the reasons of their dead letters are, in this order, not_json, not_an_object,
# no_person, bad_time and bad_field.
BREAKAGES: Final[tuple[Callable[[bytes], bytes], ...]] = (_cut_off, _listed, _nobody, _no_time, _wrong_items)
