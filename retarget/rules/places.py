"""Where in a rule's document something stands, and the list of what is wrong there."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any, TypeAlias

import msgspec

from retarget.rules.conditions import Vocabulary
from retarget.rules.names import KnownNames

Path: TypeAlias = tuple[str | int, ...]


class Document(msgspec.Struct, frozen=True):
    """One rule as it was read: plain data, and the line of each path in it (1 where nothing is said).

    `sets`: the product sets that are declared beside it, by name, as `product_sets.read_sets` reads them.
    `names`: the templates and audiences that it may name; None: whatever it likes.
    `problems`: what is wrong with the writing itself, by line, though all of it could be read.
    """

    file: str
    data: object
    lines: Mapping[Path, int] = {}
    sets: Mapping[str, Any] = {}
    names: KnownNames | None = None
    problems: tuple[tuple[int, str], ...] = ()

    def line(self, path: Path) -> int:
        """The line of a path, else of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class Reading:
    """One document while it is read: its problems so far, and what its conditions may speak of."""

    def __init__(self, document: Document, vocabulary: Vocabulary) -> None:
        self.document = document
        self.vocabulary = vocabulary
        self.subject: str | None = None
        self.problems: list[tuple[int, str]] = list(document.problems)

    @property
    def lines(self) -> list[str]:
        """The problems, from the top of the document to its end."""
        return [problem for _, problem in sorted(self.problems, key=itemgetter(0))]

    @property
    def root(self) -> Place:
        """The document as a whole."""
        return Place(self, ())


class Place(msgspec.Struct, frozen=True):
    """One path in a document."""

    reading: Reading
    path: Path

    def child(self, part: str | int) -> Place:
        """The place of a key or an element."""
        return Place(self.reading, (*self.path, part))

    def problem(self, sentence: str) -> None:
        """Note `FILE:LINE: $.path: sentence`."""
        document = self.reading.document
        line = document.line(self.path)
        self.reading.problems.append((line, f"{document.file}:{line}: {written(self.path)}: {sentence}"))


def written(path: Path) -> str:
    """`$.steps[1].channels`."""
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{_bare(part)}" for part in path)


def _bare(key: str) -> str:
    """The key, or its quoted form where it would break the line."""
    return key if key.isprintable() and len(key) <= 60 else repr(key[:60])  # noqa: PLR2004 - a line's worth
