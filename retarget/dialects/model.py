"""What a dialect is: a form of input with a name, and the function that reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from retarget.touchpoints import Touchpoint

RecordDecoder = Callable[[bytes], Touchpoint]
RowReader = Callable[[Mapping[str, str], str], Touchpoint]
LineReader = Callable[[bytes, str], list[Touchpoint]]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """How the rows of a delimited file are read.

    `columns` are the names of all columns of a file without a header, or those that a header must have.
    `read` maps one row by column name, and the event's id, to a touchpoint; it raises Rejected.
    """

    columns: tuple[str, ...]
    read: RowReader
    header: bool = True
    delimiter: str = ","


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One form of input: `record` is a JSON value on a topic or on a line, `file` the form of a data set.

    A file has `rows`, or `line` reads one line of it, and the line's id, to several touchpoints.
    """

    name: str
    sentence: str
    kind: Literal["record", "file"]
    rows: Rows | None = None
    line: LineReader | None = None
