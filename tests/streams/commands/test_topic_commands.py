import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from retarget.times import parse_time
from streams.embedded import EmbeddedBroker
from streams.kafka.connection import KafkaAddress
from streams.kafka.looking import Seen, looking, records, spans
from streams.topics import partition_of
from tests.streams.commands.conftest import Retarget

UniqueName = Callable[[str], str]


def content(bootstrap: str, topic: str, partitions: int) -> list[Seen]:
    """Every record of the topic."""

    async def read() -> list[Seen]:
        address = KafkaAddress(bootstrap=bootstrap)
        held = await spans(address, topic, range(partitions))
        async with looking(address, "read_committed") as consumer:
            return [seen async for seen in records(consumer, topic, held)]

    return asyncio.run(read())


@pytest.fixture
def topic(embedded_broker: EmbeddedBroker, unique_name: UniqueName) -> str:
    """A topic of three partitions for one test."""
    name = unique_name("produce")
    embedded_broker.create_topic(name, 3)
    return name


def write(path: Path, *events: dict[str, object] | str) -> Path:
    """A file with these lines."""
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    path.write_text("\n".join(lines) + "\n")
    return path


def view(person: str, minute: int) -> dict[str, object]:
    """A view at so many minutes past ten."""
    return {"type": "view", "user_id": person, "time": f"2024-05-01T10:{minute:02}:00Z"}


def test_produce_sorts_keys_and_partitions(
    retarget: Retarget, embedded_broker: EmbeddedBroker, topic: str, tmp_path: Path
) -> None:
    """Each person's events are in their partition in the order of their times, with ids of file and line."""
    people = [f"p{number}" for number in range(20)]
    file = write(tmp_path / "e.jsonl", *(view(p, 59 - n) for n in range(3) for p in people))
    answer = retarget(
        "produce", file, "--topic", topic, "--set", f"kafka.bootstrap={embedded_broker.bootstrap}"
    )
    assert answer.code == 0, answer.err
    assert answer.out.startswith(f"60 touchpoints to {topic} (3 partitions) in ")

    found = content(embedded_broker.bootstrap, topic, 3)
    assert len(found) == 60
    assert all(seen.partition == partition_of(seen.key or b"", 3) for seen in found)
    of_one = [json.loads(seen.value or b"") for seen in found if seen.key == b"p7"]
    assert [event["time"] for event in of_one] == [
        parse_time(f"2024-05-01T10:{minute}:00Z") for minute in (57, 58, 59)
    ]
    assert [event["id"] for event in of_one] == ["e.jsonl:48", "e.jsonl:28", "e.jsonl:8"]
    assert min(seen.timestamp for seen in found) > parse_time("2026-01-01T00:00:00Z")


def test_produce_as_is_keeps_the_order_and_sends_the_unusable_raw(
    retarget: Retarget, embedded_broker: EmbeddedBroker, topic: str, tmp_path: Path
) -> None:
    """What cannot be read goes on as its bytes, so that the engine sets it aside and counts it."""
    file = write(tmp_path / "e.jsonl", view("a", 5), "no json", view("a", 3))
    answer = retarget(
        "produce", file, "--as-is", "--progress", "--topic", topic,
        "--set", f"kafka.bootstrap={embedded_broker.bootstrap}",
    )  # fmt: skip
    assert "2 touchpoints, 1 unusable records as they are" in answer.out
    assert "touchpoints" in answer.err

    found = content(embedded_broker.bootstrap, topic, 3)
    assert [seen.value for seen in found if seen.key is None] == [b"no json"]
    ids = [json.loads(seen.value or b"")["id"] for seen in found if seen.key == b"a"]
    assert ids == ["e.jsonl:1", "e.jsonl:3"]


def test_end_heartbeats_reach_every_partition(
    retarget: Retarget, embedded_broker: EmbeddedBroker, topic: str, tmp_path: Path
) -> None:
    """Their time is the last event's and the lateness, so that every clock comes to the last event."""
    file = write(tmp_path / "e.jsonl", view("a", 5), view("b", 3))
    retarget(
        "produce", file, "--end-heartbeats", "--topic", topic, "--rate", "1000/s",
        "--set", f"kafka.bootstrap={embedded_broker.bootstrap}", "--set", "clock.lateness=7s",
    )  # fmt: skip
    found = content(embedded_broker.bootstrap, topic, 3)
    beats = [seen for seen in found if json.loads(seen.value or b"")["type"] == "heartbeat"]
    assert sorted(seen.partition for seen in beats) == [0, 1, 2]
    assert {json.loads(seen.value or b"")["time"] for seen in beats} == {parse_time("2024-05-01T10:05:07Z")}
    assert all(
        last.key is None
        for last in (max((s for s in found if s.partition == p), key=_offset) for p in range(3))
    )


def _offset(seen: Seen) -> int:
    return seen.offset


def test_produce_names_the_topic_that_is_not_there(
    retarget: Retarget, embedded_broker: EmbeddedBroker, topic: str, tmp_path: Path
) -> None:
    """No topic is created by a typing error; the nearest is named."""
    file = write(tmp_path / "e.jsonl", view("a", 5))
    where = ["--set", f"kafka.bootstrap={embedded_broker.bootstrap}"]
    answer = retarget("produce", file, "--topic", topic[:-1], *where)
    assert answer.code == 1
    assert f"nearest: {topic}" in answer.err
    assert retarget("tail", topic[:-1], *where).code == 1


def test_produce_tells_what_is_wrong_with_files(retarget: Retarget, tmp_path: Path) -> None:
    """Exit 1 with every problem, before Kafka is asked for."""
    answer = retarget("produce", tmp_path / "a.jsonl", tmp_path)
    assert answer.code == 1
    assert answer.err.splitlines() == [
        f"{tmp_path}/a.jsonl: there is no such file",
        f"{tmp_path}: is a folder; name the files in it",
    ]
    assert retarget("produce", tmp_path, "--dialect", "klingon").code == 1


def test_tail_prints_the_last_or_all(
    retarget: Retarget, embedded_broker: EmbeddedBroker, topic: str, tmp_path: Path
) -> None:
    """The last ten by default, everything from the start, and at most as many as asked for."""
    where = ["--set", f"kafka.bootstrap={embedded_broker.bootstrap}"]
    assert retarget("tail", topic, *where).out == ""
    file = write(tmp_path / "e.jsonl", *(view(f"p{n}", n) for n in range(30)))
    retarget("produce", file, "--topic", topic, *where)

    assert len(retarget("tail", topic, *where).out.splitlines()) == 10
    assert len(retarget("tail", topic, "--from-start", *where).out.splitlines()) == 30
    assert len(retarget("tail", topic, "--from-start", "--max", "4", *where).out.splitlines()) == 4
    lines = retarget("tail", topic, "--from-start", "--read-uncommitted", "--json", *where).out.splitlines()
    assert {json.loads(line)["user_id"] for line in lines} == {f"p{n}" for n in range(30)}


def test_topics_are_created_once_and_checked(retarget: Retarget, broker: EmbeddedBroker) -> None:
    """Check names what is missing and creates nothing; the second creation finds all as it must be."""
    where = ["--set", f"kafka.bootstrap={broker.bootstrap}", "--set", "kafka.partitions=2"]
    before = retarget("topics", "--check", *where)
    assert before.code == 1
    assert "topic touchpoints is missing; `retarget topics` creates it" in before.err.splitlines()

    created = retarget("topics", *where)
    assert created.code == 0
    assert "created retarget.decisions" in created.out.splitlines()
    for words in (["topics"], ["topics", "--check"]):
        assert retarget(*words, *where).out == created.out.splitlines()[-1] + "\n"
    wrong = retarget("topics", "--check", *where, "--set", "kafka.partitions=3")
    assert wrong.code == 1
    assert "topic touchpoints has 2 partitions" in wrong.err


def test_simulate_sends_the_shop_and_heartbeats(retarget: Retarget, broker: EmbeddedBroker) -> None:
    """A second of a fast shop ends at the present and reaches every partition."""
    where = ["--set", f"kafka.bootstrap={broker.bootstrap}", "--topic", "shop"]
    broker.create_topic("shop", 2)
    answer = retarget("simulate", "--people", "30", "--speed", "3000", "--seconds", "1", *where)
    assert answer.code == 0, answer.err
    assert "need clock.now=event" in answer.err
    found = content(broker.bootstrap, "shop", 2)
    assert f"{len(found):,} records" in answer.out
    beats = {seen.partition for seen in found if b'"heartbeat"' in (seen.value or b"")}
    assert beats == {0, 1}
