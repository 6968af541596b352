"""Rows of the RetailRocket data set: times in milliseconds, orders, neither price nor category."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from retarget.decode import from_mapping
from retarget.dialects.cells import epoch
from retarget.dialects.model import Rows
from retarget.touchpoints import Touchpoint

TYPES: Final = {"view": "view", "addtocart": "add", "transaction": "purchase"}


def read(row: Mapping[str, str], event_id: str) -> Touchpoint:
    """The touchpoint of one row; a visitor counts as a known person. Raises Rejected."""
    return from_mapping(
        {
            "id": event_id,
            "type": TYPES.get(row["event"], row["event"]),
            "time": epoch(row["timestamp"], 1, "timestamp"),
            "user_id": row["visitorid"],
            "order_id": row["transactionid"],
            "items": [{"product_id": row["itemid"]}],
        }
    )


ROWS: Final = Rows(columns=("timestamp", "visitorid", "event", "itemid", "transactionid"), read=read)
