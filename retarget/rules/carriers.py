"""Which touchpoint types can never be about a subject of some kind. What may is left to the producers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# Who somebody is and what became of a message: no items, carts or orders in them.
_ABOUT_PEOPLE: Final = frozenset({
    "identify", "alias", "consent", "erase", "profile", "session", "app_open", "unsubscribe",
    "email_delivered", "email_open", "email_bounce", "email_spam", "push_received", "push_bounce",
})  # fmt: skip
_BROWSING: Final = frozenset({"view", "list_view", "search", "promo", "wishlist", "wishlist_remove"})
_IN_CART: Final = frozenset({"add", "remove", "cart", "cart_view"})

CANNOT_CARRY: Final[Mapping[str, frozenset[str]]] = {
    "product": _ABOUT_PEOPLE,
    "category": _ABOUT_PEOPLE,
    "cart": _ABOUT_PEOPLE | _BROWSING,
    "checkout": _ABOUT_PEOPLE | _BROWSING,
    "order": _ABOUT_PEOPLE | _BROWSING | _IN_CART,
    "query": _ABOUT_PEOPLE | _IN_CART,
}
