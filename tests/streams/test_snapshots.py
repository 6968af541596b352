"""Snapshots on the disk: there as a whole or not at all, looked at before they are used, tidied."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from retarget.errors import BadInput, LaneRefused
from streams.images import Folder
from streams.images.manifest import NAME
from streams.kafka import KafkaAddress, Reader, journal
from streams.kafka.past import PastLog
from streams.ports import NOTHING_FOLLOWS, Checkpoint, JournalRecord, Portion, Record
from streams.settings import Settings, load_settings
from streams.snapshotting import snapshot_of_store
from streams.stores import MemoryStore
from tests.support.journals import whole

_LANES = 2


def settings(*given: str) -> Settings:
    """Those of an engine of two lanes."""
    return load_settings(None, {}, ("app.id=a/b", f"kafka.partitions={_LANES}", *given))


async def filled(sequence: int) -> MemoryStore:
    """A store with something of every kind in it."""
    store = MemoryStore()
    await store.set_pause("push", 5)
    for lane in range(_LANES):
        checkpoint = Checkpoint(
            expected=0,
            then=sequence + lane,
            meta=msgspec.msgpack.encode({"journal": sequence}),
            journeys=[("änn", b"\x02a"), ("bob", b"\x02b")],
            waits=[("bob", 12)],
            listings=[("p", b"l")],
            following=[("p", "bob"), ("p", "änn")],
        )
        await store.checkpoint(lane, checkpoint)
    return store


async def written(root: Path, sequence: int) -> Path:
    """A snapshot of that store."""
    folder = Folder(root, "a/b", _LANES)
    return await snapshot_of_store(settings(), await filled(sequence), folder, lambda _: None)


def partials(root: Path) -> list[Path]:
    """What is left of snapshots that did not become whole."""
    return list(root.rglob("*.partial"))


def folder_of(folder: Folder) -> None:
    """Make the folder that its snapshots are in."""
    Path(folder.place).mkdir()


async def everything(portions: AsyncIterator[Portion]) -> list[object]:
    """What came, of all portions together."""
    parts = [part async for part in portions]
    return [
        sorted(tuple(one) for part in parts for one in getattr(part, name))
        for name in ("journeys", "waits", "listings", "following")
    ]


async def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Every lane with its sequence, positions, kill switches and all that is in it; the newest one first."""
    folder = Folder(tmp_path, "a/b", _LANES)
    assert await folder.newest(0) is None
    await written(tmp_path, 40)
    await written(tmp_path, 50)
    store = await filled(50)
    for lane in range(_LANES):
        copy = await folder.newest(lane)
        assert copy is not None
        assert copy.image == await store.image(lane)
        assert copy.pauses == {"push": 5}
        assert await everything(copy.portions(NOTHING_FOLLOWS)) == await everything(store.portions(lane))
    newest, older = folder.all()
    assert folder.tidy(1) == [older]
    assert folder.all() == [newest]
    assert partials(tmp_path) == []


async def test_a_damaged_one_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One bit, a part that is missing, a manifest that is none: the older one is taken, with a warning."""
    await written(tmp_path, 40)
    whole = await written(tmp_path, 50)
    folder = Folder(tmp_path, "a/b", _LANES)
    part = whole / "lane-0000.part"
    good = part.read_bytes()
    part.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    for damage in ("is damaged", "cannot be read", "is no manifest"):
        with caplog.at_level(logging.WARNING, "retarget.snapshot"):
            copy = await folder.newest(0)
        assert copy is not None
        assert copy.image.sequence == 40
        assert damage in caplog.text
        if damage == "is damaged":
            part.unlink()
        else:
            (whole / NAME).write_text("{")


async def test_one_of_a_newer_build_is_refused(tmp_path: Path) -> None:
    """It is not passed over: an older one would do, but the operator has put an older build to work."""
    whole = await written(tmp_path, 50)
    manifest = msgspec.json.decode((whole / NAME).read_bytes())
    (whole / NAME).write_bytes(msgspec.json.encode(manifest | {"journeys": 99}))
    with pytest.raises(LaneRefused, match=r"manifest.json: retarget .* deploy that version"):
        await Folder(tmp_path, "a/b", _LANES).newest(0)


async def test_another_engines_is_not_taken(tmp_path: Path) -> None:
    """Neither that of another name, nor that of another number of lanes, nor one that was copied there."""
    whole = await written(tmp_path, 50)
    for other in (Folder(tmp_path, "a", _LANES), Folder(tmp_path, "a/b", 4)):
        assert await other.newest(0) is None
        folder_of(other)
        whole.rename(Path(other.place) / whole.name)
        assert await other.newest(0) is None
        whole = Path(other.place) / whole.name


async def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    """What is not whole is not there."""
    folder = Folder(tmp_path, "a/b", _LANES)
    with pytest.raises(ZeroDivisionError), folder.new(5) as partial:
        (partial / "x").write_text(str(1 / 0))
    assert partials(tmp_path) == []
    assert folder.all() == []
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(BadInput, match=r"snapshot.folder: .* cannot be made"), Folder(blocked, "a", 1).new(5):
        pass


async def test_a_store_that_moves_is_no_source(tmp_path: Path) -> None:
    """A lane that works meanwhile cannot be copied from the store."""

    class Moving(MemoryStore):
        async def portions(self, lane: int, size: int = 1) -> AsyncIterator[Portion]:
            async for portion in super().portions(lane, size):
                yield portion
            await self.checkpoint(lane, Checkpoint(expected=0, meta=b"\x80"))

    folder = Folder(tmp_path, "a/b", _LANES)
    with pytest.raises(BadInput, match=r"store.url: lane 0 moves while it is copied; stop the workers"):
        await snapshot_of_store(settings(), Moving(), folder, lambda _: None)
    assert folder.all() == []


class JournalReader:
    """A reader of one journal."""

    def __init__(self, records: list[JournalRecord]) -> None:
        self._records = [
            Record("j", offset, -1, None, journal.encode(record)) for offset, record in enumerate(records)
        ]

    async def read(self, topic: str, partition: int, start: int, end: int) -> list[Record]:  # noqa: ARG002
        """See Reader."""
        return self._records[start:end]


def past(records: list[JournalRecord], portion: int) -> PastLog:
    """The past of a lane with this journal."""
    reader = cast("Reader", cast("Any", JournalReader(records)))
    address = KafkaAddress(bootstrap="nowhere:1")
    return PastLog(address, reader, 0, app_id="a", end=len(records), portion=portion)


async def sequences(log: PastLog) -> list[int]:
    """All that it gives, portion after portion."""
    found: list[int] = []
    offset = 0
    while records := await whole(await log.history(offset)):
        found += [record.sequence for _, record in records]
        offset = records[-1][0] + 1
    return found


@pytest.mark.parametrize("portion", [1, 2, 3, 100])
async def test_a_batch_whose_outputs_may_not_be_out_is_not_copied(portion: int) -> None:
    """Without transactions its record comes first: a copy with it in would lose what was never sent."""
    pauses: Mapping[str, int] = {"push": 3}

    def batch(sequence: int, writer: str, acknowledged: int) -> JournalRecord:
        return JournalRecord(sequence=sequence, writer=writer, acknowledged=acknowledged, pauses=dict(pauses))

    records = [
        JournalRecord(sequence=0, claim="0-a"),
        batch(1, "0-a", 0),
        batch(2, "0-a", 1),
        JournalRecord(sequence=0, claim="3-b"),
        batch(3, "0-a", 2),
        batch(3, "3-b", 2),
        batch(4, "3-b", 3),
    ]
    log = past(records, portion)
    assert await sequences(log) == [1, 2, 3]
    assert log.pauses == pauses
    transactional = [JournalRecord(sequence=n) for n in range(1, 6)]
    assert await sequences(past(transactional, portion)) == [1, 2, 3, 4, 5]
