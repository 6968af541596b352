from __future__ import annotations

import time
from pathlib import Path

import pytest

from retarget.journeys import wire
from retarget.journeys.model import Deferred, Journey, Product
from retarget.times import DAY, format_time
from streams.embedded import EmbeddedStore
from streams.images import Folder
from streams.lanes.positions import Positions, encode
from streams.ports import Checkpoint
from streams.privacy.scanning import Find, Scanner, left_of
from streams.settings import load_settings
from streams.snapshotting import snapshot_of_store
from streams.stores import MemoryStore, open_store
from streams.stores.opening import Store
from tests.factories import NOON

LANES = 3
MARK = Journey(person="ann", erased=True, erased_at=NOON, marks={"once": {"ann": NOON}})


async def put(store: Store, lane: int, *journeys: Journey, **parts: list[tuple[str, object]]) -> None:
    """Write these into a lane that has nothing."""
    written = [(one.person, wire.encode(one)) for one in journeys]
    more = dict(parts)
    checkpoint = Checkpoint(expected=0, meta=encode(Positions()), journeys=written, **more)  # type: ignore[arg-type]
    await store.checkpoint(lane, checkpoint)


@pytest.mark.parametrize(
    ("journey", "what"),
    [
        (Journey(person="ann"), "a journey"),
        (Journey(person="a7", moved=[(5, "ann")]), "named in the journey of a7"),
        (Journey(person="bob", joined={"ann": 5}), "named in the journey of bob"),
        (Journey(person="bob", anonymous_id="ann"), "named in the journey of bob"),
        (
            Journey(person="bob", deferred=[Deferred(5, "r", "", "e", 1, 5, person="ann")]),
            "named in the journey of bob",
        ),
    ],
)
async def test_it_looks_at_everybody_in_every_lane(journey: Journey, what: str) -> None:
    """Also under other names, and in the lane in which the person should not be."""
    for lane in range(LANES):
        store = MemoryStore()
        await put(store, lane, Journey(person="ann2"), journey)
        (found,) = await Scanner(["ann"]).store(store, LANES)
        assert found == Find(f"lane {lane}", "ann", what, beside=what.startswith("named"))


async def test_waits_and_who_follows_a_product_count() -> None:
    """A journey that is gone is not enough."""
    store = MemoryStore()
    await put(store, 2, waits=[("ann", 5)], following=[("lamp", "ann"), ("lamp", "bob")])
    found = await Scanner(["ann"]).store(store, LANES)
    assert [one.what for one in found] == ["a wait", "follows product lamp"]


async def test_a_mark_is_no_find_and_a_product_of_the_same_name_neither() -> None:
    """That they were erased stays; and an id may be the name of something else."""
    store = MemoryStore()
    await put(store, 0, MARK, Journey(person="bob", products={"ann": Product(seen=5)}))
    found = await Scanner(["ann"]).store(store, LANES)
    assert [(one.name, one.is_mark) for one in found] == [("ann", True)]


async def test_a_device_that_somebody_else_has_by_now_may_stay() -> None:
    """Where the person was erased; as long as it leads to them, or nobody was erased, it is a find."""
    bob = Journey(person="bob", user_id="bob", joined={"a1": NOON})
    for owners, others, left in (
        (["bob"], [MARK, bob], []),
        (["bob"], [MARK, Journey(person="bob", joined={"ann": 5})], ["named in the journey of bob"]),
        (["bob"], [], ["leads to somebody who was not named"]),
        (["ann", "bob"], [MARK], ["a journey"]),
        (["bob"], [Journey(person="ann")], ["a journey", "leads to somebody who was not named"]),
    ):
        store = MemoryStore()
        device = Journey(person="a1", moved=[(NOON + at, to) for at, to in enumerate(owners)])
        waits: list[tuple[str, object]] = [("a1", NOON + DAY)] if len(others) == 2 else []
        await put(store, 0, *others, device, waits=waits)
        assert [one.what for one in left_of(await Scanner(["ann", "a1"]).store(store, LANES))] == left


async def test_what_has_come_since_the_erasure_is_a_find() -> None:
    """Somebody who has come back is stored again."""
    store = MemoryStore()
    await put(store, 0, Journey(person="ann", erased=True, erased_at=NOON, first=NOON + 5))
    (find,) = await Scanner(["ann"]).store(store, LANES)
    assert not find.is_mark


async def test_snapshots_are_looked_at_whole_or_not(tmp_path: Path) -> None:
    """Also one that was broken off: its files are on the disk."""
    store, folder = MemoryStore(), Folder(tmp_path, "shop", 1)
    await put(store, 0, Journey(person="ann"))
    settings = load_settings(None, {}, ["app.id=shop", "kafka.partitions=1"])
    whole = await snapshot_of_store(settings, store, folder, lambda _: None)
    assert [one.what for one in Scanner(["ann"]).snapshots(folder)] == ["a journey"]
    whole.rename(whole.with_name(f"{format_time(NOON)}.partial"))
    assert [one.what for one in Scanner(["ann"]).snapshots(folder)] == ["a journey"]
    assert Scanner(["an", "ann "]).snapshots(folder) == []


async def test_a_hundred_thousand_people_are_looked_through_in_seconds(store: EmbeddedStore) -> None:
    """The promise is a minute for a whole shop; here a tenth of one is looked through, over the network."""
    people = [
        Journey(person=f"u{number}", products={f"p{n}": Product(seen=NOON, name="x" * 20) for n in range(5)})
        for number in range(100_000)
    ]
    opened = await open_store(store.url, "shop", LANES)
    try:
        for lane in range(LANES):
            for first in range(0, len(people) // LANES, 5_000):
                part = people[lane * 33_000 + first :][: min(5_000, 33_000 - first)]
                written = [(one.person, wire.encode(one)) for one in part]
                at = first // 5_000
                await opened.checkpoint(lane, Checkpoint(expected=at, meta=b"", journeys=written))
        begun = time.monotonic()
        (find,) = await Scanner(["u70000"]).store(opened, LANES)
    finally:
        await opened.close()
    assert find.name == "u70000"
    assert time.monotonic() - begun < 20
