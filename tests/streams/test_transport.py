"""The shell against real brokers: what arrives, in which order, and who gets which partition numbers."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from retarget.errors import Unreachable
from streams.embedded import EmbeddedBroker
from streams.embedded.processes import free_port
from streams.shell import Shell, create_shell
from streams.transport import Chunk, FetchFailed, ReadSettings, share_out
from streams.transport.assignor import Claim
from streams.transport.chunks import Partition
from streams.transport.drain import Cut
from streams.transport.positions import Admission, Positions
from tests.support.kafka.real_kafka import RealKafka, create_topic, drop_records

_WITHIN_S: Final = 40.0
_SESSION_MS: Final = 6000  # the least that Kafka allows


class Worker:
    """A shell whose hooks write down what they are told; it reads from 0 unless told otherwise."""

    def __init__(
        self,
        broker: str,
        group: str,
        topics: Sequence[str],
        *,
        name: str = "a",
        start: int = 0,
        catch_faults: bool = False,
        **read: Any,  # noqa: ANN401 - of ReadSettings
    ) -> None:
        self.start_at, self.numbers, self.held = start, set[int](), set[tuple[str, int]]()
        self.chunks: list[Chunk] = []
        self.positions: list[int | None] = []  # what counted as handed over while each of them was
        self.faults: list[FetchFailed] = []
        self.revoked: list[set[int]] = []
        self.fail: Exception | None = None
        self._news = asyncio.Condition()
        self.shell: Shell = create_shell(
            app_id=group,
            bootstrap=broker,
            topics=topics,
            read=ReadSettings(worker_id=f"{group}-{name}", **read),
            on_assigned=self._assigned,
            on_revoked=self._revoked,
            on_chunk=self._chunk,
            on_fault=self._fault if catch_faults else None,
        )

    def values(self, topic: str, partition: int) -> list[bytes | None]:
        """All that arrived of one partition, in the order of arrival."""
        return [
            record.value
            for chunk in self.chunks
            if (chunk.topic, chunk.partition) == (topic, partition)
            for record in chunk.records
        ]

    def count(self) -> int:
        """How many records arrived."""
        return sum(len(chunk.records) for chunk in self.chunks)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds after one of the hooks was called."""
        async with asyncio.timeout(_WITHIN_S), self._news:
            await self._news.wait_for(condition)

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def _assigned(self, numbers: set[int]) -> None:
        self.numbers = numbers
        for number in sorted(numbers):
            for topic in self.shell.topics(number):
                self.shell.seek(topic, number, self.start_at)
                if (topic, number) not in self.held:
                    self.shell.resume(topic, number)
        await self._tell()

    async def _revoked(self, numbers: set[int]) -> None:
        self.numbers = self.numbers - numbers
        self.revoked.append(numbers)
        await self._tell()

    async def _chunk(self, chunk: Chunk) -> None:
        if self.fail is not None:
            raise self.fail
        self.chunks.append(chunk)
        self.positions.append(self.shell.position(chunk.topic, chunk.partition))
        await self._tell()

    async def _fault(self, fault: FetchFailed) -> None:
        self.faults.append(fault)
        await self._tell()


@asynccontextmanager
async def producing(broker: str, **options: object) -> AsyncIterator[AIOKafkaProducer]:
    """A producer for the block."""
    producer = AIOKafkaProducer(bootstrap_servers=broker, linger_ms=5, **options)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def produce(broker: str, topics: Sequence[str], *, partitions: int, each: int) -> None:
    """Write the values b"0", b"1", ... to every partition of the topics."""
    async with producing(broker) as producer:
        sent = [
            await producer.send(topic, b"%d" % n, key=b"k", partition=partition, timestamp_ms=1_000 + n)
            for n in range(each)
            for topic in topics
            for partition in range(partitions)
        ]
        await asyncio.gather(*sent)


def numbered(start: int, end: int) -> list[bytes]:
    """The values from start up to end."""
    return [b"%d" % n for n in range(start, end)]


@pytest.fixture
def two_topics(embedded_broker: EmbeddedBroker, unique_name: Callable[[str], str]) -> list[str]:
    """Two new topics of four partitions on the embedded broker."""
    names = [unique_name("touchpoints"), unique_name("merge")]
    for name in names:
        embedded_broker.create_topic(name, 4)
    return names


# -- who gets which numbers --


@st.composite
def groups(draw: st.DrawFn) -> tuple[list[int], dict[str, Claim]]:
    """Numbers, and members with whatever they may claim of them."""
    numbers = list(range(draw(st.integers(0, 24))))
    names = draw(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=7, unique=True))
    some = st.lists(st.integers(0, 30), max_size=12, unique=True)
    claims = {
        name: Claim(worker=name, generation=draw(st.integers(-1, 3)), numbers=draw(some)) for name in names
    }
    return numbers, claims


@given(groups())
def test_every_number_goes_to_one_member_and_evenly(group: tuple[list[int], dict[str, Claim]]) -> None:
    """Whatever members claim, each number has one owner and the counts differ by one at most."""
    numbers, claims = group
    shares = share_out(numbers, claims)
    assert sorted(number for share in shares.values() for number in share) == numbers
    assert max(map(len, shares.values())) - min(map(len, shares.values())) <= 1
    assert share_out(numbers, dict(reversed(claims.items()))) == shares


@given(groups())
def test_nothing_moves_between_members_that_stay(group: tuple[list[int], dict[str, Claim]]) -> None:
    """Shared out again, the shares are the same; without one member the others keep all they had."""
    numbers, claims = group
    shares = share_out(numbers, claims)
    again = {name: Claim(worker=name, generation=5, numbers=share) for name, share in shares.items()}
    assert share_out(numbers, again) == shares
    for gone in again if len(again) > 1 else ():
        left = {name: claim for name, claim in again.items() if name != gone}
        assert all(set(shares[name]) <= set(share) for name, share in share_out(numbers, left).items())


def test_the_later_claim_wins() -> None:
    """A member that comes back from the dead does not take its old numbers away from their present owner."""
    claims = {
        "dead": Claim(worker="dead", generation=3, numbers=[0, 1]),
        "live": Claim(worker="live", generation=4, numbers=[0, 1]),
        "else": Claim(worker="else", generation=4, numbers=[2, 3]),
    }
    shares = share_out(range(6), claims)
    assert shares == {"dead": [4, 5], "live": [0, 1], "else": [2, 3]}


# -- what may be handed over --


def chunk(before: int, after: int, *, seek: int) -> Chunk:
    """A chunk of t/0 without records."""
    return Chunk("t", 0, before, before, after, [], generation=1, seek=seek)


def test_only_a_chunk_that_continues_the_last_seek_is_admitted() -> None:
    """Chunks before any seek or from an older one are forgotten, a gap is noticed, a row goes on."""
    positions = Positions()
    assert positions.admit(chunk(0, 5, seek=0)) is Admission.STALE
    old = positions.seek(Partition("t", 0), 0)
    new = positions.seek(Partition("t", 0), 7)
    assert positions.admit(chunk(7, 9, seek=old)) is Admission.STALE
    assert positions.admit(chunk(8, 9, seek=new)) is Admission.BROKEN
    assert positions.admit(chunk(7, 9, seek=new)) is Admission.GO
    assert positions.admit(chunk(9, 12, seek=new)) is Admission.GO
    assert positions.position(Partition("t", 0)) == 7
    positions.handed_over(chunk(9, 12, seek=new))
    assert positions.position(Partition("t", 0)) == 12


# -- what arrives --


async def test_all_records_arrive_in_order_from_the_sought_offset(
    embedded_broker: EmbeddedBroker, two_topics: list[str], unique_name: Callable[[str], str]
) -> None:
    """10,000 records on four partitions of two topics come without gap or repeat from offset 50 on."""
    await produce(embedded_broker.bootstrap, two_topics, partitions=4, each=1250)
    worker = Worker(
        embedded_broker.bootstrap, unique_name("group"), two_topics, alone=True, start=50, chunk_records=500
    )
    async with worker.shell:
        await worker.until(lambda: worker.count() >= 8 * 1200)
    for topic in two_topics:
        for partition in range(4):
            assert worker.values(topic, partition) == numbered(50, 1250)
    first = worker.chunks[0].records[0]
    assert (first.offset, first.timestamp, first.key) == (50, 1050, b"k")
    assert max(len(each.records) for each in worker.chunks) <= 500
    assert worker.revoked == [{0, 1, 2, 3}]


async def test_a_partition_is_silent_until_it_is_resumed(
    embedded_broker: EmbeddedBroker, two_topics: list[str], unique_name: Callable[[str], str]
) -> None:
    """What was sought but not resumed delivers nothing, while the others are read to their ends."""
    await produce(embedded_broker.bootstrap, two_topics, partitions=4, each=100)
    worker = Worker(embedded_broker.bootstrap, unique_name("group"), two_topics, alone=True)
    silent = two_topics[0]
    worker.held = {(silent, 2)}
    async with worker.shell as shell:
        await worker.until(lambda: worker.count() >= 700)
        assert worker.values(silent, 2) == []
        assert shell.caught_up_at(silent, 2) is None
        shell.resume(silent, 2)
        await worker.until(lambda: worker.count() >= 800)
        assert worker.values(silent, 2) == numbered(0, 100)
        shell.pause(silent, 2)
        await produce(embedded_broker.bootstrap, [silent], partitions=4, each=10)
        await worker.until(lambda: worker.count() >= 830)
        assert shell.position(silent, 2) == 100


async def test_after_a_seek_nothing_from_before_it_arrives(
    embedded_broker: EmbeddedBroker, two_topics: list[str], unique_name: Callable[[str], str]
) -> None:
    """A lane that goes back in the middle of a stream of small chunks gets exactly the records from there."""
    topic = two_topics[0]
    await produce(embedded_broker.bootstrap, [topic], partitions=1, each=500)
    worker = Worker(embedded_broker.bootstrap, unique_name("group"), [topic], alone=True, chunk_records=10)
    async with worker.shell as shell:
        await worker.until(lambda: worker.count() >= 100)
        worker.chunks.clear()
        shell.seek(topic, 0, 30)
        await worker.until(lambda: worker.count() >= 470)
    assert worker.values(topic, 0) == numbered(30, 500)


async def test_the_end_of_a_partition_is_known(
    embedded_broker: EmbeddedBroker, two_topics: list[str], unique_name: Callable[[str], str]
) -> None:
    """Read to its end, a partition is caught up as of the last answer; before that it is not."""
    topic = two_topics[0]
    worker = Worker(embedded_broker.bootstrap, unique_name("group"), [topic], alone=True)
    async with worker.shell as shell:
        await produce(embedded_broker.bootstrap, [topic], partitions=1, each=10)
        await worker.until(lambda: worker.count() == 10 and shell.position(topic, 0) is not None)
        async with asyncio.timeout(_WITHIN_S):
            while shell.caught_up_at(topic, 0) is None:
                await asyncio.get_running_loop().run_in_executor(None, lambda: None)
        assert shell.highwater(topic, 0) == shell.position(topic, 0) == 10


async def test_what_is_being_handed_over_is_not_yet_read(
    embedded_broker: EmbeddedBroker, two_topics: list[str], unique_name: Callable[[str], str]
) -> None:
    """While a lane takes a chunk its position is before it; else it would count as caught up too early."""
    topic = two_topics[0]
    await produce(embedded_broker.bootstrap, [topic], partitions=1, each=100)
    worker = Worker(embedded_broker.bootstrap, unique_name("group"), [topic], alone=True, chunk_records=10)
    async with worker.shell:
        await worker.until(lambda: worker.count() >= 100)
    assert worker.positions == [chunk.before for chunk in worker.chunks]
    assert len(worker.chunks) > 1


async def test_a_signal_ends_a_run_in_good_order(
    embedded_broker: EmbeddedBroker, two_topics: list[str], unique_name: Callable[[str], str]
) -> None:
    """SIGTERM lets the lanes go, and the run returns without an error."""
    worker = Worker(embedded_broker.bootstrap, unique_name("group"), two_topics, alone=True)
    running = asyncio.create_task(worker.shell.run())
    await worker.until(lambda: worker.numbers == {0, 1, 2, 3})
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, _WITHIN_S)
    assert worker.revoked == [{0, 1, 2, 3}]


# -- what goes wrong --


async def test_an_offset_that_is_gone_ends_the_shell(
    embedded_broker: EmbeddedBroker, two_topics: list[str], unique_name: Callable[[str], str]
) -> None:
    """A position outside the log is an error, never a jump."""
    worker = Worker(embedded_broker.bootstrap, unique_name("group"), two_topics[:1], alone=True, start=10**6)
    async with worker.shell as shell, asyncio.timeout(_WITHIN_S):
        with pytest.raises(FetchFailed, match="OffsetOutOfRange"):
            await shell.wait()


async def test_records_that_retention_drops_end_the_shell(
    real_kafka: RealKafka, unique_name: Callable[[str], str]
) -> None:
    """A position before the beginning of the log is an error, too: a lane never goes on behind the hole."""
    topic = unique_name("cut")
    await create_topic(real_kafka.bootstrap, topic, 1)
    await produce(real_kafka.bootstrap, [topic], partitions=1, each=10)
    await drop_records(real_kafka.bootstrap, TopicPartition(topic, 0), 4)
    worker = Worker(real_kafka.bootstrap, unique_name("group"), [topic], alone=True, start=3)
    async with worker.shell as shell, asyncio.timeout(_WITHIN_S):
        with pytest.raises(FetchFailed, match="OffsetOutOfRange"):
            await shell.wait()
    assert worker.chunks == []


async def test_an_offset_that_is_gone_can_be_told_instead(
    embedded_broker: EmbeddedBroker, two_topics: list[str], unique_name: Callable[[str], str]
) -> None:
    """With `on_fault` every partition concerned is told once and paused, and the shell lives on."""
    topic = two_topics[0]
    worker = Worker(
        embedded_broker.bootstrap, unique_name("group"), [topic], alone=True, start=10**6, catch_faults=True
    )
    async with worker.shell as shell:
        await worker.until(lambda: len(worker.faults) >= 4)
        assert {fault.partition for fault in worker.faults} == {(topic, number) for number in range(4)}
        assert all(isinstance(fault.error, OffsetOutOfRangeError) for fault in worker.faults)
        shell.seek(topic, 1, 0)
        shell.resume(topic, 1)
        await produce(embedded_broker.bootstrap, [topic], partitions=2, each=10)
        await worker.until(lambda: worker.count() == 10)


async def test_an_error_of_the_lanes_ends_the_shell(
    embedded_broker: EmbeddedBroker, two_topics: list[str], unique_name: Callable[[str], str]
) -> None:
    """Faust would restart the agent and skip the chunk; the shell ends with the error instead."""
    worker = Worker(embedded_broker.bootstrap, unique_name("group"), two_topics, alone=True)
    worker.fail = ValueError("of the lane")
    async with worker.shell as shell, asyncio.timeout(_WITHIN_S):
        await produce(embedded_broker.bootstrap, two_topics, partitions=4, each=10)
        with pytest.raises(ValueError, match="of the lane"):
            await shell.wait()


async def test_a_broker_that_does_not_answer_is_named() -> None:
    """The error names the address and the setting."""
    address = f"127.0.0.1:{free_port()}"
    worker = Worker(address, "group", ["touchpoints"])
    with pytest.raises(Unreachable, match=f"Kafka at {address}.*kafka.bootstrap"):
        await worker.shell.start()


# -- two workers --


async def test_two_workers_share_numbers_and_a_stop_hands_them_on(
    embedded_broker: EmbeddedBroker, two_topics: list[str], unique_name: Callable[[str], str]
) -> None:
    """Numbers are split evenly and for both topics alike; who stops leaves the group at once."""
    await hand_over(embedded_broker.bootstrap, two_topics, unique_name("group"), leave=True)


async def hand_over(broker: str, topics: list[str], group: str, *, leave: bool) -> None:
    """Two workers share four numbers; one ends, the other goes on with all of them and new records."""
    one, two = (Worker(broker, group, topics, name=name, session_timeout_ms=_SESSION_MS) for name in "ab")
    async with one.shell:
        await one.until(lambda: one.numbers == {0, 1, 2, 3})
        await two.shell.start()
        try:
            await two.until(lambda: len(two.numbers) == 2)
            await one.until(lambda: one.numbers == {0, 1, 2, 3} - two.numbers)
            assert all(one.shell.topics(number) == sorted(topics) for number in one.numbers)
        finally:
            await two.shell.stop(leave=leave)
        await one.until(lambda: one.numbers == {0, 1, 2, 3})
        one.chunks.clear()
        await produce(broker, topics, partitions=4, each=25)
        await one.until(lambda: one.count() >= 200)
        for topic in topics:
            assert [one.values(topic, partition) for partition in range(4)] == [numbered(0, 25)] * 4


@pytest.mark.slow
@pytest.mark.parametrize("leave", [True, False], ids=["leaves", "dies"])
async def test_two_workers_on_a_real_broker(
    real_kafka: RealKafka, unique_name: Callable[[str], str], *, leave: bool
) -> None:
    """As on the embedded broker; a worker that dies without a word is replaced after the session timeout."""
    topics = [unique_name("touchpoints"), unique_name("merge")]
    for topic in topics:
        await create_topic(real_kafka.bootstrap, topic, 4)
    group = unique_name("group")
    await hand_over(real_kafka.bootstrap, topics, group, leave=leave)


@pytest.mark.slow
async def test_a_restart_under_the_same_id_moves_nothing(
    real_kafka: RealKafka, unique_name: Callable[[str], str]
) -> None:
    """A worker that stops without leaving has its numbers again at once, and the other one hears nothing."""
    topic, group = unique_name("touchpoints"), unique_name("group")
    await create_topic(real_kafka.bootstrap, topic, 4)
    one, two, again = (
        Worker(real_kafka.bootstrap, group, [topic], name=name, session_timeout_ms=_SESSION_MS)
        for name in "abb"
    )
    async with one.shell:
        await two.shell.start()
        await two.until(lambda: len(two.numbers) == 2)
        had = two.numbers
        await two.shell.stop(leave=False)
        revocations = len(one.revoked)
        async with again.shell:
            await again.until(lambda: again.numbers == had)
            await produce(real_kafka.bootstrap, [topic], partitions=4, each=5)
            await again.until(lambda: again.count() == 10)
            await one.until(lambda: one.count() == 10)
            assert len(one.revoked) == revocations


# -- transactions --


@pytest.mark.slow
async def test_aborted_records_stay_out_and_markers_are_passed(
    real_kafka: RealKafka, unique_name: Callable[[str], str]
) -> None:
    """Of a committed, an aborted and an open transaction the first arrives; an open one is not the end."""
    topic, group = unique_name("merge"), unique_name("group")
    await create_topic(real_kafka.bootstrap, topic, 1)
    worker = Worker(real_kafka.bootstrap, group, [topic], session_timeout_ms=_SESSION_MS)
    async with (
        worker.shell as shell,
        producing(real_kafka.bootstrap, transactional_id=group, compression_type="lz4") as producer,
    ):
        for fate in ("commit", "abort"):
            await producer.begin_transaction()
            await asyncio.gather(*[await producer.send(topic, fate.encode(), partition=0) for _ in range(3)])
            await getattr(producer, f"{fate}_transaction")()
        await worker.until(lambda: bool(worker.chunks) and worker.chunks[-1].next == 8)
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"open", partition=0)
        async with asyncio.timeout(_WITHIN_S):
            while shell.highwater(topic, 0) != 9:
                await asyncio.get_running_loop().run_in_executor(None, lambda: None)
        assert shell.caught_up_at(topic, 0) is None
        await producer.commit_transaction()
        await worker.until(lambda: worker.chunks[-1].next == 10)
    assert worker.values(topic, 0) == [b"commit"] * 3 + [b"open"]


class _Clock:
    """A clock that the test puts forward."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_log_that_ends_too_early_is_believed_when_it_stays_so() -> None:
    """A broker that starts after a crash may tell an old end for a moment; it is asked again."""
    place, clock = TopicPartition("touchpoints", 0), _Clock()
    known = SubscriptionState()
    known.assign_from_user([place])
    assignment = known.subscription.assignment
    state = assignment.state_value(place)
    state.seek(10)
    cut = Cut(patience_s=5.0, clock=clock)

    state.highwater, state.timestamp = 7, 1
    cut.look(assignment)
    clock.now = 60.0
    cut.look(assignment)  # nothing was answered since
    state.highwater, state.timestamp = 12, 2
    cut.look(assignment)
    state.highwater, state.timestamp = 7, 3
    cut.look(assignment)
    clock.now, state.timestamp = 64.0, 4
    cut.look(assignment)
    clock.now = 65.0
    with pytest.raises(FetchFailed, match="OffsetOutOfRange"):
        cut.look(assignment)
