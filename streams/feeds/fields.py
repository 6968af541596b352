"""One product of a feed as a record of the catalogue: columns by the names that shops give them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from retarget.decode import read_time
from retarget.dialects.cells import epoch
from retarget.errors import Rejected
from retarget.times import DAY, parse_time

# The first that has something in it counts.
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "product_id": ("product_id", "id", "sku", "item_id"),
    "time": ("time", "updated_at"),
    "price": ("sale_price", "price"),
    "stock": ("stock", "quantity", "inventory", "sell_on_google_quantity", "quantity_to_sell_on_facebook"),
    "margin": ("margin",),
    "name": ("name", "title"),
    "category": ("category", "product_type", "google_product_category"),
    "brand": ("brand",),
    "url": ("url", "link"),
    "image_url": ("image_url", "image_link"),
    "expires": ("expires", "expiration_date"),
}
_NUMBERS: Final = frozenset({"price", "stock", "margin"})
_TIMES: Final = frozenset({"time", "expires"})
# A number with a point, and a currency before or after it, as Google writes prices.
_AMOUNT: Final = re.compile(r"(?:[A-Z]{3}\s*)?([+-]?\d+(?:\.\d+)?)(?:\s*[A-Z]{3})?")
# A feed that says only whether there is any: plenty, so that nobody is told that few are left.
PLENTY: Final = 1_000
_AVAILABLE: Final = {
    "in_stock": PLENTY,
    "available_for_order": PLENTY,
    **dict.fromkeys(("preorder", "backorder", "out_of_stock", "discontinued"), 0),
}
_COST: Final = "cost_of_goods_sold"
_SALE: Final = "sale_price"
_PERIOD: Final = "sale_price_effective_date"
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def record_of(
    row: Mapping[str, str], names: Mapping[str, tuple[str, ...]] = NAMES, now: int = 0
) -> dict[str, Any]:
    """The record's fields, numbers as numbers. Raises Rejected with the column that is wrong.

    A sale price with a period counts if `now`, or the record's own time where that is later, lies in it.
    """
    cells = {name: text.strip() for name, text in row.items() if text.strip()}
    if _SALE in cells and _PERIOD in cells and _SALE in names.get("price", ()):
        begin, end = _period(cells[_PERIOD])
        if not begin <= max(now, _time(cells, names)) < end:
            del cells[_SALE]
    found: dict[str, Any] = {}
    for field, columns in names.items():
        column = _first(cells, columns)
        if column is not None:
            found[field] = _value(field, column, cells[column])
    if "stock" not in found and "availability" in cells:
        found["stock"] = _available(cells["availability"])
    if "margin" not in found and _COST in cells and "price" in found:
        found["margin"] = round(found["price"] - _number(_COST, cells[_COST]), 6)
    return found


def is_product(row: Mapping[str, str], names: Mapping[str, tuple[str, ...]] = NAMES) -> bool:
    """Whether it can be nothing else: it names a product, and has numbers where there should be some."""
    try:
        found = record_of(row, names)
    except Rejected:
        return False
    return "product_id" in found and not _NUMBERS.isdisjoint(found)


def _first(cells: Mapping[str, str], columns: Iterable[str]) -> str | None:
    return next((name for name in columns if name in cells), None)


def _time(cells: Mapping[str, str], names: Mapping[str, tuple[str, ...]]) -> int:
    column = _first(cells, names.get("time", ()))
    return 0 if column is None else _moment(column, cells[column])


def _period(text: str) -> tuple[int, int]:
    """From when to when, as Google writes it; dates alone are whole days."""
    begin, _, end = (part.strip().upper() for part in text.partition("/"))
    try:
        times = parse_time(begin), parse_time(end) + (DAY if _DATE.fullmatch(end) else 0)
    except (ValueError, OverflowError):
        times = 0, 0
    if times[0] < times[1]:
        return times
    form = "START/END such as 2026-03-01T08:00+0100/2026-03-15T20:00+0100, the end after the start"
    raise Rejected("bad_time", f"{_PERIOD} is {text[:60]!r}; write {form}")


def _value(field: str, column: str, text: str) -> object:
    if field in _NUMBERS:
        return _number(column, text)
    return _moment(column, text) if field in _TIMES else text


def _moment(column: str, text: str) -> int:
    return epoch(text, 1, column) if text.isdigit() else read_time(text, column)


def _number(column: str, text: str) -> float:
    amount = _AMOUNT.fullmatch(text)
    if amount is None:
        said = "it must be a number such as 12.50, with or without a currency such as EUR"
        raise Rejected("bad_field", f"{column} is {text[:40]!r}; {said}")
    return float(amount[1])


def _available(text: str) -> int:
    word = text.strip().lower().replace(" ", "_")
    if word not in _AVAILABLE:
        raise Rejected("bad_field", f"availability is {text[:40]!r}; write one of {', '.join(_AVAILABLE)}")
    return _AVAILABLE[word]
