"""One lane gets nearly all the traffic: the others decide as promptly as before."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
import pytest

from retarget.decode import decode_canonical
from retarget.touchpoints import Touchpoint
from streams import topics
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.files import FileEvent, sorted_by_time
from streams.kafka import KafkaAddress, Reader
from streams.lanes import positions
from streams.stores import open_store
from streams.topics import partition_of
from tests.e2e.emitted import Outlet
from tests.e2e.harness import OLD_FILES, Stage, on_stage, replayed, until
from tests.oracle.histories import random_history

PARTITIONS: Final = 4
HOT: Final = 0
EVENTS: Final = 30_000
HISTORIES: Final = 4
# From the event to its message in the topic, with one lane at its limit beside it, on a busy machine.
PROMPT_S: Final = 3.0
HOUR: Final = 3_600_000


def in_lane(person: str, wanted: Callable[[int], bool]) -> str:
    """A name like this one that belongs to a wanted lane."""
    names = (f"{person}.{n}" for n in range(1_000))
    return next(name for name in names if wanted(partition_of(name.encode(), PARTITIONS)))


def read(lines: Sequence[dict[str, Any]], file: str) -> list[FileEvent]:
    """Events as those of a file."""
    raws = [json.dumps(line).encode() for line in lines]
    return [FileEvent(file, line, decode_canonical(raw), raw) for line, raw in enumerate(raws, start=1)]


def hot() -> list[FileEvent]:
    """People of all kinds, all in one lane; of several histories, as a long one would end in the future."""
    told = [
        (history, msgspec.to_builtins(event))
        for history in range(HISTORIES)
        for event in random_history(history, EVENTS // HISTORIES)
    ]
    for history, line in told:
        line["id"] = f"{history}.{line['id']}" if line.get("id") else None
        for name in ("user_id", "anonymous_id"):
            if line.get(name):
                line[name] = in_lane(f"{history}.{line[name]}", lambda lane: lane == HOT)
    return sorted_by_time(read([line for _, line in told], "hot"))


def purchase(number: int, at: int) -> FileEvent:
    """Somebody in another lane buys for the first time, which is answered at once."""
    person = in_lane(f"buyer{number}", lambda lane: lane != HOT)
    line = {"id": f"b{number}", "type": "purchase", "user_id": person, "order_id": f"o{number}", "time": at}
    return read([line], f"buyer{number}")[0]


async def answered(stage: Stage, outlet: Outlet, person: str) -> float:
    """Wait for the decision about somebody's first purchase; how long it took, s."""
    started, seen = time.monotonic(), 0

    async def found() -> bool:
        nonlocal seen
        await outlet.poll()
        new, seen = outlet.records[seen:], len(outlet.records)
        return any(one.topic == topics.DECISIONS and person.encode() in one.value for one in new)

    await until(found, f"what is decided about {person}", stage.logs)
    return time.monotonic() - started


async def left(stage: Stage, reader: Reader) -> int:
    """How much of its input the hot lane has not stored."""
    store = await open_store(stage.store.url, stage.app_id, PARTITIONS)
    try:
        stands = positions.decode((await store.image(HOT)).meta)
    finally:
        await store.close()
    return await reader.end(topics.TOUCHPOINTS, HOT) - stands.frontier.get(topics.TOUCHPOINTS, 0)


async def buy_meanwhile(stage: Stage, outlet: Outlet, began: int) -> tuple[list[FileEvent], list[float]]:
    """One person after the other buys in the other lanes until the hot one is through; how long each took."""
    buyers: list[FileEvent] = []
    took: list[float] = []
    reader = Reader(KafkaAddress(bootstrap=stage.bootstrap))
    await reader.start()
    try:
        while await left(stage, reader) > EVENTS // 10:
            buyers.append(purchase(len(buyers), began + len(buyers) * 60_000))
            await stage.produce(buyers[-1:])
            took.append(await answered(stage, outlet, f"buyer{len(buyers) - 1}."))
    finally:
        await reader.close()
    return buyers, took


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_hot_partition(store: EmbeddedStore, tmp_path: Path) -> None:
    """While one lane works off a backlog, people of the others are answered at once, and nothing is amiss."""
    crowd = hot()
    began = max(event.found.time for event in crowd if isinstance(event.found, Touchpoint)) + HOUR
    with EmbeddedBroker(folder=tmp_path) as broker:
        stage = Stage(
            bootstrap=broker.bootstrap,
            store=store,
            folder=tmp_path,
            app_id="engine",
            emit="idempotent",
            partitions=PARTITIONS,
            settings=OLD_FILES,
        )
        async with on_stage(stage), stage.outlet() as outlet:
            stage.worker("one", alone=True)
            await stage.shared_out()
            await stage.produce(crowd, end=False)
            buyers, took = await buy_meanwhile(stage, outlet, began)
            print(f"{len(took)} answered meanwhile, median {median(took):.1f} s, at most {max(took):.1f} s")  # noqa: T201
            assert len(took) >= 5, "the backlog was gone too soon to tell"
            assert max(took) < PROMPT_S, took
            await stage.finish(await replayed([*crowd, *buyers], OLD_FILES), outlet, within_s=200)
