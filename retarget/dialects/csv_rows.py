"""Rows of any delimited file, read by a mapping that the user writes in TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from retarget.decode import ITEM_READERS, READERS, from_mapping, read_number, read_object, read_time
from retarget.dialects.cells import epoch, number
from retarget.dialects.model import Rows
from retarget.errors import BadInput
from retarget.times import SECOND
from retarget.touchpoints import TYPES, Touchpoint

_TIMES: Final = {"rfc3339": None, "seconds": SECOND, "milliseconds": 1}
_KEYS: Final[dict[str, type]] = {
    "columns": dict,
    "constants": dict,
    "types": dict,
    "names": list,
    "time": str,
    "delimiter": str,
    "header": bool,
}
_WORDS: Final = {dict: "table", list: "list of column names", str: "text", bool: "true or false"}
_FREE_FORM: Final = frozenset(name for name, reader in READERS.items() if reader is read_object)
_WHOLE: Final = _FREE_FORM | {"items"}


@dataclass(frozen=True, kw_only=True)
class _Mapping:
    columns: Mapping[str, str]
    constants: Mapping[str, Any]
    types: Mapping[str, str]
    unit_ms: int | None


def rows_of_mapping(text: str, file: str) -> Rows:
    """How to read the rows that the mapping file describes. Raises BadInput with every problem in it."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput([f"{file}: not TOML: {error}"]) from None
    problems = [f"{file}: {problem}" for problem in _problems(table)]
    if problems:
        raise BadInput(problems)
    columns = table["columns"]
    mapping = _Mapping(
        columns=columns,
        constants=table.get("constants", {}),
        types=table.get("types", {}),
        unit_ms=_TIMES[table.get("time", "rfc3339")],
    )
    return Rows(
        columns=tuple(table.get("names", columns)),
        read=partial(_read, mapping),
        header=table.get("header", True),
        delimiter=table.get("delimiter", ","),
    )


def _read(mapping: _Mapping, row: Mapping[str, str], event_id: str) -> Touchpoint:
    record: dict[str, Any] = {"id": event_id}
    item: dict[str, Any] = {}
    for field, value in mapping.constants.items():
        _put(record, item, field, value)
    for column, field in mapping.columns.items():
        if cell := row[column]:
            _put(record, item, field, _value(mapping, field, cell))
    if item:
        record["items"] = [item]
    return from_mapping(record)


def _put(record: dict[str, Any], item: dict[str, Any], field: str, value: object) -> None:
    group, _, key = field.rpartition(".")
    if not group:
        record[key] = value
    elif group == "items":
        item[key] = value
    else:
        record.setdefault(group, {})[key] = value


def _value(mapping: _Mapping, field: str, cell: str) -> object:
    if field == "time":
        return read_time(cell) if mapping.unit_ms is None else epoch(cell, mapping.unit_ms, "time")
    if field == "type":
        return mapping.types.get(cell, cell)
    group, _, key = field.rpartition(".")
    readers = ITEM_READERS if group == "items" else READERS if not group else {}
    return number(cell, field) if readers.get(key) is read_number else cell


def _problems(table: Mapping[str, Any]) -> Iterator[str]:
    wrong = list(_wrong_keys(table))
    if wrong:
        yield from wrong
        return
    fields = [*table["columns"].items(), *((key, key) for key in table.get("constants", {}))]
    for key, field in fields:
        if not _is_field(field):
            yield f"{key}: {field!r} is no field; write one such as user_id, items.product_id, traits.NAME"
    for key, value in table.get("constants", {}).items():
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            yield f"constants.{key}: must be text or a number"
    if not any(field in ("user_id", "anonymous_id") for _, field in fields):
        yield "columns: nothing becomes user_id or anonymous_id; map the column that names the person"
    for cell, kind in table.get("types", {}).items():
        if not isinstance(kind, str) or kind not in TYPES:
            yield f"types.{cell}: {kind!r} is no type; write one of {', '.join(sorted(TYPES))}"
    yield from _wrong_form(table)


def _wrong_keys(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if key not in _KEYS:
            yield f"{key}: unknown; known: {', '.join(_KEYS)}"
        elif not isinstance(value, _KEYS[key]):
            yield f"{key}: must be a {_WORDS[_KEYS[key]]}"
    if "columns" not in table:
        yield "columns: missing; write a table [columns] with lines COLUMN = FIELD"


def _wrong_form(table: Mapping[str, Any]) -> Iterator[str]:
    if table.get("time", "rfc3339") not in _TIMES:
        yield f"time: {table['time']!r} is no form of time; write one of {', '.join(_TIMES)}"
    if len(table.get("delimiter", ",")) != 1:
        yield f"delimiter: {table['delimiter']!r} must be one character"
    header, names = table.get("header", True), table.get("names")
    if header != (names is None):
        yield "names: write it exactly when header = false, with all columns in their order"
    if names is not None:
        yield from (f"columns.{column}: not in names" for column in table["columns"] if column not in names)


def _is_field(field: object) -> bool:
    if not isinstance(field, str):
        return False
    group, _, key = field.rpartition(".")
    if group in _FREE_FORM:
        return bool(key)
    return key in ITEM_READERS if group == "items" else not group and key in READERS and key not in _WHOLE
