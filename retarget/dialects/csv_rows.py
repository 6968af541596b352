"""Rows of any delimited file, read by a mapping that the user writes in TOML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from retarget.decode import from_mapping
from retarget.dialects.mapping import Mapped, Table, put, read_mapping, value_of
from retarget.dialects.model import Rows
from retarget.touchpoints import Touchpoint


def rows_of_mapping(text: str, file: str) -> Rows:
    """How to read the rows that the mapping file describes. Raises BadInput with every problem in it."""
    mapped, table = read_mapping(text, file, _wrong_form)
    return Rows(
        columns=tuple(table.get("names", mapped.columns)),
        read=partial(_read, mapped),
        header=table.get("header", True),
        delimiter=table.get("delimiter", ","),
    )


def _read(mapped: Mapped, row: Mapping[str, str], event_id: str) -> Touchpoint:
    record: dict[str, Any] = {"id": event_id}
    item: dict[str, Any] = {}
    for field, value in mapped.constants.items():
        put(record, item, field, value)
    for column, field in mapped.columns.items():
        if cell := row[column]:
            put(record, item, field, value_of(mapped, field, cell))
    if item:
        record["items"] = [item]
    return from_mapping(record)


def _wrong_form(table: Table) -> Iterator[str]:
    if len(table.get("delimiter", ",")) != 1:
        yield f"delimiter: {table['delimiter']!r} must be one character"
    header, names = table.get("header", True), table.get("names")
    if header != (names is None):
        yield "names: write it exactly when header = false, with all columns in their order"
    if names is not None:
        yield from (f"columns.{column}: not in names" for column in table["columns"] if column not in names)
