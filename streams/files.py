"""Files of touchpoints: plain, gzipped or standard input, as JSON lines or as rows of a data set.

What is wrong with one record is a dead letter and is handed on as such; what is wrong with the file itself
(missing, cut off, another encoding, rows of another shape) is a problem of the user and stops the reading.
"""

from __future__ import annotations

import csv
import gzip
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, cast

from retarget.dialects import Dialect, LineReader, RecordDecoder, Rows, decoder_for, dialect_named
from retarget.dialects.csv_rows import rows_of_mapping
from retarget.dialects.json_lines import lines_of_mapping
from retarget.errors import BadInput, Rejected
from retarget.touchpoints import Touchpoint

STANDARD_INPUT: Final = "-"
_MAPPED: Final = ("csv", "json")
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


class FileEvent(NamedTuple):
    """One record of a file: `file` is its name without folders, `line` the line it begins on, from 1.

    `found` is the touchpoint, or why there is none. Its id is `<file>:<line>` when the record has none; its
    time is -1 when the record has none.
    """

    file: str
    line: int
    found: Touchpoint | Rejected
    raw: bytes
    listed: bool = False  # a record of the catalogue: about nobody, and it tells no lane the time

    @property
    def to_send(self) -> Touchpoint | bytes:
        """The touchpoint; what could not be read as it is."""
        return self.raw if isinstance(self.found, Rejected) else self.found


def read_files(
    paths: Sequence[str | Path], dialect: str = "auto", mapping: str | Path | None = None
) -> Iterator[FileEvent]:
    """Every record of the files, in their order. `-` is standard input; `mapping` is for `csv` and `json`.

    Raises BadInput: at once for names that cannot be right, while reading for what is wrong inside.
    """
    names = [str(path) for path in paths]
    form = dialect_named(dialect)
    problems = [*problems_of_names(names), *_problems_of_mapping(form, mapping)]
    if problems:
        raise BadInput(problems)
    shared = {name for name, times in Counter(map(short_name, names)).items() if times > 1}
    if form.kind == "record":
        return _read_records(names, decoder_for(dialect), shared)
    if form.line is not None:
        return _read_lines(names, form.line, shared)
    if form.name == "json":
        return _read_lines(names, lines_of_mapping(_mapping_text(str(mapping)), str(mapping)), shared)
    rows = form.rows or rows_of_mapping(_mapping_text(str(mapping)), str(mapping))
    return _read_rows(names, rows, shared)


def with_catalogue(events: Iterable[FileEvent], listed: Iterable[FileEvent]) -> list[FileEvent]:
    """Both sorted by time, of equal times the catalogue first."""
    return sorted_by_time([*sorted_by_time(listed), *sorted_by_time(events)])


def sorted_by_time(events: Iterable[FileEvent]) -> list[FileEvent]:
    """The events by time, equal times in input order; one without a time stays behind its predecessor."""
    keyed: list[tuple[int, FileEvent]] = []
    time = -1
    for event in events:
        found = event.found
        if not isinstance(found, Rejected) and found.time >= 0:
            time = found.time
        keyed.append((time, event))
    return [event for _, event in sorted(keyed, key=lambda pair: pair[0])]


def _read_records(names: Sequence[str], decode: RecordDecoder, shared: set[str]) -> Iterator[FileEvent]:
    for path in names:
        file = short_name(path)
        for number, raw in physical_lines(path):
            if not raw.strip():
                continue
            found = _decoded(decode, raw)
            if isinstance(found, Touchpoint) and found.id is None:
                require_own_name(path, file, shared)
                found.id = f"{file}:{number}"
            yield FileEvent(file, number, found, raw)


def _read_lines(names: Sequence[str], read: LineReader, shared: set[str]) -> Iterator[FileEvent]:
    for path in names:
        file = short_name(path)
        require_own_name(path, file, shared)
        for number, raw in physical_lines(path):
            try:
                found: Sequence[Touchpoint | Rejected] = read(raw, f"{file}:{number}") if raw.strip() else ()
            except Rejected as rejected:
                found = (rejected,)
            yield from (FileEvent(file, number, one, raw) for one in found)


def _decoded(decode: RecordDecoder, raw: bytes) -> Touchpoint | Rejected:
    try:
        return decode(raw)
    except Rejected as rejected:
        return rejected


def _read_rows(names: Sequence[str], rows: Rows, shared: set[str]) -> Iterator[FileEvent]:
    for path in names:
        file = short_name(path)
        require_own_name(path, file, shared)
        columns: Sequence[str] | None = None if rows.header else rows.columns
        for number, raw, cells in _table(path, rows.delimiter):
            if columns is None:
                columns = _header(path, number, cells, rows)
                continue
            if len(cells) != len(columns):
                counts = f"{len(cells)} columns where {len(columns)} are expected"
                raise BadInput([f"{path}, line {number}: {counts}; mend or remove the line"])
            row = dict(zip(columns, cells, strict=True))
            yield FileEvent(file, number, _row(rows, row, f"{file}:{number}"), raw)


def _row(rows: Rows, row: dict[str, str], event_id: str) -> Touchpoint | Rejected:
    try:
        return rows.read(row, event_id)
    except Rejected as rejected:
        return rejected


def _header(path: str, number: int, cells: Sequence[str], rows: Rows) -> Sequence[str]:
    missing = [column for column in rows.columns if column not in cells]
    if missing:
        remedy = "is this the right --dialect?"
        raise BadInput([f"{path}, line {number}: the header has no column {', '.join(missing)}; {remedy}"])
    return cells


class _TextLines:
    """Feeds the CSV reader, which may need several physical lines for one row, and keeps what it took."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lines = physical_lines(path)
        self.number = 0
        self.raw: list[bytes] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.number, raw = next(self._lines)
        self.raw.append(raw)
        try:
            return raw.decode() + "\n"
        except UnicodeDecodeError as error:
            remedy = "convert the file to UTF-8"
            raise BadInput(
                [f"{self._path}, line {self.number}: not UTF-8 ({error.reason}); {remedy}"]
            ) from None


def _table(path: str, delimiter: str) -> Iterator[tuple[int, bytes, list[str]]]:
    lines = _TextLines(path)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        first = lines.number + 1
        lines.raw.clear()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise BadInput([f"{path}, line {first}: {error}; mend or remove the row"]) from None
        if cells is None:
            return
        if cells:
            yield first, b"\n".join(lines.raw), cells


def physical_lines(path: str) -> Iterator[tuple[int, bytes]]:
    """Lines without their ends, from 1; a byte order mark is no part of the first. Raises BadInput."""
    with opened(path) as stream:
        for number, line in enumerate(stream, start=1):
            raw = line.rstrip(b"\r\n")
            if number == 1:
                if raw.startswith(_UTF16_MARKS):
                    raise BadInput([f"{path}, line 1: UTF-16, not UTF-8; convert the file"])
                raw = raw.removeprefix(_UTF8_MARK)
            yield number, raw


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked. Raises BadInput for one that cannot be read or is cut off."""
    try:
        with _opened(path) as stream:
            yield stream
    except EOFError:
        raise BadInput([f"{path}: the gzip data is cut off; fetch the file again"]) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise BadInput([f"{path}: not sound gzip data ({error}); fetch the file again"]) from None
    except OSError as error:
        raise BadInput([f"{path}: cannot be read: {error.strerror or error}"]) from None


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    if path == STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rb") as stream:
        yield cast("BinaryIO", stream)


def short_name(path: str) -> str:
    """The name without folders, by which events are known."""
    return path if path == STANDARD_INPUT else Path(path).name


def require_own_name(path: str, file: str, shared: set[str]) -> None:
    """Raise BadInput when another file has the same name."""
    if file in shared:
        raise BadInput(
            [f"{path}: the ids of its events are {file}:LINE, as those of another file; rename one"]
        )


def problems_of_names(names: Sequence[str]) -> Iterator[str]:
    """A line for each name that cannot be right."""
    if not names:
        yield "no file is given; name files, or - for standard input"
    if names.count(STANDARD_INPUT) > 1:
        yield "-: standard input can be read only once"
    for path in names:
        if path != STANDARD_INPUT and not Path(path).exists():
            yield f"{path}: there is no such file"
        elif Path(path).is_dir():
            yield f"{path}: is a folder; name the files in it"


def _problems_of_mapping(form: Dialect, mapping: str | Path | None) -> Iterator[str]:
    if form.name in _MAPPED and mapping is None:
        yield f"dialect {form.name}: needs a mapping file that says which column is which field"
    elif form.name not in _MAPPED and mapping is not None:
        yield f"{mapping}: a mapping file is for the dialects csv and json, not for {form.name}"


def _mapping_text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput([f"{path}: cannot be read: {error}"]) from None
