"""Who was erased, beside the snapshots: so that an older one brings nobody back.

Ids stand there as keyed hashes. Whoever has the file can still find out whether a known id is among them, so
it is to be kept as the snapshots are.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from retarget.errors import BadInput
from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.times import format_time, parse_time
from streams.ports import Portion

_SALT: Final = 16
_DIGEST: Final = 16


class Entry(NamedTuple):
    """An erasure: of what time its event was, and when it was known to have been applied, epoch ms."""

    asked: int
    known: int


class _File(msgspec.Struct, kw_only=True):
    salt: str  # hex digits
    erased: dict[str, tuple[str, str]] = {}  # hash of an id -> both moments, RFC 3339
    schema: int = 1


class Erased:
    """The erased of one engine."""

    def __init__(self, path: Path) -> None:
        """Read them, if there are any. Raises BadInput for a file that is none."""
        self._path = path
        try:
            self._file = msgspec.json.decode(path.read_bytes(), type=_File)
            self._entries = {name: Entry(*map(parse_time, at)) for name, at in self._file.erased.items()}
            self._salt = bytes.fromhex(self._file.salt)
        except FileNotFoundError:
            self._salt = secrets.token_bytes(_SALT)
            self._file, self._entries = _File(salt=self._salt.hex()), {}
        except (OSError, ValueError) as error:
            raise BadInput(
                [f"{path}: is no list of the erased ({error}); put it back from a backup"]
            ) from error

    def of(self, name: str) -> Entry | None:
        """The erasure of this id; None for never."""
        return self._entries.get(self._hash(name)) if self._entries else None

    def add(self, names: Iterable[str], entry: Entry, oldest: int) -> None:
        """Write the erasure of these ids down, and let go of those known before `oldest` (epoch ms)."""
        self._entries |= {self._hash(name): entry for name in names}
        self._entries = {name: one for name, one in self._entries.items() if one.known >= oldest}
        self._file.erased = {
            name: (format_time(one.asked), format_time(one.known))
            for name, one in sorted(self._entries.items())
        }
        self._write(msgspec.json.format(msgspec.json.encode(self._file), indent=1))

    async def taken_out(
        self, portions: Callable[[], AsyncIterator[Portion]], follows: int
    ) -> AsyncIterator[Portion]:
        """The portions; of those whom neither they nor what follows (epoch ms) erase, only that they are."""
        out: dict[str, int] = {}
        if self._entries:
            async for portion in portions():
                out |= dict(self._missed(portion, follows))
        async for portion in portions():
            yield _without(portion, out) if out else portion

    def _missed(self, portion: Portion, follows: int) -> Iterator[tuple[str, int]]:
        """Who is on the list, and was not erased yet when this was copied, nor is later; with the moment."""
        for person, data in portion.journeys:
            entry = self.of(person)
            if entry is not None and entry.known < follows:
                journey = wire.decode(data)
                if not (journey.erased and journey.erased_at >= entry.asked):
                    yield person, entry.known

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


def _without(portion: Portion, out: Mapping[str, int]) -> Portion:
    return Portion(
        journeys=[
            (person, _mark(person, out[person]) if person in out else data)
            for person, data in portion.journeys
        ],
        waits=[wait for wait in portion.waits if wait[0] not in out],
        listings=portion.listings,
        following=[pair for pair in portion.following if pair[1] not in out],
    )


def _mark(person: str, at: int) -> bytes:
    return wire.encode(Journey(person=person, erased=True, erased_at=at))
