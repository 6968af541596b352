"""Rows of the REES46 stores: event time as text in UTC, prices, brands and sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from retarget.decode import from_mapping, read_time
from retarget.dialects.cells import number
from retarget.dialects.model import Rows
from retarget.touchpoints import Touchpoint

TYPES: Final = {"view": "view", "cart": "add", "remove_from_cart": "remove", "purchase": "purchase"}


def read(row: Mapping[str, str], event_id: str) -> Touchpoint:
    """The touchpoint of one row; the category is its path where there is one. Raises Rejected."""
    item = {
        "product_id": row["product_id"],
        "category": row["category_code"] or row["category_id"],
        "brand": row["brand"] or None,
        "price": number(row["price"], "price"),
    }
    return from_mapping(
        {
            "id": event_id,
            "type": TYPES.get(row["event_type"], row["event_type"]),
            "time": read_time(row["event_time"].removesuffix(" UTC"), "event_time"),
            "user_id": row["user_id"],
            "session_id": row["user_session"],
            "items": [item],
        }
    )


ROWS: Final = Rows(
    columns=(
        "event_time", "event_type", "product_id", "category_id", "category_code", "brand", "price", "user_id",
        "user_session",
    ),
    read=read,
)  # fmt: skip
