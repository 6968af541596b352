"""Mapping files: which part of a shop's own records is which field, in TOML, for rows and for JSON."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from retarget.decode import ITEM_READERS, READERS, read_number, read_object, read_time
from retarget.dialects.cells import epoch, number
from retarget.errors import BadInput
from retarget.times import SECOND
from retarget.touchpoints import TYPES

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

Table = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """A mapping file that is in order. `unit_ms`: of times as numbers; None: as `read_time` takes them."""

    columns: Mapping[str, str]
    constants: Mapping[str, Any]
    types: Mapping[str, str]
    unit_ms: int | None


def read_mapping(
    text: str, file: str, problems: Callable[[Table], Iterator[str]], plain: Callable[[Table], Table] = dict
) -> tuple[Mapped, Table]:
    """The mapping in a file, and its table. Raises BadInput with every problem in it.

    `problems` are those of the form that the records have; `plain` makes the table of columns one without
    tables in it.
    """
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput([f"{file}: not TOML: {error}"]) from None
    if isinstance(table.get("columns"), dict):
        table["columns"] = plain(table["columns"])
    found = [f"{file}: {problem}" for problem in _problems(table, problems)]
    if found:
        raise BadInput(found)
    mapped = Mapped(
        columns=table["columns"],
        constants=table.get("constants", {}),
        types=table.get("types", {}),
        unit_ms=_TIMES[table.get("time", "rfc3339")],
    )
    return mapped, table


def put(record: dict[str, Any], item: dict[str, Any], field: str, value: object) -> None:
    """Let a field of a record, or of its item, have a value."""
    group, _, key = field.rpartition(".")
    if not group:
        record[key] = value
    elif group == "items":
        item[key] = value
    else:
        record.setdefault(group, {})[key] = value


def value_of(mapped: Mapped, field: str, cell: str) -> object:
    """What text means in a field. Raises Rejected."""
    if field == "time":
        return read_time(cell) if mapped.unit_ms is None else epoch(cell, mapped.unit_ms, "time")
    if field == "type":
        return mapped.types.get(cell, cell)
    group, _, key = field.rpartition(".")
    readers = ITEM_READERS if group == "items" else READERS if not group else {}
    return number(cell, field) if readers.get(key) is read_number else cell


def _problems(table: Table, of_form: Callable[[Table], Iterator[str]]) -> Iterator[str]:
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
    if table.get("time", "rfc3339") not in _TIMES:
        yield f"time: {table['time']!r} is no form of time; write one of {', '.join(_TIMES)}"
    yield from of_form(table)


def _wrong_keys(table: Table) -> Iterator[str]:
    for key, value in table.items():
        if key not in _KEYS:
            yield f"{key}: unknown; known: {', '.join(_KEYS)}"
        elif not isinstance(value, _KEYS[key]):
            yield f"{key}: must be a {_WORDS[_KEYS[key]]}"
    if "columns" not in table:
        yield "columns: missing; write a table [columns] with lines COLUMN = FIELD"


def _is_field(field: object) -> bool:
    if not isinstance(field, str):
        return False
    group, _, key = field.rpartition(".")
    if group in _FREE_FORM:
        return bool(key)
    return key in ITEM_READERS if group == "items" else not group and key in READERS and key not in _WHOLE
