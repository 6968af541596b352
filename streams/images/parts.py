"""One lane's part of a snapshot: portions as MessagePack, each behind its length, compressed."""

from __future__ import annotations

import gzip
import os
from collections.abc import AsyncIterator, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from streams.ports import Portion

_LENGTH: Final = 4
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


async def write(path: Path, portions: AsyncIterator[Portion]) -> Written:
    """Write a part, safe from a power cut when this returns; what comes twice is counted twice."""
    people = waits = 0
    with open(path, "wb") as raw:  # noqa: ASYNC230, PTH123 - a program of its own, with nothing beside it
        with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=_LEVEL, mtime=0, filename="") as packed:
            async for portion in portions:
                people += len(portion.journeys)
                waits += len(portion.waits)
                data = _encoder.encode(portion)
                packed.write(len(data).to_bytes(_LENGTH))
                packed.write(data)
        raw.flush()
        os.fsync(raw.fileno())
    return Written(people, waits, os.stat(path).st_size, digest(path))  # noqa: PTH116


def read(path: Path) -> Iterator[Portion]:
    """The portions of a part whose digest was looked at."""
    with gzip.open(path, "rb") as packed:
        while length := packed.read(_LENGTH):
            yield _decoder.decode(packed.read(int.from_bytes(length)))


def digest(path: Path) -> str:
    """The digest of a file's bytes. Raises OSError."""
    found = blake2b(digest_size=_DIGEST)
    with path.open("rb") as raw:
        while chunk := raw.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()
