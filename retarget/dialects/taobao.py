"""Rows of Alibaba's "User Behavior Data from Taobao": no header, no price, times in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from retarget.decode import from_mapping
from retarget.dialects.cells import epoch
from retarget.dialects.model import Rows
from retarget.times import SECOND
from retarget.touchpoints import Touchpoint

TYPES: Final = {"pv": "view", "cart": "add", "fav": "wishlist", "buy": "purchase"}


def read(row: Mapping[str, str], event_id: str) -> Touchpoint:
    """The touchpoint of one row. Raises Rejected."""
    return from_mapping(
        {
            "id": event_id,
            "type": TYPES.get(row["behaviour"], row["behaviour"]),
            "time": epoch(row["time"], SECOND, "time"),
            "user_id": row["user_id"],
            "items": [{"product_id": row["item_id"], "category": row["category_id"]}],
        }
    )


ROWS: Final = Rows(
    columns=("user_id", "item_id", "category_id", "behaviour", "time"), read=read, header=False
)
