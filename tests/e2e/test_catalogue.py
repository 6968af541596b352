"""A worker dies while the catalogue is handed to the lanes, and the store loses all: everybody hears once."""

from __future__ import annotations

import json
from pathlib import Path

import redis

from retarget.catalogue import read_record, unpack
from retarget.times import HOUR, MINUTE, SECOND
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.files import FileEvent, with_catalogue
from streams.kafka import KafkaAddress, Reader
from streams.kafka.sending import Outgoing, producing, send
from streams.lanes import positions
from streams.stores import open_store
from streams.topics import CATALOGUE, FANNED
from tests.e2e.harness import OLD_FILES, Stage, file_events, on_stage, replayed, until
from tests.factories import NOON, Event, a_view, an_event, an_item

_PRODUCTS = [f"p{number}" for number in range(40)]
_PEOPLE = 240
# Where every lane's clock stands when the catalogue speaks.
_READ = NOON + 10 * MINUTE


def looks() -> list[Event]:
    """Each person looks at one product; the last look is the one by which the clocks go."""
    return [
        a_view(
            at=_READ - (_PEOPLE - 1 - number) * SECOND, person=f"u{number}",
            items=[an_item(_PRODUCTS[number % len(_PRODUCTS)], price=100)],
        )
        for number in range(_PEOPLE)
    ]  # fmt: skip


def changes() -> list[Event]:
    """Touchpoints by which the shop tells of every fourth product, at that moment."""
    kinds = {"price_change": {"price": 60}, "stock_change": {"quantity": 2}}
    return [
        {"id": f"c{number}", "type": kind, "time": _READ, "items": [{"product_id": product} | told]}
        for number, product in enumerate(_PRODUCTS[::4])
        for kind, told in [list(kinds.items())[number % 2]]
    ]


def listed() -> list[FileEvent]:
    """Records of the catalogue of times to come: prices that fall, stock that goes and comes."""
    records = [
        {"id": f"r{turn}-{product}", "product_id": product, "time": _READ + (turn * 60 + n + 1) * SECOND}
        | told
        for turn, told in enumerate(({"stock": 0}, {"stock": 5, "price": 80}, {"price": 40}, {"stock": 1}))
        for n, product in enumerate(_PRODUCTS)
    ]
    raw = [json.dumps(record).encode() for record in records]
    return [
        FileEvent("listed", n, read_record(one, None, 10**6), one, listed=True) for n, one in enumerate(raw)
    ]


async def heard(stage: Stage, total: int) -> bool:
    """Whether every lane has read so many different records, and all that its topic has."""
    reader = Reader(KafkaAddress(bootstrap=stage.bootstrap))
    store = await open_store(stage.store.url, stage.app_id, stage.partitions)
    await reader.start()
    try:
        for lane in range(stage.partitions):
            end = await reader.end(FANNED, lane)
            found = await reader.read(FANNED, lane, 0, end) if end else []
            fanned = [unpack(one.value or b"") for one in found]
            places = {(one.partition, one.offset) for one in fanned}
            meta = (await store.image(lane)).meta
            if len(places) < total or positions.decode(meta).frontier.get(FANNED, 0) < end:
                return False
    finally:
        await reader.close()
        await store.close()
    return True


async def some_are_fanned(stage: Stage) -> bool:
    """Whether the first lane has a record of the catalogue."""
    reader = Reader(KafkaAddress(bootstrap=stage.bootstrap))
    await reader.start()
    try:
        return await reader.end(FANNED, 0) > 0
    finally:
        await reader.close()


async def test_everybody_hears_once_though_a_worker_dies_while_records_are_handed_on(
    store: EmbeddedStore, tmp_path: Path
) -> None:
    """Killed in the middle, the store emptied, started again: what a replay of the same input sends, once."""
    views, told, records = file_events(looks()), file_events(changes()), listed()
    last = file_events([an_event("page", at=_READ + HOUR, person="u1")])
    wanted = await replayed(with_catalogue([*views, *told, *last], records), OLD_FILES)
    rules = {json.loads(each.value).get("rule") for each in wanted}
    assert {"price_drop", "back_in_stock", "low_stock"} <= rules
    with EmbeddedBroker(folder=tmp_path) as broker:
        stage = Stage(
            bootstrap=broker.bootstrap, store=store, folder=tmp_path, app_id="engine", emit="idempotent",
            partitions=3, settings=(*OLD_FILES, "batch.records=20", "batch.persons=10"),
        )  # fmt: skip
        async with on_stage(stage):
            worker = stage.worker("one", alone=True)
            await stage.produce(views)
            await stage.done()
            async with producing(KafkaAddress(bootstrap=broker.bootstrap)) as producer:
                given = [Outgoing(CATALOGUE, n % 3, None, one.raw) for n, one in enumerate(records)]
                await send(producer, given)
            await stage.produce(told, end=False)
            await until(lambda: some_are_fanned(stage), "records on their way to the lanes", stage.logs)
            worker.kill()
            with redis.Redis.from_url(store.url) as client:
                client.flushall()
            stage.worker("one", alone=True)
            total = len(records) + len(told)
            await until(lambda: heard(stage, total), "every lane has heard of everything", stage.logs)
            await stage.produce(last)
            await stage.finish(wanted)
