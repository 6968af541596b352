"""Files of feeds as records of the catalogue: bad rows are told one by one, the rest is read."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from retarget.catalogue import read_record
from retarget.errors import BadInput, Rejected
from retarget.touchpoints import Touchpoint
from streams.feeds.fields import NAMES, is_product, record_of
from streams.feeds.merchant import products
from streams.feeds.tables import rows
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
    names = columns if form == "csv" else NAMES
    table = rows(path, most, partial(is_product, names=names)) if form == "csv" else _products(path, most)
    for line, row in table:
        try:
            if isinstance(row, Rejected):
                raise row
            record = record_of(row, names, now)
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
