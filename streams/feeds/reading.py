"""Files of feeds as records of the catalogue: bad rows are told one by one, the rest is read."""

from __future__ import annotations

import csv
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from retarget.catalogue import read_record
from retarget.errors import BadInput, Rejected
from retarget.touchpoints import Touchpoint
from streams.feeds.fields import NAMES, record_of
from streams.feeds.merchant import products
from streams.files import (
    FileEvent,
    opened,
    physical_lines,
    problems_of_names,
    require_own_name,
    short_name,
)

FORMS: Final = ("jsonl", "csv", "merchant")
_BY_ENDING: Final = {
    ".csv": "csv",
    ".tsv": "csv",
    ".xml": "merchant",
    ".rss": "merchant",
    ".atom": "merchant",
}
_UNTIMED: Final = Rejected("bad_time", "the record has no time, and a file tells none")
_DELIMITERS: Final = "\t;,|"


def read_feeds(
    paths: Sequence[str | Path],
    max_bytes: int,
    form: str = "auto",
    mapping: str | Path | None = None,
    *,
    timed: bool = True,
    now: int = 0,
) -> Iterator[FileEvent]:
    """Every record of the feeds, in their order; `auto`: the form by the file's ending.

    `mapping` is a TOML file for the form csv, with [columns] COLUMN = FIELD. `timed`: a record without a time
    cannot be used. `now`: when they are loaded, for prices of a period; 0: each holds at its record's time.
    Raises BadInput for names that cannot be right, and for files that cannot be read.
    """
    names = [str(path) for path in paths]
    problems = list(problems_of_names(names))
    if form not in ("auto", *FORMS):
        problems.append(f"dialect {form!r} is none of a catalogue; write one of auto, {', '.join(FORMS)}")
    if problems:
        raise BadInput(problems)
    columns = NAMES if mapping is None else _columns(Path(mapping))
    shared = {name for name, times in Counter(map(short_name, names)).items() if times > 1}
    for path in names:
        require_own_name(path, short_name(path), shared)
        for event in _read(path, _form(path) if form == "auto" else form, max_bytes, columns, now):
            untimed = timed and isinstance(event.found, Touchpoint) and event.found.time < 0
            yield event._replace(found=_UNTIMED) if untimed else event


def _read(
    path: str, form: str, most: int, columns: Mapping[str, tuple[str, ...]], now: int
) -> Iterator[FileEvent]:
    file = short_name(path)
    if form == "jsonl":
        for line, raw in physical_lines(path):
            if raw.strip():
                yield _event(file, line, raw, most)
        return
    for line, row in _rows(path, most) if form == "csv" else _products(path, most):
        try:
            if isinstance(row, Rejected):
                raise row
            record = record_of(row, columns if form == "csv" else NAMES, now)
        except Rejected as rejected:
            yield FileEvent(file, line, rejected, b"", listed=True)
        else:
            yield _event(file, line, msgspec.json.encode(record), most)


def _event(file: str, line: int, raw: bytes, most: int) -> FileEvent:
    try:
        found: Touchpoint | Rejected = read_record(raw, None, most)
    except Rejected as rejected:
        found = rejected
    return FileEvent(file, line, found, raw, listed=True)


def _products(path: str, most: int) -> Iterator[tuple[int, dict[str, str] | Rejected]]:
    with opened(path) as stream:
        yield from products(stream, most)


def _rows(path: str, most: int) -> Iterator[tuple[int, dict[str, str] | Rejected]]:
    """Rows of a table with a header; a row may have several physical lines, and names its first."""
    lines = _Lines(path, most)
    columns, delimiter = _header(path, lines)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        first = lines.number + 1
        try:
            cells = next(reader, None)
        except (csv.Error, UnicodeDecodeError) as error:
            said = error.reason if isinstance(error, UnicodeDecodeError) else str(error)
            yield first, Rejected("bad_field", f"the row cannot be read: {said}")
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            continue
        if cells is None:
            return
        if cells:
            yield first, _row(columns, cells)


def _header(path: str, lines: _Lines) -> tuple[list[str], str]:
    """The columns, and what is between them. Raises BadInput."""
    try:
        header = next(lines, "")
        delimiter = max(_DELIMITERS, key=header.count)
        columns = next(csv.reader([header], delimiter=delimiter, strict=True), [])
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadInput([f"{path}, line 1: cannot be read as column names: {error}"]) from None
    if len(columns) < 2:  # noqa: PLR2004 - a product, and something about it
        raise BadInput([f"{path}, line 1: a feed begins with a line of column names; write it"])
    return [cell.strip().lower() for cell in columns], delimiter


def _row(columns: Sequence[str], cells: Sequence[str]) -> dict[str, str] | Rejected:
    if len(cells) != len(columns):
        return Rejected("bad_field", f"the row has {len(cells)} columns where {len(columns)} are expected")
    return dict(zip(columns, cells, strict=True))


class _Lines:
    """Physical lines as text, and the number of the last."""

    def __init__(self, path: str, most: int) -> None:
        self._lines, self._most, self.number = physical_lines(path), most, 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.number, raw = next(self._lines)
        return raw[: self._most].decode() + "\n"


def _columns(path: Path) -> Mapping[str, tuple[str, ...]]:
    """The columns of each field that a mapping file names. Raises BadInput with every problem."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput([f"{path}: cannot be read as TOML: {error}"]) from None
    given = table.get("columns")
    if not isinstance(given, dict) or table.keys() != {"columns"}:
        raise BadInput([f"{path}: write one table, [columns], with lines COLUMN = FIELD"])
    problems = [
        f"{path}: columns.{column}: {field!r} is no field; write one of {', '.join(NAMES)}"
        for column, field in given.items()
        if field not in NAMES
    ]
    if problems:
        raise BadInput(problems)
    return {field: tuple(c.lower() for c, ours in given.items() if ours == field) for field in given.values()}


def _form(path: str) -> str:
    return _BY_ENDING.get(Path(path.removesuffix(".gz")).suffix.lower(), "jsonl")
