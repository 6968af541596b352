"""One product of a feed as a record of the catalogue: columns by the names that shops give them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from retarget.decode import read_time
from retarget.dialects.cells import epoch
from retarget.errors import Rejected

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


def record_of(row: Mapping[str, str], names: Mapping[str, tuple[str, ...]] = NAMES) -> dict[str, Any]:
    """The record's fields, numbers as numbers. Raises Rejected with the column that is wrong."""
    found: dict[str, Any] = {}
    for field, columns in names.items():
        column = next((name for name in columns if row.get(name, "").strip()), None)
        if column is not None:
            found[field] = _value(field, column, row[column].strip())
    if "stock" not in found and row.get("availability", "").strip():
        found["stock"] = _available(row["availability"])
    if "margin" not in found and row.get(_COST, "").strip() and "price" in found:
        found["margin"] = round(found["price"] - _number(_COST, row[_COST].strip()), 6)
    return found


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
