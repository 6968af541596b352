"""A shelf: what a lane keeps of its people on disk instead of in memory, while one process works on it."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from streams.stores.keys import person_bytes, person_text

_CACHE_KB: Final = 32 * 1024
_FULL: Final = "full"


class Shelf(MutableMapping[str, bytes]):
    """What is kept of each person, in a new file. Nobody reads it after a crash, so nothing is ever synced.

    Raises OSError where the disk is full.
    """

    def __init__(self, path: Path, *, pages: int = 0) -> None:
        """`pages`: how many of 4 KB it may have at most; 0: as many as there is room for."""
        self._path = path
        self._base = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in (
            "journal_mode=OFF",
            "synchronous=OFF",
            f"cache_size=-{_CACHE_KB}",
            f"max_page_count={pages}",
        ):
            self._base.execute(f"PRAGMA {pragma}")
        self._base.execute("CREATE TABLE kept (person BLOB PRIMARY KEY, content BLOB) WITHOUT ROWID")
        # Never committed: what has no room in the cache is written, and the rest need not be.
        self._base.execute("BEGIN")

    def __getitem__(self, person: str) -> bytes:
        row = self._base.execute("SELECT content FROM kept WHERE person = ?", (person_bytes(person),))
        found: tuple[bytes] | None = row.fetchone()
        if found is None:
            raise KeyError(person)
        return found[0]

    def __setitem__(self, person: str, content: bytes) -> None:
        with _room(self._path):
            self._base.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (person_bytes(person), content))

    def __delitem__(self, person: str) -> None:
        if not self._base.execute("DELETE FROM kept WHERE person = ?", (person_bytes(person),)).rowcount:
            raise KeyError(person)

    def __iter__(self) -> Iterator[str]:
        for (person,) in self._base.execute("SELECT person FROM kept ORDER BY person"):
            yield person_text(person)

    def __len__(self) -> int:
        count: int = self._base.execute("SELECT count(*) FROM kept").fetchone()[0]
        return count

    def remove(self) -> None:
        """Make room on the disk; nothing can be asked any more."""
        self._base.close()
        self._path.unlink(missing_ok=True)


@contextmanager
def _room(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if _FULL not in str(error):
            raise
        raise OSError(errno.ENOSPC, "no space left", str(path)) from error
