"""What waits for a lane is bounded, by records and by bytes; the rest waits in Kafka."""

from __future__ import annotations

import asyncio

import pytest

from streams.lanes.feed import MOST_BYTES, ShellFeed
from streams.ports import Record
from streams.transport import Chunk


class Tap:
    """A shell that notes whether it may fetch."""

    def __init__(self, **seen: int | None) -> None:
        """`seen`: by topic, when it was read to its end."""
        self.open = True
        self._seen = seen

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Everything is there."""

    def pause(self, topic: str, partition: int) -> None:  # noqa: ARG002 - the port's
        """No more."""
        self.open = False

    def resume(self, topic: str, partition: int) -> None:  # noqa: ARG002
        """Again."""
        self.open = True

    def caught_up_at(self, topic: str, partition: int) -> int | None:  # noqa: ARG002
        """As told; never otherwise."""
        return self._seen.get(topic)


def chunk(first: int, records: int, size: int) -> Chunk:
    """So many records of that size."""
    made = [Record("t", first + n, 1, None, bytes(size)) for n in range(records)]
    return Chunk("t", 0, first, first, first + records, made, 1)


def test_large_records_stop_the_intake_long_before_many() -> None:
    """Megabytes each are bounded by their bytes, and go on when half of them are taken."""

    async def run() -> None:
        tap = Tap()
        feed = ShellFeed(tap, 0, ["t"], 20_000)
        await feed.start({"t": 0})
        offered = 0
        while tap.open:
            feed.offer(chunk(offered, 4, 1_000_000))
            offered += 4
        assert offered * 1_000_000 < MOST_BYTES + 5_000_000
        taken = len(await feed.take(offered - 4, 0, 1))
        assert tap.open
        assert taken == offered - 4
        await feed.start({"t": 0})
        feed.offer(chunk(0, 1, 10))
        assert tap.open

    asyncio.run(run())


def test_small_records_are_bounded_by_their_number() -> None:
    """As before."""

    async def run() -> None:
        tap = Tap()
        feed = ShellFeed(tap, 0, ["t"], 10)
        await feed.start({"t": 0})
        feed.offer(chunk(0, 10, 100))
        assert not tap.open
        assert len(await feed.take(6, 0, 1)) == 6
        assert tap.open

    asyncio.run(run())


@pytest.mark.parametrize(
    ("seen", "caught_up_at"),
    [
        ({"t": 5, "u": 3}, 3),
        ({"t": 3, "u": 5}, 3),
        ({"t": 5, "u": None}, None),
        ({"t": None, "u": 5}, None),
        ({"t": None, "u": None}, None),
    ],
)
def test_a_lane_has_read_everything_when_all_its_topics_are_read(
    seen: dict[str, int | None], caught_up_at: int | None
) -> None:
    """What is left in any of them may end a wait; of several ends the earliest counts."""

    async def run() -> None:
        feed = ShellFeed(Tap(**seen), 0, ["t", "u"], 10)
        await feed.start({"t": 0, "u": 0})
        assert await feed.take(10, 0, 1) == []
        assert feed.caught_up_at() == caught_up_at

    asyncio.run(run())


def test_a_lane_has_not_read_what_it_has_not_taken() -> None:
    """Records that wait here are unread, though the shell has nothing further."""

    async def run() -> None:
        feed = ShellFeed(Tap(t=5), 0, ["t"], 10)
        await feed.start({"t": 0})
        feed.offer(chunk(0, 3, 10))
        assert feed.caught_up_at() is None
        await feed.take(2, 0, 1)
        assert feed.caught_up_at() is None
        await feed.take(2, 0, 1)
        assert feed.caught_up_at() == 5

    asyncio.run(run())
