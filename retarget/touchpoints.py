"""Touchpoints: one thing that happened to one person, in the form that every dialect is mapped to."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

import msgspec

from retarget.times import LATEST

TouchpointType = Literal[
    "view", "list_view", "search", "promo", "add", "remove", "cart_view", "cart", "wishlist",
    "wishlist_remove",
    "checkout", "purchase", "payment_failed", "refund", "cancel", "coupon", "share", "review",
    "email_delivered", "email_open", "email_click", "email_bounce", "email_spam", "unsubscribe",
    "push_received", "push_open", "push_bounce", "ad_click", "store_visit", "chat", "social", "app_open",
    "session", "page", "identify", "alias", "consent", "erase", "price_change", "stock_change", "score",
    "profile", "heartbeat", "custom",
]  # fmt: skip

TYPES: Final[frozenset[str]] = frozenset(get_args(TouchpointType))

# These need no person: they tell the time or change the catalogue.
IMPERSONAL: Final[frozenset[str]] = frozenset({"heartbeat", "price_change", "stock_change"})

# What happens to people rather than what they do; `win_back` and sessions ignore these.
NOT_CAUSED_BY_PERSON: Final[frozenset[str]] = frozenset(
    {"email_delivered", "email_open", "email_bounce", "email_spam", "push_received", "push_bounce",
     "profile", "score", "heartbeat", "price_change", "stock_change"}
)  # fmt: skip

# What came of a message: told by machines, also of people who have been forgotten since it left.
ABOUT_MESSAGES: Final[frozenset[str]] = frozenset(
    {"email_delivered", "email_open", "email_bounce", "push_received", "push_bounce"}
)

# Ids, categories, currencies and codes have at most so many characters, each of up to four bytes in UTF-8.
LONGEST_ID: Final = 512
# An id that is given has something in it; the strict decoder leaves anything else to the tolerant one.
Id: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_ID)]
# So many items has an event at most, and so many fields or entries each free-form object and what is in it.
MOST_ENTRIES: Final = 1_000
_BOUNDED: Final = msgspec.Meta(max_length=MOST_ENTRIES)
Free: TypeAlias = Annotated[dict[str, Any], _BOUNDED]


class Item(msgspec.Struct, kw_only=True, gc=False, omit_defaults=True):
    """One product line of an event; `price` is per unit in the event's currency."""

    product_id: Id | None = None
    variant_id: Id | None = None
    name: str | None = None
    category: Id | None = None
    brand: str | None = None
    price: float | None = None
    quantity: float | None = None
    url: str | None = None
    image_url: str | None = None
    personalisation: Annotated[dict[str, str], _BOUNDED] | None = None


class Touchpoint(msgspec.Struct, kw_only=True, gc=False, omit_defaults=True):
    """A canonical touchpoint. `time` is epoch ms UTC; all ids are text; absent fields are None.

    Decoding leaves `id` None and `time` -1 when the record has none: the caller sets them from the
    record's position and timestamp before the event enters a lane.
    """

    id: Id | None = None
    type: Id = "custom"
    name: str | None = None
    time: Annotated[int, msgspec.Meta(ge=0, le=LATEST)] = -1
    user_id: Id | None = None
    anonymous_id: Id | None = None
    session_id: Id | None = None
    cart_id: Id | None = None
    checkout_id: Id | None = None
    order_id: Id | None = None
    device_id: Id | None = None
    items: Annotated[list[Item], _BOUNDED] = []
    value: float | None = None
    currency: Id | None = None
    coupon: Id | None = None
    dwell_ms: float | None = None
    query: str | None = None
    position: float | None = None
    source: str | None = None
    medium: str | None = None
    campaign: Free | None = None
    channel: str | None = None
    sentiment: str | float | None = None
    store_id: Id | None = None
    geo: Free | None = None
    traits: Free | None = None
    consent: Free | None = None
    trace: Id | None = None

    @property
    def person(self) -> str:
        """The key of the person this is about: `user_id` when known, else `anonymous_id`, else empty."""
        return self.user_id or self.anonymous_id or ""
