# ruff: noqa: SLF001 - a commit is stopped half way by its own means
import asyncio
import gc
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.transaction import EndTxnRequest

from retarget.errors import BadInput, LaneRefused, Unreachable
from streams import topics
from streams.embedded import EmbeddedBroker
from streams.embedded.processes import free_port
from streams.kafka import (
    IdempotentLog,
    KafkaAddress,
    Reader,
    RepeatFilter,
    TransactionalLog,
    create_or_check,
)
from streams.kafka.connection import MAX_RECORD_BYTES
from streams.kafka.sending import send, stamped
from streams.ports import Fenced, JournalRecord, Output, UnknownOutcome
from streams.topics import TopicSpec
from tests.support.journals import whole
from tests.support.kafka.real_kafka import RealKafka, create_topic, drop_records

Log = TransactionalLog | IdempotentLog
Name = Callable[[str], str]

ROOT = Path(__file__).resolve().parents[2]
LANE = 1
PARTITIONS = 3


@dataclass(frozen=True)
class Side:
    """A broker and the log that suits it."""

    bootstrap: str
    log: type[Log]


@pytest.fixture(
    params=[
        pytest.param(("embedded_broker", IdempotentLog), id="idempotent", marks=pytest.mark.embedded),
        pytest.param(("real_kafka", TransactionalLog), id="transactional", marks=pytest.mark.kafka),
        pytest.param(("real_kafka", IdempotentLog), id="idempotent-kafka", marks=pytest.mark.kafka),
    ]
)
def side(request: pytest.FixtureRequest) -> Side:
    """Each log on a broker that can carry it."""
    fixture, log = request.param
    return Side(request.getfixturevalue(fixture).bootstrap, log)


@dataclass
class World:
    """A journal and one output topic, both new, and the logs that a test opened on them."""

    side: Side
    journal: str
    out: str
    reader: Reader
    logs: list[Log]

    def log(self, deadline_s: float = 15.0) -> Log:
        """One more log of the same lane, as another worker would have it."""
        address = KafkaAddress(bootstrap=self.side.bootstrap)
        made = self.side.log(
            address, self.reader, LANE, app_id=self.out, journal_topic=self.journal, deadline_s=deadline_s
        )
        self.logs.append(made)
        return made

    def outputs(self, sequence: int, count: int = 6) -> list[Output]:
        """What the batch with this sequence sends: the same whenever it is asked."""
        return [Output(self.out, b"p%d" % number, b"%d.%d" % (sequence, number)) for number in range(count)]

    async def emitted(self) -> list[bytes]:
        """What a read_committed consumer with the filter takes, of all partitions."""
        taken, seen = [], RepeatFilter()
        for partition in range(PARTITIONS):
            end = await self.reader.end(self.out, partition)
            found = await self.reader.read_with_headers(self.out, partition, 0, end)
            for record, headers in zip(found.records, found.headers, strict=True):
                if seen.is_new(self.out, partition, headers):
                    taken.append(record.value or b"")
        return sorted(taken)

    def expected(self, *sequences: int) -> list[bytes]:
        """All that the batches with these sequences send."""
        return sorted(one.value for sequence in sequences for one in self.outputs(sequence))


@asynccontextmanager
async def world(side: Side, name: Name) -> AsyncIterator[World]:
    """Make the topics and close whatever the test opened."""
    address = KafkaAddress(bootstrap=side.bootstrap)
    journal, out = name("journal"), name("out")
    await create_or_check(
        address,
        [
            TopicSpec(journal, PARTITIONS, exact=True, keep="forever"),
            TopicSpec(out, PARTITIONS, exact=False, keep="broker"),
        ],
    )
    reader = Reader(address)
    await reader.start()
    made = World(side, journal, out, reader, [])
    try:
        yield made
    finally:
        for log in made.logs:
            await log.close()
        await reader.close()


def batch(sequence: int) -> JournalRecord:
    """The journal record of a batch."""
    return JournalRecord(sequence=sequence, frontier={"touchpoints": 10 * sequence}, clock=sequence)


async def take_over(here: World, log: Log) -> int:
    """Claim, send again what may be missing, and tell the last sequence, as every lane does."""
    await log.claim()
    history = await log.history(0)
    for _, record in await whole(history):
        if record.sequence > history.acknowledged:
            await log.emit_again(record, here.outputs(record.sequence))
    return history.last[1].sequence if history.last else 0


def sequences(records: Sequence[tuple[int, JournalRecord]]) -> list[int]:
    """The sequences of a history's records."""
    return [record.sequence for _, record in records]


async def test_a_batch_comes_back_as_it_was_committed(side: Side, unique_name: Name) -> None:
    """A journal record keeps every field, and its outputs are in their topic under the keys' partitions."""
    async with world(side, unique_name) as here:
        log = here.log()
        await log.claim()
        record = JournalRecord(
            sequence=1, incarnation=2, frontier={"a": 7}, worked=3, clock=4, now=5, tick=6, bundle="b",
            pauses={"email": 1}, outputs=6, digest="d",
        )  # fmt: skip
        offset = await log.commit(record, here.outputs(1))
        ((found_at, found),) = await whole(await log.history(0))
        assert found_at == offset
        for field in record.__struct_fields__:
            if field != "writer":
                assert getattr(found, field) == getattr(record, field)
        assert await here.emitted() == here.expected(1)
        for partition in range(PARTITIONS):
            end = await here.reader.end(here.out, partition)
            for one in await here.reader.read(here.out, partition, 0, end):
                assert topics.partition_of(one.key or b"", PARTITIONS) == partition


async def test_history_goes_on_behind_a_record(side: Side, unique_name: Name) -> None:
    """From one more than a record's offset on, history holds what followed, over a change of owner too."""
    async with world(side, unique_name) as here:
        first, second = here.log(), here.log()
        await first.claim()
        offsets = [await first.commit(batch(number), []) for number in (1, 2, 3)]
        assert await take_over(here, second) == 3
        await second.commit(batch(4), [])
        for known, offset in enumerate(offsets, start=1):
            found = await second.history(offset + 1)
            assert sequences(await whole(found)) == list(range(known + 1, 5))
            assert found.acknowledged >= 3


async def test_an_empty_journal_has_no_history(side: Side, unique_name: Name) -> None:
    """A new lane begins with nothing, claims apart."""
    async with world(side, unique_name) as here:
        log = here.log()
        await log.claim()
        assert await whole(await log.history(0)) == []
        assert await here.reader.beginning(here.journal, LANE) == 0


async def test_the_former_owner_is_refused_and_leaves_nothing(side: Side, unique_name: Name) -> None:
    """After another claim a commit raises Fenced, and neither its record nor its outputs are seen."""
    async with world(side, unique_name) as here:
        former, owner = here.log(), here.log()
        await former.claim()
        await former.commit(batch(1), here.outputs(1))
        assert await take_over(here, owner) == 1
        with pytest.raises(Fenced):
            await former.commit(batch(2), [Output(here.out, b"p", b"of a zombie")])
        await owner.commit(batch(2), here.outputs(2))
        assert sequences(await whole(await owner.history(0))) == [1, 2]
        assert await here.emitted() == here.expected(1, 2)


async def test_a_void_claim_takes_no_commit(side: Side, unique_name: Name) -> None:
    """Before the claim, and after a failure until the next claim, commit raises Fenced."""
    async with world(side, unique_name) as here:
        log = here.log()
        with pytest.raises(Fenced):
            await log.commit(batch(1), [])
        await log.claim()
        with pytest.raises(LaneRefused, match="no retry can help"):
            await log.commit(batch(1), [Output(here.out, b"p", bytes(MAX_RECORD_BYTES + 1))])
        with pytest.raises(Fenced):
            await log.commit(batch(1), [])
        assert await take_over(here, log) == 0
        await log.commit(batch(1), here.outputs(1))
        assert await here.emitted() == here.expected(1)


async def test_a_large_batch_keeps_its_order(side: Side, unique_name: Name) -> None:
    """Outputs for several requests arrive whole and, within a partition, in their order."""
    async with world(side, unique_name) as here:
        log = here.log()
        await log.claim()
        noise = random.Random(1)
        outputs = [Output(here.out, b"one person", noise.randbytes(60_000)) for _ in range(20)]
        outputs.append(Output(here.out, b"one person", noise.randbytes(2_000_000)))
        await log.commit(batch(1), outputs)
        partition = topics.partition_of(b"one person", PARTITIONS)
        end = await here.reader.end(here.out, partition)
        found = await here.reader.read(here.out, partition, 0, end)
        assert [one.value for one in found] == [one.value for one in outputs]


async def fail_later(log: Log, unlucky: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of all that the log sends from now on, the one with this number fails, a little later; the topics."""
    async with log._owned() as producer:
        sends: list[str] = []
        ask = producer.send_batch

        async def ask_and_lose(batch: object, topic: str, *, partition: int) -> asyncio.Future[object]:
            sends.append(topic)
            answer: asyncio.Future[object] = await ask(batch, topic, partition=partition)
            if len(sends) - 1 != unlucky:
                return answer
            lost: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(0.2, lost.set_exception, KafkaConnectionError())
            return lost

        monkeypatch.setattr(producer, "send_batch", ask_and_lose)
    return sends


@pytest.mark.parametrize("unlucky", range(1 + PARTITIONS))
async def test_every_send_is_awaited(
    side: Side, unique_name: Name, unlucky: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of a batch's sends fails, and however late, the commit knows it; the next claim mends it."""
    async with world(side, unique_name) as here:
        log, owner = here.log(), here.log()
        await log.claim()
        sends = await fail_later(log, unlucky, monkeypatch)
        with pytest.raises(UnknownOutcome):
            await log.commit(batch(1), here.outputs(1))
        assert len(sends) > unlucky, "there was no such send"
        last = await take_over(here, owner)
        await owner.commit(batch(last + 1), here.outputs(last + 1))
        assert await here.emitted() == here.expected(*range(1, last + 2))


async def stop_half_way(here: World, log: Log, sequence: int = 2) -> None:
    """Go to the point of a commit where as much as possible is out and nothing is final."""
    async with log._owned() as producer:
        record = batch(sequence)
        outgoing = await stamped(producer, LANE, record, here.outputs(sequence), within_s=15)
        if isinstance(log, TransactionalLog):
            await producer.begin_transaction()
            await send(producer, [*outgoing, log._journaled(record)])
        else:
            record.writer, record.acknowledged = log._token, sequence - 1
            await send(producer, [log._journaled(record)])
            await send(producer, outgoing[:3])


async def go_on(log: Log) -> None:
    """Do what an owner does next that stalled half way."""
    async with log._owned() as producer:
        if isinstance(log, TransactionalLog):
            await producer.commit_transaction()
        else:
            await log.commit(batch(3), [])


async def child(bootstrap: str, log: str, journal: str, out: str) -> None:
    """Commit one batch, half of another, say so, and go on when told to; say what comes of that."""
    side = Side(bootstrap, {kind.__name__: kind for kind in (TransactionalLog, IdempotentLog)}[log])
    reader = Reader(KafkaAddress(bootstrap=bootstrap))
    await reader.start()
    here = World(side, journal, out, reader, [])
    mine = here.log()
    await mine.claim()
    await mine.commit(batch(1), here.outputs(1))
    await stop_half_way(here, mine)
    tell("half way")
    await asyncio.to_thread(sys.stdin.readline)
    for attempt in (go_on(mine), mine.commit(batch(4), here.outputs(4))):
        try:
            await attempt
            tell("went on")
        except Fenced:
            tell("fenced")
    await mine.close()
    await reader.close()


def tell(line: str) -> None:
    """Say something to the process that has started this one."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Child:
    """A process with a log of its own, which has come half way through its second batch."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def says(self) -> str:
        """Its next line."""
        assert self.process.stdout is not None
        return (await asyncio.wait_for(self.process.stdout.readline(), 30)).decode().strip()

    def goes_on(self) -> None:
        """Tell it to do what comes next."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"go on\n")

    def stops(self) -> None:
        """SIGSTOP, until it stands still."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)


@asynccontextmanager
async def half_way(here: World) -> AsyncIterator[Child]:
    """A process that has committed its first batch and half of its second one."""
    code = "import asyncio, sys, tests.contracts.test_logs as t; asyncio.run(t.child(*sys.argv[1:]))"
    names = (here.side.bootstrap, here.side.log.__name__, here.journal, here.out)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *names, cwd=ROOT, stdin=pipe, stdout=pipe, env=dict(os.environ)
    )
    child = Child(process)
    try:
        assert await child.says() == "half way"
        yield child
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_killed_process_leaves_a_batch_wholly_or_not_at_all(side: Side, unique_name: Name) -> None:
    """SIGKILL in the middle of a commit: the next owner finds it and completes it, or nobody ever sees it."""
    async with world(side, unique_name) as here:
        async with half_way(here) as former:
            former.process.kill()
            await former.process.wait()

        owner = here.log()
        async with asyncio.timeout(10):  # less than the transaction's own timeout
            last = await take_over(here, owner)
        assert last == (1 if here.side.log is TransactionalLog else 2)
        await owner.commit(batch(last + 1), here.outputs(last + 1))
        assert sequences(await whole(await owner.history(0))) == list(range(1, last + 2))
        assert await here.emitted() == here.expected(*range(1, last + 2))


async def test_a_process_that_is_stopped_in_a_commit_comes_back_as_a_zombie(
    side: Side, unique_name: Name
) -> None:
    """SIGSTOP in the middle of a commit, another takes over, SIGCONT: nothing is torn, nothing is twice."""
    async with world(side, unique_name) as here, half_way(here) as zombie:
        zombie.stops()
        owner = here.log()
        async with asyncio.timeout(10):
            last = await take_over(here, owner)
        assert last == (1 if here.side.log is TransactionalLog else 2)
        await owner.commit(batch(last + 1), here.outputs(last + 1))

        zombie.goes_on()
        zombie.process.send_signal(signal.SIGCONT)
        assert [await zombie.says(), await zombie.says()] == ["fenced", "fenced"]
        assert await asyncio.wait_for(zombie.process.wait(), 30) == 0

        await owner.commit(batch(last + 2), here.outputs(last + 2))
        assert sequences(await whole(await owner.history(0))) == list(range(1, last + 3))
        assert await here.emitted() == here.expected(*range(1, last + 3))


async def test_an_owner_that_stalls_in_a_commit_is_shut_out(side: Side, unique_name: Name) -> None:
    """A claim while the former owner is half way settles that batch; the former one cannot go on."""
    async with world(side, unique_name) as here:
        stalled, owner = here.log(), here.log()
        await stalled.claim()
        await stalled.commit(batch(1), here.outputs(1))
        await stop_half_way(here, stalled)
        last = await take_over(here, owner)
        await owner.commit(batch(last + 1), here.outputs(last + 1))
        with pytest.raises(Fenced):
            await go_on(stalled)
        assert await here.emitted() == here.expected(*range(1, last + 2))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_workers_that_fight_for_a_lane_lose_and_repeat_nothing(
    side: Side, unique_name: Name, seed: int
) -> None:
    """Claims, commits and cancelled commits at once: the journal has no gap, the outputs are its own."""
    draw = random.Random(seed)

    async def work(here: World) -> None:
        log = here.log()
        for _ in range(5):
            try:
                last = await take_over(here, log)
                for sequence in range(last + 1, last + 1 + draw.randrange(4)):
                    patience = draw.choice((None, None, draw.random() * 0.02))
                    async with asyncio.timeout(patience):
                        await log.commit(batch(sequence), here.outputs(sequence))
            except (Fenced, UnknownOutcome, TimeoutError):
                continue

    async with world(side, unique_name) as here:
        await asyncio.gather(*(work(here) for _ in range(3)))
        owner = here.log()
        last = await take_over(here, owner)
        await owner.commit(batch(last + 1), here.outputs(last + 1))
        found = await owner.history(0)
        assert sequences(await whole(found)) == list(range(1, last + 2))
        assert found.acknowledged >= last
        assert await here.emitted() == here.expected(*range(1, last + 2))


async def test_any_range_can_be_read(side: Side, unique_name: Name) -> None:
    """A read holds what has start <= offset < end, whatever batches and markers lie between."""
    async with world(side, unique_name) as here:
        log = here.log()
        await log.claim()
        for sequence in range(1, 6):
            await log.commit(batch(sequence), here.outputs(sequence))
        partition = topics.partition_of(b"p0", PARTITIONS)
        end = await here.reader.end(here.out, partition)
        everything = await here.reader.read(here.out, partition, 0, end)
        assert len(everything) >= 5
        for start in range(end + 1):
            for stop in range(start, end + 1):
                found = await here.reader.read(here.out, partition, start, stop)
                assert found == [one for one in everything if start <= one.offset < stop]


async def test_a_read_of_a_part_keeps_nothing_of_the_rest(side: Side, unique_name: Name) -> None:
    """A replay reads a part thousands of times, and the collector comes seldom; large ones come as well."""
    async with world(side, unique_name) as here:
        log = here.log()
        await log.claim()
        large = [Output(here.out, b"p0", b"%d" % n * 300_000) for n in range(6)]
        await log.commit(batch(1), large)
        partition = topics.partition_of(b"p0", PARTITIONS)
        gc.collect()
        gc.disable()
        try:
            before = fetches_kept()
            for n, wanted in enumerate(large):
                (found,) = await here.reader.read(here.out, partition, n, n + 1)
                assert found.value == wanted.value
            assert fetches_kept() == before
        finally:
            gc.enable()


def fetches_kept() -> int:
    """How many answers to fetches are in memory, with all that came in them."""
    return sum(isinstance(each, PartitionRecords) for each in gc.get_objects())


async def test_a_position_beyond_the_end_is_refused(side: Side, unique_name: Name) -> None:
    """A journal shorter than the store's position was lost, and an input shorter than the frontier too."""
    async with world(side, unique_name) as here:
        log = here.log()
        await log.claim()
        offset = await log.commit(batch(1), [])
        with pytest.raises(LaneRefused, match="the journal was lost"):
            await log.history(offset + 50)
        impatient = Reader(KafkaAddress(bootstrap=side.bootstrap), deadline_s=0.5)
        await impatient.start()
        try:
            with pytest.raises(LaneRefused, match=rf"{here.journal}\[1\].*retention"):
                await impatient.read(here.journal, LANE, 0, offset + 50)
        finally:
            await impatient.close()


@pytest.mark.parametrize("kind", [TransactionalLog, IdempotentLog])
async def test_records_that_retention_removed_are_refused(
    real_kafka: RealKafka, unique_name: Name, kind: type[Log]
) -> None:
    """A read of offsets that are gone names topic, partition, offsets and the remedy."""
    side = Side(real_kafka.bootstrap, kind)
    async with world(side, unique_name) as here:
        log = here.log()
        await log.claim()
        offset = [await log.commit(batch(number), []) for number in (1, 2, 3)][1]
        await drop_records(side.bootstrap, TopicPartition(here.journal, LANE), offset)
        assert await here.reader.beginning(here.journal, LANE) == offset
        with pytest.raises(LaneRefused, match=rf"{here.journal}\[1\].* from offset 0 .* from {offset} to "):
            await log.read(here.journal, 0, offset + 1)
        assert [one.offset for one in await log.read(here.journal, offset, offset + 1)] == [offset]


async def test_topics_are_created_once_and_checked(side: Side, unique_name: Name) -> None:
    """What is missing is created; every topic with another number of partitions is named, all at once."""
    address = KafkaAddress(bootstrap=side.bootstrap)
    names = [unique_name("input") for _ in range(3)]
    specs = [TopicSpec(name, 2, exact=True, keep="forever") for name in names]
    assert sorted(await create_or_check(address, specs[:2])) == sorted(names[:2])
    assert await create_or_check(address, specs) == names[2:]
    with pytest.raises(BadInput) as refused:
        await create_or_check(address, [spec._replace(partitions=3) for spec in specs])
    assert len(refused.value.problems) == 3
    assert all("kafka.partitions" in line for line in refused.value.problems)
    assert await create_or_check(address, [spec._replace(partitions=3, exact=False) for spec in specs]) == []


async def test_topics_get_as_many_copies_as_are_wanted(real_kafka: RealKafka, unique_name: Name) -> None:
    """One broker makes one copy, and refuses two with a line that names the topic; -1 is what it can."""
    address, name = KafkaAddress(bootstrap=real_kafka.bootstrap), unique_name("copies")
    spec = TopicSpec(name, 1, exact=True, keep="broker")
    with pytest.raises(BadInput, match=rf"topic {name}: .*ReplicationFactor"):
        await create_or_check(address, [spec], replication=2)
    assert await create_or_check(address, [spec], replication=1) == [name]
    other = spec._replace(name=unique_name("copies"))
    assert await create_or_check(address, [other]) == [other.name]


async def test_a_missing_broker_is_named() -> None:
    """Without a broker the reader and the topics raise Unreachable with the setting's name."""
    address = KafkaAddress(bootstrap=f"127.0.0.1:{free_port()}")
    for attempt in (Reader(address).start(), create_or_check(address, [])):
        with pytest.raises(Unreachable, match=r"kafka\.bootstrap"):
            await attempt


async def test_a_claim_without_a_broker_is_of_unknown_outcome() -> None:
    """A lane that claims while the broker is away is told to claim anew."""
    address = KafkaAddress(bootstrap=f"127.0.0.1:{free_port()}")
    for kind in (TransactionalLog, IdempotentLog):
        log = kind(address, Reader(address), LANE, app_id="a")
        with pytest.raises(UnknownOutcome):
            await log.claim()
        await log.close()


async def test_a_refused_output_takes_its_whole_batch_with_it(
    real_kafka: RealKafka, unique_name: Name
) -> None:
    """When one topic takes no record of that size, nothing of the batch is seen; the remedy is named."""
    async with world(Side(real_kafka.bootstrap, TransactionalLog), unique_name) as here:
        narrow = unique_name("narrow")
        await create_topic(real_kafka.bootstrap, narrow, 1, {"max.message.bytes": "1000"})
        log = here.log()
        await log.claim()
        wide = Output(narrow, b"p", random.Random(1).randbytes(5000))
        with pytest.raises(UnknownOutcome, match=rf"{narrow} .*max\.message\.bytes"):
            await log.commit(batch(1), [*here.outputs(1), wide])
        assert await take_over(here, log) == 0
        assert await here.emitted() == []
        await log.commit(batch(1), here.outputs(1))
        assert await here.emitted() == here.expected(1)


async def test_a_lost_answer_to_the_end_of_a_transaction_is_an_unknown_outcome(
    real_kafka: RealKafka, unique_name: Name, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of a transaction is never sent twice; the next claim finds out what became of it."""
    async with world(Side(real_kafka.bootstrap, TransactionalLog), unique_name) as here:
        log, ends = here.log(), []
        await log.claim()
        async with log._owned() as producer:
            ask = producer.client.send

        async def lose_the_answer(node: int, request: object, **group: object) -> object:
            answer = await ask(node, request, **group)
            if isinstance(request, EndTxnRequest):
                ends.append(request)
                raise KafkaConnectionError
            return answer

        monkeypatch.setattr(producer.client, "send", lose_the_answer)
        with pytest.raises(UnknownOutcome):
            await log.commit(batch(1), here.outputs(1))
        assert len(ends) == 1
        assert await take_over(here, log) == 1
        assert await here.emitted() == here.expected(1)


@pytest.mark.slow
async def test_a_broker_that_dies_in_a_commit(own_kafka: RealKafka, unique_name: Name) -> None:
    """Without a broker a commit ends with UnknownOutcome at its deadline; with it back the lane goes on."""
    async with world(Side(own_kafka.bootstrap, TransactionalLog), unique_name) as here:
        log = here.log(deadline_s=1.0)
        await log.claim()
        await log.commit(batch(1), here.outputs(1))
        own_kafka.kill()
        started = time.monotonic()
        with pytest.raises(UnknownOutcome):
            await log.commit(batch(2), here.outputs(2))
        with pytest.raises(UnknownOutcome):
            await log.claim()
        await log.close()
        assert time.monotonic() - started < 10
        assert [task for task in asyncio.all_tasks() if "Sender" in repr(task)] == []
        own_kafka.start()
        owner = here.log()
        assert await take_over(here, owner) == 1
        await owner.commit(batch(2), here.outputs(2))
        assert await here.emitted() == here.expected(1, 2)


async def test_a_reader_outlives_a_restart_of_the_broker(own_kafka: RealKafka, unique_name: Name) -> None:
    """The shared reader finds the broker again by itself."""
    async with world(Side(own_kafka.bootstrap, IdempotentLog), unique_name) as here:
        log = here.log()
        await log.claim()
        await log.commit(batch(1), here.outputs(1))
        own_kafka.stop()
        own_kafka.start()
        assert await here.emitted() == here.expected(1)


async def test_a_compacted_journal_is_refused(real_kafka: RealKafka, unique_name: Name) -> None:
    """A topic that a replay needs may not lose records to compaction; one that it does not need may."""
    name = unique_name("compacted")
    await create_topic(real_kafka.bootstrap, name, 2, {"cleanup.policy": "compact"})
    address = KafkaAddress(bootstrap=real_kafka.bootstrap)
    with pytest.raises(BadInput, match=f"{name} has cleanup.policy=compact"):
        await create_or_check(address, [TopicSpec(name, 2, exact=True, keep="forever")])
    assert await create_or_check(address, [TopicSpec(name, 2, exact=True, keep="broker")]) == []


async def test_a_topic_of_rules_that_loses_them_is_refused(real_kafka: RealKafka, unique_name: Name) -> None:
    """Bundles are kept for ever by compaction; a topic that deletes is named, one of ours is right."""
    name, ours = unique_name("deleting"), unique_name("ours")
    await create_topic(real_kafka.bootstrap, name, 1, {"cleanup.policy": "delete"})
    address = KafkaAddress(bootstrap=real_kafka.bootstrap)
    with pytest.raises(BadInput, match=f"{name} has cleanup.policy=delete .*set cleanup.policy=compact"):
        await create_or_check(address, [TopicSpec(name, 1, exact=False, keep="latest")])
    wanted = [TopicSpec(ours, 1, exact=False, keep="latest")]
    assert await create_or_check(address, wanted) == [ours]
    assert await create_or_check(address, wanted) == []


async def test_a_superseded_claim_gets_no_history(embedded_broker: EmbeddedBroker, unique_name: Name) -> None:
    """In idempotent mode a lane learns before its first batch that another worker has claimed it."""
    async with world(Side(embedded_broker.bootstrap, IdempotentLog), unique_name) as here:
        former, owner = here.log(), here.log()
        await former.claim()
        await owner.claim()
        with pytest.raises(Fenced):
            await former.history(0)
        assert await whole(await owner.history(0)) == []
