"""Who was erased, beside the snapshots: so that an older one brings nobody back.

Ids stand there as keyed hashes. Whoever has the file can still find out whether a known id is among them, so
it is to be kept as the snapshots are.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from retarget.errors import BadInput
from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.times import format_time, parse_time
from streams.ports import Portion

_SALT: Final = 16
_DIGEST: Final = 16


class _File(msgspec.Struct, kw_only=True):
    salt: str  # hex digits
    erased: dict[str, str] = {}  # hash of an id -> when it was known to be erased, RFC 3339
    schema: int = 1


class Erased:
    """The erased of one engine."""

    def __init__(self, path: Path) -> None:
        """Read them, if there are any. Raises BadInput for a file that is none."""
        self._path = path
        try:
            self._file = msgspec.json.decode(path.read_bytes(), type=_File)
            self._at = {name: parse_time(at) for name, at in self._file.erased.items()}
            self._salt = bytes.fromhex(self._file.salt)
        except FileNotFoundError:
            self._salt = secrets.token_bytes(_SALT)
            self._file, self._at = _File(salt=self._salt.hex()), {}
        except (OSError, ValueError) as error:
            raise BadInput(
                [f"{path}: is no list of the erased ({error}); put it back from a backup"]
            ) from error

    def when(self, name: str) -> int:
        """When this id was erased, epoch ms; 0: never."""
        return self._at.get(self._hash(name), 0) if self._at else 0

    def add(self, names: Iterable[str], at: int, oldest: int) -> None:
        """Write these ids down as erased by `at`, and let go of those from before `oldest` (epoch ms)."""
        self._at |= {self._hash(name): at for name in names}
        self._at = {name: when for name, when in self._at.items() if when >= oldest}
        self._file.erased = {name: format_time(when) for name, when in sorted(self._at.items())}
        self._write(msgspec.json.format(msgspec.json.encode(self._file), indent=1))

    async def taken_out(
        self, portions: AsyncIterator[Portion], after: int, before: int
    ) -> AsyncIterator[Portion]:
        """The portions; of those who were erased between these moments nothing but that."""
        async for portion in portions:
            yield self._without(portion, after, before) if self._at else portion

    def _without(self, portion: Portion, after: int, before: int) -> Portion:
        def gone(name: str) -> bool:
            return after < self.when(name) < before

        return Portion(
            journeys=[
                (name, _mark(name, self.when(name)) if gone(name) else data)
                for name, data in portion.journeys
            ],
            waits=[wait for wait in portion.waits if not gone(wait[0])],
            listings=portion.listings,
            following=[pair for pair in portion.following if not gone(pair[1])],
        )

    def _hash(self, name: str) -> str:
        return blake2b(name.encode(), key=self._salt, digest_size=_DIGEST).hexdigest()

    def _write(self, data: bytes) -> None:
        new = self._path.with_name(self._path.name + ".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with new.open("wb") as file:
                file.write(data + b"\n")
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
        except OSError as error:
            raise BadInput([f"snapshot.folder: {new} cannot be written ({error.strerror})"]) from error


def _mark(name: str, at: int) -> bytes:
    return wire.encode(Journey(person=name, erased=True, erased_at=at))
