"""One lane's part of a snapshot: portions as MessagePack, each behind its length, compressed."""

from __future__ import annotations

import gzip
import os
from collections.abc import AsyncIterator, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from streams.ports import Portion

_LENGTH: Final = 4
# People, waits or listings: one call to the store takes so many well.
_PORTION: Final = 1_000
_DIGEST: Final = 16
_CHUNK: Final = 1 << 20
# Journeys shrink to a third; the next levels cost twice the time for a tenth of that.
_LEVEL: Final = 1
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Portion)


class Written(NamedTuple):
    """A part on the disk."""

    people: int
    waits: int
    size: int
    digest: str


class Writer:
    """Writes one part. What is added twice counts twice."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._people = self._waits = 0
        self._waiting: dict[str, list[Any]] = {name: [] for name in Portion.__struct_fields__}
        self._raw = path.open("wb")
        self._packed = gzip.GzipFile(fileobj=self._raw, mode="wb", compresslevel=_LEVEL, mtime=0, filename="")

    def add(self, portion: Portion) -> None:
        """Some of the lane; small ones are put together."""
        self._people += len(portion.journeys)
        self._waits += len(portion.waits)
        for name, waiting in self._waiting.items():
            waiting.extend(getattr(portion, name))
            if len(waiting) >= _PORTION:
                self._put({name: waiting})
                self._waiting[name] = []

    def close(self) -> Written:
        """That was all; it is safe from a power cut when this returns."""
        for name, waiting in self._waiting.items():
            if waiting:
                self._put({name: waiting})
        self._packed.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._raw.close()
        return Written(self._people, self._waits, self._path.stat().st_size, digest(self._path))

    def _put(self, fields: dict[str, list[Any]]) -> None:
        data = _encoder.encode(Portion(**fields))
        self._packed.write(len(data).to_bytes(_LENGTH))
        self._packed.write(data)


async def write(path: Path, portions: AsyncIterator[Portion]) -> Written:
    """Write a part of all these."""
    writer = Writer(path)
    async for portion in portions:
        writer.add(portion)
    return writer.close()


def read(path: Path) -> Iterator[Portion]:
    """The portions of a part whose digest was looked at."""
    with gzip.open(path, "rb") as packed:
        while length := packed.read(_LENGTH):
            yield decode(packed.read(int.from_bytes(length)))


def decode(data: bytes) -> Portion:
    """One portion, as it lies in a part."""
    return _decoder.decode(data)


def digest(path: Path) -> str:
    """The digest of a file's bytes. Raises OSError."""
    found = blake2b(digest_size=_DIGEST)
    with path.open("rb") as raw:
        while chunk := raw.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()
