"""Rows of the JD.com actions: one file line per click or deed of a pair of user and product."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from retarget.decode import from_mapping
from retarget.dialects.cells import epoch
from retarget.dialects.model import Rows
from retarget.errors import Rejected
from retarget.touchpoints import Touchpoint

# Type 6 is a click somewhere on the page: no type of ours, so it becomes `custom` with this name.
TYPES: Final = {"1": "view", "2": "add", "3": "remove", "4": "purchase", "5": "wishlist", "6": "click"}


def read(row: Mapping[str, str], event_id: str) -> Touchpoint:
    """The touchpoint of one row; `pair_id` is the user and the product. Raises Rejected."""
    user, mark, product = row["pair_id"].partition("_")
    if not mark:
        raise Rejected("bad_field", f"pair_id is {row['pair_id'][:40]!r}; it must be USER_PRODUCT")
    return from_mapping(
        {
            "id": event_id,
            "type": TYPES.get(row["type"], row["type"]),
            "time": epoch(row["time"], 1, "time"),
            "user_id": user,
            "items": [{"product_id": product, "category": row["cate"], "brand": row["br"] or None}],
        }
    )


ROWS: Final = Rows(columns=("pair_id", "time", "type", "cate", "br"), read=read)
