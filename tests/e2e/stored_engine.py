"""A whole engine as a build has left it: topics, store, snapshot and rules in one archive, and what followed.

`python -m tests.e2e.stored_engine FILE.tar.xz`, at the commit of that build, makes one; `test_upgrade.py`
lets today's workers go on from those that are kept.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
import redis

from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.kafka import KafkaAddress, Reader
from streams.kafka.inventory import existing_topics
from streams.kafka.sending import Outgoing
from streams.resources import default_rules_dir
from tests.e2e.harness import OLD_FILES, Stage, file_events, on_stage
from tests.oracle.histories import random_history

APP_ID: Final = "upgraded"
PARTITIONS: Final = 2
_RECORDS: Final = "topics.jsonl"
_KEYS: Final = "store.jsonl"
_SETTINGS: Final = (*OLD_FILES, "batch.records=100")
_SEED, _EVENTS = 11, 800


class Kept(msgspec.Struct, frozen=True):
    """A record of a topic, and whether it was there when the engine was stopped (`before`)."""

    topic: str
    partition: int
    offset: int
    time: int
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]
    before: bool

    @property
    def to_send(self) -> Outgoing:
        """The same record anew."""
        return Outgoing(self.topic, self.partition, self.key, self.value, self.headers or None, self.time)


class Key(msgspec.Struct, frozen=True):
    """A key of the store with all that is in it, whatever server is to hold it."""

    name: bytes
    kind: str
    value: Any

    def put(self, client: redis.Redis) -> None:
        """Write it."""
        said = msgspec.convert(self.value, _VALUES[self.kind])
        if self.kind == "hash":
            client.hset(self.name, mapping=dict(said))
        elif self.kind == "zset":
            client.zadd(self.name, dict(said))
        elif self.kind == "set":
            client.sadd(self.name, *said)
        else:
            client.set(self.name, said)


_VALUES: Final[dict[str, Any]] = {
    "hash": list[tuple[bytes, bytes]],
    "zset": list[tuple[bytes, float]],
    "set": list[bytes],
    "string": bytes,
}


class StoredEngine:
    """One archive, unpacked into a folder."""

    def __init__(self, folder: Path) -> None:
        self.rules, self.snapshots = folder / "rules", folder / "snapshots"
        self.records = _read(folder / _RECORDS, Kept)
        self.keys = _read(folder / _KEYS, Key)

    def sent(self, *, before: bool) -> list[Kept]:
        """The records of all topics until the engine was stopped, or those that its build added then."""
        return [each for each in self.records if each.before is before]


def _read(path: Path, kind: type[Any]) -> list[Any]:
    return [msgspec.json.decode(line, type=kind) for line in path.read_bytes().splitlines()]


def _write(path: Path, lines: Iterable[Any]) -> None:
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


def unpacked(archive: Path, folder: Path) -> StoredEngine:
    """Unpack an archive."""
    with tarfile.open(archive) as whole:
        whole.extractall(folder, filter="data")
    return StoredEngine(folder)


def stage_of(bootstrap: str, store: EmbeddedStore, folder: Path, *settings: str) -> Stage:
    """The engine that is stored, or one that goes on where it stood."""
    return Stage(
        bootstrap=bootstrap, store=store, folder=folder, app_id=APP_ID, emit="idempotent",
        partitions=PARTITIONS, settings=(*_SETTINGS, f"rules.dir={folder / 'rules'}", *settings),
    )  # fmt: skip


async def records(bootstrap: str, ends: dict[tuple[str, int], int]) -> list[Kept]:
    """Everything in the topics of the engine; `ends`: where they stood when it was stopped."""
    address = KafkaAddress(bootstrap=bootstrap)
    reader = Reader(address)
    await reader.start()
    found: list[Kept] = []
    try:
        for topic, partition in sorted(await places(address)):
            end = await reader.end(topic, partition)
            fetched = await reader.read_with_headers(topic, partition, 0, end)
            stood = ends.get((topic, partition), end)
            for one, headers in zip(fetched.records, fetched.headers, strict=True):
                assert one.value is not None, one
                place = (topic, partition, one.offset, one.timestamp)
                found.append(Kept(*place, one.key, one.value, list(headers), one.offset < stood))
    finally:
        await reader.close()
    return found


async def places(address: KafkaAddress) -> list[tuple[str, int]]:
    """Every partition of every topic that is there."""
    return [(name, n) for name, count in (await existing_topics(address)).items() for n in range(count)]


def keys(url: str) -> Iterator[Key]:
    """All that the store holds."""
    with redis.Redis.from_url(url) as client:
        for name in sorted(client.scan_iter()):
            kind = client.type(name).decode()
            value: Any
            if kind == "hash":
                value = sorted(client.hgetall(name).items())
            elif kind == "zset":
                value = client.zrange(name, 0, -1, withscores=True)
            elif kind == "set":
                value = sorted(client.smembers(name))
            else:
                value = client.get(name)
            assert client.ttl(name) == -1, name
            yield Key(name, kind, value)


async def stopped(stage: Stage) -> None:
    """Stop the only worker as an operator does."""
    (worker,) = [one for one in stage.workers if one.running]
    worker.send(signal.SIGTERM)
    assert await worker.ended() == 0, worker.said


async def store_engine(folder: Path) -> None:
    """Let this build work at half of a made-up history, keep everything, then let it work at the rest."""
    shutil.copytree(default_rules_dir(), folder / "rules", ignore=shutil.ignore_patterns("*.cases.yaml"))
    events = file_events(random_history(_SEED, _EVENTS))
    half = len(events) // 2
    with EmbeddedBroker(folder=folder / "broker") as broker, EmbeddedStore(folder=folder / "store") as store:
        stage = stage_of(broker.bootstrap, store, folder, f"snapshot.folder={folder / 'snapshots'}")
        async with on_stage(stage):
            stage.worker("one", alone=True)
            await stage.shared_out()
            await stage.produce(events[:half])
            await stage.done()
            # A batch without outputs ends the half: a snapshot ends where the broker is known to have all
            # outputs, and another build need not come to the same ones.
            await stage.move_clocks(stage.latest + 1)
            await stage.done()
            await stopped(stage)
            ends = {(one.topic, one.partition): one.offset + 1 for one in await records(broker.bootstrap, {})}
            _write(folder / _KEYS, keys(store.url))
            stage.asked("snapshot")
            stage.worker("two", alone=True)
            await stage.shared_out()
            await stage.produce(events[half:])
            await stage.done()
            await stopped(stage)
            address = KafkaAddress(bootstrap=broker.bootstrap)
            ends = {place: ends.get(place, 0) for place in await places(address)}
            _write(folder / _RECORDS, await records(broker.bootstrap, ends))


def main(target: Path) -> None:
    """Write the archive of this build."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "broker").mkdir()
        (folder / "store").mkdir()
        asyncio.run(store_engine(folder))
        with tarfile.open(target, "w:xz") as whole:
            for each in (_RECORDS, _KEYS, "snapshots", "rules"):
                whole.add(folder / each, each)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
