"""Sorted temporary files: entries are kept until there are many, written as a sorted run, merged when read.

So the memory that a backtest needs does not grow with its input.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from heapq import merge
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

KEY: Final = 16
_HEAD: Final = struct.Struct(f">{KEY}sI")
# So much of a run is in memory at a time, and of all of them: an input in disorder has many.
_READ: Final = 64 * 1024
_READ_OF_ALL: Final = 4 * 1024 * 1024
_READ_AT_LEAST: Final = 4 * 1024

Entry = tuple[bytes, bytes]


class Sorted(NamedTuple):
    """What was spilled, to be read any number of times, also by another process. Equal keys in any order."""

    path: str
    runs: tuple[tuple[int, int], ...]  # start and end of each run in the file
    entries: int

    def read(self) -> Iterator[Entry]:
        """The entries by key."""
        with Path(self.path).open("rb", buffering=0) as file:
            most = max(min(_READ, _READ_OF_ALL // max(len(self.runs), 1)), _READ_AT_LEAST)
            yield from merge(*(_entries(file, start, end, most) for start, end in self.runs))

    def remove(self) -> None:
        """Delete the file."""
        Path(self.path).unlink(missing_ok=True)


class Spill:
    """Takes entries in any order. Its owner says when to `flush`; memory grows until then."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: list[Entry] = []
        self._runs: list[tuple[int, int]] = []
        self._last = b""
        self._entries = 0

    @property
    def waiting(self) -> int:
        """How many entries are not yet written."""
        return len(self._kept)

    def add(self, key: bytes, value: bytes) -> None:
        """Keep one entry; `key` has KEY bytes."""
        self._kept.append((key, value))

    def flush(self) -> None:
        """Write what is kept as a run; one that begins where the last one ended prolongs it."""
        if not self._kept:
            return
        self._kept.sort()
        with self._path.open("ab") as file:
            start = file.tell()
            file.writelines(_HEAD.pack(key, len(value)) + value for key, value in self._kept)
            end = file.tell()
        if self._runs and self._kept[0][0] >= self._last:
            self._runs[-1] = (self._runs[-1][0], end)
        else:
            self._runs.append((start, end))
        self._last = self._kept[-1][0]
        self._entries += len(self._kept)
        self._kept = []

    def close(self) -> Sorted:
        """All that was added."""
        self.flush()
        self._path.touch()
        return Sorted(str(self._path), tuple(self._runs), self._entries)


def _entries(file: BinaryIO, start: int, end: int, most: int) -> Iterator[Entry]:
    # Every run has a place of its own in the one open file, so that many runs need no more files.
    buffered, at, position = b"", 0, start
    while True:
        if len(buffered) - at < _HEAD.size:
            buffered, at, position = _more(file, buffered[at:], position, min(end, position + most))
            if not buffered:
                return
        key, length = _HEAD.unpack_from(buffered, at)
        at += _HEAD.size
        while len(buffered) - at < length:
            buffered, at, position = _more(file, buffered[at:], position, min(end, position + most))
        yield key, buffered[at : at + length]
        at += length


def _more(file: BinaryIO, rest: bytes, position: int, end: int) -> tuple[bytes, int, int]:
    file.seek(position)
    found = file.read(end - position)
    return rest + found, 0, position + len(found)
