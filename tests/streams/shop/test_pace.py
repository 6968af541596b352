from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from streams.shop import Arrival, Batch, paced

START: Final = 1_714_521_600_000


class HandClock:
    """A clock that only sleeping moves; `work` is what each batch costs its reader, in s."""

    def __init__(self, work: float = 0.0) -> None:
        self.now = 100.0
        self.work = work

    def read(self) -> float:
        """Seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.now += seconds


async def play(arrivals: Iterable[Arrival], clock: HandClock, speed: float = 60.0) -> list[Batch]:
    """All batches."""
    batches = []
    async for batch in paced(arrivals, start_ms=START, speed=speed, clock=clock.read, sleep=clock.sleep):
        batches.append(batch)
        clock.now += clock.work
    return batches


def arrivals_every(ms: int, count: int) -> list[Arrival]:
    """Records at an even distance."""
    return [Arrival(START + number * ms, number, b"k", b"{}") for number in range(count)]


async def test_a_second_is_a_simulated_minute() -> None:
    """At speed 60 one simulated hour takes one minute."""
    clock = HandClock()
    batches = await play(arrivals_every(60_000, 61), clock)
    assert sum(len(batch.arrivals) for batch in batches) == 61
    assert 60.0 <= clock.now - 100.0 < 60.5


async def test_nothing_comes_before_its_time() -> None:
    """A batch holds only what has arrived by its time, in order, and all of it."""
    batches = await play(arrivals_every(7_000, 500), HandClock())
    given = [arrival for batch in batches for arrival in batch.arrivals]
    assert given == arrivals_every(7_000, 500)
    assert all(arrival.at <= batch.at for batch in batches for arrival in batch.arrivals)


async def test_heartbeats_come_at_their_interval_also_in_silence() -> None:
    """An hour without anybody has a heartbeat for each minute, and they grow."""
    quiet = [Arrival(START + 3_600_000, 0, b"k", b"{}")]
    beats = [batch.heartbeat for batch in await play(quiet, HandClock()) if batch.heartbeat]
    assert 58 <= len(beats) <= 60
    assert [beat.type for beat in beats] == ["heartbeat"] * len(beats)
    assert all(before.time < after.time for before, after in pairwise(beats))


async def test_a_heartbeat_is_never_ahead_of_what_is_to_come() -> None:
    """A reader who fell far behind gets the arrivals in portions, and no heartbeat makes them late."""
    batches = await play(arrivals_every(50, 20_000), HandClock(work=3.0))
    assert max(len(batch.arrivals) for batch in batches) == 2_000
    beat = 0
    for batch in batches:
        assert all(arrival.at > beat for arrival in batch.arrivals)
        beat = batch.heartbeat.time if batch.heartbeat else beat


async def test_an_empty_stream_ends_at_once() -> None:
    """Nothing to wait for, nothing waited."""
    clock = HandClock()
    assert await play([], clock) == []
    assert clock.now == 100.0
