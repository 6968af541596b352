"""A shop's own JSON objects, one on each line, read by a mapping that the user writes in TOML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from retarget.decode import from_mapping, parse_object, read_text, read_time
from retarget.dialects.mapping import Mapped, Table, put, read_mapping, value_of
from retarget.dialects.model import LineReader
from retarget.errors import Rejected
from retarget.touchpoints import Touchpoint

EACH: Final = "[]"
_OF_ROWS: Final = ("names", "delimiter", "header")


def lines_of_mapping(text: str, file: str) -> LineReader:
    """How to read the lines that the mapping file describes. Raises BadInput with every problem in it.

    A column is a path to a value: names with dots between; `lines[].sku` is that of each object of a list.
    """
    mapped, _ = read_mapping(text, file, _wrong_form, _flat)
    return partial(_read, mapped)


def _read(mapped: Mapped, line: bytes, line_id: str) -> list[Touchpoint]:
    given = parse_object(line)
    record: dict[str, Any] = {"id": line_id}
    shared: dict[str, Any] = {}
    items: list[dict[str, Any]] = []
    for field, value in mapped.constants.items():
        put(record, shared, field, value)
    for path, field in mapped.columns.items():
        where, each, key = path.partition(f"{EACH}.")
        if each:
            _put_each(mapped, items, field, _objects(given, where), key)
        elif (value := _at(given, path)) not in (None, ""):
            put(record, shared, field, _value(mapped, field, value))
    if items or shared:
        record["items"] = [shared | item for item in items or [{}]]
    return [from_mapping(record)]


def _put_each(
    mapped: Mapped, items: list[dict[str, Any]], field: str, given: list[dict[str, Any]], key: str
) -> None:
    items.extend({} for _ in given[len(items) :])
    for item, one in zip(items, given, strict=True):
        if (value := _at(one, key)) not in (None, ""):
            put({}, item, field, _value(mapped, field, value))


def _objects(given: Mapping[str, Any], path: str) -> list[dict[str, Any]]:
    """The objects of a list, none where there is no list. Raises Rejected `bad_field`."""
    found = _at(given, path)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Rejected("bad_field", f"{path} must be a list of objects")
    return found


def _at(given: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 - whatever the shop has written
    """What stands at the end of a path; None where there is nothing, or nothing with names, on the way."""
    if path in given:
        return given[path]  # a name may have dots itself
    found: Any = given
    for name in path.split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    return found


def _value(mapped: Mapped, field: str, value: object) -> object:
    """What a value means in a field; what it cannot mean the canonical form will say. Raises Rejected."""
    if isinstance(value, str):
        return value_of(mapped, field, value)
    if field == "time" and mapped.unit_ms is not None:
        return _time(value, mapped.unit_ms)
    if field == "type" and mapped.types:
        text = read_text(value, field)
        return mapped.types.get(text, text)
    return value


def _time(value: object, unit_ms: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return read_time(value)
    # Fractions of a second may be told; what is beyond numbers is no time.
    return read_time(round(value * unit_ms) if abs(value) < 10**15 else value)


def _flat(columns: Table) -> Table:
    """A table of paths also where TOML has made tables of their dots."""
    found: Table = {}
    for name, one in columns.items():
        if isinstance(one, dict) and one:
            found |= {f"{name}.{rest}": field for rest, field in _flat(one).items()}
        else:
            found[name] = one
    return found


def _wrong_form(table: Table) -> Iterator[str]:
    for key in _OF_ROWS:
        if key in table:
            yield f"{key}: is for rows, not for JSON; remove it"
    lists = {}
    for path, field in table["columns"].items():
        if EACH not in path:
            continue
        where, each, key = path.partition(f"{EACH}.")
        if not (where and each and key) or EACH in key:
            yield f"columns.{path}: write one list on the path, such as lines[].sku"
        elif not str(field).startswith("items."):
            yield f"columns.{path}: what each object of a list has is of items; write one such as items.price"
        else:
            lists[where] = path
    if len(lists) > 1:
        yield f"columns: items come from one list; these are several: {', '.join(lists)}"
